"""Iceberg orders: what is seen of them, when the next part is, and that nothing of them is lost."""

from decimal import Decimal

import pytest

from common.exchange.changes import decode_changes, encode_changes
from common.exchange.engine import Engine, Refusal
from common.exchange.order import Asked, Order
from common.exchange.state import State
from tests.common.exchange.harness import at, make_engine, placed, terms

D = Decimal


def iceberg(engine: Engine, qty: str = "5", shown: str = "2") -> Order:
    return placed(engine, "i", "1", qty, "100", display_qty=D(shown))


def seen(engine: Engine) -> Decimal:
    return engine.state.books["BTCUSDT"].bids.qty_at(D(100))


def sell(engine: Engine, qty: str) -> None:
    placed(engine, f"s{engine.state.next_order_id}", "2", qty, "100", account="", time_in_force="3")


def test_no_more_than_the_shown_quantity_is_seen_and_all_of_it_trades() -> None:
    engine = make_engine()
    order = iceberg(engine)
    told = [seen(engine)]
    for qty in ("1", "1", "2"):
        sell(engine, qty)
        told.append(seen(engine))
    assert told == [2, 1, 2, 1]
    sell(engine, "9")
    assert (seen(engine), order.ord_status, order.cum_qty) == (D(0), "2", D(5))


def test_one_order_takes_all_parts() -> None:
    engine = make_engine()
    order = iceberg(engine)
    placed(engine, "all", "2", "5", "100", account="", time_in_force="4")
    assert (order.cum_qty, len(engine.take_trades())) == (D(5), 3)


def test_each_next_part_stands_behind_the_others_at_its_price() -> None:
    engine = make_engine()
    order = iceberg(engine)
    other = placed(engine, "o", "1", "1", "100", account="")
    sell(engine, "3")
    assert (order.cum_qty, other.ord_status, seen(engine)) == (D(2), "2", D(2))


def test_a_lower_quantity_is_taken_from_what_is_not_seen() -> None:
    engine = make_engine()
    order = iceberg(engine)
    engine.reduce(order, Asked("i"), D(3), at())
    assert seen(engine) == 2
    engine.reduce(order, Asked("i"), D(1), at())
    assert seen(engine) == 1
    engine.cancel(order, at())
    assert seen(engine) == 0


def test_what_is_seen_is_the_same_from_the_changes_and_from_a_snapshot() -> None:
    engine = make_engine()
    iceberg(engine)
    sell(engine, "1")
    placed(engine, "o", "1", "1", "100")
    states = [State(engine.state.instruments.values()) for _ in range(2)]
    states[0].load(engine.state.dump())
    for change in decode_changes(encode_changes(engine.take_changes())):
        states[1].apply(change)
    for state in states:
        level = state.books["BTCUSDT"].bids.best()
        assert level is not None and level.qty == seen(engine) == 2
        assert [(o.cl_ord_id, o.visible_qty, o.leaves_qty) for o in level.orders.values()] == [
            ("i", D(1), D(4)), ("o", D(1), D(1)),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("others", "refusal"),
    [
        ({"display_qty": D(0)}, Refusal.BAD_QTY),
        ({"display_qty": D("0.0000001")}, Refusal.BAD_QTY),
        ({"time_in_force": "3"}, Refusal.BAD_TERMS),
        ({"ord_type": "1", "price": None}, Refusal.BAD_TERMS),
        ({"display_qty": D("0.1")}, Refusal.ICEBERG),
        ({}, None),
    ],
)
def test_what_cannot_be_an_iceberg_is_refused(others: dict[str, object], refusal: Refusal | None) -> None:
    engine = make_engine()
    engine.iceberg_parts = 10
    wanted = terms("i", "1", "2", "100", display_qty=D(1))._replace(**others)  # type: ignore[arg-type]
    assert engine.check(wanted) is refusal
