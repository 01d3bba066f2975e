"""The engine's rate counter: what each account has done lately to the orders of each pair, over FIX and REST alike.

Source: docs.kraken.com, Trading rate limits; the figures are those of the tier Pro.
"""

from common.exchange.order import Order
from common.instant import NS_PER_S, Instant

HIGHEST = 180.0
DECAY_PER_S = 3.75
_AMEND_AGES_S = ((5, 3), (10, 2), (15, 1))
_CANCEL_AGES_S = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
RATE_EXCEEDED = "EOrder:Rate limit exceeded"


class Counters:
    """A counter for each account and pair, which falls as time passes."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], tuple[float, int]] = {}

    def new(self, account: str, pair: str, now: Instant) -> bool:
        """Count a new order; False where there is no room for it, and it is to be refused."""
        return self._count(account, pair, 1, now, refuse=True)

    def amended(self, order: Order, now: Instant) -> bool:
        """Count an amendment, which costs more the younger the order is; False where it is to be refused."""
        return self._count(order.account, order.symbol, 1 + _cost(order, _AMEND_AGES_S, now), now, refuse=True)

    def cancelled(self, order: Order, now: Instant) -> None:
        """Count a cancel, which is carried out in any case."""
        self._count(order.account, order.symbol, _cost(order, _CANCEL_AGES_S, now), now, refuse=False)

    def _count(self, account: str, pair: str, cost: int, now: Instant, *, refuse: bool) -> bool:
        value, since_ns = self._at.get((account, pair), (0.0, now.boot_ns))
        value = max(0.0, value - (now.boot_ns - since_ns) / NS_PER_S * DECAY_PER_S)
        fits = value + cost <= HIGHEST
        self._at[account, pair] = (value + cost if fits or not refuse else value, now.boot_ns)
        return fits


def _cost(order: Order, ages_s: tuple[tuple[int, int], ...], now: Instant) -> int:
    age_s = (now.wall_ns - order.stamp_ns) / NS_PER_S
    return next((cost for limit_s, cost in ages_s if age_s < limit_s), 0)
