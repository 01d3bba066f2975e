"""`fixring alerts`: what fires, since when, who has seen it, and whether a notice arrives where it is to."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click
import msgspec
import orjson

from common.alerts import LOG, LONGEST_SILENCE_S, AlertsStanding, FiringAlert, Silence, SinkStanding
from common.config import Config, load
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from scripts.cli.asking import asked
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name
from scripts.cli.orders import json_option
from scripts.cli.tables import table
from scripts.cli.watching import watchable

ALERTS = "alerts"
SLACK_S = 10.0
"""A sink may be at a letter, and then has its own time limit for the test."""


@click.group()
def alerts() -> None:
    """Alerts: what is told to people who do not look."""


@alerts.command("list")
@json_option
@watchable
def list_alerts(as_json: bool) -> None:
    """What fires, since when, and what to do; then how each sink does. Exit status 4 when alerts does not run."""
    config = load()
    status = asked(config.reach, ALERTS, "status", {})
    standing = msgspec.convert(status, AlertsStanding)
    if as_json:
        click.echo(orjson.dumps({"environment": config.environment.value, **msgspec.to_builtins(standing)}))
        return
    now_ns = time.time_ns()
    age_s = (now_ns - standing.polled_ns) / NS_PER_S
    where = standing.metrics or standing.metrics_failure or "nowhere"
    click.echo(f"environment {config.environment.value}; everybody was asked {age_s:.1f} s ago; metrics: {where}")
    if standing.silent:
        click.echo(f"does not answer: {', '.join(standing.silent)}")
    _show_firing(standing.firing, now_ns)
    if standing.silences:
        click.echo()
        table(("silenced rule", "subject", "until", "by", "why"), [_silence_row(each) for each in standing.silences])
    if standing.sinks:
        click.echo()
        table(("sink", "kind", "sent", "failed", "waiting", "given up", "last error"), _sink_rows(standing.sinks))


def _show_firing(firing: Sequence[FiringAlert], now_ns: int) -> None:
    if not firing:
        click.echo("nothing fires")
        return
    click.echo()
    table(
        ("severity", "rule", "subject", "for", "told", "seen", "what"),
        [
            (each.severity.value, each.rule, each.subject, lasting((now_ns - each.since_ns) // NS_PER_S), each.told,
             _seen(each), each.text)
            for each in firing
        ],
    )
    click.echo()
    for rule, mend in {each.rule: each.mend for each in firing}.items():
        click.echo(f"{rule}: {mend}")


def _seen(alert: FiringAlert) -> str:
    words = [f"by {alert.acknowledged.by}"] if alert.acknowledged is not None else []
    return "; ".join([*words, "silenced"] if alert.silenced is not None else words) or "-"


def _silence_row(silence: Silence) -> tuple[object, ...]:
    until = datetime.fromtimestamp(silence.until_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (silence.rule, silence.subject or "every one", until, silence.by, silence.why)


def _sink_rows(sinks: Sequence[SinkStanding]) -> list[tuple[object, ...]]:
    return [
        (each.name, each.kind, each.sent, each.failed, each.waiting, each.dropped, each.error or "-") for each in sinks
    ]


def lasting(seconds: int) -> str:
    """A time as people say it."""
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


# ---- what a person says ----


class Lasting(click.ParamType[int]):
    """How long: a number with s, m, h or d behind it, such as 90m; in seconds."""

    name = "time"
    _UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType`."""
        found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", str(value))
        seconds = 0 if found is None else int(found[1]) * self._UNITS_S[found[2]]
        if not 0 < seconds <= LONGEST_SILENCE_S:
            self.fail(f"{value}: say for how long as 30m, 2h or 1d, and 7d at most", param, ctx)
        return seconds


why_option = click.option("--why", required=True, help="What you say to it; the journal has it with your name.")
subject_argument = click.argument("subject", nargs=-1)


@alerts.command()
@click.argument("rule", default="")
@subject_argument
@click.option("--all", "all_of_them", is_flag=True, help="Everything that fires.")
@why_option
def ack(rule: str, subject: tuple[str, ...], all_of_them: bool, why: str) -> None:
    """Acknowledge what fires of RULE, of SUBJECT alone where one is named: it is not told again, but its end is.

    Exit status 6 when nothing of that fires.
    """
    if bool(rule) is all_of_them:
        raise CommandError("name a rule, or say --all", ExitStatus.USAGE)
    _say("ack", rule, subject, {"why": why})


@alerts.command()
@click.argument("rule")
@subject_argument
@click.option("--for", "for_s", type=Lasting(), required=True, help="How long, such as 30m, 2h or 1d; 7d at most.")
@why_option
def silence(rule: str, subject: tuple[str, ...], for_s: int, why: str) -> None:
    """Have nobody told of RULE for a time, or of SUBJECT alone; the log has it all the same.

    It ends by itself, which is told, and so is what fires then. The same again takes its place.
    """
    _say("silence", rule, subject, {"why": why, "for_s": for_s})


@alerts.command()
@click.argument("rule")
@subject_argument
def unsilence(rule: str, subject: tuple[str, ...]) -> None:
    """End the silence of RULE, or of RULE and SUBJECT, as `alerts list` shows it. Exit status 6 when there is none."""
    _say("unsilence", rule, subject, {})


def _say(act: str, rule: str, subject: Sequence[str], more: dict[str, object]) -> None:
    """Have alerts do it, and print what it says."""
    config = load()
    known_name("rule", rule, [each.name for each in config.stack.alerts.all_rules()])
    arguments = {"rule": rule, "subject": " ".join(subject), **more}
    click.echo(asked(config.reach, ALERTS, act, arguments, _patience_s(config))["text"])


def _patience_s(config: Config) -> float:
    """Whoever sends may be at a letter, and the answer waits for that."""
    return 2 * config.stack.alerts.timeout_s + SLACK_S


@alerts.command()
@click.argument("sink", default="")
def test(sink: str) -> None:
    """Have one notice sent that says it is a test: to SINK, or to the log and every sink.

    Exit status 1 when one could not be sent.
    """
    config = load()
    its = config.stack.alerts
    known_name("sink", sink, (LOG, *its.webhooks, *its.emails, *its.telegrams))
    told: dict[str, str] = asked(config.reach, ALERTS, "test", {"sink": sink}, _patience_s(config))["sent"]
    for name, error in told.items():
        click.echo(f"{name}: {error or 'sent'}")
    if any(told.values()):
        raise click.exceptions.Exit(ExitStatus.FAILURE)
