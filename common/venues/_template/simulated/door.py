"""Who may log on at the template's simulated side: a name and a password, the same at both listeners."""

from hmac import compare_digest

from common.exchange.venue import Venue
from common.fix.wire import split


def why_refused(venue: Venue, listener: str, raw: bytes) -> str:
    """Why the Logon(A) is closed without a word, "" where it is not."""
    fields = split(raw)
    name, password = fields.get(b"553", b""), fields.get(b"554", b"")
    keys = venue.settings.keys_for(listener)
    known = any(key.api_key.encode() == name and compare_digest(key.secret, password) for key in keys)
    return "" if known else "a wrong name or password"
