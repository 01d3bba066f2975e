"""What answers a request: the reports of the table `ANSWERED_BY`, the rejections, and nothing else that bears its
name."""

from typing import Any

import pytest

from common.messages import (
    AmendOrder,
    AmendRequest,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    NewOrder,
    RequestRejected,
)
from tests.services.orders.harness import D, Ring, accepted


def _amending(ring: Ring, msg_type: str = "G", venue: str = "generic") -> tuple[NewOrder, AmendOrder]:
    order = accepted(ring, 1, venue)
    ring.request(AmendRequest(0, 2, 1, D(2)))
    amend = ring.last(AmendOrder)
    ring.sent(amend, msg_type)
    return order, amend


def _cancelling(ring: Ring) -> tuple[NewOrder, CancelOrder]:
    order = accepted(ring, 1)
    ring.request(CancelRequest(0, 2, 1))
    cancel = ring.last(CancelOrder)
    ring.sent(cancel)
    return order, cancel


def _told(ring: Ring, order: NewOrder, request: AmendOrder | CancelOrder, exec_type: str, **fields: Any) -> None:
    names = {"cl_ord_id": request.cl_ord_id, "orig_cl_ord_id": order.cl_ord_id}
    ring.report(order, exec_type, fields.pop("ord_status", exec_type), **names, **fields)


def test_a_fill_that_bears_an_amendment_s_names_leaves_it_to_be_answered(ring: Ring) -> None:
    order, amend = _amending(ring)
    _told(ring, order, amend, "F", ord_status="1", qty="0.4", key="7")
    assert ring.events()[-1] == (1, "trade", "PENDING_REPLACE")
    ring.told("generic", CancelRejected(amend.cl_ord_id, order.cl_ord_id, "", "1"))
    assert ring.events()[-1] == (1, "cancel_rejected", "PARTIALLY_FILLED")


@pytest.mark.parametrize("exec_type", ["0", "1", "2", "3", "5", "6", "7", "9", "A", "B", "D", "E", "F", "I"])
def test_what_answers_no_cancel_leaves_it_pending(ring: Ring, exec_type: str) -> None:
    order, cancel = _cancelling(ring)
    fill = {"qty": "0.4", "key": "7"} if exec_type in "12F" else {}
    _told(ring, order, cancel, exec_type, ord_status="1" if fill else "0", **fill)
    assert cancel.cl_ord_id in ring.core.books.orders["s", 1].requests
    _told(ring, order, cancel, "4")
    assert ring.events()[-1] == (1, "canceled", "CANCELED")


@pytest.mark.parametrize("exec_type", ["0", "1", "2", "3", "6", "7", "9", "A", "B", "D", "E", "F", "I"])
def test_what_answers_no_amendment_leaves_it_pending(ring: Ring, exec_type: str) -> None:
    order, amend = _amending(ring)
    fill = {"qty": "0.4", "key": "7"} if exec_type in "12F" else {}
    _told(ring, order, amend, exec_type, ord_status="1" if fill else "0", **fill)
    assert amend.cl_ord_id in ring.core.books.orders["s", 1].requests
    _told(ring, order, amend, "5", ord_status="0", order_qty=D(2))
    assert ring.core.books.orders["s", 1].requests == {}
    assert ring.core.books.orders["s", 1].order_qty == D(2)


@pytest.mark.parametrize("keeps_name", [False, True])
def test_an_acceptance_that_tells_no_terms_tells_those_that_were_asked_for(ring: Ring, keeps_name: bool) -> None:
    order, amend = _amending(ring)
    names = {} if keeps_name else {"cl_ord_id": amend.cl_ord_id, "orig_cl_ord_id": order.cl_ord_id}
    ring.report(order, "5", "0", order_qty=None, price=None, **names)
    accepted_as = ring.core.books.orders["s", 1]
    assert (accepted_as.order_qty, accepted_as.price, accepted_as.requests) == (amend.order_qty, amend.price, {})
    assert accepted_as.order_qty != order.order_qty


@pytest.mark.parametrize("exec_type", ["A", "F", "I"])
def test_only_the_new_order_s_acknowledgement_answers_a_replacement(ring: Ring, exec_type: str) -> None:
    order, amend = _amending(ring, "XCN", "binance")
    fill = {"qty": "0.4", "key": "7"} if exec_type == "F" else {}
    ring.report(order, exec_type, "0", cl_ord_id=amend.cl_ord_id, order_id="N", **fill)
    assert amend.cl_ord_id in ring.core.books.orders["s", 1].requests
    ring.report(order, "4", "4", cl_ord_id=amend.cl_ord_id, orig_cl_ord_id=order.cl_ord_id)
    assert amend.cl_ord_id in ring.core.books.orders["s", 1].requests, "the old half's cancel is half an answer"
    ring.report(order, "0", "0", cl_ord_id=amend.cl_ord_id, order_id="N", order_qty=D(2))
    assert ring.core.books.orders["s", 1].requests == {}


@pytest.mark.parametrize("orig", [True, False])
@pytest.mark.parametrize("amends", [True, False])
def test_a_report_of_rejected_under_a_request_s_name_refuses_the_request_and_not_the_order(
    ring: Ring, amends: bool, orig: bool
) -> None:
    order, request = _amending(ring) if amends else _cancelling(ring)
    fields = {} if orig else {"orig_cl_ord_id": "", "order_id": "NONE"}
    names = {"cl_ord_id": request.cl_ord_id, "orig_cl_ord_id": order.cl_ord_id}
    ring.report(order, "8", "8", **(names | fields))
    assert ring.events()[-1] == (1, "cancel_rejected", "NEW")
    assert ring.core.books.orders["s", 1].leaves_qty == D(1)


def test_a_rejection_of_what_we_do_not_know_as_a_request_ends_no_order(ring: Ring) -> None:
    order = accepted(ring, 1)
    ring.report(order, "8", "8", cl_ord_id="kill-1", orig_cl_ord_id=order.cl_ord_id)
    assert ring.core.books.orders["s", 1].status.value == "NEW"
    ring.report(order, "8", "8")
    assert ring.core.books.orders["s", 1].status.value == "REJECTED"


@pytest.mark.parametrize("amends", [True, False])
def test_a_session_s_or_application_s_rejection_answers_either(ring: Ring, amends: bool) -> None:
    _, request = _amending(ring) if amends else _cancelling(ring)
    ring.told("generic", RequestRejected(2, request.attempt, request.cl_ord_id))
    assert ring.events()[-1] == (1, "cancel_rejected", "NEW")


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize("exec_type", ["0", "5"])
def test_an_acceptance_that_is_told_again_changes_no_terms_and_answers_nothing(
    ring: Ring, exec_type: str, pending: bool, reload: bool
) -> None:
    order, amend = _amending(ring)
    _told(ring, order, amend, "5", ord_status="0", order_qty=D(2), price=D(99))
    if pending:
        ring.request(AmendRequest(0, 3, 1, D(3), D(98)))
        ring.sent(ring.last(AmendOrder))
        ring.report(ring.last(AmendOrder), "5", "0", orig_cl_ord_id=amend.cl_ord_id)
        ring.request(AmendRequest(0, 4, 1, D(4), D(97)))
        ring.sent(ring.last(AmendOrder))
    if reload:
        ring.load_snapshot()
    accepted_as = ring.core.books.orders["s", 1]
    before = (accepted_as.order_qty, accepted_as.price, list(accepted_as.requests), accepted_as.legs[0].cl_ord_id)
    if exec_type == "0":
        ring.report(order, "0", "0")
    elif pending:
        _told(ring, order, amend, "5", ord_status="0", order_qty=D(2), price=D(99))
    else:
        ring.report(order, "5", "0")
    assert before == (
        accepted_as.order_qty, accepted_as.price, list(accepted_as.requests), accepted_as.legs[0].cl_ord_id,
    )  # fmt: skip
    assert accepted_as.order_qty == D(3 if pending else 2)
