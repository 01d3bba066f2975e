"""The lasting archive: one SQLite file beside the bridge's log. What a commit has taken in survives the power."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from services.bridge.archive import ArchiveFailed, KeptOrder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), lsn INTEGER NOT NULL, identity BLOB NOT
NULL);
CREATE TABLE IF NOT EXISTS orders (venue_id TEXT PRIMARY KEY, order_id TEXT, body BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS order_ids ON orders (order_id);
CREATE TABLE IF NOT EXISTS names (client TEXT, cl_ord_id TEXT, venue_id TEXT,
  PRIMARY KEY (client, cl_ord_id)) WITHOUT ROWID;
INSERT OR IGNORE INTO place VALUES (1, 0, x'');
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptOrder).decode


class FileArchive:
    """An `Archive` in a file."""

    def __init__(self, path: Path | str) -> None:
        """Open or make the file. Raises sqlite3.Error where it cannot be used."""
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        # The log drops what stands here, so a commit waits for the disk: once in many thousand records.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA cache_size = -8192")
        self._db.executescript(_SCHEMA)
        self.lsn: int
        self.identity: bytes
        self.lsn, self.identity = self._db.execute("SELECT lsn, identity FROM place").fetchone()

    def add(self, orders: Iterable[KeptOrder], lsn: int) -> None:
        """See `Archive`."""
        rows = list(orders)
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)",
                [(each.terms.venue_id, each.order_id, _encode(each)) for each in rows],
            )
            db.executemany(
                "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
                [(each.client, name, each.terms.venue_id) for each in rows for name in each.names],
            )
            db.execute("UPDATE place SET lsn = ?", (lsn,))
        self.lsn = lsn

    def clear(self, identity: bytes) -> None:
        """See `Archive`."""
        with self._transaction() as db:
            for table in ("orders", "names"):
                db.execute(f"DELETE FROM {table}")
            db.execute("UPDATE place SET lsn = 0, identity = ?", (identity,))
        self.lsn, self.identity = 0, identity

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing. Raises ArchiveFailed."""
        try:
            self._db.execute("BEGIN")
            yield self._db
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise ArchiveFailed(f"{self._path}: {error}") from error

    def _one(self, query: str, *values: str) -> KeptOrder | None:
        row = self._db.execute(query, values).fetchone()
        return None if row is None else _decode(row[0])

    def order(self, venue_id: str) -> KeptOrder | None:
        """See `Archive`."""
        return self._one("SELECT body FROM orders WHERE venue_id = ?", venue_id)

    def order_of(self, order_id: str) -> KeptOrder | None:
        """See `Archive`."""
        return self._one("SELECT body FROM orders WHERE order_id = ?", order_id) if order_id else None

    def order_named(self, client: str, cl_ord_id: str) -> KeptOrder | None:
        """See `Archive`."""
        query = "SELECT body FROM names JOIN orders USING (venue_id) WHERE client = ? AND cl_ord_id = ?"
        return self._one(query, client, cl_ord_id)

    def close(self) -> None:
        """See `Archive`."""
        self._db.close()
