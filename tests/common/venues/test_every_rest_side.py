"""The REST side of a venue that speaks FIX, against the folder's own simulated one over the loopback: what FIX does not
tell, in so far as it is told alike.

What a venue has of its own there stands in its folder's `test_rest.py`.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.messages import Ask, ExecutionReport, Trade
from tests.common.venues.both_sides import BothSides, Desk
from tests.common.venues.served import Served

D = Decimal
BY_EITHER_NAME = ("bullish", "coinbase", "coinbaseintl", "coinbaseprime", "cryptocom", "gemini", "htx")
TELLS_WHAT_ENDED = ("bullish", "cryptocom", "htx")
of_each = pytest.mark.parametrize("dialect", BY_EITHER_NAME)
of_what_ended = pytest.mark.parametrize("dialect", TELLS_WHAT_ENDED)


@pytest.fixture
def sides(dialect: str, tmp_path: Path) -> BothSides:
    return BothSides(dialect, tmp_path)


@pytest.fixture
def desk(sides: BothSides, served: Served) -> Desk:
    """Logged on by the clock that the REST side has."""
    return sides.desk()


@pytest.fixture
def rest_path(dialect: str) -> str:
    return {"bullish": "/trading-api", "coinbaseintl": "/api", "coinbaseprime": "/v1"}.get(dialect, "")


@pytest.fixture
def other_symbol(sides: BothSides) -> str:
    return next(symbol for symbol in sides.venue.instruments if symbol != sides.symbol)


def ask(sides: BothSides, rest: Any, what: str, symbol: str | None = None, **more: Any) -> Any:
    """An answer that did not fail."""
    answer = rest.ask(Ask("x", 1, what, sides.symbol if symbol is None else symbol, **more))
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: Any) -> ExecutionReport:
    told = desk.new(**terms)[1][-1]
    assert isinstance(told, ExecutionReport)
    return told


def fills(desk: Desk) -> list[ExecutionReport]:
    return [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.exec_type == "F"]


@of_each
def test_an_open_order_is_told_by_either_of_its_names(
    sides: BothSides, desk: Desk, rest: Any, other_symbol: str
) -> None:
    told = resting(desk)
    for by in ({"cl_ord_id": told.cl_ord_id}, {"order_id": told.order_id, "cl_ord_id": told.cl_ord_id}):
        order = ask(sides, rest, "order", **by).order
        assert (order.symbol, order.order_id, order.cl_ord_id, order.side, order.ord_status) == (
            sides.symbol, told.order_id, told.cl_ord_id, "1", "0",
        )  # fmt: skip
        assert (order.order_qty, order.price, order.cum_qty) == (told.order_qty, told.price, D(0))
    assert [o.order_id for o in ask(sides, rest, "open_orders").orders] == [told.order_id]
    assert ask(sides, rest, "open_orders", other_symbol).orders == ()


@of_each
def test_what_was_never_there_is_not_found_by_the_venue_s_clock(sides: BothSides, rest: Any) -> None:
    answer = ask(sides, rest, "order", cl_ord_id=sides.next_name())
    assert answer.not_found and answer.order is None
    assert 0 <= sides.world.now.wall_ns - answer.venue_ns < 10**9


@of_what_ended
def test_an_order_is_told_by_the_venue_s_name_alone_and_once_it_is_full(
    sides: BothSides, desk: Desk, rest: Any
) -> None:
    told = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    order = ask(sides, rest, "order", order_id=told.order_id).order
    assert (order.cl_ord_id, order.ord_status, order.cum_qty) == (told.cl_ord_id, "1", sides.qty / 4)
    sides.stranger("2", sides.qty, sides.price)
    order = ask(sides, rest, "order", cl_ord_id=told.cl_ord_id).order
    assert order.ord_status == "2", "which FIX does not know any more"
    assert ask(sides, rest, "order", order_id="4711").not_found


@of_what_ended
def test_trades_have_the_numbers_that_fix_gives_them(
    sides: BothSides, desk: Desk, rest: Any, other_symbol: str
) -> None:
    told = resting(desk, price=sides.price)
    since_ns = sides.world.now.wall_ns
    for _ in range(3):
        sides.stranger("2", sides.qty / 4, sides.price)
    over_fix = fills(desk)
    trades = ask(sides, rest, "trades", since_ns=since_ns).trades
    assert [t.trade_key for t in trades] == [e.trade_key for e in over_fix]
    first, fix = trades[0], over_fix[0]
    assert first.fee_qty > 0 and fix.fee_qty in (first.fee_qty, D(0)), "FIX need not tell it"
    assert first == Trade(
        sides.symbol, fix.trade_key, told.order_id, "1", sides.qty / 4, sides.price, first.fee_qty, "BTC",
        first.transact_ns, True,
    )  # fmt: skip
    keys = [t.trade_key for t in trades]
    assert [t.trade_key for t in ask(sides, rest, "trades", from_trade_key=keys[1]).trades] == keys[1:]
    assert [t.trade_key for t in ask(sides, rest, "trades", order_id=told.order_id).trades] == keys
    assert ask(sides, rest, "trades", other_symbol, since_ns=since_ns).trades == ()


@of_what_ended
def test_trades_of_many_pages_come_oldest_first(sides: BothSides, desk: Desk, rest: Any) -> None:
    resting(desk, order_qty=D("0.2"), price=sides.price)
    since_ns = sides.world.now.wall_ns
    for number in range(120):
        if number % 40 == 0:
            sides.world.pass_time(0.001, 0.001)
        sides.stranger("2", D("0.001"), sides.price)
    told = [t.trade_key for t in ask(sides, rest, "trades", since_ns=since_ns).trades]
    assert len(told) == 120 and told == [e.trade_key for e in fills(desk)]


@of_what_ended
def test_balances(sides: BothSides, desk: Desk, rest: Any) -> None:
    told = resting(desk)
    balances = {asset: (free, held) for asset, free, held in ask(sides, rest, "balances").balances}
    assert told.price is not None and told.order_qty is not None
    assert balances["BTC"] == (D(1000), D(0))
    assert balances[sides.instrument.quote][1] == told.price * told.order_qty


@of_what_ended
def test_everything_of_a_symbol_is_cancelled(sides: BothSides, desk: Desk, rest: Any, other_symbol: str) -> None:
    for _ in range(3):
        resting(desk)
    other = resting(desk, symbol=other_symbol, price=D(3000), order_qty=D(1))
    assert ask(sides, rest, "cancel_all").cancelled == 3
    assert [o.order_id for o in ask(sides, rest, "open_orders", "").orders] == [other.order_id]
    assert ask(sides, rest, "cancel_all").cancelled == 0
    assert [e.exec_type for e in desk.heard() if isinstance(e, ExecutionReport)] == ["4"] * 3, "FIX tells of it"
