"""How every benchmark shows its figures: one JSON document, or lines under one that names the interpreter."""

from collections.abc import Iterable, Mapping

import click
import orjson

from scripts.interpreter import interpreter

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of the table.")


def show(document: Mapping[str, object], lines: Iterable[str], *, as_json: bool) -> None:
    """Print the figures, with the interpreter that they were taken with in front."""
    if as_json:
        click.echo(orjson.dumps({"interpreter": interpreter(), **document}))
        return
    click.echo(interpreter())
    for line in lines:
        click.echo(line)
