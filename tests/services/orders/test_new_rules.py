"""A rule that has changed is heard of at the first start after an upgrade, by what it changed, and once."""

from decimal import Decimal

import msgspec

from common.messages import Discrepancy, Kind
from services.orders.core import OrdersCore
from services.orders.new_rules import ACTION, MOST_TOLD, FoldSummary, standing_of
from tests.services.orders.harness import Ring, accepted

_decode = msgspec.msgpack.Decoder(Discrepancy).decode


def told(ring: Ring) -> list[Discrepancy]:
    """The discrepancies of the log that name the new rules."""
    found = [_decode(r.payload) for r in ring.journal.records if r.kind == Kind.DISCREPANCY]
    return [each for each in found if each.action == ACTION]


def start_anew(ring: Ring, before: FoldSummary) -> None:
    """Today's program starts on a log that an older one has read: it had come to `before`."""
    ring.core = OrdersCore(ring.settings, before=before)
    ring.core.started(ring.now)
    ring.settle()
    ring.go_live()


def with_a_fill(ring: Ring) -> FoldSummary:
    order = accepted(ring, 1)
    ring.report(order, "F", "1", qty="0.4", key="1/t1", cum_qty=Decimal("0.4"))
    return standing_of(ring.core.books, 3)


def test_the_same_result_is_no_news(ring: Ring) -> None:
    start_anew(ring, with_a_fill(ring))
    assert told(ring) == []


def test_another_position_and_another_order_are_told_once(ring: Ring) -> None:
    standing = with_a_fill(ring)
    before = standing._replace(
        positions={("generic", "BTCUSDT"): Decimal(1)}, orders={("s", 1): (False, "FILLED", Decimal(1))}
    )
    start_anew(ring, before)
    position, order = told(ring)
    assert (position.account, position.subject) == ("generic", "BTCUSDT")
    assert (position.ours, position.theirs) == ("position 0.4", "position 1 by the rules of version 3")
    assert (order.subject, order.ours) == ("s/1", "PARTIALLY_FILLED, 0.4 filled")
    assert order.theirs == "FILLED, 1 filled by the rules of version 3"
    assert position.evidence_lsn == before.lsn
    # Before there is a snapshot of its own the next start has the same to compare, and finds that it was told.
    start_anew(ring, before)
    assert len(told(ring)) == 2


def test_a_closed_order_that_only_one_of_them_remembers_is_no_news(ring: Ring) -> None:
    standing = with_a_fill(ring)
    start_anew(ring, standing._replace(orders={**standing.orders, ("s", 0): (False, "FILLED", Decimal(1))}))
    assert told(ring) == []


def test_an_open_order_that_is_not_there_any_more_is(ring: Ring) -> None:
    standing = with_a_fill(ring)
    start_anew(ring, standing._replace(orders={**standing.orders, ("s", 0): (True, "NEW", Decimal(0))}))
    assert [(each.subject, each.ours) for each in told(ring)] == [("s/0", "not there")]


def test_of_many_differences_the_first_are_told_and_all_are_counted(ring: Ring) -> None:
    standing = with_a_fill(ring)
    lost = {("t", number): (True, "NEW", Decimal(0)) for number in range(MOST_TOLD + 5)}
    start_anew(ring, standing._replace(orders={**standing.orders, **lost}))
    assert len(told(ring)) == MOST_TOLD + 1
    assert told(ring)[-1].ours == f"{MOST_TOLD + 5} differences"
