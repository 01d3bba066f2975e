"""The real cores under the seeded adversary: no seed violates an invariant, and a seed is the same run everywhere."""

import hashlib
import os
import subprocess
import sys

import pytest

from scripts.simulation.many import run_many
from scripts.simulation.regressions import REGRESSIONS, Regression
from scripts.simulation.run import Case, run

DIGEST = """
import hashlib
from scripts.simulation.run import Case, run
result = run(Case({seed}, {steps}), traced=True)
print(hashlib.sha256(repr(result.lines).encode()).hexdigest(), result.turns)
"""


@pytest.mark.parametrize("seed", range(12))
def test_a_short_run_keeps_every_invariant(seed: int) -> None:
    result = run(Case(seed, 500))
    assert result.violation is None, f"{result.violation}; repeat it with {result.case.command}"
    assert result.turns >= 500 and result.records > 0


@pytest.mark.parametrize("regression", REGRESSIONS, ids=lambda r: f"{r.invariant}-{r.case.seed}")
def test_what_failed_once_passes(regression: Regression) -> None:
    result = run(regression.case)
    assert result.violation is None, f"{result.violation}; repeat it with {result.case.command}"


def test_a_seed_is_the_same_run_whatever_the_hash_seed() -> None:
    here = run(Case(3, 600), traced=True)
    lines = hashlib.sha256(repr(here.lines).encode()).hexdigest()
    code = DIGEST.format(seed=3, steps=600)
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert there.stdout.split() == [lines, str(here.turns)]


def test_tracing_changes_nothing() -> None:
    plain, traced = run(Case(5, 400)), run(Case(5, 400), traced=True)
    assert (plain.turns, plain.records, plain.orders) == (traced.turns, traced.records, traced.orders)
    assert not plain.lines and traced.lines


def test_a_violation_comes_home_from_another_process() -> None:
    cases = [Case(seed, 1200, planted="release-unacknowledged") for seed in range(16)]
    found = [result for result in run_many(cases, 2) if result.violation is not None]
    assert found
    alone = run(found[0].case)
    assert str(alone.violation) == str(found[0].violation)
