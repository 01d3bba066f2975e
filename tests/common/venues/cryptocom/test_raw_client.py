"""A client that was written from the venue's pages alone logs on, trades, and is refused where the venue refuses it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.venues.credentials import HmacSecret
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.cryptocom import raw_client
from tests.common.venues.cryptocom.raw_client import RawClient, now
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]


@pytest.fixture
def connect(sides: BothSides, served: Served) -> Iterator[Connect]:
    """Makes a connection with the desk's keys; each is closed in the end."""
    clients: list[RawClient] = []
    ours, fix = sides.credentials, sides.venue.fix
    assert isinstance(ours, HmacSecret) and fix.sender_comp_id

    def connected(key: str = ours.api_key, secret: str = ours.secret.decode()) -> RawClient:
        clients.append(RawClient(served.port("fix"), fix.sender_comp_id or "", fix.target_comp_id, key, secret))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(raw_client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"hashlib", "hmac", "socket", "time"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect) -> None:
    client = connect()
    answer = client.logon(("6867", "Y"), ("35002", "3"))
    assert (answer["35"], answer["34"], answer["108"], answer["35002"]) == ("A", "1", "10", "3")
    name = client.order("1", "0.01", "65000", ("18", "6"), ("20100", "5000"))
    received, rested = client.receive(), client.receive()
    assert (received["150"], received["39"], received["11"]) == ("A", "A", name)
    assert (rested["150"], rested["39"], rested["37"], rested["18"]) == ("0", "0", received["37"], "6")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC_USD", side="2", qty="0.004", price="65000")
    fill = client.receive()
    assert (fill["150"], fill["39"], fill["32"], fill["851"], fill["2643"]) == ("F", "1", "0.004", "1", "BTC")
    client.send("G", ("11", "raw-g"), ("37", rested["37"]), ("38", "0.008"), ("44", "64000"), ("60", now()))
    pending, amended = client.receive(), client.receive()
    assert (pending["150"], amended["150"], amended["39"], amended["41"]) == ("A", "0", "1", name)
    assert (amended["38"], amended["151"]) == ("0.008", "0.004")
    client.send("F", ("11", "raw-f"), ("37", rested["37"]), ("54", "1"), ("55", "BTC_USD"), ("60", now()))
    pending, cancelled = client.receive(), client.receive()
    assert (pending["150"], cancelled["150"], cancelled["41"]) == ("6", "4", "raw-g")
    client.send("5")
    assert client.receive()["35"] == "5"


def test_it_is_refused_where_the_venue_refuses(connect: Connect) -> None:
    client = connect()
    client.logon()
    client.order("1", "5000", "60000")
    assert [client.receive()["150"], client.receive()["150"]] == ["A", "8"]
    client.send("F", ("11", "f1"), ("41", "nobody"), ("54", "1"), ("55", "BTC_USD"), ("60", now()))
    refused = client.receive()
    assert (refused["35"], refused["434"], refused["102"], refused["39"]) == ("9", "1", "1", "8")
    client.send("D", ("11", "d1"), ("38", "1"), ("40", "2"), ("44", "60000"), ("55", "BTC_USD"), ("60", now()))
    rejected = client.receive()
    assert (rejected["35"], rejected["45"], rejected["371"], rejected["373"]) == ("3", str(client.number), "54", "1")
    client.send("AF", ("584", "x"), ("585", "7"))
    assert client.receive()["35"] == "j"


@pytest.mark.parametrize(
    ("credentials", "words"), [({"secret": "other"}, "Invalid signature"), ({"key": "nobody"}, "Unknown API key")]
)
def test_a_stranger_is_not_let_in(connect: Connect, credentials: dict[str, str], words: str) -> None:
    client = connect(**credentials)
    answer = client.logon()
    assert (answer["35"], answer["58"]) == ("5", words)
    with pytest.raises(ConnectionError):
        client.receive()
