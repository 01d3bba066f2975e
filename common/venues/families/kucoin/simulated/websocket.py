"""KuCoin's WebSocket: what every market pushes of an order.

Source: KuCoin documentation as stored 2025-11-29, WebSocket, order changes; frames as CCXT 4.5 reads them. No push of
an order has a number, and none tells what a fill has cost.
"""

from abc import abstractmethod

from common.exchange.changes import Amended, Change, Closed, Placed, Rested, Traded
from common.exchange.numbers import digits
from common.exchange.order import FILLED, MARKET, Asked, Order
from common.exchange.topics import TopicGateway
from common.instant import NS_PER_MS, Instant
from common.venues.families.kucoin.simulated.rows import Row, cancelled_qty, side

BOOK_EVERY_NS = 100 * NS_PER_MS


class KucoinWebSocket(TopicGateway):
    """An `OrderGateway` that nobody orders through: whoever came with a private token hears of the account's orders."""

    # ---- what each market has of its own

    @abstractmethod
    def _order_name(self, order_id: int) -> str:
        """orderId."""

    @abstractmethod
    def _tell_order(self, order: Order, row: Row, now: Instant) -> None:
        """Push a row of an order, with what the market adds to it."""

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
            "side": side(order.side), "orderId": self._order_name(order.order_id), "clientOid": order.cl_ord_id,
            "size": digits(order.order_qty), "filledSize": digits(order.cum_qty),
            "remainSize": digits(order.leaves_qty), "canceledSize": digits(cancelled_qty(order)), "ts": now.wall_ns,
            **happened,
        }  # fmt: skip
        self._tell_order(order, row, now)


def _match(trade: Traded, order: Order) -> Row:
    """A match: of a maker's order the status is open, of a taker's match."""
    is_maker = trade.maker_id == order.order_id
    return {
        "type": "match", "status": "open" if is_maker else "match", "tradeId": str(trade.trade_id),
        "matchPrice": digits(trade.px), "matchSize": digits(trade.qty), "liquidity": "maker" if is_maker else "taker",
        "feeType": "makerFee" if is_maker else "takerFee",
    }  # fmt: skip
