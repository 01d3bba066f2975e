"""A host comes back: what it had beyond the copy is found, held against the books, and brought in once."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import msgspec
import pytest

from common.actor.control import NoAnswer, NotRunning, ask
from common.config import CHECKOUT, Config, load
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.journal import Entry, Log, OsFiles, Reader, iterate
from common.journal.emergency import EmergencyFile
from common.journal.released import write_released
from common.latch import Latch
from common.messages import (
    AmendOrder,
    Attempt,
    CancelOrder,
    Discrepancy,
    ExecutionReport,
    Inbound,
    Kind,
    NewOrder,
    OperatorAct,
    Outbound,
    Payload,
    Reason,
    SessionChanged,
    SessionState,
    Terms,
    Withdrawn,
    encode,
)
from common.reconcile.journal_books import JournalBooks
from scripts.cli.main import run
from scripts.journal.kept import HOST_FILE, Judge, Kept, NotComparable
from services.orders.evidence import frame_of

STAMP_NS = 1_790_000_000_000_000_000
SESSION = "session@generic"
LONGEST_S = 60.0


class Branch:
    """A journal that somebody writes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *words: tuple[Kind, Payload], writer: str = SESSION, first: int) -> None:
        log = Log.open(self.folder, OsFiles(), wall_ns=STAMP_NS, durability="process")
        entries = [Entry(int(kind), writer, 1, at, encode(payload)) for at, (kind, payload) in enumerate(words, first)]
        log.append(entries, STAMP_NS)
        log.close()

    def split(self, to: Path) -> "Branch":
        shutil.copytree(self.folder, to)
        return Branch(to)


def new(number: int, deadline_ns: int = STAMP_NS + NS_PER_S) -> tuple[Kind, Payload]:
    command = NewOrder(
        Attempt(5, number), "s", number, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100)), f"c{number}", deadline_ns
    )
    return Kind.OUTBOUND, Outbound("generic", 1, 1, number, "D", b"raw", command)


def cancel(number: int, of: int) -> tuple[Kind, Payload]:
    command = CancelOrder(
        Attempt(5, number), "s", number, "generic", "BTCUSDT", "1", f"c{number}", f"c{of}", "", "s", of, D(1)
    )
    return Kind.OUTBOUND, Outbound("generic", 1, 1, number, "F", b"raw", command)


def amend(number: int, of: int) -> tuple[Kind, Payload]:
    command = AmendOrder(
        Attempt(5, number), "s", number, "generic", "BTCUSDT", Terms("1", "2", D(2), D(100)), f"c{number}", f"c{of}",
        "", "s", of, D(1), D(100), D(0), STAMP_NS + NS_PER_S,
    )  # fmt: skip
    return Kind.OUTBOUND, Outbound("generic", 1, 1, number, "G", b"raw", command)


def told(number: int, exec_type: str, ord_status: str, key: str = "") -> tuple[Kind, Payload]:
    report = ExecutionReport(
        f"c{number}", "", f"V{number}", "", exec_type, ord_status, "BTCUSDT", "1", D(1), D(100),
        D("0.5") if key else D(0), D(100) if key else D(0), None, None, key,
    )  # fmt: skip
    return Kind.INBOUND, Inbound("generic", 1, 1, 50 + number, "8", b"raw", report)


@pytest.fixture
def config(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder / "var"))
    return load()


@pytest.fixture
def parted(config: Config, short_folder: Path) -> Path:
    """The log of the host that goes on, and beside it the folder of the one that was left, whose ends differ."""
    log = Branch(config.journal_folder)
    log.write(new(1), told(1, "0", "0"), new(2), told(2, "0", "0"), new(3), told(3, "0", "0"), first=1)
    kept = log.split(short_folder / "kept")
    log.write(told(2, "F", "1", "k2"), told(3, "0", "0"), first=7)
    kept.write(
        told(2, "F", "1", "k2"), told(2, "F", "1", "k9"), told(3, "4", "4"), told(3, "4", "4"), new(4),
        told(4, "F", "1", "k4"), cancel(5, of=1), new(6, deadline_ns=STAMP_NS - 1), new(7),
        (Kind.WITHDRAWN, Withdrawn("generic", 1, 1, 7, Attempt(5, 7), Reason.LATE)),
        (Kind.OPERATOR, OperatorAct("risk", "halt", "ann", "a bad day")), first=7,
    )  # fmt: skip
    (kept.folder / HOST_FILE).write_text("host-a\n")
    beside = kept.folder / "emergency"
    beside.mkdir()
    file = EmergencyFile.create(beside / "generic-9.emergency", OsFiles(), epoch=9, size_bytes=1 << 16)
    last = [cancel(5, of=1), cancel(8, of=2)]
    file.append([Entry(int(kind), SESSION, 9, at, encode(its)) for at, (kind, its) in enumerate(last, 1)], STAMP_NS)
    file.close()
    for name, pulled in (("session@generic.latch", True), ("account@generic.latch", False)):
        latch = Latch(str(beside), name, OsFiles())
        latch.load()
        if pulled:
            latch.latch()
    return kept.folder


def judged(config: Config, folder: Path) -> list[tuple[str, str, str]]:
    books = JournalBooks(config)
    books.read_on()
    kept = Kept(folder, Reader(config.journal_folder, OsFiles()), "host-a")
    return [(row.subject, row.ours, row.theirs) for row in Judge(books.books).judge(kept)]


def test_what_the_books_do_not_bear_out_is_found_and_what_they_have_or_never_left_is_not(
    config: Config, parted: Path
) -> None:
    assert judged(config, parted) == [
        ("s/2", "not counted", "trade k9: 0.5 BTCUSDT at 100"),
        ("s/3", "NEW", "ended with OrdStatus(39)=4"),
        ("s/4", "no such order", "sent as ClOrdID(11) c4, MsgSeqNum(34)=4: buy 1 BTCUSDT at 100"),
        ("ClOrdID(11) c4", "not counted", "trade k4: 0.5 BTCUSDT at 100"),
        ("s/1", "no such request", "cancel sent as ClOrdID(11) c5, MsgSeqNum(34)=5"),
        ("risk", "nothing of it in the log", "halt by ann a bad day"),
        ("s/2", "no such request", "cancel sent as ClOrdID(11) c8, MsgSeqNum(34)=8"),
        ("session@generic", "nothing of it in the log", "latched by host-a"),
    ]


def test_an_order_that_the_log_never_had_comes_with_all_that_makes_it_one(config: Config, parted: Path) -> None:
    books = JournalBooks(config)
    books.read_on()
    rows = Judge(books.books).judge(Kept(parted, Reader(config.journal_folder, OsFiles()), "host-a"))
    ((name, its),) = [(row.subject, row.order) for row in rows if row.order is not None]
    assert name == "s/4" and its is not None and isinstance(its.sent.command, NewOrder)
    assert (its.sent.command.cl_ord_id, its.sent_ns, its.connection, its.amendments) == ("c4", STAMP_NS, 1, ())
    assert its.sent.raw == b"", "what left for the venue is nobody's business any more"


def step(connection: int, state: SessionState) -> tuple[Kind, Payload]:
    return Kind.SESSION, SessionChanged("generic", 1, connection, state, 1, 1)


def test_its_connection_is_the_last_that_both_logs_have_and_its_amendments_are_those_behind_it(
    config: Config, short_folder: Path
) -> None:
    log = Branch(config.journal_folder)
    log.write(step(4, SessionState.CONNECTING), new(1), first=1)
    kept = log.split(short_folder / "kept")
    log.write(told(1, "0", "0"), first=3)
    kept.write(step(5, SessionState.CONNECTING), new(2), amend(3, of=2), amend(4, of=3), amend(5, of=1), first=3)
    books = JournalBooks(config)
    books.read_on()
    rows = Judge(books.books).judge(Kept(kept.folder, Reader(config.journal_folder, OsFiles()), "a"))
    (its,) = [row.order for row in rows if row.order is not None]
    assert its.connection == 4
    assert [each.command.cl_ord_id for each in its.amendments if isinstance(each.command, AmendOrder)] == ["c3", "c4"]


def test_the_fork_is_the_last_record_that_both_have(config: Config, parted: Path, short_folder: Path) -> None:
    log = Reader(config.journal_folder, OsFiles())
    fork = Kept(parted, log, "a").fork_lsn
    assert log.link_at(fork) == Reader(parted, OsFiles()).link_at(fork)
    assert log.link_at(fork + 1) != Reader(parted, OsFiles()).link_at(fork + 1)
    same = Branch(config.journal_folder).split(short_folder / "same")
    assert not judged(config, same.folder)
    other = Branch(short_folder / "other")
    other.write(new(1), first=1)
    with pytest.raises(NotComparable, match="is of the journal"):
        Kept(other.folder, log, "a")


def test_records_that_waited_for_the_copy_had_no_effect_and_are_no_evidence(config: Config, parted: Path) -> None:
    log = Reader(config.journal_folder, OsFiles())
    write_released(str(parted), OsFiles(), Kept(parted, log, "a").fork_lsn)
    assert [subject for subject, _, _ in judged(config, parted)] == ["s/1", "s/2", "session@generic"]


@pytest.fixture
def stack(config: Config, parted: Path) -> Iterator[Config]:
    processes = [
        subprocess.Popen([sys.executable, "-P", "-m", f"services.{name}"], cwd=CHECKOUT)
        for name in ("journal", "orders")
    ]
    until_s = time.monotonic() + LONGEST_S
    while _state(config) != "live":
        assert time.monotonic() < until_s
        time.sleep(0.05)
    yield config
    for process in processes:
        process.kill()
        process.wait()


def _state(config: Config) -> object:
    try:
        return ask(config.reach, "orders", "status")["state"]
    except (NotRunning, NoAnswer):
        return ""


def _frames(config: Config) -> list[str]:
    found = iterate(config.journal_folder, OsFiles())
    return [frame for record in found if (frame := frame_of(record))]


def test_the_command_brings_it_into_the_journal_once(
    stack: Config, parted: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["replication", "evidence", str(parted), "--look", "--json"]) == ExitStatus.OK
    shown = json.loads(capfd.readouterr().out)
    assert len(shown["new"]) == 8 and not _frames(stack), "who looks writes nothing"
    assert run(["replication", "evidence", str(parted), "--json"]) == ExitStatus.OK
    done = json.loads(capfd.readouterr().out)
    assert done == shown
    assert sorted(_frames(stack)) == sorted(row["frame"] for row in done["new"])
    assert run(["orders", "unknown", "--json"]) == ExitStatus.OK
    (lost,) = json.loads(capfd.readouterr().out)["orders"]
    assert lost["order"].startswith("s/9000") and lost["status"] == "UNKNOWN", "it is asked about"
    assert run(["replication", "evidence", str(parted)]) == ExitStatus.OK
    assert "0 differences brought in, 8 were in before" in capfd.readouterr().out
    assert len(_frames(stack)) == 8
    records = [record for record in iterate(stack.journal_folder, OsFiles()) if frame_of(record)]
    first = msgspec.msgpack.decode(records[0].payload, type=Discrepancy)
    assert (first.account, first.subject, first.ours) == ("generic", "s/2", "not counted")


def test_the_command_says_what_it_lacks(config: Config, parted: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["replication", "evidence", str(parted)]) == ExitStatus.NOT_RUNNING
    (parted / HOST_FILE).unlink()
    assert run(["replication", "evidence", str(parted)]) == ExitStatus.USAGE
    assert "--host" in capfd.readouterr().err
