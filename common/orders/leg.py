"""One order of the venue: a small machine over ExecutionReport(8), whose state is the venue's word and its quantities.

1. What the venue last said of CumQty(14) may be ahead of the ledger (a fill that was missed): `told_cum_qty` keeps
   it, and LeavesQty(151) believes the larger. Only a bust or a correction lowers it; an answer of REST never does.
2. The venue's word is OrdStatus(39) without its pending values, moved by the table `NEXT_WORD`. An event for which
   the table has no move changes quantities at most: a trade after a cancel stays a cancelled order with one more
   fill.

The source of the table is FIX 4.4 Volume 7/Appendix D, "Order State Change Matrices", which
`tests/common/orders/test_order_state_matrices.py` plays.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from common.messages import ExecutionReport, RestOrder
from common.orders.fills import FillChange
from common.orders.numbers import ZERO, is_plausible
from common.orders.words import (
    ACCEPTED_FOR_BIDDING,
    CALCULATED,
    CANCELED,
    DONE_FOR_DAY,
    EXPIRED,
    FILLED,
    FILLS,
    NEW,
    ORDER_STATUS,
    PARTIAL,
    PENDING_CANCEL,
    PENDING_NEW,
    PENDING_REPLACE,
    REJECTED,
    REPLACED,
    RESTATED,
    STOPPED,
    SUSPENDED,
    TERMINAL_WORDS,
    TRIGGERED,
)

_RESTATING = frozenset({RESTATED, ORDER_STATUS})
"""ExecType(150) of reports that may give an order terms that nobody asked for."""

_BASE_WORD = {PARTIAL: NEW, PENDING_CANCEL: NEW, PENDING_REPLACE: NEW, REPLACED: NEW, ACCEPTED_FOR_BIDDING: NEW}
"""Words that say nothing of their own: how much is filled and what is pending is known from elsewhere."""

EXEC_TYPES: Final = "0123456789ABCDEFGHIL"
"""ExecType(150): New, Partial fill and Fill (FIX 4.2), Done for day, Canceled, Replaced, Pending cancel, Stopped,
Rejected, Suspended, Pending new, Calculated, Expired, Restated, Pending replace, Trade, Correct, Trade cancel, Order
status, Triggered."""


NEXT_WORD: Final[dict[str, frozenset[str]]] = {
    "": frozenset(EXEC_TYPES),
    PENDING_NEW: frozenset(EXEC_TYPES),
    NEW: frozenset(EXEC_TYPES) - {"A"},
    STOPPED: frozenset(EXEC_TYPES) - {"A"},
    SUSPENDED: frozenset(EXEC_TYPES) - {"A"},
    CALCULATED: frozenset(EXEC_TYPES) - {"A"},
    # Done for the day is not the end of a GTC order: it is restated next morning, or trades again (matrix H).
    DONE_FOR_DAY: frozenset(EXEC_TYPES) - {"A"},
    # A filled order opens again only by a larger quantity, a bust or a correction (C.3.a, J.1.a).
    FILLED: frozenset("345CDGH"),
    # A cancelled or expired order stays so whatever fills or busts are told later (J.1.b); a restatement may revive it.
    CANCELED: frozenset("4D"),
    EXPIRED: frozenset("4CD"),
    # Any sign of life is stronger than a rejection.
    REJECTED: frozenset("0123457CDF"),
}
"""By the word so far: with which ExecType(150) a report's OrdStatus(39) takes its place; any other leaves the word."""


def is_fill(report: ExecutionReport, change: FillChange) -> bool:
    """Whether what a report changed is one fill more, and no bust, correction, price that is told later or trade that a
    person had booked."""
    return report.exec_type in FILLS and change.fills > 0 and change.gave_way is None


MAX_FORMER_NAMES: Final = 16
"""So many of the ClOrdIDs(11) that an order went by before stay known: it may be amended for days."""


def names_order(report: ExecutionReport) -> bool:
    """Whether OrderID(37) of the report is the venue's name of the order: what it never took in has none to keep."""
    return bool(report.order_id) and report.exec_type != REJECTED


class AskedTerms(NamedTuple):
    """What an amendment in place asks for. `price` None: whoever asks about it does not keep prices."""

    order_qty: Decimal
    price: Decimal | None


class BelievedTerms(NamedTuple):
    """An order's terms after a report, and what it told beside them: that counts at its worst until there is evidence.

    Evidence is the acceptance of what an amendment asked for, a restatement (150=D), the answer to a question, and
    REST's word; none is a report whose OrderQty(38) is not the sum of its CumQty(14) and LeavesQty(151). New (150=0)
    accepts what was sent and restates nothing.
    """

    order_qty: Decimal
    price: Decimal | None
    doubted_qty: Decimal
    doubted_price: Decimal | None


def believed_terms(report: ExecutionReport, held: BelievedTerms, asked: Sequence[AskedTerms] = ()) -> BelievedTerms:
    """What a report of New, Replaced, Restated or Order status is believed for, of an order with the terms `held`."""
    order_qty, price, doubted_qty, doubted_price = held
    if report.exec_type == REPLACED and asked:
        order_qty, doubted_qty, doubted_price = asked[0].order_qty, ZERO, None
        price = price if asked[0].price is None else asked[0].price
    told_qty, told_price, restates = report.order_qty, report.price, report.exec_type in _RESTATING
    if told_qty is not None and is_plausible(told_qty) and told_qty > ZERO:
        known, sum_qty = {order_qty, *(each.order_qty for each in asked)}, _sum_qty(report)
        contradicts = sum_qty not in (None, told_qty)
        if contradicts and sum_qty in known:
            told_qty = sum_qty
        # Of an order that was filled meanwhile it is not remembered what was asked for.
        accepts = report.exec_type == REPLACED and told_qty == sum_qty
        if told_qty in known or accepts or (restates and not contradicts):
            order_qty, doubted_qty = told_qty, ZERO
        else:
            doubted_qty = max(told_qty, sum_qty or ZERO)
    if told_price is not None and is_plausible(told_price):
        # A price that was never asked for is that of a market or pegged order: it is the venue's to say.
        prices = {price, *(each.price for each in asked)}
        if restates or None in prices or told_price in prices:
            price, doubted_price = told_price, None
        else:
            doubted_price = told_price
    return BelievedTerms(order_qty, price, doubted_qty, doubted_price)


def _sum_qty(report: ExecutionReport) -> Decimal | None:
    """CumQty(14) and LeavesQty(151), which are OrderQty(38) while an order is open; None where they do not tell it."""
    cum, leaves = report.cum_qty, report.leaves_qty
    if cum is None or leaves is None or not (is_plausible(cum) and is_plausible(leaves)):
        return None
    return cum + leaves if leaves > ZERO and cum >= ZERO else None


class Leg(msgspec.Struct, gc=False):
    """One order of the venue: its names, terms, the venue's word, and its quantities by the ledger.

    `owner` names it in the ledger for good (its first ClOrdID(11)); `cl_ord_id` is what the venue knows it by now, and
    so is `order_id`: `former_order_ids` are those that it had before, since a trade may come under one of them, and
    `former_cl_ord_ids` the last ones, since an acceptance that is told again under one of them is over.
    `doubted_qty` (0: none) and `doubted_price` were told, and wait for evidence: see `BelievedTerms`.
    `concluded`: a withdrawal, proof that it never arrived, or an operator's verdict has ended it; the venue's word is
    stronger. `set_aside_qty` is what the venue had told as CumQty(14) until then. `answered`: the venue has said
    something to its message that does not tell what became of it. `triggered`: it has told that the stop price was
    reached.
    """

    owner: str
    cl_ord_id: str
    order_qty: Decimal
    price: Decimal | None
    order_id: str = ""
    word: str = ""
    cum_qty: Decimal = ZERO
    cum_value: Decimal = ZERO
    told_cum_qty: Decimal = ZERO
    text: str = ""
    error_code: int = 0
    former_order_ids: tuple[str, ...] = ()
    former_cl_ord_ids: tuple[str, ...] = ()
    doubted_qty: Decimal = ZERO
    doubted_price: Decimal | None = None
    concluded: bool = False
    set_aside_qty: Decimal = ZERO
    answered: bool = False
    triggered: bool = False

    @property
    def worst_qty(self) -> Decimal:
        """The largest OrderQty(38) that it may have: what was told and is not believed counts too."""
        return self.doubted_qty if self.doubted_qty > self.order_qty else self.order_qty

    @property
    def least_qty(self) -> Decimal:
        """The smallest OrderQty(38) that it may have."""
        return min(self.doubted_qty or self.order_qty, self.order_qty)

    @property
    def doubted_terms(self) -> str:
        """What was told of its terms and is not believed, for a person; "" where there is nothing."""
        if not self.doubted_qty and self.doubted_price is None:
            return ""
        told = []
        if self.doubted_qty:
            told.append(f"OrderQty(38) {self.doubted_qty} of an order of {self.order_qty}")
        if self.doubted_price is not None:
            told.append(f"Price(44) {self.doubted_price} of an order at {self.price}")
        return ", ".join(told)

    @property
    def is_open(self) -> bool:
        """Whether it may still trade, as far as anybody has said."""
        return self.word not in TERMINAL_WORDS and not self.concluded

    @property
    def is_unheard(self) -> bool:
        """Whether the venue has told nothing of it yet."""
        return not self.word and not self.filled_qty

    @property
    def filled_qty(self) -> Decimal:
        """The larger of the ledger's quantity and the venue's word on it."""
        return self.told_cum_qty if self.told_cum_qty > self.cum_qty else self.cum_qty

    @property
    def leaves_qty(self) -> Decimal:
        """What may still be filled: nothing once the venue has ended it, never below zero."""
        if self.word in TERMINAL_WORDS or self.word == DONE_FOR_DAY or self.concluded:
            return ZERO
        leaves = self.order_qty - self.filled_qty
        return leaves if leaves > ZERO else ZERO

    def has_order_id(self, order_id: str) -> bool:
        """Whether this is, or ever was, its OrderID(37)."""
        return order_id == self.order_id or order_id in self.former_order_ids

    def fill(self, change: FillChange) -> None:
        """Take a change of the ledger."""
        self.cum_qty += change.qty
        self.cum_value += change.value
        if change.qty < ZERO:
            # What was told and is not known yet is still to come.
            self.told_cum_qty = max(self.told_cum_qty + change.qty, self.cum_qty)
        self._settle()

    def hear_report(self, report: ExecutionReport, asked: Sequence[AskedTerms] = ()) -> bool:
        """Take a report on this order, after its fill went through the ledger. False when its word came too late to
        count.

        Takes OrderID(37), and with New, Replaced, Restated and Order status what is believed of OrderQty(38) and
        Price(44): `asked` are the terms of the amendments in place that it may answer.
        """
        exec_type, told = report.exec_type, _BASE_WORD.get(report.ord_status, report.ord_status)
        if report.order_id != self.order_id and names_order(report):
            self._take_order_id(report.order_id)
        if exec_type == TRIGGERED:
            self.triggered = True
        word = self.word
        if told and exec_type in NEXT_WORD.get(word, ()):
            self.word = word = told
        counted = word == told or exec_type in "FGHI12"
        if counted and exec_type in "05DI" and not self.is_told_again(report):
            if word not in TERMINAL_WORDS:
                self._believe_terms(report, asked)
            if exec_type in "5D" and report.cl_ord_id:
                self.rename(report.cl_ord_id)
        cum_qty = report.cum_qty
        if cum_qty is not None and is_plausible(cum_qty) and (cum_qty > self.told_cum_qty or exec_type in "GH"):
            self.told_cum_qty = cum_qty
        if word not in TERMINAL_WORDS:
            self._settle()
        elif word != FILLED:
            self.text, self.error_code = report.text, report.error_code
        return counted

    def is_told_again(self, report: ExecutionReport) -> bool:
        """Whether it is an acceptance under a ClOrdID(11) that the order went by before: its terms are the former ones,
        and it answers nothing any more."""
        return report.exec_type in (NEW, REPLACED) and report.cl_ord_id in self.former_cl_ord_ids

    def rename(self, cl_ord_id: str) -> None:
        """The venue knows it by this ClOrdID(11) from now on."""
        if cl_ord_id != self.cl_ord_id:
            names = [name for name in (*self.former_cl_ord_ids, self.cl_ord_id) if name != cl_ord_id]
            self.former_cl_ord_ids = tuple(names[-MAX_FORMER_NAMES:])
            self.cl_ord_id = cl_ord_id

    def told_by_rest(self, told: RestOrder) -> None:
        """What REST says of the order: never lowers CumQty(14), never takes back an end, nor that it was triggered."""
        ord_status = told.ord_status
        if told.order_id:
            self._take_order_id(told.order_id)
        if is_plausible(told.cum_qty):
            self.told_cum_qty = max(self.told_cum_qty, told.cum_qty)
        self.triggered = self.triggered or told.triggered
        if self.word not in TERMINAL_WORDS or (self.word == REJECTED and ord_status not in (REJECTED, PENDING_NEW)):
            self.word = _BASE_WORD.get(ord_status, ord_status)
            if self.word not in TERMINAL_WORDS:
                self._take_terms(told.order_qty, told.price)
        self._settle()

    def conclude(self, to_come_qty: Decimal | None = None) -> None:
        """Something other than the venue's word ends it. `to_come_qty`: by an operator's word so much more of it was
        filled than is known."""
        self.concluded, self.set_aside_qty = True, self.told_cum_qty
        if to_come_qty is not None:
            self.told_cum_qty = self.cum_qty + to_come_qty

    def revive(self) -> None:
        """The venue knows it after all: what ended it, and what was said of its CumQty(14) then, is of no account."""
        if self.concluded:
            self.concluded = False
            self.told_cum_qty = max(self.set_aside_qty, self.cum_qty)

    def _take_order_id(self, order_id: str) -> None:
        if self.order_id not in ("", order_id, *self.former_order_ids):
            self.former_order_ids += (self.order_id,)
        self.order_id = order_id

    def _take_terms(self, order_qty: Decimal | None, price: Decimal | None) -> None:
        if order_qty is not None and is_plausible(order_qty) and order_qty > ZERO:
            self.order_qty, self.doubted_qty = order_qty, ZERO
        if price is not None and is_plausible(price):
            self.price, self.doubted_price = price, None

    def _believe_terms(self, report: ExecutionReport, asked: Sequence[AskedTerms]) -> None:
        if report.exec_type == NEW and (report.order_qty, report.price) == (self.order_qty, self.price):
            # Nearly every one.
            self.doubted_qty, self.doubted_price = ZERO, None
            return
        held = BelievedTerms(self.order_qty, self.price, self.doubted_qty, self.doubted_price)
        self.order_qty, self.price, self.doubted_qty, self.doubted_price = believed_terms(report, held, asked)

    def _settle(self) -> None:
        """Filled is a matter of quantity: a trade that completes the order fills it, whatever is pending (C.3)."""
        order_qty = self.worst_qty
        is_filled = self.cum_qty >= order_qty or self.told_cum_qty >= order_qty
        if is_filled and self.word not in TERMINAL_WORDS and order_qty > ZERO:
            self.word = FILLED
