"""What a unit of an instrument's quantity is: the base asset itself on a spot market, a contract on any other.

Rules, and their one home:

1. A quantity is in the venue's unit everywhere. A contract stands for `multiplier` of its underlying: of the base asset
   where it is linear, of the quote asset where it is inverse.
2. The notional of a linear contract is price times quantity times multiplier; that of an inverse one is quantity times
   multiplier, whatever the price. Both are in the quote asset.
3. A contract moves no base asset. What closing realises, and every fee, is in `settle`; an option's premium is paid in
   it at once.
4. A position's average price is the price at which its whole quantity would have cost what it did: the mean over the
   quantity for a linear contract, the harmonic mean for an inverse one, whose cost is in one over the price.
"""

import enum
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

import msgspec

ZERO: Final = Decimal(0)
PROFIT_STEP: Final = Decimal("0.00000001")
"""What a fill of a contract realises is settled in multiples of this."""


class InstrumentKind(enum.StrEnum):
    """What is traded: an asset itself, or a contract on it."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    OPTION = "option"


class OptionRight(enum.StrEnum):
    """What an option gives the right to: to buy the underlying, or to sell it."""

    CALL = "call"
    PUT = "put"


class Contract(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How an instrument's quantity counts: see the module's rules. `settle` is the asset that it is settled in, "" for
    a spot market.
    """

    kind: InstrumentKind = InstrumentKind.SPOT
    multiplier: Decimal = Decimal(1)
    inverse: bool = False
    settle: str = ""

    @property
    def is_spot(self) -> bool:
        """Whether a fill moves the base asset itself."""
        return self.kind is InstrumentKind.SPOT

    def notional(self, price: Decimal, qty: Decimal) -> Decimal:
        """What the quantity comes to at that price, in the quote asset."""
        return qty * self.multiplier if self.inverse else price * qty * self.multiplier

    def underlying(self, price: Decimal, qty: Decimal) -> Decimal:
        """How much of the base asset the quantity stands for at that price, 0 where an inverse one has none."""
        if not self.inverse:
            return qty * self.multiplier
        return qty * self.multiplier / price if price else ZERO

    def quantity(self, price: Decimal, notional: Decimal) -> Decimal:
        """The quantity whose notional that is at that price: the contrary of `notional`, in no whole lots."""
        return notional / self.multiplier if self.inverse else notional / (price * self.multiplier)

    def worth(self, price: Decimal, qty: Decimal) -> Decimal:
        """What the quantity is worth at that price in the asset that it is paid or settled in: of this is a fee a
        share."""
        return self.underlying(price, qty) if self.inverse else self.notional(price, qty)

    def unit_cost(self, price: Decimal) -> Decimal:
        """What costs are averaged in: the price, or one over it; 0 for a price of 0, which is one not known yet."""
        return 1 / price if self.inverse and price else price

    def profit(self, gain: Decimal) -> Decimal:
        """What a `gain` of unit costs times quantity comes to: in the quote asset of a spot market, exactly, else in
        `settle`."""
        if self.is_spot:
            return gain
        gain = -gain if self.inverse else gain
        return (gain * self.multiplier).quantize(PROFIT_STEP, ROUND_HALF_EVEN)

    def settled(self, qty: Decimal, price: Decimal, gain: Decimal) -> Decimal:
        """What a fill of contracts brings in `settle`, fees apart: `qty` is below zero for a sale, `gain` what it
        realises."""
        return -self.worth(price, qty) if self.kind is InstrumentKind.OPTION else self.profit(gain)

    def held_at_cost(self, qty: Decimal, unit_cost: Decimal) -> Decimal:
        """What contracts held at that average of unit costs have cost in `settle`, 0 of an option, whose premium is
        paid."""
        return ZERO if self.kind is InstrumentKind.OPTION else self.profit(unit_cost * qty)


SPOT: Final = Contract()


class Held(NamedTuple):
    """What a fill makes of a position: its quantity, the average of its unit costs, and the gain that was realised."""

    quantity: Decimal
    average: Decimal
    gain: Decimal


def traded(quantity: Decimal, average: Decimal, qty: Decimal, unit_cost: Decimal) -> Held:
    """A fill of `qty` (below zero for a sale) meets a position, by the average cost method: what adds to it moves the
    average, what takes off it realises the difference, and what turns it over begins a new one.
    """
    total = quantity + qty
    if not quantity or (quantity > ZERO) == (qty > ZERO):
        return Held(total, (average * quantity + unit_cost * qty) / total, ZERO)
    if abs(qty) <= abs(quantity):
        return Held(total, average if total else ZERO, (average - unit_cost) * qty)
    return Held(total, unit_cost, (average - unit_cost) * -quantity)


def instrument_id(
    base: str,
    quote: str,
    contract: Contract = SPOT,
    expiry: datetime | None = None,
    strike: Decimal | None = None,
    right: OptionRight | None = None,
) -> str:
    """The one name of an instrument over all venues: `BTC/USDT` for spot, `BTC/USD:BTC` for a perpetual settled in BTC,
    `BTC/USD:BTC-20270924` for a future, `BTC/BTC:BTC-20270924-100000-C` for a call.
    """
    if contract.is_spot:
        return f"{base}/{quote}"
    parts = [f"{base}/{quote}:{contract.settle}"]
    parts += [] if expiry is None else [f"{expiry:%Y%m%d}"]
    parts += [] if strike is None else [f"{strike.normalize():f}"]
    parts += [] if right is None else [right.value[0].upper()]
    return "-".join(parts)
