"""Invariant: each example does against the real cores what it says, also over its own restart, and no hook raises."""

import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal as D
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from common.config import CHECKOUT, StrategyConfig
from common.instant import NS_PER_MS, NS_PER_S
from common.messages import POST_ONLY, OrderStatus
from common.strategy.signals import Signal
from scripts.simulation.trial import Trial
from scripts.stack import PrivateStack

FOLDER = CHECKOUT / "services/strategies/examples"
PROGRAMS = {
    "01_one_order": "OneOrder",
    "02_follow_a_signal": "FollowASignal",
    "03_ladder": "Ladder",
    "04_flatten": "Flatten",
    "05_hedge": "Hedge",
    "06_slices": "Slices",
}
PLACE = ("generic", "BTCUSDT")


def opened(module: str, *venues: str, seed: int = 0, **parameters: Any) -> Trial:
    own = StrategyConfig(
        program=program(module), venues=list(venues or ("generic",)), symbols=["BTCUSDT"], parameters=parameters
    )
    trial = Trial(own, seed=seed)
    trial.open()
    return trial


def program(module: str) -> str:
    return f"services.strategies.examples.{module}:{PROGRAMS[module]}"


def sent(trial: Trial, tag: str = "new_order?") -> list[dict[str, Any]]:
    """Its commands of one kind, each once."""
    return list({each.fields["number"]: dict(each.fields) for each in trial.heard if each.what == tag}.values())


def fates(trial: Trial) -> list[str]:
    return [str(each.fields["fate"]) for each in trial.heard if each.what == "note signal"]


def test_every_example_is_here() -> None:
    assert sorted(PROGRAMS) == sorted(file.stem for file in FOLDER.glob("[0-9]*.py"))


@pytest.mark.parametrize("module", sorted(PROGRAMS))
@pytest.mark.parametrize("seed", [1, 2])
def test_no_hook_raises_and_a_restart_ends_well(module: str, seed: int) -> None:
    trial = opened(module, "binance", "generic", seed=seed)
    trial.run_for(4 * NS_PER_S)
    assert trial.errors == []
    trial.restart()
    trial.run_for(4 * NS_PER_S)
    assert trial.errors == [] and not trial.strategy.unanswered


def test_one_order_rests_at_the_best_bid_and_goes_after_its_time() -> None:
    trial = opened("01_one_order", rests_ms=1500)
    trial.until("an order", lambda: bool(trial.strategy.orders))
    (order,) = sent(trial)
    top = trial.strategy.top(*PLACE, NS_PER_S)
    assert top is not None and order["instructions"] == POST_ONLY and order["price"] == top.bid_px
    trial.until("its end", lambda: not trial.strategy.orders)
    (cancel,) = sent(trial, "cancel?")
    placed, ended = (next(each.at_ns for each in trial.heard if each.what == tag) for tag in ("new_order?", "cancel?"))
    assert cancel["target_number"] == order["number"] and 1500 <= (ended - placed) // NS_PER_MS < 1800


def test_one_order_that_is_refused_is_tried_again_after_a_while() -> None:
    trial = opened("01_one_order", order_qty="100")
    trial.run_for(5 * NS_PER_S)
    times = [each.at_ns for each in trial.heard if each.what == "new_order?"]
    assert 3 <= len(times) <= 6 and not trial.strategy.orders
    assert all(later - earlier >= NS_PER_S for earlier, later in pairwise(times))


def test_one_order_s_former_life_leaves_nothing() -> None:
    trial = opened("01_one_order")
    trial.until("an order", lambda: bool(trial.strategy.orders))
    (former,) = trial.strategy.orders
    trial.restart()
    trial.until("its end", lambda: former not in trial.strategy.orders)


def test_a_signal_is_followed_once_and_never_late() -> None:
    trial = opened("02_follow_a_signal")

    def signal(name: str, age_ms: int = 0, side: Any = "buy") -> None:
        at = datetime.fromtimestamp(trial.now.wall_ns / NS_PER_S - age_ms / 1000, UTC)
        trial.signal(
            Signal(id=name, kind="k", venue="generic", symbol="BTCUSDT", side=side, strength=D("0.5"), time=at)
        )
        trial.run_for(100 * NS_PER_MS)

    signal("a")
    signal("a")
    signal("b", age_ms=600)
    signal("c", side="sell")
    assert [fate.partition(":")[0] for fate in fates(trial)] == ["order 1", "seen before", "late", "order 2"]
    assert [(each["side"], each["order_qty"]) for each in sent(trial)] == [("1", D("0.005")), ("2", D("0.005"))]
    assert not trial.strategy.orders and abs(trial.strategy.position(*PLACE)) < D("0.0001")


def test_a_ladder_is_put_back_where_it_should_be_and_found_again() -> None:
    trial = opened("03_ladder", rungs=2)
    trial.until("both rungs", lambda: [o.status for o in trial.strategy.orders.values()] == [OrderStatus.NEW] * 2)
    first, second = trial.strategy.orders.values()
    assert (first.label, second.label) == ("rung 1", "rung 2")
    assert first.price is not None and second.price is not None and first.price > second.price
    former = dict(trial.strategy.orders)
    trial.restart()
    trial.run_for(NS_PER_S)
    assert trial.strategy.orders.keys() == former.keys()
    right, number = first.price, first.number
    wrong = right - 1000
    trial.act(lambda strategy: strategy.amend(number, price=wrong))
    trial.until("the rung away", lambda: trial.strategy.orders[number].price == wrong)
    trial.until("the rung back", lambda: trial.strategy.orders[number].price == right)
    assert len(sent(trial)) == 2


def test_a_ladder_adds_nothing_to_a_position_beyond_its_bound() -> None:
    trial = opened("03_ladder", rungs=1, most_qty="0.005")
    trial.act(lambda strategy: strategy.buy(*PLACE, D("0.02"), D(66000), time_in_force="3", label="by hand"))
    trial.until("the position", lambda: trial.strategy.position(*PLACE) > D("0.005"))
    trial.act(lambda strategy: strategy.cancel_all())
    trial.until("no rung", lambda: not trial.strategy.orders)
    former = len(sent(trial))
    trial.run_for(2 * NS_PER_S)
    assert len(sent(trial)) == former


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_flatten_arrives_at_nothing_in_slices_and_never_beyond(side: str) -> None:
    trial = opened("04_flatten", slice_qty="0.02")
    sign, price = (1, D(66000)) if side == "buy" else (-1, D(64000))
    trial.act(lambda strategy: getattr(strategy, side)(*PLACE, D("0.05"), price, time_in_force="3"))
    trial.until("a position", lambda: abs(trial.strategy.position(*PLACE)) > D("0.04"))
    trial.until("nothing held", lambda: abs(trial.strategy.position(*PLACE)) < D("0.0001"), 60 * NS_PER_S)
    slices = sent(trial)[1:]
    assert len(slices) >= 3 and all(each["order_qty"] <= D("0.02") for each in slices)
    held = [each.fields["quantity"] * sign for each in trial.heard if each.what == "position"]
    assert min(held) > D("-0.0001")


def test_what_the_bid_buys_is_sold_at_the_other_venue() -> None:
    trial = opened("05_hedge", "binance", "generic")
    bids = [each for each in sent(trial) if each["label"] == "quote"]
    assert not bids or bids[0]["venue"] == "generic"
    trial.until("fills", lambda: trial.strategy.position(*PLACE) > D("0.009"), 300 * NS_PER_S)
    trial.until("the hedge", lambda: not trial.strategy.unanswered and _unhedged(trial) == 0)
    sold = -trial.strategy.position("binance", "BTCUSDT")
    bought = trial.strategy.position(*PLACE)
    assert {each["venue"] for each in sent(trial) if each["label"] == "hedge"} == {"binance"}
    assert abs(sold - bought) < D("0.001") * 2 * sold, "the fee in the base asset is all that differs"


def _unhedged(trial: Trial) -> D:
    unhedged: D = trial.strategy.unhedged  # type: ignore[attr-defined]
    return unhedged


def test_slices_buy_what_is_missing_and_no_more_over_a_restart() -> None:
    trial = opened("06_slices", target_qty="0.04", every_ms=300)
    trial.until("half of it", lambda: trial.strategy.position(*PLACE) > D("0.019"))
    trial.restart()
    trial.until("all of it", lambda: trial.strategy.position(*PLACE) > D("0.0399"), 30 * NS_PER_S)
    trial.run_for(3 * NS_PER_S)
    assert trial.strategy.position(*PLACE) <= D("0.04")
    assert all(each["order_qty"] <= D("0.01") for each in sent(trial))


def test_the_stack_runs_them_all_beside_one_another() -> None:
    wanted = {f"e{module[:2]}": program(module) for module in PROGRAMS}
    overrides = {f"FIXRING__STRATEGIES__{name}__ENABLED": "false" for name in ("MAKER", "SIGNALS")}
    for name, of in wanted.items():
        at = f"FIXRING__STRATEGIES__{name.upper()}"
        overrides |= {f"{at}__PROGRAM": of, f"{at}__SYMBOLS": '["BTCUSDT"]', f"{at}__VENUES": '["binance", "generic"]'}
    with tempfile.TemporaryDirectory(prefix="fxr") as folder, PrivateStack(Path(folder), overrides) as stack:
        until_s = time.monotonic() + 20
        names = [f"strategy@{name}" for name in wanted]
        while not all(_is_trading(stack, name) for name in names if name[-2:] in ("01", "03", "05", "06")):
            assert time.monotonic() < until_s, orjson.dumps(stack.ask_all("status").details, default=str)
            time.sleep(0.05)
        assert [stack.ask(name, "status")["errors"] for name in names] == [[]] * len(names)


def _is_trading(stack: PrivateStack, name: str) -> bool:
    counts = stack.ask(name, "status")["counts"]
    return isinstance(counts, dict) and counts.get("sent", 0) > 0
