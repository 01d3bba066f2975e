"""One logon and one logout at a venue, by the FIX session that its own process would make, and what came of it."""

import socket
import ssl
import time
from enum import StrEnum
from typing import NamedTuple

from common.fix.session import Session
from common.fix.session_types import Disconnect, LoggedOn, LoggedOut, Outbound, SessionSettings
from common.instant import NS_PER_MS, Instant

DIAL_S = 3.0
READ_S = 0.1
READ_BYTES = 1 << 16


class Came(StrEnum):
    """How far a logon came."""

    LOGGED_ON = "logged on and out"
    REFUSED = "refused"
    SILENT = "no answer"
    UNREACHABLE = "not reachable"


class Trial(NamedTuple):
    """How far it came, what was said, and how far the venue's clock is ahead of ours by its SendingTime(52)."""

    came: Came
    text: str = ""
    offset_ms: float = 0.0


def try_logon(
    address: tuple[str, int], tls: tuple[ssl.SSLContext | None, str], settings: SessionSettings, timeout_s: float
) -> Trial:
    """Dial, log on, and log out; blocking, and never longer than DIAL_S and `timeout_s` together."""
    context, server_name = tls
    try:
        plain = socket.create_connection(address, DIAL_S)
    except OSError as error:
        return Trial(Came.UNREACHABLE, str(error))
    with plain:
        try:
            sock = plain if context is None else context.wrap_socket(plain, server_hostname=server_name)
            with sock:
                sock.settimeout(READ_S)
                return _Talk(sock, Session(settings)).until(time.monotonic() + timeout_s)
        except OSError as error:
            return Trial(Came.SILENT, str(error))


class _Talk:
    """The session on its socket, until it is over."""

    def __init__(self, sock: socket.socket, session: Session) -> None:
        self._sock = sock
        self._session = session
        self._logged_on = False
        self._offset_ms = 0.0
        self._text = ""
        self._over = False

    def until(self, end_s: float) -> Trial:
        """What came of it by then. Raises OSError."""
        session = self._session
        session.connected(_now())
        self._carry_out()
        while not self._over and time.monotonic() < end_s:
            try:
                data = self._sock.recv(READ_BYTES)
            except TimeoutError:
                session.timer(_now())
            else:
                if not data:
                    break
                session.received(data, _now())
            self._carry_out()
        if self._logged_on:
            return Trial(Came.LOGGED_ON, self._text, self._offset_ms)
        return Trial(Came.REFUSED if self._over else Came.SILENT, self._text or "the connection was closed")

    def _carry_out(self) -> None:
        session = self._session
        while effects := session.take_effects():
            for effect in effects:
                match effect:
                    case Outbound(raw=raw):
                        self._sock.sendall(raw)
                    case LoggedOn():
                        self._logged_on = True
                        self._offset_ms = session.last_sending_time_offset_ns / NS_PER_MS
                        session.logout("checked", _now())
                    case LoggedOut(text=text):
                        self._text = text
                    case Disconnect(text=text):
                        self._text, self._over = self._text or text, True


def _now() -> Instant:
    return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
