"""How long a venue takes to say its first word on a new order, by session: from when it was sent to when that was read.

Both times are stamps of the journal, so that whoever reads the same log comes to the same times.
"""

import math
from collections import deque
from typing import Final

from common.instant import NS_PER_MS
from common.messages import Kind
from common.orders.books import OrderName
from common.orders.order_state import Order

KEPT: Final = 200
"""So many times are kept of each session, the latest."""

OUTBOUND, INBOUND = int(Kind.OUTBOUND), int(Kind.INBOUND)
"""As plain numbers: a member of an enum is compared by a method of its own."""

MOST_AWAITED: Final = 10_000
"""So many orders' first words are awaited at most; the oldest is given up."""


class Acknowledgements:
    """See the module."""

    def __init__(self) -> None:
        """Nothing is awaited."""
        self._awaited: dict[OrderName, None] = {}
        self.times_ms: dict[str, deque[float]] = {}

    def hear_change(self, kind: int, lsn: int, stamp_ns: int, order: Order) -> None:
        """A record has changed the order."""
        if kind == INBOUND:
            if self._awaited.pop(order.name, self) is None:
                kept = self.times_ms.setdefault(order.session, deque(maxlen=KEPT))
                kept.append((stamp_ns - order.sent_ns) / NS_PER_MS)
        elif kind == OUTBOUND and order.sent_lsn == lsn:
            if len(self._awaited) >= MOST_AWAITED:
                del self._awaited[next(iter(self._awaited))]
            self._awaited[order.name] = None

    def rows(self) -> dict[str, dict[str, float | int]]:
        """Of each session how many times are kept, their median and their 99th percentile in ms, JSON-ready."""
        return {
            session: {"count": len(kept), "p50_ms": _percentile(kept, 50), "p99_ms": _percentile(kept, 99)}
            for session, kept in self.times_ms.items()
        }


def _percentile(kept: deque[float], percent: int) -> float:
    """The smallest of the times that so many percent of them do not exceed."""
    return round(sorted(kept)[math.ceil(len(kept) * percent / 100) - 1], 1)
