"""The blotter: a line for all that moves a position, and the lines add up to the positions."""

from collections import Counter
from decimal import Decimal
from typing import Any

import orjson

from common.messages import Booked, Kind
from common.orders.blotter import Blotter, BlotterLine, LineKind
from common.orders.books import Books
from common.orders.fold import Fold
from tests.services.orders.harness import Ring, accepted, settings
from tests.services.orders.test_operator import asked

D = Decimal


def lines_of(ring: Ring) -> list[BlotterLine]:
    facts = {name: account.facts for name, account in settings().accounts.items()}
    blotter = Blotter(Fold(Books(facts)))
    return [line for record in ring.journal.records for line in blotter.take_record(record)]


def test_every_kind_of_line_and_that_they_add_up(ring: Ring) -> None:
    order = accepted(ring, 1, qty="10")
    ring.report(order, "F", "1", qty="2", px="100", key="1/a", cum_qty=D(2), fee_qty=D("0.1"), fee_asset="USDT")
    ring.report(order, "F", "1", qty="3", px="101", key="1/b", cum_qty=D(5), maker=True)
    ring.report(order, "G", "1", qty="2", px="99", key="1/c", reference_trade_key="1/a", cum_qty=D(5))
    ring.report(order, "H", "1", key="1/d", reference_trade_key="1/b", cum_qty=D(2))
    ring.record("orders", Kind.BOOKED, Booked("generic", "BTCUSDT", "s", D(-1), D(98), "me", "out"))
    lines = lines_of(ring)
    assert [(line.kind, line.qty, line.px) for line in lines] == [
        (LineKind.FILL, D(2), D(100)), (LineKind.FILL, D(3), D(101)),
        (LineKind.CORRECTED, D(-2), D(100)), (LineKind.CORRECTED, D(2), D(99)),
        (LineKind.TAKEN_BACK, D(-3), D(101)), (LineKind.BOOKED, D(-1), D(98)),
    ]  # fmt: skip
    assert [line.maker for line in lines[:2]] == [False, True] and lines[0].number == 1
    own = ring.core.books.own["s", "generic", "BTCUSDT"]
    assert (sum(line.qty for line in lines), -sum(line.value for line in lines)) == (own.quantity, own.cash)
    paid: Counter[str] = Counter()
    for line in lines:
        paid.update(dict(line.fees))
    assert paid["USDT"] == own.fees["USDT"]


def test_a_fill_that_finds_its_order_leaves_nobody_s_part(ring: Ring) -> None:
    order = ring.new(1)
    ring.sent(order)
    ring.report(order, "0", "0", order_id="")
    ring.report(order, "F", "1", qty="1", px="0", key="1/t", order_id="V9", cl_ord_id="", cum_qty=D(1))
    ring.report(order, "I", "2", order_id="V9", cum_qty=D(1))
    assert [(line.strategy, line.qty) for line in lines_of(ring)] == [("", D(1)), ("", D(-1)), ("s", D(1))]


def test_closed_orders_are_told_the_latest_first(ring: Ring) -> None:
    for number in (1, 2, 3):
        ring.report(accepted(ring, number), "4", "4")
    assert [order.number for order in asked(ring, "closed").orders] == [3, 2, 1]
    assert [order.number for order in asked(ring, "closed", number=1).orders] == [3]
    assert not asked(ring, "closed", strategy="t").orders


def test_what_is_asked_about_is_told_with_what_is_missing_and_when_it_is_asked_again(ring: Ring) -> None:
    order = accepted(ring, 1, qty="5")
    ring.report(order, "I", "1", cum_qty=D(2))
    ring.pass_time(3000)
    rows: Any = ring.core.status(ring.now)["in_doubt"]
    (row,) = rows
    assert (row["order"], row["lacks"]) == ("s/1", ["the trades of 2 that CumQty(14) tells"])
    assert row["asked"] >= 2 and 0 <= row["next_ms"] <= 5000 and row["by"] == "FIX"
    assert orjson.dumps(row)
