"""Who may log on at the simulated HTX: whoever signs with the Ed25519 key of his API key, once for each name.

Source: the mirror of HTX's page on its FIX API, as of April 2025.
"""

import base64
import binascii
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from common.exchange.fix_gateway import Client, FixGateway
from common.exchange.settings import Key, Party
from common.exchange.venue import Venue
from common.fix.session import Session
from common.fix.wire import encode, split, utc_timestamp
from common.instant import Instant

_HEART_BT_INT = re.compile(rb"[5-9]|[12][0-9]|30")
_ANY_NAME = re.compile(r"[A-Za-z0-9]{1,32}")


class HtxGateway(FixGateway):
    """What holds of each connection: numbers begin at 1, and a wrong Logon(A) is answered with Logout(5)."""

    _venue: Venue

    def _admit(self, raw: bytes) -> Client | str:
        fields = split(raw)
        name = fields.get(b"49", b"").decode("ascii", "replace")
        keys = self._venue.settings.keys_for(self._scope)
        key = next((k for k in keys if k.api_key.encode() == fields.get(b"553")), None)
        why = _why_refused(fields, key)
        if fields.get(b"35") != b"A" or not _ANY_NAME.fullmatch(name) or key is None or why:
            return why or "the first message is no Logon(A)"
        if name in self._clients:
            return f"{name} is logged on already"
        party = Party(comp_id=name, account=key.account)
        client = self._clients[name] = Client(party, Session(self._session_settings(party)))
        return client

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        f = split(raw)
        if f.get(b"35") != b"A":
            return b""
        to, stamp = f.get(b"49", b""), utc_timestamp(now.wall_ns)
        head = b"35=5\x0134=1\x0149=%b\x0152=%b\x0156=%b\x01" % (self._comp_id.encode(), stamp, to)
        return encode(b"FIX.4.4", head + b"58=%b\x01" % why.encode())


def _why_refused(fields: dict[bytes, bytes], key: Key | None) -> str:
    """What is wrong with a Logon(A), "" where nothing is."""
    if fields.get(b"34") != b"1" or fields.get(b"141") != b"Y":
        return "MsgSeqNum must be 1, and ResetSeqNumFlag Y"
    if not _HEART_BT_INT.fullmatch(fields.get(b"108", b"")):
        return "HeartBtInt must be from 5 to 30"
    signed = b"".join(fields.get(tag, b"") + b"\x01" for tag in (b"49", b"56", b"34", b"52"))
    if key is None or not _verifies(key, fields.get(b"96", b""), signed):
        return "Invalid signature"
    return ""


def _verifies(key: Key, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(base64.b64decode(signature, validate=True), text)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
