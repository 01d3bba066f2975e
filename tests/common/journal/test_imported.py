"""Invariant: a journal made of a log's frames holds the same records under the same identity, and opens as that log
would; what does not follow is refused, and what was broken off is no journal.
"""

import pytest

from common.journal import BadFrame, Entry, Imported, Log, Reader, Record, iterate, verify
from common.journal.frames import end_of
from scripts.simulation.disk import Disk

WALL_NS = 1_800_000_000_000_000_000
FROM, TO = "/from", "/to"
SEGMENT_BYTES = 1 << 13


def blocks_of_a_log(disk: Disk) -> tuple[list[bytes], bytes]:
    """Some segments of several writers, as blocks; and the log's identity."""
    files = disk.files()
    log = Log.open(FROM, files, wall_ns=WALL_NS, segment_bytes=SEGMENT_BYTES)
    for number in range(1, 200):
        entries = [Entry(16, name, 7, number, bytes([number]) * number) for name in ("orders", "risk")]
        log.append(entries, log.last_stamp_ns + 1)
    log.close()
    reader, blocks, lsn = Reader(FROM, files), [], 0
    while lsn < log.last_lsn:
        blocks.append(reader.read_block(lsn + 1, log.last_lsn, 3000))
        lsn = end_of(blocks[-1]).lsn
    return blocks, log.identity


def same(found: list[Record], wanted: list[Record]) -> bool:
    return found == wanted and bool(found)


def test_it_is_the_log_that_it_was_made_of_and_opens_with_every_writer_s_place() -> None:
    disk = Disk()
    blocks, identity = blocks_of_a_log(disk)
    files = disk.files()
    made = Imported(TO, files, identity, SEGMENT_BYTES)
    for block in blocks:
        made.take(block)
    made.finish()
    assert same(list(iterate(TO, files)), list(iterate(FROM, files)))
    verdict = verify(TO, files)
    assert verdict.segments > 3 and verdict.identity == identity.hex() and Reader(TO, files).identity() == identity
    log = Log.open(TO, files, wall_ns=WALL_NS, segment_bytes=SEGMENT_BYTES)
    assert log.writers["orders"].append_number == log.writers["risk"].append_number == 199
    log.append([Entry(16, "orders", 7, 200, b"on")], log.last_stamp_ns)
    log.close()


@pytest.mark.parametrize("wrong", ["left out", "twice", "changed", "cut"])
def test_what_does_not_follow_is_refused_and_nobody_reads_what_was_broken_off(wrong: str) -> None:
    disk = Disk()
    blocks, identity = blocks_of_a_log(disk)
    files = disk.files()
    made = Imported(TO, files, identity, SEGMENT_BYTES)
    for block in blocks[:6]:
        made.take(block)
    changed = bytearray(blocks[6])
    changed[150] ^= 2
    bad = {"left out": blocks[7], "twice": blocks[5], "changed": bytes(changed), "cut": blocks[6][:-8]}[wrong]
    with pytest.raises(BadFrame):
        made.take(bad)
    assert "mark" not in files.list(TO)


def test_a_folder_with_a_journal_is_refused() -> None:
    disk = Disk()
    _, identity = blocks_of_a_log(disk)
    with pytest.raises(FileExistsError, match="holds a journal already"):
        Imported(FROM, disk.files(), identity)
