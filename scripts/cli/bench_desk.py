"""`fixring bench desk` and `bench past`: what the desk costs beside the ring, and how soon it shows the past."""

import click

from scripts.bench.desk import (
    DeskFigures,
    RingFigures,
    measure_desk,
    measure_ring_with,
    measure_ring_without,
    median_ring,
)
from scripts.bench.past import measure_past
from scripts.bench.ring import BenchFailed
from scripts.cli.bench_shown import AS_JSON, show
from scripts.cli.errors import CommandError
from scripts.stack import StackFailed


@click.command()
@click.option("--readers", default=5, show_default=True, help="Live pages that are held open.")
@click.option("--events", default=2000, show_default=True, help="Records of the journal a second.")
@click.option("--seconds", default=60.0, show_default=True, help="How long each is measured.")
@click.option(
    "--runs", default=5, show_default=True, help="Runs of the real stack without and with the desk, in turn; 0 none."
)
@AS_JSON
def desk(readers: int, events: int, seconds: float, runs: int, as_json: bool) -> None:
    """The desk's CPU for each record, its and its readers' part of a core, its lag and memory; the ring with it and
    without, in turn, medians."""
    without, beside, figures = [], [], []
    try:
        alone = measure_desk(readers, events, seconds)
        for _ in range(runs):
            without.append(measure_ring_without(events, seconds))
            ring, its = measure_ring_with(readers, events, seconds)
            beside.append(ring)
            figures.append(its)
    except (BenchFailed, StackFailed) as error:
        raise CommandError(str(error)) from error
    document: dict[str, object] = {"alone": alone._asdict()}
    lines = [f"{alone.readers} readers for {alone.seconds:.0f} s each", _HEAD, _desk_line("desk alone", alone)]
    lines += [_desk_line(f"in stack {run}", each) for run, each in enumerate(figures, 1)]
    if runs:
        bare, full = median_ring(without), median_ring(beside)
        document |= {
            "beside": [each._asdict() for each in figures], "ring_without": bare._asdict(), "ring_with": full._asdict()
        }  # fmt: skip
        lines += [
            f"medians of {runs} runs each, in turn",
            f"{'':14}{'p50 us':>10}{'orders/s':>12}{'records/s':>12}",
            _ring_line("without desk", bare),
            _ring_line("with desk", full),
            f"{'ratio':14}{full.p50_us / bare.p50_us:>10.2f}{full.orders_per_s / bare.orders_per_s:>12.2f}",
        ]
    show(document, lines, as_json=as_json)


@click.command()
@click.option("--records", default=200_000, show_default=True, help="Records of the journal.")
@click.option("--every", default=20_000, show_default=True, help="Records from one snapshot to the next.")
@click.option("--moments", default=5, show_default=True, help="How many moments are looked at.")
@AS_JSON
def past(records: int, every: int, moments: int, as_json: bool) -> None:
    """Time travel: how long a moment of a long journal takes, by the command that the desk runs for it."""
    its = measure_past(records, every, moments)
    lines = [
        f"a journal of {its.records:,} records, a snapshot each {its.replayed:,}; load {its.load}/{its.cores}",
        f"{'record':>10}{'seconds':>10}{'CPU s':>10}",
        *(f"{each.lsn:>10,}{each.wall_s:>10.2f}{each.cpu_s:>10.2f}" for each in its.moments),
    ]
    show({**its._asdict(), "moments": [each._asdict() for each in its.moments]}, lines, as_json=as_json)


_HEAD = (
    f"{'':14}{'records/s':>10}{'us/record':>10}{'desk %':>8}{'readers %':>11}{'lag p50 s':>11}{'max s':>7}"
    f"{'MB before':>11}{'after':>7}{'load':>8}"
)


def _desk_line(name: str, its: DeskFigures) -> str:
    return (
        f"{name:14}{its.records_per_s:>10.0f}{its.cpu_us:>10.1f}{its.desk_percent:>8.1f}"
        f"{its.readers_percent:>11.1f}{its.lag_p50_s:>11.2f}{its.lag_max_s:>7.2f}"
        f"{its.before_bytes / 1e6:>11.1f}{its.after_bytes / 1e6:>7.1f}{its.load:>6.1f}/{its.cores}"
    )


def _ring_line(name: str, its: RingFigures) -> str:
    return f"{name:14}{its.p50_us:>10.1f}{its.orders_per_s:>12,.0f}{its.records_per_s:>12,.0f}"
