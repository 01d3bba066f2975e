"""A loop hears whatever is looked for beside it: a name that nobody answers for, a port that a stranger holds."""

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from common.actor.dialling import MOST, Dialler, Way, why_not_held
from common.actor.tcp import Endpoint
from common.config import Reach

PATIENCE_S = 10.0
NUMBER = ("127.0.0.1", 9500)


class Found:
    """A dialler whose wake-ups a test awaits."""

    def __init__(self) -> None:
        self.woken: SimpleQueue[None] = SimpleQueue()
        self.dialler = Dialler(lambda: self.woken.put(None))

    def next(self) -> Way:
        self.woken.get(timeout=PATIENCE_S)
        (way,) = self.dialler.take()
        return way


@pytest.fixture
def silent() -> Iterator[Endpoint]:
    """Somebody who is asked and says nothing until the test is over."""
    over = threading.Event()

    def why_not() -> str:
        over.wait(PATIENCE_S)
        return ""

    yield Endpoint((NUMBER,), why_not=why_not)
    over.set()


def test_a_number_needs_no_look_up() -> None:
    endpoint = Endpoint((NUMBER,))
    for address in (NUMBER, ("::1", 9500)):
        assert Found().dialler.find(1, endpoint, address) == Way(1, endpoint, address)


def test_a_name_is_looked_up_beside_the_loop() -> None:
    found, endpoint = Found(), Endpoint((("localhost", 9500),))
    assert found.dialler.find(1, endpoint, ("localhost", 9500)) is None
    way = found.next()
    assert (way.connection, way.address[0] in ("127.0.0.1", "::1"), way.why_not) == (1, True, "")


def test_a_name_that_there_is_not_is_said() -> None:
    found, endpoint = Found(), Endpoint((("no such host", 9500),))
    assert found.dialler.find(1, endpoint, ("no such host", 9500)) is None
    assert found.next().why_not.startswith("no such host:9500: ")


def test_whoever_says_nothing_holds_up_nobody_else(silent: Endpoint) -> None:
    found = Found()
    for connection in range(MOST - 1):
        assert found.dialler.find(connection, silent, NUMBER) is None
    assert found.dialler.find(7, Endpoint((NUMBER,), why_not=lambda: "it is a stranger's"), NUMBER) is None
    way = found.next()
    assert (way.connection, way.why_not) == (7, "it is a stranger's")
    assert found.dialler.find(8, silent, NUMBER) is None
    refused = found.dialler.find(9, silent, NUMBER)
    assert refused is not None and "look-ups have had no answer yet" in refused.why_not


def test_an_exchange_that_does_not_run_is_not_dialled(tmp_path: Path) -> None:
    assert "exchange@generic is not running" in why_not_held(Reach(tmp_path), "exchange@generic")
