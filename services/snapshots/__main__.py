"""`python -P -m services.snapshots`: has snapshots made, and old segments dropped."""

import sys

from common.actor.programs import RunProgram
from common.actor.run_program import run_program
from common.actor.shell import Shell
from common.actor.start import run_actor, shell_for
from common.config import Config
from common.messages import ControlAnswer
from services.snapshots.core import JOURNAL, Program, SnapshotsCore, SnapshotsSettings


def settings(config: Config) -> SnapshotsSettings:
    """Every actor that folds the log."""
    programs = [Program(name, RunProgram(f"services.{name}.make_snapshot")) for name in ("orders", "risk")]
    programs += [
        Program(f"session@{session}", RunProgram("services.session.make_snapshot", ("--session", session)))
        for session in config.sessions
    ]
    own = config.stack.journal
    return SnapshotsSettings(tuple(programs), own.snapshot_records, own.retention_bytes)


def build(config: Config) -> Shell:
    """The core with its links."""
    shell = shell_for(SnapshotsCore(settings(config)), config)
    shell.connect_dealer(JOURNAL, f"ipc://{config.paths.run}/control.journal", ControlAnswer)
    shell.worker(run_program)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(build))
