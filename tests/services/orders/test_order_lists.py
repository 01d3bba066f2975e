"""An order list in the order manager: one command, several orders, each with a name and a state of its own."""

import pytest
from msgspec import structs

from common.messages import (
    HIGHEST_NUMBER,
    ONE_CANCELS_OTHER,
    ONE_TRIGGERS_OTHER,
    POST_ONLY,
    AmendRequest,
    CancelAllRequest,
    CancelOrder,
    CancelRequest,
    CommandOutcome,
    Kind,
    NewOrder,
    NewOrderRequest,
    OrderEvent,
    OrderStatus,
    Reason,
    RequestRejected,
    Terms,
    Unreadable,
    Withdrawn,
)
from common.orders.books import Bounds
from common.orders.index import Index
from common.request_identity import request_identity
from tests.services.orders.harness import D, Forgetful, Ring

LIMIT = Terms("2", "2", D(1), D(110), instructions=POST_ONLY)
STOP = Terms("2", "3", D(1), stop_px=D(90))
LIST = NewOrderRequest(0, 1, "generic", "BTCUSDT", LIMIT, "exit", contingency=ONE_CANCELS_OTHER, further=(STOP,))


def sent(ring: Ring) -> tuple[NewOrder, NewOrder]:
    """Both orders of a list that is in the log."""
    ring.request(LIST)
    command: NewOrder = ring.last(NewOrder)
    ring.sent(command)
    one, other = command.orders
    return one, other


def states(ring: Ring) -> dict[int, str]:
    return {number: order.status.value for (_, number), order in ring.core.books.orders.items()}


def outcomes(ring: Ring) -> list[tuple[int, str]]:
    return [(each.number, each.outcome) for each in ring.clients[b"p"] if isinstance(each, CommandOutcome)]


def test_its_orders_are_named_by_the_numbers_behind_the_command_s_and_told_as_of_a_list(ring: Ring) -> None:
    one, other = sent(ring)
    assert (one.number, other.number, other.terms, other.label) == (1, 2, STOP, "exit")
    assert len({one.attempt, other.attempt}) == 2 and one.cl_ord_id != other.cl_ord_id
    ring.report(one, "0", "0")
    ring.report(other, "9", "9")
    assert states(ring) == {1: "NEW", 2: "SUSPENDED"}
    told = [each for each in ring.clients[b"p"] if isinstance(each, OrderEvent)]
    assert {each.list_number for each in told} == {1} and outcomes(ring) == [(1, "sent"), (2, "sent")]
    before = ring.core.books.digest()
    ring.start()
    ring.go_live()
    assert states(ring) == {1: "NEW", 2: "SUSPENDED"} and ring.core.books.digest() == before


def test_the_next_command_has_the_number_behind_all_of_them(ring: Ring) -> None:
    sent(ring)
    ring.request(structs.replace(LIST, number=2))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED
    ring.request(structs.replace(LIST, number=3))
    assert [each.number for each in ring.last(NewOrder).orders] == [3, 4]


def test_a_list_whose_last_order_would_have_no_number_is_refused(ring: Ring) -> None:
    """No command could name that order: it could not be cancelled by its name."""
    before = ring.commands[-1:]
    ring.request(structs.replace(LIST, number=HIGHEST_NUMBER))
    assert ring.clients[b"p"][-1].reason is Reason.OUT_OF_BOUNDS and ring.commands[-1:] == before
    ring.request(structs.replace(LIST, number=HIGHEST_NUMBER - 1))
    assert ring.last(NewOrder).orders[-1].number == HIGHEST_NUMBER


def test_a_repeat_is_told_what_became_of_the_list_and_another_list_is_no_repeat(ring: Ring) -> None:
    sent(ring)
    commands = len(ring.commands)
    ring.request(LIST)
    assert (ring.clients[b"p"][-1].outcome, ring.clients[b"p"][-1].repeat) == ("sent", True)
    ring.request(structs.replace(LIST, further=(structs.replace(STOP, stop_px=D(91)),)))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED and len(ring.commands) == commands
    kinds = [LIST, structs.replace(LIST, contingency="2"), structs.replace(LIST, contingency="", further=())]
    assert len(set(map(request_identity, kinds))) == 3


def test_a_fill_of_one_leaves_what_the_venue_says_of_the_other(ring: Ring) -> None:
    one, other = sent(ring)
    ring.report(one, "0", "0")
    ring.report(other, "0", "0")
    ring.report(one, "F", "2", qty="1", key="a")
    assert states(ring) == {1: "FILLED", 2: "NEW"}, "until the venue says so it may trade too"
    ring.report(other, "C", "C")
    assert states(ring) == {1: "FILLED", 2: "EXPIRED"}


@pytest.mark.parametrize("ambiguous", [False, True])
def test_a_cancel_of_one_that_may_have_been_carried_out_has_all_of_them_asked_about(
    ring: Ring, ambiguous: bool
) -> None:
    one, other = sent(ring)
    ring.report(one, "0", "0")
    ring.report(other, "9", "9")
    ring.request(CancelRequest(0, 10, 2))
    cancel: CancelOrder = ring.last(CancelOrder)
    ring.sent(cancel)
    ring.told("generic", RequestRejected(9, cancel.attempt, "", -1007 if ambiguous else -1, "no", ambiguous))
    books = ring.core.books
    assert [books.needs_asking(books.orders["s", number]) for number in (1, 2)] == [ambiguous, ambiguous]


@pytest.mark.parametrize("ambiguous", [False, True])
def test_a_message_that_is_rejected_is_so_for_all_of_its_orders(ring: Ring, ambiguous: bool) -> None:
    one, _ = sent(ring)
    ring.told("generic", RequestRejected(3, one.attempt, "", -1007 if ambiguous else -1, "no", ambiguous))
    word = "UNKNOWN" if ambiguous else "REJECTED"
    assert states(ring) == {1: word, 2: word}


def test_a_message_that_never_left_is_withdrawn_for_all_of_its_orders(ring: Ring) -> None:
    one, _ = sent(ring)
    withdrawn = Withdrawn("generic", 1, 1, 5, one.attempt, Reason.CONNECTION_LOST)
    ring.record("session@generic", Kind.WITHDRAWN, withdrawn)
    assert states(ring) == {1: "WITHDRAWN", 2: "WITHDRAWN"}


def test_a_cancel_of_either_while_the_list_is_under_way_waits_for_it(ring: Ring) -> None:
    ring.request(LIST)
    command: NewOrder = ring.last(NewOrder)
    ring.request(CancelRequest(0, 3, 2))
    assert not [each for each in ring.commands if isinstance(each, CancelOrder)]
    ring.sent(command)
    assert ring.last(CancelOrder).orig_cl_ord_id == command.orders[1].cl_ord_id


def test_a_cancel_of_all_reaches_every_order_of_a_list(ring: Ring) -> None:
    one, other = sent(ring)
    for each in (one, other):
        ring.report(each, "0", "0")
    ring.request(CancelAllRequest(0, 3))
    wished = {each.orig_cl_ord_id for each in ring.commands if isinstance(each, CancelOrder)}
    assert wished == {one.cl_ord_id, other.cl_ord_id}


@pytest.mark.parametrize("first", [0, 1])
def test_a_cancel_of_one_whose_name_stands_in_the_reports_of_all_ends_each(ring: Ring, first: int) -> None:
    """As rest-api.md of Binance prints the end of a list: one clientOrderId, each origClientOrderId its own."""
    orders = sent(ring)
    for each in orders:
        ring.report(each, "0", "0")
    ring.request(CancelRequest(0, 3, 1))
    cancel: CancelOrder = ring.last(CancelOrder)
    ring.sent(cancel)
    for each in (orders[first], orders[1 - first]):
        ring.report(each, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=each.cl_ord_id)
    assert states(ring) == {1: "CANCELED", 2: "CANCELED"}
    books = ring.core.books
    assert [books.orders["s", each.number].leg.order_id for each in orders] == [f"V{o.cl_ord_id}" for o in orders]


def test_what_is_told_again_of_an_order_that_has_left_memory_is_not_its_list_mate_s() -> None:
    ring = Forgetful(Index(), Bounds(closed_orders=0))
    one, other = sent(ring)
    for each in (one, other):
        ring.report(each, "0", "0")
    ring.request(CancelRequest(0, 3, 1))
    cancel: CancelOrder = ring.last(CancelOrder)
    ring.sent(cancel)
    for _ in range(2):
        ring.report(other, "4", "4", cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=other.cl_ord_id)
        assert states(ring) == {1: "PENDING_CANCEL"}


@pytest.mark.parametrize("heard", [False, True])
def test_an_answer_to_the_list_that_cannot_be_read_is_one_to_each_of_its_orders(ring: Ring, heard: bool) -> None:
    one, _ = sent(ring)
    if heard:
        ring.report(one, "0", "0")
    ring.told("generic", Unreadable(one.cl_ord_id, "", "", "BTCUSDT", "no count", one.attempt))
    assert states(ring) == ({1: "NEW", 2: "PENDING_NEW"} if heard else {1: "UNKNOWN", 2: "UNKNOWN"})
    answered = [order.legs[0].answered for order in ring.core.books.orders.values()]
    assert answered == ([False, False] if heard else [True, True])


def test_an_order_of_a_list_is_not_amended(ring: Ring) -> None:
    one, _ = sent(ring)
    ring.report(one, "0", "0")
    ring.request(AmendRequest(0, 3, 1, D("0.5")))
    assert ring.clients[b"p"][-1].reason is Reason.NOT_AMENDABLE


def test_what_cannot_be_counted_with_is_refused_in_any_of_its_orders(ring: Ring) -> None:
    ring.request(structs.replace(LIST, further=(structs.replace(STOP, order_qty=D("NaN")),)))
    outcome = ring.clients[b"p"][-1]
    assert (outcome.outcome, outcome.reason) == ("refused", Reason.BAD_QUANTITY)


def test_the_states_of_a_list_are_in_a_snapshot(ring: Ring) -> None:
    one, _ = sent(ring)
    ring.report(one, "0", "0")
    ring.load_snapshot()
    assert {order.list_number for order in ring.core.books.orders.values()} == {1}
    assert ring.core.books.orders["s", 2].status is OrderStatus.PENDING_NEW


def test_what_an_order_is_paid_is_told_by_the_venue_and_never_more_than_was_bought(ring: Ring) -> None:
    first, sale = Terms("1", "2", D(1), D(99)), Terms("2", "2", D(1), D(110), paid=True)
    ring.request(structs.replace(LIST, terms=first, contingency=ONE_TRIGGERS_OTHER, further=(sale,)))
    command: NewOrder = ring.last(NewOrder)
    ring.sent(command)
    one, other = command.orders
    order = ring.core.books.orders["s", 2]
    ring.report(one, "0", "0")
    ring.report(other, "9", "9", order_qty=None)
    assert order.order_qty == D(1), "at most"
    ring.report(one, "F", "2", qty="1", px="99", key="a")
    ring.report(other, "0", "0", order_qty=D("0.999"))
    assert (order.order_qty, order.leg.doubted_qty, order.in_doubt) == (D("0.999"), D(0), False)
    ring.report(other, "F", "2", qty="0.999", px="110", key="b")
    assert states(ring) == {1: "FILLED", 2: "FILLED"}
    before = ring.core.books.digest()
    ring.start()
    ring.go_live()
    assert ring.core.books.digest() == before


def test_more_than_the_first_one_can_have_paid_is_not_believed(ring: Ring) -> None:
    first, sale = Terms("1", "2", D(1), D(99)), Terms("2", "2", D(1), D(110), paid=True)
    ring.request(structs.replace(LIST, terms=first, contingency=ONE_TRIGGERS_OTHER, further=(sale,)))
    command: NewOrder = ring.last(NewOrder)
    ring.sent(command)
    other = command.orders[1]
    ring.report(other, "0", "0", order_qty=D(2))
    order = ring.core.books.orders["s", 2]
    assert (order.order_qty, order.leg.doubted_qty) == (D(1), D(2)) and order.in_doubt


def test_another_order_is_not_believed_to_be_smaller(ring: Ring) -> None:
    one, _ = sent(ring)
    ring.report(one, "0", "0", order_qty=D("0.5"))
    assert ring.core.books.orders["s", 1].leg.doubted_qty == D("0.5")
