"""What the checker allows to be cancelled in nobody's name: the orders of one that wants it, once it was gone."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from common.instant import NS_PER_S
from common.messages import Alive, Attempt, CancelOrder, Hello, NewOrderRequest, Terms
from scripts.simulation.invariants import Violation
from scripts.simulation.plan import Vigil, plan
from scripts.simulation.watch_view import WatchView

SILENT_NS = 4 * NS_PER_S


def view(*, cancels: bool = True) -> WatchView:
    """Of a strategy alpha that has said hello and asked for its order 1 at second 1."""
    its = WatchView({"alpha": Vigil(SILENT_NS, cancels)})
    its.said("alpha", Hello("alpha", "alpha-1"), NS_PER_S)
    its.said("alpha", order(1), NS_PER_S)
    return its


def order(number: int) -> NewOrderRequest:
    return NewOrderRequest(1, number, "generic", "BTCUSDT", Terms("1", "2", Decimal(1), Decimal(9)))


def cancel(strategy: str = "alpha", by: tuple[str, int] = ("", 0), number: int = 1) -> CancelOrder:
    """Of that order, in nobody's name unless it is `by` a command."""
    command = by if by[1] else (strategy, number)
    return CancelOrder(
        Attempt(1, 1), *command, "generic", "BTCUSDT", "1", "c-2", "c-1", "7", strategy, number, Decimal(1)
    )


def test_one_that_says_that_it_lives_is_left_alone_and_one_that_was_gone_is_not() -> None:
    its = view()
    its.said("alpha", Alive(1), 5 * NS_PER_S // 2)
    with pytest.raises(Violation, match="left-is-left"):
        its.cancelled(cancel(), 3 * NS_PER_S)
    its.cancelled(cancel(), 6 * NS_PER_S)
    its.said("alpha", Alive(1), 7 * NS_PER_S)
    its.cancelled(cancel(), 8 * NS_PER_S)


def test_an_order_of_after_its_return_is_left_alone() -> None:
    its = view()
    its.said("alpha", Alive(1), 7 * NS_PER_S)
    its.said("alpha", order(2), 8 * NS_PER_S)
    its.said("alpha", Alive(1), 8 * NS_PER_S)
    with pytest.raises(Violation, match="said that it lives"):
        its.cancelled(cancel(number=2), 8 * NS_PER_S)


def test_each_order_of_a_list_is_asked_for_with_it() -> None:
    its, listed = view(), order(2)
    its.said("alpha", Alive(1), 7 * NS_PER_S)
    its.said("alpha", replace(listed, contingency="1", further=(listed.terms,)), 8 * NS_PER_S)
    its.said("alpha", Alive(1), 8 * NS_PER_S)
    with pytest.raises(Violation, match="said that it lives"):
        its.cancelled(cancel(number=3), 8 * NS_PER_S)


def test_one_that_has_ended_in_order_is_gone_at_once() -> None:
    its = view()
    its.said("alpha", Alive(1, ends=True), NS_PER_S)
    its.cancelled(cancel(), NS_PER_S)


@pytest.mark.parametrize(("cancels", "strategy"), [(False, "alpha"), (True, "beta")])
def test_who_does_not_want_it_is_left_alone_however_long_it_is_gone(cancels: bool, strategy: str) -> None:
    with pytest.raises(Violation, match="does not want it"):
        view(cancels=cancels).cancelled(cancel(strategy), 100 * NS_PER_S)


def test_what_somebody_has_asked_for_and_what_a_stop_takes_is_nobody_s_business_here() -> None:
    its = view(cancels=False)
    its.cancelled(cancel(by=("probe", 9)), 2 * NS_PER_S)
    its.orders_stopped(2 * NS_PER_S)
    its.cancelled(cancel(), 3 * NS_PER_S)


def test_strategies_are_watched_over_where_a_plan_draws_that_they_hang() -> None:
    drawn = [plan(seed, 2000) for seed in range(60)]
    watched = [each for each in drawn if each.vigils]
    assert [each for each in drawn if "hang" in each.kinds] == watched and 10 < len(watched) < 40
    assert all({vigil.cancels for vigil in each.vigils.values()} == {True, False} for each in watched)
    assert not any(plan(seed, 2000, version=7).vigils for seed in range(60))
