"""The lasting history: one SQLite file beside the exchange's log. It survives the process; the log can rebuild it."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from common.exchange.history import ClosedOrder, TradeRow

_SCHEMA = """
CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), lsn INTEGER NOT NULL, identity BLOB NOT
NULL); CREATE TABLE IF NOT EXISTS orders (account TEXT, order_id INTEGER, symbol TEXT, body BLOB,
  PRIMARY KEY (account, order_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (account TEXT, cl_ord_id TEXT, order_id INTEGER,
  PRIMARY KEY (account, cl_ord_id)) WITHOUT ROWID;
INSERT OR IGNORE INTO place VALUES (1, 0, x'');
"""

_TRADES = """
CREATE TABLE IF NOT EXISTS trades (account TEXT, symbol TEXT, trade_id INTEGER, order_id INTEGER, body BLOB,
  PRIMARY KEY (account, symbol, trade_id, order_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS trades_of ON trades (account, order_id);
"""

_TRADES_OF_BOTH_SIDES = f"""
BEGIN;
DROP INDEX trades_of;
ALTER TABLE trades RENAME TO former_trades;
{_TRADES}
INSERT INTO trades SELECT account, symbol, trade_id, order_id, body FROM former_trades;
DROP TABLE former_trades;
COMMIT;
"""
"""A file of the former form has room for one side of a trade, and an account may have had both."""

_encode = msgspec.msgpack.Encoder().encode
_order = msgspec.msgpack.Decoder(ClosedOrder).decode
_trade = msgspec.msgpack.Decoder(TradeRow).decode


class FileHistory:
    """A `History` in a file."""

    def __init__(self, path: Path | str) -> None:
        """Open or make the file. Raises sqlite3.Error where it cannot be used; removing it makes a new start."""
        self._db = sqlite3.connect(path, isolation_level=None)
        # The log is the record; this file only has to survive the process, so nothing waits for the disk.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -8192")
        self._db.executescript(_SCHEMA + _TRADES)
        if "order_id" not in {name for _, name, *_, key in self._db.execute("PRAGMA table_info(trades)") if key}:
            self._db.executescript(_TRADES_OF_BOTH_SIDES)
        self.lsn: int
        self.identity: bytes
        self.lsn, self.identity = self._db.execute("SELECT lsn, identity FROM place").fetchone()

    def add(self, orders: Iterable[ClosedOrder], trades: Iterable[TradeRow], lsn: int) -> None:
        """Keep these in one step; everything up to record `lsn` is then in the history."""
        db = self._db
        orders = list(orders)
        db.execute("BEGIN")
        db.executemany(
            "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)",
            [(o.terms.account, o.order_id, o.terms.symbol, _encode(o)) for o in orders],
        )
        db.executemany(
            "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
            [(o.terms.account, n, o.order_id) for o in orders for n in (*o.former_names, o.terms.cl_ord_id)],
        )
        db.executemany(
            "INSERT OR REPLACE INTO trades VALUES (?, ?, ?, ?, ?)",
            [(t.account, t.symbol, t.trade_id, t.order_id, _encode(t)) for t in trades],
        )
        db.execute("UPDATE place SET lsn = ?", (lsn,))
        db.execute("COMMIT")
        self.lsn = lsn

    def clear(self, identity: bytes) -> None:
        """Forget everything; what follows is of the log `identity`."""
        self._db.execute("BEGIN")
        for table in ("orders", "names", "trades"):
            self._db.execute(f"DELETE FROM {table}")
        self._db.execute("UPDATE place SET lsn = 0, identity = ?", (identity,))
        self._db.execute("COMMIT")
        self.lsn, self.identity = 0, identity

    def order(self, account: str, order_id: int) -> ClosedOrder | None:
        """By OrderID(37)."""
        query = "SELECT body FROM orders WHERE account = ? AND order_id = ?"
        row = self._db.execute(query, (account, order_id)).fetchone()
        return _order(row[0]) if row is not None else None

    def order_named(self, account: str, cl_ord_id: str) -> ClosedOrder | None:
        """The latest order that ended with, or went by, this ClOrdID(11)."""
        query = "SELECT body FROM names JOIN orders USING (account, order_id) WHERE account = ? AND cl_ord_id = ?"
        row = self._db.execute(query, (account, cl_ord_id)).fetchone()
        return _order(row[0]) if row is not None else None

    def orders(self, account: str, symbol: str, from_order_id: int, limit: int) -> list[ClosedOrder]:
        """The first `limit` orders of a symbol from an id on, by id."""
        query = "SELECT body FROM orders WHERE account = ? AND order_id >= ? AND symbol = ? ORDER BY order_id LIMIT ?"
        return [_order(row[0]) for row in self._db.execute(query, (account, from_order_id, symbol, limit))]

    def last_orders(self, account: str, symbol: str, limit: int) -> list[ClosedOrder]:
        """The newest `limit` orders of a symbol, by id."""
        query = "SELECT body FROM orders WHERE account = ? AND symbol = ? ORDER BY order_id DESC LIMIT ?"
        return [_order(row[0]) for row in self._db.execute(query, (account, symbol, limit))][::-1]

    def trades(self, account: str, symbol: str, from_trade_id: int, limit: int) -> list[TradeRow]:
        """The first `limit` trades of a symbol from an id on, by id."""
        query = (
            "SELECT body FROM trades WHERE account = ? AND symbol = ? AND trade_id >= ? "
            "ORDER BY trade_id, order_id LIMIT ?"
        )
        return [_trade(row[0]) for row in self._db.execute(query, (account, symbol, from_trade_id, limit))]

    def last_trades(self, account: str, symbol: str, limit: int) -> list[TradeRow]:
        """The newest `limit` trades of a symbol, by id."""
        query = "SELECT body FROM trades WHERE account = ? AND symbol = ? ORDER BY trade_id DESC, order_id DESC LIMIT ?"
        return [_trade(row[0]) for row in self._db.execute(query, (account, symbol, limit))][::-1]

    def trades_of(self, account: str, order_id: int) -> list[TradeRow]:
        """Every trade of one order, by id."""
        query = "SELECT body FROM trades WHERE account = ? AND order_id = ? ORDER BY trade_id"
        return [_trade(row[0]) for row in self._db.execute(query, (account, order_id))]

    def close(self) -> None:
        """Give back what is held open."""
        self._db.close()
