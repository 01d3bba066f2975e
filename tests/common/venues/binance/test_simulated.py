"""Binance's oddities one by one, FIX and REST, asked by the client's own session and dialect where it has one."""

import base64
import urllib.parse
from pathlib import Path
from typing import Any

import h11
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from common.exchange.settings import Key
from common.fix.session import Session
from common.fix.wire import encode, utc_timestamp
from common.messages import ExecutionReport
from common.venues.binance.dialect import Binance
from common.venues.binance.simulated.session import verifies
from common.venues.credentials import Ed25519Key
from common.venues.dialect import Identity
from tests.common.exchange.harness import GENERIC, SECOND, Client, World

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
API_KEY = "k" * 64
KEY = Key(api_key=API_KEY, public_key=PRIVATE.public_key().public_bytes_raw(), account="desk")
BINANCE = msgspec.structs.replace(GENERIC, name="binance", dialect="binance", comp_id="SPOT", parties=(), keys=(KEY,))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, BINANCE)


def connect(world: World, comp_id: str = "FXR00001", listener: str = "fix") -> Client:
    settings = Binance().session_settings(Identity(comp_id, "SPOT", 5), Ed25519Key(API_KEY, PEM))
    return Client(world, listener=listener, session=Session(settings))


def order(client: Client, name: str, side: str, qty: str, price: str, more: str = "59=1|") -> list[dict[int, str]]:
    return client.send("D", f"11={name}|38={qty}|40=2|54={side}|55=BTCUSDT|44={price}|{more}")


def picked(report: dict[int, str], *tags: int) -> tuple[str | None, ...]:
    return tuple(report.get(tag) for tag in tags)


class RawClient:
    """A connection that sends whatever it is told to."""

    def __init__(self, world: World, listener: str = "fix") -> None:
        self.world = world
        world.connections += 1
        self.number = world.connections
        self.wire = b""
        world.raw_clients[self.number] = self
        world.core.accepted(self.number, listener, world.now)

    def say(self, body: str) -> str:
        """Send `body` (pipes) as one message; what came back, with pipes."""
        return self.push(encode(b"FIX.4.4", body.replace("|", "\x01").encode()))

    def push(self, data: bytes) -> str:
        self.wire = b""
        self.world.core.data(self.number, data, self.world.now)
        self.world.pump()
        return self.wire.replace(b"\x01", b"|").decode()

    def logon(self, change: dict[str, str] | None = None, **signed: str) -> str:
        """A good Logon(A), but for `change` of its fields; `signed` changes what the signature covers."""
        stamp = utc_timestamp(self.world.now.wall_ns, 6).decode()
        values = {"49": "FXR00009", "56": "SPOT", "34": "1", "52": stamp}
        head = {**values, **(change or {})}
        covers = {**head, **{tag[1:]: value for tag, value in signed.items()}}
        text = "\x01".join(("A", covers["49"], covers["56"], covers["34"], covers["52"]))
        signature = base64.b64encode(PRIVATE.sign(text.encode())).decode()
        fields = {
            "35": "A", **values, "98": "0", "108": "30", "95": str(len(signature)), "96": signature, "141": "Y",
            "553": API_KEY, "25035": "2", **(change or {}),
        }  # fmt: skip
        return self.say("".join(f"{tag}={value}|" for tag, value in fields.items() if value))


# ---- logon


def test_a_signed_logon_is_answered_without_the_reset_flag(world: World) -> None:
    answer = RawClient(world).logon()
    assert "35=A|49=SPOT|56=FXR00009|34=1|" in answer
    assert "98=0|108=30|25037=" in answer
    assert "141=" not in answer


def test_the_published_signature_vector_verifies() -> None:
    pem = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"
    private = load_pem_private_key(f"-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----".encode(), None)
    assert isinstance(private, Ed25519PrivateKey)
    key = Key(api_key="x", public_key=private.public_key().public_bytes_raw(), account="desk")
    signature = b"4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
    payload = b"A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223"
    assert verifies(key, signature, payload)
    assert not verifies(key, signature, payload + b"4")
    assert not verifies(key, b"no base64", payload)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"141": "N"}, -1175),
        ({"141": ""}, -1102),
        ({"553": "x" * 64}, -2015),
        ({"108": "4"}, -1100),
        ({"108": "61"}, -1100),
        ({"34": "2"}, -1179),
        ({"25035": "3"}, -1100),
        ({"9406": "Y"}, -1184),
        ({"49": "NINECHARS"}, -1100),
        ({"789": "1"}, -1169),
        ({"38": "1"}, -1170),
        ({"52": "20200101-00:00:00.000000"}, -1021),
        ({"25000": "60001"}, -1100),
        ({"56": "FUTURES"}, -1100),
        ({"98": "1"}, -1100),
        ({"25036": "3"}, -1100),
        ({"96": ""}, -1102),
    ],
)
def test_logons_that_are_refused(world: World, change: dict[str, str], code: int) -> None:
    answer = RawClient(world).logon(change)
    assert "35=3|" in answer and f"25016={code}|" in answer
    assert world.core.venue.lines.all == []


def test_the_signature_follows_its_length(world: World) -> None:
    stamp = utc_timestamp(world.now.wall_ns, 6).decode()
    head = f"35=A|49=FXR1|56=SPOT|34=1|52={stamp}|98=0|108=30|95=1|141=Y|96=x|553={API_KEY}|25035=2|"
    answer = RawClient(world).say(head)
    assert "371=96|" in answer and "25016=-1172|" in answer


def test_a_signature_of_other_text_is_refused(world: World) -> None:
    assert "25016=-1022|" in RawClient(world).logon(t52="20260101-00:00:00.001000")


def test_logon_must_come_first_and_once(world: World) -> None:
    assert "25016=-1180|" in RawClient(world).say("35=0|49=FXR1|56=SPOT|34=1|52=20260101-00:00:00.000|")
    client = connect(world)
    assert "25016=-1176|" in again(client, "35=A|98=0|108=30|")


def again(client: Client, body: str, **header: str) -> str:
    """Send a raw message in the client's own numbering."""
    stamp = utc_timestamp(client.world.now.wall_ns, 6).decode()
    head = {
        "49": client.session.settings.sender_comp_id,
        "56": "SPOT",
        "34": str(client.session.next_outbound),
        "52": stamp,
    }
    head |= {tag[1:]: value for tag, value in header.items()}
    msg_type, _, rest = body.partition("|")
    text = msg_type + "|" + "".join(f"{tag}={value}|" for tag, value in head.items()) + rest
    client.wire = b""
    client.world.core.data(client.number, encode(b"FIX.4.4", text.replace("|", "\x01").encode()), client.world.now)
    client.session.next_outbound += 1
    client.world.pump()
    return client.wire.replace(b"\x01", b"|").decode()


def test_one_name_has_one_connection_and_is_locked_after_an_unclean_drop(world: World) -> None:
    first = connect(world)
    assert "25016=-1033|" in RawClient(world).logon({"49": "FXR00001"})
    first.cut()
    assert "25016=-1033|" in RawClient(world).logon({"49": "FXR00001"})
    world.pass_time(10.1, 1)
    assert "35=A|" in RawClient(world).logon({"49": "FXR00001"})


def test_whoever_has_not_logged_on_gets_no_news_and_no_leave(world: World) -> None:
    client, silent = connect(world), RawClient(world)
    world.ask("fault", kind="maintenance", scope="fix", ms=60_000)
    world.pass_time(0.1)
    world.core.stop(world.now)
    world.pump()
    assert b"35=B\x01" in client.wire and b"58=Server is shutting down.\x01" in client.wire
    assert silent.wire == b""


def test_logout_frees_the_name_at_once(world: World) -> None:
    client = connect(world)
    client.session.logout("bye", world.now)
    world.pump()
    assert b"58=Logout acknowledgment.\x01" in client.wire
    assert "35=A|" in RawClient(world).logon({"49": "FXR00001"})


def test_connections_and_attempts_are_limited(world: World) -> None:
    for number in range(10):
        assert "35=A|" in RawClient(world).logon({"49": f"C{number}"})
    assert "25016=-1034|" in RawClient(world).logon({"49": "C10"})
    for _ in range(4):
        RawClient(world).logon({"49": "C11"})
    assert "current limit is 15 per '30s'" in RawClient(world).logon({"49": "C11"})
    world.pass_time(31, 1)
    assert "current limit is 15" not in RawClient(world).logon({"49": "C11"})


# ---- the session


def test_a_gap_ends_the_session(world: World) -> None:
    client = connect(world)
    answer = again(client, "35=0|", t34="9")
    assert "25016=-1179|" in answer and "Expected: '2'" in answer
    assert client not in world.clients


@pytest.mark.parametrize(
    ("body", "code", "tag"),
    [
        ("35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|21=1|", -1169, "21"),
        ("35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|60=20260101-00:00:00|", -1170, "60"),
        ("35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|11=b|", -1171, "11"),
        ("35=D|11=a|38=|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1177, "38"),
        ("35=D|11=a|38=1|40=2|54=1|55=NOPE|44=900|59=1|", -1121, "55"),
        ("35=D|11=a b|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1100, "11"),
        ("35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|59=1|", -1102, "44"),
        ("35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|", -1102, "59"),
        ("35=D|11=a|38=1|40=1|54=1|55=BTCUSDT|59=1|", -1106, "59"),
        ("35=D|11=a|38=1|40=2|18=6|54=1|55=BTCUSDT|44=900|59=1|", -1106, "59"),
        ("35=D|11=a|38=1|40=K|54=1|55=BTCUSDT|", -1116, "40"),
        ("35=D|11=a|38=1|40=2|54=5|55=BTCUSDT|44=900|59=1|", -1117, "54"),
        ("35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=6|", -1115, "59"),
        ("35=D|11=a|38=0.000000001|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1111, "38"),
        ("35=D|11=a|38=one|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1100, "38"),
        ("35=F|11=c|55=BTCUSDT|54=1|41=x|", -1170, "54"),
        ("35=D|11=a|38=1|40=2|18=5|54=1|55=BTCUSDT|44=900|", -1100, "18"),
        ("35=D|11=a|38=1e2|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1100, "38"),
        ("35=D|11=a|x=1|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1169, None),
        ("35=E|11=a|", -1102, "25014"),
        ("35=E|25014=l|1385=3|73=0|", -1100, "1385"),
        ("35=E|25014=l|1385=1|73=1|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1188, "73"),
        ("35=E|25014=l|1385=1|73=1|38=1|11=a|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1173, "73"),
        ("35=E|25014=l|1385=2|73=2|11=a|38=1|38=2|11=b|38=1|", -1171, "73"),
        ("35=F|11=c|55=NOPE|41=x|", -1121, "55"),
        ("35=F|11=c|55=BTCUSDT|37=x|", -1100, "37"),
        ("35=q|11=c|55=BTCUSDT|530=7|", -1100, "530"),
        ("35=q|11=c|55=NOPE|530=1|", -1121, "55"),
        ("35=XCN|25033=3|41=x|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|", -1100, "25033"),
        ("35=F|11=c|55=BTCUSDT|", -1102, None),
        ("35=G|11=c|55=BTCUSDT|", -1177, "35"),
        ("35=H|11=c|55=BTCUSDT|", -1177, "35"),
    ],
)
def test_messages_that_are_rejected_by_number(world: World, body: str, code: int, tag: str | None) -> None:
    client = connect(world)
    answer = again(client, body)
    assert "35=3|49=SPOT|56=FXR00001|34=2|" in answer and "45=2|" in answer and f"25016={code}|" in answer
    assert tag is None or f"371={tag}|" in answer
    assert order(client, "good", "1", "1", "900")[0][150] == "0"


def test_a_session_keeps_its_name_and_says_nothing_after_its_logout(world: World) -> None:
    client = connect(world)
    assert "371=49|" in again(client, "35=0|", t49="OTHER")
    assert "58=Logout acknowledgment.|" in again(client, "35=5|")
    assert "25016=-1035|" in again(client, "35=0|")


def test_the_window_is_counted_from_sending_time(world: World) -> None:
    client = connect(world)
    old = utc_timestamp(world.now.wall_ns - 600_000_000, 6).decode()
    body = "35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|"
    assert "25016=-1021|" in again(client, body, t52=old, t25000="500")
    assert "150=0|" in again(client, body, t52=old, t25000="600.5")
    early = utc_timestamp(world.now.wall_ns + SECOND, 6).decode()
    assert "25016=-1021|" in again(client, body.replace("11=a", "11=b"), t52=early)


def test_too_many_messages_end_the_session(world: World) -> None:
    client = connect(world, "MD", "market_data")
    for _ in range(1999):
        again(client, "35=0|")
    assert "58=Too many messages" in again(client, "35=0|")
    assert client not in world.clients


def test_a_silent_client_is_tested_and_dropped(world: World) -> None:
    raw = RawClient(world)
    raw.logon({"108": "5"})
    raw.wire = b""
    world.pass_time(5.5, 0.5)
    assert b"35=1\x01" in raw.wire
    world.pass_time(5.5, 0.5)
    assert b"35=5\x01" in raw.wire
    assert world.core.venue.lines.all == []


# ---- orders


def test_an_order_and_its_fill(world: World) -> None:
    client = connect(world)
    (new,) = order(client, "m", "2", "2", "1000")
    assert new[25023] == new[60] == new[25018], "it works from the beginning on"
    assert picked(new, 150, 39, 38, 44, 14, 151, 32, 636, 6) == (
        "0", "0", "2.00000000", "1000.00000000", "0.00000000", "2.00000000", "0.00000000", "Y", None,
    )  # fmt: skip
    resting = world.core.venue.state.find("desk", "m")
    assert resting is not None
    client.got.clear()
    world.core.venue.fill_late(resting, world.now)
    world.pump()
    (fill,) = client.got
    assert picked(fill, 150, 39, 31, 32, 1003, 1057, 25017, 137, 138) == (
        "F", "1", "1000.00000000", "1.00000000", "1", "N", "1000.00000000", "1.00000000", "USDT",
    )  # fmt: skip
    event = Binance().decode("8", client.raw[-1])
    assert isinstance(event, ExecutionReport) and event.trade_key == "1" and event.maker


@pytest.mark.parametrize(
    ("more", "price", "qty", "code", "text"),
    [
        ("59=1|", "900.001", "1", "-1013", "Filter failure: PRICE_FILTER"),
        ("59=1|", "900", "0.0001", "-1013", "Filter failure: LOT_SIZE"),
        ("59=1|", "200", "0.01", "-1013", "Filter failure: NOTIONAL"),
        ("59=1|", "199", "1", "-1013", "Filter failure: PERCENT_PRICE"),
        ("59=1|", "1000001", "1", "-1013", "Filter failure: PRICE_FILTER"),
        ("59=1|", "4000", "99", "-2010", "Account has insufficient balance for requested action."),
        ("59=1|25001=5|", "900", "1", "-2010", "This symbol does not allow the specified self-trade prevention mode."),
    ],
)
def test_orders_that_the_engine_refuses(world: World, more: str, price: str, qty: str, code: str, text: str) -> None:
    (report,) = order(connect(world), "a", "1", qty, price, more)
    assert picked(report, 150, 39, 17, 103, 25016, 58) == ("8", "8", None, "99", code, text)


def test_post_only_and_duplicate(world: World) -> None:
    client = connect(world)
    order(client, "a", "1", "1", "900")
    (duplicate,) = order(client, "a", "1", "1", "900")
    assert picked(duplicate, 150, 25016, 58) == ("8", "-2010", "Duplicate order sent.")
    (maker,) = order(client, "p", "1", "1", "901", "18=6|")
    assert picked(maker, 150, 18) == ("0", "6")


def test_cancel_by_id_by_name_and_what_cannot_be(world: World) -> None:
    client = connect(world)
    (new,) = order(client, "a", "1", "1", "900")
    (done,) = client.send("F", f"11=c|37={new[37]}|41=a|55=BTCUSDT|")
    assert picked(done, 150, 39, 11, 41) == ("4", "4", "c", "a")
    (late,) = client.send("F", "11=c2|41=a|55=BTCUSDT|")
    assert picked(late, 35, 434, 25016, 58) == ("9", "1", "-2011", "Unknown order sent.")
    (new,) = order(client, "b", "1", "1", "900")
    (mismatch,) = client.send("F", f"11=c3|37={new[37]}|41=zzz|55=BTCUSDT|")
    assert picked(mismatch, 35, 25016) == ("9", "-2011")
    (restricted,) = client.send("F", "11=c4|41=b|55=BTCUSDT|25002=2|")
    assert restricted[58].startswith("Order was not canceled due to cancel restrictions")


def test_mass_cancel(world: World) -> None:
    client = connect(world)
    order(client, "a", "1", "1", "900")
    order(client, "b", "1", "1", "901")
    *cancels, report = client.send("q", "11=k|55=BTCUSDT|530=1|")
    assert [picked(c, 150, 11, 41) for c in cancels] == [("4", "k", "a"), ("4", "k", "b")]
    assert picked(report, 35, 531, 533) == ("r", "1", "2")
    (none,) = client.send("q", "11=k|55=BTCUSDT|530=1|")
    assert picked(none, 35, 531, 25016) == ("r", "0", "-2011")


def test_cancel_and_new(world: World) -> None:
    client = connect(world)
    order(client, "a", "1", "1", "900")
    text = "25033=1|41=a|25034=a_c|25002=1|11=b|38=1|40=2|54=1|55=BTCUSDT|44=901|59=1|"
    cancelled, new = client.send("XCN", text)
    assert picked(cancelled, 150, 11, 41) == ("4", "a_c", "a")
    assert picked(new, 150, 11, 44) == ("0", "b", "901.00000000")
    (refused,) = client.send("XCN", text.replace("11=b", "11=d"))
    assert picked(refused, 35, 11, 25016) == ("9", "a_c", "-2011")
    assert [o["cl_ord_id"] for o in world.ask("orders")["orders"]] == ["b"]  # type: ignore[attr-defined]
    refused, new = client.send("XCN", text.replace("11=b", "11=d").replace("25033=1", "25033=2"))
    assert (refused[35], new[150]) == ("9", "0")
    (filtered,) = client.send("XCN", "25033=1|41=b|11=e|38=1|40=2|54=1|55=BTCUSDT|44=901.001|59=1|")
    assert picked(filtered, 150, 11, 25016) == ("8", "e", "-1013")


def test_a_partly_filled_order_stops_a_restricted_replacement(world: World) -> None:
    client = connect(world)
    order(client, "a", "2", "2", "1000")
    resting = world.core.venue.state.find("desk", "a")
    assert resting is not None
    world.core.venue.fill_late(resting, world.now)
    (refused,) = client.send("XCN", "25033=1|41=a|25002=1|11=b|38=2|40=2|54=2|55=BTCUSDT|44=1001|59=1|")[-1:]
    assert picked(refused, 35, 58) == ("9", "Order was not canceled due to cancel restrictions.")
    assert resting.is_open


def test_amend_keeps_priority_and_only_lowers(world: World) -> None:
    client = connect(world)
    order(client, "a", "1", "10", "900")
    (done,) = client.send("XAK", "11=a|41=a|55=BTCUSDT|38=9|")
    assert picked(done, 150, 39, 11, 38, 151) == ("5", "0", "a", "9.00000000", "9.00000000")
    (more,) = client.send("XAK", "11=a|41=a|55=BTCUSDT|38=9.5|")
    assert picked(more, 35, 25016) == ("XAR", "-2038")
    assert b"\x019=0000" in client.raw[-1]
    (unknown,) = client.send("XAK", "11=z|41=z|55=BTCUSDT|38=1|")
    assert picked(unknown, 35, 58) == ("XAR", "Unknown order sent.")
    for left in range(9):
        client.send("XAK", f"11=a|41=a|55=BTCUSDT|38={8 - left * 0.5}|")
    (enough,) = client.send("XAK", "11=a|41=a|55=BTCUSDT|38=1|")
    assert "MAX_NUM_ORDER_AMENDS" in enough[58]


def test_the_whole_account_is_told_unless_only_acks_were_asked_for(world: World) -> None:
    first, second, raw = connect(world), connect(world, "FXR00002"), RawClient(world)
    raw.logon({"25036": "2"})
    order(first, "a", "1", "1", "900")
    assert [m[11] for m in second.got if m[35] == "8"] == ["a"]
    assert raw.wire.count(b"35=8\x01") == 0


def test_limits_can_be_asked(world: World) -> None:
    client = connect(world)
    order(client, "a", "1", "1", "900")
    client.send("XLQ", "6136=q|")
    assert b"6136=q\x0125003=2\x0125004=1\x0125005=1\x0125006=100000\x01" in client.wire


def test_the_unfilled_order_count_is_limited(tmp_path: Path) -> None:
    world = World(tmp_path, msgspec.structs.replace(BINANCE, unfilled_order_limit=2))
    client = connect(world)
    for name in "ab":
        order(client, name, "1", "1", "900")
    (refused,) = order(client, "c", "1", "1", "900")
    assert picked(refused, 150, 25016) == ("8", "-1015")
    world.pass_time(10, 1)
    assert order(client, "d", "1", "1", "900")[0][150] == "0"


@pytest.mark.parametrize(("despite", "left"), [("", ["a", "b"]), ("25038=2|", ["b"])])
def test_too_many_orders_stop_a_replacement_and_its_cancel_only_where_both_are_one(
    tmp_path: Path, despite: str, left: list[str]
) -> None:
    world = World(tmp_path, msgspec.structs.replace(BINANCE, unfilled_order_limit=2))
    client = connect(world)
    for name in "ab":
        order(client, name, "1", "1", "900")
    text = f"25033=1|41=a|25034=a_c|11=c|38=1|40=2|54=1|55=BTCUSDT|44=901|59=1|{despite}"
    refused = client.send("XCN", text)[-1]
    assert picked(refused, 150, 11, 25016) == ("8", "c", "-1015")
    assert [o["cl_ord_id"] for o in world.ask("orders")["orders"]] == left  # type: ignore[attr-defined]


# ---- market data


def test_book_ticker_and_trades(world: World) -> None:
    trader, client = connect(world), connect(world, "MD1", "market_data")
    order(trader, "bid", "1", "1", "900")
    for body in Binance().encode_subscribe("r", ["BTCUSDT", "ETHUSDT"]):
        client.session.send(body.msg_type, body.fields, world.now)
    world.pump()
    assert [m[35] for m in client.got] == ["A", "W", "W"]
    assert b"9=0000" in client.raw[1]
    client.raw.clear()
    order(trader, "better", "1", "2", "910")
    world.pass_time(0.1, 0.02)
    text = client.raw[0].replace(b"\x01", b"|").decode()
    assert "268=1|279=1|270=910.00000000|271=2.00000000|269=0|55=BTCUSDT|25043=" in text
    assert Binance().decode_market_data("X", client.raw[0])
    client.raw.clear()
    resting = world.core.venue.state.find("desk", "better")
    assert resting is not None
    world.core.venue.fill_late(resting, world.now)
    world.pump()
    text = client.raw[0].replace(b"\x01", b"|").decode()
    assert "279=0|270=910.00000000|271=1.00000000|269=2|55=BTCUSDT|60=" in text and "|1003=1|2446=2|" in text


def test_depth_updates_join_up(world: World) -> None:
    trader, client = connect(world), connect(world, "MD1", "market_data")
    client.send("V", "262=d|263=1|264=50|266=Y|146=1|55=BTCUSDT|267=2|269=0|269=1|")
    last = int(client.got[0][25044])
    client.got.clear()
    for step in range(6):
        order(trader, f"o{step}", "1", "1", str(900 + step))
        if step == 3:
            trader.send("q", "11=k|55=BTCUSDT|530=1|")
        world.pass_time(0.15, 0.05)
    assert client.got
    for update in client.got:
        assert int(update[25043]) == last + 1
        last = int(update[25044])


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("262=a|263=1|264=1|146=1|55=BTCUSDT|267=1|269=0|", "25016=-1128|"),
        ("262=a|263=1|264=0|146=1|55=BTCUSDT|267=2|269=0|269=1|", "25016=-1100|"),
        ("262=a|263=1|264=1|146=1|55=NOPE|267=2|269=0|269=1|", "25016=-1121|"),
        ("262=r|263=1|264=5|146=1|55=BTCUSDT|267=2|269=0|269=1|", "281=1|25016=-1190|"),
        ("262=b|263=1|264=1|146=1|55=BTCUSDT|267=2|269=0|269=1|", "281=1|25016=-1191|"),
        ("262=b|263=0|264=1|146=1|55=BTCUSDT|267=2|269=0|269=1|", "25016=-1100|"),
        ("262=b|263=1|264=5|267=2|269=0|269=1|", "25016=-1102|"),
        ("262=b|263=2|", "58=No such subscription.|"),
        ("262=b|263=1|264=5|146=1000|" + "55=BTCUSDT|" * 1000 + "267=2|269=0|269=1|", "58=Too many subscriptions.|"),
    ],
)
def test_subscriptions_that_are_refused(world: World, body: str, answer: str) -> None:
    client = connect(world, "MD1", "market_data")
    client.send("V", "262=r|263=1|264=1|146=1|55=BTCUSDT|267=2|269=0|269=1|")
    assert answer in again(client, f"35=V|{body}")


def test_what_is_no_longer_subscribed_to_is_not_told(world: World) -> None:
    trader, client = connect(world), connect(world, "MD1", "market_data")
    client.send("V", "262=r|263=1|264=1|146=1|55=BTCUSDT|267=2|269=0|269=1|")
    order(trader, "a", "1", "1", "900")
    world.pass_time(0.1, 0.02)
    assert client.send("V", "262=r|263=2|") == []
    order(trader, "b", "1", "1", "901")
    world.pass_time(0.1, 0.02)
    assert client.got == []


def test_instruments_are_told_one_by_one_or_all(world: World) -> None:
    client = connect(world, "MD1", "market_data")
    assert "320=i|146=1|55=ETHUSDT|" in again(client, "35=x|320=i|559=0|55=ETHUSDT|")
    assert "25016=-1121|" in again(client, "35=x|320=i|559=0|55=NOPE|")
    assert "371=559|" in again(client, "35=x|320=i|559=9|")


def test_orders_have_no_place_on_market_data(world: World) -> None:
    client = connect(world, "MD1", "market_data")
    assert "25016=-1187|" in again(client, "35=D|11=a|38=1|40=2|54=1|55=BTCUSDT|44=900|59=1|")
    assert "320=i|146=2|55=BTCUSDT|15=USDT|" in again(client, "35=x|320=i|559=4|")


# ---- REST


class Http:
    """A keep-alive HTTP client that signs."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.connections += 1
        self.number = world.connections
        self.wire = b""
        self.http = h11.Connection(h11.CLIENT)
        world.raw_clients[self.number] = self
        world.core.accepted(self.number, "rest", world.now)

    def ask(
        self, method: str, name: str, *, key: str = API_KEY, forge: str = "", **parameters: Any
    ) -> tuple[int, object]:
        """A signed request; (status, JSON)."""
        stamp = {"timestamp": self.world.now.wall_ns // 1_000_000, "recvWindow": 10000}
        query = urllib.parse.urlencode({**parameters, **{k: v for k, v in stamp.items() if k not in parameters}})
        signature = base64.b64encode(PRIVATE.sign((query + forge).encode())).decode()
        return self.send(method, f"/api/v3/{name}?{query}&signature={urllib.parse.quote_plus(signature)}", key)

    def send(self, method: str, target: str, key: str = "") -> tuple[int, object]:
        headers = [("Host", "x")] + ([("X-MBX-APIKEY", key)] if key else [])
        data = self.http.send(h11.Request(method=method, target=target, headers=headers)) or b""
        data += self.http.send(h11.EndOfMessage()) or b""
        self.wire = b""
        self.world.core.data(self.number, data, self.world.now)
        self.world.pump()
        self.http.receive_data(self.wire)
        response = self.http.next_event()
        assert isinstance(response, h11.Response)
        body = b""
        while isinstance(event := self.http.next_event(), h11.Data):
            body += bytes(event.data)
        self.http.start_next_cycle()
        return response.status_code, msgspec.json.decode(body)


def test_rest_knows_open_and_closed_orders_and_trades(world: World) -> None:
    client, http = connect(world), Http(world)
    order(client, "open", "1", "1", "900")
    order(client, "gone", "1", "1", "901")
    client.send("F", "11=c|41=gone|55=BTCUSDT|")
    order(client, "sold", "2", "2", "1000")
    resting = world.core.venue.state.find("desk", "sold")
    assert resting is not None
    world.core.venue.fill_late(resting, world.now)
    world.pump()

    def asked(name: str, **p: object) -> dict[str, str]:
        status, answer = http.ask("GET", "order", symbol="BTCUSDT", **dict[str, Any]({name: p.popitem()[1]}))
        assert status == 200
        return answer  # type: ignore[return-value]

    assert asked("origClientOrderId", x="open")["status"] == "NEW"
    assert asked("origClientOrderId", x="gone")["status"] == "CANCELED"
    sold = asked("orderId", x=resting.order_id)
    assert (sold["status"], sold["executedQty"], sold["cummulativeQuoteQty"]) == (
        "PARTIALLY_FILLED", "1.00000000", "1000.00000000",
    )  # fmt: skip
    _, rows = http.ask("GET", "openOrders", symbol="BTCUSDT")
    assert [row["clientOrderId"] for row in rows] == ["open", "sold"]  # type: ignore[attr-defined]
    _, everything = http.ask("GET", "allOrders", symbol="BTCUSDT")
    assert [row["clientOrderId"] for row in everything] == ["open", "gone", "sold"]  # type: ignore[attr-defined]
    since = {"startTime": world.now.wall_ns // 10**6 - 1}
    ways: list[dict[str, Any]] = [{"fromId": 1}, {"orderId": resting.order_id}, {}, since]
    for by in ways:
        _, trades = http.ask("GET", "myTrades", symbol="BTCUSDT", **by)
        assert [(t["id"], t["qty"], t["commission"], t["isMaker"]) for t in trades] == [  # type: ignore[attr-defined]
            (1, "1.00000000", "1.00000000", True)
        ]
    assert http.ask("GET", "myTrades", symbol="BTCUSDT", fromId=2) == (200, [])
    _, account = http.ask("GET", "account")
    balances = {row["asset"]: (row["free"], row["locked"]) for row in account["balances"]}  # type: ignore[index]
    assert balances["BTC"] == ("8.00000000", "1.00000000")


def test_rest_cancels_and_tells_the_fix_sessions(world: World) -> None:
    client, http = connect(world), Http(world)
    order(client, "a", "1", "1", "900")
    order(client, "b", "1", "1", "901")
    client.got.clear()
    status, row = http.ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="a")
    assert (status, row["status"]) == (200, "CANCELED")  # type: ignore[index]
    status, rows = http.ask("DELETE", "openOrders", symbol="BTCUSDT")
    assert [r["origClientOrderId"] for r in rows] == ["b"]  # type: ignore[attr-defined]
    assert [(m[150], m[41]) for m in client.got] == [("4", "a"), ("4", "b")]
    assert http.ask("DELETE", "openOrders", symbol="BTCUSDT") == (400, {"code": -2011, "msg": "Unknown order sent."})


@pytest.mark.parametrize(
    ("p", "status", "code"),
    [
        ({"forge": "x"}, 400, -1022),
        ({"key": "y" * 64}, 401, -2015),
        ({"key": ""}, 401, -2014),
        ({"timestamp": ""}, 400, -1102),
        ({"timestamp": 1}, 400, -1021),
        ({"timestamp": 2**60 // 10**6 * 2}, 400, -1021),
        ({"recvWindow": 60001}, 400, -1131),
        ({"symbol": "NOPE"}, 400, -1121),
        ({"symbol": ""}, 400, -1102),
        ({"orderId": "x"}, 400, -1100),
        ({"orderId": ""}, 400, -1102),
        ({"orderId": 99}, 400, -2013),
    ],
)
def test_rest_refusals(world: World, p: dict[str, object], status: int, code: int) -> None:
    parameters: dict[str, Any] = {"symbol": "BTCUSDT", "orderId": 1, **p}
    got, answer = Http(world).ask("GET", "order", **parameters)
    assert (got, answer["code"]) == (status, code)  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "name", "p", "code"),
    [
        ("GET", "myTrades", {"fromId": 1, "startTime": 1}, -1128),
        ("DELETE", "order", {"orderId": 99}, -2011),
        ("GET", "order", {}, -1102),
    ],
)
def test_rest_requests_that_are_refused(world: World, method: str, name: str, p: dict[str, Any], code: int) -> None:
    got, answer = Http(world).ask(method, name, symbol="BTCUSDT", **p)
    assert (got, answer["code"]) == (400, code)  # type: ignore[index]


LIMIT = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "900"}


@pytest.mark.parametrize(
    ("p", "status", "code"),
    [
        ({"side": "HOLD"}, 400, -1117),
        ({"side": ""}, 400, -1102),
        ({"type": "ICEBERG"}, 400, -1116),
        ({"price": ""}, 400, -1102),
        ({"stopPrice": "800"}, 400, -1106),
        ({"quoteOrderQty": "800"}, 400, -1106),
        ({"timeInForce": "GTX"}, 400, -1115),
        ({"quantity": "1e2"}, 400, -1100),
        ({"quantity": "9" * 20}, 400, -1100),
        ({"quantity": "0.000000001"}, 400, -1111),
        ({"newClientOrderId": "a b"}, 400, -1100),
        ({"newOrderRespType": "LONG"}, 400, -1100),
        ({"selfTradePreventionMode": "EXPIRE"}, 400, -1100),
        ({"price": "900.001"}, 400, -1013),
        ({"price": "4000", "quantity": "99"}, 400, -2010),
        ({"newClientOrderId": "a"}, 400, -2010),
    ],
)
def test_orders_over_rest_that_are_refused(world: World, p: dict[str, str], status: int, code: int) -> None:
    order(connect(world), "a", "1", "1", "900")
    got, answer = Http(world).ask("POST", "order", symbol="BTCUSDT", **{**LIMIT, **p})
    assert (got, answer["code"]) == (status, code)  # type: ignore[index]
    assert [o["cl_ord_id"] for o in world.ask("orders")["orders"]] == ["a"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("p", "told"),
    [
        ({"type": "TAKE_PROFIT", "stopPrice": "800"}, {"type": "TAKE_PROFIT", "stopPrice": "800.00000000"}),
        (
            {"type": "TAKE_PROFIT_LIMIT", "stopPrice": "800", "timeInForce": "GTC", "price": "801"},
            {"type": "TAKE_PROFIT_LIMIT", "price": "801.00000000"},
        ),
        ({"type": "STOP_LOSS", "trailingDelta": "100"}, {"trailingDelta": 100, "stopPrice": "0.00000000"}),
        ({"type": "STOP_LOSS", "trailingDelta": "100", "stopPrice": "1100"}, {"stopPrice": "1100.00000000"}),
        (
            {"type": "LIMIT", "timeInForce": "GTC", "pegPriceType": "PRIMARY_PEG"},
            {"type": "LIMIT", "price": "0.00000000", "peggedPrice": "900.00000000", "pegPriceType": "PRIMARY_PEG"},
        ),
        (
            {
                "type": "LIMIT_MAKER", "pegPriceType": "PRIMARY_PEG", "pegOffsetType": "PRICE_LEVEL",
                "pegOffsetValue": "1",
            },
            {"type": "LIMIT_MAKER", "peggedPrice": "899.00000000", "pegOffsetValue": 1},
        ),
    ],
)
def test_orders_over_rest_that_sleep_follow_or_are_pegged(
    world: World, p: dict[str, str], told: dict[str, object]
) -> None:
    client = connect(world)
    for name, price in (("a", "900"), ("b", "899")):
        order(client, name, "1", "1", price)
    status, row = Http(world).ask(
        "POST", "order", symbol="BTCUSDT", side="BUY", quantity="1", newOrderRespType="RESULT", **p
    )
    assert status == 200 and isinstance(row, dict) and told.items() <= row.items()


@pytest.mark.parametrize(
    ("p", "code"),
    [
        ({"type": "LIMIT", "price": "", "pegPriceType": "PRIMARY_PEG", "timeInForce": "IOC"}, -2010),
        ({"type": "LIMIT", "pegPriceType": "PRIMARY_PEG"}, -1106),
        ({"type": "LIMIT", "price": "", "pegPriceType": "MIDPOINT"}, -1100),
        ({"type": "LIMIT", "price": "", "pegPriceType": "MARKET_PEG"}, -2010),
        ({"type": "LIMIT", "price": "", "pegPriceType": "PRIMARY_PEG", "pegOffsetType": "PRICE_LEVEL"}, -1100),
        ({"type": "STOP_LOSS", "price": "", "timeInForce": "", "trailingDelta": "9"}, -1013),
        ({"type": "STOP_LOSS", "price": "", "timeInForce": ""}, -1102),
    ],
)
def test_pegs_and_distances_over_rest_that_are_refused(world: World, p: dict[str, str], code: int) -> None:
    order(connect(world), "a", "1", "1", "900")
    got, answer = Http(world).ask("POST", "order", symbol="BTCUSDT", **{**LIMIT, **p})
    assert (got, answer["code"]) == (400, code)  # type: ignore[index]


@pytest.mark.parametrize(
    ("style", "keys"),
    [("ACK", {"transactTime"}), ("RESULT", {"status", "executedQty"}), ("FULL", {"status", "fills"})],
)
def test_a_new_order_is_told_as_fully_as_was_asked(world: World, style: str, keys: set[str]) -> None:
    status, row = Http(world).ask("POST", "order", symbol="BTCUSDT", newOrderRespType=style, **LIMIT)
    assert status == 200 and isinstance(row, dict) and keys <= row.keys()
    assert ("fills" in row) is (style == "FULL") and ("status" in row) is (style != "ACK")


@pytest.mark.parametrize(
    ("p", "status", "results"),
    [
        ({}, 200, ("SUCCESS", "SUCCESS")),
        ({"cancelRestrictions": "ONLY_PARTIALLY_FILLED"}, 400, ("FAILURE", "NOT_ATTEMPTED")),
        ({"cancelOrigClientOrderId": "x"}, 400, ("FAILURE", "NOT_ATTEMPTED")),
        ({"cancelOrigClientOrderId": "x", "cancelReplaceMode": "ALLOW_FAILURE"}, 409, ("FAILURE", "SUCCESS")),
        ({"newClientOrderId": "b"}, 409, ("SUCCESS", "FAILURE")),
        (
            {"cancelOrigClientOrderId": "x", "newClientOrderId": "b", "cancelReplaceMode": "ALLOW_FAILURE"},
            400,
            ("FAILURE", "FAILURE"),
        ),
    ],
)
def test_a_cancel_and_new_says_what_became_of_each_half(
    world: World, p: dict[str, str], status: int, results: tuple[str, str]
) -> None:
    client, http = connect(world), Http(world)
    for name in "ab":
        order(client, name, "1", "1", "900")
    wanted = {**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "a", "newClientOrderId": "c"}
    got, answer = http.ask("POST", "order/cancelReplace", symbol="BTCUSDT", **{**wanted, **p})
    assert isinstance(answer, dict)
    told = answer if got == 200 else answer["data"]
    assert (got, (told["cancelResult"], told["newOrderResult"])) == (status, results)
    left = {o["cl_ord_id"] for o in world.ask("orders")["orders"]}  # type: ignore[attr-defined]
    assert ("a" not in left, "c" in left) == tuple(result == "SUCCESS" for result in results)


@pytest.mark.parametrize(("mode", "left"), [("", ["a", "b"]), ("CANCEL_ONLY", ["b"])])
def test_orders_over_rest_count_among_the_unfilled_ones(tmp_path: Path, mode: str, left: list[str]) -> None:
    world = World(tmp_path, msgspec.structs.replace(BINANCE, unfilled_order_limit=2))
    http = Http(world)
    for name in "ab":
        assert http.ask("POST", "order", symbol="BTCUSDT", newClientOrderId=name, **LIMIT)[0] == 200
    status, answer = http.ask("POST", "order", symbol="BTCUSDT", **LIMIT)
    assert (status, answer["code"]) == (429, -1015)  # type: ignore[index]
    (refused,) = order(connect(world), "c", "1", "1", "900")
    assert refused[25016] == "-1015", "the count is one, over FIX and REST"
    replace = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "a", **LIMIT}
    status, answer = http.ask(
        "POST", "order/cancelReplace", symbol="BTCUSDT", orderRateLimitExceededMode=mode, **replace
    )
    assert (status, answer["code"]) == (429, -1015)  # type: ignore[index]
    assert [o["cl_ord_id"] for o in world.ask("orders")["orders"]] == left  # type: ignore[attr-defined]


def test_trades_over_rest_are_told_from_a_number_or_a_time_on(world: World) -> None:
    client, http = connect(world), Http(world)
    order(client, "a", "2", "4", "1000")
    resting = world.core.venue.state.find("desk", "a")
    assert resting is not None
    for _ in range(2):
        world.core.venue.fill_late(resting, world.now)
        world.pass_time(1, 0.5)

    def numbers(query: str) -> list[int]:
        _, rows = http.send("GET", f"/api/v3/aggTrades?symbol=BTCUSDT{query}")
        return [row["a"] for row in rows]  # type: ignore[attr-defined]

    assert (numbers(""), numbers("&fromId=2"), numbers("&limit=1")) == ([1, 2], [2], [2])
    since = f"&startTime={world.now.wall_ns // 10**6 - 2000}"
    assert (numbers(since + "&limit=1"), numbers(since + f"&endTime={world.now.wall_ns // 10**6 - 1500}")) == ([1], [1])
    _, price = http.send("GET", "/api/v3/ticker/price?symbol=BTCUSDT")
    assert price == {"symbol": "BTCUSDT", "price": "1000.00000000"}
    _, best = http.send("GET", "/api/v3/ticker/bookTicker?symbol=BTCUSDT")
    assert best["askPrice"] == "1000.00000000" and best["bidQty"] == "0.00000000"  # type: ignore[index]


def test_rest_wants_a_signature_and_lists_orders_from_one_on(world: World) -> None:
    client, http = connect(world), Http(world)
    for name in "abc":
        order(client, name, "1", "1", "900")
    status, answer = http.send("GET", "/api/v3/account?timestamp=1", API_KEY)
    assert (status, answer["code"]) == (400, -1102)  # type: ignore[index]
    second = world.core.venue.state.find("desk", "b")
    assert second is not None
    _, rows = http.ask("GET", "allOrders", symbol="BTCUSDT", orderId=second.order_id)
    assert [row["clientOrderId"] for row in rows] == ["b", "c"]  # type: ignore[attr-defined]


def test_a_cancel_over_rest_can_be_lost(world: World) -> None:
    client, http = connect(world), Http(world)
    order(client, "a", "1", "1", "900")
    world.ask("fault", kind="lost", scope="rest")
    status, answer = http.ask("DELETE", "order", symbol="BTCUSDT", origClientOrderId="a")
    assert (status, answer["code"]) == (400, -1006)  # type: ignore[index]
    assert world.ask("order", cl_ord_id="a")["order"]["ord_status"] == "0"  # type: ignore[index]


def test_rest_reads_a_body_up_to_its_bound_and_closes_what_is_idle_or_done(world: World) -> None:
    def request(length: int, body: bytes, more: str = "") -> bytes:
        return f"POST /api/v3/time HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {length}\r\n\r\n".encode() + body

    raw = RawClient(world, "rest")
    assert "HTTP/1.1 405" in raw.push(request(3, b"a=1"))
    assert len(world.core.venue.lines.all) == 1
    assert "HTTP/1.1 413" in raw.push(request(1 << 20, b"x" * (1 << 20)))
    assert world.core.venue.lines.all == []
    assert "HTTP/1.1 405" in RawClient(world, "rest").push(request(0, b"", "Connection: close\r\n"))
    assert world.core.venue.lines.all == []
    RawClient(world, "rest")
    world.pass_time(120, 10)
    assert world.core.venue.lines.all == []


def test_a_stop_closes_rest(world: World) -> None:
    RawClient(world, "rest")
    world.core.stop(world.now)
    world.pump()
    assert world.core.venue.lines.all == []


def test_public_rest(world: World) -> None:
    http = Http(world)
    assert http.send("GET", "/api/v3/time") == (200, {"serverTime": world.now.wall_ns // 10**6})
    _, info = http.send("GET", "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%5D")
    assert [s["symbol"] for s in info["symbols"]] == ["BTCUSDT"]  # type: ignore[index]
    _, one = http.send("GET", "/api/v3/exchangeInfo?symbol=ETHUSDT")
    assert [s["symbol"] for s in one["symbols"]] == ["ETHUSDT"]  # type: ignore[index]
    filters = {f["filterType"]: f for f in one["symbols"][0]["filters"]}  # type: ignore[index]
    assert filters["PRICE_FILTER"]["maxPrice"] == "1000000.00000000"
    assert (filters["NOTIONAL"]["maxNotional"], filters["NOTIONAL"]["avgPriceMins"]) == ("9000000000.00000000", 0)
    assert filters["PERCENT_PRICE"] == {
        "filterType": "PERCENT_PRICE", "multiplierUp": "5.00000000", "multiplierDown": "0.20000000", "avgPriceMins": 0,
    }  # fmt: skip
    _, everything = http.send("GET", "/api/v3/exchangeInfo")
    assert [s["symbol"] for s in everything["symbols"]] == ["BTCUSDT", "ETHUSDT"]  # type: ignore[index]
    assert http.send("GET", "/api/v3/nothing")[0] == 404
    assert http.send("GET", "/elsewhere")[0] == 404
    assert http.send("POST", "/api/v3/time")[0] == 405


def test_head_is_answered_by_headers_alone_and_what_follows_as_ever(world: World) -> None:
    raw = RawClient(world, "rest")
    head = raw.push(b"HEAD /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith("HTTP/1.1 405") and head.endswith("\r\n\r\n")
    assert "serverTime" in raw.push(b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n")
    raw.push(b"HEAD /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n")
    assert "HTTP/1.1 400" in raw.push(b"\x00 nonsense\r\n\r\n")


def test_rest_weight_is_limited(tmp_path: Path) -> None:
    http = Http(World(tmp_path, msgspec.structs.replace(BINANCE, rest_weight_limit=30)))
    assert http.ask("GET", "account")[0] == 200
    assert http.ask("GET", "account")[0] == 429


def test_what_is_no_http_is_closed(world: World) -> None:
    raw = RawClient(world, "rest")
    assert "HTTP/1.1 400" in raw.push(b"\x00\x01\x02 nonsense\r\n\r\n")
    assert world.core.venue.lines.all == []


@pytest.mark.parametrize("number", ["1_0", " 1", "1 ", "+1", "1e0", "0x1", "Infinity", "-", "."])
def test_a_quantity_that_fix_cannot_write_is_rejected(world: World, number: str) -> None:
    (reject,) = order(connect(world), "bad", "1", number, "900")
    assert picked(reject, 35, 25016, 371) == ("3", "-1100", "38")
