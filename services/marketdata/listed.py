"""What the venue's own list of instruments says of those that are configured.

The configuration is the truth for risk until a person changes it. A symbol that the venue does not list, or keeps shut,
or whose grid of prices or quantities or whose multiplier is another one, is not to be traded: every order in it would
be refused there, or be of another size. So is one while the list that was asked for does not come, or is old. A bound
that is laxer than the venue's is only said: the venue refuses what is beyond it, and takes the rest. What is stricter
than the venue's own is the desk's to choose.

The list is asked for at each logon and again from time to time; it may come in several messages.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from common.config import InstrumentConfig
from common.instant import NS_PER_S, Instant
from common.orders.numbers import is_multiple
from common.venues.dialect import InstrumentList, ListedInstrument

LIST: Final = "y"
"""MsgType(35) of SecurityList."""

ANSWER_NS = 30 * NS_PER_S
"""A list that was asked for is awaited for so long, and asked for again after that."""

ASK_EVERY_NS = 900 * NS_PER_S
STALE_NS = 2 * ASK_EVERY_NS + ANSWER_NS
"""A list that is older than this is none: it was asked for again, and did not come."""


class ListedInstruments:
    """See the module: the instruments of one venue by symbol, none of which is looked at where there is none."""

    def __init__(self, configured: Mapping[str, InstrumentConfig]) -> None:
        """Nothing was asked for."""
        self._configured = configured
        self._told: dict[str, ListedInstrument] | None = None
        self._parts: dict[str, ListedInstrument] = {}
        self._first_asked_ns: int | None = None
        self._asked_ns: int | None = None
        self._told_ns = 0
        self._unread = ""

    def begin_connection(self) -> None:
        """What was asked for on a connection before is not answered any more."""
        self._asked_ns = None
        self._parts.clear()

    def is_due(self, now: Instant) -> bool:
        """Whether the list is to be asked for now."""
        if not self._configured:
            return False
        if self._asked_ns is None:
            return True
        answered = self._told is not None and self._told_ns >= self._asked_ns
        return now.boot_ns - self._asked_ns >= (ASK_EVERY_NS if answered else ANSWER_NS)

    def asked(self, now: Instant) -> None:
        """It is asked for."""
        self._parts.clear()
        self._asked_ns = now.boot_ns
        self._first_asked_ns = now.boot_ns if self._first_asked_ns is None else self._first_asked_ns

    def hear_list(self, told: InstrumentList, now: Instant) -> None:
        """The venue tells it, or a part of it."""
        self._parts |= {each.symbol: each for each in told.instruments}
        if not told.goes_on:
            self._told, self._parts = self._parts, {}
            self._told_ns, self._unread = now.boot_ns, ""

    def unread(self, why: str) -> None:
        """A part of it cannot be read."""
        self._unread = why

    def why_not(self, symbol: str, now: Instant) -> str:
        """Why the symbol is not to be traded, "" where nothing speaks against."""
        configured = self._configured.get(symbol)
        if configured is None or self._first_asked_ns is None:
            return ""
        since_ns = self._first_asked_ns if self._told is None else self._told_ns
        if now.boot_ns - since_ns >= (ANSWER_NS if self._told is None else STALE_NS):
            unread = f", and cannot be read: {self._unread}" if self._unread else ""
            return f"the venue's list of instruments is missing for {(now.boot_ns - since_ns) // NS_PER_S} s{unread}"
        if self._told is None:
            return ""
        told = self._told.get(symbol)
        if told is None:
            return "the venue's list of instruments has no such symbol"
        return f"the venue says {told.why_shut}" if told.why_shut else _other_grid(configured, told)

    def rows(self, now: Instant) -> tuple[dict[str, str], dict[str, str]]:
        """For status: why a symbol is not to be traded, and which bound of one is laxer than the venue's."""
        found = {symbol: why for symbol in self._configured if (why := self.why_not(symbol, now))}
        told = self._told or {}
        lax = {
            symbol: what
            for symbol, configured in self._configured.items()
            if symbol in told and (what := _lax(configured, told[symbol]))
        }
        return found, lax


def _other_grid(configured: InstrumentConfig, told: ListedInstrument) -> str:
    """What of it makes every order wrong, "" where nothing does."""
    wrong = [
        _pair(name, ours, theirs)
        for name, ours, theirs in (
            ("tick_size", configured.tick_size, told.tick_size), ("lot_size", configured.lot_size, told.lot_size),
        )
        if theirs and not is_multiple(ours, theirs)
    ]  # fmt: skip
    if told.multiplier and told.multiplier != configured.multiplier:
        wrong.append(_pair("multiplier", configured.multiplier, told.multiplier))
    return ", ".join(wrong)


def _lax(configured: InstrumentConfig, told: ListedInstrument) -> str:
    """Which bounds the venue has narrower, "" where none is."""
    lower = ("min_qty", configured.min_qty, told.min_qty), ("min_notional", configured.min_notional, told.min_notional)
    wrong = [_pair(name, ours, theirs) for name, ours, theirs in lower if theirs is not None and ours < theirs]
    if told.max_qty and configured.max_qty > told.max_qty:
        wrong.append(_pair("max_qty", configured.max_qty, told.max_qty))
    return ", ".join(wrong)


def _pair(name: str, ours: Decimal, theirs: Decimal) -> str:
    return f"{name} is {ours:f} in the configuration, and {theirs.normalize():f} at the venue"
