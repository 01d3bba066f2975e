"""What trades have brought and cost, by the exchange's own log and by our books, and what of it can be compared.

The one home of what is no difference between the two:

1. What a person has booked by hand has his price, and no fee: his orders' strategies are not compared at all.
2. A fill whose price was never told counts as free, and is shown as unpriced: its strategy's money is not compared.
3. Nor is money where a fuzz writes other prices into reports than the exchange trades at (`Truth.prices_are_odd`).
4. Money may differ by ROUNDED: a price that AvgPx(6) alone told has eight decimals. And by half of PROFIT_STEP each
   time that contracts were settled: what a fill brings is rounded to that, and many fills of one quantity are all
   rounded the same way.
5. Where reports tell no fees, REST is asked for those of our own orders; what somebody else's have cost nobody asks,
   and the fees of nobody's part are not compared there.

What contracts were settled at follows from the order of all fills, and our books average what they hold. Neither is
compared: what is, is what all would have come to, had the rest been closed at one price, which depends on the fills
alone. How a contract counts is computed here from its multiplier, and from whether it is inverse, once more.
"""

from collections.abc import Set
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from common.contracts import PROFIT_STEP, Contract
from common.exchange.settings import Instrument
from common.venues.venue import Feature, VenueProfile

ZERO: Final = Decimal(0)
ROUNDED: Final = Decimal("0.000001")
"""Money may differ by as much beside what was settled: eight decimals, times all that a strategy trades in a run."""


class TrueMoney(NamedTuple):
    """What trades have brought and cost: the quantity held, money, and fees by asset. Money is in the quote asset; of
    contracts in what they are settled in, the rest closed at the instrument's first price. `settlements` is how often
    our books may have rounded what contracts brought.
    """

    quantity: Decimal
    cash: Decimal
    fees: dict[str, Decimal]
    settlements: int = 0

    def plus(self, other: "TrueMoney") -> "TrueMoney":
        """Both together."""
        assets = self.fees.keys() | other.fees.keys()
        fees = {asset: self.fees.get(asset, ZERO) + other.fees.get(asset, ZERO) for asset in assets}
        settlements = self.settlements + other.settlements
        return TrueMoney(self.quantity + other.quantity, self.cash + other.cash, fees, settlements)

    def equals(self, other: "TrueMoney") -> bool:
        """Whether it is the same; a fee of 0 is none."""
        ours, theirs = ({a: paid for a, paid in each.fees.items() if paid} for each in (self, other))
        rounded = ROUNDED + max(self.settlements, other.settlements) * PROFIT_STEP / 2
        return (self.quantity, ours) == (other.quantity, theirs) and abs(self.cash - other.cash) <= rounded


class Held(Protocol):
    """What is asked of a position of our books."""

    @property
    def quantity(self) -> Decimal:
        """How much is held, below zero where it is owed."""

    @property
    def average_price(self) -> Decimal:
        """What it has cost, 0 where nothing is held or its price is not known."""

    @property
    def cash(self) -> Decimal:
        """What the fills brought and cost."""

    @property
    def fees(self) -> dict[str, Decimal]:
        """By asset."""

    @property
    def unpriced_qty(self) -> Decimal:
        """Of fills whose price was not told."""


NO_MONEY: Final = TrueMoney(ZERO, ZERO, {})


def closed_at(contract: Contract, price: Decimal, qty: Decimal, value: Decimal, inverse_value: Decimal) -> Decimal:
    """What contracts come to, bought to a quantity of `qty` (below zero where they were sold), once that is closed at
    `price`: `value` is the sum of quantity times price of what was bought, less what was sold, `inverse_value` that of
    quantity over price.
    """
    gain = inverse_value - qty / price if contract.inverse else price * qty - value
    return gain * contract.multiplier


def our_money(held: Held, instrument: Instrument) -> TrueMoney:
    """A part of a position as our books have it, to be compared with the exchange's."""
    contract, price, average = instrument.contract, instrument.start_price, held.average_price
    if contract.is_spot or not held.quantity or not average:
        return TrueMoney(held.quantity, held.cash, held.fees)
    rest = closed_at(contract, price, held.quantity, held.quantity * average, held.quantity / average)
    return TrueMoney(held.quantity, held.cash + rest, held.fees)


def is_money_told(held: Held | None, *, prices_are_odd: bool) -> bool:
    """Whether our books know at which prices the fills were (2 and 3)."""
    return not prices_are_odd and (held is None or not held.unpriced_qty)


def are_fees_told(strategy: str, profile: VenueProfile) -> bool:
    """Whether our books know what the fills have cost; `strategy` is "" for those of nobody's orders (5)."""
    return bool(strategy) or profile.has(Feature.FILL_FEES)


def is_compared(strategy: str, booked_by_hand: Set[tuple[str, int]]) -> bool:
    """Whether no order of the strategy was booked by hand (1)."""
    return all(strategy != whose for whose, _ in booked_by_hand)
