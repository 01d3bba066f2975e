"""What can still be read of a damaged journal, written to a folder of its own. The damaged one is not touched.

The copy is a journal that opens: every record before the first damage, byte for byte, under a new identity, since from
there on it will differ. Valid frames behind the damage cannot be chained to it; they are written one after the other
into the file `behind-damage`, for a person to read.
"""

from typing import NamedTuple

from common.journal.errors import Damage, FormatTooNew, LogFailed, NotThere
from common.journal.files import Files, Folder, read_whole, replace_file
from common.journal.frames import Link, find_frame, frame_bytes, walk
from common.journal.marks import MARK, SLOT_SPACING, Mark
from common.journal.segments import first_lsns, read_header, segment_name

BEHIND = "behind-damage"


class Salvaged(NamedTuple):
    """What the copy holds: records `first_lsn` to `last_lsn`; `damage` is None where nothing was wrong.

    `behind` are (first, last) LSNs of runs of valid frames after the damage, in the file `behind-damage`.
    """

    first_lsn: int
    last_lsn: int
    damage: Damage | None
    behind: list[tuple[int, int]]


def salvage(folder: Folder, files: Files, to: Folder) -> Salvaged:
    """Copy what is readable from `folder` to `to`, which must not hold a journal.

    Raises NotThere (no journal to read), FileExistsError (`to` has one), LogFailed (the disk, either one).
    """
    source, target = str(folder), str(to)
    try:
        starts = first_lsns(files, source)
        if not starts:
            raise NotThere(f"{source}: there is no journal in it")
        files.make_folder(target)
        if first_lsns(files, target) or MARK in files.list(target):
            raise FileExistsError(f"{target} holds a journal already: name an empty folder")
        return _Copy(files, source, target).run(starts)
    except (FileNotFoundError, FileExistsError) as error:
        if isinstance(error, FileExistsError):
            raise
        raise NotThere(f"{source}: there is no journal in it") from error
    except OSError as error:
        raise LogFailed(f"salvaging {source} to {target}", error) from error


class _Copy:
    """One pass over the segments: sound ones are copied, from the first damage on frames are only collected."""

    def __init__(self, files: Files, source: str, target: str) -> None:
        self.files = files
        self.source = source
        self.target = target
        self.identity = files.new_id()
        self.end: Link | None = None
        self.first_lsn = 0
        self.epoch = 0
        self.damage: Damage | None = None
        self.behind: list[tuple[int, int]] = []
        self.behind_frames: list[bytes] = []

    def run(self, starts: list[int]) -> Salvaged:
        for index, start in enumerate(starts):
            path = f"{self.source}/{segment_name(start)}"
            data = read_whole(self.files, path)
            position = 0
            if self.damage is None:
                after = starts[index + 1] if index + 1 < len(starts) else None
                position = self._copy_segment(path, start, data, after)
            if self.damage is not None:
                self._collect(data, position)
        if self.behind_frames:
            replace_file(self.files, self.target, BEHIND, b"".join(self.behind_frames))
        end = self.end or Link(0, 0)
        slots = bytearray(SLOT_SPACING * 2)
        first = Mark(0, end, self.epoch, max(self.first_lsn, 1)).encode()
        slots[: len(first)] = first
        replace_file(self.files, self.target, MARK, bytes(slots))
        return Salvaged(self.first_lsn, end.lsn, self.damage, self.behind)

    def _copy_segment(self, path: str, start: int, data: bytes, next_start: int | None) -> int:
        """Copy a segment up to its first damage; where that is, or the end of its frames."""
        handle = self.files.open(path, write=False)
        try:
            header = read_header(self.files, handle, path)
        except (Damage, FormatTooNew) as error:
            self.damage = error if isinstance(error, Damage) else Damage(path, 0, start, str(error))
            return 0
        finally:
            self.files.close(handle)
        if header.first_lsn != start or (self.end is not None and header.after != self.end):
            self.damage = Damage(path, 0, start, "the segment does not follow the one before")
            return header.header_bytes
        walked = walk(
            data, header.after, position=header.header_bytes,
            upto_lsn=None if next_start is None else next_start - 1, stamp_ns=header.stamp_ns,
        )  # fmt: skip
        self.first_lsn = self.first_lsn or start
        self.epoch = max(self.epoch, header.journal_epoch, walked.journal_epoch)
        self.end = walked.end
        copy = header._replace(identity=self.identity).encode() + data[header.header_bytes : walked.position]
        replace_file(self.files, self.target, segment_name(start), copy)
        ended = next_start is None and not data[walked.position :].strip(b"\0")
        if not ended and walked.end.lsn + 1 != next_start:
            self.damage = Damage(path, walked.position, walked.end.lsn + 1, walked.why or "cut short")
        return walked.position

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
