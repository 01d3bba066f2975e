"""A venue that is silent on a connection that lives: it is asked, a cancel is sent again, then UNKNOWN is told."""

import msgspec
import pytest

from common.messages import (
    CancelOrder,
    CancelRequest,
    Kind,
    NewOrder,
    OrderStatus,
    QueryOrder,
    SessionState,
    Unanswered,
)
from tests.services.orders.harness import Ring, accepted


def status(ring: Ring, number: int = 1) -> OrderStatus:
    """Where the order stands."""
    return ring.core.books.orders["s", number].status


def cancels(ring: Ring) -> list[CancelOrder]:
    """The cancels that went down the ring."""
    return [c for c in ring.commands if isinstance(c, CancelOrder)]


def unanswered(ring: Ring) -> list[Unanswered]:
    """What the log holds of it."""
    kinds = [record for record in ring.journal.records if record.kind == Kind.UNANSWERED]
    return [msgspec.msgpack.decode(record.payload, type=Unanswered) for record in kinds]


def test_an_order_without_an_answer_is_asked_about_and_then_unknown(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.commands.clear()
    ring.pass_time(1900)
    assert ring.commands == [] and status(ring) is OrderStatus.PENDING_NEW
    ring.pass_time(250)
    assert [c.cl_ord_id for c in ring.commands if isinstance(c, QueryOrder)] == [order.cl_ord_id]
    ring.pass_time(2700)
    assert status(ring) is OrderStatus.PENDING_NEW and unanswered(ring) == []
    ring.pass_time(400)
    assert status(ring) is OrderStatus.UNKNOWN
    assert [(told.attempt, told.silent_ms >= 5000) for told in unanswered(ring)] == [(order.attempt, True)]
    assert ring.events()[-1] == (1, "unknown", "UNKNOWN")
    ring.report(order, "I", "0")
    assert status(ring) is OrderStatus.NEW


def test_an_order_at_a_venue_with_rest_is_asked_about_there(ring: Ring) -> None:
    ring.log_on("binance")
    for ask in list(ring.asks):
        ring.answers(venue="binance", ask=ask)
    ring.session("binance", SessionState.OPENED)
    order = ring.new(1, "binance")
    ring.sent(order)
    ring.asks.clear()
    ring.pass_time(1900)
    assert [ask.what for ask in ring.asks if ask.cl_ord_id] == []
    ring.pass_time(250)
    assert [(ask.what, ask.cl_ord_id) for ask in ring.asks if ask.cl_ord_id] == [("order", order.cl_ord_id)]


def test_a_cancel_without_an_answer_is_sent_again_with_growing_pauses(ring: Ring) -> None:
    accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    ring.sent(cancels(ring)[0])
    times: list[int] = []
    for _ in range(350):
        ring.pass_time(100)
        for command in cancels(ring)[1 + len(times) :]:
            times.append(ring.boot_ns // 1_000_000)
            ring.sent(command)
    pauses = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert len(times) == 4 and pauses == sorted(pauses) and pauses[0] >= 4000, (times, pauses)
    assert status(ring) is OrderStatus.PENDING_CANCEL and ring.core.books.orders["s", 1].is_unknown
    assert [told.attempt for told in unanswered(ring)][0] == cancels(ring)[0].attempt
    ring.report(accepted_command(ring), "4", "4", cl_ord_id=cancels(ring)[-1].cl_ord_id)
    ring.commands.clear()
    ring.pass_time(70_000)
    assert ring.commands == [] and status(ring) is OrderStatus.CANCELED


def accepted_command(ring: Ring) -> NewOrder:
    """The order that went down the ring."""
    command: NewOrder = ring.last(NewOrder)
    return command


def test_an_answer_in_time_leaves_nothing_to_ask(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.pass_time(1900)
    ring.report(order, "0", "0")
    ring.commands.clear()
    ring.pass_time(6000)
    assert ring.commands == [] and unanswered(ring) == []


def test_time_that_the_log_does_not_tell_of_makes_nothing_unknown(ring: Ring) -> None:
    """An order manager that stood still has the answers yet to read."""
    order = ring.new(1)
    ring.sent(order)
    ring.commands.clear()
    ring.boot_ns += 8_000_000_000
    ring.core.timer(ring.now)
    ring.settle()
    assert ring.commands == [] and unanswered(ring) == []
    ring.report(order, "0", "0")
    ring.pass_time(6000)
    assert unanswered(ring) == []


def test_a_new_life_waits_anew_and_a_lost_connection_ends_the_wait(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.start()
    ring.go_live()
    ring.commands.clear()
    ring.pass_time(2200)
    assert [c.cl_ord_id for c in ring.commands if isinstance(c, QueryOrder)] == [order.cl_ord_id]
    ring.session("generic", SessionState.DISCONNECTED)
    assert status(ring) is OrderStatus.UNKNOWN
    ring.pass_time(6000)
    assert unanswered(ring) == []


@pytest.mark.parametrize("lives", [False, True])
def test_what_is_unknown_for_silence_is_so_in_every_life(ring: Ring, lives: bool) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.pass_time(5300)
    if lives:
        ring.start()
        ring.go_live()
    assert status(ring) is OrderStatus.UNKNOWN
    assert len(unanswered(ring)) == 1
