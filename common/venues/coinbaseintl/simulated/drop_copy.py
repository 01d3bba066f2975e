"""Coinbase International's simulated drop copy: the reports of all orders of the key's portfolio, to whoever is there.

Source: docs.cdp.coinbase.com/international-exchange/fix-api, drop copy messages. The application's own replay of what
was missed, F1 to F5, is not simulated.
"""

from collections.abc import Mapping

from common.exchange.fix_gateway import Handler
from common.exchange.venue import Venue
from common.instant import Instant
from common.venues.coinbaseintl.simulated.door import DROP_COPY, InternationalDoor


class InternationalDropCopy(InternationalDoor):
    """The drop copy listener."""

    called = DROP_COPY

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, "drop_copy", venue.settings.parties, DROP_COPY)

    def _handlers(self) -> Mapping[str, Handler]:
        return {}

    def tell(self, account: str, body: bytes, now: Instant) -> None:
        """A report of an order of the account."""
        for client in self._logged_on():
            if client.party.account == account:
                self._send(client, "8", body, now)
