"""`fixring strategy`: how each strategy's process stands, and its stop and start without touching the rest."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import orjson

from common.actor.control import NoAnswer, NotRunning, Refused, ask, ask_all
from common.config import Config, load
from common.exit_status import ExitStatus
from common.orders.money import Held
from common.strategy.client import NotRunning as OrdersNotRunning
from scripts.cli.asking import asked
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name
from scripts.cli.orders import QUERY_S, connected, json_option
from scripts.cli.tables import table
from scripts.cli.watching import watchable

SUPERVISOR: Final = "supervisor-strategies"
ANSWER_S: Final = 2.0
ACT_S: Final = 10.0
"""How long the supervisor's answer to an act is awaited: it reads the whole configuration first."""

END_S: Final = 15.0
"""How long an act is followed until the process has begun or ended."""

LOOK_S: Final = 0.1
LATEST_LINES: Final = 5
GIVEN_UP: Final = ("halted", "refused")
yes_option = click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
Row = dict[str, Any]


@click.group()
def strategy() -> None:
    """The strategies: how each one stands, and its stop, start and restart while all else goes on."""


# ---- how they stand ----


@strategy.command("list")
@json_option
@watchable
def list_strategies(as_json: bool) -> None:
    """Every strategy of the configuration, and those that run without being in it any more."""
    config = load()
    rows = strategy_rows(config)
    if as_json:
        click.echo(orjson.dumps({"environment": config.environment.value, "strategies": rows}))
        return
    click.echo(f"environment {config.environment.value}")
    counts = ("open_orders", "fills", "refused", "raised", "long_turns")
    titles = (each.replace("_", " ") for each in counts)
    table(
        ("strategy", "state", "pid", "restarts", "on exit", "quiet", *titles, "note"),
        [
            (name, row["state"], row["pid"] or "-", row["restarts"], row["on_exit"], _quiet_text(row),
             *(row[each] for each in counts), "; ".join(row["notes"]) or "-")
            for name, row in rows.items()
        ],
    )  # fmt: skip


@strategy.command()
@click.argument("strategy")
@json_option
def show(strategy: str, as_json: bool) -> None:
    """Everything about one STRATEGY: its process, counts, limits, what it holds, and the latest troubles in its log."""
    config = load()
    rows = strategy_rows(config)
    known_name("strategy", strategy, rows)
    log = config.paths.log / f"strategy@{strategy}.jsonl"
    its = config.stack.strategies.get(strategy)
    document: Row = {
        "environment": config.environment.value,
        "strategy": strategy,
        **rows[strategy],
        "table": None if its is None else msgspec.to_builtins(its, str_keys=True, order="deterministic"),
        "limits": msgspec.to_builtins(config.stack.risk.strategy(strategy)),
        "holds": _holds(config, strategy),
        "log": str(log),
        "troubles": _troubles(log),
    }
    if as_json:
        click.echo(orjson.dumps(document, default=str))
        return
    for key, value in document.items():
        for nth, line in enumerate(_lines_of(value)):
            click.echo(f"{key if not nth else '':16} {line}".rstrip())


def strategy_rows(config: Config) -> dict[str, Row]:
    """How each strategy stands, by name. Raises CommandError where their supervisor does not answer."""
    children = asked(config.reach, SUPERVISOR, "status", {})["actors"]
    names = sorted({*config.stack.strategies, *(actor.partition("@")[2] for actor in children)})
    actors = [f"strategy@{name}" for name in names]
    answers = ask_all(config.reach, [(actor, "status", {}) for actor in ("orders", *actors)], ANSWER_S)
    watched = answers.details.get("orders", {}).get("strategies", {})
    assert isinstance(watched, dict)
    return {
        name: _row(config, name, children.get(actor), answers.details.get(actor), watched.get(name, {}))
        for name, actor in zip(names, actors, strict=True)
    }


def _row(
    config: Config,
    name: str,
    child: Mapping[str, Any] | None,
    own: Mapping[str, Any] | None,
    watched: Mapping[str, Any],
) -> Row:
    its, told, counts = config.stack.strategies.get(name), own or {}, (own or {}).get("counts", {})
    long_turns: Mapping[str, Mapping[str, int]] = told.get("long_turns", {})
    return {
        "state": _state(config, name, child, own),
        "program": "" if its is None else its.program,
        "on_exit": watched.get("on_exit") or ("-" if its is None else its.on_exit.value),
        **{key: (child or {}).get(key, default) for key, default in _OF_CHILD.items()},
        "sign": watched.get("sign", "-"),
        "quiet_ms": watched.get("quiet_ms"),
        "open_orders": told.get("open_orders", watched.get("open_orders", 0)),
        "unanswered": told.get("unanswered", 0),
        "fills": counts.get("fills", 0),
        "refused": counts.get("refused", 0),
        "raised": counts.get("errors", 0),
        "errors": told.get("errors", []),
        "raising": told.get("raising", {}),
        "long_turns": sum(row["count"] for row in long_turns.values()),
        "long_by_hook": long_turns,
        "notes": _notes(config, name, child, told, watched),
    }


_OF_CHILD: Final[Mapping[str, object]] = {"pid": 0, "restarts": 0, "last_exit": "", "stopped": ""}


def _state(config: Config, name: str, child: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> str:
    if own is not None:
        return str(own["state"])
    if child is None:
        its = config.stack.strategies[name]
        return "not added" if name in config.strategies else "not served" if its.enabled else "disabled"
    if child["stopped"] and not child["pid"]:
        return "stopped"
    return "not answering" if child["phase"] == "serving" else str(child["phase"])


def _notes(
    config: Config, name: str, child: Mapping[str, Any] | None, told: Mapping[str, Any], watched: Mapping[str, Any]
) -> list[str]:
    notes = [f"{hook} RAISES {error}" for hook, error in told.get("raising", {}).items()]
    if watched.get("sign") == "silent" and not (child or {}).get("stopped"):
        notes.append("SILENT")
    if child is None:
        return notes
    if child["stopped"]:
        notes.append(f"stopped by {child['stopped']}")
    elif child["last_exit"]:
        notes.append(f"last: {child['last_exit']}")
    if name not in config.strategies:
        notes.append("not in the configuration any more, or not enabled there")
    return notes


def _quiet_text(row: Row) -> str:
    """Since when the order manager has not heard of it."""
    return "-" if row["quiet_ms"] is None or row["sign"] == "ended" else f"{row['quiet_ms'] / 1000:.1f} s"


def _holds(config: Config, name: str) -> dict[str, str] | None:
    """Its own part of each position, by account and symbol; None where the order manager does not answer."""
    try:
        with connected(config) as client:
            held = msgspec.json.decode(client.query("money", timeout_s=QUERY_S).detail, type=Held)
    except (CommandError, OrdersNotRunning):
        return None
    parts = [part for part in held.parts if part.strategy == name and part.position.quantity]
    return {f"{account} {symbol}": str(p.position.quantity) for p in parts for account, symbol in [p.place]}


def _troubles(log: Path) -> list[str]:
    """The latest warnings and errors of a strategy's own log, oldest first."""
    latest: deque[str] = deque(maxlen=LATEST_LINES)
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            latest.extend(line.strip() for line in lines if '"level":"warning"' in line or '"level":"error"' in line)
    except OSError:
        return []
    return list(latest)


def _lines_of(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{key} = {_inner(inner)}" for key, inner in value.items()] or ["-"]
    if isinstance(value, list):
        return [str(inner) for inner in value] or ["-"]
    return [_inner(value)]


def _inner(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inner(inner)}" for key, inner in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(_inner, value)) or "-"
    return "-" if value is None or value == "" else str(value)


# ---- what is done to one ----


@strategy.command()
@click.argument("strategy")
def stop(strategy: str) -> None:
    """Stop STRATEGY's process. It stays stopped, over restarts of the stack too, until `strategy start`.

    What becomes of its open orders is its `on_exit`.
    """
    config = load()
    _act(config, strategy, "stop")
    child = _wait(config, strategy, lambda child: not child["pid"])
    if child["pid"]:
        raise CommandError(f"{strategy} has not ended within {END_S:.0f} s: fixring strategy list", ExitStatus.TIMEOUT)
    click.echo(f"{strategy} is stopped, until: fixring strategy start {strategy}")


@strategy.command()
@click.argument("strategy")
@yes_option
def start(strategy: str, yes: bool) -> None:
    """Start STRATEGY again, after a stop by hand or after its supervisor gave it up."""
    config = load()
    if not yes:
        click.confirm(f"Start {strategy}? It trades from then on.", abort=True, err=True)
    _begin(config, strategy, "start")


@strategy.command()
@click.argument("strategy")
def restart(strategy: str) -> None:
    """End STRATEGY's process and start another, which reads its code and its tables anew.

    A configuration that is not sound is refused, and the process goes on.
    """
    _begin(load(), strategy, "restart")


@strategy.command()
@click.argument("strategy")
@yes_option
def add(strategy: str, yes: bool) -> None:
    """Take up STRATEGY, which came into the configuration since the stack was started.

    The others keep what they were started with. A configuration that is not sound changes nothing.
    """
    config = load()
    known_name("strategy", strategy, config.strategies)
    if not yes:
        click.confirm(f"Take {strategy} up? It trades from then on.", abort=True, err=True)
    _begin(config, strategy, "add")


def _begin(config: Config, name: str, act: str) -> None:
    """Have its process begun, and follow that until it serves. Raises CommandError where it does not."""
    before = children_of(config).get(f"strategy@{name}", {}).get("pid", 0)
    _act(config, name, act)
    child = _wait(
        config,
        name,
        lambda child: child["phase"] in GIVEN_UP or (child["phase"] == "serving" and child["pid"] != before),
    )
    if child["phase"] != "serving":
        log = config.paths.log / f"strategy@{name}.jsonl"
        raise CommandError(f"{name} is {child['phase']}, after {child['last_exit'] or 'no exit'}; see {log}")
    click.echo(f"{name} runs (process {child['pid']})")


def _act(config: Config, name: str, act: str) -> None:
    try:
        ask(config.reach, SUPERVISOR, act, {"name": f"strategy@{name}"}, ACT_S)
    except NotRunning:
        raise CommandError("the stack is not running: scripts/start", ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    except Refused as error:
        known_name("strategy", name, strategy_names(config))
        raise CommandError(str(error), ExitStatus.REFUSED) from None


def strategy_names(config: Config) -> list[str]:
    """Those of the configuration, and those that their supervisor has."""
    return sorted({*config.stack.strategies, *(actor.partition("@")[2] for actor in children_of(config))})


def children_of(config: Config) -> dict[str, Row]:
    """What the supervisor knows of each strategy's process, by actor. Raises CommandError where it does not answer."""
    children: dict[str, Row] = asked(config.reach, SUPERVISOR, "status", {})["actors"]
    return children


def _wait(config: Config, name: str, is_over: Callable[[Row], bool]) -> Row:
    """Its row at the supervisor once that is so, or when there was no more time."""
    deadline_s = time.monotonic() + END_S
    while True:
        child = children_of(config)[f"strategy@{name}"]
        if is_over(child) or time.monotonic() > deadline_s:
            return child
        time.sleep(LOOK_S)
