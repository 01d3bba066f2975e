"""The public tape of a symbol: what is kept of its trades, and what candles come of it."""

from decimal import Decimal
from pathlib import Path

import pytest

from common.exchange.changes import Traded
from common.exchange.tape import DAY_MINUTES, MINUTE_NS, TRADES_KEPT, Tape
from tests.common.exchange.harness import WALL_NS, Client, World

D = Decimal


def traded(tape: Tape, number: int, px: str, qty: str, at_ns: int, taker_side: str = "1") -> None:
    fee = D(0)
    tape.take(Traded(number, number, "BTCUSDT", 1, 2, D(px), D(qty), fee, fee, WALL_NS + at_ns, taker_side))


@pytest.fixture
def tape() -> Tape:
    """Two trades in the first minute, none in the second, one in the third."""
    tape = Tape()
    traded(tape, 1, "100", "1", 0)
    traded(tape, 2, "90", "2", MINUTE_NS - 1, "2")
    traded(tape, 3, "110", "1", 2 * MINUTE_NS)
    return tape


def test_a_minute_without_a_trade_is_at_the_price_before_it(tape: Tape) -> None:
    first, second, third = tape.candles(MINUTE_NS, WALL_NS, WALL_NS + 2 * MINUTE_NS)
    assert (first.open_px, first.high_px, first.low_px, first.close_px) == (D(100), D(100), D(90), D(90))
    assert (first.volume, first.value, first.bought_volume, first.bought_value) == (D(3), D(280), D(1), D(100))
    assert (first.first_trade_id, first.trades) == (1, 2)
    assert (second.open_px, second.high_px, second.low_px, second.close_px, second.trades) == (*[D(90)] * 4, 0)
    assert (third.open_px, third.close_px, third.trades) == (D(110), D(110), 1)


def test_longer_candles_are_made_of_minutes(tape: Tape) -> None:
    (hour,) = tape.candles(60 * MINUTE_NS, WALL_NS, WALL_NS + MINUTE_NS)
    assert (hour.open_ns, hour.open_px, hour.high_px, hour.low_px, hour.close_px) == (
        WALL_NS, D(100), D(110), D(90), D(110),
    )  # fmt: skip
    (rest,) = tape.candles(MINUTE_NS, WALL_NS + 2 * MINUTE_NS, WALL_NS + 2 * MINUTE_NS)
    assert rest.trades == 1
    assert (tape.whole(WALL_NS).trades, tape.whole(WALL_NS + MINUTE_NS).volume) == (3, D(1))


def test_without_a_trade_there_is_no_candle() -> None:
    assert list(Tape().candles(MINUTE_NS, 0, WALL_NS)) == [] and Tape().whole(0).trades == 0


def test_a_clock_that_was_set_back_adds_to_the_last_minute(tape: Tape) -> None:
    traded(tape, 4, "80", "1", MINUTE_NS)
    assert [candle.trades for candle in tape.minutes] == [2, 2] and tape.minutes[-1].close_px == D(80)


def test_no_more_is_kept_than_a_day_and_the_last_trades() -> None:
    tape = Tape()
    for number in range(DAY_MINUTES + 10):
        traded(tape, number, "100", "1", number * MINUTE_NS)
    assert (len(tape.minutes), len(tape.trades)) == (DAY_MINUTES, TRADES_KEPT)
    assert tape.trades[-1].trade_id == DAY_MINUTES + 9


@pytest.mark.parametrize("snapshot", [False, True])
def test_the_tape_outlives_the_exchange(tmp_path: Path, snapshot: bool) -> None:
    world = World(tmp_path)
    Client(world).order("a", "2", "2", "1000")
    order = world.core.venue.state.find("desk", "a")
    assert order is not None
    world.core.venue.fill_late(order, world.now)
    world.pump()
    before = world.core.venue.state.tapes["BTCUSDT"]
    if snapshot:
        world.core.venue.store.snapshot()
    world.kill()
    after = world.core.venue.state.tapes["BTCUSDT"]
    assert after is not before and len(after.trades) == 1
    assert (after.trades, after.minutes) == (before.trades, before.minutes)
