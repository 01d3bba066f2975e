"""How a session ends: Logout(5) by either side, refusals, and how long a logon or a logout may take."""

from common.fix.incoming import Received, text_of
from common.fix.outgoing import text_field
from common.fix.session_types import (
    BEFORE_LOGON_STATES,
    DisconnectReason,
    Event,
    Instant,
    Level,
    LoggedOut,
    SessionSettings,
    SessionState,
)
from common.fix.standing import Standing
from common.fix.wire import NS_PER_S

_S = SessionState


class Ending:
    """Of one connection. `deadline_ns` (boot_ns) counts in every connected state but those of a session that is
    logged on. `refusing`: we have refused the peer, and only its answer to our Logout(5) still matters."""

    __slots__ = ("_logon_timeout_s", "_logout_timeout_s", "_refusal", "_standing", "deadline_ns")

    def __init__(self, settings: SessionSettings, standing: Standing) -> None:
        self.deadline_ns = 0
        self._standing = standing
        self._refusal: DisconnectReason | None = None
        self._logon_timeout_s = settings.logon_timeout_s
        self._logout_timeout_s = settings.logout_timeout_s

    def logon_due(self, now: Instant) -> None:
        """The peer's Logon(A) has to come in time from here."""
        self.deadline_ns = now.boot_ns + int(self._logon_timeout_s * NS_PER_S)

    def logout(self, text: str, now: Instant) -> None:
        """Begin the handshake; before logon close at once; when it is under way already do nothing."""
        if self._can_say_so():
            self._begin(text, now, None)
        elif self._standing.state in BEFORE_LOGON_STATES:
            self._standing.close(DisconnectReason.LOCAL, text)

    def refuse(self, reason: DisconnectReason, text: str, now: Instant) -> None:
        """The peer broke a rule that ends the session: say why, then close."""
        self._standing.notice(Level.ERROR, reason.name.lower(), text)
        if self._can_say_so():
            self._begin(text, now, reason)
            return
        if self._standing.state in BEFORE_LOGON_STATES:
            self._standing.send(b"5", text_field(text), now)
        self._standing.close(reason, text)

    def heard(self, m: Received) -> None:
        """Hand on what the peer says in a Logout(5) whose number does not let it be acted on."""
        if m.msg_type == b"5":
            self._standing.effects.append(LoggedOut(text_of(m.fields.get(b"58", b"")), True))

    def after_reject(self, now: Instant) -> None:
        """The Reject(3) just sent has said why; the Logout(5) needs no Text(58)."""
        if self._can_say_so():
            self._begin("", now, DisconnectReason.PROTOCOL_ERROR)

    def received(self, m: Received, now: Instant) -> None:
        """The peer's Logout(5), cases 12 and 13: answer, or take it as the answer; the side that began closes."""
        text = text_of(m.fields.get(b"58", b""))
        if self._standing.state is _S.LOGOUT_SENT:
            self._standing.effects.append(LoggedOut(text, False))
            self._standing.close(DisconnectReason.LOGOUT_COMPLETE, text)
        else:
            self.answer(text, now)

    def answer(self, text: str, now: Instant) -> None:
        """Answer the peer's Logout(5), whose Text(58) is `text`; the peer closes."""
        self._standing.send(b"5", b"", now)
        self._standing.move(Event.ANSWER)
        self._standing.effects.append(LoggedOut(text, True))
        self.deadline_ns = now.boot_ns + int(self._logout_timeout_s * NS_PER_S)

    def over(self, msg_type: bytes) -> bool:
        """Whether this message comes too late to be looked at: the peer was refused, or the handshake is done."""
        if self._refusal is None:
            return self._standing.state is _S.LOGOUT_ANSWERED
        if msg_type == b"5":
            self._standing.close(self._refusal, "the peer answered our Logout(5)")
        return True

    def timer(self, now: Instant) -> None:
        """Close what took too long."""
        if now.boot_ns < self.deadline_ns:
            return
        state, close = self._standing.state, self._standing.close
        if state is _S.LOGOUT_ANSWERED:
            close(DisconnectReason.LOGOUT_COMPLETE, "the peer did not close")
        elif state is _S.LOGOUT_SENT:
            close(self._refusal or DisconnectReason.LOGOUT_TIMEOUT, "Logout(5) was not answered")
        else:
            close(DisconnectReason.LOGON_TIMEOUT, f"no Logon(A) within {self._logon_timeout_s} s")

    def _can_say_so(self) -> bool:
        return self._standing.logged_on or self._standing.state is _S.RESETTING

    def _begin(self, text: str, now: Instant, refusal: DisconnectReason | None) -> None:
        """Send Logout(5) first and wait for the answer (case 12); with `refusal` only the answer is still listened
        to."""
        self._standing.send(b"5", text_field(text), now)
        self._standing.move(Event.LOGOUT)
        self._refusal = refusal
        self.deadline_ns = now.boot_ns + int(self._logout_timeout_s * NS_PER_S)
