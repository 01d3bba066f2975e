"""CCXT against a venue of a few lines on the loopback: signed as Binance wants it, and nothing concluded too early."""

import base64
import datetime
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.config import load
from common.first_start import prepare
from common.messages import Ask, RestOrder, encode
from common.venues.binance.rest import BinanceRest, open_rest
from common.venues.ccxt_parts import Throttle
from common.venues.credentials import Ed25519Key, HmacSecret
from common.venues.pace import BURST_SHARE, MINUTE_S, Pace
from common.venues.rest import RestSettings

KEY = Ed25519PrivateKey.generate()
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def key(pem: str = PEM) -> Ed25519Key:
    """The desk's key as its files hold it."""
    return Ed25519Key("the-key", pem.encode())


ORDER = {
    "symbol": "BTCUSDT", "orderId": 77, "clientOrderId": "abc", "price": "64000.10000000", "origQty": "0.50000000",
    "executedQty": "0.20000000", "status": "PARTIALLY_FILLED", "side": "SELL", "time": 5, "updateTime": 7,
}  # fmt: skip
TRADE = {
    "symbol": "BTCUSDT", "id": 9, "orderId": 77, "price": "64000.1", "qty": "0.2", "commission": "0.0128",
    "commissionAsset": "USDT", "time": 7, "isBuyer": False, "isMaker": True,
}  # fmt: skip


class Venue:
    """Answers by path, each answer used once and the last one kept; notes what it was asked."""

    def __init__(self) -> None:
        self.said: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []
        self.bad_signatures = 0
        self.clock_runs = True

    def answer(self, method: str, target: str, api_key: str) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        name = f"{method} {path.removeprefix('/api/v3/')}"
        self.asked.append((name, api_key, parse_qs(query)))
        if name == "GET time":
            return 200, {"serverTime": 1_700_000_000_000 + len(self.asked) if self.clock_runs else 0}
        text, _, signature = query.rpartition("&signature=")
        try:
            KEY.public_key().verify(base64.b64decode(unquote(signature)), text.encode())
        except Exception:
            self.bad_signatures += 1
        said = self.said[name]
        return said.pop(0) if len(said) > 1 else said[0]


@contextmanager
def listening(it: Venue, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The venue at an address of the loopback, `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = it.answer(self.command, self.path, self.headers.get("X-MBX-APIKEY", ""))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def venue() -> Iterator[tuple[Venue, BinanceRest]]:
    """A venue that listens, and the REST side of an account that speaks to it."""
    it = Venue()
    with listening(it) as address:
        rest = open_rest(RestSettings("binance", f"http://{address}/api/v3", key(PEM + "\r\n"), 2000))
        yield it, rest
        rest.api.close()  # type: ignore[attr-defined]


def test_an_order_is_read_without_floats(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["GET order"] = [(200, ORDER)]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.order == RestOrder(
        "BTCUSDT",
        "77",
        "abc",
        "2",
        "1",
        Decimal("0.50000000"),
        Decimal("64000.10000000"),
        Decimal("0.20000000"),
        7_000_000,
    )
    name, api_key, query = it.asked[0]
    assert (name, api_key, query["origClientOrderId"]) == ("GET order", "the-key", ["abc"])
    assert it.bad_signatures == 0


def test_trades_are_asked_for_from_an_identity_on(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["GET myTrades"] = [(200, [TRADE])]
    answer = rest.ask(Ask("binance", 1, "trades", "BTCUSDT", from_trade_key="9"))
    trade = answer.trades[0]
    assert (trade.trade_key, trade.order_id, trade.side, trade.fee_qty) == ("9", "77", "2", Decimal("0.0128"))
    assert answer.venue_ns == 1_700_000_000_001_000_000
    assert it.asked[-1][2]["fromId"] == ["9"]


def test_trades_are_asked_for_by_order_or_from_a_time_on(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["GET myTrades"] = [(200, [TRADE])]
    rest.ask(Ask("binance", 1, "trades", "BTCUSDT", order_id="77"))
    assert it.asked[-1][2]["orderId"] == ["77"]
    rest.ask(Ask("binance", 2, "trades", "BTCUSDT", since_ns=5_000_000))
    assert it.asked[-1][2]["startTime"] == ["5"]
    rest.ask(Ask("binance", 3, "trades", "BTCUSDT"))
    assert not {"orderId", "startTime", "fromId"} & it.asked[-1][2].keys()


def test_not_found_is_believed_when_said_twice_with_the_clock_in_between(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["GET order"] = [(400, {"code": -2013, "msg": "Order does not exist."})]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.not_found and not answer.failed
    assert [name for name, _, _ in it.asked] == ["GET order", "GET time", "GET order"]
    assert answer.venue_ns == 1_700_000_000_002_000_000


def test_not_found_is_not_believed_where_the_venues_clock_tells_nothing(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.clock_runs = False
    it.said["GET order"] = [(400, {"code": -2013, "msg": "Order does not exist."})]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.failed and not answer.not_found and "neither told nor denied" in answer.text


def test_what_turns_up_the_second_time_is_found(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["GET order"] = [(400, {"code": -2013, "msg": "Order does not exist."}), (200, ORDER)]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.order is not None and not answer.not_found


@pytest.mark.parametrize("code", [-2015, -1003, -1021, -2011])
def test_any_other_code_is_a_failure(venue: tuple[Venue, BinanceRest], code: int) -> None:
    it, rest = venue
    it.said["GET order"] = [(400, {"code": code, "msg": "no"})]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.failed and not answer.not_found and answer.error_code == code


def test_nothing_to_cancel_is_no_failure(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["DELETE openOrders"] = [(400, {"code": -2011, "msg": "Unknown order sent."}), (200, [ORDER, ORDER])]
    assert rest.ask(Ask("binance", 1, "cancel_all", "BTCUSDT")).cancelled == 0
    assert rest.ask(Ask("binance", 1, "cancel_all", "BTCUSDT")).cancelled == 2


def test_an_answer_of_another_form_is_a_failure(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["GET order"] = [(200, ORDER | {"status": "SLEEPING"})]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.failed and "SLEEPING" in answer.text
    it.said["GET order"] = [(200, ORDER | {"executedQty": "NaN"})]
    answer = rest.ask(Ask("binance", 2, "order", "BTCUSDT", "abc"))
    assert answer.failed and "executedQty" in answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("executedQty", "1E+999999"),
        ("executedQty", "1" + "0" * 18),
        ("origQty", "0." + "0" * 40 + "1"),
        ("updateTime", 10**30),
        ("updateTime", "1" * 5000),
        ("updateTime", float("inf")),
    ],
)
def test_a_number_beyond_all_bounds_is_a_failure(venue: tuple[Venue, BinanceRest], field: str, value: object) -> None:
    it, rest = venue
    it.said["GET order"] = [(200, ORDER | {field: value})]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.failed and encode(answer)


@pytest.mark.parametrize(
    ("odd", "px", "fee", "unread"),
    [
        ({"commission": "N/A"}, "64000.1", ("0", "USDT"), "not read: commission of trade 9"),
        ({"commission": None, "commissionAsset": None}, "64000.1", ("0", ""), "not read: commission of trade 9"),
        ({"commissionAsset": ""}, "64000.1", ("0", ""), "not read: commissionAsset of trade 9"),
        ({"time": "yesterday"}, "64000.1", ("0.0128", "USDT"), "not read: time of trade 9"),
        ({"price": "x"}, "0", ("0.0128", "USDT"), "not read: price of trade 9"),
        ({"price": "0." + "0" * 18 + "1"}, "0." + "0" * 18 + "1", ("0.0128", "USDT"), ""),
    ],
)
def test_an_odd_secondary_field_costs_no_trade(
    venue: tuple[Venue, BinanceRest], odd: dict[str, object], px: str, fee: tuple[str, str], unread: str
) -> None:
    it, rest = venue
    it.said["GET myTrades"] = [(200, [TRADE | odd])]
    answer = rest.ask(Ask("binance", 1, "trades", "BTCUSDT"))
    (trade,) = answer.trades
    assert (trade.trade_key, trade.order_id, trade.side, trade.last_qty) == ("9", "77", "2", Decimal("0.2"))
    assert (trade.last_px, trade.fee_qty, trade.fee_asset) == (Decimal(px), Decimal(fee[0]), fee[1])
    assert (answer.failed, answer.text) == (False, unread)


@pytest.mark.parametrize(("told", "side"), [(True, "1"), (False, "2"), (None, ""), ("false", "")])
def test_a_side_that_is_not_told_is_no_sell(venue: tuple[Venue, BinanceRest], told: object, side: str) -> None:
    it, rest = venue
    it.said["GET myTrades"] = [(200, [TRADE | {"isBuyer": told, "symbol": None}])]
    (trade,) = rest.ask(Ask("binance", 1, "trades", "BTCUSDT")).trades
    assert (trade.side, trade.symbol) == (side, "BTCUSDT")
    it.said["GET order"] = [(200, ORDER | {"side": {"1": "BUY", "2": "SELL"}.get(side, told), "clientOrderId": None})]
    order = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc")).order
    assert order is not None and (order.side, order.cl_ord_id) == (side, "")


@pytest.mark.parametrize("odd", [{"id": None}, {"orderId": ""}, {"qty": "x"}])
def test_a_trade_that_cannot_be_identified_fails_the_answer(
    venue: tuple[Venue, BinanceRest], odd: dict[str, object]
) -> None:
    it, rest = venue
    it.said["GET myTrades"] = [(200, [TRADE, TRADE | odd])]
    assert rest.ask(Ask("binance", 1, "trades", "BTCUSDT")).failed


@pytest.mark.parametrize("status", [200, 400])
def test_half_a_character_in_an_answer_is_no_word_that_cannot_be_journaled(
    venue: tuple[Venue, BinanceRest], status: int
) -> None:
    it, rest = venue
    it.said["GET order"] = [(status, ORDER | {"clientOrderId": "x\ud800", "code": -(10**30), "msg": "no\udfff"})]
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    assert answer.failed and encode(answer) and orjson.dumps(answer.text)


def test_balances(venue: tuple[Venue, BinanceRest]) -> None:
    it, rest = venue
    it.said["GET account"] = [(200, {"balances": [{"asset": "BTC", "free": "1.5", "locked": "0.5"}]})]
    assert rest.ask(Ask("binance", 1, "balances")).balances == (("BTC", Decimal("1.5"), Decimal("0.5")),)


def test_no_signature_in_an_error() -> None:
    rest = open_rest(RestSettings("binance", "http://127.0.0.1:9/api/v3", key(), 1000))
    answer = rest.ask(Ask("binance", 1, "order", "BTCUSDT", "abc"))
    rest.api.close()  # type: ignore[attr-defined]
    assert answer.failed and "signature" not in answer.text and "the-key" not in answer.text


def test_a_certificate_of_our_own_ca_is_trusted_by_its_file_and_by_nothing_else(tmp_path: Path) -> None:
    config = load(environ={"FIXRING_VAR": str(tmp_path)})
    prepare(config, datetime.datetime.now(datetime.UTC))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(config.paths.server_certificate("binance"), config.paths.server_key("binance"))
    with listening(Venue(), tls) as address:
        for ca, failed in ((str(config.paths.keys / "ca.pem"), False), ("", True)):
            rest = open_rest(RestSettings("binance", f"https://{address}/api/v3", key(), 2000, ca))
            assert rest.ask(Ask("binance", 1, "time")).failed is failed
            rest.api.close()  # type: ignore[attr-defined]


def test_a_file_that_is_gone_is_a_failed_answer(tmp_path: Path) -> None:
    settings = RestSettings("binance", "https://127.0.0.1:1/api/v3", key(), 500, str(tmp_path / "gone.pem"))
    answer = open_rest(settings).ask(Ask("binance", 1, "time"))
    assert answer.failed and "gone.pem" in answer.text


def test_a_request_that_has_to_wait_sleeps_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 1000.0)
    throttle = Throttle(time, Pace(20.0), float)
    throttle(20.0 * MINUTE_S * BURST_SHARE)
    assert slept == []
    throttle(None)
    assert slept == [pytest.approx(1 / (20.0 * (1 - BURST_SHARE)))]


def test_only_an_ed25519_key_signs() -> None:
    with pytest.raises(ValueError, match="Ed25519"):
        open_rest(RestSettings("binance", "https://127.0.0.1:1/api/v3", HmacSecret("key", b"secret"), 500))
