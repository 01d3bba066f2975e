"""Which branches of the cores the simulation reaches, and which of the rest the tests do.

Each is measured in a process of its own, by coverage.py.
"""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

CORES = (
    "common/actor/links.py",
    "common/fix/*.py",
    "common/journal/emergency.py",
    "common/journal/log.py",
    "common/journal/reader.py",
    "common/journal/recovery.py",
    "common/latch.py",
    "common/orders/ledger.py",
    "common/orders/leg.py",
    "common/orders/order_state.py",
    "common/orders/outcome.py",
    "common/venues/binance/dialect.py",
    "common/venues/generic/dialect.py",
    "services/account/*.py",
    "services/exchange/*.py",
    "services/journal/*.py",
    "services/marketdata/*.py",
    "services/orders/*.py",
    "services/risk/*.py",
    "services/session/*.py",
)
"""What is measured: the cores and what decides in them. Left out is what only a real process runs."""

ONLY_REAL = ("*/__main__.py", "*/make_snapshot.py", "*_file.py")


TESTS = ("tests/common", "tests/services")
"""What is asked about the rest: the tests that stand beside the cores, and none that simulates."""


class FileCoverage(NamedTuple):
    """One file: its branches, how many of them were taken, and those that were not, as (from line, to line)."""

    path: str
    branches: int
    taken: int
    missed: list[tuple[int, int]]


class Rest(NamedTuple):
    """One file beside its tests: of the branches that simulation missed, those that the tests take, and the others."""

    path: str
    branches: int
    taken: int
    tested: list[tuple[int, int]]
    neither: list[tuple[int, int]]


class Unmeasured(Exception):
    """The measurement failed; the text says how, and what to do."""


def measure(seed: int, seeds: int, steps: int) -> list[FileCoverage]:
    """Run the seeds under coverage.py and return what each file of the cores came to. Raises Unmeasured."""
    cases = ["--seed", str(seed), "--seeds", str(seeds), "--steps", str(steps), "--jobs", "1", "--no-shrink"]
    return _measured(["-m", "scripts.cli.main", "simulate", *cases])


def measure_rest(seed: int, seeds: int, steps: int) -> list[Rest]:
    """Run the seeds, and beside them the tests of the cores, and return both for each file. Raises Unmeasured."""
    with ThreadPoolExecutor(1) as beside:
        # What hypothesis happens to draw must not decide whether a branch counts as tested.
        tests = beside.submit(
            _measured, ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *TESTS]
        )
        simulated = measure(seed, seeds, steps)
        untested = {file.path: set(file.missed) for file in tests.result()}
    return [
        Rest(
            file.path, file.branches, file.taken,
            [branch for branch in file.missed if branch not in untested[file.path]],
            [branch for branch in file.missed if branch in untested[file.path]],
        )
        for file in simulated
    ]  # fmt: skip


def _measured(program: list[str]) -> list[FileCoverage]:
    if find_spec("coverage") is None:
        raise Unmeasured("coverage.py is not installed: install the extra `test`")
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder) / "data", Path(folder) / "report.json"
        coverage = [sys.executable, "-P", "-m", "coverage"]
        _call([*coverage, "run", "--branch", f"--data-file={data}", *program])
        chosen = [f"--include={','.join(CORES)}", f"--omit={','.join(ONLY_REAL)}"]
        _call([*coverage, "json", f"--data-file={data}", *chosen, "-q", "-o", str(report)])
        files = json.loads(report.read_text())["files"]
    return [
        FileCoverage(
            path, row["summary"]["num_branches"], row["summary"]["covered_branches"],
            [(start, end) for start, end in row["missing_branches"]],
        )
        for path, row in sorted(files.items())
        if row["summary"]["num_branches"]
    ]  # fmt: skip


def _call(command: list[str]) -> None:
    root = Path(__file__).resolve().parent.parent.parent
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if ended.returncode:
        # Python's own errors are on stderr, pytest's failures on stdout.
        said = (ended.stdout + ended.stderr)[-2000:]
        raise Unmeasured(f"{' '.join(command[3:6])} ended with status {ended.returncode}: {said}")
