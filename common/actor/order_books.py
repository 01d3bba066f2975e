"""The books of orders from their newest snapshot: where orders, and whoever reads the log beside it, begins to fold."""

from collections.abc import Callable, Sequence
from pathlib import Path

from common.actor.snapshots import load_newest
from common.config import Config, ConfiguredAccount
from common.journal import OsFiles, Reader
from common.journal.frames import Record
from common.journal.skipped import skipped_records
from common.left_out import LeftOut, Unfoldable
from common.orders.books import Books, Leaving
from common.orders.facts import VenueFacts, facts_of
from common.orders.fold import FOLD_VERSION, WRITER, Fold
from common.orders.forgotten import Forgotten
from common.orders.index_file import IndexView, index_path
from common.orders.snapshots import dump_books, load_books
from common.venues.registry import find_profile
from common.venues.venue import Feature


def facts_of_account(account: ConfiguredAccount) -> VenueFacts:
    """What the configuration knows of the account's venue."""
    profile = find_profile(account.venue.dialect)
    fees_by_rest = not profile.has(Feature.FILL_FEES) and account.venue.rest is not None
    return facts_of(account.venue, profile.window_ns, profile.names, fees_by_rest=fees_by_rest)


def account_facts(config: Config) -> dict[str, VenueFacts]:
    """The same of every configured account, by its name."""
    return {name: facts_of_account(account) for name, account in config.accounts.items()}


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
    config: Config,
    unfoldable: Sequence[Unfoldable] = (),
    memory: Forgotten | None = None,
    leaving: Leaving | None = None,
    folder: Path | None = None,
) -> Callable[[bytes | None], Folded]:
    """What makes books of a snapshot's bytes, and of None empty ones. `memory` has what has left theirs: as the index
    of orders, where none is given; `leaving` as for `Books`. `folder` is that of the log that is read, where it is not
    the configured journal's: what was skipped stands beside it, and its index."""
    facts, folder = account_facts(config), folder or config.journal_folder
    skipped = skipped_records(folder, OsFiles())
    left = IndexView(index_path(folder), FOLD_VERSION) if memory is None else memory

    def load(data: bytes | None) -> Folded:
        left_out = LeftOut(skipped, unfoldable)
        if data is None:
            return Folded(Books(facts, left_out=left_out, memory=left, leaving=leaving))
        return Folded(load_books(data, facts, left_out, memory=left, leaving=leaving))

    return load


def newest_books(
    config: Config,
    reader: Reader | None = None,
    upto_lsn: int | None = None,
    unfoldable: Sequence[Unfoldable] = (),
    memory: Forgotten | None = None,
    leaving: Leaving | None = None,
) -> Books:
    """The books from the newest snapshot (at `upto_lsn` at most) that verifies, else empty ones.

    `unfoldable` is left out; `memory` and `leaving` as for `loader`.
    """
    load = loader(config, unfoldable, memory, leaving, None if reader is None else Path(reader.folder))
    return (load_newest(config, WRITER, load, reader, upto_lsn) or load(None)).books
