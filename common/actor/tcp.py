"""FIX connections over TCP and TLS for the shell: non-blocking, one whole message at a time, nothing sent twice."""

import contextlib
import enum
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

RECEIVE_BYTES = 262_144
TURN_BYTES = 1 << 20
"""At most so much is taken from one connection in one turn, so that a flood cannot starve the other sockets."""

SEND_BUFFER_BYTES = 65_536
"""A small send buffer: what a dead path swallows is bounded, and the core learns early that a connection is blocked."""

USER_TIMEOUT_MS = 10_000
"""TCP gives up on unacknowledged bytes after this (TCP_USER_TIMEOUT), instead of after a quarter of an hour."""


class Phase(enum.Enum):
    """Where a connection stands."""

    CONNECTING = enum.auto()
    SHAKING_HANDS = enum.auto()
    OPEN = enum.auto()
    CLOSING = enum.auto()


@dataclass(frozen=True)
class Endpoint:
    """Where to connect: hosts in turn, with the TLS context and the name that its certificate must bear.

    `why_not` is asked before each connection, beside the loop: "" lets it begin.
    """

    hosts: tuple[tuple[str, int], ...]
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    why_not: Callable[[], str] | None = None


@dataclass(frozen=True)
class Listener:
    """A bound, listening socket and, where the venue demands it, its TLS context."""

    name: str
    socket: socket.socket
    tls: ssl.SSLContext | None


class ConnectionLost(Exception):
    """The connection is gone; the text says how."""


class Connection:
    """One stream. Methods return or raise `ConnectionLost`; they never block."""

    def __init__(self, number: int, stream: socket.socket, phase: Phase, listener: str = "") -> None:
        """`listener` names the acceptor's listener, "" for a connection of our own making."""
        self.number = number
        self.stream = stream
        self.phase = phase
        self.listener = listener
        self.unsent = b""
        self.ended = ""
        """How the stream ended behind what was received last: TLS tells so once, and the poller not at all."""
        self.wants_write = phase is Phase.CONNECTING
        self._descriptor = stream.fileno()

    @classmethod
    def to(cls, number: int, address: tuple[str, int], endpoint: Endpoint) -> "Connection":
        """Begin to connect to an address that is no name. Raises ConnectionLost where it is refused at once."""
        try:
            family, kind, proto, _, target = socket.getaddrinfo(
                *address, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )[0]
            stream = socket.socket(family, kind, proto)
        except OSError as error:
            raise ConnectionLost(f"{address[0]}:{address[1]}: {error}") from error
        prepare(stream)
        code = stream.connect_ex(target)
        if code not in (0, errno.EINPROGRESS):
            stream.close()
            raise ConnectionLost(f"{address[0]}:{address[1]}: {errno.errorcode.get(code, code)}")
        connection = cls(number, stream, Phase.CONNECTING)
        connection._endpoint = endpoint
        return connection

    _endpoint: Endpoint | None = None

    def fileno(self) -> int:
        """The descriptor, also after the socket was wrapped."""
        return self._descriptor

    def start_tls(self, context: ssl.SSLContext, *, server_side: bool, server_name: str = "") -> None:
        """Wrap the stream; the handshake goes on in `progress`."""
        self.stream = context.wrap_socket(
            self.stream,
            server_side=server_side,
            server_hostname=None if server_side else server_name,
            do_handshake_on_connect=False,
        )
        self.phase = Phase.SHAKING_HANDS

    def progress(self) -> bool:
        """Take connecting or the handshake one step further. True once the connection is open."""
        if self.phase is Phase.CONNECTING:
            code = self.stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise ConnectionLost(errno.errorcode.get(code, str(code)))
            self.wants_write = False
            endpoint = self._endpoint
            if endpoint is None or endpoint.tls is None:
                self.phase = Phase.OPEN
                return True
            self.start_tls(endpoint.tls, server_side=False, server_name=endpoint.server_name)
        return self._shake_hands()

    def _shake_hands(self) -> bool:
        if not isinstance(self.stream, ssl.SSLSocket):
            raise ConnectionLost("no TLS stream to shake hands on")
        try:
            self.stream.do_handshake()
        except ssl.SSLWantReadError:
            self.wants_write = False
            return False
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return False
        except (OSError, ssl.CertificateError) as error:
            raise ConnectionLost(f"TLS handshake: {error}") from error
        self.wants_write = False
        self.phase = Phase.OPEN
        return True

    def receive(self) -> bytes:
        """Everything at hand, bounded; TLS is read until it wants more, since the poller cannot see its buffer. What
        came behind it may be the end: `ended`.
        """
        parts: list[bytes] = []
        size = 0
        while size < TURN_BYTES or self._decrypted():
            try:
                part = self.stream.recv(RECEIVE_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                if not parts:
                    raise ConnectionLost(str(error)) from error
                self.ended = str(error)
                break
            if not part:
                if not parts:
                    raise ConnectionLost("closed by the peer")
                self.ended = "closed by the peer"
                break
            parts.append(part)
            size += len(part)
            if len(part) < RECEIVE_BYTES and not isinstance(self.stream, ssl.SSLSocket):
                break
        return b"".join(parts)

    def _decrypted(self) -> int:
        return self.stream.pending() if isinstance(self.stream, ssl.SSLSocket) else 0

    def write(self, data: bytes) -> None:
        """Send after what is still unsent; the rest is kept, and TLS is given the same bytes again."""
        self.unsent = self.unsent + data if self.unsent else data
        self.flush()

    def flush(self) -> None:
        """Send what is unsent as far as the socket takes it."""
        while self.unsent:
            try:
                sent = self.stream.send(self.unsent)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                break
            except OSError as error:
                raise ConnectionLost(str(error)) from error
            self.unsent = self.unsent[sent:]
        self.wants_write = bool(self.unsent)

    def close(self) -> None:
        """Close at once. The peer reads what was sent before; nothing more is awaited."""
        with contextlib.suppress(OSError):
            self.stream.close()


def prepare(stream: socket.socket) -> None:
    """Set what every FIX connection has: no delay, a small send buffer, a bound on unacknowledged bytes."""
    stream.setblocking(False)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def listen(name: str, host: str, port: int, tls: ssl.SSLContext | None) -> Listener:
    """A listening socket for an acceptor. Raises OSError where the address is taken."""
    listening = socket.create_server((host, port), backlog=64)
    listening.setblocking(False)
    return Listener(name, listening, tls)
