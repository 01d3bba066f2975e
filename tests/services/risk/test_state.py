"""Invariants: nothing that may still trade goes uncounted, whatever was lost; each fill counts once, whoever tells
it; silence ends nothing; the same log gives the same state and digest.
"""

from decimal import Decimal as D

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.instant import NS_PER_S
from common.messages import (
    AmendOrder,
    Answer,
    Ask,
    Booked,
    CancelRejected,
    ExecutionReport,
    GapFilled,
    Inbound,
    Kind,
    NewOrder,
    Outbound,
    Reason,
    RequestRejected,
    RestOrder,
    SessionChanged,
    SessionState,
    Trade,
    Unreadable,
    Verdict,
    Withdrawn,
)
from common.orders.absence import CLOCK_MARGIN_NS
from common.orders.books import CLOSED_ORDERS, Books
from common.venues.binance.dialect import Binance
from services.risk.state import RiskState
from tests.journals import Journal
from tests.services.risk.rig import START_NS, Orders, Rig, facts, report

WINDOW_NS = Binance().profile.window_ns + CLOCK_MARGIN_NS


def sent(rig: Rig, order: NewOrder, connection: int = 1) -> NewOrder:
    rig.command(order)
    rig.outbound(order, connection=connection)
    return order


# -- fills -----------------------------------------------------------------------------------------------------------


def test_a_fill_moves_from_what_is_open_to_what_is_held() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "F", "1", last="2", key="t1", cum="2"))
    assert rig.worst() == (D(3), D(0), D(2))
    rig.inbound(report(order, "F", "2", last="3", key="t2", cum="5"))
    assert rig.worst() == (D(0), D(0), D(5))


def test_a_transfer_of_what_nobody_holds_yet_ends_nothing() -> None:
    rig = Rig()
    told = Booked("generic", "BTCUSDT", "t", D(1), D(100), "me", "", is_transfer=True, from_strategy="s")
    rig.record(Kind.BOOKED, told)
    assert rig.worst() == (D(0), D(0), D(0))


def test_a_negative_quantity_that_the_venue_tells_of_one_order_takes_nothing_off_the_others() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.send(rig.orders.new("1", "2"))
    rig.inbound(report(order, "D", "0", qty="-5"))
    assert rig.worst()[0] >= 2 and rig.state.exposure.open_orders == {"alpha": 2}
    rig.inbound(report(order, "4"))
    assert rig.worst() == (D(2), D(0), D(0)) and rig.state.exposure.open_orders == {"alpha": 1}


def test_a_fee_in_the_base_asset_is_taken_off_the_position() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "F", "1", last="2", key="t1", fee="0.002", fee_asset="BTC"))
    rig.inbound(report(order, "F", "1", last="1", key="t2", fee="0.1", fee_asset="USDT"))
    assert rig.worst()[2] == D("2.998")
    sell = rig.send(rig.orders.new("2", "5"))
    rig.inbound(report(sell, "F", "1", last="1", key="t3", fee="0.001", fee_asset="BTC"))
    assert rig.worst()[2] == D("1.997")


def test_a_fill_told_twice_counts_once_and_one_told_late_still_counts() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    fill = report(order, "F", "1", last="2", key="t1")
    rig.inbound(fill)
    rig.inbound(fill)
    rig.inbound(report(order, "4"))
    rig.inbound(report(order, "F", "4", last="1", key="t2"))
    assert rig.worst() == (D(0), D(0), D(3))
    assert rig.state.exposure.shares["alpha", "generic", "BTCUSDT"].position == 3


def test_a_bust_and_a_correction_take_the_position_back() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "F", "1", last="2", key="t1"))
    rig.inbound(report(order, "G", "1", last="1", key="t2", reference="t1", cum="1"))
    assert rig.worst() == (D(4), D(0), D(1))
    rig.inbound(report(order, "H", "0", key="t3", reference="t2", cum="0"))
    assert rig.worst() == (D(5), D(0), D(0))


def test_a_fill_of_somebody_elses_order_moves_the_position_and_what_is_left_of_it_counts() -> None:
    rig = Rig()
    stranger = rig.orders.new("1", "5")
    for last, word, left in (("2", "1", 3), ("3", "2", 0)):
        fill = report(stranger, "F", word, last=last, key=last, cum="2" if left else "5", cl_ord_id="web", order_id="9")
        rig.inbound(fill)
        assert rig.worst() == (D(left), D(0), D(5 - left)) and not rig.state.books.orders
    assert not rig.state.exposure.shares and not rig.state.exposure.open_orders


def test_quantity_that_the_venue_counts_and_the_ledger_lacks_stays_exposed() -> None:
    """Fills are missing: they are to come, and then they are held."""
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "4", cum="3"))
    assert rig.worst() == (D(3), D(0), D(0))
    rig.inbound(report(order, "F", "4", last="3", key="t1", cum="3"))
    assert rig.worst() == (D(0), D(0), D(3))


def test_a_report_handed_on_again_after_a_crash_changes_nothing() -> None:
    rig = Rig()
    rig.session(SessionState.OPENED)
    order = rig.send(rig.orders.new("1", "5"))
    larger = rig.orders.amend(order, "8")
    rig.command(larger)
    rig.outbound(larger)
    rig.inbound(report(order, "5", "0", cl_ord_id=larger.cl_ord_id, orig=order.cl_ord_id, qty="8"))
    number = rig.inbound_numbers["generic"]
    smaller = rig.orders.amend(order, "2", orig=larger.cl_ord_id)
    rig.command(smaller)
    rig.outbound(smaller)
    rig.inbound(report(order, "5", "0", cl_ord_id=smaller.cl_ord_id, orig=larger.cl_ord_id, qty="2"))
    rig.inbound(report(order, "5", "0", cl_ord_id=larger.cl_ord_id, orig=order.cl_ord_id, qty="8"), number=number)
    assert rig.worst()[0] == 2


def test_what_an_emergency_file_hands_over_late_is_believed() -> None:
    """Its numbers are announced before its messages, which are lower."""
    rig = Rig()
    rig.session(SessionState.OPENED)
    order = rig.send(rig.orders.new("1", "5"))
    rig.record(Kind.SESSION, SessionChanged("generic", 1, 1, SessionState.NUMBERS_SET, 90, 90))
    late = Inbound("generic", 1, 1, 40, "8", b"", report(order, "4"), emergency=True)
    rig.record(Kind.INBOUND, late)
    assert rig.worst()[0] == 0


def test_numbers_set_back_by_hand_are_heard_again() -> None:
    rig = Rig()
    rig.session(SessionState.OPENED)
    order = rig.send(rig.orders.new("1", "5"))
    rig.record(Kind.SESSION, SessionChanged("generic", 1, 1, SessionState.NUMBERS_SET, 1, 1))
    rig.inbound(report(order, "4"), number=1)
    assert rig.worst()[0] == 0


# -- how orders end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["4", "8", "C"])
def test_the_venues_word_ends_an_order(word: str) -> None:
    rig = Rig()
    rig.inbound(report(sent(rig, rig.orders.new("1", "5")), word))
    assert rig.worst() == (D(0), D(0), D(0)) and not rig.state.exposure.open_orders


def test_done_for_the_day_is_not_the_end() -> None:
    rig = Rig()
    rig.inbound(report(rig.send(rig.orders.new("1", "5")), "3"))
    assert rig.worst()[0] == 5


def test_a_lost_connection_ends_nothing() -> None:
    rig = Rig()
    sent(rig, rig.orders.new("1", "5"))
    rig.session(SessionState.DISCONNECTED)
    rig.log_tick(ms=60_000)
    assert rig.worst()[0] == 5


def test_what_the_venue_never_received_and_was_gap_filled_is_over() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5"))
    rig.record(Kind.GAP_FILLED, GapFilled("generic", 1, 2, 5, 6, (order.attempt,)))
    assert rig.worst()[0] == 0


def test_a_gap_fill_does_not_end_what_the_venue_has_spoken_of() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.record(Kind.GAP_FILLED, GapFilled("generic", 1, 2, 5, 6, (order.attempt,)))
    assert rig.worst()[0] == 5
    unread = sent(rig, rig.orders.new("1", "3"))
    rig.inbound(Unreadable(unread.cl_ord_id, "", "", "BTCUSDT", "odd"))
    rig.record(Kind.GAP_FILLED, GapFilled("generic", 1, 2, 5, 6, (unread.attempt,)))
    assert rig.worst()[0] == 8


def test_a_rejected_message_ends_its_order_unless_its_outcome_is_unknown() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5", venue="binance"))
    unknown = RequestRejected(5, order.attempt, order.cl_ord_id, -1007, "timeout", True)
    rig.inbound(unknown, venue="binance")
    assert rig.worst("binance")[0] == 5
    rig.inbound(RequestRejected(5, order.attempt, order.cl_ord_id, -1013, "filter"), venue="binance")
    assert rig.worst("binance")[0] == 0


def test_a_rejected_message_that_is_known_by_the_orders_name_alone_ends_its_order() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5"))
    rig.inbound(RequestRejected(5, None, "another", 3, "no such symbol"))
    assert rig.worst()[0] == 5
    rig.inbound(RequestRejected(5, None, order.cl_ord_id, 3, "no such symbol"))
    assert rig.worst()[0] == 0 and not rig.state.exposure.open_orders.get("alpha")


def test_a_rejection_with_an_unknown_outcome_is_no_rejection() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5", venue="binance"))
    rig.inbound(report(order, "8", ambiguous=True), venue="binance")
    assert rig.worst("binance")[0] == 5


def test_a_status_request_on_a_later_connection_that_finds_nothing_ends_an_order_never_heard_of() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5"))
    rig.inbound(report(order, "I", "8", unknown_order=True), connection=1)
    assert rig.worst()[0] == 5
    rig.inbound(report(order, "I", "8", unknown_order=True), connection=2)
    assert rig.worst()[0] == 0


def test_a_status_request_that_finds_nothing_does_not_end_an_order_that_was_heard_of() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "I", "8", unknown_order=True), connection=2)
    assert rig.worst()[0] == 5


def test_an_operators_verdict_ends_an_order() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5"))
    rig.record(Kind.VERDICT, Verdict(order.strategy, order.number, "4", D(0), "me", "phoned them"))
    assert rig.worst()[0] == 0


def test_an_order_held_for_never_received_that_is_heard_of_is_counted_again() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5"))
    rig.record(Kind.GAP_FILLED, GapFilled("generic", 1, 2, 5, 6, (order.attempt,)))
    rig.inbound(report(order, "0"))
    assert rig.worst()[0] == 5 and rig.state.exposure.open_orders == {"alpha": 1}


# -- amendments ------------------------------------------------------------------------------------------------------


def amended(rig: Rig, order: NewOrder, qty: str) -> AmendOrder:
    amend = rig.orders.amend(order, qty)
    rig.command(amend)
    rig.outbound(amend)
    return amend


def test_a_rejected_amendment_leaves_the_old_terms() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    amend = amended(rig, order, "8")
    rig.inbound(CancelRejected(amend.cl_ord_id, order.cl_ord_id, "", "0", ambiguous=True))
    assert rig.worst()[0] == 8
    rig.inbound(CancelRejected(amend.cl_ord_id, order.cl_ord_id, "", "0"))
    assert rig.worst()[0] == 5


def test_a_withdrawn_amendment_leaves_the_old_terms() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    amend = amended(rig, order, "8")
    rig.record(Kind.WITHDRAWN, Withdrawn("generic", 1, 1, 6, amend.attempt, Reason.LATE))
    assert rig.worst()[0] == 5


def test_a_filled_order_may_be_reopened_by_the_amendment_that_crossed_the_fill() -> None:
    """FIX 4.4 Appendix D, C.3.a: the fill comes first, then the replacement to a larger quantity is accepted."""
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    amend = amended(rig, order, "8")
    rig.inbound(report(order, "F", "2", last="5", key="t1", cum="5"))
    assert rig.worst() == (D(3), D(0), D(5))
    rig.inbound(report(order, "5", "1", cl_ord_id=amend.cl_ord_id, orig=order.cl_ord_id, qty="8", cum="5"))
    assert rig.worst() == (D(3), D(0), D(5))
    rig.inbound(report(amend, "F", "2", last="3", key="t2", cum="8"))
    assert rig.worst() == (D(0), D(0), D(8))


def test_a_filled_order_is_over_once_a_later_connection_has_caught_up() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    amended(rig, order, "8")
    rig.inbound(report(order, "F", "2", last="5", key="t1", cum="5"))
    rig.session(SessionState.CAUGHT_UP, connection=2)
    assert rig.worst() == (D(0), D(0), D(5))


def test_a_status_told_over_a_later_connection_settles_an_unanswered_amendment() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    amended(rig, order, "8")
    rig.inbound(report(order, "I", "0"), connection=1)
    assert rig.worst()[0] == 8
    rig.inbound(report(order, "I", "0"), connection=2)
    assert rig.worst()[0] == 5


def test_a_lowering_that_keeps_the_cl_ord_id_is_rejected_under_the_orders_own_name() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    amended(rig, order, "3")
    (working,) = rig.state.books.orders.values()
    assert len(working.requests) == 1
    rig.inbound(CancelRejected(order.cl_ord_id, order.cl_ord_id, "", "", -2038), venue="binance")
    assert not working.requests and rig.worst("binance")[0] == 5


def test_the_new_half_of_a_replacement_that_was_refused_goes_and_the_old_half_stays() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    replace = rig.orders.amend(order, "5", "101.00")
    rig.command(replace)
    rig.outbound(replace)
    rig.inbound(CancelRejected(replace.cl_ord_id, order.cl_ord_id, "", "", -2011), venue="binance")
    assert rig.worst("binance")[0] == 5
    rig.inbound(report(order, "4"), venue="binance")
    assert rig.worst("binance")[0] == 0


def test_an_order_that_was_amended_often_is_found_by_each_of_its_names() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    name = order.cl_ord_id
    for index in range(20):
        amend = rig.orders.amend(order, "5", f"{100 + index % 3}.00", orig=name)
        rig.command(amend)
        rig.outbound(amend)
        rig.inbound(report(amend, "5", "0", orig=name))
        name = amend.cl_ord_id
        rig.log_tick(ms=10)
        rig.top()
    rig.inbound(report(order, "4", cl_ord_id="cancel", orig=name))
    assert rig.worst()[0] == 0


# -- REST ------------------------------------------------------------------------------------------------------------


def ask(rig: Rig, what: str, order: NewOrder | None = None) -> Ask:
    name = "" if order is None else order.cl_ord_id
    return Ask("binance", 1, what, "BTCUSDT", name, asked_lsn=rig.log.lsn)


def trade(key: str, qty: str, order_id: str) -> Trade:
    return Trade("BTCUSDT", key, order_id, "1", D(qty), D(100), D(0), "", 0)


def test_rest_trades_count_once_with_those_told_over_fix() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    rig.inbound(report(order, "F", "1", last="2", key="1", order_id="77"), venue="binance")
    answer = Answer("binance", ask(rig, "trades"), False, trades=(trade("1", "2", "77"), trade("2", "1", "77")))
    rig.record(Kind.ANSWER, answer)
    assert rig.worst("binance") == (D(2), D(0), D(3))


def test_a_trade_told_before_its_order_was_named_finds_it_later() -> None:
    rig = Rig()
    order = sent(rig, rig.orders.new("1", "5", venue="binance"))
    rig.record(Kind.ANSWER, Answer("binance", ask(rig, "trades"), False, trades=(trade("1", "2", "77"),)))
    assert rig.worst("binance") == (D(5), D(0), D(2))
    rig.inbound(report(order, "0", order_id="77"), venue="binance")
    assert rig.worst("binance") == (D(3), D(0), D(2))


def test_a_rest_order_that_is_older_than_what_was_journaled_since_is_discarded() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    question = ask(rig, "order", order)
    rig.inbound(report(order, "0"), venue="binance")
    told = RestOrder("BTCUSDT", "77", order.cl_ord_id, "1", "4", D(5), D(100), D(0))
    rig.record(Kind.ANSWER, Answer("binance", question, False, order=told))
    assert rig.worst("binance")[0] == 5
    rig.record(Kind.ANSWER, Answer("binance", ask(rig, "order", order), False, order=told))
    assert rig.worst("binance")[0] == 0


def lost(rig: Rig) -> NewOrder:
    """An order that was sent and never heard of, on a connection that is dead."""
    order = sent(rig, rig.orders.new("1", "5", venue="binance"))
    rig.session(SessionState.CONNECTING, venue="binance")
    rig.session(SessionState.DISCONNECTED, venue="binance")
    return order


def absent(rig: Rig, order: NewOrder, *, late_ns: int = WINDOW_NS + 1, strangers: bool = False) -> None:
    sent_ns = rig.order().sent_ns
    trades = (trade("9", "1", "500"),) if strangers else ()
    rig.record(Kind.ANSWER, Answer("binance", ask(rig, "trades"), False, trades=trades, venue_ns=sent_ns + late_ns))
    question = ask(rig, "order", order)
    rig.record(Kind.ANSWER, Answer("binance", question, False, not_found=True, venue_ns=sent_ns + late_ns))


def test_not_found_after_the_window_for_order_and_trades_ends_an_order_never_heard_of() -> None:
    rig = Rig()
    absent(rig, lost(rig))
    assert rig.worst("binance")[0] == 0


def test_not_found_within_the_window_ends_nothing() -> None:
    rig = Rig()
    absent(rig, lost(rig), late_ns=WINDOW_NS)
    assert rig.worst("binance")[0] == 5


def test_not_found_beside_a_trade_of_nobody_ends_nothing() -> None:
    rig = Rig()
    absent(rig, lost(rig), strangers=True)
    assert rig.worst("binance")[0] == 5


def test_not_found_on_a_living_connection_ends_nothing_unless_the_venue_gave_up() -> None:
    rig = Rig()
    rig.session(SessionState.OPENED, venue="binance")
    order = sent(rig, rig.orders.new("1", "5", venue="binance"))
    absent(rig, order)
    assert rig.worst("binance")[0] == 5
    rig.inbound(report(order, "8", ambiguous=True), venue="binance")
    absent(rig, order)
    assert rig.worst("binance")[0] == 0


def test_not_found_asked_before_the_connections_end_was_read_ends_nothing() -> None:
    rig = Rig()
    rig.session(SessionState.OPENED, venue="binance")
    order = sent(rig, rig.orders.new("1", "5", venue="binance"))
    early = ask(rig, "order", order)
    rig.session(SessionState.DISCONNECTED, venue="binance")
    venue_ns = rig.log.stamp_ns + WINDOW_NS + NS_PER_S
    rig.record(Kind.ANSWER, Answer("binance", ask(rig, "trades"), False, venue_ns=venue_ns))
    rig.record(Kind.ANSWER, Answer("binance", early, False, not_found=True, venue_ns=venue_ns))
    assert rig.worst("binance")[0] == 5


def test_a_failed_answer_says_nothing() -> None:
    rig = Rig()
    order = lost(rig)
    venue_ns = rig.log.stamp_ns + 2 * WINDOW_NS
    rig.record(Kind.ANSWER, Answer("binance", ask(rig, "trades"), True, venue_ns=venue_ns))
    rig.record(Kind.ANSWER, Answer("binance", ask(rig, "order", order), True, not_found=True, venue_ns=venue_ns))
    assert rig.worst("binance")[0] == 5


# -- memory, digest --------------------------------------------------------------------------------------------------


def test_closed_orders_leave_memory() -> None:
    log, state = Journal(START_NS), RiskState(Books(facts()))
    orders = Orders(log)
    for _ in range(CLOSED_ORDERS + 50):
        order = orders.new("1", "5")
        log.add(Kind.OUTBOUND, Outbound("generic", 1, 1, 5, "D", b"", order), ms=1)
        apply_last(state, log)
        inbound = report(order, "4", order_id=str(order.number))
        log.add(Kind.INBOUND, _inbound(order.number, inbound), ms=1)
        apply_last(state, log)
    assert len(state.books.orders) == len(state.books.by_id) == len(state.books.by_order_id) == CLOSED_ORDERS
    assert not state.exposure.shares and not state.exposure.open_orders


def _inbound(number: int, event: ExecutionReport) -> Inbound:
    return Inbound("generic", 1, 1, number, "8", b"", event)


def apply_last(state: RiskState, log: Journal) -> None:
    state.apply(log.records[-1])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "amend", "cancel", "fill", "tell", "tell twice", "lose", "expire"]),
        st.integers(0, 7),
        st.integers(1, 9),
        st.sampled_from(["1", "2"]),
    ),
    min_size=5,
    max_size=60,
)


@settings(max_examples=150)
@given(STEPS)
def test_at_no_moment_may_the_venue_hold_more_than_risk_counts(steps: list[tuple[str, int, int, str]]) -> None:
    """The venue acts at once and tells late: what it has open and traded is always within what risk counts at worst,
    and is exactly that when all was told.
    """
    rig = Rig()
    rig.session(SessionState.OPENED)
    sides: dict[str, str] = {}
    terms: dict[str, list[D]] = {}
    names: dict[str, str] = {}
    commands: dict[str, NewOrder] = {}
    untold: list[object] = []
    position, trades = D(0), 0

    def check(exact: bool = False) -> None:
        may_buy, may_sell, held = rig.worst()
        bought = sum((q - c for n, (q, c) in terms.items() if sides[n] == "1"), D(0))
        sold = sum((q - c for n, (q, c) in terms.items() if sides[n] == "2"), D(0))
        assert held + may_buy >= position + bought
        assert held - may_sell <= position - sold
        if exact:
            assert (may_buy, may_sell, held) == (bought, sold, position)

    for what, which, qty, side in steps:
        names_open = list(terms)
        name = names_open[which % len(names_open)] if names_open else ""
        if what == "new":
            order = rig.orders.new(side, str(qty), "100.00")  # type: ignore[arg-type]
            before = len(rig.sent)
            rig.command(order)
            if len(rig.sent) > before:
                check()
                rig.outbound(order)
                sides[order.cl_ord_id], commands[order.cl_ord_id] = side, order
                names[order.cl_ord_id] = order.cl_ord_id
                terms[order.cl_ord_id] = [D(qty), D(0)]
                untold.append(report(order, "0"))
        elif what == "amend" and name:
            order, total = commands[name], terms[name]
            amend = rig.orders.amend(order, str(qty), "100.01", orig=names[name], cum=str(total[1]))
            before = len(rig.sent)
            rig.command(amend)
            if len(rig.sent) > before:
                check()
                rig.outbound(amend)
                if D(qty) > total[1]:
                    total[0] = D(qty)
                    replaced = report(order, "5", "0", cl_ord_id=amend.cl_ord_id, orig=names[name], qty=str(qty))
                    untold.append(replaced)
                    names[name] = amend.cl_ord_id
                else:
                    untold.append(CancelRejected(amend.cl_ord_id, names[name], "", "0"))
        elif what == "cancel" and name:
            untold.append(report(commands[name], "4", cl_ord_id="c", orig=names[name], cum=str(terms[name][1])))
            del terms[name]
        elif what == "fill" and name:
            total = terms[name]
            amount = min(D(qty), total[0] - total[1])
            total[1] += amount
            trades += 1
            position += amount if sides[name] == "1" else -amount
            done = total[0] == total[1]
            untold.append(
                report(
                    commands[name], "F", "2" if done else "1", cl_ord_id=names[name], last=str(amount),
                    key=f"t{trades}", cum=str(total[1]),
                )
            )  # fmt: skip
            if done:
                del terms[name]
        elif what in ("tell", "tell twice") and untold:
            event = untold.pop(0)
            rig.inbound(event)
            if what == "tell twice":
                rig.inbound(event, number=rig.inbound_numbers["generic"])
        elif what == "lose":
            rig.session(SessionState.DISCONNECTED)
        elif what == "expire":
            rig.log_tick(ms=1200)
            rig.top()
        check()
    for event in untold:
        rig.inbound(event)
        check()
    rig.log_tick(ms=2000)
    check(exact=True)
    again = RiskState(Books(facts()))
    for record in rig.log.records:
        again.apply(record)
    assert again.digest() == rig.state.digest()
