"""The order manager names what it sends in the venue's form, and finds it again by what the log says of the attempt."""

from common.messages import Attempt, GapFilled, Kind, NewOrder, OrderStatus, Outbound, Reason, Withdrawn
from common.orders.facts import VenueFacts
from common.orders.names import OF_ORDERS, PERIOD, ClOrdIdForm, attempt_of
from services.orders.settings import AccountRules, OrdersSettings, VenueWays
from tests.services.orders.harness import Ring

EPOCH = 1_790_000_000


def ring_of(form: ClOrdIdForm) -> Ring:
    """An order manager that is live, and whose venue "generic" takes such names."""
    facts = VenueFacts(0, {"BTCUSDT": "BTC"}, {"BTCUSDT": "USDT"}, names=form)
    ring = Ring(OrdersSettings({"generic": AccountRules(facts, VenueWays(True, False, ("BTCUSDT",)))}))
    ring.journal.epochs["orders"] = EPOCH - 1
    ring.start()
    ring.go_live()
    ring.hello()
    ring.open("generic")
    return ring


def test_an_order_an_amendment_and_a_cancel_are_named_in_the_venue_s_form() -> None:
    for form in ClOrdIdForm:
        ring = ring_of(form)
        command = ring.new(1)
        assert attempt_of(command.cl_ord_id, form) == command.attempt
        assert command.attempt.epoch == EPOCH


def test_what_the_log_says_of_an_attempt_is_found_whatever_its_name_looks_like() -> None:
    for form in ClOrdIdForm:
        ring = ring_of(form)
        one, other = ring.new(1), ring.new(2)
        for command in (one, other):
            ring.sent(command)
        ring.record(
            "session@generic", Kind.WITHDRAWN, Withdrawn("generic", 1, 1, 1, one.attempt, Reason.CONNECTION_LOST)
        )
        ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 1, 2, 2, (other.attempt,)))
        states = {order.number: order.status for order in ring.core.books.orders.values()}
        states |= {number: OrderStatus(status) for number, _, status in ring.events()}
        assert states == {1: OrderStatus.WITHDRAWN, 2: OrderStatus.VOID}


def own(ring: Ring, attempt: Attempt) -> None:
    """The session has named a request of its own."""
    ring.record("session@generic", Kind.OUTBOUND, Outbound("generic", 1, 1, 9, "q", b"raw", own=attempt))


def test_what_follows_a_session_s_own_name_stands_behind_it() -> None:
    ring = ring_of(ClOrdIdForm.DIGITS)
    before = ring.new(1)
    own(ring, Attempt(EPOCH, OF_ORDERS + 3))
    after = ring.new(2)
    assert before.attempt.counter < OF_ORDERS and after.attempt.counter == PERIOD
    assert int(before.cl_ord_id) < int(after.cl_ord_id)
    own(ring, Attempt(EPOCH, OF_ORDERS + 4))
    own(ring, Attempt(EPOCH - 5, 90 * PERIOD))
    assert ring.new(3).attempt.counter == PERIOD + 1


def test_before_the_names_of_an_epoch_end_the_next_life_takes_a_new_one() -> None:
    ring = ring_of(ClOrdIdForm.DIGITS)
    own(ring, Attempt(EPOCH, 999_999_999 - 20 * PERIOD))
    ring.new(1)
    assert ring.exit is None
    own(ring, Attempt(EPOCH, 999_999_999 - 9 * PERIOD))
    last = ring.new(2)
    assert ring.exit is not None and "takes a new epoch" in ring.exit.text
    ring.start()
    ring.go_live()
    ring.hello()
    command = ring.new(3)
    assert isinstance(command, NewOrder) and int(command.cl_ord_id) > int(last.cl_ord_id)
