"""The dialects that there are, by the name that a venue's file gives."""

from common.venues.binance.dialect import Binance
from common.venues.dialect import Dialect
from common.venues.generic.dialect import Generic

KNOWN: dict[str, type[Dialect]] = {"generic": Generic, "binance": Binance}


class UnknownDialect(Exception):
    """The venue's file names a dialect that fixring does not have."""


def find_dialect(name: str) -> Dialect:
    """The dialect called `name` in a venue's file. Raises UnknownDialect."""
    if name not in KNOWN:
        raise UnknownDialect(f"dialect {name!r}: there is {', '.join(sorted(KNOWN))}; set `dialect` to one of them")
    return KNOWN[name]()
