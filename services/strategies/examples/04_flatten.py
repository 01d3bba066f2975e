"""Flatten: trade the account's position in each market down to nothing, a slice at a time."""

from decimal import Decimal

import msgspec

from common.instant import NS_PER_MS
from common.messages import NewOrderRequest, OrderEvent
from common.strategy.strategy import Market, Setting, Strategy, StrategyCore


class FlattenParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast it goes.

    `slice_qty`: The most that one order trades, in the base asset.
    `slippage_ratio`: How far beyond the best price an order may trade, as a share of that.
    """

    slice_qty: Decimal = Decimal("0.05")
    slippage_ratio: Decimal = Decimal("0.002")


class Flatten(Strategy):
    """The position is the whole account's at that venue, whichever strategy opened it: run nothing else beside this."""

    Parameters = FlattenParameters
    timer_ns = 250 * NS_PER_MS

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """Nothing was traded."""
        super().__init__(setting, core)
        self.filled_lsn: dict[tuple[str, str], int] = {}

    def on_fill(self, fill: OrderEvent) -> None:
        """Keep after which record the position has this fill in it."""
        self.filled_lsn[fill.venue, fill.symbol] = fill.lsn

    def on_timer(self) -> None:
        """One slice in each market, and the next when what became of this one is known."""
        for market in self.markets.values():
            if self.is_live and not self._is_under_way(market):
                self._trade_slice(market)

    def _trade_slice(self, market: Market) -> None:
        held = self.position(market.venue, market.symbol)
        top = self.top(market.venue, market.symbol, max_age_ns=1_000 * NS_PER_MS)
        quantity = market.quantity_down(min(abs(held), self.parameters.slice_qty))
        best = None if top is None else top.bid_px if held > 0 else top.ask_px
        if best is None or quantity < market.min_qty or quantity * best < market.min_notional:
            # Nothing to trade with, or so little that the venue takes no order for it.
            return
        beyond = best * self.parameters.slippage_ratio
        if held > 0:
            self.sell(market.venue, market.symbol, quantity, market.price_down(best - beyond), time_in_force="3")
        else:
            self.buy(market.venue, market.symbol, quantity, market.price_up(best + beyond), time_in_force="3")

    def _is_under_way(self, market: Market) -> bool:
        """An order that is open or has no outcome yet may still trade, and the position is told after its fill."""
        place = (market.venue, market.symbol)
        busy = {(order.venue, order.symbol) for order in self.orders.values()}
        busy |= {
            (asked.venue, asked.symbol) for asked in self.unanswered.values() if isinstance(asked, NewOrderRequest)
        }
        if place in busy:
            return True
        held = self.positions.get(place)
        return (0 if held is None else held.lsn) < self.filled_lsn.get(place, 0)
