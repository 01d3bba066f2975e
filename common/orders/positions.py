"""Positions: what the fills of one account and symbol add up to, by the average cost method.

A fill changes the quantity by LastQty(32); a fee taken in the base asset comes off it too, so the quantity equals the
change of the account's balance. The average price is of the open quantity alone; closing part of it realises the
difference. A bust is the opposite fill at the same price. Whatever the order of fills, realised profit minus cost of
the open quantity is the money that moved.
"""

from decimal import Decimal

import msgspec

from common.orders.order_state import ZERO, FillChange


class Position(msgspec.Struct, gc=False):
    """One account's position in one symbol. `quantity` in the base asset, prices and profit in the quote asset.

    `cash` is what the fills brought and cost in the quote asset, fees apart; `fills` how many there were.
    `unpriced_qty` is the quantity of fills whose price is not known yet: prices and profit count it as free until then.
    """

    venue: str
    symbol: str
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realised_profit: Decimal = ZERO
    fees: dict[str, Decimal] = {}
    cash: Decimal = ZERO
    fills: int = 0
    unpriced_qty: Decimal = ZERO
    account: str = ""

    def __post_init__(self) -> None:
        """An older snapshot has one name for the venue and the account."""
        self.account = self.account or self.venue

    def apply(self, change: FillChange, base: str) -> None:
        """Take a change of the fill ledger; `base` is the symbol's base asset."""
        self.cash -= change.value if change.side == "1" else -change.value
        self.fills += change.fills
        self.unpriced_qty += change.unpriced_qty
        if change.qty:
            self._trade(change.signed_qty(), change.value / change.qty)
        elif change.value:
            # A correction of the price alone: the money moved, the quantity did not.
            self._reprice(change.value if change.side == "1" else -change.value)
        for asset, amount in change.fees:
            self.fees[asset] = self.fees.get(asset, ZERO) + amount
            if asset == base:
                self.quantity -= amount
        if not self.quantity:
            self.average_price = ZERO

    def _trade(self, qty: Decimal, px: Decimal) -> None:
        held = self.quantity
        total = held + qty
        if not held or (held > ZERO) == (qty > ZERO):
            self.average_price = (self.average_price * held + px * qty) / total
        else:
            closed = qty if abs(qty) <= abs(held) else -held
            self.realised_profit += (self.average_price - px) * closed
            if abs(qty) > abs(held):
                self.average_price = px
        self.quantity = total

    def _reprice(self, paid: Decimal) -> None:
        if self.quantity:
            self.average_price += paid / self.quantity
        else:
            self.realised_profit -= paid
