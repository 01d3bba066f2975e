"""Background traders: they quote around a price that walks at random, and now and then take what is there.

All randomness comes from the `random.Random` that is handed in, and all prices are whole ticks, so a run can be
repeated.
"""

from decimal import Decimal
from random import Random

from common.contracts import InstrumentKind
from common.exchange.book import Book
from common.exchange.engine import Engine
from common.exchange.order import (
    BUY,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    SELL,
    Order,
    Terms,
)
from common.exchange.settings import Instrument
from common.instant import Instant

# How many orders the traders keep on one side of a book; older ones give way, so that books stay small.
RESTING_PER_SIDE = 40
# A price walks at most this share away from where it began: a strategy that runs for weeks should still make sense.
WALK_LIMIT = 10
# One step of the walk and the spread of quotes, in millionths of the price.
STEP_PPM = 60
SPREAD_PPM = 400
# A usual size in the quote asset; of an option, whose price says little of its size, in smallest orders.
NOTIONAL = 2000
OPTION_ORDERS = 20


class Traders:
    """All background traders of one exchange, who act in turn on its engine."""

    def __init__(self, engine: Engine, instruments: tuple[Instrument, ...], random: Random) -> None:
        """Takes the fair price of each symbol from its book, or from the instrument where the book is empty."""
        self._engine = engine
        self._instruments = instruments
        self._random = random
        self._fair = {i.symbol: _fair_ticks(i, engine.state.books[i.symbol]) for i in instruments}
        self._resting: dict[tuple[str, str], list[int]] = {}
        for order in engine.state.orders.values():
            if not order.account:
                self._resting.setdefault((order.symbol, order.side), []).append(order.order_id)

    def furnish(self, now: Instant) -> None:
        """Fill books that are short of orders, so that the first minute has a market."""
        for instrument in self._instruments:
            for side in (BUY, SELL):
                for _ in range(RESTING_PER_SIDE // 2 - len(self._resting.get((instrument.symbol, side), ()))):
                    self._quote(instrument, side, now)

    def act(self, now: Instant) -> None:
        """One trader does one thing."""
        random = self._random
        instrument = self._instruments[random.randrange(len(self._instruments))]
        self._walk(instrument)
        side = BUY if random.random() < 0.5 else SELL
        if random.random() < 0.25:
            self._take(instrument, side, now)
        else:
            self._quote(instrument, side, now)

    def _walk(self, instrument: Instrument) -> None:
        start = int(instrument.start_price / instrument.tick_size)
        step = max(1, start * STEP_PPM // 1_000_000)
        fair = self._fair[instrument.symbol] + self._random.randint(-step, step)
        self._fair[instrument.symbol] = min(max(fair, start - start // WALK_LIMIT), start + start // WALK_LIMIT)

    def _quote(self, instrument: Instrument, side: str, now: Instant) -> None:
        fair = self._fair[instrument.symbol]
        spread = max(2, fair * SPREAD_PPM // 1_000_000)
        away = 1 + min(self._random.randrange(spread), self._random.randrange(spread))
        ticks = max(1, fair - away if side == BUY else fair + away)
        order = self._place(instrument, side, ticks, GOOD_TILL_CANCEL, now)
        if order is None or not order.resting:
            return
        resting = self._resting.setdefault((instrument.symbol, side), [])
        resting.append(order.order_id)
        while len(resting) > RESTING_PER_SIDE:
            old = self._engine.state.orders.get(resting.pop(0))
            if old is not None:
                self._engine.cancel(old, now)

    def _take(self, instrument: Instrument, side: str, now: Instant) -> None:
        best = self._engine.state.books[instrument.symbol].opposite(side).best()
        if best is not None:
            self._place(instrument, side, int(best.price / instrument.tick_size), IMMEDIATE_OR_CANCEL, now)

    def _place(self, instrument: Instrument, side: str, ticks: int, time_in_force: str, now: Instant) -> Order | None:
        price = ticks * instrument.tick_size
        contract = instrument.contract
        is_option = contract.kind is InstrumentKind.OPTION
        usual = OPTION_ORDERS * instrument.min_qty if is_option else contract.quantity(price, Decimal(NOTIONAL))
        usual /= instrument.lot_size
        lots = max(1, int(usual * self._random.randint(5, 200) / 100))
        qty = min(max(lots * instrument.lot_size, instrument.min_qty), instrument.max_qty)
        order = self._engine.new(Terms("", "", "", instrument.symbol, side, LIMIT, qty, price, time_in_force), now)
        return order if isinstance(order, Order) else None


def _fair_ticks(instrument: Instrument, book: Book) -> int:
    bid, ask = book.bids.best(), book.asks.best()
    if bid is not None and ask is not None:
        price = (bid.price + ask.price) / 2
    else:
        price = book.last_px or instrument.start_price
    return int(price / instrument.tick_size)
