"""The venue's message rate, counted so that it cannot be exceeded: from a message's numbering until one window after
it left.

Who may use how much of it: what adds risk leaves the share that is kept for what adds none. Whatever is sent at will
leaves a share for the answers that the venue makes the FIX session give, and all of it one for the kill switch, which
nothing else can use up. So the kill switch's first message always finds room.
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


class MessageRate:
    """At most `messages` in any `window_ms`. `answers` of them are for what the venue wants answered."""

    def __init__(self, messages: int, window_ms: int, reserved: int) -> None:
        """`reserved` of the `messages` may not be used by what adds risk."""
        self.messages = messages
        self.window_ns = window_ms * 1_000_000
        self.answers = kill = max(1, messages // SHARE)
        at_will = max(1, messages - kill - self.answers)
        self._limits = {Use.RISK: min(messages - reserved, at_will), Use.SAFE: at_will, Use.KILL: messages}
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

    def room(self, waiting: int, now: Instant, use: Use) -> int:
        """How many more messages may take a number, or be sent again, for this use."""
        return max(0, self._limits[use] - self.used(waiting, now))

    def next_room_ns(self, now: Instant) -> int:
        """When there is more room, in boot time, if all that counts has left."""
        return (self._left[0] if self._left else now.boot_ns) + self.window_ns

    def forget(self) -> None:
        """A new connection: the venue counts from 0."""
        self._left.clear()
