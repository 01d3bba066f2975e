"""Names that a person types: each is one that there is, or wrong usage, which says what there is."""

from collections.abc import Iterable

import orjson

from common.config import Config
from common.exit_status import ExitStatus
from common.strategy.client import Client
from scripts.cli.errors import CommandError

ANSWER_S = 3.0


def known_name(kind: str, name: str, known: Iterable[str]) -> None:
    """See that the `kind` (venue, symbol, ...) called `name` is one of `known`; "" names none and passes.

    Raises CommandError with the usage status.
    """
    names = sorted(set(known))
    if name and name not in names:
        raise CommandError(f"{name}: no such {kind}; there is {', '.join(names) or 'none'}", ExitStatus.USAGE)


def known_market(config: Config, venue: str, symbol: str) -> None:
    """See that the configuration has the venue and the symbol there. Raises CommandError with the usage status."""
    known_name("venue", venue, config.venues)
    known_name("symbol", symbol, config.venues[venue].instruments)


def known_scope(config: Config, client: Client, venue: str, symbol: str, strategy: str) -> None:
    """See that what a command is narrowed to is something that configuration or log know; "" narrows nothing.

    Raises CommandError with the usage status, and what `Client.query` raises.
    """
    log = orjson.loads(client.query("names", strategy=strategy, venue=venue, timeout_s=ANSWER_S).detail)
    symbols = {symbol for its in config.venues.values() for symbol in its.instruments}
    known_name("symbol", symbol, symbols | set(log["symbols"]))
    if not log["strategy_known"]:
        known_name("strategy", strategy, config.strategies)
