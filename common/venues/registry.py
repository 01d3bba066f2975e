"""The venues' folders, found by name. Nothing of a venue is imported before somebody asks for that part of it.

A venue's file names its folder by `dialect`: "binance" is `common/venues/binance`; a name with a dot, such as
"desk.acme", is a package from outside the tree with the same shape.
"""

import importlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.venues.venue import VenueProfile

if TYPE_CHECKING:
    from common.exchange.venue import OpenSide
    from common.fix.dictionary import Dictionary
    from common.venues.backend import OpenBackend
    from common.venues.dialect import Dialect
    from common.venues.market_data import BookSum
    from common.venues.rest import OpenRest

_FOLDER = Path(__file__).parent


class UnknownVenue(Exception):
    """A venue's file names a folder that is not there, or that has not the shape of a venue's."""


def venue_names() -> list[str]:
    """The venues of the tree by name, sorted."""
    return sorted(file.parent.name for file in _FOLDER.glob("[a-z]*/venue.py"))


def package_of(dialect: str) -> str:
    """The package of the venue that a file names."""
    return dialect if "." in dialect else f"common.venues.{dialect}"


def folder_of(dialect: str) -> Path:
    """The folder of the venue that a file names. Raises UnknownVenue."""
    package = package_of(dialect)
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise UnknownVenue(
            f"dialect {dialect!r}: there is {', '.join(venue_names())}, or a package of your own, named with its dots, "
            "that Python finds"
        )
    return Path(next(iter(spec.submodule_search_locations)))


@lru_cache(maxsize=64)
def find_profile(dialect: str) -> VenueProfile:
    """What the venue's `venue.py` says. Raises UnknownVenue."""
    folder_of(dialect)
    profile: VenueProfile = _load(dialect, f"{package_of(dialect)}.venue:PROFILE", VenueProfile)
    return profile


def find_dialect(dialect: str) -> "Dialect":
    """A new dialect of the venue that a file names. Raises UnknownVenue."""
    made: Dialect = _load(dialect, find_profile(dialect).dialect)()
    return made


def find_rest(dialect: str) -> "OpenRest":
    """What opens the venue's REST side. Raises UnknownVenue where it has none."""
    text = find_profile(dialect).rest
    if not text:
        raise UnknownVenue(f"dialect {dialect!r}: the venue has no REST side; leave [rest] out")
    open_rest: OpenRest = _load(dialect, text)
    return open_rest


def find_backend(dialect: str) -> "OpenBackend":
    """What opens the side of a bridge that faces the venue. Raises UnknownVenue where the venue speaks FIX itself."""
    text = find_profile(dialect).backend
    if not text:
        raise UnknownVenue(f"dialect {dialect!r}: the venue speaks FIX itself; leave [bridge] out")
    open_backend: OpenBackend = _load(dialect, text)
    return open_backend


def find_book_sum(dialect: str) -> "BookSum | None":
    """How the venue sums a book up; None where it does not. Raises UnknownVenue."""
    text = find_profile(dialect).book_sum
    book_sum: BookSum | None = _load(dialect, text) if text else None
    return book_sum


def find_simulated(dialect: str) -> "OpenSide":
    """What opens the venue's simulated side, which only an exchange's process loads. Raises UnknownVenue."""
    open_side: OpenSide = _load(dialect, find_profile(dialect).simulated)
    return open_side


@lru_cache(maxsize=64)
def find_dictionary(dialect: str) -> "Dictionary":
    """The venue's version of FIX with what it adds to that. Raises UnknownVenue."""
    # Whoever trades names no field: only what shows a message to a person needs it.
    from common.fix.dictionary import Dictionary

    profile = find_profile(dialect)
    standard, text = Dictionary.load(profile.fix_version), profile.fields
    return standard.with_additions(_load(dialect, text)) if text else standard


def _load(dialect: str, text: str, kind: type[Any] = object) -> Any:
    """What "package.module:name" names. Raises UnknownVenue."""
    module, _, name = text.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UnknownVenue(f"dialect {dialect!r}: {text} cannot be loaded: {error}") from error
    if not isinstance(found, kind):
        raise UnknownVenue(f"dialect {dialect!r}: {text} is no {kind.__name__}")
    return found
