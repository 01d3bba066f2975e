"""The order manager's promises, each as a schedule of records: one outcome a command, and never another one."""

from typing import Any

import pytest

from common.messages import (
    AmendOrder,
    AmendRequest,
    Ask,
    Attempt,
    CancelAllRequest,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    CommandOutcome,
    GapFilled,
    Hello,
    Kind,
    NewOrder,
    NewOrderRequest,
    OpenGate,
    OrderEvent,
    QueryOrder,
    Reason,
    Refused,
    RequestRejected,
    RestOrder,
    SessionState,
    StatusChanged,
    Trade,
    Withdrawn,
)
from services.orders.fold import Fold
from services.orders.snapshots import dump_books, load_books
from tests.services.orders.harness import D, Ring, report, settings


@pytest.fixture
def ring() -> Ring:
    """Live, both sessions open, strategy "s" connected."""
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.log_on("binance")
    for ask in ring.asks:
        ring.answers(venue="binance", ask=ask)
    ring.session("binance", SessionState.OPENED)
    ring.hello()
    return ring


def accepted(ring: Ring, number: int, venue: str = "generic", **terms: Any) -> NewOrder:
    """An order that rests at the venue."""
    command = ring.new(number, venue, **terms)
    ring.sent(command)
    ring.report(command, "0", "0")
    return command


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


def test_the_name_and_the_deadline_are_given_once(ring: Ring) -> None:
    command = ring.new(1)
    assert command.cl_ord_id == "rt-1" and len(command.cl_ord_id) <= 20
    assert command.deadline_ns == ring.core.books.stamp_ns + 1_000_000_000


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


def test_a_full_queue_to_risk_is_a_journaled_refusal(ring: Ring) -> None:
    ring.risk_full = True
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    assert ring.outcomes() == [(1, "refused")]
    assert ring.clients[b"p"][-1].reason is Reason.QUEUE_FULL


# ---- names ----


def test_a_repeat_is_answered_from_memory(ring: Ring) -> None:
    accepted(ring, 1)
    before = len(ring.commands)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D("1.0"), D("100.00")))
    last = ring.clients[b"p"][-1]
    assert (last.outcome, last.repeat) == ("sent", True)
    assert len(ring.commands) == before


def test_a_repeat_with_another_body_is_refused(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(2), D(100)))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED


def test_a_repeat_while_in_flight_has_no_answer_yet(ring: Ring) -> None:
    ring.new(1)
    before = len(ring.commands)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    assert ring.outcomes() == [] and len(ring.commands) == before


def test_a_lower_number_never_seen_is_expired(ring: Ring) -> None:
    accepted(ring, 5)
    ring.request(NewOrderRequest(0, 3, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    assert ring.outcomes()[-1] == (3, "expired")


def test_names_outlive_a_restart(ring: Ring) -> None:
    accepted(ring, 7)
    ring.start()
    assert ring.hello().highest == 7
    ring.go_live()
    ring.request(NewOrderRequest(0, 7, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    last = ring.clients[b"p"][-1]
    assert isinstance(last, CommandOutcome) and (last.outcome, last.repeat) == ("sent", True)


def test_the_later_hello_wins(ring: Ring) -> None:
    ring.hello("s", b"q")
    assert StatusChanged("superseded") in ring.clients[b"p"]
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)), b"p")
    assert ring.clients[b"p"][-1].state == "superseded"
    assert not any(isinstance(command, NewOrder) for command in ring.commands)


def test_a_new_instance_under_the_old_routing_id_is_not_told_that_it_is_superseded(ring: Ring) -> None:
    ring.hello()
    ring.entry(b"p", Hello("s", "the next life", 0, 0))
    assert StatusChanged("superseded") not in ring.clients[b"p"]
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)), b"p")
    assert any(isinstance(command, NewOrder) for command in ring.commands)


def test_a_command_of_a_former_epoch_is_dropped(ring: Ring) -> None:
    ring.entry(b"p", NewOrderRequest(1, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    assert ring.clients[b"p"][-1] == StatusChanged("live", 1, ring.epoch)
    assert not any(isinstance(command, NewOrder) for command in ring.commands)


# ---- restart ----


def test_after_a_restart_what_adds_risk_waits(ring: Ring) -> None:
    ring.start()
    assert ring.hello().state == "restarting"
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    assert ring.clients[b"p"][-1] == StatusChanged("restarting", 1, ring.epoch)
    ring.go_live()
    assert ring.clients[b"p"][-1] == StatusChanged("live", 0, ring.epoch)
    ring.new(1)


def test_what_a_former_life_sent_may_still_turn_up(ring: Ring) -> None:
    command = ring.new(1)
    ring.start()
    ring.hello()
    ring.sent(command)
    ring.report(command, "0", "0")
    assert ring.outcomes() == [(1, "sent")]
    ring.go_live()
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    assert ring.outcomes() == [(1, "sent"), (1, "sent")]


def test_the_replayed_state_is_the_one_that_was(ring: Ring) -> None:
    accepted(ring, 1)
    filled = accepted(ring, 2, side="2")
    ring.report(filled, "F", "1", qty="0.25", key="x")
    before = ring.core.books.digest()
    ring.start()
    assert ring.core.books.digest() == before


def test_a_resuming_strategy_gets_what_it_missed_once(ring: Ring) -> None:
    command = accepted(ring, 1)
    seen = ring.clients[b"p"][-1]
    assert isinstance(seen, OrderEvent)
    ring.report(command, "F", "1", qty="0.5", key="x")
    ring.hello("s", b"q", (seen.lsn, seen.index))
    assert ring.events(b"q") == [(1, "trade", "PARTIALLY_FILLED")]


def test_a_strategy_that_saw_nothing_gets_the_state(ring: Ring) -> None:
    accepted(ring, 1)
    assert not ring.hello("s", b"q").resumed
    assert ring.events(b"q") == [(1, "snapshot", "NEW")]


def test_a_client_that_does_not_keep_up_gets_nothing_more_until_it_says_hello(ring: Ring) -> None:
    command = accepted(ring, 1)
    ring.core.clients.lost(b"p")
    before = len(ring.clients[b"p"])
    ring.report(command, "F", "1", qty="0.5", key="x")
    assert len(ring.clients[b"p"]) == before


# ---- the journal away ----


def test_while_the_journal_is_away_a_command_gets_a_status(ring: Ring) -> None:
    ring.journal_away = True
    ring.pass_time(1000, tick=False)
    assert ring.clients[b"p"][-1] == StatusChanged("journal_away", 0, ring.epoch)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
    assert ring.clients[b"p"][-1] == StatusChanged("journal_away", 1, ring.epoch)
    ring.journal_away = False
    ring.pass_time(200)
    assert StatusChanged("live", 0, ring.epoch) in ring.clients[b"p"]


# ---- cancels ----


def test_a_cancel_is_sent_and_the_order_closed(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.last(CancelOrder)
    assert (cancel.orig_cl_ord_id, cancel.order_id) == (order.cl_ord_id, f"V{order.cl_ord_id}")
    ring.sent(cancel)
    assert ring.outcomes()[-1] == (2, "sent")
    ring.report(order, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    assert ring.events()[-1] == (1, "canceled", "CANCELED")
    assert ring.core.status(ring.now)["wishes"] == 0


def test_a_cancel_of_an_order_in_flight_is_kept_until_it_is_sent(ring: Ring) -> None:
    order = ring.new(1)
    ring.request(CancelRequest(0, 2, 1))
    assert not any(isinstance(command, CancelOrder) for command in ring.commands)
    ring.sent(order)
    assert ring.last(CancelOrder).target_number == 1


def test_a_cancel_of_an_order_that_never_was_is_refused(ring: Ring) -> None:
    ring.new(1)
    ring.request(CancelRequest(0, 2, 1))
    ring.pass_time(1300)
    assert (2, "refused") in ring.outcomes()


def test_a_refused_cancel_is_a_wish_that_stays(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    first = ring.last(CancelOrder)
    refused = Refused("session@generic", Reason.SESSION_RATE, "", "s", 2, first.attempt, first)
    ring.record("session@generic", Kind.REFUSED, refused)
    assert ring.outcomes()[-1] == (2, "accepted")
    ring.pass_time(600)
    second = ring.last(CancelOrder)
    assert second.attempt != first.attempt and second.number == 2


def test_a_wish_outlives_a_restart(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    first = ring.last(CancelOrder)
    ring.sent(first)
    ring.told("generic", CancelRejected(first.cl_ord_id, "", "", "0", text="too busy"))
    ring.start()
    ring.go_live()
    again = ring.last(CancelOrder)
    assert again.attempt.epoch == ring.epoch and again.target_number == 1


def test_a_wish_is_sent_again_after_the_connection_was_lost(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    first = ring.last(CancelOrder)
    ring.sent(first)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.pass_time(1000)
    assert ring.last(CancelOrder) is first
    ring.log_on("generic")
    assert ring.last(CancelOrder).attempt != first.attempt


def test_a_cancel_while_restarting_is_kept(ring: Ring) -> None:
    accepted(ring, 1)
    ring.start()
    ring.hello()
    ring.request(CancelRequest(0, 2, 1))
    ring.go_live()
    assert ring.last(CancelOrder).target_number == 1


def test_a_cancel_that_a_former_life_sent_meanwhile_keeps_its_outcome(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.last(CancelOrder)
    ring.start()
    ring.hello()
    ring.request(CancelRequest(0, 2, 1))
    ring.sent(cancel)
    ring.report(order, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    ring.go_live()
    assert {outcome for number, outcome in ring.outcomes() if number == 2} == {"sent"}


def test_cancel_all_cancels_what_rests_and_what_flies(ring: Ring) -> None:
    accepted(ring, 1)
    flying = ring.new(2, "binance")
    ring.request(CancelAllRequest(0, 3))
    assert ring.last(CancelOrder).target_number == 1
    ring.sent(ring.last(CancelOrder))
    ring.sent(flying)
    assert ring.last(CancelOrder).target_number == 2
    assert 3 not in [number for number, _ in ring.outcomes()]
    ring.sent(ring.last(CancelOrder))
    assert ring.outcomes()[-1] == (3, "accepted")


def test_an_accepted_cancel_is_in_the_log_before_it_is_told(ring: Ring) -> None:
    accepted(ring, 1)
    ring.session("generic", SessionState.DISCONNECTED)
    ring.request(CancelAllRequest(0, 2))
    assert ring.outcomes()[-1] == (2, "accepted")
    ring.start()
    ring.go_live()
    ring.log_on("generic")
    assert ring.last(CancelOrder).target_number == 1


def test_a_cancel_of_a_closed_or_unknown_order_is_refused(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "2", qty="1", key="k")
    ring.request(CancelRequest(0, 2, 1))
    ring.request(CancelRequest(0, 3, 99))
    reasons = [message.reason for message in ring.clients[b"p"][-2:]]
    assert reasons == [Reason.ORDER_CLOSED, Reason.UNKNOWN_ORDER]


# ---- amendments ----


def test_an_amendment_replaces_price_and_name(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, price=D(101)))
    amend = ring.last(AmendOrder)
    assert (amend.order_qty, amend.price, amend.orig_cl_ord_id) == (D(1), D(101), order.cl_ord_id)
    ring.sent(amend)
    assert ring.events()[-1] == (1, "pending_replace", "PENDING_REPLACE")
    ring.report(amend, "5", "0", orig_cl_ord_id=order.cl_ord_id, order_id=f"V{order.cl_ord_id}")
    event = ring.clients[b"p"][-1]
    assert (event.event, event.price, event.cl_ord_id) == ("replaced", D(101), amend.cl_ord_id)


def test_a_second_amendment_waits_for_the_first(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, price=D(101)))
    ring.request(AmendRequest(0, 3, 1, price=D(102)))
    assert ring.clients[b"p"][-1].reason is Reason.REQUEST_PENDING


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({}, Reason.NOT_AMENDABLE),
        ({"price": D(100)}, Reason.NOT_AMENDABLE),
        ({"order_qty": D("0.1")}, Reason.BAD_QUANTITY),
    ],
)
def test_an_amendment_that_makes_no_sense_is_refused(ring: Ring, terms: dict[str, Any], reason: Reason) -> None:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.25", key="k")
    ring.request(AmendRequest(0, 2, 1, **terms))
    assert ring.clients[b"p"][-1].reason is reason


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
    assert ring.last(QueryOrder).attempt != query.attempt


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


def test_on_stop_cancels_what_rests_then_exits() -> None:
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    order = accepted(ring, 1)
    ring.core.stop(ring.now)
    ring.settle()
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    assert ring.exit is None
    ring.report(order, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    assert ring.exit is not None and ring.exit.status == 0


def test_on_stop_is_bounded() -> None:
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.hello()
    accepted(ring, 1)
    ring.core.stop(ring.now)
    ring.settle()
    ring.pass_time(2100)
    assert ring.exit is not None


def test_on_stop_leave_leaves() -> None:
    ring = Ring(settings(cancel_on_stop=False))
    ring.go_live()
    ring.open("generic")
    ring.hello()
    accepted(ring, 1)
    ring.core.stop(ring.now)
    ring.settle()
    assert ring.exit is not None
    assert not any(isinstance(command, CancelOrder) for command in ring.commands)


def test_orphans_are_cancelled_over_rest() -> None:
    ring = Ring(settings(orphan_ns=2_000_000_000))
    ring.go_live()
    ring.log_on("binance")
    for ask in ring.asks:
        ring.answers(venue="binance", ask=ask)
    ring.session("binance", SessionState.OPENED)
    ring.hello()
    accepted(ring, 1, "binance")
    ring.session("binance", SessionState.DISCONNECTED)
    ring.pass_time(1500)
    assert not any(ask.what == "cancel_all" for ask in ring.asks)
    ring.pass_time(1000)
    assert any(ask.what == "cancel_all" and ask.symbol == "BTCUSDT" for ask in ring.asks)


def test_a_stranger_s_order_moves_the_position_and_is_shown(ring: Ring) -> None:
    stranger = NewOrder(
        Attempt(ring.epoch, 1), "x", 1, "generic", "BTCUSDT", "1", "2", D(3), D(100), "1", False, "theirs", 0
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
    facts = {name: venue.facts for name, venue in ring.settings.venues.items()}
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
    assert last_ask(ring, "trades").from_trade_key == "8"


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
    ring.core._appender.low_disk = 1
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", "1", "2", D(1), D(100)))
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
