"""What a folder holds, decided without changing it: which records are there, which are confirmed, what is torn.

The confirmed end is the highest record that the mark file, or any valid frame's last-durable LSN, says was synced. A
frame that is bad up to there is damage: it was acknowledged, so the journal refuses. Beyond it stands the one batch
that was written and not synced when the process or the power went; its pages may survive in any combination, so from
its first bad frame on it is torn: it was never acknowledged and is cut. A whole frame of a later version of the format
is neither: only the program that wrote it can judge it.
"""

from collections.abc import Callable
from typing import NamedTuple

from common.journal.errors import Damage, FormatTooNew
from common.journal.files import Files
from common.journal.frames import MAX_PAYLOAD_BYTES, VERSION, Link, Stop, Walked, find_frame, frame_bytes, version_at
from common.journal.marks import MARK, Mark, read_mark
from common.journal.segments import (
    CHUNK_BYTES,
    SegmentHeader,
    first_lsns,
    read_header,
    refuse_newer,
    segment_name,
    used_end,
    walk_segment,
)
from common.journal.writers import RUNS_KEPT, Writers


class Survey(NamedTuple):
    """A folder's state. `end` is the last valid record, `confirmed` the last known durable (at most `end`).

    `tail_position` is where the first unconfirmed frame stands in the last segment, `end_position` where its valid
    frames end, `used_bytes` where anything but zeros ends: beyond `end_position` it is torn, and `torn_why` says how.
    `writers_at_tail` and `stamp_at_tail_ns` are the folds as of `confirmed`.
    """

    mark: Mark
    identity: bytes
    segments: list[int]
    end: Link
    confirmed: Link
    tail_position: int
    end_position: int
    used_bytes: int
    torn_why: str
    writers: Writers
    writers_at_tail: bytes
    stamp_ns: int
    stamp_at_tail_ns: int
    journal_epoch: int


def survey(
    files: Files, folder: str, *, trusted_lsn: int = 0, progress: Callable[[int, int], None] | None = None
) -> Survey | None:
    """Read and verify the folder; None where it holds no journal yet.

    Segments that lie wholly at or below `trusted_lsn` (where a snapshot that verifies stands) have only their headers
    checked, but the last RUNS_KEPT records are always read. `progress` is told how many segments of how many were
    read. Raises Damage, FormatTooNew, OSError.
    """
    names = files.list(folder)
    starts = first_lsns(files, folder)
    if MARK not in names:
        if starts:
            raise Damage(f"{folder}/{MARK}", 0, 0, "the mark file is missing")
        return None
    mark = _mark(files, folder)
    starts = _kept(folder, starts, mark)
    if not starts:
        return None
    # A duplicate of an append gets its first place and stamp: so many records are folded, whatever a snapshot has.
    wanted_lsn = min(trusted_lsn + 1, starts[-1] - RUNS_KEPT)
    first_read = max((index for index, start in enumerate(starts) if start <= wanted_lsn), default=0)
    return _Scan(files, folder, mark, starts).run(first_read, progress)


def _mark(files: Files, folder: str) -> Mark:
    path = f"{folder}/{MARK}"
    handle = files.open(path, write=False)
    try:
        return read_mark(files, handle, path)
    finally:
        files.close(handle)


def _kept(folder: str, starts: list[int], mark: Mark) -> list[int]:
    """The segments that count: those before the first kept record are on their way out. Raises Damage."""
    if not starts:
        if mark.durable.lsn:
            raise Damage(folder, 0, mark.durable.lsn, "the mark names a record and there is no segment")
        return starts
    below = [start for start in starts if start <= mark.floor_lsn]
    if not below:
        raise Damage(f"{folder}/{segment_name(mark.floor_lsn)}", 0, mark.floor_lsn, "the oldest segment is missing")
    return starts[len(below) - 1 :]


class _Scan:
    """One pass over the segments of a folder."""

    def __init__(self, files: Files, folder: str, mark: Mark, starts: list[int]) -> None:
        self.files = files
        self.folder = folder
        self.mark = mark
        self.starts = starts
        self.identity = b""
        self.epoch = mark.journal_epoch
        self.durable_lsn = mark.durable.lsn

    def run(self, first_read: int, progress: Callable[[int, int], None] | None) -> Survey:
        end: Link | None = None
        stamp_ns = 0
        writers = Writers()
        for index, start in enumerate(self.starts[:-1]):
            upto = self.starts[index + 1] - 1
            if progress is not None:
                progress(index, len(self.starts))
            if index < first_read:
                self._header_only(start)
                continue
            end, stamp_ns, writers = self._whole_segment(start, upto, end, stamp_ns, writers)
        return self._last_segment(self.starts[-1], end, stamp_ns, writers)

    def path(self, start: int) -> str:
        return f"{self.folder}/{segment_name(start)}"

    def _header_only(self, start: int) -> None:
        handle = self.files.open(self.path(start), write=False)
        try:
            self._check_header(handle, start, None)
        finally:
            self.files.close(handle)

    def _check_header(self, handle: int, start: int, end: Link | None) -> SegmentHeader:
        path = self.path(start)
        header = read_header(self.files, handle, path)
        if header.first_lsn != start:
            raise Damage(path, 0, start, f"the header begins at record {header.first_lsn}")
        if self.identity and header.identity != self.identity:
            raise Damage(path, 0, start, "the segment belongs to another journal")
        if end is not None and header.after != end:
            raise Damage(path, 0, start, "the segment does not follow the one before")
        self.identity = header.identity
        self.epoch = max(self.epoch, header.journal_epoch)
        return header

    def _check_mark(self, path: str, position: int, at: Link) -> None:
        if at.lsn == self.mark.durable.lsn and at.crc != self.mark.durable.crc:
            raise Damage(path, position, at.lsn, "not the record that the mark file confirms")

    def _whole_segment(
        self, start: int, upto: int, end: Link | None, stamp_ns: int, writers: Writers
    ) -> tuple[Link, int, Writers]:
        """A segment that another follows: every frame up to the next one's first must be good."""
        path = self.path(start)
        handle = self.files.open(path, write=False)
        try:
            header = self._check_header(handle, start, end)
            writers = writers if end is not None else header.writers()
            stop_at = min(upto, self.mark.durable.lsn) if self.mark.durable.lsn >= start else upto
            at, position, stamp = header.after, header.header_bytes, max(stamp_ns, header.stamp_ns)
            for limit in sorted({stop_at, upto}):
                walked = walk_segment(self.files, handle, position, at, upto_lsn=limit, each=writers, stamp_ns=stamp)
                refuse_newer(path, walked)
                if walked.stop is not Stop.LIMIT:
                    raise Damage(path, walked.position, walked.end.lsn + 1, walked.why)
                at, position, stamp = walked.end, walked.position, walked.stamp_ns
                self._note(walked)
                self._check_mark(path, position, at)
            return at, stamp, writers
        finally:
            self.files.close(handle)

    def _note(self, walked: Walked) -> None:
        self.durable_lsn = max(self.durable_lsn, walked.durable_lsn)
        self.epoch = max(self.epoch, walked.journal_epoch)

    def _last_segment(self, start: int, end: Link | None, stamp_ns: int, writers: Writers) -> Survey:
        path = self.path(start)
        handle = self.files.open(path, write=False)
        try:
            header = self._check_header(handle, start, end)
            if end is None:
                writers = header.writers()
            first = Walked(header.header_bytes, header.after, Stop.LIMIT, "", 0, max(stamp_ns, header.stamp_ns), 0)
            marked = self._on(handle, first, max(self.mark.durable.lsn, start - 1), writers)
            if marked.end.lsn >= start or self.mark.durable.lsn == start - 1:
                self._check_mark(path, marked.position, marked.end)
            # The fold has to stop at the confirmed end, which is known only after a look at all that follows the mark.
            whole = self._on(handle, marked, None, None)
            refuse_newer(path, whole)
            used = used_end(self.files, handle, whole.position)
            torn_why = self._torn(handle, path, whole, used)
            kept = self._on(handle, marked, max(self.durable_lsn, start - 1), writers)
            table = writers.table()
            self._on(handle, kept, whole.end.lsn, writers)
            return Survey(
                self.mark, self.identity, self.starts, whole.end, kept.end, kept.position, whole.position, used,
                torn_why, writers, table, whole.stamp_ns, kept.stamp_ns, self.epoch,
            )  # fmt: skip
        finally:
            self.files.close(handle)

    def _on(self, handle: int, at: Walked, upto_lsn: int | None, each: Writers | None) -> Walked:
        """Walk on from where another walk came to, up to a record or to the end of what is good."""
        walked = walk_segment(
            self.files, handle, at.position, at.end, upto_lsn=upto_lsn, each=each, stamp_ns=at.stamp_ns
        )
        self._note(walked)
        return walked

    def _torn(self, handle: int, path: str, whole: Walked, used: int) -> str:
        """Why what stands behind the valid frames is torn ("" where there are only zeros). Raises Damage."""
        missing = whole.end.lsn + 1
        if missing <= self.durable_lsn:
            raise Damage(path, whole.position, missing, f"{whole.why}; it was confirmed as durable")
        if used <= whole.position:
            return ""
        refuse_if_durable(self.files, handle, path, whole, used)
        return whole.why


def refuse_if_durable(files: Files, handle: int, path: str, walked: Walked, used: int) -> None:
    """Raises Damage where a valid frame behind the end of a walk says that what is missing there was durable.

    Raises FormatTooNew where one stands there that a later version of the format wrote.
    """
    missing = walked.end.lsn + 1
    # A frame may end in zeros that are its own: read on for the length of one.
    block = files.read_at(handle, used - walked.position + frame_bytes(MAX_PAYLOAD_BYTES), walked.position)
    at = find_frame(block, 0)
    while at is not None:
        position, lsn, durable = at
        if version_at(block, position) > VERSION:
            raise FormatTooNew(path, version_at(block, position))
        if missing <= durable < lsn:
            raise Damage(
                path, walked.position, missing,
                f"{walked.why}; record {lsn} at byte {walked.position + position} says that it was durable",
            )  # fmt: skip
        at = find_frame(block, position + 8)


def read_range(files: Files, handle: int, start: int, end: int) -> bytes:
    """The bytes of a file from `start` to `end`. Raises OSError, also where the file is shorter."""
    parts = [files.read_at(handle, min(CHUNK_BYTES, end - at), at) for at in range(start, end, CHUNK_BYTES)]
    data = b"".join(parts)
    if len(data) != end - start:
        raise OSError(5, f"{end - start} bytes were there and {len(data)} could be read")
    return data
