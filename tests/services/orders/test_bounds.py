"""Every table of the order manager has a bound; what is beyond it is refused, or forgotten in a way that shows."""

import pytest

from common.messages import (
    Ask,
    CommandOutcome,
    NewOrderRequest,
    OpenGate,
    OrderEvent,
    QueryOrder,
    Reason,
    RequestRejected,
    RestOrder,
    SessionState,
    Terms,
    Trade,
)
from common.orders import books
from services.orders import attempts, clients, inquiries
from tests.services.orders.harness import D, Ring, accepted


def last_seen(ring: Ring) -> tuple[int, int]:
    """The last event that strategy "s" was told."""
    return max((e.lsn, e.index) for e in ring.clients[b"p"] if isinstance(e, OrderEvent | CommandOutcome))


def test_what_is_in_flight_is_bounded(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_IN_FLIGHT", 2)
    first = ring.new(1)
    ring.new(2)
    ring.request(NewOrderRequest(0, 3, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.clients[b"p"][-1].reason is Reason.QUEUE_FULL
    ring.sent(first)
    ring.new(4)


def test_a_ring_that_ran_over_is_resumed_only_from_where_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "RING_EVENTS", 4)
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    accepted(ring, 1)
    seen = last_seen(ring)
    order = accepted(ring, 2)
    for key in "abcd":
        ring.report(order, "F", "1", qty="0.1", key=key)
    newest = last_seen(ring)
    assert not ring.hello(peer=b"q", last=seen).resumed
    assert ring.hello(peer=b"r", last=newest).resumed


def test_the_strategy_that_is_quiet_for_longest_is_told_the_state_when_it_is_back(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "STRATEGIES", 2)
    accepted(ring, 1)
    seen = last_seen(ring)
    ring.hello("second", b"2")
    ring.hello("s", b"p", seen)
    ring.hello("third", b"3")
    assert ring.hello("s", b"p", seen).resumed, "the second was quiet for longer"
    ring.hello("second", b"2")
    assert not ring.hello("third", b"3", (1, 0)).resumed


def test_the_superseded_are_remembered_within_bounds(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "STRATEGIES", 2)
    for peer in (b"a", b"b", b"c", b"d"):
        ring.hello("s", peer)
    order = NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)))
    ring.request(order, b"c")
    assert ring.clients[b"c"][-1].state == "superseded"
    ring.request(order, b"d")
    assert ring.commands[-1].number == 1


def test_strangers_orders_and_fills_are_kept_within_bounds(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "EXTERNAL_ORDERS", 2)
    told = [RestOrder("BTCUSDT", str(n), f"x{n}", "1", "0", D(1), D(100), D(0)) for n in range(3)]
    ring.answers(venue="binance", ask=Ask("binance", 90, "open_orders", "BTCUSDT"), orders=tuple(told))
    assert [order_id for _, _, order_id in ring.core.books.externals] == ["1", "2"]
    fills = tuple(Trade("BTCUSDT", f"9{n}", f"7{n}", "1", D("0.1"), D(100), D(0), "", 0) for n in range(3))
    ring.answers(venue="binance", ask=Ask("binance", 91, "trades", "BTCUSDT"), trades=fills)
    assert len(ring.core.books.unclaimed) == 2
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity == D("0.3")


def test_questions_over_fix_go_so_many_at_a_time(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiries, "QUERIES_UNDER_WAY", 2)
    orders = [accepted(ring, number) for number in range(1, 5)]
    ring.session("generic", SessionState.DISCONNECTED)
    ring.commands.clear()
    ring.log_on("generic")
    ring.pass_time(100)
    asked = [c for c in ring.commands if isinstance(c, QueryOrder)]
    assert [query.cl_ord_id for query in asked] == [order.cl_ord_id for order in orders[:2]]
    for order in orders[:2]:
        ring.report(order, "I", "0")
    ring.pass_time(100)
    asked = [c for c in ring.commands if isinstance(c, QueryOrder)]
    assert [query.cl_ord_id for query in asked] == [order.cl_ord_id for order in orders]


def test_a_question_that_the_venue_rejects_is_not_asked_for_ever(ring: Ring) -> None:
    accepted(ring, 1)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.commands.clear()
    ring.log_on("generic")
    ring.pass_time(100)
    query = ring.last(QueryOrder)
    ring.sent(query)
    assert not any(isinstance(c, OpenGate) for c in ring.commands)
    ring.told("generic", RequestRejected(1, query.attempt, "", 3, "Unsupported message type"))
    ring.pass_time(100)
    assert ring.last(OpenGate).connection == ring.connections["generic"]
    assert len([c for c in ring.commands if isinstance(c, QueryOrder)]) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_a_question_rejected_under_the_orders_name_says_nothing_of_the_order(ring: Ring, heard: bool) -> None:
    order = ring.new(1)
    ring.sent(order)
    if heard:
        ring.report(order, "0", "0")
    ring.session("generic", SessionState.DISCONNECTED)
    ring.log_on("generic")
    ring.pass_time(100)
    query = ring.last(QueryOrder)
    ring.sent(query)
    status = ring.core.books.orders["s", 1].status
    for ambiguous in (True, False):
        rejected = RequestRejected(1, query.attempt, order.cl_ord_id, 3, "not available", ambiguous)
        ring.told("generic", rejected)
        assert ring.core.books.orders["s", 1].status is status
    ring.told("generic", RequestRejected(1, order.attempt, order.cl_ord_id, 3, "no such symbol"))
    assert ring.core.books.orders["s", 1].status.value == ("NEW" if heard else "REJECTED")


@pytest.mark.parametrize("key", ["\u00b2", "9" * 5_000, "\u0663"])
def test_a_trade_identity_that_is_no_number_is_not_taken_for_one(ring: Ring, key: str) -> None:
    order = accepted(ring, 1, "binance")
    ring.report(order, "F", "1", qty="0.5", key=key)
    assert ring.core.books.account("binance").last_trade_keys == {}
    assert ring.core.books.orders["s", 1].cum_qty == D("0.5")


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "1E999999", "1E-999999", "1E65"])
@pytest.mark.parametrize("field", ["last_qty", "last_px", "fee_qty", "cum_qty", "order_qty", "price"])
@pytest.mark.parametrize("exec_type", ["F", "G", "5", "I"])
def test_no_number_of_a_venue_stops_the_fold(ring: Ring, odd: str, field: str, exec_type: str) -> None:
    order = accepted(ring, 1, "binance")
    fields = {"last_qty": D("0.1"), "last_px": D(100), "key": "7", field: D(odd)}
    ring.report(order, exec_type, "1", reference_trade_key="5" if exec_type == "G" else "", **fields)
    ring.report(order, "F", "1", qty="0.1", key="8", cum_qty=D("0.2"))
    ring.report(order, "F", "1", qty="0.1", key="9", cum_qty=D("0.3"))
    leg = ring.core.books.orders["s", 1].leg
    assert leg.order_qty == D(1) and leg.told_cum_qty == D("0.3")
    assert ring.core.books.positions["binance", "BTCUSDT"].quantity in (D("0.2"), D("0.3"))


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity", "1E999999"])
def test_no_number_of_rest_stops_the_fold(ring: Ring, odd: str) -> None:
    order = accepted(ring, 1, "binance")
    order_id = f"V{order.cl_ord_id}"
    ask = Ask("binance", 90, "open_orders", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    told = RestOrder("BTCUSDT", order_id, order.cl_ord_id, "1", "1", D(odd), D(odd), D(odd))
    ring.answers(venue="binance", ask=ask, orders=(told,))
    ask = Ask("binance", 91, "trades", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, trades=(Trade("BTCUSDT", "5", order_id, "1", D(odd), D(1), D(0), "", 0),))
    assert ring.core.books.orders["s", 1].leaves_qty == D(1)
