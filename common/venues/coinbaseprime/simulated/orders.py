"""Coinbase Prime's simulated order entry: FIX 4.2, new orders, cancels and questions.

Source: docs.cdp.coinbase.com/prime/fix-api, order entry messages. The page marks OrderID(37) of an
OrderStatusRequest(H) as required, and says that a cancel must have it too: so it is where `requires_order_id` is set;
else an order is found by its ClOrdID(11), for who does not know its id yet.
"""

from collections.abc import Mapping

from common.exchange.changes import Change, Triggered
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import Named, ResendingFixOrders
from common.exchange.history import ClosedOrder
from common.exchange.order import (
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    GOOD_TILL_DATE,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    STOP_LIMIT,
    Asked,
    Order,
    Terms,
)
from common.exchange.requests import MISSING, OUT_OF_RANGE, BadField, Request
from common.instant import Instant
from common.venues.coinbaseprime.simulated.door import PrimeDoor
from common.venues.coinbaseprime.simulated.wire import order_number

POST_ONLY = "A"
PENDING_CANCEL = "6"
OF_LIMIT = (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL, GOOD_TILL_DATE)
OF_STOP = (GOOD_TILL_CANCEL, GOOD_TILL_DATE)
STRATEGIES = {"L": (LIMIT, OF_LIMIT), "M": (MARKET, (IMMEDIATE_OR_CANCEL,)), "SL": (LIMIT, OF_STOP)}
"""What goes with a TargetStrategy(847): its OrdType(40), and the values of TimeInForce(59)."""


def _one_of(request: Request, tag: int, known: tuple[str, ...]) -> str:
    """The field, which has to be one of those. Raises BadField."""
    told = request.text(tag)
    if told not in known:
        raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
    return told


class PrimeOrders(PrimeDoor, ResendingFixOrders):
    """The order entry listener."""

    begin_string = "FIX.4.2"
    requires_order_id = False

    def _handlers(self) -> Mapping[str, Handler]:
        return {"D": self._new_order, "F": self._cancel, "H": self._status}

    def _terms(self, client: Client, request: Request) -> Terms:
        """The strategy says what else there has to be."""
        strategy = _one_of(request, 847, tuple(STRATEGIES))
        wanted_type, times = STRATEGIES[strategy]
        ord_type, time_in_force = _one_of(request, 40, (wanted_type,)), _one_of(request, 59, times)
        exec_inst = request.optional(18)
        if exec_inst and (exec_inst != POST_ONLY or time_in_force not in (GOOD_TILL_CANCEL, GOOD_TILL_DATE)):
            raise BadField(OUT_OF_RANGE, 18, "Value is incorrect (out of range) for this tag")
        sleeps = strategy == "SL"
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), request.text(55), request.text(54),
            STOP_LIMIT if sleeps else ord_type, request.decimal(38),
            request.decimal(44) if ord_type == LIMIT else None, time_in_force, exec_inst == POST_ONLY,
            stop_px=request.decimal(99) if sleeps else None,
            expire_ns=request.time_ns(126) if time_in_force == GOOD_TILL_DATE else 0,
        )  # fmt: skip

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """That a stop order was triggered is told by no report."""
        if not isinstance(change, Triggered):
            super().report(change, order, now, asked)

    def _cancel(self, client: Client, request: Request, now: Instant) -> None:
        """OrderQty(38) is wanted, as the order was accepted."""
        request.decimal(38)
        super()._cancel(client, request, now)

    def _carry_out_cancel(self, client: Client, order: Order, asked: Asked, now: Instant) -> None:
        """Told twice, under the order's own name: that it is pending, and that it is done."""
        pending = self._reports.report(order, self._venue.unique(), PENDING_CANCEL, now.wall_ns)
        self._send(client, "8", pending, now)
        super()._carry_out_cancel(client, order, asked, now)

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        if self.requires_order_id and not request.has(37):
            raise BadField(MISSING, 37, "Required tag missing")
        account, order_id = client.party.account, order_number(request.optional(37))
        found = self._venue.find(account, symbol, order_id, "") if order_id else None
        return found if found is not None else self._venue.find(account, symbol, "", cl_ord_id)

    def _described(self, request: Request) -> Named:
        return Named(request.optional(11), request.optional(37), request.text(55), request.text(54))
