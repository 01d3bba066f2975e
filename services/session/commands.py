"""Commands of risk: checked against what this session knows, encoded for the venue, numbered; or refused in the log.

A command that may not be sent takes no number. What adds risk needs an open gate, disk and time; a cancel or a status
request needs no more than a connection that takes it.

The limits that a venue tells of are kept on our side before the venue has to. A limit of messages that is below ours
lowers ours. A limit of new orders is the account's: what is used of it is what the venue told last, for as long as its
interval lasts, and what this session has sent since it asked. Both count more than the venue may: orders that it gives
back when they fill are learnt of by asking again, once much is used.
"""

from collections import deque

from common.actor.core import Core
from common.actor.rates import Use
from common.fix.session_types import Inbound as FixInbound
from common.instant import NS_PER_S, Instant
from common.left_out import LeftOut
from common.messages import (
    AmendOrder,
    CancelOrder,
    Command,
    JournalLevel,
    NewOrder,
    OpenGate,
    QueryOrder,
    Reason,
    Refused,
)
from common.venues.dialect import BadReport, Body, Dialect, VenueLimit
from common.venues.venue import missing_feature
from services.session.connection import Connection, Gate
from services.session.history import RISKY
from services.session.kill import KillSwitch
from services.session.outbox import Outbox, Shared
from services.session.records import Records

ASK_FROM = 0.8
"""The share of a limit of orders from which the venue is asked again."""

ASK_AFTER_ORDERS = 1000
"""So many orders after the last question it is asked in any case: what is kept of them is bounded by this."""

ASK_EVERY_NS = NS_PER_S
UNANSWERED_NS = 10 * NS_PER_S
"""A question without an answer for so long is asked again; the answer to the first may come all the same."""


class VenueLimits:
    """See the module. `told` is what the venue told last, `unreadable` counts what could not be read of it."""

    def __init__(self, core: Core, dialect: Dialect, records: Records, outbox: Outbox) -> None:
        """`core` takes the notes; `outbox` asks, and its rate is lowered."""
        self._core = core
        self._dialect = dialect
        self._records = records
        self._outbox = outbox
        self._asked_ns: deque[int] = deque()
        self._heard_ns = 0
        self._sent_ns: deque[int] = deque()
        self.told: list[VenueLimit] = []
        self.unreadable = 0

    # ---- asking

    def begin_connection(self, now: Instant) -> None:
        """A connection is in step: what an earlier one was asked has no answer."""
        self._asked_ns.clear()
        self._ask(now)

    def _ask(self, now: Instant) -> None:
        """Ask for the venue's own limits, where it tells them and is logged on."""
        question = self._dialect.encode_limit_query(f"limits-{self._records.history.connection}")
        if question is not None and self._outbox.logged_on:
            self._asked_ns.append(now.boot_ns)
            self._outbox.send(question.msg_type, question.fields, b"", None, now)

    def _ask_again(self, now: Instant) -> None:
        """Ask once more where much is used, not oftener than makes sense."""
        last_ns = self._asked_ns[-1] if self._asked_ns else 0
        pause_ns = UNANSWERED_NS if self._asked_ns else ASK_EVERY_NS
        if now.boot_ns < max(last_ns, self._heard_ns) + pause_ns:
            return
        orders = [limit for limit in self.told if limit.kind == "orders"]
        much = any(self._used(limit, now) >= ASK_FROM * limit.maximum for limit in orders)
        if orders and (much or len(self._sent_ns) >= ASK_AFTER_ORDERS):
            self._ask(now)

    def hear_limits(self, message: FixInbound, now: Instant) -> None:
        """The venue's own limits, if the message tells them."""
        try:
            limits = self._dialect.decode_limits(message.msg_type, message.raw)
        except BadReport as error:
            self.unreadable += 1
            self._core.note("error", "unreadable", msg_type=message.msg_type, why=str(error))
            return
        if not limits:
            return
        self.told, self._heard_ns = limits, now.boot_ns
        asked_ns = self._asked_ns.popleft() if self._asked_ns else 0
        while self._sent_ns and self._sent_ns[0] < asked_ns:
            self._sent_ns.popleft()
        for limit in limits:
            if limit.kind == "messages":
                self._lower_rate(limit)

    def _lower_rate(self, limit: VenueLimit) -> None:
        rate = self._outbox.rate
        ours = rate.messages
        if rate.keep_within(limit.maximum, limit.interval_s * NS_PER_S):
            mend = "set `limits` in the venue's file to what the venue allows"
            theirs, kept = limit.maximum, rate.messages
            self._core.note(
                "warning", "limit", ours=ours, theirs=theirs, interval_s=limit.interval_s, kept=kept, mend=mend
            )

    # ---- orders

    def order_sent(self, now: Instant) -> None:
        """A message that opens an order took a number."""
        if self.told:
            self._sent_ns.append(now.boot_ns)
            self._ask_again(now)

    def why_full(self, orders: int, now: Instant) -> tuple[str, str] | None:
        """What is used of a limit of orders that has no room for so many more, and that limit; None where all have."""
        for limit in self.told:
            if limit.kind == "orders" and (used := self._used(limit, now)) + orders > limit.maximum:
                self._ask_again(now)
                return str(used), f"{limit.maximum} orders in {limit.interval_s} s"
        return None

    def _used(self, limit: VenueLimit, now: Instant) -> int:
        since_ns = now.boot_ns - limit.interval_s * NS_PER_S
        told = limit.used if self._heard_ns > since_ns else 0
        return told + sum(1 for sent_ns in reversed(self._sent_ns) if sent_ns > since_ns)

    def rows(self, now: Instant) -> list[dict[str, object]]:
        """The limits for status: of orders and messages what is used by our own count."""
        return [{**limit._asdict(), "used": self._used_here(limit, now)} for limit in self.told]

    def _used_here(self, limit: VenueLimit, now: Instant) -> int:
        if limit.kind == "messages":
            return self._outbox.rate.used(self._outbox.unreleased, now)
        return self._used(limit, now) if limit.kind == "orders" else limit.used


EARLY_COMMANDS = 1000
"""Commands that come before the session is live wait for it; of more, the oldest are lost, as on any command link."""

OrderCommand = NewOrder | AmendOrder | CancelOrder | QueryOrder


class Commands:
    """See the module. `refused` counts."""

    def __init__(
        self,
        shared: Shared,
        gate: Gate,
        kill: KillSwitch,
        connection: Connection,
        venue_limits: VenueLimits,
        left_out: LeftOut,
    ) -> None:
        """`left_out` says whether the fold lacks a record, which halts what adds risk."""
        self._venue_limits = venue_limits
        self._left_out = left_out
        self._writer = shared.core.name
        self._dialect, self._records, self._outbox = shared.dialect, shared.records, shared.outbox
        self._gate = gate
        self._kill = kill
        self._connection = connection
        self._early: deque[Command] = deque(maxlen=EARLY_COMMANDS)
        self.refused = 0

    def keep_command(self, command: Command) -> None:
        """Take a command that comes before the session is live."""
        self._early.append(command)

    def number_kept(self, now: Instant) -> None:
        """The session is live: carry out what came before."""
        while self._early:
            self.number_command(self._early.popleft(), now)

    def number_command(self, command: Command, now: Instant) -> None:
        """Number the command for the venue, or record why not."""
        if isinstance(command, OpenGate):
            if not self._connection.closing:
                self._gate.open_gate(command, now)
            return
        refusal = self._refusal(command, now)
        if refusal is not None:
            self._refuse(command, *refusal, now)
            return
        self._send(command, now)

    def _send(self, command: OrderCommand, now: Instant) -> None:
        dialect, header = self._dialect, b""
        body: Body | None
        if isinstance(command, NewOrder):
            encode = dialect.encode_list if command.further else dialect.encode_new
            body = encode(command, now.wall_ns)
            header = dialect.header_fields(self._time_left_ns(command, now), now.wall_ns)
        elif isinstance(command, CancelOrder):
            body = dialect.encode_cancel(command, now.wall_ns)
        elif isinstance(command, AmendOrder):
            body = dialect.encode_amend(command, now.wall_ns)
            header = dialect.header_fields(self._time_left_ns(command, now), now.wall_ns)
        else:
            body = dialect.encode_query(command)
        assert body is not None, "the profile lacks it, and so it was refused"
        self._outbox.send(body.msg_type, body.fields, header, command, now)
        if self._outbox.opens_order(command):
            for _ in range(_opened_by(command)):
                self._venue_limits.order_sent(now)

    def _time_left_ns(self, command: NewOrder | AmendOrder, now: Instant) -> int:
        """Until the command's deadline, by the journal's clock."""
        return command.deadline_ns - self._records.clock.estimate_ns(now)

    def _refusal(self, command: OrderCommand, now: Instant) -> tuple[Reason, str, str] | None:
        """Why the command may not take a number: (reason, value, limit); None when it may."""
        risky = isinstance(command, RISKY)
        history = self._records.history
        if command.session != history.session:
            return Reason.UNKNOWN_ACCOUNT, command.session, history.session
        if self._is_elsewhere(command):
            return Reason.NOT_AMENDABLE, "", ""
        if (missing := missing_feature(self._dialect.profile, command)) is not None:
            return Reason.UNSUPPORTED, missing.value, self._dialect.profile.title
        if self._connection.stopping:
            return Reason.SHUTDOWN, "", ""
        if history.halted:
            return Reason.HALTED, history.halted, ""
        if risky and self._kill.latched:
            return Reason.KILLED, self._kill.by, ""
        if self._records.away(now):
            return Reason.JOURNAL_AWAY, "", ""
        if not self._outbox.logged_on or self._connection.closing:
            return Reason.NOT_CONNECTED, self._connection.hours.text, ""
        if risky and (refusal := self._risky_refusal(command, now)) is not None:  # type: ignore[arg-type]
            return refusal
        rate, waiting = self._outbox.rate, self._outbox.waiting
        if not rate.room(waiting, now, Use.RISK if risky else Use.SAFE):
            return Reason.SESSION_RATE, str(rate.used(waiting, now)), str(rate.messages)
        if isinstance(command, AmendOrder) and not self._outbox.amend_room(now):
            return Reason.SESSION_RATE, f"{rate.amends} amendments", f"{rate.amends} amendments"
        full = self._venue_limits.why_full(_opened_by(command), now) if self._outbox.opens_order(command) else None
        if full is not None:
            return Reason.SESSION_RATE, *full
        return None

    def _is_elsewhere(self, command: OrderCommand) -> bool:
        """Whether it amends what another connection has placed, at a venue that refuses that."""
        if not isinstance(command, AmendOrder) or not self._dialect.profile.amends_where_placed:
            return False
        history = self._records.history
        order = history.orders.find(command.orig_cl_ord_id)
        return order is None or order.connection != history.connection

    def _risky_refusal(self, command: NewOrder | AmendOrder, now: Instant) -> tuple[Reason, str, str] | None:
        if self._left_out.halts:
            return Reason.HALTED, self._left_out.text, ""
        if not self._gate.is_open:
            return Reason.GATE_CLOSED, "", ""
        announced = JournalLevel.reason_of(self._records.appender.announced)
        if announced is not Reason.NONE:
            return announced, "", ""
        journal_ns = self._records.clock.estimate_ns(now)
        if journal_ns > command.deadline_ns:
            return Reason.EXPIRED, str(journal_ns), str(command.deadline_ns)
        return None

    def _refuse(self, command: OrderCommand, reason: Reason, value: str, limit: str, now: Instant) -> None:
        self.refused += 1
        if not self._records.emergency.active and self._records.appender.full:
            # Bounded: the journal has been away for long. Unnamed in the log, the command expires or is wished again.
            return
        strategy, number = ("", 0) if isinstance(command, QueryOrder) else (command.strategy, command.number)
        text = f"{limit} lacks {value}." if reason is Reason.UNSUPPORTED else reason.sentence
        record = Refused(
            self._writer, reason, text, strategy, number, command.attempt, command, value=value, limit=limit
        )
        self._records.append(record, now)


def _opened_by(command: OrderCommand) -> int:
    """How many orders a command that opens any opens at the venue."""
    return 1 + len(command.further) if isinstance(command, NewOrder) else 1
