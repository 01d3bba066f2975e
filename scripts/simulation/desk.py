"""A strategy of the simulation that is written with the SDK: the real `Strategy` on the real client of the entry link.

It trades a little at random. Upon each welcome that is complete, what it knows must equal the books as they were when
the order manager said so; and it is never told a fill from before its start.
"""

from decimal import Decimal
from random import Random
from typing import Final, Protocol

import msgspec

from common.instant import NS_PER_MS, Instant
from common.messages import OrderEvent, WelcomeComplete
from common.strategy.entry import Entry
from common.strategy.strategy import Market, Setting, Strategy, StrategyCore
from common.strategy.terms import terms_of
from scripts.simulation.setting import small_qty

MOST_OPEN = 6
SHARE_OF_CANCELS: Final = 0.3
SHARE_OF_LISTS: Final = 0.3


class Watch(Protocol):
    """Who holds what a client is told against the books and the log; `name` is its process's."""

    def check_told(self, name: str, entry: Entry, complete: WelcomeComplete) -> None:
        """The client has taken the end of a welcome."""

    def check_news(self, name: str, began_lsn: int, fill: OrderEvent) -> None:
        """The client, whose first welcome was complete as of `began_lsn`, is told a fill."""


class Hand(Strategy):
    """Small orders away from the price, cancels, and now and then a cancel of everything."""

    timer_ns = 40 * NS_PER_MS

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """Nothing was told."""
        super().__init__(setting, core)
        self.random = Random(0)
        self.prices: dict[tuple[str, str], Decimal] = {}
        self.resting = False
        self.lists_at: frozenset[str] = frozenset()
        self.fills: list[OrderEvent] = []

    def on_fill(self, fill: OrderEvent) -> None:
        """See `Strategy`."""
        self.fills.append(fill)

    def on_timer(self) -> None:
        """See `Strategy`."""
        if self.resting or not self.is_live:
            return
        draw = self.random.random()
        if draw < 0.02:
            self.cancel_all()
        elif self.orders and (draw < SHARE_OF_CANCELS or len(self.orders) > MOST_OPEN):
            self.cancel(self.random.choice(list(self.orders)))
        else:
            self._give()

    def _give(self) -> None:
        market = self.random.choice(list(self.markets.values()))
        price = self.prices[market.venue, market.symbol]
        # Some orders meet others at once: a book without fills moves no position.
        away = self.random.randrange(-2, 40) * market.tick_size
        qty = small_qty(market, price)
        if market.venue in self.lists_at and self.random.random() < SHARE_OF_LISTS:
            self._give_list(market, price, away, qty)
            return
        if self.random.random() < 0.5:
            self.buy(market.venue, market.symbol, qty, price - away)
        else:
            self.sell(market.venue, market.symbol, qty, price + away)


    def _give_list(self, market: Market, price: Decimal, away: Decimal, qty: Decimal) -> None:
        """Its position is closed above or below, once it is there or as soon as it is bought."""
        above, below = price + 40 * market.tick_size, price - 40 * market.tick_size
        pair = terms_of("2", qty, above, post_only=True), terms_of("2", qty, stop_px=below)
        if self.random.random() < 0.5:
            self.one_cancels_other(market.venue, market.symbol, *pair)
        else:
            self.one_triggers_other(market.venue, market.symbol, terms_of("1", qty, price - away), *pair)


class Desk(StrategyCore):
    """One life of it."""

    def __init__(
        self, name: str, instance: str, markets: tuple[Market, ...], prices: dict[tuple[str, str], Decimal],
        random: Random, watch: Watch,
    ) -> None:  # fmt: skip
        """`random` decides what it does."""
        super().__init__(Setting(name.partition("@")[2], markets), Hand, instance)
        assert isinstance(self.strategy, Hand)
        self.hand = self.strategy
        self.hand.random, self.hand.prices = random, prices
        self._watch = watch
        self._began_lsn = 0

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        super().received(link, peer, message, now)
        if isinstance(message, WelcomeComplete) and self.entry.welcomed:
            # What was meant for a former life may come to this one, which has its name.
            self._began_lsn = self._began_lsn or message.lsn
            self._watch.check_told(self.name, self.entry, message)
        for fill in self.hand.fills:
            self._watch.check_news(self.name, self._began_lsn, fill)
        self.hand.fills.clear()
