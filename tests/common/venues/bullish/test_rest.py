"""CCXT against the folder's own simulated REST side, over the loopback: what FIX does not tell."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from common.messages import Ask, ExecutionReport
from common.venues.bullish.rest import BullishRest, open_rest
from common.venues.credentials import HmacSecret, PasswordHmac
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import BothSides, Desk

D = Decimal


def ask(rest: BullishRest, what: str, symbol: str = "BTCUSDC", **more: Any) -> Any:
    """An answer that did not fail."""
    answer = rest.ask(Ask("x", 1, what, symbol, **more))
    assert not answer.failed, answer.text
    return answer


def resting(desk: Desk, **terms: Any) -> ExecutionReport:
    told = desk.new(**terms)[1][-1]
    assert isinstance(told, ExecutionReport)
    return told


def test_the_best_prices_are_told(sides: BothSides, rest: BullishRest) -> None:
    sides.stranger("1", D("0.5"), D(64000))
    (told,) = ask(rest, "ticker").tickers
    assert (told.bid_px, told.bid_qty, told.ask_px, told.ask_qty) == (D(64000), D("0.5"), None, D(0))


def test_a_token_that_is_over_is_followed_by_another(sides: BothSides, desk: Desk, rest: BullishRest) -> None:
    told = resting(desk)
    assert [o.order_id for o in ask(rest, "open_orders").orders] == [told.order_id]
    former, rest.api.token = rest.api.token, "over"
    assert [o.order_id for o in ask(rest, "open_orders").orders] == [told.order_id]
    assert rest.api.token not in ("over", former)


def test_a_stranger_s_signature_and_an_answer_of_another_form_are_failures(
    sides: BothSides, rest: BullishRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = sides.credentials
    assert isinstance(ours, PasswordHmac)
    url = rest.api.urls["api"]["private"]  # type: ignore[attr-defined]
    other = structs.replace(ours, secret=ours.secret[::-1])
    answer = open_rest(RestSettings("x", url, other, 2000)).ask(Ask("x", 1, "open_orders", "BTCUSDC"))
    assert answer.failed and answer.error_code == 8005 and not answer.not_found
    odd = {"data": [{"status": "odd", "quantity": "1", "quantityFilled": "0"}]}
    monkeypatch.setattr(rest.api, "privateGetV2Orders", lambda params: odd)
    assert rest.ask(Ask("x", 1, "open_orders", "BTCUSDC")).failed
    with pytest.raises(ValueError, match="credentials"):
        open_rest(RestSettings("x", "http://127.0.0.1:9", HmacSecret("me", b"hunter2"), 500))
