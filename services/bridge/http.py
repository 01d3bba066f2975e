"""One connection to the venue over HTTP/1.1, one request in flight: h11 inside the core, bytes in, bytes out."""

from dataclasses import dataclass

import h11

from common.venues.backend import HttpCall

MAX_ANSWER_BYTES = 4 << 20


class BadHttp(Exception):
    """The venue's bytes are no HTTP, or too many."""


@dataclass
class Answered:
    """A whole answer."""

    status: int
    body: bytes
    keeps: bool
    """Whether the connection takes another request."""


class HttpClient:
    """The protocol of one connection, from its opening to its end."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._http = h11.Connection(h11.CLIENT)
        self._status = 0
        self._body = b""

    def request(self, call: HttpCall) -> bytes:
        """The bytes of a request."""
        headers = [("Host", self._host), ("User-Agent", "fixring"), ("Accept", "application/json"), *call.headers]
        if call.body:
            headers.append(("Content-Length", str(len(call.body))))
        self._status, self._body = 0, b""
        data = self._http.send(h11.Request(method=call.method, target=call.target, headers=headers)) or b""
        if call.body:
            data += self._http.send(h11.Data(data=call.body)) or b""
        return data + (self._http.send(h11.EndOfMessage()) or b"")

    def received(self, data: bytes) -> Answered | None:
        """Bytes of the venue; the answer once it is whole. Raises BadHttp."""
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    self._status = event.status_code
                elif isinstance(event, h11.Data):
                    self._body += bytes(event.data)
                    if len(self._body) > MAX_ANSWER_BYTES:
                        raise BadHttp(f"an answer has more than {MAX_ANSWER_BYTES} bytes")
                elif isinstance(event, h11.EndOfMessage):
                    return self._whole()
                elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                    return None
        except h11.RemoteProtocolError as error:
            raise BadHttp(str(error)) from error

    def _whole(self) -> Answered:
        keeps = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if keeps:
            self._http.start_next_cycle()
        return Answered(self._status, self._body, keeps)
