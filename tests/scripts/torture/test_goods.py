"""What the load trades is what each venue of the configuration lists, in its steps, and what risk lets through."""

import random
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.actor.control import Refused
from common.config import CHECKOUT, SERVED_VENUES, load
from common.exchange.faults import FAULT_SENTENCES
from scripts.torture.faults import VENUE_FAULTS
from scripts.torture.goods import away, goods_of
from scripts.torture.load import PACE_GROWTH, SLOWEST_PER_S, Pace
from scripts.torture.scene import LeftOut, Scene, begin_fault

CONFIG = load(CHECKOUT / "configs", {SERVED_VENUES: ""}, before_start=True)


@pytest.mark.parametrize("venue", CONFIG.venues)
def test_an_order_of_each_venue_is_one_that_it_takes(venue: str) -> None:
    goods = goods_of(CONFIG, venue)
    assert [good.symbol for good in goods] == list(CONFIG.venues[venue].instruments)
    for good in goods:
        instrument, limits = CONFIG.venues[venue].instruments[good.symbol], CONFIG.stack.risk.symbols[good.symbol]
        assert instrument.min_qty <= good.qty and 6 * good.qty <= min(instrument.max_qty, limits.max_order_qty)
        assert good.qty % instrument.lot_size == 0
        price = away(good.start_price, "buy", 0.02, good.tick_size)
        assert price % instrument.tick_size == 0 and price < good.start_price
        assert instrument.min_notional < instrument.contract.notional(price, good.qty) < limits.max_order_notional / 6


def test_a_price_is_in_whole_ticks_and_never_nothing() -> None:
    assert away(Decimal(65000), "sell", 0.0001, Decimal("0.5")) == Decimal("65006.5")
    assert away(Decimal(65000), "buy", -0.0001, Decimal("2.5")) == Decimal("65007.5")
    assert away(Decimal("0.0005"), "buy", 0.9, Decimal("0.0005")) == Decimal("0.0005")


class Stack:
    """Exchanges of which those in `unable` cannot go wrong so."""

    def __init__(self, *unable: str) -> None:
        self.unable = unable
        self.asked: list[str] = []

    def ask(self, actor: str, act: str, arguments: dict[str, object]) -> dict[str, object]:
        self.asked.append(actor)
        if actor in self.unable:
            raise Refused(f"{actor} has no {arguments['kind']}")
        return {}


def scene(stack: Stack) -> Scene:
    exchanges: dict[str, Any] = {"a": None, "b": None}
    return cast(Scene, SimpleNamespace(stack=stack, exchanges=exchanges, rng=random.Random(1)))


@pytest.mark.parametrize("unable", ["a", "b"])
def test_a_fault_is_another_venues_where_one_has_no_such_thing(unable: str) -> None:
    able = {"a": "exchange@b", "b": "exchange@a"}[unable]
    assert begin_fault(scene(Stack(f"exchange@{unable}")), "unknown", count=1) == able


def test_a_fault_that_no_venue_has_is_left_out_with_the_venues_reason() -> None:
    with pytest.raises(LeftOut, match="exchange@. has no unknown"):
        begin_fault(scene(Stack("exchange@a", "exchange@b")), "unknown", count=1)


def test_each_fault_of_a_venue_is_one_that_there_is() -> None:
    """A refusal of one is the venue's lack, and no misspelling of ours."""
    assert {name for name, _, _, _ in VENUE_FAULTS} <= FAULT_SENTENCES.keys()


def test_the_load_halves_where_most_is_refused_and_comes_back() -> None:
    pace = Pace(40.0)
    assert sum(pace.take_due(0.25) for _ in range(3)) == 30
    for event in ("new", "rejected", "rejected", "trade"):
        pace.heard(event)
    pace.take_due(0.25)
    assert pace.per_s == 20
    pace.heard("new")
    pace.take_due(1.0)
    assert pace.per_s == 20 * PACE_GROWTH
    for _ in range(10):
        pace.heard("rejected")
        pace.take_due(1.0)
    assert pace.per_s == SLOWEST_PER_S
    for _ in range(30):
        pace.take_due(1.0)
    assert pace.per_s == 40


def test_what_was_missed_long_ago_is_not_made_up_for() -> None:
    assert Pace(40.0).take_due(3600.0) == 10
    assert Pace(0.5).take_due(3600.0) == 1
