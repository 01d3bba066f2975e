"""CCXT, unified and ccxt.pro, against the simulated Gate.io Futures, over the loopback: an outside judge."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Terms
from tests.common.exchange.harness import World
from tests.common.venues.gateiofutures.rig import GATEIO_FUTURES, NAME, SYMBOL, USER, D
from tests.common.venues.judged import Bench, http, judge_of, opened, options, ws
from tests.common.venues.served import Served

PERPETUAL = "BTC/USDT:USDT"
NO_SNAPSHOT = {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False}
OPTIONS = {
    **options(fetchMarkets={"types": ["swap"]}, unifiedAccount=False, watchPositions=NO_SNAPSHOT), "uid": USER,
}  # fmt: skip


def aim(exchange: Any, served: Served) -> None:
    areas = ("wallet", "futures", "margin", "spot", "account", "unified", "sub_accounts", "earn")
    told = {side: dict.fromkeys(areas, f"{http(served)}/api/v4") for side in ("public", "private")}
    stream = f"{ws(served)}/v4/ws/usdt"
    exchange.urls["api"] = {**told, "swap": {"usdt": stream, "btc": stream}}
    # It goes by the venue's host.
    exchange.get_market_type_by_url = lambda url: "swap"


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    judged = judge_of("gateio")._replace(settings=GATEIO_FUTURES, options=OPTIONS, aim=aim)
    with opened(judged, tmp_path, ccxt) as bench:
        yield bench


def stranger(world: World, side: str, qty: str, px: str) -> None:
    """Somebody's order for contracts."""
    world.core.venue.engine.place(Terms("", "", "", SYMBOL, side, LIMIT, D(qty), D(px)), world.now)


def test_the_market_is_a_linear_perpetual_of_a_ten_thousandth_of_a_bitcoin(bench: Bench) -> None:
    market = bench.client.market(PERPETUAL)
    assert (market["id"], market["type"], market["linear"], market["settle"]) == (NAME, "swap", True, "USDT")
    assert market["contractSize"] == 0.0001 and market["precision"] == {"amount": 1.0, "price": 0.1}
    stranger(bench.world, SELL, "7", "65010.5")
    assert bench.client.fetch_order_book(PERPETUAL)["asks"][0][:2] == [65010.5, 7]
    assert bench.client.fetch_ticker(PERPETUAL)["ask"] == 65010.5


def test_an_order_is_made_edited_and_cancelled_and_a_fill_makes_a_position(bench: Bench) -> None:
    client, world = bench.client, bench.world
    made = client.create_order(PERPETUAL, "limit", "sell", 250, 70_000, {"clientOrderId": "a1"})
    found = client.fetch_order(made["id"], PERPETUAL)
    assert (found["status"], found["amount"], found["side"], found["clientOrderId"]) == ("open", 250, "sell", "t-a1")
    client.edit_order(made["id"], PERPETUAL, "limit", "sell", 300, 69_000)
    (row,) = client.fetch_open_orders(PERPETUAL)
    assert (row["amount"], row["price"]) == (300, 69_000)
    stranger(world, BUY, "100", "69000")
    client.cancel_order(made["id"], PERPETUAL)
    assert client.fetch_order(made["id"], PERPETUAL)["filled"] == 100
    (trade,) = client.fetch_my_trades(PERPETUAL)
    assert (trade["amount"], trade["price"], trade["side"], trade["fee"]["currency"]) == (100, 69_000, "sell", "USDT")
    assert trade["fee"]["cost"] == pytest.approx(0.552)
    (held,) = client.fetch_positions([PERPETUAL])
    assert (held["contracts"], held["side"], held["entryPrice"], held["contractSize"]) == (100, "short", 69_000, 0.0001)
    assert client.fetch_balance({"type": "swap"})["USDT"]["total"] == pytest.approx(1_000_000 - 0.552)


def test_a_reduce_only_order_needs_a_position_and_never_turns_it(bench: Bench) -> None:
    with pytest.raises(bench.ccxt.BaseError, match="INCREASE_POSITION"):
        bench.client.create_order(PERPETUAL, "limit", "sell", 1, 70_000, {"reduceOnly": True})
    stranger(bench.world, SELL, "2", "65010")
    bench.client.create_order(PERPETUAL, "limit", "buy", 2, 65_010)
    stranger(bench.world, BUY, "5", "65000")
    bench.client.create_order(PERPETUAL, "limit", "sell", 5, 65_000, {"reduceOnly": True})
    assert [each["contracts"] for each in bench.client.fetch_positions([PERPETUAL])] == [0]


def test_a_market_order_takes_contracts(bench: Bench) -> None:
    stranger(bench.world, SELL, "9", "65010")
    made = bench.client.create_order(PERPETUAL, "market", "buy", 4)
    assert bench.client.fetch_order(made["id"], PERPETUAL)["filled"] == 4


def test_what_is_refused_is_refused_in_the_venue_s_labels(bench: Bench) -> None:
    gate = bench.client

    def limit(size: object, price: str, text: str, **more: object) -> Any:
        asked = {"settle": "usdt", "text": text, "contract": NAME, "size": size, "price": price}
        return gate.privateFuturesPostSettleOrders({**asked, **more})

    limit(1, "60000", "t-a1")
    limit(900_000, "60000", "t-a0")
    unknown = {"settle": "usdt", "order_id": "t-zz"}
    for refused, label in (
        (partial(limit, 1, "60000", "t-a1"), "REPEATED_CREATION"),
        (partial(limit, 1_000_000, "60000", "t-a2"), "INSUFFICIENT_AVAILABLE"),
        (partial(limit, 1, "60000", "a3"), "INVALID_PARAM_VALUE"),
        (partial(limit, "0.5", "60000", "t-a4"), "INVALID_PARAM_VALUE"),
        (partial(limit, 0, "60000", "t-a5", close=True), "INVALID_PARAM_VALUE"),
        (partial(limit, 1, "0", "t-a6"), "INVALID_PARAM_VALUE"),
        (partial(limit, 1, "60000", "t-a7", contract="NO_USDT"), "CONTRACT_NOT_FOUND"),
        (partial(gate.privateFuturesGetSettleOrdersOrderId, unknown), "ORDER_NOT_FOUND"),
        (partial(gate.privateFuturesDeleteSettleOrdersOrderId, unknown), "ORDER_NOT_FOUND"),
        (partial(gate.privateFuturesPutSettleOrdersOrderId, {**unknown, "size": 1}), "ORDER_NOT_FOUND"),
    ):
        with pytest.raises(bench.ccxt.BaseError, match=label):
            refused()
    assert len(gate.cancel_all_orders(PERPETUAL)) == 2 and gate.fetch_open_orders(PERPETUAL) == []


def test_pushes_tell_of_an_order_a_fill_and_a_position(bench: Bench) -> None:
    async def watch(exchange: Any) -> list[Any]:
        orders = asyncio.create_task(exchange.watch_orders(PERPETUAL))
        fills = asyncio.create_task(exchange.watch_my_trades(PERPETUAL))
        held = asyncio.create_task(exchange.watch_positions([PERPETUAL]))
        while len(bench.world.core.venue.side.orders._private) < 3:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        await exchange.create_order(PERPETUAL, "limit", "sell", 5, 65_000, {"clientOrderId": "a1"})
        seen = [dict((await orders)[-1])]
        stranger(bench.world, BUY, "2", "65000")
        bench.served.ask("book")
        return [*seen, dict((await fills)[-1]), dict((await held)[-1])]

    order, fill, position = bench.watch(watch)
    assert (order["status"], order["clientOrderId"], order["amount"], order["symbol"]) == ("open", "t-a1", 5, PERPETUAL)
    assert (fill["side"], fill["amount"], fill["price"]) == ("sell", 2, 65_000)
    assert (position["side"], position["contracts"]) == ("short", 2)
