"""An acceptor's front door: who is calling, before any session is touched.

A caller is heard until its first message is whole. Only a Logon(A) names a session; anything else, garbled bytes too,
and an identity that is unknown or already connected, is turned away without an answer, because an answer would take a
number of a session that the caller may not own (cases 1S.b, 1S.c, 1S.d, 2S).
"""

from collections.abc import Callable, Iterable
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from common.fix.session import peek_logon
from common.fix.session_types import SessionSettings
from common.fix.wire import NS_PER_S, Framer


class Refusal(Enum):
    """Why a caller is turned away; the value is the sentence shown to people."""

    GARBLED = "the first bytes are no FIX message"
    NOT_LOGON = "the first message is not a Logon(A)"
    UNKNOWN = "no session has this BeginString(8), SenderCompID(49) and TargetCompID(56)"
    CONNECTED = "this session is connected already"
    TIMEOUT = "no Logon(A) came in time"
    ADDRESS = "the source address is not allowed"


class Identity(NamedTuple):
    """A session as its acceptor names it."""

    begin_string: str
    sender_comp_id: str
    target_comp_id: str

    @classmethod
    def of(cls, settings: SessionSettings) -> "Identity":
        """The identity that a Logon(A) must name to reach a session with these settings."""
        return cls(settings.begin_string, settings.sender_comp_id, settings.target_comp_id)


class Caller:
    """One connection that has not logged on yet. Feed it; when `identity` is set hand `data` to that session."""

    def __init__(self, boot_ns: int, logon_timeout_s: float = 10.0, max_bytes: int = 1 << 16) -> None:
        self.data = b""
        self.identity: Identity | None = None
        self.deadline_ns = boot_ns + int(logon_timeout_s * NS_PER_S)
        self._framer = Framer(max_bytes, max_bytes + 4096)

    def feed(self, data: bytes) -> Refusal | None:
        """Take bytes; the reason to close, or None to go on."""
        self.data += data
        messages = self._framer.feed(data)
        if self._framer.garbled:
            return Refusal.GARBLED
        if not messages:
            return None
        named = peek_logon(messages[0])
        if named is None:
            return Refusal.NOT_LOGON
        begin, sender, target = named
        self.identity = Identity(begin, target, sender)
        return None


def allow_list(networks: Iterable[str]) -> Callable[[str], bool]:
    """A test of source addresses against networks such as 10.0.0.0/8 or ::1; no networks allow everybody. Raises
    ValueError for what is no network."""
    allowed = [ip_network(network) for network in networks]

    def allows(address: str) -> bool:
        if not allowed:
            return True
        try:
            source = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if source.version == 6 and source.ipv4_mapped is not None:
            source = source.ipv4_mapped
        return any(source in network for network in allowed)

    return allows
