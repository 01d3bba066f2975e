"""`fixring profit-history`: how profit came about over a time, from the journal's files alone."""

import click
import orjson

from common.config import load
from common.decimals import rounded
from common.instant import NS_PER_MS, NS_PER_S
from common.past.words import time_text
from scripts.cli.journal import FROM, TO, Range
from scripts.cli.journal_parts import AS_JSON, checked
from scripts.journal.profit import profit_history as samples_of


@click.command("profit-history")
@FROM
@TO
@click.option("--every", default=60, show_default=True, type=click.IntRange(1, 86_400), help="Seconds between two.")
@AS_JSON
@checked
def profit_history(start: str | None, end: str | None, every: int, as_json: bool) -> None:
    """Net profit by strategy over a time, of the day where one has begun.

    The journal has no market prices: each position is valued at the last price of a fill of ours in its symbol.
    """
    config = load()
    place = Range(None, start, end)
    samples = list(samples_of(config, place.reader, place.from_lsn, place.upto_lsn, every * NS_PER_S))
    if as_json:
        rows = [{"time_ms": s.time_ms, **{name: rounded(net) for name, net in s.net.items()}} for s in samples]
        click.echo(orjson.dumps({"currency": config.stack.money.currency, "samples": rows}))
        return
    for sample in samples:
        told = ", ".join(f"{name} {net:.2f}" for name, net in sample.net.items())
        click.echo(f"{time_text(sample.time_ms * NS_PER_MS)}  {told} {config.stack.money.currency}")
