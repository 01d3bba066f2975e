"""The metrics' port: HTTP/1.1 parsed by h11 inside the core, bytes in, bytes out, one path and one method.

A browser's page of elsewhere that has its own name lead here is refused by what it says in Host: on the loopback only
the loopback's names are taken.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import h11

from common.actor.core import Close, Effect, Write
from common.instant import NS_PER_S, Instant

PATH = "/metrics"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
MAX_CONNECTIONS = 16
MAX_HEAD_BYTES = 16_384
IDLE_NS = 120 * NS_PER_S
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass
class _Reader:
    """One connection."""

    heard_boot_ns: int
    http: h11.Connection = field(
        default_factory=lambda: h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    )


class MetricsPage:
    """See the module. `text` makes the page; effects are added to `effects` by whoever calls."""

    def __init__(self, host: str, text: Callable[[Instant], str]) -> None:
        """Nobody reads yet. `host` is the address that is listened at."""
        self._is_loopback = host.startswith("127.") or host in ("::1", "localhost")
        self._text = text
        self._readers: dict[int, _Reader] = {}
        self.served = 0

    def accepted(self, connection: int, now: Instant) -> list[Effect]:
        """A new connection; beyond MAX_CONNECTIONS it is closed."""
        if len(self._readers) >= MAX_CONNECTIONS:
            return [Close(connection)]
        self._readers[connection] = _Reader(now.boot_ns)
        return []

    def data(self, connection: int, data: bytes, now: Instant) -> list[Effect]:
        """Bytes from it."""
        reader = self._readers.get(connection)
        if reader is None:
            return []
        reader.heard_boot_ns = now.boot_ns
        try:
            reader.http.receive_data(data)
            return self._read(connection, reader, now)
        except h11.RemoteProtocolError as error:
            effects = []
            if reader.http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                effects = [_answer(connection, reader.http, error.error_status_hint, f"{error}\n", is_head=False)]
            return [*effects, *self._end(connection)]

    def closed(self, connection: int) -> None:
        """It is gone."""
        self._readers.pop(connection, None)

    def drop_idle(self, now: Instant) -> list[Effect]:
        """Close what nobody has used for a while."""
        idle = [number for number, each in self._readers.items() if each.heard_boot_ns + IDLE_NS <= now.boot_ns]
        return [effect for number in idle for effect in self._end(number)]

    def _end(self, connection: int) -> list[Effect]:
        self._readers.pop(connection, None)
        return [Close(connection)]

    def _read(self, connection: int, reader: _Reader, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        request: h11.Request | None = None
        while True:
            event = reader.http.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                status, text = self._answered(request, now)
                effects.append(_answer(connection, reader.http, status, text, is_head=request.method == b"HEAD"))
                if reader.http.our_state is not h11.DONE:
                    return [*effects, *self._end(connection)]
                reader.http.start_next_cycle()
            elif isinstance(event, h11.Data):
                raise h11.RemoteProtocolError("a request for metrics has no body", error_status_hint=413)
            elif isinstance(event, h11.ConnectionClosed):
                return [*effects, *self._end(connection)]
            else:
                return effects

    def _answered(self, request: h11.Request, now: Instant) -> tuple[int, str]:
        host = next((value.decode("latin-1") for name, value in request.headers if name == b"host"), "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._is_loopback and name not in LOOPBACK:
            return 421, f"this is served as {' or '.join(LOOPBACK)} only\n"
        if request.target.decode("latin-1").partition("?")[0] != PATH:
            return 404, f"there is {PATH} alone\n"
        if request.method not in (b"GET", b"HEAD"):
            return 405, "GET it\n"
        self.served += 1
        return 200, self._text(now)


def _answer(connection: int, http: h11.Connection, status: int, text: str, *, is_head: bool) -> Write:
    body = text.encode()
    headers = [("Content-Type", TEXT), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    if status == 405:
        headers.append(("Allow", "GET, HEAD"))
    data = http.send(h11.Response(status_code=status, headers=headers)) or b""
    if not is_head:
        data += http.send(h11.Data(data=body)) or b""
    return Write(connection, data + (http.send(h11.EndOfMessage()) or b""))
