"""CCXT, unified and ccxt.pro, against the simulated KuCoin Futures, over the loopback."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Terms
from tests.common.exchange.harness import World
from tests.common.venues.judged import Bench, Judged, aim_kucoin, edit_in_place, opened, options
from tests.common.venues.kucoinfutures.rig import KUCOIN_FUTURES, SYMBOL, D
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
        uta=False, hf=True, partner={}, watchOrderBook={"snapshotDelay": 0},
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
    bench.check_refused()
    assert bench.client.fetch_balance()["USDT"]["free"] == 1_000_000


@pytest.mark.parametrize(("kind", "placed"), [("lost", False), ("unknown", True), ("half", True)])
def test_a_fault_leaves_whoever_asks_without_a_verdict(bench: Bench, kind: str, placed: bool) -> None:
    bench.served.ask("fault", kind=kind, scope="rest", count=1)
    with pytest.raises(bench.ccxt.BaseError):
        bench.client.create_order(PERPETUAL, "limit", "buy", 1, 60_000, {"clientOid": "a1", **CROSS})
    assert bool(bench.client.fetch_open_orders(PERPETUAL)) is placed


def test_a_young_order_is_hidden_while_the_fault_lasts_and_a_barred_request_is_told_so(bench: Bench) -> None:
    client = bench.client
    bench.served.ask("fault", kind="blind", scope="rest", count=1, ms=60_000)
    made = client.create_order(PERPETUAL, "limit", "buy", 1, 60_000, {"clientOid": "a1", **CROSS})
    with pytest.raises(bench.ccxt.OrderNotFound):
        client.fetch_order(made["id"], PERPETUAL)
    bench.served.ask("fault", kind="barred", scope="rest", count=1)
    with pytest.raises((bench.ccxt.RateLimitExceeded, bench.ccxt.DDoSProtection)):
        client.fetch_order(made["id"], PERPETUAL)
    assert client.fetch_order(made["id"], PERPETUAL)["status"] == "open"


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
