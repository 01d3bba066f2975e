"""The dialect "gemini": the bytes that it writes, and what it makes of the venue's."""

import tomllib
from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.fix.session import Outbound, Session
from common.fix.wire import encode, parse_utc_timestamp, split
from common.instant import Instant
from common.messages import ExecutionReport
from common.venues.dialect import Body, Identity
from common.venues.gemini.dialect import Gemini
from common.venues.registry import find_dictionary, folder_of
from tests.common.venues import samples
from tests.common.venues.samples import CANCEL, raw, text

OURS = Gemini()


def frame(what: str) -> bytes:
    """A sample of the folder by the beginning of what it is."""
    table = tomllib.loads((folder_of("gemini") / "samples/order_entry.toml").read_text("utf-8"))
    (found,) = [each["text"] for each in table["frame"] if each["what"].startswith(what)]
    return str(found).replace("|", "\x01").encode()


def as_sent(body: Body, like: bytes) -> bytes:
    """The body in a message with the header of that one."""
    fields = split(like)
    header = b"".join(b"%b=%b\x01" % (tag, fields[tag]) for tag in (b"35", b"34", b"49", b"52", b"56"))
    return encode(b"FIX.4.4", header + body.fields)


def test_our_cancel_is_the_sample_byte_for_byte() -> None:
    sample = frame("OrderCancelRequest(F)")
    cancel = replace(
        CANCEL, symbol="BTCUSD", side="2", cl_ord_id="GHDzdNUUXaMMDZdfwe", orig_cl_ord_id="z35u64KR1gen7f2SpB",
        order_qty=Decimal(1),
    )  # fmt: skip
    assert as_sent(OURS.encode_cancel(cancel, parse_utc_timestamp(b"20180425-17:57:59.000")), sample) == sample


def test_our_order_is_the_sample_but_for_the_third_party() -> None:
    sample = frame("NewOrderSingle(D)")
    order = samples.new(
        cl_ord_id="FLWC3iFc6ygIxFSKVY", symbol="BTCUSD", side="2", order_qty=Decimal(10), price=Decimal("8490.44")
    )
    body = OURS.encode_new(order, parse_utc_timestamp(b"20180425-17:58:11.000"))
    assert sample.partition(b"115=AA1AA1AAA1\x01")[2].partition(b"10=")[0] == body.fields


def test_a_post_only_order_is_maker_or_cancel() -> None:
    order = samples.new(symbol="BTCUSD", instructions="6")
    assert text(OURS.encode_new(order, samples.WALL_NS)) == (
        "35=D|11=5-1|18=6|38=0.50000|40=2|44=65000.10|54=1|55=BTCUSD|59=1|60=20260101-00:00:00|"
    )


def test_a_stop_order_has_its_stop_price_behind_all_else() -> None:
    order = samples.new(symbol="BTCUSD", ord_type="4", stop_px=Decimal("64999.50"))
    assert text(OURS.encode_new(order, samples.WALL_NS)) == (
        "35=D|11=5-1|38=0.50000|40=4|44=65000.10|54=1|55=BTCUSD|59=1|60=20260101-00:00:00|99=64999.50|"
    )


def test_a_market_order_buys_for_an_amount_and_sells_a_quantity() -> None:
    market: dict[str, object] = {"symbol": "BTCUSD", "ord_type": "1", "price": None, "time_in_force": "3"}
    buy = samples.new(**market, cash_order_qty=Decimal("500.00"))
    assert text(OURS.encode_new(buy, samples.WALL_NS)) == (
        "35=D|11=5-1|40=1|54=1|55=BTCUSD|60=20260101-00:00:00|152=500.00|"
    )
    assert text(OURS.encode_new(samples.new(**market, side="2"), samples.WALL_NS)) == (
        "35=D|11=5-1|38=0.50000|40=1|54=2|55=BTCUSD|60=20260101-00:00:00|"
    )


def test_a_logon_says_nothing_but_that_numbers_begin_and_orders_end() -> None:
    for settings, own in (
        (OURS.session_settings(Identity("DESKOE001", "GEMINI", 30), None), b"9001=Y\x01"),
        (OURS.market_data_settings(Identity("DESKMD001", "GEMINI", 30), None), b""),
    ):
        session = Session(settings)
        session.connected(Instant(samples.WALL_NS, 1))
        (logon,) = [effect.raw for effect in session.take_effects() if isinstance(effect, Outbound)]
        assert logon.partition(b"56=GEMINI\x01")[2].partition(b"10=")[0] == b"98=0\x01108=30\x01141=Y\x01" + own


def test_a_subscription_is_a_symbol_s_and_a_refresh_is_another_one() -> None:
    first, second = OURS.encode_subscribe("m", ["BTCUSD", "ETHUSD"])
    assert text(first) == "35=V|262=m-BTCUSD|263=1|264=0|146=1|55=BTCUSD|267=3|269=0|269=1|269=2|9003=Y|"
    assert text(second).startswith("35=V|262=m-ETHUSD|")
    assert OURS.encode_refresh("n", "m", ["BTCUSD"]) == OURS.encode_subscribe("n", ["BTCUSD"])


@pytest.mark.parametrize(("fee", "told"), [("9.8", Decimal("9.8")), ("-0.25", Decimal("-0.25"))])
def test_a_fee_may_be_a_rebate(fee: str, told: Decimal) -> None:
    event = OURS.decode("8", raw(f"35=8|11=a|12={fee}|13=3|17=9|31=2|32=1|37=b|39=2|150=F|479=USD|55=BTCUSD|"))
    assert isinstance(event, ExecutionReport)
    assert (event.fee_qty, event.fee_asset, event.trade_key, event.unread) == (told, "USD", "9", ())


def test_the_taker_of_a_public_trade_is_on_the_other_side_than_its_maker() -> None:
    head = "35=X|262=m|268=1|279=0|269=2|55=BTCUSD|270=2|271=1|"
    for field, taker in (("9002=1|", "2"), ("9002=2|", "1"), ("", "")):
        told = OURS.decode_market_data("X", raw(head + field))
        assert isinstance(told, list) and [entry.taker_side for entry in told] == [taker]


def test_an_order_is_not_amended() -> None:
    with pytest.raises(ValueError, match="Gemini changes no order"):
        OURS.encode_amend(samples.amend(), 0)


def test_fields_of_its_own_have_names() -> None:
    assert find_dictionary("gemini").field_name(9002) == "MDEntryMakerSide"
