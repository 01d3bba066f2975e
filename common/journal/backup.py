"""A copy of a journal in another folder, made beside its writer and carried on from where it ends.

The copy holds the log up to the record that the mark file names as durable, byte for byte and under the same identity,
and the snapshots that stand on it. It is a journal: what reads one reads the other. Every segment is verified as it is
read and again as it stands in the copy, before it has its name there. The mark is written last, so that a copy that was
broken off is the copy before it, or a journal without a mark. What retention drops of the log stays in the copy.

A copy is not gone on with as it is, since it is behind the journal that it was made of: `salvage` makes of it one of
its own, under another identity.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from common.journal.errors import (
    BackupBehind,
    Damage,
    FormatTooNew,
    Gone,
    Locked,
    NotThere,
    OtherJournal,
    ReadFailed,
    copying_to,
)
from common.journal.files import Files, Folder, remove_if_there, replace_file, write_all
from common.journal.frames import Link
from common.journal.log import LOCK
from common.journal.marks import MARK, SLOT_SPACING, Mark
from common.journal.reader import Reader
from common.journal.segments import CHUNK_BYTES, SegmentHeader, first_lsns, read_header, segment_name, walk_segment
from common.journal.snapshots import (
    SUFFIX,
    Snapshot,
    newest_snapshot,
    prune_snapshots,
    read_snapshot,
    snapshot_folder,
    stands,
    write_snapshot,
)

_TEMPORARY = "copied.tmp"

Progress = Callable[[int, int], None]
"""(segments looked at, segments in all)"""


class BackedUp(NamedTuple):
    """What the copy holds: records `first_lsn` to `last_lsn`, the last stamped `stamp_ns`; `new_records` of them came
    with this run. `without_snapshot` are the actors whose snapshots all stand on later records: a copy that does not
    begin with record 1 cannot be started without theirs.
    """

    first_lsn: int
    last_lsn: int
    stamp_ns: int
    new_records: int
    without_snapshot: tuple[str, ...]


def back_up(folder: Folder, files: Files, to: Folder, progress: Progress | None = None) -> BackedUp:
    """Copy the journal in `folder`, which may be at work, to the folder `to`, or carry on the copy that is there.

    Raises NotThere (no journal to copy), OtherJournal (`to` holds another one, or more of this one than there is),
    BackupBehind (the log no longer has what follows the copy), Locked, Damage, FormatTooNew, ReadFailed, CopyFailed.
    """
    source, target = str(folder), str(to)
    with copying_to(target):
        files.make_folder(target)
        try:
            lock = files.lock(f"{target}/{LOCK}")
        except BlockingIOError as error:
            raise Locked(target) from error
    try:
        return _settled(files, source, target, progress or (lambda _done, _whole: None))
    finally:
        files.close(lock)


def _settled(files: Files, source: str, target: str, progress: Progress) -> BackedUp:
    """One run; another where what it looked at has moved: the journal of `source` rotates, drops segments, starts again
    and has a part of one moved to a new one."""
    before: tuple[str, int] | None = None
    while True:
        try:
            return _Backup(files, source, target).run(progress)
        except Damage as error:
            place = (error.file, error.offset)
            if place == before:
                raise
        except FileNotFoundError as error:
            place = (str(error.filename), 0)
            if place == before:
                raise ReadFailed(source, str(error)) from error
        before = place


@contextmanager
def _read(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ReadFailed(path, str(error)) from error


class _Backup:
    """One pass over the segments, oldest first."""

    def __init__(self, files: Files, source: str, target: str) -> None:
        self._files = files
        self._source = source
        self._target = target
        self._reader = Reader(source, files)
        self._upto = self._reader.durable_lsn()

    def run(self, progress: Progress) -> BackedUp:
        files, target = self._files, self._target
        with _read(self._source):
            starts = [start for start in first_lsns(files, self._source) if start <= max(self._upto, 1)]
        if not starts:
            raise NotThere(f"{self._source}: there is no journal in it")
        held = self._held(starts[0])
        with copying_to(target):
            there = first_lsns(files, target)
        end, stamp_ns, epoch = Link(0, 0), 0, 0
        for index, start in enumerate(starts):
            progress(index, len(starts))
            last = starts[index + 1] - 1 if index + 1 < len(starts) else self._upto
            if last <= held and start in there and index + 1 < len(starts):
                continue
            end, stamp_ns, epoch = self._copy_segment(start, last)
        progress(len(starts), len(starts))
        first = min([*there, starts[0]])
        slots = bytearray(SLOT_SPACING * 2)
        mark = Mark(0, end, epoch, first).encode()
        slots[: len(mark)] = mark
        with copying_to(target):
            replace_file(files, target, MARK, bytes(slots))
        return BackedUp(first, end.lsn, stamp_ns, end.lsn - held, self._copy_snapshots())

    def _held(self, first_lsn: int) -> int:
        """The last record of the copy that is there, which the journal must have had too; 0 where there is none."""
        copy = Reader(self._target, self._files)
        try:
            held = copy.durable_lsn()
        except NotThere:
            return 0
        if self._identity(self._target) != self._identity(self._source):
            raise OtherJournal(self._target, f"a copy of another journal than {self._source}")
        if held + 1 < first_lsn:
            raise BackupBehind(self._target, held, first_lsn)
        try:
            same = self._reader.link_at(held) == copy.link_at(held)
        except (Gone, NotThere):
            same = False
        if not same:
            raise OtherJournal(self._target, f"record {held}, and {self._source} does not have it as it stands there")
        return held

    def _identity(self, folder: str) -> bytes:
        return self._header(f"{folder}/{segment_name(max(first_lsns(self._files, folder)))}").identity

    def _header(self, path: str) -> SegmentHeader:
        with _read(path):
            handle = self._files.open(path, write=False)
            try:
                return read_header(self._files, handle, path)
            finally:
                self._files.close(handle)

    def _copy_segment(self, start: int, last: int) -> tuple[Link, int, int]:
        """Put the segment's records up to `last` into the copy; the last one, its stamp, and the journal's epoch."""
        files, path = self._files, f"{self._source}/{segment_name(start)}"
        with _read(path):
            handle = files.open(path, write=False)
            try:
                header = read_header(files, handle, path)
                position, end, stamp_ns, epoch = self._walked(handle, path, header, last)
                with copying_to(self._target):
                    self._write_segment(handle, header, position, end)
            finally:
                files.close(handle)
        return end, stamp_ns, epoch

    def _walked(self, handle: int, path: str, header: SegmentHeader, last: int) -> tuple[int, Link, int, int]:
        """Where the records up to `last` end in an open segment. Raises Damage where one of them is not sound."""
        walked = walk_segment(
            self._files, handle, header.header_bytes, header.after, upto_lsn=last, stamp_ns=header.stamp_ns
        )
        if walked.end.lsn != last:
            raise Damage(path, walked.position, walked.end.lsn + 1, walked.why or "cut short")
        return walked.position, walked.end, walked.stamp_ns, max(header.journal_epoch, walked.journal_epoch)

    def _write_segment(self, source: int, header: SegmentHeader, size: int, end: Link) -> None:
        """Copy the first `size` bytes of an open segment, and give them their name once they read back as `end`."""
        files, temporary = self._files, f"{self._target}/{_TEMPORARY}"
        remove_if_there(files, temporary)
        handle = files.create(temporary)
        try:
            for at in range(0, size, CHUNK_BYTES):
                write_all(files, handle, files.read_at(source, min(CHUNK_BYTES, size - at), at), at)
            files.sync(handle)
            written = read_header(files, handle, temporary)
            if written != header or self._walked(handle, temporary, written, end.lsn)[1] != end:
                raise Damage(temporary, 0, header.first_lsn, "what was written reads back as something else")
        finally:
            files.close(handle)
        files.rename(temporary, f"{self._target}/{segment_name(header.first_lsn)}")
        files.sync_folder(self._target)

    def _copy_snapshots(self) -> tuple[str, ...]:
        """Copy the snapshots that stand on the copied records and drop those that they replace. The actors that have
        one in the journal and none in the copy."""
        copy, place = Reader(self._target, self._files), snapshot_folder(self._target)
        names = set()
        for snapshot in self._snapshots():
            names.add(snapshot.name)
            if stands(snapshot, copy):
                write_snapshot(place, self._files, snapshot)
        for name in names:
            prune_snapshots(place, self._files, name, log=copy)
        return tuple(sorted(name for name in names if newest_snapshot(place, self._files, name, copy) is None))

    def _snapshots(self) -> Iterator[Snapshot]:
        place = snapshot_folder(self._source)
        with _read(place):
            try:
                names = sorted(name for name in self._files.list(place) if name.endswith(SUFFIX))
            except FileNotFoundError:
                return
        for name in names:
            try:
                yield read_snapshot(f"{place}/{name}", self._files)
            except (Damage, FormatTooNew, NotThere):
                continue
