"""What is open or owned where the configuration knows nothing of it: as orders or risk say, else as the log does.

The configuration says what is traded; what exists, the log says. A venue's file or an instrument's table may be gone
while an order rests there. Nobody can cancel it then, and no command is to pass over it in silence. Nor over what a
session wrote while the journal was away, and now nobody hands over.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from common.actor.control import ask_all
from common.actor.order_books import newest_books
from common.config import Config
from common.journal import JournalError, NotThere, OsFiles, Reader
from common.journal.emergency import read_emergency
from common.orders.facts import outside
from common.orders.fold import Fold
from services.session.emergency import SUFFIX

ANSWER_S = 2.0


class NotKnown(Exception):
    """Nobody could say what is held outside the configuration; the text says why."""


def told_outside(details: Mapping[str, Mapping[str, Any]]) -> list[str] | None:
    """What the status answers of orders or risk say, a line each; None where neither has read the log to its end."""
    for name in ("orders", "risk"):
        rows = details.get(name, {}).get("outside")
        if rows is not None:
            return [_line(row) for row in rows]
    return None


class Stranded(NamedTuple):
    """An emergency file of a session that is not configured, in words."""

    session: str
    text: str

    def __str__(self) -> str:
        return f"NOT CONFIGURED: session@{self.session}: {self.text}; put its file back and start again"


def stranded(config: Config) -> list[Stranded]:
    """The emergency files that nobody hands to the journal, since their sessions are not configured."""
    files, folder = OsFiles(), config.emergency_folder
    try:
        names = sorted(files.list(str(folder)))
    except FileNotFoundError:
        return []
    except OSError as error:
        return [Stranded("*", f"what {folder} holds is not known: {error}")]
    found = []
    for name in names:
        session = name.removesuffix(SUFFIX).rpartition("-")[0]
        if name.endswith(SUFFIX) and session not in config.sessions and (text := _held_by(f"{folder}/{name}", files)):
            found.append(Stranded(session, text))
    return found


def _held_by(path: str, files: OsFiles) -> str:
    try:
        count = len(read_emergency(path, files))
    except (JournalError, OSError) as error:
        return f"its emergency file cannot be read: {error}"
    return f"{path} holds {count} records that the journal may lack" if count else ""


def find_outside(config: Config) -> list[str]:
    """The same, from the log itself where neither can say. Raises NotKnown."""
    answers = ask_all(config.reach, [(name, "status", {}) for name in ("orders", "risk")], ANSWER_S)
    told = told_outside(answers.details)
    return _read_outside(config) if told is None else told


def _read_outside(config: Config) -> list[str]:
    if (host := config.reach.host_of("journal")) is not None:
        raise NotKnown(f"what is open at venues that are not configured is not known here: the journal is on {host}")
    reader = Reader(config.journal_folder, OsFiles())
    configured = {name: account.venue.instruments for name, account in config.accounts.items()}
    try:
        books = newest_books(config, reader)
        fold, last = Fold(books), reader.durable_lsn()
        while records := reader.read(books.lsn + 1, last):
            for record in records:
                fold.apply(record)
    except NotThere:
        return []
    except (JournalError, OSError) as error:
        raise NotKnown(f"what is open at venues that are not configured is not known: {error}") from None
    return [_line(holding.row()) for holding in outside(books.holdings(), configured)]


def _line(row: Mapping[str, Any]) -> str:
    held = f"{row['open_orders']} orders open, position {row['position']}"
    return f"NOT CONFIGURED: {row['account']} {row['symbol']}: {held}; put its file or table back and start again"
