"""`fixring simulate`: the whole system in one process under a seeded adversary."""

import os
from collections.abc import Iterable, Sequence

import click
import orjson

from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError
from scripts.simulation.bridged import VENUES
from scripts.simulation.coverage import FileCoverage, Rest, Unmeasured, measure, measure_rest
from scripts.simulation.invariants import INVARIANTS
from scripts.simulation.many import Summary, Total, find_all_planted, run_many
from scripts.simulation.plan import SENTENCES, VERSION
from scripts.simulation.planted import BUGS, STEPS
from scripts.simulation.planted_seeds import write_seed
from scripts.simulation.run import Case, Result, run, shrink, timeline

LINES = 120


@click.command()
@click.option("--seed", default=0, show_default=True, help="The first seed.")
@click.option("--seeds", default=1, show_default=True, help="How many seeds, from the first on.")
@click.option("--steps", default=STEPS, show_default=True, help="Turns of processes before the faults stop.")
@click.option("--without", multiple=True, type=click.Choice(sorted(SENTENCES)), help="Leave out a kind of fault.")
@click.option("--only", default=None, help="Keep only the faults of these numbers, such as 3,7 (`none` for none).")
@click.option(
    "--plan", "version", default=VERSION, show_default=True, type=click.IntRange(1, VERSION),
    help="How faults are drawn; the first way is kept for the seeds that failed under it.",
)  # fmt: skip
@click.option(
    "--bridge", default="", type=click.Choice(["", *VENUES]), show_choices=False,
    help=f"Trade at this venue through its bridge, and cut the power of the host of both logs: {', '.join(VENUES)}.",
)  # fmt: skip
@click.option(
    "--takeover", is_flag=True, help="On two hosts with a copy of the journal: one takes over from the other.",
)  # fmt: skip
@click.option("--planted", default="", help="Plant this bug in the cores; `all` looks for each in turn.")
@click.option("--write", "writes", is_flag=True, help="With `--planted all`: write where each was found into the code.")
@click.option("--jobs", default=0, help="Processes; 0 for one a core.")
@click.option("--shrink/--no-shrink", "shrinks", default=True, help="Look for a shorter case after a violation.")
@click.option("--coverage", "covers", is_flag=True, help="Print the branches of the cores that the seeds reach.")
@click.option(
    "--tests", "with_tests", is_flag=True, help="Coverage, and which of the rest the tests of the cores reach."
)
@click.option("--lines", default=LINES, show_default=True, help="Lines of the timeline that are shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--list", "lists", is_flag=True, help="List the invariants, the faults and the planted bugs.")
def simulate(
    seed: int,
    seeds: int,
    steps: int,
    without: tuple[str, ...],
    only: str | None,
    version: int,
    bridge: str,
    takeover: bool,
    planted: str,
    writes: bool,
    jobs: int,
    shrinks: bool,
    covers: bool,
    with_tests: bool,
    lines: int,
    as_json: bool,
    lists: bool,
) -> None:
    """Run the real cores on a fake network, disk and clock against the simulated exchanges, and check the invariants.

    Exit status 1 when one does not hold; the shortest command found that shows it is printed with a timeline.
    """
    if writes and planted != "all":
        raise CommandError("--write goes with --planted all", ExitStatus.USAGE)
    if lists:
        _list(as_json)
    elif planted == "all":
        _look_for_all(jobs or os.cpu_count() or 1, as_json, writes=writes)
    elif covers or with_tests:
        _cover(seed, seeds, steps, with_tests, as_json)
    else:
        case = Case(seed, steps, without, numbers_of(only), _bug(planted), version, bridge, takeover)
        if not case.draws_plan and (without or only is not None or (bridge and (planted or takeover))):
            raise CommandError("a plan is not drawn with --bridge or --takeover: --without and --only say nothing; nor "
                               "does --bridge go with --takeover or --planted", ExitStatus.USAGE)  # fmt: skip
        cases = [case._replace(seed=number) for number in range(seed, seed + seeds)]
        _run(cases, jobs or os.cpu_count() or 1, shrinks, lines, as_json)


def _bug(name: str) -> str:
    if name and name not in BUGS:
        raise CommandError(f"no planted bug is called {name!r}; `fixring simulate --list` shows them", ExitStatus.USAGE)
    return name


def numbers_of(only: str | None) -> frozenset[int] | None:
    """What `--only` keeps; None without it."""
    if only is None:
        return None
    try:
        return frozenset(int(number) for number in only.split(",") if number != "none")
    except ValueError:
        raise CommandError(f"--only {only}: give numbers, such as 3,7", ExitStatus.USAGE) from None


def _run(cases: list[Case], jobs: int, shrinks: bool, lines: int, as_json: bool) -> None:
    total = Total()
    failed: list[Result] = []
    for result in run_many(cases, min(jobs, len(cases))):
        total.add(result)
        if result.violation is not None:
            failed.append(result)
            if not as_json:
                click.echo(f"seed {result.case.seed}: {result.violation}", err=True)
    if as_json:
        click.echo(orjson.dumps(_document(total.summary, failed)))
    else:
        _show_summary(total.summary, len(failed))
        if failed:
            _show(failed[0], shrinks, lines)
    if failed:
        raise CommandError(f"{len(failed)} of {len(cases)} seeds violate an invariant")


def _show_summary(summary: Summary, failed: int) -> None:
    seconds = max(summary.seconds, 1e-9)
    click.echo(
        f"{summary.seeds} seeds, {summary.turns} turns, {summary.orders} orders at the exchanges, "
        f"{summary.fault_count} faults, {summary.deaths} deaths, {summary.records} journal records, "
        f"{summary.virtual_s:.0f} s of simulated time in {seconds:.1f} s"
    )
    click.echo(
        f"{summary.turns / seconds:.0f} turns/s, {summary.orders / seconds:.1f} orders/s, "
        f"{summary.fault_count / seconds:.1f} faults/s; violations: {failed}"
    )


def _show(result: Result, shrinks: bool, lines: int) -> None:
    smallest = shrink(result) if shrinks else result
    traced = run(smallest.case, traced=True)
    click.echo()
    for line in timeline(traced.lines, lines):
        click.echo(line)
    click.echo(f"\n{traced.violation}\n\nrepeat it with: {smallest.case.command}")


def _look_for_all(jobs: int, as_json: bool, *, writes: bool) -> None:
    rows: list[dict[str, object]] = []
    for name, result in find_all_planted(jobs):
        bug, found = BUGS[name], result.violation is not None
        if writes and found:
            write_seed(name, result.case.seed)
        invariant = "" if result.violation is None else result.violation.invariant
        rows.append({"bug": name, "found": found, "seed": result.case.seed, "within": bug.within, "by": invariant})
        if not as_json:
            verdict = f"seed {result.case.seed:3}, {invariant}" if found else "NOT FOUND"
            click.echo(f"{name:30} {verdict:40} (within {bug.within})")
    if as_json:
        click.echo(orjson.dumps({"planted": rows}))
    missed = [str(row["bug"]) for row in rows if not row["found"]]
    if missed:
        raise CommandError(f"not found: {', '.join(missed)}")


def _cover(seed: int, seeds: int, steps: int, with_tests: bool, as_json: bool) -> None:
    try:
        files = measure_rest(seed, seeds, steps) if with_tests else measure(seed, seeds, steps)
    except Unmeasured as error:
        raise CommandError(str(error)) from None
    if as_json:
        click.echo(orjson.dumps({"files": [file._asdict() for file in files]}))
        return
    for file in files:
        click.echo(f"{file.path:44} {file.taken:4} of {file.branches:4}  {_missed(file)}")
    branches, taken = sum(file.branches for file in files), sum(file.taken for file in files)
    click.echo(f"{'all':44} {taken:4} of {branches:4}  {100 * taken / max(1, branches):.1f} %{_untested(files)}")


def _missed(file: FileCoverage | Rest) -> str:
    if isinstance(file, FileCoverage):
        return _branches(file.missed)
    return f"tests: {_branches(file.tested) or '-'}; neither: {_branches(file.neither) or '-'}"


def _branches(branches: list[tuple[int, int]]) -> str:
    return ", ".join(f"{start}->{'exit' if end < 0 else end}" for start, end in branches)


def _untested(files: Sequence[FileCoverage | Rest]) -> str:
    rests = [file for file in files if isinstance(file, Rest)]
    if not rests:
        return ""
    tested, neither = sum(len(file.tested) for file in rests), sum(len(file.neither) for file in rests)
    return f"; of the rest {tested} by tests, {neither} by neither"


def _list(as_json: bool) -> None:
    planted = {name: bug.sentence for name, bug in BUGS.items()}
    if as_json:
        click.echo(orjson.dumps({"invariants": INVARIANTS, "faults": SENTENCES, "planted": planted}))
        return
    for title, rows in (("Invariants", INVARIANTS), ("Faults", SENTENCES), ("Planted bugs", planted)):
        click.echo(f"{title}\n{_table(rows.items())}\n")


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"  {name:28} {sentence}" for name, sentence in rows)


def _document(summary: Summary, failed: list[Result]) -> dict[str, object]:
    return {
        **summary._asdict(),
        "violations": [
            {"seed": r.case.seed, "turn": r.turns, "invariant": r.violation.invariant, "detail": r.violation.detail,
             "command": r.case.command}
            for r in failed
            if r.violation is not None
        ],
    }  # fmt: skip
