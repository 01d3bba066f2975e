"""KuCoin Futures' oddities by their numbers in its README: what a client that knows nothing of each goes wrong with."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.exchange.order import BUY, LIMIT, Terms
from common.venues.backend import ContractBackend, FillFact, HttpCall, OrderFact, Push, Verdict
from common.venues.families.kucoin.backend import SPAN_MS
from common.venues.kucoinfutures.backend import RECENT_ROWS, STAMP_NS
from common.venues.kucoinfutures.simulated.rest import KucoinFuturesRestApi
from tests.common.venues.kucoinfutures.rig import (
    CONTRACT,
    OTHER_CONTRACT,
    OTHER_SYMBOL,
    SYMBOL,
    D,
    RawClient,
    backend,
    futures_rig,
)
from tests.common.venues.kucoinfutures.socket_client import SocketClient
from tests.services.bridge.rig import FixClient, Rig, words

DAY_S = 86_400
DAY_NS = DAY_S * 10**9


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return futures_rig(tmp_path).live()


@pytest.fixture
def raw(rig: Rig) -> RawClient:
    return RawClient(rig)


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def asked(rig: Rig, name: str) -> Any:
    """The order by our id."""
    return rig.backend.ask_order(RawClient(rig).terms(name), "", rig.now.wall_ns)


def one(raw: RawClient, name: str, **terms: Any) -> HttpCall:
    """A new order of one contract, but for `terms`."""
    return raw.order(name, **{"order_qty": D(1), **terms})


def signed(raw: RawClient, method: str, path: str, parameters: dict[str, object]) -> Any:
    """What the venue answers to a request of the client's own making."""
    sign = raw.backend._sign  # type: ignore[attr-defined]
    return raw.call(sign(method, path, parameters, raw.rig.now.wall_ns))[1]


def pushed(kind: str, **fields: Any) -> OrderFact:
    """What our back end makes of a push, as KuCoin's own kit shows one: without orderType and clientOid."""
    row = {
        "symbol": SYMBOL, "side": "buy", "orderId": "247899236673269761", "type": kind, "status": "open", "size": "20",
        "filledSize": "0", "remainSize": "20", "canceledSize": "0", "price": "60000", "marginMode": "CROSS",
        "ts": 1_767_225_600_000_000_000, **fields,
    }  # fmt: skip
    topic = f"/contractMarket/tradeOrders:{SYMBOL}"
    push = {"type": "message", "topic": topic, "subject": "symbolOrderChange", "data": row}
    what, (fact,) = backend().read_push(msgspec.json.encode(push).decode())
    assert what is Push.OTHER and isinstance(fact, OrderFact)
    return fact


def test_01_a_refusal_comes_with_status_200(raw: RawClient) -> None:
    too_much = one(raw, "a1", order_qty=D(170_000))
    status, answer, _ = raw.call(too_much)
    assert (status, answer["code"]) == (200, "330008")
    assert raw.read("new", too_much)[1].verdict is Verdict.REFUSED
    raw.call(one(raw, "a1"))
    _, reply = raw.read("new", one(raw, "a1"))
    assert (reply.verdict, reply.code) == (Verdict.UNKNOWN, "100001"), "the venue has an order of that id"
    _, reply = raw.read("new", one(raw, "a2", price=D("60000.05")))
    assert (reply.verdict, reply.code) == (Verdict.REFUSED, "100001")
    _, reply = raw.read("cancel", raw.backend.cancel(raw.terms("nosuch"), raw.rig.now.wall_ns))
    assert (reply.verdict, reply.code) == (Verdict.ABSENT, "100001")
    _, reply = raw.read("ask_order", asked(raw.rig, "nosuch"))
    assert (reply.verdict, reply.code) == (Verdict.ABSENT, "100001")
    other = b'{"code":"100001","msg":"There are invalid parameters"}'
    assert raw.backend.read("ask_order", 200, other).verdict is Verdict.UNKNOWN
    assert raw.backend.read("ask_order", 200, b'{"code":"200000","data":null}').verdict is Verdict.ABSENT


@pytest.mark.parametrize("kind", ["lost", "unknown"])
def test_02_a_code_says_that_nobody_knows(rig: Rig, raw: RawClient, kind: str) -> None:
    rig.world.ask("fault", kind=kind, scope="rest", count=1)
    answer, reply = raw.read("new", one(raw, "a1"))
    assert answer["code"] == "500000" and reply.verdict is Verdict.UNKNOWN
    assert (rig.at_venue("a1") is not None) is (kind == "unknown")


def test_02_a_timeout_at_the_venue_is_no_refusal() -> None:
    body = b'{"code":"408000","msg":"Network timeout, please try again later"}'
    assert backend().read("new", 200, body).verdict is Verdict.UNKNOWN


def test_02_what_cannot_be_read_is_no_verdict() -> None:
    """Nor does it take long: a number of JSON may have an exponent that no memory holds."""
    for data in (b"[]", b'{"items":{}}', b'[{"createdAt":1e999999999}]', b'{"createdAt":1e300,"isActive":true}', b"7"):
        for what in ("new", "cancel", "ask_order", "ask_open", "ask_fills", "ask_contracts", "ask_account", "ask_time"):
            reply = backend().read(what, 200, b'{"code":"200000","data":%b}' % data)
            assert reply.verdict in (Verdict.UNKNOWN, Verdict.DONE) and not reply.facts, (what, data)


def test_03_done_does_not_say_how_an_order_ended(rig: Rig, raw: RawClient, client: FixClient) -> None:
    for name in ("a1", "a2", "a3"):
        client.order(name, qty="10")
    rig.stranger("2", "14", "60000")
    client.cancel("c2", "a2")
    told = [raw.read("ask_order", asked(rig, name)) for name in ("a1", "a2", "a3")]
    assert [answer["data"]["status"] for answer, _ in told] == ["done", "done", "open"]
    assert [reply.facts[0].ord_status for _, reply in told] == ["2", "4", "0"]  # type: ignore[union-attr]


def test_04_an_order_is_signed_as_of_five_seconds_before_its_last_moment(rig: Rig, raw: RawClient) -> None:
    now_ns = rig.now.wall_ns
    call = raw.backend.new(raw.terms("a1", order_qty=D(1)), now_ns, now_ns + 10**9)
    stamp_ms = int(dict(call.headers)["KC-API-TIMESTAMP"])
    assert stamp_ms == (now_ns + 10**9 - STAMP_NS) // 10**6
    assert not {"clientTimestamp", "allowMaxTimeWindow"} & set(msgspec.json.decode(call.body))
    rig.pass_time(1.1)
    answer, reply = raw.read("new", call)
    assert answer["code"] == "400002" and reply.verdict is Verdict.REFUSED and rig.at_venue("a1") is None
    assert raw.read("new", one(raw, "a2"))[1].verdict is Verdict.DONE
    # A last moment that is far off leaves the order to the stamp of its signature.
    far = raw.backend.new(raw.terms("a3", order_qty=D(1)), rig.now.wall_ns, rig.now.wall_ns + 9 * 10**9)
    assert int(dict(far.headers)["KC-API-TIMESTAMP"]) == rig.now.wall_ns // 10**6


def test_05_the_fee_of_a_push_is_asked_for_at_once(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="10")
    before = len(rig.requests("recentFills"))
    client.got.clear()
    rig.stranger("2", "4", "60000")
    (told,) = client.got
    assert (told[150], told[32], told[137], told[138]) == ("F", "4", "0.192", "USDT")
    assert len(rig.requests("recentFills")) == before + 1 and not rig.requests("v1/fills")
    fact = pushed("match", filledSize="4", tradeId="1", matchSize="4", matchPrice="60000")
    assert (fact.cum_qty, fact.price, fact.side) == (D(4), D(60_000), "1"), "another would be taken for a new price"
    assert pushed("match", filledSize="4", orderType="market", price="0").price is None
    assert pushed("open", price="").price is None


def test_05_an_end_waits_for_what_the_fills_cost(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="10")
    rig.deaf = True
    rig.stranger("2", "10", "60000")
    assert words(client.got)[-1] == ("0", "0"), "the push said that it is full, and no fill is known"
    rig.deaf = False
    rig.pass_time(12)
    assert words(client.got)[-1] == ("F", "2") and client.got[-1][137] == "0.48"


def test_06_a_fill_names_the_venue_s_id_alone(rig: Rig, raw: RawClient, client: FixClient) -> None:
    client.order("a1", qty="10")
    rig.stranger("2", "10", "60000")
    answer, reply = raw.read("ask_fills", raw.backend.ask_fills(rig.now.wall_ns - 10**9, "", rig.now.wall_ns))
    (row,) = answer["data"]
    assert "clientOid" not in row and len(row["orderId"]) == 18
    (fact,) = reply.facts
    assert isinstance(fact, FillFact) and (fact.venue_id, fact.order_id) == ("", row["orderId"])


def test_06_an_order_that_is_not_there_is_looked_for_among_those_that_have_ended(rig: Rig, client: FixClient) -> None:
    rig.world.ask("fault", kind="lost", scope="rest", count=1)
    client.order("a1", qty="10")
    client.order("a2", qty="10")
    client.cancel("c2", "a2")
    rig.pass_time(6)
    assert (client.got[-1][11], client.got[-1][150], client.got[-1][103]) == ("a1", "8", "99")
    assert len(rig.requests("recentDoneOrders")) == 1


def test_07_the_list_of_all_fills_is_late_and_what_is_recent_is_not(
    rig: Rig, raw: RawClient, client: FixClient
) -> None:
    client.order("a1", qty="10")
    rig.stranger("2", "10", "60000")
    assert signed(raw, "GET", "fills", {})["data"]["items"] == []
    (row,) = signed(raw, "GET", "recentFills", {})["data"]
    assert row["size"] == 10
    rig.pass_time(1.5)
    assert signed(raw, "GET", "fills", {})["data"]["items"] == [row]


def fills_of(raw: RawClient, count: int, stamp_ns: int, name: str, symbol: str = SYMBOL) -> None:
    """So many fills of one order at a time."""
    world = raw.rig.world
    then = world.now._replace(wall_ns=stamp_ns)
    engine = world.core.venue.engine
    order = engine.place(Terms("desk", "desk", name, symbol, BUY, LIMIT, D(count), D(60_000)), then)
    for _ in range(count):
        engine.take_from(order, D(1), then)


def read_fills(raw: RawClient, since_ns: int) -> tuple[list[FillFact], list[str]]:
    """All fills since then, and what was asked for."""
    page, told, targets = "", list[FillFact](), list[str]()
    while not targets or page:
        call = raw.backend.ask_fills(since_ns, page, raw.rig.now.wall_ns)
        _, reply = raw.read("ask_fills", call)
        assert reply.verdict is Verdict.DONE
        told += [fact for fact in reply.facts if isinstance(fact, FillFact)]
        page, targets = reply.next_page, [*targets, call.target]
    return told, targets


def test_07_more_than_what_is_recent_tells_is_read_from_the_list(raw: RawClient) -> None:
    now_ns = raw.rig.now.wall_ns
    fills_of(raw, RECENT_ROWS + 50, now_ns - 10**10, "b1")
    told, targets = read_fills(raw, now_ns - 2 * 10**10)
    assert len({fill.trade_id for fill in told}) == RECENT_ROWS + 50
    assert ["recentFills" in target for target in targets] == [True, False, False]
    fills_of(raw, RECENT_ROWS, now_ns, "b2")
    told, targets = read_fills(raw, now_ns - 10**9)
    assert len(targets) == 2, "a thousand since then: there may have been more"
    fills_of(raw, 1, now_ns + 2 * 10**9, "b3")
    told, targets = read_fills(raw, now_ns + 10**9)
    assert len(targets) == 1 and len(told) == RECENT_ROWS, "the oldest of them was before"


def test_07_fills_of_an_order_that_has_none_of_late_are_read_from_the_list(rig: Rig, raw: RawClient) -> None:
    fills_of(raw, 3, rig.now.wall_ns - 2 * DAY_NS, "b1")
    fills_of(raw, 1, rig.now.wall_ns, "b2")
    order_id = raw.read("ask_order", asked(rig, "b1"))[0]["data"]["id"]
    page, told, targets = "", list[FillFact](), list[str]()
    while not targets or page:
        call = raw.backend.ask_fills_of(raw.terms("b1"), order_id, page, rig.now.wall_ns)
        _, reply = raw.read("ask_fills_of", call)
        told += [fact for fact in reply.facts if isinstance(fact, FillFact) and fact.order_id == order_id]
        page, targets = reply.next_page, [*targets, call.target]
    assert len(told) == 3 and ["recentFills" in target for target in targets] == [True, False]


def test_08_open_orders_are_read_page_by_page(raw: RawClient) -> None:
    body = b'{"code":"200000","data":{"currentPage":%d,"pageSize":1000,"totalNum":1500,"totalPage":2,"items":[]}}'
    pages = [raw.backend.read("ask_open", 200, body % number).next_page for number in (1, 2)]
    assert pages == ["2", ""] and "currentPage=2&" in raw.backend.ask_open("2", raw.rig.now.wall_ns).target


def test_08_fills_and_ended_orders_are_listed_span_by_span(rig: Rig, raw: RawClient) -> None:
    begin_ns = rig.now.wall_ns - 9 * DAY_NS
    fills_of(raw, 3, begin_ns + DAY_NS // 2, "b1")
    fills_of(raw, 2, begin_ns + 3 * DAY_NS, "b2", OTHER_SYMBOL)
    fills_of(raw, 1, begin_ns + 8 * DAY_NS, "b3")
    begin_ms = begin_ns // 10**6
    naive = signed(raw, "GET", "fills", {"startAt": begin_ms})["data"]["items"]
    assert len(naive) == 3, "of a day where the end is not given"
    naive = signed(raw, "GET", "fills", {"startAt": begin_ms, "endAt": rig.now.wall_ns // 10**6})["data"]["items"]
    assert len(naive) == 5, "of a week at most"
    told, targets = read_fills(raw, begin_ns)
    assert len(told) == 6 and len(targets) == 3 and SPAN_MS == 7 * DAY_S * 1000
    assert {(fill.symbol, fill.qty) for fill in told} == {(SYMBOL, D(1)), (OTHER_SYMBOL, D(1))}
    page, names, calls = "", list[str](), 0
    while calls == 0 or page:
        call = raw.backend.ask_ended(raw.terms("x"), begin_ns, page, rig.now.wall_ns)
        assert call is not None
        _, reply = raw.read("ask_ended", call)
        names += [fact.venue_id for fact in reply.facts if isinstance(fact, OrderFact)]
        page, calls = reply.next_page, calls + 1
    assert set(names) == {"b1", "b3"} and calls == 3, "of the order's symbol"


def test_09_each_connection_has_a_token_of_its_own_and_ends_with_it(rig: Rig) -> None:
    def tokens() -> int:
        return len(rig.requests("bullet-private"))

    def opened() -> list[bytes]:
        return [data for target, data in rig.written if target == "websocket" and data.startswith(b"GET ")]

    assert tokens() == 1 and b"GET /endpoint?token=" in opened()[0]
    rig.world.ask("fault", kind="refuse", scope="websocket", count=1)
    rig.cut("websocket")
    rig.live()
    assert tokens() == 3, "one was called wrong"
    assert len(set(opened())) == 3
    rig.pass_time(DAY_S + 60, step_s=10)
    assert rig.live() and tokens() == 4, "it lives for a day"


def test_10_a_cancel_is_taken_and_perhaps_not_carried_out(rig: Rig, raw: RawClient, client: FixClient) -> None:
    client.order("a1", qty="10")
    rig.world.ask("fault", kind="silent", scope="fix", count=1)
    assert words(client.cancel("c1", "a1")) == []
    assert client.status("a1")[39] == "6"
    client.got.clear()
    rig.pass_time(6)
    assert words(client.got) == [("4", "4")] and client.got[0][11] == "c1"
    answer, reply = raw.read("cancel", raw.backend.cancel(raw.terms("a1"), rig.now.wall_ns))
    assert (answer["code"], reply.verdict) == ("100004", Verdict.ABSENT)


def test_11_what_may_not_take_is_taken_in_and_cancelled(rig: Rig, raw: RawClient, client: FixClient) -> None:
    rig.stranger("2", "10", "60000")
    answer, reply = raw.read("new", one(raw, "a1", post_only=True))
    assert answer["code"] == "200000" and reply.verdict is Verdict.DONE
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"
    assert words(client.order("a2", qty="10", more="18=6|")) == [("A", "A"), ("0", "0"), ("4", "4")]


def test_12_what_was_pushed_while_nobody_listened_is_not_pushed_again(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="10")
    rig.cut("websocket")
    rig.stranger("2", "10", "60000")
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")]


def test_13_a_push_of_the_book_is_one_price_with_the_book_s_next_number(rig: Rig, raw: RawClient) -> None:
    rig.stranger("2", "5", "65010.5")
    socket = SocketClient(rig, f"/contractMarket/level2:{SYMBOL}")
    assert socket.told() == [], "nothing has changed since"
    rig.stranger("2", "2", "65005")
    rig.stranger("1", "7", "64000")
    rig.pass_time(0.2)
    rows = [each["data"] for each in socket.told()]
    assert [row["change"] for row in rows] == ["65005,sell,2", "64000,buy,7"]
    assert rows[1]["sequence"] == rows[0]["sequence"] + 1
    _, answer, _ = raw.call(HttpCall("GET", f"/api/v1/level2/snapshot?symbol={SYMBOL}"))
    assert answer["data"]["asks"] == [["65005", 2], ["65010.5", 5]] and answer["data"]["bids"] == [["64000", 7]]
    assert answer["data"]["sequence"] == rows[1]["sequence"]


def test_14_what_a_contract_is_the_list_of_contracts_says_alone(rig: Rig, raw: RawClient) -> None:
    assert isinstance(raw.backend, ContractBackend)
    answer, reply = raw.read("ask_contracts", raw.backend.ask_contracts())
    row = answer["data"][0]
    assert (row["symbol"], row["multiplier"], row["baseCurrency"], row["lotSize"]) == (SYMBOL, 0.001, "XBT", 1)
    assert reply.contracts == {SYMBOL: CONTRACT, OTHER_SYMBOL: OTHER_CONTRACT}
    asked = {"clientOid": "a1", "symbol": SYMBOL, "side": "buy", "type": "limit", "price": "60000"}
    asked["marginMode"] = "CROSS"
    for size in ("1.5", 0, -1):
        assert signed(raw, "POST", "orders", {**asked, "size": size})["code"] == "100001", size
    assert "contracts are whole" in raw.backend.why_not(raw.terms("a1", order_qty=D("1.5")))
    (told,) = FixClient(rig).order("a2", qty="1.5")
    assert told[150] == "8" and "contracts are whole" in told[58] and rig.at_venue("a2") is None
    raw.call(one(raw, "a3", order_qty=D("3.0")))
    found = rig.at_venue("a3")
    assert found is not None and found["order_qty"] == "3"


def test_14_what_expires_or_is_inverse_is_another_contract(raw: RawClient) -> None:
    assert isinstance(raw.backend, ContractBackend)
    row = raw.call(raw.backend.ask_contracts())[1]["data"][0]

    def told(**fields: object) -> object:
        unread = {"symbol": "NEWUSDTM", "multiplier": None}
        body = msgspec.json.encode({"code": "200000", "data": [{**row, **fields}, unread]})
        found = raw.backend.read("ask_contracts", 200, body).contracts
        assert list(found) == [SYMBOL]
        return found[SYMBOL]

    assert told() == CONTRACT and told(expireDate=1_800_000_000_000) != CONTRACT
    assert told(isInverse=True, multiplier=-1) != CONTRACT and told(multiplier=0.01) != CONTRACT


def test_15_the_margin_of_an_order_is_isolated_where_none_is_given(rig: Rig, raw: RawClient) -> None:
    asked = {"clientOid": "a1", "symbol": SYMBOL, "side": "buy", "type": "limit", "size": 1, "price": "60000"}
    assert signed(raw, "POST", "orders", asked)["code"] == "330005"
    body = msgspec.json.decode(one(raw, "a1").body)
    assert body["marginMode"] == "CROSS" and "leverage" not in body
    refusal = b'{"code":"330005","msg":"The order\'s margin mode does not match the selected one."}'
    reply = raw.backend.read("new", 200, refusal)
    assert reply.verdict is Verdict.REFUSED and "margin mode" in reply.text, "the client is told why"


def test_16_what_only_reduces_is_filled_as_far_as_there_is_a_position(rig: Rig, client: FixClient) -> None:
    assert words(client.order("a1", side="2", qty="10", px="65000", more="18=E|")) == [("A", "A"), ("8", "8")]
    assert "300009" in client.got[-1][58], "there is nothing to reduce"
    client.order("a2", qty="2")
    rig.stranger("2", "2", "60000")
    told = client.order("a3", side="2", qty="5", px="60000", more="18=6 E|")
    assert words(told) == [("A", "A"), ("0", "0")] and told[-1][18] == "6 E"
    client.got.clear()
    rig.stranger("1", "5", "60000")
    assert words(client.got) == [("F", "1"), ("4", "4")] and client.got[0][32] == "2"
    assert rig.world.core.venue.state.accounts.position("desk", SYMBOL) == 0


def test_17_an_account_with_two_positions_in_a_contract_is_not_traded_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = [1]
    answer = lambda *_: {"code": "200000", "data": {"positionMode": modes[0]}}  # noqa: E731
    monkeypatch.setattr(KucoinFuturesRestApi, "_position_mode", answer)
    rig = futures_rig(tmp_path)
    rig.pass_time(2)
    status = rig.core.status(rig.now)
    assert status["state"] == "catching_up" and str(status["wrong_account"]).endswith("positionMode of this one is 1")
    assert words(FixClient(rig).order("a1", qty="10")) == [("8", "8")] and not rig.requests("v1/orders HTTP")
    modes[0] = 0
    rig.pass_time(31, step_s=0.5)
    assert rig.live().core.status(rig.now)["wrong_account"] == ""


def test_18_a_fee_of_contracts_is_in_what_they_are_settled_in(rig: Rig, raw: RawClient) -> None:
    for name, side, stranger in (("a1", "1", "2"), ("a2", "2", "1")):
        raw.call(one(raw, name, side=side, order_qty=D(10)))
        rig.stranger(stranger, "10", "60000")
    told, _ = read_fills(raw, rig.now.wall_ns - 10**9)
    assert [(fill.fee, fill.fee_asset) for fill in told] == [(D("0.48"), "USDT")] * 2, "0.0008 of 600"


def test_19_one_pool_and_what_is_barred_was_not_done(rig: Rig, raw: RawClient) -> None:
    raw.read("ask_order", asked(rig, "a1"))
    left = int(raw.headers["gw-ratelimit-remaining"])
    raw.read("new", one(raw, "a1"))
    assert int(raw.headers["gw-ratelimit-remaining"]) == left - 2 and raw.headers["gw-ratelimit-limit"] == "2000"
    rig.world.ask("fault", kind="barred", scope="rest", count=1)
    answer, reply = raw.read("new", one(raw, "a2"))
    assert answer["code"] == "429000" and reply.verdict is Verdict.REFUSED and rig.at_venue("a2") is None
    weights = {"orders": 2, "cancels": 1, "questions": 5}
    limits = {raw.backend.limit(what, SYMBOL) for what in ("new", "cancel", "ask_order", "ask_fills")}
    assert sum(limit.requests * weights[limit.name] for limit in limits) == 2000


def test_20_neither_fill_or_kill_nor_an_amendment_is_there(rig: Rig, raw: RawClient, client: FixClient) -> None:
    asked = {"clientOid": "a1", "symbol": SYMBOL, "side": "buy", "type": "limit", "size": 1, "price": "60000"}
    forced = {**asked, "marginMode": "CROSS", "timeInForce": "FOK"}
    assert signed(raw, "POST", "orders", forced)["code"] == "100001"
    (told,) = client.send("D", f"11=a2|55={SYMBOL}|54=1|38=10|40=2|44=60000|59=4|")
    assert told[150] == "8" and "TimeInForce(59)" in told[58] and rig.at_venue("a2") is None
    client.order("b1", qty="10")
    (told,) = client.amend("g1", "b1", "20", "58000")
    assert (told[35], told[39]) == ("9", "0") and "cancel it, and place another" in told[58]


def test_what_is_signed_is_the_venue_s_own(raw: RawClient) -> None:
    """The vectors of the sources: a key K, a secret S, a passphrase P."""
    sign = raw.backend._sign  # type: ignore[attr-defined]
    at_ns = 1_597_026_383_085 * 10**6
    headers = dict(sign("POST", "orders", {"text": "t-1"}, at_ns).headers)
    assert headers["KC-API-PASSPHRASE"] == "fQv7SravblumHpqG+O1AOj1c9fC9wYZZUoDPLDYnUZw="
    assert headers["KC-API-SIGN"] == "mlpcBrye919ntle0H0B0OkhKQ3vUyxIxQDEccKnkRK4="
    call = sign("GET", "position/getPositionMode", {}, at_ns)
    assert call.target == "/api/v2/position/getPositionMode"
    assert dict(call.headers)["KC-API-SIGN"] == "H/6s+LMzNBKJychrYm6+K9nuWAl0cbGr43Z0iyJ5EBk="
    assert not [name for name in headers if "PARTNER" in name]
