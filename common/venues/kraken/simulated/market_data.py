"""Kraken's simulated market data: V, x and g in; W, X, Y, y and h out.

Source: docs.kraken.com, Unified FIX, market data and checksums, as of May 2026. Level 3 is not simulated.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from zlib import crc32

from common.exchange.changes import Traded
from common.exchange.feed import BID, OFFER, Entry, Subscription
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_market_data import FixMarketData
from common.exchange.requests import Request
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.fix.wire import utc_timestamp
from common.instant import Instant

DEPTHS = (0, 1, 10, 25, 100, 500, 1000)
SUMMED = 10
ONLINE = "2"
NOW = "273=\x01"
"""MDEntryTime(273) as it is written before the message is sent, when its time is known."""

_SIDE_LETTERS = {BID: "B", OFFER: "O"}


def floating(value: Decimal) -> str:
    """A number as market data has it: without needless zeros, but for one behind the point."""
    whole, _, decimals = format(value, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


class KrakenForm:
    """How Kraken writes W and X."""

    replaces_top = False

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The best prices, the offers first."""
        ordered = sorted(entries, key=lambda e: e.entry_type, reverse=True)
        body = "".join(_level(e) for e in ordered)
        return "W", f"55={symbol}\x01262={md_req_id}\x01268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed, and the checksum of the book that is left."""
        body = "".join(f"279={e.action}\x01{_level(e)}" for e in entries)
        head = f"55={symbol}\x01262={md_req_id}\x01268={len(entries)}\x01"
        return "X", f"{head}{body}5041={self._checksum(symbol)}\x01".encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades of one pair with the side and the order type of each one's taker."""
        body = "".join(
            f"279=0\x01269=2\x01270={floating(t.px)}\x01271={floating(t.qty)}\x01273={_clock(t.stamp_ns)}\x0140=2\x01"
            f"2446={side}\x01"
            for t, side in trades
        )
        return "X", f"55={trades[0][0].symbol}\x01262={md_req_id}\x01268={len(trades)}\x01{body}".encode()

    def _checksum(self, symbol: str) -> int:
        instrument, book = self._venue.state.instruments[symbol], self._venue.state.books[symbol]
        text = ""
        for side in (book.asks, book.bids):
            for _, level in zip(range(SUMMED), side.walk(), strict=False):
                text += _digits(level.price, instrument.tick_size) + _digits(level.qty, instrument.lot_size)
        return crc32(text.encode("ascii"))


def _digits(value: Decimal, step: Decimal) -> str:
    """The value in whole steps of its last decimal: the point and the zeros in front of it are gone."""
    return str(int(value.scaleb(precision(step))))


def precision(step: Decimal) -> int:
    """How many decimals a price or a quantity has."""
    return max(0, -int(step.as_tuple().exponent))


def _level(e: Entry) -> str:
    px = floating(e.px)
    name = f"{_SIDE_LETTERS[e.entry_type]}{px}"
    return f"269={e.entry_type}\x01278={name}\x01270={px}\x01271={floating(e.qty)}\x01{NOW}"


def _clock(wall_ns: int) -> str:
    return utc_timestamp(wall_ns).decode().partition("-")[2]


class KrakenMarketData(FixMarketData):
    """The market data listener. Who listens is known by his CompID(49) alone."""

    windowed = True

    def _handlers(self) -> Mapping[str, Handler]:
        return {"V": self._request, "x": self._list, "g": self._session_status}

    def _send(self, client: Client, msg_type: str, body: bytes, now: Instant) -> None:
        """An entry without a time of its own is of now."""
        stamped = body.replace(NOW.encode(), f"273={_clock(now.wall_ns)}\x01".encode()) if msg_type in "WX" else body
        super()._send(client, msg_type, stamped, now)

    def _refuse_request(self, client: Client, md_req_id: str, refusal: tuple[str, str], now: Instant) -> None:
        reason, text = refusal
        self._send(client, "Y", f"58={text}\x01262={md_req_id}\x01281={reason or 0}\x01".encode(), now)

    def _why_not(self, owner: int, wanted: Subscription, action: str) -> tuple[str, str] | None:
        refusal = super()._why_not(owner, wanted, action)
        if refusal is not None and refusal[0] == "0":
            unknown = next((symbol for symbol in wanted.symbols if symbol not in self._venue.state.books), "")
            return "0", f"MarketData subscription failed due to unsupported symbol: {unknown}"
        if refusal is None and action != "1":
            return "4", "Unsupported SubscriptionRequestType(263)"
        if refusal is None and wanted.depth not in DEPTHS:
            return "5", "Unsupported MarketDepth(264)"
        sides = wanted.entry_types & {BID, OFFER}
        if refusal is None and len(sides) == 1:
            return "8", "Unsupported MDEntryType(269): bid and offer go together"
        return refusal

    def _list(self, client: Client, request: Request, now: Instant) -> None:
        """SecurityListRequest(x): one pair, or all."""
        symbol, known = request.optional(55), self._venue.state.instruments
        wanted = [known[symbol]] if symbol in known else [] if symbol else list(known.values())
        rows = "".join(_listed(instrument) for instrument in wanted)
        head = f"320={request.text(320)}\x01322={now.wall_ns}\x01560={0 if wanted else 2}\x01"
        self._send(client, "y", f"{head}146={len(wanted)}\x01{rows}".encode(), now)

    def _session_status(self, client: Client, request: Request, now: Instant) -> None:
        """TradingSessionStatusRequest(g): the markets are open for as long as anybody can ask."""
        body = f"335={request.text(335)}\x01336={request.text(336)}\x01340={ONLINE}\x01"
        self._send(client, "h", body.encode(), now)


def _listed(i: Instrument) -> str:
    return (
        f"55={i.symbol}\x01562={i.lot_size:f}\x015010={precision(i.lot_size)}\x015011={i.min_qty:f}\x01"
        f"5012={i.max_qty:f}\x015013={i.min_notional:f}\x012349={precision(i.tick_size)}\x015022={i.tick_size:f}\x01"
        f"5032=1\x01"
    )
