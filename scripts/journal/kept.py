"""What a host that comes back has in its kept folder beyond the copy, held frame by frame against the log.

The kept folder is a journal that was moved aside, with the sessions' emergency files and the latches of that host in
`emergency`. Where it parts from the log tells the chain of checksums. A frame behind that says something of a venue, or
of what a person did, and our books either have it from elsewhere by now, since the venue told it, or differ. Nothing
is decided here by what the frame says: a difference is for a person, and an order that the books never had is for its
venue to settle.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from crc32c import crc32c

from common.journal import Files, NotThere, OsFiles, Reader, Record, iterate
from common.journal.emergency import read_emergency
from common.journal.files import read_whole
from common.journal.released import read_released
from common.latch import Latch
from common.messages import (
    MAX_TEXT_CHARACTERS,
    AmendOrder,
    Attempt,
    Booked,
    CancelAll,
    CancelOrder,
    ExecutionReport,
    FilledByHand,
    Inbound,
    NewOrder,
    OperatorAct,
    Outbound,
    Payload,
    SessionChanged,
    SessionState,
    Verdict,
    Withdrawn,
    is_lost_number,
)
from common.orders.absence import sending_ns
from common.orders.books import Books
from common.orders.fold import WRITER
from common.orders.order_state import Order
from common.orders.outcome import is_void
from common.orders.words import is_over, names_of_order, tells_trade
from common.past.story import deals_text
from common.past.words import payload_of
from services.orders.evidence import EvidenceRow, LostSending
from services.session.emergency import SUFFIX as EMERGENCY

HOST_FILE: Final = "host"
"""In a kept folder: the name of the host that wrote what is in it."""

EMERGENCY_FOLDER: Final = "emergency"
LATCH: Final = ".latch"
NOTHING: Final = "nothing of it in the log"


class NotComparable(Exception):
    """The kept folder and the log have no record in common that both still hold, or are of two journals."""


class Frame(NamedTuple):
    """One frame and what it says; `name` is host, file, number and checksum, by which it is brought in once."""

    name: str
    stamp_ns: int
    payload: Payload | None


class Kept:
    """A kept folder. `fork_lsn` is the last record that the log has too; `silent` counts the records behind it that
    nobody was told of, since the copy was waited for."""

    def __init__(self, folder: Path, log: Reader, host: str, files: Files | None = None) -> None:
        """Where the two part is looked up; `files` is the disk that the folder is on. Raises NotComparable,
        JournalError, OSError."""
        self._folder = folder
        self._host = host
        self._files = OsFiles() if files is None else files
        self._reader = Reader(folder, self._files)
        own, theirs = log.identity().hex(), self._reader.identity().hex()
        if own != theirs:
            raise NotComparable(f"{folder} is of the journal {theirs}, and the log of {own}")
        self._released = read_released(str(folder), self._files) or 0
        self.fork_lsn = self._fork(log)
        self.silent = 0

    def _fork(self, log: Reader) -> int:
        """Up to which record both have the same."""
        low = max(self._reader.first_lsn(), log.first_lsn()) - 1
        high = max(low, min(self._reader.durable_lsn(), log.durable_lsn()))

        def differs(lsn: int) -> bool:
            return self._reader.link_at(lsn) != log.link_at(lsn)

        if differs(low):
            raise NotComparable(f"{self._folder} and the log part before record {low + 1}, the oldest that both keep")
        fork = bisect_left(range(low, high + 1), True, key=differs) + low - 1
        # What says how far each is durable lags.
        with suppress(NotThere):
            while not differs(fork + 1):
                fork += 1
        return fork

    def frames(self) -> Iterator[Frame]:
        """Those behind the fork, then the emergency files' and the latches'. Raises JournalError, OSError."""
        last = self.fork_lsn
        for record in iterate(self._folder, self._files, self.fork_lsn + 1):
            last = record.lsn
            if self._released and record.lsn > self._released:
                self.silent += 1
                continue
            yield self._frame(f"record {record.lsn}", record)
        folder, names = f"{self._folder}/{EMERGENCY_FOLDER}", list[str]()
        with suppress(FileNotFoundError):
            names = sorted(self._files.list(folder))
        for name in (each for each in names if each.endswith(EMERGENCY)):
            for record in read_emergency(f"{folder}/{name}", self._files):
                yield self._frame(f"{name} frame {record.lsn}", record)
        for name in (each for each in names if each.endswith(LATCH)):
            latch = Latch(folder, name, self._files)
            latch.load()
            if latch.set:
                crc = crc32c(read_whole(self._files, f"{folder}/{name}"))
                frame = f"{self._host}, {name} beside record {last} ({crc:08x})"
                yield Frame(frame, 0, OperatorAct(name.removesuffix(LATCH), "latched", self._host))

    def _frame(self, place: str, record: Record) -> Frame:
        name = f"{self._host}, {place} ({crc32c(record.payload):08x})"
        return Frame(name, record.stamp_ns, payload_of(record))


class Judge:
    """Our books, and what of a former host's frames they do not have."""

    def __init__(self, books: Books) -> None:
        """The books stand where the log ends."""
        self._books = books
        self._told: set[tuple[str, ...]] = set()

    def judge(self, kept: Kept) -> list[EvidenceRow]:
        """A row for each frame that says what the books do not have. Raises JournalError, OSError."""
        frames = list(kept.frames())
        withdrawn = {
            (its.session, its.generation, its.msg_seq_num) for _, _, its in frames if isinstance(its, Withdrawn)
        }
        left = [
            frame
            for frame in frames
            if not isinstance(its := frame.payload, Outbound)
            or (its.session, its.generation, its.msg_seq_num) not in withdrawn
        ]
        sent = [its for _, _, its in left if isinstance(its, Outbound)]
        amended = [(its, its.command) for its in sent if isinstance(its.command, AmendOrder)]
        rows: list[EvidenceRow] = []
        for frame in left:
            for part, (account, subject, ours, theirs) in enumerate(filter(self._is_first, self._says(frame))):
                name = f"{frame.name} part {part + 1}" if part else frame.name
                most, order = MAX_TEXT_CHARACTERS, self._lost_sending(frame, left, amended)
                rows.append(EvidenceRow(name, account[:most], subject[:most], ours[:most], theirs[:most], order))
        return rows

    def _lost_sending(
        self, frame: Frame, frames: list[Frame], amended: list[tuple[Outbound, AmendOrder]]
    ) -> LostSending | None:
        """The order of a frame that opened one, where its account is one of ours."""
        its = frame.payload
        if not (isinstance(its, Outbound) and isinstance(its.command, NewOrder)):
            return None
        if its.account not in self._books.known.accounts:
            return None
        names, amendments = {each.cl_ord_id for each in its.command.orders}, list[Outbound]()
        for later, command in amended:
            if command.orig_cl_ord_id in names:
                names.add(command.cl_ord_id)
                amendments.append(msgspec.structs.replace(later, raw=b""))
        windowed = self._books.window_ns(its.account)
        sent_ns = sending_ns(its.raw, frame.stamp_ns) if windowed else frame.stamp_ns
        connection = _connection_before(frames, its.session)
        return LostSending(msgspec.structs.replace(its, raw=b""), sent_ns, connection, tuple(amendments))

    def _is_first(self, said: tuple[str, str, str, str]) -> bool:
        """What stands in a file and in the log is told once."""
        account, subject, _, theirs = said
        key = (account, subject, theirs)
        is_first = key not in self._told
        self._told.add(key)
        return is_first

    def _says(self, frame: Frame) -> Iterator[tuple[str, str, str, str]]:
        """Account, subject, ours, theirs."""
        match frame.payload:
            case Outbound(command=NewOrder() as command) if not is_void(command.deadline_ns, frame.stamp_ns):
                yield from self._opened(frame.payload, command)
            case Outbound(command=AmendOrder() | CancelOrder() as command) if not is_void(
                command.deadline_ns, frame.stamp_ns
            ):
                yield from self._requested(frame.payload, command)
            case Outbound(own=Attempt()) as its:
                theirs = f"a request of its own, MsgType(35)={its.msg_type}, MsgSeqNum(34)={its.msg_seq_num}"
                yield its.account, its.session, NOTHING, theirs
            case Inbound() as its:
                for event in its.events:
                    if isinstance(event, ExecutionReport):
                        yield from self._reported(its.account, event)
            case SessionChanged(state=SessionState.LATCHED) as its:
                yield its.account, its.session, NOTHING, f"kill switch latched {its.text}".rstrip()
            case OperatorAct() as act if act.by != WRITER:
                yield "", act.actor, NOTHING, f"{act.act} by {act.by} {act.text}".rstrip()
            case _:
                yield from self._word(frame.payload)

    def _word(self, payload: Payload | None) -> Iterator[tuple[str, str, str, str]]:
        """What a person, or a strategy, had written down that no venue tells."""
        match payload:
            case Verdict() as its:
                text = f"a verdict by {its.by}: OrdStatus(39)={its.ord_status}, {its.text}"
                yield "", f"{its.strategy}/{its.number}", NOTHING, text
            case FilledByHand() as its:
                text = f"{its.qty} at {its.px} booked by {its.by}: {its.text}"
                yield "", f"{its.strategy}/{its.number}", NOTHING, text
            case Booked() as its:
                text = f"{its.qty} at {its.px} booked to {its.strategy or 'nobody'} by {its.by}: {its.text}"
                yield its.account, its.symbol, NOTHING, text
            case CancelAll() as its:
                where = " ".join(filter(None, (its.venue, its.symbol))) or "everywhere"
                text = f"cancels all of {its.target_strategy or its.strategy}, {where} {its.text}".rstrip()
                yield "", f"{its.strategy}/{its.number}", NOTHING, text

    def _opened(self, outbound: Outbound, command: NewOrder) -> Iterator[tuple[str, str, str, str]]:
        lost = [each for each in command.orders if not self._knows(outbound.account, each.cl_ord_id, each)]
        if not lost:
            return
        first = lost[0]
        remembered = self._books.names.get(first.strategy, first.number)
        ours = "no such order" if remembered is None else f"that command came to {remembered.outcome} by another name"
        names = ", ".join(each.cl_ord_id for each in lost)
        theirs = f"sent as ClOrdID(11) {names}, MsgSeqNum(34)={outbound.msg_seq_num}: {deals_text(command)}"
        yield outbound.account, f"{first.strategy}/{first.number}", ours, theirs

    def _knows(self, account: str, cl_ord_id: str, command: NewOrder | AmendOrder | CancelOrder) -> bool:
        """Whether our log has that very sending, and not as evidence of it."""
        order = self._books.by_id.get(cl_ord_id) or self._books.forgotten_order(account, cl_ord_id)
        if order is not None:
            return not is_lost_number(order.number)
        remembered = self._books.names.get(command.strategy, command.number)
        attempt = (command.attempt.epoch, command.attempt.counter)
        return remembered is not None and remembered.attempt == attempt

    def _requested(self, outbound: Outbound, command: AmendOrder | CancelOrder) -> Iterator[tuple[str, str, str, str]]:
        if self._knows(outbound.account, command.cl_ord_id, command):
            return
        what = "cancel" if isinstance(command, CancelOrder) else "amendment"
        theirs = f"{what} sent as ClOrdID(11) {command.cl_ord_id}, MsgSeqNum(34)={outbound.msg_seq_num}"
        yield outbound.account, f"{command.target_strategy}/{command.target_number}", "no such request", theirs

    def _reported(self, account: str, report: ExecutionReport) -> Iterator[tuple[str, str, str, str]]:
        order = self._order_of(account, report)
        subject = f"{order.strategy}/{order.number}" if order is not None else f"ClOrdID(11) {report.cl_ord_id}"
        if tells_trade(report):
            if not self._is_counted(account, report, order):
                theirs = f"trade {report.trade_key}: {report.last_qty} {report.symbol} at {report.last_px}"
                yield account, subject, "not counted", theirs
        elif is_over(report) and order is not None and not order.is_closed:
            theirs = f"ended with OrdStatus(39)={report.ord_status} {report.text}".rstrip()
            yield account, subject, order.status.value, theirs

    def _order_of(self, account: str, report: ExecutionReport) -> Order | None:
        found = (self._books.by_id.get(name) for name in names_of_order(report) if name)
        by_name = next((order for order in found if order is not None), None)
        return by_name or self._books.order_of(account, report.symbol, report.order_id)

    def _is_counted(self, account: str, report: ExecutionReport, order: Order | None) -> bool:
        """Whether the ledger has the trade, of the order or of whoever it holds it for."""
        owners = ["", *names_of_order(report), *(leg.owner for leg in (order.legs if order is not None else ()))]
        knows = self._books.ledger.knows
        return any(knows(account, report.symbol, report.trade_key, owner, report.order_id) for owner in owners)


def _connection_before(frames: list[Frame], session: str) -> int:
    """The session's last connection that both logs have: the first one behind the fork, or the one before that."""
    for _, _, its in frames:
        if isinstance(its, Outbound | Inbound | SessionChanged) and its.session == session:
            begins = isinstance(its, SessionChanged) and its.state is SessionState.CONNECTING
            return its.connection - begins
    return 0


def host_of(folder: Path) -> str:
    """The host that wrote what the folder keeps, "" where that was not written down. Raises OSError."""
    try:
        return (folder / HOST_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""

