"""A report that names an order and cannot be read: nothing of it counts, and the order is asked about until told."""

import msgspec
import pytest

from common.messages import (
    AmendOrder,
    AmendRequest,
    Answer,
    Ask,
    Discrepancy,
    GapFilled,
    Kind,
    OrderEvent,
    OrderStatus,
    QueryOrder,
    RestOrder,
    SessionState,
    Trade,
    Unreadable,
)
from common.orders.snapshots import dump_books, load_books
from tests.services.orders.harness import D, Ring, accepted, report

WHY = "LastQty(32) is no number"


def unreadable(cl_ord_id: str = "", order_id: str = "", orig: str = "") -> Unreadable:
    """What the session makes of it."""
    return Unreadable(cl_ord_id, orig, order_id, "BTCUSDT", WHY)


def questions(ring: Ring) -> list[QueryOrder]:
    """What was asked over FIX."""
    return [command for command in ring.commands if isinstance(command, QueryOrder)]


def last_told(ring: Ring) -> OrderEvent:
    """What the strategy was told last of an order."""
    return [event for event in ring.clients[b"p"] if isinstance(event, OrderEvent)][-1]


def differences(ring: Ring) -> list[str]:
    """The discrepancies in the log."""
    records = [r for r in ring.journal.records if r.kind == Kind.DISCREPANCY]
    return [msgspec.msgpack.decode(r.payload, type=Discrepancy).theirs for r in records]


@pytest.mark.parametrize("by", ["cl_ord_id", "orig", "order_id"])
def test_the_order_is_asked_about_over_fix_until_its_state_is_told(ring: Ring, by: str) -> None:
    ring.open("generic")
    order = accepted(ring, 1)
    ring.commands.clear()
    name = f"V{order.cl_ord_id}" if by == "order_id" else order.cl_ord_id
    ring.told("generic", unreadable(**{by: name}))
    ring.pass_time(100)
    (asked,) = questions(ring)
    assert asked.cl_ord_id == order.cl_ord_id and differences(ring) == [WHY]
    held = ring.core.books.orders["s", 1]
    assert held.in_doubt and held.cum_qty == 0 and not held.is_closed
    ring.pass_time(9000)
    assert len(questions(ring)) > 1, "silence is no answer"
    ring.report(order, "I", "1", cum_qty=D("0.5"), leaves_qty=D("0.5"))
    assert not held.in_doubt


def test_an_answer_that_was_resent_ends_no_doubt(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.told("generic", unreadable(order.cl_ord_id))
    ring.told("generic", report(order, "I", "0"), poss_dup=True)
    assert ring.core.books.orders["s", 1].in_doubt


def test_a_fill_that_could_not_be_read_is_found_over_rest(ring: Ring) -> None:
    ring.log_on("binance")
    order = accepted(ring, 1, "binance")
    for ask in ring.asks:
        ring.answers(venue="binance", ask=ask)
    ring.pass_time(100)
    ring.asks.clear()
    ring.told("binance", unreadable(order.cl_ord_id))
    ring.pass_time(100)
    (ask,) = [ask for ask in ring.asks if ask.what == "order"]
    told = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "1", D(1), D(100), D("0.4"))
    ring.answers(venue="binance", ask=ask, order=told)
    ring.pass_time(1000)
    (ask,) = [ask for ask in ring.asks if ask.what == "trades" and ask.order_id]
    trade = Trade("BTCUSDT", "7", f"V{order.cl_ord_id}", "1", D("0.4"), D(100), D(0), "", 0)
    ring.answers(venue="binance", ask=ask, trades=(trade,))
    assert ring.core.books.orders["s", 1].cum_qty == D("0.4")
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D("0.4")
    assert not ring.core.books.orders["s", 1].in_doubt


def test_an_order_that_is_closed_is_asked_about_too_and_after_a_restart(ring: Ring) -> None:
    ring.log_on("binance")
    order = accepted(ring, 1, "binance")
    ring.report(order, "4", "4")
    ring.told("binance", unreadable(order.cl_ord_id))
    ring.asks.clear()
    ring.start()
    ring.go_live()
    for ask in list(ring.asks):
        ring.answers(venue="binance", ask=ask)
    ring.pass_time(1000)
    assert [ask.cl_ord_id for ask in ring.asks if ask.what == "order"] == [order.cl_ord_id]


def test_a_doubt_is_in_the_snapshot(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.told("generic", unreadable(order.cl_ord_id))
    books = ring.core.books
    facts = {name: venue.facts for name, venue in ring.settings.accounts.items()}
    loaded = load_books(dump_books(books), facts)
    assert loaded.orders["s", 1].in_doubt


def test_an_answer_that_was_asked_for_before_does_not_count(ring: Ring) -> None:
    ring.log_on("binance")
    order = accepted(ring, 1, "binance")
    asked_lsn = ring.core.books.lsn
    ring.told("binance", unreadable(order.cl_ord_id))
    told = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "0", D(1), D(100), D(0))
    ask = Ask("binance", 1, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=asked_lsn)
    ring.record("account@binance", Kind.ANSWER, Answer("binance", ask, False, order=told))
    assert ring.core.books.orders["s", 1].in_doubt


def test_one_that_names_no_order_of_ours_in_memory_is_a_difference(ring: Ring) -> None:
    ring.session("generic", SessionState.CONNECTING)
    ring.told("generic", unreadable("somebody-else"))
    assert differences(ring) == [WHY]


def test_what_the_venue_answered_unreadably_and_then_does_not_know_came_to_nothing(ring: Ring) -> None:
    ring.open("generic")
    order = ring.new(1)
    ring.sent(order)
    ring.report(order, "I", "8", unknown_order=True, order_id="")
    assert not ring.core.books.orders["s", 1].is_closed, "nothing shows that it had been read"
    ring.told("generic", unreadable(order.cl_ord_id))
    assert ring.core.books.orders["s", 1].is_unknown
    ring.report(order, "I", "8", unknown_order=True, order_id="")
    assert ring.core.books.orders["s", 1].status is OrderStatus.VOID


@pytest.mark.parametrize("accepted_it", [True, False])
def test_an_amendment_that_was_answered_unreadably_is_settled_by_the_status(ring: Ring, accepted_it: bool) -> None:
    ring.open("generic")
    order = accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, order_qty=D(2)))
    amend = ring.last(AmendOrder)
    ring.sent(amend)
    ring.told("generic", unreadable(amend.cl_ord_id, orig=order.cl_ord_id))
    held = ring.core.books.orders["s", 1]
    assert held.is_unknown
    name, qty = (amend.cl_ord_id, D(2)) if accepted_it else (order.cl_ord_id, D(1))
    ring.report(order, "I", "0", cl_ord_id=name, order_qty=qty)
    assert not held.requests and (held.legs[0].cl_ord_id, held.order_qty) == (name, qty)
    assert held.status is OrderStatus.NEW


def test_an_order_that_ended_and_that_the_venue_does_not_know_is_asked_about_no_longer(ring: Ring) -> None:
    ring.log_on("binance")
    order = accepted(ring, 1, "binance")
    ring.report(order, "4", "4")
    ring.told("binance", unreadable(order.cl_ord_id))
    ask = Ask("binance", 1, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, not_found=True)
    assert not ring.core.books.orders["s", 1].in_doubt


def test_many_in_doubt_are_each_asked_about_in_turn(ring: Ring) -> None:
    ring.log_on("binance")
    for ask in list(ring.asks):
        ring.answers(venue="binance", ask=ask)
    orders = [accepted(ring, number, "binance") for number in range(1, 12)]
    ring.asks.clear()
    for order in orders:
        ring.told("binance", unreadable(order.cl_ord_id))
    asked: set[str] = set()
    for _ in range(6):
        ring.pass_time(600)
        for ask in list(ring.asks):
            asked.add(ask.cl_ord_id)
            ring.answers(venue="binance", ask=ask, failed=True)
        ring.asks.clear()
    assert {order.cl_ord_id for order in orders} <= asked


def test_a_gap_fill_ends_nothing_that_the_venue_has_said_anything_of(ring: Ring) -> None:
    """It has received what it speaks of, whatever it asks for afterwards."""
    order = ring.new(1)
    ring.sent(order)
    ring.told("generic", unreadable(order.cl_ord_id))
    ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 2, 1, 1, (order.attempt,)))
    held = ring.core.books.orders["s", 1]
    assert held.status is OrderStatus.UNKNOWN and held.in_doubt


def test_nor_an_amendment(ring: Ring) -> None:
    ring.open("generic")
    order = accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, order_qty=D(2)))
    amend = ring.last(AmendOrder)
    ring.sent(amend)
    ring.told("generic", unreadable(amend.cl_ord_id, orig=order.cl_ord_id))
    ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 2, 1, 9, (amend.attempt,)))
    assert amend.cl_ord_id in ring.core.books.orders["s", 1].requests


def test_what_a_replaced_order_has_left_is_told_once_rest_says_that_its_first_leg_has_ended(ring: Ring) -> None:
    ring.log_on("binance")
    order = accepted(ring, 1, "binance")
    ring.request(AmendRequest(0, 2, 1, order_qty=D(2)))
    amend = ring.last(AmendOrder)
    ring.sent(amend, "XCN")
    ring.told("binance", unreadable(order.cl_ord_id, order_id=f"V{order.cl_ord_id}"))
    ring.report(order, "0", "0", cl_ord_id=amend.cl_ord_id, order_id="N", order_qty=D(2))
    assert last_told(ring).leaves_qty == D(3)
    ask = Ask("binance", 1, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
    ended = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "4", D(1), D(100), D(0))
    ring.answers(venue="binance", ask=ask, order=ended)
    assert (last_told(ring).status, last_told(ring).leaves_qty) == (OrderStatus.NEW, D(2))
    assert differences(ring)[-1] == "NEW, 0 of 1 filled, 2 left at 100"


@pytest.mark.parametrize("heard_since", [False, True])
def test_an_order_that_is_not_among_all_open_ones_is_asked_about_until_the_venue_tells(
    ring: Ring, heard_since: bool
) -> None:
    """It was over since a cancel whose report nobody heard, and the one question about it had failed (seed 3886)."""
    ring.log_on("binance")
    for ask in list(ring.asks):
        ring.answers(venue="binance", ask=ask)
    ring.session("binance", SessionState.OPENED)
    order = accepted(ring, 1, "binance")
    asked_lsn = ring.core.books.lsn - heard_since
    ring.asks.clear()
    ring.answers(venue="binance", ask=Ask("binance", 902, "open_orders", "BTCUSDT", asked_lsn=asked_lsn))
    held = ring.core.books.orders["s", 1]
    assert held.in_doubt is not heard_since
    ring.pass_time(2000)
    asked = [ask for ask in ring.asks if ask.what == "order" and ask.cl_ord_id == order.cl_ord_id]
    assert bool(asked) is not heard_since
    if asked:
        over = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "4", D(1), D(100), D(0))
        ring.answers(venue="binance", ask=asked[-1], order=over)
        assert held.status is OrderStatus.CANCELED and not held.in_doubt


def test_an_order_that_is_among_all_open_ones_is_not_asked_about(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    there = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "0", D(1), D(100), D(0))
    ask = Ask("binance", 902, "open_orders", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, orders=(there,))
    assert not ring.core.books.orders["s", 1].in_doubt
