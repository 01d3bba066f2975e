"""Virtual time: a queue of calls, run in order of their times, and the clocks of the simulated hosts that read it."""

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

from common.instant import NS_PER_S, Instant

FIRST_WALL_NS = 1_767_225_600 * NS_PER_S
"""The Unix time at which every simulation begins: 2026-01-01 00:00 UTC."""

MAX_DRIFT_PPM = 200


class Scheduler:
    """Runs calls at their virtual times; calls of the same time run in the order in which they were made."""

    def __init__(self) -> None:
        """Time begins at 0."""
        self.now_ns = 0
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, at_ns: int, call: Callable[..., None], *arguments: Any) -> None:
        """Make `call(*arguments)` when time has come to `at_ns` (at once, if it has passed)."""
        self._count += 1
        heapq.heappush(self._queue, (max(at_ns, self.now_ns), self._count, call, arguments))

    def after(self, delay_ns: int, call: Callable[..., None], *arguments: Any) -> None:
        """Make `call(*arguments)` in `delay_ns` from now."""
        self._count += 1
        heapq.heappush(self._queue, (self.now_ns + delay_ns, self._count, call, arguments))

    def run_one(self) -> bool:
        """Make the next call, time moving on to it. False when nothing is left to do."""
        if not self._queue:
            return False
        self.now_ns, _, call, arguments = heapq.heappop(self._queue)
        call(*arguments)
        return True


class HostClock:
    """One host's two clocks: boot time runs true, the wall clock drifts and jumps."""

    def __init__(self, scheduler: Scheduler, random: Random) -> None:
        """A host that was booted some while ago, its wall clock up to 50 ms wrong."""
        self._scheduler = scheduler
        self._booted_ns = scheduler.now_ns - random.randrange(NS_PER_S, 10_000 * NS_PER_S)
        self._error_ns = random.randrange(-50_000_000, 50_000_000)
        self._drift_ppm = 0
        self._drift_since_ns = scheduler.now_ns

    def read(self) -> Instant:
        """Both clocks now."""
        now_ns = self._scheduler.now_ns
        drifted_ns = (now_ns - self._drift_since_ns) * self._drift_ppm // 1_000_000
        return Instant(FIRST_WALL_NS + now_ns + self._error_ns + drifted_ns, now_ns - self._booted_ns)

    def scheduler_ns(self, boot_ns: int) -> int:
        """When the boot clock reads `boot_ns`, in the scheduler's time."""
        return self._booted_ns + boot_ns

    def jump(self, by_ns: int) -> None:
        """Set the wall clock forward or back."""
        self._error_ns += by_ns

    def drift(self, ppm: int) -> None:
        """From now on the wall clock gains `ppm` microseconds a second."""
        self._error_ns = self.read().wall_ns - FIRST_WALL_NS - self._scheduler.now_ns
        self._drift_ppm, self._drift_since_ns = ppm, self._scheduler.now_ns

    def synchronise(self) -> None:
        """NTP has done its work: the wall clock is right and steady."""
        self._error_ns, self._drift_ppm = 0, 0

    def reboot(self) -> None:
        """The host was switched off and on: boot time begins anew."""
        self._booted_ns = self._scheduler.now_ns
