"""The kill switch at one session: latch, refuse, cancel until nothing is left, then say so in the log.

It cancels every configured symbol as a whole where the venue has a mass cancel, whatever is believed open, and each
order of the table by its id, again and again until the venue has confirmed each symbol and the table is empty. A
confirmation counts only if it was asked for when nothing sent on a dead connection could still take effect. It begins
anew with each logon, and with each order that turns up afterwards: a bust reopens one, somebody else places one.
"""

import msgspec

from common.instant import NS_PER_MS, Instant
from common.latch import Latch
from common.messages import (
    Attempt,
    CancelOrder,
    CancelRejected,
    MassCancelReported,
    OperatorAct,
    Reason,
    SessionState,
    VenueEvent,
)
from common.venues.dialect import Dialect
from services.session.open_orders import OpenOrder
from services.session.outbox import Outbox
from services.session.records import Records

ROUND_NS = 200 * NS_PER_MS
ANSWER_NS = 1_000 * NS_PER_MS
"""A cancel without an answer for so long is sent again."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class _Asked(msgspec.Struct):
    """A request under way: what it cancels, when it was sent, and whether its answer may be believed to be final."""

    subject: str
    sent_ns: int
    conclusive: bool


class KillSwitch:
    """See the module. `latch` holds the bit; everything else here is the work of emptying the books."""

    def __init__(
        self, session: str, symbols: tuple[str, ...], dialect: Dialect, latch: Latch, records: Records, outbox: Outbox
    ) -> None:
        self._session = session
        self._symbols = symbols
        self._dialect = dialect
        self._records = records
        self._outbox = outbox
        self.latch = latch
        self.by = ""
        self.confirmed: set[str] = set()
        self.done = False
        self.cancels_sent = 0
        self._asked: dict[str, _Asked] = {}
        self._symbol_asked_ns: dict[str, int] = {}
        self._round_ns: int | None = None
        self._conclusive_ns = 0
        self._counter = 0

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

    def kill(self, by: str, now: Instant) -> None:
        """Latch, take back what has not left, and begin to cancel."""
        self.by = by
        self.latch.latch()
        self.done = False
        self.confirmed.clear()
        self._forget_asked()
        self._outbox.withdraw_risky(Reason.KILLED, now)
        self.tell(now)
        self._records.appender.question(now)
        self.begin(now)

    def tell(self, now: Instant) -> None:
        """Record that the latch holds, where the log does not say so."""
        if not self._records.history.latched:
            self._records.changed(SessionState.LATCHED, now, self.by)

    def resume(self, by: str, now: Instant) -> bool:
        """Release the latch; False where the disk does not take it."""
        if not self.latch.release():
            return False
        self._round_ns = None
        self._records.append(OperatorAct(f"session@{self._session}", "resume", by), now)
        self._records.changed(SessionState.UNLATCHED, now, by)
        return True

    def begin(self, now: Instant) -> None:
        """Start cancelling where the latch holds and something may be open yet."""
        if self.latched and not self.done:
            self._round_ns = now.boot_ns

    def logged_on(self, now: Instant) -> None:
        """What was confirmed on an earlier connection says nothing of what came after it: begin anew."""
        self.done = False
        self.confirmed.clear()
        self.begin(now)

    def restart(self, now: Instant) -> None:
        """What was asked has not left: ask again, under other numbers."""
        self._forget_asked()
        self.begin(now)

    def connection_died(self, now: Instant) -> None:
        """What was sent on it may take effect for the venue's window yet; what was asked on it is not answered any
        more.
        """
        self._conclusive_ns = now.boot_ns + self._dialect.window_ns
        self._forget_asked()
        self._round_ns = None

    def _forget_asked(self) -> None:
        self._asked.clear()
        self._symbol_asked_ns.clear()

    def heard(self, event: VenueEvent, now: Instant) -> None:
        """An answer to one of our cancels, or anything that changes the table."""
        if isinstance(event, MassCancelReported):
            asked = self._asked.pop(event.cl_ord_id, None)
            if asked is not None and event.accepted and asked.conclusive:
                self._confirmed(asked.subject)
        elif isinstance(event, CancelRejected):
            asked = self._asked.pop(event.cl_ord_id, None)
            if asked is not None and event.unknown_order and asked.conclusive:
                self._records.history.orders.unknown_at_venue(asked.subject)
        if self.done and len(self._records.history.orders):
            self.done = False
            self.begin(now)
        self._finish(now)

    def next_deadline_ns(self) -> int | None:
        """When the next round is due, in boot time."""
        return self._round_ns

    def timer(self, now: Instant) -> None:
        """Send the round's cancels."""
        if self._round_ns is None or now.boot_ns < self._round_ns:
            return
        self._round_ns = now.boot_ns + ROUND_NS
        fix = self._outbox.fix
        if fix is None or not fix.logged_on:
            return
        self._finish(now)
        if self._round_ns is not None:
            self._round(now)

    def _round(self, now: Instant) -> None:
        for name, asked in list(self._asked.items()):
            if now.boot_ns - asked.sent_ns >= ANSWER_NS:
                del self._asked[name]
        under_way = {asked.subject for asked in self._asked.values()}
        orders = self._records.history.orders.all()
        busy = {order.symbol for order in orders}
        just_asked = {
            symbol
            for symbol in sorted({*self._symbols, *busy})
            if symbol not in under_way
            and (symbol in busy or symbol not in self.confirmed)
            and now.boot_ns - self._symbol_asked_ns.get(symbol, 0) >= ANSWER_NS
            and self._cancel_symbol(symbol, now)
        }
        # What the mass cancel of an earlier round has left is cancelled by id.
        for order in orders:
            if order.cl_ord_id not in under_way and order.symbol not in just_asked:
                self._cancel_order(order, now)

    def _cancel_symbol(self, symbol: str, now: Instant) -> bool:
        """Ask for the whole symbol; whether it was asked."""
        name = self._name()
        body = self._dialect.encode_mass_cancel(name, symbol, now.wall_ns)
        if body is None:
            # There is nothing to ask for a symbol as a whole: the table is all that is known.
            self.confirmed.add(symbol)
            return False
        if not self._send(body.msg_type, body.fields, now):
            return False
        self._asked[name] = _Asked(symbol, now.boot_ns, now.boot_ns >= self._conclusive_ns)
        self._symbol_asked_ns[symbol] = now.boot_ns
        return True

    def _cancel_order(self, order: OpenOrder, now: Instant) -> None:
        name = self._name()
        cancel = CancelOrder(
            Attempt(0, 0),
            "",
            0,
            self._session,
            order.symbol,
            "1" if order.side == "1" else "2",
            name,
            order.cl_ord_id,
            order.order_id,
            "",
            0,
            order.order_qty,
        )
        body = self._dialect.encode_cancel(cancel, now.wall_ns)
        if self._send(body.msg_type, body.fields, now):
            conclusive = order.connection == self._outbox.connection or now.boot_ns >= self._conclusive_ns
            self._asked[name] = _Asked(order.cl_ord_id, now.boot_ns, conclusive)

    def _send(self, msg_type: str, fields: bytes, now: Instant) -> bool:
        """Number one message, where the venue's rate still has room for it."""
        fix = self._outbox.fix
        if fix is None or not fix.logged_on:
            return False
        if not self._outbox.rate.allows(len(self._outbox.queue), now, adds_risk=False):
            return False
        self._outbox.send(msg_type, fields, b"", None, now)
        self._outbox.carry_out(now)
        self.cancels_sent += 1
        return True

    def _confirmed(self, symbol: str) -> None:
        """The venue has cancelled the whole symbol: what a dead connection sent and nobody heard of is not there."""
        self.confirmed.add(symbol)
        orders = self._records.history.orders
        for order in orders.all():
            if order.symbol == symbol and not order.heard and order.connection != self._outbox.connection:
                orders.unknown_at_venue(order.cl_ord_id)

    def _finish(self, now: Instant) -> None:
        """Everything confirmed and nothing in the table: that is what the log is told."""
        history = self._records.history
        if self._round_ns is None or len(history.orders) or not self.confirmed.issuperset(self._symbols):
            return
        self._round_ns = None
        self.done = True
        text = f"nothing is open: {', '.join(sorted(self.confirmed))} cancelled and confirmed"
        self._records.append(OperatorAct(f"session@{self._session}", "kill", self.by, text), now)

    def _name(self) -> str:
        """A ClOrdID(11) that neither orders nor another life of this session gives: K, the connection, a counter.

        Not the epoch: one that was taken while the journal was away may be granted to a later life.
        """
        self._counter += 1
        return f"K{_base36(self._outbox.connection)}-{_base36(self._counter)}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits or "0"
