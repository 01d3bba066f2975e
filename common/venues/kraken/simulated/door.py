"""Who may log on at Kraken's simulated order entry: whoever signs with his key's secret, once for each nonce.

Source: docs.kraken.com, Unified FIX, Logon.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from common.exchange.settings import Key, Party
from common.fix.wire import split
from common.instant import NS_PER_MS, Instant

NONCE_WINDOW_MS = 5000
INVALID_KEY = "EAPI:Invalid key"


class Door:
    """Checks Logons(A), and keeps the highest nonce of each key."""

    def __init__(self, keys: Iterable[Key], parties: Iterable[Party]) -> None:
        self._keys = {key.api_key: key for key in keys}
        self._accounts = {party.comp_id: party.account for party in parties}
        self._nonces: dict[str, int] = {}

    def why_refused(self, raw: bytes, now: Instant) -> str:
        """Why this Logon(A) is not let in, "" where it is; its nonce is used up then."""
        fields = split(raw)
        key = self._keys.get(fields.get(b"553", b"").decode("ascii", "replace"))
        nonce = fields.get(b"5025", b"").decode("ascii", "replace")
        if key is None or key.account != self._accounts.get(fields.get(b"49", b"").decode("ascii", "replace")):
            return INVALID_KEY
        if not nonce.isdecimal() or len(nonce) > 18:
            return "EAPI:Invalid nonce"
        if not _is_signed(fields, key, nonce):
            return "EAPI:Invalid signature"
        now_ms = now.wall_ns // NS_PER_MS
        last = self._nonces.get(key.api_key, 0)
        # One of a time that is to come was let in by a clock that was wrong here, and would bar everybody until then.
        is_used = last - now_ms <= NONCE_WINDOW_MS and int(nonce) <= last
        if is_used or abs(int(nonce) - now_ms) > NONCE_WINDOW_MS:
            return "EAPI:Invalid nonce"
        self._nonces[key.api_key] = int(nonce)
        return ""


def _is_signed(fields: dict[bytes, bytes], key: Key, nonce: str) -> bool:
    text = b"".join(b"%b=%b\x01" % (tag, fields.get(tag, b"")) for tag in (b"35", b"34", b"49", b"56", b"553"))
    try:
        secret = base64.b64decode(key.secret, validate=True)
    except binascii.Error:
        return False
    digest = hmac.digest(secret, hashlib.sha256(text + nonce.encode()).digest(), "sha512")
    return hmac.compare_digest(base64.b64encode(digest), fields.get(b"554", b""))
