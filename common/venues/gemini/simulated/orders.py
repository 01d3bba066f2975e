"""Gemini's simulated order entry: new orders and cancels, and nothing else.

Source: docs.gemini.com/fix, order entry. The server's numbers begin anew only where Logon(A) says
ResetSeqNumFlag(141)=Y. A cancel goes by OrigClOrdID(41): the other fields are wanted by FIX, and not looked at.
"""

from collections.abc import Mapping

from common.exchange.changes import Change, Traded
from common.exchange.engine import Cause, Refusal
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import Reports, ResendingFixOrders
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.order import (
    BUY,
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    STOP_LIMIT,
    Asked,
    Order,
    Terms,
)
from common.exchange.requests import OUT_OF_RANGE, BadField, Request
from common.exchange.venue import Venue
from common.fix.wire import split
from common.instant import Instant
from common.venues.gemini.simulated.door import GeminiDoor
from common.venues.gemini.simulated.drop_copy import GeminiDropCopy

MAKER_OR_CANCEL = "6"
NOT_ALLOWED = 0
"""BusinessRejectReason(380): Other."""

WRONG_STOP = "InvalidStopPrice"
_TIMES_IN_FORCE = (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL)


class GeminiOrders(GeminiDoor, ResendingFixOrders):
    """The order entry listener."""

    late_refusals = frozenset({Refusal.WOULD_TAKE})

    def __init__(self, venue: Venue, reports: Reports, drop_copy: GeminiDropCopy) -> None:
        self._cancelling: set[str] = set()
        self._drop_copy = drop_copy
        super().__init__(venue, reports)

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """An order of an account changed: its session hears of it, and of a trade the drop copy too."""
        super().report(change, order, now, asked)
        if type(change) is Traded:
            self._drop_copy.tell(order, change, now)

    def _handlers(self) -> Mapping[str, Handler]:
        return {"D": self._ordered, "F": self._cancel}

    def _admit(self, raw: bytes) -> Client | str:
        client = super()._admit(raw)
        if isinstance(client, Client) and split(raw).get(b"9001") == b"Y":
            self._cancelling.add(client.party.comp_id)
        return client

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        """CancelOnDisconnect(9001): what the session has placed goes with its connection."""
        super()._part(client, line, now)
        name = client.party.comp_id
        if name not in self._cancelling:
            return
        self._cancelling.remove(name)
        for symbol in self._venue.state.instruments:
            for order in self._venue.state.open_orders(client.party.account, symbol):
                if order.session == name:
                    self._venue.engine.cancel(order, now, Cause.DISCONNECTED)

    def _ordered(self, client: Client, request: Request, now: Instant) -> None:
        """An order that may have been sent before is refused, whatever became of that."""
        if request.optional(97) == "Y":
            text = "PossResend(97) is not supported"
            self._send(client, "j", request.not_served(NOT_ALLOWED, text, request.optional(11)), now)
            return
        terms = self._terms(client, request)
        if _has_wrong_stop(terms):
            body = self._reports.rejected(terms, self._venue.unique(), None, WRONG_STOP, now.wall_ns)
            self._send(client, "8", body, now)
            return
        self._new_order(client, request, now)

    def _terms(self, client: Client, request: Request) -> Terms:
        ord_type, side = request.text(40), request.text(54)
        if ord_type not in (MARKET, LIMIT, STOP_LIMIT):
            raise BadField(OUT_OF_RANGE, 40, "Value is incorrect (out of range) for this tag")
        request.text(60)
        if ord_type == MARKET:
            return self._market_terms(client, request, side)
        time_in_force, exec_inst, sleeps = request.text(59), request.optional(18), ord_type == STOP_LIMIT
        if time_in_force not in ((GOOD_TILL_CANCEL,) if sleeps else _TIMES_IN_FORCE):
            raise BadField(OUT_OF_RANGE, 59, "Value is incorrect (out of range) for this tag")
        if exec_inst not in ("", MAKER_OR_CANCEL) or (exec_inst and (sleeps or time_in_force != GOOD_TILL_CANCEL)):
            raise BadField(OUT_OF_RANGE, 18, "Value is incorrect (out of range) for this tag")
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), request.text(55), side, ord_type,
            request.decimal(38), request.decimal(44), time_in_force, exec_inst == MAKER_OR_CANCEL,
            stop_px=request.decimal(99) if sleeps else None,
        )  # fmt: skip

    def _market_terms(self, client: Client, request: Request, side: str) -> Terms:
        """A sale is of a quantity; a purchase is for an amount in the quote currency, which its fee is taken out of."""
        symbol, cash_qty = request.text(55), None
        if side == BUY:
            cash_qty = request.decimal(152)
            spent = cash_qty / (1 + self._venue.settings.fee_rate_taker)
            qty = self._venue.engine.base_for(symbol, side, spent)
        else:
            qty = request.decimal(38)
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), symbol, side, MARKET, qty, None,
            IMMEDIATE_OR_CANCEL, cash_qty=cash_qty,
        )  # fmt: skip

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        return self._venue.find(client.party.account, "", "", cl_ord_id)


def _has_wrong_stop(terms: Terms) -> bool:
    """Whether the limit of a stop order comes before its stop price, which the venue does not take."""
    price, stop_px = terms.price, terms.stop_px
    if price is None or stop_px is None:
        return False
    return stop_px > price if terms.side == BUY else stop_px < price
