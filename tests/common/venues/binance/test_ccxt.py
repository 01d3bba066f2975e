"""CCXT as it is, against the simulated REST side at a socket: what a strategy that was written for it calls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.venues.binance.simulated.rest_market_data import INTERVALS_MINUTES
from common.venues.ccxt_parts import ccxt_class, ccxt_errors
from common.venues.credentials import Ed25519Key
from tests.common.venues.both_sides import BothSides, Desk
from tests.common.venues.served import Served

SYMBOL = "BTC/USDT"
errors = ccxt_errors()


@pytest.fixture
def sides(tmp_path: Path) -> BothSides:
    """The simulated exchange, and our side of it."""
    return BothSides("binance", tmp_path)


@pytest.fixture
def desk(sides: BothSides) -> Desk:
    """A FIX session of the same account."""
    return sides.desk()


@pytest.fixture
def ccxt(sides: BothSides, desk: Desk) -> Iterator[Any]:
    """CCXT's own class, but for the address; how fast it may be is not tried here."""
    ours = sides.credentials
    assert isinstance(ours, Ed25519Key)
    with Served(sides.world) as served:
        exchange = ccxt_class("binance")(
            {
                "apiKey": ours.api_key,
                "secret": ours.private_key_pem.decode().strip(),
                "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
                "enableRateLimit": False,
            }
        )
        url = f"http://127.0.0.1:{served.port('rest')}/api/v3"
        exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], url)
        yield exchange
        exchange.close()


def open_orders(ccxt: Any) -> list[str]:
    return [order["clientOrderId"] for order in ccxt.fetch_open_orders(SYMBOL)]


def test_orders_are_created_edited_and_cancelled(ccxt: Any, desk: Desk) -> None:
    made = ccxt.create_order(SYMBOL, "limit", "buy", 0.5, 60_000, {"clientOrderId": "mine"})
    assert (made["status"], made["clientOrderId"], made["remaining"]) == ("open", "mine", 0.5)
    edited = ccxt.edit_order(made["id"], SYMBOL, "limit", "buy", 0.4, 60_001, {"clientOrderId": "again"})
    assert (edited["status"], edited["price"], edited["amount"]) == ("open", 60_001, 0.4)
    assert edited["id"] != made["id"] and open_orders(ccxt) == ["again"]
    cancelled = ccxt.cancel_order(edited["id"], SYMBOL)
    assert cancelled["status"] == "canceled" and open_orders(ccxt) == []
    told = [(getattr(e, "exec_type"), getattr(e, "orig_cl_ord_id")) for e in desk.heard()]  # noqa: B009
    assert told == [("0", ""), ("4", "mine"), ("0", ""), ("4", "again")], "FIX hears of it"


def test_a_market_order_is_told_with_its_fills(ccxt: Any, sides: BothSides) -> None:
    for step in range(2):
        sides.stranger("2", sides.qty, sides.price + step)
    made = ccxt.create_order(SYMBOL, "market", "buy", float(2 * sides.qty))
    assert (made["status"], made["filled"]) == ("closed", float(2 * sides.qty))
    assert [trade["price"] for trade in made["trades"]] == [float(sides.price), float(sides.price + 1)]
    assert {trade["fee"]["currency"] for trade in made["trades"]} == {"BTC"}
    rows = ccxt.fetch_my_trades(SYMBOL)
    assert [row["id"] for row in rows] == [trade["id"] for trade in made["trades"]]


def test_post_only_and_stop_orders(ccxt: Any) -> None:
    ccxt.create_order(SYMBOL, "limit", "sell", 0.5, 70_000, {"postOnly": True, "clientOrderId": "maker"})
    stop = ccxt.create_order(SYMBOL, "limit", "sell", 0.5, 59_000, {"stopPrice": 60_000, "clientOrderId": "stop"})
    assert open_orders(ccxt) == ["maker", "stop"]
    assert ccxt.fetch_order(stop["id"], SYMBOL)["triggerPrice"] == 60_000
    with pytest.raises(errors.OrderImmediatelyFillable):
        ccxt.create_order(SYMBOL, "limit", "buy", 0.5, 70_000, {"postOnly": True})


def test_what_is_refused_over_fix_is_refused_here(ccxt: Any, sides: BothSides) -> None:
    with pytest.raises(errors.InsufficientFunds):
        ccxt.create_order(SYMBOL, "limit", "buy", 8_000, 65_000)
    with pytest.raises(errors.OrderNotFound):
        ccxt.cancel_order("999", SYMBOL)
    with pytest.raises(errors.BadRequest, match="NOTIONAL"):
        ccxt.create_order(SYMBOL, "limit", "buy", 0.5, 1)
    sides.world.ask("fault", kind="reject", scope="rest", text="This action is disabled on this account.")
    with pytest.raises(errors.InvalidOrder, match="disabled"):
        ccxt.create_order(SYMBOL, "limit", "buy", 0.5, 60_000)
    assert open_orders(ccxt) == []


def test_a_signature_that_does_not_fit_is_refused(ccxt: Any, sides: BothSides) -> None:
    ccxt.load_markets()
    sign, ccxt.eddsa = ccxt.eddsa, lambda *args: "AAAA"
    with pytest.raises(errors.AuthenticationError):
        ccxt.create_order(SYMBOL, "limit", "buy", 0.5, 60_000)
    ccxt.eddsa = sign
    assert open_orders(ccxt) == []


def test_an_edit_of_what_is_gone_places_nothing(ccxt: Any) -> None:
    made = ccxt.create_order(SYMBOL, "limit", "buy", 0.5, 60_000)
    ccxt.cancel_order(made["id"], SYMBOL)
    with pytest.raises(errors.ExchangeError, match="-2022"):
        ccxt.edit_order(made["id"], SYMBOL, "limit", "buy", 0.5, 60_001)
    assert open_orders(ccxt) == []


def test_the_book_and_the_ticker(ccxt: Any, sides: BothSides) -> None:
    sides.stranger("1", sides.qty, sides.price - 10)
    sides.stranger("1", sides.qty * 2, sides.price - 20)
    sides.stranger("2", sides.qty, sides.price)
    book = ccxt.fetch_order_book(SYMBOL, 1)
    assert book["bids"] == [[float(sides.price - 10), float(sides.qty)]]
    assert book["asks"] == [[float(sides.price), float(sides.qty)]] and book["nonce"] > 0
    assert len(ccxt.fetch_order_book(SYMBOL)["bids"]) == 2
    ticker = ccxt.fetch_ticker(SYMBOL)
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (float(sides.price - 10), float(sides.price), None)
    ccxt.create_order(SYMBOL, "market", "buy", float(sides.qty))
    ticker = ccxt.fetch_ticker(SYMBOL)
    assert (ticker["last"], ticker["high"], ticker["baseVolume"]) == (*[float(sides.price)] * 2, float(sides.qty))
    assert ticker["ask"] is None and ticker["vwap"] == float(sides.price)


def test_trades_and_candles(ccxt: Any, sides: BothSides) -> None:
    for side, step in (("2", 0), ("2", 5), ("1", -5)):
        sides.stranger(side, sides.qty, sides.price + step)
    for side in ("buy", "buy", "sell"):
        ccxt.create_order(SYMBOL, "market", side, float(sides.qty))
    prices = [float(sides.price + step) for step in (0, 5, -5)]
    for method in ("publicGetAggTrades", "publicGetTrades"):
        trades = ccxt.fetch_trades(SYMBOL, params={"fetchTradesMethod": method})
        assert [(t["side"], t["price"]) for t in trades] == list(zip(("buy", "buy", "sell"), prices, strict=True))
    assert len(ccxt.fetch_trades(SYMBOL, limit=2)) == 2
    assert ccxt.fetch_trades(SYMBOL, since=ccxt.milliseconds() + 60_000) == []
    for timeframe in INTERVALS_MINUTES:
        candles = ccxt.fetch_ohlcv(SYMBOL, timeframe)
        assert sum(volume for *_, volume in candles) == pytest.approx(float(3 * sides.qty)), timeframe
        assert (candles[0][1], max(c[2] for c in candles), min(c[3] for c in candles), candles[-1][4]) == (
            prices[0], prices[1], prices[2], prices[2],
        )  # fmt: skip
    with pytest.raises(errors.ExchangeError, match="Invalid interval"):
        ccxt.fetch_ohlcv(SYMBOL, "1M")
