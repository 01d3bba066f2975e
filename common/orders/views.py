"""Orders and positions as strategies and operators see them."""

from decimal import Decimal

import msgspec

from common.messages import SNAPSHOT, OrderEvent, PositionChanged
from common.orders.books import Books
from common.orders.changes import OrderChanged
from common.orders.numbers import ZERO
from common.orders.order_state import Order
from common.orders.positions import Position


def order_event(
    order: Order, change: OrderChanged, unpriced_qty: Decimal, lsn: int, index: int, stamp_ns: int
) -> OrderEvent:
    """The order as it stands after the change, named (`lsn`, `index`); `unpriced_qty` of it has an unknown price."""
    leg = order.leg
    return OrderEvent(
        lsn, index, order.strategy, order.number, change.event, order.status, order.venue, order.symbol, order.terms,
        order.cum_qty, order.leaves_qty, order.avg_px(unpriced_qty), leg.cl_ord_id, leg.order_id, order.label,
        change.last_qty, change.last_px, change.fee_qty, change.fee_asset, change.trade_key, change.maker, order.reason,
        change.text or order.text, stamp_ns, change.reference_trade_key, unpriced_qty, not order.is_closed,
        order.account, order.triggered, order.list_number,
    )  # fmt: skip


def position_event(books: Books, position: Position, lsn: int, index: int, strategy: str) -> PositionChanged:
    """The position as it stands, named (`lsn`, `index`); `strategy` is whose fill moved it."""
    facts = books.known.find(position.account)
    underlying_qty = facts.contract(position.symbol).underlying(position.average_price, position.quantity)
    return PositionChanged(
        lsn, index, position.venue, position.symbol, position.quantity, position.average_price,
        position.realised_profit, tuple(position.fees.items()), strategy, position.unpriced_qty,
        position.account, underlying_qty, facts.bases.get(position.symbol, ""),
    )  # fmt: skip


def own_position_event(books: Books, position: Position, lsn: int, index: int, strategy: str) -> PositionChanged:
    """The position as it stands, for the strategy, whose own part of it is told with it."""
    told = position_event(books, position, lsn, index, strategy)
    own = books.own.get((strategy, position.account, position.symbol))
    return msgspec.structs.replace(
        told, own_quantity=ZERO if own is None else own.quantity,
        own_average_price=ZERO if own is None else own.average_price,
        own_realised_profit=ZERO if own is None else own.realised_profit,
        own_fees=() if own is None else tuple(own.fees.items()),
    )  # fmt: skip


def standing_order(books: Books, order: Order, index: int = 0) -> OrderEvent:
    """An order as it is after the last record, named by that and `index`."""
    change = OrderChanged(order, SNAPSHOT)
    return order_event(order, change, books.unpriced_qty(order), books.lsn, index, books.stamp_ns)
