"""What every venue's `rest.py` is, and what each needs to read JSON answers with: text, times and Decimals out of rows
of which nothing is taken for granted.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from common.instant import NS_PER_S
from common.messages import Answer, Ask, cut
from common.venues.credentials import Credentials
from common.venues.nonces import NonceFolder
from common.venues.ways import Way

NS_PER_MS = 1_000_000
MAX_DIGITS = 18
MAX_DECIMALS = 40
"""Before and after the point: no price or quantity has more, and no product of two overflows."""

LATEST_NS = 1 << 63

AHEAD_NS = 6 * 3600 * NS_PER_S
AHEAD_MS = AHEAD_NS // NS_PER_MS
"""A trade may be stamped so much later than what the venue's clock says when trades are asked for: another of its
machines stamps it, or the clock was set back since. A question that needs an end has it so far ahead.
"""

_URL = re.compile(r"(https?://[^\s?]+)\?\S*")


class RestSettings(msgspec.Struct, frozen=True):
    """Where and as whom. `url` up to and with the version; `ca` is a PEM file, "" for the system's authorities.

    `symbols` is what is traded, for a venue where each symbol has to be asked for by itself, or that has another side
    for contracts. `nonces` keeps the numbers of requests, where the venue wants them to grow; None to forget them.
    `way` is which of an account's two this is; None where there is one alone.
    """

    venue: str
    url: str
    credentials: Credentials
    timeout_ms: int
    ca: str = ""
    symbols: tuple[str, ...] = ()
    nonces: NonceFolder | None = None
    way: Way | None = None


class Listing(msgspec.Struct, frozen=True):
    """Questions about single orders, which are looked for in the venue's lists: answered by `Listed`."""

    asks: tuple[Ask, ...]


class Listed(msgspec.Struct, frozen=True):
    """The answers about those that the lists have. Of the others they say no, unless `failed`: nothing then."""

    answers: tuple[Answer, ...]
    failed: bool = False


class Unlisted(msgspec.Struct, frozen=True):
    """A question about an order that the venue's lists have just been without: answered by an `Answer`."""

    ask: Ask


Question = Ask | Listing | Unlisted


class RestSide(Protocol):
    """A venue's REST side, opened. Nothing of it raises: what fails is an answer that says so."""

    def ask(self, ask: Ask, *, unlisted: bool = False) -> Answer:
        """One blocking call, or the few that one question needs; `unlisted` as in `Unlisted`."""

    def look_up(self, asks: Sequence[Ask]) -> Listed:
        """The same for many orders, at a venue whose profile says that it `lists_orders`."""


def put_question(side: RestSide, question: msgspec.Struct) -> Answer | Listed:
    """What the REST side says to a question of any kind."""
    if isinstance(question, Listing):
        return side.look_up(question.asks)
    if isinstance(question, Unlisted):
        return side.ask(question.ask, unlisted=True)
    assert isinstance(question, Ask)
    return side.ask(question)


OpenRest = Callable[[RestSettings], RestSide]
"""What a profile's `rest` names. Raises ValueError where the credentials are of no use."""


class BadAnswer(Exception):
    """The venue's answer has not the form that its document says. The text names the field."""


OF_ANOTHER_FORM = (
    BadAnswer, LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError,
)  # fmt: skip
"""What reading raises where an answer has not the form that its document says."""


def spans(begin_ms: int, now_ms: int, longest_ms: int) -> Iterator[tuple[int, int]]:
    """From when until when trades are asked for, where a question spans so much time at most: one after another from
    `begin_ms` on, until one ends `AHEAD_MS` after now. `longest_ms` is more than that.

    A later one than the first never begins in what is the future to the venue, which might refuse it.
    """
    while True:
        end_ms = begin_ms + longest_ms
        is_last = end_ms >= now_ms + AHEAD_MS
        if begin_ms < now_ms < end_ms and not is_last:
            end_ms = now_ms
        yield begin_ms, end_ms
        if is_last:
            return
        begin_ms = end_ms


def masked(error: BaseException) -> str:
    """The error's text without the query of any URL: it holds the signature."""
    return _URL.sub(r"\1", str(error))[:500]


def ms_to_ns(ms: Any) -> int:
    """Milliseconds of the venue in nanoseconds. Raises BadAnswer where that is no time of these centuries."""
    ns = int(ms) * NS_PER_MS
    if abs(ns) >= LATEST_NS:
        raise BadAnswer(f"{ms!r} is no time of these centuries")
    return ns


def decimal_field(row: Mapping[str, Any], field: str) -> Decimal:
    """The field as Decimal. Raises BadAnswer where it is not finite or has more digits than any price or quantity."""
    value = Decimal(str(row[field]))
    if not value.is_finite() or value.adjusted() >= MAX_DIGITS or _decimals(value) > MAX_DECIMALS:
        raise BadAnswer(f"{field} is {row[field]!r}")
    return value


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def name_field(row: Mapping[str, Any], field: str) -> str:
    """What names an order, a trade or an instrument. Raises BadAnswer where it names nothing."""
    if row[field] in (None, ""):
        raise BadAnswer(f"{field} is {row[field]!r}")
    return cut(str(row[field]))


def secondary_fields(
    row: Mapping[str, Any], readers: Mapping[str, Callable[[Mapping[str, Any], str], Any]], what: str, notes: list[str]
) -> dict[str, Any]:
    """What of `what` does not matter for its being counted, each field by its reader; 0 where one cannot be read, which
    is noted."""
    found: dict[str, Any] = {}
    for field, read in readers.items():
        try:
            found[field] = read(row, field)
        except OF_ANOTHER_FORM:
            notes.append(f"{field} of {what}")
            found[field] = 0
    return found
