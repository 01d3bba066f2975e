"""Take-profit orders, stops that follow the market, and orders that have their price from the book."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.exchange.engine import Engine, Refusal
from common.exchange.order import BUY, SELL, STOP, STOP_LIMIT, Order, trigger_px
from common.exchange.state import State
from tests.common.exchange.harness import at, make_engine, placed, terms
from tests.common.exchange.test_stops import again, traded

D = Decimal


def at_price(engine: Engine, price: str) -> None:
    """A trade of two strangers there, whatever else rests."""
    offer = placed(engine, f"p{engine.state.next_order_id}", SELL, "1", price, account="")
    if offer.is_open:
        engine.take_from(offer, offer.leaves_qty, at())


def sleeper(
    engine: Engine, name: str, side: str, stop_px: str | None, price: str | None = None, **others: Any
) -> Order:
    ord_type = STOP if price is None else STOP_LIMIT
    px = None if stop_px is None else D(stop_px)
    return placed(engine, name, side, "1", price, ord_type=ord_type, stop_px=px, **others)


def trailing(engine: Engine, name: str, side: str, bips: str, stop_px: str | None = None, **others: Any) -> Order:
    follows: dict[str, Any] = {"peg_price_type": "8", "peg_offset": D(bips), "peg_offset_type": "1", **others}
    return sleeper(engine, name, side, stop_px, **follows)


@pytest.mark.parametrize(
    ("side", "target", "short_of", "reached"), [(SELL, "110", "109", "110"), (BUY, "90", "91", "89")]
)
def test_a_take_profit_order_wakes_at_a_better_price(side: str, target: str, short_of: str, reached: str) -> None:
    engine = make_engine()
    traded(engine, "100")
    order = sleeper(engine, "target", side, target, take_profit=True)
    at_price(engine, short_of)
    assert order.sleeps
    at_price(engine, reached)
    assert order.triggered
    wrong = terms("other", side, "1", None, ord_type=STOP, stop_px=D(100), take_profit=True)
    assert engine.check(wrong) is Refusal.WOULD_TRIGGER


@pytest.mark.parametrize(
    ("side", "bips", "stop_px", "take_profit", "path", "wakes"),
    [
        # The venue's own page on trailing stops, scenarios A to E, a hundredth of their prices.
        (BUY, "500", "440", False, "400 370 440 450 460 420", "441"),
        (SELL, "1000", "390", False, "400 415 390 370 410", "369"),
        (BUY, "850", "380", True, "400 420 380 370 390 380", "401.45"),
        (SELL, "750", "420", True, "400 415 390 420 450 440 465", "430.12"),
        (SELL, "700", None, False, "400 420 395 455", "423.15"),
    ],
)
def test_a_trailing_stop_follows_the_market_as_the_venue_shows(
    side: str, bips: str, stop_px: str | None, take_profit: bool, path: str, wakes: str
) -> None:
    engine = make_engine()
    first, *later = path.split()
    traded(engine, first)
    order = trailing(engine, "follows", side, bips, stop_px, take_profit=take_profit)
    for price in later:
        at_price(engine, price)
        assert order.sleeps, price
    short_of = D(wakes) + (D("-0.01") if side == BUY else D("0.01"))
    at_price(engine, str(short_of))
    assert order.sleeps
    at_price(engine, wakes)
    assert order.triggered


def test_one_by_price_follows_so_far_in_the_quote_asset() -> None:
    engine = make_engine()
    traded(engine, "100")
    order = trailing(engine, "follows", SELL, "5", peg_offset_type="0")
    for price in ("103", "98.01"):
        at_price(engine, price)
        assert order.sleeps
    at_price(engine, "98")
    assert order.triggered


@given(st.lists(st.integers(100, 700), min_size=1, max_size=12), st.sampled_from([BUY, SELL]), st.integers(10, 2000))
def test_it_wakes_at_the_first_trade_so_far_from_the_best_and_is_the_same_from_the_log(
    path: list[int], side: str, bips: int
) -> None:
    engine = make_engine()
    traded(engine, "400")
    order = trailing(engine, "follows", side, str(bips))
    best = D(400)
    for price in map(D, path):
        best = min(best, price) if side == BUY else max(best, price)
        at_price(engine, str(price))
        wanted = trigger_px(order.terms, best)
        assert order.triggered == (price >= wanted if side == BUY else price <= wanted)
        if order.triggered:
            break
    dumped = engine.state.dump()
    from_snapshot = State(engine.state.instruments.values())
    from_snapshot.load(dumped)
    assert again(engine).dump() == from_snapshot.dump() == dumped


@pytest.mark.parametrize(
    ("side", "peg", "levels", "price"),
    [
        (BUY, "5", 0, "99"), (BUY, "5", 2, "97"), (BUY, "4", 0, "101"), (BUY, "4", 1, "102"), (BUY, "5", 3, None),
        (SELL, "5", 0, "101"), (SELL, "5", 2, "103"), (SELL, "4", 0, "99"),
    ],
)  # fmt: skip
def test_a_pegged_order_s_price_is_that_of_the_book_as_it_stands(
    side: str, peg: str, levels: int, price: str | None
) -> None:
    engine = make_engine()
    for depth in range(3):
        placed(engine, f"b{depth}", BUY, "1", str(99 - depth), account="")
        placed(engine, f"s{depth}", SELL, "1", str(101 + depth), account="")
    found = engine.pegged_price("BTCUSDT", side, peg, levels)
    assert found == (None if price is None else D(price))
    assert engine.pegged_price("NONE", side, peg) is None


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"peg_offset": None}, Refusal.TRAILING_DELTA),
        ({"peg_offset": D(0)}, Refusal.TRAILING_DELTA),
        ({"peg_offset": D(10_000)}, Refusal.TRAILING_DELTA),
        ({"peg_offset": D(10_000), "peg_offset_type": "0"}, None),
        ({"stop_px": D("90.001")}, Refusal.BAD_PRICE),
        ({"ord_type": "1"}, Refusal.BAD_TERMS),
        ({"peg_price_type": ""}, Refusal.BAD_TERMS),
        ({}, None),
    ],
)
def test_what_cannot_trail_is_refused(changes: dict[str, object], refusal: Refusal | None) -> None:
    engine = make_engine()
    traded(engine, "100")
    follows: dict[str, Any] = {"peg_price_type": "8", "peg_offset": D(100), "peg_offset_type": "1"}
    assert engine.check(terms("t", SELL, "1", None, **{"ord_type": STOP, **follows, **changes})) is refusal
