"""CCXT against what only Bitget has, as `test_bridge_judges.py` for what they all have."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.common.venues.judged import SYMBOL, Bench, judge_of, opened

PAIR = "BTCUSDT"


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    with opened(judge_of("bitget"), tmp_path, ccxt) as bench:
        yield bench


def limit(bitget: Any, qty: str, px: str, name: str, **more: str) -> Any:
    """A limit order to buy, over the endpoint as it is."""
    asked = {"clientOid": name, "symbol": PAIR, "side": "buy", "orderType": "limit", "size": qty, "price": px}
    return bitget.privateSpotPostV2SpotTradePlaceOrder({**asked, "force": "gtc", **more})


def test_a_market_order_to_buy_is_for_what_it_costs(bench: Bench) -> None:
    bitget = bench.client
    bench.offer("65000")
    bitget.create_market_buy_order_with_cost(SYMBOL, 6_500, {"clientOid": "a1"})
    assert [trade["amount"] for trade in bitget.fetch_my_trades(SYMBOL)] == [0.1]


def test_what_is_refused_is_refused_in_the_venue_s_codes(bench: Bench) -> None:
    bitget = bench.client
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
        with pytest.raises(bench.ccxt.BaseError, match=code):
            refused()
    (row,) = bitget.fetch_open_orders(SYMBOL)
    assert row["clientOrderId"] == "a1"


def test_an_order_that_is_not_there_surprises_whoever_does_not_look(bench: Bench) -> None:
    bitget = bench.client
    with pytest.raises(TypeError):
        bitget.fetch_order(None, SYMBOL, {"clientOid": "nosuch"})


def test_all_of_a_symbol_s_orders_are_cancelled(bench: Bench) -> None:
    bitget = bench.client
    for n in range(3):
        limit(bitget, "0.1", "60000", f"a{n}")
    bitget.cancel_all_orders(SYMBOL)
    assert bitget.fetch_open_orders(SYMBOL) == []
