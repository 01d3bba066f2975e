"""A book that the venue tells order by order, each message of a symbol with the next RptSeq(83).

Theory of operation. A snapshot comes in one message or more, all with one number, and says what the book was after the
update of that number; updates come between its messages, and before it. So they wait until it is whole, and those with
a higher number are carried out then. Where a number is missing the book is not known until the next snapshot.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from heapq import heappop, heappush

from common.instant import Instant
from common.venues.dialect import BookEntry
from common.venues.market_data import BID, CHANGE, DELETE, NEW, OFFER, SNAPSHOT, TAKEN, TRADE
from services.marketdata.books import ZERO, Book, Level, best_of

MAX_WAITING = 10_000
"""Updates that wait for a snapshot; beyond it the oldest go, and the gap is noticed."""

INCOMPLETE = "the snapshot is not whole yet"


class SideOfOrders:
    """The orders of one side by their ids, and what is together at each price; the best price is always at hand."""

    __slots__ = ("_bids", "_orders", "_prices", "_totals")

    def __init__(self, *, bids: bool) -> None:
        self._bids = bids
        self.clear()

    def clear(self) -> None:
        """There is none."""
        self._orders: dict[str, Level] = {}
        self._totals: dict[Decimal, Decimal] = {}
        self._prices: list[Decimal] = []

    def find(self, order_id: str) -> Level | None:
        """Price and quantity of an order; None for one that is not here."""
        return self._orders.get(order_id)

    def put(self, order_id: str, px: Decimal, qty: Decimal) -> None:
        """An order is here, with this price and quantity."""
        self.remove(order_id)
        if qty <= ZERO:
            return
        self._orders[order_id] = (px, qty)
        if px not in self._totals:
            heappush(self._prices, -px if self._bids else px)
        self._totals[px] = self._totals.get(px, ZERO) + qty

    def remove(self, order_id: str) -> None:
        """An order is not here any more, if it was."""
        px, qty = self._orders.pop(order_id, (ZERO, ZERO))
        if qty:
            left = self._totals[px] - qty
            if left:
                self._totals[px] = left
            else:
                del self._totals[px]

    @property
    def levels(self) -> Iterable[Level]:
        """Each price and all that is there, in no order."""
        return self._totals.items()

    @property
    def best(self) -> Level | None:
        """The best price and all that is there."""
        while self._prices:
            px = -self._prices[0] if self._bids else self._prices[0]
            total = self._totals.get(px)
            if total is not None:
                return px, total
            heappop(self._prices)
        return None


class NumberedBook(Book):
    """See the module. `why` says why the book is not known, "" while it is."""

    __slots__ = ("_last", "_orders", "_snapshot", "_waiting")

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self._orders = {BID: SideOfOrders(bids=True), OFFER: SideOfOrders(bids=False)}
        self._last: int | None = None
        self._snapshot: int | None = None
        self._waiting: deque[Sequence[BookEntry]] = deque(maxlen=MAX_WAITING)

    def clear(self, why: str = "") -> None:
        """See `Book`. Without a reason nothing that came before is of use: the connection is over."""
        for side in self._orders.values():
            side.clear()
        self._last = self._snapshot = None
        self.why = why
        if not why:
            self._waiting.clear()

    @property
    def bid(self) -> Level | None:
        """The best bid."""
        return None if self.why else self._orders[BID].best

    @property
    def offer(self) -> Level | None:
        """The best offer."""
        return None if self.why else self._orders[OFFER].best

    def levels(self, most: int) -> tuple[list[Level], list[Level]]:
        """See `Book`."""
        bids, offers = self._orders[BID].levels, self._orders[OFFER].levels
        return ([], []) if self.why else best_of(bids, offers, most)

    def apply(self, entries: Sequence[BookEntry], now: Instant) -> None:
        """See `Book`."""
        unread = next((entry.why for entry in entries if entry.why), "")
        if unread:
            self.clear(unread)
            return
        for entry in entries:
            if entry.what == TRADE:
                self.last_px, self.last_ns = entry.px, now.wall_ns
        head = entries[0]
        if head.action == SNAPSHOT and not head.what:
            self._take_fragment(head, entries[1:])
        elif self._last is None:
            self._waiting.append(entries)
        else:
            self._update(entries, self._last)
        if self._last is not None:
            self.priced_boot_ns = now.boot_ns

    def _take_fragment(self, head: BookEntry, entries: Sequence[BookEntry]) -> None:
        if self._last is not None or self._snapshot != head.sequence:
            self.clear(INCOMPLETE)
            self._snapshot = head.sequence
        for entry in entries:
            self._put(entry)
        if head.goes_on:
            return
        self.why, self._snapshot, self._last = "", None, head.sequence
        waiting, self._waiting = self._waiting, deque(maxlen=MAX_WAITING)
        for update in waiting:
            if self._last is None:
                self._waiting.append(update)
            else:
                self._update(update, self._last)

    def _update(self, entries: Sequence[BookEntry], last: int) -> None:
        """Carry out the next message; one that the snapshot holds already is passed over."""
        sequence = entries[0].sequence
        if sequence <= last:
            return
        if sequence > last + 1:
            self.clear(f"RptSeq(83) {last + 1} to {sequence - 1} are missing")
            self._waiting.append(entries)
            return
        self._last = sequence
        for entry in entries:
            if entry.action == TAKEN:
                self._take(entry)
            elif entry.what in self._orders:
                self._carry_out(entry)

    def _carry_out(self, entry: BookEntry) -> None:
        side = self._orders[entry.what]
        if entry.action == DELETE:
            side.remove(entry.entry_id)
        elif entry.action == NEW or (entry.action == CHANGE and side.find(entry.entry_id) is not None):
            # A change of an order that was never told is none of the book.
            self._put(entry)

    def _put(self, entry: BookEntry) -> None:
        if entry.px is not None:
            self._orders[entry.what].put(entry.entry_id, entry.px, entry.qty)

    def _take(self, entry: BookEntry) -> None:
        """A trade took so much of an order that rested."""
        for side in self._orders.values():
            level = side.find(entry.entry_id)
            if level is not None:
                side.put(entry.entry_id, level[0], level[1] - entry.qty)
