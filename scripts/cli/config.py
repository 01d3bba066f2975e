"""`fixring config`: what the configuration says, value by value, and who says it."""

from pathlib import Path

import click
import orjson

from common.config import CHECKOUT, load
from common.config_origins import ConfiguredValue, configured_values
from scripts.cli.names import known_name
from scripts.cli.orders import json_option
from scripts.cli.tables import table


@click.group()
def config() -> None:
    """The configuration: every value, and where it comes from."""


@config.command()
@click.argument("section", required=False)
@json_option
def show(section: str | None, as_json: bool) -> None:
    """Every value with its origin, or those of SECTION: a section of the stack, a venue, or a table in one, such as
    strategies.maker or binance.fix.

    It is what a process that is started now goes by. Keys and passwords are files: what is shown is their paths.
    """
    its = load()
    everything = configured_values(its)
    values = [value for value in everything if section is None or _is_in(value, section)]
    if section is not None and not values:
        root = section.partition(".")[0]
        known_name("section", root, {value.keys[0] for value in everything})
        known_name("table or key", section, {".".join(value.keys[:2]) for value in everything if value.keys[0] == root})
    if as_json:
        rows = [{"key": ".".join(value.keys), "value": value.value, "origin": value.origin} for value in values]
        paths = {"configs": str(its.paths.config), "var": str(its.paths.var)}
        click.echo(orjson.dumps({"environment": its.environment.value, **paths, "values": rows}, default=str))
        return
    click.echo(f"environment {its.environment.value}, {its.paths.config}, state under {its.paths.var}")
    table(
        ("key", "origin", "value"),
        [(".".join(value.keys), _shown(value.origin), _text(value.value)) for value in values],
    )


def _is_in(value: ConfiguredValue, section: str) -> bool:
    return f"{'.'.join(value.keys)}.".startswith(f"{section}.")


def _text(value: object) -> str:
    """As a file would have it."""
    if value is None:
        return "none"
    return orjson.dumps(value, default=str).decode()


def _shown(origin: str) -> str:
    """A file below the checkout by its path there."""
    path = Path(origin)
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else origin
