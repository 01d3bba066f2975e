"""The FIX session, sans-I/O: bytes and timers in, effects out, for initiator and acceptor.

Theory: the session owns two numbers, next_outbound and next_inbound, and the state in `TRANSITIONS`. Everything else
is memory of one connection and dies with it. A message is looked at in a fixed order, and the first thing wrong with
it decides: BeginString(8), MsgSeqNum(34) present, dictionary, logon state, SendingTime(52), CompIDs, number. A
message that is rejected consumes its number only if that was the expected one. What comes too early is kept, bounded,
until the gap before it is closed; what is kept was checked already and is acted on once.

Cases are cited as in the FIX session-layer test cases (FIX Trading Community, 2020): "2.b" and so on.
"""

from collections.abc import Iterable

from common.fix.errors import GarbledError, IllegalTransitionError, LocalError, NotLoggedOnError
from common.fix.incoming import MAX_SEQ_NUM_DIGITS, Judge, Received, number_of, text_of
from common.fix.outgoing import ADMIN_TYPES, Encoder, reverse_route, text_field
from common.fix.session_types import (
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
)
from common.fix.wire import NS_PER_S, Framer, pairs, split

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
    "peek_logon",
]

_S, _E = SessionState, Event
_DEAF_STATES = frozenset({_S.DISCONNECTED, _S.CLOSING})


class _Gap:
    """Open while next_inbound has not passed `high`, the highest number seen."""

    __slots__ = ("asked_to", "attempts", "high", "progress_ns")

    def __init__(self, high: int, now_ns: int) -> None:
        self.high = high
        self.asked_to = high
        self.attempts = 0
        self.progress_ns = now_ns


def peek_logon(raw: bytes) -> tuple[str, str, str] | None:
    """(BeginString(8), SenderCompID(49), TargetCompID(56)) of a Logon(A), for a listener that has to pick the
    session; None for any other message. The acceptor's own SenderCompID is the third."""
    try:
        fields = split(raw)
    except GarbledError:
        return None
    if fields.get(b"35") != b"A" or b"49" not in fields or b"56" not in fields:
        return None
    return fields[b"8"].decode("latin-1"), fields[b"49"].decode("latin-1"), fields[b"56"].decode("latin-1")


class Session:
    """One FIX session over any number of connections, one at a time.

    The host hands in `connected`, `received`, `disconnected`, `timer` and `send`, and after each call takes the
    effects and carries them out in order. It calls `timer` at `next_deadline_ns` (boot_ns) or earlier. `connection`
    counts connections: bytes taken from effects of one may not be written to a later one.
    """

    def __init__(self, settings: SessionSettings, next_outbound: int = 1, next_inbound: int = 1) -> None:
        self.settings = settings
        self.state = SessionState.DISCONNECTED
        self.next_outbound = next_outbound
        self.next_inbound = next_inbound
        self.connection = 0
        self.last_received_boot_ns = 0
        self.last_sending_time_offset_ns = 0  # our wall clock minus the peer's SendingTime(52)
        self.heart_bt_int_s = settings.heart_bt_int_s
        self._begin = settings.begin_string.encode()
        self._our_id = settings.sender_comp_id.encode()
        self._their_id = settings.target_comp_id.encode()
        self._encoder = Encoder(settings)
        self._judge = Judge(settings)
        self._resets = settings.reset_on_logon or settings.sequence_policy is SequencePolicy.RESET
        self._effects: list[Effect] = []
        self._forget_connection(0)

    def _forget_connection(self, now_ns: int) -> None:
        settings = self.settings
        self._framer = Framer(settings.max_message_bytes, settings.max_buffer_bytes, settings.max_fields)
        self._garbled_told = 0
        self._pending: dict[int, tuple[Received, bool]] = {}
        self._gap: _Gap | None = None
        self._wanted: list[tuple[int, int]] = []
        self._answer_next: tuple[int, int] | None = None
        self._answer_due_ns = 0
        self._last_request: tuple[bytes, bytes] = (b"", b"")
        self._request_repeats = 0
        self._sent_boot_ns = now_ns
        self._deadline_ns = 0
        self._asked_for_life = False  # a TestRequest(1) is out since the last message came
        self._test_req_id = b""
        self._logout_waits_ns = 0
        self._refusal: DisconnectReason | None = None
        self._peer_expects = 0

    # -- what the host sees ----------------------------------------------------------------------------------------

    @property
    def logged_on(self) -> bool:
        """Whether application messages may be sent."""
        return self.state in LOGGED_ON_STATES

    @property
    def recovering(self) -> bool:
        """Whether something is missing in what was received."""
        return self._gap is not None

    def take_effects(self) -> list[Effect]:
        """The effects since the last call, in order."""
        effects = self._effects
        self._effects = []
        return effects

    def connected(self, now: Instant) -> None:
        """The transport is up: an initiator sends Logon(A), an acceptor waits. Raises IllegalTransitionError."""
        self._move(_E.DIALLED if self.settings.initiator else _E.ACCEPTED)
        self.connection += 1
        self._forget_connection(now.boot_ns)
        self.last_received_boot_ns = now.boot_ns
        self.heart_bt_int_s = self.settings.heart_bt_int_s
        self._deadline_ns = now.boot_ns + int(self.settings.logon_timeout_s * NS_PER_S)
        if self.settings.initiator:
            if self._resets:
                self._set_numbers(1, 1, NumbersReason.RESET_ON_LOGON)
            self._send_logon(now, self._resets, self.next_inbound)

    def disconnected(self, now: Instant) -> None:
        """The transport is gone. Numbers stay; whatever belonged to the connection is forgotten."""
        if self.state is not _S.DISCONNECTED:
            self._move(_E.LOST)
        self._forget_connection(now.boot_ns)

    def reset(self, next_outbound: int, next_inbound: int) -> None:
        """Set both numbers by hand, only while not connected. Raises LocalError."""
        if self.state is not _S.DISCONNECTED:
            raise LocalError(
                f"numbers are set by hand only while disconnected, the session is {self.state.name}: log out first"
            )
        if next_outbound < 1 or next_inbound < 1:
            raise LocalError(f"numbers start at 1, not {next_outbound} and {next_inbound}")
        self._set_numbers(next_outbound, next_inbound, NumbersReason.BY_HAND)

    def send(self, msg_type: str, body: bytes, now: Instant, header: bytes = b"") -> int:
        """Number, stamp and encode an application message; returns its MsgSeqNum(34). `body` is the fields behind the
        standard header and `header` extra header fields, each field ended by SOH. Raises NotLoggedOnError,
        LocalError."""
        if self.state not in LOGGED_ON_STATES:
            raise NotLoggedOnError(f"MsgType(35)={msg_type} cannot be sent: {self.state.value}")
        if (body and body[-1] != 1) or (header and header[-1] != 1):
            raise LocalError(f"MsgType(35)={msg_type}: body and header fields must end with SOH")
        return self._send(msg_type.encode(), body, now, header)

    def filler(self, msg_seq_num: int, now: Instant) -> bytes:
        """A Heartbeat(0) under a number that was taken already, for a message that may no longer leave. Changes
        nothing."""
        return self._encoder.message(b"0", msg_seq_num, now.wall_ns, b"", b"")

    def logout(self, text: str, now: Instant) -> None:
        """Begin the logout handshake; before logon it closes at once; when it is under way already nothing happens."""
        if self.state in LOGGED_ON_STATES or self.state is _S.RESETTING:
            self._begin_logout(text, now, None)
        elif self.state in (_S.AWAITING_LOGON, _S.LOGON_SENT):
            self._close(DisconnectReason.LOCAL, text)

    def request_reset(self, now: Instant) -> None:
        """Start both numbers at 1 inside the session: Logon(A) with ResetSeqNumFlag(141)=Y. Only while nothing is
        missing; until the answer nothing can be sent. Raises NotLoggedOnError."""
        if self.state is not _S.LOGGED_ON:
            raise NotLoggedOnError(f"numbers can be reset only while logged on and in sync: {self.state.value}")
        self._move(_E.RESET)
        self._set_numbers(1, self.next_inbound, NumbersReason.RESET_SEQ_NUM_FLAG)
        self._deadline_ns = now.boot_ns + int(self.settings.logon_timeout_s * NS_PER_S)
        self._send_logon(now, True, 1)

    def received(self, data: bytes, now: Instant) -> None:
        """Bytes from the transport, cut anywhere. Never raises for what is in them."""
        for raw in self._framer.feed(data):
            if self.state in _DEAF_STATES:
                return
            self._message(raw, now)
        if self._framer.garbled != self._garbled_told and self.state not in _DEAF_STATES:
            self._garbled(now)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _send(self, msg_type: bytes, body: bytes, now: Instant, header: bytes = b"") -> int:
        seq = self.next_outbound
        self.next_outbound = seq + 1
        self._sent_boot_ns = now.boot_ns
        raw = self._encoder.message(msg_type, seq, now.wall_ns, header, body)
        self._effects.append(Outbound(seq, msg_type.decode(), raw, False))
        return seq

    def _send_logon(self, now: Instant, reset: bool, next_expected: int) -> None:
        expected = next_expected if self.settings.next_expected_msg_seq_num else None
        body = self._encoder.logon_body(self.next_outbound, now.wall_ns, self.heart_bt_int_s, reset, expected)
        self._send(b"A", body, now)

    def _begin_logout(self, text: str, now: Instant, refusal: DisconnectReason | None) -> None:
        """Send Logout(5) first and wait for the answer (case 12); with `refusal` only the answer is still listened
        to."""
        self._send(b"5", text_field(text), now)
        self._move(_E.LOGOUT)
        self._refusal = refusal
        self._deadline_ns = now.boot_ns + int(self.settings.logout_timeout_s * NS_PER_S)

    def _refuse(self, reason: DisconnectReason, text: str, now: Instant) -> None:
        """The peer broke a rule that ends the session: say why, then close."""
        self._notice(Level.ERROR, reason.name.lower(), text)
        if self.state in (_S.AWAITING_LOGON, _S.LOGON_SENT):
            self._send(b"5", text_field(text), now)
            self._close(reason, text)
        elif self.state in LOGGED_ON_STATES or self.state is _S.RESETTING:
            self._begin_logout(text, now, reason)
        else:
            self._close(reason, text)

    def _begin_logout_after_reject(self, now: Instant) -> None:
        """The Reject(3) just sent has said why; the Logout(5) needs no Text(58)."""
        if self.state in LOGGED_ON_STATES or self.state is _S.RESETTING:
            self._begin_logout("", now, DisconnectReason.PROTOCOL_ERROR)

    def _reject(self, m: Received, problem: Problem, now: Instant) -> None:
        """Reject(3), case 14; the number is consumed only if it was the expected one and not of a type that sets
        numbers."""
        self._notice(
            Level.WARNING, "rejected", f"MsgType(35)={text_of(m.msg_type)} MsgSeqNum(34)={m.seq}: {problem.text}"
        )
        expected = m.seq == self.next_inbound and m.msg_type not in (b"A", b"4")
        if expected:
            self._consume(m, True)
        self._answer_reject(m, problem, now)
        if expected:
            self._drain(now)

    # -- receiving: the checks that come before the number ---------------------------------------------------------

    def _garbled(self, now: Instant) -> None:
        self._garbled_told = self._framer.garbled
        self._notice(
            Level.WARNING,
            "garbled",
            f"skipped what is no FIX message, {self._framer.garbled} so far on this connection",
        )
        if self.state is _S.AWAITING_LOGON:
            self._close(DisconnectReason.FIRST_MESSAGE_NOT_LOGON, "garbled before Logon(A)")

    def _message(self, raw: bytes, now: Instant) -> None:
        check = self.settings.validate
        ordered: list[tuple[bytes, bytes]] = []
        try:
            if check is None:
                fields = split(raw)
            else:
                ordered = pairs(raw)
                fields = dict(ordered)
        except GarbledError:
            self._framer.garbled += 1
            self._garbled(now)
            return
        self.last_received_boot_ns = now.boot_ns
        self._asked_for_life = False
        msg_type = fields[b"35"]
        if self._refusal is not None or self.state is _S.LOGOUT_ANSWERED:
            self._after_the_end(msg_type)
            return
        if fields[b"8"] != self._begin:
            self._wrong_begin_string(fields[b"8"], now)
            return
        number = fields.get(b"34", b"")
        if not number.isdigit() or len(number) > MAX_SEQ_NUM_DIGITS:
            self._refuse(DisconnectReason.PROTOCOL_ERROR, "Received message without MsgSeqNum", now)
            return
        m = Received(raw, msg_type, int(number), fields, fields.get(b"43") == b"Y")
        if self.state is _S.AWAITING_LOGON or self.state is _S.LOGON_SENT:
            self._first_message(m, ordered, now)
            return
        problem = check.check(msg_type, ordered) if check is not None else None
        if problem is not None:
            self._reject(m, problem, now)
            return
        late = self._judge.sending_time(m, now.wall_ns)
        self.last_sending_time_offset_ns = self._judge.offset_ns
        if late is not None:
            self._reject(m, late, now)
            if late.reason == 10:
                self._begin_logout_after_reject(now)
            return
        if fields.get(b"49") != self._their_id or fields.get(b"56") != self._our_id:
            self._wrong_comp_id(m, now)
            return
        self._numbered(m, now)

    def _after_the_end(self, msg_type: bytes) -> None:
        """We refused the peer, or the handshake is done: only the answer to our Logout(5) still matters."""
        if self._refusal is not None and msg_type == b"5":
            self._close(self._refusal, "the peer answered our Logout(5)")

    def _wrong_begin_string(self, begin: bytes, now: Instant) -> None:
        if self.state in (_S.AWAITING_LOGON, _S.LOGON_SENT):
            # 1S.c: an identity that is not ours gets no answer, which would take a number.
            self._close(DisconnectReason.UNKNOWN_IDENTITY, f"BeginString(8)={text_of(begin)}")
        else:
            self._refuse(DisconnectReason.PROTOCOL_ERROR, "Incorrect BeginString", now)

    def _wrong_comp_id(self, m: Received, now: Instant) -> None:
        """Case 2.k."""
        for tag in (b"49", b"56"):
            if tag not in m.fields:
                self._reject(m, Problem(1, int(tag), "Required tag missing"), now)
                return
        self._reject(m, Problem(9, None, "CompID problem"), now)
        self._begin_logout_after_reject(now)

    # -- logon -----------------------------------------------------------------------------------------------------

    def _first_message(self, m: Received, ordered: list[tuple[bytes, bytes]], now: Instant) -> None:
        if m.msg_type != b"A":
            self._not_a_logon(m)
            return
        if m.fields.get(b"49") != self._their_id or m.fields.get(b"56") != self._our_id:
            self._close(
                DisconnectReason.UNKNOWN_IDENTITY, "SenderCompID(49) or TargetCompID(56) is not of this session"
            )
            return
        text = self._judge.logon(m, ordered, now.wall_ns)
        self.last_sending_time_offset_ns = self._judge.offset_ns
        if text is not None:
            self._refuse(DisconnectReason.LOGON_INVALID, text, now)
        elif self.settings.initiator:
            self._logon_answered(m, now)
        else:
            self._logon_asked(m, now)

    def _not_a_logon(self, m: Received) -> None:
        """Cases 1B.e and 2S. An initiator that is answered with Logout(5) or Reject(3) was refused."""
        if not self.settings.initiator or m.msg_type not in (b"3", b"5"):
            self._close(DisconnectReason.FIRST_MESSAGE_NOT_LOGON, f"MsgType(35)={text_of(m.msg_type)} came first")
            return
        text = text_of(m.fields.get(b"58", b""))
        if m.seq == self.next_inbound:
            self._consume(m, False)
        self._effects.append(LoggedOut(text, True))
        too_low = "too low" in text.lower()
        self._close(DisconnectReason.SEQUENCE_TOO_LOW if too_low else DisconnectReason.LOGON_REFUSED, text)

    def _logon_asked(self, m: Received, now: Instant) -> None:
        """The acceptor's side, case 1S.a: answer first, then ask for what is missing."""
        peer_reset = m.fields.get(b"141") == b"Y"
        if peer_reset:
            self._set_numbers(1, 1, NumbersReason.RESET_SEQ_NUM_FLAG)
        elif self._resets:
            self._set_numbers(1, 1, NumbersReason.RESET_ON_LOGON)
        if self._logon_number_refused(m, now):
            return
        self.heart_bt_int_s = int(m.fields[b"108"])
        resend_from = self._peer_expects
        resend_to = self.next_outbound
        self._move(_E.LOGON)
        self._send_logon(now, peer_reset, self.next_inbound + (m.seq == self.next_inbound))
        self._logon_done(m, peer_reset, now)
        if 0 < resend_from < resend_to:
            self._want(resend_from, resend_to)

    def _logon_answered(self, m: Received, now: Instant) -> None:
        """The initiator's side, case 1B.c."""
        echoed = m.fields.get(b"141") == b"Y"
        if self._resets:
            if not echoed and m.seq != 1:
                self._refuse(DisconnectReason.LOGON_INVALID, "ResetSeqNumFlag(141)=Y was answered without a reset", now)
                return
            if not echoed and self.settings.expects_reset_echo:
                self._notice(Level.WARNING, "reset_not_echoed", "ResetSeqNumFlag(141)=Y was not echoed")
        elif echoed:
            # The peer lost its numbers: both Logon(A) count as number 1.
            self._set_numbers(2, 1, NumbersReason.RESET_SEQ_NUM_FLAG)
        if self._logon_number_refused(m, now):
            return
        self.heart_bt_int_s = int(m.fields[b"108"])
        self._move(_E.LOGON)
        self._logon_done(m, echoed, now)
        if 0 < self._peer_expects < self.next_outbound:
            self._want(self._peer_expects, self.next_outbound - 1)

    def _logon_number_refused(self, m: Received, now: Instant) -> bool:
        """Logon(A) too low, or NextExpectedMsgSeqNum(789) beyond what we sent: no way to go on."""
        if m.seq < self.next_inbound and not m.poss_dup:
            self._refuse(DisconnectReason.SEQUENCE_TOO_LOW, self._too_lowtext_of(m.seq), now)
            return True
        expects = m.fields.get(b"789", b"")
        self._peer_expects = 0
        if self.settings.next_expected_msg_seq_num and expects.isdigit() and len(expects) <= MAX_SEQ_NUM_DIGITS:
            self._peer_expects = int(expects)
            if self._peer_expects > self.next_outbound:
                expected, claimed = self.next_outbound, self._peer_expects
                text = f"NextExpectedMsgSeqNum(789) too high, expecting {expected} but received {claimed}"
                self._refuse(DisconnectReason.SEQUENCE_TOO_LOW, text, now)
                return True
        return False

    def _logon_done(self, m: Received, peer_reset: bool, now: Instant) -> None:
        missing = m.seq > self.next_inbound
        self._effects.append(LoggedOn(peer_reset, missing, self.heart_bt_int_s))
        if missing:
            # The Logon(A) was acted on; when the gap closes it only counts (quickfix#102).
            self._too_high(m, True, now, ask=not self._peer_expects)
        elif m.seq == self.next_inbound:
            self._consume(m, False)

    def _logon_inside(self, m: Received, now: Instant) -> None:
        """Logon(A) while logged on: only as a reset of the numbers."""
        if m.fields.get(b"141") == b"Y" and not m.poss_dup:
            if m.seq != 1:
                self._refuse(DisconnectReason.PROTOCOL_ERROR, "ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1", now)
                return
            answering = self.state is not _S.RESETTING
            self._pending.clear()
            self._gap = None
            self._set_numbers(1 if answering else self.next_outbound, 1, NumbersReason.RESET_SEQ_NUM_FLAG)
            self._move(_E.LOGON)
            if answering:
                self._send_logon(now, True, 2)
            self._logon_done(m, True, now)
        elif m.seq == self.next_inbound and not m.poss_dup:
            self._consume(m, False)
            self._refuse(DisconnectReason.PROTOCOL_ERROR, "Logon(A) inside a session", now)
        else:
            self._bynumber_of(m, now)

    # -- receiving: the number -------------------------------------------------------------------------------------

    def _numbered(self, m: Received, now: Instant) -> None:
        if m.msg_type == b"4" and m.fields.get(b"123") != b"Y":
            self._sequence_reset(m, now)
        elif m.msg_type == b"A":
            self._logon_inside(m, now)
        else:
            self._bynumber_of(m, now)

    def _bynumber_of(self, m: Received, now: Instant) -> None:
        if m.seq == self.next_inbound:
            self._in_order(m, now)
            if self._pending or self._gap is not None:
                self._drain(now)
        elif m.seq > self.next_inbound:
            self._too_early(m, now)
        elif m.poss_dup:
            self._notice(Level.INFO, "duplicate", f"MsgSeqNum(34)={m.seq} with PossDupFlag(43)=Y was seen before")
        else:
            self._refuse(DisconnectReason.SEQUENCE_TOO_LOW, self._too_lowtext_of(m.seq), now)

    def _too_lowtext_of(self, seq: int) -> str:
        return f"MsgSeqNum too low, expecting {self.next_inbound} but received {seq}"

    def _consume(self, m: Received, rejected: bool) -> None:
        self.next_inbound = m.seq + 1
        application = m.msg_type not in ADMIN_TYPES
        msg_type = m.msg_type.decode("latin-1")
        self._effects.append(Inbound(m.seq, msg_type, m.raw, application, m.poss_dup, rejected, m.fields))

    def _in_order(self, m: Received, now: Instant) -> None:
        if m.msg_type not in ADMIN_TYPES:
            self._consume(m, False)
        elif m.msg_type == b"4":
            self._gap_fill(m, now)
        elif m.poss_dup:
            # Resent session-level messages count for the numbers only.
            self._consume(m, False)
        elif m.msg_type == b"1":
            self._test_request(m, now)
        elif m.msg_type == b"2":
            self._consume(m, False)
            self._resend_request(m, now)
        elif m.msg_type == b"5":
            self._consume(m, False)
            self._logout_received(m, now)
        else:
            self._consume(m, False)
            if m.msg_type == b"0" and m.fields.get(b"112") == self._test_req_id:
                self._test_req_id = b""

    def _test_request(self, m: Received, now: Instant) -> None:
        """Case 4.b."""
        test_req_id = m.fields.get(b"112")
        if not test_req_id:
            self._reject(m, Problem(1, 112, "Required tag missing"), now)
            return
        self._consume(m, False)
        if self.logged_on:
            self._send(b"0", b"112=%b\x01" % test_req_id, now)

    def _logout_received(self, m: Received, now: Instant) -> None:
        """Cases 12 and 13: answer, or take it as the answer; the side that began closes."""
        text = text_of(m.fields.get(b"58", b""))
        if self.state is _S.LOGOUT_SENT:
            self._effects.append(LoggedOut(text, False))
            self._close(DisconnectReason.LOGOUT_COMPLETE, text)
        else:
            self._answer_logout(text, now)

    def _answer_logout(self, text: str, now: Instant) -> None:
        self._send(b"5", b"", now)
        self._move(_E.ANSWER)
        self._effects.append(LoggedOut(text, True))
        self._deadline_ns = now.boot_ns + int(self.settings.logout_timeout_s * NS_PER_S)

    # -- gaps ------------------------------------------------------------------------------------------------------

    def _too_early(self, m: Received, now: Instant) -> None:
        """Case 2.b: keep it, ask once for what is missing. A ResendRequest(2) is answered at once, or two sides that
        both miss something would wait for each other (case 20); Logout(5) waits for the gap, but not for ever."""
        acted = m.msg_type == b"2" and not m.poss_dup
        if acted:
            self._resend_request(m, now)
        if m.msg_type == b"5" and not m.poss_dup and not self._logout_waits_ns:
            self._logout_waits_ns = now.boot_ns + int(self.settings.logout_timeout_s * NS_PER_S)
        self._too_high(m, acted, now, ask=True)

    def _too_high(self, m: Received, acted: bool, now: Instant, *, ask: bool) -> None:
        if not self.settings.allow_resend_request or self.state is _S.RESETTING:
            text = f"MsgSeqNum(34)={m.seq} but {self.next_inbound} was expected, and nothing can be resent here"
            self._refuse(DisconnectReason.SEQUENCE_GAP, text, now)
            return
        if len(self._pending) < self.settings.max_pending_messages:
            self._pending.setdefault(m.seq, (m, acted))
        if self._gap is not None:
            self._gap.high = max(self._gap.high, m.seq)
            return
        self._gap = _Gap(m.seq, now.boot_ns)
        self._move_if_open(_E.GAP)
        self._notice(Level.WARNING, "gap", f"expected MsgSeqNum(34)={self.next_inbound}, received {m.seq}")
        if ask:
            self._ask(self._gap, now)

    def _move_if_open(self, event: Event) -> None:
        if event in TRANSITIONS[self.state]:
            self._move(event)

    def _ask(self, gap: _Gap, now: Instant) -> None:
        """ResendRequest(2) for the part of the gap that is next."""
        begin, end = self.next_inbound, 0
        if self.settings.resend_chunk:
            last = min(self._pending, default=gap.high) - 1
            end = min(begin + self.settings.resend_chunk - 1, max(last, begin))
        gap.asked_to = end or gap.high
        gap.progress_ns = now.boot_ns
        self._send(b"2", b"7=%d\x0116=%d\x01" % (begin, end), now)

    def _drain(self, now: Instant) -> None:
        """Act on what was kept and is next now; close the gap or ask for its next part."""
        while self._pending and self.state is not _S.CLOSING and self.state is not _S.LOGOUT_ANSWERED:
            kept = self._pending.pop(self.next_inbound, None)
            if kept is None:
                break
            m, acted = kept
            if acted:
                self._consume(m, False)
            else:
                self._in_order(m, now)
        gap = self._gap
        if gap is None:
            return
        gap.progress_ns = now.boot_ns
        gap.attempts = 0
        if self.next_inbound > gap.high:
            self._gap = None
            self._logout_waits_ns = 0
            self._move_if_open(_E.FILLED)
            self._notice(Level.INFO, "gap_closed", f"next expected MsgSeqNum(34)={self.next_inbound}")
        elif self.next_inbound > gap.asked_to:
            self._ask(gap, now)

    def _gap_fill(self, m: Received, now: Instant) -> None:
        """SequenceReset(4) with GapFillFlag(123)=Y under the expected number: cases 10.b and 10.e."""
        new = number_of(m.fields.get(b"36"))
        if new is None:
            self._reject(m, Problem(1, 36, "Required tag missing"), now)
        elif new <= m.seq:
            text = f"Value is incorrect (out of range) for this tag, NewSeqNo(36)={new}"
            self._reject(m, Problem(5, None, text), now)
        else:
            self._jump(new, NumbersReason.GAP_FILL)

    def _sequence_reset(self, m: Received, now: Instant) -> None:
        """SequenceReset(4) in reset mode, case 11: its own MsgSeqNum(34) does not count; never backwards."""
        new = number_of(m.fields.get(b"36"))
        if new is None:
            self._reject(m, Problem(1, 36, "Required tag missing"), now)
        elif new < self.next_inbound:
            text = f"Value is incorrect (out of range) for this tag, NewSeqNo(36)={new}, expecting {self.next_inbound}"
            self._reject(m, Problem(5, None, text), now)
        elif new == self.next_inbound:
            self._notice(
                Level.WARNING,
                "reset_without_effect",
                f"SequenceReset(4) to NewSeqNo(36)={new}, which is expected anyway",
            )
        else:
            self._jump(new, NumbersReason.SEQUENCE_RESET)
            self._drain(now)

    def _jump(self, new: int, reason: NumbersReason) -> None:
        self._set_numbers(self.next_outbound, new, reason)
        for seq in [seq for seq in self._pending if seq < new]:
            del self._pending[seq]

    # -- resending -------------------------------------------------------------------------------------------------

    def _resend_request(self, m: Received, now: Instant) -> None:
        """Case 8, and the loop that the specification wants detected."""
        begin, end = number_of(m.fields.get(b"7")), number_of(m.fields.get(b"16"))
        last = self.next_outbound - 1
        if begin is None or end is None:
            self._answer_reject(m, Problem(1, 7 if begin is None else 16, "Required tag missing"), now)
            return
        if begin < 1 or begin > last or 0 < end < begin:
            asked = f"BeginSeqNo(7)={begin} EndSeqNo(16)={end}, last sent {last}"
            text = f"Value is incorrect (out of range) for this tag, {asked}"
            self._answer_reject(m, Problem(5, 7, text), now)
            return
        request = (m.fields[b"7"], m.fields[b"16"])
        self._request_repeats = self._request_repeats + 1 if request == self._last_request else 1
        self._last_request = request
        if self._request_repeats > self.settings.max_resend_requests:
            text = f"BeginSeqNo(7)={begin} asked for {self._request_repeats} times without progress"
            self._refuse(DisconnectReason.RESEND_LOOP, text, now)
            return
        self._want(begin, last if end == 0 or end > last else end)

    def _answer_reject(self, m: Received, problem: Problem, now: Instant) -> None:
        """Reject(3) for a message whose number is already dealt with."""
        self._send(b"3", self._encoder.reject_body(m.seq, m.msg_type, problem), now, reverse_route(m.fields))

    def _want(self, begin: int, end: int) -> None:
        """Ask the host for `begin` to `end`, in parts where answers are paced. Also when the policy is to resend
        nothing: only the host knows which numbers have left, and a gap fill over one that has not would make it too
        low when it does."""
        chunk = self.settings.resend_answer_chunk
        part = min(end, begin + chunk - 1) if chunk else end
        self._answer_next = (part + 1, end) if part < end else None
        self._wanted.append((begin, part))
        self._effects.append(ResendWanted(begin, part))

    def resend(self, begin: int, end: int, messages: Iterable[tuple[int, bytes]], now: Instant) -> None:
        """Answer `ResendWanted`, whole or in parts from the front; `end` may be lower than asked for. `messages` are
        the stored (MsgSeqNum(34), raw) to send again, in order; every number not given, and every session-level
        message but Reject(3), is gap-filled (case 8.a). Raises LocalError if nothing in that range was asked for on
        this connection."""
        if not any(first <= begin and end <= last for first, last in self._wanted):
            raise LocalError(f"numbers {begin} to {end} were not asked for on this connection")
        self._wanted = [(first, last) for first, last in self._wanted if not (first <= begin and last <= end)]
        resends = self.settings.sequence_policy is SequencePolicy.RESEND
        at = begin
        for seq, stored in messages if resends else ():
            if not at <= seq <= end:
                continue
            again = self._encoder.again(stored, now.wall_ns)
            if again is None:
                continue
            if seq > at:
                self._effects.append(Outbound(at, "4", self._encoder.gap_fill(at, seq, now.wall_ns), True))
            self._effects.append(Outbound(seq, again[0].decode(), again[1], True))
            at = seq + 1
        if at <= end:
            self._effects.append(Outbound(at, "4", self._encoder.gap_fill(at, end + 1, now.wall_ns), True))
        self._sent_boot_ns = now.boot_ns
        if self._answer_next is not None:
            self._answer_due_ns = now.boot_ns + int(self.settings.resend_answer_interval_s * NS_PER_S)

    # -- time ------------------------------------------------------------------------------------------------------

    def next_deadline_ns(self) -> int | None:
        """When `timer` has something to do, by boot_ns; None if never."""
        state = self.state
        if state in _DEAF_STATES:
            return None
        if state not in LOGGED_ON_STATES:
            return self._deadline_ns
        due: list[int] = []
        interval = self.heart_bt_int_s * NS_PER_S
        if interval:
            due.append(self._sent_boot_ns + interval)
            silent = self._silence_ns(interval)
            due.append(silent[1] if self._asked_for_life else silent[0])
        if self._gap is not None:
            due.append(self._gap.progress_ns + int(self.settings.resend_timeout_s * NS_PER_S))
        if self._logout_waits_ns:
            due.append(self._logout_waits_ns)
        if self._answer_next is not None and self._answer_due_ns:
            due.append(self._answer_due_ns)
        return min(due) if due else None

    def _silence_ns(self, interval: int) -> tuple[int, int]:
        """When silence calls for a TestRequest(1), and when it means that the connection is lost (case 6)."""
        last = self.last_received_boot_ns
        settings = self.settings
        return last + int(interval * settings.test_request_multiplier), last + int(
            interval * settings.disconnect_multiplier
        )

    def timer(self, now: Instant) -> None:
        """Do what is due."""
        state, t = self.state, now.boot_ns
        if state in _DEAF_STATES:
            return
        if state in LOGGED_ON_STATES:
            self._keep_alive(now)
            if self.logged_on and self._gap is not None:
                self._chase(self._gap, now)
            if self.logged_on and self._logout_waits_ns and t >= self._logout_waits_ns:
                self._logout_waits_ns = 0
                self._answer_logout("", now)
            if self.logged_on and self._answer_next is not None and self._answer_due_ns and t >= self._answer_due_ns:
                self._answer_due_ns = 0
                self._want(*self._answer_next)
        elif t >= self._deadline_ns:
            if state is _S.LOGOUT_ANSWERED:
                self._close(DisconnectReason.LOGOUT_COMPLETE, "the peer did not close")
            elif state is _S.LOGOUT_SENT:
                self._close(self._refusal or DisconnectReason.LOGOUT_TIMEOUT, "Logout(5) was not answered")
            else:
                self._close(DisconnectReason.LOGON_TIMEOUT, f"no Logon(A) within {self.settings.logon_timeout_s} s")

    def _keep_alive(self, now: Instant) -> None:
        """Cases 4.a and 6."""
        interval, t = self.heart_bt_int_s * NS_PER_S, now.boot_ns
        if not interval:
            return
        ask_ns, lost_ns = self._silence_ns(interval)
        if t >= lost_ns:
            self._close(
                DisconnectReason.HEARTBEAT_TIMEOUT,
                f"nothing received for {(t - self.last_received_boot_ns) / NS_PER_S:.1f} s",
            )
        elif t >= ask_ns and not self._asked_for_life:
            self._asked_for_life = True
            self._test_req_id = b"%d-%d" % (self.connection, self.next_outbound)
            self._send(b"1", b"112=%b\x01" % self._test_req_id, now)
        elif t >= self._sent_boot_ns + interval:
            self._send(b"0", b"", now)

    def _chase(self, gap: _Gap, now: Instant) -> None:
        """A gap without progress is asked for again, a few times."""
        if now.boot_ns < gap.progress_ns + int(self.settings.resend_timeout_s * NS_PER_S):
            return
        gap.attempts += 1
        if gap.attempts >= self.settings.max_resend_attempts:
            text = f"MsgSeqNum(34)={self.next_inbound} was asked for {gap.attempts} times and never came"
            self._refuse(DisconnectReason.RESEND_LOOP, text, now)
        else:
            self._ask(gap, now)

    # -- bookkeeping -----------------------------------------------------------------------------------------------

    def _move(self, event: Event) -> None:
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            raise IllegalTransitionError(f"{event.name} is not possible in {self.state.name}: {self.state.value}")
        self.state = after

    def _close(self, reason: DisconnectReason, text: str) -> None:
        self._move(_E.CLOSE)
        self._effects.append(Disconnect(reason, text))

    def _notice(self, level: Level, code: str, text: str) -> None:
        self._effects.append(Notice(level, code, text))

    def _set_numbers(self, next_outbound: int, next_inbound: int, reason: NumbersReason) -> None:
        self.next_outbound = next_outbound
        self.next_inbound = next_inbound
        self._effects.append(NumbersSet(next_outbound, next_inbound, reason))
