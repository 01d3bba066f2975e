"""The account's REST side against the simulated Gate.io over the loopback."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, NO_PREVENTION, SELL, Terms
from common.messages import Answer, Ask
from common.venues.credentials import Ed25519Key
from common.venues.gateio.rest import open_backend, open_rest
from common.venues.rest import RestSettings
from tests.common.exchange.harness import World
from tests.common.venues.gateio.rig import GATEIO, KEYS, SYMBOL
from tests.common.venues.judges import offer
from tests.common.venues.served import Served

D = Decimal


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, GATEIO)


@pytest.fixture
def rest(world: World) -> Iterator[Any]:
    with Served(world) as served:
        opened = open_rest(RestSettings("x", f"http://127.0.0.1:{served.port('rest')}/api/v4", KEYS, 2000))
        opened.api.throttle = lambda cost=None: None  # type: ignore[attr-defined]
        yield opened
        opened.api.close()  # type: ignore[attr-defined]


def ask(rest: Any, what: str, **by: Any) -> Answer:
    answer: Answer = rest.ask(Ask("x", 1, what, SYMBOL, **by))
    assert not answer.failed, answer.text
    return answer


def place(world: World, name: str, qty: str, px: str, side: str = BUY) -> str:
    """An order of the account; the venue's id of it."""
    terms = Terms("desk", "desk", name, SYMBOL, side, LIMIT, D(qty), D(px), self_trade=NO_PREVENTION)
    order = world.core.venue.engine.place(terms, world.now)
    world.pump()
    return str(order.order_id)


def test_an_order_is_found_by_either_id_whether_it_is_open_or_has_ended(world: World, rest: Any) -> None:
    open_id, ended_id = place(world, "a1", "0.1", "60000"), place(world, "a2", "0.1", "59000")
    world.ask("cancel", cl_ord_id="a2")
    sent_ns = world.now.wall_ns
    for by, order_id, word in (
        ({"cl_ord_id": "a1", "since_ns": sent_ns}, open_id, "0"), ({"order_id": open_id}, open_id, "0"),
        ({"cl_ord_id": "a2", "since_ns": sent_ns}, ended_id, "4"), ({"order_id": ended_id}, ended_id, "4"),
    ):  # fmt: skip
        found = ask(rest, "order", **by).order
        assert found is not None and (found.order_id, found.ord_status) == (order_id, word)
        assert (found.symbol, found.side, found.order_qty) == (SYMBOL, "1", D("0.1"))
        named = ("a1", D(60_000)) if order_id == open_id else ("a2", D(59_000))
        assert (found.cl_ord_id, found.price) == named


def test_absence_is_told_with_the_venue_s_clock_once_it_is_not_among_those_that_have_ended(
    world: World, rest: Any
) -> None:
    for by in ({"cl_ord_id": "zz", "since_ns": world.now.wall_ns}, {"order_id": "77"}):
        answer = ask(rest, "order", **by)
        assert answer.not_found and abs(answer.venue_ns - world.now.wall_ns) < 60 * 10**9


def test_trades_are_those_of_ended_and_of_open_orders(world: World, rest: Any) -> None:
    offer(world, SYMBOL, "0.14", "65000")
    place(world, "a1", "0.1", "65000")
    partly = place(world, "a2", "0.1", "65000")
    trades = ask(rest, "trades").trades
    assert [(trade.last_qty, trade.fee_qty, trade.fee_asset) for trade in trades] == [
        (D("0.1"), D("0.0001"), "BTC"), (D("0.04"), D("0.00004"), "BTC"),
    ]  # fmt: skip
    assert trades[1].order_id == partly and not trades[1].maker and trades[1].last_px == 65000
    assert ask(rest, "trades", order_id=partly).trades == trades[1:]
    assert ask(rest, "history", from_trade_key=trades[1].trade_key).trades == trades[1:]


def test_trades_from_one_on_are_read_no_further_back_than_to_that_one(
    world: World, rest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(world, SYMBOL, "1", "65000")
    for n in range(5):
        place(world, f"a{n}", "0.1", "65000")
    monkeypatch.setattr("common.venues.gateio.rest.FILLS_PAGE", 2)
    asked: list[int] = []
    endpoint = rest.api.privateSpotGetMyTrades

    def counted(by: dict[str, Any]) -> Any:
        asked.append(by["page"])
        return endpoint(by)

    rest.api.privateSpotGetMyTrades = counted
    assert [trade.trade_key for trade in ask(rest, "trades", from_trade_key="3").trades] == ["3", "4", "5"]
    assert asked == [1, 2, 3]
    assert len(ask(rest, "trades").trades) == 5


def test_both_sides_of_a_trade_with_oneself_are_told(world: World, rest: Any) -> None:
    place(world, "a1", "0.1", "65000", SELL)
    place(world, "a2", "0.1", "65000")
    first, second = ask(rest, "trades").trades
    assert first.trade_key == second.trade_key and {first.side, second.side} == {"1", "2"}


def test_open_orders_balances_prices_and_cancels(world: World, rest: Any) -> None:
    ids = [place(world, f"a{n}", "0.1", "60000") for n in range(3)]
    assert sorted(order.order_id for order in ask(rest, "open_orders").orders) == ids
    balances = {asset: (free, held) for asset, free, held in ask(rest, "balances").balances}
    assert balances["USDT"] == (D(982_000), D(18_000))
    offer(world, SYMBOL, "0.5", "65010.5")
    (ticker,) = ask(rest, "ticker").tickers
    assert (ticker.symbol, ticker.bid_px, ticker.ask_px) == (SYMBOL, D(60000), D("65010.5"))
    assert ask(rest, "cancel", order_id=ids[0]).cancelled == 1
    assert ask(rest, "cancel", order_id=ids[0]).cancelled == 0
    assert ask(rest, "cancel_all").cancelled == 2 and ask(rest, "open_orders").orders == ()


def test_a_refusal_fails_with_the_venue_s_own_words_and_no_signature(world: World, rest: Any) -> None:
    rest.api.secret = "another"
    answer = rest.ask(Ask("x", 1, "balances"))
    assert answer.failed and "INVALID_SIGNATURE" in answer.text
    assert "SIGN" not in answer.text.replace("SIGNATURE", "")


def test_without_a_secret_nothing_is_opened() -> None:
    for opener in (open_rest, open_backend):
        with pytest.raises(ValueError, match="secret"):
            opener(RestSettings("x", "http://gateio", Ed25519Key("K", b""), 1000))
