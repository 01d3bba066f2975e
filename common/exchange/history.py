"""What closed orders and trades leave behind: looked up by REST, status requests and `reconcile`, never folded.

The history is an index of the exchange's own log and can be made anew from it; it names the last record that it holds.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

import msgspec

from common.exchange.changes import Corrected, Traded
from common.exchange.order import CANCELED, FILLED, PENDING_NEW, Order, Terms
from common.exchange.settings import Instrument


class ClosedOrder(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An account's order as it ended. Times are Unix nanoseconds."""

    order_id: int
    terms: Terms
    cum_qty: Decimal
    cum_quote: Decimal
    ord_status: str
    stamp_ns: int
    updated_ns: int
    former_names: tuple[str, ...] = ()

    @property
    def leaves_qty(self) -> Decimal:
        """Nothing is left of a closed order."""
        return Decimal(0)


class TradeRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One fill of an account's order. `trade_id` counts within the symbol; `exec_id` names this side's report."""

    account: str
    symbol: str
    trade_id: int
    exec_id: int
    order_id: int
    cl_ord_id: str
    side: str
    px: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    stamp_ns: int


def closed_order(order: Order) -> ClosedOrder:
    """An order as the history keeps it; also the form in which an open one is looked at."""
    return ClosedOrder(
        order.order_id, order.terms, order.cum_qty, order.cum_quote,
        PENDING_NEW if order.is_open and order.waits else order.ord_status,
        order.stamp_ns, order.updated_ns, order.former_names,
    )  # fmt: skip


def trade_row(order: Order, trade: Traded, instrument: Instrument) -> TradeRow:
    """The order's side of a trade as the history keeps it."""
    maker = trade.maker_id == order.order_id
    return TradeRow(
        order.account, order.symbol, trade.trade_id, trade.exec_id + (0 if maker else 1), order.order_id,
        order.cl_ord_id, order.side, trade.px, trade.qty, trade.maker_fee if maker else trade.taker_fee,
        instrument.fee_asset(order.side), maker, trade.stamp_ns,
    )  # fmt: skip


class History(Protocol):
    """Where the past is kept. `lsn` is the last record of the log that is in it, `identity` that log's."""

    lsn: int
    identity: bytes

    def add(self, orders: Iterable[ClosedOrder], trades: Iterable[TradeRow], lsn: int) -> None:
        """Keep these in one step; everything up to record `lsn` is then in the history."""

    def clear(self, identity: bytes) -> None:
        """Forget everything; what follows is of the log `identity`."""

    def order(self, account: str, order_id: int) -> ClosedOrder | None:
        """By OrderID(37)."""

    def order_named(self, account: str, cl_ord_id: str) -> ClosedOrder | None:
        """The latest order that ended with, or went by, this ClOrdID(11)."""

    def orders(self, account: str, symbol: str, from_order_id: int, limit: int) -> list[ClosedOrder]:
        """The first `limit` orders of a symbol from an id on, by id."""

    def last_orders(self, account: str, symbol: str, limit: int) -> list[ClosedOrder]:
        """The newest `limit` orders of a symbol, by id."""

    def trades(self, account: str, symbol: str, from_trade_id: int, limit: int) -> list[TradeRow]:
        """The first `limit` trades of a symbol from an id on, by id."""

    def last_trades(self, account: str, symbol: str, limit: int) -> list[TradeRow]:
        """The newest `limit` trades of a symbol, by id."""

    def trades_of(self, account: str, order_id: int) -> list[TradeRow]:
        """Every trade of one order, by id."""

    def close(self) -> None:
        """Give back what is held open."""


class MemoryHistory:
    """A history in memory: for tests, for the simulator, and for what was not yet handed to a lasting one."""

    def __init__(self) -> None:
        self.lsn = 0
        self.identity = b""
        self._orders: dict[tuple[str, int], ClosedOrder] = {}
        self._names: dict[tuple[str, str], int] = {}
        self._trades: dict[tuple[str, str], dict[tuple[int, int], TradeRow]] = {}
        self._trades_of: dict[tuple[str, int], dict[int, TradeRow]] = {}

    def add(self, orders: Iterable[ClosedOrder], trades: Iterable[TradeRow], lsn: int) -> None:
        """Keep these in one step; everything up to record `lsn` is then in the history."""
        for order in orders:
            self.add_order(order)
        for trade in trades:
            self.add_trade(trade)
        self.lsn = lsn

    def add_order(self, order: ClosedOrder) -> None:
        """Keep one order."""
        account = order.terms.account
        self._orders[account, order.order_id] = order
        for name in (*order.former_names, order.terms.cl_ord_id):
            self._names[account, name] = order.order_id

    def add_trade(self, trade: TradeRow) -> None:
        """Keep one side of a trade: an account may have had both."""
        self._trades.setdefault((trade.account, trade.symbol), {})[trade.trade_id, trade.order_id] = trade
        self._trades_of.setdefault((trade.account, trade.order_id), {})[trade.trade_id] = trade

    def clear(self, identity: bytes) -> None:
        """Forget everything; what follows is of the log `identity`."""
        self.__init__()  # type: ignore[misc]
        self.identity = identity

    def take(self) -> tuple[list[ClosedOrder], list[TradeRow]]:
        """Everything, which is forgotten here."""
        orders = list(self._orders.values())
        trades = [row for rows in self._trades.values() for row in rows.values()]
        self.clear(self.identity)
        return orders, trades

    @property
    def size(self) -> int:
        """How many orders and trades are held."""
        return len(self._orders) + sum(map(len, self._trades.values()))

    def order(self, account: str, order_id: int) -> ClosedOrder | None:
        """By OrderID(37)."""
        return self._orders.get((account, order_id))

    def order_named(self, account: str, cl_ord_id: str) -> ClosedOrder | None:
        """The latest order that ended with, or went by, this ClOrdID(11)."""
        order_id = self._names.get((account, cl_ord_id))
        return None if order_id is None else self._orders[account, order_id]

    def orders(self, account: str, symbol: str, from_order_id: int, limit: int) -> list[ClosedOrder]:
        """The first `limit` orders of a symbol from an id on, by id."""
        found = [
            o
            for (owner, order_id), o in self._orders.items()
            if owner == account and order_id >= from_order_id and o.terms.symbol == symbol
        ]
        return sorted(found, key=lambda o: o.order_id)[:limit]

    def last_orders(self, account: str, symbol: str, limit: int) -> list[ClosedOrder]:
        """The newest `limit` orders of a symbol, by id."""
        return self.orders(account, symbol, 0, len(self._orders))[-limit:]

    def trades(self, account: str, symbol: str, from_trade_id: int, limit: int) -> list[TradeRow]:
        """The first `limit` trades of a symbol from an id on, by id."""
        rows = self._trades.get((account, symbol), {})
        return [rows[key] for key in sorted(rows) if key[0] >= from_trade_id][:limit]

    def last_trades(self, account: str, symbol: str, limit: int) -> list[TradeRow]:
        """The newest `limit` trades of a symbol, by id."""
        rows = self._trades.get((account, symbol), {})
        return [rows[key] for key in sorted(rows)][-limit:]

    def trades_of(self, account: str, order_id: int) -> list[TradeRow]:
        """Every trade of one order, by id."""
        return list(self._trades_of.get((account, order_id), {}).values())

    def close(self) -> None:
        """Give back what is held open."""


class RecentHistory:
    """The newest part in memory over a lasting `store`: nothing goes to the store before the log holds it."""

    def __init__(self, store: History) -> None:
        self.store = store
        self.recent = MemoryHistory()

    def flush(self, lsn: int) -> None:
        """The log holds everything up to `lsn`: hand over."""
        if self.recent.size or lsn > self.store.lsn:
            self.store.add(*self.recent.take(), lsn)

    def order(self, account: str, order_id: int) -> ClosedOrder | None:
        """By OrderID(37)."""
        return self.recent.order(account, order_id) or self.store.order(account, order_id)

    def order_named(self, account: str, cl_ord_id: str) -> ClosedOrder | None:
        """The latest order that ended with, or went by, this ClOrdID(11)."""
        return self.recent.order_named(account, cl_ord_id) or self.store.order_named(account, cl_ord_id)

    def orders(self, account: str, symbol: str, from_order_id: int, limit: int) -> list[ClosedOrder]:
        """The first `limit` orders of a symbol from an id on, by id."""
        both = {
            o.order_id: o
            for part in (self.store, self.recent)
            for o in part.orders(account, symbol, from_order_id, limit)
        }
        return [both[order_id] for order_id in sorted(both)][:limit]

    def last_orders(self, account: str, symbol: str, limit: int) -> list[ClosedOrder]:
        """The newest `limit` orders of a symbol, by id."""
        both = {o.order_id: o for part in (self.store, self.recent) for o in part.last_orders(account, symbol, limit)}
        return [both[order_id] for order_id in sorted(both)][-limit:]

    def trades(self, account: str, symbol: str, from_trade_id: int, limit: int) -> list[TradeRow]:
        """The first `limit` trades of a symbol from an id on, by id."""
        rows = self.store.trades(account, symbol, from_trade_id, limit)
        return _latest(rows + self.recent.trades(account, symbol, from_trade_id, limit))[:limit]

    def last_trades(self, account: str, symbol: str, limit: int) -> list[TradeRow]:
        """The newest `limit` trades of a symbol, by id."""
        rows = self.store.last_trades(account, symbol, limit) + self.recent.last_trades(account, symbol, limit)
        return _latest(rows)[-limit:]

    def trades_of(self, account: str, order_id: int) -> list[TradeRow]:
        """Every trade of one order, by id."""
        return _latest(self.store.trades_of(account, order_id) + self.recent.trades_of(account, order_id))

    def correct(self, change: Corrected) -> None:
        """One side of a trade is another than it was, and so is its order if it is closed."""
        rows = self.trades_of(change.account, change.order_id)
        former = next(row for row in rows if row.trade_id == change.trade_id)
        self.recent.add_trade(
            msgspec.structs.replace(
                former, exec_id=change.exec_id, qty=change.qty, px=change.px, fee=change.fee, stamp_ns=change.stamp_ns
            )
        )
        closed = self.order(change.account, change.order_id)
        if closed is not None:
            ended = CANCELED if closed.ord_status == FILLED and change.more_qty else closed.ord_status
            self.recent.add_order(
                msgspec.structs.replace(
                    closed, cum_qty=closed.cum_qty + change.more_qty, cum_quote=closed.cum_quote + change.more_quote,
                    ord_status=ended, updated_ns=change.stamp_ns,
                )
            )  # fmt: skip


def _latest(rows: Iterable[TradeRow]) -> list[TradeRow]:
    """The rows by trade and order, the later one of two where a fill was corrected."""
    latest = {(row.trade_id, row.order_id): row for row in rows}
    return [latest[key] for key in sorted(latest)]
