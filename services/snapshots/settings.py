"""Which snapshot programs there are, as the configuration has it."""

from common.actor.programs import RunProgram
from common.config import Config
from services.snapshots.core import Program, SnapshotsSettings


def snapshots_settings(config: Config) -> SnapshotsSettings:
    """The programs of every actor that folds the log, and when a round of them begins."""
    programs = [Program(name, RunProgram(f"services.{name}.make_snapshot")) for name in ("orders", "risk")]
    programs += [
        Program(f"session@{session}", RunProgram("services.session.make_snapshot", ("--session", session)))
        for session in config.sessions
    ]
    own = config.stack.journal
    return SnapshotsSettings(tuple(programs), own.snapshot_records, own.retention_bytes)
