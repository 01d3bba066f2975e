"""A client that was written from the venue's pages alone logs on, trades, and is refused where the venue refuses it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.venues.credentials import HmacPassphrase
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.coinbase import raw_client
from tests.common.venues.coinbase.raw_client import RawClient, now
from tests.common.venues.served import Served


def keys_of(sides: BothSides) -> tuple[str, str, str]:
    ours = sides.credentials
    assert isinstance(ours, HmacPassphrase)
    return ours.api_key, ours.secret.decode(), ours.passphrase


Connect = Callable[..., RawClient]


@pytest.fixture
def connect(sides: BothSides, served: Served) -> Iterator[Connect]:
    """Makes a connection to order entry, with the desk's keys or others; each is closed in the end."""
    clients: list[RawClient] = []

    def connected(*keys: str) -> RawClient:
        clients.append(RawClient(served.port("fix"), *(keys or keys_of(sides))))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(raw_client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"base64", "datetime", "hashlib", "hmac", "socket", "uuid"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect) -> None:
    client = connect()
    answer = client.logon(t8013="S", t9407="superfluous")
    assert (answer["35"], answer["34"], answer["1137"]) == ("A", "1", "9")
    rested = client.order("1", "0.5", "60000")
    assert (rested["150"], rested["39"], rested["151"]) == ("0", "0", "0.5")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC-USD", side="2", qty="0.2", price="60000")
    fill = client.receive()
    assert (fill["150"], fill["39"], fill["32"], fill["1057"], fill["138"]) == ("F", "1", "0.2", "N", "USD")
    order = ("37", rested["37"]), ("55", "BTC-USD")
    replaced = client.ask("G", *order, ("41", rested["11"]), ("38", "0.4"), ("44", "59000"), ("40", "2"))
    assert (replaced["150"], replaced["39"], replaced["37"], replaced["151"]) == ("5", "5", rested["37"], "0.2")
    status = client.ask("H", *order, ("11", replaced["11"]), ("1", "portfolio"))
    assert (status["150"], status["39"]) == ("I", "1")
    cancelled = client.ask("F", *order, ("41", replaced["11"]), ("54", "1"), ("38", "0.4"))
    assert (cancelled["150"], cancelled["39"], cancelled["11"]) == ("4", "4", replaced["11"])
    assert client.ask("5")["35"] == "5"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"stamp": "20260102-03:04:05"}, "8"),
        ({"number": "01"}, "5"),
        ({"t1137": "8"}, "18"),
        ({"t108": "31"}, "5"),
        ({"t56": "COIN"}, "9"),
    ],
)
def test_a_wrong_logon_is_rejected_and_closed(
    connect: Connect, wrong: dict[str, str], reason: str
) -> None:
    client = connect()
    answer = client.logon(**wrong)
    assert (answer["35"], answer["372"], answer["373"]) == ("3", "A", reason)
    assert client.receive() == {}


def test_another_s_secret_and_a_second_connection_of_a_key_are_rejected(sides: BothSides, connect: Connect) -> None:
    api_key, secret, passphrase = keys_of(sides)
    stranger = connect(api_key, secret[::-1], passphrase)
    assert stranger.logon()["373"] == "8"
    assert connect().logon()["35"] == "A"
    assert connect().logon()["373"] == "9"


def test_it_is_refused_where_the_venue_would_refuse_it(served: Served, connect: Connect) -> None:
    client = connect()
    client.logon()
    for fields, tag in (((("11", "order-1"),), "11"), ((("59", "0"),), "59"), ((("18", "6"),), "18")):
        answer = client.order("1", "0.5", "60000", *fields)
        assert (answer["35"], answer["371"]) == ("3", tag)
    unknown = client.ask("F", ("37", ""), ("41", "1985ca2d-61ef-49f1-bfce-6c39d8462914"), ("55", "BTC-USD"))
    assert (unknown["35"], unknown["39"], unknown["102"]) == ("9", "8", "1")
    assert client.ask("U9")["380"] == "2"
    assert client.ask("q", ("530", "1"), ("60", now()))["531"] == "0"


def test_more_than_100_requests_in_a_second_are_refused_and_more_than_200_end_the_connection(
    connect: Connect,
) -> None:
    client = connect()
    client.logon()
    for _ in range(201):
        client.send("H", [("11", "1985ca2d-61ef-49f1-bfce-6c39d8462914"), ("55", "BTC-USD")])
    answers = [client.receive() for _ in range(201)]
    told = [answer["35"] for answer in answers]
    assert told.count("8") >= 100 and "j" in told and told[-1] == "5"
    assert {answer["380"] for answer in answers if answer["35"] == "j"} == {"1"}
