"""Coinbase Exchange's simulated order entry: its requests, its sequence numbers, and what a lost connection cancels.

Source: the order entry page of docs.cdp.coinbase.com. A client's numbers begin at 1 with each Logon(A); the server's go
on where ResetSeqNumFlag(141) is N, and what was missed is asked for in pages. The connectivity page says that nothing
is sent again and every connection is a session of its own: so it is where `resumes` is not set.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from common.exchange.engine import Cause
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import MassCancel, Named, Reports, ResendingFixOrders, Wish
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.order import (
    BUY,
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
    STOP_LIMIT,
    Order,
    Terms,
)
from common.exchange.requests import MISSING, OUT_OF_RANGE, BadField, Request
from common.exchange.settings import Party
from common.exchange.venue import Venue
from common.fix.session import Effect, LoggedOn, ResendWanted, SessionSettings
from common.fix.wire import encode, parse_utc_timestamp, split, utc_timestamp
from common.instant import NS_PER_S, Instant
from common.venues.coinbase.simulated import wire
from common.venues.coinbase.simulated.door import CoinbaseDoor
from common.venues.coinbase.simulated.drop_copy import CoinbaseDropCopy
from common.venues.coinbase.simulated.reports import SESSION_ORDERS

LONGEST_PAGE = 1000
KEPT_NS = 4 * 3600 * NS_PER_S
"""So long messages are kept to be sent again; one paragraph of the page says four hours, another one."""

POST_ONLY = "A"
SELF_TRADE_TYPES = {"D": DECREMENT, "O": EXPIRE_MAKER, "N": EXPIRE_TAKER, "B": EXPIRE_BOTH}
OF_SESSION = b"S"
OF_PROFILE = b"Y"


class CoinbaseOrders(CoinbaseDoor, ResendingFixOrders):
    """The order entry listener."""

    _venue: Venue
    longest_heart_bt_int_s = 30
    self_trade = DECREMENT
    is_limited = True

    def __init__(
        self, venue: Venue, reports: Reports, drop_copy: CoinbaseDropCopy | None = None, *, resumes: bool = True
    ) -> None:
        """`resumes`: the server's numbers go on where a Logon(A) says so, and ResendRequest(2) is answered."""
        self._resumes = resumes
        self._drop_copy = drop_copy
        self._goes_on_at: dict[str, int] = {}
        self._cancels: dict[str, bytes] = {}
        self._since_ns: dict[str, int] = {}
        super().__init__(venue, reports)

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "D": self._new_order,
            "F": self._named_request(self._cancel),
            "G": self._named_request(self._replace),
            "q": self._mass_cancel,
            "H": self._status,
        }

    # ---- numbers

    def _session_settings(self, party: Party) -> SessionSettings:
        return replace(super()._session_settings(party), max_resend_range=LONGEST_PAGE)

    def _admit(self, raw: bytes) -> Client | str:
        client = super()._admit(raw)
        if isinstance(client, Client):
            self._begin_anew(client, split(raw))
        return client

    def _begin_anew(self, client: Client, fields: Mapping[bytes, bytes]) -> None:
        """The client's numbers begin at 1, and ours too unless it wants them to go on."""
        name, reset = client.party.comp_id, fields.get(b"141", b"Y")
        self._goes_on_at[name] = client.session.next_outbound if self._resumes and reset == b"N" else 0
        self._cancels[name] = fields.get(b"8013", b"")
        if not self._goes_on_at[name] and b"141" not in fields:
            client.generation += 1
        client.session.reset(1, 1)

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        super()._perform(client, effect, now)
        if type(effect) is LoggedOn:
            self._since_ns[client.party.comp_id] = now.wall_ns
            self._go_on(client, self._goes_on_at.pop(client.party.comp_id, 0), now)

    def _go_on(self, client: Client, next_outbound: int, now: Instant) -> None:
        """SequenceReset(4) without PossDupFlag(43), behind the answer to Logon(A): it tells where our numbers are."""
        number = client.session.next_outbound
        if next_outbound <= number or client.line is None:
            return
        head = f"35=4\x0134={number}\x0149={self._venue.settings.comp_id}\x01"
        stamp = f"52={utc_timestamp(now.wall_ns).decode()}\x0156={client.party.comp_id}\x01"
        raw = encode(wire.BEGIN_STRING.encode(), f"{head}{stamp}123=Y\x0136={next_outbound}\x01".encode("latin-1"))
        self._venue.lines.write(client.line, raw, now)
        client.session.next_outbound = next_outbound

    def _stored(self, client: Client, wanted: ResendWanted) -> Iterable[tuple[int, bytes]]:
        messages = list(super()._stored(client, wanted)) if self._resumes else []
        newest_ns = max((_sent_ns(raw) for _, raw in messages), default=0)
        return [(number, raw) for number, raw in messages if _sent_ns(raw) > newest_ns - KEPT_NS]

    # ---- a connection that ends

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        """CancelOrdersOnDisconnect(8013): those of the session, or those of the whole profile."""
        super()._part(client, line, now)
        covers = self._cancels.pop(client.party.comp_id, b"")
        for symbol in self._venue.state.instruments:
            for order in self._venue.state.open_orders(client.party.account, symbol):
                if covers == OF_PROFILE or (covers == OF_SESSION and order.session == client.party.comp_id):
                    self._venue.engine.cancel(order, now, Cause.DISCONNECTED)

    # ---- reports

    def _copied(self, account: str, body: bytes, now: Instant) -> None:
        if self._drop_copy is not None:
            self._drop_copy.tell(account, body, now)

    # ---- requests

    def _named_request(self, handler: Handler) -> Handler:
        """The handler of a request whose ClOrdID(11) has the venue's form."""

        def answer(client: Client, request: Request, now: Instant) -> None:
            wire.client_uuid(request, 11)
            handler(client, request, now)

        return answer

    def _terms(self, client: Client, request: Request) -> Terms:
        name, ord_type, time_in_force = wire.client_uuid(request, 11), request.text(40), request.text(59)
        for tag, told, known in (
            (40, ord_type, (MARKET, LIMIT, STOP_LIMIT)),
            (59, time_in_force, (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL, GOOD_TILL_DATE)),
            (1109, request.optional(1109), ("", "U" if request.text(54) == BUY else "D")),
            (18, request.optional(18), ("", POST_ONLY)),
        ):
            if told not in known:
                raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
        is_limit = ord_type in (LIMIT, STOP_LIMIT)
        for tag, wanted in ((44, is_limit), (99, ord_type == STOP_LIMIT), (126, time_in_force == GOOD_TILL_DATE)):
            if wanted and not request.has(tag):
                raise BadField(MISSING, tag, "Required tag missing")
        cash_qty = request.decimal(152) if request.has(152) and ord_type == MARKET else None
        symbol, side = request.text(55), request.text(54)
        qty = request.decimal(38) if cash_qty is None else self._venue.engine.base_for(symbol, side, cash_qty)
        return Terms(
            client.party.account, client.party.comp_id, name, symbol, side, ord_type, qty,
            request.decimal(44) if is_limit else None, time_in_force, request.optional(18) == POST_ONLY,
            display_qty=request.decimal(1138) if request.has(1138) else None, cash_qty=cash_qty,
            stop_px=request.decimal(99) if ord_type == STOP_LIMIT else None,
            expire_ns=request.time_ns(126) if time_in_force == GOOD_TILL_DATE else 0,
        )  # fmt: skip

    def _prevention(self, request: Request) -> str:
        """SelfTradeType(7928)."""
        told = request.optional(7928)
        if told and told not in SELF_TRADE_TYPES:
            raise BadField(OUT_OF_RANGE, 7928, "Value is incorrect (out of range) for this tag")
        return SELF_TRADE_TYPES.get(told, "")

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        account, order_id = client.party.account, wire.order_number(request.optional(37))
        found = self._venue.find(account, symbol, order_id, "") if order_id else None
        return found if found is not None else self._venue.find(account, symbol, "", cl_ord_id)

    def _may_replace(self, wish: Wish, request: Request, order: Order) -> bool:
        """A replacement names no side, and goes through the connection that placed the order; a stop order that was
        triggered has none."""
        name = wish.client.party.comp_id
        is_here = order.session == name and order.stamp_ns >= self._since_ns.get(name, 0)
        return is_here and request.text(40) == order.ord_type and not order.triggered

    def _mass_cancel(self, client: Client, request: Request, now: Instant) -> None:
        """530=6: what this session has placed, of every symbol. The report goes first, then an ExecutionReport(8) for
        each order."""
        asked = MassCancel(wire.client_uuid(request, 11), request.text(530), "")
        request.text(60)
        mine = [
            order
            for symbol in self._venue.state.instruments
            for order in self._venue.state.open_orders(client.party.account, symbol)
            if order.session == client.party.comp_id
        ]
        is_known = asked.request_type == SESSION_ORDERS
        self._send(client, "r", self._reports.mass_cancelled(asked, "", len(mine) if is_known else None, 0), now)
        for order in mine if is_known else ():
            self._venue.engine.cancel(order, now, Cause.MASS_CANCEL)

    def _described(self, request: Request) -> Named:
        return Named(request.optional(11), request.optional(37), request.text(55), "")


def _sent_ns(raw: bytes) -> int:
    return parse_utc_timestamp(split(raw)[b"52"])
