"""CCXT against the folder's own simulated REST side, over the loopback: what FIX does not tell."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from common.messages import Ask, ExecutionReport, Trade
from common.venues.credentials import Ed25519Account, HmacSecret
from common.venues.htx.rest import HtxRest, open_rest
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import BothSides, Desk
from tests.common.venues.samples import PEM

D = Decimal


def ask(rest: HtxRest, what: str, symbol: str = "BTCUSDT", **more: Any) -> Any:
    """An answer that did not fail."""
    answer = rest.ask(Ask("x", 1, what, symbol, **more))
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: Any) -> ExecutionReport:
    told = desk.new(**terms)[1][-1]
    assert isinstance(told, ExecutionReport)
    return told


def fills(desk: Desk) -> list[ExecutionReport]:
    return [e for e in desk.heard() if isinstance(e, ExecutionReport) and e.exec_type == "F"]


def test_an_order_is_told_by_either_of_its_names_open_or_closed(sides: BothSides, desk: Desk, rest: HtxRest) -> None:
    told = resting(desk, price=sides.price)
    sides.stranger("2", sides.qty / 4, sides.price)
    for by in ({"cl_ord_id": told.cl_ord_id}, {"order_id": told.order_id}):
        order = ask(rest, "order", **by).order
        assert (order.symbol, order.order_id, order.cl_ord_id, order.ord_status, order.cum_qty, order.price) == (
            "BTCUSDT", told.order_id, told.cl_ord_id, "1", sides.qty / 4, sides.price,
        )  # fmt: skip
    assert [o.order_id for o in ask(rest, "open_orders").orders] == [told.order_id]
    assert ask(rest, "open_orders", "ETHUSDT").orders == ()
    sides.stranger("2", sides.qty, sides.price)
    assert ask(rest, "order", cl_ord_id=told.cl_ord_id).order.ord_status == "2", "which FIX does not know any more"


def test_what_there_is_not_is_denied_with_the_clock_in_between(sides: BothSides, rest: HtxRest) -> None:
    for by in ({"cl_ord_id": sides.next_name()}, {"order_id": "4711"}):
        answer = ask(rest, "order", **by)
        assert answer.not_found
        assert 0 <= sides.world.now.wall_ns - answer.venue_ns < 10**9


def test_trades_have_the_numbers_that_fix_gives_them(sides: BothSides, desk: Desk, rest: HtxRest) -> None:
    told = resting(desk, price=sides.price)
    since_ns = sides.world.now.wall_ns
    for _ in range(3):
        sides.stranger("2", sides.qty / 4, sides.price)
    over_fix = fills(desk)
    trades = ask(rest, "trades", since_ns=since_ns).trades
    assert [t.trade_key for t in trades] == [e.trade_key for e in over_fix]
    first, fix = trades[0], over_fix[0]
    assert first.fee_qty > 0, "which FIX does not tell"
    assert first == Trade(
        "BTCUSDT", fix.trade_key, told.order_id, "1", sides.qty / 4, sides.price, first.fee_qty, "BTC",
        first.transact_ns, True,
    )  # fmt: skip
    keys = [t.trade_key for t in trades]
    assert [t.trade_key for t in ask(rest, "trades", from_trade_key=keys[1]).trades] == keys[1:]
    assert [t.trade_key for t in ask(rest, "trades", order_id=told.order_id).trades] == keys
    assert ask(rest, "trades", "ETHUSDT", since_ns=since_ns).trades == ()


def test_trades_of_many_pages_come_oldest_first(sides: BothSides, desk: Desk, rest: HtxRest) -> None:
    resting(desk, order_qty=D("0.2"), price=sides.price)
    since_ns = sides.world.now.wall_ns
    for number in range(120):
        if number % 40 == 0:
            sides.world.pass_time(0.001, 0.001)
        sides.stranger("2", D("0.001"), sides.price)
    told = [t.trade_key for t in ask(rest, "trades", since_ns=since_ns).trades]
    assert len(told) == 120 and told == [e.trade_key for e in fills(desk)]


def test_balances(sides: BothSides, desk: Desk, rest: HtxRest) -> None:
    told = resting(desk)
    balances = {asset: (free, held) for asset, free, held in ask(rest, "balances").balances}
    assert told.price is not None and told.order_qty is not None
    assert balances["BTC"] == (D(1000), D(0)) and balances["USDT"][1] == told.price * told.order_qty


def test_everything_of_a_symbol_is_cancelled(sides: BothSides, desk: Desk, rest: HtxRest) -> None:
    for _ in range(3):
        resting(desk)
    other = resting(desk, symbol="ETHUSDT", price=D(3000), order_qty=D(1))
    assert ask(rest, "cancel_all").cancelled == 3
    assert [o.order_id for o in ask(rest, "open_orders", "").orders] == [other.order_id]
    assert ask(rest, "cancel_all").cancelled == 0
    assert [e.exec_type for e in desk.heard() if isinstance(e, ExecutionReport)] == ["4"] * 3, "FIX tells of it"


def test_a_stranger_s_signature_and_an_answer_of_another_form_are_failures(
    sides: BothSides, rest: HtxRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = sides.credentials
    assert isinstance(ours, Ed25519Account)
    url = rest.api.urls["api"]["spot"]  # type: ignore[attr-defined]
    answer = open_rest(RestSettings("x", url, structs.replace(ours, private_key_pem=PEM), 2000)).ask(
        Ask("x", 1, "open_orders", "BTCUSDT")
    )
    assert answer.failed and "api-signature-not-valid" in answer.text and not answer.not_found
    odd = {"data": [{"state": "odd"}]}
    monkeypatch.setattr(rest.api, "spotPrivateGetV1OrderOpenOrders", lambda params: odd)
    assert rest.ask(Ask("x", 1, "open_orders", "BTCUSDT")).failed
    with pytest.raises(ValueError, match="credentials"):
        open_rest(RestSettings("x", "http://127.0.0.1:9", HmacSecret("me", b"hunter2"), 500))
