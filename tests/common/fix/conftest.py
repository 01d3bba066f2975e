"""One suite, two transports: every case is played in memory and over TCP."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.common.fix.harness import TRANSPORTS, Play, Transport

MakePlay = Callable[..., Play]


@pytest.fixture(params=["memory", "tcp"])
def make_play(request: pytest.FixtureRequest) -> Iterator[MakePlay]:
    """Makes a Play with changed settings."""
    opened: list[Transport] = []

    def transport() -> Transport:
        opened.append(TRANSPORTS[request.param]())
        return opened[-1]

    def make(**changes: Any) -> Play:
        return Play(transport, **changes)

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def acceptor(make_play: MakePlay) -> Play:
    """An acceptor that is connected and waits for Logon(A)."""
    play = make_play()
    play.connect()
    return play


@pytest.fixture
def logged_on(acceptor: Play) -> Play:
    """An acceptor that is logged on, both next numbers 2."""
    acceptor.peer("35=A|34=1|98=0|108=30")
    acceptor.says("35=A|34=1|98=0|108=30")
    return acceptor


@pytest.fixture
def initiator(make_play: MakePlay) -> Play:
    """An initiator that is connected and has sent Logon(A)."""
    play = make_play(initiator=True)
    play.connect()
    play.says("35=A|34=1|98=0|108=30")
    return play
