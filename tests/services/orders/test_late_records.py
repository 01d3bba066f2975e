"""Records that come doubled, late, or about what nobody knows: they change nothing that was decided."""

from typing import Any

import pytest

from common.messages import (
    Ask,
    Attempt,
    CancelOrder,
    CancelRequest,
    CommandOutcome,
    GapFilled,
    Kind,
    NewOrder,
    NewOrderRequest,
    RateRefused,
    Reason,
    Refused,
    RefusedAttempt,
    RestOrder,
    Terms,
    Unreadable,
    Withdrawn,
)
from common.request_identity import command_identity
from tests.services.orders.harness import D, Ring, accepted, report
from tests.terms import gathered

NOBODY = Attempt(77, 77)


def stranger(name: str = "theirs", **terms: Any) -> NewOrder:
    values: dict[str, Any] = {"attempt": NOBODY, "strategy": "x", "number": 1, "venue": "generic", "symbol": "BTCUSDT"}
    values |= {"side": "1", "ord_type": "2", "order_qty": D(3), "price": D(100), "time_in_force": "1"}
    return NewOrder(**gathered({**values, "cl_ord_id": name, "deadline_ns": 0, **terms}))


def cancel_of(ring: Ring, target: int) -> CancelOrder:
    """A cancel that is under way at the venue."""
    ring.request(CancelRequest(0, 50 + target, target))
    cancel: CancelOrder = ring.last(CancelOrder)
    ring.sent(cancel)
    return cancel


def digest(ring: Ring) -> tuple[list[tuple[int, str, str]], list[tuple[int, str]], str]:
    order = ring.core.books.orders["s", 1]
    return ring.events(), ring.outcomes(), order.status.value


def test_a_doubled_record_of_what_was_sent_changes_nothing(ring: Ring) -> None:
    order = accepted(ring, 1)
    cancel = cancel_of(ring, 1)
    before = digest(ring)
    ring.sent(order)
    ring.sent(cancel)
    refused = Refused("risk", Reason.QUEUE_FULL, "", "s", 51, cancel.attempt, cancel)
    ring.record("risk", Kind.REFUSED, refused)
    assert digest(ring) == before


def test_a_withdrawal_or_a_gap_of_what_was_heard_of_changes_nothing(ring: Ring) -> None:
    order = accepted(ring, 1)
    before = digest(ring)
    ring.record("session@generic", Kind.WITHDRAWN, Withdrawn("generic", 1, 1, 1, order.attempt, Reason.LATE))
    ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 1, 1, 1, (order.attempt, NOBODY)))
    assert digest(ring) == before


@pytest.mark.parametrize("kind", ["withdrawn", "gap"])
def test_a_cancel_that_never_arrived_is_sent_again(ring: Ring, kind: str) -> None:
    accepted(ring, 1)
    cancel = cancel_of(ring, 1)
    if kind == "withdrawn":
        ring.record("session@generic", Kind.WITHDRAWN, Withdrawn("generic", 1, 1, 2, cancel.attempt, Reason.LATE))
    else:
        ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 1, 2, 2, (cancel.attempt,)))
    assert cancel.cl_ord_id not in ring.core.books.orders["s", 1].requests
    ring.pass_time(2_000)
    assert ring.last(CancelOrder).attempt != cancel.attempt
    ring.record("session@generic", Kind.GAP_FILLED, GapFilled("generic", 1, 1, 2, 2, (cancel.attempt,)))
    assert ring.core.books.orders["s", 1].status.value == "NEW"


def test_a_cancel_of_an_order_that_is_nobodys_is_only_answered(ring: Ring) -> None:
    accepted(ring, 1)
    before = digest(ring)
    cancel = CancelOrder(NOBODY, "s", 90, "generic", "BTCUSDT", "1", "z-1", "z-0", "", "s", 80, D(1))
    ring.sent(cancel)
    refused = CancelOrder(Attempt(77, 78), "s", 91, "generic", "BTCUSDT", "1", "z-2", "z-0", "", "s", 80, D(1))
    ring.record("risk", Kind.REFUSED, Refused("risk", Reason.QUEUE_FULL, "", "s", 91, refused.attempt, refused))
    assert digest(ring)[2] == before[2] and digest(ring)[0] == before[0]


def test_a_stranger_is_shown_only_where_it_can_be_named(ring: Ring) -> None:
    ring.told("generic", report(stranger("b"), "0", "0", order_id=""))
    assert not ring.core.books.externals
    ring.told("generic", report(stranger("a"), "I", "0", order_id="V7"))
    assert list(ring.core.books.externals) == [("generic", "BTCUSDT", "V7")]
    ring.told("generic", report(stranger("a"), "4", "4", order_id="V7"))
    assert not ring.core.books.externals
    ring.told("generic", report(stranger("c"), "F", "1", qty="1", key="t1", order_id=""))
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D(1)
    assert not ring.core.books.unclaimed
    ring.told("generic", report(stranger("d"), "0", "0"))
    assert len(ring.core.books.externals) == 1
    ring.told("generic", report(stranger("d"), "4", "4"))
    assert not ring.core.books.externals


def test_a_fill_that_was_busted_before_its_order_was_known_is_not_told(ring: Ring) -> None:
    order = ring.new(1)
    ring.told("generic", report(stranger(), "F", "1", qty="1", key="t1", order_id="V9"))
    ring.told("generic", report(stranger(), "H", "0", key="t2", reference_trade_key="t1", order_id="V9"))
    ring.sent(order)
    ring.report(order, "0", "0", order_id="V9")
    assert ring.core.books.orders["s", 1].cum_qty == D(0)
    assert ring.core.books.positions["generic", "BTCUSDT"].quantity == D(0)
    assert [event for event in ring.events() if event[1] == "trade"] == []


def test_rest_finds_the_only_leg_that_has_no_order_id_yet(ring: Ring) -> None:
    order = ring.new(1, "binance")
    ring.sent(order)
    told = RestOrder("BTCUSDT", "", order.cl_ord_id, "1", "0", D(1), D(100), D(0))
    ask = Ask("binance", 95, "open_orders", "BTCUSDT", asked_lsn=ring.core.books.lsn)
    ring.answers(venue="binance", ask=ask, orders=(told,))
    assert ring.core.books.orders["s", 1].status.value == "NEW"


def test_a_batch_of_refusals_for_the_rate_is_an_outcome_of_each_command_by_its_own_deadline(ring: Ring) -> None:
    commands = [ring.new(number) for number in (1, 2, 3)]
    attempts = tuple(RefusedAttempt(c.number, c.attempt, c.deadline_ns, command_identity(c)) for c in commands)
    late = RefusedAttempt(4, Attempt(ring.epoch, 99), ring.journal.stamp_ns - 1)
    record = RateRefused("risk", Reason.STRATEGY_RATE, "over 5 in 1000 ms", "s", (*attempts, late))
    ring.record("risk", Kind.RATE_REFUSED, record)
    assert ring.outcomes() == [(1, "refused"), (2, "refused"), (3, "refused"), (4, "expired")]
    names = [(m.lsn, m.index) for m in ring.clients[b"p"] if isinstance(m, CommandOutcome)]
    assert names == sorted(set(names))
    assert ring.core.status(ring.now)["in_flight"] == 0
    ring.record("risk", Kind.RATE_REFUSED, record)
    assert len(ring.outcomes()) == 4
    ring.start()
    ring.go_live()
    ring.hello()
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    told = ring.clients[b"p"][-1]
    assert (told.outcome, told.reason, told.repeat) == ("refused", Reason.STRATEGY_RATE, True)
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(2), D(100))))
    assert ring.clients[b"p"][-1].reason is Reason.NAME_REUSED
    ring.request(NewOrderRequest(0, 4, "generic", "BTCUSDT", Terms("1", "2", D(2), D(100))))
    of_older_record = ring.clients[b"p"][-1]
    assert of_older_record.reason is Reason.EXPIRED, "nobody knows its body"


@pytest.mark.parametrize("told_by", ["fix", "rest"])
def test_an_answer_that_changes_little_is_in_the_digest_all_the_same(ring: Ring, told_by: str) -> None:
    """Else a restart comes to another hash of the same state, and says that the log does not agree with itself."""
    order = accepted(ring, 1, "generic" if told_by == "fix" else "binance")
    ring.told(order.venue, Unreadable(order.cl_ord_id, "", "", order.symbol, "why"))
    ring.core.books.digest()
    if told_by == "fix":
        ring.report(order, "I", "8", unknown_order=True)
    else:
        told = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "0", D(1), D(99), D(0))
        ask = Ask("binance", 901, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
        ring.answers(venue="binance", ask=ask, order=told)
    assert not ring.core.books.orders["s", 1].in_doubt
    living = ring.core.books.digest()
    ring.load_snapshot()
    assert ring.core.books.digest() == living


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_second_order_of_one_name_does_not_take_the_first_one_s_place(ring: Ring, is_closed: bool) -> None:
    first = accepted(ring, 1)
    second = stranger("rt-9", strategy="s", deadline_ns=first.deadline_ns)
    if is_closed:
        ring.report(first, "4", "4")
    ring.sent(second)
    ring.report(second, "F", "1", qty="1", key="9")
    ring.report(first, "F", "1", qty="0.4", key="1")
    ring.load_snapshot()
    books = ring.core.books
    order = books.orders["s", 1]
    assert (order.legs[0].owner, order.cum_qty) == (first.cl_ord_id, D("0.4"))
    assert books.positions["generic", "BTCUSDT"].quantity == D("1.4")
    differences = sum(record.kind == Kind.DISCREPANCY for record in ring.journal.records)
    assert differences == 2, "its name is taken, and it is shown as somebody else's"
