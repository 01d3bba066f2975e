"""Gate.io Spot's WebSocket v4: the form of what it pushes.

Source: Gate WebSocket v4 documentation as stored 2025-11-25: orders, usertrades, and public trades.
"""

from common.exchange.changes import Change, Closed, Traded
from common.exchange.history import TradeRow, closed_order
from common.exchange.numbers import digits
from common.exchange.order import BUY, Order
from common.instant import NS_PER_MS, NS_PER_S
from common.venues.families.gateio.simulated.rows import Row
from common.venues.families.gateio.simulated.websocket import GateioWebSocket
from common.venues.gateio.simulated.rows import order_row, pushed_fill


class GateioSpotWebSocket(GateioWebSocket):
    """An `OrderGateway` that nobody orders through: who has subscribed hears of his account's orders and fills."""

    path = "/ws/v4/"
    area = "spot"

    def name_of(self, symbol: str) -> str:
        """See `GateioWebSocket`."""
        return symbol

    def _fill_row(self, row: TradeRow) -> Row:
        return pushed_fill(row)

    def _order_row(self, change: Change, order: Order, event: str) -> Row:
        fills = self._venue.history.trades_of(order.account, order.order_id) if order.cum_qty else []
        asset = self._venue.state.instruments[order.symbol].fee_asset(order.side)
        cause = change.cause if isinstance(change, Closed) else ""
        row = order_row(
            closed_order(order), fills, asset, amend_text=self.amend_text(order.order_id), cause=cause
        )
        stamps = {name: str(row[name]) for name in ("create_time_ms", "update_time_ms")}
        del row["status"]
        return {**row, **stamps, "event": event, "user": 1, "biz_info": "-"}

    def _public_trade(self, trade: Traded) -> object:
        return {
            "id": trade.trade_id, "create_time": trade.stamp_ns // NS_PER_S,
            "create_time_ms": f"{trade.stamp_ns // NS_PER_MS}.000000",
            "side": "buy" if trade.taker_side == BUY else "sell", "currency_pair": trade.symbol,
            "amount": digits(trade.qty), "price": digits(trade.px),
        }  # fmt: skip
