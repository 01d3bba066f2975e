"""`fixring torture`: the real stack under load, killed, stopped, cut and flooded, and compared after each."""

import os
import random
import shutil
import tempfile
import time
from pathlib import Path

import click
import orjson

from common.config import ENV_PREFIX, SERVED_VENUES, load
from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError
from scripts.stack import PrivateStack, StackFailed
from scripts.torture.faults import table
from scripts.torture.means import Means
from scripts.torture.run import RECOVERY_S, Torture, report, save


@click.command()
@click.option("--minutes", default=3.0, show_default=True, help="How long; the round under way is finished.")
@click.option("--seed", type=int, help="Decides the order of the faults and what they hit; drawn without one.")
@click.option("--rate", default=600.0, show_default=True, help="Commands a second over all venues.")
@click.option("--only", default="", metavar="FAULT", help="Only faults whose name has this in it (kill:, stop:orders).")
@click.option("--venues", metavar="NAME,NAME...", help="Against these venues; else those that a start serves.")
@click.option(
    "--bound", "bound_s", default=RECOVERY_S, show_default=True, help="Seconds to trade again at every venue."
)
@click.option("--require-all", "requires_all", is_flag=True, help="A fault that cannot be done here is a failure.")
@click.option("--keep", is_flag=True, help="Keep the stack's state also when nothing was found.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the table.")
def torture(
    minutes: float,
    seed: int | None,
    rate: float,
    only: str,
    venues: str | None,
    bound_s: float,
    requires_all: bool,
    keep: bool,
    as_json: bool,
) -> int:
    """Torture a stack of its own, on ports and in a folder of its own. Exit status 1 when anything differs.

    Each round is one fault under load, the time until every venue acknowledges an order again (at most `--bound`),
    and a comparison of all that strategies were told, the journal and the exchanges' own books. FIXRING__... overrides
    of the environment apply. One fault of each class comes first, in seeded order, then the rest; what this machine
    has no means for (strace for failing syncs, root for a disk to fill) is named at the end.
    """
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    served = {} if venues is None else {SERVED_VENUES: venues}
    folder = Path(tempfile.mkdtemp(prefix="fixring-torture-"))
    try:
        document = _run(folder, minutes, seed, rate, only, bound_s, as_json, requires_all=requires_all, served=served)
    except StackFailed as error:
        raise CommandError(f"{error} (state kept in {folder})") from error
    save(document, folder)
    is_good = bool(document["is_good"])
    if as_json:
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        _table(document)
    if is_good and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        click.echo(f"state, logs and report: {folder}", err=True)
    return ExitStatus.OK if is_good else ExitStatus.FAILURE


def _run(
    folder: Path,
    minutes: float,
    seed: int,
    rate: float,
    only: str,
    bound_s: float,
    quiet: bool,
    *,
    requires_all: bool,
    served: dict[str, str],
) -> dict[str, object]:
    def say(text: str) -> None:
        click.echo(text, err=quiet)

    overrides = {name: value for name, value in os.environ.items() if name.startswith(ENV_PREFIX)} | served
    names = [fault.name for fault in table(load(environ={**os.environ, **served}, before_start=True))]
    if not any(only in name for name in names):
        raise CommandError(f"no fault's name has {only!r} in it; there are {', '.join(names)}", ExitStatus.USAGE)
    say(f"seed {seed}; state in {folder}")
    means = Means(folder, with_disk=True)
    try:
        with (
            PrivateStack(folder, {**means.environ(), **overrides}) as stack,
            Torture(stack, seed, rate, say, bound_s=bound_s, means=means) as run,
        ):
            deadline_s = time.monotonic() + 60 * minutes
            for fault in run.faults(only):
                run.round(fault)
                if time.monotonic() >= deadline_s:
                    break
            return report(run, seed, rate, minutes, only, requires_all=requires_all)
    finally:
        # What the run has found is told all the same.
        kept = means.close()
        if kept:
            say(kept)


def _table(document: dict[str, object]) -> None:
    faults = document["faults"]
    assert isinstance(faults, dict)
    click.echo(f"{'fault':26}{'count':>6}{'median s':>10}{'worst s':>10}{'differences':>13}")
    for name, row in faults.items():
        times = f"{_seconds(row['median_s']):>10}{_seconds(row['worst_s']):>10}"
        click.echo(f"{name:26}{row['count']:>6}{times}{row['differences']:>13}  {row['left_out']}")
    click.echo(
        f"{document['rounds']} rounds, {document['commands']:,} commands ({document['commands_per_s']} a second), "
        f"{document['differences']} differences. Again: {document['command']}"
    )
    _omissions(document)


def _omissions(document: dict[str, object]) -> None:
    """What was not done, and why: no silence about a proof that is not one."""
    groups, left_out = document["groups_not_reached"], document["left_out"]
    assert isinstance(groups, list) and isinstance(left_out, dict)
    if document["faults_not_reached"]:
        which = f", and of these classes none: {', '.join(groups)}" if groups else "; of each class one was"
        click.echo(f"not reached in this time: {document['faults_not_reached']} faults{which}")
    for name, reason in left_out.items():
        click.echo(f"LEFT OUT: {name}: {reason}")
    if not left_out:
        click.echo("left out: nothing")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
