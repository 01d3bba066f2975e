"""`fixring bench`: what it costs, as ratios to a peer measured in the same run."""

import statistics

import click

from common.config import ReplicationMode
from scripts.bench.bridge import measure_long_start, measure_trips
from scripts.bench.figures import Figures
from scripts.bench.floor import measure_floor
from scripts.bench.ring import BenchFailed, busy, measure_copied, measure_memory, measure_ring
from scripts.bench.session import measure_session
from scripts.bench.start import measure_start
from scripts.bench.takeover import measure_takeover
from scripts.cli.bench_codec import codec
from scripts.cli.bench_desk import desk, past
from scripts.cli.bench_journal import journal
from scripts.cli.bench_shown import AS_JSON, show
from scripts.cli.bench_venues import venues
from scripts.cli.bridge import VENUE
from scripts.cli.errors import CommandError
from scripts.nats import NoServer
from scripts.stack import StackFailed

ORDERS = click.option(
    "--orders", default=1000, show_default=True, help="Round trips; the rate is taken over ten times as many."
)
WINDOW = click.option("--window", default=500, show_default=True, help="Orders under way while the rate is taken.")
RUNS = click.option("--runs", default=3, show_default=True, help="Runs of each, in turn; medians are shown.")
DURABILITY = click.option("--durability", type=click.Choice(["disk", "process"]), default="disk", show_default=True)

_OWN_SLICE = "slice_us=0"
"""The stack with the system's own slices."""

_RING_HEAD = f"{'':12}{'p50 us':>10}{'p99 us':>10}{'p999 us':>10}{'orders/s':>12}"


@click.group()
def bench() -> None:
    """Measure; every figure stands beside a peer's from the same run."""


bench.add_command(codec)
bench.add_command(desk)
bench.add_command(past)
bench.add_command(journal)
bench.add_command(venues)


@bench.command()
@ORDERS
@WINDOW
@DURABILITY
@AS_JSON
def floor(orders: int, window: int, durability: str, as_json: bool) -> None:
    """The bare ring: same hops and syncs, no feature."""
    figures = measure_floor(orders, window, durable=durability == "disk")
    show(_document(figures), (_RING_HEAD, _line("floor", figures)), as_json=as_json)


@bench.command()
@ORDERS
@WINDOW
@RUNS
@DURABILITY
@click.option(
    "--busy", "beside", type=click.IntRange(min=0), default=0, show_default=True,
    help="Processes beside that use all they are given.",
)  # fmt: skip
@AS_JSON
def ring(orders: int, window: int, runs: int, durability: str, beside: int, as_json: bool) -> None:
    """The bare ring and the real stack, one after the other, side by side.

    With `--busy` the stack runs once more with the system's own slices of processor time, not the stack's.
    """
    durable = durability == "disk"
    measured: dict[str, list[Figures]] = {"floor": [], "ring": [], **({_OWN_SLICE: []} if beside else {})}
    try:
        with busy(beside):
            for _ in range(runs):
                measured["floor"].append(measure_floor(orders, window, durable=durable))
                measured["ring"].append(measure_ring(orders, window, durable=durable))
                if beside:
                    overrides = {"FIXRING__STACK__SLICE_US": "0"}
                    figures = measure_ring(orders, window, durable=durable, overrides=overrides)
                    measured[_OWN_SLICE].append(figures)
    except (BenchFailed, StackFailed) as error:
        raise CommandError(str(error)) from error
    medians = {name: _median(figures) for name, figures in measured.items()}
    bare, real = medians["floor"], medians["ring"]
    p50_ratio = real.trip_us["p50"] / bare.trip_us["p50"]
    rate_ratio = real.orders_per_s / bare.orders_per_s
    document = {name: _document(figures) for name, figures in medians.items()}
    head = f"medians of {runs} runs, durability {durability}, {window} orders under way for the rate"
    lines = (
        f"{head}, {beside} busy processes beside" if beside else head,
        _RING_HEAD,
        *(_line(name, figures) for name, figures in medians.items()),
        f"{'ratio':12}{p50_ratio:>10.2f}{'':20}{rate_ratio:>12.3f}",
    )
    ratios = {"p50_ratio": p50_ratio, "rate_ratio": rate_ratio}
    show({**document, **ratios, "runs": runs, "durability": durability, "busy": beside}, lines, as_json=as_json)


@bench.command()
@ORDERS
@WINDOW
@RUNS
@AS_JSON
def replication(orders: int, window: int, runs: int, as_json: bool) -> None:
    """The real stack with its journal copied in each of the three modes, one after the other, beside no copy.

    The servers of the copy are on this machine and sync every message: they take from the stack what elsewhere they
    would not.
    """
    measured: dict[str, list[Figures]] = {mode.value: [] for mode in ReplicationMode}
    try:
        for _ in range(runs):
            for mode in ReplicationMode:
                measured[mode.value].append(measure_copied(mode, orders, window))
    except (BenchFailed, StackFailed, NoServer) as error:
        raise CommandError(str(error)) from error
    medians = {mode: _median(figures) for mode, figures in measured.items()}
    lines = [f"medians of {runs} runs, durability disk, {window} orders under way for the rate", _RING_HEAD]
    lines += [_line(mode, figures) for mode, figures in medians.items()]
    show({"runs": runs, **{mode: _document(each) for mode, each in medians.items()}}, lines, as_json=as_json)


@bench.command()
@click.option("--trips", default=3000, show_default=True, help="Round trips of each.")
@AS_JSON
def session(trips: int, as_json: bool) -> None:
    """One durable FIX session alone, beside a bare write, sync and echo of the same bytes."""
    figures = measure_session(trips)
    ratios = {name: round(each["p50"] / figures["bare"]["p50"], 2) for name, each in figures.items()}
    lines = [f"{trips} round trips of each", f"{'':12}{'p50 us':>10}{'p99 us':>10}{'times bare':>12}"]
    lines += [f"{name:12}{us['p50']:>10.1f}{us['p99']:>10.1f}{ratios[name]:>12.2f}" for name, us in figures.items()]
    show({"round_trip_us": figures, "times_bare": ratios}, lines, as_json=as_json)


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
    lines = [f"{'after ' + format(orders, ',') + ' orders':30}{'before MB':>12}{'after MB':>12}{'bytes/order':>14}"]
    for name, figure in figures.items():
        before, after = figure["before_bytes"], figure["after_bytes"]
        lines.append(f"{name:30}{before / 1e6:>12.1f}{after / 1e6:>12.1f}{(after - before) / orders:>14.1f}")
    show({"orders": orders, "actors": figures}, lines, as_json=as_json)


@bench.command()
@click.option("--records", default=1_000_000, show_default=True, help="Records of the journal.")
@AS_JSON
def start(records: int, as_json: bool) -> None:
    """Time to READY with a long journal, without snapshots and from them."""
    try:
        figures = measure_start(records)
    except StackFailed as error:
        raise CommandError(str(error)) from error
    lines = (
        f"a journal of {figures.records:,} records, {figures.journal_bytes / 1e6:,.0f} MB; seconds to READY",
        f"  from snapshots     {figures.with_s:>8.1f}",
        f"  without            {figures.without_s:>8.1f}",
        f"  an empty journal   {figures.empty_s:>8.1f}",
        f"one round of snapshots of all of it, beside the running stack: {figures.snapshots_s:.1f} s",
    )
    show(figures._asdict(), lines, as_json=as_json)


@bench.command()
@click.option("--records", default=1_000_000, show_default=True, help="Records of the journal.")
@AS_JSON
def takeover(records: int, as_json: bool) -> None:
    """Time from `takeover --yes` on a warm standby to the venue's yes to Logon(A), with a long journal."""
    try:
        figures = measure_takeover(records)
    except StackFailed as error:
        raise CommandError(str(error)) from error
    lines = (
        f"a journal of {figures.records:,} records, {figures.journal_bytes / 1e6:,.0f} MB; the standby held it after "
        f"{figures.copied_s:.1f} s and was warm after {figures.warm_s:.1f} s",
        f"the first host killed, {figures.unfolded:,} records beyond the snapshots; seconds from `takeover --yes`",
        f"  until it had ended        {figures.takeover_s:>8.1f}",
        f"  until Logon(A) was taken  {figures.logon_s:>8.1f}",
        f"  until READY               {figures.ready_s:>8.1f}",
    )
    show(figures._asdict(), lines, as_json=as_json)


@bench.command()
@VENUE
@click.option("--trips", default=200, show_default=True, help="Orders of each, paced by the venue's limit.")
@click.option("--records", default=200_000, show_default=True, help="Records of the bridge's log; 0 leaves it out.")
@AS_JSON
def bridge(venue: str, trips: int, records: int, as_json: bool) -> None:
    """An order over the bridge of VENUE, beside CCXT alone; and the bridge's start with a long log."""
    try:
        figures = measure_trips(venue, trips)
    except StackFailed as error:
        raise CommandError(str(error)) from error
    rows = {"bridge: taken": figures.taken, "bridge: at venue": figures.acknowledged, "CCXT alone": figures.ccxt}
    ratio = figures.acknowledged["p50"] / figures.ccxt["p50"]
    lines = [f"{trips} orders of each, one at a time, at {venue}'s simulated REST side"]
    lines.append(f"{'':18}{'p50 us':>10}{'p99 us':>10}")
    lines += [f"{name:18}{us['p50']:>10.1f}{us['p99']:>10.1f}" for name, us in rows.items()]
    lines.append(f"{'ratio at p50':18}{ratio:>10.2f}")
    document: dict[str, object] = {"round_trip_us": rows, "p50_ratio": ratio}
    if records:
        start = measure_long_start(records)
        document["start"] = start._asdict()
        lines += [
            f"a log of {start.records:,} records, {start.orders:,} orders; seconds to read it",
            f"  from a snapshot    {start.with_s:>8.2f}, {start.in_memory:,} orders in memory",
            f"  without            {start.without_s:>8.2f}",
        ]
    show(document, lines, as_json=as_json)


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
