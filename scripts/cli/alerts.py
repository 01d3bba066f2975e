"""`fixring alerts`: what fires, since when, and whether a notice arrives where it is to."""

import time
from collections.abc import Sequence

import click
import msgspec
import orjson

from common.alerts import LOG, AlertsStanding, FiringAlert, SinkStanding
from common.config import load
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from scripts.cli.asking import asked
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
    status = asked(config.paths.run, ALERTS, "status", {})
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
    if standing.sinks:
        click.echo()
        table(("sink", "kind", "sent", "failed", "waiting", "given up", "last error"), _sink_rows(standing.sinks))


def _show_firing(firing: Sequence[FiringAlert], now_ns: int) -> None:
    if not firing:
        click.echo("nothing fires")
        return
    click.echo()
    table(
        ("severity", "rule", "for", "told", "what"),
        [
            (each.severity.value, each.rule, lasting((now_ns - each.since_ns) // NS_PER_S), each.told, each.text)
            for each in firing
        ],
    )
    click.echo()
    for rule, mend in {each.rule: each.mend for each in firing}.items():
        click.echo(f"{rule}: {mend}")


def _sink_rows(sinks: Sequence[SinkStanding]) -> list[tuple[object, ...]]:
    return [
        (each.name, each.kind, each.sent, each.failed, each.waiting, each.dropped, each.error or "-") for each in sinks
    ]


def lasting(seconds: int) -> str:
    """A time as people say it."""
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


@alerts.command()
@click.argument("sink", default="")
def test(sink: str) -> None:
    """Have one notice sent that says it is a test: to SINK, or to the log and every sink.

    Exit status 1 when one could not be sent.
    """
    config = load()
    its = config.stack.alerts
    known_name("sink", sink, (LOG, *its.webhooks, *its.emails, *its.telegrams))
    timeout_s = 2 * its.timeout_s + SLACK_S
    told: dict[str, str] = asked(config.paths.run, ALERTS, "test", {"sink": sink}, timeout_s)["sent"]
    for name, error in told.items():
        click.echo(f"{name}: {error or 'sent'}")
    if any(told.values()):
        raise click.exceptions.Exit(ExitStatus.FAILURE)
