"""The checks of one order or amendment, as a table: each takes the proposal and says why not, or nothing.

The table's order is the order in which a person wants to hear it: what is wrong with the world first (restarting,
killed, halted), then what is wrong with the order itself, then what it would do to limits. Nothing here reserves or
counts anything but the strategy's own message rate, which counts what it sends whatever becomes of it.

A proposal that only takes risk off (an amendment to a smaller quantity at the same price) skips what is marked so: a
missing reference price or a halt must not keep anybody from reducing.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple

import msgspec

from common.config import StrategyLimits
from common.contracts import SPOT, Contract
from common.instant import NS_PER_S
from common.messages import (
    MARKET_PEG,
    OFFSET_BASIS_POINTS,
    OFFSET_LEVELS,
    OFFSET_PRICE,
    PEGGED,
    PRIMARY_PEG,
    SIDE_BUY,
    OfTerms,
    Reason,
    Terms,
)
from common.orders.numbers import ZERO, is_multiple
from services.risk.exposure import ExposureSums

MARKET = "1"
LIMIT = "2"
GOOD_TILL_DATE = "6"
WITHOUT_PRICE = ("1", "3", PEGGED)
BASIS_POINTS = 10_000
MOST_LEVELS = 101
GOOD_TILL_CANCEL = "1"
MAX_DIGITS = 18
"""A price or quantity with more digits before or after the point is nobody's: remainders stay exact below it."""


class SymbolRules(NamedTuple):
    """What may be traded in one symbol at one venue, and how much of it.

    Prices in the quote asset, quantities in `base`, or in contracts where `contract` is no spot market's, notionals in
    quote. `max_age_ns`: a reference older than this is stale. `expiry_ns`: from then on (Unix, 0 for never) nothing
    trades. `underlying_limit`: as `position_limit`, in `base` at the reference price; None for no such limit.
    `stops_by_market`: what a stop order waits for follows from where the venue's market is as it comes.
    """

    base: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal
    max_order_qty: Decimal
    max_order_notional: Decimal
    position_limit: Decimal
    price_collar_ratio: Decimal
    max_age_ns: int
    contract: Contract = SPOT
    expiry_ns: int = 0
    underlying_limit: Decimal | None = None
    stops_by_market: bool = False


class Reference(NamedTuple):
    """What prices are measured by: the middle of the book, or the last trade. `age_ns` at the time of the check.

    `why_not`: why the symbol is not to be traded, by the venue's own list of instruments; "" where nothing speaks
    against.
    """

    price: Decimal | None
    age_ns: int
    why_not: str = ""


class Refusal(NamedTuple):
    """Why not, with the value and the limit that decided."""

    reason: Reason
    text: str
    value: str = ""
    limit: str = ""


class Standing(NamedTuple):
    """What holds for the moment and not for the order: a reason to refuse all that adds risk, or "" for none."""

    restarting: bool
    killed: bool
    announced: Reason
    halts: frozenset[tuple[str, str]]


class Proposal(OfTerms, msgspec.Struct, kw_only=True, gc=False):
    """A new order or an amendment, with everything that its checks look at.

    `order_qty` is the whole quantity asked for, `open_qty` what of it may still trade, `added_qty` what it adds to the
    exposure of its side at worst. `firm` and `share` are the sums so far, as (may be bought, may be sold, position).
    `reduce_room` is what a reduce-only one may add for the firm at most; None for any other. `notional` and `worst` are
    what the checks find.
    """

    strategy: str
    account: str
    venue: str
    symbol: str
    terms: Terms
    open_qty: Decimal
    added_qty: Decimal
    is_amendment: bool = False
    reduces: bool = False
    reduce_room: Decimal | None
    rules: SymbolRules
    strategy_rules: StrategyLimits
    standing: Standing
    reference: Reference
    firm: tuple[Decimal, Decimal, Decimal]
    share: tuple[Decimal, Decimal, Decimal]
    open_orders: int
    notional: Decimal | None = None
    worst: Decimal = ZERO
    wall_ns: int

    @property
    def firm_added_qty(self) -> Decimal:
        """What it adds to the firm's exposure of its side at worst."""
        return self.added_qty if self.reduce_room is None else min(self.added_qty, self.reduce_room)


def base_at_worst(terms: Terms, rules: SymbolRules, reference: Reference) -> Decimal:
    """The most that an amount of the quote asset comes to in the base asset: at the lowest price inside the collar, in
    whole lots. 0 where that cannot be said: its check refuses it.
    """
    cash, price, below = terms.cash_order_qty, reference.price, 1 - rules.price_collar_ratio
    if cash is None or not _is_number(cash) or cash <= ZERO or price is None or below <= ZERO:
        return ZERO
    lots = cash / (price * below) / rules.lot_size
    return lots.to_integral_value(ROUND_CEILING) * rules.lot_size


def shown(value: Decimal) -> str:
    """A computed number for a person: no exponent, no zeros that only arithmetic left behind."""
    return f"{value.normalize():f}"


def _asked(value: Decimal) -> str:
    """A number as the strategy gave it; one that is absurd or none stays as it is written."""
    return f"{value:f}" if _is_number(value) else str(value)


def total(folded: ExposureSums, soft: ExposureSums) -> tuple[Decimal, Decimal, Decimal]:
    """What the log and what is in flight come to: (may be bought, may be sold, position).

    Reduce-only orders of a side come to the position at most, however many there are: what another order buys before
    is held by the time that they sell it.
    """
    buy, sell, position = folded.buy + soft.buy, folded.sell + soft.sell, folded.position
    buy -= max(ZERO, folded.reduce_buy + soft.reduce_buy - max(ZERO, -position))
    sell -= max(ZERO, folded.reduce_sell + soft.reduce_sell - max(ZERO, position))
    return buy, sell, position


def reduce_room(folded: ExposureSums, soft: ExposureSums, side: str) -> Decimal:
    """How much of the position the reduce-only orders of a side leave to another one."""
    if side == SIDE_BUY:
        return max(ZERO, -folded.position - folded.reduce_buy - soft.reduce_buy)
    return max(ZERO, folded.position - folded.reduce_sell - soft.reduce_sell)


# -- the checks: each returns the refusal, or None -------------------------------------------------------------------


def _standing(p: Proposal) -> Refusal | None:
    standing = p.standing
    if standing.restarting:
        return Refusal(Reason.RESTARTING, "risk was restarted and passes only cancels until its former life is over")
    if standing.killed:
        return Refusal(Reason.KILLED, "the kill switch is latched; `fixring resume` ends it")
    if standing.announced is not Reason.NONE:
        return Refusal(standing.announced, standing.announced.sentence)
    return None


def _halts(p: Proposal) -> Refusal | None:
    halts = p.standing.halts
    if not halts or p.reduces or _closes(p):
        return None
    scopes = ("firm", ""), ("venue", p.venue), ("account", p.account), ("strategy", p.strategy), ("symbol", p.symbol)
    for scope in scopes:
        if scope in halts:
            what = " ".join(part for part in scope if part)
            return Refusal(Reason.HALTED, f"trading is halted for {what}", what)
    return None


def _closes(p: Proposal) -> bool:
    """Whether it is reduce-only, and with all other orders of its side no more than the position."""
    may_buy, may_sell, position = p.firm
    if p.reduce_room is None or not _is_number(p.added_qty):
        return False
    return may_buy + p.added_qty <= -position if p.side == SIDE_BUY else may_sell + p.added_qty <= position


def _kind(p: Proposal) -> Refusal | None:
    terms = p.terms
    rests_by_itself = terms.ord_type == LIMIT or terms.peg_price_type == PRIMARY_PEG
    return _first_broken(
        (
            Reason.UNSUPPORTED, "an order is good till a date that it names, and any other names none",
            (terms.time_in_force == GOOD_TILL_DATE) != bool(terms.expire_ns),
        ),
        (
            Reason.EXPIRED, "the date till which the order is good has passed",
            bool(terms.expire_ns) and terms.expire_ns <= p.wall_ns,
        ),
        (
            Reason.UNSUPPORTED, "a stop order waits: no IOC or FOK order",
            terms.is_stop and not terms.waits,
        ),
        (
            Reason.UNSUPPORTED, "a reduce-only order is one for contracts: a spot market knows no position",
            terms.is_reduce_only and p.rules.contract.is_spot,
        ),
        (
            Reason.UNSUPPORTED, "a post-only order is a limit order that rests: no market, IOC or FOK order",
            terms.is_post_only and not (rests_by_itself and terms.waits),
        ),
    )  # fmt: skip


def _first_broken(*rules: tuple[Reason, str, bool]) -> Refusal | None:
    """The refusal by the first of these rules that is broken; each with its sentence."""
    return next((Refusal(reason, text) for reason, text, is_broken in rules if is_broken), None)


def _peg(p: Proposal) -> Refusal | None:
    """What follows the market, or takes its price from the book: a trailing stop or a pegged order, and how far."""
    terms, offset, counted = p.terms, p.terms.peg_offset, p.terms.peg_offset_type
    broken = _first_broken(
        (
            Reason.UNSUPPORTED, "a take-profit order is one that sleeps: it needs a stop price",
            terms.take_profit and not terms.is_stop,
        ),
        (
            Reason.UNSUPPORTED, "a pegged order says what it is pegged to, and no other order does",
            terms.is_pegged != (terms.peg_price_type in (MARKET_PEG, PRIMARY_PEG)),
        ),
        (
            Reason.UNSUPPORTED, "a trailing order is one that sleeps: a stop order, with or without a limit",
            terms.is_trailing and not terms.is_stop,
        ),
        (
            Reason.UNSUPPORTED, "a distance is of an order that trails or is pegged, and of no other",
            offset is not None and not (terms.is_trailing or terms.is_pegged),
        ),
        (
            Reason.UNSUPPORTED, "an order at the best price of its own side is good till cancelled",
            terms.peg_price_type == PRIMARY_PEG and terms.time_in_force != GOOD_TILL_CANCEL,
        ),
        (
            Reason.BAD_PRICE, "a trailing order has a distance, and a distance says what it is counted in",
            (offset is None) is not (counted == "") or (terms.is_trailing and offset is None),
        ),
    )  # fmt: skip
    return broken if broken or offset is None else _offset(p, offset)


def _offset(p: Proposal, offset: Decimal) -> Refusal | None:
    """How far a stop price follows, or how deep in the book a pegged order stands."""
    counted = p.terms.peg_offset_type
    if not _is_number(offset) or offset <= ZERO:
        return _no(Reason.BAD_PRICE, "distance", offset, "is no positive number")
    if p.terms.is_trailing is (counted == OFFSET_LEVELS):
        return Refusal(Reason.UNSUPPORTED, "a trailing order follows by a price or basis points, a peg by price levels")
    if counted == OFFSET_PRICE:
        return _grid(p, "distance", offset)
    most = BASIS_POINTS if counted == OFFSET_BASIS_POINTS else MOST_LEVELS
    if offset % 1 or offset >= most:
        return _no(Reason.BAD_PRICE, "distance", offset, "is no whole number below", Decimal(most))
    return None


def _instrument(p: Proposal) -> Refusal | None:
    if not 0 < p.rules.expiry_ns <= p.wall_ns:
        return None
    ended = datetime.fromtimestamp(p.rules.expiry_ns // NS_PER_S, UTC).isoformat(sep=" ").removesuffix("+00:00")
    return Refusal(Reason.INSTRUMENT_EXPIRED, f"{p.symbol} at {p.venue} expired on {ended} UTC", p.symbol, ended)


def _listed(p: Proposal) -> Refusal | None:
    """What the venue's own list of instruments says, while its market data lives: later its price is stale."""
    why_not = p.reference.why_not
    if not why_not or p.reduces or _closes(p):
        return None
    return Refusal(Reason.INSTRUMENT_DIFFERS, f"{p.symbol} at {p.venue}: {why_not}", p.symbol)


def _cash(p: Proposal) -> Refusal | None:
    """The amount of a market order that has one in the place of a quantity."""
    cash, terms = p.terms.cash_order_qty, p.terms
    if cash is None:
        return None
    if terms.ord_type != MARKET or not p.rules.contract.is_spot:
        return Refusal(Reason.UNSUPPORTED, "an order for an amount is a market order in a spot market")
    if not _is_number(cash) or cash <= ZERO:
        return _no(Reason.BAD_QUANTITY, "amount", cash, "is no positive number")
    if p.rules.price_collar_ratio >= 1:
        return Refusal(Reason.UNSUPPORTED, "without a price collar below 100 % nobody can say what an amount comes to")
    return _reference(p)


def _shown(p: Proposal) -> Refusal | None:
    """What is seen of an iceberg order, which is one that rests."""
    shown, terms = p.terms.display_qty, p.terms
    if shown is None:
        return None
    if terms.ord_type in WITHOUT_PRICE or not terms.waits:
        return Refusal(Reason.UNSUPPORTED, "an iceberg order is a limit order that rests: no market, IOC or FOK order")
    if not _is_number(shown) or shown <= ZERO:
        return _no(Reason.BAD_QUANTITY, "shown quantity", shown, "is no positive number")
    if shown > p.order_qty:
        return _no(Reason.BAD_QUANTITY, "shown quantity", shown, "is above the quantity", p.order_qty)
    if not is_multiple(shown, p.rules.lot_size):
        return _no(Reason.BAD_LOT, "shown quantity", shown, "is no multiple of the lot size", p.rules.lot_size)
    return None


def _quantity(p: Proposal) -> Refusal | None:
    quantity, rules, most = p.order_qty, p.rules, min(p.rules.max_qty, p.rules.max_order_qty)
    if not _is_number(quantity) or quantity <= ZERO:
        return _no(Reason.BAD_QUANTITY, "quantity", quantity, "is no positive number")
    if quantity < rules.min_qty:
        return _no(Reason.BELOW_MINIMUM_QUANTITY, "quantity", quantity, "is below the minimum", rules.min_qty)
    if quantity > most:
        return _no(Reason.ABOVE_MAXIMUM_QUANTITY, "quantity", quantity, "is above the maximum", most)
    if not is_multiple(quantity, rules.lot_size):
        return _no(Reason.BAD_LOT, "quantity", quantity, "is no multiple of the lot size", rules.lot_size)
    if p.open_qty <= ZERO:
        return _no(Reason.BAD_QUANTITY, "quantity", quantity, "is not above what is filled,", quantity - p.open_qty)
    return None


def _price(p: Proposal) -> Refusal | None:
    price, terms = p.price, p.terms
    if terms.ord_type in WITHOUT_PRICE and price is not None:
        return _no(Reason.BAD_PRICE, "price", price, "stands on a market order")
    if terms.ord_type not in WITHOUT_PRICE and price is None:
        return Refusal(Reason.BAD_PRICE, "a limit order needs a price")
    if terms.is_stop and terms.stop_px is None and not terms.is_trailing:
        return Refusal(Reason.BAD_PRICE, "a stop order needs a stop price")
    if not terms.is_stop and terms.stop_px is not None:
        return _no(Reason.BAD_PRICE, "stop price", terms.stop_px, "stands on an order that is no stop order")
    return _grid(p, "price", price) or _grid(p, "stop price", terms.stop_px)


def _grid(p: Proposal, what: str, price: Decimal | None) -> Refusal | None:
    """Why the venue takes no such price, whatever the order."""
    if price is None:
        return None
    if not _is_number(price) or price <= ZERO:
        return _no(Reason.BAD_PRICE, what, price, "is no positive number")
    if not is_multiple(price, p.rules.tick_size):
        return _no(Reason.BAD_TICK, what, price, "is no multiple of the tick size", p.rules.tick_size)
    return None


def _no(reason: Reason, what: str, value: Decimal, why: str, limit: Decimal | None = None) -> Refusal:
    """One term against one rule, in words."""
    asked, bound = _asked(value), "" if limit is None else f"{limit:f}"
    return Refusal(reason, f"{what} {asked} {why} {bound}".rstrip(), asked, bound)


def _reference(p: Proposal) -> Refusal | None:
    if p.reduces:
        return None
    reference, limit_ns = p.reference, p.rules.max_age_ns
    if reference.price is None:
        return Refusal(Reason.REFERENCE_STALE, f"there is no reference price of {p.symbol} at {p.venue}")
    if reference.age_ns > limit_ns:
        age_ms, limit_ms = reference.age_ns // 1_000_000, limit_ns // 1_000_000
        text = f"the reference price of {p.symbol} at {p.venue} is {age_ms} ms old, the limit is {limit_ms} ms"
        return Refusal(Reason.REFERENCE_STALE, text, f"{age_ms} ms", f"{limit_ms} ms")
    return None


def _collar(p: Proposal) -> Refusal | None:
    """A limit against the reference; that of a stop order against its stop price, at which the market will be then,
    unless it is reached already: then it may wake at once.
    """
    sleeps = p.terms.stop_px is not None and not _is_reached(p)
    price, reference, ratio = p.price, p.terms.stop_px if sleeps else p.reference.price, p.rules.price_collar_ratio
    if price is None or reference is None or p.reduces:
        return None
    if abs(price - reference) > reference * ratio:
        low, high = reference * (1 - ratio), reference * (1 + ratio)
        bounds = f"{shown(low)}..{shown(high)}"
        text = f"price {_asked(price)} is outside {bounds}, which is {ratio:%} around the reference {shown(reference)}"
        return Refusal(Reason.PRICE_COLLAR, text, _asked(price), bounds)
    return None


def _is_reached(p: Proposal) -> bool:
    """Whether the stop price is reached already by the reference."""
    stop_px, reference = p.terms.stop_px, p.reference.price
    if stop_px is None or reference is None:
        return False
    waits_for_rise = (p.side == SIDE_BUY) is not p.terms.take_profit
    return reference >= stop_px if waits_for_rise else reference <= stop_px


def _stop_side(p: Proposal) -> Refusal | None:
    """A stop order whose price is reached already, at a venue where it would wait for the other direction then."""
    stop_px, reference = p.terms.stop_px, p.reference.price
    if not p.rules.stops_by_market or p.is_amendment or stop_px is None or reference is None or not _is_reached(p):
        return None
    reached = f"stop price {shown(stop_px)} is reached at {shown(reference)} already"
    text = f"{reached}: {p.venue} would wait for the other direction"
    return Refusal(Reason.BAD_PRICE, text, shown(stop_px), shown(reference))


def _notional(p: Proposal) -> Refusal | None:
    """A market or pegged order counts at the worst price inside the collar: the highest for the limit, the lowest for
    the minimum. A stop order may trade around its stop price as well as around the reference, and a trailing one as far
    from there as it follows.
    """
    rules, reference, stop_px = p.rules, p.reference.price, p.terms.stop_px
    highest = lowest = p.price
    if highest is None or lowest is None:
        if reference is None:
            return None
        around, ratio = (reference, reference if stop_px is None else stop_px), rules.price_collar_ratio
        strays = _strays(p.terms, max(around))
        highest, lowest = (max(around) + strays) * (1 + ratio), (min(around) - strays) * (1 - ratio)
    most, least = rules.contract.notional(highest, p.open_qty), rules.contract.notional(lowest, p.open_qty)
    if p.terms.cash_order_qty is not None:
        most = least = p.terms.cash_order_qty
    p.notional = most
    if most > rules.max_order_notional:
        return Refusal(
            Reason.ABOVE_MAXIMUM_NOTIONAL,
            f"{p.open_qty} at {shown(highest)} is a notional of {shown(most)}, "
            f"the limit is {shown(rules.max_order_notional)}",
            shown(most), shown(rules.max_order_notional),
        )  # fmt: skip
    if least < rules.min_notional and not p.reduces:
        return Refusal(
            Reason.BELOW_MINIMUM_NOTIONAL,
            f"{p.open_qty} at {shown(lowest)} is a notional of {shown(least)}, "
            f"the minimum is {shown(rules.min_notional)}",
            shown(least), shown(rules.min_notional),
        )  # fmt: skip
    return None


def _strays(terms: Terms, price: Decimal) -> Decimal:
    """How far from a price a trailing order may be triggered that follows the market from there."""
    if not terms.is_trailing or terms.peg_offset is None:
        return ZERO
    return terms.peg_offset if terms.peg_offset_type == OFFSET_PRICE else price * terms.peg_offset / BASIS_POINTS


def _open_orders(p: Proposal) -> Refusal | None:
    limit = p.strategy_rules.max_open_orders
    if not p.is_amendment and p.open_orders >= limit:
        text = f"strategy {p.strategy} has {p.open_orders} open orders, the limit is {limit}"
        return Refusal(Reason.OPEN_ORDER_LIMIT, text, str(p.open_orders), str(limit))
    return None


def _firm_position(p: Proposal) -> Refusal | None:
    p.worst = _worst(p, p.firm, p.firm_added_qty)
    return _position(p, "the firm", p.worst, p.firm_added_qty, p.rules.position_limit)


def _firm_underlying(p: Proposal) -> Refusal | None:
    """What the position at worst stands for, at the reference price."""
    limit, price = p.rules.underlying_limit, p.reference.price
    if limit is None or price is None:
        return None
    worst = p.rules.contract.underlying(price, p.worst)
    return _position(p, "the firm", worst, p.firm_added_qty, limit, f"{p.rules.base} in {p.symbol}")


def _strategy_position(p: Proposal) -> Refusal | None:
    limit = p.strategy_rules.position_limits.get(p.symbol)
    if limit is None:
        return None
    return _position(p, f"strategy {p.strategy}", _worst(p, p.share, p.added_qty), p.added_qty, limit)


def _worst(p: Proposal, sums: tuple[Decimal, Decimal, Decimal], added_qty: Decimal) -> Decimal:
    """The position if every order of the proposal's side is filled, itself included, and none of the other side's."""
    may_buy, may_sell, position = sums
    return position + may_buy + added_qty if p.side == SIDE_BUY else position - may_sell - added_qty


def _position(
    p: Proposal, whose: str, worst: Decimal, added_qty: Decimal, limit: Decimal, what: str = ""
) -> Refusal | None:
    """Buying is held back by the long side only, selling by the short side only. `what` is held, "" for the symbol."""
    beyond = worst if p.side == SIDE_BUY else -worst
    if added_qty <= ZERO or beyond <= limit:
        return None
    held = f"{shown(worst)} {what or p.symbol}"
    text = f"{whose} would hold {held} at {p.account} at worst, the limit is {shown(limit)}"
    return Refusal(Reason.POSITION_LIMIT, text, shown(worst), shown(limit))


def _is_number(value: Decimal) -> bool:
    """Finite, and of a size for which arithmetic is exact."""
    if not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MAX_DIGITS and value.adjusted() < MAX_DIGITS


CHECKS: Final[tuple[tuple[str, Callable[[Proposal], Refusal | None]], ...]] = (
    ("standing", _standing),
    ("halts", _halts),
    ("kind", _kind),
    ("instrument", _instrument),
    ("listed", _listed),
    ("cash", _cash),
    ("quantity", _quantity),
    ("shown", _shown),
    ("peg", _peg),
    ("price", _price),
    ("reference", _reference),
    ("collar", _collar),
    ("stop_side", _stop_side),
    ("notional", _notional),
    ("open_orders", _open_orders),
    ("firm_position", _firm_position),
    ("firm_underlying", _firm_underlying),
    ("strategy_position", _strategy_position),
)
"""Every check by name, in order. What comes before them needs no proposal: the venue, the symbol, the duplicate and
the rates.
"""


def check(proposal: Proposal) -> Refusal | None:
    """The first refusal of the table, or None."""
    for _, refuses in CHECKS:
        refusal = refuses(proposal)
        if refusal is not None:
            return refusal
    return None
