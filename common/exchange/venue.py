"""What every part of the exchange works on: the engine, the past, the faults, the lines, and the venue's own side."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from common.actor.core import Effect, Note
from common.exchange.book import Book
from common.exchange.changes import Change, Numbered, Sent, Traded
from common.exchange.engine import Engine
from common.exchange.faults import Faults, Kind
from common.exchange.gateways import Side
from common.exchange.history import ClosedOrder, RecentHistory, TradeRow
from common.exchange.lines import Lines
from common.exchange.order import EXPIRE_MAKER, NO_PREVENTION, Asked, Order
from common.exchange.settings import ExchangeSettings
from common.exchange.state import SessionNumbers, State
from common.exchange.store import Store
from common.exchange.superfluous import TagCheck
from common.instant import NS_PER_MS, Instant

OpenSide = Callable[["Venue"], Side]
"""Makes a venue's side: the function `open_side` of its package `simulated`."""


class Venue:
    """The one shared object of an exchange. Its `effects` are given to the shell at the end of a turn."""

    def __init__(
        self, settings: ExchangeSettings, store: Store, open_side: OpenSide, tags: TagCheck | None = None
    ) -> None:
        """`tags` finds what is refused as superfluous, where that is wanted whatever the venue does."""
        self.tags = tags
        self.settings = settings
        self.store = store
        self.faults = Faults()
        self.effects: list[Effect] = []
        self.lines = Lines(self.faults, self.effects)
        self.engine = Engine(
            store.state, settings.fee_rate_maker, settings.fee_rate_taker, settings.max_open_orders, self._report
        )
        self.counts: dict[str, int] = {}
        self._unique = 0
        self.side = open_side(self)
        self.engine.ends_as = self.side.ends_as
        self.engine.iceberg_parts = self.side.iceberg_parts

    def _report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        self.side.orders.report(change, order, now, asked)

    @property
    def state(self) -> State:
        """Books, orders, balances and numbers."""
        return self.store.state

    @property
    def history(self) -> RecentHistory:
        """Closed orders and trades."""
        return self.store.history

    def numbers(self, session: str) -> SessionNumbers:
        """The numbers of a persistent session, 1 and 1 at first."""
        return self.state.numbers(session)

    def record(self, change: Numbered | Sent) -> None:
        """Keep what a persistent session's numbers are now, or a message that took one."""
        self.engine.record(change)

    def sent_messages(self, session: str, begin: int, end: int) -> Iterable[tuple[int, bytes]]:
        """What was kept of a session's messages with these numbers."""
        return self.store.sent.messages(session, begin, end)

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

    # ---- as a `Market`

    @property
    def books(self) -> Mapping[str, Book]:
        """The book of each symbol."""
        return self.state.books

    @property
    def feed_interval_ns(self) -> int:
        """How often the best prices are told at most."""
        return self.settings.feed_interval_ns

    @property
    def depth_interval_ns(self) -> int:
        """How often books are told at most."""
        return self.settings.depth_interval_ns

    def take_trades(self) -> list[Traded]:
        """What was traded since it was asked last."""
        return self.engine.take_trades()

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

    def hides(self, stamp_ns: int, now: Instant) -> bool:
        """Whether a fault keeps an order of that time from whoever asks, since it is too young."""
        blind = self.faults.find(Kind.BLIND, "rest")
        hidden = blind is not None and now.wall_ns - stamp_ns < blind.ms * NS_PER_MS
        if blind is not None and hidden:
            self.faults.count(blind)
        return hidden

    def fill_late(self, order: Order, now: Instant, asked: Asked | None = None) -> None:
        """A stranger takes half of a resting order's rest, or all of it where half is less than a lot."""
        lot = self.state.instruments[order.symbol].lot_size
        qty = (order.leaves_qty / 2 // lot) * lot or order.leaves_qty
        self.engine.take_from(order, qty, now, asked)

    def prevention(self, given: str, default: str = EXPIRE_MAKER) -> str:
        """How self-trade is prevented for an order that asks for `given`, "" for nothing: then as the venue has it."""
        unprevented = not given and self.faults.strikes(Kind.SELF_TRADE, "fix")
        return given or (NO_PREVENTION if unprevented else default)

    def leaves_out(self, cl_ord_id: str) -> bool:
        """Whether the report of a fill leaves instrument, side and price to the order, since a fault strikes."""
        fault = self.faults.find(Kind.BARE, "fix")
        if fault is None or (fault.text and cl_ord_id.startswith(fault.text)):
            return False
        self.faults.count(fault)
        return True

    def correct(self, row: TradeRow, qty: Decimal, px: Decimal, now: Instant) -> None:
        """Take one side of a trade back, with `qty` 0, or correct it, and tell its session, on a side that can."""
        change = self.engine.correct(row, qty, px, now)
        order = self.find(row.account, row.symbol, str(row.order_id), "")
        assert order is not None and self.side.correct is not None
        self.side.correct(change, order, now)

    def settle_books(self) -> list[Traded]:
        """Let go of what changed of books, on a side that finds it out by comparing; what was traded meanwhile."""
        for book in self.state.books.values():
            book.bids.changed.clear()
            book.asks.changed.clear()
        return self.take_trades()

    def commit(self, now: Instant) -> None:
        """Write everything that happened in this turn to the log. Raises LogFailed, NoSpace."""
        changes = self.engine.take_changes()
        if changes:
            self.store.commit(changes, now)

    def take_effects(self) -> list[Effect]:
        """What the turn gives the shell."""
        effects = self.effects.copy()
        self.effects.clear()
        return effects
