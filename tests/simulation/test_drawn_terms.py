"""What strategies draw since the ninth version: all that a venue has, nearly never what it lacks."""

from decimal import Decimal
from random import Random

import pytest

from common.messages import Attempt, ListedOrder, NewOrder, NewOrderRequest, Side
from common.venues.registry import find_profile
from common.venues.venue import Feature, missing_feature
from scripts.simulation.drawn_terms import Market, draw_follower, draw_list
from scripts.simulation.plan import VENUES, WITH_LISTS
from services.risk.lists import why_no_list

COUNT = 600
FOLLOWERS = {
    Feature.TAKE_PROFIT_ORDER, Feature.TAKE_PROFIT_LIMIT_ORDER, Feature.TRAILING_STOP, Feature.TRAILING_STOP_BY_PRICE,
    Feature.PEGGED_ORDER,
}  # fmt: skip


def _market(venue: str) -> Market:
    profile, steps = find_profile(venue), (Decimal("0.01"), Decimal("0.00001"))
    features = frozenset(feature for feature in Feature if profile.has(feature))
    return Market(venue, "BTCUSDT", Decimal(65_000), *steps, Decimal("0.1"), features=features)


def _command(request: NewOrderRequest) -> NewOrder:
    further = tuple(ListedOrder(terms, Attempt(1, 2), "b") for terms in request.further)
    return NewOrder(
        Attempt(1, 1), "s", 1, request.venue, request.symbol, request.terms, "a", 0, contingency=request.contingency,
        further=further,
    )  # fmt: skip


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_is_asked_for_all_that_it_has_and_seldom_for_what_it_lacks(venue: str) -> None:
    market, random = _market(venue), Random(venue)
    drawn = [draw_follower(random, market, "1", Decimal(1)) for _ in range(COUNT)]
    commands = [_command(NewOrderRequest(0, 0, venue, "BTCUSDT", terms)) for terms in drawn if terms is not None]
    lacked = [command for command in commands if missing_feature(find_profile(venue), command)]
    assert 0 < len(lacked) < COUNT / 5
    bare = find_profile("generic")
    missed = {missing_feature(bare, command) for command in commands if command not in lacked}
    assert missed == market.features & FOLLOWERS


def test_lists_go_where_there_are_lists_and_nearly_all_of_them_are_such() -> None:
    for venue in VENUES:
        market, random = _market(venue), Random(venue)
        drawn = [draw_list(random, market, "2", Decimal(1)) for _ in range(COUNT)]
        refused = [why_no_list(_command(each)) for each in drawn if each is not None]
        if venue not in WITH_LISTS:
            assert len(refused) < COUNT / 20
            continue
        assert len(refused) == COUNT and 0 < len([each for each in refused if each]) < COUNT / 4
        assert {(each.contingency, len(each.further)) for each in drawn if each} == {("1", 1), ("2", 1), ("2", 2)}
    assert {name for name in VENUES if Feature.ORDER_LIST in _market(name).features} == set(WITH_LISTS)


def test_half_of_the_lists_that_open_with_a_purchase_pay_for_the_sales_where_the_venue_has_that() -> None:
    for venue in WITH_LISTS:
        market, random = _market(venue), Random(venue)
        knows = market.features - {Feature.PAID_ORDER}
        cases: list[tuple[frozenset[Feature], Side, float]] = [
            (market.features, "2", 0.5), (market.features, "1", 0.0), (knows, "2", 0.0)
        ]  # fmt: skip
        for features, side, share in cases:
            drawn = [draw_list(random, market._replace(features=features), side, Decimal(1)) for _ in range(COUNT)]
            opening = [each for each in drawn if each is not None and each.contingency == "2"]
            paid = [each for each in opening if each.further[0].paid]
            assert abs(len(paid) / len(opening) - share) < 0.1
            assert not [each for each in drawn if each is not None and each.terms.paid]
