"""Tables on a terminal: columns as wide as what stands in them, numbers to the right."""

import re
from collections.abc import Sequence
from typing import Final

import click

from common.printable import printable

_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?( [A-Za-z%/]+)?")

_BAD: Final = frozenset({"UNKNOWN", "REJECTED", "EXPIRED", "VOID"})
"""Words that somebody should look at."""


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print the rows under their titles; a column in which every cell is a number, or empty, stands to the right.

    On a terminal losses and what is wrong are red.
    """
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    is_right = [all(_is_number(row[nth]) for row in cells) and bool(cells) for nth in range(len(titles))]
    widths = [max(len(row[nth]) for row in (titles, *cells)) for nth in range(len(titles))]
    click.secho(_line(titles, titles, widths, is_right), bold=True)
    for row in cells:
        click.echo(_line(row, [_painted(cell) for cell in row], widths, is_right))


def fitted(text: str, width: int) -> str:
    """As much of the text's first line as fits, with a mark where something is missing."""
    first, _, rest = text.partition("\n")
    return first if len(first) <= width and not rest else f"{first[: width - 1]}…"


def _is_number(cell: str) -> bool:
    return cell in ("", "-") or _NUMBER.fullmatch(cell) is not None


def _painted(cell: str) -> str:
    is_bad = cell in _BAD or (cell.startswith("-") and cell != "-" and _is_number(cell))
    return click.style(cell, fg="red") if is_bad else cell


def _line(cells: Sequence[str], shown: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    """The cells as they are shown, as wide as they are without colour."""
    line = []
    for cell, text, width, right in zip(cells, shown, widths, is_right, strict=True):
        room = " " * (width - len(cell))
        line.append(f"{room}{text}" if right else f"{text}{room}")
    return "  ".join(line).rstrip()
