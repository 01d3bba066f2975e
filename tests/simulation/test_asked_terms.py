"""The checker that an order at an exchange has the terms that were asked for."""

from decimal import Decimal
from typing import Any

import pytest

from common.exchange.order import Terms as TrueTerms
from common.messages import NewOrderRequest, Terms
from scripts.simulation.asked_terms import AskedTerms
from scripts.simulation.invariants import Violation
from scripts.simulation.setting import config_of
from scripts.simulation.truth import TrueOrder

FOLLOWS: dict[str, Any] = {"peg_price_type": "8", "peg_offset": Decimal(15), "peg_offset_type": "1"}
QTY, AT = Decimal("0.01"), Decimal(65_000)


def _asked(**further: Any) -> AskedTerms:
    view = AskedTerms(config_of(("binance",)))
    view.asked_by_anybody(NewOrderRequest(1, 1, "binance", "BTCUSDT", Terms("2", "3", QTY, **FOLLOWS, **further)))
    return view


def _there(**further: Any) -> TrueOrder:
    return TrueOrder(7, TrueTerms("desk", "", "n", "BTCUSDT", "2", "3", QTY, None, **FOLLOWS, **further))


def test_a_trailing_order_that_follows_from_the_start_waits_for_no_side() -> None:
    """Seed 131 of the ninth version: nothing in the venue's message tells a stop from a take-profit order then."""
    view = _asked()
    view.check_accepted("binance", _there(take_profit=True), ("alpha", 1))
    assert not view.taken_otherwise


def test_one_that_follows_from_a_price_on_waits_for_the_side_that_was_asked_for() -> None:
    _asked(stop_px=AT).check_accepted("binance", _there(stop_px=AT), ("alpha", 1))
    with pytest.raises(Violation, match="terms-as-asked"):
        _asked(stop_px=AT).check_accepted("binance", _there(stop_px=AT, take_profit=True), ("alpha", 1))


@pytest.mark.parametrize("others", [False, True])
def test_what_was_asked_for_both_ways_under_one_number_may_have_been_taken_otherwise(others: bool) -> None:
    """Where the market says which way a stop waits; seed 26527 of the ninth version."""
    view = AskedTerms(config_of(("bybit",)))
    for takes_profit in (True, False)[: 1 + others]:
        terms = Terms("2", "3", QTY, stop_px=AT, take_profit=takes_profit)
        view.asked_by_anybody(NewOrderRequest(1, 1, "bybit", "BTCUSDT", terms))
    there = TrueOrder(7, TrueTerms("desk", "", "n", "BTCUSDT", "2", "3", QTY, None, stop_px=AT, take_profit=True))
    view.check_accepted("bybit", there, ("alpha", 1))
    assert view.taken_otherwise == ({("alpha", 1)} if others else set())
