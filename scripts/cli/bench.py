"""`fixring bench`: what it costs, as ratios to a peer measured in the same run."""

import statistics

import click
import orjson

from scripts.bench.figures import Figures
from scripts.bench.floor import measure_floor
from scripts.bench.ring import BenchFailed, measure_memory, measure_ring
from scripts.bench.start import measure_start
from scripts.cli.bench_codec import codec
from scripts.cli.bench_journal import journal
from scripts.cli.errors import CommandError
from scripts.stack import StackFailed

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the table.")
ORDERS = click.option(
    "--orders", default=1000, show_default=True, help="Round trips; the rate is taken over ten times as many."
)
WINDOW = click.option("--window", default=500, show_default=True, help="Orders under way while the rate is taken.")
RUNS = click.option("--runs", default=3, show_default=True, help="Runs of each, in turn; medians are shown.")
DURABILITY = click.option("--durability", type=click.Choice(["disk", "process"]), default="disk", show_default=True)


@click.group()
def bench() -> None:
    """Measure; every figure stands beside a peer's from the same run."""


bench.add_command(codec)
bench.add_command(journal)


@bench.command()
@ORDERS
@WINDOW
@DURABILITY
@AS_JSON
def floor(orders: int, window: int, durability: str, as_json: bool) -> None:
    """The bare ring: same hops and syncs, no feature."""
    figures = measure_floor(orders, window, durable=durability == "disk")
    if as_json:
        click.echo(orjson.dumps(_document(figures)))
        return
    click.echo(f"{'':12}{'p50 us':>10}{'p99 us':>10}{'p999 us':>10}{'orders/s':>12}")
    click.echo(_line("floor", figures))


@bench.command()
@ORDERS
@WINDOW
@RUNS
@DURABILITY
@AS_JSON
def ring(orders: int, window: int, runs: int, durability: str, as_json: bool) -> None:
    """The bare ring and the real stack, one after the other, side by side."""
    durable = durability == "disk"
    floors, rings = [], []
    for _ in range(runs):
        floors.append(measure_floor(orders, window, durable=durable))
        try:
            rings.append(measure_ring(orders, window, durable=durable))
        except (BenchFailed, StackFailed) as error:
            raise CommandError(str(error)) from error
    bare, real = _median(floors), _median(rings)
    p50_ratio = real.trip_us["p50"] / bare.trip_us["p50"]
    rate_ratio = real.orders_per_s / bare.orders_per_s
    if as_json:
        document = {"floor": _document(bare), "ring": _document(real), "p50_ratio": p50_ratio, "rate_ratio": rate_ratio}
        click.echo(orjson.dumps({**document, "runs": runs, "durability": durability}))
        return
    click.echo(f"medians of {runs} runs, durability {durability}, {window} orders under way for the rate")
    click.echo(f"{'':12}{'p50 us':>10}{'p99 us':>10}{'p999 us':>10}{'orders/s':>12}")
    click.echo(_line("floor", bare))
    click.echo(_line("ring", real))
    click.echo(f"{'ratio':12}{p50_ratio:>10.2f}{'':20}{rate_ratio:>12.3f}")


@bench.command()
@click.option("--orders", default=1_000_000, show_default=True, help="Orders that are opened and closed.")
@WINDOW
@AS_JSON
def memory(orders: int, window: int, as_json: bool) -> None:
    """Memory of each process before and after many orders."""
    try:
        figures = measure_memory(orders, window)
    except (BenchFailed, StackFailed) as error:
        raise CommandError(str(error)) from error
    if as_json:
        click.echo(orjson.dumps({"orders": orders, "actors": figures}))
        return
    click.echo(f"{'after ' + format(orders, ',') + ' orders':30}{'before MB':>12}{'after MB':>12}{'bytes/order':>14}")
    for name, figure in figures.items():
        before, after = figure["before_bytes"], figure["after_bytes"]
        click.echo(f"{name:30}{before / 1e6:>12.1f}{after / 1e6:>12.1f}{(after - before) / orders:>14.1f}")


@bench.command()
@click.option("--records", default=1_000_000, show_default=True, help="Records of the journal.")
@AS_JSON
def start(records: int, as_json: bool) -> None:
    """Time to READY with a long journal, without snapshots and from them."""
    try:
        figures = measure_start(records)
    except StackFailed as error:
        raise CommandError(str(error)) from error
    if as_json:
        click.echo(orjson.dumps(figures._asdict()))
        return
    click.echo(f"a journal of {figures.records:,} records, {figures.journal_bytes / 1e6:,.0f} MB; seconds to READY")
    click.echo(f"  from snapshots     {figures.with_s:>8.1f}")
    click.echo(f"  without            {figures.without_s:>8.1f}")
    click.echo(f"  an empty journal   {figures.empty_s:>8.1f}")
    click.echo(f"one round of snapshots of all of it, beside the running stack: {figures.snapshots_s:.1f} s")


def _median(figures: list[Figures]) -> Figures:
    names = figures[0].trip_us
    trip_us = {name: statistics.median(figure.trip_us[name] for figure in figures) for name in names}
    return Figures(trip_us, statistics.median(figure.orders_per_s for figure in figures))


def _document(figures: Figures) -> dict[str, object]:
    return {"round_trip_us": figures.trip_us, "orders_per_s": round(figures.orders_per_s)}


def _line(name: str, figures: Figures) -> str:
    trip_us = figures.trip_us
    return (
        f"{name:12}{trip_us['p50']:>10.1f}{trip_us['p99']:>10.1f}{trip_us['p999']:>10.1f}{figures.orders_per_s:>12,.0f}"
    )
