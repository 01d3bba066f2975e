"""The actor `replicator`: it copies what is durable in the journal to a stream off the machine.

Theory of operation. The core says to the journal how far the copy is, and is told how far the log is durable as soon as
that is further; then the worker reads the next records from the segment files, publishes them, and says how far the
copy is now. So one message is under way at any time, and under load each holds all that was committed meanwhile. First,
and whenever the journal is another one, the worker compares the end of the stream with the log. In between all of the
stream is read again, once a day, and held against the log.

The journal judges whether the copy is too far behind, and announces it to all who add risk: with this process dead, or
the stream away, nothing is copied and the bound holds all the same. What the worker cannot do now is tried again; a
stream that another host writes, or that does not hold what the log does, ends the process.

Each report says when the stream was last asked whether another host has taken the journal over: a journal that has just
started, or stood still, tells nobody anything before it was asked since. Only the answer to a publication says it: what
is read may be read of a leader that is none any more.
"""

import msgspec

from common.actor.acts import do_act
from common.actor.core import Call, Core, Exit, Send
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import ControlRequest, CopyReport, DurableEnd
from services.replicator.words import CannotGoOn, Checked, CheckOn, Copied, CopyOn, NotNow, Place

JOURNAL = "journal"
REPORT_NS = NS_PER_S
"""A report is given again after so long without an answer: the journal may have been started again."""

RETRY_NS = 250 * NS_PER_MS
CHECK_PAUSE_NS = NS_PER_S
CHECK_EVERY_NS = 24 * 3600 * NS_PER_S


class ReplicatorCore(Core):
    """See the module."""

    def __init__(self, mode: str) -> None:
        """Nothing is known of the journal nor of the stream. `mode` is shown."""
        super().__init__("replicator")
        self._mode = mode
        self._journal_id = ""
        self._durable = DurableEnd(0, 0, 0, "")
        self._called_boot_ns = 0
        self._asked_boot_ns = 0
        self._copied: Copied | None = None
        self._calls = 0
        self._busy = False
        self._failing = ""
        self._unclear = 0
        self._report_boot_ns = 0
        self._retry_boot_ns = 0
        self._check_boot_ns = 0
        self._check_anew = True
        self._check_began_boot_ns = 0
        self._checked = Checked(0, False)
        self._checked_wall_ns = 0

    # ---- inputs ----

    def started(self, now: Instant) -> None:
        """Ask the journal who it is."""
        self._report(now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """The journal's durable end, or a person's request."""
        if isinstance(message, ControlRequest):
            self.effects.append(Send("control", do_act(self.name, {}, message, now), peer))
        elif isinstance(message, DurableEnd):
            self._heard(message)
            self._work(now)

    def call_finished(self, number: int, result: msgspec.Struct, now: Instant) -> None:
        """The worker is done with one piece of work."""
        self._busy = False
        match result:
            case Copied():
                self._copied, self._unclear = result, result.unclear
                if result.was_answered:
                    self._asked_boot_ns = self._called_boot_ns
                self._recovered()
                self._report(now)
            case Checked():
                self._take_check(result, now)
                self._recovered()
            case NotNow():
                self._failed(result, now)
            case CannotGoOn():
                if result.status is ExitStatus.FENCED:
                    self.effects.append(Send(JOURNAL, CopyReport(0, 0, fenced=True)))
                self.effects.append(Exit(result.status, result.text))
                return
        self._work(now)

    def timer(self, now: Instant) -> None:
        """Report again, try again, read on."""
        if now.boot_ns >= self._report_boot_ns + REPORT_NS:
            self._report(now)
        self._work(now)

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        due = self._report_boot_ns + REPORT_NS
        if not self._busy and self._journal_id:
            copying = self._copied is None or self._durable.lsn > self._copied.lsn
            due = min(due, self._retry_boot_ns if copying else max(self._retry_boot_ns, self._check_boot_ns))
        return due

    def status(self, now: Instant) -> dict[str, object]:
        """How far the copy is and how old; `lag_ms` is None while that is not known."""
        copied = self._copied
        lag_records = max(0, self._durable.lsn - copied.lsn) if copied else None
        lag_ns = max(0, self._durable.stamp_ns - copied.stamp_ns) if copied and lag_records else 0
        return {
            "state": "away" if self._failing else "live" if copied else "starting",
            "epoch": 0,
            "lsn": copied.lsn if copied else 0,
            "mode": self._mode,
            "journal_id": self._journal_id,
            "durable_lsn": self._durable.lsn,
            "lag_records": lag_records,
            "lag_ms": None if copied is None else round(lag_ns / NS_PER_MS, 1),
            "sequence": copied.sequence if copied else 0,
            "unclear": self._unclear,
            "failing": self._failing,
            "checked_sequence": self._checked.sequence,
            "checked_whole_ns": self._checked_wall_ns,
        }

    # ---- the journal ----

    def _report(self, now: Instant) -> None:
        self._report_boot_ns = now.boot_ns
        lsn, stamp_ns = (self._copied.lsn, self._copied.stamp_ns) if self._copied else (0, 0)
        self.effects.append(Send(JOURNAL, CopyReport(lsn, stamp_ns, self._asked_boot_ns)))

    def _heard(self, end: DurableEnd) -> None:
        if end.journal_id != self._journal_id:
            self._journal_id, self._copied = end.journal_id, None
        self._durable = end

    # ---- work ----

    def _work(self, now: Instant) -> None:
        """Give the worker what is next, if it is free and it is time."""
        if self._busy or not self._journal_id or now.boot_ns < self._retry_boot_ns:
            return
        copied = self._copied
        if copied is None:
            self._call(Place(self._journal_id, self._durable.lsn, self._durable.term), now)
        elif self._durable.lsn > copied.lsn:
            self._call(CopyOn(self._durable.lsn), now)
        elif now.boot_ns >= self._check_boot_ns:
            if self._check_anew:
                self._check_began_boot_ns = now.boot_ns
            self._call(CheckOn(self._check_anew), now)

    def _call(self, work: msgspec.Struct, now: Instant) -> None:
        self._busy, self._called_boot_ns = True, now.boot_ns
        self._calls += 1
        self.effects.append(Call(self._calls, work))

    def _failed(self, why: NotNow, now: Instant) -> None:
        if not self._failing:
            self.note("warning", "copy_away", text=why.text)
        self._failing, self._unclear = why.text, why.unclear
        self._retry_boot_ns = now.boot_ns + RETRY_NS
        if why.no_stream:
            # Nobody can have taken over by a stream that there is not.
            self._asked_boot_ns = self._called_boot_ns
            self._report(now)

    def _recovered(self) -> None:
        if self._failing:
            self.note("info", "copy_back", lsn=self._copied.lsn if self._copied else 0)
        self._failing = ""

    def _take_check(self, result: Checked, now: Instant) -> None:
        """Go on after a pause; the next pass begins a day after this one."""
        self._checked, self._check_anew = result, result.whole
        self._check_boot_ns = now.boot_ns + CHECK_PAUSE_NS
        if result.whole:
            self._checked_wall_ns = now.wall_ns
            self._check_boot_ns = max(self._check_boot_ns, self._check_began_boot_ns + CHECK_EVERY_NS)
