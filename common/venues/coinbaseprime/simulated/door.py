"""Who may log on at Coinbase Prime's simulated side, and how fast he may ask.

Source: docs.cdp.coinbase.com/prime/fix-api, administrative messages and connectivity. A wrong Logon(A) is closed
without a word: what it is answered with is not documented.
"""

import base64
import hmac
from dataclasses import replace
from typing import Any

from common.exchange.fix_gateway import Client, FixGateway
from common.exchange.limits import Window
from common.exchange.requests import Request
from common.exchange.settings import Key, Party
from common.exchange.venue import Venue
from common.fix.session import SessionSettings
from common.fix.wire import split
from common.instant import Instant

MESSAGES_PER_S = 50
CLOCK_S = 5
"""So far from the server's time a message's SendingTime(52) may be."""

OTHER = 0
"""BusinessRejectReason(380)."""


def signature(key: Key, fields: dict[bytes, bytes]) -> bytes:
    """RawData(96) of that Logon(A), made anew: the secret is text, and the values are joined with nothing."""
    parts = (fields.get(b"52", b""), b"A", fields.get(b"34", b""), key.api_key.encode(), fields.get(b"56", b""))
    text = b"".join(parts) + key.passphrase.encode()
    return base64.b64encode(hmac.digest(key.secret, text, "sha256"))


class PrimeDoor(FixGateway):
    """What the venue's listeners have in common. `key_tag` is where Logon(A) has the API key."""

    key_tag = b"9407"

    def __init__(self, venue: Venue, *arguments: Any) -> None:
        """`arguments` are those of the listener's own class."""
        self._asked: dict[str, Window] = {}
        super().__init__(venue, *arguments)
        self._keys = {key.api_key.encode("latin-1"): key for key in venue.settings.keys_for(self._scope)}

    def _session_settings(self, party: Party) -> SessionSettings:
        return replace(super()._session_settings(party), sending_time_tolerance_s=CLOCK_S)

    def _admit(self, raw: bytes) -> Client | str:
        return self._why_wrong(split(raw)) or super()._admit(raw)

    def _why_wrong(self, fields: dict[bytes, bytes]) -> str:
        """Why this Logon(A) is not let in, "" where it is."""
        key = self._keys.get(fields.get(self.key_tag, b""))
        if key is None or not hmac.compare_digest(fields.get(b"554", b""), key.passphrase.encode()):
            return "a wrong key or passphrase"
        told = fields.get(b"96", b"")
        is_signed = hmac.compare_digest(told, signature(key, fields)) and fields.get(b"95") == b"%d" % len(told)
        return "" if is_signed else "a wrong signature"

    def _answer(self, client: Client, request: Request, now: Instant) -> None:
        used = self._asked.setdefault(client.party.comp_id, Window(1)).count(now.boot_ns)
        if used > MESSAGES_PER_S:
            self._send(client, "j", request.not_served(OTHER, "Rate limit exceeded", request.optional(11)), now)
            return
        super()._answer(client, request, now)

    def announce(self, headline: str, now: Instant) -> None:
        """The venue has no News(B): that a connection ends is told by its Logout(5) alone."""
