"""One strategy on trial: the real cores and the simulated exchanges in one process, in simulated time, and no fault.

The venues and limits are those of the simulation (`configs` beside this module). The same seed gives the same run.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from common.actor.core import Core, Note, Send
from common.config import StrategyConfig
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import CommandOutcome, OrderEvent, PositionChanged, flat_fields
from common.strategy.signals import Signal, signal_line
from common.strategy.strategy import Strategy, StrategyCore
from scripts.simulation import actors, setting
from scripts.simulation.plan import VERSION, Plan
from scripts.simulation.process import Process
from scripts.simulation.world import World
from services.strategies.__main__ import core_of, setting_of, strategy_class

OPEN_WITHIN_NS = 20 * NS_PER_S
LOOK_NS = 20 * NS_PER_MS
TOLD = CommandOutcome | OrderEvent | PositionChanged


class NeverCame(Exception):
    """What was waited for did not come in time; the text says what it was."""


class TrialLine(NamedTuple):
    """A line of what went on, `at_ns` after the strategy's start: `what` it was, and its `fields`."""

    at_ns: int
    what: str
    fields: Mapping[str, Any]


class Trial(World):
    """A stack with one strategy. `heard` is what the strategy sent, was told and noted, in order."""

    def __init__(self, own: StrategyConfig, *, name: str = "trial", seed: int = 0) -> None:
        """Nothing runs yet; `open` does that. Raises ConfigError where the program does not load."""
        self.name = f"strategy@{name}"
        self.heard: list[TrialLine] = []
        self._began_ns = 0
        self._kind, self._setting = strategy_class(own.program), setting_of(name, own, setting.CONFIG)
        core_of(self._kind, self._setting, "tried")
        super().__init__(Plan(seed, 0, (), 0, 0, VERSION, False, frozenset()))
        self.calm = True
        self.holds_down.add(self.name)

    def cast(self) -> Iterator[actors.Actor]:
        """The stack, and the strategy."""
        yield from actors.stack_actors(self)
        yield actors.strategy_actor(self.name, self.config.venues, self._build)

    def _build(self, process: Process) -> Core:
        return core_of(self._kind, self._setting, f"{self.name}-{process.life}")

    # ---- what it is ----

    @property
    def core(self) -> StrategyCore:
        """The strategy's process as it is now."""
        core = self.processes[self.name].core
        assert isinstance(core, StrategyCore)
        return core

    @property
    def strategy(self) -> Strategy:
        """The strategy as it is now."""
        return self.core.strategy

    @property
    def errors(self) -> list[str]:
        """The latest errors that its hooks raised."""
        return cast(list[str], self.core.status(self.now)["errors"])

    @property
    def now(self) -> Instant:
        """The time where the strategy is."""
        return self.processes[self.name].clock.read()

    # ---- what is done with it ----

    def open(self) -> None:
        """Start the stack, then the strategy, and wait until it has its welcome and prices. Raises NeverCame."""
        self.start()
        self.until("every session ready", self._trades, OPEN_WITHIN_NS)
        self.heard.clear()
        self._began_ns = self.scheduler.now_ns
        self.holds_down.discard(self.name)
        self.processes[self.name].start()
        self.until("the welcome", lambda: self.strategy.is_live and self.core.entry.begun, OPEN_WITHIN_NS)
        self.until("prices", self._has_prices, OPEN_WITHIN_NS)

    def restart(self) -> None:
        """The strategy's process is killed, and comes back as its supervisor brings it back."""
        self.kill(self.name)
        self.until("the strategy's return", lambda: self.processes[self.name].alive, OPEN_WITHIN_NS)
        self.until("the welcome", lambda: self.core.entry.begun, OPEN_WITHIN_NS)

    def until(self, what: str, done: Callable[[], bool], within_ns: int = 10 * NS_PER_S) -> None:
        """Let time pass until something is so. Raises NeverCame."""
        end_ns = self.scheduler.now_ns + within_ns
        while not done():
            if self.scheduler.now_ns > end_ns:
                raise NeverCame(f"{what}: not within {within_ns // NS_PER_S} s of simulated time")
            self.run_for(LOOK_NS)

    def signal(self, signal: Signal) -> None:
        """Tell the strategy, as `fixring signals send` does."""
        core, line = self.core, signal_line(signal)
        self.processes[self.name].agenda.put(lambda now: core.followed(line, now))

    def act(self, call: Callable[[Strategy], object]) -> None:
        """Have the strategy do something that none of its hooks does."""
        core = self.core

        def step(now: Instant) -> None:
            core.strategy.now = now
            call(core.strategy)
            core.timer(now)

        self.processes[self.name].agenda.put(step)

    def _has_prices(self) -> bool:
        tops = [self.core.top(*place, NS_PER_S, self.now) for place in self.strategy.markets]
        return all(top is not None and top.bid_px is not None and top.ask_px is not None for top in tops)

    def _trades(self) -> bool:
        for name, process in self.processes.items():
            if name.startswith(("session@", "marketdata@")):
                state = None if process.core is None else process.core.status(process.clock.read())["state"]
                if state not in ("ready", "live"):
                    return False
        return True

    # ---- watching ----

    def received(self, process: Process, link: str, message: msgspec.Struct) -> None:
        """See `Surroundings`."""
        super().received(process, link, message)
        if process.name == self.name and isinstance(message, TOLD):
            self._hear(str(message.__struct_config__.tag), flat_fields(message))

    def sending(self, process: Process, effect: Send) -> None:
        """See `Surroundings`."""
        super().sending(process, effect)
        if process.name == self.name and effect.link == "entry":
            self._hear(str(effect.message.__struct_config__.tag), flat_fields(effect.message))

    def noted(self, process: Process, effect: Note) -> None:
        """See `Surroundings`."""
        super().noted(process, effect)
        if process.name == self.name:
            self._hear(f"note {effect.event}", effect.fields)

    def _hear(self, what: str, fields: Mapping[str, Any]) -> None:
        self.heard.append(TrialLine(self.scheduler.now_ns - self._began_ns, what, fields))
