"""KuCoin Futures' WebSocket: opened with a token that REST gives, the private topics by one that was signed for.

Source: KuCoin documentation as stored 2025-11-29, futures trading, order and position pushes and level 2; frames as
CCXT 4.5 reads them. No push of an order has a number, and none tells what a fill has cost.
"""

from common.exchange.changes import Change, Placed, Traded
from common.exchange.numbers import digits
from common.exchange.order import ZERO, Asked, Order
from common.exchange.tokens import Tokens
from common.exchange.venue import Venue
from common.instant import Instant, earliest
from common.venues.families.kucoin.simulated.rows import Row, ms, side
from common.venues.families.kucoin.simulated.websocket import BOOK_EVERY_NS, KucoinWebSocket
from common.venues.kucoinfutures.simulated.levels import ToldLevels
from common.venues.kucoinfutures.simulated.rows import order_name, position_row

ORDERS, POSITION, POSITIONS = "/contractMarket/tradeOrders", "/contract/position", "/contract/positionAll"


class KucoinFuturesWebSocket(KucoinWebSocket):
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
        """See `KucoinWebSocket`; and a trade's position. That an order was taken in is not told."""
        if isinstance(change, Placed):
            return
        super().report(change, order, now, asked)
        if isinstance(change, Traded):
            self._push_position(order.account, order.symbol, now)

    def _order_name(self, order_id: int) -> str:
        return order_name(order_id)

    def _tell_order(self, order: Order, row: Row, now: Instant) -> None:
        told = {
            **row, "orderTime": order.stamp_ns, "price": "0" if order.price is None else digits(order.price),
            "marginMode": "CROSS", "positionSide": "BOTH", "tradeType": "trade",
        }  # fmt: skip
        if row["type"] == "open":
            told["liquidity"] = "maker"
        self._push_private(order.account, {ORDERS}, "orderChange", told, now)
        self._push_private(order.account, {f"{ORDERS}:{order.symbol}"}, "symbolOrderChange", told, now)

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
