"""The invariants, each with a name and a sentence, held against the disk and the exchanges' own logs.

Checked at every effect that leaves a process and at every record that becomes durable; what can be said only of a
system at rest is checked by `quiet.py`.
"""

from collections import Counter, defaultdict, deque
from decimal import Decimal
from typing import NamedTuple

import msgspec

from common.actor.core import Publish, Send, Write
from common.config import Config
from common.fix.wire import Framer, pairs, parse_utc_timestamp, split
from common.instant import NS_PER_MS
from common.journal.frames import EPOCH, Record, parse
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    SIDE_BUY,
    AmendOrder,
    Appended,
    Attempt,
    CancelAll,
    CancelOrder,
    CommandOutcome,
    EpochGranted,
    FeedMessage,
    FilledByHand,
    LostOrder,
    NewOrder,
    NewOrderRequest,
    OpenGate,
    OperatorAct,
    OrderEvent,
    OrderStatus,
    Outbound,
    Payload,
    RateRefused,
    Reason,
    Refused,
    SessionChanged,
    SessionState,
    TopOfBook,
    Welcome,
    WelcomeComplete,
    Withdrawn,
    is_lost_number,
    lost_number,
)
from common.orders.fold import WRITER
from common.strategy.entry import Entry
from common.venues.registry import find_profile
from scripts.simulation import setting
from scripts.simulation.asked_terms import AskedTerms
from scripts.simulation.feed_view import FeedView
from scripts.simulation.invariants import Violation
from scripts.simulation.log_view import LogView, is_dead, why_not_absent
from scripts.simulation.network import TcpStream
from scripts.simulation.plan import OLDER_CODE
from scripts.simulation.process import Process
from scripts.simulation.requests_view import RequestsView
from scripts.simulation.trader import Trader
from scripts.simulation.truth import TrueOrder
from scripts.simulation.watch_view import WatchView
from scripts.simulation.witness import Witness
from services.orders.core import OrdersCore
from services.risk.core import RiskCore
from services.risk.exposure import ExposureSums

_COMMANDS = frozenset({b"D", b"E", b"F", b"G", b"XCN", b"XAK", b"XAR"})
_ADDS_RISK = frozenset({b"D", b"E", b"G", b"XCN", b"XAR"})
_ABSENT = frozenset({Reason.NOT_FOUND, Reason.NOT_RECEIVED})
ANSWERING = frozenset({"generic", "binance", "kraken"})
"""The venues that answer a request by its name: Deribit tells the order's state alone, and Bybit may tell the end of an
order before its cancel's."""

_RECORDED_ACTS = frozenset({"halt", "unhalt", "logon", "logout", "reset", "set_seq", "baseline"})
"""The acts whose every confirmation has a record of its own."""

_feed_message = msgspec.msgpack.Decoder(FeedMessage)
_payload = msgspec.msgpack.Decoder(Payload)
# Outcomes that answer the misuse of a number say nothing of the command that first bore it.
_MISUSE = frozenset(
    {Reason.NAME_REUSED, Reason.DUPLICATE_NAME, Reason.STALE_EPOCH, Reason.SUPERSEDED, Reason.OUT_OF_BOUNDS}
)


class Logged(NamedTuple):
    """A number's record: where it is, and what it may do. `order` counts what was learned, of the log and of files."""

    order: int
    lsn: int
    stamp_ns: int
    payload: Outbound


class Ended(NamedTuple):
    """A withdrawal of a number. After one in an emergency file the numbering goes on from there."""

    order: int
    lsn: int
    emergency: bool


class Told(NamedTuple):
    """What a strategy was told of a command."""

    outcome: str
    lsn: int


Name = tuple[str, int]
Booked = tuple[dict[tuple[str, str], tuple[Decimal, Decimal | None]], dict[int, tuple[OrderStatus, Decimal]]]
"""Positions by venue and symbol with the strategy's part of each, and its open orders by number: their status and
CumQty(14)."""


class Checkers:
    """Sees everything that leaves a process; raises `Violation`."""

    def __init__(self, config: Config = setting.CONFIG) -> None:
        """`config` is the stack's."""
        self._config = config
        self.witness: Witness
        self.told: dict[Name, list[Told]] = defaultdict(list)
        self.outbound_lsns: dict[Name, int] = {}
        self.cancel_lsns: dict[Name, int] = {}
        self.late_names: set[Name] = set()
        self.refused: dict[Name, int] = {}
        self.withdrawn_names: set[Name] = set()
        self.closed_names: dict[tuple[str, str], OrderEvent] = {}
        self.true_orders: dict[tuple[str, str], TrueOrder] = {}
        self.latched: set[str] = set()
        self.left_out: tuple[str, str] | None = None
        self.orders_accepted = 0
        self.connections: dict[str, SessionChanged] = {}
        self.met: set[str] = set()
        """The venues that were reached once: what is owned there before is the baseline, which nobody tells."""
        profiles = {name: find_profile(venue.dialect) for name, venue in config.venues.items()}
        self.log = LogView({venue: profile.window_ns for venue, profile in profiles.items()})
        self.asked_terms = AskedTerms(config)
        self.watch = WatchView({})
        self.requests = RequestsView(ANSWERING.intersection(config.venues))
        self._risk: Process | None = None
        self._limits = setting.position_limits(config)
        self._strange: dict[tuple[str, str], Decimal] = {}
        self._streams: dict[tuple[str, int], TcpStream] = {}
        self._former_streams: dict[tuple[str, int], TcpStream] = {}
        self._generations: dict[tuple[str, int], int] = {}
        self._highest: dict[tuple[str, int], int] = {}
        self._logged: dict[tuple[str, bytes], Logged] = {}
        self._withdrawn: dict[tuple[str, int, int], Ended] = {}
        self._learned = 0
        self._acts_logged: Counter[tuple[str, str]] = Counter()
        self._acts_confirmed: Counter[tuple[str, str]] = Counter()
        self._told_fills: dict[Name, dict[tuple[int, int], Decimal]] = defaultdict(dict)
        self._halted: frozenset[int] = frozenset()
        self._told_cum: dict[Name, tuple[int, Decimal]] = {}
        self.filled_by_hand: set[Name] = set()
        self._gates_sent: set[tuple[str, int]] = set()
        self._names: dict[Attempt, tuple[Name, ...]] = {}
        """Whatever left in the message of an attempt."""

        self._sent_stamps: dict[Name, int] = {}
        self._cancel_all_stamps: dict[Name, int] = {}
        self.sent_ns: dict[tuple[str, str], int] = {}
        self.last_sent_ns: dict[str, int] = {}
        self.legs: dict[Name, list[tuple[str, str]]] = defaultdict(list)
        self._leg_names: dict[tuple[str, str], Name] = {}
        self._sent_numbers: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._told_numbers: dict[tuple[str, int, int], set[int]] = defaultdict(set)
        self._framers: dict[tuple[str, int, int], Framer] = {}
        self._feeds: dict[str, dict[tuple[int, int], FeedView]] = {}
        self._reached: set[tuple[str, bytes]] = set()
        self._left: dict[tuple[str, int], deque[int]] = defaultdict(deque)
        self.mass_cancels: dict[str, int] = defaultdict(int)
        self._epoch_stamps: dict[str, int] = {}
        self._lives_of_orders: dict[int, int] = {}
        """The record that begins each epoch of orders, in the order of the log."""
        self._used: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._booked: dict[tuple[str, int, int], Booked] = {}
        self._last_stamp_ns = 0
        self._numbers: dict[str, tuple[int, int]] = {}

    # ---- the log

    def learned(self, record: Record) -> None:
        """A record of the journal has become durable."""
        if record.stamp_ns < self._last_stamp_ns:
            raise Violation("log-is-final", f"record {record.lsn} is stamped earlier than the one before")
        self._last_stamp_ns = record.stamp_ns
        self._follow_writer(record)
        if record.kind == EPOCH:
            self._epoch_stamps[record.writer] = record.stamp_ns
            if record.writer == WRITER:
                self._lives_of_orders[record.writer_epoch] = record.lsn
        elif record.kind >= 16 and record.writer != OLDER_CODE:
            payload = _payload.decode(record.payload)
            self._fold(record, payload)
            self.log.fold(record, payload)
            self.requests.fold(record, payload)

    def learned_emergency(self, record: Record) -> None:
        """A frame of an emergency file has become durable."""
        if record.kind >= 16:
            self._fold(record, _payload.decode(record.payload))

    def check_confirmed(self, actor: str, act: str) -> None:
        """A person was told that it is done."""
        if act in _RECORDED_ACTS:
            self._acts_confirmed[actor, act] += 1
            if self._acts_confirmed[actor, act] > self._acts_logged[actor, act]:
                raise Violation("confirmed-is-logged", f"{actor} has confirmed {act}, and the log has no record of it")

    def _follow_writer(self, record: Record) -> None:
        epoch, number = self._numbers.get(record.writer, (0, 0))
        is_next = (record.writer_epoch, record.append_number) == (epoch, number + 1)
        if not is_next and not (record.writer_epoch > epoch and record.kind == EPOCH):
            raise Violation(
                "log-is-final",
                f"record {record.lsn} is append {record.append_number} of {record.writer}'s epoch "
                f"{record.writer_epoch}, after {number} of {epoch}",
            )
        self._numbers[record.writer] = (record.writer_epoch, record.append_number)

    def _fold(self, record: Record, payload: msgspec.Struct) -> None:
        self._learned += 1
        match payload:
            case Outbound():
                key = payload.session, without_secrets(payload.raw)
                self._logged[key] = Logged(self._learned, record.lsn, record.stamp_ns, payload)
                self._fold_command(record, payload)
            case Withdrawn():
                number = (payload.session, payload.generation, payload.msg_seq_num)
                former = self._withdrawn.get(number)
                if payload.emergency or former is None or not former.emergency:
                    # What the journal had not confirmed when the file began may become durable behind it.
                    self._withdrawn[number] = Ended(self._learned, record.lsn, payload.emergency)
                if payload.attempt is not None:
                    self.withdrawn_names.update(self._names.get(payload.attempt, ()))
            case Refused():
                self.refused.setdefault((payload.strategy, payload.number), record.lsn)
            case RateRefused():
                for each in payload.attempts:
                    self.refused.setdefault((payload.strategy, each.number), record.lsn)
            case SessionChanged():
                self.connections[payload.session] = payload
                if payload.state is SessionState.CAUGHT_UP:
                    self.met.add(payload.session)
            case FilledByHand():
                self.filled_by_hand.add((payload.strategy, payload.number))
            case OperatorAct():
                self._acts_logged[payload.actor, payload.act] += 1
            case LostOrder():
                self._fold_lost(record, payload)
            case CancelAll():
                if payload.left_open:
                    self.refused.setdefault((payload.strategy, payload.number), record.lsn)
                self._cancel_all_stamps.setdefault((payload.strategy, payload.number), record.stamp_ns)

    def _fold_command(self, record: Record, payload: Outbound) -> None:
        command = payload.command
        if isinstance(command, CancelOrder):
            self._check_older(command)
            self.cancel_lsns.setdefault((command.strategy, command.number), record.lsn)
        if isinstance(command, NewOrder):
            for order in command.orders:
                self._fold_opening(record, payload, order)
            self._names[command.attempt] = tuple((order.strategy, order.number) for order in command.orders)
        elif isinstance(command, AmendOrder):
            self._fold_opening(record, payload, command)

    def _fold_opening(self, record: Record, payload: Outbound, command: NewOrder | AmendOrder) -> None:
        """A new order, each of a list by itself, or an amendment."""
        name = (command.strategy, command.number)
        self._names[command.attempt] = (name,)
        self._sent_stamps.setdefault(name, record.stamp_ns)
        target = (command.target_strategy, command.target_number) if isinstance(command, AmendOrder) else name
        self.legs[target].append((payload.session, command.cl_ord_id))
        if isinstance(command, NewOrder):
            self._leg_names[payload.session, command.cl_ord_id] = name
        sent_ns = _sending_ns(payload.raw)
        self.sent_ns[payload.session, command.cl_ord_id] = sent_ns
        self.last_sent_ns[payload.session] = max(sent_ns, self.last_sent_ns.get(payload.session, 0))
        if command.decision is None:
            raise Violation("through-risk", f"record {record.lsn}: {name} was sent without a decision")
        if record.stamp_ns <= command.deadline_ns:
            self.outbound_lsns.setdefault(name, record.lsn)
            used = self._used[command.strategy]
            if not used or used[-1][1] < command.number:
                used.append((record.lsn, command.number))
        else:
            self.late_names.add(name)

    def _fold_lost(self, record: Record, lost: LostOrder) -> None:
        """An order of the lost end of a log is ours from here on, under every name that it had there."""
        command, session = lost.sent.command, lost.sent.session
        for number, each in enumerate(command.orders if isinstance(command, NewOrder) else (), lost_number(record.lsn)):
            names = [each.cl_ord_id]
            for amendment in lost.amendments:
                its = amendment.command
                if isinstance(its, AmendOrder) and its.orig_cl_ord_id in names:
                    names.append(its.cl_ord_id)
            self.legs[each.strategy, number] += [(session, name) for name in names]
            self.sent_ns.update({(session, name): lost.sent_ns for name in names})

    def _check_older(self, cancel: CancelOrder) -> None:
        """A command to cancel many is known by its record; what was under way then is in the log within a life."""
        command, target = (cancel.strategy, cancel.number), (cancel.target_strategy, cancel.target_number)
        is_own = cancel.strategy == cancel.target_strategy
        over_ns = self._cancel_all_stamps.get(command, 1 << 63) + MAX_TIME_TO_LIVE_NS
        is_later = is_own and target > command and not is_lost_number(cancel.target_number)
        if is_later or self._sent_stamps.get(target, 0) > over_ns:
            raise Violation("cancel-is-older", f"{command} cancels {target}")

    # ---- what leaves a process

    def published(self, process: Process, effect: Publish) -> None:
        """A PUB socket is given data."""
        if process.name == "journal" and effect.link == "stream":
            last = parse(effect.data)[-1].lsn
            if last > self.witness.last_lsn:
                raise Violation("ack-is-durable", f"record {last} is published, {self.witness.last_lsn} are durable")
        elif effect.link == "feed":
            message = _feed_message.decode(effect.data)
            if isinstance(message, TopOfBook):
                views = list(self._feeds.get(process.name, {}).values())
                told = next((view for view in reversed(views) if view.tells_of(message.symbol)), None)
                # What was asked for over REST has no connection whose bytes tell it.
                if told is not None or views:
                    (told or views[-1]).check(message)

    def turn_begins(self, process: Process) -> None:
        """What halts a process at the beginning of a turn halts it for as long as nobody has accepted it."""
        core = process.core
        if isinstance(core, RiskCore):
            self._risk = process
        if isinstance(core, OrdersCore):
            self._halted = frozenset(core.books.left_out.unaccepted)

    def _check_left_out(self, core: OrdersCore, command: NewOrder | AmendOrder) -> None:
        halted = self._halted.intersection(core.books.left_out.unaccepted)
        if halted:
            raise Violation("left-out-halts", f"{command.cl_ord_id} is sent, and records {sorted(halted)} are left out")

    def sending(self, process: Process, effect: Send) -> None:
        """A message is given to a socket."""
        message = effect.message
        match process.name:
            case "journal":
                if isinstance(message, Appended | EpochGranted) and message.lsn > self.witness.last_lsn:
                    raise Violation(
                        "ack-is-durable", f"{message} is sent, {self.witness.last_lsn} records are durable"
                    )
            case name if name.startswith("strategy@"):
                if isinstance(process.core, Trader):
                    self.watch.said(process.core.strategy, message, process.world.scheduler.now_ns)
                if isinstance(message, NewOrderRequest):
                    self.asked_terms.asked(process.core, message)
            case "orders" | "risk":
                if isinstance(message, NewOrder | AmendOrder):
                    self._check_wait(process.name, message)
                    if isinstance(process.core, RiskCore):
                        for order in message.orders if isinstance(message, NewOrder) else (message,):
                            _check_reserved(process.core, order)
                        self._check_outside_counted(process.core, message)
                    elif isinstance(process.core, OrdersCore):
                        self._check_left_out(process.core, message)
                elif isinstance(message, OpenGate) and process.name == "orders":
                    self._check_gate(message)
                elif isinstance(message, CancelOrder) and process.name == "orders":
                    if (message.target_strategy, message.target_number) not in self.asked_terms.taken_otherwise:
                        self.watch.cancelled(message, process.world.scheduler.now_ns)
                elif isinstance(message, CommandOutcome):
                    self._check_outcome(message)
                elif isinstance(message, OrderEvent):
                    self._check_event(message)
                elif isinstance(message, Welcome):
                    self._check_welcome(message)
                elif isinstance(message, WelcomeComplete) and isinstance(process.core, OrdersCore):
                    self._note_books(effect.peer.decode(), message, process.core)

    def _check_welcome(self, welcome: Welcome) -> None:
        """It is as of its own life's epoch record or later, of no later life's, and knows every number by then.

        The log may have a later epoch that this life has yet to read of: a dead life asked for it, and a journal that
        stood still granted it behind this one's. It ends this life when it is read, and nothing is whole after it.
        """
        begun = [lsn for lsn in self._lives_of_orders.values() if lsn <= welcome.lsn]
        if not begun or self._lives_of_orders.get(welcome.epoch) != begun[-1]:
            raise Violation("welcome-is-whole", f"{welcome}, the epochs are {self._lives_of_orders}")
        used = [number for lsn, number in self._used[welcome.strategy] if lsn <= welcome.lsn]
        if used and welcome.highest < used[-1]:
            raise Violation("welcome-is-whole", f"{welcome}, {used[-1]} is in the log")

    def _note_books(self, peer: str, complete: WelcomeComplete, orders: OrdersCore) -> None:
        """What the books held as of the record that the client `peer` is told its welcome is complete by."""
        books = orders.books
        if books.lsn != complete.lsn:
            # Said first, then more of the log was read in the same turn.
            folded = setting.folded_orders(self._config, bounds=books.bounds)
            for found in self.witness.records[: complete.lsn]:
                folded.apply(found.record)
            books = folded.books
        strategy = peer.partition("@")[2]
        positions: dict[tuple[str, str], tuple[Decimal, Decimal | None]] = {
            place: (held.quantity, books.share((strategy, *place))) for place, held in books.positions.items()
        }
        open_orders = {
            order.number: (order.status, order.cum_qty)
            for venue in books.open
            for order in books.open_orders(venue)
            if order.strategy == strategy
        }
        self._booked[peer, complete.lsn, complete.index] = (positions, open_orders)

    def check_told(self, name: str, entry: Entry, complete: WelcomeComplete) -> None:
        """A client of the SDK has taken the end of a welcome: it knows what the books held. Raises Violation."""
        booked = self._booked.pop((name, complete.lsn, complete.index))
        if (complete.lsn, complete.index) < entry.last or entry.has_missed:
            # A former life of orders said so late, or what was lost on the way is asked for.
            return
        positions = {place: (held.quantity, held.own_quantity) for place, held in entry.positions.items()}
        open_orders = {order.number: (order.status, order.cum_qty) for order in entry.orders.values()}
        if (positions, open_orders) != booked:
            raise Violation("told-is-booked", f"{name} at {complete}: {(positions, open_orders)}, the books: {booked}")

    def check_news(self, name: str, began_lsn: int, fill: OrderEvent) -> None:
        """A client of the SDK is told a fill: it is none that it began with. Raises Violation."""
        if fill.lsn <= began_lsn:
            raise Violation("told-is-booked", f"{name} began at record {began_lsn} and is told {fill} as news")

    def is_logged(self, venue: str, cl_ord_id: str) -> bool:
        """Whether the durable log holds the message of that order."""
        return (venue, cl_ord_id) in self.sent_ns

    def _check_outside_counted(self, risk: RiskCore, command: NewOrder | AmendOrder) -> None:
        """What is held where the configuration knows nothing of it counts against the limit of the order's symbol."""
        if self.left_out is None or not isinstance(command, NewOrder):
            return
        place = (command.venue, command.symbol)
        folded, soft = (exposure.firm for exposure in (risk.state.exposure, risk.in_flight.exposure))
        venue, symbol = self.left_out
        for side in sorted({order.side for order in command.orders}):
            worst = _may_be_held(side, folded.get(place, ExposureSums()), soft.get(place, ExposureSums()))
            for (its_venue, its_symbol), sums in folded.items():
                if its_venue == venue and its_symbol == command.symbol and symbol in ("", its_symbol):
                    worst += max(Decimal(0), _may_be_held(side, sums, ExposureSums()))
            if worst > self._limits[place]:
                raise Violation("outside-counted", f"{command} is passed on, and {worst} may be held at worst")

    def _check_wait(self, actor: str, command: NewOrder | AmendOrder) -> None:
        over_ns = self._epoch_stamps.get(actor, 0) + MAX_TIME_TO_LIVE_NS
        if self._last_stamp_ns <= over_ns:
            raise Violation(
                "wait-after-restart",
                f"{actor} sends {command.cl_ord_id} {(over_ns - self._last_stamp_ns) / 1e6:.1f} ms too early",
            )

    def _check_outcome(self, message: CommandOutcome) -> None:
        if message.lsn > self.witness.last_lsn:
            raise Violation("told-after-journal", f"{message}, with {self.witness.last_lsn} records durable")
        if message.outcome == "accepted" or message.reason in _MISUSE:
            return
        name = (message.strategy, message.number)
        told = self.told[name]
        for former in told:
            first, then = (former, message) if former.lsn <= message.lsn else (message, former)
            if first.outcome != then.outcome and (first.outcome, then.outcome) != ("sent", "withdrawn"):
                raise Violation("one-outcome", f"{name} was told {former}, and now {message}")
        told.append(Told(message.outcome, message.lsn))
        match message.outcome:
            case "sent" if name not in self.outbound_lsns:
                if name in self.late_names:
                    raise Violation("one-outcome", f"{name} is told sent, and its record is void")
                if name not in self.cancel_lsns:
                    raise Violation("outcome-is-logged", f"{message} is told, no record sent it")
            case "refused" if name not in self.refused:
                raise Violation("outcome-is-logged", f"{message} is told, no record refused it")
        match message.outcome:
            case "expired" | "refused" if name in self.outbound_lsns and name not in self.withdrawn_names:
                raise Violation("one-outcome", f"{name} is told {message}, record {self.outbound_lsns[name]} sent it")
            case "withdrawn" if name not in self.withdrawn_names:
                raise Violation("one-outcome", f"{name} is told withdrawn, no record says so")

    def _check_gate(self, message: OpenGate) -> None:
        self._gates_sent.add((message.venue, message.connection))
        unheard = self.log.unheard(message.venue, message.connection)
        if unheard is None:
            raise Violation("gate-reconciled", f"{message} is sent, and that connection has not caught up")
        # A fill that REST told may have closed an order without a word on the order itself.
        unheard = [name for name in unheard if self._is_open(name)]
        if unheard:
            raise Violation("gate-reconciled", f"{message} is sent, and nothing was heard since of {unheard[:5]}")

    def _is_open(self, name: Name) -> bool:
        """Whether the order is open at its exchange, or may have got there."""
        true_orders = [self.true_orders[leg] for leg in self.legs[name] if leg in self.true_orders]
        return not true_orders or any(order.open for order in true_orders)

    def _check_absent(self, event: OrderEvent) -> None:
        """An order is told void since the venue never had it: is the record that says so any evidence?"""
        key = next(iter(self.legs[event.strategy, event.number]))
        sent = self.log.sent.get(key)
        why_not = why_not_absent(
            self.log, key, _payload.decode(self.witness.records[event.lsn - 1].record.payload),
            reached=(f"exchange@{key[0]}", key[1].encode()) in self._reached,
            dead=sent is None or is_dead(self._stream_of(event, (key[0], sent.connection))),
            accepted=key in self.true_orders,
        )  # fmt: skip
        if why_not:
            raise Violation("evidence-only", f"{event} is told, and {why_not}")

    def _stream_of(self, event: OrderEvent, carried_by: tuple[str, int]) -> TcpStream | None:
        """The connection that carried the order: of one that was lost, another host's of that number."""
        return (self._former_streams if is_lost_number(event.number) else self._streams).get(carried_by)

    def _check_event(self, event: OrderEvent) -> None:
        if event.lsn > self.witness.last_lsn:
            raise Violation("told-after-journal", f"{event}, with {self.witness.last_lsn} records durable")
        name = (event.strategy, event.number)
        if event.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED) and self.requests.waits(name, event.lsn):
            raise Violation("request-waits", f"{event} is told, and a request about it waits")
        if event.event == "settled" and event.reason in _ABSENT and event.status is OrderStatus.VOID:
            self._check_absent(event)
        legs = self.legs[event.strategy, event.number]
        true_orders = {self.true_orders[leg].order_id: self.true_orders[leg] for leg in legs if leg in self.true_orders}
        if not event.open:
            still = [order.cl_ord_ids for order in true_orders.values() if order.open]
            if still:
                raise Violation("closed-is-closed", f"{event} is told, and {still} is open at {event.venue}")
            self.closed_names.update(dict.fromkeys(legs, event))
        lsn, told_qty = self._told_cum.get((event.strategy, event.number), (0, Decimal(0)))
        if event.lsn >= lsn:
            if event.cum_qty < told_qty - sum((order.taken_back for order in true_orders.values()), Decimal(0)):
                raise Violation("cum-qty-rises", f"{event} is told, after a CumQty(14) of {told_qty}")
            self._told_cum[event.strategy, event.number] = (event.lsn, event.cum_qty)
        filled = sum((order.cum_qty + order.taken_back for order in true_orders.values()), Decimal(0))
        if event.last_qty:
            self._told_fills[name][event.lsn, event.index] = event.last_qty
        if max(event.cum_qty, sum(self._told_fills[name].values(), Decimal(0))) > filled:
            raise Violation("no-phantom-fill", f"{event} is told, {filled} was filled at {event.venue} so far")

    def writing(self, process: Process, effect: Write) -> None:
        """Bytes are given to a TCP connection."""
        if process.name.startswith("session@"):
            venue = process.name.partition("@")[2]
            stream = process.streams.get(effect.connection)
            if stream is not None:
                self._streams[venue, effect.connection] = stream
                self._check_rate(venue, effect, process.clock.read().boot_ns)
            self._session_writes(venue, effect)

    def _check_rate(self, venue: str, effect: Write, boot_ns: int) -> None:
        self.mass_cancels[venue] += b"\x0135=q\x01" in effect.data
        limits, left = self._config.venues[venue].fix.limits, self._left[venue, effect.connection]
        left.append(boot_ns)
        while left[0] <= boot_ns - limits.window_ms * NS_PER_MS:
            left.popleft()
        if len(left) > limits.messages:
            raise Violation("within-rate", f"{venue}: {len(left)} messages in {limits.window_ms} ms")

    def _session_writes(self, venue: str, effect: Write) -> None:
        fields = split(effect.data)
        msg_type, number = fields[b"35"], int(fields[b"34"])
        if fields.get(b"43") == b"Y":
            if msg_type in _ADDS_RISK:
                raise Violation("no-risk-resent", f"{venue}: {effect.data!r}")
            self._check_resent(venue, effect, max(number, int(fields.get(b"36", b"0")) - 1))
            return
        logged = self._logged.get((venue, without_secrets(effect.data)))
        if logged is None:
            raise Violation("journal-first", f"{venue}: {effect.data!r} is in no durable record")
        payload = logged.payload
        if payload.connection != effect.connection:
            raise Violation(
                "own-connection", f"{venue}: record {logged.lsn} of connection {payload.connection} leaves on "
                f"{effect.connection}"
            )  # fmt: skip
        self._check_not_void(venue, logged)
        numbers = self._sent_numbers[venue, payload.generation]
        if number in numbers:
            raise Violation("no-number-twice", f"{venue}: number {number} of generation {payload.generation} again")
        numbers.add(number)
        self._generations[venue, effect.connection] = payload.generation
        self._highest[venue, payload.generation] = max(number, self._highest.get((venue, payload.generation), 0))

    def _check_resent(self, venue: str, effect: Write, last: int) -> None:
        """Up to `last` numbers are said again: every one of them was written, or given up for good, before."""
        generation = self._generations.get((venue, effect.connection), 0)
        highest = self._highest.get((venue, generation), 0)
        if last > highest:
            raise Violation("resent-is-released", f"{venue}: {effect.data!r} leaves, {highest} was the last written")

    def _check_not_void(self, venue: str, logged: Logged) -> None:
        payload, command = logged.payload, logged.payload.command
        if isinstance(command, NewOrder | AmendOrder):
            if logged.stamp_ns > command.deadline_ns:
                raise Violation("no-void-out", f"{venue}: record {logged.lsn} is void and leaves")
            if venue in self.latched:
                raise Violation("no-new-under-latch", f"{venue}: record {logged.lsn} leaves under the latch")
            if (venue, payload.connection) not in self._gates_sent:
                raise Violation("gate-first", f"{venue}: record {logged.lsn} leaves on {payload.connection}")
        withdrawn = self._withdrawn.get((venue, payload.generation, payload.msg_seq_num))
        if withdrawn is None or payload.filler or (withdrawn.emergency and logged.order > withdrawn.order):
            return
        raise Violation("no-void-out", f"{venue}: record {logged.lsn} leaves, record {withdrawn.lsn} withdrew it")

    def reading(self, process: Process, connection: int, data: bytes) -> None:
        """Bytes reach a core over TCP."""
        if process.name.startswith("marketdata@"):
            self._read_feed(process, connection, data)
        if not process.name.startswith("exchange@"):
            return
        key = (process.name, process.life, connection)
        framer = self._framers.get(key)
        if framer is None:
            framer = self._framers[key] = Framer()
        for raw in framer.feed(data):
            fields = split(raw)
            if fields.get(b"35") in _COMMANDS and fields.get(b"43") != b"Y":
                commands = {(process.name, name) for name in _request_names(raw, fields)}
                if not commands.isdisjoint(self._reached):
                    raise Violation("once-at-exchange", f"{raw!r} reached {process.name} a second time")
                self._reached |= commands

    def _read_feed(self, process: Process, connection: int, data: bytes) -> None:
        """A connection's first bytes make those before of no account; what one has told whose end the venue announces
        stays until its successor tells better."""
        views, key = self._feeds.get(process.name, {}), (process.life, connection)
        if key not in views:
            kept = {other: view for other, view in views.items() if view.ends and other[0] == process.life}
            views = self._feeds[process.name] = {**kept, key: FeedView(process.name.partition("@")[2])}
        views[key].read(data)

    def logged(self, venue: str, message: bytes) -> Logged:
        """The number's record, durable in the log or in an emergency file, of that message without its secrets."""
        return self._logged[venue, message]

    def take_over_from(self, former: "Checkers", base_lsn: int) -> None:
        """Another host goes on with the log, behind the record `base_lsn`: what was told up to there and what has
        reached the exchanges is what the former one's knew; the log this one has read itself."""
        self.true_orders, self.asked_terms, self.watch = former.true_orders, former.asked_terms, former.watch
        self._reached, self._framers, self._strange = former._reached, former._framers, former._strange
        self.orders_accepted, self.mass_cancels = former.orders_accepted, former.mass_cancels
        self._booked = former._booked
        self.closed_names.update(former.closed_names)
        self._streams.update(former._streams)
        self._former_streams = {**former._streams, **former._former_streams}
        self._generations.update(former._generations)
        self._highest.update(former._highest)
        for name, told in former.told.items():
            self.told[name] = [each for each in told if each.lsn <= base_lsn]
        for name, fills in former._told_fills.items():
            self._told_fills[name] = {event: qty for event, qty in fills.items() if event[0] <= base_lsn}
        self._told_cum.update({name: told for name, told in former._told_cum.items() if told[0] <= base_lsn})

    # ---- what happens at an exchange

    def accepted(self, venue: str, order: TrueOrder) -> None:
        """See `truth.Watcher`."""
        self.orders_accepted += 1
        key = (venue, order.cl_ord_ids[0])
        self.asked_terms.check_accepted(venue, order, self._leg_names.get(key))
        if key in self.true_orders:
            raise Violation("once-at-exchange", f"{key} was accepted twice")
        told = self.closed_names.get(key)
        if told is not None:
            raise Violation("closed-is-closed", f"{told} was told, and now {venue} has accepted it")
        self.true_orders[key] = order

    def met_stranger(self, venue: str, symbol: str, qty: Decimal) -> None:
        """See `truth.Watcher`."""
        self._strange[venue, symbol] = self._strange.get((venue, symbol), Decimal(0)) + qty

    def renamed(self, venue: str, order: TrueOrder) -> None:
        """An order goes by a new ClOrdID from now on."""
        self.true_orders[venue, order.cl_ord_ids[-1]] = order

    def exposed(self, venue: str, symbol: str, longest: Decimal, shortest: Decimal) -> None:
        """See `truth.Watcher`."""
        # What somebody else does on the account is nobody's to bound: we hear of it when it is done.
        limit = self._limits.get((venue, symbol))
        if limit is not None:
            limit += self._strange.get((venue, symbol), Decimal(0))
        if limit is not None and (longest > limit or shortest < -limit):
            raise Violation("exposure", f"{venue} {symbol}: {shortest} to {longest}, the limit is {limit}")
        risk = None if self._risk is None else self._risk.core
        if isinstance(risk, RiskCore) and risk.live:
            self._check_worst(risk, (venue, symbol), longest, shortest)

    def _check_worst(self, risk: RiskCore, place: tuple[str, str], longest: Decimal, shortest: Decimal) -> None:
        """What risk counts at worst, in flight included, is never less than what the exchange may come to."""
        exposures = (risk.state.exposure, risk.in_flight.exposure)
        folded, flying = (each.firm.get(place, ExposureSums()) for each in exposures)
        strange = self._strange.get(place, Decimal(0))
        most = folded.position + folded.buy + flying.buy + strange
        least = folded.position - folded.sell - flying.sell - strange - self._untold_fees(place)
        if longest > most or shortest < least:
            there = f"{shortest} to {longest} there"
            raise Violation("risk-at-worst", f"{place}: {least} to {most} with us, {there}, {strange} of strangers'")

    def _untold_fees(self, place: tuple[str, str]) -> Decimal:
        """What was bought is less by its fee, which no CumQty(14) tells: who books a fill by hand books none, and it
        counts from when the trade is told."""
        keys = (key for name in self.filled_by_hand for key in self.legs[name] if key[0] == place[0])
        orders = {order.order_id: order for order in map(self.true_orders.get, keys) if order is not None}
        return sum((each.base_fees for each in orders.values() if each.symbol == place[1]), Decimal(0))


def _check_reserved(risk: RiskCore, command: NewOrder | AmendOrder) -> None:
    """Risk is about to pass a command on: what it may add must be among what is counted in flight."""
    held = risk.in_flight.find(command.cl_ord_id)
    if held is None:
        if risk.state.books.stamp_ns <= command.deadline_ns:
            raise Violation("risk-reserves", f"{command} is passed on, and nothing is reserved")
        return
    sums = risk.in_flight.exposure.firm.get((command.venue, command.symbol), ExposureSums())
    if (sums.buy if command.side == SIDE_BUY else sums.sell) < held.added_qty:
        raise Violation("risk-reserves", f"{command} is passed on, and {held} is not counted")


def _request_names(raw: bytes, fields: dict[bytes, bytes]) -> list[bytes]:
    """What names a request and no other, of a list each of its orders. Binance's amendment in place, and what Deribit
    is asked of an order of which it has told no name, bear the order's own ClOrdID(11); Bybit's have ReqId(30006)."""
    if fields[b"35"] == b"E":
        return [value for tag, value in pairs(raw) if tag == b"11"]
    bears_order_s = fields[b"35"] == b"XAK" or (fields[b"56"] == b"DERIBITSERVER" and fields[b"35"] in (b"F", b"G"))
    return [raw if bears_order_s else fields.get(b"30006") or fields.get(b"11", b"")]


def _sending_ns(raw: bytes) -> int:
    """SendingTime(52), from which a venue counts its window."""
    return parse_utc_timestamp(split(raw)[b"52"])


def without_secrets(raw: bytes) -> bytes:
    """What names a message in log and wire alike: a Logon(A) is logged without what opens the venue's door."""
    fields = split(raw)
    if fields[b"35"] != b"A":
        return raw
    return b"\x01".join(value for tag, value in fields.items() if tag not in (b"10", b"96", b"553", b"554", b"925"))


def _may_be_held(side: str, here: ExposureSums, flying: ExposureSums) -> Decimal:
    """How much may be held at worst on that side, long or short; reduce-only orders come to what is held against
    them."""
    if side == SIDE_BUY:
        held, buys, reducing = here.position, here.buy + flying.buy, here.reduce_buy + flying.reduce_buy
    else:
        held, buys, reducing = -here.position, here.sell + flying.sell, here.reduce_sell + flying.reduce_sell
    return held + buys - max(Decimal(0), reducing - max(Decimal(0), -held))
