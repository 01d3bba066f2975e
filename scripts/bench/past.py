"""How long time travel takes: the command that the desk runs for a moment of the past, over a long journal.

The journal is generated (`scripts.bench.long_journal`), with the snapshots that a running stack would have made of it.
The moments are spread over it, each just before a snapshot, where the most is to be replayed.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from common.actor.snapshots import make_snapshot
from common.config import CHECKOUT, Config, load
from common.journal.snapshots import Keeping
from scripts.bench.long_journal import write_long_journal
from services.risk.make_snapshot import newest_state
from services.risk.state import WRITER
from services.session.make_snapshot import Checked, newest_folded

DESK_NICE = 5
"""The desk's priority, which its programs have too."""


class Moment(NamedTuple):
    """A record, and what it took to show the stack as it was there: seconds by the clock, and of processor time."""

    lsn: int
    wall_s: float
    cpu_s: float


class PastFigures(NamedTuple):
    """`replayed` records at most lie between a snapshot and a moment. `load` is the machine's run queue over the last
    minute."""

    records: int
    replayed: int
    moments: tuple[Moment, ...]
    load: float
    cores: int


def measure_past(records: int, every: int, count: int) -> PastFigures:
    """So many moments in a journal of `records` with a snapshot each `every` records. Raises subprocess errors where
    the command fails."""
    with tempfile.TemporaryDirectory(prefix="fixring-past-") as folder:
        environ = {**os.environ, "FIXRING_VAR": f"{folder}/var"}
        config = load(environ=environ)
        config.paths.run.mkdir(parents=True)
        last = write_long_journal(config.journal_folder, records, time.time_ns())
        _make_snapshots(config, last, every)
        ends = range(min(every, last), last + 1, every)
        chosen = sorted({ends[nth * (len(ends) - 1) // max(1, count - 1)] for nth in range(count)})
        moments = tuple(_look_at(lsn - 1, environ) for lsn in chosen)
        return PastFigures(last, every, moments, round(os.getloadavg()[0], 1), os.cpu_count() or 1)


def _make_snapshots(config: Config, last: int, every: int) -> None:
    risk = newest_state(config)
    sessions = {f"session@{name}": Checked(newest_folded(name, config)) for name in config.sessions}
    for lsn in range(every, last + 1, every):
        make_snapshot(config, WRITER, risk, lsn, keep=Keeping(last))
        for name, folded in sessions.items():
            make_snapshot(config, name, folded, lsn, keep=Keeping(last))


def _look_at(lsn: int, environ: dict[str, str]) -> Moment:
    command = [sys.executable, "-P", "-m", "scripts.cli.main", "journal", "state", f"--at={lsn}", "--json"]
    began_s, before_s = time.monotonic(), _children_s()
    subprocess.run(
        command, cwd=CHECKOUT, env=environ, check=True, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.nice(DESK_NICE)
    )
    return Moment(lsn, round(time.monotonic() - began_s, 2), round(_children_s() - before_s, 2))


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
