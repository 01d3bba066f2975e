"""A view of its own of what strategies have asked for: an order at an exchange has these terms, and is within the
limits of a single one. It reads requests as they leave the strategies, and the exchanges' own logs."""

from collections import defaultdict
from decimal import Decimal
from typing import Final

from common.config import Config
from common.exchange.order import Terms as TrueTerms
from common.instant import NS_PER_MS
from common.messages import NewOrderRequest, Terms
from common.strategy.strategy import StrategyCore
from common.venues.registry import find_profile
from scripts.simulation.desk import Desk
from scripts.simulation.invariants import Violation
from scripts.simulation.trader import Trader
from scripts.simulation.truth import TrueOrder

FINEST_NS: Final = NS_PER_MS
"""Of a time in a message: what is finer is lost on the way."""

STAYS: Final = "1"
"""TimeInForce(59) of what is good till it is cancelled: that of a market order says nothing."""

MARKET: Final = "1"

ANYBODY: Final = ""
"""For the name of whoever asks."""

Name = tuple[str, int]
Compared = tuple[object, ...]


class AskedTerms:
    """See the module. `taken_otherwise` are the stop orders that a venue took for those of the other direction, which
    are cancelled in nobody's name."""

    def __init__(self, config: Config) -> None:
        """Nothing was asked for; `config` has the limits."""
        self.taken_otherwise: set[Name] = set()
        self._config = config
        self._asked: dict[tuple[str, int, str, str], list[Terms]] = defaultdict(list)

    def asked(self, core: object, request: NewOrderRequest) -> None:
        """A strategy's core sends a request."""
        strategy = core.strategy if isinstance(core, Trader) else ""
        if isinstance(core, Desk | StrategyCore):
            strategy = core.name
        self._hear(strategy.removeprefix("strategy@"), request)

    def asked_by_anybody(self, request: NewOrderRequest) -> None:
        """Someone asks in whoever's name he was granted."""
        self._hear(ANYBODY, request)

    def _hear(self, strategy: str, request: NewOrderRequest) -> None:
        """What bears a number a second time may ask for something else, by mistake: either may be the first to
        arrive. What holds a number that cannot be compared comes to nothing."""
        for number, terms in enumerate((request.terms, *request.further), request.number):
            compared = _compared(terms, by_market=False)
            if not all(value.is_finite() for value in compared if isinstance(value, Decimal)):
                continue
            name = (strategy, number, request.venue, request.symbol)
            if terms not in self._asked[name]:
                self._asked[name].append(terms)

    def check_accepted(self, venue: str, order: TrueOrder, name: Name | None) -> None:
        """An exchange has taken an order, the new one of that name where it is one. Raises Violation."""
        self._check_bounds(venue, order)
        if name is None:
            # The new half of an amendment, of which the log says what it was.
            return
        asked = [
            terms for strategy in (name[0], ANYBODY) for terms in self._asked[strategy, name[1], venue, order.symbol]
        ]
        # Which way a stop waits is the market's to say there, and that moved on between risk's look and the venue's.
        by_market = find_profile(self._config.venues[venue].dialect).stops_by_market
        true = _compared_true(order, by_market=by_market)
        fitting = [terms for terms in asked if _compared(terms, by_market=by_market) == true]
        if not fitting:
            raise Violation("terms-as-asked", f"{name} is {order.terms} at {venue}, and asked was {asked}")
        if not all(_takes_profit(terms) == _takes_profit(order.terms) for terms in fitting):
            self.taken_otherwise.add(name)

    def _check_bounds(self, venue: str, order: TrueOrder) -> None:
        """At its own price, where that counts: what a market order comes to depends on the book."""
        instrument = self._config.venues[venue].instruments[order.symbol]
        limit, multiplier = self._config.stack.risk.symbols[order.symbol].max_order_notional, instrument.multiplier
        worth = Decimal(0)
        if instrument.inverse:
            worth = order.order_qty * multiplier
        elif order.price is not None:
            worth = order.order_qty * order.price * multiplier
        if worth > limit:
            raise Violation("order-in-bounds", f"{order.terms} is worth {worth} at {venue}, the limit is {limit}")


def _compared(terms: Terms, *, by_market: bool) -> Compared:
    """What is held against the exchange's. The quantity of one that asks for an amount follows from the book."""
    return (
        terms.side, terms.ord_type, None if terms.cash_order_qty is not None else terms.order_qty, terms.price,
        STAYS if terms.ord_type == MARKET else terms.time_in_force, terms.is_post_only, terms.is_reduce_only,
        terms.stop_px, terms.expire_ns // FINEST_NS, terms.display_qty, terms.cash_order_qty,
        _takes_profit(terms) and not by_market, terms.peg_price_type, terms.peg_offset,
    )  # fmt: skip


def _takes_profit(terms: Terms | TrueTerms) -> bool:
    """Whether it waits for a better price. One that follows the market from the start waits for none."""
    return terms.take_profit and terms.stop_px is not None


def _compared_true(order: TrueOrder, *, by_market: bool) -> Compared:
    terms = order.terms
    return (
        terms.side, terms.ord_type, None if terms.cash_qty is not None else terms.order_qty,
        None if terms.is_pegged else terms.price,
        STAYS if terms.ord_type == MARKET else terms.time_in_force, terms.post_only, terms.reduce_only,
        terms.stop_px, terms.expire_ns // FINEST_NS, terms.display_qty, terms.cash_qty,
        _takes_profit(terms) and not by_market, terms.peg_price_type, terms.peg_offset,
    )  # fmt: skip
