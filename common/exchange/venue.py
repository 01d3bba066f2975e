"""What every part of the exchange works on: the engine, the past, the faults, and what is to be sent once it is
logged.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from common.actor.core import Close, Effect, Note, Write
from common.exchange.changes import Change, Corrected
from common.exchange.engine import Engine
from common.exchange.faults import Faults, Kind
from common.exchange.history import ClosedOrder, RecentHistory, TradeRow
from common.exchange.order import EXPIRE_MAKER, NO_PREVENTION, Order
from common.exchange.settings import ExchangeSettings
from common.exchange.state import State
from common.exchange.store import Store
from common.instant import NS_PER_MS, Instant

# What may wait for a peer that does not read before it is cut off.
MAX_WAITING_BYTES = 32 << 20


class Line:
    """One accepted connection as far as writing goes. Bytes wait here until the turn's changes are in the log."""

    __slots__ = ("blocked", "closing", "number", "open", "scope", "waiting", "waiting_bytes")

    def __init__(self, number: int, scope: str) -> None:
        self.number = number
        self.scope = scope
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.waiting_bytes = 0
        self.closing = False
        self.blocked = False
        self.open = True


class Venue:
    """The one shared object of an exchange. Its `effects` are given to the shell at the end of a turn."""

    def __init__(self, settings: ExchangeSettings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.faults = Faults()
        self.effects: list[Effect] = []
        self.report: Callable[[Change, Order], None] = lambda change, order: None
        self.report_correction: Callable[[Corrected, Order | ClosedOrder], None] = lambda change, order: None
        self.dropped: Callable[[Line], None] = lambda line: None
        self.now = Instant(0, 0)
        self.engine = Engine(
            store.state,
            settings.fee_rate_maker,
            settings.fee_rate_taker,
            settings.max_open_orders,
            lambda change, order: self.report(change, order),
        )
        self.counts: dict[str, int] = {}
        self._lines: dict[int, Line] = {}
        self._unique = 0

    @property
    def state(self) -> State:
        """Books, orders, balances and numbers."""
        return self.store.state

    @property
    def history(self) -> RecentHistory:
        """Closed orders and trades."""
        return self.store.history

    def unique(self) -> str:
        """A text that this exchange never gives twice, for an ExecID(17) of a report that changes nothing."""
        self._unique += 1
        return f"{self.store.epoch}-{self._unique}"

    def count(self, what: str) -> None:
        """Count something that status and the simulator's checkers look at."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def note(self, level: str, event: str, **fields: object) -> None:
        """A line for the process's log."""
        self.effects.append(Note(level, event, fields))

    # ---- looking up orders

    def find(self, account: str, symbol: str, order_id: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        """An order by OrderID(37), else by ClOrdID(11), open or closed, of this symbol ("" any); None where there is
        none.
        """
        found: Order | ClosedOrder | None = None
        if order_id:
            if not order_id.isdecimal() or len(order_id) > 18:
                return None
            order = self.state.orders.get(int(order_id))
            found = (
                order if order is not None and order.account == account else self.history.order(account, int(order_id))
            )
        elif cl_ord_id:
            found = self.state.find(account, cl_ord_id) or self.history.order_named(account, cl_ord_id)
        if found is None:
            return None
        return found if symbol in ("", found.terms.symbol) else None

    def fill_late(self, order: Order, now: Instant) -> None:
        """A stranger takes half of a resting order's rest, or all of it where half is less than a lot."""
        lot = self.state.instruments[order.symbol].lot_size
        qty = (order.leaves_qty / 2 // lot) * lot or order.leaves_qty
        self.engine.take_from(order, qty, now.wall_ns)

    def prevention(self, given: str) -> str:
        """SelfTradePreventionMode of an order that asks for `given`, "" for none."""
        unprevented = not given and self.faults.strikes(Kind.SELF_TRADE, "fix")
        return given or (NO_PREVENTION if unprevented else EXPIRE_MAKER)

    def leaves_out(self, cl_ord_id: str) -> bool:
        """Whether the report of a fill leaves instrument, side and price to the order, since a fault strikes."""
        fault = self.faults.find(Kind.BARE, "fix")
        if fault is None or (fault.text and cl_ord_id.startswith(fault.text)):
            return False
        self.faults.count(fault)
        return True

    def correct(self, row: TradeRow, qty: Decimal, px: Decimal, now: Instant) -> None:
        """Take one side of a trade back, with `qty` 0, or correct it, and tell its session."""
        change = self.engine.correct(row, qty, px, now.wall_ns)
        order = self.find(row.account, row.symbol, str(row.order_id), "")
        assert order is not None
        self.report_correction(change, order)

    def commit(self, now: Instant) -> None:
        """Write everything that happened in this turn to the log. Raises LogFailed, NoSpace."""
        changes = self.engine.take_changes()
        if changes:
            self.store.commit(changes, now)

    # ---- sending

    def opened(self, line: Line) -> None:
        """A connection was accepted."""
        self._lines[line.number] = line

    def lost(self, line: Line) -> None:
        """The peer is gone, whatever waited for it too."""
        line.open = False
        self._lines.pop(line.number, None)

    def write(self, line: Line, data: bytes, now: Instant) -> None:
        """Send once the turn is logged, later where a fault slows the line down."""
        if not line.open or line.closing:
            return
        due_ns = 0
        slow = self.faults.find(Kind.SLOW, line.scope)
        if slow is not None:
            due_ns = now.boot_ns + slow.ms * NS_PER_MS
            slow.struck += 1
        line.waiting.append((due_ns, data))
        line.waiting_bytes += len(data)
        if line.waiting_bytes > MAX_WAITING_BYTES:
            self.note("warning", "slow_consumer", connection=line.number, waiting_bytes=line.waiting_bytes)
            self.cut(line)

    def write_application(self, line: Line, raw: bytes, now: Instant) -> None:
        """Send an application message, which the faults may lose, double or garble."""
        if self.faults.active:
            if self.faults.strikes(Kind.GAP, line.scope):
                return
            if self.faults.strikes(Kind.GARBLE, line.scope):
                raw = garbled(raw)
            if self.faults.strikes(Kind.DUPLICATE, line.scope):
                self.write(line, raw, now)
        self.write(line, raw, now)

    def close(self, line: Line) -> None:
        """Close once everything before is sent."""
        line.closing = True

    def cut(self, line: Line) -> None:
        """Close at once; what waits is dropped."""
        line.waiting.clear()
        line.waiting_bytes = 0
        line.closing = True

    def flush(self, now: Instant) -> None:
        """The turn is logged: hand the shell what may leave now, a write a connection."""
        for line in list(self._lines.values()):
            if line.waiting or line.closing:
                self._flush(line, now)

    def _flush(self, line: Line, now: Instant) -> None:
        if line.blocked and line.waiting:
            return
        if line.waiting and self.stalled(line):
            return
        ready: list[bytes] = []
        while line.waiting and line.waiting[0][0] <= now.boot_ns:
            ready.append(line.waiting.popleft()[1])
        if ready:
            data = b"".join(ready)
            line.waiting_bytes -= len(data)
            self.effects.append(Write(line.number, data))
        if line.closing and not line.waiting:
            self.effects.append(Close(line.number))
            self.lost(line)
            self.dropped(line)

    def stalled(self, line: Line) -> bool:
        """Whether a fault keeps the line from being read and written."""
        return bool(self.faults.active) and self.faults.find(Kind.STALL, line.scope) is not None

    def next_deadline_ns(self) -> int | None:
        """When something that waits is due, in boot terms. What a fault holds up is due when the fault ends."""
        lines = [line for line in self._lines.values() if line.waiting and not line.blocked and not self.stalled(line)]
        return min((due_ns for line in lines if (due_ns := line.waiting[0][0])), default=None)

    def take_effects(self) -> list[Effect]:
        """What the turn gives the shell."""
        effects, self.effects = self.effects, []
        return effects

    def line(self, number: int) -> Line | None:
        """The open connection of that number."""
        return self._lines.get(number)

    @property
    def lines(self) -> list[Line]:
        """The open connections."""
        return list(self._lines.values())


def garbled(raw: bytes) -> bytes:
    """The message with one byte of its body changed, so that CheckSum(10) does not fit any more."""
    middle = raw.rindex(b"\x0110=") - 1
    return raw[:middle] + bytes([raw[middle] ^ 1 or 1]) + raw[middle + 1 :]
