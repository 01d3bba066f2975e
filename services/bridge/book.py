"""The orders that a bridge has ever taken, folded from its log alone: the same records give the same orders.

In memory are those that are not over, and those that ended since the last snapshot; what is older stands in the
archive. An order of the archive that the venue tells something new of comes back from there. At a start the archive may
be ahead of the snapshot that the log is read from: what an order has of the log already is not applied to it again.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import structs

from common.exchange.order import ZERO
from common.venues.backend import BridgedTerms
from services.bridge.archive import Archive, KeptOrder
from services.bridge.records import (
    NEVER_REACHED,
    OWN_WISHES,
    Acknowledged,
    Adopted,
    Amended,
    Ended,
    Filled,
    Guarded,
    OrderRecord,
    Refused,
    Reopened,
    Taken,
)

PENDING_NEW, NEW, PARTIALLY_FILLED, FILLED = "A", "0", "1", "2"


class BookImage(msgspec.Struct, array_like=True, frozen=True):
    """What a snapshot holds of the book: what is not in the archive. Fields are only ever appended, with a default."""

    orders: list[KeptOrder]
    guarded: list[str]
    taken: int
    last_fill_ns: int
    once_guarded: list[str] = []


class BridgedOrder:
    """One order. `cl_ord_id` is the name that it goes by, `names` all that its client's requests had, and `wishes` the
    cancels and amendments without an outcome. `lsn` is the record as of which the archive or a snapshot had it, and
    `told_ns` the time, by the venue's clock, as of which this life was last told of it."""

    __slots__ = (
        "by_ns", "cl_ord_id", "client", "cum_qty", "cum_quote", "end", "evidence", "fills", "lsn", "names", "order_id",
        "stamp_ns", "terms", "told_ns", "wishes",
    )  # fmt: skip

    def __init__(self, client: str, cl_ord_id: str, terms: BridgedTerms, by_ns: int, stamp_ns: int) -> None:
        self.client = client
        self.cl_ord_id = cl_ord_id
        self.terms = terms
        self.by_ns = by_ns
        self.stamp_ns = stamp_ns
        self.order_id = ""
        self.cum_qty = self.cum_quote = ZERO
        self.fills: set[str] = set()
        self.end = ""
        self.evidence = ""
        self.names = [cl_ord_id]
        self.wishes: dict[str, Taken] = {}
        self.lsn = self.told_ns = 0

    @property
    def venue_id(self) -> str:
        """Its id at the venue, ours."""
        return self.terms.venue_id

    @property
    def is_undecided(self) -> bool:
        """Whether it is not known if the venue has it."""
        return not self.order_id and not self.end

    @property
    def is_open(self) -> bool:
        """Whether the venue has it, and has not told its end."""
        return bool(self.order_id) and not self.end

    @property
    def ord_status(self) -> str:
        """OrdStatus(39)."""
        if self.end:
            return self.end
        if self.is_undecided:
            return PENDING_NEW
        return PARTIALLY_FILLED if self.cum_qty else NEW

    @property
    def amendment(self) -> Taken | None:
        """The amendment that has no outcome yet; there is one at most."""
        return next((wish for wish in self.wishes.values() if wish.kind == "G"), None)

    @property
    def is_filled(self) -> bool:
        """Whether all of it is filled, also of what an amendment asks for that has no outcome yet: the venue may have
        carried it out."""
        asked = self.amendment
        return self.cum_qty >= max(self.terms.order_qty, ZERO if asked is None else asked.terms.order_qty)

    @property
    def leaves_qty(self) -> Decimal:
        """LeavesQty(151)."""
        return ZERO if self.end else self.terms.order_qty - self.cum_qty

    def kept(self, lsn: int) -> KeptOrder:
        """As the archive or a snapshot keeps it, as of a record."""
        return KeptOrder(
            lsn, self.client, self.cl_ord_id, self.names, self.terms, self.by_ns, self.stamp_ns, self.order_id,
            self.cum_qty, self.cum_quote, sorted(self.fills), self.end, self.evidence, list(self.wishes.values()),
        )  # fmt: skip


def _order_of(kept: KeptOrder) -> BridgedOrder:
    order = BridgedOrder(kept.client, kept.cl_ord_id, kept.terms, kept.by_ns, kept.stamp_ns)
    order.order_id, order.lsn, order.names = kept.order_id, kept.lsn, list(kept.names)
    order.cum_qty, order.cum_quote, order.fills = kept.cum_qty, kept.cum_quote, set(kept.fills)
    order.end, order.evidence = kept.end, kept.evidence
    order.wishes = {wish.cl_ord_id: wish for wish in kept.wishes}
    return order


class Book:
    """All orders, by our id at the venue, by the venue's, and by each client's own names."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.open: dict[str, BridgedOrder] = {}
        """Undecided ones too."""

        self._orders: dict[str, BridgedOrder] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._order_ids: dict[str, str] = {}
        self.guarded: set[str] = set()
        """The clients whose orders are cancelled when they are gone."""

        self.once_guarded: set[str] = set()
        """The clients of whom that was ever so."""

        self.taken = 0
        self.last_fill_ns = 0
        """By the venue's clock."""

    # ---- looking up

    def __len__(self) -> int:
        """How many orders are in memory."""
        return len(self._orders)

    def order(self, venue_id: str) -> BridgedOrder:
        """The order of that id of ours. Raises KeyError where the log never had it."""
        order = self._orders.get(venue_id) or self._archived(self.archive.order(venue_id))
        if order is None:
            raise KeyError(venue_id)
        return order

    def has(self, venue_id: str) -> bool:
        """Whether that id was ever used."""
        return venue_id in self._orders or self.archive.order(venue_id) is not None

    def named(self, client: str, cl_ord_id: str) -> BridgedOrder | None:
        """The order that a client's request of that name was about, whatever became of it."""
        venue_id = self._names.get((client, cl_ord_id))
        return self._archived(self.archive.order_named(client, cl_ord_id)) if venue_id is None else self.order(venue_id)

    def at_venue(self, venue_id: str, order_id: str) -> BridgedOrder | None:
        """The order that the venue tells of, which is in memory from then on; None for somebody else's."""
        order = self._orders.get(venue_id or self._order_ids.get(order_id, ""))
        if order is None:
            order = self._archived(self.archive.order(venue_id) if venue_id else self.archive.order_of(order_id))
            if order is not None and order.venue_id not in self._orders:
                self._keep(order)
        return order

    def _archived(self, kept: KeptOrder | None) -> BridgedOrder | None:
        """As it stands in the archive; in memory it may be a later one, which counts."""
        if kept is None:
            return None
        return self._orders.get(kept.terms.venue_id) or _order_of(kept)

    def names_at_venue(self) -> dict[str, str]:
        """The names that clients know open orders by, by our ids at the venue."""
        return {venue_id: order.cl_ord_id for venue_id, order in self.open.items()}

    def open_of(self, client: str, symbol: str = "") -> Iterator[BridgedOrder]:
        """A client's orders that are not over, undecided ones too."""
        return (o for o in list(self.open.values()) if o.client == client and symbol in ("", o.terms.symbol))

    # ---- memory

    def _keep(self, order: BridgedOrder) -> None:
        """Have it in memory, by all its names."""
        self._orders[order.venue_id] = order
        if not order.end:
            self.open[order.venue_id] = order
        if order.order_id:
            self._order_ids[order.order_id] = order.venue_id
        for name in order.names:
            self._names[order.client, name] = order.venue_id

    def archive_ended(self, lsn: int) -> None:
        """What is over leaves memory for the archive, which is then of all up to record `lsn`."""
        ended = [order for order in self._orders.values() if order.end]
        self.archive.add((order.kept(lsn) for order in ended), lsn)
        for order in ended:
            del self._orders[order.venue_id]
            self._order_ids.pop(order.order_id, None)
            for name in order.names:
                self._names.pop((order.client, name), None)

    def image(self, lsn: int) -> BookImage:
        """For a snapshot as of record `lsn`, once the archive is of it."""
        orders = [order.kept(lsn) for order in self._orders.values()]
        return BookImage(
            orders, sorted(self.guarded), self.taken, self.last_fill_ns, once_guarded=sorted(self.once_guarded)
        )

    def load(self, image: BookImage) -> None:
        """From a snapshot."""
        for kept in image.orders:
            self._keep(_order_of(kept))
        self.guarded, self.taken, self.last_fill_ns = set(image.guarded), image.taken, image.last_fill_ns
        self.once_guarded = self.guarded | set(image.once_guarded)

    # ---- folding

    def apply(self, record: OrderRecord, lsn: int) -> None:
        """Carry out one record, live or from the log, which is or will be record `lsn`."""
        if isinstance(record, Guarded):
            (self.guarded.add if record.wanted else self.guarded.discard)(record.client)
            self.once_guarded |= self.guarded
            return
        if isinstance(record, Adopted):
            self._adopt(record)
            return
        if isinstance(record, Taken):
            self.taken += 1
            if record.kind == "D" and (lsn > self.archive.lsn or not self.has(record.venue_id)):
                self._keep(BridgedOrder(record.client, record.cl_ord_id, record.terms, record.by_ns, record.stamp_ns))
                return
        elif isinstance(record, Filled):
            self.last_fill_ns = max(self.last_fill_ns, record.stamp_ns)
        order = self.order(record.venue_id)
        if lsn > order.lsn:
            if order.venue_id not in self._orders:
                self._keep(order)
            _APPLY[type(record)](self, order, record)

    def _adopt(self, record: Adopted) -> None:
        self.taken += 1
        if not self.has(record.venue_id):
            order = BridgedOrder(record.client, record.venue_id, record.terms, 0, record.stamp_ns)
            order.order_id = record.order_id
            self._keep(order)

    def _taken(self, order: BridgedOrder, taken: Taken) -> None:
        order.wishes[taken.cl_ord_id] = taken
        if taken.cl_ord_id not in OWN_WISHES:
            order.names.append(taken.cl_ord_id)
            self._names[order.client, taken.cl_ord_id] = order.venue_id

    def _acknowledged(self, order: BridgedOrder, record: Acknowledged) -> None:
        order.order_id = record.order_id
        self._order_ids[record.order_id] = order.venue_id

    def _filled(self, order: BridgedOrder, record: Filled) -> None:
        order.fills.add(record.trade_id)
        order.cum_qty += record.qty
        order.cum_quote += record.qty * record.px
        self._over_if_filled(order)

    def _amended(self, order: BridgedOrder, record: Amended) -> None:
        order.terms = structs.replace(order.terms, order_qty=record.order_qty, price=record.price)
        if record.cl_ord_id:
            order.cl_ord_id = record.cl_ord_id
            order.wishes.pop(record.cl_ord_id, None)
        if order.end == FILLED and not order.is_filled:
            # Somebody made it larger before the fill that was taken for its last.
            order.end = ""
            self.open[order.venue_id] = order
        self._over_if_filled(order)

    def _ended(self, order: BridgedOrder, record: Ended) -> None:
        order.evidence = record.evidence
        self._over(order, record.ord_status)

    def _over_if_filled(self, order: BridgedOrder) -> None:
        if not order.end and order.is_filled:
            self._over(order, FILLED)

    def _over(self, order: BridgedOrder, ord_status: str) -> None:
        order.end = ord_status
        order.wishes.clear()
        self.open.pop(order.venue_id, None)

    def _refused(self, order: BridgedOrder, record: Refused) -> None:
        order.wishes.pop(record.cl_ord_id, None)
        self._over_if_filled(order)

    def _reopened(self, order: BridgedOrder, record: Reopened) -> None:
        assert order.evidence == NEVER_REACHED
        order.end = order.evidence = ""
        self.open[order.venue_id] = order
        self._acknowledged(order, Acknowledged(order.venue_id, record.order_id))


_APPLY: dict[type, Callable[[Any, Any, Any], None]] = {
    Taken: Book._taken,
    Acknowledged: Book._acknowledged,
    Filled: Book._filled,
    Amended: Book._amended,
    Ended: Book._ended,
    Refused: Book._refused,
    Reopened: Book._reopened,
}
