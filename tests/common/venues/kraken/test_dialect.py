"""Kraken's dialect, text in and text out, and the documents' own frames and vectors."""

import tomllib
from decimal import Decimal
from functools import partial
from zlib import crc32

import pytest
from msgspec import structs

from common.fix.wire import encode, parse_utc_timestamp, split
from common.instant import NS_PER_S
from common.messages import CancelRejected, ExecutionReport, RequestRejected
from common.venues.credentials import HmacSecret, Password
from common.venues.dialect import BadReport, Body, Identity, SubscriptionRejected
from common.venues.kraken.dialect import Kraken, book_sum, logon_signature
from common.venues.market_data import OFFER
from common.venues.registry import folder_of
from common.venues.signers import BadKey
from services.marketdata.books import Book
from tests.common.exchange.harness import at
from tests.common.venues.samples import CANCEL, QUERY, WALL_NS, amend, new, raw, text

DIALECT = Kraken()
TIME = "60=20260101-00:00:00.000|"
CREDENTIALS = HmacSecret("APIKEY", b"c2VjcmV0")
IDENTITY = Identity("CLIENT", "KRAKEN-TRD", 60)
D = Decimal


def frames(file: str) -> dict[str, bytes]:
    """The samples of the folder by what they are, with BodyLength(9) and CheckSum(10) as they ought to be."""
    table = tomllib.loads((folder_of("kraken") / "samples" / file).read_text("utf-8"))
    found: dict[str, bytes] = {}
    for frame in table["frame"]:
        whole = frame["text"].replace("|", "\x01").encode()
        found[frame["what"]] = encode(b"FIX.4.4", whole[whole.index(b"\x0135=") + 1 : whole.rindex(b"\x0110=") + 1])
    return found


def sent(body: Body, like: bytes) -> bytes:
    """The message that the session makes of it, under the header of a sample."""
    f = split(like)
    head = f"35={body.msg_type}|".encode() + b"".join(b"%b=%b|" % (tag, f[tag]) for tag in (b"34", b"49", b"52", b"56"))
    return encode(b"FIX.4.4", head.replace(b"|", b"\x01") + body.fields)


def changed(frame: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    """The sample with something else in it."""
    body = frame[frame.index(b"\x0135=") + 1 : frame.rindex(b"\x0110=") + 1]
    for old, put in changes:
        assert old in body
        body = body.replace(old, put)
    return encode(b"FIX.4.4", body)


def stamped(frame: bytes) -> int:
    return parse_utc_timestamp(split(frame)[b"60"])


# ---- logon


def test_the_signature_is_that_of_the_published_vector() -> None:
    signature = logon_signature(b"c2VjcmV0", IDENTITY, 7, "APIKEY", 1724512345678)
    assert signature == b"MwX+M7nvuHXxD5aGI/TFpghXxg2iblxXYyz7lRzLCPMA4UJYI3osNrUKWCiI3fDnOLkEQ5WKSK58Mp3nvu1Klw=="


def test_a_logon_has_key_signature_nonce_and_says_that_a_lost_session_is_to_be_cancelled() -> None:
    settings = DIALECT.session_settings(IDENTITY, CREDENTIALS)
    assert settings.logon_fields is not None
    fields = settings.logon_fields(7, b"20240824-15:12:25.678").decode().replace("\x01", "|")
    signature = logon_signature(b"c2VjcmV0", IDENTITY, 7, "APIKEY", 1724512345678).decode()
    assert fields == f"553=APIKEY|554={signature}|5025=1724512345678|8674=0|"


def test_a_nonce_grows_whatever_the_clock_does() -> None:
    settings = DIALECT.session_settings(IDENTITY._replace(last_nonce_ms=1724512345999), CREDENTIALS)
    assert settings.logon_fields is not None
    assert b"|5025=1724512346000|" in settings.logon_fields(7, b"20240824-15:12:25.678").replace(b"\x01", b"|")


def test_credentials_of_no_use_are_told_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="credentials"):
        DIALECT.session_settings(IDENTITY, Password("me", "hunter2"))
    with pytest.raises(ValueError, match="no base64") as told:
        DIALECT.session_settings(IDENTITY, HmacSecret("APIKEY", b"not base64!"))
    assert "not base64!" not in str(told.value)
    with pytest.raises(BadKey):
        logon_signature(b"", IDENTITY, 1, "APIKEY", 1)


# ---- what we send


def test_an_order_is_the_documented_frame() -> None:
    frame = frames("order_entry.toml")["NewOrderSingle(D), a limit order"]
    command = new(cl_ord_id="1688738168", symbol="BTC/USD", order_qty=D("0.01"), price=D(1000))
    assert sent(DIALECT.encode_new(command, stamped(frame)), frame) == frame


def test_a_cancel_is_the_documented_frame() -> None:
    frame = frames("order_entry.toml")["OrderCancelRequest(F) by OrderID(37)"]
    names = {"cl_ord_id": "1688738340", "order_id": "OKWUQF-YPJM2-DTAJHH"}
    command = structs.replace(CANCEL, symbol="BTC/USD", **names)
    assert sent(DIALECT.encode_cancel(command, stamped(frame)), frame) == frame


def test_an_amendment_is_the_documented_frame() -> None:
    frame = frames("order_entry.toml")["OrderCancelReplaceRequest(G)"]
    command = amend(
        cl_ord_id="1719305825", orig_cl_ord_id="1719305784", order_id="OTHB2F-BNGUH-2CMLPT", symbol="BTC/USD",
        order_qty=D("0.2"), price=D(71000),
    )  # fmt: skip
    assert sent(DIALECT.encode_amend(command, stamped(frame)), frame) == frame


def test_a_mass_cancel_differs_from_the_documented_frame_in_its_scope() -> None:
    frame = frames("order_entry.toml")["OrderMassCancelRequest(q) of the session's orders in a symbol"]
    body = DIALECT.encode_mass_cancel("1688738376", "BTC/USD", stamped(frame))
    assert body is not None
    assert sent(body, frame) == changed(frame, (b"55=BTC/USD\x01", b""), (b"530=1", b"530=7"))


def test_a_subscription_is_the_documented_frame_to_the_depth_of_the_checksum() -> None:
    frame = frames("market_data.toml")["MarketDataRequest(V) for the whole book and the trades"]
    (body,) = DIALECT.encode_subscribe("1", ["BTC/USD"])
    assert sent(body, frame) == changed(frame, (b"264=0", b"264=10"))


def test_a_subscription_is_ended_and_begun_again_for_a_snapshot() -> None:
    ended, begun = (text(body) for body in DIALECT.encode_refresh("again-1", "md-1", ["BTC/USD", "ETH/USD"]))
    tail = "264=10|265=1|267=3|269=0|269=1|269=2|"
    assert ended == f"35=V|146=2|55=BTC/USD|55=ETH/USD|262=md-1|263=2|{tail}"
    assert begun == f"35=V|146=2|55=BTC/USD|55=ETH/USD|262=again-1|263=1|{tail}"


def test_what_the_documents_have_no_frame_of() -> None:
    post_only = text(DIALECT.encode_new(new(instructions="6"), WALL_NS))
    assert post_only == f"35=D|11=5-1|18=P|38=0.50000|40=2|44=65000.10|54=1|55=BTCUSDT|59=1|{TIME}"
    market = text(DIALECT.encode_new(new(ord_type="1", price=None, time_in_force="3"), WALL_NS))
    assert market == f"35=D|11=5-1|38=0.50000|40=1|54=1|55=BTCUSDT|59=3|{TIME}"
    amended = text(DIALECT.encode_amend(amend(instructions="6"), WALL_NS))
    assert amended.startswith("35=G|11=5-2|37=77|18=P|38=0.5|40=2|41=5-1|44=65001|"), "post-only is said again"
    unacknowledged = structs.replace(CANCEL, order_id="")
    assert text(DIALECT.encode_cancel(unacknowledged, WALL_NS)) == f"35=F|11=5-3|41=5-1|54=1|55=BTCUSDT|{TIME}"
    assert DIALECT.encode_query(QUERY) is None


def test_an_order_is_valid_for_five_seconds_and_no_longer_than_the_profile_says() -> None:
    assert DIALECT.header_fields(10**9, WALL_NS) == b"62=20260101-00:00:05.000\x01"
    assert DIALECT.header_fields(None, WALL_NS) == b""
    assert DIALECT.profile.window_ns == 5 * NS_PER_S


# ---- what we hear


def test_a_fill_has_its_fees_and_who_was_there_first() -> None:
    told = DIALECT.decode("8", raw(
        "35=8|6=84000|11=17|14=0.5|17=e|31=84000|32=0.5|37=O1|38=1|39=1|40=2|44=84000|54=1|55=BTC/USD|59=1|136=2|"
        "137=1.5|138=USD|137=0.25|138=USD|150=F|151=0.5|381=42000|527=9|1003=9|5050=m|"
    ))  # fmt: skip
    assert isinstance(told, ExecutionReport)
    assert (told.trade_key, told.last_qty, told.last_px, told.fee_qty, told.fee_asset, told.maker, told.unread) == (
        "9", D("0.5"), D(84000), D("1.75"), "USD", True, (),
    )  # fmt: skip


def test_fees_in_two_currencies_are_not_added_up() -> None:
    told = DIALECT.decode("8", raw(
        "35=8|11=17|14=1|17=e|31=8|32=1|37=O1|39=2|54=1|55=BTC/USD|136=2|137=1.5|138=USD|137=2|138=BTC|150=F|1003=9|"
    ))  # fmt: skip
    assert isinstance(told, ExecutionReport)
    assert (told.fee_qty, told.fee_asset, told.unread) == (D("1.5"), "USD", ("a second fee in another currency",))


@pytest.mark.parametrize(("exec_type", "ord_status"), [("A", "A"), ("D", "0"), ("C", "C"), ("I", "1"), ("5", "0")])
def test_what_is_no_fill_has_no_trade(exec_type: str, ord_status: str) -> None:
    line = f"35=8|11=17|14=0|17=e|37=O1|38=1|39={ord_status}|40=2|44=8|54=1|55=BTC/USD|59=1|150={exec_type}|151=1|"
    told = DIALECT.decode("8", raw(line))
    assert isinstance(told, ExecutionReport)
    assert (told.exec_type, told.ord_status, told.trade_key, told.last_qty) == (exec_type, ord_status, "", D(0))


def test_a_fill_without_its_number_cannot_be_read() -> None:
    with pytest.raises(BadReport, match=r"TradeID\(1003\)"):
        DIALECT.decode("8", raw("35=8|11=17|17=e|31=8|32=1|37=O1|39=2|54=1|55=BTC/USD|150=F|"))


def test_a_refusal_is_of_the_request_that_it_names() -> None:
    order = DIALECT.decode("j", raw("35=j|45=0|58=EOrder:Insufficient funds|372=D|379=17|380=0|"))
    assert order == RequestRejected(0, None, "17", 0, "EOrder:Insufficient funds")
    for msg_type in "FG":
        refused = DIALECT.decode("j", raw(f"35=j|45=0|58=EOrder:Unknown order|372={msg_type}|379=18|380=101|"))
        assert refused == CancelRejected("18", "", "", "", 101, "EOrder:Unknown order", unknown_order=True)
    rate = DIALECT.decode("j", raw("35=j|45=0|58=EOrder:Rate limit exceeded|372=G|379=19|380=0|"))
    assert rate == CancelRejected("19", "", "", "", 0, "EOrder:Rate limit exceeded")


@pytest.mark.parametrize("words", ["EGeneral:Internal error", "EService:Unavailable", "EService:Timeout"])
def test_what_the_venue_does_not_know_is_no_refusal(words: str) -> None:
    for msg_type in "DFG":
        told = DIALECT.decode("j", raw(f"35=j|45=0|58={words}|372={msg_type}|379=17|380=0|"))
        assert isinstance(told, RequestRejected | CancelRejected) and told.ambiguous
    late = DIALECT.decode("j", raw("35=j|45=0|58=EService:Deadline elapsed|372=D|379=17|380=0|"))
    assert isinstance(late, RequestRejected) and not late.ambiguous


# ---- the checksum


def example() -> tuple[Book, bytes]:
    """The book of the documented example, and its update."""
    told = frames("market_data.toml")
    book = Book("BTC/USD", partial(book_sum, px_decimals=1, qty_decimals=8))
    heard = DIALECT.decode_market_data("W", told["the snapshot of the example of a checksum"])
    assert isinstance(heard, list)
    book.apply(heard, at())
    return book, told["its update, with the checksum of the book that it leaves"]


def test_the_checksum_of_the_documented_example_is_ours() -> None:
    book, update = example()
    heard = DIALECT.decode_market_data("X", update)
    assert isinstance(heard, list) and heard[-1].entry_id == "3341325816"
    book.apply(heard, at())
    assert not book.why and book.offer == (D("28013.0"), D("0.00096506"))


def test_a_book_of_another_checksum_is_not_known() -> None:
    book, update = example()
    heard = DIALECT.decode_market_data("X", update.replace(b"0.00096506", b"0.00096507"))
    assert isinstance(heard, list)
    book.apply(heard, at())
    assert "3341325816" in book.why and book.bid is None and book.offer is None


def test_a_price_that_left_the_depth_is_gone_from_the_book_whatever_rests_there() -> None:
    book, _ = example()
    heard = DIALECT.decode_market_data("X", raw(
        "35=X|55=BTC/USD|262=0|268=1|279=2|269=1|278=O28013.0|270=28013.0|271=0.001|273=09:55:15.071|"
    ))  # fmt: skip
    assert isinstance(heard, list) and [(e.what, e.action) for e in heard] == [(OFFER, "2")]
    book.apply(heard, at())
    assert not book.why and book.offer == (D("28039.8"), D("0.001")) and book.bid == (D("28003.0"), D("0.001"))


def test_ten_prices_of_each_side_and_no_more_are_summed() -> None:
    levels = [(D(100 + n), D("0.5")) for n in range(12)]
    assert book_sum(levels[::-1], levels, 1, 2) == book_sum(levels[:1:-1], levels[:10], 1, 2)
    assert book_sum([], [(D("0.0010"), D("2"))], 4, 1) == crc32(b"1020"), "no leading zeros, all decimals"
    assert book_sum([], [], 1, 8) == 0


def test_what_else_the_market_data_port_says_is_no_entry() -> None:
    told = frames("market_data.toml")
    assert DIALECT.decode_market_data("h", told["TradingSessionStatus(h)"]) == []
    rejected = DIALECT.decode_market_data("Y", told["MarketDataRequestReject(Y)"])
    assert isinstance(rejected, SubscriptionRejected) and rejected.md_req_id == "1" and "TEST/TEST" in rejected.text
