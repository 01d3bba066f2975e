"""How KuCoin writes what its markets have in common.

Source: KuCoin documentation as stored 2025-11-29. Times are Unix milliseconds.
"""

from decimal import Decimal

from common.exchange.history import ClosedOrder
from common.exchange.order import BUY, CANCELED, ZERO, Order
from common.instant import NS_PER_MS

Row = dict[str, object]


def ms(stamp_ns: int) -> int:
    """Unix milliseconds."""
    return stamp_ns // NS_PER_MS


def side(code: str) -> str:
    """Side(54) in the venue's word."""
    return "buy" if code == BUY else "sell"


def cancelled_qty(order: Order | ClosedOrder) -> Decimal:
    """What of an order was cancelled."""
    return order.terms.order_qty - order.cum_qty if order.ord_status == CANCELED else ZERO
