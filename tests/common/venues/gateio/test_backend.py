"""What Gate.io's documents show, read and signed as they have it."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from common.venues.backend import FillFact, HttpCall, OrderFact, Verdict
from common.venues.ccxt_parts import ccxt_class, http_signer
from common.venues.gateio.backend import GateioSpotBackend
from tests.common.venues.gateio.rig import KEYS, backend

D = Decimal
STAMP_NS = 1_597_026_383 * 10**9
SIGNED = {
    "POST": (
        "8ca2c418604549d21be5b3a82d0bb422a07ea6254eea873e2b0fc1f8a9315c11169ba14c5c494c8d5935381519c7dd76876e97d865ab9593"
        "55a46a691b83ebcd"
    ),
    "GET": (
        "58e5f98e8f51be86dd8db29addbc290bdd1290e665f8ee667d0121f41eccb5c223bc8fb5998aea9ca95e0deff721829e1d43885e4ee66c28"
        "d627ec42e6e7f573"
    ),
}
"""CCXT 4.5.90's signatures under key "K" and secret "S", recorded offline."""

ORDER = (
    b'{"id":"1852454420","text":"t-abc123","amend_text":"-","create_time":"1710488334","update_time":"1710488334",'
    b'"create_time_ms":1710488334073,"update_time_ms":1710488334074,"status":"closed","currency_pair":"BTC_USDT",'
    b'"type":"limit","account":"unified","side":"buy","amount":"0.001","price":"65000","time_in_force":"gtc",'
    b'"iceberg":"0","left":"0","filled_amount":"0.001","fill_price":"63.4693","filled_total":"63.4693",'
    b'"avg_deal_price":"63469.3","fee":"0.00000022","fee_currency":"BTC","point_fee":"0","gt_fee":"0",'
    b'"gt_maker_fee":"0","gt_taker_fee":"0","gt_discount":false,"rebated_fee":"0","rebated_fee_currency":"USDT",'
    b'"finish_as":"filled"}'
)
"""Gate APIv4 documentation as stored 2025-11-25, amend single order, example response."""

FILL = (
    b'[{"id":"1232893232","create_time":"1548000000","create_time_ms":"1548000000123.456","order_id":"4128442423",'
    b'"side":"buy","role":"maker","amount":"0.15","price":"0.03","fee":"0.0005","fee_currency":"ETH","point_fee":"0",'
    b'"gt_fee":"0","sequence_id":"588018","text":"t-test","currency_pair":"ETH_BTC"}]'
)
"""The same, query personal trading records, with the currency_pair that its table has and its example leaves out."""


@pytest.mark.parametrize(
    ("method", "asked"),
    [("POST", {"text": "t-1"}), ("GET", {"currency_pair": "BTC_USDT", "status": "open"})],
)
def test_requests_are_signed_as_recorded(method: str, asked: dict[str, str]) -> None:
    exchange = ccxt_class("gate")({"apiKey": "K", "secret": "S"})
    call = http_signer(exchange, ["private", "spot"])(method, "orders", asked, STAMP_NS)
    headers = dict(call.headers)
    assert (headers["SIGN"], headers["Timestamp"], headers["KEY"]) == (SIGNED[method], "1597026383", "K")
    assert call.target.partition("?")[0] == "/api/v4/spot/orders"
    assert call.body == (b'{"text":"t-1"}' if method == "POST" else b"")


def test_an_order_and_a_fill_of_the_documents_are_read() -> None:
    (order,) = backend().read("ask_order", 200, ORDER).facts
    stamp_ns = 1_710_488_334_074_000_000
    wanted = OrderFact("abc123", "1852454420", "BTC_USDT", "2", D("0.001"), D(65000), D("0.001"), stamp_ns, "1")
    assert order == wanted
    (fill,) = backend().read("ask_fills_of", 200, FILL).facts
    assert fill == FillFact(
        "test", "4128442423", "ETH_BTC", "1232893232", D("0.03"), D("0.15"), D("0.0005"), "ETH", True,
        1_548_000_000_123_000_000, "1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "status", "body", "verdict"),
    [
        ("new", 201, ORDER, Verdict.DONE),
        ("new", 202, b"{}", Verdict.UNKNOWN),
        ("new", 200, b"{}", Verdict.UNKNOWN),
        ("new", 502, b"<html>", Verdict.UNKNOWN),
        ("new", 403, b"<html>", Verdict.UNKNOWN),
        ("new", 400, b'{"label":"ORDER_NOT_FOUND","message":""}', Verdict.REFUSED),
        ("cancel", 404, b'{"label":"ORDER_NOT_FOUND","message":""}', Verdict.ABSENT),
        ("amend", 400, b'{"label":"ORDER_CLOSED","message":""}', Verdict.ABSENT),
        ("amend", 400, b'{"label":"INVALID_PRECISION","message":""}', Verdict.REFUSED),
        ("ask_order", 404, b'{"label":"ORDER_NOT_FOUND","message":""}', Verdict.ABSENT),
        ("ask_order", 401, b'{"label":"INVALID_SIGNATURE","message":""}', Verdict.UNKNOWN),
        ("ask_open", 429, b'{"label":"TOO_MANY_REQUESTS","message":""}', Verdict.UNKNOWN),
        ("ask_fills", 200, b'[{"id":"1"}]', Verdict.UNKNOWN),
        ("ask_fills", 200, b"null", Verdict.UNKNOWN),
    ],
)
def test_labels_and_statuses_decide(what: str, status: int, body: bytes, verdict: Verdict) -> None:
    assert backend().read(what, status, body).verdict is verdict


def test_the_subscription_is_signed_over_channel_event_and_time() -> None:
    def unused(method: str, path: str, parameters: Mapping[str, object], wall_ns: int) -> HttpCall:
        pytest.fail("it is not for REST")

    ours = GateioSpotBackend(KEYS, unused, unused)
    asked = msgspec.json.decode(ours.subscribe(STAMP_NS))
    assert asked["payload"] == ["!all"] and asked["time"] == 1_597_026_383
    assert asked["auth"]["SIGN"] == (
        "6a4e45730584d3d319abfa411c541bf54f95f0ecef5c4972216d8daf8bc271c8ad21e0b920c7a910a742231ff1874f965775"
        "af9f9b00b5a8fd140628654fba12"
    )
