"""The real processes of two hosts and a real NATS server: one goes on where the other was, which is fenced."""

import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from common.config import CHECKOUT
from common.exit_status import ExitStatus
from common.journal import OsFiles, Reader, iterate
from common.journal.claims import FENCED, claim_text
from common.orders.index_file import IndexFile, index_path
from scripts.bench.long_journal import write_long_journal
from scripts.cli import takeover as commands
from scripts.cli.main import run
from scripts.journal.kept import host_of
from scripts.nats import NatsServers
from services.orders.make_snapshot import starting_books
from services.risk.make_snapshot import starting_state
from services.session.emergency import SUFFIX as EMERGENCY
from services.session.make_snapshot import newest_folded
from tests.scripts.cli.test_replication import LONGEST_S, Host, Writer


@pytest.fixture
def servers(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NatsServers]:
    monkeypatch.setattr(commands, "QUIET_S", 0.0)
    with NatsServers(short_folder / "nats") as servers:
        yield servers


def test_a_second_host_goes_on_with_all_of_the_copy_and_the_first_is_fenced(
    servers: NatsServers, short_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = Host(short_folder / "a", servers, monkeypatch)
    first.spawn("journal")
    first.spawn("replicator")
    first.until(lambda: first.status("journal"))
    assert run(["replication", "init"]) == ExitStatus.OK
    first.until(first.is_copied)
    assert run(["takeover", "--yes"]) == ExitStatus.REFUSED, "not beside the stack that writes"
    journal_id = first.status("journal")["journal_id"]
    writer = Writer(first)
    assert all(writer.append() for _ in range(20))
    # The replicator may not have heard of the last of them: how far it is behind is by what it knows.
    written_lsn = int(str(first.status("journal")["lsn"]))
    first.until(lambda: int(str(first.status("replicator")["lsn"])) >= written_lsn)
    for process in first.processes.values():
        process.send_signal(signal.SIGSTOP)
    second = Host(short_folder / "b", servers, monkeypatch)
    follow = [sys.executable, "-P", "-m", "scripts.cli.main", "standby"]
    standby = subprocess.Popen(follow, cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    second.until(lambda: len(list(second.config.journal_folder.glob("*.segment"))) > 0)
    capfd.readouterr()
    assert run(["takeover", "--yes", "--json"]) == ExitStatus.OK
    told = json.loads(capfd.readouterr().out)
    assert standby.wait(LONGEST_S) == 0
    assert told["term"] == 2 and told["after_lsn"] > 20
    second.spawn("journal")
    second.spawn("replicator")
    second.until(second.is_copied)
    there = [record for record in iterate(second.config.journal_folder, OsFiles()) if record.writer == "orders"]
    assert max(record.append_number for record in there) >= writer.acknowledged
    status = second.status("journal")
    assert status["term"] == 2 and status["journal_id"] == journal_id
    writer.close()
    for process in first.processes.values():
        process.send_signal(signal.SIGCONT)
    assert first.processes.pop("replicator").wait(LONGEST_S) == ExitStatus.FENCED
    assert first.processes.pop("journal").wait(LONGEST_S) == ExitStatus.FENCED
    fenced = claim_text(str(first.config.journal_folder), OsFiles(), FENCED)
    assert fenced is not None and "took it over" in fenced and "term 2" in fenced
    assert run(["replication", "verify"]) == ExitStatus.OK
    monkeypatch.setenv("FIXRING_VAR", str(short_folder / "a/var"))
    first.spawn("journal")
    assert first.processes.pop("journal").wait(LONGEST_S) == ExitStatus.FENCED, "nor does it begin again"
    for name in list(second.processes):
        second.end(name)


def test_what_this_host_wrote_itself_is_kept_and_it_comes_back_by_following(
    servers: NatsServers, short_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    host = Host(short_folder / "a", servers, monkeypatch)
    assert run(["takeover", "--yes"]) == ExitStatus.USAGE and "0 journals" in capfd.readouterr().err
    host.spawn("journal")
    host.spawn("replicator")
    host.until(lambda: host.status("journal"))
    assert run(["replication", "init"]) == ExitStatus.OK
    host.until(host.is_copied)
    host.end("replicator")
    host.end("journal")
    folder = host.config.journal_folder
    own = list(iterate(folder, OsFiles()))
    host.config.emergency_folder.mkdir(parents=True, exist_ok=True)
    evidence = host.config.emergency_folder / f"generic-7{EMERGENCY}"
    evidence.write_bytes(b"what a session wrote")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["takeover"]) == ExitStatus.FAILURE
    assert list(iterate(folder, OsFiles())) == own, "who is asked and says no has changed nothing"
    assert run(["takeover", "--yes"]) == ExitStatus.OK
    (kept,) = folder.parent.glob("*.kept-*")
    assert list(iterate(kept, OsFiles())) == own and not evidence.exists()
    assert (kept / "emergency" / evidence.name).read_bytes() == b"what a session wrote"
    assert host_of(kept)
    servers.send(0, signal.SIGKILL)
    before = list(iterate(folder, OsFiles()))
    assert run(["takeover", "--yes"]) == ExitStatus.NOT_ANSWERED
    assert list(iterate(folder, OsFiles())) == before


def _is_there(folder: Path, pattern: str) -> bool:
    return any(folder.glob(pattern))


@pytest.mark.torture
def test_a_standby_is_warm_however_it_ended_and_a_start_behind_the_takeover_begins_there(
    servers: NatsServers, short_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = Host(short_folder / "a", servers, monkeypatch)
    write_long_journal(first.config.journal_folder, 5000, 1_790_000_000_000_000_000)
    first.spawn("journal")
    first.spawn("replicator")
    first.until(lambda: first.status("journal"))
    assert run(["replication", "init"]) == ExitStatus.OK
    first.until(lambda: first.status("replicator").get("lag_records") == 0)
    second = Host(short_folder / "b", servers, monkeypatch)
    monkeypatch.setenv("FIXRING__JOURNAL__SNAPSHOT_RECORDS", "1000")
    folder, said = second.config.journal_folder, short_folder / "said"

    command = [sys.executable, "-P", "-m", "scripts.cli.main", "standby"]

    def follow_until(is_far: Callable[[], object]) -> "subprocess.Popen[bytes]":
        """At the least priority each program takes its time beside other work on the machine."""
        with said.open("ab") as out:
            standby = subprocess.Popen(command, cwd=CHECKOUT, stdout=out)
        second.until(is_far, 4 * LONGEST_S)
        return standby

    for left in ("index/orders.sqlite", "snapshots/orders*"):
        killed = follow_until(partial(_is_there, folder, left))
        killed.kill()
        killed.wait()
    standby = follow_until(lambda: re.search(rb"; warm up to record [5-9]\d{3} ", said.read_bytes()))
    for name in list(first.processes):
        first.end(name, signal.SIGKILL)
    assert run(["takeover", "--yes"]) == ExitStatus.OK
    assert standby.wait(LONGEST_S) == 0
    reader, end = Reader(folder, OsFiles()), Reader(folder, OsFiles()).durable_lsn()
    with closing(IndexFile(index_path(folder))) as index:
        assert 5000 <= starting_books(second.config, index, reader).lsn < end and not index.made_anew
    with closing(IndexFile(index_path(folder, "risk"))) as index:
        assert 5000 <= starting_state(second.config, index, reader).lsn < end and not index.made_anew
    assert 5000 <= newest_folded("generic", second.config).lsn < end


def test_the_commands_say_where_they_have_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path))
    for command in (["takeover", "--yes"], ["standby"]):
        assert run(command) == ExitStatus.REFUSED and 'mode = "local"' in capfd.readouterr().err
