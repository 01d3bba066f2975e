"""Turns signals into orders within a deadline: immediate or cancel, once per signal, and never late.

A signal that is older than the deadline, was seen before, names a market that is not configured, or finds no fresh
prices is left alone; its fate is told to whoever tails the signals. What the signal's age leaves of the deadline is
the order's time to live, so an order that is held up on its way is void rather than late.
"""

from collections import OrderedDict
from decimal import Decimal
from typing import Final

import msgspec

from common.instant import NS_PER_MS
from common.messages import MAX_TIME_TO_LIVE_NS, CommandOutcome, OrderEvent, TimeInForce, TopOfBook
from common.strategy.signals import Signal
from common.strategy.strategy import Market, Setting, Strategy, StrategyCore

IMMEDIATE_OR_CANCEL: Final[TimeInForce] = "3"
REMEMBERED_SIGNALS = 10_000
FUTURE_NS = 250 * NS_PER_MS
"""A signal may be this far ahead of our clock; more, and one of the two clocks is not to be believed."""


class SignalTraderParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`notional`: of an order at full strength, in the quote asset. `slippage_ratio`: how far beyond the best price
    it may trade.

    `deadline_ms`: from the signal's time to the order's end. `position_notional`: no order that would take the
    position beyond it. `stale_ms`: best prices older than this are not traded on.
    """

    notional: Decimal = Decimal(1000)
    slippage_ratio: Decimal = Decimal("0.001")
    deadline_ms: int = 500
    position_notional: Decimal = Decimal(20_000)
    stale_ms: int = 3000


class SignalTrader(Strategy):
    """See the module."""

    Parameters = SignalTraderParameters

    def __init__(self, setting: Setting, core: StrategyCore) -> None:
        """No signal was seen yet."""
        super().__init__(setting, core)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._signals: dict[int, str] = {}

    def on_signal(self, signal: Signal) -> None:
        """Trade on it, or say why not."""
        if signal.id in self._seen:
            self.core.fate("seen before")
            return
        self._seen[signal.id] = None
        if len(self._seen) > REMEMBERED_SIGNALS:
            self._seen.popitem(last=False)
        self.core.fate(self._trade(signal))

    def on_outcome(self, outcome: CommandOutcome) -> None:
        """Note what became of a signal's order."""
        signal = self._signals.pop(outcome.number, None)
        if signal is not None:
            self.note("signal_order", id=signal, number=outcome.number, outcome=outcome.outcome, reason=outcome.reason)

    def on_fill(self, fill: OrderEvent) -> None:
        """Note the fill beside the signal."""
        self.note("signal_fill", label=fill.label, number=fill.number, qty=str(fill.last_qty), px=str(fill.last_px))

    def _trade(self, signal: Signal) -> str:
        """Send the order; the signal's fate in words."""
        p = self.parameters
        age_ns = self.now.wall_ns - signal.time_ns
        left_ns = p.deadline_ms * NS_PER_MS - age_ns
        if left_ns <= 0:
            return f"late: {age_ns // NS_PER_MS} ms old, the deadline is {p.deadline_ms} ms"
        if age_ns < -FUTURE_NS:
            return f"its time is {-age_ns // NS_PER_MS} ms ahead of our clock"
        market = self.markets.get((signal.venue, signal.symbol))
        if market is None:
            return f"{signal.symbol} at {signal.venue} is not among the strategy's markets"
        if not self.is_live:
            return "the order manager takes no orders at present"
        top = self.top(signal.venue, signal.symbol, p.stale_ms * NS_PER_MS)
        best = None if top is None else _best(top, signal)
        if best is None:
            return "no fresh price to trade at"
        return self._send(signal, market, best, min(left_ns, MAX_TIME_TO_LIVE_NS))

    def _send(self, signal: Signal, market: Market, best: Decimal, time_to_live_ns: int) -> str:
        p = self.parameters
        unit = market.base if market.contract.is_spot else "contracts"
        quantity = market.quantity_of(best, p.notional * signal.strength)
        if quantity < market.min_qty or market.notional(best, quantity) < market.min_notional:
            return f"too weak: {quantity} {unit} is below the market's minimum"
        buys = signal.side == "buy"
        position = self.position(market.venue, market.symbol) + (quantity if buys else -quantity)
        if market.notional(best, abs(position)) > p.position_notional and (position > 0) == buys:
            return (
                f"it would take the position to {position} {unit}, beyond {p.position_notional} {market.quote}"
            )
        beyond = best * (1 + (p.slippage_ratio if buys else -p.slippage_ratio))
        send, price = (self.buy, market.price_down(beyond)) if buys else (self.sell, market.price_up(beyond))
        number = send(
            market.venue,
            market.symbol,
            quantity,
            price,
            time_in_force=IMMEDIATE_OR_CANCEL,
            label=signal.id,
            time_to_live_ns=time_to_live_ns,
            cause=f"signal {signal.id}",
        )
        self._signals[number] = signal.id
        return f"order {number}: {signal.side} {quantity} at {price}"


def _best(top: TopOfBook, signal: Signal) -> Decimal | None:
    """The price that the order would meet."""
    return top.ask_px if signal.side == "buy" else top.bid_px
