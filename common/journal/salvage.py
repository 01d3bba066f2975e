"""What can still be read of a damaged journal, written to a folder of its own. The damaged one is not touched.

Whether it is damaged, and where, is the verdict of `verify`. The copy is a journal that opens: every record before the
first damage, byte for byte, under a new identity, since from there on it will differ. Valid frames behind the damage
cannot be chained to it; they are written one after the other into the file `behind-damage`, for a person to read. Where
the journal's beginning was dropped, the snapshots that stand on the copied records go with it, and the index.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from common.journal.errors import Damage, FormatTooNew, NotThere, ReadFailed, copying_to
from common.journal.files import Files, Folder, read_whole, replace_file
from common.journal.frames import Link, find_frame, frame_bytes, walk
from common.journal.marks import MARK, SLOT_SPACING, Mark
from common.journal.reader import Reader
from common.journal.segments import first_lsns, read_header, segment_name
from common.journal.snapshots import SNAPSHOTS, SUFFIX, read_snapshot, stands
from common.journal.verify import settled

BEHIND = "behind-damage"
INDEX = "index"
"""The folder of what an actor keeps beside its snapshots, which without it say too little."""
_SHARED_MEMORY = "-shm"


class Salvaged(NamedTuple):
    """What the copy holds: records `first_lsn` to `last_lsn`; `damage` is None where nothing was wrong, a torn tail
    included, which was never acknowledged.

    `behind` are (first, last) LSNs of runs of valid frames after the damage, in the file `behind-damage`; `beside` are
    the snapshots and files of the index that were copied too.
    """

    first_lsn: int
    last_lsn: int
    damage: Damage | None
    behind: list[tuple[int, int]]
    beside: list[str]


def salvage(folder: Folder, files: Files, to: Folder) -> Salvaged:
    """Copy what is readable from `folder` to `to`, which must not hold a journal.

    Raises NotThere (no journal to read), FileExistsError (`to` has one), FormatTooNew, ReadFailed, CopyFailed.
    """
    source, target = str(folder), str(to)
    with _read(source):
        try:
            starts = first_lsns(files, source)
        except FileNotFoundError:
            starts = []
    if not starts:
        raise NotThere(f"{source}: there is no journal in it")
    with copying_to(target):
        files.make_folder(target)
        taken = first_lsns(files, target) or MARK in files.list(target)
    if taken:
        raise FileExistsError(f"{target} holds a journal already: name an empty folder")
    damage = None
    try:
        starts = settled(source, files).segments
    except Damage as error:
        damage = error
    return _Copy(files, source, target, damage).run(starts)


@contextmanager
def _read(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReadFailed(path, str(error)) from error


class _Copy:
    """One pass over the segments: sound ones are copied, from the first break on frames are only collected."""

    def __init__(self, files: Files, source: str, target: str, damage: Damage | None) -> None:
        """`damage` is what the survey of the whole folder found."""
        self.files = files
        self.source = source
        self.target = target
        self.damage = damage
        self.identity = files.new_id()
        self.end: Link | None = None
        self.first_lsn = 0
        self.epoch = 0
        self.broken: Damage | None = None
        self.behind: list[tuple[int, int]] = []
        self.behind_frames: list[bytes] = []

    def run(self, starts: list[int]) -> Salvaged:
        for index, start in enumerate(starts):
            path = f"{self.source}/{segment_name(start)}"
            with _read(path):
                data = read_whole(self.files, path)
            position = 0
            if self.broken is None:
                after = starts[index + 1] if index + 1 < len(starts) else None
                position = self._copy_segment(path, start, data, after)
            if self.broken is not None and self.damage is not None:
                self._collect(data, position)
        end = self.end or Link(0, 0)
        if self.behind_frames:
            self._write(self.target, BEHIND, b"".join(self.behind_frames))
        slots = bytearray(SLOT_SPACING * 2)
        first = Mark(0, end, self.epoch, max(self.first_lsn, 1)).encode()
        slots[: len(first)] = first
        self._write(self.target, MARK, bytes(slots))
        beside = self._copy_beside() if self.first_lsn > 1 else []
        return Salvaged(self.first_lsn, end.lsn, self._verdict(), self.behind, beside)

    def _verdict(self) -> Damage | None:
        """What the survey said; where that is the mark file, which hides the rest from it, what is broken besides."""
        damage, broken = self.damage, self.broken
        if damage is None or broken is None or damage.file != f"{self.source}/{MARK}":
            return damage
        why = f"{damage.why}; and {broken.file} at byte {broken.offset}, record {broken.lsn}: {broken.why}"
        return Damage(damage.file, damage.offset, damage.lsn, why)

    def _copy_segment(self, path: str, start: int, data: bytes, next_start: int | None) -> int:
        """Copy a segment up to its first break; where that is, or the end of its frames."""
        try:
            with _read(path):
                handle = self.files.open(path, write=False)
                try:
                    header = read_header(self.files, handle, path)
                finally:
                    self.files.close(handle)
        except (Damage, FormatTooNew) as error:
            self.broken = error if isinstance(error, Damage) else Damage(path, 0, start, str(error))
            return 0
        if header.first_lsn != start or (self.end is not None and header.after != self.end):
            self.broken = Damage(path, 0, start, "the segment does not follow the one before")
            return header.header_bytes
        walked = walk(
            data, header.after, position=header.header_bytes, upto_lsn=self._last_sound(path, start, next_start),
            stamp_ns=header.stamp_ns,
        )  # fmt: skip
        self.first_lsn = self.first_lsn or start
        self.epoch = max(self.epoch, header.journal_epoch, walked.journal_epoch)
        self.end = walked.end
        copy = header._replace(identity=self.identity).encode() + data[header.header_bytes : walked.position]
        self._write(self.target, segment_name(start), copy)
        ended = next_start is None and not data[walked.position :].strip(b"\0")
        if not ended and walked.end.lsn + 1 != next_start:
            self.broken = Damage(path, walked.position, walked.end.lsn + 1, walked.why or "cut short")
        return walked.position

    def _last_sound(self, path: str, start: int, next_start: int | None) -> int | None:
        """The last record of the segment that may be copied: a frame that is good in itself may still be damage, where
        the mark confirms another one in its place."""
        damage = self.damage
        if damage is not None and damage.file == path and damage.lsn >= start:
            return damage.lsn - 1
        return None if next_start is None else next_start - 1

    def _collect(self, data: bytes, position: int) -> None:
        """Valid frames from `position` on, whatever they are chained to."""
        last_copied = self.end.lsn if self.end is not None else 0
        at = find_frame(data, position)
        while at is not None:
            start, lsn, _ = at
            stop = start + frame_bytes(int.from_bytes(data[start + 8 : start + 12], "little"))
            if lsn > last_copied:
                self.behind_frames.append(data[start:stop])
                if self.behind and self.behind[-1][1] + 1 == lsn:
                    self.behind[-1] = (self.behind[-1][0], lsn)
                else:
                    self.behind.append((lsn, lsn))
            at = find_frame(data, stop)

    # ---- what a journal without its beginning cannot be started without

    def _copy_beside(self) -> list[str]:
        """Copy the snapshots that stand on the copied records and, where there is one, the index; their names."""
        reader = Reader(self.target, self.files)
        snapshots = [name for name in self._names(SNAPSHOTS) if name.endswith(SUFFIX) and self._stands(name, reader)]
        if not snapshots:
            return []
        # What a database's users share in memory is nobody's once they are gone.
        index = [name for name in self._names(INDEX) if not name.endswith(_SHARED_MEMORY)]
        copied = [f"{SNAPSHOTS}/{name}" for name in snapshots] + [f"{INDEX}/{name}" for name in index]
        for name in copied:
            path = f"{self.source}/{name}"
            with _read(path):
                data = read_whole(self.files, path)
            place, _, file = name.partition("/")
            self._write(f"{self.target}/{place}", file, data)
        return copied

    def _names(self, place: str) -> list[str]:
        with _read(f"{self.source}/{place}"):
            try:
                return sorted(self.files.list(f"{self.source}/{place}"))
            except FileNotFoundError:
                return []

    def _stands(self, name: str, reader: Reader) -> bool:
        try:
            return stands(read_snapshot(f"{self.source}/{SNAPSHOTS}/{name}", self.files), reader)
        except (Damage, FormatTooNew, NotThere):
            return False

    def _write(self, folder: str, name: str, data: bytes) -> None:
        with copying_to(folder):
            self.files.make_folder(folder)
            replace_file(self.files, folder, name, data)
