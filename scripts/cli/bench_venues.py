"""`fixring bench venues`: what an idle venue costs, with every other venue beside it."""

import click

from common.config import Environment
from common.exit_status import ExitStatus
from scripts.bench.venues import EQUAL, IdleVenue, measure_venues
from scripts.cli.bench_shown import AS_JSON, show
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name
from scripts.cli.venues import all_venues
from scripts.stack import StackFailed


@click.command()
@click.option("--venues", "wanted", default="", metavar="A,B", help="Only these; all that are simulated without it.")
@click.option("--seconds", default=60.0, show_default=True, help="How long they are measured, idle.")
@AS_JSON
def venues(wanted: str, seconds: float, as_json: bool) -> ExitStatus:
    """Memory and CPU of each venue's processes while nothing trades; then whether the maker quotes at each, and whether
    `reconcile` finds each equal. Exit status 0 where it does, at every venue, else 1."""
    names = _names(wanted)
    try:
        figures = measure_venues(names, seconds)
    except StackFailed as error:
        raise CommandError(str(error)) from error
    lines = [
        f"{len(names)} venues, READY after {figures.ready_s:.1f} s, idle for {figures.seconds:.0f} s, "
        f"load {figures.load} on {figures.cores} cores",
        f"{'venue':15}{'processes':>10}{'memory MB':>11}{'CPU %':>8}{'exchange MB':>13}{'CPU %':>8}{'quotes':>8}  books"
    ]
    lines += [_line(name, each) for name, each in figures.venues.items()]
    lines.append(f"{'all else':15}{'':10}{figures.rest_memory_mb:>11.1f}{figures.rest_cpu_percent:>8.2f}")
    rows = {name: each._asdict() for name, each in figures.venues.items()}
    show({**figures._asdict(), "venues": rows}, lines, as_json=as_json)
    is_well = all(each.quotes and each.books == EQUAL for each in figures.venues.values())
    return ExitStatus.OK if is_well else ExitStatus.FAILURE


def _line(name: str, each: IdleVenue) -> str:
    ours = f"{each.processes:>10}{each.memory_mb:>11.1f}{each.cpu_percent:>8.2f}"
    exchange = f"{each.exchange_memory_mb:>13.1f}{each.exchange_cpu_percent:>8.2f}"
    return f"{name:15}{ours}{exchange}{each.quotes:>8}  {each.books}"


def _names(wanted: str) -> list[str]:
    """The venues that are asked for. Raises CommandError with the usage status."""
    found = [name for name, venue in all_venues().items() if venue.environment is Environment.SIMULATED]
    names = [name for name in wanted.split(",") if name] or found
    for name in names:
        known_name("venue", name, found)
    return names
