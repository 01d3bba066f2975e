"""The page on the proof names what is planted, and within how many seeds or rounds it must be found."""

import re

from common.config import CHECKOUT
from scripts.fuzz.planted import FAULTS
from scripts.simulation.planted import BUGS

PAGE = (CHECKOUT / "docs/proof.md").read_text()


def test_every_planted_bug_stands_in_the_table() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted((name, bug.sentence, str(bug.within)) for name, bug in BUGS.items())


def test_every_planted_fault_of_the_fuzz_stands_in_the_table() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| `([a-z]+)` \| ([^|]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert rows == [(name, fault.target, fault.sentence, str(fault.within)) for name, fault in FAULTS.items()]
