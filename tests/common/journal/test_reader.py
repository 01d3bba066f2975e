"""A reader beside a living log: by LSN, never beyond what it is told, over rotation, recovery and retention."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.journal import Damage, Gone, Link, Log, NotThere, ReadFailed, Record, iterate, parse, verify
from common.journal.frames import frame_bytes
from common.journal.segments import SUFFIX
from scripts.simulation.disk import Disk, Fault
from tests.common.journal.support import FOLDER, WALL_NS, Writer, everything, open_log, reader, small_disk

SIZE = frame_bytes(40)


def filled(batches: int = 10) -> tuple[Disk, Log]:
    disk = small_disk()
    log = open_log(disk.files())
    writer = Writer()
    for turn in range(batches):
        log.append(writer.batch(3), WALL_NS + 100 * turn)
    return disk, log


def test_it_reads_ranges_in_chunks_across_segments() -> None:
    disk, log = filled()
    whole = everything(disk.files())
    assert [record.lsn for record in whole] == list(range(1, log.last_lsn + 1))
    source = reader(disk.files())
    lsn, got = 4, []
    while chunk := source.read(lsn, 25, 3 * SIZE):
        assert len(chunk) <= 3
        got += chunk
        lsn = chunk[-1].lsn + 1
    assert got == whole[3:25]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 33), st.integers(0, 40), st.integers(1, 2000)), max_size=8))
def test_any_range_in_any_order_by_one_reader(ranges: list[tuple[int, int, int]]) -> None:
    disk, log = filled()
    whole = everything(disk.files())
    source = reader(disk.files())
    for first, last, size in ranges:
        got = source.read(first, last, size)
        assert got == whole[first - 1 : first - 1 + len(got)]
        assert all(record.lsn <= last for record in got)
        assert bool(got) == (first <= min(last, log.last_lsn))


def test_a_block_is_what_was_published() -> None:
    disk, log = filled(2)
    done = log.append(Writer("risk").batch(2), log.last_stamp_ns)
    block = reader(disk.files()).read_block(done.first_lsn, done.last_lsn)
    assert block == done.block
    assert parse(block, verify=True)


def test_it_goes_on_where_the_log_went_on() -> None:
    disk, log = filled(1)
    source = reader(disk.files())
    assert len(source.read(1, 99)) == 4
    assert source.read(5, 99) == []
    log.append(Writer("risk").batch(2), log.last_stamp_ns)
    assert [record.lsn for record in source.read(5, 99)] == [5, 6]
    log.abandon()
    again = open_log(disk.files())
    again.append(Writer("risk", 2).batch(20), again.last_stamp_ns)
    assert [record.lsn for record in source.read(7, again.last_lsn)] == [7]
    assert [record.lsn for record in source.read(8, again.last_lsn)] == list(range(8, 28))


def test_what_retention_dropped_is_named() -> None:
    disk, log = filled()
    log.drop_before(20)
    with pytest.raises(Gone, match="oldest one is"):
        reader(disk.files()).read(2, 9)
    assert next(iterate(FOLDER, disk.files())).lsn == log.first_lsn == reader(disk.files()).first_lsn()


def test_no_journal() -> None:
    disk = small_disk()
    for call in (lambda: reader(disk.files()).read(1, 1), lambda: reader(disk.files()).durable_lsn()):
        with pytest.raises(NotThere, match="no journal"):
            call()
    with pytest.raises(NotThere):
        list(iterate("/nowhere", disk.files()))


def test_the_mark_says_how_far_to_follow() -> None:
    disk, log = filled(2)
    source = reader(disk.files())
    before = source.durable_lsn()
    log.write_mark()
    assert before < source.durable_lsn() == log.last_lsn


def test_the_link_of_a_record() -> None:
    disk, log = filled()
    source = reader(disk.files())
    assert source.link_at(log.last_lsn) == log.end
    assert source.link_at(0) == Link(0, 0)
    links = [source.link_at(lsn) for lsn in range(1, log.last_lsn + 1)]
    assert len({link.crc for link in links}) == log.last_lsn
    with pytest.raises(NotThere):
        source.link_at(log.last_lsn + 1)
    log.drop_before(25)
    with pytest.raises(Gone):
        source.link_at(3)
    assert source.link_at(log.first_lsn - 1) == links[log.first_lsn - 2]


def test_a_time_names_its_record() -> None:
    disk, log = filled()
    source = reader(disk.files())
    for stamp_ns, lsn in ((0, 1), (WALL_NS, 1), (WALL_NS + 1, 5), (WALL_NS + 100, 5), (WALL_NS + 850, 29)):
        assert source.first_at(stamp_ns) == lsn
    assert source.first_at(WALL_NS + 901) == log.last_lsn + 1


def whole(disk: Disk, goes_on: Log, writer: Writer, batches: int) -> list[Record]:
    """Everything, read while the log goes on by so many batches between the look at a segment and that at the mark."""
    left = batches

    def called(name: str, path: str) -> Fault | None:
        nonlocal left
        if name == "open" and path.endswith("mark") and left:
            left -= 1
            goes_on.append(writer.batch(3), goes_on.last_stamp_ns)
            goes_on.write_mark()
        return None

    return list(iterate(FOLDER, disk.files(called)))


@pytest.mark.parametrize("batches", [1, 2, 9])
def test_a_record_written_and_confirmed_between_two_looks_is_no_damage(batches: int) -> None:
    disk = small_disk()
    log = open_log(disk.files())
    writer = Writer()
    log.append(writer.batch(3), log.last_stamp_ns)
    log.write_mark()
    assert [record.lsn for record in whole(disk, log, writer, batches)] == list(range(1, log.last_lsn + 1))


def test_a_link_asked_for_while_the_log_goes_on_is_no_damage() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    writer = Writer()
    log.append(writer.batch(3), log.last_stamp_ns)

    def called(name: str, path: str) -> Fault | None:
        if name == "open" and path.endswith("mark") and log.last_lsn < 6:
            log.append(writer.batch(3), log.last_stamp_ns)
            log.write_mark()
        return None

    assert reader(disk.files(called)).link_at(7) == log.end


@pytest.mark.parametrize("lsn", [3, 6])
def test_what_a_later_record_confirms_is_damage_to_a_reader_as_to_verify(lsn: int) -> None:
    disk = small_disk()
    log = open_log(disk.files(), segment_bytes=1 << 14)
    writer = Writer()
    for _ in range(8):
        log.append(writer.batch(1), log.last_stamp_ns)
    log.abandon()
    payload = next(record.payload for record in everything(disk.files()) if record.lsn == lsn)
    for inode in disk.folder(FOLDER).volatile.values():
        data = disk.inode(inode).volatile
        at = data.find(payload)
        if at >= 0:
            data[at] ^= 1
    with pytest.raises(Damage) as told:
        verify(FOLDER, disk.files())
    with pytest.raises(Damage) as error:
        everything(disk.files())
    assert (error.value.offset, error.value.lsn) == (told.value.offset, told.value.lsn) and error.value.lsn == lsn
    assert [record.lsn for record in reader(disk.files()).read(1, lsn - 1)] == list(range(1, lsn))


@pytest.mark.parametrize("fails", ["list", "open", "read_at"])
@pytest.mark.parametrize("what", ["read", "read_block", "durable_lsn", "first_at", "link_at", "iterate"])
def test_a_disk_that_cannot_be_read_is_named(what: str, fails: str) -> None:
    disk, _ = filled()
    files = disk.files(lambda name, _path: Fault(5, 0) if name == fails else None)
    source = reader(files)
    if (what, fails) == ("durable_lsn", "list"):
        assert source.durable_lsn()
        return
    with pytest.raises(ReadFailed, match="cannot be read") as error:
        match what:
            case "read" | "read_block":
                getattr(source, what)(1, 9)
            case "durable_lsn":
                source.durable_lsn()
            case "first_at":
                source.first_at(WALL_NS)
            case "link_at":
                source.link_at(4)
            case _:
                list(iterate(FOLDER, files))
    assert error.value.path.startswith(FOLDER) and "restart" not in str(error.value)
    assert error.value.path == FOLDER or error.value.path.endswith((SUFFIX, "mark"))
