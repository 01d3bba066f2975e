"""Gate.io's oddities by their numbers in its README: what a client that knows nothing of each goes wrong with."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.fix.wire import utc_timestamp
from common.messages import ControlRequest
from common.venues.backend import AmendFact, AmendingBackend, BookBackend, BookFact, FillFact, OrderFact, Push, Verdict
from common.venues.gateio.simulated.rest import GateioSpotRestApi
from services.bridge.prices import PricedBook
from tests.common.venues.gateio.rig import SYMBOL, backend, gateio_rig
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import FixClient, Rig, words

D = Decimal
DAY_S = 24 * 3600


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return gateio_rig(tmp_path).live()


@pytest.fixture
def raw(rig: Rig) -> Raw:
    return Raw(rig)


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def test_01_an_id_begins_with_a_prefix_and_has_28_signs(rig: Rig, raw: Raw, client: FixClient) -> None:
    call = raw.order("a.1_b-2")
    assert b'"text":"t-a.1_b-2"' in call.body
    assert raw.call(call)[1]["text"] == "t-a.1_b-2"
    for name in ("a" * 29, "a b", "a/b"):
        assert not raw.backend.takes_id(name)
        assert raw.call(raw.order(name))[1]["label"] == "INVALID_PARAM_VALUE"
    assert raw.backend.takes_id("a" * 28)
    # What was placed by hand has no id of ours, and the kill switch cancels it by the venue's.
    by_hand = {"currency_pair": SYMBOL, "side": "buy", "amount": "1", "price": "60000"}
    answer = raw.call(raw.backend._sign("POST", "orders", by_hand, rig.now.wall_ns))[1]  # type: ignore[attr-defined]
    assert answer["text"] == "apiv4"
    # A client's longer name is mapped to an id that the venue takes.
    assert words(client.order("b" * 29)) == [("A", "A"), ("0", "0")]
    rig.core.received("control", b"me", ControlRequest("kill", msgspec.json.encode({})), rig.now)
    rig.pass_time(2)
    assert raw.call(raw.backend.ask_open("", rig.now.wall_ns))[1] == []


def test_02_an_id_finds_an_order_only_while_it_is_open(rig: Rig, raw: Raw, client: FixClient) -> None:
    """Whoever takes "not found" for never there loses what has ended: its answer lost, its pushes too."""
    rig.deaf = rig.hush = True
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    client.order("a2", px="59000")
    rig.world.ask("cancel", cl_ord_id="a2")
    rig.deaf = False
    status, answer, body = raw.call(raw.backend.ask_order(raw.terms("a1"), "", rig.now.wall_ns))
    assert (status, answer["label"]) == (404, "ORDER_NOT_FOUND")
    assert raw.backend.read("ask_order", status, body).verdict is Verdict.ABSENT
    client.got.clear()
    rig.pass_time(12)
    assert words([each for each in client.got if each[11] == "a1"]) == [("0", "0"), ("F", "2")]
    assert words([each for each in client.got if each[11] == "a2"]) == [("0", "0"), ("4", "4")]
    # By the venue's own id it is found whatever has become of it.
    row = rig.at_venue("a1")
    assert row is not None
    status, _, body = raw.call(raw.backend.ask_order(raw.terms("a1"), str(row["order_id"]), rig.now.wall_ns))
    (fact,) = raw.backend.read("ask_order", status, body).facts
    assert isinstance(fact, OrderFact) and (fact.ord_status, fact.cum_qty) == ("2", D("0.1"))


@pytest.mark.parametrize("kind", ["lost", "unknown"])
def test_03_a_status_from_500_on_says_that_nobody_knows(rig: Rig, raw: Raw, kind: str) -> None:
    rig.world.ask("fault", kind=kind, scope="rest", count=1)
    status, answer, body = raw.call(raw.order("a1"))
    assert (status, answer["label"]) == (500, "INTERNAL")
    assert raw.backend.read("new", status, body).verdict is Verdict.UNKNOWN
    assert (rig.at_venue("a1") is not None) is (kind == "unknown")
    for label, verdict in (("TOO_BUSY", Verdict.UNKNOWN), ("BALANCE_NOT_ENOUGH", Verdict.REFUSED)):
        body = msgspec.json.encode({"label": label, "message": ""})
        assert raw.backend.read("new", 400, body).verdict is verdict


def test_04_new_orders_and_amendments_count_together_and_cancels_apart(rig: Rig, raw: Raw, client: FixClient) -> None:
    for n in range(9):
        assert raw.call(raw.order(f"a{n}", order_qty=D("0.001")))[0] == 201
    assert raw.headers["x-gate-ratelimit-requests-remain"] == "1"
    assert isinstance(raw.backend, AmendingBackend)
    amend = raw.backend.amend(raw.terms("a1", order_qty=D("0.002")), "r1", rig.now.wall_ns, rig.now.wall_ns + 10**9)
    assert raw.call(amend)[0] == 200
    status, answer, body = raw.call(raw.order("a10"))
    assert (status, answer["label"]) == (429, "TOO_MANY_REQUESTS")
    assert raw.backend.read("new", status, body).verdict is Verdict.REFUSED
    assert raw.call(raw.backend.cancel(raw.terms("a1"), rig.now.wall_ns))[0] == 200
    rig.pass_time(1.1)
    # The bridge keeps within its part of both together, and what it holds back is not lost.
    last = f"62={utc_timestamp(rig.now.wall_ns + 2 * 10**9).decode()}|"
    told = [client.order(f"b{n}", qty="0.001", more=last) for n in range(9)]
    assert [words(each)[-1] for each in told] == [("0", "0")] * 8 + [("A", "A")]
    client.got.clear()
    rig.pass_time(1.1)
    assert words(client.got) == [("0", "0")]


def test_05_the_last_moment_is_not_signed(rig: Rig, raw: Raw, client: FixClient) -> None:
    call = raw.order("a1")
    late = str(rig.now.wall_ns // 10**6 - 1)
    headers = tuple((name, late if name == "x-gate-exptime" else text) for name, text in call.headers)
    status, answer, body = raw.call(call._replace(headers=headers))
    assert (status, answer["label"]) == (400, "REQUEST_EXPIRED") and rig.at_venue("a1") is None
    assert raw.backend.read("new", status, body).verdict is Verdict.REFUSED
    client.order("a2")
    client.amend("a3", "a2", "0.2", "61000")
    (amended,) = [data for data in rig.requests("spot/orders/t-a2") if data.startswith(b"PATCH")]
    assert b"x-gate-exptime" in amended


def test_06_an_amendment_to_what_is_filled_cancels(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.04", "60000")
    told = client.amend("a2", "a1", "0.04", "60000")
    assert words(told) == [("4", "4"), ("9", "4")] and told[0][14] == "0.04"


def test_07_a_post_only_order_that_would_take_is_refused(rig: Rig, raw: Raw) -> None:
    rig.stranger("2", "1", "60000")
    status, answer, body = raw.call(raw.order("a1", post_only=True))
    assert (status, answer["label"]) == (400, "POC_FILL_IMMEDIATELY") and rig.at_venue("a1") is None
    assert raw.backend.read("new", status, body).verdict is Verdict.REFUSED


def test_08_the_amount_of_a_market_order_to_buy_is_in_the_quote_asset(rig: Rig, raw: Raw, client: FixClient) -> None:
    rig.stranger("2", "1", "60000")
    call = raw.order("a1", ord_type="1", price=None, time_in_force="3", order_qty=D("600"))
    answer = raw.call(call)[1]
    assert (answer["amount"], answer["filled_amount"], answer["filled_total"]) == ("600", "0.01", "600")
    buys, sells = (f"11=m{side}|55={SYMBOL}|54={side}|38=0.1|40=1|59=3|" for side in "12")
    (told,) = client.send("D", buys)
    assert (told[150], told[103]) == ("8", "99") and "quote asset" in told[58]
    rig.stranger("1", "1", "59000")
    assert words(client.send("D", sells))[-1] == ("F", "2")


def test_09_fills_by_time_are_those_of_orders_that_have_ended(rig: Rig, raw: Raw, client: FixClient) -> None:
    """Whoever reads fills by time alone never hears of what an open order was filled while nobody listened."""
    client.order("a1")
    rig.hush = True
    rig.stranger("2", "0.04", "60000")
    assert raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))[1] == []
    client.got.clear()
    rig.hush = False
    rig.cut("websocket")
    rig.live()
    rig.pass_time(1)
    assert words(client.got) == [("F", "1")] and client.got[0][32] == "0.04"


def test_10_a_span_of_time_has_7_days_where_it_names_its_beginning_alone_and_30_at_most(
    rig: Rig, raw: Raw, client: FixClient
) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    now_s = rig.now.wall_ns // 10**9

    def fills(**span: int) -> Any:
        asked = {"account": "spot", **{name.strip("_"): str(at) for name, at in span.items()}}
        return raw.call(raw.backend._sign("GET", "my_trades", asked, rig.now.wall_ns))[1]  # type: ignore[attr-defined]

    assert len(fills()) == 1 and fills(from_=now_s - 8 * DAY_S) == []
    assert fills(from_=now_s - 31 * DAY_S, to=now_s)["label"] == "INVALID_PARAM_VALUE"
    # Ours names both, however long ago what it looks for was.
    assert len(raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))[1]) == 1
    assert len(raw.call(raw.backend.ask_ended(raw.terms("a1"), 0, "", rig.now.wall_ns))[1]) == 1  # type: ignore[arg-type]


def test_11_an_account_trades_with_itself(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1", side="2", px="60000")
    client.order("a2", side="1", px="60000")
    fills = [each for each in client.got if each.get(150) == "F"]
    told = {(each[11], each[1003], each[17]) for each in fills}
    assert len(fills) == 2 and len({names[2] for names in told}) == 2 and len({names[1] for names in told}) == 1
    asked = {"text": "t-b1", "currency_pair": SYMBOL, "side": "buy", "amount": "1", "price": "60000", "stp_act": "cn"}
    call = raw.backend._sign("POST", "orders", asked, rig.now.wall_ns)  # type: ignore[attr-defined]
    assert raw.call(call)[1]["label"] == "INVALID_PARAM_VALUE"


def test_12_a_fee_may_stand_in_three_fields(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    status, (row,), body = raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))
    assert (row["fee"], row["fee_currency"], row["gt_fee"], row["point_fee"]) == ("0.00008", "BTC", "0", "0")
    for fields, fee, asset in (
        ({}, "0.00008", "BTC"), ({"fee": "0", "gt_fee": "0.5"}, "0.5", "GT"),
        ({"fee": "0", "point_fee": "1.5"}, "1.5", "POINT"),
    ):  # fmt: skip
        read = raw.backend.read("ask_fills_of", status, msgspec.json.encode([{**row, **fields}]))
        (fill,) = read.facts
        assert isinstance(fill, FillFact) and (fill.fee, fill.fee_asset) == (D(fee), asset)


def test_13_each_private_channel_is_signed_by_itself(rig: Rig, raw: Raw, client: FixClient) -> None:
    """Nothing is up before both are, and what was pushed while nobody listened is not pushed again."""
    now_ns = rig.now.wall_ns
    asked = [msgspec.json.decode(text) for text in (raw.backend.login(now_ns), raw.backend.subscribe(now_ns))]
    assert [each["channel"] for each in asked] == ["spot.usertrades", "spot.orders"]
    assert asked[0]["auth"]["SIGN"] != asked[1]["auth"]["SIGN"]
    for channel, push in (("spot.usertrades", Push.LOGGED_IN), ("spot.orders", Push.SUBSCRIBED)):
        told = {"channel": channel, "event": "subscribe", "result": {"status": "success"}}
        assert raw.backend.read_push(msgspec.json.encode(told).decode()) == (push, ())
        refused = {**told, "error": {"code": 4, "message": "{}"}, "result": {"status": "fail"}}
        assert raw.backend.read_push(msgspec.json.encode(refused).decode()) == (Push.REFUSED, ())
    client.order("a1")
    rig.cut("websocket")
    rig.stranger("2", "0.1", "60000")
    client.got.clear()
    rig.live()
    rig.pass_time(1)
    assert words(client.got) == [("F", "2")]


@pytest.mark.parametrize(
    ("event", "finish_as", "word"),
    [("put", "open", "0"), ("update", "open", "0"), ("finish", "filled", "2"), ("finish", "ioc", "4")],
)
def test_14_a_push_of_an_order_has_no_status(raw: Raw, event: str, finish_as: str, word: str) -> None:
    row = {
        "id": "7", "text": "t-a1", "currency_pair": SYMBOL, "amount": "0.1", "price": "200", "left": "0.06",
        "update_time_ms": "1774613210391", "event": event, "finish_as": finish_as, "amend_text": "r1",
    }  # fmt: skip
    told = {"channel": "spot.orders", "event": "update", "result": [row]}
    push, facts = raw.backend.read_push(msgspec.json.encode(told).decode())
    assert push is Push.OTHER and facts == (
        AmendFact("a1", "r1", True, ""),
        OrderFact("a1", "7", SYMBOL, word, D("0.1"), D(200), D("0.04"), 1_774_613_210_391_000_000),
    )


def test_15_a_page_of_open_orders_holds_so_many_of_each_pair(rig: Rig, raw: Raw) -> None:
    call = raw.backend.ask_open("", rig.now.wall_ns)
    told = {"id": "7", "text": "t-a1", "currency_pair": SYMBOL, "status": "open"}
    row = {**told, "amount": "1", "left": "1", "price": "9"}
    few, many = {"orders": [row] * 60}, {"orders": [row] * 100}
    for pairs, page in (([few, few], ""), ([few, many], "2"), ([], "")):
        assert raw.backend.read("ask_open", 200, msgspec.json.encode(pairs), call).next_page == page
    for n in range(101):
        terms = {"symbol": SYMBOL, "side": "1", "qty": "0.001", "price": "60000"}
        rig.world.ask("place", account="desk", cl_ord_id=f"a{n}", **terms)
    (first,) = raw.call(call)[1]
    (second,) = raw.call(raw.backend.ask_open("2", rig.now.wall_ns))[1]
    assert (len(first["orders"]), len(second["orders"]), first["total"]) == (100, 1, 101)


def test_16_a_unified_account_is_not_traded_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mode = [2]
    monkeypatch.setattr(GateioSpotRestApi, "_detail", lambda *_: {"user_id": 1, "key": {"mode": mode[0]}})
    rig = gateio_rig(tmp_path)
    rig.pass_time(2)
    status, client = rig.core.status(rig.now), FixClient(rig)
    assert status["state"] == "catching_up" and "unified account" in str(status["wrong_account"])
    (told,) = client.order("a1")
    assert (told[150], told[39]) == ("8", "8") and "unified account" in told[58]
    assert [note.event for note in rig.notes if note.level == "error"] == ["wrong_account"]
    assert not rig.requests("spot/open_orders")
    mode[0] = 1
    rig.pass_time(31)
    assert words(client.order("a2")) == [("A", "A"), ("0", "0")]


def test_17_a_book_s_push_has_the_numbers_of_its_first_change_and_its_last() -> None:
    venue, book = backend(), PricedBook(SYMBOL, lambda bids, offers: "")
    assert isinstance(venue, BookBackend)

    def learn(numbers: str) -> str:
        head = f'{{"channel":"spot.obu","event":"update","result":{{"s":"ob.{SYMBOL}.400","a":[["60000","1"]],'
        _, (fact,) = venue.read_prices(f"{head}{numbers}}}}}")
        assert isinstance(fact, BookFact)
        return book.learn(fact)

    assert learn('"full":true,"u":10') == "" and book.is_known
    assert learn('"U":11,"u":14') == "" == learn('"U":15,"u":15')
    assert learn('"U":18,"u":19') == "changes 16 to 17 are missing"
