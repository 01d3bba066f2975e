"""Reading the log beside its writer: by LSN, across segments, never beyond what was published.

A reader holds no file open between reads, so rotation, a recovery that replaced a segment and retention cannot
mislead it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from common.journal.errors import Damage, Gone, NotThere, ReadFailed
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
from common.journal.recovery import refuse_if_durable
from common.journal.released import RELEASED, read_released
from common.journal.segments import (
    SegmentHeader,
    first_lsns,
    read_header,
    refuse_newer,
    segment_name,
    used_end,
    walk_segment,
)

T = TypeVar("T")

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

    def identity(self) -> bytes:
        """The journal's own, 16 bytes, the same for its whole life. Raises NotThere, Damage, ReadFailed."""
        return self._header(self._starts()[-1]).identity

    def begins_before(self, writer: str) -> int:
        """The first record of the last kept segment before which `writer` had written nothing: its first record is not
        before that. 1 where it had written already before the oldest segment kept.

        Raises NotThere, Damage, ReadFailed.
        """
        for start in reversed(self._starts()):
            if start == 1 or writer not in self._header(start).writers().by_name:
                return start
        return 1

    def read(self, from_lsn: int, upto_lsn: int, max_bytes: int = READ_BYTES) -> list[Record]:
        """Verified records from `from_lsn` to `upto_lsn` at most, as many as `max_bytes` and a segment hold.

        Empty where the log does not reach `from_lsn` yet. Raises Gone where retention dropped it, NotThere where there
        is no journal, Damage, ReadFailed.
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
        return self._settled(lambda: self._look(from_lsn, upto_lsn, max_bytes, records))

    def _settled(self, look: Callable[[], T]) -> T:
        """What `look` finds. Damage is believed where two looks find it at one place.

        Between the reads of one look a live journal goes on: a record may be written and confirmed, or a segment begun,
        behind the place that was read already.
        """
        suspected: tuple[str, int, int] | None = None
        while True:
            try:
                return look()
            except Damage as error:
                place = (error.file, error.offset, error.lsn)
                if place == suspected:
                    raise
                suspected = place
                self._cursor = None

    def _look(self, from_lsn: int, upto_lsn: int, max_bytes: int, records: list[Record] | None) -> bytes:
        starts = self._starts()
        if from_lsn < starts[0]:
            raise Gone(from_lsn, starts[0])
        index = max(i for i, start in enumerate(starts) if start <= from_lsn)
        start = starts[index]
        limit = min(upto_lsn, starts[index + 1] - 1) if index + 1 < len(starts) else upto_lsn
        path = f"{self.folder}/{segment_name(start)}"
        with self._open(path, from_lsn) as handle:
            cursor = self._seek(handle, path, start, from_lsn)
            return b"" if cursor is None else self._take(handle, path, cursor, limit, max_bytes, records)

    def durable_lsn(self) -> int:
        """The last record that the mark file names as durable: what may be followed without asking the journal.

        Where a copy off the machine is waited for, no further than that. It lags the live journal by up to 100 ms.
        Raises NotThere, Damage, ReadFailed.
        """
        durable = self._mark().durable.lsn
        try:
            released = read_released(self.folder, self._files)
        except OSError as error:
            raise ReadFailed(f"{self.folder}/{RELEASED}", str(error)) from error
        return durable if released is None else min(durable, released)

    def first_at(self, stamp_ns: int) -> int:
        """The first record stamped `stamp_ns` or later; one more than the last where none is.

        Raises NotThere, Damage, ReadFailed.
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
        with self._open(path, start) as handle:
            return read_header(self._files, handle, path)

    def link_at(self, lsn: int) -> Link:
        """The record's number and checksum, to compare with what a snapshot stands on.

        Raises Gone, NotThere (the log ends before it), Damage, ReadFailed.
        """
        return Link(0, 0) if lsn == 0 else self._settled(lambda: self._link_at(lsn))

    def _link_at(self, lsn: int) -> Link:
        starts = self._starts()
        if lsn < starts[0] - 1:
            raise Gone(lsn, starts[0])
        start = max(start for start in starts if start <= max(lsn, starts[0]))
        path = f"{self.folder}/{segment_name(start)}"
        with self._open(path, lsn) as handle:
            cursor = self._seek(handle, path, start, lsn + 1)
        if cursor is None:
            raise NotThere(f"{self.folder}: the log ends before record {lsn}")
        self._cursor = cursor
        return cursor.end

    def _mark(self) -> Mark:
        path = f"{self.folder}/{MARK}"
        try:
            with self._opened(path) as handle:
                return read_mark(self._files, handle, path)
        except FileNotFoundError as error:
            raise NotThere(f"{self.folder}: there is no journal in it") from error

    def _starts(self) -> list[int]:
        try:
            starts = first_lsns(self._files, self.folder)
        except FileNotFoundError:
            starts = []
        except OSError as error:
            raise ReadFailed(self.folder, str(error)) from error
        if not starts:
            raise NotThere(f"{self.folder}: there is no journal in it")
        return starts

    @contextmanager
    def _open(self, path: str, lsn: int) -> Iterator[int]:
        """The segment that `lsn` stands in, open. Raises Gone where retention took it, ReadFailed."""
        try:
            with self._opened(path) as handle:
                yield handle
        except FileNotFoundError as error:
            raise Gone(lsn, self._starts()[0]) from error

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        """The file, open; what the disk then refuses is ReadFailed. Raises FileNotFoundError where there is none."""
        try:
            handle = self._files.open(path, write=False)
            try:
                yield handle
            finally:
                self._files.close(handle)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ReadFailed(path, str(error)) from error

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
            self._check_end(handle, path, walked)
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
        self._check_end(handle, path, walked._replace(position=cursor.position))
        return b""

    def _check_end(self, handle: int, path: str, walked: Walked) -> None:
        """The frames end here. Raises Damage where the mark, or a frame behind the end, knows of more, and FormatTooNew
        where a later version of the format goes on."""
        refuse_newer(path, walked)
        missing = walked.end.lsn + 1
        if missing <= self._mark().durable.lsn:
            raise Damage(path, walked.position, missing, walked.why or "cut short")
        used = used_end(self._files, handle, walked.position)
        if used > walked.position:
            refuse_if_durable(self._files, handle, path, walked, used)


def iterate(folder: Folder, files: Files, from_lsn: int | None = None, upto_lsn: int | None = None) -> Iterator[Record]:
    """Every record from `from_lsn` (else the oldest kept) to `upto_lsn` (else the last valid one), verified.

    A torn tail ends it like the end of the log. Raises Gone, NotThere (no journal), Damage, ReadFailed.
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
