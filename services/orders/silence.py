"""What a venue leaves unsaid: answers that do not come, and fills that it has told in CumQty(14) alone.

What nobody answers on a connection that lives is asked about after a while, then told, and UNKNOWN from there on.
Silence is no verdict: nothing is held for done or refused because of it.

What the venue has told in CumQty(14) without its trades is a discrepancy after a while, for a person to settle. A venue
with a REST side is asked for the trades, and one without may yet resend them. Where neither tells them, nobody but a
person can say at what price the order was filled: `fixring orders fill` books it.

Time is the journal's, as far as the log was read: an order manager that stood still hears the answers that came
meanwhile before the time for them is over.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from common.actor.core import Core
from common.actor.links import Appender
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import Attempt, Discrepancy, Kind, Unanswered
from common.orders.books import Books, OrderName
from common.orders.order_state import Order

LOOK_NS = 100 * NS_PER_MS
"""Between two looks at what is due by the clock and not yet by the log, which ticks so often."""


class Patience(msgspec.Struct, frozen=True):
    """How long an answer is waited for: until the question, and until the order is UNKNOWN, both from the sending; and
    the trades of a CumQty(14) that was told, until a person is."""

    ask_ns: int = 2 * NS_PER_S
    unknown_ns: int = 5 * NS_PER_S
    fills_ns: int = 30 * NS_PER_S


class _Awaited(NamedTuple):
    since_ns: int
    name: OrderName
    attempt: Attempt


class Silence:
    """The answers that one account's venue owes; `question` asks about an order until it is settled."""

    def __init__(
        self, core: Core, patience: Patience, books: Books, appender: Appender, question: Callable[[Order, int], None]
    ) -> None:
        """Nothing is awaited. `core` takes the warnings, `appender` the records."""
        self._core = core
        self._patience = patience
        self._books = books
        self._appender = appender
        self._question = question
        self._fresh: deque[_Awaited] = deque()
        self._asked: deque[_Awaited] = deque()
        self._look_boot_ns: int | None = None

    def sent(self, order: Order, now: Instant) -> None:
        """The log has a message about the order that the venue is to answer: the latest of those that it awaits."""
        attempts = order.awaits
        if attempts:
            self._await(order, attempts[-1:], now)

    def begin(self, order: Order, now: Instant) -> None:
        """This life of the order manager begins with the order as the log has it."""
        self._await(order, order.awaits, now)

    def end(self) -> None:
        """The connection has ended: what it carried is not known, and nothing is awaited."""
        self._fresh.clear()
        self._asked.clear()
        self._look_boot_ns = None

    def _await(self, order: Order, attempts: list[Attempt], now: Instant) -> None:
        name = (order.strategy, order.number)
        self._fresh.extend(_Awaited(self._books.stamp_ns, name, attempt) for attempt in attempts)
        if self._look_boot_ns is None and self._fresh:
            self._look_boot_ns = now.boot_ns + self._patience.ask_ns

    def next_ns(self) -> int | None:
        """When `step` has something to do, in boot time."""
        return self._look_boot_ns

    def step(self, now: Instant) -> None:
        """Ask about what has had no answer for a while; after more of it, tell and record that it is not known."""
        if self._look_boot_ns is None or now.boot_ns < self._look_boot_ns:
            return
        for awaited, order in self._due(self._fresh, self._patience.ask_ns):
            self._question(order, now.boot_ns)
            self._asked.append(awaited)
        for awaited, order in self._due(self._asked, self._patience.unknown_ns):
            self._tell(awaited, order, now)
        dues = [
            queue[0].since_ns + wait_ns - self._books.stamp_ns
            for queue, wait_ns in ((self._fresh, self._patience.ask_ns), (self._asked, self._patience.unknown_ns))
            if queue
        ]
        self._look_boot_ns = now.boot_ns + max(LOOK_NS, min(dues)) if dues else None

    def _due(self, queue: deque[_Awaited], wait_ns: int) -> list[tuple[_Awaited, Order]]:
        """What was sent so long ago, as far as it is still awaited."""
        due: list[tuple[_Awaited, Order]] = []
        while queue and queue[0].since_ns + wait_ns <= self._books.stamp_ns:
            awaited = queue.popleft()
            order = self._books.orders.get(awaited.name)
            if order is not None and awaited.attempt in order.awaits:
                due.append((awaited, order))
        return due

    def _tell(self, awaited: _Awaited, order: Order, now: Instant) -> None:
        silent_ms = (self._books.stamp_ns - awaited.since_ns) // NS_PER_MS
        record = Unanswered(order.venue, *awaited.name, awaited.attempt, silent_ms, order.account)
        self._appender.append(Kind.UNANSWERED, record, now)
        name, number = awaited.name
        request = next((r.kind.value for r in order.requests.values() if r.attempt == awaited.attempt), "new")
        mend = "it is asked about until the venue tells; ask the venue's support if it stays"
        self._core.note(
            "warning", "unanswered", account=order.account, order=f"{name}/{number}", request=request, ms=silent_ms,
            mend=mend,
        )  # fmt: skip


class MissingFills:
    """The fills that one account's venue has told without their trades; each order is told of once in a life of the
    order manager.
    """

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
