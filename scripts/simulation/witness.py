"""The disk as a witness: what was durable, and when, learned from the calls that cores make and not from what they say.

`WatchedFiles` stands between a process and its host's fake disk. It is where a process can die inside a call, and it shows
every write and every completed sync to a `Witness`, which reads frames out of the synced bytes by itself.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from common.journal.files import Files
from common.journal.frames import HEADER_BYTES, Record, writer_name

_FRAME = struct.Struct("<IIIHHQQQQQQIHH32s")
_FRAME_MAGIC = int.from_bytes(b"FXRJ", "little")
_SEGMENT_MAGIC = b"FXRS"
SEGMENT_SUFFIX = ".segment"
EMERGENCY_SUFFIX = ".emergency"


class Changed(Exception):
    """A record that was durable is durable with other contents."""


class DurableRecord(NamedTuple):
    """A record and the checksum that its frame bears."""

    crc: int
    record: Record


class _Written:
    """The bytes of one file as they were written, and how far they were read as frames."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.read_to = 0

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
        self.read_to = at
        return found


class Witness:
    """Every record of one log that was ever durable, in LSN order from 1."""

    def __init__(self, folder: str, learned: Callable[[Record], None]) -> None:
        """`learned` is told of each record once, as it becomes durable."""
        self.folder = folder.rstrip("/") + "/"
        self.records: list[DurableRecord] = []
        self._files: dict[str, _Written] = {}
        self._learned = learned

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

    def wrote(self, path: str, data: bytes, offset: int) -> None:
        """Bytes were given to the page cache."""
        self._files.setdefault(path, _Written()).write(data, offset)

    def renamed(self, old: str, new: str) -> None:
        """The file has another name."""
        written = self._files.pop(old, None)
        if written is not None:
            self._files[new] = written
            if new.endswith(SEGMENT_SUFFIX):
                self.synced(new)

    def removed(self, path: str) -> None:
        """The name is gone."""
        self._files.pop(path, None)

    def truncated(self, path: str, size: int) -> None:
        """The file was cut."""
        written = self._files.get(path)
        if written is not None:
            del written.data[size:]
            written.read_to = min(written.read_to, size)

    def crashed(self) -> None:
        """The host went down: what was not synced is not known any more."""
        for written in self._files.values():
            del written.data[written.read_to :]

    def synced(self, path: str) -> None:
        """A sync of the file returned without an error. A file without its final name holds nothing yet."""
        written = self._files.get(path)
        if written is None or not path.endswith(SEGMENT_SUFFIX):
            return
        for found in written.frames():
            self._take(found)

    def _take(self, found: DurableRecord) -> None:
        lsn = found.record.lsn
        if lsn <= len(self.records):
            if self.records[lsn - 1].crc != found.crc:
                raise Changed(f"record {lsn} was {self.records[lsn - 1].record}, and is now {found.record}")
            return
        if lsn != len(self.records) + 1:
            raise Changed(f"record {lsn} was made durable after record {len(self.records)}")
        self.records.append(found)
        self._learned(found.record)


class EmergencyWitness:
    """The emergency files: every frame in them that was ever durable."""

    def __init__(self, folder: str, learned: Callable[[Record], None]) -> None:
        """`learned` is told of each frame once, as it becomes durable."""
        self.folder = folder.rstrip("/") + "/"
        self._files: dict[str, _Written] = {}
        self._learned = learned

    def watches(self, path: str) -> bool:
        """Whether the file may be one of a session's."""
        return path.startswith(self.folder)

    def wrote(self, path: str, data: bytes, offset: int) -> None:
        """Bytes were given to the page cache."""
        self._files.setdefault(path, _Written()).write(data, offset)

    def renamed(self, old: str, new: str) -> None:
        """The file has another name."""
        written = self._files.pop(old, None)
        if written is not None:
            self._files[new] = written

    def removed(self, path: str) -> None:
        """The name is gone."""
        self._files.pop(path, None)

    def truncated(self, path: str, size: int) -> None:
        """The file was cut."""
        written = self._files.get(path)
        if written is not None:
            del written.data[size:]
            written.read_to = min(written.read_to, size)

    def crashed(self) -> None:
        """The host went down: what was not synced is not known any more."""
        for written in self._files.values():
            del written.data[written.read_to :]

    def synced(self, path: str) -> None:
        """A sync of the file returned without an error."""
        written = self._files.get(path)
        if written is not None:
            for found in written.frames():
                self._learned(found.record)


class WatchedFiles:
    """A process's port to its host's disk."""

    def __init__(
        self, disk: Files, called: Callable[[], None], witnesses: tuple[Witness | EmergencyWitness, ...] = ()
    ) -> None:
        """`called` runs before every call and may raise `Killed`."""
        self._disk = disk
        self._called = called
        self._witnesses = witnesses
        self._paths: dict[int, str] = {}

    def list(self, folder: str) -> list[str]:
        self._called()
        return self._disk.list(folder)

    def make_folder(self, folder: str) -> None:
        self._called()
        self._disk.make_folder(folder)

    def create(self, path: str) -> int:
        self._called()
        handle = self._disk.create(path)
        self._paths[handle] = path
        for witness in self._witnesses:
            if witness.watches(path):
                witness.removed(path)
        return handle

    def open(self, path: str, *, write: bool) -> int:
        self._called()
        handle = self._disk.open(path, write=write)
        self._paths[handle] = path
        return handle

    def close(self, handle: int) -> None:
        self._called()
        self._paths.pop(handle, None)
        self._disk.close(handle)

    def size(self, handle: int) -> int:
        return self._disk.size(handle)

    def read_at(self, handle: int, count: int, offset: int) -> bytes:
        return self._disk.read_at(handle, count, offset)

    def write_at(self, handle: int, data: bytes | memoryview, offset: int) -> int:
        self._called()
        taken = self._disk.write_at(handle, data, offset)
        path = self._paths[handle]
        for witness in self._witnesses:
            if witness.watches(path):
                witness.wrote(path, bytes(data[:taken]), offset)
        return taken

    def allocate(self, handle: int, size: int) -> None:
        self._called()
        self._disk.allocate(handle, size)

    def truncate(self, handle: int, size: int) -> None:
        self._called()
        self._disk.truncate(handle, size)
        path = self._paths[handle]
        for witness in self._witnesses:
            if witness.watches(path):
                witness.truncated(path, size)

    def sync(self, handle: int) -> None:
        self._called()
        self._disk.sync(handle)
        path = self._paths[handle]
        for witness in self._witnesses:
            if witness.watches(path):
                witness.synced(path)

    def sync_folder(self, folder: str) -> None:
        self._called()
        self._disk.sync_folder(folder)

    def rename(self, old: str, new: str) -> None:
        self._called()
        self._disk.rename(old, new)
        for handle, path in self._paths.items():
            if path == old:
                self._paths[handle] = new
        for witness in self._witnesses:
            if witness.watches(old) or witness.watches(new):
                witness.renamed(old, new)

    def remove(self, path: str) -> None:
        self._called()
        self._disk.remove(path)
        for witness in self._witnesses:
            if witness.watches(path):
                witness.removed(path)

    def lock(self, path: str) -> int:
        self._called()
        handle = self._disk.lock(path)
        self._paths[handle] = path
        return handle

    def free_bytes(self, folder: str) -> int:
        return self._disk.free_bytes(folder)

    def file_system(self, folder: str) -> str:
        return self._disk.file_system(folder)

    def new_id(self) -> bytes:
        return self._disk.new_id()

    def close_all(self) -> None:
        """The process died: the kernel closes its files and drops its locks."""
        for handle in list(self._paths):
            self._disk.close(handle)
        self._paths.clear()
