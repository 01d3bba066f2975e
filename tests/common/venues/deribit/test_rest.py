"""CCXT against the folder's own simulated REST side, over the loopback: what FIX does not tell."""

from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest

from common.instant import NS_PER_S
from common.messages import Ask, ExecutionReport, Trade
from common.venues.deribit.rest import DeribitRest
from tests.common.venues.both_sides import BothSides

HOUR_NS = 3600 * NS_PER_S
SYMBOL = "BTC-PERPETUAL"


def trades(rest: DeribitRest, **more: Any) -> tuple[Trade, ...]:
    """Those of an answer that did not fail."""
    answer = rest.ask(Ask("x", 1, "trades", SYMBOL, **more))
    assert not answer.failed, answer.text
    return answer.trades


def traded(sides: BothSides, hours_ago: int = 0) -> tuple[str, int]:
    """An order of ours that was filled then: its OrderID(37), and the time before."""
    now = sides.world.now
    then = sides.world.now = now._replace(wall_ns=now.wall_ns - hours_ago * HOUR_NS)
    _, (told, *_) = sides.desk().new(price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    sides.world.now = now
    assert isinstance(told, ExecutionReport)
    return told.order_id, then.wall_ns


def test_a_trade_is_told_in_contracts_with_its_fee_under_the_key_that_fix_gives_it(
    sides: BothSides, rest: DeribitRest
) -> None:
    desk = sides.desk()
    desk.new(price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    (over_fix,) = [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    (trade,) = trades(rest)
    assert (trade.trade_key, trade.order_id, trade.last_qty, trade.last_px, trade.maker) == (
        over_fix.trade_key, over_fix.order_id, over_fix.last_qty, over_fix.last_px, over_fix.maker,
    )  # fmt: skip
    assert trade.fee_asset == "BTC" and trade.fee_qty > Decimal(0)


def test_of_a_fee_that_cannot_be_read_nothing_is_told_and_of_one_of_zero_that_there_is_none(
    sides: BothSides, rest: DeribitRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    traded(sides)
    asked: dict[str, object] = {"instrument_name": SYMBOL, "count": 10}
    (row,) = rest.api.privateGetGetUserTradesByInstrument(asked)["result"]["trades"]
    for fee, told in (("x", (Decimal(0), "")), (0, (Decimal(0), "BTC"))):
        answer = {"result": {"trades": [{**row, "fee": fee}]}}
        monkeypatch.setattr(rest.api, "privateGetGetUserTradesByInstrument", Mock(return_value=answer))
        assert [(trade.fee_qty, trade.fee_asset) for trade in trades(rest)] == [told]


def test_trades_of_more_than_a_day_ago_are_told_with_those_of_today(sides: BothSides, rest: DeribitRest) -> None:
    """Whoever was away for a weekend would take it that nothing was filled before yesterday."""
    (old, since_ns), (new, _) = traded(sides, hours_ago=60), traded(sides)
    for by in ({"since_ns": since_ns}, {"from_trade_key": "1"}, {}):
        assert [(t.trade_key, t.order_id) for t in trades(rest, **by)] == [("1", old), ("2", new)], by
    assert [t.trade_key for t in trades(rest, order_id=old)] == ["1"]
    assert [t.trade_key for t in trades(rest, order_id=new)] == ["2"]
    assert [t.trade_key for t in trades(rest, from_trade_key="2")] == ["2"]


def test_the_exchange_s_own_state_has_the_contracts_that_are_held(sides: BothSides) -> None:
    assert sides.world.ask("state")["contracts"] == {}
    traded(sides)
    assert sides.world.ask("state")["contracts"] == {SYMBOL: f"{sides.qty:f}"}, "which no balance shows"


@pytest.mark.parametrize(("side", "sign"), [("2", 1), ("1", -1)])
def test_what_is_held_is_told_in_contracts_below_zero_where_they_were_sold(
    sides: BothSides, rest: DeribitRest, side: str, sign: int
) -> None:
    assert rest.ask(Ask("x", 1, "positions")).positions == ()
    sides.desk().new(side="1" if side == "2" else "2", price=sides.price)
    sides.stranger(side, sides.qty, sides.price)
    assert rest.ask(Ask("x", 1, "positions")).positions == ((SYMBOL, sign * sides.qty),)
