"""`fixring journal backup` and `restore` as an operator uses them: what they print, leave behind and refuse."""

import shutil
from pathlib import Path

import orjson
import pytest

from common.config import load
from common.exit_status import ExitStatus
from common.journal import Log, OsFiles, Reader, Snapshot, iterate, newest_snapshot, snapshot_folder, write_snapshot
from common.latch import Latch
from common.orders.forgotten import ForgottenOrder
from common.orders.index_file import IndexFile, copy_index
from scripts.cli.main import run
from tests.common.journal.support import Writer
from tests.scripts.cli.test_journal import STORED


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configured stack's journal folder, with a stored journal in it."""
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path / "var"))
    return Path(shutil.copytree(STORED, load().journal_folder))


def test_a_lost_journal_comes_back_from_its_backup_latched(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "backup"
    assert run(["journal", "backup", str(to), "--json"]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    assert (told["first_lsn"], told["last_lsn"], told["new_records"]) == (1, 29, 29)
    assert run(["journal", "backup", str(to)]) == ExitStatus.OK
    assert "records 1 to 29, 0 of them new" in capsys.readouterr().out
    before = list(iterate(configured, OsFiles()))
    assert run(["journal", "restore", str(to)]) == ExitStatus.REFUSED
    assert "holds a journal already" in capsys.readouterr().err
    assert not list(load().emergency_folder.glob("*.latch"))
    shutil.rmtree(configured)
    assert run(["journal", "restore", str(to)]) == ExitStatus.OK
    out = capsys.readouterr().out
    assert "records 1 to 29" in out and "The kill switch is latched: session@binance, session@generic" in out
    assert list(iterate(configured, OsFiles())) == before
    latch = Latch(str(load().emergency_folder), "session@generic.latch", OsFiles())
    latch.load()
    assert latch.set


def test_what_sessions_wrote_while_the_journal_was_away_goes_with_it(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to, folder = tmp_path / "backup", load().emergency_folder
    folder.mkdir(parents=True)
    (folder / "session@generic-9.emergency").write_bytes(b"as it was")
    assert run(["journal", "backup", str(to)]) == ExitStatus.OK
    (folder / "session@generic-9.emergency").write_bytes(b"as it went on")
    shutil.rmtree(configured)
    assert run(["journal", "restore", str(to), "--json"]) == ExitStatus.OK
    assert (folder / "session@generic-9.emergency").read_bytes() == b"as it went on"
    shutil.rmtree(folder)
    shutil.rmtree(configured)
    assert run(["journal", "restore", str(to)]) == ExitStatus.OK
    assert (folder / "session@generic-9.emergency").read_bytes() == b"as it was"


def test_a_stack_that_runs_is_not_restored_over(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["journal", "backup", str(tmp_path / "backup")]) == ExitStatus.OK
    shutil.rmtree(configured)
    log = Log.open(configured, OsFiles(), wall_ns=1_800_000_000_000_000_000, segment_bytes=1 << 16, reserve_bytes=0)
    assert run(["journal", "restore", str(tmp_path / "backup")]) == ExitStatus.REFUSED
    assert "the stack runs" in capsys.readouterr().err
    log.close()


def test_a_damaged_backup_is_refused_and_latches_nothing(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "backup"
    assert run(["journal", "backup", str(to)]) == ExitStatus.OK
    path = to / f"{1:020d}.segment"
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    shutil.rmtree(configured)
    assert run(["journal", "restore", str(to)]) == ExitStatus.INTEGRITY
    assert str(path) in capsys.readouterr().err
    assert not configured.exists() and not list(load().emergency_folder.glob("*.latch"))


def test_a_backup_without_its_beginning_needs_the_snapshots_and_the_index(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(configured)
    files, writer, to = OsFiles(), Writer(), tmp_path / "backup"
    log = Log.open(configured, files, wall_ns=1_800_000_000_000_000_000, segment_bytes=1 << 16, reserve_bytes=0)
    for _ in range(60):
        log.append(writer.batch(50), log.last_stamp_ns)
    log.write_mark(may_wait=False)
    log.drop_before(2800)
    log.append(writer.batch(1), log.last_stamp_ns)
    newest = Reader(configured, files).link_at(log.last_lsn)
    write_snapshot(snapshot_folder(configured), files, Snapshot("orders", newest, b"digest", b""))
    IndexFile(configured / "index" / "orders.sqlite").close()
    assert run(["journal", "backup", str(to)]) == ExitStatus.FAILURE
    assert "no snapshot of orders stands on it yet" in capsys.readouterr().err
    log.write_mark(may_wait=False)
    assert run(["journal", "backup", str(to)]) == ExitStatus.OK
    log.close()
    shutil.rmtree(configured)
    assert run(["journal", "restore", str(to)]) == ExitStatus.OK
    assert (configured / "index" / "orders.sqlite").exists()
    assert newest_snapshot(snapshot_folder(configured), files, "orders", Reader(configured, files)) is not None


def test_an_index_is_copied_as_it_stands_between_two_transactions(tmp_path: Path) -> None:
    index = IndexFile(tmp_path / "index.sqlite")
    index.read_on_after(0)
    index.put_names(["A1"], ForgottenOrder("maker", 1, "generic", "BTCUSDT", "BUY"), 5)
    index.write(7)
    copy_index(tmp_path / "index.sqlite", tmp_path / "copy" / "index.sqlite")
    copied = IndexFile(tmp_path / "copy" / "index.sqlite")
    assert copied.covered_lsn == 7
    assert copied.name_of("A1") == ("maker", 1)
