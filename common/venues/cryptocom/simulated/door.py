"""Who may log on at the simulated Crypto.com Exchange: whoever signs with his key's secret at about this time.

Source: exchange-developer.crypto.com, FIX, Logon. How far the nonce may be off is REST's, and assumed here.
"""

import hmac
from collections.abc import Iterable

from common.exchange.settings import Key
from common.fix.wire import encode, pairs, split, utc_timestamp
from common.instant import NS_PER_MS, Instant

NONCE_WINDOW_MS = 60_000
SYSTEM = "system_labelONEEX"
_NEEDED = (b"95", b"96", b"98", b"108", b"553", b"554")
_REPEATED = frozenset({b"95", b"96", b"553", b"554", b"6867", b"35002"})


class Door:
    """Checks Logons(A). `label` stands between the key and the nonce in what is signed."""

    def __init__(self, keys: Iterable[Key], label: str) -> None:
        self._keys = {key.api_key: key for key in keys}
        self._label = label

    def why_refused(self, raw: bytes, account: str | None, now: Instant) -> str:
        """Why this Logon(A) is not let in, "" where it is. `account` is whose connection it is, None for anybody's."""
        fields = split(raw)
        if fields.get(b"35") != b"A":
            return "the first message is no Logon(A)"
        for tag in _NEEDED:
            if not fields.get(tag):
                return f"Required tag missing: {tag.decode()}"
        key = self._keys.get(fields[b"553"].decode("ascii", "replace"))
        if key is None or account not in (None, key.account):
            return "Unknown API key"
        nonce = fields[b"96"].decode("ascii", "replace")
        payload = f"public/auth{fields[b'34'].decode()}{key.api_key}{self._label}{nonce}"
        wanted = hmac.digest(key.secret, payload.encode(), "sha256").hex().encode()
        if not hmac.compare_digest(wanted, fields[b"554"]):
            return "Invalid signature"
        if not nonce.isdecimal() or abs(int(nonce[:18]) - now.wall_ns // NS_PER_MS) > NONCE_WINDOW_MS:
            return "Invalid nonce"
        return ""


def farewell(raw: bytes, why: str, now: Instant) -> bytes:
    """Logout(5) to whoever sent this Logon(A), as an answer to its number."""
    f = split(raw)
    if f.get(b"35") != b"A":
        return b""
    head = b"35=5\x0134=1\x0149=%b\x0152=%b\x0156=%b\x01" % (f[b"56"], utc_timestamp(now.wall_ns), f[b"49"])
    return encode(b"FIX.4.4", head + b"58=%b\x01" % why.encode())


def asked_for(raw: bytes) -> bytes:
    """What of a Logon(A) its answer repeats."""
    return b"".join(b"%b=%b\x01" % (tag, value) for tag, value in pairs(raw) if tag in _REPEATED)
