"""The session's connection to its venue: when it is made, how it ends, and what is to be done before the next one.

A connection takes its number and its SenderCompID(49) from a record that stands in the log before anything is sent on
it. One that ends withdraws what it did not release, and the next is tried later, unless a person has to act first.
A venue that resets the numbers within a connection gets another one, whose logon resets them: what was under way then
is withdrawn or asked about, as after any loss.

A venue that announces the end of a connection gets another one before: it is dialled while the first goes on. Once it
is up, and everything that was numbered has left, it is logged on, and the first is its `Former`.

A schedule ends connections at the end of its period and makes none before the next. Its clock is our own wall clock,
looked at in every timer; the journal is asked nothing but what our last Logon(A) said. The first logon of a period
resets persistent numbers where the venue wants that: the wish is recorded like a person's, so that a process that dies
before the venue has answered goes on with it.

Each connection has its gate, which is closed until both sides are proven to be in step and orders opens it. After each
logon a TestRequest(1) is sent; its answer shows that both sides hold the same numbers (caught up). Orders then
reconciles and sends OpenGate for this very connection; what adds risk waits for that.
"""

import re
from dataclasses import replace
from typing import NamedTuple

import msgspec

from common.actor.core import Close, Connect, Core
from common.fix.schedule import Period
from common.fix.session import Session
from common.fix.session_types import Inbound, Notice, NumbersReason, NumbersSet, SessionSettings
from common.fix.wire import split
from common.instant import NS_PER_MS, NS_PER_S, Instant, earliest
from common.messages import MAX_FIX_MESSAGE_BYTES, OpenGate, OperatorAct, Reason, SessionChanged, SessionState
from common.venues.connector import Connector, Hours
from common.venues.credentials import Credentials
from common.venues.dialect import Identity
from common.venues.key_in_use import KeyInUse, sender_of
from services.session.former import Former
from services.session.kill import KillSwitch
from services.session.outbox import Outbox, Shared
from services.session.records import Records
from services.session.resender import Resender

TEST_AGAIN_NS = 5_000 * NS_PER_MS
"""The TestRequest(1) that proves both sides in step is sent again after so long without its answer."""


class Gate:
    """See the module. `caught_up` and `is_open` are of the live connection."""

    def __init__(self, core: Core, records: Records, outbox: Outbox) -> None:
        """`core` takes the notes."""
        self._core = core
        self._records = records
        self._outbox = outbox
        self.caught_up = False
        self.is_open = False
        self._test_req_id = b""
        self.due_boot_ns: int | None = None
        """When the question is due again."""

    def ask(self, now: Instant) -> None:
        """Ask for the proof: after the logon, and again where the question is unanswered or did not leave."""
        self._test_req_id = b"up-%d" % self._records.history.connection
        self.due_boot_ns = now.boot_ns + TEST_AGAIN_NS
        if self._outbox.logged_on:
            self._outbox.send("1", b"112=%b\x01" % self._test_req_id, b"", None, now)

    def is_answer(self, message: Inbound) -> bool:
        """Whether the message is the Heartbeat(0) that was asked for."""
        if message.msg_type != "0" or not self._test_req_id:
            return False
        return (message.fields or split(message.raw)).get(b"112") == self._test_req_id

    def in_step(self, now: Instant) -> None:
        """Both sides hold the same numbers."""
        self._test_req_id, self.due_boot_ns = b"", None
        self.caught_up = True
        self._records.changed(SessionState.CAUGHT_UP, now)

    def open_gate(self, command: OpenGate, now: Instant) -> None:
        """Orders has reconciled; an OpenGate for another connection, or before its time, opens nothing."""
        history = self._records.history
        ours = command.session == history.session and command.connection == history.connection
        if ours and self.caught_up and not self.is_open:
            self.is_open = True
            self._records.changed(SessionState.OPENED, now)
            self._core.note("info", "opened", connection=command.connection, orders_epoch=command.orders_epoch)

    def connection_died(self) -> None:
        """The next connection begins with nothing proven."""
        self.caught_up = self.is_open = False
        self._test_req_id, self.due_boot_ns = b"", None

    def timer(self, now: Instant) -> None:
        """Ask again for an answer that did not come."""
        if self.due_boot_ns is not None and now.boot_ns >= self.due_boot_ns:
            self.ask(now)


TARGET = "fix"
CONNECT_TIMEOUT_NS = 10_000 * NS_PER_MS
CLOSE_TIMEOUT_NS = 1_000 * NS_PER_MS
_EXPECTED = re.compile(r"too low, expecting (\d{1,18})\b", re.IGNORECASE)
"""FIX 4.4 volume 2: how a peer tells the number that it expects, in Text(58) of Logout(5)."""

TOO_LOW_LIMIT = 3
"""So many logons in a row refused for a number too low: our numbers are wrong, and only a person can say which are
right.
"""

UNNUMBERED_AGAIN_NS = 3_600_000 * NS_PER_MS
"""A second message without a readable MsgSeqNum(34) within so long: it comes again and again, since it takes no number,
and only a person can say how to go on.
"""

NAMED_ORDERS = 100
"""The note at a period's end names so many open orders at most, and counts them all."""


class _Successor(msgspec.Struct, gc=False):
    """A connection that is dialled while another lives; `up` once the transport is there."""

    connection: int
    deadline_ns: int
    up: bool = False


class FailedLogons(NamedTuple):
    """How many connections in a row came to no logon, and how the last one ended."""

    connections: int
    text: str


class Connection:
    """See the module. `stopping` is set once, when the process ends: no further connection is made then."""

    def __init__(
        self, shared: Shared, resender: Resender, gate: Gate, kill: KillSwitch, former: Former
    ) -> None:
        """`resender`, `gate` and `kill` are told when a connection ends."""
        self._core, self._config, self._dialect, self._records, self._outbox = shared
        core, config = self._core, self._config
        self._former = former
        self._successor: _Successor | None = None
        self._resender = resender
        self._gate = gate
        self._kill = kill
        self._connector = Connector(
            core.name,
            config.reconnect_min_ms,
            config.reconnect_max_ms,
            config.connects,
            config.connects_window_ms,
            config.jitter_seed,
            config.hosts,
        )
        self.hours = Hours(config.schedule)
        self.key = KeyInUse(config.credentials, config.read_credentials)
        self._begun: Period | None = None
        self.stopping = False
        self._deadline_ns: int | None = None
        self._closing: str | None = None
        self._too_low = 0
        self.failed_logons = FailedLogons(0, "")
        self._numbers_refused = False
        self._expected = 0
        self._was_in_step = False
        self._unnumbered_ns: int | None = None
        self._halt_for = ""

    @property
    def closing(self) -> bool:
        """Whether the connection ends, or gives way to its successor, as soon as everything numbered has left."""
        return self._closing is not None or (self._successor is not None and self._successor.up)

    def is_live(self, connection: int) -> bool:
        """Whether `connection` is the number of the one there is."""
        return self._outbox.fix is not None and connection == self._outbox.connection

    # ---- begin ----

    def begin_connecting(self, now: Instant) -> None:
        """The session is live: connect, if its schedule has it."""
        self.hours.look(now)
        if not self.hours.is_open:
            self._note_closed()
        self.schedule(now, failed=False)

    def schedule(self, now: Instant, *, failed: bool) -> None:
        """Make the next connection, at once or after a back-off, unless a person, the process or the schedule has
        ended them.
        """
        if self.may_connect:
            self._connector.schedule(now, failed=failed)
        else:
            self._connector.cancel()

    @property
    def may_connect(self) -> bool:
        """Whether neither a person, nor the process, nor the schedule has ended the connections."""
        history = self._records.history
        return not (history.halted or history.logged_out_by_hand or self.stopping) and self.hours.is_open

    def cancel(self) -> None:
        """Make none until the next `schedule`."""
        self._connector.cancel()

    def connect_if_due(self, now: Instant) -> None:
        """Begin the connection whose time has come."""
        if self._connector.due_boot_ns is not None and now.boot_ns >= self._connector.due_boot_ns:
            self._connect(now)

    def _connect(self, now: Instant) -> None:
        if self._records.away(now):
            # A logon needs the journal; until it answers there is nothing to connect for.
            self._connector.schedule(now, failed=True)
            return
        self._begin_period(now)
        self._open(now)
        self._connector.attempted(now)
        self._deadline_ns = now.boot_ns + CONNECT_TIMEOUT_NS
        self._core.effects.append(Connect(self._outbox.connection, TARGET))

    def _open(self, now: Instant) -> None:
        """Record the next connection, and make its FIX session."""
        config, history = self._config, self._records.history
        connection = history.connection + 1
        resets = config.resets or history.reset_wanted
        generation = history.generation + 1 if resets else max(1, history.generation)
        numbers = (1, 1) if resets else (history.next_outbound, history.next_inbound)
        made = self.key.make(lambda credentials: self._settings_with(credentials, connection))
        if self.key.failure:
            self._core.note("error", "key_not_used", text=self.key.failure)
        sender = made.sender_comp_id
        change = SessionChanged(config.session, generation, connection, SessionState.CONNECTING, *numbers, sender)
        self._records.append(self._with_what_is_untold(change), now)
        rate = self._outbox.rate
        settings = replace(
            made,
            sequence_policy=config.sequence_policy,
            reset_on_logon=resets,
            # Of the venue's answers some are for what it does not ask for: heartbeats, Logon(A), Logout(5).
            max_answers=max(1, rate.answers * 3 // 4),
            answers_window_s=rate.window_ns / NS_PER_S,
            max_message_bytes=MAX_FIX_MESSAGE_BYTES,
        )
        self._outbox.opened(Session(settings, *numbers), connection)

    def _settings_with(self, credentials: Credentials | None, connection: int) -> SessionSettings:
        """The dialect's part of the next FIX session. Raises ValueError where the credentials are of no use."""
        config, profile, nonces = self._config, self._dialect.profile, self._records.history.nonces
        sender = sender_of(config.sender_comp_id, config.comp_id_prefix, connection, profile, credentials)
        identity = Identity(sender, config.target_comp_id, config.heart_bt_int_s, nonces.latest_ms)
        return self._dialect.session_settings(identity, credentials)

    def _with_what_is_untold(self, change: SessionChanged) -> SessionChanged:
        """The record with what the session knows of its venue, where its log does not say so: the window, each symbol's
        assets, and which are traded in contracts."""
        config, history = self._config, self._records.history
        window_ns, assets, contracts = self._dialect.profile.window_ns, dict(config.assets), dict(config.contracts)
        told = (*history.venue_told, history.contracts_told)
        if not assets or (window_ns, assets, contracts) == told:
            return change
        return msgspec.structs.replace(change, window_ns=window_ns, assets=assets, contracts=contracts)

    def connected(self, now: Instant) -> None:
        """The transport is there: log on, unless the period that the connection was made for is over."""
        self.keep_hours(now)
        if self._outbox.fix is not None:
            self._deadline_ns = None
            self._outbox.fix.connected(now)

    # ---- a successor ----

    def end_announced(self, now: Instant) -> None:
        """The venue will end the connection: have another one before, under the next of its names."""
        config = self._config
        renamed = config.resets and bool(config.comp_id_prefix) and self._dialect.profile.ends_announced
        if not renamed or not self._outbox.logged_on or self.closing or self._successor is not None:
            return
        if self._former.lives or not self.may_connect or self._records.emergency.active:
            return
        if self._connector.may_attempt(now):
            connection = self._records.history.connection + 1
            self._successor = _Successor(connection, now.boot_ns + CONNECT_TIMEOUT_NS)
            self._connector.attempted(now)
            self._core.note("info", "successor", connection=connection)
            self._core.effects.append(Connect(connection, TARGET))

    def is_successor(self, connection: int) -> bool:
        """Whether `connection` is the number of the one that is dialled beside the living one."""
        return self._successor is not None and connection == self._successor.connection

    def successor_connected(self) -> None:
        """The transport is there: nothing new is numbered on the living connection from here on."""
        assert self._successor is not None
        self._successor.up = True

    def successor_closed(self, text: str) -> None:
        """It came to nothing; the venue announces the end again."""
        assert self._successor is not None
        self._core.note("warning", "no_successor", connection=self._successor.connection, text=text)
        self._successor = None

    def _give_way(self, now: Instant) -> None:
        """Everything has left on the living connection: the successor is the living one, and logs on."""
        self._former.take_over(self._outbox)
        self._forget(now)
        self._succeed(now)

    def _succeed(self, now: Instant) -> None:
        """Go on with the connection that was dialled already."""
        successor, self._successor = self._successor, None
        assert successor is not None
        self._open(now)
        self._deadline_ns = successor.deadline_ns
        if successor.up:
            self.connected(now)
            self._outbox.number_made(now)

    def _drop_successor(self, text: str) -> None:
        if self._successor is not None:
            self._core.effects.append(Close(self._successor.connection))
            self.successor_closed(text)

    def in_step(self) -> None:
        """Our numbers are right, and the next loss begins at the shortest back-off again."""
        self._too_low, self._was_in_step = 0, True
        self._connector.worked()

    def numbers_set(self, effect: NumbersSet, now: Instant) -> None:
        """The FIX session goes on with other numbers: record them. A logon's own reset stands in its record already."""
        history = self._records.history
        generation = history.generation
        if effect.reason is NumbersReason.RESET_ON_LOGON:
            return
        if effect.reason is NumbersReason.RESET_SEQ_NUM_FLAG:
            if history.state is not SessionState.CONNECTING:
                self._reset_within(now)
                return
            generation += 1
            # In answer to the Logon(A), whose own number is that.
            self._outbox.live.first_number = 1
        change = msgspec.structs.replace(
            history.change(SessionState.NUMBERS_SET, effect.reason.name.lower()),
            generation=generation,
            next_outbound=effect.next_outbound,
            next_inbound=effect.next_inbound,
        )
        self._records.append(change, now)

    def _reset_within(self, now: Instant) -> None:
        """Messages under the old numbers are on their way or wait for the journal, and no message under the new ones
        tells what became of them.
        """
        text = "the venue reset the numbers within the connection"
        self._records.append(OperatorAct(self._core.name, "reset", "venue", text), now)
        self.break_off(text, now)

    def told_other_log(self, raw_data: str, now: Instant) -> bool:
        """Whether the venue has answered the Logon(A) by another log than before: its numbers prove nothing of what was
        sent, since what it asks for again may have been carried out. Then the next connection begins a generation."""
        log, known = self._dialect.log_told(raw_data), self._records.history.venue_log
        if not log or not known or log == known:
            return False
        self._reset_for_log(log, now)
        self.break_off(f"the venue counts by log {log} now, by {known} before", now)
        return True

    def refused_by_log(self, text: str, now: Instant) -> None:
        """The venue does not go on with our numbers, in a text that may name its log: another one has lost them."""
        log, history = self._dialect.log_told(text), self._records.history
        if log and log != history.venue_log and history.state is SessionState.CONNECTING:
            self._reset_for_log(log, now)

    def logged_on(self, raw_data: str, now: Instant) -> None:
        """Record it, and by which log the venue counts, where that was not known."""
        history = self._records.history
        log = "" if history.venue_log else self._dialect.log_told(raw_data)
        self._records.append(msgspec.structs.replace(history.change(SessionState.LOGGED_ON), venue_log=log), now)

    def _reset_for_log(self, log: str, now: Instant) -> None:
        """The wish first: a process that dies between the two asks for one reset too many, which does no harm."""
        text = f"the venue counts by another log, {log}"
        self._records.append(OperatorAct(self._core.name, "reset", "venue", text), now)
        change = self._records.history.change(SessionState.NUMBERS_SET, "another_log")
        self._records.append(msgspec.structs.replace(change, venue_log=log), now)
        self._core.note("warning", "another_log", log=log)

    def refused(self, text: str, *, certain: bool = False) -> None:
        """The connection is ended with this text. FIX 4.4 volume 2: a number too low is answered with Logout(5),
        "MsgSeqNum too low, expecting X ..."; `certain` where there is more than the text to tell it.
        """
        if certain or ("too low" in text.lower() and not self._gate.caught_up):
            self._numbers_refused = True
            expected = _EXPECTED.search(text)
            self._expected = int(expected[1]) if expected is not None else 0

    def unnumbered(self, text: str, now: Instant) -> None:
        """A message had no number that could be read, and will come again: with the second the session is halted, as
        soon as this connection has ended."""
        before, self._unnumbered_ns = self._unnumbered_ns, now.boot_ns
        if before is not None and now.boot_ns - before <= UNNUMBERED_AGAIN_NS:
            self._unnumbered_ns = None
            self._halt_for = f"{text}, and again: its bytes are in the journal under MsgSeqNum(34)=0"

    def close_for_good(self, text: str, now: Instant) -> None:
        """End the connection; before a person has looked there is no other."""
        self._halt_for = text
        self.close(text, now)

    # ---- hours ----

    def keep_hours(self, now: Instant) -> None:
        """Follow the schedule: log out where its period has ended, and connect where the next has begun."""
        if not self.hours.look(now):
            return
        if self.hours.is_open:
            self._core.note("info", "schedule_opened")
        else:
            self._note_closed()
        if self._outbox.fix is None:
            self.schedule(now, failed=False)
        elif self._outlived():
            self.log_out("the period of the schedule has ended", "its schedule's period ended while connecting", now)

    def _outlived(self) -> bool:
        """Whether the connection may not go on. An earlier period comes of a clock that was set back: the numbers are
        the later one's already.
        """
        period = self.hours.period
        if period is None or self._begun is None or not self._config.reset_numbers:
            return period is None
        return period.start_ns > self._begun.start_ns

    def _note_closed(self) -> None:
        names = [order.cl_ord_id for order in self._records.history.orders.all()]
        level = "warning" if names else "info"
        named = names[:NAMED_ORDERS]
        self._core.note(level, "schedule_closed", text=self.hours.text, may_be_open=len(names), orders=named)

    def _begin_period(self, now: Instant) -> None:
        """A connection is about to be made: reset the numbers first, where they are of another period."""
        self._begun = self.hours.period
        schedule, history = self._config.schedule, self._records.history
        if schedule is None or not self._config.reset_numbers or history.reset_wanted or not history.logon_ns:
            return
        if schedule.began_since(history.logon_ns, now.wall_ns):
            text = f"both numbers start at 1: the last Logon(A) was at {schedule.text(history.logon_ns)}"
            self._records.append(OperatorAct(self._core.name, "reset", "schedule", text), now)
            self._core.note("warning", "period_began", text=text)

    # ---- end ----

    def log_out(self, text: str, not_made_text: str, now: Instant) -> None:
        """Withdraw what adds risk and has not left, and log out; what is not even made yet is closed."""
        fix = self._outbox.fix
        if fix is not None:
            self._outbox.withdraw_risky(Reason.SHUTDOWN, now)
            fix.logout(text, now)
            if not fix.connection:
                self.close(not_made_text, now)

    def close(self, text: str, now: Instant) -> None:
        """End the connection once everything before this has left."""
        if self._closing is None:
            self._closing = text
            self._deadline_ns = now.boot_ns + CLOSE_TIMEOUT_NS
        self.close_if_drained(now)

    def close_if_drained(self, now: Instant) -> None:
        """End a connection that is closing, or have it give way, now that more has left."""
        if self._closing is None and self._successor is not None and self._successor.up:
            if self._outbox.fix is not None and not self._outbox.unreleased:
                self._give_way(now)
        elif self._closing is not None and self._outbox.fix is not None and not self._outbox.unreleased:
            self.break_off(self._closing, now)

    def break_off(self, text: str, now: Instant) -> None:
        """End the connection now, whatever has not left."""
        self._core.effects.append(Close(self._outbox.connection))
        self.ended(text, now)

    def ended(self, text: str, now: Instant) -> None:
        """Nothing more goes out on this connection: withdraw, record, and try the next one later."""
        assert self._outbox.fix is not None
        self._outbox.fix.disconnected(now)
        for effect in self._outbox.fix.take_effects():
            if isinstance(effect, Notice):
                self._core.note(effect.level.value, effect.code, text=effect.text)
        self._outbox.lost(Reason.SHUTDOWN if self.stopping else Reason.CONNECTION_LOST, now)
        self._forget(now)
        self._deadline_ns = None
        self._closing = None
        is_failed = self._records.history.state is SessionState.CONNECTING
        failed = self.failed_logons.connections
        self.failed_logons = FailedLogons(failed + 1, text) if is_failed else FailedLogons(0, "")
        self._records.changed(SessionState.DISCONNECTED, now, text)
        self._core.note("warning", "disconnected", connection=self._records.history.connection, text=text)
        self._too_low += self._numbers_refused
        if self._numbers_refused:
            self._follow_the_lost_host(now)
        self._numbers_refused = False
        if self._too_low >= TOO_LOW_LIMIT or self._halt_for:
            self._halt(self._halt_for or text, now)
        if self._successor is not None and self.may_connect:
            self._succeed(now)
            return
        self._drop_successor(text)
        self.schedule(now, failed=True)

    def _forget(self, now: Instant) -> None:
        """What was asked on the living connection is not answered to it any more."""
        self._resender.forget()
        self._kill.connection_died(now)
        self._gate.connection_died()

    def _follow_the_lost_host(self, now: Instant) -> None:
        """This host took over from one whose last messages are lost: the venue knows how far it had come, and its word
        is journaled. Once this session was in step in the term, a number too low is a fault again."""
        grant, history = self._records.appender.grant, self._records.history
        if grant is None or not grant.first_in_term or self._was_in_step or self._expected <= history.next_outbound:
            return
        text = f"{history.next_outbound} to {self._expected - 1} sent by the lost host, content unknown"
        change = history.change(SessionState.NUMBERS_SET, text)
        self._records.append(msgspec.structs.replace(change, next_outbound=self._expected), now)
        self._core.note("warning", "numbers_of_lost_host", text=text)
        self._too_low = 0

    def _halt(self, text: str, now: Instant) -> None:
        self._too_low, self._halt_for = 0, ""
        self._records.changed(SessionState.HALTED, now, text)
        set_numbers = "" if self._config.resets else "set the numbers (fixring session set-seq), then "
        mend = f"ask the venue; {set_numbers}log on by hand (fixring session logon)"
        self._core.note("error", "halted", text=text, mend=mend)

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        """When the next connection is begun, or one that is neither made nor ended by then broken off, or the schedule
        followed, in boot time."""
        dialled_ns = self._successor.deadline_ns if self._successor is not None else None
        connector_ns, hours_ns = self._connector.due_boot_ns, self.hours.next_deadline_ns()
        return earliest(self._deadline_ns, dialled_ns, connector_ns, hours_ns)

    def timer(self, now: Instant) -> None:
        """Break off what takes too long."""
        if self._successor is not None and now.boot_ns >= self._successor.deadline_ns:
            self._drop_successor("no connection in time")
        if self._config.gives_way and self._outbox.fix is not None:
            cut_off_ns = self._config.heart_bt_int_s * NS_PER_S
            if self._records.away_for_ns(now) >= cut_off_ns:
                # The venue lets another host in once this connection is dead; nothing can be sent on it meanwhile.
                self.break_off("the journal has answered nothing for a HeartBtInt(108)", now)
                return
        if self._deadline_ns is not None and now.boot_ns >= self._deadline_ns:
            self.break_off(self._closing or "no connection in time", now)
