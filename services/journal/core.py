"""The journal's core: the one clock, the order of everything, and the promise that acknowledged means durable.

Theory of operation. A turn gathers what the writers sent into one batch; `turn_ended` writes and syncs it through the
log, then acknowledges, then publishes the very bytes. From a writer only the successor of the last append number held
is taken; a higher one is refused with the number expected, a lower one is acknowledged with its original place and
stamp. Which number that is, is a fold over the log, so it survives the journal's own restart. A question is answered
from what is durable.

Where the copy off the machine is waited for (`copy_bounds.waits`), a batch that is durable here is told to nobody until
the replicator has said that the copy holds it: acknowledgements, grants and the stream come in the log's order then,
and refills, duplicates and the status go no further. The next batches are written and synced meanwhile, so group commit
goes on. After a start nothing is told before the replicator has spoken.

Where a copy is made at all, another host may have taken this journal over while this one was away. So after a start,
and whenever this process has stood still, nothing more is told before the replicator has asked the stream since; when
it hears that another host goes on, this one ends as fenced.

The clock starts at max(wall clock, last stamp) and advances by the boot clock alone. A tick, itself a record whose one
byte is the low-disk level, is written when 100 ms pass without a record. The first error of the disk ends the process
with the integrity status; a disk without room does not: nothing is taken then, writers ask again, and the low level
stands in every acknowledgement.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from common.actor.acts import Cannot, ControlAct, SkipArguments, do_act
from common.actor.core import Core, Effect, Exit, Publish, Send
from common.actor.unread import status_of_unread
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.journal import (
    EPOCH,
    FIRST_FREE_KIND,
    TICK,
    Entry,
    FencedOff,
    FollowsAnother,
    Gone,
    JournalError,
    Locked,
    Log,
    LogFailed,
    NoFolder,
    NoSpace,
    Reader,
    WriterState,
)
from common.journal.errors import MAY_PASS
from common.journal.frames import MAX_PAYLOAD_BYTES, OWN_WRITER, TERM_WRITER, writer_field
from common.left_out import SKIP
from common.messages import (
    Append,
    Appended,
    AppendQuestion,
    AppendRefused,
    ControlRequest,
    CopyReport,
    DurableEnd,
    EpochGranted,
    EpochRequest,
    JournalLevel,
    Kind,
    OperatorAct,
    ReadChunk,
    ReadRequest,
    cut,
    encode,
)
from services.journal.batch import Acknowledgement, Batch, Committed, Grant, Head
from services.journal.copy import Copy, CopyBounds

LINK = "journal"
CONTROL = "control"
STREAM = "stream"
TICK_NS = 100 * NS_PER_MS
MARK_NS = 100 * NS_PER_MS
MARK_SYNC_NS = NS_PER_S
"""While appends go on the mark is synced so often only: each frame says the same of those before it."""

ROOM_NS = 250 * NS_PER_MS
"""How often the free space is looked at and the next segment prepared."""

BATCH_BYTES = 4 << 20
"""A batch grown to this is committed before the turn ends: a published block stays well below a link's limit."""

HOLD_NS = 2 * NS_PER_MS
"""The longest that a block waits for another one to be published with; nobody acts on it meanwhile."""

HOLD_ACKS_NS = 20 * NS_PER_MS
"""The same for acknowledgements; a writer asks only after `common.actor.links.QUESTION_NS`."""

KEPT_TOKENS = 16
"""Requests for an epoch that are known to have been granted, for each writer."""

HELD_BLOCKS = 64
HELD_ACKS = 64

CHUNK_BYTES = 512 << 10
"""The most that one ReadRequest(refill) is answered with."""

READS_PER_TURN = 2
"""Refills answered in a turn, so that a long replay never stalls the live loop."""

MAX_READS = 256
"""Refills that wait; more are dropped, and asked for again."""

MAX_KIND = 0xFFFF
TOKEN_BYTES = 8


@dataclass(frozen=True)
class JournalSettings:
    """`low_disk_bytes`: with less free space than this the low level is announced. `copy_bounds`: how far the copy off
    the machine may be behind before that is announced; None where none is made.
    """

    low_disk_bytes: int = 0
    copy_bounds: CopyBounds | None = None


class DropArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose segments go: those that end before the record `below`."""

    below: int


class JournalCore(Core):
    """See the module. The log is opened by `open_log` (wall clock in Unix ns) at start, and is the core's alone."""

    def __init__(
        self,
        open_log: Callable[[int], Log],
        reader: Reader,
        settings: JournalSettings,
        skip_record: Callable[[int, str], None],
    ) -> None:
        """`reader` reads the same folder, for refills. `skip_record` writes an LSN down beside the log, with a text;
        it raises OSError.
        """
        super().__init__("journal")
        self._open_log = open_log
        self._skip_record = skip_record
        self._reader = reader
        self._tokens: defaultdict[str, deque[int]] = defaultdict(lambda: deque(maxlen=KEPT_TOKENS))
        self._settings = settings
        self._log: Log | None = None
        self._batch = Batch()
        self._reads: deque[tuple[bytes, ReadRequest]] = deque()
        self._stamp_base_ns = 0
        self._boot_base_ns = 0
        self._recorded_boot_ns = 0
        self._marked_boot_ns = 0
        self._mark_synced_boot_ns = 0
        self._appended_boot_ns = 0
        self._room_boot_ns = 0
        self._held_acks: list[Effect] = []
        self._held_blocks: list[bytes] = []
        self._held_boot_ns = 0
        self._acks_boot_ns = 0
        self._low_disk = 0
        self._copy = Copy(settings.copy_bounds) if settings.copy_bounds is not None else None
        self._committed: deque[Committed] = deque()
        self._told_upto: int | None = None
        """The last record that may be told of before the stream was asked; None where there is nothing to ask."""
        self._since_boot_ns = 0
        self._announced = JournalLevel.NOTHING
        self._peers: dict[str, bytes] = {}
        """Where each writer was last heard of."""
        self._level_changed = False
        self._full = False
        self._batches = 0
        self._free_bytes = 0

    # ---- life ----
    def started(self, now: Instant) -> None:
        """Open the log; what cannot be trusted is refused with the integrity status, and why; a full disk is no such
        thing."""
        try:
            log = self._log = self._open_log(now.wall_ns)
            if self._copy is None or not self._copy.waits:
                log.write_released(None)
            if self._copy is not None:
                self._told_upto, self._since_boot_ns = 0, now.boot_ns
            self._look_at_room(log, now)
        except Locked as error:
            self.effects.append(Exit(ExitStatus.FAILURE, str(error)))
            return
        except NoSpace as error:
            # Nothing is wrong with what the disk holds: the next start may find room.
            self.effects.append(Exit(ExitStatus.FAILURE, f"the disk is full: {error}, then the journal can start"))
            return
        except NoFolder as error:
            self.effects.append(Exit(ExitStatus.CONFIGURATION, str(error)))
            return
        except FencedOff as error:
            self.effects.append(Exit(ExitStatus.FENCED, str(error)))
            return
        except FollowsAnother as error:
            self.effects.append(Exit(ExitStatus.CONFIGURATION, str(error)))
            return
        except JournalError as error:
            cause = error.cause if isinstance(error, LogFailed) else None
            passes = cause is not None and cause.errno in MAY_PASS
            self.effects.append(Exit(ExitStatus.FAILURE if passes else status_of_unread(error), str(error)))
            return
        self._stamp_base_ns, self._boot_base_ns = log.last_stamp_ns, now.boot_ns
        self._recorded_boot_ns = self._marked_boot_ns = now.boot_ns
        self.note("info", "serving", epoch=log.epoch, lsn=log.last_lsn, **log.recovery._asdict())

    def stood_still(self, now: Instant) -> None:
        """Meanwhile another host may have taken the journal over: what is not told yet waits until that was asked."""
        log = self._log
        if log is not None and self._copy is not None:
            told = self._committed[0].done.first_lsn - 1 if self._committed else log.last_lsn
            self._told_upto = self._told_lsn(log, told)
            self._since_boot_ns = now.boot_ns
            self.note("warning", "stood_still", told_upto=self._told_upto)

    def stop(self, now: Instant) -> None:
        """Commit what was gathered, mark it, give up the lock."""
        log = self._log
        if log is not None:
            self._commit(now)
            self._send_held_acks()
            self._publish_held()
            try:
                log.close()
            except LogFailed as error:
                self.effects.append(Exit(ExitStatus.INTEGRITY, str(error)))
            self._log = None
        self.effects.append(Exit(ExitStatus.OK, "stopped"))

    def status(self, now: Instant) -> dict[str, object]:
        """State, epoch, LSN, what is kept, room on the disk, and every writer's place."""
        log = self._log
        if log is None:
            return {"state": "stopped", "epoch": 0, "lsn": 0}
        return {
            "state": "full" if self._full else "live",
            "epoch": log.epoch,
            "lsn": self._told_lsn(log, log.last_lsn),
            "durable_lsn": self._told_lsn(log, log.durable_lsn),
            "waits_for_copy": len(self._committed),
            "term": log.term,
            "asks_who_goes_on": self._told_upto is not None,
            "first_lsn": log.first_lsn,
            "stamp_ns": log.last_stamp_ns,
            "journal_id": log.identity.hex(),
            "durability": log.durability,
            "batches": self._batches,
            "free_bytes": self._free_bytes,
            "room_bytes": log.room_bytes,
            "low_disk": self._low_disk,
            "copy": None if self._copy is None else self._copy.status(log.durable_lsn, self._stamp_ns(log, now)),
            "recovery": log.recovery._asdict(),
            "writers": {
                name: {"epoch": state.epoch, "append_number": state.append_number}
                for name, state in sorted(log.writers.items())
            },
        }

    # ---- messages ----
    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """Take one request of a writer or reader."""
        log = self._log
        if log is None:
            return
        match message:
            case Append():
                self._append(log, peer, message, now)
            case AppendQuestion():
                self._commit(now)
                self._refuse(log, peer, message.writer)
            case EpochRequest():
                self._epoch(log, peer, message, now)
            case ReadRequest() if len(self._reads) < MAX_READS:
                self._reads.append((peer, message))
            case CopyReport() if self._copy is not None:
                self._heard_of_copy(log, self._copy, message, peer, now)
            case ControlRequest():
                self._control(log, peer, message, now)

    def _heard_of_copy(self, log: Log, copy: Copy, told: CopyReport, peer: bytes, now: Instant) -> None:
        if told.fenced:
            self._end(log, Exit(ExitStatus.FENCED, "another host has taken this journal over"))
            return
        copy.report(told, peer)
        if self._told_upto is not None and copy.asked_boot_ns >= self._since_boot_ns:
            self._told_upto = None
        self._announce(log, now)
        self._tell_committed(log, now)

    def turn_ended(self, now: Instant) -> None:
        """Commit the batch: write, sync, acknowledge, publish; then tell the replicator, and a bounded number of
        refills."""
        self._commit(now)
        self._tell_durable_end()
        for _ in range(min(READS_PER_TURN, len(self._reads))):
            self._refill(*self._reads.popleft())

    def timer(self, now: Instant) -> None:
        """A tick, the mark and the look at the disk, each when due."""
        log = self._log
        if log is None:
            return
        if self._held_blocks and now.boot_ns >= self._held_boot_ns + HOLD_NS:
            self._publish_held()
        if self._held_acks and now.boot_ns >= self._acks_boot_ns + HOLD_ACKS_NS:
            self._send_held_acks()
        self._announce(log, now)
        if self._level_changed or now.boot_ns >= self._recorded_boot_ns + TICK_NS:
            # A new level is told at once: where records never cease there is no other tick.
            self._level_changed = False
            self._batch.own(log.own_entry(TICK, bytes([self._announced])))
            self._recorded_boot_ns = now.boot_ns
        try:
            if now.boot_ns >= self._marked_boot_ns + MARK_NS:
                self._write_mark(log, now)
            if now.boot_ns >= self._room_boot_ns + ROOM_NS:
                self._look_at_room(log, now)
        except LogFailed as error:
            self._fail(log, error)

    def _write_mark(self, log: Log, now: Instant) -> None:
        self._marked_boot_ns = now.boot_ns
        under_load = now.boot_ns < self._appended_boot_ns + MARK_NS
        may_wait = under_load and now.boot_ns < self._mark_synced_boot_ns + MARK_SYNC_NS
        log.write_mark(may_wait=may_wait)
        if self._copy is not None and self._copy.waits:
            log.write_released(self._copy.lsn)
        if not may_wait:
            self._mark_synced_boot_ns = now.boot_ns

    def next_deadline_ns(self) -> int | None:
        """The next tick, mark or look at the disk; at once where refills wait."""
        if self._log is None:
            return None
        if self._reads or self._level_changed:
            return self._boot_base_ns
        due = min(self._recorded_boot_ns + TICK_NS, self._marked_boot_ns + MARK_NS, self._room_boot_ns + ROOM_NS)
        if self._held_blocks:
            due = min(due, self._held_boot_ns + HOLD_NS)
        if self._held_acks:
            due = min(due, self._acks_boot_ns + HOLD_ACKS_NS)
        return due

    # ---- control ----
    def _control(self, log: Log, peer: bytes, request: ControlRequest, now: Instant) -> None:
        """`drop` with {"below": LSN} removes segments that end before that record. The asker answers for snapshots at
        or above it that verify; what was not durable is refused. `skip` with {"lsn": LSN} has every reader leave that
        record out: it is written down beside the log, then journaled."""
        acts = {
            "drop": ControlAct(DropArguments, partial(self._drop, log)),
            SKIP: ControlAct(SkipArguments, partial(self._skip, log)),
        }
        try:
            answer = do_act("journal", acts, request, now)
        except LogFailed as error:
            self._fail(log, error)
            return
        self.effects.append(Send(CONTROL, answer, peer))

    def _drop(self, log: Log, asked: DropArguments, by: str, now: Instant) -> str:
        below = asked.below
        if below > log.durable_lsn:
            raise Cannot(f"record {below} is not durable yet, the last that is is {log.durable_lsn}")
        if self._copy is not None and below > self._copy.lsn + 1:
            raise Cannot(f"record {below} is not copied yet, the last that is known to be is {self._copy.lsn}")
        names = log.drop_before(below)
        self.note("info", "dropped", below=below, segments=names, by=by)
        return f"dropped {', '.join(names) or 'nothing'}"

    def _skip(self, log: Log, asked: SkipArguments, by: str, now: Instant) -> str:
        lsn = asked.lsn
        if lsn > log.durable_lsn:
            raise Cannot(f"there is no record {lsn}, the last that is durable is {log.durable_lsn}")
        try:
            self._skip_record(lsn, f"by {by} at {now.wall_ns}")
        except OSError as error:
            raise Cannot(f"it cannot be written down, so nothing was done: {error}") from error
        self._commit(now)
        act = OperatorAct(self.name, SKIP, cut(by), str(lsn))
        self._batch.own(log.own_entry(Kind.OPERATOR, encode(act)))
        self._commit(now)
        self.note("warning", "skipped", lsn=lsn, by=by)
        return f"record {lsn} is left out by every reader from now on"

    # ---- appends ----
    def _head(self, log: Log, writer: str) -> Head:
        head = self._batch.heads.get(writer)
        if head is not None:
            return head
        state = log.writers.get(writer)
        return Head(state.epoch, state.append_number) if state is not None else Head(0, 0)

    def _append(self, log: Log, peer: bytes, message: Append, now: Instant) -> None:
        writer, epoch, first, entries = message.writer, message.epoch, message.first_number, message.entries
        head = self._head(log, writer)
        expected = head.append_number + 1
        if epoch != head.epoch or not head.epoch or not entries or not 0 < first <= expected:
            # Epoch 0 is that of a writer whom no epoch was granted.
            self._refuse(log, peer, writer)
            return
        why = _why_never(first, entries)
        if why:
            self.note("error", "bad_append", writer=writer, epoch=epoch, first_number=first, why=why)
            self._refuse(log, peer, writer, why)
            return
        if first < expected:
            state = log.writers.get(writer)
            if state is not None and state.epoch == epoch:
                self._acknowledge_again(log, peer, writer, state, first, first + len(entries) - 1)
            entries = entries[expected - first :]
            first = expected
        self._peers[writer] = peer
        if entries:
            self._batch.append(
                peer, writer, epoch, first, entries,
                stream_may_wait=message.stream_may_wait, ack_may_wait=message.ack_may_wait,
            )  # fmt: skip
            if self._batch.size_bytes >= BATCH_BYTES:
                self._commit(now)

    def _acknowledge_again(self, log: Log, peer: bytes, writer: str, state: WriterState, first: int, last: int) -> None:
        """Duplicates: each run with the place and the stamp that it got when it was first taken."""
        for run in state.runs(first, last):
            if run.last_lsn > self._told_lsn(log, run.last_lsn):
                return
            self._send_appended(log, peer, writer, state.epoch, run.first_number, run.last_number, run.last_lsn,
                                run.stamp_ns)  # fmt: skip

    def _refuse(self, log: Log, peer: bytes, writer: str, why: str = "") -> None:
        """Say where the writer stands, as of what is durable or in this turn's batch, and `why` never, if so."""
        head = self._head(log, writer)
        refused = AppendRefused(writer, head.epoch, head.append_number + 1, log.epoch, why)
        self.effects.append(Send(LINK, refused, peer))

    def _epoch(self, log: Log, peer: bytes, request: EpochRequest, now: Instant) -> None:
        writer, token = request.writer, request.token
        try:
            writer_field(writer)
        except JournalError as error:
            self.note("error", "bad_writer", writer=writer, why=str(error))
            return
        if writer in (OWN_WRITER, TERM_WRITER):
            self.note("error", "bad_writer", writer=writer, why="this name is the log's own")
            return
        if any(grant.writer == writer and grant.token == token for grant in self._batch.grants):
            return
        state = log.writers.get(writer)
        if state is not None and self._head(log, writer).epoch == state.epoch:
            try:
                granted = self._granted_before(log, writer, state, token)
            except JournalError as error:
                self._fail(log, error)
                return
            if granted is not None:
                # What the copy does not hold yet is granted when it does.
                if granted.lsn <= self._told_lsn(log, granted.lsn):
                    self.effects.append(Send(LINK, granted, peer))
                return
        if token in self._tokens.get(writer, ()):
            # Asked again while nobody answered, and granted since: the asker has that epoch, a later one, or is dead.
            self.note("info", "asked_long_ago", writer=writer)
            return
        epoch = max(self._head(log, writer).epoch + 1, self._stamp_ns(log, now) // NS_PER_S, log.least_epoch)
        before = 0 if state is None else state.epoch_lsn
        entry = Entry(EPOCH, writer, epoch, 0, token.to_bytes(TOKEN_BYTES, "little"))
        self._batch.grant(peer, entry, token, first_in_term=before < log.term_after_lsn)

    def _granted_before(self, log: Log, writer: str, state: WriterState, token: int) -> EpochGranted | None:
        """The grant of the present epoch, where it was this very request's: a repeat must not supersede itself.

        Raises JournalError where the log cannot be read any more.
        """
        try:
            records = self._reader.read(state.epoch_lsn, state.epoch_lsn)
        except Gone:
            return None
        if not records or records[0].kind != EPOCH or records[0].payload != token.to_bytes(TOKEN_BYTES, "little"):
            return None
        record = records[0]
        return _granted(log, writer, token, state.epoch, record.lsn, record.stamp_ns)

    # ---- the commit ----
    def _stamp_ns(self, log: Log, now: Instant) -> int:
        """The journal's clock: from its base it advances by the boot clock only, and never goes back."""
        return max(log.last_stamp_ns, self._stamp_base_ns + now.boot_ns - self._boot_base_ns)

    def _commit(self, now: Instant) -> None:
        log, batch = self._log, self._batch
        if log is None or not batch:
            return
        self._batch = Batch()
        entries, offsets = batch.entries()
        had_room = log.room_ahead
        try:
            done = log.append(entries, self._stamp_ns(log, now))
        except NoSpace as error:
            self._is_full(error)
            return
        except LogFailed as error:
            self._fail(log, error)
            return
        if had_room and not log.room_ahead:
            # The room ahead was just used: get more, or say that there is none, with the next turn.
            self._room_boot_ns = now.boot_ns - ROOM_NS
        self._full = False
        self._batches += 1
        self._recorded_boot_ns = now.boot_ns
        if batch.acknowledgements:
            self._appended_boot_ns = now.boot_ns
        self._committed.append(Committed(batch, offsets, done))
        self._tell_committed(log, now)

    # ---- what is told of what is committed ----
    def _told_lsn(self, log: Log, lsn: int) -> int:
        """`lsn`, or the last record that may be told of if that is before it: what the copy holds, where that is waited
        for, and what was told already, while it is asked who goes on."""
        if self._told_upto is not None:
            lsn = min(lsn, self._told_upto)
        return lsn if self._copy is None or not self._copy.waits else min(lsn, self._copy.lsn)

    def _tell_committed(self, log: Log, now: Instant) -> None:
        """Grant, acknowledge and publish the batches that may be told of, in the order of the log."""
        told_lsn = self._told_lsn(log, log.last_lsn)
        while self._committed and self._committed[0].done.last_lsn <= told_lsn:
            batch, offsets, done = self._committed.popleft()
            for grant in batch.grants:
                self._grant(log, grant, done.first_lsn + offsets[grant.writer] + grant.entry, done.stamp_ns)
            for taken in batch.acknowledgements:
                self._acknowledge(log, taken, done.first_lsn + offsets[taken.writer] + taken.entry, done.stamp_ns, now)
            self._publish(done.block, now, may_wait=batch.stream_may_wait)

    def _grant(self, log: Log, grant: Grant, lsn: int, stamp_ns: int) -> None:
        self._tokens[grant.writer].append(grant.token)
        self._peers[grant.writer] = grant.peer
        granted = _granted(log, grant.writer, grant.token, grant.epoch, lsn, stamp_ns)
        granted = msgspec.structs.replace(granted, first_in_term=grant.first_in_term)
        self.effects.append(Send(LINK, granted, grant.peer))

    def _acknowledge(self, log: Log, taken: Acknowledgement, lsn: int, stamp_ns: int, now: Instant) -> None:
        answer = Appended(taken.writer, taken.epoch, taken.first, taken.last, lsn, stamp_ns, log.epoch, self._announced)
        if not self._held_acks:
            self._acks_boot_ns = now.boot_ns
        self._held_acks.append(Send(LINK, answer, taken.peer))
        if not taken.may_wait or len(self._held_acks) >= HELD_ACKS:
            self._send_held_acks()

    def _send_appended(
        self, log: Log, peer: bytes, writer: str, epoch: int, first: int, last: int, lsn: int, stamp_ns: int
    ) -> None:
        answer = Appended(writer, epoch, first, last, lsn, stamp_ns, log.epoch, self._announced)
        self.effects.append(Send(LINK, answer, peer))

    def _send_held_acks(self) -> None:
        self.effects += self._held_acks
        self._held_acks.clear()

    def _publish(self, block: bytes, now: Instant, *, may_wait: bool) -> None:
        """Publish, or hold what nobody acts on for a moment, so that it wakes its readers with what follows."""
        if not self._held_blocks:
            self._held_boot_ns = now.boot_ns
        self._held_blocks.append(block)
        if not may_wait or len(self._held_blocks) >= HELD_BLOCKS:
            self._publish_held()

    def _publish_held(self) -> None:
        if self._held_blocks:
            self.effects.append(Publish(STREAM, b"".join(self._held_blocks)))
            self._held_blocks.clear()

    def _is_full(self, error: NoSpace) -> None:
        """Nothing was written and nothing is acknowledged: the writers ask, and send again."""
        self._low_disk = 1
        self._announced = JournalLevel.LOW_DISK
        if not self._full:
            self._full = True
            self.note("error", "disk_full", why=str(error))

    def _fail(self, log: Log, error: JournalError) -> None:
        """The disk failed, or what it holds cannot be read: no further acknowledgement. What is true is decided by the
        next start's recovery."""
        self._end(log, Exit(ExitStatus.INTEGRITY, str(error)))

    def _end(self, log: Log, end: Exit) -> None:
        """Nothing more is written, told or acknowledged."""
        log.abandon()
        self._log = None
        self._batch = Batch()
        self._committed.clear()
        self._held_acks.clear()
        self._held_blocks.clear()
        self.effects.append(end)

    # ---- what is announced ----
    def _announce(self, log: Log, now: Instant) -> None:
        """Look at what refuses what adds risk. A change is told at once, by a tick and to each writer: who refuses
        everything appends nothing, and would never hear in an acknowledgement that it is over."""
        behind = self._copy is not None and self._copy.is_behind(log.durable_lsn, self._stamp_ns(log, now))
        other = JournalLevel.COPY_BEHIND if behind else JournalLevel.NOTHING
        level = JournalLevel.LOW_DISK if self._low_disk else other
        if level == self._announced:
            return
        if JournalLevel.COPY_BEHIND in (level, self._announced):
            event = ("warning", "copy_behind") if behind else ("info", "copy_caught_up")
            self.note(*event, lsn=log.durable_lsn)
        self._announced, self._level_changed = level, True
        self._send_held_acks()
        for writer, peer in self._peers.items():
            state = log.writers.get(writer)
            if state is not None:
                self._send_appended(log, peer, writer, state.epoch, 0, 0, 0, 0)

    def _tell_durable_end(self) -> None:
        log, copy = self._log, self._copy
        if log is None or copy is None or not copy.waits_for(log.durable_lsn):
            return
        answer = DurableEnd(log.durable_lsn, log.last_stamp_ns, log.epoch, log.identity.hex(), log.term)
        self.effects.append(Send(LINK, answer, copy.take_peer()))

    # ---- room and refills ----
    def _look_at_room(self, log: Log, now: Instant) -> None:
        self._room_boot_ns = now.boot_ns
        ahead = log.prepare_next_segment()
        self._free_bytes = log.free_bytes()
        low = int(not ahead or self._free_bytes < self._settings.low_disk_bytes)
        if low != self._low_disk:
            self._low_disk = low
            level = "warning" if low else "info"
            self.note(level, "low_disk" if low else "room_again", free_bytes=self._free_bytes, room=log.room_bytes)
        self._announce(log, now)

    def _refill(self, peer: bytes, request: ReadRequest) -> None:
        log = self._log
        if log is None:
            return
        try:
            told_lsn = self._told_lsn(log, log.last_lsn)
            block = self._reader.read_block(request.from_lsn, min(request.upto_lsn, told_lsn), CHUNK_BYTES)
        except Gone as error:
            self.note("warning", "refill_gone", from_lsn=error.lsn, first_lsn=error.first_lsn)
            block = b""
        except JournalError as error:
            self._fail(log, error)
            return
        self.effects.append(Send(LINK, ReadChunk(request.from_lsn, block, told_lsn), peer))


def _granted(log: Log, writer: str, token: int, epoch: int, lsn: int, stamp_ns: int) -> EpochGranted:
    return EpochGranted(
        writer, token, epoch, lsn, stamp_ns, log.epoch, log.identity.hex(), log.term, log.term_after_lsn
    )  # fmt: skip


def _why_never(first: int, entries: list[tuple[int, bytes]]) -> str:
    """What is wrong with the first of the entries, numbered from `first` on, that no log can hold; "" for none."""
    for number, (kind, payload) in enumerate(entries, first):
        if not FIRST_FREE_KIND <= kind <= MAX_KIND:
            return f"append {number} has kind {kind}, which is none of a writer's"
        if len(payload) > MAX_PAYLOAD_BYTES:
            return f"append {number}, kind {kind}, has {len(payload)} bytes; a record has at most {MAX_PAYLOAD_BYTES}"
    return ""
