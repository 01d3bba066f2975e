"""Message rates, in integer arithmetic and boot time, which is passed in: what a venue allows, and what a strategy may.

A venue's rate is counted so that it cannot be exceeded: from a message's numbering until one window after it left
(`MessageRate`). Who may use how much of it: what adds risk leaves the share that is kept for what adds none. Whatever
is sent at will leaves a share for the answers that the venue makes the FIX session give, and one for the kill switch,
which nothing else can use up. So the kill switch's first message always finds room, and behind all of them one is left
for the Logout(5) that may have to end the connection.

Where nobody outside counts along, a token bucket is enough (`Bucket`, the generic cell rate algorithm): it knows no
drift, and needs no timer.
"""

import enum
from collections import deque

from common.instant import Instant

SHARE = 20
"""One message in so many is the kill switch's own, and as many are for what the venue wants answered."""


class Use(enum.Enum):
    """What a message is sent for; the value is the sentence shown to people."""

    RISK = "an order or an amendment"
    SAFE = "a cancel, a question, or what the venue asked to have sent again"
    KILL = "the kill switch empties the books"


class Departures:
    """How many messages count at a time: those that have a number and have not left, and those that left within the
    window."""

    def __init__(self, window_ms: int) -> None:
        self.window_ns = window_ms * 1_000_000
        self._left: deque[int] = deque()

    def left(self, now: Instant) -> None:
        """A message was given to the socket."""
        self._left.append(now.boot_ns)

    def used(self, waiting: int, now: Instant) -> int:
        """How many messages count now; `waiting` have a number and have not left."""
        bound = now.boot_ns - self.window_ns
        while self._left and self._left[0] <= bound:
            self._left.popleft()
        return waiting + len(self._left)

    def next_room_ns(self, now: Instant) -> int:
        """When there is more room, in boot time, if all that counts has left."""
        return (self._left[0] if self._left else now.boot_ns) + self.window_ns

    def forget(self) -> None:
        """A new connection: the venue counts from 0."""
        self._left.clear()


class MessageRate(Departures):
    """At most `messages` in any `window_ms`, `answers` of them for what the venue wants answered, and no more than
    `amends` of them amendments."""

    def __init__(self, messages: int, window_ms: int, reserved: int, amends: int = 0) -> None:
        """`reserved` of the `messages` may not be used by what adds risk. `amends` 0: as many as messages."""
        super().__init__(window_ms)
        self.amends = amends or messages
        self.amended = Departures(window_ms)
        self._reserved_ratio = reserved / messages
        self._share_out(messages)

    def _share_out(self, messages: int) -> None:
        self.messages = messages
        reserved = round(messages * self._reserved_ratio)
        self.answers = kill = max(1, messages // SHARE)
        # One is for the last word of a connection, a Logout(5). Of a very few the kill switch has more than half.
        of_kill = max(messages // 2 + 1, messages - self.answers - 1)
        at_will = max(1, of_kill - kill)
        self._limits = {Use.RISK: min(messages - reserved, at_will), Use.SAFE: at_will, Use.KILL: of_kill}

    def keep_within(self, maximum: int, interval_ns: int) -> bool:
        """Lower the rate to one that never has more than `maximum` messages in any interval; whether it was above.

        An interval is covered by so many of our windows, and each may be full.
        """
        windows = max(1, -(-interval_ns // self.window_ns))
        messages = max(1, maximum // windows)
        if messages >= self.messages:
            return False
        self._share_out(messages)
        return True

    def room(self, waiting: int, now: Instant, use: Use) -> int:
        """How many more messages may take a number, or be sent again, for this use."""
        return max(0, self._limits[use] - self.used(waiting, now))

    def amend_room(self, waiting: int, now: Instant) -> int:
        """How many more of them may be amendments, of which so many have a number and have not left."""
        return max(0, self.amends - self.amended.used(waiting, now))

    def forget(self) -> None:
        """A new connection: the venue counts from 0."""
        super().forget()
        self.amended.forget()


class Bucket:
    """At most `messages` at once and `messages` in each `window_ns` on average; time is boot time, passed in.

    Instead of tokens it keeps the instant at which the bucket would be full again: each message moves it one token's
    worth of time on, and a message is allowed while that instant is at most a window away. What goes beyond the rate is
    owed, up to one more window's worth: who counts here passes on to one who keeps the same rate and refuses the rest.
    """

    __slots__ = ("_full_ns", "_token_ns", "messages", "window_ns")

    def __init__(self, messages: int, window_ns: int) -> None:
        """Full at first. Both arguments are at least 1."""
        self.messages = messages
        self.window_ns = window_ns
        self._token_ns = max(1, window_ns // messages)
        self._full_ns = 0

    def available(self, now_ns: int) -> int:
        """How many messages may go at once now; negative when more went than the rate allows."""
        return (self.window_ns - max(0, self._full_ns - now_ns)) // self._token_ns

    def allows(self, now_ns: int, reserve: int = 0) -> bool:
        """Whether one more may go while `reserve` messages stay for others."""
        return self.available(now_ns) > reserve

    def count_message(self, now_ns: int) -> None:
        """Count one message, allowed or not."""
        self._full_ns = min(max(self._full_ns, now_ns) + self._token_ns, now_ns + 2 * self.window_ns)
