"""`fixring kill` and `fixring resume`: straight to every session and account, whatever else still runs."""

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click
import orjson

from common.actor.control import Answers, NotRunning, ask_all, is_held
from common.actor.kill_switch import actors_to_kill
from common.config import Config, ConfiguredAccount, load
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.journal.log import LOCK
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name
from scripts.cli.outside import NotKnown, find_outside, stranded

ANSWER_S = 2.0
POLL_S = 0.1


class Standing(NamedTuple):
    """How one account stands under the kill switch. `by` says who vouches that nothing is open, "" nobody yet.

    `watching_until_ns` is when what was under way at the kill can take effect no more, by the wall clock; 0 where it
    cannot already.
    """

    account: str
    latched: bool
    by: str
    text: str
    watching_until_ns: int = 0


_account = click.option("--account", default="", help="Only this account's sessions and the account itself.")


@click.command()
@click.option(
    "--wait", "wait_s", default=5.0, show_default=True, help="How long to wait until nothing is open, in seconds."
)
@_account
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
def kill(wait_s: float, account: str, as_json: bool) -> None:
    """Stop trading: refuse every new order, cancel every open one, verify that nothing is left.

    The latch is a file of each session and account, so it outlives them; `fixring resume` takes it off. Works with the
    journal, orders or risk stopped. Where only the account can look, what was under way may still arrive: the account
    goes on looking, and cancelling, until the time that is shown. Exit status 5 when something may still be open after
    the wait, 1 when the log or an emergency file holds what the configuration knows nothing of, 4 when nothing runs.
    """
    config = load()
    accounts = _accounts(config, account)
    actors = actors_to_kill(accounts, with_risk=not account)
    deadline_s = time.monotonic() + wait_s
    answers = _latch(config, actors)
    while not answers.details and _journal_runs(config) and time.monotonic() < deadline_s:
        # Its run folder was removed: the stack makes a new one within a second, and takes its places there.
        time.sleep(POLL_S)
        answers = _latch(config, actors)
    if not answers.details:
        raise CommandError(_why_none(config, answers), ExitStatus.NOT_RUNNING)
    while True:
        standings = _standings(config, accounts)
        if all(standing.by for standing in standings) or time.monotonic() >= deadline_s:
            break
        time.sleep(POLL_S)
    try:
        held = find_outside(config)
    except NotKnown as error:
        held = [str(error)]
    held += map(str, stranded(config))
    _show(config, standings, held, as_json)
    if held:
        raise CommandError("; ".join(held), ExitStatus.FAILURE)
    if not all(standing.by for standing in standings):
        raise CommandError(
            "something may still be open; the sessions go on cancelling, fixring status shows it", ExitStatus.TIMEOUT
        )


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask; this is the confirmation.")
@_account
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
def resume(yes: bool, account: str, as_json: bool) -> None:
    """Take the kill latch off every session, every account and risk."""
    config = load()
    actors = actors_to_kill(_accounts(config, account), with_risk=not account)
    if not yes:
        click.confirm(f"Resume trading ({config.environment.value})?", abort=True, err=True)
    questions: list[tuple[str, str, dict[str, object]]] = [
        (name, "resume", {"confirm": True}) for name in actors
    ]
    answers = ask_all(config.reach, questions, ANSWER_S)
    if not answers.details:
        raise CommandError(_why_none(config, answers), ExitStatus.NOT_RUNNING)
    if as_json:
        errors = {name: str(error) for name, error in answers.errors.items()}
        click.echo(orjson.dumps({"resumed": sorted(answers.details), "refused": errors}))
    else:
        for name in sorted(answers.details):
            click.echo(f"{name}: {answers.details[name].get('text', 'resumed')}")
    if answers.errors:
        failures = "; ".join(f"{name}: {error}" for name, error in sorted(answers.errors.items()))
        raise CommandError(failures, ExitStatus.REFUSED)


def _latch(config: Config, actors: list[str]) -> Answers:
    return ask_all(config.reach, [(name, "kill", {}) for name in actors], ANSWER_S)


def _journal_runs(config: Config) -> bool:
    """Whether some process has the journal open, whatever has become of the run folder."""
    return is_held(config.journal_folder / LOCK)


def _accounts(config: Config, account: str) -> list[ConfiguredAccount]:
    """The account of that name, or all of them."""
    if account:
        known_name("account", account, config.accounts)
    return [each for each in config.accounts.values() if account in ("", each.name)]


def _standings(config: Config, accounts: list[ConfiguredAccount]) -> list[Standing]:
    """Ask everybody where they stand."""
    names = actors_to_kill(accounts, with_risk=False)
    answers = ask_all(config.reach, [(name, "status", {}) for name in names], ANSWER_S)
    return [_standing(account, answers) for account in accounts]


def _standing(account: ConfiguredAccount, answers: Answers) -> Standing:
    """An account is clear when each of its sessions has confirmed it; where one cannot speak, the account over REST
    may."""
    name = account.name
    sessions = {session.name: answers.details.get(f"session@{session.name}", {}) for session in account.sessions}
    over_rest: dict[str, Any] = answers.details.get(f"account@{name}", {})
    told = [*sessions.values(), over_rest]
    if account.venue.bridge is not None:
        told.append(answers.details.get(f"bridge@{account.venue.name}", {}))
    # Who does not answer may be latched or not: those who do say it.
    latched = any(each.get("latched") for each in told) and all(each.get("latched") for each in told if each)
    failure = next((each["latch_failure"] for each in told if each.get("latch_failure")), "")
    note = f"; the latch is in memory only: {failure}" if failure else ""
    if all(session.get("kill") == "clear" for session in sessions.values()):
        return Standing(name, latched, "session", f"nothing is open, confirmed over FIX{note}")
    if over_rest.get("nothing_open"):
        return _by_account(name, latched, over_rest, note)
    if not any(told):
        return Standing(name, False, "", "neither a session of it nor the account itself answers")
    left = {session: told.get("may_be_open", "an unknown number of") for session, told in sessions.items()}
    shown = ", ".join(f"{count} orders of {session}" for session, count in left.items())
    return Standing(name, latched, "", f"cancelling; {shown} may be open{note}")


def _by_account(name: str, latched: bool, account: dict[str, Any], note: str) -> Standing:
    if account.get("verified"):
        return Standing(name, latched, "account", f"nothing is open, confirmed over REST{note}")
    until_ns = int(account.get("watching_until_ns", 0))
    until = datetime.fromtimestamp(until_ns // NS_PER_S, UTC)
    watching = f"watching for what may still be under way until {until:%H:%M:%S} UTC"
    return Standing(name, latched, "account", f"nothing is open over REST; {watching}{note}", until_ns)


def _show(config: Config, standings: list[Standing], held: list[str], as_json: bool) -> None:
    if as_json:
        accounts = {
            s.account: {
                "latched": s.latched,
                "clear": bool(s.by),
                "by": s.by,
                "text": s.text,
                "watching_until_ns": s.watching_until_ns,
            }
            for s in standings
        }
        click.echo(orjson.dumps({"environment": config.environment.value, "accounts": accounts, "outside": held}))
        return
    click.echo(f"environment {config.environment.value}")
    for standing in standings:
        click.echo(f"{standing.account}: {'latched' if standing.latched else 'NOT LATCHED'}, {standing.text}")


def _why_none(config: Config, answers: Answers) -> str:
    silent = [name for name, error in answers.errors.items() if not isinstance(error, NotRunning)]
    elsewhere = config.reach.elsewhere
    if silent and all(name in elsewhere for name in silent):
        hosts = sorted({elsewhere[name] for name in silent})
        return f"{answers.errors[silent[0]]}; nothing was told to {', '.join(hosts)}: kill there"
    return f"these run but do not answer: {', '.join(silent)}" if silent else "no session and no account is running"
