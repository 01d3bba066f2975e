"""`fixring journal skip` on the real journal and risk: a record that cannot be read halts until it is accepted."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.actor.control import NoAnswer, NotRunning, ask
from common.config import CHECKOUT, load
from common.exit_status import ExitStatus
from common.journal import EPOCH, Entry, Log, OsFiles
from common.messages import Kind
from scripts.cli.main import run

WITHIN_S = 30
POISON_LSN = 3


@pytest.fixture
def run_folder(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A journal whose third record is none, and the journal's process."""
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    config = load()
    log = Log.open(str(config.journal_folder), OsFiles(), wall_ns=time.time_ns(), segment_bytes=1 << 20)
    entries = [
        Entry(EPOCH, "session@generic", 1, 0, bytes(8)),
        Entry(Kind.INBOUND, "session@generic", 1, 1, b"\xc1 poison"),
    ]
    log.append(entries, time.time_ns())
    log.close()
    with actor("journal"):
        yield config.paths.run


@contextmanager
def actor(name: str) -> Iterator[None]:
    """The real process, which answers."""
    child = subprocess.Popen([sys.executable, "-P", "-m", f"services.{name}"], cwd=CHECKOUT, env=dict(os.environ))
    try:
        until(name, lambda status: True)
        yield
    finally:
        child.terminate()
        child.wait()


def until(name: str, holds: Callable[[dict[str, object]], bool]) -> None:
    """Wait until the actor's status is such."""
    end = time.monotonic() + WITHIN_S
    while True:
        try:
            status = ask(load().paths.run, name, "status")
            if holds(status):
                return
        except (NotRunning, NoAnswer):
            status = {}
        assert time.monotonic() < end, status
        time.sleep(0.02)


def test_a_record_is_skipped_only_once_a_reader_has_left_it_out(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with actor("risk"):
        until("risk", lambda status: status["left_out_lsns"] == [POISON_LSN])
        assert run(["journal", "skip", "2", "--yes"]) == ExitStatus.REFUSED
        assert "no running reader has left out record 2" in capsys.readouterr().err
        assert run(["journal", "skip", str(POISON_LSN), "--yes"]) == ExitStatus.OK
        assert f"record {POISON_LSN} is left out by every reader" in capsys.readouterr().out
        until("risk", lambda status: status["left_out_lsns"] == [] and not status["left_out"])
    assert [path.name for path in (load().journal_folder / "skipped").iterdir()] == [f"{POISON_LSN:020d}.skipped"]
    with actor("risk"):
        until("risk", lambda status: status["lsn"] != 0 and status["state"] != "restarting")
        until("risk", lambda status: not status["left_out"])
    assert run(["journal", "verify"]) == ExitStatus.OK


def test_a_record_that_no_running_reader_has_met_needs_the_word_for_it(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["journal", "skip", str(POISON_LSN), "--yes"]) == ExitStatus.REFUSED
    assert run(["journal", "skip", "99999", "--yes", "--unmet"]) == ExitStatus.REFUSED
    assert "there is no record 99999" in capsys.readouterr().err
    assert run(["journal", "skip", str(POISON_LSN), "--yes", "--unmet"]) == ExitStatus.OK
