"""The account's REST side of KuCoin Futures, CCXT against its simulated side over the loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Order, Terms
from common.messages import Answer, Ask
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.exchange.harness import World
from tests.common.venues.kucoinfutures.rig import KEYS, KUCOIN_FUTURES, OTHER_SYMBOL, SYMBOL, D
from tests.common.venues.served import Served

DAY_NS = 86_400 * 10**9


class Account(NamedTuple):
    """A venue at a socket, and what asks it."""

    world: World
    rest: Any

    def order(self, name: str, side: str, qty: str, px: str, symbol: str = SYMBOL, account: str = "desk") -> Order:
        """An order at the venue, of the account or of somebody else."""
        terms = Terms(account, account, name, symbol, side, LIMIT, D(qty), D(px))
        return self.world.core.venue.engine.place(terms, self.world.now)

    def name(self, order: Order) -> str:
        """Its OrderID(37)."""
        return self.world.core.venue.side.order_name(order.order_id)

    def ask(self, what: str, **more: Any) -> Answer:
        answer: Answer = self.rest.ask(Ask("x", 1, what, **{"symbol": SYMBOL, **more}))
        assert not answer.failed, answer.text
        return answer


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    world = World(tmp_path, KUCOIN_FUTURES)
    with Served(world) as served:
        url = f"http://127.0.0.1:{served.port('rest')}"
        rest: Any = find_rest("kucoinfutures")(RestSettings("x", url, KEYS, 5000))
        rest.api.throttle = lambda cost=None: None
        yield Account(world, rest)
        rest.api.close()


def test_an_order_is_told_by_either_name_as_it_stands_and_as_it_ended(account: Account) -> None:
    filled, cancelled, resting = (account.order(name, BUY, "10", "60000") for name in ("a1", "a-2", "a3"))
    account.order("", SELL, "14", "60000", account="")
    account.world.core.venue.engine.cancel(cancelled, account.world.now)
    for order, status, cum_qty in ((filled, "2", D(10)), (cancelled, "4", D(4)), (resting, "0", D(0))):
        for by in ({"cl_ord_id": order.cl_ord_id}, {"order_id": account.name(order), "cl_ord_id": order.cl_ord_id}):
            told = account.ask("order", **by).order
            assert told is not None and (told.ord_status, told.cum_qty) == (status, cum_qty)
            assert (told.cl_ord_id, told.order_id, told.side) == (order.cl_ord_id, account.name(order), "1")
            assert (told.order_qty, told.price, told.symbol) == (D(10), D(60_000), SYMBOL)


def test_that_there_is_no_such_order_is_asked_twice_with_the_clock_in_between(account: Account) -> None:
    told = account.ask("order", cl_ord_id="nosuch")
    assert told.not_found and told.venue_ns > 0 and told.order is None and told.error_code == 100_001


def test_what_is_held_open_and_paid_is_told_in_contracts_and_usdt(account: Account) -> None:
    sold = account.order("a1", SELL, "25", "65000")
    account.order("e1", BUY, "3", "3000", OTHER_SYMBOL)
    account.order("", BUY, "10", "65000", account="")
    assert account.ask("positions", symbol="").positions == ((SYMBOL, D(-10)),)
    (row,) = account.ask("open_orders").orders
    assert (row.cl_ord_id, row.order_qty, row.cum_qty, row.ord_status, row.side) == ("a1", D(25), D(10), "1", "2")
    assert {row.cl_ord_id for row in account.ask("open_orders", symbol="").orders} == {"a1", "e1"}
    (fill,) = account.ask("trades", order_id=account.name(sold)).trades
    assert (fill.last_qty, fill.fee_qty, fill.fee_asset, fill.maker) == (D(10), D("0.52"), "USDT", True)
    assert account.ask("history").trades == (fill,) and account.ask("history", symbol=OTHER_SYMBOL).trades == ()
    ((asset, free, held),) = account.ask("balances", symbol="").balances
    assert (asset, free + held) == ("USDT", 1_000_000 - D("0.52"))
    assert held == D("162.5") + D("10.5"), "a tenth of what 25 contracts are worth, and of the 3 of the other"
    (ticker,) = account.ask("ticker").tickers
    assert (ticker.ask_px, ticker.ask_qty, ticker.bid_px, ticker.last_px) == (D(65_000), D(15), None, D(65_000))
    assert abs(account.ask("time").venue_ns - account.world.now.wall_ns) < 10**9


def test_what_the_price_has_brought_is_no_money_yet(account: Account) -> None:
    account.order("a1", BUY, "10", "60000")
    account.order("", SELL, "10", "60000", account="")
    account.order("", SELL, "1", "61000", account="")
    account.order("", BUY, "1", "61000", account="")
    ((_, free, held),) = account.ask("balances", symbol="").balances
    assert free + held == 1_000_000 - D("0.48"), "the ten that it is above the cost are not realised"
    assert held == 61


def test_one_order_is_cancelled_or_all_of_a_symbol(account: Account) -> None:
    one, *_ = (account.order(name, BUY, "1", "60000") for name in ("a1", "a2", "a3"))
    assert account.ask("cancel", order_id=account.name(one)).cancelled == 1
    assert account.ask("cancel", order_id=account.name(one)).cancelled == 0
    other = account.order("b1", BUY, "1", "3000", OTHER_SYMBOL)
    account.ask("cancel_all")
    assert [each.order_id for each in account.ask("open_orders", symbol="").orders] == [account.name(other)]


def test_trades_come_the_oldest_first_from_a_key_or_a_time_on_whole_over_pages_and_weeks(account: Account) -> None:
    world, take = account.world, account.world.core.venue.engine.take_from
    long_ago = world.now._replace(wall_ns=world.now.wall_ns - 9 * DAY_NS)
    order = account.order("a1", BUY, "500", "60000")
    take(order, D(50), long_ago)
    for _ in range(130):
        take(order, D(1), world.now)
    keys = [int(trade.trade_key) for trade in account.ask("trades", since_ns=long_ago.wall_ns - 10**9).trades]
    assert keys == list(range(1, 132))
    assert sum(trade.last_qty for trade in account.ask("trades", order_id=account.name(order)).trades) == 180
    assert [int(trade.trade_key) for trade in account.ask("trades", from_trade_key="130").trades] == [130, 131]


def test_a_failure_is_told_with_the_venue_s_code_and_without_what_is_secret(account: Account) -> None:
    account.rest.api.secret = "another"
    answer = account.rest.ask(Ask("x", 1, "balances"))
    assert answer.failed and answer.error_code == 400_004 and "another" not in answer.text
