"""What "there is no such order" proves, and what it does not: each condition alone makes the difference."""

from typing import Any

import pytest

from common.instant import NS_PER_S
from common.messages import Answer, Ask, SessionState
from common.orders.absence import CLOCK_MARGIN_NS, is_dead, no_stranger, sending_ns, unknown_over_fix, window_closed
from common.orders.books import SessionBooks, TradesAsked

SENT_NS = 1_000 * NS_PER_S
WINDOW_NS = 15 * NS_PER_S
CLOSES_NS = SENT_NS + WINDOW_NS + CLOCK_MARGIN_NS
SENT_ON = 3


def line(
    connection: int = SENT_ON + 1, state: SessionState = SessionState.OPENED, *, down_lsn: int = 40, up_lsn: int = 0,
    up_connection: int = 0,
) -> SessionBooks:  # fmt: skip
    return SessionBooks(
        "binance", "binance", connection, state=state, down_lsn=down_lsn, up_lsn=up_lsn, up_connection=up_connection
    )


def all_told(venue_ns: int = CLOSES_NS + 1, strangers: int = 0) -> TradesAsked:
    return TradesAsked(venue_ns=venue_ns, strangers=strangers)


def answer(*, asked_lsn: int = 41, venue_ns: int = CLOSES_NS + 1) -> Answer:
    ask = Ask("binance", 1, "order", "BTCUSDT", "1-1", asked_lsn=asked_lsn)
    return Answer("binance", ask, failed=False, not_found=True, venue_ns=venue_ns)


@pytest.mark.parametrize(
    ("session", "told", "closed"),
    [
        (line(), {}, True),
        (line(), {"venue_ns": CLOSES_NS}, False),
        (line(), {"asked_lsn": 40}, False),
        (line(SENT_ON, SessionState.DISCONNECTED), {"asked_lsn": 40}, False),
        (line(SENT_ON, SessionState.DISCONNECTED), {}, True),
        (line(SENT_ON), {"asked_lsn": 40}, True),
        (line(SENT_ON), {"venue_ns": CLOSES_NS}, False),
    ],
)
def test_the_window_has_closed_only_for_who_asked_after_the_end(
    session: SessionBooks, told: dict[str, Any], closed: bool
) -> None:
    assert window_closed(answer(**told), session, SENT_NS, SENT_ON, WINDOW_NS) is closed


@pytest.mark.parametrize(
    ("up_connection", "up_lsn", "closed"),
    [(0, 0, False), (SENT_ON, 30, False), (SENT_ON + 1, 41, False), (SENT_ON + 1, 40, True)],
)
def test_where_there_is_no_window_only_a_later_logon_ends_what_the_old_connection_carried(
    up_connection: int, up_lsn: int, closed: bool
) -> None:
    """Deribit read an order from a stalled connection after REST had denied it: our own end of that says nothing."""
    session = line(SENT_ON + 2, SessionState.DISCONNECTED, up_lsn=up_lsn, up_connection=up_connection)
    assert window_closed(answer(), session, SENT_NS, SENT_ON, 0) is closed


@pytest.mark.parametrize(
    ("told", "proves"),
    [(all_told(), True), (all_told(CLOSES_NS), False), (all_told(strangers=1), False), (None, False)],
)
def test_trades_prove_it_when_told_late_enough_without_a_stranger(told: TradesAsked | None, proves: bool) -> None:
    assert no_stranger(told, SENT_NS, WINDOW_NS) is proves


def test_over_fix_only_a_later_connection_proves_it_where_requests_die_with_theirs() -> None:
    assert unknown_over_fix(SENT_ON + 1, SENT_ON, 0)
    assert not unknown_over_fix(SENT_ON, SENT_ON, 0)
    assert not unknown_over_fix(SENT_ON + 1, SENT_ON, WINDOW_NS)


@pytest.mark.parametrize(
    ("session", "dead"),
    [
        (line(), True),
        (line(SENT_ON), False),
        (line(SENT_ON, SessionState.HALTED), True),
        (line(SENT_ON, SessionState.LOGGED_OUT_BY_HAND), True),
        (line(SENT_ON, SessionState.CONNECTING), False),
    ],
)
def test_a_connection_is_dead_when_a_later_one_was_made_or_there_is_none(session: SessionBooks, dead: bool) -> None:
    assert is_dead(session, SENT_ON) is dead


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            b"8=FIX.4.4\x019=40\x0135=D\x0134=2\x0152=20260101-00:00:01.500\x0111=a\x0110=000\x01",
            1_767_225_601_500_000_000,
        ),
        (b"8=FIX.4.4\x0135=D\x0111=a\x01", 7),
        (b"8=FIX.4.4\x0135=D\x0152=noon\x01", 7),
        (b"8=FIX.4.4\x0135=D\x0152=20260101", 7),
    ],
)
def test_the_window_counts_from_the_time_that_the_venue_was_told(raw: bytes, expected: int) -> None:
    assert sending_ns(raw, 7) == expected
