"""Each oddity of the README by its number: what a naive FIX 4.4 client would make of it, and what ours does."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from common.fix.session import Session, SessionSettings
from common.fix.session_types import SequencePolicy
from common.fix.wire import split
from common.messages import (
    Attempt,
    ExecutionReport,
    ListedOrder,
    MassCancelReported,
    NewOrder,
    QueryOrder,
    RequestRejected,
)
from common.venues.binance.venue import PROFILE
from common.venues.dialect import Body
from common.venues.generic.dialect import Generic
from common.venues.venue import CredentialKind, Feature, missing_feature
from tests.common.exchange.harness import Client
from tests.common.venues import samples
from tests.common.venues.both_sides import BothSides, Desk

NAIVE = Generic()
D = Decimal


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    """The simulated exchange, and our side of it."""
    return BothSides("binance", tmp_path)


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    """Our order entry, logged on."""
    return sides.desk()


def ours(sides: BothSides) -> SessionSettings:
    return sides.dialect.session_settings(sides.identity(), sides.credentials)


def raws(desk: Desk, msg_type: bytes = b"8") -> list[bytes]:
    return [raw for raw in desk.client.raw if split(raw)[b"35"] == msg_type]


def naive(raw: bytes) -> ExecutionReport:
    told = NAIVE.decode("8", raw)
    assert isinstance(told, ExecutionReport)
    return told


def accepted(desk: Desk, **terms: object) -> tuple[str, str]:
    """An order that the venue took: our name and the venue's."""
    order, (told, *_) = desk.new(**terms)
    assert isinstance(told, ExecutionReport) and told.exec_type == "0"
    return order.cl_ord_id, told.order_id


def answer(desk: Desk, body: Body) -> dict[bytes, bytes]:
    """The first message that comes back to one of a naive client's."""
    before = len(desk.client.raw)
    desk.client.session.send(body.msg_type, body.fields, desk.sides.world.now)
    desk.sides.world.pump()
    return dict(split(desk.client.raw[before]))


def test_01_a_logon_that_nobody_signed_is_refused(sides: BothSides) -> None:
    plain = replace(ours(sides), logon_fields=lambda seq, stamp: b"553=me\x01554=secret\x01")
    client = Client(sides.world, session=Session(plain))
    assert not client.session.logged_on and b"\x0135=3\x01" in client.wire
    assert sides.desk().logged_on
    assert PROFILE.credentials == (CredentialKind.ED25519,)


def test_02_numbers_that_go_on_are_refused_and_the_reset_is_not_repeated(sides: BothSides) -> None:
    goes_on = replace(ours(sides), reset_on_logon=False, sequence_policy=SequencePolicy.RESEND)
    client = Client(sides.world, session=Session(goes_on, 7, 7))
    assert not client.session.logged_on and b"25016=-11" in client.wire
    desk = sides.desk()
    assert desk.logged_on and b"\x01141=" not in desk.client.wire and not ours(sides).expects_reset_echo
    asked = answer(desk, Body("2", b"7=1\x0116=0\x01"))
    assert (asked[b"35"], asked[b"25016"]) == (b"3", b"-1177"), "nothing is told again"


def test_03_an_order_s_state_cannot_be_asked_for(desk: Desk) -> None:
    cl_ord_id, order_id = accepted(desk)
    question = QueryOrder(Attempt(5, 4), "x", desk.sides.symbol, "1", cl_ord_id, order_id, 9)
    asked = NAIVE.encode_query(question)
    assert asked is not None and answer(desk, asked)[b"35"] == b"3"
    assert missing_feature(PROFILE, question) is Feature.STATUS_QUERY, "ours asks over REST"
    assert desk.sides.dialect.encode_query(question) is None and PROFILE.rest


@pytest.mark.parametrize(
    ("terms", "tag"),
    [
        ({}, b"21"),
        ({"ord_type": "1", "price": None}, b"59"),
        ({"instructions": "6"}, b"59"),
    ],
)
def test_04_fields_that_every_standard_order_has_are_refused(desk: Desk, terms: dict[str, object], tag: bytes) -> None:
    order = samples.new(symbol=desk.sides.symbol, order_qty=desk.sides.qty, **{"price": desk.sides.price, **terms})
    body = NAIVE.encode_new(order, desk.sides.world.now.wall_ns)
    fields = body.fields if tag == b"21" else without(body.fields, b"21", b"60")
    refused = answer(desk, Body("D", fields))
    assert (refused[b"35"], refused[b"371"]) == (b"3", tag)
    _, events = desk.new(**terms)
    assert isinstance(events[0], ExecutionReport) and events[0].exec_type == "0"


def without(fields: bytes, *tags: bytes) -> bytes:
    return b"".join(f + b"\x01" for f in fields.split(b"\x01")[:-1] if f.split(b"=")[0] not in tags)


def test_05_there_is_no_replace_and_what_stands_for_it_may_be_another_order(desk: Desk) -> None:
    order, (told, *_) = desk.new()
    assert isinstance(told, ExecutionReport) and order.price is not None
    command = samples.amend(symbol=order.symbol, orig_cl_ord_id=order.cl_ord_id, order_id=told.order_id)
    assert answer(desk, NAIVE.encode_amend(command, 0))[b"35"] == b"3"
    lowered, events = desk.amend(order, told.order_id, order_qty=order.order_qty / 2)
    (kept,) = [e for e in events if isinstance(e, ExecutionReport)]
    assert (kept.exec_type, kept.order_id, kept.cl_ord_id) == ("5", told.order_id, order.cl_ord_id)
    assert not desk.sides.dialect.amend_is_new_order(lowered)
    moved, events = desk.amend(order, told.order_id, price=order.price + desk.sides.instrument.tick_size)
    ended, new = [e for e in events if isinstance(e, ExecutionReport)]
    assert (ended.exec_type, ended.cl_ord_id, ended.orig_cl_ord_id) == ("4", moved.cl_ord_id, order.cl_ord_id)
    assert new.exec_type == "0" and new.order_id != told.order_id, "it would look for the order under its old id"
    assert desk.sides.dialect.amend_is_new_order(moved)


def test_06_no_average_price_is_told_and_a_fill_is_known_by_its_trade(desk: Desk) -> None:
    order, _ = desk.new(price=desk.sides.price)
    desk.sides.stranger("2", desk.sides.qty, desk.sides.price)
    raw = raws(desk)[-1]
    assert b"6" not in split(raw) and naive(raw).avg_px is None, "it would have no price of the whole"
    (fill,) = [e for e in desk.heard() if isinstance(e, ExecutionReport)]
    assert (fill.exec_type, fill.last_px, fill.trade_key) == ("F", desk.sides.price, split(raw)[b"1003"].decode())
    assert naive(raw).trade_key != fill.trade_key, "REST tells the trade by the other key: it would count twice"
    desk.new(order_qty=desk.sides.instrument.min_qty / 2)
    assert b"17" not in split(raws(desk)[-1]) and naive(raws(desk)[-1]).exec_id == ""


@pytest.mark.parametrize("kind", ["unknown", "lost"])
def test_07_a_rejection_may_say_that_nobody_knows(desk: Desk, kind: str) -> None:
    desk.sides.world.ask("fault", kind=kind, scope="fix")
    order, (event,) = desk.new()
    (raw,) = raws(desk, b"3")
    wrong = NAIVE.decode("3", raw)
    assert isinstance(wrong, RequestRejected) and not wrong.ambiguous, "it would take the order for refused"
    assert isinstance(event, RequestRejected) and event.ambiguous
    assert (desk.sides.state_of(order.cl_ord_id) is not None) is (kind == "unknown")


def test_08_a_mass_cancel_of_nothing_is_refused(desk: Desk) -> None:
    (event,) = desk.say(desk.sides.dialect.encode_mass_cancel(desk.sides.next_name(), desk.sides.symbol, 0))
    wrong = NAIVE.decode("r", raws(desk, b"r")[-1])
    assert isinstance(wrong, MassCancelReported) and not wrong.accepted, "it would cancel again and again"
    assert isinstance(event, MassCancelReported) and event.accepted and event.affected == 0


def test_09_a_name_that_was_dropped_is_locked_for_a_while(sides: BothSides) -> None:
    settings = ours(sides)
    Client(sides.world, session=Session(settings)).cut()
    again = Client(sides.world, session=Session(settings))
    assert not again.session.logged_on and b"25016=-1033\x01" in again.wire
    assert sides.desk().logged_on, "ours has a name for each connection"


def test_10_what_is_left_out_of_an_entry_is_as_in_the_one_before(sides: BothSides) -> None:
    for price in (sides.price, sides.price + sides.instrument.tick_size):
        sides.stranger("1", sides.qty, price)
    watcher, seller = sides.watcher(), sides.desk()
    watcher.say(sides.dialect.encode_subscribe("md-1", [sides.symbol]))
    before = len(watcher.client.raw)
    seller.new(side="2", order_qty=2 * sides.qty, price=sides.price)
    watcher.heard()
    raw = next(raw for raw in watcher.client.raw[before:] if b"\x01269=2\x01" in raw)
    assert raw.count(b"\x01279=") == 2 and raw.count(b"\x0155=") == 1, "a trade in no symbol, to whom that is no rule"
    told = sides.dialect.decode_market_data("X", raw)
    assert isinstance(told, list) and [entry.symbol for entry in told] == [sides.symbol] * 2
    length = raw.split(b"\x01")[1].removeprefix(b"9=")
    assert len(length) == 7 and length != b"%d" % int(length), "no length for whoever compares the text"


def test_11_a_snapshot_is_told_to_subscribers_alone(sides: BothSides) -> None:
    sides.stranger("1", sides.qty, sides.price)
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("md-1", [sides.symbol]))
    before = len(watcher.client.raw)
    watcher.say(NAIVE.encode_refresh("md-2", "md-1", [sides.symbol]))
    assert [split(raw)[b"35"] for raw in watcher.client.raw[before:]] == [b"3"]
    entries = watcher.say(sides.dialect.encode_refresh("md-2", "md-1", [sides.symbol]))
    assert [getattr(e, "action", "Y") for e in entries][:1] == ["W"]


def test_12_an_order_outlives_its_connection(desk: Desk) -> None:
    cl_ord_id, _ = accepted(desk)
    desk.client.cut()
    desk.sides.world.pass_time(30, 1)
    assert desk.sides.state_of(cl_ord_id) is not None, "whoever takes it for cancelled has it filled"
    again = desk.sides.desk()
    (event,) = again.cancel(samples.new(symbol=desk.sides.symbol, cl_ord_id=cl_ord_id))[1]
    assert isinstance(event, ExecutionReport) and event.ord_status == "4"


def test_14_the_end_of_a_connection_is_announced_and_the_name_is_taken_until_then(sides: BothSides) -> None:
    settings = ours(sides)
    first = Client(sides.world, session=Session(settings))
    sides.world.ask("fault", kind="maintenance", scope="fix", ms=5_000)
    sides.world.pass_time(0.1)
    assert b"\x0135=B\x01" in first.wire and first.session.logged_on
    again = Client(sides.world, session=Session(settings))
    assert not again.session.logged_on and b"25016=-1033\x01" in again.wire, "under its own name it has to wait"
    second = sides.desk()
    sides.world.pass_time(6, 0.5)
    assert not first.session.logged_on and second.logged_on and PROFILE.ends_announced


def test_15_the_direction_of_a_trigger_makes_it_a_take_profit_order(desk: Desk) -> None:
    target = desk.sides.price * 2
    sell = {"side": "2", "ord_type": "3", "price": None, "stop_px": target}
    desk.sides.stranger("2", desk.sides.qty, desk.sides.price)
    desk.new(price=desk.sides.price)
    stop, (refused,) = desk.new(**sell)
    assert isinstance(refused, ExecutionReport) and refused.text == "Stop price would trigger immediately."
    assert refused.exec_type == "8", "StopPx(99) alone cannot say that the price is to rise for a sale"
    order, (told,) = desk.new(**sell, take_profit=True)
    assert isinstance(told, ExecutionReport) and told.exec_type == "0"
    assert split(raws(desk)[-1])[b"1109"] == b"U" and split(raws(desk)[-1])[b"40"] == b"3"


def test_16_a_trailing_stop_need_not_have_a_price_and_is_counted_in_basis_points(desk: Desk) -> None:
    desk.sides.stranger("2", desk.sides.qty, desk.sides.price)
    desk.new(price=desk.sides.price)
    trailing = {"ord_type": "3", "price": None, "peg_price_type": "8", "peg_offset_type": "1"}
    order, (told,) = desk.new(side="2", **trailing, peg_offset=D(100))
    assert isinstance(told, ExecutionReport) and told.exec_type == "0"
    (raw,) = [raw for raw in raws(desk) if split(raw)[b"11"] == order.cl_ord_id.encode()]
    assert split(raw)[b"25009"] == b"100" and b"1102" not in split(raw) and naive(raw).price is None
    _, (refused,) = desk.new(side="2", **trailing, peg_offset=D(9))
    assert isinstance(refused, ExecutionReport) and refused.text == "Filter failure: TRAILING_DELTA"


def test_17_a_pegged_order_gets_its_price_once_and_tells_it_as_the_pegged_one(desk: Desk) -> None:
    desk.sides.stranger("2", desk.sides.qty, desk.sides.price)
    order, (told, *_) = desk.new(ord_type="P", price=None, side="2", peg_price_type="5")
    assert isinstance(told, ExecutionReport) and (told.exec_type, told.price) == ("0", desk.sides.price)
    assert naive(raws(desk)[0]).price is None, "it would not know at which price its order stands"
    _, (refused,) = desk.new(ord_type="P", price=None, peg_price_type="5")
    assert isinstance(refused, ExecutionReport) and refused.exec_type == "8", "nothing stands on its own side"


def exit_list(desk: Desk, kind: str = "1", *first: NewOrder) -> NewOrder:
    """A target and a stop order for what is sold, behind an order to buy where one is given."""
    sides, tick = desk.sides, desk.sides.instrument.tick_size
    common = {"symbol": sides.symbol, "order_qty": sides.qty, "side": "2"}
    orders = [
        *first,
        samples.new(**common, price=sides.price + 10 * tick, instructions="6"),
        samples.new(**common, ord_type="3", price=None, stop_px=sides.price - 10 * tick),
    ]
    attempts = [sides.next_attempt() for _ in orders]
    further = tuple(
        ListedOrder(each.terms, attempt, sides.name_of(attempt))
        for each, attempt in zip(orders[1:], attempts[1:], strict=True)
    )
    return structs.replace(
        orders[0], attempt=attempts[0], cl_ord_id=sides.name_of(attempts[0]), contingency=kind, further=further
    )


def traded(desk: Desk) -> None:
    """The last trade is at the middle of everything."""
    desk.sides.stranger("2", desk.sides.qty, desk.sides.price)
    desk.new(price=desk.sides.price)


def test_18_a_list_says_in_numbers_which_order_ends_which_and_the_lower_one_is_first(desk: Desk) -> None:
    traded(desk)
    body = desk.sides.dialect.encode_list(exit_list(desk), 0)
    assert b"25010=1\x0125011=2\x0125012=1\x0125013=2" in body.fields
    parted = body.fields.replace(b"\x0111=", b"\x01|11=").replace(b"\x011385=", b"\x01|1385=")
    head, first, second, tail = parted.split(b"|")
    upside_down = answer(desk, Body("E", head + second + first + tail))
    assert (upside_down[b"35"], upside_down[b"25016"]) == (b"3", b"-1013")
    unsaid = answer(desk, Body("E", without(body.fields, b"25010", b"25011", b"25012", b"25013")))
    assert unsaid[b"35"] == b"3", "it would say that two orders are a list, and no more"
    assert answer(desk, body)[b"431"] == b"3"


def test_19_a_pending_order_is_told_as_new_twice(desk: Desk) -> None:
    traded(desk)
    sides = desk.sides
    first = samples.new(symbol=sides.symbol, order_qty=sides.qty, price=sides.price - sides.instrument.tick_size)
    command = exit_list(desk, "2", first)
    before = len(raws(desk))
    told = desk.say(sides.dialect.encode_list(command, 0))
    target = command.orders[1].cl_ord_id
    mine = [raw for raw in raws(desk)[before:] if split(raw)[b"11"] == target.encode()]
    assert [(naive(raw).exec_type, naive(raw).ord_status) for raw in mine] == [("0", "A")], "open, as it would have it"
    assert [e.exec_type for e in told if isinstance(e, ExecutionReport) and e.cl_ord_id == target] == ["9"]
    sides.stranger("2", sides.qty, first.price or D(0))
    again = [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.cl_ord_id == target]
    assert [(e.exec_type, e.ord_status) for e in again] == [("0", "0")]


def test_20_one_end_or_cancel_is_told_for_every_order_and_a_refusal_for_the_list(desk: Desk) -> None:
    traded(desk)
    command = exit_list(desk)
    desk.say(desk.sides.dialect.encode_list(command, 0))
    limit, stop = command.orders
    cancel, events = desk.cancel(limit)
    ended = {e.orig_cl_ord_id: (e.exec_type, e.cl_ord_id) for e in events if isinstance(e, ExecutionReport)}
    named = ("4", cancel.cl_ord_id)
    assert ended == {limit.cl_ord_id: named, stop.cl_ord_id: named}, "one cancel, and both orders are gone"
    assert split(raws(desk, b"N")[-1])[b"431"] == b"6", "of the list as a whole"
    again = structs.replace(exit_list(desk), cl_ord_id=desk.sides.next_name())
    desk.say(desk.sides.dialect.encode_list(again, 0))
    sides, tick = desk.sides, desk.sides.instrument.tick_size
    sides.stranger("1", sides.qty, sides.price + 10 * tick)
    expired = [raw for raw in raws(desk) if split(raw)[b"150"] == b"C"]
    assert split(expired[-1])[b"25056"] == b"3" and split(expired[-1])[b"66"]
    sides.stranger("1", sides.qty, 2 * sides.price)
    taken = exit_list(desk)
    refused = desk.say(sides.dialect.encode_list(taken, 0))
    assert NAIVE.decode("N", raws(desk, b"N")[-1]) is None, "it would wait for both orders for ever"
    assert {e.cl_ord_id for e in refused if isinstance(e, ExecutionReport) and e.exec_type == "8"} == {
        each.cl_ord_id for each in taken.orders
    }


def test_22_an_order_that_another_one_pays_has_no_quantity_until_it_is_placed(desk: Desk) -> None:
    traded(desk)
    sides = desk.sides
    first = samples.new(symbol=sides.symbol, order_qty=sides.qty, price=sides.price - sides.instrument.tick_size)
    unpaid = exit_list(desk, "2", first)
    further = tuple(structs.replace(each, terms=structs.replace(each.terms, paid=True)) for each in unpaid.further)
    command = structs.replace(unpaid, further=further)
    body = sides.dialect.encode_list(command, 0)
    assert without(body.fields, b"25046") == body.fields.replace(b"25046=Y\x01", b"") != body.fields
    with_quantities = Body("E", sides.dialect.encode_list(unpaid, 0).fields + b"25046=Y\x01")
    assert answer(desk, with_quantities)[b"25016"] == b"-1106"
    before = len(raws(desk))
    desk.say(body)
    target = command.orders[1].cl_ord_id
    (pending,) = [raw for raw in raws(desk)[before:] if split(raw)[b"11"] == target.encode()]
    assert naive(pending).order_qty is None and b"151" not in split(pending)
    sides.stranger("2", sides.qty, first.price or D(0))
    placed = [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.cl_ord_id == target]
    assert [(e.exec_type, e.order_qty, e.leaves_qty) for e in placed] == [("0", sides.qty, sides.qty)]


@pytest.mark.parametrize(("first", "kind"), [("2", "2"), ("1", "1")])
def test_22_only_a_purchase_pays_and_only_in_a_list_that_has_a_first_order(desk: Desk, first: str, kind: str) -> None:
    traded(desk)
    sides = desk.sides
    buys = samples.new(symbol=sides.symbol, order_qty=sides.qty, price=sides.price, side=first)
    command = exit_list(desk, kind, buys) if kind == "2" else exit_list(desk)
    further = tuple(structs.replace(each, terms=structs.replace(each.terms, paid=True)) for each in command.further)
    refused = answer(desk, sides.dialect.encode_list(structs.replace(command, further=further), 0))
    assert refused[b"35"] == b"3" and not sides.world.ask("orders")["orders"]


def test_13_a_stop_order_has_a_trigger_in_place_of_a_price(desk: Desk) -> None:
    stop_px = desk.sides.price * 2
    order = samples.new(
        symbol=desk.sides.symbol, order_qty=desk.sides.qty, ord_type="3", price=None, stop_px=stop_px
    )  # fmt: skip
    fields = without(NAIVE.encode_new(order, 0).fields, b"21", b"60", b"59")
    refused = answer(desk, Body("D", fields))
    assert (refused[b"35"], refused[b"371"]) == (b"3", b"99")
    stop, (event,) = desk.new(ord_type="3", price=None, stop_px=stop_px)
    assert isinstance(event, ExecutionReport) and event.exec_type == "0"
    desk.new(side="2", price=stop_px)
    desk.sides.stranger("1", desk.sides.qty, stop_px)
    (raw, *_) = [raw for raw in raws(desk) if split(raw)[b"11"] == stop.cl_ord_id.encode()][1:]
    told = [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.cl_ord_id == stop.cl_ord_id]
    assert (naive(raw).exec_type, told[0].exec_type) == ("0", "L"), "it would hear of a new order once more"


def test_21_a_drop_copy_tells_all_of_it_once_more_a_second_later(sides: BothSides, desk: Desk) -> None:
    settings = sides.dialect.session_settings(sides.identity()._replace(drop_copy=True), sides.credentials)
    assert not Client(sides.world, session=Session(settings)).session.logged_on, "no order entry with the flag"
    assert not Client(sides.world, listener="drop_copy", session=Session(ours(sides))).session.logged_on
    copy = Client(sides.world, listener="drop_copy", session=Session(settings))
    assert copy.session.logged_on
    order, _ = desk.new(price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    sides.world.pump()
    fill = [event for event in desk.heard() if isinstance(event, ExecutionReport)][-1]

    def told() -> list[ExecutionReport]:
        found = [sides.dialect.decode("8", raw) for raw in copy.raw if split(raw)[b"35"] == b"8"]
        return [event for event in found if isinstance(event, ExecutionReport)]

    sides.world.pass_time(0.9)
    assert not told(), "who takes silence for nothing done is wrong for a second"
    sides.world.pass_time(0.2)
    assert [event.exec_type for event in told()] == ["0", "F"]
    assert (told()[1].trade_key, told()[1].last_qty, told()[1].cl_ord_id) == (
        fill.trade_key, fill.last_qty, order.cl_ord_id,
    ), "who adds it up has it twice"  # fmt: skip
    assert copy.send("D", "11=a|")[0][25016] == "-1183", "it takes no order"
    said = 0
    while copy.session.logged_on and said < 60:
        copy.send("1", "112=x|")
        said += 1
    assert not copy.session.logged_on and 50 < said < 60, "its Logon(A) and Heartbeats(0) are of the 60 in a minute too"


def test_21_a_list_is_told_too(sides: BothSides, desk: Desk) -> None:
    settings = sides.dialect.session_settings(sides.identity()._replace(drop_copy=True), sides.credentials)
    copy = Client(sides.world, listener="drop_copy", session=Session(settings))
    traded(desk)
    desk.say(sides.dialect.encode_list(exit_list(desk), 0))
    sides.world.pass_time(1.1)
    assert [split(raw)[b"431"] for raw in copy.raw if split(raw)[b"35"] == b"N"] == [b"3"]
