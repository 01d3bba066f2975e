"""OKX's oddities by their numbers in its README: what a client that knows nothing of each goes wrong with."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.exchange.order import BUY, LIMIT, Asked, Order, Terms
from common.exchange.rest import BODY, RestError
from common.venues.backend import (
    BookBackend,
    BookFact,
    BridgedTerms,
    ContractBackend,
    FillFact,
    GuardingBackend,
    OrderFact,
    Verdict,
)
from common.venues.okx.simulated.rest import OkxRestApi
from common.venues.okx.simulated.websocket import OkxWebSocket
from services.bridge.prices import PricedBook
from tests.common.venues.okx.swap_rig import CONTRACT, SWAP, swap_rig
from tests.common.venues.okx.told_rows import TOLD_MS, ToldRows, asked, row
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import SYMBOL, FixClient, Rig, backend, words

D = Decimal
HOUR_NS = 3600 * 10**9


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).live()


@pytest.fixture
def raw(rig: Rig) -> Raw:
    return Raw(rig)


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


@pytest.fixture
def swaps(tmp_path: Path) -> Rig:
    """With a perpetual, which orders are for."""
    return swap_rig(tmp_path).live()


def code(answer: dict[str, Any]) -> str:
    """sCode of the first row."""
    return str(answer["data"][0]["sCode"])


def test_01_an_id_has_letters_and_digits_alone(raw: Raw, client: FixClient) -> None:
    assert code(raw.call(raw.order("a-1"))[1]) == "51000"
    assert not raw.backend.takes_id("a-1") and not raw.backend.takes_id("a" * 33) and raw.backend.takes_id("a" * 32)
    assert words(client.order("a-1")) == [("A", "A"), ("0", "0")]


def test_02_a_refusal_comes_with_status_200(raw: Raw) -> None:
    status, answer, body = raw.call(raw.order("a1", order_qty=D(90)))
    assert (status, answer["code"], code(answer)) == (200, "1", "51008")
    assert raw.backend.read("new", status, body).verdict is Verdict.REFUSED


@pytest.mark.parametrize("kind", ["lost", "unknown"])
def test_03_some_codes_say_that_nobody_knows(rig: Rig, raw: Raw, kind: str) -> None:
    rig.world.ask("fault", kind=kind, scope="rest", count=1)
    status, answer, body = raw.call(raw.order("a1"))
    assert (status, answer["code"]) == (500, "51149")
    assert raw.backend.read("new", status, body).verdict is Verdict.UNKNOWN
    assert (rig.at_venue("a1") is not None) is (kind == "unknown")


def test_04_an_amendment_that_is_taken_may_fail_later(client: FixClient, rig: Rig) -> None:
    client.order("a1")
    told = client.amend("a2", "a1", "90", "60000")
    assert words(told) == [("9", "0")] and len(rig.requests("trade/amend-order")) == 1


def test_05_one_code_for_an_order_that_is_filled_cancelled_or_unknown(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    codes = []
    for name in ("a1", "nosuch"):
        terms = BridgedTerms(name, SYMBOL, "1", "2", D("0.1"), D(60_000))
        status, answer, body = raw.call(raw.backend.cancel(terms, rig.now.wall_ns))
        codes.append(code(answer))
        assert raw.backend.read("cancel", status, body).verdict is Verdict.ABSENT
    assert codes == ["51400", "51400"]


def test_06_what_may_not_take_is_taken_in_and_cancelled(rig: Rig, raw: Raw) -> None:
    rig.stranger("2", "1", "60000")
    status, answer, body = raw.call(raw.order("a1", post_only=True))
    assert code(answer) == "0" and raw.backend.read("new", status, body).verdict is Verdict.DONE
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_07_a_fee_that_is_charged_is_below_0(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    rig.stranger("2", "0.1", "60000")
    status, answer, body = raw.call(raw.backend.ask_fills(0, "", rig.now.wall_ns))
    assert answer["data"][0]["fee"] == "-0.00008"
    (fill,) = raw.backend.read("ask_fills", status, body).facts
    assert isinstance(fill, FillFact) and (fill.fee, fill.fee_asset) == (D("0.00008"), "BTC")


def test_08_the_last_moment_is_not_signed(rig: Rig, raw: Raw) -> None:
    call = raw.order("a1")
    late = [(name, str(rig.now.wall_ns // 10**6 - 1) if name == "expTime" else text) for name, text in call.headers]
    status, answer, body = raw.call(call._replace(headers=tuple(late)))
    assert answer["code"] == "50004" and rig.at_venue("a1") is None
    assert raw.backend.read("new", status, body).verdict is Verdict.UNKNOWN


def test_09_a_cancelled_order_without_a_fill_is_forgotten(rig: Rig, raw: Raw, client: FixClient) -> None:
    client.order("a1")
    client.cancel("c1", "a1")
    call = raw.backend.ask_order(BridgedTerms("a1", SYMBOL, "1", "2", D("0.1"), D(60_000)), "", rig.now.wall_ns)
    status, _, body = raw.call(call)
    (fact,) = raw.backend.read("ask_order", status, body).facts
    assert isinstance(fact, OrderFact) and fact.ord_status == "4"
    rig.pass_time(7_201, step_s=10)
    call = raw.backend.ask_order(BridgedTerms("a1", SYMBOL, "1", "2", D("0.1"), D(60_000)), "", rig.now.wall_ns)
    status, answer, body = raw.call(call)
    assert answer["code"] == "51603" and raw.backend.read("ask_order", status, body).verdict is Verdict.ABSENT


def test_10_what_was_pushed_while_nobody_listened_is_not_pushed_again(rig: Rig, client: FixClient) -> None:
    client.order("a1")
    rig.cut("websocket")
    rig.stranger("2", "0.1", "60000")
    asked = len(rig.requests("trade/fills"))
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")] and len(rig.requests("trade/fills")) > asked


def test_11_a_market_order_s_quantity_has_to_be_said_to_be_in_the_base_asset(rig: Rig, raw: Raw) -> None:
    rig.stranger("2", "1", "60000")
    call = raw.order("a1", ord_type="1", price=None, time_in_force="3")
    assert b'"tgtCcy":"base_ccy"' in call.body
    assert code(raw.call(call)[1]) == "0"


def test_12_a_book_s_push_that_changes_nothing_repeats_the_number_before() -> None:
    venue, book = backend(), PricedBook(SYMBOL, lambda bids, offers: "")
    assert isinstance(venue, BookBackend)

    def learn(action: str, former: int, number: int, asks: str = "[]") -> str:
        arg = f'{{"arg":{{"channel":"books","instId":"{SYMBOL}"}},"action":"{action}","data":'
        text = f'{arg}[{{"asks":{asks},"bids":[],"prevSeqId":{former},"seqId":{number}}}]}}'
        _, (fact,) = venue.read_prices(text)
        assert isinstance(fact, BookFact)
        return book.learn(fact)

    assert learn("snapshot", -1, 10, '[["60000","1","0","1"]]') == "" and book.is_known
    assert learn("update", 10, 10) == "" == learn("update", 10, 13, '[["60000","0","0","0"]]')
    assert book.asks.best() is None
    assert learn("update", 14, 15) == "changes 14 to 14 are missing"


def test_13_what_a_contract_is_the_list_of_instruments_says_alone(swaps: Rig) -> None:
    raw = Raw(swaps)
    assert isinstance(raw.backend, ContractBackend)
    call = raw.backend.ask_contracts()
    status, answer, body = raw.call(call)
    (row,) = answer["data"]
    assert (row["instId"], row["ctVal"], row["ctMult"], row["baseCcy"], row["lotSz"]) == (SWAP, "0.01", "1", "", "0.01")
    assert raw.backend.read("ask_contracts", status, body, call).contracts == {SWAP: CONTRACT}
    raw.call(raw.order("a1", order_qty=D("2.5")))
    found = swaps.at_venue("a1")
    assert found is not None and found["order_qty"] == "2.5"


def test_14_the_margin_of_a_perpetual_is_across_the_account_and_spot_has_none(swaps: Rig) -> None:
    rig, raw = swaps, Raw(swaps)
    sign = raw.backend._sign  # type: ignore[attr-defined]
    asked = {
        "instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "limit", "sz": "1", "px": "60000", "clOrdId": "a1",
    }  # fmt: skip
    for wrong in ({"posSide": "long"}, {"tdMode": "isolated"}, {"tdMode": "cash"}, {"sz": "0.001"}):
        answer = raw.call(sign("POST", "trade/order", {**asked, **wrong}, rig.now.wall_ns))[1]
        assert answer["data"][0]["sCode"] in ("51000", "51121"), wrong
    terms = BridgedTerms("a2", SWAP, "1", "2", D(1), D(60_000))
    assert raw.backend.why_not(terms) == ""


def test_15_what_only_reduces_is_filled_as_far_as_there_is_a_position(swaps: Rig) -> None:
    rig, client = swaps, FixClient(swaps)
    assert words(client.order("a1", side="2", px="65000", more="18=E|")) == [("A", "A"), ("8", "8")]
    assert "51169" in client.got[-1][58], "there is nothing to reduce"
    client.order("a2", qty="2")
    rig.stranger("2", "2", "60000")
    told = client.order("a3", side="2", qty="5", px="60000", more="18=6 E|")
    assert words(told) == [("A", "A"), ("0", "0")] and told[-1][18] == "6 E"
    client.got.clear()
    rig.stranger("1", "5", "60000")
    assert words(client.got) == [("F", "1"), ("4", "4")] and client.got[0][32] == "2"
    assert rig.world.core.venue.state.accounts.position("desk", SWAP) == 0


@pytest.mark.parametrize(
    ("mode", "told"), [({"acctLv": "1", "posMode": "net_mode"}, "1 and net_mode"),
                       ({"acctLv": "2", "posMode": "long_short_mode"}, "2 and long_short_mode")],
)  # fmt: skip
def test_16_an_account_with_two_positions_in_a_contract_is_not_traded_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: dict[str, str], told: str
) -> None:
    modes = [mode]
    monkeypatch.setattr(OkxRestApi, "_config", lambda *_: {"code": "0", "msg": "", "data": [modes[0]]})
    rig = swap_rig(tmp_path)
    rig.pass_time(2)
    status = rig.core.status(rig.now)
    assert status["state"] == "catching_up" and str(status["wrong_account"]).endswith(told)
    assert words(FixClient(rig).order("a1")) == [("8", "8")] and not rig.requests("trade/order ")
    modes[0] = {"acctLv": "2", "posMode": "net_mode"}
    rig.pass_time(31, step_s=0.5)
    assert rig.live().core.status(rig.now)["wrong_account"] == ""


def test_17_fills_of_long_ago_are_asked_for_kind_by_kind_and_page_by_page(swaps: Rig) -> None:
    rig, raw = swaps, Raw(swaps)
    world = rig.world
    then = world.now._replace(wall_ns=world.now.wall_ns - 80 * HOUR_NS)
    for symbol, qty, count in ((SYMBOL, "0.01", 130), (SWAP, "1", 5)):
        for n in range(count):
            order = Terms("desk", "desk", f"{symbol[-1]}{n}", symbol, BUY, LIMIT, D(qty), D(60_000))
            taken = world.core.venue.engine.place(order, then)
            world.core.venue.engine.take_from(taken, D(qty), then)
    since_ns, page, told, calls = then.wall_ns - HOUR_NS, "", list[FillFact](), 0
    while calls == 0 or page:
        call = raw.backend.ask_fills(since_ns, page, rig.now.wall_ns)
        assert "fills-history" in call.target
        status, _, body = raw.call(call)
        reply = raw.backend.read("ask_fills", status, body, call)
        assert reply.verdict is Verdict.DONE
        told += [fact for fact in reply.facts if isinstance(fact, FillFact)]
        page, calls = reply.next_page, calls + 1
    assert calls == 3 and len(told) == 135 and {fill.symbol for fill in told[-5:]} == {SWAP}
    ids = [int(fill.trade_id) for fill in told[-5:]]
    assert ids == sorted(ids), "the oldest first"


def test_18_a_fee_of_contracts_is_in_what_they_are_settled_in(swaps: Rig) -> None:
    raw = Raw(swaps)
    for name, side, stranger in (("a1", "1", "2"), ("a2", "2", "1")):
        raw.call(raw.order(name, side=side, order_qty=D(1)))
        swaps.stranger(stranger, "1", "60000")
    call = raw.backend.ask_fills(swaps.now.wall_ns - HOUR_NS, "", swaps.now.wall_ns)
    status, answer, body = raw.call(call)
    facts = raw.backend.read("ask_fills", status, body, call).facts
    assert [(fill.fee, fill.fee_asset) for fill in facts if isinstance(fill, FillFact)] == [(D("0.48"), "USDT")] * 2


def test_19_a_trade_of_a_liquidation_has_a_key_below_0_and_is_told_with_those_after_the_last_known_one() -> None:
    rows = [row(12, 10), row(-3, 20, "8"), row(11, 30), row(10, 40), row(-2, 50, "6")]
    told = asked(ToldRows(rows), "trades", from_trade_key="11").trades
    assert [(trade.trade_key, trade.order_id) for trade in told] == [("-3", "8"), ("11", "7"), ("12", "7")]
    told = asked(ToldRows(rows), "trades", since_ns=(TOLD_MS - 60) * 10**6).trades
    assert [trade.trade_key for trade in told] == ["-3", "-2", "10", "11", "12"]


def test_20_the_venue_makes_what_only_reduces_smaller_and_says_it_under_no_request(swaps: Rig) -> None:
    rig, client = swaps, FixClient(swaps)
    client.order("a1", qty="5")
    rig.stranger("2", "5", "60000")
    client.order("a2", side="2", qty="5", px="61000", more="18=E|")
    rig.pass_time(0.1)
    order = rig.world.core.venue.find("desk", SWAP, "", "a2")
    assert isinstance(order, Order)
    client.got.clear()
    rig.world.core.venue.engine.replace(order, Asked(order.cl_ord_id, ""), D(3), order.price, rig.now)
    rig.pump()
    assert words(client.got) == [("D", "0")] and (client.got[0][38], client.got[0][151]) == ("3", "3")
    rig.stranger("1", "3", "61000")
    assert words(client.got)[-1] == ("F", "2")


def test_21_a_block_trade_is_of_no_order_and_holds_nothing_else_back(raw: Raw) -> None:
    rows = [row(12, 10, ""), row(11, 30)]
    answer = asked(ToldRows(rows), "trades", from_trade_key="11")
    assert [trade.trade_key for trade in answer.trades] == ["11"] and "trade 12" in answer.text
    body = msgspec.json.encode({"code": "0", "msg": "", "data": rows})
    reply = raw.backend.read("ask_fills", 200, body, raw.backend.ask_fills(0, "", 0))
    assert reply.verdict is Verdict.DONE
    assert [fact.trade_id for fact in reply.facts if isinstance(fact, FillFact)] == ["11"]


def test_22_the_switch_goes_by_the_tags_that_orders_were_placed_with_and_20_at_most_have_one(
    rig: Rig, raw: Raw
) -> None:
    assert isinstance(raw.backend, GuardingBackend)
    tags = [raw.backend.tag_of(f"CLIENT-{n}") for n in range(21)]
    for name, tag in (("a1", tags[0]), ("a2", tags[20]), ("a3", "")):
        raw.call(raw.order(name, tag=tag))
    calls = raw.backend.arm(tags, [], rig.now.wall_ns)
    assert [raw.call(call)[1]["code"] for call in calls] == ["0"] * 20
    one_more, again, *_ = [*raw.backend.arm(tags[20:], [], rig.now.wall_ns), *calls]
    assert raw.call(one_more)[1]["code"] == "51071"
    status, answer, body = raw.call(again)
    assert (status, answer["code"]) == (429, "50011"), "once a second"
    assert raw.backend.read("arm", status, body, again).verdict is Verdict.UNKNOWN
    rig.pass_time(61, step_s=1)
    assert [rig.at_venue(name)["ord_status"] for name in ("a1", "a2", "a3")] == ["4", "0", "0"]  # type: ignore[index]


@pytest.mark.parametrize("tag", ["a-b", "a" * 17])
def test_22_a_tag_has_at_most_16_letters_and_digits(rig: Rig, raw: Raw, tag: str) -> None:
    assert code(raw.call(raw.order("a1", tag=tag))[1]) == "51000"
    assert isinstance(raw.backend, GuardingBackend)
    assert raw.call(raw.backend.arm([tag], [], rig.now.wall_ns)[0])[1]["code"] == "51000"


def test_23_orders_that_come_together_count_apart_from_those_that_come_alone(rig: Rig) -> None:
    venue = rig.world.core.venue
    api = OkxRestApi(venue, OkxWebSocket(venue))
    one = {"instId": SYMBOL, "ordId": "1"}
    many = {BODY: msgspec.json.encode([one] * 20).decode()}
    for path, parameters, most in (("cancel-order", one, 60), ("cancel-batch-orders", many, 300 // 20)):
        route = api.routes["POST", f"/api/v5/trade/{path}"]
        for _ in range(most):
            route.answer("desk", parameters, rig.now)
        with pytest.raises(RestError, match="50011"):
            route.answer("desk", parameters, rig.now)
