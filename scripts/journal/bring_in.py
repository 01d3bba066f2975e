"""Bringing a former host's evidence into the log that goes on, each frame of it once, whenever it is broken off."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from common.actor.control import ask
from common.config import Config
from common.journal import OsFiles, Reader, iterate
from common.messages import MAX_REQUEST_BYTES
from common.reconcile.journal_books import JournalBooks
from scripts.journal.kept import Judge, Kept
from services.orders.evidence import MOST_ROWS, EvidenceRow, frame_of

WRITTEN_S: Final = 10.0
POLL_S: Final = 0.05
MOST_BYTES: Final = MAX_REQUEST_BYTES * 3 // 4


class Stopped(Exception):
    """What was taken was not in the journal in time."""


class BroughtIn(NamedTuple):
    """`rows` are new; `before` were in the log already; `silent` records of the kept folder had been told to nobody."""

    fork_lsn: int
    rows: list[EvidenceRow]
    before: int
    silent: int


def bring_in(config: Config, folder: Path, host: str, *, look: bool = False) -> BroughtIn:
    """Judge the kept `folder` of `host` by the books, and have orders write what is not in the log yet; with `look`
    nothing is written.

    Raises NotComparable, Stopped, JournalError, and what `ask` raises.
    """
    log = Reader(config.journal_folder, OsFiles())
    kept = Kept(folder, log, host)
    books = JournalBooks(config)
    books.read_on()
    in_log = _Log(config, kept.fork_lsn)
    in_log.read_on(books.lsn)
    found = Judge(books.books).judge(kept)
    rows = [row for row in found if row.frame not in in_log.frames]
    for offered in () if look else _portions(rows):
        arguments = {"read_lsn": in_log.lsn, "rows": [msgspec.to_builtins(row) for row in offered]}
        ask(config.reach, "orders", "evidence", arguments)
        in_log.wait_for({row.frame for row in offered})
    return BroughtIn(kept.fork_lsn, rows, len(found) - len(rows), kept.silent)


def _portions(rows: list[EvidenceRow]) -> Iterator[list[EvidenceRow]]:
    """As many at once as a control link takes."""
    portion, size = list[EvidenceRow](), 0
    for row in rows:
        row_size = len(msgspec.json.encode(row))
        if portion and (len(portion) == MOST_ROWS or size + row_size > MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += row_size
    if portion:
        yield portion


class _Log:
    """Which frames the log has as evidence, as far as it was read. No evidence of a host stands before it was left."""

    def __init__(self, config: Config, lsn: int) -> None:
        self._reader = Reader(config.journal_folder, OsFiles())
        self.lsn = lsn
        self.frames: set[str] = set()

    def read_on(self, upto_lsn: int) -> None:
        for record in iterate(self._reader.folder, OsFiles(), self.lsn + 1, upto_lsn):
            self.lsn = record.lsn
            self.frames.add(frame_of(record))

    def wait_for(self, frames: set[str]) -> None:
        """Until the log has them. Raises Stopped."""
        until_s = time.monotonic() + WRITTEN_S
        while not frames <= self.frames:
            if time.monotonic() > until_s:
                raise Stopped(f"{len(frames - self.frames)} differences are not in the journal yet")
            time.sleep(POLL_S)
            self.read_on(self._reader.durable_lsn())
