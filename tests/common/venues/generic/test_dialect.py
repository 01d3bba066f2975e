"""The dialect "generic", text in and text out."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.fix.wire import split
from common.messages import POST_ONLY, Announced, CancelRejected, ExecutionReport, MassCancelReported, RequestRejected
from common.venues.dialect import BadReport, BookEntry, SubscriptionRejected, plain
from common.venues.generic.dialect import Generic
from tests.common.venues.samples import CANCEL, QUERY, WALL_NS, amend, new, raw, text

DIALECT = Generic()
TIME = "60=20260101-00:00:00.000|"


def test_commands_in_words() -> None:
    assert text(DIALECT.encode_new(new(), WALL_NS)) == (
        f"35=D|11=5-1|21=1|55=BTCUSDT|54=1|40=2|59=1|{TIME}38=0.50000|44=65000.10|"
    )
    assert text(DIALECT.encode_new(new(instructions=POST_ONLY), WALL_NS)) == (
        f"35=D|11=5-1|21=1|18=6|55=BTCUSDT|54=1|40=2|59=1|{TIME}38=0.50000|44=65000.10|"
    )
    market = new(ord_type="1", price=None, time_in_force="3")
    assert text(DIALECT.encode_new(market, WALL_NS)) == (
        f"35=D|11=5-1|21=1|55=BTCUSDT|54=1|40=1|59=3|{TIME}38=0.50000|"
    )
    assert text(DIALECT.encode_amend(amend(), WALL_NS)) == (
        f"35=G|11=5-2|41=5-1|37=77|21=1|55=BTCUSDT|54=1|40=2|59=1|{TIME}38=0.5|44=65001|"
    )
    assert text(DIALECT.encode_cancel(CANCEL, WALL_NS)) == (f"35=F|11=5-3|41=5-1|37=77|55=BTCUSDT|54=1|{TIME}38=0.5|")
    assert text(DIALECT.encode_query(QUERY)) == "35=H|11=5-1|37=77|55=BTCUSDT|54=1|"
    assert text(DIALECT.encode_mass_cancel("K-1", "BTCUSDT", WALL_NS)) == f"35=q|11=K-1|530=1|55=BTCUSDT|{TIME}"


def test_what_adds_risk_is_never_resent() -> None:
    assert not DIALECT.resendable("D")
    assert not DIALECT.resendable("G")
    assert DIALECT.resendable("F")


@given(st.decimals(min_value=Decimal("1e-12"), max_value=Decimal("1e12"), allow_nan=False))
def test_a_decimal_is_written_without_exponent_and_exactly(value: Decimal) -> None:
    assert "E" not in plain(value)
    assert Decimal(plain(value)) == value


def test_a_fill_with_its_fee() -> None:
    line = (
        "35=8|37=77|11=5-1|17=x9|150=F|39=1|55=BTCUSDT|54=1|38=0.5|44=65000.10|32=0.2|31=65000|14=0.2|151=0.3|6=65000|"
        "851=1|60=20260101-00:00:00.123456|136=1|137=0.0002|138=BTC|139=4|"
    )
    event = DIALECT.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    assert (event.trade_key, event.last_qty, event.last_px) == ("x9", Decimal("0.2"), Decimal(65000))
    assert (event.fee_qty, event.fee_asset, event.maker) == (Decimal("0.0002"), "BTC", True)
    assert event.transact_ns == WALL_NS + 123_456_000


def test_a_fee_told_as_commission() -> None:
    line = "35=8|37=77|11=5-1|17=x9|150=F|39=2|55=B|54=1|32=1|31=2|14=1|151=0|6=2|12=0.25|13=3|479=USDT|"
    event = DIALECT.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    assert (event.fee_qty, event.fee_asset) == (Decimal("0.25"), "USDT")


@pytest.mark.parametrize(("reason", "unknown"), [("5", True), ("1", False)])
def test_a_status_answer_for_an_unknown_order(reason: str, unknown: bool) -> None:
    line = f"35=8|37=NONE|11=5-1|17=0|150=I|39=8|103={reason}|55=BTCUSDT|54=1|14=0|151=0|6=0|"
    event = DIALECT.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    assert event.unknown_order is unknown
    assert event.trade_key == ""


def test_a_rejected_new_order_is_not_an_unknown_one() -> None:
    line = "35=8|37=NONE|11=5-1|17=0|150=8|39=8|103=5|55=BTCUSDT|54=1|14=0|151=0|6=0|"
    event = DIALECT.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    assert not event.unknown_order


def test_rejects() -> None:
    cancel = DIALECT.decode("9", raw("35=9|37=NONE|11=5-3|41=5-1|39=8|434=1|102=1|58=no such order|"))
    assert cancel == CancelRejected("5-3", "5-1", "", "8", 1, "no such order", unknown_order=True)
    late = DIALECT.decode("9", raw("35=9|37=77|11=5-3|41=5-1|39=2|434=1|102=0|"))
    assert isinstance(late, CancelRejected)
    assert not late.unknown_order
    session = DIALECT.decode("3", raw("35=3|45=12|371=38|372=D|373=5|58=bad quantity|"))
    assert session == RequestRejected(12, None, "", 5, "bad quantity")
    business = DIALECT.decode("j", raw("35=j|45=13|372=D|379=5-1|380=3|58=no|"))
    assert business == RequestRejected(13, None, "5-1", 3, "no")
    # The name in a rejected status request is that of its order, which is not rejected.
    query = DIALECT.decode("j", raw("35=j|45=13|372=H|379=5-1|380=3|58=no|"))
    assert query == RequestRejected(13, None, "", 3, "no")
    mass = DIALECT.decode("r", raw("35=r|11=K-1|37=1|530=1|531=1|533=4|55=BTCUSDT|"))
    assert mass == MassCancelReported("K-1", "BTCUSDT", True, 4)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("35=8|37=77|11=5-1|39=1|", "ExecType(150)"),
        ("35=8|37=77|11=5-1|17=1|150=F|39=1|55=B|54=1|32=abc|31=1|14=0|151=0|6=0|", "LastQty(32)"),
        ("35=8|37=77|11=5-1|17=1|150=F|39=1|55=B|54=1|32=NaN|31=1|14=0|151=0|6=0|", "LastQty(32)"),
        ("35=8|37=77|11=5-1|17=1|150=F|39=1|55=B|54=1|31=1|14=0|151=0|6=0|", "LastQty(32)"),
        ("35=8|37=77|11=5-1|150=F|39=1|55=B|54=1|32=1|31=1|14=0|151=0|6=0|", "ExecID(17)"),
        ("35=8|37=77|11=5-1|17=1|150=4|55=B|54=1|14=0|151=0|6=0|", "OrdStatus(39)"),
    ],
)
def test_a_report_that_cannot_be_read_says_which_field(line: str, field: str) -> None:
    with pytest.raises(BadReport, match=re.escape(field)):
        DIALECT.decode("8", raw(line))


def test_news_is_told_and_a_heartbeat_is_none_of_the_dialects() -> None:
    assert DIALECT.decode("B", raw("35=B|148=maintenance at noon|33=1|58=x|")) == Announced("maintenance at noon")
    assert DIALECT.decode("0", raw("35=0|112=x|")) is None


def test_market_data() -> None:
    (subscribe,) = DIALECT.encode_subscribe("md-1", ["BTCUSDT", "ETHUSDT"])
    assert text(subscribe) == ("35=V|262=md-1|263=1|264=1|265=1|267=3|269=0|269=1|269=2|146=2|55=BTCUSDT|55=ETHUSDT|")
    snapshot = raw("35=W|262=md-1|55=BTCUSDT|268=2|269=0|270=1.5|271=2|269=1|270=1.6|271=3|")
    assert DIALECT.decode_market_data("W", snapshot) == [
        BookEntry("BTCUSDT", "", "W", None, Decimal(0)),
        BookEntry("BTCUSDT", "0", "W", Decimal("1.5"), Decimal(2)),
        BookEntry("BTCUSDT", "1", "W", Decimal("1.6"), Decimal(3)),
    ]
    changes = raw("35=X|262=md-1|268=2|279=2|269=0|55=BTCUSDT|270=1.5|279=0|269=2|270=1.6|271=1|2446=1|")
    assert DIALECT.decode_market_data("X", changes) == [
        BookEntry("BTCUSDT", "0", "2", Decimal("1.5"), Decimal(0)),
        BookEntry("BTCUSDT", "2", "0", Decimal("1.6"), Decimal(1), "1"),
    ]
    assert DIALECT.decode_market_data("Y", raw("35=Y|262=md-1|281=0|58=no|")) == SubscriptionRejected("md-1", "no")
    assert DIALECT.decode_market_data("0", raw("35=0|112=x|")) == []


def test_only_known_tags_leave() -> None:
    for body in (DIALECT.encode_new(new(), WALL_NS), DIALECT.encode_amend(amend(), WALL_NS)):
        assert all(body.fields.split(b"\x01")[:-1])
        assert split(body.fields)


def test_a_report_whose_instrument_is_in_security_id_alone_names_it() -> None:
    line = "35=8|37=1|11=a|17=x|150=F|39=1|55=[N/A]|48=BTCUSDT|22=8|54=1|32=0.4|31=9|6=9|"
    event = DIALECT.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    assert (event.symbol, event.last_qty, event.avg_px) == ("BTCUSDT", Decimal("0.4"), Decimal(9))
