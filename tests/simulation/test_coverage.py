"""What simulation never reaches is tested, but for a rest that may only get smaller."""

from collections import Counter
from pathlib import PurePath

import pytest

from scripts.simulation.coverage import measure_rest

NEITHER_AT_MOST = {
    "services/exchange": 2,
    "services/orders": 9,
    "services/risk": 3,
    "services/session": 2,
}
"""Branches that neither takes, by folder, not by file: code moves between files. Lower a number when it falls."""


@pytest.mark.proof
def test_what_simulation_never_reaches_is_tested() -> None:
    files = measure_rest(1, 150, 2000)
    found: Counter[str] = Counter()
    for file in files:
        found[str(PurePath(file.path).parent)] += len(file.neither)
    more = {folder: count for folder, count in found.items() if count > NEITHER_AT_MOST.get(folder, 0)}
    named = "\n".join(f"{file.path}: {file.neither}" for file in files if str(PurePath(file.path).parent) in more)
    assert not more, f"branches that neither the simulation nor a test takes: {more}\n{named}"
