"""The kill switch at one session: latch, refuse, cancel until nothing is left, then say so in the log.

It cancels every configured symbol as a whole where the venue has a mass cancel, whatever is believed open, and each
order that this leaves in the table by its id, again and again until the venue has confirmed each symbol and the table
is empty. Where the venue refuses the mass cancel of a symbol, the table is all that is known of it; where it refuses
the cancel of an order, it is asked for the order's state. A confirmation counts only if it was asked for when nothing
sent on a dead connection could still take effect. It begins anew with each logon, and with each order that turns up
afterwards: a bust reopens one, somebody else places one.

What it asks bears names of its own, and is repeated without an answer after pauses that grow. An answer counts whenever
it comes, however often its question was repeated meanwhile.

Its messages have a share of the venue's rate that nothing else can use up (`common.actor.rates`), and the first of them
is numbered in the very turn of the kill.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

import msgspec

from common.actor.rates import Use
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.latch import Latch
from common.messages import (
    Attempt,
    CancelOrder,
    CancelRejected,
    ExecutionReport,
    MassCancelReported,
    OneEvent,
    OperatorAct,
    QueryOrder,
    Reason,
    RequestRejected,
    SessionState,
)
from common.orders.names import BEFORE_ALL, ClOrdIdForm, base36, cl_ord_id_of, next_of_session
from common.orders.words import came_too_late
from common.venues.dialect import Body
from common.venues.venue import Feature
from services.session.history import History
from services.session.open_orders import OpenOrder
from services.session.outbox import Shared

ANSWER_NS = 1_000 * NS_PER_MS
"""A request without an answer for so long is sent again, and then after twice the time."""

LONGEST_NS = 30 * NS_PER_S
MAX_ASKED = 65_536
"""So many requests are remembered: at a venue that answers none, the oldest are forgotten."""


SLEEPER: Final = "sleeper"
CANCELS: Final = (SLEEPER, "order")
"""As what an order is cancelled: `What.kind`."""


class What(NamedTuple):
    """What is asked: that a "symbol", an "order" or a "sleeper", an order that sleeps, be cancelled, or for an order's
    "state"."""

    kind: str
    subject: str


class Asked(NamedTuple):
    """A request under way; whether its answer may be believed to be final."""

    what: What
    msg_seq_num: int
    conclusive: bool


class _Try(msgspec.Struct, gc=False):
    sent_ns: int
    pause_ns: int
    answered: bool


class KillRequests:
    """See the module. Requests are named by their ClOrdID(11)."""

    def __init__(self) -> None:
        """Nothing was asked."""
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        self._tries: dict[What, _Try] = {}

    def is_due(self, what: What, boot_ns: int) -> bool:
        """Whether it is to be asked now, for the first time or again."""
        last = self._tries.get(what)
        return last is None or boot_ns - last.sent_ns >= last.pause_ns

    def is_awaited(self, what: What) -> bool:
        """Whether it was asked and never answered."""
        last = self._tries.get(what)
        return last is not None and not last.answered

    def sent(self, name: str, asked: Asked, boot_ns: int) -> None:
        """The request called `name` took its number."""
        self._asked[name] = asked
        if len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        last = self._tries.get(asked.what)
        pause_ns = ANSWER_NS if last is None else min(2 * last.pause_ns, LONGEST_NS)
        self._tries[asked.what] = _Try(boot_ns, pause_ns, last is not None and last.answered)

    def answered(self, name: str) -> Asked | None:
        """The venue has answered the request called `name`; None where it is none of ours, or was answered before."""
        asked = self._asked.pop(name, None)
        if asked is not None:
            last = self._tries[asked.what]
            last.pause_ns, last.answered = ANSWER_NS, True
        return asked

    def rejected(self, msg_seq_num: int, name: str) -> Asked | None:
        """The venue has rejected the message with that number, or the request of that name where it gives one."""
        if name in self._asked:
            return self.answered(name)
        names = (name for name, asked in self._asked.items() if asked.msg_seq_num == msg_seq_num)
        return self.answered(next(names, ""))

    def forget(self) -> None:
        """The connection is gone: what was asked on it is not answered any more."""
        self._asked.clear()
        self._tries.clear()


NO_ATTEMPT = Attempt(0, 0)


class OwnName(NamedTuple):
    """A ClOrdID(11), and the attempt that it is of where the venue takes no text."""

    cl_ord_id: str
    attempt: Attempt | None


class OwnNames:
    """Names that neither the order manager nor another session, nor another life of this one, gives."""

    def __init__(self, history: History, form: ClOrdIdForm, place: int) -> None:
        """`place` is the session's among its account's."""
        self._history = history
        self._form = form
        self._place = place
        self._given = 0

    def next(self, connection: int) -> OwnName:
        """The next one.

        As text: K, the connection, a counter. Not the epoch: one that was taken while the journal was away may be
        granted to a later life. In any other form it is the next attempt of the session's own behind the highest that
        it has sent a name of, which its history knows by the record of each.
        """
        if self._form is ClOrdIdForm.TEXT:
            self._given += 1
            return OwnName(f"K{base36(connection)}-{base36(self._given)}", None)
        last = max(self._history.named, BEFORE_ALL, key=lambda each: (each.epoch, each.counter))
        attempt = Attempt(last.epoch, next_of_session(last.counter, self._place))
        return OwnName(cl_ord_id_of(attempt, self._form), attempt)


ROUND_NS = 200 * NS_PER_MS
PACED_NS = 50 * NS_PER_MS
"""Where orders are left to be cancelled by their ids, the next of them follow so soon."""

PACE = 50
"""So many orders are cancelled by their ids at a time, so that the first of them leaves at once."""

UNANSWERED_PACE = 20
"""And so many in a round while the mass cancel of their symbol has no answer: most likely it closes them."""


class KillSwitch:
    """See the module. `latch` holds the bit; everything else here is the work of emptying the books."""

    def __init__(self, shared: Shared, latch: Latch, own_names: OwnNames) -> None:
        """`own_names` name what it asks for."""
        self._session, self._symbols = shared.config.session, shared.config.symbols
        self._dialect, self._records, self._outbox = shared.dialect, shared.records, shared.outbox
        self._own_names = own_names
        self.latch = latch
        self.by = ""
        self.confirmed: set[str] = set()
        self.done = False
        self._requests = KillRequests()
        self._by_id: set[str] = set()
        self._refused: set[str] = set()
        self._not_found: set[What] = set()
        """As what the venue does not find stop orders."""

        self.due_boot_ns: int | None = None
        """When the next round is due."""
        self._conclusive_ns = 0

    @property
    def latched(self) -> bool:
        """Whether what adds risk is refused."""
        return self.latch.set

    @property
    def state(self) -> str:
        """Where the kill switch stands: "off", "cancelling" or "clear"."""
        if not self.latched:
            return "off"
        return "clear" if self.done else "cancelling"

    def kill(self, by: str, now: Instant, *, at_stop: bool = False) -> None:
        """Latch, take back what has not left, and begin to cancel. What is done so `at_stop` is for what is left of
        this life: who is killed over it leaves no latch that nobody has pulled."""
        if at_stop:
            self.latch.hold()
        else:
            self.latch.latch()
        self.by = by
        self.done = False
        self.confirmed.clear()
        self._forget_asked()
        self._outbox.withdraw_risky(Reason.KILLED, now)
        if not at_stop:
            self.record_latch(now)
        self._records.appender.question(now)
        self.begin_cancelling(now)
        self.timer(now)

    def record_latch(self, now: Instant) -> None:
        """Record that the latch holds, where the log does not say so."""
        if not self._records.history.latched:
            self._records.changed(SessionState.LATCHED, now, self.by)

    def resume(self, by: str, now: Instant) -> bool:
        """Release the latch; False where the disk does not take it."""
        if not self.latch.release():
            return False
        self.due_boot_ns = None
        self._records.append(OperatorAct(f"session@{self._session}", "resume", by), now)
        self._records.changed(SessionState.UNLATCHED, now, by)
        return True

    def begin_cancelling(self, now: Instant) -> None:
        """Start cancelling where the latch holds and something may be open yet."""
        if self.latched and not self.done:
            self.due_boot_ns = now.boot_ns

    def logged_on(self, now: Instant) -> None:
        """What was confirmed on an earlier connection says nothing of what came after it: begin anew."""
        self.done = False
        self.confirmed.clear()
        self.begin_cancelling(now)

    def restart(self, now: Instant) -> None:
        """What was asked has not left: ask again, under other numbers."""
        self._forget_asked()
        self.begin_cancelling(now)

    def connection_died(self, now: Instant) -> None:
        """What was sent on it may take effect for the venue's window yet; what was asked on it is not answered any
        more.
        """
        self._conclusive_ns = now.boot_ns + self._dialect.profile.window_ns
        self._forget_asked()
        self.due_boot_ns = None

    def _forget_asked(self) -> None:
        self._requests.forget()
        self._by_id.clear()
        self._refused.clear()
        self._not_found.clear()

    def hear_event(self, event: OneEvent, now: Instant) -> None:
        """An answer to one of our cancels, whenever it comes, or anything that changes the table."""
        if isinstance(event, MassCancelReported):
            asked = self._requests.answered(event.cl_ord_id)
            if asked is not None and event.accepted and asked.conclusive:
                self._confirmed(asked.what.subject)
            elif asked is not None and not event.accepted and not event.ambiguous:
                self._said_no(asked, now)
        elif isinstance(event, CancelRejected) or (isinstance(event, ExecutionReport) and event.unknown_order):
            self._answered(self._requests.answered(event.cl_ord_id), event, now)
        elif isinstance(event, RequestRejected):
            asked = self._requests.rejected(event.ref_msg_seq_num, event.cl_ord_id)
            if asked is not None and not event.ambiguous:
                self._said_no(asked, now)
        if self.done and len(self._records.history.orders):
            self.done = False
            self.begin_cancelling(now)
        self._finish(now)

    def timer(self, now: Instant) -> None:
        """Send the round's cancels."""
        if self.due_boot_ns is None or now.boot_ns < self.due_boot_ns:
            return
        self.due_boot_ns = now.boot_ns + ROUND_NS
        if not self._outbox.logged_on:
            return
        self._finish(now)
        if self.due_boot_ns is not None:
            self._round(now)

    def _round(self, now: Instant) -> None:
        orders = self._records.history.orders.all()
        busy = {order.symbol for order in orders}
        just_asked = {
            symbol
            for symbol in sorted({*self._symbols, *busy})
            if symbol not in self._by_id
            and (symbol in busy or symbol not in self.confirmed)
            and self._requests.is_due(What("symbol", symbol), now.boot_ns)
            and self._cancel_symbol(symbol, now)
        }
        self.confirmed |= self._by_id
        # What the mass cancel of an earlier round has left is cancelled by id.
        left = [order for order in orders if order.symbol not in just_asked]
        awaited = {symbol for symbol in busy if self._requests.is_awaited(What("symbol", symbol))}
        self._cancel_some([order for order in left if order.symbol in awaited], UNANSWERED_PACE, now)
        if self._cancel_some([order for order in left if order.symbol not in awaited], PACE, now):
            self.due_boot_ns = now.boot_ns + PACED_NS

    def _cancel_some(self, orders: list[OpenOrder], pace: int, now: Instant) -> bool:
        """Cancel, or ask about, the first `pace` of the orders for which it is time; whether more are left."""
        for order in orders:
            kind = "state" if order.cl_ord_id in self._refused else self._kind_of(order)
            if not self._requests.is_due(What(kind, order.cl_ord_id), now.boot_ns):
                continue
            if not pace:
                return True
            if not (self._ask_about(order, now) if kind == "state" else self._cancel_order(order, now)):
                return False
            pace -= 1
        return False

    def _cancel_symbol(self, symbol: str, now: Instant) -> bool:
        """Ask for the whole symbol; whether it was asked."""
        name = self._own_names.next(self._outbox.connection)
        body = self._dialect.encode_mass_cancel(name.cl_ord_id, symbol, now.wall_ns)
        if body is None:
            # There is nothing to ask for a symbol as a whole: the table is all that is known.
            self._by_id.add(symbol)
            return False
        sent = self._send(name, What("symbol", symbol), body, now.boot_ns >= self._conclusive_ns, now)
        if sent and not self._dialect.profile.has(Feature.MASS_CANCEL_REPORT):
            # Nobody will say that it is carried out: the table is all that is known, and what it leaves goes by id.
            self._by_id.add(symbol)
        return sent

    def _kind_of(self, order: OpenOrder) -> str:
        """As what the order is cancelled: as what it is believed to be, until the venue finds no such order."""
        kind, other = CANCELS if order.sleeps else reversed(CANCELS)
        return other if What(kind, order.cl_ord_id) in self._not_found else kind

    def _cancel_order(self, order: OpenOrder, now: Instant) -> bool:
        what = What(self._kind_of(order), order.cl_ord_id)
        name = self._own_names.next(self._outbox.connection)
        cancel = CancelOrder(
            name.attempt or NO_ATTEMPT,
            "",
            0,
            self._session,
            order.symbol,
            "1" if order.side == "1" else "2",
            name.cl_ord_id,
            order.cl_ord_id,
            order.order_id,
            "",
            0,
            order.order_qty,
            sleeps=what.kind == SLEEPER,
        )
        body = self._dialect.encode_cancel(cancel, now.wall_ns)
        return self._send(name, what, body, self._is_conclusive(order, now), now)

    def _ask_about(self, order: OpenOrder, now: Instant) -> bool:
        """The venue has refused the order's cancel: ask for its state once, then cancel it again."""
        self._refused.discard(order.cl_ord_id)
        name = self._own_names.next(self._outbox.connection)
        query = QueryOrder(
            name.attempt or NO_ATTEMPT, self._session, order.symbol, "1" if order.side == "1" else "2",
            order.cl_ord_id, order.order_id, 0,
        )  # fmt: skip
        body = self._dialect.encode_query(query)
        if body is None:
            return True
        what = What("state", order.cl_ord_id)
        asked = OwnName(order.cl_ord_id, name.attempt)
        return self._send(asked, what, body, self._is_conclusive(order, now), now)

    def _is_conclusive(self, order: OpenOrder, now: Instant) -> bool:
        """Whether the venue's word that there is no such order, asked for now, is the last on it."""
        own_only, history = self._dialect.profile.cancels_own_session_only, self._records.history
        # The venue's session is what goes by one row of numbers, over all its connections: what was placed before they
        # began at 1 again it does not find, though that is open.
        is_found = order.numbers_began == history.numbers_began or not own_only
        return is_found and (order.connection == history.connection or now.boot_ns >= self._conclusive_ns)

    def _send(self, name: OwnName, what: What, body: Body, conclusive: bool, now: Instant) -> bool:
        """Number one request, where the venue's rate still has room for it; whether it had."""
        if not self._outbox.logged_on or not self._outbox.rate.room(self._outbox.waiting, now, Use.KILL):
            return False
        number = self._outbox.send(body.msg_type, body.fields, b"", None, now, name.attempt)
        self._requests.sent(name.cl_ord_id, Asked(what, number, conclusive), now.boot_ns)
        return True

    def _answered(self, asked: Asked | None, event: CancelRejected | ExecutionReport, now: Instant) -> None:
        """The venue says of an order that there is none, or why it is not cancelled. That it is over already may be
        said without the order's name: it is the one that was asked for."""
        if asked is None or event.ambiguous:
            return
        if came_too_late(event) and asked.what.kind in CANCELS:
            self._records.history.orders.unknown_at_venue(asked.what.subject)
        elif not event.unknown_order:
            self._said_no(asked, now)
        elif asked.conclusive and not self._may_be_otherwise(asked.what):
            self._records.history.orders.unknown_at_venue(asked.what.subject)

    def _may_be_otherwise(self, what: What) -> bool:
        """Whether it is a stop order that the venue, which does not find it as this, may find as one of the other kind:
        awake or asleep."""
        order = self._records.history.orders.find(what.subject)
        if order is None or not order.is_stop or not self._dialect.profile.finds_sleeping_apart:
            return False
        self._not_found.add(what)
        return any(What(kind, what.subject) not in self._not_found for kind in CANCELS)

    def _said_no(self, asked: Asked, now: Instant) -> None:
        """The venue refuses the request itself: a symbol's orders are cancelled by their ids, an order is asked
        about.
        """
        kind, subject = asked.what
        if kind == "symbol":
            self._by_id.add(subject)
            self.confirmed.add(subject)
        elif kind in CANCELS:
            self._refused.add(subject)
        if self.due_boot_ns is not None:
            self.due_boot_ns = now.boot_ns

    def _confirmed(self, symbol: str) -> None:
        """The venue has cancelled the whole symbol: what a dead connection sent and nobody heard of is not there."""
        self.confirmed.add(symbol)
        history, orders = self._records.history, self._records.history.orders
        for order in orders.all():
            if order.symbol == symbol and not order.heard and order.connection != history.connection:
                orders.unknown_at_venue(order.cl_ord_id)

    def _finish(self, now: Instant) -> None:
        """Everything confirmed and nothing in the table: that is what the log is told."""
        history = self._records.history
        if self.due_boot_ns is None or len(history.orders) or not self.confirmed.issuperset(self._symbols):
            return
        self.due_boot_ns = None
        self.done = True
        whole = sorted(self.confirmed - self._by_id)
        text = f"nothing is open: {', '.join(whole) or 'no symbol'} cancelled and confirmed"
        if self._by_id:
            text += f"; {', '.join(sorted(self._by_id))} by the orders' own reports: no mass cancel was confirmed"
        self._records.append(OperatorAct(f"session@{self._session}", "kill", self.by, text), now)
