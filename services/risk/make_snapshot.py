"""`python -P -m services.risk.make_snapshot`: fold the log on from the newest snapshot, and write the next one."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from common.actor.filled_index import fill_index, follows
from common.actor.snapshots import load_newest, run_snapshot_program, start_beside
from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.skipped import skipped_records
from common.left_out import LeftOut, Unfoldable
from common.orders.books import Books
from common.orders.forgotten import Forgotten
from common.orders.index_file import IndexFile, IndexView, index_path, sync_index
from common.orders.snapshots import load_books
from services.risk.settings import risk_settings
from services.risk.snapshots import load_former, load_state
from services.risk.state import FOLD_VERSION, WRITER, RiskState


def loader(
    config: Config,
    unfoldable: Sequence[Unfoldable] = (),
    memory: Forgotten | None = None,
    folder: Path | None = None,
) -> Callable[[bytes | None], RiskState]:
    """What makes a state of a snapshot's bytes, and of None an empty one. `memory` has what has left its books' memory:
    as the index of risk, where none is given. `folder` as for the books of orders."""
    folder = folder or config.journal_folder
    facts = {name: account.facts for name, account in risk_settings(config).accounts.items()}
    skipped = skipped_records(folder, OsFiles())
    left = IndexView(index_path(folder, WRITER), FOLD_VERSION) if memory is None else memory

    def load(data: bytes | None) -> RiskState:
        if data is None:
            return RiskState(Books(facts, left_out=LeftOut(skipped, unfoldable), memory=left))
        try:
            return load_state(data, facts, LeftOut(skipped, unfoldable), left)
        except msgspec.ValidationError:
            return load_former(data, config, load_of_orders)

    def load_of_orders(data: bytes) -> RiskState:
        return RiskState(load_books(data, facts, LeftOut(skipped, unfoldable), memory=left))

    return load


def newest_state(
    config: Config,
    reader: Reader | None = None,
    upto_lsn: int | None = None,
    unfoldable: Sequence[Unfoldable] = (),
    memory: Forgotten | None = None,
) -> RiskState:
    """The state from the newest snapshot (at `upto_lsn` at most) that verifies, else an empty one.

    `unfoldable` is left out; `memory` as for `loader`.
    """
    load = loader(config, unfoldable, memory, None if reader is None else Path(reader.folder))
    return load_newest(config, WRITER, load, reader, upto_lsn) or load(None)


def starting_state(
    config: Config, index: IndexFile, reader: Reader, unfoldable: Sequence[Unfoldable] = ()
) -> RiskState:
    """The newest snapshot's state whose forgotten fills are in the index; where there is none, an empty one as long as
    the log still has everything, else the newest, and the index is known to lack what was forgotten before it.
    `unfoldable` is left out.

    Raises IndexFailed.
    """
    return start_beside(
        index, FOLD_VERSION, lambda upto_lsn: newest_state(config, reader, upto_lsn, unfoldable, index), reader
    )


def newest(config: Config) -> RiskState:
    """Where a snapshot goes on from. In a folder that follows another host's journal no risk writes the index: there
    it is written first, from the state as it is folded on.

    Raises JournalError, StateDiffers, OSError.
    """
    return fill_index(config, WRITER, _begin_filling) if follows(config) else newest_state(config)


def _begin_filling(config: Config, index: IndexFile, reader: Reader) -> tuple[RiskState, None]:
    return starting_state(config, index, reader), None


if __name__ == "__main__":
    sys.exit(
        run_snapshot_program(
            WRITER,
            loader,
            newest,
            lambda config: sync_index(index_path(config.journal_folder, WRITER)),
            for_the_past=True,
        )
    )
