"""What a drop copy tells beside order entry: it counts once, whoever is first, and nothing waits for it."""

from common.messages import ExecutionReport, Inbound, Kind, OpenGate, SessionState
from services.dropcopy.core import counts
from tests.services.orders.harness import D, Ring, accepted, report
from tests.services.orders.test_several import fill, fills


def copied(ring: Ring, event: ExecutionReport) -> None:
    """The drop copy's word of the same report is in the log."""
    record = Inbound(
        "genericdc", 0, 7, 1, "8", b"raw", counts(event), account="generic", venue="generic", drop_copy=True
    )
    ring.record("dropcopy@genericdc", Kind.INBOUND, record)


def test_a_fill_told_by_both_counts_once_whoever_is_first(ring: Ring) -> None:
    order = accepted(ring, 1)
    first, second = fill(order, "a", "0.25", "0.25"), fill(order, "b", "0.75", "1")
    ring.told("generic", first)
    copied(ring, first)
    copied(ring, second)
    ring.told("generic", second)
    told = ring.core.books.orders["s", 1]
    assert (told.cum_qty, told.status.value, ring.positions()[-1].quantity) == (D(1), "FILLED", D(1))
    assert fills(ring) == [("a", "0.25"), ("b", "0.75")]


def test_a_fill_counts_before_order_entry_has_accepted_the_order(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    copied(ring, fill(order, "a", "0.25", "0.25"))
    ring.report(order, "0", "0")
    ring.told("generic", fill(order, "a", "0.25", "0.25"))
    told = ring.core.books.orders["s", 1]
    assert (told.cum_qty, told.is_closed, told.in_doubt) == (D("0.25"), False, False)
    ring.start()
    ring.go_live()
    assert ring.core.books.orders["s", 1].cum_qty == D("0.25"), "and in the next life"


def test_an_end_is_believed_and_what_is_of_the_past_is_not(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.told("generic", report(order, "5", "0", order_qty=D(2), leaves_qty=D(2), cum_qty=D(0)))
    before = ring.core.books.orders["s", 1]
    terms = (before.order_qty, before.price)
    stale = fill(order, "a", "0.25", "0.25")
    copied(ring, stale)
    copied(ring, report(order, "0", "0"))
    after = ring.core.books.orders["s", 1]
    assert (after.order_qty, after.price) == terms and after.cum_qty == D("0.25")
    copied(ring, report(order, "4", "4", cum_qty=D("0.25"), leaves_qty=D(0)))
    assert ring.core.books.orders["s", 1].status.value == "CANCELED"


def test_it_is_no_session_that_anything_waits_for_or_is_sent_to(ring: Ring) -> None:
    order = accepted(ring, 1)
    gates = len([each for each in ring.commands if isinstance(each, OpenGate)])
    ring.session("generic", SessionState.DISCONNECTED)
    copied(ring, fill(order, "a", "0.25", "0.25"))
    books = ring.core.books
    assert "genericdc" not in books.sessions and not books.is_logged_on("generic")
    assert len([each for each in ring.commands if isinstance(each, OpenGate)]) == gates
    assert books.orders["s", 1].cum_qty == D("0.25")
