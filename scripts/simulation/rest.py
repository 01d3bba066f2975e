"""The account's blocking worker without a thread: the venue's real `rest.py` over HTTP bytes of the fake network.

`BinanceRest.ask` calls an API and waits. Here the API answers from what it was told so far and, where it was told
nothing yet, breaks off with the request that it needs; when the answer has come the question is asked again from the
start. The requests are those that CCXT makes, signed alike.
"""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import h11
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.instant import NS_PER_MS, Instant
from common.messages import Answer, Ask
from common.venues.binance.rest import BinanceRest
from common.venues.ccxt_parts import ccxt_errors
from scripts.simulation.network import Channel, TcpStream

TIMEOUT_NS = 10_000 * NS_PER_MS
RECV_WINDOW_MS = 10_000

Open = Callable[["_Exchange"], TcpStream | None]
"""Opens a connection to the exchange's REST side for one HTTP exchange; None where it is refused."""


class Key:
    """What signs a request."""

    def __init__(self, api_key: str, private_key: Ed25519PrivateKey) -> None:
        """The API key and its private key."""
        self.api_key = api_key
        self._private_key = private_key

    def signature(self, query: str) -> str:
        """Over the raw query, as it stands in the URL."""
        return quote(base64.b64encode(self._private_key.sign(query.encode())).decode(), safe="")


class _Wanted(BaseException):
    """The next request that has no answer yet."""

    def __init__(self, method: str, path: str, parameters: dict[str, object], *, signed: bool) -> None:
        super().__init__(f"{method} {path}")
        self.method = method
        self.path = path
        self.parameters = parameters
        self.signed = signed


class _Api:
    """CCXT's methods as `BinanceRest` knows them, answered in the order in which they were asked."""

    def __init__(self, answers: list[tuple[int, bytes] | str]) -> None:
        self._answers = answers
        self._next = 0

    def _get(self, method: str, path: str, parameters: dict[str, object], *, signed: bool = True) -> Any:
        if self._next == len(self._answers):
            raise _Wanted(method, path, parameters, signed=signed)
        answer = self._answers[self._next]
        self._next += 1
        if isinstance(answer, str):
            raise ccxt_errors().NetworkError(answer)
        status, body = answer
        if status >= 400:
            raise ccxt_errors().ExchangeError(f"binance {body.decode()}")
        return json.loads(body)

    def publicGetTime(self, params: dict[str, object] | None = None) -> dict[str, Any]:  # noqa: N802
        return dict(self._get("GET", "time", params or {}, signed=False))

    def privateGetOrder(self, params: dict[str, object] | None = None) -> dict[str, Any]:  # noqa: N802
        return dict(self._get("GET", "order", params or {}))

    def privateGetOpenOrders(self, params: dict[str, object] | None = None) -> list[dict[str, Any]]:  # noqa: N802
        return list(self._get("GET", "openOrders", params or {}))

    def privateGetMyTrades(self, params: dict[str, object] | None = None) -> list[dict[str, Any]]:  # noqa: N802
        return list(self._get("GET", "myTrades", params or {}))

    def privateGetAccount(self, params: dict[str, object] | None = None) -> dict[str, Any]:  # noqa: N802
        return dict(self._get("GET", "account", params or {}))

    def privateDeleteOpenOrders(self, params: dict[str, object] | None = None) -> list[dict[str, Any]]:  # noqa: N802
        return list(self._get("DELETE", "openOrders", params or {}))


class _Exchange:
    """One HTTP request and its response, on a connection of its own."""

    def __init__(self, request: bytes, done: Callable[[tuple[int, bytes] | str], None]) -> None:
        self._request = request
        self._done: Callable[[tuple[int, bytes] | str], None] | None = done
        self._http = h11.Connection(h11.CLIENT)
        self._status = 0
        self._body = b""
        self.stream: TcpStream | None = None
        # h11 reads a response only where it saw the request.
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "simulated")]))
        self._http.send(h11.EndOfMessage())

    def ready(self, channel: Channel) -> None:
        """See `TcpEnd`: the worker blocks on this socket alone."""
        while channel.deliver(Instant(0, 0)):
            pass

    def tcp_opened(self, connection: int, now: Instant) -> None:
        """See `TcpEnd`."""
        if self.stream is not None:
            self.stream.write(self, self._request)

    def tcp_data(self, connection: int, data: bytes, now: Instant) -> None:
        """See `TcpEnd`."""
        self._http.receive_data(data)
        while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Response):
                self._status = event.status_code
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.finish((self._status, self._body))
                return
            else:
                return

    def tcp_closed(self, connection: int, text: str, now: Instant) -> None:
        """See `TcpEnd`."""
        self.finish(text)

    def tcp_writable(self, connection: int, now: Instant) -> None:
        """See `TcpEnd`."""

    def finish(self, outcome: tuple[int, bytes] | str) -> None:
        """The first outcome counts: a response, or how the connection failed."""
        done, self._done = self._done, None
        if done is not None:
            if self.stream is not None:
                self.stream.close(self)
            done(outcome)


class Worker:
    """One question under way."""

    def __init__(
        self,
        venue: str,
        ask: Ask,
        key: Key,
        clock: Callable[[], Instant],
        connect: Open,
        later: Callable[[int, Callable[[], None]], None],
        done: Callable[[Answer], None],
    ) -> None:
        """`later(delay_ns, call)` is the scheduler; `done` gets the answer."""
        self._venue = venue
        self._ask = ask
        self._key = key
        self._clock = clock
        self._connect = connect
        self._later = later
        self._done = done
        self._answers: list[tuple[int, bytes] | str] = []

    def go_on(self) -> None:
        """As far as the answers so far carry."""
        try:
            answer = BinanceRest(self._venue, _Api(self._answers)).ask(self._ask)
        except _Wanted as wanted:
            self._send(wanted)
            return
        self._done(answer)

    def _send(self, wanted: _Wanted) -> None:
        exchange = _Exchange(self._request(wanted), self._answered)
        exchange.stream = self._connect(exchange)
        if exchange.stream is None:
            self._later(NS_PER_MS, lambda: exchange.finish("connection refused"))
        else:
            self._later(TIMEOUT_NS, lambda: exchange.finish("timed out"))

    def _answered(self, outcome: tuple[int, bytes] | str) -> None:
        self._answers.append(outcome)
        self.go_on()

    def _request(self, wanted: _Wanted) -> bytes:
        parameters = {key: str(value) for key, value in wanted.parameters.items()}
        query = urlencode(parameters)
        if wanted.signed:
            now_ms = str(self._clock().wall_ns // NS_PER_MS)
            query = urlencode({"timestamp": now_ms, **parameters, "recvWindow": str(RECV_WINDOW_MS)})
            query += f"&signature={self._key.signature(query)}"
        target = f"/api/v3/{wanted.path}" + (f"?{query}" if query else "")
        lines = (
            f"{wanted.method} {target} HTTP/1.1",
            "Host: simulated",
            f"X-MBX-APIKEY: {self._key.api_key}",
            "",
            "",
        )
        return "\r\n".join(lines).encode()
