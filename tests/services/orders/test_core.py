"""The order manager's promises, each as a schedule of records: one outcome a command, and never another one."""

from typing import Any

from common.messages import (
    AmendOrder,
    AmendRequest,
    Ask,
    Attempt,
    CancelRejected,
    GapFilled,
    Kind,
    NewOrder,
    NewOrderRequest,
    OrderEvent,
    Reason,
    Refused,
    RequestRejected,
    RestOrder,
    SessionState,
    Terms,
    Trade,
    Withdrawn,
)
from common.orders.fold import Fold
from common.orders.snapshots import dump_books, load_books
from tests.services.orders.harness import D, Ring, accepted, report

# ---- a command's outcome ----


def test_an_order_is_sent_acknowledged_and_filled(ring: Ring) -> None:
    command = ring.new(1)
    assert ring.outcomes() == []
    ring.sent(command)
    ring.report(command, "0", "0")
    ring.report(command, "F", "1", qty="0.4", key="t1")
    ring.report(command, "F", "2", qty="0.6", key="t2", px="110")
    assert ring.outcomes() == [(1, "sent")]
    assert ring.events() == [
        (1, "pending_new", "PENDING_NEW"),
        (1, "new", "NEW"),
        (1, "trade", "PARTIALLY_FILLED"),
        (1, "trade", "FILLED"),
    ]
    position = ring.positions()[-1]
    assert (position.quantity, position.average_price) == (D("1.0"), D("106"))


def test_a_refusal_by_risk_is_the_outcome(ring: Ring) -> None:
    command = ring.new(1)
    refused = Refused("risk", Reason.PRICE_COLLAR, "too far", "s", 1, command.attempt, command)
    ring.record("risk", Kind.REFUSED, refused)
    assert ring.outcomes() == [(1, "refused")]
    ring.sent(command)
    assert ring.outcomes() == [(1, "refused")], "nothing logged later changes it"


def test_a_stamp_past_the_deadline_expires_what_is_not_in_the_log(ring: Ring) -> None:
    ring.new(1)
    ring.pass_time(900)
    assert ring.outcomes() == []
    ring.pass_time(300)
    assert ring.outcomes() == [(1, "expired")]
    assert ring.journal.records[-1].kind in (1, Kind.EXPIRED)
    assert any(record.kind == Kind.EXPIRED for record in ring.journal.records)


def test_an_event_has_the_same_name_whoever_has_waited_for_what_expires_with_its_record(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.journal.stamp_ns = ring.new(2).deadline_ns + 1
    ring.report(order, "F", "1", qty="0.4", key="t1")

    def fills() -> list[OrderEvent]:
        return [m for m in ring.clients[b"p"] if isinstance(m, OrderEvent) and m.event == "trade"]

    told, before = fills(), (ring.journal.records[0].lsn, 0)
    ring.start()
    assert ring.hello(last=before).resumed
    assert fills() == told != []


def test_an_outbound_record_after_the_deadline_is_void(ring: Ring) -> None:
    command = ring.new(1)
    ring.pass_time(1200)
    ring.sent(command)
    assert ring.outcomes() == [(1, "expired")]
    assert ring.core.books.open_count() == 0


def test_an_outbound_record_that_itself_bears_the_late_stamp_is_void(ring: Ring) -> None:
    command = ring.new(1)
    ring.journal.stamp_ns = command.deadline_ns + 1
    ring.sent(command)
    assert ring.outcomes() == [(1, "expired")]
    assert ring.core.books.open_count() == 0


def test_at_the_deadline_itself_it_is_sent(ring: Ring) -> None:
    command = ring.new(1)
    ring.journal.stamp_ns = command.deadline_ns
    ring.sent(command)
    assert ring.outcomes() == [(1, "sent")]


def test_a_withdrawal_ends_what_was_sent(ring: Ring) -> None:
    command = ring.new(1)
    ring.sent(command)
    ring.record(
        "session@generic",
        Kind.WITHDRAWN,
        Withdrawn("generic", 1, 1, 1, command.attempt, Reason.CONNECTION_LOST),
    )
    assert ring.outcomes() == [(1, "sent"), (1, "withdrawn")]
    assert ring.events()[-1] == (1, "withdrawn", "WITHDRAWN")


# ---- restart ----


def test_the_replayed_state_is_the_one_that_was(ring: Ring) -> None:
    accepted(ring, 1)
    filled = accepted(ring, 2, side="2")
    ring.report(filled, "F", "1", qty="0.25", key="x")
    before = ring.core.books.digest()
    ring.start()
    assert ring.core.books.digest() == before


# ---- amendments ----


def replaced(ring: Ring) -> tuple[NewOrder, AmendOrder]:
    """An XCN under way at binance: 1 at 100 becomes 1 at 101."""
    order = accepted(ring, 1, "binance")
    ring.request(AmendRequest(0, 2, 1, price=D(101)))
    amend = ring.last(AmendOrder)
    ring.sent(amend, "XCN")
    return order, amend


def test_a_cancel_and_new_order_counts_both_until_both_are_answered(ring: Ring) -> None:
    order, amend = replaced(ring)
    assert ring.clients[b"p"][-1].leaves_qty == D(2)
    ring.report(order, "4", "4", cl_ord_id=amend.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    assert ring.events()[-1] == (1, "canceled", "PENDING_REPLACE")
    ring.report(amend, "0", "0")
    last = ring.clients[b"p"][-1]
    assert (last.event, last.status.value, last.price, last.leaves_qty) == ("replaced", "NEW", D(101), D(1))


def test_a_cancel_and_new_order_whose_new_half_is_rejected_leaves_a_cancelled_order(ring: Ring) -> None:
    order, amend = replaced(ring)
    ring.report(order, "4", "4", cl_ord_id=amend.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    ring.report(amend, "8", "8", order_id="", text="insufficient balance")
    assert ring.events()[-1] == (1, "rejected", "CANCELED")


def test_a_cancel_and_new_order_whose_cancel_is_rejected_leaves_the_order_as_it_was(ring: Ring) -> None:
    order, amend = replaced(ring)
    ring.told("binance", CancelRejected(amend.cl_ord_id, order.cl_ord_id, "", "", -2011, "partially filled"))
    last = ring.clients[b"p"][-1]
    assert (last.event, last.status.value, last.price, last.leaves_qty) == ("cancel_rejected", "NEW", D(100), D(1))


def test_a_late_rejection_of_the_new_half_does_not_touch_the_old_order(ring: Ring) -> None:
    order, amend = replaced(ring)
    ring.report(amend, "8", "8", order_id="", text="filter")
    assert ring.events()[-1] == (1, "rejected", "NEW")
    ring.report(amend, "8", "8", order_id="", text="filter")
    assert ring.core.books.orders["s", 1].status.value == "NEW"


def test_an_amendment_that_keeps_the_name_is_rejected_under_the_order_s_own(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    ring.request(AmendRequest(0, 2, 1, order_qty=D("0.5")))
    ring.sent(ring.last(AmendOrder), "XAK")
    ring.told("binance", CancelRejected(order.cl_ord_id, order.cl_ord_id, "", "", -2038, "no"))
    assert ring.events()[-1] == (1, "cancel_rejected", "NEW")


# ---- unknown, and evidence ----


def test_a_lost_connection_makes_unanswered_orders_unknown(ring: Ring) -> None:
    answered, silent = accepted(ring, 1), ring.new(2)
    ring.sent(silent)
    ring.session("generic", SessionState.DISCONNECTED)
    assert ring.events()[-1] == (2, "unknown", "UNKNOWN")
    assert ring.core.books.by_id[answered.cl_ord_id].status.value == "NEW"


def test_no_time_makes_an_unknown_order_known(ring: Ring) -> None:
    silent = ring.new(1)
    ring.sent(silent)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.pass_time(20_000)
    assert ring.core.books.orders["s", 1].status.value == "UNKNOWN"


def test_a_gap_fill_is_evidence_that_it_never_arrived(ring: Ring) -> None:
    silent = ring.new(1)
    ring.sent(silent)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.session("generic", SessionState.CONNECTING)
    ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 2, 1, 1, (silent.attempt,)))
    assert ring.events()[-1] == (1, "settled", "VOID")


def test_a_rejection_with_an_ambiguous_code_means_unknown(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.told("binance", RequestRejected(1, order.attempt, order.cl_ord_id, -1007, "timeout", True))
    assert ring.events()[-1] == (1, "unknown", "UNKNOWN")


def test_a_plain_rejection_over_the_session_closes_the_order(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.told("binance", RequestRejected(1, order.attempt, order.cl_ord_id, -1121, "bad symbol"))
    assert ring.events()[-1] == (1, "rejected", "REJECTED")


def unknown_at_binance(ring: Ring) -> NewOrder:
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.session("binance", SessionState.DISCONNECTED)
    ring.pass_time(600)
    return order


def test_not_found_over_rest_counts_only_after_every_window_has_closed(ring: Ring) -> None:
    order = unknown_at_binance(ring)
    for after_ns, settled in ((5_000_000_000, False), (15_000_000_000, True)):
        venue_ns = order.deadline_ns + after_ns
        ring.pass_time(5500)
        trades = next(a for a in reversed(ring.asks) if a.what == "trades")
        ring.answers(venue="binance", ask=trades, venue_ns=venue_ns)
        asked = next(a for a in reversed(ring.asks) if a.what == "order")
        ring.answers(venue="binance", ask=asked, not_found=True, venue_ns=venue_ns)
        assert (ring.core.books.orders["s", 1].status.value == "VOID") is settled


def test_a_fill_that_rest_tells_before_the_orders_own_report_is_told_as_a_fill(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    trade = Trade("BTCUSDT", "792", "77", "1", D("0.4"), D(100), D("0.0004"), "BTC", 0)
    ring.answers(venue="binance", ask=Ask("binance", 1, "trades", "BTCUSDT"), trades=(trade,))
    told = {"order_id": "77", "symbol": "BTCUSDT", "side": "1"}
    ring.report(order, "0", "0", **told)
    ring.report(order, "F", "1", qty="0.4", cum_qty=D("0.4"), key="792", **told)
    fills = [event for event in ring.clients[b"p"] if isinstance(event, OrderEvent) and event.last_qty]
    assert [(fill.trade_key, fill.last_qty, fill.last_px, fill.fee_qty) for fill in fills] == [
        ("792", D("0.4"), D(100), D("0.0004"))
    ]
    assert ring.positions()[-1].quantity == D("0.3996")


def test_a_failed_answer_settles_nothing(ring: Ring) -> None:
    unknown_at_binance(ring)
    asked = next(a for a in reversed(ring.asks) if a.what == "order")
    ring.answers(venue="binance", ask=asked, failed=True, error_code=-1003)
    assert ring.core.books.orders["s", 1].status.value == "UNKNOWN"


def test_a_stranger_s_order_moves_the_position_and_is_shown(ring: Ring) -> None:
    stranger = NewOrder(
        Attempt(ring.epoch, 1), "x", 1, "generic", "BTCUSDT", Terms("1", "2", D(3), D(100)), "theirs", 0
    )
    ring.told("generic", report(stranger, "0", "0"))
    ring.told("generic", report(stranger, "F", "2", qty="3", key="t"))
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D(3)
    assert any(record.kind == Kind.DISCREPANCY for record in ring.journal.records)


# ---- snapshots ----


def test_a_snapshot_is_the_state_and_folds_on_alike(ring: Ring) -> None:
    command = accepted(ring, 1)
    ring.report(command, "F", "1", qty="0.25", key="a")
    closed = accepted(ring, 2, side="2")
    ring.report(closed, "F", "2", qty="1", key="b")
    books = ring.core.books
    facts = {name: venue.facts for name, venue in ring.settings.accounts.items()}
    loaded = load_books(dump_books(books), facts)
    assert loaded.digest() == books.digest() and loaded.lsn == books.lsn
    at = len(ring.journal.records)
    ring.report(command, "F", "2", qty="0.75", key="c")
    ring.report(command, "F", "2", qty="0.25", key="a")
    ring.report(closed, "F", "2", qty="1", key="b")
    fold = Fold(loaded)
    for record in ring.journal.records[at:]:
        fold.apply(record)
    assert loaded.digest() == books.digest()
    assert loaded.positions == books.positions
    assert dump_books(loaded) == dump_books(books)


# ---- fills that were missed ----


def last_ask(ring: Ring, what: str) -> Any:
    return next(ask for ask in reversed(ring.asks) if ask.what == what)


def test_a_fill_on_the_new_connection_does_not_hide_those_missed_before_it(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    ring.report(order, "F", "1", qty="0.1", key="7", cum_qty=D("0.1"))
    ring.session("binance", SessionState.DISCONNECTED)
    ring.session("binance", SessionState.CONNECTING)
    ring.session("binance", SessionState.LOGGED_ON)
    ring.report(order, "F", "1", qty="0.1", key="9", cum_qty=D("0.3"))
    ring.session("binance", SessionState.CAUGHT_UP)
    assert last_ask(ring, "trades").from_trade_key == "7"


def test_an_order_that_closed_while_orders_was_away_is_asked_for_its_missing_fills(ring: Ring) -> None:
    order = accepted(ring, 1, "binance")
    ring.start()
    ring.report(order, "F", "2", qty="0.4", key="9", cum_qty=D(1))
    ring.go_live()
    assert last_ask(ring, "trades").order_id == f"V{order.cl_ord_id}"


def test_what_a_former_life_left_under_way_has_no_say_after_the_wait(ring: Ring) -> None:
    former = ring.new(1)
    ring.start()
    ring.hello()
    ring.go_live()
    ring.core._appender.announced = 1
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.outcomes() == [(1, "refused")]
    ring.sent(former)
    ring.record("risk", Kind.REFUSED, Refused("risk", Reason.HALTED, "", "s", 1, former.attempt, former))
    assert ring.outcomes() == [(1, "refused")]
    assert ring.core.books.open_count() == 0


def test_when_only_the_new_half_of_a_replacement_was_told_the_old_one_is_asked_for(ring: Ring) -> None:
    order, amend = replaced(ring)
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    new_half = RestOrder("BTCUSDT", "77", amend.cl_ord_id, "1", "0", D(1), D(101), D(0))
    bulk = last_ask(ring, "open_orders")
    ring.answers(venue="binance", ask=bulk, orders=(new_half,))
    ring.answers(venue="binance", ask=last_ask(ring, "trades"))
    ours = ring.core.books.orders["s", 1]
    assert ours.is_unknown and len(ours.legs) == 2
    ring.pass_time(1000)
    asked = next(a for a in reversed(ring.asks) if a.what == "order" and a.cl_ord_id == order.cl_ord_id)
    old_half = RestOrder("BTCUSDT", asked.order_id, order.cl_ord_id, "1", "4", D(1), D(100), D(0))
    ring.answers(venue="binance", ask=asked, order=old_half)
    assert not ours.is_unknown and ours.leaves_qty == D(1) and ours.price == D(101)


def test_when_the_new_half_was_filled_before_it_was_told_the_old_one_is_asked_for_until_it_is_told(ring: Ring) -> None:
    order, amend = replaced(ring)
    ring.session("binance", SessionState.DISCONNECTED)
    ring.log_on("binance")
    ring.answers(venue="binance", ask=last_ask(ring, "open_orders"))
    ring.answers(venue="binance", ask=last_ask(ring, "trades"))
    old_ask, new_ask = (
        next(a for a in reversed(ring.asks) if a.what == "order" and a.cl_ord_id == name)
        for name in (order.cl_ord_id, amend.cl_ord_id)
    )
    new_half = RestOrder("BTCUSDT", "77", amend.cl_ord_id, "1", "2", D(1), D(101), D(1))
    old_half = RestOrder("BTCUSDT", old_ask.order_id, order.cl_ord_id, "1", "4", D(1), D(100), D(0))
    ring.answers(venue="binance", ask=new_ask, order=new_half)
    # It was asked before the new half was told, and comes too late to count.
    ring.answers(venue="binance", ask=old_ask, order=old_half)
    ours = ring.core.books.orders["s", 1]
    assert not ours.is_closed and ours.is_unknown
    ring.pass_time(1000)
    again = next(a for a in reversed(ring.asks) if a.what == "order" and a.cl_ord_id == order.cl_ord_id)
    assert again.number > old_ask.number
    ring.answers(venue="binance", ask=again, order=old_half)
    assert ours.is_closed and ours.leaves_qty == 0
