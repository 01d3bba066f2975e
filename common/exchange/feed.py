"""Market data: who subscribed to what, and which changes of the books they have not been told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from common.exchange.changes import Traded
from common.exchange.order import ZERO
from common.instant import Instant

BID = "0"
OFFER = "1"
TRADE = "2"
ADD = "0"
CHANGE = "1"
DELETE = "2"
TOP_OF_BOOK = 1


class ShownLevel(Protocol):
    """A price, and what is seen there."""

    @property
    def price(self) -> Decimal: ...
    @property
    def qty(self) -> Decimal: ...


class ShownSide(Protocol):
    """One side of a book as it is shown; `changed` are the prices whose quantity has changed since it was emptied."""

    @property
    def changed(self) -> dict[Decimal, None]: ...

    def best(self) -> ShownLevel | None:
        """The best price."""

    def walk(self) -> Iterator[ShownLevel]:
        """The levels from the best price on."""

    def qty_at(self, price: Decimal) -> Decimal:
        """What is seen at a price, zero for none."""


class ShownBook(Protocol):
    """A book as it is shown; `update_id` rises with every change."""

    @property
    def symbol(self) -> str: ...
    @property
    def update_id(self) -> int: ...
    @property
    def bids(self) -> ShownSide: ...
    @property
    def asks(self) -> ShownSide: ...


class Market(Protocol):
    """Whose books and trades are told: an exchange's own, or those of a venue that a bridge listens to. Best prices are
    told at most every `feed_interval_ns`, deeper ones every `depth_interval_ns`."""

    @property
    def books(self) -> Mapping[str, ShownBook]: ...
    @property
    def feed_interval_ns(self) -> int: ...
    @property
    def depth_interval_ns(self) -> int: ...

    def take_trades(self) -> Sequence[Traded]:
        """What was traded since it was asked last."""


class Entry(NamedTuple):
    """One entry of a W or X: MDUpdateAction(279), MDEntryType(269), MDEntryPx(270), MDEntrySize(271)."""

    action: str
    entry_type: str
    px: Decimal
    qty: Decimal


class Format(Protocol):
    """How a dialect writes market data. Each gives (MsgType(35), body)."""

    replaces_top: bool
    """Whether a new best price is told as a change of the old one, or as its deletion and an addition."""

    def snapshot(self, md_req_id: str, symbol: str, entries: Sequence[Entry], update_id: int) -> tuple[str, bytes]:
        """The whole book, or its top."""

    def changes(
        self, md_req_id: str, symbol: str, entries: Sequence[Entry], first_update_id: int, last_update_id: int
    ) -> tuple[str, bytes]:
        """What changed in the book."""

    def trades(self, md_req_id: str, trades: Sequence[tuple[Traded, str]]) -> tuple[str, bytes]:
        """Public trades with the side of each one's taker."""


Send = Callable[[str, bytes, Instant], None]
_Window = dict[tuple[str, Decimal], Decimal]
"""What a subscriber was told of one symbol: the quantity by MDEntryType(269) and price."""

_Top = tuple[Decimal | None, Decimal, Decimal | None, Decimal]
_NO_TOP: _Top = (None, ZERO, None, ZERO)


class Subscription:
    """One MDReqID(262) of one connection: symbols, MarketDepth(264) and MDEntryType(269) codes.

    With `windowed` its owner is told of the best `depth` prices alone, and of each that enters them or leaves them;
    without, of whatever changes in the book.
    """

    def __init__(
        self,
        md_req_id: str,
        symbols: Sequence[str],
        depth: int,
        entry_types: frozenset[str],
        send: Send,
        *,
        windowed: bool = False,
    ) -> None:
        self.md_req_id = md_req_id
        self.symbols = tuple(symbols)
        self.depth = depth
        self.entry_types = entry_types
        self.send = send
        self.tops: dict[str, _Top] = dict.fromkeys(symbols, _NO_TOP)
        self.windowed = windowed and depth > TOP_OF_BOOK
        self.windows: dict[str, _Window] = {}

    @property
    def wants_book(self) -> bool:
        """Bids or offers."""
        return bool(self.entry_types & {BID, OFFER})


class _Published:
    """What subscribers to the depth of one symbol were told: the prices they know and the last update."""

    __slots__ = ("prices", "update_id")

    def __init__(self, book: ShownBook) -> None:
        self.update_id = book.update_id
        self.prices = {
            BID: {level.price for level in book.bids.walk()},
            OFFER: {level.price for level in book.asks.walk()},
        }


class Feed:
    """All subscriptions to a market's prices."""

    def __init__(self, market: Market, form: Format) -> None:
        self._market = market
        self._form = form
        self._by_owner: dict[int, dict[str, Subscription]] = {}
        self._published: dict[str, _Published] = {}
        self._top_ids = dict.fromkeys(market.books, -1)
        self._next_top_ns = 0
        self._next_depth_ns = 0

    def has(self, owner: int, md_req_id: str) -> bool:
        """Whether the connection uses this MDReqID(262) already."""
        return md_req_id in self._by_owner.get(owner, {})

    def of(self, owner: int) -> list[Subscription]:
        """A connection's subscriptions."""
        return list(self._by_owner.get(owner, {}).values())

    def subscribe(self, owner: int, subscription: Subscription, now: Instant, *, keep: bool = True) -> None:
        """Send the snapshots of the books; with `keep` what changes from here on, too."""
        for symbol in subscription.symbols:
            book = self._market.books[symbol]
            if not subscription.wants_book:
                continue
            if subscription.depth == TOP_OF_BOOK:
                subscription.tops[symbol] = _top(book)
            elif keep:
                self._flush_depth(symbol, now)
                self._published.setdefault(symbol, _Published(book))
            entries = levels(book, subscription.depth, subscription.entry_types)
            if subscription.windowed:
                subscription.windows[symbol] = _window(entries)
            subscription.send(*self._form.snapshot(subscription.md_req_id, symbol, entries, book.update_id), now)
        if keep:
            self._by_owner.setdefault(owner, {})[subscription.md_req_id] = subscription

    def unsubscribe(self, owner: int, md_req_id: str) -> bool:
        """End one subscription; False where there is none."""
        return self._by_owner.get(owner, {}).pop(md_req_id, None) is not None

    def lost(self, owner: int) -> None:
        """The connection is gone."""
        self._by_owner.pop(owner, None)

    def next_deadline_ns(self) -> int | None:
        """When something is to be published, in boot terms."""
        if not self._by_owner:
            return None
        books = self._market.books
        due: list[int] = []
        if any(book.update_id != self._top_ids[symbol] for symbol, book in books.items()):
            due.append(self._next_top_ns)
        if any(books[symbol].update_id != p.update_id for symbol, p in self._published.items()):
            due.append(self._next_depth_ns)
        return min(due, default=None)

    def publish(self, now: Instant) -> None:
        """At a turn's end: trades at once, the rest when it is due."""
        trades = self._market.take_trades()
        if not self._by_owner:
            self._forget_changes()
            return
        if trades:
            self._publish_trades(trades, now)
        if now.boot_ns >= self._next_top_ns:
            self._publish_tops(now)
        if now.boot_ns >= self._next_depth_ns:
            for symbol in self._market.books:
                self._flush_depth(symbol, now)
            self._next_depth_ns = now.boot_ns + self._market.depth_interval_ns

    def _forget_changes(self) -> None:
        self._published.clear()
        for book in self._market.books.values():
            book.bids.changed.clear()
            book.asks.changed.clear()

    def _subscriptions(self, symbol: str) -> list[Subscription]:
        return [s for owned in self._by_owner.values() for s in owned.values() if symbol in s.tops]

    def _publish_trades(self, trades: Sequence[Traded], now: Instant) -> None:
        sided = [(trade, trade.taker_side) for trade in trades]
        for owned in self._by_owner.values():
            for subscription in owned.values():
                if TRADE in subscription.entry_types:
                    mine = [pair for pair in sided if pair[0].symbol in subscription.tops]
                    if mine:
                        subscription.send(*self._form.trades(subscription.md_req_id, mine), now)

    def _publish_tops(self, now: Instant) -> None:
        for symbol, book in self._market.books.items():
            if book.update_id == self._top_ids[symbol]:
                continue
            first, self._top_ids[symbol] = self._top_ids[symbol] + 1, book.update_id
            self._next_top_ns = now.boot_ns + self._market.feed_interval_ns
            top = _top(book)
            for subscription in self._subscriptions(symbol):
                if subscription.depth != TOP_OF_BOOK or not subscription.wants_book or subscription.tops[symbol] == top:
                    continue
                entries = self._top_changes(subscription, subscription.tops[symbol], top)
                subscription.tops[symbol] = top
                if entries:
                    form = self._form.changes(subscription.md_req_id, symbol, entries, first, book.update_id)
                    subscription.send(*form, now)

    def _top_changes(self, subscription: Subscription, old: _Top, new: _Top) -> list[Entry]:
        entries: list[Entry] = []
        for entry_type, at in ((BID, 0), (OFFER, 2)):
            if entry_type not in subscription.entry_types:
                continue
            old_px, old_qty, px, qty = old[at], old[at + 1], new[at], new[at + 1] or ZERO
            if (old_px, old_qty) == (px, qty):
                continue
            if px is None:
                entries.append(Entry(DELETE, entry_type, old_px or ZERO, ZERO))
            elif old_px is None:
                entries.append(Entry(ADD, entry_type, px, qty))
            elif px == old_px or self._form.replaces_top:
                entries.append(Entry(CHANGE, entry_type, px, qty))
            else:
                entries += [Entry(DELETE, entry_type, old_px, ZERO), Entry(ADD, entry_type, px, qty)]
        return entries

    def _flush_depth(self, symbol: str, now: Instant) -> None:
        book = self._market.books[symbol]
        published = self._published.get(symbol)
        if published is not None:
            entries = _depth_changes(BID, book.bids, published.prices[BID])
            entries += _depth_changes(OFFER, book.asks, published.prices[OFFER])
            if entries:
                self._publish_depth(book, entries, published, now)
                # Only what was published moves the id, so that each message begins where the one before ended.
                published.update_id = book.update_id
        book.bids.changed.clear()
        book.asks.changed.clear()

    def _publish_depth(self, book: ShownBook, entries: list[Entry], published: _Published, now: Instant) -> None:
        for subscription in self._subscriptions(book.symbol):
            if subscription.depth == TOP_OF_BOOK or not subscription.wants_book:
                continue
            if subscription.windowed:
                mine = _window_changes(subscription, book)
            else:
                mine = [e for e in entries if e.entry_type in subscription.entry_types]
            if mine:
                form = self._form.changes(
                    subscription.md_req_id, book.symbol, mine, published.update_id + 1, book.update_id
                )
                subscription.send(*form, now)


def _top(book: ShownBook) -> _Top:
    bid, ask = book.bids.best(), book.asks.best()
    return (
        bid.price if bid else None, bid.qty if bid else ZERO, ask.price if ask else None, ask.qty if ask else ZERO,
    )  # fmt: skip


def _window(entries: Sequence[Entry]) -> _Window:
    return {(e.entry_type, e.px): e.qty for e in entries}


def _window_changes(subscription: Subscription, book: ShownBook) -> list[Entry]:
    """What a subscriber of the best prices has to be told now. A price that others have pushed out is deleted with what
    rests there yet, one that is gone with nothing.
    """
    former = subscription.windows[book.symbol]
    window = _window(levels(book, subscription.depth, subscription.entry_types))
    subscription.windows[book.symbol] = window
    sides = {BID: book.bids, OFFER: book.asks}
    left = [Entry(DELETE, kind, px, sides[kind].qty_at(px)) for kind, px in former if (kind, px) not in window]
    return left + [
        Entry(CHANGE if (kind, px) in former else ADD, kind, px, qty)
        for (kind, px), qty in window.items()
        if former.get((kind, px)) != qty
    ]


def levels(book: ShownBook, depth: int, entry_types: frozenset[str]) -> list[Entry]:
    """The book's levels, best first; a `depth` of 0 is all of them."""
    entries: list[Entry] = []
    for entry_type, side in ((BID, book.bids), (OFFER, book.asks)):
        if entry_type in entry_types:
            for count, level in enumerate(side.walk(), 1):
                entries.append(Entry(ADD, entry_type, level.price, level.qty))
                if count == depth:
                    break
    return entries


def _depth_changes(entry_type: str, side: ShownSide, known: set[Decimal]) -> list[Entry]:
    entries: list[Entry] = []
    for px in side.changed:
        qty = side.qty_at(px)
        if qty:
            entries.append(Entry(CHANGE if px in known else ADD, entry_type, px, qty))
            known.add(px)
        elif px in known:
            entries.append(Entry(DELETE, entry_type, px, ZERO))
            known.discard(px)
    return entries
