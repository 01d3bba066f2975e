"""A stop order as the order manager has it: what it is told by, and when it may be amended."""

import pytest
from msgspec import structs

from common.messages import (
    AmendRequest,
    Ask,
    CancelOrder,
    CancelRejected,
    CancelRequest,
    NewOrder,
    NewOrderRequest,
    OrderEvent,
    Reason,
    RestOrder,
    Terms,
)
from common.request_identity import request_identity
from scripts.cli.orders import _listed_terms, _trailing, price_text
from services.desk.rows import type_words
from tests.services.orders.harness import D, Ring

STOP_LIMIT = Terms("1", "4", D(1), D(111), stop_px=D(110))
STOP = Terms("1", "3", D(1), stop_px=D(110))


def sent(ring: Ring, terms: Terms) -> NewOrder:
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", terms))
    order: NewOrder = ring.last(NewOrder)
    ring.sent(order)
    ring.report(order, "0", "0")
    return order


def told(ring: Ring) -> OrderEvent:
    return [message for message in ring.clients[b"p"] if isinstance(message, OrderEvent)][-1]


def test_it_sleeps_until_the_venue_tells_that_it_was_triggered(ring: Ring) -> None:
    order = sent(ring, STOP_LIMIT)
    assert order.terms == STOP_LIMIT
    assert (told(ring).event, told(ring).triggered, told(ring).terms.stop_px) == ("new", False, D(110))
    ring.report(order, "L", "0")
    assert (told(ring).event, told(ring).status.value, told(ring).triggered) == ("triggered", "NEW", True)
    ring.start()
    ring.go_live()
    assert ring.core.books.orders["s", 1].triggered


def test_a_second_word_of_new_that_says_that_it_sleeps_no_more_is_that_it_was_triggered(ring: Ring) -> None:
    order = sent(ring, STOP_LIMIT)
    for sleeps, event in ((None, "new"), (True, "new"), (False, "triggered")):
        ring.report(order, "0", "0", sleeps=sleeps, order_id=f"V{order.cl_ord_id}" if sleeps is None else "child")
        assert (told(ring).event, told(ring).status.value, told(ring).triggered) == (event, "NEW", event == "triggered")
    ring.report(order, "F", "1", qty="0.25", key="a")
    assert told(ring).cum_qty == D("0.25")
    ring.start()
    ring.go_live()
    assert ring.core.books.orders["s", 1].triggered


def test_a_limit_order_that_does_not_sleep_is_new_and_was_never_triggered(ring: Ring) -> None:
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(100))))
    order: NewOrder = ring.last(NewOrder)
    ring.sent(order)
    ring.report(order, "0", "0", sleeps=False)
    assert (told(ring).event, told(ring).triggered) == ("new", False)


def test_one_that_is_filled_was_triggered_though_nobody_told(ring: Ring) -> None:
    order = sent(ring, STOP)
    ring.report(order, "F", "1", qty="0.25", key="a")
    assert told(ring).triggered


@pytest.mark.parametrize("how", ["told", "filled", "rest"])
def test_a_cancel_says_that_it_sleeps_until_anything_tells_that_it_does_not(ring: Ring, how: str) -> None:
    order = sent(ring, STOP_LIMIT)
    ring.request(CancelRequest(0, 2, 1))
    first: CancelOrder = ring.last(CancelOrder)
    assert first.sleeps
    if how == "rest":
        row = RestOrder("BTCUSDT", f"V{order.cl_ord_id}", order.cl_ord_id, "1", "0", D(1), D(111), D(0), triggered=True)
        ask = Ask("generic", 1, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
        ring.answers(venue="generic", ask=ask, order=row)
    elif how == "told":
        ring.report(order, "L", "0")
    else:
        ring.report(order, "F", "1", qty="0.25", key="a")
    ring.sent(first)
    ring.told("generic", CancelRejected(first.cl_ord_id, order.cl_ord_id, "", "", 1, "", True))
    ring.pass_time(4000)
    second: CancelOrder = ring.last(CancelOrder)
    assert second.attempt != first.attempt and not second.sleeps


@pytest.mark.parametrize("over_rest", [False, True])
def test_one_that_the_venue_took_for_the_other_direction_is_cancelled_after_a_restart_too(
    ring: Ring, over_rest: bool
) -> None:
    order = sent(ring, STOP_LIMIT)
    if over_rest:
        names = f"V{order.cl_ord_id}", order.cl_ord_id
        row = RestOrder("BTCUSDT", *names, "1", "9", D(1), D(111), D(0), take_profit=True)
        ask = Ask("generic", 1, "order", "BTCUSDT", order.cl_ord_id, asked_lsn=ring.core.books.lsn)
        ring.answers(venue="generic", ask=ask, order=row)
    else:
        ring.report(order, "0", "9", take_profit=True)
    first: CancelOrder = ring.last(CancelOrder)
    assert (first.target_strategy, first.target_number, first.sleeps) == ("s", 1, True)
    ring.commands.clear()
    ring.start()
    ring.go_live()
    again: CancelOrder = ring.last(CancelOrder)
    assert again.target_number == 1 and again.attempt != first.attempt


def test_one_that_the_venue_took_for_what_it_is_stays(ring: Ring) -> None:
    order = sent(ring, STOP_LIMIT)
    ring.report(order, "0", "9", take_profit=False)
    ring.pass_time(5000)
    assert not [command for command in ring.commands if isinstance(command, CancelOrder)]


def test_a_cancel_of_another_order_never_says_that_it_sleeps(ring: Ring) -> None:
    sent(ring, Terms("1", "2", D(1), D(100)))
    ring.request(CancelRequest(0, 2, 1))
    assert not ring.last(CancelOrder).sleeps


def test_no_other_order_is_ever_triggered(ring: Ring) -> None:
    order = sent(ring, Terms("1", "2", D(1), D(100)))
    ring.report(order, "F", "1", qty="0.25", key="a")
    assert not told(ring).triggered


@pytest.mark.parametrize(
    ("terms", "triggered", "may"), [(STOP, False, False), (STOP_LIMIT, True, False), (STOP_LIMIT, False, True)]
)
def test_it_is_amended_only_while_it_sleeps_and_only_with_a_limit(
    ring: Ring, terms: Terms, triggered: bool, may: bool
) -> None:
    order = sent(ring, terms)
    if triggered:
        ring.report(order, "L", "0")
    ring.commands.clear()
    ring.request(AmendRequest(0, 2, 1, D(2)))
    assert [command.terms.stop_px for command in ring.commands] == ([D(110)] if may else [])
    if not may:
        assert ring.clients[b"p"][-1].reason is Reason.NOT_AMENDABLE


@pytest.mark.parametrize(
    "terms",
    [
        Terms("1", "4", D(1), D(111), stop_px=D(90), peg_price_type="8", peg_offset=D(100), peg_offset_type="1"),
        Terms("1", "P", D(1), peg_price_type="5"),
    ],
)
def test_what_follows_the_market_is_not_amended(ring: Ring, terms: Terms) -> None:
    sent(ring, terms)
    ring.commands.clear()
    ring.request(AmendRequest(0, 2, 1, D(2)))
    assert not ring.commands and ring.clients[b"p"][-1].reason is Reason.NOT_AMENDABLE


def test_a_pegged_order_has_the_price_that_the_venue_tells(ring: Ring) -> None:
    order = sent(ring, Terms("1", "P", D(1), peg_price_type="5"))
    assert order.price is None
    ring.report(order, "I", "0", price="99.5")
    assert told(ring).price == D("99.5")


@pytest.mark.parametrize(
    ("terms", "kind", "price"),
    [
        (Terms("1", "3", D(1), stop_px=D(110)), "stop", "market stop 110"),
        (Terms("1", "4", D(1), D(91), stop_px=D(90), take_profit=True), "take profit limit", "91 target 90"),
        (
            Terms("1", "3", D(1), peg_price_type="8", peg_offset=D(150), peg_offset_type="1"),
            "trailing stop", "market trailing 150 bips",
        ),
        (Terms("1", "P", D(1), peg_price_type="5"), "pegged", "pegged"),
    ],
)  # fmt: skip
def test_a_person_reads_what_wakes_it(ring: Ring, terms: Terms, kind: str, price: str) -> None:
    sent(ring, terms)
    assert (type_words(terms), price_text(told(ring))) == (kind, price)


def test_an_order_of_a_list_is_typed_as_one_text() -> None:
    typed = _listed_terms("sell 0.01 price=70000 post-only")
    assert typed == Terms("2", "2", D("0.01"), D(70000), instructions="6")
    assert _listed_terms("sell 1 stop=9 take-profit") == Terms("2", "3", D(1), stop_px=D(9), take_profit=True)
    for wrong in ("sell", "sell 1 prize=9", "sell 1 price=", "hold 1 price=9", "sell one price=9"):
        with pytest.raises((ValueError, TypeError)):
            _listed_terms(wrong)


@pytest.mark.parametrize(
    ("text", "said"), [(None, {}), ("1.5", {"trailing_offset": "1.5"}), ("50bips", {"trailing_bips": 50})]
)
def test_a_distance_is_typed_in_basis_points_or_in_the_quote_asset(text: str | None, said: dict[str, object]) -> None:
    assert _trailing(text) == said
    with pytest.raises(ValueError, match="100bips"):
        _trailing("manybips")


def test_another_distance_or_side_of_the_trigger_is_another_request() -> None:
    base = Terms("1", "4", D(1), D(111), stop_px=D(110))
    trails = {"peg_price_type": "8", "peg_offset": D(100), "peg_offset_type": "1"}
    kinds: list[dict[str, object]] = [
        {}, {"take_profit": True}, trails, {**trails, "peg_offset": D(101)}, {**trails, "peg_offset_type": "0"},
    ]  # fmt: skip
    asked = [NewOrderRequest(0, 1, "generic", "BTCUSDT", structs.replace(base, **kind)) for kind in kinds]
    assert len(set(map(request_identity, asked))) == len(kinds)


def test_a_distance_that_cannot_be_counted_with_is_refused_at_the_door(ring: Ring) -> None:
    terms = Terms("1", "3", D(1), peg_price_type="8", peg_offset=D("NaN"), peg_offset_type="1")
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", terms))
    outcome = ring.clients[b"p"][-1]
    assert (outcome.outcome, outcome.reason) == ("refused", Reason.BAD_PRICE) and "PegOffsetValue(211)" in outcome.text


def test_another_stop_price_is_another_request_and_an_order_without_one_has_the_identity_of_before() -> None:
    requests = [
        NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "4", D(1), D(111), stop_px=stop_px))
        for stop_px in (D(110), D("110.0"), D(109), None)
    ]
    first, same, other, without = map(request_identity, requests)
    assert first == same and len({first, other, without}) == 3


def test_an_amount_of_the_quote_asset_is_the_same_request_whatever_risk_counts_it_as() -> None:
    requests = [
        NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "1", D(qty), time_in_force="3", cash_order_qty=D(cash)))
        for qty, cash in ((0, 100), ("1.053", 100), (0, 101))
    ]
    first, counted, other = map(request_identity, requests)
    assert first == counted != other


def test_a_reduce_only_order_is_another_request_than_one_that_is_not() -> None:
    requests = [
        NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(9), instructions=instructions))
        for instructions in ("", "6", "E", "6E")
    ]
    assert len(set(map(request_identity, requests))) == 4


def test_a_date_beyond_every_clock_is_refused_at_the_door(ring: Ring) -> None:
    for number, expire_ns in ((1, 1 << 63), (2, -1)):
        terms = Terms("1", "2", D(1), D(9), "6", expire_ns=expire_ns)
        ring.request(NewOrderRequest(0, number, "generic", "BTCUSDT", terms))
        outcome = ring.clients[b"p"][-1]
        assert (outcome.outcome, outcome.reason) == ("refused", Reason.OUT_OF_BOUNDS)
    ring.start()
    ring.go_live()


def test_a_stop_price_that_cannot_be_counted_with_is_refused_at_the_door(ring: Ring) -> None:
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "3", D(1), stop_px=D("NaN"))))
    outcome = ring.clients[b"p"][-1]
    assert (outcome.outcome, outcome.reason) == ("refused", Reason.BAD_PRICE) and "StopPx(99)" in outcome.text


def test_a_shown_quantity_that_cannot_be_counted_with_is_refused_at_the_door(ring: Ring) -> None:
    ring.request(NewOrderRequest(0, 1, "generic", "BTCUSDT", Terms("1", "2", D(1), D(9), display_qty=D("NaN"))))
    outcome = ring.clients[b"p"][-1]
    assert (outcome.outcome, outcome.reason) == ("refused", Reason.BAD_QUANTITY) and "DisplayQty(1138)" in outcome.text


def test_an_amendment_shows_no_more_than_it_asks_for(ring: Ring) -> None:
    sent(ring, Terms("1", "2", D(3), D(111), display_qty=D(2)))
    ring.commands.clear()
    ring.request(AmendRequest(0, 2, 1, D(1)))
    assert [command.terms.display_qty for command in ring.commands] == [D(1)]
