"""An order list in a session: one message, and each of its orders among those that may be open."""

from decimal import Decimal

import pytest
from msgspec import structs

from common.messages import Attempt, ExecutionReport, ListedOrder, NewOrder, Reason, Terms
from services.session.open_orders import OpenOrders
from tests.common.venues import samples
from tests.services.session.harness import World, heard, refusals

STOP = Terms("2", "3", Decimal("0.5"), stop_px=Decimal(60000))


def a_list(first: NewOrder) -> NewOrder:
    further = ListedOrder(STOP, Attempt(first.attempt.epoch, first.attempt.counter + 1), f"{first.cl_ord_id}b")
    return structs.replace(first, contingency="1", further=(further,))


@pytest.fixture
def table() -> tuple[OpenOrders, NewOrder]:
    orders, command = OpenOrders(), a_list(samples.new())
    orders.order_sent(command, 1, opens=True)
    return orders, command


def test_each_order_of_a_list_may_be_open(table: tuple[OpenOrders, NewOrder]) -> None:
    orders, command = table
    assert [each.cl_ord_id for each in orders.all()] == ["5-1", "5-1b"]
    again = OpenOrders()
    again.load(*orders.dump())
    again.never_arrived(command.attempt)
    assert not len(again), "also of a table from a snapshot"


def test_a_message_that_never_arrived_opened_none_of_them_but_what_was_heard_of(
    table: tuple[OpenOrders, NewOrder],
) -> None:
    orders, command = table
    zero = Decimal(0)
    report = ExecutionReport("5-1b", "", "9", "", "0", "0", "BTCUSDT", "2", None, None, zero, zero, None, None)
    orders.hear_event(report, 1, ("BTCUSDT",))
    orders.never_arrived(command.attempt)
    assert [each.cl_ord_id for each in orders.all()] == ["5-1b"]


def test_a_venue_without_lists_is_sent_none(world: World) -> None:
    world.ready()
    world.command(a_list(world.new_order(1)))
    assert refusals(world) == [Reason.UNSUPPORTED] and heard(world, 11) == [] and not len(world.core.history.orders)
