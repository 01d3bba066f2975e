"""Garbage for every socket of a running stack: ZeroMQ links, FIX and market data ports, REST."""

import random
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import zmq

from common.config import Config
from common.messages import ControlRequest, Hello, encode

PULLS = ("risk", "session.", "account.")
PUBLISHERS = ("stream", "feed.")
CONNECT_S = 1.0
LINGER_MS = 10_000
MESSAGES = 9


def _messages(rng: random.Random) -> list[bytes]:
    """What no link can decode: noise, cut messages, other types, deep nesting, text that is none, nothing."""
    whole = encode(Hello("garbage", "instance"))
    return [
        rng.randbytes(rng.randint(1, 2000)),
        whole[: rng.randint(1, len(whole) - 1)],
        whole + b"\x00",
        b"",
        b"\x91" * 5000,
        b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01",
        b"\x95\xa5orderx\xc0\xc0\xc0",
        b"\xdd\xff\xff\xff\xff",
        encode(Hello("garbage", "instance")).replace(b"bage", b"\xb2\xff\xfe\xb2"),
    ]


class Garbage:
    """Sends it. `sent` counts, by actor, what the actor's status must count as garbage."""

    def __init__(self, config: Config, rng: random.Random) -> None:
        """Nothing is sent yet."""
        self.sent: dict[str, int] = {}
        self._config = config
        self._rng = rng

    def everywhere(self) -> None:
        """To every link and port."""
        context = zmq.Context()
        try:
            links = [(f"control.{actor.name}", actor.name) for actor in self._config.actors()] + self._links()
            for sock in [self._link(context, link, actor_name) for link, actor_name in links]:
                sock.close(linger=LINGER_MS)
        finally:
            context.term()
        for file in sorted(self._config.paths.run.iterdir()):
            if file.is_socket():
                self._raw(file)
        for venue in self._config.venues.values():
            for fix in venue.connections.values():
                self._tcp(fix.host, fix.port, None if fix.tls is None else fix.tls.server_name)
            if venue.rest is not None:
                url = urlsplit(venue.rest.url)
                self._rest(url.hostname or "", url.port or 80, url.path)

    def _links(self) -> list[tuple[str, str]]:
        """The data links that take messages, with the actors that bind them."""
        links = [("entry", "orders"), ("risk", "risk"), ("journal", "journal"), ("stream", "journal")]
        for name, venue in self._config.venues.items():
            links += [(f"session.{name}", f"session@{name}"), (f"feed.{name}", f"marketdata@{name}")]
            if venue.rest is not None:
                links.append((f"account.{name}", f"account@{name}"))
        return links

    def _link(self, context: "zmq.Context[zmq.Socket[bytes]]", link: str, actor: str) -> "zmq.Socket[bytes]":
        """Messages that the link must count, in parts of one message too."""
        if link.startswith(PUBLISHERS):
            sock = context.socket(zmq.XSUB)
            sock.connect(self._config.endpoint(link))
            for message in _messages(self._rng):
                sock.send(b"\x01" + message)
            return sock
        sock = context.socket(zmq.PUSH if link.startswith(PULLS) else zmq.DEALER)
        sock.connect(self._config.endpoint(link))
        for message in _messages(self._rng):
            sock.send(message)
        self.sent[actor] = self.sent.get(actor, 0) + MESSAGES
        if link.startswith("control."):
            # Well-formed, and nonsense within.
            for act in ("log_level", "fault", "verdict", "balances", "start", ""):
                for arguments in (b"{not json", b"[1, null]", orjson.dumps({"level": 7, "kind": {}, "ms": "x"})):
                    sock.send(encode(ControlRequest(act, arguments)))
        elif sock.type == zmq.DEALER:
            sock.send_multipart(parts := [b"one", b"part", b"after another"])
            self.sent[actor] += len(parts)
        return sock

    def _raw(self, file: Path) -> None:
        """Bytes that are no ZMTP."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(CONNECT_S)
            try:
                stream.connect(str(file))
                stream.sendall(self._rng.randbytes(300))
            except OSError:
                return

    def _tcp(self, host: str, port: int, server_name: str | None) -> None:
        """Noise and broken FIX on a port, in the clear and, where the venue speaks TLS, within it."""
        fix = b"8=FIX.4.4\x019=%d\x0135=A\x01" % self._rng.choice((0, 10, 10**12))
        for data in (self._rng.randbytes(3000), fix, b"\x00" * 100_000, b"GET / HTTP/1.1\r\n\r\n"):
            self._stream(host, port, data, None)
            if server_name is not None:
                self._stream(host, port, data, server_name)
        self._stream(host, port, b"", None)

    def _rest(self, host: str, port: int, path: str) -> None:
        """Requests that no client would send."""
        root = path.encode()
        for data in (
            self._rng.randbytes(2000),
            b"GET " + b"/x" * 40_000 + b" HTTP/1.1\r\n\r\n",
            b"POST %s/order HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx" % root,
            b"GET %s/account?timestamp=abc&signature=%%zz HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: \xff\r\n\r\n" % root,
            b"DELETE %s/openOrders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % root,
        ):
            self._stream(host, port, data, None)

    def _stream(self, host: str, port: int, data: bytes, server_name: str | None) -> None:
        try:
            with socket.create_connection((host, port), CONNECT_S) as plain:
                plain.settimeout(CONNECT_S)
                if server_name is None:
                    plain.sendall(data)
                    return
                with self._tls().wrap_socket(plain, server_hostname=server_name) as stream:
                    stream.sendall(data)
        except OSError:
            # Refused or cut off: as it should be.
            return

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._config.paths.keys / "ca.pem"))
