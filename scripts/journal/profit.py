"""Profit over a stretch of the log, from the log alone: by the fold and the rules of money, as `fixring pnl` has them.

The log has no market prices. Each position is valued at the last price at which an order of ours was filled in its
symbol, or at risk's price when the day began where that is later; what has neither is left out of the unrealised part.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from common.config import Config
from common.instant import NS_PER_MS
from common.journal import Reader, Record
from common.orders.books import Place
from common.orders.changes import OrderChanged
from common.orders.facts import VenueFacts, facts_of
from common.orders.fold import Fold
from common.orders.money import Price, held_by, net_by_strategy, rates_in, told_lines
from common.past.replay import blocks
from scripts.journal.past import books_at


class Sample(NamedTuple):
    """Net profit by strategy and in all at one moment, of the day where one has begun; `time_ms` is Unix time."""

    time_ms: int
    net: Mapping[str, Decimal]


class ProfitHistory:
    """Folds the log, and gives a sample for each `every_ns` that has passed."""

    def __init__(self, config: Config, fold: Fold, every_ns: int) -> None:
        """`fold` stands before the first record that is asked about, or earlier."""
        self._money = config.stack.money
        self._accounts: dict[str, VenueFacts] = {
            name: facts_of(account.venue, 0) for name, account in config.accounts.items()
        }
        self._fold = fold
        self._every_ns = every_ns
        self._prices: dict[Place, Price] = {}
        self._day_lsn = -1
        self._next_ns = 0

    def take(self, records: Iterable[Record], from_lsn: int) -> Iterator[Sample]:
        """Fold the records; samples begin with record `from_lsn`. Raises what `Fold.apply` raises."""
        fold = self._fold
        for record in records:
            if record.lsn >= from_lsn and record.stamp_ns >= self._next_ns:
                if self._next_ns:
                    yield self.sample()
                self._next_ns = record.stamp_ns // self._every_ns * self._every_ns + self._every_ns
            for change in fold.apply(record):
                if isinstance(change, OrderChanged) and change.last_qty and change.last_px:
                    self._prices[change.order.account, change.order.symbol] = Price(change.last_px)
            day = fold.books.day
            if day.lsn != self._day_lsn:
                self._day_lsn = day.lsn
                self._prices |= {(told.account, told.symbol): Price(told.px) for told in day.prices}

    def sample(self) -> Sample:
        """What stands after the last record."""
        books, money = self._fold.books, self._money
        rates = rates_in(money.currency, money.fixed_rates, self._accounts, self._prices)
        return Sample(books.stamp_ns // NS_PER_MS, net_by_strategy(told_lines(held_by(books), self._prices, rates)))


def profit_history(
    config: Config, reader: Reader, from_lsn: int, upto_lsn: int | None, every_ns: int
) -> Iterator[Sample]:
    """The samples of a range, and one at its end. Raises JournalError."""
    books = books_at(config, reader, from_lsn - 1)
    history = ProfitHistory(config, Fold(books), every_ns)
    for block in blocks(reader, books.lsn + 1, upto_lsn):
        yield from history.take(block.records, from_lsn)
    if books.lsn:
        yield history.sample()
