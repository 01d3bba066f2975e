"""Invariant: whatever the venue says, in whatever order and however often, each fill counts once and nothing is
illegal."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Attempt, ExecutionReport, NewOrder, OrderStatus, Reason, RestOrder, Terms
from common.orders.fills import FillChange
from common.orders.ledger import FillLedger
from common.orders.leg import EXEC_TYPES, NEXT_WORD, Leg
from common.orders.numbers import ZERO
from common.orders.order_state import Order, Request, RequestKind
from common.orders.words import TERMINAL_WORDS
from tests.common.orders.ledgers import bust, correct

D = Decimal
FEW = settings(max_examples=150, deadline=None)


def new_order() -> Order:
    command = NewOrder(Attempt(1, 1), "s", 1, "v", "SYM", Terms("1", "2", D(10), D(5)), "X", 0)
    return Order.sent(command, 1, 1, 1)


def total(changes: list[FillChange | None]) -> tuple[Decimal, Decimal, Decimal]:
    told = [change for change in changes if change is not None]
    fees = sum((amount for change in told for _, amount in change.fees), ZERO)
    return sum((c.qty for c in told), ZERO), sum((c.value for c in told), ZERO), fees


# ---- the ledger ----


def tell(ledger: FillLedger, word: tuple[Any, ...]) -> FillChange | None:
    kind, key, *rest = word
    if kind == "trade, its fee untold":
        return ledger.trade("v", "S", key, "o", "1", D(rest[0]), D(rest[1]))
    if kind == "trade":
        return ledger.trade("v", "S", key, "o", "1", D(rest[0]), D(rest[1]), D(rest[2]), "BTC")
    if kind == "correct":
        return correct(ledger, "v", "S", key, rest[3], "o", "1", D(rest[0]), D(rest[1]), D(rest[2]), "BTC")
    return bust(ledger, "v", "S", key, rest[0])


def test_a_fill_told_twice_counts_once() -> None:
    ledger = FillLedger()
    assert tell(ledger, ("trade", "a", 2, 5, 0)) is not None
    assert tell(ledger, ("trade", "a", 2, 5, 0)) is None
    assert ledger.knows("v", "S", "a") and not ledger.knows("v", "T", "a")


def _of(change: FillChange | None) -> tuple[Decimal, Decimal, tuple[tuple[str, Decimal], ...], int] | None:
    return None if change is None else (change.qty, change.value, change.fees, change.fills)


@pytest.mark.parametrize("retired", [False, True])
def test_a_fee_that_is_told_later_is_taken_once_and_leaves_with_its_fill(retired: bool) -> None:
    ledger = FillLedger(max_retired=0)
    ledger.trade("v", "S", "a", "o", "1", D(2), D(5))
    if retired:
        ledger.retire("o")
        ledger.begin_record(1)
        assert not len(ledger)
    assert tell(ledger, ("trade", "a", 3, 5, 1)) is None, "it is of another quantity"
    late = tell(ledger, ("trade", "a", 2, 5, 1))
    assert _of(late) == (ZERO, ZERO, (("BTC", D(1)),), 0)
    if retired:
        ledger.retire("o")
        ledger.begin_record(2)
    assert tell(ledger, ("trade", "a", 2, 5, 1)) is None and tell(ledger, ("trade", "a", 2, 5, 2)) is None
    assert _of(correct(ledger, "v", "S", "b", "a", "o", "1", D(3), D(5))) == (D(1), D(5), (("BTC", D(-1)),), 0)
    assert _of(tell(ledger, ("correct", "b", 3, 5, 2, "a"))) == (ZERO, ZERO, (("BTC", D(2)),), 0)
    assert _of(tell(ledger, ("bust", "c", "b"))) == (D(-3), D(-15), (("BTC", D(-2)),), -1)


def test_a_price_and_a_fee_that_are_told_later_are_one_change() -> None:
    ledger = FillLedger()
    ledger.trade("v", "S", "a", "o", "1", D(2), ZERO)
    late = tell(ledger, ("trade", "a", 2, 5, 1))
    assert late is not None and _of(late) == (ZERO, D(10), (("BTC", D(1)),), 0)
    assert (late.unpriced_qty, ledger.unpriced_qty("o")) == (D(-2), ZERO)


def test_a_fee_of_zero_is_told_and_a_fee_without_an_asset_is_not() -> None:
    ledger = FillLedger()
    ledger.trade("v", "S", "a", "o", "1", D(2), D(5))
    assert ledger.trade("v", "S", "a", "o", "1", D(2), D(5), D(1)) is None
    assert tell(ledger, ("trade", "a", 2, 5, 0)) is None
    assert tell(ledger, ("trade", "a", 2, 5, 1)) is None


def test_a_late_fee_of_a_busted_fill_counts_nothing() -> None:
    ledger = FillLedger()
    ledger.trade("v", "S", "a", "o", "1", D(2), D(5))
    tell(ledger, ("bust", "b", "a"))
    assert tell(ledger, ("trade", "a", 2, 5, 1)) is None


def test_a_bust_before_its_trade_holds() -> None:
    ledger = FillLedger()
    assert tell(ledger, ("bust", "b", "a")) is None
    assert tell(ledger, ("trade", "a", 2, 5, 0)) is None


def test_a_correction_chain_counts_its_end_whatever_is_told_first() -> None:
    words = [("trade", "a", 2, 5, 1), ("correct", "b", 3, 5, 1, "a"), ("correct", "c", 4, 6, 2, "b")]
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1], [0, 2, 1], [1, 2, 0]):
        ledger = FillLedger()
        assert total([tell(ledger, words[i]) for i in order]) == (D(4), D(24), D(2)), order


def test_keys_that_refer_to_each_other_do_not_hang() -> None:
    ledger = FillLedger()
    words = [("correct", "a", 2, 5, 0, "b"), ("correct", "b", 3, 5, 0, "a"), ("correct", "c", 1, 1, 0, "c")]
    for word in words:
        tell(ledger, word)
    assert len(ledger) == 3


def test_retired_fills_are_bounded() -> None:
    ledger = FillLedger(max_retired=3)
    for number in range(10):
        ledger.trade("v", "S", str(number), f"o{number}", "1", D(1), D(1))
        ledger.retire(f"o{number}")
    ledger.begin_record(1)
    assert len(ledger) == 3
    assert ledger.knows("v", "S", "9") and len(ledger) == 3
    assert ledger.knows("v", "S", "0") and len(ledger) == 4, "it is looked up"


def test_a_stranger_s_fill_can_be_claimed_once() -> None:
    ledger = FillLedger()
    ledger.trade("v", "S", "a", "", "1", D(2), D(5), D(1), "BTC")
    claimed = ledger.claim("v", "S", "a", "o")
    assert claimed is not None and (claimed.qty, claimed.value, claimed.owner) == (D(2), D(10), "o")
    assert ledger.claim("v", "S", "a", "p") is None
    assert ledger.claim("v", "S", "z", "p") is None


def test_of_a_corrected_stranger_s_fill_the_correction_alone_can_be_claimed_and_of_a_busted_one_nothing() -> None:
    ledger = FillLedger()
    for key in "ab":
        ledger.trade("v", "S", key, "", "1", D(2), D(5))
    correct(ledger, "v", "S", "a2", "a", "", "1", D(3), D(5))
    bust(ledger, "v", "S", "b2", "b")
    claimed = [ledger.claim("v", "S", key, "o") for key in ("a", "a2", "b", "b2")]
    assert total(claimed) == (D(3), D(15), ZERO)
    rows, _ = ledger.dump()
    assert {row.trade_key: row.fill.owner for row in rows} == dict.fromkeys(("a", "a2", "b", "b2"), "o")


def _report(exec_type: str, key: str, reference: str = "", qty: str = "1") -> ExecutionReport:
    return ExecutionReport(
        "X", "", "V", "", exec_type, "1", "S", "1", D(10), D(5), D(qty), D(5), None, None, key,
        reference_trade_key=reference,
    )  # fmt: skip


def test_a_reference_without_its_generation_s_fill_finds_the_owner_s_latest_of_that_exec_id() -> None:
    ledger = FillLedger()
    for key, owner in (("1/a", "o"), ("2/a", "o"), ("4/a", "p"), ("b", "o"), ("1/c/d", "o")):
        ledger.report("v", owner, _report("F", key))
    for key, reference, replaced in (("5/x", "5/a", "2/a"), ("5/y", "5/b", "b"), ("5/z", "5/c/d", "1/c/d")):
        change = ledger.report("v", "o", _report("H", key, reference))
        assert change is not None and change.qty == D(-1)
        assert [fill.replaced_by for fill in ledger._fills["v", "S", replaced]] == [key]
    # One that is known by its very key, or has no generation, is taken as it is.
    assert ledger.report("v", "p", _report("G", "5/w", "4/a", "3")).qty == D(2)  # type: ignore[union-attr]
    assert ledger.report("v", "o", _report("H", "q", "a")) is None


def test_a_bust_of_a_fill_that_no_generation_has_told_holds_for_the_key_that_it_names() -> None:
    ledger = FillLedger()
    assert ledger.report("v", "o", _report("F", "1/a")) is not None
    for owner, name in (("o", "b"), ("p", "c")):
        assert ledger.report("v", owner, _report("H", f"2/x{name}", f"2/{name}")) is None
        assert ledger.report("v", owner, _report("F", f"2/{name}")) is None


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "-Infinity", "1E999999", "1E-999999"])
def test_an_implausible_fill_is_none(odd: str) -> None:
    ledger = FillLedger()
    assert ledger.report("v", "o", _report("F", "1", qty=odd)) is None
    assert ledger.trade("v", "S", "1", "o", "1", D(1), D(odd)) is None
    assert correct(ledger, "v", "S", "2", "1", "o", "1", D(1), D(1), D(odd), "BTC") is None
    assert len(ledger) == 0


_fill = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Trades, each perhaps followed by a chain of corrections, perhaps ended by a bust."""
    words: list[tuple[Any, ...]] = []
    for trade in range(draw(st.integers(1, 4))):
        key = f"t{trade}"
        words.append(("trade", key, *draw(_fill)))
        for step in range(draw(st.integers(0, 2))):
            words.append(("correct", f"{key}.{step}", *draw(_fill), key))
            key = f"{key}.{step}"
        if draw(st.booleans()):
            words.append(("bust", f"{key}!", key))
    return words


@FEW
@given(histories(), st.randoms(use_true_random=False), st.integers(0, 5))
def test_order_and_repetition_do_not_matter(words: list[tuple[Any, ...]], random: Any, repeats: int) -> None:
    straight = FillLedger()
    expected = total([tell(straight, word) for word in words])
    without = [("trade, its fee untold", *word[1:]) for word in words if word[0] == "trade" and random.random() < 0.5]
    shuffled = words + without + [random.choice(words) for _ in range(repeats)]
    random.shuffle(shuffled)
    ledger = FillLedger()
    assert total([tell(ledger, word) for word in shuffled]) == expected


# ---- the venue's word ----


def make_report(exec_type: str, ord_status: str, **fields: Any) -> ExecutionReport:
    values: dict[str, Any] = {
        "cl_ord_id": "X", "orig_cl_ord_id": "", "order_id": "V", "exec_id": "", "exec_type": exec_type,
        "ord_status": ord_status, "symbol": "SYM", "side": "1", "order_qty": D(10), "price": D(5), "last_qty": ZERO,
        "last_px": ZERO, "cum_qty": None, "leaves_qty": None,
    }  # fmt: skip
    return ExecutionReport(**(values | fields))


def test_the_table_is_whole() -> None:
    assert NEXT_WORD.keys() >= TERMINAL_WORDS
    assert set().union(*NEXT_WORD.values()) == set(EXEC_TYPES)


@pytest.mark.parametrize("word", sorted(TERMINAL_WORDS))
def test_a_stale_new_does_not_open_what_the_venue_has_ended(word: str) -> None:
    leg = Leg("X", "X", D(10), D(5), word=word)
    assert leg.hear_report(make_report("0", "0")) is (word == "8")
    assert leg.word == ("0" if word == "8" else word)


def over_rest(word: str, order_id: str, price: Decimal, cum_qty: Decimal, *, triggered: bool = False) -> RestOrder:
    """An order of 10 as REST tells it."""
    return RestOrder("S", order_id, "X", "1", word, D(10), price, cum_qty, triggered=triggered)


def test_that_a_stop_order_was_triggered_may_be_learnt_of_rest_and_is_not_unlearnt() -> None:
    leg = Leg("X", "X", D(10), D(5), word="9")
    leg.told_by_rest(over_rest("9", "V", D(5), D(0)))
    assert not leg.triggered
    leg.told_by_rest(over_rest("0", "V", D(5), D(0), triggered=True))
    assert leg.triggered and leg.word == "0"
    leg.told_by_rest(over_rest("0", "V", D(5), D(0)))
    assert leg.triggered


def test_rest_never_lowers_what_was_told() -> None:
    leg = Leg("X", "X", D(10), D(5))
    leg.hear_report(make_report("F", "1", cum_qty=D(4)))
    leg.told_by_rest(over_rest("1", "V", D(5), D(2)))
    assert (leg.told_cum_qty, leg.leaves_qty) == (D(4), D(6))


def test_rest_never_takes_back_an_end() -> None:
    leg = Leg("X", "X", D(10), D(5), word="4")
    leg.told_by_rest(over_rest("1", "V", D(5), D(2)))
    assert leg.word == "4"


def test_leaves_believe_the_venue_where_fills_are_missing() -> None:
    leg = Leg("X", "X", D(10), D(5))
    leg.hear_report(make_report("I", "1", cum_qty=D(7)))
    assert (leg.cum_qty, leg.leaves_qty) == (ZERO, D(3))


def test_a_word_of_life_is_stronger_than_never_received() -> None:
    order = new_order()
    order.conclude(order.legs[0], OrderStatus.VOID, Reason.NOT_FOUND)
    order.hear_report(order.legs[0], make_report("0", "0"))
    assert order.status is OrderStatus.NEW


def test_a_request_that_is_lost_with_its_connection_is_unknown_until_answered() -> None:
    order = new_order()
    order.hear_report(order.legs[0], make_report("0", "0"))
    order.request_sent(Request(RequestKind.CANCEL, Attempt(1, 2), "s", 2, "c", D(10), None, session="v"))
    assert order.connection_lost("v") and order.is_unknown
    assert order.status is OrderStatus.PENDING_CANCEL
    order.hear_report(order.legs[0], make_report("4", "4", cl_ord_id="c", orig_cl_ord_id="X"))
    assert order.is_closed and order.status.value == "CANCELED" and not order.is_unknown


def test_a_replacement_that_was_refused_and_has_traded_all_the_same_keeps_its_fills() -> None:
    order = new_order()
    order.hear_report(order.legs[0], make_report("0", "0"))
    for name, traded in (("r", True), ("q", False)):
        order.request_sent(Request(RequestKind.REPLACE, Attempt(1, 2), "s", 2, name, D(10), D(6)))
        change = FillLedger().trade("v", "S", "a", name, "1", D(2), D(6)) if traded else None
        if change is not None:
            order.legs[-1].fill(change)
        assert order.request_ended(name) is not None
    assert [leg.owner for leg in order.legs] == ["X", "r"] and order.cum_qty == D(2)


@pytest.mark.parametrize(("told", "unknown"), [("0", True), ("2", True), ("4", True), ("8", False), ("", False)])
def test_an_order_whose_new_half_the_venue_took_in_is_unknown_until_the_end_of_the_old_one(
    told: str, unknown: bool
) -> None:
    order = new_order()
    order.hear_report(order.legs[0], make_report("0", "0"))
    order.request_sent(Request(RequestKind.REPLACE, Attempt(1, 2), "s", 2, "r", D(10), D(6)))
    assert not order.is_unknown
    old, new = order.legs
    if told:
        new.told_by_rest(over_rest(told, "W", D(6), D(10) if told == "2" else D(0)))
        order.told_by_rest(new, new.cl_ord_id)
    else:
        order.request_ended("r")
    assert order.is_unknown is unknown and order.leg is old
    old.told_by_rest(over_rest("4", "V", D(5), D(0)))
    order.told_by_rest(old, old.cl_ord_id)
    assert not order.is_unknown


_reports = st.builds(
    make_report,
    st.sampled_from(sorted(EXEC_TYPES)),
    st.sampled_from("0123456789ABCDE"),
    cl_ord_id=st.sampled_from(["X", "c", "r"]),
    orig_cl_ord_id=st.sampled_from(["", "X"]),
    order_qty=st.sampled_from([None, D(10), D(12), D(8)]),
    last_qty=st.integers(0, 5).map(D),
    last_px=st.just(D(5)),
    cum_qty=st.none() | st.integers(0, 12).map(D),
    trade_key=st.sampled_from(["", "a", "b", "c", "d"]),
    reference_trade_key=st.sampled_from(["", "a", "b"]),
)


@FEW
@given(st.lists(_reports, max_size=14), st.sets(st.integers(0, 13)), st.sets(st.integers(0, 13)))
def test_every_event_in_every_state_is_total(
    reports: list[ExecutionReport], requests: set[int], losses: set[int]
) -> None:
    order, ledger = new_order(), FillLedger()
    for step, report in enumerate(reports):
        if step in requests and not order.is_closed:
            kind, name = (RequestKind.REPLACE, "r") if step % 2 else (RequestKind.CANCEL, "c")
            if name not in {leg.owner for leg in order.legs}:
                order.request_sent(Request(kind, Attempt(1, step + 2), "s", 2, name, D(10), D(6)))
        if step in losses:
            order.connection_lost("v")
        leg = order.leg_of(report)
        if leg is not None:
            change = ledger.report("v", leg.owner, report)
            if change is not None:
                next(each for each in order.legs if each.owner == change.owner).fill(change)
            order.hear_report(leg, report)
        assert order.leaves_qty >= 0
        assert order.is_closed or order.legs
        assert order.status in OrderStatus
        if order.is_closed:
            assert not order.requests and order.leaves_qty == 0


@FEW
@given(st.lists(_reports, max_size=10))
def test_a_report_said_twice_in_a_row_changes_nothing_the_second_time(reports: list[ExecutionReport]) -> None:
    order, ledger = new_order(), FillLedger()
    leg = order.legs[0]
    for report in reports:
        states = []
        for _ in range(2):
            change = ledger.report("v", leg.owner, report)
            if change is not None:
                leg.fill(change)
            order.hear_report(leg, report)
            states.append((leg.word, leg.cum_qty, leg.leaves_qty, order.status))
        assert states[0] == states[1]


def test_a_claimed_fill_of_a_living_order_is_not_forgotten_with_those_of_closed_orders() -> None:
    ledger = FillLedger(max_retired=2)
    ledger.trade("v", "S", "a", "", "1", D(2), D(5))
    assert ledger.claim("v", "S", "a", "living") is not None
    for number in range(5):
        ledger.trade("v", "S", str(number), f"o{number}", "1", D(1), D(1))
        ledger.retire(f"o{number}")
    assert ledger.trade("v", "S", "a", "living", "1", D(2), D(5)) is None, "the same fill counts again"


def test_a_claimed_fill_is_the_order_s_in_a_loaded_ledger_too() -> None:

    def told(kind: str, key: str, reference: str = "") -> ExecutionReport:
        return ExecutionReport(
            "X", "", "V", "", kind, "1", "S", "1", D(10), D(5), D(1), D(5), None, None, key,
            reference_trade_key=reference,
        )  # fmt: skip

    results = []
    for reload in (False, True):
        ledger = FillLedger()
        ledger.report("v", "", told("F", "1/a"))
        ledger.claim("v", "S", "1/a", "o")
        if reload:
            dump = ledger.dump()
            ledger = FillLedger()
            ledger.load(*dump)
        change = ledger.report("v", "o", told("H", "2/x", "2/a"))
        results.append(None if change is None else change.qty)
    assert results == [D(-1), D(-1)]


def test_a_fill_whose_bust_or_correction_came_first_stays_while_its_order_lives() -> None:
    ledger = FillLedger(max_retired=2)
    correct(ledger, "v", "S", "b", "a", "living", "1", D(3), D(5), D(0), "")
    ledger.trade("v", "S", "a", "living", "1", D(2), D(5))
    for number in range(5):
        ledger.trade("v", "S", str(number), f"o{number}", "1", D(1), D(1))
        ledger.retire(f"o{number}")
    assert ledger.trade("v", "S", "a", "living", "1", D(2), D(5)) is None, "what was corrected counts again"


@pytest.mark.parametrize("cum_qty", [None, D(6)])
def test_a_bust_takes_away_its_own_fill_and_not_what_was_told_and_is_still_to_come(cum_qty: Decimal | None) -> None:
    ledger, leg = FillLedger(), Leg("o", "o", D(10), D(1))
    for report in (_report("F", "1", qty="4"), _report("H", "2", "1")):
        change = ledger.report("v", "o", report)
        assert change is not None
        leg.fill(change)
        leg.hear_report(msgspec.structs.replace(report, cum_qty=D(10) if report.exec_type == "F" else cum_qty))
    assert (leg.cum_qty, leg.told_cum_qty, leg.filled_qty) == (D(0), D(6), D(6))


def amending(order: Order, order_qty: Decimal, price: Decimal) -> Request:
    """An amendment in place, sent and not answered."""
    request = Request(RequestKind.AMEND, Attempt(1, 2), "s", 2, "a", order_qty, price, owner="X")
    order.request_sent(request)
    return request


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"order_qty": D(10), "price": D(4)}, True),
        ({"order_qty": D(10), "price": D(5)}, False),
        ({"order_qty": D(10), "price": None}, False),
        ({"order_qty": D(10), "price": D(4), "ord_status": "E"}, False),
        ({"order_qty": D(10), "price": D(4), "exec_type": "0"}, False),
    ],
)
def test_a_report_of_state_answers_the_amendment_whose_terms_it_tells(fields: dict[str, Any], answers: bool) -> None:
    """A venue that tells states alone gives an amended order no other name."""
    order = new_order()
    order.hear_report(order.legs[0], make_report("I", "0"))
    amending(order, D(10), D(4))
    order.hear_report(order.legs[0], make_report(**{"exec_type": "I", "ord_status": "0", **fields}))
    assert (not order.requests) is answers
    assert order.status is (OrderStatus.NEW if answers else OrderStatus.PENDING_REPLACE)


@pytest.mark.parametrize(("cl_ord_id", "carried_out"), [("a", True), ("X", False), ("", False)])
def test_an_amendment_in_place_was_carried_out_where_rest_calls_the_order_by_its_name(
    cl_ord_id: str, carried_out: bool
) -> None:
    """Its report was lost or could not be read. The next cancel has to name the order as the venue knows it."""
    order = new_order()
    leg = order.legs[0]
    order.hear_report(leg, make_report("0", "0"))
    amending(order, D(10), D(4))
    leg.told_by_rest(over_rest("0", "V", D(4), D(0)))
    order.told_by_rest(leg, cl_ord_id)
    assert (not order.requests) is carried_out
    assert leg.cl_ord_id == ("a" if carried_out else "X")


def test_a_report_of_state_under_a_request_s_name_is_no_answer_to_it() -> None:
    order = new_order()
    order.hear_report(order.legs[0], make_report("0", "0"))
    amending(order, D(10), D(4))
    order.hear_report(order.legs[0], make_report("I", "0", cl_ord_id="a", orig_cl_ord_id="X", price=D(4)))
    assert order.requests
