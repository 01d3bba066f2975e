"""The emergency file holds every entry that was acknowledged, whatever dies, and is never written over."""

import errno
from random import Random

import pytest

from common.journal import BadEntry, Damage, LogFailed, NoSpace, NotThere
from common.journal.emergency import EmergencyFile, read_emergency
from scripts.simulation.disk import Called, Disk, Fault
from tests.common.journal.support import PAGE_BYTES, WALL_NS, Killed, Writer, calls_of, counting

PATH = "/emergency/session@x-7"


def write(disk: Disk, called: Called | None = None) -> int:
    """Three batches; how many frames were acknowledged when it ended."""
    acknowledged = 0
    try:
        file = EmergencyFile.create(PATH, disk.files(called), epoch=7, size_bytes=4096)
        writer = Writer("session@x", 7)
        for count in (1, 4, 2):
            acknowledged = file.append(writer.batch(count, 90), WALL_NS)
    except (Killed, LogFailed):
        pass
    return acknowledged


def test_what_was_appended_is_read_back() -> None:
    disk = Disk()
    assert write(disk) == 7
    records = read_emergency(PATH, disk.files())
    assert [record.lsn for record in records] == [1, 2, 3, 4, 5, 6, 7]
    assert [record.append_number for record in records] == [1, 2, 3, 4, 5, 6, 7]
    assert {(record.writer, record.writer_epoch, record.journal_epoch) for record in records} == {("session@x", 7, 7)}


def test_every_crash_keeps_what_was_acknowledged() -> None:
    random = Random(1)
    for call in range(calls_of(lambda called: write(Disk(page_bytes=PAGE_BYTES), called))):
        disk = Disk(page_bytes=PAGE_BYTES)
        acknowledged = write(disk, counting(call, [0]))
        for crashed in disk.crash_states(random, most=16):
            try:
                records = read_emergency(PATH, crashed.files())
            except NotThere:
                assert acknowledged == 0
            else:
                assert len(records) >= acknowledged


def test_it_is_never_written_over() -> None:
    disk = Disk()
    write(disk)
    with pytest.raises(FileExistsError):
        EmergencyFile.create(PATH, disk.files(), epoch=7)


def test_a_full_file_takes_nothing_and_keeps_what_it_has() -> None:
    disk = Disk()
    file = EmergencyFile.create(PATH, disk.files(), epoch=7, size_bytes=1024)
    writer = Writer("session@x", 7)
    file.append(writer.batch(2, 90), WALL_NS)
    with pytest.raises(NoSpace):
        file.append(writer.batch(5, 90), WALL_NS)
    assert file.append(Writer("session@x", 7, 2).batch(1, 90), WALL_NS - 5) == 3
    records = read_emergency(PATH, disk.files())
    assert [record.append_number for record in records] == [1, 2, 3]
    assert records[-1].stamp_ns == WALL_NS


def test_the_first_error_ends_it() -> None:
    fail = False

    def called(name: str, _path: str) -> Fault | None:
        return Fault(errno.EIO) if fail and name == "sync" else None

    file = EmergencyFile.create(PATH, Disk().files(called), epoch=7)
    fail = True
    with pytest.raises(LogFailed):
        file.append(Writer().batch(1), WALL_NS)
    fail = False
    with pytest.raises(LogFailed):
        file.append(Writer().batch(1), WALL_NS)


def test_damage_of_what_was_acknowledged_is_refused() -> None:
    disk = Disk()
    write(disk)
    number = disk.folder("/emergency").volatile["session@x-7"]
    disk.inode(number).volatile[64 + 120] ^= 1
    with pytest.raises(Damage, match="session@x-7"):
        read_emergency(PATH, disk.files())


def test_no_file() -> None:
    with pytest.raises(NotThere):
        read_emergency(PATH, Disk().files())


def test_a_batch_is_never_empty_and_a_file_is_closed_once() -> None:
    file = EmergencyFile.create(PATH, Disk().files(), epoch=7, size_bytes=4096)
    with pytest.raises(BadEntry, match="one entry at least"):
        file.append([], WALL_NS)
    assert file.append(Writer("session@x", 7).batch(1, 9), WALL_NS) == 1
    file.close()
    file.close()
    with pytest.raises(LogFailed):
        file.append(Writer("session@x", 7).batch(1, 9), WALL_NS)
