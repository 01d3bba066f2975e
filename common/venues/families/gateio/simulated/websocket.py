"""Gate.io's WebSocket v4: one path for all, where each subscription to what is private is signed by itself.

Source: Gate WebSocket v4 documentation as stored 2025-11-25: orders, usertrades, and the order book V2 channel. No
private channel has a snapshot or a number.
"""

import hashlib
import hmac
from abc import abstractmethod
from typing import Any

import msgspec

from common.exchange.changes import Amended, Change, Closed, Placed, Traded
from common.exchange.dead_man import DeadMansSwitch, by_symbol
from common.exchange.history import TradeRow, trade_row
from common.exchange.numbers import digits
from common.exchange.order import Asked, Order
from common.exchange.settings import Key
from common.exchange.told_books import BookChange, ToldBooks
from common.exchange.venue import Venue
from common.exchange.websocket import Listener, WebSocketGateway
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.venues.families.gateio.simulated.rows import Row

IDLE_NS = 60 * NS_PER_S
VALID_S = 60
ORDERS, TRADES, BOOK, PUBLIC_TRADES = "orders", "usertrades", "obu", "trades"
ALL = "!all"
BOOKS = {"50": 20 * NS_PER_MS, "400": 100 * NS_PER_MS}
"""Depths of the book channel, and how often each is told at most."""

INVALID, NOT_SIGNED = 2, 4
"""Codes of an error."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class GateioWebSocket(WebSocketGateway):
    """An `OrderGateway` that nobody orders through: who has subscribed hears of his account's orders and fills. `area`
    is what the names of channels begin with; `private` are those that are signed for."""

    path: str
    area: str
    private: tuple[str, ...] = (ORDERS, TRADES)

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, (self.path,), IDLE_NS)
        self._keys = {key.api_key: key for key in venue.settings.keys}
        self._symbols = {self.name_of(symbol): symbol for symbol in venue.state.instruments}
        self._private: dict[tuple[int, str], tuple[str, frozenset[str]]] = {}
        self._books = {depth: ToldBooks(every_ns, int(depth), digits) for depth, every_ns in BOOKS.items()}
        self._trades: set[tuple[int, str]] = set()
        self._amendments: dict[int, str] = {}
        self.switch = DeadMansSwitch(venue, by_symbol)

    # ---- what each area has of its own

    @abstractmethod
    def name_of(self, symbol: str) -> str:
        """What the venue calls an instrument."""

    @abstractmethod
    def _fill_row(self, row: TradeRow) -> Row:
        """A fill as it is pushed."""

    @abstractmethod
    def _order_row(self, change: Change, order: Order, event: str) -> Row:
        """The order as it is pushed after a change; `event` is what happened, in the venue's word."""

    @abstractmethod
    def _public_trade(self, trade: Traded) -> object:
        """A trade as everybody is told of it."""

    # ---- amendments

    def amend_text(self, order_id: int) -> str:
        """What the order's latest amendment was called, "-" for nothing."""
        return self._amendments.get(order_id, "-")

    def name_amendment(self, order_id: int, text: str) -> None:
        """An amendment of that name is about to be carried out."""
        self._amendments[order_id] = text

    # ---- what is asked

    def _heard(self, listener: Listener, text: str, now: Instant) -> None:
        try:
            asked = _decode(text)
            area, _, channel = str(asked["channel"]).partition(".")
            event, payload = str(asked.get("event", "")), asked.get("payload", [])
            parts = [str(each) for each in payload]
        except (msgspec.DecodeError, KeyError, TypeError):
            self._answer(listener, {}, now, error=(1, f"invalid request: {text[:100]}"))
            return
        if area != self.area:
            self._answer(listener, asked, now, error=(INVALID, f"unknown channel: {asked['channel']}"[:200]))
        elif channel == "ping":
            self._answer(listener, {"channel": f"{area}.pong", "event": "", "result": None}, now)
        elif channel in self.private and event in ("subscribe", "unsubscribe"):
            self._subscribe_private(listener, asked, channel, event, parts, now)
        elif channel == PUBLIC_TRADES and event in ("subscribe", "unsubscribe"):
            self._subscribe_trades(listener, asked, event, parts, now)
        elif channel == BOOK and event in ("subscribe", "unsubscribe"):
            self._subscribe_book(listener, asked, event, parts, now)
        else:
            self._answer(listener, asked, now, error=(INVALID, f"unknown channel or event: {channel} {event}"[:200]))

    def _subscribe_private(
        self, listener: Listener, asked: Row, channel: str, event: str, pairs: list[str], now: Instant
    ) -> None:
        key, why = self._key(asked, event, now)
        pairs = pairs if key is None else self._pairs_of(key, pairs)
        unknown = [pair for pair in pairs if pair != ALL and pair not in self._symbols]
        if key is None:
            self._answer(listener, asked, now, error=(NOT_SIGNED, why))
        elif unknown or not pairs:
            self._answer(listener, asked, now, error=(INVALID, f"unknown currency pair: {', '.join(unknown)}"))
        else:
            number = listener.line.number
            _, former = self._private.pop((number, channel), ("", frozenset[str]()))
            wanted = former | set(pairs) if event == "subscribe" else former - set(pairs)
            if wanted:
                self._private[number, channel] = key.account, wanted
            self._answer(listener, asked, now)

    def _pairs_of(self, key: Key, payload: list[str]) -> list[str]:
        """What is subscribed to, "!all" for everything."""
        return payload

    def _key(self, asked: Row, event: str, now: Instant) -> tuple[Key | None, str]:
        """Which key signed this request, else None and why it is not let in."""
        auth, stamp = asked.get("auth"), asked.get("time")
        key = self._keys.get(str(auth.get("KEY", ""))) if isinstance(auth, dict) else None
        if key is None or not isinstance(auth, dict):
            return None, '{"label":"INVALID_KEY","message":"Invalid key provided"}'
        if not isinstance(stamp, int) or abs(stamp - now.wall_ns // NS_PER_S) > VALID_S:
            return None, '{"label":"REQUEST_EXPIRED","message":"gap between request time and server time exceeds 60"}'
        signed = f"channel={asked['channel']}&event={event}&time={stamp}".encode()
        ours = hmac.new(key.secret, signed, hashlib.sha512).hexdigest()
        if not hmac.compare_digest(ours, str(auth.get("SIGN", ""))):
            return None, '{"label":"INVALID_SIGNATURE","message":"Signature mismatch"}'
        return key, ""

    def _subscribe_trades(self, listener: Listener, asked: Row, event: str, pairs: list[str], now: Instant) -> None:
        """Everybody's trades of these pairs."""
        unknown = [pair for pair in pairs if pair not in self._symbols]
        if unknown or not pairs:
            self._answer(listener, asked, now, error=(INVALID, f"unknown currency pair: {', '.join(unknown)}"))
            return
        places = {(listener.line.number, pair) for pair in pairs}
        self._trades = self._trades | places if event == "subscribe" else self._trades - places
        self._answer(listener, asked, now)

    def _subscribe_book(self, listener: Listener, asked: Row, event: str, streams: list[str], now: Instant) -> None:
        """Streams such as ob.BTC_USDT.50, each once on a connection."""
        number = listener.line.number
        for stream in streams:
            prefix, _, rest = stream.partition(".")
            name, _, depth = rest.partition(".")
            symbol, books = self._symbols.get(name), self._books.get(depth)
            if prefix != "ob" or books is None or symbol is None:
                self._answer(listener, asked, now, error=(INVALID, f"unknown stream {stream}"[:200]))
                return
            if event == "subscribe" and books.listens(number, symbol):
                self._answer(listener, asked, now, error=(INVALID, f"Alert sub {stream}"))
                return
            if event == "subscribe":
                books.begin(number, symbol, now)
            else:
                books.forget(number, symbol)
        self._answer(listener, asked, now)

    def _answer(self, listener: Listener, asked: Row, now: Instant, *, error: tuple[int, str] | None = None) -> None:
        told: Row = {name: asked[name] for name in ("id", "channel", "event", "payload") if name in asked}
        told["result"] = asked.get("result", {"status": "fail" if error else "success"})
        if error is not None:
            told["error"] = {"code": error[0], "message": error[1]}
        connection = f"c{listener.line.number}"
        self._tell(listener, _encode({**_times(now), "conn_id": connection, **told}).decode(), now)

    def _ended(self, listener: Listener) -> None:
        number = listener.line.number
        for channel in self.private:
            self._private.pop((number, channel), None)
        for books in self._books.values():
            books.forget(number)
        self._trades = {place for place in self._trades if place[0] != number}

    # ---- orders

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """Push the fill, where that is what happened, and the order as it stands."""
        if not isinstance(change, Placed | Traded | Amended | Closed):
            return
        if isinstance(change, Traded):
            row = trade_row(order, change, self._venue.state.instruments[order.symbol])
            self._push_rows(TRADES, order, self._fill_row(row), now)
        event = "put" if isinstance(change, Placed) else "update" if order.is_open else "finish"
        self._push_rows(ORDERS, order, self._order_row(change, order, event), now)
        if not order.is_open:
            self._amendments.pop(order.order_id, None)

    def _push_rows(self, channel: str, order: Order, row: Row, now: Instant) -> None:
        told = {**_times(now), "channel": f"{self.area}.{channel}", "event": "update", "result": [row]}
        name = self.name_of(order.symbol)
        for (number, each), (account, pairs) in list(self._private.items()):
            if each == channel and account == order.account and (ALL in pairs or name in pairs):
                self._push(self._listeners[number], _encode(told).decode(), now)

    def announce(self, headline: str, now: Instant) -> None:
        """Nothing is said before an end."""

    # ---- books

    def next_deadline_ns(self) -> int | None:
        """When a connection is idle for too long, a changed book is due, or a countdown is over, in boot terms."""
        books = self._venue.state.books
        due = [super().next_deadline_ns(), *(told.next_deadline_ns(books) for told in self._books.values())]
        due += [self.switch.next_deadline_ns()]
        return earliest(*due)

    def timer(self, now: Instant) -> None:
        """Close what is silent, and let a countdown that is over cancel."""
        super().timer(now)
        self.switch.fire(now)

    def settle(self, now: Instant) -> None:
        """At a turn's end: tell whoever listens to books what is due."""
        for trade in self._venue.settle_books():
            self._push_trade(trade, now)
        for depth, told in self._books.items():
            for change in told.take_due(self._venue.state.books, now):
                push = self._book_push(change, depth, now)
                self._push(self._listeners[change.connection], _encode(push).decode(), now)

    def _push_trade(self, trade: Traded, now: Instant) -> None:
        result, name = self._public_trade(trade), self.name_of(trade.symbol)
        told = {**_times(now), "channel": f"{self.area}.{PUBLIC_TRADES}", "event": "update", "result": result}
        for number, pair in self._trades:
            if pair == name:
                self._push(self._listeners[number], _encode(told).decode(), now)

    def _book_push(self, change: BookChange, depth: str, now: Instant) -> Row:
        """The whole book at first, then changes, from the number after the former's last to this one's."""
        stamp_ms = now.wall_ns // NS_PER_MS
        is_first = change.former_id < 0
        numbers: Row = {"full": True} if is_first else {"U": change.former_id + 1}
        told = {
            "t": stamp_ms, **numbers, "s": f"ob.{self.name_of(change.symbol)}.{depth}", "u": change.update_id,
            "b": change.bids, "a": change.asks,
        }  # fmt: skip
        return {"channel": f"{self.area}.{BOOK}", "result": told, "time_ms": stamp_ms, "event": "update"}


def _times(now: Instant) -> Row:
    return {"time": now.wall_ns // NS_PER_S, "time_ms": now.wall_ns // NS_PER_MS}
