"""KuCoin's linear perpetuals over a bridge: quantities are contracts, and what they bring is in USDT."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from common.contracts import Contract, InstrumentKind
from common.exchange.order import LIMIT, SELL, Terms
from common.venues.backend import HttpCall, Verdict
from common.venues.kucoinfutures import backend as futures_backend
from common.venues.kucoinfutures.rest import open_backend
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.venues.kucoinfutures.rig import CONTRACT, KEYS, OTHER_SYMBOL, SYMBOL, D, RawClient, futures_rig
from tests.common.venues.kucoinfutures.socket_client import SocketClient
from tests.services.bridge.rig import FixClient, Rig, words
from tests.services.bridge.test_prices import Listener


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return futures_rig(tmp_path).live()


@pytest.fixture
def client(rig: Rig) -> FixClient:
    return FixClient(rig)


def positions(rig: Rig) -> dict[str, Any]:
    return {symbol: qty for (_, symbol), (qty, _) in rig.world.core.venue.state.accounts.positions.items()}


def usdt(rig: Rig) -> Decimal:
    return rig.world.core.venue.state.accounts.balance("desk", "USDT").free


def test_an_order_counts_in_contracts_and_its_fee_is_in_usdt(rig: Rig, client: FixClient) -> None:
    assert words(client.order("a1", qty="25")) == [("A", "A"), ("0", "0")]
    (sent,) = rig.requests("v1/orders HTTP")
    assert b'"marginMode":"CROSS"' in sent and b'"size":25' in sent
    assert b"reduceOnly" not in sent and b"positionSide" not in sent and b"leverage" not in sent
    client.got.clear()
    rig.stranger("2", "10", "60000")
    (fill,) = client.got
    assert (fill[150], fill[32], fill[31], fill[14], fill[151]) == ("F", "10", "60000", "10", "15")
    assert (fill[137], fill[138]) == ("0.48", "USDT"), "0.0008 of 600"
    assert words(client.cancel("c1", "a1")) == [("4", "4")]
    assert positions(rig) == {SYMBOL: 10} and usdt(rig) == 1_000_000 - D("0.48")


def test_a_market_order_is_for_contracts(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "30", "65000")
    told = client.send("D", f"11=a1|55={SYMBOL}|54=1|38=30|40=1|59=3|")
    assert words(told)[-1] == ("F", "2") and positions(rig) == {SYMBOL: 30}
    (sent,) = rig.requests("v1/orders HTTP")
    assert b'"type":"market"' in sent and b"price" not in sent and b"timeInForce" not in sent


def test_what_is_left_of_an_immediate_order_is_cancelled(rig: Rig, client: FixClient) -> None:
    rig.stranger("2", "30", "65000")
    told = client.send("D", f"11=a1|55={SYMBOL}|54=1|38=50|40=2|44=65000|59=3|")
    assert b'"timeInForce":"IOC"' in rig.requests("v1/orders HTTP")[0]
    assert words(told)[-2:] == [("F", "1"), ("4", "4")] and positions(rig) == {SYMBOL: 30}


def test_what_needs_more_margin_than_there_is_is_refused(client: FixClient) -> None:
    assert words(client.order("a1", qty="154000", px="64000"))[-1] == ("8", "8")
    assert "330008" in client.got[-1][58]
    assert words(client.order("a2", qty="153000", px="64000"))[-1] == ("0", "0")


def held(rig: Rig) -> dict[str, Any]:
    """The position as the account tells it."""
    raw = RawClient(rig)
    sign = raw.backend._sign  # type: ignore[attr-defined]
    (row,) = raw.call(sign("GET", "positions", {"currency": "USDT"}, rig.now.wall_ns))[1]["data"]
    assert isinstance(row, dict)
    return row


def test_what_is_closed_is_settled_in_usdt_and_told_as_a_position(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="30")
    rig.stranger("2", "30", "60000")
    client.order("a2", side="2", qty="10", px="61000")
    rig.stranger("1", "10", "61000")
    fees = D("0.0008") * D("0.001") * (30 * 60_000 + 10 * 61_000)
    assert usdt(rig) == 1_000_000 + D("0.001") * 10 * 1000 - fees
    row = held(rig)
    assert (row["currentQty"], row["avgEntryPrice"], row["unrealisedPnl"]) == (20, 60_000, 20)
    assert (row["marginMode"], row["positionSide"], row["settleCurrency"]) == ("CROSS", "BOTH", "USDT")


def test_a_close_that_is_too_large_turns_the_position_over(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="20")
    rig.stranger("2", "20", "60000")
    client.order("a2", side="2", qty="50", px="61000")
    rig.stranger("1", "50", "61000")
    fees = D("0.0008") * D("0.001") * (20 * 60_000 + 50 * 61_000)
    assert usdt(rig) == 1_000_000 + D("0.001") * 20 * 1000 - fees, "of the twenty alone something is realised"
    row = held(rig)
    assert (row["currentQty"], row["avgEntryPrice"], row["isOpen"]) == (-30, 61_000, True)
    rig.stranger("1", "1", "60500")
    rig.stranger("2", "1", "60500")
    assert held(rig)["unrealisedPnl"] == 15, "0.001 of 30 contracts sold at 500 more"


def test_a_contract_that_is_not_what_it_is_configured_as_is_not_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = Contract(InstrumentKind.PERPETUAL, D("0.01"), False, "USDT")
    monkeypatch.setattr(futures_backend, "_contract", lambda row: contract)
    client = FixClient(futures_rig(tmp_path).live())
    assert words(client.order("a1", qty="10")) == [("8", "8")]
    wrong = "configured are linear contracts of 0.001, settled in USDT, the venue has linear contracts of 0.01"
    assert wrong in client.got[-1][58]


def test_what_the_venue_has_filled_of_no_order_of_ours_moves_the_position_all_the_same(
    rig: Rig, client: FixClient
) -> None:
    engine = rig.world.core.venue.engine
    engine.place(Terms("desk", "desk", "byhand", SYMBOL, SELL, LIMIT, D(7), D(60_000)), rig.now)
    client.got.clear()
    rig.stranger("1", "7", "60000")
    rig.pass_time(31, step_s=0.5)
    (told,) = [each for each in client.got if each.get(150) == "F"]
    assert (told[54], told[32], told[31], told[55]) == ("2", "7", "60000", SYMBOL)
    body = b'{"code":"200000","data":[{"tradeId":"1","createdAt":1,"orderId":null}]}'
    reply = rig.backend.read("ask_fills", 200, body, HttpCall("GET", "/api/v1/recentFills", note="0"))
    assert reply.verdict is Verdict.DONE and reply.facts == ()


def test_what_is_settled_in_another_asset_is_not_opened() -> None:
    settings = RestSettings("x", "http://x", KEYS, 1000, symbols=(SYMBOL, "XBTUSDM"))
    with pytest.raises(ValueError, match="XBTUSDM: traded are perpetuals settled in USDT alone"):
        open_backend(settings)


def test_a_client_is_told_what_a_contract_is(client: FixClient) -> None:
    client.send("x", f"320=q|559=0|55={SYMBOL}|")
    (told,) = client.got
    assert (told[167], told[762], told[231], told[854], told[120]) == ("FUT", "PERPETUAL", "0.001", "1", "USDT")
    assert told[231] == f"{CONTRACT.multiplier:f}" and told[561] == "1"


def test_two_orders_of_ours_that_meet_have_one_trade_and_two_names(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="10", px="60000")
    rig.world.ask("fault", kind="self_trade", scope="fix", count=1)
    told = client.order("a2", side="2", qty="10", px="60000")
    fills = [each for each in told if each[150] == "F"]
    assert {each[11] for each in fills} == {"a1", "a2"} and len({each[1003] for each in fills}) == 1
    assert len({each[17] for each in fills}) == 2 and positions(rig) == {SYMBOL: 0}
    # The account's side tells the same trade by the same key: one ledger has both.
    raw = RawClient(rig)
    sign = raw.backend._sign  # type: ignore[attr-defined]
    rows = raw.call(sign("GET", "recentFills", {"symbol": SYMBOL}, rig.now.wall_ns))[1]["data"]
    rest: Any = find_rest("kucoinfutures")(RestSettings("x", "http://x", KEYS, 1000))
    trades = [rest._trade(row, SYMBOL, []) for row in rows]
    assert {(each.trade_key, each.order_id, each.symbol, each.last_qty, each.fee_qty) for each in trades} == {
        (each[1003], each[37], each[55], D(each[32]), D(each[137])) for each in fills
    }


def test_nothing_guards_the_orders_of_a_bridge_that_never_comes_back(rig: Rig) -> None:
    """There is no dead man's switch: what is guarded is cancelled by the bridge's next life."""
    guarded = FixClient(rig, "OTHER", logon=b"9001=Y\x01")
    guarded.order("a1", qty="10")
    rig.pass_time(1)
    assert rig.core.status(rig.now)["switch_armed"] is False
    rig.kill()
    rig.live()
    rig.pass_time(3)
    row = rig.at_venue("a1")
    assert row is not None and row["ord_status"] == "4"


def test_a_kill_takes_what_was_placed_by_hand_in_contracts(rig: Rig, client: FixClient) -> None:
    venue = rig.world.core.venue
    byhand = [
        venue.engine.place(Terms("desk", "desk", name, symbol, SELL, LIMIT, D(1), D(70_000)), rig.now)
        for name, symbol in (("byhand", SYMBOL), ("", OTHER_SYMBOL))
    ]
    client.order("a1", qty="10")
    rig.core._kill(None, "test", rig.now)  # type: ignore[arg-type]
    rig.pass_time(3)
    assert not any(order.is_open for order in byhand) and not rig.core.book.open


def test_prices_are_told_in_contracts_and_a_lost_push_has_the_book_told_anew(rig: Rig) -> None:
    rig.stranger("1", "5", "60000")
    rig.stranger("2", "4", "61000")
    listener = Listener(rig)
    assert listener.best == {"0": (D(60_000), D(5)), "1": (D(61_000), D(4))}
    rig.stranger("1", "2", "60500")
    rig.stranger("2", "1", "60500")
    listener.hear(0.5)
    assert listener.best["0"] == (D(60_500), D(1))
    assert [(each.px, each.qty) for each in listener.trades] == [(D(60_500), D(1))]
    rig.world.ask("fault", kind="gap", scope="websocket", count=1)
    rig.stranger("1", "3", "60600")
    rig.pass_time(0.3)
    rig.stranger("2", "6", "60900")
    listener.hear(1)
    assert listener.best == {"0": (D(60_600), D(3)), "1": (D(60_900), D(6))}
    assert {} in listener.seen and [each for each in listener.seen if len(each) == 1] == []
    prices: Any = rig.core.status(rig.now)["prices"]
    assert prices["renewals"] >= 1 and prices["known"] == sorted([SYMBOL, OTHER_SYMBOL])


def test_positions_are_pushed_with_their_sign_to_whoever_signed(rig: Rig, client: FixClient) -> None:
    every, one, stranger = (
        SocketClient(rig, topic, private=private)
        for topic, private in (
            ("/contract/positionAll", True), (f"/contract/position:{OTHER_SYMBOL}", True),
            ("/contract/positionAll", False),
        )
    )  # fmt: skip
    assert [each.answers[0]["type"] for each in (every, one, stranger)] == ["ack", "ack", "error"]
    client.order("a1", side="2", qty="7", px="60000")
    rig.stranger("1", "7", "60000")
    (told,) = every.told()
    assert (told["topic"], told["subject"]) == ("/contract/positionAll", "position.change")
    assert (told["data"]["symbol"], told["data"]["currentQty"], told["data"]["avgEntryPrice"]) == (SYMBOL, -7, 60_000)
    assert one.told() == [] == stranger.told()


def test_a_fill_that_was_pushed_while_nobody_listened_is_read(rig: Rig, client: FixClient) -> None:
    client.order("a1", qty="20")
    rig.cut("websocket")
    rig.stranger("2", "20", "60000")
    client.got.clear()
    rig.live()
    assert words(client.got) == [("F", "2")]
