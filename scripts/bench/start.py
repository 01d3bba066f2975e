"""How long a stack takes to be READY with a long journal: without snapshots, and from them.

The journal is generated (`scripts.bench.long_journal`); the stack is the real one, with its own simulated exchanges. It
starts three times: folding everything; while it then runs, snapshots are made; everything is killed at once, and it
starts again from them, and once more with an empty journal for comparison.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from common.actor.control import NoAnswer, NotRunning
from common.orders.index_file import COVER_RECORDS
from scripts.bench.long_journal import write_long_journal
from scripts.bench.ring import ROOMY
from scripts.stack import PrivateStack, StackFailed

NEVER = str(10**12)
SNAPSHOTS_S = 300.0
READY_S = 300.0
POLL_S = 0.2


class StartFigures(NamedTuple):
    """Seconds from honcho's start to READY; `snapshots_s` is what one round of snapshots of the whole journal took."""

    records: int
    journal_bytes: int
    empty_s: float
    without_s: float
    with_s: float
    snapshots_s: float


def measure_start(records: int) -> StartFigures:
    """Generate the journal and start the stack on it. Raises StackFailed."""
    with tempfile.TemporaryDirectory(prefix="fixring-start-") as name:
        folder = Path(name)
        (folder / "empty").mkdir()
        empty_s = _once(PrivateStack(folder / "empty", _overrides(NEVER)))
        long = PrivateStack(folder, _overrides(NEVER))
        whole = write_long_journal(long.config.journal_folder, records, time.time_ns())
        size = sum(path.stat().st_size for path in long.config.journal_folder.glob("*.segment"))
        without_s = _once(long)
        snapshots_s = _make_snapshots(PrivateStack(folder, _overrides("1")), whole)
        with_s = _once(PrivateStack(folder, _overrides(NEVER)))
        return StartFigures(whole, size, empty_s, without_s, with_s, snapshots_s)


def _overrides(snapshot_records: str) -> dict[str, str]:
    return {**ROOMY, "FIXRING__JOURNAL__SNAPSHOT_RECORDS": snapshot_records}


def _once(stack: PrivateStack) -> float:
    """Seconds to READY; then everything is killed at once."""
    stack.start()
    try:
        seconds = stack.wait_ready(READY_S)
        stack.kill_all()
    finally:
        stack.__exit__()
    return seconds


def _make_snapshots(stack: PrivateStack, lsn: int) -> float:
    """Seconds until a snapshot of everything stands about record `lsn`, of orders as far as its index is written down;
    then everything is killed at once."""
    stack.start()
    try:
        stack.wait_ready(READY_S)
        began_s = time.monotonic()
        while _snapshot_lsn(stack) < lsn - COVER_RECORDS:
            if time.monotonic() - began_s > SNAPSHOTS_S:
                raise StackFailed(f"no snapshots after {SNAPSHOTS_S:.0f} s; see {stack.output}")
            time.sleep(POLL_S)
        seconds = time.monotonic() - began_s
        stack.kill_all()
    finally:
        stack.__exit__()
    return seconds


def _snapshot_lsn(stack: PrivateStack) -> int:
    try:
        return int(str(stack.ask("snapshots", "status")["lsn"]))
    except (NotRunning, NoAnswer):
        return 0
