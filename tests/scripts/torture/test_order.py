"""The order of the torture's faults, and what its report says of those that were not done."""

import random
from types import SimpleNamespace
from typing import cast

import pytest

from common.config import load
from scripts.cli.torture import _table
from scripts.torture.faults import one_of_each_first, table
from scripts.torture.run import Round, Torture, report

WANTED = frozenset({
    "failed-sync", "full-disk", "slow-sync", "clock", "flood", "cut", "stall", "answers", "half-open", "stop:journal",
    "kill:journal", "kill:orders", "kill:risk", "kill:session", "twice", "garbage", "several", "stack", "kill-switch",
    "kill-switch-alone", "names", "taken",
})  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_one_fault_of_each_class_comes_before_the_rest(seed: int) -> None:
    faults = table(load())
    ordered = one_of_each_first(faults, random.Random(seed))
    groups = [fault.group for fault in ordered]
    count = len(set(groups))
    assert set(groups) >= WANTED
    assert len(set(groups[:count])) == count
    assert {"kill:journal", "stop:journal", "kill:orders", "kill:risk"} <= {fault.name for fault in ordered[:count]}
    assert sorted(fault.name for fault in ordered) == sorted(fault.name for fault in faults)
    # Three minutes are enough for these at 7 s a round.
    assert count <= 25


def test_the_order_is_the_seeds() -> None:
    first, again, other = (
        [f.name for f in one_of_each_first(table(load()), random.Random(seed))] for seed in (1, 1, 2)
    )
    assert first == again != other


def document(*rounds: Round, requires_all: bool) -> dict[str, object]:
    run = SimpleNamespace(rounds=list(rounds), commands=1, stack=SimpleNamespace(config=load()))
    return report(cast(Torture, run), 1, 600.0, 3.0, "", requires_all=requires_all)


@pytest.mark.parametrize(("requires_all", "is_good"), [(False, True), (True, False)])
def test_what_is_left_out_is_a_failure_where_all_is_required(
    requires_all: bool, is_good: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    told = document(Round("full-disk", left_out="no root"), Round("flood"), requires_all=requires_all)
    assert told["is_good"] is is_good
    assert told["left_out"] == {"full-disk": "no root"}
    _table(told)
    assert "LEFT OUT: full-disk: no root" in capsys.readouterr().out.splitlines()[-1]


def test_what_was_done_once_and_came_too_soon_again_is_not_left_out() -> None:
    done, again = Round("failed-sync"), Round("failed-sync", left_out="done less than 600 s ago")
    assert document(done, again, requires_all=True)["is_good"]


def test_what_was_not_reached_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = document(Round("flood"), requires_all=False)
    not_reached = cast(list[str], told["groups_not_reached"])
    assert "cut" in not_reached and "flood" not in not_reached
    _table(told)
    assert "of these classes none" in capsys.readouterr().out
