"""What the folds must know of venues: as the log tells it, and for what it does not tell as the configuration has it.

A venue's file may go, or an instrument's table, while an order rests there or a position is held. So each session
writes down what it knows of its venue when it begins to connect, and whoever folds the log counts by that: the same
log comes to the same positions, whatever is configured by then.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from common.contracts import SPOT, Contract
from common.messages import SessionChanged
from common.orders.names import ClOrdIdForm

if TYPE_CHECKING:
    from common.config import VenueConfig


class VenueFacts(msgspec.Struct, frozen=True):
    """What a fold must know of an account's venue: how long after a connection's death its requests may take effect,
    the base and the quote asset of each symbol, its name, what it takes as ClOrdID(11), what a quantity is of each
    symbol that is traded in contracts, and whether FIX tells a fill without its fee, which REST tells (`fees_by_rest`).
    """

    window_ns: int
    bases: Mapping[str, str]
    quotes: Mapping[str, str] = {}
    venue: str = ""
    names: ClOrdIdForm = ClOrdIdForm.TEXT
    contracts: Mapping[str, Contract] = {}
    fees_by_rest: bool = False

    def contract(self, symbol: str) -> Contract:
        """What a quantity of the symbol is."""
        return self.contracts.get(symbol, SPOT)

    def held_asset(self, symbol: str) -> str:
        """The asset that a fill in the symbol moves: its base asset; "" for contracts, which move none."""
        return "" if symbol in self.contracts else self.bases.get(symbol, "")

    def knows(self, symbol: str) -> bool:
        """Whether the symbol is, or ever was, one of the venue's."""
        return symbol in self.bases

    @property
    def assets(self) -> dict[str, tuple[str, str]]:
        """Base and quote asset by symbol, as a session's record has them."""
        return {symbol: (base, self.quotes.get(symbol, "")) for symbol, base in self.bases.items()}


def facts_of(
    venue: "VenueConfig", window_ns: int, names: ClOrdIdForm = ClOrdIdForm.TEXT, *, fees_by_rest: bool = False
) -> VenueFacts:
    """What the configuration says of a venue whose dialect has this window, these names and tells fees so."""
    bases = {symbol: instrument.base for symbol, instrument in venue.instruments.items()}
    quotes = {symbol: instrument.quote for symbol, instrument in venue.instruments.items()}
    contracts = {symbol: i.contract for symbol, i in venue.instruments.items() if not i.contract.is_spot}
    return VenueFacts(window_ns, bases, quotes, venue.name, names, contracts, fees_by_rest)


NOTHING: Final = VenueFacts(0, {})


class CountedBy(NamedTuple):
    """What a fill is counted by: the asset that it moves, "" for none, and what its quantity is."""

    base: str
    contract: Contract


class VenueTold(msgspec.Struct, array_like=True, frozen=True):
    """What the log has told of an account's venue, in a snapshot; an older one has no other name for the venue."""

    account: str
    window_ns: int
    assets: dict[str, tuple[str, str]]
    venue: str = ""
    contracts: dict[str, Contract] = {}


class KnownVenues:
    """The venue of each account of a configuration and of a log. A symbol's assets stay known when its table goes."""

    def __init__(self, configured: Mapping[str, VenueFacts]) -> None:
        """Nothing is told by the log yet."""
        self._facts = dict(configured)
        self._told: dict[str, VenueTold] = {}
        self._counted_by: dict[tuple[str, str], CountedBy] = {}

    def hear_session(self, moved: SessionChanged) -> None:
        """A session's record, which may hold what it knows of its venue."""
        if moved.assets:
            self._take(VenueTold(moved.account, moved.window_ns, moved.assets, moved.venue, moved.contracts))

    @property
    def accounts(self) -> list[str]:
        """Every account that is configured or that the log has told of."""
        return list(self._facts)

    def find(self, account: str) -> VenueFacts:
        """What is known of the account's venue; no window and no symbol of one that nobody knows."""
        return self._facts.get(account, NOTHING)

    def venue_of(self, account: str) -> str:
        """The name of the account's venue; the account's own where nobody has told."""
        return self.find(account).venue or account

    def base_of(self, account: str, symbol: str) -> str:
        """The asset that a fill in the symbol moves, "" where it is not known, or where there is none."""
        return self.find(account).held_asset(symbol)

    def counted_by(self, place: tuple[str, str]) -> CountedBy:
        """What a fill at the place, an account and a symbol, is counted by. It is asked for twice with each fill."""
        found = self._counted_by.get(place)
        if found is None:
            found = self._counted_by[place] = CountedBy(self.base_of(*place), self.contract_of(*place))
        return found

    def contract_of(self, account: str, symbol: str) -> Contract:
        """What a quantity of the symbol is."""
        return self.find(account).contract(symbol)

    def dump(self) -> list[VenueTold]:
        """What the log has told."""
        return list(self._told.values())

    def load(self, told: Iterable[VenueTold]) -> None:
        """Take what `dump` gave."""
        for each in told:
            self._take(each)

    def _take(self, told: VenueTold) -> None:
        account, assets, facts = told.account, told.assets, self.find(told.account)
        venue = told.venue or facts.venue or account
        bases = {**facts.bases, **{symbol: base for symbol, (base, _) in assets.items()}}
        quotes = {**facts.quotes, **{symbol: quote for symbol, (_, quote) in assets.items()}}
        contracts = {**facts.contracts, **told.contracts}
        self._counted_by.clear()
        self._facts[account] = VenueFacts(
            told.window_ns, bases, quotes, venue, facts.names, contracts, facts.fees_by_rest
        )
        former = self._told.get(account, VenueTold(account, 0, {}))
        assets, contracts = {**former.assets, **assets}, {**former.contracts, **told.contracts}
        self._told[account] = VenueTold(account, told.window_ns, assets, venue, contracts)


class Holding(msgspec.Struct, frozen=True):
    """What is open and what is owned in one symbol of one account; `position` in the base asset, or in contracts."""

    venue: str
    symbol: str
    open_orders: int
    position: Decimal
    account: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing is open and nothing owned."""
        return not self.open_orders and not self.position

    def row(self) -> dict[str, object]:
        """The same, ready for JSON."""
        place: dict[str, object] = {"venue": self.venue, "account": self.account, "symbol": self.symbol}
        return {**place, "open_orders": self.open_orders, "position": f"{self.position:f}"}

    def __str__(self) -> str:
        return f"{self.account} {self.symbol}: open orders {self.open_orders}, position {self.position.normalize():f}"


def outside(holdings: Iterable[Holding], configured: Mapping[str, Collection[str]]) -> list[Holding]:
    """What is open or owned and not in the configuration, which has these symbols by account: nobody trades or cancels
    there, and it is there all the same.
    """
    return [h for h in holdings if not h.is_empty and h.symbol not in configured.get(h.account, ())]
