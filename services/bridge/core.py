"""The bridge's core: FIX clients on one side, a venue's REST and WebSocket on the other, a durable log between.

What a turn records is synced before a byte of it leaves: neither a report to a client nor a request to the venue. The
same records give the same orders, numbers and messages to resend (`store`).
"""

from collections.abc import Iterable

import msgspec

from common.actor.acts import Cannot, Confirmed, ControlAct, Done, NoArguments, WhateverIsSaid, do_act
from common.actor.core import Core, Effect, Exit, Send
from common.exchange.faults import Faults
from common.exchange.fix_gateway import FixGateway
from common.exchange.lines import Line, Lines
from common.exchange.state import SessionNumbers
from common.exchange.superfluous import TagCheck
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, Instant, earliest
from common.journal.errors import JournalError
from common.latch import Latch, unreadable_latch
from common.messages import ControlAnswer, ControlRequest
from common.venues.backend import Backend, BookBackend
from services.bridge.acceptor import Acceptor
from services.bridge.book import Book
from services.bridge.desk import Desk
from services.bridge.listings import Listing
from services.bridge.prices import LISTENER as PRICES
from services.bridge.prices import PriceListener, Prices
from services.bridge.records import BridgeRecord, OrderRecord
from services.bridge.store import Store
from services.bridge.venue_side import VenueSide

STOP_WITHIN_NS = 500 * NS_PER_MS


class BridgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One bridge: its venue, its own CompID, who may log on, what is traded, and how the venue is called in HTTP.

    `websocket_target` is the path of the private WebSocket, `books_target` of the public one; `listings` are what
    clients are told of the symbols, and `listeners` who may listen to prices.
    """

    venue: str
    comp_id: str
    clients: tuple[str, ...]
    symbols: tuple[str, ...]
    heart_bt_int_s: int
    host: str
    websocket_host: str
    websocket_target: str
    listings: tuple[Listing, ...] = ()
    books_target: str = ""
    listeners: tuple[str, ...] = ()


class BridgeCore(Core):
    """See the module. It is the host of its FIX listener."""

    def __init__(self, settings: BridgeSettings, store: Store, backend: Backend, latch: Latch) -> None:
        """`store` is not open yet; `latch` is the bridge's own kill latch, not loaded yet."""
        super().__init__(f"bridge@{settings.venue}")
        self.settings = settings
        self.store = store
        self.faults = Faults()
        self.tags: TagCheck | None = None
        self._leaving: list[Effect] = []
        self.lines = Lines(self.faults, self._leaving)
        self._backend = backend
        self._latch = latch
        self._ready = False
        self._acts = {
            "kill": ControlAct(WhateverIsSaid, self._kill),
            "resume": ControlAct(Confirmed, self._resume),
            "state": ControlAct(NoArguments, self._state),
        }
        self._stop_by_ns: int | None = None
        self._counts: dict[str, int] = {}
        self._desk: Desk
        self.venue: VenueSide
        self.acceptor: Acceptor
        self.prices: Prices | None = None
        self._listener: PriceListener | None = None

    @property
    def book(self) -> Book:
        """What the log says of orders."""
        return self.store.book

    # ---- the listener's host

    def count(self, what: str) -> None:
        """Count something that status shows."""
        self._counts[what] = self._counts.get(what, 0) + 1

    def numbers(self, session: str) -> SessionNumbers:
        """The numbers of a client's session, 1 and 1 at first."""
        return self.store.numbers(session)

    def record(self, change: BridgeRecord) -> None:
        """Apply a record, and keep it for the turn's end."""
        self.store.record(change)

    def sent_messages(self, session: str, begin: int, end: int) -> Iterable[tuple[int, bytes]]:
        """What was sent to a client under these numbers."""
        return self.store.sent_messages(session, begin, end)

    def _record_order(self, record: OrderRecord) -> None:
        self.store.record(record)

    # ---- life

    def started(self, now: Instant) -> None:
        """Read the log, and go on from there."""
        try:
            self._latch.load()
            self.store.open(now)
        except OSError as error:
            self.effects.append(Exit(ExitStatus.FAILURE, unreadable_latch(self.name, error)))
            return
        except JournalError as error:
            self.effects.append(Exit(ExitStatus.INTEGRITY, str(error)))
            return
        settings = self.settings
        contracts = {each.symbol: each.contract for each in settings.listings if not each.contract.is_spot}
        self._desk = Desk(
            self.book, self._record_order, self.store.unique, self._backend, frozenset(settings.symbols),
            f"b{self.store.epoch:x}", frozenset(contracts),
        )  # fmt: skip
        self.venue = VenueSide(
            self._backend, self._desk, settings.host, settings.websocket_host, settings.websocket_target, contracts
        )
        self.acceptor = Acceptor(
            self, settings.clients, self._desk, self.store.identity, self._why_not, lambda: self.venue.is_live,
            settings.listings,
        )
        if isinstance(self._backend, BookBackend):
            self.prices = Prices(
                self._backend, settings.symbols, settings.websocket_host, settings.books_target,
                self.venue.open_stream, self.venue.ask,
            )  # fmt: skip
            self._listener = PriceListener(self, self.prices, settings.listeners)
        self._ready = True
        self.venue.begin(now)
        for client in sorted(self.book.guarded):
            self._desk.give_up(client, now)
        if self._latch.set:
            self._sweep(now)
        self.note("info", "ready", lsn=self.store.last_lsn, orders=self.book.taken, open=len(self.book.open))

    def _sweep(self, now: Instant) -> None:
        self._desk.sweep(now)
        self.venue.sweep(now)

    def _why_not(self, symbol: str) -> str:
        """Why nothing that adds risk in it can be sent to the venue now, "" where it can."""
        if self._latch.set:
            return "killed"
        if self._stop_by_ns is not None:
            return "the bridge is stopping"
        why_not = self.venue.why_not(symbol)
        if why_not:
            return why_not
        if not self.venue.clock.is_known or not self.venue.is_live:
            return "the venue's orders are not read yet"
        return ""

    def stop(self, now: Instant) -> None:
        """Log everybody out, wait a little for the answers."""
        if not self._ready:
            self.effects.append(Exit(0, "stopped"))
            return
        self._stop_by_ns = now.boot_ns + STOP_WITHIN_NS
        for gateway in self._gateways():
            gateway.stop(now)

    def _gateways(self) -> list[FixGateway]:
        """The listeners: of orders, and of prices where the venue has any to tell."""
        return [self.acceptor] if self._listener is None else [self.acceptor, self._listener]

    def _gateway(self, line: Line) -> FixGateway:
        """Whose connection it is."""
        return self._listener if self._listener is not None and line.scope == PRICES else self.acceptor

    def abandon(self) -> None:
        """Let go of the log as a killed process would; for the simulator and tests."""
        if self._ready:
            self.store.abandon()
        self._ready = False

    # ---- connections

    def accepted(self, connection: int, listener: str, now: Instant) -> None:
        """A client connects."""
        if self._ready:
            line = Line(connection, listener)
            self.lines.opened(line)
            self._gateway(line).accepted(line, now)

    def connected(self, connection: int, now: Instant) -> None:
        """The venue has taken a connection."""
        if self._ready:
            self._ours(connection).connected(connection, now)

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        """Bytes of a client, or of the venue."""
        if not self._ready:
            return
        line = self.lines.line(connection)
        if line is not None:
            self._gateway(line).data(line, data, now)
        else:
            self._ours(connection).data(connection, data, now)

    def closed(self, connection: int, text: str, now: Instant) -> None:
        """A connection is gone."""
        if not self._ready:
            return
        line = self.lines.line(connection)
        if line is not None:
            self.lines.lost(line)
            self._gateway(line).lost(line, now)
        else:
            self._ours(connection).closed(connection, text, now)

    def _ours(self, connection: int) -> VenueSide | Prices:
        """Who has that connection to the venue."""
        return self.prices if self.prices is not None and self.prices.has(connection) else self.venue

    def unwritten(self, connection: int, writes: Iterable[object], now: Instant) -> None:
        """A request to the venue came too late to be written."""
        if self._ready:
            self.venue.unwritten(connection, now)

    def blocked(self, connection: int, now: Instant) -> None:
        """A client takes no more for now."""
        self._set_blocked(connection, blocked=True)

    def writable(self, connection: int, now: Instant) -> None:
        """It does again."""
        self._set_blocked(connection, blocked=False)

    def _set_blocked(self, connection: int, *, blocked: bool) -> None:
        line = self.lines.line(connection) if self._ready else None
        if line is not None:
            line.blocked = blocked

    # ---- time

    def next_deadline_ns(self) -> int | None:
        """When a client, the venue's side or the end of this process is due, in boot terms."""
        if not self._ready:
            return None
        due = [gateway.next_deadline_ns() for gateway in self._gateways()]
        due += [self.venue.next_deadline_ns(), self._stop_by_ns]
        due += [] if self.prices is None else [self.prices.next_deadline_ns()]
        return earliest(*due)

    def timer(self, now: Instant) -> None:
        """Let the clients' sessions do what is due; the venue's side does so at each turn's end."""
        for gateway in self._gateways() if self._ready else ():
            gateway.timer(now)

    def turn_ended(self, now: Instant) -> None:
        """Log what happened, then let it leave."""
        if not self._ready:
            return
        if self.prices is not None:
            self.prices.plan(now)
        self.venue.plan(now)
        for gateway in self._gateways():
            gateway.settle(now)
        try:
            self.store.commit(now)
        except JournalError as error:
            # Nothing of this turn may leave: the log does not have it.
            self.abandon()
            self.effects.append(Exit(ExitStatus.INTEGRITY, str(error)))
            return
        for line in self.lines.flush(now):
            self._gateway(line).lost(line, now)
        self.venue.dispatch(now)
        for effects in (self._leaving, self.venue.effects, [] if self.prices is None else self.prices.effects):
            self.effects += effects
            effects.clear()
        for event, text in self._desk.alarms:
            self.note("error", event, text=text)
        self._desk.alarms.clear()
        self._tidy()
        if self._stop_by_ns is not None and (now.boot_ns >= self._stop_by_ns or not self._busy()):
            self.store.close()
            self._ready = False
            self.effects.append(Exit(0, "stopped"))

    def _busy(self) -> bool:
        return any(gateway.busy for gateway in self._gateways())

    def _tidy(self) -> None:
        """A snapshot that fails does no harm: the log has everything, and a start reads more of it."""
        try:
            self.store.tidy()
        except JournalError as error:
            self.note("error", "no_snapshot", why=str(error), mend="make room on the disk; it is tried again")

    # ---- control

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """The kill switch, its end, and what `reconcile` asks."""
        assert isinstance(message, ControlRequest)
        if self._ready:
            answer = do_act(self.name, self._acts, message, now)
        else:
            answer = ControlAnswer(message.token, False, "the bridge is starting; ask again")
        self.effects.append(Send(link, answer, peer))

    def _kill(self, _: WhateverIsSaid, by: str, now: Instant) -> str:
        self._latch.latch()
        self._sweep(now)
        return "latched; every order of the account is being cancelled, whoever has placed it"

    def _resume(self, _: Confirmed, by: str, now: Instant) -> str:
        released = self._latch.release()
        self.venue.sweeps = self._latch.set
        if not released:
            raise Cannot(self._latch.failure)
        return "released"

    def _state(self, _: NoArguments, by: str, now: Instant) -> Done:
        detail = {"sessions": self.acceptor.sessions(), "names": self.book.names_at_venue()}
        return Done("", msgspec.json.encode(detail))

    def status(self, now: Instant) -> dict[str, object]:
        """State, places in the log, sessions, orders without an outcome, the venue's clock, and counts."""
        if not self._ready:
            return {"state": "starting"}
        clock, undecided = self.venue.clock, [o for o in self.book.open.values() if o.is_undecided]
        state = "live" if self.venue.is_live else "catching_up"
        state = "latched" if self._latch.set else state
        return {
            "state": state if self._stop_by_ns is None else "stopping",
            "epoch": self.store.epoch,
            "lsn": self.store.last_lsn,
            "sessions": self.acceptor.sessions(),
            "open_orders": len(self.book.open),
            "orders_in_memory": len(self.book),
            "undecided": len(undecided),
            "awaited": len(undecided) + sum(len(o.wishes) for o in self.book.open.values()),
            "wrong_account": "; ".join(filter(None, (self.venue.wrong_account, *self.venue.wrong_contracts.values()))),
            "unexplained": sorted(self.venue.unexplained),
            "latched": self._latch.set,
            "latch_failure": self._latch.failure,
            "guarded": sorted(self.book.guarded),
            "switch_armed": self.venue.switch.is_armed,
            "clock_offset_ms": clock.offset_ns / NS_PER_MS,
            "clock_uncertainty_ms": clock.uncertainty_ns / NS_PER_MS,
            "prices": {} if self.prices is None else self.prices.status(),
            "requests": dict(self.venue.counts),
            "counts": dict(self._counts),
        }
