"""The market data actor: one FIX market data connection of one venue, folded into best prices and published.

Its numbers start at 1 with each logon and nothing of it is journaled. Each change is published at the end of its
turn, the latest per symbol, and every book is repeated each second. A price is as old as the last whole message that
told it: a symbol that is quiet, or of which something could not be read, is asked for anew, so that age means that the
venue does not answer. When the connection is gone nothing is repeated.
"""

from collections.abc import Mapping

import msgspec

from common.actor.core import Close, Connect, Core, Exit, HostWorked, Publish, Send, Write
from common.fix.schedule import Schedule
from common.fix.session import Session
from common.fix.session_types import Disconnect, Inbound, LoggedOn, Notice, Outbound
from common.fix.session_types import Effect as FixEffect
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import ControlAnswer, ControlRequest, Traded, encode
from common.venues.connector import Connector, Hours, comp_id
from common.venues.credentials import Credentials
from common.venues.dialect import BookEntry, Dialect, Identity, SubscriptionRejected, nonce_ms
from common.venues.market_data import SNAPSHOT, TRADE, unread_book
from services.marketdata.books import FEED, Book, Level, Sum
from services.marketdata.numbered import NumberedBook

TARGET = "fix"
REPEAT_NS = NS_PER_S
SILENCE_NS = NS_PER_S
REFRESH_NS = 2 * NS_PER_S
"""A symbol without a price for so long is asked for; below the age at which risk refuses, `reference_max_age_ms`."""

AGAIN = "again"
"""So begins the MDReqID(262) of what is asked for beside, or in place of, the subscription."""

CONNECT_TIMEOUT_NS = 10 * NS_PER_S
LOGOUT_TIMEOUT_NS = 500 * NS_PER_MS
CLOCK_WARNING_NS = 250 * NS_PER_MS


class MarketDataConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One market data session. Either `sender_comp_id` or `comp_id_prefix` is set, as for an order entry session.

    `hosts` counts those that are tried in turn. Without `schedule` the session is open at all times. `sums` are how a
    symbol's book is summed up, where the venue gives checksums.
    """

    venue: str
    target_comp_id: str
    symbols: tuple[str, ...]
    connects: int
    connects_window_ms: int
    sender_comp_id: str = ""
    comp_id_prefix: str = ""
    heart_bt_int_s: int = 30
    reconnect_min_ms: int = 50
    reconnect_max_ms: int = 5000
    hosts: int = 1
    first_connection: int = 0
    credentials: Credentials | None = None
    schedule: Schedule | None = None
    sums: Mapping[str, Sum] = {}


class MarketDataCore(Core):
    """See the module. Link: "feed" (PUB); target "fix"."""

    def __init__(self, config: MarketDataConfig, dialect: Dialect) -> None:
        super().__init__(f"marketdata@{config.venue}")
        self.config = config
        self.dialect = dialect
        self.hours = Hours(config.schedule)
        self.books = {symbol: self._book(symbol) for symbol in config.symbols}
        self.connector = Connector(
            self.name,
            config.reconnect_min_ms,
            config.reconnect_max_ms,
            config.connects,
            config.connects_window_ms,
            jitter_seed=0,
            hosts=config.hosts,
        )
        # Nothing is journaled here, so a new process begins its CompIDs where the caller says, to pass over locked
        # ones.
        self._connection = config.first_connection
        self._nonce_ms = 0
        self._fix: Session | None = None
        self._deadline_ns: int | None = None
        self._repeat_ns: int | None = None
        self._md_req_id = ""
        self._refresh_ns: int | None = None
        self._refreshes = 0
        self._heard_wall_ns = 0
        self._changed: set[str] = set()
        self._trades: list[Traded] = []
        self._sender = ""
        self._stopping = False
        self._blocked = False
        self._waiting: list[bytes] = []
        self.published = 0
        self._messages = 0
        self._garbled = 0
        self._unreadable = 0

    def _book(self, symbol: str) -> Book:
        if self.dialect.profile.numbers_books:
            return NumberedBook(symbol)
        return Book(symbol, self.config.sums.get(symbol))

    # ---- the connection ----

    def started(self, now: Instant) -> None:
        """See `Core`."""
        self.hours.look(now)
        self._schedule(now, failed=False)

    def _schedule(self, now: Instant, *, failed: bool) -> None:
        """Make the next connection, unless the schedule has none now."""
        if self.hours.is_open:
            self.connector.schedule(now, failed=failed)
        else:
            self.connector.cancel()

    def _keep_hours(self, now: Instant) -> None:
        """Log out where the schedule's period has ended, connect where the next has begun."""
        if not self.hours.look(now) or self._stopping:
            return
        self.note("info", "schedule_opened" if self.hours.is_open else "schedule_closed", text=self.hours.text)
        if self._fix is None:
            self._schedule(now, failed=False)
        elif not self.hours.is_open:
            self._log_out("the period of the schedule has ended", now)

    def _log_out(self, text: str, now: Instant) -> None:
        """Log out, so that the venue frees the name at once; what is not even made yet is closed."""
        assert self._fix is not None
        if not self._fix.connection:
            self._close(text, now)
            return
        self._fix.logout(text, now)
        self._carry_out(now)
        if self._fix is not None:
            self._deadline_ns = now.boot_ns + LOGOUT_TIMEOUT_NS

    def _connect(self, now: Instant) -> None:
        config = self.config
        self._connection += 1
        self._sender = comp_id(config.sender_comp_id, config.comp_id_prefix, self._connection)
        identity = Identity(self._sender, config.target_comp_id, config.heart_bt_int_s, self._nonce_ms)
        self._fix = Session(self.dialect.market_data_settings(identity, config.credentials))
        self.connector.attempted(now)
        self._deadline_ns = now.boot_ns + CONNECT_TIMEOUT_NS
        self._blocked = False
        self.effects.append(Connect(self._connection, TARGET))

    def connected(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        if self._fix is not None and connection == self._connection:
            self._deadline_ns = None
            self._nonce_ms = nonce_ms(self._nonce_ms, now.wall_ns)
            self._fix.connected(now)
            self._carry_out(now)

    def closed(self, connection: int, text: str, now: Instant) -> None:
        """See `Core`."""
        if self._fix is not None and connection == self._connection:
            self._ended(text, now)

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        """See `Core`."""
        if self._fix is not None and connection == self._connection:
            self._fix.received(data, now)
            self._carry_out(now)

    def blocked(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        self._blocked = self._blocked or connection == self._connection

    def writable(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        if connection == self._connection:
            self._blocked = False
            self._write_waiting()

    def _ended(self, text: str, now: Instant) -> None:
        """The books are not known any more: publish nothing until the next snapshot."""
        self._fix = None
        self._deadline_ns = self._repeat_ns = self._refresh_ns = None
        self._changed.clear()
        self._waiting.clear()
        for book in self.books.values():
            book.clear()
        self.note("warning", "disconnected", connection=self._connection, text=text)
        if self._stopping:
            self.effects.append(Exit(0, "stopped"))
        else:
            self._schedule(now, failed=True)

    def _close(self, text: str, now: Instant) -> None:
        self.effects.append(Close(self._connection))
        self._ended(text, now)

    # ---- what the FIX session says ----

    def _carry_out(self, now: Instant) -> None:
        fix = self._fix
        while fix is not None and (effects := fix.take_effects()):
            for effect in effects:
                self._fix_effect(effect, fix, now)
                if self._fix is not fix:
                    return

    def _fix_effect(self, effect: FixEffect, fix: Session, now: Instant) -> None:
        if isinstance(effect, Outbound):
            self._waiting.append(effect.raw)
            self._write_waiting()
        elif isinstance(effect, Inbound):
            self._inbound(effect, now)
        elif isinstance(effect, LoggedOn):
            self._subscribe(fix, now)
        elif isinstance(effect, Disconnect):
            self._close(f"{effect.reason.name.lower()}: {effect.text}", now)
        elif isinstance(effect, Notice):
            self._garbled += effect.code == "garbled"
            self.note(effect.level.value, effect.code, text=effect.text)

    def _write_waiting(self) -> None:
        while self._waiting and not self._blocked:
            self.effects.append(Write(self._connection, self._waiting.pop(0)))

    def _subscribe(self, fix: Session, now: Instant) -> None:
        self.effects.append(HostWorked(TARGET))
        self.connector.worked()
        self._repeat_ns = now.boot_ns + REPEAT_NS
        self._refresh_ns = now.boot_ns + REFRESH_NS
        self._md_req_id = f"md-{self._connection}"
        for body in self.dialect.encode_subscribe(self._md_req_id, self.config.symbols):
            fix.send(body.msg_type, body.fields, now)
        self.note("info", "subscribed", connection=self._connection, symbols=list(self.config.symbols))

    def _inbound(self, effect: Inbound, now: Instant) -> None:
        self._messages += 1
        self._heard_wall_ns = now.wall_ns
        heard: list[BookEntry] | SubscriptionRejected = []
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
                self._note_unreadable(effect, entry)
        for symbol, entries in told.items():
            if symbol in self.books:
                self._told(self.books[symbol], entries, now)

    def _note_unreadable(self, effect: Inbound, entry: BookEntry) -> None:
        self._unreadable += 1
        raw = effect.raw.decode("latin-1")
        self.note("error", "unreadable", msg_type=effect.msg_type, symbol=entry.symbol, why=entry.why, raw=raw)

    def _told(self, book: Book, entries: list[BookEntry], now: Instant) -> None:
        book.apply(entries, now)
        self._changed.add(book.symbol)
        for entry in entries:
            if entry.what == TRADE and entry.px is not None and entry.action != SNAPSHOT:
                trade = Traded(self.config.venue, book.symbol, entry.px, entry.qty, entry.taker_side, now.wall_ns)
                self._trades.append(trade)

    def _rejected(self, rejected: SubscriptionRejected, now: Instant) -> None:
        """A venue that gives no snapshot beside a subscription goes on without; without a subscription nothing does."""
        self.note("error", "subscription_rejected", md_req_id=rejected.md_req_id, text=rejected.text)
        only_again = rejected.md_req_id.startswith(AGAIN) and not rejected.md_req_id.startswith(self._md_req_id)
        if only_again:
            self._refresh_ns = None
        else:
            self._close(f"subscription rejected: {rejected.text}", now)

    # ---- publishing ----

    def turn_ended(self, now: Instant) -> None:
        """See `Core`."""
        for trade in self._trades:
            self._publish(trade)
        self._trades.clear()
        for symbol in sorted(self._changed):
            self._publish(self.books[symbol].top(self.config.venue, now))
        self._changed.clear()

    def _publish(self, message: msgspec.Struct) -> None:
        self.effects.append(Publish(FEED, encode(message)))
        self.published += 1

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        fix_ns = self._fix.next_deadline_ns() if self._fix is not None else None
        hours_ns = self.hours.next_deadline_ns()
        times = (self.connector.due_boot_ns, self._deadline_ns, self._repeat_ns, fix_ns, hours_ns)
        return min((time for time in times if time is not None), default=None)

    def timer(self, now: Instant) -> None:
        """See `Core`."""
        self._keep_hours(now)
        if self.connector.due_boot_ns is not None and now.boot_ns >= self.connector.due_boot_ns:
            self._connect(now)
        if self._fix is not None:
            self._fix.timer(now)
            self._carry_out(now)
        if self._repeat_ns is not None and now.boot_ns >= self._repeat_ns:
            self._repeat(now)
        if self._deadline_ns is not None and now.boot_ns >= self._deadline_ns:
            self._close("no connection in time", now)

    def _repeat(self, now: Instant) -> None:
        self._repeat_ns = now.boot_ns + REPEAT_NS
        fix = self._fix
        if fix is None or not fix.logged_on:
            return
        self._changed.update(symbol for symbol, book in self.books.items() if book.bid or book.offer)
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
            self._md_req_id = md_req_id
        self._carry_out(now)

    # ---- stop, control, status ----

    def stop(self, now: Instant) -> None:
        """See `Core`: log out."""
        self._stopping = True
        self.connector.cancel()
        if self._fix is None:
            self.effects.append(Exit(0, "stopped"))
            return
        self._log_out("the market data session is stopped", now)

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """See `Core`: nothing but status is asked of this actor, and the shell answers that."""
        assert isinstance(message, ControlRequest)
        answer = ControlAnswer(message.token, False, f"{self.name} has no act {message.act!r}")
        self.effects.append(Send("control", answer, peer))

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`."""
        fix = self._fix
        offset_ns = fix.last_sending_time_offset_ns if fix is not None else 0
        books: Mapping[str, object] = {
            symbol: {"bid": _px(book.bid), "ask": _px(book.offer), "last": str(book.last_px), "why": book.why}
            for symbol, book in self.books.items()
        }
        return {
            "state": self._state(),
            "schedule": self.hours.text,
            "epoch": 0,
            "lsn": 0,
            "connection": self._connection,
            "sender_comp_id": self._sender,
            "next_outbound": fix.next_outbound if fix is not None else 1,
            "next_inbound": fix.next_inbound if fix is not None else 1,
            "last_heard_ms": (now.wall_ns - self._heard_wall_ns) // NS_PER_MS if self._heard_wall_ns else None,
            "clock_offset_ms": round(offset_ns / NS_PER_MS, 3),
            "clock_warning": abs(offset_ns) > CLOCK_WARNING_NS,
            "messages": self._messages,
            "published": self.published,
            "garbled": self._garbled,
            "unreadable": self._unreadable,
            "books": books,
        }

    def _state(self) -> str:
        """One word for people."""
        if self._fix is None:
            return "waiting" if self.hours.is_open else "off_schedule"
        return "live" if self._fix.logged_on else "connecting"


def _px(level: Level | None) -> str:
    """A best price for people."""
    return str(None if level is None else level[0])
