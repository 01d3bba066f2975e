"""What each listener of a WebSocket was told of the books that it listens to: the next push is the difference.

Prices and quantities are compared as the venue writes them. A price that is gone has the quantity "0".
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from common.exchange.book import Book, BookSide
from common.instant import Instant

Levels = dict[str, str]


class BookChange(NamedTuple):
    """What a listener has to be told: rows of price and quantity by price. `former_id` is the book's number when he was
    told last, -1 for never, `update_id` what it is now."""

    connection: int
    symbol: str
    former_id: int
    update_id: int
    asks: list[tuple[str, str]]
    bids: list[tuple[str, str]]


class _Told:
    """One book of one listener."""

    def __init__(self) -> None:
        self.asks: Levels = {}
        self.bids: Levels = {}
        self.update_id = -1


class ToldBooks:
    """The books of all listeners of a venue. Changes are told at most every `every_ns`, down to `depth` levels."""

    def __init__(self, every_ns: int, depth: int, write: Callable[[Decimal], str]) -> None:
        """`write` is how the venue writes a number."""
        self._every_ns = every_ns
        self._depth = depth
        self._write = write
        self._told: dict[tuple[int, str], _Told] = {}
        self._next_ns = 0

    def begin(self, connection: int, symbol: str, now: Instant, book: Book | None = None) -> None:
        """Somebody listens to a book, and is told all of it; of `book` only what changes from here on."""
        told = self._told[connection, symbol] = _Told()
        if book is not None:
            self._difference(told, book)
        self._next_ns = now.boot_ns

    def listens(self, connection: int, symbol: str) -> bool:
        """Whether he listens to that book."""
        return (connection, symbol) in self._told

    def forget(self, connection: int, symbol: str = "") -> None:
        """He listens no more, to that book or to any."""
        for place in [each for each in self._told if each[0] == connection and symbol in ("", each[1])]:
            del self._told[place]

    def next_deadline_ns(self, books: Mapping[str, Book]) -> int | None:
        """When something is to be told, in boot terms."""
        is_changed = any(told.update_id != books[symbol].update_id for (_, symbol), told in self._told.items())
        return self._next_ns if is_changed else None

    def take_due(self, books: Mapping[str, Book], now: Instant) -> list[BookChange]:
        """What is to be told now; it counts as told."""
        deadline = self.next_deadline_ns(books)
        if deadline is None or now.boot_ns < deadline:
            return []
        self._next_ns = now.boot_ns + self._every_ns
        changes = []
        for (connection, symbol), told in self._told.items():
            book, former_id = books[symbol], told.update_id
            if former_id != book.update_id:
                asks, bids = self._difference(told, book)
                changes.append(BookChange(connection, symbol, former_id, book.update_id, asks, bids))
        return changes

    def _difference(self, told: _Told, book: Book) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        asks, bids = self._levels(book.asks), self._levels(book.bids)
        found = _changes(told.asks, asks), _changes(told.bids, bids)
        told.asks, told.bids, told.update_id = asks, bids, book.update_id
        return found

    def _levels(self, side: BookSide) -> Levels:
        found: Levels = {}
        for level in side.walk():
            found[self._write(level.price)] = self._write(level.qty)
            if len(found) == self._depth:
                break
        return found


def _changes(former: Levels, levels: Levels) -> list[tuple[str, str]]:
    gone = [(px, "0") for px in former if px not in levels]
    changed = [(px, qty) for px, qty in levels.items() if former.get(px) != qty]
    return sorted(gone + changed, key=lambda row: Decimal(row[0]))
