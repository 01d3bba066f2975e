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


def test_its_stop_order_sleeps_until_a_trade_is_there(served: Served, connect: Connect, interval: str) -> None:
    client = connect()
    client.logon(interval, RESET)
    terms = (("40", "4"), ("44", "70020"), ("99", "70010"), ("59", "1"))
    rested = client.order_of("a", "1", ("38", "0.5"), *terms)
    assert (rested["150"], rested["39"], rested["99"], rested["44"]) == ("0", "0", "70010", "70020")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSD", side="2", qty="0.2", price="70010")
    assert client.order("y", "1", "0.2", "70010")["150"] == "0"
    assert client.receive()["150"] == "F"
    woken = client.receive()
    assert (woken["150"], woken["39"], woken["11"], woken["37"]) == ("0", "0", "a", rested["37"])
    assert "99" not in woken and woken["17"] != rested["17"] and woken["151"] == "0.5"
    wrong = client.order_of("b", "1", ("38", "0.5"), ("40", "4"), ("44", "70019"), ("99", "70020"), ("59", "1"))
    assert (wrong["150"], wrong["39"], wrong["11"]) == ("8", "8", "b")
    assert client.cancel("c", "a")["150"] == "4"


def test_it_buys_for_an_amount_and_sells_a_quantity(served: Served, connect: Connect, interval: str) -> None:
    client = connect()
    client.logon(interval, RESET)
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSD", side="2", qty="1", price="50000")
    bought = client.order_of("a", "1", ("40", "1"), ("152", "501"))
    fill = client.receive()
    assert (bought["150"], bought["152"], "38" in bought) == ("0", "501", False)
    assert (fill["150"], fill["39"], fill["151"], fill["152"], "59" in fill) == ("F", "2", "0", "501", False)
    assert 500 <= float(fill["31"]) * float(fill["32"]) + float(fill["12"]) <= 501
    served.ask("place", account=STRANGER, cl_ord_id="y", symbol="BTCUSD", side="1", qty="1", price="49000")
    assert client.order_of("b", "2", ("38", "0.005"), ("40", "1"))["38"] == "0.005"
    assert client.receive()["39"] == "2"


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
