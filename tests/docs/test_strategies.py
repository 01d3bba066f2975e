"""Invariant: the code in docs/strategies.md runs and does what the text says, and what it names is there."""

import re
import tomllib
from decimal import Decimal as D
from typing import Any

import msgspec

from common.actor.core import Send
from common.config import CHECKOUT, StrategyConfig, load
from common.instant import Instant
from common.messages import NewOrderRequest, TopOfBook, Welcome, WelcomeComplete
from common.strategy.client import Client
from common.strategy.strategy import Market, Setting, Strategy, StrategyCore
from services.strategies.__main__ import strategy_class

TEXT = (CHECKOUT / "docs" / "strategies.md").read_text("utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def test_the_class_joins_the_best_bid_once() -> None:
    names: dict[str, Any] = {}
    exec(compile(CODE[0], "docs/strategies.md", "exec"), names)
    market = Market("generic", "BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(5))
    core = StrategyCore(Setting("joiner", (market,)), names["Joiner"], "one")
    now = Instant(0, 0)
    core.received("entry", b"", Welcome("joiner", "one", 7, 0, "live", 1), now)
    core.received("entry", b"", WelcomeComplete(1, 0), now)
    for _ in range(2):
        core.received("feed", b"", TopOfBook("generic", "BTCUSDT", D(99), D(1), D(101), D(1), None, 0), now)
    orders = [e.message for e in core.effects if isinstance(e, Send) and isinstance(e.message, NewOrderRequest)]
    assert [(order.price, order.terms.is_post_only, order.label) for order in orders] == [(D(99), True, "join")]


def test_the_client_s_order_passes_the_collar_and_its_loop_ends() -> None:
    config = load(environ={})
    (price,) = re.findall(r'price="(\d+)"', CODE[1])
    simulated = config.venues["generic"].simulated
    assert simulated is not None
    start, collar = simulated.prices["BTCUSDT"], config.stack.risk.symbols["BTCUSDT"].price_collar_ratio
    assert abs(D(price) / start - 1) < collar / 2, "what the market moves by meanwhile has room"
    assert "events(" not in CODE[1], "positions keep coming: it would not end"


def test_every_hook_helper_and_method_that_is_named_exists() -> None:
    keys = {field.name for field in msgspec.structs.fields(StrategyConfig)}
    named = set(re.findall(r"`(on_\w+)`", TEXT)) - keys | {
        "buy",
        "sell",
        "amend",
        "cancel",
        "cancel_all",
        "orders",
        "position",
    }
    assert named <= set(dir(Strategy)) and "on_outcome" in named
    assert set(re.findall(r"client\.(\w+)\(", CODE[1])) <= set(dir(Client))


def test_every_example_is_in_the_table() -> None:
    told = re.findall(r"^\| `(\w+):(\w+)` \|", TEXT, re.M)
    examples = sorted(file.stem for file in (CHECKOUT / "services/strategies/examples").glob("[0-9]*.py"))
    assert [module for module, _ in told] == examples
    for module, name in told:
        assert strategy_class(f"services.strategies.examples.{module}:{name}").__name__ == name


def test_the_table_of_its_own_is_a_strategy_s() -> None:
    (table,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    (own,) = tomllib.loads(table)["strategies"].values()
    assert msgspec.convert(own, StrategyConfig).program == "my_module:Joiner"
