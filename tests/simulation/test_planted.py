"""The checkers are checked: every planted bug is found within the number of seeds that it states."""

import runpy
import shutil
from pathlib import Path

import pytest

from scripts.cli import main
from scripts.simulation import many, planted_seeds
from scripts.simulation.many import find_planted
from scripts.simulation.planted import BUGS, Bug, Swap, plant
from scripts.simulation.planted_seeds import KNOWN_SEEDS
from scripts.simulation.run import Case, Result, run, shrink
from services.session.outbox import Outbox

QUICK = [name for name, bug in BUGS.items() if bug.within <= 10]
SLOW = [name for name, bug in BUGS.items() if bug.within > 10]


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found(name: str) -> None:
    result = find_planted(name)
    assert result.violation is not None, f"{BUGS[name].sentence} No seed up to {result.case.seed} shows it."


@pytest.mark.proof
@pytest.mark.parametrize("name", SLOW)
def test_a_rare_planted_bug_is_found(name: str) -> None:
    result = find_planted(name)
    assert result.violation is not None, f"{BUGS[name].sentence} No seed up to {result.case.seed} shows it."


@pytest.mark.parametrize("name", BUGS)
def test_what_a_bug_takes_the_place_of_is_there(name: str) -> None:
    assert [attribute for owner, attribute, _ in BUGS[name].swaps if not hasattr(owner, attribute)] == []


@pytest.mark.parametrize("name", ["reuse-number", "list-reserves-one"])
def test_a_bug_that_does_not_fit_what_it_takes_the_place_of_is_not_found(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap: Swap = (Outbox, "lost", BUGS[name].swaps[0][2])
    monkeypatch.setitem(BUGS, "misfit", Bug("It takes the place of what has other arguments.", (swap,), 1))
    assert run(Case(0, 2000, planted="misfit")).violation is not None
    assert find_planted("misfit").violation is None


def test_where_a_bug_was_found_last_lies_within_its_bound() -> None:
    stale = [name for name, seed in KNOWN_SEEDS.items() if name not in BUGS or not 0 <= seed < BUGS[name].within]
    assert stale == [], "`fixring simulate --planted all --write` finds them anew; the line of a bug that is gone goes"


def test_a_bug_that_is_not_found_where_it_was_last_is_looked_for_within_its_whole_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def run_without_steps(case: Case) -> Result:
        tried.append(case.seed)
        return run(Case(case.seed, 0, only=frozenset()))

    monkeypatch.setattr(many, "run", run_without_steps)
    monkeypatch.setattr(many, "KNOWN_SEEDS", {"ack-before-sync": 2})
    assert find_planted("ack-before-sync").violation is None
    assert tried == [2, 0, 1]


def test_where_the_bugs_were_found_is_written_into_the_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Path(shutil.copy(planted_seeds.MODULE, tmp_path))
    monkeypatch.setattr(planted_seeds, "MODULE", table)
    monkeypatch.setattr(planted_seeds, "KNOWN_SEEDS", {"ack-before-sync": 1})
    for name in BUGS.keys() - {"send-before-journal", "ack-before-sync"}:
        monkeypatch.delitem(BUGS, name)
    assert main.run(["simulate", "--planted", "all", "--write", "--jobs", "1"]) == 0
    assert "send-before-journal" in capsys.readouterr().out
    assert runpy.run_path(str(table))["KNOWN_SEEDS"].keys() == BUGS.keys()
    assert main.run(["simulate", "--write"]) == 2


def test_planting_ends_with_the_run() -> None:
    before = Outbox.numbered
    with plant("send-before-journal"):
        assert Outbox.numbered is not before
    assert Outbox.numbered is before


def test_a_failing_case_shrinks_and_repeats() -> None:
    found = run(Case(0, 1200, planted="release-unacknowledged"))
    assert found.violation is not None
    smaller = shrink(found, patience_s=5.0)
    assert smaller.violation is not None
    assert smaller.case.steps < 1200
    again = run(smaller.case)
    assert again.violation is not None and again.violation.invariant == smaller.violation.invariant
    assert "--planted release-unacknowledged" in smaller.case.command
