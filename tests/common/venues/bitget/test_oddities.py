"""Bitget's oddities by their numbers in its README: what a client that knows nothing of each goes wrong with."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from common.exchange.order import LIMIT, Terms
from common.venues.backend import (
    AmendingBackend,
    ContractBackend,
    FillFact,
    ModedBackend,
    OrderFact,
    Push,
    Reply,
    Verdict,
)
from common.venues.bitget.rest import BitgetRest
from common.venues.bitget.simulated.websocket import book_sum
from tests.common.venues.bitget.perpetual_rig import CONTRACT, PERPETUAL, contracts_backend, contracts_rig
from tests.common.venues.bitget.rig import SYMBOL, backend, bitget_rig
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import FixClient, Rig, words

D = Decimal
HOUR_S = 3600


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return bitget_rig(tmp_path).live()


@pytest.fixture
def raw(rig: Rig) -> Raw:
    return Raw(rig)


@pytest.fixture
def contracts(tmp_path: Path) -> Rig:
    """With a perpetual, which orders are for."""
    return contracts_rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def read(raw: Raw, what: str, call: Any) -> tuple[Any, Reply]:
    """The answer, and what our back end makes of it."""
    status, answer, body = raw.call(call)
    return answer, raw.backend.read(what, status, body, call)


def post(raw: Raw, path: str, **asked: str) -> Any:
    """The data of the answer to what only a person asks for."""
    return signed(raw, "POST", f"v2/spot/trade/{path}", asked)


def signed(raw: Raw, method: str, path: str, asked: dict[str, str]) -> Any:
    call = raw.backend._sign(method, path, asked, raw.rig.now.wall_ns)  # type: ignore[attr-defined]
    return raw.call(call)[1]


def asked(raw: Raw, name: str, order_id: str = "") -> Any:
    return raw.backend.ask_order(raw.terms(name), order_id, raw.rig.now.wall_ns)


def pushed(**fields: Any) -> tuple[Any, ...]:
    """What our back end makes of a push."""
    row = {
        "instId": SYMBOL, "orderId": "7", "clientOid": "a1", "price": "60000", "size": "6000", "newSize": "0.1",
        "notional": "6000", "orderType": "limit", "side": "buy", "status": "live", "accBaseVolume": "0", "tradeId": "",
        "uTime": "1767225600000", **fields,
    }  # fmt: skip
    arg = {"instType": "SPOT", "channel": "orders", "instId": SYMBOL}
    what, facts = backend().read_push(msgspec.json.encode({"action": "snapshot", "arg": arg, "data": [row]}).decode())
    assert what is Push.OTHER
    return facts


def test_01_no_such_order_is_an_empty_list(raw: Raw) -> None:
    answer, reply = read(raw, "ask_order", asked(raw, "nosuch"))
    assert (answer["code"], answer["data"], reply.verdict) == ("00000", [], Verdict.ABSENT)


@pytest.mark.parametrize("kind", ["lost", "unknown"])
def test_02_some_codes_with_status_400_say_that_nobody_knows(rig: Rig, raw: Raw, kind: str) -> None:
    rig.world.ask("fault", kind=kind, scope="rest", count=1)
    call = raw.order("a1")
    status, answer, body = raw.call(call)
    assert (status, answer["code"]) == (400, "45001")
    assert raw.backend.read("new", status, body, call).verdict is Verdict.UNKNOWN
    assert (rig.at_venue("a1") is not None) is (kind == "unknown")
    unknown, refused = Verdict.UNKNOWN, Verdict.REFUSED
    codes = {"43118": unknown, "40010": unknown, "40015": unknown, "43012": refused, "429": refused}
    for code, verdict in codes.items():
        body = msgspec.json.encode({"code": code, "msg": "", "data": None})
        assert raw.backend.read("new", 400, body).verdict is verdict


def test_03_the_last_moment_stands_in_the_body(rig: Rig, raw: Raw) -> None:
    call = raw.order("a1")
    body = msgspec.json.decode(call.body)
    assert (body["requestTime"], body["receiveWindow"]) == (str(rig.now.wall_ns // 10**6), "1000")
    rig.pass_time(1.1)
    answer, reply = read(raw, "new", call)
    assert answer["code"] == "40008" and reply.verdict is Verdict.REFUSED and rig.at_venue("a1") is None
    # Our clock is two seconds ahead: the venue's last moment is in our past, and holds all the same.
    ahead_ns = rig.now.wall_ns + 2 * 10**9
    for name, last_ns, verdict in (("a2", 10**8, Verdict.DONE), ("a3", -(10**8), Verdict.REFUSED)):
        late = raw.backend.new(raw.terms(name), ahead_ns, rig.now.wall_ns + last_ns)
        assert read(raw, "new", late)[1].verdict is verdict


def test_04_our_id_finds_an_order_for_two_hours_alone(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    order = rig.core.book.named("DESK", "a1")
    assert order is not None
    rig.pass_time(2 * HOUR_S + 1, step_s=20)
    assert read(raw, "ask_order", asked(raw, "a1"))[1].verdict is Verdict.ABSENT
    assert read(raw, "ask_order", asked(raw, "a1", order.order_id))[1].verdict is Verdict.DONE
    assert client.status("a1")[39] == "0", "it is still open"


def test_04_an_order_without_an_answer_is_looked_for_among_all_that_there_are(rig: Rig, raw: Raw) -> None:
    rig.world.ask("fault", kind="lost", scope="rest", count=1)
    client = FixClient(rig)
    client.order("a1")
    rig.pass_time(6)
    assert (client.got[-1][11], client.got[-1][150], client.got[-1][103]) == ("a1", "8", "99")
    assert len(rig.requests("spot/trade/history-orders")) == 1
    # One that is open, and too old for its id, is among the open ones, which are read before those that have ended.
    assert read(raw, "new", raw.order("b1"))[1].verdict is Verdict.DONE
    since_ns = rig.now.wall_ns - 60 * 10**9
    first = raw.backend.ask_ended(raw.terms("b1"), since_ns, "", rig.now.wall_ns)
    _, reply = read(raw, "ask_ended", first)
    assert [fact.venue_id for fact in reply.facts] == ["b1"] and reply.next_page.startswith("v2/spot/trade/history")


def test_05_a_fill_over_rest_names_the_venue_s_id_alone(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1", qty="2")
    for _ in range(120):
        rig.stranger("2", "0.001", "60000")
    found: list[FillFact] = []
    page, calls = "", 0
    while not calls or page:
        answer, reply = read(raw, "ask_fills", raw.backend.ask_fills(0, page, rig.now.wall_ns))
        assert reply.verdict is Verdict.DONE and all("clientOid" not in row for row in answer["data"])
        found += [fact for fact in reply.facts if isinstance(fact, FillFact)]
        page, calls = reply.next_page, calls + 1
    assert len({fact.trade_id for fact in found}) == 120 and calls == 3, "two pages, and the other symbol's"
    assert {(fact.venue_id, fact.fee, fact.fee_asset) for fact in found} == {("", D("0.0000008"), "BTC")}


def test_06_a_replacement_may_fail_under_the_code_of_what_is_well(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.04", "60000")
    asked_for = {"symbol": SYMBOL, "clientOid": "a1", "newClientOid": "a2", "price": "59000"}
    answer = post(raw, "cancel-replace-order", **asked_for, size="0.000001")
    assert (answer["code"], answer["data"]["success"]) == ("00000", "failure")
    client.order("b1")
    answer = post(raw, "cancel-replace-order", **{**asked_for, "clientOid": "b1", "newClientOid": "b2"}, size="0.3")
    assert answer["data"]["success"] == "success" and answer["data"]["clientOid"] == "b2"
    (row,) = read(raw, "ask_order", asked(raw, "b2"))[0]["data"]
    assert (row["size"], row["baseVolume"], row["orderId"]) == ("0.3", "0", answer["data"]["orderId"])
    assert not isinstance(raw.backend, AmendingBackend)
    client.order("c1")
    (told,) = client.amend("g1", "c1", "0.4", "58000")
    assert (told[35], told[39]) == ("9", "0") and "cancel it, and place another" in told[58]


def test_07_a_market_order_to_buy_is_for_an_amount_of_the_quote_asset(rig: Rig, raw: Raw, client: FixClient) -> None:
    rig.stranger("2", "1", "60000")
    rig.stranger("1", "1", "59000")
    market = {"symbol": SYMBOL, "side": "buy", "orderType": "market", "size": "600", "clientOid": "m1"}
    assert post(raw, "place-order", **market)["code"] == "00000"
    row = rig.at_venue("m1")
    assert row is not None and row["cum_qty"] == "0.01", "600 was no quantity"
    told = client.send("D", f"11=m2|55={SYMBOL}|54=1|38=0.5|40=1|59=3|")
    assert words(told) == [("8", "8")] and "quote asset" in told[0][58] and rig.at_venue("m2") is None
    assert words(client.send("D", f"11=m3|55={SYMBOL}|54=2|38=0.5|40=1|59=3|"))[-1] == ("F", "2")


def test_08_the_size_of_a_push_is_money(client: FixClient) -> None:
    (order,) = pushed()
    assert isinstance(order, OrderFact) and order.order_qty == D("0.1")
    fill = {"tradeId": "9", "fillPrice": "60000", "baseVolume": "0.04", "fillFee": "-0.00004", "fillFeeCoin": "BTC"}
    fill |= {"fillTime": "1767225600000", "tradeScope": "M"}
    first, then = pushed(**fill, accBaseVolume="0.04", status="partially_filled")
    assert isinstance(first, FillFact) and (first.qty, first.fee, first.maker) == (D("0.04"), D("0.00004"), True)
    assert isinstance(then, OrderFact) and then.cum_qty == D("0.04")


def test_08_the_size_of_a_push_of_contracts_is_the_quantity() -> None:
    row = {
        "instId": SYMBOL, "orderId": "7", "clientOid": "a1", "price": "60000", "size": "0.1", "notionalUsd": "6000",
        "orderType": "limit", "side": "sell", "status": "canceled", "accBaseVolume": "0.04", "tradeId": "9",
        "fillPrice": "60000", "baseVolume": "0.04", "fillFee": "-0.48", "fillFeeCoin": "USDT", "tradeScope": "T",
        "fillTime": "1767225600000", "uTime": "1767225600000", "posMode": "one_way_mode",
    }  # fmt: skip
    arg = {"instType": "USDT-FUTURES", "channel": "orders", "instId": "default"}
    text = msgspec.json.encode({"action": "snapshot", "arg": arg, "data": [row]}).decode()
    _, (fill, order) = contracts_backend().read_push(text)
    assert isinstance(fill, FillFact) and (fill.symbol, fill.qty, fill.fee) == (PERPETUAL, D("0.04"), D("0.48"))
    assert isinstance(order, OrderFact) and (order.order_qty, order.ord_status, order.side) == (D("0.1"), "4", "2")


def test_09_the_cost_of_an_order_is_json_within_a_text(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    (row,) = read(raw, "ask_order", asked(raw, "a1"))[0]["data"]
    assert json.loads(row["feeDetail"]) == {"BTC": {"totalFee": "-0.00008", "feeCoinCode": "BTC"}}
    assert client.got[-1][137] == "0.00008"


def test_10_all_is_told_once_the_last_symbol_is_subscribed_to(client: FixClient) -> None:
    told = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        arg = {"instType": "SPOT", "channel": "orders", "instId": symbol}
        told.append(backend().read_push(msgspec.json.encode({"event": "subscribe", "arg": arg}).decode())[0])
    assert told == [Push.OTHER, Push.SUBSCRIBED]
    both = contracts_backend()
    for inst_type, name, push in (("SPOT", "ETHUSDT", Push.OTHER), ("USDT-FUTURES", "default", Push.SUBSCRIBED)):
        arg = {"instType": inst_type, "channel": "orders", "instId": name}
        assert both.read_push(msgspec.json.encode({"event": "subscribe", "arg": arg}).decode())[0] is push
    sent = client.send("D", "11=e1|55=ETHUSDT|54=1|38=1|40=2|44=3000|59=1|")
    assert words(sent) == [("A", "A"), ("0", "0")]


def test_11_a_cancel_is_taken_and_perhaps_not_carried_out(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.world.ask("fault", kind="silent", scope="fix", count=1)
    assert words(client.cancel("c1", "a1")) == [] and client.status("a1")[39] == "6"
    client.got.clear()
    rig.pass_time(6)
    assert words(client.got) == [("4", "4")] and client.got[0][11] == "c1"


def test_12_what_may_not_take_is_taken_in_and_cancelled(rig: Rig, raw: Raw, client: FixClient) -> None:
    rig.stranger("2", "1", "60000")
    assert read(raw, "new", raw.order("a1", post_only=True))[1].verdict is Verdict.DONE
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"
    assert words(client.order("a2", more="18=6|")) == [("A", "A"), ("0", "0"), ("4", "4")]


def test_13_what_was_pushed_while_nobody_listened_is_not_pushed_again(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.cut("websocket")
    rig.stranger("2", "0.1", "60000")
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")]


def test_14_an_account_meets_itself(client: FixClient) -> None:
    client.order("a1", side="2", px="60000")
    client.order("a2", side="1", px="60000")
    fills = [each for each in client.got if each.get(150) == "F"]
    assert len({each[17] for each in fills}) == 2 and len({each[1003] for each in fills}) == 1


def test_15_a_book_has_a_sum_with_a_sign(rig: Rig) -> None:
    book = rig.world.core.venue.state.books[SYMBOL]
    assert book_sum(book) == 0
    rig.stranger("2", "0.5", "65010.5")
    rig.stranger("1", "0.25", "64000")
    rig.stranger("1", "0.2", "63999.99")
    # CRC32 of "64000:0.25:65010.5:0.5:63999.99:0.2".
    assert book_sum(book) == -1647853772


OF_FUTURES = {"productType": "USDT-FUTURES"}


def test_16_a_spot_market_and_a_perpetual_have_one_name(contracts: Rig) -> None:
    raw = Raw(contracts)
    assert read(raw, "new", raw.order("p1"))[1].verdict is Verdict.DONE
    terms, now_ns = msgspec.structs.replace(raw.terms("s1"), symbol=SYMBOL), contracts.now.wall_ns
    assert read(raw, "new", raw.backend.new(terms, now_ns, now_ns + 10**9))[1].verdict is Verdict.DONE
    told, page, calls = list[OrderFact](), "", 0
    while not calls or page:
        answer, reply = read(raw, "ask_open", raw.backend.ask_open(page, contracts.now.wall_ns))
        told += [fact for fact in reply.facts if isinstance(fact, OrderFact)]
        page, calls = reply.next_page, calls + 1
    assert calls == 3 and {(fact.venue_id, fact.symbol) for fact in told} == {("s1", SYMBOL), ("p1", PERPETUAL)}
    assert answer["data"]["entrustedList"] is None, "none has a fill"
    listed = signed(raw, "GET", "v2/mix/order/orders-pending", OF_FUTURES)["data"]["entrustedList"]
    assert [row["symbol"] for row in listed] == [SYMBOL], "the perpetual's, at the venue"
    assert signed(raw, "GET", "v2/spot/trade/orderInfo", {"clientOid": "p1"})["data"] == []


def test_17_an_order_for_contracts_is_refused_by_the_age_of_its_signature_alone(contracts: Rig) -> None:
    raw = Raw(contracts)
    calls = [raw.order(name) for name in ("a1", "a2")]
    assert b"requestTime" not in calls[0].body and b"receiveWindow" not in calls[0].body
    contracts.pass_time(29, step_s=0.5)
    assert read(raw, "new", calls[0])[1].verdict is Verdict.DONE, "its last moment was long ago"
    contracts.pass_time(2, step_s=0.5)
    answer, reply = read(raw, "new", calls[1])
    assert answer["code"] == "40008" and reply.verdict is Verdict.REFUSED and contracts.at_venue("a2") is None


def test_18_a_multiple_of_quantities_multiplies_nothing(contracts: Rig) -> None:
    raw = Raw(contracts)
    assert isinstance(raw.backend, ContractBackend)
    answer, reply = read(raw, "ask_contracts", raw.backend.ask_contracts())
    (row,) = answer["data"]
    assert (row["symbol"], row["sizeMultiplier"], row["volumePlace"]) == (SYMBOL, "0.001", "3")
    assert reply.contracts == {PERPETUAL: CONTRACT} and CONTRACT.multiplier == 1
    raw.call(raw.order("a1", order_qty=D("0.025")))
    found = contracts.at_venue("a1")
    assert found is not None and found["order_qty"] == "0.025"


def test_19_a_position_s_size_has_no_sign(contracts: Rig) -> None:
    raw = Raw(contracts)
    raw.call(raw.order("a1", side="2", order_qty=D("0.3")))
    contracts.stranger("1", "0.3", "60000")
    (row,) = signed(raw, "GET", "v2/mix/position/all-position", OF_FUTURES)["data"]
    assert (row["holdSide"], row["total"]) == ("short", "0.3")


def test_20_a_balance_is_what_both_wallets_hold_without_what_closing_would_bring(contracts: Rig) -> None:
    raw, rest = Raw(contracts), BitgetRest("x", None, trades_contracts=True)  # type: ignore[arg-type]
    raw.call(raw.order("a1", order_qty=D("0.3")))
    contracts.stranger("2", "0.3", "60000")
    for side in "21":
        contracts.stranger(side, "0.01", "65000")
    (row,) = signed(raw, "GET", "v2/mix/account/accounts", OF_FUTURES)["data"]
    paid = D("0.0008") * 18_000
    assert (D(row["accountEquity"]), D(row["unrealizedPL"])) == (100_000 - paid + 1500, D(1500))
    asset, free, held = rest._balance(row)
    assert (asset, free + held) == ("USDT", 100_000 - paid)
    in_parts = {**row, "unrealizedPL": "", "crossedUnrealizedPL": "1500", "isolatedUnrealizedPL": None}
    assert rest._balance(in_parts) == (asset, free, held)
    lost = {**row, "accountEquity": "900", "unrealizedPL": "-200", "available": "0"}
    assert rest._balance(lost) == ("USDT", D(0), D(1100))


def test_21_an_order_that_only_reduces_makes_room_for_itself_and_is_not_named(contracts: Rig) -> None:
    client = FixClient(contracts)
    client.order("p1", qty="0.2")
    contracts.stranger("2", "0.2", "60000")
    assert words(client.order("r1", side="2", qty="0.15", px="70000", more="18=E|")) == [("A", "A"), ("0", "0")]
    told = client.order("r2", side="2", qty="0.1", px="71000", more="18=E|")
    contracts.pass_time(1)
    by_name = {each[11]: (each[150], each[39]) for each in [*told, *client.got] if each[35] == "8"}
    assert by_name == {"r1": ("4", "4"), "r2": ("0", "0")}
    order = contracts.core.book.named("DESK", "r2")
    assert order is not None and order.order_id, "it was asked for"
    contracts.stranger("1", "0.1", "71000")
    assert contracts.world.core.venue.state.accounts.position("desk", PERPETUAL) == D("0.1")


def test_22_a_modified_order_for_contracts_is_another_one_that_is_not_told(contracts: Rig) -> None:
    raw, client = Raw(contracts), FixClient(contracts)
    client.order("a1", qty="0.2")
    asked = {"symbol": SYMBOL, "clientOid": "a1", "newClientOid": "a2", "newSize": "0.3", "newPrice": "59000"}
    answer = signed(raw, "POST", "v2/mix/order/modify-order", {**asked, **OF_FUTURES})
    assert answer["data"] == {"orderId": None, "clientOid": "a2"}
    assert contracts.at_venue("a1")["ord_status"] == "4" and contracts.at_venue("a2")["order_qty"] == "0.3"  # type: ignore[index]
    assert not isinstance(raw.backend, AmendingBackend)


def test_23_an_account_of_two_positions_is_another_one(contracts: Rig) -> None:
    raw = Raw(contracts)
    assert isinstance(raw.backend, ModedBackend)
    status, answer, body = raw.call(raw.backend.ask_account(contracts.now.wall_ns))
    assert raw.backend.read("ask_account", status, body).verdict is Verdict.DONE
    answer["data"]["posMode"] = "hedge_mode"
    assert raw.backend.read("ask_account", status, msgspec.json.encode(answer)).verdict is Verdict.REFUSED
    hedged = {**OF_FUTURES, "symbol": SYMBOL, "side": "buy", "tradeSide": "open", "orderType": "limit", "size": "1"}
    hedged |= {"price": "60000", "marginMode": "crossed", "marginCoin": "USDT", "force": "gtc"}
    assert signed(raw, "POST", "v2/mix/order/place-order", hedged)["code"] == "40774"


def test_24_an_order_that_is_cancelled_is_spelt_in_two_ways_and_its_state_has_two_names(contracts: Rig) -> None:
    raw, client = Raw(contracts), FixClient(contracts)
    client.order("a1", qty="0.2")
    client.cancel("c1", "a1")
    answer, reply = read(raw, "ask_order", asked(raw, "a1"))
    assert answer["data"]["state"] == "canceled" and "status" not in answer["data"]
    (fact,) = reply.facts
    assert isinstance(fact, OrderFact) and (fact.ord_status, fact.symbol) == ("4", PERPETUAL)
    ended = signed(raw, "GET", "v2/mix/order/orders-history", OF_FUTURES)["data"]["entrustedList"]
    assert [row["status"] for row in ended] == ["canceled"]
    answer, reply = read(raw, "ask_order", asked(raw, "nosuch"))
    assert (answer["code"], reply.verdict) == ("40109", Verdict.ABSENT)


def test_25_open_orders_for_contracts_are_in_two_lists(contracts: Rig) -> None:
    raw, client, seen = Raw(contracts), FixClient(contracts), list[str]()
    for name, qty in (("a1", "0.2"), ("a2", "0.3")):
        client.order(name, qty=qty)
    contracts.stranger("2", "0.1", "60000")
    for more, names in (({}, ["a2"]), ({"status": "partially_filled"}, ["a1"])):
        listed = signed(raw, "GET", "v2/mix/order/orders-pending", {**OF_FUTURES, **more})["data"]["entrustedList"]
        assert [row["clientOid"] for row in listed] == names
    for ask in ("ask_open", "ask_ended"):
        page, seen = "", []
        while not seen or page:
            since = (raw.terms("a1"), 1) if ask == "ask_ended" else ()
            _, reply = read(raw, ask, getattr(raw.backend, ask)(*since, page, contracts.now.wall_ns))
            seen += [fact.venue_id for fact in reply.facts if isinstance(fact, OrderFact)]
            page = reply.next_page
        assert sorted(seen) == ["a1", "a2"]


def test_26_one_request_cancels_all_of_a_symbol_and_is_refused_where_that_is_nothing(contracts: Rig) -> None:
    raw, client = Raw(contracts), FixClient(contracts)
    for name in ("a1", "a2"):
        client.order(name, qty="0.2")
    of_contracts, of_spot = "v2/mix/order/batch-cancel-orders", "v2/spot/trade/cancel-symbol-order"
    done = signed(raw, "POST", of_contracts, {**OF_FUTURES, "symbol": "BTCUSDT"})["data"]["successList"]
    assert sorted(row["clientOid"] for row in done) == ["a1", "a2"]
    assert signed(raw, "POST", of_contracts, {**OF_FUTURES, "symbol": "BTCUSDT"})["code"] == "22001"
    assert signed(raw, "POST", of_spot, {"symbol": "BTCUSDT"})["code"] == "00000", "nor does it say what it cancels"


def test_a_kill_takes_what_was_placed_by_hand_and_has_a_fill(contracts: Rig) -> None:
    venue = contracts.world.core.venue
    terms = Terms("desk", "desk", "byhand", PERPETUAL, "1", LIMIT, D(1), D(60_000))
    order = venue.engine.place(terms, contracts.now)
    contracts.stranger("2", "0.1", "60000")
    contracts.core._kill(None, "test", contracts.now)  # type: ignore[arg-type]
    contracts.pass_time(3)
    assert order.cum_qty == D("0.1") and not order.is_open


def test_more_than_ten_new_orders_in_a_second_are_refused(rig: Rig, raw: Raw) -> None:
    for n in range(10):
        assert raw.call(raw.order(f"a{n}", order_qty=D("0.001")))[0] == 200
    status, answer, _ = raw.call(raw.order("a10"))
    assert (status, answer["code"]) == (429, "429") and rig.at_venue("a10") is None
    rig.pass_time(1)
    assert raw.call(raw.order("a11"))[0] == 200


def test_what_is_signed_is_the_venue_s_own(raw: Raw) -> None:
    """The vectors of the sources: a key K, a secret S, a passphrase P."""
    sign = raw.backend._sign  # type: ignore[attr-defined]
    at_ns = 1_597_026_383_085 * 10**6
    call = sign("POST", "v2/spot/trade/place-order", {"symbol": "BTCUSDT"}, at_ns)
    assert dict(call.headers)["ACCESS-SIGN"] == "c/7ZzLqTxE4k/xK9WIfxll4Qr024wLATdVDbeydtKmU="
    call = sign("GET", "v2/spot/trade/orderInfo", {"orderId": "1"}, at_ns)
    assert dict(call.headers)["ACCESS-SIGN"] == "gSADTxg4oHf8rbSu7O1xcjn2WqGjqoJ2xe29lqu9mMI="
    assert dict(parse_qsl(urlsplit(call.target).query)) == {"orderId": "1"}
    assert "X-CHANNEL-API-CODE" not in dict(call.headers)
