"""The dialect "coinbaseintl": the bytes that it writes, and what it makes of the venue's."""

import tomllib
from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.fix.session import Outbound, Session
from common.fix.wire import parse_utc_timestamp
from common.instant import Instant
from common.messages import CancelRejected, ExecutionReport, MassCancelReported
from common.venues.coinbaseintl.dialect import CoinbaseInternational, logon_signature
from common.venues.credentials import HmacPassphrase
from common.venues.dialect import BadReport, Identity
from common.venues.registry import find_dictionary, folder_of
from tests.common.venues import samples
from tests.common.venues.samples import CANCEL, raw, text

CREDENTIALS = HmacPassphrase("APIKEY", b"ZXhhbXBsZS1zZWNyZXQtYnl0ZXMtMDEyMzQ1Njc4OWFiY2Q=", "pass123")
SIGNATURE = b"qBKjra3XPdrEM/M0WWRGw5ymgQP50bwUZefRJO7H084="
OURS = CoinbaseInternational()
STAMP = b"20260102-03:04:05.678"
REPORT = "35=8|11=a|37=b|17=7|20=0|39=1|54=1|55=BTC-PERP|38=2|14=1|151=1|6=65000|"


def logon(drop_copy: bool) -> bytes:
    identity = Identity("APIKEY", "CBINTLOE", 10, drop_copy=drop_copy)
    session = Session(OURS.session_settings(identity, CREDENTIALS))
    session.connected(Instant(parse_utc_timestamp(STAMP), 1))
    (sent,) = [effect.raw for effect in session.take_effects() if isinstance(effect, Outbound)]
    return sent


def test_the_signature_of_a_logon() -> None:
    assert logon_signature(CREDENTIALS, "CBINTLOE", STAMP) == SIGNATURE
    for other in (replace(CREDENTIALS, passphrase="pass124"), replace(CREDENTIALS, api_key="APIKEZ")):
        assert logon_signature(other, "CBINTLOE", STAMP) != SIGNATURE
    assert logon_signature(CREDENTIALS, "CBINTLDC", STAMP) != SIGNATURE


def test_a_logon_is_the_sample_s_but_for_the_order_of_its_fields() -> None:
    frames = tomllib.loads((folder_of("coinbaseintl") / "samples/order_entry.toml").read_text())["frame"]
    (sample,) = [frame["text"] for frame in frames if "|35=A|" in frame["text"]]
    ours = logon(drop_copy=False).decode().replace("\x01", "|")
    assert sorted(ours.split("|")) == sorted(sample.split("|"))


def test_a_drop_copy_has_a_name_of_its_own_and_cancels_nothing() -> None:
    sent = logon(drop_copy=True)
    assert b"\x0156=CBINTLDC\x01" in sent and b"\x018013=" not in sent
    assert b"\x0158=" + logon_signature(CREDENTIALS, "CBINTLDC", STAMP) in sent


def test_requests() -> None:
    post_only = samples.new(symbol="BTC-PERP", instructions="6")
    assert text(OURS.encode_new(post_only, 0)) == "35=D|11=5-1|38=0.50000|44=65000.10|18=6|40=2|54=1|55=BTC-PERP|59=1|"
    reducing = samples.new(symbol="BTC-PERP", instructions="6E")
    assert "|18=6 E|" in text(OURS.encode_new(reducing, 0))
    market = samples.new(symbol="BTC-PERP", ord_type="1", price=None, time_in_force="3")
    assert text(OURS.encode_new(market, 0)) == "35=D|11=5-1|38=0.50000|40=1|54=1|55=BTC-PERP|59=3|"
    stop = samples.new(symbol="BTC-PERP", ord_type="3", price=None, stop_px=Decimal("65500"))
    assert text(OURS.encode_new(stop, 0)) == "35=D|11=5-1|38=0.50000|40=3|54=1|55=BTC-PERP|59=1|99=65500|"
    dated = samples.new(symbol="BTC-PERP", time_in_force="6", expire_ns=samples.WALL_NS)
    assert text(OURS.encode_new(dated, 0)).endswith("59=6|126=20260101-00:00:00.000|")
    assert text(OURS.encode_amend(samples.amend(), 0)) == "35=G|11=5-2|38=0.5|41=5-1|44=65001|55=BTCUSDT|"
    assert text(OURS.encode_cancel(CANCEL, 0)) == "35=F|11=5-3|41=5-1|55=BTCUSDT|"
    assert text(OURS.encode_mass_cancel("5-4", "BTC-PERP", 0)) == "35=q|11=5-4|55=BTC-PERP|"


@pytest.mark.parametrize("exec_type", ["1", "2"])
def test_a_fill_and_what_it_cost(exec_type: str) -> None:
    line = f"150={exec_type}|880=9|31=65000|32=1|851=2|136=1|137=65|138=USDC|139=4|"
    fill = OURS.decode("8", raw(REPORT + line))
    assert isinstance(fill, ExecutionReport)
    assert (fill.exec_type, fill.last_qty, fill.trade_key, fill.maker) == ("F", Decimal(1), "7", False)
    assert (fill.fee_qty, fill.fee_asset, fill.unread) == (Decimal(65), "USDC", ())


@pytest.mark.parametrize("trans_type", ["1", "2"])
def test_what_takes_a_fill_back_is_believed_for_nothing(trans_type: str) -> None:
    line = REPORT.replace("20=0", f"20={trans_type}") + "150=2|31=65000|32=1|"
    with pytest.raises(BadReport, match="takes a fill back"):
        OURS.decode("8", raw(line))


def test_refusals() -> None:
    unknown = OURS.decode("9", raw("35=9|11=c|41=a|37=NONE|102=1|434=1|58=unknown|"))
    assert isinstance(unknown, CancelRejected) and unknown.unknown_order and not unknown.order_id
    late = OURS.decode("9", raw("35=9|11=c|41=a|37=b|102=0|434=1|58=too late|"))
    assert isinstance(late, CancelRejected) and not late.unknown_order and late.order_id == "b"
    refused = OURS.decode("r", raw("35=r|11=k|1369=1|531=0|532=99|58=no|"))
    assert isinstance(refused, MassCancelReported) and not refused.accepted and refused.error_code == 99


def test_credentials_that_cannot_sign_are_refused() -> None:
    identity = Identity("APIKEY", "CBINTLOE", 10)
    with pytest.raises(ValueError, match="base64"):
        OURS.session_settings(identity, replace(CREDENTIALS, secret=b"no base64!"))


def test_fields_of_its_own_have_names() -> None:
    dictionary = find_dictionary("coinbaseintl")
    assert (dictionary.field_name(8013), dictionary.field_name(8000)) == (
        "CancelOrdersOnDisconnect", "SelfTradePreventionStrategy",
    )  # fmt: skip
