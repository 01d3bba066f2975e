"""The orders that a bridge has ever taken, folded from its log alone: the same records give the same orders."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from msgspec import structs

from common.exchange.order import ZERO
from services.bridge.records import (
    NEVER_REACHED,
    OWN_WISHES,
    Acknowledged,
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


class BridgedOrder:
    """One order. `cl_ord_id` is the name that it goes by, `wishes` the cancels and amendments without an outcome."""

    __slots__ = (
        "by_ns", "cl_ord_id", "client", "cum_qty", "cum_quote", "end", "evidence", "fills", "order_id", "stamp_ns",
        "terms", "wishes",
    )  # fmt: skip

    def __init__(self, taken: Taken) -> None:
        self.client = taken.client
        self.cl_ord_id = taken.cl_ord_id
        self.terms = taken.terms
        self.by_ns = taken.by_ns
        self.stamp_ns = taken.stamp_ns
        self.order_id = ""
        self.cum_qty = self.cum_quote = ZERO
        self.fills: set[str] = set()
        self.end = ""
        self.evidence = ""
        self.wishes: dict[str, Taken] = {}

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
    def leaves_qty(self) -> Decimal:
        """LeavesQty(151)."""
        return ZERO if self.end else self.terms.order_qty - self.cum_qty


class Book:
    """All orders, by our id at the venue, by the venue's, and by each client's own names."""

    def __init__(self) -> None:
        self.orders: dict[str, BridgedOrder] = {}
        self.open: dict[str, BridgedOrder] = {}
        """Undecided ones too."""

        self._names: dict[tuple[str, str], str] = {}
        self._order_ids: dict[str, str] = {}
        self.guarded: set[str] = set()
        """The clients whose orders are cancelled when they are gone."""

        self.taken = 0
        self.last_fill_ns = 0
        """By the venue's clock."""

    def named(self, client: str, cl_ord_id: str) -> BridgedOrder | None:
        """The order that a client's request of that name was about, whatever became of it."""
        venue_id = self._names.get((client, cl_ord_id))
        return None if venue_id is None else self.orders[venue_id]

    def at_venue(self, venue_id: str, order_id: str) -> BridgedOrder | None:
        """The order that the venue tells of; None for somebody else's."""
        return self.orders.get(venue_id or self._order_ids.get(order_id, ""))

    def names_at_venue(self) -> dict[str, str]:
        """The names that clients know open orders by, by our ids at the venue."""
        return {venue_id: order.cl_ord_id for venue_id, order in self.open.items()}

    def open_of(self, client: str, symbol: str = "") -> Iterator[BridgedOrder]:
        """A client's orders that are not over, undecided ones too."""
        return (o for o in list(self.open.values()) if o.client == client and symbol in ("", o.terms.symbol))

    def apply(self, record: OrderRecord) -> None:
        """Carry out one record, live or from the log."""
        _APPLY[type(record)](self, record)

    def _taken(self, taken: Taken) -> None:
        self.taken += 1
        if taken.cl_ord_id not in OWN_WISHES:
            self._names[taken.client, taken.cl_ord_id] = taken.venue_id
        if taken.kind == "D":
            order = self.orders[taken.venue_id] = self.open[taken.venue_id] = BridgedOrder(taken)
        else:
            order = self.orders[taken.venue_id]
            order.wishes[taken.cl_ord_id] = taken

    def _acknowledged(self, record: Acknowledged) -> None:
        self.orders[record.venue_id].order_id = record.order_id
        self._order_ids[record.order_id] = record.venue_id

    def _filled(self, record: Filled) -> None:
        order = self.orders[record.venue_id]
        self.last_fill_ns = max(self.last_fill_ns, record.stamp_ns)
        order.fills.add(record.trade_id)
        order.cum_qty += record.qty
        order.cum_quote += record.qty * record.px
        if not order.end and order.cum_qty >= order.terms.order_qty:
            self._over(order, FILLED)

    def _amended(self, record: Amended) -> None:
        order = self.orders[record.venue_id]
        order.terms = structs.replace(order.terms, order_qty=record.order_qty, price=record.price)
        if record.cl_ord_id:
            order.cl_ord_id = record.cl_ord_id
            order.wishes.pop(record.cl_ord_id, None)

    def _ended(self, record: Ended) -> None:
        order = self.orders[record.venue_id]
        order.evidence = record.evidence
        self._over(order, record.ord_status)

    def _over(self, order: BridgedOrder, ord_status: str) -> None:
        order.end = ord_status
        order.wishes.clear()
        self.open.pop(order.venue_id, None)

    def _refused(self, record: Refused) -> None:
        self.orders[record.venue_id].wishes.pop(record.cl_ord_id, None)

    def _guarded(self, record: Guarded) -> None:
        (self.guarded.add if record.wanted else self.guarded.discard)(record.client)

    def _reopened(self, record: Reopened) -> None:
        order = self.orders[record.venue_id]
        assert order.evidence == NEVER_REACHED
        order.end = order.evidence = ""
        self.open[record.venue_id] = order
        self._acknowledged(Acknowledged(record.venue_id, record.order_id))


_APPLY: dict[type, Callable[[Any, Any], None]] = {
    Taken: Book._taken,
    Acknowledged: Book._acknowledged,
    Filled: Book._filled,
    Amended: Book._amended,
    Ended: Book._ended,
    Refused: Book._refused,
    Reopened: Book._reopened,
    Guarded: Book._guarded,
}
