"""What one record changes, as all rooms of the fold tell it: the books, and the changes, in the order of their coming.

What is said here of an order or a fill is said in the same way whoever has told it: our own side, the venue over FIX,
or over REST.
"""

from collections.abc import Iterable
from decimal import Decimal

from common.journal.frames import Record
from common.messages import ExecutionReport, RestOrder, Trade
from common.orders.books import Books
from common.orders.changes import EVENTS, CancelWished, Change, Differs, Doubted, OrderChanged
from common.orders.fills import FillChange
from common.orders.numbers import ZERO
from common.orders.order_state import Order

MAX_TRADE_KEY_DIGITS = 32
"""A trade identity of more digits is a text, and no number that REST could be asked from."""


class Telling:
    """See the module. `changes` are those of the record that is being folded."""

    def __init__(self, books: Books) -> None:
        """Nothing is folded yet."""
        self.books = books
        self.changes: list[Change] = []

    def order_changed(self, record: Record, order: Order, event: str, text: str = "", *, is_news: bool = True) -> None:
        """The order is another one, and is told so."""
        self.books.touched(order, record.lsn, is_news=is_news)
        self.changes.append(OrderChanged(order, event, text=text))

    def differs(self, venue: str, subject: str, ours: str, theirs: str, action: str) -> None:
        """Our books and the venue's word did not agree."""
        self.changes.append(Differs(venue, subject, ours, theirs, action))

    def doubt(self, record: Record, order: Order, why: str) -> None:
        """What the venue said about the order cannot be taken as it is: ask."""
        self.differs(order.account, order.shown_name, order.status.value, why, "asks the venue")
        self.ask(record, order)

    def ask(self, record: Record, order: Order) -> None:
        """Nobody knows how the order is: the venue is to tell."""
        order.in_doubt = True
        self.books.touched(order, record.lsn)
        self.changes.append(Doubted(order))

    def not_known(self, record: Record, order: Order) -> None:
        """What became of something that was sent about the order is not known. Of an order that is over nobody is told:
        the venue is asked."""
        if order.is_closed:
            self.books.touched(order, record.lsn, is_news=False)
            self.changes.append(Doubted(order))
        else:
            self.order_changed(record, order, "unknown")

    def hear_direction(self, order: Order, told: ExecutionReport | RestOrder) -> None:
        """A stop order that the venue has taken for one that waits for the other direction does not do what it is for:
        it is to be cancelled, in the name of its own command."""
        if told.take_profit in (None, order.terms.take_profit) or order.wish_number or order.is_closed:
            return
        kinds = "a stop order", "one that takes profit"
        ours, theirs = kinds if told.take_profit else reversed(kinds)
        order.wish_strategy, order.wish_number = order.name
        self.changes.append(CancelWished(order, *order.name))
        self.differs(order.account, order.shown_name, ours, theirs, "it is being cancelled")

    def claimed(self, order: Order, fills: list[FillChange]) -> None:
        """Fills that were counted as nobody's have found their order: now they can be told."""
        for fill in fills:
            if fill.gave_way is not None:
                self.changes.append(replaced_by_hand(order, fill, fill.gave_way))
            else:
                last_px, fee = fill.value / fill.qty, fee_of(fill)
                self.changes.append(OrderChanged(order, "trade", fill.qty, last_px, *fee, fill.trade_key))

    def lingering_ended(self, record: Record, order: Order, name: str) -> None:
        """An amendment that the order's end had overtaken came to nothing; nobody waits to be told."""
        if order.lingering.pop(name, None) is not None:
            self.books.touched(order, record.lsn, is_news=False)

    def stranger(self, account: str, told: RestOrder, as_of_lsn: int) -> None:
        """An order of somebody else is open, as it was at that record."""
        if self.books.stranger(account, told, as_of_lsn):
            self.differs(account, f"order {told.order_id}", "no such order", _rest_shown(told), "shown as external")

    def note_fee(self, venue: str, subject: str, told: ExecutionReport | Trade, change: FillChange) -> None:
        """A fee that the ledger has not taken: it is more than the fill."""
        if told.fee_qty and change.fills > 0 and not change.fees:
            fee = f"a fee of {told.fee_qty} {told.fee_asset} on {told.last_qty}"
            self.differs(venue, subject, f"fill {told.trade_key}", fee, "counted the fill without it")

    def note_trade_key(self, venue: str, symbol: str, trade_key: str) -> None:
        """The highest trade identity where they are numbers: REST is asked from there on."""
        keys = self.books.account(venue).last_trade_keys
        if is_number(trade_key) and int(trade_key) > int(keys.get(symbol, "-1")):
            keys[symbol] = trade_key


def corrected(order: Order, trade_key: str, text: str = "") -> OrderChanged:
    """A fill is told again, with what it had not."""
    return OrderChanged(order, EVENTS["G"], trade_key=trade_key, reference_trade_key=trade_key, text=text)


def replaced_by_hand(order: Order, change: FillChange, gave_way: FillChange) -> OrderChanged:
    """A trade that a person had booked is told by the venue after all: strategies had it already."""
    told, booked = change.trade_key, gave_way.trade_key
    return OrderChanged(order, EVENTS["G"], trade_key=told, reference_trade_key=booked, text="it was booked by hand")


def is_number(trade_key: str) -> bool:
    """Whether a trade identity is a number that REST can be asked from."""
    return len(trade_key) <= MAX_TRADE_KEY_DIGITS and trade_key.isascii() and trade_key.isdigit()


def newest_ns(trades: Iterable[Trade]) -> int:
    """When the newest of the trades was, in Unix nanoseconds by the venue's clock; 0 for none."""
    return max((trade.transact_ns for trade in trades), default=0)


def fee_of(change: FillChange) -> tuple[Decimal, str]:
    """The fee of one fill and its asset, as the ledger has taken it."""
    return change.fees[0][::-1] if change.fees else (ZERO, "")


def _rest_shown(told: RestOrder) -> str:
    side = {"1": "buy", "2": "sell"}.get(told.side, "side not told")
    return f"{side} {told.symbol} {told.cum_qty} of {told.order_qty} at {told.price}, ClOrdID(11) {told.cl_ord_id}"
