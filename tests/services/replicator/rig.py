"""The replicator's core and worker against a real log on a disk in memory, and a replicated log that misbehaves."""

import msgspec

from common.actor.core import Call, Exit, Note, Send
from common.instant import NS_PER_MS, Instant
from common.journal import Entry, Log, Reader
from common.journal.frames import end_of
from common.messages import CopyReport, DurableEnd
from scripts.simulation.disk import Disk
from services.replicator.copier import Copier
from services.replicator.core import ReplicatorCore
from tests.common.replication.fake import FakeLog

FOLDER = "/journal"
WALL_NS = 1_800_000_000_000_000_000


class Rig:
    """Turn by turn: the worker is run when the test says so, and the journal answers when it has more."""

    def __init__(self, *, segment_bytes: int = 1 << 16) -> None:
        self.disk = Disk()
        self.files = self.disk.files()
        self.log = Log.open(FOLDER, self.files, wall_ns=WALL_NS, segment_bytes=segment_bytes)
        self.stream = FakeLog(f"fixring-{self.log.identity.hex()}")
        self.opened: list[str] = []
        self.fences: list[str] = []
        self.exits: list[Exit] = []
        self.notes: list[Note] = []
        self.reports: list[CopyReport] = []
        self.now = Instant(WALL_NS, 5_000_000_000)
        self._number = 0
        self._asked: CopyReport | None = None
        self.start()

    def start(self) -> None:
        """A new process of the replicator."""
        self._calls: list[Call] = []
        self.copier = Copier(self._open, Reader(FOLDER, self.files), self.fences.append)
        self.core = ReplicatorCore("async")
        self.core.started(self.now)
        self._take()

    def _open(self, journal_id: str) -> FakeLog:
        self.opened.append(journal_id)
        return self.stream

    def append(self, *payloads: bytes) -> None:
        """One batch more in the log."""
        entries = []
        for payload in payloads:
            self._number += 1
            entries.append(Entry(16, "me", 1, self._number, payload))
        self.log.append(entries, self.log.last_stamp_ns + NS_PER_MS)

    def answer(self) -> None:
        """The journal's answer, once it has more than was reported."""
        asked = self._asked
        if asked is not None and (self.log.durable_lsn > asked.lsn or not self.opened):
            self._asked = None
            log = self.log
            end = DurableEnd(log.durable_lsn, log.last_stamp_ns, log.epoch, log.identity.hex(), log.term)
            self.core.received("journal", b"", end, self.now)
            self._take()

    def work(self) -> msgspec.Struct | None:
        """Run what the worker was given; its answer."""
        if not self._calls:
            return None
        call = self._calls.pop(0)
        result = self.copier.work(call.argument)
        self.core.call_finished(call.number, result, self.now)
        self._take()
        return result

    def wait(self, ms: int) -> None:
        """Let time pass, with timers, answers and work as they come."""
        end = self.now.boot_ns + ms * NS_PER_MS
        while not self.exits:
            self.answer()
            if self.work() is not None:
                continue
            due = self.core.next_deadline_ns()
            if due is None or due > end:
                break
            step = max(1, due - self.now.boot_ns)
            self.now = Instant(self.now.wall_ns + step, self.now.boot_ns + step)
            self.core.timer(self.now)
            self._take()
        self.now = Instant(self.now.wall_ns + end - self.now.boot_ns, end)

    def _take(self) -> None:
        effects, self.core.effects = self.core.effects, []
        for effect in effects:
            if isinstance(effect, Call):
                assert not self._calls, "one piece of work at a time"
                self._calls.append(effect)
            elif isinstance(effect, Exit):
                self.exits.append(effect)
            elif isinstance(effect, Note):
                self.notes.append(effect)
            elif isinstance(effect, Send) and isinstance(effect.message, CopyReport):
                self.reports.append(effect.message)
                self._asked = effect.message

    def copied(self) -> bytes:
        """All that the stream holds."""
        return b"".join(batch.block for batch in self.stream.held)

    def own(self) -> bytes:
        """All that the log holds and is durable."""
        reader, block, lsn = Reader(FOLDER, self.files), b"", 0
        while lsn < self.log.durable_lsn:
            block += reader.read_block(lsn + 1, self.log.durable_lsn)
            lsn = end_of(block).lsn
        return block
