"""Both sides of the venue in whose folder a test stands, in memory and at sockets of the loopback."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import BothSides, Desk
from tests.common.venues.served import Served


@pytest.fixture
def sides(request: pytest.FixtureRequest, tmp_path: Path) -> BothSides:
    """The simulated exchange, and our side of it."""
    return BothSides(request.path.parent.name, tmp_path)


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    """Our order entry, logged on."""
    return sides.desk()


@pytest.fixture
def served(sides: BothSides) -> Iterator[Served]:
    """The same, with its listeners at ports of their own."""
    with Served(sides.world) as served:
        yield served


@pytest.fixture
def rest_path() -> str:
    """What stands behind host and port in the address of the venue's REST side."""
    return ""


@pytest.fixture
def rest(sides: BothSides, served: Served, rest_path: str) -> Iterator[object]:
    """Our REST side, as fast as it can: how fast it may be is not tried here."""
    assert sides.credentials is not None
    url = f"http://127.0.0.1:{served.port('rest')}{rest_path}"
    opened = find_rest(sides.venue.dialect)(RestSettings("x", url, sides.credentials, 2000))
    opened.api.throttle = lambda cost=None: None  # type: ignore[attr-defined]
    yield opened
    opened.api.close()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def ccxt() -> Iterator[Any]:
    """The whole of CCXT: elsewhere in this process it may have been entered without its own `__init__`."""

    def ours() -> dict[str, Any]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "ccxt"}

    def replace(modules: dict[str, Any]) -> None:
        for name in ours():
            del sys.modules[name]
        sys.modules.update(modules)

    entered = ours()
    replace({})
    importlib.import_module("ccxt.pro")
    yield sys.modules["ccxt"]
    replace(entered)
