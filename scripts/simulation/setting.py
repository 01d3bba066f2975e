"""The stack that is simulated: its configuration and keys, and the states that its processes begin with."""

from decimal import Decimal
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from common.actor.order_books import Folded as FoldedOrders
from common.config import Config, load
from common.journal.frames import Record
from common.orders.books import Books, Bounds
from common.orders.changes import Change
from common.orders.index import MemoryIndex
from scripts.simulation.rest import Key as RestKey
from services.orders.archive import Archive
from services.orders.settings import orders_settings
from services.risk.make_snapshot import Folded as FoldedRisk
from services.risk.settings import risk_settings
from services.risk.state import RiskState

CONFIG: Config = load(Path(__file__).parent / "configs", environ={"FIXRING_VAR": "/simulated"})
JOURNAL_FOLDER = str(CONFIG.journal_folder)
EMERGENCY_FOLDER = str(CONFIG.emergency_folder)
EMERGENCY_BYTES = 65_536
BOUNDS = Bounds(closed_orders=8, remembered=200, retired_fills=6)
"""So little stays in memory that every run has orders and fills that have left it."""

API_KEY = "simulated"
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRIVATE_KEY_PEM = PRIVATE_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
REST_KEY = RestKey(API_KEY, PRIVATE_KEY)
PUBLIC_KEY = PRIVATE_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def position_limits() -> dict[tuple[str, str], Decimal]:
    """The position limit of each symbol at each venue."""
    limits = CONFIG.stack.risk.symbols
    return {
        (name, symbol): limits[symbol].position_limit
        for name, venue in CONFIG.venues.items()
        for symbol in venue.instruments
    }


def exchange_log_folder(venue: str) -> str:
    """Where the exchange keeps its own log."""
    return f"{CONFIG.paths.exchange(venue)}/log"


def listener_of(actor: str) -> str:
    """The exchange's listener that an actor's connection goes to."""
    return "fix" if actor.startswith("session@") else "market_data"


class FoldedWithIndex(FoldedOrders):
    """The state of orders, and what leaves its memory in an index, as orders itself keeps it."""

    def __init__(self, books: Books, index: MemoryIndex) -> None:
        """`index` has what had left the books' memory."""
        super().__init__(books)
        self._archive, self._fold = Archive(books, index), self.apply
        self.apply = self._take

    def _take(self, record: Record) -> None:
        self._archive.take_late(record, cast(list[Change], self._fold(record)))


def folded_orders(
    config: Config = CONFIG, index: MemoryIndex | None = None, bounds: Bounds = BOUNDS
) -> FoldedOrders:
    """The state of orders before the first record; `index` gets what leaves its memory."""
    facts = {name: account.facts for name, account in orders_settings(config).accounts.items()}
    index = MemoryIndex() if index is None else index
    return FoldedWithIndex(Books(facts, bounds=bounds, memory=index), index)


def folded_risk(config: Config = CONFIG, index: MemoryIndex | None = None) -> FoldedRisk:
    """The state of risk before the first record; `index` gets what leaves its memory."""
    facts = {name: account.facts for name, account in risk_settings(config).accounts.items()}
    return FoldedRisk(RiskState(Books(facts, bounds=BOUNDS, memory=MemoryIndex() if index is None else index)))
