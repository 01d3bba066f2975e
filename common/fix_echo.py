"""An acceptor for testing any counterparty, on a plain selectors loop.

It keeps one session. NewOrderSingle(D) and SecurityDefinition(d) come back as received; a D with PossResend(97)=Y whose
ClOrdID(11) was seen since logon is dropped; any other application message is answered with BusinessMessageReject(j).
"""

import selectors
import socket
import ssl
import time
from collections.abc import Callable

from common.fix.application import Delivery, Reply, business_reject
from common.fix.listener import Caller, Identity, Refusal
from common.fix.session import Session
from common.fix.session_types import (
    Disconnect,
    Effect,
    Inbound,
    LoggedOn,
    LoggedOut,
    Notice,
    NumbersSet,
    Outbound,
    ResendWanted,
    SessionSettings,
)
from common.fix.wire import NS_PER_S, pairs
from common.instant import Instant

READ_BYTES = 1 << 16
MAX_CALLERS = 64
"""Connections that have not logged on; more are turned away, or a stranger could use up the file descriptors."""
MAX_STORED = 100_000
"""Messages kept for resending; older ones are gap-filled."""

_NOT_ECHOED = frozenset({8, 9, 10, 34, 35, 43, 49, 52, 56, 122})
_ROUTING = frozenset({97, 115, 116, 128, 129, 144, 145})

Log = Callable[[str], None]


def now() -> Instant:
    """Both clocks."""
    return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


class EchoApplication:
    """What stands behind the session."""

    def __init__(self, default_appl_ver_id: str | None = None) -> None:
        # QuickFIX names the version in BusinessMessageReject(j) under FIXT.1.1, and what is tested against it expects
        # so.
        self._reject_suffix = b"1137=%b\x01" % default_appl_ver_id.encode() if default_appl_ver_id else b""
        self._seen: set[bytes] = set()

    def logged_on(self) -> None:
        """A new session knows no orders."""
        self._seen.clear()

    def logged_out(self) -> None:
        """Forget the orders."""
        self._seen.clear()

    def message(self, inbound: Inbound) -> list[Reply]:
        """Echo, drop or refuse."""
        if inbound.msg_type not in ("D", "d"):
            refused = business_reject(inbound.raw, 3, "Unsupported Message Type")
            return [refused._replace(body=refused.body + self._reject_suffix)]
        fields = pairs(inbound.raw)
        first = dict(reversed(fields))
        if inbound.msg_type == "D":
            order = first.get(b"11", b"")
            if first.get(b"97") == b"Y" and order in self._seen:
                return []
            self._seen.add(order)
        kept = [(int(tag), b"%b=%b\x01" % (tag, value)) for tag, value in fields if int(tag) not in _NOT_ECHOED]
        header = b"".join(field for tag, field in kept if tag in _ROUTING)
        body = b"".join(field for tag, field in kept if tag not in _ROUTING)
        return [Reply(inbound.msg_type, body, header)]


class Connection:
    """One socket: bytes to write, and either a caller not yet known or the session."""

    def __init__(self, transport: socket.socket, caller: Caller) -> None:
        self.transport = transport
        self.caller: Caller | None = caller
        self.out = bytearray()
        self.closing = False


class EchoServer:
    """The acceptor: sockets in, sockets out, one session."""

    def __init__(
        self,
        settings: SessionSettings,
        listener: socket.socket,
        log: Log,
        tls: ssl.SSLContext | None = None,
        allows: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.session = Session(settings)
        self.identity = Identity.of(settings)
        self.delivery = Delivery(self.session, EchoApplication(settings.default_appl_ver_id))
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._log = log
        self._tls = tls
        self._allows = allows
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._live: Connection | None = None
        self._stored: dict[int, bytes] = {}
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, None)

    def run(self, stop: Callable[[], bool]) -> None:
        """Serve until `stop` says so, which is asked once a turn, at least every half second."""
        while not stop():
            self.turn(0.5)
        for connection in list(self._connections):
            self._drop(connection, now())
        self._selector.close()
        self._listener.close()

    def turn(self, longest_s: float) -> None:
        """One bounded step: what is readable or writable, then the timers. New connections come last, so that a
        session whose connection just ended is free for the next one."""
        at = now()
        due = [c.caller.deadline_ns for c in self._connections if c.caller is not None]
        session_due = self.session.next_deadline_ns()
        due += [session_due] if session_due is not None else []
        wait_s = min([longest_s, *((ns - at.boot_ns) / NS_PER_S for ns in due)])
        ready = self._selector.select(max(wait_s, 0.0))
        at = now()
        for key, mask in ready:
            connection = key.data
            if connection is None or connection not in self._connections:
                continue
            if mask & selectors.EVENT_WRITE:
                self._write(connection, at)
            if mask & selectors.EVENT_READ and connection in self._connections:
                self._read(connection, at)
        for connection in list(self._connections):
            if connection.caller is not None and at.boot_ns >= connection.caller.deadline_ns:
                self._turn_away(connection, Refusal.TIMEOUT, at)
        self.session.timer(at)
        self._carry_out(at)
        if any(key.data is None for key, _ in ready):
            self._accept(at)

    # -- sockets -----------------------------------------------------------------------------------------------------

    def _accept(self, at: Instant) -> None:
        try:
            transport, address = self._listener.accept()
        except BlockingIOError:
            return
        callers = sum(c.caller is not None for c in self._connections)
        if not self._allows(str(address[0])) or callers >= MAX_CALLERS:
            self._log(f"{address[0]}: {Refusal.ADDRESS.value if callers < MAX_CALLERS else 'too many callers'}")
            transport.close()
            return
        transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.setblocking(False)
        if self._tls is not None:
            transport = self._tls.wrap_socket(transport, server_side=True, do_handshake_on_connect=False)
        connection = Connection(transport, Caller(at.boot_ns, self.session.settings.logon_timeout_s))
        self._connections.add(connection)
        self._selector.register(transport, selectors.EVENT_READ, connection)

    def _read(self, connection: Connection, at: Instant) -> None:
        while connection in self._connections:
            try:
                data = connection.transport.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._log(f"connection lost: {error}")
                data = b""
            if not data:
                self._drop(connection, at)
            elif connection.caller is not None:
                self._identify(connection, connection.caller, data, at)
            else:
                self.session.received(data, at)
                self._carry_out(at)
            if self._tls is None:
                return

    def _write(self, connection: Connection, at: Instant) -> None:
        try:
            while connection.out:
                # Whole and unchanged until it is taken: TLS wants exactly these bytes again.
                sent = connection.transport.send(bytes(connection.out))
                del connection.out[:sent]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            self._log(f"connection lost: {error}")
            self._drop(connection, at)
            return
        if connection.closing and not connection.out:
            self._drop(connection, at)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.out else 0)
        self._selector.modify(connection.transport, events, connection)

    def _drop(self, connection: Connection, at: Instant) -> None:
        self._connections.discard(connection)
        self._selector.unregister(connection.transport)
        connection.transport.close()
        if connection is self._live:
            self._live = None
            self.session.disconnected(at)
            self.delivery.application.logged_out()
            self._log("disconnected")

    def _turn_away(self, connection: Connection, refusal: Refusal, at: Instant) -> None:
        self._log(f"turned away: {refusal.value}")
        self._drop(connection, at)

    # -- the session -------------------------------------------------------------------------------------------------

    def _identify(self, connection: Connection, caller: Caller, data: bytes, at: Instant) -> None:
        refusal = caller.feed(data)
        if refusal is None and caller.identity is None:
            return
        if refusal is None and caller.identity != self.identity:
            refusal = Refusal.UNKNOWN
        if refusal is None and self._live is not None:
            refusal = Refusal.CONNECTED
        if refusal is not None:
            self._turn_away(connection, refusal, at)
            return
        connection.caller = None
        self._live = connection
        self.session.connected(at)
        self.session.received(caller.data, at)
        self._carry_out(at)

    def _carry_out(self, at: Instant) -> None:
        """Do what the session wants, in order, until it wants nothing more."""
        while effects := self.session.take_effects():
            for effect in effects:
                self._effect(effect, at)
        if self._live is not None and self._live.out:
            self._write(self._live, at)
        elif self._live is not None and self._live.closing:
            self._drop(self._live, at)

    def _effect(self, effect: Effect, at: Instant) -> None:
        live = self._live
        match effect:
            case Outbound(seq, _, raw, resent):
                if not resent:
                    self._stored[seq] = raw
                    self._stored.pop(seq - MAX_STORED, None)
                if live is not None and not live.closing:
                    live.out += raw
            case Inbound():
                self.delivery.deliver(effect, at)
            case ResendWanted(begin, end):
                stored = self._stored
                self.session.resend(begin, end, [(n, stored[n]) for n in range(begin, end + 1) if n in stored], at)
            case NumbersSet(next_outbound, _, _):
                self._stored = {seq: raw for seq, raw in self._stored.items() if seq < next_outbound}
            case LoggedOn():
                self._log("logged on")
                self.delivery.application.logged_on()
            case LoggedOut(text, _):
                self._log(f"logged out {text}".rstrip())
                self.delivery.application.logged_out()
            case Disconnect(reason, text):
                self._log(f"closing: {reason.value} {text}".rstrip())
                if live is not None:
                    live.closing = True
            case Notice(level, code, text):
                self._log(f"{level.value} {code}: {text}")
