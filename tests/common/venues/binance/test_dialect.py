"""The dialect "binance", text in and text out; the samples follow binance-spot-api-docs, fix-api.md."""

import tomllib
from dataclasses import replace
from decimal import Decimal

import pytest
from msgspec import structs

from common.fix.session import Session
from common.fix.session_types import Outbound
from common.fix.wire import encode, parse_utc_timestamp, split
from common.instant import Instant
from common.messages import (
    POST_ONLY,
    Announced,
    CancelRejected,
    ExecutionReport,
    ListedOrder,
    MassCancelReported,
    NewOrder,
    RequestRejected,
    Several,
)
from common.venues.binance.dialect import Binance, logon_signature
from common.venues.credentials import Ed25519Key
from common.venues.dialect import BookEntry, Identity, SubscriptionRejected, VenueLimit
from common.venues.registry import folder_of
from tests.common.venues.samples import CANCEL, PEM, QUERY, WALL_NS, amend, new, raw, text

DIALECT = Binance()


def test_an_order_has_only_fields_of_the_dictionary() -> None:
    assert text(DIALECT.encode_new(new(), WALL_NS)) == "35=D|11=5-1|38=0.50000|40=2|44=65000.10|54=1|55=BTCUSDT|59=1|"
    post_only = new(instructions=POST_ONLY)
    assert text(DIALECT.encode_new(post_only, WALL_NS)) == (
        "35=D|11=5-1|18=6|38=0.50000|40=2|44=65000.10|54=1|55=BTCUSDT|"
    )
    market = new(ord_type="1", price=None, time_in_force="3")
    assert text(DIALECT.encode_new(market, WALL_NS)) == "35=D|11=5-1|38=0.50000|40=1|54=1|55=BTCUSDT|"


def test_a_lower_quantity_keeps_the_name_and_everything_else_is_a_new_order() -> None:
    lower = amend(order_qty=Decimal("0.4"), price=Decimal("65000.10"))
    assert not DIALECT.amend_is_new_order(lower)
    assert text(DIALECT.encode_amend(lower, WALL_NS)) == "35=XAK|11=5-1|37=77|41=5-1|55=BTCUSDT|38=0.4|"
    assert DIALECT.amend_is_new_order(amend())
    assert text(DIALECT.encode_amend(amend(), WALL_NS)) == (
        "35=XCN|25033=1|37=77|41=5-1|25034=5-2_c|25002=1|11=5-2|38=0.4|40=2|44=65001|54=1|55=BTCUSDT|59=1|"
    )
    assert DIALECT.amend_is_new_order(amend(order_qty=Decimal("0.6"), price=Decimal("65000.10")))


def test_cancels_and_no_query() -> None:
    assert text(DIALECT.encode_cancel(CANCEL, WALL_NS)) == "35=F|11=5-3|37=77|41=5-1|55=BTCUSDT|"
    assert text(DIALECT.encode_mass_cancel("K-1", "BTCUSDT", WALL_NS)) == "35=q|11=K-1|530=1|55=BTCUSDT|"
    assert DIALECT.encode_query(QUERY) is None
    assert not DIALECT.resendable("F")


@pytest.mark.parametrize(
    ("left_ns", "header"),
    [
        (None, b""),
        (987_654_321, b"25000=987.654\x01"),
        (-5, b"25000=1.000\x01"),
        (10**12, b"25000=60000.000\x01"),
    ],
)
def test_the_window_is_what_is_left_of_the_deadline(left_ns: int | None, header: bytes) -> None:
    assert DIALECT.header_fields(left_ns, WALL_NS) == header


def test_logon_fields_are_signed_and_in_order() -> None:
    settings = DIALECT.session_settings(Identity("EXAMPLE", "SPOT", 30), Ed25519Key("KEY", PEM))
    assert settings.logon_fields is not None
    fields = settings.logon_fields(1, b"20240627-11:17:25.223")
    assert fields.split(b"\x01")[0] == b"95=88"
    assert split(b"35=A\x01" + fields)[b"96"].startswith(b"4MHXelVVcpkd")
    assert fields.endswith(b"\x01553=KEY\x0125035=2\x01")
    assert settings.reset_on_logon
    assert not settings.allow_resend_request


def test_the_published_vector_of_the_signature() -> None:
    signature = logon_signature(PEM, Identity("EXAMPLE", "SPOT", 30), 1, b"20240627-11:17:25.223")
    assert signature == b"4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="


def frames() -> dict[str, tuple[bytes, bool]]:
    """What the documents show of ours, by MsgType(35); whether its length and checksum fit what they show."""
    table = tomllib.loads((folder_of("binance") / "samples" / "order_entry.toml").read_text("utf-8"))
    ours = [frame for frame in table["frame"] if frame["from"] == "us"]
    raws = [(frame["text"].replace("|", "\x01").encode(), not frame.get("altered", False)) for frame in ours]
    return {split(raw)[b"35"].decode(): (raw, sound) for raw, sound in raws}


@pytest.mark.parametrize("msg_type", ["A", "5", "D", "F"])
def test_what_the_documents_show_of_ours_is_written_byte_for_byte(msg_type: str) -> None:
    shown, sound = frames()[msg_type]
    f = {tag: value.decode() for tag, value in split(shown).items()}
    session = session_at(f)
    if msg_type == "5":
        session.logout("", moment(f))
    elif msg_type == "D":
        order = new(
            cl_ord_id=f[b"11"], side=f[b"54"], ord_type=f[b"40"], symbol=f[b"55"], time_in_force=f[b"59"],
            order_qty=Decimal(f[b"38"]), price=Decimal(f[b"44"]),
        )  # fmt: skip
        session.send(*DIALECT.encode_new(order, 0), moment(f))
    elif msg_type == "F":
        cancel = structs.replace(CANCEL, cl_ord_id=f[b"11"], order_id=f[b"37"], orig_cl_ord_id="", symbol=f[b"55"])
        session.send(*DIALECT.encode_cancel(cancel, 0), moment(f))
    (written,) = [effect.raw for effect in session.take_effects() if isinstance(effect, Outbound)]
    if sound:
        assert written == shown
    else:
        # Somebody changed the message for the document: its own length and checksum are of another one.
        assert text_behind_length(written) == text_behind_length(shown)


def moment(f: dict[bytes, str]) -> Instant:
    return Instant(parse_utc_timestamp(f[b"52"].encode()), 0)


def text_behind_length(raw: bytes) -> bytes:
    return raw[raw.index(b"\x0135=") : raw.rindex(b"\x0110=")]


def session_at(f: dict[bytes, str]) -> Session:
    """A session that is about to write the message: with its names, number and digits of time, and the document's
    key."""
    identity = Identity(f[b"49"], "SPOT", int(f.get(b"108", "5")))
    settings = DIALECT.session_settings(identity, Ed25519Key(f.get(b"553", "KEY"), PEM))
    session = Session(replace(settings, timestamp_digits=3))
    session.connected(moment(f))
    if f[b"35"] == "A":
        return session
    session.take_effects()
    answer = f"35=A|34=1|49=SPOT|52={f[b'52']}|56={f[b'49']}|98=0|108=5|".replace("|", "\x01").encode()
    session.received(encode(b"FIX.4.4", answer), moment(f))
    session.next_outbound = int(f[b"34"])
    session.take_effects()
    return session


def test_no_credentials_no_settings() -> None:
    with pytest.raises(ValueError, match="credentials"):
        DIALECT.session_settings(Identity("A", "SPOT", 30), None)
    with pytest.raises(ValueError, match="Ed25519"):
        DIALECT.session_settings(Identity("A", "SPOT", 30), Ed25519Key("KEY", b"no key"))


def test_a_fill() -> None:
    line = (
        "35=8|17=58|11=5-1|37=77|38=0.50000000|40=2|54=1|55=BTCUSDT|44=65000.10000000|59=1|60=20260101-00:00:00.000001|"
        "150=F|14=0.20000000|151=0.30000000|25017=13000.02|1057=N|1003=901|31=65000.10|32=0.2|39=1|"
        "136=1|137=0.0002|138=BTC|139=4|"
    )
    event = DIALECT.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    assert (event.trade_key, event.last_qty, event.maker) == ("901", Decimal("0.2"), True)
    assert (event.fee_qty, event.fee_asset) == (Decimal("0.0002"), "BTC")


def test_the_cancel_half_of_a_replacement_is_told_under_our_id() -> None:
    line = "35=8|17=59|11=5-2_c|41=5-1|37=77|38=0.5|40=2|54=1|55=BTCUSDT|150=4|14=0|32=0|39=4|"
    event = DIALECT.decode("8", raw(line))
    assert isinstance(event, ExecutionReport)
    assert (event.cl_ord_id, event.orig_cl_ord_id, event.trade_key) == ("5-2", "5-1", "")


@pytest.mark.parametrize("code", [-1006, -1007])
@pytest.mark.parametrize(
    ("msg_type", "fields"),
    [
        ("8", "11=5-1|40=2|54=1|55=B|150=8|14=0|32=0|39=8|"),
        ("9", "11=5-3|41=5-1|55=B|434=1|"),
        ("XAR", "11=5-1|41=5-1|55=B|38=1|"),
        ("3", "45=4|"),
    ],
)
def test_an_unknown_outcome_is_never_a_refusal(msg_type: str, fields: str, code: int) -> None:
    event = DIALECT.decode(msg_type, raw(f"35={msg_type}|{fields}25016={code}|58=Timeout|"))
    assert isinstance(event, ExecutionReport | CancelRejected | RequestRejected)
    assert event.ambiguous


def test_unknown_order_by_text_and_other_refusals() -> None:
    known = DIALECT.decode("9", raw("35=9|11=5-3|41=5-1|55=B|434=1|25016=-2011|58=Unknown order sent.|"))
    assert isinstance(known, CancelRejected)
    assert known.unknown_order
    old = DIALECT.decode("9", raw("35=9|11=5-3|41=5-1|55=B|434=1|25016=-1013|58=Unknown order sent.|"))
    assert isinstance(old, CancelRejected)
    assert old.unknown_order
    other = DIALECT.decode("9", raw("35=9|11=5-3|41=5-1|55=B|434=1|25016=-2011|58=Order was not canceled|"))
    assert isinstance(other, CancelRejected)
    assert not other.unknown_order


def test_mass_cancel_and_news() -> None:
    mass = DIALECT.decode("r", raw("35=r|11=K-1|55=BTCUSDT|530=1|531=1|532=99|533=2|"))
    assert mass == MassCancelReported("K-1", "BTCUSDT", True, 2)
    none_open = DIALECT.decode("r", raw("35=r|11=K-1|55=B|530=1|531=0|532=99|25016=-2011|58=Unknown order sent.|"))
    assert isinstance(none_open, MassCancelReported)
    assert (none_open.accepted, none_open.affected) == (True, 0)
    refused = DIALECT.decode("r", raw("35=r|11=K-1|55=B|530=1|531=0|532=99|25016=-1015|58=Too many.|"))
    assert isinstance(refused, MassCancelReported)
    assert not refused.accepted
    assert DIALECT.decode("B", raw("35=B|148=You'll be disconnected in 30 seconds.|")) == Announced(
        "You'll be disconnected in 30 seconds."
    )


def test_a_field_that_binance_adds_changes_nothing_in_a_book() -> None:
    whole = "35=W|262=r|55=BTCUSDT|25044=9|25099=x|268=2|269=0|270=1|271=2|25098=1|269=1|270=3|271=4|25098=2|"
    change = "35=X|262=r|25099=x|268=2|279=1|269=0|270=1|271=5|55=BTCUSDT|25098=1|279=1|269=1|25097=0|270=3|271=6|"
    for msg_type, line in (("W", whole), ("X", change)):
        entries = DIALECT.decode_market_data(msg_type, raw(line))
        assert isinstance(entries, list) and not any(entry.why for entry in entries)
        assert [(e.symbol, e.what, e.px) for e in entries if e.what] == [
            ("BTCUSDT", "0", Decimal(1)),
            ("BTCUSDT", "1", Decimal(3)),
        ]


def test_a_snapshot_is_asked_for_by_subscribing_anew() -> None:
    off, on = DIALECT.encode_refresh("again-1", "md-1", ["BTCUSDT"])
    assert text(off) == "35=V|262=md-1-book|263=2|"
    assert text(on).startswith("35=V|262=again-1-book|263=1|264=1|266=Y|146=1|55=BTCUSDT|")


def test_market_data_inherits_the_symbol() -> None:
    book, trades = DIALECT.encode_subscribe("md-1", ["BTCUSDT", "ETHUSDT"])
    assert text(book) == "35=V|262=md-1-book|263=1|264=1|266=Y|146=2|55=BTCUSDT|55=ETHUSDT|267=2|269=0|269=1|"
    assert text(trades) == "35=V|262=md-1-trade|263=1|266=Y|146=2|55=BTCUSDT|55=ETHUSDT|267=1|269=2|"
    line = (
        "35=X|262=md-1-book|268=3|279=1|269=0|270=1.5|271=2|55=BTCUSDT|25044=9|279=1|269=1|270=1.6|271=3|"
        "279=2|269=0|270=7|55=ETHUSDT|"
    )
    assert DIALECT.decode_market_data("X", raw(line)) == [
        BookEntry("BTCUSDT", "0", "1", Decimal("1.5"), Decimal(2)),
        BookEntry("BTCUSDT", "1", "1", Decimal("1.6"), Decimal(3)),
        BookEntry("ETHUSDT", "0", "2", Decimal(7), Decimal(0)),
    ]
    empty = DIALECT.decode_market_data("W", raw("35=W|262=md-1-book|55=BTCUSDT|25044=9|268=0|"))
    assert empty == [BookEntry("BTCUSDT", "", "W", None, Decimal(0))]


def test_a_refused_subscription_says_which_and_why() -> None:
    refused = DIALECT.decode_market_data("Y", raw("35=Y|262=md-1-book|281=2|58=no such symbol|"))
    assert refused == SubscriptionRejected("md-1-book", "no such symbol")
    assert DIALECT.decode_market_data("0", raw("35=0|112=x|")) == []


def test_what_is_no_word_on_orders_is_none_of_the_dialects() -> None:
    assert DIALECT.decode("0", raw("35=0|112=x|")) is None


def test_limits() -> None:
    assert text(DIALECT.encode_limit_query("q1")) == "35=XLQ|6136=q1|"
    line = (
        "35=XLR|6136=q1|25003=2|25004=2|25005=1|25006=10000|25007=10|25008=s|"
        "25004=1|25005=7|25006=200000|25007=1|25008=d|"
    )
    assert DIALECT.decode_limits("XLR", raw(line)) == [
        VenueLimit("messages", 1, 10_000, 10),
        VenueLimit("orders", 7, 200_000, 86_400),
    ]
    assert DIALECT.decode_limits("8", raw("35=8|11=1|")) == []


def test_a_stop_order_has_a_trigger_in_its_direction_and_no_stop_px() -> None:
    stop = new(ord_type="3", price=None, stop_px=Decimal("66000"))
    assert text(DIALECT.encode_new(stop, WALL_NS)) == (
        "35=D|11=5-1|38=0.50000|40=3|54=1|55=BTCUSDT|1100=4|1101=1|1102=66000|1107=2|1109=U|"
    )
    sold = text(DIALECT.encode_new(new(side="2", ord_type="4", stop_px=Decimal("64000")), WALL_NS))
    assert sold.endswith("|40=4|44=65000.10|54=2|55=BTCUSDT|59=1|1100=4|1101=1|1102=64000|1107=2|1109=D|")
    assert "99=" not in sold


def a_list(contingency: str, first: NewOrder, *others: NewOrder) -> str:
    further = tuple(ListedOrder(each.terms, each.attempt, f"5-{number}") for number, each in enumerate(others, 2))
    return text(DIALECT.encode_list(structs.replace(first, contingency=contingency, further=further), WALL_NS))


LIMIT = new(side="2", price=Decimal(66000), instructions="6")
STOP = new(side="2", ord_type="3", price=None, stop_px=Decimal(64000))
LIMIT_TEXT = "18=6|38=0.50000|40=2|44=66000|54=2|55=BTCUSDT|"
STOP_TEXT = "38=0.50000|40=3|54=2|55=BTCUSDT|1100=4|1101=1|1102=64000|1107=2|1109=D|"


def test_of_a_pair_the_lower_one_stands_first_with_what_cancels_it() -> None:
    """As the document's table of order lists has it, for a sale with the stop order below."""
    assert a_list("1", LIMIT, STOP) == (
        f"35=E|73=2|11=5-2|{STOP_TEXT}25010=1|25011=2|25012=1|25013=2|"
        f"11=5-1|{LIMIT_TEXT}25010=1|25011=1|25012=0|25013=2|1385=1|25014=5-1|"
    )


def test_what_is_pending_is_released_by_the_first_order() -> None:
    first = new()
    head = "11=5-1|38=0.50000|40=2|44=65000.10|54=1|55=BTCUSDT|59=1|"
    assert a_list("2", first, STOP) == (
        f"35=E|73=2|{head}11=5-2|{STOP_TEXT}25010=1|25011=3|25012=0|25013=1|1385=2|25014=5-1|"
    )
    assert a_list("2", first, LIMIT, STOP) == (
        f"35=E|73=3|{head}11=5-3|{STOP_TEXT}25010=2|25011=3|25012=0|25013=2|25011=2|25012=2|25013=2|"
        f"11=5-2|{LIMIT_TEXT}25010=2|25011=3|25012=0|25013=2|25011=1|25012=1|25013=2|1385=2|25014=5-1|"
    )


def test_a_list_whose_first_order_pays_says_so_and_the_others_have_no_quantity() -> None:
    first = new()
    paid = [structs.replace(each, terms=structs.replace(each.terms, paid=True)) for each in (STOP, LIMIT)]
    told, unpaid = a_list("2", first, *paid), a_list("2", first, STOP, LIMIT)
    assert told.endswith("25046=Y|") and told.count("|38=") == 1 and unpaid.count("|38=") == 3
    assert told.removesuffix("25046=Y|").replace("|38=0.50000", "") == unpaid.replace("|38=0.50000", "")


def test_a_list_is_refused_by_its_status_and_otherwise_told_by_its_orders() -> None:
    legs = "73=2|11=5-1|55=BTCUSDT|25016=-2010|58=No.|11=5-2|55=BTCUSDT|25016=-2010|58=No.|"
    line = f"35=N|55=BTCUSDT|25014=5-1|1385=1|429=2|431={{}}|25016={{}}|58=No.|60=20260101-00:00:00|{legs}"
    told = DIALECT.decode("N", raw(line.format("7", "-2010")))
    assert isinstance(told, Several)
    events = [event for event in told.events if isinstance(event, ExecutionReport)]
    assert [(each.cl_ord_id, each.ord_status, each.ambiguous) for each in events] == [
        ("5-1", "8", False), ("5-2", "8", False),
    ]  # fmt: skip
    assert DIALECT.decode("N", raw(line.format("3", "-2010"))) is None
    unknown = DIALECT.decode("N", raw(line.format("7", "-1007").replace("25016=-2010|", "")))
    assert isinstance(unknown, Several) and all(getattr(each, "ambiguous", False) for each in unknown.events)


def test_a_pending_order_is_suspended() -> None:
    line = "35=8|17=1|11=5-2|37=7|38=0.5|40=2|54=2|55=BTCUSDT|44=66000|14=0|32=0|39=A|150=0|636=N|66=6|"
    told = DIALECT.decode("8", raw(line))
    assert isinstance(told, ExecutionReport) and (told.exec_type, told.ord_status) == ("9", "9")


TRAILS = {"ord_type": "3", "price": None, "peg_price_type": "8", "peg_offset": Decimal(150), "peg_offset_type": "1"}


@pytest.mark.parametrize(
    ("terms", "last"),
    [
        ({"ord_type": "3", "price": None, "stop_px": Decimal(64000), "take_profit": True}, "1102=64000|1107=2|1109=D|"),
        ({**TRAILS, "stop_px": Decimal(66000)}, "1102=66000|1107=2|1109=U|25009=150|"),
        (TRAILS, "1107=2|25009=150|"),
        ({"ord_type": "3", "price": None, "stop_px": Decimal(64000), "peg_offset": Decimal(50)},
         "1102=64000|1107=2|1109=U|"),
    ],
)
def test_a_trigger_says_from_which_side_and_how_far_it_follows(terms: dict[str, object], last: str) -> None:
    head = "35=D|11=5-1|38=0.50000|40=3|54=1|55=BTCUSDT|1100=4|1101=1|"
    assert text(DIALECT.encode_new(new(**terms), WALL_NS)) == head + last


def test_a_pegged_order_has_a_peg_and_no_price_and_is_told_what_it_got() -> None:
    pegged = new(ord_type="P", price=None, peg_price_type="5")
    assert text(DIALECT.encode_new(pegged, WALL_NS)) == (
        "35=D|11=5-1|38=0.50000|40=P|54=1|55=BTCUSDT|59=1|835=1|1094=5|"
    )
    deep = structs.replace(pegged.terms, peg_offset=Decimal(2), peg_offset_type="3", instructions="6")
    assert text(DIALECT.encode_new(structs.replace(pegged, terms=deep), WALL_NS)) == (
        "35=D|11=5-1|18=6|38=0.50000|40=P|54=1|55=BTCUSDT|211=2|836=3|835=1|1094=5|"
    )
    line = "35=8|17=1|11=5-1|37=7|38=0.5|40=P|54=1|55=BTCUSDT|1094=5|835=1|839=65000.1|14=0|32=0|39=0|150=0|636=Y|"
    told = DIALECT.decode("8", raw(line))
    assert isinstance(told, ExecutionReport) and (told.exec_type, told.price) == ("0", Decimal("65000.1"))


def test_a_trailing_stop_without_a_price_is_told_as_triggered_too() -> None:
    line = "35=8|17=1|11=5-1|37=7|38=0.5|40=3|54=1|55=BTCUSDT|25009=150|14=0|32=0|39=0|150=0|636=Y|"
    told = DIALECT.decode("8", raw(line))
    assert isinstance(told, ExecutionReport) and told.exec_type == "L"


def test_a_second_new_report_of_a_stop_order_says_that_it_was_triggered() -> None:
    line = "35=8|17=1|11=5-1|37=7|38=0.5|40=4|54=1|55=BTCUSDT|44=65000|1102=64000|14=0|32=0|39=0|150=0|636={}|"
    told = [DIALECT.decode("8", raw(line.format(working))) for working in "NY"]
    assert [event.exec_type for event in told if isinstance(event, ExecutionReport)] == ["0", "L"]
