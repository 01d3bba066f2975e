"""CCXT against what only KuCoin has, as `test_bridge_judges.py` for what they all have."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.common.venues.judged import SYMBOL, Bench, judge_of, opened

PAIR = "BTC-USDT"


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    with opened(judge_of("kucoin"), tmp_path, ccxt) as bench:
        yield bench


def limit(kucoin: Any, qty: str, px: str, name: str, **more: object) -> Any:
    """A limit order to buy, over the endpoint as it is."""
    asked = {"clientOid": name, "symbol": PAIR, "side": "buy", "type": "limit", "size": qty, "price": px}
    return kucoin.privatePostHfOrders({**asked, **more})


def test_a_market_order_may_be_for_an_amount_of_either_asset(bench: Bench) -> None:
    kucoin = bench.client
    bench.offer("65000")
    kucoin.create_order(SYMBOL, "market", "buy", 0.1, None, {"clientOid": "a1"})
    kucoin.create_market_buy_order_with_cost(SYMBOL, 6_500, {"clientOid": "a2"})
    assert [trade["amount"] for trade in kucoin.fetch_my_trades(SYMBOL)] == [0.1, 0.1]


def test_what_is_refused_is_refused_in_the_venue_s_codes(bench: Bench) -> None:
    kucoin = bench.client
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
        with pytest.raises(bench.ccxt.BaseError, match=code):
            refused()
    (row,) = kucoin.fetch_open_orders(SYMBOL)
    assert row["clientOrderId"] == "a1"


def test_an_order_that_is_not_there_is_an_empty_one_for_whoever_does_not_look(bench: Bench) -> None:
    kucoin = bench.client
    assert kucoin.fetch_order("670000000000000000000099", SYMBOL)["id"] is None


def test_all_of_a_symbol_s_orders_are_cancelled(bench: Bench) -> None:
    kucoin = bench.client
    for n in range(3):
        limit(kucoin, "0.1", "60000", f"a{n}")
    kucoin.cancel_all_orders(SYMBOL)
    assert kucoin.fetch_open_orders(SYMBOL) == []



def test_what_is_not_as_it_was_signed_is_refused(bench: Bench) -> None:
    sign = bench.client.sign

    def forged(*args: Any, **named: Any) -> Any:
        signed = sign(*args, **named)
        return {**signed, "url": signed["url"] + "&extra=1"}

    bench.client.sign = forged
    with pytest.raises(bench.ccxt.BaseError, match="400005"):
        bench.client.fetch_balance()
