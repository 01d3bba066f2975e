"""The market data actor: one FIX market data connection of one venue, folded into best prices and published.

Its numbers start at 1 with each logon and nothing of it is journaled. Each change is published at the end of its
turn, the latest per symbol, and every book is repeated each second. A price is as old as the last whole message that
told it: a symbol that is quiet, or of which something could not be read, is asked for anew, so that age means that the
venue does not answer. When the connection is gone nothing is repeated.
"""

from collections.abc import Mapping

import msgspec
from msgspec import structs

from common.actor.acts import ControlAct, Done, do_act
from common.actor.core import Publish, Send
from common.config import InstrumentConfig
from common.fix.session import Session
from common.fix.session_types import Inbound, SessionSettings
from common.fix.wire import split
from common.instant import NS_PER_S, Instant, earliest
from common.messages import ControlRequest, Traded, encode
from common.venues.credentials import Credentials
from common.venues.dialect import (
    BadReport,
    Body,
    BookEntry,
    DepthQuestion,
    Dialect,
    Identity,
    SubscriptionRejected,
)
from common.venues.listening import ListeningConfig, ListeningCore
from common.venues.market_data import SNAPSHOT, TRADE, unread_book
from services.marketdata.books import FEED, Book, Level, Sum
from services.marketdata.depth import MOST_LEVELS, DepthArguments, Depths
from services.marketdata.listed import LIST, ListedInstruments
from services.marketdata.numbered import NumberedBook

REPEAT_NS = NS_PER_S
SILENCE_NS = NS_PER_S
REFRESH_NS = 2 * NS_PER_S
"""A symbol without a price for so long is asked for; below the age at which risk refuses, `reference_max_age_ms`."""

DEPTH_ANSWERS = ("W", "Y")
"""MarketDataSnapshotFullRefresh(W), or MarketDataRequestReject(Y)."""

DEPTH_CHANGES = "X"
"""MsgType(35) of what is told of a book that has been asked for, until that ends."""

NEWS = "B"
"""MsgType(35) of what a venue announces."""

AGAIN = "again"
"""So begins the MDReqID(262) of what is asked for beside, or in place of, the subscription."""


class MarketDataConfig(ListeningConfig, frozen=True, kw_only=True):
    """One market data session. `sums` are how a symbol's book is summed up, where the venue gives checksums;
    `instruments` are held against the venue's own list, where it has one."""

    symbols: tuple[str, ...]
    sums: Mapping[str, Sum] = {}
    instruments: Mapping[str, InstrumentConfig] = {}


class MarketDataCore(ListeningCore):
    """See the module. Link: "feed" (PUB); target "fix"."""

    what = "market data"

    def __init__(self, config: MarketDataConfig, dialect: Dialect) -> None:
        super().__init__(f"marketdata@{config.venue}", config, dialect)
        self.config = config
        self.books = {symbol: self._book(symbol) for symbol in config.symbols}
        self._repeat_ns: int | None = None
        self._md_req_id = self._former_id = ""
        self._was_double = False
        self._refresh_ns: int | None = None
        self._refreshes = 0
        self._changed: set[str] = set()
        self._trades: list[Traded] = []
        self._depths = Depths()
        self._listed = ListedInstruments(config.instruments)
        self.published = 0

    def _book(self, symbol: str) -> Book:
        if self.dialect.profile.numbers_books:
            return NumberedBook(symbol)
        return Book(symbol, self.config.sums.get(symbol))

    # ---- what the FIX session says ----

    def _session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        return self.dialect.market_data_settings(identity, credentials)

    def _forget(self) -> None:
        """The books are not known any more: publish nothing until the next snapshot."""
        self._repeat_ns = self._refresh_ns = None
        self._changed.clear()
        self._depths.forget()
        for book in self.books.values():
            book.clear()

    def _logged_on(self, fix: Session, now: Instant) -> None:
        self._repeat_ns = now.boot_ns + REPEAT_NS
        self._refresh_ns = now.boot_ns + REFRESH_NS
        self._md_req_id = self._former_id = f"md-{self._connection}"
        self._was_double = False
        for body in self.dialect.encode_subscribe(self._md_req_id, self.config.symbols):
            fix.send(body.msg_type, body.fields, now)
        self._listed.begin_connection()
        self._ask_for_list(fix, now)
        self.note("info", "subscribed", connection=self._connection, symbols=list(self.config.symbols))

    def _inbound(self, effect: Inbound, now: Instant) -> None:
        heard: list[BookEntry] | SubscriptionRejected = []
        if self._depths.listens and self._is_depth(effect, now):
            return
        if effect.msg_type == NEWS:
            self._end_announced(now)
        if effect.msg_type == LIST:
            self._hear_list(effect, now)
            return
        if not effect.wrong:
            heard = self.dialect.decode_market_data(effect.msg_type, effect.raw)
        elif effect.application:
            heard = [unread_book("", effect.wrong)]
        if isinstance(heard, SubscriptionRejected):
            self._rejected(heard, now)
            return
        told: dict[str, list[BookEntry]] = {}
        for entry in heard:
            for symbol in [entry.symbol] if entry.symbol else self.books:
                told.setdefault(symbol, []).append(entry)
            if entry.why:
                self._note_unreadable(effect, entry.why, symbol=entry.symbol)
        for symbol, entries in told.items():
            if symbol in self.books:
                self._told(self.books[symbol], entries, now)

    def _told(self, book: Book, entries: list[BookEntry], now: Instant) -> None:
        book.apply(entries, now)
        self._changed.add(book.symbol)
        for entry in entries:
            self._was_double = self._was_double and entry.action != SNAPSHOT
            if entry.what == TRADE and entry.px is not None and entry.action != SNAPSHOT:
                trade = Traded(self.config.venue, book.symbol, entry.px, entry.qty, entry.taker_side, now.wall_ns)
                self._trades.append(trade)

    def _rejected(self, rejected: SubscriptionRejected, now: Instant) -> None:
        """A venue that gives no snapshot beside a subscription goes on without; without a subscription nothing does.
        One that is there already goes on under its own name; but where it is so again before a snapshot, nobody knows
        which that is.
        """
        self.note("error", "subscription_rejected", md_req_id=rejected.md_req_id, text=rejected.text)
        if rejected.is_double and not self._was_double:
            self._was_double, self._md_req_id = True, self._former_id
            return
        only_again = rejected.md_req_id.startswith(AGAIN) and not rejected.md_req_id.startswith(self._md_req_id)
        if only_again and not rejected.is_double:
            self._refresh_ns = None
        else:
            self._close(f"subscription rejected: {rejected.text}", now)

    # ---- the venue's own list of instruments ----

    def _ask_for_list(self, fix: Session, now: Instant) -> None:
        """Ask for it, where that is due."""
        question = self.dialect.encode_instruments(f"list-{self._connection}") if self._listed.is_due(now) else None
        if question is not None:
            self._listed.asked(now)
            fix.send(question.msg_type, question.fields, now)

    def _hear_list(self, effect: Inbound, now: Instant) -> None:
        """What cannot be read counts as not told, and is said."""
        try:
            told = None if effect.wrong else self.dialect.decode_instruments(effect.msg_type, effect.raw)
        except BadReport as error:
            told, why = None, str(error)
        else:
            why = effect.wrong
        if told is not None:
            self._listed.hear_list(told, now)
            self._changed.update(self.books)
        elif why:
            self._listed.unread(why)
            self._note_unreadable(effect, why)

    # ---- depth, where somebody asks for it ----

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """See `Core`: beside status, which the shell answers, depth is asked of this actor."""
        assert isinstance(message, ControlRequest)
        acts = {"depth": ControlAct(DepthArguments, self._tell_depth)}
        self.effects.append(Send("control", do_act(self.name, acts, message, now), peer))

    def _tell_depth(self, asked: DepthArguments, _by: str, now: Instant) -> Done:
        fix, dialect = self._fix, self.dialect
        away = "" if fix is not None and fix.logged_on else "the session is not logged on"

        def ask(md_req_id: str) -> DepthQuestion | None:
            question = dialect.encode_depth(md_req_id, asked.symbol, MOST_LEVELS)
            if question is not None:
                self._say(question.ask, now)
            return question

        return self._depths.tell(asked, self.books.get(asked.symbol), away or dialect.best_only, ask, now)

    def _say(self, body: Body | None, now: Instant) -> None:
        """Send what a question for depth needs, if anything."""
        if body is not None and self._fix is not None and self._fix.logged_on:
            self._fix.send(body.msg_type, body.fields, now)
            self._carry_out(now)

    def _is_depth(self, effect: Inbound, now: Instant) -> bool:
        """Whether the message answers a question for depth, or comes after: it is not of the book that is followed."""
        if effect.msg_type not in (*DEPTH_ANSWERS, DEPTH_CHANGES) or effect.wrong:
            return False
        md_req_id = split(effect.raw).get(b"262", b"").decode("ascii", "replace")
        if not self._depths.is_of_depth(md_req_id):
            return False
        if effect.msg_type in DEPTH_ANSWERS:
            heard = self.dialect.decode_market_data(effect.msg_type, effect.raw)
            answered = self._depths.hear(md_req_id, heard, now)
            self._say(answered.end if answered is not None else None, now)
        return True

    # ---- publishing ----

    def turn_ended(self, now: Instant) -> None:
        """See `Core`."""
        for trade in self._trades:
            self._publish(trade)
        self._trades.clear()
        for symbol in sorted(self._changed):
            top, why_not = self.books[symbol].top(self.config.venue, now), self._listed.why_not(symbol, now)
            self._publish(structs.replace(top, why_not=why_not) if why_not else top)
        self._changed.clear()

    def _publish(self, message: msgspec.Struct) -> None:
        self.effects.append(Publish(FEED, encode(message)))
        self.published += 1

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        times = (super().next_deadline_ns(), self._repeat_ns)
        return earliest(*times)

    def timer(self, now: Instant) -> None:
        """See `Core`."""
        super().timer(now)
        if self._repeat_ns is not None and now.boot_ns >= self._repeat_ns:
            self._repeat(now)

    def _repeat(self, now: Instant) -> None:
        self._repeat_ns = now.boot_ns + REPEAT_NS
        fix = self._fix
        if fix is None or not fix.logged_on:
            return
        if self._depths.listens:
            for question in self._depths.give_up(now):
                self._say(question.end, now)
        self._changed.update(
            symbol for symbol, book in self.books.items() if book.bid or book.offer or self._listed.why_not(symbol, now)
        )
        self._ask_for_list(fix, now)
        if self._refresh_ns is not None and now.boot_ns >= self._refresh_ns:
            self._refresh(fix, now)
        if now.boot_ns - fix.last_received_boot_ns >= SILENCE_NS:
            fix.send("1", b"112=alive-%d\x01" % now.boot_ns, now)
            self._carry_out(now)

    def _refresh(self, fix: Session, now: Instant) -> None:
        """Ask anew for the prices where one is getting old or is not known."""
        if not any(book.is_late(now, REFRESH_NS) for book in self.books.values()):
            return
        self._refresh_ns = now.boot_ns + REFRESH_NS
        self._refreshes += 1
        former, md_req_id = self._md_req_id, f"{AGAIN}-{self._connection}-{self._refreshes}"
        bodies = self.dialect.encode_refresh(md_req_id, former, self.config.symbols)
        for body in bodies:
            fix.send(body.msg_type, body.fields, now)
        if len(bodies) > 1:
            self._former_id, self._md_req_id = former, md_req_id
        self._carry_out(now)

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`."""
        books: Mapping[str, object] = {
            symbol: {"bid": _px(book.bid), "ask": _px(book.offer), "last": str(book.last_px), "why": book.why}
            for symbol, book in self.books.items()
        }
        not_tradable, differs = self._listed.rows(now)
        row = {**super().status(now), "published": self.published, "books": books}
        return {**row, "not_tradable": not_tradable, "differs": differs}


def _px(level: Level | None) -> str:
    """A best price for people."""
    return str(None if level is None else level[0])
