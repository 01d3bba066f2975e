"""The real stack under load and faults: nothing lost, doubled or forgotten, and trading again each time."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack import PrivateStack
from scripts.torture.faults import table
from scripts.torture.means import Means
from scripts.torture.run import Torture

SEED = 11
RATE = 300.0
BOUND_S = 20.0
"""Here other tests want the processors too; the bound of 5 s is held by `fixring torture`, on a machine of its own."""

FAST = ("kill:journal", "kill:session@binance", "kill:exchange@generic", "garbage", "kill-stack")


@pytest.fixture
def torture(short_folder: Path) -> Iterator[Torture]:
    """A stack of both venues under load."""
    means = Means(short_folder, with_disk=False)
    with (
        PrivateStack(short_folder, means.environ()) as stack,
        Torture(stack, SEED, RATE, bound_s=BOUND_S, means=means) as torture,
    ):
        yield torture


def test_a_few_faults_under_load_leave_nothing_wrong(torture: Torture) -> None:
    faults = {fault.name: fault for fault in table(torture.stack.config)}
    for name in FAST:
        result = torture.round(faults[name])
        assert not result.differences, f"{name}: " + "\n".join(result.differences)
    assert torture.commands > len(FAST) * RATE


@pytest.mark.torture
def test_every_fault_once_leaves_nothing_wrong(torture: Torture) -> None:
    wanted = len(table(torture.stack.config))
    for fault in itertools.islice(torture.faults(), wanted):
        result = torture.round(fault)
        assert not result.differences, f"{fault.name}: " + "\n".join(result.differences)
    assert len({result.fault for result in torture.rounds}) == wanted
