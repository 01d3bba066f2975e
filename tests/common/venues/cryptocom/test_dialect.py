"""What Crypto.com's dialect writes and reads, against the fields of its pages."""

from decimal import Decimal

import pytest
from msgspec import structs

from common.messages import CancelRejected, ExecutionReport, MassCancelReported, RequestRejected
from common.venues.credentials import HmacSecret, Password
from common.venues.cryptocom.dialect import Cryptocom, logon_signature
from common.venues.dialect import BadReport, Identity
from common.venues.signers import BadKey
from services.marketdata.books import Book
from tests.common.exchange.harness import at
from tests.common.venues.samples import CANCEL, QUERY, WALL_NS, amend, new, raw, text

D = Decimal
DIALECT = Cryptocom()
IDENTITY = Identity("PRD3.CLIENT.UD.00", "PRD3.CDC.UD", 10)
CREDENTIALS = HmacSecret("APIKEY", b"SECRET")
TIME = "60=20260101-00:00:00.000|"
ORDERS = "f97b87335fff4f930a627acce504af80c44901bd968a49ad50372d84d90cec6e"
MARKET_DATA = "119cf37db70fe3b03866776922cd2b0ce45e678d4a9f5e26581b7a39c87ac07f"


# ---- logon


@pytest.mark.parametrize(("orders", "signature"), [(True, ORDERS), (False, MARKET_DATA)])
def test_the_signature_is_that_of_the_vector(orders: bool, signature: str) -> None:
    assert logon_signature(b"SECRET", 1, "APIKEY", 1767323045678, orders=orders).decode() == signature


def test_a_logon_has_nonce_key_and_signature_and_asks_that_a_lost_connection_cancels() -> None:
    stamp, nonce = b"20260102-03:04:05.678", 1767323045678
    orders = DIALECT.session_settings(IDENTITY, CREDENTIALS).logon_fields
    prices = DIALECT.market_data_settings(IDENTITY, CREDENTIALS).logon_fields
    assert orders is not None and prices is not None
    head = f"95=13|96={nonce}|553=APIKEY|554="
    assert orders(1, stamp).decode().replace("\x01", "|") == f"{head}{ORDERS}|6867=Y|35002=3|"
    assert prices(1, stamp).decode().replace("\x01", "|") == f"{head}{MARKET_DATA}|"
    later = DIALECT.session_settings(IDENTITY._replace(last_nonce_ms=nonce + 9), CREDENTIALS).logon_fields
    assert later is not None and b"96=%d\x01" % (nonce + 10) in later(1, stamp), "a clock that was set back"


def test_credentials_of_no_use_are_told_before_anything_is_sent() -> None:
    for settings in (DIALECT.session_settings, DIALECT.market_data_settings):
        with pytest.raises(ValueError, match="credentials"):
            settings(IDENTITY, Password("me", "hunter2"))
        with pytest.raises(BadKey):
            settings(IDENTITY, HmacSecret("APIKEY", b""))


# ---- what we send


def test_orders_have_the_fields_of_the_pages() -> None:
    limit = text(DIALECT.encode_new(new(instructions="6"), WALL_NS))
    assert limit == f"35=D|11=5-1|18=6|38=0.50000|40=2|44=65000.10|54=1|55=BTCUSDT|59=1|{TIME}"
    market = text(DIALECT.encode_new(new(ord_type="1", price=None, time_in_force="3"), WALL_NS))
    assert market == f"35=D|11=5-1|38=0.50000|40=1|54=1|55=BTCUSDT|{TIME}"
    amended = text(DIALECT.encode_amend(amend(), WALL_NS))
    assert amended == f"35=G|11=5-2|37=77|38=0.5|44=65001|{TIME}"
    cancelled = structs.replace(CANCEL, order_id="")
    assert text(DIALECT.encode_cancel(cancelled, WALL_NS)) == f"35=F|11=5-3|41=5-1|54=1|55=BTCUSDT|{TIME}"
    assert DIALECT.encode_query(QUERY) is None
    everything = DIALECT.encode_mass_cancel("5-9", "BTC_USD", WALL_NS)
    assert everything is not None and text(everything) == "35=q|11=5-9|55=BTC_USD|530=1|"


@pytest.mark.parametrize(("left_ms", "window_ms"), [(700, 700), (3, 100), (60_000, 5000)])
def test_an_order_is_taken_in_for_what_is_left_of_its_deadline(left_ms: int, window_ms: int) -> None:
    assert DIALECT.header_fields(left_ms * 10**6, WALL_NS) == b"20100=%d\x01" % window_ms
    assert DIALECT.header_fields(None, WALL_NS) == b""


def test_a_subscription_is_a_channel_of_one_symbol() -> None:
    told = [text(body) for body in DIALECT.encode_subscribe("md-1", ["BTC_USD"])]
    book = "264=1|265=1|266=Y|267=2|269=0|269=1|547=N|146=1|55=BTC_USD|"
    assert told == [
        f"35=V|262=book.BTC_USD.1|263=1|{book}",
        "35=V|262=trade.BTC_USD|263=1|264=0|265=1|266=N|267=1|269=2|547=N|146=1|55=BTC_USD|",
    ]
    again = [text(body) for body in DIALECT.encode_refresh("again-1", "md-1", ["BTC_USD"])]
    assert again == [f"35=V|262=book.BTC_USD.1|263={action}|{book}" for action in "21"]


# ---- what we hear

HEAD = "35=8|11=5-1|14=0|17=e|37=42|38=1|40=2|44=8|54=1|55=BTC_USD|59=1|151=1|"


@pytest.mark.parametrize(
    ("fields", "exec_type"),
    [("39=A|150=A|", "A"), ("39=0|150=0|", "0"), ("39=A|150=A|41=5-0|", "E"), ("39=0|150=0|41=5-0|", "5"),
     ("39=0|150=6|41=5-0|", "6"), ("39=4|150=4|41=5-0|", "4"), ("39=8|150=8|103=99|58=No|", "8")],
)  # fmt: skip
def test_a_report_is_what_it_is_about(fields: str, exec_type: str) -> None:
    told = DIALECT.decode("8", raw(HEAD + fields))
    assert isinstance(told, ExecutionReport)
    assert (told.exec_type, told.trade_key, told.last_qty, told.unread) == (exec_type, "", D(0), ())


def test_a_fill_without_its_number_cannot_be_read() -> None:
    with pytest.raises(BadReport, match=r"ExecID\(17\)"):
        DIALECT.decode("8", raw(HEAD.replace("17=e|", "") + "39=1|150=F|31=8|32=1|"))


def test_a_fee_without_its_currency_is_noted() -> None:
    told = DIALECT.decode("8", raw(HEAD + "39=1|150=F|31=8|32=1|12=0.1|13=3|851=1|"))
    assert isinstance(told, ExecutionReport)
    assert (told.fee_qty, told.maker) == (D(0), True) and told.unread


def test_refusals_name_the_request_and_what_they_prove() -> None:
    for code, unknown in (("1", True), ("0", False)):
        told = DIALECT.decode("9", raw(f"35=9|11=5-3|37=42|39=0|41=5-1|58=No|102={code}|434=1|"))
        assert told == CancelRejected("5-3", "5-1", "42", "0", int(code), "No", unknown)
    rejected = DIALECT.decode("3", raw("35=3|45=7|371=44|372=D|373=5|58=Bad|"))
    assert rejected == RequestRejected(7, None, "", 5, "Bad", ambiguous=True)
    business = DIALECT.decode("j", raw("35=j|45=8|372=D|379=5-1|380=4|58=Away|"))
    assert business == RequestRejected(8, None, "5-1", 4, "Away")
    refused = DIALECT.decode("r", raw("35=r|11=5-9|530=1|531=0|532=1|"))
    assert refused == MassCancelReported("5-9", "", False, 0, 1)


def book_message(msg_type: str, entries: str, numbers: str) -> bytes:
    count = entries.count("269=")
    return raw(f"35={msg_type}|262=book.BTC_USD.1|55=BTC_USD|10273=1|268={count}|{entries}{numbers}")


def test_a_message_that_follows_another_one_than_the_last_makes_the_book_unknown() -> None:
    book = Book("BTC_USD")

    def heard(msg_type: str, entries: str, numbers: str) -> str:
        told = DIALECT.decode_market_data(msg_type, book_message(msg_type, entries, numbers))
        assert isinstance(told, list)
        book.apply(told, at())
        return book.why

    offer = "279=0|269=1|270=65001|271=2|"
    assert not heard("W", "269=0|270=64999|271=1|", "278=10|")
    assert not heard("X", offer, "278=14|280=10|"), "numbers may be left out"
    assert book.bid == (D(64999), D(1)) and book.offer == (D(65001), D(2))
    assert "follows 15" in heard("X", offer, "278=16|280=15|") and book.bid is None
    assert heard("X", offer, "278=17|280=16|"), "until it is told whole"
    assert not heard("X", "279=0|269=J|279=0|269=0|270=64998|271=3|", "278=30|280=29|")
    assert book.bid == (D(64998), D(3)) and book.offer is None


def test_trades_have_numbers_of_their_own() -> None:
    told = DIALECT.decode_market_data("X", raw(
        "35=X|262=trade.BTC_USD|55=BTC_USD|268=1|279=0|269=2|270=65000|271=0.1|10851=2|880=7|278=7|"
    ))  # fmt: skip
    assert isinstance(told, list)
    assert [(e.what, e.px, e.taker_side, e.sequence) for e in told] == [("2", D(65000), "2", 0)]
