"""Which orders a command to cancel many is about: nothing that is younger than itself."""

from common.messages import CancelAll
from common.orders.order_state import Order


def covers(wished: CancelAll, order: Order, *, was_under_way: bool) -> bool:
    """Whether the order is to be cancelled: it was open at the command's record or, under way then, has come since.

    Numbers rise, so an own order with a higher one was wanted after the command, and another strategy's with a higher
    one than it had under way.
    """
    if (wished.target_strategy or wished.strategy) not in ("*", order.strategy):
        return False
    if wished.venue not in ("", order.venue) or wished.symbol not in ("", order.symbol):
        return False
    if wished.account not in ("", order.account) or order.account in wished.left_open:
        return False
    if order.strategy == wished.strategy:
        return order.number < wished.number
    return not was_under_way or order.number <= dict(wished.under_way).get(order.strategy, 0)
