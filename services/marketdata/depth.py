"""The depth of a symbol's book, for whoever asks over the control link: nothing of it is on the feed.

A book of which the venue tells several prices is told as it is. Of one that is followed by its best prices alone the
venue is asked for a snapshot with more, where its dialect has such a question, at most once a second and only while
somebody asks; the answer is kept apart from the book, and is what the next one who asks is told.
"""

from collections.abc import Callable
from typing import Annotated, Final, NamedTuple

import msgspec
import orjson

from common.actor.acts import Cannot, Done
from common.decimals import short
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.dialect import BookEntry
from services.marketdata.books import Book, Level

STEM: Final = "depth"
"""So begins the MDReqID(262) of a question for depth."""

AGAIN_NS: Final = NS_PER_S
MOST_LEVELS: Final = 50
MOST_AWAITED: Final = 100
"""Questions that a venue has not answered; the oldest is given up."""


class DepthArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which symbol how many prices of each side are asked for."""

    symbol: str
    levels: Annotated[int, msgspec.Meta(ge=1, le=MOST_LEVELS)] = 10


class _Told(NamedTuple):
    """What the venue has answered, and when that was heard, in boot time."""

    book: Book
    heard_boot_ns: int


class Depths:
    """What is known of depth beside the books. `awaited` is empty, and costs nothing, while nobody asks."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self.awaited: dict[str, str] = {}
        """By MDReqID(262): the symbol."""
        self._told: dict[str, _Told] = {}
        self._asked_ns: dict[str, int] = {}
        self._asked = 0

    def forget(self) -> None:
        """The connection is over, and what it told."""
        self.awaited.clear()
        self._told.clear()
        self._asked_ns.clear()

    def tell(self, asked: DepthArguments, book: Book | None, ask: Callable[[str], bool], now: Instant) -> Done:
        """The prices of both sides, the best first. `ask` puts a question of that MDReqID(262), and says whether the
        venue has such a one. Raises Cannot."""
        if book is None:
            raise Cannot(f"{asked.symbol} is no symbol of this session")
        bids, offers = book.levels(asked.levels)
        age_ms = None if book.priced_boot_ns is None else (now.boot_ns - book.priced_boot_ns) // NS_PER_MS
        best_only = len(bids) < 2 and len(offers) < 2
        if best_only and self._ask(asked.symbol, ask, now) and (told := self._told.get(asked.symbol)) is not None:
            best_only, age_ms = False, (now.boot_ns - told.heard_boot_ns) // NS_PER_MS
            bids, offers = told.book.levels(asked.levels)
        document = {
            "bids": _rows(bids), "offers": _rows(offers), "age_ms": age_ms, "best_only": best_only, "why": book.why
        }  # fmt: skip
        return Done("", orjson.dumps(document))

    def _ask(self, symbol: str, ask: Callable[[str], bool], now: Instant) -> bool:
        """Whether the venue answers such questions; it is asked where the last one is long enough ago."""
        asked_ns = self._asked_ns.get(symbol)
        if asked_ns is not None and now.boot_ns - asked_ns < AGAIN_NS:
            return True
        self._asked += 1
        md_req_id = f"{STEM}-{self._asked}"
        if not ask(md_req_id):
            return False
        self._asked_ns[symbol] = now.boot_ns
        self.awaited[md_req_id] = symbol
        if len(self.awaited) > MOST_AWAITED:
            del self.awaited[next(iter(self.awaited))]
        return True

    def hear(self, md_req_id: str, entries: list[BookEntry], now: Instant) -> None:
        """The venue's answer to a question that is awaited; without entries it has refused."""
        symbol = self.awaited.pop(md_req_id)
        if entries:
            book = Book(symbol)
            book.apply(entries, now)
            self._told[symbol] = _Told(book, now.boot_ns)


def _rows(levels: list[Level]) -> list[list[str]]:
    return [[short(px), short(qty)] for px, qty in levels]
