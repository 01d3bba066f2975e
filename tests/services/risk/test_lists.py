"""What risk makes of an order list: all of its orders pass or none, and each counts in full."""

from decimal import Decimal as D

import pytest
from msgspec import structs

from common.messages import POST_ONLY, Contingency, ListedOrder, NewOrder, Reason, Terms
from common.orders.names import cl_ord_id_of
from tests.services.risk.rig import Rig

LIMIT = Terms("2", "2", D(1), D("104.00"), instructions=POST_ONLY)
STOP = Terms("2", "3", D(1), stop_px=D("90.00"))
FIRST = Terms("1", "2", D(1), D("99.00"))
TARGET = Terms("2", "3", D(1), stop_px=D("104.00"), take_profit=True)


def a_list(rig: Rig, contingency: Contingency, *orders: Terms) -> NewOrder:
    first = structs.replace(rig.orders.new(), terms=orders[0], contingency=contingency)
    attempts = [rig.orders.attempt() for _ in orders[1:]]
    further = [ListedOrder(terms, each, cl_ord_id_of(each)) for terms, each in zip(orders[1:], attempts, strict=True)]
    return structs.replace(first, further=tuple(further))


def test_both_of_two_of_which_one_cancels_the_other_count() -> None:
    rig = Rig()
    rig.command(a_list(rig, "1", LIMIT, STOP))
    (passed,) = rig.sent
    assert isinstance(passed, NewOrder) and [each.terms for each in passed.orders] == [LIMIT, STOP]
    assert rig.worst() == (D(0), D(2), D(0)) and len(rig.core.in_flight) == 1


def test_a_pending_order_counts_before_it_is_placed() -> None:
    rig = Rig()
    rig.command(a_list(rig, "2", FIRST, LIMIT, STOP))
    assert rig.worst() == (D(1), D(2), D(0))


def test_what_was_reserved_is_given_back_once_the_log_has_it_or_refuses_it() -> None:
    rig = Rig()
    order = a_list(rig, "1", LIMIT, STOP)
    rig.command(order)
    rig.outbound(order)
    assert rig.worst() == (D(0), D(2), D(0)) and not len(rig.core.in_flight), "as orders of the books, once"


def test_one_that_is_refused_refuses_all_and_leaves_nothing_reserved() -> None:
    rig = Rig()
    rig.command(a_list(rig, "1", LIMIT, structs.replace(STOP, stop_px=D("90.001"))))
    assert not rig.sent and rig.refused[-1].reason is Reason.BAD_TICK
    assert rig.worst() == (D(0), D(0), D(0)) and not len(rig.core.in_flight)


def test_each_order_sees_those_before_it() -> None:
    """The limit of a position is 20 and of an order 10: two of 10 pass, and no third."""
    rig = Rig()
    big = [structs.replace(each, order_qty=D(10)) for each in (LIMIT, STOP)]
    rig.command(a_list(rig, "1", *big))
    assert len(rig.sent) == 1
    rig.command(a_list(rig, "1", LIMIT, STOP))
    assert len(rig.sent) == 1 and rig.refused[-1].reason is Reason.POSITION_LIMIT


@pytest.mark.parametrize(
    ("contingency", "orders"),
    [
        ("1", [LIMIT]),
        ("", [LIMIT, STOP]),
        ("1", [LIMIT, STOP, TARGET]),
        ("1", [LIMIT, LIMIT]),
        ("1", [STOP, STOP]),
        ("1", [LIMIT, TARGET]),
        ("1", [LIMIT, structs.replace(STOP, side="1", stop_px=D("110.00"))]),
        ("1", [LIMIT, structs.replace(STOP, order_qty=D(2))]),
        ("1", [structs.replace(LIMIT, instructions=""), STOP]),
        ("1", [LIMIT, structs.replace(STOP, stop_px=None, peg_price_type="8", peg_offset=D(9), peg_offset_type="1")]),
        ("2", [FIRST]),
        ("2", [STOP, LIMIT]),
        ("2", [FIRST, Terms("2", "1", D(1), time_in_force="3")]),
        ("2", [FIRST, structs.replace(LIMIT, time_in_force="3", instructions="")]),
        ("2", [FIRST, LIMIT, LIMIT]),
    ],
)
def test_what_is_no_list_is_refused(contingency: Contingency, orders: list[Terms]) -> None:
    rig = Rig()
    rig.command(a_list(rig, contingency, *orders))
    assert not rig.sent and rig.refused[-1].reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("orders", [[LIMIT, STOP], [STOP, LIMIT], [STOP, TARGET]])
def test_what_is_a_pair_passes(orders: list[Terms]) -> None:
    rig = Rig()
    for contingency, listed in (("1", orders), ("2", [FIRST, *orders]), ("2", [FIRST, orders[0]])):
        rig.command(a_list(rig, contingency, *listed))  # type: ignore[arg-type]
    assert len(rig.sent) == 3 and not rig.refused


def paid(terms: Terms, **changes: object) -> Terms:
    return structs.replace(terms, paid=True, **changes)


def test_what_the_first_one_pays_counts_as_if_no_fee_was_taken() -> None:
    rig = Rig()
    rig.command(a_list(rig, "2", FIRST, paid(LIMIT), paid(STOP)))
    assert rig.sent and rig.worst() == (D(1), D(2), D(0))


@pytest.mark.parametrize(
    ("contingency", "orders"),
    [
        ("", [paid(LIMIT)]),
        ("1", [paid(LIMIT), paid(STOP)]),
        ("2", [FIRST, paid(LIMIT), STOP]),
        ("2", [paid(FIRST), paid(LIMIT)]),
        ("2", [FIRST, paid(LIMIT, order_qty=D(2))]),
        ("2", [FIRST, paid(FIRST, price=D("98.00"))]),
        ("2", [structs.replace(LIMIT, instructions=""), paid(FIRST)]),
    ],
)
def test_what_no_first_order_can_pay_is_refused(contingency: Contingency, orders: list[Terms]) -> None:
    rig = Rig()
    rig.command(a_list(rig, contingency, *orders))
    assert not rig.sent and rig.refused[-1].reason is Reason.UNSUPPORTED and "paid" in rig.refused[-1].text
