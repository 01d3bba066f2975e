"""The checks of a system at rest: journal, the exchanges' own logs, the load's book and the order manager, together.

The journal and the exchanges' logs are read from the disk, incrementally, and folded here once more, by nothing that
the actors themselves decide with. Every difference is a sentence.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import msgspec

from common.fix.wire import split
from common.journal.files import OsFiles
from common.journal.frames import EPOCH, Record
from common.journal.reader import Reader
from common.messages import (
    AmendOrder,
    Inbound,
    NewOrder,
    OrderStatus,
    Outbound,
    Payload,
    RateRefused,
    Refused,
    Withdrawn,
)
from scripts.simulation.truth import TrueOrder, Truth
from scripts.torture.book import MISUSE, NEW, Told

ACCOUNT = "desk"
FOREVER = (1 << 64) - 1
STATUS_OF = {"2": OrderStatus.FILLED, "4": OrderStatus.CANCELED, "C": OrderStatus.EXPIRED, "8": OrderStatus.REJECTED}
"""OrdStatus(39) of a closed order in words."""

_payload = msgspec.msgpack.Decoder(Payload)
Name = tuple[str, int]


class Tail:
    """Reads a log on from where it was left."""

    def __init__(self, folder: Path) -> None:
        """Begins at the first record."""
        self.next_lsn = 1
        self._reader = Reader(folder, OsFiles())

    def new(self) -> Iterator[Record]:
        """The records since the last call."""
        while records := self._reader.read(self.next_lsn, FOREVER):
            self.next_lsn = records[-1].lsn + 1
            yield from records


@dataclass(slots=True)
class Logged:
    """What the journal holds of one command that adds risk, by LSN. `leg_ids` are the ClOrdIDs that the order went by:
    its own and those of its amendments, which some venues take as new orders.
    """

    venue: str
    sent_lsn: int = 0
    void_lsn: int = 0
    withdrawn_lsn: int = 0
    refused_lsn: int = 0
    leg_ids: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """What is decided first is final, but for a withdrawal of what was sent; "" where the command has expired."""
        if self.sent_lsn:
            return "withdrawn" if self.withdrawn_lsn else "sent"
        if self.refused_lsn and not 0 < self.void_lsn < self.refused_lsn:
            return "refused"
        return ""


@dataclass(slots=True)
class Numbers:
    """The numbers of one session's generation as the journal has them."""

    outbound: set[int] = field(default_factory=set)
    inbound: dict[int, int] = field(default_factory=dict)


class JournalAudit:
    """The journal's side. Commands are forgotten by `settle`; numbers and writers stay."""

    def __init__(self, folder: Path) -> None:
        """Reads `folder` from the first record on."""
        self.records = 0
        self.outbound = 0
        self.differences: list[str] = []
        self.complaints: list[str] = []
        """Logouts of ours over a number that the venue used twice: right when it was told to, else a difference."""
        self.commands: dict[Name, Logged] = {}
        self.sent_ids: dict[tuple[str, str], int] = {}
        self.emergency: Counter[str] = Counter()
        """Records that were handed over from emergency files, by session."""

        self._tail = Tail(folder)
        self._by_number: dict[tuple[str, int, int], Name] = {}
        self._numbers: dict[tuple[str, int], Numbers] = defaultdict(Numbers)
        self._writers: dict[str, tuple[int, int]] = {}
        self._stamp_ns = 0

    def read(self) -> None:
        """Fold what is new. Raises the reader's errors."""
        for record in self._tail.new():
            self.records += 1
            self._place(record)
            if record.kind >= 16:
                self._fold(record, _payload.decode(record.payload))

    def settle(self) -> None:
        """Forget the commands so far; call it at rest, after the comparison."""
        self.commands.clear()
        self._by_number.clear()

    def _place(self, record: Record) -> None:
        """Stamps never decrease, and a writer's numbers succeed each other."""
        if record.stamp_ns < self._stamp_ns:
            self.differences.append(f"record {record.lsn} is stamped earlier than the one before it")
        self._stamp_ns = record.stamp_ns
        epoch, number = self._writers.get(record.writer, (0, 0))
        is_next = (record.writer_epoch, record.append_number) == (epoch, number + 1)
        if not is_next and not (record.kind == EPOCH and record.writer_epoch > epoch):
            self.differences.append(
                f"record {record.lsn} is append {record.append_number} of {record.writer}'s epoch "
                f"{record.writer_epoch}, after {number} of {epoch}"
            )
        self._writers[record.writer] = (record.writer_epoch, record.append_number)

    def _fold(self, record: Record, payload: msgspec.Struct) -> None:
        if isinstance(payload, Outbound | Inbound | Withdrawn) and payload.emergency:
            self.emergency[payload.session] += 1
        match payload:
            case Outbound():
                self._outbound(record, payload)
            case Inbound():
                self._inbound(record, payload)
            case Withdrawn():
                if payload.emergency:
                    # The session alone numbers on from the first number that had not left.
                    self._numbers[payload.session, payload.generation].outbound.discard(payload.msg_seq_num)
                name = self._by_number.get((payload.session, payload.generation, payload.msg_seq_num))
                if name is not None:
                    self.commands[name].withdrawn_lsn = record.lsn
            case RateRefused():
                for each in payload.attempts:
                    logged = self.commands.setdefault((payload.strategy, each.number), Logged(""))
                    if record.stamp_ns <= each.deadline_ns:
                        logged.refused_lsn = logged.refused_lsn or record.lsn
            case Refused(number=number, command=command) if number and payload.reason not in MISUSE:
                is_late = isinstance(command, NewOrder | AmendOrder) and record.stamp_ns > command.deadline_ns
                logged = self.commands.setdefault((payload.strategy, number), Logged(""))
                if not is_late:
                    logged.refused_lsn = logged.refused_lsn or record.lsn

    def _outbound(self, record: Record, payload: Outbound) -> None:
        self.outbound += 1
        numbers = self._numbers[payload.session, payload.generation].outbound
        if payload.msg_seq_num in numbers and not payload.filler and not payload.emergency:
            self.differences.append(
                f"record {record.lsn}: {payload.session} used MsgSeqNum(34) {payload.msg_seq_num} of generation "
                f"{payload.generation} a second time"
            )
        numbers.add(payload.msg_seq_num)
        if payload.msg_type == "5":
            self._logout(record, payload.raw, self.complaints)
        command = payload.command
        if not isinstance(command, NewOrder | AmendOrder):
            return
        name = (command.strategy, command.number)
        logged = self.commands.setdefault(name, Logged(command.venue))
        logged.venue = command.venue
        target = (command.target_strategy, command.target_number) if isinstance(command, AmendOrder) else name
        self.commands.setdefault(target, Logged(command.venue)).leg_ids.append(command.cl_ord_id)
        self._by_number[payload.session, payload.generation, payload.msg_seq_num] = name
        if record.stamp_ns > command.deadline_ns:
            logged.void_lsn = record.lsn
            return
        logged.sent_lsn = record.lsn
        key = (command.venue, command.cl_ord_id)
        if key in self.sent_ids:
            self.differences.append(f"record {record.lsn}: ClOrdID(11) {command.cl_ord_id} was sent before")
        self.sent_ids[key] = record.lsn

    def _inbound(self, record: Record, payload: Inbound) -> None:
        numbers = self._numbers[payload.session, payload.generation].inbound
        former = numbers.get(payload.msg_seq_num)
        if former is not None and former != hash(payload.raw) and not payload.poss_dup:
            self.differences.append(
                f"record {record.lsn}: {payload.session} took number {payload.msg_seq_num} of generation "
                f"{payload.generation} from the venue a second time, with other bytes"
            )
        numbers[payload.msg_seq_num] = hash(payload.raw)
        if payload.msg_type == "5":
            self._logout(record, payload.raw, self.differences)

    def _logout(self, record: Record, raw: bytes, found: list[str]) -> None:
        text = split(raw).get(b"58", b"").decode(errors="replace")
        if "too low" in text.lower():
            found.append(f"record {record.lsn}: a Logout(5) says {text!r}")


class Exchange:
    """One simulated exchange's own log; see `Truth`."""

    def __init__(self, venue: str, folder: Path) -> None:
        """Reads `folder`, which need not be there yet."""
        self.venue = venue
        self.truth = Truth(venue, ACCOUNT, self)
        self.differences: list[str] = []
        self.placed: Counter[str] = Counter()
        self.by_id: dict[str, TrueOrder] = {}
        self._tail = Tail(folder / "log")

    def read(self) -> None:
        """Fold what is new."""
        for record in self._tail.new():
            self.truth.learned(record)

    def settle(self) -> None:
        """Forget closed orders; that they were placed stays known."""
        closed = [order for order in self.truth.orders.values() if not order.open]
        for order in closed:
            del self.truth.orders[order.order_id]
            for cl_ord_id in order.cl_ord_ids:
                self.by_id.pop(cl_ord_id, None)

    # -- what `Truth` watches for --

    def met_stranger(self, venue: str, symbol: str, qty: Decimal) -> None:
        """See `Watcher`: nobody else trades on the account here."""
        self.differences.append(f"{venue} has an order for {qty} {symbol} that is nobody's")

    def accepted(self, venue: str, order: TrueOrder) -> None:
        """An order was taken: once, under its ClOrdID(11)."""
        cl_ord_id = order.cl_ord_ids[0]
        self.placed[cl_ord_id] += 1
        if self.placed[cl_ord_id] > 1:
            self.differences.append(f"{venue} took ClOrdID(11) {cl_ord_id} {self.placed[cl_ord_id]} times")
        self.by_id[cl_ord_id] = order

    def renamed(self, venue: str, order: TrueOrder) -> None:
        """An order goes by another ClOrdID(11)."""
        self.by_id[order.cl_ord_ids[-1]] = order

    def exposed(self, venue: str, symbol: str, longest: Decimal, shortest: Decimal) -> None:
        """Limits are risk's matter; the simulation holds them against the exchange's books."""


def compare_command(told: Told, logged: Logged | None, exchange: Exchange) -> Iterator[str]:
    """Hold one command of the load against the journal and the exchange."""
    name = f"{told.strategy}/{told.number} ({told.kind} at {told.venue})"
    if not told.outcome and not told.is_abandoned:
        yield f"{name} has no outcome"
        return
    if told.kind not in (NEW, "amend"):
        return
    decided = ("" if logged is None else logged.outcome) or "expired"
    if told.outcome and told.outcome != decided and not _is_own_refusal(told):
        yield f"{name} was told {told.outcome} ({told.reason}) by record {told.outcome_lsn}; the log says {logged}"
    if told.kind != NEW:
        return
    ids = [] if logged is None else logged.leg_ids
    legs = {order.order_id: order for cl_ord_id in ids if (order := exchange.by_id.get(cl_ord_id)) is not None}
    if decided != "sent":
        if legs:
            yield f"{name} is {decided}, and {exchange.venue} has it as order {min(legs)}"
        return
    yield from _compare_order(name, told, [legs[order_id] for order_id in sorted(legs)], exchange.venue)


def _is_own_refusal(told: Told) -> bool:
    """Refused, by a record that says so, after it had been in the log: a name that was used before."""
    return told.outcome == "refused" and told.reason in MISUSE


def _compare_order(name: str, told: Told, legs: list[TrueOrder], venue: str) -> Iterator[str]:
    """Hold an order that was sent against what the exchange has of it, oldest leg first."""
    if not legs:
        if told.cum_qty or told.open:
            yield f"{name} is {told.status} with {told.cum_qty} filled, and {venue} never had it"
        return
    told_open = [leg.order_id for leg in legs if leg.open]
    if told_open:
        yield f"{name} is {told.status or 'not known to be open'}, and {venue} has order {told_open} open"
    if told.gap:
        return
    status = STATUS_OF.get(legs[-1].ord_status)
    if not told_open and told.status is not status:
        yield f"{name} is {told.status}, and {venue} has order {legs[-1].order_id} {status}"
    cum_qty = sum((leg.cum_qty for leg in legs), Decimal(0))
    if told.cum_qty != cum_qty:
        yield f"{name} has {told.cum_qty} filled, and {venue} has {cum_qty}"
    filled = sum(told.fills.values(), Decimal(0))
    if filled != cum_qty:
        yield f"{name} was told fills of {filled} ({len(told.fills)}), and {venue} has {cum_qty} filled"


def compare_sent(journal: JournalAudit, exchange: Exchange) -> Iterator[str]:
    """Whatever the exchange took stands in the journal as sent."""
    for order in exchange.truth.orders.values():
        first = order.cl_ord_ids[0]
        if (exchange.venue, first) not in journal.sent_ids:
            yield f"{exchange.venue} took {first} (order {order.order_id}), which the journal never sent"

