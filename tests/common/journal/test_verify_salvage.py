"""`verify` says what is wrong and where, also beside a living journal; `salvage` writes what is left to a copy."""

import pytest

from common.journal import Damage, NotThere, iterate, parse, salvage, verify
from common.journal.salvage import BEHIND
from common.journal.segments import SUFFIX
from scripts.simulation.disk import Disk, Fault
from tests.common.journal.support import FOLDER, Writer, everything, open_log, small_disk

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
