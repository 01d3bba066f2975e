"""CSV that a spreadsheet shows as it is: no cell of it is taken for a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from common.printable import printable

FORMULAS: Final = ("=", "+", "-", "@")
"""What a cell begins with that a spreadsheet computes."""


def csv_text(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The rows under their titles. A text that a spreadsheet would compute has an apostrophe before it; a Decimal and
    an int are numbers, and stand as they are."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return file.getvalue()


def _cell(cell: object) -> str:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    text = printable(str(cell))
    return f"'{text}" if not isinstance(cell, int) and text.startswith(FORMULAS) else text
