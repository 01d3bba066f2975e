"""The books as KuCoin Futures tells them: one price at a time, each with the next number of its book.

Source: KuCoin documentation as stored 2025-11-29, futures market data, level 2. What REST tells of a book is what it is
after the change of its number, so that all of a book and its changes fit together.
"""

from decimal import Decimal
from typing import NamedTuple

from common.exchange.book import Book, BookSide
from common.exchange.numbers import digits
from common.exchange.order import BUY, SELL, ZERO
from common.venues.families.kucoin.simulated.rows import side

DEPTH = 5_000
Levels = dict[Decimal, Decimal]


class LevelChange(NamedTuple):
    """One price of a book, and what is there, 0 for nothing; `sequence` is its number. Side(54) is a bid's or an
    ask's."""

    sequence: int
    price: Decimal
    side: str
    qty: Decimal

    @property
    def text(self) -> str:
        """As the venue writes it."""
        return f"{digits(self.price)},{side(self.side)},{digits(self.qty)}"


class ToldLevels:
    """One book as it was told last; `sequence` is the number of its last change."""

    def __init__(self) -> None:
        self.sequence = 1_000
        self._update_id = -1
        self._levels: dict[str, Levels] = {BUY: {}, SELL: {}}

    def differs(self, book: Book) -> bool:
        """Whether the book has changed since."""
        return self._update_id != book.update_id

    def take_changes(self, book: Book) -> list[LevelChange]:
        """What has changed since; it counts as told."""
        if not self.differs(book):
            return []
        self._update_id = book.update_id
        return [*self._take_side(SELL, book.asks), *self._take_side(BUY, book.bids)]

    def _take_side(self, code: str, levels: BookSide) -> list[LevelChange]:
        former, now = self._levels[code], Levels()
        for level in levels.walk():
            now[level.price] = level.qty
            if len(now) == DEPTH:
                break
        self._levels[code] = now
        prices = sorted(price for price in former.keys() | now.keys() if former.get(price) != now.get(price))
        changes = []
        for price in prices:
            self.sequence += 1
            changes.append(LevelChange(self.sequence, price, code, now.get(price, ZERO)))
        return changes

    def rows(self, code: str, depth: int = DEPTH) -> list[list[object]]:
        """Price and quantity of each level of a side, the best first."""
        return [[digits(price), int(qty)] for price, qty in list(self._levels[code].items())[:depth]]
