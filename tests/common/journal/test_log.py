"""The log as its owner sees it: batches in order, refusals that write nothing, rotation, room, retention, locks."""

import errno
from contextlib import suppress
from random import Random

import pytest

from common.journal import (
    EPOCH,
    BadEntry,
    Damage,
    Entry,
    Gone,
    Locked,
    Log,
    LogFailed,
    NoSpace,
    OutOfOrder,
    Run,
    UnsafeFileSystem,
    parse,
)
from common.journal.frames import MAX_PAYLOAD_BYTES
from common.journal.marks import SLOT_BYTES, SLOT_SPACING
from common.journal.recovery import read_range
from common.journal.segments import SUFFIX, segment_name
from scripts.simulation.disk import Called, Disk, DiskFiles, Fault
from tests.common.journal.support import (
    FOLDER,
    WALL_NS,
    Killed,
    Writer,
    calls_of,
    counting,
    everything,
    open_log,
    reader,
    small_disk,
)


def test_a_new_log_begins_with_its_epoch() -> None:
    log = open_log(small_disk().files())
    assert log.recovery.created
    assert (log.last_lsn, log.durable_lsn, log.first_lsn) == (1, 1, 1)
    assert log.epoch == WALL_NS // 10**9
    assert log.writers["journal"].epoch == log.epoch


def test_a_batch_is_durable_and_its_block_is_what_followers_get() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    done = log.append(Writer().batch(3), WALL_NS + 5)
    assert (done.first_lsn, done.last_lsn, done.stamp_ns) == (2, 4, WALL_NS + 5)
    records = parse(done.block, verify=True)
    assert [record.durable_lsn for record in records] == [1, 1, 1]
    disk.crash_keeping(lambda: False)
    again = open_log(disk.files())
    assert again.recovery.last_lsn == 4
    assert everything(disk.files())[1:4] == records


def test_each_life_has_a_higher_epoch_whatever_the_clock_says() -> None:
    disk = small_disk()
    epochs = []
    for wall_ns in (WALL_NS, WALL_NS, WALL_NS - 10**12, WALL_NS + 10**12):
        log = open_log(disk.files(), wall_ns=wall_ns)
        epochs.append(log.epoch)
        assert log.last_stamp_ns >= WALL_NS
        log.close()
    assert epochs == [WALL_NS // 10**9, WALL_NS // 10**9 + 1, WALL_NS // 10**9 + 2, WALL_NS // 10**9 + 1000]


def refused(log: Log, entry: Entry) -> OutOfOrder:
    before = log.end
    with pytest.raises(OutOfOrder) as error:
        log.append([entry], log.last_stamp_ns)
    assert log.end == before
    return error.value


def test_only_the_successor_of_a_writers_last_append_is_taken() -> None:
    log = open_log(small_disk().files())
    log.append(Writer(number=0, epoch=4).batch(2), log.last_stamp_ns)
    for number in (1, 2, 4):
        error = refused(log, Entry(16, "orders", 4, number, b""))
        assert (error.wanted_epoch, error.wanted_number) == (4, 3)
    assert refused(log, Entry(16, "orders", 3, 3, b"")).wanted_epoch == 4
    assert refused(log, Entry(16, "orders", 5, 2, b"")).wanted_number == 1
    assert refused(log, Entry(EPOCH, "orders", 5, 1, b"")).wanted_number == 0
    log.append([Entry(EPOCH, "orders", 5, 0, b""), Entry(16, "orders", 5, 1, b"")], log.last_stamp_ns)
    assert log.writers["orders"].append_number == 1


def test_a_refused_entry_takes_the_whole_batch_with_it() -> None:
    log = open_log(small_disk().files())
    with pytest.raises(OutOfOrder):
        log.append([Entry(16, "orders", 1, 1, b""), Entry(16, "orders", 1, 3, b"")], log.last_stamp_ns)
    assert log.last_lsn == 1
    assert "orders" not in log.writers


def test_stamps_never_go_back_and_a_batch_is_never_empty() -> None:
    log = open_log(small_disk().files())
    log.append(Writer().batch(1), WALL_NS + 9)
    with pytest.raises(BadEntry):
        log.append([Entry(16, "orders", 1, 2, b"")], WALL_NS + 8)
    with pytest.raises(BadEntry):
        log.append([], WALL_NS + 9)


def test_a_duplicates_place_and_stamp_survive_the_logs_restart() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    orders, session = Writer("orders", 3), Writer("session@x", 8)
    log.append([*orders.batch(2), *session.batch(1)], WALL_NS + 1)
    log.append(orders.batch(1), WALL_NS + 2)
    log.append(session.batch(20), WALL_NS + 3)
    log.append(orders.batch(2), WALL_NS + 4)
    wanted = [
        Run(1, 2, 3, WALL_NS + 1),
        Run(3, 3, 5, WALL_NS + 2),
        Run(4, 5, 27, WALL_NS + 4),
    ]
    assert log.writers["orders"].runs(1, 99) == wanted
    assert len(disk.folder(FOLDER).volatile) > 4
    log.abandon()
    again = open_log(disk.files())
    assert again.writers["orders"].runs(1, 99) == wanted
    assert again.writers["orders"].runs(2, 4) == [Run(2, 2, 3, WALL_NS + 1), wanted[1], Run(4, 4, 26, WALL_NS + 4)]
    assert again.writers["orders"].runs(6, 9) == []


def test_a_batch_larger_than_a_segment_gets_one_of_its_size() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    log.append([Entry(16, "orders", 1, 1, bytes(MAX_PAYLOAD_BYTES))], log.last_stamp_ns)
    log.append([Entry(16, "orders", 1, 2, b"x")], log.last_stamp_ns)
    log.abandon()
    assert [len(record.payload) for record in everything(disk.files())] == [0, MAX_PAYLOAD_BYTES, 1]
    assert open_log(disk.files()).last_lsn == 4


def test_a_batch_larger_than_the_prepared_segment_takes_another_in_its_place() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    assert log.prepare_next_segment()
    names = set(disk.contents(FOLDER))
    log.append([Entry(16, "orders", 1, 1, bytes(MAX_PAYLOAD_BYTES))], log.last_stamp_ns)
    assert set(disk.contents(FOLDER)) <= names | {segment_name(2)}
    log.abandon()
    assert [len(record.payload) for record in everything(disk.files())] == [0, MAX_PAYLOAD_BYTES]
    assert open_log(disk.files()).last_lsn == 3


def test_a_second_process_is_refused() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    with pytest.raises(Locked, match="another process"):
        open_log(disk.files())
    log.close()
    open_log(disk.files())


def test_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiskFiles, "file_system", lambda self, folder: "nfs4")
    with pytest.raises(UnsafeFileSystem, match="local disk"):
        open_log(small_disk().files())


def test_the_first_error_ends_the_log() -> None:
    fail = False

    def called(name: str, _path: str) -> Fault | None:
        return Fault(errno.EIO) if fail and name == "sync" else None

    disk = small_disk()
    log = open_log(disk.files(called))
    writer = Writer()
    fail = True
    with pytest.raises(LogFailed, match="restart"):
        log.append(writer.batch(1), WALL_NS)
    fail = False
    for act in (lambda: log.append(writer.batch(1), WALL_NS), log.write_mark, log.prepare_next_segment, log.free_bytes):
        with pytest.raises(LogFailed):
            act()
    assert log.failed


def test_a_log_that_failed_is_closed_without_another_write_and_leaves_its_folder_to_the_next() -> None:
    called: list[str] = []
    fail = False

    def watch(name: str, _path: str) -> Fault | None:
        called.append(name)
        return Fault(errno.EIO) if fail and name == "sync" else None

    disk = small_disk()
    log = open_log(disk.files(watch))
    fail = True
    with pytest.raises(LogFailed):
        log.append(Writer().batch(1), WALL_NS)
    fail = False
    called.clear()
    log.close()
    assert not {"sync", "write_at"} & set(called)
    open_log(disk.files()).close()


def test_a_file_that_is_shorter_than_it_was_is_an_error_and_no_shorter_answer() -> None:
    files = small_disk(some=b"x" * 100).files()
    handle = files.open(f"{FOLDER}/some", write=False)
    assert read_range(files, handle, 10, 100) == b"x" * 90
    with pytest.raises(OSError, match="190 bytes were there and 90 could be read"):
        read_range(files, handle, 10, 200)


def test_a_full_disk_uses_up_its_reserve_then_refuses_and_goes_on_when_there_is_room() -> None:
    disk = small_disk()
    disk.capacity_bytes = 30_000
    files = disk.files()
    log = open_log(files, reserve_bytes=4096)
    assert log.prepare_next_segment()
    other = disk.files()
    hog = other.create(f"{FOLDER}/hog")
    other.write_at(hog, bytes(100_000), 0)
    assert log.free_bytes() == 0
    writer, held = Writer(), 0
    with pytest.raises(NoSpace, match="free some disk space"):
        for _ in range(1000):
            batch = writer.batch(1)
            log.append(batch, log.last_stamp_ns)
            held = log.last_lsn
            if log.room_bytes < 2048:
                log.prepare_next_segment()
    # The prepared segment and the reserve took all that 4 KiB and more hold.
    assert held > 40
    assert not log.prepare_next_segment()
    assert not log.failed
    assert disk.used_bytes <= disk.capacity_bytes
    other.remove(f"{FOLDER}/hog")
    assert log.append(batch, log.last_stamp_ns).last_lsn == held + 1
    assert log.prepare_next_segment()
    log.close()
    assert open_log(disk.files()).recovery.last_lsn == held + 1


def test_a_log_opens_on_a_full_disk_by_its_reserve() -> None:
    disk = small_disk()
    disk.capacity_bytes = 24_000
    log = open_log(disk.files(), reserve_bytes=6000)
    log.prepare_next_segment()
    log.append(Writer().batch(4), log.last_stamp_ns)
    log.abandon()
    other = disk.files()
    other.write_at(other.create(f"{FOLDER}/hog"), bytes(100_000), 0)
    again = open_log(disk.files(), reserve_bytes=6000)
    assert again.recovery.copied_records == 4


def fill(disk: Disk) -> None:
    """Another file takes all that is free."""
    other = disk.files()
    other.write_at(other.create(f"{FOLDER}/hog"), bytes(disk.capacity_bytes), 0)


def torn_on_a_full_disk(reserve_bytes: int) -> Disk:
    """Four records that nothing confirms, 300 torn bytes behind them, and no room but the reserve."""
    disk = small_disk()
    disk.capacity_bytes = 24_000
    log = open_log(disk.files(), reserve_bytes=reserve_bytes)
    log._reserve_held = log._allocate_reserve()
    log.append(Writer().batch(4), log.last_stamp_ns)
    position = log._position
    log.abandon()
    files = disk.files()
    files.write_at(files.open(f"{FOLDER}/{segments(files)[-1]}", write=True), b"T" * 300, position)
    fill(disk)
    return disk


def test_a_torn_tail_on_a_full_disk_is_kept_in_what_the_reserve_gives() -> None:
    disk = torn_on_a_full_disk(reserve_bytes=6000)
    log = open_log(disk.files(), reserve_bytes=6000)
    assert (log.recovery.last_lsn, log.recovery.copied_records) == (5, 4)
    assert disk.contents(FOLDER)[log.recovery.torn_file] == b"T" * 300
    assert not log.room_ahead


def test_a_torn_tail_that_finds_no_room_is_a_full_disk_and_nothing_is_cut() -> None:
    disk = torn_on_a_full_disk(reserve_bytes=0)
    before = disk.contents(FOLDER)[segment_name(1)]
    with pytest.raises(NoSpace, match="no room in /journal for 300 more bytes: free some disk space"):
        open_log(disk.files())
    assert disk.contents(FOLDER)[segment_name(1)] == before
    disk.process_died()
    disk.files().remove(f"{FOLDER}/hog")
    log = open_log(disk.files())
    assert (log.recovery.last_lsn, log.recovery.torn_bytes) == (5, 300)


def test_a_torn_tail_that_cannot_be_kept_for_another_reason_than_room_fails_the_start_and_nothing_is_cut() -> None:
    disk = torn_on_a_full_disk(reserve_bytes=6000)
    before = disk.contents(FOLDER)

    def called(_name: str, path: str) -> Fault | None:
        return Fault(errno.EIO) if "torn-" in path else None

    with pytest.raises(LogFailed, match="opening the log"):
        open_log(disk.files(called), reserve_bytes=6000)
    assert disk.contents(FOLDER) == before
    disk.process_died()
    assert open_log(disk.files(), reserve_bytes=6000).recovery.torn_bytes == 300


def test_a_disk_without_room_for_any_call_of_a_start_is_full_and_not_failed() -> None:
    for call in ("make_folder", "lock", "create", "write_at", "sync", "rename", "sync_folder"):
        disk = small_disk()

        def called(name: str, _path: str, call: str = call) -> Fault | None:
            return Fault(errno.ENOSPC) if name == call else None

        with pytest.raises(NoSpace, match="free some disk space"):
            open_log(disk.files(called))
        disk.process_died()
        open_log(disk.files()).close()


@pytest.mark.parametrize("left_bytes", [0, 4095])
def test_a_reserve_that_is_shorter_than_wanted_is_allocated_anew(left_bytes: int) -> None:
    disk = small_disk(reserve=bytes(left_bytes))
    log = open_log(disk.files(), reserve_bytes=4096)
    assert not log.room_ahead
    assert log.prepare_next_segment()
    assert len(disk.contents(FOLDER)["reserve"]) == 4096


def test_a_reserve_that_is_as_long_as_wanted_stays() -> None:
    disk = small_disk(reserve=bytes(4096))
    log = open_log(disk.files(), reserve_bytes=4096)
    number = disk.folder(FOLDER).volatile["reserve"]
    assert log.prepare_next_segment()
    assert disk.folder(FOLDER).volatile["reserve"] == number


def test_whatever_call_the_power_goes_in_a_reserve_that_is_there_is_whole() -> None:
    random = Random(13)

    def run(called: Called, disk: Disk) -> None:
        with suppress(Killed):
            open_log(disk.files(called), reserve_bytes=4096).prepare_next_segment()

    seen = set()
    for call in range(calls_of(lambda called: run(called, small_disk())) + 1):
        disk = small_disk()
        run(counting(call, [0]), disk)
        disk.process_died()
        for crashed in disk.crash_states(random, most=16):
            seen.add(len(crashed.contents(FOLDER).get("reserve", b"")))
            log = open_log(crashed.files(), reserve_bytes=4096)
            assert log.prepare_next_segment()
            assert len(crashed.contents(FOLDER)["reserve"]) == 4096
    # 0: none is there yet, or its name is and its bytes are not.
    assert {0, 4096} >= seen


def test_the_mark_of_a_log_that_does_not_sync_its_batches_follows_them_too() -> None:
    disk = small_disk()
    log = open_log(disk.files(), durability="process")
    writer = Writer()
    log.append(writer.batch(3), log.last_stamp_ns)
    assert log.durable_lsn == 1
    log.write_mark()
    assert (log.durable_lsn, reader(disk.files()).durable_lsn()) == (4, 4)
    log.abandon()
    disk.crash_keeping(lambda: False)
    assert open_log(disk.files()).recovery.last_lsn == 4


def test_marks_that_are_not_synced_take_the_same_slot_so_that_the_synced_one_stays_whole() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    writer = Writer()
    log.write_mark()
    log.append(writer.batch(1), log.last_stamp_ns)
    log.write_mark()
    synced = disk.contents(FOLDER)["mark"]
    for _ in range(3):
        log.append(writer.batch(1), log.last_stamp_ns)
        log.write_mark(may_wait=True)
    marked = disk.contents(FOLDER)["mark"]
    kept = [marked[at : at + SLOT_BYTES] == synced[at : at + SLOT_BYTES] for at in (0, SLOT_SPACING)]
    assert sorted(kept) == [False, True]
    assert reader(disk.files()).durable_lsn() == log.last_lsn
    disk.crash_keeping(lambda: False)
    assert reader(disk.files()).durable_lsn() == log.last_lsn - 3
    assert open_log(disk.files()).recovery.last_lsn == log.last_lsn


def test_a_log_that_stands_still_syncs_nothing() -> None:
    calls: list[str] = []
    log = open_log(small_disk().files(lambda name, _path: calls.append(name)), durability="process")
    log.append(Writer().batch(1), log.last_stamp_ns)
    log.write_mark()
    calls.clear()
    log.write_mark()
    assert calls == []


def segments(disk_files: DiskFiles) -> list[str]:
    return [name for name in disk_files.list(FOLDER) if name.endswith(SUFFIX)]


def test_retention_drops_whole_segments_and_remembers_its_floor() -> None:
    disk = small_disk()
    log = open_log(disk.files())
    writer = Writer()
    for _ in range(8):
        log.append(writer.batch(6), log.last_stamp_ns)
    before = segments(disk.files())
    assert log.drop_before(1) == []
    gone = log.drop_before(30)
    assert gone
    assert segments(disk.files()) == before[len(gone) :]
    assert 1 < log.first_lsn <= 30
    first = log.first_lsn
    log.abandon()
    with pytest.raises(Gone) as error:
        reader(disk.files()).read(1, 5)
    assert error.value.first_lsn == first
    again = open_log(disk.files())
    assert again.first_lsn == first
    assert again.writers["orders"].append_number == 48
    again.abandon()
    disk.files().remove(f"{FOLDER}/{segments(disk.files())[0]}")
    with pytest.raises(Damage, match="oldest segment is missing"):
        open_log(disk.files())


def test_a_snapshot_spares_older_segments_the_reading() -> None:
    disk = small_disk()
    log = open_log(disk.files(), segment_bytes=1 << 20)
    writer = Writer()
    for _ in range(90):
        log.append(writer.batch(1000, 8), log.last_stamp_ns)
    log.close()
    opened = []

    def called(name: str, path: str) -> Fault | None:
        if name == "read_at" and path.endswith(SUFFIX):
            opened.append(path)
        return None

    Log.open(FOLDER, disk.files(called), wall_ns=WALL_NS, trusted_lsn=log.last_lsn, segment_bytes=1 << 20).close()
    per_segment = [opened.count(path) for path in sorted(set(opened))]
    assert per_segment[0] == 2
    assert max(per_segment[1:]) > 2


def test_own_entries_number_themselves() -> None:
    log = open_log(small_disk().files())
    for number in (1, 2):
        entry = log.own_entry(1, b"\0")
        assert entry == Entry(1, "journal", log.epoch, number, b"\0")
        log.append([entry], log.last_stamp_ns)
