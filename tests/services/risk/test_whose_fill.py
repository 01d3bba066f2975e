"""Whose fill it is, as risk counts it: by the venue's trade identity and the order together."""

import pytest

from common.messages import Answer, Ask, Kind, Trade
from common.orders.books import Bounds
from services.risk.snapshots import load_state
from tests.services.risk.rig import D, Rig, facts, report


@pytest.mark.parametrize("reload", [False, True])
def test_two_orders_of_ours_that_meet_in_one_trade_leave_no_position_and_nothing_to_come(reload: bool) -> None:
    rig = Rig()
    buy, sell = (rig.send(rig.orders.new(side, venue="binance")) for side in ("1", "2"))
    for order in (buy, sell):
        rig.inbound(
            report(order, "F", "2", last="1", key="777", cum="1", order_id=f"V{order.cl_ord_id}"), venue="binance"
        )
    assert rig.worst("binance") == (D(0), D(0), D(0))
    halves = tuple(Trade("BTCUSDT", "777", f"V{o.cl_ord_id}", o.side, D(1), D(100), D(0), "", 0) for o in (buy, sell))
    if reload:
        rig.core.state = load_state(rig.state.dump(), facts())
    rig.record(Kind.ANSWER, Answer("binance", Ask("binance", 1, "trades", "BTCUSDT"), False, trades=halves))
    assert rig.worst("binance") == (D(0), D(0), D(0))
    assert [leg.cum_qty for leg in rig.legs()] == [D(1), D(1)]


def test_a_stranger_s_half_and_ours_are_two_fills() -> None:
    rig = Rig()
    ours = rig.send(rig.orders.new("1", venue="binance"))
    theirs = rig.orders.new("2", venue="binance")
    for _ in range(2):
        rig.inbound(report(theirs, "F", "2", last="1", key="777", cl_ord_id="web_1", order_id="56"), venue="binance")
        rig.inbound(report(ours, "F", "2", last="1", key="777", order_id="55"), venue="binance")
    assert rig.worst("binance") == (D(0), D(0), D(0))
    assert [leg.cum_qty for leg in rig.legs()] == [D(1)]


def test_an_exec_id_that_another_order_used_before_is_another_fill_and_is_busted_alone() -> None:
    rig = Rig()
    orders = [rig.send(rig.orders.new()) for _ in range(2)]
    for order in orders:
        rig.inbound(report(order, "F", "2", last="1", key="1/8845"))
    assert rig.worst() == (D(0), D(0), D(2))
    rig.inbound(report(orders[1], "H", "4", key="1/8846", reference="1/8845"))
    assert rig.worst() == (D(0), D(0), D(1))
    assert [leg.cum_qty for leg in rig.legs()] == [D(1), D(0)]


@pytest.mark.parametrize("forgets", [False, True])
def test_an_order_id_that_another_order_had_before_is_the_later_one_s(
    monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    rig = Rig()
    monkeypatch.setattr(rig.state.books, "bounds", Bounds(closed_orders=0 if forgets else 9))
    earlier, later = (rig.send(rig.orders.new()) for _ in range(2))
    for order, word in ((earlier, "0"), (later, "0"), (earlier, "4")):
        rig.inbound(report(order, word, order_id="1"))
    rig.inbound(report(later, "F", "1", last="0.4", key="7", cl_ord_id="?", order_id="1"))
    assert rig.worst() == (D("0.6"), D(0), D("0.4"))


def test_which_leg_of_an_order_it_is_the_venue_s_number_says_better_than_a_name() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    rig.inbound(report(order, "F", "1", last="1", key="1", order_id="V1"), venue="binance")
    replacement = rig.orders.amend(order, "6", "99.00", cum="1")
    rig.outbound(replacement)
    bust = report(replacement, "H", "0", key="2", reference="1", orig=order.cl_ord_id, order_id="V1", cum="0")
    rig.inbound(bust, venue="binance")
    assert rig.worst("binance")[2] == D(0)
