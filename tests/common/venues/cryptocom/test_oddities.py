"""Crypto.com's oddities one by one, by the numbers of its README: where a client of plain FIX 4.4 goes wrong."""

from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from common.fix.session import Session, SessionSettings
from common.fix.session_types import SequencePolicy
from common.fix.wire import utc_timestamp
from common.instant import NS_PER_S, Instant
from common.messages import ExecutionReport, RequestRejected
from common.venues.credentials import HmacSecret
from common.venues.dialect import BookEntry
from services.marketdata.books import Book
from tests.common.exchange.harness import Client
from tests.common.venues.both_sides import BothSides, Desk

D = Decimal
LIMIT = "38=0.01|40=2|44=60000|54=1|55=BTC_USD|59=1|"


def logged_on(sides: BothSides, extra: str = "", session: Session | None = None, **changes: object) -> Client:
    """A client that signs as our dialect does, with these fields after the signature, and is plain otherwise."""
    ours = sides.dialect.session_settings(sides.identity(), sides.credentials)
    sign, fields = ours.logon_fields, extra.replace("|", "\x01").encode()
    assert sign is not None

    def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
        return sign(msg_seq_num, sending_time).replace(b"6867=Y\x0135002=3\x01", b"") + fields

    settings = replace(ours, logon_fields=logon_fields, **changes)  # type: ignore[arg-type]
    if session is not None:
        session = Session(settings, session.next_outbound, session.next_inbound)
    return Client(sides.world, session=session or Session(settings))


def named(sides: BothSides, text: str) -> str:
    """The fields of a request with the next ClOrdID(11) and TransactTime(60) around them."""
    return f"11={sides.next_name()}|{text}60={utc_timestamp(sides.world.now.wall_ns).decode()}|"


def picked(report: dict[int, str], *tags: int) -> tuple[str | None, ...]:
    return tuple(report.get(tag) for tag in tags)


# ---- logon


def test_01_a_password_is_no_password_and_each_port_has_a_signature_of_its_own(sides: BothSides) -> None:
    ours, nonce = sides.credentials, sides.world.now.wall_ns // 10**6
    assert isinstance(ours, HmacSecret)
    entered = f"95=13|96={nonce}|553={ours.api_key}|554={ours.secret.decode()}|".replace("|", "\x01").encode()
    identity = sides.identity()
    plain = SessionSettings(
        sender_comp_id=identity.sender_comp_id, target_comp_id=identity.target_comp_id, initiator=True,
        logon_fields=lambda number, time: entered,
    )  # fmt: skip
    naive = Client(sides.world, session=Session(plain))
    assert not naive.session.logged_on and b"58=Invalid signature" in naive.wire
    of_orders = sides.dialect.session_settings(sides.identity("market_data"), sides.credentials)
    watcher = replace(of_orders, reset_on_logon=True, sequence_policy=SequencePolicy.RESET)
    assert not Client(sides.world, listener="market_data", session=Session(watcher)).session.logged_on
    assert logged_on(sides).session.logged_on and sides.watcher().client.session.logged_on


def test_01_the_nonce_is_the_time(sides: BothSides) -> None:
    ours = sides.dialect.session_settings(sides.identity(), sides.credentials)
    assert ours.logon_fields is not None
    for off_s, lets_in in ((-61, False), (61, False), (59, True)):
        fields = ours.logon_fields(1, utc_timestamp(sides.world.now.wall_ns + off_s * NS_PER_S))
        settings = replace(ours, logon_fields=partial(always, fields))
        client = Client(sides.world, session=Session(settings))
        assert client.session.logged_on is lets_in
        assert (b"58=Invalid nonce" in client.wire) is not lets_in


def always(fields: bytes, msg_seq_num: int, sending_time: bytes) -> bytes:
    """What a Logon(A) has whatever its number and time."""
    return fields


def test_02_the_answer_to_a_logon_repeats_the_signature(sides: BothSides) -> None:
    client = sides.desk().client
    wire = client.wire.replace(b"\x01", b"|").decode()
    assert "|35=A|" in wire and "|554=" in wire and "|6867=Y|35002=3|" in wire and client.session.logged_on


def test_03_numbers_go_on_until_we_reset_them(sides: BothSides) -> None:
    naive = logged_on(sides)
    naive.send("D", named(sides, LIMIT.replace("60000", "65000")))
    naive.cut()
    sides.stranger("2", D("0.01"), D(65000))
    fresh = logged_on(sides)
    assert not fresh.session.logged_on and fresh.ended is not None, "it begins at 1 again, and the venue does not"
    again = logged_on(sides, "", naive.session)
    assert [picked(told, 150, 39, 43) for told in again.raw_reports()] == [("F", "2", "Y")]
    again.cut()
    assert logged_on(sides, "", None, reset_on_logon=True).session.logged_on


@pytest.mark.parametrize(
    ("flags", "leave", "status"),
    [("", "cut", "0"), ("6867=Y|", "cut", "0"), ("6867=Y|35002=0|", "cut", "0"), ("6867=Y|35002=3|", "cut", "4"),
     ("6867=Y|35002=3|", "logout", "4")],
)  # fmt: skip
def test_04_cancel_on_disconnect_needs_both_its_fields(sides: BothSides, flags: str, leave: str, status: str) -> None:
    naive = logged_on(sides, flags)
    (_, report) = naive.send("D", named(sides, LIMIT))
    if leave == "cut":
        naive.cut()
    else:
        naive.session.logout("", sides.world.now)
        sides.world.pump()
    state = sides.state_of(report[11])
    assert state is not None and state["ord_status"] == status


def test_04_it_spares_what_an_earlier_connection_placed(sides: BothSides) -> None:
    first = logged_on(sides)
    (_, report) = first.send("D", named(sides, LIMIT))
    first.cut()
    second = logged_on(sides, "6867=Y|35002=3|", first.session)
    assert second.session.logged_on
    second.cut()
    state = sides.state_of(report[11])
    assert state is not None and state["ord_status"] == "0"


# ---- orders


def test_05_that_a_request_is_in_promises_nothing(sides: BothSides, desk: Desk) -> None:
    naive = desk.client
    taken = naive.send("D", named(sides, LIMIT))
    assert [picked(told, 150, 39) for told in taken] == [("A", "A"), ("0", "0")]
    refused = naive.send("D", named(sides, LIMIT.replace("38=0.01", "38=5000")))
    assert [picked(told, 150, 39) for told in refused] == [("A", "A"), ("8", "8")]
    assert refused[0][37] == refused[1][37] and refused[1][103] == "99"
    cancelled = naive.send("F", named(sides, f"41={taken[0][11]}|54=1|55=BTC_USD|"))
    assert [picked(told, 150, 39, 41) for told in cancelled] == [("6", "0", taken[0][11]), ("4", "4", taken[0][11])]


def test_06_an_amendment_is_told_as_a_new_order_and_we_take_it_for_none(sides: BothSides, desk: Desk) -> None:
    order, _ = desk.new()
    _, events = desk.amend(order, "", price=sides.price * D("0.8"))
    told = [(e.exec_type, e.orig_cl_ord_id) for e in events if isinstance(e, ExecutionReport)]
    assert told == [("E", order.cl_ord_id), ("5", order.cl_ord_id)]
    wire = desk.client.wire.replace(b"\x01", b"|").decode()
    assert "|150=5|" not in wire and wire.count("|150=0|") == 2, "a plain client would count two orders"
    (reject,) = desk.client.send("G", named(sides, "41=x|44=60001|"))
    assert picked(reject, 35, 371) == ("3", "38"), "both terms are always said"


def test_07_a_status_request_does_not_know_a_filled_order(sides: BothSides, desk: Desk) -> None:
    naive = desk.client
    (_, report) = naive.send("D", named(sides, LIMIT.replace("60000", "65000")))
    (told,) = naive.send("H", f"11={report[11]}|55=BTC_USD|")
    assert picked(told, 150, 39, 912) == ("I", "0", "Y")
    sides.stranger("2", D("0.01"), D(65000))
    (unknown,) = naive.send("H", f"11={report[11]}|55=BTC_USD|")[-1:]
    assert picked(unknown, 150, 39, 103, 911, 14) == ("I", "8", "5", "0", "0"), "and it is filled"
    state = sides.state_of(report[11])
    assert state is not None and state["ord_status"] == "2"


def test_08_a_fee_has_its_currency_in_a_field_of_its_own(sides: BothSides, desk: Desk) -> None:
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    raw = desk.client.raw[-1].replace(b"\x01", b"|").decode()
    assert "|12=" in raw and "|13=3|" in raw and "|2643=BTC|" in raw and "|479=" not in raw
    fill = events[-1]
    assert isinstance(fill, ExecutionReport) and fill.fee_asset == "BTC" and fill.fee_qty > 0


@pytest.mark.parametrize(
    ("window", "age_ms", "taken"),
    [("", 60_000, True), ("100", 99, True), ("100", 101, False), ("99", 4999, True), ("60000", 5001, False)],
)
def test_09_an_order_is_taken_in_for_so_long(sides: BothSides, window: str, age_ms: int, taken: bool) -> None:
    naive = logged_on(sides)
    terms = named(sides, LIMIT) + (f"20100={window}|" if window else "")
    naive.session.send("D", terms.replace("|", "\x01").encode(), sides.world.now)
    now = sides.world.now
    sides.world.now = Instant(now.wall_ns + age_ms * 10**6, now.boot_ns + age_ms * 10**6)
    sides.world.pump()
    last = naive.raw_reports()[-1]
    assert last[150] == ("0" if taken else "8")
    assert taken or last[58] == "Outside of the receive window"


@pytest.mark.parametrize(("kind", "rests"), [("unknown", True), ("lost", False)])
def test_10_a_reject_does_not_say_whether_the_order_rests(sides: BothSides, desk: Desk, kind: str, rests: bool) -> None:
    sides.world.ask("fault", kind=kind)
    order, (event,) = desk.new()
    assert isinstance(event, RequestRejected) and event.ambiguous
    assert b"\x0135=3\x01" in desk.client.raw[-1]
    assert (sides.state_of(order.cl_ord_id) is not None) is rests


def test_11_a_mass_cancel_is_of_one_symbol(sides: BothSides, desk: Desk) -> None:
    naive = desk.client
    (_, report) = naive.send("D", named(sides, LIMIT))
    (reject,) = naive.send("q", f"11={sides.next_name()}|55=BTC_USD|530=7|")
    assert picked(reject, 35, 371, 373) == ("3", "530", "5")
    answer, ended = naive.send("q", f"11={sides.next_name()}|55=BTC_USD|530=1|")
    assert picked(answer, 35, 531) == ("r", "1") and picked(ended, 35, 150, 11) == ("8", "4", report[11])
    (refused,) = naive.send("q", f"11={sides.next_name()}|55=NO_SUCH|530=1|")
    assert picked(refused, 35, 531, 532) == ("r", "0", "1")


# ---- market data


def test_12_a_subscription_is_called_by_its_channel(sides: BothSides) -> None:
    sides.stranger("1", D("0.5"), D(64000))
    naive = sides.watcher().client
    book = "263=1|264=1|265=1|266=Y|267=2|269=0|269=1|547=N|146=1|55=BTC_USD|"
    (refused,) = naive.send("V", f"262=mine|{book}")
    assert picked(refused, 35, 281) == ("Y", "1")
    for depth in ("2", "0"):
        (refused,) = naive.send("V", f"262=book.BTC_USD.{depth}|{book.replace('264=1', f'264={depth}')}")
        assert picked(refused, 35, 281) == ("Y", "5")
    (told,) = naive.send("V", f"262=book.BTC_USD.1|{book}")
    assert picked(told, 35, 270, 280) == ("W", "64000", None)
    sides.stranger("1", D("0.5"), D(64001))
    sides.world.pass_time(0.2)
    update = naive.got[-1]
    assert update[35] == "X" and update[280] == told[278] and int(update[278]) > int(told[278])


def test_12_our_book_is_the_venue_s_through_whatever_happens(sides: BothSides) -> None:
    watcher, book = sides.watcher(), Book("BTC_USD")
    told = watcher.say(sides.dialect.encode_subscribe("md-1", ["BTC_USD"]))
    book.apply([e for e in told if isinstance(e, BookEntry)], sides.world.now)
    for step in range(20):
        side, price = ("1", 64000 - step * 7 % 23) if step % 2 else ("2", 65000 + step * 5 % 31)
        sides.stranger(side, D(f"0.{step + 1:03d}"), D(price))
        for entry in watcher.heard():
            assert isinstance(entry, BookEntry)
            book.apply([entry._replace(follows=0)], sides.world.now)
        assert not book.why
    best = sides.world.core.venue.state.books["BTC_USD"].bids.best()
    assert best is not None and book.bid == (best.price, best.qty)


def test_13_the_second_of_a_logon_has_but_its_part_of_the_requests(sides: BothSides) -> None:
    second = sides.world.now.wall_ns // NS_PER_S * NS_PER_S
    late = second + NS_PER_S * 999 // 1000 - sides.world.now.wall_ns
    sides.world.now = Instant(sides.world.now.wall_ns + late, sides.world.now.boot_ns + late)
    naive = logged_on(sides)
    told = [naive.send("H", f"11=x{n}|55=BTC_USD|")[-1][35] for n in range(4)]
    assert told == ["8", "8", "j", "j"], "a thousandth of 2500"
    sides.world.pass_time(0.002, 0.001)
    assert naive.send("H", "11=y|55=BTC_USD|")[-1][35] == "8"


def test_14_a_market_order_has_no_time_in_force(sides: BothSides, desk: Desk) -> None:
    sides.stranger("2", D(1), sides.price)
    (reject,) = desk.client.send("D", named(sides, "38=0.01|40=1|54=1|55=BTC_USD|59=3|"))
    assert picked(reject, 35, 371, 373) == ("3", "59", "5")
    _, events = desk.new(ord_type="1", price=None, time_in_force="3")
    assert isinstance(events[-1], ExecutionReport) and events[-1].exec_type == "F"
