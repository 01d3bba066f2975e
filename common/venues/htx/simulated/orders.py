"""HTX's simulated order entry: which requests it takes, and who hears of what.

Source: the mirror of HTX's page on its FIX API, as of April 2025. Market orders, triggers, icebergs, lists of orders
and self-match prevention are not simulated.
"""

from collections.abc import Mapping
from functools import partial

from common.exchange.changes import Change, Closed, Placed, Traded
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import FixOrders, MassCancel, Wish
from common.exchange.limits import Window
from common.exchange.order import (
    BUY,
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    SELL,
    Asked,
    Order,
    Terms,
)
from common.exchange.requests import MISSING, OUT_OF_RANGE, BadField, Request
from common.exchange.venue import Venue
from common.instant import Instant
from common.venues.htx.simulated.door import HtxGateway
from common.venues.htx.simulated.reports import SOURCE, HtxReports, symbol_of

MESSAGES_PER_S = 200
OTHER = 99
ALL, ONE_SYMBOL = "1", "2"
_SIDES = {"buy": BUY, "sell": SELL}
_KINDS = {
    "limit": (GOOD_TILL_CANCEL, False), "ioc": (IMMEDIATE_OR_CANCEL, False), "limit-fok": (FILL_OR_KILL, False),
    "limit-maker": (GOOD_TILL_CANCEL, True),
}  # fmt: skip


class HtxOrders(HtxGateway, FixOrders):
    """The order entry listener. Every session of an account hears of all its orders."""

    _reports: HtxReports

    def __init__(self, venue: Venue) -> None:
        self._account_ids = {key.account: key.account_id for key in venue.settings.keys_for("fix")}
        super().__init__(venue, HtxReports(self._account_ids))
        self._sent: dict[str, Window] = {}

    def _handlers(self) -> Mapping[str, Handler]:
        handlers = {"D": self._take_order, "F": self._cancel, "q": self._mass_cancel}
        return {msg_type: partial(self._take, handler) for msg_type, handler in handlers.items()}

    # ---- requests

    def _take(self, handler: Handler, client: Client, request: Request, now: Instant) -> None:
        """Too many messages are rejected, whatever they are."""
        if self._sent.setdefault(client.party.comp_id, Window(1)).count(now.boot_ns) > MESSAGES_PER_S:
            raise BadField(OTHER, 35, "Too many messages")
        request.text(11)
        handler(client, request, now)

    def _take_order(self, client: Client, request: Request, now: Instant) -> None:
        for tag, ours in ((1, self._account_ids[client.party.account]), (578, SOURCE)):
            if request.text(tag) != ours:
                raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
        self._new_order(client, request, now)

    def _terms(self, client: Client, request: Request) -> Terms:
        side, _, kind = request.text(40).partition("-")
        if side not in _SIDES or kind not in _KINDS:
            raise BadField(OUT_OF_RANGE, 40, "Value is incorrect (out of range) for this tag")
        (time_in_force, post_only), symbol = _KINDS[kind], symbol_of(request.text(55))
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), symbol, _SIDES[side], LIMIT,
            request.decimal(38), request.decimal(44), time_in_force, post_only,
        )  # fmt: skip

    def _wish(self, client: Client, request: Request, response_to: str) -> Wish:
        """By OrderID(37) or OrigClOrdID(41)."""
        if not request.has(37) and not request.has(41):
            raise BadField(MISSING, 37, "Required tag missing")
        return Wish(client, request.text(11), request.optional(41), response_to)

    def _meant(self, client: Client, asked: MassCancel) -> list[Order] | None:
        """All of the account, or of one symbol."""
        if asked.request_type not in (ALL, ONE_SYMBOL):
            raise BadField(OUT_OF_RANGE, 530, "Value is incorrect (out of range) for this tag")
        state = self._venue.state
        symbols = list(state.instruments) if asked.request_type == ALL else [symbol_of(asked.symbol)]
        if not set(symbols) <= set(state.instruments):
            return None
        return [order for symbol in symbols for order in state.open_orders(client.party.account, symbol)]

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """To every session of the account, whoever asked for it and by whatever way."""
        hearing = [client for client in self._logged_on() if client.party.account == order.account]
        for said in self._said(change, order) if hearing else ():
            for client in hearing:
                if asked is not None and asked.held is not None:
                    asked.held.append((client.party.comp_id, said))
                else:
                    self._send(client, "8", said, now)

    def _said(self, change: Change, order: Order) -> list[bytes]:
        if type(change) is Traded:
            instrument = self._venue.state.instruments[order.symbol]
            fill = self._reports.fill(order, instrument, change, None)
            return [fill, self._reports.clearing(order, instrument, change)]
        if type(change) is Placed:
            return [self._reports.report(order, "", "0", change.stamp_ns)]
        if type(change) is Closed:
            return [self._reports.report(order, "", "4", change.stamp_ns)]
        return []
