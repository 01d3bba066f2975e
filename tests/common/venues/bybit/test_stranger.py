"""A client that shares no line with this project trades at the simulated Bybit over TLS, and is refused where the venue
would refuse it."""

import ast
import datetime
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.actor.control import ask, is_running
from common.config import CHECKOUT, load
from common.first_start import prepare
from scripts.stack import own_ports
from tests.common.venues.bybit import stranger
from tests.common.venues.bybit.stranger import Door, Message, Stranger

WAIT_S = 20.0
OVERRIDES = {"FIXRING__STACK__VENUES": '["bybit"]', "FIXRING__BYBIT__SIMULATED__TRADERS": "0"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The real process of the exchange, and a key for it."""
    var = tmp_path_factory.mktemp("var")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FIXRING")}
    environ = {**inherited, "FIXRING_VAR": str(var), **own_ports(), **OVERRIDES}
    config = load(environ=environ)
    prepare(config, datetime.datetime.now(datetime.UTC))
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "services.exchange", "--venue", "bybit"], cwd=CHECKOUT, env=environ
    )
    try:
        until = time.monotonic() + WAIT_S
        while not is_running(config.paths.run, "exchange@bybit") and time.monotonic() < until:
            time.sleep(0.02)
        ask(config.paths.run, "exchange@bybit", "status", {}, WAIT_S)
        venue = config.venues["bybit"]
        assert venue.credentials is not None and venue.fix.tls is not None
        resolve = config.paths.resolve
        yield Door(
            venue.fix.host, venue.fix.port, str(resolve(venue.fix.tls.ca)), venue.fix.tls.server_name,
            resolve(venue.credentials.api_key_file).read_text(),
            resolve(venue.credentials.private_key_file).read_bytes(),
        )  # fmt: skip
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def client(door: Door, request: pytest.FixtureRequest) -> Iterator[Stranger]:
    """The client, logged on under a name that no other test has: one that is dropped is locked."""
    it = Stranger(door, f"T{hash(request.node.name) % 10**9}")
    assert picked(it.log_on(), "35", "98", "108", "141") == ("A", "0", "10", "Y")
    yield it
    it.close()


def picked(message: Message, *tags: str) -> tuple[str | None, ...]:
    return tuple(message.get(tag) for tag in tags)


def test_it_shares_nothing_with_this_project() -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(Path(stranger.__file__).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            names.add(node.module or "")
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | {"cryptography"}


def test_it_trades_amends_cancels_and_logs_out(client: Stranger) -> None:
    client.order("buy-1", "1", "0.002", "50000")
    first, second = client.receive_reports(2)
    acknowledged, pushed = (first, second) if first["150"] == "A" else (second, first)
    assert picked(acknowledged, "11", "30006", "39", "58", "30007") == ("buy-1", "buy-1", "A", "OK", "20")
    assert picked(pushed, "11", "37", "150", "39", "38", "44") == (
        "buy-1", acknowledged["37"], "0", "0", "0.002000", "50000.0",
    )  # fmt: skip
    client.amend("buy-1", "amend-1", (38, "0.001"))
    acknowledged, pushed = client.receive_reports(2)
    assert picked(acknowledged, "35", "150", "11", "30006", "30007") == ("XAA", "E", "buy-1", "amend-1", "10")
    assert picked(pushed, "35", "150", "39", "11", "151") == ("8", "5", "0", "buy-1", "0.001")
    client.order("sell-1", "2", "0.003", "50000")
    told = client.receive_reports(3)
    fills = {message["11"]: message for message in told if message["150"] == "F"}
    assert picked(fills["buy-1"], "39", "14", "151", "6", "30050", "30052", "30058", "30056") == (
        "2", "0.001", "0", "50000", "1", "0.001", "Y", "BTC",
    )  # fmt: skip
    assert picked(fills["sell-1"], "39", "14", "151", "30058", "30056") == ("1", "0.001", "0.002", "N", "USDT")
    client.cancel("sell-1", "cancel-1")
    acknowledged, pushed = client.receive_reports(2)
    assert picked(acknowledged, "35", "150", "39", "30006") == ("XCA", "6", "6", "cancel-1")
    assert picked(pushed, "35", "150", "39", "103", "30040") == ("8", "4", "F", "EC_PerCancelRequest", "CancelByUser")
    client.send("5", (58, "client requested logout"))
    answer = client.receive()
    assert picked(answer, "35", "58") == ("5", None)


@pytest.mark.parametrize(
    "wrong", [{"word": "GET/nowhere"}, {"expires_in_ms": -1}, {"api_key": "k" * 64}], ids=["word", "late", "key"]
)
def test_it_is_denied_with_a_wrong_logon(door: Door, wrong: dict[str, object]) -> None:
    it = Stranger(door, f"W{len(str(wrong))}")
    assert picked(it.log_on(**wrong), "35", "34", "58") == ("5", "1", "access denied")  # type: ignore[arg-type]
    with pytest.raises(EOFError):
        it.receive()
    it.close()


def test_it_is_denied_while_it_is_in_already_and_while_its_name_is_locked(door: Door) -> None:
    first, second = Stranger(door, "TWICE"), Stranger(door, "TWICE")
    assert first.log_on()["35"] == "A"
    assert picked(second.log_on(), "35", "58") == ("5", "access denied")
    first.close()
    third = Stranger(door, "TWICE")
    assert picked(third.log_on(), "35", "58") == ("5", "access denied")
    for it in (second, third):
        it.close()


def test_its_refusals_bear_no_name_but_the_request_s(client: Stranger) -> None:
    client.order("small", "1", "0.000001", "50000", asked="r-1")
    (refused,) = client.receive_reports(1)
    assert picked(refused, "150", "39", "103", "30006", "11", "37") == ("8", "8", "170140", "r-1", None, None)
    assert refused["58"] == "Order value exceeded lower limit."
    client.cancel("nobody", "r-2")
    (refused,) = client.receive_reports(1)
    assert picked(refused, "35", "103", "58", "30006", "150", "11") == (
        "XCA", "170213", "Order does not exist.", "r-2", None, None,
    )  # fmt: skip


def test_a_message_out_of_turn_is_rejected_and_ends_the_connection(client: Stranger) -> None:
    client.send("0", number=7)
    assert picked(client.receive(), "35", "45", "371", "58") == ("3", "7", "34", "unexpected sequence number")
    with pytest.raises(EOFError):
        client.receive()


def test_what_is_not_served_is_rejected_and_the_session_goes_on(client: Stranger) -> None:
    client.send("G", (11, "x"), (41, "y"))
    assert picked(client.receive(), "35", "45", "372", "380") == ("j", "2", "G", "3")
    client.send("2", (7, 1), (16, 0))
    assert picked(client.receive(), "35", "45", "372") == ("3", "3", "2")
    client.send("1", (112, "alive?"))
    assert picked(client.receive(), "35", "112") == ("0", "alive?")
