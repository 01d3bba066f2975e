"""Market data in FIX 4.4's own form, W and X, as every dialect reads it.

Source: FIX 4.4 volume 3, MarketDataSnapshotFullRefresh(W) and MarketDataIncrementalRefresh(X). A book is right or it is
not known: what cannot be read is told as an entry that says so, never left out.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from common.fix.errors import UncutError
from common.fix.wire import pairs, split
from common.venues.dialect import BadReport, BookEntry, SubscriptionRejected
from common.venues.reading import ZERO, Fields, group, instrument, number, text

SNAPSHOT, NEW, CHANGE, DELETE, OVERLAY = "W", "0", "1", "2", "5"
BID, OFFER, TRADE, EMPTY_BOOK = "0", "1", "2", "J"
UNSIDED = "?"
CHECKSUM = "#"
AGGRESSOR_SIDE = b"2446"
PASSED = "."
TAKEN = "-"

Levels = Sequence[tuple[Decimal, Decimal]]
"""Prices and quantities of one side, the best first."""


class BookSum(Protocol):
    """A venue's checksum of a book, whose prices and quantities have so many decimals."""

    def __call__(self, bids: Levels, offers: Levels, px_decimals: int, qty_decimals: int) -> int: ...

_ACTIONS = frozenset((SNAPSHOT, NEW, CHANGE, DELETE))


def book_entries(msg_type: str, raw: bytes, taker_side: bytes = AGGRESSOR_SIDE) -> list[BookEntry]:
    """The entries of a W or X in order, empty for other types. `taker_side` is the tag of the side of a trade's taker.
    """
    if msg_type not in ("W", "X"):
        return []
    symbol = ""
    try:
        symbol = _head_symbol(raw)
        entries = group(raw, b"268")
    except (BadReport, UncutError) as error:
        # Which of the symbols that an X is about the lost entries are of, nobody can say.
        return [unread_book(symbol if msg_type == "W" else "", str(error))]
    if msg_type == "W":
        return _snapshot(symbol or next((s for e in entries if (s := instrument(e))), ""), entries, taker_side)
    return _incremental(symbol, entries, taker_side)


def unread_book(symbol: str, why: str) -> BookEntry:
    """The entry that says that something about the symbol, "" for any, could not be read."""
    return BookEntry(symbol, "", SNAPSHOT, None, ZERO, why=why)


def checksum_entry(symbol: str, checksum: str) -> BookEntry:
    """The entry that holds the venue's checksum of the symbol's book after the entries before it."""
    return BookEntry(symbol, CHECKSUM, CHANGE, None, ZERO, entry_id=checksum)


def subscription_rejected(raw: bytes) -> SubscriptionRejected:
    """MarketDataRequestReject(Y); MDReqRejReason(281)=1 says that there is such a subscription."""
    fields = split(raw)
    return SubscriptionRejected(text(fields, b"262"), text(fields, b"58"), fields.get(b"281") == b"1")


def _head_symbol(raw: bytes) -> str:
    """The instrument that is named before the group NoMDEntries(268)."""
    head: dict[bytes, bytes] = {}
    for tag, value in pairs(raw):
        if tag == b"268":
            break
        head.setdefault(tag, value)
    return instrument(head)


def _snapshot(symbol: str, entries: list[dict[bytes, bytes]], taker_side: bytes) -> list[BookEntry]:
    if not symbol:
        return [unread_book("", "MarketDataSnapshotFullRefresh(W) names no instrument")]
    return [
        BookEntry(symbol, "", SNAPSHOT, None, ZERO),
        *[book_entry(e, symbol, SNAPSHOT, taker_side) for e in entries],
    ]


def _incremental(symbol: str, entries: list[dict[bytes, bytes]], taker_side: bytes) -> list[BookEntry]:
    """Instrument of an entry may be left out when it is that of the entry before (FIX 4.4 volume 3, X). One that no
    first entry has, and a last one does, stands behind the group: it is that of all."""
    named = [instrument(e) for e in entries]
    symbol = symbol or next((name for name in named if name), "")
    found: list[BookEntry] = []
    for e, name in zip(entries, named, strict=True):
        symbol = name or symbol
        action = text(e, b"279") or NEW
        found.append(book_entry(e, symbol, CHANGE if action == OVERLAY else action, taker_side))
    return found


def book_entry(e: Fields, symbol: str, action: str, taker_side: bytes = AGGRESSOR_SIDE) -> BookEntry:
    """One entry of a W or X, which says why where it cannot be read or carried out."""
    what, entry_id = text(e, b"269"), text(e, b"278")
    try:
        px, qty = _decimal(e, b"270"), _decimal(e, b"271")
    except BadReport as error:
        return unread_book(symbol, str(error))
    wrong = _wrong(what, action, entry_id, px)
    if wrong or not symbol:
        return unread_book(symbol, wrong or "an entry of MarketDataIncrementalRefresh(X) names no instrument")
    return BookEntry(symbol, what or UNSIDED, action, px, ZERO if qty is None else qty, text(e, taker_side), entry_id)


def _wrong(what: str, action: str, entry_id: str, px: Decimal | None) -> str:
    """Why the entry cannot be carried out, "" where it can."""
    if action not in _ACTIONS:
        return f"MDUpdateAction(279)={action} is not known"
    if not what and (action in (NEW, SNAPSHOT) or not entry_id):
        return "an entry without MDEntryType(269)"
    if px is None and what in (BID, OFFER) and (action in (NEW, SNAPSHOT) or (action == CHANGE and not entry_id)):
        return f"an entry of MDEntryType(269)={what} without MDEntryPx(270)"
    return ""


def _decimal(e: Fields, tag: bytes) -> Decimal | None:
    value = e.get(tag)
    return None if value is None else number(value, tag)
