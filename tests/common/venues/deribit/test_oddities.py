"""Each oddity of the README by its number: what a naive FIX 4.4 client would make of it, and what ours does."""

from dataclasses import replace
from decimal import Decimal

import pytest

from common.fix.session import Session, SessionSettings
from common.fix.wire import pairs, split
from common.instant import NS_PER_S
from common.messages import Ask, CancelRejected, ExecutionReport, VenueEvent
from common.venues.deribit.rest import DeribitRest
from common.venues.deribit.venue import PROFILE
from common.venues.generic.dialect import Generic
from common.venues.venue import Feature, missing_feature
from tests.common.exchange.harness import Client
from tests.common.venues import samples
from tests.common.venues.both_sides import BothSides, Desk

NAIVE = Generic()
D = Decimal


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    """Our order entry, logged on."""
    return sides.desk()


def ours(sides: BothSides) -> SessionSettings:
    return sides.dialect.session_settings(sides.identity(), sides.credentials)


def options(sides: BothSides, old: bytes, new: bytes) -> Client:
    """A connection of ours whose Logon(A) asks for something else."""
    settings = ours(sides)
    fields = settings.logon_fields
    assert fields is not None
    other = replace(settings, logon_fields=lambda seq, stamp: fields(seq, stamp).replace(old, new))
    return Client(sides.world, session=Session(other))


def raws(desk: Desk, msg_type: bytes = b"8") -> list[bytes]:
    return [raw for raw in desk.client.raw if split(raw)[b"35"] == msg_type]


def naive(raw: bytes) -> ExecutionReport:
    told = NAIVE.decode("8", raw)
    assert isinstance(told, ExecutionReport)
    return told


def reports(events: list[VenueEvent]) -> list[ExecutionReport]:
    return [event for event in events if isinstance(event, ExecutionReport)]


def resting(desk: Desk) -> tuple[str, str]:
    """An order that rests: our name and the venue's."""
    order, (told, *_) = desk.new()
    assert isinstance(told, ExecutionReport)
    return order.cl_ord_id, told.order_id


def test_01_a_logon_with_a_name_and_a_password_alone_is_refused_by_a_logout(sides: BothSides) -> None:
    plain = replace(ours(sides), logon_fields=lambda seq, stamp: b"553=me\x01554=secret\x01")
    client = Client(sides.world, session=Session(plain))
    assert not client.session.logged_on and b"\x0158=invalid_credentials\x01" in client.wire
    desk = sides.desk()
    assert desk.logged_on
    echoed = split(desk.client.wire[: desk.client.wire.index(b"\x0110=") + 8])
    assert echoed[b"35"] == b"A" and echoed[b"9015"] == b"Y" and b"96" in echoed, "the whole of it comes back"


def test_02_the_header_has_an_order_of_its_own(desk: Desk) -> None:
    resting(desk)
    assert [tag for tag, _ in pairs(raws(desk)[-1])][2:7] == [b"35", b"49", b"56", b"34", b"52"]
    assert ours(desk.sides).header_order == (49, 56, 34, 52)


def test_03_the_names_of_a_report_are_in_the_wrong_fields(desk: Desk) -> None:
    cl_ord_id, order_id = resting(desk)
    wrong = naive(raws(desk)[-1])
    assert (wrong.cl_ord_id, wrong.orig_cl_ord_id) == (order_id, cl_ord_id), "it would find no such order of ours"
    told = desk.sides.dialect.decode("8", raws(desk)[-1])
    assert isinstance(told, ExecutionReport)
    assert (told.cl_ord_id, told.order_id, told.orig_cl_ord_id) == (cl_ord_id, order_id, "")


def test_04_what_happened_is_in_ord_status_alone(desk: Desk) -> None:
    order, (told, *_) = desk.new()
    assert isinstance(told, ExecutionReport)
    desk.cancel(order, told.order_id)
    assert {naive(raw).exec_type for raw in raws(desk)} == {"I"}, "it would take each for the answer to a question"
    last = desk.sides.dialect.decode("8", raws(desk)[-1])
    assert isinstance(last, ExecutionReport) and last.exec_type == "4"


def test_05_a_fill_is_in_a_group_of_a_report_of_state_unless_asked_otherwise(sides: BothSides) -> None:
    client = options(sides, b"9015=Y\x01", b"")
    desk = Desk(sides, client)
    resting_at = sides.price
    order, _ = desk.new(price=resting_at)
    sides.stranger("2", sides.qty, resting_at)
    raw = raws(desk)[-1]
    assert (naive(raw).exec_type, naive(raw).last_qty) == ("I", D(0)), "it would see no fill"
    told = sides.dialect.decode("8", raw)
    assert isinstance(told, ExecutionReport)
    assert (told.exec_type, told.last_qty, told.cl_ord_id) == ("F", sides.qty, order.cl_ord_id)
    assert (told.fee_qty, told.fee_asset) == (D(0), "")


def test_06_a_cancel_is_told_twice_and_with_what_was_left(desk: Desk) -> None:
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    before = len(raws(desk))
    _, events = desk.cancel(order, accepted.order_id)
    told = [split(raw) for raw in raws(desk)[before:]]
    assert [fields[b"58"] for fields in told] == [b"success", b"notification"]
    assert {naive(raw).leaves_qty for raw in raws(desk)[before:]} == {order.order_qty}, "it would wait for the rest"
    assert {report.leaves_qty for report in reports(events)} == {D(0)}


def test_07_one_queue_is_asked_for(sides: BothSides) -> None:
    fields = ours(sides).logon_fields
    assert fields is not None and b"\x019007=Y\x01" in fields(1, b"20260101-00:00:00.000")
    assert NAIVE.session_settings(sides.identity(), None).logon_fields is None


@pytest.mark.parametrize(("wish", "state"), [(b"9001=Y", "4"), (b"9001=N", "0")])
def test_08_what_a_connection_has_open_ends_with_it_where_it_asked_for_that(
    sides: BothSides, wish: bytes, state: str
) -> None:
    client = options(sides, b"9001=Y", wish)
    order, _ = Desk(sides, client).new()
    client.cut()
    found = sides.state_of(order.cl_ord_id)
    assert found is not None and found["ord_status"] == state


@pytest.mark.parametrize(("number", "told"), [(9, b"9"), (1, b"2")])
def test_09_a_sequence_reset_is_answered_by_a_resend_request(sides: BothSides, number: int, told: bytes) -> None:
    """A naive client would take it for a gap, and send everything again: it is the number reached, or expected."""
    client = sides.desk().client
    before = len(client.wire)
    client.session.send("4", b"36=%d\x01" % number, sides.world.now)
    sides.world.pump()
    first = client.wire[before:].split(b"8=FIX.4.4\x01")[1]
    answer = dict(field.split(b"=", 1) for field in first.split(b"\x01") if field)
    assert (answer[b"35"], answer[b"7"], answer[b"16"]) == (b"2", told, told)


def test_10_a_status_is_a_head_that_counts_and_then_the_order(desk: Desk) -> None:
    order, (accepted, *_) = desk.new()
    assert isinstance(accepted, ExecutionReport)
    before = len(raws(desk))
    (told,) = reports(desk.query(order, accepted.order_id))
    head, state = raws(desk)[before:]
    assert b"\x01911=1\x01" in head and b"\x01150=" not in head, "what it would take for a report"
    assert (told.ord_status, told.cl_ord_id) == ("0", order.cl_ord_id) and b"\x0139=0\x01" in state
    assert not reports(desk.say(NAIVE.encode_query(samples.QUERY))), "OrderStatusRequest(H) is not served"


def test_11_a_refused_cancel_names_what_was_asked_by(desk: Desk) -> None:
    order, _ = desk.new()
    (told,) = desk.cancel(order, "999999")[1]
    fields = split(raws(desk, b"9")[-1])
    assert b"37" not in fields and b"102" not in fields
    plain = NAIVE.decode("9", raws(desk, b"9")[-1])
    assert isinstance(plain, CancelRejected) and not plain.unknown_order and not plain.order_id
    assert isinstance(told, CancelRejected) and told.unknown_order and told.order_id == "999999"


def test_12_a_name_may_be_that_of_several_orders(desk: Desk) -> None:
    name = desk.sides.next_name()
    first, _ = desk.new(cl_ord_id=name)
    second, _ = desk.new(cl_ord_id=name)
    (told,) = desk.cancel(first)[1]
    assert isinstance(told, CancelRejected), "by its name alone nobody can tell which"
    assert len({naive(raw).cl_ord_id for raw in raws(desk) if b"\x0139=0\x01" in raw}) == 2


def test_13_each_connection_hears_of_every_order_of_the_account(sides: BothSides) -> None:
    desk, other = sides.desk(), sides.desk()
    order, _ = desk.new()
    (told,) = reports(other.heard())
    assert told.cl_ord_id == order.cl_ord_id and split(other.client.raw[-1])[b"58"] == b"notification"
    watcher = sides.watcher()
    desk.new()
    assert not [raw for raw in watcher.client.raw if split(raw)[b"35"] == b"8"], "9009=Y keeps them away"


def test_14_a_quantity_is_in_contracts(desk: Desk) -> None:
    order, events = desk.new(order_qty=D(40))
    (told,) = reports(events)
    assert split(raws(desk)[-1])[b"231"] == b"10.0000" and told.order_qty == 40
    desk.client.session.send(
        "D", b"11=units\x0155=BTC-PERPETUAL\x0154=1\x0138=400\x01854=0\x0144=50000\x0140=2\x01", desk.sides.world.now
    )
    desk.sides.world.pump()
    (in_units,) = reports(desk.heard())
    assert in_units.order_qty == 40, "of 10 USD each"


def test_15_a_post_only_order_that_would_take_is_rejected_and_not_moved(desk: Desk) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    (told,) = reports(desk.new(price=sides.price, instructions="6")[1])
    assert (told.ord_status, told.text) == ("8", "post_only_reject")
    body = NAIVE.encode_new(samples.new(instructions="6"), 0)
    assert b"\x0118=6\x01" in b"\x01" + body.fields, "which moves the price here"


def test_16_one_request_too_many_is_refused_and_some_come_back_each_second(desk: Desk) -> None:
    last = [desk.new() for _ in range(101)][-1]
    (told,) = reports(last[1])
    assert (told.ord_status, told.text) == ("8", "too_many_requests")
    desk.sides.world.pass_time(1)
    assert reports(desk.new()[1])[-1].ord_status == "0"


def test_19_a_stop_order_has_a_type_of_its_own_and_that_it_woke_is_no_end(desk: Desk) -> None:
    sides, tick = desk.sides, desk.sides.instrument.tick_size
    stop_px = sides.price + 10 * tick
    plain = samples.new(ord_type="3", price=None, stop_px=stop_px)
    assert b"\x0140=3\x01" in NAIVE.encode_new(plain, 0).fields, "which is no type here"
    order, _ = desk.new(ord_type="3", price=None, stop_px=stop_px)
    assert split(raws(desk)[-1])[b"40"] == b"S"
    sides.stranger("2", sides.qty, stop_px)
    _, events = desk.new(side="1", price=stop_px)
    woken = next(raw for raw in raws(desk) if split(raw)[b"150"] == b"7")
    assert naive(woken).exec_type == "7", "FIX 4.4 takes it for a stop of the order"
    assert "L" in [each.exec_type for each in reports(events) if each.cl_ord_id == order.cl_ord_id]
    limited, events = desk.new(ord_type="4", price=2 * sides.price, stop_px=2 * sides.price)
    assert split(raws(desk)[-1])[b"40"] == b"J" and reports(events)[0].ord_status == "0"
    (refused,) = [e for e in desk.amend(limited, reports(events)[0].order_id, order_qty=D(1))[1] if e]
    assert isinstance(refused, CancelRejected), "it would be refused: ours says so before it is sent"
    assert missing_feature(PROFILE, samples.amend(ord_type="4", stop_px=stop_px)) is Feature.AMEND_STOP


def test_17_market_data_has_a_form_of_its_own(sides: BothSides) -> None:
    watcher = sides.watcher()
    watcher.say(sides.dialect.encode_subscribe("md-1", ["BTC-NONE"]))
    refusal = split(next(raw for raw in watcher.client.raw if split(raw)[b"35"] == b"Y"))
    assert b"281" not in refusal and refusal[b"58"] == b"unknown Symbol: BTC-NONE"
    watcher.say(sides.dialect.encode_subscribe("md-2", [sides.symbol]))
    sides.stranger("1", sides.qty, sides.price)
    watcher.heard()
    whole = [raw for raw in watcher.client.raw if split(raw)[b"35"] == b"W"][-1]
    assert whole.count(b"\x0155=") == 1 and split(whole)[b"270"] == b"%.4f" % sides.price


def test_18_a_trade_is_told_for_a_day_and_later_to_those_alone_who_ask_for_history(
    sides: BothSides, rest: DeribitRest
) -> None:
    now = sides.world.now
    sides.world.now = now._replace(wall_ns=now.wall_ns - 25 * 3600 * NS_PER_S)
    sides.desk().new(price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    sides.world.now = now
    by: dict[str, object] = {"instrument_name": sides.symbol, "count": 10}
    assert rest.api.privateGetGetUserTradesByInstrument(by)["result"]["trades"] == []
    (row,) = rest.api.privateGetGetUserTradesByInstrument({**by, "historical": "true"})["result"]["trades"]
    answer = rest.ask(Ask("x", 1, "trades", sides.symbol))
    assert [trade.trade_key for trade in answer.trades] == [str(row["trade_seq"])] == ["1"]
