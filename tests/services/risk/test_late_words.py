"""What is told late, of something else, or of what risk does not know: it moves no limit that it should not move."""

import pytest

from common.actor import state_hashes
from common.actor.core import ReadLog, Send
from common.journal.frames import TICK
from common.messages import (
    AmendOrder,
    Answer,
    Ask,
    GapFilled,
    Kind,
    NewOrder,
    Reason,
    Refused,
    RestOrder,
    SessionState,
    StateHash,
    Trade,
)
from common.orders.books import Bounds
from services.risk import state
from tests.services.risk.rig import D, Rig, report
from tests.terms import wanting

NOTHING = (D(0), D(0), D(0))


def flies(rig: Rig, amend: AmendOrder) -> AmendOrder:
    """The amendment passes and is in the log."""
    rig.command(amend)
    assert rig.sent[-1].attempt == amend.attempt  # type: ignore[attr-defined]
    rig.outbound(amend)
    return amend


def asked(rig: Rig, what: str, order: NewOrder | None = None, **which: object) -> Ask:
    """A question that is asked now."""
    name = "" if order is None else order.cl_ord_id
    return Ask("binance", 1, what, "BTCUSDT", name, asked_lsn=rig.log.lsn, **which)  # type: ignore[arg-type]


# -- reservations ----------------------------------------------------------------------------------------------------


def test_a_full_queue_that_is_told_after_the_deadline_frees_nothing_twice() -> None:
    rig = Rig()
    rig.send(rig.orders.new("1", "2"))
    late = rig.orders.new("1", "5", ttl_ms=100)
    rig.core.received("commands", b"", late, rig.now)
    (send,) = [effect for effect in rig.core.effects if isinstance(effect, Send)]
    rig.core.effects.clear()
    rig.log_tick(ms=101)
    assert rig.worst()[0] == 2
    rig.core.undelivered(send, rig.now)
    rig.settle()
    assert rig.worst()[0] == 2 and rig.state.exposure.open_orders == {"alpha": 1}


def test_one_amendment_that_is_refused_leaves_the_other_in_flight_counted() -> None:
    """The third is counted from the first's 2, the least that the order may turn out to have."""
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    first, second, third = (rig.orders.amend(order, qty) for qty in ("2", "8", "9"))
    rig.command(first)
    rig.command(second)
    assert rig.worst()[0] == 5 + 6
    refused = Refused("session@generic", Reason.GATE_CLOSED, "", "alpha", second.number, second.attempt, second)
    rig.record(Kind.REFUSED, refused)
    assert rig.worst()[0] == 5
    rig.command(third)
    assert rig.worst()[0] == 5 + 7


def test_a_market_order_is_made_smaller_without_a_reference_price() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", None))
    rig.top(bid=None, ask=None)
    smaller = wanting(rig.orders.amend(order, "4"), price=None)
    rig.command(smaller)
    assert rig.sent[-1].attempt == smaller.attempt and not rig.refused  # type: ignore[attr-defined]
    rig.command(rig.orders.new("1", "1", None))
    assert rig.refused[-1].reason is Reason.REFERENCE_STALE


# -- amendments ------------------------------------------------------------------------------------------------------


def test_an_amendment_of_an_order_that_risk_does_not_know_counts_nothing() -> None:
    rig = Rig()
    never_sent = rig.orders.new("1", "5")
    rig.outbound(rig.orders.amend(never_sent, "8"))
    assert rig.worst() == NOTHING and not rig.state.exposure.open_orders


def test_a_report_that_rejects_an_amendment_ends_the_amendment_alone() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    amend = flies(rig, rig.orders.amend(order, "8"))
    assert rig.worst()[0] == 8
    rig.inbound(report(order, "8", cl_ord_id=amend.cl_ord_id, orig=order.cl_ord_id))
    assert rig.worst()[0] == 5 and rig.state.exposure.open_orders == {"alpha": 1}


def test_the_name_that_an_order_goes_by_outlives_any_number_of_names_that_came_to_nothing() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    named = flies(rig, rig.orders.amend(order, "5", "100.01"))
    rig.inbound(report(named, "5", "0", orig=order.cl_ord_id))
    for _ in range(4):
        lost = flies(rig, rig.orders.amend(order, "5", "100.02", orig=named.cl_ord_id))
        rig.record(Kind.GAP_FILLED, GapFilled("generic", 1, 1, 1, 1, (lost.attempt,)))
    rig.inbound(report(named, "4", cl_ord_id="a-cancel", orig=named.cl_ord_id))
    assert rig.worst() == NOTHING and not rig.state.exposure.open_orders


def test_an_order_that_rest_tells_as_cancelled_is_over_and_so_is_its_unanswered_amendment() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    flies(rig, rig.orders.amend(order, "3"))
    rig.session(SessionState.DISCONNECTED, venue="binance")
    rig.session(SessionState.CAUGHT_UP, venue="binance", connection=2)
    told = RestOrder("BTCUSDT", "77", order.cl_ord_id, "1", "4", D(5), D(100), D(0))
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "order", order), False, order=told))
    assert rig.worst("binance") == NOTHING and not rig.state.exposure.open_orders


def test_many_unanswered_amendments_end_with_their_order() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    for _ in range(18):
        rig.outbound(rig.orders.amend(order, "6"))
    rig.inbound(report(order, "4"))
    assert rig.worst() == NOTHING


# -- reports and answers ---------------------------------------------------------------------------------------------


def test_another_venues_word_under_our_name_is_a_strangers() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "4"), venue="binance")
    assert rig.worst()[0] == 5
    rig.inbound(report(order, "F", "1", last="2", key="t1", cum="2", order_id="V1"), venue="binance")
    assert rig.worst()[0] == 5 and rig.worst("binance") == (D(3), D(0), D(2))


def test_a_strangers_order_that_rest_tells_as_ended_is_not_remembered() -> None:
    rig = Rig()
    for word, strangers in (("4", 0), ("0", 1)):
        told = RestOrder("BTCUSDT", "99", "by-hand", "1", word, D(1), D(100), D(0))
        rig.record(Kind.ANSWER, Answer("binance", asked(rig, "open_orders"), False, orders=(told,)))
        assert len(rig.state.books.externals) == strangers


def test_the_trades_of_one_order_are_counted_and_prove_nothing_of_another() -> None:
    """That an order never arrived is believed only where all trades of its symbol were told."""
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    rig.inbound(report(order, "0", order_id="77"), venue="binance")
    lost = rig.orders.new("1", "1", venue="binance")
    rig.command(lost)
    rig.outbound(lost)
    rig.session(SessionState.CONNECTING, venue="binance")
    rig.session(SessionState.DISCONNECTED, venue="binance")
    venue_ns = rig.log.stamp_ns + 60_000_000_000
    trades = (Trade("BTCUSDT", "1", "77", "1", D(2), D(100), D(0), "", 0),)
    of_one = asked(rig, "trades", order_id="77")
    rig.record(Kind.ANSWER, Answer("binance", of_one, False, trades=trades, venue_ns=venue_ns))
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "order", lost), False, not_found=True, venue_ns=venue_ns))
    assert rig.worst("binance") == (D(4), D(0), D(2))
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "trades"), False, trades=trades, venue_ns=venue_ns))
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "order", lost), False, not_found=True, venue_ns=venue_ns))
    assert rig.worst("binance") == (D(3), D(0), D(2))


def lost(rig: Rig) -> tuple[NewOrder, int]:
    """An order that was sent on a connection that is dead, all trades told since; and the venue's clock, later."""
    order = rig.orders.new("1", "5", venue="binance")
    rig.command(order)
    rig.outbound(order)
    rig.session(SessionState.CONNECTING, venue="binance")
    rig.session(SessionState.DISCONNECTED, venue="binance")
    venue_ns = rig.log.stamp_ns + 60_000_000_000
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "trades"), False, venue_ns=venue_ns))
    return order, venue_ns


def test_not_found_that_was_asked_before_the_last_news_of_an_order_ends_nothing() -> None:
    rig = Rig()
    order, venue_ns = lost(rig)
    early = asked(rig, "order", order)
    rig.inbound(report(order, "8", ambiguous=True), venue="binance")
    rig.record(Kind.ANSWER, Answer("binance", early, False, not_found=True, venue_ns=venue_ns))
    assert rig.worst("binance")[0] == 5
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "order", order), False, not_found=True, venue_ns=venue_ns))
    assert rig.worst("binance") == NOTHING


def test_not_found_does_not_end_an_order_that_was_heard_of() -> None:
    rig = Rig()
    order, venue_ns = lost(rig)
    rig.inbound(report(order, "0"), venue="binance")
    rig.record(Kind.ANSWER, Answer("binance", asked(rig, "order", order), False, not_found=True, venue_ns=venue_ns))
    assert rig.worst("binance")[0] == 5


# -- the stream before there is an epoch ----------------------------------------------------------------------------


def test_before_its_epoch_a_block_says_how_far_the_log_reaches_and_an_empty_one_nothing() -> None:
    rig = Rig(live=False)
    rig.core.followed(b"", rig.now)
    assert not rig.core.effects
    block = rig.log.add(TICK, ms=1)
    rig.core.followed(block, rig.now)
    assert [effect for effect in rig.core.effects if isinstance(effect, ReadLog)] == [ReadLog(1, 1)]


# -- memory and digest -----------------------------------------------------------------------------------------------


def test_an_order_that_a_bust_reopened_is_not_forgotten_with_the_ended_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr(rig.state.books, "bounds", Bounds(closed_orders=1))
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "F", "2", last="5", key="t1"))
    rig.inbound(report(order, "H", "0", key="t2", reference="t1", cum="0"))
    assert rig.worst() == (D(5), D(0), D(0))
    for number in range(3):
        rig.inbound(report(rig.send(rig.orders.new("1", "1")), "4", order_id=f"V{number}"))
    assert rig.worst() == (D(5), D(0), D(0)) and len(rig.state.books.orders) == 2
    rig.inbound(report(order, "4", cum="0"))
    assert rig.worst() == NOTHING


def test_an_order_that_is_forgotten_leaves_none_of_the_venues_names_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr(rig.state.books, "bounds", Bounds(closed_orders=0))
    order = rig.send(rig.orders.new("1", "5"))
    for order_id, word in (("V1", "0"), ("V2", "0"), ("V2", "4")):
        rig.inbound(report(order, word, order_id=order_id))
    assert not rig.state.books.orders and not rig.state.books.by_order_id


def test_only_risks_own_hashes_are_compared_and_only_while_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_hashes, "HASH_EVERY", 5)
    monkeypatch.setattr(state, "HASHES_KEPT", 2)
    rig = Rig()
    while rig.log.lsn < 30:
        rig.send(rig.orders.new("1", "0.1", strategy=f"s{rig.log.lsn}"))
    hashes = [payload for payload in rig.appended if isinstance(payload, StateHash)]
    assert len({each.digest for each in hashes}) == len(hashes) > 2 and not rig.state.hashes.mismatches
    first, last = hashes[0].at_lsn, hashes[-1].at_lsn
    rig.record(Kind.STATE_HASH, StateHash("orders", last, b"\0" * 8))
    rig.record(Kind.STATE_HASH, StateHash("risk", first, b"\0" * 8, state.FOLD_VERSION))
    rig.record(Kind.STATE_HASH, StateHash("risk", last, b"\0" * 8, 99))
    assert rig.core.status(rig.now)["hash_mismatches"] == 0
    rig.record(Kind.STATE_HASH, StateHash("risk", last, b"\0" * 8, state.FOLD_VERSION))
    assert rig.core.status(rig.now)["hash_mismatches"] == 1


def test_a_negative_order_qty_of_the_venue_does_not_free_what_the_order_may_still_do() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "D", "0", qty="-5"))
    assert rig.worst()[0] == 5
