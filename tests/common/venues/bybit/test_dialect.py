"""Bybit's dialect, text in and text out, and its captured frames written again."""

import base64
import tomllib
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from common.fix.session import Outbound, Session
from common.fix.wire import encode, parse_utc_timestamp, split
from common.instant import Instant
from common.messages import CancelRejected, ExecutionReport, RequestRejected, Several
from common.venues.bybit.dialect import Bybit, logon_signature
from common.venues.credentials import Ed25519Key, RsaKey
from common.venues.dialect import BadReport, Body, Identity
from common.venues.registry import folder_of
from tests.common.venues.bybit.keys import PEM, PUBLIC_PEM
from tests.common.venues.samples import CANCEL, QUERY, WALL_NS, amend, new, raw, text

DIALECT = Bybit()
KEY = RsaKey("the-key", PEM)
IDENTITY = Identity("FIX_CLIENT", "BYBIT_FIX_SERVER", 10)
LEFT_NS = 1_000_000_000


def frame(begin: str) -> dict[str, Any]:
    """The captured frame whose description begins so."""
    table = tomllib.loads((folder_of("bybit") / "samples/order_entry.toml").read_text("utf-8"))
    (found,) = [each for each in table["frame"] if each["what"].startswith(begin)]
    return {**found, "text": found["text"].replace("|", "\x01").encode()}


def sent_as(body: Body, like: bytes, window_ms: int = 5000) -> bytes:
    """What our session writes of the body at the time and under the number of a captured frame."""
    fields = split(like)
    wall_ns = parse_utc_timestamp(fields[b"52"])
    session = Session(DIALECT.session_settings(IDENTITY, KEY))
    now = Instant(wall_ns, 1)
    session.connected(now)
    answer = b"35=A\x0134=1\x0149=BYBIT_FIX_SERVER\x0152=%b\x0156=FIX_CLIENT\x0198=0\x01108=10\x01141=Y\x01"
    session.received(encode(b"FIX.4.4", answer % fields[b"52"]), now)
    session.send("0", b"", now)
    session.send(body.msg_type, body.fields, now, DIALECT.header_fields(window_ms * 1_000_000, wall_ns))
    return [each.raw for each in session.take_effects() if isinstance(each, Outbound)][-1]


def test_commands_in_words() -> None:
    order = "30010=spot|55=BTCUSDT|54=1|40="
    names = "11=5-1|30006=5-1|"
    assert text(DIALECT.encode_new(new(), WALL_NS)) == f"35=D|{order}2|59=1|38=0.50000|44=65000.10|{names}"
    assert (
        text(DIALECT.encode_new(new(instructions="6"), WALL_NS)) == f"35=D|{order}2|59=P|38=0.50000|44=65000.10|{names}"
    )
    market = new(ord_type="1", price=None, time_in_force="3")
    assert text(DIALECT.encode_new(market, WALL_NS)) == f"35=D|{order}1|38=0.50000|30013=baseCoin|{names}"
    tiny = new(order_qty=Decimal("1E-6"), price=Decimal("6.5E+4"))
    assert "38=0.000001|44=65000|" in text(DIALECT.encode_new(tiny, WALL_NS))


def test_an_amendment_says_what_changes_alone() -> None:
    head = "35=XAR|30010=spot|55=BTCUSDT|30006=5-2|37=77|11=5-1|"
    assert text(DIALECT.encode_amend(amend(), WALL_NS)) == f"{head}44=65001|"
    qty = amend(order_qty=Decimal("0.4"), price=Decimal("65000.10"))
    assert text(DIALECT.encode_amend(qty, WALL_NS)) == f"{head}38=0.4|"
    assert text(DIALECT.encode_amend(amend(order_qty=Decimal(1)), WALL_NS)) == f"{head}38=1|44=65001|"
    assert not DIALECT.amend_is_new_order(amend())


def test_a_cancel_names_the_order_and_not_itself() -> None:
    assert text(DIALECT.encode_cancel(CANCEL, WALL_NS)) == "35=F|30010=spot|55=BTCUSDT|30006=5-3|37=77|11=5-1|"


def test_what_is_not_on_fix_is_not_asked_there() -> None:
    assert DIALECT.encode_query(QUERY) is None
    assert DIALECT.encode_mass_cancel("K-1", "BTCUSDT", WALL_NS) is None
    assert DIALECT.encode_limit_query("q") is None
    with pytest.raises(ValueError, match="no market data over FIX"):
        DIALECT.market_data_settings(IDENTITY, KEY)


@pytest.mark.parametrize(("left_ns", "window_ms"), [(LEFT_NS, 1000), (1_999_999, 1), (0, 1), (-5, 1), (10**12, 60_000)])
def test_the_window_is_what_is_left_of_the_deadline(left_ns: int, window_ms: int) -> None:
    stamp_ms = WALL_NS // 1_000_000
    assert DIALECT.header_fields(left_ns, WALL_NS) == f"30002={stamp_ms}\x0130001={window_ms}\x01".encode()


def test_a_cancel_has_no_window() -> None:
    assert DIALECT.header_fields(None, WALL_NS) == b""


# ---- logon


def test_a_logon_is_signed_over_a_word_and_a_time() -> None:
    settings = DIALECT.session_settings(IDENTITY, KEY)
    assert settings.logon_fields is not None
    fields = split(b"8=FIX.4.4\x01" + settings.logon_fields(1, b"20260824-09:27:06.073"))
    expires_ms = 1_787_563_626_073 + 5000
    assert (fields[b"553"], fields[b"30023"]) == (b"the-key", b"%d" % expires_ms)
    assert fields[b"96"] == logon_signature(PEM, expires_ms) and fields[b"95"] == b"%d" % len(fields[b"96"])
    public = load_pem_public_key(PUBLIC_PEM)
    assert isinstance(public, RSAPublicKey)
    public.verify(base64.b64decode(fields[b"96"]), f"GET/realtime{expires_ms}".encode(), PKCS1v15(), SHA256())


def test_a_key_of_another_kind_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="RSA key"):
        DIALECT.session_settings(IDENTITY, Ed25519Key("the-key", PEM))
    with pytest.raises(ValueError, match="not readable as PEM"):
        DIALECT.session_settings(IDENTITY, RsaKey("the-key", b"no pem"))


# ---- the captured frames, written again


def test_a_captured_new_order_is_written_byte_for_byte() -> None:
    """But for ReqId(30006), which is the order's own ClOrdID(11) with us: the frame has another."""
    told = frame("NewOrderSingle(D)")["text"]
    fields = split(told)
    name = fields[b"11"].decode()
    like = told.replace(b"30006=" + fields[b"30006"], b"30006=" + fields[b"11"])
    like = encode(b"FIX.4.4", like[like.index(b"\x0135=") + 1 : like.rindex(b"\x0110=") + 1])
    command = new(cl_ord_id=name, order_qty=Decimal("0.001"), price=Decimal(50000))
    assert sent_as(DIALECT.encode_new(command, WALL_NS), told) == like


def test_a_captured_amendment_is_written_byte_for_byte() -> None:
    told = frame("AtomicReplaceRequest(XAR)")["text"]
    command = amend(
        cl_ord_id="50fe3e28-f97c-487d-8f5d-8651acde7bc1", orig_cl_ord_id="e05649fe-e1a5-482a-821e-68cc25ed8254",
        order_id="2288679064669883136", order_qty=Decimal("0.002"), former_order_qty=Decimal("0.001"),
        price=Decimal(50000), former_price=Decimal(50000),
    )  # fmt: skip
    assert sent_as(DIALECT.encode_amend(command, WALL_NS), told) == told


# ---- what the venue says


def report(line: str) -> ExecutionReport:
    event = DIALECT.decode(line[3 : line.index("|")], raw(line))
    assert isinstance(event, ExecutionReport)
    return event


FILL = "30051={}|30052={}|30053=65000|30054=20260101-00:00:01.000|30055=0.1|30056=USDT|30058=Y|30064={}|"


def test_a_fill_is_read_from_its_group_wherever_the_fees_stand() -> None:
    head = "35=8|37=7|11=5-1|150=F|39=1|55=BTCUSDT|54=2|38=1.0|44=64000|151=0.6|14=0.4|6=65000|"
    fees, fill = "30060=1|30061=USDT|30062=0.4|", "30050=1|" + FILL.format("21", "0.4", "0.6")
    told = report(head + fill + fees)
    assert told == report(head + fees + fill)
    assert (told.trade_key, told.last_qty, told.last_px, told.cum_qty, told.leaves_qty) == (
        "21", Decimal("0.4"), Decimal(65000), Decimal("0.4"), Decimal("0.6"),
    )  # fmt: skip
    assert (told.fee_qty, told.fee_asset, told.maker, told.ord_status) == (Decimal("0.1"), "USDT", True, "1")
    assert told.transact_ns == 1_767_225_601_000_000_000 and not told.unread


def test_several_fills_of_one_message_count_each_from_the_last_backwards() -> None:
    fills = FILL.format("21", "0.1", "0.9") + FILL.format("22", "0.3", "0.6") + FILL.format("23", "0.6", "0")
    line = f"35=8|37=7|11=5-1|150=F|39=2|55=BTCUSDT|54=2|38=1.0|151=0|14=1|6=65000|30050=3|{fills}30060=1|30061=USDT|"
    told = DIALECT.decode("8", raw(line))
    assert isinstance(told, Several)
    events = [event for event in told.events if isinstance(event, ExecutionReport)]
    assert [(e.trade_key, str(e.last_qty), str(e.cum_qty), str(e.leaves_qty), e.ord_status) for e in events] == [
        ("21", "0.1", "0.1", "0.9", "1"), ("22", "0.3", "0.4", "0.6", "1"), ("23", "0.6", "1", "0", "2"),
    ]  # fmt: skip
    assert [event.avg_px for event in events] == [None, None, Decimal(65000)]
    assert {event.cl_ord_id for event in events} == {"5-1"} and {event.exec_type for event in events} == {"F"}


@pytest.mark.parametrize(
    "group",
    ["", "30050=0|", "30050=2|" + FILL.format("21", "0.4", "0.6"), "30050=1|30051=21|30053=1|", "30050=1|30052=1|"],
)
def test_a_fill_that_cannot_be_counted_is_none(group: str) -> None:
    with pytest.raises(BadReport):
        DIALECT.decode("8", raw(f"35=8|37=7|11=5-1|150=F|39=2|55=BTCUSDT|{group}"))


def test_what_of_a_fill_does_not_matter_for_it_is_noted() -> None:
    told = report("35=8|37=7|11=5-1|150=F|39=2|30050=1|30051=21|30052=1|30053=x|30055=1|")
    assert set(told.unread) == {"FillCommCurr(30056)", "FillPx(30053)"}
    assert (told.last_px, told.fee_qty, told.fee_asset) == (Decimal(0), Decimal(0), "")


@pytest.mark.parametrize(
    ("told", "exec_type", "ord_status"),
    [("150=4|39=F|", "4", "4"), ("150=D|39=D|", "4", "4"), ("150=U|39=U|", "0", "9"), ("150=T|39=T|", "L", "A")],
)
def test_words_of_the_venue_s_own_are_told_in_fix_s(told: str, exec_type: str, ord_status: str) -> None:
    event = report(f"35=8|11=5-1|37=7|{told}")
    assert (event.exec_type, event.ord_status) == (exec_type, ord_status)


def test_a_quantity_in_the_quote_asset_is_none_that_we_count_with() -> None:
    told = report("35=8|11=x|37=7|150=0|39=0|54=1|40=1|38=500|30013=quoteCoin|151=500|14=0|")
    assert told.order_qty is None and told.leaves_qty is None and told.cum_qty == 0


@pytest.mark.parametrize("code", ["10000", "10016", "170001", "170007", "EC_New"])
def test_a_refusal_that_may_be_none_is_no_verdict(code: str) -> None:
    assert report(f"35=8|30006=5-1|150=8|39=8|103={code}|58=?|").ambiguous
    event = DIALECT.decode("XCA", raw(f"35=XCA|30006=5-3|58=?|103={code}|"))
    assert isinstance(event, CancelRejected) and event.ambiguous and not event.unknown_order


@pytest.mark.parametrize(
    ("code", "ord_status", "unknown"), [(170213, "", True), (170139, "2", False), (170142, "4", False)]
)
def test_why_a_cancel_is_refused(code: int, ord_status: str, unknown: bool) -> None:
    event = DIALECT.decode("XCA", raw(f"35=XCA|30006=5-3|58=No.|103={code}|"))
    assert event == CancelRejected("5-3", "", "", ord_status, code, "No.", unknown, False)


def test_a_message_that_is_rejected_is_known_by_its_number() -> None:
    assert DIALECT.decode("3", raw("35=3|45=7|371=34|373=5|58=no|")) == RequestRejected(7, None, "", 5, "no")
    assert DIALECT.decode("j", raw("35=j|45=7|372=D|380=5|58=no|")) == RequestRejected(7, None, "", 5, "no")
    assert DIALECT.decode("0", raw("35=0|")) is None


def test_a_refusal_that_cannot_be_read_names_its_request() -> None:
    fields = split(raw("35=8|30006=5-1|150=8|103=1|58=?|"))
    with pytest.raises(BadReport, match="OrdStatus"):
        DIALECT.decode("8", b"", fields)
    named = DIALECT.unread(fields, "why")
    assert named is not None and (named.cl_ord_id, named.why) == ("5-1", "why")
    assert DIALECT.unread(split(raw("35=8|150=8|")), "why") is None
