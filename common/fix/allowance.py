"""How many messages a peer may make a session send: in any window at most so many."""

from collections import deque


class Allowance:
    """At most `most` in any `window_ns`, by boot_ns; 0 is no bound."""

    __slots__ = ("_most", "_taken", "_window_ns")

    def __init__(self, most: int, window_ns: int) -> None:
        """Nothing was taken."""
        self._most = most
        self._window_ns = window_ns
        self._taken: deque[int] = deque(maxlen=most or 1)

    def take(self, boot_ns: int) -> bool:
        """Whether one more may be sent now; it is counted then."""
        if self._most and len(self._taken) == self._most and boot_ns < self.next_ns():
            return False
        self._taken.append(boot_ns)
        return True

    def next_ns(self) -> int:
        """From when on one more may be sent; asked while none may."""
        return self._taken[0] + self._window_ns

    def forget(self) -> None:
        """A new connection: the peer counts from 0."""
        self._taken.clear()
