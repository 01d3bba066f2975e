"""Invariant: what the configuration says is what risk holds to."""

from decimal import Decimal as D

from common.config import load
from common.instant import NS_PER_MS, NS_PER_S
from services.risk.settings import risk_settings


def test_the_default_configuration_becomes_rules() -> None:
    settings = risk_settings(load(environ={}))
    generic, binance = settings.accounts["generic"], settings.accounts["binance"]
    rules = binance.symbols["BTCUSDT"]
    assert (rules.base, rules.tick_size, rules.lot_size, rules.min_notional) == ("BTC", D("0.01"), D("0.00001"), D(5))
    assert (rules.max_order_qty, rules.position_limit, rules.max_age_ns) == (D(5), D(50), 5000 * NS_PER_MS)
    assert (generic.messages, generic.window_ns) == (20_000, NS_PER_S)
    assert generic.facts.window_ns == 0 and binance.facts.window_ns > 10 * NS_PER_S
    assert settings.cancel_reserve_ratio == D("0.2")


def test_a_strategys_own_limits_stand_beside_the_default() -> None:
    settings = risk_settings(
        load(
            environ={
                "FIXRING__RISK__STRATEGIES": '{maker = {max_open_orders = 3, position_limits = {BTCUSDT = "0.5"}}}',
            }
        )
    )
    assert settings.strategy("maker").max_open_orders == 3
    assert settings.strategy("maker").position_limits == {"BTCUSDT": D("0.5")}
    assert settings.strategy("other").max_open_orders == 200
