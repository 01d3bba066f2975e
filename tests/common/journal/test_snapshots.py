"""A snapshot is used only where it verifies and the log holds the record it stands on; else an older one, or none."""

from contextlib import suppress

import pytest
from crc32c import crc32c

from common.journal import (
    Damage,
    Link,
    Log,
    Reader,
    ReadFailed,
    Snapshot,
    newest_snapshot,
    snapshot_folder,
    write_snapshot,
)
from common.journal.frames import VERSION
from common.journal.snapshots import Keeping, prune_snapshots, read_snapshot, trusted_lsn, verified_lsns
from scripts.simulation.disk import Disk, Fault
from tests.common.journal.support import FOLDER, Killed, Writer, calls_of, counting, open_log, reader, small_disk

PLACE = snapshot_folder(FOLDER)


def filled() -> tuple[Disk, Log]:
    disk = small_disk()
    log = open_log(disk.files())
    log.append(Writer().batch(9), log.last_stamp_ns)
    return disk, log


def take(disk: Disk, lsn: int, name: str = "orders") -> Snapshot:
    snapshot = Snapshot(name, reader(disk.files()).link_at(lsn), b"digest", b"state at %d" % lsn)
    write_snapshot(PLACE, disk.files(), snapshot)
    return snapshot


def newest(disk: Disk, name: str = "orders") -> Snapshot | None:
    return newest_snapshot(PLACE, disk.files(), name, reader(disk.files()))


def test_the_newest_is_loaded() -> None:
    disk, _ = filled()
    assert newest(disk) is None
    take(disk, 3)
    taken = take(disk, 7)
    take(disk, 9, "risk")
    assert newest(disk) == taken


@pytest.mark.parametrize("offset", [0, 5, 9, 20, 70, 80])
def test_one_that_does_not_verify_is_passed_over(offset: int) -> None:
    disk, _ = filled()
    older = take(disk, 3)
    take(disk, 7)
    name = max(disk.folder(PLACE).volatile)
    disk.inode(disk.folder(PLACE).volatile[name]).volatile[offset] ^= 4
    assert newest(disk) == older
    with pytest.raises(Damage):
        read_snapshot(f"{PLACE}/{name}", disk.files())


def test_one_of_a_record_that_the_log_does_not_hold_is_passed_over() -> None:
    disk, log = filled()
    older = take(disk, 3)
    write_snapshot(PLACE, disk.files(), Snapshot("orders", Link(7, 12345), b"", b"another log's"))
    write_snapshot(PLACE, disk.files(), Snapshot("orders", Link(log.last_lsn + 5, 1), b"", b"from the future"))
    assert newest(disk) == older


def test_a_crash_while_writing_leaves_the_older_one() -> None:
    disk, _ = filled()
    older = take(disk, 3)

    def attempt(kill_at: int) -> Disk:
        copy = disk.copy()
        snapshot = Snapshot("orders", reader(copy.files()).link_at(7), b"d", bytes(2000))
        with suppress(Killed):
            write_snapshot(PLACE, copy.files(counting(kill_at, [0])), snapshot)
        copy.crash_keeping(lambda: True)
        return copy

    for call in range(calls_of(lambda called: write_snapshot(PLACE, disk.copy().files(called), older))):
        found = newest(attempt(call))
        assert found is not None
        assert found == older or found.at.lsn == 7


def test_old_ones_are_pruned() -> None:
    disk, _ = filled()
    for lsn in (2, 4, 6, 8):
        take(disk, lsn)
    take(disk, 2, "risk")
    assert len(prune_snapshots(PLACE, disk.files(), "orders")) == 2
    assert len(disk.files().list(PLACE)) == 3
    found = newest(disk)
    assert found is not None
    assert found.at.lsn == 8


def test_of_old_ones_those_stay_that_are_far_apart_for_as_long_as_the_log_has_their_record() -> None:
    disk = small_disk()
    log, writer = open_log(disk.files()), Writer()
    for lsn in range(1, 9):
        log.append(writer.batch(1, 900), log.last_stamp_ns)
        take(disk, lsn)
        prune_snapshots(PLACE, disk.files(), "orders", Keeping(2, 3), reader(disk.files()))
    assert verified_lsns(PLACE, disk.files(), "orders", reader(disk.files()), 9) == [8, 7, 4, 1]
    log.drop_before(6)
    first_lsn = reader(disk.files()).first_lsn()
    gone = prune_snapshots(PLACE, disk.files(), "orders", Keeping(2, 3), reader(disk.files()))
    assert first_lsn > 2 and gone == [f"orders-{lsn:020d}.snapshot" for lsn in (1, 4) if lsn < first_lsn - 1]


def test_those_of_another_log_go_first_and_leave_the_good_ones() -> None:
    disk, log = filled()
    good = [take(disk, lsn) for lsn in (2, 4, 6)]
    for lsn in (7, 900, 950):
        write_snapshot(PLACE, disk.files(), Snapshot("orders", Link(lsn, 12345), b"digest", b"another log's"))
    take(disk, 8)
    damaged = f"orders-{8:020d}.snapshot"
    disk.inode(disk.folder(PLACE).volatile[damaged]).volatile[30] ^= 4
    gone = prune_snapshots(PLACE, disk.files(), "orders", log=reader(disk.files()))
    assert gone == [f"orders-{lsn:020d}.snapshot" for lsn in (7, 8, 900, 950, 2)]
    assert newest(disk) == good[-1]
    log.drop_before(log.last_lsn)
    assert verified_lsns(PLACE, disk.files(), "orders", reader(disk.files()), 3) == [6, 4]


def test_those_kept_for_the_past_alone_are_not_read_again_at_each_pruning() -> None:
    disk, _ = filled()
    for lsn in range(1, 8):
        take(disk, lsn)
    read = []

    class Watched(Reader):
        def link_at(self, lsn: int) -> Link:
            read.append(lsn)
            return super().link_at(lsn)

    files = disk.files()
    gone = prune_snapshots(PLACE, files, "orders", Keeping(5), Watched(reader(files).folder, files))
    assert gone == [f"orders-{lsn:020d}.snapshot" for lsn in (1, 2)]
    assert read == [7, 6]


def test_one_of_a_later_form_is_left_for_the_program_that_can_read_it() -> None:
    disk, _ = filled()
    for lsn in (2, 4, 6):
        take(disk, lsn)
    name = f"orders-{6:020d}.snapshot"
    data = disk.inode(disk.folder(PLACE).volatile[name]).volatile
    data[8] = VERSION + 1
    data[:4] = crc32c(bytes(data[4:])).to_bytes(4, "little")
    gone = prune_snapshots(PLACE, disk.files(), "orders", Keeping(1), reader(disk.files()))
    assert gone == [f"orders-{2:020d}.snapshot"]
    assert name in disk.files().list(PLACE)


def test_a_snapshot_that_the_disk_does_not_give_is_named() -> None:
    disk, _ = filled()
    take(disk, 3)
    files = disk.files(lambda name, path: Fault(5, 0) if name == "read_at" and path.endswith(".snapshot") else None)
    with pytest.raises(ReadFailed, match="snapshot cannot be read") as error:
        newest_snapshot(PLACE, files, "orders", reader(disk.files()))
    assert "restart" not in str(error.value)


def test_the_newest_that_verify_are_told_newest_first() -> None:
    disk, _ = filled()
    for lsn in (2, 4, 6, 8):
        take(disk, lsn)
    name = max(disk.folder(PLACE).volatile)
    disk.inode(disk.folder(PLACE).volatile[name]).volatile[9] ^= 4
    assert verified_lsns(PLACE, disk.files(), "orders", reader(disk.files()), 2) == [6, 4]
    assert verified_lsns(PLACE, disk.files(), "risk", reader(disk.files()), 2) == []


def test_a_log_is_trusted_up_to_a_snapshot_that_it_contains() -> None:
    disk, log = filled()
    assert trusted_lsn(FOLDER, disk.files(), "orders") == 0
    take(disk, 5)
    write_snapshot(PLACE, disk.files(), Snapshot("orders", Link(9, 1), b"digest", b"of another log"))
    assert trusted_lsn(FOLDER, disk.files(), "orders") == 5
    assert trusted_lsn("/nowhere", disk.files(), "orders") == 0
