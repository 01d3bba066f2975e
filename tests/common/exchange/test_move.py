"""The market moves to a price at once: what rests before it is taken, and what waits for that price wakes."""

from decimal import Decimal
from pathlib import Path

import pytest

from common.exchange.history import MemoryHistory
from common.exchange.order import BUY, SELL
from tests.common.exchange.harness import GENERIC, World, at, make_engine, placed
from tests.common.exchange.test_trailing_stops import at_price, sleeper

D = Decimal


@pytest.mark.parametrize(("side", "own", "beyond", "price"), [(SELL, "101", "103", "102"), (BUY, "99", "97", "98")])
def test_what_rests_before_the_price_is_filled_and_what_rests_beyond_it_stays(
    side: str, own: str, beyond: str, price: str
) -> None:
    engine = make_engine()
    at_price(engine, "100")
    filled, rests = placed(engine, "near", side, "1", own), placed(engine, "far", side, "1", beyond)
    engine.move_to("BTCUSDT", D(price), at())
    assert engine.last_px("BTCUSDT") == D(price)
    assert not filled.is_open and filled.cum_qty == 1 and rests.resting and not rests.cum_qty


def test_a_stop_order_that_waits_for_the_price_wakes_there() -> None:
    engine = make_engine()
    at_price(engine, "100")
    near, far = sleeper(engine, "near", BUY, "102"), sleeper(engine, "far", BUY, "104")
    engine.move_to("BTCUSDT", D(103), at())
    assert near.triggered and far.sleeps


def test_the_act_says_where_it_traded_and_what_it_does_not_take(tmp_path: Path) -> None:
    world = World(tmp_path, GENERIC, MemoryHistory)
    symbol = world.core.settings.instruments[0].symbol
    assert world.ask("move", symbol=symbol, price="1010") == {"last_px": "1010"}
    assert "NOPE" in world.refusal("move", symbol="NOPE", price="1010")
    for wrong in ("0", "1010.0000001", "1e30"):
        assert "price" in world.refusal("move", symbol=symbol, price=wrong)
