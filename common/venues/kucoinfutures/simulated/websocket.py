"""KuCoin Futures' WebSocket: opened with a token that REST gives, the private topics by one that was signed for.

Source: KuCoin documentation as stored 2025-11-29, futures trading, order and position pushes and level 2; frames as
CCXT 4.5 reads them. No push of an order has a number, and none tells what a fill has cost.
"""

from common.exchange.changes import Amended, Change, Closed, Rested, Traded
from common.exchange.numbers import digits
from common.exchange.order import FILLED, MARKET, ZERO, Asked, Order
from common.exchange.tokens import Tokens
from common.exchange.topics import TopicGateway
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant, earliest
from common.venues.kucoinfutures.simulated.levels import ToldLevels
from common.venues.kucoinfutures.simulated.rows import Row, cancelled_qty, ms, order_name, position_row, side

BOOK_EVERY_NS = 100 * NS_PER_MS
ORDERS, POSITION, POSITIONS = "/contractMarket/tradeOrders", "/contract/position", "/contract/positionAll"


class KucoinFuturesWebSocket(TopicGateway):
    """An `OrderGateway` that nobody orders through: whoever came with a private token hears of the account's orders and
    positions."""

    books = "/contractMarket/level2:"
    trades = "/contractMarket/execution:"

    def __init__(self, venue: Venue, tokens: Tokens) -> None:
        super().__init__(venue, tokens)
        self._levels = {symbol: ToldLevels() for symbol in venue.state.books}
        self._book_listeners: set[tuple[int, str]] = set()
        self._books_due_ns = 0

    def _is_private(self, topic: str) -> bool:
        stem, _, symbol = topic.partition(":")
        of_one = stem in (ORDERS, POSITION) and symbol in self._venue.state.books
        return of_one or topic in (ORDERS, POSITIONS)

    def _follow_book(self, number: int, symbol: str, now: Instant) -> None:
        self.tell_book(symbol, now)
        self._book_listeners.add((number, symbol))

    def _leave_book(self, number: int, symbol: str) -> None:
        gone = {place for place in self._book_listeners if place[0] == number and symbol in ("", place[1])}
        self._book_listeners -= gone

    # ---- orders and positions

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """Push what happened to the order, and a trade's position. An order that is full is told twice, by the match
        and by its end."""
        if isinstance(change, Rested):
            self._push_order(order, {"type": "open", "status": "open", "liquidity": "maker"}, now)
        elif isinstance(change, Traded):
            self._push_order(order, _match(change, order), now)
            if order.ord_status == FILLED:
                self._push_order(order, {"type": "filled", "status": "done"}, now)
            self._push_position(order.account, order.symbol, now)
        elif isinstance(change, Amended):
            self._push_order(order, {"type": "update", "status": "open"}, now)
        elif isinstance(change, Closed):
            self._push_order(order, {"type": "canceled", "status": "done"}, now)

    def _push_order(self, order: Order, happened: Row, now: Instant) -> None:
        row: Row = {
            "symbol": order.symbol, "orderType": "market" if order.ord_type == MARKET else "limit",
            "side": side(order.side), "orderId": order_name(order.order_id), "clientOid": order.cl_ord_id,
            "orderTime": order.stamp_ns, "size": digits(order.order_qty), "filledSize": digits(order.cum_qty),
            "remainSize": digits(order.leaves_qty), "canceledSize": digits(cancelled_qty(order)),
            "price": "0" if order.price is None else digits(order.price), "marginMode": "CROSS",
            "positionSide": "BOTH", "tradeType": "trade", "ts": now.wall_ns, **happened,
        }  # fmt: skip
        self._push_private(order.account, {ORDERS}, "orderChange", row, now)
        self._push_private(order.account, {f"{ORDERS}:{order.symbol}"}, "symbolOrderChange", row, now)

    def _push_position(self, account: str, symbol: str, now: Instant) -> None:
        state, engine = self._venue.state, self._venue.engine
        qty, average = state.accounts.positions.get((account, symbol), (ZERO, ZERO))
        row = position_row(state.instruments[symbol], qty, average, engine.last_px(symbol), ms(now.wall_ns))
        told = {**row, "changeReason": "positionChange"}
        self._push_private(account, {POSITIONS, f"{POSITION}:{symbol}"}, "position.change", told, now)

    # ---- time and books

    def next_deadline_ns(self) -> int | None:
        """When a connection is idle for too long or a changed book is due, in boot terms."""
        books = self._venue.state.books
        is_changed = any(self._levels[symbol].differs(books[symbol]) for _, symbol in self._book_listeners)
        return earliest(super().next_deadline_ns(), self._books_due_ns if is_changed else None)

    def settle(self, now: Instant) -> None:
        """At a turn's end: tell whoever listens to books what is due. There is no snapshot: REST has one, by number."""
        for trade in self._venue.settle_books():
            self._push_trade(trade, "match", _trade(trade), now)
        if now.boot_ns >= self._books_due_ns and self._book_listeners:
            self._books_due_ns = now.boot_ns + BOOK_EVERY_NS
            for symbol in sorted({symbol for _, symbol in self._book_listeners}):
                self.tell_book(symbol, now)

    def tell_book(self, symbol: str, now: Instant) -> ToldLevels:
        """Tell its listeners what of a book they were not told yet; the book as it stands then."""
        told = self._levels[symbol]
        for change in told.take_changes(self._venue.state.books[symbol]):
            row: Row = {"sequence": change.sequence, "change": change.text, "timestamp": ms(now.wall_ns)}
            for number_, each in sorted(self._book_listeners):
                if each == symbol:
                    self._push_row(number_, f"{self.books}{symbol}", "level2", row, now)
        return told


def _trade(trade: Traded) -> Row:
    return {
        "symbol": trade.symbol, "sequence": trade.trade_id, "side": side(trade.taker_side), "size": int(trade.qty),
        "price": digits(trade.px), "takerOrderId": order_name(trade.taker_id),
        "makerOrderId": order_name(trade.maker_id), "tradeId": str(trade.trade_id), "ts": trade.stamp_ns,
    }  # fmt: skip


def _match(trade: Traded, order: Order) -> Row:
    """A match: of a maker's order the status is open, of a taker's match."""
    is_maker = trade.maker_id == order.order_id
    return {
        "type": "match", "status": "open" if is_maker else "match", "tradeId": str(trade.trade_id),
        "matchPrice": digits(trade.px), "matchSize": digits(trade.qty), "liquidity": "maker" if is_maker else "taker",
        "feeType": "makerFee" if is_maker else "takerFee",
    }  # fmt: skip
