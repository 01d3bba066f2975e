"""The real process with several hosts: one that does not answer is passed over, and the one that does is kept."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.config import CHECKOUT
from common.fix.session import Session
from common.fix.session_types import Outbound
from common.instant import Instant
from tests.services.marketdata.test_core import ACCEPTOR

WAIT_S = 20.0


@pytest.fixture
def venue() -> Iterator[socket.socket]:
    """Where the fallback host listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT_S)
        yield listening


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A host that takes TCP connections and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT_S)
        yield listening


@pytest.fixture
def actor(short_folder: Path, venue: socket.socket, silent: socket.socket) -> Iterator[None]:
    """The market data actor between the two."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("FIXRING", "PYTHONPATH"))},
        "FIXRING_VAR": str(short_folder),
        "FIXRING__GENERIC__MARKET_DATA__PORT": str(silent.getsockname()[1]),
        "FIXRING__GENERIC__MARKET_DATA__FALLBACK_HOSTS": f'["127.0.0.1:{venue.getsockname()[1]}"]',
    }
    command = [sys.executable, "-P", "-m", "services.marketdata", "--venue", "generic"]
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environ)
    yield
    process.kill()
    process.wait()


def answer_logon(stream: socket.socket) -> None:
    """Be an acceptor until its Logon(A) has left."""
    now = Instant(time.time_ns(), time.monotonic_ns())
    session = Session(ACCEPTOR)
    session.connected(now)
    session.received(stream.recv(4096), now)
    for effect in session.take_effects():
        if isinstance(effect, Outbound):
            stream.sendall(effect.raw)


@pytest.mark.usefixtures("actor")
def test_the_next_host_is_tried_and_the_one_that_logged_us_on_comes_first_again(
    venue: socket.socket, silent: socket.socket
) -> None:
    silent.accept()[0].close()
    stream, _ = venue.accept()
    answer_logon(stream)
    assert b"\x0135=V\x01" in stream.recv(4096), "logged on, and subscribed"
    stream.close()
    again, _ = venue.accept()
    again.close()
    silent.accept()[0].close()
