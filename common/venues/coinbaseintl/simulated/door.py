"""Who may log on at Coinbase International's simulated side, and how fast he may ask.

Source: docs.cdp.coinbase.com/international-exchange/fix-api, administrative messages and the overview. That
ResetSeqNumFlag(141)=N is answered with a Reject(3) the page says; so is here whatever else is wrong with a Logon(A).
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
from common.fix.session import SessionSettings
from common.fix.wire import encode, parse_utc_timestamp, split, utc_timestamp
from common.instant import NS_PER_S, Instant

ORDER_ENTRY, DROP_COPY = "CBINTLOE", "CBINTLDC"
"""TargetCompID(56) of a client, by the kind of session."""

BEGIN_STRING, APPL_VER_ID = "FIXT.1.1", "9"
CLOCK_S = 1
"""So far from the server's time a message's SendingTime(52) may be."""

LONGEST_HEART_BT_INT_S = 30
MESSAGES_PER_S = 800
MOST_MESSAGES_PER_S = 1000
"""Above MESSAGES_PER_S a message is refused, above this the connection is ended."""

THROTTLED, ABOUT_TO_DISCONNECT = 8, 9
"""BusinessRejectReason(380)."""

MISSING, OUT_OF_RANGE, SIGNATURE_PROBLEM, COMP_ID_PROBLEM, CLOCK_PROBLEM, BAD_VERSION = 1, 5, 8, 9, 10, 18
"""SessionRejectReason(373)."""

Fields = dict[bytes, bytes]
Refused = tuple[int, int, str]
"""SessionRejectReason(373), RefTagID(371) and Text(58)."""


def signature(key: Key, fields: Fields) -> bytes:
    """Text(58) as the server makes it anew: of the time with three digits, so that who signs another one is wrong."""
    try:
        stamp = utc_timestamp(parse_utc_timestamp(fields.get(b"52", b"")), 3)
    except FormatError:
        return b""
    text = stamp + key.api_key.encode() + fields.get(b"56", b"") + key.passphrase.encode()
    return base64.b64encode(hmac.new(base64.b64decode(key.secret), text, hashlib.sha256).digest())


class InternationalDoor(FixGateway):
    """What the venue's listeners have in common. `called` is what the exchange is called there."""

    _venue: Venue
    begin_string = BEGIN_STRING
    default_appl_ver_id = APPL_VER_ID
    called = ORDER_ENTRY

    def __init__(self, venue: Venue, *arguments: Any) -> None:
        """`arguments` are those of the listener's own class."""
        self._asked: dict[str, Window] = {}
        self._keys = {key.api_key.encode("latin-1"): key for key in venue.settings.keys_for("fix")}
        super().__init__(venue, *arguments)

    def _session_settings(self, party: Party) -> SessionSettings:
        """A silent client is asked for life after 1.5 intervals, and ended after 2."""
        settings = super()._session_settings(party)
        return replace(
            settings, test_request_multiplier=1.5, disconnect_multiplier=2.0, sending_time_tolerance_s=CLOCK_S,
            timestamp_digits=6,
        )  # fmt: skip

    def _why_refused(self, raw: bytes, now: Instant) -> str:
        refused = self._why_wrong(split(raw), now)
        return "" if refused is None else refused[2]

    def _why_wrong(self, fields: Fields, now: Instant) -> Refused | None:
        """What is wrong with a Logon(A), None where it is let in."""
        key = self._keys.get(fields.get(b"49", b""))
        if key is None or fields.get(b"56") != self.called.encode():
            return COMP_ID_PROBLEM, 49, "CompID problem"
        for tag in (b"141", b"553", b"554", b"58", b"1137"):
            if not fields.get(tag):
                return MISSING, int(tag), "Required tag missing"
        for tag, wanted, reason in ((b"141", b"Y", OUT_OF_RANGE), (b"1137", APPL_VER_ID.encode(), BAD_VERSION)):
            if fields[tag] != wanted:
                return reason, int(tag), f"Tag {int(tag)} must be {wanted.decode()}"
        interval = fields.get(b"108", b"")
        if not interval.isdigit() or not 1 <= int(interval) <= LONGEST_HEART_BT_INT_S:
            return OUT_OF_RANGE, 108, f"HeartBtInt must be at most {LONGEST_HEART_BT_INT_S}"
        is_known = hmac.compare_digest(fields[b"554"], key.passphrase.encode()) and fields[b"553"] == fields[b"49"]
        if not is_known or not hmac.compare_digest(fields[b"58"], signature(key, fields)):
            return SIGNATURE_PROBLEM, 58, "Invalid signature"
        if abs(parse_utc_timestamp(fields[b"52"]) - now.wall_ns) > CLOCK_S * NS_PER_S:
            return CLOCK_PROBLEM, 52, "SendingTime accuracy problem"
        return None

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        fields = split(raw)
        if fields.get(b"35") != b"A":
            return b""
        reason, tag, text = self._why_wrong(fields, now) or (COMP_ID_PROBLEM, 49, "Only one session per API key")
        to = fields.get(b"49", b"").decode("latin-1")
        head = f"35=3\x0134=1\x0149={self.called}\x0152={utc_timestamp(now.wall_ns, 6).decode()}\x0156={to}\x01"
        body = f"45=1\x01371={tag}\x01372=A\x01373={reason}\x0158={text}\x01"
        return encode(BEGIN_STRING.encode(), (head + body).encode("latin-1"))

    def _answer(self, client: Client, request: Request, now: Instant) -> None:
        used = self._asked.setdefault(client.party.comp_id, Window(1)).count(now.boot_ns)
        if used <= MESSAGES_PER_S:
            super()._answer(client, request, now)
            return
        if used > MOST_MESSAGES_PER_S:
            client.session.logout(f"Throttled: {MOST_MESSAGES_PER_S} messages per second", now)
            return
        reason = ABOUT_TO_DISCONNECT if used == MOST_MESSAGES_PER_S else THROTTLED
        self._send(client, "j", request.not_served(reason, "Throttled", request.optional(11)), now)

    def announce(self, headline: str, now: Instant) -> None:
        """The venue has no News(B): that a connection ends is told by its Logout(5) alone."""
