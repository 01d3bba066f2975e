"""Snapshots of what an actor folds: made by a process of their own that folds the same state, used at the actor's
start.

The actor's core only says when (`Call(number, MakeSnapshot(...))`); its shell's worker runs `make_in_process`, which
starts the actor's snapshot program and waits for it. That program begins with the newest snapshot itself, folds what
the log has gained, writes, reads back, and removes all but the newest two. So the live loop never stops to write its
state down.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from common.actor.snapshot_calls import MakeSnapshot, SnapshotMade
from common.config import Config
from common.journal import JournalError, OsFiles, Reader
from common.journal.frames import Record
from common.journal.snapshots import Snapshot, newest_snapshot, prune_snapshots, snapshot_folder, write_snapshot

LONGEST_S = 300.0
LEAST_PRIORITY = 19
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Foldable(Protocol):
    """What a snapshot is made of."""

    @property
    def lsn(self) -> int:
        """The last record folded; 0 for none."""

    def apply(self, record: Record) -> object:
        """Fold the next record."""

    def digest(self) -> bytes:
        """The state's own hash."""

    def dump(self) -> bytes:
        """The state in a form that the actor can load."""


F = TypeVar("F", bound=Foldable)


def load_newest(config: Config, name: str, load: Callable[[bytes], F]) -> F | None:
    """The state from the newest snapshot of `name` that verifies and whose digest is the loaded state's own, else
    None."""
    files = OsFiles()
    folder = snapshot_folder(config.journal_folder)
    try:
        snapshot = newest_snapshot(folder, files, name, Reader(config.journal_folder, files))
        if snapshot is None:
            return None
        state = load(snapshot.payload)
    except (JournalError, OSError, msgspec.DecodeError, ValueError, KeyError):
        # A snapshot is a cache. What is wrong with the log itself is the journal's to say.
        return None
    return state if state.lsn == snapshot.at.lsn and state.digest() == snapshot.digest else None


def make_snapshot(config: Config, name: str, state: Foldable) -> int:
    """Fold `state` on to the end of the durable log, write it down, and return the LSN that it stands on.

    Raises what the log's reader and the snapshot's writer raise.
    """
    files = OsFiles()
    reader = Reader(config.journal_folder, files)
    folder = snapshot_folder(config.journal_folder)
    last = reader.durable_lsn()
    while state.lsn < last:
        records = reader.read(state.lsn + 1 if state.lsn else reader.first_lsn(), last)
        if not records:
            break
        for record in records:
            state.apply(record)
    if state.lsn:
        write_snapshot(folder, files, Snapshot(name, reader.link_at(state.lsn), state.digest(), state.dump()))
        prune_snapshots(folder, files, name)
    return state.lsn


def _stand_back() -> None:
    """Least priority, and no longer life than the actor's own."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(LEAST_PRIORITY)


def make_in_process(call: msgspec.Struct) -> SnapshotMade:
    """The worker's function: run the snapshot program of a `MakeSnapshot`, at the least priority, and wait for it."""
    assert isinstance(call, MakeSnapshot)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", call.module, *call.arguments],
            capture_output=True, text=True, timeout=LONGEST_S, check=False,
            preexec_fn=_stand_back,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return SnapshotMade(False, str(error))
    return SnapshotMade(done.returncode == 0, (done.stdout if done.returncode == 0 else done.stderr).strip()[-500:])
