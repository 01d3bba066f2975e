"""CCXT's base against the simulated side at a socket of the loopback: what is concluded from the venue's answers."""

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from common.messages import Answer, Ask, ExecutionReport, NewOrder
from common.venues.coinbaseprime import rest as module
from common.venues.coinbaseprime.rest import CLOCKS_APART_NS, PrimeRest, open_rest, signed_headers
from common.venues.coinbaseprime.simulated import rest as simulated
from common.venues.credentials import HmacPassphrase, HmacSecret
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import NAME, STRANGER, BothSides, Desk
from tests.common.venues.served import Served

SYMBOL = "BTC-USD"


@pytest.fixture
def rest_path() -> str:
    return "/v1"


@pytest.fixture
def desk(sides: BothSides, served: Served) -> Desk:
    """Logged on by the clock that the REST side has."""
    return sides.desk()


def ask(account: PrimeRest, what: str, symbol: str = SYMBOL, **more: object) -> Answer:
    answer = account.ask(Ask(NAME, 1, what, symbol, **more))  # type: ignore[arg-type]
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: object) -> tuple[NewOrder, str]:
    order, (accepted, *_) = desk.new(**terms)
    assert isinstance(accepted, ExecutionReport)
    return order, accepted.order_id


class Canned:
    """The venue's answers by path, as somebody wrote them down."""

    last_response_headers: Mapping[str, str] = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = {"portfolios": {"portfolios": [{"id": "p"}]}, **answers}

    def request(self, path: str, api: str, method: str, params: dict[str, Any]) -> Any:
        return self._answers[path.removeprefix("portfolios/p/")]


ROW: dict[str, Any] = {
    "id": "82c879c1", "product_id": SYMBOL, "side": "BUY", "client_order_id": "ours", "base_quantity": "2",
    "limit_price": "50.12", "status": "OPEN", "created_at": "2026-01-01T00:00:00.000Z", "filled_quantity": "",
}  # fmt: skip
FILL: dict[str, Any] = {
    "id": "dc376e5b", "order_id": "82c879c1", "product_id": SYMBOL, "side": "SELL", "filled_quantity": "1",
    "price": "140.91", "time": "2026-01-01T00:00:00Z", "commission": "5.55", "venue_fees": "2.50",
    "ces_commission": "1.25",
}  # fmt: skip


# ---- orders


def test_how_an_order_ended_is_told_by_either_of_its_names(desk: Desk, rest: PrimeRest) -> None:
    sides = desk.sides
    cut_short, order_id = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    told = ask(rest, "order", cl_ord_id=cut_short.cl_ord_id).order
    assert told is not None and (told.ord_status, told.cum_qty) == ("1", sides.qty / 4)
    desk.cancel(cut_short, order_id)
    for by in ({"cl_ord_id": cut_short.cl_ord_id}, {"order_id": order_id}):
        told = ask(rest, "order", **by).order
        assert told is not None and (told.ord_status, told.cum_qty) == ("4", sides.qty / 4)
    whole, _ = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty, sides.price)
    told = ask(rest, "order", cl_ord_id=whole.cl_ord_id, since_ns=sides.world.now.wall_ns).order
    assert told is not None and (told.ord_status, told.cum_qty) == ("2", sides.qty)


def test_an_order_that_nobody_knows_is_not_found_by_the_venue_s_clock(sides: BothSides, rest: PrimeRest) -> None:
    for by in ({"cl_ord_id": sides.next_name()}, {"order_id": "00000000-0000-4000-8000-00000000ffff"}):
        answer = ask(rest, "order", **by)
        assert answer.not_found and answer.order is None
        assert 0 <= sides.world.now.wall_ns - answer.venue_ns < 10**9


def test_one_that_ended_is_looked_for_on_page_after_page_from_when_it_was_sent(
    desk: Desk, rest: PrimeRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 2)
    sides, began_ns = desk.sides, desk.sides.world.now.wall_ns
    orders = [resting(desk) for _ in range(5)]
    for order, order_id in orders:
        desk.cancel(order, order_id)
    first = orders[0][0].cl_ord_id
    assert ask(rest, "order", cl_ord_id=first, since_ns=began_ns + CLOCKS_APART_NS // 2).order is not None
    assert ask(rest, "order", cl_ord_id=first, since_ns=began_ns + 3 * CLOCKS_APART_NS).not_found
    monkeypatch.setattr(module, "PAGES", 2)
    assert "pages" in rest.ask(Ask(NAME, 1, "order", SYMBOL, first)).text
    assert sides.state_of(first) is not None


def test_open_orders_that_are_too_many_are_no_list(
    desk: Desk, rest: PrimeRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "MOST_OPEN", 1)
    resting(desk)
    assert len(ask(rest, "open_orders").orders) == 1
    resting(desk)
    answer = rest.ask(Ask(NAME, 1, "open_orders", SYMBOL))
    assert answer.failed and "too many open orders" in answer.text


# ---- cancels


def test_everything_of_a_symbol_is_cancelled_one_by_one_and_fix_tells_of_it(desk: Desk, rest: PrimeRest) -> None:
    for _ in range(3):
        resting(desk)
    other, _ = resting(desk, symbol="ETH-USD", price=Decimal(3000), order_qty=Decimal(1))
    assert ask(rest, "cancel_all").cancelled == 3
    assert [o.cl_ord_id for o in ask(rest, "open_orders", "").orders] == [other.cl_ord_id]
    assert ask(rest, "cancel_all").cancelled == 0
    assert [e.exec_type for e in desk.heard() if isinstance(e, ExecutionReport)] == ["4"] * 3


class Refusing:
    """Three open orders, of which cancels are answered as `said`; afterwards those in `left` are open."""

    last_response_headers: Mapping[str, str] = Canned.last_response_headers

    def __init__(self, said: dict[str, str], left: tuple[str, ...]) -> None:
        self._said, self._lists = said, [("1", "2", "3"), left]
        self.cancelled: list[str] = []

    def request(self, path: str, api: str, method: str, params: dict[str, Any]) -> Any:
        if path == "portfolios":
            return {"portfolios": [{"id": "p"}]}
        if method == "GET":
            return {"orders": [ROW | {"id": each} for each in self._lists.pop(0)]}
        order_id = path.split("/")[-2]
        if order_id in self._said:
            raise module.BaseError(self._said[order_id])
        self.cancelled.append(order_id)
        return {"id": order_id}


TOO_LATE = 'x POST http://h/v1/portfolios/p/orders/1/cancel 400 Bad Request {"message":"order is not open"}'


def test_one_that_cannot_be_cancelled_keeps_no_other_and_is_told_where_it_is_open_yet() -> None:
    question = Ask(NAME, 1, "cancel_all", SYMBOL)
    api = Refusing({"1": TOO_LATE}, ())
    answer = PrimeRest(NAME, api).ask(question)
    assert (answer.failed, answer.cancelled, api.cancelled) == (False, 2, ["2", "3"]), "it was over already"
    api = Refusing({"1": TOO_LATE}, ("1",))
    answer = PrimeRest(NAME, api).ask(question)
    assert answer.failed and answer.error_code == 400 and api.cancelled == ["2", "3"]


def test_where_nobody_answers_the_next_is_not_waited_for_as_well() -> None:
    api = Refusing({"2": "x POST http://h/v1/portfolios/p/orders/2/cancel"}, ())
    answer = PrimeRest(NAME, api).ask(Ask(NAME, 1, "cancel_all", SYMBOL))
    assert answer.failed and api.cancelled == ["1"]


# ---- trades


def test_a_fill_is_the_one_that_fix_tells(desk: Desk, rest: PrimeRest) -> None:
    sides = desk.sides
    sides.stranger("2", sides.qty, sides.price)
    _, events = desk.new(price=sides.price)
    (fill,) = [e for e in events if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    for by in ({"order_id": fill.order_id}, {"since_ns": 1}):
        (trade,) = ask(rest, "trades", **by).trades
        for field in ("symbol", "trade_key", "order_id", "side", "last_qty", "last_px", "fee_qty", "fee_asset"):
            assert getattr(trade, field) == getattr(fill, field), field


def test_trades_come_page_by_page_the_oldest_first_and_no_more_than_are_taken(
    desk: Desk, rest: PrimeRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 2)
    sides = desk.sides
    order, _ = desk.new(price=sides.price)
    for _ in range(4):
        sides.world.pass_time(0.01, 0.01)
        sides.stranger("2", sides.qty / 4, sides.price)
    fills = [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.exec_type == "F"]
    keys = [trade.trade_key for trade in ask(rest, "trades", since_ns=1).trades]
    assert keys == [fill.trade_key for fill in fills] and len(keys) == 4
    third = fills[2]
    assert third.transact_ns is not None
    assert [t.trade_key for t in ask(rest, "trades", since_ns=third.transact_ns).trades] == keys[2:]
    assert ask(rest, "trades", "ETH-USD", since_ns=1).trades == ()
    monkeypatch.setattr(module, "TRADES_PAGE", 3)
    assert [trade.trade_key for trade in ask(rest, "trades", since_ns=1).trades] == keys[:3], "and then from there"
    assert [trade.trade_key for trade in ask(rest, "trades", order_id=third.order_id).trades] == keys
    monkeypatch.setattr(module, "PAGES", 1)
    assert "pages" in rest.ask(Ask(NAME, 1, "trades", SYMBOL, since_ns=1)).text
    assert order.order_qty == sides.qty


# ---- the rest


def test_balances_are_those_for_trading(desk: Desk, rest: PrimeRest) -> None:
    order, _ = resting(desk)
    assert order.price is not None
    locked = order.order_qty * order.price
    balances = {asset: (free, held) for asset, free, held in ask(rest, "balances").balances}
    assert balances["USD"] == (100_000_000 - locked, locked) and balances["BTC"] == (Decimal(1000), Decimal(0))


def test_a_request_is_signed_by_the_secret_as_it_is_written() -> None:
    ours = HmacPassphrase("KEY", b"SIGNINGKEY", "pass123")
    told = signed_headers(ours, 1_767_225_600, "GET", "/v1/portfolios")
    wanted = hmac.digest(b"SIGNINGKEY", b"1767225600GET/v1/portfolios", hashlib.sha256)
    assert told == {
        "X-CB-ACCESS-KEY": "KEY", "X-CB-ACCESS-PASSPHRASE": "pass123", "X-CB-ACCESS-TIMESTAMP": "1767225600",
        "X-CB-ACCESS-SIGNATURE": base64.b64encode(wanted).decode(),
    }  # fmt: skip
    for useless in (HmacSecret("KEY", b"x"), HmacPassphrase("KEY", b"", "pass123")):
        with pytest.raises(ValueError, match="secret"):
            open_rest(RestSettings(NAME, "http://h/v1", useless, 1000))


def test_another_s_key_a_wrong_word_or_an_old_time_is_refused_and_tells_nothing(
    sides: BothSides, served: Served, rest: PrimeRest
) -> None:
    ours = sides.credentials
    assert isinstance(ours, HmacPassphrase)
    right = RestSettings(NAME, f"http://127.0.0.1:{served.port('rest')}/v1", ours, 2000)
    for wrong in ({"api_key": "other"}, {"secret": b"other"}, {"passphrase": "other"}):
        account = open_rest(replace(right, credentials=replace(ours, **wrong)))
        answer = account.ask(Ask(NAME, 1, "balances"))
        assert answer.failed and answer.error_code == 401, wrong
    other = open_rest(replace(right, credentials=sides.market_data_credentials or ours))
    assert other.ask(Ask(NAME, 1, "balances")).error_code == 401, "the key for prices reads no account"
    path = "/v1/portfolios"
    old = signed_headers(ours, sides.world.now.wall_ns // 10**9 - 31, "GET", path)
    assert by_hand(served, path, old) == (401, "request timestamp expired")


def test_nothing_is_told_of_another_s_portfolio_and_fills_need_a_beginning(
    sides: BothSides, served: Served, rest: PrimeRest
) -> None:
    ours = sides.credentials
    assert isinstance(ours, HmacPassphrase)

    def told(path: str) -> tuple[int, str]:
        return by_hand(served, path, signed_headers(ours, sides.world.now.wall_ns // 10**9, "GET", path))

    root = f"/v1/portfolios/{simulated.portfolio_of(STRANGER)}"
    assert told(f"{root}/balances") == (403, "the key is for another portfolio")
    (account, _) = sides.settings.accounts
    own = f"/v1/portfolios/{simulated.portfolio_of(account)}"
    assert told(f"{own}/fills") == (400, "start_date is required")
    assert told(f"{own}/products")[0] == 200


def by_hand(served: Served, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and message."""
    request = urllib.request.Request(f"http://127.0.0.1:{served.port('rest')}{path}", headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read()).get("message", "")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["message"]


def told_of(row: dict[str, Any]) -> Answer:
    return PrimeRest(NAME, Canned({"orders/82c879c1": {"order": row}})).ask(
        Ask(NAME, 1, "order", SYMBOL, order_id="82c879c1")
    )


@pytest.mark.parametrize(
    ("changed", "ord_status", "qty", "cum_qty"),
    [
        ({}, "0", "2", "0"),
        ({"filled_quantity": "0.5"}, "1", "2", "0.5"),
        ({"status": "PENDING"}, "A", "2", "0"),
        ({"status": "FAILED"}, "8", "2", "0"),
        ({"status": "EXPIRED", "filled_quantity": "1"}, "C", "2", "1"),
        ({"base_quantity": "", "quote_value": "100", "filled_quantity": "0.7", "status": "FILLED"}, "2", "0.7", "0.7"),
    ],
)
def test_what_each_status_means(changed: dict[str, Any], ord_status: str, qty: str, cum_qty: str) -> None:
    told = told_of(ROW | changed).order
    assert told is not None
    assert (told.ord_status, told.order_qty, told.cum_qty) == (ord_status, Decimal(qty), Decimal(cum_qty))


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"status": "UNKNOWN_ORDER_STATUS"}, "UNKNOWN_ORDER_STATUS"),
        ({"status": "FILLED", "filled_quantity": "1"}, "1 of 2 filled"),
        ({"id": ""}, "id is ''"),
        ({"base_quantity": "NaN"}, "base_quantity is 'NaN'"),
    ],
)
def test_an_order_that_says_what_no_document_has_is_no_answer(changed: dict[str, Any], text: str) -> None:
    answer = told_of(ROW | changed)
    assert answer.failed and text in answer.text


def test_every_fee_of_a_fill_counts_and_what_cannot_be_read_is_noted() -> None:
    fills = [FILL, FILL | {"id": "2", "price": "many", "commission": "", "venue_fees": None, "time": "soon"}]
    account = PrimeRest(NAME, Canned({"fills": {"fills": fills}}))
    answer = ask(account, "trades", since_ns=1)
    first, second = answer.trades
    assert (first.fee_qty, first.fee_asset, first.last_px, first.side) == (
        Decimal("9.30"), "USD", Decimal("140.91"), "2",
    )  # fmt: skip
    assert (second.fee_qty, second.last_px, second.transact_ns) == (Decimal("1.25"), Decimal(0), 0)
    assert answer.text == "not read: price of trade 2, time of trade 2"


def test_a_key_of_several_portfolios_is_no_key_of_one() -> None:
    several = {"portfolios": [{"id": "p"}, {"id": "q"}]}
    answer = PrimeRest(NAME, Canned({"portfolios": several})).ask(Ask(NAME, 1, "balances"))
    assert answer.failed and "the key is for 2 portfolios" in answer.text
