"""Coinbase Exchange's simulated market data: every order of the book by its id, and nothing else.

Source: the market data page of docs.cdp.coinbase.com. A snapshot comes in fragments, every message of a symbol has the
next RptSeq(83), and an order that a trade takes from is told by the trade, which bears its id. Whoever subscribes again
to what he has gets no snapshot.
"""

from collections.abc import Mapping

from common.exchange.fix_gateway import Client, Handler
from common.exchange.lines import Line
from common.exchange.numbers import digits
from common.exchange.requests import OUT_OF_RANGE, BadField, Request
from common.exchange.settings import Party
from common.exchange.venue import Venue
from common.fix.wire import utc_timestamp
from common.instant import Instant
from common.venues.coinbase.simulated.door import CoinbaseDoor
from common.venues.coinbase.simulated.level3 import TRADE, Event, KnownOrders, Told
from common.venues.coinbase.simulated.wire import order_uuid

SUBSCRIBE, UNSUBSCRIBE = "1", "2"
UNKNOWN_SYMBOL, DUPLICATE, OTHER = "0", "1", "7"
FRAGMENT = 50
"""Orders of one message of a snapshot."""

FULL_TRADING = "full_trading"
ALL_SECURITIES = "4"


class CoinbaseMarketData(CoinbaseDoor):
    """The market data listener with snapshots."""

    def __init__(self, venue: Venue) -> None:
        self._known: dict[str, KnownOrders] = {}
        self._subscribed: dict[int, dict[str, tuple[str, ...]]] = {}
        parties = (Party(comp_id=name, account="") for name in venue.settings.market_data_parties)
        super().__init__(venue, "market_data", parties)

    def _handlers(self) -> Mapping[str, Handler]:
        return {"V": self._request, "x": self._instruments}

    def _ended(self, client: Client, line: Line) -> None:
        super()._ended(client, line)
        self._subscribed.pop(line.number, None)

    def settle(self, now: Instant) -> None:
        """At a turn's end: publish what changed."""
        self._publish(now)
        super().settle(now)

    # ---- what is told

    def _publish(self, now: Instant) -> None:
        trades = self._venue.engine.take_trades()
        watched = {symbol for owned in self._subscribed.values() for symbols in owned.values() for symbol in symbols}
        for symbol in self._venue.state.books:
            known = self._known.get(symbol)
            if symbol not in watched or known is None:
                continue
            for event in known.events([trade for trade in trades if trade.symbol == symbol]):
                known.sequence += 1
                self._tell(symbol, _entry(symbol, known.sequence, event, now), now)
        if not watched:
            self._known_by_nobody()

    def _known_by_nobody(self) -> None:
        for book in self._venue.state.books.values():
            book.bids.changed.clear()
            book.asks.changed.clear()

    def _tell(self, symbol: str, entry: str, now: Instant) -> None:
        for client in self._logged_on():
            assert client.line is not None
            for md_req_id, symbols in self._subscribed.get(client.line.number, {}).items():
                if symbol in symbols:
                    self._send(client, "X", f"262={md_req_id}\x01268=1\x01{entry}".encode(), now)

    def _snapshot(self, client: Client, md_req_id: str, symbol: str, now: Instant) -> None:
        known = self._known.setdefault(symbol, KnownOrders(self._venue.state.books[symbol]))
        rows = list(known.orders.items())
        fragments = [rows[at : at + FRAGMENT] for at in range(0, len(rows), FRAGMENT)] or [[]]
        for at, fragment in enumerate(fragments, 1):
            entries = "".join(
                f"269={told.entry_type}\x01278={order_uuid(order_id)}\x01{_size(told)}" for order_id, told in fragment
            )
            last = "Y" if at == len(fragments) else "N"
            head = f"262={md_req_id}\x0183={known.sequence}\x01893={last}\x0155={symbol}\x01"
            body = f"{head}1682={FULL_TRADING}\x01268={len(fragment)}\x01{entries}"
            self._send(client, "W", body.encode(), now)

    # ---- requests

    def _request(self, client: Client, request: Request, now: Instant) -> None:
        md_req_id, action = request.text(262), request.text(263)
        assert client.line is not None
        owned = self._subscribed.setdefault(client.line.number, {})
        if action == UNSUBSCRIBE:
            if owned.pop(md_req_id, None) is None:
                self._refuse_request(client, md_req_id, OTHER, "No such subscription", now)
            return
        if action != SUBSCRIBE:
            raise BadField(OUT_OF_RANGE, 263, "Value is incorrect (out of range) for this tag")
        symbols = tuple(request.every(55))
        if not symbols or [symbol for symbol in symbols if symbol not in self._venue.state.books]:
            self._refuse_request(client, md_req_id, UNKNOWN_SYMBOL, "Unknown symbol", now)
        elif md_req_id in owned:
            self._refuse_request(client, md_req_id, DUPLICATE, "Duplicate MDReqID", now)
        else:
            self._subscribe(client, md_req_id, symbols, now)

    def _subscribe(self, client: Client, md_req_id: str, symbols: tuple[str, ...], now: Instant) -> None:
        assert client.line is not None
        self._publish(now)
        everybody = {symbol for owned in self._subscribed.values() for had in owned.values() for symbol in had}
        owned = self._subscribed[client.line.number]
        has = {symbol for had in owned.values() for symbol in had}
        owned[md_req_id] = symbols
        for symbol in symbols:
            if symbol not in everybody and symbol in self._known:
                self._known[symbol].begin()
            if symbol not in has:
                self._snapshot(client, md_req_id, symbol, now)

    def _refuse_request(self, client: Client, md_req_id: str, reason: str, text: str, now: Instant) -> None:
        self._send(client, "Y", f"262={md_req_id}\x01281={reason}\x0158={text}\x01".encode(), now)

    def _instruments(self, client: Client, request: Request, now: Instant) -> None:
        """SecurityListRequest(x) for all: MinTradeVol(562) is the least notional here."""
        if request.text(559) != ALL_SECURITIES:
            raise BadField(OUT_OF_RANGE, 559, "Value is incorrect (out of range) for this tag")
        known = list(self._venue.state.instruments.values())
        rows = "".join(
            f"55={i.symbol}\x0115={i.quote}\x01562={digits(i.min_notional)}\x01969={digits(i.tick_size)}\x01"
            f"29003={digits(i.lot_size)}\x011682={FULL_TRADING}\x01"
            for i in known
        )
        head = f"320={request.text(320)}\x01322={self._venue.unique()}\x01560=0\x01893=Y\x01393={len(known)}\x01"
        self._send(client, "y", f"{head}146={len(known)}\x01{rows}".encode(), now)


def _size(told: Told) -> str:
    return f"270={digits(told.px)}\x01271={digits(told.qty)}\x01"


def _entry(symbol: str, sequence: int, event: Event, now: Instant) -> str:
    """The one entry of an X. Without MDEntryID(278) it acknowledges an order before it is matched."""
    name = f"278={order_uuid(event.order_id)}\x01" if event.order_id else ""
    extra = f"58={event.text}\x01" if event.text else ""
    if event.cl_ord_id:
        extra = f"40=2\x0111={event.cl_ord_id}\x0137={order_uuid(event.taker_id)}\x01"
    elif event.told.entry_type == TRADE:
        extra = f"37={order_uuid(event.taker_id)}\x015797={event.taker_side}\x01"
    return (
        f"279={event.action}\x01269={event.told.entry_type}\x01{name}83={sequence}\x0155={symbol}\x01{_size(event.told)}"
        f"60={utc_timestamp(now.wall_ns, 6).decode()}\x01{extra}"
    )
