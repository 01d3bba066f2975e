"""The best prices of each symbol, folded from the venue's entries in their order."""

from decimal import Decimal

from common.messages import TopOfBook
from common.venues.dialect import BookEntry

BID, OFFER, TRADE = "0", "1", "2"
DELETE, SNAPSHOT = "2", "W"
ZERO = Decimal(0)


class Book:
    """Best bid, best offer and last trade of one symbol."""

    __slots__ = ("ask_px", "ask_qty", "bid_px", "bid_qty", "last_ns", "last_px", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.last_px: Decimal | None = None
        self.last_ns = 0
        self.clear()

    def clear(self) -> None:
        """Neither side has a price."""
        self.bid_px: Decimal | None = None
        self.ask_px: Decimal | None = None
        self.bid_qty = self.ask_qty = ZERO

    def apply(self, entry: BookEntry, heard_ns: int) -> None:
        """Fold one entry, heard at `heard_ns`. At depth 1 an entry replaces the side's best; a delete of a price that
        is not the best is late.
        """
        if entry.what == "":
            self.clear()
        elif entry.what == TRADE:
            # A snapshot tells a trade of any age.
            self.last_px, self.last_ns = entry.px, 0 if entry.action == SNAPSHOT else heard_ns
        elif entry.action == DELETE:
            self._delete(entry)
        elif entry.what == BID:
            self.bid_px, self.bid_qty = entry.px, entry.qty
        elif entry.what == OFFER:
            self.ask_px, self.ask_qty = entry.px, entry.qty

    def _delete(self, entry: BookEntry) -> None:
        if entry.what == BID and entry.px in (None, self.bid_px):
            self.bid_px, self.bid_qty = None, ZERO
        elif entry.what == OFFER and entry.px in (None, self.ask_px):
            self.ask_px, self.ask_qty = None, ZERO

    def top(self, venue: str, heard_ns: int) -> TopOfBook:
        """The book as the feed tells it."""
        return TopOfBook(
            venue, self.symbol, self.bid_px, self.bid_qty, self.ask_px, self.ask_qty, self.last_px, heard_ns,
            self.last_ns,
        )  # fmt: skip
