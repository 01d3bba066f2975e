"""CCXT, unified and ccxt.pro, against the simulated side of each venue behind a bridge, over the loopback: outside
judges that it was not made from. What only one of them has is tried in its folder's `test_judges.py`."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.common.venues.judged import JUDGED, SYMBOL, Bench, judge_of, opened


@pytest.fixture(params=JUDGED, ids=lambda judged: judged.judge)
def bench(request: pytest.FixtureRequest, tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    with opened(request.param, tmp_path, ccxt) as bench:
        yield bench


def test_markets_balance_and_book_are_read(bench: Bench) -> None:
    bench.offer("65010.5")
    market = bench.client.market(SYMBOL)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (bench.judged.price_step, 0.00001)
    assert bench.client.fetch_balance()["USDT"] == {"free": 1_000_000.0, "used": 0.0, "total": 1_000_000.0}
    assert bench.client.fetch_order_book(SYMBOL)["asks"][0][:2] == [65010.5, 0.5]
    if bench.judged.has_ticker:
        assert bench.client.fetch_ticker(SYMBOL)["ask"] == 65010.5


def test_an_order_is_made_edited_asked_for_and_cancelled(bench: Bench) -> None:
    client, made = bench.client, bench.buy(60_000)
    found = client.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["clientOrderId"], found["amount"]) == ("open", bench.judged.told, 0.1)
    is_another = bench.judged.edit(client, made["id"], 0.2, 61_000)
    (row,) = client.fetch_open_orders(SYMBOL)
    assert (row["amount"], row["price"]) == (0.2, 61_000) and (row["id"] != made["id"]) is is_another
    client.cancel_order(row["id"], SYMBOL)
    for order_id in (row["id"], made["id"]):
        assert client.fetch_order(order_id, SYMBOL)["status"] == "canceled"
    assert client.fetch_open_orders(SYMBOL) == []


def test_a_fill_is_told_with_its_fee(bench: Bench) -> None:
    bench.offer("65010.5")
    made = bench.buy(65_100)
    found = bench.client.fetch_order(made["id"], SYMBOL)
    assert (found["status"], found["filled"], found["average"]) == ("closed", 0.1, 65010.5)
    (trade,) = bench.client.fetch_my_trades(SYMBOL)
    assert (trade["order"], trade["amount"], trade["price"]) == (made["id"], 0.1, 65010.5)
    in_quote = bench.judged.settings.instruments[0].fee_in_quote
    assert (trade["fee"]["cost"], trade["fee"]["currency"]) == ((6.50105, "USDT") if in_quote else (0.0001, "BTC"))
    assert trade["takerOrMaker"] == "taker"


def test_a_wrong_signature_and_an_old_stamp_are_refused(bench: Bench) -> None:
    bench.check_refused()
    assert bench.client.fetch_balance()["BTC"]["free"] == 10


@pytest.mark.parametrize(("kind", "placed"), [("lost", False), ("unknown", True), ("half", True)])
def test_a_fault_leaves_whoever_asks_without_a_verdict(bench: Bench, kind: str, placed: bool) -> None:
    bench.served.ask("fault", kind=kind, scope="rest", count=1)
    with pytest.raises(bench.ccxt.BaseError):
        bench.buy(60_000)
    assert bool(bench.client.fetch_open_orders(SYMBOL)) is placed


def test_a_young_order_is_hidden_while_the_fault_lasts_and_a_barred_request_is_told_so(bench: Bench) -> None:
    client = bench.client
    bench.served.ask("fault", kind="blind", scope="rest", count=1, ms=60_000)
    made = bench.buy(60_000)
    # Who does not look has an empty order, or stumbles over it, where the venue tells absence by an empty answer.
    with suppress(bench.ccxt.OrderNotFound, TypeError):
        assert client.fetch_order(made["id"], SYMBOL)["id"] is None
    bench.served.ask("fault", kind="barred", scope="rest", count=1)
    with pytest.raises((bench.ccxt.RateLimitExceeded, bench.ccxt.DDoSProtection)):
        client.fetch_order(made["id"], SYMBOL)
    assert client.fetch_order(made["id"], SYMBOL)["status"] == "open"


def test_pushes_tell_of_an_order_and_its_end(bench: Bench) -> None:
    async def watch(exchange: Any) -> list[Any]:
        told = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await bench.heard()
        made = await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 70_000, {bench.judged.our_id: "a1"})
        seen = [dict((await told)[-1])]
        cancelled = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await exchange.cancel_order(made["id"], SYMBOL)
        return [*seen, dict((await cancelled)[-1])]

    seen = bench.watch(watch)
    ours = bench.judged.told
    assert [(each["status"], each["clientOrderId"]) for each in seen] == [("open", ours), ("canceled", ours)]


@pytest.mark.parametrize("bench", [judge_of("okx"), judge_of("gateio")], ids=["okx", "gate"], indirect=True)
def test_pushes_tell_of_an_amendment(bench: Bench) -> None:
    async def watch(exchange: Any) -> list[Any]:
        told = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await bench.heard()
        made = await exchange.create_order(SYMBOL, "limit", "sell", 0.1, 70_000, {bench.judged.our_id: "a1"})
        seen = [dict((await told)[-1])]
        await exchange.edit_order(made["id"], SYMBOL, "limit", "sell", 0.1, 71_000)
        return [*seen, dict((await exchange.watch_orders(SYMBOL))[-1])]

    assert [(each["status"], each["price"]) for each in bench.watch(watch)] == [("open", 70_000), ("open", 71_000)]


def test_the_book_is_watched(bench: Bench) -> None:
    bench.offer("65010.5")

    async def watch(exchange: Any) -> list[Any]:
        asks: list[Any] = []
        told = asyncio.create_task(exchange.watch_order_book(SYMBOL))
        for n in range(400):
            # A turn of the exchange: a changed book is due only some time after the one before.
            bench.served.set_clock()
            bench.served.ask("book")
            await asyncio.sleep(0.01)
            if n % 40 == 20:
                # Where the snapshot is asked for with the first change, there has to be one.
                name = {bench.judged.our_id: f"a{n}"}
                await exchange.create_order(SYMBOL, "limit", "sell", 0.2, 65_005 - n / 10, name)
            if told.done():
                asks = [row[:2] for row in told.result()["asks"]]
                if len(asks) > 1:
                    break
                told = asyncio.create_task(exchange.watch_order_book(SYMBOL))
        told.cancel()
        return asks

    asks = bench.watch(watch)
    assert asks[-1] == [65010.5, 0.5] and asks[0][1] == 0.2
    assert len(asks) == len(set(map(tuple, asks)))
