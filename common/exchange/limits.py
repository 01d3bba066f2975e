"""How many events fall into a stretch of time, for the limits that a venue enforces."""

from collections import deque

from common.instant import NS_PER_S


class Window:
    """Counts events in a sliding window of time."""

    def __init__(self, length_s: int) -> None:
        self._length_ns = length_s * NS_PER_S
        self._at: deque[tuple[int, int]] = deque()
        self._used = 0

    def count(self, now_ns: int, weight: int = 1) -> int:
        """One more event, which weighs so much; what all weigh now."""
        self._at.append((now_ns, weight))
        self._used += weight
        return self.used(now_ns)

    def used(self, now_ns: int) -> int:
        """What the events in the window weigh."""
        while self._at and self._at[0][0] <= now_ns - self._length_ns:
            self._used -= self._at.popleft()[1]
        return self._used
