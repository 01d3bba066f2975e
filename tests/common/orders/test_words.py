"""Invariant: what one report says by its words alone is answered once, for the fold and for a session's own table."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.messages import AmendOrder, Attempt, CancelRejected, ExecutionReport, NewOrder, Terms
from common.orders import words
from services.session.open_orders import OpenOrders

D = Decimal


def report(exec_type: str, ord_status: str, cl_ord_id: str = "a", orig_cl_ord_id: str = "") -> ExecutionReport:
    quantities = (D(2), D(100), D(0), D(0), D(0), D(2))
    return ExecutionReport(cl_ord_id, orig_cl_ord_id, "", "x", exec_type, ord_status, "S", "1", *quantities)


@pytest.mark.parametrize("ord_status", sorted("0123456789ABCDE"))
def test_an_order_is_over_by_four_words(ord_status: str) -> None:
    assert words.is_over(report("I", ord_status)) == (ord_status in "248C")
    answer = CancelRejected("c", "a", "", ord_status)
    assert words.came_too_late(answer) == (ord_status in "24C")
    assert not words.came_too_late(CancelRejected("c", "a", "", ord_status, unknown_order=True))


@pytest.mark.parametrize(("exec_type", "shows"), [("0", True), ("D", True), ("F", True), ("A", False), ("6", False)])
def test_that_a_request_has_arrived_shows_no_open_order(exec_type: str, shows: bool) -> None:
    assert words.shows_open(report(exec_type, "0")) == shows
    table = OpenOrders()
    table.hear_event(report(exec_type, "0"), 1)
    assert bool(len(table)) == shows


@pytest.mark.parametrize("exec_type", ["4", "6"])
def test_a_report_of_a_cancel_is_of_the_order_that_it_names_as_the_original(exec_type: str) -> None:
    assert words.names_of_order(report(exec_type, "4", "new", "old")) == ("old", "new")


@pytest.mark.parametrize("exec_type", ["0", "5", "8", "F", "I"])
def test_every_other_report_is_of_the_order_that_it_names_itself(exec_type: str) -> None:
    assert words.names_of_order(report(exec_type, "0", "new", "old")) == ("new", "old")


def test_the_old_half_of_an_amendment_is_cancelled_in_a_session_s_table_and_the_new_one_stays() -> None:
    table, terms = OpenOrders(), Terms("1", "2", D(2), D(100))
    table.order_sent(NewOrder(Attempt(7, 1), "m", 1, "v", "S", terms, "old", 9), 1, opens=True)
    amend = AmendOrder(Attempt(7, 2), "m", 2, "v", "S", terms, "new", "old", "", "m", 1, D(2), D(99), D(0), 9)
    table.order_sent(amend, 1, opens=True)
    table.hear_event(report("4", "4", "new", "old"), 1)
    assert [order.cl_ord_id for order in table.all()] == ["new"]


def test_a_price_or_a_fee_that_is_told_later_is_a_correction() -> None:
    assert words.word_of_change(report("F", "1"), is_fill=True) == "F"
    assert words.word_of_change(report("F", "1"), is_fill=False) == "G"
    assert words.word_of_change(report("H", "1"), is_fill=False) == "H"


def test_a_second_word_of_new_without_its_stop_price_wakes_a_stop_order_in_a_session_s_table() -> None:
    table = OpenOrders()
    stop = Terms("1", "4", D(2), D(101), stop_px=D(100))
    table.order_sent(NewOrder(Attempt(7, 1), "m", 1, "v", "S", stop, "a", 9), 1, opens=True)
    for sleeps, then in ((None, True), (True, True), (False, False)):
        told = replace(report("0", "0"), sleeps=sleeps)
        assert words.triggers(told) is words.tells_awake(told) is not then
        table.hear_event(told, 1)
        assert [order.sleeps for order in table.all()] == [then]
    assert words.tells_awake(report("L", "0")) and not words.triggers(report("L", "0"))
