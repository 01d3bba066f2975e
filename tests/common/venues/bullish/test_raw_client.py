"""A client that was written from the venue's document alone logs on, trades, and is refused where it refuses."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.venues.credentials import PasswordHmac
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.bullish import raw_client
from tests.common.venues.bullish.raw_client import RawClient
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]


@pytest.fixture
def connect(sides: BothSides, served: Served) -> Iterator[Connect]:
    """Makes a connection with the desk's credentials; each is closed in the end."""
    clients: list[RawClient] = []
    ours, fix = sides.credentials, sides.venue.fix
    assert isinstance(ours, PasswordHmac)

    def connected(trader: str = ours.username, password: str = ours.password) -> RawClient:
        sender, port = fix.sender_comp_id or "", served.port("fix")
        clients.append(RawClient(port, sender, fix.target_comp_id, trader, password, ours.account))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(raw_client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"socket", "time"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect) -> None:
    client = connect()
    answer = client.logon()
    assert (answer["35"], answer["34"], answer["108"], answer["1409"]) == ("A", "1", "30", "0")
    name = client.order("1", "0.01", "64000", "p")
    rested = client.receive()
    assert (rested["150"], rested["39"], rested["11"], rested["40"]) == ("0", "0", name, "p")
    changed = client.request("G", ("41", name), ("55", "BTCUSDC"), ("38", "0.01"), ("44", "65000"))
    amended = client.receive()
    assert (amended["150"], amended["11"], amended["41"], amended["44"]) == ("5", changed, name, "65000")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSDC", side="2", qty="0.004", price="65000")
    fill = client.receive()
    assert (fill["150"], fill["39"], fill["32"], fill["138"], fill["1057"]) == ("F", "1", "0.004", "BTC", "N")
    client.request("F", ("41", changed), ("55", "BTCUSDC"))
    assert [client.receive()["150"], client.receive()["150"]] == ["6", "4"]
    client.send("5")
    assert client.receive()["35"] == "5"


def test_it_is_refused_where_the_venue_refuses(connect: Connect) -> None:
    client = connect()
    client.logon()
    client.order("1", "5000", "60000")
    assert client.receive()["103"] == "13"
    client.order("1", "900", "260000")
    assert client.receive()["103"] == "3001"
    client.request("F", ("41", "4711"), ("55", "BTCUSDC"))
    refused = client.receive()
    assert (refused["35"], refused["434"], refused["102"], refused["39"]) == ("9", "1", "1", "8")
    client.request("D", ("55", "BTCUSDC"), ("38", "1"), ("40", "2"), ("44", "60000"))
    rejected = client.receive()
    assert (rejected["35"], rejected["45"], rejected["371"], rejected["373"]) == ("3", str(client.number), "54", "1")


@pytest.mark.parametrize("credentials", [{"password": "other"}, {"trader": "nobody"}])
def test_a_stranger_is_not_let_in(connect: Connect, credentials: dict[str, str]) -> None:
    client = connect(**credentials)
    answer = client.logon()
    assert (answer["35"], answer["58"], answer["1409"]) == ("5", "Bad login", "5")
    with pytest.raises(ConnectionError):
        client.receive()
