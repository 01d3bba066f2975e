"""KuCoin's WebSocket: opened with a token that REST gives, the private topics by one that was signed for.

Source: KuCoin documentation as stored 2025-11-29, WebSocket, order change V1 and V2, and level 2; frames as CCXT 4.5
reads them. No push of an order has a number, and none tells what a fill has cost.
"""

from common.exchange.changes import Traded
from common.exchange.dead_man import DeadMansSwitch
from common.exchange.numbers import digits
from common.exchange.order import Order
from common.exchange.tokens import Tokens
from common.exchange.told_books import ToldBooks
from common.exchange.venue import Venue
from common.instant import Instant, earliest
from common.venues.families.kucoin.simulated.rows import Row, ms, side
from common.venues.families.kucoin.simulated.websocket import BOOK_EVERY_NS, KucoinWebSocket
from common.venues.kucoin.simulated.rows import order_name

BOOK_DEPTH = 5_000
ORDERS, ORDERS_V2 = "/spotMarket/tradeOrders", "/spotMarket/tradeOrdersV2"
BOOK = "/market/level2:"


class KucoinSpotWebSocket(KucoinWebSocket):
    """An `OrderGateway` that nobody orders through: whoever came with a private token hears of the account's orders."""

    books = BOOK
    trades = "/market/match:"

    def __init__(self, venue: Venue, tokens: Tokens, switch: DeadMansSwitch) -> None:
        super().__init__(venue, tokens)
        self._switch = switch
        self._books = ToldBooks(BOOK_EVERY_NS, BOOK_DEPTH, digits)

    def _is_private(self, topic: str) -> bool:
        return topic in (ORDERS, ORDERS_V2)

    def _follow_book(self, number: int, symbol: str, now: Instant) -> None:
        self._books.begin(number, symbol, now, self._venue.state.books[symbol])

    def _leave_book(self, number: int, symbol: str) -> None:
        self._books.forget(number, symbol)

    # ---- orders

    def _order_name(self, order_id: int) -> str:
        return order_name(order_id)

    def _tell_order(self, order: Order, row: Row, now: Instant) -> None:
        told = {**row, "orderTime": ms(order.stamp_ns), "originSize": digits(order.order_qty)}
        told |= {} if order.price is None else {"price": digits(order.price)}
        # The first version of the topic has no status "new", and so not what has it.
        topics = {ORDERS_V2} if row["status"] == "new" else {ORDERS, ORDERS_V2}
        self._push_private(order.account, topics, "orderChange", told, now)

    # ---- time and books

    def timer(self, now: Instant) -> None:
        """See `KucoinWebSocket`; and let a dead man's switch fire."""
        super().timer(now)
        self._switch.fire(now)

    def next_deadline_ns(self) -> int | None:
        """When a connection is idle for too long, a changed book is due, or a dead man's switch, in boot terms."""
        due = [super().next_deadline_ns(), self._books.next_deadline_ns(self._venue.state.books)]
        due += [self._switch.next_deadline_ns()]
        return earliest(*due)

    def settle(self, now: Instant) -> None:
        """At a turn's end: tell whoever listens to books what is due. There is no snapshot: REST has one, by number."""
        for trade in self._venue.settle_books():
            self._push_trade(trade, "trade.l3match", _trade(trade), now)
        for change in self._books.take_due(self._venue.state.books, now):
            sides = {
                name: [[px, qty, str(change.update_id)] for px, qty in levels]
                for name, levels in (("asks", change.asks), ("bids", change.bids))
            }
            row: Row = {
                "symbol": change.symbol, "changes": sides, "sequenceStart": change.former_id + 1,
                "sequenceEnd": change.update_id, "time": ms(now.wall_ns),
            }  # fmt: skip
            self._push_row(change.connection, f"{BOOK}{change.symbol}", "trade.l2update", row, now)


def _trade(trade: Traded) -> Row:
    return {
        "symbol": trade.symbol, "tradeId": str(trade.trade_id), "price": digits(trade.px),
        "size": digits(trade.qty), "side": side(trade.taker_side), "time": str(trade.stamp_ns), "type": "match",
        "makerOrderId": order_name(trade.maker_id), "takerOrderId": order_name(trade.taker_id),
    }  # fmt: skip
