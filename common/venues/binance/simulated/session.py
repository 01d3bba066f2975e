"""A connection to Binance from the server's side: logon check, numbers, time window, limits, heartbeats.

Nothing persists: numbers start at 1 both ways at each Logon(A), a gap is an error, and nothing is ever sent again.
"""

import base64
import binascii
import enum
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from common.exchange.faults import Kind
from common.exchange.limits import Window
from common.exchange.lines import Line
from common.exchange.numbers import read_number
from common.exchange.peers import PeerGateway
from common.exchange.settings import Key
from common.exchange.spoiling import spoiled
from common.exchange.venue import Venue
from common.fix.errors import FixError
from common.fix.wire import SOH, Framer, parse_utc_timestamp
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.binance.simulated import wire
from common.venues.binance.simulated.wire import Fields, Rejection

LOGON_TIMEOUT_NS = 10 * NS_PER_S
LOGOUT_TIMEOUT_NS = 2 * NS_PER_S
MAX_RECV_WINDOW_MS = 60_000
LOGON_RECV_WINDOW_MS = 5000
AHEAD_NS = NS_PER_S


class Limits:
    """What a listener allows: messages per connection and attempts to connect, each in a window, and connections."""

    def __init__(self, messages: int, messages_s: int, attempts: int, attempts_s: int, connections: int) -> None:
        self.messages = messages
        self.messages_s = messages_s
        self.attempts = attempts
        self.attempts_s = attempts_s
        self.connections = connections


class Rules(NamedTuple):
    """What one kind of listener takes: its limits, its messages with their fields, what it says of others' messages
    (code and text), and which one it is."""

    limits: Limits
    fields: dict[str, frozenset[bytes]]
    others: tuple[int, str]
    listener: str

    @property
    def is_drop_copy(self) -> bool:
        """Whether it tells of orders and takes none."""
        return self.listener == "drop_copy"


ORDER_ENTRY = Rules(
    Limits(10_000, 10, 15, 30, 10), wire.ORDER_ENTRY_FIELDS, (wire.GARBLED, "Unsupported message type."), "fix"
)
DROP_COPY = Rules(
    Limits(60, 60, 15, 30, 10), wire.DROP_COPY_FIELDS,
    (wire.NOT_ON_DROP_COPY, "This message is not supported by drop copy sessions."), "drop_copy",
)  # fmt: skip
MARKET_DATA = Rules(
    Limits(2_000, 60, 300, 300, 100), wire.MARKET_DATA_FIELDS,
    (wire.NOT_ON_MARKET_DATA, "This message is not supported by market data sessions."), "market_data",
)  # fmt: skip


class Door:
    """Who may come in at one listener: keys, live and locked SenderCompIDs(49), attempts and slots of each account."""

    def __init__(self, keys: tuple[Key, ...], rules: Rules) -> None:
        self.rules = rules
        self.limits = limits = rules.limits
        self.keys = {key.api_key: key for key in keys}
        self._attempts = Window(limits.attempts_s)
        self._live: dict[str, Peer] = {}
        self._locked_until_ns: dict[str, int] = {}

    def knock(self, now: Instant) -> None:
        """A Logon(A) counts as an attempt. Raises Rejection."""
        if self._attempts.count(now.boot_ns) > self.limits.attempts:
            limit = f"{self.limits.attempts} per '{self.limits.attempts_s}s'"
            text = f"Too many connection attempts for account; current limit is {limit}."
            raise Rejection(wire.TOO_MANY_CONNECTIONS, text, ends=True)

    def enter(self, peer: "Peer", now: Instant) -> None:
        """Take the SenderCompID(49) and a slot. Raises Rejection."""
        self._unlock(now)
        if peer.comp_id in self._live or peer.comp_id in self._locked_until_ns:
            text = (
                "SenderCompId(49) is currently in use. "
                "Concurrent use of the same SenderCompId within one account is not allowed."
            )
            raise Rejection(wire.COMP_ID_IN_USE, text, ends=True)
        if len(self._live) + len(self._locked_until_ns) >= self.limits.connections:
            text = f"Too many concurrent connections; current limit is '{self.limits.connections}'."
            raise Rejection(wire.TOO_MANY_CONNECTIONS, text, ends=True)
        self._live[peer.comp_id] = peer

    def leave(self, peer: "Peer", now: Instant, *, clean: bool) -> None:
        """Free the SenderCompID(49) and the slot: at once after Logout(5), else after twice the heartbeat interval."""
        if self._live.get(peer.comp_id) is not peer:
            return
        del self._live[peer.comp_id]
        if not clean:
            self._locked_until_ns[peer.comp_id] = now.boot_ns + 2 * peer.heart_bt_int_s * NS_PER_S

    def _unlock(self, now: Instant) -> None:
        self._locked_until_ns = {c: until for c, until in self._locked_until_ns.items() if until > now.boot_ns}


class State(enum.Enum):
    """Where a peer stands."""

    AWAITING_LOGON = enum.auto()
    LOGGED_ON = enum.auto()
    LOGGED_OUT = enum.auto()
    GONE = enum.auto()


Handler = Callable[["Peer", str, Fields, list[list[bytes]], int, Instant], None]


class Peer:
    """One connection. `handler` gets every application message that is in order; it may raise Rejection."""

    def __init__(self, line: Line, venue: Venue, door: Door, handler: Handler, now: Instant) -> None:
        self.line = line
        self.state = State.AWAITING_LOGON
        self.comp_id = ""
        self.account = ""
        self.heart_bt_int_s = 0
        self.only_acks = False
        self.next_outbound = 1
        self.next_inbound = 1
        self.messages = Window(door.limits.messages_s)
        self._venue = venue
        self._door = door
        self._handler = handler
        self._framer = Framer()
        self._sent_ns = self._received_ns = now.boot_ns
        self._tested_ns = 0
        self._deadline_ns = now.boot_ns + LOGON_TIMEOUT_NS

    @property
    def logged_on(self) -> bool:
        """Whether messages may be pushed to it."""
        return self.state is State.LOGGED_ON

    # ---- sending

    def send(self, msg_type: str, body: bytes, now: Instant) -> None:
        """Number and send."""
        seq = self.next_outbound
        self.next_outbound = seq + 1
        self._sent_ns = now.boot_ns
        raw = wire.message(msg_type, self._venue.settings.comp_id, self.comp_id, seq, now.wall_ns, body)
        if msg_type in ("0", "1", "3", "5", "A"):
            self._venue.lines.write(self.line, raw, now)
        else:
            self._venue.lines.write_application(self.line, spoiled(raw, self._venue.faults, self.line.scope), now)

    def logout(self, text: str, now: Instant, *, clean: bool = True) -> None:
        """Send Logout(5) and close."""
        self.send("5", f"58={text}\x01".encode(), now)
        self._venue.lines.close(self.line)
        self.lost(now, clean=clean)

    def lost(self, now: Instant, *, clean: bool = False) -> None:
        """The connection is gone; after Logout(5) that is as it should be."""
        clean = clean or self.state is State.LOGGED_OUT
        self.state = State.GONE
        self._door.leave(self, now, clean=clean)

    def _reject(self, rejection: Rejection, seq: int, msg_type: str, now: Instant) -> None:
        self._venue.count(f"rejected{rejection.code}")
        self.send("3", rejection.body(seq, msg_type), now)
        if rejection.ends:
            self._venue.lines.close(self.line)
            self.lost(now, clean=True)

    # ---- receiving

    def data(self, data: bytes, now: Instant) -> None:
        """Bytes from the client."""
        for raw in self._framer.feed(data):
            if self.state is State.GONE:
                return
            self._received_ns = now.boot_ns
            self._tested_ns = 0
            self._message(raw, now)

    def _message(self, raw: bytes, now: Instant) -> None:
        fields = [field.split(b"=", 1) for field in raw[:-1].split(SOH)]
        try:
            f: Fields = dict(fields)
        except ValueError:
            self._venue.count("garbled")
            return
        msg_type = f[b"35"].decode("ascii", "replace")
        number = f.get(b"34", b"")
        seq = int(number) if number.isdigit() and len(number) <= 10 else 0
        try:
            if self.state is State.AWAITING_LOGON:
                self._logon(f, fields, msg_type, seq, now)
                return
            self._in_session(f, fields, msg_type, seq, now)
        except Rejection as rejection:
            rejection.ends = rejection.ends or self.state is State.AWAITING_LOGON
            self._reject(rejection, seq, msg_type, now)

    def _in_session(self, f: Fields, fields: list[list[bytes]], msg_type: str, seq: int, now: Instant) -> None:
        if self.messages.count(now.boot_ns) > self._door.limits.messages:
            limits = self._door.limits
            text = f"Too many messages; current limit is '{limits.messages}' messages per '{limits.messages_s}s'."
            self._venue.count(f"rejected{wire.TOO_MANY_MESSAGES}")
            self.logout(text, now)
            return
        if self.state is State.LOGGED_OUT:
            raise Rejection(-1035, "Please send Logout<5> message to close the session.")
        if seq != self.next_inbound:
            text = f"MsgSeqNum(34) contains an unexpected value. Expected: '{self.next_inbound}'."
            # Not documented whether the session goes on; what would follow could only be rejected too.
            raise Rejection(wire.BAD_SEQUENCE, text, 5, 34, ends=True)
        self.next_inbound += 1
        if f.get(b"49", b"").decode("ascii", "replace") != self.comp_id:
            text = (
                "SenderCompId(49) contains an incorrect value. "
                "The SenderCompID value should not change throughout the lifetime of a session."
            )
            raise Rejection(wire.COMP_ID_CHANGED, text, 5, 49)
        self._check_fields(msg_type, f, fields)
        self._check_time(f, None, now)
        if msg_type == "A":
            raise Rejection(wire.LOGON_ONCE, "Logon<A> should only be sent once.")
        if msg_type == "1":
            self.send("0", f"112={wire.text(f, 112)}\x01".encode(), now)
        elif msg_type == "5":
            self.send("5", b"58=Logout acknowledgment.\x01", now)
            self.state = State.LOGGED_OUT
            self._deadline_ns = now.boot_ns + LOGOUT_TIMEOUT_NS
        elif msg_type not in ("0", "3"):
            self._handler(self, msg_type, f, fields, seq, now)

    def _check_fields(self, msg_type: str, f: Fields, fields: list[list[bytes]]) -> None:
        """Only what the dictionary has for this message, once, with a value."""
        allowed = self._door.rules.fields.get(msg_type)
        if allowed is None:
            if msg_type in wire.ORDER_ENTRY_FIELDS:
                raise Rejection(*self._door.rules.others)
            raise Rejection(wire.GARBLED, "Unsupported message type.", 5, 35)
        if f.keys() <= allowed and len(f) == len(fields) and b"" not in f.values():
            return
        lenient = self._venue.settings.refuses_superfluous is False
        seen: set[bytes] = set()
        repeats = msg_type in wire.GROUP_MESSAGES
        for tag, value in fields:
            if not tag.isdigit() or len(tag) > 9:
                raise Rejection(wire.INVALID_TAG, "Invalid tag number.", 0)
            if tag not in allowed and not lenient:
                name = tag.decode()
                if tag in wire.KNOWN_TAGS:
                    raise Rejection(
                        wire.TAG_NOT_DEFINED, f"Tag '{name}' not defined for this message type.", 2, int(name)
                    )
                raise Rejection(wire.INVALID_TAG, f"Tag '{name}' is invalid.", 0, int(name))
            if not value:
                raise Rejection(wire.GARBLED, f"Tag '{tag.decode()}' specified without a value.", 5, int(tag))
            if tag in seen and not (repeats and tag in wire.GROUP_TAGS):
                raise Rejection(wire.TAG_TWICE, f"Tag '{tag.decode()}' appears more than once.", 13, int(tag))
            seen.add(tag)

    def _check_time(self, f: Fields, default_ms: int | None, now: Instant) -> None:
        """SendingTime(52) may be a second ahead and RecvWindow(25000) old; without a window it may be of any age."""
        try:
            sent_ns = parse_utc_timestamp(f.get(b"52", b""))
        except FixError:
            raise Rejection(wire.BAD_TIME, "Incorrect data format for tag '52'.", 6, 52) from None
        if sent_ns >= now.wall_ns + AHEAD_NS:
            raise Rejection(wire.BAD_TIME, "Timestamp for this request was 1000ms ahead of the server's time.", 10, 52)
        window_ms = _window(f) if b"25000" in f else default_ms
        if window_ms is not None and now.wall_ns - sent_ns > window_ms * NS_PER_MS:
            raise Rejection(wire.BAD_TIME, "Timestamp for this request is outside of the recvWindow.", 10, 52)

    # ---- logon

    def _logon(self, f: Fields, fields: list[list[bytes]], msg_type: str, seq: int, now: Instant) -> None:
        sender = f.get(b"49", b"").decode("ascii", "replace")
        if wire.COMP_ID.fullmatch(sender):
            self.comp_id = sender
        if msg_type != "A":
            raise Rejection(wire.LOGON_FIRST, "Logon<A> must be the first message in the session.")
        self._door.knock(now)
        if not self.comp_id:
            raise Rejection(
                wire.ILLEGAL_CHARACTERS, "SenderCompId(49) contains illegal characters or is too long.", 6, 49
            )
        self._check_fields(msg_type, f, fields)
        if wire.text(f, 56) != self._venue.settings.comp_id:
            raise Rejection(wire.ILLEGAL_CHARACTERS, "TargetCompId(56) contains an incorrect value.", 5, 56)
        if seq != 1:
            raise Rejection(wire.BAD_SEQUENCE, "MsgSeqNum(34) contains an unexpected value. Expected: '1'.", 5, 34)
        self._check_logon_fields(f, fields)
        self._check_time(f, LOGON_RECV_WINDOW_MS, now)
        key = self._check_signature(f)
        self._door.enter(self, now)
        self.account = key.account
        self.only_acks = f.get(b"25036") == b"2"
        self.next_inbound = 2
        self.state = State.LOGGED_ON
        self.messages.count(now.boot_ns)
        instance = f"{self._venue.store.epoch:08x}-0000-4000-8000-{self.line.number:012x}"
        self.send("A", f"98=0\x01108={self.heart_bt_int_s}\x0125037={instance}\x01".encode(), now)
        self._venue.note("info", "logged_on", session=self.comp_id)

    def _check_logon_fields(self, f: Fields, fields: list[list[bytes]]) -> None:
        if wire.text(f, 98) != "0":
            raise Rejection(wire.ILLEGAL_CHARACTERS, "EncryptMethod(98) must be '0'.", 5, 98)
        interval = wire.text(f, 108)
        if not interval.isdecimal() or not 5 <= int(interval) <= 60:
            raise Rejection(wire.ILLEGAL_CHARACTERS, "HeartBtInt(108) must be between 5 and 60.", 5, 108)
        self.heart_bt_int_s = int(interval)
        if wire.text(f, 141) != "Y":
            text = (
                "Continuation of sequence numbers to new session is currently unsupported. "
                "Sequence numbers must be reset for each new session."
            )
            raise Rejection(wire.NUMBERS_MUST_RESET, text, 5, 141)
        if wire.text(f, 25035) not in ("1", "2"):
            raise Rejection(wire.ILLEGAL_CHARACTERS, "MessageHandling(25035) must be '1' or '2'.", 5, 25035)
        if f.get(b"25036", b"1") not in (b"1", b"2"):
            raise Rejection(wire.ILLEGAL_CHARACTERS, "ResponseMode(25036) must be '1' or '2'.", 5, 25036)
        is_drop_copy = self._door.rules.is_drop_copy
        if (f.get(b"9406") == b"Y") is not is_drop_copy:
            code = wire.NO_DROP_COPY_FLAG if is_drop_copy else wire.DROP_COPY_ON_ORDER_ENTRY
            wanted = "Y" if is_drop_copy else "N"
            raise Rejection(code, f"DropCopyFlag(9406) must be '{wanted}' for this session.", 5, 9406)
        tags = [tag for tag, _ in fields]
        if b"96" not in f or b"95" not in f:
            raise Rejection(wire.MISSING, "Required tag '96' missing.", 1, 96)
        if tags.index(b"96") != tags.index(b"95") + 1:
            raise Rejection(wire.TAG_ORDER, "Tag '96' specified out of required order.", 14, 96)

    def _check_signature(self, f: Fields) -> Key:
        """Ed25519 over A, 49, 56, 34 and 52 as they were sent, joined by SOH."""
        key = self._door.keys.get(wire.text(f, 553))
        if key is None or self._venue.faults.strikes(Kind.REFUSE, self.line.scope):
            raise Rejection(wire.BAD_KEY, "Invalid API-key, IP, or permissions for action.", 99, 553)
        payload = b"\x01".join((b"A", f[b"49"], f[b"56"], f[b"34"], f[b"52"]))
        if not verifies(key, f[b"96"], payload):
            raise Rejection(wire.BAD_SIGNATURE, "Signature for this request is not valid.", 8, 96)
        return key

    # ---- time

    def next_deadline_ns(self) -> int | None:
        """In boot terms."""
        if self.state is State.GONE:
            return None
        if self.state is not State.LOGGED_ON:
            return self._deadline_ns
        interval = self.heart_bt_int_s * NS_PER_S
        silence_ends = (self._tested_ns or self._received_ns) + interval
        return min(self._sent_ns + interval, silence_ends)

    def timer(self, now: Instant) -> None:
        """`next_deadline_ns` has passed: Heartbeat(0), TestRequest(1), or the end of whoever is silent."""
        if self.state is not State.LOGGED_ON:
            self._venue.lines.close(self.line)
            self.lost(now)
            return
        interval = self.heart_bt_int_s * NS_PER_S
        if self._tested_ns and self._tested_ns + interval <= now.boot_ns:
            self.logout("Heartbeat timeout.", now, clean=False)
            return
        if not self._tested_ns and self._received_ns + interval <= now.boot_ns:
            self._tested_ns = now.boot_ns
            self.send("1", f"112={now.wall_ns // NS_PER_MS}\x01".encode(), now)
        else:
            self.send("0", b"", now)


class BinanceGateway(PeerGateway[Peer]):
    """What the FIX listeners have in common. A listener writes `_request`."""

    def __init__(self, venue: Venue, rules: Rules) -> None:
        super().__init__()
        self._venue = venue
        self._door = Door(venue.settings.keys_for(rules.listener), rules)

    def _request(self, peer: Peer, msg_type: str, f: Fields, fields: list[list[bytes]], seq: int, now: Instant) -> None:
        raise Rejection(wire.GARBLED, "Unsupported message type.", 5, 35)

    def _peer(self, line: Line, now: Instant) -> Peer:
        return Peer(line, self._venue, self._door, self._request, now)

    def announce(self, headline: str, now: Instant) -> None:
        """News(B) to everybody who is logged on over a connection that ends."""
        for peer in self._ending():
            peer.send("B", f"148={headline}\x01".encode(), now)


def _window(f: Fields) -> Decimal:
    value = wire.text(f, 25000)
    try:
        window = read_number(value)
    except ValueError:
        raise Rejection(wire.ILLEGAL_CHARACTERS, "Incorrect data format for tag '25000'.", 6, 25000) from None
    if not 0 < window <= MAX_RECV_WINDOW_MS or -int(window.as_tuple().exponent) > 3:
        raise Rejection(wire.ILLEGAL_CHARACTERS, "RecvWindow(25000) must be at most 60000 with 3 decimals.", 5, 25000)
    return window


def verifies(key: Key, signature: bytes, payload: bytes) -> bool:
    """Whether a base64 Ed25519 signature of `payload` is the key's."""
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(raw, payload)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
