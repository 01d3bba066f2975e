"""The venue's message rate, counted so that it cannot be exceeded: from a message's numbering until one window after
it left.
"""

from collections import deque

from common.instant import Instant


class MessageRate:
    """At most `messages` in any `window_ms`, a share of it kept for what adds no risk."""

    def __init__(self, messages: int, window_ms: int, reserved: int) -> None:
        """`reserved` of the `messages` may not be used by what adds risk."""
        self.messages = messages
        self.window_ns = window_ms * 1_000_000
        self.reserved = reserved
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

    def allows(self, waiting: int, now: Instant, *, adds_risk: bool) -> bool:
        """Whether one more message may take a number."""
        limit = self.messages - self.reserved if adds_risk else self.messages
        return self.used(waiting, now) < limit

    def forget(self) -> None:
        """A new connection: the venue counts from 0."""
        self._left.clear()
