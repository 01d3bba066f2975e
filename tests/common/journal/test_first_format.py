"""A journal that the first version wrote opens, verifies and goes on, whatever the version that reads it.

The folder `first_format` is never written again: a record of every kind there was, in two segments, two lives.
"""

import shutil
from pathlib import Path

import pytest
from crc32c import crc32c

from common.journal import FormatTooNew, Log, OsFiles, Reader, iterate, verify
from common.journal.frames import TICK, VERSION
from common.journal.segments import FIXED_BYTES, read_header
from common.journal.snapshots import Snapshot, read_snapshot, write_snapshot

STORED = Path(__file__).parent / "first_format"
SECOND_NS = 1_000_000_000


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "journal"))


def test_it_verifies(copy: Path) -> None:
    verdict = verify(copy, OsFiles())
    assert (verdict.first_lsn, verdict.last_lsn, verdict.confirmed_lsn, verdict.torn_bytes) == (1, 29, 29, 0)
    assert verdict.segments == 2


def test_it_goes_on(copy: Path) -> None:
    before = list(iterate(copy, OsFiles()))
    log = Log.open(copy, OsFiles(), wall_ns=0, segment_bytes=4096)
    assert {name: (state.epoch, state.append_number) for name, state in log.writers.items()} == {
        "journal": (before[-1].journal_epoch + 1, 0),
        "session@generic": (1767225600, 16),
        "orders": (1767225600, 5),
        "account@generic": (1767225600, 1),
    }
    assert log.last_stamp_ns == 1767225600 * SECOND_NS + 2 * SECOND_NS
    log.close()
    assert list(iterate(copy, OsFiles()))[:29] == before


def test_a_later_format_is_refused_and_not_called_damage(copy: Path) -> None:
    path = copy / f"{1:020d}.segment"
    data = bytearray(path.read_bytes())
    data[8] = VERSION + 1
    with path.open("r+b") as file:
        file.write(crc32c(data[4:FIXED_BYTES]).to_bytes(4, "little") + data[4:FIXED_BYTES])
    files = OsFiles()
    handle = files.open(str(path), write=False)
    with pytest.raises(FormatTooNew, match="newer"):
        read_header(files, handle, str(path))
    files.close(handle)
    with pytest.raises(FormatTooNew):
        verify(copy, files)


LATER = ("frames", "segments", "marks", "snapshots", "recovery")
"""The modules of the package that know the format's version."""


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The program is a later one, until it is undone."""
    for module in LATER:
        monkeypatch.setattr(f"common.journal.{module}.VERSION", VERSION + 1)
    return monkeypatch


def test_a_later_program_goes_on_and_the_first_one_is_refused_by_name(copy: Path, later: pytest.MonkeyPatch) -> None:
    before = list(iterate(copy, OsFiles()))
    log = Log.open(copy, OsFiles(), wall_ns=0, segment_bytes=4096)
    log.append([log.own_entry(TICK, b"\0")], log.last_stamp_ns)
    log.close()
    assert [record.lsn for record in iterate(copy, OsFiles())] == list(range(1, len(before) + 3))
    assert verify(copy, OsFiles()).confirmed_lsn == len(before) + 2
    later.undo()
    held = {path.name: path.read_bytes() for path in copy.iterdir()}
    for read in (lambda: Log.open(copy, OsFiles(), wall_ns=0), lambda: verify(copy, OsFiles())):
        with pytest.raises(FormatTooNew, match=f"version {VERSION + 1}, newer than this program reads: use the newer"):
            read()
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == held


def test_what_a_later_program_has_begun_is_refused_by_its_frames_alone(copy: Path, later: pytest.MonkeyPatch) -> None:
    mark = (copy / "mark").read_bytes()
    log = Log.open(copy, OsFiles(), wall_ns=0, segment_bytes=4096)
    log.abandon()
    later.undo()
    (copy / "mark").write_bytes(mark)
    with pytest.raises(FormatTooNew, match=f"version {VERSION + 1}"):
        Log.open(copy, OsFiles(), wall_ns=0)


def test_a_snapshot_of_the_first_version_is_read_by_a_later_program(
    copy: Path, request: pytest.FixtureRequest
) -> None:
    snapshot = Snapshot("risk", Reader(copy, OsFiles()).link_at(20), b"digest", b"payload")
    name = write_snapshot(copy / "snapshots", OsFiles(), snapshot)
    request.getfixturevalue("later")
    assert read_snapshot(f"{copy}/snapshots/{name}", OsFiles()) == snapshot
