"""Background traders: a market that moves, is never crossed, never grows without bound, and repeats by seed."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from common.exchange.traders import RESTING_PER_SIDE, Traders
from tests.common.exchange.harness import BTCUSDT, ETHUSDT, at, make_engine, placed


def run(seed: int, steps: int) -> bytes:
    engine = make_engine()
    traders = Traders(engine, (BTCUSDT, ETHUSDT), Random(seed))
    traders.furnish(at())
    for step in range(steps):
        traders.act(at(step))
    for book in engine.state.books.values():
        bid, ask = book.bids.best(), book.asks.best()
        assert bid is not None and ask is not None and bid.price < ask.price
    return engine.state.dump()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_one_seed_one_market(seed: int) -> None:
    assert run(seed, 200) == run(seed, 200)


def test_books_stay_small_and_trades_happen() -> None:
    engine = make_engine()
    traders = Traders(engine, (BTCUSDT,), Random(1))
    traders.furnish(at())
    for step in range(3000):
        traders.act(at(step))
    assert engine.state.trades > 100
    assert len(engine.state.orders) <= 2 * RESTING_PER_SIDE


def test_a_quote_at_the_best_price_is_filled() -> None:
    engine = make_engine()
    traders = Traders(engine, (BTCUSDT,), Random(1))
    traders.furnish(at())
    best = engine.state.books["BTCUSDT"].asks.best()
    assert best is not None
    order = placed(engine, "q", "2", "1", str(best.price - BTCUSDT.tick_size))
    for step in range(2000):
        traders.act(at(step))
    assert order.cum_qty > 0


def test_an_empty_book_gives_nobody_anything_and_is_quoted_again() -> None:
    for seed in range(20):
        engine = make_engine()
        traders = Traders(engine, (BTCUSDT,), Random(seed))
        traders.act(at())
        assert len(engine.state.orders) <= 1 and engine.state.trades == 0
        for step in range(50):
            traders.act(at(step))
        book = engine.state.books["BTCUSDT"]
        assert book.bids.best() is not None and book.asks.best() is not None


def test_a_new_life_goes_on_where_the_old_one_was() -> None:
    engine = make_engine()
    traders = Traders(engine, (BTCUSDT,), Random(1))
    traders.furnish(at())
    count = len(engine.state.orders)
    Traders(engine, (BTCUSDT,), Random(2)).furnish(at())
    assert len(engine.state.orders) == count
