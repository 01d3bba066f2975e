"""Commands to cancel: each is sent, waits, stays or is refused, and none is forgotten."""

import pytest

from common.messages import (
    CancelAllRequest,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    Kind,
    NewOrderRequest,
    Reason,
    Refused,
    SessionState,
    Terms,
)
from common.orders.snapshots import dump_books, load_books
from services.orders import cancels
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
    assert ring.outcomes()[-1] == (3, "accepted")
    assert ring.last(CancelOrder).target_number == 1
    ring.sent(ring.last(CancelOrder))
    ring.sent(flying)
    assert ring.last(CancelOrder).target_number == 2
    ring.sent(ring.last(CancelOrder))
    assert [outcome for number, outcome in ring.outcomes() if number == 3] == ["accepted"]


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
    ring.core.received("entry", b"p", CancelAllRequest(ring.epoch, 2), ring.now)
    ring.core.clients.lost(b"p")
    ring.settle()
    assert (2, "accepted") not in ring.outcomes() and cancelled(ring) == [("s", 1)]
    ring.hello(peer=b"q")
    ring.request(CancelAllRequest(0, 2), b"q")
    assert ring.outcomes(b"q") == [(2, "accepted")]


def test_the_accepted_are_remembered_within_bounds(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancels, "ACCEPTED_COMMANDS", 2)
    accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    ring.sent(ring.last(CancelOrder))
    for number in range(3, 7):
        ring.request(CancelRequest(0, number, 1))
    assert ring.outcomes()[-4:] == [(number, "accepted") for number in range(3, 7)]
    assert len(ring.core._cancel_requests._accepted) == 2


def cancelled(ring: Ring) -> list[tuple[str, int]]:
    """The orders that a cancel was sent for."""
    sent = [command for command in ring.commands if isinstance(command, CancelOrder)]
    return [(command.target_strategy, command.target_number) for command in sent]


def test_a_cancel_of_all_that_is_repeated_after_a_restart_touches_nothing_that_came_after_it(ring: Ring) -> None:
    first = accepted(ring, 1)
    ring.request(CancelAllRequest(0, 2))
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    ring.report(first, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=first.cl_ord_id)
    accepted(ring, 3)
    ring.commands.clear()
    ring.start()
    ring.go_live()
    ring.hello()
    ring.request(CancelAllRequest(0, 2))
    ring.pass_time(1000)
    assert cancelled(ring) == [] and ring.outcomes() == [(2, "accepted")]


def test_a_cancel_of_all_that_found_nothing_is_in_the_log_all_the_same(ring: Ring) -> None:
    ring.request(CancelAllRequest(0, 1, target_strategy="*"))
    ring.hello("t", b"q")
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))), b"q")
    ring.sent(ring.commands[-1])
    ring.start()
    ring.go_live()
    ring.commands.clear()
    ring.hello()
    ring.request(CancelAllRequest(0, 1, target_strategy="*"))
    ring.pass_time(1000)
    assert cancelled(ring) == [] and ring.outcomes() == [(1, "accepted")]


def test_a_cancel_of_all_that_comes_late_touches_no_own_order_with_a_higher_number(ring: Ring) -> None:
    accepted(ring, 1)
    accepted(ring, 3)
    ring.request(CancelAllRequest(0, 2))
    assert cancelled(ring) == [("s", 1)]


def test_a_cancel_of_an_own_order_with_a_higher_number_finds_none(ring: Ring) -> None:
    accepted(ring, 1)
    accepted(ring, 4)
    ring.request(CancelRequest(0, 2, 4))
    assert cancelled(ring) == [] and ring.clients[b"p"][-1].reason is Reason.UNKNOWN_ORDER


def test_a_cancel_of_all_meets_what_was_under_way_when_it_came_and_a_restart_does_not_forget_it(ring: Ring) -> None:
    mine = ring.new(1)
    ring.hello("t", b"q")
    for number in (1, 2):
        ring.request(NewOrderRequest(0, number, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))), b"q")
    theirs = ring.commands[-2:]
    ring.request(CancelAllRequest(0, 2, target_strategy="*"))
    ring.request(NewOrderRequest(0, 3, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))), b"q")
    later = ring.commands[-1]
    mine_later = ring.new(3)
    assert ring.outcomes() == [(2, "accepted")]
    ring.start()
    for command in (mine, *theirs, later, mine_later):
        ring.sent(command)
    ring.go_live()
    assert sorted(cancelled(ring)) == [("s", 1), ("t", 1), ("t", 2)]


def test_a_snapshot_keeps_what_a_cancel_of_all_still_has_to_meet(ring: Ring) -> None:
    mine = ring.new(1)
    ring.request(CancelAllRequest(0, 2))
    books = load_books(dump_books(ring.core.books), {})
    assert books.cancel_alls and books.cancel_alls == ring.core.books.cancel_alls
    ring.pass_time(1500)
    ring.sent(mine)
    accepted(ring, 3)
    assert not ring.core.books.cancel_alls


def test_a_cancel_of_all_under_one_venue_and_symbol_touches_those(ring: Ring) -> None:
    accepted(ring, 1)
    accepted(ring, 2, "binance")
    ring.request(NewOrderRequest(0, 3, "generic", "ETHUSDT", Terms("1", "2", D(1), D(100))))
    ring.sent(ring.commands[-1])
    ring.request(CancelAllRequest(0, 4, "generic", "ETHUSDT"))
    assert cancelled(ring) == [("s", 3)]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_repeat_of_a_cancel_of_all_that_names_another_place_is_refused(ring: Ring, restarted: bool) -> None:
    accepted(ring, 1)
    ring.request(CancelAllRequest(0, 2, "binance"))
    if restarted:
        ring.start()
        ring.hello()
        ring.go_live()
    ring.request(CancelAllRequest(0, 2, "generic"))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED
    ring.request(CancelAllRequest(0, 2, "binance"))
    assert (ring.clients[b"p"][-1].outcome, ring.clients[b"p"][-1].repeat) == ("accepted", True)
