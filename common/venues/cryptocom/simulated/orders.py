"""Crypto.com's simulated order entry: who is let in, which requests it takes, and what it does when a line is lost.

Source: exchange-developer.crypto.com, FIX, as of 2026. Margin, self-match prevention, MassOrder(DJ), quoted orders and
the monthly maintenance are not simulated.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from common.exchange.changes import Amended, Change, Placed
from common.exchange.engine import Cause
from common.exchange.faults import Kind
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import MassCancel, Named, ResendingFixOrders, Wish
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.order import (
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    Asked,
    Order,
    Terms,
)
from common.exchange.requests import MISSING, OUT_OF_RANGE, BadField, Request
from common.exchange.settings import Party
from common.exchange.venue import Venue
from common.fix.session import SessionSettings
from common.fix.wire import split
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.cryptocom.simulated.door import SYSTEM, Door, asked_for, farewell
from common.venues.cryptocom.simulated.reports import CryptocomReports, body

NOT_AVAILABLE = 4
OTHER_REASON = 99
PENDING_CANCEL = "6"
POST_ONLY = "6"
ONE_SYMBOL = "1"
REQUESTS_PER_S = 2500
LEAST_WINDOW_MS, WINDOW_MS = 100, 5000
_TIMES_IN_FORCE = (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL)
_ALWAYS = {"D": (11, 40, 54, 55, 60), "F": (11, 54, 55, 60), "G": (11, 38, 44, 60), "q": (11, 530, 55), "H": (55,)}


class CryptocomOrders(ResendingFixOrders):
    """The order entry listener. What a connection placed that asked for it is cancelled once it is gone."""

    _reports: CryptocomReports

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue, CryptocomReports())
        self._door = Door(venue.settings.keys_for("fix"), SYSTEM)
        self._echo: dict[str, bytes] = {}
        self._cancelling: dict[str, set[int]] = {}
        self._room: dict[str, tuple[int, int]] = {}

    def _handlers(self) -> Mapping[str, Handler]:
        handlers = {
            "D": self._new_order, "F": self._cancel, "G": self._replace, "q": self._mass_cancel, "H": self._status,
        }  # fmt: skip
        return {msg_type: partial(self._take, handler) for msg_type, handler in handlers.items()}

    # ---- who is let in, and what becomes of his orders when his line is lost

    def _session_settings(self, party: Party) -> SessionSettings:
        """The answer to a Logon(A) repeats what that said."""
        settings = super()._session_settings(party)
        return replace(settings, logon_fields=lambda number, time: self._echo.get(party.comp_id, b""))

    def _why_refused(self, raw: bytes, now: Instant) -> str:
        party = self._parties.get(split(raw).get(b"49", b"").decode("ascii", "replace"))
        why = "Unknown SenderCompID" if party is None else self._door.why_refused(raw, party.account, now)
        if not why and party is not None:
            # The calendar second in which the connection opens has but what is left of it.
            left = REQUESTS_PER_S * (NS_PER_S - now.wall_ns % NS_PER_S) // NS_PER_S
            self._room[party.comp_id] = (now.wall_ns // NS_PER_S, left)
        return why

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        return farewell(raw, why, now)

    def _admit(self, raw: bytes) -> Client | str:
        client = super()._admit(raw)
        if isinstance(client, Client):
            name, fields = client.party.comp_id, split(raw)
            self._echo[name] = asked_for(raw)
            self._cancelling.pop(name, None)
            if fields.get(b"6867") == b"Y" and fields.get(b"35002") == b"3":
                self._cancelling[name] = set()
        return client

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        super()._part(client, line, now)
        for order_id in sorted(self._cancelling.pop(client.party.comp_id, ())):
            order = self._venue.state.orders.get(order_id)
            if order is not None:
                self._venue.engine.cancel(order, now, Cause.DISCONNECTED)

    # ---- requests

    def _take(self, handler: Handler, client: Client, request: Request, now: Instant) -> None:
        """What every request must have comes first, then whether the venue carries it out at all."""
        kind = request.msg_type
        if not self._has_room(client, now):
            self._send(client, "j", request.not_served(0, "Too many requests", request.optional(11)), now)
            return
        for tag in _ALWAYS[kind]:
            request.text(tag)
        if kind != "H" and self._venue.faults.strikes(Kind.LOST, "fix"):
            self._doubt(client, request, now)
        elif kind == "D" and self._venue.faults.strikes(Kind.UNKNOWN, "fix"):
            terms = self._terms(client, request)
            if self._venue.engine.check(terms, now.wall_ns) is None:
                self._venue.engine.place(terms, now, Asked(hold=True))
            self._doubt(client, request, now)
        elif kind == "D" and self._is_late(request, now):
            body = self._reports.rejected(
                self._terms(client, request), self._venue.unique(), None, "Outside of the receive window", now.wall_ns
            )
            self._send(client, "8", body, now)
        else:
            handler(client, request, now)

    def _has_room(self, client: Client, now: Instant) -> bool:
        """Count a request against its calendar second."""
        name, second = client.party.comp_id, now.wall_ns // NS_PER_S
        of, left = self._room.get(name, (second, REQUESTS_PER_S))
        left = left if of == second else REQUESTS_PER_S
        self._room[name] = (second, max(left - 1, 0))
        return left > 0

    def _doubt(self, client: Client, request: Request, now: Instant) -> None:
        """A Reject(3) that proves nothing: whether the message was processed it does not say."""
        head = f"45={request.msg_seq_num}\x0158=Internal error\x01372={request.msg_type}\x01"
        self._send(client, "3", f"{head}373={OTHER_REASON}\x01".encode(), now)

    def _is_late(self, request: Request, now: Instant) -> bool:
        """ReceiveWindow(20100) is held against SendingTime(52)."""
        if not request.has(20100):
            return False
        told = request.text(20100)
        in_range = told.isdecimal() and len(told) < 5 and LEAST_WINDOW_MS <= int(told) <= WINDOW_MS
        window_ms = int(told) if in_range else WINDOW_MS
        return now.wall_ns - request.time_ns(52) > window_ms * NS_PER_MS

    def _terms(self, client: Client, request: Request) -> Terms:
        ord_type, time_in_force = request.text(40), request.optional(59) or GOOD_TILL_CANCEL
        flags = set(request.optional(18).split())
        if ord_type == LIMIT and not request.has(44):
            raise BadField(MISSING, 44, "Required tag missing")
        for tag, unknown in ((40, ord_type not in (LIMIT, MARKET)), (59, time_in_force not in _TIMES_IN_FORCE),
                             (59, ord_type == MARKET and request.has(59)), (18, not flags <= {POST_ONLY})):  # fmt: skip
            if unknown:
                raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), request.text(55), request.text(54), ord_type,
            request.decimal(38), request.decimal(44) if ord_type == LIMIT else None, time_in_force, bool(flags),
        )  # fmt: skip

    def _refusing(self, client: Client, terms: Terms, exec_id: str, now: Instant) -> None:
        """An order that is refused is acknowledged as any other before."""
        self._send(client, "8", body(self._reports.of_refused(terms, exec_id, "A", now.wall_ns)), now)

    def _wish(self, client: Client, request: Request, response_to: str) -> Wish:
        """By OrderID(37) or OrigClOrdID(41)."""
        if not request.has(37) and not request.has(41):
            raise BadField(MISSING, 41, "Required tag missing")
        return Wish(client, request.text(11), request.optional(41), response_to)

    def _may_replace(self, wish: Wish, request: Request, order: Order) -> bool:
        """Side(54) and OrdType(40) are not in the request."""
        return order.price is not None

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        """By OrderID(37) alone where it is there."""
        order_id = request.optional(37)
        return self._venue.find(client.party.account, symbol, order_id, "" if order_id else cl_ord_id)

    def _carry_out_cancel(self, client: Client, order: Order, asked: Asked, now: Instant) -> None:
        """That the cancel is in comes first."""
        pending = self._reports.report(order, self._venue.unique(), PENDING_CANCEL, now.wall_ns, asked)
        self._send(client, "8", pending, now)
        super()._carry_out_cancel(client, order, asked, now)

    def _meant(self, client: Client, asked: MassCancel) -> list[Order] | None:
        if asked.request_type != ONE_SYMBOL:
            raise BadField(OUT_OF_RANGE, 530, "Value is incorrect (out of range) for this tag")
        return super()._meant(client, asked)

    def _status(self, client: Client, request: Request, now: Instant) -> None:
        """OrderStatusRequest(H): whatever is not open is not known."""
        name = request.optional(11)
        if not name and not request.has(37):
            raise BadField(MISSING, 11, "Required tag missing")
        if self._venue.faults.strikes(Kind.REJECT_STATUS, "fix"):
            self._send(client, "j", request.not_served(NOT_AVAILABLE, "Application not available", name), now)
            return
        found = self._find(client, request, request.text(55), name)
        if isinstance(found, Order):
            self._send(client, "8", self._state_of(found, "912=Y\x01"), now)
            return
        named = Named(name, request.optional(37), request.text(55), request.optional(54))
        self._send_unknown(client, named, "", "Order not found", now)

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """A new order and an amendment are acknowledged as received before they are told of."""
        client = self._clients.get(order.session)
        if client is not None and type(change) in (Placed, Amended) and (asked is None or asked.held is None):
            self._send(client, "8", self._reports.received(order, self._venue.unique(), now.wall_ns, asked), now)
        if type(change) is Placed and order.session in self._cancelling:
            self._cancelling[order.session].add(order.order_id)
        elif not order.is_open and order.session in self._cancelling:
            self._cancelling[order.session].discard(order.order_id)
        super().report(change, order, now, asked)
