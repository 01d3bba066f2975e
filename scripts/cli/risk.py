"""`fixring risk`: limits and exposures, and halts that stop what adds risk without cancelling anything."""

from typing import Any

import click
import orjson

from common.config import Config, load
from common.exit_status import ExitStatus
from scripts.cli.asking import asked
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name
from scripts.cli.orders import log_knows_strategy
from scripts.cli.tables import table
from scripts.cli.watching import watchable

RISK = "risk"
EXPOSURE_COLUMNS = (
    "account",
    "symbol",
    "position",
    "underlying",
    "worst_long",
    "worst_short",
    "limit",
    "reference",
    "reference_age_ms",
)


@click.group()
def risk() -> None:
    """Risk: what could be held at worst against the limits, and halts."""


@risk.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the tables.")
@watchable
def show(as_json: bool) -> None:
    """Exposures with their limits, open orders by strategy, what is halted, and what was refused for which reason."""
    environment, status = load().environment.value, _ask("status", {})
    if as_json:
        click.echo(orjson.dumps({"environment": environment, **status}))
        return
    click.echo(f"environment {environment}")
    halts: list[str] = list(status["halts"])
    click.echo(f"risk is {status['state']} as of LSN {status['lsn']}; halted: {', '.join(halts) or 'nothing'}")
    table(EXPOSURE_COLUMNS, [[row[column] for column in EXPOSURE_COLUMNS] for row in status["exposures"]])
    strategies = status["strategies"].items()
    click.echo()
    table(
        ("strategy", "open orders", "limit"),
        [[name, row["open_orders"], row["max_open_orders"]] for name, row in strategies],
    )
    click.echo()
    table(("passed or refused", "count"), sorted(status["counts"].items()))


_venue = click.option("--venue", default="", help="Only at this venue.")
_account = click.option("--account", default="", help="Only in this account.")
_strategy = click.option("--strategy", default="", help="Only this strategy.")
_symbol = click.option("--symbol", default="", help="Only this symbol, at every venue.")


@risk.command()
@_venue
@_account
@_strategy
@_symbol
@click.option("--yes", is_flag=True, help="Halt also a strategy that neither the configuration nor the log knows.")
def halt(venue: str, account: str, strategy: str, symbol: str, yes: bool) -> None:
    """Refuse what adds risk, of the whole firm or of one venue, account, strategy or symbol; journaled, and it outlives
    restarts.

    Cancels pass, and so does lowering an order's quantity. Nothing is cancelled: that is `orders cancel-all` or `kill`.
    """
    config, scope = load(), _scope(venue=venue, account=account, strategy=strategy, symbol=symbol)
    _need_known(config, scope, yes)
    click.echo(_ask("halt", scope)["text"])


@risk.command()
@_venue
@_account
@_strategy
@_symbol
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
def unhalt(venue: str, account: str, strategy: str, symbol: str, yes: bool) -> None:
    """End a halt; it must be named as it was made."""
    scope = _scope(venue=venue, account=account, strategy=strategy, symbol=symbol)
    known_name("halt", " ".join(filter(None, scope.values())), _ask("status", {})["halts"])
    if not yes:
        click.confirm(f"End the halt of {' '.join(filter(None, scope.values()))}?", abort=True, err=True)
    click.echo(_ask("unhalt", dict(scope))["text"])


def _scope(**options: str) -> dict[str, str]:
    """The one scope that the options name. Raises CommandError for more than one."""
    named = [(scope, name) for scope, name in options.items() if name]
    if len(named) > 1:
        there = "name one of --venue, --account, --strategy and --symbol, or none for the whole firm"
        raise CommandError(there, ExitStatus.USAGE)
    scope, name = named[0] if named else ("firm", "")
    return {"scope": scope, "name": name}


def _need_known(config: Config, scope: dict[str, str], yes: bool) -> None:
    """See that the scope is of the configuration or of the log: a halt of nothing looks like one. Raises CommandError.

    The log's word is risk's, which holds what is open and owned; of a strategy it may be the order manager's as well.
    """
    status, name = _ask("status", {}), scope["name"]
    exposures = status["exposures"]
    match scope["scope"]:
        case "venue":
            known_name("venue", name, {*config.venues, *(place["venue"] for place in exposures)})
        case "account":
            known_name("account", name, {*config.accounts, *(place["account"] for place in exposures)})
        case "symbol":
            configured = {symbol for venue in config.venues.values() for symbol in venue.instruments}
            known_name("symbol", name, configured | {place["symbol"] for place in exposures})
        case "strategy":
            known = {*config.strategies, *config.stack.risk.strategies, *status["strategies"]}
            if name not in known and not yes and not log_knows_strategy(config, name):
                known_name("strategy (with --yes it is halted all the same)", name, known)


def _ask(act: str, arguments: dict[str, str]) -> dict[str, Any]:
    return asked(load().reach, RISK, act, dict(arguments))
