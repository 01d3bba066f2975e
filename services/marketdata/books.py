"""The best prices of each symbol, folded from the venue's entries in their order.

A side holds one price where the venue tells the best one only: an entry then replaces what was there. It holds levels
once the venue has told several of a side, or names them by MDEntryID(278). A book of which something could not be read
is not known until the next snapshot: it shows nothing, rather than half of the truth.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from heapq import nlargest, nsmallest

from common.instant import Instant
from common.messages import TopOfBook
from common.venues.dialect import BookEntry
from common.venues.market_data import (
    BID,
    CHANGE,
    CHECKSUM,
    DELETE,
    EMPTY_BOOK,
    NEW,
    OFFER,
    SNAPSHOT,
    TRADE,
    UNSIDED,
    Levels,
)

FEED = "feed"
"""The link on which prices and trades are published."""

ZERO = Decimal(0)

Level = tuple[Decimal, Decimal]
"""Price and quantity."""

Sum = Callable[[Levels, Levels], int]
"""The checksum of a book: of its bids and its offers, the best first."""


def best_of(bids: Iterable[Level], offers: Iterable[Level], most: int) -> tuple[list[Level], list[Level]]:
    """The best `most` prices of each side, the best first; what rests at one price is together."""
    return nlargest(most, _together(bids)), nsmallest(most, _together(offers))


def _together(levels: Iterable[Level]) -> list[Level]:
    sums: dict[Decimal, Decimal] = {}
    for px, qty in levels:
        sums[px] = sums.get(px, ZERO) + qty
    return list(sums.items())


class Book:
    """Best bid, best offer and last trade of one symbol. `why` says what could not be read, "" while the book is known;
    `priced_boot_ns` is when a message last told of its prices, in boot time, None for never."""

    __slots__ = ("_has_levels", "_sequence", "_sides", "_sum", "last_ns", "last_px", "priced_boot_ns", "symbol", "why")

    def __init__(self, symbol: str, book_sum: Sum | None = None) -> None:
        """`book_sum` is what the venue's checksums are held against, where it gives any."""
        self.symbol = symbol
        self._sum = book_sum
        self.last_px: Decimal | None = None
        self.last_ns = 0
        self.priced_boot_ns: int | None = None
        self._has_levels = False
        self._sequence = 0
        self._sides: dict[str, dict[str | Decimal, Level]] = {BID: {}, OFFER: {}}
        self.why = ""

    def clear(self, why: str = "") -> None:
        """Neither side has a price, and with `why` none is known."""
        for levels in self._sides.values():
            levels.clear()
        self.why = why

    @property
    def bid(self) -> Level | None:
        """The best bid."""
        return max(self._sides[BID].values(), default=None)

    @property
    def offer(self) -> Level | None:
        """The best offer."""
        return min(self._sides[OFFER].values(), default=None)

    def levels(self, most: int) -> tuple[list[Level], list[Level]]:
        """The best `most` prices of the bids and of the offers, the best first; what rests at one price is together.
        None while the book is not known."""
        return best_of(self._sides[BID].values(), self._sides[OFFER].values(), most)

    def apply(self, entries: Sequence[BookEntry], now: Instant) -> None:
        """Fold what one message says of this symbol, heard now."""
        for head in entries[:1]:
            self._follow(head)
        for side in (BID, OFFER):
            told = [e for e in entries if e.what == side and e.action in (NEW, SNAPSHOT)]
            self._has_levels = self._has_levels or len(told) > 1
        for entry in entries:
            if entry.what == TRADE:
                # A snapshot tells a trade of any age.
                self.last_px, self.last_ns = entry.px, 0 if entry.action == SNAPSHOT else now.wall_ns
            elif entry.what == "":
                self.clear(entry.why)
            elif self.why:
                continue
            elif entry.what == CHECKSUM:
                self._verify(entry.entry_id)
            else:
                self._entry(entry)
        if not self.why and any(entry.what != TRADE for entry in entries):
            self.priced_boot_ns = now.boot_ns

    def _follow(self, head: BookEntry) -> None:
        """Hold what a message says it follows against the last one: with one missing the book is not known."""
        if head.follows and head.follows != self._sequence:
            self.clear(f"a message follows {head.follows}, and the last one was {self._sequence}")
        self._sequence = head.sequence or self._sequence

    def _verify(self, told: str) -> None:
        """Hold the book against the venue's checksum: one that has another is not the venue's, and so not known."""
        if self._sum is None:
            return
        bids, offers = (sorted(self._sides[side].values(), reverse=side == BID) for side in (BID, OFFER))
        ours = self._sum(bids, offers)
        if str(ours) != told:
            self.clear(f"the venue's checksum of the book is {told}, and ours {ours}")

    def _entry(self, entry: BookEntry) -> None:
        if entry.what == EMPTY_BOOK:
            self.clear()
        elif entry.action == DELETE:
            self._delete(entry)
        elif entry.what in self._sides or entry.what == UNSIDED:
            self._put(entry)

    def _put(self, entry: BookEntry) -> None:
        side = next((s for s, levels in self._sides.items() if entry.entry_id in levels), entry.what)
        levels = self._sides.get(entry.what if entry.what != UNSIDED else side)
        former = None if levels is None else levels.get(entry.entry_id)
        px = entry.px if entry.px is not None or former is None else former[0]
        if levels is None or px is None:
            self.clear(f"a change of MDEntryID(278)={entry.entry_id}, which is not known")
            return
        qty = former[1] if former is not None and entry.action == CHANGE and not entry.qty else entry.qty
        if entry.entry_id:
            levels[entry.entry_id] = (px, qty)
            return
        if not self._has_levels and not any(isinstance(key, str) for key in levels):
            levels.clear()
        levels[px] = (px, qty)

    def _delete(self, entry: BookEntry) -> None:
        if entry.entry_id:
            self._delete_by_id(entry)
            return
        levels = self._sides.get(entry.what, {})
        for key in [key for key, level in levels.items() if entry.px in (None, level[0])]:
            del levels[key]

    def _delete_by_id(self, entry: BookEntry) -> None:
        """A name that nobody knows is that of a level that was told without one: on a side whose levels have names
        those without are over. Where no side is meant for sure, nothing is."""
        if any(levels.pop(entry.entry_id, None) for levels in self._sides.values()):
            return
        named = [s for s, levels in self._sides.items() if any(isinstance(key, str) for key in levels)]
        sides = [entry.what] if entry.what in self._sides else named
        if not sides:
            self.clear(f"MDEntryID(278)={entry.entry_id} is deleted, and not known")
        for side in sides:
            levels = self._sides[side]
            for key in [key for key in levels if not isinstance(key, str)]:
                del levels[key]

    def is_late(self, now: Instant, after_ns: int) -> bool:
        """Whether no message has told of its prices for so long, or what it told is not known."""
        return bool(self.why) or self.priced_boot_ns is None or now.boot_ns - self.priced_boot_ns >= after_ns

    def top(self, venue: str, now: Instant) -> TopOfBook:
        """The book as the feed tells it. Its age is counted in boot time: the wall clock may have been set since."""
        heard_ns = 0 if self.priced_boot_ns is None else now.wall_ns - (now.boot_ns - self.priced_boot_ns)
        bid_px, bid_qty = self.bid or (None, ZERO)
        ask_px, ask_qty = self.offer or (None, ZERO)
        return TopOfBook(venue, self.symbol, bid_px, bid_qty, ask_px, ask_qty, self.last_px, heard_ns, self.last_ns)
