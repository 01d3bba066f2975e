"""Our side of every comparison: the journal, folded as the order manager folds it."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from common.actor.order_books import newest_books
from common.config import Config
from common.journal import OsFiles, Reader
from common.journal.frames import Record
from common.messages import Answer, Discrepancy, Kind
from common.orders.changes import Answered, Inquired, OrderChanged, Unnamed
from common.orders.facts import VenueFacts
from common.orders.fold import Fold
from common.orders.numbers import ZERO
from common.orders.positions import Position

OrderName = tuple[str, int]
TradeName = tuple[str, str, str]


class JournalBooks:
    """The journal folded as far as it was read, from the newest snapshot on, and what was heard on the way.

    `began_after` holds the last trade identity of each (account, symbol) in that snapshot, and `filled` the fills that
    were counted since. `answers` are the accounts' and `answered` the orders that a venue has answered for, each with
    its LSN.
    """

    def __init__(self, config: Config) -> None:
        """Nothing is read yet but the snapshot."""
        self._reader = Reader(config.journal_folder, OsFiles())
        self.books = newest_books(config)
        self._fold = Fold(self.books)
        self.discrepancies: list[tuple[int, Discrepancy]] = []
        self.answers: list[tuple[int, Answer]] = []
        self.answered: dict[OrderName, int] = {}
        self.filled: dict[TradeName, int] = {}
        self.began_after = {
            (name, symbol): key
            for name, account in self.books.accounts.items()
            for symbol, key in account.last_trade_keys.items()
        }
        self.began_ns = 0
        self._pending: Iterator[Record] = iter(())

    @property
    def lsn(self) -> int:
        """The last record folded."""
        return self.books.lsn

    def read_on(self) -> None:
        """Fold everything that the journal has."""
        while self.step():
            pass

    def step(self) -> bool:
        """Fold the next record, if the journal has one."""
        record = next(self._pending, None)
        if record is None:
            first = self.books.lsn + 1 if self.books.lsn else self._reader.first_lsn()
            self._pending = iter(self._reader.read(first, self._reader.durable_lsn()))
            record = next(self._pending, None)
        if record is None:
            return False
        self._apply(record)
        return True

    def _apply(self, record: Record) -> None:
        self.began_ns = self.began_ns or record.stamp_ns
        for change in self._fold.apply(record):
            match change:
                case OrderChanged(order, "trade", trade_key=key) if key:
                    self.filled[order.account, order.symbol, key] = record.lsn
                case Unnamed(account, report, True):
                    self.filled[account, report.symbol, report.trade_key] = record.lsn
                case Inquired(order, True):
                    self.answered[order.strategy, order.number] = record.lsn
                case Answered(answer):
                    self.answers.append((record.lsn, answer))
        if record.kind == Kind.DISCREPANCY:
            self.discrepancies.append((record.lsn, _discrepancy(record.payload)))


def asset_changes(known: VenueFacts, positions: Iterable[Position]) -> dict[str, Decimal]:
    """What the fills behind `positions` have changed each asset's balance by; only symbols whose assets are known
    count. Contracts move the asset alone that they are settled in."""
    changes: dict[str, Decimal] = {}
    for position in positions:
        if not known.bases.get(position.symbol):
            continue
        base, contract = known.held_asset(position.symbol), known.contract(position.symbol)
        paid_in = known.quotes.get(position.symbol, "") if contract.is_spot else contract.settle
        if base:
            changes[base] = changes.get(base, ZERO) + position.quantity
        changes[paid_in] = changes.get(paid_in, ZERO) + position.cash
        for asset, paid in position.fees.items():
            if asset != base:
                changes[asset] = changes.get(asset, ZERO) - paid
    return changes


def contracts_held(known: VenueFacts, positions: Iterable[Position]) -> dict[str, Decimal]:
    """How many contracts of each symbol are held, below 0 where they were sold."""
    return {held.symbol: held.quantity for held in positions if not known.contract(held.symbol).is_spot}


def held_at_cost(known: VenueFacts, positions: Iterable[Position]) -> dict[str, Decimal]:
    """What the contracts that are held have cost, by the asset that they are settled in. What was settled less this is
    the same in whatever order the fills came: what one fill realises is not."""
    costs: dict[str, Decimal] = {}
    for position in positions:
        contract = known.contract(position.symbol)
        if not contract.is_spot:
            cost = contract.held_at_cost(position.quantity, position.unit_cost)
            costs[contract.settle] = costs.get(contract.settle, ZERO) + cost
    return costs


_discrepancy = msgspec.msgpack.Decoder(Discrepancy).decode
