"""The stream's records in a DuckDB table, for whoever asks with SQL; written on from where it ended, whatever ended it.

What was read is written in one transaction with the place up to which it was read: the two never differ, after a `kill
-9` neither. Every message is checked on the way, as the replicator checks it.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import duckdb
import orjson

from common.journal.frames import Link, Record
from common.past.words import document, payload_of
from common.replication.chain import Chain
from common.replication.errors import Away
from common.replication.port import ReplicatedLog

MESSAGES: Final = 256
"""So many messages are written in one transaction at most."""

Progress = Callable[[int, int], None]
"""(messages read, messages in all)"""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS records (
    lsn UBIGINT PRIMARY KEY, stamp_ns BIGINT NOT NULL, term UBIGINT NOT NULL, sequence UBIGINT NOT NULL,
    kind VARCHAR NOT NULL, writer VARCHAR NOT NULL, writer_epoch UBIGINT NOT NULL, append_number UBIGINT NOT NULL,
    payload JSON
);
CREATE TABLE IF NOT EXISTS place (
    stream VARCHAR NOT NULL, sequence UBIGINT NOT NULL, lsn UBIGINT NOT NULL, crc UBIGINT NOT NULL,
    stamp_ns BIGINT NOT NULL, term UBIGINT NOT NULL
);
"""
_COLUMNS: Final = {
    "lsn": "UBIGINT", "stamp_ns": "BIGINT", "term": "UBIGINT", "sequence": "UBIGINT", "kind": "VARCHAR",
    "writer": "VARCHAR", "writer_epoch": "UBIGINT", "append_number": "UBIGINT", "payload": "JSON",
}  # fmt: skip


class OtherStream(Exception):
    """The table holds another stream's records."""


class RecordTable:
    """The table in `file`, of the stream that is read into it."""

    def __init__(self, file: Path, stream: ReplicatedLog) -> None:
        """Open it, or make it; where it ended is looked up. Raises OtherStream, duckdb.Error."""
        self._stream = stream
        self._folder = file.parent
        self._db = duckdb.connect(str(file))
        self._db.execute(_TABLES)
        row = self._db.execute("SELECT stream, sequence, lsn, crc, stamp_ns, term FROM place").fetchone()
        self.chain = Chain() if row is None else self._placed(file, row)

    def _placed(self, file: Path, row: tuple[Any, ...]) -> Chain:
        name, sequence, lsn, crc, stamp_ns, term = row
        if name != self._stream.name:
            self._db.close()
            raise OtherStream(f"{file} holds {name}, and not {self._stream.name}: name another file")
        chain = Chain()
        chain.sequence, chain.end, chain.stamp_ns, chain.term = sequence, Link(lsn, crc), stamp_ns, term
        return chain

    def __enter__(self) -> "RecordTable":
        """Nothing more is to be done."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self._db.close()

    def catch_up(self, progress: Progress | None = None) -> int:
        """Write all that the stream holds by now; how many messages that were. Raises Away, StreamBroken, duckdb.Error.

        What was written before one of them stays.
        """
        began, last = self.chain.sequence, self._stream.last_sequence()
        while (at := self.chain.sequence) < last:
            rows: list[dict[str, object]] = []
            for found in self._stream.messages(at + 1, min(MESSAGES, last - at)):
                records: list[Record] = []
                if self.chain.take(found, records):
                    rows += [_row(record, found.batch.term, found.sequence) for record in records]
            if self.chain.sequence == at:
                raise Away(f"{self._stream.name}: message {at + 1} of {last} was not sent")
            self._write(rows)
            if progress is not None:
                progress(self.chain.sequence, last)
        return self.chain.sequence - began

    def _write(self, rows: list[dict[str, object]]) -> None:
        """The rows and the place behind them, both or neither."""
        chain, db = self.chain, self._db
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".rows") as file:
            file.write(b"\n".join(map(orjson.dumps, rows)))
            file.flush()
            db.begin()
            if rows:
                columns = ", ".join(f"{name}: '{its}'" for name, its in _COLUMNS.items())
                names = ", ".join(_COLUMNS)
                source = f"read_json(?, format = 'newline_delimited', columns = {{{columns}}})"
                db.execute(f"INSERT INTO records ({names}) SELECT {names} FROM {source}", [file.name])
            db.execute("DELETE FROM place")
            place = [self._stream.name, chain.sequence, *chain.end, chain.stamp_ns, chain.term]
            db.execute("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?)", place)
            db.commit()


def _row(record: Record, term: int, sequence: int) -> dict[str, object]:
    told = document(record, payload_of(record))
    body = {name: told[name] for name in ("lsn", "stamp_ns", "kind", "writer", "writer_epoch", "append_number")}
    return {**body, "term": term, "sequence": sequence, "payload": told["payload"]}
