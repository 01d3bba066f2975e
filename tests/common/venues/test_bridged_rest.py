"""The account's REST side of venues behind a bridge, CCXT against their simulated sides over the loopback."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Order, Terms
from common.exchange.settings import ExchangeSettings
from common.messages import Answer, Ask
from common.venues.ccxt_parts import ccxt_errors
from common.venues.credentials import HmacPassphrase, HmacSecret
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.exchange.harness import World
from tests.common.venues.bitget.rig import BITGET
from tests.common.venues.gateio.rig import GATEIO
from tests.common.venues.kucoin.rig import KUCOIN
from tests.common.venues.served import Served
from tests.services.bridge.rig import OKX

D = Decimal
DAY_NS = 86_400 * 10**9

of_one_request = pytest.mark.parametrize("account", [KUCOIN, BITGET], ids=lambda settings: settings.name, indirect=True)
"""Where one request cancels all of a symbol, and does not say how many those were."""


def count_requests(rest: Any) -> list[str]:
    """Where each request of the client goes from now on."""
    asked: list[str] = []
    fetch = rest.api.fetch

    def counted(url: str, *more: Any) -> Any:
        asked.append(url)
        return fetch(url, *more)

    rest.api.fetch = counted
    return asked


class Account(NamedTuple):
    """A venue at a socket, and what asks it."""

    world: World
    served: Served
    rest: Any
    symbol: str

    def order(self, name: str, qty: str = "0.1", account: str = "desk", side: str = BUY) -> Order:
        """An order at the venue, of the account or of somebody else."""
        terms = Terms(account, account, name, self.symbol, side, LIMIT, D(qty), D(60_000))
        return self.world.core.venue.engine.place(terms, self.world.now)

    def name(self, order: Order) -> str:
        """Its OrderID(37)."""
        return self.world.core.venue.side.order_name(order.order_id)

    def ask(self, what: str, **more: Any) -> Answer:
        answer: Answer = self.rest.ask(Ask("x", 1, what, **{"symbol": self.symbol, **more}))
        assert not answer.failed, answer.text
        return answer


@pytest.fixture(params=[OKX, GATEIO, KUCOIN, BITGET], ids=lambda settings: settings.name)
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    settings: ExchangeSettings = request.param
    world = World(tmp_path, settings)
    with Served(world) as served:
        url = f"http://127.0.0.1:{served.port('rest')}/api"
        keys = HmacSecret("K", b"S") if not settings.keys[0].passphrase else HmacPassphrase("K", b"S", "P")
        rest: Any = find_rest(settings.dialect)(RestSettings("x", url, keys, 5000))
        rest.api.throttle = lambda cost=None: None
        yield Account(world, served, rest, settings.instruments[0].symbol)
        rest.api.close()


def test_an_order_is_told_by_either_name_as_it_stands_and_as_it_ended(account: Account) -> None:
    filled, cancelled, resting = (account.order(name) for name in ("a1", "a-2", "a3"))
    account.order("", "0.14", "", SELL)
    account.world.core.venue.engine.cancel(cancelled, account.world.now)
    for order, status, cum_qty in ((filled, "2", "0.1"), (cancelled, "4", "0.04"), (resting, "0", "0")):
        for by in ({"cl_ord_id": order.cl_ord_id}, {"order_id": account.name(order), "cl_ord_id": order.cl_ord_id}):
            told = account.ask("order", **by).order
            assert told is not None and (told.ord_status, told.cum_qty) == (status, D(cum_qty))
            assert (told.cl_ord_id, told.order_id, told.side) == (order.cl_ord_id, account.name(order), "1")
            assert (told.order_qty, told.price, told.symbol) == (D("0.1"), D(60_000), account.symbol)
    assert [told.cl_ord_id for told in account.ask("open_orders").orders] == ["a3"]
    assert [told.cl_ord_id for told in account.ask("open_orders", symbol="").orders] == ["a3"]


def test_an_order_without_a_name_is_told_as_nobody_s_so_that_its_fills_hold_no_proof_back(account: Account) -> None:
    by_hand = account.order("", "0.1")
    account.order("", "0.1", "", SELL)
    told = account.ask("order", order_id=account.name(by_hand)).order
    assert told is not None and (told.cl_ord_id, told.ord_status) == ("NONE", "2")


def test_that_there_is_no_such_order_is_asked_twice_with_the_clock_in_between(account: Account) -> None:
    told = account.ask("order", cl_ord_id="nosuch")
    assert told.not_found and told.venue_ns > 0 and told.order is None


def test_trades_come_the_oldest_first_from_a_key_or_a_time_on_whole_over_pages_and_weeks(account: Account) -> None:
    world = account.world
    order = account.order("a1", "5")
    long_ago = world.now._replace(wall_ns=world.now.wall_ns - 9 * DAY_NS)
    take = world.core.venue.engine.take_from
    take(order, D("0.5"), long_ago)
    for _ in range(130):
        take(order, D("0.001"), world.now)
    since_ns = long_ago.wall_ns - 10**9
    keys = [int(trade.trade_key) for trade in account.ask("trades", since_ns=since_ns).trades]
    assert keys == list(range(1, 132))
    of_order = account.ask("trades", order_id=account.name(order)).trades
    assert sum(trade.last_qty for trade in of_order) == D("0.63")
    assert [int(trade.trade_key) for trade in account.ask("trades", from_trade_key="130").trades] == [130, 131]
    first = of_order[0]
    instrument = world.settings.instruments[0]
    paid = (D("0.0004"), "BTC") if not instrument.fee_in_quote else (D(24), "USDT")
    assert (first.fee_qty, first.fee_asset, first.maker, first.last_px) == (*paid, True, D(60_000))
    assert first.order_id == account.name(order)


def test_one_order_or_all_are_cancelled_and_how_many_that_were_is_known(account: Account) -> None:
    one, *_ = (account.order(name) for name in ("a1", "a2", "a3"))
    assert account.ask("cancel", order_id=account.name(one)).cancelled == 1
    assert account.ask("cancel", order_id=account.name(one)).cancelled == 0
    told = account.ask("cancel_all").cancelled
    assert told == (0 if account.world.settings in (KUCOIN, BITGET) else 2), "some do not say how many"
    assert account.ask("open_orders").orders == ()


@of_one_request
def test_one_request_cancels_all_of_a_symbol_however_many_they_are(account: Account) -> None:
    asked = count_requests(account.rest)
    for _ in range(2):
        asked.clear()
        for number in range(5):
            account.order(f"a{len(account.world.core.venue.state.orders)}x{number}")
        account.ask("cancel_all")
        assert len(asked) == 1
        assert account.ask("open_orders").orders == ()
    assert not account.ask("cancel_all").failed, "there is nothing to be cancelled"


@of_one_request
@pytest.mark.parametrize("is_refused", [False, True])
def test_what_the_one_request_has_left_is_cancelled_one_by_one(account: Account, is_refused: bool) -> None:
    for name in ("a1", "a2", "a3"):
        account.order(name)

    def in_vain(symbol: str) -> bool:
        if is_refused:
            raise ccxt_errors().ExchangeError("no")
        return True

    account.rest._cancel_at_once = in_vain
    assert account.rest.ask(Ask("x", 1, "cancel_all", account.symbol)).failed == is_refused
    assert len(account.ask("open_orders").orders) == 3
    assert account.ask("cancel_all").cancelled == 3 and account.ask("open_orders").orders == ()


# ---- OKX: one request cancels twenty


@pytest.mark.parametrize("account", [OKX], ids=["okx"], indirect=True)
def test_one_request_cancels_twenty_by_their_ids(account: Account) -> None:
    """Each order took a request of its own: fifty orders took the kill switch eight seconds."""
    asked = count_requests(account.rest)
    for number in range(41):
        account.order(f"a{number}")
    assert account.ask("cancel_all").cancelled == 41
    paths = [url.partition("/api/v5/")[2].partition("?")[0] for url in asked]
    assert paths == ["trade/orders-pending", *["trade/cancel-batch-orders"] * 2, "trade/cancel-order"]
    assert account.ask("open_orders").orders == ()


@pytest.mark.parametrize("account", [OKX], ids=["okx"], indirect=True)
@pytest.mark.parametrize("is_any_open", [True, False])
def test_what_is_over_by_the_time_of_the_request_keeps_none_of_the_others_open(
    account: Account, is_any_open: bool
) -> None:
    orders = [account.order(f"a{number}") for number in range(25)]
    listed = account.ask("open_orders").orders
    for order in orders[:24] if is_any_open else orders:
        account.world.core.venue.engine.cancel(order, account.world.now)
    account.rest._open_rows = lambda symbol: iter(())
    assert account.rest._cancel_each(account.symbol, [each.order_id for each in listed]) == int(is_any_open)


@pytest.mark.parametrize("account", [OKX], ids=["okx"], indirect=True)
@pytest.mark.parametrize("refused", [1, 20])
def test_what_is_refused_is_told_once_all_others_are_cancelled(account: Account, refused: int) -> None:
    """Else the first twenty that the venue lists would keep all behind them open, as often as they are refused."""
    names = [account.name(account.order(f"a{number}")) for number in range(40)]
    send = account.rest.api.privatePostTradeCancelBatchOrders
    codes = dict.fromkeys(names[20 : 20 + refused], "50013")

    def answered(asked: list[dict[str, str]]) -> dict[str, Any]:
        taken = [each for each in asked if each["ordId"] not in codes]
        rows = send(taken)["data"] if taken else []
        rows += [{"ordId": each["ordId"], "sCode": "50013", "sMsg": "Busy"} for each in asked if each["ordId"] in codes]
        if not taken:
            raise ccxt_errors().ExchangeError('okx {"code":"1","data":[{"sCode":"50013"},{"sCode":"51400"}]}')
        return {"code": "2", "data": rows}

    account.rest.api.privatePostTradeCancelBatchOrders = answered
    told = account.rest.ask(Ask("x", 1, "cancel_all", account.symbol))
    assert told.failed and "50013" in told.text
    assert {each.order_id for each in account.ask("open_orders").orders} == set(codes)


def test_balances_prices_and_the_clock(account: Account) -> None:
    account.order("a1")
    balances = {asset: (free, held) for asset, free, held in account.ask("balances").balances}
    assert balances["USDT"] == (D(994_000), D(6_000)) and balances["BTC"] == (D(10), D(0))
    (ticker,) = account.ask("ticker").tickers
    assert (ticker.bid_px, ticker.bid_qty, ticker.ask_px, ticker.last_px) == (D(60_000), D("0.1"), None, D(65_000))
    assert abs(account.ask("time").venue_ns - account.world.now.wall_ns) < 10**9


def test_a_failure_is_told_with_the_venue_s_code_and_without_what_is_secret(account: Account) -> None:
    account.rest.api.secret = "another"
    answer = account.rest.ask(Ask("x", 1, "balances"))
    codes = {"okx": 50113, "gateio": 0, "kucoin": 400004, "bitget": 40009}
    assert answer.failed and answer.error_code == codes[account.world.settings.name]
    assert "another" not in answer.text and (answer.error_code or "INVALID_SIGNATURE" in answer.text)
