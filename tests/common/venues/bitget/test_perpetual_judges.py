"""CCXT, unified and ccxt.pro, against the simulated Bitget's linear perpetuals, over the loopback."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Terms
from tests.common.exchange.harness import World
from tests.common.venues.bitget.perpetual_rig import BITGET_CONTRACTS, PERPETUAL, D
from tests.common.venues.bitget.rig import SYMBOL as PAIR
from tests.common.venues.judged import SYMBOL, Bench, judge_of, opened, options

SWAP = "BTC/USDT:USDT"
CONTRACT_OPTIONS = options(
    uta=False, fetchMarkets={"types": ["spot", "swap"]}, subTypes=["USDT-FUTURES"], defaultSubType="linear"
)


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    judged = judge_of("bitget")._replace(settings=BITGET_CONTRACTS, options=CONTRACT_OPTIONS)
    with opened(judged, tmp_path, ccxt) as bench:
        yield bench


def stranger(world: World, side: str, qty: str, px: str) -> None:
    """Somebody's order for contracts."""
    world.core.venue.engine.place(Terms("", "", "", PERPETUAL, side, LIMIT, D(qty), D(px)), world.now)


def test_the_market_is_a_linear_perpetual_in_the_base_asset(bench: Bench) -> None:
    market, spot = bench.client.market(SWAP), bench.client.market(SYMBOL)
    assert (market["id"], market["type"], market["linear"], market["settle"]) == (PAIR, "swap", True, "USDT")
    assert market["contractSize"] == 1 and market["precision"] == {"amount": 0.001, "price": 0.1}
    assert (spot["id"], spot["type"]) == (PAIR, "spot")
    stranger(bench.world, SELL, "7.5", "65010.5")
    assert bench.client.fetch_order_book(SWAP)["asks"][0][:2] == [65010.5, 7.5]
    assert bench.client.fetch_order_book(SYMBOL)["asks"] == []
    assert bench.client.fetch_ticker(SWAP)["ask"] == 65010.5


def test_an_order_is_made_and_cancelled_and_a_fill_makes_a_position(bench: Bench) -> None:
    client, world = bench.client, bench.world
    made = client.create_order(SWAP, "limit", "buy", 0.25, 60_000, {"clientOid": "a1"})
    found = client.fetch_order(made["id"], SWAP)
    assert (found["status"], found["amount"], found["clientOrderId"]) == ("open", 0.25, "a1")
    assert found["reduceOnly"] is False
    stranger(world, SELL, "0.1", "60000")
    (row,) = client.fetch_open_orders(SWAP, None, None, {"status": "partially_filled"})
    assert (row["amount"], row["price"], row["filled"]) == (0.25, 60_000, 0.1)
    assert client.fetch_open_orders(SYMBOL) == []
    client.cancel_order(made["id"], SWAP)
    assert client.fetch_order(made["id"], SWAP)["status"] == "canceled"
    (trade,) = client.fetch_my_trades(SWAP)
    assert (trade["amount"], trade["price"], trade["fee"]["currency"]) == (0.1, 60_000, "USDT")
    assert trade["fee"]["cost"] == pytest.approx(4.8)
    (held,) = client.fetch_positions([SWAP])
    assert (held["contracts"], held["side"], held["entryPrice"], held["hedged"]) == (0.1, "long", 60_000, False)
    assert client.fetch_balance({"type": "swap"})["USDT"]["total"] == pytest.approx(100_000 - 4.8)
    assert client.fetch_balance()["USDT"]["total"] == 1_000_000


def test_a_modified_order_is_another_one_and_one_with_a_fill_is_not_modified(bench: Bench) -> None:
    client = bench.client
    made = client.create_order(SWAP, "limit", "buy", 0.2, 60_000, {"clientOid": "a1"})
    changed = client.edit_order(made["id"], SWAP, "limit", "buy", 0.3, 61_000, {"newClientOid": "a2"})
    assert changed["id"] is None and changed["clientOrderId"] == "a2"
    (row,) = client.fetch_open_orders(SWAP)
    assert (row["clientOrderId"], row["amount"], row["price"]) == ("a2", 0.3, 61_000) and row["id"] != made["id"]
    assert client.fetch_order(made["id"], SWAP)["status"] == "canceled"
    stranger(bench.world, SELL, "0.1", "61000")
    with pytest.raises(bench.ccxt.BaseError, match="40922"):
        client.edit_order(row["id"], SWAP, "limit", "buy", 0.4, 61_000, {"newClientOid": "a3"})


def test_a_reduce_only_order_needs_a_position_and_makes_room_for_itself(bench: Bench) -> None:
    client = bench.client
    with pytest.raises(bench.ccxt.BaseError, match="22002"):
        client.create_order(SWAP, "limit", "sell", 1, 70_000, {"reduceOnly": True})
    stranger(bench.world, SELL, "0.2", "65010")
    client.create_order(SWAP, "limit", "buy", 0.2, 65_010)
    first = client.create_order(SWAP, "limit", "sell", 0.15, 70_000, {"reduceOnly": True, "clientOid": "r1"})
    second = client.create_order(SWAP, "limit", "sell", 0.1, 71_000, {"reduceOnly": True, "clientOid": "r2"})
    assert first["id"] is not None and second["id"] is None
    (row,) = client.fetch_open_orders(SWAP)
    assert (row["clientOrderId"], row["reduceOnly"]) == ("r2", True)
    stranger(bench.world, BUY, "5", "65000")
    client.create_order(SWAP, "limit", "sell", 5, 65_000, {"reduceOnly": True})
    assert client.fetch_positions([SWAP]) == []


def test_what_is_refused_is_refused_in_the_venue_s_codes(bench: Bench) -> None:
    client = bench.client
    asked = {
        "symbol": PAIR, "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "side": "buy",
        "orderType": "limit", "force": "gtc", "size": "0.1", "price": "60000", "clientOid": "a1",
    }  # fmt: skip
    client.privateMixPostV2MixOrderPlaceOrder(asked)
    for changed, code in (
        ({}, "45034"), ({"clientOid": "a2", "size": "90"}, "40762"), ({"clientOid": "a3", "size": "0.0001"}, "40808"),
        ({"clientOid": "a4", "symbol": "NOSUCH"}, "40034"), ({"clientOid": "a5", "productType": "SPOT"}, "43011"),
        ({"clientOid": "a6", "marginCoin": "BTC"}, "45025"), ({"clientOid": "a7", "tradeSide": "open"}, "40774"),
        ({"clientOid": "a8", "marginMode": "isolated"}, "43011"), ({"clientOid": "a9", "size": "0.00001"}, "40808"),
    ):  # fmt: skip
        with pytest.raises(bench.ccxt.BaseError, match=code):
            client.privateMixPostV2MixOrderPlaceOrder({**asked, **changed})
    unknown = {"symbol": PAIR, "productType": "USDT-FUTURES", "clientOid": "zz"}
    for refused, code in (
        (client.privateMixGetV2MixOrderDetail, "40109"), (client.privateMixPostV2MixOrderCancelOrder, "40768"),
    ):  # fmt: skip
        with pytest.raises(bench.ccxt.BaseError, match=code):
            refused(unknown)
    (row,) = client.fetch_open_orders(SWAP)
    assert row["clientOrderId"] == "a1"
    with pytest.raises(bench.ccxt.BaseError, match="40034"):
        client.privateSpotPostV2SpotTradePlaceOrder({**asked, "symbol": PERPETUAL, "clientOid": "b1"})


def test_all_of_a_contract_s_orders_are_cancelled(bench: Bench) -> None:
    for n in range(3):
        bench.client.create_order(SWAP, "limit", "buy", 0.1, 60_000, {"clientOid": f"a{n}"})
    bench.client.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOid": "s1"})
    assert len(bench.client.cancel_all_orders(SWAP)) == 3
    assert bench.client.fetch_open_orders(SWAP) == [] and len(bench.client.fetch_open_orders(SYMBOL)) == 1


def test_pushes_tell_of_an_order_for_contracts_and_of_the_position(bench: Bench) -> None:
    stranger(bench.world, BUY, "1", "60000")

    async def watch(exchange: Any) -> list[Any]:
        told = asyncio.create_task(exchange.watch_orders(SWAP))
        await bench.heard()
        await exchange.create_order(SWAP, "limit", "sell", 0.5, 70_000, {"clientOid": "a1"})
        seen = [dict((await told)[-1]), await exchange.watch_positions([SWAP])]
        held = asyncio.create_task(exchange.watch_positions([SWAP]))
        await exchange.create_order(SWAP, "limit", "sell", 0.4, 60_000, {"clientOid": "a2"})
        return [*seen, await held]

    order, none, (held,) = bench.watch(watch)
    assert (order["status"], order["clientOrderId"], order["amount"], order["symbol"]) == ("open", "a1", 0.5, SWAP)
    assert none == [] and (held["contracts"], held["side"], held["symbol"]) == (0.4, "short", SWAP)


def test_the_book_of_contracts_is_watched_and_its_sum_agrees(bench: Bench) -> None:
    stranger(bench.world, SELL, "0.5", "65010.5")

    async def watch(exchange: Any) -> list[Any]:
        told = asyncio.create_task(exchange.watch_order_book(SWAP))
        for n in range(400):
            bench.served.set_clock()
            bench.served.ask("book")
            await asyncio.sleep(0.01)
            if n == 40:
                await exchange.create_order(SWAP, "limit", "sell", 0.2, 65_005, {"clientOid": "a1"})
            if told.done():
                asks = [row[:2] for row in told.result()["asks"]]
                if len(asks) > 1:
                    return asks
                told = asyncio.create_task(exchange.watch_order_book(SWAP))
        return []

    assert bench.watch(watch) == [[65_005, 0.2], [65010.5, 0.5]]
