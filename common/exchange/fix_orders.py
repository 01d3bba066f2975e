"""Order entry over `common.fix.Session`: what the requests of FIX 4.4 do to the engine, and who hears of it.

Which of them a venue takes it says in `_handlers`, how an order is written in `_terms`, and how it writes what it says
of orders is its `Reports`. Faults on command strike here, so every venue has them.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol

from common.exchange.bare import bare
from common.exchange.changes import Amended, Change, Closed, Corrected, Placed, Traded, Triggered
from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.fix_gateway import Client, FixGateway, ResendingFixGateway
from common.exchange.history import ClosedOrder
from common.exchange.order import BUY, EXPIRE_MAKER, Asked, Order, Terms
from common.exchange.requests import Request
from common.exchange.settings import Instrument
from common.exchange.venue import Venue
from common.instant import Instant

NOT_AVAILABLE = 4
CANCEL = "1"
REPLACE = "2"
ONE_SYMBOL = "1"
ALL_ORDERS = "7"
RESTATED = "D"
PARTIAL_DECLINE = "378=5\x01"
"""ExecRestatementReason(378) of a quantity that the exchange has lowered by itself."""


class Wish(NamedTuple):
    """A cancel or an amendment as asked for: `response_to` is CxlRejResponseTo(434)."""

    client: Client
    cl_ord_id: str
    orig_cl_ord_id: str
    response_to: str


class Named(NamedTuple):
    """The order that somebody asks about, by whatever he knows of it."""

    cl_ord_id: str
    order_id: str
    symbol: str
    side: str


class MassCancel(NamedTuple):
    """An OrderMassCancelRequest(q)."""

    cl_ord_id: str
    request_type: str
    symbol: str


class Spelling(NamedTuple):
    """By which MsgType(35) a venue says what is no change of an order: that a new one, a cancel or an amendment is
    refused, that the order of a question is not known, and what became of a mass cancel.
    """

    refused: str = "8"
    wish_refused: str = "9"
    unknown: str = "8"
    mass_cancelled: str = "r"


class Reports(Protocol):
    """How a venue writes what it says of orders: each gives the body of a message."""

    def report(
        self,
        order: Order | ClosedOrder,
        exec_id: str,
        exec_type: str,
        stamp_ns: int,
        asked: Asked | None = None,
        extra: str = "",
    ) -> bytes:
        """An ExecutionReport(8) of no fill. `extra` are further fields of the venue's or of the answer's."""

    def fill(
        self, order: Order | ClosedOrder, instrument: Instrument, change: Traded, asked: Asked | None
    ) -> bytes:
        """An ExecutionReport(8) of the order's side of a trade."""

    def correction(self, order: Order | ClosedOrder, instrument: Instrument, change: Corrected) -> bytes:
        """An ExecutionReport(8) that takes a fill back or corrects it."""

    def rejected(self, terms: Terms, exec_id: str, refusal: Refusal | None, text: str, stamp_ns: int) -> bytes:
        """What refuses a new order; `refusal` is None where a fault does."""

    def cancel_rejected(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, stamp_ns: int) -> bytes:
        """What refuses a cancel or an amendment; `order` is None where none is known."""

    def mass_cancelled(self, asked: MassCancel, report_id: str, affected: int | None, stamp_ns: int) -> bytes:
        """What answers a mass cancel, b"" for nothing; `affected` is None where it is refused."""

    def unknown(self, named: Named, exec_id: str, extra: str, text: str, stamp_ns: int) -> bytes:
        """What answers a question for an order that is not known."""


class FixOrders(FixGateway):
    """The order entry listener, whose sessions end with their connection. `late_refusals` are those that the venue
    tells of by the cancel of an order that it has accepted.
    """

    _venue: Venue

    self_trade = EXPIRE_MAKER
    """How self-trade is prevented where an order does not say."""

    amendment_names = True
    """Whether an amendment gives the order its own ClOrdID(11)."""

    spelling = Spelling()
    late_refusals: frozenset[Refusal] = frozenset()

    def __init__(self, venue: Venue, reports: Reports) -> None:
        super().__init__(venue, "fix", venue.settings.parties)
        self._reports = reports

    @abstractmethod
    def _terms(self, client: Client, request: Request) -> Terms:
        """The order that a NewOrderSingle(D) describes. Raises BadField."""

    def _prevention(self, request: Request) -> str:
        """How a NewOrderSingle(D) asks that self-trade is prevented, "" where it does not. Raises BadField."""
        return ""

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """An order of a client changed: tell the session that placed it."""
        client = self._clients.get(order.session)
        if client is None:
            return
        reports = self._reports
        if type(change) is Traded:
            body = reports.fill(order, self._venue.state.instruments[order.symbol], change, asked)
            if self._venue.leaves_out(order.cl_ord_id):
                body = bare(body)
        elif type(change) is Placed:
            body = reports.report(order, str(change.exec_id), "0", change.stamp_ns)
        elif type(change) is Triggered:
            body = reports.report(order, str(change.exec_id), "L", change.stamp_ns)
        elif type(change) is Closed:
            text = "" if change.cause in (Cause.USER, Cause.MASS_CANCEL) else f"58={change.cause}\x01"
            body = reports.report(order, str(change.exec_id), change.ord_status, change.stamp_ns, asked, text)
        elif type(change) is Amended:
            word, extra = (RESTATED, PARTIAL_DECLINE) if change.cause else ("5", "")
            body = reports.report(order, str(change.exec_id), word, change.stamp_ns, asked, extra)
        else:
            return
        self._copied(order.account, body, now)
        if asked is not None and asked.held is not None:
            asked.held.append((order.session, body))
        else:
            self._send(client, "8", body, now)

    def corrected(self, change: Corrected, order: Order | ClosedOrder, now: Instant) -> None:
        """A fill of an order, open or closed, was taken back or corrected: tell the session that placed the order."""
        client = self._clients.get(order.terms.session)
        if client is not None:
            body = self._reports.correction(order, self._venue.state.instruments[change.symbol], change)
            is_bare = self._venue.leaves_out(order.terms.cl_ord_id)
            body = bare(body) if is_bare else body
            self._copied(order.terms.account, body, now)
            self._send(client, "8", body, now)

    def _copied(self, account: str, body: bytes, now: Instant) -> None:
        """A report of an order of the account goes to the session that placed it: somebody else may hear it too."""

    def _state_of(self, order: Order | ClosedOrder, extra: str = "") -> bytes:
        return self._reports.report(order, self._venue.unique(), "I", order.updated_ns, extra=extra)

    # ---- new orders

    def _new_order(self, client: Client, request: Request, now: Instant) -> None:
        given = self._prevention(request)
        prevention = self._venue.prevention(given, self.self_trade)
        terms = self._terms(client, request)._replace(self_trade=prevention)
        known = self._venue.state.find(terms.account, terms.cl_ord_id)
        if known is not None:
            self._venue.count("duplicate_cl_ord_ids")
            if request.optional(97) == "Y":
                self._send(client, "8", self._state_of(known), now)
                return
        fault = self._venue.faults.strikes(Kind.REJECT, "fix")
        refusal = None if fault is not None else self._venue.engine.check(terms, now.wall_ns)
        if refusal in self.late_refusals:
            self._venue.engine.place_to_cancel(terms, now, Cause.WOULD_TAKE)
            return
        if fault is not None or refusal is not None:
            text = refusal.value if refusal is not None else (fault and fault.text) or "Rejected on command."
            exec_id = self._venue.unique()
            self._refusing(client, terms, exec_id, now)
            body = self._reports.rejected(terms, exec_id, refusal, text, now.wall_ns)
            self._send(client, self.spelling.refused, body, now)
            return
        self._venue.engine.place(terms, now)

    def _refusing(self, client: Client, terms: Terms, exec_id: str, now: Instant) -> None:
        """A new order is about to be refused, under that ExecID(17): a venue may acknowledge it first."""

    # ---- cancels and amendments

    def _cancel(self, client: Client, request: Request, now: Instant) -> None:
        if self._venue.faults.strikes(Kind.SILENT, "fix"):
            return
        wish = self._wish(client, request, CANCEL)
        order = self._open(wish, request, now)
        if order is None or self._fills_across(wish, order, now):
            return
        asked = Asked(wish.cl_ord_id, order.cl_ord_id)
        late = Asked(hold=True)
        if order.resting and self._venue.faults.strikes(Kind.LATE_FILL, "fix"):
            self._venue.fill_late(order, now, late)
        if order.is_open:
            self._carry_out_cancel(client, order, asked, now)
        else:
            self._refuse_wish(wish, order, Refusal.CLOSED, now)
        for session, body in late.held or ():
            self._send(self._clients[session], "8", body, now)

    def _carry_out_cancel(self, client: Client, order: Order, asked: Asked, now: Instant) -> None:
        """Cancel an open order as `client` asked for."""
        self._venue.engine.cancel(order, now, asked=asked)

    def _replace(self, client: Client, request: Request, now: Instant) -> None:
        wish = self._wish(client, request, REPLACE)
        order_qty, price = request.decimal(38), request.decimal(44) if request.has(44) else None
        order = self._open(wish, request, now)
        if order is None or self._fills_across(wish, order, now):
            return
        engine = self._venue.engine
        if not self._may_replace(wish, request, order):
            self._refuse_wish(wish, order, Refusal.UNCHANGEABLE, now)
            return
        name = wish.cl_ord_id if self.amendment_names else order.cl_ord_id
        refusal = engine.check_replace(order, name, order_qty, price)
        if refusal is not None:
            self._refuse_wish(wish, order, refusal, now)
            return
        engine.replace(order, Asked(name, order.cl_ord_id), order_qty, price, now)

    def _wish(self, client: Client, request: Request, response_to: str) -> Wish:
        """What a cancel or an amendment is about. Raises BadField."""
        return Wish(client, request.text(11), request.text(41), response_to)

    def _may_replace(self, wish: Wish, request: Request, order: Order) -> bool:
        """Whether the request is one to change what may be changed of the order. Raises BadField."""
        return request.text(54) == order.side and (request.optional(40) or order.ord_type) == order.ord_type

    def _fills_across(self, wish: Wish, order: Order, now: Instant) -> bool:
        """Whether a fault lets a fill cross the request on its way: it bears the request's names, which is refused."""
        if not order.resting or not self._venue.faults.strikes(Kind.CROSSED, "fix"):
            return False
        self._venue.fill_late(order, now, Asked(wish.cl_ord_id, order.cl_ord_id))
        self._refuse_wish(wish, order, Refusal.CROSSED, now)
        return True

    def _open(self, wish: Wish, request: Request, now: Instant) -> Order | None:
        """The open order that a cancel or amendment is about; where there is none the request is refused."""
        found = self._find(wish.client, request, request.optional(55), wish.orig_cl_ord_id)
        if isinstance(found, Order):
            return found
        self._refuse_wish(wish, found, Refusal.UNKNOWN_ORDER if found is None else Refusal.CLOSED, now)
        return None

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        """By OrderID(37) where it is one of ours, else by name: a client that does not know the id may say NONE."""
        account = client.party.account
        found = self._venue.find(account, symbol, request.optional(37), "") if request.has(37) else None
        return found if found is not None else self._venue.find(account, symbol, "", cl_ord_id)

    def _refuse_wish(self, wish: Wish, order: Order | ClosedOrder | None, refusal: Refusal, now: Instant) -> None:
        body = self._reports.cancel_rejected(wish, order, refusal, now.wall_ns)
        self._send(wish.client, self.spelling.wish_refused, body, now)

    def _mass_cancel(self, client: Client, request: Request, now: Instant) -> None:
        """The answer to the request goes first, then an ExecutionReport(8) for each order."""
        asked = MassCancel(request.text(11), request.text(530), request.optional(55))
        orders = self._meant(client, asked)
        affected = None if orders is None else len(orders)
        body = self._reports.mass_cancelled(asked, self._venue.unique(), affected, now.wall_ns)
        if body:
            self._send(client, self.spelling.mass_cancelled, body, now)
        for order in orders or ():
            self._venue.engine.cancel(order, now, Cause.MASS_CANCEL, self._asked_for(asked, order))

    def _meant(self, client: Client, asked: MassCancel) -> list[Order] | None:
        """The orders that a mass cancel is about, None where it is about nothing that there is: 530=1 cancels a
        symbol's orders, 530=7 all.
        """
        state = self._venue.state
        if asked.request_type == ONE_SYMBOL:
            symbols = [asked.symbol] if asked.symbol in state.instruments else []
        else:
            symbols = list(state.instruments) if asked.request_type == ALL_ORDERS else []
        if not symbols:
            return None
        return [order for symbol in symbols for order in state.open_orders(client.party.account, symbol)]

    def _asked_for(self, asked: MassCancel, order: Order) -> Asked | None:
        """Under which names the report of an order's mass cancel goes, None for the order's own."""
        return None

    # ---- questions

    def _status(self, client: Client, request: Request, now: Instant) -> None:
        """OrderStatusRequest(H): the state, or that the order is not known."""
        cl_ord_id = request.optional(11)
        if self._venue.faults.strikes(Kind.REJECT_STATUS, "fix"):
            self._send(client, "j", request.not_served(NOT_AVAILABLE, "Application not available", cl_ord_id), now)
            return
        extra = f"790={request.optional(790)}\x01" if request.has(790) else ""
        found = self._find(client, request, "", cl_ord_id)
        if found is None:
            self._send_unknown(client, self._described(request), extra, Refusal.UNKNOWN_ORDER.value, now)
        else:
            self._send(client, "8", self._state_of(found, extra), now)

    def _described(self, request: Request) -> Named:
        """What an OrderStatusRequest(H) names. Raises BadField."""
        return Named(request.optional(11), request.optional(37), request.text(55), request.text(54))

    def _mass_status(self, client: Client, request: Request, now: Instant) -> None:
        """OrderMassStatusRequest(AF) for all open orders (585=7) or those of a symbol (585=1)."""
        request_id, kind = request.text(584), request.text(585)
        state = self._venue.state
        symbols = [request.text(55)] if kind == ONE_SYMBOL else list(state.instruments)
        orders = [order for symbol in symbols for order in state.open_orders(client.party.account, symbol)]
        for index, order in enumerate(orders, 1):
            last = "Y" if index == len(orders) else "N"
            extra = f"584={request_id}\x01911={len(orders)}\x01912={last}\x01"
            self._send(client, "8", self._state_of(order, extra), now)
        if not orders:
            extra = f"584={request_id}\x01911=0\x01912=Y\x01"
            self._send_unknown(client, Named("", "", symbols[0], BUY), extra, "No open orders.", now)

    def _send_unknown(self, client: Client, named: Named, extra: str, text: str, now: Instant) -> None:
        body = self._reports.unknown(named, self._venue.unique(), extra, text, now.wall_ns)
        self._send(client, self.spelling.unknown, body, now)


class ResendingFixOrders(FixOrders, ResendingFixGateway):
    """The order entry listener, whose sessions outlive their connections and the process."""

    _venue: Venue
