"""Each oddity of the README by its number: what a client that takes each field at its first word makes of it, and what
ours does. FIX 4.4 by its letter is what the naive client of the other folders speaks.
"""

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from common.fix.wire import split
from common.journal.files import OsFiles
from common.messages import ExecutionReport, Inbound, Kind
from common.orders.leg import Leg
from common.venues.generic.dialect import Generic
from tests.common.venues.both_sides import BothSides, Desk
from tests.common.venues.samples import raw
from tests.services.session.harness import World, generic_config

D = Decimal
FILL = "37=91|11=7-1|17=1|150=F|39=1|55=BTCUSDT|54=1|38=0.5|32=0.1|31=9|14=0.1|151=0.4|6=9|"


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    """The simulated exchange, and our side of it."""
    return BothSides("generic", tmp_path)


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    """Our order entry, logged on."""
    return sides.desk()


def told(desk: Desk) -> list[dict[bytes, bytes]]:
    """Every ExecutionReport(8) as its fields."""
    return [dict(split(each)) for each in desk.client.raw if split(each)[b"35"] == b"8"]


def read(whole: bytes) -> ExecutionReport:
    report = Generic().decode("8", whole)
    assert isinstance(report, ExecutionReport)
    return report


def heard(desk: Desk) -> list[ExecutionReport]:
    return [event for event in desk.heard() if isinstance(event, ExecutionReport)]


def filled(desk: Desk) -> tuple[dict[bytes, bytes], ExecutionReport]:
    """An order of ours, filled by a stranger: the report's fields, and what ours makes of it."""
    desk.new(price=desk.sides.price)
    desk.sides.stranger("2", desk.sides.qty, desk.sides.price)
    (fill,) = heard(desk)
    return told(desk)[-1], fill


def corrected(desk: Desk, **terms: str) -> tuple[dict[bytes, bytes], ExecutionReport]:
    """The venue takes the last trade back, or corrects it."""
    world = desk.sides.world
    (row,) = world.core.venue.history.last_trades(next(iter(desk.sides.settings.accounts)), desk.sides.symbol, 1)
    world.ask("correct", order_id=row.order_id, trade_id=row.trade_id, **terms)
    (report,) = heard(desk)
    return told(desk)[-1], report


def test_01_a_trade_s_name_may_be_given_again_once_the_numbers_begin_anew(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)))
    world.start()
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", FILL)
    world.control("logout")
    world.control("reset")
    world.control("logon")
    world.advance(200)
    world.venue_says("8", FILL)
    inbounds = [p for p in world.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound)]
    reports = [p.event for p in inbounds if isinstance(p.event, ExecutionReport)]
    assert len({report.exec_id for report in reports}) == 1, "it would take the second trade for the first"
    assert len({report.trade_key for report in reports}) == 2


def test_02_an_order_id_that_says_none_is_no_name(desk: Desk) -> None:
    desk.new(order_qty=desk.sides.instrument.lot_size / 2)
    desk.new(order_qty=desk.sides.instrument.lot_size / 2)
    assert {fields[b"37"] for fields in told(desk)} == {b"NONE"}, "it would have two orders under one id"
    assert {read(each).order_id for each in desk.client.raw if b"\x0137=NONE\x01" in each} == {""}


def test_03_the_answer_for_an_unknown_order_is_no_rejection(desk: Desk) -> None:
    order, _ = desk.new()
    desk.client.got.clear()
    never_sent = structs.replace(order, cl_ord_id=desk.sides.next_name())
    (report,) = desk.query(never_sent)
    assert told(desk)[-1][b"39"] == b"8", "it would take an order for rejected that may be on its way"
    assert isinstance(report, ExecutionReport) and report.exec_type == "I" and report.unknown_order


def test_04_a_fee_may_be_a_commission(desk: Desk) -> None:
    fields, fill = filled(desk)
    assert b"12" not in fields and fill.fee_qty > 0, "told by NoMiscFees(136): it would count none"
    other = read(raw("35=8|37=77|11=5-1|17=x9|150=F|39=2|55=B|54=1|32=1|31=2|14=1|151=0|6=2|12=0.25|13=3|479=USDT|"))
    assert (other.fee_qty, other.fee_asset) == (D("0.25"), "USDT")


def test_05_a_fill_may_be_taken_back_or_corrected(desk: Desk) -> None:
    fields, fill = filled(desk)
    less = desk.sides.qty / 2
    again, correction = corrected(desk, qty=f"{less:f}")
    assert (again[b"150"], D(again[b"32"].decode())) == (b"G", less), "it would add the half to the whole"
    assert (correction.reference_trade_key, correction.last_qty) == (fill.trade_key, less)
    gone, bust = corrected(desk)
    assert gone[b"150"] == b"H" and D(gone[b"32"].decode()) == less, "it would have a third fill"
    assert (bust.reference_trade_key, bust.last_qty) == (correction.trade_key, D(0))
    assert fields[b"17"].decode() == fill.trade_key


def test_06_done_for_day_is_no_end(desk: Desk) -> None:
    desk.sides.world.ask("fault", kind="done_for_day", scope="fix")
    order, events = desk.new()
    leg = Leg(order.cl_ord_id, order.cl_ord_id, order.order_qty, order.price)
    for event in events:
        assert isinstance(event, ExecutionReport)
        leg.hear_report(event)
    assert told(desk)[-1][b"39"] == b"3" and told(desk)[-1][b"151"] == b"0", "it would forget the order"
    assert leg.is_open and desk.sides.state_of(order.cl_ord_id) is not None
    desk.heard()
    (ended,) = desk.cancel(order)[1]
    assert isinstance(ended, ExecutionReport) and ended.exec_type == "4"
