"""Dialect "binance", order entry: what D, F, q, XCN, XAK and XLQ do, and the reports of the whole account.

Source: binance-spot-api-docs, fix-api.md. Every session of an account hears of all its orders, REST's and other
sessions' included, unless it asked for ResponseMode(25036)=2, ONLY_ACKS.
"""

from collections.abc import Callable
from decimal import Decimal

from common.exchange.bare import bare
from common.exchange.changes import Amended, Change, Closed, Placed, Released, Traded, Triggered
from common.exchange.engine import Cause, Refusal, check_form
from common.exchange.faults import Fault, Kind
from common.exchange.order import (
    BUY,
    GOOD_TILL_CANCEL,
    LIMIT,
    MARKET,
    MARKET_PEG,
    OFFSET_BASIS_POINTS,
    OFFSET_LEVELS,
    PEGGED,
    PENDING_NEW,
    PRIMARY_PEG,
    STOP,
    STOP_LIMIT,
    TRAILING,
    Asked,
    Order,
    Terms,
)
from common.exchange.venue import Venue
from common.fix.wire import utc_timestamp
from common.instant import NS_PER_S, Instant
from common.venues.binance.simulated import lists, wire
from common.venues.binance.simulated.drop_copy import BinanceDropCopy
from common.venues.binance.simulated.session import ORDER_ENTRY, BinanceGateway, Peer
from common.venues.binance.simulated.wire import Fields, Rejection, fixed

MAX_AMENDMENTS = 10
ORDER_WINDOW_S = 10
MAKER_RETURN = 5
ONLY_NEW = "1"
ONLY_PARTIALLY_FILLED = "2"
MOST_LEVELS = 100

UNKNOWN_TEXT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
UNEXPECTED_TEXT = "An unexpected response was received from the message bus. Execution status unknown."

_EXPIRY_REASON = {
    Cause.UNFILLED: "5",
    Cause.FILL_OR_KILL: "6",
    Cause.NO_LIQUIDITY: "7",
    Cause.RIVAL: "3",
    Cause.LIST: "4",
}


class UnfilledOrders:
    """The unfilled order count of an account in fixed intervals: what is filled gives its place back."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._interval = -1
        self._used = 0

    def used(self, now: Instant) -> int:
        """How much of the limit is used in this interval."""
        interval = now.wall_ns // (ORDER_WINDOW_S * NS_PER_S)
        if interval != self._interval:
            self._interval, self._used = interval, 0
        return self._used

    def add(self, count: int, now: Instant) -> None:
        """Orders placed, or, below zero, given back."""
        self._used = max(0, self.used(now) + count)


class Task(Asked):
    """One request under way. With `silent` its answers and acks are swallowed: its sender is told that nothing is
    known."""

    __slots__ = ("peer", "silent")

    def __init__(self, peer: Peer, *, silent: bool, cl_ord_id: str = "", orig_cl_ord_id: str = "") -> None:
        super().__init__(cl_ord_id, orig_cl_ord_id)
        self.peer = peer
        self.silent = silent

    def named(self, cl_ord_id: str, order: Order) -> "Task":
        """The same where it changes `order`, whose reports bear both names."""
        return Task(self.peer, silent=self.silent, cl_ord_id=cl_ord_id, orig_cl_ord_id=order.cl_ord_id)


class BinanceOrders(BinanceGateway):
    """The order entry listener."""

    def __init__(self, venue: Venue, drop_copy: BinanceDropCopy) -> None:
        super().__init__(venue, ORDER_ENTRY)
        self._drop_copy = drop_copy
        self._unfilled = UnfilledOrders(venue.settings.unfilled_order_limit)
        self._handlers: dict[str, Callable[[Task, Fields, Instant], None]] = {
            "D": self._new_order,
            "F": self._cancel,
            "q": self._mass_cancel,
            "XCN": self._cancel_and_new,
            "XAK": self._amend,
            "XLQ": self._limits,
        }

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """An order of an account changed: every session of that account hears of it."""
        if type(change) is Traded:
            self._unfilled.add(-MAKER_RETURN if change.maker_id == order.order_id else -1, now)
        body = self._body(change, order, asked)
        if body is None:
            return
        if type(change) is Traded and self._venue.leaves_out(order.cl_ord_id):
            body = bare(body)
        task = asked if isinstance(asked, Task) else None
        pushed = type(change) is Traded or (type(change) is Closed and change.ord_status != "4")
        self._drop_copy.tell(order.account, "8", body, now)
        for peer in self._peers.values():
            if not peer.logged_on or peer.account != order.account:
                continue
            is_own = task is not None and peer is task.peer
            if task is not None and is_own and task.silent and not pushed:
                continue
            if peer.only_acks and (pushed or not is_own):
                continue
            if asked is not None and asked.held is not None:
                asked.held.append((peer.comp_id, body))
            else:
                peer.send("8", body, now)
        if order.terms.list_id and not order.is_open and order.terms.list_id not in self._venue.state.lists:
            self._list_done(order, now)

    def _list_done(self, order: Order, now: Instant) -> None:
        """Nothing of a list is open any more: ListStatus(N) says so."""
        list_id = order.terms.list_id
        found = self._venue.history.orders(order.account, order.symbol, list_id, lists.MOST_ORDERS)
        orders = [(each.terms, each.order_id) for each in found if each.terms.list_id == list_id]
        body = lists.status(lists.kind_of(orders), orders, (lists.ALL_DONE_TYPE, lists.ALL_DONE), now.wall_ns, None)
        self._push_list(order.account, body, now)

    def _push_list(self, account: str, body: bytes, now: Instant) -> None:
        self._drop_copy.tell(account, "N", body, now)
        for peer in self._peers.values():
            if peer.logged_on and peer.account == account and not peer.only_acks:
                peer.send("N", body, now)

    def _body(self, change: Change, order: Order, asked: Asked | None) -> bytes | None:
        terms, names = order.terms, ""
        if asked is not None and asked.cl_ord_id:
            names = f"11={asked.cl_ord_id}\x0141={asked.orig_cl_ord_id}\x01"
        if type(change) is Placed:
            return _report(order, terms, change.exec_id, "0", change.stamp_ns)
        if type(change) is Released or type(change) is Triggered:
            # It goes on the book: told as of an order list's pending leg that does.
            return _report(order, terms, change.exec_id, "0", change.stamp_ns)
        if type(change) is Traded:
            return self._fill(order, terms, change)
        if type(change) is Closed:
            if change.ord_status == "4":
                # Of a list each order is told under the name of the request that was for one of them.
                name = self._venue.unique() if asked is None or not asked.cl_ord_id else asked.cl_ord_id
                names = f"11={name}\x0141={terms.cl_ord_id}\x01"
            reason = _EXPIRY_REASON.get(Cause(change.cause), "")
            why = f"25056={reason}\x01" if reason and change.ord_status != "4" else ""
            if change.cause == Cause.SELF_TRADE:
                why = f"25024={change.exec_id}\x01"
            return _report(order, terms, change.exec_id, change.ord_status, change.stamp_ns, names, why)
        if type(change) is Amended:
            return _report(order, terms, change.exec_id, "5", change.stamp_ns, names)
        return None

    def _fill(self, order: Order, terms: Terms, change: Traded) -> bytes:
        maker = change.maker_id == order.order_id
        instrument = self._venue.state.instruments[order.symbol]
        fee = change.maker_fee if maker else change.taker_fee
        currency = instrument.fee_asset(order.side)
        last = (
            f"1057={'N' if maker else 'Y'}\x011003={change.trade_id}\x0131={fixed(change.px)}\x01574=1\x01"
            f"136=1\x01137={fixed(fee)}\x01138={currency}\x01139=4\x01"
        )
        exec_id = change.exec_id if maker else change.exec_id + 1
        return _report(order, terms, exec_id, "F", change.stamp_ns, "", last, change.qty)

    # ---- requests

    def _request(self, peer: Peer, msg_type: str, f: Fields, fields: list[list[bytes]], seq: int, now: Instant) -> None:
        changes_state = msg_type != "XLQ"
        if changes_state and self._venue.faults.strikes(Kind.LOST, "fix"):
            raise Rejection(wire.UNEXPECTED_RESPONSE, UNEXPECTED_TEXT)
        unknown = self._venue.faults.strikes(Kind.UNKNOWN, "fix") if changes_state else None
        try:
            task = Task(peer, silent=unknown is not None)
            if msg_type == "E":
                self._new_list(task, f, fields, now)
            else:
                self._handlers[msg_type](task, f, now)
        except Rejection:
            if unknown is None:
                raise
        if unknown is not None:
            raise Rejection(wire.UNKNOWN_STATUS, UNKNOWN_TEXT)

    def _answer(self, task: Task, msg_type: str, body: bytes, now: Instant) -> None:
        """A direct answer that is no report of a change."""
        if not task.silent:
            task.peer.send(msg_type, body, now)

    def _new_order(self, task: Task, f: Fields, now: Instant) -> None:
        terms = self._terms(task, f)
        self._place(task, terms, now)

    def _place(self, task: Task, terms: Terms, now: Instant) -> None:
        """Place an order, or refuse it with an ExecutionReport(8)."""
        refusal = self.why_not(terms, "fix", now)
        if refusal is not None:
            self._refuse_new(task, terms, *refusal, now)
            return
        self.admit(terms, now, task)

    def _new_list(self, task: Task, f: Fields, pairs: list[list[bytes]], now: Instant) -> None:
        """Place an order list, or refuse it as a whole with a ListStatus(N)."""
        name, kind = wire.client_id(f, 25014), wire.text(f, 1385)
        legs, pays = lists.legs_of(f, pairs), wire.optional(f, 25046) == "Y"
        if pays and kind != lists.ONE_TRIGGERS:
            raise Rejection(wire.BAD_COMBINATION, "OPO(25046) is of a list with a first order.", 5, 25046)
        legs = lists.paid(legs) if pays else legs
        list_id = self._venue.state.next_order_id
        alone = [self._terms(task, leg.fields) for leg in legs]
        if len({terms.symbol for terms in alone}) > 1:
            raise Rejection(wire.BAD_COMBINATION, "The orders of a list are of one symbol.", 5, 55)
        orders = [
            terms._replace(paid=pays and terms.pending)
            for terms in lists.with_roles(kind, legs, alone, list_id, name)
        ]
        refusal = self._why_no_list(orders, name, now)
        if refusal is not None:
            ids = [(terms, 0) for terms in orders]
            words = lists.RESPONSE, lists.REJECTED
            self._answer(task, "N", lists.status(kind, ids, words, now.wall_ns, refusal), now)
            return
        ids = [(terms, list_id + index) for index, terms in enumerate(orders)]
        body = lists.status(kind, ids, (lists.EXEC_STARTED, lists.EXECUTING), now.wall_ns, None)
        self._drop_copy.tell(task.peer.account, "N", body, now)
        for peer in self._peers.values():
            if peer.logged_on and peer.account == task.peer.account and not (task.silent and peer is task.peer):
                peer.send("N", body, now)
        for _ in orders:
            self.count_unfilled(now)
        self._venue.engine.place_list(orders, now, task)

    def _why_no_list(self, orders: list[Terms], name: str, now: Instant) -> tuple[int, str] | None:
        fault = self._venue.faults.strikes(Kind.REJECT, "fix")
        if fault is not None:
            return _commanded(fault)
        if self.is_full(now):
            return wire.TOO_MANY_ORDERS, self.too_many
        taken = any(
            each.terms.cl_list_id == name and each.account == orders[0].account
            for listed in self._venue.state.lists.values()
            for each in listed.values()
        )
        refusal = Refusal.DUPLICATE if taken else next(filter(None, map(_why_not_peg, orders)), None)
        refusal = refusal or self._venue.engine.check_list(orders)
        if refusal is Refusal.DUPLICATE:
            self._venue.count("duplicate_cl_ord_ids")
        return None if refusal is None else (wire.refusal_code(refusal), refusal.value)

    # ---- new orders, over FIX or REST

    def why_not(self, terms: Terms, scope: str, now: Instant) -> tuple[int, str] | None:
        """Code and text of why the listener `scope` does not take a new order, None where it does."""
        fault = self._venue.faults.strikes(Kind.REJECT, scope)
        if fault is not None:
            return _commanded(fault)
        if self.is_full(now):
            return wire.TOO_MANY_ORDERS, self.too_many
        refusal = _why_not_peg(terms) or self._venue.engine.check(terms)
        if refusal is Refusal.DUPLICATE:
            self._venue.count("duplicate_cl_ord_ids")
        return None if refusal is None else (wire.refusal_code(refusal), refusal.value)

    def admit(self, terms: Terms, now: Instant, asked: Asked | None = None) -> Order:
        """Place an order that nothing speaks against."""
        self.count_unfilled(now)
        return self._venue.engine.place(terms, now, asked)

    def is_full(self, now: Instant) -> bool:
        """Whether the unfilled order count has reached its limit."""
        return self._unfilled.used(now) >= self._unfilled.limit

    def count_unfilled(self, now: Instant) -> None:
        """An order was placed, or was not attempted behind a cancel that failed."""
        self._unfilled.add(1, now)

    @property
    def too_many(self) -> str:
        """What is said then."""
        return f"Too many new orders; current limit is {self._unfilled.limit} orders per {ORDER_WINDOW_S} SECOND."

    def priced(self, terms: Terms) -> Terms:
        """A pegged order with the price that the book gives it now, none where it gives none."""
        levels = int(terms.peg_offset or 0)
        price = self._venue.engine.pegged_price(terms.symbol, terms.side, terms.peg_price_type, levels)
        return terms._replace(price=price)

    # ---- requests over FIX

    def _refuse_new(self, task: Task, terms: Terms, code: int, text: str, now: Instant) -> None:
        body = _refused(terms, code, text, now.wall_ns)
        self._answer(task, "8", body, now)

    def _terms(self, task: Task, f: Fields) -> Terms:
        """The order that a D or XCN describes. Raises Rejection for what the form already forbids."""
        name = wire.client_id(f, 11)
        symbol = wire.text(f, 55)
        if symbol not in self._venue.state.instruments:
            raise Rejection(wire.BAD_SYMBOL, Refusal.UNKNOWN_SYMBOL.value, 5, 55)
        side, ord_type = wire.text(f, 54), wire.text(f, 40)
        if side not in ("1", "2"):
            raise Rejection(wire.BAD_SIDE, "Invalid side.", 5, 54)
        if ord_type not in (MARKET, LIMIT, STOP, STOP_LIMIT, PEGGED):
            raise Rejection(wire.BAD_ORDER_TYPE, "Invalid orderType.", 5, 40)
        post_only = b"18" in f
        if post_only and f[b"18"] != b"6":
            raise Rejection(wire.ILLEGAL_CHARACTERS, "ExecInst(18) must be '6'.", 5, 18)
        for tag in _unwanted(ord_type, post_only):
            if b"%d" % tag in f:
                raise Rejection(wire.NOT_REQUIRED, f"Parameter '{tag}' sent when not required.", 2, tag)
        has_price = ord_type in (LIMIT, STOP_LIMIT)
        has_time = ord_type in (LIMIT, STOP_LIMIT, PEGGED) and not post_only
        time_in_force = wire.text(f, 59) if has_time else GOOD_TILL_CANCEL
        if time_in_force not in ("1", "3", "4"):
            raise Rejection(wire.BAD_TIME_IN_FORCE, "Invalid timeInForce.", 5, 59)
        price = wire.decimal(f, 44) if has_price else None
        display_qty = wire.decimal(f, 111) if b"111" in f else None
        mode = self._venue.prevention(wire.optional(f, 25001))
        account, session = task.peer.account, task.peer.comp_id
        cash_qty = wire.decimal(f, 152) if b"152" in f and b"38" not in f else None
        order_qty = wire.decimal(f, 38) if cash_qty is None else self._venue.engine.base_for(symbol, side, cash_qty)
        terms = Terms(
            account, session, name, symbol, side, ord_type, order_qty, price, time_in_force, post_only, mode,
            display_qty=display_qty, cash_qty=cash_qty,
        )  # fmt: skip
        if ord_type in (STOP, STOP_LIMIT):
            return _triggered(f, terms)
        return self.priced(_pegged(f, terms)) if ord_type == PEGGED else terms

    def _target(self, task: Task, f: Fields) -> Order | None:
        """The open order that OrderID(37), OrigClOrdID(41) or both name. Raises Rejection where neither is given."""
        order_id, orig = wire.optional(f, 37), wire.client_id(f, 41, required=False)
        if b"66" in f or b"25015" in f:
            return self._of_list(task, wire.optional(f, 66), wire.optional(f, 25015))
        symbol = wire.text(f, 55)
        if symbol not in self._venue.state.instruments:
            raise Rejection(wire.BAD_SYMBOL, Refusal.UNKNOWN_SYMBOL.value, 5, 55)
        if not order_id and not orig:
            raise Rejection(wire.MISSING, "Either OrderID(37) or OrigClOrdID(41) must be sent.", 1)
        if order_id and not order_id.isdecimal():
            raise Rejection(wire.ILLEGAL_CHARACTERS, "Incorrect data format for tag '37'.", 6, 37)
        found = self._venue.find(task.peer.account, symbol, order_id, orig)
        if not isinstance(found, Order) or (orig and found.cl_ord_id != orig):
            return None
        return found

    def _of_list(self, task: Task, list_id: str, name: str) -> Order | None:
        """An open order of the list of ListID(66) or OrigClListID(25015): its cancel is that of the list."""
        for listed in self._venue.state.lists.values():
            for order in listed.values():
                named = list_id in ("", str(order.terms.list_id)) and name in ("", order.terms.cl_list_id)
                if order.account == task.peer.account and named:
                    return order
        return None

    def _cancel(self, task: Task, f: Fields, now: Instant) -> None:
        if self._venue.faults.strikes(Kind.SILENT, "fix"):
            return
        name = wire.client_id(f, 11)
        order = self._target(task, f)
        self._cancel_target(task, f, name, order, now)

    def _cancel_target(self, task: Task, f: Fields, name: str, order: Order | None, now: Instant) -> bool:
        """Cancel an order under the name of a request; False, and an OrderCancelReject(9), where it is not possible."""
        restriction = wire.optional(f, 25002)
        late = Asked(hold=True)
        if order is not None and order.resting and self._venue.faults.strikes(Kind.LATE_FILL, "fix"):
            self._venue.fill_late(order, now, late)
        if order is None or not order.is_open:
            self._refuse_cancel(task, f, name, wire.UNKNOWN_ORDER, now)
        elif restriction_holds(restriction, order):
            self._refuse_cancel(task, f, name, wire.RESTRICTED, now)
        else:
            self._venue.engine.cancel(order, now, asked=task.named(name, order))
        for comp_id, body in late.held or ():
            for other in self._peers.values():
                if other.comp_id == comp_id and other.logged_on:
                    other.send("8", body, now)
        return order is not None and order.ord_status == "4"

    def _refuse_cancel(self, task: Task, f: Fields, name: str, text: str, now: Instant) -> None:
        orig, order_id, restriction = wire.optional(f, 41), wire.optional(f, 37), wire.optional(f, 25002)
        body = (
            f"11={name}\x01{f'41={orig}{chr(1)}' if orig else ''}{f'37={order_id}{chr(1)}' if order_id else ''}"
            f"55={wire.text(f, 55)}\x01{f'25002={restriction}{chr(1)}' if restriction else ''}"
            f"434=1\x0125016={wire.CANCEL_REJECTED}\x0158={text}\x01"
        )
        self._answer(task, "9", body.encode(), now)

    def _mass_cancel(self, task: Task, f: Fields, now: Instant) -> None:
        """530=1: the account's orders of one symbol, whoever placed them. The report follows its cancels."""
        name, symbol = wire.client_id(f, 11), wire.text(f, 55)
        if wire.text(f, 530) != "1":
            raise Rejection(wire.ILLEGAL_CHARACTERS, "MassCancelRequestType(530) must be '1'.", 5, 530)
        if symbol not in self._venue.state.instruments:
            raise Rejection(wire.BAD_SYMBOL, Refusal.UNKNOWN_SYMBOL.value, 5, 55)
        head = f"55={symbol}\x0111={name}\x01530=1\x01"
        orders = self._venue.state.open_orders(task.peer.account, symbol)
        for order in orders:
            if order.is_open:
                self._venue.engine.cancel(order, now, Cause.MASS_CANCEL, task.named(name, order))
        if orders:
            body = f"{head}531=1\x01533={len(orders)}\x01"
        else:
            body = f"{head}531=0\x01532=99\x0125016={wire.CANCEL_REJECTED}\x0158={wire.UNKNOWN_ORDER}\x01"
        self._answer(task, "r", body.encode(), now)

    def _cancel_and_new(self, task: Task, f: Fields, now: Instant) -> None:
        """XCN: filters and counts first, the cancel always before the new order, which 25033=1 makes depend on it."""
        mode = wire.text(f, 25033)
        if mode not in ("1", "2"):
            raise Rejection(
                wire.ILLEGAL_CHARACTERS, "OrderCancelRequestAndNewOrderSingleMode(25033) must be '1' or '2'.", 5, 25033
            )
        terms = self._terms(task, f)
        cancel_name = wire.client_id(f, 25034, required=False) or self._venue.unique()
        order = self._target(task, f)
        refusal = check_form(self._venue.state.instruments[terms.symbol], terms)
        if refusal is not None:
            self._refuse_new(task, terms, wire.refusal_code(refusal), refusal.value, now)
            return
        if self.is_full(now):
            if wire.optional(f, 25038) == "2":
                self._cancel_target(task, f, cancel_name, order, now)
            self._refuse_new(task, terms, wire.TOO_MANY_ORDERS, self.too_many, now)
            return
        if self._cancel_target(task, f, cancel_name, order, now) or mode == "2":
            self._place(task, terms, now)
        else:
            self.count_unfilled(now)

    def _amend(self, task: Task, f: Fields, now: Instant) -> None:
        """XAK: a lower total quantity, in place. ClOrdID(11) may be the order's own or a new one."""
        name, order_qty = wire.client_id(f, 11), wire.decimal(f, 38)
        order = self._target(task, f)
        refusal = Refusal.UNKNOWN_ORDER if order is None else self._venue.engine.check_reduce(order, name, order_qty)
        if order is not None and order.terms.list_id:
            self._refuse_amend(task, f, name, order_qty, "Orders of a list are not amended here.", now)
            return
        if order is None or refusal is not None or order.amendments >= MAX_AMENDMENTS:
            reason = refusal.value if refusal is not None else "Filter failure: MAX_NUM_ORDER_AMENDS"
            self._refuse_amend(task, f, name, order_qty, reason, now)
            return
        self._venue.engine.reduce(order, task.named(name, order), order_qty, now)

    def _refuse_amend(self, task: Task, f: Fields, name: str, order_qty: Decimal, text: str, now: Instant) -> None:
        orig, order_id = wire.optional(f, 41), wire.optional(f, 37)
        body = (
            f"11={name}\x01{f'41={orig}{chr(1)}' if orig else ''}{f'37={order_id}{chr(1)}' if order_id else ''}"
            f"55={wire.text(f, 55)}\x0138={fixed(order_qty)}\x0125016={wire.AMEND_REJECTED}\x0158={text}\x01"
        )
        self._answer(task, "XAR", body.encode(), now)

    def _limits(self, task: Task, f: Fields, now: Instant) -> None:
        """XLQ: what is used of the order and message limits."""
        limits = self._door.limits
        body = (
            f"6136={wire.client_id(f, 6136)}\x0125003=2\x01"
            f"25004=1\x0125005={self._unfilled.used(now)}\x0125006={self._unfilled.limit}\x01"
            f"25007={ORDER_WINDOW_S}\x0125008=s\x01"
            f"25004=2\x0125005={task.peer.messages.used(now.boot_ns)}\x0125006={limits.messages}\x01"
            f"25007={limits.messages_s}\x0125008=s\x01"
        )
        task.peer.send("XLR", body.encode(), now)


def restriction_holds(restriction: str, order: Order) -> bool:
    """Whether CancelRestrictions(25002) keeps an order from being cancelled."""
    if restriction == ONLY_NEW:
        return bool(order.cum_qty)
    return restriction == ONLY_PARTIALLY_FILLED and not order.cum_qty


def _triggered(f: Fields, terms: Terms) -> Terms:
    """The order with what wakes it: TriggerPrice(1102), from the side that TriggerPriceDirection(1109) says, so that
    it is a stop or a take-profit order; with TriggerTrailingDeltaBips(25009) it trails, from that price on.
    """
    for tag, wanted in ((1100, "4"), (1101, "1"), (1107, "2")):
        if wire.text(f, tag) != wanted:
            raise Rejection(wire.BAD_ORDER_TYPE, "This trigger is not offered.", 5, tag)
    trails = b"25009" in f
    stop_px = None if trails and b"1102" not in f else wire.decimal(f, 1102)
    direction = wire.optional(f, 1109) if stop_px is None else wire.text(f, 1109)
    if direction not in ("U", "D") and (direction or stop_px is not None):
        raise Rejection(wire.ILLEGAL_CHARACTERS, "TriggerPriceDirection(1109) must be 'U' or 'D'.", 5, 1109)
    takes_profit = direction != ("U" if terms.side == BUY else "D")
    terms = terms._replace(stop_px=stop_px, take_profit=takes_profit)
    if not trails:
        return terms
    bips = wire.decimal(f, 25009)
    return terms._replace(peg_price_type=TRAILING, peg_offset=bips, peg_offset_type=OFFSET_BASIS_POINTS)


def _pegged(f: Fields, terms: Terms) -> Terms:
    """The order with what it takes its price from: PegPriceType(1094), so many price levels deep."""
    kind = wire.text(f, 1094)
    if kind not in (MARKET_PEG, PRIMARY_PEG) or wire.text(f, 835) != "1":
        raise Rejection(wire.BAD_ORDER_TYPE, "This peg is not offered.", 5, 1094)
    if b"211" not in f and b"836" not in f:
        return terms._replace(peg_price_type=kind)
    depth = wire.decimal(f, 211)
    if wire.text(f, 836) != OFFSET_LEVELS or depth % 1 or not 0 <= depth <= MOST_LEVELS:
        raise Rejection(wire.ILLEGAL_CHARACTERS, "PegOffsetValue(211) is a number of price levels.", 5, 211)
    return terms._replace(peg_price_type=kind, peg_offset=depth, peg_offset_type=OFFSET_LEVELS)


def _why_not_peg(terms: Terms) -> Refusal | None:
    """What this venue alone forbids of pegged and trailing orders."""
    if terms.is_trailing and terms.peg_offset is not None:
        in_bounds = wire.LEAST_TRAILING_DELTA <= terms.peg_offset <= wire.MOST_TRAILING_DELTA
        return None if in_bounds and not terms.peg_offset % 1 else Refusal.TRAILING_DELTA
    if not terms.is_pegged:
        return None
    primary = terms.peg_price_type == PRIMARY_PEG
    if (primary and terms.time_in_force != GOOD_TILL_CANCEL) or (terms.post_only and not primary):
        return Refusal.BAD_TERMS
    return Refusal.NOTHING_TO_PEG_TO if terms.price is None else None


_TRIGGER_TAGS = (1100, 1101, 1102, 1107, 1109, 25009)
_PEG_TAGS = (1094, 835, 836, 211)


def _unwanted(ord_type: str, post_only: bool) -> tuple[int, ...]:
    """Fields of other order types."""
    others: tuple[int, ...] = (25032,)
    if ord_type != MARKET:
        others += (152,)
    if ord_type != PEGGED:
        others += _PEG_TAGS
    if ord_type not in (STOP, STOP_LIMIT):
        others += _TRIGGER_TAGS
    if ord_type == PEGGED:
        others += (44,)
    if ord_type in (MARKET, STOP):
        return (44, 59, 18, 111, *others)
    return (59, *others) if post_only else others


def _commanded(fault: Fault) -> tuple[int, str]:
    return wire.NEW_ORDER_REJECTED, fault.text or "This action is disabled on this account."


def _report(
    order: Order,
    terms: Terms,
    exec_id: int,
    exec_type: str,
    stamp_ns: int,
    names: str = "",
    extra: str = "",
    last_qty: Decimal | None = None,
) -> bytes:
    """The body of an ExecutionReport(8), its fields in the dictionary's order."""
    price = "" if terms.price is None or terms.is_pegged else f"44={fixed(terms.price)}\x01"
    how = "18=6\x01" if terms.post_only else ""
    shown = "" if terms.display_qty is None else f"111={fixed(terms.display_qty)}\x01"
    shown += "" if terms.cash_qty is None else f"152={fixed(terms.cash_qty)}\x01"
    time_in_force = "" if terms.price is None else f"59={terms.time_in_force}\x01"
    listed = f"66={terms.list_id}\x01" if terms.list_id else ""
    trigger = _peg_fields(terms) if terms.is_pegged else _trigger_fields(terms)
    stamp, working = utc_timestamp(stamp_ns, 6).decode(), ""
    # What an order that is paid sells nobody knows before its list's first one is filled.
    qty = "" if terms.paid else f"38={fixed(terms.order_qty)}\x01"
    leaves = "" if terms.paid else f"151={fixed(order.leaves_qty)}\x01"
    ord_status = order.ord_status
    if exec_type == "0" and order.waits:
        ord_status, working = PENDING_NEW, "1057=Y\x01636=N\x01"
    elif exec_type == "0":
        # AggressorIndicator(1057)=Y stands in every New report, before anything was matched. WorkingTime(25023): since
        # when it can trade.
        working = "1057=Y\x01636=N\x01" if order.sleeps else f"1057=Y\x01636=Y\x0125023={stamp}\x01"
    return (
        f"17={exec_id}\x01{names or f'11={terms.cl_ord_id}{chr(1)}'}37={order.order_id}\x01"
        f"{qty}40={terms.ord_type}\x0154={terms.side}\x0155={terms.symbol}\x01{how}{price}{trigger}{time_in_force}"
        f"60={stamp}\x0125018={utc_timestamp(order.stamp_ns, 6).decode()}\x01{shown}"
        f"25001={terms.self_trade}\x01150={exec_type}\x0114={fixed(order.cum_qty)}\x01{leaves}"
        f"25017={fixed(order.cum_quote)}\x01{working}32={'0.00000000' if last_qty is None else fixed(last_qty)}\x01"
        f"39={ord_status}\x01{listed}{extra}"
    ).encode()


def _trigger_fields(terms: Terms) -> str:
    """What wakes a stop order, as a report has it."""
    if terms.ord_type not in (STOP, STOP_LIMIT):
        return ""
    at = "" if terms.stop_px is None else f"1102={fixed(terms.stop_px)}\x01"
    trailing = "" if terms.peg_offset is None else f"25009={terms.peg_offset:f}\x01"
    return f"1100=4\x011101=1\x01{at}1107=2\x011109={'U' if terms.rises else 'D'}\x01{trailing}"


def _peg_fields(terms: Terms) -> str:
    """What a pegged order took its price from, and PeggedPrice(839)."""
    depth = "" if terms.peg_offset is None else f"211={terms.peg_offset:f}\x01"
    counted = "" if terms.peg_offset is None else f"836={OFFSET_LEVELS}\x01"
    price = "" if terms.price is None else f"839={fixed(terms.price)}\x01"
    return f"{depth}1094={terms.peg_price_type}\x01835=1\x01{counted}{price}"


def _refused(terms: Terms, code: int, text: str, wall_ns: int) -> bytes:
    price = "" if terms.price is None or terms.is_pegged else f"44={fixed(terms.price)}\x01"
    return (
        f"11={terms.cl_ord_id}\x0138={fixed(terms.order_qty)}\x0140={terms.ord_type}\x0154={terms.side}\x01"
        f"55={terms.symbol}\x01{price}60={utc_timestamp(wall_ns, 6).decode()}\x01150=8\x0114=0.00000000\x01"
        f"151=0.00000000\x0125017=0.00000000\x0132=0.00000000\x0139=8\x01103=99\x0125016={code}\x0158={text}\x01"
    ).encode()
