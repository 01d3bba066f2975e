"""CCXT against the simulated REST V5 over the loopback: signed as Bybit wants it, and nothing concluded too early."""

import json
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec import structs

from common.exchange.order import BUY
from common.messages import Ask, RestOrder, Ticker
from common.orders.books import TRADES_PAGE
from common.venues.bybit.rest import OLDEST_WEEKS, WEEK_MS, BybitRest, open_rest
from common.venues.credentials import Ed25519Key, RsaKey
from common.venues.pace import Pace
from common.venues.rest import RestSettings
from tests.common.exchange.harness import WALL_NS, World, terms
from tests.common.venues.bybit.keys import PEM
from tests.common.venues.bybit.rig import API_KEY, Hand, exchange, field, inside

KEY = RsaKey(API_KEY, PEM)


class Wire:
    """A port of the loopback whose bytes go to the exchange's REST listener, one connection at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wire = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            with stream:
                self.world.connections += 1
                number = self.world.connections
                self.world.raw_clients[number] = self
                self.world.core.accepted(number, "rest", self.world.now)
                while data := stream.recv(65536):
                    self.wire = b""
                    self.world.core.data(number, data, self.world.now)
                    self.world.turn()
                    stream.sendall(self.wire)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return exchange(tmp_path)


@pytest.fixture
def rest(world: World) -> Iterator[BybitRest]:
    """The account's REST side, whose clock is the exchange's."""
    wire = Wire(world)
    it = opened(world, wire.port)
    yield it
    it.api.close()  # type: ignore[attr-defined]
    wire.close()


def opened(world: World, port: int, key: RsaKey = KEY) -> BybitRest:
    it = open_rest(RestSettings("bybit", f"http://127.0.0.1:{port}/v5", key, 5000))
    api: Any = it.api
    api.milliseconds = lambda: world.now.wall_ns // 10**6
    api.throttle = lambda cost=None: None
    return it


def ask(what: str, **by: Any) -> Ask:
    return Ask("bybit", 1, what, "BTCUSDT", **by)


def stranger(world: World, side: str, qty: str, price: str) -> None:
    world.core.venue.engine.new(terms(f"s-{world.core.venue.state.next_order_id}", side, qty, price, ""), world.now)
    world.turn()


def filled(hand: Hand, name: str, qty: str = "0.01") -> str:
    """An order of ours that somebody fills at 1000; its FillExecID(30051) over FIX."""
    hand.order(name, qty=qty, price="1000")
    stranger(hand.world, "2", qty, "1000")
    return field(hand.heard()[-1], 30051)


# ---- signatures


def test_requests_are_signed_as_the_server_checks_them(rest: BybitRest, world: World) -> None:
    assert not rest.ask(ask("balances")).failed
    assert not rest.ask(ask("cancel_all")).failed, "a body is signed as a query is"


@pytest.mark.parametrize(("key", "code"), [(RsaKey("nobody", PEM), 10003), (None, 10004)])
def test_a_wrong_key_or_signature_is_refused_with_its_code(world: World, key: RsaKey | None, code: int) -> None:
    other = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    wire = Wire(world)
    it = opened(world, wire.port, key or RsaKey(API_KEY, other))
    answer = it.ask(ask("balances"))
    assert answer.failed and answer.error_code == code and API_KEY not in answer.text
    it.api.close()  # type: ignore[attr-defined]
    wire.close()


def test_a_request_of_another_time_is_refused(rest: BybitRest, world: World) -> None:
    api: Any = rest.api
    for ms in (-6000, 2000):
        api.milliseconds = lambda ms=ms: world.now.wall_ns // 10**6 + ms
        answer = rest.ask(ask("balances"))
        assert answer.failed and answer.error_code == 10002


def test_other_credentials_are_refused_at_the_start() -> None:
    for credentials in (Ed25519Key("k", PEM), RsaKey("k", b"no pem")):
        with pytest.raises(ValueError, match="RSA key"):
            open_rest(RestSettings("bybit", "http://127.0.0.1:1/v5", credentials, 100))


# ---- orders


def test_an_order_is_found_by_either_name_open_or_closed(rest: BybitRest, world: World) -> None:
    hand = inside(world)
    order_id = field(hand.order("mine", qty="0.02", price="900")[0], 37)
    for by in ({"order_id": order_id}, {"cl_ord_id": "mine"}):
        order = rest.ask(ask("order", **by)).order
        assert order == RestOrder(
            "BTCUSDT", order_id, "mine", BUY, "0", Decimal("0.02"), Decimal(900), Decimal(0), WALL_NS
        )
    stranger(world, "2", "0.01", "900")
    order = rest.ask(ask("order", cl_ord_id="mine")).order
    assert order is not None and (order.ord_status, order.cum_qty) == ("1", Decimal("0.01"))
    hand.say("F", "30010=spot|55=BTCUSDT|11=mine|")
    order = rest.ask(ask("order", cl_ord_id="mine")).order
    assert order is not None and (order.ord_status, order.cum_qty) == ("4", Decimal("0.01")), "F is an end, too"


def test_that_there_is_no_such_order_is_believed_only_when_it_was_said_twice(rest: BybitRest, world: World) -> None:
    answer = rest.ask(ask("order", cl_ord_id="none"))
    assert (answer.failed, answer.not_found, answer.order, answer.venue_ns) == (False, True, None, WALL_NS)
    hand, asked = inside(world), 0
    clock = rest.api.publicGetV5MarketTime

    def meanwhile(*params: Any) -> Any:
        nonlocal asked
        asked += 1
        hand.order("late", price="900")
        return clock(*params)

    rest.api.publicGetV5MarketTime = meanwhile  # type: ignore[method-assign,assignment]
    answer = rest.ask(ask("order", cl_ord_id="late"))
    assert asked == 1 and answer.order is not None and not answer.not_found


def test_a_closed_order_is_found_in_the_history_where_the_server_has_forgotten_it(
    rest: BybitRest, world: World
) -> None:
    hand = inside(world)
    hand.order("mine", price="900")
    hand.say("F", "30010=spot|55=BTCUSDT|11=mine|")
    api: Any = rest.api
    api.privateGetV5OrderRealtime = lambda by: {"result": {"list": []}}
    order = rest.ask(ask("order", cl_ord_id="mine")).order
    assert order is not None and order.ord_status == "4"


def test_the_server_tells_the_latest_closed_orders_beside_the_open_ones(
    rest: BybitRest, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.venues.bybit.simulated.rest.RECENT", 1)
    hand = inside(world)
    for name in ("old", "new"):
        hand.order(name, price="900")
        hand.say("F", f"30010=spot|55=BTCUSDT|11={name}|")
    realtime: Any = rest.api.privateGetV5OrderRealtime
    told = [len(realtime({"category": "spot", "orderLinkId": name})["result"]["list"]) for name in ("old", "new")]
    assert told == [0, 1]
    assert rest.ask(ask("order", cl_ord_id="old")).order is not None, "it is in the history"


def test_open_orders_are_told_page_by_page(rest: BybitRest, world: World) -> None:
    hand = inside(world)
    for number in range(60):
        if number % 20 == 0:
            world.pass_time(1.1, step_s=0.5)
        hand.order(f"o-{number}", price="900")
    for by in (ask("open_orders"), structs.replace(ask("open_orders"), symbol="")):
        orders = rest.ask(by).orders
        assert len(orders) == 60 and {order.cl_ord_id for order in orders} == {f"o-{n}" for n in range(60)}


def test_cancel_all_empties_the_symbol_and_finds_nothing_to_complain_of(rest: BybitRest, world: World) -> None:
    hand = inside(world)
    hand.order("a", price="900")
    hand.order("b", price="901")
    assert rest.ask(ask("cancel_all")).cancelled == 2
    again = rest.ask(ask("cancel_all"))
    assert (again.failed, again.cancelled) == (False, 0)
    assert not rest.ask(ask("open_orders")).orders


def test_a_stop_order_is_found_told_and_cancelled_as_others_are(rest: BybitRest, world: World) -> None:
    hand = inside(world)
    body = "30010=spot|55=BTCUSDT|54=1|40=2|38=0.02|44=1015|59=1|30024=StopOrder|99=1010|"
    for name in ("sleeps", "woken"):
        hand.say("D", f"{body.replace('1010', '1005') if name == 'woken' else body}11={name}|30006={name}|")
    for side in ("2", "1"):
        stranger(world, side, "0.01", "1006")
    told = {order.cl_ord_id: order for order in rest.ask(ask("open_orders")).orders}
    assert {name: (order.ord_status, order.triggered) for name, order in told.items()} == {
        "sleeps": ("9", False), "woken": ("0", True),
    }  # fmt: skip
    asked = rest.ask(ask("order", cl_ord_id="sleeps")).order
    assert asked is not None and (asked.ord_status, asked.order_qty, asked.triggered) == ("9", Decimal("0.02"), False)
    assert (asked.take_profit, told["woken"].take_profit) == (False, None)
    realtime: Any = rest.api.privateGetV5OrderRealtime
    kinds = [realtime({"category": "spot", "orderFilter": kind})["result"]["list"] for kind in ("Order", "StopOrder")]
    assert [[row["orderLinkId"] for row in rows] for rows in kinds] == [["woken"], ["sleeps"]]
    cancel_all: Any = rest.api.privatePostV5OrderCancelAll
    assert len(cancel_all({"category": "spot", "symbol": "BTCUSDT"})["result"]["list"]) == 1, "of one kind alone"
    assert rest.ask(ask("cancel_all")).cancelled == 1
    assert not rest.ask(ask("open_orders")).orders
    ended = rest.ask(ask("order", cl_ord_id="sleeps")).order
    assert ended is not None and (ended.ord_status, ended.triggered) == ("4", False)


# ---- trades


def test_a_trade_has_the_key_that_fix_gives_it(rest: BybitRest, world: World) -> None:
    hand = inside(world)
    key = filled(hand, "mine")
    (trade,) = rest.ask(ask("trades", since_ns=WALL_NS - 10**9)).trades
    assert (trade.trade_key, trade.side, trade.last_qty, trade.last_px, trade.fee_asset, trade.maker) == (
        key, BUY, Decimal("0.01"), Decimal(1000), "BTC", True,
    )  # fmt: skip
    assert trade.fee_qty == Decimal("0.00001") and trade.transact_ns == WALL_NS
    (by_order,) = rest.ask(ask("trades", order_id=trade.order_id)).trades
    assert by_order == trade


def test_trades_are_told_from_a_known_one_on_however_long_ago_it_was(rest: BybitRest, world: World) -> None:
    hand = inside(world)
    first = filled(hand, "first")
    world.now = type(world.now)(world.now.wall_ns + 20 * 86_400 * 10**9, world.now.boot_ns)
    second, third = filled(hand, "second"), filled(hand, "third")
    keys = [trade.trade_key for trade in rest.ask(ask("trades", from_trade_key=first)).trades]
    assert keys == [first, second, third]
    keys = [trade.trade_key for trade in rest.ask(ask("trades", from_trade_key=second)).trades]
    assert keys == [second, third]
    keys = [trade.trade_key for trade in rest.ask(ask("trades", since_ns=WALL_NS)).trades]
    assert keys == [first, second, third], "by the week, from then to now"


def row(number: int, time_ms: int) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "orderId": "7", "side": "Buy", "execId": str(number), "execPrice": "1", "execQty": "1",
        "execType": "Trade", "execFee": "0", "feeCurrency": "", "execTime": str(time_ms), "isMaker": False,
    }  # fmt: skip


class Trades:
    """Rows as the server tells them: the newest first, by pages, of at most a week."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = sorted(rows, key=lambda each: -int(each["execTime"]))
        self.asked = 0

    def __call__(self, by: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        assert by["endTime"] - by["startTime"] <= WEEK_MS
        rows = [r for r in self.rows if by["startTime"] <= int(r["execTime"]) <= by["endTime"]]
        begin = int(by.get("cursor") or 0)
        page = rows[begin : begin + by["limit"]]
        return {"result": {"list": page, "nextPageCursor": str(begin + 100) if begin + 100 < len(rows) else ""}}


def test_no_more_than_a_page_of_the_oldest_is_told_so_that_the_rest_is_asked_for(rest: BybitRest) -> None:
    now_ms, api = WALL_NS // 10**6, rest.api
    trades = Trades([row(n, now_ms - 10 * WEEK_MS + n * WEEK_MS // 300) for n in range(1, 2501)])
    api.privateGetV5ExecutionList = trades  # type: ignore[method-assign,assignment]
    told = rest.ask(ask("trades", from_trade_key="5")).trades
    assert [int(trade.trade_key) for trade in told] == list(range(5, 5 + TRADES_PAGE))
    told = rest.ask(ask("trades", from_trade_key=told[-1].trade_key)).trades
    assert [int(trade.trade_key) for trade in told] == list(range(1004, 2004))


def test_the_search_for_a_trade_that_is_gone_ends_with_what_the_venue_keeps(rest: BybitRest) -> None:
    trades = Trades([row(9, WALL_NS // 10**6 - 1)])
    rest.api.privateGetV5ExecutionList = trades  # type: ignore[method-assign,assignment]
    assert [trade.trade_key for trade in rest.ask(ask("trades", from_trade_key="5")).trades] == ["9"]
    assert trades.asked == OLDEST_WEEKS


def test_what_is_no_trade_is_left_out_and_what_cannot_be_read_is_said(rest: BybitRest) -> None:
    now_ms, api = WALL_NS // 10**6, rest.api
    rows = [row(1, now_ms) | {"execType": "Funding"}, row(2, now_ms) | {"execFee": "x", "execPrice": None}]
    api.privateGetV5ExecutionList = Trades(rows)  # type: ignore[method-assign,assignment]
    answer = rest.ask(ask("trades", since_ns=WALL_NS))
    assert [trade.trade_key for trade in answer.trades] == ["2"]
    assert answer.text == "not read: execPrice of trade 2, execFee of trade 2"


# ---- the rest


def test_balances_are_free_and_locked(rest: BybitRest, world: World) -> None:
    inside(world).order("mine", qty="0.02", price="900")
    balances = {asset: (free, locked) for asset, free, locked in rest.ask(ask("balances")).balances}
    assert balances["USDT"] == (Decimal(100_000 - 18), Decimal(18)) and balances["BTC"] == (Decimal(10), Decimal(0))


def test_the_clock_and_the_prices_are_told(rest: BybitRest, world: World) -> None:
    assert rest.ask(ask("time")).venue_ns == WALL_NS
    empty = rest.ask(ask("ticker")).tickers
    assert empty == (Ticker("BTCUSDT", None, Decimal(0), None, Decimal(0), None),)
    inside(world).order("mine", qty="0.02", price="900")
    stranger(world, "2", "0.5", "1001")
    assert rest.ask(ask("ticker")).tickers == (
        Ticker("BTCUSDT", Decimal(900), Decimal("0.02"), Decimal(1001), Decimal("0.5"), None),
    )
    unknown = rest.ask(structs.replace(ask("ticker"), symbol="NOSUCH"))
    assert unknown.failed and unknown.error_code == 170121


def test_too_many_requests_are_refused_with_the_code_for_it(rest: BybitRest, world: World) -> None:
    codes = [rest.ask(ask("cancel_all")).error_code for _ in range(7)]
    assert codes == [0] * 6 + [10006], "each takes a request for each kind of orders"


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"retCode":0,"result":{"list":[{}]}}', '{"retCode":0,"result":null}', "x"]
)
def test_an_answer_of_another_form_is_a_failure(rest: BybitRest, body: str) -> None:
    def fetch(*args: Any, **kwargs: Any) -> Any:
        return json.loads(body)

    rest.api.fetch = fetch  # type: ignore[attr-defined]
    for what in ("order", "open_orders", "trades", "balances", "time", "ticker"):
        answer = rest.ask(ask(what, cl_ord_id="x", since_ns=1))
        assert answer.failed and answer.text and not answer.not_found


def test_it_asks_no_faster_than_the_venue_allows() -> None:
    pace = Pace(10.0)
    assert sum(pace.delay_s(1.0, 1000.0) > 0 for _ in range(200)) > 100
