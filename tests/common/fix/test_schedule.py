"""Schedules. Invariant: an instant is open exactly if a period holds it, and the next change lies in the future."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.fix.errors import SettingsError
from common.fix.schedule import Period, Schedule
from common.fix.wire import NS_PER_S

NEW_YORK = ZoneInfo("America/New_York")
LONDON = ZoneInfo("Europe/London")
UTC_ZONE = ZoneInfo("UTC")


def ns(*when: int) -> int:
    """Unix nanoseconds of a UTC date and time."""
    return int(datetime(*when, tzinfo=UTC).timestamp()) * NS_PER_S  # type: ignore[arg-type, misc]


DAY = Schedule(start=time(8), end=time(17), zone=UTC_ZONE, days=frozenset({0, 1, 2, 3, 4}))
NIGHT = Schedule(start=time(18), end=time(17), zone=NEW_YORK)
WEEK = Schedule(start=time(22, 5), end=time(22), zone=LONDON, start_day=5, end_day=5)
ROUND_THE_CLOCK = Schedule(start=time(0), end=time(0), zone=UTC_ZONE)
WORKING_WEEK = Schedule(start=time(17), end=time(17), zone=NEW_YORK, start_day=6, end_day=4)


@pytest.mark.parametrize(
    ("schedule", "when", "is_open"),
    [
        (DAY, ns(2026, 1, 5, 8), True),  # a Monday
        (DAY, ns(2026, 1, 5, 7, 59, 59), False),
        (DAY, ns(2026, 1, 5, 17), False),
        (DAY, ns(2026, 1, 3, 12), False),  # a Saturday
        (NIGHT, ns(2026, 1, 5, 22, 30), False),  # 17:30 in New York
        (NIGHT, ns(2026, 1, 5, 23), True),
        (NIGHT, ns(2026, 7, 6, 22), True),  # an hour earlier in summer
        (WEEK, ns(2026, 1, 3, 22, 2), False),
        (WEEK, ns(2026, 1, 3, 22, 5), True),
        (WEEK, ns(2026, 1, 10, 21, 59), True),
        (ROUND_THE_CLOCK, ns(2026, 1, 3, 0), True),
        (WORKING_WEEK, ns(2026, 1, 2, 22), False),  # Friday 17:00 in New York
        (WORKING_WEEK, ns(2026, 1, 4, 22), True),  # Sunday 17:00
    ],
)
def test_open_and_closed(schedule: Schedule, when: int, is_open: bool) -> None:
    assert schedule.is_open(when) is is_open


def test_numbers_go_on_inside_a_period_and_start_again_at_its_boundary() -> None:
    assert not DAY.began_since(ns(2026, 1, 5, 9), ns(2026, 1, 5, 16))
    assert DAY.began_since(ns(2026, 1, 5, 9), ns(2026, 1, 6, 9))
    assert not DAY.began_since(ns(2026, 1, 4, 7), ns(2026, 1, 5, 7)), "closed"
    assert not WEEK.began_since(ns(2026, 1, 4, 9), ns(2026, 1, 9, 9))
    assert ROUND_THE_CLOCK.began_since(ns(2026, 1, 5, 23, 59), ns(2026, 1, 6))
    assert not ROUND_THE_CLOCK.began_since(ns(2026, 1, 6), ns(2026, 1, 5, 23, 59)), "a clock that was set back"


def test_the_next_change() -> None:
    assert DAY.next_change_ns(ns(2026, 1, 5, 9)) == ns(2026, 1, 5, 17)
    assert DAY.next_change_ns(ns(2026, 1, 9, 17)) == ns(2026, 1, 12, 8)
    assert DAY.current(ns(2026, 1, 5, 9)) == Period(ns(2026, 1, 5, 8), ns(2026, 1, 5, 17))


def test_a_day_on_which_the_clock_changes_is_shorter() -> None:
    period = Schedule(start=time(0), end=time(0), zone=LONDON).current(ns(2026, 3, 29, 12))
    assert period is not None
    assert period.end_ns - period.start_ns == 23 * 3600 * NS_PER_S


def test_a_period_that_the_clock_skips_does_not_take_place() -> None:
    early = Schedule(start=time(1, 45), end=time(2, 15), zone=LONDON)
    assert early.current(ns(2026, 3, 29, 1, 20)) is None, "01:45 is skipped, and is 02:45 by the new clock"
    assert early.next_change_ns(ns(2026, 3, 29, 0)) == ns(2026, 3, 30, 0, 45)


@settings(max_examples=40)
@given(
    st.integers(ns(2020, 1, 1), ns(2030, 1, 1)),
    st.sampled_from([DAY, NIGHT, WEEK, ROUND_THE_CLOCK, WORKING_WEEK]),
)
def test_any_instant(when: int, schedule: Schedule) -> None:
    period = schedule.current(when)
    change = schedule.next_change_ns(when)
    assert change > when
    if period is not None:
        assert period.start_ns <= when < period.end_ns
        assert schedule.is_open(change - 1)
    else:
        assert not schedule.is_open(change - 1)
        assert schedule.is_open(change)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_day": 1},
        {"days": frozenset()},
        {"days": frozenset({7})},
        {"start_day": 0, "end_day": 9},
        {"start": time(8, tzinfo=UTC)},
    ],
)
def test_wrong_schedules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Schedule(**{"start": time(8), "end": time(17), "zone": UTC_ZONE, **wrong})  # type: ignore[arg-type]
