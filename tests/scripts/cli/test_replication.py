"""The real journal and replicator with a real NATS server: the copy is whole, and what fails has its exit status."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import CHECKOUT, load
from common.exit_status import ExitStatus
from common.journal import OsFiles, iterate
from common.messages import Append, Appended, EpochGranted, EpochRequest, JournalAnswer, OperatorAct, encode
from scripts.cli.main import run
from scripts.nats import NatsServers

LONGEST_S = 60.0


class Host:
    """A journal and its replicator, whose commands run in this process."""

    def __init__(
        self, folder: Path, servers: NatsServers, monkeypatch: pytest.MonkeyPatch, mode: str = "async"
    ) -> None:
        self.servers = servers
        for name in [name for name in os.environ if name.startswith("FIXRING")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("FIXRING_VAR", str(folder / "var"))
        monkeypatch.setenv("FIXRING__REPLICATION__MODE", mode)
        monkeypatch.setenv("FIXRING__REPLICATION__SERVERS", json.dumps(servers.urls))
        monkeypatch.setenv("FIXRING__REPLICATION__MONITORS", json.dumps(servers.monitors))
        monkeypatch.setenv("FIXRING__REPLICATION__REPLICAS", str(len(servers.urls)))
        self.config = load()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def spawn(self, name: str) -> None:
        self.processes[name] = subprocess.Popen([sys.executable, "-P", "-m", f"services.{name}"], cwd=CHECKOUT)

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        self.processes[name].send_signal(number)
        return self.processes.pop(name).wait(10)

    def status(self, name: str) -> dict[str, object]:
        try:
            return ask(self.config.paths.run, name, "status", timeout_s=1)
        except (NotRunning, NoAnswer, Refused):
            return {}

    def until(self, holds: Callable[[], object], seconds: float = LONGEST_S) -> None:
        until_s = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until_s, (self.status("journal"), self.status("replicator"))
            time.sleep(0.02)

    def is_copied(self) -> bool:
        copy = self.status("journal").get("copy")
        return isinstance(copy, dict) and not copy["behind"] and self.status("replicator").get("state") == "live"


@pytest.fixture
def host(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with NatsServers(short_folder / "nats") as servers:
        host = Host(short_folder, servers, monkeypatch)
        host.spawn("journal")
        host.spawn("replicator")
        host.until(lambda: host.status("journal") and host.status("replicator"))
        yield host
        for name in list(host.processes):
            host.end(name)


def test_the_commands_of_the_page_from_none_to_a_whole_copy(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host.until(lambda: host.status("replicator").get("failing"))
    assert run(["replication", "status"]) == ExitStatus.RESTRICTED
    assert "fixring replication init" in capfd.readouterr().err
    assert run(["replication", "verify"]) == ExitStatus.NOT_ANSWERED
    assert run(["replication", "init"]) == ExitStatus.OK and "made, on 1 server" in capfd.readouterr().out
    host.until(host.is_copied)
    assert run(["replication", "init"]) == ExitStatus.OK and "it is there" in capfd.readouterr().out
    assert run(["replication", "status"]) == ExitStatus.OK
    assert "mode async, live" in capfd.readouterr().out
    assert run(["replication", "verify", "--json"]) == ExitStatus.OK
    told = json.loads(capfd.readouterr().out)
    assert told["messages"] > 0 and told["last_lsn"] > 0 and told["term"] == 1


def test_servers_that_go_and_come_and_a_replicator_that_is_killed_cost_nothing_but_time(host: Host) -> None:
    assert run(["replication", "init"]) == ExitStatus.OK
    host.until(host.is_copied)
    host.servers.send(0, signal.SIGKILL)
    host.until(lambda: not host.is_copied())
    host.end("replicator", signal.SIGKILL)
    host.spawn("replicator")
    host.end("journal", signal.SIGKILL)
    host.spawn("journal")
    host.servers.start(0)
    host.until(host.is_copied)
    assert run(["replication", "verify"]) == ExitStatus.OK


def test_a_stream_that_another_one_writes_ends_the_replicator_as_fenced(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    import nats

    assert run(["replication", "init"]) == ExitStatus.OK
    host.until(host.is_copied)
    host.end("replicator")
    last = int(str(host.status("journal")["durable_lsn"]))

    async def write() -> None:
        client = await nats.connect(host.servers.urls[0])
        headers = {"Fixring-Term": "2", "Fixring-First-Lsn": str(last), "Fixring-Last-Lsn": str(last)}
        name = str(host.status("journal")["journal_id"])
        await client.jetstream().publish(f"fixring.journal.{name}", b"another host's", headers=headers)
        await client.close()

    asyncio.run(write())
    host.spawn("replicator")
    assert host.processes.pop("replicator").wait(LONGEST_S) == ExitStatus.FENCED
    assert "term 2" in capfd.readouterr().err
    assert run(["replication", "verify"]) == ExitStatus.INTEGRITY


def test_without_a_copy_the_commands_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path))
    assert run(["replication", "status"]) == ExitStatus.OK and "No copy is made" in capfd.readouterr().out
    assert run(["replication", "init"]) == run(["replication", "verify"]) == ExitStatus.REFUSED
    capfd.readouterr()
    assert run(["replication", "faults", "--only", "flood"]) == ExitStatus.USAGE
    assert "kill, stop, cut, disk" in capfd.readouterr().err


def test_with_the_journal_s_disk_gone_the_stream_brings_it_back_latched(
    host: Host, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["replication", "init"]) == ExitStatus.OK
    host.until(host.is_copied)
    journal_id = str(host.status("journal")["journal_id"])
    assert run(["journal", "restore", "--stream", journal_id]) == ExitStatus.REFUSED
    host.end("journal")
    host.until(lambda: host.status("replicator")["state"] == "live")
    host.end("replicator")
    capfd.readouterr()
    assert run(["replication", "verify", "--json"]) == ExitStatus.OK
    last_lsn = json.loads(capfd.readouterr().out)["last_lsn"]
    kept = [record for record in iterate(host.config.journal_folder, OsFiles()) if record.lsn <= last_lsn]
    shutil.rmtree(host.config.journal_folder)
    assert run(["replication", "list", "--json"]) == ExitStatus.OK
    assert [row["journal_id"] for row in json.loads(capfd.readouterr().out)] == [journal_id]
    assert run(["journal", "restore", "--stream", "0" * 32]) == ExitStatus.NOT_ANSWERED
    assert run(["journal", "restore", "--stream", "mine"]) == ExitStatus.USAGE
    assert run(["journal", "restore"]) == run(["journal", "restore", "x", "--stream", "y"]) == ExitStatus.USAGE
    assert not list(host.config.emergency_folder.glob("*.latch"))
    assert run(["journal", "restore", "--stream", journal_id]) == ExitStatus.OK
    assert "The kill switch is latched" in capfd.readouterr().out
    assert list(iterate(host.config.journal_folder, OsFiles())) == kept
    assert list(host.config.emergency_folder.glob("*.latch"))
    assert [path.name for path in host.config.journal_folder.parent.iterdir()] == [host.config.journal_folder.name]
    host.spawn("journal")
    host.until(lambda: host.status("journal"))
    assert host.status("journal")["journal_id"] != journal_id, "what goes on is a journal of its own"


class Writer:
    """A writer of the real journal, which sends again what is not acknowledged."""

    def __init__(self, host: Host) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.ROUTING_ID, b"orders")
        self._socket.connect(host.config.endpoint("journal"))
        self._decode = msgspec.msgpack.Decoder(JournalAnswer).decode
        self.acknowledged = 0
        self._epoch = 0
        until_s = time.monotonic() + 2 * LONGEST_S
        while not self._epoch:
            assert time.monotonic() < until_s
            self._socket.send(encode(EpochRequest("orders", 7)))
            self._hear(500)

    def _hear(self, wait_ms: int) -> None:
        while self._socket.poll(wait_ms):
            message = self._decode(self._socket.recv())
            if isinstance(message, EpochGranted):
                self._epoch = message.epoch
                return
            if isinstance(message, Appended):
                self.acknowledged = max(self.acknowledged, message.number)
                return

    def append(self, wait_s: float = LONGEST_S) -> bool:
        """The next record; whether it was acknowledged in time."""
        number, until_s = self.acknowledged + 1, time.monotonic() + wait_s
        entries = [(25, encode(OperatorAct("orders", "log_level", f"number {number}")))]
        while time.monotonic() < until_s and self.acknowledged < number:
            self._socket.send(encode(Append("orders", self._epoch, number, entries)))
            self._hear(300)
        return self.acknowledged >= number

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.mark.torture
def test_with_a_quorum_what_was_acknowledged_outlives_the_host_and_two_servers_down_stop_it(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NatsServers(short_folder / "nats", 3) as servers:
        host = Host(short_folder, servers, monkeypatch, "quorum")
        host.spawn("journal")
        host.spawn("replicator")
        host.until(lambda: host.status("journal"))
        host.until(lambda: run(["replication", "init"]) == ExitStatus.OK)
        writer = Writer(host)
        assert all(writer.append() for _ in range(50))
        servers.send(0, signal.SIGSTOP)
        assert all(writer.append() for _ in range(20)), "one of three costs nothing but a moment"
        servers.send(1, signal.SIGSTOP)
        assert not writer.append(6), "two of three down: nothing is acknowledged"
        assert host.status("journal")["waits_for_copy"]
        servers.send(0, signal.SIGCONT)
        servers.send(1, signal.SIGCONT)
        assert all(writer.append() for _ in range(20)), "it goes on by itself"
        journal_id, acknowledged = str(host.status("journal")["journal_id"]), writer.acknowledged
        for name in ("journal", "replicator"):
            host.end(name, signal.SIGKILL)
        writer.close()
        shutil.rmtree(host.config.journal_folder)
        assert run(["journal", "restore", "--stream", journal_id]) == ExitStatus.OK
        there = [record for record in iterate(host.config.journal_folder, OsFiles()) if record.writer == "orders"]
        assert max(record.append_number for record in there) >= acknowledged
