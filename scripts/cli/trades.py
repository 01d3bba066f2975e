"""`fixring trades`: the blotter, from the journal's files alone, whatever runs."""

import time
from collections.abc import Iterator, Sequence
from datetime import time as clock
from decimal import Decimal
from zoneinfo import ZoneInfo

import click
import orjson

from common.config import Config, load
from common.csv_text import csv_text
from common.decimals import short
from common.exit_status import ExitStatus
from common.fix.schedule import Period, Schedule
from common.instant import NS_PER_S
from common.orders.blotter import Blotter, BlotterLine
from common.orders.fold import Fold
from common.past.replay import blocks
from common.past.select import parse_point
from common.past.words import time_text
from scripts.cli.errors import CommandError
from scripts.cli.journal import FROM, TO, Range
from scripts.cli.journal_parts import AS_JSON, checked
from scripts.cli.money import NOBODY
from scripts.cli.tables import table
from scripts.journal.past import books_at

TITLES = (
    "time", "lsn", "kind", "strategy", "order", "venue", "account", "symbol", "quantity", "price", "value", "fee",
    "fee_asset", "role", "trade",
)  # fmt: skip
"""Of CSV, and of JSON."""


@click.command()
@click.option("--strategy", default="", help="Only this strategy's; 'nobody' is what is of no order of ours.")
@click.option("--venue", default="", help="Only at this venue.")
@click.option("--symbol", default="", help="Only in this symbol.")
@click.option("--day", metavar="DATE", help="Only of this day, such as 2026-05-01, as [money] begins one.")
@FROM
@TO
@click.option("--csv", "as_csv", is_flag=True, help="CSV, in which no cell is a formula.")
@AS_JSON
@checked
def trades(
    strategy: str, venue: str, symbol: str, day: str | None, start: str | None, end: str | None, as_csv: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """What moved positions: fills, busts, corrections, late fees and bookings. Without a range, those of today.

    Added up, the lines are the positions.
    """
    config = load()
    place = _place(config, day, start, end)
    wanted = [line for line in _lines(config, place) if _is_asked(line, strategy, venue, symbol)]
    if as_csv:
        click.echo(csv_text(TITLES, (_row(line) for line in wanted)), nl=False)
    elif as_json:
        rows = [dict(zip(TITLES, map(_plain, _row(line)), strict=True)) for line in wanted]
        click.echo(orjson.dumps({"environment": config.environment.value, "lines": rows}))
    else:
        _print(config, wanted)


def _place(config: Config, day: str | None, start: str | None, end: str | None) -> Range:
    """The range that is asked for; without one the day of now."""
    if day is None and (start or end):
        return Range(None, start, end)
    if start or end:
        raise CommandError("give --day, or --from and --to", ExitStatus.USAGE)
    days = config.stack.money.to_schedule() or _UTC_DAYS
    period = days.current(time.time_ns()) if day is None else _period_of(days, day)
    place = Range(None, None, None)
    if period is not None:
        place.from_lsn = place.reader.first_at(period.start_ns)
        place.upto_lsn = place.reader.first_at(period.end_ns) - 1
    return place


def _period_of(days: Schedule, day: str) -> Period:
    """The day that begins on that date in its own zone."""
    try:
        midnight_ns = parse_point(f"{day}T00:00:00", 0).stamp_ns or 0
    except ValueError:
        raise CommandError(f"{day}: no date such as 2026-05-01", ExitStatus.USAGE) from None
    around = (days.current(midnight_ns + hours * 3600 * NS_PER_S) for hours in range(-24, 49, 12))
    found = next((p for p in around if p is not None and days.text(p.start_ns).startswith(day)), None)
    if found is None:
        raise CommandError(f"{day}: no day begins on that date", ExitStatus.USAGE)
    return found


def _lines(config: Config, place: Range) -> Iterator[BlotterLine]:
    """What the range's records have moved, on the books as they were before it. Raises JournalError."""
    books = books_at(config, place.reader, place.from_lsn - 1)
    blotter = Blotter(Fold(books))
    for block in blocks(place.reader, books.lsn + 1, place.upto_lsn):
        for record in block.records:
            lines = list(blotter.take_record(record))
            if record.lsn >= place.from_lsn:
                yield from lines


def _is_asked(line: BlotterLine, strategy: str, venue: str, symbol: str) -> bool:
    asked_for = ((strategy, line.strategy or "nobody"), (venue, line.venue), (symbol, line.symbol))
    return all(wanted in ("", its) for wanted, its in asked_for)


def _row(line: BlotterLine) -> tuple[object, ...]:
    order = f"{line.strategy}/{line.number}" if line.number else ""
    fee_asset, fee = line.fees[0] if line.fees else ("", Decimal(0))
    return (
        time_text(line.stamp_ns), line.lsn, line.kind.value, line.strategy, order, line.venue, line.account,
        line.symbol, line.qty, line.px, line.value, fee, fee_asset, "maker" if line.maker else "", line.trade_key,
    )  # fmt: skip


def _plain(cell: object) -> object:
    return f"{cell:f}" if isinstance(cell, Decimal) else cell


def _print(config: Config, wanted: Sequence[BlotterLine]) -> None:
    click.echo(f"{config.environment.value}: {len(wanted)} lines")
    table(
        ("time (UTC)", "LSN", "kind", "order", "account", "symbol", "quantity", "price", "fee", "trade"),
        [
            (time_text(line.stamp_ns), line.lsn, line.kind.value.replace("_", " "),
             f"{line.strategy}/{line.number}" if line.number else line.strategy or NOBODY, line.account, line.symbol,
             short(line.qty), short(line.px) if line.px else "-",
             ", ".join(f"{short(paid)} {asset}" for asset, paid in line.fees), line.trade_key)
            for line in wanted
        ],
    )  # fmt: skip


_UTC_DAYS = Schedule(start=clock(0), end=clock(0), zone=ZoneInfo("UTC"))
"""Where the configuration begins no day."""
