"""The order manager with a journal in memory, and with a risk and a venue that are a few lines each."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from common.actor.core import Effect, Exit, ReadLog, Send
from common.instant import NS_PER_MS, Instant
from common.journal.frames import TICK
from common.messages import (
    PROTOCOL,
    AmendOrder,
    Ask,
    CancelOrder,
    ClientRequest,
    CommandOutcome,
    ControlAnswer,
    ExecutionReport,
    Hello,
    Inbound,
    Kind,
    NewOrder,
    NewOrderRequest,
    OpenGate,
    OrderEvent,
    Outbound,
    PositionChanged,
    QueryOrder,
    SessionChanged,
    SessionState,
    Terms,
    Welcome,
)
from common.orders.books import Books, Bounds
from common.orders.facts import VenueFacts
from common.orders.fold import Fold
from common.orders.index import Index, IntoIndex
from common.orders.snapshots import dump_books, load_books
from services.orders.core import OrdersCore
from services.orders.settings import AccountRules, OrdersSettings, VenueWays
from tests.journals import Journal, carry_out

D = Decimal
BINANCE_WINDOW_NS = 11_000_000_000
START_NS = 1_700_000_000_000_000_000


def settings(*, cancel_on_stop: bool = True, orphan_ns: int = 0) -> OrdersSettings:
    """Two venues: "generic" is asked over FIX, "binance" over REST."""
    bases = {"BTCUSDT": "BTC", "ETHUSDT": "ETH"}
    quotes = {"BTCUSDT": "USDT", "ETHUSDT": "USDT"}
    generic = AccountRules(
        VenueFacts(0, bases, quotes), VenueWays(True, False, ("BTCUSDT", "ETHUSDT")), orphan_ns, cancel_on_stop
    )
    binance = AccountRules(
        VenueFacts(BINANCE_WINDOW_NS, bases, quotes), VenueWays(False, True, ("BTCUSDT",)), orphan_ns, cancel_on_stop
    )
    return OrdersSettings({"generic": generic, "binance": binance})


class Ring:
    """One life after another of the order manager over one log; `said` holds what each link was told."""

    def __init__(self, its_settings: OrdersSettings | None = None) -> None:
        self.settings = its_settings or settings()
        self.journal = Journal(START_NS)
        self.boot_ns = 5_000_000_000
        self.journal_away = False
        self.risk_full = False
        self.account_away = False
        self.unheard: set[bytes] = set()
        self.clients: dict[bytes, list[Any]] = {}
        self.commands: list[Any] = []
        self.asks: list[Ask] = []
        self.told_by_hand: list[ControlAnswer] = []
        self.exit: Exit | None = None
        self.chunk: int | None = None
        self.reads: list[ReadLog] = []
        self.connections: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.sent_blocks: list[bytes] = []
        self.core = self.start()

    # ---- time ----

    @property
    def now(self) -> Instant:
        return Instant(self.journal.stamp_ns, self.boot_ns)

    def pass_time(self, ms: int, *, tick: bool = True) -> None:
        """Time passes in steps of 50 ms, with a tick of the journal every 100 ms and the core's timers."""
        for step in range(max(1, ms // 50)):
            self.boot_ns += 50 * NS_PER_MS
            self.journal.stamp_ns += 50 * NS_PER_MS
            deadline = self.core.next_deadline_ns()
            if deadline is not None and deadline <= self.boot_ns:
                self.core.timer(self.now)
            self.settle()
            if tick and step % 2 and not self.journal_away:
                self.record("journal", TICK, b"")

    def go_live(self) -> None:
        """The wait after a start is over."""
        self.pass_time(1300)

    # ---- lives ----

    def start(self) -> OrdersCore:
        """A new process: everything soft is gone, the log is read again."""
        self.boot_ns += 1
        self.core = OrdersCore(self.settings)
        self.clients.clear()
        self.core.started(self.now)
        self.settle()
        return self.core

    def load_snapshot(self) -> None:
        """The process's books become what a snapshot that is taken now loads as."""
        core, facts = self.core, {name: venue.facts for name, venue in self.settings.accounts.items()}
        core.books = load_books(dump_books(core.books), facts)
        core.fold = Fold(core.books)

    # ---- the journal ----

    def record(self, writer: str, kind: int, payload: bytes | msgspec.Struct) -> None:
        """Somebody else's record goes into the log and out on the stream."""
        self.core.followed(self.journal.add(kind, payload, writer=writer), self.now)
        self.settle()

    def settle(self) -> None:
        """Carry out the core's effects until there are none."""
        carry_out(lambda: self.core, self._perform, lambda: self.now)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Send("journal", message):
                if not self.journal_away:
                    self._take(message)
            case Send("risk", message) if self.risk_full:
                self.core.undelivered(effect, self.now)
            case Send("risk", message):
                self.commands.append(message)
            case Send("control", message):
                assert isinstance(message, ControlAnswer)
                self.told_by_hand.append(message)
            case Send("entry", _, peer) if peer in self.unheard:
                self.core.undelivered(effect, self.now)
            case Send("entry", message, peer):
                self.clients.setdefault(peer, []).append(message)
            case Send(link) if link.startswith("account.") and self.account_away:
                self.core.undelivered(effect, self.now)
            case Send(link, message) if link.startswith("account."):
                assert isinstance(message, Ask)
                self.asks.append(message)
            case ReadLog() if self.chunk is not None:
                self.reads.append(effect)
            case ReadLog():
                self._read(effect)
            case Exit():
                self.exit = effect

    def _read(self, read: ReadLog) -> None:
        self.core.log_read(self.journal.between(read.from_lsn, read.upto_lsn)[: self.chunk], self.now)

    def read_on(self) -> bool:
        """Give the next `chunk` records of the log, as a shell does in a turn of its own; False when none is wanted."""
        if not self.reads:
            return False
        self._read(self.reads.pop(0))
        self.settle()
        return True

    def _take(self, message: msgspec.Struct) -> None:
        for answer in self.journal.take(message):
            self.core.received("journal", b"", answer, self.now)
        published, self.journal.published = self.journal.published, []
        for block in published:
            self.core.followed(block, self.now)

    # ---- a strategy ----

    def hello(self, strategy: str = "s", peer: bytes = b"p", last: tuple[int, int] = (0, 0), epoch: int = 1) -> Welcome:
        """The hello of an instance that was welcomed before; with `epoch` 0 it is a new one."""
        self.entry(peer, Hello(strategy, f"{peer!r}", *last, epoch, PROTOCOL))
        return next(m for m in reversed(self.clients[peer]) if isinstance(m, Welcome))

    def entry(self, peer: bytes, message: msgspec.Struct) -> None:
        self.core.received("entry", peer, message, self.now)
        self.settle()

    def request(self, request: ClientRequest, peer: bytes = b"p") -> None:
        self.entry(peer, msgspec.structs.replace(request, epoch=self.epoch))

    @property
    def epoch(self) -> int:
        return self.journal.epochs["orders"]

    def new(
        self, number: int, venue: str = "generic", qty: str = "1", price: str = "100", side: Any = "1",
        peer: bytes = b"p",
    ) -> NewOrder:  # fmt: skip
        """A new order of the strategy there reaches risk."""
        self.request(NewOrderRequest(0, number, venue, "BTCUSDT", Terms(side, "2", D(qty), D(price))), peer)
        command = self.commands[-1]
        assert isinstance(command, NewOrder), command
        assert command.number == number
        return command

    def outcomes(self, peer: bytes = b"p") -> list[tuple[int, str]]:
        return [(m.number, m.outcome) for m in self.clients.get(peer, []) if isinstance(m, CommandOutcome)]

    def events(self, peer: bytes = b"p") -> list[tuple[int, str, str]]:
        return [(m.number, m.event, m.status.value) for m in self.clients.get(peer, []) if isinstance(m, OrderEvent)]

    def positions(self, peer: bytes = b"p") -> list[PositionChanged]:
        return [m for m in self.clients.get(peer, []) if isinstance(m, PositionChanged)]

    # ---- a session ----

    def session(self, venue: str, state: SessionState) -> None:
        if state is SessionState.CONNECTING:
            self.connections[venue] = self.connections.get(venue, 0) + 1
        moved = SessionChanged(venue, 1, self.connections.get(venue, 0), state, 1, 1)
        self.record(f"session@{venue}", Kind.SESSION, moved)

    def log_on(self, venue: str) -> None:
        for state in (SessionState.CONNECTING, SessionState.LOGGED_ON, SessionState.CAUGHT_UP):
            self.session(venue, state)

    def open(self, venue: str) -> None:
        """Log on and have the gate opened by orders' own word."""
        self.log_on(venue)
        gates = [c for c in self.commands if isinstance(c, OpenGate) and c.venue == venue]
        assert gates and gates[-1].connection == self.connections[venue], "no word to open the gate"
        self.session(venue, SessionState.OPENED)

    def sent(
        self, command: NewOrder | AmendOrder | CancelOrder | QueryOrder, msg_type: str = "", raw: bytes = b"raw"
    ) -> None:
        """The session numbers the command: its outbound record is in the log."""
        types = {NewOrder: "D", AmendOrder: "G", CancelOrder: "F", QueryOrder: "H"}
        venue = command.venue
        self.numbers[venue] = self.numbers.get(venue, 0) + 1
        outbound = Outbound(
            venue, 1, self.connections.get(venue, 1), self.numbers[venue], msg_type or types[type(command)], raw,
            command,
        )  # fmt: skip
        self.record(f"session@{venue}", Kind.OUTBOUND, outbound)

    def told(self, venue: str, event: Any, *, poss_dup: bool = False) -> None:
        """The venue's message, normalised, is in the log."""
        inbound = Inbound(venue, 1, self.connections.get(venue, 1), 1, "8", b"raw", event, poss_dup)
        self.record(f"session@{venue}", Kind.INBOUND, inbound)

    def report(self, command: NewOrder | AmendOrder, exec_type: str, ord_status: str, **fields: Any) -> None:
        self.told(command.venue, report(command, exec_type, ord_status, **fields))

    def last(self, kind: type, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """The last command of that type that went to risk."""
        return next(c for c in reversed(self.commands) if isinstance(c, kind) and where(c))

    def answers(self, **fields: Any) -> None:
        """The account's answer is in the log."""
        from common.messages import Answer

        answer = Answer(**{"failed": False, **fields})
        self.record(f"account@{answer.venue}", Kind.ANSWER, answer)


def live_ring() -> Ring:
    """Live, both sessions open, strategy "s" connected."""
    ring = Ring()
    ring.go_live()
    ring.open("generic")
    ring.log_on("binance")
    for ask in ring.asks:
        ring.answers(venue="binance", ask=ask)
    ring.session("binance", SessionState.OPENED)
    ring.hello()
    return ring


def report(command: NewOrder | AmendOrder, exec_type: str, ord_status: str, **fields: Any) -> ExecutionReport:
    """An ExecutionReport(8) on the command's order; `qty`, `px` and `key` make it a fill."""
    qty = D(fields.pop("qty", "0"))
    values: dict[str, Any] = {
        "cl_ord_id": command.cl_ord_id,
        "orig_cl_ord_id": "",
        "order_id": f"V{command.cl_ord_id}",
        "exec_id": "",
        "exec_type": exec_type,
        "ord_status": ord_status,
        "symbol": command.symbol,
        "side": command.side,
        "order_qty": command.order_qty,
        "price": command.price,
        "last_qty": qty,
        "last_px": D(fields.pop("px", "100")) if qty else D(0),
        "cum_qty": None,
        "leaves_qty": None,
        "trade_key": fields.pop("key", ""),
    }
    values.update(fields)
    return ExecutionReport(**values)


def accepted(ring: Ring, number: int, venue: str = "generic", **terms: Any) -> NewOrder:
    """An order that rests at the venue."""
    command = ring.new(number, venue, **terms)
    ring.sent(command)
    ring.report(command, "0", "0")
    return command


class Forgetful(Ring):
    """A ring whose order manager keeps no more in memory than `bounds`; what leaves that goes into `index`."""

    def __init__(self, index: Index, bounds: Bounds) -> None:
        self.index = index
        self.bounds = bounds
        super().__init__()
        self.go_live()
        self.open("generic")
        self.hello()

    def start(self) -> OrdersCore:
        self.boot_ns += 1
        facts = {name: account.facts for name, account in self.settings.accounts.items()}
        books = Books(facts, bounds=self.bounds, memory=self.index, leaving=IntoIndex(self.index))
        self.core = OrdersCore(self.settings, books, self.index)
        self.clients.clear()
        self.core.started(self.now)
        self.settle()
        return self.core
