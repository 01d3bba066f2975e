"""The two halves of a core's link to the journal, without I/O: `Appender` writes exactly once, `Follower` reads
without a gap.

Theory of operation. The journal accepts from a writer only the successor of the last append number that it holds, so
an append may be sent any number of times and takes effect once. The appender keeps what is unacknowledged and sends
it again, oldest first, when the journal says that it does not have it: after a refusal, after a new journal epoch, or
in answer to the question that it asks when an append has been unanswered for `QUESTION_NS`. A journal that answers and
does not take it for `AWAY_NS` is away like one that does not answer. An acknowledgement names one batch and its stamp;
a number whose acknowledgement was lost is sent again and acknowledged with its original stamp, never with a later
one's.

The follower applies a record whose LSN is its cursor plus one, ignores lower ones, and on a higher one drops it and
has the log read from its cursor on, one request at a time.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from common.actor.core import Core, Exit, ReadLog, Send
from common.instant import NS_PER_MS, Instant
from common.journal.frames import EPOCH, OWN_WRITER, Record, parse
from common.messages import (
    MAX_RECORD_BYTES,
    MAX_TIME_TO_LIVE_NS,
    Append,
    Appended,
    AppendQuestion,
    AppendRefused,
    EpochGranted,
    EpochRequest,
    JournalLevel,
    encode,
)

QUESTION_NS = 100 * NS_PER_MS
"""An append unanswered for so long makes the writer ask where the journal stands."""

AWAY_NS = 250 * NS_PER_MS
"""An append or question unanswered for so long means that the journal is away."""

MAX_UNACKNOWLEDGED = 65_536
"""More than this is never under way from one writer: the journal is away long before. A full appender refuses by
`full`.
"""

_SHORTER = (
    "it is another journal, or its folder was replaced; the next life begins with what this log holds. Compare it with "
    "the venue's numbers before trading on"
)
RESEND_ENTRIES = 512
RESEND_BYTES = MAX_RECORD_BYTES // 2
"""A message of records ends when it has grown to this: with its last record it stays below what a link takes."""

RESEND_NS = 20 * NS_PER_MS
"""The least time between two resends: each message of an overtaken run is refused, and one resend mends them all."""

REREAD_NS = 20 * NS_PER_MS
"""A record was published but could not be read yet: the next try."""


class Acknowledged(NamedTuple):
    """The append numbers `first` to `last`, all in one durable batch that ends at `lsn` and bears `stamp_ns`."""

    first: int
    last: int
    lsn: int
    stamp_ns: int


class Superseded(Exception):
    """The log has a later epoch of this writer: another process holds the name, and this one must end."""


class NeverTaken(Superseded):
    """The journal has refused an append for good: nothing of this writer can follow it, so that it must begin anew."""


class LogLost(Superseded):
    """The journal does not know what it once acknowledged or told: it is another one, or has lost some of its log.

    Whoever stood on the longer log ends, and the next life is a fold of the log that there is now.
    """


class _Pending(NamedTuple):
    number: int
    kind: int
    payload: bytes
    taken_boot_ns: int


_NO_EPOCH = Record(0, 0, EPOCH, "", 0, 0, 0, 0, b"")


def _token(now: Instant) -> int:
    """A life's own name, by which the journal knows a repeat of its question: a former life's would give it that one's
    epoch, and the acknowledgements of that one's records for its own.

    The boot clock begins anew with each boot of the host, and the two run side by side in between: only a digest tells
    all of their pairs apart.
    """
    clocks = msgspec.msgpack.encode(now)
    return int.from_bytes(blake2b(clocks, digest_size=8).digest()) >> 1


class Appender:
    """One writer's way into the log. The core forwards it the journal link's messages, its timer and the end of each
    turn.
    """

    def __init__(
        self,
        core: Core,
        writer: str,
        link: str = "journal",
        *,
        stream_may_wait: frozenset[int] = frozenset(),
        ack_may_wait: frozenset[int] = frozenset(),
    ) -> None:
        """`writer` is the name in the log; effects go into `core`.

        A turn whose kinds all stand in `stream_may_wait` or `ack_may_wait` wakes nobody by itself: see `Append`.
        """
        self._core = core
        self._writer = writer
        self._stream_may_wait = stream_may_wait
        self._ack_may_wait = ack_may_wait
        self._link = link
        self._token = 0
        self._unsent: deque[_Pending] = deque()
        self._unacknowledged: deque[_Pending] = deque()
        self._next_number = 1
        self._asked_boot_ns: int | None = None
        self._first_asked_boot_ns: int | None = None
        self._resent_boot_ns: int | None = None
        self._resend_due_boot_ns: int | None = None
        self._unmoved_boot_ns: int | None = None
        """Since when the journal has answered and acknowledged nothing of what waits."""
        self._journal_id = ""
        self._begun = _NO_EPOCH
        """The record of the log that begins this writer's latest epoch, of those that were read."""
        self.grant: EpochGranted | None = None
        self.journal_epoch = 0
        self.announced: int = JournalLevel.NOTHING
        self.last_stamp_ns = 0
        self.last_lsn = 0

    @property
    def epoch(self) -> int:
        """The writer epoch that the journal granted; 0 before that."""
        return self.grant.epoch if self.grant else 0

    @property
    def granted(self) -> bool:
        """Whether appends may be made."""
        return self.grant is not None

    @property
    def unacknowledged(self) -> int:
        """How many records wait for the journal."""
        return len(self._unsent) + len(self._unacknowledged)

    @property
    def place(self) -> tuple[str, int]:
        """What the numbers of appends are of: they begin anew with each epoch."""
        return "journal", self.epoch

    @property
    def last_number(self) -> int:
        """The number of the last append that was made in this epoch; 0 before one."""
        return self._next_number - 1

    @property
    def acknowledged_number(self) -> int:
        """The number of the last append that the journal has; 0 before one."""
        return self.last_number - self.unacknowledged

    @property
    def full(self) -> bool:
        """Whether the core must refuse rather than append more."""
        return self.unacknowledged >= MAX_UNACKNOWLEDGED

    def unacknowledged_records(self) -> list[tuple[int, bytes]]:
        """(append number, encoded payload) of every record that waits for the journal, oldest first."""
        return [(waiting.number, waiting.payload) for waiting in (*self._unacknowledged, *self._unsent)]

    def request_epoch(self, now: Instant) -> None:
        """Ask for a (new) epoch. What was queued under an older one is dropped: the log will refuse it."""
        self.grant = None
        self._unsent.clear()
        self._unacknowledged.clear()
        self._next_number = 1
        self._resend_due_boot_ns = self._unmoved_boot_ns = None
        self._token = _token(now)
        self._ask(now, first=True)

    def append(self, kind: int, payload: msgspec.Struct, now: Instant) -> int:
        """Queue one record; it goes out with the turn's batch. Returns its append number. Needs a granted epoch."""
        if self.grant is None:
            raise RuntimeError(f"{self._writer}: append before the journal granted an epoch")
        number = self._next_number
        self._next_number = number + 1
        self._unsent.append(_Pending(number, kind, encode(payload), now.boot_ns))
        return number

    def turn_ended(self, now: Instant) -> None:
        """Send the turn's records as one message."""
        if not self._unsent:
            return
        kinds = {pending.kind for pending in self._unsent}
        self._send_all(
            self._unsent, stream_may_wait=kinds <= self._stream_may_wait, ack_may_wait=kinds <= self._ack_may_wait
        )
        self._unacknowledged.extend(self._unsent)
        self._unsent.clear()

    def received(self, message: msgspec.Struct, now: Instant) -> Acknowledged | None:
        """Take a message of the journal link. Returns what it newly acknowledges; after a grant, `granted` is True.

        Raises Superseded when a later epoch of this writer is in the log, LogLost when its own is not, or not all that
        was acknowledged, NeverTaken.
        """
        match message:
            case Appended():
                return self._appended(message, now)
            case AppendRefused():
                self._refused(message, now)
            case EpochGranted() if message.token == self._token and self.grant is None:
                self._check_same_log(message)
                self._check_latest(message.epoch, self._begun)
                self.grant, self._journal_id = message, message.journal_id
                self.journal_epoch = message.journal_epoch
                self.last_stamp_ns, self.last_lsn = message.stamp_ns, message.lsn
                self._asked_boot_ns = self._first_asked_boot_ns = None
        return None

    def follow(self, record: Record) -> None:
        """A record of the log. Raises Superseded where it begins a later epoch of this writer: an actor that appends
        little might not hear of it otherwise, and all that it does from here on is another life's to do. One that is
        read before this life's own epoch is granted ends it at the grant.
        """
        if record.kind == EPOCH and record.writer == self._writer and record.writer_epoch > self._begun.writer_epoch:
            self._begun = record
            if self.grant is not None:
                self._check_latest(self.epoch, record)

    def _check_latest(self, epoch: int, begun: Record) -> None:
        if epoch < begun.writer_epoch:
            raise Superseded(
                f"{self._writer}: record {begun.lsn} begins epoch {begun.writer_epoch}, this process has {epoch}"
            )

    def former_life_ended(self, lsn: int, stamp_ns: int) -> bool:
        """Whether all that a former life of this actor has sent must have turned up in the log, which was read without
        a gap up to the record `lsn` of that stamp.

        A command lives for MAX_TIME_TO_LIVE_NS at most, so that is so past a stamp later than the own epoch record's
        plus that. Until then nothing may be sent that adds risk, and nothing said of what the former life sent.
        """
        grant = self.grant
        return grant is not None and lsn >= grant.lsn and stamp_ns > grant.stamp_ns + MAX_TIME_TO_LIVE_NS

    def take_message(self, message: msgspec.Struct, now: Instant) -> bool:
        """`received`, for a core that ends when it is superseded: False then, and its Exit is among its effects."""
        try:
            self.received(message, now)
        except Superseded as error:
            self._core.effects.append(Exit(1, str(error)))
            return False
        return True

    def take_record(self, record: Record) -> bool:
        """`follow`, for a core that ends when it is superseded: False then, and its Exit is among its effects."""
        try:
            self.follow(record)
        except Superseded as error:
            self._core.effects.append(Exit(1, str(error)))
            return False
        return True

    def away(self, now: Instant) -> bool:
        """Whether an append or question has been unanswered for AWAY_NS, and the journal was asked meanwhile: a process
        that stood still itself has sent late what it took long ago, and must not blame the journal.
        """
        away_ns = self.away_from_ns()
        asked = self._first_asked_boot_ns is not None or self._unmoved_boot_ns is not None
        return asked and away_ns is not None and now.boot_ns >= away_ns

    def away_from_ns(self) -> int | None:
        """From when on `away` holds if nothing is taken before, in boot time; None while nothing is unanswered."""
        if self._unmoved_boot_ns is not None:
            return self._unmoved_boot_ns + AWAY_NS
        asked_ns = self._first_asked_boot_ns
        for waiting in (self._unacknowledged, self._unsent):
            if waiting:
                asked_ns = waiting[0].taken_boot_ns + QUESTION_NS if asked_ns is None else asked_ns
                return asked_ns + AWAY_NS - QUESTION_NS
        return None if asked_ns is None else asked_ns + AWAY_NS

    def question(self, now: Instant) -> None:
        """Ask where the journal stands, though nothing is unanswered (a session under the kill latch must know)."""
        if self._asked_boot_ns is None:
            self._ask(now, first=True)

    def next_deadline_ns(self) -> int | None:
        """When `timer` has something to do, in boot time."""
        question = self._question_due_ns()
        if question is None or self._resend_due_boot_ns is None:
            return self._resend_due_boot_ns if question is None else question
        return min(question, self._resend_due_boot_ns)

    def _question_due_ns(self) -> int | None:
        if self._asked_boot_ns is not None:
            return self._asked_boot_ns + QUESTION_NS
        if self._unacknowledged:
            return self._unacknowledged[0].taken_boot_ns + QUESTION_NS
        return None

    def timer(self, now: Instant) -> None:
        """Send again what was held back, and ask (again) where an answer is overdue."""
        if self._resend_due_boot_ns is not None and now.boot_ns >= self._resend_due_boot_ns:
            self._resend(now)
        question = self._question_due_ns()
        if question is not None and now.boot_ns >= question:
            self._ask(now, first=self._first_asked_boot_ns is None)

    def _appended(self, message: Appended, now: Instant) -> Acknowledged | None:
        if self.grant is None or message.epoch != self.grant.epoch:
            return None
        self._asked_boot_ns = self._first_asked_boot_ns = None
        self.announced = message.announced
        self._note_journal_epoch(message.journal_epoch, now)
        waiting = self._unacknowledged
        if not waiting or message.number < waiting[0].number:
            return None
        first = waiting[0].number
        if message.first_number > first:
            self._ask(now, first=True)
            return None
        while waiting and waiting[0].number <= message.number:
            waiting.popleft()
        self._unmoved_boot_ns = None
        self.last_stamp_ns = max(self.last_stamp_ns, message.stamp_ns)
        self.last_lsn = max(self.last_lsn, message.lsn)
        return Acknowledged(first, message.number, message.lsn, message.stamp_ns)

    def _refused(self, message: AppendRefused, now: Instant) -> None:
        if self.grant is None:
            return
        if message.epoch > self.grant.epoch:
            raise Superseded(
                f"{self._writer}: epoch {message.epoch} is in the log, this process has {self.grant.epoch}"
            )
        if message.epoch < self.grant.epoch:
            raise LogLost(
                f"{self._writer}: the journal granted epoch {self.grant.epoch}, and the last that it knows is "
                f"{message.epoch}: {_SHORTER}"
            )
        if message.why:
            raise NeverTaken(f"{self._writer}: the journal can never take it: {message.why}")
        if message.number_expected <= self.acknowledged_number:
            raise LogLost(
                f"{self._writer}: the journal acknowledged append {self.acknowledged_number} and now expects "
                f"{message.number_expected}: {_SHORTER}"
            )
        self._asked_boot_ns = self._first_asked_boot_ns = None
        if not self._unacknowledged:
            self._unmoved_boot_ns = None
        elif self._unmoved_boot_ns is None:
            self._unmoved_boot_ns = now.boot_ns
        if message.journal_epoch != self.journal_epoch or self._resent_boot_ns is None:
            self.journal_epoch = message.journal_epoch
            self._resend(now)
        elif now.boot_ns - self._resent_boot_ns >= RESEND_NS:
            self._resend(now)
        else:
            self._resend_due_boot_ns = self._resent_boot_ns + RESEND_NS

    def _check_same_log(self, granted: EpochGranted) -> None:
        """Every record of an earlier grant stands in the log of this one, or this is no log to go on with."""
        if self._journal_id and (granted.journal_id != self._journal_id or granted.lsn <= self.last_lsn):
            raise LogLost(
                f"{self._writer}: record {self.last_lsn} was acknowledged by journal {self._journal_id}, and journal "
                f"{granted.journal_id} grants an epoch at record {granted.lsn}: {_SHORTER}"
            )

    def _note_journal_epoch(self, journal_epoch: int, now: Instant) -> None:
        if journal_epoch != self.journal_epoch:
            self.journal_epoch = journal_epoch
            self._resend(now)

    def _resend(self, now: Instant) -> None:
        """Everything unacknowledged again, oldest first, in bounded messages; each wait starts anew."""
        self._resent_boot_ns, self._resend_due_boot_ns = now.boot_ns, None
        self._unacknowledged = deque(pending._replace(taken_boot_ns=now.boot_ns) for pending in self._unacknowledged)
        self._send_all(self._unacknowledged)

    def _send_all(
        self, waiting: Iterable[_Pending], *, stream_may_wait: bool = False, ack_may_wait: bool = False
    ) -> None:
        """In messages that a link takes, however many and however large the records of one turn are."""
        run: list[_Pending] = []
        size = 0
        for pending in waiting:
            run.append(pending)
            size += len(pending.payload)
            if len(run) == RESEND_ENTRIES or size >= RESEND_BYTES:
                self._send(run, stream_may_wait=stream_may_wait, ack_may_wait=ack_may_wait)
                run, size = [], 0
        if run:
            self._send(run, stream_may_wait=stream_may_wait, ack_may_wait=ack_may_wait)

    def _send(self, run: Sequence[_Pending], *, stream_may_wait: bool, ack_may_wait: bool) -> None:
        entries = [(pending.kind, pending.payload) for pending in run]
        append = Append(self._writer, self.epoch, run[0].number, entries, stream_may_wait, ack_may_wait)
        self._core.effects.append(Send(self._link, append))

    def _ask(self, now: Instant, *, first: bool) -> None:
        if first:
            self._first_asked_boot_ns = now.boot_ns
        self._asked_boot_ns = now.boot_ns
        question = AppendQuestion(self._writer, self.epoch) if self.grant else EpochRequest(self._writer, self._token)
        self._core.effects.append(Send(self._link, question))


class Follower:
    """A reader's place in the log. `received` and `log_read` return the records to apply now, contiguous from the
    cursor.
    """

    def __init__(self, core: Core, cursor: int = 0, former: "Follower | None" = None) -> None:
        """`cursor` is the LSN of the last record applied (0: none); effects go into `core`.

        What `former` has asked for and not got is still to come, in its order, and is not this one's.
        """
        self._core = core
        self._reading = False
        self._not_ours: int = 0 if former is None else former._not_ours + former._reading
        self._reread_boot_ns: int | None = None
        self._journal_epoch = 0
        self.cursor = cursor
        self.seen = cursor

    @property
    def caught_up(self) -> bool:
        """Whether everything known to be published has been applied."""
        return self.cursor >= self.seen

    def read_to(self, lsn: int) -> None:
        """The log is known to reach `lsn`: read what is missing."""
        self.seen = max(self.seen, lsn)
        self._read()

    def received(self, block: bytes) -> list[Record]:
        """A published block. Raises LogLost when a later life of the journal writes what was written before."""
        records = parse(block)
        if not records:
            return []
        if records[-1].lsn <= self.cursor:
            if 0 < self._journal_epoch < records[-1].journal_epoch:
                raise LogLost(f"the journal begins anew at LSN {records[0].lsn}, and {self.cursor} was read already")
            return []
        if records[0].lsn > self.cursor + 1:
            self.read_to(records[-1].lsn)
            return []
        fresh = [record for record in records if record.lsn > self.cursor]
        self._advance(fresh)
        return fresh

    def log_read(self, records: Sequence[Record], now: Instant) -> list[Record]:
        """The chunk that was asked for. Asks for the next one where more is known to be there. Raises LogLost."""
        if self._not_ours:
            self._not_ours -= 1
            return []
        self._reading = False
        fresh = [record for record in records if record.lsn > self.cursor]
        if fresh and fresh[0].lsn != self.cursor + 1:
            raise RuntimeError(f"the log was read from LSN {fresh[0].lsn}, the cursor is at {self.cursor}")
        if fresh:
            self._advance(fresh)
            self._read()
        elif self.cursor < self.seen:
            self._reread_boot_ns = now.boot_ns + REREAD_NS
        return fresh

    def take_block(self, block: bytes) -> list[Record]:
        """`received`, for a core that ends when the log is another one: its Exit is among its effects then."""
        try:
            return self.received(block)
        except LogLost as error:
            self._core.effects.append(Exit(1, str(error)))
            return []

    def take_read(self, records: Sequence[Record], now: Instant) -> list[Record]:
        """`log_read`, for a core that ends when the log is another one: its Exit is among its effects then."""
        try:
            return self.log_read(records, now)
        except LogLost as error:
            self._core.effects.append(Exit(1, str(error)))
            return []

    def _advance(self, fresh: Sequence[Record]) -> None:
        """The cursor moves to the last of these. Each life of the journal begins with an EPOCH record of its own: where
        a later one's other records follow the cursor, it is by their number alone, and the log is another.
        """
        epoch = self._journal_epoch
        if fresh[-1].journal_epoch != epoch:
            for record in fresh:
                begins = record.kind == EPOCH and record.writer == OWN_WRITER
                if 0 < epoch < record.journal_epoch and not begins:
                    raise LogLost(f"record {record.lsn} of the journal's later life does not follow {self.cursor}")
                epoch = record.journal_epoch
            self._journal_epoch = epoch
        self.cursor = fresh[-1].lsn
        self.seen = max(self.seen, self.cursor)

    def next_deadline_ns(self) -> int | None:
        """When to try again to read what was published but not readable."""
        return self._reread_boot_ns

    def timer(self, now: Instant) -> None:
        """Try again."""
        if self._reread_boot_ns is not None and now.boot_ns >= self._reread_boot_ns:
            self._reread_boot_ns = None
            self._read()

    def _read(self) -> None:
        if not self._reading and self._reread_boot_ns is None and self.cursor < self.seen:
            self._reading = True
            self._core.effects.append(ReadLog(self.cursor + 1, self.seen))
