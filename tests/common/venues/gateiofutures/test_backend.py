"""What Gate.io's documents of futures show, read and signed as they have it."""

from decimal import Decimal

import pytest

from common.contracts import Contract, InstrumentKind
from common.venues.backend import FillFact, OrderFact, Push, TradeFact, Verdict
from tests.common.venues.gateiofutures.rig import backend

D = Decimal
STAMP_NS = 1_597_026_383 * 10**9
ORDER = (
    b'{"id":15675394,"user":100000,"contract":"BTC_USDT","create_time":1546569968,"size":6024,"iceberg":0,"left":6024,'
    b'"price":"3765","fill_price":"0","mkfr":"-0.00025","tkfr":"0.00075","tif":"gtc","refu":0,"is_reduce_only":false,'
    b'"is_close":false,"is_liq":false,"text":"t-my-custom-id","status":"finished","finish_time":1514764900,'
    b'"finish_as":"cancelled","stp_id":0,"stp_act":"-","amend_text":"-"}'
)
"""Gate APIv4 documentation as stored 2025-11-25, place futures order, example response."""

FILL = (
    b'[{"trade_id":"121234231","create_time":1514764800.123,"contract":"BTC_USDT","order_id":"21893289839","size":100,'
    b'"price":"100.123","text":"t-123456","fee":"0.01","point_fee":"0","role":"taker","close_size":0}]'
)
"""The same, query personal trading records by time range."""

PUSHED_ORDER = (
    '{"channel":"futures.orders","event":"update","time":1541505434,"time_ms":1541505434123,"result":[{"contract":'
    '"BTC_USD","create_time":1628736847,"create_time_ms":1628736847325,"fill_price":40000.4,"finish_as":"filled",'
    '"finish_time":1628736848,"finish_time_ms":1628736848321,"iceberg":0,"id":4872460,"is_close":false,"is_liq":false,'
    '"is_reduce_only":false,"left":0,"mkfr":-0.00025,"price":40000.4,"refr":0,"refu":0,"size":1,"status":"finished",'
    '"text":"-","tif":"gtc","tkfr":0.0005,"user":"110xxxxx","update_id":1,"update_time":1541505434123,'
    '"stop_loss_price":"","stop_profit_price":""}]}'
)
PUSHED_FILL = (
    '{"time":1543205083,"time_ms":1543205083123,"channel":"futures.usertrades","event":"update","result":[{"id":'
    '"3335259","create_time":1628736848,"create_time_ms":1628736848321,"contract":"BTC_USD","order_id":"4872460",'
    '"size":1,"price":"40000.4","role":"maker","text":"api","fee":0.0009290592,"point_fee":0}]}'
)
PUBLIC_TRADES = (
    '{"channel":"futures.trades","event":"update","time":1541503698,"time_ms":1541503698123,"result":[{"size":-108,'
    '"id":27753479,"create_time":1545136464,"create_time_ms":1545136464123,"price":"96.4","contract":"BTC_USD",'
    '"is_internal":true}]}'
)
"""Gate futures WebSocket v4 documentation as stored 2025-11-25."""


def test_an_order_and_a_fill_of_the_documents_are_read() -> None:
    (order,) = backend().read("ask_order", 200, ORDER).facts
    stamp_ns = 1_514_764_900_000_000_000
    assert order == OrderFact(
        "my-custom-id", "15675394", "BTC_USDT_PERP", "4", D(6024), D(3765), D(0), stamp_ns, "1"
    )
    (fill,) = backend().read("ask_fills", 200, FILL, backend().ask_fills(0, "", STAMP_NS)).facts
    assert fill == FillFact(
        "123456", "21893289839", "BTC_USDT_PERP", "121234231", D("100.123"), D(100), D("0.01"), "USDT", False,
        1_514_764_800_123_000_000, "1",
    )  # fmt: skip


def test_pushes_of_the_documents_are_read() -> None:
    push, (order,) = backend().read_push(PUSHED_ORDER)
    assert push is Push.OTHER and isinstance(order, OrderFact)
    assert (order.ord_status, order.cum_qty, order.price, order.venue_id) == ("2", D(1), D("40000.4"), "")
    _, (fill,) = backend().read_push(PUSHED_FILL)
    assert isinstance(fill, FillFact) and (fill.fee, fill.trade_id, fill.maker) == (D("0.0009290592"), "3335259", True)
    _, (trade,) = backend().read_prices(PUBLIC_TRADES)  # type: ignore[attr-defined]
    assert trade == TradeFact("BTC_USD_PERP", "27753479", D("96.4"), D(108), "2", 1_545_136_464_123_000_000)


def test_a_request_s_path_and_body_are_those_of_futures() -> None:
    call = backend().ask_open("100", STAMP_NS)
    assert call.target == "/api/v4/futures/usdt/orders?status=open&offset=100&limit=100"
    assert dict(call.headers)["Timestamp"] == "1597026383" and dict(call.headers)["KEY"] == "K"


def test_what_a_contract_is_is_read_of_the_list() -> None:
    rows = (
        b'[{"name":"BTC_USDT","type":"direct","quanto_multiplier":"0.0001"},'
        b'{"name":"X_USDT","type":"of a form that is not known"}]'
    )
    told = backend().read("ask_contracts", 200, rows).contracts
    assert told == {"BTC_USDT_PERP": Contract(InstrumentKind.PERPETUAL, D("0.0001"), False, "USDT")}
    inverse = backend().read("ask_contracts", 200, rows.replace(b"direct", b"inverse")).contracts
    assert inverse["BTC_USDT_PERP"].inverse


def test_pages_follow_each_other_and_fills_come_the_oldest_first() -> None:
    call = backend().ask_fills(0, "2000", STAMP_NS)
    row = FILL[1:-1].decode()
    rows = ",".join(row.replace("121234231", str(n)) for n in range(1000, 0, -1))
    reply = backend().read("ask_fills", 200, f"[{rows}]".encode(), call)
    assert reply.next_page == "3000"
    assert [fact.trade_id for fact in reply.facts[:2] if isinstance(fact, FillFact)] == ["1", "2"]
    assert backend().read("ask_fills", 200, FILL, call).next_page == ""


@pytest.mark.parametrize(
    ("what", "status", "body", "verdict"),
    [
        ("new", 201, ORDER, Verdict.DONE),
        ("new", 202, b"{}", Verdict.UNKNOWN),
        ("new", 502, b"<html>", Verdict.UNKNOWN),
        ("new", 400, b'{"label":"INSUFFICIENT_AVAILABLE","detail":""}', Verdict.REFUSED),
        ("cancel", 404, b'{"label":"ORDER_NOT_FOUND"}', Verdict.ABSENT),
        ("amend", 400, b'{"label":"ORDER_FINISHED"}', Verdict.ABSENT),
        ("ask_order", 404, b'{"label":"ORDER_NOT_FOUND"}', Verdict.ABSENT),
        ("ask_account", 200, b'{"user":4711,"in_dual_mode":false}', Verdict.DONE),
        ("ask_account", 200, b"{}", Verdict.UNKNOWN),
        ("ask_account", 401, b'{"label":"INVALID_SIGNATURE"}', Verdict.UNKNOWN),
        ("ask_open", 200, b'[{"id":1,"size":2,"left":3}]', Verdict.UNKNOWN),
        ("ask_contracts", 200, b'[{"name":"BTC_USDT"}]', Verdict.UNKNOWN),
    ],
)
def test_labels_and_statuses_decide(what: str, status: int, body: bytes, verdict: Verdict) -> None:
    assert backend().read(what, status, body, backend().ask_open("", 0)).verdict is verdict
