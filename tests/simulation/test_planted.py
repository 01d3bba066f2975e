"""The checkers are checked: every planted bug is found within the number of seeds that it states."""

import pytest

from scripts.simulation.many import find_planted
from scripts.simulation.planted import BUGS, plant
from scripts.simulation.run import Case, run, shrink
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


def test_planting_ends_with_the_run() -> None:
    before = Outbox.numbered
    with plant("send-before-journal"):
        assert Outbox.numbered is not before
    assert Outbox.numbered is before


def test_a_failing_case_shrinks_and_repeats() -> None:
    found = run(Case(2, 1200, planted="release-unacknowledged"))
    assert found.violation is not None
    smaller = shrink(found, patience_s=5.0)
    assert smaller.violation is not None
    assert smaller.case.steps < 1200
    again = run(smaller.case)
    assert again.violation is not None and again.violation.invariant == smaller.violation.invariant
    assert "--planted release-unacknowledged" in smaller.case.command
