"""What the venue has told in CumQty(14) without its trades: after a while a discrepancy, for a person to settle.

A venue with a REST side is asked for the trades, and one without may yet resend them. Where neither tells them, nobody
but a person can say at what price the order was filled: `fixring orders fill` books it. Time is the journal's, as far
as the log was read.
"""

from common.actor.core import Core
from common.actor.links import Appender
from common.instant import NS_PER_MS, Instant
from common.messages import Discrepancy, Kind
from common.orders.books import Books, OrderName
from common.orders.order_state import Order

LOOK_NS = 100 * NS_PER_MS
"""Between two looks at what is due by the clock and not yet by the log, which ticks so often."""


class MissingFills:
    """See the module. One venue's; each order is told of once in a life of the order manager."""

    def __init__(self, core: Core, wait_ns: int, books: Books, appender: Appender) -> None:
        """Nothing is missing. `core` takes the warnings, `appender` the records."""
        self._core = core
        self._wait_ns = wait_ns
        self._books = books
        self._appender = appender
        self._since_ns: dict[OrderName, int] = {}
        self._told: set[OrderName] = set()
        self._look_boot_ns: int | None = None

    def look_at(self, order: Order, now: Instant) -> None:
        """The log has news of the order."""
        name = (order.strategy, order.number)
        if not self._books.missing_qty(order):
            self._since_ns.pop(name, None)
            self._told.discard(name)
        elif name not in self._told and name not in self._since_ns:
            self._since_ns[name] = self._books.stamp_ns
            if self._look_boot_ns is None:
                self._look_boot_ns = now.boot_ns + self._wait_ns

    def next_ns(self) -> int | None:
        """When `step` has something to do, in boot time."""
        return self._look_boot_ns

    def step(self, now: Instant) -> None:
        """Tell of what has been missing for too long."""
        if self._look_boot_ns is None or now.boot_ns < self._look_boot_ns:
            return
        due = [name for name, since_ns in self._since_ns.items() if since_ns + self._wait_ns <= self._books.stamp_ns]
        for name in due:
            del self._since_ns[name]
            order = self._books.orders.get(name)
            if order is not None:
                self._told.add(name)
                self._tell(order, now)
        left_ns = [since_ns + self._wait_ns - self._books.stamp_ns for since_ns in self._since_ns.values()]
        self._look_boot_ns = now.boot_ns + max(LOOK_NS, min(left_ns)) if left_ns else None

    def _tell(self, order: Order, now: Instant) -> None:
        name, missing = f"{order.strategy}/{order.number}", self._books.missing_qty(order)
        ours, theirs = f"trades of {order.cum_qty:f}", f"CumQty(14) {order.cum_qty + missing:f}, without its trades"
        action = "counts what is missing at its worst; `fixring orders fill` books it"
        record = Discrepancy(order.venue, name, ours, theirs, self._books.lsn, action, order.account)
        self._appender.append(Kind.DISCREPANCY, record, now)
        mend = f"look up its trades at the venue, then: fixring orders fill {name} QTY PRICE --note TEXT"
        self._core.note("warning", "fills_missing", venue=order.venue, order=name, qty=str(missing), mend=mend)
