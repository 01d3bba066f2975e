"""Each oddity of the README by its number: what a naive FIX 4.4 client would make of it, and what ours does."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from common.exchange.gateways import Side
from common.exchange.rest import RestError
from common.exchange.venue import Venue
from common.fix.session import SequencePolicy, Session, SessionSettings
from common.fix.wire import split
from common.messages import CancelRejected, ExecutionReport, MassCancelReported, RequestRejected
from common.orders.order_state import Order
from common.venues.coinbase import simulated
from common.venues.coinbase.simulated.drop_copy import CoinbaseDropCopy
from common.venues.coinbase.simulated.orders import CoinbaseOrders
from common.venues.coinbase.simulated.reports import CoinbaseReports
from common.venues.coinbase.simulated.rest import CoinbaseRest
from common.venues.dialect import BookEntry
from common.venues.generic.dialect import Generic
from common.venues.registry import folder_of
from services.exchange import core
from tests.common.exchange.harness import Client
from tests.common.venues.both_sides import BothSides, Desk

NAIVE = Generic()
NAME = "1985ca2d-61ef-49f1-bfce-6c39d8462914"


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    return sides.desk()


def reports(events: list[object]) -> list[ExecutionReport]:
    return [event for event in events if isinstance(event, ExecutionReport)]


def ours(sides: BothSides) -> SessionSettings:
    return sides.dialect.session_settings(sides.identity(), sides.credentials)


def logged_on(sides: BothSides, settings: SessionSettings, listener: str = "fix") -> Client:
    return Client(sides.world, listener=listener, session=Session(settings))


def last(desk: Desk, msg_type: str = "8") -> dict[bytes, bytes]:
    """The fields of the last message of that type."""
    return next(f for raw in reversed(desk.client.raw) if (f := split(raw))[b"35"] == msg_type.encode())


def test_01_begin_string_is_not_the_application_s_version(sides: BothSides) -> None:
    naive = replace(ours(sides), begin_string="FIX.4.4", default_appl_ver_id=None)
    assert not logged_on(sides, naive).session.logged_on
    assert logged_on(sides, ours(sides)).session.logged_on


def test_02_the_key_is_the_sender_and_has_one_connection(sides: BothSides) -> None:
    named = replace(ours(sides), sender_comp_id="DESK")
    assert not logged_on(sides, named).session.logged_on
    first = logged_on(sides, ours(sides))
    second = logged_on(sides, ours(sides))
    assert first.session.logged_on and not second.session.logged_on
    assert b"\x01373=9\x01" in second.wire


@pytest.mark.parametrize("digits", [0, 6])
def test_03_other_digits_of_the_second_are_a_wrong_signature(sides: BothSides, digits: int) -> None:
    refused = logged_on(sides, replace(ours(sides), timestamp_digits=digits))
    assert not refused.session.logged_on and b"\x01373=8\x01" in refused.wire


def goes_on(sides: BothSides) -> SessionSettings:
    """A client whose Logon(A) says ResetSeqNumFlag(141)=N."""
    settings = ours(sides)
    make = settings.logon_fields
    assert make is not None

    def fields(number: int, stamp: bytes) -> bytes:
        return b"141=N\x01" + make(number, stamp).replace(b"8013=S\x01", b"")

    return replace(
        settings, reset_on_logon=False, sequence_policy=SequencePolicy.RESEND, allow_resend_request=True,
        logon_fields=fields, resend_chunk=1000,
    )  # fmt: skip


def away_and_back(sides: BothSides) -> Client:
    """A client without cancel on disconnect, filled while it was away, that begins at 1 again and goes on."""
    client = logged_on(sides, goes_on(sides))
    body = f"11={NAME}\x0138={sides.qty}\x0144={sides.price}\x0140=2\x0154=1\x0155={sides.symbol}\x0159=1\x01"
    client.session.send("D", body.encode(), sides.world.now)
    sides.world.pump()
    client.cut()
    sides.stranger("2", sides.qty, sides.price)
    back = Session(goes_on(sides), 1, 1)
    return Client(sides.world, listener="fix", session=back)


def test_04_numbers_begin_at_1_and_the_server_s_go_on_where_it_is_asked_to(sides: BothSides) -> None:
    client = away_and_back(sides)
    assert [m[150] for m in client.got if m[35] == "8"] == [], "a gap fill has passed over what was missed"
    sent = [split(raw) for raw in framed(client.wire)]
    assert [(f[b"35"], f[b"34"], f.get(b"36"), f.get(b"43")) for f in sent] == [
        (b"A", b"1", None, None), (b"4", b"2", b"4", None),
    ]  # fmt: skip
    client.wire = b""
    ask_again(sides, client, 2, 4)
    again = [split(raw) for raw in framed(client.wire)]
    assert [(f[b"35"], f[b"34"], f[b"43"], f.get(b"150")) for f in again] == [
        (b"8", b"2", b"Y", b"0"), (b"8", b"3", b"Y", b"F"),
    ]  # fmt: skip
    client.wire = b""
    ask_again(sides, client, 1, 1001)
    assert b"\x0135=3\x01" in client.wire and b"at most 1000 at once" in client.wire


def ask_again(sides: BothSides, client: Client, begin: int, end: int) -> None:
    client.session.send("2", f"7={begin}\x0116={end}\x01".encode(), sides.world.now)
    sides.world.pump()


def framed(wire: bytes) -> list[bytes]:
    return [part + b"\x01" for part in re.findall(rb"8=FIXT.*?\x0110=\d{3}", wire, re.DOTALL)]


def no_resend(venue: Venue) -> Side:
    """The venue as its page on connectivity has it."""
    return simulated.open_side(venue)._replace(orders=CoinbaseOrders(venue, CoinbaseReports(), resumes=False))


def test_04_the_other_page_s_venue_begins_at_1_too_and_we_are_let_in_by_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "find_simulated", lambda dialect: no_resend)
    sides = BothSides("coinbase", tmp_path)
    client = away_and_back(sides)
    assert [split(raw)[b"35"] for raw in framed(client.wire)] == [b"A"]
    client.cut()
    sides.world.pass_time(1)
    desk = sides.desk()
    assert desk.logged_on and reports([*desk.new()[1]])[0].exec_type == "0"


def test_05_a_name_that_is_no_uuid_is_rejected(desk: Desk) -> None:
    events = desk.new(cl_ord_id="tp9s5f-1")[1]
    assert [type(event) for event in events] == [RequestRejected] and last(desk, "3")[b"371"] == b"11"
    assert [told.exec_type for told in reports([*desk.new()[1]])] == ["0"]


def test_06_post_only_and_a_replacement_have_their_own_spelling(sides: BothSides, desk: Desk) -> None:
    order, (accepted, *_) = desk.new(instructions="6")
    assert isinstance(accepted, ExecutionReport) and last(desk)[b"18"] == b"A"
    naive = NAIVE.encode_new(msgspec.structs.replace(order, cl_ord_id=sides.next_name()), 0)
    assert isinstance(desk.say(naive)[0], RequestRejected), "ExecInst(18)=6 is not known"
    command, told = desk.amend(order, accepted.order_id, price=sides.price * Decimal("0.8"))
    (replaced,) = reports([*told])
    assert (replaced.cl_ord_id, replaced.order_id) == (command.cl_ord_id, accepted.order_id)
    sides.world.kill()
    sides.world.pass_time(1)
    desk = desk.again()
    order = msgspec.structs.replace(order, cl_ord_id=command.cl_ord_id)
    (refused,) = desk.amend(order, accepted.order_id, order_qty=sides.qty / 2)[1]
    assert isinstance(refused, CancelRejected) and "connection" in refused.text


def test_07_a_replaced_order_that_is_filled_in_part_says_replaced(sides: BothSides, desk: Desk) -> None:
    order, (accepted, *_) = desk.new(price=sides.price)
    assert isinstance(accepted, ExecutionReport)
    known = Order.sent(order, 1, 0, 1)
    sides.stranger("2", sides.qty / 4, sides.price)
    desk.heard()
    (replaced,) = reports([*desk.amend(order, accepted.order_id, order_qty=sides.qty / 2)[1]])
    assert (replaced.ord_status, last(desk)[b"14"]) == ("5", f"{sides.qty / 4:f}".rstrip("0").encode())
    known.hear_report(known.leg, replaced)
    assert known.leg.word == "0" and not known.is_closed and known.leg.filled_qty == sides.qty / 4


def test_08_a_rejected_cancel_says_that_the_order_is_rejected_and_it_is_not(sides: BothSides, desk: Desk) -> None:
    order, _ = desk.new()
    unknown = msgspec.structs.replace(order, cl_ord_id=sides.next_name())
    (event,) = desk.cancel(unknown)[1]
    raw = desk.client.raw[-1]
    naive = NAIVE.decode("9", raw)
    assert isinstance(naive, CancelRejected) and naive.ord_status == "8", "which is Rejected"
    assert isinstance(event, CancelRejected) and event.ord_status == ""
    state = sides.state_of(order.cl_ord_id)
    assert state is not None and state["ord_status"] == "0"


def test_09_business_reject_reasons_are_shifted(desk: Desk) -> None:
    desk.client.session.send("AF", b"584=a\x01585=7\x01", desk.sides.world.now)
    desk.sides.world.pump()
    assert last(desk, "j")[b"380"] == b"2", "the standard's 2 is an unknown security, and 3 an unsupported type"


def test_10_a_fee_told_as_a_share_is_no_amount(sides: BothSides, desk: Desk) -> None:
    sides.stranger("2", sides.qty, sides.price)
    (fill,) = [told for told in reports([*desk.new(price=sides.price)[1]]) if told.exec_type == "F"]
    told = last(desk)
    assert (told[b"891"], told[b"138"]) == (b"2", b"USD")
    naive = NAIVE.decode("8", desk.client.raw[-1])
    assert isinstance(naive, ExecutionReport) and naive.fee_qty == fill.fee_qty / 100, "taken for per cent"
    (row,) = sides.world.core.venue.history.trades("desk", sides.symbol, 0, 9)
    assert (fill.fee_qty, fill.fee_asset) == (row.fee, row.fee_asset)


def test_11_a_fill_is_known_by_its_trade(sides: BothSides, desk: Desk) -> None:
    desk.new(price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    (fill,) = reports([*desk.heard()])
    naive = NAIVE.decode("8", desk.client.raw[-1])
    assert isinstance(naive, ExecutionReport) and naive.trade_key != fill.trade_key and not naive.maker
    (row,) = sides.world.core.venue.history.trades("desk", sides.symbol, 0, 9)
    assert (fill.exec_type, fill.trade_key, fill.maker) == ("F", str(row.trade_id), True)


def test_12_what_is_left_of_an_immediate_order_expires_and_self_trade_prevention_restates(
    sides: BothSides, desk: Desk
) -> None:
    assert [told.exec_type for told in reports([*desk.new(price=sides.price, time_in_force="3")[1]])] == ["0", "C"]
    order, (accepted, *_) = desk.new(price=sides.price)
    assert isinstance(accepted, ExecutionReport)
    _, events = desk.new(side="2", price=sides.price, order_qty=sides.qty / 4)
    told = [(report.exec_type, report.cl_ord_id == order.cl_ord_id) for report in reports([*events])]
    assert told == [("0", False), ("D", True), ("4", False)]
    restated = next(report for report in reports([*events]) if report.exec_type == "D")
    assert restated.order_qty == sides.qty * 3 / 4
    known = Order.sent(order, 1, 0, 1)
    known.hear_report(known.leg, restated)
    assert (known.leg.order_qty, known.leg.leaves_qty) == (sides.qty * 3 / 4,) * 2


def test_13_an_accepted_mass_cancel_has_cancelled_nothing_yet(sides: BothSides, desk: Desk) -> None:
    desk.new()
    body = sides.dialect.encode_mass_cancel(sides.next_name(), sides.symbol, sides.world.now.wall_ns)
    events = desk.say(body)
    raw = next(raw for raw in desk.client.raw if split(raw)[b"35"] == b"r")
    naive = NAIVE.decode("r", raw)
    assert isinstance(naive, MassCancelReported) and naive.accepted
    assert [report.exec_type for report in reports([*events])] == ["4"] and len(events) == 1
    naive_body = NAIVE.encode_mass_cancel(sides.next_name(), sides.symbol, sides.world.now.wall_ns)
    (refused,) = desk.say(naive_body)
    assert isinstance(refused, MassCancelReported) and not refused.accepted


@pytest.mark.parametrize("politely", [True, False])
def test_14_what_a_connection_has_placed_goes_with_it(sides: BothSides, desk: Desk, politely: bool) -> None:
    order, _ = desk.new()
    if politely:
        desk.client.session.logout("", sides.world.now)
        sides.world.pump()
        sides.world.pass_time(3)
    else:
        desk.client.cut()
    state = sides.state_of(order.cl_ord_id)
    assert state is not None and state["ord_status"] == "4"
    assert desk.again().heard() == [], "nobody tells it: it is to be asked for"


def test_15_nothing_announces_the_end_of_a_connection(sides: BothSides, desk: Desk) -> None:
    sides.world.ask("fault", kind="maintenance", ms=2000)
    sides.world.pass_time(1)
    assert desk.logged_on and not [raw for raw in desk.client.raw if split(raw)[b"35"] == b"B"]
    sides.world.pass_time(2)
    assert not desk.logged_on


def test_16_the_book_is_made_of_orders(sides: BothSides, desk: Desk) -> None:
    for _ in range(60):
        desk.sides.stranger("1", sides.qty, sides.price)
    watcher = sides.watcher()
    told = watcher.say(sides.dialect.encode_subscribe("md-1", [sides.symbol]))
    heads = [e for e in told if isinstance(e, BookEntry) and e.action == "W" and not e.what]
    assert [head.goes_on for head in heads] == [True, False] and len({head.sequence for head in heads}) == 1
    assert watcher.say(sides.dialect.encode_subscribe("md-2", [sides.symbol])) == [], "no snapshot comes again"
    desk.new(price=sides.price / 2)
    entries = [e for e in watcher.heard() if isinstance(e, BookEntry)]
    assert [(e.what, e.sequence - heads[0].sequence) for e in entries] == [(".", 1), (".", 1), ("0", 2), ("0", 2)]
    naive = [split(raw) for raw in watcher.client.raw if split(raw)[b"35"] == b"X" and b"278" not in split(raw)]
    assert naive and naive[0][b"269"] == b"0", "which is no bid of the book"


def test_17_the_least_trade_volume_is_a_notional(sides: BothSides) -> None:
    watcher = sides.watcher()
    watcher.client.session.send("x", b"320=a\x01559=4\x01", sides.world.now)
    sides.world.pump()
    fields = split(watcher.client.raw[-1])
    assert (fields[b"35"], fields[b"562"]) == (b"y", b"1")
    assert sides.instrument.min_notional == 1 != sides.instrument.min_qty


def test_18_the_venue_counts_logons_and_requests(sides: BothSides, desk: Desk) -> None:
    for _ in range(101):
        desk.client.session.send("H", f"11={NAME}\x0155={sides.symbol}\x01".encode(), sides.world.now)
    sides.world.pump()
    assert last(desk, "j")[b"380"] == b"1" and desk.logged_on
    desk.client.cut()
    for _ in range(2):
        client = sides.desk().client
        client.cut()
    assert not client.session.logged_on
    own = tomllib.loads((folder_of("coinbase") / "venue.toml").read_text("utf-8"))["fix"]["limits"]
    assert (own["messages"], own["window_ms"], own["connects"]) == (100, 1000, 2), "as we keep them"


def test_19_over_rest_a_cancelled_order_is_not_found(sides: BothSides, desk: Desk) -> None:
    order, _ = desk.new()
    api = CoinbaseRest(sides.world.core.venue)
    asked: Callable[[], object] = lambda: api.routes["GET", "/orders/*"].answer(  # noqa: E731
        "desk", {"*": f"client:{order.cl_ord_id}"}, sides.world.now
    )
    assert isinstance(asked(), dict)
    desk.cancel(order)
    with pytest.raises(RestError, match="NotFound"):
        asked()


def listening(sides: BothSides, **settings: object) -> Client:
    """A drop copy of ours."""
    told = sides.dialect.session_settings(sides.identity()._replace(drop_copy=True), sides.credentials)
    return logged_on(sides, replace(told, **settings), "drop_copy")  # type: ignore[arg-type]


def test_20_a_drop_copy_repeats_what_order_entry_hears_and_wants_to_be_asked(sides: BothSides, desk: Desk) -> None:
    assert not logged_on(sides, ours(sides), "drop_copy").session.logged_on, "without DropCopyFlag(9406)"
    desk.new(price=sides.price)
    client = listening(sides)
    assert client.session.logged_on and desk.logged_on, "the key has a connection at each"
    sides.stranger("2", sides.qty, sides.price)
    (fill,) = reports([*desk.heard()])
    (raw,) = [each for each in client.raw if split(each)[b"35"] == b"8"]
    naive = [NAIVE.decode("8", each) for each in (raw, desk.client.raw[-1])]
    assert [getattr(each, "exec_type", "") for each in naive] == ["F", "F"], "who adds them up has it twice"
    again = sides.dialect.decode("8", raw)
    assert isinstance(again, ExecutionReport)
    assert (again.trade_key, again.last_qty, again.cl_ord_id) == (fill.trade_key, fill.last_qty, fill.cl_ord_id)
    assert client.send("H", f"11={NAME}|55={sides.symbol}|54=1|")[0][35] == "j", "it takes no request"


@pytest.mark.parametrize(("only_fills", "told"), [(False, ["0", "F"]), (True, ["F"])])
def test_20_one_page_tells_all_reports_and_another_fills_alone(
    sides: BothSides, desk: Desk, only_fills: bool, told: list[str]
) -> None:
    copy = sides.world.core.gateways["drop_copy"]
    assert isinstance(copy, CoinbaseDropCopy)
    copy.only_fills = only_fills
    client = listening(sides)
    desk.new(price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    assert [report[150] for report in client.raw_reports()] == told
