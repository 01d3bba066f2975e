"""The dialects that there are, by the name that a venue's file gives."""

import importlib
from typing import TYPE_CHECKING

from common.venues.binance.dialect import Binance
from common.venues.dialect import Dialect
from common.venues.generic.dialect import Generic

if TYPE_CHECKING:
    from common.exchange.venue import OpenSide

KNOWN: dict[str, type[Dialect]] = {"generic": Generic, "binance": Binance}


class UnknownDialect(Exception):
    """The venue's file names a dialect that fixring does not have."""


def find_dialect(name: str) -> Dialect:
    """The dialect called `name` in a venue's file. Raises UnknownDialect."""
    if name not in KNOWN:
        raise UnknownDialect(f"dialect {name!r}: there is {', '.join(sorted(KNOWN))}; set `dialect` to one of them")
    return KNOWN[name]()


def find_simulated(name: str) -> "OpenSide":
    """What opens the simulated side of the dialect called `name`: the function `open_side` of its package `simulated`,
    which only an exchange's process loads. Raises UnknownDialect."""
    find_dialect(name)
    open_side: OpenSide = importlib.import_module(f"common.venues.{name}.simulated").open_side
    return open_side
