"""CCXT, unified and ccxt.pro, against the simulated OKX over the loopback: outside judges that it was not made from."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.exchange.settings import ExchangeSettings, Instrument, Key
from common.venues.okx.simulated import open_side
from tests.common.exchange.harness import World
from tests.common.venues.judges import offer, watched
from tests.common.venues.served import Served

D = Decimal
KEY, SECRET, PASSPHRASE = "K", "S", "P"
SYMBOL = "BTC/USDT"
UNKNOWN = {"instId": "BTC-USDT", "clOrdId": "zz"}
BTC_USDT = Instrument(
    symbol="BTC-USDT", base="BTC", quote="USDT", tick_size=D("0.1"), lot_size=D("0.00001"), min_qty=D("0.00001"),
    max_qty=D(100), min_notional=D(1), start_price=D(65_000),
)  # fmt: skip
OKX = ExchangeSettings(
    name="okx", dialect="okx", comp_id="OKX", instruments=(BTC_USDT,),
    accounts={"desk": {"BTC": D(10), "USDT": D(1_000_000)}},
    keys=(Key(api_key=KEY, account="desk", secret=SECRET.encode(), passphrase=PASSPHRASE),),
    fee_rate_maker=D("0.0008"), fee_rate_taker=D("0.001"),
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("services.exchange.core.find_simulated", lambda dialect: open_side)
    return World(tmp_path, OKX)


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with Served(world) as served:
        yield served


def options(served: Served) -> dict[str, Any]:
    return {
        "apiKey": KEY, "secret": SECRET, "password": PASSPHRASE, "enableRateLimit": False,
        "options": {"fetchMarkets": {"types": ["spot"]}}, "has": {"fetchCurrencies": False},
    }  # fmt: skip


def aim(exchange: Any, served: Served) -> Any:
    """Point CCXT at the simulated side."""
    ws = f"ws://127.0.0.1:{served.port('websocket')}/ws/v5"
    exchange.urls["api"] = {"rest": f"http://127.0.0.1:{served.port('rest')}", "ws": ws}
    exchange.has["fetchCurrencies"] = False
    return exchange


@pytest.fixture
def ccxt_okx(ccxt: Any, served: Served) -> Iterator[Any]:
    exchange = aim(ccxt.okx(options(served)), served)
    yield exchange
    exchange.close()


def a_stranger_sells(world: World, qty: str, px: str) -> None:
    """Somebody's offer in the book."""
    offer(world, "BTC-USDT", qty, px)


def test_markets_balance_and_book_are_read(ccxt_okx: Any, world: World) -> None:
    a_stranger_sells(world, "0.5", "65010.5")
    market = ccxt_okx.load_markets()[SYMBOL]
    assert (market["precision"]["price"], market["limits"]["amount"]["min"]) == (0.1, 0.00001)
    assert ccxt_okx.fetch_balance()["USDT"] == {"free": 1_000_000.0, "used": 0.0, "total": 1_000_000.0}
    assert ccxt_okx.fetch_order_book(SYMBOL)["asks"][0][:2] == [65010.5, 0.5]
    assert ccxt_okx.fetch_ticker(SYMBOL)["ask"] == 65010.5


def test_an_order_is_made_edited_asked_for_and_cancelled(ccxt_okx: Any) -> None:
    made = ccxt_okx.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clOrdId": "a1"})
    found = ccxt_okx.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["clientOrderId"], found["amount"]) == ("open", "a1", 0.1)
    ccxt_okx.edit_order(made["id"], SYMBOL, "limit", "buy", 0.2, 61_000)
    (row,) = ccxt_okx.fetch_open_orders(SYMBOL)
    assert (row["id"], row["amount"], row["price"]) == (made["id"], 0.2, 61_000)
    ccxt_okx.cancel_order(made["id"], SYMBOL)
    assert ccxt_okx.fetch_order(None, SYMBOL, {"clOrdId": "a1"})["status"] == "canceled"
    assert ccxt_okx.fetch_open_orders(SYMBOL) == []


def test_a_fill_is_told_with_its_fee(ccxt_okx: Any, world: World) -> None:
    a_stranger_sells(world, "0.5", "65010.5")
    made = ccxt_okx.create_order(SYMBOL, "limit", "buy", 0.1, 65_100, {"clOrdId": "a1"})
    found = ccxt_okx.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["filled"], found["average"]) == ("closed", 0.1, 65010.5)
    (trade,) = ccxt_okx.fetch_my_trades(SYMBOL)
    assert (trade["order"], trade["amount"], trade["price"]) == (made["id"], 0.1, 65010.5)
    assert trade["fee"] == {"cost": 0.0001, "currency": "BTC"} and trade["takerOrMaker"] == "taker"


def test_a_wrong_signature_and_an_old_stamp_are_refused(ccxt: Any, ccxt_okx: Any, served: Served) -> None:
    ccxt_okx.load_markets()
    ccxt_okx.secret = "another"
    with pytest.raises(ccxt.AuthenticationError, match="50113"):
        ccxt_okx.fetch_balance()
    ccxt_okx.secret, ccxt_okx.nonce = SECRET, lambda: ccxt_okx.milliseconds() - 31_000
    with pytest.raises(ccxt.BaseError, match="50102"):
        ccxt_okx.fetch_balance()


def test_what_is_refused_is_refused_in_the_venue_s_codes(ccxt: Any, ccxt_okx: Any) -> None:
    def limit(qty: str, px: str, name: str) -> Any:
        params = {"clOrdId": name, "instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit"}
        return ccxt_okx.privatePostTradeOrder({**params, "sz": qty, "px": px})

    limit("0.1", "60000", "a1")
    for refused, code in (
        (partial(limit, "0.1", "60000", "a1"), "51016"),
        (partial(limit, "90", "60000", "a2"), "51008"),
        (partial(limit, "0.1", "60000", "a-3"), "51000"),
        (partial(limit, "0.000001", "60000", "a4"), "51121"),
        (partial(ccxt_okx.privateGetTradeOrder, UNKNOWN), "51603"),
        (partial(ccxt_okx.privatePostTradeCancelOrder, UNKNOWN), "51400"),
        (partial(ccxt_okx.privatePostTradeAmendOrder, {**UNKNOWN, "newSz": "1"}), "51503"),
    ):
        with pytest.raises(ccxt.BaseError, match=code):
            refused()


def test_an_order_later_than_its_exp_time_is_not_taken(ccxt: Any, ccxt_okx: Any) -> None:
    ccxt_okx.load_markets()
    ccxt_okx.headers = {"expTime": str(ccxt_okx.milliseconds() - 1)}
    with pytest.raises(ccxt.BaseError, match="50004"):
        ccxt_okx.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clOrdId": "a1"})
    assert ccxt_okx.fetch_open_orders(SYMBOL) == []


def test_more_than_sixty_new_orders_in_two_seconds_are_refused(ccxt: Any, ccxt_okx: Any, world: World) -> None:
    ccxt_okx.load_markets()
    batch = [
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.001, "price": 60_000, "params": {}}
        for _ in range(20)
    ]
    for _ in range(3):
        ccxt_okx.create_orders(batch)
    with pytest.raises(ccxt.RateLimitExceeded):
        ccxt_okx.create_order(SYMBOL, "limit", "buy", 0.001, 60_000)


@pytest.mark.parametrize(("kind", "placed"), [("lost", False), ("unknown", True), ("half", True)])
def test_a_fault_leaves_whoever_asks_without_a_verdict(
    ccxt: Any, ccxt_okx: Any, served: Served, world: World, kind: str, placed: bool
) -> None:
    ccxt_okx.load_markets()
    served.ask("fault", kind=kind, scope="rest", count=1)
    with pytest.raises(ccxt.BaseError):
        ccxt_okx.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clOrdId": "a1"})
    assert bool(ccxt_okx.fetch_open_orders(SYMBOL)) is placed


def test_a_young_order_is_hidden_while_the_fault_lasts_and_a_barred_request_is_told_so(
    ccxt: Any, ccxt_okx: Any, served: Served
) -> None:
    ccxt_okx.load_markets()
    served.ask("fault", kind="blind", scope="rest", count=1, ms=60_000)
    made = ccxt_okx.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clOrdId": "a1"})
    with pytest.raises(ccxt.OrderNotFound):
        ccxt_okx.fetch_order(made["id"], SYMBOL)
    served.ask("fault", kind="barred", scope="rest", count=1)
    with pytest.raises(ccxt.RateLimitExceeded):
        ccxt_okx.fetch_order(made["id"], SYMBOL)
    assert ccxt_okx.fetch_order(made["id"], SYMBOL)["status"] == "open"


def watching(ccxt: Any, served: Served, watch: Callable[[Any], Awaitable[Any]]) -> Any:
    """What ccxt.pro makes of it."""
    return watched(lambda: aim(ccxt.pro.okx(options(served)), served), watch)


def test_pushes_tell_of_an_order_its_fill_and_its_end(ccxt: Any, served: Served, world: World) -> None:
    async def watch(exchange: Any) -> list[Any]:
        await exchange.load_markets()
        told = asyncio.create_task(exchange.watch_orders(SYMBOL))
        while not world.core.venue.side.orders._orders:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        made = await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 70_000, {"clOrdId": "a1"})
        seen = [dict((await told)[-1])]
        await exchange.edit_order(made["id"], SYMBOL, "limit", "sell", 0.1, 71_000)
        seen.append(dict((await exchange.watch_orders(SYMBOL))[-1]))
        await exchange.cancel_order(made["id"], SYMBOL)
        return [*seen, dict((await exchange.watch_orders(SYMBOL))[-1])]

    seen = watching(ccxt, served, watch)
    assert [(each["status"], each["price"]) for each in seen] == [
        ("open", 70_000), ("open", 71_000), ("canceled", 71_000),
    ]  # fmt: skip


def test_the_book_is_watched(ccxt: Any, served: Served, world: World) -> None:
    a_stranger_sells(world, "0.5", "65010.5")

    async def watch(exchange: Any) -> Any:
        book = await exchange.watch_order_book(SYMBOL)
        first = [row[:2] for row in book["asks"]]
        await exchange.create_order(SYMBOL, "limit", "sell", 0.2, 65_005, {"clOrdId": "a1"})
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
