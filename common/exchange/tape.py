"""What everybody may know of a symbol's trades: the last ones, and a day of candles of a minute."""

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from common.exchange.changes import Traded
from common.exchange.order import BUY, ZERO
from common.instant import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
DAY_MINUTES = 1440
TRADES_KEPT = 1000


class PublicTrade(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One trade without its parties; `taker_side` is who came second, Side(54). Unix nanoseconds."""

    trade_id: int
    px: Decimal
    qty: Decimal
    taker_side: str
    stamp_ns: int


class Candle(msgspec.Struct, array_like=True, gc=False):
    """The trades of a span of time that begins at `open_ns`, Unix. `volume` is in the base asset, `value` in the quote
    asset; those that begin with `bought` are of what takers bought.
    """

    open_ns: int
    open_px: Decimal
    high_px: Decimal
    low_px: Decimal
    close_px: Decimal
    volume: Decimal = ZERO
    value: Decimal = ZERO
    bought_volume: Decimal = ZERO
    bought_value: Decimal = ZERO
    first_trade_id: int = 0
    trades: int = 0

    def take(self, other: "Candle") -> None:
        """Make this one reach to the end of `other`, which follows it."""
        if not self.trades:
            self.open_px, self.high_px, self.low_px = other.open_px, other.high_px, other.low_px
            self.first_trade_id = other.first_trade_id
        self.high_px, self.low_px = max(self.high_px, other.high_px), min(self.low_px, other.low_px)
        self.close_px = other.close_px
        self.volume += other.volume
        self.value += other.value
        self.bought_volume += other.bought_volume
        self.bought_value += other.bought_value
        self.trades += other.trades


def _of_nothing(open_ns: int, px: Decimal) -> Candle:
    """A span without a trade: at the price before it."""
    return Candle(open_ns, px, px, px, px)


def _of_one(trade: Traded) -> Candle:
    """What a single trade adds to its minute."""
    value = trade.px * trade.qty
    bought = (trade.qty, value) if trade.taker_side == BUY else (ZERO, ZERO)
    open_ns = trade.stamp_ns - trade.stamp_ns % MINUTE_NS
    return Candle(
        open_ns, trade.px, trade.px, trade.px, trade.px, trade.qty, value, *bought, trade.trade_id, 1,
    )  # fmt: skip


class Tape:
    """One symbol's. Minutes without a trade are not kept; times never go back, whatever the exchange's clock does."""

    def __init__(self, trades: Iterable[PublicTrade] = (), minutes: Iterable[Candle] = ()) -> None:
        self.trades: deque[PublicTrade] = deque(trades, TRADES_KEPT)
        self.minutes: deque[Candle] = deque(minutes, DAY_MINUTES)

    def take(self, trade: Traded) -> None:
        """One more trade."""
        self.trades.append(PublicTrade(trade.trade_id, trade.px, trade.qty, trade.taker_side, trade.stamp_ns))
        candle = _of_one(trade)
        if self.minutes and candle.open_ns <= self.minutes[-1].open_ns:
            self.minutes[-1].take(candle)
        else:
            self.minutes.append(candle)

    def candles(self, span_ns: int, from_ns: int, to_ns: int) -> Iterator[Candle]:
        """Candles of `span_ns`, whole minutes, each beginning at a multiple of it, from the one in which `from_ns` is,
        or the first trade that is kept, to the one of `to_ns`. One without a trade is at the price before it.
        """
        if not self.minutes:
            return
        first_ns = max(from_ns, self.minutes[0].open_ns)
        open_ns = first_ns - first_ns % span_ns
        before = [candle for candle in self.minutes if candle.open_ns < open_ns]
        px = before[-1].close_px if before else self.minutes[0].open_px
        rest = deque(candle for candle in self.minutes if candle.open_ns >= open_ns)
        while open_ns <= to_ns:
            candle = _of_nothing(open_ns, px)
            while rest and rest[0].open_ns < open_ns + span_ns:
                candle.take(rest.popleft())
            yield candle
            open_ns, px = open_ns + span_ns, candle.close_px

    def whole(self, from_ns: int) -> Candle:
        """One candle of all minutes that have begun since `from_ns`; of no trade where there was none."""
        last_px = self.minutes[-1].close_px if self.minutes else ZERO
        whole = _of_nothing(from_ns, last_px)
        for candle in self.minutes:
            if candle.open_ns >= from_ns:
                whole.take(candle)
        return whole
