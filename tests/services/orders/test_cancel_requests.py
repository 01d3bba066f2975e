"""Commands to cancel: each is sent, waits, stays or is refused, and none is forgotten."""

import pytest

from common.messages import (
    CancelAllRequest,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    Kind,
    Reason,
    Refused,
    SessionState,
)
from services.orders import cancel_requests
from tests.services.orders.harness import D, Ring, accepted


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


def test_a_cancel_that_is_repeated_while_its_order_is_in_flight_is_answered_once(ring: Ring) -> None:
    order = ring.new(1)
    for _ in range(2):
        ring.request(CancelRequest(0, 2, 1))
    records = len(ring.journal.records)
    ring.record("risk", Kind.REFUSED, Refused("risk", Reason.HALTED, "", "s", 1, order.attempt, order))
    assert ring.outcomes() == [(1, "refused"), (2, "refused")]
    assert [record.writer for record in ring.journal.records[records:]] == ["risk", "orders"]


def test_a_wish_that_had_its_end_is_not_wished_again_when_a_bust_opens_the_order(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    ring.sent(ring.last(CancelOrder))
    ring.report(order, "F", "2", last_qty=D(1), last_px=D(100), cum_qty=D(1), trade_key="t1")
    ring.report(order, "H", "0", cum_qty=D(0), trade_key="t2", reference_trade_key="t1")
    assert ring.events()[-1][2] == "NEW"
    ring.commands.clear()
    ring.pass_time(6_000)
    ring.start()
    ring.go_live()
    ring.pass_time(6_000)
    assert not any(isinstance(command, CancelOrder) for command in ring.commands)


def test_a_cancel_of_all_has_one_outcome_whatever_its_cancels_meet(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.request(CancelAllRequest(0, 2))
    cancel = ring.last(CancelOrder)
    ring.report(order, "F", "2", qty="1", cum_qty=D(1), key="a")
    assert [outcome for outcome in ring.outcomes() if outcome[0] == 2] == [(2, "accepted")]
    ring.sent(cancel)
    assert [outcome for outcome in ring.outcomes() if outcome[0] == 2] == [(2, "accepted")]


def test_a_cancel_of_all_that_is_accepted_while_its_strategy_is_away_is_told_when_it_comes_back_and_repeats_it(
    ring: Ring,
) -> None:
    accepted(ring, 1)
    ring.request(CancelAllRequest(0, 2))
    ring.core.clients.lost(b"p")
    ring.sent(ring.last(CancelOrder))
    assert (2, "accepted") not in ring.outcomes()
    ring.hello(peer=b"q")
    ring.request(CancelAllRequest(0, 2), b"q")
    assert ring.outcomes(b"q") == [(2, "accepted")]


def test_the_accepted_are_remembered_within_bounds(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel_requests, "ACCEPTED_COMMANDS", 2)
    for number in range(1, 5):
        ring.request(CancelAllRequest(0, number))
    assert len(ring.core._cancel_requests._accepted) == 2
