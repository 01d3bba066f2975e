"""CCXT, unified and ccxt.pro, against the simulated OKX's linear perpetuals, over the loopback."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Terms
from common.messages import Answer, Ask
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.exchange.harness import World
from tests.common.venues.judged import SYMBOL, Bench, judge_of, opened, options
from tests.common.venues.okx.swap_rig import OKX_SWAPS, SWAP, D
from tests.services.bridge.rig import KEYS

PERPETUAL = "BTC/USDT:USDT"
CONTRACT_OPTIONS = options(fetchMarkets={"types": ["spot", "swap"]})


@pytest.fixture
def bench(tmp_path: Path, ccxt: Any) -> Iterator[Bench]:
    judged = judge_of("okx")._replace(settings=OKX_SWAPS, options=CONTRACT_OPTIONS)
    with opened(judged, tmp_path, ccxt) as bench:
        yield bench


def stranger(world: World, side: str, qty: str, px: str) -> None:
    """Somebody's order for contracts."""
    world.core.venue.engine.place(Terms("", "", "", SWAP, side, LIMIT, D(qty), D(px)), world.now)


def test_the_market_is_a_linear_perpetual_of_a_hundredth_of_a_bitcoin(bench: Bench) -> None:
    market = bench.client.market(PERPETUAL)
    assert (market["id"], market["type"], market["linear"], market["settle"]) == (SWAP, "swap", True, "USDT")
    assert market["contractSize"] == 0.01 and market["precision"] == {"amount": 0.01, "price": 0.1}
    stranger(bench.world, SELL, "7.5", "65010.5")
    assert bench.client.fetch_order_book(PERPETUAL)["asks"][0][:2] == [65010.5, 7.5]
    assert bench.client.fetch_ticker(PERPETUAL)["ask"] == 65010.5


def test_an_order_is_made_edited_and_cancelled_and_a_fill_makes_a_position(bench: Bench) -> None:
    client, world = bench.client, bench.world
    made = client.create_order(PERPETUAL, "limit", "buy", 2.5, 60_000, {"clOrdId": "a1"})
    found = client.fetch_order(made["id"], PERPETUAL)
    assert (found["status"], found["amount"], found["clientOrderId"]) == ("open", 2.5, "a1")
    client.edit_order(made["id"], PERPETUAL, "limit", "buy", 3, 61_000)
    (row,) = client.fetch_open_orders(PERPETUAL)
    assert (row["amount"], row["price"]) == (3, 61_000)
    stranger(world, SELL, "1", "61000")
    client.cancel_order(made["id"], PERPETUAL)
    (trade,) = client.fetch_my_trades(PERPETUAL)
    assert (trade["amount"], trade["price"], trade["fee"]["currency"]) == (1, 61_000, "USDT")
    assert trade["fee"]["cost"] == pytest.approx(0.488)
    (held,) = client.fetch_positions([PERPETUAL])
    assert (held["contracts"], held["side"], held["entryPrice"], held["contractSize"]) == (1, "long", 61_000, 0.01)
    assert client.fetch_balance()["USDT"]["total"] == pytest.approx(1_000_000 - 0.488)


def test_a_reduce_only_order_needs_a_position(bench: Bench) -> None:
    with pytest.raises(bench.ccxt.BaseError, match="51169"):
        bench.client.create_order(PERPETUAL, "limit", "sell", 1, 70_000, {"reduceOnly": True})
    stranger(bench.world, SELL, "2", "65010")
    bench.client.create_order(PERPETUAL, "limit", "buy", 2, 65_010)
    stranger(bench.world, BUY, "5", "65000")
    bench.client.create_order(PERPETUAL, "limit", "sell", 5, 65_000, {"reduceOnly": True})
    assert bench.client.fetch_positions([PERPETUAL]) == []


def test_pushes_tell_of_an_order_for_contracts(bench: Bench) -> None:
    async def watch(exchange: Any) -> Any:
        told = asyncio.create_task(exchange.watch_orders(PERPETUAL))
        await bench.heard()
        await exchange.create_order(PERPETUAL, "limit", "sell", 0.5, 70_000, {"clOrdId": "a1"})
        return dict((await told)[-1])

    seen = bench.watch(watch)
    assert (seen["status"], seen["clientOrderId"], seen["amount"], seen["symbol"]) == ("open", "a1", 0.5, PERPETUAL)


def test_the_account_s_side_tells_contracts_and_their_orders_and_fills(bench: Bench) -> None:
    url = f"http://127.0.0.1:{bench.served.port('rest')}/api"
    rest: Any = find_rest("okx")(RestSettings("x", url, KEYS, 5000))
    rest.api.throttle = lambda cost=None: None
    client = bench.client

    def ask(what: str, **more: Any) -> Answer:
        answer: Answer = rest.ask(Ask("x", 1, what, **{"symbol": SWAP, **more}))
        assert not answer.failed, answer.text
        return answer

    made = client.create_order(PERPETUAL, "limit", "sell", 2.5, 65_000, {"clOrdId": "a1"})
    client.create_order(SYMBOL, "limit", "buy", 0.1, 60_000, {"clOrdId": "s1"})
    stranger(bench.world, BUY, "1", "65000")
    assert ask("positions", symbol="").positions == ((SWAP, D(-1)),)
    (row,) = ask("open_orders").orders
    assert (row.cl_ord_id, row.order_qty, row.cum_qty, row.symbol) == ("a1", D("2.5"), D(1), SWAP)
    assert {row.cl_ord_id for row in ask("open_orders", symbol="").orders} == {"a1", "s1"}
    (fill,) = ask("trades", order_id=made["id"]).trades
    assert (fill.last_qty, fill.fee_qty, fill.fee_asset) == (D(1), D("0.52"), "USDT")
    assert ask("history").trades == (fill,) and ask("history", symbol="BTC-USDT").trades == ()
    (held,) = [total for asset, *total in ask("balances", symbol="").balances if asset == "USDT"]
    assert sum(held) == 1_000_000 - D("0.52") and held[1] == 6000 + D("162.5"), "a tenth of 2.5 contracts beside"
    assert ask("cancel_all").cancelled == 1
    rest.api.close()
