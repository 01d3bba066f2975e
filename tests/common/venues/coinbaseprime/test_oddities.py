"""Each oddity of the README by its number: what a naive FIX 4.4 client would make of it, and what ours does."""

import base64
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from common.fix.schedule import Schedule
from common.fix.session import Session, SessionSettings
from common.fix.wire import parse_utc_timestamp, split, utc_timestamp
from common.instant import NS_PER_S
from common.messages import Announced, Ask, CancelRejected, ExecutionReport, RequestRejected
from common.orders.telling import is_number
from common.orders.words import tells_awake
from common.venues.coinbaseprime.rest import signed_headers
from common.venues.coinbaseprime.simulated.orders import PrimeOrders
from common.venues.coinbaseprime.venue import PROFILE
from common.venues.credentials import HmacPassphrase
from common.venues.dialect import BookEntry
from common.venues.generic.dialect import Generic
from common.venues.signers import hmac_sha256
from common.venues.venue import Feature, missing_feature
from services.marketdata.books import Book
from tests.common.exchange.harness import Client
from tests.common.venues import samples
from tests.common.venues.both_sides import BothSides, Desk

NAIVE = Generic()


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    return sides.desk()


def keys_of(sides: BothSides) -> HmacPassphrase:
    ours = sides.credentials
    assert isinstance(ours, HmacPassphrase)
    return ours


def ours(sides: BothSides, listener: str = "fix") -> SessionSettings:
    make = sides.dialect.session_settings if listener == "fix" else sides.dialect.market_data_settings
    return make(sides.identity(listener), sides.credentials_of(listener))


def is_let_in(sides: BothSides, settings: SessionSettings, listener: str = "fix") -> bool:
    return Client(sides.world, listener=listener, session=Session(settings)).session.logged_on


def otherwise(sides: BothSides, before: bytes, after: bytes, listener: str = "fix") -> SessionSettings:
    """Our Logon(A) with some of its own fields otherwise."""
    settings = ours(sides, listener)
    make = settings.logon_fields
    assert make is not None and before in make(1, b"20260101-00:00:00.000")
    return replace(settings, logon_fields=lambda number, stamp: make(number, stamp).replace(before, after))


def said(desk: Desk, msg_type: str, fields: str) -> list[dict[bytes, bytes]]:
    """What is answered to a request of those fields."""
    before = len(desk.client.raw)
    desk.client.session.send(msg_type, fields.replace("|", "\x01").encode(), desk.sides.world.now)
    desk.sides.world.pump()
    return [split(raw) for raw in desk.client.raw[before:]]


def naive_order(sides: BothSides, more: str) -> str:
    """A resting order as plain FIX writes it, and these fields."""
    stamp = utc_timestamp(sides.world.now.wall_ns).decode()
    price = sides.price * Decimal("0.9")
    return f"11=n-1|21=1|55={sides.symbol}|54=1|60={stamp}|38={sides.qty:f}|44={price:f}|{more}"


def reports(events: list[object]) -> list[ExecutionReport]:
    return [event for event in events if isinstance(event, ExecutionReport)]


@pytest.mark.parametrize(("listener", "version"), [("fix", None), ("market_data", "9")])
def test_01_each_connection_has_a_version_of_its_own(sides: BothSides, listener: str, version: str | None) -> None:
    right = ours(sides, listener)
    assert right.default_appl_ver_id == version and is_let_in(sides, right, listener)
    assert not is_let_in(sides, replace(right, begin_string="FIX.4.4", default_appl_ver_id=None), listener)


@pytest.mark.parametrize(("separator", "decoded"), [(b"\x01", False), (b"", True)])
def test_02_a_signature_as_at_coinbase_exchange_is_wrong(sides: BothSides, separator: bytes, decoded: bool) -> None:
    keys = keys_of(sides)
    secret = base64.b64decode(keys.secret + b"==") if decoded else keys.secret

    def logon_fields(number: int, stamp: bytes) -> bytes:
        parts = (stamp, b"A", b"%d" % number, keys.api_key.encode(), b"COIN", keys.passphrase.encode())
        raw_data = base64.b64encode(hmac_sha256(secret, separator.join(parts)))
        who = f"9407={keys.api_key}\x01554={keys.passphrase}\x019406=N\x01".encode()
        return b"95=%d\x0196=%b\x01%b" % (len(raw_data), raw_data, who)

    assert not is_let_in(sides, replace(ours(sides), logon_fields=logon_fields))
    assert is_let_in(sides, ours(sides))


def test_03_the_key_stands_in_another_field_at_each_connection(sides: BothSides) -> None:
    assert not is_let_in(sides, otherwise(sides, b"9407=", b"553="))
    assert not is_let_in(sides, otherwise(sides, b"553=", b"9407=", "market_data"), "market_data")
    assert keys_of(sides).api_key != sides.identity().sender_comp_id


def test_04_who_says_nothing_has_a_drop_copy(sides: BothSides) -> None:
    assert not is_let_in(sides, otherwise(sides, b"9406=N\x01", b"", "market_data"), "market_data")
    assert is_let_in(sides, otherwise(sides, b"9406=N\x01", b"9406=Y\x01")), "order entry may have one"
    make = ours(sides).logon_fields
    assert make is not None and b"\x019406=N\x01" in make(1, b"20260101-00:00:00.000"), "and ours has none"


def test_05_a_message_of_six_seconds_ago_is_rejected(desk: Desk) -> None:
    world = desk.sides.world
    late = world.now._replace(wall_ns=world.now.wall_ns - 6 * NS_PER_S)
    desk.client.session.send("H", b"11=a\x0154=1\x0155=BTC-USD\x01", late)
    world.pump()
    told = [split(raw) for raw in desk.client.raw if b"\x0135=3\x01" in raw]
    assert [f[b"373"] for f in told] == [b"10"]


def test_06_numbers_persist_for_a_day_and_are_resent(sides: BothSides) -> None:
    desk = sides.desk()
    order, _ = desk.new(price=sides.price)
    desk.client.cut()
    sides.stranger("2", sides.qty, sides.price)
    assert not is_let_in(sides, ours(sides)), "a client that begins at 1 by itself is behind"
    again = desk.again()
    sides.world.pump()
    assert [(told.exec_type, told.cl_ord_id) for told in reports([*again.heard()])] == [("F", order.cl_ord_id)]
    opening = sides.venue.fix.opening
    assert isinstance(opening, Schedule)
    # In New York it is winter: five hours behind.
    for stamp, is_open in ((b"20260105-21:59:00.000", True), (b"20260105-22:03:00.000", False)):
        assert (opening.current(parse_utc_timestamp(stamp)) is not None) is is_open
    days = [opening.current(parse_utc_timestamp(b"2026010%d-12:00:00.000" % day)) for day in (6, 7)]
    assert days[0] is not None and days[0] != days[1], "all begin at 1 with each"


@pytest.mark.parametrize(
    ("more", "tag"),
    [
        ("40=2|59=1|", "847"), ("40=1|59=1|847=M|", "59"), ("40=1|59=3|847=L|", "40"), ("40=4|59=1|847=SL|", "40"),
        ("40=2|59=3|847=SL|99=66000|", "59"), ("40=2|59=1|847=SL|", "99"),
    ],
)  # fmt: skip
def test_07_the_strategy_says_what_the_order_is(desk: Desk, more: str, tag: str) -> None:
    (answer,) = said(desk, "D", naive_order(desk.sides, more))
    assert (answer[b"35"], answer[b"371"]) == (b"3", tag.encode())
    assert [told.exec_type for told in reports([*desk.new()[1]])] == ["0"]


def test_08_post_only_is_a_letter_and_goes_with_what_rests(desk: Desk) -> None:
    for more in ("40=2|59=1|847=L|18=6|", "40=2|59=3|847=L|18=A|"):
        (answer,) = said(desk, "D", naive_order(desk.sides, more))
        assert (answer[b"35"], answer[b"371"]) == (b"3", b"18")
    assert [told.exec_type for told in reports([*desk.new(instructions="6")[1]])] == ["0"]


def test_09_a_fill_is_no_f(desk: Desk) -> None:
    sides = desk.sides
    desk.new(price=sides.price)
    for told, status in (("1", "1"), ("2", "2")):
        sides.stranger("2", sides.qty / 2, sides.price)
        (fill,) = reports([*desk.heard()])
        assert (fill.exec_type, fill.ord_status, fill.last_qty) == ("F", status, sides.qty / 2)
        raw = desk.client.raw[-1]
        assert split(raw)[b"150"] == told.encode() and fill.trade_key == split(raw)[b"17"].decode()
        naive = NAIVE.decode("8", raw)
        assert isinstance(naive, ExecutionReport) and naive.last_qty == 0, "it has not heard of a fill"


def test_10_an_answer_repeats_the_state_as_if_it_happened(desk: Desk) -> None:
    sides = desk.sides
    order, _ = desk.new(price=sides.price)
    sides.stranger("2", sides.qty / 2, sides.price)
    desk.heard()
    (told,) = reports([*desk.query(order)])
    raw = split(desk.client.raw[-1])
    assert (raw[b"20"], raw[b"150"]) == (b"1", b"1"), "as if an execution were taken back, or made"
    assert (told.exec_type, told.last_qty, told.cum_qty, told.trade_key) == ("I", Decimal(0), sides.qty / 2, "")


def test_11_a_cancel_is_told_twice_and_under_the_order_s_name(desk: Desk) -> None:
    order, _ = desk.new()
    cancel, events = desk.cancel(order)
    told = reports([*events])
    assert [event.exec_type for event in told] == ["6", "4"]
    assert {(event.cl_ord_id, event.orig_cl_ord_id) for event in told} == {(order.cl_ord_id, "")}
    assert cancel.cl_ord_id not in {event.cl_ord_id for event in told}, "the request's own name is told by nothing"


def test_12_a_fee_is_in_the_quote_currency_and_says_so_nowhere(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    (fill,) = [event for event in reports([*events]) if event.exec_type == "F"]
    assert (fill.fee_qty, fill.fee_asset, fill.unread) == (sides.qty * sides.price / 1000, "USD", ())
    raw = desk.client.raw[-1].replace(b"\x01150=2\x01", b"\x01150=F\x01")
    naive = NAIVE.decode("8", raw)
    assert isinstance(naive, ExecutionReport) and naive.unread and not naive.fee_qty


def test_13_a_cancel_without_the_quantity_is_rejected(desk: Desk) -> None:
    order, _ = desk.new()
    (answer,) = said(desk, "F", f"11=c|41={order.cl_ord_id}|54=1|55=BTC-USD|")
    assert (answer[b"35"], answer[b"371"]) == (b"3", b"38")
    assert reports([*desk.cancel(order)[1]])[-1].exec_type == "4"


def test_14_where_the_venue_s_id_is_required_nothing_is_concluded_without_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PrimeOrders, "requires_order_id", True)
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    (refused,) = desk.query(order)
    assert isinstance(refused, RequestRejected) and not refused.cl_ord_id and not refused.ambiguous
    (told,) = reports([*desk.query(order, accepted.order_id)])
    assert (told.exec_type, told.ord_status) == ("I", "0")
    (rejected,) = desk.cancel(order)[1]
    assert isinstance(rejected, RequestRejected) and not isinstance(rejected, CancelRejected)
    assert reports([*desk.cancel(order, accepted.order_id)[1]])[-1].exec_type == "4"


@pytest.mark.parametrize("msg_type", ["G", "q"])
def test_15_nothing_is_changed_or_cancelled_as_a_whole(desk: Desk, msg_type: str) -> None:
    (answer,) = said(desk, msg_type, "11=x|41=y|530=7|54=1|55=BTC-USD|")
    assert answer[b"35"] == b"j"
    assert missing_feature(desk.sides.profile, samples.amend()) is Feature.AMEND
    assert desk.sides.dialect.encode_mass_cancel("k", "BTC-USD", 0) is None


def test_16_above_50_messages_in_a_second_each_is_rejected(desk: Desk) -> None:
    answers = [said(desk, "H", "11=a|54=1|55=BTC-USD|")[0][b"35"] for _ in range(51)]
    assert answers == [b"8"] * 50 + [b"j"]
    limits = desk.sides.venue.fix.limits
    assert (limits.messages, limits.window_ms) == (50, 1000), "kept on our side"


def test_17_a_connection_ends_without_news(desk: Desk) -> None:
    desk.sides.world.ask("fault", kind="maintenance", ms=1000)
    desk.sides.world.pass_time(2)
    assert not desk.logged_on
    assert not [event for event in desk.heard() if isinstance(event, Announced)]


def test_18_a_price_is_deleted_under_another_id_than_it_came_with(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("1", sides.qty, sides.price / 2)
    order, _ = desk.new()
    watcher, book, naive = sides.watcher(), Book(sides.symbol), Book(sides.symbol)
    watcher.say(sides.dialect.encode_subscribe("m", [sides.symbol]))
    desk.cancel(order)
    watcher.heard()
    told = [(split(raw)[b"35"].decode(), raw) for raw in watcher.client.raw]
    for msg_type, raw in told:
        for dialect, its in ((sides.dialect, book), (NAIVE, naive)):
            entries = dialect.decode_market_data(msg_type, raw)
            assert isinstance(entries, list)
            its.apply(entries, sides.world.now)
    assert book.bid is not None and book.bid[0] == sides.price / 2
    assert naive.bid is None or naive.bid[0] != sides.price / 2, "it looks for the entry's id"


def test_19_a_trade_holds_a_group_within_the_group(desk: Desk) -> None:
    sides = desk.sides
    desk.new(price=sides.price)
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("m", [sides.symbol]))
    sides.stranger("2", sides.qty / 2, sides.price)
    sides.stranger("2", sides.qty / 2, sides.price)
    trades = [e for e in watcher.heard() if isinstance(e, BookEntry) and e.what == "2"]
    assert [(e.px, e.qty, e.taker_side, e.why) for e in trades] == [(sides.price, sides.qty / 2, "2", "")] * 2
    assert [raw for raw in watcher.client.raw if b"\x01453=1\x01448=CBSE\x01" in raw]


def test_20_market_data_takes_no_other_key_than_its_own(sides: BothSides) -> None:
    make, identity = sides.dialect.market_data_settings, sides.identity("market_data")
    assert not is_let_in(sides, make(identity, sides.credentials), "market_data")
    assert not is_let_in(sides, sides.dialect.session_settings(sides.identity(), sides.market_data_credentials))
    assert is_let_in(sides, make(identity, sides.market_data_credentials), "market_data")


@pytest.fixture
def rest_path() -> str:
    return "/v1"


@pytest.fixture
def asked(rest: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Method and path of each request from now on, below the portfolio's."""
    found: list[str] = []
    request = rest.api.request

    def noted(path: str, api: str, method: str, params: dict[str, Any]) -> Any:
        found.append(f"{method} {path.partition('/')[2].partition('/')[2]}".rstrip())
        return request(path, api, method, params)

    monkeypatch.setattr(rest.api, "request", noted)
    return found


def test_21_a_request_is_signed_by_the_secret_as_text_without_its_query(sides: BothSides, rest: Any) -> None:
    ours, path = keys_of(sides), "/v1/portfolios"
    told = signed_headers(ours, 1_767_225_600, "GET", path)
    wanted = hmac_sha256(ours.secret, f"1767225600GET{path}".encode())
    assert told["X-CB-ACCESS-SIGNATURE"] == base64.b64encode(wanted).decode()
    answer = rest.ask(Ask("x", 1, "trades", "BTC-USD", since_ns=1))
    assert not answer.failed, "with a query that is not signed"


def test_22_an_order_is_looked_for_by_our_name_among_the_open_ones_and_then_the_others(
    sides: BothSides, rest: Any, asked: list[str]
) -> None:
    desk = sides.desk()
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    assert rest.ask(Ask("x", 1, "order", "BTC-USD", order.cl_ord_id)).order.ord_status == "0"
    assert asked == ["GET", "GET open_orders"], "its portfolio is asked for once"
    desk.cancel(order, accepted.order_id)
    assert rest.ask(Ask("x", 1, "order", "BTC-USD", order.cl_ord_id)).order.ord_status == "4"
    assert asked[2:] == ["GET open_orders", "GET orders"]
    assert rest.ask(Ask("x", 1, "order", "BTC-USD", order_id=accepted.order_id)).order.ord_status == "4"
    assert asked[4:] == [f"GET orders/{accepted.order_id}"]


def test_23_each_order_is_cancelled_by_its_id(sides: BothSides, rest: Any, asked: list[str]) -> None:
    desk = sides.desk()
    for _ in range(2):
        desk.new()
    assert rest.ask(Ask("x", 1, "cancel_all", "BTC-USD")).cancelled == 2
    assert [each.rpartition("/")[2] for each in asked if each.startswith("POST")] == ["cancel", "cancel"]


def test_24_fills_have_names_without_an_order_and_are_asked_for_by_time(sides: BothSides, rest: Any) -> None:
    sides.stranger("2", sides.qty, sides.price)
    _, events = sides.desk().new(price=sides.price)
    (fill,) = [e for e in events if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    (trade,) = rest.ask(Ask("x", 1, "trades", "BTC-USD", since_ns=1)).trades
    assert trade.trade_key == fill.trade_key and not is_number(trade.trade_key)
    later_ns = trade.transact_ns + NS_PER_S
    assert rest.ask(Ask("x", 1, "trades", "BTC-USD", since_ns=later_ns)).trades == ()


def test_25_a_stop_limit_order_is_told_as_one_and_wakes_without_a_word(desk: Desk) -> None:
    sides = desk.sides
    stop_px, tick = sides.price + 10, sides.instrument.tick_size
    order, _ = desk.new(ord_type="4", price=stop_px + tick, stop_px=stop_px)
    (told,) = [f for f in map(split, desk.client.raw) if f.get(b"11") == order.cl_ord_id.encode()]
    assert (told[b"40"], told[b"150"], b"99" in told) == (b"4", b"0", False)
    desk.new(side="2", order_qty=sides.qty / 2, price=stop_px)
    sides.stranger("1", sides.qty / 2, stop_px)
    heard = [told for told in reports([*desk.heard()]) if told.cl_ord_id == order.cl_ord_id]
    assert heard == [], "a trade was at its stop price, and it rests"
    sides.stranger("2", sides.qty / 4, stop_px + tick)
    (fill,) = reports([*desk.heard()])
    assert (fill.exec_type, fill.cl_ord_id, fill.cum_qty) == ("F", order.cl_ord_id, sides.qty / 4)
    assert tells_awake(fill)


def test_26_a_stop_order_that_would_wake_as_it_comes_is_not_sent(desk: Desk) -> None:
    assert PROFILE.stops_by_market, "so our side refuses a stop order whose price is reached already"
    sides = desk.sides
    desk.new(side="2", price=sides.price)
    sides.stranger("1", sides.qty, sides.price)
    _, events = desk.new(ord_type="4", price=sides.price, stop_px=sides.price - 10)
    assert [told.exec_type for told in reports([*events])] == ["8"], "as it is assumed of the venue"
