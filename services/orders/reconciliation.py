"""One account's reconciliation: its questions, the gates of its sessions, and the orders while all sessions are away.

`services.orders.inquiries` decides what to ask; here is what makes it ask, and what follows. A gate's word is repeated
until the session's "opened" is read. An account whose sessions are all away for longer than the venue's `orphan_ns` has
its orders cancelled over REST.
"""

import msgspec

from common.actor.core import Core, Send
from common.actor.links import Appender
from common.instant import NS_PER_S, Instant
from common.messages import Answer, Ask, Attempt, OpenGate, SessionState
from common.orders.books import Books, SessionBooks
from common.orders.order_state import Order
from services.orders.attempts import Attempts
from services.orders.inquiries import GATE_REPEAT_NS, AccountInquiries, VenueWays
from services.orders.silence import MissingFills, Patience, Silence

ORPHAN_REPEAT_NS = 5 * NS_PER_S
_AT_WORK = frozenset({SessionState.CAUGHT_UP, SessionState.OPENED})


class Reconciliation:
    """See the module. Sends are effects of `core` over "risk" and "account.NAME"."""

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
        self._books = books
        self._epoch = appender.epoch
        self._inquiries = AccountInquiries(account, ways, books, self._ask, attempts.query, self._epoch << 24)
        self._silence = Silence(core, patience, books, appender, self._inquiries.doubt)
        self._missing = MissingFills(core, patience.fills_ns, books, appender)
        self._gate_boot_ns: int | None = None
        self._orphan_boot_ns: int | None = None
        self._balances_asked = False
        self._latched: set[str] = set()

    # ---- what the log tells ----

    def begin(self, now: Instant) -> None:
        """Take up the account as the log has it."""
        sessions = self._books.sessions_of(self._account)
        self._latched = {session.session for session in sessions if session.latched}
        at_work = [session for session in sessions if session.logged_on]
        if at_work:
            self._inquiries.watch_gaps(now.boot_ns)
        if any(self._books.account(self._account).missed_lsn > session.up_lsn for session in at_work):
            # A former life may not have asked.
            self._inquiries.audit()
        for session in at_work:
            if session.state is SessionState.CAUGHT_UP:
                self._inquiries.caught_up(session.session, session.connection)
        for order in self._books.open_orders(self._account):
            self._check(order, now)
            self._silence.begin(order, now)
        for name in (*self._books.unsettled, *self._books.closed):
            order = self._books.orders[name]
            if order.account == self._account:
                self._check(order, now)
        self._watch_orphans(now)

    def sent(self, order: Order, now: Instant) -> None:
        """The log has a message about the order that the venue is to answer."""
        self._silence.sent(order, now)

    def order_changed(self, order: Order, now: Instant) -> None:
        """The log has news of the order."""
        if order.is_closed and not self._inquiries.needs_asking(order):
            self._inquiries.settled((order.strategy, order.number))
        self._check(order, now)

    def disowned(self, order: Order, now: Instant) -> None:
        """The venue claims not to know the order that a cancel names. Where that says nothing of what another session
        has placed, the cancel goes over REST as well; that it was carried out the venue itself tells.
        """
        if order.is_closed:
            return
        self._inquiries.doubt(order, now.boot_ns)
        lsn, symbol = self._books.lsn, order.symbol
        for leg in order.legs if self._cancels_by_rest else ():
            if leg.is_open and leg.order_id:
                self._ask(Ask(self._venue, 0, "cancel", symbol, leg.cl_ord_id, leg.order_id, asked_lsn=lsn))

    def doubted(self, order: Order, now: Instant) -> None:
        """The venue said something about the order that cannot be taken as it is."""
        self._inquiries.doubt(order, now.boot_ns)

    def told(self, order: Order, settled: bool, now: Instant) -> None:
        """A question about the order was answered; `settled` False where it came too late to count."""
        self._inquiries.told(order, settled)
        if self._inquiries.needs_asking(order):
            self._inquiries.doubt(order, now.boot_ns)
        elif settled:
            self._inquiries.settled((order.strategy, order.number))

    def answered(self, answer: Answer) -> None:
        """The account's answer is in the books."""
        self._inquiries.answered(answer)

    def query_failed(self, attempt: Attempt, *, for_good: bool) -> None:
        """A query, if the attempt was one of this venue, went no further."""
        self._inquiries.query_failed(attempt, for_good=for_good)

    def ask_not_taken(self, ask: Ask) -> None:
        """A question did not reach the account's link."""
        if ask.what == "balances":
            self._balances_asked = False
        self._inquiries.ask_not_taken(ask.number)

    def session_moved(self, name: str, now: Instant, *, skipped: bool = False) -> None:
        """A session took a step. Numbers that were `skipped` in a session at work may have borne reports that nobody
        tells again, and a kill switch that has ended cancels of its own whose answers say nothing: whatever is open is
        asked about.
        """
        session = self._books.session(name, self._account)
        unlatched = name in self._latched and not session.latched
        (self._latched.add if session.latched else self._latched.discard)(name)
        if (skipped or unlatched) and session.state in _AT_WORK:
            self._inquiries.audit()
        if session.state is SessionState.CAUGHT_UP and self._inquiries.connections.get(name) != session.connection:
            self._balances_asked = False
            self._inquiries.caught_up(name, session.connection)
        elif session.state is SessionState.OPENED:
            self._inquiries.opened(name)
            self._gate_boot_ns = None
        elif not session.logged_on:
            self._inquiries.connection_ended(name)
            self._gate_boot_ns = None
            if not self._books.is_logged_on(self._account):
                self._silence.end()
        self._watch_orphans(now)

    # ---- what is sent ----

    def audit(self) -> None:
        """Ask about whatever is open."""
        self._inquiries.audit()

    def step(self, now: Instant) -> None:
        """Send what is due, and open the gates if nothing is left to be heard of."""
        baseline = self._books.account(self._account).baseline
        if self.has_rest and self.auditing and baseline is None and not self._balances_asked:
            # Before the gate opens nothing of ours moves them.
            self._balances_asked = True
            self._ask(Ask(self._venue, 0, "balances", asked_lsn=self._books.lsn))
        self._silence.step(now)
        self._missing.step(now)
        self._inquiries.step(now.boot_ns, logged_on=self._books.is_logged_on(self._account))
        closed = self._closed_gates() if self._inquiries.gates_may_open else []
        if closed:
            self._open_gates(closed, now)
        else:
            self._gate_boot_ns = None
        if self._orphan_boot_ns is not None and now.boot_ns >= self._orphan_boot_ns:
            self._cancel_orphans(now)

    def next_ns(self) -> int | None:
        """When `step` has something to do, in boot time."""
        due = self._inquiries.next_ns()
        for time in (self._gate_boot_ns, self._orphan_boot_ns, self._silence.next_ns(), self._missing.next_ns()):
            if time is not None and (due is None or time < due):
                due = time
        return due

    def doubts(self) -> int:
        """How many orders are in doubt."""
        return self._inquiries.doubts()

    def doubt_rows(self, now: Instant) -> list[dict[str, object]]:
        """Each order in doubt: what is not known of it, how often it was asked about, and when it is asked next."""
        return [
            {
                "order": f"{row.order.strategy}/{row.order.number}", "account": self._account,
                "symbol": row.order.symbol, "status": row.order.status.value, "lacks": self._lacks(row.order),
                "asked": row.times, "by": row.means, "next_ms": row.next_ms,
            }
            for row in self._inquiries.doubt_rows(now.boot_ns)
        ]  # fmt: skip

    def _lacks(self, order: Order) -> list[str]:
        """What evidence is missing."""
        books, missing, unpriced = self._books, self._books.missing_qty(order), self._books.unpriced_qty(order)
        found = {
            "the venue's word on whether it has the order, or that its time to have it is over": order.is_unknown,
            "a report that can be read and believed": order.in_doubt,
            f"the trades of {missing:f} that CumQty(14) tells": bool(missing),
            f"the price of {unpriced:f}": bool(unpriced),
            "the venue's own word on what a person has booked": books.is_by_hand(order),
        }
        return [text for text, lacks in found.items() if lacks] or ["the venue's answer: it was asked to be sure"]

    @property
    def auditing(self) -> bool:
        """Whether a round of questions is on."""
        return self._inquiries.round_is_on

    def _ask(self, ask: Ask) -> None:
        asked = msgspec.structs.replace(ask, account=self._account)
        self._core.effects.append(Send(f"account.{self._account}", asked))

    def _check(self, order: Order, now: Instant) -> None:
        """Ask about the order if something of it is not known, until that is settled."""
        self._missing.look_at(order, now)
        if self._inquiries.needs_asking(order):
            self._inquiries.doubt(order, now.boot_ns)

    def _closed_gates(self) -> list[SessionBooks]:
        """The sessions that wait for the word."""
        sessions = self._books.sessions_of(self._account)
        return [session for session in sessions if session.state is SessionState.CAUGHT_UP]

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
            self._inquiries.doubt(order, now.boot_ns)
