"""One account's reconciliation: its questions, the gates of its sessions, what its venue leaves unsaid, and the orders
while all sessions are away.

`services.orders.inquiries` decides what to ask; here is what makes it ask, and what follows. A gate's word is repeated
until the session's "opened" is read. An account whose sessions are all away for longer than the venue's `orphan_ns` has
its orders cancelled over REST.

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

from common.actor.core import Core, Send
from common.actor.links import Appender
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.messages import Ask, Attempt, Discrepancy, Kind, OpenGate, SessionState, Unanswered
from common.orders.books import Books, OrderName, SessionBooks
from common.orders.changes import Answered, CancelRefused, Doubted, Inquired, Missed, Overtaken, SessionMoved
from common.orders.order_state import Order
from services.orders.attempts import Attempts
from services.orders.inquiries import GATE_REPEAT_NS, AccountInquiries
from services.orders.settings import Patience, VenueWays

LOOK_NS = 100 * NS_PER_MS
"""Between two looks at what is due by the clock and not yet by the log, which ticks so often."""


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
        self.look_boot_ns: int | None = None
        """When `step` has something to do, in boot time."""

    def message_sent(self, order: Order, now: Instant) -> None:
        """The log has a message about the order that the venue is to answer: the latest of those that it awaits."""
        self._await(order, order.awaits[-1:], now)

    def take_up_order(self, order: Order, now: Instant) -> None:
        """This life of the order manager begins with the order as the log has it."""
        self._await(order, order.awaits, now)

    def end_all(self) -> None:
        """The connection has ended: what it carried is not known, and nothing is awaited."""
        self._fresh.clear()
        self._asked.clear()
        self.look_boot_ns = None

    def _await(self, order: Order, attempts: list[Attempt], now: Instant) -> None:
        self._fresh.extend(_Awaited(self._books.stamp_ns, order.name, attempt) for attempt in attempts)
        if self.look_boot_ns is None and self._fresh:
            self.look_boot_ns = now.boot_ns + self._patience.ask_ns

    def step(self, now: Instant) -> None:
        """Ask about what has had no answer for a while; after more of it, tell and record that it is not known."""
        if self.look_boot_ns is None or now.boot_ns < self.look_boot_ns:
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
        self.look_boot_ns = now.boot_ns + max(LOOK_NS, min(dues)) if dues else None

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
        request = next((r.kind.value for r in order.all_requests if r.attempt == awaited.attempt), "new")
        mend = "it is asked about until the venue tells; ask the venue's support if it stays"
        self._core.note(
            "warning", "unanswered", account=order.account, order=order.shown_name, request=request, ms=silent_ms,
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
        self.look_boot_ns: int | None = None
        """When `step` has something to do, in boot time."""

    def look_at(self, order: Order, now: Instant) -> None:
        """The log has news of the order."""
        name = order.name
        if not self._books.missing_qty(order):
            self._since_ns.pop(name, None)
            self._told.discard(name)
        elif name not in self._told and name not in self._since_ns:
            self._since_ns[name] = self._books.stamp_ns
            if self.look_boot_ns is None:
                self.look_boot_ns = now.boot_ns + self._wait_ns

    def step(self, now: Instant) -> None:
        """Tell of what has been missing for too long."""
        if self.look_boot_ns is None or now.boot_ns < self.look_boot_ns:
            return
        due = [name for name, since_ns in self._since_ns.items() if since_ns + self._wait_ns <= self._books.stamp_ns]
        for name in due:
            del self._since_ns[name]
            order = self._books.orders.get(name)
            if order is not None:
                self._told.add(name)
                self._tell(order, now)
        left_ns = [since_ns + self._wait_ns - self._books.stamp_ns for since_ns in self._since_ns.values()]
        self.look_boot_ns = now.boot_ns + max(LOOK_NS, min(left_ns)) if left_ns else None

    def _tell(self, order: Order, now: Instant) -> None:
        name, missing = order.shown_name, self._books.missing_qty(order)
        ours, theirs = f"trades of {order.cum_qty:f}", f"CumQty(14) {order.cum_qty + missing:f}, without its trades"
        action = "counts what is missing at its worst; `fixring orders fill` books it"
        record = Discrepancy(order.venue, name, ours, theirs, self._books.lsn, action, order.account)
        self._appender.append(Kind.DISCREPANCY, record, now)
        mend = f"look up its trades at the venue, then: fixring orders fill {name} QTY PRICE --note TEXT"
        self._core.note("warning", "fills_missing", venue=order.venue, order=name, qty=str(missing), mend=mend)


ORPHAN_REPEAT_NS = 5 * NS_PER_S
_AT_WORK = frozenset({SessionState.CAUGHT_UP, SessionState.OPENED})


AccountChange = SessionMoved | CancelRefused | Doubted | Overtaken | Missed | Inquired | Answered
"""What a record may tell of an account beside its orders."""


class Reconciliation:
    """See the module. `inquiries` are its questions, `silence` the answers that its venue owes. Sends are effects of
    `core` over "risk" and "account.NAME".
    """

    def __init__(
        self,
        core: Core,
        account: str,
        ways: VenueWays,
        orphan_ns: int,
        books: Books,
        attempts: Attempts,
        appender: Appender,
        patience: Patience,
    ) -> None:
        """Nothing is asked yet. `orphan_ns` is 0 where orders are never cancelled over REST."""
        self._core = core
        self._account = account
        self._venue = books.known.venue_of(account)
        self.has_rest = ways.has_rest
        self._orphan_ns = orphan_ns if ways.has_rest else 0
        self._cancels_by_rest = ways.cancels_by_rest
        self._means = " and ".join(ways.means) or "nobody: the venue has no query"
        self._books = books
        self._epoch = appender.epoch
        self.inquiries = AccountInquiries(account, ways, books, self._ask, attempts.query, self._epoch << 24)
        self.silence = Silence(core, patience, books, appender, self.inquiries.doubt)
        self._missing = MissingFills(core, patience.fills_ns, books, appender)
        self._gate_boot_ns: int | None = None
        self._orphan_boot_ns: int | None = None
        self._balances_asked = False
        self._latched: set[str] = set()

    # ---- what the log tells ----

    def take_up_account(self, now: Instant) -> None:
        """Take up the account as the log has it."""
        sessions = self._books.sessions_of(self._account)
        self._latched = {session.session for session in sessions if session.latched}
        at_work = [session for session in sessions if session.logged_on]
        if at_work:
            self.inquiries.watch_gaps(now.boot_ns)
        if any(self._books.account(self._account).missed_lsn > session.up_lsn for session in at_work):
            # A former life may not have asked.
            self.inquiries.audit()
        for session in at_work:
            if session.state is SessionState.CAUGHT_UP:
                self.inquiries.caught_up(session.session, session.connection)
        for order in self._books.open_orders(self._account):
            self._check(order, now)
            self.silence.take_up_order(order, now)
        for name in (*self._books.unsettled, *self._books.closed):
            order = self._books.orders[name]
            if order.account == self._account:
                self._check(order, now)
                self.silence.take_up_order(order, now)
        self._watch_orphans(now)

    def hear_change(self, change: AccountChange, now: Instant) -> None:
        """The log has told something of this account."""
        match change:
            case SessionMoved(name, _, skipped):
                self._session_moved(name, now, skipped=skipped)
            case CancelRefused(order, True):
                self._disowned(order, now)
            case Doubted(order):
                # The venue said something about the order that cannot be taken as it is.
                self.inquiries.doubt(order, now.boot_ns)
            case Overtaken(order):
                self.silence.message_sent(order, now)
            case Missed():
                self.inquiries.audit()
            case Inquired(order, settled):
                self._answered_for(order, settled, now)
            case Answered(answer):
                self.inquiries.answered(answer)

    def order_changed(self, order: Order, now: Instant) -> None:
        """The log has news of the order."""
        if order.is_closed and not self.inquiries.needs_asking(order):
            self.inquiries.settled(order.name)
        self._check(order, now)

    def _disowned(self, order: Order, now: Instant) -> None:
        """The venue claims not to know the order that a cancel names. Where that says nothing of what another session
        has placed, the cancel goes over REST as well; that it was carried out the venue itself tells.
        """
        if order.is_closed:
            return
        self.inquiries.doubt(order, now.boot_ns)
        lsn, symbol = self._books.lsn, order.symbol
        for leg in order.legs if self._cancels_by_rest else ():
            if leg.is_open and leg.order_id:
                self._ask(Ask(self._venue, 0, "cancel", symbol, leg.cl_ord_id, leg.order_id, asked_lsn=lsn))

    def _answered_for(self, order: Order, settled: bool, now: Instant) -> None:
        """A question about the order was answered; `settled` False where it came too late to count."""
        self.inquiries.told(order, settled)
        if self.inquiries.needs_asking(order):
            self.inquiries.doubt(order, now.boot_ns)
        elif settled:
            self.inquiries.settled(order.name)

    def ask_not_taken(self, ask: Ask) -> None:
        """A question did not reach the account's link."""
        if ask.what == "balances":
            self._balances_asked = False
        self.inquiries.ask_not_taken(ask.number)

    def _session_moved(self, name: str, now: Instant, *, skipped: bool = False) -> None:
        """A session took a step. Numbers that were `skipped` in a session at work may have borne reports that nobody
        tells again, and a kill switch that has ended cancels of its own whose answers say nothing: whatever is open is
        asked about.
        """
        session = self._books.session(name, self._account)
        unlatched = name in self._latched and not session.latched
        (self._latched.add if session.latched else self._latched.discard)(name)
        if (skipped or unlatched) and session.state in _AT_WORK:
            self.inquiries.audit()
        if session.state is SessionState.CAUGHT_UP and self.inquiries.connections.get(name) != session.connection:
            self._balances_asked = False
            self.inquiries.caught_up(name, session.connection)
        elif session.state is SessionState.OPENED:
            self.inquiries.opened(name)
            self._gate_boot_ns = None
        elif not session.logged_on:
            self.inquiries.connection_ended(name)
            self._gate_boot_ns = None
            if not self._books.is_logged_on(self._account):
                self.silence.end_all()
        self._watch_orphans(now)

    # ---- what is sent ----

    def step(self, now: Instant) -> None:
        """Send what is due, and open the gates if nothing is left to be heard of."""
        baseline = self._books.account(self._account).baseline
        if self.has_rest and self.inquiries.round_is_on and baseline is None and not self._balances_asked:
            # Before the gate opens nothing of ours moves them.
            self._balances_asked = True
            self._ask(Ask(self._venue, 0, "balances", asked_lsn=self._books.lsn))
        self.silence.step(now)
        self._missing.step(now)
        self.inquiries.step(now.boot_ns, logged_on=self._books.is_logged_on(self._account))
        sessions = self._books.sessions_of(self._account)
        waiting = [session for session in sessions if session.state is SessionState.CAUGHT_UP]
        if waiting and self.inquiries.gates_may_open:
            self._open_gates(waiting, now)
        else:
            self._gate_boot_ns = None
        if self._orphan_boot_ns is not None and now.boot_ns >= self._orphan_boot_ns:
            self._cancel_orphans(now)

    def next_ns(self) -> int | None:
        """When `step` has something to do, in boot time."""
        return earliest(
            self.inquiries.next_ns(), self._gate_boot_ns, self._orphan_boot_ns, self.silence.look_boot_ns,
            self._missing.look_boot_ns,
        )  # fmt: skip

    def doubt_rows(self, now: Instant) -> list[dict[str, object]]:
        """Each order in doubt: what is not known of it, how often it was asked about, and when it is asked next."""
        return [
            {
                "order": order.shown_name, "account": self._account, "symbol": order.symbol,
                "status": order.status.value, "lacks": self._lacks(order), "asked": doubt.times, "by": self._means,
                "next_ms": max(0, doubt.due_ns - now.boot_ns) // NS_PER_MS,
            }
            for order, doubt in self.inquiries.doubted()
        ]  # fmt: skip

    def _lacks(self, order: Order) -> list[str]:
        """What evidence is missing."""
        books, missing, unpriced = self._books, self._books.missing_qty(order), self._books.unpriced_qty(order)
        found = {
            "the venue's word on whether it has the order, or that its time to have it is over": order.is_unknown,
            "what became of an amendment that its end overtook": order.lingers_unknown,
            "a report that can be read and believed": order.in_doubt,
            f"the trades of {missing:f} that CumQty(14) tells": bool(missing),
            f"the price of {unpriced:f}": bool(unpriced),
            "the venue's own word on what a person has booked": books.is_by_hand(order),
        }
        return [text for text, lacks in found.items() if lacks] or ["the venue's answer: it was asked to be sure"]

    def _ask(self, ask: Ask) -> None:
        self._core.effects.append(Send(f"account.{self._account}", msgspec.structs.replace(ask, account=self._account)))

    def _check(self, order: Order, now: Instant) -> None:
        """Ask about the order if something of it is not known, until that is settled."""
        self._missing.look_at(order, now)
        if self.inquiries.needs_asking(order):
            self.inquiries.doubt(order, now.boot_ns)

    def _open_gates(self, sessions: list[SessionBooks], now: Instant) -> None:
        if self._gate_boot_ns is not None and now.boot_ns < self._gate_boot_ns:
            return
        self._gate_boot_ns = now.boot_ns + GATE_REPEAT_NS
        for session in sessions:
            word = OpenGate(self._venue, session.connection, self._epoch, self._account, session.session)
            self._core.effects.append(Send("risk", word))

    def _watch_orphans(self, now: Instant) -> None:
        if not self._orphan_ns or self._books.is_logged_on(self._account):
            self._orphan_boot_ns = None
        elif self._orphan_boot_ns is None:
            down_ns = max((session.down_ns for session in self._books.sessions_of(self._account)), default=0)
            away_ns = max(0, self._books.stamp_ns - down_ns)
            self._orphan_boot_ns = now.boot_ns + max(0, self._orphan_ns - away_ns)

    def _cancel_orphans(self, now: Instant) -> None:
        self._orphan_boot_ns = now.boot_ns + ORPHAN_REPEAT_NS
        orders = self._books.open_orders(self._account)
        for symbol in dict.fromkeys(order.symbol for order in orders):
            self._core.note("warning", "orphans", account=self._account, symbol=symbol, orders=len(orders))
            self._ask(Ask(self._venue, 0, "cancel_all", symbol, asked_lsn=self._books.lsn))
        for order in orders:
            self.inquiries.doubt(order, now.boot_ns)
