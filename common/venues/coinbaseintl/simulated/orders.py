"""Coinbase International's simulated order entry: its requests, and what a lost connection cancels.

Source: docs.cdp.coinbase.com/international-exchange/fix-api, order entry and administrative messages.
"""

import re
from collections.abc import Mapping

from common.exchange.engine import Cause
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import FixOrders, MassCancel, Reports, Wish
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.order import (
    DECREMENT,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    GOOD_TILL_DATE,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    Order,
    Terms,
)
from common.exchange.requests import MISSING, OUT_OF_RANGE, BadField, Request
from common.exchange.venue import Venue
from common.fix.wire import split
from common.instant import NS_PER_S, Instant
from common.venues.coinbaseintl.simulated.door import InternationalDoor
from common.venues.coinbaseintl.simulated.drop_copy import InternationalDropCopy

POST_ONLY, CLOSE_ONLY = "6", "E"
LONGEST_LIFE_NS = 30 * 24 * 3600 * NS_PER_S
PREVENTIONS = {"N": EXPIRE_TAKER, "Q": EXPIRE_BOTH, "O": EXPIRE_MAKER, "D": DECREMENT}
OF_NOBODY, OF_SESSION = b"N", b"Y"
NAMES = (
    re.compile(r"[!-~]{1,18}"),
    re.compile(r"[0-9A-Za-z-]{1,20}"),
    re.compile(r"[1-9a-f][0-9a-f]{0,30}"),
    re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
)
"""The forms of ClOrdID(11): up to 18 of any characters, 20 of letters, digits and dashes, 31 of small hex digits, or a
UUID of version 4."""


def _out_of_range(tag: int) -> BadField:
    return BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")


class InternationalOrders(InternationalDoor, FixOrders):
    """The order entry listener."""

    self_trade = EXPIRE_BOTH

    def __init__(self, venue: Venue, reports: Reports, drop_copy: InternationalDropCopy) -> None:
        self._drop_copy = drop_copy
        self._cancels: dict[str, bytes] = {}
        super().__init__(venue, reports)

    def _handlers(self) -> Mapping[str, Handler]:
        return {"D": self._new_order, "F": self._cancel, "G": self._replace, "q": self._mass_cancel}

    # ---- connections

    def _admit(self, raw: bytes) -> Client | str:
        client = super()._admit(raw)
        if isinstance(client, Client):
            self._cancels[client.party.comp_id] = split(raw).get(b"8013", OF_SESSION)
        return client

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        """CancelOrdersOnDisconnect(8013): none, those of the session, or those of the whole key."""
        super()._part(client, line, now)
        covers = self._cancels.pop(client.party.comp_id, OF_SESSION)
        for order in [] if covers == OF_NOBODY else self._open_of(client):
            if covers != OF_SESSION or order.session == client.party.comp_id:
                self._venue.engine.cancel(order, now, Cause.DISCONNECTED)

    def _open_of(self, client: Client) -> list[Order]:
        state = self._venue.state
        return [o for symbol in state.instruments for o in state.open_orders(client.party.account, symbol)]

    # ---- reports

    def _copied(self, account: str, body: bytes, now: Instant) -> None:
        self._drop_copy.tell(account, body, now)

    # ---- requests

    def _name(self, request: Request) -> str:
        """ClOrdID(11) in one of its forms. Raises BadField."""
        name = request.text(11)
        if not any(form.fullmatch(name) for form in NAMES):
            raise _out_of_range(11)
        return name

    def _terms(self, client: Client, request: Request) -> Terms:
        name, ord_type, time_in_force = self._name(request), request.text(40), request.text(59)
        for tag, told, known in (
            (40, ord_type, (MARKET, LIMIT, STOP, STOP_LIMIT)),
            (59, time_in_force, (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL, GOOD_TILL_DATE)),
        ):
            if told not in known:
                raise _out_of_range(tag)
        exec_inst = request.optional(18).split()
        if not {*exec_inst} <= {POST_ONLY, CLOSE_ONLY}:
            raise _out_of_range(18)
        has_price, has_stop = ord_type in (LIMIT, STOP_LIMIT), ord_type in (STOP, STOP_LIMIT)
        for tag, wanted in ((44, has_price), (99, has_stop), (126, time_in_force == GOOD_TILL_DATE)):
            if wanted and not request.has(tag):
                raise BadField(MISSING, tag, "Required tag missing")
        return Terms(
            client.party.account, client.party.comp_id, name, request.text(55), request.text(54), ord_type,
            request.decimal(38), request.decimal(44) if has_price else None, time_in_force, POST_ONLY in exec_inst,
            stop_px=request.decimal(99) if has_stop else None, reduce_only=CLOSE_ONLY in exec_inst,
            expire_ns=request.time_ns(126) if time_in_force == GOOD_TILL_DATE else 0,
        )  # fmt: skip

    def _new_order(self, client: Client, request: Request, now: Instant) -> None:
        """An order may be good for 30 days at most."""
        if request.has(126) and request.time_ns(126) > now.wall_ns + LONGEST_LIFE_NS:
            raise _out_of_range(126)
        super()._new_order(client, request, now)

    def _prevention(self, request: Request) -> str:
        """SelfTradePreventionStrategy(8000)."""
        told = request.optional(8000)
        if told and told not in PREVENTIONS:
            raise _out_of_range(8000)
        return PREVENTIONS.get(told, "")

    def _wish(self, client: Client, request: Request, response_to: str) -> Wish:
        self._name(request)
        return super()._wish(client, request, response_to)

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        """By its name alone."""
        return self._venue.find(client.party.account, symbol, "", cl_ord_id)

    def _may_replace(self, wish: Wish, request: Request, order: Order) -> bool:
        """Price and quantity change, and nothing else: StopPx(99) has to be as it was."""
        return not request.has(99) or request.decimal(99) == order.stop_px

    def _mass_cancel(self, client: Client, request: Request, now: Instant) -> None:
        """There is no MassCancelRequestType(530): all that is open, of a symbol or a side where one is named."""
        asked = MassCancel(self._name(request), "", request.optional(55))
        side, is_known = request.optional(54), asked.symbol in ("", *self._venue.state.instruments)
        mine = [o for o in self._open_of(client) if asked.symbol in ("", o.symbol) and side in ("", o.side)]
        body = self._reports.mass_cancelled(asked, self._venue.unique(), len(mine) if is_known else None, now.wall_ns)
        self._send(client, "r", body, now)
        for order in mine:
            self._venue.engine.cancel(order, now, Cause.MASS_CANCEL)
