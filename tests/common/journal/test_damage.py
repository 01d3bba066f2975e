"""Every change of a stored journal gets the right verdict: what was confirmed as durable is refused with file and
place, what was not is cut, and no change ends in another exception or in a record that was never written.
"""

import struct
from itertools import product
from random import Random
from typing import NamedTuple

import pytest
from crc32c import crc32c

from common.journal import Damage, FormatTooNew, Log
from common.journal.frames import HEADER_BYTES, VERSION, frame_bytes, parse
from common.journal.marks import SLOT_BYTES, SLOT_SPACING
from common.journal.recovery import Survey, survey
from common.journal.segments import FIXED_BYTES, SUFFIX, segment_name
from scripts.simulation.disk import Disk
from tests.common.journal.support import FOLDER, PAGE_BYTES, Writer, everything, open_log, small_disk


class Stored(NamedTuple):
    """A journal as files: the LSN confirmed, the last one, and where each frame stands, by LSN: (file, start, end)."""

    contents: dict[str, bytes]
    confirmed_lsn: int
    last_lsn: int
    places: dict[int, tuple[str, int, int]]

    def disk(self, **changed: bytes) -> Disk:
        return small_disk(**{**self.contents, **changed})

    @property
    def segments(self) -> list[str]:
        return sorted(name for name in self.contents if name.endswith(SUFFIX))

    def at(self, name: str, offset: int) -> int:
        """The record whose frame holds the byte; 0 for a header or what is behind the frames."""
        return next((lsn for lsn, (n, start, end) in self.places.items() if n == name and start <= offset < end), 0)


def store(*, closed: bool, records: int = 6, size: int = 11, tail: int = 3, segment_bytes: int = 1024) -> Stored:
    """Batches of two over several segments; not closed, nothing confirms the last batch, of `tail`."""
    disk = small_disk()
    log = open_log(disk.files(), segment_bytes=segment_bytes)
    writer = Writer()
    for _ in range(0, records, 2):
        log.append(writer.batch(2, size), log.last_stamp_ns + 1)
    before = log.last_lsn
    log.append(writer.batch(tail, size), log.last_stamp_ns + 1)
    last_lsn = log.last_lsn
    if closed:
        log.close()
    else:
        log.abandon()
    contents = {name: data for name, data in disk.contents(FOLDER).items() if not name.endswith(".tmp")}
    return Stored(contents, last_lsn if closed else before, last_lsn, places(contents))


def places(contents: dict[str, bytes]) -> dict[int, tuple[str, int, int]]:
    found: dict[int, tuple[str, int, int]] = {}
    for name in sorted(contents):
        if name.endswith(SUFFIX):
            at = int.from_bytes(contents[name][12:16], "little")
            frames = contents[name][at:]
            while frames[4:8] == b"FXRJ":
                end = frame_bytes(int.from_bytes(frames[8:12], "little"))
                record = parse(frames[:end])[0]
                found[record.lsn] = (name, at, at + end)
                at, frames = at + end, frames[end:]
    return found


CLOSED = store(closed=True)
KILLED = store(closed=False)


def look(disk: Disk) -> Survey:
    found = survey(disk.files(), FOLDER)
    assert found is not None
    return found


def change(disk: Disk, name: str, offset: int, bits: int) -> None:
    """Exclusive-or one byte in place."""
    number = disk.folder(FOLDER).volatile[name]
    disk.inode(number).volatile[offset] ^= bits


def test_the_small_journals_are_what_the_tests_need() -> None:
    assert len(CLOSED.segments) >= 2
    assert look(CLOSED.disk()).confirmed.lsn == CLOSED.last_lsn == look(KILLED.disk()).end.lsn
    assert look(KILLED.disk()).confirmed.lsn == KILLED.confirmed_lsn < KILLED.last_lsn


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("stored", [CLOSED, KILLED], ids=["closed", "killed"])
def test_every_bit_flip_gets_the_right_verdict(stored: Stored, part: int) -> None:
    disk = stored.disk()
    for name in [*stored.segments, "mark"]:
        used = len(stored.contents[name].rstrip(b"\0")) + 16
        for offset in range(part, min(used, len(stored.contents[name])), 4):
            for bit in range(8):
                change(disk, name, offset, 1 << bit)
                check_flip(stored, disk, name, offset)
                change(disk, name, offset, 1 << bit)


def check_flip(stored: Stored, disk: Disk, name: str, offset: int) -> None:
    lsn = stored.at(name, offset)
    if name == "mark" or lsn > stored.confirmed_lsn or behind_frames(stored, name, offset):
        found = look(disk)
        assert found.end.lsn == (lsn - 1 if lsn else stored.last_lsn)
        return
    with pytest.raises(Damage) as refused:
        look(disk)
    assert refused.value.file == f"{FOLDER}/{name}"
    if lsn:
        assert (refused.value.lsn, refused.value.offset) == (lsn, stored.places[lsn][1])


def behind_frames(stored: Stored, name: str, offset: int) -> bool:
    return offset >= max(end for n, _, end in stored.places.values() if n == name)


@pytest.mark.parametrize("stored", [CLOSED, KILLED], ids=["closed", "killed"])
def test_every_truncation_is_the_longest_valid_prefix_or_refused(stored: Stored) -> None:
    for name in [*stored.segments, "mark"]:
        disk = stored.disk()
        cut = disk.inode(disk.folder(FOLDER).volatile[name]).volatile
        for size in reversed(range(len(cut))):
            del cut[size:]
            whole = [lsn for lsn, (n, _, end) in stored.places.items() if n != name or end <= size]
            prefix = next(lsn for lsn in range(stored.last_lsn + 1) if lsn + 1 not in whole)
            try:
                found = look(disk)
            except Damage as error:
                assert prefix < stored.confirmed_lsn or size < header_end(stored, name), error
            else:
                assert found.end.lsn == prefix >= stored.confirmed_lsn


@pytest.mark.parametrize("stored", [CLOSED, KILLED], ids=["closed", "killed"])
def test_every_missing_file_that_held_something_confirmed_is_refused(stored: Stored) -> None:
    confirmed = {name for lsn, (name, _, _) in stored.places.items() if lsn <= stored.confirmed_lsn}
    for name in [*sorted(confirmed), "mark"]:
        contents = {other: data for other, data in stored.contents.items() if other != name}
        with pytest.raises(Damage):
            look(small_disk(**contents))


def header_end(stored: Stored, name: str) -> int:
    """How much of a file must be there for it to be one: a segment's header, the mark's newer slot."""
    return min((start for n, start, _ in stored.places.values() if n == name), default=SLOT_SPACING + SLOT_BYTES)


def frames_of(stored: Stored, lsns: list[int]) -> bytes:
    parts = []
    for lsn in lsns:
        name, start, end = stored.places[lsn]
        parts.append(stored.contents[name][start:end])
    return b"".join(parts)


def rewritten(stored: Stored, lsns: list[int]) -> tuple[str, bytes]:
    """The last segment with these frames instead of its own."""
    name = stored.segments[-1]
    own = [place for place in stored.places.values() if place[0] == name]
    start = min(place[1] for place in own)
    data = stored.contents[name][:start] + frames_of(stored, lsns)
    return name, data.ljust(len(stored.contents[name]), b"\0")


def in_last(stored: Stored) -> list[int]:
    return [lsn for lsn, place in stored.places.items() if place[0] == stored.segments[-1]]


LONG = store(closed=False, records=8, size=8, tail=4, segment_bytes=8192)


def disorders(lsns: list[int]) -> list[list[int]]:
    """Every pair swapped, every one dropped, doubled, and an old one in its place."""
    made = []
    for at in range(len(lsns)):
        made.append(lsns[:at] + lsns[at + 1 :])
        made.append(lsns[: at + 1] + lsns[at:])
        for other in range(at):
            swapped = list(lsns)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            made.append(swapped)
            made.append([*lsns[:at], lsns[other], *lsns[at + 1 :]])
    return made


@pytest.mark.parametrize("closed", [True, False])
def test_swapped_dropped_doubled_and_stale_records(closed: bool) -> None:
    stored = store(closed=closed, records=8, size=8, tail=4, segment_bytes=8192)
    lsns = in_last(stored)
    for order in disorders(lsns):
        name, data = rewritten(stored, order)
        good = next((at for at, lsn in enumerate(order) if lsn != lsns[0] + at), len(order))
        kept = lsns[0] + good - 1
        disk = stored.disk(**{name: data})
        if kept < stored.confirmed_lsn:
            with pytest.raises(Damage) as refused:
                look(disk)
            assert refused.value.lsn == kept + 1
        else:
            assert look(disk).end.lsn == kept


def test_stale_frames_behind_the_end_are_cut() -> None:
    """A block of a file that held other frames of this journal before: none of them is taken for new."""
    stored = LONG
    lsns = in_last(stored)
    name, data = rewritten(stored, [*lsns, *lsns[2:5]])
    found = look(stored.disk(**{name: data}))
    assert found.end.lsn == stored.last_lsn
    assert found.torn_why


def test_any_lost_pages_of_the_unsynced_batch_are_cut_and_never_refused() -> None:
    stored = store(closed=False, records=4, size=200, tail=6, segment_bytes=8192)
    name = stored.segments[-1]
    data = stored.contents[name]
    first = stored.places[stored.confirmed_lsn + 1][1]
    end = stored.places[stored.last_lsn][2]
    starts = [max(first, page * PAGE_BYTES) for page in range(first // PAGE_BYTES, (end - 1) // PAGE_BYTES + 1)]
    for lost in product((False, True), repeat=len(starts)):
        torn = bytearray(data)
        for start, gone in zip(starts, lost, strict=True):
            if gone:
                stop = min((start // PAGE_BYTES + 1) * PAGE_BYTES, end)
                torn[start:stop] = bytes(stop - start)
        disk = stored.disk(**{name: bytes(torn)})
        log = open_log(disk.files(), segment_bytes=8192)
        assert stored.confirmed_lsn < log.last_lsn <= stored.last_lsn + 1
        assert log.recovery.torn_bytes == 0 or torn_is_kept(disk, log)


def torn_is_kept(disk: Disk, log: Log) -> bool:
    return len(disk.contents(FOLDER)[log.recovery.torn_file]) == log.recovery.torn_bytes


def test_a_segment_of_another_journal_is_refused() -> None:
    disk = small_disk()
    disk.new_id()
    log = open_log(disk.files(), segment_bytes=1024)
    log.append(Writer().batch(3, 8), log.last_stamp_ns)
    log.close()
    other = disk.contents(FOLDER)[segment_name(1)]
    with pytest.raises(Damage):
        look(CLOSED.disk(**{segment_name(1): other}))


def test_headers_that_do_not_fit_their_place_are_refused() -> None:
    first, second = CLOSED.segments[:2]
    with pytest.raises(Damage, match="begins at record"):
        look(CLOSED.disk(**{first: CLOSED.contents[second]}))
    other = store(closed=True, size=12)
    assert other.segments[:2] == [first, second] and other.contents[first] != CLOSED.contents[first]
    with pytest.raises(Damage, match="does not follow"):
        look(CLOSED.disk(**{second: other.contents[second]}))


def test_a_later_segment_of_another_journal_is_refused() -> None:
    disk = small_disk()
    disk.new_id()
    log = open_log(disk.files(), segment_bytes=1024)
    writer = Writer()
    for size in (2, 2, 2, 3):
        log.append(writer.batch(size, 11), log.last_stamp_ns + 1)
    log.close()
    second = CLOSED.segments[1]
    with pytest.raises(Damage, match="another journal"):
        look(CLOSED.disk(**{second: disk.contents(FOLDER)[second]}))


def test_a_mark_that_stands_alone_is_refused() -> None:
    with pytest.raises(Damage, match="there is no segment"):
        look(small_disk(mark=CLOSED.contents["mark"]))


def test_a_mark_of_other_records_is_refused() -> None:
    other = store(closed=True, size=12)
    with pytest.raises(Damage, match="not the record that the mark file confirms"):
        look(CLOSED.disk(mark=other.contents["mark"]))


def test_a_sample_of_flips_in_a_big_journal() -> None:
    stored = store(closed=True, records=600, size=300, segment_bytes=32768)
    disk = stored.disk()
    random = Random(4)
    for lsn in random.sample(range(1, stored.last_lsn + 1), 40):
        name, start, end = stored.places[lsn]
        offset, bits = random.randrange(start, end), 1 << random.randrange(8)
        change(disk, name, offset, bits)
        check_flip(stored, disk, name, offset)
        change(disk, name, offset, bits)
    assert look(disk).end.lsn == stored.last_lsn


def newer(stored: Stored, lsn: int, *, more_header: int = 0) -> tuple[str, bytes]:
    """A file as a later version would have written record `lsn` last in it, maybe with a longer header."""
    name, start, end = stored.places[lsn]
    data = stored.contents[name]
    made = bytearray(data[start:end])
    made[HEADER_BYTES:HEADER_BYTES] = bytes(more_header)
    struct.pack_into("<HH", made, 68, VERSION + 1, HEADER_BYTES + more_header)
    struct.pack_into("<I", made, 0, crc32c(bytes(made[4:])))
    return name, (data[:start] + bytes(made)).ljust(len(data), b"\0")


@pytest.mark.parametrize("more_header", [0, 24])
@pytest.mark.parametrize("stored", [CLOSED, KILLED], ids=["closed", "killed"])
def test_a_frame_of_a_later_format_is_refused_wherever_it_stands_and_nothing_is_changed(
    stored: Stored, more_header: int
) -> None:
    for lsn in stored.places:
        name, data = newer(stored, lsn, more_header=more_header)
        disk = stored.disk(**{name: data})
        before = {**disk.contents(FOLDER), "lock": b""}
        with pytest.raises(FormatTooNew, match="use the newer program") as refused:
            open_log(disk.files())
        assert (refused.value.file, refused.value.version) == (f"{FOLDER}/{name}", VERSION + 1)
        assert disk.contents(FOLDER) == before


def test_a_frame_of_a_later_format_behind_one_that_was_lost_is_not_cut() -> None:
    name, data = newer(KILLED, KILLED.last_lsn)
    start, end = KILLED.places[KILLED.last_lsn - 1][1:]
    assert KILLED.places[KILLED.last_lsn - 1][0] == name
    disk = KILLED.disk(**{name: data[:start] + bytes(end - start) + data[end:]})
    with pytest.raises(FormatTooNew):
        open_log(disk.files())


def test_a_later_format_that_only_a_wrong_checksum_tells_of_is_torn() -> None:
    name, start, _ = KILLED.places[KILLED.last_lsn]
    disk = KILLED.disk()
    change(disk, name, start + 68, 3)
    assert look(disk).end.lsn == KILLED.last_lsn - 1


def test_a_bit_far_back_in_a_log_that_syncs_every_100_ms_is_damage() -> None:
    disk = small_disk()
    log = open_log(disk.files(), durability="process", segment_bytes=1 << 16)
    writer = Writer()
    for _ in range(50):
        log.append(writer.batch(1), log.last_stamp_ns)
    log.write_mark()
    log.append(writer.batch(1), log.last_stamp_ns)
    log.abandon()
    change(disk, segment_name(1), FIXED_BYTES + frame_bytes(0) + 20, 1)
    with pytest.raises(Damage) as refused:
        look(disk)
    assert refused.value.lsn == 2


def test_damage_changes_nothing_on_the_disk() -> None:
    disk = CLOSED.disk()
    change(disk, CLOSED.segments[0], FIXED_BYTES + HEADER_BYTES + 1, 1)
    before = disk.contents(FOLDER)
    with pytest.raises(Damage, match="salvage"):
        open_log(disk.files())
    assert {name: data for name, data in disk.contents(FOLDER).items() if name != "lock"} == {
        name: data for name, data in before.items() if name != "lock"
    }


def test_reading_a_damaged_record_is_refused_too() -> None:
    disk = CLOSED.disk()
    name, start, _ = CLOSED.places[2]
    change(disk, name, start + HEADER_BYTES, 1)
    with pytest.raises(Damage) as refused:
        everything(disk.files())
    assert (refused.value.file, refused.value.offset, refused.value.lsn) == (f"{FOLDER}/{name}", start, 2)
