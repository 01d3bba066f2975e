"""KuCoin's WebSocket: opened with a token that REST gives, the private topics by one that was signed for.

Source: KuCoin documentation as stored 2025-11-29, WebSocket, order change V1 and V2, and level 2; frames as CCXT 4.5
reads them. No push of an order has a number, and none tells what a fill has cost.
"""

from urllib.parse import parse_qs

import msgspec

from common.exchange.changes import Amended, Change, Closed, Placed, Rested, Traded
from common.exchange.dead_man import DeadMansSwitch
from common.exchange.faults import Kind
from common.exchange.numbers import digits
from common.exchange.order import FILLED, MARKET, Asked, Order
from common.exchange.told_books import ToldBooks
from common.exchange.venue import Venue
from common.exchange.websocket import Listener, WebSocketGateway
from common.instant import NS_PER_MS, Instant, earliest
from common.venues.kucoin.simulated.rows import Row, cancelled_qty, ms, order_name, side
from common.venues.kucoin.simulated.tokens import PING_INTERVAL_MS, PING_TIMEOUT_MS, Tokens

IDLE_NS = (PING_INTERVAL_MS + PING_TIMEOUT_MS) * NS_PER_MS
BOOK_EVERY_NS = 100 * NS_PER_MS
BOOK_DEPTH = 5_000
ORDERS, ORDERS_V2 = "/spotMarket/tradeOrders", "/spotMarket/tradeOrdersV2"
BOOK, TRADES = "/market/level2:", "/market/match:"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


class KucoinWebSocket(WebSocketGateway):
    """An `OrderGateway` that nobody orders through: whoever came with a private token hears of the account's orders."""

    def __init__(self, venue: Venue, tokens: Tokens, switch: DeadMansSwitch) -> None:
        super().__init__(venue, (), IDLE_NS)
        self._switch = switch
        self._tokens = tokens
        self._accounts: dict[int, tuple[str, int]] = {}
        self._topics: dict[int, set[str]] = {}
        self._books = ToldBooks(BOOK_EVERY_NS, BOOK_DEPTH, digits)
        self._trades: set[tuple[int, str]] = set()

    # ---- connections

    def _admits(self, target: str) -> bool:
        """Whoever comes: what is wrong with his token he is told over the connection."""
        return True

    def _opened(self, listener: Listener, now: Instant) -> None:
        query = parse_qs(listener.path.partition("?")[2])
        token, name = query.get("token", [""])[0], query.get("connectId", [""])[0]
        known = None if self._venue.faults.strikes(Kind.REFUSE, "websocket") else self._tokens.account(token, now)
        if known is None:
            self._error(listener, name, 401, "token is invalid", now)
            self._close(listener)
            return
        self._accounts[listener.line.number] = known
        self._answer(listener, {"id": name, "type": "welcome"}, now)

    def _ended(self, listener: Listener) -> None:
        for held in (self._accounts, self._topics):
            held.pop(listener.line.number, None)
        self._books.forget(listener.line.number)
        self._trades = {place for place in self._trades if place[0] != listener.line.number}

    # ---- what is asked

    def _heard(self, listener: Listener, text: str, now: Instant) -> None:
        try:
            asked = _decode(text)
            kind, name = str(asked["type"]), str(asked["id"])
        except (msgspec.DecodeError, KeyError):
            self._error(listener, "", 400, "the message is of another form", now)
            return
        if kind == "ping":
            self._answer(listener, {"id": name, "type": "pong", "timestamp": now.wall_ns // 1000}, now)
        elif kind in ("subscribe", "unsubscribe") and listener.line.number in self._accounts:
            done = self._subscribe(listener, name, kind, str(asked.get("topic", "")), now)
            if done and asked.get("response"):
                self._answer(listener, {"id": name, "type": "ack"}, now)
        else:
            self._error(listener, name, 404, f"type {kind} is not supported", now)

    def _subscribe(self, listener: Listener, name: str, kind: str, topic: str, now: Instant) -> bool:
        """Whether it was done; why not is told."""
        number_ = listener.line.number
        account, _ = self._accounts[number_]
        if topic in (ORDERS, ORDERS_V2):
            if account == Tokens.PUBLIC:
                self._error(listener, name, 403, "login is required", now)
                return False
            topics = self._topics.setdefault(number_, set())
            (topics.add if kind == "subscribe" else topics.discard)(topic)
            return True
        symbols = topic.partition(":")[2].split(",") if topic.startswith((BOOK, TRADES)) else []
        if not symbols or not all(symbol in self._venue.state.books for symbol in symbols):
            self._error(listener, name, 404, f"topic {topic} is not found", now)
            return False
        if topic.startswith(TRADES):
            places = {(number_, symbol) for symbol in symbols}
            self._trades = self._trades | places if kind == "subscribe" else self._trades - places
            return True
        for symbol in symbols:
            self._books.forget(number_, symbol)
            if kind == "subscribe":
                self._books.begin(number_, symbol, now, self._venue.state.books[symbol])
        return True

    def _answer(self, listener: Listener, answer: Row, now: Instant) -> None:
        self._tell(listener, _encode(answer).decode(), now)

    def _error(self, listener: Listener, name: str, code: int, text: str, now: Instant) -> None:
        self._answer(listener, {"id": name, "type": "error", "code": code, "data": text}, now)

    # ---- orders

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """Push what happened to the order. One that is full is told twice, by the match and by its end."""
        if isinstance(change, Placed):
            self._push_order(order, {"type": "received", "status": "new"}, now)
        elif isinstance(change, Rested):
            self._push_order(order, {"type": "open", "status": "open"}, now)
        elif isinstance(change, Traded):
            self._push_order(order, _match(change, order), now)
            if order.ord_status == FILLED:
                self._push_order(order, {"type": "filled", "status": "done"}, now)
        elif isinstance(change, Amended):
            self._push_order(order, {"type": "update", "status": "open"}, now)
        elif isinstance(change, Closed):
            self._push_order(order, {"type": "canceled", "status": "done"}, now)

    def _push_order(self, order: Order, happened: Row, now: Instant) -> None:
        row: Row = {
            "symbol": order.symbol, "orderType": "market" if order.ord_type == MARKET else "limit",
            "side": side(order.side), "orderId": order_name(order.order_id), "clientOid": order.cl_ord_id,
            "orderTime": ms(order.stamp_ns), "size": digits(order.order_qty), "originSize": digits(order.order_qty),
            "filledSize": digits(order.cum_qty), "remainSize": digits(order.leaves_qty),
            "canceledSize": digits(cancelled_qty(order)), "ts": now.wall_ns, **happened,
        }  # fmt: skip
        row |= {} if order.price is None else {"price": digits(order.price)}
        for number_, topics in list(self._topics.items()):
            if self._accounts[number_][0] == order.account:
                # The first version of the topic has no status "new", and so not what has it.
                for topic in sorted(topics if row["status"] != "new" else topics & {ORDERS_V2}):
                    told = {
                        "type": "message", "topic": topic, "subject": "orderChange", "channelType": "private",
                        "userId": order.account, "data": row,
                    }  # fmt: skip
                    self._push(self._listeners[number_], _encode(told).decode(), now)

    def announce(self, headline: str, now: Instant) -> None:
        """Nothing is said before an end."""

    # ---- time and books

    def timer(self, now: Instant) -> None:
        """Close what was silent for too long, and what was opened with a token that is no good any more; let a dead
        man's switch fire."""
        super().timer(now)
        self._switch.fire(now)
        for number_, (_, until_ns) in list(self._accounts.items()):
            if until_ns <= now.wall_ns:
                self._close(self._listeners[number_])

    def next_deadline_ns(self) -> int | None:
        """When a connection is idle for too long, a changed book is due, or a dead man's switch, in boot terms."""
        due = [super().next_deadline_ns(), self._books.next_deadline_ns(self._venue.state.books)]
        due += [self._switch.next_deadline_ns()]
        return earliest(*due)

    def settle(self, now: Instant) -> None:
        """At a turn's end: tell whoever listens to books what is due. There is no snapshot: REST has one, by number."""
        for trade in self._venue.settle_books():
            self._push_trade(trade, now)
        for change in self._books.take_due(self._venue.state.books, now):
            sides = {
                name: [[px, qty, str(change.update_id)] for px, qty in levels]
                for name, levels in (("asks", change.asks), ("bids", change.bids))
            }
            row: Row = {
                "symbol": change.symbol, "changes": sides, "sequenceStart": change.former_id + 1,
                "sequenceEnd": change.update_id, "time": ms(now.wall_ns),
            }  # fmt: skip
            push = {"type": "message", "topic": f"{BOOK}{change.symbol}", "subject": "trade.l2update", "data": row}
            self._push(self._listeners[change.connection], _encode(push).decode(), now)

    def _push_trade(self, trade: Traded, now: Instant) -> None:
        row: Row = {
            "symbol": trade.symbol, "tradeId": str(trade.trade_id), "price": digits(trade.px),
            "size": digits(trade.qty), "side": side(trade.taker_side), "time": str(trade.stamp_ns), "type": "match",
            "makerOrderId": order_name(trade.maker_id), "takerOrderId": order_name(trade.taker_id),
        }  # fmt: skip
        push = {"type": "message", "topic": f"{TRADES}{trade.symbol}", "subject": "trade.l3match", "data": row}
        for number_, symbol in self._trades:
            if symbol == trade.symbol:
                self._push(self._listeners[number_], _encode(push).decode(), now)


def _match(trade: Traded, order: Order) -> Row:
    """A match: of a maker's order the status is open, of a taker's match."""
    is_maker = trade.maker_id == order.order_id
    return {
        "type": "match", "status": "open" if is_maker else "match", "tradeId": str(trade.trade_id),
        "matchPrice": digits(trade.px), "matchSize": digits(trade.qty), "liquidity": "maker" if is_maker else "taker",
        "feeType": "makerFee" if is_maker else "takerFee",
    }  # fmt: skip
