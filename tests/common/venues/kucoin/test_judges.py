"""CCXT, unified and ccxt.pro, against the simulated KuCoin over the loopback: judges that it was not made from."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.venues.kucoin.simulated import open_side
from tests.common.exchange.harness import World
from tests.common.venues.judges import offer, watched
from tests.common.venues.kucoin.rig import KUCOIN
from tests.common.venues.served import Served

SYMBOL, PAIR = "BTC/USDT", "BTC-USDT"
OPTIONS: dict[str, Any] = {
    "apiKey": "K", "secret": "S", "password": "P", "enableRateLimit": False,
    "options": {
        "fetchMarkets": {"types": ["spot"], "fetchTickersFees": False}, "uta": False, "hf": True, "partner": {},
        # The snapshot is asked for with the first change.
        "watchOrderBook": {"snapshotDelay": 0},
    },
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("services.exchange.core.find_simulated", lambda dialect: open_side)
    return World(tmp_path, KUCOIN)


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with Served(world) as served:
        url = f"ws://127.0.0.1:{served.port('websocket')}/endpoint"
        venue = world.core.venue
        venue.settings = msgspec.structs.replace(venue.settings, websocket_url=url)
        yield served


def aim(exchange: Any, served: Served) -> Any:
    """Point CCXT at the simulated side."""
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], f"http://127.0.0.1:{served.port('rest')}")
    exchange.has["fetchCurrencies"] = False
    return exchange


@pytest.fixture
def kucoin(ccxt: Any, served: Served) -> Iterator[Any]:
    exchange = aim(ccxt.kucoin(OPTIONS), served)
    yield exchange
    exchange.close()


def limit(kucoin: Any, qty: str, px: str, name: str, **more: object) -> Any:
    """A limit order to buy, over the endpoint as it is."""
    asked = {"clientOid": name, "symbol": PAIR, "side": "buy", "type": "limit", "size": qty, "price": px}
    return kucoin.privatePostHfOrders({**asked, **more})


def test_markets_balance_and_book_are_read(kucoin: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")
    market = kucoin.load_markets()[SYMBOL]
    assert (market["precision"]["price"], market["limits"]["amount"]["min"]) == (0.1, 0.00001)
    assert kucoin.fetch_balance()["USDT"] == {"free": 1_000_000.0, "used": 0.0, "total": 1_000_000.0}
    assert kucoin.fetch_order_book(SYMBOL, 20)["asks"][0][:2] == [65010.5, 0.5]
    assert kucoin.fetch_order_book(SYMBOL)["asks"][0][:2] == [65010.5, 0.5], "the whole book is signed for"


def test_an_order_is_made_edited_asked_for_and_cancelled(kucoin: Any) -> None:
    made = kucoin.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOid": "a1"})
    found = kucoin.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["clientOrderId"], found["amount"]) == ("open", "a1", 0.1)
    edited = kucoin.edit_order(made["id"], SYMBOL, "limit", "buy", 0.2, 61_000)
    (row,) = kucoin.fetch_open_orders(SYMBOL)
    assert row["id"] == edited["id"] != made["id"] and (row["amount"], row["price"]) == (0.2, 61_000)
    assert kucoin.fetch_order(made["id"], SYMBOL)["status"] == "canceled"
    kucoin.cancel_order(row["id"], SYMBOL)
    assert kucoin.fetch_order(None, SYMBOL, {"clientOid": "a1"})["status"] == "canceled"
    assert kucoin.fetch_open_orders(SYMBOL) == []


def test_a_fill_is_told_with_its_fee(kucoin: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")
    made = kucoin.create_order(SYMBOL, "limit", "buy", 0.1, 65_100, {"clientOid": "a1"})
    found = kucoin.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["filled"], found["average"]) == ("closed", 0.1, 65010.5)
    (trade,) = kucoin.fetch_my_trades(SYMBOL)
    assert (trade["order"], trade["amount"], trade["price"]) == (made["id"], 0.1, 65010.5)
    assert (trade["fee"]["cost"], trade["fee"]["currency"], trade["takerOrMaker"]) == (6.50105, "USDT", "taker")


def test_a_market_order_may_be_for_an_amount_of_either_asset(kucoin: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65000")
    kucoin.create_order(SYMBOL, "market", "buy", 0.1, None, {"clientOid": "a1"})
    kucoin.create_market_buy_order_with_cost(SYMBOL, 6_500, {"clientOid": "a2"})
    assert [trade["amount"] for trade in kucoin.fetch_my_trades(SYMBOL)] == [0.1, 0.1]


def test_a_wrong_signature_and_an_old_stamp_are_refused(ccxt: Any, kucoin: Any) -> None:
    kucoin.load_markets()
    for name, value, code in (
        ("secret", "another", "400004"), ("password", "another", "400004"), ("apiKey", "another", "400003"),
        ("nonce", lambda: kucoin.milliseconds() - 6_000, "400002"),
    ):  # fmt: skip
        former = getattr(kucoin, name)
        setattr(kucoin, name, value)
        with pytest.raises(ccxt.BaseError, match=code):
            kucoin.fetch_balance()
        setattr(kucoin, name, former)
    sign = kucoin.sign

    def forged(*args: Any, **named: Any) -> Any:
        signed = sign(*args, **named)
        return {**signed, "url": signed["url"] + "&extra=1"}

    kucoin.sign = forged
    with pytest.raises(ccxt.BaseError, match="400005"):
        kucoin.fetch_balance()


def test_what_is_refused_is_refused_in_the_venue_s_codes(ccxt: Any, kucoin: Any) -> None:
    limit(kucoin, "0.1", "60000", "a1")
    for refused, code in (
        (partial(limit, kucoin, "0.1", "60000", "a1"), "400100.*clientOid"),
        (partial(limit, kucoin, "90", "60000", "a2"), "200004"),
        (partial(limit, kucoin, "0.1", "60000", "a.3"), "400100.*clientOid"),
        (partial(limit, kucoin, "0.1", "60000", "a4", symbol="NO-SUCH"), "400600"),
        (partial(limit, kucoin, "0.1", "60000", "a5", postOnly=True, timeInForce="IOC"), "400100"),
        (partial(limit, kucoin, "0.1", "60000", "a6", clientTimestamp=1, allowMaxTimeWindow=5), "400100"),
        (partial(kucoin.privateDeleteHfOrdersClientOrderClientOid, {"symbol": PAIR, "clientOid": "zz"}), "order_not_e"),
        (partial(kucoin.privatePostHfOrdersAlter, {"symbol": PAIR, "clientOid": "zz", "newSize": "1"}), "order_not_e"),
    ):
        with pytest.raises(ccxt.BaseError, match=code):
            refused()
    (row,) = kucoin.fetch_open_orders(SYMBOL)
    assert row["clientOrderId"] == "a1"


def test_an_order_that_is_not_there_is_an_empty_one_for_whoever_does_not_look(kucoin: Any) -> None:
    assert kucoin.fetch_order("670000000000000000000099", SYMBOL)["id"] is None


def test_all_of_a_symbol_s_orders_are_cancelled(kucoin: Any) -> None:
    for n in range(3):
        limit(kucoin, "0.1", "60000", f"a{n}")
    kucoin.cancel_all_orders(SYMBOL)
    assert kucoin.fetch_open_orders(SYMBOL) == []


@pytest.mark.parametrize(("kind", "placed"), [("lost", False), ("unknown", True), ("half", True)])
def test_a_fault_leaves_whoever_asks_without_a_verdict(
    ccxt: Any, kucoin: Any, served: Served, kind: str, placed: bool
) -> None:
    kucoin.load_markets()
    served.ask("fault", kind=kind, scope="rest", count=1)
    with pytest.raises(ccxt.BaseError):
        kucoin.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOid": "a1"})
    assert bool(kucoin.fetch_open_orders(SYMBOL)) is placed


def test_a_young_order_is_hidden_while_the_fault_lasts_and_a_barred_request_is_told_so(
    ccxt: Any, kucoin: Any, served: Served
) -> None:
    kucoin.load_markets()
    served.ask("fault", kind="blind", scope="rest", count=1, ms=60_000)
    made = kucoin.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOid": "a1"})
    assert kucoin.fetch_order(made["id"], SYMBOL)["id"] is None
    served.ask("fault", kind="barred", scope="rest", count=1)
    with pytest.raises(ccxt.RateLimitExceeded):
        kucoin.fetch_order(made["id"], SYMBOL)
    assert kucoin.fetch_order(made["id"], SYMBOL)["status"] == "open"


def test_pushes_tell_of_an_order_its_fill_and_its_end(ccxt: Any, served: Served, world: World) -> None:
    async def watch(exchange: Any) -> list[Any]:
        await exchange.load_markets()
        told = asyncio.create_task(exchange.watch_orders(SYMBOL))
        while not world.core.venue.side.orders._topics:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        made = await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 70_000, {"clientOid": "a1"})
        seen = [dict((await told)[-1])]
        cancelled = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await exchange.cancel_order(made["id"], SYMBOL)
        return [*seen, dict((await cancelled)[-1])]

    seen = watched(lambda: aim(ccxt.pro.kucoin(OPTIONS), served), watch)
    assert [(each["status"], each["clientOrderId"]) for each in seen] == [("open", "a1"), ("canceled", "a1")]


def test_the_book_is_watched(ccxt: Any, served: Served, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")

    async def watch(exchange: Any) -> Any:
        await exchange.load_markets()
        told = asyncio.create_task(exchange.watch_order_book(SYMBOL))
        for n in range(40):
            # A turn of the exchange: a changed book is due only some time after the one before.
            await asyncio.sleep(0.05)
            if not told.done() and n % 5 == 0:
                await exchange.create_order(SYMBOL, "limit", "sell", 0.2, 65_005 - n / 10, {"clientOid": f"a{n}"})
            served.set_clock()
            served.ask("book")
            if told.done():
                break
        return [row[:2] for row in told.result()["asks"]]

    asks = watched(lambda: aim(ccxt.pro.kucoin(OPTIONS), served), watch)
    assert asks[-1] == [65010.5, 0.5] and asks[0][1] == 0.2
    assert len(asks) == len(set(map(tuple, asks)))
