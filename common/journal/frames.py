"""A record as bytes: one frame, its checksum and its place in the chain.

    byte  0  u32   CRC32C (Castagnoli) of everything after it, padding included
          4  u32   magic, "FXRJ"
          8  u32   length of the payload
         12  u16   kind
         14  u16   flags, zero
         16  u64   LSN: consecutive, the first is 1
         24  u64   stamp_ns: Unix time by the journal's clock, never decreasing
         32  u64   journal epoch
         40  u64   writer epoch
         48  u64   append number
         56  u64   last LSN known durable when this frame was written
         64  u32   the checksum of the frame before (0 before the first)
         68  u16   version of the format
         70  u16   length of this header
         72  32 s  writer, ASCII, NUL padded
        104        payload, then NULs up to a multiple of 8

All numbers are little-endian. The checksum of the frame before makes the frames a chain: a frame that is missing,
swapped, doubled or left over from another life does not fit, even where its own checksum is right.
"""

import struct
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec
from crc32c import crc32c

from common.journal.errors import BadEntry, BadFrame

MAGIC = int.from_bytes(b"FXRJ", "little")
MAGIC_BYTES = b"FXRJ"
VERSION = 8
"""What this program writes, in frames, segments, the mark and snapshots; whatever has a lower one it reads too. It is
raised when an older program must not go on behind this one: for another form of these, and for records of a new shape,
which that program would leave out or take for less than they are.
"""

HEADER_BYTES = 104
WRITER_BYTES = 32
# A payload is one FIX message with its event, a few hundred bytes. The bound keeps a garbled length from belief.
MAX_PAYLOAD_BYTES = 1 << 20

# The journal's own kinds. 3 is kept for the table of writers, which stands in each segment's header. From 16 on kinds
# belong to whoever writes the payloads.
TICK = 1
EPOCH = 2
WRITERS = 3
TERM = 4
FIRST_FREE_KIND = 16

OWN_WRITER = "journal"
"""Who writes TICK, and the EPOCH with which each life of the journal begins."""

TERM_WRITER = "term"
"""Who writes TERM: no process, but whoever takes the journal over. Its writer epoch is the term."""

_FRAME = struct.Struct("<IIIHHQQQQQQIHH32s")
_AFTER_CRC = struct.Struct("<IIHHQQQQQQIHH32s")
_CRC = struct.Struct("<I")
_PADDING = tuple(bytes(-n % 8) for n in range(8))
_NO_HEADER = bytes(HEADER_BYTES)


class Entry(NamedTuple):
    """What a writer hands to the log: `append_number` counts from 1 in each `writer_epoch`, without a gap."""

    kind: int
    writer: str
    writer_epoch: int
    append_number: int
    payload: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """What the log holds: an entry with its place (`lsn`), its time (`stamp_ns`, Unix) and who wrote it when."""

    lsn: int
    stamp_ns: int
    kind: int
    writer: str
    writer_epoch: int
    append_number: int
    journal_epoch: int
    durable_lsn: int
    payload: bytes


class Link(NamedTuple):
    """The end of a chain: the last record's number and its checksum. (0, 0) stands before the first record."""

    lsn: int
    crc: int


@lru_cache(maxsize=4096)
def writer_field(writer: str) -> bytes:
    """The name as it stands in a frame. Raises BadEntry unless it is 1 to 32 printable ASCII characters."""
    if not 1 <= len(writer) <= WRITER_BYTES or not writer.isascii() or not writer.isprintable():
        raise BadEntry(f"writer {writer!r}: a name is 1 to {WRITER_BYTES} printable ASCII characters")
    return writer.encode().ljust(WRITER_BYTES, b"\0")


@lru_cache(maxsize=4096)
def writer_name(field: bytes) -> str:
    """The name that stands in a frame's 32 bytes."""
    return field.rstrip(b"\0").decode("ascii", "replace")


def frame_bytes(payload_bytes: int) -> int:
    """The size of a frame with a payload of so many bytes."""
    return HEADER_BYTES + (payload_bytes + 7 & ~7)


def frame(
    entries: Sequence[Entry], after: Link, *, stamp_ns: int, journal_epoch: int, durable_lsn: int
) -> tuple[bytes, Link]:
    """The entries as one block of frames that follows `after`, and the chain's new end.

    Raises BadEntry where the payload is over MAX_PAYLOAD_BYTES or a number does not fit its field.
    """
    lsn, crc = after
    pack, pack_crc = _AFTER_CRC.pack, _CRC.pack
    parts: list[bytes] = []
    for kind, writer, writer_epoch, append_number, payload in entries:
        lsn += 1
        size = len(payload)
        if size > MAX_PAYLOAD_BYTES:
            raise BadEntry(f"append {append_number} of {writer}: {size} bytes, the limit is {MAX_PAYLOAD_BYTES}")
        try:
            head = pack(
                MAGIC, size, kind, 0, lsn, stamp_ns, journal_epoch, writer_epoch, append_number, durable_lsn, crc,
                VERSION, HEADER_BYTES, writer_field(writer),
            )  # fmt: skip
        except struct.error as error:
            raise BadEntry(f"append {append_number} of {writer}: {error}") from error
        body = head + payload + _PADDING[size & 7]
        crc = crc32c(body)
        parts.append(pack_crc(crc))
        parts.append(body)
    return b"".join(parts), Link(lsn, crc)


def parse(block: bytes, *, verify: bool = False) -> list[Record]:
    """The records in a block of whole frames, as published to followers or read from a segment.

    With `verify` each checksum is computed and the chain inside the block is followed. Raises BadFrame.
    """
    if verify:
        _verify_block(block)
    records: list[Record] = []
    add, unpack, name_of = records.append, _FRAME.unpack_from, writer_name
    position, end = 0, len(block)
    while position < end:
        if end - position < HEADER_BYTES:
            raise BadFrame(position, "cut short in its header")
        (_, magic, size, kind, _, lsn, stamp_ns, epoch, writer_epoch, number, durable, _, version, header, writer
         ) = unpack(block, position)  # fmt: skip
        start = position + HEADER_BYTES
        after = start + (size + 7 & ~7)
        if magic != MAGIC or version > VERSION or header != HEADER_BYTES or after > end:
            raise BadFrame(position, "no frame's header stands there" if magic != MAGIC else "cut short")
        payload = block[start : start + size]
        add(Record(lsn, stamp_ns, kind, name_of(writer), writer_epoch, number, epoch, durable, payload))
        position = after
    return records


def end_of(block: bytes) -> Link:
    """The number and the checksum of the last record in a block of whole frames. Raises BadFrame."""
    last = frame_bytes(len(parse(block)[-1].payload))
    fields = _FRAME.unpack_from(block, len(block) - last)
    return Link(fields[5], fields[0])


def _verify_block(block: bytes) -> None:
    if not block:
        return
    if len(block) < HEADER_BYTES:
        raise BadFrame(0, "cut short in its header")
    first = _FRAME.unpack_from(block, 0)
    walked = walk(block, Link(first[5] - 1, first[11]))
    if walked.position != len(block):
        raise BadFrame(walked.position, walked.why or "cut short")


class Stop(Enum):
    """Why a walk along the frames of a block ended."""

    MORE = "the block ends, at a frame's end or inside one"
    ZERO = "zeros stand where a frame would begin"
    BAD = "what stands there is not the next frame"
    NEWER = "the next frame stands there, in a later version of the format"
    LIMIT = "the last record asked for was reached"


class Seen(Protocol):
    """What a walk tells of each good frame; the fold of the writers is one."""

    def see(self, lsn: int, stamp_ns: int, kind: int, writer: bytes, writer_epoch: int, append_number: int) -> None:
        """One good frame, in LSN order; `writer` is the field of 32 bytes."""


class Walked(NamedTuple):
    """How far a walk came: `position` in the block, the chain's `end`, the reason, and what it learnt on the way.

    `version` is that of the frame which a walk stopped at for NEWER.
    """

    position: int
    end: Link
    stop: Stop
    why: str
    durable_lsn: int
    stamp_ns: int
    journal_epoch: int
    version: int = 0


def walk(
    block: bytes,
    after: Link,
    *,
    position: int = 0,
    upto_lsn: int | None = None,
    each: Seen | None = None,
    records: list[Record] | None = None,
    stamp_ns: int = 0,
) -> Walked:
    """Verify frames that must follow `after`, from `position` in `block`, up to record `upto_lsn`.

    Checks magic, version, length, checksum, chain, LSN and that no stamp is below the one before (`stamp_ns` at first).
    `each` is told of every good frame, and `records` gets what it holds. Never raises on bad bytes: the result says
    where and why it stopped.
    """
    lsn, crc = after
    limit = 1 << 64 if upto_lsn is None else upto_lsn
    durable = journal_epoch = 0
    end = len(block)
    view = memoryview(block)
    unpack = _FRAME.unpack_from
    see = each.see if each is not None else None
    name_of = writer_name
    stop, why = Stop.LIMIT, ""
    while lsn < limit:
        if end - position < HEADER_BYTES:
            stop = Stop.MORE
            break
        (own_crc, magic, size, kind, flags, its_lsn, stamp, epoch, writer_epoch, number, its_durable, previous, version,
         header, writer) = unpack(block, position)  # fmt: skip
        after_frame = position + HEADER_BYTES + (size + 7 & ~7)
        if magic != MAGIC or size > MAX_PAYLOAD_BYTES or after_frame > end:
            stop, why = _stop_at_header(block, position, magic, size)
            break
        computed = crc32c(view[position + 4 : after_frame])
        if computed != own_crc or its_lsn != lsn + 1 or previous != crc or stamp < stamp_ns:
            stop = Stop.BAD
            why = _why_not_next(computed == own_crc, its_lsn, lsn + 1, previous == crc)
            break
        if version > VERSION or header != HEADER_BYTES or flags:
            stop, why = Stop.BAD, f"format version {version}, header of {header} bytes, flags {flags}"
            break
        lsn, crc, stamp_ns, journal_epoch = its_lsn, own_crc, stamp, epoch
        if its_durable > durable:
            durable = its_durable
        if see is not None:
            see(lsn, stamp, kind, writer, writer_epoch, number)
        if records is not None:
            start = position + HEADER_BYTES
            payload = block[start : start + size]
            records.append(Record(lsn, stamp, kind, name_of(writer), writer_epoch, number, epoch, its_durable, payload))
        position = after_frame
    newer = _newer_at(block, position, Link(lsn, crc)) if stop in (Stop.BAD, Stop.MORE) else 0
    if newer:
        stop, why = Stop.NEWER, f"a frame in format version {newer}"
    return Walked(position, Link(lsn, crc), stop, why, durable, stamp_ns, journal_epoch, newer)


def _newer_at(block: bytes, position: int, after: Link) -> int:
    """The version of the frame that stands there and follows `after`, where it is a later one; else 0."""
    end = _end_of_whole(block, position)
    if not end or version_at(block, position) <= VERSION:
        return 0
    fields = _FRAME.unpack_from(block, position)
    return version_at(block, position) if fields[5] == after.lsn + 1 and fields[11] == after.crc else 0


def version_at(block: bytes, position: int) -> int:
    """The version of the format that the frame at `position` says it has."""
    version: int = _FRAME.unpack_from(block, position)[12]
    return version


def _end_of_whole(block: bytes, position: int) -> int:
    """Where the frame at `position` ends, if all of it is there and its checksum is right; else 0.

    Of a later version's frame it is taken that checksum, sizes and versions stand where they do in this one's.
    """
    if len(block) - position < HEADER_BYTES:
        return 0
    fields = _FRAME.unpack_from(block, position)
    size, version, header = fields[2], fields[12], fields[13]
    end: int = position + (header if version > VERSION else HEADER_BYTES) + (size + 7 & ~7)
    if fields[1] != MAGIC or size > MAX_PAYLOAD_BYTES or not position + HEADER_BYTES <= end <= len(block):
        return 0
    return end if crc32c(memoryview(block)[position + 4 : end]) == fields[0] else 0


def _stop_at_header(block: bytes, position: int, magic: int, size: int) -> tuple[Stop, str]:
    if block[position : position + HEADER_BYTES] == _NO_HEADER:
        return Stop.ZERO, "zeros where a frame would begin"
    if magic != MAGIC:
        return Stop.BAD, "no frame's header stands there"
    if size > MAX_PAYLOAD_BYTES:
        return Stop.BAD, f"a payload of {size} bytes, over the limit"
    return Stop.MORE, ""


def _why_not_next(checksum_right: bool, lsn: int, wanted_lsn: int, chained: bool) -> str:
    if not checksum_right:
        return "checksum differs"
    if lsn != wanted_lsn:
        return f"record {lsn} stands where {wanted_lsn} belongs"
    return "stamped earlier than the record before" if chained else "not chained to the record before"


def find_frame(block: bytes, position: int) -> tuple[int, int, int] | None:
    """The first whole frame with a right checksum at or after `position`: (its position, LSN, durable LSN).

    It need not belong to any chain, and may be of a later version. Frames begin at multiples of 8 from the start of the
    block.
    """
    at = block.find(MAGIC_BYTES, position + 4)
    while at >= 0:
        start = at - 4
        if start % 8 == 0 and _end_of_whole(block, start):
            fields = _FRAME.unpack_from(block, start)
            return start, fields[5], fields[10]
        at = block.find(MAGIC_BYTES, at + 1)
    return None
