"""OKX's WebSocket: the private one, which pushes what happens to orders, and the public one with books.

Source: OKX API v5 documentation as stored 2025-11-25, WebSocket and order channel; frames as CCXT 4.5 reads them. No
private channel has a snapshot or a number.
"""

import base64
import hashlib
import hmac

import msgspec

from common.exchange.changes import Amended, Change, Closed, Placed, Traded
from common.exchange.engine import Cause
from common.exchange.history import closed_order, trade_row
from common.exchange.numbers import digits
from common.exchange.order import BUY, Asked, Order
from common.exchange.told_books import ToldBooks
from common.exchange.venue import Venue
from common.exchange.websocket import Listener, WebSocketGateway
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.venues.okx.simulated.dead_man import TaggedSwitch
from common.venues.okx.simulated.rows import NO_FILL, Row, fill_of_push, ms, order_row

PRIVATE, PUBLIC = "/ws/v5/private", "/ws/v5/public"
IDLE_NS = 30 * NS_PER_S
LOGIN_WITHIN_S = 30
BOOK_EVERY_NS = 100 * NS_PER_MS
BOOK_DEPTH = 400
CANCEL_SOURCES = {Cause.WOULD_TAKE: "31", Cause.SELF_TRADE: "32", Cause.USER: "1", Cause.MASS_CANCEL: "1"}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


class OkxWebSocket(WebSocketGateway):
    """An `OrderGateway` that nobody orders through: who is logged in hears of the account's orders."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, (PRIVATE, PUBLIC), IDLE_NS)
        self._keys = {key.api_key: key for key in venue.settings.keys}
        self._accounts: dict[int, str] = {}
        self._orders: dict[int, Row] = {}
        self._books = ToldBooks(BOOK_EVERY_NS, BOOK_DEPTH, digits)
        self._trades: set[tuple[int, str]] = set()
        self.switch = TaggedSwitch(venue)

    # ---- what is asked

    def _heard(self, listener: Listener, text: str, now: Instant) -> None:
        if text == "ping":
            self._tell(listener, "pong", now)
            return
        try:
            asked = _decode(text)
            op, arguments = str(asked["op"]), [dict(each) for each in asked["args"]]  # type: ignore[attr-defined]
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            self._error(listener, "60012", f"Illegal request: {text[:100]}", now)
            return
        for argument in arguments:
            if op == "login":
                self._login(listener, argument, now)
            elif op in ("subscribe", "unsubscribe"):
                self._subscribe(listener, op, argument, now)
            else:
                self._error(listener, "60012", f"Illegal request: {op}", now)

    def _login(self, listener: Listener, argument: Row, now: Instant) -> None:
        key, stamp = self._keys.get(str(argument.get("apiKey", ""))), str(argument.get("timestamp", ""))
        if key is None or listener.path != PRIVATE:
            self._error(listener, "60005", "Invalid apiKey", now)
            return
        if str(argument.get("passphrase", "")) != key.passphrase:
            self._error(listener, "60024", "Wrong passphrase", now)
            return
        if not stamp.isdecimal() or abs(int(stamp[:12]) - now.wall_ns // NS_PER_S) > LOGIN_WITHIN_S:
            self._error(listener, "60006", "Timestamp request expired", now)
            return
        ours = base64.b64encode(hmac.digest(key.secret, f"{stamp}GET/users/self/verify".encode(), hashlib.sha256))
        if not hmac.compare_digest(ours.decode(), str(argument.get("sign", ""))):
            self._error(listener, "60007", "Invalid sign", now)
            return
        self._accounts[listener.line.number] = key.account
        self._answer(listener, {"event": "login", "code": "0", "msg": ""}, now)

    def _subscribe(self, listener: Listener, op: str, argument: Row, now: Instant) -> None:
        number_, channel = listener.line.number, argument.get("channel")
        if channel == "orders" and listener.path == PRIVATE:
            if number_ not in self._accounts:
                self._error(listener, "60011", "Please log in", now)
                return
            self._orders.pop(number_, None)
            if op == "subscribe":
                self._orders[number_] = argument
        elif channel == "trades" and listener.path == PUBLIC and argument.get("instId") in self._venue.state.books:
            place = number_, str(argument["instId"])
            (self._trades.add if op == "subscribe" else self._trades.discard)(place)
        elif channel == "books" and listener.path == PUBLIC and argument.get("instId") in self._venue.state.books:
            symbol = str(argument["instId"])
            self._books.forget(number_, symbol)
            if op == "subscribe":
                self._books.begin(number_, symbol, now)
        else:
            self._error(listener, "60018", f"Wrong URL or channel:{channel},instId:{argument.get('instId')}", now)
            return
        self._answer(listener, {"event": op, "arg": argument}, now)

    def _answer(self, listener: Listener, answer: Row, now: Instant) -> None:
        told = {**answer, "connId": f"c{listener.line.number}"}
        self._tell(listener, _encode(told).decode(), now)

    def _error(self, listener: Listener, code: str, text: str, now: Instant) -> None:
        self._answer(listener, {"event": "error", "code": code, "msg": text}, now)

    def _ended(self, listener: Listener) -> None:
        for held in (self._accounts, self._orders):
            held.pop(listener.line.number, None)
        self._books.forget(listener.line.number)
        self._trades = {place for place in self._trades if place[0] != listener.line.number}

    # ---- orders

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """Push the order as it stands, with what happened to it."""
        row = {**order_row(closed_order(order)), **NO_FILL}
        if isinstance(change, Traded):
            row |= fill_of_push(trade_row(order, change, self._venue.state.instruments[order.symbol]))
        elif isinstance(change, Amended):
            row |= {"amendResult": "0", "reqId": "" if asked is None else asked.orig_cl_ord_id}
        elif isinstance(change, Closed):
            row["cancelSource"] = CANCEL_SOURCES.get(Cause(change.cause), "0") if change.cause else "0"
        elif not isinstance(change, Placed):
            return
        self._push_order(order.account, row, now)

    def amend_failed(self, order: Order, req_id: str, code: str, text: str, now: Instant) -> None:
        """An amendment that was taken and then not carried out."""
        failed: Row = {"amendResult": "-1", "reqId": req_id, "code": code, "msg": text}
        self._push_order(order.account, {**order_row(closed_order(order)), **NO_FILL, **failed}, now)

    def _push_order(self, account: str, row: Row, now: Instant) -> None:
        for number_, argument in list(self._orders.items()):
            if self._accounts.get(number_) == account and argument.get("instType") in ("ANY", row["instType"]):
                told = {"arg": {**argument, "uid": account}, "data": [row]}
                self._push(self._listeners[number_], _encode(told).decode(), now)

    def announce(self, headline: str, now: Instant) -> None:
        """Nothing is said before an end."""

    # ---- books

    def next_deadline_ns(self) -> int | None:
        """When a connection is idle for too long, a changed book is due, or a dead man's switch, in boot terms."""
        books_ns = self._books.next_deadline_ns(self._venue.state.books)
        due = [super().next_deadline_ns(), books_ns, self.switch.next_deadline_ns()]
        return earliest(*due)

    def timer(self, now: Instant) -> None:
        """Close what is silent, and let a dead man's switch fire."""
        super().timer(now)
        self.switch.fire(now)

    def settle(self, now: Instant) -> None:
        """At a turn's end: tell whoever listens to books what is due."""
        for trade in self._venue.settle_books():
            self._push_trade(trade, now)
        for change in self._books.take_due(self._venue.state.books, now):
            row: Row = {
                "asks": _rows(change.asks), "bids": _rows(change.bids), "ts": ms(now.wall_ns),
                "prevSeqId": change.former_id, "seqId": change.update_id,
            }  # fmt: skip
            action = "snapshot" if change.former_id < 0 else "update"
            push = {"arg": {"channel": "books", "instId": change.symbol}, "action": action, "data": [row]}
            self._push(self._listeners[change.connection], _encode(push).decode(), now)

    def _push_trade(self, trade: Traded, now: Instant) -> None:
        row: Row = {
            "instId": trade.symbol, "tradeId": str(trade.trade_id), "px": digits(trade.px), "sz": digits(trade.qty),
            "side": "buy" if trade.taker_side == BUY else "sell", "ts": ms(trade.stamp_ns), "count": "1",
        }  # fmt: skip
        push = {"arg": {"channel": "trades", "instId": trade.symbol}, "data": [row]}
        for number_, symbol in self._trades:
            if symbol == trade.symbol:
                self._push(self._listeners[number_], _encode(push).decode(), now)


def _rows(levels: list[tuple[str, str]]) -> list[list[str]]:
    """Rows of price, quantity, "0" and orders."""
    return [[px, qty, "0", "0" if qty == "0" else "1"] for px, qty in levels]
