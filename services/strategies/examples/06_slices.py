"""Slices: buy up to a position, one part after another. The position says what is left, also after a restart."""

from decimal import Decimal

import msgspec

from common.instant import NS_PER_MS
from common.messages import OrderEvent
from common.strategy.strategy import Setting, Strategy, StrategyCore


class SlicesParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is bought, and how fast.

    `target_qty`: The position to arrive at, in the base asset.
    `slice_qty`: The quantity of one part.
    `every_ms`: The time from one part to the next.
    `slippage_ratio`: How far above the best offer a part may trade, as a share of that.
    """

    target_qty: Decimal = Decimal("0.05")
    slice_qty: Decimal = Decimal("0.01")
    every_ms: int = 1000
    slippage_ratio: Decimal = Decimal("0.002")


class Slices(Strategy):
    """Buys in its first market. The position is the whole account's, so nothing else should trade there."""

    Parameters = SlicesParameters
    timer_ns = 100 * NS_PER_MS

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """Nothing was bought."""
        super().__init__(setting, core)
        self.market = setting.markets[0]
        self.next_ns = self.filled_lsn = 0

    def on_fill(self, fill: OrderEvent) -> None:
        """Keep after which record the position has this fill in it."""
        self.filled_lsn = fill.lsn

    def on_timer(self) -> None:
        """Send the next part, once what became of the one before it is known: nothing may be bought twice."""
        p, market = self.parameters, self.market
        top = self.top(market.venue, market.symbol, max_age_ns=1_000 * NS_PER_MS)
        busy = self.orders or self.unanswered or self.now.boot_ns < self.next_ns
        if busy or not self.is_live or top is None or top.ask_px is None:
            return
        held = self.positions.get((market.venue, market.symbol))
        if (0 if held is None else held.lsn) < self.filled_lsn:
            # The position with the last fill in it has not been told yet.
            return
        left = p.target_qty - (Decimal(0) if held is None else held.quantity)
        quantity = market.quantity_down(min(p.slice_qty, left))
        if quantity >= market.min_qty and quantity * top.ask_px >= market.min_notional:
            price = market.price_up(top.ask_px * (1 + p.slippage_ratio))
            self.buy(market.venue, market.symbol, quantity, price, time_in_force="3", label="slice")
            self.next_ns = self.now.boot_ns + p.every_ms * NS_PER_MS
