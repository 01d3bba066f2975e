"""The dialect "coinbaseprime": the bytes that it writes, and what it makes of the venue's."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.fix.session import Outbound, Session
from common.fix.wire import parse_utc_timestamp
from common.instant import Instant
from common.messages import ExecutionReport, RequestRejected
from common.venues.coinbaseprime.dialect import CoinbasePrime, logon_signature
from common.venues.credentials import HmacPassphrase
from common.venues.dialect import Identity
from common.venues.registry import find_dictionary
from tests.common.venues import samples
from tests.common.venues.samples import CANCEL, QUERY, raw, text

CREDENTIALS = HmacPassphrase("ACCESSKEY", b"SIGNINGKEY", "pass123")
OURS = CoinbasePrime()
STAMP = b"20260102-03:04:05.678"
REPORT = "35=8|11=a|37=b|17=c|39=1|54=1|55=BTC-USD|38=2|14=1|151=1|6=65000|"


def report(line: str) -> ExecutionReport:
    event = OURS.decode("8", raw(REPORT + line))
    assert isinstance(event, ExecutionReport)
    return event


def test_the_signature_of_a_logon() -> None:
    assert logon_signature(CREDENTIALS, "COIN", 1, STAMP) == b"w91Ltj21E65tNmrNtgcLVKm+K+FVwvmznH70Vi/SP0k="
    other = replace(CREDENTIALS, passphrase="pass124")
    assert logon_signature(other, "COIN", 1, STAMP) != logon_signature(CREDENTIALS, "COIN", 1, STAMP)


@pytest.mark.parametrize(
    ("market_data", "begins", "key"), [(False, b"8=FIX.4.2", b"9407"), (True, b"8=FIXT.1.1", b"553")]
)
def test_a_logon_of_each_connection(market_data: bool, begins: bytes, key: bytes) -> None:
    make = OURS.market_data_settings if market_data else OURS.session_settings
    session = Session(make(Identity("SVC", "COIN", 30), CREDENTIALS))
    session.connected(Instant(parse_utc_timestamp(STAMP), 1))
    (logon,) = [effect.raw for effect in session.take_effects() if isinstance(effect, Outbound)]
    signed = b"95=44\x0196=w91Ltj21E65tNmrNtgcLVKm+K+FVwvmznH70Vi/SP0k=\x01"
    assert logon.startswith(begins + b"\x01") and (b"\x011137=9\x01" in logon) is market_data
    assert signed + key + b"=ACCESSKEY\x01554=pass123\x019406=N\x01" in logon


def test_requests() -> None:
    order = samples.new(symbol="BTC-USD", instructions="6")
    assert text(OURS.encode_new(order, 0)) == (
        "35=D|11=5-1|38=0.50000|44=65000.10|18=A|40=2|54=1|55=BTC-USD|59=1|847=L|"
    )
    market = samples.new(symbol="BTC-USD", ord_type="1", price=None, time_in_force="3")
    assert text(OURS.encode_new(market, 0)) == "35=D|11=5-1|38=0.50000|40=1|54=1|55=BTC-USD|59=3|847=M|"
    dated = samples.new(symbol="BTC-USD", time_in_force="6", expire_ns=samples.WALL_NS)
    assert text(OURS.encode_new(dated, 0)).endswith("59=6|847=L|126=20260101-00:00:00.000|")
    stop = samples.new(symbol="BTC-USD", ord_type="4", stop_px=Decimal("64999.50"))
    assert text(OURS.encode_new(stop, 0)) == (
        "35=D|11=5-1|38=0.50000|44=65000.10|40=2|54=1|55=BTC-USD|59=1|847=SL|99=64999.50|"
    )
    assert text(OURS.encode_cancel(CANCEL, 0)) == "35=F|11=5-3|37=77|38=0.5|41=5-1|54=1|55=BTCUSDT|"
    assert text(OURS.encode_query(QUERY)) == "35=H|11=5-1|37=77|54=1|55=BTCUSDT|"
    assert text(OURS.encode_query(replace(QUERY, order_id=""))) == "35=H|11=5-1|54=1|55=BTCUSDT|"
    (subscription,) = OURS.encode_subscribe("m", ["BTC-USD"])
    assert text(subscription) == "35=V|262=m|263=1|264=0|265=0|267=3|269=0|269=1|269=2|146=1|55=BTC-USD|"


def test_a_fill_and_what_it_cost() -> None:
    fill = report("20=0|150=1|31=65000|32=1|13=3|12=65|136=1|137=2|138=USD|139=4|")
    assert (fill.exec_type, fill.last_qty, fill.trade_key) == ("F", Decimal(1), "c")
    assert (fill.fee_qty, fill.fee_asset, fill.unread) == (Decimal(67), "USD", ())
    assert report("150=2|31=65000|32=1|").exec_type == "F", "no ExecTransType(20) is an event's"


@pytest.mark.parametrize("line", ["20=1|150=1|32=0.0|", "20=3|150=2|31=65000|32=1|", "20=0|150=1|31=65000|32=0|"])
def test_what_tells_the_state_is_no_fill(line: str) -> None:
    told = report(line)
    assert (told.exec_type, told.trade_key, told.ord_status) == ("I", "", "1")


def test_an_order_that_is_not_known_is_so_to_who_asked_for_it() -> None:
    assert report("20=1|150=8|103=5|").unknown_order
    assert not report("20=0|150=8|103=5|").unknown_order, "a refusal of another request"


def test_a_rejected_question_rejects_no_order() -> None:
    event = OURS.decode("3", raw("35=3|45=7|371=37|372=H|373=1|58=Required tag missing|"))
    assert isinstance(event, RequestRejected) and (event.cl_ord_id, event.ref_msg_seq_num) == ("", 7)


def test_an_order_is_not_amended() -> None:
    with pytest.raises(ValueError, match="changes no order"):
        OURS.encode_amend(samples.amend(), 0)


def test_fields_of_its_own_have_names() -> None:
    dictionary = find_dictionary("coinbaseprime")
    assert (dictionary.field_name(9407), dictionary.field_name(847)) == ("AccessKey", "TargetStrategy")
