"""The simulated Deribit's market data: what it takes in MarketDataRequest(V) and SecurityListRequest(x), and answers.

Source: docs.deribit.com/fix-api/production, and a capture of 2019. Best prices are told whole each time
(MDUpdateType(265)=0 with MarketDepth(264) of 1, 10 or 20), or the whole book and what changes in it (265=1, 264=0).
Sizes are in contracts, and numbers have four decimals.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from common.contracts import InstrumentKind
from common.exchange.changes import Traded
from common.exchange.feed import Entry, Send, Subscription, levels
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_market_data import SNAPSHOT, SUBSCRIBE, UNSUBSCRIBE, FixMarketData
from common.exchange.requests import Request
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.fix.wire import utc_timestamp
from common.instant import NS_PER_S, Instant
from common.venues.deribit.simulated.door import DeribitGateway, Door
from common.venues.deribit.simulated.reports import number

WHOLE_EACH_TIME, INCREMENTAL = "0", "1"
_DEPTHS = {*((WHOLE_EACH_TIME, depth) for depth in ("1", "10", "20")), (INCREMENTAL, "0")}
"""By MDUpdateType(265), the MarketDepth(264) that is offered here."""

PART = "\x1f"
"""Between MDReqID(262) and the instrument that a part of the subscription is of: no message can hold it."""

TRADES = "X-trades"
"""Told apart from what changes in a book, which a subscription to best prices has as a W."""

_SECURITY_TYPES = {
    InstrumentKind.SPOT: "FXSPOT",
    InstrumentKind.PERPETUAL: "FUT",
    InstrumentKind.FUTURE: "FUT",
    InstrumentKind.OPTION: "OPT",
}


class DeribitForm:
    """A `Format` as Deribit has it; `market_data` turns it into what a subscription wants."""

    replaces_top = False

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The whole book, or its top."""
        body = "".join(f"269={e.entry_type}\x01270={number(e.px)}\x01271={number(e.qty)}\x01" for e in entries)
        return "W", f"55={symbol}\x01262={_request_of(md_req_id)}\x01268={len(entries)}\x01{body}".encode()

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed in the book."""
        body = "".join(
            f"279={e.action}\x01269={e.entry_type}\x01270={number(e.px)}\x01271={number(e.qty)}\x01" for e in entries
        )
        return "X", f"55={symbol}\x01262={_request_of(md_req_id)}\x01268={len(entries)}\x01{body}".encode()

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades of one instrument, with the side of each one's taker."""
        body = "".join(
            f"279=0\x01269=2\x01270={number(t.px)}\x01271={number(t.qty)}\x01"
            f"272={utc_timestamp(t.stamp_ns).decode()}\x0154={side}\x01100009={t.trade_id}\x01"
            for t, side in trades
        )
        head = f"55={trades[0][0].symbol}\x01262={_request_of(md_req_id)}\x01268={len(trades)}\x01"
        return TRADES, f"{head}{body}".encode()


class DeribitMarketData(DeribitGateway, FixMarketData):
    """The market data listener, and the feed of all connections."""

    def __init__(self, venue: Venue, door: Door) -> None:
        self.door = door
        self._form = DeribitForm()
        super().__init__(venue, self._form)

    def _handlers(self) -> dict[str, Handler]:
        return {
            "V": lambda client, request, now: self.requested(self, client, request, now),
            "x": lambda client, request, now: self.listed(self, client, request, now),
        }

    def requested(self, gateway: DeribitGateway, client: Client, request: Request, now: Instant) -> None:
        """MarketDataRequest(V) of a client of either listener."""
        md_req_id, action = request.text(262), request.text(263)
        assert client.line is not None
        owner = client.line.number
        if action == UNSUBSCRIBE:
            parts = self._parts(owner, md_req_id)
            for part in parts:
                self.feed.unsubscribe(owner, part)
            if not parts:
                _refuse(gateway, client, md_req_id, "unknown MDReqId", now)
            return
        update_type, depth = request.optional(265) or INCREMENTAL, request.optional(264) or "0"
        symbols, entry_types = request.every(55), frozenset(request.every(269))
        wrong = self._why_wrong(owner, md_req_id, symbols, (update_type, depth))
        if wrong or action not in (SNAPSHOT, SUBSCRIBE):
            _refuse(gateway, client, md_req_id, wrong or "unknown SubscriptionRequestType", now)
            return
        for symbol in symbols:
            # Symbol(55) stands once in a message: each instrument is told by itself.
            whole = update_type == WHOLE_EACH_TIME
            part = f"{md_req_id}{PART}{symbol}"
            wanted = (part, int(depth), entry_types)
            send = self._sender(gateway, client, wanted) if whole else _plain_sender(gateway, client)
            subscription = Subscription(part, [symbol], int(depth), entry_types, send)
            self.feed.subscribe(owner, subscription, now, keep=action == SUBSCRIBE)

    def _why_wrong(self, owner: int, md_req_id: str, symbols: Sequence[str], depth: tuple[str, str]) -> str:
        unknown = [symbol for symbol in symbols if symbol not in self._venue.state.books]
        if unknown or not symbols:
            return f"unknown Symbol: {unknown[0] if unknown else ''}"
        if self._parts(owner, md_req_id):
            return "duplicate MDReqId"
        return "" if depth in _DEPTHS else "unsupported MarketDepth"

    def _parts(self, owner: int, md_req_id: str) -> list[str]:
        names = (subscription.md_req_id for subscription in self.feed.of(owner))
        return [name for name in names if _request_of(name) == md_req_id]

    def _sender(self, gateway: DeribitGateway, client: Client, wanted: tuple[str, int, frozenset[str]]) -> Send:
        """For a subscription that is told the best prices whole each time: a change of them is a W."""
        part, depth, entry_types = wanted
        send, symbol = _plain_sender(gateway, client), part.partition(PART)[2]

        def told(msg_type: str, body: bytes, now: Instant) -> None:
            if msg_type == "X":
                book = self._venue.state.books[symbol]
                entries = levels(book, depth, entry_types)
                msg_type, body = self._form.snapshot(part, symbol, entries, book.update_id)
            send(msg_type, body, now)

        return told

    def listed(self, gateway: DeribitGateway, client: Client, request: Request, now: Instant) -> None:
        """SecurityListRequest(x): every instrument that has not expired, or the one that is named."""
        wanted = request.optional(55)
        rows = [
            _security(instrument)
            for instrument in self._venue.state.instruments.values()
            if wanted in ("", instrument.symbol) and not 0 < instrument.expiry_ns <= now.wall_ns
        ]
        head = f"320={request.text(320)}\x01322={self._venue.unique()}\x01560=0\x01146={len(rows)}\x01"
        gateway.tell(client, "y", (head + "".join(rows)).encode(), now)


def _plain_sender(gateway: DeribitGateway, client: Client) -> Send:
    """To the client, whose listener may have had its turn before the feed's."""
    return lambda msg_type, body, now: gateway.tell(client, "X" if msg_type == TRADES else msg_type, body, now)


def _refuse(gateway: DeribitGateway, client: Client, md_req_id: str, text: str, now: Instant) -> None:
    gateway.tell(client, "Y", f"262={md_req_id}\x0158={text}\x01".encode(), now)


def _request_of(part: str) -> str:
    return part.partition(PART)[0]


def _security(i: Instrument) -> str:
    """One entry of SecurityList(y)."""
    contract = i.contract
    row = (
        f"55={i.symbol}\x01107={contract.kind}\x01167={_SECURITY_TYPES[contract.kind]}\x01"
        f"15={i.base}\x01120={contract.settle or i.quote}\x01562={number(i.min_qty)}\x01969={i.tick_size:f}\x01"
        f"231={number(contract.multiplier)}\x01"
    )
    if not i.expiry_ns:
        return row
    ends = datetime.fromtimestamp(i.expiry_ns // NS_PER_S, UTC)
    return f"{row}541={ends:%Y%m%d}\x011079={ends:%H:%M:%S}\x01"
