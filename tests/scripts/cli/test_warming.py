"""A round begins when the followed log has grown and takes each program once, one at a time; it says how warm it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from common.actor import snapshots
from common.actor.order_books import loader
from common.actor.programs import ProgramEnded, RunProgram
from common.actor.run_program import ProgramBeside
from common.actor.snapshots import Made
from common.config import load
from common.journal import OsFiles, Reader
from common.journal.followed import FollowedLog
from common.journal.frames import Record, parse
from common.journal.snapshots import Snapshot, snapshot_folder, write_snapshot
from common.journal.terms import TermBegan, term_block
from common.orders.index_file import index_path, sync_index
from common.replication.message import Batch, batch_of
from scripts.bench.long_journal import write_long_journal
from scripts.cli.takeover import Standby
from scripts.cli.warming import RETRY_S, Warming
from services.orders import make_snapshot as orders
from services.snapshots.core import Program, SnapshotsSettings
from tests.common.replication.fake import FakeLog

ORDERS, SESSION = RunProgram("orders.program"), RunProgram("session.program", ("--session", "a"))
SETTINGS = SnapshotsSettings((Program("orders", ORDERS), Program("session@a", SESSION)), 100, 0)


class Played:
    """A program that the test ends."""

    def __init__(self) -> None:
        self.result: ProgramEnded | None = None
        self.killed = ""

    def ended(self) -> ProgramEnded | None:
        return self.result

    def end(self, why: str) -> ProgramEnded:
        self.killed = why
        return ProgramEnded(False, why)


class Host:
    """Warming with programs that the test plays."""

    def __init__(self, **warm: int) -> None:
        self.ran: list[RunProgram] = []
        self.program = Played()
        self.warming = Warming(SETTINGS, {name.replace("_", "@"): lsn for name, lsn in warm.items()}, self._begin)
        self.now_s = 1000.0

    def _begin(self, program: RunProgram) -> Played:
        self.ran.append(program)
        self.program = Played()
        return self.program

    def look(self, followed_lsn: int) -> bool:
        self.now_s += 0.1
        return self.warming.look(followed_lsn, self.now_s)

    def made(self, lsn: int) -> None:
        self.program.result = ProgramEnded(True, msgspec.json.encode(Made(lsn, [lsn])).decode())

    def round(self, *lsns: int) -> None:
        """One in which each program makes a snapshot there."""
        for nth, lsn in enumerate(lsns, 1):
            self.made(lsn)
            assert self.look(lsn) == (nth == len(lsns))


def test_a_round_takes_each_program_once_when_the_log_has_grown() -> None:
    host = Host(orders=40, session_a=40)
    assert not host.look(139) and not host.ran
    assert not host.look(140) and host.ran == [ORDERS]
    assert not host.look(500) and host.ran == [ORDERS], "one at a time"
    host.round(150, 160)
    assert host.ran == [ORDERS, SESSION] and host.warming.warm == {"orders": 150, "session@a": 160}
    assert host.warming.lsn == 150
    assert not host.look(249) and len(host.ran) == 2
    assert not host.look(250) and host.ran[2:] == [ORDERS]
    host.made(250)
    assert host.look(250) and len(host.ran) == 3, "the session's is young enough"


def test_what_is_far_behind_goes_on_at_once() -> None:
    host = Host()
    host.look(1000)
    host.round(400, 1000)
    assert host.warming.lsn == 400
    host.look(1000)
    assert host.ran == [ORDERS, SESSION, ORDERS]


def test_one_that_fails_is_said_keeps_no_other_from_its_snapshot_and_is_tried_again_later() -> None:
    host = Host()
    host.look(100)
    host.program.result = ProgramEnded(False, "the state differs")
    assert not host.look(100)
    host.made(100)
    assert host.look(100)
    assert host.warming.lsn == 0 and host.warming.warm["session@a"] == 100
    assert "no snapshot of orders: the state differs" in host.warming.text
    assert not host.look(500) and len(host.ran) == 2
    host.now_s += RETRY_S
    host.look(500)
    host.round(500, 500)
    assert "no snapshot" not in host.warming.text and "warm up to record 500" in host.warming.text


def test_a_program_that_cannot_be_begun_is_a_failure_like_any(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()

    def refuse(_program: RunProgram) -> Played:
        raise OSError("no more processes")

    monkeypatch.setattr(host.warming, "_begin", refuse)
    for _ in range(10):
        host.look(100)
    assert "no snapshot of orders: no more processes" in host.warming.text
    monkeypatch.setattr(host.warming, "_begin", host._begin)
    host.look(100)
    assert not host.ran
    host.now_s += RETRY_S
    host.look(100)
    assert host.ran == [ORDERS]


def test_at_the_end_no_program_runs() -> None:
    host = Host()
    host.warming.end()
    host.look(100)
    host.warming.end()
    assert host.program.killed
    host.look(50)
    assert host.ran == [ORDERS]


def test_what_is_in_the_folder_already_counts_and_what_does_not_stand_in_its_log_does_not(tmp_path: Path) -> None:
    config, files = load(environ={"FIXRING_VAR": str(tmp_path)}), OsFiles()
    assert Warming.of_folder(config).lsn == 0
    write_long_journal(config.journal_folder, 500, 1_790_000_000_000_000_000)
    reader, folder = Reader(config.journal_folder, files), snapshot_folder(config.journal_folder)
    for name in ("orders", "risk", "session@generic", "session@binance"):
        write_snapshot(folder, files, Snapshot(name, reader.link_at(200), b"digest", b""))
        write_snapshot(folder, files, Snapshot(name, reader.link_at(300)._replace(crc=7), b"digest", b""))
    assert Warming.of_folder(config).lsn == 200


def test_a_program_beside_is_asked_whether_it_ended_without_being_waited_for() -> None:
    program = ProgramBeside(RunProgram("services.snapshots.survey", ("--help",)))
    assert program.ended() is None
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    ended = program.ended()
    assert ended is not None and ended.ok and ended.text.startswith("Usage")


def test_one_that_fails_tells_what_it_complained_of() -> None:
    program = ProgramBeside(RunProgram("services.snapshots.survey", ("--nonsense",)))
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    ended = program.ended()
    assert ended is not None and not ended.ok and "nonsense" in ended.text


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.actor.run_program.LONGEST_S", -1.0)
    program = ProgramBeside(RunProgram("services.snapshots.survey", ("--help",)))
    ended = program.ended(0.0)
    assert ended is not None and not ended.ok and "did not end within" in ended.text


# ---- beside a log that follows ----


class Enough(Exception):
    """The test has seen what it wanted."""


def batches(folder: Path) -> Iterator[Batch]:
    """The journal in the folder as it stands in a stream, in the first term."""
    reader, lsn = Reader(folder, OsFiles()), 1
    while block := reader.read_block(lsn, 1 << 60, 1 << 15):
        yield batch_of(1, block)
        lsn += len(parse(block))


def tail(stream: FakeLog) -> Record:
    return parse(stream.held[-1].block)[-1]


def test_what_a_fenced_host_wrote_late_is_in_no_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config, files = load(environ={"FIXRING_VAR": str(tmp_path)}), OsFiles()
    monkeypatch.setattr(snapshots, "load", lambda: config)
    monkeypatch.setattr("scripts.cli.takeover.MARK_S", 0.0)
    write_long_journal(tmp_path / "first", 2000, 1_790_000_000_000_000_000)
    stream, whole = FakeLog(), list(batches(tmp_path / "first"))
    stream.held, late = whole[:-2], whole[-2:]
    last = tail(stream)
    at = Reader(tmp_path / "first", files).link_at(last.lsn)
    began = TermBegan(2, "alice", "b", at.lsn, at.crc, 1 << 40, last.stamp_ns)
    stream.held += [batch_of(2, term_block(began, last.stamp_ns)), *late]

    class Folding(Played):
        """The real program, in this process; orders is enough."""

        def ended(self) -> ProgramEnded:
            path = index_path(config.journal_folder)
            done = snapshots.run_snapshot_program("orders", loader, orders.newest, lambda _: sync_index(path))
            return ProgramEnded(done == 0, capfd.readouterr().out)

    told: list[str] = []
    warming = Warming(SnapshotsSettings((Program("orders", ORDERS),), 1, 0), {}, lambda _program: Folding())

    def idle(_seconds: float) -> None:
        if warming.lsn == last.lsn + 2:
            raise Enough

    monkeypatch.setattr("scripts.cli.takeover.time.sleep", idle)
    monkeypatch.setattr("scripts.cli.takeover.click.echo", told.append)
    log = FollowedLog.begin(config.journal_folder, files, bytes(16))
    with pytest.raises(Enough):
        Standby(stream, log, warming).run()
    log.close()
    assert orders.newest(config).lsn == last.lsn + 2
    end = last.lsn + 2
    assert told[-1].endswith(f"record {end}, term 2; warm up to record {end} (orders {end}).")
