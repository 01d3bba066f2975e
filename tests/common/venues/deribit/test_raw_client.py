"""A client that was written from the venue's pages alone logs on, trades, and is refused where the venue refuses it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.venues.credentials import HmacSecret
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.deribit import raw_client
from tests.common.venues.deribit.raw_client import RawClient
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]


@pytest.fixture
def connect(sides: BothSides, served: Served) -> Iterator[Connect]:
    """Makes a connection with the desk's keys; each is closed in the end."""
    clients: list[RawClient] = []
    ours = sides.credentials
    assert isinstance(ours, HmacSecret)

    def connected(name: str = "RAW") -> RawClient:
        clients.append(RawClient(served.port("fix"), ours.api_key, ours.secret.decode(), name))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(raw_client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"base64", "hashlib", "os", "socket", "time"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect) -> None:
    client = connect()
    answer = client.logon(("9001", "Y"), ("9015", "Y"))
    assert (answer["35"], answer["34"], answer["108"], answer["9001"]) == ("A", "1", "30", "Y")
    assert client.tags[2:7] == ["35", "49", "56", "34", "52"]
    rested = client.order("mine", "1", "100", "60000", ("18", "6A"))
    assert (rested["150"], rested["39"], rested["41"], rested["58"]) == ("I", "0", "mine", "success")
    served.ask(
        "place", account=STRANGER, cl_ord_id="x", symbol="BTC-PERPETUAL", side="2", qty="40", price="60000"
    )
    fill = client.receive()
    assert (fill["150"], fill["39"], fill["1365"], fill["1443"]) == ("F", "1", "40", "1")
    client.send("G", ("41", rested["37"]), ("55", "BTC-PERPETUAL"), ("54", "1"), ("38", "80"), ("44", "59000"))
    amended = client.receive()
    assert (amended["150"], amended["39"], amended["38"], amended["151"]) == ("I", "1", "80", "40")
    client.send("F", ("41", rested["37"]))
    assert {client.receive()["58"], client.receive()["58"]} == {"success", "notification"}
    client.send("x", ("320", "list"), ("559", "4"))
    assert client.receive()["35"] == "y"
    client.send("5")
    assert client.receive()["35"] == "5"


def test_it_is_refused(connect: Connect) -> None:
    wrong = connect()
    refused = wrong.logon(password="x")
    assert (refused["35"], refused["34"], refused["58"]) == ("5", "1", "invalid_credentials")
    assert wrong.receive() == {}
    client = connect()
    client.logon()
    unknown = client.order("a", "1", "10", "60000", ("55", "BTC-NONE"))
    assert (unknown["39"], unknown["58"]) == ("8", "other_reject unknown instrument")
    client.send("F", ("41", "999999"), ("11", "name"))
    told = client.receive()
    assert (told["35"], told["41"], told["11"], told["58"]) == ("9", "999999", "name", "not_found")
    best_prices = ("263", "1"), ("264", "1"), ("265", "0"), ("267", "1"), ("269", "0")
    client.send("V", ("262", "m"), *best_prices, ("55", "BTC-NONE"))
    refused = client.receive()
    assert (refused["35"], refused["58"]) == ("Y", "unknown Symbol: BTC-NONE")


def test_a_time_that_does_not_grow_is_refused(connect: Connect) -> None:
    first = connect()
    assert first.logon(timestamp_ms=1000)["35"] == "A"
    first.close()
    again = connect("OTHER")
    assert again.logon(timestamp_ms=1000)["35"] == "A", "each name has its own"
    again.close()
    replayed = connect("OTHER")
    assert replayed.logon(timestamp_ms=1000).get("35", "5") == "5"
