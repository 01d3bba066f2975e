"""Many seeds over all cores, and what they come to."""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from traceback import extract_tb
from typing import NamedTuple, TypeVar

from common.actor.parent import die_with
from scripts.simulation import planted, planted_lists, planted_takeovers
from scripts.simulation.planted import BUGS
from scripts.simulation.planted_seeds import KNOWN_SEEDS
from scripts.simulation.run import Case, Result, run

SEEDS_AT_ONCE = 8
T = TypeVar("T")
R = TypeVar("R")


class Summary(NamedTuple):
    """Sums over all results; `seconds` is the time that passed."""

    seeds: int
    turns: int
    orders: int
    faults: Counter[str]
    deaths: int
    records: int
    virtual_s: float
    seconds: float

    @property
    def fault_count(self) -> int:
        """All faults together."""
        return sum(self.faults.values())


def run_many(cases: Iterable[Case], jobs: int) -> Iterator[Result]:
    """The results of all cases, in their order; `jobs` processes work on them."""
    if jobs <= 1:
        yield from map(run, cases)
        return
    for results in spread(_run_some, _chunks(iter(cases)), jobs):
        yield from results


def spread(work: Callable[[T], R], items: Iterable[T], jobs: int) -> Iterator[R]:
    """What `work` makes of each item, in their order; `jobs` processes work, and none is far ahead of who reads."""
    waiting = iter(items)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, initializer=die_with, initargs=(os.getpid(),)) as pool:
        under_way = [pool.submit(work, item) for item in islice(waiting, 2 * jobs)]
        while under_way:
            yield under_way.pop(0).result()
            under_way += [pool.submit(work, item) for item in islice(waiting, 1)]


def _chunks(cases: Iterator[Case]) -> Iterator[list[Case]]:
    while chunk := list(islice(cases, SEEDS_AT_ONCE)):
        yield chunk


def _run_some(cases: list[Case]) -> list[Result]:
    return [run(case) for case in cases]


class Total:
    """Adds results up."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._began = time.perf_counter()
        self._sum = Summary(0, 0, 0, Counter(), 0, 0, 0.0, 0.0)

    def add(self, result: Result) -> None:
        """One more."""
        s = self._sum
        self._sum = Summary(
            s.seeds + 1, s.turns + result.turns, s.orders + result.orders, s.faults + result.faults,
            s.deaths + result.deaths, s.records + result.records, s.virtual_s + result.virtual_s, 0.0,
        )  # fmt: skip

    @property
    def summary(self) -> Summary:
        """The sums so far."""
        return self._sum._replace(seconds=time.perf_counter() - self._began)


PLANTED = frozenset({planted.__file__, planted_lists.__file__, planted_takeovers.__file__})
"""Where the code of the planted bugs is."""


def find_planted(name: str) -> Result:
    """The result of a seed within the bug's bound that shows it, the one where it was found last tried first; the last
    one's, without a violation, where none does."""
    known = KNOWN_SEEDS.get(name, 0)
    others = (seed for seed in range(BUGS[name].within) if seed != known)
    result = _look_at(name, known)
    while result.violation is None and (seed := next(others, None)) is not None:
        result = _look_at(name, seed)
    return result


def _look_at(name: str, seed: int) -> Result:
    """The seed's result; none is a violation that the planted code itself has raised: it does not fit any more what it
    takes the place of, and nobody had to find it."""
    bug = BUGS[name]
    result = run(Case(seed, bug.steps, planted=name, version=bug.version, takeover=bug.takeover))
    error = None if result.violation is None else result.violation.__cause__
    frames = [] if error is None else extract_tb(error.__traceback__)
    raised_itself = bool(frames) and frames[-1].filename in PLANTED
    return result._replace(violation=None) if raised_itself else result


def find_all_planted(jobs: int) -> Iterator[tuple[str, Result]]:
    """Each planted bug with what `find_planted` has of it, in their order; `jobs` processes look for them."""
    yield from zip(BUGS, spread(find_planted, BUGS, jobs) if jobs > 1 else map(find_planted, BUGS), strict=True)
