"""OKX's dead man's switch: cancel-all-after, of an account or of what bears one tag.

Source: OKX API v5 documentation as stored 2025-11-25, cancel all after: timeOut is 0, which takes it back, or 10 to 120
seconds; of one order at a time, within seconds. What is set is lost with this simulated exchange's process.
"""

from common.exchange.engine import Cause
from common.exchange.venue import Venue
from common.instant import NS_PER_S, Instant

SHORTEST_S, LONGEST_S = 10, 120
KEPT_TAGS = 10_000
"""From so many on those of orders that have ended are forgotten."""


class DeadMansSwitch:
    """See the module. `tagged` is told of the tag of each order that has one."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._tags: dict[int, str] = {}
        self._due_ns: dict[tuple[str, str], int] = {}

    def tagged(self, order_id: int, tag: str) -> None:
        """An order was placed with this tag."""
        if len(self._tags) >= KEPT_TAGS:
            self._tags = {each: kept for each, kept in self._tags.items() if each in self._venue.state.orders}
        if tag:
            self._tags[order_id] = tag

    def set(self, account: str, tag: str, seconds: int, now: Instant) -> int:
        """Set it, or take it back with 0; Unix milliseconds of its firing, 0 for never. Raises ValueError."""
        if seconds and not SHORTEST_S <= seconds <= LONGEST_S:
            raise ValueError(f"timeOut is 0 or {SHORTEST_S} to {LONGEST_S}")
        self._due_ns.pop((account, tag), None)
        if not seconds:
            return 0
        self._due_ns[account, tag] = now.boot_ns + seconds * NS_PER_S
        return (now.wall_ns + seconds * NS_PER_S) // 1_000_000

    def next_deadline_ns(self) -> int | None:
        """When the next one fires, in boot terms."""
        return min(self._due_ns.values(), default=None)

    def fire(self, now: Instant) -> None:
        """Cancel what is due."""
        for (account, tag), due_ns in list(self._due_ns.items()):
            if due_ns > now.boot_ns:
                continue
            del self._due_ns[account, tag]
            for symbol in self._venue.state.instruments:
                for order in list(self._venue.state.open_orders(account, symbol)):
                    if tag in ("", self._tags.get(order.order_id)):
                        self._venue.engine.cancel(order, now, Cause.DISCONNECTED)
