"""What is told after an order's end, and what ends it: belief follows evidence; what counts at worst waits for it."""

from typing import Any

import msgspec
import pytest

from common.messages import (
    AmendOrder,
    AmendRequest,
    Ask,
    Attempt,
    CancelRejected,
    Discrepancy,
    GapFilled,
    Kind,
    NewOrder,
    Reason,
    RequestRejected,
    RestOrder,
    SessionState,
    Terms,
    Trade,
    Unanswered,
    Verdict,
    Withdrawn,
)
from common.orders.order_state import Order
from common.orders.snapshots import dump_books, load_books
from common.orders.worst import NOTHING, AtWorst, at_worst, least_qty
from tests.services.orders.harness import D, Ring, accepted


def the_order(ring: Ring) -> Order:
    return ring.core.books.orders["s", 1]


def worst(ring: Ring) -> AtWorst:
    """What the order may still do at worst: the same in books that are loaded from a snapshot."""
    books = ring.core.books
    facts = {name: venue.facts for name, venue in ring.settings.accounts.items()}
    loaded = load_books(dump_books(books), facts)
    assert at_worst(loaded.orders["s", 1]) == at_worst(the_order(ring))
    assert list(loaded.unsettled) == list(books.unsettled) and loaded.shares == books.shares
    return at_worst(the_order(ring))


def verdict(ring: Ring, ord_status: str, cum_qty: str = "0") -> None:
    ring.record("orders", Kind.VERDICT, Verdict("s", 1, ord_status, D(cum_qty), "tester", "seen at the venue"))


def amends(ring: Ring, msg_type: str = "", **terms: Any) -> AmendOrder:
    """An amendment is on its way to the session."""
    ring.request(AmendRequest(0, 2, 1, **terms))
    amend = ring.last(AmendOrder)
    assert isinstance(amend, AmendOrder)
    if msg_type:
        ring.sent(amend, msg_type)
    return amend


def rest(ring: Ring, order: NewOrder, word: str, cum_qty: str = "0") -> None:
    ask = Ask("binance", 901, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
    told = RestOrder("BTCUSDT", "77", order.cl_ord_id, "1", word, order.order_qty, D(100), D(cum_qty))
    ring.answers(venue="binance", ask=ask, order=told)


def not_found(ring: Ring, cl_ord_id: str) -> None:
    """REST tells no trade and no such order, after every window."""
    ring.pass_time(20_000)
    lsn, venue_ns = ring.core.books.lsn, ring.journal.stamp_ns
    ring.answers(venue="binance", ask=Ask("binance", 910, "trades", "BTCUSDT", asked_lsn=lsn), venue_ns=venue_ns)
    ask = Ask("binance", 911, "order", "BTCUSDT", cl_ord_id, asked_lsn=lsn)
    ring.answers(venue="binance", ask=ask, not_found=True, venue_ns=venue_ns)


def answer_all(ring: Ring) -> None:
    """REST answers each question of the round: there is nothing."""
    while ring.asks:
        ring.answers(venue="binance", ask=ring.asks.pop(0))


def open_binance(ring: Ring) -> None:
    ring.log_on("binance")
    answer_all(ring)
    ring.session("binance", SessionState.OPENED)


def actions(ring: Ring) -> list[str]:
    """What was done about each discrepancy."""
    records = [r for r in ring.journal.records if r.kind == Kind.DISCREPANCY]
    return [msgspec.msgpack.decode(r.payload, type=Discrepancy).action for r in records]


# -- an operator's verdict -------------------------------------------------------------------------------------------


def test_the_venues_new_after_a_verdict_is_new_and_what_the_verdict_said_of_fills_is_over(ring: Ring) -> None:
    order = ring.new(1, qty="10")
    ring.sent(order)
    verdict(ring, "4", "4")
    assert the_order(ring).status.value == "CANCELED" and worst(ring) == AtWorst(D(4), 0)
    ring.report(order, "0", "0", cum_qty=D(0))
    assert the_order(ring).status.value == "NEW" and worst(ring) == AtWorst(D(10), 1)


@pytest.mark.parametrize("word", ["2", "4", "8", "C"])
def test_an_order_that_rest_knows_to_be_open_revives_with_a_discrepancy(ring: Ring, word: str) -> None:
    order = ring.new(1, "binance", qty="10")
    ring.sent(order)
    verdict(ring, word)
    assert worst(ring) == NOTHING
    rest(ring, order, "0")
    assert the_order(ring).status.value == "NEW" and worst(ring) == AtWorst(D(10), 1)
    assert actions(ring) == ["took the venue's word"]


def test_a_verdict_takes_the_place_of_what_the_venue_had_told_of_fills(ring: Ring) -> None:
    order = accepted(ring, 1, qty="10")
    ring.report(order, "I", "1", cum_qty=D(6))
    verdict(ring, "4", "1")
    assert worst(ring) == AtWorst(D(1), 0)
    ring.report(order, "I", "1", cum_qty=D(0))
    assert worst(ring) == AtWorst(D(10), 1) and the_order(ring).leaves_qty == 4


# -- what is proved of one leg ends that leg -------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["gap", "withdrawn", "not found", "rejected"])
def test_proof_that_an_order_was_lost_leaves_the_replacement_that_may_live(ring: Ring, by: str) -> None:
    ring.log_on("binance")
    order = ring.new(1, "binance", qty="10")
    ring.sent(order)
    its = the_order(ring)
    replace = AmendOrder(
        Attempt(order.attempt.epoch, order.attempt.counter + 1), "s", 2, "binance", "BTCUSDT",
        Terms("1", "2", D(12), D(101)), "xcn", order.cl_ord_id, "", "s", 1, D(10), D(100), D(0), order.deadline_ns,
    )  # fmt: skip
    ring.sent(replace, "XCN")
    assert worst(ring) == AtWorst(D(22), 2)
    match by:
        case "gap":
            ring.record("session@binance", Kind.GAP_FILLED, GapFilled("binance", 1, 1, 1, 1, (order.attempt,)))
        case "withdrawn":
            gone = Withdrawn("binance", 1, 1, 1, order.attempt, Reason.LATE)
            ring.record("session@binance", Kind.WITHDRAWN, gone)
        case "rejected":
            ring.told("binance", RequestRejected(1, order.attempt, order.cl_ord_id, -1013, "filter"))
        case _:
            ring.session("binance", SessionState.DISCONNECTED)
            not_found(ring, order.cl_ord_id)
    assert worst(ring) == AtWorst(D(12), 1) and not its.is_closed and its.leaves_qty == 12
    ring.told("binance", CancelRejected("xcn", order.cl_ord_id, "", "", -2011))
    assert its.is_closed and worst(ring) == NOTHING and not its.awaits


def test_not_found_proves_nothing_while_the_connection_lives_and_the_venue_is_silent(ring: Ring) -> None:
    open_binance(ring)
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.record("orders", Kind.UNANSWERED, Unanswered("binance", "s", 1, order.attempt, 5000))
    assert the_order(ring).status.value == "UNKNOWN"
    not_found(ring, order.cl_ord_id)
    assert the_order(ring).status.value == "UNKNOWN" and worst(ring) == AtWorst(D(1), 1)
    ring.session("binance", SessionState.DISCONNECTED)
    not_found(ring, order.cl_ord_id)
    assert the_order(ring).status.value == "VOID" and worst(ring) == NOTHING


@pytest.mark.parametrize("replaces", [False, True])
def test_what_the_venue_has_answered_it_has_received_whatever_is_gap_filled(ring: Ring, replaces: bool) -> None:
    ring.log_on("binance")
    order = ring.new(1, "binance", qty="10")
    ring.sent(order)
    attempt, name = order.attempt, order.cl_ord_id
    if replaces:
        ring.report(order, "0", "0")
        replace = amends(ring, "XCN", price=D(101))
        attempt, name = replace.attempt, replace.cl_ord_id
    ring.told("binance", RequestRejected(2, attempt, name, -1007, "timeout", True))
    ring.record("session@binance", Kind.GAP_FILLED, GapFilled("binance", 1, 1, 1, 2, (attempt,)))
    assert worst(ring) == (AtWorst(D(20), 2) if replaces else AtWorst(D(10), 1))


# -- amendments that the order's end has overtaken -------------------------------------------------------------------


def test_an_amendment_that_crosses_the_last_fill_counts_until_the_venue_answers_it(ring: Ring) -> None:
    order = accepted(ring, 1, qty="5")
    amend = amends(ring, "G", order_qty=D(8))
    assert worst(ring) == AtWorst(D(8), 1) and least_qty(the_order(ring), order.cl_ord_id) == 5
    ring.report(order, "F", "2", qty="5", key="1", cum_qty=D(5))
    assert the_order(ring).status.value == "FILLED" and worst(ring) == AtWorst(D(3), 1)
    ring.report(amend, "5", "1", orig_cl_ord_id=order.cl_ord_id, cum_qty=D(5))
    assert the_order(ring).status.value == "PARTIALLY_FILLED" and worst(ring) == AtWorst(D(3), 1)
    assert the_order(ring).order_qty == 8 and not the_order(ring).lingering


def test_an_overtaken_amendment_of_which_nobody_knows_is_asked_about_until_the_venue_tells(ring: Ring) -> None:
    """The next logon would end it, and may be a day away; until then it counts at worst."""
    order = ring.new(1, "binance", qty="5")
    ring.sent(order)
    ring.report(order, "0", "0")
    amend = amends(ring, "G", order_qty=D(8))
    ring.told("binance", RequestRejected(2, amend.attempt, amend.cl_ord_id, -1007, "timeout", True))
    ring.report(order, "F", "2", qty="5", key="1", cum_qty=D(5))
    assert worst(ring) == AtWorst(D(3), 1)
    ring.asks.clear()
    ring.pass_time(20_000)
    assert {("order", order.cl_ord_id), ("trades", "")} <= {(ask.what, ask.cl_ord_id) for ask in ring.asks}
    lsn, venue_ns = ring.core.books.lsn, ring.journal.stamp_ns
    ring.answers(venue="binance", ask=Ask("binance", 910, "trades", "BTCUSDT", asked_lsn=lsn), venue_ns=venue_ns)
    rest(ring, order, "2", "5")
    assert worst(ring) == NOTHING
    ring.asks.clear()
    ring.pass_time(20_000)
    assert not ring.asks


def test_an_answer_without_a_clock_came_after_the_trades_that_were_told_before_it_was_asked_for(ring: Ring) -> None:
    """The order and the trades of its symbol are always asked for at once: those just told are too late for each."""
    order = ring.new(1, "binance", qty="5")
    ring.sent(order)
    ring.report(order, "0", "0")
    amend = amends(ring, "G", order_qty=D(8))
    ring.told("binance", RequestRejected(2, amend.attempt, amend.cl_ord_id, -1007, "timeout", True))
    ring.pass_time(20_000)
    for number in (910, 911):
        asked_lsn, venue_ns = ring.core.books.lsn, ring.journal.stamp_ns
        trades = Ask("binance", number, "trades", "BTCUSDT", asked_lsn=asked_lsn)
        ring.answers(venue="binance", ask=trades, venue_ns=venue_ns)
    assert list(the_order(ring).requests)
    ask = Ask("binance", 912, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=asked_lsn)
    told = RestOrder("BTCUSDT", "77", order.cl_ord_id, "1", "0", D(5), D(100), D(0))
    ring.answers(venue="binance", ask=ask, order=told)
    assert not the_order(ring).requests


@pytest.mark.parametrize("end", ["rejected", "withdrawn", "gap", "caught up", "cancelled"])
def test_an_overtaken_amendment_comes_to_nothing(ring: Ring, end: str) -> None:
    ring.open("generic")
    order = accepted(ring, 1, qty="5")
    amend = amends(ring, order_qty=D(8))
    ring.report(order, "F", "2", qty="5", key="1", cum_qty=D(5))
    ring.sent(amend)
    assert worst(ring) == AtWorst(D(3), 1) and list(ring.core.books.unsettled) == [("s", 1)]
    before = ring.events()
    match end:
        case "rejected":
            ring.told("generic", CancelRejected(amend.cl_ord_id, order.cl_ord_id, "", "2"))
        case "withdrawn":
            gone = Withdrawn("generic", 1, 1, 2, amend.attempt, Reason.LATE)
            ring.record("session@generic", Kind.WITHDRAWN, gone)
        case "gap":
            ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 1, 2, 2, (amend.attempt,)))
        case "caught up":
            ring.log_on("generic")
        case _:
            ring.report(order, "H", "4", key="2", reference_trade_key="1", cum_qty=D(0))
    assert worst(ring) == NOTHING and not ring.core.books.unsettled
    assert [event for event in ring.events() if event not in before] in ([], [(1, "trade_cancel", "CANCELED")])


def test_a_replacement_of_an_order_that_has_ended_is_a_leg_of_its_own_once_the_venue_accepts_it(ring: Ring) -> None:
    order = accepted(ring, 1, "binance", qty="5")
    replace = amends(ring, price=D(101))
    ring.report(order, "4", "4")
    ring.sent(replace, "XCN")
    assert the_order(ring).status.value == "CANCELED" and worst(ring) == AtWorst(D(5), 1)
    ring.report(replace, "0", "0", order_id="V2")
    assert (the_order(ring).status.value, the_order(ring).leaves_qty) == ("NEW", D(5))
    assert [leg.word for leg in the_order(ring).legs] == ["4", "0"] and worst(ring) == AtWorst(D(5), 1)
    ring.report(replace, "4", "4", order_id="V2")
    assert the_order(ring).is_closed and worst(ring) == NOTHING


def test_a_replacement_whose_leg_is_over_counts_nothing_once_the_other_one_is_over_too(ring: Ring) -> None:
    order = accepted(ring, 1, "binance", qty="5")
    replace = amends(ring, "XCN", order_qty=D(3), price=D(101))
    ring.report(replace, "F", "2", qty="3", key="7", order_id="V2")
    its = the_order(ring)
    assert worst(ring) == AtWorst(D(5), 1) and its.requests
    rest(ring, order, "4")
    assert its.is_closed and worst(ring) == NOTHING


@pytest.mark.parametrize("how", ["report", "cancel reject", "reject", "gap"])
def test_a_replacement_of_an_order_that_has_ended_is_refused(ring: Ring, how: str) -> None:
    order = accepted(ring, 1, "binance", qty="5")
    replace = amends(ring, price=D(101))
    ring.report(order, "4", "4")
    ring.sent(replace, "XCN")
    match how:
        case "report":
            ring.report(replace, "8", "8", order_id="")
        case "gap":
            ring.record("session@binance", Kind.GAP_FILLED, GapFilled("binance", 1, 1, 2, 2, (replace.attempt,)))
        case "reject":
            ring.told("binance", RequestRejected(3, replace.attempt, replace.cl_ord_id, -1013, "filter"))
        case _:
            ring.told("binance", CancelRejected(replace.cl_ord_id, order.cl_ord_id, "", "", -2011))
    assert the_order(ring).status.value == "CANCELED" and worst(ring) == NOTHING


def overtaken_replacement(ring: Ring) -> AmendOrder:
    """The end of the order is in the log before the replacement that the venue has not answered."""
    open_binance(ring)
    order = accepted(ring, 1, "binance", qty="5")
    replace = amends(ring, price=D(101))
    ring.report(order, "4", "4")
    ring.sent(replace, "XCN")
    return replace


@pytest.mark.parametrize("what", ["connection lost", "restart", "silence", "ambiguous"])
def test_a_replacement_that_lingers_is_asked_about_once_nobody_knows_what_became_of_it(ring: Ring, what: str) -> None:
    replace = overtaken_replacement(ring)
    match what:
        case "connection lost":
            ring.session("binance", SessionState.DISCONNECTED)
        case "ambiguous":
            ring.told("binance", RequestRejected(3, replace.attempt, replace.cl_ord_id, -1007, "timeout", True))
        case "restart":
            ring.start()
            ring.go_live()
            answer_all(ring)
            ring.pass_time(20_000)
        case _:
            ring.pass_time(20_000)
    assert the_order(ring).is_unknown and worst(ring) == AtWorst(D(5), 1)
    ring.pass_time(20_000)
    assert ("order", replace.cl_ord_id) in {(ask.what, ask.cl_ord_id) for ask in ring.asks}


def test_a_replacement_that_lingered_and_never_reached_the_venue_is_over_by_evidence(ring: Ring) -> None:
    replace = overtaken_replacement(ring)
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    not_found(ring, replace.cl_ord_id)
    its = the_order(ring)
    assert (its.status.value, worst(ring)) == ("CANCELED", NOTHING) and len(its.legs) == 1


def test_an_amendment_that_crossed_the_last_fill_is_asked_about_when_the_venue_is_silent(ring: Ring) -> None:
    open_binance(ring)
    order = accepted(ring, 1, "binance", qty="5")
    amend = amends(ring, "G", order_qty=D(8))
    ring.report(order, "F", "2", qty="5", key="1", cum_qty=D(5))
    ring.asks.clear()
    ring.pass_time(20_000)
    assert the_order(ring).lingers_unknown and the_order(ring).status.value == "FILLED"
    assert ("order", order.cl_ord_id) in {(ask.what, ask.cl_ord_id) for ask in ring.asks}
    assert amend.cl_ord_id in the_order(ring).lingering


# -- fills -----------------------------------------------------------------------------------------------------------


def test_a_trade_that_rest_tells_again_finds_the_order_that_was_not_known(ring: Ring) -> None:
    order = ring.new(1, "binance", qty="5")
    ring.sent(order)
    books = ring.core.books
    trade = Trade("BTCUSDT", "7", "X1", "1", D(2), D(100), D("0.1"), "BTC", 0)
    for told in (False, True):
        if told:
            books.unclaimed.clear()
            ring.report(order, "0", "0", order_id="X1")
            assert the_order(ring).cum_qty == 0 and not books.shares
        ring.answers(venue="binance", ask=Ask("binance", 902, "trades", "BTCUSDT"), trades=(trade,))
    assert the_order(ring).cum_qty == 2 and worst(ring) == AtWorst(D(3), 1)
    assert books.shares == {("s", "binance", "BTCUSDT"): D("1.9")}
    assert books.positions["binance", "BTCUSDT"].quantity == D("1.9")
    ring.report(order, "H", "0", key="8", reference_trade_key="7", order_id="X1")
    assert not books.shares
