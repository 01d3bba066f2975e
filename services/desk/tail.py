"""Reading on in the log's files beside the journal: up to its mark, never beyond, and never asking it anything.

The journal moves its mark every 100 ms, and writes a tick when nothing else was written: so the age of the last record
read is how far the desk lags, whoever still lives.
"""

from collections.abc import Callable
from typing import Final

from common.actor.order_books import newest_books
from common.config import Config
from common.instant import NS_PER_S
from common.journal import JournalError, OsFiles, Reader
from common.journal.errors import Gone, NotThere
from common.left_out import Unfoldable
from services.desk.view import View

READ_BYTES: Final = 64 << 10
"""Folded at a time, between two looks at the network: some milliseconds."""

MOST_UNFOLDABLE: Final = 100


class Tail:
    """The desk's place in the log, with the view of what stands before it."""

    def __init__(self, config: Config, begun_anew: Callable[[], None] = lambda: None) -> None:
        """Reads nothing yet. `begun_anew` is called when the view is another one and knows nothing of the last."""
        self._config = config
        self._begun_anew = begun_anew
        self._reader = Reader(config.journal_folder, OsFiles())
        self._unfoldable: list[Unfoldable] = []
        self.view: View | None = None
        self.behind = 0
        """How many records were marked and not read at the last look."""
        self.trouble = ""
        """Why nothing can be read now, in words; "" where it can."""

    def lag_s(self, wall_ns: int) -> float | None:
        """How old the last record read is, in seconds; None where none was."""
        if self.view is None or not self.view.books.stamp_ns:
            return None
        return max(0.0, (wall_ns - self.view.books.stamp_ns) / NS_PER_S)

    def read_on(self) -> bool:
        """Fold some of what is there; whether more is there already. What goes wrong stands in `trouble`."""
        try:
            if self.view is None:
                self._begin()
            return self._fold_some()
        except NotThere:
            self.trouble = "there is no journal yet"
        except Gone:
            # Retention has dropped what was not read yet: a snapshot stands behind it.
            self.view = None
            self.trouble = "beginning anew behind what retention dropped"
        except Unfoldable as error:
            self._unfoldable.append(error)
            self.view = None
            self.trouble = str(error)
            if len(self._unfoldable) > MOST_UNFOLDABLE:
                raise
        except (JournalError, OSError) as error:
            self.trouble = str(error)
        return False

    def _begin(self) -> None:
        self.view = View(newest_books(self._config, self._reader, unfoldable=self._unfoldable))
        self._begun_anew()

    def _fold_some(self) -> bool:
        view, reader = self.view, self._reader
        assert view is not None
        upto = reader.durable_lsn()
        records = reader.read(view.books.lsn + 1, upto, READ_BYTES)
        for record in records:
            view.apply(record)
        self.trouble = ""
        self.behind = max(0, upto - view.books.lsn)
        return bool(records) and self.behind > 0
