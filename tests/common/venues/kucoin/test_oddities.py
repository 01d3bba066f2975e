"""KuCoin's oddities by their numbers in its README: what a client that knows nothing of each goes wrong with."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

from common.messages import ControlRequest
from common.venues.backend import FillFact, HttpCall, OrderFact, Push, Verdict
from common.venues.families.kucoin.backend import SPAN_MS
from common.venues.kucoin.simulated.websocket import BOOK
from tests.common.venues.kucoin.rig import OTHER_SYMBOL, SYMBOL, RawClient, backend, kucoin_rig
from tests.services.bridge.rig import FixClient, Rig, words

D = Decimal
DAY_S = 86_400


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return kucoin_rig(tmp_path).live()


@pytest.fixture
def raw(rig: Rig) -> RawClient:
    return RawClient(rig)


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def asked(rig: Rig, name: str) -> Any:
    """The order by our id."""
    return rig.backend.ask_order(RawClient(rig).terms(name), "", rig.now.wall_ns)


def pushed(kind: str, **fields: Any) -> OrderFact:
    """What our back end makes of a push."""
    row = {
        "symbol": SYMBOL, "orderType": "limit", "side": "buy", "orderId": "67a", "clientOid": "a1", "type": kind,
        "status": "open", "size": "0.1", "filledSize": "0", "remainSize": "0.1", "canceledSize": "0", "price": "60000",
        "ts": 1_767_225_600_000_000_000, **fields,
    }  # fmt: skip
    push = {"type": "message", "topic": "/spotMarket/tradeOrdersV2", "subject": "orderChange", "data": row}
    what, (fact,) = backend().read_push(msgspec.json.encode(push).decode())
    assert what is Push.OTHER and isinstance(fact, OrderFact)
    return fact


def test_01_a_refusal_comes_with_status_200(raw: RawClient) -> None:
    status, answer, _ = raw.call(raw.order("a1", order_qty=D(90)))
    assert (status, answer["code"]) == (200, "200004")
    assert raw.read("new", raw.order("a1", order_qty=D(90)))[1].verdict is Verdict.REFUSED
    _, reply = raw.read("new", raw.order("a1", order_qty=D("0.000001")))
    assert (reply.verdict, reply.code) == (Verdict.REFUSED, "400100")
    raw.call(raw.order("a1"))
    _, reply = raw.read("new", raw.order("a1"))
    assert (reply.verdict, reply.code) == (Verdict.UNKNOWN, "400100"), "the venue has an order of that id"
    _, reply = raw.read("cancel", raw.backend.cancel(raw.terms("nosuch"), raw.rig.now.wall_ns))
    assert (reply.verdict, reply.code) == (Verdict.ABSENT, "400100")


def test_02_no_such_order_is_null_and_no_refusal(rig: Rig, raw: RawClient) -> None:
    answer, reply = raw.read("ask_order", asked(rig, "nosuch"))
    assert answer == {"code": "200000", "data": None} and reply.verdict is Verdict.ABSENT


@pytest.mark.parametrize("kind", ["lost", "unknown"])
def test_03_a_code_says_that_nobody_knows(rig: Rig, raw: RawClient, kind: str) -> None:
    rig.world.ask("fault", kind=kind, scope="rest", count=1)
    answer, reply = raw.read("new", raw.order("a1"))
    assert answer["code"] == "500000" and reply.verdict is Verdict.UNKNOWN
    assert (rig.at_venue("a1") is not None) is (kind == "unknown")


def test_03_a_timeout_at_the_venue_is_no_refusal() -> None:
    body = b'{"code":"408000","msg":"Network timeout, please try again later"}'
    assert backend().read("new", 200, body).verdict is Verdict.UNKNOWN


def test_04_no_word_says_how_an_order_ended(rig: Rig, raw: RawClient, client: FixClient) -> None:
    for name in ("a1", "a2", "a3"):
        client.order(name)
    rig.stranger("2", "0.14", "60000")
    client.cancel("c2", "a2")
    told = [raw.read("ask_order", asked(rig, name)) for name in ("a1", "a2", "a3")]
    assert [answer["data"]["active"] for answer, _ in told] == [False, False, True]
    assert not {"status", "state"} & set(told[0][0]["data"])
    assert [reply.facts[0].ord_status for _, reply in told] == ["2", "4", "0"]  # type: ignore[union-attr]


def test_05_the_last_moment_is_counted_from_the_stamp_of_the_signature(rig: Rig, raw: RawClient) -> None:
    now_ns = rig.now.wall_ns
    call = raw.backend.new(raw.terms("a1"), now_ns, now_ns + 10**9)
    body, headers = msgspec.json.decode(call.body), dict(call.headers)
    assert (body["clientTimestamp"], body["allowMaxTimeWindow"]) == (now_ns // 10**6, 1000)
    assert headers["KC-API-TIMESTAMP"] == str(body["clientTimestamp"])
    rig.pass_time(1.1)
    answer, reply = raw.read("new", call)
    assert answer["code"] == "400100" and reply.verdict is Verdict.REFUSED and rig.at_venue("a1") is None
    # Our clock is two seconds ahead: the venue's last moment is in our past, and holds all the same.
    ahead_ns = rig.now.wall_ns + 2 * 10**9
    for name, last_ns, verdict in (("a2", 10**8, Verdict.DONE), ("a3", -(10**8), Verdict.REFUSED)):
        call = raw.backend.new(raw.terms(name), ahead_ns, rig.now.wall_ns + last_ns)
        assert raw.read("new", call)[1].verdict is verdict


def test_06_the_fee_of_a_push_is_asked_for_at_once(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    before = len(rig.requests("hf/fills"))
    client.got.clear()
    rig.stranger("2", "0.04", "60000")
    (told,) = client.got
    assert (told[150], told[32], told[137], told[138]) == ("F", "0.04", "1.92", "USDT")
    assert len(rig.requests("hf/fills")) == before + 1
    assert pushed("match", filledSize="0.04", tradeId="1", matchSize="0.04", matchPrice="60000").cum_qty == D("0.04")


def test_06_an_end_waits_for_what_the_fills_cost(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.deaf = True
    rig.stranger("2", "0.1", "60000")
    assert words(client.got)[-1] == ("0", "0"), "the push said that it is full, and no fill is known"
    rig.deaf = False
    rig.pass_time(12)
    assert words(client.got)[-1] == ("F", "2") and client.got[-1][137] == "4.8"


def test_07_a_fill_names_the_venue_s_id_alone(rig: Rig, raw: RawClient, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    answer, reply = raw.read("ask_fills", raw.backend.ask_fills(rig.now.wall_ns - 10**9, "", rig.now.wall_ns))
    (row,) = answer["data"]["items"]
    assert "clientOid" not in row and len(row["orderId"]) == 24
    (fact,) = reply.facts
    assert isinstance(fact, FillFact) and (fact.venue_id, fact.order_id) == ("", row["orderId"])


def test_07_an_order_that_is_not_there_is_looked_for_among_those_that_have_ended(rig: Rig, client: FixClient) -> None:
    rig.world.ask("fault", kind="lost", scope="rest", count=1)
    client.order("a1")
    client.order("a2")
    client.cancel("c2", "a2")
    rig.pass_time(6)
    assert (client.got[-1][11], client.got[-1][150], client.got[-1][103]) == ("a1", "8", "99")
    assert len(rig.requests("hf/orders/done")) == 1


def test_08_orders_and_fills_are_told_of_one_symbol_at_a_time(rig: Rig, raw: RawClient) -> None:
    answer, _ = raw.read("ask_open", raw.backend._sign("GET", "hf/orders/active", {}, rig.now.wall_ns))  # type: ignore[attr-defined]
    assert answer["code"] == "400100"
    pages: list[str] = []
    page = ""
    while not pages or page:
        _, reply = raw.read("ask_open", raw.backend.ask_open(page, rig.now.wall_ns))
        pages.append(page)
        page = reply.next_page
    assert pages == ["", OTHER_SYMBOL]
    sent = [data.split(b" ")[1] for data in rig.requests("hf/orders/active")]
    assert [b"BTC-USDT" in sent[0], b"ETH-USDT" in sent[1]] == [True, True]


def test_09_fills_are_asked_for_span_by_span_and_page_by_page(rig: Rig, raw: RawClient, client: FixClient) -> None:
    begin_ns = rig.now.wall_ns
    client.order("a1", qty="2")
    for _ in range(120):
        rig.stranger("2", "0.001", "60000")
    rig.pass_time(8 * DAY_S, step_s=DAY_S / 2)
    rig.live()
    rig.stranger("2", "0.003", "60000")
    naive = raw.backend._sign("GET", "hf/fills", {"symbol": SYMBOL, "startAt": begin_ns // 10**6}, rig.now.wall_ns)  # type: ignore[attr-defined]
    assert "0.003" not in {row["size"] for row in raw.call(naive)[1]["data"]["items"]}, "it is beyond the seven days"
    qtys, page, calls = [], "", 0
    while not calls or page:
        _, reply = raw.read("ask_fills", raw.backend.ask_fills(begin_ns, page, rig.now.wall_ns))
        assert reply.verdict is Verdict.DONE
        qtys += [fact.qty for fact in reply.facts if isinstance(fact, FillFact)]
        page, calls = reply.next_page, calls + 1
    assert sum(qtys) == D("0.123") and len(qtys) == 121
    assert calls == 5, "two pages of the first week, the second week, and the other symbol's two"
    assert 8 * DAY_S * 1000 > SPAN_MS


def test_10_each_connection_has_a_token_of_its_own_and_ends_with_it(rig: Rig) -> None:
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


def test_10_a_socket_that_is_elsewhere_than_configured_is_not_opened(tmp_path: Path) -> None:
    rig = kucoin_rig(tmp_path)
    venue = rig.world.core.venue
    venue.settings = msgspec.structs.replace(venue.settings, websocket_url="ws://elsewhere/endpoint")
    rig.pass_time(3)
    assert rig.core.status(rig.now)["state"] == "catching_up"
    assert "elsewhere" in str([note.fields for note in rig.notes if note.event == "websocket_not_opened"][0])


def test_11_an_amendment_is_a_cancel_and_another_order(rig: Rig, raw: RawClient, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.04", "60000")
    before = raw.read("ask_order", asked(rig, "a1"))[0]["data"]
    alter = {"symbol": SYMBOL, "clientOid": "a1", "newSize": "0.3", "newPrice": "59000"}
    answer, _ = raw.read("new", raw.backend._sign("POST", "hf/orders/alter", alter, rig.now.wall_ns))  # type: ignore[attr-defined]
    after = raw.read("ask_order", asked(rig, "a1"))[0]["data"]
    assert answer["data"]["newOrderId"] == after["id"] != before["id"]
    assert (after["clientOid"], after["size"], after["dealSize"], after["price"]) == ("a1", "0.26", "0", "59000")
    # Whoever reads the size as that of the order that he placed is 0.04 short. Here somebody did it by hand, behind us.
    assert words(client.got)[-2:] == [("F", "1"), ("4", "4")]
    alarms = [note.fields["text"] for note in rig.notes if note.level == "error"]
    assert alarms == [f"a1 of DESK is over, and the venue has {after['id']} under its id"]
    client.order("b1")
    (told,) = client.amend("g1", "b1", "0.4", "58000")
    assert (told[35], told[39]) == ("9", "0") and "cancel it, and place another" in told[58]
    assert not rig.requests("hf/orders/alter")
    rig.core.received("control", b"me", ControlRequest("kill", b"{}"), rig.now)
    rig.pass_time(40)
    assert rig.world.core.venue.state.open_orders("desk", SYMBOL) == [], "the kill takes that one, too"


def test_12_a_cancel_is_taken_and_perhaps_not_carried_out(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.world.ask("fault", kind="silent", scope="fix", count=1)
    assert words(client.cancel("c1", "a1")) == []
    assert client.status("a1")[39] == "6"
    client.got.clear()
    rig.pass_time(6)
    assert words(client.got) == [("4", "4")] and client.got[0][11] == "c1"


def test_13_what_may_not_take_is_taken_in_and_cancelled(rig: Rig, raw: RawClient, client: FixClient) -> None:
    rig.stranger("2", "1", "60000")
    answer, reply = raw.read("new", raw.order("a1", post_only=True))
    assert answer["code"] == "200000" and reply.verdict is Verdict.DONE
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"
    assert words(client.order("a2", more="18=6|")) == [("A", "A"), ("0", "0"), ("4", "4")]


def test_14_what_was_pushed_while_nobody_listened_is_not_pushed_again(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.cut("websocket")
    rig.stranger("2", "0.1", "60000")
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")]


def test_15_the_fee_of_a_buy_is_in_the_quote_asset(rig: Rig, raw: RawClient, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    row = raw.read("ask_order", asked(rig, "a1"))[0]["data"]
    assert (row["fee"], row["feeCurrency"], row["side"]) == ("4.8", "USDT", "buy")


def test_16_the_book_begins_without_a_snapshot(rig: Rig, raw: RawClient) -> None:
    rig.stranger("2", "0.5", "65010.5")
    socket = _Socket(rig, raw)
    assert socket.told == [], "nothing has changed since"
    rig.stranger("2", "0.2", "65005")
    rig.pass_time(0.2)
    (change,) = socket.told
    assert [row[:2] for row in change["changes"]["asks"]] == [["65005", "0.2"]]
    _, answer, _ = raw.call(HttpCall("GET", f"/api/v1/market/orderbook/level2_20?symbol={SYMBOL}"))
    assert answer["data"]["asks"] == [["65005", "0.2"], ["65010.5", "0.5"]]
    assert int(answer["data"]["sequence"]) == change["sequenceEnd"]


class _Socket:
    """A public connection that listens to the book."""

    def __init__(self, rig: Rig, raw: RawClient) -> None:
        self._rig = rig
        call = HttpCall("POST", "/api/v1/bullet-public", (("Content-Length", "0"),))
        token = raw.call(call)[1]["data"]["token"]
        self._ws, world = WSConnection(ConnectionType.CLIENT), rig.world
        world.connections += 1
        self._number = world.connections
        self._far = world.raw_clients[self._number] = type("Wire", (), {"wire": b""})()
        world.core.accepted(self._number, "websocket", rig.now)
        self._send(self._ws.send(Request(host="kucoin", target=f"/endpoint?token={token}")))
        assert [each["type"] for each in self._messages()] == ["welcome"]
        asked = {"id": "1", "type": "subscribe", "topic": f"{BOOK}{SYMBOL}", "response": True}
        self._send(self._ws.send(TextMessage(msgspec.json.encode(asked).decode())))
        assert [each["type"] for each in self._messages()] == ["ack"]

    def _send(self, data: bytes) -> None:
        self._rig.world.core.data(self._number, data, self._rig.now)
        self._rig.pump()

    def _messages(self) -> list[Any]:
        data, self._far.wire = self._far.wire, b""
        self._ws.receive_data(data)
        return [msgspec.json.decode(e.data) for e in self._ws.events() if isinstance(e, TextMessage)]

    @property
    def told(self) -> list[Any]:
        """The changes that were pushed."""
        return [each["data"] for each in self._messages() if each.get("subject") == "trade.l2update"]


def test_17_one_pool_and_what_is_barred_was_not_done(rig: Rig, raw: RawClient) -> None:
    raw.read("ask_order", asked(rig, "a1"))
    left = int(raw.headers["gw-ratelimit-remaining"])
    raw.read("new", raw.order("a1"))
    assert int(raw.headers["gw-ratelimit-remaining"]) == left - 1 and raw.headers["gw-ratelimit-limit"] == "4000"
    rig.world.ask("fault", kind="barred", scope="rest", count=1)
    answer, reply = raw.read("new", raw.order("a2"))
    assert answer["code"] == "429000" and reply.verdict is Verdict.REFUSED and rig.at_venue("a2") is None
    limits = {raw.backend.limit(what, SYMBOL) for what in ("new", "cancel", "ask_order", "ask_fills")}
    assert sum(limit.requests * (2 if limit.name == "questions" else 1) for limit in limits) == 4000


def test_what_is_signed_is_the_venue_s_own(raw: RawClient) -> None:
    """The vectors of the sources: a key K, a secret S, a passphrase P."""
    sign = raw.backend._sign  # type: ignore[attr-defined]
    at_ns = 1_597_026_383_085 * 10**6
    headers = dict(sign("POST", "hf/orders", {"text": "t-1"}, at_ns).headers)
    assert headers["KC-API-SIGN"] == "Di1HplMwk7D9i8eT94UpiGyC/RjiOFFg6az5CqwoAug="
    assert headers["KC-API-PASSPHRASE"] == "fQv7SravblumHpqG+O1AOj1c9fC9wYZZUoDPLDYnUZw="
    call = sign("GET", "hf/orders/client-order/{clientOid}", {"clientOid": "a1", "symbol": "BTC-USDT"}, at_ns)
    assert dict(call.headers)["KC-API-SIGN"] == "3j3P846p/SA6YFtqtbHU3RXOhgRmNQFpJns7UJJHAYA="
    assert not [name for name in headers if "PARTNER" in name]
