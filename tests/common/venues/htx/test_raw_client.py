"""A client that was written from the mirror of the venue's page alone logs on, trades, and is refused."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common.venues.credentials import Ed25519Account
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.htx import raw_client
from tests.common.venues.htx.raw_client import RawClient
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]


@pytest.fixture
def connect(sides: BothSides, served: Served) -> Iterator[Connect]:
    """Makes a session with the desk's key or another; each is closed in the end."""
    ours = sides.credentials
    assert isinstance(ours, Ed25519Account)
    own_key = load_pem_private_key(ours.private_key_pem, None)
    assert isinstance(own_key, Ed25519PrivateKey)
    clients: list[RawClient] = []

    def connected(listener: str = "fix", name: str = "", key: Ed25519PrivateKey = own_key) -> RawClient:
        named = name or f"STRANGER{len(clients):04d}"
        clients.append(RawClient(served.port(listener), named, ours.api_key, key, ours.account))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(raw_client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    taken_from = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"base64", "datetime", "socket"}
    assert taken_from == {"cryptography.hazmat.primitives.asymmetric.ed25519"}


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect) -> None:
    client = connect()
    assert client.logon()["35"] == "A"
    rested = client.order("a", "buy-limit", "0.5", "60000")
    assert (rested["150"], rested["39"], rested["40"]) == ("creation", "3", "buy-limit")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSDT", side="2", qty="0.2", price="60000")
    fill, clearing = client.receive(), client.receive()
    assert (fill["150"], fill["39"], fill["32"], fill["31"], fill["1057"]) == ("trade", "4", "0.2", "60000", "false")
    assert (clearing["150"], clearing["138"], clearing["139"]) == ("clearing", "BTC", "4") and "32" not in clearing
    cancelled = client.ask("F", ("11", "b"), ("37", rested["37"]))
    assert (cancelled["150"], cancelled["39"]) == ("cancellation", "6")
    assert client.ask("5")["35"] == "5"


def test_every_session_hears_of_the_account_s_orders_and_cancels_them_all(connect: Connect) -> None:
    client, other = connect(), connect()
    assert (client.logon()["35"], other.logon()["35"]) == ("A", "A")
    assert client.order("a", "buy-limit-maker", "0.5", "60000")["150"] == "creation"
    assert client.order("b", "sell-limit", "0.5", "66000")["150"] == "creation"
    assert [other.receive()["11"] for _ in range(2)] == ["a", "b"]
    other.send("q", ("11", "c"), ("530", "1"))
    told = [other.receive() for _ in range(3)]
    (report,) = [each for each in told if each["35"] == "r"]
    assert (report["531"], report["533"]) == ("1", "2")
    assert {each["150"] for each in told if each["35"] == "8"} == {"cancellation"}


def test_it_hears_prices_and_trades(served: Served, connect: Connect) -> None:
    client, trader = connect("market_data"), connect()
    client.logon()
    trader.logon()
    trader.order("a", "buy-limit", "0.2", "60000")
    taken = client.ask("V", ("262", "m"), ("263", "0"), ("264", "1"), ("146", "1"), ("55", "btcusdt"))
    assert (taken["35"], taken["281"]) == ("Y", "0")
    book = client.receive()
    assert (book["35"], book["262"], book["269"], book["270"], book["271"]) == ("W", "1", "0", "60000", "0.2")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSDT", side="2", qty="0.2", price="60000")
    trade = client.receive()
    assert (trade["35"], trade["269"], trade["270"], trade["271"], trade["54"]) == ("X", "2", "60000", "0.2", "2")


@pytest.mark.parametrize("wrong", [{"ends": ""}, {"interval": "31"}, {"interval": "4"}, {"reset": "N"}])
def test_a_wrong_logon_is_told_so_and_closed(connect: Connect, wrong: dict[str, str]) -> None:
    client = connect()
    answer = client.logon(**wrong)
    assert answer["35"] == "5" and answer["58"] and client.receive() == {}


def test_another_s_key_and_a_name_that_is_taken_are_not_let_in(connect: Connect) -> None:
    assert connect(key=Ed25519PrivateKey.generate()).logon()["35"] == "5"
    assert connect(name="TAKEN00001").logon()["35"] == "A"
    assert connect(name="TAKEN00001").logon()["35"] == "5"


def test_it_is_refused_where_the_venue_would_refuse_it(connect: Connect) -> None:
    client = connect()
    client.logon()
    wrong = (("2", (), "40"), ("buy-limit", (("578", "web"),), "578"), ("buy-limit", (("1", "0"),), "1"))
    for kind, more, tag in wrong:
        answer = client.order("a", kind, "0.5", "60000", *more)
        assert (answer["35"], answer["371"]) == ("3", tag)
    unknown = client.ask("F", ("11", "b"), ("41", "nothing"))
    assert (unknown["35"], unknown["41"], unknown["102"]) == ("9", "nothing", "1")
    for msg_type in ("G", "H"):
        assert client.ask(msg_type, ("11", "d"))["35"] in ("3", "j")
    assert client.ask("q", ("11", "e"), ("530", "7"))["371"] == "530"


def test_the_201st_message_of_a_second_is_rejected(connect: Connect) -> None:
    client = connect()
    client.logon()
    for number in range(201):
        client.send("F", ("11", f"c{number}"), ("41", "nothing"))
    assert [client.receive()["35"] for _ in range(201)].count("3") >= 1
