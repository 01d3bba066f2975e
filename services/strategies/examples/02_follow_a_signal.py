"""Follow a signal: each becomes one order that trades at once or not at all, and never late."""

from collections import deque
from decimal import Decimal

import msgspec

from common.instant import NS_PER_MS
from common.messages import MAX_TIME_TO_LIVE_NS
from common.strategy.signals import Signal
from common.strategy.strategy import Setting, Strategy, StrategyCore


class FollowParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a signal is followed.

    `order_qty`: The quantity of an order at full strength, in the base asset.
    `deadline_ms`: A signal older than this is left alone.
    `slippage_ratio`: How far beyond the best price it may trade, as a share of that.
    """

    order_qty: Decimal = Decimal("0.01")
    deadline_ms: int = 500
    slippage_ratio: Decimal = Decimal("0.001")


class FollowASignal(Strategy):
    """A class with `on_signal` is sent signals; what becomes of each is told by `self.core.fate`."""

    Parameters = FollowParameters

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """No signal yet."""
        super().__init__(setting, core)
        self.seen: deque[str] = deque(maxlen=1000)

    def on_signal(self, signal: Signal) -> None:
        """A publisher may say the same twice: only the first counts."""
        fate = "seen before" if signal.id in self.seen else self._follow(signal)
        self.seen.append(signal.id)
        self.core.fate(fate)

    def _follow(self, signal: Signal) -> str:
        left_ns = self.parameters.deadline_ms * NS_PER_MS - (self.now.wall_ns - signal.time_ns)
        market = self.markets.get((signal.venue, signal.symbol))
        top = self.top(signal.venue, signal.symbol, max_age_ns=1_000 * NS_PER_MS)
        if left_ns <= 0 or market is None or top is None or not self.is_live:
            return "late" if left_ns <= 0 else "no such market, no fresh price, or nobody takes orders"
        buys = signal.side == "buy"
        best = top.ask_px if buys else top.bid_px
        if best is None:
            return "nobody to trade with"
        beyond = best * self.parameters.slippage_ratio
        price = market.price_up(best + beyond) if buys else market.price_down(best - beyond)
        quantity = market.quantity_down(self.parameters.order_qty * signal.strength)
        # An order that is held up beyond the signal's time is void rather than late.
        number = (self.buy if buys else self.sell)(
            market.venue, market.symbol, quantity, price, time_in_force="3", label=signal.id,
            time_to_live_ns=min(left_ns, MAX_TIME_TO_LIVE_NS),
        )  # fmt: skip
        return f"order {number}: {signal.side} {quantity} at {price}"
