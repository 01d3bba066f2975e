"""The real process: a host that does not answer is passed over, and outside its schedule none is dialled."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.actor.control import ask, is_running
from common.config import CHECKOUT, Weekday, load
from common.exit_status import ExitStatus
from common.fix.session import Session
from common.fix.session_types import Outbound
from common.instant import Instant
from scripts.cli.main import run
from tests.services.marketdata.test_core import ACCEPTOR

WAIT_S = 20.0
NAME = "marketdata@generic"
Start = Callable[..., None]


@pytest.fixture
def start(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts the actor with these values of its section, and what answers for the simulated exchange that it dials."""
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    children: list[subprocess.Popen[bytes]] = []

    def begin(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"FIXRING__GENERIC__MARKET_DATA__{name.upper()}", value)
        for name, *words in (
            ("exchange@generic", "tests.services.supervisor.stand_in", "--actor", "exchange@generic"),
            (NAME, "services.marketdata", "--venue", "generic"),
        ):
            command = [sys.executable, "-P", "-m", *words]
            children.append(subprocess.Popen(command, cwd=CHECKOUT, env=dict(os.environ)))
            await_running(name)

    yield begin
    for child in children:
        child.kill()
        child.wait()


def await_running(name: str) -> None:
    """Until the actor answers."""
    run_folder = load().paths.run
    until = time.monotonic() + WAIT_S
    while not is_running(run_folder, name) and time.monotonic() < until:
        time.sleep(0.02)
    ask(run_folder, name, "status", {}, WAIT_S)


@pytest.fixture
def hosts() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two hosts that take TCP connections."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        first.settimeout(WAIT_S)
        second.settimeout(WAIT_S)
        yield first, second


def answer_logon(stream: socket.socket) -> None:
    """Be an acceptor until its Logon(A) has left."""
    now = Instant(time.time_ns(), time.monotonic_ns())
    session = Session(ACCEPTOR)
    session.connected(now)
    session.received(stream.recv(4096), now)
    for effect in session.take_effects():
        if isinstance(effect, Outbound):
            stream.sendall(effect.raw)


def test_the_next_host_is_tried_and_the_one_that_logged_us_on_comes_first_again(
    start: Start, hosts: tuple[socket.socket, socket.socket]
) -> None:
    silent, venue = hosts
    ports = [host.getsockname()[1] for host in hosts]
    start(port=str(ports[0]), fallback_hosts=f'["127.0.0.1:{ports[1]}"]')
    silent.accept()[0].close()
    stream, _ = venue.accept()
    answer_logon(stream)
    assert b"\x0135=V\x01" in stream.recv(4096), "logged on, and subscribed"
    stream.close()
    again, _ = venue.accept()
    again.close()
    silent.accept()[0].close()


def test_outside_its_schedule_nobody_is_dialled_and_status_says_until_when(
    start: Start, hosts: tuple[socket.socket, socket.socket], capsys: pytest.CaptureFixture[str]
) -> None:
    opens = (datetime.now(UTC) + timedelta(days=2)).replace(hour=7, minute=30, second=0)
    day = list(Weekday)[opens.weekday()].value
    start(
        port=str(hosts[0].getsockname()[1]),
        schedule__zone="UTC",
        schedule__start="07:30",
        schedule__end="07:45",
        schedule__days=f'["{day}"]',
    )
    run_folder = load().paths.run
    assert ask(run_folder, NAME, "status", {}, WAIT_S)["state"] == "off_schedule"
    assert run(["status"]) == ExitStatus.FAILURE
    assert f"outside its schedule until {opens:%Y-%m-%d %H:%M:%S} UTC" in capsys.readouterr().out
    hosts[0].setblocking(False)
    with suppress(BlockingIOError):
        hosts[0].accept()
        pytest.fail("a host was dialled outside the schedule")
