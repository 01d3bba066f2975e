"""The stream in a table: every record once, whenever whoever fills it is killed; and only one stream in one table."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from common.config import CHECKOUT
from common.exit_status import ExitStatus
from common.journal import OsFiles, iterate
from common.past.words import kind_name
from scripts.cli.main import run
from scripts.nats import NatsServers
from tests.scripts.cli.test_replication import LONGEST_S, Host, Writer


@pytest.fixture
def host(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with NatsServers(short_folder / "nats") as servers:
        host = Host(short_folder, servers, monkeypatch)
        host.spawn("journal")
        host.spawn("replicator")
        host.until(lambda: host.status("journal"))
        assert run(["replication", "init"]) == ExitStatus.OK
        yield host
        for name in list(host.processes):
            host.end(name)


def rows_of(file: Path) -> list[tuple[int, str, str, int]]:
    with duckdb.connect(str(file), read_only=True) as db:
        return db.execute("SELECT lsn, kind, writer, append_number FROM records ORDER BY lsn").fetchall()


def is_begun(file: Path) -> bool:
    """Whether somebody has written to the file: its log grows with each transaction."""
    return any(path.exists() and path.stat().st_size > 20_000 for path in (file, Path(f"{file}.wal")))


def test_a_table_has_every_record_once_though_who_fills_it_is_killed_again_and_again(
    host: Host, short_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, rng, writer = short_folder / "log.duckdb", random.Random(1), Writer(host)
    command = [sys.executable, "-P", "-m", "scripts.cli.main", "replication", "table", str(file), "--follow"]
    for _ in range(4):
        assert all(writer.append() for _ in range(30))
        filling = subprocess.Popen(command, cwd=CHECKOUT)
        host.until(lambda: is_begun(file))
        until_s = time.monotonic() + rng.uniform(0.0, 0.3)
        while time.monotonic() < until_s:
            assert writer.append()
        filling.send_signal(signal.SIGKILL)
        filling.wait(LONGEST_S)
    host.until(lambda: host.status("replicator").get("lag_records") == 0)
    writer.close()
    assert run(["replication", "table", str(file)]) == ExitStatus.OK
    assert "records up to" in capfd.readouterr().out
    rows = rows_of(file)
    assert [lsn for lsn, *_ in rows] == list(range(1, len(rows) + 1))
    there = list(iterate(host.config.journal_folder, OsFiles(), upto_lsn=len(rows)))
    assert rows == [(each.lsn, kind_name(each.kind), each.writer, each.append_number) for each in there]
    written = [number for _, _, name, number in rows if name == "orders" and number]
    assert max(written) == writer.acknowledged
    with duckdb.connect(str(file), read_only=True) as db:
        asked = "SELECT payload->>'by' FROM records WHERE kind = 'OPERATOR' AND append_number = 7"
        assert db.execute(asked).fetchall() == [("number 7",)]


def test_a_table_is_one_stream_s_and_a_copy_there_must_be(
    host: Host, short_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = short_folder / "log.duckdb"
    host.until(host.is_copied)
    assert run(["replication", "table", str(file)]) == ExitStatus.OK
    with duckdb.connect(str(file)) as db:
        db.execute("UPDATE place SET stream = 'fixring-another'")
    capfd.readouterr()
    assert run(["replication", "table", str(file)]) == ExitStatus.FAILURE
    assert "name another file" in capfd.readouterr().err
    host.servers.send(0, signal.SIGKILL)
    assert run(["replication", "table", str(short_folder / "other.duckdb")]) == ExitStatus.NOT_ANSWERED
    monkeypatch.setenv("FIXRING__REPLICATION__MODE", "local")
    assert run(["replication", "table", str(file)]) == ExitStatus.REFUSED
