"""A message that says several things: each counts, in order, a fill once however often it stands there."""

from typing import Any

from common.messages import ExecutionReport, NewOrder, OrderEvent, Several
from tests.services.orders.harness import D, Ring, accepted, report


def fill(order: NewOrder, key: str, qty: str, cum_qty: str, **fields: Any) -> ExecutionReport:
    """A fill of an order of one, told with what is filled by then."""
    status = "2" if cum_qty == "1" else "1"
    return report(order, "F", status, qty=qty, key=key, cum_qty=D(cum_qty), leaves_qty=1 - D(cum_qty), **fields)


def fills(ring: Ring) -> list[tuple[str, str]]:
    return [
        (event.trade_key, str(event.last_qty))
        for event in ring.clients.get(b"p", [])
        if isinstance(event, OrderEvent) and event.last_qty
    ]


def test_all_fills_of_a_message_count_and_are_told_in_order(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.told("generic", Several((fill(order, "a", "0.25", "0.25"), fill(order, "b", "0.75", "1", px="101"))))
    assert fills(ring) == [("a", "0.25"), ("b", "0.75")]
    told = ring.core.books.orders["s", 1]
    assert (told.cum_qty, told.status.value, told.is_closed) == (D("1"), "FILLED", True)
    assert ring.positions()[-1].quantity == 1


def test_a_fill_that_stands_twice_or_comes_again_counts_once(ring: Ring) -> None:
    order = accepted(ring, 1)
    first, second = fill(order, "a", "0.25", "0.25"), fill(order, "b", "0.25", "0.5")
    ring.told("generic", Several((first, first)))
    ring.told("generic", Several((first, second)))
    assert fills(ring) == [("a", "0.25"), ("b", "0.25")]
    assert ring.core.books.orders["s", 1].cum_qty == D("0.5")


def test_what_cannot_be_believed_of_one_order_hides_nothing_of_another(ring: Ring) -> None:
    one, other = accepted(ring, 1), accepted(ring, 2)
    wrong = fill(one, "a", "0.25", "0.25", side="2")
    ring.told("generic", Several((wrong, fill(other, "b", "0.5", "0.5"))))
    assert fills(ring) == [("b", "0.5")]
    assert ring.core.books.orders["s", 1].in_doubt


def test_a_restart_comes_to_the_same(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.told("generic", Several((fill(order, "a", "0.25", "0.25"), fill(order, "b", "0.25", "0.5"))))
    before = ring.core.books.orders["s", 1].cum_qty
    ring.start()
    ring.go_live()
    assert ring.core.books.orders["s", 1].cum_qty == before == D("0.5")


def test_a_message_of_none_changes_nothing(ring: Ring) -> None:
    accepted(ring, 1)
    before = ring.core.books.orders["s", 1].status
    ring.told("generic", Several(()))
    assert ring.core.books.orders["s", 1].status is before
