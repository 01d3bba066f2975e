"""The session's small parts: the message rate, the journal's clock, the table of open orders."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.actor.rates import MessageRate, Use
from common.instant import NS_PER_MS, Instant
from common.messages import Attempt, CancelRejected, ExecutionReport, NewOrder, RequestRejected, Unreadable
from services.session.open_orders import OpenOrders
from services.session.records import JournalClock
from tests.common.venues.samples import amend, new

ZERO = Decimal(0)


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(Use)), max_size=80))
def test_no_window_ever_holds_more_than_the_limit(tries: list[tuple[int, Use]]) -> None:
    rate = MessageRate(messages=5, window_ms=1000, reserved=2)
    boot_ms = 0
    left: list[int] = []
    for gap_ms, use in tries:
        boot_ms += gap_ms
        now = Instant(0, boot_ms * NS_PER_MS)
        if rate.room(0, now, use):
            rate.left(now)
            left.append(boot_ms)
            assert sum(boot_ms - 1000 < at for at in left) <= (5 if use is Use.KILL else 3)


def test_what_waits_counts_as_sent() -> None:
    rate = MessageRate(messages=40, window_ms=1000, reserved=10)
    now = Instant(0, 10**9)
    assert rate.room(29, now, Use.RISK) == 1 and not rate.room(30, now, Use.RISK)
    assert rate.room(30, now, Use.SAFE) == 5, "two are the kill switch's, two for answers, one is for a Logout(5)"
    assert not rate.room(35, now, Use.SAFE) and rate.room(35, now, Use.KILL) == 2
    assert not rate.room(37, now, Use.KILL)


@pytest.mark.parametrize("messages", [4, 20, 100, 1000])
def test_the_venues_answers_and_a_logout_find_room_behind_the_kill(messages: int) -> None:
    rate = MessageRate(messages, window_ms=1000, reserved=1)
    used_up = rate.room(0, Instant(0, 10**9), Use.KILL)
    answers = min(rate.answers, messages - used_up - 1)
    assert used_up > messages // 2 and used_up + answers + 1 <= messages
    assert answers == rate.answers or messages < 6


def test_the_clock_is_a_lower_bound_that_tightens_and_starts_anew_with_the_journal() -> None:
    clock = JournalClock()
    clock.hear_stamp(1_000, 1, Instant(0, 100))
    clock.hear_stamp(1_050, 1, Instant(0, 200))
    assert clock.estimate_ns(Instant(0, 300)) == 1_200
    clock.hear_stamp(1_190, 1, Instant(0, 250))
    assert clock.estimate_ns(Instant(0, 300)) == 1_240
    assert clock.boot_ns(1_240) == 300
    clock.hear_stamp(900, 2, Instant(0, 310))
    assert clock.estimate_ns(Instant(0, 320)) == 910


def report(cl_ord_id: str, exec_type: str, ord_status: str, **terms: object) -> ExecutionReport:
    """A report on an order."""
    values: dict[str, object] = {
        "orig_cl_ord_id": "",
        "order_id": "77",
        "exec_id": "x",
        "symbol": "BTCUSDT",
        "side": "1",
        "order_qty": Decimal("0.5"),
        "price": None,
        "last_qty": ZERO,
        "last_px": ZERO,
        "cum_qty": None,
        "leaves_qty": None,
    }
    return ExecutionReport(cl_ord_id=cl_ord_id, exec_type=exec_type, ord_status=ord_status, **{**values, **terms})  # type: ignore[arg-type]


def sent(orders: OpenOrders, command: NewOrder) -> None:
    """A new order was numbered."""
    orders.order_sent(command, 1, opens=True)


def names(orders: OpenOrders) -> list[str]:
    """What may be open."""
    return [order.cl_ord_id for order in orders.all()]


def test_an_order_may_be_open_from_its_number_to_its_end() -> None:
    orders = OpenOrders()
    sent(orders, new())
    assert names(orders) == ["5-1"]
    orders.hear_event(report("5-1", "0", "0"), 1)
    orders.hear_event(report("5-9", "4", "4", orig_cl_ord_id="5-1"), 1)
    assert names(orders) == []


def test_an_order_that_was_heard_of_is_not_undone_by_its_message() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(report("5-1", "0", "0"), 1)
    orders.never_arrived(new().attempt)
    orders.hear_event(RequestRejected(3, new().attempt, "5-1"), 1)
    assert names(orders) == ["5-1"]


@pytest.mark.parametrize(
    "word", [Unreadable("5-1", "", "", "BTCUSDT", "odd"), Unreadable("5-2", "5-1", "", "BTCUSDT", "odd")]
)
def test_nor_one_of_which_the_venue_said_what_could_not_be_read(word: Unreadable) -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(word, 1)
    orders.never_arrived(new().attempt)
    assert names(orders) == ["5-1"]


def test_a_report_of_rejected_under_a_request_s_name_ends_no_order_but_the_one_that_it_would_have_opened() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(report("5-1", "0", "0"), 1)
    orders.order_sent(amend(cl_ord_id="5-3", orig_cl_ord_id="5-1"), 1, opens=True)
    for name in ("5-2", "5-3"):
        orders.hear_event(report(name, "8", "8", orig_cl_ord_id="5-1"), 1)
    assert names(orders) == ["5-1"]


def test_a_report_on_another_instrument_or_the_opposite_side_ends_no_order() -> None:
    orders = OpenOrders()
    sent(orders, new())
    for wrong in ({"side": "2"}, {"symbol": "ETHUSDT"}):
        orders.hear_event(report("5-1", "4", "4", **wrong), 1, ("BTCUSDT", "ETHUSDT"))
    assert names(orders) == ["5-1"]
    orders.hear_event(report("5-1", "4", "4", symbol="BTC/USDT", side=""), 1, ("BTCUSDT", "ETHUSDT"))
    assert names(orders) == []


def test_an_ambiguous_word_ends_nothing() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(report("5-1", "8", "8", ambiguous=True, order_id=""), 1)
    orders.hear_event(RequestRejected(3, new().attempt, "5-1", ambiguous=True), 1)
    assert names(orders) == ["5-1"]
    orders.hear_event(RequestRejected(3, new().attempt, "5-1"), 1)
    assert names(orders) == []


def test_an_amendment_in_place_renames_and_a_cancel_and_new_adds() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(report("5-1", "0", "0"), 1)
    orders.order_sent(amend(), 1, opens=False)
    assert names(orders) == ["5-1"]
    orders.hear_event(report("5-2", "5", "0", orig_cl_ord_id="5-1"), 1)
    assert names(orders) == ["5-2"]
    orders.order_sent(amend(cl_ord_id="5-3", orig_cl_ord_id="5-2"), 1, opens=True)
    assert sorted(names(orders)) == ["5-2", "5-3"]
    orders.hear_event(CancelRejected("5-3", "5-2", "77", ""), 1)
    assert names(orders) == ["5-2"]


def test_an_amendment_in_place_leaves_nothing_behind() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(report("5-1", "0", "0"), 1)
    empty, attempts = OpenOrders().dump(), orders.dump()[1]
    for counter in range(2, 50):
        orders.order_sent(amend(attempt=Attempt(5, counter), cl_ord_id=f"5-{counter}"), 1, opens=False)
    assert orders.dump()[1] == attempts and names(orders) == ["5-1"]
    orders.never_arrived(Attempt(5, 49))
    # As the report of a venue where the order keeps its name.
    orders.hear_event(report("5-1", "5", "0", orig_cl_ord_id="5-1"), 1)
    assert names(orders) == ["5-1"]
    orders.hear_event(report("5-1", "F", "2"), 1)
    assert orders.dump() == empty


def test_a_report_of_new_terms_without_a_quantity_leaves_the_quantity() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(report("5-1", "0", "0"), 1)
    before = orders.all()[0].order_qty
    orders.hear_event(report("5-2", "5", "0", orig_cl_ord_id="5-1", order_qty=None), 1)
    assert [(order.cl_ord_id, order.order_qty) for order in orders.all()] == [("5-2", before)]


def test_an_accepted_amendment_has_the_quantity_that_was_asked_for() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.order_sent(amend(), 1, opens=False)
    orders.hear_event(report("5-2", "5", "0", orig_cl_ord_id="5-1", order_qty=Decimal("0.1")), 1)
    assert [order.order_qty for order in orders.all()] == [amend().order_qty]
    orders.hear_event(report("5-2", "5", "0", order_qty=Decimal("0.1")), 1)
    assert [order.order_qty for order in orders.all()] == [amend().order_qty], "nothing was asked for"


def test_a_strangers_order_is_followed_under_its_new_name() -> None:
    orders = OpenOrders()
    orders.hear_event(report("by-hand", "0", "0", order_id="91"), 1)
    orders.hear_event(report("by-hand-2", "5", "0", orig_cl_ord_id="by-hand", order_id="91"), 1)
    assert names(orders) == ["by-hand-2"]
    assert orders.dump()[1] == [], "no attempt of ours placed it"
    orders.hear_event(report("by-hand-2", "F", "2", order_id=""), 1)
    assert names(orders) == []


def test_a_strangers_order_on_the_account_is_kept_too() -> None:
    orders = OpenOrders()
    orders.hear_event(report("by-hand", "0", "0", order_id="91"), 1)
    assert names(orders) == ["by-hand"]
    orders.hear_event(report("web-1", "4", "4", orig_cl_ord_id="by-hand", order_id="91"), 1)
    assert names(orders) == []


def test_an_order_that_the_venue_says_is_closed_when_it_refuses_the_cancel_is_not_open() -> None:
    orders = OpenOrders()
    orders.order_sent(new(), 1, opens=True)
    name = new().cl_ord_id
    orders.hear_event(CancelRejected("c", name, "77", "8", 1, "", unknown_order=True), 1)
    orders.hear_event(CancelRejected("c", name, "77", "0", 0, "too fast"), 1)
    assert orders.find(name) is not None
    orders.hear_event(CancelRejected("c", name, "77", "4", 0, "The order is closed."), 1)
    assert orders.find(name) is None


def test_what_is_done_for_the_day_may_trade_on_another_one_and_has_to_be_cancelled() -> None:
    orders = OpenOrders()
    sent(orders, new())
    orders.hear_event(report("5-1", "0", "0"), 1)
    orders.hear_event(report("5-1", "3", "3"), 1)
    assert names(orders) == ["5-1"]
    orders.hear_event(report("web-1", "3", "3", order_id="78"), 1)
    assert names(orders) == ["5-1", "web-1"]
