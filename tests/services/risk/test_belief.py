"""What a report is believed for, as risk counts it: its order, trade and quantity, and no other instrument or side."""

from decimal import Decimal

import msgspec
import pytest

from common.messages import Answer, Ask, ExecutionReport, Kind, NewOrder, RestOrder, Trade
from tests.services.risk.rig import D, Rig, report


@pytest.mark.parametrize("odd", [{"symbol": "[N/A]"}, {"side": ""}, {"side": "BUY"}, {"symbol": "", "cl_ord_id": ""}])
def test_an_instrument_or_side_that_is_absent_or_spelt_otherwise_is_the_order_s(odd: dict[str, str]) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    rig.inbound(report(order, "I", "0", order_id="V1"))
    fill = report(order, "F", "1", last="1", key="1", order_id="V1")
    rig.inbound(msgspec.structs.replace(fill, **odd))
    assert rig.worst() == (D(1), D(0), D(1))
    bust = report(order, "H", "0", key="2", reference="1", order_id="V1")
    rig.inbound(msgspec.structs.replace(bust, **odd))
    assert rig.worst() == (D(2), D(0), D(0))


@pytest.mark.parametrize("exec_type", ["F", "4", "5"])
def test_the_opposite_side_is_not_believed(exec_type: str) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    wrong = report(order, exec_type, last="1", key="1" if exec_type == "F" else "", qty="1")
    rig.inbound(msgspec.structs.replace(wrong, side="2"))
    assert rig.worst() == (D(2), D(0), D(0))


def test_rest_is_believed_no_further() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2", venue="binance"))
    rig.inbound(report(order, "I", "0", order_id="V1"), venue="binance")
    wrong = Trade("BTCUSDT", "1", "V1", "2", D(1), D(100), D(0), "", 0)
    rig.record(Kind.ANSWER, Answer("binance", Ask("binance", 1, "trades", "BTCUSDT"), False, trades=(wrong,)))
    told = RestOrder("BTCUSDT", "V1", order.cl_ord_id, "2", "4", D(2), D(100), D(0))
    ask = Ask("binance", 2, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=rig.state.lsn)
    rig.record(Kind.ANSWER, Answer("binance", ask, False, order=told))
    assert rig.worst("binance") == (D(2), D(0), D(0))


@pytest.mark.parametrize(("side", "held"), [("5", -1), ("3", 1), ("", 0)])
def test_a_stranger_s_fill_counts_by_the_way_that_it_moves_a_position(side: str, held: int) -> None:
    rig = Rig()
    theirs = report(rig.orders.new(), "F", "2", last="1", key="1", cl_ord_id="web", order_id="V9")
    rig.inbound(msgspec.structs.replace(theirs, side=side))
    assert rig.worst()[2] == D(held)


@pytest.mark.parametrize(("exec_type", "last"), [("H", "1"), ("G", "0.4"), ("F", "-1")])
def test_a_bust_or_correction_of_no_fill_and_a_negative_quantity_are_not_counted(exec_type: str, last: str) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    rig.inbound(report(order, "F", "1", last="1", key="1", cum="1"))
    rig.inbound(report(order, exec_type, "0", last=last, key="2", cum="0"))
    assert rig.worst() == (D(1), D(0), D(1))


@pytest.mark.parametrize(("told", "held"), [("", D(0)), ("1", D("0.4")), ("5", D("-0.4"))])
def test_a_stranger_s_trade_over_rest_must_name_its_side_and_ours_has_its_order_s(told: str, held: Decimal) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2", venue="binance"))
    rig.inbound(report(order, "I", "0", order_id="V1"), venue="binance")
    trades = (
        Trade("BTCUSDT", "7", "web", told, D("0.4"), D(100), D(0), "", 0),
        Trade("BTCUSDT", "8", "V1", "", D(1), D(100), D(0), "", 0),
    )
    rig.record(Kind.ANSWER, Answer("binance", Ask("binance", 1, "trades", "BTCUSDT"), False, trades=trades))
    assert rig.worst("binance") == (D(1), D(0), D(1) + held)


# ---- OrderQty(38) of a report ----


def _sent(rig: Rig, qty: str) -> NewOrder:
    """Sent, and nothing heard of it yet."""
    order = rig.orders.new("1", qty)
    rig.command(order)
    rig.outbound(order)
    return order


def _with_sum(told: ExecutionReport, cum: str, leaves: str) -> ExecutionReport:
    return msgspec.structs.replace(told, cum_qty=D(cum), leaves_qty=D(leaves))


@pytest.mark.parametrize(("qty", "leaves"), [("0.1", "2.7"), ("0.1", "0.1"), ("0.1", "9"), ("0.1", "")])
def test_new_restates_nothing_and_what_it_tells_less_is_counted_as_it_was_sent(qty: str, leaves: str) -> None:
    rig = Rig()
    order = _sent(rig, "2.7")
    told = report(order, "0", qty=qty)
    rig.inbound(_with_sum(told, "0", leaves) if leaves else told)
    assert rig.worst() == (D(9) if leaves == "9" else D("2.7"), D(0), D(0))
    rig.inbound(report(order, "F", "1", last="0.1", key="1", cum="0.1"))
    assert rig.worst()[0] == (D("8.9") if leaves == "9" else D("2.6")), "it is not filled by what was told"


def test_what_is_told_beyond_what_was_sent_counts_until_there_is_evidence() -> None:
    rig = Rig()
    order = _sent(rig, "2")
    rig.inbound(report(order, "0", qty="5"))
    assert rig.worst() == (D(5), D(0), D(0))
    rig.inbound(report(order, "I", "0", qty="2"))
    assert rig.worst() == (D(2), D(0), D(0))


@pytest.mark.parametrize("exec_type", ["D", "I"])
def test_a_restatement_or_an_answer_counts_unless_it_contradicts_itself(exec_type: str) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    rig.inbound(_with_sum(report(order, exec_type, "0", qty="0.1"), "0", "2"))
    assert rig.worst() == (D(2), D(0), D(0))
    rig.inbound(_with_sum(report(order, exec_type, "0", qty="0.1"), "0", "1.5"))
    assert rig.worst() == (D(2), D(0), D(0))
    rig.inbound(_with_sum(report(order, exec_type, "0", qty="1.5"), "0", "1.5"))
    assert rig.worst() == (D("1.5"), D(0), D(0))


def test_an_amendment_that_is_accepted_has_the_terms_that_were_asked_for() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    amend = rig.orders.amend(order, "3")
    rig.command(amend)
    rig.outbound(amend)
    rig.inbound(report(amend, "5", "0", orig=order.cl_ord_id, qty="0.1"))
    assert rig.worst() == (D(3), D(0), D(0))


def test_an_amendment_from_a_quantity_in_doubt_reserves_from_the_smaller() -> None:
    rig = Rig()
    order = _sent(rig, "2")
    rig.inbound(report(order, "0", qty="0.5"))
    rig.command(rig.orders.amend(order, "3"))
    assert rig.worst() == (D("4.5"), D(0), D(0))


def test_an_acceptance_that_is_told_again_answers_no_later_amendment() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    smaller = rig.orders.amend(order, "1")
    rig.command(smaller)
    rig.outbound(smaller)
    accepted = report(smaller, "5", "0", orig=order.cl_ord_id, qty="1")
    rig.inbound(accepted)
    larger = rig.orders.amend(order, "3", orig=smaller.cl_ord_id)
    rig.command(larger)
    rig.outbound(larger)
    rig.inbound(accepted)
    assert rig.worst() == (D(3), D(0), D(0))


@pytest.mark.parametrize(("fee", "held"), [("0.4", "0"), ("20260101", "0.4"), ("-3", "0.4")])
def test_a_fee_in_the_base_asset_that_is_more_than_its_fill_is_none(fee: str, held: str) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    rig.inbound(report(order, "F", "1", last="0.4", key="1", fee=fee, fee_asset="BTC"))
    assert rig.worst() == (D("1.6"), D(0), D(held))
