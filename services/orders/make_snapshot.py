"""`python -P -m services.orders.make_snapshot`: fold the log on from the newest snapshot, and write the next one."""

import sys
from collections.abc import Sequence

from common.actor.filled_index import Hear, fill_index, follows
from common.actor.order_books import Folded, loader, newest_books
from common.actor.snapshots import older_state, run_snapshot_program, start_beside
from common.config import Config
from common.journal import Reader
from common.left_out import Unfoldable
from common.orders.books import Books
from common.orders.fold import FOLD_VERSION, WRITER
from common.orders.forgotten import Forgotten
from common.orders.index import IntoIndex
from common.orders.index_file import IndexFile, index_path, sync_index
from services.orders.archive import Archive
from services.orders.new_rules import FoldSummary, standing_of


def standing_before(config: Config, reader: Reader | None = None) -> FoldSummary | None:
    """What the newest snapshot of an older version of the fold holds; None where this version has one of its own."""
    older = older_state(config, WRITER, FOLD_VERSION, loader(config, (), Forgotten()), reader)
    return None if older is None else standing_of(older[0].books, older[1])


def starting_books(
    config: Config, index: IndexFile, reader: Reader, unfoldable: Sequence[Unfoldable] = ()
) -> Books:
    """The newest snapshot's books whose forgotten orders are in the index; where there is none, empty ones as long as
    the log still has everything, else the newest, and the index is known to lack what was forgotten before it.
    `unfoldable` is left out.

    Raises IndexFailed.
    """
    into = IntoIndex(index)
    return start_beside(
        index, FOLD_VERSION, lambda upto_lsn: newest_books(config, reader, upto_lsn, unfoldable, index, into), reader
    )


def newest(config: Config) -> Folded:
    """Where a snapshot goes on from. In a folder that follows another host's journal no orders writes the index: there
    it is written first, from the books as they are folded on.

    Raises JournalError, StateDiffers, OSError.
    """
    return fill_index(config, WRITER, _begin_filling) if follows(config) else Folded(newest_books(config))


def _begin_filling(config: Config, index: IndexFile, reader: Reader) -> tuple[Folded, Hear]:
    folded = Folded(starting_books(config, index, reader))
    # Orders has nobody to tell what an earlier life heard late, and puts it into the index.
    return folded, Archive(folded.books, index).take_late


if __name__ == "__main__":
    sys.exit(
        run_snapshot_program(WRITER, loader, newest, lambda config: sync_index(index_path(config.journal_folder)))
    )
