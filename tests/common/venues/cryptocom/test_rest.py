"""CCXT against the folder's own simulated REST side, over the loopback: what FIX does not tell."""

from typing import Any

import pytest

from common.messages import Ask
from common.venues.credentials import HmacSecret, Password
from common.venues.cryptocom.rest import CryptocomRest, open_rest
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import BothSides, Desk


def ask(rest: CryptocomRest, what: str, symbol: str = "BTC_USD", **more: Any) -> Any:
    """An answer that did not fail."""
    answer = rest.ask(Ask("x", 1, what, symbol, **more))
    assert not answer.failed, answer.text
    return answer


def test_what_there_is_not_has_a_code_of_its_own(sides: BothSides, rest: CryptocomRest) -> None:
    answer = ask(rest, "order", cl_ord_id=sides.next_name())
    assert answer.not_found and answer.error_code == 40401


def test_more_trades_of_one_instant_than_a_page_has_are_a_failure_and_no_loss(
    sides: BothSides, desk: Desk, rest: CryptocomRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"trade_id": "1", "create_time": 1, "create_time_ns": "1000000"}
    page = {"result": {"data": [{**row, "trade_id": str(n)} for n in range(100)]}}
    monkeypatch.setattr(rest.api, "v1PrivatePostPrivateGetTrades", lambda params: page)
    answer = rest.ask(Ask("x", 1, "trades", "BTC_USD", since_ns=sides.world.now.wall_ns))
    assert answer.failed and "do not end" in answer.text


def test_a_stranger_s_signature_and_an_answer_of_another_form_are_failures(
    sides: BothSides, rest: CryptocomRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = sides.credentials
    assert isinstance(ours, HmacSecret)
    url = rest.api.urls["api"]["v1"]  # type: ignore[attr-defined]
    forged = open_rest(RestSettings("x", url, HmacSecret(ours.api_key, ours.secret[::-1]), 2000))
    answer = forged.ask(Ask("x", 1, "open_orders", "BTC_USD"))
    assert answer.failed and answer.error_code == 40101 and not answer.not_found
    odd = {"result": {"data": [{"status": "odd"}]}}
    monkeypatch.setattr(rest.api, "v1PrivatePostPrivateGetOpenOrders", lambda params: odd)
    assert rest.ask(Ask("x", 1, "open_orders", "BTC_USD")).failed
    with pytest.raises(ValueError, match="credentials"):
        open_rest(RestSettings("x", "http://127.0.0.1:9", Password("me", "hunter2"), 500))
