"""Commands of risk: checked against what this session knows, encoded for the venue, numbered; or refused in the log.

A command that may not be sent takes no number. What adds risk needs an open gate, disk and time; a cancel or a status
request needs no more than a connection that takes it.
"""

from collections import deque

from common.actor.rates import Use
from common.instant import Instant
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
from common.venues.dialect import Body
from common.venues.venue import missing_feature
from services.session.connection import Connection, Gate
from services.session.history import RISKY
from services.session.kill import KillSwitch
from services.session.outbox import Shared
from services.session.venue_limits import VenueLimits

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
                self._gate.open(command, now)
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
            body = dialect.encode_new(command, now.wall_ns)
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
        fix = self._outbox.fix
        if fix is None or not fix.logged_on or self._connection.closing:
            return Reason.NOT_CONNECTED, self._connection.hours.text, ""
        if risky and (refusal := self._risky_refusal(command, now)) is not None:  # type: ignore[arg-type]
            return refusal
        rate, waiting = self._outbox.rate, self._outbox.waiting
        if not rate.room(waiting, now, Use.RISK if risky else Use.SAFE):
            return Reason.SESSION_RATE, str(rate.used(waiting, now)), str(rate.messages)
        if isinstance(command, AmendOrder) and not self._outbox.amend_room(now):
            return Reason.SESSION_RATE, f"{rate.amends} amendments", f"{rate.amends} amendments"
        if self._outbox.opens_order(command) and (full := self._venue_limits.why_full(now)) is not None:
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
