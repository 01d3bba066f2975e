"""The disk as a witness: what was durable, and when, learned from the calls that cores make and not from what they say.

`WatchedFiles` stands between a process and its host's fake disk. It is where a process can die inside a call, and it
shows every write and every completed sync to a `Witness`, which reads frames out of the synced bytes by itself.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from common.journal.frames import HEADER_BYTES, Record, writer_name
from scripts.simulation.disk import Called, Disk, DiskFiles
from scripts.simulation.invariants import Violation

_FRAME = struct.Struct("<IIIHHQQQQQQIHH32s")
_FRAME_MAGIC = int.from_bytes(b"FXRJ", "little")
_SEGMENT_MAGIC = b"FXRS"
SEGMENT_SUFFIX = ".segment"


class DurableRecord(NamedTuple):
    """A record and the checksum that its frame bears."""

    crc: int
    record: Record


def read_frames(data: bytes | bytearray, at: int = 0) -> tuple[list[DurableRecord], int]:
    """The whole frames from the byte `at` on, and where they end."""
    found: list[DurableRecord] = []
    while len(data) - at >= HEADER_BYTES:
        (crc, magic, size, kind, _, lsn, stamp_ns, journal_epoch, writer_epoch, number, durable, _, _, header,
         writer) = _FRAME.unpack_from(data, at)  # fmt: skip
        end = at + header + (size + 7 & ~7)
        if magic != _FRAME_MAGIC or end > len(data):
            break
        payload = bytes(data[at + header : at + header + size])
        record = Record(lsn, stamp_ns, kind, writer_name(writer), writer_epoch, number, journal_epoch, durable, payload)
        found.append(DurableRecord(crc, record))
        at = end
    return found, at


class _Written:
    """The bytes of one file as they were written, how far they were read as frames, and how far they are durable."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.read_to = 0
        self.synced_to = 0

    def write(self, data: bytes, offset: int) -> None:
        if offset > len(self.data):
            self.data.extend(bytes(offset - len(self.data)))
        self.data[offset : offset + len(data)] = data

    def frames(self) -> list[DurableRecord]:
        """The whole frames that were synced since the last call."""
        data, at = self.data, self.read_to
        if at == 0:
            if data[4:8] == _SEGMENT_MAGIC:
                at = int.from_bytes(data[12:16], "little")
            elif data[4:8] != b"FXRJ":
                return []
        found, self.read_to = read_frames(data, at)
        return found


class _Watcher:
    """What was written to the files of one folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder.rstrip("/") + "/"
        self._files: dict[str, _Written] = {}

    def wrote(self, path: str, data: bytes, offset: int) -> None:
        """Bytes were given to the page cache."""
        self._files.setdefault(path, _Written()).write(data, offset)

    def removed(self, path: str) -> None:
        """The name is gone, or another file has it now."""
        self._files.pop(path, None)

    def renamed(self, old: str, new: str) -> None:
        """The file has another name."""
        written = self._files.pop(old, None)
        if written is not None:
            self._files[new] = written

    def folder_synced(self, folder: str) -> None:
        """The names in the folder are durable."""

    def truncated(self, path: str, size: int) -> None:
        """The file was cut."""
        written = self._files.get(path)
        if written is not None:
            del written.data[size:]
            written.read_to = min(written.read_to, size)
            written.synced_to = min(written.synced_to, size)

    def forget_unsynced(self, path: str) -> None:
        """A sync failed: the pages are clean now and were not written."""
        written = self._files.get(path)
        if written is not None:
            del written.data[max(written.read_to, written.synced_to) :]

    def crashed(self) -> None:
        """The host went down: what was not synced is not known any more."""
        for path in self._files:
            self.forget_unsynced(path)


class Witness(_Watcher):
    """Every record of one log that was ever durable, in LSN order from 1."""

    def __init__(self, folder: str, learned: Callable[[Record], None], *, on_write: bool = False) -> None:
        """`learned` is told of each record once, as it becomes durable; with `on_write`, as it is written (a log that
        has to survive its process only)."""
        super().__init__(folder)
        self.records: list[DurableRecord] = []
        self._learned = learned
        self._on_write = on_write
        self._names_unsynced: set[str] = set()

    def wrote(self, path: str, data: bytes, offset: int) -> None:
        """Bytes were given to the page cache."""
        super().wrote(path, data, offset)
        if self._on_write:
            self.synced(path)

    @property
    def last_lsn(self) -> int:
        """The last durable record."""
        return len(self.records)

    @property
    def last_stamp_ns(self) -> int:
        """The stamp of the last durable record."""
        return self.records[-1].record.stamp_ns if self.records else 0

    def watches(self, path: str) -> bool:
        """Whether the file is one of the log's segments, or about to become one."""
        return path.startswith(self.folder) and path.endswith((SEGMENT_SUFFIX, ".tmp"))

    def synced(self, path: str) -> None:
        """A sync of the file returned without an error. A file without its final name holds nothing yet."""
        written = self._files.get(path)
        if written is None:
            return
        written.synced_to = len(written.data)
        if not path.endswith(SEGMENT_SUFFIX) or path in self._names_unsynced:
            return
        for found in written.frames():
            self._take(found)

    def renamed(self, old: str, new: str) -> None:
        """A file that was synced before it got a segment's name counts once that name is durable too."""
        super().renamed(old, new)
        if self._on_write:
            self.synced(new)
        else:
            self._names_unsynced.add(new)

    def folder_synced(self, folder: str) -> None:
        """The names in the folder are durable."""
        if folder.rstrip("/") + "/" == self.folder:
            names, self._names_unsynced = self._names_unsynced, set()
            for path in names:
                self.synced(path)

    def crashed(self) -> None:
        """The host went down: what was not synced is not known any more."""
        super().crashed()
        self._names_unsynced.clear()

    def _take(self, found: DurableRecord) -> None:
        lsn = found.record.lsn
        if lsn <= len(self.records):
            if self.records[lsn - 1].crc != found.crc:
                former = self.records[lsn - 1].record
                raise Violation("log-is-final", f"record {lsn} was {former}, and is now {found.record}")
            return
        if lsn != len(self.records) + 1:
            raise Violation("log-is-final", f"record {lsn} was made durable after record {len(self.records)}")
        self.records.append(found)
        self._learned(found.record)


class EmergencyWitness(_Watcher):
    """The emergency files: every frame in them that was ever durable."""

    def __init__(self, folder: str, learned: Callable[[Record], None]) -> None:
        """`learned` is told of each frame once, as it becomes durable."""
        super().__init__(folder)
        self._learned = learned

    def watches(self, path: str) -> bool:
        """Whether the file may be one of a session's."""
        return path.startswith(self.folder)

    def synced(self, path: str) -> None:
        """A sync of the file returned without an error."""
        written = self._files.get(path)
        if written is not None:
            for found in written.frames():
                self._learned(found.record)


class WatchedFiles(DiskFiles):
    """A process's port to its host's disk, in sight of witnesses."""

    def __init__(self, disk: Disk, called: Called, witnesses: tuple[Witness | EmergencyWitness, ...]) -> None:
        """`called` runs before every call and may raise `Killed` or make the call fail."""
        super().__init__(disk, called)
        self._witnesses = witnesses

    def _watching(self, path: str) -> list[Witness | EmergencyWitness]:
        return [witness for witness in self._witnesses if witness.watches(path)]

    def _path(self, handle: int) -> str:
        return self._handles[handle][1]

    def create(self, path: str) -> int:
        handle = super().create(path)
        for witness in self._watching(path):
            witness.removed(path)
        return handle

    def write_at(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        taken = super().write_at(handle, data, offset)
        path = self._path(handle)
        for witness in self._watching(path):
            witness.wrote(path, bytes(data[:taken]), offset)
        return taken

    def truncate(self, handle: int, size: int) -> None:
        super().truncate(handle, size)
        path = self._path(handle)
        for witness in self._watching(path):
            witness.truncated(path, size)

    def sync(self, handle: int) -> None:
        path = self._path(handle)
        try:
            super().sync(handle)
        except OSError:
            for witness in self._watching(path):
                witness.forget_unsynced(path)
            raise
        for witness in self._watching(path):
            witness.synced(path)

    def sync_folder(self, folder: str) -> None:
        super().sync_folder(folder)
        for witness in self._witnesses:
            witness.folder_synced(folder)

    def rename(self, old: str, new: str) -> None:
        super().rename(old, new)
        for handle, (number, path) in self._handles.items():
            if path == old:
                self._handles[handle] = (number, new)
        for witness in self._watching(new):
            witness.renamed(old, new)

    def remove(self, path: str) -> None:
        super().remove(path)
        for witness in self._watching(path):
            witness.removed(path)
