"""Invariants: what adds risk is checked and reserved before a session hears of it; a reservation ends only by the
log's word; a cancel always passes; nothing that adds risk passes before the former life is over.
"""

from decimal import Decimal as D
from typing import Any

import msgspec
import pytest

from common.actor.core import Exit, Send
from common.config import RateConfig, StrategyLimits
from common.instant import NS_PER_MS, NS_PER_S
from common.journal.frames import TERM
from common.messages import (
    AppendRefused,
    ControlAnswer,
    ControlRequest,
    Expired,
    Kind,
    NewOrder,
    OpenGate,
    OperatorAct,
    QueryOrder,
    Reason,
    Refused,
    Side,
    StateHash,
    Withdrawn,
    encode,
)
from services.risk.proposals import MAX_BUCKETS
from services.risk.state import FOLD_VERSION
from tests.journals import Journal
from tests.services.risk.rig import RULES, START_NS, STRATEGY, Rig, report, settings

NOTHING = (D(0), D(0), D(0))


def last_refusal(rig: Rig) -> tuple[Reason, str, str]:
    refused = rig.refused[-1]
    return refused.reason, refused.value, refused.limit


def test_an_order_passes_with_the_decision_and_its_inputs() -> None:
    rig = Rig()
    order = rig.orders.new("1", "2", "100.00")
    rig.command(order)
    (passed,) = rig.sent
    assert isinstance(passed, NewOrder) and passed.decision is not None
    assert passed.stamps.risk_ns == rig.now.wall_ns
    assert msgspec.structs.replace(passed, decision=None, stamps=order.stamps) == order
    decision = passed.decision
    assert (decision.reference_price, decision.notional, decision.position_worst) == (D(100), D(200), D(2))
    assert (decision.position_limit, decision.open_orders) == (D(20), 0)
    assert decision.risk_epoch == rig.core.status(rig.now)["epoch"]


TRAILS: dict[str, Any] = {"ord_type": "3", "price": None}
PEGGED: dict[str, Any] = {"ord_type": "P", "price": None, "further": {"peg_price_type": "5"}}


def trailing(offset: str, counted: str = "1") -> dict[str, Any]:
    """A stop price that follows the market."""
    return {"peg_price_type": "8", "peg_offset": D(offset), "peg_offset_type": counted}


CASES = [
    ("venue", {"venue": "nowhere"}, Reason.UNKNOWN_VENUE, "nowhere", "binance, generic"),
    ("symbol", {"symbol": "DOGE"}, Reason.UNKNOWN_SYMBOL, "DOGE", "BTCUSDT"),
    ("tick", {"price": "100.001"}, Reason.BAD_TICK, "100.001", "0.01"),
    ("negative price", {"price": "-1"}, Reason.BAD_PRICE, "-1", ""),
    ("no number", {"price": "NaN"}, Reason.BAD_PRICE, "NaN", ""),
    ("endless", {"price": "Infinity"}, Reason.BAD_PRICE, "Infinity", ""),
    ("huge price", {"price": "1E+400"}, Reason.BAD_PRICE, "1E+400", ""),
    ("fine price", {"price": "1E-400"}, Reason.BAD_PRICE, "1E-400", ""),
    ("lot", {"qty": "1.0001"}, Reason.BAD_LOT, "1.0001", "0.001"),
    ("zero", {"qty": "0"}, Reason.BAD_QUANTITY, "0", ""),
    ("no quantity", {"qty": "NaN"}, Reason.BAD_QUANTITY, "NaN", ""),
    ("small", {"qty": "0.0001"}, Reason.BELOW_MINIMUM_QUANTITY, "0.0001", "0.001"),
    ("large", {"qty": "10.001"}, Reason.ABOVE_MAXIMUM_QUANTITY, "10.001", "10"),
    ("below collar", {"price": "94.99"}, Reason.PRICE_COLLAR, "94.99", "95..105"),
    ("above collar", {"price": "105.01"}, Reason.PRICE_COLLAR, "105.01", "95..105"),
    ("small notional", {"qty": "0.010"}, Reason.BELOW_MINIMUM_NOTIONAL, "1", "5"),
    ("no date", {"time_in_force": "6"}, Reason.UNSUPPORTED, "", ""),
    ("a date for nothing", {"expire_ns": 1 << 62}, Reason.UNSUPPORTED, "", ""),
    ("past date", {"time_in_force": "6", "expire_ns": 1}, Reason.EXPIRED, "", ""),
    ("stop without", {"ord_type": "4"}, Reason.BAD_PRICE, "", ""),
    ("stop on a limit", {"stop_px": "101"}, Reason.BAD_PRICE, "101", ""),
    ("stop tick", {"ord_type": "3", "price": None, "stop_px": "101.001"}, Reason.BAD_TICK, "101.001", "0.01"),
    ("stop at nothing", {"ord_type": "3", "price": None, "stop_px": "0"}, Reason.BAD_PRICE, "0", ""),
    ("stop with a price", {"ord_type": "3", "stop_px": "101"}, Reason.BAD_PRICE, "100.00", ""),
    ("stop IOC", {"ord_type": "3", "price": None, "stop_px": "101", "time_in_force": "3"}, Reason.UNSUPPORTED, "", ""),
    ("stop post only", {"ord_type": "4", "stop_px": "101", "instructions": "6"}, Reason.UNSUPPORTED, "", ""),
    ("limit far from the stop", {"ord_type": "4", "stop_px": "200"}, Reason.PRICE_COLLAR, "100.00", "190..210"),
    ("target reached, limit to sell far below", {
        "side": "2", "ord_type": "4", "stop_px": "50", "price": "48", "further": {"take_profit": True},
    }, Reason.PRICE_COLLAR, "48", "95..105"),
    ("target reached, limit to buy far above", {
        "ord_type": "4", "stop_px": "200", "price": "205", "further": {"take_profit": True},
    }, Reason.PRICE_COLLAR, "205", "95..105"),
    ("stop reached, limit far away", {"ord_type": "4", "stop_px": "50", "price": "52"}, Reason.PRICE_COLLAR, "52",
     "95..105"),
    ("amount with a limit", {"cash": "100"}, Reason.UNSUPPORTED, "", ""),
    ("no amount", {"cash": "0", "price": None}, Reason.BAD_QUANTITY, "0", ""),
    ("endless amount", {"cash": "Infinity", "price": None}, Reason.BAD_QUANTITY, "Infinity", ""),
    ("large amount", {"cash": "950.01", "price": None}, Reason.ABOVE_MAXIMUM_QUANTITY, "10.001", "10"),
    ("small amount", {"cash": "4.99", "price": None}, Reason.BELOW_MINIMUM_NOTIONAL, "4.99", "5"),
    ("iceberg of nothing", {"display_qty": "0"}, Reason.BAD_QUANTITY, "0", ""),
    ("iceberg that shows more", {"display_qty": "2"}, Reason.BAD_QUANTITY, "2", "1"),
    ("iceberg lot", {"display_qty": "0.0001"}, Reason.BAD_LOT, "0.0001", "0.001"),
    ("iceberg IOC", {"display_qty": "1", "time_in_force": "3"}, Reason.UNSUPPORTED, "", ""),
    ("iceberg without a limit", {"display_qty": "1", "price": None}, Reason.UNSUPPORTED, "", ""),
    ("target on a limit", {"further": {"take_profit": True}}, Reason.UNSUPPORTED, "", ""),
    ("trailing limit", {"further": trailing("100")}, Reason.UNSUPPORTED, "", ""),
    ("trailing by nothing", {**TRAILS, "further": trailing("0")}, Reason.BAD_PRICE, "0", ""),
    ("trailing by all", {**TRAILS, "further": trailing("10000")}, Reason.BAD_PRICE, "10000", "10000"),
    ("trailing by half a point", {**TRAILS, "further": trailing("0.5")}, Reason.BAD_PRICE, "0.5", "10000"),
    ("trailing by no tick", {**TRAILS, "further": trailing("0.001", "0")}, Reason.BAD_TICK, "0.001", "0.01"),
    ("a stop with levels", {"ord_type": "3", "price": None, "stop_px": "101", "further": {
        "peg_offset": D(100), "peg_offset_type": "3",
    }}, Reason.UNSUPPORTED, "", ""),
    ("a limit with levels", {"further": {"peg_offset": D(2), "peg_offset_type": "3"}}, Reason.UNSUPPORTED, "", ""),
    ("trailing by levels", {**TRAILS, "further": trailing("3", "3")}, Reason.UNSUPPORTED, "", ""),
    ("trailing by what", {**TRAILS, "further": trailing("3", "")}, Reason.BAD_PRICE, "", ""),
    ("pegged to nothing", {"ord_type": "P", "price": None}, Reason.UNSUPPORTED, "", ""),
    ("pegged with a price", {"ord_type": "P", "further": {"peg_price_type": "4"}}, Reason.BAD_PRICE, "100.00", ""),
    ("pegged to its side at once", {**PEGGED, "time_in_force": "3"}, Reason.UNSUPPORTED, "", ""),
    ("pegged to the other side, post only", {
        "ord_type": "P", "price": None, "instructions": "6", "further": {"peg_price_type": "4"},
    }, Reason.UNSUPPORTED, "", ""),
    ("pegged too deep", {"ord_type": "P", "price": None, "further": {
        "peg_price_type": "5", "peg_offset": D(101), "peg_offset_type": "3",
    }}, Reason.BAD_PRICE, "101", "101"),
    ("market post only", {"price": None, "instructions": "6"}, Reason.UNSUPPORTED, "", ""),
]


@pytest.mark.parametrize(("name", "terms", "reason", "value", "limit"), CASES, ids=[case[0] for case in CASES])
def test_what_is_wrong_with_an_order_is_refused_with_value_and_limit(
    name: str, terms: dict[str, object], reason: Reason, value: str, limit: str
) -> None:
    rig = Rig()
    order = rig.orders.new(**terms)  # type: ignore[arg-type]
    rig.command(order)
    assert not rig.sent
    assert last_refusal(rig) == (reason, value, limit)
    refused = rig.refused[-1]
    assert (refused.strategy, refused.number, refused.attempt) == ("alpha", 1, order.attempt)
    assert encode(refused.command) == encode(order)
    assert refused.text and rig.worst() == NOTHING


def test_a_tick_however_fine_ends_nothing() -> None:
    rig = Rig(settings(RULES._replace(tick_size=D("1E-11"), lot_size=D("1E-18"))))
    for qty, price in (("1", "100"), ("1", "1E+17"), ("9.999999999999999999", "99.99999999999")):
        rig.command(rig.orders.new(qty=qty, price=price))
    assert len(rig.sent) == 2 and last_refusal(rig)[0] is Reason.PRICE_COLLAR


def test_a_notional_above_the_limit_is_refused_and_a_market_order_counts_at_the_collar() -> None:
    rig = Rig(settings(RULES._replace(max_order_notional=D(400))))
    rig.command(rig.orders.new(qty="4.001", price="100.00"))
    assert last_refusal(rig) == (Reason.ABOVE_MAXIMUM_NOTIONAL, "400.1", "400")
    rig.command(rig.orders.new(qty="3.9", price=None))
    assert last_refusal(rig) == (Reason.ABOVE_MAXIMUM_NOTIONAL, "409.5", "400")
    rig.command(rig.orders.new(qty="3.8", price=None))
    assert len(rig.sent) == 1


def test_a_stop_counts_at_its_worst_at_once_around_its_stop_price_and_around_the_reference() -> None:
    rig = Rig(settings(RULES._replace(max_order_notional=D(400))))
    rig.command(rig.orders.new(qty="3.9", price=None, ord_type="3", stop_px="80.00", side="2"))
    assert last_refusal(rig) == (Reason.ABOVE_MAXIMUM_NOTIONAL, "409.5", "400")
    rig.command(rig.orders.new(qty="3", price=None, ord_type="3", stop_px="130.00"))
    assert last_refusal(rig) == (Reason.ABOVE_MAXIMUM_NOTIONAL, "409.5", "400")
    rig.command(rig.orders.new(qty="3", price="130.00", ord_type="4", stop_px="130.00"))
    assert len(rig.sent) == 1 and rig.worst() != NOTHING


def test_what_the_venue_s_list_speaks_against_is_refused_and_says_why_until_it_agrees() -> None:
    rig = Rig()
    rig.top(why_not="tick_size is 0.01 in the configuration, and 0.1 at the venue")
    rig.command(rig.orders.new())
    assert last_refusal(rig) == (Reason.INSTRUMENT_DIFFERS, "BTCUSDT", "")
    assert rig.refused[-1].text == "BTCUSDT at generic: tick_size is 0.01 in the configuration, and 0.1 at the venue"
    rig.top()
    rig.command(rig.orders.new())
    assert len(rig.sent) == 1


@pytest.mark.parametrize(
    ("side", "stop_px", "take_profit", "passes"),
    [
        ("1", "100.01", False, True), ("1", "100.00", False, False), ("1", "99.00", False, False),
        ("2", "99.99", False, True), ("2", "100.00", False, False), ("2", "101.00", False, False),
        ("1", "99.99", True, True), ("1", "101.00", True, False), ("2", "100.01", True, True),
        ("2", "99.00", True, False),
    ],
)  # fmt: skip
def test_a_stop_whose_price_is_reached_already_is_refused_where_it_would_wait_for_the_other_way(
    side: Side, stop_px: str, take_profit: bool, passes: bool
) -> None:
    further = {"take_profit": take_profit}
    order: dict[str, Any] = {"price": None, "ord_type": "3", "stop_px": stop_px, "further": further}
    rig = Rig(settings(RULES._replace(stops_by_market=True)))
    rig.command(rig.orders.new(side, **order))
    assert len(rig.sent) == passes
    if not passes:
        assert last_refusal(rig)[0] is Reason.BAD_PRICE and "would wait for the other" in rig.refused[-1].text
    elsewhere = Rig()
    elsewhere.command(elsewhere.orders.new(side, **order))
    assert len(elsewhere.sent) == 1, "elsewhere the venue triggers it at once, or refuses it"


def test_an_order_till_a_date_to_come_passes() -> None:
    rig = Rig()
    rig.command(rig.orders.new(time_in_force="6", expire_ns=1 << 62))
    rig.command(rig.orders.new(time_in_force="6", expire_ns=1 << 62, instructions="6"))
    assert len(rig.sent) == 2


@pytest.mark.parametrize("side", ["1", "2"])
def test_an_amount_of_the_quote_asset_counts_as_what_it_comes_to_at_the_lowest_price_of_the_collar(side: Side) -> None:
    rig = Rig()
    rig.command(rig.orders.new(side, price=None, cash="100"))
    (passed,) = rig.sent
    assert isinstance(passed, NewOrder) and passed.decision is not None
    assert (passed.order_qty, passed.terms.cash_order_qty, passed.decision.notional) == (D("1.053"), D(100), D(100))
    worst = rig.worst()
    assert worst == ((D("1.053"), D(0), D(0)) if side == "1" else (D(0), D("1.053"), D(0)))
    rig.outbound(passed)
    assert rig.worst() == worst
    rig.inbound(report(passed, "F", "2", last="1", cum="1", key="1"))
    assert rig.worst() == (D(0), D(0), D(1) if side == "1" else D(-1)), "it is over, whatever less it has come to"


def test_an_amount_needs_a_reference_price_and_a_collar() -> None:
    rig = Rig()
    rig.top(bid=None, ask=None)
    rig.command(rig.orders.new(price=None, cash="100"))
    assert last_refusal(rig)[0] is Reason.REFERENCE_STALE
    rig = Rig(settings(RULES._replace(price_collar_ratio=D(1))))
    rig.command(rig.orders.new(price=None, cash="100"))
    assert last_refusal(rig)[0] is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "terms",
    [
        {**TRAILS, "further": trailing("100")},
        {**TRAILS, "stop_px": "101", "further": trailing("1.5", "0")},
        {"ord_type": "4", "further": trailing("100")},
        {**TRAILS, "stop_px": "90", "further": {"take_profit": True}},
        PEGGED,
        {**PEGGED, "instructions": "6"},
        {"ord_type": "P", "price": None, "time_in_force": "3", "further": {"peg_price_type": "4"}},
    ],
)
def test_what_follows_the_market_or_waits_for_a_better_price_counts_in_full(terms: dict[str, Any]) -> None:
    rig = Rig()
    rig.command(rig.orders.new(qty="5", **terms))
    assert rig.worst() == (D(5), D(0), D(0))


def test_a_trailing_order_is_worth_what_it_may_be_triggered_at() -> None:
    """At 100 with a collar of 5 % one is worth 105, and one that follows by 8 % or by 8 is worth 113.4."""
    rig = Rig()
    for follows in ({}, trailing("800"), trailing("8", "0")):
        rig.command(rig.orders.new(qty="1", **TRAILS, stop_px="100", further=follows))
    decisions = [each.decision for each in rig.sent if isinstance(each, NewOrder)]
    assert [each and each.notional for each in decisions] == [D(105), D("113.4"), D("113.4")]


def test_a_pegged_order_needs_a_reference_price() -> None:
    rig = Rig()
    rig.top(bid=None, ask=None)
    rig.command(rig.orders.new(**PEGGED))
    assert not rig.sent and rig.refused[-1].reason is Reason.REFERENCE_STALE


def test_an_iceberg_order_counts_in_full() -> None:
    rig = Rig()
    rig.command(rig.orders.new(qty="5", display_qty="1"))
    assert rig.worst() == (D(5), D(0), D(0))


def test_a_stop_market_order_needs_a_reference_price() -> None:
    rig = Rig()
    rig.top(bid=None, ask=None)
    rig.command(rig.orders.new(price=None, ord_type="3", stop_px="130.00"))
    assert last_refusal(rig)[0] is Reason.REFERENCE_STALE


def test_a_reference_that_is_missing_or_stale_refuses_and_the_last_trade_stands_in_for_an_empty_side() -> None:
    rig = Rig()
    rig.top(bid=None, ask="100.01", last=None)
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is Reason.REFERENCE_STALE
    rig.top(bid=None, ask="100.01", last="100", last_age_ms=0)
    rig.command(rig.orders.new())
    assert len(rig.sent) == 1
    rig.log_tick(ms=5001)
    rig.command(rig.orders.new())
    assert last_refusal(rig) == (Reason.REFERENCE_STALE, "5001 ms", "5000 ms")


def test_a_last_trade_is_as_old_as_it_is_however_often_the_book_is_repeated() -> None:
    rig = Rig()
    for last_age_ms in (5001, None):
        rig.top(bid=None, ask="200", last="100", last_age_ms=last_age_ms)
        rig.command(rig.orders.new())
    assert [(refused.reason, refused.value) for refused in rig.refused] == [
        (Reason.REFERENCE_STALE, "5001 ms"),
        (Reason.REFERENCE_STALE, ""),
    ]
    rig.top(bid=None, ask="200", last="100", last_age_ms=5000)
    rig.command(rig.orders.new())
    assert len(rig.sent) == 1
    rig.top(last="100", last_age_ms=60_000)
    rig.command(rig.orders.new())
    assert len(rig.sent) == 2


def test_a_feed_that_repeats_an_old_time_is_stale_whenever_it_was_heard() -> None:
    rig = Rig()
    old = rig.now
    rig.log_tick(ms=6000)
    rig.core.received("feed", b"", msgspec.structs.replace(_top(rig), heard_ns=old.wall_ns), rig.now)
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is Reason.REFERENCE_STALE


def _top(rig: Rig) -> msgspec.Struct:
    return rig.core._proposals.references.tops["generic", "BTCUSDT"][0]


def test_the_position_limit_counts_open_orders_in_flight_orders_and_what_is_held() -> None:
    rig = Rig()
    rig.send(rig.orders.new("1", "10"))
    rig.command(rig.orders.new("1", "9"))
    rig.command(rig.orders.new("1", "2"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "21", "20")
    rig.command(rig.orders.new("1", "1"))
    assert rig.worst()[0] == 20
    rig.command(rig.orders.new("2", "10"))
    rig.command(rig.orders.new("2", "10"))
    rig.command(rig.orders.new("2", "1"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "-21", "20")


def test_selling_is_allowed_above_a_lowered_limit_and_buying_is_not() -> None:
    log = Journal(START_NS)
    former = Rig(log=log)
    for index in range(2):
        order = former.send(former.orders.new("1", "10"))
        former.inbound(report(order, "F", "2", last="10", key=f"t{index}"))
    assert former.worst() == (D(0), D(0), D(20))
    rig = Rig(settings(RULES._replace(position_limit=D(5))), log)
    rig.orders.counter = 100
    rig.command(rig.orders.new("1", "1"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "21", "5")
    rig.command(rig.orders.new("2", "10"))
    assert len(rig.sent) == 1


def test_a_strategy_has_its_own_position_limit_beside_the_firms() -> None:
    own = msgspec.structs.replace(STRATEGY, position_limits={"BTCUSDT": D(3)})
    rig = Rig(settings(strategies={"alpha": own}))
    rig.command(rig.orders.new("1", "3"))
    rig.command(rig.orders.new("1", "1"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "4", "3")
    rig.command(rig.orders.new("1", "5", strategy="beta"))
    assert len(rig.sent) == 2


def test_open_orders_are_counted_per_strategy_in_flight_ones_included() -> None:
    rig = Rig(settings(default=msgspec.structs.replace(STRATEGY, max_open_orders=2)))
    first = rig.send(rig.orders.new())
    rig.command(rig.orders.new())
    rig.command(rig.orders.new())
    assert last_refusal(rig) == (Reason.OPEN_ORDER_LIMIT, "2", "2")
    rig.command(rig.orders.new(strategy="beta"))
    rig.inbound(report(first, "4"))
    rig.command(rig.orders.new())
    assert len(rig.sent) == 4


# -- reservations ----------------------------------------------------------------------------------------------------


def test_a_reservation_ends_when_a_later_station_refuses_it_in_time() -> None:
    rig = Rig()
    order = rig.orders.new("1", "5")
    rig.command(order)
    refused = Refused("session@generic", Reason.GATE_CLOSED, "", "alpha", 1, order.attempt, order)
    rig.record(Kind.REFUSED, refused)
    assert rig.worst() == NOTHING and len(rig.core.in_flight) == 0


def test_a_reservation_ends_by_the_first_stamp_after_the_deadline_and_by_no_timer() -> None:
    rig = Rig()
    rig.command(rig.orders.new("1", "5", ttl_ms=500))
    rig.boot_ns += 60 * NS_PER_S
    rig.core.timer(rig.now)
    rig.log_tick(ms=500)
    assert rig.worst()[0] == 5
    rig.log_tick(ms=1)
    assert rig.worst()[0] == 0


def test_an_order_stamped_after_its_deadline_is_void() -> None:
    rig = Rig()
    order = rig.orders.new("1", "5", ttl_ms=100)
    rig.command(order)
    rig.outbound(order, ms=101)
    assert rig.worst() == NOTHING and not rig.state.books.orders


def test_a_sent_order_stays_counted_until_it_is_withdrawn() -> None:
    rig = Rig()
    order = rig.orders.new("1", "5")
    rig.command(order)
    rig.outbound(order)
    rig.log_tick(ms=5000)
    assert rig.worst()[0] == 5
    rig.record(Kind.WITHDRAWN, Withdrawn("generic", 1, 1, 5, order.attempt, Reason.CONNECTION_LOST))
    assert rig.worst()[0] == 0


def test_a_full_session_queue_frees_the_reservation_and_is_journaled() -> None:
    rig = Rig()
    order = rig.orders.new("1", "5")
    rig.core.received("commands", b"", order, rig.now)
    (send,) = [effect for effect in rig.core.effects if isinstance(effect, Send) and effect.link == "session.generic"]
    rig.core.effects.clear()
    rig.core.undelivered(send, rig.now)
    rig.settle()
    assert last_refusal(rig)[0] is Reason.QUEUE_FULL
    assert rig.worst() == NOTHING and len(rig.core.in_flight) == 0


def test_a_cancel_that_finds_the_queue_full_is_refused_so_that_the_wish_goes_on() -> None:
    rig = Rig()
    cancel = rig.orders.cancel(rig.orders.new())
    rig.core.undelivered(Send("session.generic", cancel), rig.now)
    rig.settle()
    assert last_refusal(rig)[0] is Reason.QUEUE_FULL


def test_a_repeated_attempt_is_dropped_and_never_refused() -> None:
    """A refusal logged after the order had passed would say that it never was."""
    rig = Rig()
    order = rig.orders.new("1", "5")
    rig.command(order)
    rig.command(order)
    assert len(rig.sent) == 1 and not rig.refused and rig.worst()[0] == 5


def test_a_cl_ord_id_in_use_is_refused() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    again = msgspec.structs.replace(rig.orders.new("1", "5"), cl_ord_id=order.cl_ord_id)
    rig.command(again)
    assert last_refusal(rig)[0] is Reason.DUPLICATE_NAME


# -- amendments ------------------------------------------------------------------------------------------------------


def test_an_amendment_counts_the_worst_of_old_and_new_until_it_is_answered() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    larger = rig.orders.amend(order, "8")
    rig.command(larger)
    assert rig.worst()[0] == 8
    rig.outbound(larger)
    assert rig.worst()[0] == 8
    rig.inbound(report(order, "5", "0", cl_ord_id=larger.cl_ord_id, orig=order.cl_ord_id, qty="8"))
    assert rig.worst()[0] == 8
    smaller = rig.orders.amend(order, "2", orig=larger.cl_ord_id)
    rig.command(smaller)
    rig.outbound(smaller)
    assert rig.worst()[0] == 8
    rig.inbound(report(order, "5", "0", cl_ord_id=smaller.cl_ord_id, orig=larger.cl_ord_id, qty="2"))
    assert rig.worst()[0] == 2


def test_an_amendment_in_flight_to_less_does_not_hide_what_a_later_one_asks() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.command(rig.orders.amend(order, "1"))
    rig.command(rig.orders.amend(order, "7"))
    assert rig.worst()[0] >= 7


def test_a_replacement_by_cancel_and_new_order_counts_both_until_both_are_answered() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5", venue="binance"))
    replace = rig.orders.amend(order, "5", "101.00")
    rig.command(replace)
    assert rig.worst("binance")[0] == 10
    rig.outbound(replace)
    assert rig.worst("binance")[0] == 10
    cancelled = report(order, "4", cl_ord_id=replace.cl_ord_id, orig=order.cl_ord_id)
    rig.inbound(cancelled, venue="binance")
    assert rig.worst("binance")[0] == 5
    rig.inbound(report(replace, "0"), venue="binance")
    assert rig.worst("binance")[0] == 5
    assert rig.state.exposure.open_orders == {"alpha": 1}


def test_an_amendment_is_held_to_the_limits_as_a_new_order_is() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "10"))
    rig.send(rig.orders.new("1", "10"))
    rig.command(rig.orders.amend(order, "10.5"))
    assert last_refusal(rig)[0] is Reason.ABOVE_MAXIMUM_QUANTITY
    rig.command(rig.orders.amend(order, "9", "100.001"))
    assert last_refusal(rig)[0] is Reason.BAD_TICK
    rig.command(rig.orders.amend(order, "9", "200.00"))
    assert last_refusal(rig)[0] is Reason.PRICE_COLLAR
    rig.command(rig.orders.amend(order, "9", cum="9"))
    assert last_refusal(rig)[0] is Reason.BAD_QUANTITY


def test_an_amendment_beyond_the_position_limit_is_refused() -> None:
    rig = Rig(settings(RULES._replace(position_limit=D(7))))
    order = rig.send(rig.orders.new("1", "5"))
    rig.command(rig.orders.amend(order, "8"))
    assert last_refusal(rig) == (Reason.POSITION_LIMIT, "8", "7")
    rig.command(rig.orders.amend(order, "7"))
    assert rig.worst()[0] == 7


def test_taking_risk_off_needs_no_reference_and_no_halt_stops_it() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    control(rig, "halt", {"scope": "firm"})
    rig.log_tick(ms=6000)
    rig.command(rig.orders.amend(order, "4"))
    assert not rig.refused
    rig.command(rig.orders.amend(order, "4", "99.00"))
    assert last_refusal(rig)[0] is Reason.HALTED


def test_an_amendment_of_what_is_not_open_is_refused() -> None:
    rig = Rig()
    order = rig.send(rig.orders.new("1", "5"))
    rig.inbound(report(order, "4"))
    rig.command(rig.orders.amend(order, "4"))
    assert last_refusal(rig)[0] is Reason.UNKNOWN_ORDER


# -- rates -----------------------------------------------------------------------------------------------------------


def test_the_strategys_rate_counts_what_it_sends_and_refills_with_time() -> None:
    rig = Rig(settings(default=StrategyLimits(max_open_orders=100, rate=RateConfig(messages=2))))
    for _ in range(3):
        rig.command(rig.orders.new())
    assert len(rig.sent) == 2 and last_refusal(rig)[0] is Reason.STRATEGY_RATE
    rig.command(rig.orders.new(strategy="beta"))
    rig.log_tick(ms=500)
    rig.command(rig.orders.new())
    assert len(rig.sent) == 4


def test_a_share_of_the_sessions_rate_is_for_cancels_alone_and_cancels_pass_beyond_it() -> None:
    rig = Rig(settings(messages=10))
    orders = [rig.orders.new("1", "0.1") for _ in range(9)]
    for order in orders:
        rig.command(order)
    assert len(rig.sent) == 8 and last_refusal(rig)[0] is Reason.SESSION_RATE
    for order in orders * 3:
        rig.command(rig.orders.cancel(order))
    assert len(rig.sent) == 8 + 27


def test_strategies_that_come_and_go_leave_nothing_behind() -> None:
    rig = Rig(settings(messages=10**6))
    for index in range(MAX_BUCKETS + 10):
        order = rig.orders.new("1", "0.1", strategy=f"cli-{index}")
        rig.command(order)
        rig.outbound(order)
        rig.inbound(report(order, "4"))
        rig.top()
        rig.log_tick(ms=10)
    assert len(rig.core._rates.of_strategies) <= MAX_BUCKETS
    assert not rig.state.exposure.shares and not rig.state.exposure.open_orders
    assert not rig.core.in_flight.exposure.shares and not rig.core.in_flight.exposure.open_orders


# -- standing --------------------------------------------------------------------------------------------------------


def test_after_a_start_only_cancels_questions_and_gates_pass_until_the_former_life_is_over() -> None:
    rig = Rig(live=False)
    rig.grants = True
    order = rig.orders.new()
    rig.command(order)
    assert not rig.sent and not rig.appended
    rig.core._appender.request_epoch(rig.now)
    rig.settle()
    rig.top()
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is Reason.RESTARTING
    rig.command(rig.orders.cancel(order))
    rig.command(OpenGate("generic", 1, 7))
    rig.command(QueryOrder(rig.orders.attempt(), "generic", "BTCUSDT", "1", order.cl_ord_id, "", 0))
    assert len(rig.sent) == 3
    rig.log_tick(ms=1000)
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is Reason.RESTARTING
    rig.log_tick(ms=1)
    rig.command(rig.orders.new())
    assert isinstance(rig.sent[-1], NewOrder)


def test_an_attempt_of_the_former_life_that_is_in_the_log_is_not_passed_twice() -> None:
    log = Journal(START_NS)
    former = Rig(log=log)
    order = former.orders.new("1", "5")
    former.command(order)
    former.outbound(order)
    rig = Rig(log=log)
    rig.command(order)
    assert not rig.sent and rig.worst()[0] == 5


def control(rig: Rig, act: str, arguments: dict[str, object] | None = None) -> ControlAnswer:
    rig.core.received("control", b"p", ControlRequest(act, msgspec.json.encode(arguments or {}), "me", 3), rig.now)
    rig.settle()
    answer = rig.control[-1]
    assert isinstance(answer, ControlAnswer) and answer.token == 3
    return answer


@pytest.mark.parametrize(
    ("scope", "name"), [("firm", ""), ("venue", "generic"), ("strategy", "alpha"), ("symbol", "BTCUSDT")]
)
def test_a_halt_is_journaled_stops_what_adds_risk_and_outlives_a_restart(scope: str, name: str) -> None:
    log = Journal(START_NS)
    rig = Rig(log=log)
    order = rig.send(rig.orders.new())
    assert control(rig, "halt", {"scope": scope, "name": name}).ok
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is Reason.HALTED
    rig.command(rig.orders.cancel(order))
    assert len(rig.sent) == 2
    again = Rig(log=log)
    again.orders.counter = 100
    again.command(again.orders.new())
    assert last_refusal(again)[0] is Reason.HALTED
    assert control(again, "unhalt", {"scope": scope, "name": name}).ok
    again.command(again.orders.new())
    assert len(again.sent) == 1
    acts = [(act.act, act.text, act.by) for act in rig.appended if isinstance(act, OperatorAct)]
    assert acts == [("halt", f"{scope} {name}".strip(), "me")]


def wait(rig: Rig, ms: int) -> None:
    """Time passes, and nobody says anything."""
    rig.settle()
    rig.boot_ns += ms * NS_PER_MS
    rig.core.timer(rig.now)
    rig.settle()


@pytest.mark.parametrize("act", ["halt", "unhalt"])
def test_a_halt_and_its_end_are_confirmed_by_a_log_that_the_next_life_reads(act: str) -> None:
    log = Journal(START_NS)
    rig = Rig(log=log)
    control(rig, "halt" if act == "unhalt" else "unhalt", {"scope": "firm"})
    told = len(rig.control)
    rig.grants = False
    rig.core.received("control", b"p", ControlRequest(act, b'{"scope":"firm"}', "me", 4), rig.now)
    rig.settle()
    assert len(rig.control) == told
    rig.grants = True
    wait(rig, 200)
    (answer,) = rig.control[told:]
    assert isinstance(answer, ControlAnswer) and answer.ok and answer.token == 4
    assert bool(Rig(log=log).state.halts) is (act == "halt")


def test_a_halt_that_the_log_does_not_take_is_not_confirmed_though_it_holds() -> None:
    rig = Rig()
    rig.grants = False
    rig.core.received("control", b"p", ControlRequest("halt", b'{"scope":"firm"}', "me", 4), rig.now)
    wait(rig, 1000)
    (answer,) = rig.control
    assert isinstance(answer, ControlAnswer) and not answer.ok and "ask again" in answer.text
    assert rig.core.status(rig.now)["halts"] == ["firm"]


def test_a_halt_before_the_journal_answers_holds_at_once_and_is_not_confirmed() -> None:
    rig = Rig(live=False)
    rig.core.received("control", b"p", ControlRequest("halt", b'{"scope":"firm"}', "me", 4), rig.now)
    rig.settle()
    assert not rig.control and rig.core.status(rig.now)["halts"] == ["firm"]
    rig.grants = True
    rig.core._appender.request_epoch(rig.now)
    rig.settle()
    (answer,) = rig.control
    assert isinstance(answer, ControlAnswer) and not answer.ok
    assert [act.act for act in rig.appended if isinstance(act, OperatorAct)] == ["halt"]


def test_a_takeover_halts_what_adds_risk_until_a_person_takes_that_off() -> None:
    log = Journal(START_NS)
    rig = Rig(log=log)
    order = rig.send(rig.orders.new())
    rig.record(TERM, b"whoever it was")
    assert rig.core.status(rig.now)["halts"] == ["firm"]
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is Reason.HALTED
    rig.command(rig.orders.cancel(order))
    assert len(rig.sent) == 2
    again = Rig(log=log)
    again.orders.counter = 100
    again.command(again.orders.new())
    assert last_refusal(again)[0] is Reason.HALTED
    assert control(again, "unhalt", {"scope": "firm"}).ok
    again.command(again.orders.new())
    assert len(again.sent) == 1


def test_a_halt_elsewhere_stops_nothing_here() -> None:
    rig = Rig()
    control(rig, "halt", {"scope": "venue", "name": "binance"})
    control(rig, "halt", {"scope": "strategy", "name": "beta"})
    rig.command(rig.orders.new())
    assert len(rig.sent) == 1
    assert rig.core.status(rig.now)["halts"] == ["strategy beta", "venue binance"]


@pytest.mark.parametrize(
    "arguments", [{"scope": "moon", "name": "x"}, {"scope": "venue"}, {"scope": "firm", "name": "x"}]
)
def test_a_halt_must_say_what_it_halts(arguments: dict[str, object]) -> None:
    rig = Rig()
    assert not control(rig, "halt", arguments).ok
    assert not rig.appended


def test_kill_refuses_at_once_outlives_a_restart_and_ends_by_a_confirmed_resume() -> None:
    log = Journal(START_NS)
    rig = Rig(log=log)
    assert control(rig, "kill").ok
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is Reason.KILLED
    again = Rig(log=log)
    again.orders.counter = 100
    again.command(again.orders.new())
    assert last_refusal(again)[0] is Reason.KILLED
    assert not control(again, "resume").ok
    assert control(again, "resume", {"confirm": True}).ok
    again.command(again.orders.new())
    assert len(again.sent) == 1


def test_a_kill_before_the_journal_answers_is_journaled_when_it_does() -> None:
    rig = Rig(live=False)
    control(rig, "kill")
    assert not rig.appended and rig.core.status(rig.now)["killed"]
    rig.grants = True
    rig.core._appender.request_epoch(rig.now)
    rig.settle()
    assert [act.act for act in rig.appended if isinstance(act, OperatorAct)] == ["kill"]
    assert rig.state.killed


def test_arguments_that_are_no_object_and_unknown_acts_are_answered_with_no() -> None:
    rig = Rig()
    for arguments in (b"[1]", b'{"scope": "firm", "until": "noon"}'):
        rig.core.received("control", b"p", ControlRequest("halt", arguments), rig.now)
        rig.settle()
        assert isinstance(rig.control[-1], ControlAnswer) and not rig.control[-1].ok and not rig.state.halts
    assert "halt" in control(rig, "dance").text


@pytest.mark.parametrize(
    ("level", "reason"), [(1, Reason.LOW_DISK), (2, Reason.COPY_BEHIND), (250, Reason.LOW_DISK)]
)
def test_what_the_journal_announces_refuses_what_adds_risk_until_it_is_over(level: int, reason: Reason) -> None:
    rig = Rig()
    order = rig.orders.new()
    rig.record(1, msgspec.Raw(bytes([level])))
    rig.command(rig.orders.new())
    assert last_refusal(rig)[0] is reason
    rig.command(rig.orders.cancel(order))
    rig.record(1, msgspec.Raw(b"\x00"))
    rig.command(rig.orders.new())
    assert len(rig.sent) == 2


# -- the log ---------------------------------------------------------------------------------------------------------


def test_a_state_hash_is_appended_every_ten_thousand_records_and_verified_by_the_next_life() -> None:
    log = Journal(START_NS)
    rig = Rig(log=log)
    rig.send(rig.orders.new("1", "5"))
    while log.lsn < 10_000:
        log.add(1, ms=1)
    rig.core.log_read(log.records[rig.state.lsn :], rig.now)
    rig.settle()
    hashes = [payload for payload in rig.appended if isinstance(payload, StateHash)]
    assert [each.at_lsn for each in hashes] == [10_000]
    again = Rig(log=log)
    assert again.state.hashes.by_lsn[10_000] == hashes[0].digest and not again.state.hashes.mismatches
    log.add(Kind.STATE_HASH, StateHash("risk", 10_000, b"\0" * 8, FOLD_VERSION), ms=1)
    assert Rig(log=log).state.hashes.mismatches == 1


def test_a_record_that_does_not_decode_is_counted_and_halts_until_it_is_accepted() -> None:
    rig = Rig()
    rig.record(Kind.INBOUND, msgspec.Raw(b"\xc1garbage"))
    lsn = rig.state.lsn
    rig.command(rig.orders.new())
    assert not rig.sent
    rig.record(Kind.OPERATOR, OperatorAct("journal", "skip", "p", str(lsn)))
    rig.command(rig.orders.new())
    assert len(rig.sent) == 1
    assert rig.core.status(rig.now)["undecodable"] == 1


def test_another_process_under_the_name_ends_this_one() -> None:
    rig = Rig()
    rig.core.received("journal", b"", AppendRefused("risk", 10**9, 1, 1), rig.now)
    assert [effect.status for effect in rig.core.effects if isinstance(effect, Exit)] == [1]


def test_stop_ends_at_once_since_orders_is_gone_before() -> None:
    rig = Rig()
    rig.core.stop(rig.now)
    assert [effect.status for effect in rig.core.effects if isinstance(effect, Exit)] == [0]


def test_status_is_json_ready_and_tells_what_a_trader_asks() -> None:
    rig = Rig()
    rig.send(rig.orders.new("1", "5"))
    rig.record(Kind.EXPIRED, Expired("alpha", 9, rig.orders.attempt(), 1))
    status = msgspec.json.decode(msgspec.json.encode(rig.core.status(rig.now)))
    assert status["state"] == "live" and status["lsn"] == rig.log.lsn
    (generic,) = [each for each in status["exposures"] if each["venue"] == "generic"]
    assert (generic["worst_long"], generic["worst_short"], generic["limit"]) == ("5", "0", "20")
    assert status["strategies"]["alpha"] == {"open_orders": 1, "max_open_orders": 10}
