"""`fixring trial`: one strategy against the real cores and the simulated exchanges, in one process."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click
import orjson

from common.config import StrategyConfig
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.strategy.signals import Signal
from scripts.cli.errors import CommandError
from scripts.simulation.invariants import Violation
from scripts.simulation.process import CoreRaised
from scripts.simulation.setting import CONFIG
from scripts.simulation.trial import NeverCame, Trial, TrialLine

SIDES = {"1": "buy", "2": "sell"}
VENUES = sorted(CONFIG.venues)
SYMBOLS = sorted({symbol for venue in CONFIG.venues.values() for symbol in venue.instruments})


@click.command()
@click.argument("program")
@click.option("--venue", "venues", multiple=True, type=click.Choice(VENUES), help="Where it trades; all by default.")
@click.option("--symbol", "symbols", multiple=True, type=click.Choice(SYMBOLS), help="What it trades; all by default.")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="One of its parameters, as in TOML."
)
@click.option("--signal", "signals", multiple=True, metavar="SIDE", type=click.Choice(sorted(SIDES.values())),
              help="Once it has prices it is sent this signal, of its first market.")  # fmt: skip
@click.option(
    "--seconds", default=10.0, show_default=True, help="How long it runs once it has prices, in simulated time."
)
@click.option("--seed", default=0, show_default=True, help="What the market does; the same seed, the same run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
def trial(
    program: str,
    venues: tuple[str, ...],
    symbols: tuple[str, ...],
    parameters: tuple[str, ...],
    signals: tuple[str, ...],
    seconds: float,
    seed: int,
    as_json: bool,
) -> int:
    """Try PROGRAM (module:Class) without the stack, and print what it sent, was told and noted.

    Exit status 1 where one of its hooks raised, 3 where it does not load or does not take its parameters.
    """
    own = StrategyConfig(
        program=program, venues=list(venues or VENUES), symbols=list(symbols or SYMBOLS),
        parameters=dict(map(_parameter, parameters)),
    )  # fmt: skip
    it = Trial(own, seed=seed)
    try:
        it.open()
        for number, side in enumerate(signals):
            it.signal(_signal(it, number, side))
        it.run_for(int(seconds * NS_PER_S))
    except (CoreRaised, NeverCame, Violation) as error:
        raise CommandError(f"the stack itself failed, not the strategy: {error}") from error
    _print(it, as_json)
    return ExitStatus.FAILURE if it.errors else ExitStatus.OK


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    try:
        return name, tomllib.loads(f"value = {value}", parse_float=Decimal)["value"] if equals else None
    except tomllib.TOMLDecodeError:
        return name, value


def _signal(it: Trial, number: int, side: str) -> Signal:
    market = next(iter(it.strategy.markets.values()))
    at = datetime.fromtimestamp(it.now.wall_ns / NS_PER_S, UTC)
    return Signal(id=f"trial-{number}", kind="trial", venue=market.venue, symbol=market.symbol, side=side, time=at)  # type: ignore[arg-type]


def _print(it: Trial, as_json: bool) -> None:
    for line in map(_json, it.heard) if as_json else _told(it):
        click.echo(line)
    for error in it.errors:
        click.echo(f"raised: {error}", err=True)


def _json(heard: TrialLine) -> bytes:
    return orjson.dumps({"at_ns": heard.at_ns, "what": heard.what, **heard.fields}, default=str)


def _told(it: Trial) -> Iterator[str]:
    """What went on in words, without what was said again, and how it ended."""
    said: set[object] = set()
    for heard in it.heard:
        name = heard.fields.get("number") if heard.what.endswith("?") else None
        text = _words(heard)
        last = (heard.fields["venue"], heard.fields["symbol"], text) if heard.what == "position" else None
        if text and not {name, last} & said:
            yield f"{heard.at_ns / NS_PER_S:9.3f} s  {text}"
        said |= {name, last} - {None}
    held = ", ".join(f"{each.quantity} {symbol} at {venue}" for (venue, symbol), each in it.strategy.positions.items())
    yield f"open orders: {len(it.strategy.orders)}; positions: {held or 'none'}"


def _words(heard: TrialLine) -> str:
    if heard.what in WORDS:
        return WORDS[heard.what](heard.fields)
    if not heard.what.startswith("note "):
        return ""
    shown = " ".join(f"{name}={value}" for name, value in heard.fields.items())
    return f"notes {heard.what.removeprefix('note ')} {shown}"


def _new(f: Mapping[str, Any]) -> str:
    price = "the market" if f["price"] is None else f["price"]
    return f"sends {f['number']}: {SIDES[f['side']]} {f['order_qty']} {f['symbol']} at {price} on {f['venue']}"


def _amend(f: Mapping[str, Any]) -> str:
    terms = [f"{name} {f[name]}" for name in ("order_qty", "price") if f[name] is not None]
    return f"sends {f['number']}: amend {f['target_number']} to {', '.join(terms)}"


def _outcome(f: Mapping[str, Any]) -> str:
    why = "" if f["reason"] == "none" else f": {f['text'] or f['reason']}"
    return f"{f['number']} {f['outcome']}{why}"


def _order(f: Mapping[str, Any]) -> str:
    return f"order {f['number']} {f['event']}: {f['status']}, {f['cum_qty']} of {f['order_qty']} filled"


WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "new_order?": _new,
    "amend?": _amend,
    "cancel?": lambda f: f"sends {f['number']}: cancel {f['target_number']}",
    "cancel_all?": lambda f: f"sends {f['number']}: cancel all",
    "outcome": _outcome,
    "order_event": _order,
    "position": lambda f: f"position {f['quantity']} {f['symbol']} at {f['venue']}",
}
"""By tag of a message: what it says, for a person."""
