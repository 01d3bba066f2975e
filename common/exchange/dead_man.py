"""A venue's dead man's switch: what is set is carried out unless it is set anew in time.

What is set is lost with the simulated exchange's process.
"""

from collections.abc import Callable

from common.exchange.engine import Cause
from common.exchange.order import Order
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant


class DeadMansSwitch:
    """The switches of all accounts, each by a name of its own, such as a symbol."""

    def __init__(self, venue: Venue, reaches: Callable[[str, Order], bool]) -> None:
        """`reaches`: whether the switch of a name cancels that order of its account."""
        self._venue = venue
        self._reaches = reaches
        self._due_ns: dict[tuple[str, str], int] = {}

    def set(self, account: str, name: str, seconds: int, now: Instant) -> int:
        """Set it, or take it back with 0; Unix milliseconds of its firing, 0 for never."""
        self._due_ns.pop((account, name), None)
        if not seconds:
            return 0
        self._due_ns[account, name] = now.boot_ns + seconds * NS_PER_S
        return (now.wall_ns + seconds * NS_PER_S) // NS_PER_MS

    def set_only(self, account: str, names: list[str], seconds: int, now: Instant) -> None:
        """Set these, and take back all others of the account."""
        self._due_ns = {place: due_ns for place, due_ns in self._due_ns.items() if place[0] != account}
        for name in names:
            self.set(account, name, seconds, now)

    def names(self, account: str) -> list[str]:
        """Of what names it is set for the account."""
        return [name for owner, name in self._due_ns if owner == account]

    def next_deadline_ns(self) -> int | None:
        """When the next one fires, in boot terms."""
        return min(self._due_ns.values(), default=None)

    def fire(self, now: Instant) -> None:
        """Cancel what is due."""
        for (account, name), due_ns in list(self._due_ns.items()):
            if due_ns > now.boot_ns:
                continue
            del self._due_ns[account, name]
            for symbol in self._venue.state.instruments:
                for order in list(self._venue.state.open_orders(account, symbol)):
                    if self._reaches(name, order):
                        self._venue.engine.cancel(order, now, Cause.DISCONNECTED)


def by_symbol(symbol: str, order: Order) -> bool:
    """A switch that is called as a symbol reaches everybody's orders of it."""
    return order.symbol == symbol
