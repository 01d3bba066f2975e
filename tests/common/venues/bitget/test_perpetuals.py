"""Bitget's linear perpetuals over a bridge: quantities are in the base asset, and what they bring is in USDT, in a
wallet of its own."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.contracts import Contract, InstrumentKind
from common.exchange.order import LIMIT, SELL, Terms
from common.venues.bitget import backend as bitget_backend
from common.venues.bitget.simulated.futures import BitgetFuturesApi
from tests.common.venues.bitget.perpetual_rig import CONTRACT, PERPETUAL, D, any_id_sent, contracts_rig
from tests.common.venues.bitget.rig import SYMBOL
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import FixClient, Rig, words
from tests.services.bridge.trial import Trial, assert_finds_out_after_kills, assert_sound_after_trouble

SPOT_USDT, FUTURES_USDT = 1_000_000, 100_000


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return contracts_rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


@pytest.fixture
def raw(rig: Rig) -> Raw:
    return Raw(rig)


def positions(rig: Rig) -> dict[str, Any]:
    return {symbol: qty for (_, symbol), (qty, _) in rig.world.core.venue.state.accounts.positions.items()}


def free(rig: Rig, balance: str) -> Any:
    return rig.world.core.venue.state.accounts.balance("desk", balance).free


def sent_body(rig: Rig, path: str) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(rig.requests(path)[-1].partition(b"\r\n\r\n")[2])
    return body


def test_an_order_is_in_the_base_asset_and_its_fee_is_in_usdt_of_the_other_wallet(rig: Rig, client: FixClient) -> None:
    assert words(client.order("a1", qty="0.025")) == [("A", "A"), ("0", "0")]
    body = sent_body(rig, "mix/order/place-order ")
    assert body == {
        "symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT",
        "side": "buy", "size": "0.025", "price": "60000", "orderType": "limit", "force": "gtc", "clientOid": "a1",
    }  # fmt: skip
    client.got.clear()
    rig.stranger("2", "0.01", "60000")
    (fill,) = client.got
    assert (fill[150], fill[32], fill[31], fill[14], fill[151]) == ("F", "0.01", "60000", "0.01", "0.015")
    assert (fill[137], fill[138], fill[55]) == ("0.48", "USDT", PERPETUAL), "0.0008 of 600"
    (refused,) = client.amend("g1", "a1", "0.02", "60000")
    assert refused[35] == "9" and "cancel it, and place another" in refused[58]
    assert words(client.cancel("c1", "a1")) == [("4", "4")]
    assert positions(rig) == {PERPETUAL: D("0.01")}
    assert free(rig, "USDT/futures") == FUTURES_USDT - D("0.48") and free(rig, "USDT") == SPOT_USDT


@pytest.mark.parametrize(
    ("more", "force", "reduces"),
    [("59=1|18=6|", "post_only", None), ("59=3|", "ioc", None), ("59=4|", "fok", None), ("59=1|18=E|", "gtc", "YES")],
)
def test_an_order_says_how_long_it_stays_and_that_it_only_reduces(
    rig: Rig, client: FixClient, more: str, force: str, reduces: str | None
) -> None:
    client.order("p1", qty="0.1")
    rig.stranger("2", "0.1", "60000")
    client.send("D", f"11=a1|55={PERPETUAL}|54=2|38=0.1|40=2|44=61000|{more}")
    body = sent_body(rig, "mix/order/place-order ")
    assert (body["force"], body.get("reduceOnly")) == (force, reduces)


def test_the_spot_market_of_the_same_name_is_another_one(rig: Rig, client: FixClient) -> None:
    client.send("D", f"11=s1|55={SYMBOL}|54=1|38=0.1|40=2|44=60000|59=1|")
    client.order("p1", qty="0.2")
    assert "productType" not in sent_body(rig, "spot/trade/place-order ")
    spot, perpetual = rig.at_venue("s1"), rig.at_venue("p1")
    assert spot is not None and perpetual is not None
    assert (spot["symbol"], perpetual["symbol"]) == (SYMBOL, PERPETUAL)
    assert rig.world.core.venue.state.accounts.balance("desk", "USDT").locked == 6000
    client.got.clear()
    rig.stranger("2", "0.2", "60000")
    assert [(each[11], each[55], each[1003]) for each in client.got] == [("p1", PERPETUAL, "1")]
    rig.symbol = SYMBOL
    rig.stranger("2", "0.1", "60000")
    assert [(each[11], each[55], each[1003]) for each in client.got[1:]] == [("s1", SYMBOL, "1")]
    assert client.got[0][17] != client.got[1][17], "the trades of each count from one"
    assert client.status("s1")[55] == SYMBOL


def test_an_order_of_the_one_is_not_paid_out_of_the_wallet_of_the_other(rig: Rig, client: FixClient) -> None:
    assert words(client.order("a1", qty="17", px="64000"))[-1] == ("8", "8")
    assert "40762" in client.got[-1][58], "a tenth of 17 at 65000 is more than there is"
    assert words(client.order("a2", qty="15", px="64000"))[-1] == ("0", "0")
    told = client.send("D", f"11=s1|55={SYMBOL}|54=1|38=15|40=2|44=64000|59=1|")
    assert words(told)[-1] == ("0", "0"), "the margin of the other is none of its business"


def test_what_only_reduces_is_nothing_for_spot(client: FixClient) -> None:
    (told,) = client.send("D", f"11=s1|55={SYMBOL}|54=1|38=0.1|40=2|44=60000|59=1|18=E|")
    assert told[150] == "8" and "ExecInst(18)=E is for contracts" in told[58]


def test_a_market_order_is_for_a_quantity(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "0.3", "65000")
    told = client.send("D", f"11=a1|55={PERPETUAL}|54=1|38=0.3|40=1|59=3|")
    assert words(told)[-1] == ("F", "2") and "price" not in sent_body(rig, "mix/order/place-order ")
    assert positions(rig) == {PERPETUAL: D("0.3")}


def test_what_is_closed_is_settled_in_usdt_and_one_that_flips_begins_a_new_position(
    rig: Rig, client: FixClient, raw: Raw
) -> None:
    sign = raw.backend._sign  # type: ignore[attr-defined]

    def held() -> tuple[str, ...]:
        asked = {"productType": "USDT-FUTURES", "marginCoin": "USDT"}
        (row,) = raw.call(sign("GET", "v2/mix/position/all-position", asked, rig.now.wall_ns))[1]["data"]
        return tuple(row[name] for name in ("symbol", "holdSide", "total", "openPriceAvg", "unrealizedPL", "posMode"))

    client.order("a1", qty="0.3")
    rig.stranger("2", "0.3", "60000")
    client.order("a2", side="2", qty="0.1", px="61000")
    rig.stranger("1", "0.1", "61000")
    fees = D("0.0008") * (D("0.3") * 60_000 + D("0.1") * 61_000)
    assert free(rig, "USDT/futures") == FUTURES_USDT + 100 - fees
    assert held() == ("BTCUSDT", "long", "0.2", "60000", "200", "one_way_mode")
    client.order("a3", side="2", qty="0.5", px="62000")
    rig.stranger("1", "0.5", "62000")
    assert held() == ("BTCUSDT", "short", "0.3", "62000", "0", "one_way_mode")
    assert positions(rig) == {PERPETUAL: D("-0.3")}


def test_an_account_that_meets_itself_in_contracts_is_told_of_both_sides(rig: Rig, client: FixClient) -> None:
    client.order("a1", side="2", qty="0.2")
    client.order("a2", side="1", qty="0.2")
    fills = [each for each in client.got if each.get(150) == "F"]
    assert len({each[17] for each in fills}) == 2 and len({each[1003] for each in fills}) == 1
    assert positions(rig) == {PERPETUAL: 0}


@pytest.mark.parametrize(
    ("changed", "told"), [({"posMode": "hedge_mode"}, "hedge_mode and single"),
                          ({"assetMode": "union"}, "one_way_mode and union")],
)  # fmt: skip
def test_an_account_of_another_mode_is_not_traded_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], told: str
) -> None:
    right, now_changed = BitgetFuturesApi._account, [changed]
    monkeypatch.setattr(BitgetFuturesApi, "_account", lambda *a: {**right(*a), **now_changed[0]})  # type: ignore[dict-item]
    rig = contracts_rig(tmp_path)
    rig.pass_time(2)
    status = rig.core.status(rig.now)
    assert status["state"] == "catching_up" and str(status["wrong_account"]).endswith(told)
    assert words(FixClient(rig).order("a1")) == [("8", "8")] and not rig.requests("place-order ")
    now_changed[0] = {}
    rig.pass_time(31, step_s=0.5)
    assert rig.live().core.status(rig.now)["wrong_account"] == ""


def test_a_unified_account_is_refused_with_the_venue_s_words(raw: Raw) -> None:
    body = b'{"code":"40085","msg":"You are in Unified Account mode","data":null}'
    reply = raw.backend.read("ask_account", 400, body)
    assert reply.verdict.name == "REFUSED" and "40085 You are in Unified Account mode" in reply.text
    assert raw.backend.read("ask_account", 429, b'{"code":"429","msg":"","data":null}').verdict.name == "UNKNOWN"
    assert raw.backend.read("ask_account", 400, b'{"code":"40015","msg":"","data":null}').verdict.name == "UNKNOWN"


def test_a_contract_that_is_not_what_it_is_configured_as_is_not_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = Contract(InstrumentKind.PERPETUAL, D("0.001"), False, "USDT")
    monkeypatch.setattr(bitget_backend, "_contract", lambda row: contract)
    rig = contracts_rig(tmp_path)
    rig.pass_time(2)
    wrong = str(rig.core.status(rig.now)["wrong_account"])
    assert "configured are linear contracts of 1, settled in USDT, the venue has linear contracts of 0.001" in wrong
    assert words(FixClient(rig).order("a1")) == [("8", "8")]


def test_a_client_is_told_what_a_contract_is(client: FixClient) -> None:
    client.send("x", f"320=q|559=0|55={PERPETUAL}|")
    (told,) = client.got
    assert (told[167], told[762], told[231], told[854], told[120]) == ("FUT", "PERPETUAL", "1", "1", "USDT")
    client.send("x", f"320=q|559=0|55={SYMBOL}|")
    assert 231 not in client.got[0] and 167 not in client.got[0]


def test_a_kill_takes_what_was_placed_by_hand_in_contracts(rig: Rig, client: FixClient) -> None:
    venue = rig.world.core.venue
    order = venue.engine.place(Terms("desk", "desk", "byhand", PERPETUAL, SELL, LIMIT, D(1), D(70_000)), rig.now)
    client.order("a1")
    rig.core._kill(None, "test", rig.now)  # type: ignore[arg-type]
    rig.pass_time(3)
    assert not order.is_open and not rig.core.book.open


def test_the_prices_of_a_contract_are_not_those_of_its_namesake(rig: Rig) -> None:
    listener = FixClient(rig, "MD", logon=b"141=Y\x01", listener="market_data")
    rig.stranger("2", "7.5", "65010.5")
    rig.symbol = SYMBOL
    rig.stranger("2", "2", "65020")
    for symbol in (PERPETUAL, SYMBOL):
        listener.send("V", f"262={symbol}|263=1|264=0|265=1|146=1|55={symbol}|267=2|269=0|269=1|")
    rig.pass_time(2)
    told = {(each[55], each.get(270), each.get(271)) for each in listener.got if each[35] in ("W", "X")}
    assert (PERPETUAL, "65010.5", "7.5") in told and (SYMBOL, "65020", "2") in told
    assert (PERPETUAL, "65020", "2") not in told
    assert rig.core.status(rig.now)["prices"]["renewals"] == 0  # type: ignore[index]


def test_fills_that_were_pushed_while_nobody_listened_are_read_of_both_parts(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="0.2")
    client.send("D", f"11=s1|55={SYMBOL}|54=1|38=0.2|40=2|44=60000|59=1|")
    rig.cut("websocket")
    rig.stranger("2", "0.2", "60000")
    rig.symbol = SYMBOL
    rig.stranger("2", "0.2", "60000")
    client.got.clear()
    rig.live()
    assert {(each[11], each[150], each[39], each[55]) for each in client.got} == {
        ("a1", "F", "2", PERPETUAL), ("s1", "F", "2", SYMBOL),
    }  # fmt: skip


def test_the_absence_of_an_order_for_contracts_is_believed_once_its_signature_is_too_old(
    rig: Rig, client: FixClient
) -> None:
    rig.world.ask("fault", kind="lost", scope="rest", count=1)
    client.order("a1")
    rig.pass_time(31, step_s=0.25)
    assert client.status("a1")[39] == "A", "there is no last moment in it: until then it might come"
    client.got.clear()
    rig.pass_time(10, step_s=0.25)
    assert words(client.got) == [("8", "8")] and client.got[0][58] == "never reached the venue"
    rig.world.ask("fault", kind="lost", scope="rest", count=1)
    client.send("D", f"11=s1|55={SYMBOL}|54=1|38=0.2|40=2|44=60000|59=1|")
    rig.pass_time(6)
    assert client.status("s1")[39] == "8", "one of spot bears one"


@pytest.mark.parametrize("seed", range(2))
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    assert_sound_after_trouble(Trial(seed, tmp_path, contracts_rig, any_id_sent), 40)


def test_a_bridge_that_is_killed_over_orders_for_contracts_finds_out_what_became_of_each(tmp_path: Path) -> None:
    assert_finds_out_after_kills(Trial(7, tmp_path, contracts_rig, any_id_sent))


def test_the_venue_s_word_of_a_contract_is_ours(raw: Raw) -> None:
    call = raw.backend.ask_contracts()  # type: ignore[attr-defined]
    status, answer, body = raw.call(call)
    (row,) = answer["data"]
    assert (row["symbol"], row["sizeMultiplier"], row["minTradeNum"]) == ("BTCUSDT", "0.001", "0.001")
    assert (row["volumePlace"], row["pricePlace"], row["priceEndStep"]) == ("3", "1", "1")
    assert raw.backend.read("ask_contracts", status, body, call).contracts == {PERPETUAL: CONTRACT}
