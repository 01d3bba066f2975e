"""What a venue answers in two steps, without a request's name or without its number, comes to the same as the plain
answer, in whatever order it is told.
"""

import itertools
from typing import Any

import pytest

from common.messages import (
    AmendOrder,
    AmendRequest,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    NewOrder,
    RequestRejected,
)
from tests.services.orders.harness import D, Ring, accepted

Step = tuple[str, str, dict[str, Any]]
"""ExecType(150) and OrdStatus(39) of a report, and what else it tells."""

ACKNOWLEDGED: Step = ("A", "A", {})
ACCEPTED: Step = ("0", "0", {})
FILLED: Step = ("F", "2", {"qty": "1", "key": "a", "cum_qty": D(1), "leaves_qty": D(0)})
REJECTED: Step = ("8", "8", {})
ENDED: Step = ("4", "4", {"cum_qty": D(0), "leaves_qty": D(0)})
AMENDED: Step = ("5", "0", {"order_qty": D(2), "cum_qty": D(0), "leaves_qty": D(2)})
WILL_AMEND: Step = ("E", "E", {})
WILL_CANCEL: Step = ("6", "6", {})


def status(ring: Ring) -> tuple[str, str, int]:
    """The order's state, its OrderQty(38), and how many of its requests wait."""
    order = ring.core.books.orders["s", 1]
    return order.status.value, str(order.order_qty), len(order.requests)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((ACKNOWLEDGED,), "PENDING_NEW"),
        ((ACKNOWLEDGED, ACCEPTED), "NEW"),
        ((ACKNOWLEDGED, FILLED), "FILLED"),
        ((ACKNOWLEDGED, ACCEPTED, FILLED), "FILLED"),
        ((ACKNOWLEDGED, REJECTED), "REJECTED"),
        ((ACKNOWLEDGED, ACCEPTED, ENDED), "CANCELED"),
    ],
)
def test_a_new_order_that_is_acknowledged_before_or_after(steps: tuple[Step, ...], expected: str) -> None:
    """In every order of the steps: what is told of the order's end is not taken back by what came late."""
    for order_of_steps in itertools.permutations(steps):
        ring = live()
        command = ring.new(1)
        ring.sent(command)
        for exec_type, ord_status, fields in order_of_steps:
            ring.report(command, exec_type, ord_status, **fields)
        assert status(ring)[0] == expected, order_of_steps


def live() -> Ring:
    ring = Ring()
    ring.go_live()
    ring.hello()
    ring.open("generic")
    return ring


NAMES = ("the request's", "the order's", "none")


def named(order: NewOrder, request: AmendOrder | CancelOrder, names: str) -> dict[str, str]:
    """ClOrdID(11) and OrigClOrdID(41) of an answer that bears such names."""
    if names == "the request's":
        return {"cl_ord_id": request.cl_ord_id, "orig_cl_ord_id": order.cl_ord_id}
    return {"cl_ord_id": order.cl_ord_id if names == "the order's" else ""}


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((AMENDED,), ("NEW", "2", 0)),
        ((WILL_AMEND,), ("PENDING_REPLACE", "1", 1)),
        ((WILL_AMEND, AMENDED), ("NEW", "2", 0)),
        ((AMENDED, WILL_AMEND), ("NEW", "2", 0)),
    ],
)
def test_an_amendment_whatever_name_its_answers_bear(
    steps: tuple[Step, ...], expected: tuple[str, str, int], names: str
) -> None:
    ring = live()
    command = accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, order_qty=D(2)))
    amend = ring.last(AmendOrder)
    ring.sent(amend)
    for exec_type, ord_status, fields in steps:
        told = {**fields, **named(command, amend, names), "order_id": f"V{command.cl_ord_id}"}
        ring.report(command, exec_type, ord_status, **told)
    assert status(ring) == expected
    ring.request(CancelRequest(0, 3, 1))
    cancel = ring.last(CancelOrder)
    assert cancel.orig_cl_ord_id in (command.cl_ord_id, amend.cl_ord_id)


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((ENDED,), ("CANCELED", 0)),
        ((WILL_CANCEL,), ("PENDING_CANCEL", 1)),
        ((WILL_CANCEL, ENDED), ("CANCELED", 0)),
        ((ENDED, WILL_CANCEL), ("CANCELED", 0)),
        ((FILLED, WILL_CANCEL), ("FILLED", 0)),
    ],
)
def test_a_cancel_whatever_name_its_answers_bear(
    steps: tuple[Step, ...], expected: tuple[str, int], names: str
) -> None:
    ring = live()
    command = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    for exec_type, ord_status, fields in steps:
        told = {**fields, **named(command, cancel, names), "order_id": f"V{command.cl_ord_id}"}
        ring.report(command, exec_type, ord_status, **told)
    told_status, _, waiting = status(ring)
    assert (told_status, waiting) == expected


@pytest.mark.parametrize("by", ["j with the request's name", "j with the order's name", "9 with the order's name"])
def test_a_cancel_that_is_refused_waits_no_more_and_its_wish_stays(by: str) -> None:
    ring = live()
    command = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    name = cancel.cl_ord_id if "request" in by else command.cl_ord_id
    event = CancelRejected(name, "", "", "0") if by.startswith("9") else RequestRejected(0, None, name)
    ring.told("generic", event)
    order = ring.core.books.orders["s", 1]
    assert (order.status.value, len(order.requests), order.wish_number) == ("NEW", 0, 2)


def test_an_amendment_is_not_refused_by_what_names_the_order_and_may_be_about_anything() -> None:
    ring = live()
    command = accepted(ring, 1)
    ring.request(AmendRequest(0, 2, 1, order_qty=D(2)))
    ring.sent(ring.last(AmendOrder))
    ring.told("generic", RequestRejected(0, None, command.cl_ord_id))
    assert status(ring) == ("PENDING_REPLACE", "1", 1)


def test_a_new_order_and_an_amendment_are_refused_by_their_names_alone() -> None:
    ring = live()
    command = ring.new(1)
    ring.sent(command)
    ring.told("generic", RequestRejected(0, None, command.cl_ord_id, 9, "no money"))
    assert status(ring)[0] == "REJECTED"
    other = accepted(ring, 2)
    ring.request(AmendRequest(0, 3, 2, order_qty=D(2)))
    amend = ring.last(AmendOrder)
    ring.sent(amend)
    ring.told("generic", RequestRejected(0, amend.attempt, amend.cl_ord_id))
    amended = ring.core.books.orders["s", 2]
    assert (amended.status.value, amended.order_qty, len(amended.requests)) == ("NEW", other.order_qty, 0)
