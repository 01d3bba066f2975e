"""The index of what has left memory: commands and orders by name, orders by ClOrdID(11), fills by trade.

The index is a cache of the log that outlives the log's own retention: rebuilt by reading the log again, never the
source of anything. Looking up is one key at a time, never a scan. That of a process is a file
(`common.orders.index_file`).
"""

from common.messages import OrderEvent
from common.orders.books import Books, Leaving, OrderName
from common.orders.forgotten import Forgotten
from common.orders.names import Remembered
from common.orders.order_state import Order
from common.orders.views import standing_order


class Index(Forgotten):
    """Rows that were put are found at once; they are safe from a dead process once they were written.

    This one ends with its process, and writes nothing: everything in it is in the log.

    `complete`: everything that ever left memory is in it, so that what is not found was never there. What left memory
    by the record `covered_lsn` is in it: a replay need not put it again. `failure` says why rows cannot be written or
    read now, and `made_anew` why the one that stood there before could not be used; "" where they can, and it could.
    """

    def __init__(self) -> None:
        """Empty, and complete as long as the log is read from its start."""
        super().__init__()
        self.complete = True
        self.covered_lsn = 0
        self.failure = self.made_anew = ""
        self._commands: dict[tuple[str, int], Remembered] = {}
        self._orders: dict[tuple[str, int], OrderEvent] = {}

    def put_command(self, strategy: str, number: int, remembered: Remembered) -> None:
        """What became of a command."""
        self._commands[strategy, number] = remembered

    def put_order(self, order: OrderEvent, cl_ord_ids: list[str]) -> None:
        """A closed order as it ended, with every ClOrdID(11) that was about it."""
        name = (order.strategy, order.number)
        self._orders[name] = order
        self._names.update(dict.fromkeys(cl_ord_ids, name))

    def command(self, strategy: str, number: int) -> Remembered | None:
        """What became of a command; None when it is not there."""
        return self._commands.get((strategy, number))

    def order(self, strategy: str, number: int) -> OrderEvent | None:
        """An order as it ended; None when it is not there."""
        return self._orders.get((strategy, number))

    def flush(self, lsn: int) -> None:
        """The log was applied up to `lsn`: write what was put, if it is enough for a portion, and how far the log is
        covered, if it has been long."""

    def write(self, lsn: int) -> None:
        """The log was applied up to `lsn`: write what was put, so that a snapshot that stands there can be used."""


class IntoIndex(Leaving):
    """What leaves the books' memory goes into an index, as it was then."""

    def __init__(self, index: Index) -> None:
        """A replay puts again only what `index` has not got."""
        self._index = index

    def order_left(self, books: Books, order: Order) -> None:
        if books.lsn > self._index.covered_lsn:
            self._index.put_order(standing_order(books, order), order.ids)

    def command_left(self, books: Books, name: OrderName, remembered: Remembered) -> None:
        if books.lsn > self._index.covered_lsn:
            self._index.put_command(*name, remembered)
