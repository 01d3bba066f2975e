"""A session's emergency file: the same frames as the log's in one file of fixed size, synced batch by batch.

It is begun ahead of time, so that writing it needs no room and no new name. There is one file for each life of a
session and it is never written again once that life is over; reading cuts a torn tail, as the log's recovery does.
"""

from collections.abc import Sequence
from pathlib import PurePath

from common.journal.errors import BadEntry, LogFailed, NoSpace, NotThere
from common.journal.files import Files, remove_if_there, write_all
from common.journal.frames import Entry, Link, Record, frame, parse
from common.journal.recovery import read_range, refuse_if_durable
from common.journal.segments import SegmentHeader, read_header, used_end, walk_segment

EMERGENCY_BYTES = 4 << 20
_TEMPORARY = ".tmp"


class EmergencyFile:
    """The file of this process's life, open for appending."""

    def __init__(self, path: str, files: Files, handle: int, header_bytes: int, size_bytes: int, epoch: int) -> None:
        self.path = path
        self._files = files
        self._handle = handle
        self._position = header_bytes
        self._size_bytes = size_bytes
        self._epoch = epoch
        self._end = Link(0, 0)
        self._stamp_ns = 0
        self._failed = False

    @classmethod
    def create(
        cls, path: str | PurePath, files: Files, *, epoch: int, size_bytes: int = EMERGENCY_BYTES
    ) -> "EmergencyFile":
        """Make the file, allocate it whole and sync it and its folder (made where missing).

        `epoch` is the session's and stands in the frames as the journal epoch. Raises FileExistsError where the name
        is taken (a file is never overwritten), LogFailed.
        """
        name = str(path)
        folder = name.rpartition("/")[0]
        try:
            files.make_folder(folder)
            if name.rpartition("/")[2] in files.list(folder):
                raise FileExistsError(name)
            remove_if_there(files, name + _TEMPORARY)
            handle = files.create(name + _TEMPORARY)
            header = SegmentHeader(0, files.new_id(), 1, epoch, 0, 0, b"").encode()
            files.allocate(handle, size_bytes)
            write_all(files, handle, header, 0)
            files.sync(handle)
            files.rename(name + _TEMPORARY, name)
            files.sync_folder(folder)
        except FileExistsError:
            raise
        except OSError as error:
            raise LogFailed(f"{name}: making the emergency file", error) from error
        return cls(name, files, handle, len(header), size_bytes, epoch)

    @property
    def last_lsn(self) -> int:
        """The number of frames in the file."""
        return self._end.lsn

    def append(self, entries: Sequence[Entry], stamp_ns: int) -> int:
        """Write the entries and sync; when this returns they are durable. Returns the number of the last frame.

        `stamp_ns` is Unix time by the session's own clock; one below the last is raised to it. Raises BadEntry,
        NoSpace (the file is full; nothing was written), LogFailed (an error of the disk: take no more).
        """
        if not entries:
            raise BadEntry(f"{self.path}: a batch holds one entry at least")
        if self._failed:
            raise LogFailed(f"{self.path}: append after a failure", None)
        stamp_ns = max(stamp_ns, self._stamp_ns)
        block, end = frame(entries, self._end, stamp_ns=stamp_ns, journal_epoch=self._epoch, durable_lsn=self._end.lsn)
        if self._position + len(block) > self._size_bytes:
            raise NoSpace(self.path, len(block))
        try:
            write_all(self._files, self._handle, block, self._position)
            self._files.sync(self._handle)
        except OSError as error:
            self._failed = True
            raise LogFailed(f"{self.path}: writing frames up to {end.lsn}", error) from error
        self._position += len(block)
        self._end, self._stamp_ns = end, stamp_ns
        return end.lsn

    def close(self) -> None:
        """Give the handle back; every append is durable already."""
        if self._handle >= 0:
            self._files.close(self._handle)
            self._handle = -1
            self._failed = True


def read_emergency(path: str | PurePath, files: Files) -> list[Record]:
    """Every whole frame of an emergency file, in order; a torn last batch is left out.

    A record's `lsn` is its number in the file, from 1. Raises NotThere, Damage (a frame is bad that a later one calls
    durable, or the header is), OSError.
    """
    name = str(path)
    try:
        handle = files.open(name, write=False)
    except FileNotFoundError as error:
        raise NotThere(f"{name}: there is no such emergency file") from error
    try:
        header = read_header(files, handle, name)
        walked = walk_segment(files, handle, header.header_bytes, header.after)
        used = used_end(files, handle, walked.position)
        if used > walked.position:
            refuse_if_durable(files, handle, name, walked, used)
        return parse(read_range(files, handle, header.header_bytes, walked.position))
    finally:
        files.close(handle)
