"""One seed from start to verdict; and the search for the shortest command that shows the same violation."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from common.instant import NS_PER_S
from scripts.simulation import adversary, bridged, quiet, takeover_storm
from scripts.simulation.bridged import BridgedWorld
from scripts.simulation.invariants import Violation
from scripts.simulation.plan import VERSION, Plan, plan
from scripts.simulation.planted import plant
from scripts.simulation.process import CoreRaised
from scripts.simulation.taken_over import TakeoverWorld
from scripts.simulation.world import Line, World

TURNS_TO_REST = 60_000
"""So many turns without coming to rest, after the faults stopped, are a system that never does."""


class Case(NamedTuple):
    """What to run: everything that a repeat needs."""

    seed: int
    steps: int
    without: tuple[str, ...] = ()
    only: frozenset[int] | None = None
    planted: str = ""
    version: int = VERSION
    """How its plan is drawn."""

    bridge: str = ""
    """The venue that is traded at through its bridge, over power cuts; then nothing of a plan holds but seed, steps."""

    takeover: bool = False
    """On two hosts, of which one takes over from the other; as with a bridge nothing of a plan holds."""

    @property
    def draws_plan(self) -> bool:
        """Whether there is a plan, of which parts can be left out."""
        return not (self.bridge or self.takeover)

    @property
    def plan(self) -> Plan:
        """What it does."""
        return plan(self.seed, self.steps, self.without, self.only, self.version)

    @property
    def command(self) -> str:
        """The command that runs it."""
        words = [f"fixring simulate --seed {self.seed} --steps {self.steps}"]
        words += [f"--bridge {self.bridge}"] if self.bridge else []
        words += ["--takeover"] if self.takeover else []
        words += [f"--without {kind}" for kind in self.without]
        if self.only is not None:
            words.append("--only " + (",".join(map(str, sorted(self.only))) or "none"))
        if self.planted:
            words.append(f"--planted {self.planted}")
        if self.version != VERSION:
            words.append(f"--plan {self.version}")
        return " ".join(words)


class Result(NamedTuple):
    """What came of a case. `turns` is where the violation showed; the timeline's lines are there when it was traced."""

    case: Case
    violation: Violation | None
    turns: int
    faults: Counter[str]
    orders: int
    deaths: int
    records: int
    virtual_s: float
    seconds: float
    lines: tuple[Line, ...]


def run(case: Case, *, traced: bool = False) -> Result:
    """Run one case to its verdict."""
    planted: AbstractContextManager[object] = plant(case.planted) if case.planted else nullcontext()
    with planted:
        return _run(case, traced=traced)


def _run(case: Case, *, traced: bool) -> Result:
    began = time.perf_counter()
    world = _world_of(case, traced=traced)
    faults: Counter[str] = Counter()
    violation: Violation | None = None
    try:
        if isinstance(world, BridgedWorld):
            faults = world.strikes
            bridged.run_through(world, case.steps)
        elif isinstance(world, TakeoverWorld):
            faults = world.strikes
            takeover_storm.run_through(world, case.steps)
        else:
            _follow(case.plan, world, case.steps, faults)
    except Violation as found:
        violation = found
    except CoreRaised as error:
        violation = Violation("core-raised", str(error))
        violation.__cause__ = error.__cause__
    return Result(
        case, violation, world.turns, faults, world.checkers.orders_accepted, world.deaths, world.witness.last_lsn,
        world.scheduler.now_ns / NS_PER_S, time.perf_counter() - began, tuple(world.lines),
    )  # fmt: skip


def _world_of(case: Case, *, traced: bool) -> World:
    if case.bridge:
        return BridgedWorld(case.seed, case.bridge, traced=traced)
    return TakeoverWorld(case.seed, traced=traced) if case.takeover else World(case.plan, traced=traced)


def _follow(its_plan: Plan, world: World, steps: int, faults: Counter[str]) -> None:
    """The plan to its end, and rest; `faults` counts those that struck. Raises Violation, CoreRaised."""
    world.start()
    waiting = list(reversed(its_plan.faults))
    while world.turns < steps * its_plan.turns_per_step:
        while waiting and world.turns >= waiting[-1].step * its_plan.turns_per_step:
            fault = waiting.pop()
            faults[fault.kind] += 1
            adversary.strike(world, fault)
        world.run_one()
    adversary.make_well(world)
    adversary.let_find_out(world)
    quiet.come_to_rest(world)


def shrink(result: Result, patience_s: float = 60.0) -> Result:
    """A shorter case with the same violation: fewer steps first, then fewer kinds of fault, then fewer faults."""
    began = time.perf_counter()
    best = result
    for candidate in _smaller(result):
        if time.perf_counter() - began > patience_s:
            break
        tried = run(candidate(best.case))
        if _same(tried, result):
            best = tried
    return best


def _same(tried: Result, wanted: Result) -> bool:
    return (
        tried.violation is not None
        and wanted.violation is not None
        and tried.violation.invariant == wanted.violation.invariant
    )


class _Shorter(NamedTuple):
    share: float

    def __call__(self, case: Case) -> Case:
        return case._replace(steps=max(1, int(case.steps * self.share)))


class _Without(NamedTuple):
    kind: str

    def __call__(self, case: Case) -> Case:
        return case._replace(without=(*case.without, self.kind))


class _WithoutFaults(NamedTuple):
    numbers: frozenset[int]

    def __call__(self, case: Case) -> Case:
        kept = case.only
        if kept is None:
            kept = frozenset(fault.number for fault in case.plan.faults)
        return case._replace(only=kept - self.numbers)


def _smaller(result: Result) -> Iterator[_Shorter | _Without | _WithoutFaults]:
    steps = result.turns // result.case.plan.turns_per_step
    if steps < result.case.steps and result.case.draws_plan:
        yield _Shorter((steps + 1) / result.case.steps)
    for share in (0.25, 0.5, 0.75, 0.9):
        yield _Shorter(share)
    if not result.case.draws_plan:
        return
    for kind in sorted(result.case.plan.kinds.union(result.faults)):
        yield _Without(kind)
    faults = result.case._replace(without=(), only=None).plan.faults
    size = max(1, len(faults) // 4)
    while size:
        for start in range(0, len(faults), size):
            yield _WithoutFaults(frozenset(fault.number for fault in faults[start : start + size]))
        size //= 2


def timeline(lines: Sequence[Line], last: int = 200) -> Iterator[str]:
    """The last lines of what happened, for a person."""
    for at_ns, who, what, detail in lines[-last:]:
        words = " ".join(str(word) for word in detail)
        yield f"{at_ns / 1e6:12.3f} ms  {who:20} {what:18} {words}"[:400]
