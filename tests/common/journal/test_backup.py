"""A backup holds what was durable, byte for byte, whatever journal or power does meanwhile, and is carried on."""

import pytest

from common.journal import (
    BackupBehind,
    CopyFailed,
    Damage,
    Locked,
    Log,
    NotThere,
    OtherJournal,
    Reader,
    Snapshot,
    back_up,
    iterate,
    newest_snapshot,
    salvage,
    snapshot_folder,
    verify,
    write_snapshot,
)
from common.journal.files import Files, read_whole
from common.journal.segments import SUFFIX, first_lsns
from scripts.simulation.disk import Disk, Fault
from tests.common.journal.support import (
    FOLDER,
    SEGMENT_BYTES,
    WALL_NS,
    Killed,
    Writer,
    everything,
    open_log,
    small_disk,
)

COPY = "/copy"


def grown(log: Log, writer: Writer, batches: int = 8) -> None:
    for _ in range(batches):
        log.append(writer.batch(5), log.last_stamp_ns)
        log.prepare_next_segment()
    log.write_mark(may_wait=False)


@pytest.fixture
def disk() -> Disk:
    return small_disk()


@pytest.fixture
def log(disk: Disk) -> Log:
    log = open_log(disk.files())
    grown(log, Writer())
    return log


def same_records(files: Files, upto_lsn: int) -> bool:
    ours = [record for record in everything(files) if record.lsn <= upto_lsn]
    return ours == list(iterate(COPY, files))


def test_a_copy_of_a_journal_at_work_is_a_journal(disk: Disk, log: Log) -> None:
    files = disk.files()
    done = back_up(FOLDER, files, COPY)
    assert (done.first_lsn, done.last_lsn, done.new_records) == (1, log.durable_lsn, log.durable_lsn)
    assert done.stamp_ns == log.last_stamp_ns
    verdict = verify(COPY, files)
    assert (verdict.last_lsn, verdict.confirmed_lsn, verdict.torn_bytes) == (done.last_lsn, done.last_lsn, 0)
    assert verdict.identity == verify(FOLDER, files).identity
    assert same_records(files, done.last_lsn)


def test_what_the_mark_does_not_name_yet_is_not_copied(disk: Disk, log: Log) -> None:
    durable = log.durable_lsn
    log.append(Writer("risk").batch(3), log.last_stamp_ns)
    assert back_up(FOLDER, disk.files(), COPY).last_lsn == Reader(FOLDER, disk.files()).durable_lsn() == durable


def test_a_copy_is_carried_on_and_keeps_what_retention_drops(disk: Disk, log: Log) -> None:
    files = disk.files()
    first = back_up(FOLDER, files, COPY)
    untouched = {start: read_whole(files, f"{COPY}/{start:020d}{SUFFIX}") for start in first_lsns(files, COPY)[:-1]}
    again = back_up(FOLDER, files, COPY)
    assert again == first._replace(new_records=0)
    grown(log, Writer(number=40))
    log.drop_before(30)
    assert log.first_lsn > 1
    done = back_up(FOLDER, files, COPY)
    assert (done.first_lsn, done.last_lsn) == (1, log.durable_lsn)
    assert done.new_records == done.last_lsn - first.last_lsn
    assert verify(COPY, files).last_lsn == done.last_lsn
    assert all(read_whole(files, f"{COPY}/{start:020d}{SUFFIX}") == data for start, data in untouched.items())
    assert list(iterate(COPY, files))[-1] == everything(files)[-1]


def test_a_journal_that_started_again_meanwhile_is_carried_on(disk: Disk, log: Log) -> None:
    """A start moves what the mark does not name to a new segment, so that the old one ends earlier than its bytes."""
    files = disk.files()
    log.append(Writer("risk").batch(3), log.last_stamp_ns)
    back_up(FOLDER, files, COPY)
    log.abandon()
    files.die()
    again = open_log(disk.files(), wall_ns=WALL_NS + 9)
    grown(again, Writer(epoch=2))
    done = back_up(FOLDER, disk.files(), COPY)
    assert done.last_lsn == again.durable_lsn
    assert same_records(disk.files(), done.last_lsn)


def test_a_broken_off_copy_is_the_one_before_or_none_and_the_next_is_whole() -> None:
    """Killed at every file call, the power lost with it: nothing that the disk did not keep is taken for a copy."""
    calls = 0
    while True:
        disk = small_disk()
        log = open_log(disk.files())
        writer = Writer()
        grown(log, writer, 4)
        back_up(FOLDER, disk.files(), COPY)
        held = log.durable_lsn
        grown(log, writer, 4)
        left = calls

        def called(_name: str, _path: str) -> Fault | None:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return None

        files = disk.files(called)
        try:
            back_up(FOLDER, files, COPY)
        except Killed:
            files.die()
            disk.crash_keeping(lambda: False)
        else:
            assert calls > 50
            return
        assert held <= verify(COPY, disk.files()).last_lsn <= log.durable_lsn
        assert back_up(FOLDER, disk.files(), COPY).last_lsn == Reader(FOLDER, disk.files()).durable_lsn()
        assert same_records(disk.files(), Reader(FOLDER, disk.files()).durable_lsn())
        calls += 1


def test_a_folder_with_something_else_in_it_is_refused_unchanged(disk: Disk, log: Log) -> None:
    files = disk.files()
    back_up(FOLDER, files, COPY)
    other = "/other"
    salvage(FOLDER, files, other)
    with pytest.raises(OtherJournal, match="another journal"):
        back_up(other, files, COPY)
    grown(log, Writer(number=40))
    log.drop_before(log.durable_lsn)
    with pytest.raises(BackupBehind, match="the oldest one that the journal has"):
        back_up(FOLDER, files, COPY)
    with pytest.raises(NotThere):
        back_up("/nowhere", files, "/new")


def test_a_journal_that_is_shorter_than_its_copy_is_another_one(disk: Disk, log: Log) -> None:
    """Such as a folder that was put back from elsewhere, by hand."""
    files = disk.files()
    back_up(FOLDER, files, "/older")
    grown(log, Writer(number=40))
    back_up(FOLDER, files, COPY)
    with pytest.raises(OtherJournal, match="does not have it"):
        back_up("/older", files, COPY)


def test_one_copy_has_one_writer(disk: Disk, log: Log) -> None:
    files = disk.files()
    files.make_folder(COPY)
    held = files.lock(f"{COPY}/lock")
    with pytest.raises(Locked):
        back_up(FOLDER, disk.files(), COPY)
    files.close(held)
    back_up(FOLDER, disk.files(), COPY)


def test_damage_is_not_copied(disk: Disk, log: Log) -> None:
    name = sorted(name for name in disk.folder(FOLDER).volatile if name.endswith(SUFFIX))[1]
    disk.inode(disk.folder(FOLDER).volatile[name]).volatile[SEGMENT_BYTES // 3] ^= 1
    with pytest.raises(Damage) as error:
        back_up(FOLDER, disk.files(), COPY)
    assert error.value.file == f"{FOLDER}/{name}"
    with pytest.raises(NotThere):
        Reader(COPY, disk.files()).durable_lsn()


def test_a_copy_that_cannot_be_written_is_no_fault_of_the_journal(disk: Disk, log: Log) -> None:
    files = disk.files(lambda name, path: Fault(28, 0) if name == "write_at" and path.startswith(COPY) else None)
    with pytest.raises(CopyFailed, match="was not touched"):
        back_up(FOLDER, files, COPY)


def test_snapshots_that_stand_on_the_copied_records_go_with_it(disk: Disk, log: Log) -> None:
    files = disk.files()
    place = snapshot_folder(FOLDER)
    link = Reader(FOLDER, files).link_at
    write_snapshot(place, files, Snapshot("orders", link(20), b"digest", b"first"))
    log.append(Writer("risk").batch(3), log.last_stamp_ns)
    write_snapshot(place, files, Snapshot("risk", link(log.last_lsn), b"digest", b"too new"))
    done = back_up(FOLDER, files, COPY)
    assert done.without_snapshot == ("risk",)
    copy = Reader(COPY, files)
    found = newest_snapshot(snapshot_folder(COPY), files, "orders", copy)
    assert found is not None and found.payload == b"first"
    assert newest_snapshot(snapshot_folder(COPY), files, "risk", copy) is None
    log.write_mark(may_wait=False)
    assert back_up(FOLDER, files, COPY).without_snapshot == ()


def test_a_copy_is_gone_on_with_under_an_identity_of_its_own(disk: Disk, log: Log) -> None:
    files = disk.files()
    done = back_up(FOLDER, files, COPY)
    new = "/new"
    assert salvage(COPY, files, new).last_lsn == done.last_lsn
    again = Log.open(new, files, wall_ns=WALL_NS + 9, segment_bytes=SEGMENT_BYTES, reserve_bytes=0)
    assert again.last_lsn == done.last_lsn + 1
    assert verify(new, files).identity != verify(COPY, files).identity
