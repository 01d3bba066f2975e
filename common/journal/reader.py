"""Reading the log beside its writer: by LSN, across segments, never beyond what was published.

A reader holds no file open between reads, so rotation, a recovery that replaced a segment and retention cannot
mislead it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from common.journal.errors import Damage, Gone, NotThere
from common.journal.files import Files, Folder
from common.journal.frames import (
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Link,
    Record,
    Stop,
    Walked,
    frame_bytes,
    walk,
)
from common.journal.marks import MARK, Mark, read_mark
from common.journal.segments import SegmentHeader, first_lsns, read_header, segment_name, walk_segment

READ_BYTES = 256 << 10
"""Read at once, unless told: what is folded at once should still be in the processor's cache."""


class _Cursor(NamedTuple):
    """Where the record after `end` stands: in the segment that begins with `start`, at `position`."""

    start: int
    position: int
    end: Link


class Reader:
    """Reads one folder. Keeps its place, so that reading on is cheap and jumping costs a walk along one segment."""

    def __init__(self, folder: Folder, files: Files) -> None:
        self.folder = str(folder)
        self._files = files
        self._cursor: _Cursor | None = None

    def first_lsn(self) -> int:
        """The oldest record kept. Raises NotThere."""
        return self._starts()[0]

    def read(self, from_lsn: int, upto_lsn: int, max_bytes: int = READ_BYTES) -> list[Record]:
        """Verified records from `from_lsn` to `upto_lsn` at most, as many as `max_bytes` and a segment hold.

        Empty where the log does not reach `from_lsn` yet. Raises Gone where retention dropped it, NotThere where there
        is no journal, Damage.
        """
        records: list[Record] = []
        self._read(from_lsn, upto_lsn, max_bytes, records)
        return records

    def read_block(self, from_lsn: int, upto_lsn: int, max_bytes: int = READ_BYTES) -> bytes:
        """The same as one block of frames, as it was published."""
        return self._read(from_lsn, upto_lsn, max_bytes, None)

    def _read(self, from_lsn: int, upto_lsn: int, max_bytes: int, records: list[Record] | None) -> bytes:
        if from_lsn > upto_lsn:
            return b""
        starts = self._starts()
        if from_lsn < starts[0]:
            raise Gone(from_lsn, starts[0])
        index = max(i for i, start in enumerate(starts) if start <= from_lsn)
        start = starts[index]
        limit = min(upto_lsn, starts[index + 1] - 1) if index + 1 < len(starts) else upto_lsn
        path = f"{self.folder}/{segment_name(start)}"
        handle = self._open(path, from_lsn)
        try:
            cursor = self._seek(handle, path, start, from_lsn)
            return b"" if cursor is None else self._take(handle, path, cursor, limit, max_bytes, records)
        finally:
            self._files.close(handle)

    def durable_lsn(self) -> int:
        """The last record that the mark file names as durable: what may be followed without asking the journal.

        It lags the live journal by up to 100 ms. Raises NotThere, Damage.
        """
        return self._mark().durable.lsn

    def first_at(self, stamp_ns: int) -> int:
        """The first record stamped `stamp_ns` or later; one more than the last where none is.

        Raises NotThere, Damage.
        """
        starts = self._starts()
        start = starts[0]
        for start in reversed(starts):
            if self._header(start).stamp_ns < stamp_ns:
                break
        lsn = start
        while records := self.read(lsn, (1 << 64) - 1):
            for record in records:
                if record.stamp_ns >= stamp_ns:
                    return record.lsn
            lsn = records[-1].lsn + 1
        return lsn

    def _header(self, start: int) -> SegmentHeader:
        path = f"{self.folder}/{segment_name(start)}"
        handle = self._open(path, start)
        try:
            return read_header(self._files, handle, path)
        finally:
            self._files.close(handle)

    def link_at(self, lsn: int) -> Link:
        """The record's number and checksum, to compare with what a snapshot stands on.

        Raises Gone, NotThere (the log ends before it), Damage.
        """
        if lsn == 0:
            return Link(0, 0)
        starts = self._starts()
        if lsn < starts[0] - 1:
            raise Gone(lsn, starts[0])
        start = max(start for start in starts if start <= max(lsn, starts[0]))
        path = f"{self.folder}/{segment_name(start)}"
        handle = self._open(path, lsn)
        try:
            cursor = self._seek(handle, path, start, lsn + 1)
        finally:
            self._files.close(handle)
        if cursor is None:
            raise NotThere(f"{self.folder}: the log ends before record {lsn}")
        self._cursor = cursor
        return cursor.end

    def _mark(self) -> Mark:
        path = f"{self.folder}/{MARK}"
        try:
            handle = self._files.open(path, write=False)
        except FileNotFoundError as error:
            raise NotThere(f"{self.folder}: there is no journal in it") from error
        try:
            return read_mark(self._files, handle, path)
        finally:
            self._files.close(handle)

    def _starts(self) -> list[int]:
        try:
            starts = first_lsns(self._files, self.folder)
        except FileNotFoundError:
            starts = []
        if not starts:
            raise NotThere(f"{self.folder}: there is no journal in it")
        return starts

    def _open(self, path: str, lsn: int) -> int:
        try:
            return self._files.open(path, write=False)
        except FileNotFoundError as error:
            raise Gone(lsn, self._starts()[0]) from error

    def _seek(self, handle: int, path: str, start: int, lsn: int) -> _Cursor | None:
        """Where `lsn` begins in its segment; walked to from the cursor or the segment's start.

        None where the log ends before it.
        """
        cursor = self._cursor
        if cursor is not None and cursor.start == start and cursor.end.lsn + 1 == lsn:
            return cursor
        if cursor is None or cursor.start != start or cursor.end.lsn >= lsn:
            header = read_header(self._files, handle, path)
            cursor = _Cursor(start, header.header_bytes, header.after)
        walked = walk_segment(self._files, handle, cursor.position, cursor.end, upto_lsn=lsn - 1)
        if walked.stop is not Stop.LIMIT:
            self._check_end(path, walked)
            return None
        return _Cursor(start, walked.position, walked.end)

    def _take(
        self, handle: int, path: str, cursor: _Cursor, limit: int, max_bytes: int, records: list[Record] | None
    ) -> bytes:
        for count in (max(max_bytes, HEADER_BYTES), frame_bytes(MAX_PAYLOAD_BYTES)):
            block = self._files.read_at(handle, count, cursor.position)
            walked = walk(block, cursor.end, upto_lsn=limit, records=records)
            if walked.position:
                self._cursor = _Cursor(cursor.start, cursor.position + walked.position, walked.end)
                return block[: walked.position]
            if walked.stop is not Stop.MORE:
                break
        self._check_end(path, walked._replace(position=cursor.position))
        return b""

    def _check_end(self, path: str, walked: Walked) -> None:
        """The frames end here. Raises Damage where the mark knows of more."""
        missing = walked.end.lsn + 1
        if missing <= self.durable_lsn():
            raise Damage(path, walked.position, missing, walked.why or "cut short")


def iterate(
    folder: Folder, files: Files, from_lsn: int | None = None, upto_lsn: int | None = None
) -> Iterator[Record]:
    """Every record from `from_lsn` (else the oldest kept) to `upto_lsn` (else the last valid one), verified.

    A torn tail ends it like the end of the log. Raises Gone, NotThere (no journal), Damage.
    """
    reader = Reader(folder, files)
    lsn = reader.first_lsn() if from_lsn is None else from_lsn
    limit = (1 << 64) - 1 if upto_lsn is None else upto_lsn
    while lsn <= limit:
        records = reader.read(lsn, limit)
        if not records:
            return
        yield from records
        lsn = records[-1].lsn + 1
