"""CCXT, unified and ccxt.pro, against the simulated KuCoin Futures, over the loopback."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Terms
from common.messages import Answer, Ask
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.exchange.harness import World
from tests.common.venues.judged import Bench, Judged, aim_kucoin, edit_in_place, opened, options
from tests.common.venues.kucoinfutures.rig import KEYS, KUCOIN_FUTURES, OTHER_SYMBOL, SYMBOL, D
from tests.common.venues.served import Served

PERPETUAL = "BTC/USDT:USDT"
CROSS = {"marginMode": "cross"}


def aim_futures(exchange: Any, served: Served) -> None:
    """Margin of spot markets, which CCXT asks for beside, is on spot's host."""
    aim_kucoin(exchange, served)
    fetch = exchange.fetch_markets
    exchange.fetch_markets = lambda params={}: fetch({**params, "marginables": False})


FUTURES = Judged(
    "kucoinfutures", KUCOIN_FUTURES,
    options(
        uta=False, partner={}, watchOrderBook={"snapshotDelay": 0},
        fetchMarkets={"types": ["swap"], "fetchTickersFees": False},
    ),
    aim_futures, "clientOid", edit_in_place,
    (("secret", "another", "400004"), ("password", "another", "400004"), ("apiKey", "another", "400003")),
    5_000, "400002", 0.1, "_topics",
)  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    with opened(FUTURES, tmp_path, ccxt) as bench:
        yield bench


def stranger(world: World, side: str, qty: str, px: str) -> None:
    """Somebody's order for contracts."""
    world.core.venue.engine.place(Terms("", "", "", SYMBOL, side, LIMIT, D(qty), D(px)), world.now)


def test_the_market_is_a_linear_perpetual_of_a_thousandth_of_a_bitcoin(bench: Bench) -> None:
    market = bench.client.market(PERPETUAL)
    assert (market["id"], market["type"], market["linear"], market["settle"]) == (SYMBOL, "swap", True, "USDT")
    assert market["contractSize"] == 0.001 and market["precision"] == {"amount": 1, "price": 0.1}
    stranger(bench.world, SELL, "75", "65010.5")
    assert bench.client.fetch_order_book(PERPETUAL)["asks"][0][:2] == [65010.5, 75]
    assert bench.client.fetch_ticker(PERPETUAL)["ask"] == 65010.5


def test_an_order_is_made_asked_for_and_cancelled_and_a_fill_makes_a_position(bench: Bench) -> None:
    client, world = bench.client, bench.world
    made = client.create_order(PERPETUAL, "limit", "buy", 25, 61_000, {"clientOid": "a1", **CROSS})
    found = client.fetch_order(made["id"], PERPETUAL)
    assert (found["status"], found["amount"], found["clientOrderId"]) == ("open", 25, "a1")
    assert client.fetch_order("", PERPETUAL, {"clientOid": "a1"})["id"] == made["id"]
    (row,) = client.fetch_open_orders(PERPETUAL)
    assert (row["amount"], row["price"], row["timeInForce"]) == (25, 61_000, "GTC")
    # The list that CCXT reads is late: what happened a while ago is in it.
    bench.served.ask("book")
    world.now = world.now._replace(wall_ns=world.now.wall_ns - 5 * 10**9)
    stranger(world, SELL, "10", "61000")
    client.cancel_order(made["id"], PERPETUAL)
    assert client.fetch_order(made["id"], PERPETUAL)["status"] == "canceled"
    assert client.fetch_open_orders(PERPETUAL) == []
    (trade,) = client.fetch_my_trades(PERPETUAL)
    assert (trade["amount"], trade["price"], trade["fee"]["currency"]) == (10, 61_000, "USDT")
    assert trade["fee"]["cost"] == pytest.approx(0.488) and trade["order"] == made["id"]
    (held,) = client.fetch_positions([PERPETUAL])
    assert (held["contracts"], held["side"], held["entryPrice"], held["contractSize"]) == (10, "long", 61_000, 0.001)
    assert client.fetch_balance()["USDT"]["total"] == pytest.approx(1_000_000 - 0.488)


def test_a_reduce_only_order_needs_a_position(bench: Bench) -> None:
    reduces = {"reduceOnly": True, **CROSS}
    with pytest.raises(bench.ccxt.BaseError, match="300009"):
        bench.client.create_order(PERPETUAL, "limit", "sell", 1, 70_000, reduces)
    stranger(bench.world, SELL, "20", "65010")
    bench.client.create_order(PERPETUAL, "limit", "buy", 20, 65_010, CROSS)
    stranger(bench.world, BUY, "50", "65000")
    bench.client.create_order(PERPETUAL, "limit", "sell", 50, 65_000, reduces)
    assert bench.client.fetch_positions([PERPETUAL]) == []


def test_the_account_is_of_one_position_in_each_contract(bench: Bench) -> None:
    assert bench.client.fetch_position_mode()["hedged"] is False
    assert bench.client.fetch_margin_mode(PERPETUAL)["marginMode"] == "cross"
    with pytest.raises(bench.ccxt.BaseError, match="330012"):
        bench.client.create_order(PERPETUAL, "limit", "buy", 1, 60_000, {"hedged": True, **CROSS})
    with pytest.raises(bench.ccxt.BaseError, match="330005"):
        bench.client.create_order(PERPETUAL, "limit", "buy", 1, 60_000)


def test_a_wrong_signature_and_an_old_stamp_are_refused(bench: Bench) -> None:
    client, judged = bench.client, bench.judged
    old = ("nonce", lambda: client.milliseconds() - judged.old_ms, judged.old_code)
    for name, value, code in (*judged.wrong_keys, old):
        former = getattr(client, name)
        setattr(client, name, value)
        with pytest.raises(bench.ccxt.BaseError, match=code):
            client.fetch_balance()
        setattr(client, name, former)
    assert client.fetch_balance()["USDT"]["free"] == 1_000_000


@pytest.mark.parametrize(("kind", "placed"), [("lost", False), ("unknown", True), ("half", True)])
def test_a_fault_leaves_whoever_asks_without_a_verdict(bench: Bench, kind: str, placed: bool) -> None:
    bench.served.ask("fault", kind=kind, scope="rest", count=1)
    with pytest.raises(bench.ccxt.BaseError):
        bench.client.create_order(PERPETUAL, "limit", "buy", 1, 60_000, {"clientOid": "a1", **CROSS})
    assert bool(bench.client.fetch_open_orders(PERPETUAL)) is placed


def test_all_orders_are_cancelled(bench: Bench) -> None:
    for n in range(3):
        bench.client.create_order(PERPETUAL, "limit", "buy", 1, 60_000, {"clientOid": f"a{n}", **CROSS})
    bench.client.cancel_all_orders(PERPETUAL)
    assert bench.client.fetch_open_orders(PERPETUAL) == []


def test_pushes_tell_of_an_order_for_contracts_and_its_end(bench: Bench) -> None:
    async def watch(exchange: Any) -> list[Any]:
        told = asyncio.create_task(exchange.watch_orders(PERPETUAL))
        await bench.heard()
        made = await exchange.create_order(PERPETUAL, "limit", "sell", 5, 70_000, {"clientOid": "a1", **CROSS})
        seen = [dict((await told)[-1])]
        cancelled = asyncio.create_task(exchange.watch_orders(PERPETUAL))
        await exchange.cancel_order(made["id"], PERPETUAL)
        return [*seen, dict((await cancelled)[-1])]

    seen = bench.watch(watch)
    assert [(each["status"], each["clientOrderId"], each["amount"], each["symbol"]) for each in seen] == [
        (status, "a1", 5, PERPETUAL) for status in ("open", "canceled")
    ]


def test_the_book_is_watched(bench: Bench) -> None:
    stranger(bench.world, SELL, "50", "65010.5")

    async def watch(exchange: Any) -> list[Any]:
        asks: list[Any] = []
        told = asyncio.create_task(exchange.watch_order_book(PERPETUAL))
        for n in range(400):
            # A turn of the exchange: a changed book is due only some time after the one before.
            bench.served.set_clock()
            bench.served.ask("book")
            await asyncio.sleep(0.01)
            if n % 40 == 20:
                # The snapshot is asked for with the first change, and so there has to be one.
                name = {"clientOid": f"a{n}", **CROSS}
                await exchange.create_order(PERPETUAL, "limit", "sell", 20, 65_005 - n / 10, name)
            if told.done():
                asks = [row[:2] for row in told.result()["asks"]]
                if len(asks) > 1:
                    break
                told = asyncio.create_task(exchange.watch_order_book(PERPETUAL))
        told.cancel()
        return asks

    asks = bench.watch(watch)
    assert asks[-1] == [65010.5, 50] and asks[0][1] == 20
    assert len(asks) == len(set(map(tuple, asks)))


def test_the_account_s_side_tells_contracts_and_their_orders_and_fills(bench: Bench) -> None:
    url = f"http://127.0.0.1:{bench.served.port('rest')}"
    rest: Any = find_rest("kucoinfutures")(RestSettings("x", url, KEYS, 5000))
    rest.api.throttle = lambda cost=None: None
    client = bench.client

    def ask(what: str, **more: Any) -> Answer:
        answer: Answer = rest.ask(Ask("x", 1, what, **{"symbol": SYMBOL, **more}))
        assert not answer.failed, answer.text
        return answer

    made = client.create_order(PERPETUAL, "limit", "sell", 25, 65_000, {"clientOid": "a1", **CROSS})
    client.create_order("ETH/USDT:USDT", "limit", "buy", 3, 3_000, {"clientOid": "e1", **CROSS})
    stranger(bench.world, BUY, "10", "65000")
    assert ask("positions", symbol="").positions == ((SYMBOL, D(-10)),)
    (row,) = ask("open_orders").orders
    assert (row.cl_ord_id, row.order_qty, row.cum_qty, row.symbol, row.side) == ("a1", D(25), D(10), SYMBOL, "2")
    assert {row.cl_ord_id for row in ask("open_orders", symbol="").orders} == {"a1", "e1"}
    for by in ({"cl_ord_id": "a1"}, {"order_id": made["id"], "cl_ord_id": "a1"}):
        found = ask("order", **by).order
        assert found is not None and (found.ord_status, found.order_id) == ("1", made["id"])
    absent = ask("order", cl_ord_id="nosuch")
    assert absent.not_found and absent.venue_ns > 0 and absent.error_code == 100_001
    (fill,) = ask("trades", order_id=made["id"]).trades
    assert (fill.last_qty, fill.fee_qty, fill.fee_asset, fill.maker) == (D(10), D("0.52"), "USDT", True)
    assert ask("history").trades == (fill,) and ask("history", symbol=OTHER_SYMBOL).trades == ()
    ((asset, free, held),) = ask("balances", symbol="").balances
    assert (asset, free + held) == ("USDT", 1_000_000 - D("0.52"))
    assert held == D("162.5") + D("10.5"), "a tenth of what 25 contracts are worth, and of the 3 of the other"
    (ticker,) = ask("ticker").tickers
    assert (ticker.ask_px, ticker.ask_qty, ticker.bid_px, ticker.last_px) == (D(65_000), D(15), None, D(65_000))
    assert ask("cancel", order_id=made["id"]).cancelled == 1
    assert ask("cancel", order_id=made["id"]).cancelled == 0
    assert ask("cancel_all", symbol="").cancelled == 1
    rest.api.close()


def test_trades_come_the_oldest_first_from_a_key_or_a_time_on_whole_over_pages_and_weeks(bench: Bench) -> None:
    url = f"http://127.0.0.1:{bench.served.port('rest')}"
    rest: Any = find_rest("kucoinfutures")(RestSettings("x", url, KEYS, 5000))
    rest.api.throttle = lambda cost=None: None
    world, take = bench.world, bench.world.core.venue.engine.take_from
    long_ago = world.now._replace(wall_ns=world.now.wall_ns - 9 * 86_400 * 10**9)
    order = world.core.venue.engine.place(
        Terms("desk", "desk", "a1", SYMBOL, BUY, LIMIT, D(500), D(60_000)), long_ago
    )  # fmt: skip
    take(order, D(50), long_ago)
    for _ in range(130):
        take(order, D(1), world.now)
    asked = {"symbol": SYMBOL, "since_ns": long_ago.wall_ns - 10**9}
    told = rest.ask(Ask("x", 1, "trades", **asked))
    assert [int(trade.trade_key) for trade in told.trades] == list(range(1, 132))
    told = rest.ask(Ask("x", 1, "trades", symbol=SYMBOL, from_trade_key="130"))
    assert [int(trade.trade_key) for trade in told.trades] == [130, 131]
    told = rest.ask(Ask("x", 1, "trades", symbol=SYMBOL, order_id=world.core.venue.side.order_name(order.order_id)))
    assert sum(trade.last_qty for trade in told.trades) == 180
    rest.api.close()
