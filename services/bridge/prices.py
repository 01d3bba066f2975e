"""The venue's prices as a bridge tells them: its public WebSocket, the books of the symbols, and who listens to them.

Theory of operation. Nothing of it is journaled, and nothing is asked of the venue before somebody logs on to listen.
The venue's pushes are changes: each has to follow the one before by its numbers, or leave the book with the checksum
that it names. One that does not empties the book, both sides at once, and has all of it told anew; until then the book
is not known, and whoever listens is told of no price. Where the connection ends, or is silent, all books are empty.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from common.actor.core import Effect, Note
from common.exchange.changes import Traded
from common.exchange.fix_gateway import Client, Host
from common.exchange.fix_market_data import PriceGateway
from common.exchange.order import ZERO
from common.exchange.plain_form import PlainForm
from common.fix.session import Effect as SessionEffect
from common.fix.session import LoggedOn
from common.instant import NS_PER_S, Instant, earliest
from common.venues.backend import BookBackend, BookFact, BookRows, HttpCall, Push, Reply, TradeFact
from common.venues.rest import OF_ANOTHER_FORM, BadAnswer
from services.bridge.stream import Stream, Talk

LISTENER = "market_data"

PING_NS = NS_PER_S
"""Often, since a price that is told is as old as what the venue has said last: a silent connection is over after three.
"""

UNANSWERED_NS = 5 * NS_PER_S
"""A book that is asked for and not told within this is asked for again, by a new connection."""

MAX_WAITING = 1_000
"""Changes of a book that wait for the whole of it."""

Question = Callable[[str, Callable[[Instant], HttpCall], Callable[[Reply, Instant], None]], None]


class PricedLevel(NamedTuple):
    """A price, and what is there; `row` is how the venue writes both, which its checksum is over."""

    price: Decimal
    qty: Decimal
    row: tuple[str, str]


class PricedSide:
    """One side of a book; `keys` is sorted so that the best price is last."""

    def __init__(self, *, bids: bool) -> None:
        self._bids = bids
        self._keys: list[Decimal] = []
        self._levels: dict[Decimal, PricedLevel] = {}
        self.changed: dict[Decimal, None] = {}

    def put(self, rows: BookRows) -> None:
        """What is at these prices now. Raises BadAnswer."""
        for row in rows:
            price, qty = _decimal(row[0]), _decimal(row[1])
            key = price if self._bids else -price
            if qty and key not in self._levels:
                insort(self._keys, key)
            elif not qty and key in self._levels:
                del self._levels[key]
                del self._keys[bisect_left(self._keys, key)]
            if qty:
                self._levels[key] = PricedLevel(price, qty, row)
            self.changed[price] = None

    def clear(self) -> None:
        """Nothing is there."""
        for level in self._levels.values():
            self.changed[level.price] = None
        self._levels.clear()
        self._keys.clear()

    def best(self) -> PricedLevel | None:
        """The best price."""
        return self._levels[self._keys[-1]] if self._keys else None

    def walk(self) -> Iterator[PricedLevel]:
        """The levels from the best price on."""
        return (self._levels[key] for key in reversed(self._keys))

    def qty_at(self, price: Decimal) -> Decimal:
        """What is at a price, zero for none."""
        level = self._levels.get(price if self._bids else -price)
        return ZERO if level is None else level.qty

    def rows(self) -> BookRows:
        """As the venue writes them, the best first."""
        return tuple(level.row for level in self.walk())


class PricedBook:
    """One symbol's. `is_known` while nothing of it is missing; `last` is the number of the last change."""

    def __init__(self, symbol: str, book_sum: Callable[[BookRows, BookRows], str]) -> None:
        self.symbol = symbol
        self._sum = book_sum
        self.bids, self.asks = PricedSide(bids=True), PricedSide(bids=False)
        self.update_id = 0
        self.is_known = False
        self._last = 0
        self._waiting: list[BookFact] = []

    def forget(self) -> None:
        """It is not known any more: neither side has a price."""
        self.bids.clear()
        self.asks.clear()
        self.update_id += 1
        self.is_known, self._waiting = False, []

    def learn(self, fact: BookFact) -> str:
        """Carry out what the venue tells; why that cannot be, "" where it can. Raises BadAnswer."""
        if not fact.whole and not self.is_known:
            self._waiting = [*self._waiting, fact][-MAX_WAITING:]
            return ""
        if fact.whole:
            self.bids.clear()
            self.asks.clear()
        elif fact.last and fact.first != self._last + 1:
            if fact.last <= self._last:
                return ""
            if fact.first > self._last + 1:
                return f"changes {self._last + 1} to {fact.first - 1} are missing"
        self.bids.put(fact.bids)
        self.asks.put(fact.offers)
        self._last = fact.last
        self.update_id += 1
        ours = self._sum(self.bids.rows(), self.asks.rows()) if fact.check else ""
        if ours != fact.check:
            return f"the venue's checksum of the book is {fact.check}, and ours {ours}"
        if not fact.whole:
            return ""
        waiting, self._waiting, self.is_known = self._waiting, [], True
        return next((why for each in waiting if (why := self.learn(each))), "")


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except OF_ANOTHER_FORM as error:
        raise BadAnswer(f"{text[:40]!r} is no number") from error
    if not value.is_finite() or value < 0:
        raise BadAnswer(f"{text[:40]!r} is no price and no quantity")
    return value


class Prices:
    """See the module; a `Market`. `effects` are carried out as they are: no log waits for them."""

    feed_interval_ns = 0
    depth_interval_ns = 0

    def __init__(
        self, backend: BookBackend, symbols: Sequence[str], host: str, target: str,
        open_stream: Callable[[Stream], None], question: Question,
    ) -> None:  # fmt: skip
        """`host` and `target` are what HTTP calls the public WebSocket, which `open_stream` opens; `question` asks the
        venue over REST."""
        self._backend = backend
        self._stream = Stream(Talk(self._opened, self._greeted, backend.ping, PING_NS), host, target)
        self._open_stream = open_stream
        self._question = question
        self.effects: list[Effect] = []
        self.books = {symbol: PricedBook(symbol, backend.book_sum) for symbol in symbols}
        self.is_wanted = False
        self.renewals = 0
        self._asks_all = False
        self._asked_boot_ns: dict[str, int] = {}
        self._trades: list[Traded] = []

    def _opened(self, wall_ns: int) -> list[str]:
        return [] if self._backend.greets else self._greeted(wall_ns)

    def _greeted(self, wall_ns: int) -> list[str]:
        self._asks_all = True
        return self._backend.subscribe_books(tuple(self.books), wall_ns)

    def take_trades(self) -> list[Traded]:
        """What was traded since it was asked last."""
        trades, self._trades = self._trades, []
        return trades

    # ---- time

    def next_deadline_ns(self) -> int | None:
        """When `plan` has something to do, in boot terms."""
        if not self.is_wanted:
            return None
        due = [self._stream.due_ns(), *(asked + UNANSWERED_NS for asked in self._asked_boot_ns.values())]
        return earliest(*due)

    def plan(self, now: Instant) -> None:
        """Connect where somebody listens, ping, and give up what does not answer."""
        if not self.is_wanted:
            return
        if self._stream.timer(now, self.effects):
            self._forget("it was silent")
        if any(asked + UNANSWERED_NS <= now.boot_ns for asked in self._asked_boot_ns.values()):
            self._drop("a book was not told in time", now)
        if self._stream.wants_connection(now):
            self._open_stream(self._stream)

    # ---- the connection

    def has(self, number: int) -> bool:
        """Whether the connection of ours of that number is this one."""
        return self.is_wanted and number == self._stream.number

    def connected(self, number: int, now: Instant) -> None:
        """The connection is up."""
        self._stream.connected(now, self.effects)

    def closed(self, number: int, text: str, now: Instant) -> None:
        """The connection is gone."""
        self._stream.lost(now)
        self._forget(text)

    def _drop(self, why: str, now: Instant) -> None:
        self._stream.drop(now, self.effects)
        self._forget(why)

    def _forget(self, why: str) -> None:
        if any(book.is_known for book in self.books.values()):
            self.effects.append(Note("warning", "prices_lost", {"why": why}))
        self._asked_boot_ns.clear()
        for book in self.books.values():
            book.forget()

    def data(self, number: int, data: bytes, now: Instant) -> None:
        """Bytes of the venue."""
        try:
            for text in self._stream.received(data, now, self.effects):
                push, facts = self._backend.read_prices(text)
                if push is Push.REFUSED:
                    self._drop(f"refused: {text[:200]}", now)
                    return
                self._stream.pushed(push, now, self.effects)
                for fact in facts:
                    self._learn(fact, now)
        except BadAnswer as error:
            self._drop(str(error), now)
            return
        if not self._stream.is_connected:
            self._forget("ended by the venue")
        elif self._asks_all:
            self._asks_all = False
            for symbol in self.books:
                self._ask(symbol, now)

    def _ask(self, symbol: str, now: Instant) -> None:
        """The whole book is to be told, by the WebSocket or over REST."""
        self._asked_boot_ns[symbol] = now.boot_ns
        backend = self._backend
        if backend.ask_book(symbol, now.wall_ns) is None:
            return

        def make(at: Instant) -> HttpCall:
            call = backend.ask_book(symbol, at.wall_ns)
            assert call is not None
            return call

        def answered(reply: Reply, at: Instant) -> None:
            if reply.book is not None and symbol in self._asked_boot_ns:
                self._learn_book(reply.book, at)

        self._question("ask_book", make, answered)

    # ---- what is told

    def _learn(self, fact: BookFact | TradeFact, now: Instant) -> None:
        if fact.symbol not in self.books:
            return
        if isinstance(fact, BookFact):
            self._learn_book(fact, now)
            return
        number = int(fact.trade_id) if fact.trade_id.isdecimal() else 0
        self._trades.append(
            Traded(number, 0, fact.symbol, 0, 0, fact.px, fact.qty, ZERO, ZERO, fact.stamp_ns, fact.taker_side)
        )

    def _learn_book(self, fact: BookFact, now: Instant) -> None:
        book = self.books[fact.symbol]
        why = book.learn(fact)
        if book.is_known:
            self._asked_boot_ns.pop(fact.symbol, None)
        if why:
            self.renewals += 1
            self.effects.append(Note("warning", "book_renewed", {"symbol": fact.symbol, "why": why}))
            book.forget()
            self._stream.say(self._backend.renew_book(fact.symbol, now.wall_ns), self.effects)
            self._ask(fact.symbol, now)

    def status(self) -> dict[str, object]:
        """For status: whether anybody listens, which books are known, and how often one had to be told anew."""
        return {
            "wanted": self.is_wanted,
            "known": sorted(symbol for symbol, book in self.books.items() if book.is_known),
            "renewals": self.renewals,
        }


class PriceListener(PriceGateway):
    """Whoever listens to prices, over FIX. Numbers begin at 1 with each Logon(A)."""

    def __init__(self, host: Host, prices: Prices, parties: Sequence[str]) -> None:
        """`parties` are the SenderCompIDs(49) that may log on."""
        super().__init__(host, prices, PlainForm(), parties)
        self._prices = prices

    def _perform(self, client: Client, effect: SessionEffect, now: Instant) -> None:
        if type(effect) is LoggedOn:
            self._prices.is_wanted = True
        super()._perform(client, effect, now)
