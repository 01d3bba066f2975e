"""Both sides of Coinbase Prime, in memory and at sockets of the loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.common.venues.both_sides import BothSides
from tests.common.venues.served import Served


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    """The simulated exchange, and our side of it."""
    return BothSides("coinbaseprime", tmp_path)


@pytest.fixture
def served(sides: BothSides) -> Iterator[Served]:
    """The same, with its listeners at ports of their own."""
    with Served(sides.world) as served:
        yield served
