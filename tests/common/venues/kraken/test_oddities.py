"""Kraken's oddities one by one, by the numbers of its README: where a client of plain FIX 4.4 goes wrong."""

import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from common.fix.session import Session, SessionSettings
from common.fix.session_types import SequencePolicy
from common.fix.wire import split, utc_timestamp
from common.instant import NS_PER_S, Instant
from common.messages import ExecutionReport
from common.venues.credentials import HmacSecret
from common.venues.dialect import BookEntry
from common.venues.kraken.dialect import book_sum
from services.marketdata.books import Book
from tests.common.exchange.harness import Client
from tests.common.venues.both_sides import BothSides, Desk

D = Decimal
HOURS_NS = 3600 * NS_PER_S


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    return BothSides("kraken", tmp_path)


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    return sides.desk()


def logged_on(sides: BothSides, extra: str = "", session: Session | None = None, **changes: object) -> Client:
    """A client that signs as our dialect does, with these fields after the signature, and is plain otherwise."""
    ours = sides.dialect.session_settings(sides.identity(), sides.credentials)
    sign = ours.logon_fields
    assert sign is not None
    fields = extra.replace("|", "\x01").encode()

    def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
        return sign(msg_seq_num, sending_time).replace(b"8674=0\x01", b"") + fields

    settings = SessionSettings(
        sender_comp_id=ours.sender_comp_id, target_comp_id=ours.target_comp_id, initiator=True,
        logon_fields=logon_fields, **changes,  # type: ignore[arg-type]
    )  # fmt: skip
    sides.world.pass_time(0.002, 0.001)
    if session is not None:
        session = Session(settings, session.next_outbound, session.next_inbound)
    return Client(sides.world, session=session or Session(settings))


def named(sides: BothSides, text: str) -> str:
    """The fields of a request with the next ClOrdID(11) and TransactTime(60) around them."""
    return f"11={sides.next_name()}|{text}60={utc_timestamp(sides.world.now.wall_ns).decode()}|"


LIMIT = "38=0.01|40=2|44=60000|54=1|55=BTC/USD|59=1|"


def jump(sides: BothSides, to_ns: int) -> None:
    """The time is another at once."""
    now = sides.world.now
    sides.world.now = Instant(to_ns, now.boot_ns + to_ns - now.wall_ns)
    sides.world.core.timer(sides.world.now)
    sides.world.pump()


def picked(report: dict[int, str], *tags: int) -> tuple[str | None, ...]:
    return tuple(report.get(tag) for tag in tags)


# ---- logon


def test_01_a_password_is_no_password(sides: BothSides) -> None:
    ours = sides.credentials
    assert isinstance(ours, HmacSecret)
    entered = f"553={ours.api_key}\x01554={ours.secret.decode()}\x015025=1767225600000\x01".encode()
    settings = SessionSettings(
        sender_comp_id="DESK", target_comp_id="KRAKEN-TRD", initiator=True, logon_fields=lambda number, time: entered
    )
    naive = Client(sides.world, session=Session(settings))
    assert not naive.session.logged_on and b"58=EAPI:Invalid signature" in naive.wire
    assert logged_on(sides).session.logged_on


def test_01_a_signature_is_of_one_number_alone(sides: BothSides) -> None:
    ours = sides.dialect.session_settings(sides.identity(), sides.credentials)
    assert ours.logon_fields is not None
    of_number_2 = ours.logon_fields(2, utc_timestamp(sides.world.now.wall_ns))
    settings = always_with(ours, of_number_2)
    assert not Client(sides.world, session=Session(settings)).session.logged_on
    assert Client(sides.world, session=Session(settings, next_outbound=2)).session.logged_on


def always_with(ours: SessionSettings, fields: bytes) -> SessionSettings:
    """A session that always logs on with these fields."""
    return SessionSettings(
        sender_comp_id=ours.sender_comp_id, target_comp_id=ours.target_comp_id, initiator=True,
        logon_fields=lambda number, time: fields,
    )  # fmt: skip


def test_01_market_data_knows_a_name_and_no_other_target(sides: BothSides) -> None:
    def watching(target: str) -> bool:
        settings = SessionSettings(
            sender_comp_id="DESK", target_comp_id=target, initiator=True, reset_on_logon=True,
            sequence_policy=SequencePolicy.RESET,
        )  # fmt: skip
        return Client(sides.world, listener="market_data", session=Session(settings)).session.logged_on

    assert not watching("KRAKEN-TRD") and watching("KRAKEN-MD")


def test_02_a_nonce_is_of_now_and_above_the_last(sides: BothSides) -> None:
    first = sides.desk()
    assert first.logged_on
    first.client.cut()
    assert not first.again().logged_on, "within the same millisecond"
    sides.world.pass_time(0.01, 0.01)
    ours = sides.dialect.session_settings(sides.identity(), sides.credentials)
    assert ours.logon_fields is not None
    for off_s, lets_in in ((-6, False), (6, False), (4, True)):
        stamp = utc_timestamp(sides.world.now.wall_ns + off_s * NS_PER_S)
        session = first.client.session
        settings = always_with(ours, ours.logon_fields(session.next_outbound, stamp))
        client = Client(sides.world, session=Session(settings, session.next_outbound, session.next_inbound))
        assert client.session.logged_on is lets_in
        assert (b"58=EAPI:Invalid nonce" in client.wire) is not lets_in


@pytest.mark.parametrize(
    ("flag", "leave", "status"),
    [("", Client.cut, "4"), ("8674=0|", Client.cut, "4"), ("8674=1|", Client.cut, "0"), ("", "logout", "0")],
)
def test_03_what_a_lost_session_has_open_is_cancelled_unless_it_says_otherwise_by_one(
    sides: BothSides, flag: str, leave: Callable[[Client], None] | str, status: str
) -> None:
    naive = logged_on(sides, flag)
    (report,) = naive.send("D", named(sides, LIMIT))
    if callable(leave):
        leave(naive)
    else:
        naive.session.logout("", sides.world.now)
        sides.world.pump()
    state = sides.state_of(report[11])
    assert state is not None and state["ord_status"] == status
    again = logged_on(sides, flag, naive.session)
    assert [picked(told, 150, 11, 58) for told in again.raw_reports()] == (
        [("4", report[11], "Cancelled on disconnect")] if status == "4" else []
    )


# ---- orders


def test_04_refusals_are_business_rejects_that_give_no_number(sides: BothSides) -> None:
    naive = logged_on(sides)
    (order,) = naive.send("D", named(sides, LIMIT.replace("38=0.01", "38=5000")))
    assert picked(order, 35, 45, 372, 380, 58, 150) == ("j", "0", "D", "0", "EOrder:Insufficient funds", None)
    asked = named(sides, "41=7|54=1|55=BTC/USD|")
    (cancel,) = naive.send("F", asked)
    assert picked(cancel, 35, 45, 372, 380, 58) == ("j", "0", "F", "101", "EOrder:Unknown order")
    assert f"11={cancel[379]}|" in asked, "that alone names the request"
    (amend,) = naive.send("G", named(sides, "37=99|41=7|" + LIMIT))
    assert picked(amend, 35, 45, 372, 380) == ("j", "0", "G", "101")


def test_04_a_request_that_lacks_a_field_is_named_by_its_number(sides: BothSides) -> None:
    naive = logged_on(sides)
    (reject,) = naive.send("D", named(sides, LIMIT.replace("54=1|", "")))
    assert picked(reject, 35, 45, 371, 372, 373, 58) == (
        "3", "2", "54", "D", "1", "Missing mandatory field: Side (54)",
    )  # fmt: skip


def test_05_a_post_only_order_that_would_take_is_accepted_first(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price, instructions="6")
    told = [(e.exec_type, e.ord_status, e.text) for e in events if isinstance(e, ExecutionReport)]
    assert [(exec_type, status) for exec_type, status, _ in told] == [("0", "0"), ("4", "4")]
    assert told[-1][2] == "Post only order"


def test_06_a_name_is_a_number_that_grows(sides: BothSides) -> None:
    naive = logged_on(sides)
    (reject,) = naive.send("D", f"11=order-1|{LIMIT}60=20260101-00:00:00.000|")
    assert picked(reject, 35, 371, 373) == ("3", "11", "6")
    for name, taken in (("1000", True), ("1000", False), ("999", False), ("0001001", False), ("1001", True)):
        (told,) = naive.send("D", f"11={name}|{LIMIT}60=20260101-00:00:00.000|")
        assert (told[35] == "8") is taken, name


def test_06_a_uuid_begins_with_the_time(sides: BothSides) -> None:
    naive = logged_on(sides)

    def told(ticks: int, version: str = "4") -> dict[int, str]:
        name = f"{ticks:012x}"
        uuid = f"{name[:8]}-{name[8:]}-{version}dce-9609-8ca7cdd174f0"
        return naive.send("D", f"11={uuid}|{LIMIT}60=20260101-00:00:00.000|")[0]

    ticks = sides.world.now.wall_ns // 10_000
    assert told(ticks)[35] == "8"
    assert picked(told(ticks), 35, 58) == ("j", "EOrder:ClOrdID is not above the last one")
    assert told(ticks + 1)[35] == "8"
    assert picked(told(ticks + 100_000 * 121), 35, 58) == ("j", "EOrder:timestamp is out of date")
    assert told(ticks + 2, version="1")[35] == "3", "a random name is none"


def test_06_the_last_name_is_forgotten_on_demand(sides: BothSides) -> None:
    naive = logged_on(sides, "8674=1|")
    naive.send("D", f"11=5000|{LIMIT}60=20260101-00:00:00.000|")
    naive.cut()
    again = logged_on(sides, "8674=1|", naive.session)
    assert again.send("D", f"11=10|{LIMIT}60=20260101-00:00:00.000|")[0][35] == "j"
    again.cut()
    reset = logged_on(sides, "8674=1|5030=Y|", again.session)
    assert reset.send("D", f"11=10|{LIMIT}60=20260101-00:00:00.000|")[0][35] == "8"


def of_yesterday(sides: BothSides) -> tuple[Client, str, str]:
    """A session whose numbers were reset while an order of its own was open, and the order's names."""
    client = logged_on(sides)
    (report,) = client.send("D", named(sides, LIMIT))
    client.session.logout("", sides.world.now)
    sides.world.pump()
    return logged_on(sides, reset_on_logon=True), report[11], report[37]


def test_07_a_cancel_finds_the_session_s_own_orders_alone(sides: BothSides) -> None:
    naive, name, order_id = of_yesterday(sides)
    (told,) = naive.send("F", named(sides, f"37={order_id}|54=1|55=BTC/USD|"))
    assert picked(told, 35, 372, 380) == ("j", "F", "101")
    state = sides.state_of(name)
    assert state is not None and state["ord_status"] == "0", "it is open all the same"
    (own,) = naive.send("D", named(sides, LIMIT))
    (cancelled,) = naive.send("F", named(sides, f"37={own[37]}|54=1|55=BTC/USD|"))
    assert picked(cancelled, 35, 150, 41) == ("8", "4", own[11])


def test_08_a_mass_cancel_by_symbol_spares_other_sessions_orders_and_has_no_report(sides: BothSides) -> None:
    naive, name, order_id = of_yesterday(sides)
    assert naive.send("q", named(sides, "55=BTC/USD|530=1|")) == []
    assert naive.send("q", named(sides, "530=6|")) == []
    state = sides.state_of(name)
    assert state is not None and state["ord_status"] == "0"
    (report,) = naive.send("q", named(sides, "530=7|"))
    assert picked(report, 35, 150, 41, 37) == ("8", "4", name, order_id)
    (reject,) = naive.send("q", named(sides, "530=3|"))
    assert picked(reject, 35, 371) == ("3", "530")
    (unknown,) = naive.send("q", named(sides, "55=NO/SUCH|530=1|"))
    assert picked(unknown, 35, 372, 380) == ("j", "q", "2")


def test_09_a_status_request_names_the_venue_s_own_id(sides: BothSides) -> None:
    naive = logged_on(sides)
    (report,) = naive.send("D", named(sides, LIMIT))
    (reject,) = naive.send("H", f"11={sides.next_name()}|54=1|55=BTC/USD|")
    assert picked(reject, 35, 371) == ("3", "37")
    (again,) = naive.send("H", f"11={report[11]}|37={report[37]}|55=BTC/USD|")
    assert again[35] == "j", "it has a name of its own"
    (told,) = naive.send("H", f"11={sides.next_name()}|37={report[37]}|55=BTC/USD|")
    assert picked(told, 35, 150, 39, 11) == ("8", "I", "0", report[11])
    (unknown,) = naive.send("H", f"11={sides.next_name()}|37=4711|55=BTC/USD|")
    assert picked(unknown, 35, 372, 380) == ("j", "H", "101")


def test_10_the_day_ends_at_22_utc_and_with_it_the_numbers(sides: BothSides) -> None:
    naive = logged_on(sides)
    (report,) = naive.send("D", named(sides, LIMIT))
    midnight = sides.world.now.wall_ns // (24 * HOURS_NS) * 24 * HOURS_NS
    naive.session.logout("", sides.world.now)
    sides.world.pump()
    jump(sides, midnight + 22 * HOURS_NS)
    assert not logged_on(sides, "", naive.session).session.logged_on
    jump(sides, midnight + 22 * HOURS_NS + 30 * NS_PER_S)
    late = logged_on(sides, "", naive.session)
    assert not late.session.logged_on and late.ended is not None, "it goes on with yesterday's numbers"
    fresh = logged_on(sides)
    assert fresh.session.logged_on
    state = sides.state_of(report[11])
    assert state is not None and state["ord_status"] == "0", "orders outlive the day"


def test_10_a_session_that_is_logged_on_at_22_utc_is_taken_leave_of(sides: BothSides) -> None:
    naive = logged_on(sides, heart_bt_int_s=0)
    (report,) = naive.send("D", named(sides, LIMIT))
    midnight = sides.world.now.wall_ns // (24 * HOURS_NS) * 24 * HOURS_NS
    jump(sides, midnight + 22 * HOURS_NS + NS_PER_S)
    assert not naive.session.logged_on and b"58=Session rollover" in naive.wire
    state = sides.state_of(report[11])
    assert state is not None and state["ord_status"] == "0"


def test_10_the_rollover_is_in_our_hours_and_over_before_orders_are_given_up(sides: BothSides) -> None:
    fix = sides.venue.fix
    midnight = sides.world.now.wall_ns // (24 * HOURS_NS) * 24 * HOURS_NS
    rollover = midnight + 22 * HOURS_NS
    assert fix.opening is not None and fix.resets_by_schedule
    closed = [second for second in range(-5, 40) if not fix.opening.is_open(rollover + second * NS_PER_S)]
    assert closed == list(range(30)), "while the venue lets nobody in"
    assert sides.venue.orphan_s > len(closed), "orders that are to outlive the day would be cancelled over REST"


def test_10_within_the_day_what_was_missed_is_resent(sides: BothSides) -> None:
    naive = logged_on(sides, "8674=1|")
    naive.send("D", named(sides, "38=0.01|40=2|44=65000|54=1|55=BTC/USD|59=1|"))
    naive.cut()
    sides.stranger("2", D("0.01"), D(65000))
    again = logged_on(sides, "8674=1|", naive.session)
    assert [picked(told, 150, 43, 1003) for told in again.raw_reports()] == [("F", "Y", "1")]


# ---- market data


def test_11_a_price_that_is_deleted_may_rest_there_yet(sides: BothSides) -> None:
    for offset in range(10):
        sides.stranger("2", D(1), D(65000) + offset)
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("md-1", ["BTC/USD"]))
    watcher.client.got.clear()
    sides.stranger("2", D(2), D(64999))
    watcher.heard()
    (update,) = [m for m in watcher.client.got if m[35] == "X"]
    raw = watcher.client.raw[-1].replace(b"\x01", b"|").decode()
    assert "279=2|269=1|278=O65009.0|270=65009.0|271=1.0|" in raw, "out of the ten best, and open"
    assert "279=0|269=1|278=O64999.0|270=64999.0|271=2.0|" in raw and raw.index("|5041=") > raw.index("279=0")
    assert update[5041].isdecimal()


def test_11_our_book_is_the_venue_s_through_whatever_happens(sides: BothSides) -> None:
    watcher = sides.watcher()
    told = watcher.say(sides.dialect.encode_subscribe("md-1", ["BTC/USD"]))
    book = Book("BTC/USD", partial(book_sum, px_decimals=1, qty_decimals=8))
    book.apply([e for e in told if isinstance(e, BookEntry)], sides.world.now)
    for step in range(40):
        side, price = ("1", 64000 - step * 7 % 23) if step % 2 else ("2", 65000 + step * 5 % 31)
        sides.stranger(side, D(f"0.{step + 1:03d}"), D(price))
        if step % 5 == 4:
            best = sides.world.core.venue.state.books["BTC/USD"].bids.best()
            assert best is not None
            sides.stranger("2", best.qty / 2, best.price)
        book.apply([e for e in watcher.heard() if isinstance(e, BookEntry)], sides.world.now)
        assert not book.why
    best = sides.world.core.venue.state.books["BTC/USD"].bids.best()
    assert best is not None and book.bid == (best.price, best.qty)


def test_12_there_is_no_snapshot_but_with_a_subscription(sides: BothSides) -> None:
    sides.stranger("1", D("0.5"), D(64000))
    naive = sides.watcher().client
    fields = "264=0|267=2|269=0|269=1|146=1|55=BTC/USD|"
    (refused,) = naive.send("V", f"262=a|263=0|{fields}")
    assert picked(refused, 35, 262, 281) == ("Y", "a", "4")
    (snapshot,) = naive.send("V", f"262=b|263=1|{fields}")
    assert picked(snapshot, 35, 278, 270, 271) == ("W", "B64000.0", "64000.0", "0.5")
    assert b"\x0155=BTC/USD\x01262=b\x01268=1\x01269=0\x01278=" in naive.raw[-1], "the symbol stands before the group"
    for text, reason in (("264=5|267=1|269=2|", "5"), ("264=10|267=1|269=0|", "8")):
        assert naive.send("V", f"262=c|263=1|{text}146=1|55=BTC/USD|")[0][281] == reason
    (unknown,) = naive.send("V", "262=d|263=1|264=0|267=1|269=2|146=1|55=TEST/TEST|")
    assert unknown[58] == "MarketData subscription failed due to unsupported symbol: TEST/TEST"


def test_the_market_data_port_lists_pairs_and_says_that_it_is_open(sides: BothSides) -> None:
    client = sides.watcher().client
    (listed,) = client.send("x", "55=BTC/USD|320=SLS1000002|559=0|")
    assert picked(listed, 35, 320, 560, 146, 55, 562, 5010, 5011, 2349, 5022, 5032) == (
        "y", "SLS1000002", "0", "1", "BTC/USD", "0.00000001", "8", "0.0001", "1", "0.1", "1",
    )  # fmt: skip
    assert picked(client.send("x", "320=all|559=4|")[0], 560, 146) == ("0", "2")
    assert picked(client.send("x", "55=NO/SUCH|320=n|559=0|")[0], 560, 146) == ("2", "0")
    (status,) = client.send("g", "263=0|335=TSS0|336=SESSION|")
    assert picked(status, 35, 335, 336, 340) == ("h", "TSS0", "SESSION", "2")


def test_one_name_at_both_ports_is_two_sessions(sides: BothSides) -> None:
    desk, watcher = sides.desk(), sides.watcher()
    desk.new()
    sessions = sides.world.ask("state")["sessions"]
    assert isinstance(sessions, dict) and list(sessions) == ["DESK", "DESK@market_data"]
    assert sessions["DESK"]["next_inbound"] == desk.client.session.next_outbound == 3
    assert sessions["DESK@market_data"]["next_inbound"] == watcher.client.session.next_outbound == 2


# ---- bounds


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [
        (1, "EGeneral:Invalid arguments:deadline"), (61, "EGeneral:Invalid arguments:deadline"),
        (-1, "EService:Deadline elapsed"), (5, ""),
    ],
)  # fmt: skip
def test_13_a_deadline_is_two_to_sixty_seconds_ahead(sides: BothSides, ahead_s: int, words: str) -> None:
    naive = logged_on(sides)
    stamp = utc_timestamp(sides.world.now.wall_ns + ahead_s * NS_PER_S).decode()
    (told,) = naive.send("D", named(sides, LIMIT) + f"62={stamp}|")
    assert told[35] == ("j" if words else "8")
    assert not words or told[58] == words


def test_14_young_orders_cost_most(sides: BothSides) -> None:
    naive = logged_on(sides)
    rate = "EOrder:Rate limit exceeded"

    def order(pair: str = "BTC/USD") -> dict[int, str]:
        terms = LIMIT if pair == "BTC/USD" else LIMIT.replace("BTC/USD", pair).replace("60000", "3000")
        return naive.send("D", named(sides, terms))[0]

    first = order()
    for _ in range(22):
        told = order()
        if told[35] == "j":
            break
        (cancelled,) = naive.send("F", named(sides, f"37={told[37]}|54=1|55=BTC/USD|"))
        assert cancelled[150] == "4", "a cancel is carried out in any case"
    assert picked(told, 35, 58) == ("j", rate), "after 20 of them"
    amendment = f"37={first[37]}|41={first[11]}|38=0.01|40=2|44=60001|54=1|55=BTC/USD|59=1|"
    assert picked(naive.send("G", named(sides, amendment))[0], 35, 372, 58) == ("j", "G", rate)
    assert order("ETH/USD")[35] == "8", "each pair counts for itself"
    sides.world.pass_time(5, 0.5)
    assert order()[35] == "8", "the count falls as time passes"


def test_15_rest_does_not_know_a_pair_by_the_name_that_fix_has(sides: BothSides) -> None:
    world, wire = sides.world, Wire()
    world.raw_clients[99] = wire
    world.core.accepted(99, "rest", world.now)
    world.core.data(99, b"GET /0/public/AssetPairs HTTP/1.1\r\nHost: x\r\n\r\n", world.now)
    world.pump()
    pairs = json.loads(wire.wire.partition(b"\r\n\r\n")[2])["result"]
    assert "BTC/USD" not in pairs and sides.symbol == "BTC/USD"
    assert (pairs["XXBTZUSD"]["altname"], pairs["XXBTZUSD"]["wsname"]) == ("XBTUSD", "XBT/USD")
    world.core.closed(99, "gone", world.now)


def test_16_a_take_profit_order_is_of_a_type_of_its_own(sides: BothSides) -> None:
    desk, tick = sides.desk(), sides.instrument.tick_size
    target = sides.price - 10 * tick
    _, refused = desk.new(ord_type="3", price=None, stop_px=target)
    assert not [e for e in refused if isinstance(e, ExecutionReport)], "a stop order there would be triggered at once"
    order, events = desk.new(ord_type="4", price=target, stop_px=target, take_profit=True)
    assert [e.exec_type for e in events if isinstance(e, ExecutionReport)] == ["0"]
    told = [split(raw) for raw in desk.client.raw if split(raw)[b"35"] == b"8"]
    assert told[-1][b"40"] == b"T" and b"take profit" in told[-1][b"58"]
    venue_id = next(e.order_id for e in events if isinstance(e, ExecutionReport))
    _, amended = desk.amend(order, venue_id, ord_type="4", stop_px=target, take_profit=True, price=target - tick)
    assert "5" in [e.exec_type for e in amended if isinstance(e, ExecutionReport)], "an amendment says the type again"


class Wire:
    """What the exchange has written to one connection."""

    def __init__(self) -> None:
        self.wire = b""
