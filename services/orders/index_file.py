"""The index as an SQLite file beside the log.

Rows are gathered and written `PORTION` at a time, with the LSN up to which the log is covered in the same
transaction. A transaction is not synced when it ends: the file survives its process, and after a power loss it holds a
beginning of the transactions (SQLite's documentation, "Write-Ahead Logging", on `PRAGMA synchronous = NORMAL`), and
with it the LSN from which the log tells the rest. The program that makes the snapshots of orders syncs it first, so
that no snapshot is ahead of the durable index, and none of the log is dropped that the index still needs.

A file that is no index, or a broken one, is made anew from the log. One that cannot be opened for another reason (a
full disk, a lock, a permission) may be whole: it is left as it is, and orders does not start. Where the log no longer
has what a lost index held, the file says before which record it knows too little.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from common.messages import OrderEvent
from services.orders.names import Remembered

PORTION = 256
"""Rows in one transaction: a millisecond's work, so that a busy loop does not feel it."""

COVER_RECORDS = 1000
"""So often it is written down how far the log is covered, rows or none: a snapshot beyond that cannot be used."""

MAX_WAITING = 100_000
"""Rows that wait for a disk that does not take them."""

FORMAT = 3
_FORMAT_WITHOUT_LOST = 2

CHECKPOINT_PAGES = 16_384
"""Pages in SQLite's own log at which the writer itself copies them back, which takes syncs: only where nobody makes
snapshots, which does it before."""

_TABLES = """
CREATE TABLE IF NOT EXISTS covered (one INTEGER PRIMARY KEY CHECK (one = 1), lsn INTEGER, format INTEGER,
  lost_lsn INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS commands (strategy TEXT, number INTEGER, row BLOB, PRIMARY KEY (strategy, number))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (strategy TEXT, number INTEGER, row BLOB, PRIMARY KEY (strategy, number))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (cl_ord_id TEXT PRIMARY KEY, strategy TEXT, number INTEGER) WITHOUT ROWID;
"""

_encode = msgspec.msgpack.Encoder().encode
_command = msgspec.msgpack.Decoder(Remembered).decode
_order = msgspec.msgpack.Decoder(OrderEvent).decode


class IndexFailed(OSError):
    """The index cannot be used and may yet be whole, so that it was not made anew. `path` is the file."""

    def __init__(self, path: Path, cause: sqlite3.Error) -> None:
        super().__init__(
            f"{path}: the index of orders cannot be used: {cause}. It was left as it is. Make room on the disk, end "
            "what locks the file or give back the permission, and start again"
        )
        self.path = path


class _NoIndex(Exception):
    """What stands there is no index that this program can read."""


class IndexFile:
    """See `services.orders.index.Index`."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; one that is broken or of another form is made anew. Raises IndexFailed, OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._commands: dict[tuple[str, int], Remembered] = {}
        self._orders: dict[tuple[str, int], OrderEvent] = {}
        self._names: dict[str, tuple[str, int]] = {}
        self.complete = True
        self.failure = ""
        self.covered_lsn = 0
        self._lost_lsn = 0
        self._rows_missing = False
        try:
            self._database = self._open()
        except _NoIndex:
            self._database = self._anew()

    def lost_before(self, lsn: int) -> None:
        """The log does not tell any more what left memory by record `lsn`: what the file lacks of that is lost. From
        there on the log is covered. Raises IndexFailed."""
        self.complete = False
        self._lost_lsn = max(self._lost_lsn, lsn)
        try:
            with self._database as database:
                database.execute("UPDATE covered SET lsn = max(lsn, ?), lost_lsn = ?", (lsn, self._lost_lsn))
        except sqlite3.Error as error:
            raise IndexFailed(self._path, error) from error
        self.covered_lsn = max(self.covered_lsn, lsn)

    def put_command(self, strategy: str, number: int, remembered: Remembered) -> None:
        """See `Index`."""
        self._commands[strategy, number] = remembered

    def put_order(self, order: OrderEvent, cl_ord_ids: list[str]) -> None:
        """See `Index`."""
        name = (order.strategy, order.number)
        self._orders[name] = order
        self._names.update(dict.fromkeys(cl_ord_ids, name))

    def command(self, strategy: str, number: int) -> Remembered | None:
        """See `Index`."""
        held = self._commands.get((strategy, number))
        if held is not None:
            return held
        row = self._row("SELECT row FROM commands WHERE strategy = ? AND number = ?", (strategy, number))
        return None if row is None else _command(row[0])

    def order(self, strategy: str, number: int) -> OrderEvent | None:
        """See `Index`."""
        held = self._orders.get((strategy, number))
        if held is not None:
            return held
        row = self._row("SELECT row FROM orders WHERE strategy = ? AND number = ?", (strategy, number))
        return None if row is None else _order(row[0])

    def name_of(self, cl_ord_id: str) -> tuple[str, int] | None:
        """See `Index`."""
        held = self._names.get(cl_ord_id)
        if held is not None:
            return held
        row = self._row("SELECT strategy, number FROM names WHERE cl_ord_id = ?", (cl_ord_id,))
        return None if row is None else (row[0], row[1])

    def flush(self, lsn: int) -> None:
        """See `Index`."""
        if len(self._commands) + len(self._orders) >= PORTION or lsn - self.covered_lsn >= COVER_RECORDS:
            self.write(lsn)

    def write(self, lsn: int) -> None:
        """See `Index`. Where the disk does not take it the rows wait; more than `MAX_WAITING` are given up."""
        try:
            self._write(lsn)
        except sqlite3.Error as error:
            self.failure = str(error)
            if len(self._commands) + len(self._orders) < MAX_WAITING:
                return
            self.complete, self._rows_missing = False, True
        else:
            self.failure = ""
            self.covered_lsn = max(self.covered_lsn, lsn)
        self._commands.clear()
        self._orders.clear()
        self._names.clear()

    def _write(self, lsn: int) -> None:
        database = self._database
        with database:
            database.executemany(
                "INSERT OR REPLACE INTO commands VALUES (?, ?, ?)",
                [(*name, _encode(row)) for name, row in self._commands.items()],
            )
            database.executemany(
                "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)",
                [(*name, _encode(row)) for name, row in self._orders.items()],
            )
            database.executemany(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
                [(cl_ord_id, *name) for cl_ord_id, name in self._names.items()],
            )
            # What is lost for good is no reason to read the log again; rows that are missing are.
            if (self.complete or self._lost_lsn) and not self._rows_missing:
                database.execute("UPDATE covered SET lsn = max(lsn, ?)", (lsn,))

    def close(self) -> None:
        """Give the file back; what was not written is in the log."""
        self._database.close()

    def _row(self, query: str, key: tuple[str | int, ...]) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._database.execute(query, key).fetchone()
        except sqlite3.Error as error:
            self.failure, self.complete, self._rows_missing = str(error), False, True
            return None
        return row

    def _open(self) -> sqlite3.Connection:
        """The file, with its tables. Raises _NoIndex, IndexFailed."""
        database = None
        try:
            database = sqlite3.connect(self._path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            database.executescript(_TABLES)
            self._take_form(database)
        except (sqlite3.Error, _NoIndex) as error:
            if database is not None:
                database.close()
            if isinstance(error, _NoIndex) or _broken(error):
                raise _NoIndex from error
            raise IndexFailed(self._path, error) from error
        return database

    def _take_form(self, database: sqlite3.Connection) -> None:
        if "format" not in _columns(database):
            raise _NoIndex
        with database:
            database.execute("INSERT OR IGNORE INTO covered (one, lsn, format) VALUES (1, 0, ?)", (FORMAT,))
        (form,) = database.execute("SELECT format FROM covered").fetchone()
        if form == _FORMAT_WITHOUT_LOST:
            with database:
                if "lost_lsn" not in _columns(database):
                    database.execute("ALTER TABLE covered ADD COLUMN lost_lsn INTEGER NOT NULL DEFAULT 0")
                database.execute("UPDATE covered SET format = ?", (FORMAT,))
        elif form != FORMAT:
            raise _NoIndex
        self.covered_lsn, self._lost_lsn = database.execute("SELECT lsn, lost_lsn FROM covered").fetchone()
        self.complete = not self._lost_lsn

    def _anew(self) -> sqlite3.Connection:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        try:
            return self._open()
        except _NoIndex as error:
            raise OSError(f"{self._path}: a new index reads back as none: the disk cannot be trusted") from error


def _broken(error: sqlite3.Error) -> bool:
    """Whether the file's contents are wrong, and not what is around it."""
    # The low byte is the error, what stands above it says which kind.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _columns(database: sqlite3.Connection) -> set[str]:
    return {name for _, name, *_ in database.execute("PRAGMA table_info(covered)")}


def index_path(journal_folder: Path) -> Path:
    """Where the index of the log in that folder stands."""
    return journal_folder / "index" / "orders.sqlite"


def sync_index(path: Path) -> int:
    """Make what the index holds safe from a power loss, whether or not orders runs; the LSN that it covers then.

    0 where there is no index. Raises OSError on a bad disk and where the file is no index of this form.
    """
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path)) as database:
            row = database.execute("SELECT lsn FROM covered WHERE format = ?", (FORMAT,)).fetchone()
            for name in (f"{path}-wal", str(path), str(path.parent)):
                _sync(name)
            # Copied back here, the pages need not be while orders has better things to do.
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:
        if _broken(error):
            raise OSError(f"{path}: {error}; orders makes it anew at its next start") from error
        raise IndexFailed(path, error) from error
    return 0 if row is None else int(row[0])


def _sync(name: str) -> None:
    try:
        descriptor = os.open(name, os.O_RDONLY)
    except FileNotFoundError:
        # SQLite's own log is there only while somebody has the file open.
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
