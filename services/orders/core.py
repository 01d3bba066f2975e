"""The actor `orders`: it names the strategies' commands, sends them down the ring, and tells what became of them.

Theory of operation. What the log says is in the `Fold` and its `Books`; everything else here is soft and may be lost at
any instant: commands in flight by attempt, wishes to cancel, questions under way, clients. A command is given its
attempt, ClOrdID(11) and deadline once, here; what becomes of it is decided by the log alone and told when that record
was read.

After a start the log is read up to the own epoch record and then followed. Until a stamp later than that record's plus
MAX_TIME_TO_LIVE_NS was read, what a former life sent may still turn up, so what adds risk gets the status
"restarting" and no outcome; a cancel is kept as a wish. While the journal is away nothing is sent, and commands get a
status as well: if they are not in the log when it is back, they are expired by then.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import orjson

from common.actor.core import Core, Exit, Send
from common.actor.links import AWAY_NS, Appender, Follower, Superseded
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.journal.frames import Record
from common.messages import (
    HASH_EVERY,
    MAX_TIME_TO_LIVE_NS,
    AmendOrder,
    AmendRequest,
    Ask,
    Attempt,
    CancelAllRequest,
    CancelOrder,
    CancelRequest,
    ClientRequest,
    CommandOutcome,
    ControlAnswer,
    ControlRequest,
    Discrepancy,
    Expired,
    Hello,
    Kind,
    NewOrder,
    NewOrderRequest,
    OpenGate,
    OrderEvent,
    PositionChanged,
    QueryAnswer,
    QueryOrder,
    QueryRequest,
    Reason,
    Refused,
    SessionState,
    StateHash,
    StatusChanged,
    Verdict,
    Welcome,
)
from common.order_state import Order, RequestKind
from services.orders.books import Books, OrderName, VenueFacts
from services.orders.changes import (
    Answered,
    AttemptEnded,
    AttemptExpired,
    AttemptSent,
    CancelRefused,
    Change,
    CommandDecided,
    Differs,
    Inquired,
    OrderChanged,
    PositionMoved,
    SessionMoved,
    Unnamed,
)
from services.orders.clients import Clients
from services.orders.fold import WRITER, Fold
from services.orders.index import Index, MemoryIndex
from services.orders.inquiries import GATE_REPEAT_NS, VenueInquiries, VenueWays, misses_fills
from services.orders.names import Remembered, cl_ord_id_of, request_identity, same_request
from services.orders.views import order_event, position_event
from services.orders.wishes import Wishes

MAX_IN_FLIGHT = 20_000
"""Commands that the log has not decided; at 15,000 a second more than a second's worth, which is the longest life."""

STOP_NS = 2_000 * NS_PER_MS
"""How long an orderly stop waits for resting orders to be cancelled; the supervisor allows the whole stack 4 s."""

SILENCE_NS = 2 * AWAY_NS
"""Without a record for so long the journal is away: it ticks every 100 ms."""

REPLAYED_EVENTS = 20_000
"""Records before the end of a replay whose events are kept for strategies that resume."""

AFTER_ALL_EVENTS = 1 << 20
"""The index of what is told as it stands after the record, behind every event that the record gave."""

STEP_NS = 10 * NS_PER_MS
"""The least time between two looks at what is due."""

ORPHAN_REPEAT_NS = 5 * NS_PER_S


class VenueSettings(msgspec.Struct, frozen=True):
    """A venue as orders sees it.

    `orphan_ns`: a session away longer has its orders cancelled over REST, 0 never. `cancel_on_stop`: resting orders are
    cancelled at an orderly stop.
    """

    facts: VenueFacts
    ways: VenueWays
    orphan_ns: int = 0
    cancel_on_stop: bool = True


class OrdersSettings(msgspec.Struct, frozen=True):
    """All of the order manager's configuration; `time_to_live_ns` bounds the life of what adds risk."""

    venues: Mapping[str, VenueSettings]
    time_to_live_ns: int = MAX_TIME_TO_LIVE_NS


class InFlight(msgspec.Struct, gc=False):
    """A command under way: its attempt is not in the log yet. `cancel_wishes` came for it meanwhile."""

    command: NewOrder | AmendOrder
    cancel_wishes: list[OrderName] = []


class OrdersCore(Core):
    """See the module."""

    def __init__(self, settings: OrdersSettings, books: Books | None = None, index: Index | None = None) -> None:
        """`books` is a fold to go on from (a snapshot's), else everything is read from the log.

        What leaves memory goes into `index`; without one into memory again, for as long as the process lives.
        """
        super().__init__(WRITER)
        self._settings = settings
        self._index: Index = index or MemoryIndex()
        self.books = books or Books({name: venue.facts for name, venue in settings.venues.items()})
        self.books.forgotten = self._order_forgotten
        self.books.names.forgotten = self._command_forgotten
        self.fold = Fold(self.books)
        self.clients = Clients(self)
        self.wishes = Wishes()
        self._appender = Appender(self, WRITER)
        self._follower = Follower(self, self.books.lsn)
        self._inquiries: dict[str, VenueInquiries] = {}
        self._in_flight: dict[Attempt, InFlight] = {}
        self._in_flight_names: dict[OrderName, Attempt] = {}
        self._amending: dict[OrderName, Attempt] = {}
        self._cancelling: dict[Attempt, OrderName] = {}
        self._early_cancels: dict[OrderName, list[tuple[str, CancelRequest]]] = {}
        self._wish_commands: dict[OrderName, OrderName] = {}
        self._accepting: dict[OrderName, list[OrderName]] = {}
        self._highest: dict[str, int] = {}
        self._undecided: dict[OrderName, None] = {}
        self._events_from = 1 << 63
        self._stepped_boot_ns = 0
        self._moved = False
        self._counter = 0
        self._live = False
        self._stopping_boot_ns: int | None = None
        self._away = False
        self._heard_boot_ns = 0
        self._gate_boot_ns: dict[str, int] = {}
        self._orphan_boot_ns: dict[str, int] = {}
        self._digests: dict[int, bytes] = {}
        self._hash_mismatches = 0
        self._counts: Counter[str] = Counter()

    # ---- the shell's calls ----

    def started(self, now: Instant) -> None:
        """Ask for an epoch."""
        self._heard_boot_ns = now.boot_ns
        self._appender.request_epoch(now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """A client's request, a word of the journal, or a person's request."""
        if link == "entry":
            self._entry(peer, message, now)
        elif link == "journal":
            self._journal(message, now)
        elif isinstance(message, ControlRequest):
            self._control(peer, message, now)

    def followed(self, block: bytes, now: Instant) -> None:
        """The journal's stream."""
        self._apply(self._follower.received(block), now)

    def log_read(self, records: Sequence[Record], now: Instant) -> None:
        """The journal's past."""
        self._apply(self._follower.log_read(records, now), now)

    def undelivered(self, send: Send, now: Instant) -> None:
        """A full queue is a refusal (risk), a client to be told again at its next hello, or a question asked later."""
        if send.link == "entry":
            self.clients.lost(send.peer)
        elif send.link == "risk":
            self._not_taken(send.message, now)

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        times = [self._appender.next_deadline_ns(), self._follower.next_deadline_ns()]
        if self._appender.granted and not self._away:
            times.append(self._heard_boot_ns + SILENCE_NS)
            if self._live:
                times.append(self._next_step_ns())
        if self._stopping_boot_ns is not None:
            times.append(self._stopping_boot_ns + STOP_NS)
        return min((time for time in times if time is not None), default=None)

    def _next_step_ns(self) -> int | None:
        """When a cancel, a question or a gate is due; never at once again, whatever holds up what is due."""
        times = [self.wishes.next_ns(), *self._gate_boot_ns.values(), *self._orphan_boot_ns.values()]
        times += [inquiries.next_ns() for inquiries in self._inquiries.values()]
        due = min((time for time in times if time is not None), default=None)
        return None if due is None else max(due, self._stepped_boot_ns + STEP_NS)

    def timer(self, now: Instant) -> None:
        """Whatever is due."""
        self._appender.timer(now)
        self._follower.timer(now)
        self._check_away(now)
        if self._live:
            self._step(now)
        if self._stopping_boot_ns is not None:
            self._check_stopped(now)

    def turn_ended(self, now: Instant) -> None:
        """Send the turn's appends."""
        self._appender.turn_ended(now)

    def stop(self, now: Instant) -> None:
        """Cancel what rests at venues that want it so, see it gone, and exit; within STOP_NS in any case."""
        if self._stopping_boot_ns is not None:
            return
        self._stopping_boot_ns = now.boot_ns
        for venue, settings in self._settings.venues.items():
            if settings.cancel_on_stop:
                for order in self.books.open_orders(venue):
                    self._wish(order, ("", 0), now)
        self._check_stopped(now)

    def status(self, now: Instant) -> dict[str, object]:
        """What `fixring status` shows."""
        return {
            "state": self._state(),
            "epoch": self._appender.epoch,
            "lsn": self.books.lsn,
            "open_orders": self.books.open_count(),
            "unknown_orders": sum(o.is_unknown for orders in self.books.open.values() for o in orders.values()),
            "in_flight": len(self._in_flight),
            "wishes": len(self.wishes),
            "clients": len(self.clients),
            "discrepancies": self.books.discrepancies,
            "undecodable": self.fold.undecodable,
            "hash_mismatches": self._hash_mismatches,
            "venues": {
                name: {
                    "session": venue.state.value,
                    "connection": venue.connection,
                    "opened": venue.opened_connection == venue.connection and venue.state is SessionState.OPENED,
                    "doubts": self._inquiries[name].doubts() if name in self._inquiries else 0,
                    "auditing": name in self._inquiries and self._inquiries[name].round_is_on,
                }
                for name, venue in self.books.venues.items()
            },
            "counts": dict(self._counts),
        }

    # ---- the journal ----

    def _journal(self, message: msgspec.Struct, now: Instant) -> None:
        granted = self._appender.granted
        try:
            self._appender.received(message, now)
        except Superseded as error:
            self.effects.append(Exit(1, str(error)))
            return
        grant = self._appender.grant
        if grant is not None and not granted:
            if self._index.covered_lsn >= grant.lsn:
                # It was written beside another log: nothing that it has can stand for a record of this one.
                self._index.covered_lsn, self._index.complete = 0, False
            self._events_from = self.clients.complete_from = max(self.books.lsn, grant.lsn - REPLAYED_EVENTS)
            self._follower.read_to(grant.lsn)
            self.note("info", "epoch", epoch=grant.epoch, lsn=grant.lsn)

    def _apply(self, records: Sequence[Record], now: Instant) -> None:
        if not records:
            return
        self._heard_boot_ns = now.boot_ns
        apply, grant, events_from = self.fold.apply, self._appender.grant, self._events_from
        for record in records:
            changes = apply(record)
            if record.lsn > events_from and changes:
                self._tell(record, changes, now)
            if record.lsn % HASH_EVERY == 0:
                self._digests[record.lsn] = self.books.digest()
                self._append_hash(record.lsn, now)
            if record.kind == Kind.STATE_HASH:
                self._check_hash(record)
        if self._away:
            self._away = False
            self.clients.tell_all(StatusChanged(self._state(), 0, self._appender.epoch))
        if not self._live and grant is not None and self.books.lsn >= grant.lsn:
            if self.books.stamp_ns > grant.stamp_ns + MAX_TIME_TO_LIVE_NS:
                self._go_live(now)
        elif self._moved:
            self._moved = False
            self._step(now)
        if self._accepting:
            self._accept_carried()
        self._index.flush(self.books.lsn)
        if self._stopping_boot_ns is not None:
            self._check_stopped(now)

    def _order_forgotten(self, order: Order) -> None:
        if self.books.lsn > self._index.covered_lsn:
            self._index.put_order(self._shown(order), order.ids)

    def _command_forgotten(self, strategy: str, number: int, remembered: Remembered) -> None:
        if self.books.lsn > self._index.covered_lsn:
            self._index.put_command(strategy, number, remembered)

    def _append_hash(self, lsn: int, now: Instant) -> None:
        for old in [at for at in self._digests if at <= lsn - 16 * HASH_EVERY]:
            del self._digests[old]
        if self._live:
            self._append(Kind.STATE_HASH, StateHash(self.name, lsn, self._digests[lsn]), now)

    def _check_hash(self, record: Record) -> None:
        told = _decode_hash(record.payload)
        ours = self._digests.get(told.at_lsn)
        if told.actor == self.name and ours is not None and ours != told.digest:
            self._hash_mismatches += 1
            self.note("error", "state_differs", at_lsn=told.at_lsn, ours=ours.hex(), logged=told.digest.hex())

    def _append(self, kind: Kind, payload: msgspec.Struct, now: Instant) -> None:
        self._appender.append(kind, payload, now)

    def _check_away(self, now: Instant) -> None:
        silent = now.boot_ns - self._heard_boot_ns >= SILENCE_NS
        if self._appender.granted and not self._away and (silent or self._appender.away(now)):
            self._away = True
            self._appender.question(now)
            self.clients.tell_all(StatusChanged("journal_away", 0, self._appender.epoch))

    def _go_live(self, now: Instant) -> None:
        self._live = True
        self.note("info", "live", lsn=self.books.lsn)
        first_number = self._appender.epoch << 24
        for name, settings in self._settings.venues.items():
            self._inquiries[name] = VenueInquiries(
                name, settings.ways, self.books, self._ask, self._query, first_number
            )
            venue = self.books.venue(name)
            if venue.state is SessionState.CAUGHT_UP:
                self._inquiries[name].caught_up(venue.connection)
            for order in self.books.open_orders(name):
                if order.is_unknown or misses_fills(order):
                    self._inquiries[name].doubt(order, now.boot_ns)
                if order.wish_number:
                    self._wish(order, (order.wish_strategy, order.wish_number), now)
            self._watch_orphans(name, now)
        for order_name in self.books.closed:
            order = self.books.orders[order_name]
            if misses_fills(order) and order.venue in self._inquiries:
                self._inquiries[order.venue].doubt(order, now.boot_ns)
        self.clients.tell_all(StatusChanged("live", 0, self._appender.epoch))
        early, self._early_cancels = self._early_cancels, {}
        for requests in early.values():
            for strategy, request in requests:
                self._cancel(strategy, request, now)
        self._step(now)

    # ---- what a record changed ----

    def _tell(self, record: Record, changes: list[Change], now: Instant) -> None:
        for index, change in enumerate(changes):
            match change:
                case OrderChanged():
                    self._order_changed(record, index, change, now)
                case CommandDecided():
                    self._decided(record, index, change)
                case Unnamed():
                    self._late_report(record, index, change)
                case PositionMoved():
                    position = self.books.positions[change.venue, change.symbol]
                    self.clients.tell_all(position_event(position, record.lsn, index, change.strategy))
                case AttemptSent():
                    self._attempt_sent(change.attempt, now)
                case AttemptEnded():
                    self._attempt_ended(change, now)
                case AttemptExpired():
                    self._attempt_expired(record, index, change.attempt, now)
                case _:
                    if self._live:
                        self._moved = True
                        self._venue_moved(change, now)

    def _order_changed(self, record: Record, index: int, change: OrderChanged, now: Instant) -> None:
        order = change.order
        self.clients.emit(order.strategy, order_event(order, change, record.lsn, index, record.stamp_ns))
        if not self._live:
            return
        name = (order.strategy, order.number)
        inquiries = self._inquiries.get(order.venue)
        if order.is_closed:
            self.wishes.end(name)
            self._wish_commands.pop(name, None)
            if inquiries is not None and not misses_fills(order):
                inquiries.settled(name)
        if inquiries is not None and (order.is_unknown or misses_fills(order)):
            inquiries.doubt(order, now.boot_ns)

    def _late_report(self, record: Record, index: int, change: Unnamed) -> None:
        """A report on an order that has left memory: its strategy hears of the fill, which the position has counted."""
        report = change.report
        name = self._index.name_of(report.cl_ord_id) or self._index.name_of(report.orig_cl_ord_id)
        former = None if name is None else self._index.order(*name)
        if former is None or not change.filled:
            return
        busted = report.exec_type == "H"
        event = msgspec.structs.replace(
            former, lsn=record.lsn, index=index, event="trade_cancel" if busted else "trade", last_qty=report.last_qty,
            last_px=report.last_px, fee_qty=report.fee_qty, fee_asset=report.fee_asset, trade_key=report.trade_key,
            cum_qty=former.cum_qty if busted else former.cum_qty + report.last_qty, maker=report.maker,
            text="told after the order had left memory", stamp_ns=record.stamp_ns,
        )  # fmt: skip
        self._index.put_order(event, [report.cl_ord_id])
        self.clients.emit(former.strategy, event)

    def _decided(self, record: Record, index: int, change: CommandDecided) -> None:
        self._undecided.pop((change.strategy, change.number), None)
        if (change.strategy, change.number) in self._accepting:
            # One cancel of many was sent; the command is answered when the log holds them all.
            return
        outcome = CommandOutcome(
            record.lsn, index, change.strategy, change.number, change.outcome, change.reason, change.text
        )
        self.clients.emit(change.strategy, outcome)

    def _attempt_sent(self, attempt: Attempt, now: Instant) -> None:
        self._cancelling.pop(attempt, None)
        flight = self._land(attempt)
        if flight is None or not flight.cancel_wishes or not isinstance(flight.command, NewOrder):
            return
        order = self.books.orders.get((flight.command.strategy, flight.command.number))
        if order is not None:
            for wish in flight.cancel_wishes:
                self._wish(order, wish, now)

    def _attempt_ended(self, change: AttemptEnded, now: Instant) -> None:
        flight = self._land(change.attempt)
        if flight is not None:
            self._refuse_wishes(flight, now)
        target = self._cancelling.pop(change.attempt, None)
        if target is not None:
            self.wishes.retry(target, now.boot_ns)
        for inquiries in self._inquiries.values():
            inquiries.query_failed(change.attempt, for_good=change.reason is Reason.VENUE_REJECTED)

    def _attempt_expired(self, record: Record, index: int, attempt: Attempt, now: Instant) -> None:
        flight = self._land(attempt)
        if flight is None:
            return
        command = flight.command
        self._counts["expired"] += 1
        self._expire(command.strategy, command.number, attempt, command.deadline_ns, now)
        self._refuse_wishes(flight, now)

    def _expire(self, strategy: str, number: int, attempt: Attempt, deadline_ns: int, now: Instant) -> None:
        """Nothing in the log bears the number: it is told when a record does, so that no later life takes it as new."""
        self._undecided[strategy, number] = None
        self._append(Kind.EXPIRED, Expired(strategy, number, attempt, deadline_ns), now)

    def _refuse_wishes(self, flight: InFlight, now: Instant) -> None:
        """Cancels that waited for an order which never was."""
        for strategy, number in flight.cancel_wishes:
            if not number:
                continue
            request = CancelRequest(self._appender.epoch, number, flight.command.number, flight.command.strategy)
            self._refuse(strategy, request, Reason.ORDER_CLOSED, "the order was never sent", now)

    def _land(self, attempt: Attempt) -> InFlight | None:
        """The log has decided the attempt."""
        flight = self._in_flight.pop(attempt, None)
        if flight is None:
            return None
        command = flight.command
        self._in_flight_names.pop((command.strategy, command.number), None)
        if isinstance(command, AmendOrder):
            self._amending.pop((command.target_strategy, command.target_number), None)
        return flight

    def _venue_moved(self, change: Change, now: Instant) -> None:
        match change:
            case SessionMoved(venue):
                self._session_moved(venue, now)
            case CancelRefused(order, unknown_order):
                name = (order.strategy, order.number)
                self.wishes.retry(name, now.boot_ns)
                if unknown_order and order.venue in self._inquiries and not order.is_closed:
                    self._inquiries[order.venue].doubt(order, now.boot_ns)
            case Inquired(order, settled):
                inquiries = self._inquiries.get(order.venue)
                if inquiries is not None:
                    inquiries.told(order, settled)
                    if order.is_unknown or misses_fills(order):
                        inquiries.doubt(order, now.boot_ns)
                    elif settled:
                        inquiries.settled((order.strategy, order.number))
            case Answered(answer):
                if answer.venue in self._inquiries:
                    self._inquiries[answer.venue].answered(answer)
            case Differs(venue, subject, ours, theirs, action):
                self._append(Kind.DISCREPANCY, Discrepancy(venue, subject, ours, theirs, self.books.lsn, action), now)
                self.note("warning", "discrepancy", venue=venue, subject=subject, ours=ours, theirs=theirs)

    def _session_moved(self, name: str, now: Instant) -> None:
        inquiries = self._inquiries.get(name)
        if inquiries is None:
            return
        venue = self.books.venue(name)
        if venue.state is SessionState.CAUGHT_UP and inquiries.connection != venue.connection:
            inquiries.caught_up(venue.connection)
        elif venue.state is SessionState.OPENED:
            inquiries.opened()
            self._gate_boot_ns.pop(name, None)
        elif not venue.logged_on:
            inquiries.connection_ended()
            self._gate_boot_ns.pop(name, None)
        if venue.state is SessionState.CAUGHT_UP:
            for order in self.books.open_orders(name):
                order_name = (order.strategy, order.number)
                if order_name in self.wishes:
                    self.wishes.hasten(order_name, now.boot_ns)
        self._watch_orphans(name, now)

    # ---- strategies ----

    def _entry(self, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        if isinstance(message, QueryRequest):
            self.clients.reply(peer, self._answer_query(message))
            return
        if not self._appender.granted:
            return
        if isinstance(message, Hello):
            self._hello(peer, message)
            return
        assert isinstance(message, NewOrderRequest | AmendRequest | CancelRequest | CancelAllRequest)
        strategy = self.clients.strategy_of(peer)
        if self.clients.is_superseded(peer):
            self.clients.reply(peer, StatusChanged("superseded", message.number, self._appender.epoch))
        elif not strategy or message.epoch != self._appender.epoch:
            # It was meant for a former life, or comes from somebody who must say hello first.
            self._counts["stale_epoch"] += 1
            self.clients.reply(peer, StatusChanged(self._state(), message.number, self._appender.epoch))
        else:
            self._request(strategy, message, now)

    def _hello(self, peer: bytes, hello: Hello) -> None:
        """Grant the name; then what was missed, or the open orders as they are; and all positions in any case."""
        lsn = self.books.lsn
        welcome = Welcome(
            hello.strategy, hello.instance, self._appender.epoch, self._highest_of(hello.strategy), self._state(), lsn
        )
        if not self.clients.hello(peer, hello, welcome):
            for order in [o for venue in self.books.open for o in self.books.open_orders(venue)]:
                if order.strategy == hello.strategy:
                    self.clients.reply(peer, self._shown(order))
        for position in self.books.positions.values():
            self.clients.reply(peer, position_event(position, lsn, AFTER_ALL_EVENTS, ""))

    def _highest_of(self, strategy: str) -> int:
        return max(self._highest.get(strategy, 0), self.books.names.highest.get(strategy, 0))

    def _request(self, strategy: str, request: ClientRequest, now: Instant) -> None:
        if request.number <= self._highest_of(strategy):
            self._repeat(strategy, request, now)
            return
        adds_risk = isinstance(request, NewOrderRequest | AmendRequest)
        if not self._live or (adds_risk and self._away):
            self._later(strategy, request, now)
            return
        self._highest[strategy] = request.number
        if self._stopping_boot_ns is not None and adds_risk:
            self._refuse(strategy, request, Reason.SHUTDOWN, "the order manager is stopping", now)
            return
        match request:
            case NewOrderRequest():
                self._new(strategy, request, now)
            case AmendRequest():
                self._amend(strategy, request, now)
            case CancelRequest():
                self._cancel(strategy, request, now)
            case CancelAllRequest():
                self._cancel_all(strategy, request, now)

    def _later(self, strategy: str, request: ClientRequest, now: Instant) -> None:
        """No outcome can be given yet: a status. A cancel is kept; what adds risk is the strategy's to repeat."""
        if isinstance(request, CancelRequest):
            target = (request.target_strategy or strategy, request.target_number)
            self._early_cancels.setdefault(target, [])
            if (strategy, request) not in self._early_cancels[target]:
                self._early_cancels[target].append((strategy, request))
        self.clients.tell(strategy, StatusChanged(self._state(), request.number, self._appender.epoch))

    def _repeat(self, strategy: str, request: ClientRequest, now: Instant) -> None:
        """A number heard before: answered from memory, if the body is the same, once the log has decided."""
        name = (strategy, request.number)
        if name in self._in_flight_names or name in self._undecided:
            return
        known = self.books.names.get(*name) or self._index.command(*name)
        if known is None and not self._live:
            # What a former life sent under this number may still come.
            self._later(strategy, request, now)
            return
        if known is None and isinstance(request, CancelRequest):
            self._cancel(strategy, request, now)
            return
        if isinstance(request, CancelAllRequest) and (
            known is None or same_request(request_identity(request), known.identity)
        ):
            # The log may hold some of the cancels that it became and not all: wish them again, and count.
            self._cancel_all(strategy, request, now)
            return
        if known is None and not self._index.complete:
            reason = Reason.DUPLICATE_NAME
            outcome = CommandOutcome(
                self.books.lsn, 0, strategy, request.number, "refused", reason, reason.sentence, True
            )
        elif known is None:
            self._expire(strategy, request.number, Attempt(0, 0), 0, now)
            return
        elif same_request(request_identity(request), known.identity):
            outcome = CommandOutcome(
                known.lsn, 0, strategy, request.number, known.outcome, known.reason, known.text, True
            )
        else:
            reason = Reason.NAME_REUSED
            outcome = CommandOutcome(
                self.books.lsn, 0, strategy, request.number, "refused", reason, reason.sentence, True
            )
        self.clients.tell(strategy, outcome)

    def _new(self, strategy: str, request: NewOrderRequest, now: Instant) -> None:
        if len(self._in_flight) >= MAX_IN_FLIGHT or self._appender.full:
            self._refuse(strategy, request, Reason.QUEUE_FULL, f"{MAX_IN_FLIGHT} commands are in flight", now)
            return
        if self._appender.low_disk:
            self._refuse(strategy, request, Reason.LOW_DISK, "", now)
            return
        attempt = self._next_attempt()
        command = NewOrder(
            attempt, strategy, request.number, request.venue, request.symbol, request.side, request.ord_type,
            request.order_qty, request.price, request.time_in_force, request.post_only, cl_ord_id_of(attempt),
            self._deadline_ns(request.time_to_live_ns), request.label,
        )  # fmt: skip
        self._fly(command)

    def _amend(self, strategy: str, request: AmendRequest, now: Instant) -> None:
        target = (request.target_strategy or strategy, request.target_number)
        order = self.books.orders.get(target)
        reason, text = self._why_not_amend(order, target, request)
        if reason is not Reason.NONE or order is None:
            self._refuse(strategy, request, reason, text, now)
            return
        attempt = self._next_attempt()
        leg = order.leg
        # The terms are those of the venue's order: what earlier legs have filled is no part of it.
        before = order.cum_qty - leg.cum_qty
        order_qty = leg.order_qty if request.order_qty is None else request.order_qty - before
        price = leg.price if request.price is None else request.price
        command = AmendOrder(
            attempt, strategy, request.number, order.venue, order.symbol, order.side, order.ord_type, order_qty,
            price, order.time_in_force, order.post_only, cl_ord_id_of(attempt), leg.cl_ord_id, leg.order_id, *target,
            leg.order_qty, leg.price, leg.cum_qty, self._deadline_ns(request.time_to_live_ns),
        )  # fmt: skip
        self._amending[target] = attempt
        self._fly(command)

    def _why_not_amend(self, order: Order | None, target: OrderName, request: AmendRequest) -> tuple[Reason, str]:
        if order is None:
            if target in self._in_flight_names:
                return Reason.REQUEST_PENDING, "the order itself is not sent yet"
            return Reason.UNKNOWN_ORDER, ""
        if order.is_closed:
            return Reason.ORDER_CLOSED, f"the order is {order.status.value}"
        if target in self._amending or order.requests:
            return Reason.REQUEST_PENDING, ""
        if target in self.wishes:
            return Reason.NOT_AMENDABLE, "the order is being cancelled"
        if order.is_unknown or not order.leg.word or order.ord_type == "1":
            return Reason.NOT_AMENDABLE, f"the order is {order.status.value}"
        if request.order_qty is not None and request.order_qty <= order.cum_qty:
            return Reason.BAD_QUANTITY, f"{order.cum_qty} is filled already"
        same_qty = request.order_qty is None or request.order_qty == order.order_qty
        if same_qty and (request.price is None or request.price == order.leg.price):
            return Reason.NOT_AMENDABLE, "the amendment changes nothing"
        if len(self._in_flight) >= MAX_IN_FLIGHT or self._appender.full:
            return Reason.QUEUE_FULL, f"{MAX_IN_FLIGHT} commands are in flight"
        return (Reason.LOW_DISK, "") if self._appender.low_disk else (Reason.NONE, "")

    def _cancel(self, strategy: str, request: CancelRequest, now: Instant) -> None:
        target = (request.target_strategy or strategy, request.target_number)
        self._highest[strategy] = max(request.number, self._highest.get(strategy, 0))
        order = self.books.orders.get(target)
        if order is not None and not order.is_closed:
            if self._wish_commands.get(target, (strategy, request.number)) != (strategy, request.number):
                self._accepting[strategy, request.number] = [target]
            self._wish(order, (strategy, request.number), now)
            self._accept_carried()
            return
        flying = self._in_flight_names.get(target)
        if flying is not None and isinstance(self._in_flight[flying].command, NewOrder):
            wishes = self._in_flight[flying].cancel_wishes
            if (strategy, request.number) not in wishes:
                wishes.append((strategy, request.number))
            return
        if order is not None:
            self._refuse(strategy, request, Reason.ORDER_CLOSED, f"the order is {order.status.value}", now)
        elif (self.books.names.get(*target) or self._index.command(*target)) is not None:
            self._refuse(strategy, request, Reason.ORDER_CLOSED, "the order was closed before", now)
        else:
            self._refuse(strategy, request, Reason.UNKNOWN_ORDER, "", now)

    def _cancel_all(self, strategy: str, request: CancelAllRequest, now: Instant) -> None:
        wanted = request.target_strategy or strategy
        command = (strategy, request.number)
        self._highest[strategy] = max(request.number, self._highest.get(strategy, 0))
        targets: list[OrderName] = []
        for venue in self.books.open:
            for order in self.books.open_orders(venue) if request.venue in ("", venue) else ():
                if wanted in ("*", order.strategy) and request.symbol in ("", order.symbol):
                    targets.append((order.strategy, order.number))
                    self._wish(order, command, now)
        for flight in self._in_flight.values():
            c = flight.command
            wanted_too = isinstance(c, NewOrder) and wanted in ("*", c.strategy)
            if wanted_too and request.venue in ("", c.venue) and request.symbol in ("", c.symbol):
                # Without a number: the command is answered as accepted, and hears no more of it.
                targets.append((c.strategy, c.number))
                flight.cancel_wishes.append(("", 0))
        self._accepting[command] = targets
        self._accept_carried()

    def _accept_carried(self) -> None:
        """Answer the commands whose every wish the log holds, so that no restart forgets one that was accepted.

        What comes of a wish is told by its order's own events.
        """
        for command, targets in list(self._accepting.items()):
            left = [target for target in targets if not self._is_carried(target)]
            if left:
                self._accepting[command] = left
                continue
            del self._accepting[command]
            strategy, number = command
            self.clients.tell(strategy, CommandOutcome(self.books.lsn, 0, strategy, number, "accepted"))

    def _is_carried(self, target: OrderName) -> bool:
        order = self.books.orders.get(target)
        if order is None:
            return target not in self._in_flight_names
        return order.is_closed or order.wish_number > 0

    def _refuse(self, strategy: str, request: ClientRequest, reason: Reason, text: str, now: Instant) -> None:
        """The request goes no further; it is told when the record is read back."""
        text = text or reason.sentence
        self._undecided[strategy, request.number] = None
        self._append(Kind.REFUSED, Refused(self.name, reason, text, strategy, request.number, None, None, request), now)
        self._counts["refused"] += 1

    def _fly(self, command: NewOrder | AmendOrder) -> None:
        self._in_flight[command.attempt] = InFlight(command)
        self._in_flight_names[command.strategy, command.number] = command.attempt
        self.fold.outcomes.expect(command.attempt, command.deadline_ns)
        self.effects.append(Send("risk", command))

    def _not_taken(self, message: msgspec.Struct, now: Instant) -> None:
        """Risk's queue is full or risk is not there."""
        if isinstance(message, NewOrder | AmendOrder):
            sentence = Reason.QUEUE_FULL.sentence
            refused = Refused(
                self.name, Reason.QUEUE_FULL, sentence, message.strategy, message.number, message.attempt, message
            )
            self._append(Kind.REFUSED, refused, now)
        elif isinstance(message, CancelOrder):
            target = self._cancelling.pop(message.attempt, None)
            if target is not None:
                self.wishes.retry(target, now.boot_ns)
                self._keep_wish(message, Reason.QUEUE_FULL, now)
        elif isinstance(message, QueryOrder) and message.venue in self._inquiries:
            self._inquiries[message.venue].query_failed(message.attempt, for_good=False)

    def _next_attempt(self) -> Attempt:
        self._counter += 1
        return Attempt(self._appender.epoch, self._counter)

    def _deadline_ns(self, time_to_live_ns: int) -> int:
        heard_ns = max(self.books.stamp_ns, self._appender.last_stamp_ns)
        return heard_ns + max(1, min(time_to_live_ns, self._settings.time_to_live_ns))

    # ---- wishes and questions ----

    def _wish(self, order: Order, command: OrderName, now: Instant) -> None:
        name = (order.strategy, order.number)
        self._wish_commands.setdefault(name, command if command[1] else name)
        self.wishes.wish(name, now.boot_ns)
        if self._live:
            self._send_cancels(now)

    def _send_cancels(self, now: Instant) -> None:
        if self._away:
            return
        for name in self.wishes.due(now.boot_ns):
            order = self.books.orders.get(name)
            if order is None or order.is_closed:
                self.wishes.end(name)
            elif not self.books.venue(order.venue).logged_on:
                self._keep_wish(self._cancel_of(order), Reason.NOT_CONNECTED, now)
            elif not self._cancel_under_way(order):
                command = self._cancel_of(order)
                self._cancelling[command.attempt] = name
                self.effects.append(Send("risk", command))

    def _keep_wish(self, command: CancelOrder, reason: Reason, now: Instant) -> None:
        """A cancel that cannot be sent now is logged as refused, once: the wish is in the log then, and stays."""
        order = self.books.orders.get((command.target_strategy, command.target_number))
        if order is not None and not order.wish_number and not self._appender.full:
            refused = Refused(
                self.name, reason, reason.sentence, command.strategy, command.number, command.attempt, command
            )
            self._append(Kind.REFUSED, refused, now)

    def _cancel_under_way(self, order: Order) -> bool:
        """A cancel is at the venue, on a connection that lives: its answer will come."""
        return any(r.kind is RequestKind.CANCEL and not r.unknown for r in order.requests.values())

    def _cancel_of(self, order: Order) -> CancelOrder:
        """A new attempt to cancel the order, in the name of the command that first wished it."""
        attempt, leg = self._next_attempt(), order.leg
        strategy, number = self._wish_commands.get((order.strategy, order.number), (order.strategy, order.number))
        return CancelOrder(
            attempt, strategy, number, order.venue, order.symbol, order.side, cl_ord_id_of(attempt), leg.cl_ord_id,
            leg.order_id, order.strategy, order.number, leg.order_qty,
        )  # fmt: skip

    def _step(self, now: Instant) -> None:
        """Send the cancels and questions that are due, and open what may be opened."""
        if self._away:
            return
        self._stepped_boot_ns = now.boot_ns
        self._send_cancels(now)
        for name, inquiries in self._inquiries.items():
            venue = self.books.venue(name)
            inquiries.step(now.boot_ns, logged_on=venue.logged_on)
            if inquiries.gate_may_open and venue.state is SessionState.CAUGHT_UP:
                self._open_gate(name, inquiries.connection, now)
            else:
                self._gate_boot_ns.pop(name, None)
            if name in self._orphan_boot_ns:
                self._check_orphans(name, now)

    def _open_gate(self, venue: str, connection: int, now: Instant) -> None:
        if now.boot_ns >= self._gate_boot_ns.get(venue, 0):
            self._gate_boot_ns[venue] = now.boot_ns + GATE_REPEAT_NS
            self.effects.append(Send("risk", OpenGate(venue, connection, self._appender.epoch)))

    def _ask(self, ask: Ask) -> None:
        self.effects.append(Send(f"account.{ask.venue}", ask))

    def _query(self, order: Order) -> Attempt:
        attempt, leg = self._next_attempt(), order.leg
        query = QueryOrder(
            attempt, order.venue, order.symbol, order.side, leg.cl_ord_id, leg.order_id, self.books.lsn,
            self.books.stamp_ns,
        )  # fmt: skip
        self.effects.append(Send("risk", query))
        return attempt

    def _watch_orphans(self, name: str, now: Instant) -> None:
        """A session that stays away has its orders cancelled over REST."""
        settings, venue = self._settings.venues[name], self.books.venue(name)
        if not settings.orphan_ns or not settings.ways.has_rest or venue.logged_on:
            self._orphan_boot_ns.pop(name, None)
        elif name not in self._orphan_boot_ns:
            away_ns = max(0, self.books.stamp_ns - venue.down_ns)
            self._orphan_boot_ns[name] = now.boot_ns + max(0, settings.orphan_ns - away_ns)

    def _check_orphans(self, name: str, now: Instant) -> None:
        if now.boot_ns < self._orphan_boot_ns[name]:
            return
        self._orphan_boot_ns[name] = now.boot_ns + ORPHAN_REPEAT_NS
        orders = self.books.open_orders(name)
        for symbol in dict.fromkeys(order.symbol for order in orders):
            self.note("warning", "orphans", venue=name, symbol=symbol, orders=len(orders))
            self._ask(Ask(name, 0, "cancel_all", symbol, asked_lsn=self.books.lsn))
        for order in orders:
            self._inquiries[name].doubt(order, now.boot_ns)

    # ---- the end ----

    def _check_stopped(self, now: Instant) -> None:
        started = self._stopping_boot_ns
        if started is None:
            return
        resting = [
            order
            for venue, settings in self._settings.venues.items()
            if settings.cancel_on_stop
            for order in self.books.open_orders(venue)
        ]
        late = now.boot_ns - started >= STOP_NS
        if not late and (resting or self._in_flight) and self._live:
            return
        self._stopping_boot_ns = None
        self._index.write(self.books.lsn)
        if resting:
            self.note("warning", "left_open", orders=[f"{order.strategy}/{order.number}" for order in resting])
        self.effects.append(Exit(0, f"stopped; {len(resting)} orders that were to be cancelled are left"))

    # ---- what can be said ----

    def _state(self) -> str:
        if self._stopping_boot_ns is not None:
            return "stopping"
        if not self._appender.granted:
            return "starting"
        if self._away:
            return "journal_away"
        return "live" if self._live else "restarting"

    def _answer_query(self, query: QueryRequest) -> QueryAnswer:
        """A read-only question, answered from the books as they are."""
        books = self.books
        orders: list[OrderEvent] = []
        positions: list[PositionChanged] = []
        detail: dict[str, object] = {"state": self._state()}
        if query.what == "orders":
            orders = [self._shown(o) for venue in books.open for o in books.open_orders(venue) if _matches(query, o)]
            detail["external"] = [
                {"venue": e.venue, "symbol": e.order.symbol, "order_id": e.order.order_id, "side": e.order.side,
                 "order_qty": str(e.order.order_qty), "price": str(e.order.price), "cl_ord_id": e.order.cl_ord_id}
                for e in books.externals.values()
            ]  # fmt: skip
        elif query.what == "order":
            name = (query.strategy, query.number)
            order = books.orders.get(name)
            shown = self._index.order(*name) if order is None else self._shown(order)
            orders = [] if shown is None else [shown]
            known = books.names.get(*name) or self._index.command(*name)
            if known is not None:
                detail["command"] = {
                    "outcome": known.outcome, "reason": known.reason, "text": known.text, "lsn": known.lsn,
                }  # fmt: skip
        elif query.what == "positions":
            positions = [
                position_event(p, books.lsn, 0, "") for p in books.positions.values() if query.venue in ("", p.venue)
            ]
        elif query.what in ("accounts", "reconcile"):
            detail["venues"] = {
                name: {
                    "session": venue.state.value,
                    "balances": {asset: [str(free), str(locked)] for asset, free, locked in venue.balances},
                    "balances_lsn": venue.balances_lsn,
                    "last_trade_keys": venue.last_trade_keys,
                }
                for name, venue in books.venues.items()
                if query.venue in ("", name)
            }
            if query.what == "reconcile":
                orders = [self._shown(o) for v in books.open for o in books.open_orders(v) if _matches(query, o)]
                positions = [position_event(p, books.lsn, 0, "") for p in books.positions.values()]
        return QueryAnswer(query.token, books.lsn, tuple(orders), tuple(positions), orjson.dumps(detail))

    def _shown(self, order: Order) -> OrderEvent:
        return order_event(order, OrderChanged(order, "snapshot"), self.books.lsn, 0, self.books.stamp_ns)

    def _control(self, peer: bytes, request: ControlRequest, now: Instant) -> None:
        """An operator's word: `verdict` closes an order that nothing else can settle; `balances` and `audit` ask."""
        try:
            arguments = orjson.loads(request.arguments)
            text = self._act(request, arguments, now)
            answer = ControlAnswer(request.token, True, text)
        except (KeyError, ValueError, TypeError, ArithmeticError) as error:
            answer = ControlAnswer(request.token, False, f"{request.act}: {error!r}")
        self.effects.append(Send("control", answer, peer))

    def _act(self, request: ControlRequest, arguments: dict[str, str], now: Instant) -> str:
        if not self._live:
            raise ValueError(f"orders is {self._state()}; try again when it is live")
        if request.act == "verdict":
            order = self.books.orders[arguments["strategy"], int(arguments["number"])]
            cum_qty = Decimal(arguments.get("cum_qty", str(order.cum_qty)))
            verdict = Verdict(
                order.strategy, order.number, arguments["ord_status"], cum_qty, request.by, arguments.get("text", "")
            )
            self._append(Kind.VERDICT, verdict, now)
            return f"verdict on {order.strategy}/{order.number} goes into the journal"
        if request.act == "audit":
            for inquiries in self._inquiries.values():
                inquiries.audit()
            self._step(now)
            return "whatever is open is asked about"
        if request.act == "balances":
            self._ask(Ask(arguments["venue"], 0, "balances", asked_lsn=self.books.lsn))
            return "asked"
        raise ValueError("orders knows verdict, balances and audit")


def _matches(query: QueryRequest, order: Order) -> bool:
    return query.strategy in ("", order.strategy) and query.venue in ("", order.venue)


_decode_hash = msgspec.msgpack.Decoder(StateHash).decode
