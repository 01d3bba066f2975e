"""The real process beside a real journal: a round of snapshots, old segments gone, and an end that leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.actor.programs import RunProgram
from common.actor.run_program import run_program
from common.config import CHECKOUT, Config, load
from common.journal import Entry, Log, OsFiles, Reader
from common.messages import HASH_EVERY, Kind, OperatorAct, StateHash, encode
from common.orders.index_file import COVER_RECORDS, IndexFile, index_path
from scripts.bench.long_journal import write_long_journal
from services.risk.state import FOLD_VERSION

SEGMENT_BYTES = 1 << 18
WALL_NS = 1_790_000_000_000_000_000
FILES = OsFiles()


class Stack:
    """Processes of one configuration in a folder of their own."""

    def __init__(self, folder: Path, records: int) -> None:
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FIXRING")},
            "FIXRING_VAR": str(folder),
            "FIXRING__JOURNAL__SEGMENT_BYTES": str(SEGMENT_BYTES),
            "FIXRING__JOURNAL__RETENTION_BYTES": str(2 * SEGMENT_BYTES),
            "FIXRING__JOURNAL__SNAPSHOT_RECORDS": "5",
        }
        self.config: Config = load(environ=self.environ)
        self.last_lsn = write_long_journal(self.config.journal_folder, records, WALL_NS, SEGMENT_BYTES)

    def spawn(self, module: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-P", "-m", module], cwd=CHECKOUT, env=self.environ)

    def grow(self, records: int) -> None:
        """More of the log, while nobody serves it."""
        log = Log.open(self.config.journal_folder, FILES, wall_ns=WALL_NS, segment_bytes=SEGMENT_BYTES)
        payload = encode(OperatorAct("orders", "log_level", "test"))
        entries = [Entry(Kind.OPERATOR, "test", 1, number, payload) for number in range(1, records + 1)]
        log.append(entries, log.last_stamp_ns)
        log.close()
        self.last_lsn = log.last_lsn

    def status(self, actor: str) -> dict[str, object]:
        try:
            return ask(self.config.paths.run, actor, "status", timeout_s=1)
        except (NotRunning, NoAnswer, Refused):
            return {}


@pytest.fixture
def stack(short_folder: Path) -> Stack:
    return Stack(short_folder, 3000)


@contextmanager
def started(stack: Stack) -> Iterator["dict[str, subprocess.Popen[bytes]]"]:
    with ExitStack() as ends:
        processes = {}
        for name in ("journal", "orders", "risk", "snapshots"):
            processes[name] = stack.spawn(f"services.{name}")
            ends.callback(processes[name].wait, 10)
            ends.callback(processes[name].terminate)
        yield processes


@pytest.fixture
def running(stack: Stack) -> Iterator["dict[str, subprocess.Popen[bytes]]"]:
    with started(stack) as processes:
        yield processes


def until(holds: Callable[[], object], seconds: float = 180) -> None:
    """Snapshots are made at the lowest priority: beside other work on the machine they take their time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def newest(stack: Stack) -> dict[str, int]:
    return stack.status("snapshots").get("newest", {})  # type: ignore[return-value]


def test_snapshots_are_made_and_old_segments_dropped(stack: Stack) -> None:
    # A segment goes once each actor has two later ones: the second is of what the log has more by then.
    with started(stack):
        until(lambda: newest(stack) and all(newest(stack).values()))
    stack.grow(2 * COVER_RECORDS)
    with started(stack) as running:
        until(lambda: stack.status("snapshots").get("dropped_segments"))
        assert set(newest(stack)) == {"orders", "risk", "session@generic", "session@binance"}
        # Orders' goes as far as its index is written down.
        assert int(str(stack.status("snapshots")["lsn"])) > stack.last_lsn - COVER_RECORDS
        assert Reader(stack.config.journal_folder, FILES).first_lsn() > 1
        running["snapshots"].send_signal(signal.SIGTERM)
        assert running["snapshots"].wait(5) == 0


def test_a_killed_process_takes_its_program_with_it(
    stack: Stack, running: "dict[str, subprocess.Popen[bytes]]"
) -> None:
    tasks = Path(f"/proc/{running['snapshots'].pid}/task")
    found: list[int] = []

    def programs() -> list[int]:
        with suppress(FileNotFoundError):
            found[:] = [int(child) for each in tasks.iterdir() for child in (each / "children").read_text().split()]
        return found

    until(programs)
    running["snapshots"].kill()
    until(lambda: not any(Path(f"/proc/{child}/cmdline").exists() and _alive(child) for child in found))
    assert stack.status("journal")["state"] == "live"


def _alive(process: int) -> bool:
    return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()


def run(stack: Stack, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments],
        cwd=CHECKOUT, env=stack.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_program_that_comes_to_another_state_writes_nothing(short_folder: Path) -> None:
    stack = Stack(short_folder, HASH_EVERY + 100)
    log = Log.open(stack.config.journal_folder, FILES, wall_ns=1, segment_bytes=SEGMENT_BYTES)
    wrong = encode(StateHash("risk", HASH_EVERY, b"otherwise", FOLD_VERSION))
    appended = log.append([Entry(int(Kind.STATE_HASH), "risk", 1, 1, wrong)], log.last_stamp_ns)
    log.close()
    index = IndexFile(index_path(stack.config.journal_folder, "risk"))
    index.begin_fold(FOLD_VERSION)
    index.write(appended.last_lsn)
    index.close()
    done = run(stack, "services.risk.make_snapshot")
    assert done.returncode == 1 and f"folded to LSN {HASH_EVERY}" in done.stderr
    assert not (stack.config.journal_folder / "snapshots").exists()
    assert run(stack, "services.orders.make_snapshot").returncode == 0


def test_what_a_program_says_comes_back() -> None:
    assert run_program(RunProgram("services.snapshots.survey", ("--help",))).text.startswith("Usage")
    failed = run_program(RunProgram("services.snapshots.survey", ("--nonsense",)))
    assert not failed.ok and "nonsense" in failed.text
