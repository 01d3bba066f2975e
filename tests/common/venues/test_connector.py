"""When a venue is tried again: never more often than it allows, with waits that grow and differ."""

import datetime as dt
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from common.fix.schedule import Schedule
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.connector import COMP_IDS, LONGEST_LOOK_NS, Connector, Hours, comp_id


@given(st.integers(0, 1000), st.integers(2, 12))
def test_no_window_holds_more_attempts_than_the_venue_allows(seed: int, connects: int) -> None:
    connector = Connector("session@x", 10, 400, connects, 5000, seed)
    now = Instant(0, 0)
    attempts: list[int] = []
    connector.schedule(now, failed=False)
    for _ in range(60):
        assert connector.due_boot_ns is not None
        now = Instant(0, connector.due_boot_ns)
        connector.attempted(now)
        attempts.append(now.boot_ns)
        connector.schedule(now, failed=True)
    for at in attempts:
        assert sum(at - 5000 * NS_PER_MS < other <= at for other in attempts) <= connects


def test_waits_double_up_to_the_bound_and_begin_anew() -> None:
    connector = Connector("session@x", 100, 1000, 1000, 1000, 0)
    waits = []
    for _ in range(8):
        connector.schedule(Instant(0, 0), failed=True)
        assert connector.due_boot_ns is not None
        waits.append(connector.due_boot_ns // NS_PER_MS)
    assert all(full // 2 <= wait <= full for wait, full in zip(waits, [100, 200, 400, 800] + [1000] * 4, strict=True))
    connector.worked()
    connector.schedule(Instant(0, 0), failed=True)
    assert connector.due_boot_ns is not None
    assert connector.due_boot_ns <= 100 * NS_PER_MS


def test_the_whole_round_of_hosts_is_tried_before_the_pause_grows() -> None:
    connector = Connector("session@x", 100, 1000, 1000, 1000, 0, hosts=3)
    for full in [100] * 3 + [200] * 3 + [400] * 3:
        connector.schedule(Instant(0, 0), failed=True)
        assert connector.due_boot_ns is not None
        assert full // 2 <= connector.due_boot_ns // NS_PER_MS <= full


def test_two_sessions_do_not_come_back_together() -> None:
    first, second = Connector("session@a", 1000, 1000, 9, 1, 0), Connector("session@b", 1000, 1000, 9, 1, 0)
    for connector in (first, second):
        connector.schedule(Instant(0, 0), failed=True)
    assert first.due_boot_ns != second.due_boot_ns


def test_each_connection_takes_the_next_name_of_a_small_set() -> None:
    assert comp_id("FIXED", "", 7) == "FIXED"
    names = [comp_id("", "FXR", connection) for connection in range(COMP_IDS)]
    assert len(set(names)) == COMP_IDS
    assert all(len(name) <= 8 for name in names)


LONDON = Schedule(start=dt.time(0, 30), end=dt.time(23, 30), zone=ZoneInfo("Europe/London"))
SPRING_NS = int(dt.datetime(2026, 3, 28, tzinfo=dt.UTC).timestamp()) * NS_PER_S


def test_without_a_schedule_a_session_is_open_and_no_time_is_spent_on_it() -> None:
    hours = Hours(None)
    assert not hours.look(Instant(7, 7))
    assert hours.is_open and hours.text == ""
    assert hours.next_deadline_ns() is None


@given(st.lists(st.tuples(st.integers(0, 3 * 86_400), st.integers(0, 3 * 86_400)), min_size=1, max_size=20))
def test_wherever_the_clock_is_set_the_hours_are_those_of_the_schedule(looks: list[tuple[int, int]]) -> None:
    hours = Hours(LONDON)
    before = None
    for wall_s, boot_s in looks:
        now = Instant(SPRING_NS + wall_s * NS_PER_S, boot_s * NS_PER_S)
        changed = hours.look(now)
        assert hours.period == LONDON.current(now.wall_ns)
        assert hours.is_open is LONDON.is_open(now.wall_ns)
        assert changed is (hours.period != before)
        assert bool(hours.text) is not hours.is_open
        due_ns = hours.next_deadline_ns()
        assert due_ns is not None
        assert 0 < due_ns - now.boot_ns <= min(LONGEST_LOOK_NS, LONDON.next_change_ns(now.wall_ns) - now.wall_ns)
        before = hours.period
