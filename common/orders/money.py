"""Money: what each strategy's part of a position has brought by now, and what that is in one currency.

Rules, and their one home:

1. Profit is counted by the average cost method, by part and in the asset that the part is paid or settled in.
   `realised` is what closing has brought, `unrealised` what the rest would bring at the price of now, and fees are
   apart: net is realised and unrealised profit less fees.
2. A fee that was taken in the base asset is not held any more: it counts at what that had cost. Any other fee counts at
   the rate that the log had of its asset when it was paid; what it had none for, or an old one, counts at the rate of
   now, and where that is none that is fixed, it is told.
3. What is in another asset than the currency is converted at the rate of now: a fixed one, or the middle of the book of
   a spot pair, or of pairs one after the other, the shortest way and on equal ways the freshest. Its age is the oldest
   price's.
4. What has no price or no rate is left out, and named: a sum says what it lacks.
5. The day's figures are those of now less those of when the day began, both at the rates of now.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from common.contracts import Contract
from common.orders.books import Books, Day, Place
from common.orders.facts import VenueFacts
from common.orders.numbers import ZERO
from common.orders.positions import DatedFee, Position

MAX_HOPS: Final = 3
"""So many pairs one after the other are a rate at most."""


class Part(msgspec.Struct, frozen=True, gc=False):
    """A strategy's part of a position ("" is nobody's), and what must be known of the instrument to count with it."""

    strategy: str
    position: Position
    contract: Contract
    base: str
    quote: str

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.position.account, self.position.symbol

    @property
    def currency(self) -> str:
        """The asset that profit is in."""
        return self.quote if self.contract.is_spot else self.contract.settle


class Held(msgspec.Struct, frozen=True, gc=False):
    """All parts of positions after the record `lsn`, and the day with what was held when it began."""

    lsn: int
    stamp_ns: int
    parts: tuple[Part, ...]
    day: Day


def held_by(books: Books) -> Held:
    """What the books hold; a part that nothing ever moved is none."""
    parts = []
    for (strategy, account, symbol), position in books.own.items():
        facts = books.known.find(account)
        base, quote = facts.bases.get(symbol, ""), facts.quotes.get(symbol, "")
        parts.append(Part(strategy, position, facts.contract(symbol), base, quote))
    return Held(books.lsn, books.stamp_ns, tuple(parts), books.day)


class Price(NamedTuple):
    """What a unit is worth in the quote asset, how old the word on it is, and how old it may be."""

    px: Decimal
    age_ms: int = 0
    max_age_ms: int = 0

    @property
    def is_stale(self) -> bool:
        """Whether it is older than it may be."""
        return self.age_ms > self.max_age_ms


class Pair(NamedTuple):
    """A spot market that tells what its base asset is worth in its quote asset."""

    base: str
    quote: str
    price: Price


class Rates:
    """What assets are worth in one currency."""

    def __init__(self, currency: str, fixed: Mapping[str, Decimal], pairs: Iterable[Pair]) -> None:
        """`fixed` rates go before what the pairs tell; a price that is not above 0 tells nothing."""
        self.currency = currency
        self._fixed = frozenset((*fixed, currency))
        self._edges: dict[str, list[tuple[str, Price]]] = {}
        for base, quote, price in pairs:
            if price.px > ZERO and base and quote:
                self._edges.setdefault(quote, []).append((base, price))
                self._edges.setdefault(base, []).append((quote, price._replace(px=1 / price.px)))
        self._rates = {asset: Price(rate) for asset, rate in fixed.items()} | {currency: Price(Decimal(1))}
        self._spread()

    def find(self, asset: str) -> Price | None:
        """The rate; None where no way of at most MAX_HOPS pairs leads there."""
        return self._rates.get(asset)

    def moving(self) -> Iterator[tuple[str, Price]]:
        """The assets whose rate is not the same at all times, with it."""
        return ((asset, rate) for asset, rate in sorted(self._rates.items()) if asset not in self._fixed)

    def is_fixed(self, asset: str) -> bool:
        """Whether the rate is the same at all times."""
        return asset in self._fixed

    def _spread(self) -> None:
        """From what is known on to its pairs' other assets, one pair further with each round."""
        for _ in range(MAX_HOPS):
            found: dict[str, Price] = {}
            for known, rate in self._rates.items():
                for asset, price in self._edges.get(known, ()):
                    age_ms, allowed_ms = max((rate.age_ms, rate.max_age_ms), (price.age_ms, price.max_age_ms))
                    if asset not in self._rates and (asset not in found or age_ms < found[asset].age_ms):
                        found[asset] = Price(rate.px * price.px, age_ms, allowed_ms)
            self._rates |= found


class Profit(NamedTuple):
    """Profit in the reporting currency. Sums add up."""

    realised: Decimal = ZERO
    unrealised: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """What is left of it."""
        return self.realised + self.unrealised - self.fees

    def plus(self, other: "Profit", sign: int = 1) -> "Profit":
        """Both together, or with `sign` -1 this less the other."""
        return Profit(*(ours + sign * theirs for ours, theirs in zip(self, other, strict=True)))


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one part has brought. `realised`, `unrealised` and `fees` are in their own assets; `profit`, and `today` of
    the day, in the reporting currency. `lacks` says what is left out of these, `stale` which prices are too old,
    `undated` in which assets some fees are converted at the rate of now, that of when they were paid not being known.
    """

    strategy: str
    position: Position
    currency: str
    realised: Decimal
    unrealised: Decimal | None
    fees: dict[str, Decimal]
    price: Price | None
    profit: Profit
    today: Profit | None
    lacks: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()


class _Measured(NamedTuple):
    realised: Decimal
    unrealised: Decimal | None
    fees: dict[str, Decimal]
    dated: Mapping[str, DatedFee]


def lines(held: Held, prices: Mapping[Place, Price], rates: Rates) -> list[Line]:
    """What each part has brought at these prices and rates, by strategy and place."""
    opening = {(strategy, position.account, position.symbol): position for strategy, position in held.day.parts}
    at_first = {(told.account, told.symbol): told.px for told in held.day.prices}
    parts = sorted(held.parts, key=lambda part: (part.strategy, *part.place))
    return [
        _line(part, prices.get(part.place), rates, held.day, opening.get((part.strategy, *part.place)), at_first)
        for part in parts
    ]


def told_lines(held: Held, prices: Mapping[Place, Price], rates: Rates) -> list[Line]:
    """The same without the parts of which there is nothing to tell."""
    found = lines(held, prices, rates)
    return [line for line in found if line.position.fills or line.position.quantity or line.fees or line.realised]


def _line(
    part: Part, price: Price | None, rates: Rates, day: Day, opening: Position | None, at_first: Mapping[Place, Decimal]
) -> Line:
    position, lacks, stale = part.position, dict[str, None](), dict[str, None]()
    now = _measure(part, position, None if price is None else price.px, rates)
    profit = _converted(part, now, rates, lacks, stale)
    if price is not None and price.is_stale and position.quantity:
        stale[f"price of {position.symbol} at {position.account}, {price.age_ms} ms old"] = None
    today = None
    if day.began_ns:
        then = _Measured(ZERO, ZERO, {}, {})
        if opening is not None:
            then = _measure(part, opening, at_first.get(part.place), rates)
        today = profit.plus(_converted(part, then, rates, lacks, stale, " when the day began"), -1)
    return Line(
        strategy=part.strategy, position=position, currency=part.currency, realised=now.realised,
        unrealised=now.unrealised, fees=now.fees, price=price, profit=profit, today=today, lacks=tuple(lacks),
        stale=tuple(stale), undated=tuple(asset for asset in now.fees if _is_undated(asset, now, rates)),
    )  # fmt: skip


def _is_undated(asset: str, measured: _Measured, rates: Rates) -> bool:
    dated = measured.dated.get(asset)
    is_left = dated is None or dated.paid != measured.fees[asset]
    return is_left and not rates.is_fixed(asset) and rates.find(asset) is not None


def _measure(part: Part, position: Position, px: Decimal | None, rates: Rates) -> _Measured:
    """By rules 1 and 2."""
    contract = part.contract
    fees = {asset: paid for asset, paid in position.fees.items() if paid}
    if contract.is_spot and part.base in fees:
        del fees[part.base]
        cost = position.realised_profit - position.cash - position.quantity * position.average_price
        fees[part.quote] = fees.get(part.quote, ZERO) + cost
    unrealised = ZERO if not position.quantity else None
    if unrealised is None and px is not None:
        cost = position.average_price if contract.is_spot else position.unit_cost
        unrealised = contract.profit((contract.unit_cost(px) - cost) * position.quantity)
    dated = position.dated_fees if position.fees_currency == rates.currency else {}
    return _Measured(position.realised_profit, unrealised, fees, dated)


def _converted(
    part: Part, measured: _Measured, rates: Rates, lacks: dict[str, None], stale: dict[str, None], when: str = ""
) -> Profit:
    """By rules 3 and 4."""

    def worth(amount: Decimal, asset: str) -> Decimal:
        if not amount:
            return ZERO
        rate = rates.find(asset)
        if rate is None:
            what = asset or "of an asset not known"
            lacks[f"{amount.normalize():f} {what}, which has no rate in {rates.currency}"] = None
            return ZERO
        if rate.is_stale:
            stale[f"rate of {asset}, {rate.age_ms} ms old"] = None
        return amount * rate.px

    def paid_then(paid: Decimal, asset: str) -> Decimal:
        dated = None if rates.is_fixed(asset) else measured.dated.get(asset)
        return worth(paid, asset) if dated is None else dated.worth + worth(paid - dated.paid, asset)

    if measured.unrealised is None:
        lacks[f"{part.position.symbol} at {part.position.account}, which has no price{when}"] = None
    return Profit(
        worth(measured.realised, part.currency), worth(measured.unrealised or ZERO, part.currency),
        sum((paid_then(paid, asset) for asset, paid in measured.fees.items()), ZERO),
    )  # fmt: skip


class Sums(NamedTuple):
    """What several lines add up to; `lacks`, `stale` and `undated` as theirs."""

    profit: Profit
    today: Profit | None
    lacks: tuple[str, ...]
    stale: tuple[str, ...]
    undated: tuple[str, ...] = ()


def summed(added: Iterable[Line]) -> Sums:
    """The lines together; `today` is None where no day has begun."""
    profit, today = Profit(), None
    lacks, stale, undated = dict[str, None](), dict[str, None](), dict[str, None]()
    for line in added:
        profit = profit.plus(line.profit)
        if line.today is not None:
            today = (today or Profit()).plus(line.today)
        lacks |= dict.fromkeys(line.lacks)
        stale |= dict.fromkeys(line.stale)
        undated |= dict.fromkeys(line.undated)
    return Sums(profit, today, tuple(lacks), tuple(stale), tuple(undated))


def net_by_strategy(added: Iterable[Line]) -> dict[str, Decimal]:
    """Net profit of each strategy ("(nobody)" is nobody's) and of all ("total"): the day's where one has begun."""
    by_name: dict[str, list[Line]] = {}
    for line in added:
        by_name.setdefault(line.strategy or "(nobody)", []).append(line)
    by_name["total"] = [line for its in by_name.values() for line in its]
    sums = {name: summed(its) for name, its in by_name.items()}
    return {name: (its.profit if its.today is None else its.today).net for name, its in sums.items()}


def prices_told(exposures: Iterable[Mapping[str, Any]]) -> dict[Place, Price]:
    """The prices in what risk's status says of each place."""
    return {
        (row["account"], row["symbol"]): Price(
            Decimal(row["reference"]), row["reference_age_ms"], row["reference_max_age_ms"]
        )
        for row in exposures
        if row["reference"]
    }


def rates_in(
    currency: str, fixed: Mapping[str, Decimal], accounts: Mapping[str, VenueFacts], prices: Mapping[Place, Price]
) -> Rates:
    """The rates by the prices of all spot markets of these accounts."""
    pairs = (
        Pair(facts.bases[symbol], facts.quotes.get(symbol, ""), price)
        for (account, symbol), price in prices.items()
        if (facts := accounts.get(account)) is not None and facts.held_asset(symbol)
    )
    return Rates(currency, fixed, pairs)
