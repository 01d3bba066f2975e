"""A REST listener of an exchange: HTTP/1.1 parsed by h11 inside the core, bytes in, bytes out, all answers JSON.

A venue's `RestApi` gives the routes and says in its own words what is wrong with a request, who signed it and how much
may be asked.
Faults on command strike here, so every venue has them.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote

import h11
import msgspec

from common.exchange.faults import Kind
from common.exchange.lines import Line
from common.exchange.venue import Venue
from common.instant import NS_PER_S, Instant

IDLE_NS = 120 * NS_PER_S
MAX_BODY_BYTES = 65_536
SCOPE = "rest"
CHANGING = ("DELETE", "PATCH", "POST", "PUT")

Json = object
Parameters = dict[str, str]
_encode = msgspec.json.Encoder().encode


class RestError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, answer: Json) -> None:
        super().__init__(f"{status} {answer}")
        self.status = status
        self.answer = answer


class Trouble(enum.Enum):
    """What a request may meet instead of its route's answer."""

    GARBLED = "it is no HTTP, or too long"
    NO_ROUTE = "there is no such path"
    WRONG_METHOD = "the path has no such method"
    FAILED = "it is not carried out, and the answer is an error"
    LOST = "it is not carried out, and the answer says that nobody knows"
    UNKNOWN = "it is carried out, and the answer says that nobody knows"


class RestRequest(NamedTuple):
    """One request. `signed` is the raw query and body, in that order, `target` the raw path with the query; `headers`
    have lower-case names. `parameters` are those of the query and of the body, a form or a JSON object: its plain
    values, and those of an object within it.
    """

    method: str
    path: str
    headers: dict[str, str]
    signed: str
    parameters: Parameters
    target: str = ""
    body: str = ""


class Route(NamedTuple):
    """What answers a method and path: its weight among the requests of a minute, whether it must be signed, the
    function of the account ("" for an unsigned request), and the HTTP status of what was done."""

    weight: int
    signed: bool
    answer: Callable[[str, Parameters, Instant], Json]
    status: int = 200


class _Client:
    """One HTTP connection."""

    def __init__(self, line: Line, now: Instant) -> None:
        self.line = line
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_BODY_BYTES)
        self.request: h11.Request | None = None
        self.body = b""
        self.heard_ns = now.boot_ns


BODY = "*body"
"""The parameter that holds a body of JSON that is a list, as it came."""

LAST = "*"
"""As the last part of a route's path, or the last but one, it stands for any, which is a parameter of this name."""


class RestApi(Protocol):
    """What is the venue's own. `routes` are by method and path, whose last part, or last but one, may be `LAST`."""

    routes: Mapping[tuple[str, str], Route]

    def trouble(self, trouble: Trouble, text: str = "") -> RestError:
        """How the venue says it; `text` is why, "" for the venue's own words."""

    def count(self, route: Route, now: Instant) -> None:
        """Count a request against the limits. Raises RestError where they are used up."""

    def authenticate(self, request: RestRequest, now: Instant) -> str:
        """The account whose key signed the request. Raises RestError."""

    def headers(self, now: Instant) -> list[tuple[str, str]]:
        """Of every answer, beside its type and length."""


class RestGateway:
    """The REST listener."""

    def __init__(self, venue: Venue, api: RestApi) -> None:
        self._venue = venue
        self._api = api
        self._paths = {path for _, path in api.routes}
        self._clients: dict[int, _Client] = {}

    # ---- connections

    def accepted(self, line: Line, now: Instant) -> None:
        """A new connection."""
        self._clients[line.number] = _Client(line, now)

    def data(self, line: Line, data: bytes, now: Instant) -> None:
        """Bytes from it."""
        client = self._clients.get(line.number)
        if client is None:
            return
        client.heard_ns = now.boot_ns
        try:
            client.http.receive_data(data)
            self._read(client, now)
        except h11.RemoteProtocolError as error:
            self._venue.count("http_garbled")
            answer = self._api.trouble(Trouble.GARBLED, str(error)).answer
            self._respond(client, error.error_status_hint, answer, now)
            self._close(client)

    def lost(self, line: Line, now: Instant) -> None:
        """The connection is gone."""
        self._clients.pop(line.number, None)

    def timer(self, now: Instant) -> None:
        """Close what is idle."""
        for client in list(self._clients.values()):
            if client.heard_ns + IDLE_NS <= now.boot_ns:
                self._close(client)

    def next_deadline_ns(self) -> int | None:
        """When the next connection is idle for too long, in boot terms."""
        return min((client.heard_ns + IDLE_NS for client in self._clients.values()), default=None)

    def settle(self, now: Instant) -> None:
        """At a turn's end there is nothing more: every answer was written at once."""

    def stop(self, now: Instant) -> None:
        """Close every connection."""
        for client in list(self._clients.values()):
            self._close(client)

    def announce(self, headline: str, now: Instant) -> None:
        """REST has no news."""

    def end_announced(self, now: Instant) -> None:
        """Close every connection that ends."""
        for client in [each for each in self._clients.values() if each.line.ends]:
            self._close(client)

    @property
    def busy(self) -> bool:
        """Nobody is waited for."""
        return False

    def sessions(self) -> dict[str, dict[str, object]]:
        """REST has no sessions."""
        return {}

    def _close(self, client: _Client) -> None:
        self._clients.pop(client.line.number, None)
        self._venue.lines.close(client.line)

    # ---- HTTP

    def _read(self, client: _Client, now: Instant) -> None:
        while True:
            event = client.http.next_event()
            if isinstance(event, h11.Request):
                client.request, client.body = event, b""
            elif isinstance(event, h11.Data):
                client.body += bytes(event.data)
                if len(client.body) > MAX_BODY_BYTES:
                    raise h11.RemoteProtocolError("the body is too long", error_status_hint=413)
            elif isinstance(event, h11.EndOfMessage):
                assert client.request is not None
                request = _request(client.request, client.body)
                self._respond(client, *self._answered(request, now), now)
                if request.method in CHANGING and self._venue.faults.strikes(Kind.HALF, SCOPE):
                    self._venue.lines.halve(client.line)
                    self._close(client)
                    return
            elif isinstance(event, h11.ConnectionClosed):
                self._close(client)
                return
            else:
                return
            if client.http.our_state is h11.MUST_CLOSE:
                self._close(client)
                return
            if client.http.our_state is h11.DONE and client.http.their_state is h11.DONE:
                client.http.start_next_cycle()
                client.request = None

    def _respond(self, client: _Client, status: int, answer: Json, now: Instant) -> None:
        body = _encode(answer)
        headers = [("Content-Type", "application/json;charset=UTF-8"), ("Content-Length", str(len(body)))]
        http = client.http
        data = http.send(h11.Response(status_code=status, headers=headers + self._api.headers(now))) or b""
        # The answer to HEAD is its headers alone.
        if client.request is None or client.request.method != b"HEAD":
            data += http.send(h11.Data(data=body)) or b""
        data += http.send(h11.EndOfMessage()) or b""
        self._venue.lines.write(client.line, data, now)

    # ---- one request

    def _answered(self, request: RestRequest, now: Instant) -> tuple[int, Json]:
        try:
            return self._answer(request, now)
        except RestError as error:
            return error.status, error.answer

    def _find_route(self, request: RestRequest) -> tuple[Route | None, Parameters]:
        """The route of a request, with that part of its path where the route has any."""
        head, _, last = request.path.rpartition("/")
        exact = self._api.routes.get((request.method, request.path))
        if exact is not None:
            return exact, request.parameters
        above, _, last_but_one = head.rpartition("/")
        for path, any_one in ((f"{head}/{LAST}", last), (f"{above}/{LAST}/{last}", last_but_one)):
            route = self._api.routes.get((request.method, path))
            if route is not None:
                return route, {**request.parameters, LAST: unquote(any_one)}
        return None, request.parameters

    def _answer(self, request: RestRequest, now: Instant) -> tuple[int, Json]:
        route, parameters = self._find_route(request)
        if route is None:
            trouble = Trouble.WRONG_METHOD if request.path in self._paths else Trouble.NO_ROUTE
            raise self._api.trouble(trouble)
        self._api.count(route, now)
        if not route.signed:
            return route.status, route.answer("", parameters, now)
        account = self._api.authenticate(request, now)
        faults, changes = self._venue.faults, request.method in CHANGING
        failed = faults.strikes(Kind.REJECT_STATUS, SCOPE)
        if failed is not None:
            raise self._api.trouble(Trouble.FAILED, failed.text)
        if changes and faults.strikes(Kind.LOST, SCOPE):
            raise self._api.trouble(Trouble.LOST)
        answer = route.answer(account, parameters, now)
        if changes and faults.strikes(Kind.UNKNOWN, SCOPE):
            raise self._api.trouble(Trouble.UNKNOWN)
        return route.status, answer


def _request(head: h11.Request, body: bytes) -> RestRequest:
    target, text = head.target.decode("latin-1"), body.decode("ascii", "replace")
    path, _, query = target.partition("?")
    signed = query + text
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
    parameters = _parameters(query, body, headers)
    return RestRequest(head.method.decode("ascii"), path, headers, signed, parameters, target, text)


def _parameters(query: str, body: bytes, headers: dict[str, str]) -> Parameters:
    if not headers.get("content-type", "").startswith("application/json"):
        return dict(parse_qsl(query + body.decode("ascii", "replace"), keep_blank_values=True))
    try:
        told = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = {BODY: body.decode("ascii", "replace")} if body.startswith(b"[") else {}
    plain = {name: value for name, value in told.items() if not isinstance(value, dict | list)}
    for value in told.values():
        plain |= value if isinstance(value, dict) else {}
    return {**dict(parse_qsl(query, keep_blank_values=True)), **{name: str(value) for name, value in plain.items()}}
