"""The session actor: one FIX connection of one account, its numbers, its gate, and the commit rule on its side.

Theory of operation. Commands come from risk alone. A command that may be sent takes a number in the FIX session, is
appended with its bytes, and leaves when the journal has acknowledged it (`outbox`, `release`). What arrives is
appended with its meaning before anybody acts on it. After each logon a TestRequest(1) is sent; its answer shows that
both sides hold the same numbers (caught up). Orders then reconciles and sends OpenGate for this very connection;
until then all but cancels and status requests are refused. A connection that ends withdraws what it did not release.

At the start the session takes an epoch, folds its own records up to it (`history`), and connects. Under the kill latch
(`kill`) it refuses and cancels, with the emergency file as its journal where the journal does not answer (`records`).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import msgspec

from common.actor.core import Close, Connect, Core, Exit, HostWorked, Send
from common.actor.links import AWAY_NS, Follower, Superseded
from common.fix.session import Session
from common.fix.session_types import (
    Disconnect,
    DisconnectReason,
    LoggedOn,
    LoggedOut,
    Notice,
    NumbersReason,
    NumbersSet,
    ResendWanted,
)
from common.fix.session_types import Effect as FixEffect
from common.fix.session_types import Inbound as FixInbound
from common.fix.session_types import Outbound as FixOutbound
from common.fix.wire import split
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.journal.errors import JournalError
from common.journal.files import Files
from common.journal.frames import Record
from common.latch import Latch
from common.messages import (
    AmendOrder,
    Announced,
    CancelOrder,
    Command,
    ControlAnswer,
    ControlRequest,
    Inbound,
    NewOrder,
    OpenGate,
    OperatorAct,
    QueryOrder,
    Reason,
    Refused,
    RequestRejected,
    SessionChanged,
    SessionState,
    VenueEvent,
)
from common.venues.connector import Connector, comp_id
from common.venues.dialect import BadReport, Body, Dialect, Identity, VenueLimit
from services.session.emergency import Emergency
from services.session.history import RISKY
from services.session.kill import KillSwitch
from services.session.outbox import Outbox
from services.session.rates import MessageRate
from services.session.records import OWN_KINDS, Records, decode_payload
from services.session.recovery import Folded
from services.session.resender import Resender
from services.session.settings import SessionConfig

TARGET = "fix"
INTEGRITY = 7
END_OF_LOG = ALL = 1 << 62
CONNECT_TIMEOUT_NS = 10_000 * NS_PER_MS
CLOSE_TIMEOUT_NS = 1_000 * NS_PER_MS
STOP_TIMEOUT_NS = 1_500 * NS_PER_MS
TEST_AGAIN_NS = 5_000 * NS_PER_MS
"""The TestRequest(1) that proves both sides in step is sent again after so long without its answer."""

EARLY_COMMANDS = 1000
"""Commands that come before the session is live wait for it; of more, the oldest are lost, as on any command link."""

CLOCK_WARNING_NS = 250 * NS_PER_MS
TOO_LOW_LIMIT = 3
"""So many logons in a row refused for a number too low: our numbers are wrong, and only a person can say which are
right.
"""


class ByHand(msgspec.Struct, frozen=True):
    """The arguments of an act by hand; 0 leaves a number as it is."""

    next_outbound: Annotated[int, msgspec.Meta(ge=0)] = 0
    next_inbound: Annotated[int, msgspec.Meta(ge=0)] = 0
    confirm: bool = False


class SessionCore(Core):
    """See the module. Links: "journal", "commands"; target "fix"."""

    def __init__(self, config: SessionConfig, dialect: Dialect, files: Files, folded: Folded | None = None) -> None:
        """`files` is the disk of the kill latch and the emergency file; `folded` what a snapshot holds of the log."""
        super().__init__(f"session@{config.venue}")
        self.config = config
        self.dialect = dialect
        self.files = files
        self.folded = folded or Folded(self.name, config.venue, dialect)
        self.history = self.folded.history
        self.emergency = Emergency(config.emergency_folder, config.venue, self.name, files, config.emergency_bytes)
        self.records = Records(self, self.name, self.history, self.emergency)
        reserved = int(config.messages * config.cancel_reserve_ratio)
        self.outbox = Outbox(self, config.venue, self.records, MessageRate(config.messages, config.window_ms, reserved))
        self.resender = Resender(config.venue, self.records, self.outbox)
        self.connector = Connector(
            self.name,
            config.reconnect_min_ms,
            config.reconnect_max_ms,
            config.connects,
            config.connects_window_ms,
            config.jitter_seed,
        )
        self.outbox.carry_out = self._carry_out
        latch = Latch(config.emergency_folder, f"{self.name}.latch", files)
        self.kill = KillSwitch(config.venue, config.symbols, dialect, latch, self.records, self.outbox)
        self._follower = Follower(self, self.folded.lsn)
        self._live = False
        self._alone_ns: int | None = None
        self._reading_alone = False
        self._connection_deadline_ns: int | None = None
        self._closing: str | None = None
        self._test_req_id = b""
        self._test_due_ns: int | None = None
        self._caught_up = False
        self._gate_open = False
        self._early: deque[Command] = deque(maxlen=EARLY_COMMANDS)
        self._venue_limits: list[VenueLimit] = []
        self._too_low = 0
        self._numbers_refused = False
        self._garbled = 0
        self._unreadable = 0
        self._refused = 0
        self._stop_deadline_ns: int | None = None

    # ---- start ----

    def started(self, now: Instant) -> None:
        """See `Core`. Under the latch the journal is waited for as long as an append would be, not longer."""
        self.kill.latch.load()
        if self.kill.latch.failure:
            self.note("error", "latch", why=self.kill.latch.failure, mend="make the emergency folder writable")
        if self.kill.latched:
            self._alone_ns = now.boot_ns + AWAY_NS
        self.records.appender.request_epoch(now)

    def log_read(self, records: Sequence[Record], now: Instant) -> None:
        """See `Core`."""
        fresh = self._follower.log_read(records, now)
        if self._live:
            self._hand_over_read(fresh, now)
            return
        for record in fresh:
            self.folded.apply(record)
        if self._reading_alone and not records:
            # The end of what can be read without the journal.
            self._reading_alone = False
            self._follower.seen = self._follower.cursor
            grant = self.records.appender.grant
            if grant is None:
                self._go_live_alone(now)
                return
            self._follower.read_to(grant.lsn)
        if self._follower.caught_up and not self._reading_alone and self.records.appender.granted:
            self._go_live(now)

    @property
    def reading_alone(self) -> bool:
        """Whether the log is being read without a journal that answers."""
        return self._reading_alone

    def _read_alone(self, now: Instant) -> None:
        """The journal does not grant an epoch: read what its files hold, which needs no journal."""
        self._alone_ns = None
        if not self.records.appender.granted:
            self._reading_alone = True
            self._follower.read_to(END_OF_LOG)

    def _go_live(self, now: Instant) -> None:
        """The log is folded up to our epoch: hand over what files hold, and begin."""
        try:
            self.records.fold_waiting()
            self.records.hand_over(now)
        except (JournalError, OSError) as error:
            self.effects.append(Exit(INTEGRITY, f"{self.name}: an emergency file cannot be read: {error}"))
            return
        self._begin(now)

    def _go_live_alone(self, now: Instant) -> None:
        """Under the latch, without the journal: the emergency file is the journal from here on."""
        try:
            self.records.fold_waiting()
        except (JournalError, OSError) as error:
            self.effects.append(Exit(INTEGRITY, f"{self.name}: an emergency file cannot be read: {error}"))
            return
        epoch = max(self.folded.highest_epoch + 1, now.wall_ns // NS_PER_S)
        self.emergency.prepare(epoch, self.history.hand_overs.done)
        if self.emergency.failure:
            self.note("error", "emergency", why=self.emergency.failure, mend="cancel over REST; nothing leaves here")
        self.records.begin_alone(now)
        self._begin(now)

    def _begin(self, now: Instant) -> None:
        self._live = True
        self._alone_ns = None
        if self.history.state is not SessionState.DISCONNECTED:
            self._changed(SessionState.DISCONNECTED, now, "process restarted")
        self.kill.connection_died(now)
        if self.kill.latched:
            self.kill.tell(now)
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
        self._connect_when_due(now, failed=False)
        while self._early:
            self._command(self._early.popleft(), now)

    # ---- connecting ----

    def _connect_when_due(self, now: Instant, *, failed: bool) -> None:
        if self.history.halted or self.history.logged_out_by_hand or self._stop_deadline_ns is not None:
            self.connector.cancel()
        else:
            self.connector.schedule(now, failed=failed)

    def _connect(self, now: Instant) -> None:
        if self.records.away(now) or (self.emergency.active and self.emergency.failure):
            # A logon needs the journal; until it answers there is nothing to connect for.
            self.connector.schedule(now, failed=True)
            return
        config, history = self.config, self.history
        connection = history.connection + 1
        resets = config.resets or history.reset_wanted
        generation = history.generation + 1 if resets else max(1, history.generation)
        numbers = (1, 1) if resets else (history.next_outbound, history.next_inbound)
        sender = comp_id(config.sender_comp_id, config.comp_id_prefix, connection)
        change = SessionChanged(config.venue, generation, connection, SessionState.CONNECTING, *numbers, sender)
        self.records.append(change, now)
        self.connector.attempted(now)
        identity = Identity(sender, config.target_comp_id, config.heart_bt_int_s)
        settings = replace(
            self.dialect.session_settings(identity, config.credentials),
            sequence_policy=config.sequence_policy,
            reset_on_logon=resets,
        )
        self.outbox.opened(Session(settings, *numbers), connection)
        self._connection_deadline_ns = now.boot_ns + CONNECT_TIMEOUT_NS
        self.effects.append(Connect(connection, TARGET))

    def connected(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        if self._is_live(connection) and self.outbox.fix is not None:
            self._connection_deadline_ns = None
            self.outbox.fix.connected(now)
            self._carry_out(now)

    def closed(self, connection: int, text: str, now: Instant) -> None:
        """See `Core`."""
        if self._is_live(connection):
            self._connection_ended(text, now)

    def data(self, connection: int, data: bytes, now: Instant) -> None:
        """See `Core`."""
        if self._is_live(connection) and self.outbox.fix is not None:
            self.outbox.fix.received(data, now)
            self._carry_out(now)

    def blocked(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        if self._is_live(connection):
            self.outbox.blocked = True

    def writable(self, connection: int, now: Instant) -> None:
        """See `Core`."""
        if self._is_live(connection):
            self.outbox.blocked = False
            self.outbox.release(now)
            self._close_if_drained(now)

    def _is_live(self, connection: int) -> bool:
        return self.outbox.fix is not None and connection == self.outbox.connection

    def _connection_ended(self, text: str, now: Instant) -> None:
        """Nothing more goes out on this connection: withdraw, record, and try the next one later."""
        assert self.outbox.fix is not None
        self.outbox.fix.disconnected(now)
        self.outbox.fix.take_effects()
        reason = Reason.SHUTDOWN if self._stop_deadline_ns is not None else Reason.CONNECTION_LOST
        self.outbox.lost(reason, now)
        self.resender.forget()
        self.kill.connection_died(now)
        self._connection_deadline_ns = None
        self._closing = None
        self._caught_up = self._gate_open = False
        self._test_req_id, self._test_due_ns = b"", None
        self._changed(SessionState.DISCONNECTED, now, text)
        self.note("warning", "disconnected", connection=self.history.connection, text=text)
        self._too_low += self._numbers_refused
        self._numbers_refused = False
        if self._too_low >= TOO_LOW_LIMIT:
            self._halt(text, now)
        self._connect_when_due(now, failed=True)

    def _halt(self, text: str, now: Instant) -> None:
        self._too_low = 0
        self._changed(SessionState.HALTED, now, text)
        self.note("error", "halted", text=text, mend="set the numbers (fixring session set-seq), then log on by hand")

    def _close(self, text: str, now: Instant) -> None:
        """End the connection once everything before this has left."""
        if self._closing is None:
            self._closing = text
            self._connection_deadline_ns = now.boot_ns + CLOSE_TIMEOUT_NS
        self._close_if_drained(now)

    def _close_if_drained(self, now: Instant) -> None:
        if self._closing is not None and self.outbox.fix is not None and self.outbox.drained:
            self._close_now(now)

    def _close_now(self, now: Instant) -> None:
        self.effects.append(Close(self.outbox.connection))
        self._connection_ended(self._closing or "closed", now)

    # ---- what the FIX session says ----

    def _carry_out(self, now: Instant) -> None:
        """Carry out the FIX session's effects, in order, and those that come of them."""
        fix = self.outbox.fix
        while fix is not None and (effects := fix.take_effects()):
            for effect in effects:
                self._fix_effect(effect, now)
                if self.outbox.fix is not fix:
                    return
        self._close_if_drained(now)

    def _fix_effect(self, effect: FixEffect, now: Instant) -> None:
        if isinstance(effect, FixOutbound):
            self.outbox.numbered(effect, now)
        elif isinstance(effect, FixInbound):
            self._inbound(effect, now)
        elif isinstance(effect, ResendWanted):
            self._resend_wanted(effect, now)
        elif isinstance(effect, NumbersSet):
            self._numbers_set(effect, now)
        elif isinstance(effect, LoggedOn):
            self._logged_on(now)
        elif isinstance(effect, LoggedOut):
            self._note_too_low(effect.text)
            self.note("warning", "logged_out", by_peer=effect.by_peer, text=effect.text)
        elif isinstance(effect, Disconnect):
            self._note_too_low(effect.text, certain=effect.reason is DisconnectReason.SEQUENCE_TOO_LOW)
            self._close(f"{effect.reason.name.lower()}: {effect.text}", now)
        elif isinstance(effect, Notice):
            self._garbled += effect.code == "garbled"
            self.note(effect.level.value, effect.code, text=effect.text)

    def _resend_wanted(self, effect: ResendWanted, now: Instant) -> None:
        if self.resender.needs_new_connection(effect.begin, effect.end):
            self._closing = f"the venue misses MsgSeqNum(34)={effect.begin} of this very connection"
            self._close_now(now)
        else:
            self.resender.wanted(effect.begin, effect.end, now)

    def _note_too_low(self, text: str, *, certain: bool = False) -> None:
        """FIX 4.4 volume 2: a number too low is answered with Logout(5), "MsgSeqNum too low, expecting X ..."."""
        if certain or ("too low" in text.lower() and not self._caught_up):
            self._numbers_refused = True

    def _numbers_set(self, effect: NumbersSet, now: Instant) -> None:
        history, generation = self.history, self.history.generation
        if effect.reason is NumbersReason.RESET_ON_LOGON:
            return
        if effect.reason is NumbersReason.RESET_SEQ_NUM_FLAG:
            generation += 1
            self.outbox.first_number = 1
        change = SessionChanged(
            self.config.venue,
            generation,
            history.connection,
            SessionState.NUMBERS_SET,
            effect.next_outbound,
            effect.next_inbound,
            history.sender_comp_id,
            effect.reason.name.lower(),
        )
        self.records.append(change, now)

    def _logged_on(self, now: Instant) -> None:
        self._changed(SessionState.LOGGED_ON, now)
        self.effects.append(HostWorked(TARGET))
        self._ask_whether_up(now)
        self.kill.begin(now)

    def _ask_whether_up(self, now: Instant) -> None:
        """Its answer will show that both sides hold the same numbers; unanswered, it is sent again."""
        self._test_req_id = b"up-%d" % self.history.connection
        self._test_due_ns = now.boot_ns + TEST_AGAIN_NS
        fix = self.outbox.fix
        if fix is not None and fix.logged_on:
            self.outbox.send("1", b"112=%b\x01" % self._test_req_id, b"", None, now)

    def _inbound(self, effect: FixInbound, now: Instant) -> None:
        event = None if effect.rejected else self._event(effect)
        history = self.history
        record = Inbound(
            self.config.venue,
            history.generation,
            history.connection,
            effect.msg_seq_num,
            effect.msg_type,
            effect.raw,
            event,
            effect.poss_dup,
        )
        self.records.append(record, now)
        if event is not None and self.kill.latched:
            self.kill.heard(event, now)
        if effect.msg_type == "0":
            if self._test_req_id and (effect.fields or split(effect.raw)).get(b"112") == self._test_req_id:
                self._in_step(now)
        elif event is None and effect.application:
            self._limits(effect, now)

    def _in_step(self, now: Instant) -> None:
        """Both sides hold the same numbers."""
        self._test_req_id, self._test_due_ns = b"", None
        self._caught_up = True
        self._too_low = 0
        self.connector.worked()
        self._changed(SessionState.CAUGHT_UP, now)
        question = self.dialect.encode_limit_query(f"limits-{self.history.connection}")
        if question is not None and self.outbox.fix is not None and self.outbox.fix.logged_on:
            self.outbox.send(question.msg_type, question.fields, b"", None, now)

    def _limits(self, effect: FixInbound, now: Instant) -> None:
        """The venue's own limits: ours may not be above its."""
        try:
            limits = self.dialect.decode_limits(effect.msg_type, effect.raw)
        except BadReport as error:
            self._unreadable += 1
            self.note("error", "unreadable", msg_type=effect.msg_type, why=str(error))
            return
        self._venue_limits = limits or self._venue_limits
        for limit in limits:
            ours = self.config.messages * limit.interval_s * NS_PER_S // self.outbox.rate.window_ns
            if limit.kind == "messages" and ours > limit.maximum:
                mend = "set `limits` in the venue's file to what the venue allows"
                self.note("warning", "limit", ours=ours, theirs=limit.maximum, interval_s=limit.interval_s, mend=mend)

    def _event(self, effect: FixInbound) -> VenueEvent | None:
        try:
            event = self.dialect.decode(effect.msg_type, effect.raw, effect.fields)
        except BadReport as error:
            self._unreadable += 1
            raw = effect.raw.decode("latin-1")
            self.note("error", "unreadable", msg_type=effect.msg_type, why=str(error), raw=raw)
            return None
        if isinstance(event, Announced):
            self.note("warning", "news", headline=event.headline)
        if isinstance(event, RequestRejected):
            sent = self.history.sent.get(event.ref_msg_seq_num)
            if sent is not None and sent.attempt is not None:
                name = event.cl_ord_id or sent.cl_ord_id
                return msgspec.structs.replace(event, attempt=sent.attempt, cl_ord_id=name)
        return event

    def _changed(self, state: SessionState, now: Instant, text: str = "") -> None:
        history = self.history
        change = SessionChanged(
            self.config.venue,
            history.generation,
            history.connection,
            state,
            history.next_outbound,
            history.next_inbound,
            history.sender_comp_id,
            text,
        )
        self.records.append(change, now)

    # ---- links ----

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        """See `Core`."""
        if link == "commands":
            self._command(message, now)  # type: ignore[arg-type]
        elif link == "journal":
            self._journal_said(message, now)
        elif isinstance(message, ControlRequest):
            self._control(peer, message, now)

    def _journal_said(self, message: msgspec.Struct, now: Instant) -> None:
        appender = self.records.appender
        was_granted = appender.granted
        try:
            acknowledged = self.records.received(message, now)
        except Superseded as error:
            self._superseded(str(error), now)
            return
        if appender.grant is not None and not was_granted:
            self._granted(appender.grant.lsn, now)
        if acknowledged is not None:
            self._durable(acknowledged.last, acknowledged.stamp_ns, now)

    def _granted(self, lsn: int, now: Instant) -> None:
        if self._live and self.records.unsure_from_lsn is not None:
            # An earlier hand-over was not acknowledged to its end. The log says where to go on.
            self._follower.cursor = self._follower.seen = self.records.unsure_from_lsn
            self._follower.read_to(lsn)
        elif self._live:
            self._end_emergency(now)
        elif not self._reading_alone:
            self._follower.read_to(lsn)

    def _durable(self, number: int, stamp_ns: int, now: Instant) -> None:
        """Everything appended up to `number` is on disk."""
        self.outbox.acknowledged(number, stamp_ns, now)
        self.resender.acknowledged(number, now)
        self._carry_out(now)
        self._exit_when_stopped(now)

    # ---- emergency ----

    def _begin_emergency(self, now: Instant) -> None:
        """The latch holds and the journal is away: what must be cancelled is cancelled all the same."""
        if self.emergency.failure:
            return
        fix = self.outbox.fix
        self.note("error", "emergency", file=self.emergency.name, unreleased=len(self.outbox.queue))
        self.records.begin_emergency(self.outbox.queue.take_all(), self.outbox.connection, now)
        self._flush_emergency(now)
        self.resender.acknowledged(ALL, now)
        self.resender.renumbered()
        if fix is not None and fix.logged_on:
            fix.next_outbound = self.history.next_outbound
            if not self._caught_up:
                # The question may be among what was withdrawn.
                self._ask_whether_up(now)
            self.kill.restart(now)
            self._carry_out(now)
        elif fix is not None:
            # A Logon(A) or Logout(5) that never left: this connection leads nowhere.
            self._close("the journal went away during the logon", now)
        else:
            self._connect_when_due(now, failed=False)

    def _flush_emergency(self, now: Instant) -> None:
        """Make the turn's records durable in the file; a file that fails ends the connection, for nothing may leave."""
        failed_before = bool(self.emergency.failure)
        number = self.emergency.flush(now)
        if not self.emergency.failure:
            self._durable(number, 0, now)
        elif not failed_before:
            self.note("error", "emergency_failed", why=self.emergency.failure, mend="account cancels over REST")
            if self.outbox.fix is not None:
                self.effects.append(Close(self.outbox.connection))
                self._connection_ended("the emergency file failed", now)

    def _hand_over_read(self, records: Sequence[Record], now: Instant) -> None:
        """What the log holds since an unacknowledged hand-over began: how far it went, nothing else, is news."""
        hand_overs = self.history.hand_overs
        for record in records:
            if record.writer == self.name:
                self.folded.see_epoch(record)
                if record.kind in OWN_KINDS:
                    hand_overs.see(decode_payload(record.payload))
        if self._follower.caught_up and self.emergency.active:
            hand_overs.new_epoch()
            self._end_emergency(now)

    def _end_emergency(self, now: Instant) -> None:
        """The journal is back and has granted an epoch: it gets the file before anything else."""
        self._flush_emergency(now)
        self.resender.renumbered()
        try:
            self.records.hand_over(now)
        except (JournalError, OSError) as error:
            self.effects.append(Exit(INTEGRITY, f"{self.name}: the emergency file cannot be read: {error}"))
            return
        self.note("warning", "handed_over", epoch=self.records.epoch)
        if self.outbox.fix is None:
            self._connect_when_due(now, failed=False)

    def _superseded(self, text: str, now: Instant) -> None:
        """Another process is this session now: leave the wire at once, and write nothing more."""
        if self.outbox.fix is not None:
            self.effects.append(Close(self.outbox.connection))
            self.outbox.fix = None
        self.effects.append(Exit(1, text))

    # ---- commands ----

    def _command(self, command: Command, now: Instant) -> None:
        if not self._live:
            self._early.append(command)
            return
        if isinstance(command, OpenGate):
            self._open_gate(command, now)
            return
        refusal = self._refusal(command, now)
        if refusal is not None:
            self._refuse(command, *refusal, now)
            return
        self._send(command, now)

    def _send(self, command: NewOrder | AmendOrder | CancelOrder | QueryOrder, now: Instant) -> None:
        dialect, header = self.dialect, b""
        body: Body | None
        if isinstance(command, NewOrder):
            body = dialect.encode_new(command, now.wall_ns)
            header = dialect.header_fields(command.deadline_ns - self.records.clock.estimate_ns(now))
        elif isinstance(command, CancelOrder):
            body = dialect.encode_cancel(command, now.wall_ns)
        elif isinstance(command, AmendOrder):
            body = dialect.encode_amend(command, now.wall_ns)
            header = dialect.header_fields(command.deadline_ns - self.records.clock.estimate_ns(now))
        else:
            body = dialect.encode_query(command)
        if body is None:
            self._refuse(command, Reason.UNSUPPORTED, "", "", now)
            return
        self.outbox.send(body.msg_type, body.fields, header, command, now)
        self._carry_out(now)

    def _refusal(
        self, command: NewOrder | AmendOrder | CancelOrder | QueryOrder, now: Instant
    ) -> tuple[Reason, str, str] | None:
        """Why the command may not take a number: (reason, value, limit); None when it may."""
        risky = isinstance(command, RISKY)
        if command.venue != self.config.venue:
            return Reason.UNKNOWN_VENUE, command.venue, self.config.venue
        if self._stop_deadline_ns is not None:
            return Reason.SHUTDOWN, "", ""
        if self.history.halted:
            return Reason.HALTED, self.history.halted, ""
        if risky and self.kill.latched:
            return Reason.KILLED, self.kill.by, ""
        if self.records.away(now):
            return Reason.JOURNAL_AWAY, "", ""
        fix = self.outbox.fix
        if fix is None or not fix.logged_on or self._closing is not None:
            return Reason.NOT_CONNECTED, "", ""
        if risky and (refusal := self._risky_refusal(command, now)) is not None:  # type: ignore[arg-type]
            return refusal
        rate, waiting = self.outbox.rate, len(self.outbox.queue)
        if not rate.allows(waiting, now, adds_risk=risky):
            return Reason.SESSION_RATE, str(rate.used(waiting, now)), str(rate.messages)
        return None

    def _risky_refusal(self, command: NewOrder | AmendOrder, now: Instant) -> tuple[Reason, str, str] | None:
        if not self._gate_open:
            return Reason.GATE_CLOSED, "", ""
        if self.records.appender.low_disk:
            return Reason.LOW_DISK, "", ""
        journal_ns = self.records.clock.estimate_ns(now)
        if journal_ns > command.deadline_ns:
            return Reason.EXPIRED, str(journal_ns), str(command.deadline_ns)
        return None

    def _refuse(
        self,
        command: NewOrder | AmendOrder | CancelOrder | QueryOrder,
        reason: Reason,
        value: str,
        limit: str,
        now: Instant,
    ) -> None:
        self._refused += 1
        if not self.emergency.active and self.records.appender.full:
            # Bounded: the journal has been away for long. Unnamed in the log, the command expires or is wished again.
            return
        strategy, number = ("", 0) if isinstance(command, QueryOrder) else (command.strategy, command.number)
        record = Refused(
            self.name, reason, reason.sentence, strategy, number, command.attempt, command, value=value, limit=limit
        )
        self.records.append(record, now)

    def _open_gate(self, command: OpenGate, now: Instant) -> None:
        ours = command.venue == self.config.venue and command.connection == self.history.connection
        if ours and self._caught_up and not self._gate_open and self._closing is None:
            self._gate_open = True
            self._changed(SessionState.OPENED, now)
            self.note("info", "opened", connection=command.connection, orders_epoch=command.orders_epoch)

    # ---- time ----

    def next_deadline_ns(self) -> int | None:
        """See `Core`."""
        fix = self.outbox.fix
        times = (
            self.records.appender.next_deadline_ns(),
            self._follower.next_deadline_ns(),
            self.connector.due_boot_ns,
            self._connection_deadline_ns,
            self._stop_deadline_ns,
            self._alone_ns,
            self._test_due_ns,
            self.kill.next_deadline_ns(),
            self._emergency_due_ns(),
            self.outbox.next_deadline_ns() if fix is not None else None,
            fix.next_deadline_ns() if fix is not None else None,
        )
        return min((time for time in times if time is not None), default=None)

    def _emergency_due_ns(self) -> int | None:
        """When an unanswered journal is away, under the latch."""
        if not self.kill.latched or not self._live or self.emergency.active or self.emergency.failure:
            return None
        return self.records.appender.away_from_ns()

    def timer(self, now: Instant) -> None:
        """See `Core`."""
        self.records.appender.timer(now)
        self._follower.timer(now)
        if self._alone_ns is not None and now.boot_ns >= self._alone_ns:
            self._read_alone(now)
        emergency_ns = self._emergency_due_ns()
        if emergency_ns is not None and now.boot_ns >= emergency_ns:
            self._begin_emergency(now)
        if self.connector.due_boot_ns is not None and now.boot_ns >= self.connector.due_boot_ns:
            self._connect(now)
        fix = self.outbox.fix
        if fix is not None:
            fix.timer(now)
            self.outbox.withdraw_late(now)
            if self._test_due_ns is not None and now.boot_ns >= self._test_due_ns:
                self._ask_whether_up(now)
            self._carry_out(now)
        self.kill.timer(now)
        if self._connection_deadline_ns is not None and now.boot_ns >= self._connection_deadline_ns:
            self._closing = self._closing or "no connection in time"
            self._close_now(now)
        if self._stop_deadline_ns is not None and now.boot_ns >= self._stop_deadline_ns:
            self.effects.append(Exit(0, "stopped; the journal did not acknowledge everything in time"))
            self._stop_deadline_ns = None

    def turn_ended(self, now: Instant) -> None:
        """See `Core`."""
        if self.emergency.active and self.emergency.has_unwritten and not self.emergency.failure:
            self._flush_emergency(now)
        self.records.appender.turn_ended(now)

    # ---- stop ----

    def stop(self, now: Instant) -> None:
        """See `Core`: withdraw what has not left, log out, record the end."""
        if not self._live:
            self.effects.append(Exit(0, "stopped before it was live"))
            return
        self._stop_deadline_ns = now.boot_ns + STOP_TIMEOUT_NS
        self.connector.cancel()
        if self.outbox.fix is not None:
            self.outbox.withdraw_risky(Reason.SHUTDOWN, now)
            self.outbox.fix.logout("the session is stopped", now)
            self._carry_out(now)
            if self.outbox.fix is not None and not self.outbox.fix.connection:
                self._close("stopped while connecting", now)
        self._exit_when_stopped(now)

    def _exit_when_stopped(self, now: Instant) -> None:
        stopping = self._stop_deadline_ns is not None and self.outbox.fix is None
        waiting = self.emergency.has_unwritten if self.emergency.active else self.records.appender.unacknowledged
        if stopping and not waiting:
            self._stop_deadline_ns = None
            self.effects.append(Exit(0, "stopped"))

    # ---- control ----

    def _control(self, peer: bytes, request: ControlRequest, now: Instant) -> None:
        ok, text = self._act(request, now)
        self.effects.append(Send("control", ControlAnswer(request.token, ok, text), peer))
        self._carry_out(now)

    def _act(self, request: ControlRequest, now: Instant) -> tuple[bool, str]:
        """Do what a person asks; (done, what to tell them)."""
        acts = {
            "kill": self._kill,
            "resume": self._resume,
            "logon": self._log_on_by_hand,
            "logout": self._log_out_by_hand,
            "reset": self._reset_by_hand,
            "set_seq": self._set_numbers_by_hand,
        }
        act = acts.get(request.act)
        if act is None:
            return False, f"{self.name} has no act {request.act!r}; it has {', '.join(sorted(acts))}"
        if request.act != "kill" and (not self._live or self.records.away(now)):
            return False, "the journal does not answer, and nothing is done that it has not recorded"
        try:
            arguments = msgspec.json.decode(request.arguments, type=ByHand)
        except msgspec.DecodeError as error:
            return False, f"the arguments of {request.act} do not decode: {error}"
        return act(arguments, request.by, now)

    def _operator(self, act: str, by: str, text: str, now: Instant) -> None:
        self.records.append(OperatorAct(self.name, act, by, text), now)
        self.note("warning", "operator", act=act, by=by, text=text)

    def _kill(self, _arguments: ByHand, by: str, now: Instant) -> tuple[bool, str]:
        if not self._live:
            self.kill.latch.latch()
            self._alone_ns = self._alone_ns or now.boot_ns
        else:
            self.kill.kill(by, now)
            self._carry_out(now)
            self._log_on_to_cancel(now)
        self.note("error", "killed", by=by, latch=self.kill.latch.failure or "on disk")
        return True, self.kill.latch.failure or "latched; cancelling until nothing is open"

    def _log_on_to_cancel(self, now: Instant) -> None:
        """What may be open is cancelled at once, not after a back-off."""
        if self.outbox.fix is None:
            self._connect_when_due(now, failed=False)

    def _resume(self, arguments: ByHand, by: str, now: Instant) -> tuple[bool, str]:
        if not arguments.confirm:
            return False, "resuming needs a confirmation"
        if not self.kill.latched:
            return True, "not latched"
        if self.emergency.active:
            return False, "the journal does not answer"
        if not self.kill.resume(by, now):
            return False, f"the latch's file does not take it: {self.kill.latch.failure}"
        self.note("warning", "resumed", by=by)
        return True, "trading resumes as orders opens the gate"

    def _log_on_by_hand(self, _arguments: ByHand, by: str, now: Instant) -> tuple[bool, str]:
        if self.outbox.fix is not None:
            return False, "there is a connection already"
        self._operator("logon", by, "", now)
        self._connect_when_due(now, failed=False)
        return True, "connecting"

    def _log_out_by_hand(self, _arguments: ByHand, by: str, now: Instant) -> tuple[bool, str]:
        self._operator("logout", by, "", now)
        self._changed(SessionState.LOGGED_OUT_BY_HAND, now)
        self.connector.cancel()
        if self.outbox.fix is not None:
            self.outbox.withdraw_risky(Reason.SHUTDOWN, now)
            self.outbox.fix.logout("logged out by hand", now)
            if not self.outbox.fix.connection:
                self._close("logged out while connecting", now)
        return True, "logging out; `session logon` connects again"

    def _reset_by_hand(self, _arguments: ByHand, by: str, now: Instant) -> tuple[bool, str]:
        if self.outbox.fix is not None:
            return False, "numbers are reset only while logged out: `session logout` first"
        self._operator("reset", by, "both numbers start at 1 with the next Logon(A), ResetSeqNumFlag(141)=Y", now)
        return True, "the next logon starts both numbers at 1; `session logon` connects"

    def _set_numbers_by_hand(self, arguments: ByHand, by: str, now: Instant) -> tuple[bool, str]:
        if self.config.resets:
            return False, "this venue starts both numbers at 1 with each logon"
        if self.outbox.fix is not None:
            return False, "numbers are set only while logged out: `session logout` first"
        history = self.history
        outbound = arguments.next_outbound or history.next_outbound
        inbound = arguments.next_inbound or history.next_inbound
        text = f"next MsgSeqNum(34) out {history.next_outbound} -> {outbound}, in {history.next_inbound} -> {inbound}"
        self._operator("set_seq", by, text, now)
        # A number may now be taken a second time, so it is another generation's.
        generation = history.generation + 1
        sender = history.sender_comp_id
        state = SessionState.NUMBERS_SET
        change = SessionChanged(
            self.config.venue, generation, history.connection, state, outbound, inbound, sender, "by_hand"
        )
        self.records.append(change, now)
        return True, text

    # ---- status ----

    def status(self, now: Instant) -> dict[str, object]:
        """See `Core`."""
        history, fix, rate = self.history, self.outbox.fix, self.outbox.rate
        offset_ns = fix.last_sending_time_offset_ns if fix is not None else 0
        heard_ns = fix.last_received_boot_ns if fix is not None else 0
        return {
            "state": self._state(),
            "epoch": self.records.appender.epoch,
            "lsn": self.records.appender.last_lsn,
            "generation": history.generation,
            "connection": history.connection,
            "sender_comp_id": history.sender_comp_id,
            "next_outbound": history.next_outbound,
            "next_inbound": history.next_inbound,
            "last_heard_ms": (now.boot_ns - heard_ns) // NS_PER_MS if heard_ns else None,
            "clock_offset_ms": round(offset_ns / NS_PER_MS, 3),
            "clock_warning": abs(offset_ns) > CLOCK_WARNING_NS,
            "gate": "open" if self._gate_open else "closed",
            "halted": history.halted,
            "latched": self.kill.latched,
            "latch_failure": self.kill.latch.failure,
            "kill": self._kill_state(),
            "emergency": self.emergency.name if self.emergency.active else "",
            "emergency_failure": self.emergency.failure,
            "journal_away": self.records.away(now),
            "unreleased": len(self.outbox.queue),
            "may_be_open": len(history.orders),
            "rate_used": rate.used(len(self.outbox.queue), now),
            "rate_limit": rate.messages,
            "venue_limits": [limit._asdict() for limit in self._venue_limits],
            "sent": self.outbox.messages_sent,
            "refused": self._refused,
            "garbled": self._garbled,
            "unreadable": self._unreadable,
        }

    def _kill_state(self) -> str:
        """Where the kill switch stands: "off", "cancelling" or "clear"."""
        if not self.kill.latched:
            return "off"
        return "clear" if self.kill.done else "cancelling"

    def _state(self) -> str:
        """One word for people."""
        fix = self.outbox.fix
        if not self._live:
            return "starting"
        if fix is None:
            return "halted" if self.history.halted else "logged_out" if self.history.logged_out_by_hand else "waiting"
        if self._closing is not None:
            return "closing"
        if self.kill.latched:
            return "killed"
        if not fix.logged_on:
            return "connecting"
        return "ready" if self._gate_open else "reconciling" if self._caught_up else "logged_on"
