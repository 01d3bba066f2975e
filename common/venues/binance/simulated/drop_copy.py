"""Dialect "binance", drop copy: what is told of all orders of an account, a second later, to whoever only listens.

Source: binance-spot-api-docs, fix-api.md. Logon(A) says DropCopyFlag(9406)=Y; no order message is taken. Nothing is
told of what was missed.
"""

from collections import deque

from common.exchange.venue import Venue
from common.instant import NS_PER_S, Instant, earliest
from common.venues.binance.simulated.session import DROP_COPY, BinanceGateway

DELAY_NS = NS_PER_S


class BinanceDropCopy(BinanceGateway):
    """The drop copy listener."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, DROP_COPY)
        self._late: deque[tuple[int, str, str, bytes]] = deque()

    def tell(self, account: str, msg_type: str, body: bytes, now: Instant) -> None:
        """A message on orders of the account, which its sessions have now and a drop copy later."""
        if self._peers:
            self._late.append((now.boot_ns + DELAY_NS, account, msg_type, body))

    def next_deadline_ns(self) -> int | None:
        """When something is due, in boot terms."""
        return earliest(super().next_deadline_ns(), self._late[0][0] if self._late else None)

    def timer(self, now: Instant) -> None:
        """Do what is due."""
        while self._late and self._late[0][0] <= now.boot_ns:
            _, account, msg_type, body = self._late.popleft()
            for peer in self._peers.values():
                if peer.logged_on and peer.account == account:
                    peer.send(msg_type, body, now)
        super().timer(now)
