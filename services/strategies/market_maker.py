"""Quotes both sides of each book around its middle, amends as it moves, and keeps what it holds within a limit. At a
venue that changes no order, as a refused amendment tells, a quote is cancelled and placed anew instead.

Each market has two quotes, a bid and an offer. Where a quote should be is computed anew at every step, from fresh
best prices and the position; what there is of it is looked up in the open orders. So nothing need be remembered over
a restart, and the quotes of a former life are found by their label and taken over.
"""

from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from common.instant import NS_PER_MS
from common.messages import (
    SIDE_BUY,
    SIDE_SELL,
    CommandOutcome,
    OrderEvent,
    OrderStatus,
    Reason,
    Side,
    TopOfBook,
    Traded,
)
from common.strategy.strategy import Market, Setting, Strategy, StrategyCore

LABELS: Final[dict[Side, str]] = {SIDE_BUY: "bid", SIDE_SELL: "offer"}
STEADY = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})
MOST_WAITS = 4
"""A quote that is refused again and again is tried every so many intervals: soon after a restart it must
stand again.
"""

FORGET_NS = 3_000 * NS_PER_MS
"""A quote that is neither open nor under way for so long after it was sent is gone, whatever was told of it."""


class MarketMakerParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`half_spread_ratio`: each quote's distance from the middle, as a share of it. `notional`: of one quote, in the
    quote asset.

    `inventory_notional`: the side that would take the position beyond it is not quoted. `skew_ratio`: how far both
    quotes move against a full inventory. `move_ratio`: a quote is amended once it is this far from where it should
    be. `min_interval_ms`: between two commands on one quote. `stale_ms`: best prices older than this take the quotes
    away.
    """

    half_spread_ratio: Decimal = Decimal("0.0001")
    notional: Decimal = Decimal(1000)
    inventory_notional: Decimal = Decimal(20_000)
    skew_ratio: Decimal = Decimal("0.0003")
    move_ratio: Decimal = Decimal("0.00005")
    min_interval_ms: int = 500
    stale_ms: int = 3000


class Target(NamedTuple):
    """Where a quote should be."""

    price: Decimal
    order_qty: Decimal


class Quote:
    """One side of one market: the order that stands for it, if any, the last command about it, and when that was."""

    __slots__ = ("acted_ns", "back_off_ns", "command", "number")

    def __init__(self) -> None:
        """No order."""
        self.number = 0
        self.command = 0
        self.acted_ns = 0
        self.back_off_ns = 0


class MarketMaker(Strategy):
    """See the module."""

    Parameters = MarketMakerParameters
    timer_ns = 100 * NS_PER_MS

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """No quotes yet."""
        super().__init__(setting, core)
        self.quotes: dict[tuple[str, str, Side], Quote] = {
            (venue, symbol, side): Quote() for venue, symbol in self.markets for side in LABELS
        }
        self._without_amend: set[str] = set()

    def on_start(self) -> None:
        """Take over the quotes of a former life; those that are one too many go."""
        for order in list(self.orders.values()):
            self.on_order(order)

    def on_order(self, order: OrderEvent) -> None:
        """Keep track of which order stands for which quote."""
        quote = self.quotes.get((order.venue, order.symbol, order.side))
        if quote is None or order.label != LABELS[order.side]:
            return
        if order.number not in self.orders:
            if quote.number == order.number:
                quote.number = 0
        elif quote.number in (0, order.number):
            quote.number = order.number
        elif order.status in STEADY and order.number > quote.number:
            self.cancel(order.number)

    def on_outcome(self, outcome: CommandOutcome) -> None:
        """A quote that was refused is tried again later, each time after twice the wait."""
        for (venue, _, _), quote in self.quotes.items():
            if quote.command == outcome.number and outcome.reason == Reason.UNSUPPORTED:
                self._without_amend.add(venue)
            if quote.number == outcome.number and outcome.outcome in ("refused", "expired", "withdrawn"):
                quote.number = 0
                interval_ns = self._interval_ns()
                quote.back_off_ns = min(max(2 * quote.back_off_ns, interval_ns), MOST_WAITS * interval_ns)
            elif quote.number == outcome.number:
                quote.back_off_ns = 0

    def on_market_data(self, event: TopOfBook | Traded) -> None:
        """Follow the book at once where the quotes may move again."""
        if isinstance(event, TopOfBook):
            self._step(self.markets[event.venue, event.symbol])

    def on_timer(self) -> None:
        """Look after every quote."""
        for market in self.markets.values():
            self._step(market)

    # -- the steps -----------------------------------------------------------------------------------------------------

    def _step(self, market: Market) -> None:
        if not self.is_live:
            return
        top = self.top(market.venue, market.symbol, self.parameters.stale_ms * NS_PER_MS)
        middle = _middle(top)
        for side in LABELS:
            quote = self.quotes[market.venue, market.symbol, side]
            wait_ns = max(self._interval_ns(), quote.back_off_ns)
            if self.now.boot_ns - quote.acted_ns < wait_ns and quote.acted_ns:
                continue
            target = None if middle is None or top is None else self._target(market, side, middle, top)
            if self._move(market, side, quote, target):
                quote.acted_ns = self.now.boot_ns

    def _move(self, market: Market, side: Side, quote: Quote, target: Target | None) -> bool:
        """Bring one quote to where it should be; whether anything was sent for it."""
        if not quote.number:
            return target is not None and self._place(market, side, quote, target)
        order = self.orders.get(quote.number)
        if order is None:
            if not self.awaits(quote.number) and self.now.boot_ns - quote.acted_ns > FORGET_NS:
                quote.number = 0
            return False
        if order.status not in STEADY or self.awaits(quote.command):
            return False
        if target is None or order.cum_qty:
            # What is partly filled is not amended: a venue that cancels and sends anew would have to guess the rest.
            quote.command = self.cancel(order.number)
            return True
        if order.price is None or abs(order.price - target.price) <= target.price * self.parameters.move_ratio:
            return False
        if market.venue in self._without_amend:
            quote.command = self.cancel(order.number)
        else:
            quote.command = self.amend(order.number, price=target.price)
        return True

    def _place(self, market: Market, side: Side, quote: Quote, target: Target) -> bool:
        send = self.buy if side == SIDE_BUY else self.sell
        quote.number = send(
            market.venue, market.symbol, target.order_qty, target.price, post_only=True, label=LABELS[side]
        )
        return True

    def _target(self, market: Market, side: Side, middle: Decimal, top: TopOfBook) -> Target | None:
        """Where the quote should be, or None where it would take the inventory beyond its limit."""
        p = self.parameters
        share = market.notional(middle, self.position(market.venue, market.symbol)) / p.inventory_notional
        share = max(Decimal(-1), min(Decimal(1), share))
        if share == (1 if side == SIDE_BUY else -1):
            return None
        centre = middle * (1 - p.skew_ratio * share)
        price = _inside(
            market, side, centre * (1 + (-p.half_spread_ratio if side == SIDE_BUY else p.half_spread_ratio)), top
        )
        quantity = market.quantity_of(middle, p.notional)
        if quantity < market.min_qty or market.notional(price, quantity) < market.min_notional:
            return None
        return Target(price, quantity)

    def _interval_ns(self) -> int:
        interval_ms: int = self.parameters.min_interval_ms
        return interval_ms * NS_PER_MS


def _middle(top: TopOfBook | None) -> Decimal | None:
    """The middle of the book, or the last trade where a side is empty."""
    if top is None:
        return None
    if top.bid_px is not None and top.ask_px is not None:
        return (top.bid_px + top.ask_px) / 2
    return top.last_px


def _inside(market: Market, side: Side, price: Decimal, top: TopOfBook) -> Decimal:
    """The price on the grid, and not across the book: a post-only order that would trade is rejected."""
    if side == SIDE_BUY:
        price = market.price_down(price)
        return price if top.ask_px is None else min(price, top.ask_px - market.tick_size)
    price = market.price_up(price)
    return price if top.bid_px is None else max(price, top.bid_px + market.tick_size)
