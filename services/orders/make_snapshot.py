"""`python -P -m services.orders.make_snapshot`: fold the log on from the newest snapshot, and write the next one."""

import sys

from common.actor.snapshots import load_newest, make_snapshot
from common.config import Config, ConfigError, load
from common.exit_status import ExitStatus
from common.journal import JournalError
from common.journal.frames import Record
from services.orders.books import Books
from services.orders.core import WRITER
from services.orders.fold import Fold
from services.orders.settings import orders_settings
from services.orders.snapshots import dump_books, load_books


class Folded:
    """The books and their fold, as `common.actor.snapshots` wants a state."""

    def __init__(self, books: Books) -> None:
        """`books` may be fresh or loaded."""
        self.books = books
        self._fold = Fold(books)

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self.books.lsn

    def apply(self, record: Record) -> object:
        """Fold the next record."""
        return self._fold.apply(record)

    def digest(self) -> bytes:
        """The books' own hash."""
        return self.books.digest()

    def dump(self) -> bytes:
        """The books as bytes."""
        return dump_books(self.books)


def newest_books(config: Config) -> Books:
    """The books from the newest snapshot that verifies, else empty ones."""
    facts = {name: venue.facts for name, venue in orders_settings(config).venues.items()}
    folded = load_newest(config, WRITER, lambda data: Folded(load_books(data, facts)))
    return Books(facts) if folded is None else folded.books


def main() -> int:
    """Make one snapshot; the exit status."""
    try:
        config = load()
        lsn = make_snapshot(config, WRITER, Folded(newest_books(config)))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return ExitStatus.CONFIGURATION
    except (JournalError, OSError) as error:
        print(error, file=sys.stderr)
        return ExitStatus.FAILURE
    print(f"at LSN {lsn}")
    return ExitStatus.OK


if __name__ == "__main__":
    sys.exit(main())
