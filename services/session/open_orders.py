"""The orders that may be open at the venue, as one session knows them: what the kill switch has to cancel.

Kept from the session's own records alone, so that it works with orders and risk stopped. An order enters when its
message is numbered, not when it is acknowledged, and leaves only by evidence: the venue's word that it is closed or
never was, a gap fill of its message, a withdrawal. Whoever may be open stays.
"""

from collections.abc import Container
from decimal import Decimal

import msgspec

from common.messages import (
    AmendOrder,
    Attempt,
    CancelRejected,
    ExecutionReport,
    NewOrder,
    OneEvent,
    RequestRejected,
    Unreadable,
)
from common.orders.belief import contradiction
from common.orders.leg import AskedTerms, BelievedTerms, believed_terms
from common.orders.numbers import ZERO
from common.orders.words import (
    came_too_late,
    is_over,
    is_suspended,
    names_of_order,
    rejects_request,
    shows_open,
    tells_awake,
    tells_replaced,
)


class OpenOrder(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """One order that may be open. `cl_ord_id` is the name that the venue knows it by now, `connection` the one it was
    sent on.

    `heard` says that the venue has told of it, so that it does exist or did; `by_amendment` that a cancel-and-new
    made it. `asked_qty` is what the last amendment in place asks for, 0 where there was none. `numbers_began` is the
    generation in which the numbers under which this session sent it began at 1, 0 where it has not sent it.
    `list_attempt` is that of the message of its list. `is_stop`: it is a stop order, or one that the venue says to be
    suspended; `sleeps`: and nothing has told that its stop price was reached.
    """

    cl_ord_id: str
    symbol: str
    side: str
    order_qty: Decimal
    connection: int
    order_id: str = ""
    heard: bool = False
    by_amendment: bool = False
    asked_qty: Decimal = ZERO
    numbers_began: int = 0
    list_attempt: Attempt | None = None
    is_stop: bool = False
    sleeps: bool = False


class OpenOrders:
    """The table, by ClOrdID(11), by OrderID(37) and by the attempt that sent it."""

    def __init__(self) -> None:
        self._orders: dict[str, OpenOrder] = {}
        self._by_order_id: dict[tuple[str, str], OpenOrder] = {}
        self._by_attempt: dict[Attempt, str] = {}
        self._attempts: dict[str, Attempt] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def all(self) -> list[OpenOrder]:
        """Every order that may be open."""
        return list(self._orders.values())

    def order_sent(
        self, command: NewOrder | AmendOrder, connection: int, *, opens: bool, numbers_began: int = 0
    ) -> None:
        """A new order or an amendment was numbered. An amendment that `opens` none is one in place: if it gives its
        order another name, the report of it tells.
        """
        if isinstance(command, AmendOrder) and not opens:
            amended = self._orders.get(command.orig_cl_ord_id)
            if amended is not None:
                amended.asked_qty = command.order_qty
            return
        for each in command.orders if isinstance(command, NewOrder) else (command,):
            self._orders[each.cl_ord_id] = OpenOrder(
                cl_ord_id=each.cl_ord_id,
                symbol=each.symbol,
                side=each.side,
                order_qty=each.order_qty,
                connection=connection,
                by_amendment=isinstance(command, AmendOrder),
                numbers_began=numbers_began,
                list_attempt=command.attempt if isinstance(command, NewOrder) and command.further else None,
                is_stop=each.terms.is_stop,
                sleeps=each.terms.is_stop,
            )
            self._by_attempt[each.attempt] = each.cl_ord_id
            self._attempts[each.cl_ord_id] = each.attempt

    def never_arrived(self, attempt: Attempt) -> None:
        """The attempt was void, withdrawn, gap-filled or rejected as a message: it opened nothing."""
        cl_ord_id = self._by_attempt.get(attempt)
        if cl_ord_id is None:
            return
        first = self._orders[cl_ord_id]
        is_list = first.list_attempt == attempt
        listed = [each for each in self._orders.values() if each.list_attempt == attempt] if is_list else [first]
        for order in listed:
            if not order.heard:
                self._close(order)

    def hear_event(self, event: OneEvent, connection: int, symbols: Container[str] = ()) -> None:
        """What the venue said. An order of the account that is not ours enters as well: it may be open.

        `symbols` are the venue's: a report in another of them than its order's ends nothing.
        """
        if isinstance(event, ExecutionReport):
            self._report(event, connection, symbols)
        elif isinstance(event, CancelRejected):
            refused = self._orders.get(event.cl_ord_id)
            # A cancel-and-new whose cancel was refused has not sent its new order.
            if refused is not None and refused.by_amendment and not refused.heard and not event.ambiguous:
                self._close(refused)
            elif came_too_late(event):
                self.unknown_at_venue(event.orig_cl_ord_id)
        elif isinstance(event, RequestRejected) and event.attempt is not None and not event.ambiguous:
            self.never_arrived(event.attempt)
        elif isinstance(event, Unreadable):
            self._unreadable(event)

    def unknown_at_venue(self, cl_ord_id: str) -> None:
        """The venue, asked when nothing of it could be under way any more, does not know the order."""
        order = self._orders.get(cl_ord_id)
        if order is not None:
            self._close(order)

    def find(self, cl_ord_id: str) -> OpenOrder | None:
        """The order that the venue knows by that name."""
        return self._orders.get(cl_ord_id)

    def dump(self) -> tuple[list[OpenOrder], list[tuple[str, Attempt]]]:
        """Everything folded, for a snapshot: the orders, and who sent them."""
        return list(self._orders.values()), list(self._attempts.items())

    def load(self, orders: list[OpenOrder], attempts: list[tuple[str, Attempt]]) -> None:
        """What `dump` gave."""
        self._orders = {order.cl_ord_id: order for order in orders}
        self._by_order_id = {(order.symbol, order.order_id): order for order in orders if order.order_id}
        self._attempts = dict(attempts)
        self._by_attempt = {attempt: cl_ord_id for cl_ord_id, attempt in attempts}

    def _unreadable(self, event: Unreadable) -> None:
        """Whatever it was, the venue has received what it speaks of."""
        by_id = self._by_order_id.get((event.symbol, event.order_id))
        order = self._orders.get(event.cl_ord_id) or self._orders.get(event.orig_cl_ord_id) or by_id
        if order is not None:
            order.heard = True

    def _report(self, report: ExecutionReport, connection: int, symbols: Container[str]) -> None:
        if report.unknown_order or report.ambiguous:
            return
        order = self._named(report)
        if order is not None and contradiction(order, report, lambda symbol: symbol in symbols):
            order.heard = True
            return
        if order is not None and rejects_request(report, order.cl_ord_id):
            # What a cancel-and-new would have opened is not there; the order that it was to replace is as it was.
            order = self._orders.get(report.cl_ord_id)
            if order is not None:
                self._close(order)
            return
        if is_over(report):
            if order is not None:
                self._close(order)
            return
        if order is None and not shows_open(report):
            return
        if order is None:
            order = OpenOrder(
                cl_ord_id=report.cl_ord_id,
                symbol=report.symbol,
                side=report.side,
                order_qty=report.order_qty or ZERO,
                connection=connection,
                is_stop=is_suspended(report),
                sleeps=is_suspended(report),
            )
            self._orders[order.cl_ord_id] = order
        order.heard = True
        order.sleeps = order.sleeps and not tells_awake(report)
        if report.order_id and not order.order_id:
            order.order_id = report.order_id
            self._by_order_id[order.symbol, order.order_id] = order
        if tells_replaced(report):
            self._replaced(order, report)

    def _named(self, report: ExecutionReport) -> OpenOrder | None:
        known = self._by_order_id.get((report.symbol, report.order_id)) if report.order_id else None
        if known is not None:
            return known
        first, second = names_of_order(report)
        return self._orders.get(first) or self._orders.get(second)

    def _replaced(self, order: OpenOrder, report: ExecutionReport) -> None:
        if order.cl_ord_id in self._attempts:
            asked = [AskedTerms(order.asked_qty, None)] if order.asked_qty else []
            order.order_qty = believed_terms(report, BelievedTerms(order.order_qty, None, ZERO, None), asked).order_qty
            order.asked_qty = ZERO
        elif report.order_qty is not None:
            # Somebody else's: nobody here knows what was asked for.
            order.order_qty = report.order_qty
        if report.cl_ord_id and report.cl_ord_id != order.cl_ord_id:
            self._rename(order, report.cl_ord_id)

    def _rename(self, order: OpenOrder, cl_ord_id: str) -> None:
        self._orders.pop(order.cl_ord_id, None)
        attempt = self._attempts.pop(order.cl_ord_id, None)
        if attempt is not None:
            self._attempts[cl_ord_id] = attempt
            self._by_attempt[attempt] = cl_ord_id
        order.cl_ord_id = cl_ord_id
        self._orders[cl_ord_id] = order

    def _close(self, order: OpenOrder) -> None:
        self._orders.pop(order.cl_ord_id, None)
        self._by_order_id.pop((order.symbol, order.order_id), None)
        attempt = self._attempts.pop(order.cl_ord_id, None)
        if attempt is not None:
            self._by_attempt.pop(attempt, None)
