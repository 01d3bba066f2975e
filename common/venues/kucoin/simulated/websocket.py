"""KuCoin's WebSocket: opened with a token that REST gives, the private topics by one that was signed for.

Source: KuCoin documentation as stored 2025-11-29, WebSocket, order change V1 and V2, and level 2; frames as CCXT 4.5
reads them. No push of an order has a number, and none tells what a fill has cost.
"""

from common.exchange.changes import Amended, Change, Closed, Placed, Rested, Traded
from common.exchange.dead_man import DeadMansSwitch
from common.exchange.numbers import digits
from common.exchange.order import FILLED, MARKET, Asked, Order
from common.exchange.tokens import Tokens
from common.exchange.told_books import ToldBooks
from common.exchange.topics import TopicGateway
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, Instant, earliest
from common.venues.kucoin.simulated.rows import Row, cancelled_qty, ms, order_name, side

BOOK_EVERY_NS = 100 * NS_PER_MS
BOOK_DEPTH = 5_000
ORDERS, ORDERS_V2 = "/spotMarket/tradeOrders", "/spotMarket/tradeOrdersV2"
BOOK = "/market/level2:"


class KucoinWebSocket(TopicGateway):
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
        # The first version of the topic has no status "new", and so not what has it.
        topics = {ORDERS_V2} if row["status"] == "new" else {ORDERS, ORDERS_V2}
        self._push_private(order.account, topics, "orderChange", row, now)

    # ---- time and books

    def timer(self, now: Instant) -> None:
        """See `TopicGateway`; and let a dead man's switch fire."""
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


def _match(trade: Traded, order: Order) -> Row:
    """A match: of a maker's order the status is open, of a taker's match."""
    is_maker = trade.maker_id == order.order_id
    return {
        "type": "match", "status": "open" if is_maker else "match", "tradeId": str(trade.trade_id),
        "matchPrice": digits(trade.px), "matchSize": digits(trade.qty), "liquidity": "maker" if is_maker else "taker",
        "feeType": "makerFee" if is_maker else "takerFee",
    }  # fmt: skip
