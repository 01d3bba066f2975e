"""The terms of an order out of what a strategy says: the arguments of `buy` and `sell` as FIX's own codes."""

from decimal import Decimal

from common.messages import NO_INSTRUCTIONS, POST_ONLY, Side, Terms, TimeInForce


def terms_of(
    side: Side,
    order_qty: Decimal,
    price: Decimal | None = None,
    time_in_force: TimeInForce = "1",
    post_only: bool = False,
) -> Terms:
    """The terms: a limit order with a price, a market order without."""
    instructions = POST_ONLY if post_only else NO_INSTRUCTIONS
    return Terms(side, "1" if price is None else "2", order_qty, price, time_in_force, instructions)
