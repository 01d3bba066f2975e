"""CCXT, unified and ccxt.pro, against the simulated Bitget over the loopback: judges that it was not made from."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.venues.bitget.simulated import open_side
from tests.common.exchange.harness import World
from tests.common.venues.bitget.rig import BITGET
from tests.common.venues.judges import offer, watched
from tests.common.venues.served import Served

SYMBOL, PAIR = "BTC/USDT", "BTCUSDT"
OPTIONS: dict[str, Any] = {
    "apiKey": "K", "secret": "S", "password": "P", "enableRateLimit": False,
    "options": {"fetchMarkets": {"types": ["spot"]}, "uta": False},
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("services.exchange.core.find_simulated", lambda dialect: open_side)
    return World(tmp_path, BITGET)


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with Served(world) as served:
        yield served


def aim(exchange: Any, served: Served) -> Any:
    """Point CCXT at the simulated side."""
    ws = f"ws://127.0.0.1:{served.port('websocket')}/v2/ws"
    told: dict[str, Any] = dict.fromkeys(exchange.urls["api"], f"http://127.0.0.1:{served.port('rest')}")
    exchange.urls["api"] = {**told, "ws": {"public": f"{ws}/public", "private": f"{ws}/private"}}
    exchange.has["fetchCurrencies"] = False
    return exchange


@pytest.fixture
def bitget(ccxt: Any, served: Served) -> Iterator[Any]:
    exchange = aim(ccxt.bitget(OPTIONS), served)
    yield exchange
    exchange.close()


def limit(bitget: Any, qty: str, px: str, name: str, **more: str) -> Any:
    """A limit order to buy, over the endpoint as it is."""
    asked = {"clientOid": name, "symbol": PAIR, "side": "buy", "orderType": "limit", "size": qty, "price": px}
    return bitget.privateSpotPostV2SpotTradePlaceOrder({**asked, "force": "gtc", **more})


def test_markets_balance_and_book_are_read(bitget: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")
    market = bitget.load_markets()[SYMBOL]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert bitget.fetch_balance()["USDT"] == {"free": 1_000_000.0, "used": 0.0, "total": 1_000_000.0}
    assert bitget.fetch_order_book(SYMBOL)["asks"][0][:2] == [65010.5, 0.5]
    assert bitget.fetch_ticker(SYMBOL)["ask"] == 65010.5


def test_an_order_is_made_edited_asked_for_and_cancelled(bitget: Any) -> None:
    made = bitget.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOid": "a1"})
    found = bitget.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["clientOrderId"], found["amount"]) == ("open", "a1", 0.1)
    edited = bitget.edit_order(made["id"], SYMBOL, "limit", "buy", 0.2, 61_000, {"newClientOid": "a2"})
    (row,) = bitget.fetch_open_orders(SYMBOL)
    assert row["id"] == edited["id"] != made["id"]
    assert (row["amount"], row["price"], row["clientOrderId"]) == (0.2, 61_000, "a2")
    bitget.cancel_order(row["id"], SYMBOL)
    assert bitget.fetch_order(row["id"], SYMBOL)["status"] == "canceled"
    assert bitget.fetch_open_orders(SYMBOL) == []


def test_a_fill_is_told_with_its_fee(bitget: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")
    made = bitget.create_order(SYMBOL, "limit", "buy", 0.1, 65_100, {"clientOid": "a1"})
    found = bitget.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["filled"], found["average"]) == ("closed", 0.1, 65010.5)
    (trade,) = bitget.fetch_my_trades(SYMBOL)
    assert (trade["order"], trade["amount"], trade["price"]) == (made["id"], 0.1, 65010.5)
    assert (trade["fee"]["cost"], trade["fee"]["currency"], trade["takerOrMaker"]) == (0.0001, "BTC", "taker")


def test_a_market_order_to_buy_is_for_what_it_costs(bitget: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65000")
    bitget.create_market_buy_order_with_cost(SYMBOL, 6_500, {"clientOid": "a1"})
    assert [trade["amount"] for trade in bitget.fetch_my_trades(SYMBOL)] == [0.1]


def test_a_wrong_signature_and_an_old_stamp_are_refused(ccxt: Any, bitget: Any) -> None:
    bitget.load_markets()
    for name, value, code in (
        ("secret", "another", "40009"), ("password", "another", "40012"), ("apiKey", "another", "40006"),
        ("nonce", lambda: bitget.milliseconds() - 31_000, "40008"),
    ):  # fmt: skip
        former = getattr(bitget, name)
        setattr(bitget, name, value)
        with pytest.raises(ccxt.BaseError, match=code):
            bitget.fetch_balance()
        setattr(bitget, name, former)


def test_what_is_refused_is_refused_in_the_venue_s_codes(ccxt: Any, bitget: Any) -> None:
    limit(bitget, "0.1", "60000", "a1")
    for refused, code in (
        (partial(limit, bitget, "0.1", "60000", "a1"), "43118"),
        (partial(limit, bitget, "90", "60000", "a2"), "43012"),
        (partial(limit, bitget, "0.1", "60000", "a.3"), "40305"),
        (partial(limit, bitget, "0.1", "60000", "a4", symbol="NOSUCH"), "40034"),
        (partial(limit, bitget, "0.1", "60000.001", "a5"), "40808"),
        (partial(limit, bitget, "0.1", "60000", "a6", requestTime="1", receiveWindow="5"), "40008"),
        (partial(bitget.privateSpotPostV2SpotTradeCancelOrder, {"symbol": PAIR, "clientOid": "zz"}), "43001"),
    ):
        with pytest.raises(ccxt.BaseError, match=code):
            refused()
    (row,) = bitget.fetch_open_orders(SYMBOL)
    assert row["clientOrderId"] == "a1"


def test_an_order_that_is_not_there_surprises_whoever_does_not_look(bitget: Any) -> None:
    with pytest.raises(TypeError):
        bitget.fetch_order(None, SYMBOL, {"clientOid": "nosuch"})


def test_all_of_a_symbol_s_orders_are_cancelled(bitget: Any) -> None:
    for n in range(3):
        limit(bitget, "0.1", "60000", f"a{n}")
    bitget.cancel_all_orders(SYMBOL)
    assert bitget.fetch_open_orders(SYMBOL) == []


@pytest.mark.parametrize(("kind", "placed"), [("lost", False), ("unknown", True), ("half", True)])
def test_a_fault_leaves_whoever_asks_without_a_verdict(
    ccxt: Any, bitget: Any, served: Served, kind: str, placed: bool
) -> None:
    bitget.load_markets()
    served.ask("fault", kind=kind, scope="rest", count=1)
    with pytest.raises(ccxt.BaseError):
        bitget.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOid": "a1"})
    assert bool(bitget.fetch_open_orders(SYMBOL)) is placed


def test_pushes_tell_of_an_order_and_its_end(ccxt: Any, served: Served, world: World) -> None:
    async def watch(exchange: Any) -> list[Any]:
        await exchange.load_markets()
        told = asyncio.create_task(exchange.watch_orders(SYMBOL))
        while not world.core.venue.side.orders._orders:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        made = await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 70_000, {"clientOid": "a1"})
        seen = [dict((await told)[-1])]
        cancelled = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await exchange.cancel_order(made["id"], SYMBOL)
        return [*seen, dict((await cancelled)[-1])]

    seen = watched(lambda: aim(ccxt.pro.bitget(OPTIONS), served), watch)
    assert [(each["status"], each["clientOrderId"]) for each in seen] == [("open", "a1"), ("canceled", "a1")]


def test_the_book_is_watched_and_its_sum_is_right(ccxt: Any, served: Served, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")

    async def watch(exchange: Any) -> Any:
        await exchange.load_markets()
        book = await exchange.watch_order_book(SYMBOL)
        first = [row[:2] for row in book["asks"]]
        await exchange.create_order(SYMBOL, "limit", "sell", 0.2, 65_005, {"clientOid": "a1"})
        later = asyncio.create_task(exchange.watch_order_book(SYMBOL))
        while not later.done():
            # A turn of the exchange: a changed book is due only some time after the one before.
            served.set_clock()
            served.ask("book")
            await asyncio.sleep(0.01)
        return first, [row[:2] for row in later.result()["asks"]]

    first, later = watched(lambda: aim(ccxt.pro.bitget(OPTIONS), served), watch)
    assert first == [[65010.5, 0.5]]
    assert later == [[65005.0, 0.2], [65010.5, 0.5]]
