"""When a session is open, and where one session of numbers ends and the next begins.

A schedule speaks local time of a zone; daylight saving moves it in Unix time. The host asks `current` for the period
that holds an instant, and resets the numbers when the period of now has begun since the last activity.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from common.fix.errors import SettingsError
from common.fix.wire import NS_PER_S

EVERY_DAY = frozenset(range(7))


class Period(NamedTuple):
    """One opening, in Unix nanoseconds; `end_ns` is outside."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """Daily on some days, or weekly from one day to another. Days: 0 is Monday.

    Daily: opens at `start` on each of `days` and closes at the next `end` (the day after if `end` is not later than
    `start`; equal times make 24 hours). Weekly: opens on `start_day` at `start` and closes on `end_day` at `end`.
    Raises SettingsError.
    """

    start: time
    end: time
    zone: ZoneInfo
    days: frozenset[int] = EVERY_DAY
    start_day: int | None = None
    end_day: int | None = None

    def __post_init__(self) -> None:
        if (self.start_day is None) != (self.end_day is None):
            raise SettingsError("a weekly schedule has both start_day and end_day, a daily one neither")
        days = {*self.days, *(day for day in (self.start_day, self.end_day) if day is not None)}
        if not self.days or not days <= EVERY_DAY:
            raise SettingsError("days are numbers from 0, Monday, to 6, Sunday, and at least one")
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise SettingsError("start and end are local times; the zone is given by itself")

    def current(self, wall_ns: int) -> Period | None:
        """The period that holds an instant, or None while closed."""
        return next((period for period in self._around(wall_ns) if period.start_ns <= wall_ns < period.end_ns), None)

    def text(self, wall_ns: int) -> str:
        """An instant in the schedule's own zone, for people."""
        return datetime.fromtimestamp(wall_ns // NS_PER_S, self.zone).strftime("%Y-%m-%d %H:%M:%S %Z")

    def is_open(self, wall_ns: int) -> bool:
        """Whether a session may be connected."""
        return self.current(wall_ns) is not None

    def next_change_ns(self, wall_ns: int) -> int:
        """The next opening or closing after an instant, Unix nanoseconds."""
        edges = [edge for period in self._around(wall_ns) for edge in period]
        return min(edge for edge in edges if edge > wall_ns)

    def began_since(self, then_ns: int, now_ns: int) -> bool:
        """Whether the period of now has begun after the other instant, so that the numbers start anew. A clock that is
        set back goes into a former period, and begins none.
        """
        period = self.current(now_ns)
        return period is not None and period.start_ns > then_ns

    def _around(self, wall_ns: int) -> Iterator[Period]:
        """The periods that can hold an instant or follow it, oldest first.

        One whose start the clock skips may end before it begins: that one does not take place.
        """
        return (period for period in self._planned(wall_ns) if period.start_ns < period.end_ns)

    def _planned(self, wall_ns: int) -> Iterator[Period]:
        today = datetime.fromtimestamp(wall_ns // NS_PER_S, UTC).astimezone(self.zone).date()
        # Nine days back hold the start of the longest weekly period, nine ahead the next opening of any.
        for offset in range(-9, 10):
            day = today + timedelta(days=offset)
            if self.start_day is None and day.weekday() in self.days:
                closes = day if self.end > self.start else day + timedelta(days=1)
                yield Period(self._at(day, self.start), self._at(closes, self.end))
            elif self.start_day == day.weekday() and self.end_day is not None:
                length = (self.end_day - self.start_day) % 7
                if length == 0 and self.end <= self.start:
                    length = 7
                yield Period(self._at(day, self.start), self._at(day + timedelta(days=length), self.end))

    def _at(self, day: date, clock: time) -> int:
        local = datetime.combine(day, clock, self.zone)
        return int(local.timestamp()) * NS_PER_S + clock.microsecond * 1000
