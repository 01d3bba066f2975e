"""CCXT's base against the simulated side at a socket of the loopback: what is concluded from the venue's answers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from common.messages import Answer, Ask, ExecutionReport, NewOrder
from common.venues.coinbaseintl import rest as module
from common.venues.coinbaseintl.rest import InternationalRest, open_rest, signed_headers
from common.venues.credentials import HmacPassphrase, HmacSecret
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import NAME, BothSides, Desk
from tests.common.venues.served import Served

SYMBOL = "BTC-PERP"


@pytest.fixture
def rest_path() -> str:
    return "/api"


@pytest.fixture
def desk(sides: BothSides, served: Served) -> Desk:
    """Logged on by the clock that the REST side has."""
    return sides.desk()


def ask(account: InternationalRest, what: str, symbol: str = SYMBOL, **more: object) -> Answer:
    answer = account.ask(Ask(NAME, 1, what, symbol, **more))  # type: ignore[arg-type]
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: object) -> tuple[NewOrder, str]:
    order, (accepted, *_) = desk.new(**terms)
    assert isinstance(accepted, ExecutionReport)
    return order, accepted.order_id


def test_how_an_order_ended(desk: Desk, rest: InternationalRest) -> None:
    sides = desk.sides
    cut_short, _ = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    told = ask(rest, "order", cl_ord_id=cut_short.cl_ord_id).order
    assert told is not None and (told.ord_status, told.cum_qty) == ("1", sides.qty / 4)
    desk.cancel(cut_short)
    told = ask(rest, "order", cl_ord_id=cut_short.cl_ord_id).order
    assert told is not None and (told.ord_status, told.cum_qty) == ("4", sides.qty / 4)
    whole, _ = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    told = ask(rest, "order", cl_ord_id=whole.cl_ord_id).order
    assert told is not None and (told.ord_status, told.cum_qty) == ("2", sides.qty)


def test_a_fill_is_the_one_that_fix_tells(desk: Desk, rest: InternationalRest) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    (fill,) = [e for e in events if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    for by in ({"order_id": fill.order_id}, {"since_ns": 1}):
        (trade,) = ask(rest, "trades", **by).trades
        for field in ("symbol", "trade_key", "order_id", "side", "last_qty", "last_px", "fee_qty", "fee_asset"):
            assert getattr(trade, field) == getattr(fill, field), field


def test_trades_are_read_back_page_by_page_and_told_oldest_first(
    desk: Desk, rest: InternationalRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 2)
    sides = desk.sides
    desk.new(price=sides.price)
    for _ in range(4):
        sides.stranger("2", sides.qty / 4, sides.price)
    keys = [trade.trade_key for trade in ask(rest, "trades", since_ns=1).trades]
    assert keys == sorted(keys, key=int) and len(keys) == 4
    assert [trade.trade_key for trade in ask(rest, "trades", from_trade_key=keys[1]).trades] == keys[1:]
    assert ask(rest, "trades", "ETH-PERP", since_ns=1).trades == ()
    assert ask(rest, "trades", since_ns=sides.world.now.wall_ns + 3_600_000_000_000).trades == ()
    monkeypatch.setattr(module, "PAGES", 1)
    assert "pages" in rest.ask(Ask(NAME, 1, "trades", SYMBOL, since_ns=1)).text
    monkeypatch.setattr(module, "PAGES", 9)
    monkeypatch.setattr(module, "TRADES_PAGE", 3)
    assert [trade.trade_key for trade in ask(rest, "trades", since_ns=1).trades] == keys[:3], "and then from there"


def test_balances_and_prices(desk: Desk, rest: InternationalRest) -> None:
    order, _ = resting(desk, symbol="BTC-USDC", price=Decimal(60000))
    locked = order.order_qty * 60000
    balances = {asset: (free, hold) for asset, free, hold in ask(rest, "balances").balances}
    assert balances["USDC"] == (100_000_000 - locked, locked)
    (told,) = ask(rest, "ticker", "BTC-USDC").tickers
    assert (told.bid_px, told.bid_qty, told.ask_px) == (Decimal(60000), order.order_qty, None)


def test_what_is_held_of_contracts(sides: BothSides, desk: Desk, rest: InternationalRest) -> None:
    assert ask(rest, "positions").positions == ()
    resting(desk, price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    assert ask(rest, "positions").positions == ((SYMBOL, sides.qty),)


def test_the_kill_switch_s_way_cancels_what_is_open_of_a_symbol(desk: Desk, rest: InternationalRest) -> None:
    resting(desk)
    resting(desk)
    assert ask(rest, "cancel_all", "ETH-PERP").cancelled == 0
    assert ask(rest, "cancel_all").cancelled == 2
    assert ask(rest, "open_orders").orders == ()


@pytest.mark.parametrize("wrong", ["api_key", "secret", "passphrase"])
def test_who_is_not_let_in_is_told_so_and_no_secret_is(sides: BothSides, served: Served, wrong: str) -> None:
    ours = sides.credentials
    assert isinstance(ours, HmacPassphrase)
    theirs = replace(ours, **{wrong: getattr(ours, wrong)[::-1]})
    account = open_rest(RestSettings(NAME, f"http://127.0.0.1:{served.port('rest')}/api", theirs, 5000))
    answer = account.ask(Ask(NAME, 1, "balances"))
    assert answer.failed and answer.error_code == 401
    assert ours.passphrase not in answer.text and ours.secret.decode() not in answer.text


def test_a_request_is_signed_without_its_query() -> None:
    ours = HmacPassphrase("k", b"c2VjcmV0", "p")
    headers = signed_headers(ours, 1_700_000_000, "GET", "/api/v1/orders")
    assert headers["CB-ACCESS-SIGN"] == "TzVz2ae00WhsBINRT79lT6XVp2LH1wuL8Belou1/AZQ="


def test_credentials_that_cannot_sign_are_refused() -> None:
    settings = RestSettings(NAME, "http://127.0.0.1:1/api", HmacSecret("a", b"b"), 1000)
    with pytest.raises(ValueError, match="passphrase"):
        open_rest(settings)
    with pytest.raises(ValueError, match="base64"):
        open_rest(replace(settings, credentials=HmacPassphrase("a", b"no base64!", "c")))


def test_what_cannot_be_read_is_a_failure_and_what_does_not_matter_is_noted() -> None:
    class Odd:
        last_response_headers: Mapping[str, str] = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}

        def request(self, path: str, api: list[str], method: str, params: dict[str, Any]) -> Any:
            fill = {
                "exec_id": "7", "symbol": SYMBOL, "order_id": "o", "side": "BUY", "fill_qty": "1", "fill_price": "x",
                "fee": "1", "fee_asset": "USDC", "event_time": "yesterday",
            }  # fmt: skip
            order = {"order_status": "DONE", "event_type": "unheard of", "size": "1", "exec_qty": "0"}
            return {"portfolios": [], "portfolios/fills": {"results": [fill]}, "orders/o": order}[path]

    account = InternationalRest(NAME, Odd())
    answer = ask(account, "trades", order_id="o")
    assert answer.text == "not read: fill_price of trade 7, event_time of trade 7"
    assert (answer.trades[0].last_px, answer.trades[0].fee_asset) == (Decimal(0), "USDC")
    assert answer.venue_ns == 1_767_225_600_000_000_000
    assert "unheard of" in account.ask(Ask(NAME, 1, "order", SYMBOL, order_id="o")).text
    assert "0 portfolios" in account.ask(Ask(NAME, 1, "balances")).text
