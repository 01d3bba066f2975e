"""The exchange of Logon(A): who may answer what, where the numbers start, and what either side misses from then on."""

from common.fix.ending import Ending
from common.fix.errors import GarbledError
from common.fix.incoming import MAX_SEQ_NUM_DIGITS, Judge, Received, text_of
from common.fix.liveness import Liveness
from common.fix.pending import Pending
from common.fix.resends import Resends
from common.fix.session_types import (
    LOGON_NOT_IN_STEP,
    DisconnectReason,
    Event,
    Instant,
    Level,
    LoggedOn,
    LoggedOut,
    NumbersReason,
    SequencePolicy,
    SessionSettings,
    SessionState,
)
from common.fix.standing import Standing
from common.fix.wire import split


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


class Logon:
    """One connection's logon, and the resets inside the session that are Logon(A) too. It starts the other parts:
    the interval of `life`, the gap of `pending`, the first range of `resends`."""

    __slots__ = ("_ending", "_judge", "_life", "_pending", "_resends", "_resets", "_settings", "_standing")

    def __init__(
        self,
        settings: SessionSettings,
        standing: Standing,
        judge: Judge,
        ending: Ending,
        life: Liveness,
        pending: Pending,
        resends: Resends,
    ) -> None:
        self._settings = settings
        self._standing = standing
        self._judge = judge
        self._ending = ending
        self._life = life
        self._pending = pending
        self._resends = resends
        self._resets = settings.reset_on_logon or settings.sequence_policy is SequencePolicy.RESET

    def expect(self, now: Instant) -> None:
        """The connection is up: an initiator speaks first, an acceptor waits."""
        self._ending.logon_due(now)
        if self._settings.initiator:
            if self._resets:
                self._standing.set_numbers(1, 1, NumbersReason.RESET_ON_LOGON)
            self._send(now, self._resets, self._standing.next_inbound)

    def request_reset(self, now: Instant) -> None:
        """Start both numbers at 1 inside the session."""
        self._standing.move(Event.RESET)
        self._standing.set_numbers(1, self._standing.next_inbound, NumbersReason.RESET_SEQ_NUM_FLAG)
        self._ending.logon_due(now)
        self._send(now, True, 1)

    def first(self, m: Received, ordered: list[tuple[bytes, bytes]], now: Instant) -> None:
        """The first message, its fields in order where a validator looks at them."""
        if m.msg_type != b"A":
            self._no_logon(m)
            return
        if not self._judge.is_ours(m):
            text = "SenderCompID(49) or TargetCompID(56) is not of this session"
            self._standing.close(DisconnectReason.UNKNOWN_IDENTITY, text)
            return
        wrong = self._judge.logon(m, ordered, now.wall_ns)
        if wrong is not None:
            self._ending.refuse(DisconnectReason.LOGON_INVALID, wrong, now)
        elif self._settings.initiator:
            self._answered(m, now)
        else:
            self._asked(m, now)

    def reset(self, m: Received, now: Instant) -> None:
        """Logon(A) with ResetSeqNumFlag(141)=Y while logged on, or as the answer to ours."""
        standing = self._standing
        if m.seq != 1:
            self._ending.refuse(DisconnectReason.PROTOCOL_ERROR, "ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1", now)
            return
        answering = standing.state is not SessionState.RESETTING
        self._pending.forget()
        next_outbound = 1 if answering else standing.next_outbound
        standing.set_numbers(next_outbound, 1, NumbersReason.RESET_SEQ_NUM_FLAG)
        standing.move(Event.LOGON)
        if answering:
            self._send(now, True, 2)
        self._done(m, True, 0, now)

    def _no_logon(self, m: Received) -> None:
        """Cases 1B.e and 2S. An initiator that is answered with Logout(5) or Reject(3) was refused."""
        standing = self._standing
        if not self._settings.initiator or m.msg_type not in (b"3", b"5"):
            standing.close(DisconnectReason.FIRST_MESSAGE_NOT_LOGON, f"MsgType(35)={text_of(m.msg_type)} came first")
            return
        # Its number is left to be asked for: some venues give a refusal none of the session's.
        text = text_of(m.fields.get(b"58", b""))
        standing.effects.append(LoggedOut(text, True))
        too_low = "too low" in text.lower()
        standing.close(DisconnectReason.SEQUENCE_TOO_LOW if too_low else DisconnectReason.LOGON_REFUSED, text)

    def _asked(self, m: Received, now: Instant) -> None:
        """The acceptor's side, case 1S.a: answer first, then ask for what is missing."""
        standing = self._standing
        peer_reset = m.fields.get(b"141") == b"Y"
        if peer_reset:
            standing.set_numbers(1, 1, NumbersReason.RESET_SEQ_NUM_FLAG)
        elif self._resets:
            standing.set_numbers(1, 1, NumbersReason.RESET_ON_LOGON)
        peer_expects = self._peer_expects(m)
        if self._number_refused(m, peer_expects, now):
            return
        self._life.interval_s = int(m.fields[b"108"])
        resend_to = standing.next_outbound
        standing.move(Event.LOGON)
        self._send(now, peer_reset, standing.next_inbound + (m.seq == standing.next_inbound))
        self._done(m, peer_reset, peer_expects, now)
        if 0 < peer_expects < resend_to:
            self._resends.want(peer_expects, resend_to)

    def _answered(self, m: Received, now: Instant) -> None:
        """The initiator's side, case 1B.c."""
        standing = self._standing
        echoed = m.fields.get(b"141") == b"Y"
        if self._resets:
            if not echoed and m.seq != 1:
                text = "ResetSeqNumFlag(141)=Y was answered without a reset"
                self._ending.refuse(DisconnectReason.LOGON_INVALID, text, now)
                return
            if not echoed and self._settings.expects_reset_echo:
                standing.notice(Level.WARNING, "reset_not_echoed", "ResetSeqNumFlag(141)=Y was not echoed")
        elif echoed:
            # The peer lost its numbers: both Logon(A) count as number 1.
            standing.set_numbers(2, 1, NumbersReason.RESET_SEQ_NUM_FLAG)
        peer_expects = self._peer_expects(m)
        if self._number_refused(m, peer_expects, now):
            return
        self._life.interval_s = int(m.fields[b"108"])
        standing.move(Event.LOGON)
        self._done(m, echoed, peer_expects, now)
        if 0 < peer_expects < standing.next_outbound:
            self._resends.want(peer_expects, standing.next_outbound - 1)

    def _peer_expects(self, m: Received) -> int:
        """NextExpectedMsgSeqNum(789), 0 where it is not used."""
        expects = m.fields.get(b"789", b"")
        if self._settings.next_expected_msg_seq_num and expects.isdigit() and len(expects) <= MAX_SEQ_NUM_DIGITS:
            return int(expects)
        return 0

    def _number_refused(self, m: Received, peer_expects: int, now: Instant) -> bool:
        """Logon(A) too low, or NextExpectedMsgSeqNum(789) beyond what we sent: no way to go on."""
        standing = self._standing
        if m.seq < standing.next_inbound and not m.poss_dup:
            text = standing.too_low(m.seq)
        elif peer_expects > standing.next_outbound:
            expected = standing.next_outbound
            text = f"NextExpectedMsgSeqNum(789) too high, expecting {expected} but received {peer_expects}"
        else:
            return False
        if b"58" in m.fields:
            standing.notice(Level.INFO, LOGON_NOT_IN_STEP, text_of(m.fields[b"58"]))
        self._ending.refuse(DisconnectReason.SEQUENCE_TOO_LOW, text, now)
        return True

    def _done(self, m: Received, peer_reset: bool, peer_expects: int, now: Instant) -> None:
        standing = self._standing
        missing = m.seq > standing.next_inbound
        standing.effects.append(LoggedOn(peer_reset, missing, self._life.interval_s, text_of(m.fields.get(b"96", b""))))
        if missing:
            # The Logon(A) was acted on; when the gap closes it only counts (quickfix#102).
            self._pending.add(m, True, now, ask=not peer_expects)
        elif m.seq == standing.next_inbound:
            standing.consume(m)

    def _send(self, now: Instant, reset: bool, next_expected: int) -> None:
        standing = self._standing
        expected = next_expected if self._settings.next_expected_msg_seq_num else None
        body = standing.encoder.logon_body(standing.next_outbound, now.wall_ns, self._life.interval_s, reset, expected)
        standing.send(b"A", body, now)
