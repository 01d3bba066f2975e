"""Where a session stands: its state, its two numbers, and the only ways in which they change."""

from common.fix.allowance import Allowance
from common.fix.errors import IllegalTransitionError
from common.fix.incoming import Received
from common.fix.outgoing import ADMIN_TYPES, Encoder, reverse_route
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
    Notice,
    NumbersReason,
    NumbersSet,
    Outbound,
    Problem,
    SessionSettings,
    SessionState,
    Unnumbered,
)
from common.fix.wire import NS_PER_S


class Standing:
    """What outlives a connection, and the effects that tell the host of every change to it."""

    __slots__ = (
        "allowance",
        "connection",
        "effects",
        "encoder",
        "next_inbound",
        "next_outbound",
        "sent_boot_ns",
        "state",
    )

    def __init__(self, settings: SessionSettings, next_outbound: int, next_inbound: int) -> None:
        self.state = SessionState.DISCONNECTED
        self.next_outbound = next_outbound
        self.next_inbound = next_inbound
        self.connection = 0
        self.sent_boot_ns = 0
        self.encoder = Encoder(settings)
        self.allowance = Allowance(settings.max_answers, int(settings.answers_window_s * NS_PER_S))
        self.effects: list[Effect] = []

    @property
    def logged_on(self) -> bool:
        """Whether application messages may be sent."""
        return self.state in LOGGED_ON_STATES

    def move(self, event: Event) -> None:
        """Follow the transition table. Raises IllegalTransitionError."""
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            raise IllegalTransitionError(f"{event.name} is not possible in {self.state.name}: {self.state.value}")
        self.state = after

    def move_if_open(self, event: Event) -> None:
        """Follow the transition table where it has this event, else stay."""
        self.state = TRANSITIONS[self.state].get(event, self.state)

    def close(self, reason: DisconnectReason, text: str) -> None:
        """Ask the host to close."""
        self.move(Event.CLOSE)
        self.effects.append(Disconnect(reason, text))

    def send(self, msg_type: bytes, body: bytes, now: Instant, header: bytes = b"") -> int:
        """Number, stamp and encode a message; returns its MsgSeqNum(34)."""
        seq = self.next_outbound
        self.next_outbound = seq + 1
        self.sent_boot_ns = now.boot_ns
        raw = self.encoder.message(msg_type, seq, now.wall_ns, header, body)
        self.effects.append(Outbound(seq, msg_type.decode(), raw, False))
        return seq

    def answer_reject(self, m: Received, problem: Problem, now: Instant) -> None:
        """Reject(3) for a message whose number is already dealt with; withheld where the peer has had its share of
        answers."""
        if not self.allowance.take(now.boot_ns):
            self.notice(Level.WARNING, "reject_withheld", f"MsgSeqNum(34)={m.seq}: too many answers in one window")
            return
        self.send(b"3", self.encoder.reject_body(m.seq, m.msg_type, problem), now, reverse_route(m.fields))

    def consume(self, m: Received, problem: Problem | None = None) -> None:
        """The message has used up its number: hand it to the host, with the `problem` that it was rejected for."""
        self.next_inbound = m.seq + 1
        application = m.msg_type not in ADMIN_TYPES
        msg_type = m.msg_type.decode("latin-1")
        wrong = problem or m.uncut
        text = "" if wrong is None else wrong.text
        rejected = problem is not None
        self.effects.append(Inbound(m.seq, msg_type, m.raw, application, m.poss_dup, rejected, m.fields, text))

    def unnumbered(self, m: Received, text: str) -> None:
        """Hand the host a message that has no number to use up."""
        self.effects.append(Unnumbered(m.msg_type.decode("latin-1"), m.raw, m.fields, text))

    def set_numbers(self, next_outbound: int, next_inbound: int, reason: NumbersReason) -> None:
        """Let the numbers jump."""
        self.next_outbound = next_outbound
        self.next_inbound = next_inbound
        self.effects.append(NumbersSet(next_outbound, next_inbound, reason))

    def notice(self, level: Level, code: str, text: str) -> None:
        """Something for the log."""
        self.effects.append(Notice(level, code, text))

    def too_low(self, seq: int) -> str:
        """Text(58) for a number that was used before."""
        return f"MsgSeqNum too low, expecting {self.next_inbound} but received {seq}"
