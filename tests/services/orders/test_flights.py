"""What adds risk on its way: names and deadlines, full queues, and which amendments may fly."""

from typing import Any

import pytest

from common.messages import (
    AmendOrder,
    AmendRequest,
    NewOrderRequest,
    Reason,
    Terms,
)
from tests.services.orders.harness import D, Ring, accepted


def test_the_name_and_the_deadline_are_given_once(ring: Ring) -> None:
    command = ring.new(1)
    assert command.cl_ord_id == "rt-1" and len(command.cl_ord_id) <= 20
    assert command.deadline_ns == ring.core.books.stamp_ns + 1_000_000_000


def test_a_full_queue_to_risk_is_a_journaled_refusal(ring: Ring) -> None:
    ring.risk_full = True
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    assert ring.outcomes() == [(1, "refused")]
    assert ring.clients[b"p"][-1].reason is Reason.QUEUE_FULL


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


def test_an_amendment_that_is_numbered_after_its_deadline_is_expired_once_and_the_order_is_as_it_was(
    ring: Ring,
) -> None:
    accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, price=D(101)))
    amend = ring.last(AmendOrder)
    ring.journal.stamp_ns = amend.deadline_ns + 1
    ring.sent(amend)
    assert ring.outcomes()[1:] == [(2, "expired")]
    assert ring.events()[-1] == (1, "new", "NEW") and not ring.core.books.orders["s", 1].requests
    ring.request(AmendRequest(0, 3, 1, price=D(102)))
    assert ring.last(AmendOrder).number == 3


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
