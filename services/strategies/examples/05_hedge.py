"""Hedge: what is filled at one venue is traded the other way round at another.

It counts what its orders have filled and not the fills themselves: a fill that the venue takes back or corrects is then
right by itself. What a former life left unhedged it does not know: that is for a person.
"""

from decimal import Decimal

import msgspec

from common.instant import NS_PER_MS
from common.messages import SIDE_BUY, OrderEvent
from common.strategy.strategy import Setting, Strategy, StrategyCore

QUOTE, HEDGE = "quote", "hedge"


class HedgeParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it quotes and where it hedges.

    `quotes_at`: The venue at which its bid rests.
    `hedges_at`: The venue at which it sells what the bid bought.
    `symbol`: What it trades at both.
    `order_qty`: The quantity of the bid, in the base asset.
    `slippage_ratio`: How far below the best bid the hedge may sell, as a share of that.
    """

    quotes_at: str = "generic"
    hedges_at: str = "binance"
    symbol: str = "BTCUSDT"
    order_qty: Decimal = Decimal("0.01")
    slippage_ratio: Decimal = Decimal("0.002")


class Hedge(Strategy):
    """One bid rests at the best price of its venue; its fills are sold at the other venue at once."""

    Parameters = HedgeParameters
    timer_ns = 250 * NS_PER_MS

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """Nothing was traded."""
        super().__init__(setting, core)
        self.former: dict[int, Decimal] = {}
        self.filled: dict[int, Decimal] = {}
        """By number of an order: how much it had filled before this life, and what it has added in it."""

    @property
    def unhedged(self) -> Decimal:
        """What was bought and not sold yet, in the base asset."""
        return sum(self.filled.values(), Decimal(0))

    def on_start(self) -> None:
        """A former life's orders go; what they had filled by then was that life's."""
        self.former = {number: order.cum_qty for number, order in self.orders.items()}
        if self.orders:
            self.cancel_all()

    def on_order(self, order: OrderEvent) -> None:
        """Count what the order has filled by now, and hedge at once."""
        filled = order.cum_qty - self.former.get(order.number, Decimal(0))
        self.filled[order.number] = filled if order.side == SIDE_BUY else -filled
        self._hedge()

    def on_timer(self) -> None:
        """Bid again once all is hedged; hedge what could not be hedged before."""
        p = self.parameters
        top = self.top(p.quotes_at, p.symbol, max_age_ns=1_000 * NS_PER_MS)
        idle = not self.orders and not self.unanswered
        if self.is_live and idle and not self._hedge() and top is not None and top.bid_px is not None:
            self.buy(p.quotes_at, p.symbol, p.order_qty, top.bid_px, post_only=True, label=QUOTE)

    def _hedge(self) -> bool:
        """Sell what is unhedged, one order at a time; whether there is one."""
        p = self.parameters
        if self.unanswered or any(order.label == HEDGE for order in self.orders.values()):
            return True
        market = self.markets[p.hedges_at, p.symbol]
        top = self.top(p.hedges_at, p.symbol, max_age_ns=1_000 * NS_PER_MS)
        quantity = market.quantity_down(self.unhedged)
        if not self.is_live or top is None or top.bid_px is None or quantity < market.min_qty:
            return False
        price = market.price_down(top.bid_px * (1 - p.slippage_ratio))
        self.sell(p.hedges_at, p.symbol, quantity, price, time_in_force="3", label=HEDGE)
        return True
