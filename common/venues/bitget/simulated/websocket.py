"""Bitget's WebSocket: the private one, which pushes what happens to orders, and the public one with books.

Source: Bitget API documentation, classic account, v2, WebSocket, as stored 2025-11-30; frames as CCXT 4.5 reads them.
No private channel has a snapshot of open orders, or a number. Positions are told whole, at first and with each trade.
"""

import base64
import hashlib
import hmac
import zlib

import msgspec

from common.exchange.book import Book
from common.exchange.changes import Amended, Change, Closed, Placed, Traded
from common.exchange.history import TradeRow, trade_row
from common.exchange.numbers import digits
from common.exchange.order import MARKET, Asked, Order
from common.exchange.told_books import ToldBooks
from common.exchange.venue import Venue
from common.exchange.websocket import Listener, WebSocketGateway
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.venues.bitget.simulated.futures import BitgetFuturesApi
from common.venues.bitget.simulated.rows import (
    PRODUCT,
    STATES,
    Row,
    average,
    force,
    futures_push,
    is_futures,
    ms,
    name_of,
    side,
    size,
    symbol_of,
)

PRIVATE, PUBLIC = "/v2/ws/private", "/v2/ws/public"
IDLE_NS = 120 * NS_PER_S
LOGIN_WITHIN_S = 30
BOOK_EVERY_NS = 100 * NS_PER_MS
BOOK_DEPTH = 500
SUM_DEPTH = 25

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


class BitgetWebSocket(WebSocketGateway):
    """An `OrderGateway` that nobody orders through: who is logged in hears of the account's orders."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, (PRIVATE, PUBLIC), IDLE_NS)
        self._keys = {key.api_key: key for key in venue.settings.keys}
        self._accounts: dict[int, str] = {}
        self._orders: dict[int, dict[tuple[str, str], Row]] = {}
        self._positions: dict[int, Row] = {}
        self._futures = BitgetFuturesApi(venue)
        self._books = ToldBooks(BOOK_EVERY_NS, BOOK_DEPTH, digits)
        self._trades: set[tuple[int, str]] = set()

    # ---- what is asked

    def _heard(self, listener: Listener, text: str, now: Instant) -> None:
        if text == "ping":
            self._tell(listener, "pong", now)
            return
        try:
            asked = _decode(text)
            op, arguments = str(asked["op"]), [dict(each) for each in asked["args"]]  # type: ignore[attr-defined]
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            self._error(listener, 30002, f"Illegal request: {text[:100]}", now)
            return
        for argument in arguments:
            if op == "login":
                self._login(listener, argument, now)
            elif op in ("subscribe", "unsubscribe"):
                self._subscribe(listener, op, argument, now)
            else:
                self._error(listener, 30003, f"Invalid op: {op}", now)

    def _login(self, listener: Listener, argument: Row, now: Instant) -> None:
        key, stamp = self._keys.get(str(argument.get("apiKey", ""))), str(argument.get("timestamp", ""))
        if key is None or listener.path != PRIVATE:
            self._error(listener, 30011, "Invalid ACCESS_KEY", now)
            return
        if str(argument.get("passphrase", "")) != key.passphrase:
            self._error(listener, 30012, "Invalid ACCESS_PASSPHRASE", now)
            return
        if not stamp.isdecimal() or abs(int(stamp[:12]) - now.wall_ns // NS_PER_S) > LOGIN_WITHIN_S:
            self._error(listener, 30014, "Request timestamp expired", now)
            return
        ours = base64.b64encode(hmac.digest(key.secret, f"{stamp}GET/user/verify".encode(), hashlib.sha256)).decode()
        if not hmac.compare_digest(ours, str(argument.get("sign", ""))):
            self._error(listener, 30015, "Invalid sign", now)
            return
        self._accounts[listener.line.number] = key.account
        self._answer(listener, {"event": "login", "code": 0, "msg": ""}, now)

    def _subscribe(self, listener: Listener, op: str, argument: Row, now: Instant) -> None:
        connection, channel = listener.line.number, argument.get("channel")
        inst_type, name = str(argument.get("instType", "")), str(argument.get("instId", ""))
        symbol = symbol_of(inst_type, name)
        is_there = symbol in self._venue.state.books
        if channel in ("orders", "positions") and listener.path == PRIVATE and (is_there or name == "default"):
            if connection not in self._accounts:
                self._error(listener, 30004, "User needs to log in", now)
                return
            held: dict[tuple[str, str], Row] = self._orders.setdefault(connection, {})
            if channel == "orders":
                held.pop((inst_type, name), None)
                held |= {(inst_type, name): argument} if op == "subscribe" else {}
            else:
                self._positions.pop(connection, None)
                self._positions |= {connection: argument} if op == "subscribe" else {}
        elif channel == "trade" and listener.path == PUBLIC and is_there:
            (self._trades.add if op == "subscribe" else self._trades.discard)((connection, symbol))
        elif channel == "books" and listener.path == PUBLIC and is_there:
            self._books.forget(connection, symbol)
            if op == "subscribe":
                self._books.begin(connection, symbol, now)
        else:
            self._error(listener, 30001, f"channel:{channel},instId:{name} doesn't exist", now)
            return
        self._answer(listener, {"event": op, "arg": argument}, now)
        if channel == "positions" and op == "subscribe":
            self._push_positions(connection, now)

    def _answer(self, listener: Listener, answer: Row, now: Instant) -> None:
        self._tell(listener, _encode(answer).decode(), now)

    def _error(self, listener: Listener, code: int, text: str, now: Instant) -> None:
        self._answer(listener, {"event": "error", "code": code, "msg": text}, now)

    def _ended(self, listener: Listener) -> None:
        for held in (self._accounts, self._orders, self._positions):
            held.pop(listener.line.number, None)
        self._books.forget(listener.line.number)
        self._trades = {place for place in self._trades if place[0] != listener.line.number}

    # ---- orders

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """Push the order as it stands, with the trade that is its cause."""
        if not isinstance(change, Placed | Traded | Amended | Closed):
            return
        instrument = self._venue.state.instruments[order.symbol]
        place = _place(order.symbol)
        row = futures_push(order, instrument) if is_futures(order.symbol) else _order(order)
        if isinstance(change, Traded):
            row |= _fill(trade_row(order, change, instrument))
        for connection, topics in list(self._orders.items()):
            topic = topics.get((place["instType"], place["instId"]), topics.get((place["instType"], "default")))
            if topic is not None and self._accounts.get(connection) == order.account:
                self._push_private(connection, topic, [row], now)
        if isinstance(change, Traded) and is_futures(order.symbol):
            for connection in list(self._positions):
                if self._accounts.get(connection) == order.account:
                    self._push_positions(connection, now)

    def _push_private(self, connection: int, topic: Row, rows: list[Row], now: Instant) -> None:
        told = {"action": "snapshot", "arg": topic, "data": rows, "ts": now.wall_ns // NS_PER_MS}
        self._push(self._listeners[connection], _encode(told).decode(), now)

    def _push_positions(self, connection: int, now: Instant) -> None:
        """All that the account holds in contracts."""
        symbols = [symbol for symbol in self._venue.state.books if is_futures(symbol)]
        held = self._futures.held(self._accounts[connection], symbols)
        rows = [{**row, "instId": row["symbol"], "posId": row["symbol"]} for row in held]
        self._push_private(connection, self._positions[connection], rows, now)

    def announce(self, headline: str, now: Instant) -> None:
        """Nothing is said before an end."""

    # ---- books

    def next_deadline_ns(self) -> int | None:
        """When a connection is idle for too long or a changed book is due, in boot terms."""
        due = [super().next_deadline_ns(), self._books.next_deadline_ns(self._venue.state.books)]
        return earliest(*due)

    def settle(self, now: Instant) -> None:
        """At a turn's end: tell whoever listens to books what is due, with the sum that the book has then."""
        for trade in self._venue.settle_books():
            self._push_trade(trade, now)
        for change in self._books.take_due(self._venue.state.books, now):
            row: Row = {
                "asks": [list(level) for level in change.asks],
                "bids": [list(level) for level in reversed(change.bids)],
                "checksum": book_sum(self._venue.state.books[change.symbol]), "seq": change.update_id,
                "ts": ms(now.wall_ns),
            }  # fmt: skip
            action = "snapshot" if change.former_id < 0 else "update"
            arg = {**_place(change.symbol), "channel": "books"}
            push = {"action": action, "arg": arg, "data": [row], "ts": now.wall_ns // NS_PER_MS}
            self._push(self._listeners[change.connection], _encode(push).decode(), now)

    def _push_trade(self, trade: Traded, now: Instant) -> None:
        row: Row = {
            "ts": ms(trade.stamp_ns), "price": digits(trade.px), "size": digits(trade.qty),
            "side": side(trade.taker_side), "tradeId": str(trade.trade_id),
        }  # fmt: skip
        arg = {**_place(trade.symbol), "channel": "trade"}
        push = {"action": "update", "arg": arg, "data": [row], "ts": now.wall_ns // NS_PER_MS}
        for connection, symbol in self._trades:
            if symbol == trade.symbol:
                self._push(self._listeners[connection], _encode(push).decode(), now)


def _place(symbol: str) -> dict[str, str]:
    """Where the venue has a symbol, and under which name."""
    return {"instType": PRODUCT if is_futures(symbol) else "SPOT", "instId": name_of(symbol)}


def book_sum(book: Book) -> int:
    """CRC32 with a sign over the best 25 levels as they are written, bid and ask in turn."""
    sides = [[f"{digits(level.price)}:{digits(level.qty)}" for level in each.walk()] for each in (book.bids, book.asks)]
    parts = [part for n in range(SUM_DEPTH) for levels in sides for part in levels[n : n + 1]]
    unsigned = zlib.crc32(":".join(parts).encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


def _order(order: Order) -> Row:
    """An order as a push tells it. size and notional are money, newSize is the quantity."""
    qty, price = order.order_qty, order.price
    notional = "" if price is None else digits(qty * price)
    return {
        "instId": order.symbol, "orderId": str(order.order_id), "clientOid": order.cl_ord_id, "size": notional,
        "newSize": size(order), "notional": notional, "orderType": "market" if order.ord_type == MARKET else "limit",
        "force": force(order), "side": side(order.side), "fillPrice": "", "tradeId": "", "baseVolume": "0",
        "fillTime": "", "fillFee": "", "fillFeeCoin": "", "tradeScope": "", "accBaseVolume": digits(order.cum_qty),
        "priceAvg": average(order), "status": STATES.get(order.ord_status, "cancelled"), "cTime": ms(order.stamp_ns),
        "uTime": ms(order.updated_ns), "stpMode": "none", "feeDetail": [], "enterPointSource": "API",
    } | ({} if price is None else {"price": digits(price)})  # fmt: skip


def _fill(trade: TradeRow) -> Row:
    """What a push adds of the trade that is its cause."""
    return {
        "fillPrice": digits(trade.px), "tradeId": str(trade.trade_id), "baseVolume": digits(trade.qty),
        "fillTime": ms(trade.stamp_ns), "fillFee": digits(-trade.fee), "fillFeeCoin": trade.fee_asset,
        "tradeScope": "M" if trade.maker else "T",
    }  # fmt: skip
