"""The account's REST side against the simulated Gate.io Futures over the loopback."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, NO_PREVENTION, SELL, Order, Terms
from common.messages import Answer, Ask
from common.venues.credentials import HmacSecret
from common.venues.gateiofutures import rest as futures_rest
from common.venues.gateiofutures.rest import GateioFuturesRest, open_backend, open_rest
from common.venues.gateiofutures.simulated import rest as simulated
from common.venues.gateiofutures.simulated import rows
from common.venues.rest import RestSettings
from tests.common.exchange.harness import World
from tests.common.venues.gateiofutures.rig import GATEIO_FUTURES, KEYS, SYMBOL, gateiofutures_rig
from tests.common.venues.judges import offer
from tests.common.venues.served import Served
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import FixClient

D = Decimal
DAY_NS = 86_400 * 10**9


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, GATEIO_FUTURES)


@pytest.fixture
def rest(world: World) -> Iterator[Any]:
    with Served(world) as served:
        opened = open_rest(RestSettings("x", f"http://127.0.0.1:{served.port('rest')}/api/v4", KEYS, 2000))
        opened.api.throttle = lambda cost=None: None  # type: ignore[attr-defined]
        yield opened
        opened.api.close()  # type: ignore[attr-defined]


def ask(rest: Any, what: str, **by: Any) -> Answer:
    answer: Answer = rest.ask(Ask("x", 1, what, **{"symbol": SYMBOL, **by}))
    assert not answer.failed, answer.text
    return answer


def place(world: World, name: str, qty: str, px: str, side: str = BUY) -> Order:
    """An order of the account."""
    terms = Terms("desk", "desk", name, SYMBOL, side, LIMIT, D(qty), D(px), self_trade=NO_PREVENTION)
    order = world.core.venue.engine.place(terms, world.now)
    world.pump()
    return order


def test_an_order_is_found_by_either_id_whether_it_is_open_or_has_ended(world: World, rest: Any) -> None:
    offer(world, SYMBOL, "40", "60000")
    filled, resting = place(world, "a1", "30", "60000"), place(world, "a2", "30", "60000")
    old = world.now._replace(wall_ns=world.now.wall_ns - 90 * 10**9)
    ended = world.core.venue.engine.place(Terms("desk", "desk", "a3", SYMBOL, SELL, LIMIT, D(5), D(70_000)), old)
    world.core.venue.engine.cancel(ended, old)
    since_ns = old.wall_ns
    for order, word, cum_qty, side in ((filled, "2", 30, "1"), (resting, "1", 10, "1"), (ended, "4", 0, "2")):
        for by in ({"cl_ord_id": order.cl_ord_id, "since_ns": since_ns}, {"order_id": str(order.order_id)}):
            told = ask(rest, "order", **by).order
            assert told is not None and told.cum_qty == cum_qty and told.side == side
            assert told.ord_status == word or (word, told.ord_status) == ("1", "0")
            assert (told.cl_ord_id, told.order_id, told.symbol) == (order.cl_ord_id, str(order.order_id), SYMBOL)
    assert [told.cl_ord_id for told in ask(rest, "open_orders").orders] == ["a2"]
    assert [told.order_qty for told in ask(rest, "open_orders", symbol="").orders] == [D(30)]


def test_absence_is_told_with_the_venue_s_clock(world: World, rest: Any) -> None:
    for by in ({"cl_ord_id": "zz", "since_ns": world.now.wall_ns}, {"order_id": "77"}):
        answer = ask(rest, "order", **by)
        assert answer.not_found and abs(answer.venue_ns - world.now.wall_ns) < 60 * 10**9


def test_trades_come_the_oldest_first_over_pages_and_weeks(
    world: World, rest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(futures_rest, "FILLS_PAGE", 2)
    order, take = place(world, "a1", "500", "60000", SELL), world.core.venue.engine.take_from
    long_ago = world.now._replace(wall_ns=world.now.wall_ns - 9 * DAY_NS)
    take(order, D(10), long_ago)
    for _ in range(4):
        take(order, D(1), world.now)
    trades = ask(rest, "trades", since_ns=long_ago.wall_ns - 10**9).trades
    assert [trade.trade_key for trade in trades] == ["1", "2", "3", "4", "5"]
    assert ask(rest, "trades", order_id=str(order.order_id)).trades == trades
    assert ask(rest, "history", from_trade_key="4").trades == trades[3:]
    first = trades[0]
    assert (first.symbol, first.side, first.last_qty, first.last_px) == (SYMBOL, "2", D(10), D(60_000)) and first.maker
    assert (first.fee_qty, first.fee_asset) == (D("0.0480"), "USDT") and first.order_id == str(order.order_id)


def test_positions_balances_prices_and_cancels(world: World, rest: Any) -> None:
    offer(world, SYMBOL, "100", "65000")
    place(world, "a1", "100", "65000")
    place(world, "a2", "250", "65000", SELL)
    world.core.venue.engine.place(Terms("", "", "", SYMBOL, BUY, LIMIT, D(250), D(65_000)), world.now)
    assert ask(rest, "positions", symbol="").positions == ((SYMBOL, D(-150)),)
    fees = D("0.0001") * 65_000 * (100 * D("0.001") + 250 * D("0.0008"))
    ((asset, free, held),) = ask(rest, "balances", symbol="").balances
    assert (asset, free + held, held) == ("USDT", 1_000_000 - fees, D("97.5")), "a tenth of 150 contracts is held"
    one = place(world, "a3", "7", "60000")
    place(world, "a4", "8", "60001")
    (ticker,) = ask(rest, "ticker").tickers
    assert (ticker.symbol, ticker.bid_px, ticker.bid_qty, ticker.ask_px) == (SYMBOL, D(60_001), D(8), None)
    assert ask(rest, "cancel", order_id=str(one.order_id)).cancelled == 1
    assert ask(rest, "cancel", order_id=str(one.order_id)).cancelled == 0
    assert ask(rest, "cancel_all", symbol="").cancelled == 1 and ask(rest, "open_orders").orders == ()


def test_a_position_of_another_mode_is_no_answer(world: World, rest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(world, SYMBOL, "100", "65000")
    place(world, "a1", "100", "65000")
    row = rows.position_row
    monkeypatch.setattr(simulated, "position_row", lambda *held: {**row(*held), "mode": "dual_long"})
    answer = rest.ask(Ask("x", 1, "positions"))
    assert answer.failed and "dual_long" in answer.text


def test_a_trade_has_the_key_that_the_bridge_tells(tmp_path: Path) -> None:
    """ExecID(17) and TradeID(1003) over FIX, and what the account reads over REST, are of one trade."""
    rig = gateiofutures_rig(tmp_path).live()
    client, raw = FixClient(rig), Raw(rig)
    client.order("a1", side="2", qty="5")
    rig.stranger("1", "5", "60000")
    fill = client.got[-1]

    class InMemory:
        """The two endpoints that are used."""

        def publicSpotGetTime(self) -> Any:  # noqa: N802
            return raw.call(raw.backend.ask_time())[1]

        def privateFuturesGetSettleMyTradesTimerange(self, asked: Any) -> Any:  # noqa: N802
            return raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))[1]

    (trade,) = ask(GateioFuturesRest("x", InMemory()), "trades").trades  # type: ignore[arg-type]
    assert (trade.symbol, trade.trade_key, trade.order_id) == (fill[55], fill[1003], fill[37])
    assert (trade.fee_qty, trade.fee_asset, trade.side) == (D(fill[137]), fill[138], fill[54])


def test_without_a_user_nothing_is_opened() -> None:
    for opener in (open_rest, open_backend):
        with pytest.raises(ValueError, match="name the user"):
            opener(RestSettings("x", "http://gateio", HmacSecret("K", b"S"), 1000))
