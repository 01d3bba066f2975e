"""OKX's linear perpetuals over a bridge: quantities are contracts, and what they bring is in USDT."""

from pathlib import Path
from typing import Any

import pytest

from common.contracts import Contract, InstrumentKind
from common.exchange.order import LIMIT, SELL, Terms
from common.venues.okx import backend as okx_backend
from common.venues.okx.simulated.rest import OkxRestApi
from tests.common.venues.okx.swap_rig import SWAP, D, swap_rig
from tests.common.venues.okx.told_rows import TOLD_MS, ToldRows, asked
from tests.services.bridge.raw import Raw
from tests.services.bridge.rig import SYMBOL, FixClient, Rig, words
from tests.services.bridge.trial import Trial, assert_finds_out_after_kills, assert_sound_after_trouble


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return swap_rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


@pytest.fixture
def raw(rig: Rig) -> Raw:
    return Raw(rig)


def positions(rig: Rig) -> dict[str, Any]:
    return {symbol: qty for (_, symbol), (qty, _) in rig.world.core.venue.state.accounts.positions.items()}


def usdt(rig: Rig) -> Any:
    return rig.world.core.venue.state.accounts.balance("desk", "USDT").free


def test_an_order_counts_in_contracts_and_its_fee_is_in_usdt(rig: Rig, client: FixClient) -> None:
    assert words(client.order("a1", qty="2.5")) == [("A", "A"), ("0", "0")]
    (sent,) = rig.requests("trade/order ")
    assert b'"tdMode":"cross"' in sent and b'"sz":"2.5"' in sent
    assert b"reduceOnly" not in sent and b"posSide" not in sent
    client.got.clear()
    rig.stranger("2", "1", "60000")
    (fill,) = client.got
    assert (fill[150], fill[32], fill[31], fill[14], fill[151]) == ("F", "1", "60000", "1", "1.5")
    assert (fill[137], fill[138]) == ("0.48", "USDT"), "0.0008 of 600"
    assert words(client.amend("g1", "a1", "2", "60000")) == [("5", "1")]
    assert words(client.cancel("c1", "g1")) == [("4", "4")]
    assert positions(rig) == {SWAP: 1} and usdt(rig) == 1_000_000 - D("0.48")


def test_a_spot_order_beside_it_is_as_ever(rig: Rig, client: FixClient) -> None:
    client.send("D", f"11=s1|55={SYMBOL}|54=1|38=0.1|40=2|44=60000|59=1|")
    assert b'"tdMode":"cash"' in rig.requests("trade/order ")[0]
    assert rig.world.core.venue.state.accounts.balance("desk", "USDT").locked == 6000


def test_what_only_reduces_is_nothing_for_spot_and_other_instructions_are_not_served(client: FixClient) -> None:
    (told,) = client.send("D", f"11=s1|55={SYMBOL}|54=1|38=0.1|40=2|44=60000|59=1|18=E|")
    assert told[150] == "8" and "ExecInst(18)=E is for contracts" in told[58]
    (told,) = client.order("a1", more="18=G|")
    assert told[35] == "3" and told[371] == "18"


def test_a_market_order_is_for_contracts(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "3", "65000")
    told = client.send("D", f"11=a1|55={SWAP}|54=1|38=3|40=1|59=3|")
    assert words(told)[-1] == ("F", "2") and b"tgtCcy" not in rig.requests("trade/order ")[0]
    assert positions(rig) == {SWAP: 3}


def test_what_needs_more_margin_than_there_is_is_refused(client: FixClient) -> None:
    assert words(client.order("a1", qty="15400", px="64000"))[-1] == ("8", "8")
    assert "51008" in client.got[-1][58]
    assert words(client.order("a2", qty="15300", px="64000"))[-1] == ("0", "0")


def test_what_is_closed_is_settled_in_usdt_and_told_as_a_position(rig: Rig, client: FixClient, raw: Raw) -> None:
    client.order("a1", qty="3")
    rig.stranger("2", "3", "60000")
    client.order("a2", side="2", qty="1", px="61000")
    rig.stranger("1", "1", "61000")
    fees = D("0.0008") * D("0.01") * (3 * 60_000 + 61_000)
    assert usdt(rig) == 1_000_000 + D("0.01") * 1000 - fees
    sign = raw.backend._sign  # type: ignore[attr-defined]
    (row,) = raw.call(sign("GET", "account/positions", {"instType": "SWAP"}, rig.now.wall_ns))[1]["data"]
    assert (row["pos"], row["avgPx"], row["upl"], row["posSide"], row["ccy"]) == ("2", "60000", "20", "net", "USDT")


def test_a_contract_that_is_not_what_it_is_configured_as_is_not_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = Contract(InstrumentKind.PERPETUAL, D("0.1"), False, "USDT")
    monkeypatch.setattr(okx_backend, "_contract", lambda row: contract)
    rig = swap_rig(tmp_path)
    rig.pass_time(2)
    wrong = str(rig.core.status(rig.now)["wrong_account"])
    assert "configured are linear contracts of 0.01, settled in USDT, the venue has linear contracts of 0.1" in wrong
    client = FixClient(rig.live())
    assert words(client.order("a1")) == [("8", "8")]
    spot = client.send("D", f"11=s1|55={SYMBOL}|54=1|38=0.1|40=2|44=60000|59=1|")
    assert words(spot) == [("A", "A"), ("0", "0")], "a perpetual that is gone stops nothing else"


def test_a_mode_or_a_contract_that_changes_meanwhile_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = [{"acctLv": "2", "posMode": "net_mode"}, {"acctLv": "2", "posMode": "long_short_mode"}]
    monkeypatch.setattr(OkxRestApi, "_config", lambda *_: {"code": "0", "msg": "", "data": [modes[0]]})
    rig = swap_rig(tmp_path).live()
    client = FixClient(rig)
    assert words(client.order("a1"))[-1] == ("0", "0")
    modes.reverse()
    rig.pass_time(31, step_s=0.5)
    assert str(rig.core.status(rig.now)["wrong_account"]).endswith("long_short_mode")
    assert words(client.order("a2")) == [("8", "8")] and words(client.amend("g1", "a1", "3", "60000")) == [("9", "0")]
    assert words(client.cancel("c1", "a1")) == [("4", "4")]
    modes.reverse()
    contract = Contract(InstrumentKind.PERPETUAL, D("0.001"), False, "USDT")
    monkeypatch.setattr(okx_backend, "_contract", lambda row: contract)
    rig.pass_time(31, step_s=0.5)
    assert "the venue has linear contracts of 0.001" in str(rig.core.status(rig.now)["wrong_account"])
    assert words(client.order("a3")) == [("8", "8")]


def test_a_client_is_told_what_a_contract_is(client: FixClient) -> None:
    client.send("x", f"320=q|559=0|55={SWAP}|")
    (told,) = client.got
    assert (told[167], told[762], told[231], told[854], told[120]) == ("FUT", "PERPETUAL", "0.01", "1", "USDT")
    client.send("x", f"320=q|559=0|55={SYMBOL}|")
    assert 231 not in client.got[0] and 167 not in client.got[0]


def test_the_dead_man_s_switch_reaches_contracts(rig: Rig) -> None:
    guarded = FixClient(rig, "OTHER", logon=b"9001=Y\x01")
    guarded.order("a1")
    rig.pass_time(1)
    assert rig.core.status(rig.now)["switch_armed"] is True
    rig.core.abandon()
    venue = rig.world.core
    rig.world.now = rig.now._replace(boot_ns=rig.now.boot_ns + 61 * 10**9, wall_ns=rig.now.wall_ns + 61 * 10**9)
    venue.timer(rig.now)
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_a_kill_takes_what_was_placed_by_hand_in_contracts(rig: Rig, client: FixClient) -> None:
    venue = rig.world.core.venue
    terms = Terms("desk", "desk", "byhand", SWAP, SELL, LIMIT, D(1), D(70_000))
    order = venue.engine.place(terms, rig.now)
    client.order("a1")
    rig.core._kill(None, "test", rig.now)  # type: ignore[arg-type]
    rig.pass_time(3)
    assert not order.is_open and not rig.core.book.open


def test_a_contract_s_prices_are_in_contracts(rig: Rig, raw: Raw) -> None:
    listener = FixClient(rig, "MD", logon=b"141=Y\x01", listener="market_data")
    rig.stranger("2", "7.5", "65010")
    listener.send("V", f"262=r|263=1|264=0|265=1|146=1|55={SWAP}|267=2|269=0|269=1|")
    rig.pass_time(2)
    told = [each for each in listener.got if each[35] in ("W", "X")]
    assert any(each.get(270) == "65010" and each.get(271) == "7.5" for each in told), told


@pytest.mark.parametrize("seed", range(2))
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    assert_sound_after_trouble(Trial(seed, tmp_path, swap_rig), 40)


def test_a_bridge_that_is_killed_over_orders_for_contracts_finds_out_what_became_of_each(tmp_path: Path) -> None:
    assert_finds_out_after_kills(Trial(7, tmp_path, swap_rig))


def test_a_fill_that_was_pushed_while_nobody_listened_is_read(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="2")
    rig.cut("websocket")
    rig.stranger("2", "2", "60000")
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")]


def test_all_rows_of_a_contract_are_what_is_held_and_a_short_one_is_below_0() -> None:
    cross = {"instId": SWAP, "pos": "5", "posSide": "net", "mgnMode": "cross"}
    isolated = {**cross, "pos": "-2", "mgnMode": "isolated"}
    assert asked(ToldRows([], [cross, isolated]), "positions").positions == ((SWAP, D(3)),)
    assert asked(ToldRows([], [{**cross, "posSide": "short"}]), "positions").positions == ((SWAP, D(-5)),)


def test_what_holding_contracts_has_cost_and_brought_is_told_by_the_account_s_bills() -> None:
    bills = [
        {"billId": str(n), "type": kind, "ccy": "USDT", "balChg": change, "ts": str(TOLD_MS - ms)}
        for n, (kind, change, ms) in enumerate([("8", "-1.5", 10), ("2", "70", 20), ("8", "0.25", 30), ("8", "9", 60)])
    ]
    told = asked(ToldRows([], [], bills), "funding", since_ns=(TOLD_MS - 40) * 10**6)
    assert told.balances == (("USDT", D("-1.25"), D(0)),)


def test_the_simulated_side_pays_no_funding(raw: Raw) -> None:
    sign = raw.backend._sign  # type: ignore[attr-defined]
    asked_for = {"instType": "SWAP", "type": "8", "begin": "0"}
    assert raw.call(sign("GET", "account/bills-archive", asked_for, raw.rig.now.wall_ns))[1]["data"] == []
