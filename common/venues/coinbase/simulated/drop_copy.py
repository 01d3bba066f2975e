"""Coinbase Exchange's simulated drop copy: the reports of all orders of the key's profile, to whoever asks for them.

Source: the drop copy page of docs.cdp.coinbase.com. Nothing is told of what was missed: the numbers begin at 1 with
each Logon(A), which says DropCopyFlag(9406)=Y. The order entry page says that fills alone are told, this page that all
reports are: so they are where `only_fills` is not set.
"""

from collections.abc import Mapping

from common.exchange.fix_gateway import Client, Handler
from common.exchange.venue import Venue
from common.fix.wire import split
from common.instant import Instant
from common.venues.coinbase.simulated.door import CoinbaseDoor

FILL = b"F"


class CoinbaseDropCopy(CoinbaseDoor):
    """The drop copy listener."""

    longest_heart_bt_int_s = 30

    only_fills = False

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, "drop_copy", venue.settings.parties)

    def _handlers(self) -> Mapping[str, Handler]:
        return {}

    def _admit(self, raw: bytes) -> Client | str:
        if split(raw).get(b"9406") != b"Y":
            return "DropCopyFlag(9406) must be Y"
        return super()._admit(raw)

    def tell(self, account: str, body: bytes, now: Instant) -> None:
        """A report of an order of the account."""
        if self.only_fills and split(body).get(b"150") != FILL:
            return
        for client in self._logged_on():
            if client.party.account == account:
                self._send(client, "8", body, now)
