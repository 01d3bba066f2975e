"""What HTX's dialect writes and reads, against the fields of its page."""

import base64
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import structs

from common.messages import CancelRejected, ExecutionReport, MassCancelReported, RequestRejected
from common.venues.credentials import Ed25519Account, HmacSecret
from common.venues.dialect import BadReport, BookEntry, Identity, SubscriptionRejected
from common.venues.htx.dialect import Htx, logon_signature
from tests.common.venues.samples import CANCEL, PEM, QUERY, WALL_NS, new, raw, text

D = Decimal
DIALECT = Htx()
IDENTITY = Identity("FIXRINGDESK01", "spot", 10)
CREDENTIALS = Ed25519Account("KEY", PEM, "123")
HEAD = "35=8|1=123|11=5-1|14=1|37=42|38=1|44=8|55=btcusdt|60=20260101-00:00:00.000|151=0|"


def test_a_logon_is_signed_over_four_fields_with_a_separator_behind_each() -> None:
    signature = logon_signature(PEM, IDENTITY, 1, b"20260101-00:00:00.000")
    public = load_pem_private_key(PEM, None).public_key()
    signed = b"FIXRINGDESK01\x01spot\x011\x0120260101-00:00:00.000\x01"
    public.verify(base64.b64decode(signature), signed)  # type: ignore[call-arg, union-attr]
    settings = DIALECT.session_settings(IDENTITY, CREDENTIALS)
    assert settings.logon_fields is not None
    told = settings.logon_fields(1, b"20260101-00:00:00.000")
    assert told == b"95=%d\x0196=%b\x01553=KEY\x01" % (len(signature), signature)
    assert settings.application_fields == b"1=123\x01578=spot-api\x01" and settings.reset_on_logon


def test_credentials_of_no_use_are_told_before_anything_is_sent() -> None:
    for settings in (DIALECT.session_settings, DIALECT.market_data_settings):
        with pytest.raises(ValueError, match="credentials"):
            settings(IDENTITY, HmacSecret("KEY", b"SECRET"))
        with pytest.raises(ValueError, match="PEM"):
            settings(IDENTITY, structs.replace(CREDENTIALS, private_key_pem=b"no key"))


@pytest.mark.parametrize(
    ("terms", "kind"),
    [({}, "buy-limit"), ({"side": "2"}, "sell-limit"), ({"time_in_force": "3"}, "buy-ioc"),
     ({"time_in_force": "4", "side": "2"}, "sell-limit-fok"), ({"instructions": "6"}, "buy-limit-maker")],
)  # fmt: skip
def test_an_order_has_its_side_in_its_type(terms: dict[str, object], kind: str) -> None:
    told = text(DIALECT.encode_new(new(**terms), WALL_NS))
    assert told == f"35=D|11=5-1|38=0.50000|40={kind}|44=65000.10|55=btcusdt|"


def test_the_other_requests() -> None:
    assert text(DIALECT.encode_cancel(CANCEL, WALL_NS)) == "35=F|11=5-3|37=77|"
    assert text(DIALECT.encode_cancel(structs.replace(CANCEL, order_id=""), WALL_NS)) == "35=F|11=5-3|41=5-1|"
    assert text(DIALECT.encode_mass_cancel("5-9", "BTCUSDT", WALL_NS)) == "35=q|11=5-9|530=2|146=1|55=btcusdt|"
    assert DIALECT.encode_query(QUERY) is None
    (body,) = DIALECT.encode_subscribe("md-1", ["BTCUSDT"])
    assert text(body) == "35=V|262=md-1|263=0|264=1|146=1|55=btcusdt|"


@pytest.mark.parametrize(
    ("fields", "told"),
    [("39=3|150=creation|40=buy-limit|", ("0", "0", "1")), ("39=1|150=creation|40=sell-ioc|", ("8", "8", "2")),
     ("39=6|150=cancellation|40=buy-limit|", ("4", "4", "1")), ("39=7|150=cancellation|40=buy-ioc|", ("4", "4", "1")),
     ("39=2|150=cancellation|40=buy-ioc|", ("4", "4", "1"))],
)  # fmt: skip
def test_words_and_numbers_are_those_of_fix(fields: str, told: tuple[str, str, str]) -> None:
    report = DIALECT.decode("8", raw(HEAD + fields))
    assert isinstance(report, ExecutionReport)
    assert (
        (report.exec_type, report.ord_status, report.side) == told
        and report.symbol == "BTCUSDT"
        and not report.trade_key
        and not report.unread
    )


def test_a_fill_and_what_it_cost() -> None:
    fill = DIALECT.decode("8", raw(HEAD + "39=5|150=trade|40=buy-limit|31=8|32=1|1003=900|1057=true|"))
    assert isinstance(fill, ExecutionReport)
    assert (fill.exec_type, fill.ord_status, fill.trade_key, fill.last_qty, fill.maker, fill.fee_qty) == (
        "F", "2", "900", D(1), False, D(0),
    )  # fmt: skip
    assert DIALECT.decode("8", raw(HEAD + "39=5|150=clearing|40=buy-limit|136=1|137=0.1|138=BTC|1003=900|")) is None
    with pytest.raises(BadReport, match=r"TradeID\(1003\)"):
        DIALECT.decode("8", raw(HEAD + "39=5|150=trade|40=buy-limit|31=8|32=1|"))
    for odd in ("39=9|150=trade|", "39=5|150=other|"):
        with pytest.raises(BadReport, match="is not known"):
            DIALECT.decode("8", raw(HEAD + odd + "40=buy-limit|31=8|32=1|1003=9|"))


def test_refusals() -> None:
    told = DIALECT.decode("9", raw("35=9|11=5-3|37=42|58=No|102=1|"))
    assert told == CancelRejected("5-3", "", "42", "", 1, "No", unknown_order=True)
    assert DIALECT.decode("3", raw("35=3|45=7|371=40|372=D|373=5|58=Bad|")) == RequestRejected(7, None, "", 5, "Bad")
    assert DIALECT.decode("r", raw("35=r|11=5-9|531=0|533=0|534=2|")) == MassCancelReported("5-9", "", False)
    assert DIALECT.decode("r", raw("35=r|11=5-9|531=1|533=2|534=0|")) == MassCancelReported("5-9", "", True, 2)


def test_that_a_subscription_is_taken_is_no_refusal() -> None:
    assert DIALECT.decode_market_data("Y", raw("35=Y|262=md-1|281=0|")) == []
    refused = DIALECT.decode_market_data("Y", raw("35=Y|262=md-1|281=7|58=No|"))
    assert refused == SubscriptionRejected("md-1", "No")
    trade = DIALECT.decode_market_data("X", raw("35=X|262=1|268=1|279=0|269=2|278=9|55=btcusdt|270=8|271=1|54=2|"))
    assert isinstance(trade, list) and isinstance(trade[0], BookEntry)
    assert (trade[0].symbol, trade[0].px, trade[0].taker_side) == ("BTCUSDT", D(8), "2")
