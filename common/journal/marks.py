"""The mark file: up to which record the log is known to be on the disk, and from which one it is kept.

Two slots at bytes 0 and 4096, so that a torn write costs only the one being written. Each, little-endian: u32 CRC32C of
the rest, u32 magic "FXRM", u16 version 1, u16 and u32 zero, u64 count of writes (its parity names the slot), u64 last
durable LSN, u64 journal epoch, u64 first LSN kept, u32 checksum of the last durable record, u32 zero.
"""

import struct
from typing import NamedTuple

from crc32c import crc32c

from common.journal.errors import Damage, FormatTooNew
from common.journal.files import Files, write_all
from common.journal.frames import VERSION, Link

MARK = "mark"
SLOT_SPACING = 4096
_MAGIC = int.from_bytes(b"FXRM", "little")
_SLOT = struct.Struct("<IIHHIQQQQII")
SLOT_BYTES = _SLOT.size


class Mark(NamedTuple):
    """`durable`: the last record known durable. `floor_lsn`: the first record kept. `writes` counts them."""

    writes: int
    durable: Link
    journal_epoch: int
    floor_lsn: int

    def encode(self) -> bytes:
        """One slot."""
        body = _SLOT.pack(
            0, _MAGIC, VERSION, 0, 0, self.writes, self.durable.lsn, self.journal_epoch, self.floor_lsn,
            self.durable.crc, 0,
        )[4:]  # fmt: skip
        return crc32c(body).to_bytes(4, "little") + body


def write_mark(files: Files, handle: int, mark: Mark) -> None:
    """Put the mark into the slot its number of writes names. The other slot stays as it is. Raises OSError."""
    write_all(files, handle, mark.encode(), mark.writes % 2 * SLOT_SPACING)


def read_mark(files: Files, handle: int, path: str) -> Mark:
    """The newer of the slots that verify. Raises Damage where neither does, FormatTooNew, OSError."""
    marks = [mark for slot in (0, 1) if (mark := _decode(files, handle, path, slot)) is not None]
    if not marks:
        raise Damage(path, 0, 0, "neither slot of the mark file verifies")
    return max(marks)


def _decode(files: Files, handle: int, path: str, slot: int) -> Mark | None:
    data = files.read_at(handle, SLOT_BYTES, slot * SLOT_SPACING)
    if len(data) < SLOT_BYTES:
        return None
    crc, magic, version, _, _, count, lsn, epoch, floor_lsn, chain_crc, _ = _SLOT.unpack(data)
    if magic != _MAGIC or crc32c(data[4:]) != crc or count % 2 != slot:
        return None
    if version > VERSION:
        raise FormatTooNew(path, version)
    return Mark(count, Link(lsn, chain_crc), epoch, floor_lsn)
