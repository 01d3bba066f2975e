"""A venue's gate, the questions before it, and the orders of a session that stays away."""

import pytest
from msgspec import structs

from common.instant import NS_PER_MS
from common.messages import (
    CancelOrder,
    CancelRejected,
    CancelRequest,
    Kind,
    OpenGate,
    QueryOrder,
    Reason,
    Refused,
    SessionState,
)
from services.orders.inquiries import REFUSED_NS
from tests.services.orders.harness import Ring, accepted, settings


def open_at_binance(ring: Ring) -> None:
    """The order manager is live, and the gate at the venue that is asked over REST is open."""
    ring.go_live()
    ring.log_on("binance")
    for ask in ring.asks:
        ring.answers(venue="binance", ask=ask)
    ring.session("binance", SessionState.OPENED)
    ring.hello()


def test_reconciliation_asks_for_every_open_order_before_the_gate_opens(ring: Ring) -> None:
    first, second = accepted(ring, 1), ring.new(2)
    ring.sent(second)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.commands.clear()
    ring.log_on("generic")
    ring.pass_time(100)
    queries = [c for c in ring.commands if isinstance(c, QueryOrder)]
    assert [query.cl_ord_id for query in queries] == [first.cl_ord_id, second.cl_ord_id]
    for query in queries:
        ring.sent(query)
    ring.report(first, "I", "0")
    assert not any(isinstance(c, OpenGate) for c in ring.commands)
    ring.report(second, "I", "8", unknown_order=True)
    assert ring.core.books.orders["s", 2].status.value == "VOID"
    ring.pass_time(250)
    assert ring.last(OpenGate).connection == ring.connections["generic"]
    ring.session("generic", SessionState.OPENED)
    ring.commands.clear()
    ring.pass_time(1000)
    assert not any(isinstance(c, OpenGate) for c in ring.commands)


def test_a_refused_query_is_asked_again(ring: Ring) -> None:
    accepted(ring, 1)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.log_on("generic")
    query = ring.last(QueryOrder)
    refused = Refused("session@generic", Reason.SESSION_RATE, "", "", 0, query.attempt, query)
    ring.record("session@generic", Kind.REFUSED, refused)
    ring.pass_time(100)
    # At once it would be refused again, a hundred times a second, and every attempt counts in the rate.
    assert ring.last(QueryOrder).attempt == query.attempt
    ring.pass_time(REFUSED_NS // NS_PER_MS)
    assert ring.last(QueryOrder).attempt != query.attempt
    asked = [c for c in ring.commands if isinstance(c, QueryOrder)]
    assert len(asked) == 2


def test_orphans_are_cancelled_over_rest() -> None:
    ring = Ring(settings(orphan_ns=2_000_000_000))
    open_at_binance(ring)
    accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.pass_time(1500)
    assert not any(ask.what == "cancel_all" for ask in ring.asks)
    ring.pass_time(1000)
    assert any(ask.what == "cancel_all" and ask.symbol == "BTCUSDT" for ask in ring.asks)


@pytest.mark.parametrize("by_rest", [True, False])
def test_a_cancel_that_finds_the_session_s_orders_alone_goes_over_rest_as_well(by_rest: bool) -> None:
    """Only where "no such order" says nothing of what another session has placed; elsewhere it is asked about."""
    shipped = settings()
    binance = shipped.accounts["binance"]
    ways = structs.replace(binance.ways, cancels_by_rest=by_rest)
    ring = Ring(structs.replace(shipped, accounts={"binance": structs.replace(binance, ways=ways)}))
    open_at_binance(ring)
    order = accepted(ring, 1, "binance")
    ring.request(CancelRequest(ring.epoch, 2, 1))
    ring.asks.clear()
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    ring.told("binance", CancelRejected(cancel.cl_ord_id, "", "", "", 101, "Unknown order", unknown_order=True))
    ring.pass_time(200)
    cancels = [(ask.symbol, ask.order_id) for ask in ring.asks if ask.what == "cancel"]
    assert cancels == ([("BTCUSDT", f"V{order.cl_ord_id}")] if by_rest else [])
    assert order.cl_ord_id in {ask.cl_ord_id for ask in ring.asks if ask.what == "order"}, "and it is asked about"


def test_numbers_that_the_venue_skipped_in_a_session_at_work_are_a_question_about_whatever_is_open(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.commands.clear()
    ring.pass_time(500)
    assert ring.commands == []
    ring.session("generic", SessionState.NUMBERS_SET)
    ring.pass_time(100)
    assert [c.cl_ord_id for c in ring.commands if isinstance(c, QueryOrder)] == [order.cl_ord_id]


def test_when_the_kill_switch_has_ended_whatever_the_books_have_open_is_asked_about(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.commands.clear()
    ring.session("generic", SessionState.LATCHED)
    ring.pass_time(500)
    assert ring.commands == []
    ring.session("generic", SessionState.UNLATCHED)
    ring.pass_time(100)
    assert [c.cl_ord_id for c in ring.commands if isinstance(c, QueryOrder)] == [order.cl_ord_id]
