"""`fixring bridge`: what only a bridge can show of itself."""

import random
import tempfile
from pathlib import Path

import click
import orjson

from common.config import CHECKOUT, SERVED_VENUES, load
from common.exit_status import ExitStatus
from scripts.bridge_pair import BridgePair
from scripts.cli.errors import CommandError
from scripts.stack import StackFailed
from scripts.torture.bridge_kills import BridgeKills, KillReport

SHOWN_DIFFERENCES = 20


def _with_bridge(ctx: click.Context, param: click.Parameter, venue: str) -> str:
    venues = load(CHECKOUT / "configs", {SERVED_VENUES: ""}, before_start=True).venues
    names = [name for name, each in venues.items() if each.bridge is not None]
    if venue not in names:
        raise click.BadParameter(f"no venue called {venue!r} has a bridge; there is {', '.join(names)}")
    return venue


VENUE = click.argument("venue", callback=_with_bridge)
"""A venue of the configuration that has a bridge in front of it, served or not."""


@click.group()
def bridge() -> None:
    """Try the bridge in front of a venue that has no FIX."""


@bridge.command()
@VENUE
@click.option("--kills", default=100, show_default=True, help="How often it is killed.")
@click.option("--requests", default=10, show_default=True, help="New orders under way at each kill.")
@click.option("--seed", type=int, help="Decides what is sent and what the venue does wrong; drawn without one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the table.")
def kills(venue: str, kills: int, requests: int, seed: int | None, as_json: bool) -> int:
    """Kill the bridge of VENUE over requests without an answer, and tell what ended each.

    A bridge and a simulated exchange of their own, on ports and in a folder of their own. While the exchange answers
    late, not at all or unclearly, new orders, cancels and amendments are sent, and the bridge is killed with -9. What
    is undecided is read from the log that it leaves; the next life has to find out. In the end the log is compared
    with the exchange's books. Exit status 1 where anything differs or is still undecided.
    """
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="fixring-bridge-") as name:
        folder = Path(name)
        try:
            with BridgePair(folder, venue) as pair:
                report = BridgeKills(pair, folder, seed, requests).run(kills, lambda line: _say(line, as_json))
        except StackFailed as error:
            raise CommandError(str(error)) from error
    counts = [len(each.undecided) for each in report.kills]
    undecided = sum(count for (_, end), count in report.ends.items() if end == "nothing yet")
    if as_json:
        ends = [{"request": kind, "ended": end, "count": count} for (kind, end), count in report.ends.items()]
        document = {"seed": seed, "kills": kills, "undecided": counts, "ends": ends, "differences": report.differences}
        click.echo(orjson.dumps(document))
    else:
        _show(report, counts, seed)
    return ExitStatus.FAILURE if report.differences or undecided else ExitStatus.OK


def _say(line: str, as_json: bool) -> None:
    if not as_json:
        click.echo(line, err=True)


def _show(report: KillReport, counts: list[int], seed: int) -> None:
    click.echo(f"{len(counts)} kills (seed {seed}), {sum(counts)} requests undecided, at least {min(counts)} at each")
    for (kind, end), count in sorted(report.ends.items(), key=lambda item: -item[1]):
        click.echo(f"{count:8}  {kind}: {end}")
    click.echo(f"{len(report.differences)} differences between the bridge's log and the exchange's books")
    for line in report.differences[:SHOWN_DIFFERENCES]:
        click.echo(f"  {line}")
