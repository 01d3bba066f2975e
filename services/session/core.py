"""The session actor: one FIX connection of one account, its numbers, its gate, and the commit rule on its side.

Theory of operation. Each subject has a room of its own, and this module joins them. Commands come from risk alone
(`commands`): one that may be sent takes a number in the FIX session, is appended with its bytes, and leaves when the
journal has acknowledged it (`outbox`). What arrives is appended with its meaning before anybody acts on it
(`inbox`). After each logon a TestRequest(1) is sent; its answer shows that both sides hold the same numbers (caught
up). Orders then reconciles and sends OpenGate for this very connection; until then all but cancels and status requests
are refused. A connection that ends withdraws what it did not release (`connection`).

At the start the session takes an epoch, folds its own records up to it (`recovery`, `history`), and connects. Under
the kill latch (`kill`) it refuses and cancels, with the emergency file as its journal where the journal does not answer
(`records`).

Who cancels at a stop is the order manager; a session does it where that is gone, or could not, and where its venue's
file wants it so. A session that is not live yet, or not logged on, waits for that a while, if something may rest.
Nothing new leaves from there on; it logs out once nothing is open, or there is no more time, and exits once the journal
has everything.
"""

from collections.abc import Callable, Sequence

import msgspec

from common.actor.core import Close, Exit, FoldingCore, HostWorked, Write
from common.actor.links import AWAY_NS, Superseded
from common.actor.rates import MessageRate
from common.actor.unread import status_of_unread
from common.exit_status import ExitStatus
from common.fix.session_types import (
    ASKS_BEYOND_SENT,
    LOGON_NOT_IN_STEP,
    Disconnect,
    DisconnectReason,
    LoggedOn,
    LoggedOut,
    NumbersSet,
    OtherEffect,
    ResendWanted,
    Unnumbered,
)
from common.fix.session_types import Inbound as FixInbound
from common.instant import NS_PER_MS, Instant, earliest
from common.journal.errors import JournalError
from common.journal.files import Files
from common.journal.frames import Record
from common.latch import Latch, unreadable_latch
from common.left_out import LeftOut, Unfoldable
from common.messages import Announced, Command, ControlRequest, SessionState
from common.venues.dialect import Dialect
from services.session.by_hand import SessionByHand
from services.session.commands import Commands, VenueLimits
from services.session.connection import TARGET, Connection, FailedLogons, Gate
from services.session.emergency import Emergency
from services.session.former import Former
from services.session.inbox import Inbox
from services.session.kill import KillSwitch, OwnNames
from services.session.outbox import Outbox, Shared
from services.session.records import Records
from services.session.recovery import Folded, TakingUp
from services.session.resender import Resender
from services.session.settings import SessionConfig

ALL = 1 << 62
CLOCK_WARNING_NS = 250 * NS_PER_MS
MEND_NS = 2_000 * NS_PER_MS
"""So often an emergency file that could not be made is tried again: the disk may have room by then."""

STOP_TIMEOUT_NS = 1_500 * NS_PER_MS
STOP_CANCEL_NS = 450 * NS_PER_MS
"""Of that, how long what rests is cancelled, and a logon waited for where there is none. The journal counts as away
after `AWAY_NS`; the supervisor allows a session 550 ms where orders has used all of its own time.
"""

STOP_FRESH_NS = 1_000 * NS_PER_MS
"""The same of a session that is not live yet: a supervisor started it for this alone, and had the time to."""

ON_STOP = "on_stop"
"""Who kills what rests at a stop."""


class SessionCore(FoldingCore):
    """See the module. Links: "journal", "commands"; target "fix"."""

    def __init__(
        self,
        config: SessionConfig,
        dialect: Dialect,
        files: Files,
        folded: Folded | None = None,
        begin: Callable[[Sequence[Unfoldable]], Folded] | None = None,
    ) -> None:
        """`files` is the disk of the kill latch and the emergency file; `folded` what a snapshot holds of the log.

        `begin` gives such a one again, without the records at which the fold has raised.
        """
        super().__init__(f"session@{config.session}", begin or self._empty_fold)
        self.config = config
        self._dialect = dialect
        self._files = files
        self._live_with(folded or self._empty_fold(()))

    def _empty_fold(self, unfoldable: Sequence[Unfoldable]) -> Folded:
        return Folded(self.name, self.config.session, self._dialect, LeftOut((), unfoldable))

    def _live_with(self, state: Folded, former: TakingUp | None = None) -> None:
        config, dialect, files = self.config, self._dialect, self._files
        self.folded = state
        self.history = state.history
        self.emergency = Emergency(config.emergency_folder, config.session, self.name, files, config.emergency_bytes)
        self.records = Records(self, self.name, self.history, self.emergency, (config.account, config.venue))
        reserved = int(config.messages * config.cancel_reserve_ratio)
        rate = MessageRate(config.messages, config.window_ms, reserved, config.amends)
        self.outbox = Outbox(self, self.records, rate)
        self.resender = Resender(self.records, self.outbox)
        shared = Shared(self, config, dialect, self.records, self.outbox)
        latch = Latch(config.emergency_folder, f"{self.name}.latch", files)
        self.kill = KillSwitch(shared, latch, OwnNames(self.history, dialect.profile.names, config.place))
        self.gate = Gate(self, self.records, self.outbox)
        self.inbox = Inbox(self, dialect, self.records)
        self.venue_limits = VenueLimits(self, dialect, self.records, self.outbox)
        former_rate = MessageRate(config.messages, config.window_ms, reserved)
        self.former = Former(self, dialect, self.records, former_rate, self.kill)
        self.connection = Connection(shared, self.resender, self.gate, self.kill, self.former)
        self.commands = Commands(
            shared, self.gate, self.kill, self.connection, self.venue_limits, self.folded.left_out
        )
        self.taking_up = TakingUp(self, self.folded, self.records, former)
        self.by_hand = SessionByHand(shared, self.kill, self.connection, self.folded.left_out, self.taking_up)
        self._garbled = 0
        self._mend_ns: int | None = None
        self._stop_ns: int | None = None
        """When a stop has taken as long as it may, in boot time."""
        self._stop_waits_ns: int | None = None
        """Until when a stop waits for the session to be live and logged on."""
        self._cancel_until_ns: int | None = None

    # ---- start ----

    def started(self, now: Instant) -> None:
        """Under the latch the journal is waited for as long as an append would be, not longer."""
        try:
            self.kill.latch.load()
        except OSError as error:
            self.effects.append(Exit(ExitStatus.FAILURE, unreadable_latch(self.name, error)))
            return
        if self.kill.latch.failure:
            self.note("error", "latch", why=self.kill.latch.failure, mend="make the emergency folder writable")
        if self.kill.latched:
            self.taking_up.wait_for_journal(now.boot_ns + AWAY_NS)
        self.records.appender.request_epoch(now)

    def log_read(self, records: Sequence[Record], now: Instant) -> None:
        was_live = self.taking_up.live
        try:
            goes_on = self.taking_up.read(records, now)
        except Unfoldable as error:
            # Nothing was sent yet, for all of this is before the session is live.
            self._begin_anew(error, self.taking_up, now)
            return
        if goes_on and was_live:
            self._end_emergency(now)
        elif goes_on:
            self._begin(now)

    def _begin(self, now: Instant) -> None:
        if self.history.state is not SessionState.DISCONNECTED:
            self.records.changed(SessionState.DISCONNECTED, now, "process restarted")
        self.kill.connection_died(now)
        if self.kill.latched:
            self.kill.record_latch(now)
        self.note(
            "info",
            "live",
            epoch=self.records.epoch,
            generation=self.history.generation,
            next_outbound=self.history.next_outbound,
            next_inbound=self.history.next_inbound,
            may_be_open=len(self.history.orders),
            latched=self.kill.latched,
            emergency=self.emergency.active,
        )
        self.connection.begin_connecting(now)
        self.commands.number_kept(now)
        self._carry_out(now)
        self._go_on_stopping(now)

    # ---- connecting ----

    def connected(self, connection: int, now: Instant) -> None:
        if self.connection.is_live(connection):
            self.connection.connected(now)
            self._carry_out(now)
        elif self.connection.is_successor(connection):
            self.connection.successor_connected()
            self.connection.close_if_drained(now)

    def closed(self, connection: int, text: str, now: Instant) -> None:
        if self.connection.is_live(connection):
            self.connection.ended(text, now)
        elif self.connection.is_successor(connection):
            self.connection.successor_closed(text)
        elif self.former.is_it(connection):
            self.former.ended(text)

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        if self.connection.is_live(connection) and self.outbox.fix is not None:
            self.outbox.fix.received(data, now)
            self._carry_out(now)
        elif self.former.is_it(connection):
            self.former.data(data, now)

    def blocked(self, connection: int, now: Instant) -> None:
        if self.connection.is_live(connection):
            self.outbox.live.blocked = True
        elif self.former.is_it(connection):
            self.former.outbox.live.blocked = True

    def writable(self, connection: int, now: Instant) -> None:
        if self.connection.is_live(connection):
            self.outbox.unblock(now)
            self.resender.go_on(now)
            self._carry_out(now)
        elif self.former.is_it(connection):
            self.former.writable(now)

    def unwritten(self, connection: int, writes: Sequence[Write], now: Instant) -> None:
        """What adds risk is withdrawn, the rest leaves behind its filler."""
        if self.connection.is_live(connection) and not self.outbox.put_back([write.data for write in writes], now):
            self.connection.break_off("what the venue asked for again was not written in time", now)

    # ---- what the FIX session says ----

    def _carry_out(self, now: Instant) -> None:
        """Carry out the FIX session's effects, in order, and those that come of them."""
        while (effect := self.outbox.next_effect(now)) is not None:
            self._fix_effect(effect, now)
        self.connection.close_if_drained(now)

    def _fix_effect(self, effect: OtherEffect, now: Instant) -> None:
        if isinstance(effect, FixInbound):
            self._inbound(effect, now)
        elif isinstance(effect, Unnumbered):
            self.inbox.journal_unnumbered(effect, now)
            self.connection.unnumbered(effect.wrong, now)
        elif isinstance(effect, ResendWanted):
            self._resend_wanted(effect, now)
        elif isinstance(effect, NumbersSet):
            self.connection.numbers_set(effect, now)
        elif isinstance(effect, LoggedOn):
            if not self.connection.told_other_log(effect.raw_data, now):
                self._logged_on(effect.raw_data, now)
        elif isinstance(effect, LoggedOut):
            self.connection.refused(effect.text)
            self.connection.refused_by_log(effect.text, now)
            self.note("warning", "logged_out", by_peer=effect.by_peer, text=effect.text)
        elif isinstance(effect, Disconnect):
            self.connection.refused(effect.text, certain=effect.reason is DisconnectReason.SEQUENCE_TOO_LOW)
            self.connection.close(f"{effect.reason.name.lower()}: {effect.text}", now)
        else:
            self._garbled += effect.code == "garbled"
            self.note(effect.level.value, effect.code, text=effect.text)
            if effect.code == ASKS_BEYOND_SENT:
                # The log lost what was acknowledged, or somebody else sends in this session's name.
                self.connection.close_for_good(effect.text, now)
            elif effect.code == LOGON_NOT_IN_STEP:
                self.connection.refused_by_log(effect.text, now)

    def _resend_wanted(self, effect: ResendWanted, now: Instant) -> None:
        if self.resender.turns_in_circles(effect.begin, now):
            text = f"the venue asks for MsgSeqNum(34)={effect.begin} and on, again and again, and gets no further"
            self.connection.close_for_good(text, now)
        elif self.resender.needs_new_connection(effect.begin, effect.end):
            self.connection.break_off(f"the venue misses MsgSeqNum(34)={effect.begin} of this very connection", now)
        else:
            self.resender.wanted(effect.begin, effect.end, now, in_step=self.gate.caught_up)

    def _logged_on(self, raw_data: str, now: Instant) -> None:
        self.connection.logged_on(raw_data, now)
        self.effects.append(HostWorked(TARGET))
        self.former.log_out(now)
        self.gate.ask(now)
        self.kill.logged_on(now)
        self._go_on_stopping(now)

    def _inbound(self, effect: FixInbound, now: Instant) -> None:
        events = self.inbox.journal_message(effect, now)
        if any(isinstance(event, Announced) for event in events):
            self.connection.end_announced(now)
        if self.kill.latched:
            for event in events:
                self.kill.hear_event(event, now)
        if self.gate.is_answer(effect):
            self.resender.in_step(now)
            self.gate.in_step(now)
            self.connection.in_step()
            self.venue_limits.begin_connection(now)
        elif not events and effect.application and not effect.wrong:
            self.venue_limits.hear_limits(effect, now)

    # ---- links ----

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        if isinstance(message, ControlRequest):
            self.by_hand.acts.do(peer, message, now)
            self._carry_out(now)
        elif link == "journal":
            self._journal_said(message, now)
        else:
            command: Command = message  # type: ignore[assignment]
            if self.taking_up.live:
                self.commands.number_command(command, now)
                self._carry_out(now)
            else:
                self.commands.keep_command(command)

    def _journal_said(self, message: msgspec.Struct, now: Instant) -> None:
        appender = self.records.appender
        was_granted = appender.granted
        try:
            acknowledged = self.records.received(message, now)
        except Superseded as error:
            self._superseded(str(error), now)
            return
        if appender.grant is not None and not was_granted and self.taking_up.granted(appender.grant.lsn):
            self._end_emergency(now)
        if acknowledged is not None:
            self._durable(acknowledged.last, acknowledged.stamp_ns, now)

    def _durable(self, number: int, stamp_ns: int, now: Instant) -> None:
        """Everything appended up to `number` is on disk."""
        self.outbox.acknowledged(number, stamp_ns, now)
        self.former.acknowledged(number, stamp_ns, now)
        self.resender.acknowledged(number, now)
        self._carry_out(now)
        self._exit_when_done()

    # ---- emergency ----

    def _begin_emergency(self, now: Instant) -> None:
        """The latch holds and the journal is away: what must be cancelled is cancelled all the same."""
        self.note("error", "emergency", file=self.emergency.name, unreleased=self.outbox.unreleased)
        self.former.break_off("the journal went away")
        self.records.begin_emergency(self.outbox.take_unreleased(), self.outbox.connection, now)
        self._flush_emergency(now)
        self.resender.acknowledged(ALL, now)
        self.resender.renumbered()
        # A connection that was closing, or that the file failed, has ended with that.
        fix = self.outbox.fix
        if fix is not None and fix.logged_on:
            fix.next_outbound = self.history.next_outbound
            if not self.gate.caught_up:
                # The question may be among what was withdrawn.
                self.gate.ask(now)
            self.kill.restart(now)
            self._carry_out(now)
        elif fix is not None:
            # A Logon(A) or Logout(5) that never left: this connection leads nowhere.
            self.connection.close("the journal went away during the logon", now)
        else:
            self.connection.schedule(now, failed=False)

    def _mend_emergency(self, now: Instant) -> None:
        """A kill switch without a file of its own works with the journal only: have one as soon as the disk allows."""
        lacks = bool(self.emergency.failure) and self.taking_up.live and not self.emergency.active
        if not lacks:
            self._mend_ns = None
        elif self._mend_ns is None:
            mend = "make its folder writable, with room"
            self.note("error", "no_emergency_file", why=self.emergency.failure, mend=mend)
            self._mend_ns = now.boot_ns + MEND_NS
        elif now.boot_ns >= self._mend_ns:
            self.records.mend_emergency()
            self._mend_ns = now.boot_ns + MEND_NS if self.emergency.failure else None

    def _flush_emergency(self, now: Instant) -> None:
        """Make the turn's records durable in the file; a file that fails ends the connection, for nothing may leave."""
        failed_before = bool(self.emergency.failure)
        number = self.emergency.flush(now)
        if not self.emergency.failure:
            self._durable(number, 0, now)
        elif not failed_before:
            self.note("error", "emergency_failed", why=self.emergency.failure, mend="account cancels over REST")
            if self.outbox.fix is not None:
                self.connection.break_off("the emergency file failed", now)

    def _end_emergency(self, now: Instant) -> None:
        """The journal is back and has granted an epoch: it gets the file before anything else."""
        self._flush_emergency(now)
        self.resender.renumbered()
        try:
            self.records.hand_over(now)
        except (JournalError, OSError) as error:
            text = f"{self.name}: the emergency file cannot be read: {error}"
            self.effects.append(Exit(status_of_unread(error), text))
            return
        self.note("warning", "handed_over", epoch=self.records.epoch)
        if self.outbox.fix is None:
            self.connection.schedule(now, failed=False)

    def _superseded(self, text: str, now: Instant) -> None:
        """Another process is this session now: leave the wire at once, and write nothing more."""
        if self.outbox.fix is not None:
            self.effects.append(Close(self.outbox.connection))
            self.outbox.gone()
        self.former.break_off(text)
        self.effects.append(Exit(1, text))

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        fix = self.outbox.fix
        return earliest(
            self.records.appender.next_deadline_ns(),
            *self.taking_up.next_deadlines_ns(),
            self.connection.next_deadline_ns(),
            self._stop_ns,
            self._stop_waits_ns,
            self._cancel_until_ns,
            self.gate.due_boot_ns,
            self.former.next_deadline_ns(),
            self.resender.due_boot_ns,
            self.kill.due_boot_ns,
            self._emergency_due_ns(),
            self._mend_ns,
            self.by_hand.acts.next_deadline_ns(),
            self.outbox.next_deadline_ns() if fix is not None else None,
            fix.next_deadline_ns() if fix is not None else None,
        )

    def _emergency_due_ns(self) -> int | None:
        """When an unanswered journal is away, under the latch."""
        if not self.kill.latched or not self.taking_up.live or self.emergency.active or self.emergency.failure:
            return None
        return self.records.appender.away_from_ns()

    def timer(self, now: Instant) -> None:
        self.records.appender.timer(now)
        self.taking_up.timer(now)
        self._mend_emergency(now)
        emergency_ns = self._emergency_due_ns()
        if emergency_ns is not None and now.boot_ns >= emergency_ns:
            self._begin_emergency(now)
        if self.taking_up.live:
            self.connection.keep_hours(now)
        self.connection.connect_if_due(now)
        self.former.timer(now)
        fix = self.outbox.fix
        if fix is not None:
            fix.timer(now)
            self.outbox.withdraw_late(now)
            self.gate.timer(now)
            self.resender.go_on(now)
            self._carry_out(now)
        self.kill.timer(now)
        self._carry_out(now)
        self._go_on_stopping(now)
        self._end_cancelling(now)
        self.connection.timer(now)
        if self._stop_ns is not None and now.boot_ns >= self._stop_ns:
            self._exit("stopped; the journal did not acknowledge everything in time")

    def turn_ended(self, now: Instant) -> None:
        self._end_cancelling(now)
        if self.emergency.active and self.emergency.unwritten and not self.emergency.failure:
            self._flush_emergency(now)
        self.records.appender.turn_ended(now)
        self.by_hand.acts.settle(now)

    # ---- stop ----

    def stop(self, now: Instant) -> None:
        """Cancel what rests where nobody else has, withdraw what has not left, log out, record the end."""
        if self._stop_ns is not None:
            return
        live = self.taking_up.live
        self._stop_ns = now.boot_ns + STOP_TIMEOUT_NS
        self._stop_waits_ns = now.boot_ns + (STOP_CANCEL_NS if live else STOP_FRESH_NS)
        if live and self.outbox.fix is None:
            self.connection.schedule(now, failed=False)
        self._go_on_stopping(now)

    def _go_on_stopping(self, now: Instant) -> None:
        """Once the session is live and logged on, or need not or cannot be in time: cancel what rests, or leave."""
        until_ns = self._stop_waits_ns
        if until_ns is None or (now.boot_ns < until_ns and self._is_logon_awaited()):
            return
        self._stop_waits_ns = None
        if not self.taking_up.live:
            self._exit("stopped before it was live")
            return
        self.connection.stopping = True
        self.connection.cancel()
        self.former.break_off("the session is stopped")
        if self.outbox.logged_on and self._rests():
            self.note("warning", "cancels_on_stop", orders=len(self.history.orders))
            self._cancel_until_ns = until_ns
            if not self.kill.latched:
                self.kill.kill(ON_STOP, now, at_stop=True)
            self._carry_out(now)
            self._end_cancelling(now)
        else:
            self._leave(now)

    def _end_cancelling(self, now: Instant) -> None:
        """Log out once nothing is open, or there is no more time for it."""
        until_ns = self._cancel_until_ns
        if until_ns is None or not (self.kill.done or now.boot_ns >= until_ns or self.outbox.fix is None):
            return
        self._cancel_until_ns = None
        left = [order.cl_ord_id for order in self.history.orders.all()]
        if left:
            self.note("warning", "left_open", orders=left)
        if self.kill.by == ON_STOP:
            self.kill.latch.release()
        self._leave(now)

    def _leave(self, now: Instant) -> None:
        self.connection.log_out("the session is stopped", "stopped while connecting", now)
        self._carry_out(now)
        self._exit_when_done()

    def _is_logon_awaited(self) -> bool:
        """Whether something may rest that nobody has cancelled, and the venue may yet be told so."""
        if not self.taking_up.live:
            return self.config.cancel_on_stop
        return self._rests() and not self.outbox.logged_on and self.connection.may_connect

    def _rests(self) -> bool:
        return self.config.cancel_on_stop and bool(len(self.history.orders))

    def _exit_when_done(self) -> None:
        """Exit once the connection has ended and everything is durable."""
        waiting = self.emergency.unwritten if self.emergency.active else self.records.appender.unacknowledged
        has_left = self.connection.stopping and self.outbox.fix is None
        if self._stop_ns is not None and has_left and not waiting:
            self._exit("stopped")

    def _exit(self, text: str) -> None:
        self._stop_ns = None
        self.effects.append(Exit(0, text))

    # ---- status ----

    def status(self, now: Instant) -> dict[str, object]:
        history, fix, rate = self.history, self.outbox.fix, self.outbox.rate
        offset_ns = fix.last_sending_time_offset_ns if fix is not None else 0
        heard_ns = fix.last_received_boot_ns if fix is not None else 0
        failed = FailedLogons(0, "") if self.outbox.logged_on else self.connection.failed_logons
        return {
            "state": self._state(),
            "epoch": self.records.appender.epoch,
            "lsn": self.records.appender.last_lsn,
            "generation": history.generation,
            "connection": history.connection,
            "former_connection": self.former.outbox.connection if self.former.lives else None,
            "sender_comp_id": history.sender_comp_id,
            **self.connection.key.status,
            "next_outbound": history.next_outbound,
            "next_inbound": history.next_inbound,
            "last_heard_ms": (now.boot_ns - heard_ns) // NS_PER_MS if heard_ns else None,
            "clock_offset_ms": round(offset_ns / NS_PER_MS, 3),
            "clock_warning": abs(offset_ns) > CLOCK_WARNING_NS,
            "gate": "open" if self.gate.is_open else "closed",
            "failed_logons": failed.connections,
            "failed_logon": failed.text,
            "halted": history.halted,
            "schedule": self.connection.hours.text,
            "latched": self.kill.latched,
            "latch_failure": self.kill.latch.failure,
            "kill": self.kill.state,
            "emergency": self.emergency.name if self.emergency.active else "",
            "emergency_failure": self.emergency.failure,
            "journal_away": self.records.away(now),
            "unreleased": self.outbox.unreleased,
            "may_be_open": len(history.orders),
            "rate_used": rate.used(self.outbox.waiting, now),
            "rate_limit": rate.messages,
            "venue_limits": self.venue_limits.rows(now),
            "sent": self.outbox.messages_sent,
            "refused": self.commands.refused,
            "garbled": self._garbled,
            "unreadable": self.inbox.unreadable + self.former.inbox.unreadable + self.venue_limits.unreadable,
            "unread": self.inbox.unread + self.former.inbox.unread,
            "left_out": self.folded.left_out.text,
            "left_out_lsns": list(self.folded.left_out.unaccepted),
        }

    def _state(self) -> str:
        """One word for people."""
        fix = self.outbox.fix
        if not self.taking_up.live:
            return "starting"
        if fix is None:
            return self._why_not_connected()
        if self.connection.closing:
            return "closing"
        if self.kill.latched:
            return "killed"
        if not fix.logged_on:
            return "connecting"
        return "ready" if self.gate.is_open else "reconciling" if self.gate.caught_up else "logged_on"

    def _why_not_connected(self) -> str:
        if self.history.halted:
            return "halted"
        if self.history.logged_out_by_hand:
            return "logged_out"
        return "waiting" if self.connection.hours.is_open else "off_schedule"
