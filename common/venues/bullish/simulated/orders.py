"""Bullish's simulated order entry: who is let in, which requests it takes, and what it does when a line is lost.

Source: bullish-exchange/api-docs, FIX Protocol Specification v1.0.13. Stop-limit orders, margin, reference data, status
messages, drop copy, amendments that leave a term out and the threshold of numbers are not simulated.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from common.exchange.engine import Cause, Refusal
from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import REPLACE, MassCancel, ResendingFixOrders, Wish
from common.exchange.limits import Window
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
from common.exchange.requests import BAD_FORMAT, MISSING, OUT_OF_RANGE, BadField, Request
from common.exchange.settings import Key, Party
from common.exchange.venue import Venue
from common.fix.session import Effect, LoggedOut, SessionSettings
from common.fix.wire import encode, split, utc_timestamp
from common.instant import Instant
from common.venues.bullish.simulated.reports import RATE, RATE_TEXT, BullishReports

HEART_BT_INT = b"30"
BAD_LOGIN = 5
ACTIVE = b"1409=0\x01"
INVALID_MSG_TYPE = 11
POST_ONLY_TYPE = "p"
ORDERS_PER_S = 50
ALL_OF_THE_ACCOUNT = "7"
HIGHEST_NAME = 10**17
_NAME = re.compile(r"[1-9][0-9]{0,17}")
_TIMES_IN_FORCE = (GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL)
_ALWAYS = {"D": (1, 38, 40, 54, 55, 60), "F": (1, 41, 55, 60), "G": (1, 41, 55, 60), "q": (1, 60, 530)}


class BullishOrders(ResendingFixOrders):
    """The order entry listener. When the connection of a session is lost, all that is open in the accounts that traded
    on it is cancelled, whoever placed it.
    """

    late_refusals = frozenset({Refusal.WOULD_TAKE})
    _reports: BullishReports

    def __init__(self, venue: Venue) -> None:
        self._traders = {key.account: key for key in venue.settings.keys_for("fix") if key.account_id}
        super().__init__(venue, BullishReports({its: key.account_id for its, key in self._traders.items()}))
        self._traded: set[str] = set()
        self._took_leave: set[str] = set()
        self._rates: dict[str, Window] = {}

    def _handlers(self) -> Mapping[str, Handler]:
        handlers = {"D": self._new_order, "F": self._cancel, "G": self._replace, "q": self._mass_cancel}
        return {msg_type: partial(self._take, handler) for msg_type, handler in handlers.items()}

    # ---- who is let in, and what becomes of the orders when his line is lost

    def _session_settings(self, party: Party) -> SessionSettings:
        """TargetSubID(57) of what it says is the trader."""
        trader = self._traders[party.account].api_key
        settings = super()._session_settings(party)
        return replace(settings, header_fields=f"57={trader}\x01".encode(), logon_fields=lambda number, time: ACTIVE)

    def _why_refused(self, raw: bytes, now: Instant) -> str:
        fields = split(raw)
        party = self._parties.get(fields.get(b"49", b"").decode("ascii", "replace"))
        if fields.get(b"35") != b"A" or party is None:
            return "the first message is no Logon(A) of a known client"
        if fields.get(b"108") != HEART_BT_INT:
            return "HeartBtInt must be 30"
        if fields.get(b"141") not in (b"Y", b"N"):
            return "ResetSeqNumFlag is required"
        if not _is_entered(self._traders[party.account], fields):
            return "Bad login"
        return ""

    def _farewell(self, raw: bytes, why: str, now: Instant) -> bytes:
        """Logout(5) with SessionStatus(1409)."""
        f = split(raw)
        if f.get(b"35") != b"A":
            return b""
        head = b"35=5\x0134=1\x0149=%b\x0152=%b\x0156=%b\x01" % (f[b"56"], utc_timestamp(now.wall_ns), f[b"49"])
        return encode(b"FIX.4.4", head + f"58={why}\x011409={BAD_LOGIN}\x01".encode())

    def _admit(self, raw: bytes) -> Client | str:
        client = super()._admit(raw)
        if isinstance(client, Client):
            self._took_leave.discard(client.party.comp_id)
            self._traded.discard(client.party.comp_id)
        return client

    def _perform(self, client: Client, effect: Effect, now: Instant) -> None:
        if type(effect) is LoggedOut:
            self._took_leave.add(client.party.comp_id)
        super()._perform(client, effect, now)

    def _part(self, client: Client, line: Line, now: Instant) -> None:
        super()._part(client, line, now)
        name, state = client.party.comp_id, self._venue.state
        if name in self._took_leave or name not in self._traded:
            return
        for symbol in state.instruments:
            for order in state.open_orders(client.party.account, symbol):
                self._venue.engine.cancel(order, now, Cause.DISCONNECTED)

    # ---- requests

    def _answer(self, client: Client, request: Request, now: Instant) -> None:
        """There is no BusinessMessageReject(j)."""
        if request.msg_type in self._answers:
            super()._answer(client, request, now)
        else:
            bad = BadField(INVALID_MSG_TYPE, 35, "Invalid MsgType")
            self._send(client, "3", request.rejected(bad), now)

    def _take(self, handler: Handler, client: Client, request: Request, now: Instant) -> None:
        """What every request must have comes first, then the name, then how many there were."""
        trader = self._traders[client.party.account]
        for tag in (11, 50, *_ALWAYS[request.msg_type]):
            request.text(tag)
        for tag, ours in ((50, trader.api_key), (1, trader.account_id)):
            if request.text(tag) != ours:
                raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
        name = request.text(11)
        if not _NAME.fullmatch(name) or int(name) > HIGHEST_NAME:
            raise BadField(BAD_FORMAT, 11, "Incorrect data format for value")
        self._traded.add(client.party.comp_id)
        if request.msg_type == "D":
            self._take_order(handler, client, request, now)
        elif request.msg_type == "G" and not self._has_room(client, now):
            wish = self._wish(client, request, REPLACE)
            order = self._find(client, request, "", wish.orig_cl_ord_id)
            self._send(client, "9", self._reports.wish_refused(wish, order, RATE, RATE_TEXT, now.wall_ns), now)
        else:
            handler(client, request, now)

    def _take_order(self, handler: Handler, client: Client, request: Request, now: Instant) -> None:
        terms, stamp_ns, unique = self._terms(client, request), now.wall_ns, self._venue.unique
        if not self._has_room(client, now):
            body = self._reports.rejected_for(terms, unique(), RATE, RATE_TEXT, stamp_ns)
        elif self._venue.history.order_named(terms.account, terms.cl_ord_id) is not None:
            body = self._reports.rejected(terms, unique(), Refusal.DUPLICATE, Refusal.DUPLICATE.value, stamp_ns)
        else:
            handler(client, request, now)
            return
        self._send(client, "8", body, now)

    def _has_room(self, client: Client, now: Instant) -> bool:
        """Count an order or an amendment of the trading account; cancels are exempt."""
        return self._rates.setdefault(client.party.account, Window(1)).count(now.boot_ns) <= ORDERS_PER_S

    def _terms(self, client: Client, request: Request) -> Terms:
        told, time_in_force = request.text(40), request.optional(59) or GOOD_TILL_CANCEL
        post_only, ord_type = told == POST_ONLY_TYPE, LIMIT if told == POST_ONLY_TYPE else told
        if ord_type == LIMIT and not request.has(44):
            raise BadField(MISSING, 44, "Required tag missing")
        for tag, wrong in ((40, ord_type not in (LIMIT, MARKET)), (44, ord_type == MARKET and request.has(44)),
                           (59, time_in_force not in _TIMES_IN_FORCE),
                           (59, post_only and time_in_force != GOOD_TILL_CANCEL)):  # fmt: skip
            if wrong:
                raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), request.text(55), request.text(54), ord_type,
            request.decimal(38), request.decimal(44) if ord_type == LIMIT else None,
            GOOD_TILL_CANCEL if ord_type == MARKET else time_in_force, post_only,
        )  # fmt: skip

    def _may_replace(self, wish: Wish, request: Request, order: Order) -> bool:
        """Only what rests without a fill, and its kind stays."""
        kind = POST_ONLY_TYPE if order.post_only else order.ord_type
        return not order.cum_qty and order.resting and (request.optional(40) or kind) == kind

    def _carry_out_cancel(self, client: Client, order: Order, asked: Asked, now: Instant) -> None:
        """That the cancel is pending is told first."""
        self._send(client, "8", self._reports.pending_cancel(order, now.wall_ns, asked), now)
        super()._carry_out_cancel(client, order, asked, now)

    def _meant(self, client: Client, asked: MassCancel) -> list[Order] | None:
        """All of the trading account, or of one symbol of it."""
        if asked.request_type != ALL_OF_THE_ACCOUNT:
            raise BadField(OUT_OF_RANGE, 530, "Value is incorrect (out of range) for this tag")
        if not asked.symbol:
            return super()._meant(client, asked)
        state = self._venue.state
        return state.open_orders(client.party.account, asked.symbol) if asked.symbol in state.instruments else None


def _is_entered(trader: Key, fields: Mapping[bytes, bytes]) -> bool:
    """Whether trader and password are his."""
    return fields.get(b"50") == trader.api_key.encode() and hmac.compare_digest(fields.get(b"554", b""), trader.secret)
