"""What a bridge's orders leave behind once they are over: looked up by every name of theirs, for ever.

The archive is an index of the log, as of a record of it: `lsn`. What it has taken in is on the disk, so that the log
need not reach back beyond it.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

import msgspec

from common.journal.errors import JournalError
from common.venues.backend import BridgedTerms
from services.bridge.records import Taken


class ArchiveLost(JournalError):
    """The archive is not of this log, or not of all that the log has dropped, so nothing can make it whole again."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{folder}: the archive of orders that are over is lost, and the log does not reach back to its beginning. "
            "Put orders.db back from a copy, or move the whole folder away: the bridge then begins a log of another id"
        )


class ArchiveFailed(JournalError):
    """The archive's file cannot be used or written."""


class KeptOrder(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An order as of record `lsn`. Fields are only ever appended, with a default."""

    lsn: int
    client: str
    cl_ord_id: str
    names: list[str]
    terms: BridgedTerms
    by_ns: int
    stamp_ns: int
    order_id: str
    cum_qty: Decimal
    cum_quote: Decimal
    fills: list[str]
    end: str
    evidence: str
    wishes: list[Taken] = []


class Archive(Protocol):
    """Where they are kept. `identity` is the log's, b"" of an empty one."""

    lsn: int
    identity: bytes

    def add(self, orders: Iterable[KeptOrder], lsn: int) -> None:
        """Keep these, and it is of all up to record `lsn`: on the disk when this returns. Raises ArchiveFailed."""

    def clear(self, identity: bytes) -> None:
        """Forget everything; what follows is of the log `identity`. Raises ArchiveFailed."""

    def order(self, venue_id: str) -> KeptOrder | None:
        """By our id at the venue."""

    def order_of(self, order_id: str) -> KeptOrder | None:
        """By the venue's own id."""

    def order_named(self, client: str, cl_ord_id: str) -> KeptOrder | None:
        """The order that a request of that ClOrdID(11) was about."""

    def close(self) -> None:
        """Give back what is held open."""


class MemoryArchive:
    """An archive in memory, for tests and for the simulator."""

    def __init__(self) -> None:
        self.lsn = 0
        self.identity = b""
        self._orders: dict[str, KeptOrder] = {}
        self._order_ids: dict[str, str] = {}
        self._names: dict[tuple[str, str], str] = {}

    def add(self, orders: Iterable[KeptOrder], lsn: int) -> None:
        """See `Archive`."""
        for order in orders:
            venue_id = order.terms.venue_id
            self._orders[venue_id] = order
            if order.order_id:
                self._order_ids[order.order_id] = venue_id
            for name in order.names:
                self._names[order.client, name] = venue_id
        self.lsn = lsn

    def clear(self, identity: bytes) -> None:
        """See `Archive`."""
        for held in (self._orders, self._order_ids, self._names):
            held.clear()
        self.lsn, self.identity = 0, identity

    def order(self, venue_id: str) -> KeptOrder | None:
        """See `Archive`."""
        return self._orders.get(venue_id)

    def order_of(self, order_id: str) -> KeptOrder | None:
        """See `Archive`."""
        return self._orders.get(self._order_ids.get(order_id, ""))

    def order_named(self, client: str, cl_ord_id: str) -> KeptOrder | None:
        """See `Archive`."""
        return self._orders.get(self._names.get((client, cl_ord_id), ""))

    def close(self) -> None:
        """Nothing is held open."""
