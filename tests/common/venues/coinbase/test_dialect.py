"""The dialect "coinbase": the bytes that it writes, and what it makes of the venue's."""

import tomllib
from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.fix.session import Outbound, Session
from common.fix.wire import parse_utc_timestamp, split
from common.instant import Instant
from common.messages import ExecutionReport, RequestRejected
from common.venues.coinbase.dialect import Coinbase, logon_signature
from common.venues.credentials import HmacPassphrase
from common.venues.dialect import Identity
from common.venues.registry import find_dictionary, folder_of
from tests.common.venues import samples
from tests.common.venues.samples import CANCEL, QUERY, raw, text

KEY = "0123456789abcdef0123456789abcdef"
CREDENTIALS = HmacPassphrase(KEY, b"ZXhhbXBsZS1zZWNyZXQtYnl0ZXMtMDEyMzQ1Njc4OWFiY2Q=", "pass123")
OURS = Coinbase()
STAMP = b"20260102-03:04:05.678"
NAME = "1985ca2d-61ef-49f1-bfce-6c39d8462914"


def frame(what: str) -> bytes:
    """A sample of the folder by the beginning of what it is."""
    table = tomllib.loads((folder_of("coinbase") / "samples/order_entry.toml").read_text("utf-8"))
    (found,) = [each["text"] for each in table["frame"] if each["what"].startswith(what)]
    return str(found).replace("|", "\x01").encode()


def test_the_signature_of_a_logon() -> None:
    assert logon_signature(CREDENTIALS, "Coinbase", 1, STAMP) == b"eWajh6DyOtV1w0ruj/lbB4qjkoYGpTw/oRaGtluWbOo="
    other = replace(CREDENTIALS, passphrase="pass124")
    assert logon_signature(other, "Coinbase", 1, STAMP) != logon_signature(CREDENTIALS, "Coinbase", 1, STAMP)


def test_our_logon_and_our_order_are_the_samples_byte_for_byte() -> None:
    session = Session(OURS.session_settings(Identity(KEY, "Coinbase", 10), CREDENTIALS))
    now = Instant(parse_utc_timestamp(STAMP), 1)
    session.connected(now)
    answer = frame("the answer to Logon(A)")
    session.received(answer, Instant(parse_utc_timestamp(split(answer)[b"52"]), 2))
    order = samples.new(
        cl_ord_id=NAME, symbol="BTC-USD", order_qty=Decimal("0.5"), price=Decimal("65000.1"), instructions="6"
    )
    session.send("D", OURS.encode_new(order, now.wall_ns).fields, now)
    sent = [effect.raw for effect in session.take_effects() if isinstance(effect, Outbound)]
    assert sent == [frame("Logon(A)"), frame("NewOrderSingle(D)")]


def test_market_data_asks_for_nothing_to_be_cancelled() -> None:
    settings = OURS.market_data_settings(Identity(KEY, "Coinbase", 10), CREDENTIALS)
    assert settings.logon_fields is not None and b"8013=" not in settings.logon_fields(1, STAMP)


def test_credentials_that_cannot_sign_are_refused() -> None:
    with pytest.raises(ValueError, match="no base64"):
        OURS.session_settings(Identity(KEY, "Coinbase", 10), replace(CREDENTIALS, secret=b"no base64!"))


def test_requests() -> None:
    amend = samples.amend(symbol="BTC-USD")
    assert text(OURS.encode_amend(amend, 0)) == "35=G|11=5-2|37=77|41=5-1|38=0.5|44=65001|55=BTC-USD|40=2|"
    assert text(OURS.encode_cancel(CANCEL, 0)) == "35=F|11=5-3|37=77|41=5-1|55=BTCUSDT|"
    assert text(OURS.encode_query(QUERY)) == "35=H|37=77|11=5-1|55=BTCUSDT|"
    assert text(OURS.encode_mass_cancel("k", "any", samples.WALL_NS)) == "35=q|11=k|530=6|60=20260101-00:00:00.000|"
    (subscription,) = OURS.encode_subscribe("m", ["BTC-USD", "ETH-USD"])
    assert text(subscription) == "35=V|262=m|263=1|146=2|55=BTC-USD|55=ETH-USD|"
    assert [text(body) for body in OURS.encode_refresh("n", "m", ["BTC-USD"])] == [
        "35=V|262=m|263=2|", "35=V|262=n|263=1|146=1|55=BTC-USD|",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "fee"), [("USD", "65"), ("BTC", "0.001")], ids=["of the quote amount", "of the base quantity"]
)
def test_a_fee_that_is_a_share_of_the_fill(currency: str, fee: str) -> None:
    head = "35=8|11=a|37=b|17=c|150=F|39=2|55=BTC-USD|54=1|32=1|31=65000|1003=9|"
    event = OURS.decode("8", raw(f"{head}136=1|137=0.001|138={currency}|139=4|891=2|"))
    assert isinstance(event, ExecutionReport)
    assert (event.fee_qty, event.fee_asset, event.unread) == (Decimal(fee), currency, ())


def test_a_share_without_a_currency_is_noted() -> None:
    event = OURS.decode("8", raw("35=8|11=a|37=b|150=F|39=2|55=BTC-USD|32=1|31=65000|1003=9|136=1|137=0.001|891=2|"))
    assert isinstance(event, ExecutionReport)
    assert (event.fee_qty, event.unread) == (Decimal(0), ("MiscFeeAmt(137)",))


def test_a_question_for_an_order_that_is_rejected_rejects_no_order() -> None:
    event = OURS.decode("j", raw("35=j|45=7|372=H|379=5-1|380=1|58=busy|"))
    assert isinstance(event, RequestRejected) and (event.cl_ord_id, event.ref_msg_seq_num) == ("", 7)


@pytest.mark.parametrize(
    "line", ["35=X|262=m|268=1|279=0|269=0|278=a|55=BTC-USD|270=1|271=1|", "35=W|262=m|83=1|268=0|"]
)
def test_market_data_without_a_number_or_a_symbol_is_unread(line: str) -> None:
    told = OURS.decode_market_data(line[3], raw(line))
    assert isinstance(told, list) and [bool(entry.why) for entry in told] == [True]


def test_an_empty_book_is_a_whole_snapshot() -> None:
    told = OURS.decode_market_data("W", raw("35=W|262=m|83=7|893=Y|55=BTC-USD|1682=full_trading|268=0|"))
    assert isinstance(told, list)
    assert [(head.symbol, head.what, head.sequence, head.goes_on) for head in told] == [("BTC-USD", "", 7, False)]


def test_fields_are_named_by_the_venue_s_version_of_fix() -> None:
    dictionary = find_dictionary("coinbase")
    assert dictionary.field_name(1003) == "TradeID" and dictionary.field_name(8013) == "CancelOrdersOnDisconnect"
