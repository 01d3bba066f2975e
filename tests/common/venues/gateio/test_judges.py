"""CCXT, unified and ccxt.pro, against the simulated Gate.io over the loopback: judges that it was not made from."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.common.exchange.harness import World
from tests.common.venues.gateio.rig import GATEIO
from tests.common.venues.judges import offer, watched
from tests.common.venues.served import Served

SYMBOL, PAIR = "BTC/USDT", "BTC_USDT"
AREAS = ("wallet", "futures", "margin", "spot", "account", "unified", "sub_accounts", "earn")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, GATEIO)


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with Served(world) as served:
        yield served


OPTIONS: dict[str, Any] = {
    "apiKey": "K", "secret": "S", "enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot"]}},
}  # fmt: skip


def aim(exchange: Any, served: Served) -> Any:
    """Point CCXT at the simulated side."""
    url = f"http://127.0.0.1:{served.port('rest')}/api/v4"
    told = {"public": dict.fromkeys(AREAS, url), "private": dict.fromkeys(AREAS, url)}
    exchange.urls["api"] = {**told, "spot": f"ws://127.0.0.1:{served.port('websocket')}/ws/v4/"}
    exchange.has["fetchCurrencies"] = False
    return exchange


@pytest.fixture
def gate(ccxt: Any, served: Served) -> Iterator[Any]:
    exchange = aim(ccxt.gate(OPTIONS), served)
    yield exchange
    exchange.close()


def limit(gate: Any, qty: str, px: str, text: str, **more: str) -> Any:
    """A limit order to buy, over the endpoint as it is."""
    asked = {"text": text, "currency_pair": PAIR, "side": "buy", "type": "limit", "amount": qty, "price": px}
    return gate.privateSpotPostOrders({**asked, **more})


def test_markets_balance_and_book_are_read(gate: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")
    market = gate.load_markets()[SYMBOL]
    assert (market["precision"]["price"], market["limits"]["amount"]["min"]) == (0.1, 0.00001)
    assert gate.options["unifiedAccount"] is False
    assert gate.fetch_balance()["USDT"] == {"free": 1_000_000.0, "used": 0.0, "total": 1_000_000.0}
    assert gate.fetch_order_book(SYMBOL)["asks"][0][:2] == [65010.5, 0.5]
    assert gate.fetch_ticker(SYMBOL)["ask"] == 65010.5


def test_an_order_is_made_edited_asked_for_and_cancelled(gate: Any) -> None:
    made = gate.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOrderId": "a1"})
    found = gate.fetch_order(None, SYMBOL, {"clientOrderId": "a1"})
    assert (found["status"], found["id"], found["clientOrderId"]) == ("open", made["id"], "t-a1")
    gate.edit_order("t-a1", SYMBOL, "limit", "buy", 0.2, 61_000)
    (row,) = gate.fetch_open_orders(SYMBOL)
    assert (row["id"], row["amount"], row["price"]) == (made["id"], 0.2, 61_000)
    assert gate.cancel_order(made["id"], SYMBOL)["status"] == "canceled"
    assert gate.fetch_order(made["id"], SYMBOL)["status"] == "canceled"
    assert gate.fetch_open_orders(SYMBOL) == []
    (row,) = gate.fetch_closed_orders(SYMBOL)
    assert row["id"] == made["id"]


def test_all_orders_of_a_pair_are_cancelled_at_once(gate: Any) -> None:
    for n in range(3):
        gate.create_order(SYMBOL, "limit", "buy", 0.1, 60_000 + n)
    assert len(gate.cancel_all_orders(SYMBOL)) == 3 and gate.fetch_open_orders(SYMBOL) == []


def test_a_fill_is_told_with_its_fee(gate: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")
    made = gate.create_order(SYMBOL, "limit", "buy", 0.1, 65_100, {"clientOrderId": "a1"})
    found = gate.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["filled"], found["average"]) == ("closed", 0.1, 65010.5)
    (trade,) = gate.fetch_my_trades(SYMBOL)
    assert (trade["order"], trade["amount"], trade["price"]) == (made["id"], 0.1, 65010.5)
    assert trade["fee"] == {"cost": 0.0001, "currency": "BTC"} and trade["takerOrMaker"] == "taker"


def test_a_market_order_buys_for_an_amount_of_the_quote_asset(gate: Any, world: World) -> None:
    offer(world, PAIR, "0.5", "65000")
    gate.load_markets()
    made = gate.create_market_buy_order_with_cost(SYMBOL, 650)
    assert gate.fetch_order(made["id"], SYMBOL)["cost"] == 650
    (trade,) = gate.fetch_my_trades(SYMBOL)
    assert trade["amount"] == 0.01


def test_a_wrong_signature_and_an_old_stamp_are_refused(ccxt: Any, gate: Any) -> None:
    gate.load_markets()
    gate.secret = "another"
    with pytest.raises(ccxt.AuthenticationError, match="INVALID_SIGNATURE"):
        gate.fetch_balance()
    gate.secret, gate.nonce = "S", lambda: gate.milliseconds() - 62_000
    with pytest.raises(ccxt.BaseError, match="REQUEST_EXPIRED"):
        gate.fetch_balance()


def test_what_is_refused_is_refused_in_the_venue_s_labels(ccxt: Any, gate: Any) -> None:
    limit(gate, "0.1", "60000", "t-a1")
    unknown = {"order_id": "t-zz", "currency_pair": PAIR}
    for refused, label in (
        (partial(limit, gate, "0.1", "60000", "t-a1"), "REPEATED_CREATION"),
        (partial(limit, gate, "90", "60000", "t-a2"), "BALANCE_NOT_ENOUGH"),
        (partial(limit, gate, "0.1", "60000", "a3"), "INVALID_PARAM_VALUE"),
        (partial(limit, gate, "0.000001", "60000", "t-a4"), "INVALID_PARAM_VALUE"),
        (partial(limit, gate, "0.1", "60000.01", "t-a5"), "INVALID_PRECISION"),
        (partial(gate.privateSpotGetOrdersOrderId, unknown), "ORDER_NOT_FOUND"),
        (partial(gate.privateSpotDeleteOrdersOrderId, unknown), "ORDER_NOT_FOUND"),
        (partial(gate.privateSpotPatchOrdersOrderId, {**unknown, "amount": "1"}), "ORDER_NOT_FOUND"),
    ):
        with pytest.raises(ccxt.BaseError, match=label):
            refused()


def test_a_finished_order_s_text_may_be_given_again(gate: Any) -> None:
    first = limit(gate, "0.1", "60000", "t-a1")
    gate.privateSpotDeleteOrdersOrderId({"order_id": first["id"], "currency_pair": PAIR})
    assert limit(gate, "0.1", "60000", "t-a1")["id"] != first["id"]


def test_an_order_later_than_its_last_moment_is_not_taken(ccxt: Any, gate: Any) -> None:
    gate.load_markets()
    gate.headers = {"x-gate-exptime": str(gate.milliseconds() - 1)}
    with pytest.raises(ccxt.BaseError, match="REQUEST_EXPIRED"):
        gate.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOrderId": "a1"})
    gate.headers = {}
    assert gate.fetch_open_orders(SYMBOL) == []


@pytest.mark.parametrize(("kind", "placed"), [("lost", False), ("unknown", True), ("half", True)])
def test_a_fault_leaves_whoever_asks_without_a_verdict(
    ccxt: Any, gate: Any, served: Served, kind: str, placed: bool
) -> None:
    gate.load_markets()
    served.ask("fault", kind=kind, scope="rest", count=1)
    with pytest.raises(ccxt.BaseError):
        gate.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOrderId": "a1"})
    assert bool(gate.fetch_open_orders(SYMBOL)) is placed


def test_a_young_order_is_hidden_while_the_fault_lasts_and_a_barred_request_is_told_so(
    ccxt: Any, gate: Any, served: Served
) -> None:
    gate.load_markets()
    served.ask("fault", kind="blind", scope="rest", count=1, ms=60_000)
    made = gate.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOrderId": "a1"})
    with pytest.raises(ccxt.OrderNotFound):
        gate.fetch_order(made["id"], SYMBOL)
    served.ask("fault", kind="barred", scope="rest", count=1)
    with pytest.raises(ccxt.RateLimitExceeded):
        gate.fetch_order(made["id"], SYMBOL)
    assert gate.fetch_order(made["id"], SYMBOL)["status"] == "open"


def watching(ccxt: Any, served: Served, watch: Callable[[Any], Awaitable[Any]]) -> Any:
    """What ccxt.pro makes of it."""
    return watched(lambda: aim(ccxt.pro.gate(OPTIONS), served), watch)


def test_pushes_tell_of_an_order_its_amendment_and_its_end(ccxt: Any, served: Served, world: World) -> None:
    async def watch(exchange: Any) -> list[Any]:
        await exchange.load_markets()
        told = asyncio.create_task(exchange.watch_orders(SYMBOL))
        while not world.core.venue.side.orders._private:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        made = await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 70_000, {"clientOrderId": "a1"})
        seen = [dict((await told)[-1])]
        await exchange.edit_order(made["id"], SYMBOL, "limit", "sell", 0.1, 71_000)
        seen.append(dict((await exchange.watch_orders(SYMBOL))[-1]))
        await exchange.cancel_order(made["id"], SYMBOL)
        return [*seen, dict((await exchange.watch_orders(SYMBOL))[-1])]

    seen = watching(ccxt, served, watch)
    assert [(each["status"], each["price"]) for each in seen] == [
        ("open", 70_000), ("open", 71_000), ("canceled", 71_000),
    ]  # fmt: skip


def test_fills_are_watched(ccxt: Any, served: Served, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")

    async def watch(exchange: Any) -> Any:
        await exchange.load_markets()
        told = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
        while not world.core.venue.side.orders._private:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        await exchange.create_order(SYMBOL, "limit", "buy", 0.1, 65_100)
        return dict((await told)[-1])

    seen = watching(ccxt, served, watch)
    assert (seen["amount"], seen["price"], seen["fee"]["cost"]) == (0.1, 65010.5, 0.0001)


def test_the_book_is_watched(ccxt: Any, served: Served, world: World) -> None:
    offer(world, PAIR, "0.5", "65010.5")

    async def watch(exchange: Any) -> Any:
        book = await exchange.watch_order_book(SYMBOL)
        first = [row[:2] for row in book["asks"]]
        await exchange.create_order(SYMBOL, "limit", "sell", 0.2, 65_005, {"clientOrderId": "a1"})
        later = asyncio.create_task(exchange.watch_order_book(SYMBOL))
        while not later.done():
            # A turn of the exchange: a changed book is due only some time after the one before.
            served.set_clock()
            served.ask("book")
            await asyncio.sleep(0.01)
        return first, [row[:2] for row in later.result()["asks"]]

    first, later = watching(ccxt, served, watch)
    assert first == [[65010.5, 0.5]]
    assert later == [[65005.0, 0.2], [65010.5, 0.5]]
