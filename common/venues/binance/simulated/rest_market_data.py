"""Binance's REST side of market data: depth, tickers, trades and candles.

Source: binance-spot-api-docs, rest-api.md, market data endpoints.
"""

from collections.abc import Mapping
from decimal import Decimal

from common.exchange.book import BookSide
from common.exchange.order import BUY, ZERO
from common.exchange.rest import Json, Parameters, Route
from common.exchange.tape import MINUTE_NS, Candle, PublicTrade
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.binance.simulated.rest import refused, row_limit, symbol_of, whole
from common.venues.binance.simulated.wire import fixed

BAD_INTERVAL = -1120
DAY_NS = 86_400 * NS_PER_S
DEFAULT_DEPTH = 100
MAX_DEPTH = 5000
INTERVALS_MINUTES = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480, "12h": 720,
    "1d": 1440,
}  # fmt: skip
"""Those of which a day of minutes makes at least one: neither seconds nor weeks are told."""


class RestMarketData:
    """The endpoints that anybody may ask."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    @property
    def routes(self) -> Mapping[tuple[str, str], Route]:
        """By method and the path below /api/v3."""
        return {
            ("GET", "depth"): Route(5, False, self._depth),
            ("GET", "trades"): Route(25, False, self._trades),
            ("GET", "aggTrades"): Route(4, False, self._aggregate_trades),
            ("GET", "klines"): Route(2, False, self._klines),
            ("GET", "ticker/24hr"): Route(2, False, self._ticker),
            ("GET", "ticker/price"): Route(2, False, self._price_ticker),
            ("GET", "ticker/bookTicker"): Route(2, False, self._book_ticker),
        }

    def _depth(self, account: str, p: Parameters, now: Instant) -> Json:
        book = self._venue.state.books[symbol_of(self._venue, p)]
        limit = max(1, min(whole(p, "limit", DEFAULT_DEPTH), MAX_DEPTH))
        return {"lastUpdateId": book.update_id, "bids": _levels(book.bids, limit), "asks": _levels(book.asks, limit)}

    def _trades(self, account: str, p: Parameters, now: Instant) -> Json:
        trades = list(self._venue.state.tapes[symbol_of(self._venue, p)].trades)
        return [_trade_json(trade) for trade in trades[-row_limit(p) :]]

    def _aggregate_trades(self, account: str, p: Parameters, now: Instant) -> Json:
        """Each trade alone, under its own number."""
        trades, limit = list(self._venue.state.tapes[symbol_of(self._venue, p)].trades), row_limit(p)
        if "fromId" in p:
            first = whole(p, "fromId")
            rows = [trade for trade in trades if trade.trade_id >= first][:limit]
        else:
            start_ms, end_ms = whole(p, "startTime", 0), whole(p, "endTime", now.wall_ns // NS_PER_MS)
            rows = [trade for trade in trades if start_ms <= trade.stamp_ns // NS_PER_MS <= end_ms]
            rows = rows[:limit] if "startTime" in p else rows[-limit:]
        return [_aggregate_json(trade) for trade in rows]

    def _klines(self, account: str, p: Parameters, now: Instant) -> Json:
        tape = self._venue.state.tapes[symbol_of(self._venue, p)]
        minutes = INTERVALS_MINUTES.get(p.get("interval", ""))
        if minutes is None:
            raise refused(400, BAD_INTERVAL, "Invalid interval.")
        span_ns, limit = minutes * MINUTE_NS, row_limit(p)
        now_ms = now.wall_ns // NS_PER_MS
        start_ms, end_ms = whole(p, "startTime", 0), min(whole(p, "endTime", now_ms), now_ms)
        candles = tape.candles(span_ns, start_ms * NS_PER_MS, end_ms * NS_PER_MS)
        rows = [candle for candle in candles if candle.open_ns >= start_ms * NS_PER_MS]
        rows = rows[:limit] if "startTime" in p else rows[-limit:]
        return [_kline(candle, span_ns) for candle in rows]

    # ---- tickers

    def _ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        """The last 24 hours, as far as minutes tell them."""
        symbol = symbol_of(self._venue, p)
        tape = self._venue.state.tapes[symbol]
        day = tape.whole(now.wall_ns - DAY_NS)
        change = day.close_px - day.open_px
        last = tape.trades[-1].qty if tape.trades else ZERO
        percent = 100 * change / day.open_px if day.open_px else ZERO
        return {
            "symbol": symbol,
            "priceChange": fixed(change),
            "priceChangePercent": f"{percent:.3f}",
            "weightedAvgPrice": fixed(day.value / day.volume if day.volume else ZERO),
            "prevClosePrice": fixed(day.open_px),
            "lastPrice": fixed(day.close_px),
            "lastQty": fixed(last),
            **self._best(symbol),
            "openPrice": fixed(day.open_px),
            "highPrice": fixed(day.high_px),
            "lowPrice": fixed(day.low_px),
            "volume": fixed(day.volume),
            "quoteVolume": fixed(day.value),
            "openTime": (now.wall_ns - DAY_NS) // NS_PER_MS,
            "closeTime": now.wall_ns // NS_PER_MS,
            "firstId": day.first_trade_id if day.trades else -1,
            "lastId": day.first_trade_id + day.trades - 1 if day.trades else -1,
            "count": day.trades,
        }

    def _best(self, symbol: str) -> dict[str, str]:
        """The best prices, zero where there is none."""
        book = self._venue.state.books[symbol]
        bid, ask = book.bids.best(), book.asks.best()
        return {
            "bidPrice": fixed(bid.price if bid else ZERO),
            "bidQty": fixed(bid.qty if bid else ZERO),
            "askPrice": fixed(ask.price if ask else ZERO),
            "askQty": fixed(ask.qty if ask else ZERO),
        }

    def _price_ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol = symbol_of(self._venue, p)
        return {"symbol": symbol, "price": fixed(self._venue.state.books[symbol].last_px or ZERO)}

    def _book_ticker(self, account: str, p: Parameters, now: Instant) -> Json:
        symbol = symbol_of(self._venue, p)
        return {"symbol": symbol, **self._best(symbol)}


def _levels(side: BookSide, limit: int) -> list[list[str]]:
    return [[fixed(level.price), fixed(level.qty)] for level, _ in zip(side.walk(), range(limit), strict=False)]


def _is_buyer_maker(trade: PublicTrade) -> bool:
    return trade.taker_side != BUY


def _trade_json(t: PublicTrade) -> Json:
    return {
        "id": t.trade_id,
        "price": fixed(t.px),
        "qty": fixed(t.qty),
        "quoteQty": fixed(t.px * t.qty),
        "time": t.stamp_ns // NS_PER_MS,
        "isBuyerMaker": _is_buyer_maker(t),
        "isBestMatch": True,
    }


def _aggregate_json(t: PublicTrade) -> Json:
    return {
        "a": t.trade_id,
        "p": fixed(t.px),
        "q": fixed(t.qty),
        "f": t.trade_id,
        "l": t.trade_id,
        "T": t.stamp_ns // NS_PER_MS,
        "m": _is_buyer_maker(t),
        "M": True,
    }


def _kline(c: Candle, span_ns: int) -> Json:
    def texts(*values: Decimal) -> list[str]:
        return [fixed(value) for value in values]

    open_ms, close_ms = c.open_ns // NS_PER_MS, (c.open_ns + span_ns) // NS_PER_MS - 1
    prices = texts(c.open_px, c.high_px, c.low_px, c.close_px, c.volume)
    return [open_ms, *prices, close_ms, fixed(c.value), c.trades, *texts(c.bought_volume, c.bought_value), "0"]
