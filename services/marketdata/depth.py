"""The depth of a symbol's book, for whoever asks over the control link: nothing of it is on the feed.

A book of which the venue tells several prices is told as it is. Of one that is followed by its best prices alone the
venue is asked for more, at most once a second and only while somebody asks; the answer is kept apart from the book, and
is what the next one who asks is told. Where the venue tells more to subscribers alone, the subscription is ended with
its first answer, and what is still told under its name is nobody's. Where there are best prices only, it is said why.
"""

from collections.abc import Callable
from typing import Annotated, Final, NamedTuple

import msgspec
import orjson

from common.actor.acts import Cannot, Done
from common.decimals import short
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.dialect import BookEntry, DepthQuestion, SubscriptionRejected
from services.marketdata.books import Book, Level

STEM: Final = "depth"
"""So begins the MDReqID(262) of a question for depth."""

AGAIN_NS: Final = NS_PER_S
UNANSWERED_NS: Final = 5 * NS_PER_S
"""A question without an answer is given up after this."""

ENDING_NS: Final = 10 * NS_PER_S
"""For so long what is told under an ended subscription's name is looked for."""

MOST_LEVELS: Final = 50
NOT_ANSWERED: Final = "the venue was asked for more, and has not answered yet"


class DepthArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which symbol how many prices of each side are asked for."""

    symbol: str
    levels: Annotated[int, msgspec.Meta(ge=1, le=MOST_LEVELS)] = 10


class _Told(NamedTuple):
    """What the venue has answered, and when that was heard, in boot time; with `refusal` there is no book."""

    book: Book
    heard_boot_ns: int
    refusal: str


class _Awaited(NamedTuple):
    symbol: str
    question: DepthQuestion
    asked_boot_ns: int


Ask = Callable[[str], DepthQuestion | None]
"""Puts a question for depth of that MDReqID(262) to the venue, where there is such a one, and gives it."""


class Depths:
    """What is known of depth beside the books. `listens` is whether any message may be an answer."""

    def __init__(self) -> None:
        """Nobody has asked."""
        self._awaited: dict[str, _Awaited] = {}
        self._ended_ns: dict[str, int] = {}
        self._told: dict[str, _Told] = {}
        self._asked_ns: dict[str, int] = {}
        self._asked = 0

    @property
    def listens(self) -> bool:
        """See the class: False costs nothing while nobody asks."""
        return bool(self._awaited or self._ended_ns)

    def forget(self) -> None:
        """The connection is over, and what it told."""
        for kept in (self._awaited, self._ended_ns, self._told, self._asked_ns):
            kept.clear()

    # ---- who asks ----

    def tell(self, asked: DepthArguments, book: Book | None, best_only: str, ask: Ask, now: Instant) -> Done:
        """The prices of both sides, the best first. With `best_only` the venue is not asked for more. Raises Cannot."""
        if book is None:
            raise Cannot(f"{asked.symbol} is no symbol of this session")
        bids, offers = book.levels(asked.levels)
        age_ms = None if book.priced_boot_ns is None else (now.boot_ns - book.priced_boot_ns) // NS_PER_MS
        if len(bids) > 1 or len(offers) > 1:
            best_only = ""
        elif not best_only and self._ask(asked.symbol, ask, now):
            told = self._told.get(asked.symbol)
            if told is None or told.refusal:
                best_only = NOT_ANSWERED if told is None else told.refusal
            else:
                bids, offers = told.book.levels(asked.levels)
                age_ms = (now.boot_ns - told.heard_boot_ns) // NS_PER_MS
        return depth_told(bids, offers, age_ms, best_only, book.why)

    def _ask(self, symbol: str, ask: Ask, now: Instant) -> bool:
        """Whether the venue has such a question; it is asked where the last one is long enough ago."""
        asked_ns = self._asked_ns.get(symbol)
        if asked_ns is not None and now.boot_ns - asked_ns < AGAIN_NS or self._is_awaited(symbol):
            return True
        self._asked += 1
        question = ask(f"{STEM}-{self._asked}")
        if question is None:
            return False
        self._asked_ns[symbol] = now.boot_ns
        self._awaited[question.md_req_id] = _Awaited(symbol, question, now.boot_ns)
        return True

    def _is_awaited(self, symbol: str) -> bool:
        return any(each.symbol == symbol for each in self._awaited.values())

    # ---- what the venue says ----

    def is_of_depth(self, md_req_id: str) -> bool:
        """Whether a message under that MDReqID(262) is none of a book that is followed."""
        return md_req_id in self._awaited or md_req_id in self._ended_ns

    def hear(
        self, md_req_id: str, heard: list[BookEntry] | SubscriptionRejected, now: Instant
    ) -> DepthQuestion | None:
        """A W or Y under such a MDReqID(262); the question that it answers, which is to be ended."""
        awaited = self._awaited.pop(md_req_id, None)
        if awaited is None:
            return None
        book, refusal = Book(awaited.symbol), ""
        if isinstance(heard, SubscriptionRejected):
            refusal = f"the venue refuses to tell more: {heard.text}"
        else:
            book.apply(heard, now)
        self._told[awaited.symbol] = _Told(book, now.boot_ns, refusal)
        return None if refusal else self._ended(awaited.question, now)

    def _ended(self, question: DepthQuestion, now: Instant) -> DepthQuestion:
        if question.end is not None:
            self._ended_ns[question.md_req_id] = now.boot_ns
        return question

    def give_up(self, now: Instant) -> list[DepthQuestion]:
        """The questions that were not answered in time, which are to be ended; and what was ended is over."""
        self._ended_ns = {name: at for name, at in self._ended_ns.items() if now.boot_ns - at < ENDING_NS}
        late = [each for each in self._awaited.values() if now.boot_ns - each.asked_boot_ns >= UNANSWERED_NS]
        for each in late:
            del self._awaited[each.question.md_req_id]
        return [self._ended(each.question, now) for each in late]


def depth_told(bids: list[Level], offers: list[Level], age_ms: int | None, best_only: str, why: str) -> Done:
    """The answer to who asks: `best_only` says why there are the best prices alone, `why` why none are known."""
    document = {
        "bids": _rows(bids), "offers": _rows(offers), "age_ms": age_ms, "best_only": best_only, "why": why
    }  # fmt: skip
    return Done("", orjson.dumps(document))


def _rows(levels: list[Level]) -> list[list[str]]:
    return [[short(px), short(qty)] for px, qty in levels]
