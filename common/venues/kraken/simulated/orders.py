"""Kraken's simulated order entry: who is let in, which requests it takes, and what it does when a line is lost.

Source: docs.kraken.com, Unified FIX, as of May 2026. Margin is not simulated.
"""

from collections.abc import Mapping
from functools import partial

from common.exchange.changes import Change, Closed, Placed
from common.exchange.engine import Cause, Refusal
from common.exchange.faults import Kind
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import CANCEL, MassCancel, Named, ResendingFixOrders, Spelling, Wish
from common.exchange.history import ClosedOrder
from common.exchange.lines import Line
from common.exchange.order import (
    FILL_OR_KILL,
    GOOD_TILL_CANCEL,
    GOOD_TILL_DATE,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    Asked,
    Order,
    Terms,
)
from common.exchange.requests import BAD_FORMAT, MISSING, OUT_OF_RANGE, BadField, Request
from common.exchange.venue import Venue
from common.fix.dictionary import Dictionary
from common.fix.session import Effect, LoggedOut
from common.fix.wire import encode, parse_utc_timestamp, split, utc_timestamp
from common.instant import NS_PER_S, Instant
from common.venues.kraken.simulated.door import INVALID_KEY, Door
from common.venues.kraken.simulated.limits import RATE_EXCEEDED, Counters
from common.venues.kraken.simulated.names import LastNames
from common.venues.kraken.simulated.reports import NOT_AVAILABLE, OTHER, TAKE_PROFITS, KrakenReports, refused

INTERNAL_ERROR = "EGeneral:Internal error"
DEADLINE_ELAPSED = "EService:Deadline elapsed"
BAD_DEADLINE = "EGeneral:Invalid arguments:deadline"
NEAREST_NS, FURTHEST_NS = 2 * NS_PER_S, 60 * NS_PER_S
ROLLOVER_NS = 22 * 3600 * NS_PER_S
OUTAGE_NS = 30 * NS_PER_S
DAY_NS = 86_400 * NS_PER_S
POST_ONLY = "P"
OF_THE_SESSION_IN_A_SYMBOL, OF_THE_SESSION, OF_THE_ACCOUNT = "1", "6", "7"
_STOP_OF = {told: ord_type for ord_type, told in TAKE_PROFITS.items()}
_TIMES_IN_FORCE = (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL, GOOD_TILL_DATE)
BY_LAST_TRADE = "5"
_ALWAYS = {
    "D": (38, 40, 54, 55, 59, 60), "F": (54, 55, 60), "G": (37, 38, 40, 41, 54, 55, 59, 60), "q": (60, 530),
    "H": (37, 55),
}  # fmt: skip


class KrakenOrders(ResendingFixOrders):
    """The order entry listener. An order belongs to the session that placed it until that session's numbers are reset:
    a cancel finds it no longer then.
    """

    spelling = Spelling(refused="j", wish_refused="j", unknown="j", mass_cancelled="j")
    refusal = INVALID_KEY
    late_refusals = frozenset({Refusal.WOULD_TAKE})

    def __init__(self, venue: Venue, counters: Counters) -> None:
        super().__init__(venue, KrakenReports())
        self._counters = counters
        self._door = Door(venue.settings.keys_for("fix"), venue.settings.parties)
        self._names = LastNames()
        self._keeping: set[str] = set()
        self._took_leave: set[str] = set()
        self._placed_in: dict[int, int] = {}
        self._day: int | None = None
        self._rollover_boot_ns = 1 << 62

    def _handlers(self) -> Mapping[str, Handler]:
        handlers = {
            "D": self._new_order, "F": self._cancel, "G": self._replace, "q": self._mass_cancel, "H": self._status,
        }  # fmt: skip
        return {msg_type: partial(self._take, handler) for msg_type, handler in handlers.items()}

    # ---- who is let in, and what becomes of his orders when his line is lost

    def _why_refused(self, raw: bytes, now: Instant) -> str:
        if _is_outage(now):
            return "the session is rolled over"
        return self._door.why_refused(raw, now)

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        """Logout(5) to whoever is known by his CompID(49), as an answer to the number that he gave."""
        f = split(raw)
        if f.get(b"49", b"").decode("ascii", "replace") not in self._parties:
            return b""
        head = f"35=5\x0134=1\x0149={self._comp_id}\x0152={utc_timestamp(now.wall_ns).decode()}\x01"
        return encode(b"FIX.4.4", head.encode() + b"56=%b\x0158=%b\x01" % (f[b"49"], why.encode()))

    def _admit(self, raw: bytes) -> Client | str:
        client = super()._admit(raw)
        if isinstance(client, Client):
            name, fields = client.party.comp_id, split(raw)
            self._took_leave.discard(name)
            self._keeping.discard(name)
            if fields.get(b"8674") == b"1":
                self._keeping.add(name)
            if fields.get(b"5030") == b"Y":
                self._names.forget(name)
        return client

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        if type(effect) is LoggedOut:
            self._took_leave.add(client.party.comp_id)
        super()._perform(client, effect, now)

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        super()._part(client, line, now)
        name = client.party.comp_id
        if name in self._took_leave or name in self._keeping:
            return
        for order in self._of_session(client):
            self._venue.engine.cancel(order, now, Cause.DISCONNECTED)

    def _of_session(self, client: Client, symbol: str = "") -> list[Order]:
        """What the session has placed, since its numbers were reset, and is open yet."""
        state, party = self._venue.state, client.party
        symbols = [symbol] if symbol else list(state.instruments)
        orders = [order for each in symbols for order in state.open_orders(party.account, each)]
        return [order for order in orders if order.session == party.comp_id and self._is_of_today(client, order)]

    def _is_of_today(self, client: Client, order: Order) -> bool:
        return self._placed_in.get(order.order_id, client.generation) == client.generation

    # ---- the day

    def settle(self, now: Instant) -> None:
        """At a turn's end: see to the day, too. At 22:00 UTC each session ends, and its numbers begin at 1."""
        day, since_ns = divmod(now.wall_ns - ROLLOVER_NS, DAY_NS)
        if self._day is not None and day > self._day:
            for client in self._clients.values():
                self._roll_over(client, now)
        self._day, self._rollover_boot_ns = day, now.boot_ns + DAY_NS - since_ns
        super().settle(now)

    def _roll_over(self, client: Client, now: Instant) -> None:
        """The venue itself takes leave, so that nothing is cancelled."""
        self._took_leave.add(client.party.comp_id)
        if client.line is not None:
            client.session.logout("Session rollover", now)
            self._carry_out(client, now)
            self._hang_up(client, now)
        client.session.reset(1, 1)
        client.generation += 1

    def next_deadline_ns(self) -> int | None:
        """In boot terms."""
        due = super().next_deadline_ns()
        return self._rollover_boot_ns if due is None else min(due, self._rollover_boot_ns)

    # ---- requests

    def _take(self, handler: Handler, client: Client, request: Request, now: Instant) -> None:
        """What every request must have comes first, then whether the venue carries it out at all."""
        name, kind = request.text(11), request.msg_type
        for tag in _ALWAYS[kind]:
            request.text(tag)
        why = self._names.why_not(client.party.comp_id, name, now) or self._why_not(client, request, now)
        if why:
            self._send(client, "j", refused(kind, name, OTHER, why), now)
        elif kind == "D" and self._venue.faults.strikes(Kind.UNKNOWN, "fix"):
            terms = self._terms(client, request)
            if self._venue.engine.check(terms, now.wall_ns) is None:
                self._venue.engine.place(terms, now, Asked(hold=True))
            self._send(client, "j", refused(kind, name, OTHER, INTERNAL_ERROR), now)
        else:
            handler(client, request, now)

    def _why_not(self, client: Client, request: Request, now: Instant) -> str:
        """Why nothing is done, "" where it is: a fault, a deadline, a rate."""
        kind = request.msg_type
        if kind != "H" and self._venue.faults.strikes(Kind.LOST, "fix"):
            return INTERNAL_ERROR
        if request.has(62):
            try:
                left_ns = parse_utc_timestamp(request.text(62).encode()) - now.wall_ns
            except ValueError:
                raise BadField(BAD_FORMAT, 62, "Incorrect data format for value") from None
            if left_ns <= 0:
                return DEADLINE_ELAPSED
            if not NEAREST_NS <= left_ns <= FURTHEST_NS:
                return BAD_DEADLINE
        if kind == "D" and not self._counters.new(client.party.account, request.text(55), now):
            return RATE_EXCEEDED
        return ""

    def _terms(self, client: Client, request: Request) -> Terms:
        told, time_in_force, flags = request.text(40), request.text(59), set(request.optional(18).split())
        ord_type = _STOP_OF.get(told, told)
        limited, stops = ord_type in (LIMIT, STOP_LIMIT), ord_type in (STOP, STOP_LIMIT)
        for tag, wanted in ((44, limited), (99, stops), (126, time_in_force == GOOD_TILL_DATE)):
            if wanted and not request.has(tag):
                raise BadField(MISSING, tag, "Required tag missing")
        for tag, unknown in (
            (40, ord_type not in (LIMIT, MARKET, STOP, STOP_LIMIT)),
            (388, request.optional(388) not in ("", BY_LAST_TRADE)),
            (59, time_in_force not in _TIMES_IN_FORCE),
            (18, not flags <= {POST_ONLY}),
        ):
            if unknown:
                raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), request.text(55), request.text(54), ord_type,
            request.decimal(38), request.decimal(44) if limited else None, time_in_force, bool(flags),
            stop_px=request.decimal(99) if stops else None, take_profit=told in _STOP_OF,
            expire_ns=request.time_ns(126) if time_in_force == GOOD_TILL_DATE else 0,
            display_qty=request.decimal(1138) if request.has(1138) else None,
        )  # fmt: skip

    def _may_replace(self, wish: Wish, request: Request, order: Order) -> bool:
        """The order's type is as it was told, a take-profit order's too."""
        ord_type = TAKE_PROFITS[order.ord_type] if order.terms.take_profit else order.ord_type
        return request.text(54) == order.side and (request.optional(40) or ord_type) == ord_type

    def _wish(self, client: Client, request: Request, response_to: str) -> Wish:
        """By OrderID(37) or OrigClOrdID(41)."""
        if not request.has(37) and not request.has(41):
            raise BadField(MISSING, 41, "Required tag missing")
        return Wish(client, request.text(11), request.optional(41), response_to)

    def _open(self, wish: Wish, request: Request, now: Instant) -> Order | None:
        order = super()._open(wish, request, now)
        if order is None:
            return None
        if wish.response_to == CANCEL and not self._is_of_today(wish.client, order):
            self._refuse_wish(wish, order, Refusal.UNKNOWN_ORDER, now)
            return None
        if wish.response_to != CANCEL and not self._counters.amended(order, now):
            self._send(wish.client, "j", refused("G", wish.cl_ord_id, OTHER, RATE_EXCEEDED), now)
            return None
        return order

    def _find(self, client: Client, request: Request, symbol: str, cl_ord_id: str) -> Order | ClosedOrder | None:
        """By OrderID(37) alone where it is there."""
        order_id = request.optional(37)
        return self._venue.find(client.party.account, symbol, order_id, "" if order_id else cl_ord_id)

    def _meant(self, client: Client, asked: MassCancel) -> list[Order] | None:
        kind, symbol = asked.request_type, asked.symbol
        if kind == OF_THE_SESSION_IN_A_SYMBOL:
            if not symbol:
                raise BadField(MISSING, 55, "Required tag missing")
            return self._of_session(client, symbol) if symbol in self._venue.state.instruments else None
        if kind == OF_THE_SESSION:
            return self._of_session(client)
        if kind != OF_THE_ACCOUNT:
            raise BadField(OUT_OF_RANGE, 530, "Value is incorrect (out of range) for this tag")
        state = self._venue.state
        return [order for each in state.instruments for order in state.open_orders(client.party.account, each)]

    def _asked_for(self, asked: MassCancel, order: Order) -> Asked | None:
        return Asked(asked.cl_ord_id, order.cl_ord_id)

    def _status(self, client: Client, request: Request, now: Instant) -> None:
        """OrderStatusRequest(H): by OrderID(37), under a name of its own."""
        name = request.text(11)
        if self._venue.faults.strikes(Kind.REJECT_STATUS, "fix"):
            self._send(client, "j", refused("H", name, NOT_AVAILABLE, "Application not available"), now)
            return
        found = self._find(client, request, request.text(55), "")
        if found is None:
            named = Named(name, request.text(37), request.text(55), request.optional(54))
            self._send_unknown(client, named, "", "", now)
        else:
            self._send(client, "8", self._state_of(found), now)

    def _reject(self, client: Client, request: Request, bad: BadField, now: Instant) -> None:
        name = Dictionary.load("FIX44").field_name(bad.tag)
        text = f"Missing mandatory field: {name} ({bad.tag})" if bad.reason == MISSING else f"{bad}: {name} ({bad.tag})"
        head = f"45={request.msg_seq_num}\x0158={text}\x01371={bad.tag}\x01372={request.msg_type}\x01"
        self._send(client, "3", f"{head}373={bad.reason}\x01".encode(), now)

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """Under which numbers an order was placed is kept while it is open, and a cancel by its owner counts."""
        client = self._clients.get(order.session)
        if type(change) is Placed and client is not None:
            self._placed_in[order.order_id] = client.generation
        elif not order.is_open:
            self._placed_in.pop(order.order_id, None)
        if type(change) is Closed and change.cause == Cause.USER:
            self._counters.cancelled(order, now)
        super().report(change, order, now, asked)


def _is_outage(now: Instant) -> bool:
    return (now.wall_ns - ROLLOVER_NS) % DAY_NS < OUTAGE_NS
