"""A client that was written from the venue's pages alone logs on, trades, and is refused where the venue refuses it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.venues.credentials import Credentials, HmacPassphrase
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.coinbaseprime import raw_client
from tests.common.venues.coinbaseprime.raw_client import RawClient, now
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]
RESET = ("141", "Y")
SUBSCRIBE = (("263", "1"), ("264", "0"), ("265", "0"), ("267", "2"), ("269", "0"), ("269", "2"), ("146", "1"))


@pytest.fixture
def who(sides: BothSides) -> tuple[str, str, str]:
    return told_of(sides.credentials)


@pytest.fixture
def listening(sides: BothSides) -> tuple[str, str, str]:
    """The key that prices are listened to with."""
    return told_of(sides.market_data_credentials)


def told_of(ours: Credentials | None) -> tuple[str, str, str]:
    assert isinstance(ours, HmacPassphrase)
    return ours.api_key, ours.secret.decode(), ours.passphrase


@pytest.fixture
def connect(
    served: Served, who: tuple[str, str, str], listening: tuple[str, str, str]
) -> Iterator[Connect]:
    """Makes a connection to a listener; each is closed in the end."""
    clients: list[RawClient] = []

    def connected(listener: str = "fix", other: tuple[str, str, str] | None = None) -> RawClient:
        version = "FIX.4.2" if listener == "fix" else "FIXT.1.1"
        clients.append(RawClient(served.port(listener), other or (who if listener == "fix" else listening), version))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(raw_client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"base64", "datetime", "hashlib", "hmac", "socket"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect) -> None:
    client = connect()
    assert client.logon(RESET, ("1", "portfolio"))["35"] == "A"
    rested = client.order("a", "0.5", "60000", ("18", "A"))
    assert (rested["20"], rested["150"], rested["39"], rested["151"]) == ("0", "0", "0", "0.5")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC-USD", side="2", qty="0.2", price="60000")
    fill = client.receive()
    assert (fill["150"], fill["39"], fill["32"], fill["31"], fill["13"], fill["12"]) == (
        "1", "1", "0.2", "60000", "3", "12",
    )  # fmt: skip
    order = ("11", "a"), ("37", rested["37"]), ("54", "1"), ("55", "BTC-USD")
    state = client.ask("H", *order)
    assert (state["20"], state["150"], state["39"], state["14"]) == ("1", "1", "1", "0.2")
    pending = client.ask("F", ("1", "portfolio"), ("11", "b"), *order[1:], ("38", "0.5"), ("41", "a"))
    assert (pending["150"], pending["11"]) == ("6", "a")
    assert client.receive()["150"] == "4"
    assert client.ask("5")["35"] == "5"


def test_a_stop_limit_order_sleeps_until_a_trade_is_at_its_price(served: Served, connect: Connect) -> None:
    client = connect()
    client.logon(RESET)
    terms = [("1", "portfolio"), ("11", "s"), ("38", "0.5"), ("40", "2"), ("44", "65020"), ("54", "1")]
    slept = client.ask("D", *terms, ("55", "BTC-USD"), ("59", "1"), ("99", "65010"), ("847", "SL"))
    assert (slept["150"], slept["39"], slept["40"], slept["44"]) == ("0", "0", "4", "65020")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC-USD", side="2", qty="0.2", price="65015")
    offer = [("1", "portfolio"), ("11", "o"), ("38", "0.1"), ("40", "2"), ("44", "65010"), ("54", "2")]
    assert client.ask("D", *offer, ("55", "BTC-USD"), ("59", "1"), ("847", "L"))["150"] == "0"
    served.ask("place", account=STRANGER, cl_ord_id="y", symbol="BTC-USD", side="1", qty="0.1", price="65010")
    told = [client.receive(), client.receive()]
    assert [(f["11"], f["150"]) for f in told] == [("o", "2"), ("s", "1")], "and nothing says that it woke"
    assert (told[1]["31"], told[1]["32"]) == ("65015", "0.2")


def test_it_hears_prices_and_trades(served: Served, connect: Connect) -> None:
    client, trader = connect("market_data"), connect()
    assert client.logon(RESET, ("1137", "9"), key_tag="553")["35"] == "A"
    trader.logon(RESET)
    trader.order("a", "0.2", "60000")
    book = client.ask("V", ("262", "m"), *SUBSCRIBE, ("55", "BTC-USD"))
    assert (book["35"], book["269"], book["270"], book["271"], book["911"]) == ("W", "0", "60000", "0.2", "1")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC-USD", side="2", qty="0.2", price="60000")
    trade = client.receive()
    assert (trade["35"], trade["269"], trade["270"], trade["2446"], trade["448"]) == ("X", "2", "60000", "2", "CBSE")
    assert client.ask("V", ("262", "n"), *SUBSCRIBE, ("55", "NOSUCH"))["281"] == "0"


def test_who_signs_otherwise_is_not_let_in(connect: Connect, who: tuple[str, str, str]) -> None:
    assert connect().logon(RESET, separator="\x01") == {}
    assert connect().logon(RESET, key_tag="553") == {}
    assert connect("fix", (who[0], who[1][::-1], who[2])).logon(RESET) == {}
    assert connect("market_data").logon(RESET, ("1137", "9"), key_tag="553", drop_copy="Y") == {}


def test_it_is_refused_where_the_venue_would_refuse_it(connect: Connect) -> None:
    client = connect()
    client.logon(RESET)
    for more, tag in ((("847", "M"), "40"), (("847", "T"), "847"), (("59", "0"), "59"), (("18", "6"), "18")):
        answer = client.order("a", "0.5", "60000", more)
        assert (answer["35"], answer["371"]) == ("3", tag)
    named = ("11", "b"), ("41", "nothing"), ("54", "1"), ("55", "BTC-USD")
    assert client.ask("F", *named)["371"] == "38"
    unknown = client.ask("F", *named, ("38", "1"))
    assert (unknown["35"], unknown["39"], unknown["102"]) == ("9", "8", "1")
    for msg_type in ("G", "q"):
        assert client.ask(msg_type, ("11", "d"))["35"] == "j"


def test_a_message_of_six_seconds_ago_is_rejected(connect: Connect) -> None:
    client = connect()
    client.logon(RESET)
    answer = client.ask("H", ("11", "a"), ("54", "1"), ("55", "BTC-USD"), stamp=now(6))
    assert (answer["35"], answer["373"]) == ("3", "10")


def test_the_51st_message_of_a_second_is_refused(connect: Connect) -> None:
    client = connect()
    client.logon(RESET)
    for _ in range(51):
        client.send("H", ("11", "a"), ("54", "1"), ("55", "BTC-USD"))
    assert [client.receive()["35"] for _ in range(51)].count("j") >= 1
