"""When a venue is tried again: never more often than it allows, with waits that grow and differ."""

from hypothesis import given
from hypothesis import strategies as st

from common.instant import NS_PER_MS, Instant
from common.venues.connector import COMP_IDS, Connector, comp_id


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
