"""Order lists of a strategy against the real cores and the simulated Binance, though processes die meanwhile."""

from decimal import Decimal as D

import pytest
from msgspec import structs

from common.config import StrategyConfig
from common.instant import NS_PER_S
from common.messages import OrderEvent, OrderStatus, Terms
from common.strategy.terms import terms_of
from scripts.simulation.trial import Trial

PLACE = ("binance", "BTCUSDT")
QTY = D("0.001")


@pytest.fixture
def trial() -> Trial:
    """A strategy that does nothing by itself."""
    program = "services.strategies.examples.02_follow_a_signal:FollowASignal"
    trial = Trial(StrategyConfig(program=program, venues=["binance"], symbols=["BTCUSDT"], parameters={}))
    trial.open()
    return trial


def at(trial: Trial, percent: int) -> D:
    """A price so far from the middle, in whole dollars."""
    top = trial.strategy.top(*PLACE, NS_PER_S)
    assert top is not None and top.bid_px is not None
    return (top.bid_px * (100 + percent) / 100).quantize(D(1))


def target_and_stop(trial: Trial) -> tuple[Terms, Terms]:
    return (
        terms_of("2", QTY, at(trial, 3), post_only=True),
        terms_of("2", QTY, at(trial, -4), stop_px=at(trial, -3)),
    )


def states(trial: Trial, *numbers: int) -> list[OrderStatus]:
    """What the order manager's books have of these orders."""
    books = trial.processes["orders"].core.books  # type: ignore[union-attr]
    return [books.orders["trial", number].status for number in numbers]


def test_a_cancel_of_one_order_ends_the_pair_whoever_has_died_meanwhile(trial: Trial) -> None:
    trial.act(lambda strategy: strategy.one_cancels_other(*PLACE, *target_and_stop(trial), label="exit"))
    trial.until("both orders", lambda: len(trial.strategy.orders) == 2 and all(o.order_id for o in told(trial)))
    assert states(trial, 1, 2) == [OrderStatus.NEW, OrderStatus.NEW]
    assert {order.list_number for order in told(trial)} == {1} and {order.label for order in told(trial)} == {"exit"}
    for name in ("orders", "risk", "session@binance"):
        trial.kill(name)
        trial.run_for(5 * NS_PER_S)
    trial.until("the return", lambda: trial.processes["session@binance"].alive and trial.strategy.is_live)
    trial.run_for(5 * NS_PER_S)
    assert states(trial, 1, 2) == [OrderStatus.NEW, OrderStatus.NEW]
    trial.act(lambda strategy: strategy.cancel(2))
    trial.until("the end of both", lambda: not trial.strategy.orders)
    assert states(trial, 1, 2) == [OrderStatus.CANCELED, OrderStatus.CANCELED] and trial.errors == []


def test_a_filled_order_places_the_pair_that_waits_for_it(trial: Trial) -> None:
    first = terms_of("1", QTY, at(trial, -1))
    trial.act(lambda strategy: strategy.one_triggers_other(*PLACE, first, *target_and_stop(trial)))
    trial.until("three orders", lambda: len(trial.strategy.orders) == 3 and all(o.order_id for o in told(trial)))
    assert states(trial, 1, 2, 3) == [OrderStatus.NEW, OrderStatus.SUSPENDED, OrderStatus.SUSPENDED]
    venue = trial.processes["exchange@binance"].core.venue  # type: ignore[union-attr]
    account = next(iter(venue.settings.accounts))
    resting = venue.state.find(account, trial.strategy.orders[1].cl_ord_id)
    trial.processes["exchange@binance"].agenda.put(lambda now: venue.engine.take_from(resting, QTY, now))
    trial.until("the pair", lambda: states(trial, 2, 3) == [OrderStatus.NEW, OrderStatus.NEW])
    assert states(trial, 1) == [OrderStatus.FILLED] and sorted(trial.strategy.orders) == [2, 3]


def test_what_a_filled_order_pays_is_sold_though_processes_die_meanwhile(trial: Trial) -> None:
    first = terms_of("1", QTY, at(trial, -1))
    # What is asked for is not looked at: the venue counts it.
    pending = [structs.replace(each, order_qty=2 * QTY) for each in target_and_stop(trial)]
    trial.act(lambda strategy: strategy.one_pays_other(*PLACE, first, *pending))
    trial.until("three orders", lambda: len(trial.strategy.orders) == 3 and all(o.order_id for o in told(trial)))
    assert states(trial, 1, 2, 3) == [OrderStatus.NEW, OrderStatus.SUSPENDED, OrderStatus.SUSPENDED]
    assert {order.order_qty for order in told(trial)} == {QTY}
    venue = trial.processes["exchange@binance"].core.venue  # type: ignore[union-attr]
    account = next(iter(venue.settings.accounts))
    balance = venue.state.accounts.balance(account, "BTC")
    balance.free = D(0)
    resting = venue.state.find(account, trial.strategy.orders[1].cl_ord_id)
    trial.kill("orders")
    trial.processes["exchange@binance"].agenda.put(lambda now: venue.engine.take_from(resting, QTY, now))
    trial.until("the return", lambda: trial.processes["orders"].alive and trial.strategy.is_live)
    trial.until("the pair", lambda: states(trial, 2, 3) == [OrderStatus.NEW, OrderStatus.NEW])
    counted = balance.locked
    assert 0 < counted < QTY, "the fee is taken off"
    trial.until("their quantities", lambda: {order.order_qty for order in told(trial)} == {counted})
    trial.act(lambda strategy: strategy.cancel(2))
    trial.until("the end of both", lambda: not trial.strategy.orders)
    assert trial.errors == []


def told(trial: Trial) -> list[OrderEvent]:
    return list(trial.strategy.orders.values())
