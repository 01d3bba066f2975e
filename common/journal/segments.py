"""A segment file: its name, its header, and reading frames out of it.

    byte  0  u32   CRC32C of everything after it up to the header's end
          4  u32   magic, "FXRS"
          8  u16   version of the format
         10  u16   zero
         12  u32   length of the header, the table included: frames begin there
         16  16 s  identity of the journal
         32  u64   LSN of the first frame
         40  u64   journal epoch in which the segment was begun
         48  u64   stamp of the record before the first (ns)
         56  u32   checksum of the record before the first (0 before record 1)
         60  u32   number of rows in the table of writers
         64        rows of 72 bytes: writer 32 s, then u64 each: epoch, last append number, its LSN, its stamp, LSN of
                   the epoch's first record

The table is the fold of all frames before the segment, so older segments can go without losing it. The rest of the file
is frames, then zeros. A segment ends where the next one's first LSN begins, whatever stands beyond.
"""

import struct
from typing import NamedTuple

from crc32c import crc32c

from common.journal.errors import Damage, FormatTooNew
from common.journal.files import Files
from common.journal.frames import MAX_PAYLOAD_BYTES, VERSION, Link, Seen, Stop, Walked, frame_bytes, walk
from common.journal.writers import ROW_BYTES, Writers

SUFFIX = ".segment"
MAGIC = int.from_bytes(b"FXRS", "little")
_HEADER = struct.Struct("<IIHHI16sQQQII")
FIXED_BYTES = _HEADER.size
# Segments are read in chunks so that a scan holds little; one chunk always holds a whole frame.
CHUNK_BYTES = 1 << 20
_WHOLE_FRAME_BYTES = frame_bytes(MAX_PAYLOAD_BYTES)
MAX_WRITERS = 65_536


class SegmentHeader(NamedTuple):
    """What a segment says about itself; `writers` and `after` are the state before its first frame."""

    header_bytes: int
    identity: bytes
    first_lsn: int
    journal_epoch: int
    stamp_ns: int
    previous_crc: int
    writers_table: bytes

    @property
    def after(self) -> Link:
        """The end of the chain that the first frame follows."""
        return Link(self.first_lsn - 1, self.previous_crc)

    def writers(self) -> Writers:
        """The writers' fold before the first frame."""
        return Writers.from_table(self.writers_table)

    def encode(self) -> bytes:
        """The header as bytes; `header_bytes` is computed from the table."""
        size = FIXED_BYTES + len(self.writers_table)
        head = _HEADER.pack(
            0, MAGIC, VERSION, 0, size, self.identity, self.first_lsn, self.journal_epoch, self.stamp_ns,
            self.previous_crc, len(self.writers_table) // ROW_BYTES,
        )  # fmt: skip
        body = head[4:] + self.writers_table
        return crc32c(body).to_bytes(4, "little") + body


def segment_name(first_lsn: int) -> str:
    """The file name of the segment that begins with the record; names sort as their records do."""
    return f"{first_lsn:020d}{SUFFIX}"


def first_lsns(files: Files, folder: str) -> list[int]:
    """Where the folder's segments begin, ascending; names of other forms are ignored. Raises FileNotFoundError."""
    stems = (name.removesuffix(SUFFIX) for name in files.list(folder) if name.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if len(stem) == 20 and stem.isdigit())


def read_header(files: Files, handle: int, path: str) -> SegmentHeader:
    """The verified header of an open segment. Raises Damage, FormatTooNew, OSError."""
    fixed = files.read_at(handle, FIXED_BYTES, 0)
    if len(fixed) < FIXED_BYTES:
        raise Damage(path, len(fixed), 0, "the segment's header is cut short")
    (crc, magic, version, _, size, identity, first_lsn, epoch, stamp_ns, previous_crc, rows) = _HEADER.unpack(fixed)
    if magic != MAGIC or size != FIXED_BYTES + rows * ROW_BYTES or rows > MAX_WRITERS:
        raise Damage(path, 0, 0, "no segment's header stands there")
    data = files.read_at(handle, size, 0)
    if len(data) < size or crc32c(data[4:]) != crc:
        raise Damage(path, 0, first_lsn, "the checksum of the segment's header differs")
    if version > VERSION:
        raise FormatTooNew(path, version)
    return SegmentHeader(size, identity, first_lsn, epoch, stamp_ns, previous_crc, data[FIXED_BYTES:])


def walk_segment(
    files: Files,
    handle: int,
    position: int,
    after: Link,
    *,
    upto_lsn: int | None = None,
    each: Seen | None = None,
    stamp_ns: int = 0,
) -> Walked:
    """`walk` along a file instead of a block: positions are the file's, and it never stops for MORE.

    Where the file ends at a frame's end the stop is ZERO; where it ends inside one, BAD. Raises OSError.
    """
    durable = epoch = 0
    chunk = CHUNK_BYTES
    while True:
        block = files.read_at(handle, chunk, position)
        step = walk(block, after, upto_lsn=upto_lsn, each=each, stamp_ns=stamp_ns)
        position += step.position
        after, stamp_ns = step.end, step.stamp_ns
        durable = max(durable, step.durable_lsn)
        epoch = step.journal_epoch or epoch
        stop, why = step.stop, step.why
        if stop is Stop.MORE:
            if step.position:
                continue
            if len(block) == chunk and chunk < _WHOLE_FRAME_BYTES:
                chunk = _WHOLE_FRAME_BYTES
                continue
            stop, why = (Stop.BAD, "cut short") if block.strip(b"\0") else (Stop.ZERO, "the file ends")
        return Walked(position, after, stop, why, durable, stamp_ns, epoch, step.version)


def refuse_newer(path: str, walked: Walked) -> None:
    """Raises FormatTooNew where a walk along that file stopped at a frame of a later version of the format."""
    if walked.stop is Stop.NEWER:
        raise FormatTooNew(path, walked.version)


def used_end(files: Files, handle: int, position: int) -> int:
    """The end of the last byte from `position` on that is not zero; `position` where all are. Raises OSError."""
    end = position
    size = files.size(handle)
    for at in range(position, size, CHUNK_BYTES):
        kept = files.read_at(handle, CHUNK_BYTES, at).rstrip(b"\0")
        if kept:
            end = at + len(kept)
    return end
