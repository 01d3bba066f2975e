"""The exchange's state as a fold over its changes. Everything that moves an order or a balance moves it here."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from common.exchange.accounts import Accounts, Balance
from common.exchange.book import Book
from common.exchange.changes import (
    Amended,
    Change,
    Closed,
    Corrected,
    Deposited,
    Listed,
    Numbered,
    Placed,
    Released,
    Rested,
    Sent,
    Traded,
    Triggered,
)
from common.exchange.order import BUY, FILLED, NEW, PARTIALLY_FILLED, ZERO, Order, Terms
from common.exchange.settings import Instrument
from common.exchange.tape import Candle, PublicTrade, Tape
from common.journal.errors import JournalError


class SessionNumbers:
    """The persistent numbers of one FIX session: the next to use each way, in `generation`."""

    __slots__ = ("generation", "next_inbound", "next_outbound")

    def __init__(self, generation: int = 1, next_outbound: int = 1, next_inbound: int = 1) -> None:
        self.generation = generation
        self.next_outbound = next_outbound
        self.next_inbound = next_inbound


class OrderRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An open order in a dump, in the order of its priority."""

    order_id: int
    terms: Terms
    cum_qty: Decimal
    cum_quote: Decimal
    ord_status: str
    resting: bool
    stamp_ns: int
    updated_ns: int
    former_names: tuple[str, ...]
    amendments: int = 0
    triggered: bool = False
    shown_qty: Decimal = ZERO
    trailed_px: Decimal | None = None
    released: bool = True
    holds: bool | None = None
    paid_qty: Decimal = ZERO


class Dump(msgspec.Struct, array_like=True, frozen=True):
    """The whole state, for a snapshot."""

    orders: list[OrderRow]
    balances: list[tuple[str, str, Decimal, Decimal]]
    books: list[tuple[str, Decimal | None, int, int]]
    sessions: list[tuple[str, int, int, int]]
    next_order_id: int
    next_exec_id: int
    trades: int
    deposits: list[tuple[str, str, Decimal]] = []
    trade_counts: dict[str, int] = {}
    listed: list[Instrument] = []
    positions: list[tuple[str, str, Decimal, Decimal]] = []
    tapes: list[tuple[str, list[PublicTrade], list[Candle]]] = []


_encode_dump = msgspec.msgpack.Encoder().encode
_decode_dump = msgspec.msgpack.Decoder(Dump).decode


class NotListed(JournalError):
    """The exchange's log has orders in a symbol that neither it nor the configuration describes."""

    def __init__(self, symbol: str) -> None:
        super().__init__(
            f"{symbol}: the exchange's log has orders in it, and the venue's file has no table for it: put "
            f"[instruments.{symbol}] and its price back for one start; from then on the log itself knows it"
        )


class Past:
    """Who hears of what the state itself does not keep. This one forgets it; that of a `Store` keeps it."""

    def closed(self, order: Order) -> None:
        """An account's order leaves memory."""

    def traded(self, order: Order, trade: Traded, instrument: Instrument) -> None:
        """An account's order had its side of a trade."""

    def corrected(self, change: Corrected) -> None:
        """A side of a trade is another than it was."""

    def sent(self, sent: Sent) -> None:
        """A message took a number of a persistent session."""


class State:
    """Books, open orders, accounts and session numbers. `past` hears of what does not stay."""

    def __init__(self, instruments: Iterable[Instrument], past: Past | None = None) -> None:
        self.instruments = {i.symbol: i for i in instruments}
        self.books = {symbol: Book(symbol) for symbol in self.instruments}
        self.tapes = {symbol: Tape() for symbol in self.instruments}
        self.listed: dict[str, Instrument] = {}
        self.orders: dict[int, Order] = {}
        self.names: dict[tuple[str, str], int] = {}
        self.open_by_symbol: dict[tuple[str, str], dict[int, Order]] = {}
        self.stops: dict[str, dict[int, Order]] = {symbol: {} for symbol in self.instruments}
        self.expiring: dict[int, Order] = {}
        self.lists: dict[int, dict[int, Order]] = {}
        self.accounts = Accounts()
        self.sessions: dict[str, SessionNumbers] = {}
        self.next_order_id = 1
        self.next_exec_id = 1
        self.trades = 0
        self._past = past if past is not None else Past()

    # ---- reading

    def find(self, account: str, cl_ord_id: str) -> Order | None:
        """The open order that goes, or went, by this ClOrdID(11)."""
        order_id = self.names.get((account, cl_ord_id))
        return self.orders[order_id] if order_id is not None else None

    def open_orders(self, account: str, symbol: str) -> list[Order]:
        """An account's open orders in one symbol, oldest first."""
        return list(self.open_by_symbol.get((account, symbol), {}).values())

    def held_at_cost(self, account: str) -> dict[str, Decimal]:
        """What the contracts that an account holds have cost, by the asset that they are settled in."""
        costs: dict[str, Decimal] = {}
        for (owner, symbol), (qty, average) in self.accounts.positions.items():
            if owner == account:
                contract = self.instruments[symbol].contract
                costs[contract.settle] = costs.get(contract.settle, ZERO) + contract.held_at_cost(qty, average)
        return costs

    def numbers(self, session: str) -> SessionNumbers:
        """The numbers of a persistent session, 1 and 1 at first."""
        numbers = self.sessions.get(session)
        if numbers is None:
            numbers = self.sessions[session] = SessionNumbers()
        return numbers

    # ---- folding

    def apply(self, change: Change) -> None:
        """Carry out one change, live or from the log."""
        _APPLY[type(change)](self, change)

    def _deposited(self, change: Deposited) -> None:
        self.accounts.deposit(change)

    def _listed(self, change: Listed) -> None:
        instrument = change.instrument
        self.instruments[instrument.symbol] = self.listed[instrument.symbol] = instrument
        if instrument.symbol not in self.books:
            self.books[instrument.symbol] = Book(instrument.symbol)
            self.tapes[instrument.symbol] = Tape()
            self.stops[instrument.symbol] = {}

    def _placed(self, change: Placed) -> None:
        if change.terms.symbol not in self.instruments:
            raise NotListed(change.terms.symbol)
        order = Order(change.order_id, change.terms, change.stamp_ns)
        self.orders[order.order_id] = order
        self._keep(order)
        self.next_order_id = max(self.next_order_id, change.order_id + 1)
        self.next_exec_id = max(self.next_exec_id, change.exec_id + 1)
        if order.account:
            self._register(order)
            self._hold(order)

    def _hold(self, order: Order) -> None:
        """Lock what it needs. A pending order needs nothing yet, and of exclusive ones the dearest alone does."""
        if order.waits:
            return
        holder = self._holder(order)
        if holder is not None:
            if self._need(order, order.leaves_qty) <= self._need(holder, holder.leaves_qty):
                return
            self._lock(holder, -holder.leaves_qty)
            holder.holds = False
        order.holds = True
        self._lock(order, order.leaves_qty)

    def _holder(self, order: Order) -> Order | None:
        """The other exclusive order of its list for which funds are locked."""
        if not order.terms.exclusive:
            return None
        listed = self.lists.get(order.terms.list_id, {}).values()
        return next((each for each in listed if each is not order and each.terms.exclusive and each.holds), None)

    def more_needed(self, order: Order) -> Decimal:
        """What has to be free for an order that is to be placed, beside what is locked for its rival."""
        holder = self._holder(order)
        held = ZERO if holder is None else self._need(holder, holder.leaves_qty)
        return self._need(order, order.leaves_qty) - held

    def _need(self, order: Order, qty: Decimal) -> Decimal:
        if order.price is None:
            return ZERO
        return order.price * qty if order.side == BUY else qty

    def _released(self, change: Released) -> None:
        order = self.orders[change.order_id]
        self.next_exec_id = max(self.next_exec_id, change.exec_id + 1)
        if change.order_qty is not None:
            for each in self.lists.get(order.terms.list_id, {}).values():
                self._give_back(each)
            order.pay(change.order_qty)
        order.released, order.updated_ns = True, change.stamp_ns
        self._keep(order)
        self._hold(order)

    def paid_qty(self, list_id: int) -> Decimal:
        """What the first order of a list has paid so far, and is locked."""
        return sum((each.paid_qty for each in self.lists.get(list_id, {}).values()), ZERO)

    def _pay(self, first: Order, qty: Decimal, fee: Decimal) -> None:
        """Lock what a list's first order has bought for those that it pays. The fee is taken of what else is free,
        where that is enough."""
        listed = self.lists.get(first.terms.list_id, {}).values() if first.terms.list_id else ()
        pending = next((each for each in listed if each.terms.paid), None)
        if pending is None:
            return
        instrument = self.instruments[first.symbol]
        balance = self.accounts.balance(first.account, instrument.base)
        if balance.free < qty and instrument.fee_asset(first.side) == instrument.base:
            qty -= fee
        pending.paid_qty += qty
        balance.free -= qty
        balance.locked += qty

    def _give_back(self, order: Order) -> None:
        """What was paid is no longer locked for it."""
        balance = self.accounts.balance(order.account, self.instruments[order.symbol].base)
        balance.free += order.paid_qty
        balance.locked -= order.paid_qty
        order.paid_qty = ZERO

    def _keep(self, order: Order) -> None:
        """Where what wakes it, and what ends it, finds it."""
        if order.sleeps and not order.waits:
            self.stops[order.symbol][order.order_id] = order
        if order.terms.is_trailing and order.stop_px is None and order.trailed_px is None and not order.waits:
            # It follows from where the market is when it comes.
            order.track(self.books[order.symbol].last_px or self.instruments[order.symbol].start_price)
        if order.expire_ns:
            self.expiring[order.order_id] = order

    def _triggered(self, change: Triggered) -> None:
        order = self.orders[change.order_id]
        self.next_exec_id = max(self.next_exec_id, change.exec_id + 1)
        order.triggered, order.updated_ns = True, change.stamp_ns
        del self.stops[order.symbol][order.order_id]

    def _rested(self, change: Rested) -> None:
        order = self.orders[change.order_id]
        order.resting = True
        order.show_next()
        book = self.books[order.symbol]
        book.update_id += 1
        book.side(order.side).add(order)

    def _traded(self, change: Traded) -> None:
        maker, taker = self.orders[change.maker_id], self.orders[change.taker_id]
        book = self.books[change.symbol]
        self.next_exec_id = max(self.next_exec_id, change.exec_id + 2)
        self.trades += 1
        book.trade_id = change.trade_id
        book.last_px = change.px
        self.tapes[change.symbol].take(change)
        for sleeper in self.stops[change.symbol].values():
            if sleeper.terms.is_trailing:
                sleeper.track(change.px)
        book.update_id += 1
        book.side(maker.side).take(maker, change.qty)
        instrument, notional = self.instruments[change.symbol], change.px * change.qty
        for order, fee in ((maker, change.maker_fee), (taker, change.taker_fee)):
            order.cum_qty += change.qty
            order.cum_quote += notional
            order.updated_ns = change.stamp_ns
            order.ord_status = FILLED if order.cum_qty == order.order_qty else PARTIALLY_FILLED
            if order.account:
                self.accounts.settle(order, instrument, change.px, change.qty, fee)
                self._pay(order, change.qty, fee)
                self._past.traded(order, change, instrument)
            if order.ord_status == FILLED:
                self._forget(order, ZERO)
        if maker.resting:
            book.side(maker.side).show_next(maker)

    def _corrected(self, change: Corrected) -> None:
        """A fill is less or at another price. An open order may be filled for the difference again."""
        self.next_exec_id = max(self.next_exec_id, change.exec_id + 1)
        self.accounts.correct(change, self.instruments[change.symbol])
        order = self.orders.get(change.order_id)
        if order is not None:
            order.cum_qty += change.more_qty
            order.cum_quote += change.more_quote
            order.updated_ns = change.stamp_ns
            order.ord_status = PARTIALLY_FILLED if order.cum_qty else NEW
            self._lock(order, -change.more_qty)
            if order.resting:
                book = self.books[change.symbol]
                book.update_id += 1
                book.side(order.side).lessen(order, change.more_qty)
        self._past.corrected(change)

    def _closed(self, change: Closed) -> None:
        order = self.orders[change.order_id]
        leaves_qty = order.leaves_qty
        self.next_exec_id = max(self.next_exec_id, change.exec_id + 1)
        if order.account and order.holds:
            self._lock(order, -leaves_qty)
        if order.paid_qty:
            self._give_back(order)
        order.ord_status = change.ord_status
        order.updated_ns = change.stamp_ns
        self._forget(order, leaves_qty)

    def _amended(self, change: Amended) -> None:
        order = self.orders[change.order_id]
        self.next_exec_id = max(self.next_exec_id, change.exec_id + 1)
        leaves_qty = order.leaves_qty
        book = self.books[order.symbol]
        book.update_id += 1
        if change.requeued and order.resting:
            book.side(order.side).remove(order, leaves_qty)
            order.resting = False
        elif order.resting:
            book.side(order.side).lessen(order, order.order_qty - change.order_qty)
        self._lock(order, -leaves_qty)
        order.amendments += 1
        former = order.cl_ord_id
        order.change(change.cl_ord_id, change.order_qty, change.price)
        order.updated_ns = change.stamp_ns
        self._lock(order, order.leaves_qty)
        if change.cl_ord_id != former:
            order.former_names += (former,)
            self.names[order.account, order.cl_ord_id] = order.order_id

    def _numbered(self, change: Numbered) -> None:
        self.sessions[change.session] = SessionNumbers(change.generation, change.next_outbound, change.next_inbound)

    def _sent(self, change: Sent) -> None:
        numbers = self.numbers(change.session)
        numbers.generation = change.generation
        numbers.next_outbound = change.msg_seq_num + 1
        self._past.sent(change)

    def _leave_list(self, order: Order) -> None:
        """What was locked for it is locked for the dearest of those that were exclusive with it."""
        listed = self.lists.get(order.terms.list_id)
        if listed is None:
            return
        listed.pop(order.order_id, None)
        if not listed:
            del self.lists[order.terms.list_id]
        was_held, order.holds = order.holds, False
        rivals = [each for each in listed.values() if each.terms.exclusive and not each.waits]
        if was_held and order.terms.exclusive and rivals:
            heir = max(rivals, key=lambda each: self._need(each, each.leaves_qty))
            heir.holds = True
            self._lock(heir, heir.leaves_qty)

    def _register(self, order: Order) -> None:
        if order.terms.list_id:
            self.lists.setdefault(order.terms.list_id, {})[order.order_id] = order
        self.names[order.account, order.cl_ord_id] = order.order_id
        self.open_by_symbol.setdefault((order.account, order.symbol), {})[order.order_id] = order

    def _lock(self, order: Order, qty: Decimal) -> None:
        self.accounts.lock(order, self.instruments[order.symbol], qty)

    def _forget(self, order: Order, leaves_qty: Decimal) -> None:
        """A closed order leaves the book and memory."""
        if order.resting:
            order.resting = False
            book = self.books[order.symbol]
            book.update_id += 1
            book.side(order.side).remove(order, leaves_qty)
        del self.orders[order.order_id]
        self._leave_list(order)
        self.stops[order.symbol].pop(order.order_id, None)
        self.expiring.pop(order.order_id, None)
        if not order.account:
            return
        del self.open_by_symbol[order.account, order.symbol][order.order_id]
        for name in (order.cl_ord_id, *order.former_names):
            del self.names[order.account, name]
        self._past.closed(order)

    # ---- snapshots

    def dump(self) -> bytes:
        """The state as bytes, from which `load` makes an equal one."""
        rows = [_row(o) for o in self.orders.values() if not o.resting]
        for book in self.books.values():
            for side in (book.bids, book.asks):
                rows += [_row(order) for level in side.walk() for order in level.orders.values()]
        return _encode_dump(
            Dump(
                rows,
                [(account, asset, b.free, b.locked) for (account, asset), b in self.accounts.balances.items()],
                [(b.symbol, b.last_px, b.trade_id, b.update_id) for b in self.books.values()],
                [(name, n.generation, n.next_outbound, n.next_inbound) for name, n in self.sessions.items()],
                self.next_order_id,
                self.next_exec_id,
                self.trades,
                [(account, asset, amount) for (account, asset), amount in self.accounts.deposits.items()],
                self.accounts.trade_counts,
                list(self.listed.values()),
                [(*place, *held) for place, held in self.accounts.positions.items()],
                [(symbol, list(tape.trades), list(tape.minutes)) for symbol, tape in self.tapes.items()],
            )
        )

    def load(self, data: bytes) -> None:
        """Fill an empty state from a dump. Raises msgspec.DecodeError."""
        dump = _decode_dump(data)
        for instrument in dump.listed:
            self._listed(Listed(instrument))
        for row in dump.orders:
            self._load_order(row)
        for symbol, stops in self.stops.items():
            self.stops[symbol] = dict(sorted(stops.items()))
        # A dict of an account's orders is oldest first, as it was.
        for list_id, listed in self.lists.items():
            self.lists[list_id] = dict(sorted(listed.items()))
        for key, orders in self.open_by_symbol.items():
            self.open_by_symbol[key] = dict(sorted(orders.items()))
        for account, asset, free, locked in dump.balances:
            self.accounts.balances[account, asset] = Balance(free, locked)
        for symbol, last_px, trade_id, update_id in dump.books:
            if symbol in self.books:
                book = self.books[symbol]
                book.last_px, book.trade_id, book.update_id = last_px, trade_id, update_id
        for symbol, trades, minutes in dump.tapes:
            if symbol in self.tapes:
                self.tapes[symbol] = Tape(trades, minutes)
        for name, generation, next_outbound, next_inbound in dump.sessions:
            self.sessions[name] = SessionNumbers(generation, next_outbound, next_inbound)
        self.accounts.deposits = {(account, asset): amount for account, asset, amount in dump.deposits}
        self.accounts.trade_counts = dict(dump.trade_counts)
        self.accounts.positions = {(account, symbol): (qty, px) for account, symbol, qty, px in dump.positions}
        self.next_order_id, self.next_exec_id, self.trades = dump.next_order_id, dump.next_exec_id, dump.trades

    def _load_order(self, row: OrderRow) -> None:
        if row.terms.symbol not in self.instruments:
            raise NotListed(row.terms.symbol)
        order = Order(row.order_id, row.terms, row.stamp_ns)
        order.cum_qty, order.cum_quote, order.ord_status = row.cum_qty, row.cum_quote, row.ord_status
        order.updated_ns, order.former_names = row.updated_ns, row.former_names
        order.amendments, order.triggered, order.trailed_px = row.amendments, row.triggered, row.trailed_px
        order.released, order.paid_qty = row.released, row.paid_qty
        # Before there were lists funds were locked for every order.
        order.holds = bool(order.account) if row.holds is None else row.holds
        self.orders[order.order_id] = order
        self._keep(order)
        if order.account:
            self._register(order)
            for name in order.former_names:
                self.names[order.account, name] = order.order_id
        if row.resting:
            order.resting, order.shown_qty = True, row.shown_qty
            self.books[order.symbol].side(order.side).add(order)


def _row(o: Order) -> OrderRow:
    return OrderRow(
        o.order_id, o.terms, o.cum_qty, o.cum_quote, o.ord_status, o.resting, o.stamp_ns, o.updated_ns,
        o.former_names, o.amendments, o.triggered, o.shown_qty, o.trailed_px,
        o.released, o.holds, o.paid_qty,
    )  # fmt: skip


_APPLY: dict[type, Callable[[Any, Any], None]] = {
    Deposited: State._deposited,
    Placed: State._placed,
    Rested: State._rested,
    Traded: State._traded,
    Closed: State._closed,
    Corrected: State._corrected,
    Triggered: State._triggered,
    Released: State._released,
    Amended: State._amended,
    Numbered: State._numbered,
    Sent: State._sent,
    Listed: State._listed,
}
