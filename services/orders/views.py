"""Orders and positions as strategies and operators see them."""

from common.messages import OrderEvent, PositionChanged
from common.order_state import Order
from services.orders.changes import OrderChanged
from services.orders.positions import Position


def order_event(order: Order, change: OrderChanged, lsn: int, index: int, stamp_ns: int) -> OrderEvent:
    """The order as it stands after the change, named (`lsn`, `index`)."""
    leg = order.leg
    return OrderEvent(
        lsn, index, order.strategy, order.number, change.event, order.status, order.venue, order.symbol, order.side,
        order.ord_type, order.order_qty, order.price, order.cum_qty, order.leaves_qty, order.avg_px, leg.cl_ord_id,
        leg.order_id, order.label, change.last_qty, change.last_px, change.fee_qty, change.fee_asset,
        change.trade_key, change.maker, order.reason, change.text or order.text, stamp_ns, change.reference_trade_key,
    )  # fmt: skip


def position_event(position: Position, lsn: int, index: int, strategy: str) -> PositionChanged:
    """The position as it stands, named (`lsn`, `index`); `strategy` is whose fill moved it."""
    return PositionChanged(
        lsn, index, position.venue, position.symbol, position.quantity, position.average_price,
        position.realised_profit, tuple(position.fees.items()), strategy,
    )  # fmt: skip
