"""The real stack under load and faults: nothing lost, doubled or forgotten, and trading again each time."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import PrivateStack
from scripts.torture.faults import table
from scripts.torture.run import Torture

SEED = 11
RATE = 300.0
BOUND_S = 20.0
"""Here other tests want the processors too; the bound of 5 s is held by `fixring torture`, on a machine of its own."""

FAST = (
    "kill:journal",
    "kill:session@binance",
    "kill:exchange@generic",
    "stop:risk",
    "venue:cut",
    "garbage",
    "kill-stack",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Kept when the test fails: the logs say why."""
    folder = Path(tempfile.mkdtemp(prefix="fxr"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_few_faults_under_load_leave_nothing_wrong(folder: Path) -> None:
    with PrivateStack(folder) as stack, Torture(stack, SEED, RATE, bound_s=BOUND_S) as torture:
        faults = {fault.name: fault for fault in table(stack.config)}
        for name in FAST:
            result = torture.round(faults[name])
            assert not result.differences, f"{name}: " + "\n".join(result.differences)
        assert torture.commands > len(FAST) * RATE


@pytest.mark.torture
def test_every_fault_once_leaves_nothing_wrong(folder: Path) -> None:
    with PrivateStack(folder) as stack, Torture(stack, SEED, RATE, bound_s=BOUND_S) as torture:
        wanted = len(table(stack.config))
        for fault, _ in zip(torture.faults(), range(wanted), strict=False):
            result = torture.round(fault)
            assert not result.differences, f"{fault.name}: " + "\n".join(result.differences)
        assert len({result.fault for result in torture.rounds}) == wanted
