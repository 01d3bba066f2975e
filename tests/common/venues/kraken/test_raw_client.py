"""The simulated exchange as a real process under TLS, and a client of nothing but sockets that knows its documents."""

import ast
import datetime
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from common.config import CHECKOUT, Config, load
from common.first_start import prepare
from scripts.stack import own_ports
from tests.common.venues.kraken.raw_client import RawClient
from tests.services.marketdata.test_process import await_running

WAIT_S = 20.0


@pytest.fixture
def exchange(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """It runs, on ports of its own."""
    for name, value in {**own_ports(), "FIXRING_VAR": str(short_folder), "FIXRING__STACK__VENUES": "kraken"}.items():
        monkeypatch.setenv(name, value)
    config = load()
    prepare(config, datetime.datetime.now(datetime.UTC))
    command = [sys.executable, "-P", "-m", "services.exchange", "--venue", "kraken"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=dict(os.environ)) as child:
        await_running("exchange@kraken")
        yield config
        child.kill()


@pytest.fixture
def connect(exchange: Config) -> Iterator[Callable[..., RawClient]]:
    """Makes clients whose connection is up and who have said nothing yet."""
    with ExitStack() as connections:
        yield partial(connected, exchange, connections)


def connected(config: Config, connections: ExitStack, **credentials: str) -> RawClient:
    """A client, whose connection is closed in the end."""
    venue = config.venues["kraken"]
    assert venue.fix.tls is not None and venue.fix.sender_comp_id is not None
    keys = config.paths.resolve("keys/kraken")
    context = ssl.create_default_context(cafile=str(config.paths.keys / "ca.pem"))
    plain = socket.create_connection((venue.fix.host, venue.fix.port), WAIT_S)
    secured = connections.enter_context(context.wrap_socket(plain, server_hostname=venue.fix.tls.server_name))
    key, secret = (keys / "api_key").read_text(), (keys / "secret").read_text()
    return RawClient(secured, venue.fix.sender_comp_id, credentials.get("key", key), credentials.get("secret", secret))


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse((Path(__file__).parent / "raw_client.py").read_text("utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= set(sys.stdlib_module_names)


def test_it_logs_on_trades_and_is_refused(connect: Callable[..., RawClient]) -> None:
    client = connect()
    client.logon()
    assert "554" not in client.hear("A")

    name = client.order("1", "0.5", "60000")
    accepted = client.hear("8", t150="0")
    assert (accepted["11"], accepted["39"], accepted["55"], accepted["38"]) == (name, "0", "BTC/USD", "0.5")
    assert accepted["58"] == "buy 0.5 BTC/USD @ limit 60000"
    amended = client.request(
        "G", ("37", accepted["37"]), ("38", "0.4"), ("40", "2"), ("41", name), ("44", "60001"), ("54", "1"),
        ("55", "BTC/USD"), ("59", "1"),
    )  # fmt: skip
    replaced = client.hear("8", t150="5")
    assert (replaced["11"], replaced["41"], replaced["37"], replaced["38"]) == (amended, name, accepted["37"], "0.4")
    asked = client.request("F", ("37", accepted["37"]), ("54", "1"), ("55", "BTC/USD"))
    cancelled = client.hear("8", t150="4")
    assert (cancelled["11"], cancelled["41"], cancelled["39"]) == (asked, amended, "4")

    again = client.request("F", ("37", accepted["37"]), ("54", "1"), ("55", "BTC/USD"))
    refused = client.hear("j")
    assert (refused["45"], refused["372"], refused["379"], refused["380"]) == ("0", "F", again, "101")
    poor = client.order("1", "5000", "60000")
    assert client.hear("j", t379=poor)["58"] == "EOrder:Insufficient funds"
    client.send("D", ("11", client.name()), ("38", "1"), ("40", "2"), ("44", "60000"), ("55", "BTC/USD"), ("59", "1"))
    rejected = client.hear("3")
    assert (rejected["45"], rejected["371"], rejected["373"]) == (str(client.number), "54", "1")

    kept = client.order("2", "0.5", "70000")
    assert client.hear("8", t11=kept)["150"] == "0"
    client.request("q", ("530", "7"))
    assert client.hear("8", t150="4")["41"] == kept
    client.send("5")
    assert client.hear("5")["49"] == "KRAKEN-TRD"


def test_a_fill_is_told(connect: Callable[..., RawClient]) -> None:
    client = connect()
    client.logon()
    client.hear("A")
    bought = client.order("1", "0.01", "80000")
    client.hear("8", t11=bought)
    fill = client.hear("8", t150="F")
    assert (fill["11"], fill["54"], fill["55"], fill["136"], fill["138"]) == (bought, "1", "BTC/USD", "1", "USD")
    assert float(fill["14"]) + float(fill["151"]) == 0.01 and float(fill["31"]) <= 80000
    assert fill["1003"] == fill["527"] and fill["5050"] in "mt"


@pytest.mark.parametrize(
    ("credentials", "words"),
    [({"secret": "c2VjcmV0"}, "EAPI:Invalid signature"), ({"key": "nobody"}, "EAPI:Invalid key")],
)
def test_a_stranger_is_not_let_in(
    connect: Callable[..., RawClient], credentials: dict[str, str], words: str
) -> None:
    client = connect(**credentials)
    client.logon()
    assert client.hear("5")["58"] == words
    with pytest.raises(ConnectionError):
        client.hear("A")


def test_what_a_lost_connection_had_open_is_cancelled(connect: Callable[..., RawClient]) -> None:
    client = connect()
    client.logon()
    client.hear("A")
    name = client.order("1", "0.5", "60000")
    client.hear("8", t11=name)
    client.connection.close()  # type: ignore[attr-defined]
    second = connect()
    second.number, second.last_name = client.number, client.last_name
    second.logon()
    second.hear("A")
    second.send("2", ("7", "1"), ("16", "0"))
    told = second.hear("8", t150="4")
    assert (told["11"], told["43"], told["58"]) == (name, "Y", "Cancelled on disconnect")
