"""Which orders the subscribers of one symbol know, and what has become of them since."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from common.exchange.book import Book
from common.exchange.changes import Traded
from common.exchange.order import BUY

NEW, CHANGE, DELETE = "0", "1", "2"
BID, OFFER, TRADE = "0", "1", "2"
MODIFIED, CANCELED, FILLED = "CHANGE_REASON_MODIFY_ORDER", "CANCELED", "FILLED"


class Told(NamedTuple):
    """One order as it is known: MDEntryType(269), MDEntryPx(270), MDEntrySize(271)."""

    entry_type: str
    px: Decimal
    qty: Decimal


class Event(NamedTuple):
    """One entry of an X. `taker_id` is of a trade, `cl_ord_id` of an acknowledgement, which has no MDEntryID(278)."""

    action: str
    told: Told
    order_id: int
    text: str = ""
    taker_id: int = 0
    taker_side: str = ""
    cl_ord_id: str = ""


class KnownOrders:
    """The orders of one book as its subscribers know them. `sequence` is the last RptSeq(83)."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.sequence = 0
        self.orders: dict[int, Told] = {}
        self.begin()

    def begin(self) -> None:
        """Somebody has subscribed, and nobody was there before: what is in the book is what is known."""
        self.orders = {
            order.order_id: Told(BID if order.side == BUY else OFFER, level.price, order.visible_qty)
            for side in (self._book.bids, self._book.asks)
            for level in side.walk()
            for order in level.orders.values()
        }
        self._forget_changes()

    def _forget_changes(self) -> None:
        self._book.bids.changed.clear()
        self._book.asks.changed.clear()

    def events(self, trades: list[Traded]) -> list[Event]:
        """What has happened since the last call: the trades first, then what rests otherwise than it did."""
        found = [self._traded(trade) for trade in trades]
        found += [event for entry_type in (BID, OFFER) for event in self._rearranged(entry_type)]
        self._forget_changes()
        return found

    def _traded(self, trade: Traded) -> Event:
        """A trade bears the id of the order that rested, and the book's order is less by it."""
        told = self.orders.get(trade.maker_id)
        if told is not None:
            self.orders[trade.maker_id] = told._replace(qty=told.qty - trade.qty)
        entry = Told(TRADE, trade.px, trade.qty)
        return Event(NEW, entry, trade.maker_id, "", trade.taker_id, trade.taker_side)

    def _rearranged(self, entry_type: str) -> Iterator[Event]:
        side = self._book.bids if entry_type == BID else self._book.asks
        keys = [px if entry_type == BID else -px for px in side.changed]
        levels = [side.levels[key] for key in keys if key in side.levels]
        here = {order_id: order for level in levels for order_id, order in level.orders.items()}
        for order_id, told in list(self.orders.items()):
            if told.entry_type == entry_type and told.px in side.changed and order_id not in here:
                del self.orders[order_id]
                yield Event(DELETE, told, order_id, CANCELED if told.qty else FILLED)
        for order_id, order in here.items():
            assert order.price is not None
            now, known = Told(entry_type, order.price, order.visible_qty), self.orders.get(order_id)
            self.orders[order_id] = now
            if known is None:
                yield Event(NEW, now, 0, cl_ord_id=order.cl_ord_id or "-", taker_id=order_id)
                yield Event(NEW, now, order_id)
            elif known != now:
                yield Event(CHANGE, now, order_id, MODIFIED)
