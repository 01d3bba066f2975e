"""Quote and cancel: one order at the best bid, and what is left of it is cancelled after a while."""

from decimal import Decimal

import msgspec

from common.instant import NS_PER_MS
from common.messages import CommandOutcome, OrderEvent, TopOfBook, Traded
from common.strategy.strategy import Setting, Strategy, StrategyCore

AGAIN_NS = 1000 * NS_PER_MS
"""An order that was refused is tried again after so long."""


class OneOrderParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one order is.

    `order_qty`: Its quantity, in the base asset.
    `rests_ms`: How long it rests.
    """

    order_qty: Decimal = Decimal("0.01")
    rests_ms: int = 2000


class OneOrder(Strategy):
    """Places its order once, as soon as it hears a price and the order is let through."""

    Parameters = OneOrderParameters
    timer_ns = 100 * NS_PER_MS

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """No order yet."""
        super().__init__(setting, core)
        self.number = 0
        self.placed_ns = self.not_before_ns = 0
        self.cancelling = False

    def on_start(self) -> None:
        """Nothing is kept over a restart: what a former life left open goes."""
        if self.orders:
            self.cancel_all()

    def on_market_data(self, event: TopOfBook | Traded) -> None:
        """Join the best bid. A post-only order rests or is rejected; it never takes."""
        may_send = self.is_live and not self.number and self.now.boot_ns >= self.not_before_ns
        if isinstance(event, TopOfBook) and event.bid_px is not None and may_send:
            self.number = self.buy(
                event.venue, event.symbol, self.parameters.order_qty, event.bid_px, post_only=True, label="one"
            )
            self.placed_ns = self.now.boot_ns

    def on_outcome(self, outcome: CommandOutcome) -> None:
        """`sent` says that the order is on its way; all else that it never was, so that another may be tried."""
        if outcome.number == self.number and outcome.outcome != "sent":
            self.note("no_order", outcome=outcome.outcome, reason=outcome.reason, text=outcome.text)
            self.number, self.not_before_ns = 0, self.now.boot_ns + AGAIN_NS

    def on_timer(self) -> None:
        """Its time is over: a cancel is a wish that stays until the order is closed, so it is said once."""
        over = self.now.boot_ns - self.placed_ns > self.parameters.rests_ms * NS_PER_MS
        if self.number in self.orders and over and not self.cancelling:
            self.cancel(self.number)
            self.cancelling = True

    def on_order(self, order: OrderEvent) -> None:
        """Say what happens to it."""
        self.note("order", number=order.number, told=order.event, status=order.status, filled=str(order.cum_qty))
