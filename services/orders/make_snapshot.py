"""`python -P -m services.orders.make_snapshot`: fold the log on from the newest snapshot, and write the next one."""

import sys
from collections.abc import Callable, Sequence

from common.actor.snapshots import load_newest, older_state, run_snapshot_program
from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.frames import Record
from common.journal.skipped import skipped_records
from common.left_out import LeftOut, Unfoldable
from common.orders.books import Books
from common.orders.fold import FOLD_VERSION, WRITER, Fold
from common.orders.forgotten import Forgotten, MemoryForgotten
from common.orders.index_file import IndexView, index_path, sync_index
from common.orders.snapshots import dump_books, load_books
from services.orders.new_rules import Standing, standing_of
from services.orders.settings import orders_settings


class Folded:
    """The books and their fold, as `common.actor.snapshots` wants a state."""

    def __init__(self, books: Books) -> None:
        """`books` may be fresh or loaded."""
        self.books = books
        self.fold_version = FOLD_VERSION
        self.apply: Callable[[Record], object] = Fold(books).apply

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self.books.lsn

    def digest(self) -> bytes:
        """The books' own hash."""
        return self.books.digest()

    def dump(self) -> bytes:
        """The books as bytes."""
        return dump_books(self.books)


def loader(
    config: Config, unfoldable: Sequence[Unfoldable] = (), memory: Forgotten | None = None
) -> Callable[[bytes], Folded]:
    """What makes books of a snapshot's bytes. `memory` has what has left theirs: as the index of orders, where none is
    given."""
    facts = {name: account.facts for name, account in orders_settings(config).accounts.items()}
    skipped = skipped_records(config.journal_folder, OsFiles())
    left = IndexView(index_path(config.journal_folder), FOLD_VERSION) if memory is None else memory
    return lambda data: Folded(load_books(data, facts, LeftOut(skipped, unfoldable), memory=left))


def newest_books(
    config: Config,
    reader: Reader | None = None,
    upto_lsn: int | None = None,
    unfoldable: Sequence[Unfoldable] = (),
    memory: Forgotten | None = None,
) -> Books:
    """The books from the newest snapshot (at `upto_lsn` at most) that verifies, else empty ones.

    `unfoldable` is left out; `memory` as for `loader`.
    """
    facts = {name: account.facts for name, account in orders_settings(config).accounts.items()}
    left = IndexView(index_path(config.journal_folder), FOLD_VERSION) if memory is None else memory
    folded = load_newest(config, WRITER, loader(config, unfoldable, left), reader, upto_lsn)
    skipped = skipped_records(config.journal_folder, OsFiles())
    return Books(facts, left_out=LeftOut(skipped, unfoldable), memory=left) if folded is None else folded.books


def standing_before(config: Config, reader: Reader | None = None) -> Standing | None:
    """What the newest snapshot of an older version of the fold holds; None where this version has one of its own."""
    older = older_state(config, WRITER, FOLD_VERSION, loader(config, (), MemoryForgotten()), reader)
    return None if older is None else standing_of(older[0].books, older[1])


if __name__ == "__main__":
    sys.exit(
        run_snapshot_program(
            WRITER,
            loader,
            lambda config: Folded(newest_books(config)),
            lambda config: sync_index(index_path(config.journal_folder)),
        )
    )
