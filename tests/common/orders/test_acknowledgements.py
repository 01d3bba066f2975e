"""Invariant: a new order's first word ends its wait, once, and both times are the log's."""

from common.messages import Kind
from common.orders.acknowledgements import KEPT, Acknowledgements
from tests.services.orders.harness import Ring, accepted, live_ring


def rows(ring: Ring) -> object:
    return ring.core.status(ring.now)["acknowledged"]


def test_the_time_is_from_the_sending_to_the_first_word() -> None:
    ring = live_ring()
    order = ring.new(1)
    ring.sent(order)
    assert rows(ring) == {}
    ring.journal.stamp_ns += 12_500_000
    ring.report(order, "0", "0")
    assert rows(ring) == {"generic": {"count": 1, "p50_ms": 12.5, "p99_ms": 12.5}}
    ring.journal.stamp_ns += 900_000_000
    ring.report(order, "F", "1", qty="0.25", key="a")
    assert rows(ring) == {"generic": {"count": 1, "p50_ms": 12.5, "p99_ms": 12.5}}


def test_an_order_that_was_not_seen_to_be_sent_tells_nothing() -> None:
    ring = live_ring()
    order = ring.core.books.orders["s", accepted(ring, 1).number]
    told = Acknowledgements()
    told.hear_change(Kind.INBOUND, 9, order.sent_ns + 1, order)
    assert told.rows() == {}


def test_the_percentiles_are_of_the_latest() -> None:
    ring = live_ring()
    order = ring.core.books.orders["s", accepted(ring, 1).number]
    told = Acknowledgements()
    for ms in [*[9_000] * 50, *range(1, KEPT + 1)]:
        told.hear_change(Kind.OUTBOUND, order.sent_lsn, order.sent_ns, order)
        told.hear_change(Kind.INBOUND, order.sent_lsn + 1, order.sent_ns + ms * 1_000_000, order)
    assert told.rows()[order.session] == {"count": KEPT, "p50_ms": 100.0, "p99_ms": 198.0}
