"""A client that was written from the venue's pages alone logs on, trades, and is refused where the venue refuses it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.venues.credentials import Ed25519Key
from tests.common.venues.binance import raw_client
from tests.common.venues.binance.raw_client import RawClient
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    """The simulated exchange, and the desk's keys."""
    return BothSides("binance", tmp_path)


@pytest.fixture
def served(sides: BothSides) -> Iterator[Served]:
    """The same, with its listeners at ports of their own."""
    with Served(sides.world) as served:
        yield served


@pytest.fixture
def connect(sides: BothSides, served: Served) -> Iterator[Connect]:
    """Makes a connection with the desk's keys; each is closed in the end."""
    clients: list[RawClient] = []
    ours = sides.credentials
    assert isinstance(ours, Ed25519Key)

    def connected(name: str = "RAW", listener: str = "fix") -> RawClient:
        clients.append(RawClient(served.port(listener), ours.api_key, ours.private_key_pem, name))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_it_imports_nothing_of_the_project() -> None:
    nodes = list(ast.walk(ast.parse(Path(raw_client.__file__).read_text())))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} == {"base64", "cryptography", "datetime", "socket"}


def test_it_logs_on_trades_and_logs_out(served: Served, connect: Connect) -> None:
    client = connect()
    answer = client.logon()
    assert (answer["35"], answer["34"], answer["98"], answer["108"], answer.get("141")) == ("A", "1", "0", "30", None)
    rested = client.order("mine", "1", "0.01", "64000")
    assert (rested["150"], rested["39"], rested["11"], rested["636"]) == ("0", "0", "mine", "Y")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSDT", side="2", qty="0.004", price="64000")
    fill = client.receive()
    assert (fill["150"], fill["39"], fill["32"], fill["1003"], fill["1057"]) == ("F", "1", "0.00400000", "1", "N")
    lowered = client.ask("XAK", ("11", "mine"), ("37", rested["37"]), ("55", "BTCUSDT"), ("38", "0.008"))
    assert (lowered["150"], lowered["39"], lowered["38"], lowered["151"]) == ("5", "1", "0.00800000", "0.00400000")
    client.send(
        "XCN", ("25033", "1"), ("37", rested["37"]), ("11", "other"), ("38", "0.01"), ("40", "2"), ("44", "63000"),
        ("54", "1"), ("55", "BTCUSDT"), ("59", "1"),
    )  # fmt: skip
    cancelled, new = client.receive(), client.receive()
    assert (cancelled["150"], cancelled["41"], new["150"], new["11"]) == ("4", "mine", "0", "other")
    ended = client.ask("F", ("11", "c"), ("41", "other"), ("55", "BTCUSDT"))
    assert (ended["150"], ended["11"], ended["41"]) == ("4", "c", "other")
    limits = client.ask("XLQ", ("6136", "limits"))
    assert (limits["35"], limits["6136"], limits["25003"]) == ("XLR", "limits", "2")
    assert client.ask("5")["58"] == "Logout acknowledgment."


def test_it_hears_prices(served: Served, connect: Connect) -> None:
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTCUSDT", side="2", qty="0.004", price="64000")
    client = connect("RAWMD", "market_data")
    client.logon()
    book = (("262", "b"), ("263", "1"), ("264", "1"), ("266", "Y"), ("146", "1"), ("55", "BTCUSDT"))
    snapshot = client.ask("V", *book, ("267", "2"), ("269", "0"), ("269", "1"))
    assert (snapshot["35"], snapshot["270"], snapshot["271"]) == ("W", "64000.00000000", "0.00400000")
    refused = client.ask("V", *book, ("267", "2"), ("269", "0"), ("269", "1"))
    assert (refused["35"], refused["262"], refused["281"]) == ("Y", "b", "1")
    assert client.ask("D", ("11", "a"))["25016"] == "-1187"


@pytest.mark.parametrize(
    ("more", "code"), [(("141", "N"), "-1175"), (("553", "x" * 64), "-2015"), (("108", "4"), "-1100")]
)
def test_it_is_not_let_in(connect: Connect, more: tuple[str, str], code: str) -> None:
    client = connect()
    refused = client.logon(more)
    assert (refused["35"], refused["25016"]) == ("3", code) and client.receive() == {}


def test_it_is_refused(connect: Connect) -> None:
    forger = connect("FORGER")
    assert forger.logon(forge="x")["25016"] == "-1022"
    client = connect()
    client.logon()
    superfluous = client.order("a", "1", "0.01", "64000", ("21", "1"))
    assert (superfluous["35"], superfluous["371"], superfluous["25016"]) == ("3", "21", "-1169")
    small = client.order("a", "1", "0.00001", "64000")
    assert (small["150"], small["25016"], small["58"]) == ("8", "-1013", "Filter failure: NOTIONAL")
    gone = client.ask("F", ("11", "c"), ("41", "none"), ("55", "BTCUSDT"))
    assert (gone["35"], gone["25016"], gone["58"]) == ("9", "-2011", "Unknown order sent.")
    client.number += 1
    gap = client.ask("0")
    assert (gap["35"], gap["25016"]) == ("3", "-1179")
