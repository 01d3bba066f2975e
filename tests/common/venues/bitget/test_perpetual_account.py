"""The account's REST side of Bitget with perpetuals beside spot, CCXT against the simulated side over the loopback."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import BUY, LIMIT, SELL, Order, Terms
from common.messages import Answer, Ask
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.exchange.harness import World
from tests.common.venues.bitget.perpetual_rig import BITGET_CONTRACTS, CONTRACT_SETTINGS, PERPETUAL, D
from tests.common.venues.bitget.rig import KEYS, SYMBOL
from tests.common.venues.served import Served


class Account:
    """The venue at a socket, and what asks it."""

    def __init__(self, world: World, served: Served) -> None:
        self.world = world
        url = f"http://127.0.0.1:{served.port('rest')}/api"
        rest: Any = find_rest("bitget")(RestSettings("x", url, KEYS, 5000, symbols=CONTRACT_SETTINGS.symbols))
        self.throttle = rest.api.throttle
        rest.api.throttle = lambda cost=None: None
        self.rest = rest

    def order(self, name: str, side: str, qty: str, px: str, symbol: str = PERPETUAL, account: str = "desk") -> Order:
        """An order at the venue, of the account or of somebody else."""
        terms = Terms(account, account, name, symbol, side, LIMIT, D(qty), D(px))
        return self.world.core.venue.engine.place(terms, self.world.now)

    def ask(self, what: str, **more: Any) -> Answer:
        answer: Answer = self.rest.ask(Ask("x", 1, what, **{"symbol": PERPETUAL, **more}))
        assert not answer.failed, answer.text
        return answer


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    world = World(tmp_path, BITGET_CONTRACTS)
    with Served(world) as served:
        account = Account(world, served)
        yield account
        account.rest.api.close()


def test_contracts_are_told_with_their_orders_and_fills_and_spot_beside_them(account: Account) -> None:
    made = account.order("a1", SELL, "0.25", "65000")
    account.order("s1", BUY, "0.1", "60000", SYMBOL)
    account.order("", BUY, "0.1", "65000", account="")
    ask, order_id = account.ask, str(made.order_id)
    assert ask("positions", symbol="").positions == ((PERPETUAL, D("-0.1")),)
    (row,) = ask("open_orders").orders
    assert (row.cl_ord_id, row.order_qty, row.cum_qty, row.symbol) == ("a1", D("0.25"), D("0.1"), PERPETUAL)
    assert {row.cl_ord_id for row in ask("open_orders", symbol="").orders} == {"a1", "s1"}
    assert [row.cl_ord_id for row in ask("open_orders", symbol=SYMBOL).orders] == ["s1"]
    account.order("a2", SELL, "0.1", "66000")
    assert [row.cl_ord_id for row in ask("open_orders").orders] == ["a2", "a1"], "without a fill, and with one"
    (fill,) = ask("trades", order_id=order_id).trades
    assert (fill.last_qty, fill.last_px, fill.fee_qty, fill.fee_asset) == (D("0.1"), D(65_000), D("5.2"), "USDT")
    assert (fill.symbol, fill.side, fill.maker) == (PERPETUAL, "2", True)
    assert ask("history").trades == (fill,) and ask("history", symbol=SYMBOL).trades == ()
    (ticker,) = ask("ticker").tickers
    assert (ticker.symbol, ticker.ask_px, ticker.last_px) == (PERPETUAL, D(65_000), D(65_000))


def test_an_order_for_contracts_is_told_by_either_name_and_its_absence_by_a_code(account: Account) -> None:
    made = account.order("a1", BUY, "0.25", "60000")
    for by in ({"cl_ord_id": "a1"}, {"order_id": str(made.order_id), "cl_ord_id": "a1"}):
        told = account.ask("order", **by).order
        assert told is not None and (told.ord_status, told.cl_ord_id, told.symbol) == ("0", "a1", PERPETUAL)
    absent = account.ask("order", cl_ord_id="nosuch")
    assert absent.not_found and absent.venue_ns > 0
    assert account.ask("order", cl_ord_id="a1", symbol=SYMBOL).not_found, "it is none of spot"
    cancelled = [account.ask("cancel", order_id=str(made.order_id)).cancelled for _ in range(2)]
    assert cancelled == [1, 0]
    told = account.ask("order", cl_ord_id="a1").order
    assert told is not None and told.ord_status == "4"


def test_the_kill_switch_waits_for_no_pace_that_questions_have_used_up(account: Account) -> None:
    """Of each kind of request the venue has a limit of its own: to cancel all of a symbol is not asked for by others.
    """
    now_s = [1000.0]

    class Clock:
        CLOCK_BOOTTIME = 0

        def clock_gettime(self, clk_id: int, /) -> float:
            return now_s[0]

        def sleep(self, seconds: float, /) -> None:
            now_s[0] += seconds

    account.throttle.clock = Clock()
    account.rest.api.throttle = account.throttle
    for number in range(20):
        account.order(f"a{number}", BUY, "0.01", "60000")
        account.order(f"s{number}", BUY, "0.01", "60000", SYMBOL)
    for _ in range(10):
        account.ask("time")
    asked_s = now_s[0]
    assert asked_s - 1000 > 2, "the pace is used up"
    for symbol in (PERPETUAL, SYMBOL):
        account.ask("cancel_all", symbol=symbol)
    assert now_s[0] == asked_s and not account.world.core.venue.state.open_orders("desk", PERPETUAL)
    assert account.ask("open_orders", symbol="").orders == () and now_s[0] > asked_s
    account.ask("cancel_all")


def test_fills_of_contracts_come_the_oldest_first_over_pages(account: Account) -> None:
    order = account.order("a1", BUY, "5", "60000")
    for _ in range(130):
        account.world.core.venue.engine.take_from(order, D("0.001"), account.world.now)
    assert [int(trade.trade_key) for trade in account.ask("trades", since_ns=1).trades] == list(range(1, 131))
    assert len(account.ask("trades", order_id=str(order.order_id)).trades) == 130
    assert [trade.trade_key for trade in account.ask("trades", from_trade_key="130").trades] == ["130"]


def test_a_balance_is_the_sum_of_both_wallets_told_once(account: Account) -> None:
    account.order("a1", SELL, "0.25", "65000")
    account.order("", BUY, "0.1", "65000", account="")
    account.order("s1", BUY, "0.1", "60000", SYMBOL)
    for side in (SELL, BUY):
        account.order("", side, "0.01", "64000", account="")
    told = account.ask("balances", symbol="").balances
    assert len({asset for asset, *_ in told}) == len(told)
    ((free, held),) = [(free, held) for asset, free, held in told if asset == "USDT"]
    assert free + held == 1_000_000 + 100_000 - D("5.2"), "what closing would bring is not in it"
    assert held == 6000 + D("1600") - 100, "a tenth of 0.25 at 64000, of which the gain bears a part"


def test_an_account_of_spot_alone_leaves_contracts_alone(account: Account) -> None:
    rest: Any = find_rest("bitget")(
        RestSettings("x", account.rest.api.urls["api"]["spot"] + "/api", KEYS, 5000, symbols=(SYMBOL,))
    )
    rest.api.throttle = lambda cost=None: None
    account.order("a1", SELL, "0.25", "65000")
    rest.api.privateMixGetV2MixAccountAccounts = rest.api.privateMixGetV2MixOrderOrdersPending = None
    balances = {asset: free for asset, free, _ in rest.ask(Ask("x", 1, "balances")).balances}
    assert balances["USDT"] == 1_000_000 and rest.ask(Ask("x", 1, "open_orders")).orders == ()
    rest.api.close()


def test_an_account_with_two_positions_in_a_contract_tells_none(account: Account) -> None:
    row = {"symbol": SYMBOL, "total": "1", "posMode": "one_way_mode"}
    for rows, positions in (
        ([{**row, "holdSide": "short"}], ((PERPETUAL, D(-1)),)), ([{**row, "holdSide": "net"}], None),
        ([{**row, "holdSide": "long"}, {**row, "holdSide": "short"}], None),
        ([{**row, "holdSide": "long", "posMode": "hedge_mode"}], None), ([], ()),
    ):  # fmt: skip
        account.rest.api.privateMixGetV2MixPositionAllPosition = lambda params, rows=rows: {"data": rows}
        answer = account.rest.ask(Ask("x", 1, "positions"))
        assert answer.failed is (positions is None) and answer.positions == (positions or ())


def test_what_holding_contracts_has_cost_and_brought_is_told_by_the_account_s_bills(account: Account) -> None:
    assert account.ask("funding", since_ns=1).balances == (), "the simulated side pays none"
    since_ns = account.world.now.wall_ns - 40 * 86_400 * 10**9
    asked: list[dict[str, Any]] = []

    def bills(params: dict[str, Any]) -> Any:
        asked.append(params)
        number = len(asked)
        rows = [{"billId": "7", "coin": "usdt", "amount": "-1.5"}]
        rows.append({"billId": str(number), "coin": "USDT", "amount": "1"})
        return {"data": {"bills": rows if number < 3 else None, "endId": "1"}}

    account.rest.api.privateMixGetV2MixAccountBill = bills
    assert account.ask("funding", since_ns=since_ns).balances == (("USDT", D("0.5"), D(0)),)
    assert {each["businessType"] for each in asked} == {"contract_settle_fee"}
    times = [(int(each["startTime"]), int(each["endTime"])) for each in asked]
    assert times[0][0] == since_ns // 10**6 and all(end - begin <= 30 * 86_400_000 for begin, end in times)
    assert all(former[1] == then[0] for former, then in pairwise(times))
    assert times[-1][1] > account.world.now.wall_ns // 10**6
