"""What is evidence that an order or an amendment came to nothing, and what only looks like it."""

import pytest

from common.instant import NS_PER_S
from common.messages import (
    AmendOrder,
    Answer,
    Ask,
    FilledByHand,
    GapFilled,
    Kind,
    LostOrder,
    NewOrder,
    Outbound,
    RequestRejected,
    RestOrder,
    SessionState,
    Trade,
    Unreadable,
    Verdict,
)
from common.venues.binance.dialect import Binance
from services.risk.snapshots import load_state
from tests.services.risk.rig import D, Rig, facts, report

NOTHING = (D(0), D(0), D(0))
WINDOW_NS = Binance().profile.window_ns
AFTER_MS = WINDOW_NS // 1_000_000 + 1001
"""So long after a message was sent, its window and the margin for clocks are over."""


def unheard(rig: Rig, venue: str = "generic", raw: bytes = b"") -> NewOrder:
    """An order of 5 that was sent, and of which nothing was heard."""
    order = rig.orders.new("1", "5", venue=venue)
    rig.command(order)
    rig.outbound(order, raw=raw)
    return order


def amended(rig: Rig, order: NewOrder, qty: str, connection: int = 1) -> AmendOrder:
    amend = rig.orders.amend(order, qty)
    rig.command(amend)
    rig.outbound(amend, connection=connection)
    return amend


def reconnected(rig: Rig) -> None:
    """The connection is dead, and the next one is live."""
    rig.session(SessionState.DISCONNECTED, venue="binance")
    for state in (SessionState.CONNECTING, SessionState.CAUGHT_UP):
        rig.session(state, venue="binance", connection=2)


def asked(rig: Rig, what: str, order: NewOrder | None = None) -> Ask:
    """A question that is asked now."""
    return Ask("binance", 1, what, "BTCUSDT", "" if order is None else order.cl_ord_id, asked_lsn=rig.log.lsn)


def told_trades(rig: Rig, *trades: tuple[str, str], venue_ns: int = -1) -> None:
    """REST tells all trades of 1 each, as (key, OrderID(37))."""
    rows = tuple(Trade("BTCUSDT", key, order_id, "1", D(1), D(100), D(0), "", 0) for key, order_id in trades)
    clock_ns = rig.log.stamp_ns if venue_ns < 0 else venue_ns
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "trades"), False, trades=rows, venue_ns=clock_ns))


def told_order(rig: Rig, order: NewOrder, *, venue_ns: int = 0, question: Ask | None = None) -> None:
    """REST tells the order: new, with its first terms."""
    told = RestOrder("BTCUSDT", "X1", order.cl_ord_id, "1", "0", order.order_qty, D(100), D(0))
    question = question or asked(rig, "order", order)
    rig.record(Kind.ANSWER, Answer("binance", question, False, order=told, venue_ns=venue_ns))


def not_found(rig: Rig, order: NewOrder, venue_ns: int = -1) -> None:
    clock_ns = rig.log.stamp_ns if venue_ns < 0 else venue_ns
    question = asked(rig, "order", order)
    rig.record(Kind.ANSWER, Answer("binance", question, False, not_found=True, venue_ns=clock_ns))


# -- rejections ------------------------------------------------------------------------------------------------------


def test_a_rejected_status_request_ends_neither_the_order_nor_its_amendment() -> None:
    rig = Rig()
    order = unheard(rig)
    for ambiguous in (False, True):
        query = rig.orders.attempt()
        rig.inbound(RequestRejected(9, query, order.cl_ord_id, 4, "not available", ambiguous))
        assert rig.worst()[0] == 5 and not rig.order().unknown
    rig.inbound(RequestRejected(5, order.attempt, order.cl_ord_id, 4, "not available"))
    assert rig.worst() == NOTHING

    order = rig.send(rig.orders.new("1", "5"))
    amend = amended(rig, order, "8")
    rig.inbound(RequestRejected(9, rig.orders.attempt(), amend.cl_ord_id))
    assert rig.worst()[0] == 8
    rig.inbound(RequestRejected(9, amend.attempt, amend.cl_ord_id))
    assert rig.worst()[0] == 5


def test_an_answer_that_is_resent_from_an_older_connection_settles_nothing() -> None:
    rig = Rig()
    order = unheard(rig)
    rig.inbound(report(order, "I", "8", unknown_order=True), connection=2, poss_dup=True)
    assert rig.worst()[0] == 5
    rig.inbound(report(order, "I", "8", unknown_order=True), connection=2)
    assert rig.worst() == NOTHING

    order = rig.send(rig.orders.new("1", "5"))
    amended(rig, order, "8")
    rig.inbound(report(order, "I", "0"), connection=2, poss_dup=True)
    assert rig.worst()[0] == 8
    rig.inbound(report(order, "I", "0"), connection=2)
    assert rig.worst()[0] == 5


def test_a_report_that_cannot_be_read_leaves_the_order_counted_and_an_earlier_answer_stale() -> None:
    rig = Rig()
    order = unheard(rig, "binance")
    before = asked(rig, "order", order)
    rig.inbound(Unreadable(order.cl_ord_id, "", "", "BTCUSDT", "odd"), venue="binance")
    assert rig.worst("binance")[0] == 5
    told_order(rig, order, question=before)
    assert rig.order().leg.order_id == "", "what was asked before says nothing of it"
    told_order(rig, order)
    assert rig.order().leg.order_id == "X1"


def test_what_was_answered_unreadably_is_settled_by_the_status_over_the_same_connection() -> None:
    rig = Rig()
    order = unheard(rig)
    rig.inbound(report(order, "I", "8", unknown_order=True))
    assert rig.worst()[0] == 5
    rig.inbound(Unreadable(order.cl_ord_id, "", "", "BTCUSDT", "odd"))
    rig.inbound(report(order, "I", "8", unknown_order=True), poss_dup=True)
    assert rig.worst()[0] == 5
    rig.inbound(report(order, "I", "8", unknown_order=True))
    assert rig.worst() == NOTHING

    order = rig.send(rig.orders.new("1", "5"))
    amend = amended(rig, order, "8")
    rig.inbound(Unreadable(amend.cl_ord_id, order.cl_ord_id, "", "BTCUSDT", "odd"))
    assert rig.worst()[0] == 8
    rig.inbound(report(order, "I", "0"))
    assert rig.worst()[0] == 5


# -- the venue's window ----------------------------------------------------------------------------------------------


def test_the_window_counts_from_the_time_that_the_venue_was_told() -> None:
    """The journal's stamp follows no wall clock: here it is an hour behind."""
    rig = Rig()
    raw = b"8=FIX.4.4\x019=1\x0135=D\x0152=20270115-09:00:00.000\x01"
    order = unheard(rig, "binance", raw)
    sent_ns = rig.order().sent_ns
    assert sent_ns == 1_800_003_600 * NS_PER_S
    reconnected(rig)
    for venue_ns, left in ((sent_ns + WINDOW_NS, 5), (sent_ns + AFTER_MS * 1_000_000, 0)):
        told_trades(rig, venue_ns=venue_ns)
        not_found(rig, order, venue_ns)
        assert rig.worst("binance")[0] == left


def test_a_venue_without_a_window_needs_no_sending_time() -> None:
    rig = Rig()
    unheard(rig, raw=b"8=FIX.4.4\x0152=20270115-09:00:00.000\x01")
    assert rig.order().sent_ns == rig.log.stamp_ns


# -- fills of orders that nobody has named ---------------------------------------------------------------------------


def test_a_fill_that_nobody_has_named_speaks_against_absence_as_long_as_nobody_does() -> None:
    rig = Rig()
    order = unheard(rig, "binance")
    reconnected(rig)
    told_trades(rig, ("7", "X1"))
    rig.log_tick(AFTER_MS)
    told_trades(rig)
    not_found(rig, order)
    assert rig.worst("binance") == (D(5), D(0), D(1))
    theirs = RestOrder("BTCUSDT", "X1", "by-hand", "1", "2", D(1), D(100), D(1))
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "open_orders"), False, orders=(theirs,)))
    told_trades(rig)
    not_found(rig, order)
    assert rig.worst("binance") == (D(0), D(0), D(1))


def test_a_fill_of_an_order_that_is_reported_under_a_foreign_name_speaks_against_nothing() -> None:
    rig = Rig()
    order = unheard(rig, "binance")
    reconnected(rig)
    told_trades(rig, ("7", "X1"))
    theirs = report(order, "F", "2", cl_ord_id="by-hand", last="1", key="7", order_id="X1")
    rig.inbound(theirs, venue="binance", connection=2)
    rig.log_tick(AFTER_MS)
    told_trades(rig)
    not_found(rig, order)
    assert rig.worst("binance") == (D(0), D(0), D(1))


def test_a_fill_from_before_an_order_was_sent_does_not_speak_for_it_once_it_is_named() -> None:
    rig = Rig()
    told_trades(rig, ("7", "X1"))
    order = unheard(rig, "binance")
    reconnected(rig)
    rig.log_tick(AFTER_MS)
    told_trades(rig)
    not_found(rig, order)
    assert rig.worst("binance") == (D(5), D(0), D(1)), "as long as nobody has named it"
    theirs = RestOrder("BTCUSDT", "X1", "by-hand", "1", "2", D(1), D(100), D(1))
    asked_whose = Ask("binance", 1, "order", "BTCUSDT", order_id="X1", asked_lsn=rig.log.lsn)
    rig.record(Kind.ANSWER, Answer("binance", asked_whose, False, order=theirs))
    told_trades(rig)
    not_found(rig, order)
    assert rig.worst("binance") == (D(0), D(0), D(1))


# -- amendments ------------------------------------------------------------------------------------------------------


def test_a_lost_amendment_goes_when_rest_tells_the_order_after_its_window() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    amended(rig, order, "4")
    reconnected(rig)
    working = rig.order()
    told_order(rig, order, venue_ns=rig.log.stamp_ns)
    assert list(working.requests)
    rig.log_tick(AFTER_MS)
    told_order(rig, order, venue_ns=rig.log.stamp_ns)
    assert not working.requests and rig.worst("binance")[0] == 5


def test_an_answer_without_a_clock_has_that_of_the_trades_told_before_it_was_asked_for() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    amended(rig, order, "4")
    reconnected(rig)
    working = rig.order()
    rig.log_tick(AFTER_MS)
    early = asked(rig, "order", order)
    told_trades(rig)
    told_order(rig, order, question=early)
    assert list(working.requests)
    told_order(rig, order)
    assert not working.requests


def test_replaced_answers_the_amendment_whose_terms_it_has() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "9", venue="binance"))
    first = amended(rig, order, "8")
    amended(rig, order, "6")
    working = rig.order()
    rig.inbound(report(order, "5", "0", qty="6"), venue="binance")
    assert list(working.requests) == [first.cl_ord_id]
    rig.inbound(report(order, "5", "0", qty="7"), venue="binance")
    assert not working.requests


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_a_verdict_on_an_order_of_two_legs_counts_its_cum_qty_once() -> None:
    for cum_qty, to_come in (("2", "0"), ("3", "1"), ("1", "0")):
        rig = Rig()
        order = rig.send(rig.orders.new("1", "5", venue="binance"))
        amend = rig.orders.amend(order, "5", "101.00")
        rig.command(amend)
        rig.outbound(amend)
        rig.inbound(report(order, "F", "1", last="2", cum="2", key="1"), venue="binance")
        rig.record(Kind.VERDICT, Verdict(order.strategy, order.number, "4", D(cum_qty), "me", "gone"))
        assert rig.worst("binance") == (D(to_come), D(0), D(2))


# -- snapshots -------------------------------------------------------------------------------------------------------


def test_what_was_told_is_the_same_in_a_loaded_state() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    amended(rig, order, "4")
    told_trades(rig, ("7", "X9"))
    loaded = load_state(rig.state.dump(), facts())
    assert loaded.digest() == rig.state.digest()
    assert loaded.books.orders == rig.state.books.orders and (loaded.books.accounts, loaded.books.sessions) == (
        rig.state.books.accounts, rig.state.books.sessions,
    )  # fmt: skip


@pytest.mark.parametrize(("exec_type", "word"), [("6", "6"), ("I", "0"), ("E", "E"), ("F", "1")])
def test_an_order_that_was_held_for_never_received_counts_again_once_it_is_heard_of(exec_type: str, word: str) -> None:
    rig = Rig()
    order = rig.orders.new("1", "5")
    rig.outbound(order)
    rig.record(Kind.GAP_FILLED, GapFilled("generic", 1, 1, 5, 5, (order.attempt,)))
    assert rig.worst() == (D(0), D(0), D(0))
    last, key = ("1", "7") if exec_type == "F" else ("0", "")
    rig.inbound(report(order, exec_type, word, last=last, key=key))
    assert rig.worst()[0] + rig.worst()[2] == D(5)


@pytest.mark.parametrize("reload", [False, True])
def test_an_order_that_a_person_closed_counts_again_once_the_venue_fills_it(reload: bool) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.record(Kind.VERDICT, Verdict(order.strategy, order.number, "4", D(0), "me", "looked at the venue's page"))
    assert rig.worst() == (D(0), D(0), D(0))
    if reload:
        rig.core.state = load_state(rig.state.dump(), facts())
    rig.inbound(report(order, "F", "1", last="1", key="7", cum="1"))
    assert rig.worst() == (D(4), D(0), D(1))


def test_what_is_done_for_the_day_counts_as_open() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "3", "3"))
    assert rig.worst()[0] == 5 and [holding.open_orders for holding in rig.state.books.holdings()] == [1]


def test_what_a_person_books_is_held_and_counts_no_more_and_the_trade_replaces_it() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "4", "4", cum="2"))
    assert rig.worst() == (D(2), D(0), D(0))
    rig.record(Kind.FILLED_BY_HAND, FilledByHand(order.strategy, order.number, D(2), D(100), "me", "their page"))
    assert rig.worst() == (D(0), D(0), D(2))
    rig.core.state = load_state(rig.state.dump(), facts())
    rig.inbound(report(order, "F", "4", last="1.5", key="1/t", cum="2"))
    assert rig.worst() == (D(0), D(0), D(2))
    rig.inbound(report(order, "F", "4", last="0.5", key="1/u", cum="2"))
    assert rig.worst() == (D(0), D(0), D(2)) and rig.state.exposure.shares["alpha", "generic", "BTCUSDT"].position == 2


def test_an_order_that_only_the_lost_end_of_a_log_knew_counts_at_worst() -> None:
    rig = Rig()
    order = rig.orders.new("1", "5")
    sent = Outbound("generic", 1, 1, 9, "D", b"", order)
    rig.record(Kind.LOST_ORDER, LostOrder("host-a, record 7 (0)", sent, 1, 0))
    assert rig.worst() == (D(5), D(0), D(0))
    rig.core.state = load_state(rig.state.dump(), facts())
    assert rig.worst() == (D(5), D(0), D(0))
    rig.inbound(report(order, "4", "4"))
    assert rig.worst() == NOTHING
