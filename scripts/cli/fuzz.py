"""`fixring fuzz`: inputs that nobody should send, to the real code, and what must hold then."""

import os
from collections.abc import Iterable

import click
import orjson

from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError
from scripts.cli.simulate import numbers_of
from scripts.fuzz.planted import FAULTS
from scripts.fuzz.run import LEAST_SHARE, TARGETS, Job, Result, find_fault, jobs_for, run_rounds, shrink
from scripts.fuzz.target import Tally


class _Sum:
    """What a target's rounds come to."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.rounds = 0
        self.seconds = 0.0

    def add(self, result: Result) -> None:
        self.tally.add(result.tally)
        self.rounds += 1
        self.seconds += result.seconds


@click.command()
@click.option("--target", "targets", multiple=True, type=click.Choice(list(TARGETS)), help="Only this one.")
@click.option("--seed", default=0, show_default=True, help="The first seed.")
@click.option("--rounds", default=10, show_default=True, help="How many rounds of each target, one a seed.")
@click.option("--minutes", default=0.0, help="Begin rounds for so long, in place of a number of them.")
@click.option("--only", default=None, help="Of a round only the inputs of these numbers, such as 3,7.")
@click.option("--planted", default="", help="Plant this fault in the code; `all` looks for each in turn.")
@click.option("--jobs", default=0, help="Processes; 0 for one a core.")
@click.option("--shrink/--no-shrink", "shrinks", default=True, help="Look for fewer inputs after a finding.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--list", "lists", is_flag=True, help="List the targets and the planted faults.")
def fuzz(
    targets: tuple[str, ...],
    seed: int,
    rounds: int,
    minutes: float,
    only: str | None,
    planted: str,
    jobs: int,
    shrinks: bool,
    as_json: bool,
    lists: bool,
) -> None:
    """Give inputs that nobody should send to every link, every fold, the dialects, the index and the SDK.

    Exit status 1 when something that must hold does not, or when fewer than half of a target's inputs decode.
    """
    if lists:
        _list(as_json)
    elif planted == "all":
        _look_for_all(as_json)
    else:
        chosen = targets or tuple(TARGETS)
        wanted: Iterable[Job] = jobs_for(chosen, seed, rounds, minutes)
        if only is not None or planted:
            numbers, fault = numbers_of(only), _fault(planted)
            wanted = (job._replace(only=numbers, planted=fault) for job in jobs_for(chosen, seed, rounds, minutes))
        _run(wanted, jobs or os.cpu_count() or 1, shrinks=shrinks, as_json=as_json)


def _fault(name: str) -> str:
    if name and name not in FAULTS:
        raise CommandError(f"no planted fault is called {name!r}; `fixring fuzz --list` shows them", ExitStatus.USAGE)
    return name


def _run(wanted: Iterable[Job], processes: int, *, shrinks: bool, as_json: bool) -> None:
    sums: dict[str, _Sum] = {}
    found: list[Result] = []
    for result in run_rounds(wanted, processes):
        sums.setdefault(result.job.target, _Sum()).add(result)
        if result.finding:
            found.append(result)
            if not as_json:
                click.echo(f"{result.job.target}, seed {result.job.seed}: {result.finding[:400]}", err=True)
    if as_json:
        click.echo(orjson.dumps(_document(sums, found)))
    else:
        for name, its in sums.items():
            click.echo(_row(name, its))
        if found:
            smallest = shrink(found[0]) if shrinks else found[0]
            click.echo(f"\n{smallest.finding}\n\nrepeat it with: {smallest.job.command}")
    few = [name for name, its in sums.items() if its.tally.share < LEAST_SHARE]
    if found:
        raise CommandError(f"something does not hold in {len(found)} rounds")
    if few:
        raise CommandError(f"fewer than half of the inputs decode: {', '.join(few)}")


def _row(name: str, its: _Sum) -> str:
    inputs = its.tally.inputs.total()
    rate = inputs / max(its.seconds, 1e-9)
    return f"{name:10} {its.rounds:6} rounds {inputs:9} inputs, {its.tally.share:6.1%} decoded, {rate:8.0f} inputs/s"


def _document(sums: dict[str, _Sum], found: list[Result]) -> dict[str, object]:
    return {
        "targets": {
            name: {"rounds": its.rounds, "inputs": its.tally.inputs, "decoded": its.tally.decoded,
                   "share": its.tally.share, "seconds": its.seconds}
            for name, its in sums.items()
        },
        "findings": [
            {"target": job.target, "seed": job.seed, "text": text, "command": job.command} for job, _, _, text in found
        ],
    }  # fmt: skip


def _look_for_all(as_json: bool) -> None:
    rows: list[dict[str, object]] = []
    for name, fault in FAULTS.items():
        result = find_fault(name)
        found, seed = bool(result.finding), result.job.seed
        rows.append({"fault": name, "found": found, "seed": seed, "within": fault.within, "by": fault.target})
        if not as_json:
            verdict = f"seed {seed:3}, {fault.target}" if found else "NOT FOUND"
            click.echo(f"{name:30} {verdict:24} (within {fault.within})")
    if as_json:
        click.echo(orjson.dumps({"planted": rows}))
    missed = [str(row["fault"]) for row in rows if not row["found"]]
    if missed:
        raise CommandError(f"not found: {', '.join(missed)}")


def _list(as_json: bool) -> None:
    targets = {name: target.sentence for name, target in TARGETS.items()}
    planted = {name: fault.sentence for name, fault in FAULTS.items()}
    if as_json:
        click.echo(orjson.dumps({"targets": targets, "planted": planted}))
        return
    for title, rows in (("Targets", targets), ("Planted faults", planted)):
        click.echo(title)
        for name, sentence in rows.items():
            click.echo(f"  {name:28} {sentence}")
