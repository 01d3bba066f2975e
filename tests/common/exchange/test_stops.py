"""Stop orders: when they sleep, what wakes them, and what they are from then on."""

from decimal import Decimal

import pytest

from common.exchange.changes import Triggered, decode_changes, encode_changes
from common.exchange.engine import Engine, Refusal
from common.exchange.order import STOP, STOP_LIMIT, Asked, Order
from common.exchange.state import State
from tests.common.exchange.harness import at, make_engine, placed, terms

D = Decimal


def traded(engine: Engine, price: str) -> None:
    """A trade of two strangers at that price."""
    placed(engine, f"m{price}", "2", "1", price, account="")
    placed(engine, f"t{price}", "1", "1", price, account="")


def stop(engine: Engine, name: str, side: str, stop_px: str, price: str | None = None, qty: str = "1") -> Order:
    return placed(engine, name, side, qty, price, ord_type=STOP if price is None else STOP_LIMIT, stop_px=D(stop_px))


def again(engine: Engine) -> State:
    """The state from the changes alone."""
    state = State(engine.state.instruments.values())
    for change in decode_changes(encode_changes(engine.take_changes())):
        state.apply(change)
    return state


@pytest.mark.parametrize(
    ("side", "beyond", "stop_px", "reached"), [("1", "109", "110", "110"), ("2", "91", "90", "89")]
)
def test_a_stop_sleeps_until_a_trade_is_at_its_price_or_beyond(
    side: str, beyond: str, stop_px: str, reached: str
) -> None:
    engine = make_engine()
    traded(engine, "100")
    order = stop(engine, "stop", side, stop_px)
    placed(engine, "rests", "2" if side == "1" else "1", "1", "120" if side == "1" else "80", account="")
    traded(engine, beyond) if side == "1" else None
    assert order.sleeps and not order.cum_qty
    engine.take_from(placed(engine, "last", "2", "1", reached, account=""), D(1), at())
    assert (order.triggered, order.ord_status, order.cum_qty) == (True, "2", D(1))


def test_a_stop_limit_locks_what_it_may_spend_and_rests_once_it_is_awake() -> None:
    engine = make_engine()
    traded(engine, "100")
    order = stop(engine, "stop", "1", "110", "111")
    assert engine.state.accounts.balance("desk", "USDT").locked == 111
    assert engine.state.books["BTCUSDT"].bids.best() is None
    traded(engine, "112")
    assert order.triggered and order.resting and order.is_open
    best = engine.state.books["BTCUSDT"].bids.best()
    assert best is not None and best.price == 111
    engine.cancel(order, at())
    assert engine.state.accounts.balance("desk", "USDT").locked == 0


def test_one_stop_s_trade_wakes_the_next_oldest_first() -> None:
    engine = make_engine()
    traded(engine, "100")
    for number, price in enumerate(("110", "115", "120")):
        placed(engine, f"o{number}", "2", "1", price, account="")
    first, second = stop(engine, "first", "1", "110"), stop(engine, "second", "1", "105")
    engine.take_changes()
    traded(engine, "106")
    woken = [c.order_id for c in engine.take_changes() if isinstance(c, Triggered)]
    assert woken == [second.order_id, first.order_id]
    assert (second.cum_quote, first.cum_quote) == (D(110), D(115))
    assert not engine.state.stops["BTCUSDT"]


def test_a_stop_that_is_amended_or_cancelled_asleep_stays_off_the_book() -> None:
    engine = make_engine()
    traded(engine, "100")
    order = stop(engine, "stop", "1", "110", "111")
    assert engine.check_replace(order, "other", D(2), D(112)) is None
    engine.replace(order, Asked("other", "stop"), D(2), D(112), at())
    assert order.sleeps and not order.resting and engine.state.accounts.balance("desk", "USDT").locked == 224
    engine.cancel(order, at())
    assert not engine.state.stops["BTCUSDT"] and engine.state.accounts.balance("desk", "USDT").locked == 0


def test_sleepers_and_the_woken_are_in_the_log_and_in_the_snapshot() -> None:
    engine = make_engine()
    traded(engine, "100")
    stop(engine, "woken", "1", "105", "106")
    stop(engine, "sleeps", "2", "90")
    traded(engine, "107")
    from_log = again(engine)
    from_snapshot = State(engine.state.instruments.values())
    from_snapshot.load(engine.state.dump())
    for state in (from_log, from_snapshot):
        assert state.dump() == engine.state.dump()
        assert [order.cl_ord_id for order in state.stops["BTCUSDT"].values()] == ["sleeps"]


def test_a_stop_that_nobody_can_pay_any_more_ends_when_it_is_woken() -> None:
    engine = make_engine()
    traded(engine, "100")
    order = stop(engine, "stop", "2", "90", qty="10")
    placed(engine, "sold", "2", "10", "95")
    engine.take_from(placed(engine, "last", "1", "1", "89", account=""), D(1), at())
    assert (order.triggered, order.ord_status) == (True, "C")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"stop_px": None}, Refusal.BAD_TERMS),
        ({"stop_px": D("110.005")}, Refusal.BAD_PRICE),
        ({"stop_px": D(0)}, Refusal.BAD_PRICE),
        ({"stop_px": D(100)}, Refusal.WOULD_TRIGGER),
        ({"stop_px": D(99)}, Refusal.WOULD_TRIGGER),
        ({"time_in_force": "3"}, Refusal.BAD_TERMS),
        ({"price": D(110)}, Refusal.BAD_TERMS),
        ({"ord_type": STOP_LIMIT}, Refusal.BAD_TERMS),
        ({"ord_type": "1"}, Refusal.BAD_TERMS),
        ({}, None),
    ],
)
def test_what_is_no_stop_order_is_refused(changes: dict[str, object], refusal: Refusal | None) -> None:
    engine = make_engine()
    traded(engine, "100")
    order = terms("o", "1", "1", None)._replace(ord_type=STOP, stop_px=D(110))._replace(**changes)  # type: ignore[arg-type]
    assert engine.check(order) is refusal
