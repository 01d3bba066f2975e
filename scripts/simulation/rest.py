"""A blocking worker without a thread: a venue's real `rest.py` and CCXT over HTTP bytes of the fake network.

`RestSide.ask` calls an API and waits. Here what CCXT takes for its HTTP session answers from what it was told so far
and, where it was told nothing yet, breaks off with the request that it needs; when the answer has come the question is
asked again from the start. So is a pause that the venue's pace demands.
"""

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit

import h11
import msgspec

from common.config import VenueConfig
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import Answer
from common.venues.ccxt_parts import CcxtRest, Throttle, ccxt_errors
from common.venues.credentials import Credentials
from common.venues.nonces import NonceFolder
from common.venues.registry import find_rest
from common.venues.rest import Listed, RestSettings, put_question
from common.venues.ways import Way
from scripts.simulation.network import Channel, TcpStream

TIMEOUT_NS = 10_000 * NS_PER_MS

Open = Callable[["_Exchange"], TcpStream | None]
"""Opens a connection to the exchange's REST side for one HTTP exchange; None where it is refused."""

Later = Callable[[int, Callable[[], None]], None]
"""`later(delay_ns, call)` is the scheduler."""

_Outcome = tuple[int, bytes] | str
"""Status and body of a response, or how the connection failed."""

_OF_THE_CLIENT = frozenset({"User-Agent", "Accept-Encoding"})
"""Headers that say who asks, and change nothing."""


class _Wanted(BaseException):
    """The next request that has no answer yet."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"{method} {url}")
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        told = [f"{name}: {value}" for name, value in headers.items() if name not in _OF_THE_CLIENT]
        told += [f"Content-Length: {len(body)}"] if body else []
        self.data = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: simulated", *told, "", "")).encode() + body


class _Pause(BaseException):
    """The venue's pace has no room for the next request before so many seconds are over."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Session:
    """What CCXT takes for a session of `requests`: it answers in the order in which it was asked."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}
        self._answers: list[_Outcome] = []
        self._next = 0

    @property
    def is_repeating(self) -> bool:
        """Whether the next request was answered already."""
        return self._next < len(self._answers)

    def begin(self, answers: list[_Outcome]) -> None:
        """A question is asked from the start, with what was answered so far."""
        self._answers, self._next = answers, 0

    def request(
        self, method: str, url: str, *, data: bytes | None, headers: Mapping[str, str], **others: object
    ) -> Any:
        """As that of `requests`, which CCXT calls."""
        if not self.is_repeating:
            raise _Wanted(method, url, headers, data or b"")
        answer = self._answers[self._next]
        self._next += 1
        if isinstance(answer, str):
            raise ccxt_errors().NetworkError(answer)
        response = importlib.import_module("requests").Response()
        response.status_code, response._content = answer
        response.reason = ""
        return response


class _Clock:
    """The process's clock as a venue's pace reads it; who sleeps by it breaks off."""

    CLOCK_BOOTTIME = 0

    def __init__(self, read: Callable[[], Instant]) -> None:
        self._read = read

    def clock_gettime(self, clk_id: int, /) -> float:
        """Boot time, in seconds."""
        return self._read().boot_ns / NS_PER_S

    def sleep(self, seconds: float, /) -> None:
        """Raises _Pause."""
        raise _Pause(seconds)


@cache
def _read_keys_once() -> None:
    """CCXT reads the private key with each request: to check an RSA key takes longer than all else of a question."""
    client = importlib.import_module("ccxt.base.exchange")
    client.load_pem_private_key = cache(client.load_pem_private_key)  # type: ignore[attr-defined]


class RestClient:
    """One life of a process's REST side. `ask_venue` puts a question to it."""

    def __init__(
        self,
        config: VenueConfig,
        credentials: Credentials,
        clock: Callable[[], Instant],
        *,
        is_paced: bool,
        nonces: NonceFolder | None = None,
        way: Way | None = None,
    ) -> None:
        """`is_paced`: requests wait for the venue's pace, as they do since the seventh version of the plans; `nonces`
        keeps their numbers, as something does since the ninth. `way` is which of an account's two this is."""
        assert config.rest is not None
        settings = RestSettings(
            config.name,
            config.rest.url,
            credentials,
            config.rest.timeout_ms,
            symbols=tuple(config.instruments),
            nonces=nonces,
            way=way,
        )
        self._rest = cast(CcxtRest[Any], find_rest(config.dialect)(settings))
        api, self._session = self._rest.api, _Session()
        _read_keys_once()
        api.session = self._session
        api.milliseconds = lambda: clock().wall_ns // NS_PER_MS
        self._throttle: Throttle | None = api.throttle if is_paced else None
        if self._throttle is not None:
            self._throttle.clock = _Clock(clock)
        api.throttle = self._wait
        self._may_go = False

    def ask(self, ask: msgspec.Struct, answers: list[_Outcome], *, may_go: bool) -> Answer | Listed:
        """Ask with what was answered so far; `may_go`: the next request has waited. Raises _Wanted, _Pause."""
        self._session.begin(answers)
        self._may_go = may_go
        return put_question(self._rest, ask)

    def _wait(self, cost: float | None = None) -> None:
        if self._session.is_repeating or self._throttle is None:
            return
        if not self._may_go:
            self._throttle(cost)
        self._may_go = False


class _Exchange:
    """One HTTP request and its response, on a connection of its own."""

    def __init__(self, request: bytes, done: Callable[[_Outcome], None]) -> None:
        self._request = request
        self._done: Callable[[_Outcome], None] | None = done
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

    def finish(self, outcome: _Outcome) -> None:
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
        client: RestClient,
        ask: msgspec.Struct,
        connect: Open,
        later: Later,
        done: Callable[[Answer | Listed], None],
    ) -> None:
        """`done` gets the answer."""
        self._client = client
        self._ask = ask
        self._connect = connect
        self._later = later
        self._done = done
        self._answers: list[_Outcome] = []

    def go_on(self, *, may_go: bool = False) -> None:
        """As far as the answers so far carry."""
        try:
            answer = self._client.ask(self._ask, self._answers, may_go=may_go)
        except _Wanted as wanted:
            self._send(wanted.data)
        except _Pause as pause:
            self._later(int(pause.seconds * NS_PER_S) + 1, lambda: self.go_on(may_go=True))
        else:
            self._done(answer)

    def _send(self, request: bytes) -> None:
        exchange = _Exchange(request, self._answered)
        exchange.stream = self._connect(exchange)
        if exchange.stream is None:
            self._later(NS_PER_MS, lambda: exchange.finish("connection refused"))
        else:
            self._later(TIMEOUT_NS, lambda: exchange.finish("timed out"))

    def _answered(self, outcome: _Outcome) -> None:
        self._answers.append(outcome)
        self.go_on()
