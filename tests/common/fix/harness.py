"""A FIX session under test: text in, whole wire text out, time explicit; the bytes go through memory or a real TCP
loop.

Messages are written as `35=0|34=2|112=x`. BeginString(8), BodyLength(9), CheckSum(10), the CompIDs and
SendingTime(52) are filled in where a text does not give them; `-56` leaves a field out; a text that begins with `8=`
is taken as it stands.
"""

import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from common.fix.dictionary import Dictionary
from common.fix.session import Session
from common.fix.session_types import (
    Disconnect,
    DisconnectReason,
    Effect,
    Inbound,
    LoggedOn,
    LoggedOut,
    Notice,
    NumbersSet,
    Outbound,
    ResendWanted,
    SessionSettings,
    SessionState,
)
from common.fix.validation import Validator
from common.fix.wire import encode, utc_timestamp
from common.instant import Instant

WALL_NS = 1_767_225_600_000_000_000  # 2026-01-01 00:00:00 UTC
BOOT_NS = 5_000_000_000_000
NS_PER_S = 1_000_000_000
HEADER = ("35", "34", "43", "49", "52", "56")

VALIDATOR = Validator(Dictionary.load("FIX44"))


class Transport(Protocol):
    """Carries bytes both ways and loses nothing."""

    def to_session(self, data: bytes) -> list[bytes]: ...

    def to_peer(self, data: bytes) -> bytes: ...

    def close(self) -> None: ...


class Memory:
    """Bytes handed over as they are."""

    def to_session(self, data: bytes) -> list[bytes]:
        """What the session's host reads."""
        return [data]

    def to_peer(self, data: bytes) -> bytes:
        """What the peer reads."""
        return data

    def close(self) -> None:
        """Nothing to close."""


class Tcp:
    """Bytes through a real connection over loopback, read as they happen to be cut."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._peer = socket.create_connection(listener.getsockname(), timeout=5)
            self._host, _ = listener.accept()
        self._host.settimeout(5)

    def to_session(self, data: bytes) -> list[bytes]:
        """What the session's host reads."""
        self._peer.sendall(data)
        return list(_read(self._host, len(data)))

    def to_peer(self, data: bytes) -> bytes:
        """What the peer reads."""
        self._host.sendall(data)
        return b"".join(_read(self._peer, len(data)))

    def close(self) -> None:
        """Close both ends."""
        self._host.close()
        self._peer.close()


def _read(sock: socket.socket, size: int) -> Iterable[bytes]:
    while size:
        data = sock.recv(min(size, 48))
        assert data, "the connection was closed"
        size -= len(data)
        yield data


class Play:
    """One session and its scripted peer."""

    def __init__(self, make_transport: Callable[[], Transport], **changes: Any) -> None:
        settings = SessionSettings(sender_comp_id="US", target_comp_id="THEM", initiator=False, validate=VALIDATOR)
        self.settings = replace(settings, **changes)
        self.session = Session(self.settings)
        self.now = Instant(WALL_NS, BOOT_NS)
        self.effects: list[Effect] = []
        self.stored: dict[int, bytes] = {}
        self.sent: list[bytes] = []
        self.resends = True
        self._make_transport = make_transport
        self._transport = make_transport()

    # -- what happens ------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """The connection is up."""
        self._transport.close()
        self._transport = self._make_transport()
        self.session.connected(self.now)
        self._carry_out()

    def lose(self) -> None:
        """The connection is gone."""
        self.session.disconnected(self.now)
        self._carry_out()

    def peer(self, *texts: str) -> None:
        """The peer sends messages, in one write."""
        self.bytes_in(b"".join(self.message(text, by_peer=True) for text in texts))

    def bytes_in(self, data: bytes) -> None:
        """The peer sends bytes."""
        for part in self._transport.to_session(data):
            self.session.received(part, self.now)
        self._carry_out()

    def send(self, msg_type: str, text: str) -> int:
        """The host sends an application message."""
        seq = self.session.send(msg_type, _soh(text), self.now)
        self._carry_out()
        return seq

    def logout(self, text: str = "") -> None:
        """The host logs out."""
        self.session.logout(text, self.now)
        self._carry_out()

    def pass_s(self, seconds: float) -> None:
        """Time passes, and the timer is called whenever it is due."""
        end_ns = self.now.boot_ns + int(seconds * NS_PER_S)
        while (due := self.session.next_deadline_ns()) is not None and due <= end_ns:
            self._advance(max(due, self.now.boot_ns))
            before = (self.session.next_deadline_ns(), len(self.effects))
            self.session.timer(self.now)
            self._carry_out()
            assert (self.session.next_deadline_ns(), len(self.effects)) != before, "a due timer did nothing"
        self._advance(end_ns)

    def _advance(self, boot_ns: int) -> None:
        self.now = Instant(self.now.wall_ns + boot_ns - self.now.boot_ns, boot_ns)

    def _carry_out(self) -> None:
        """A host that stores before it writes and answers every ResendWanted."""
        while effects := self.session.take_effects():
            for effect in effects:
                self.effects.append(effect)
                if isinstance(effect, Outbound):
                    if not effect.resent:
                        self.stored[effect.msg_seq_num] = effect.raw
                    self.sent.append(self._transport.to_peer(effect.raw))
                elif isinstance(effect, ResendWanted) and self.resends:
                    wanted = range(effect.begin, effect.end + 1)
                    self.session.resend(
                        effect.begin, effect.end, [(n, self.stored[n]) for n in wanted if n in self.stored], self.now
                    )

    # -- what is expected ----------------------------------------------------------------------------------------------

    def says(self, *texts: str) -> None:
        """The session has sent exactly these messages since the last look."""
        expected = [self.message(text, by_peer=False).replace(b"\x01", b"|").decode() for text in texts]
        actual = [raw.replace(b"\x01", b"|").decode() for raw in self.sent]
        self.sent.clear()
        assert actual == expected, "\n" + "\n".join(actual)

    def closes(self, reason: DisconnectReason) -> None:
        """The session has asked to close, for this reason, and is deaf from then on."""
        ends = [effect for effect in self.effects if isinstance(effect, Disconnect)]
        assert [end.reason for end in ends] == [reason]
        assert self.session.state is SessionState.CLOSING

    def is_logged_on(self) -> bool:
        """Whether the session may send."""
        return self.session.logged_on

    def inbound(self) -> list[str]:
        """The messages that took their number, as `type34`, with `!` where they were rejected."""
        found = [effect for effect in self.effects if isinstance(effect, Inbound)]
        return [f"{effect.msg_type}{effect.msg_seq_num}{'!' * effect.rejected}" for effect in found]

    def applications(self) -> list[int]:
        """The numbers of the application messages handed on."""
        found = [effect for effect in self.effects if isinstance(effect, Inbound)]
        return [effect.msg_seq_num for effect in found if effect.application and not effect.rejected]

    def numbers(self) -> tuple[int, int]:
        """(next outbound, next inbound)."""
        return self.session.next_outbound, self.session.next_inbound

    def numbers_set(self) -> list[NumbersSet]:
        """Every jump of a number."""
        return [effect for effect in self.effects if isinstance(effect, NumbersSet)]

    def notices(self) -> list[str]:
        """The codes of the notices."""
        return [effect.code for effect in self.effects if isinstance(effect, Notice)]

    def logged_out(self) -> list[LoggedOut]:
        """Every end of the session."""
        return [effect for effect in self.effects if isinstance(effect, LoggedOut)]

    def logons(self) -> list[LoggedOn]:
        """Every Logon(A) handshake."""
        return [effect for effect in self.effects if isinstance(effect, LoggedOn)]

    # -- text --------------------------------------------------------------------------------------------------------

    def message(self, text: str, *, by_peer: bool) -> bytes:
        """The whole message that a text stands for."""
        if text.startswith("8="):
            return _soh(text)
        begin = self.settings.begin_string
        ids = ("THEM", "US") if by_peer else ("US", "THEM")
        given = [tuple(word.split("=", 1)) for word in text.split("|") if "=" in word]
        left_out = {word[1:] for word in text.split("|") if word and "=" not in word}
        stamp = utc_timestamp(self.now.wall_ns, self.settings.timestamp_digits).decode()
        filled = {"49": ids[0], "52": stamp, "56": ids[1], **{tag: value for tag, value in given if tag in HEADER}}
        header = [(tag, filled[tag]) for tag in HEADER if tag in filled and tag not in left_out]
        rest = [(tag, value) for tag, value in given if tag not in HEADER]
        body = "".join(f"{tag}={value}|" for tag, value in header + rest)
        return encode(begin.encode(), _soh(body))

    def after(self, seconds: float) -> str:
        """SendingTime(52) so many seconds from now."""
        return utc_timestamp(self.now.wall_ns + int(seconds * NS_PER_S), 3).decode()


def _soh(text: str) -> bytes:
    return text.replace("|", "\x01").encode("latin-1")


TRANSPORTS: MappingProxyType[str, Callable[[], Transport]] = MappingProxyType({"memory": Memory, "tcp": Tcp})
LOGON = "35=A|34=1|98=0|108=30"
ORDER = "11=a|54=1|38=1|40=1|55=X|60=20260101-00:00:00"
