"""What the venue says of an order, over FIX and over REST, when it is not the plain answer to what was sent."""

import pytest

from common.messages import (
    AmendOrder,
    AmendRequest,
    Ask,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    GapFilled,
    Kind,
    OrderEvent,
    QueryOrder,
    RequestRejected,
    RestOrder,
    SessionState,
    Trade,
)
from common.orders import over_rest
from tests.services.orders.harness import D, Ring, accepted


def rest(ring: Ring, order: RestOrder, *, asked_lsn: int | None = None) -> None:
    """REST tells an order among the open ones, asked for now."""
    lsn = ring.core.books.lsn if asked_lsn is None else asked_lsn
    ask = Ask("binance", 900, "open_orders", "BTCUSDT", asked_lsn=lsn)
    ring.answers(venue="binance", ask=ask, orders=(order,), venue_ns=ring.journal.stamp_ns)


def differences(ring: Ring) -> int:
    return sum(record.kind == Kind.DISCREPANCY for record in ring.journal.records)


def status(ring: Ring, number: int = 1) -> str:
    return ring.core.books.orders["s", number].status.value


def test_an_ambiguous_rejection_in_a_report_leaves_the_order_unknown_once(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    for _ in range(2):
        ring.report(order, "8", "8", ambiguous=True, order_id="")
    assert status(ring) == "UNKNOWN"
    assert [event for event in ring.events() if event[1] == "unknown"] == [(1, "unknown", "UNKNOWN")]


def test_an_ambiguous_rejection_of_a_cancel_leaves_the_cancel_unknown(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    ring.told("generic", CancelRejected(cancel.cl_ord_id, order.cl_ord_id, "", "", ambiguous=True))
    assert ring.core.books.orders["s", 1].requests[cancel.cl_ord_id].unknown
    assert status(ring) == "PENDING_CANCEL"


def test_an_order_that_a_foreign_cancel_finds_unknown_is_asked_about(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.commands.clear()
    ring.told("generic", CancelRejected("K2-3", order.cl_ord_id, "", "", unknown_order=False))
    ring.pass_time(100)
    assert not ring.commands
    ring.told("generic", CancelRejected("K2-3", order.cl_ord_id, "", "", unknown_order=True))
    ring.pass_time(100)
    assert [c.cl_ord_id for c in ring.commands if isinstance(c, QueryOrder)] == [order.cl_ord_id]
    assert status(ring) == "NEW"


def test_a_rejection_from_another_venue_touches_nothing(ring: Ring) -> None:
    order = accepted(ring, 1)
    before = ring.events()
    ring.told("binance", CancelRejected("x", order.cl_ord_id, "", ""))
    ring.told("binance", RequestRejected(1, None, order.cl_ord_id))
    assert ring.events() == before and status(ring) == "NEW"


def test_an_amendment_that_the_session_s_reject_names_is_refused(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, price=D(101)))
    amend = ring.last(AmendOrder)
    ring.sent(amend)
    ring.told("generic", RequestRejected(1, amend.attempt, amend.cl_ord_id, 1, "no"))
    assert ring.events()[-1] == (1, "cancel_rejected", "NEW")
    ring.told("generic", RequestRejected(1, amend.attempt, amend.cl_ord_id, 1, "no"))
    assert status(ring) == "NEW"


def test_an_order_that_is_not_sent_yet_or_never_was_is_not_amended(ring: Ring) -> None:
    ring.new(1)
    ring.request(AmendRequest(0, 2, 1, price=D(101)))
    assert ring.clients[b"p"][-1].reason.name == "REQUEST_PENDING"
    ring.request(AmendRequest(0, 3, 77, price=D(101)))
    assert ring.clients[b"p"][-1].reason.name == "UNKNOWN_ORDER"


def test_a_venue_that_no_longer_knows_a_resting_order_is_not_believed(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.log_on("generic")
    query = ring.last(QueryOrder)
    ring.sent(query)
    before = differences(ring)
    ring.report(order, "I", "8", unknown_order=True)
    assert differences(ring) == before + 1
    assert status(ring) == "NEW"


def test_an_answer_over_fix_settles_a_cancel_of_the_connection_before(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    first = ring.last(CancelOrder)
    ring.sent(first)
    ring.session("generic", SessionState.DISCONNECTED)
    assert ring.core.books.orders["s", 1].requests[first.cl_ord_id].unknown
    ring.log_on("generic")
    ring.sent(ring.last(QueryOrder))
    ring.report(order, "I", "0")
    assert first.cl_ord_id not in ring.core.books.orders["s", 1].requests


def test_rest_tells_of_an_order_by_its_order_id(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    order_id = f"V{order.cl_ord_id}"
    before = differences(ring)
    rest(ring, RestOrder("BTCUSDT", order_id, "renamed", "1", "1", D(1), D(100), D("0.5")))
    assert ring.core.books.orders["s", 1].legs[0].filled_qty == D("0.5") and differences(ring) == before + 1
    rest(ring, RestOrder("BTCUSDT", order_id, "renamed", "1", "1", D(1), D(100), D("0.75")), asked_lsn=1)
    assert ring.core.books.orders["s", 1].legs[0].filled_qty == D("0.5"), "asked before the order was last touched"


def test_a_stranger_s_order_over_rest_is_shown_while_it_is_open(ring: Ring) -> None:
    before = differences(ring)
    rest(ring, RestOrder("BTCUSDT", "99", "by-hand", "1", "4", D(1), D(100), D(0)))
    assert differences(ring) == before and not ring.core.books.externals
    for _ in range(2):
        rest(ring, RestOrder("BTCUSDT", "99", "by-hand", "1", "0", D(1), D(100), D(0)))
    assert differences(ring) == before + 1 and len(ring.core.books.externals) == 1


def test_an_order_taken_for_void_that_rest_knows_lives_again(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    gap = GapFilled("binance", 1, 1, 1, 1, (order.attempt,))
    ring.record("session@binance", Kind.GAP_FILLED, gap)
    assert status(ring) == "VOID"
    rest(ring, RestOrder("BTCUSDT", "55", order.cl_ord_id, "1", "0", D(1), D(100), D(0)))
    assert status(ring) == "NEW"


def test_a_single_answer_that_says_nothing_settles_nothing(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    before = ring.events()
    ask = Ask("binance", 901, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask)
    assert ring.events() == before
    ring.answers(venue="binance", ask=ask, not_found=True)
    assert status(ring) == "NEW" and differences(ring) == 1
    never = Ask("binance", 902, "order", "BTCUSDT", "never", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=never, not_found=True)
    assert differences(ring) == 1


def test_a_page_of_trades_that_is_full_leaves_the_gap_open_from_its_end(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over_rest, "TRADES_PAGE", 2)
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    page = tuple(Trade("BTCUSDT", str(key), "77", "1", D("0.1"), D(100), D(0), "", 0) for key in (5, 6))
    lsn = ring.core.books.lsn
    ring.answers(venue="binance", ask=Ask("binance", 903, "trades", "BTCUSDT", asked_lsn=lsn), trades=page)
    assert ring.core.books.accounts["binance"].gaps["BTCUSDT"] == "6"
    lsn = ring.core.books.lsn
    ring.answers(venue="binance", ask=Ask("binance", 905, "open_orders", "BTCUSDT", asked_lsn=lsn))
    ask = Ask("binance", 904, "trades", "BTCUSDT", from_trade_key="6", asked_lsn=lsn)
    ring.answers(venue="binance", ask=ask, trades=page[1:])
    assert "BTCUSDT" not in ring.core.books.accounts["binance"].gaps


def test_the_trades_of_one_order_do_not_hide_what_was_missed_before_them(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    ring.report(order, "F", "1", qty="0.1", key="3", cum_qty=D("0.1"))
    # Nothing is heard on the connection any more, and nobody knows it yet: trade 4, somebody else's, was missed.
    ask = Ask("binance", 905, "trades", "BTCUSDT", order_id="77", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, trades=(Trade("BTCUSDT", "7", "77", "1", D("0.1"), D(100), D(0), "", 0),))
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    assert [ask.from_trade_key for ask in ring.asks if ask.what == "trades" and not ask.order_id][-1] == "3"


def test_a_corrected_price_moves_money_and_no_quantity(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.5", px="100", key="a")
    ring.report(order, "G", "1", qty="0.5", px="110", key="b", reference_trade_key="a")
    position = ring.core.books.positions["generic", "BTCUSDT"]
    assert (position.quantity, position.average_price, position.cash) == (D("0.5"), D(110), D(-55))
    sale = accepted(ring, 2, side="2")
    ring.report(sale, "F", "1", qty="0.5", px="120", key="c")
    assert position.realised_profit == D(5)
    ring.report(sale, "G", "1", qty="0.5", px="118", key="d", reference_trade_key="c")
    assert (position.quantity, position.realised_profit) == (D(0), D(4))


def test_an_order_that_is_done_for_the_day_is_told_open_until_it_ends(ring: Ring) -> None:
    order = accepted(ring, 1)
    for word, ord_status in (("3", "3"), ("D", "0"), ("3", "3"), ("4", "4")):
        ring.report(order, word, ord_status)
    told = [(event.status.value, event.open) for event in ring.clients[b"p"] if isinstance(event, OrderEvent)]
    assert told[-4:] == [("DONE_FOR_DAY", True), ("NEW", True), ("DONE_FOR_DAY", True), ("CANCELED", False)]


def test_a_cancel_of_an_order_that_is_done_for_the_day_is_sent(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "3", "3")
    ring.request(CancelRequest(0, 2, 1))
    assert ring.last(CancelOrder).orig_cl_ord_id == order.cl_ord_id
