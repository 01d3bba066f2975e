"""`fixring bench journal`: appends by batch size and durability; verification, replay and opening."""

import tempfile
from pathlib import Path

import click

from common.config import load
from scripts.cli.bench_shown import AS_JSON, show
from scripts.journal.bench import AppendFigures, ReadFigures, measure_append, measure_reading

BATCHES = (1, 10, 100)


@click.command()
@click.option("--records", default=300_000, show_default=True, help="Records of the journal that is read.")
@click.option("--seconds", default=1.0, show_default=True, help="How long each kind of append is measured.")
@AS_JSON
def journal(records: int, seconds: float, as_json: bool) -> None:
    """The journal alone: append, verify, replay, open. On the disk where the stack's journal is."""
    config = load()
    parent = config.journal_folder.parent
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
        folder = Path(name)
        appends = [
            measure_append(folder / f"{durability}-{batch}", batch, durability, seconds)
            for durability in ("disk", "process")
            for batch in BATCHES
        ]
        reading = measure_reading(folder / "orders", records, config)
    document = {"append": [figures._asdict() for figures in appends], "read": reading._asdict()}
    show(document, _lines(appends, reading), as_json=as_json)


def _lines(appends: list[AppendFigures], reading: ReadFigures) -> list[str]:
    lines = [f"{'durability':<12}{'batch':>6}{'appends/s':>14}{'p50 us':>10}{'p99 us':>10}"]
    lines += [
        f"{figures.durability:<12}{figures.batch:>6}{figures.appends_per_s:>14,.0f}{figures.p50_us:>10.1f}"
        f"{figures.p99_us:>10.1f}"
        for figures in appends
    ]
    lines += [
        "",
        f"a journal of {reading.records:,} records, {reading.journal_bytes / 1e6:,.0f} MB:",
        f"  verified                 {reading.verified_per_s:>10,.0f} records/s",
        f"  read                     {reading.read_per_s:>10,.0f} records/s",
        *(f"  into {name:<20}{rate:>10,.0f} records/s" for name, rate in reading.replayed_per_s.items()),
        f"  opened in                {reading.open_s:>10.2f} s",
    ]
    return lines
