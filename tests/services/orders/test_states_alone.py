"""A venue that tells the state of its orders and nothing else, ExecType(150)=I: what a strategy hears of it."""

from common.messages import AmendOrder, AmendRequest, OrderStatus
from tests.services.orders.harness import D, Ring, report


def test_a_new_order_and_an_amendment_are_told_as_such(ring: Ring) -> None:
    command = ring.new(1)
    ring.sent(command)
    ring.report(command, "I", "0")
    order = ring.core.books.orders["s", 1]
    assert order.status is OrderStatus.NEW
    ring.request(AmendRequest(0, 2, 1, price=D(99)))
    amend: AmendOrder = ring.last(AmendOrder)
    ring.sent(amend)
    assert ring.events()[-1] == (1, "pending_replace", "PENDING_REPLACE")
    ring.told("generic", report(command, "I", "0", price=D(99)))
    assert (ring.events()[-1], order.price) == ((1, "replaced", "NEW"), D(99))
    assert (1, "new", "NEW") in ring.events()
