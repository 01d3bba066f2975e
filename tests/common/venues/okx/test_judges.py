"""CCXT against what only OKX has, as `test_bridge_judges.py` for what they all have."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.common.venues.judged import SYMBOL, Bench, judge_of, opened

UNKNOWN = {"instId": "BTC-USDT", "clOrdId": "zz"}


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    with opened(judge_of("okx"), tmp_path, ccxt) as bench:
        yield bench


def test_what_is_refused_is_refused_in_the_venue_s_codes(bench: Bench) -> None:
    ccxt_okx = bench.client

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
        with pytest.raises(bench.ccxt.BaseError, match=code):
            refused()


def test_an_order_later_than_its_exp_time_is_not_taken(bench: Bench) -> None:
    ccxt_okx = bench.client
    ccxt_okx.headers = {"expTime": str(ccxt_okx.milliseconds() - 1)}
    with pytest.raises(bench.ccxt.BaseError, match="50004"):
        ccxt_okx.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clOrdId": "a1"})
    assert ccxt_okx.fetch_open_orders(SYMBOL) == []


def test_new_orders_that_come_together_count_apart_from_the_sixty_that_come_alone(bench: Bench) -> None:
    ccxt_okx = bench.client
    batch = [
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.001, "price": 60_000, "params": {}}
        for _ in range(20)
    ]
    for _ in range(4):
        ccxt_okx.create_orders(batch)
    assert len(ccxt_okx.fetch_open_orders(SYMBOL)) == 80
