"""The simulated Deribit's order entry: which requests it takes, and who hears of what.

Source: docs.deribit.com/fix-api/production. Each connection hears of every order of its account. A cancel is told
twice, as its answer and as a change. OrigClOrdID(41) of a request is Deribit's id; ClOrdID(11) is the client's name,
which several orders may have.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from common.exchange.bare import bare
from common.exchange.changes import Change, Closed, Placed, Traded, Triggered
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import ALL_ORDERS, FixOrders, Named, Wish
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.order import (
    BUY,
    GOOD_TILL_CANCEL,
    LIMIT,
    MARKET,
    OFFSET_PRICE,
    STOP,
    STOP_LIMIT,
    TRAILING,
    Asked,
    Order,
    Terms,
)
from common.exchange.requests import MISSING, OUT_OF_RANGE, BadField, Request
from common.exchange.venue import Venue
from common.fix.session import Inbound
from common.instant import Instant
from common.venues.deribit.simulated.door import TOO_MANY, Credits, DeribitGateway, Door, Options
from common.venues.deribit.simulated.market_data import DeribitMarketData
from common.venues.deribit.simulated.reports import (
    LAST_PRICE,
    NAME_ENDS,
    NOTIFICATION,
    STOP_MARKET,
    STOP_WITH_LIMIT,
    TRAILING_STOP,
    DeribitReports,
    client_name,
)

DAY = "0"
POST_ONLY_REJECT = "6A"
REDUCE_ONLY = "E"
UNITS, CONTRACTS = "0", "1"
BY_CLIENT_NAME = "1"
SINGLE = "1"
ORDER_REQUESTS = frozenset({"D", "F", "G", "q"})


class DeribitOrders(DeribitGateway, FixOrders):
    """The order entry listener; market data is asked for here, too."""

    amendment_names = False

    def __init__(self, venue: Venue, door: Door, market_data: DeribitMarketData) -> None:
        self.door = door
        self._market_data = market_data
        self._told = DeribitReports(venue.state.instruments)
        self._options: dict[str, Options] = {}
        self._stays: set[str] = set()
        self._is_stopping = False
        self._matching = Credits(burst=100, refill_per_s=30)
        self._other = Credits(burst=100, refill_per_s=20)
        super().__init__(venue, self._told)

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "D": self._new_order,
            "F": self._cancel,
            "G": self._replace,
            "q": self._mass_cancel,
            "AF": self._mass_status,
            "V": lambda client, request, now: self._market_data.requested(self, client, request, now),
            "x": lambda client, request, now: self._market_data.listed(self, client, request, now),
        }

    # ---- who is here

    def _entered(self, client: Client, options: Options) -> None:
        self._options[client.party.comp_id] = options

    def _leaving(self, client: Client, logout: Inbound) -> None:
        if (logout.fields or {}).get(b"9003") == b"Y":
            self._stays.add(client.party.comp_id)

    def stop(self, now: Instant) -> None:
        """Log every client out: the exchange's own end cancels nothing."""
        self._is_stopping = True
        super().stop(now)

    def lost(self, line: Line, now: Instant) -> None:
        """The connection is gone, and what it has open where it asked for that."""
        client = self._by_line.get(line.number)
        super().lost(line, now)
        if client is not None:
            self._cancel_of(client, now)

    def _hang_up(self, client: Client, now: Instant) -> None:
        super()._hang_up(client, now)
        self._cancel_of(client, now)

    def _ended(self, client: Client, line: Line) -> None:
        super()._ended(client, line)
        self._market_data.feed.lost(line.number)

    def _cancel_of(self, client: Client, now: Instant) -> None:
        """CancelOnDisconnect(9001): nothing of a connection that has ended stays open."""
        name, account = client.party.comp_id, client.party.account
        options = self._options.pop(name, None)
        stays = name in self._stays or self._is_stopping
        self._stays.discard(name)
        if options is None or not options.cancels_on_disconnect or stays:
            return
        for order in list(self._open_of(account)):
            if order.session == name:
                self._venue.engine.cancel(order, now)

    def _open_of(self, account: str) -> Iterable[Order]:
        for symbol in self._venue.state.instruments:
            yield from self._venue.state.open_orders(account, symbol)

    # ---- how much

    def _answer(self, client: Client, request: Request, now: Instant) -> None:
        is_order = request.msg_type in ORDER_REQUESTS
        if (self._matching if is_order else self._other).take(client.party.account, now):
            super()._answer(client, request, now)
            return
        self._venue.count("too_many_requests")
        try:
            self._refuse_for_rate(client, request, now)
        except BadField as bad:
            self._send(client, "3", request.rejected(bad), now)

    def _refuse_for_rate(self, client: Client, request: Request, now: Instant) -> None:
        if request.msg_type == "D":
            terms = self._terms(client, request)
            self._send(client, "8", self._told.rejected(terms, "", None, TOO_MANY, now.wall_ns), now)
        elif request.msg_type in ("F", "G"):
            self._send(client, "9", self._told.too_many(self._wish(client, request, "")), now)
        elif request.msg_type == "q":
            body = f"11={request.text(11)}\x01530={request.text(530)}\x01531=0\x01532=99\x0158={TOO_MANY}\x01"
            self._send(client, "r", body.encode(), now)
        else:
            raise BadField(OUT_OF_RANGE, 35, TOO_MANY)

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """An account's order changed: tell each of its connections, as that one wants fills to be told."""
        if type(change) not in (Placed, Traded, Closed, Triggered) and asked is None:
            return
        for client in self._hearers(order):
            body = self._body_for(client, change, order)
            if asked is not None and asked.held is not None:
                asked.held.append((client.party.comp_id, body))
            else:
                self._send(client, "8", body, now)

    def _hearers(self, order: Order) -> list[Client]:
        found = []
        for name, client in self._clients.items():
            options = self._options[name]
            hears = name == order.session or not options.hears_own_only
            if client.party.account == order.account and hears and not options.hears_nothing:
                found.append(client)
        return found

    def _body_for(self, client: Client, change: Change, order: Order) -> bytes:
        if type(change) is Traded:
            if self._options[client.party.comp_id].fills_as_reports:
                instrument = self._venue.state.instruments[order.symbol]
                body = self._told.fill(order, instrument, change, None)
            else:
                body = self._told.fill_in_state(order, change)
            return bare(body) if self._venue.leaves_out(order.cl_ord_id) else body
        if type(change) is Triggered:
            return self._told.triggered(order)
        if client.party.comp_id == order.session and type(change) is not Closed:
            return self._told.report(order, "", "", change_ns(order))
        return self._told.state(order, NOTIFICATION)

    # ---- requests

    def _terms(self, client: Client, request: Request) -> Terms:
        ord_type, exec_inst = request.optional(40) or LIMIT, request.optional(18)
        if ord_type in (LIMIT, STOP_WITH_LIMIT) and not request.has(44):
            raise BadField(MISSING, 44, "Required tag missing")
        reduce_only = exec_inst.endswith(REDUCE_ONLY)
        exec_inst = exec_inst.removesuffix(REDUCE_ONLY)
        if exec_inst not in ("", POST_ONLY_REJECT):
            raise BadField(OUT_OF_RANGE, 18, "Not offered here")
        time_in_force = request.optional(59) or GOOD_TILL_CANCEL
        terms = Terms(
            client.party.account, client.party.comp_id, self._name(client, request.text(11)), request.text(55),
            request.text(54), ord_type, self._quantity(request),
            request.decimal(44) if request.has(44) and ord_type not in (MARKET, STOP_MARKET) else None,
            # A day of this exchange has no end: good till day rests like good till cancelled.
            GOOD_TILL_CANCEL if time_in_force == DAY else time_in_force, exec_inst == POST_ONLY_REJECT,
            reduce_only=reduce_only, display_qty=self._quantity(request, 1138) if request.has(1138) else None,
        )  # fmt: skip
        return _asleep(request, terms) if ord_type in (STOP_MARKET, STOP_WITH_LIMIT, TRAILING_STOP) else terms

    def _may_replace(self, wish: Wish, request: Request, order: Order) -> bool:
        """An OrderCancelReplaceRequest(G) is one of limit orders alone."""
        return order.ord_type == LIMIT and super()._may_replace(wish, request, order)

    def _name(self, client: Client, name: str) -> str:
        """Names need not be unique here: an order of a name that is taken has one of its own behind it."""
        taken = self._venue.state.find(client.party.account, name) is not None
        return f"{name}{NAME_ENDS}{self._venue.unique()}" if taken else name

    def _quantity(self, request: Request, tag: int = 38) -> Decimal:
        """OrderQty(38) or another one in contracts, or in units of the underlying where QtyType(854)=0."""
        quantity, kind = request.decimal(tag), request.optional(854) or CONTRACTS
        if kind not in (UNITS, CONTRACTS):
            raise BadField(OUT_OF_RANGE, 854, "Value is incorrect (out of range) for this tag")
        instrument = self._venue.state.instruments.get(request.text(55))
        in_units = kind == UNITS and instrument is not None
        return quantity / instrument.contract.multiplier if in_units and instrument is not None else quantity

    def _wish(self, client: Client, request: Request, response_to: str) -> Wish:
        if not (request.has(41) or request.has(11)):
            raise BadField(MISSING, 41, "Required tag missing")
        return Wish(client, request.optional(11), request.optional(41), response_to)

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        """By Deribit's id in OrigClOrdID(41), else by the client's own name, which has to be that of one open order."""
        account = client.party.account
        if request.has(41):
            return self._venue.find(account, symbol, request.optional(41), "")
        named = [order for order in self._open_of(account) if client_name(order.cl_ord_id) == request.optional(11)]
        return named[0] if len(named) == 1 else None

    def _carry_out_cancel(self, client: Client, order: Order, asked: Asked, now: Instant) -> None:
        """It is told twice: as what was asked for, and as a change."""
        pushed = Asked(asked.cl_ord_id, asked.orig_cl_ord_id, hold=True)
        super()._carry_out_cancel(client, order, pushed, now)
        self._send(client, "8", self._told.report(order, "", "", change_ns(order)), now)
        for session, body in pushed.held or ():
            self._send(self._clients[session], "8", body, now)

    # ---- questions

    def _mass_status(self, client: Client, request: Request, now: Instant) -> None:
        """The number of reports first, then a report for each: all that is open (585=7), or one order, be it closed."""
        request_id, kind = request.text(584), request.text(585)
        found: list[Order | ClosedOrder] = []
        if kind == ALL_ORDERS:
            found += self._open_of(client.party.account)
        elif kind == SINGLE:
            one = self._asked_about(client, request, request_id)
            found += [] if one is None else [one]
        else:
            raise BadField(OUT_OF_RANGE, 585, "Value is incorrect (out of range) for this tag")
        head = f"584={request_id}\x01585={kind}\x01911={len(found)}\x01"
        named = Named("", "", "", BUY)
        self._send(client, "8", self._told.unknown(named, "", head, "", now.wall_ns), now)
        for order in found:
            self._send(client, "8", self._told.report(order, "", "", change_ns(order)), now)

    def _asked_about(self, client: Client, request: Request, name: str) -> Order | ClosedOrder | None:
        account = client.party.account
        if request.optional(9014) != BY_CLIENT_NAME:
            return self._venue.find(account, "", name, "")
        return self._venue.find(account, request.text(55), "", name)


def _asleep(request: Request, terms: Terms) -> Terms:
    """The stop order with what wakes it. Raises BadField."""
    if request.optional(5127) != LAST_PRICE:
        raise BadField(OUT_OF_RANGE, 5127, "Not offered here")
    ord_type = STOP if terms.price is None else STOP_LIMIT
    stop_px = request.decimal(99) if request.has(99) else None
    if terms.ord_type != TRAILING_STOP:
        if stop_px is None:
            raise BadField(MISSING, 99, "Required tag missing")
        return terms._replace(ord_type=ord_type, stop_px=stop_px)
    if request.text(1094) != TRAILING:
        raise BadField(OUT_OF_RANGE, 1094, "Not offered here")
    return terms._replace(
        ord_type=ord_type, stop_px=stop_px, peg_price_type=TRAILING, peg_offset=request.decimal(211),
        peg_offset_type=OFFSET_PRICE,
    )  # fmt: skip


def change_ns(order: Order | ClosedOrder) -> int:
    """When the order last changed."""
    return order.updated_ns
