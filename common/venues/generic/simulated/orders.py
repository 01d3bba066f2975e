"""Dialect "generic", order entry: FIX 4.4 with every request of it that an order needs."""

from collections.abc import Mapping

from common.exchange.changes import Change, Placed, Traded
from common.exchange.faults import Kind
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import Reports, ResendingFixOrders
from common.exchange.order import GOOD_TILL_CANCEL, GOOD_TILL_DATE, LIMIT, MARKET, STOP, STOP_LIMIT, Asked, Order, Terms
from common.exchange.requests import MISSING, BadField, Request
from common.exchange.venue import Venue
from common.instant import Instant
from common.venues.generic.simulated.reports import DONE_FOR_DAY

DAY = "0"
POST_ONLY = "6"
DO_NOT_INCREASE = "E"


class GenericOrders(ResendingFixOrders):
    """The order entry side of dialect "generic"."""

    def __init__(self, venue: Venue, reports: Reports) -> None:
        super().__init__(venue, reports)
        self._untold: list[tuple[Traded, Order, Asked | None]] = []

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "D": self._new_order,
            "F": self._cancel,
            "G": self._replace,
            "q": self._mass_cancel,
            "H": self._status,
            "AF": self._mass_status,
        }

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """Behind a new order's report may come that it is done for the day, and of a trade CumQty(14) alone."""
        if type(change) is Traded and self._is_untold() and order.session in self._clients:
            self._untold.append((change, order, asked))
            self._send(self._clients[order.session], "8", self._state_of(order), now)
            return
        super().report(change, order, now, asked)
        if type(change) is Placed and order.time_in_force == GOOD_TILL_CANCEL and order.session in self._clients:
            self._done_for_day(self._clients[order.session], order, now)

    def settle(self, now: Instant) -> None:
        """Trades that were held back are told once their fault is over, each with what the order's CumQty(14) is by
        then: a bust may have come before."""
        if self._untold and not self._is_untold():
            untold, self._untold = self._untold, []
            for change, order, asked in untold:
                self._tell_late(change, order, now, asked)
        super().settle(now)

    def _tell_late(self, change: Traded, order: Order, now: Instant, asked: Asked | None) -> None:
        found = self._venue.find(order.account, order.symbol, str(order.order_id), "")
        instrument = self._venue.state.instruments[order.symbol]
        body = self._reports.fill(order if found is None else found, instrument, change, asked)
        self._send(self._clients[order.session], "8", body, now)

    def _is_untold(self) -> bool:
        return self._venue.faults.find(Kind.UNTOLD, "fix") is not None

    def _done_for_day(self, client: Client, order: Order, now: Instant) -> None:
        """FIX 4.4, matrix H: a good till cancel order that is done for the day trades on another one, or tonight."""
        if self._venue.faults.strikes(Kind.DONE_FOR_DAY, "fix"):
            body = self._reports.report(order, self._venue.unique(), DONE_FOR_DAY, now.wall_ns)
            self._send(client, "8", body, now)

    def _terms(self, client: Client, request: Request) -> Terms:
        ord_type, has_price = request.text(40), request.has(44)
        if ord_type in (LIMIT, STOP_LIMIT) and not has_price:
            raise BadField(MISSING, 44, "Required tag missing")
        if ord_type in (STOP, STOP_LIMIT) and not request.has(99):
            raise BadField(MISSING, 99, "Required tag missing")
        time_in_force, instructions = request.optional(59) or DAY, request.optional(18).split()
        cash_qty = request.decimal(152) if request.has(152) and ord_type == MARKET else None
        symbol, side = request.text(55), request.text(54)
        qty = request.decimal(38) if cash_qty is None else self._venue.engine.base_for(symbol, side, cash_qty)
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), symbol, side, ord_type,
            qty, request.decimal(44) if has_price else None,
            # A day of this exchange has no end: Day(0) rests like GoodTillCancel(1).
            GOOD_TILL_CANCEL if time_in_force == DAY else time_in_force,
            POST_ONLY in instructions, stop_px=request.decimal(99) if request.has(99) else None,
            expire_ns=request.time_ns(126) if time_in_force == GOOD_TILL_DATE else 0,
            display_qty=request.decimal(111) if request.has(111) else None, cash_qty=cash_qty,
            reduce_only=DO_NOT_INCREASE in instructions,
        )  # fmt: skip
