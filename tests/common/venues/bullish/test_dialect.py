"""What Bullish's dialect writes and reads, against the fields of its document."""

from decimal import Decimal

import pytest
from msgspec import structs

from common.messages import CancelRejected, ExecutionReport, MassCancelReported, RequestRejected
from common.venues.bullish.dialect import Bullish
from common.venues.credentials import HmacSecret, PasswordHmac
from common.venues.dialect import BadReport, Identity
from tests.common.venues.samples import CANCEL, QUERY, WALL_NS, amend, new, raw, text

D = Decimal
DIALECT = Bullish()
IDENTITY = Identity("DESK", "BULLISH_PROD", 30)
CREDENTIALS = PasswordHmac("T1", "hunter2", "111", "KEY", b"SECRET")
TAIL = "55=BTCUSDT|60=20260101-00:00:00.000|"


def test_a_logon_has_the_password_alone_and_each_message_its_trader_and_account() -> None:
    settings = DIALECT.session_settings(IDENTITY, CREDENTIALS)
    assert settings.logon_fields is not None and settings.logon_fields(1, b"") == b"554=hunter2\x01"
    assert (settings.header_fields, settings.application_fields) == (b"50=T1\x01", b"1=111\x01")
    assert settings.says_no_reset and not settings.reset_on_logon
    with pytest.raises(ValueError, match="credentials"):
        DIALECT.session_settings(IDENTITY, HmacSecret("KEY", b"SECRET"))


def test_requests_have_the_fields_of_the_document() -> None:
    limit = text(DIALECT.encode_new(new(), WALL_NS))
    assert limit == f"35=D|11=5-1|38=0.50000|40=2|44=65000.10|54=1|{TAIL}59=1|"
    post_only = text(DIALECT.encode_new(new(instructions="6"), WALL_NS))
    assert post_only == f"35=D|11=5-1|38=0.50000|40=p|44=65000.10|54=1|{TAIL}59=1|"
    market = text(DIALECT.encode_new(new(ord_type="1", price=None, time_in_force="3"), WALL_NS))
    assert market == f"35=D|11=5-1|38=0.50000|40=1|54=1|{TAIL}59=3|"
    assert text(DIALECT.encode_amend(amend(), WALL_NS)) == f"35=G|11=5-2|37=77|41=5-1|38=0.5|40=2|44=65001|{TAIL}"
    unacknowledged = structs.replace(CANCEL, order_id="")
    assert text(DIALECT.encode_cancel(unacknowledged, WALL_NS)) == f"35=F|11=5-3|41=5-1|{TAIL}"
    assert text(DIALECT.encode_mass_cancel("9", "BTCUSDT", WALL_NS)) == f"35=q|11=9|{TAIL}530=7|"
    assert DIALECT.encode_query(QUERY) is None


HEAD = "35=8|1=111|11=5|14=1|37=42|38=1|40=2|44=8|54=1|55=BTCUSDC|60=20260101-00:00:00.000|151=0|"


def test_a_fill_has_its_number_its_fee_and_who_was_there_first() -> None:
    told = DIALECT.decode("8", raw(f"{HEAD}17=900|31=8|32=1|39=2|136=1|137=0.001|138=BTC|139=4|150=F|1057=N|"))
    assert isinstance(told, ExecutionReport)
    assert (told.trade_key, told.fee_qty, told.fee_asset, told.maker, told.unread) == (
        "900", D("0.001"), "BTC", True, (),
    )  # fmt: skip
    with pytest.raises(BadReport, match=r"ExecID\(17\)"):
        DIALECT.decode("8", raw(f"{HEAD}31=8|32=1|39=2|150=F|"))


@pytest.mark.parametrize("status", ["064", "044", "0C0"])
def test_other_reports_have_no_trade_and_no_number_of_their_own(status: str) -> None:
    told = DIALECT.decode("8", raw(f"{HEAD}39={status[2]}|150={status[1]}|"))
    assert isinstance(told, ExecutionReport)
    assert (told.exec_type, told.exec_id, told.trade_key) == (status[1], "", "")


def test_a_refused_amendment_says_nothing_of_its_order() -> None:
    line = "35=9|11=6|37=42|39=8|41=5|60=20260101-00:00:00.000|102=3034|434=2|1328=Rate limit error|"
    told = DIALECT.decode("9", raw(line))
    assert told == CancelRejected("6", "5", "42", "", 3034, "Rate limit error")
    unknown = DIALECT.decode("9", raw("35=9|11=6|39=8|41=5|102=1|434=1|1328=No|"))
    assert isinstance(unknown, CancelRejected) and unknown.unknown_order
    late = DIALECT.decode("9", raw("35=9|11=6|37=42|39=2|41=5|102=0|434=1|1328=No|"))
    assert isinstance(late, CancelRejected) and late.ord_status == "2"


def test_other_answers() -> None:
    rejected = DIALECT.decode("3", raw("35=3|45=7|371=11|372=D|373=6|58=Bad|"))
    assert rejected == RequestRejected(7, None, "", 6, "Bad")
    answered = DIALECT.decode("r", raw("35=r|11=9|530=7|531=7|1369=m1|"))
    assert answered == MassCancelReported("9", "", True)
    assert DIALECT.decode("h", raw("35=h|336=1|325=Y|340=2|1368=0|")) is None
