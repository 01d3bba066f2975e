"""CCXT against what only Gate.io has, as `test_bridge_judges.py` for what they all have."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.common.venues.judged import SYMBOL, Bench, judge_of, opened

PAIR = "BTC_USDT"


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    with opened(judge_of("gateio"), tmp_path, ccxt) as bench:
        yield bench


def limit(gate: Any, qty: str, px: str, text: str, **more: str) -> Any:
    """A limit order to buy, over the endpoint as it is."""
    asked = {"text": text, "currency_pair": PAIR, "side": "buy", "type": "limit", "amount": qty, "price": px}
    return gate.privateSpotPostOrders({**asked, **more})


def test_all_orders_of_a_pair_are_cancelled_at_once(bench: Bench) -> None:
    gate = bench.client
    for n in range(3):
        gate.create_order(SYMBOL, "limit", "buy", 0.1, 60_000 + n)
    assert len(gate.cancel_all_orders(SYMBOL)) == 3 and gate.fetch_open_orders(SYMBOL) == []


def test_a_market_order_buys_for_an_amount_of_the_quote_asset(bench: Bench) -> None:
    gate = bench.client
    bench.offer("65000")
    made = gate.create_market_buy_order_with_cost(SYMBOL, 650)
    assert gate.fetch_order(made["id"], SYMBOL)["cost"] == 650
    (trade,) = gate.fetch_my_trades(SYMBOL)
    assert trade["amount"] == 0.01


def test_what_is_refused_is_refused_in_the_venue_s_labels(bench: Bench) -> None:
    gate = bench.client
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
        with pytest.raises(bench.ccxt.BaseError, match=label):
            refused()


def test_a_finished_order_s_text_may_be_given_again(bench: Bench) -> None:
    gate = bench.client
    first = limit(gate, "0.1", "60000", "t-a1")
    gate.privateSpotDeleteOrdersOrderId({"order_id": first["id"], "currency_pair": PAIR})
    assert limit(gate, "0.1", "60000", "t-a1")["id"] != first["id"]


def test_an_order_later_than_its_last_moment_is_not_taken(bench: Bench) -> None:
    gate = bench.client
    gate.headers = {"x-gate-exptime": str(gate.milliseconds() - 1)}
    with pytest.raises(bench.ccxt.BaseError, match="REQUEST_EXPIRED"):
        gate.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clientOrderId": "a1"})
    gate.headers = {}
    assert gate.fetch_open_orders(SYMBOL) == []


def test_fills_are_watched(bench: Bench) -> None:
    bench.offer("65010.5")

    async def watch(exchange: Any) -> Any:
        told = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
        await bench.heard()
        await exchange.create_order(SYMBOL, "limit", "buy", 0.1, 65_100)
        return dict((await told)[-1])

    seen = bench.watch(watch)
    assert (seen["amount"], seen["price"], seen["fee"]["cost"]) == (0.1, 65010.5, 0.0001)
