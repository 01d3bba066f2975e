"""What `fixring venues` says is what is configured, and what it finds at a venue is what a session would."""

import datetime
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.actor.control import is_running
from common.config import CHECKOUT, SERVED_VENUES, load
from common.exit_status import ExitStatus
from common.first_start import prepare
from common.fix.session_types import SessionSettings
from common.fix_echo import EchoServer
from common.venues.venue import Confidence
from scripts.cli import venues as venues_module
from scripts.cli.main import run
from scripts.cli.try_logon import Came, try_logon
from scripts.cli.venues import beyond
from scripts.ports import free_ports
from scripts.stack import own_ports
from tests.common.venues.little_known import little_known

PLAIN = (None, "")
START_S = 30.0


@pytest.fixture(autouse=True)
def _own_state(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, and ports that no stack of the developer's has."""
    monkeypatch.setenv("FIXRING_VAR", str(short_folder / "var"))
    for variable, value in own_ports().items():
        monkeypatch.setenv(variable, value)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: ExitStatus = ExitStatus.OK) -> Any:
    assert run(["venues", *arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_the_list_has_every_file_and_says_which_are_served(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["venue"]: row for row in told(capsys, "list")}
    files = {file.stem for file in (CHECKOUT / "configs").glob("*.toml")} - {"fixring"}
    assert set(rows) == files
    assert {name for name, row in rows.items() if row["served"]} == set(load().venues)
    assert run(["venues", "list"]) == ExitStatus.OK
    text = capsys.readouterr().out
    assert all(name in text for name in files)


def test_a_venue_is_shown_whether_it_is_served_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    for row in told(capsys, "list"):
        document = told(capsys, "show", row["venue"])
        assert document["connections"]["fix"] and document["instruments"], document
    assert run(["venues", "show", row["venue"]]) == ExitStatus.OK
    assert document["title"] in capsys.readouterr().out


def test_a_venue_of_which_little_is_known_is_called_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "show", "kraken")["confidence"] == "documented"
    little_known(monkeypatch, venues_module, "kraken", Confidence.UNVERIFIED)
    assert told(capsys, "show", "kraken")["confidence"] == "unverified"
    for arguments, head in ((["show", "kraken"], "confidence "), (["list"], "kraken ")):
        assert run(["venues", *arguments]) == ExitStatus.OK
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(head)]
        assert " unverified" in line


@pytest.mark.parametrize("act", ["show", "check"])
def test_a_name_that_is_none_is_wrong_usage(act: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["venues", act, "nowhere"]) == ExitStatus.USAGE
    assert "nowhere: no such venue; there is binance" in capsys.readouterr().err


def test_keys_that_are_not_there_are_named_with_their_files(capsys: pytest.CaptureFixture[str]) -> None:
    answer = told(capsys, "check", "binance", status=ExitStatus.CONFIGURATION)
    assert [f for f in answer["findings"] if "no such file" in f["problem"] and "private_key" in f["what"]]


def test_a_key_for_prices_is_shown_and_checked_by_the_logon_that_is_made_with_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(capsys, "show", "coinbaseprime")["market_data_key"] == "its own, hmac_passphrase"
    assert told(capsys, "show", "coinbase")["market_data_key"] == "the account's"
    assert told(capsys, "show", "bybit")["market_data_key"] == ""
    monkeypatch.setenv(SERVED_VENUES, "coinbaseprime")
    config = load()
    prepare(config, datetime.datetime.now(datetime.UTC))
    found = findings(told(capsys, "check", "coinbaseprime"))
    prints = [what.rpartition(" ")[2] for what in found if "credentials, key " in what]
    assert len(set(prints)) == 2, "of the account and of its market data"
    assert [what for what in found if what.startswith("market_data: a Logon(A) can be made")]
    own = config.venues["coinbaseprime"].market_data_credentials
    assert own is not None
    config.paths.resolve(own.secret_file).unlink()
    answer = told(capsys, "check", "coinbaseprime", status=ExitStatus.CONFIGURATION)
    (wrong,) = [f for f in answer["findings"] if f["problem"] == "no such file"]
    assert wrong["what"].startswith("coinbaseprime's market data: ") and wrong["what"].endswith("market_data_secret")


def findings(answer: Any) -> dict[str, str]:
    return {f["what"]: f["problem"] for f in answer["findings"]}


def test_a_stack_that_is_not_started_is_no_fault_of_the_venue(capsys: pytest.CaptureFixture[str]) -> None:
    prepare(load(), datetime.datetime.now(datetime.UTC))
    found = findings(told(capsys, "check", "binance"))
    assert any("a Logon(A) can be made" in what for what in found)
    assert [problem for problem in found.values() if problem.startswith("not reachable")]


@pytest.fixture(params=["binance", "generic"])
def exchange(request: pytest.FixtureRequest) -> Iterator[str]:
    """A simulated venue whose exchange runs."""
    name, config = str(request.param), load()
    prepare(config, datetime.datetime.now(datetime.UTC))
    process = subprocess.Popen([sys.executable, "-P", "-m", "services.exchange", "--venue", name], cwd=CHECKOUT)
    try:
        end_s = time.monotonic() + START_S
        while not (is_running(config.paths.run, f"exchange@{name}") and listens(config.venues[name].fix.port)):
            assert time.monotonic() < end_s and process.poll() is None
            time.sleep(0.05)
        yield name
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_where_the_exchange_runs_it_logs_on_and_out(exchange: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(told(capsys, "check", exchange))
    assert not any(found.values()), found
    logged_on = [what for what in found if what.endswith(Came.LOGGED_ON.value)]
    persists = any("its numbers persist" in what for what in found)
    assert len(logged_on) == (1 if persists else 2) and persists is (exchange == "generic")
    assert any("clock" in what for what in found)


@pytest.mark.parametrize(("venue_ns", "ahead_ns"), [(100, 0), (150, 0), (200, 0), (70, -30), (230, 30)])
def test_a_slow_answer_is_no_clock_that_is_off(venue_ns: int, ahead_ns: int) -> None:
    assert beyond(venue_ns, 100, 200) == ahead_ns


@pytest.mark.parametrize(("asked_s", "ahead_s"), [(5.0, 0.0), (5.9, 0.0), (6.5, -0.5), (4.5, 0.25)])
def test_a_clock_that_tells_whole_seconds_is_right_within_one(asked_s: float, ahead_s: float) -> None:
    asked_ns = int(asked_s * 1e9)
    assert beyond(5 * 10**9, asked_ns, asked_ns + 250_000_000) == int(ahead_s * 1e9)


# ---- one logon


SETTINGS = SessionSettings(sender_comp_id="US", target_comp_id="THEM", initiator=True, reset_on_logon=True)


@pytest.fixture
def acceptor() -> Iterator[int]:
    """The port of an acceptor called THEM."""
    settings = SessionSettings(sender_comp_id="THEM", target_comp_id="US", initiator=False, reset_on_logon=True)
    server = EchoServer(settings, socket.create_server(("127.0.0.1", 0)), lambda _: None)
    over = threading.Event()
    thread = threading.Thread(target=server.run, args=(over.is_set,))
    thread.start()
    yield server.port
    over.set()
    thread.join()


def test_a_logon_that_is_taken_is_followed_by_a_logout(acceptor: int) -> None:
    for _ in range(2):
        trial = try_logon(("127.0.0.1", acceptor), PLAIN, SETTINGS, 10)
        assert trial.came is Came.LOGGED_ON and abs(trial.offset_ms) < 10_000


def test_who_is_not_known_is_refused_or_left_without_an_answer(acceptor: int) -> None:
    settings = SessionSettings(sender_comp_id="OTHER", target_comp_id="THEM", initiator=True, reset_on_logon=True)
    trial = try_logon(("127.0.0.1", acceptor), PLAIN, settings, 10)
    assert trial.came in (Came.REFUSED, Came.SILENT)


def test_who_says_nothing_is_told_from_who_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert try_logon(mute.getsockname(), PLAIN, SETTINGS, 0.2).came is Came.SILENT
    (port,) = free_ports(1)
    assert try_logon(("127.0.0.1", port), PLAIN, SETTINGS, 0.2).came is Came.UNREACHABLE
