"""Evidence of absence as the checkers see it, and the check of what is said again on a ResendRequest(2)."""

from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace

from common.actor.core import Write
from common.journal.frames import Record
from common.messages import (
    Answer,
    Ask,
    Attempt,
    CancelOrder,
    Decision,
    ExecutionReport,
    GapFilled,
    Inbound,
    ListedOrder,
    NewOrder,
    Outbound,
    Reason,
    RequestRejected,
    SessionChanged,
    SessionState,
    Terms,
    Unreadable,
    Withdrawn,
)
from scripts.simulation.checkers import Checkers
from scripts.simulation.invariants import Violation
from scripts.simulation.log_view import MARGIN_NS, LogView, why_not_absent
from scripts.simulation.process import Process

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


LISTED = NewOrder(
    Attempt(1, 1), "alpha", 1, "here", "BTCUSDT", Terms("1", "2", Decimal(1), Decimal(1)), "a-1", SENT_NS,
    contingency="1", further=(ListedOrder(Terms("1", "2", Decimal(1), Decimal(1)), Attempt(1, 2), "a-2"),),
)  # fmt: skip


def _list_view() -> LogView:
    view = LogView({"here": 0})
    view.fold(_record(1), Outbound("here", 1, 3, 7, "E", RAW, LISTED))
    return view


ENDS_ALL = {
    "withdrawn": Withdrawn("here", 1, 3, 7, Attempt(1, 1), Reason.CONNECTION_LOST),
    "gap-filled": GapFilled("here", 1, 3, 7, 7, (Attempt(1, 1),)),
    "rejected": Inbound("here", 1, 3, 9, "3", b"", RequestRejected(7, Attempt(1, 1), "", -1, "no", False)),
    "rejected-by-name": Inbound("here", 1, 3, 9, "3", b"", RequestRejected(7, None, "a-1", -1, "no", False)),
}


@pytest.mark.parametrize("payload", ENDS_ALL.values(), ids=ENDS_ALL)
def test_what_ends_the_message_of_a_list_ends_each_of_its_orders(payload: Withdrawn | GapFilled | Inbound) -> None:
    view = _list_view()
    view.fold(_record(2), SessionChanged("here", 1, 4, SessionState.CAUGHT_UP, 9, 9))
    assert view.unheard("here", 4) == [("alpha", 1), ("alpha", 2)]
    view.fold(_record(3), payload)
    assert view.unheard("here", 4) == []


def test_an_answer_to_a_list_that_says_nothing_certain_is_one_to_each_of_its_orders() -> None:
    view = _list_view()
    view.fold(_record(2), Inbound("here", 1, 3, 9, "3", b"", RequestRejected(7, Attempt(1, 1), "", -1, "?", True)))
    assert view.ambiguous == {("here", "a-1"), ("here", "a-2")}
    view.fold(_record(3), Inbound("here", 1, 3, 10, "N", b"", Unreadable("a-1", "", "", "BTCUSDT", "no count", None)))
    assert view.answered >= {("here", "a-1"), ("here", "a-2")}


def test_every_order_of_a_list_that_was_withdrawn_may_be_told_so() -> None:
    checkers = Checkers()
    checkers._fold(_record(1), Outbound("here", 1, 3, 7, "E", RAW, replace(LISTED, decision=Decision())))
    checkers._fold(_record(2), ENDS_ALL["withdrawn"])
    assert checkers.withdrawn_names == {("alpha", 1), ("alpha", 2)}


def _frame(body: str) -> bytes:
    head = f"8=FIX.4.4\x019={len(body)}\x01{body}".encode()
    return head + b"10=%03d\x01" % (sum(head) & 255)


LIST_RAW = _frame("35=E\x0134=7\x0156=SPOT\x0173=2\x0111=a-1\x0111=a-2\x0125014=a-1\x01")
ORDER_RAW = _frame("35=D\x0134=8\x0156=SPOT\x0111=a-1\x01")


@pytest.mark.parametrize("again", [LIST_RAW, ORDER_RAW], ids=["the-list", "one-of-its-orders"])
def test_an_order_of_a_list_reaches_an_exchange_once(again: bytes) -> None:
    checkers, exchange = Checkers(), cast(Process, SimpleNamespace(name="exchange@here", life=1))
    checkers.reading(exchange, 1, LIST_RAW)
    assert checkers._reached == {("exchange@here", b"a-1"), ("exchange@here", b"a-2")}
    with pytest.raises(Violation, match="once-at-exchange"):
        checkers.reading(exchange, 1, again)


def test_a_list_is_not_sent_again() -> None:
    with pytest.raises(Violation, match="no-risk-resent"):
        Checkers()._session_writes("here", Write(3, _frame("35=E\x0134=7\x0143=Y\x0111=a-1\x01")))


def test_a_cancel_s_name_in_the_report_of_another_order_of_its_list_ends_that_one() -> None:
    view = _list_view()
    cancel = CancelOrder(
        Attempt(1, 3), "alpha", 3, "here", "BTCUSDT", "1", "a-3", "a-1", "", "alpha", 1, Decimal(1)
    )
    view.fold(_record(2), Outbound("here", 1, 3, 8, "F", RAW, cancel))
    for lsn, name in ((3, "a-1"), (4, "a-2")):
        ended = ExecutionReport("a-3", name, "", "", "4", "4", "BTCUSDT", "1", None, None, ZERO, ZERO, None, None)
        view.fold(_record(lsn), Inbound("here", 1, 3, lsn, "8", b"", ended))
    view.fold(_record(5), SessionChanged("here", 1, 4, SessionState.CAUGHT_UP, 9, 9))
    assert view.unheard("here", 4) == []
