"""`python -P -m services.strategies --name N`: one strategy of the configuration."""

import argparse
import importlib
import os
import sys
import time
import traceback

from common.actor.logs import ActorLog
from common.actor.process import read_clocks
from common.actor.shell import Shell
from common.actor.start import run_actor, shell_for
from common.config import Config, ConfigError, InstrumentConfig, OnStop, StrategyConfig
from common.instant import NS_PER_MS
from common.messages import EntryAnswer, FeedMessage
from common.strategy.entry import Vigil
from common.strategy.strategy import BadParameters, Market, Setting, Strategy, StrategyCore


def strategy_class(program: str) -> type[Strategy]:
    """The class that "module:Class" names. Raises ConfigError."""
    module, _, name = program.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:
        # It is somebody's code, which may raise anything; the same code raises it at every start.
        raise ConfigError(f"strategies: program {program!r}: {_told(error)}") from error
    if not isinstance(found, type) or not issubclass(found, Strategy):
        raise ConfigError(f"strategies: program {program!r} is no class derived from Strategy")
    return found


def _told(error: Exception) -> str:
    """What was raised, and where, in one line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{place.filename}:{place.lineno}: {type(error).__name__}: {error}"


def setting_of(name: str, own: StrategyConfig, config: Config) -> Setting:
    """What the strategy is given: its markets are each of its symbols at each of its venues that has it."""
    markets = tuple(
        _market(venue, config.venues[venue].instruments[symbol])
        for venue in own.venues
        if venue in config.venues
        for symbol in own.symbols
        if symbol in config.venues[venue].instruments
    )
    vigil = Vigil(own.silent_after_ms * NS_PER_MS, own.on_exit is OnStop.CANCEL)
    return Setting(name, markets, own.parameters, vigil)


def _market(venue: str, i: InstrumentConfig) -> Market:
    return Market(venue, i.symbol, i.base, i.quote, i.tick_size, i.lot_size, i.min_qty, i.min_notional, i.contract)


def takes_signals(kind: type[Strategy]) -> bool:
    """Whether the class wants signals, so that the process binds a socket for them."""
    return kind.on_signal is not Strategy.on_signal


def core_of(kind: type[Strategy], setting: Setting, instance: str) -> StrategyCore:
    """The strategy as an actor. Raises ConfigError where its parameters are wrong, or its constructor raises."""
    try:
        return StrategyCore(setting, kind, instance, takes_signals=takes_signals(kind))
    except BadParameters as error:
        raise ConfigError(str(error)) from None
    except Exception as error:
        raise ConfigError(f"strategies.{setting.name}: {kind.__name__} cannot be made: {_told(error)}") from error


def build(name: str, config: Config) -> Shell:
    """The strategy's core with its links. Raises ConfigError."""
    own = config.strategies.get(name)
    if own is None:
        known = ", ".join(config.strategies) or "none"
        raise ConfigError(f"strategies: there is no enabled strategy {name!r}; there is {known}")
    kind = strategy_class(own.program)
    instance = f"{os.getpid():x}-{time.time_ns():x}"
    core = core_of(kind, setting_of(name, own, config), instance)
    shell = shell_for(core, config)
    # Under its own routing id: what is still on its way to a former instance must not reach this one.
    shell.connect_dealer("entry", config.endpoint("entry"), EntryAnswer, identity=f"{core.name}/{instance}")
    shell.subscribe("feed", [config.endpoint(f"feed.{venue}") for venue in config.venues], FeedMessage)
    if takes_signals(kind):
        shell.bind_subscriber("signals", config.endpoint(f"signals.{name}"), None)
        shell.bind_publisher("signals.out", config.endpoint(f"signals.{name}.out"))
    return shell


def build_or_note(name: str, config: Config) -> Shell:
    """As `build`; why it could not be is noted in the strategy's own log, too. Raises ConfigError."""
    try:
        return build(name, config)
    except ConfigError as error:
        log = ActorLog(config.paths.log, f"strategy@{name}")
        fields = {"why": str(error), "traceback": "".join(traceback.format_exception(error.__cause__))}
        log.write("error", "not_started", fields, read_clocks())
        log.close()
        raise


def main() -> int:
    """Run until stopped."""
    parser = argparse.ArgumentParser(prog="python -P -m services.strategies")
    parser.add_argument("--name", required=True, help="a [strategies.NAME] of the configuration")
    name: str = parser.parse_args().name
    return run_actor(lambda config: build_or_note(name, config))


if __name__ == "__main__":
    sys.exit(main())
