"""How long a takeover takes behind a long journal: from the command on a warm standby to the venue's yes to Logon(A).

The pair is a real one: the whole stacks of two hosts, a simulated venue on a third, and a NATS server. The journal is
generated before the first host starts; the second one follows until it is warm; then every process of the first is
killed at once, and what a person types is typed at once.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from common.config import CHECKOUT
from common.exit_status import ExitStatus
from common.journal import OsFiles, Reader
from common.journal.errors import NotThere
from scripts.bench.long_journal import write_long_journal
from scripts.hosts import HostStack
from scripts.stack import StackFailed
from scripts.torture.takeover_hosts import VENUE, Scene, processes_of, status_of

LONGEST_S: Final = 3600.0
"""Until the first host is up, or the standby is warm: at the least priority beside a busy machine that takes long."""

POLL_S: Final = 0.05
LOGGED_ON: Final = ("logged_on", "reconciling", "ready")
_WARM: Final = re.compile(r"warm up to record (\d+)")


class TakeoverFigures(NamedTuple):
    """Seconds, and where things stood in a journal of `records` records.

    From the standby's begin on: `copied_s` until it held the whole journal, `warm_s` until it was warm. At the end of
    the first host it was warm up to record `warm_lsn`, and the journal ended `unfolded` records later. From the command
    on: `takeover_s` until it had ended, `logon_s` until the venue had accepted Logon(A), `ready_s` until all was ready.
    """

    records: int
    journal_bytes: int
    copied_s: float
    warm_s: float
    warm_lsn: int
    unfolded: int
    takeover_s: float
    logon_s: float
    ready_s: float


def measure_takeover(records: int) -> TakeoverFigures:
    """Generate the journal, have the second host follow it, kill the first, and go on. Raises StackFailed."""
    with tempfile.TemporaryDirectory(prefix="fxr") as name:
        scene = Scene(Path(name), "async", ready_s=LONGEST_S)
        first, second = scene.first, scene.second
        whole = write_long_journal(first.config.journal_folder, records, time.time_ns(), venues=(VENUE,))
        size = sum(path.stat().st_size for path in first.config.journal_folder.glob("*.segment"))
        with scene, _standby(second) as said:
            began_s = time.monotonic()
            _until(lambda: _last_lsn(second) >= whole, f"{second.config.journal_folder} follows")
            copied_s = time.monotonic() - began_s
            young = whole - second.config.stack.journal.snapshot_records
            _until(lambda: _warm_lsn(said) > young, f"it is warm; see {said}")
            warm_s = time.monotonic() - began_s
            for process in processes_of(first):
                os.kill(process, signal.SIGKILL)
            warm_lsn, began_s = _warm_lsn(said), time.monotonic()
            takeover_s, logon_s, ready_s = (at - began_s for at in _take_over(scene))
            unfolded = _last_lsn(second) - warm_lsn
        return TakeoverFigures(whole, size, copied_s, warm_s, warm_lsn, unfolded, takeover_s, logon_s, ready_s)


@contextmanager
def _standby(host: HostStack) -> Iterator[Path]:
    """`fixring standby` on the host, and the file with what it says; a `takeover` has ended it, or an error does."""
    said = host.output.with_name("standby.log")
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "scripts.cli.main", "standby"], env=host.environ, cwd=CHECKOUT,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield said
    finally:
        process.terminate()
        process.wait()


def _take_over(scene: Scene) -> Iterator[float]:
    """When the command has ended, when the venue has accepted Logon(A), and when all was ready."""
    second = scene.second
    status, _, err = scene.fixring(second, "takeover", "--yes", "--json")
    if status != ExitStatus.OK:
        raise StackFailed(f"fixring takeover: exit status {status}: {err.strip()[-300:]}")
    yield time.monotonic()
    second.start()
    session = f"session@{VENUE}"
    _until(lambda: status_of(second, session).get("state") in LOGGED_ON, f"Logon(A); see {second.output}")
    yield time.monotonic()
    _until(lambda: not second.missing(), f"it is ready; see {second.output}")
    yield time.monotonic()


def _last_lsn(host: HostStack) -> int:
    try:
        return Reader(host.config.journal_folder, OsFiles()).durable_lsn()
    except NotThere:
        return 0


def _warm_lsn(said: Path) -> int:
    """Up to which record the standby said last that it is warm."""
    told = _WARM.findall(said.read_text())
    return int(told[-1]) if told else 0


def _until(holds: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + LONGEST_S
    while not holds():
        if time.monotonic() > until_s:
            raise StackFailed(f"not within {LONGEST_S:.0f} s: {what}")
        time.sleep(POLL_S)
