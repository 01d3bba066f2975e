"""CCXT against the folder's own simulated REST side, over the loopback: what FIX does not tell."""

import pytest
from msgspec import structs

from common.messages import Ask
from common.venues.credentials import Ed25519Account, HmacSecret
from common.venues.htx.rest import HtxRest, open_rest
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import BothSides
from tests.common.venues.samples import PEM


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
