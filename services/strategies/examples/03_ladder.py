"""A ladder: bids at growing distances below the best, which follow it, and are found again after a restart."""

from decimal import Decimal

import msgspec

from common.instant import NS_PER_MS
from common.messages import OrderEvent, OrderStatus
from common.strategy.strategy import Market, Strategy


class LadderParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ladder looks like.

    `rungs`: How many orders it has.
    `step_ratio`: The distance from one to the next, as a share of the best bid.
    `order_qty`: The quantity of each, in the base asset.
    `move_ratio`: An order is amended once it is this far from its place, as a share of the best bid.
    `most_qty`: With a position above this, in the base asset, no rung is added.
    """

    rungs: int = 3
    step_ratio: Decimal = Decimal("0.001")
    order_qty: Decimal = Decimal("0.01")
    move_ratio: Decimal = Decimal("0.0005")
    most_qty: Decimal = Decimal("0.1")


class Ladder(Strategy):
    """Each market has its ladder. Which order is which rung stands in its label, so there is nothing to keep."""

    Parameters = LadderParameters
    timer_ns = 200 * NS_PER_MS

    def on_timer(self) -> None:
        """Put every rung where it should be."""
        for market in self.markets.values():
            top = self.top(market.venue, market.symbol, max_age_ns=2_000 * NS_PER_MS)
            if self.is_live and top is not None and top.bid_px is not None:
                self._put_rungs(market, top.bid_px)

    def _put_rungs(self, market: Market, best: Decimal) -> None:
        standing = {order.label: order for order in self.orders.values() if self._is_at(order, market)}
        # A rung that is under way has no order yet: what has no outcome is not sent a second time.
        if any(getattr(request, "symbol", "") == market.symbol for request in self.unanswered.values()):
            return
        for rung in range(1, self.parameters.rungs + 1):
            price = market.price_down(best * (1 - rung * self.parameters.step_ratio))
            order = standing.get(f"rung {rung}")
            if order is None and self.position(market.venue, market.symbol) <= self.parameters.most_qty:
                self.buy(market.venue, market.symbol, self.parameters.order_qty, price, label=f"rung {rung}")
            elif order is not None and self._has_to_move(order, price, best):
                self.amend(order.number, price=price)

    def _has_to_move(self, order: OrderEvent, price: Decimal, best: Decimal) -> bool:
        """Only what rests untouched is moved: not what is partly filled, waits for an answer, or is UNKNOWN."""
        far = order.price is not None and abs(order.price - price) > best * self.parameters.move_ratio
        return far and order.status is OrderStatus.NEW

    @staticmethod
    def _is_at(order: OrderEvent, market: Market) -> bool:
        return (order.venue, order.symbol) == (market.venue, market.symbol)
