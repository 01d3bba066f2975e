"""The index beside the log in a folder that follows another host's: nobody but the maker of snapshots writes it there.

The index of orders, or of risk, is written by the actor itself as it folds the log, and no snapshot goes further. On a
host that follows neither runs. So whoever makes the snapshots there folds with the index open, as the actor would: it
begins where the actor's start would begin, puts what leaves memory, and has it all on the disk before a snapshot of
that is written. A program that is killed leaves what a killed actor leaves.
"""

from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

from common.actor.snapshots import LONGEST_FOLD_NS, Foldable, fold_on
from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.claims import FOLLOWING, claim_text
from common.journal.frames import Record
from common.orders.changes import Change
from common.orders.index_file import IndexFailed, IndexFile, index_path, sync_index

F = TypeVar("F", bound=Foldable)
Hear = Callable[[Record, list[Change]], None]


def follows(config: Config) -> bool:
    """Whether the journal's folder follows another host's journal, so that no actor runs on it. Raises OSError."""
    return claim_text(str(config.journal_folder), OsFiles(), FOLLOWING) is not None


class _Filling:
    """A fold that writes the index beside it, as `common.actor.snapshots` wants a state."""

    def __init__(self, state: Foldable, index: IndexFile, hear: Hear | None) -> None:
        self._state = state
        self.fold_version = state.fold_version
        self.digest, self.dump = state.digest, state.dump
        self._index = index
        self._hear = hear

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self._state.lsn

    def apply(self, record: Record) -> None:
        """Fold the next record."""
        changes: Any = self._state.apply(record)
        if changes and self._hear is not None:
            self._hear(record, changes)
        self._index.flush(record.lsn)


def fill_index(config: Config, writer: str, begin: Callable[[Config, IndexFile, Reader], tuple[F, Hear | None]]) -> F:
    """The state of the actor `writer`, folded on for `LONGEST_FOLD_NS` at most, with all that has left its memory in
    the index, and that on the disk. It is of no use to fold on with: the index is closed.

    `begin` gives the state where a start would begin, and who is told of a record that has changed something. Raises
    IndexFailed, IndexTooNew, StateDiffers, and what the log's reader raises.
    """
    reader, path = Reader(config.journal_folder, OsFiles()), index_path(config.journal_folder, writer)
    with closing(IndexFile(path)) as index:
        state, hear = begin(config, index, reader)
        fold_on(writer, _Filling(state, index, hear), reader, longest_ns=LONGEST_FOLD_NS)
        index.write(state.lsn)
    if sync_index(path) < state.lsn:
        raise IndexFailed(path, OSError(index.failure or f"it does not cover record {state.lsn}"))
    return state
