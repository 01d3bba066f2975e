"""Connecting to a venue: when at all (its schedule), when next (back-off with jitter, within the venue's limit of
attempts), and under which name.
"""

from collections import deque
from zlib import crc32

from common.fix.schedule import Period, Schedule
from common.instant import NS_PER_MS, NS_PER_S, Instant

COMP_IDS = 100
"""A SenderCompID(49) dropped without Logout(5) is locked for twice HeartBtInt(108): so many that none comes round
before.
"""

LONGEST_LOOK_NS = NS_PER_S
"""A schedule is held against the wall clock at least so often: a clock that was set is noticed within this."""


def comp_id(sender_comp_id: str, prefix: str, connection: int) -> str:
    """The SenderCompID(49) of a connection: the one configured, else the next of `COMP_IDS` with that prefix."""
    return sender_comp_id or f"{prefix}{connection % COMP_IDS:02d}"


class Connector:
    """The times of connection attempts. `min_ms` and `max_ms` bound the back-off, which doubles with
    each round of hosts that failed."""

    def __init__(
        self, name: str, min_ms: int, max_ms: int, connects: int, window_ms: int, jitter_seed: int, hosts: int = 1
    ) -> None:
        """At most `connects` attempts in any `window_ms`; one is left out of account for a person's own log-on. The
        shell takes the `hosts` of the venue in turn.
        """
        self._name = f"{name}:{jitter_seed}"
        self._min_ns = min_ms * NS_PER_MS
        self._max_ns = max_ms * NS_PER_MS
        self._connects = max(1, connects - 1)
        self._window_ns = window_ms * NS_PER_MS
        self._hosts = hosts
        self._attempts: deque[int] = deque()
        self.failures = 0
        self.due_boot_ns: int | None = None

    def attempted(self, now: Instant) -> None:
        """A connection attempt begins."""
        self._attempts.append(now.boot_ns)
        while len(self._attempts) > self._connects:
            self._attempts.popleft()
        self.due_boot_ns = None

    def may_attempt(self, now: Instant) -> bool:
        """Whether the venue's limit has room for one more attempt now."""
        return self._allowed_from() <= now.boot_ns

    def worked(self) -> None:
        """The session is up: the next loss begins at the shortest wait again."""
        self.failures = 0

    def schedule(self, now: Instant, *, failed: bool) -> None:
        """Set the next attempt: at once after a process's start, later after each failure."""
        wait_ns = 0
        if failed:
            # The whole round of hosts is tried before the pause grows.
            rounds = self.failures // self._hosts
            full_ns = min(self._max_ns, self._min_ns << min(rounds, 20))
            wait_ns = full_ns // 2 + self._jitter(full_ns // 2)
            self.failures += 1
        self.due_boot_ns = max(now.boot_ns + wait_ns, self._allowed_from())

    def cancel(self) -> None:
        """No attempt until the next `schedule`."""
        self.due_boot_ns = None

    def _allowed_from(self) -> int:
        if len(self._attempts) < self._connects:
            return 0
        return self._attempts[0] + self._window_ns

    def _jitter(self, span_ns: int) -> int:
        """A number below `span_ns`, the same for the same name, seed and attempt: no random call in a core."""
        text = f"{self._name}:{self.failures}:{len(self._attempts)}"
        return span_ns * (crc32(text.encode()) & 0xFFFF) >> 16


class Hours:
    """When a session is open, as its actor follows it. `period` holds the instant last looked at, None while closed;
    `is_open` is true at all times where there is no schedule.
    """

    def __init__(self, schedule: Schedule | None) -> None:
        """Closed until the first `look`, where there is a schedule."""
        self.schedule = schedule
        self.is_open = schedule is None
        self.period: Period | None = None
        self._since_ns = self._until_ns = 0
        self._look_boot_ns: int | None = None

    def look(self, now: Instant) -> bool:
        """Hold the schedule against the clock, whichever way it went; whether another period, or none, holds now."""
        schedule = self.schedule
        if schedule is None:
            return False
        before = self.period
        if not self._since_ns <= now.wall_ns < self._until_ns:
            self.period = schedule.current(now.wall_ns)
            self.is_open = self.period is not None
            self._since_ns, self._until_ns = now.wall_ns, schedule.next_change_ns(now.wall_ns)
        self._look_boot_ns = now.boot_ns + min(LONGEST_LOOK_NS, self._until_ns - now.wall_ns)
        return self.period != before

    @property
    def text(self) -> str:
        """Why there is no connection, for people; "" while the session is open."""
        if self.is_open or self.schedule is None or not self._until_ns:
            return ""
        return f"outside its schedule until {self.schedule.text(self._until_ns)}"

    def next_deadline_ns(self) -> int | None:
        """When to `look` again, in boot time; None where there is no schedule, or nobody has looked yet."""
        return self._look_boot_ns
