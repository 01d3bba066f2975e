"""A host that follows keeps itself warm: the snapshots and indexes that a start begins with are made as the log grows.

The same programs make them as beside a running stack (`services.snapshots`), one at a time, each at the least priority
and bounded; they read what stands in the folder, so what the stream holds of a fenced host is in none of them. What is
there is believed as at any start: a snapshot that verifies, stands on a record of this log and loads, an index whose
rows are sound. Nothing else is remembered, so a `kill -9` at any moment costs the round that was under way.
"""

from collections.abc import Callable
from subprocess import SubprocessError
from typing import Final, Protocol

import msgspec

from common.actor.programs import ProgramEnded, RunProgram
from common.actor.run_program import ProgramBeside
from common.actor.snapshots import Made
from common.config import Config
from common.journal import JournalError, OsFiles, Reader
from common.journal.snapshots import snapshot_folder, verified_lsns
from services.snapshots.core import Program, SnapshotsSettings
from services.snapshots.settings import snapshots_settings

RETRY_S: Final = 60.0
"""After a program has failed the next round begins so much later at the earliest."""


class Running(Protocol):
    """A program that runs, as `ProgramBeside`."""

    def ended(self) -> ProgramEnded | None:
        """How it ended; None while it runs."""

    def end(self, why: str) -> ProgramEnded:
        """Kill it, and wait until it is gone."""


class Warming:
    """Rounds of the snapshot programs, over a log that follows another host's.

    `warm` is where the newest snapshot of each actor stands, 0 where there is none; `failures` why the last program of
    an actor made none.
    """

    def __init__(
        self,
        settings: SnapshotsSettings,
        warm: dict[str, int],
        begin: Callable[[RunProgram], Running] = ProgramBeside,
    ) -> None:
        """`warm` is what is there already; `begin` starts a program."""
        self.warm = {program.name: warm.get(program.name, 0) for program in settings.programs}
        self.failures: dict[str, str] = {}
        self._settings = settings
        self._begin = begin
        self._waiting: list[Program] = []
        self._name = ""
        self._running: Running | None = None
        self._retry_s = 0.0

    @classmethod
    def of_folder(cls, config: Config) -> "Warming":
        """What the configured journal's folder holds already."""
        settings, files = snapshots_settings(config), OsFiles()
        reader, folder = Reader(config.journal_folder, files), snapshot_folder(config.journal_folder)
        warm: dict[str, int] = {}
        for program in settings.programs:
            try:
                warm[program.name] = max(verified_lsns(folder, files, program.name, reader, 1), default=0)
            except JournalError:
                # Of a folder that is empty yet, or not to be read now, its programs say what is wrong.
                warm[program.name] = 0
        return cls(settings, warm)

    @property
    def lsn(self) -> int:
        """Every actor starts from a snapshot at this record, or at a later one."""
        return min(self.warm.values(), default=0)

    def look(self, followed_lsn: int, now_s: float) -> bool:
        """Look after the program that runs, or begin the next that is due, at `now_s` of any steady clock. Whether a
        round has ended."""
        if self._running is not None:
            ended = self._running.ended()
            if ended is None:
                return False
            self._running = None
            self._take(ended, now_s)
        else:
            self._waiting = self._due(followed_lsn) if now_s >= self._retry_s else []
            if not self._waiting:
                return False
        if self._waiting:
            self._next(now_s)
            return False
        return True

    def _due(self, followed_lsn: int) -> list[Program]:
        """Whose snapshot the log is beyond by a round's worth; what is far behind is due again at once."""
        own = self._settings
        return [each for each in own.programs if followed_lsn - self.warm[each.name] >= own.snapshot_records]

    def _next(self, now_s: float) -> None:
        program = self._waiting.pop(0)
        self._name = program.name
        try:
            self._running = self._begin(program.run)
        except (OSError, SubprocessError) as error:
            self._waiting.clear()
            self._take(ProgramEnded(False, str(error)), now_s)

    def _take(self, ended: ProgramEnded, now_s: float) -> None:
        self.failures.pop(self._name, None)
        if ended.ok:
            self.warm[self._name] = msgspec.json.decode(ended.text, type=Made).lsn
        else:
            self.failures[self._name] = ended.text
            self._retry_s = now_s + RETRY_S

    def end(self) -> None:
        """No program runs any more when this returns."""
        self._waiting.clear()
        if self._running is not None:
            self._running.end("the standby ends")
            self._running = None

    @property
    def text(self) -> str:
        """How warm it is, in a line; another one for each program that failed."""
        rows = ", ".join(f"{name} {lsn}" for name, lsn in self.warm.items())
        failures = (f"  no snapshot of {name}: {why}" for name, why in self.failures.items())
        return "\n".join((f"warm up to record {self.lsn} ({rows})", *failures))
