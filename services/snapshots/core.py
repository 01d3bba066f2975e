"""The actor `snapshots`: it has a snapshot made of every folded state when the log has grown, and old segments dropped.

Theory of operation. Each second it asks the journal how far the log is. When it has grown by `snapshot_records` a round
begins: the snapshot program of every actor that folds the log, one after the other, each a process of its own at the
least priority, so that the live actors notice nothing. A round ends with a look at what is there
(`services.snapshots.survey`): from which record on the snapshots need the log, and which segments lie before that and
beyond `retention_bytes`. Those the journal is told to drop, one at a time. A snapshot counts once its actor's program
has loaded it in this process's life: what merely stands there may be of a form that nobody can start from.

Nothing depends on this process: without it the log grows and a start takes longer.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from common.actor.acts import do_act
from common.actor.core import Call, Core, Send
from common.actor.programs import ProgramEnded, RunProgram
from common.actor.snapshots import Made
from common.instant import NS_PER_S, Instant
from common.messages import ControlAnswer, ControlRequest

JOURNAL = "journal"
SURVEY = "services.snapshots.survey"
ASK_NS = NS_PER_S


class Program(msgspec.Struct, frozen=True):
    """How a snapshot of the actor `name` is made."""

    name: str
    run: RunProgram


class SnapshotsSettings(msgspec.Struct, frozen=True):
    """The programs, in the order of a round; `snapshot_records` begin the next one, `retention_bytes` 0 keeps all."""

    programs: Sequence[Program]
    snapshot_records: int
    retention_bytes: int


class Survey(msgspec.Struct, frozen=True):
    """What the survey program prints: where the newest snapshot of each name stands, from which record on the log is
    needed, by whom, and the first records of the segments to begin with after each drop, ascending."""

    newest: dict[str, int]
    needed_lsn: int
    needed_by: str
    drops: list[int]


class SnapshotsCore(Core):
    """See the module."""

    def __init__(self, settings: SnapshotsSettings) -> None:
        """Nothing is known before the first survey."""
        super().__init__("snapshots")
        self._settings = settings
        self._ask_boot_ns = 0
        self._log_lsn = 0
        self._sessions: list[str] = []
        self._waiting: list[Program] = []
        self._calls = 0
        self._busy = ""
        self._round_lsn: int | None = None
        self._survey = Survey({}, 0, "", [])
        self._told: dict[str, dict[str, object]] = {}
        self._loads: dict[str, list[int]] = {program.name: [] for program in settings.programs}
        self._drops: list[int] = []
        self._dropped = 0
        self._rounds = 0

    # ---- inputs ----

    def started(self, now: Instant) -> None:
        """Ask the journal; the first survey follows its answer."""
        self._ask(now)

    def timer(self, now: Instant) -> None:
        """Ask again."""
        if now.boot_ns >= self._ask_boot_ns:
            self._ask(now)

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        return self._ask_boot_ns

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """The journal's answer to a question or a drop."""
        if isinstance(message, ControlRequest):
            self.effects.append(Send("control", do_act(self.name, {}, message, now), peer))
        elif isinstance(message, ControlAnswer) and link == JOURNAL:
            if message.token:
                self._drop_answered(message)
            else:
                self._heard(orjson.loads(message.detail) if message.ok else {})

    def call_finished(self, number: int, result: msgspec.Struct, now: Instant) -> None:
        """A program of the round ended, or the survey."""
        assert isinstance(result, ProgramEnded)
        name, self._busy = self._busy, ""
        if name == SURVEY:
            self._surveyed(result)
            return
        text = result.text
        self._loads[name] = []
        if result.ok:
            made = msgspec.json.decode(text, type=Made)
            self._loads[name] = made.loads
            text = f"at LSN {made.lsn}"
        self._told[name] = {"ok": result.ok, "text": text, "loads": self._loads[name]}
        self.note("info" if result.ok else "error", "snapshot", of=name, ok=result.ok, text=text)
        self._next()

    def status(self, now: Instant) -> dict[str, object]:
        """What `fixring status` shows; `lsn` is where the oldest of the newest snapshots stands."""
        newest = self._survey.newest
        return {
            "state": "live",
            "epoch": 0,
            "lsn": min(newest.values(), default=0),
            "making": self._busy,
            "rounds": self._rounds,
            "newest": newest,
            "last": self._told,
            "needed_lsn": self._survey.needed_lsn,
            "needed_by": self._survey.needed_by,
            "dropped_segments": self._dropped,
        }

    # ---- the log's length ----

    def _ask(self, now: Instant) -> None:
        self._ask_boot_ns = now.boot_ns + ASK_NS
        self.effects.append(Send(JOURNAL, ControlRequest("status", by=self.name)))

    def _heard(self, journal: dict[str, Any]) -> None:
        self._log_lsn = max(self._log_lsn, int(journal.get("durable_lsn", 0)))
        self._sessions = [name for name in journal.get("writers", ()) if name.startswith("session@")]
        if not self._log_lsn or self._busy:
            return
        if self._round_lsn is None:
            self._look()
        elif self._log_lsn - self._round_lsn >= self._settings.snapshot_records:
            self._round_lsn = self._log_lsn
            self._waiting = list(self._settings.programs)
            self._next()

    # ---- a round ----

    def _next(self) -> None:
        if self._waiting:
            program = self._waiting.pop(0)
            self._run(program.name, program.run)
        else:
            self._rounds += 1
            self._look()

    def _look(self) -> None:
        """A session that has records and is not configured now may come back: what it needs is kept."""
        names = sorted({*(program.name for program in self._settings.programs), *self._sessions})
        arguments = [argument for name in names for argument in ("--name", name)]
        for name, lsns in self._loads.items():
            arguments += ["--program", name]
            arguments += [argument for lsn in lsns for argument in ("--loads", name, str(lsn))]
        self._run(SURVEY, RunProgram(SURVEY, (*arguments, "--retention-bytes", str(self._settings.retention_bytes))))

    def _run(self, name: str, program: RunProgram) -> None:
        self._busy = name
        self._calls += 1
        self.effects.append(Call(self._calls, program))

    def _surveyed(self, result: ProgramEnded) -> None:
        if not result.ok:
            self.note("error", "survey", text=result.text)
            self._round_lsn = self._log_lsn if self._round_lsn is None else self._round_lsn
            return
        self._survey = msgspec.json.decode(result.text, type=Survey)
        if self._round_lsn is None:
            own = [self._survey.newest.get(program.name, 0) for program in self._settings.programs]
            self._round_lsn = min(own, default=0)
        self._drops = list(self._survey.drops)
        self._drop()

    # ---- old segments ----

    def _drop(self) -> None:
        """One segment a request, so that the journal's loop serves others between them."""
        if self._drops:
            below = self._drops.pop(0)
            self.effects.append(
                Send(JOURNAL, ControlRequest("drop", orjson.dumps({"below": below}), by=self.name, token=below))
            )

    def _drop_answered(self, answer: ControlAnswer) -> None:
        self.note("info" if answer.ok else "warning", "drop", below=answer.token, ok=answer.ok, text=answer.text)
        if answer.ok:
            self._dropped += 1
            self._drop()
        else:
            self._drops.clear()
