"""What a person may have a supervisor do: start a child that was given up; of strategies, also stop, restart and add.

That a strategy is stopped is on the disk before its process is told. A strategy is begun only where the configuration
of now is sound and the running stack can serve it; what is wrong is answered, and nothing has changed then. What was
done is told to the order manager, which has it journaled, until that has taken it.
"""

import dataclasses
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from common.actor.acts import ActDone, Cannot, ControlAct, do_act
from common.actor.control import ask_all
from common.config import Actor, Config, ConfigError, Kind
from common.fix.wire import utc_timestamp
from common.instant import Instant
from common.link_roles import JOURNAL_ACT
from common.messages import ControlAnswer, ControlRequest
from services.supervisor.core import SupervisorCore
from services.supervisor.held import Held

ANSWER_S: Final = 0.3
UNTOLD: Final = 256
"""So many acts wait for the journal at most; the oldest goes first."""

STRATEGY: Final = "strategy@"


class ActArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which child is meant, by its actor's name."""

    name: str


class ByHand:
    """See the module. `running` is the configuration that the stack was started with."""

    def __init__(self, core: SupervisorCore, running: Config, held: Held, reread: Callable[[], Config]) -> None:
        """`reread` gives the configuration of now, and raises ConfigError."""
        self._core = core
        self._running = running
        self._held = held
        self._reread = reread
        self._untold: deque[ActDone] = deque(maxlen=UNTOLD)

        acts = ("start", "stop", "restart", "add") if core.kind is Kind.STRATEGIES else ("start",)
        self._acts = {act: ControlAct(ActArguments, partial(self._do, act)) for act in acts}

    def act(self, request: ControlRequest, now: Instant) -> ControlAnswer:
        """Do what a person asks, and say what came of it."""
        return do_act(f"supervisor@{self._core.kind}", self._acts, request, now)

    def _do(self, act: str, child: ActArguments, by: str, now: Instant) -> str:
        name, of_strategies = child.name, self._core.kind is Kind.STRATEGIES
        try:
            wrong = self._of_strategy(act, name, by, now) if of_strategies else self._core.start(name, now)
        except (ConfigError, OSError) as error:
            raise Cannot(str(error)) from error
        if wrong:
            raise Cannot(wrong)
        if of_strategies:
            self._untold.append(ActDone(name, act, by[:64], f"{by[:64]} {now.wall_ns}"))
        return ""

    def tell_journal(self) -> None:
        """Have the acts journaled that are not yet; the order manager knows one again that it was told before."""
        while self._untold:
            told = msgspec.to_builtins(self._untold[0])
            answers = ask_all(self._running.reach, [("orders", JOURNAL_ACT, told)], ANSWER_S, role=Kind.STRATEGIES)
            if "orders" not in answers.details:
                return
            self._untold.popleft()

    def tell_of_restart(self, name: str) -> None:
        """Have the order manager allow for the start of a strategy whose process ends, or has ended, to be started
        again. Where it does not answer it goes by what it hears of the strategy.
        """
        told: dict[str, object] = {"strategy": name.removeprefix(STRATEGY)}
        ask_all(self._running.paths.run, [("orders", "restarting", told)], ANSWER_S)

    def _of_strategy(self, act: str, name: str, by: str, now: Instant) -> str:
        if act == "stop":
            return self._stop(name, f"{by} at {utc_timestamp(now.wall_ns, 3).decode()}", now)
        config = self._reread()
        actor = _actor_of(name, config)
        if act == "add":
            return self._why_not_served(name, config) or self._core.add(actor, now)
        if act == "restart" and self._core.ends_by_restart(name):
            self.tell_of_restart(name)
        begin = self._core.start if act == "start" else self._core.restart_child
        wrong = begin(name, now)
        if not wrong:
            self._held.forget(name)
        return wrong

    def _stop(self, name: str, who: str, now: Instant) -> str:
        child = self._core.children.get(name)
        if child is not None and not child.held and not self._core.stopping:
            self._held.keep(name, who)
        return self._core.stop_child(name, who, now)

    def _why_not_served(self, name: str, config: Config) -> str:
        """Why the running stack, with the limits and markets of its start, cannot serve a new strategy; else ""."""
        strategy, running = name.removeprefix(STRATEGY), self._running
        again = "start the stack again, and it starts with it"
        if strategy not in config.strategies:
            return ""
        stack = dataclasses.replace(running, stack=msgspec.structs.replace(
            running.stack, strategies={strategy: config.stack.strategies[strategy]},
        ))  # fmt: skip
        if strategy not in stack.strategies:
            return f"{strategy}: none of its symbols is at a venue that the stack was started with; {again}"
        lacking = [symbol for symbol in config.strategies[strategy].symbols if symbol not in running.stack.risk.symbols]
        if lacking:
            return f"{strategy}: risk was started without [risk.symbols.{lacking[0]}]; {again}"
        if config.stack.risk.strategy(strategy) != running.stack.risk.strategy(strategy):
            return f"{strategy}: risk was started with other limits for it than [risk.strategies] has now; {again}"
        return ""


def _actor_of(name: str, config: Config) -> Actor:
    """The strategy's actor in the configuration. Raises ConfigError."""
    actors = {actor.name: actor for actor in config.actors(Kind.STRATEGIES)}
    if name not in actors:
        there = ", ".join(each.removeprefix(STRATEGY) for each in actors) or "none"
        file = config.paths.config / "fixring.toml"
        raise ConfigError(
            f"{file}: strategies: {name.removeprefix(STRATEGY)} is none that is enabled; there is {there}"
        )
    return actors[name]
