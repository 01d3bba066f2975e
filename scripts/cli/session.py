"""`fixring session`: the FIX sessions, and what a person may do to one."""

from collections.abc import Callable
from typing import Any

import click
import orjson

from common.actor.control import NoAnswer, NotRunning, Refused, ask, ask_all
from common.config import Config, load
from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError

ANSWER_S = 2.0
COLUMNS = (
    ("state", "state", 14),
    ("generation", "generation", 11),
    ("connection", "connection", 12),
    ("next_outbound", "next out", 10),
    ("next_inbound", "next in", 10),
    ("gate", "gate", 8),
    ("kill", "kill", 12),
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")


@click.group()
def session() -> None:
    """The FIX sessions: how they stand, logon and logout by hand, sequence numbers."""


@session.command("list")
@json_option
def list_sessions(as_json: bool) -> None:
    """Every order entry and market data session."""
    config = load()
    names = _names(config)
    answers = ask_all(config.reach, [(name, "status", {}) for name in names], ANSWER_S)
    if as_json:
        errors = {name: {"state": "not running", "error": str(error)} for name, error in answers.errors.items()}
        click.echo(orjson.dumps({**answers.details, **errors}))
    else:
        click.echo(f"environment {config.environment.value}")
        click.echo(f"{'session':24}" + "".join(f"{title:>{width}}" for _, title, width in COLUMNS))
        for name in names:
            status = answers.details.get(name)
            click.echo(f"{name:24}{'not running':>14}" if status is None else _line(name, status))
    if not answers.details:
        raise CommandError("no session is running: scripts/start", ExitStatus.NOT_RUNNING)


@session.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Everything about session NAME (a venue, or an actor such as marketdata@generic)."""
    config = load()
    status = _ask(config, _actor(config, name), "status", {})
    document = {"environment": config.environment.value, **status}
    if as_json:
        click.echo(orjson.dumps(document))
        return
    for key, value in document.items():
        click.echo(f"{key:20} {value}")


@session.command()
@click.argument("name")
@yes_option
@json_option
def logon(name: str, yes: bool, as_json: bool) -> None:
    """Connect session NAME again, after a logout by hand or a halt."""
    _by_hand(name, "logon", {}, yes, as_json, lambda _: f"Log {name} on?")


@session.command()
@click.argument("name")
@yes_option
@json_option
def logout(name: str, yes: bool, as_json: bool) -> None:
    """Log session NAME out; it stays out, over restarts too, until `session logon`. Its orders stay open."""
    _by_hand(name, "logout", {}, yes, as_json, lambda _: f"Log {name} out? Its open orders stay open.")


@session.command()
@click.argument("name")
@yes_option
@json_option
def reset(name: str, yes: bool, as_json: bool) -> None:
    """Start both numbers of session NAME at 1 with the next logon, ResetSeqNumFlag(141)=Y. Only while logged out."""

    def question(status: dict[str, Any]) -> str:
        return (
            f"Start both numbers of {name} at 1 (now out {status['next_outbound']}, in {status['next_inbound']})? "
            "What the venue has not delivered yet is not resent."
        )

    _by_hand(name, "reset", {}, yes, as_json, question)


@session.command("set-seq")
@click.argument("name")
@click.option("--out", "next_outbound", type=click.IntRange(min=1), help="The next MsgSeqNum(34) that we send.")
@click.option("--in", "next_inbound", type=click.IntRange(min=1), help="The next MsgSeqNum(34) that we expect.")
@yes_option
@json_option
def set_seq(name: str, next_outbound: int | None, next_inbound: int | None, yes: bool, as_json: bool) -> None:
    """Set the numbers of session NAME. Only while logged out, and only where numbers persist."""
    if next_outbound is None and next_inbound is None:
        raise click.UsageError("give --out, --in or both")

    def question(status: dict[str, Any]) -> str:
        now = f"out {status['next_outbound']}, in {status['next_inbound']}"
        to = f"out {next_outbound or status['next_outbound']}, in {next_inbound or status['next_inbound']}"
        return f"Set the numbers of {name} from {now} to {to}?"

    arguments: dict[str, object] = {"next_outbound": next_outbound or 0, "next_inbound": next_inbound or 0}
    _by_hand(name, "set_seq", arguments, yes, as_json, question)


def _by_hand(
    name: str,
    act: str,
    arguments: dict[str, object],
    yes: bool,
    as_json: bool,
    question: Callable[[dict[str, Any]], str],
) -> None:
    """Ask for a confirmation that shows how things stand, then have it done; the session journals it."""
    config = load()
    actor = _actor(config, name)
    if not actor.startswith("session@"):
        raise click.UsageError(f"{actor} has no numbers of its own to keep; name an order entry session")
    if not yes:
        click.confirm(question(_ask(config, actor, "status", {})), abort=True, err=True)
    answer = _ask(config, actor, act, arguments)
    if as_json:
        click.echo(orjson.dumps({"session": actor, "act": act, **answer}))
        return
    click.echo(f"{actor}: {answer.get('text', 'done')}")
    if act != "logon" and _ask(config, actor, "status", {})["state"] == "halted":
        click.echo(f"It is halted and stays out: `fixring session logon {name}` connects it again.")


def _names(config: Config) -> list[str]:
    return [actor.name for actor in config.actors() if actor.name.startswith(("session@", "dropcopy@", "marketdata@"))]


def _actor(config: Config, name: str) -> str:
    """The actor that NAME means."""
    names = _names(config)
    for candidate in (name, f"session@{name}"):
        if candidate in names:
            return candidate
    raise click.UsageError(f"there is no session {name!r}; there is {', '.join(names)}")


def _ask(config: Config, actor: str, act: str, arguments: dict[str, object]) -> dict[str, Any]:
    try:
        return ask(config.reach, actor, act, arguments, ANSWER_S)
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    except Refused as error:
        raise CommandError(f"{actor}: {error}", ExitStatus.REFUSED) from None


def _line(name: str, status: dict[str, Any]) -> str:
    return f"{name:24}" + "".join(f"{status.get(key, '-')!s:>{width}}" for key, _, width in COLUMNS)
