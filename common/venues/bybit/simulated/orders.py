"""Dialect "bybit", order entry: what D, F and XAR do, and the reports of the whole account.

Source: bybit-exchange/docs, fix-api/{create-order,amend-order,cancel-order,execution-report}.mdx. A request is answered
by an acknowledgement to its sender alone; what became of an order is pushed to every session of its account, REST's
orders included, unless it asked for ResponseMode(25036)=2, ONLY_ACKS.
"""

from collections.abc import Callable
from decimal import Decimal

from common.exchange.changes import Amended, Change, Closed, Placed, Rested, Traded, Triggered
from common.exchange.engine import Refusal
from common.exchange.faults import Kind
from common.exchange.history import ClosedOrder
from common.exchange.limits import Window
from common.exchange.order import (
    BUY,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    FILL_OR_KILL,
    FILLED,
    GOOD_TILL_CANCEL,
    IMMEDIATE_OR_CANCEL,
    LIMIT,
    MARKET,
    NO_PREVENTION,
    STOP,
    STOP_LIMIT,
    Asked,
    Order,
    Terms,
)
from common.exchange.venue import Venue
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.venues.bybit.simulated import reports, wire
from common.venues.bybit.simulated.session import BybitGateway, Peer
from common.venues.bybit.simulated.wire import Code, Fields, Refused, Rejected

POST_ONLY = "P"
PUSHED_FIRST = 8
"""Of so many new orders one has its push before its acknowledgement, as the document warns."""

LIMITS = {"D": 20, "F": 20, "XAR": 10}
"""By MsgType(35), how many requests an account may make in a second."""

NOT_SPOKEN = frozenset(b"%d" % tag for tag in (30022, 30026, 30027, 30028, 30029, 30030, 30031, 30034))
"""Fields of take profit and stop loss beside an order, and of slippage: without them it would be another order."""

CONDITIONAL = "StopOrder"
_NOT_SIMULATED = Code(
    wire.BAD_PARAMETER.number, "TP/SL orders, changed triggers, slippage, leverage and RPI are not simulated."
)
_CONDITIONAL_TYPES = {MARKET: STOP, LIMIT: STOP_LIMIT}

_ANSWERS = {"D": "8", "F": "XCA", "XAR": "XAA"}
_SELF_TRADE = {
    "": NO_PREVENTION, "None": NO_PREVENTION, "CancelTaker": EXPIRE_TAKER, "CancelMaker": EXPIRE_MAKER,
    "CancelBoth": EXPIRE_BOTH,
}  # fmt: skip


class Task:
    """One request under way. `silent`: its sender is told that nothing is known, so nothing of it is told to him."""

    __slots__ = ("f", "msg_type", "now", "peer", "silent")

    def __init__(self, peer: Peer, msg_type: str, f: Fields, now: Instant) -> None:
        self.peer = peer
        self.msg_type = msg_type
        self.f = f
        self.now = now
        self.silent = False


class Batch:
    """What the order of a request does at once: its fills are told together, and that it is new only if it rests."""

    __slots__ = ("order_id", "placed", "pushes", "trades")

    def __init__(self, order_id: int) -> None:
        self.order_id = order_id
        self.placed: bytes | None = None
        self.trades: list[Traded] = []
        self.pushes: list[tuple[Peer, bytes]] = []


class BybitOrders(BybitGateway):
    """The order entry listener."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue)
        self._reports = reports.Reports(venue)
        self._used: dict[tuple[str, str], Window] = {}
        self._batch: Batch | None = None
        self._woken: set[int] = set()
        """Orders that were triggered, of which nothing was told since."""

        self._traces = 0
        self._handlers: dict[str, Callable[[Task], None]] = {
            "D": self._new_order,
            "F": self._cancel,
            "XAR": self._amend,
        }

    def settle(self, now: Instant) -> None:
        """Nobody here is told of public trades."""
        self._venue.engine.take_trades()

    # ---- reports

    def report(self, change: Change, order: Order, now: Instant, asked: Asked | None) -> None:
        """An order of an account changed: every session of that account hears of it."""
        batch = self._batch if self._batch is not None and self._batch.order_id == order.order_id else None
        has_woken = order.order_id in self._woken
        self._woken.discard(order.order_id)
        if type(change) is Triggered:
            self._woken.add(order.order_id)
            self._push(order.account, self._reports.triggered(order, change), now, asked)
        elif type(change) is Rested and has_woken:
            self._push(order.account, self._reports.state(order, "0", order.updated_ns), now, asked)
        elif type(change) is Traded:
            if batch is not None:
                batch.trades.append(change)
            else:
                self._push(order.account, self._reports.fills(order, [change]), now, asked)
        elif type(change) is Placed:
            body = self._reports.state(order, reports.UNTRIGGERED if order.sleeps else "0", change.stamp_ns)
            if batch is not None:
                batch.placed = body
            else:
                self._push(order.account, body, now, asked)
        elif type(change) is Closed:
            if batch is not None:
                batch.placed = None
                self._end_batch(batch, order, now)
            self._push(order.account, self._reports.closed(order, change), now, asked)
            self._reports.forget(order)
        elif type(change) is Amended:
            self._push(order.account, self._reports.state(order, "5", change.stamp_ns), now, asked)

    def _end_batch(self, batch: Batch, order: Order | ClosedOrder, now: Instant) -> None:
        trades, placed = batch.trades, batch.placed
        batch.trades, batch.placed = [], None
        if trades:
            self._push(order.terms.account, self._reports.fills(order, trades), now, None)
        elif placed is not None:
            self._push(order.terms.account, placed, now, None)

    def _push(self, account: str, body: bytes, now: Instant, asked: Asked | None) -> None:
        for peer in self._peers.values():
            if not peer.logged_on or peer.account != account or peer.only_acks:
                continue
            if asked is not None and asked.held is not None:
                asked.held.append((peer.comp_id, body))
            elif self._batch is not None:
                self._batch.pushes.append((peer, body))
            else:
                peer.send("8", body, now)

    # ---- requests

    def _request(self, peer: Peer, msg_type: str, f: Fields, seq: int, now: Instant) -> None:
        handler = self._handlers.get(msg_type)
        if handler is None:
            raise Rejected(wire.UNSUPPORTED_MSG_TYPE, "Unsupported message type", business=True)
        task, faults = Task(peer, msg_type, f, now), self._venue.faults
        try:
            self._check(task)
            if faults.strikes(Kind.LOST, "fix"):
                raise Refused(wire.SYSTEM_ERROR)
            task.silent = faults.strikes(Kind.UNKNOWN, "fix") is not None
            handler(task)
            if task.silent:
                self._refuse(task, wire.TIMEOUT)
        except Refused as refused:
            self._venue.count(f"refused{refused.code.number}")
            self._refuse(task, wire.TIMEOUT if task.silent else refused.code)

    def _check(self, task: Task) -> None:
        """What every request must have: its category, a time of now, and room below the limit."""
        f, now_ms = task.f, task.now.wall_ns // NS_PER_MS
        category, symbol = wire.must(f, 30010), wire.must(f, 55)
        wire.one_of(category, wire.SPOT)
        if b"30002" in f:
            window_ms = wire.whole(wire.may(f, 30001) or str(wire.DEFAULT_WINDOW_MS))
            if window_ms > wire.MAX_WINDOW_MS or not wire.is_in_time(wire.whole(wire.may(f, 30002)), window_ms, now_ms):
                raise Refused(wire.BAD_TIME)
        if self._window(task).count(task.now.boot_ns) > LIMITS[task.msg_type]:
            raise Refused(wire.TOO_MANY)
        if symbol not in self._venue.state.instruments:
            raise Refused(wire.BAD_SYMBOL)

    def _window(self, task: Task) -> Window:
        return self._used.setdefault((task.peer.account, task.msg_type), Window(1))

    # ---- answers

    def _head(self, task: Task) -> str:
        """What every acknowledgement bears: the trace, the request's name, and what is left of the limit."""
        self._traces += 1
        limit, req_id = LIMITS[task.msg_type], wire.may(task.f, 30006)
        left = max(0, limit - self._window(task).used(task.now.boot_ns))
        reset_ms = task.now.wall_ns // NS_PER_MS + (0 if left else NS_PER_S // NS_PER_MS)
        return (
            f"30005={self._venue.store.epoch:016x}{self._traces:016x}\x01{f'30006={req_id}{chr(1)}' if req_id else ''}"
            f"30007={limit}\x0130008={left}\x0130009={reset_ms}\x01"
        )

    def _acknowledge(self, task: Task, cl_ord_id: str, order_id: int, word: str, text: str = "") -> None:
        """ExecType(150) and OrdStatus(39) of pending new, cancel or replace."""
        if task.silent:
            return
        name, words = f"11={cl_ord_id}\x01" if cl_ord_id else "", f"58={text}\x01" if text else ""
        body = f"{self._head(task)}{name}37={order_id}\x01150={word}\x0139={word}\x01{words}"
        task.peer.send(_ANSWERS[task.msg_type], body.encode(), task.now)

    def _refuse(self, task: Task, code: Code) -> None:
        """A refusal bears no name but the request's own."""
        why = f"103={code.number}\x0158={code.text}\x01"
        if task.msg_type == "D":
            body = f"{self._head(task)}150=8\x0139=8\x01{why}"
        else:
            body = f"{self._head(task)}58={code.text}\x01103={code.number}\x01"
        task.peer.send(_ANSWERS[task.msg_type], body.encode(), task.now)

    # ---- new orders

    def _new_order(self, task: Task) -> None:
        fault = self._venue.faults.strikes(Kind.REJECT, "fix")
        if fault is not None:
            raise Refused(Code(wire.NEW_ORDER_REJECTED.number, fault.text or wire.NEW_ORDER_REJECTED.text))
        terms, engine = self._terms(task), self._venue.engine
        refusal = engine.check(terms)
        if refusal is Refusal.DUPLICATE:
            self._venue.count("duplicate_cl_ord_ids")
        if refusal is not None:
            raise Refused(wire.code_of(refusal))
        order_id = self._venue.state.next_order_id
        self._reports.created(order_id, terms.symbol, self._in_quote(task))
        batch = self._batch = Batch(order_id)
        try:
            order = engine.place(terms, task.now)
            self._end_batch(batch, order, task.now)
        finally:
            self._batch = None
        if order_id % PUSHED_FIRST:
            self._acknowledge(task, terms.cl_ord_id, order_id, "A", "OK")
        self._send(batch, task)
        if not order_id % PUSHED_FIRST:
            self._acknowledge(task, terms.cl_ord_id, order_id, "A", "OK")

    def _send(self, batch: Batch, task: Task) -> None:
        for peer, body in batch.pushes:
            if not (task.silent and peer is task.peer):
                peer.send("8", body, task.now)

    def _in_quote(self, task: Task) -> Decimal | None:
        """The amount of the quote asset by which a market order was placed, None for another."""
        f = task.f
        unit = wire.may(f, 30013) or ("quoteCoin" if wire.may(f, 54) == BUY else "baseCoin")
        return wire.decimal(wire.must(f, 38)) if wire.may(f, 40) == MARKET and unit == "quoteCoin" else None

    def _terms(self, task: Task) -> Terms:
        """The order that a D describes. Raises Rejected, Refused."""
        f = task.f
        side, ord_type, told_qty = wire.must(f, 54), wire.must(f, 40), wire.decimal(wire.must(f, 38))
        wire.one_of(side, "1", "2")
        wire.one_of(ord_type, MARKET, LIMIT)
        wire.one_of(wire.may(f, 30013), "", "baseCoin", "quoteCoin")
        leveraged_or_rpi = "Y" in (wire.may(f, 30014), wire.may(f, 30019))
        sleeps, amount = self._is_conditional(f), self._in_quote(task)
        if NOT_SPOKEN & f.keys() or leveraged_or_rpi or sleeps is not (b"99" in f) or (sleeps and amount is not None):
            raise Refused(_NOT_SIMULATED)
        name, smp_type = wire.may(f, 11), wire.one_of(wire.may(f, 30018), *_SELF_TRADE)
        if (name and not wire.CL_ORD_ID.fullmatch(name)) or told_qty <= 0:
            raise Refused(wire.BAD_PARAMETER)
        price = wire.decimal(wire.must(f, 44)) if ord_type == LIMIT else None
        told = wire.one_of(
            wire.may(f, 59) or GOOD_TILL_CANCEL, GOOD_TILL_CANCEL, IMMEDIATE_OR_CANCEL, FILL_OR_KILL, POST_ONLY
        )
        time_in_force = IMMEDIATE_OR_CANCEL if ord_type == MARKET else GOOD_TILL_CANCEL if told == POST_ONLY else told
        qty = told_qty if amount is None else self._base_qty(wire.must(f, 55), side, told_qty)
        terms = Terms(
            task.peer.account, task.peer.comp_id, name or self._venue.unique(), wire.must(f, 55), side, ord_type, qty,
            price, time_in_force, told == POST_ONLY, _SELF_TRADE[smp_type], cash_qty=amount,
        )  # fmt: skip
        return self._asleep(terms, wire.decimal(wire.must(f, 99))) if sleeps else terms

    def _is_conditional(self, f: Fields) -> bool:
        """Whether OrderFilter(30024) means conditional orders. Raises Refused."""
        return wire.one_of(wire.may(f, 30024), "", "Order", "tpslOrder", CONDITIONAL) == CONDITIONAL

    def _asleep(self, terms: Terms, stop_px: Decimal) -> Terms:
        """A conditional order of these terms: whether it waits for a rise or a fall follows from the market."""
        rises = stop_px > self._venue.engine.last_px(terms.symbol)
        ord_type, tif = _CONDITIONAL_TYPES[terms.ord_type], terms.time_in_force
        return terms._replace(
            ord_type=ord_type, time_in_force=GOOD_TILL_CANCEL if ord_type == STOP else tif, stop_px=stop_px,
            take_profit=(terms.side == BUY) is not rises,
        )  # fmt: skip

    def _base_qty(self, symbol: str, side: str, amount: Decimal) -> Decimal:
        """What an amount of the quote asset comes to. Raises Refused."""
        qty = self._venue.engine.base_for(symbol, side, amount)
        if not qty:
            raise Refused(wire.NEW_ORDER_REJECTED)
        return qty

    # ---- cancels and amendments

    def _target(self, task: Task) -> Order:
        """The open order that OrderID(37) names, else ClOrdID(11). Raises Refused."""
        f = task.f
        order_id, name = wire.may(f, 37), wire.may(f, 11)
        if not order_id and not name:
            raise Rejected(wire.FIELD_MISSING, "Required tag missing: 37 or 11", business=True)
        found = self._venue.find(task.peer.account, wire.must(f, 55), order_id, "" if order_id else name)
        if found is None:
            raise Refused(wire.NO_SUCH_ORDER)
        if not isinstance(found, Order) or not found.is_open:
            raise Refused(wire.HAS_BEEN_FILLED if found.ord_status == FILLED else wire.HAS_BEEN_CANCELED)
        return found

    def _cancel(self, task: Task) -> None:
        if self._venue.faults.strikes(Kind.SILENT, "fix"):
            return
        kind = wire.one_of(wire.may(task.f, 30024), "", "Order", "tpslOrder", CONDITIONAL)
        order, late = self._target(task), Asked(hold=True)
        if order.sleeps is not (kind == CONDITIONAL) or kind == "tpslOrder":
            raise Refused(wire.NO_SUCH_ORDER)
        if order.resting and self._venue.faults.strikes(Kind.LATE_FILL, "fix"):
            self._venue.fill_late(order, task.now, late)
        name = wire.may(task.f, 11) or order.cl_ord_id
        try:
            if not order.is_open:
                raise Refused(wire.HAS_BEEN_FILLED)
            self._acknowledge(task, name, order.order_id, "6")
            self._venue.engine.cancel(order, task.now)
        finally:
            for comp_id, body in late.held or ():
                for peer in self._peers.values():
                    if peer.comp_id == comp_id and peer.logged_on:
                        peer.send("8", body, task.now)

    def _amend(self, task: Task) -> None:
        """XAR: the total quantity, the price, or both, in place."""
        order, f, engine = self._target(task), task.f, self._venue.engine
        if (NOT_SPOKEN | {b"99"}) & f.keys():
            raise Refused(_NOT_SIMULATED)
        order_qty = wire.decimal(wire.may(f, 38)) if b"38" in f else order.order_qty
        price = wire.decimal(wire.may(f, 44)) if b"44" in f else order.price
        if (order_qty, price) == (order.order_qty, order.price):
            raise Refused(wire.UNCHANGED)
        if order.price is None:
            raise Refused(wire.AMEND_FAILED)
        refusal = engine.check_replace(order, order.cl_ord_id, order_qty, price)
        if refusal is not None:
            raise Refused(wire.code_of(refusal))
        self._acknowledge(task, order.cl_ord_id, order.order_id, "E")
        batch = self._batch = Batch(order.order_id)
        try:
            engine.replace(order, Asked(order.cl_ord_id, order.cl_ord_id), order_qty, price, task.now)
            self._end_batch(batch, order, task.now)
        finally:
            self._batch = None
        self._send(batch, task)
