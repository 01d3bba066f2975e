"""The stack that is simulated: its configuration, and the states that its processes begin with."""

from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Protocol, cast

from common.actor.order_books import Folded as FoldedOrders
from common.config import Config, load
from common.contracts import Contract
from common.journal.frames import Record
from common.orders.books import Books, Bounds
from common.orders.changes import Change
from common.orders.index import Index, IntoIndex
from scripts.simulation.plan import FORMER_VENUES
from services.orders.archive import Archive
from services.orders.settings import orders_settings
from services.risk.settings import risk_settings
from services.risk.state import RiskState

_WHOLE: Config = load(Path(__file__).parent / "configs", environ={"FIXRING_VAR": "/simulated"})


@lru_cache
def config_of(venues: tuple[str, ...]) -> Config:
    """The stack at those venues."""
    return replace(_WHOLE, venues={name: venue for name, venue in _WHOLE.venues.items() if name in venues})


CONFIG = config_of(FORMER_VENUES)
"""The stack of whatever draws no venues."""

JOURNAL_FOLDER = str(CONFIG.journal_folder)
EMERGENCY_FOLDER = str(CONFIG.emergency_folder)
EMERGENCY_BYTES = 65_536
BOUNDS = Bounds(closed_orders=8, remembered=200, retired_fills=6)
"""So little stays in memory that every run has orders and fills that have left it."""


def position_limits(config: Config = CONFIG) -> dict[tuple[str, str], Decimal]:
    """The position limit of each symbol at each venue."""
    limits = config.stack.risk.symbols
    return {
        (name, symbol): limits[symbol].position_limit
        for name, venue in config.venues.items()
        for symbol in venue.instruments
    }


class Listed(Protocol):
    """What is asked of an instrument, of a file of ours or of an exchange's own list."""

    @property
    def lot_size(self) -> Decimal:
        """Quantities are multiples of this."""

    @property
    def min_qty(self) -> Decimal:
        """Of an order."""

    @property
    def min_notional(self) -> Decimal:
        """Of an order."""

    @property
    def contract(self) -> Contract:
        """What a quantity is."""


def small_qty(instrument: Listed, price: Decimal) -> Decimal:
    """A quantity that is just enough for an order at that price, and a little more."""
    lot, notional = instrument.lot_size, instrument.min_notional * 2
    if not instrument.contract.is_spot:
        return max(instrument.min_qty, lot * (1 + instrument.contract.quantity(price, notional) // lot))
    return max(instrument.min_qty, lot * (1 + notional // (price * lot)))


def exchange_log_folder(venue: str) -> str:
    """Where the exchange keeps its own log."""
    return f"{CONFIG.paths.exchange(venue)}/log"


def listener_of(actor: str) -> str:
    """The exchange's listener that an actor's connection goes to."""
    return "fix" if actor.startswith("session@") else "market_data"


class FoldedWithIndex(FoldedOrders):
    """The state of orders, and what leaves its memory in an index, as orders itself keeps it."""

    def __init__(self, books: Books, index: Index) -> None:
        """`index` has what had left the books' memory."""
        super().__init__(books)
        self._archive, self._fold = Archive(books, index), self.apply
        self.apply = self._take

    def _take(self, record: Record) -> None:
        self._archive.take_late(record, cast(list[Change], self._fold(record)))


def folded_orders(
    config: Config = CONFIG, index: Index | None = None, bounds: Bounds = BOUNDS
) -> FoldedOrders:
    """The state of orders before the first record; `index` gets what leaves its memory."""
    facts = {name: account.facts for name, account in orders_settings(config).accounts.items()}
    index = Index() if index is None else index
    return FoldedWithIndex(Books(facts, bounds=bounds, memory=index, leaving=IntoIndex(index)), index)


def folded_risk(config: Config = CONFIG, index: Index | None = None) -> RiskState:
    """The state of risk before the first record; `index` gets what leaves its memory."""
    facts = {name: account.facts for name, account in risk_settings(config).accounts.items()}
    return RiskState(Books(facts, bounds=BOUNDS, memory=Index() if index is None else index))
