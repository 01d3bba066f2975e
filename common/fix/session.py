"""The FIX session, sans-I/O: bytes and timers in, effects out, for initiator and acceptor.

Theory: the session owns two numbers, next_outbound and next_inbound, and the state in `TRANSITIONS` (`standing`).
Everything else is memory of one connection and dies with it: how it ends (`ending`), what is missing and what came too
early (`pending`), what the peer wants again (`resends`), who was heard when (`liveness`), the logon that starts them
(`logon`). Here a message finds its way through them. It is looked at in a fixed order, and the first thing wrong with
it decides: BeginString(8), MsgSeqNum(34) readable, dictionary, logon state, SendingTime(52), CompIDs, number. A
message that is rejected consumes its number only if that was the expected one. One whose fields cannot all be told
apart is read as far as it goes: as an application message it is rejected, the session's own are acted on if what they
need can be told. What comes too early is kept, bounded,
until the gap before it is closed; what is kept was checked already and is acted on once.

Cases are cited as in the FIX session-layer test cases (FIX Trading Community, 2020): "2.b" and so on.
"""

from collections.abc import Iterable

from common.fix.ending import Ending
from common.fix.errors import LocalError, NotLoggedOnError
from common.fix.incoming import NO_NUMBER, Judge, Received, rejected_for, text_of
from common.fix.liveness import Liveness
from common.fix.logon import Logon, peek_logon
from common.fix.outgoing import ADMIN_TYPES
from common.fix.pending import WITHDRAWN, WITHDRAWN_TYPES, Pending
from common.fix.resends import Resends
from common.fix.session_types import (
    BEFORE_LOGON_STATES,
    DEAF_STATES,
    LOGGED_ON_STATES,
    TRANSITIONS,
    Disconnect,
    DisconnectReason,
    Effect,
    Event,
    Inbound,
    Instant,
    Level,
    LoggedOn,
    LoggedOut,
    MessageCheck,
    Notice,
    NumbersReason,
    NumbersSet,
    Outbound,
    Problem,
    ResendWanted,
    SequencePolicy,
    SessionSettings,
    SessionState,
    Unnumbered,
)
from common.fix.standing import Standing
from common.fix.wire import Framer

__all__ = [
    "TRANSITIONS",
    "Disconnect",
    "DisconnectReason",
    "Effect",
    "Event",
    "Inbound",
    "Instant",
    "Level",
    "LoggedOn",
    "LoggedOut",
    "MessageCheck",
    "Notice",
    "NumbersReason",
    "NumbersSet",
    "Outbound",
    "Problem",
    "ResendWanted",
    "SequencePolicy",
    "Session",
    "SessionSettings",
    "SessionState",
    "Unnumbered",
    "peek_logon",
]

_S, _E = SessionState, Event
_OVER_STATES = (_S.CLOSING, _S.LOGOUT_ANSWERED)
_NO_TEST_REQ_ID = Problem(1, 112, "Required tag missing")

NUMBERLESS = "Received message without MsgSeqNum"
"""Text(58) where MsgSeqNum(34) is missing, no number, or longer than any."""


class Session:
    """One FIX session over any number of connections, one at a time.

    The host hands in `connected`, `received`, `disconnected`, `timer` and `send`, and after each call takes the
    effects and carries them out in order. It calls `timer` at `next_deadline_ns` (boot_ns) or earlier. `connection`
    counts connections: bytes taken from effects of one may not be written to a later one.
    """

    def __init__(self, settings: SessionSettings, next_outbound: int = 1, next_inbound: int = 1) -> None:
        self.settings = settings
        self._begin = settings.begin_string.encode()
        self._judge = Judge(settings)
        self._standing = Standing(settings, next_outbound, next_inbound)
        self._effects = self._standing.effects
        self._life = Liveness(settings, self._standing)
        self._forget_connection()

    def _forget_connection(self) -> None:
        settings, standing = self.settings, self._standing
        self._framer = Framer(settings.max_message_bytes, settings.max_buffer_bytes, settings.max_fields)
        self._garbled_told = 0
        self._ending = Ending(settings, standing)
        self._pending = Pending(settings, standing, self._ending)
        self._resends = Resends(settings, standing, self._ending)
        parts = (self._ending, self._life, self._pending, self._resends)
        self._logon = Logon(settings, standing, self._judge, *parts)

    # -- what the host sees ----------------------------------------------------------------------------------------

    @property
    def state(self) -> SessionState:
        """Where the session stands in `TRANSITIONS`."""
        return self._standing.state

    @property
    def logged_on(self) -> bool:
        """Whether application messages may be sent."""
        return self._standing.state in LOGGED_ON_STATES

    @property
    def recovering(self) -> bool:
        """Whether something is missing in what was received."""
        return self._pending.missing

    @property
    def next_outbound(self) -> int:
        """The MsgSeqNum(34) of the next message that we send; a host sets it to take back numbers that never left."""
        return self._standing.next_outbound

    @next_outbound.setter
    def next_outbound(self, number: int) -> None:
        self._standing.next_outbound = number

    @property
    def next_inbound(self) -> int:
        """The MsgSeqNum(34) that is expected next."""
        return self._standing.next_inbound

    @property
    def connection(self) -> int:
        """The number of connections so far."""
        return self._standing.connection

    @property
    def heart_bt_int_s(self) -> int:
        """HeartBtInt(108) in force, in seconds."""
        return self._life.interval_s

    @property
    def last_received_boot_ns(self) -> int:
        """When the last message came, or the connection."""
        return self._life.received_boot_ns

    @property
    def last_sending_time_offset_ns(self) -> int:
        """Our wall clock minus the peer's last SendingTime(52)."""
        return self._judge.offset_ns

    def take_effects(self) -> list[Effect]:
        """The effects since the last call, in order."""
        effects = self._effects.copy()
        self._effects.clear()
        return effects

    # -- what the host does ----------------------------------------------------------------------------------------

    def connected(self, now: Instant) -> None:
        """The transport is up: an initiator sends Logon(A), an acceptor waits. Raises IllegalTransitionError."""
        self._standing.move(_E.DIALLED if self.settings.initiator else _E.ACCEPTED)
        self._standing.connection += 1
        self._forget_connection()
        self._life.begin(now.boot_ns, self.settings.heart_bt_int_s)
        self._logon.expect(now)

    def disconnected(self, now: Instant) -> None:
        """The transport is gone. Numbers stay; whatever belonged to the connection is forgotten, and what came early on
        it is named in a notice."""
        self._pending.tell_lost()
        if self._standing.state is not _S.DISCONNECTED:
            self._standing.move(_E.LOST)
        self._forget_connection()

    def reset(self, next_outbound: int, next_inbound: int) -> None:
        """Set both numbers by hand, only while not connected. Raises LocalError."""
        if self.state is not _S.DISCONNECTED:
            raise LocalError(
                f"numbers are set by hand only while disconnected, the session is {self.state.name}: log out first"
            )
        if next_outbound < 1 or next_inbound < 1:
            raise LocalError(f"numbers start at 1, not {next_outbound} and {next_inbound}")
        self._standing.set_numbers(next_outbound, next_inbound, NumbersReason.BY_HAND)

    def send(self, msg_type: str, body: bytes, now: Instant, header: bytes = b"") -> int:
        """Number, stamp and encode an application message; returns its MsgSeqNum(34). `body` is the fields behind the
        standard header and `header` extra header fields, each field ended by SOH. Raises NotLoggedOnError,
        LocalError."""
        standing = self._standing
        if standing.state not in LOGGED_ON_STATES:
            raise NotLoggedOnError(f"MsgType(35)={msg_type} cannot be sent: {standing.state.value}")
        if (body and body[-1] != 1) or (header and header[-1] != 1):
            raise LocalError(f"MsgType(35)={msg_type}: body and header fields must end with SOH")
        return standing.send(msg_type.encode(), body, now, header)

    def filler(self, msg_seq_num: int, now: Instant) -> bytes:
        """A Heartbeat(0) under a number that was taken already, for a message that may no longer leave. Changes
        nothing."""
        return self._standing.encoder.message(b"0", msg_seq_num, now.wall_ns, b"", b"")

    def resend(self, begin: int, end: int, messages: Iterable[tuple[int, bytes]], now: Instant) -> None:
        """Answer `ResendWanted`, whole or in parts from the front; `end` may be lower than asked for. `messages` are
        the stored (MsgSeqNum(34), raw) to send again, in order; every number not given, and every session-level
        message but Reject(3), is gap-filled (case 8.a). Raises LocalError if nothing in that range was asked for on
        this connection."""
        self._resends.answer(begin, end, messages, now)

    def logout(self, text: str, now: Instant) -> None:
        """Begin the logout handshake; before logon it closes at once; when it is under way already nothing happens."""
        self._ending.logout(text, now)

    def request_reset(self, now: Instant) -> None:
        """Start both numbers at 1 inside the session: Logon(A) with ResetSeqNumFlag(141)=Y. Only while nothing is
        missing; until the answer nothing can be sent. Raises NotLoggedOnError."""
        if self.state is not _S.LOGGED_ON:
            raise NotLoggedOnError(f"numbers can be reset only while logged on and in sync: {self.state.value}")
        self._logon.request_reset(now)

    def received(self, data: bytes, now: Instant) -> None:
        """Bytes from the transport, cut anywhere. Never raises for what is in them."""
        for raw in self._framer.feed(data):
            if self._standing.state in DEAF_STATES:
                return
            self._message(raw, now)
        if self._framer.garbled != self._garbled_told and self._standing.state not in DEAF_STATES:
            self._garbled()

    def next_deadline_ns(self) -> int | None:
        """When `timer` has something to do, by boot_ns; None if never."""
        state = self._standing.state
        if state in DEAF_STATES:
            return None
        if state not in LOGGED_ON_STATES:
            return self._ending.deadline_ns
        return min([*self._life.due_ns(), *self._pending.due_ns(), *self._resends.due_ns()], default=None)

    def timer(self, now: Instant) -> None:
        """Do what is due."""
        standing = self._standing
        if standing.state in DEAF_STATES:
            return
        if standing.state not in LOGGED_ON_STATES:
            self._ending.timer(now)
            return
        self._life.timer(now)
        if standing.logged_on:
            self._pending.timer(now)
        if standing.logged_on:
            self._resends.timer(now)

    # -- receiving: the checks that come before the number ---------------------------------------------------------

    def _garbled(self) -> None:
        self._garbled_told = garbled = self._framer.garbled
        text = f"skipped what is no FIX message, {garbled} so far on this connection"
        self._standing.notice(Level.WARNING, "garbled", text)
        if self._standing.state is _S.AWAITING_LOGON:
            self._standing.close(DisconnectReason.FIRST_MESSAGE_NOT_LOGON, "garbled before Logon(A)")

    def _message(self, raw: bytes, now: Instant) -> None:
        m, ordered = self._judge.read(raw)
        self._life.heard(now.boot_ns)
        if self._ending.over(m.msg_type):
            return
        if m.fields[b"8"] != self._begin:
            self._wrong_begin_string(m, now)
        elif m.seq == NO_NUMBER:
            self._standing.unnumbered(m, NUMBERLESS)
            self._ending.refuse(DisconnectReason.PROTOCOL_ERROR, NUMBERLESS, now)
        elif self._standing.state in BEFORE_LOGON_STATES:
            self._logon.first(m, ordered, now)
        else:
            fault = self._judge.fault(m, ordered, now.wall_ns)
            if fault is None:
                self._numbered(m, now)
            elif fault.of_repeat and m.seq >= self._standing.next_inbound:
                # It is missing here, and a peer that writes no better now will not do so when it is asked again.
                self._standing.answer_reject(m, fault.problem, now)
                self._numbered(m, now)
            else:
                self._reject(m, fault.problem, now)
                if fault.fatal:
                    self._ending.after_reject(now)

    def _wrong_begin_string(self, m: Received, now: Instant) -> None:
        if self._standing.state in BEFORE_LOGON_STATES:
            # 1S.c: an identity that is not ours gets no answer, which would take a number.
            text = f"BeginString(8)={text_of(m.fields[b'8'])}"
            self._standing.close(DisconnectReason.UNKNOWN_IDENTITY, text)
        else:
            self._ending.refuse(DisconnectReason.PROTOCOL_ERROR, "Incorrect BeginString", now)

    def _reject(self, m: Received, problem: Problem, now: Instant) -> None:
        """Reject(3), case 14; the number is consumed only if it was the expected one and not of a type that sets
        numbers."""
        standing = self._standing
        text = f"MsgType(35)={text_of(m.msg_type)} MsgSeqNum(34)={m.seq}: {problem.text}"
        standing.notice(Level.WARNING, "rejected", text)
        expected = m.seq == standing.next_inbound and m.msg_type not in (b"A", b"4")
        if expected:
            standing.consume(m, problem)
        standing.answer_reject(m, problem, now)
        if expected:
            self._drain(now)

    # -- receiving: the number -------------------------------------------------------------------------------------

    def _numbered(self, m: Received, now: Instant) -> None:
        standing = self._standing
        if (m.msg_type == b"4" or m.msg_type == b"A") and self._out_of_order(m, now):
            return
        if m.seq == standing.next_inbound:
            self._in_order(m, now)
            if self._pending.missing:
                self._drain(now)
        elif m.seq > standing.next_inbound:
            self._too_early(m, now)
        elif m.poss_dup and (new := self._pending.gap_fill_again(m)) is not None:
            self._jump(new, NumbersReason.GAP_FILL, now)
            self._drain(now)
        elif m.poss_dup:
            standing.notice(Level.INFO, "duplicate", f"MsgSeqNum(34)={m.seq} with PossDupFlag(43)=Y was seen before")
        else:
            self._ending.heard(m)
            self._ending.refuse(DisconnectReason.SEQUENCE_TOO_LOW, standing.too_low(m.seq), now)

    def _out_of_order(self, m: Received, now: Instant) -> bool:
        """Act on what its own number does not hold back, and say whether it was such: SequenceReset(4) in reset mode,
        and Logon(A) inside a session, which is good for a reset only."""
        standing = self._standing
        if m.msg_type == b"4":
            if m.fields.get(b"123") == b"Y":
                return False
            new = self._pending.sequence_reset(m)
            if isinstance(new, Problem):
                self._reject(m, new, now)
            elif new > standing.next_inbound:
                self._jump(new, NumbersReason.SEQUENCE_RESET, now)
                self._drain(now)
        elif m.poss_dup:
            return False
        elif m.fields.get(b"141") == b"Y":
            self._logon.reset(m, now)
        elif m.seq == standing.next_inbound:
            standing.consume(m)
            self._ending.refuse(DisconnectReason.PROTOCOL_ERROR, "Logon(A) inside a session", now)
        else:
            return False
        return True

    def _too_early(self, m: Received, now: Instant) -> None:
        """Case 2.b. A ResendRequest(2) is answered at once, or two sides that both miss something would wait for each
        other (case 20)."""
        acted = m.msg_type == b"2" and not m.poss_dup
        if acted:
            self._resends.requested(m, now)
        self._pending.add(m, acted, now)

    def _drain(self, now: Instant) -> None:
        """Act on what was kept and is next now; close the gap or ask for its next part."""
        standing = self._standing
        while standing.state not in _OVER_STATES:
            kept = self._pending.take()
            if kept is None:
                break
            m, acted = kept
            if acted:
                standing.consume(m)
            else:
                self._in_order(m, now)
        self._pending.progressed(now)

    def _in_order(self, m: Received, now: Instant) -> None:
        standing, msg_type = self._standing, m.msg_type
        if msg_type not in ADMIN_TYPES:
            self._application(m, now)
            return
        if msg_type == b"4":
            new = self._pending.gap_fill(m)
            if isinstance(new, Problem):
                # Its number is not used up, so that it comes again: the host has to know what it was.
                standing.unnumbered(m, new.text)
                self._reject(m, new, now)
            else:
                self._jump(new, NumbersReason.GAP_FILL, now)
        elif _lacks_test_req_id(m):
            self._reject(m, _NO_TEST_REQ_ID, now)
        else:
            standing.consume(m)
            self._session_level(m, now)

    def _jump(self, new: int, reason: NumbersReason, now: Instant) -> None:
        """The expected number becomes `new`; what had come early under a lower one is acted on now."""
        standing = self._standing
        for m in self._pending.jump(new, reason, now):
            if standing.state in _OVER_STATES:
                return
            if m.msg_type in WITHDRAWN_TYPES:
                standing.answer_reject(m, WITHDRAWN, now)
            elif (uncut := rejected_for(m)) is not None:
                standing.answer_reject(m, uncut, now)
            elif _lacks_test_req_id(m):
                standing.answer_reject(m, _NO_TEST_REQ_ID, now)
            else:
                self._session_level(m, now)

    def _application(self, m: Received, now: Instant) -> None:
        """What cannot be cut takes its number and is rejected: it would come again as it is."""
        uncut = rejected_for(m)
        self._standing.consume(m, uncut)
        if uncut is not None:
            self._standing.answer_reject(m, uncut, now)

    def _session_level(self, m: Received, now: Instant) -> None:
        if m.poss_dup:
            return  # resent session-level messages count for the numbers only
        if m.msg_type == b"1" and self._standing.logged_on:
            self._life.answer(m.fields[b"112"], now)
        elif m.msg_type == b"2":
            self._resends.requested(m, now)
        elif m.msg_type == b"5":
            self._ending.received(m, now)


def _lacks_test_req_id(m: Received) -> bool:
    return m.msg_type == b"1" and not m.poss_dup and not m.fields.get(b"112")
