"""The terms of an order out of what a strategy says: the arguments of `buy` and `sell` as FIX's own codes."""

from decimal import Decimal

from common.messages import INSTRUCTIONS, OrdType, Side, Terms, TimeInForce

ZERO = Decimal(0)


def terms_of(
    side: Side,
    order_qty: Decimal | None,
    price: Decimal | None = None,
    time_in_force: TimeInForce = "1",
    post_only: bool = False,
    stop_px: Decimal | None = None,
    expire_ns: int = 0,
    reduce_only: bool = False,
    display_qty: Decimal | None = None,
    cash_order_qty: Decimal | None = None,
) -> Terms:
    """The terms: a limit order with a price, a market order without; with a stop price it sleeps until that is reached,
    with `expire_ns` it is good till then, with `display_qty` no more of it is seen at once. Its size is `order_qty` or
    `cash_order_qty`, an amount of the quote asset.

    Raises TypeError where money is no Decimal, and where both sizes are given or none is.
    """
    money = {
        "order_qty": order_qty, "price": price, "stop_px": stop_px, "display_qty": display_qty,
        "cash_order_qty": cash_order_qty,
    }  # fmt: skip
    for name, value in money.items():
        if value is not None and not isinstance(value, Decimal):
            raise TypeError(f"{name} is {value!r}, and has to be a Decimal")
    if (order_qty is None) is (cash_order_qty is None):
        raise TypeError("an order has either an order_qty or a cash_order_qty")
    instructions = INSTRUCTIONS[post_only, reduce_only]
    ord_type: OrdType = ("1" if price is None else "2") if stop_px is None else ("3" if price is None else "4")
    time_in_force = "6" if expire_ns and time_in_force == "1" else time_in_force
    qty = ZERO if order_qty is None else order_qty
    return Terms(
        side, ord_type, qty, price, time_in_force, instructions, stop_px, expire_ns, display_qty, cash_order_qty
    )
