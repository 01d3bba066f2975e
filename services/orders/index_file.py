"""The index as an SQLite file beside the log.

Rows are gathered and written `PORTION` at a time, with the LSN up to which the log is covered in the same
transaction. The file is never synced: it survives its process, and after a crash of the host, told by the host's boot
id, it is thrown away and written again from the log.
"""

import sqlite3
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

FORMAT = 1
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_TABLES = """
CREATE TABLE IF NOT EXISTS covered (one INTEGER PRIMARY KEY CHECK (one = 1), lsn INTEGER, boot TEXT, format INTEGER);
CREATE TABLE IF NOT EXISTS commands (strategy TEXT, number INTEGER, row BLOB, PRIMARY KEY (strategy, number))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (strategy TEXT, number INTEGER, row BLOB, PRIMARY KEY (strategy, number))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (cl_ord_id TEXT PRIMARY KEY, strategy TEXT, number INTEGER) WITHOUT ROWID;
"""

_encode = msgspec.msgpack.Encoder().encode
_command = msgspec.msgpack.Decoder(Remembered).decode
_order = msgspec.msgpack.Decoder(OrderEvent).decode


class IndexFile:
    """See `services.orders.index.Index`."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; one that cannot be trusted is made anew. Raises OSError or sqlite3.Error on a bad
        disk."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
        self._commands: dict[tuple[str, int], Remembered] = {}
        self._orders: dict[tuple[str, int], OrderEvent] = {}
        self._names: dict[str, tuple[str, int]] = {}
        self.complete = True
        self.failure = ""
        self.covered_lsn = 0
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:
            self._database = self._anew()

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
            self.complete = False
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
            if self.complete:
                database.execute("UPDATE covered SET lsn = max(lsn, ?)", (lsn,))

    def close(self) -> None:
        """Give the file back; what was not written is in the log."""
        self._database.close()

    def _row(self, query: str, key: tuple[str | int, ...]) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._database.execute(query, key).fetchone()
        except sqlite3.Error as error:
            self.failure, self.complete = str(error), False
            return None
        return row

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")
            with database:
                database.executescript(_TABLES)
                database.execute("INSERT OR IGNORE INTO covered VALUES (1, 0, ?, ?)", (self._boot, FORMAT))
            lsn, boot, form = database.execute("SELECT lsn, boot, format FROM covered").fetchone()
        except sqlite3.DatabaseError:
            database.close()
            raise
        if boot != self._boot or form != FORMAT:
            database.close()
            raise sqlite3.DatabaseError(f"{self._path}: from before the host's last start, or of another form")
        self.covered_lsn = lsn
        return database

    def _anew(self) -> sqlite3.Connection:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self.covered_lsn = 0
        return self._open()
