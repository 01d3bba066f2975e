"""The tokens that a venue's WebSocket is opened with: asked for over REST, good for a day.

What was given out is lost with the simulated exchange's process, as its connections are.
"""

import base64
import hashlib

from common.exchange.venue import Venue
from common.instant import NS_PER_S, Instant

TOKEN_NS = 86_400 * NS_PER_S


class Tokens:
    """What was given out. `PUBLIC` is the account of a token that nobody signed for."""

    PUBLIC = ""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._given: dict[str, tuple[str, int]] = {}

    def give(self, account: str, now: Instant) -> str:
        """A new token of an account."""
        self._given = {token: row for token, row in self._given.items() if row[1] > now.wall_ns}
        name = f"{self._venue.unique()} {account} {now.wall_ns}".encode()
        token = base64.urlsafe_b64encode(hashlib.sha256(name).digest()).decode()
        self._given[token] = account, now.wall_ns + TOKEN_NS
        return token

    def account(self, token: str, now: Instant) -> tuple[str, int] | None:
        """Whose a token is, and until when in Unix nanoseconds; None for one that is no token any more."""
        row = self._given.get(token)
        return row if row is not None and row[1] > now.wall_ns else None
