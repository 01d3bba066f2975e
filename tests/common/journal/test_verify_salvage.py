"""`verify` says what is wrong and where, also beside a living journal; `salvage` writes what is left to a copy."""

from collections.abc import Callable

import pytest

from common.journal import (
    CopyFailed,
    Damage,
    Log,
    NotThere,
    Reader,
    ReadFailed,
    Snapshot,
    iterate,
    newest_snapshot,
    parse,
    salvage,
    snapshot_folder,
    verify,
    write_snapshot,
)
from common.journal.files import Files, replace_file
from common.journal.frames import frame_bytes
from common.journal.salvage import BEHIND
from common.journal.segments import SUFFIX
from scripts.simulation.disk import Disk, Fault
from tests.common.journal.support import FOLDER, Writer, everything, open_log, reader, small_disk

COPY = "/copy"


def filled(*, closed: bool = True) -> Disk:
    disk = small_disk()
    log = open_log(disk.files())
    writer = Writer()
    for _ in range(8):
        log.append(writer.batch(5), log.last_stamp_ns)
    if closed:
        log.close()
    return disk


def spoil(disk: Disk, segment: int, offset: int) -> str:
    name = [name for name in sorted(disk.folder(FOLDER).volatile) if name.endswith(SUFFIX)][segment]
    disk.inode(disk.folder(FOLDER).volatile[name]).volatile[offset] ^= 1
    return name


def test_a_sound_journal() -> None:
    told: list[tuple[int, int]] = []
    verdict = verify(FOLDER, filled().files(), lambda done, whole: told.append((done, whole)))
    assert (verdict.first_lsn, verdict.last_lsn, verdict.confirmed_lsn, verdict.torn_bytes) == (1, 41, 41, 0)
    assert verdict.segments >= 3
    assert told[0] == (0, verdict.segments)


def test_damage_is_named() -> None:
    disk = filled()
    name = spoil(disk, 1, 600)
    with pytest.raises(Damage) as error:
        verify(FOLDER, disk.files())
    assert error.value.file == f"{FOLDER}/{name}"
    assert error.value.offset <= 600


def test_a_batch_that_is_being_written_is_no_damage() -> None:
    """Between two reads of one look the journal goes on: what looks like a hole is looked at again."""
    disk = small_disk()
    log = open_log(disk.files(), segment_bytes=1 << 16)
    writer = Writer()
    reads = 0

    def called(name: str, path: str) -> Fault | None:
        nonlocal reads
        if name == "size" and path.endswith(SUFFIX):
            reads += 1
            if reads < 3:
                log.append(writer.batch(2), log.last_stamp_ns)
                log.append(writer.batch(2), log.last_stamp_ns)
        return None

    verdict = verify(FOLDER, disk.files(called))
    assert verdict.last_lsn == log.last_lsn


def test_a_place_that_moves_with_every_look_is_a_journal_at_work() -> None:
    disk = small_disk()
    log = open_log(disk.files(), segment_bytes=1 << 16)
    writer = Writer()
    looks = 0

    def called(name: str, path: str) -> Fault | None:
        nonlocal looks
        if name == "size" and path.endswith(SUFFIX):
            looks += 1
            if looks < 12:
                log.append(writer.batch(2), log.last_stamp_ns)
                log.append(writer.batch(2), log.last_stamp_ns)
        return None

    assert verify(FOLDER, disk.files(called)).last_lsn == log.last_lsn
    assert looks == 12


def reading_fails(_name: str, path: str) -> Fault | None:
    return Fault(5, 0) if _name == "read_at" and path.endswith(SUFFIX) else None


@pytest.mark.parametrize("what", ["verify", "salvage"])
def test_a_disk_that_cannot_be_read_is_named_and_nobody_is_told_to_restart(what: str) -> None:
    disk = filled()
    files = disk.files(reading_fails)
    with pytest.raises(ReadFailed, match="cannot be read") as error:
        verify(FOLDER, files) if what == "verify" else salvage(FOLDER, files, COPY)
    assert error.value.path.endswith(SUFFIX) and "restart" not in str(error.value)


def test_a_copy_that_cannot_be_written_is_no_fault_of_the_journal() -> None:
    disk = filled()
    files = disk.files(lambda name, path: Fault(28, 0) if name == "write_at" and path.startswith(COPY) else None)
    with pytest.raises(CopyFailed, match="was not touched") as error:
        salvage(FOLDER, files, COPY)
    assert error.value.folder == COPY


def test_no_journal() -> None:
    for folder in (FOLDER, "/nowhere"):
        with pytest.raises(NotThere):
            verify(folder, small_disk().files())


def test_a_sound_journal_is_copied_under_a_new_identity() -> None:
    disk = filled()
    done = salvage(FOLDER, disk.files(), COPY)
    assert (done.first_lsn, done.last_lsn, done.damage, done.behind) == (1, 41, None, [])
    assert list(iterate(COPY, disk.files())) == everything(disk.files())
    assert verify(COPY, disk.files()).identity != verify(FOLDER, disk.files()).identity


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("offset", [40, 700])
def test_what_is_before_the_damage_opens_and_what_is_behind_is_kept(segment: int, offset: int) -> None:
    disk = filled()
    whole = {record.lsn: record for record in everything(disk.files())}
    before = disk.contents(FOLDER)
    spoil(disk, segment, offset)
    spoiled = disk.contents(FOLDER)
    done = salvage(FOLDER, disk.files(), COPY)
    assert done.damage is not None
    assert disk.contents(FOLDER) == spoiled != before
    behind = [record.lsn for record in parse(disk.contents(COPY).get(BEHIND, b""))]
    missing = set(whole) - set(range(1, done.last_lsn + 1)) - set(behind)
    assert len(missing) == (1 if offset == 700 else 0)
    assert behind == [lsn for first, last in done.behind for lsn in range(first, last + 1)]
    if done.last_lsn:
        assert list(iterate(COPY, disk.files())) == [whole[lsn] for lsn in range(1, done.last_lsn + 1)]


def test_a_folder_with_a_journal_is_never_written_to() -> None:
    disk = filled()
    salvage(FOLDER, disk.files(), COPY)
    with pytest.raises(FileExistsError, match="holds a journal already"):
        salvage(FOLDER, disk.files(), COPY)
    with pytest.raises(NotThere):
        salvage("/nowhere", disk.files(), "/other")


def last_segment(disk: Disk) -> bytearray:
    name = [name for name in sorted(disk.folder(FOLDER).volatile) if name.endswith(SUFFIX)][-1]
    return disk.inode(disk.folder(FOLDER).volatile[name]).volatile


def used_bytes(data: bytearray) -> int:
    return -(-len(data.rstrip(b"\0")) // 8) * 8


def cut_the_end(disk: Disk) -> None:
    data = last_segment(disk)
    data[used_bytes(data) - 2 * frame_bytes(40) :] = bytes(len(data) - used_bytes(data) + 2 * frame_bytes(40))


def spoil_the_mark(disk: Disk) -> None:
    disk.inode(disk.folder(FOLDER).volatile["mark"]).volatile[:] = b""


def remove_the_mark(disk: Disk) -> None:
    disk.files().remove(f"{FOLDER}/mark")


def exchange_the_last_record(disk: Disk) -> None:
    """Another record than the one that the mark confirms, good in itself."""
    files, log = disk.files(), open_log(disk.files())
    last = Writer("risk").batch(2)
    log.append(last[:1], log.last_stamp_ns)
    other = disk.copy()
    log.append(last[1:], log.last_stamp_ns)
    log.close()
    assert files.list(FOLDER)
    again = open_log(other.files())
    again.append([last[1]._replace(payload=b"another".ljust(40))], again.last_stamp_ns)
    last_segment(disk)[:] = last_segment(other)


@pytest.mark.parametrize("harm", [cut_the_end, spoil_the_mark, remove_the_mark, exchange_the_last_record])
def test_salvage_and_verify_give_one_verdict(harm: Callable[[Disk], None]) -> None:
    disk = filled()
    harm(disk)
    with pytest.raises(Damage) as error:
        verify(FOLDER, disk.files())
    done = salvage(FOLDER, disk.files(), COPY)
    assert done.damage is not None
    place = (done.damage.file, done.damage.offset, done.damage.lsn, done.damage.why)
    assert place == (error.value.file, error.value.offset, error.value.lsn, error.value.why)
    assert verify(COPY, disk.files()).last_lsn == done.last_lsn
    if done.damage.lsn:
        assert done.last_lsn == done.damage.lsn - 1
    else:
        assert done.damage.file == f"{FOLDER}/mark"


def test_where_the_mark_is_gone_and_a_record_too_both_are_told() -> None:
    disk = filled()
    spoil_the_mark(disk)
    name = spoil(disk, 1, 700)
    done = salvage(FOLDER, disk.files(), COPY)
    assert done.damage is not None and done.damage.file == f"{FOLDER}/mark"
    assert f"{FOLDER}/{name}" in done.damage.why and done.behind


def test_a_torn_tail_is_no_damage_to_salvage_either() -> None:
    disk = filled()
    data = last_segment(disk)
    end = used_bytes(data)
    data[end : end + 7] = b"garbage"
    assert verify(FOLDER, disk.files()).torn_bytes == 7
    done = salvage(FOLDER, disk.files(), COPY)
    assert (done.last_lsn, done.damage, done.behind) == (41, None, [])
    assert not verify(COPY, disk.files()).torn_bytes


def spoil_record(disk: Disk, lsn: int) -> None:
    payload = next(record.payload for record in everything(disk.files()) if record.lsn == lsn)
    for inode in disk.folder(FOLDER).volatile.values():
        data = disk.inode(inode).volatile
        at = data.find(payload)
        if at >= 0:
            data[at] ^= 1


def without_its_beginning() -> tuple[Disk, Log]:
    disk = small_disk()
    log = open_log(disk.files())
    writer = Writer()
    for _ in range(8):
        log.append(writer.batch(5), log.last_stamp_ns)
    for lsn in (30, 38):
        link = reader(disk.files()).link_at(lsn)
        write_snapshot(snapshot_folder(FOLDER), disk.files(), Snapshot("orders", link, b"digest", b"at %d" % lsn))
    other = Snapshot("orders", log.end._replace(crc=1), b"digest", b"of another log")
    write_snapshot(snapshot_folder(FOLDER), disk.files(), other)
    keep_beside(disk.files())
    return disk, log


def keep_beside(files: Files) -> None:
    files.make_folder(f"{FOLDER}/index")
    for name in ("orders.sqlite", "orders.sqlite-wal", "orders.sqlite-shm"):
        replace_file(files, f"{FOLDER}/index", name, name.encode())


def test_what_a_journal_without_its_beginning_needs_goes_with_it() -> None:
    disk, log = without_its_beginning()
    log.drop_before(30)
    log.close()
    done = salvage(FOLDER, disk.files(), COPY)
    snapshots = [f"snapshots/orders-{lsn:020d}.snapshot" for lsn in (30, 38)]
    assert done.beside == [*snapshots, "index/orders.sqlite", "index/orders.sqlite-wal"]
    assert 1 < done.first_lsn <= 31
    copied = newest_snapshot(snapshot_folder(COPY), disk.files(), "orders", Reader(COPY, disk.files()))
    assert copied is not None and copied.payload == b"at 38"
    assert disk.contents(f"{COPY}/index")["orders.sqlite"] == b"orders.sqlite"


def test_a_snapshot_behind_the_damage_stays_behind() -> None:
    disk, log = without_its_beginning()
    log.drop_before(30)
    log.close()
    spoil_record(disk, 35)
    done = salvage(FOLDER, disk.files(), COPY)
    assert done.last_lsn == 34
    assert done.beside[0] == f"snapshots/orders-{30:020d}.snapshot" and len(done.beside) == 3


def test_a_journal_that_has_its_beginning_needs_nothing_beside_it() -> None:
    disk, log = without_its_beginning()
    log.close()
    assert salvage(FOLDER, disk.files(), COPY).beside == []
