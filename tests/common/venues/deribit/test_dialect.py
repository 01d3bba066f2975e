"""Deribit's dialect, text in and text out."""

from decimal import Decimal

import pytest
from msgspec import structs

from common.messages import (
    AmendOrder,
    CancelRejected,
    ExecutionReport,
    MassCancelReported,
    NewOrder,
    RequestRejected,
    Several,
    Unreadable,
)
from common.venues.credentials import HmacSecret, Password
from common.venues.deribit.dialect import Deribit, logon_password, logon_raw_data
from common.venues.dialect import BadReport, Body, BookEntry, Identity
from tests.common.venues import samples
from tests.common.venues.samples import CANCEL, QUERY, WALL_NS, raw, text

DIALECT = Deribit()
PERPETUAL = "BTC-PERPETUAL"
STATE = "37=77|11=77|41=5-1|150=I|39=0|54=1|60=20260101-00:00:00.000|151=10|14=0|38=10|40=2|44=65000.0000|103=0|"
WHERE = "207=DERIBITSERVER|55=BTC-PERPETUAL|854=1|231=10.0000|6=0.000|"
FILL = "1362=1|1363=BTC-PERPETUAL#9|1364=64999.5000|1365=4|1443=1|"


def new(**terms: object) -> NewOrder:
    return samples.new(symbol=PERPETUAL, order_qty=Decimal("10"), price=Decimal("65000.0"), **terms)


def amend(**terms: object) -> AmendOrder:
    return samples.amend(symbol=PERPETUAL, order_qty=Decimal("20"), price=Decimal("64000"), **terms)


def report(line: str) -> ExecutionReport:
    told = DIALECT.decode("8", raw(f"35=8|{line}"))
    assert isinstance(told, ExecutionReport) and not told.unread
    return told


# ---- logon


def test_the_password_is_plain_sha256_over_the_raw_data_and_the_secret() -> None:
    raw_data = b"1767323045678.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert logon_password(raw_data, b"CLIENTSECRET") == b"MkAcrzWo0Iew3cr+IGn94CadG4xBbwutJfpFlSMiSf0="


def test_the_raw_data_of_a_logon_grows_with_the_time_and_its_nonce_is_another_each_time() -> None:
    first, second = logon_raw_data(b"secret", 1), logon_raw_data(b"secret", 2)
    assert first.partition(b".")[0] == b"1" and second.partition(b".")[0] == b"2"
    assert first.partition(b".")[2] != second.partition(b".")[2]
    assert len(first.partition(b".")[2]) == 44, "32 bytes"
    assert logon_raw_data(b"other", 1) != first, "nobody without the secret can tell it"


def test_a_logon_asks_for_what_we_rely_on() -> None:
    credentials = HmacSecret("me", b"hunter2")
    settings = DIALECT.session_settings(Identity("DESK", "DERIBITSERVER", 30), credentials)
    assert settings.logon_fields is not None
    told = settings.logon_fields(1, b"20260101-00:00:00.123").replace(b"\x01", b"|").decode()
    raw_data = logon_raw_data(b"hunter2", 1_767_225_600_123).decode()
    password = logon_password(raw_data.encode(), b"hunter2").decode()
    assert told == f"95=58|96={raw_data}|553=me|554={password}|9001=Y|9007=Y|9015=Y|"
    watching = DIALECT.market_data_settings(Identity("DESK", "DERIBITSERVER", 30), credentials)
    assert watching.logon_fields is not None
    assert watching.logon_fields(1, b"20260101-00:00:00.123").endswith(b"9001=N\x019009=Y\x01")


def test_other_credentials_are_of_no_use() -> None:
    with pytest.raises(ValueError, match="client id and its secret"):
        DIALECT.session_settings(Identity("DESK", "DERIBITSERVER", 30), Password("me", "hunter2"))


# ---- what we say


def test_a_new_order_is_in_contracts() -> None:
    told = "35=D|11=5-1|100010=5-1|55=BTC-PERPETUAL|54=1|38=10|854=1|44=65000.0|40=2|59=1|"
    assert text(DIALECT.encode_new(new(), WALL_NS)) == told
    assert "|18=6A|" in text(DIALECT.encode_new(new(instructions="6"), WALL_NS))
    market = samples.new(symbol=PERPETUAL, ord_type="1", price=None, time_in_force="3", order_qty=Decimal(1))
    told = "35=D|11=5-1|100010=5-1|55=BTC-PERPETUAL|54=1|38=1|854=1|40=1|59=3|"
    assert text(DIALECT.encode_new(market, WALL_NS)) == told


def test_a_request_names_the_order_by_deribit_s_id_in_the_wrong_field() -> None:
    body = DIALECT.encode_amend(amend(), WALL_NS)
    assert text(body) == "35=G|11=5-2|41=77|55=BTC-PERPETUAL|54=1|38=20|854=1|44=64000|"
    assert text(DIALECT.encode_cancel(CANCEL, WALL_NS)) == "35=F|11=5-3|41=77|55=BTCUSDT|"


def test_without_the_id_the_order_s_own_name_is_the_request_s() -> None:
    assert text(DIALECT.encode_amend(amend(order_id=""), WALL_NS)).startswith("35=G|11=5-1|55=BTC-PERPETUAL|")


def test_questions() -> None:
    assert text(DIALECT.encode_query(QUERY)) == "35=AF|584=77|585=1|9014=0|"
    nameless = structs.replace(QUERY, order_id="")
    assert text(DIALECT.encode_query(nameless)) == "35=AF|584=5-1|585=1|9014=1|55=BTCUSDT|"
    assert text(DIALECT.encode_mass_cancel("K-1", PERPETUAL, WALL_NS)) == "35=q|11=K-1|530=1|55=BTC-PERPETUAL|"
    assert [text(body) for body in DIALECT.encode_subscribe("m", ["A", "B"])] == [
        "35=V|262=m-book|263=1|264=1|265=0|267=2|269=0|269=1|146=2|55=A|55=B|",
        "35=V|262=m-trades|263=1|264=0|265=1|267=1|269=2|146=2|55=A|55=B|",
    ]


# ---- what we hear


def test_a_report_of_state_has_its_names_put_right() -> None:
    told = report(STATE + "58=success|" + WHERE)
    assert (told.cl_ord_id, told.orig_cl_ord_id, told.order_id) == ("5-1", "", "77")
    assert (told.exec_type, told.ord_status, told.text, told.price) == ("I", "0", "", Decimal("65000"))


@pytest.mark.parametrize(
    ("status", "exec_type", "ord_status"),
    [
        ("0", "I", "0"),
        ("1", "I", "1"),
        ("2", "I", "2"),
        ("4", "4", "4"),
        ("8", "8", "8"),
        ("C", "C", "C"),
        ("3", "C", "C"),
    ],
)
def test_what_happened_is_in_ord_status(status: str, exec_type: str, ord_status: str) -> None:
    told = report(STATE.replace("39=0", f"39={status}") + WHERE)
    assert (told.exec_type, told.ord_status) == (exec_type, ord_status)
    assert told.leaves_qty == (10 if status in "01" else 0)


def test_a_fill_is_known_by_its_number_within_the_instrument() -> None:
    fill = STATE.replace("150=I|39=0", "150=F|39=1").replace("14=0", "14=4")
    for line in (fill + WHERE + "32=4|31=64999.5000|" + FILL, fill.replace("150=F", "150=I") + WHERE + FILL):
        told = report(line)
        assert (told.exec_type, told.ord_status, told.trade_key, told.maker) == ("F", "1", "9", True)
        assert (told.last_qty, told.last_px, told.cum_qty) == (Decimal(4), Decimal("64999.5"), Decimal(4))
        assert (told.fee_qty, told.fee_asset) == (Decimal(0), "")


def test_a_report_of_several_fills_tells_each() -> None:
    two = "1362=2|" + FILL.removeprefix("1362=1|") + FILL.removeprefix("1362=1|").replace("#9", "#10")
    told = DIALECT.decode("8", raw(f"35=8|{STATE.replace('14=0', '14=8')}{WHERE}{two}"))
    assert isinstance(told, Several)
    assert [(e.exec_type, e.trade_key, e.last_qty) for e in told.events if isinstance(e, ExecutionReport)] == [
        ("F", "9", Decimal(4)),
        ("F", "10", Decimal(4)),
    ]


def test_quantities_in_units_become_contracts() -> None:
    told = report(STATE + WHERE.replace("854=1", "854=0").replace("6=0.000|", "6=0.000|" + FILL))
    assert (told.order_qty, told.leaves_qty, told.last_qty) == (Decimal(1), Decimal(1), Decimal("0.4"))


@pytest.mark.parametrize(
    "line",
    [
        STATE.replace("150=I|", ""),
        STATE.replace("39=0|", ""),
        STATE + "854=0|231=0|",
        STATE + "1362=1|1363=BTC-PERPETUAL#9|1364=1|",
    ],
)
def test_a_report_that_cannot_be_read_is_no_report(line: str) -> None:
    with pytest.raises(BadReport):
        DIALECT.decode("8", raw(f"35=8|{line}"))


def test_what_order_an_unreadable_report_names() -> None:
    fields = dict(field.encode().split(b"=", 1) for field in f"35=8|{STATE}{WHERE}".split("|") if field)
    assert DIALECT.unread(fields, "odd") == Unreadable("5-1", "", "77", PERPETUAL, "odd")


def test_the_head_of_a_status_answer_says_nothing_unless_there_is_no_such_order() -> None:
    assert DIALECT.decode("8", raw("35=8|584=77|585=1|911=1|58=total_reports|")) is None
    unknown = report("584=77|585=1|911=0|58=total_reports|")
    assert (unknown.unknown_order, unknown.order_id, unknown.cl_ord_id) == (True, "77", "")
    assert report("584=tp9s5f-1|585=1|911=0|58=total_reports|").cl_ord_id == "tp9s5f-1"


def test_refusals() -> None:
    told = DIALECT.decode("9", raw("35=9|41=77|11=5-3|39=8|58=too_many_requests|"))
    assert told == CancelRejected("5-3", "", "77", "8", 0, "too_many_requests")
    assert DIALECT.decode("3", raw("35=3|45=13|372=D|373=1|58=no|")) == RequestRejected(13, None, "", 1, "no")
    refused = DIALECT.decode("r", raw("35=r|11=K-1|530=1|531=0|532=1|58=unknown instrument|"))
    assert refused == MassCancelReported("K-1", "", False, 0, 1, "unknown instrument")


def test_a_public_trade_has_its_taker_s_side_and_those_of_before_are_no_news() -> None:
    trade = "279=0|269=2|270=65000.0000|271=3.0000|54=2|"
    told = DIALECT.decode_market_data("X", raw(f"35=X|55={PERPETUAL}|262=m|268=1|{trade}"))
    assert told == [BookEntry(PERPETUAL, "2", "0", Decimal(65000), Decimal(3), "2")]
    old = DIALECT.decode_market_data("W", raw(f"35=W|55={PERPETUAL}|262=m|268=1|{trade.removeprefix('279=0|')}"))
    assert old == [BookEntry(PERPETUAL, "", "W", None, Decimal(0))]


def test_nothing_is_ever_sent_again() -> None:
    bodies: list[Body] = [DIALECT.encode_new(new(), 0), DIALECT.encode_cancel(CANCEL, 0)]
    assert not any(DIALECT.resendable(body.msg_type) for body in bodies)
