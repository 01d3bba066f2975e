"""The actor `orders`: it names the strategies' commands, sends them down the ring, and tells what became of them.

Theory of operation. What the log says is in the `Fold` and its `Books`; everything else here is soft and may be lost at
any instant: commands in flight by attempt, wishes to cancel, questions under way, clients. A command is given its
attempt, ClOrdID(11) and deadline once, here; what becomes of it is decided by the log alone and told when that record
was read.

After a start the log is read up to the own epoch record and then followed. Until a stamp later than that record's plus
MAX_TIME_TO_LIVE_NS was read, what a former life sent may still turn up, so what adds risk gets the status
"restarting" and no outcome; a cancel is kept as a wish. While the journal is away nothing is sent, and commands get a
status as well: if they are not in the log when it is back, they are expired by then.

The core is the composition: it leads what a link or the log brings to the part that owns it, in a fixed order. A
strategy's request goes to `Entry`, and from there to `Flights` (what adds risk) or `CancelRequests`; `Attempts` numbers
what goes down the ring and `Routes` says where it goes; `Cancels` and an account's `Reconciliation` send what insists;
`Life` says what may be done now.
"""

from collections.abc import Callable, Sequence

import msgspec

from common.actor.acts import RecordedActs
from common.actor.core import Exit, Send
from common.actor.following import FollowingCore
from common.actor.links import Follower
from common.actor.state_hashes import StateHashes, is_hashed, read_state_hash
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.journal.frames import EPOCH, Record
from common.left_out import LeftOut, Unfoldable
from common.messages import (
    AmendOrder,
    Ask,
    CancelOrder,
    CommandOutcome,
    ControlAnswer,
    ControlRequest,
    Discrepancy,
    Kind,
    NewOrder,
    QueryOrder,
    Reason,
    SessionState,
    cut,
)
from common.orders.acknowledgements import Acknowledgements
from common.orders.books import Books
from common.orders.changes import (
    Answered,
    AttemptEnded,
    AttemptExpired,
    AttemptSent,
    CancelRefused,
    CancelWished,
    Change,
    CommandDecided,
    Differs,
    Missed,
    NamedBySession,
    OrderChanged,
    PositionMoved,
    SessionMoved,
    Unnamed,
    numbered,
)
from common.orders.facts import outside
from common.orders.fold import FOLD_VERSION, WRITER, Fold
from common.orders.index import Index, IntoIndex
from common.orders.order_state import Order
from common.orders.views import order_event, own_position_event, position_event
from services.orders.archive import Archive
from services.orders.attempts import Attempts, Decisions, Flights, Routes
from services.orders.by_hand import OrdersByHand
from services.orders.cancels import CancelRequests, Cancels, Parts
from services.orders.clients import Clients, Life, StandingNames
from services.orders.entry import Entry
from services.orders.evidence import EVIDENCE, HostEvidence
from services.orders.new_rules import FoldSummary, NewRules
from services.orders.reconciliation import AccountChange, Reconciliation
from services.orders.settings import OrdersSettings
from services.orders.watch import Watch

_SENT = frozenset({"pending_new", "pending_cancel", "pending_replace"})
"""What an order's change is called when the log has a message about it, or the venue tells that it has one."""

MAX_DOUBTS_SHOWN = 200
"""So many orders in doubt are in a status at most."""

STEP_NS = 10 * NS_PER_MS
"""The least time between two looks at what is due."""


class OrdersCore(FollowingCore):
    """See the module."""

    def __init__(
        self,
        settings: OrdersSettings,
        books: Books | None = None,
        index: Index | None = None,
        begin: Callable[[Sequence[Unfoldable]], Books] | None = None,
        before: FoldSummary | None = None,
    ) -> None:
        """`books` is a fold to go on from (a snapshot's), else everything is read from the log. `begin` gives such a
        one again, without the records at which the fold has raised. `before` is what an older program came to.
        """
        super().__init__(WRITER, begin or self._empty_books, index)
        self._settings = settings
        self._configured = {name: account.facts.bases for name, account in settings.accounts.items()}
        self._before = before
        self._live_with(books or self._empty_books(()))

    def _empty_books(self, unfoldable: Sequence[Unfoldable]) -> Books:
        facts = {name: account.facts for name, account in self._settings.accounts.items()}
        return Books(facts, left_out=LeftOut((), unfoldable), memory=self._index, leaving=IntoIndex(self._index))

    def _live_with(self, state: Books, former: Follower | None = None) -> None:
        settings = self._settings
        self.books = books = state
        self.fold = Fold(books)
        self.clients = clients = Clients(self)
        self._follow(books.lsn, former)
        appender = self._appender
        self._archive = archive = Archive(books, self._index)
        self._life = life = Life(appender, clients)
        self._hashes = StateHashes(WRITER, FOLD_VERSION)
        self._new_rules = NewRules(books, self._before)
        routes = Routes(settings.accounts, books)
        self._attempts = attempts = Attempts(self, appender, books, routes, settings.time_to_live_ns)
        self._decisions = decisions = Decisions(appender, books, clients)
        self._cancels = cancels = Cancels(
            attempts, books, life, appender, answer_ns=settings.patience.ask_ns, accounts=frozenset(settings.accounts)
        )
        self._flights = Flights(attempts, decisions, cancels, books, self.fold.outcomes, appender)
        parts = Parts(books, archive, clients, life, decisions, self._flights, StandingNames(books))
        self._cancel_requests = CancelRequests(parts, cancels)
        self._watch = watch = Watch(appender, books, cancels, settings.strategies)
        self._entry = Entry(parts, self._cancel_requests, routes, watch)
        self._accounts: dict[str, Reconciliation] = {}
        self._evidence = HostEvidence(self, books, appender)
        by_hand = OrdersByHand(self, books, appender, self._accounts, watch, self._evidence)
        self._by_hand = RecordedActs(self, WRITER, by_hand.acts, appender)
        self._events_from = 1 << 63
        self._stepped_boot_ns = 0
        self._moved = False
        self._acknowledgements = Acknowledgements()

    # ---- the shell's calls ----

    def started(self, now: Instant) -> None:
        """Ask for an epoch."""
        self._life.hear_journal(now)
        super().started(now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A client's request, a word of the journal, or a person's request."""
        if link == "entry":
            self._entry.received(peer, message, now)
        elif link == "journal":
            grant = self._hear_journal(message, now)
            if grant is not None:
                self._events_from = max(self.books.lsn, grant.lsn - self._settings.replayed_events)
                self.clients.begin_after(self._events_from)
        else:
            assert isinstance(message, ControlRequest)
            self._control(peer, message, now)

    def not_read(self, link: str, peer: bytes, data: bytes, why: str, now: Instant) -> None:
        if link == "entry":
            self._entry.not_read(peer, data, why, now)

    def followed(self, block: bytes, now: Instant) -> None:
        """The journal's stream."""
        self._apply(self._follower.take_block(block), now)

    def undelivered(self, send: Send, now: Instant) -> None:
        """A full queue is a refusal (risk), a client to be told again at its next hello, or a question asked again."""
        if send.link == "entry":
            self.clients.undelivered(send.peer)
        elif send.link == "risk":
            self._not_taken(send.message, now)
        elif isinstance(send.message, Ask) and send.message.account in self._accounts:
            self._accounts[send.message.account].ask_not_taken(send.message)

    def next_deadline_ns(self) -> int | None:
        step_ns = self._next_step_ns() if self._life.live and not self._life.away else None
        return earliest(super().next_deadline_ns(), self._life.next_deadline_ns(), step_ns)

    def _next_step_ns(self) -> int | None:
        """When a cancel, a question or a gate is due; never at once again, whatever holds up what is due."""
        accounts = [account.next_ns() for account in self._accounts.values()]
        due = earliest(self._watch.next_ns(), self._cancels.next_ns(), *accounts)
        return None if due is None else max(due, self._stepped_boot_ns + STEP_NS)

    def timer(self, now: Instant) -> None:
        """Whatever is due."""
        super().timer(now)
        self._life.check_away(now)
        if self._life.live:
            self._step(now)
        if self._life.stopping:
            self._check_stopped(now)

    def stop(self, now: Instant) -> None:
        """Cancel what rests at venues that want it so, see it gone, and exit; within STOP_NS in any case."""
        if self._life.stopping:
            return
        self._life.stop(now)
        for order in self._cancelled_on_stop():
            self._cancels.wish(order, ("", 0), now)
        self._check_stopped(now)

    def status(self, now: Instant) -> dict[str, object]:
        """What `fixring status` shows."""
        unknown = [o for orders in self.books.open.values() for o in orders.values() if o.is_unknown]
        oldest_ns = min((order.unknown_since_ns for order in unknown), default=self.books.stamp_ns)
        return {
            "state": self._life.state,
            "epoch": self._life.epoch,
            "lsn": self.books.lsn,
            "open_orders": self.books.open_count(),
            "unknown_orders": len(unknown),
            "oldest_unknown_s": (self.books.stamp_ns - oldest_ns) // NS_PER_S,
            "in_flight": len(self._flights),
            "wishes": len(self._cancels),
            "clients": len(self.clients),
            "discrepancies": self.books.discrepancies,
            "undecodable": self.books.left_out.undecodable,
            "left_out": self.books.left_out.text,
            "left_out_lsns": list(self.books.left_out.unaccepted),
            "hash_mismatches": self._hashes.mismatches,
            "index_complete": self._index.complete,
            "index_failure": self._index.failure,
            "accounts": {
                name: {
                    "venue": self.books.known.venue_of(name),
                    "open_orders": len(self.books.open_orders(name)),
                    "doubts": self._accounts[name].inquiries.doubts() if name in self._accounts else 0,
                    "auditing": name in self._accounts and self._accounts[name].inquiries.round_is_on,
                }
                for name in sorted({*self._settings.accounts, *self.books.accounts})
            },
            "sessions": {
                name: {
                    "account": session.account,
                    "session": session.state.value,
                    "connection": session.connection,
                    "opened": session.opened_connection == session.connection and session.state is SessionState.OPENED,
                }
                for name, session in self.books.sessions.items()
            },
            "in_doubt": [row for its in self._accounts.values() for row in its.doubt_rows(now)][:MAX_DOUBTS_SHOWN],
            "counts": dict(self._decisions.counts),
            "strategies": self._watch.rows(),
            "acknowledged": self._acknowledgements.rows(),
            "outside": [h.row() for h in outside(self.books.holdings(), self._configured)]
            if self._life.has_read
            else None,
        }

    # ---- the journal ----

    def _apply(self, records: Sequence[Record], now: Instant) -> None:
        if not records:
            return
        life, apply, grant, events_from = self._life, self.fold.apply, self._appender.grant, self._events_from
        new_rules, compared_lsn = self._new_rules, self._new_rules.at_lsn
        life.hear_journal(now)
        for record in records:
            if record.kind == EPOCH and not self._appender.take_record(record):
                return
            try:
                changes = apply(record)
            except Unfoldable as error:
                self._begin_anew(error, self._follower, now)
                return
            if changes and record.lsn > events_from:
                self._tell(record, changes, now)
            elif changes:
                self._archive.take_late(record, changes)
            if is_hashed(record.lsn):
                self._hashes.keep(record.lsn, self.books.digest())
                if life.live:
                    self._appender.append(Kind.STATE_HASH, self._hashes.to_log(record.lsn), now)
            if record.kind == Kind.STATE_HASH:
                self._check_hash(record)
            elif record.kind in EVIDENCE:
                self._evidence.hear(record)
            if compared_lsn:
                if record.lsn == compared_lsn:
                    new_rules.compare()
                elif record.kind == Kind.DISCREPANCY:
                    new_rules.hear_discrepancy(record)
        if life.away:
            life.back()
        if not life.live and grant is not None and self.books.lsn >= grant.lsn:
            if not life.has_read:
                life.has_read = True
                self._entry.admit(now)
            if self._appender.former_life_ended(self.books.lsn, self.books.stamp_ns):
                self._go_live(now)
        elif self._moved:
            self._moved = False
            self._step(now)
        self._cancel_requests.accept_carried()
        self._index.flush(self.books.lsn)
        if life.stopping:
            self._check_stopped(now)

    def _check_hash(self, record: Record) -> None:
        told = read_state_hash(record)
        ours = None if told is None else self._hashes.check(told)
        if told is not None and ours is not None:
            self.note("error", "state_differs", at_lsn=told.at_lsn, ours=ours.hex(), logged=told.digest.hex())

    def _go_live(self, now: Instant) -> None:
        self._life.live = True
        self._evidence.go_live(self.books.lsn)
        self.note("info", "live", lsn=self.books.lsn)
        self._new_rules.tell_differences(self, self._appender, now)
        for name, settings in self._settings.accounts.items():
            self._accounts[name] = Reconciliation(
                self, name, settings.ways, settings.orphan_ns, self.books, self._attempts, self._appender,
                self._settings.patience,
            )  # fmt: skip
            self._accounts[name].take_up_account(now)
            for order in self.books.open_orders(name):
                if order.wish_number:
                    self._cancels.wish(order, (order.wish_strategy, order.wish_number), now)
        self.clients.tell_all(self._life.status(0))
        self._entry.admit(now)
        self._cancel_requests.go_live(now)
        self._step(now)

    # ---- what a record changed ----

    def _tell_parts(self, lsn: int, index: int) -> None:
        """Whose own part of a position has moved is told so, behind all else of the record, from `index` on."""
        for nth, (strategy, *place) in enumerate(self.books.changed_shares, index):
            position = self.books.positions.get((place[0], place[1]))
            if position is not None and strategy:
                self.clients.tell(strategy, own_position_event(self.books, position, lsn, nth, strategy))

    def _tell(self, record: Record, changes: list[Change], now: Instant) -> None:
        for index, change in numbered(changes):
            match change:
                case OrderChanged():
                    self._order_changed(record, index, change, now)
                case CommandDecided():
                    self._decided(record, index, change)
                case Unnamed():
                    event = self._archive.late_report(record, index, change)
                    if event is not None:
                        self.clients.emit(event.strategy, event)
                case PositionMoved():
                    position = self.books.positions[change.account, change.symbol]
                    self.clients.tell_all(position_event(self.books, position, record.lsn, index, change.strategy))
                case CancelWished(order, strategy, number):
                    if self._life.live:
                        self._cancels.wish(order, (strategy, number), now)
                case AttemptSent(attempt):
                    self._cancels.attempt_sent(attempt)
                    command = self._flights.land(attempt)
                    if command is not None:
                        self._cancel_requests.command_sent(command, now)
                case NamedBySession(attempt):
                    self._attempts.go_on_behind(attempt)
                case AttemptEnded():
                    self._attempt_ended(change, now)
                case AttemptExpired(attempt):
                    command = self._flights.expire(attempt, now)
                    if command is not None:
                        self._cancel_requests.command_never_sent(command, now)
                case _ if not self._life.live:
                    pass
                case Differs():
                    self._moved = True
                    self._differ(change, now)
                case _:
                    self._moved = True
                    self._account_moved(change, now)
        if self.books.changed_shares:
            self._tell_parts(record.lsn, len(changes))

    def _order_changed(self, record: Record, index: int, change: OrderChanged, now: Instant) -> None:
        order = change.order
        self._acknowledgements.hear_change(record.kind, record.lsn, record.stamp_ns, order)
        told = order_event(order, change, self.books.unpriced_qty(order), record.lsn, index, record.stamp_ns)
        self.clients.emit(order.strategy, told)
        if not self._life.live:
            return
        if order.is_closed:
            self._cancels.order_closed(order.name)
        account = self._accounts.get(order.account)
        if account is not None:
            if change.event in _SENT:
                account.silence.message_sent(order, now)
            account.order_changed(order, now)

    def _decided(self, record: Record, index: int, change: CommandDecided) -> None:
        command = (change.strategy, change.number)
        self._decisions.read(command)
        if self._cancel_requests.answers(command):
            return
        outcome = CommandOutcome(record.lsn, index, *command, change.outcome, change.reason, change.text)
        self.clients.emit(change.strategy, outcome)

    def _attempt_ended(self, change: AttemptEnded, now: Instant) -> None:
        command = self._flights.land(change.attempt)
        if command is not None:
            self._cancel_requests.command_never_sent(command, now)
        self._cancels.attempt_failed(change.attempt, now)
        for account in self._accounts.values():
            account.inquiries.query_failed(change.attempt, for_good=change.reason is Reason.VENUE_REJECTED)

    def _account_moved(self, change: AccountChange, now: Instant) -> None:
        if isinstance(change, CancelRefused):
            self._cancels.retry(change.order.name, now)
        account = self._accounts.get(_account_of(change))
        if account is None:
            return
        account.hear_change(change, now)
        session = self.books.sessions.get(change.session) if isinstance(change, SessionMoved) else None
        if session is not None and session.state is SessionState.CAUGHT_UP:
            self._cancels.hasten(session.account, now)

    def _differ(self, change: Differs, now: Instant) -> None:
        account, subject, ours, theirs, action = msgspec.structs.astuple(change)
        venue = self.books.known.venue_of(account)
        discrepancy = Discrepancy(venue, cut(subject), cut(ours), cut(theirs), self.books.lsn, action, account)
        self._appender.append(Kind.DISCREPANCY, discrepancy, now)
        self.note("warning", "discrepancy", account=account, subject=subject, ours=ours, theirs=theirs)

    # ---- what is due, and what could not be sent ----

    def _step(self, now: Instant) -> None:
        """Send the cancels and questions that are due, and open what may be opened."""
        if self._life.away:
            return
        self._stepped_boot_ns = now.boot_ns
        self._watch.look(now)
        self._cancels.send_due(now)
        for account in self._accounts.values():
            account.step(now)

    def _not_taken(self, message: msgspec.Struct, now: Instant) -> None:
        """Risk's queue is full or risk is not there."""
        if isinstance(message, NewOrder | AmendOrder):
            self._attempts.refuse(message, Reason.QUEUE_FULL, now)
        elif isinstance(message, CancelOrder):
            self._cancels.cancel_not_taken(message, now)
        elif isinstance(message, QueryOrder) and message.account in self._accounts:
            self._accounts[message.account].inquiries.query_failed(message.attempt, for_good=False)

    # ---- the end ----

    def _cancelled_on_stop(self) -> list[Order]:
        at_all = {name for name, settings in self._settings.accounts.items() if settings.cancel_on_stop}
        return [
            order
            for name in self._settings.accounts
            for order in self.books.open_orders(name)
            if name in at_all or self._watch.is_cancelled(order.strategy)
        ]

    def _check_stopped(self, now: Instant) -> None:
        resting = self._cancelled_on_stop()
        # While the journal is away nothing can be sent: what rests is the sessions' to cancel, and they wait for this.
        hopeless = self._life.is_late(now) or self._life.away or not self._life.live
        if not hopeless and (resting or len(self._flights)):
            return
        self._life.ended()
        self._index.write(self.books.lsn)
        if resting:
            self.note("warning", "left_open", orders=[order.shown_name for order in resting])
        self.effects.append(Exit(0, f"stopped; {len(resting)} orders that were to be cancelled are left"))

    # ---- an operator's word ----

    def _control(self, peer: bytes, request: ControlRequest, now: Instant) -> None:
        if not self._life.live:
            answer = ControlAnswer(request.token, False, f"orders is {self._life.state}; try again when it is live")
            self.effects.append(Send("control", answer, peer))
        elif self._by_hand.do(peer, request, now):
            self._step(now)


def _account_of(change: AccountChange) -> str:
    match change:
        case SessionMoved() | Missed():
            return change.account
        case Answered():
            return change.answer.account
        case _:
            return change.order.account
