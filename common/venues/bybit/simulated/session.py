"""A connection to Bybit from the server's side: logon, numbers from 1, heartbeats of its own choice, name and lock.

Nothing persists: whatever ResetSeqNumFlag(141) says, numbers start at 1 both ways, a gap ends the connection, and
nothing is ever sent again.
"""

import enum
from collections.abc import Callable

from common.exchange.faults import Kind
from common.exchange.limits import Window
from common.exchange.lines import Line
from common.exchange.peers import PeerGateway
from common.exchange.requests import BadField
from common.exchange.settings import Key
from common.exchange.spoiling import spoiled
from common.exchange.venue import Venue
from common.fix.errors import FixError
from common.fix.wire import Framer, encode, split, utc_timestamp
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.bybit.simulated import wire
from common.venues.bybit.simulated.wire import Fields, Rejected

HEART_BT_INT_S = 10
HEART_BT_INT_NS = HEART_BT_INT_S * NS_PER_S
LOCK_NS = 3 * HEART_BT_INT_NS
LOGON_TIMEOUT_NS = 10 * NS_PER_S
LOGOUT_TIMEOUT_NS = 2 * NS_PER_S
MAX_CONNECTIONS = 20
MAX_ATTEMPTS_PER_S = 30
MAX_NUMBER_DIGITS = 10
BEGIN_STRING = b"FIX.4.4"
DENIED = "access denied"
_ADMIN = frozenset("0135A")
_NOT_THERE = frozenset("24")


class State(enum.Enum):
    """Where a peer stands."""

    AWAITING_LOGON = enum.auto()
    LOGGED_ON = enum.auto()
    LOGGED_OUT = enum.auto()
    GONE = enum.auto()


class Door:
    """Who is in, and who may come in: the keys, the names that are taken, and those that are locked."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.keys = {key.api_key: key for key in keys}
        self._inside: dict[str, Peer] = {}
        self._locked_until_ns: dict[str, int] = {}
        self._attempts = Window(1)

    def knocks_too_often(self, now: Instant) -> bool:
        """One more attempt to connect; whether that is too many in a second."""
        return self._attempts.count(now.boot_ns) > MAX_ATTEMPTS_PER_S

    def let_in(self, peer: "Peer", now: Instant) -> str:
        """Take the name; why that is not possible, "" where it is."""
        name = peer.comp_id
        if name in self._inside:
            return f"{name} is logged on already"
        if self._locked_until_ns.get(name, 0) > now.boot_ns:
            return f"{name} was dropped without Logout(5) and is locked"
        if sum(other.account == peer.account for other in self._inside.values()) >= MAX_CONNECTIONS:
            return "too many connections"
        self._locked_until_ns.pop(name, None)
        self._inside[name] = peer
        return ""

    def let_out(self, peer: "Peer", now: Instant, *, clean: bool) -> None:
        """Free the name: at once where the client took its leave, else after three intervals."""
        if self._inside.get(peer.comp_id) is peer:
            del self._inside[peer.comp_id]
            if not clean:
                self._locked_until_ns[peer.comp_id] = now.boot_ns + LOCK_NS


Handler = Callable[["Peer", str, Fields, int, Instant], None]


class Peer:
    """One connection. `handler` gets every application message that is in order; it may raise Rejected."""

    def __init__(self, line: Line, venue: Venue, door: Door, handler: Handler, now: Instant) -> None:
        self.line = line
        self.state = State.AWAITING_LOGON
        self.comp_id = self.account = ""
        self.only_acks = False
        self.next_outbound = self.next_inbound = 1
        self._venue = venue
        self._door = door
        self._handler = handler
        self._framer = Framer()
        self._sent_ns = self._heard_ns = now.boot_ns
        self._tested = False
        self._deadline_ns = now.boot_ns + LOGON_TIMEOUT_NS

    @property
    def logged_on(self) -> bool:
        """Whether messages may be pushed to it."""
        return self.state is State.LOGGED_ON

    # ---- sending

    def send(self, msg_type: str, body: bytes, now: Instant) -> None:
        """Number and send."""
        us, them = self._venue.settings.comp_id.encode(), self.comp_id.encode()
        head = b"35=%b\x0134=%d\x0149=%b\x01" % (msg_type.encode(), self.next_outbound, us)
        raw = encode(BEGIN_STRING, b"%b52=%b\x0156=%b\x01%b" % (head, utc_timestamp(now.wall_ns), them, body))
        self.next_outbound += 1
        self._sent_ns = now.boot_ns
        if msg_type in _ADMIN:
            self._venue.lines.write(self.line, raw, now)
        else:
            raw = spoiled(raw, self._venue.faults, self.line.scope)
            self._venue.lines.write_application(self.line, raw, now)

    def logout(self, text: str, now: Instant) -> None:
        """Take leave and close."""
        self.send("5", f"58={text}\x01".encode() if text else b"", now)
        self._close(now, clean=True)

    def lost(self, now: Instant) -> None:
        """The connection is gone."""
        clean = self.state is State.LOGGED_OUT
        self.state = State.GONE
        self._door.let_out(self, now, clean=clean)

    def _close(self, now: Instant, *, clean: bool) -> None:
        self._venue.lines.close(self.line)
        self.state = State.LOGGED_OUT if clean else self.state
        self.lost(now)

    # ---- receiving

    def data(self, data: bytes, now: Instant) -> None:
        """Bytes from the client."""
        for raw in self._framer.feed(data):
            if self.state is State.GONE:
                return
            self._heard_ns, self._tested = now.boot_ns, False
            try:
                fields = split(raw)
            except FixError:
                self._venue.count("garbled")
                continue
            self._message(fields, now)

    def _message(self, f: Fields, now: Instant) -> None:
        msg_type, number = wire.may(f, 35), wire.may(f, 34)
        seq = int(number) if number.isdecimal() and len(number) <= MAX_NUMBER_DIGITS else 0
        if self.state is State.AWAITING_LOGON:
            self._first(f, msg_type, seq, now)
            return
        try:
            self._numbered(f, msg_type, seq, now)
        except Rejected as rejected:
            self._venue.count("rejected")
            self.send(*rejected.message(seq, msg_type), now)
            if rejected.ends:
                self._close(now, clean=True)

    def _numbered(self, f: Fields, msg_type: str, seq: int, now: Instant) -> None:
        if seq != self.next_inbound:
            # What would be said of a gap is not documented; what follows it could only be rejected too.
            raise Rejected(wire.VALUE_IS_INCORRECT, "unexpected sequence number", 34, ends=True)
        self.next_inbound += 1
        if msg_type in _NOT_THERE or msg_type == "A":
            raise Rejected(wire.INVALID_MSG_TYPE, f"MsgType(35)={msg_type} is not supported", 35)
        if wire.may(f, 49) != self.comp_id or wire.may(f, 56) != self._venue.settings.comp_id:
            raise Rejected(wire.VALUE_IS_INCORRECT, "CompID problem", 49)
        if msg_type == "1":
            self.send("0", f"112={wire.must(f, 112)}\x01".encode(), now)
        elif msg_type == "5":
            self.send("5", b"", now)
            self.state, self._deadline_ns = State.LOGGED_OUT, now.boot_ns + LOGOUT_TIMEOUT_NS
        elif msg_type not in ("0", "3") and self.logged_on:
            self._check_tags(msg_type, f)
            self._handler(self, msg_type, f, seq, now)

    def _check_tags(self, msg_type: str, f: Fields) -> None:
        """Refuse what is superfluous, where that is wanted. Raises Rejected."""
        if self._venue.tags is not None:
            try:
                self._venue.tags.check(msg_type, f)
            except BadField as bad:
                raise Rejected(bad.reason, str(bad), bad.tag) from None

    # ---- logon

    def _first(self, f: Fields, msg_type: str, seq: int, now: Instant) -> None:
        """The Logon(A), or whatever came in its place."""
        name = wire.may(f, 49)
        self.comp_id = name if wire.COMP_ID.fullmatch(name) else ""
        why = "the first message is no Logon(A)" if msg_type != "A" else self._why_denied(f, seq, now)
        why = why or self._door.let_in(self, now)
        if why:
            self._venue.count("connections_refused")
            self._venue.note("warning", "connection_refused", connection=self.line.number, why=why)
            self.send("5", f"58={DENIED}\x01".encode(), now)
            self._venue.lines.close(self.line)
            self.state = State.GONE
            return
        self.only_acks = wire.may(f, 25036) == "2"
        self.next_inbound = 2
        self.state = State.LOGGED_ON
        self.send("A", f"98=0\x01108={HEART_BT_INT_S}\x01141=Y\x01".encode(), now)
        self._venue.note("info", "logged_on", session=self.comp_id)

    def _why_denied(self, f: Fields, seq: int, now: Instant) -> str:
        """What is wrong with the Logon(A), "" where nothing is. The client is told no more than that it is denied."""
        if self._door.knocks_too_often(now):
            return "too many attempts to connect"
        if self._venue.faults.strikes(Kind.REFUSE, self.line.scope):
            return "refused on command"
        if not self.comp_id:
            return "SenderCompID(49) is not 1 to 16 of A-Z, a-z, 0-9, _ and -"
        if wire.may(f, 56) != self._venue.settings.comp_id:
            return f"TargetCompID(56) is not {self._venue.settings.comp_id}"
        if seq != 1:
            return "MsgSeqNum(34) is not 1"
        if wire.may(f, 98) != "0" or not wire.may(f, 108).isdecimal():
            return "EncryptMethod(98) is not 0, or HeartBtInt(108) no number"
        key, expires = self._door.keys.get(wire.may(f, 553)), wire.may(f, 30023)
        if key is None:
            return "Username(553) is no API key of this server"
        if not expires.isdecimal() or int(expires) <= now.wall_ns // NS_PER_MS:
            return "Expires(30023) is missing or over"
        signature = wire.may(f, 96)
        if wire.may(f, 95) != str(len(signature)) or not wire.verifies(key, signature, f"GET/realtime{expires}"):
            return "RawData(96) is no signature of the key over GET/realtime and Expires(30023)"
        self.account = key.account
        return ""

    # ---- time

    def next_deadline_ns(self) -> int | None:
        """In boot terms."""
        if self.state is State.GONE:
            return None
        if self.state is not State.LOGGED_ON:
            return self._deadline_ns
        silent_ns = self._heard_ns + (2 if self._tested else 1) * HEART_BT_INT_NS
        return min(self._sent_ns + HEART_BT_INT_NS, silent_ns)

    def timer(self, now: Instant) -> None:
        """Heartbeat(0) after silence of our own, TestRequest(1) after the client's, and the end after more of it."""
        if self.state is not State.LOGGED_ON:
            self._close(now, clean=self.state is State.LOGGED_OUT)
            return
        silent_ns = now.boot_ns - self._heard_ns
        if silent_ns >= 2 * HEART_BT_INT_NS and self._tested:
            self._close(now, clean=False)
        elif silent_ns >= HEART_BT_INT_NS and not self._tested:
            self._tested = True
            self.send("1", f"112={now.wall_ns // NS_PER_MS}\x01".encode(), now)
        elif now.boot_ns - self._sent_ns >= HEART_BT_INT_NS:
            self.send("0", b"", now)


class BybitGateway(PeerGateway[Peer]):
    """A FIX listener: a subclass writes `_request`."""

    def __init__(self, venue: Venue) -> None:
        super().__init__()
        self._venue = venue
        self._door = Door(venue.settings.keys_for("fix"))

    def _peer(self, line: Line, now: Instant) -> Peer:
        return Peer(line, self._venue, self._door, self._request, now)

    def _request(self, peer: Peer, msg_type: str, f: Fields, seq: int, now: Instant) -> None:
        raise Rejected(wire.UNSUPPORTED_MSG_TYPE, "Unsupported message type", business=True)

    def announce(self, headline: str, now: Instant) -> None:
        """There are no news here: whoever is logged on finds out."""
