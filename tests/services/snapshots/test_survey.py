"""Nothing is dropped that an actor may still need, and what nobody needs is dropped down to the bytes allowed."""

from pathlib import Path

import pytest

from common.journal import Entry, Log, OsFiles, Reader
from common.journal.segments import first_lsns
from common.journal.snapshots import Snapshot, snapshot_folder, write_snapshot
from services.snapshots.core import Survey
from services.snapshots.survey import survey

SEGMENT_BYTES = 1 << 16
RECORDS = 60
FILES = OsFiles()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """About ten segments."""
    log = Log.open(tmp_path, FILES, wall_ns=1, segment_bytes=SEGMENT_BYTES, durability="process")
    for number in range(1, RECORDS):
        log.append([Entry(16, "w", 1, number, b"x" * 8000)], number + 1_000_000_000)
    log.close()
    return tmp_path


def put(journal: Path, name: str, *lsns: int) -> None:
    reader = Reader(journal, FILES)
    for lsn in lsns:
        write_snapshot(snapshot_folder(journal), FILES, Snapshot(name, reader.link_at(lsn), b"digest", b"state"))


def test_the_log_is_needed_from_the_older_of_two_snapshots_of_each_actor(journal: Path) -> None:
    put(journal, "orders", 30, 50)
    put(journal, "risk", 41, 55)
    found = look(journal, ["orders", "risk"], 1)
    assert found.newest == {"orders": 50, "risk": 55}
    assert (found.needed_lsn, found.needed_by) == (31, "orders")
    starts = first_lsns(FILES, str(journal))
    assert found.drops == [start for start in starts[1:] if start <= 31]


def look(journal: Path, names: list[str], retention_bytes: int) -> Survey:
    """Where every actor's program says of all its snapshots that they load."""
    loads = {name: set(range(1, RECORDS + 1)) for name in names}
    return survey(journal, FILES, names, retention_bytes, loads)


@pytest.mark.parametrize("lsns", [(), (40,)])
def test_an_actor_without_two_snapshots_needs_everything(journal: Path, lsns: tuple[int, ...]) -> None:
    put(journal, "orders", 30, 50)
    put(journal, "risk", *lsns)
    found = look(journal, ["orders", "risk"], 1)
    assert (found.needed_lsn, found.needed_by, found.drops) == (1, "risk", [])


def test_a_snapshot_that_does_not_verify_does_not_count(journal: Path) -> None:
    put(journal, "orders", 30, 50)
    damaged = Path(snapshot_folder(journal)) / f"orders-{30:020d}.snapshot"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    found = look(journal, ["orders"], 1)
    assert (found.newest, found.needed_lsn, found.drops) == ({"orders": 50}, 1, [])


def test_a_snapshot_of_another_log_does_not_count(journal: Path) -> None:
    link = Reader(journal, FILES).link_at(30)
    other = Snapshot("orders", link._replace(crc=link.crc ^ 1), b"digest", b"state")
    write_snapshot(snapshot_folder(journal), FILES, other)
    put(journal, "orders", 50)
    assert look(journal, ["orders"], 1).drops == []


def test_what_the_bytes_allow_is_kept(journal: Path) -> None:
    put(journal, "orders", 50, 58)
    closed = len(first_lsns(FILES, str(journal))) - 1
    found = look(journal, ["orders"], 3 * SEGMENT_BYTES)
    assert len(found.drops) == closed - 3
    assert look(journal, ["orders"], 0).drops == [], "0 keeps all"


def test_what_is_left_after_the_drops_is_all_that_is_needed(journal: Path) -> None:
    put(journal, "orders", 37, 50)
    found = look(journal, ["orders"], 1)
    log = Log.open(journal, FILES, wall_ns=1, segment_bytes=SEGMENT_BYTES)
    for below in found.drops:
        assert len(log.drop_before(below)) == 1
    log.close()
    reader = Reader(journal, FILES)
    assert reader.first_lsn() <= 38
    assert reader.read(38, 38)[0].lsn == 38
    assert look(journal, ["orders"], 1).newest == {"orders": 50}


@pytest.mark.parametrize("loads", [set(), {50}, {30}, {7, 9}])
def test_a_snapshot_of_which_nobody_said_that_it_loads_does_not_count(journal: Path, loads: set[int]) -> None:
    put(journal, "orders", 30, 50)
    found = survey(journal, FILES, ["orders"], 1, {"orders": loads})
    assert (found.newest, found.needed_lsn, found.drops) == ({"orders": 50}, 1, [])
    assert survey(journal, FILES, ["orders"], 1, {"orders": {30, 50}}).needed_lsn == 31


def test_of_an_actor_without_a_program_each_that_verifies_counts(journal: Path) -> None:
    put(journal, "session@old", 30, 50)
    assert survey(journal, FILES, ["session@old"], 1, {"orders": set()}).needed_lsn == 31
