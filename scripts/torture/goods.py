"""What the load trades at a venue: symbols, steps, quantities and prices, all of them the configuration's."""

from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

from common.config import Config, FixConfig, InstrumentConfig

NOTIONALS = 13
"""How many times the smallest notional an order has: a part of it is still above that."""


class Good(NamedTuple):
    """A symbol as the load trades it: `qty` is its smallest order, `start_price` where the book began."""

    symbol: str
    tick_size: Decimal
    qty: Decimal
    start_price: Decimal


def goods_of(config: Config, venue: str) -> list[Good]:
    """All that the venue lists and risk has limits for, in the order of the file. Raises ValueError for none."""
    its = config.venues[venue]
    if its.simulated is None:
        raise ValueError(f"{venue} is no simulated venue, which the torture needs")
    prices = its.simulated.prices
    found = [
        Good(symbol, instrument.tick_size, _qty(instrument, prices[symbol]), prices[symbol])
        for symbol, instrument in its.instruments.items()
        if symbol in config.stack.risk.symbols
    ]
    if not found:
        raise ValueError(f"no symbol of {venue} has a table [risk.symbols.SYMBOL], so that nothing can trade there")
    return found


def _qty(instrument: InstrumentConfig, price: Decimal) -> Decimal:
    """In whole lots."""
    wanted = NOTIONALS * instrument.min_notional / instrument.contract.notional(price, Decimal(1))
    lots = (wanted / instrument.lot_size).to_integral_value(ROUND_CEILING)
    return max(lots * instrument.lot_size, instrument.min_qty)


def budget_per_s(fix: FixConfig) -> float:
    """How many messages a second the venue bears, over a while."""
    return fix.limits.messages * 1000 / fix.limits.window_ms


def away(price: Decimal, side: str, share: float, tick_size: Decimal) -> Decimal:
    """The price `share` of it to the passive side, to the crossing side where that is negative; in whole ticks."""
    sign = -1 if side == "buy" else 1
    ticks = (price * (1 + sign * Decimal(repr(round(share, 6)))) / tick_size).to_integral_value()
    return max(ticks, Decimal(1)) * tick_size
