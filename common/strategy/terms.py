"""The terms of an order out of what a strategy says: the arguments of `buy` and `sell` as FIX's own codes."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from common.messages import (
    INSTRUCTIONS,
    MARKET_PEG,
    OFFSET_BASIS_POINTS,
    OFFSET_LEVELS,
    OFFSET_PRICE,
    PEGGED,
    PRIMARY_PEG,
    TRAILING_STOP_PEG,
    OrdType,
    PegOffsetType,
    PegPriceType,
    Side,
    Terms,
    TimeInForce,
)

ZERO = Decimal(0)
PEGS: dict[str, PegPriceType] = {"primary": PRIMARY_PEG, "market": MARKET_PEG}
"""What a pegged order takes its price from: the best price of its own side, or of the other one."""


def terms_of(
    side: Side,
    order_qty: Decimal | None,
    price: Decimal | None = None,
    *,
    time_in_force: TimeInForce = "1",
    post_only: bool = False,
    stop_px: Decimal | None = None,
    expire_ns: int = 0,
    reduce_only: bool = False,
    display_qty: Decimal | None = None,
    cash_order_qty: Decimal | None = None,
    take_profit: bool = False,
    trailing_bips: int = 0,
    trailing_offset: Decimal | None = None,
    peg: str = "",
    peg_levels: int = 0,
) -> Terms:
    """The terms: a limit order with a price, a market order without; with a stop price or a trailing distance it sleeps
    until that is reached, with `expire_ns` it is good till then, with `display_qty` no more of it is seen at once. Its
    size is `order_qty` or `cash_order_qty`, an amount of the quote asset. With `peg` it has the best price there is.

    Raises TypeError where money is no Decimal, where both sizes are given or none is, and where a peg has a price.
    """
    money = {
        "order_qty": order_qty, "price": price, "stop_px": stop_px, "display_qty": display_qty,
        "cash_order_qty": cash_order_qty, "trailing_offset": trailing_offset,
    }  # fmt: skip
    for name, value in money.items():
        if value is not None and not isinstance(value, Decimal):
            raise TypeError(f"{name} is {value!r}, and has to be a Decimal")
    if (order_qty is None) is (cash_order_qty is None):
        raise TypeError("an order has either an order_qty or a cash_order_qty")
    peg_price_type, peg_offset, peg_offset_type = _pegged(trailing_bips, trailing_offset, peg, peg_levels)
    if peg and not (price is stop_px is None):
        raise TypeError("a pegged order has its price from the book: no price and no stop_px")
    sleeps = stop_px is not None or peg_price_type == TRAILING_STOP_PEG
    ord_type: OrdType = ("1" if price is None else "2") if not sleeps else ("3" if price is None else "4")
    return Terms(
        side, PEGGED if peg else ord_type, ZERO if order_qty is None else order_qty, price,
        "6" if expire_ns and time_in_force == "1" else time_in_force, INSTRUCTIONS[post_only, reduce_only], stop_px,
        expire_ns, display_qty, cash_order_qty, take_profit, peg_price_type, peg_offset, peg_offset_type,
    )  # fmt: skip


def paid_orders(orders: Sequence[Terms]) -> tuple[Terms, ...]:
    """The orders of a list whose first one pays the others: these sell what it has bought, the whole of its quantity at
    most, whatever theirs says."""
    first, *pending = orders
    return (first, *(replace(each, order_qty=first.order_qty, paid=True) for each in pending))


def _pegged(
    trailing_bips: int, trailing_offset: Decimal | None, peg: str, peg_levels: int
) -> tuple[PegPriceType, Decimal | None, PegOffsetType]:
    """What its price or stop price follows, by how much, and in what that is counted. Raises TypeError."""
    if bool(trailing_bips) + (trailing_offset is not None) + bool(peg) > 1:
        raise TypeError("an order has one of trailing_bips, trailing_offset and peg at most")
    if trailing_bips:
        return TRAILING_STOP_PEG, Decimal(trailing_bips), OFFSET_BASIS_POINTS
    if trailing_offset is not None:
        return TRAILING_STOP_PEG, trailing_offset, OFFSET_PRICE
    if peg:
        if peg not in PEGS:
            raise TypeError(f"peg is {peg!r}, and has to be one of {', '.join(PEGS)}")
        return PEGS[peg], Decimal(peg_levels) if peg_levels else None, OFFSET_LEVELS if peg_levels else ""
    if peg_levels:
        raise TypeError("peg_levels are of a pegged order")
    return "", None, ""
