"""A client that was written from the venue's pages alone logs on, trades, and is refused where the venue refuses it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.gemini import raw_client
from tests.common.venues.gemini.raw_client import RawClient
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]
RESET = ("141", "Y")


@pytest.fixture
def interval(sides: BothSides) -> str:
    """The one HeartBtInt(108) that is taken."""
    return str(sides.venue.fix.heart_bt_int_s)


@pytest.fixture
def connect(served: Served) -> Iterator[Connect]:
    """Makes a connection to a listener under a name; each is closed in the end."""
    clients: list[RawClient] = []

    def connected(listener: str = "fix", sender: str = "DESK") -> RawClient:
        clients.append(RawClient(served.port(listener), sender))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(raw_client.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"datetime", "socket"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect, interval: str) -> None:
    client = connect()
    answer = client.logon(interval, RESET, ("9001", "Y"))
    assert (answer["35"], answer["34"]) == ("A", "1")
    rested = client.order("a", "1", "0.5", "60000")
    assert (rested["150"], rested["39"], rested["151"], rested["6"]) == ("0", "0", "0.5", "0")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSD", side="2", qty="0.2", price="60000")
    fill = client.receive()
    assert (fill["150"], fill["39"], fill["32"], fill["851"], fill["13"], fill["479"]) == (
        "F", "1", "0.2", "1", "3", "USD",
    )  # fmt: skip
    cancelled = client.cancel("b", "a")
    assert (cancelled["150"], cancelled["11"], cancelled["41"], cancelled["58"]) == ("4", "b", "a", "REQUESTED")
    assert client.ask("5")["35"] == "5"


def test_it_hears_prices_and_the_maker_s_side_of_trades(served: Served, connect: Connect, interval: str) -> None:
    client = connect("market_data")
    assert client.logon(interval, RESET)["35"] == "A"
    trader = connect()
    trader.logon(interval, RESET)
    assert trader.order("a", "1", "0.2", "60000")["150"] == "0"
    wanted = (("262", "m"), ("263", "1"), ("264", "0"), ("146", "1"), ("55", "BTCUSD"))
    book = client.ask("V", *wanted, ("267", "3"), ("269", "0"), ("269", "1"), ("269", "2"), ("9003", "Y"))
    assert (book["35"], book["269"], book["270"], book["271"]) == ("W", "0", "60000", "0.2")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSD", side="2", qty="0.2", price="60000")
    trade = client.receive()
    assert (trade["35"], trade["269"], trade["270"], trade["9002"]) == ("X", "2", "60000", "1")
    assert client.ask("V", *wanted[:1], ("263", "0"), *wanted[2:], ("267", "1"), ("269", "0"))["35"] == "Y"


@pytest.mark.parametrize(("sender", "beat"), [("NOBODY", ""), ("DESK", "60")])
def test_who_is_not_known_or_beats_otherwise_is_dropped_without_a_word(
    connect: Connect, interval: str, sender: str, beat: str
) -> None:
    assert connect("fix", sender).logon(beat or interval, RESET) == {}


def test_it_is_refused_where_the_venue_would_refuse_it(connect: Connect, interval: str) -> None:
    client = connect()
    client.logon(interval, RESET)
    for more, tag in ((("59", "6"), "59"), (("18", "A"), "18")):
        answer = client.order("a", "1", "0.5", "60000", more)
        assert (answer["35"], answer["371"]) == ("3", tag)
    again = client.order("b", "1", "0.5", "60000", header=(("97", "Y"),))
    assert (again["35"], again["372"]) == ("j", "D")
    unknown = client.cancel("c", "nothing")
    assert (unknown["35"], unknown["37"], unknown["39"], unknown["102"]) == ("9", "NONE", "8", "1")
    for msg_type in ("G", "H", "q"):
        assert client.ask(msg_type, ("11", "d"))["35"] == "j"
