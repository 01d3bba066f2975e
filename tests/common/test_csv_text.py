"""CSV: no cell is taken for a formula, and numbers stay numbers."""

import csv
import io
from decimal import Decimal

import pytest

from common.csv_text import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@SUM(A1)"])
def test_a_text_that_a_spreadsheet_would_compute_stands_as_text(text: str) -> None:
    assert list(csv.reader(io.StringIO(csv_text(["a"], [[text]]), newline="")))[1] == [f"'{text}"]


@pytest.mark.parametrize("control", ["\t", "\r", "\n", "\x1b"])
def test_no_cell_holds_what_steers_a_reader(control: str) -> None:
    assert control not in csv_text(["a"], [[f"{control}=1"]]).removeprefix("a\n").rstrip("\n")


def test_numbers_stand_as_they_are() -> None:
    assert csv_text(["a", "b", "c"], [[Decimal("-1E+2"), -3, "x,y"]]) == 'a,b,c\n-100,-3,"x,y"\n'
