"""A client that was written from the venue's pages alone logs on, trades, and is refused where the venue refuses it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.venues.credentials import HmacPassphrase
from tests.common.venues.both_sides import STRANGER, BothSides
from tests.common.venues.coinbaseintl import raw_client
from tests.common.venues.coinbaseintl.raw_client import RawClient, now
from tests.common.venues.served import Served

Connect = Callable[..., RawClient]


@pytest.fixture
def who(sides: BothSides) -> tuple[str, str, str]:
    ours = sides.credentials
    assert isinstance(ours, HmacPassphrase)
    return ours.api_key, ours.secret.decode(), ours.passphrase


@pytest.fixture
def connect(served: Served, who: tuple[str, str, str]) -> Iterator[Connect]:
    """Makes a connection to a listener; each is closed in the end."""
    clients: list[RawClient] = []

    def connected(
        listener: str = "fix", target: str = "CBINTLOE", keys: tuple[str, str, str] | None = None
    ) -> RawClient:
        clients.append(RawClient(served.port(listener), keys or who, target))
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
    # As the venue's own sample client does, which says 8013=N on every message of administration.
    answer = client.logon(("8013", "N"))
    assert (answer["35"], answer["34"], answer["1137"], answer["49"]) == ("A", "1", "9", "CBINTLOE")
    assert len(answer["52"].partition(".")[2]) == 6
    rested = client.order("a", "0.5", "60000", ("18", "6"))
    assert (rested["150"], rested["39"], rested["151"], rested["8000"], rested["15"]) == ("0", "0", "0.5", "Q", "USDC")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC-PERP", side="2", qty="0.2", price="60000")
    fill = client.receive()
    assert (fill["20"], fill["150"], fill["39"], fill["32"], fill["31"], fill["851"], fill["138"]) == (
        "0", "1", "1", "0.2", "60000", "1", "USDC",
    )  # fmt: skip
    replaced = client.ask("G", ("11", "b"), ("41", "a"), ("38", "0.4"), ("44", "59000"), ("55", "BTC-PERP"))
    assert (replaced["150"], replaced["39"], replaced["37"], replaced["151"]) == ("5", "5", rested["37"], "0.2")
    cancelled = client.ask("F", ("11", "c"), ("41", "b"), ("55", "BTC-PERP"))
    assert (cancelled["150"], cancelled["39"], cancelled["11"], cancelled["41"]) == ("4", "4", "c", "b")
    assert client.ask("5")["35"] == "5"


def test_all_is_cancelled_at_once(connect: Connect) -> None:
    client = connect()
    client.logon()
    client.order("a", "0.5", "60000")
    client.order("b", "0.5", "60001")
    answer = client.ask("q", ("11", "c"))
    assert (answer["35"], answer["531"], answer["533"], answer["11"]) == ("r", "7", "2", "c")
    assert {client.receive()["150"] for _ in range(2)} == {"4"}
    assert client.ask("q", ("11", "d"), ("55", "NOSUCH"))["531"] == "0"


def test_a_stop_order_and_a_market_order(served: Served, connect: Connect) -> None:
    client = connect()
    client.logon()
    stop = [("11", "s"), ("38", "0.1"), ("40", "4"), ("44", "66000"), ("99", "65500"), ("54", "1"), ("59", "1")]
    assert client.ask("D", *stop, ("55", "BTC-PERP"))["150"] == "0"
    moved = client.ask(
        "G", ("11", "t"), ("41", "s"), ("38", "0.1"), ("44", "66001"), ("55", "BTC-PERP"), ("99", "65501")
    )
    assert (moved["35"], moved["102"], moved["37"] != "NONE") == ("9", "3", True), "its StopPx(99) cannot be changed"
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC-PERP", side="2", qty="0.3", price="65600")
    market = [("11", "m"), ("38", "0.1"), ("40", "1"), ("54", "1"), ("59", "3")]
    told = client.ask("D", *market, ("55", "BTC-PERP"))
    reports = [told, *[client.receive() for _ in range(3)]]
    assert [(r["11"], r["150"]) for r in reports] == [("m", "0"), ("m", "2"), ("s", "L"), ("s", "2")]


def test_it_hears_a_fill_on_its_drop_copy_again(served: Served, connect: Connect) -> None:
    client, copy = connect(), connect("drop_copy", "CBINTLDC")
    client.logon()
    assert (copy.logon()["49"], copy.number) == ("CBINTLDC", 2)
    client.order("a", "0.2", "60000")
    served.ask("place", account=STRANGER, cl_ord_id="x", symbol="BTC-PERP", side="2", qty="0.2", price="60000")
    assert [copy.receive()["150"] for _ in range(2)] == ["0", "2"]
    assert copy.ask("D", ("11", "b"))["380"] == "3", "it takes no request"


@pytest.mark.parametrize(
    ("wrong", "reason", "tag"),
    [
        ({"reset": "N"}, "5", "141"),
        ({"separator": "\x01"}, "8", "58"),
        ({"behind_s": 2}, "10", "52"),
        ({"more": ("1137", "8")}, "18", "1137"),
        ({"more": ("108", "31")}, "5", "108"),
        ({"target": "CBINTLDC"}, "9", "49"),
    ],
)  # fmt: skip
def test_a_wrong_logon_is_rejected_and_closed(
    connect: Connect, wrong: dict[str, object], reason: str, tag: str
) -> None:
    terms = {**wrong}
    more, target = terms.pop("more", None), terms.pop("target", "CBINTLOE")
    client = connect("fix", target)
    answer = client.logon(*[more] if more else [], **terms)  # type: ignore[arg-type]
    assert (answer["35"], answer["372"], answer["373"], answer["371"]) == ("3", "A", reason, tag)
    assert client.receive() == {}


def test_another_s_secret_and_a_second_session_of_a_key_are_rejected(
    connect: Connect, who: tuple[str, str, str]
) -> None:
    assert connect(keys=(who[0], who[1][::-1], who[2])).logon()["373"] == "8"
    assert connect().logon()["35"] == "A"
    assert connect().logon()["373"] == "9"


def test_it_is_refused_where_the_venue_would_refuse_it(connect: Connect) -> None:
    client = connect()
    client.logon()
    for more, tag in ((("59", "0"), "59"), (("18", "A"), "18"), (("40", "O"), "40"), (("8000", "B"), "8000")):
        answer = client.order("a", "0.5", "60000", more)
        assert (answer["35"], answer["371"]) == ("3", tag)
    assert client.order("x" * 20 + "!", "0.5", "60000")["371"] == "11"
    unknown = client.ask("F", ("11", "b"), ("41", "nothing"), ("55", "BTC-PERP"))
    assert (unknown["35"], unknown["37"], unknown["102"]) == ("9", "NONE", "1") and "39" not in unknown
    dear = client.order("c", "0.5", "650000000")
    assert (dear["150"], dear["39"], dear["103"]) == ("8", "8", "2")
    assert client.ask("H", ("11", "a"), ("54", "1"), ("55", "BTC-PERP"))["380"] == "3"


def test_a_message_of_two_seconds_ago_is_rejected(connect: Connect) -> None:
    client = connect()
    client.logon()
    answer = client.ask("q", ("11", "a"), stamp=now(2))
    assert (answer["35"], answer["373"]) == ("3", "10")
