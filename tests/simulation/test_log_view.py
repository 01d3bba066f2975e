"""Evidence of absence as the checkers see it, and the check of what is said again on a ResendRequest(2)."""

from decimal import Decimal

import pytest

from common.actor.core import Write
from common.journal.frames import Record
from common.messages import (
    Answer,
    Ask,
    Attempt,
    CancelOrder,
    ExecutionReport,
    GapFilled,
    Inbound,
    ListedOrder,
    NewOrder,
    Outbound,
    SessionChanged,
    SessionState,
    Terms,
)
from scripts.simulation.checkers import Checkers
from scripts.simulation.invariants import Violation
from scripts.simulation.log_view import MARGIN_NS, LogView, why_not_absent

SENT_NS = 1_767_225_600_000_000_000
RAW = b"8=FIX.4.4\x0135=D\x0134=7\x0152=20260101-00:00:00.000\x0110=000\x01"
ZERO = Decimal(0)


def _record(lsn: int) -> Record:
    return Record(lsn, SENT_NS, 16, "session@here", 1, lsn, 1, 0, b"")


def _view(window_ns: int, raw: bytes = RAW) -> LogView:
    view = LogView({"here": window_ns})
    order = NewOrder(
        Attempt(1, 1), "alpha", 1, "here", "BTCUSDT", Terms("1", "2", Decimal(1), Decimal(1)), "a-1", SENT_NS
    )
    view.fold(_record(1), Outbound("here", 1, 3, 7, "D", raw, order))
    return view


def _unknown(connection: int) -> Inbound:
    report = ExecutionReport(
        "a-1", "", "", "", "I", "8", "BTCUSDT", "1", None, None, ZERO, ZERO, None, None, unknown_order=True
    )
    return Inbound("here", 1, connection, 9, "8", b"", report)


def _why_not(view: LogView, payload: object, *, reached: bool = False, dead: bool = True) -> str:
    return why_not_absent(view, ("here", "a-1"), payload, reached=reached, dead=dead, accepted=False)


@pytest.mark.parametrize(("after_ns", "proves"), [(0, False), (MARGIN_NS, False), (MARGIN_NS + 1, True)])
def test_not_found_over_rest_counts_once_the_window_has_closed(after_ns: int, proves: bool) -> None:
    window_ns = 11_000_000_000
    answer = Answer("here", Ask("here", 1, "order"), False, not_found=True, venue_ns=SENT_NS + window_ns + after_ns)
    assert (_why_not(_view(window_ns), answer) == "") is proves
    assert _why_not(_view(window_ns), answer, reached=True, dead=False)


def test_where_there_is_no_window_the_end_of_the_connection_counts_and_no_clock_of_ours() -> None:
    answer = Answer("here", Ask("here", 1, "order"), False, not_found=True, venue_ns=SENT_NS + MARGIN_NS + 1)
    of_a_clock_that_was_ahead = RAW.replace(b"00:00:00.000", b"00:00:03.000")
    assert _why_not(_view(0, of_a_clock_that_was_ahead), answer) == ""
    assert "window is open" in _why_not(_view(1, of_a_clock_that_was_ahead), answer)
    assert "lives" in _why_not(_view(0), answer, dead=False)


def test_unknown_over_fix_counts_on_a_later_connection_only() -> None:
    view = _view(0)
    assert "connection 3" in _why_not(view, _unknown(3))
    assert _why_not(view, _unknown(4)) == ""
    assert "lives" in _why_not(view, _unknown(4), dead=False)
    assert _why_not(_view(1), _unknown(4))


GAPS = [(7, 7, 1, True), (8, 9, 1, False), (1, 9, 2, False)]


@pytest.mark.parametrize(("begin", "end", "generation", "proves"), GAPS)
def test_a_gap_counts_where_it_has_the_number(begin: int, end: int, generation: int, proves: bool) -> None:
    gap = GapFilled("here", generation, 4, begin, end, (Attempt(1, 1),))
    assert (_why_not(_view(0), gap) == "") is proves


def test_what_was_open_must_be_heard_of_once_a_connection_has_caught_up() -> None:
    view = _view(0)
    assert view.unheard("here", 4) is None
    view.fold(_record(2), SessionChanged("here", 1, 4, SessionState.CAUGHT_UP, 9, 9))
    assert view.unheard("here", 4) == [("alpha", 1)]
    view.fold(_record(3), _unknown(4))
    assert view.unheard("here", 4) == []


def test_nothing_is_said_again_of_a_number_that_was_not_written() -> None:
    checkers = Checkers()
    fill = Write(3, b"8=FIX.4.4\x0135=4\x0134=5\x0143=Y\x01123=Y\x0136=9\x0110=000\x01")
    checkers._generations["here", 3], checkers._highest["here", 1] = 1, 8
    checkers._session_writes("here", fill)
    checkers._highest["here", 1] = 7
    with pytest.raises(Violation, match="resent-is-released"):
        checkers._session_writes("here", fill)


def test_a_cancel_s_name_in_the_report_of_another_order_of_its_list_ends_that_one() -> None:
    view, terms = LogView({"here": 0}), Terms("1", "2", Decimal(1), Decimal(1))
    listed = NewOrder(
        Attempt(1, 1), "alpha", 1, "here", "BTCUSDT", terms, "a-1", SENT_NS, contingency="1",
        further=(ListedOrder(terms, Attempt(1, 2), "a-2"),),
    )  # fmt: skip
    cancel = CancelOrder(
        Attempt(1, 3), "alpha", 3, "here", "BTCUSDT", "1", "a-3", "a-1", "", "alpha", 1, Decimal(1)
    )
    view.fold(_record(1), Outbound("here", 1, 3, 7, "E", RAW, listed))
    view.fold(_record(2), Outbound("here", 1, 3, 8, "F", RAW, cancel))
    for lsn, name in ((3, "a-1"), (4, "a-2")):
        ended = ExecutionReport("a-3", name, "", "", "4", "4", "BTCUSDT", "1", None, None, ZERO, ZERO, None, None)
        view.fold(_record(lsn), Inbound("here", 1, 3, lsn, "8", b"", ended))
    view.fold(_record(5), SessionChanged("here", 1, 4, SessionState.CAUGHT_UP, 9, 9))
    assert view.unheard("here", 4) == []
