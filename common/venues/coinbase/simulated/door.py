"""Who may log on at Coinbase Exchange's simulated side, how often, and how fast he may ask.

Source: the order entry page, Logon(A), and the page of rate limits. What a refused Logon(A) is answered with is not
documented: a Reject(3) with one of the reasons that the page lists, and the end of the connection.
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from typing import Any

from common.exchange.fix_gateway import Client, FixGateway
from common.exchange.limits import Window
from common.exchange.requests import Request
from common.exchange.settings import Key, Party
from common.exchange.venue import Venue
from common.fix.errors import FormatError
from common.fix.session import Effect, LoggedOn, SessionSettings
from common.fix.wire import encode, parse_utc_timestamp, split, utc_timestamp
from common.instant import Instant
from common.venues.coinbase.simulated import wire

LOGONS_PER_S = 2
REQUESTS_PER_S = 100
MESSAGES_PER_S = 200
"""Above REQUESTS_PER_S a request is refused, above this the connection is ended."""

SIGNATURE_PROBLEM = 8
COMP_ID_PROBLEM = 9
MISSING = 1
OUT_OF_RANGE = 5
BAD_VERSION = 18
OTHER = 1
"""BusinessRejectReason(380): here 1 is what the standard has as 0, and 2 an unsupported type, there 3."""

UNSUPPORTED_TYPE = 2
Fields = dict[bytes, bytes]


def signature(key: Key, fields: Fields) -> bytes:
    """RawData(96) as the server makes it anew: of the time with three digits and the number without leading zeros, so
    that who signs them as he has spelt them otherwise is wrong."""
    try:
        stamp = utc_timestamp(parse_utc_timestamp(fields.get(b"52", b"")), 3).decode()
        number = str(int(fields.get(b"34", b"")))
    except (FormatError, ValueError):
        return b""
    parts = (stamp, "A", number, key.api_key, fields.get(b"56", b"").decode("latin-1"), key.passphrase)
    secret = base64.b64decode(key.secret)
    return base64.b64encode(hmac.new(secret, "\x01".join(parts).encode("latin-1"), hashlib.sha256).digest())


def why_refused(
    venue: Venue, listener: str, fields: Fields, longest_heart_bt_int_s: int
) -> tuple[int, int, str] | None:
    """SessionRejectReason(373), RefTagID(371) and Text(58) of a Logon(A) that is not let in; None where it is."""
    keys = {key.api_key.encode("latin-1"): key for key in venue.settings.keys_for(listener)}
    key = keys.get(fields.get(b"49", b""))
    if key is None or fields.get(b"56") != venue.settings.comp_id.encode():
        return COMP_ID_PROBLEM, 49, "CompID problem"
    for tag in (b"553", b"554", b"95", b"96", b"1137"):
        if not fields.get(tag):
            return MISSING, int(tag), "Required tag missing"
    if fields[b"1137"] != wire.APPL_VER_ID.encode():
        return BAD_VERSION, 1137, "Invalid/Unsupported Application Version"
    if fields.get(b"34") != b"1":
        return OUT_OF_RANGE, 34, "MsgSeqNum must be 1"
    interval = fields.get(b"108", b"")
    if not interval.isdigit() or not 1 <= int(interval) <= longest_heart_bt_int_s:
        return OUT_OF_RANGE, 108, f"HeartBtInt must be at most {longest_heart_bt_int_s}"
    is_known = hmac.compare_digest(fields[b"554"], key.passphrase.encode()) and fields[b"553"] == fields[b"49"]
    if not is_known or not hmac.compare_digest(fields[b"96"], signature(key, fields)):
        return SIGNATURE_PROBLEM, 96, "Invalid signature"
    return None


class CoinbaseDoor(FixGateway):
    """What the venue's listeners have in common: FIX 5.0 SP2 over FIXT 1.1, a signed Logon(A), one connection per key.

    `is_limited`: whether logons and requests are counted.
    """

    _venue: Venue

    begin_string = wire.BEGIN_STRING
    default_appl_ver_id = wire.APPL_VER_ID
    longest_heart_bt_int_s = 300
    is_limited = False

    def __init__(self, venue: Venue, *arguments: Any) -> None:
        """`arguments` are those of the listener's own class."""
        self._logons: dict[str, Window] = {}
        self._requests: dict[str, Window] = {}
        super().__init__(venue, *arguments)

    def _session_settings(self, party: Party) -> SessionSettings:
        """A silent client is asked for life after 1.5 intervals, and ended after 2."""
        return replace(super()._session_settings(party), test_request_multiplier=1.5, disconnect_multiplier=2.0)

    def _admit(self, raw: bytes) -> Client | str:
        fields = split(raw)
        refused = why_refused(self._venue, self._scope, fields, self.longest_heart_bt_int_s)
        return refused[2] if refused is not None else super()._admit(raw)

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        fields = split(raw)
        if fields.get(b"35") != b"A":
            return b""
        refused = why_refused(self._venue, self._scope, fields, self.longest_heart_bt_int_s)
        reason, tag, text = refused or (COMP_ID_PROBLEM, 49, "Only one session per API key")
        to = fields.get(b"49", b"").decode("latin-1")
        head = f"35=3\x0134=1\x0149={self._venue.settings.comp_id}\x0152={utc_timestamp(now.wall_ns).decode()}\x01"
        body = f"56={to}\x0145=1\x01371={tag}\x01372=A\x01373={reason}\x0158={text}\x01"
        return encode(wire.BEGIN_STRING.encode(), (head + body).encode("latin-1"))

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        super()._perform(client, effect, now)
        if type(effect) is LoggedOn and self.is_limited:
            logons = self._logons.setdefault(client.party.comp_id, Window(1))
            if logons.count(now.boot_ns) > LOGONS_PER_S:
                client.session.logout(f"Rate limit exceeded: {LOGONS_PER_S} logons per second", now)

    def _answer(self, client: Client, request: Request, now: Instant) -> None:
        if self.is_limited and not self._has_room(client, request, now):
            return
        if request.msg_type not in self._answers:
            self._send(client, "j", request.not_served(UNSUPPORTED_TYPE, "Unsupported message type"), now)
            return
        super()._answer(client, request, now)

    def _has_room(self, client: Client, request: Request, now: Instant) -> bool:
        used = self._requests.setdefault(client.party.comp_id, Window(1)).count(now.boot_ns)
        if used > MESSAGES_PER_S:
            client.session.logout(f"Rate limit exceeded: {MESSAGES_PER_S} messages per second", now)
        elif used > REQUESTS_PER_S:
            text = f"Rate limit exceeded: {REQUESTS_PER_S} requests per second"
            self._send(client, "j", request.not_served(OTHER, text, request.optional(11)), now)
        return used <= REQUESTS_PER_S

    def announce(self, headline: str, now: Instant) -> None:
        """The venue has no News(B): that a connection ends is told by its Logout(5) alone."""
