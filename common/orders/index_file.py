"""The index as an SQLite file beside the log.

Rows are gathered and written `PORTION` at a time, with the LSN up to which the log is covered in the same
transaction. A transaction is not synced when it ends: the file survives its process, and after a power loss it holds a
beginning of the transactions (SQLite's documentation, "Write-Ahead Logging", on `PRAGMA synchronous = NORMAL`), and
with it the LSN from which the log tells the rest. The program that makes the snapshots of orders syncs it first, so
that no snapshot is ahead of the durable index, and none of the log is dropped that the index still needs.

Each row bears a checksum of its own key and contents. A start looks at every one, and at the file's structure; a file
that is no index, or a damaged one, is made anew from the log. Damage that shows later ends whoever folds by the row,
since to take it for missing would count a fill twice; of an outcome that a client asks for it is counted as a row that
is missing, and said. The next start makes the file anew. One that cannot be opened for another reason (a full disk, a
lock, a permission) may be whole: it is left as it is, and orders does not start. Where the log no longer has what a
lost index held, the file says before which record it knows too little.
"""

import os
import sqlite3
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from crc32c import crc32c

from common.messages import UNDECODABLE, OlderOrderEvent, OrderEvent, upgraded
from common.orders.fills import Fill
from common.orders.forgotten import ForgottenOrder, LookUpFailed, TradeId, exec_id_of
from common.orders.index import Index
from common.orders.names import Remembered

T = TypeVar("T")

PORTION = 256
"""Rows in one transaction: a millisecond's work, so that a busy loop does not feel it."""

COVER_RECORDS = 1000
"""So often it is written down how far the log is covered, rows or none: a snapshot beyond that cannot be used."""

MAX_WAITING = 100_000
"""Rows that wait for a disk that does not take them."""

FORMAT = 5
_FORMATS_BEFORE = (2, 3, 4)
"""The second has no `lost_lsn`, the first two no checksums, and none of them fills. They are taken over as they stand,
and cover nothing: the log is read again for its fills, as far as it has them."""

_FAILS = (sqlite3.Error, UnicodeDecodeError)
"""What a call to SQLite may raise: of a damaged file its own words may be no text."""

_HEADER_BYTES = 100
_WRITE_VERSION, _READ_VERSION = 18, 19
"""Where SQLite's file header says who may write and read; beyond 2 it takes the file for one that it may not touch."""

_AROUND_THE_FILE = frozenset({
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_ABORT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH,
})  # fmt: skip
"""Errors that say nothing of what the file holds."""

CHECKPOINT_PAGES = 16_384
"""Pages in SQLite's own log at which the writer itself copies them back, which takes syncs: only where nobody makes
snapshots, which does it before."""

LOOK_AGAIN_ROWS = 20_000
"""So many rows more stay in a process that does not write the file, before it looks how far that goes by now."""

FILTER_BITS = 1 << 26
"""8 MiB, most of it untouched: of five million trades one look-up in a hundred is in vain, of more than that more."""

_TABLES = """
CREATE TABLE IF NOT EXISTS covered (one INTEGER PRIMARY KEY CHECK (one = 1), lsn INTEGER, format INTEGER,
  lost_lsn INTEGER NOT NULL DEFAULT 0, seal INTEGER);
CREATE TABLE IF NOT EXISTS commands (strategy TEXT, number INTEGER, row BLOB, seal INTEGER,
  PRIMARY KEY (strategy, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (strategy TEXT, number INTEGER, row BLOB, seal INTEGER,
  PRIMARY KEY (strategy, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (cl_ord_id TEXT PRIMARY KEY, strategy TEXT, number INTEGER, seal INTEGER)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended (strategy TEXT, number INTEGER, account TEXT, symbol TEXT, side TEXT, seal INTEGER,
  PRIMARY KEY (strategy, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fills (venue TEXT, symbol TEXT, trade_key TEXT, lsn INTEGER, exec_id TEXT, row BLOB,
  seal INTEGER, PRIMARY KEY (venue, symbol, trade_key, lsn)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fills_by_exec_id ON fills (exec_id, venue, symbol) WHERE exec_id != '';
"""

_COLUMNS = {
    "covered": "lsn, format, lost_lsn",
    "commands": "strategy, number, row",
    "orders": "strategy, number, row",
    "names": "cl_ord_id, strategy, number",
    "ended": "strategy, number, account, symbol, side",
    "fills": "venue, symbol, trade_key, lsn, exec_id, row",
}
"""What a row's checksum is of, in this order."""

_encode = msgspec.msgpack.Encoder().encode
_command = msgspec.msgpack.Decoder(Remembered).decode
_any_order = msgspec.msgpack.Decoder(OrderEvent | OlderOrderEvent).decode


def _order(data: bytes) -> OrderEvent:
    """A row of today's or of older code. Raises one of UNDECODABLE."""
    event: OrderEvent = upgraded(_any_order(data))
    return event


class _StoredFill(Fill, array_like=True, gc=False):
    """A fill without the names of its fields, which would be most of its row."""


_fills = msgspec.msgpack.Decoder(list[_StoredFill]).decode


class IndexFailed(OSError):
    """The index cannot be used and may yet be whole, so that it was not made anew. `path` is the file."""

    def __init__(self, path: Path, cause: Exception) -> None:
        super().__init__(
            f"{path}: the index of orders cannot be used: {cause}. It was left as it is. Make room on the disk, end "
            "what locks the file or give back the permission, and start again"
        )
        self.path = path


class IndexTooNew(OSError):
    """A later program wrote the index: it is left as it is, and an older program does not trade on. `path` is the file.
    """

    def __init__(self, path: Path, form: int) -> None:
        super().__init__(
            f"{path}: the index of orders is of form {form}, and this program reads up to {FORMAT}. It was left as it "
            "is: use the newer program"
        )
        self.path = path


class _NoIndex(Exception):
    """What stands there is no index that this program can read; the text says why."""


class _OverFile(Index, ABC):
    """What has left memory, in memory until it is in the file, and looked up there behind that."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def fills(self, trade_id: TradeId, lsn: int) -> list[Fill]:
        held = super().fills(trade_id, lsn)
        row = None if held else self._sound_row("fills", _LATEST_BY, (*trade_id, lsn))
        try:
            return held if row is None else [Fill(*msgspec.structs.astuple(fill)) for fill in _fills(row[5])]
        except UNDECODABLE as error:
            raise self._failed(str(error)) from error

    def keys_left(self, venue: str, symbol: str, exec_id: str, lsn: int) -> dict[str, int]:
        left = super().keys_left(venue, symbol, exec_id, lsn)
        for key, put_lsn in self._ask(_KEYS_OF, (exec_id, venue, symbol, lsn)):
            left[key] = min(put_lsn, left.get(key, put_lsn))
        return left

    def name_of(self, cl_ord_id: str) -> tuple[str, int] | None:
        held = super().name_of(cl_ord_id)
        row = None if held is not None else self._sound_row("names", "cl_ord_id = ?", (cl_ord_id,))
        return held if row is None else (row[1], _meant(row[2]))

    def order_of(self, cl_ord_id: str) -> ForgottenOrder | None:
        name = self.name_of(cl_ord_id)
        if name is None or name in self._ended:
            return None if name is None else self._ended[name]
        row = self._sound_row("ended", _BY_NAME, (name[0], _stored(name[1])))
        return None if row is None else ForgottenOrder(*name, *row[2:])

    def _sound_row(self, table: str, where: str, key: tuple[str | int, ...]) -> tuple[Any, ...] | None:
        """The row, without its checksum; None where there is none. Raises LookUpFailed."""
        rows = self._ask(f"SELECT {_COLUMNS[table]}, seal FROM {table} WHERE {where}", key)
        if not rows or rows[0][-1] == _seal(*rows[0][:-1]):
            return rows[0][:-1] if rows else None
        raise self._failed(f"a row of {table} is damaged")

    @abstractmethod
    def _ask(self, query: str, key: tuple[str | int, ...]) -> list[tuple[Any, ...]]:
        """The file's answer. Raises LookUpFailed."""

    def _failed(self, why: str) -> LookUpFailed:
        return LookUpFailed(f"{self._path}: {why}; {_MENDED}")


class IndexFile(_OverFile):
    """The index of the process that writes it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; one that is damaged or of another form is made anew, and `made_anew` says why.

        Raises IndexFailed, IndexTooNew.
        """
        super().__init__(path)
        self._filter = _Filter()
        self._written_lsn = self._lost_lsn = self._names_lsn = 0
        self._rows_missing = self._of_another_fold = False
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database = self._open_or_make()
        except (IndexFailed, IndexTooNew):
            raise
        except OSError as error:
            raise IndexFailed(path, error) from error

    def begin_fold(self, version: int) -> None:
        """The log is read by this version of the fold from now on: what leaves memory, and when, is each version's own,
        so rows of another one cover nothing. Raises IndexFailed."""
        try:
            # One more than the version whose rows stand in the file; 0 where nobody has said.
            if self._database.execute("PRAGMA user_version").fetchone() == (version + 1,):
                return
            if self._written_lsn:
                self._names_lsn, self._of_another_fold = max(self._names_lsn, self._written_lsn), True
                self.covered_lsn = self._written_lsn = 0
                with self._database as database:
                    self._cover(database, 0)
                    _name_ended(database)
            # Last: a process that dies before has covered nothing by either.
            self._database.execute(f"PRAGMA user_version = {version + 1}")
        except _FAILS as error:
            raise IndexFailed(self._path, error) from error

    def lost_before(self, lsn: int) -> None:
        """The log does not tell any more what left memory by record `lsn`: what the file lacks of that is lost. From
        there on the log is covered. Raises IndexFailed."""
        if lsn > self._names_lsn:
            self.complete = False
            self._lost_lsn = max(self._lost_lsn, lsn)
        self._cover_alone(lsn)
        self.covered_lsn = max(self.covered_lsn, lsn)

    def _cover_alone(self, lsn: int) -> None:
        """Nothing behind record `lsn` is covered: the fills that were put there go. Raises IndexFailed."""
        try:
            with self._database as database:
                database.execute("DELETE FROM fills WHERE lsn > ?", (lsn,))
                self._cover(database, lsn)
        except _FAILS as error:
            raise IndexFailed(self._path, error) from error

    def put_names(self, cl_ord_ids: list[str], order: ForgottenOrder, lsn: int) -> None:
        if lsn > self.covered_lsn:
            super().put_names(cl_ord_ids, order, lsn)

    def put_fills(self, trade_id: TradeId, lsn: int, fills: list[Fill]) -> None:
        if lsn > self.covered_lsn:
            super().put_fills(trade_id, lsn, fills)
            self._filter.add(trade_id)

    def fills(self, trade_id: TradeId, lsn: int) -> list[Fill]:
        return super().fills(trade_id, lsn) if trade_id in self._filter else []

    def read_on_after(self, lsn: int) -> None:
        """The log is read on after record `lsn`, which is covered, and what leaves memory from there on is put anew.
        Rows of later records are another reading's: of a log that was longer, or by another version of the fold, and
        would stand for what this one never does. Raises IndexFailed."""
        self._forget_fills()
        if lsn != self._written_lsn or self._of_another_fold:
            self.covered_lsn = self._written_lsn = lsn
            self._cover_alone(lsn)

    def command(self, strategy: str, number: int) -> Remembered | None:
        held = super().command(strategy, number)
        row = None if held is not None else self._row("commands", strategy, number)
        return held if row is None else self._decoded(_command, row[2])

    def order(self, strategy: str, number: int) -> OrderEvent | None:
        held = super().order(strategy, number)
        row = None if held is not None else self._row("orders", strategy, number)
        return held if row is None else self._decoded(_order, row[2])

    def flush(self, lsn: int) -> None:
        if self._waiting() >= PORTION or lsn - self.covered_lsn >= COVER_RECORDS:
            self.write(lsn)

    def write(self, lsn: int) -> None:
        """Where the disk does not take it the rows wait; more than `MAX_WAITING` commands and orders are
        given up, and nothing of what the fold looks up."""
        try:
            self._write(lsn)
        except _FAILS as error:
            self.failure = str(error)
            if self._waiting() >= MAX_WAITING:
                self.complete, self._rows_missing = False, True
                self._commands.clear()
                self._orders.clear()
            return
        self.failure = ""
        self.covered_lsn = max(self.covered_lsn, lsn)
        for written in (self._commands, self._orders, self._names, self._ended):
            written.clear()
        self._forget_fills()

    def _forget_fills(self) -> None:
        self._fills.clear()
        self._by_exec_id.clear()

    def _waiting(self) -> int:
        return len(self._commands) + len(self._orders) + len(self._fills)

    def _write(self, lsn: int) -> None:
        database = self._database
        with database:
            for table, rows in (("commands", self._commands), ("orders", self._orders)):
                _insert(database, table, [(name[0], _stored(name[1]), _encode(row)) for name, row in rows.items()])
            names = [(cl_ord_id, name[0], _stored(name[1])) for cl_ord_id, name in self._names.items()]
            _insert(database, "names", names)
            _insert(database, "ended", [_ended_row(order) for order in self._ended.values()])
            fills = [_fills_row(trade_id, *row) for trade_id, rows in self._fills.items() for row in rows]
            _insert(database, "fills", fills)
            # What is lost for good is no reason to read the log again; rows that are missing are.
            if (self.complete or self._lost_lsn) and not self._rows_missing:
                self._cover(database, lsn)

    def _cover(self, database: sqlite3.Connection, lsn: int) -> None:
        """Write down how far the log is covered, and before which record rows are lost."""
        self._written_lsn = max(self._written_lsn, lsn)
        row = (self._written_lsn, FORMAT, self._lost_lsn)
        database.execute("UPDATE covered SET lsn = ?, format = ?, lost_lsn = ?, seal = ?", (*row, _seal(*row)))

    def close(self) -> None:
        """Give the file back; what was not written is in the log."""
        self._database.close()

    def _row(self, table: str, strategy: str, number: int) -> tuple[Any, ...] | None:
        """The row of that name, without its checksum; None where there is none, or none that can be believed."""
        try:
            return self._sound_row(table, _BY_NAME, (strategy, _stored(number)))
        except LookUpFailed:
            return None

    def _ask(self, query: str, key: tuple[str | int, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, key).fetchall()
        except _FAILS as error:
            raise self._failed(str(error)) from error

    def _failed(self, why: str) -> LookUpFailed:
        self._misses_rows(why)
        return super()._failed(why)

    def _decoded(self, decode: Callable[[bytes], T], row: bytes) -> T | None:
        """What a sound row holds; None where this program does not read it."""
        try:
            return decode(row)
        except UNDECODABLE as error:
            self._misses_rows(str(error))
            return None

    def _misses_rows(self, why: str) -> None:
        self.failure, self.complete, self._rows_missing = why, False, True

    def _open(self) -> sqlite3.Connection:
        """The file, with its tables, every row of it sound. Raises _NoIndex, IndexFailed, IndexTooNew."""
        _look_at_header(self._path)
        database = None
        try:
            database = sqlite3.connect(self._path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            database.executescript(_TABLES)
            self._take_form(database)
        except (*_FAILS, _NoIndex, IndexTooNew) as error:
            if database is not None:
                database.close()
            if isinstance(error, _NoIndex | IndexTooNew):
                raise
            if _broken(error):
                raise _NoIndex(str(error)) from error
            raise IndexFailed(self._path, error) from error
        return database

    def _take_form(self, database: sqlite3.Connection) -> None:
        if "format" not in _columns(database, "covered"):
            raise _NoIndex("no table of it says its form")
        if not database.execute("SELECT count(*) FROM covered").fetchone()[0]:
            with database:
                database.execute("INSERT INTO covered (one, lsn, format) VALUES (1, 0, ?)", (FORMAT,))
                self._cover(database, 0)
        form, is_sound = _form(database)
        if form in _FORMATS_BEFORE:
            (self._names_lsn,) = database.execute("SELECT lsn FROM covered").fetchone()
            _seal_all(database)
        elif is_sound and form > FORMAT:
            raise IndexTooNew(self._path, form)
        elif form != FORMAT:
            raise _NoIndex(f"it is of form {form}, and this program writes {FORMAT}")
        _verify(database)
        self._written_lsn, self._lost_lsn = database.execute("SELECT lsn, lost_lsn FROM covered").fetchone()
        self.covered_lsn, self.complete = self._written_lsn, not self._lost_lsn
        for trade_id in database.execute("SELECT venue, symbol, trade_key FROM fills"):
            self._filter.add(trade_id)

    def _open_or_make(self) -> sqlite3.Connection:
        """Raises IndexFailed, IndexTooNew, OSError."""
        try:
            return self._open()
        except _NoIndex as error:
            self.made_anew = str(error)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        try:
            return self._open()
        except _NoIndex as error:
            raise OSError(f"a new index reads back as none ({error}): the disk cannot be trusted") from error


_MENDED = "orders makes it anew at its next start"


def _broken(error: Exception) -> bool:
    """Whether the file's contents are wrong, and not what is around it."""
    # The low byte is the error, what stands above it says which kind.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in _AROUND_THE_FILE


def _look_at_header(path: Path) -> None:
    """Raises _NoIndex where SQLite would take a damaged file for one that it may not write. What else is wrong with the
    file, or that there is none, is SQLite's to say."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return
    if len(header) == _HEADER_BYTES and max(header[_WRITE_VERSION], header[_READ_VERSION]) > 2:
        raise _NoIndex("its header is damaged")


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")}


def _form(database: sqlite3.Connection) -> tuple[int, bool]:
    """The form that the file says it has, and whether the row that says so is what was written."""
    (form,) = database.execute("SELECT format FROM covered").fetchone()
    if "seal" not in _columns(database, "covered"):
        return form, False
    *row, seal = database.execute(f"SELECT {_COLUMNS['covered']}, seal FROM covered").fetchone()
    return form, seal == _seal(*row)


def _seal(*columns: object) -> int:
    """The checksum of a row."""
    return crc32c(_encode(columns))


def _insert(database: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        places = ", ".join("?" * (len(rows[0]) + 1))
        database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({places})", [(*row, _seal(*row)) for row in rows])


class IndexView(_OverFile):
    """The index to whoever folds the log and does not write the file: beyond what that covers, what leaves memory stays
    in the process. A file that is not there, or of another form, covers nothing.

    Of rows that stay in the process there are a few tens of thousands: from time to time the file is looked at anew,
    and what it covers by then goes. A row that is later than a look-up is not found by it, however far the file goes.
    """

    def __init__(self, path: Path, version: int) -> None:
        """Nothing is made or changed; what another version of the fold has put than `version` covers nothing.

        Raises LookUpFailed where the file cannot be read.
        """
        super().__init__(path)
        self._version = version
        self._kept: deque[_Kept] = deque()
        self._look_at = LOOK_AGAIN_ROWS
        self._file: sqlite3.Connection | None = None
        if path.exists():
            self._file, self.covered_lsn = self._open()

    def _open(self) -> tuple[sqlite3.Connection, int]:
        """The file as it is now, and how far it covers the log. Raises LookUpFailed."""
        try:
            file = sqlite3.connect(self._path)
            file.execute("BEGIN")
            ((covered_lsn, form),) = file.execute("SELECT lsn, format FROM covered").fetchall() or [(0, 0)]
            is_ours = form == FORMAT and file.execute("PRAGMA user_version").fetchone() == (self._version + 1,)
        except _FAILS as error:
            raise self._failed(str(error)) from error
        return file, covered_lsn if is_ours else 0

    def put_names(self, cl_ord_ids: list[str], order: ForgottenOrder, lsn: int) -> None:
        if lsn > self.covered_lsn:
            super().put_names(cl_ord_ids, order, lsn)
            self._keep(_Kept(lsn, cl_ord_ids, order[:2], None))

    def put_fills(self, trade_id: TradeId, lsn: int, fills: list[Fill]) -> None:
        if lsn > self.covered_lsn:
            super().put_fills(trade_id, lsn, fills)
            self._keep(_Kept(lsn, [], None, trade_id))

    def _keep(self, row: "_Kept") -> None:
        self._kept.append(row)
        if len(self._kept) >= self._look_at:
            self._look_again()
            self._look_at = len(self._kept) + LOOK_AGAIN_ROWS

    def _look_again(self) -> None:
        """Where the file covers more by now, what it covers stays here no longer; else all stays as it was."""
        try:
            file, covered_lsn = self._open() if self._path.exists() else (None, 0)
        except LookUpFailed:
            return
        stale = self._file
        if covered_lsn > self.covered_lsn:
            self._file, self.covered_lsn = file, covered_lsn
        else:
            stale = file
        if stale is not None:
            stale.close()
        while self._kept and self._kept[0].lsn <= self.covered_lsn:
            self._drop(self._kept.popleft())

    def _drop(self, row: "_Kept") -> None:
        for cl_ord_id in row.cl_ord_ids:
            self._names.pop(cl_ord_id, None)
        if row.order is not None:
            self._ended.pop(row.order, None)
        if row.trade_id is not None:
            self._drop_fills(row.trade_id)

    def _drop_fills(self, trade_id: TradeId) -> None:
        left = [each for each in self._fills.pop(trade_id, ()) if each[0] > self.covered_lsn]
        if left:
            self._fills[trade_id] = left
        place = (*trade_id[:2], exec_id_of(trade_id[2]))
        keys = self._by_exec_id.get(place, {})
        if keys.get(trade_id[2], self.covered_lsn + 1) <= self.covered_lsn:
            del keys[trade_id[2]]
        if not keys:
            self._by_exec_id.pop(place, None)

    def _ask(self, query: str, key: tuple[str | int, ...]) -> list[tuple[Any, ...]]:
        if self._file is None or not self.covered_lsn:
            return []
        try:
            return self._file.execute(query, key).fetchall()
        except _FAILS as error:
            raise self._failed(str(error)) from error


class _Kept(NamedTuple):
    """What a row in memory was put for: an order with its names, or a trade."""

    lsn: int
    cl_ord_ids: list[str]
    order: tuple[str, int] | None
    trade_id: TradeId | None


_BY_NAME = "strategy = ? AND number = ?"
_LATEST_BY = "venue = ? AND symbol = ? AND trade_key = ? AND lsn <= ? ORDER BY lsn DESC LIMIT 1"


def _name_ended(database: sqlite3.Connection) -> None:
    """Rows of orders that a former version has put, and that the log may not tell any more."""
    for columns in database.execute(f"SELECT {_COLUMNS['orders']}, seal FROM orders").fetchall():
        try:
            order = _order(columns[2])
        except UNDECODABLE:
            continue
        left = ForgottenOrder(order.strategy, order.number, order.account, order.symbol, order.side)
        _insert(database, "ended", [_ended_row(left)])


def _ended_row(order: ForgottenOrder) -> tuple[str, int, str, str, str]:
    return (order.strategy, _stored(order.number), order.account, order.symbol, order.side)


def _fills_row(trade_id: TradeId, lsn: int, fills: list[Fill]) -> tuple[str, str, str, int, str, bytes]:
    stored = [_StoredFill(*msgspec.structs.astuple(fill)) for fill in fills]
    return (*trade_id, lsn, exec_id_of(trade_id[2]), _encode(stored))


_KEYS_OF = """
SELECT trade_key, MIN(lsn) FROM fills WHERE exec_id != '' AND exec_id = ? AND venue = ? AND symbol = ? AND lsn <= ?
GROUP BY trade_key ORDER BY 2 DESC"""


class _Filter:
    """Which trade identities may have rows: a new trade, as nearly every one is, costs no look at the file."""

    def __init__(self) -> None:
        self._bits = bytearray(FILTER_BITS // 8)

    def add(self, trade_id: TradeId) -> None:
        """From now on it may."""
        for bit in _bits_of(trade_id):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, trade_id: TradeId) -> bool:
        return all(self._bits[bit >> 3] & 1 << (bit & 7) for bit in _bits_of(trade_id))


def _bits_of(trade_id: TradeId) -> tuple[int, int, int]:
    # The hash is another one in each process, and so is the filter.
    code = hash(trade_id)
    step = code >> 32 | 1
    return code % FILTER_BITS, (code + step) % FILTER_BITS, (code + 2 * step) % FILTER_BITS


def _seal_all(database: sqlite3.Connection) -> None:
    """Give each row of a form before its checksum, if it has none, and have the log read again."""
    with database:
        if "lost_lsn" not in _columns(database, "covered"):
            database.execute("ALTER TABLE covered ADD COLUMN lost_lsn INTEGER NOT NULL DEFAULT 0")
        database.execute("UPDATE covered SET format = ?, lsn = 0", (FORMAT,))
        database.create_function("seal", -1, _seal, deterministic=True)
        for table, columns in _COLUMNS.items():
            has_seals = "seal" in _columns(database, table)
            if not has_seals:
                database.execute(f"ALTER TABLE {table} ADD COLUMN seal INTEGER")
            if table == "covered" or not has_seals:
                database.execute(f"UPDATE {table} SET seal = seal({columns})")


def _verify(database: sqlite3.Connection) -> None:
    """Raises _NoIndex where the structure of the file is damaged or a row is not what was written; sqlite3.Error."""
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _NoIndex(str(verdict))
    for table, columns in _COLUMNS.items():
        for *row, seal in database.execute(f"SELECT {columns}, seal FROM {table}"):
            if seal != _seal(*row):
                raise _NoIndex(f"a row of {table} is damaged")


def _stored(number: int) -> int:
    """A number of 64 bits as SQLite has it, with a sign."""
    return number if number < _SIGN else number - 2 * _SIGN


def _meant(stored: int) -> int:
    return stored if stored >= 0 else stored + 2 * _SIGN


_SIGN = 1 << 63


def index_path(journal_folder: Path, reader: str = "orders") -> Path:
    """Where the index stands that `reader` writes beside the log in that folder."""
    return journal_folder / "index" / f"{reader}.sqlite"


def sync_index(path: Path) -> int:
    """Make what the index holds safe from a power loss, whether or not orders runs; the LSN that it covers then.

    0 where there is no index. Raises OSError on a bad disk and where the file is no index of this form.
    """
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path)) as database:
            row = database.execute(f"SELECT {_COLUMNS['covered']}, seal FROM covered").fetchone()
            if row is not None and row[-1] != _seal(*row[:-1]):
                raise OSError(f"{path}: the row that says what it covers is damaged; {_MENDED}")
            for name in (f"{path}-wal", str(path), str(path.parent)):
                _sync(name)
            # Copied back here, the pages need not be while orders has better things to do.
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except _FAILS as error:
        if _broken(error):
            raise OSError(f"{path}: {error}; {_MENDED}") from error
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


def copy_index(path: Path, to: Path) -> None:
    """Copy an index, which may be in use, as it stands between two transactions; `to` is whole or as it was before.

    It is then at least as far as the snapshots that were copied before it. Raises IndexFailed.
    """
    temporary = to.with_suffix(".tmp")
    try:
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        source, copy = sqlite3.connect(f"file:{path}?mode=ro", uri=True), sqlite3.connect(temporary)
        with closing(source), closing(copy):
            source.backup(copy)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(to)
    except (*_FAILS, OSError) as error:
        raise IndexFailed(to, error) from error
