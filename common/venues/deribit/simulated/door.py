"""Who may log on at the simulated Deribit, what he asked for as he did, and how much he may send.

Source: docs.deribit.com/fix-api/production, Logon(A) and rate limits. RawData(96) is `timestamp.nonce`, Password(554)
the base64 of SHA-256 over it and the client's secret. The whole Logon(A) is sent back; a wrong one gets Logout(5).
"""

import base64
import dataclasses
import hashlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from hmac import compare_digest
from typing import NamedTuple

from common.exchange.fix_gateway import Client, FixGateway
from common.exchange.lines import Line
from common.exchange.settings import Key, Party
from common.exchange.venue import Venue
from common.fix.session import Effect, Inbound, NumbersReason, NumbersSet, Outbound, Session
from common.fix.wire import encode, pairs, split, utc_timestamp
from common.instant import NS_PER_S, Instant

HEADER = (49, 56, 34, 52)
INVALID = "invalid_credentials"
TOO_MANY = "too_many_requests"
_MAX_NONCE = 512
_MAX_TIMESTAMP_DIGITS = 18
_SAID_ANYWAY = frozenset({b"8", b"9", b"35", b"34", b"49", b"52", b"56", b"10", b"98", b"108", b"141"})
"""What the answer to Logon(A) has of its own, or of the session."""

_HEADER = frozenset({b"34", b"49", b"52", b"56"})


class Options(NamedTuple):
    """What a Logon(A) asks for: CancelOnDisconnect(9001), UnsubscribeExecutionReports(9009),
    ConnectionOnlyExecutionReports(9010), ReportFillsAsExecReports(9015)."""

    cancels_on_disconnect: bool
    hears_nothing: bool
    hears_own_only: bool
    fills_as_reports: bool


def options_of(raw: bytes) -> Options:
    """The options of a Logon(A)."""
    fields = split(raw)
    return Options(*(fields.get(tag) == b"Y" for tag in (b"9001", b"9009", b"9010", b"9015")))


class Door:
    """The keys of each listener, and the last time that each client logged on with, which has to grow."""

    def __init__(self, keys_for: Callable[[str], Iterable[Key]]) -> None:
        self._keys_for = keys_for
        self._last: dict[tuple[str, bytes], int] = {}

    def enter(self, raw: bytes, listener: str) -> Key | None:
        """Whose Logon(A) at that listener it is; None for nobody's."""
        fields = split(raw)
        if any(tag not in fields for tag in (b"108", b"96", b"553", b"554")):
            return None
        raw_data = fields[b"96"]
        key = next((key for key in self._keys_for(listener) if key.api_key.encode() == fields[b"553"]), None)
        timestamp, _, nonce = raw_data.partition(b".")
        if key is None or not (0 < len(nonce) <= _MAX_NONCE and timestamp.isdigit()):
            return None
        wanted = base64.b64encode(hashlib.sha256(raw_data + key.secret).digest())
        if len(timestamp) > _MAX_TIMESTAMP_DIGITS or not compare_digest(wanted, fields[b"554"]):
            return None
        who = (key.api_key, fields.get(b"49", b""))
        if int(timestamp) <= self._last.get(who, 0):
            return None
        self._last[who] = int(timestamp)
        return key


class Credits:
    """Requests that may be sent at once, and how many a second come back."""

    def __init__(self, burst: int, refill_per_s: int) -> None:
        self._burst = Decimal(burst)
        self._refill = Decimal(refill_per_s)
        self._left: dict[str, tuple[Decimal, int]] = {}

    def take(self, account: str, now: Instant) -> bool:
        """Whether the account had one left."""
        left, at_ns = self._left.get(account, (self._burst, now.boot_ns))
        left = min(self._burst, left + self._refill * (now.boot_ns - at_ns) / NS_PER_S)
        self._left[account] = (max(left - 1, Decimal(0)) if left >= 1 else left, now.boot_ns)
        return left >= 1


class DeribitGateway(FixGateway):
    """What holds of each connection: who comes in, that Logon(A) is sent back, and what SequenceReset(4) is told."""

    _venue: Venue

    door: Door
    refusal = INVALID

    def _admit(self, raw: bytes) -> Client | str:
        fields = split(raw)
        comp_id = fields.get(b"49", b"").decode("latin-1")
        if fields.get(b"35") != b"A" or not comp_id or fields.get(b"56", b"").decode("latin-1") != self._comp_id:
            return f"the first message is no Logon(A) to {self._comp_id}"
        if comp_id in self._clients:
            return f"{comp_id} is logged on already"
        key = self.door.enter(raw, self._scope)
        if key is None:
            return INVALID
        party = Party(comp_id=comp_id, account=key.account)
        echo = b"".join(b"%b=%b\x01" % (tag, value) for tag, value in pairs(raw) if tag not in _SAID_ANYWAY)
        settings = dataclasses.replace(
            self._session_settings(party), logon_fields=lambda seq, stamp: echo, header_order=HEADER,
            sending_time_tolerance_s=0,
        )  # fmt: skip
        client = self._clients[comp_id] = Client(party, Session(settings))
        self._entered(client, options_of(raw))
        return client

    def tell(self, client: Client, msg_type: str, body: bytes, now: Instant) -> None:
        """Send to a client, at whatever point of a turn."""
        self._send(client, msg_type, body, now)
        self._carry_out(client, now)

    def _entered(self, client: Client, options: Options) -> None:
        """A client comes in."""

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        if why != INVALID:
            return b""
        to, stamp = split(raw)[b"49"], utc_timestamp(now.wall_ns)
        head = b"35=5\x0149=%b\x0156=%b\x0134=1\x0152=%b\x01" % (self._comp_id.encode(), to, stamp)
        return encode(b"FIX.4.4", head + b"58=%b\x01" % why.encode())

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        if type(effect) is NumbersSet and effect.reason is NumbersReason.SEQUENCE_RESET:
            # ResendRequest(2) with the number reached is how a SequenceReset(4) is acknowledged.
            client.session.send("2", b"7=%d\x0116=%d\x01" % (effect.next_inbound, effect.next_inbound), now)
        if type(effect) is Inbound and effect.msg_type == "5":
            self._leaving(client, effect)
        super()._perform(client, effect, now)

    def _leaving(self, client: Client, logout: Inbound) -> None:
        """A client has sent Logout(5)."""

    def _write(self, client: Client, effect: Outbound, now: Instant) -> None:
        if effect.msg_type == "3" and b"\x01372=4\x01" in effect.raw:
            # One that would lower the number is answered in the same way, with the number that is expected.
            effect = effect._replace(msg_type="2", raw=_resend_request(effect.raw, client.session.next_inbound))
        super()._write(client, effect, now)

    def _ended(self, client: Client, line: Line) -> None:
        del self._clients[client.party.comp_id]


def _resend_request(rejected: bytes, number: int) -> bytes:
    header = b"".join(b"%b=%b\x01" % (tag, value) for tag, value in pairs(rejected) if tag in _HEADER)
    return encode(b"FIX.4.4", b"35=2\x01%b7=%d\x0116=%d\x01" % (header, number, number))
