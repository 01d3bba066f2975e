"""Positions: what the fills of one account and symbol add up to, by the average cost method.

A fill changes the quantity by LastQty(32); a fee taken in the base asset comes off it too, so the quantity equals the
change of the account's balance. The average price is of the open quantity alone; closing part of it realises the
difference. A bust is the opposite fill at the same price. Whatever the order of fills, realised profit minus cost of
the open quantity is the money that moved. Contracts count by the rules of `common.contracts`.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from common.contracts import SPOT, Contract, traded
from common.messages import SIDE_BUY
from common.orders.fills import FillChange
from common.orders.numbers import ZERO


class DatedFee(msgspec.Struct, array_like=True, gc=False):
    """Of the fees in one asset how much was converted when it was paid, and what that was worth then."""

    paid: Decimal = ZERO
    worth: Decimal = ZERO

    def add(self, amount: Decimal, rate: Decimal | None) -> None:
        """So much more was paid at that rate; without one it was given back, at what had been paid on the average."""
        if rate is None:
            amount = max(amount, -self.paid)
            rate = self.worth / self.paid
        self.paid += amount
        self.worth = self.worth + amount * rate if self.paid else ZERO


class Position(msgspec.Struct, gc=False):
    """One account's position in one symbol. `quantity` in the base asset, prices and profit in the quote asset; of
    contracts quantity is in those, and profit in the asset that they are settled in.

    `cash` is what the fills brought and cost in the quote asset, fees apart, or what was settled for contracts; `fills`
    how many there were. `unit_cost` is what the average of contracts is taken of (`Contract.unit_cost`).
    `unpriced_qty` is the quantity of fills whose price is not known yet: prices and profit count it as free until then.
    `dated_fees` are those of the fees, by asset, that were converted into `fees_currency` when they were paid. They are
    in no hash: what an older program has folded has none of them, and its fees count as not converted.
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
    unit_cost: Decimal = ZERO
    dated_fees: dict[str, DatedFee] = {}
    fees_currency: str = ""

    def __post_init__(self) -> None:
        """An older snapshot has one name for the venue and the account."""
        self.account = self.account or self.venue

    def count_fill(self, change: FillChange, base: str, contract: Contract = SPOT) -> None:
        """Take a change of the fill ledger; `base` is the asset that fills in the symbol move, "" for none."""
        self.fills += change.fills
        self.unpriced_qty += change.unpriced_qty
        if not contract.is_spot:
            self._take_contracts(change, contract)
        elif change.qty:
            self.cash -= change.value if change.side == SIDE_BUY else -change.value
            held = traded(self.quantity, self.average_price, change.signed_qty(), change.value / change.qty)
            self.quantity, self.average_price = held.quantity, held.average
            self.realised_profit += held.gain
        elif change.value:
            # A correction of the price alone: the money moved, the quantity did not.
            self.cash -= change.value if change.side == SIDE_BUY else -change.value
            self._reprice(change.value if change.side == SIDE_BUY else -change.value)
        for asset, amount in change.fees:
            self.fees[asset] = self.fees.get(asset, ZERO) + amount
            if asset == base:
                self.quantity -= amount
        if not self.quantity:
            self.average_price = ZERO

    def date_fees(self, change: FillChange, currency: str, rates: Mapping[str, Decimal]) -> None:
        """Convert the fees of a change at the rates of its time. What was converted into another currency is of no use
        any more."""
        if self.fees_currency != currency:
            self.fees_currency, self.dated_fees = currency, {}
        for asset, amount in change.fees:
            dated, rate = self.dated_fees.get(asset), rates.get(asset)
            if change.fills < 0:
                if dated is not None and dated.paid > ZERO:
                    dated.add(amount, None)
            elif rate is not None:
                self.dated_fees.setdefault(asset, DatedFee()).add(amount, rate)

    def _reprice(self, paid: Decimal) -> None:
        if self.quantity:
            self.average_price += paid / self.quantity
        else:
            self.realised_profit -= paid

    def _take_contracts(self, change: FillChange, contract: Contract) -> None:
        """Fills one by one: what is less is the opposite fill, at its own price."""
        sign = 1 if change.side == SIDE_BUY else -1
        for qty, px in change.each:
            held = traded(self.quantity, self.unit_cost, sign * qty, contract.unit_cost(px))
            self.quantity, self.unit_cost = held.quantity, held.average
            self._settle(contract, sign * qty, px, held.gain)
        if not change.qty and change.unpriced_qty:
            self._price_contracts(sign * -change.unpriced_qty, change.value / -change.unpriced_qty, contract)
        self.average_price = contract.unit_cost(self.unit_cost)

    def _price_contracts(self, qty: Decimal, px: Decimal, contract: Contract) -> None:
        """The price of fills that were counted as free is told."""
        cost, gain = qty * contract.unit_cost(px), ZERO
        if self.quantity:
            self.unit_cost += cost / self.quantity
        else:
            gain = -cost
        self._settle(contract, qty, px, gain)

    def _settle(self, contract: Contract, qty: Decimal, px: Decimal, gain: Decimal) -> None:
        self.realised_profit += contract.profit(gain)
        self.cash += contract.settled(qty, px, gain)


def copy_of(position: Position) -> Position:
    """The position as it stands, which does not move with it."""
    dated = {asset: msgspec.structs.replace(each) for asset, each in position.dated_fees.items()}
    return msgspec.structs.replace(position, fees=dict(position.fees), dated_fees=dated)
