"""What has left memory: it goes into the index, and is looked up there when the books do not have it any more."""

from collections.abc import Sequence

import msgspec

from common.journal.frames import Record
from common.messages import OrderEvent
from common.orders.books import Books
from common.orders.changes import EVENTS, Change, OrderChanged, Unnamed, numbered
from common.orders.index import Index
from common.orders.names import Remembered
from common.orders.order_state import ZERO, Order, is_fill
from services.orders.views import order_event


class Archive:
    """Commands and orders by name, whether they are in the books or have left them for the index."""

    def __init__(self, books: Books, index: Index) -> None:
        """From now on what the books forget goes into `index`."""
        self._books = books
        self._index = index
        books.forgotten = self._order_forgotten
        books.names.forgotten = self._command_forgotten

    @property
    def complete(self) -> bool:
        """Whether what is not found was never there."""
        return self._index.complete

    @property
    def failure(self) -> str:
        """Why what left memory cannot be written or looked up now; "" where it can."""
        return self._index.failure

    @property
    def made_anew(self) -> str:
        """Why the index that was there could not be used; "" where it could."""
        return self._index.made_anew

    def command(self, strategy: str, number: int) -> Remembered | None:
        """What became of a command; None for one that nobody has seen."""
        return self._books.names.get(strategy, number) or self._index.command(strategy, number)

    def order(self, strategy: str, number: int) -> OrderEvent | None:
        """An order as it is, or as it ended; None for one that nobody has seen."""
        order = self._books.orders.get((strategy, number))
        return self._index.order(strategy, number) if order is None else self.shown(order)

    def shown(self, order: Order, index: int = 0) -> OrderEvent:
        """An order as it is after the last record, named by that and `index`."""
        change, books = OrderChanged(order, "snapshot"), self._books
        return order_event(order, change, books.unpriced_qty(order), books.lsn, index, books.stamp_ns)

    def late_report(self, record: Record, index: int, change: Unnamed) -> OrderEvent | None:
        """The event (LSN, `index`) of a report on an order that has left memory; None where it was no fill, bust or
        correction of one.

        The position has counted it; the order as it ended is changed by as much, once: read again, the log tells what
        the index has already.
        """
        report, fill = change.report, change.fill
        if fill is None:
            return None
        name = self._index.name_of(report.cl_ord_id) or self._index.name_of(report.orig_cl_ord_id)
        former = None if name is None else self._index.order(*name)
        if former is None:
            return None
        filled, is_news = is_fill(report, fill), (former.lsn, former.index) < (record.lsn, index)
        cum_qty, unpriced_qty = former.cum_qty, former.unpriced_qty
        value = former.avg_px * (cum_qty - unpriced_qty)
        if is_news:
            cum_qty, unpriced_qty, value = cum_qty + fill.qty, unpriced_qty + fill.unpriced_qty, value + fill.value
        priced_qty = cum_qty - unpriced_qty
        word = report.exec_type if filled or report.exec_type == "H" else "G"
        event = msgspec.structs.replace(
            former, lsn=record.lsn, index=index, event=EVENTS[word],
            last_qty=report.last_qty if filled else ZERO, last_px=report.last_px if filled else ZERO,
            fee_qty=report.fee_qty if filled else ZERO, fee_asset=report.fee_asset if filled else "",
            trade_key=report.trade_key, reference_trade_key=report.reference_trade_key, cum_qty=cum_qty,
            avg_px=value / priced_qty if priced_qty else ZERO, maker=report.maker,
            text="told after the order had left memory", stamp_ns=record.stamp_ns, unpriced_qty=unpriced_qty,
        )  # fmt: skip
        if is_news:
            self._index.put_order(event, [report.cl_ord_id])
        return event

    def take_late(self, record: Record, changes: Sequence[Change]) -> None:
        """What a record changed of orders that have left memory, where nobody is to be told of it any more."""
        for index, change in numbered(changes):
            if isinstance(change, Unnamed):
                self.late_report(record, index, change)

    def flush(self) -> None:
        """Records were applied: write what was put, once it is enough for a portion."""
        self._index.flush(self._books.lsn)

    def write(self) -> None:
        """Write what was put: the process ends."""
        self._index.write(self._books.lsn)

    def _order_forgotten(self, order: Order) -> None:
        if self._books.lsn > self._index.covered_lsn:
            self._index.put_order(self.shown(order), order.ids)

    def _command_forgotten(self, strategy: str, number: int, remembered: Remembered) -> None:
        if self._books.lsn > self._index.covered_lsn:
            self._index.put_command(strategy, number, remembered)
