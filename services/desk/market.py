"""The venues' prices as their market data sessions publish them: heard while somebody looks, else not at all."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
import zmq
import zmq.asyncio

from common.actor.curve import join
from common.actor.start import curve_for
from common.config import Config, Kind
from common.decimals import short
from common.instant import NS_PER_MS, Instant
from common.messages import UNDECODABLE, FeedMessage, TopOfBook, Traded

KEPT_TRADES: Final = 50
HEARD_AT_ONCE: Final = 200
LOOK_S: Final = 0.5
OLD_MS: Final = 5_000
"""A price that is older is shown as stale."""

_decode = msgspec.msgpack.Decoder(FeedMessage).decode


class Market:
    """The best prices of each symbol, and the last trades."""

    def __init__(self, config: Config) -> None:
        """Nothing is heard until `listen`."""
        self._config = config
        self._tops: dict[tuple[str, str], TopOfBook] = {}
        self._trades: deque[Traded] = deque(maxlen=KEPT_TRADES)
        self._curve = curve_for(config, Kind.DESK)

    async def listen(self, is_wanted: Callable[[], bool]) -> None:
        """Hear every feed for as long as it is wanted."""
        context = zmq.asyncio.Context()
        sock = context.socket(zmq.SUB)
        try:
            sock.setsockopt(zmq.RCVHWM, 1_000)
            sock.setsockopt(zmq.SUBSCRIBE, b"")
            for venue in self._config.venues:
                join(sock, self._config.endpoint(f"feed.{venue}"), self._curve)
            while is_wanted():
                if not await sock.poll(LOOK_S * 1000):
                    continue
                for _ in range(HEARD_AT_ONCE):
                    try:
                        self.hear(await sock.recv(zmq.NOBLOCK))
                    except zmq.Again:
                        break
                # Prices are shown once a second: what came meanwhile is heard together.
                await asyncio.sleep(LOOK_S / 5)
        finally:
            if self._curve is not None:
                self._curve.close()
            context.destroy(linger=0)
            self._tops.clear()

    def hear(self, data: bytes) -> None:
        """Take one message of a feed; what is none is left."""
        try:
            message = _decode(data)
        except UNDECODABLE:
            return
        if isinstance(message, TopOfBook):
            self._tops[message.venue, message.symbol] = message
        else:
            self._trades.append(message)

    def document(self, now: Instant) -> dict[str, Any]:
        """The page, the latest trade of all venues first. Ages are by this host's clock, in milliseconds."""
        trades = sorted(self._trades, key=lambda trade: trade.heard_ns, reverse=True)
        return {
            "tops": [_top_row(top, now) for _, top in sorted(self._tops.items())],
            "trades": [_trade_row(trade, now) for trade in trades],
        }


def _top_row(top: TopOfBook, now: Instant) -> dict[str, Any]:
    age_ms = None if not top.heard_ns else max(0, (now.wall_ns - top.heard_ns) // NS_PER_MS)
    bid, ask = top.bid_px, top.ask_px
    return {
        "venue": top.venue, "symbol": top.symbol, "bid": "" if bid is None else short(bid),
        "bid_qty": short(top.bid_qty), "ask": "" if ask is None else short(ask), "ask_qty": short(top.ask_qty),
        "spread": "" if bid is None or ask is None else short(ask - bid),
        "last": "" if top.last_px is None else short(top.last_px),
        "age_ms": age_ms, "stale": age_ms is None or age_ms > OLD_MS,
    }  # fmt: skip


def _trade_row(trade: Traded, now: Instant) -> dict[str, Any]:
    return {
        "venue": trade.venue, "symbol": trade.symbol, "price": short(trade.px), "qty": short(trade.qty),
        "taker": {"1": "buys", "2": "sells"}.get(trade.taker_side, ""),
        "age_ms": max(0, (now.wall_ns - trade.heard_ns) // NS_PER_MS),
    }  # fmt: skip
