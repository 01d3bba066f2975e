"""Rounds of fuzzing: one to its verdict, many over all cores, and the fewest inputs that still show what one found."""

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import NamedTuple

from scripts.fuzz.client import Client
from scripts.fuzz.doors import Doors
from scripts.fuzz.folds import Folds
from scripts.fuzz.index import Index
from scripts.fuzz.links import Links
from scripts.fuzz.planted import FAULTS, plant_fault
from scripts.fuzz.reports import Reports
from scripts.fuzz.target import Broken, Round, Tally, Target
from scripts.simulation.many import spread

TARGETS: dict[str, Target] = {
    "doors": Doors(),
    "links": Links(),
    "folds": Folds(),
    "reports": Reports(),
    "index": Index(),
    "client": Client(),
}
BLOCKED_S = 60.0
"""A round that takes so much processor time is one that blocks: the longest takes a sixth of it."""

LEAST_SHARE = 0.5
"""Of the inputs of a target at least so many decode: the others test no more than the decoder."""


class Job(NamedTuple):
    """A round of a target, perhaps with a fault planted in the code under test."""

    target: str
    seed: int
    only: frozenset[int] | None = None
    planted: str = ""

    @property
    def command(self) -> str:
        """The command that repeats it."""
        words = [f"fixring fuzz --target {self.target} --seed {self.seed} --rounds 1"]
        if self.only is not None:
            words.append("--only " + (",".join(map(str, sorted(self.only))) or "none"))
        if self.planted:
            words.append(f"--planted {self.planted}")
        return " ".join(words)


class Result(NamedTuple):
    """What came of a round: `finding` is "" where all held."""

    job: Job
    tally: Tally
    seconds: float
    finding: str


def run_round(job: Job) -> Result:
    """Play one round to its verdict."""
    target, tally, began = TARGETS[job.target], Tally(), time.perf_counter()
    finding = ""
    with plant_fault(job.planted) if job.planted else nullcontext():
        try:
            with _bounded():
                target.play(Round(job.seed, target.size, job.only), tally)
        except Broken as broken:
            finding = str(broken)
        except Exception as error:
            finding = f"{type(error).__name__}: {error}"
            if error.__cause__ is not None:
                finding += f" (from {type(error.__cause__).__name__}: {error.__cause__})"
    return Result(job, tally, time.perf_counter() - began, finding)


@contextmanager
def _bounded() -> Iterator[None]:
    """Raises Broken in what takes more than BLOCKED_S of processor time. For the main thread of a process."""

    def over(number: int, frame: FrameType | None) -> None:
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "unknown"
        raise Broken(f"blocks: {BLOCKED_S:.0f} s of processor time, at {where}")

    former = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, BLOCKED_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


def run_rounds(jobs: Iterable[Job], processes: int) -> Iterator[Result]:
    """The results of all rounds, in their order; `processes` work on them."""
    yield from map(run_round, jobs) if processes <= 1 else spread(run_round, jobs, processes)


def jobs_for(targets: tuple[str, ...], seed: int, rounds: int, minutes: float) -> Iterator[Job]:
    """Rounds of each target in turn: `rounds` of each from `seed` on, or as many as begin within `minutes`."""
    until = time.monotonic() + 60 * minutes
    number = 0
    while number < rounds if not minutes else time.monotonic() < until:
        yield from (Job(target, seed + number) for target in targets)
        number += 1


def shrink(result: Result, patience_s: float = 60.0) -> Result:
    """A round of fewer inputs that still finds something, as few as are found within `patience_s` seconds."""
    began, best = time.monotonic(), result
    kept = list(range(TARGETS[result.job.target].size))
    portion = len(kept) // 2
    while portion:
        for start in range(0, len(kept), portion):
            fewer = kept[:start] + kept[start + portion :]
            if time.monotonic() - began > patience_s:
                return best
            tried = run_round(result.job._replace(only=frozenset(fewer)))
            if tried.finding:
                best, kept = tried, fewer
                break
        else:
            portion //= 2
    return best


def find_fault(name: str) -> Result:
    """The first round that shows the planted fault; the last one, without a finding, where none of them does."""
    fault = FAULTS[name]
    result = run_round(Job(fault.target, 0, planted=name))
    for seed in range(1, fault.within):
        if result.finding:
            break
        result = run_round(Job(fault.target, seed, planted=name))
    return result
