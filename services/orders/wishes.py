"""Cancels that stay: a wish is sent again, as a new attempt each time, until its order is closed.

When to try again is a matter of time alone, never of the outcome: the log tells that. The pace doubles from FIRST_NS to
SLOWEST_NS and starts anew when the session comes back.
"""

import heapq

from common.instant import NS_PER_MS
from common.orders.books import OrderName

FIRST_NS = 250 * NS_PER_MS
SLOWEST_NS = 2_000 * NS_PER_MS


class Wishes:
    """The orders that are to be cancelled, and when each is next to be tried."""

    def __init__(self) -> None:
        """There is none."""
        self._wait_ns: dict[OrderName, int] = {}
        self._due: dict[OrderName, int] = {}
        self._queue: list[tuple[int, OrderName]] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._wait_ns)

    def __contains__(self, name: OrderName) -> bool:
        """Whether the order is to be cancelled."""
        return name in self._wait_ns

    def wish(self, name: OrderName, boot_ns: int) -> None:
        """From now on, and first at once. One that is there already keeps its pace."""
        if name not in self._wait_ns:
            self.hasten(name, boot_ns)

    def hasten(self, name: OrderName, boot_ns: int) -> None:
        """Try at once, and from there at the first pace."""
        self._wait_ns[name] = FIRST_NS
        self._push(name, boot_ns)

    def retry(self, name: OrderName, boot_ns: int) -> None:
        """The last attempt is known to have failed: the next after the wait that its pace says."""
        if name in self._wait_ns:
            self._push(name, boot_ns + self._wait_ns[name])

    def postpone(self, name: OrderName, due_ns: int) -> None:
        """The last attempt may be answered yet: the next at `due_ns`, in boot time."""
        if name in self._wait_ns:
            self._push(name, due_ns)

    def end(self, name: OrderName) -> None:
        """The order is closed."""
        self._wait_ns.pop(name, None)
        self._due.pop(name, None)

    def due(self, boot_ns: int) -> list[OrderName]:
        """The wishes whose time has come; each is scheduled anew, after twice the wait."""
        names: list[OrderName] = []
        while self._queue and self._queue[0][0] <= boot_ns:
            due, name = heapq.heappop(self._queue)
            if self._due.get(name) == due:
                wait_ns = self._wait_ns[name]
                self._wait_ns[name] = min(2 * wait_ns, SLOWEST_NS)
                self._push(name, boot_ns + wait_ns)
                names.append(name)
        return names

    def next_ns(self) -> int | None:
        """When the next one is due, in boot time."""
        while self._queue and self._due.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def _push(self, name: OrderName, due_ns: int) -> None:
        self._due[name] = due_ns
        heapq.heappush(self._queue, (due_ns, name))
