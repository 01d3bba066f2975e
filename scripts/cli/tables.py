"""Tables on a terminal: columns as wide as what stands in them, numbers to the right."""

import re
from collections.abc import Sequence
from typing import Final

import click

from scripts.printable import printable

_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?( [A-Za-z%/]+)?")


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print the rows under their titles; a column in which every cell is a number, or empty, stands to the right."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    is_right = [all(_is_number(row[nth]) for row in cells) and bool(cells) for nth in range(len(titles))]
    widths = [max(len(row[nth]) for row in (titles, *cells)) for nth in range(len(titles))]
    click.secho(_line(titles, widths, is_right), bold=True)
    for row in cells:
        click.echo(_line(row, widths, is_right))


def _is_number(cell: str) -> bool:
    return cell in ("", "-") or _NUMBER.fullmatch(cell) is not None


def _line(cells: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    placed = zip(cells, widths, is_right, strict=True)
    return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in placed).rstrip()
