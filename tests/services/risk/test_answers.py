"""What answers an amendment, as risk counts it: until then both its terms and the order's may come true."""

from decimal import Decimal

import msgspec
import pytest

from common.messages import CancelRejected
from tests.services.risk.rig import D, Rig, report


@pytest.mark.parametrize("exec_type", ["0", "6", "9", "A", "E", "F", "I"])
def test_what_answers_no_amendment_leaves_it_counted(exec_type: str) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    amend = rig.orders.amend(order, "5")
    rig.outbound(amend)
    key, last = ("7", "1") if exec_type == "F" else ("", "0")
    names = (amend.cl_ord_id, order.cl_ord_id)
    rig.inbound(report(order, exec_type, "0", cl_ord_id=names[0], orig=names[1], qty="2", last=last, key=key))
    assert rig.worst()[0] + rig.worst()[2] == D(5)
    rig.inbound(CancelRejected(amend.cl_ord_id, order.cl_ord_id, "", "0"))
    assert rig.worst()[0] + rig.worst()[2] == D(2)


def test_a_report_of_rejected_under_a_cancel_s_name_ends_no_order() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    rig.inbound(report(order, "8", cl_ord_id=rig.orders.cancel(order).cl_ord_id, orig=order.cl_ord_id))
    assert rig.worst()[0] == D(2)
    rig.inbound(report(order, "8"))
    assert rig.worst()[0] == D(0)


@pytest.mark.parametrize("told", [None, D(0), D("NaN")])
def test_an_acceptance_that_tells_no_terms_leaves_the_larger_order_counted(told: Decimal | None) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    amend = rig.orders.amend(order, "5")
    rig.outbound(amend)
    accepted = report(order, "5", "0", cl_ord_id=amend.cl_ord_id, orig=order.cl_ord_id)
    rig.inbound(msgspec.structs.replace(accepted, order_qty=told))
    assert rig.worst()[0] == D(5)


@pytest.mark.parametrize("exec_type", ["0", "5"])
def test_an_acceptance_that_is_told_again_leaves_the_larger_order_counted(exec_type: str) -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "2"))
    first = rig.orders.amend(order, "3")
    second = rig.orders.amend(order, "5", orig=first.cl_ord_id)
    third = rig.orders.amend(order, "7", orig=second.cl_ord_id)
    for amend, orig in ((first, order), (second, first)):
        rig.outbound(amend)
        rig.inbound(report(amend, "5", "0", orig=orig.cl_ord_id))
    rig.outbound(third)
    rig.inbound(report(order if exec_type == "0" else first, exec_type, "0"))
    assert rig.worst()[0] == D(7)
    rig.inbound(CancelRejected(third.cl_ord_id, second.cl_ord_id, "", "0"))
    assert rig.worst()[0] == D(5)
