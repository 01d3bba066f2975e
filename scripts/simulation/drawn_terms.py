"""What strategies of the simulation ask for since plans of the ninth version: order lists, and orders that wait for the
market, follow it, or have their price from it. What a venue has decides which of them are drawn for it.
"""

from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from msgspec.structs import replace

from common.messages import (
    MARKET_PEG,
    OFFSET_BASIS_POINTS,
    OFFSET_LEVELS,
    OFFSET_PRICE,
    ONE_CANCELS_OTHER,
    ONE_TRIGGERS_OTHER,
    PEGGED,
    POST_ONLY,
    PRIMARY_PEG,
    TRAILING_STOP_PEG,
    Contingency,
    NewOrderRequest,
    PegOffsetType,
    Side,
    Terms,
)
from common.venues.venue import Feature

FEW_TICKS: Final = 20
FAR_SHARE: Final = Decimal("0.003")
"""Of the price: what the market moves by at a jump, and what it seldom comes to without one."""

DISTANCES: Final = (10, 10, 15, 30, 5)
"""Of a trailing stop, in basis points: the last one is too short for a venue."""

BAD_SHARE: Final = 0.05
PAID_SHARE: Final = 0.5
"""Of the lists that open with a purchase: so many pay for the sales behind it."""

LACKED_SHARE: Final = 0.02
"""So often a venue is asked for what it lacks."""

SIDES: Final[dict[Side, Side]] = {"1": "2", "2": "1"}


class Market(NamedTuple):
    """What a trader knows of a symbol: where it trades, in which steps, whether quantities are contracts, and what the
    venue has."""

    venue: str
    symbol: str
    price: Decimal
    tick_size: Decimal
    lot_size: Decimal
    usual_qty: Decimal
    in_contracts: bool = False
    features: frozenset[Feature] = frozenset()


def draw_list(random: Random, market: Market, side: Side, qty: Decimal) -> NewOrderRequest | None:
    """A list of orders that close with `side`, alone or behind a first one that opens; now and then one that is none.
    None where the venue has none."""
    if Feature.ORDER_LIST not in market.features and random.random() >= LACKED_SHARE:
        return None
    contingency: Contingency
    if random.random() < 0.5:
        contingency, orders = ONE_CANCELS_OTHER, _pair(random, market, side, qty)
    else:
        contingency, pending = ONE_TRIGGERS_OTHER, _pair(random, market, side, qty)
        first = Terms(SIDES[side], "2", qty, _price(random, market, 1 if side == "1" else -1, least=-3))
        orders = [first, *pending[: random.choice((1, 2, 2))]]
        if Feature.PAID_ORDER in market.features and side == "2" and random.random() < PAID_SHARE:
            orders[1:] = [replace(each, paid=True) for each in orders[1:]]
    if random.random() < BAD_SHARE:
        orders[-1] = replace(orders[-1], side=SIDES[side])
    first, *further = orders
    return NewOrderRequest(
        0, 0, market.venue, market.symbol, first, contingency=contingency, further=tuple(further)
    )


def draw_follower(random: Random, market: Market, side: Side, qty: Decimal) -> Terms | None:
    """A take-profit, trailing or pegged order; None where the venue has none of these."""
    drawn = [
        feature
        for feature in (
            Feature.TAKE_PROFIT_ORDER, Feature.TAKE_PROFIT_LIMIT_ORDER, Feature.TRAILING_STOP,
            Feature.TRAILING_STOP_BY_PRICE, Feature.PEGGED_ORDER,
        )
        if feature in market.features or random.random() < LACKED_SHARE
    ]  # fmt: skip
    if not drawn:
        return None
    feature = random.choice(drawn)
    if feature is Feature.PEGGED_ORDER:
        return _pegged(random, side, qty)
    if feature in (Feature.TRAILING_STOP, Feature.TRAILING_STOP_BY_PRICE):
        return _trailing(random, market, side, qty, by_price=feature is Feature.TRAILING_STOP_BY_PRICE)
    return _take_profit(random, market, side, qty, limited=feature is Feature.TAKE_PROFIT_LIMIT_ORDER)


def _price(random: Random, market: Market, sign: int, least: int = 1) -> Decimal:
    """A few ticks above the first price, or below it, or much farther."""
    ticks = random.randrange(least, FEW_TICKS)
    if random.random() < 0.6:
        ticks = random.randrange(FEW_TICKS, FEW_TICKS + 1 + int(market.price * FAR_SHARE / market.tick_size))
    return market.price + sign * ticks * market.tick_size


def _limited(random: Random, market: Market, terms: Terms) -> Terms:
    """The same as a stop-limit order, with a limit around its stop price."""
    at, sign = market.price if terms.stop_px is None else terms.stop_px, 1 if terms.side == "1" else -1
    return replace(terms, ord_type="4", price=at + sign * random.randrange(-2, 20) * market.tick_size)


def _pair(random: Random, market: Market, side: Side, qty: Decimal) -> list[Terms]:
    """A stop order, and one that has a better price or takes profit, in any order."""
    sign = 1 if side == "1" else -1
    stop = Terms(side, "3", qty, stop_px=_price(random, market, sign))
    if random.random() < 0.15:
        stop = _followed(random, market, stop, by_price=False)
    if random.random() < 0.4:
        stop = _limited(random, market, stop)
    better = Terms(side, "2", qty, _price(random, market, -sign), instructions=POST_ONLY)
    if random.random() < 0.4:
        better = _take_profit(random, market, side, qty, limited=random.random() < 0.5)
    orders = [stop, better]
    random.shuffle(orders)
    return orders


def _take_profit(random: Random, market: Market, side: Side, qty: Decimal, *, limited: bool) -> Terms:
    """Now and then one whose stop price is reached already."""
    at = _price(random, market, -1 if side == "1" else 1, least=-2)
    terms = Terms(side, "3", qty, stop_px=at, take_profit=True)
    return _limited(random, market, terms) if limited else terms


def _trailing(random: Random, market: Market, side: Side, qty: Decimal, *, by_price: bool) -> Terms:
    terms = _followed(random, market, Terms(side, "3", qty), by_price=by_price)
    if random.random() < 0.5:
        takes_profit = Feature.TAKE_PROFIT_ORDER in market.features and random.random() < 0.5
        sign = 1 if side == "1" else -1
        at = _price(random, market, -sign if takes_profit else sign)
        terms = replace(terms, stop_px=at, take_profit=takes_profit)
    return _limited(random, market, terms) if random.random() < 0.6 else terms


def _followed(random: Random, market: Market, stop: Terms, *, by_price: bool) -> Terms:
    """The same, and its stop price follows the market."""
    counted: PegOffsetType
    offset, counted = Decimal(random.choice(DISTANCES)), OFFSET_BASIS_POINTS
    if by_price:
        most = int(market.price * FAR_SHARE / market.tick_size)
        offset, counted = random.randrange(1, 2 + most) * market.tick_size, OFFSET_PRICE
    return replace(stop, peg_price_type=TRAILING_STOP_PEG, peg_offset=offset, peg_offset_type=counted)


def _pegged(random: Random, side: Side, qty: Decimal) -> Terms:
    levels = random.choice((0, 0, 1, 3))
    terms = Terms(side, PEGGED, qty, peg_price_type=PRIMARY_PEG)
    if random.random() < 0.5:
        rests = random.random() < 0.3
        terms = replace(terms, instructions=POST_ONLY if rests else "")
    else:
        terms = replace(terms, time_in_force=random.choice(("1", "3", "4")), peg_price_type=MARKET_PEG)
    return replace(terms, peg_offset=Decimal(levels), peg_offset_type=OFFSET_LEVELS) if levels else terms
