"""The words of a FIX session: its states and their transition table, its settings, and the effects that it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from common.fix.errors import SettingsError


class Instant(Protocol):
    """Both clocks, read once by the host: Unix time and a clock that only advances, in nanoseconds."""

    @property
    def wall_ns(self) -> int: ...

    @property
    def boot_ns(self) -> int: ...


class SessionState(Enum):
    """Where a session stands; the value is the sentence shown to people."""

    DISCONNECTED = "there is no connection"
    AWAITING_LOGON = "an acceptor has a connection and waits for Logon(A)"
    LOGON_SENT = "an initiator has sent Logon(A) and waits for the answer"
    LOGGED_ON = "logged on, nothing missing"
    RECOVERING = "logged on, with a gap in what was received"
    RESETTING = "logged on, our Logon(A) with ResetSeqNumFlag(141)=Y is not yet answered"
    LOGOUT_SENT = "we sent Logout(5) and wait for the answer"
    LOGOUT_ANSWERED = "we answered Logout(5); the side that began closes"
    CLOSING = "the host was asked to close; nothing more is read or sent"


class Event(Enum):
    """What moves a session from one state to another."""

    DIALLED = "the initiator's connection is up"
    ACCEPTED = "the acceptor's connection is up"
    LOGON = "the peer's Logon(A) is good"
    GAP = "a number higher than expected came"
    FILLED = "the last missing number came"
    RESET = "we ask for new numbers inside the session"
    LOGOUT = "we send Logout(5) first"
    ANSWER = "we answer the peer's Logout(5)"
    CLOSE = "we ask the host to close"
    LOST = "the connection is gone"


_S, _E = SessionState, Event
TRANSITIONS: dict[SessionState, dict[Event, SessionState]] = {
    _S.DISCONNECTED: {_E.DIALLED: _S.LOGON_SENT, _E.ACCEPTED: _S.AWAITING_LOGON},
    _S.AWAITING_LOGON: {_E.LOGON: _S.LOGGED_ON, _E.CLOSE: _S.CLOSING, _E.LOST: _S.DISCONNECTED},
    _S.LOGON_SENT: {_E.LOGON: _S.LOGGED_ON, _E.CLOSE: _S.CLOSING, _E.LOST: _S.DISCONNECTED},
    _S.LOGGED_ON: {
        _E.LOGON: _S.LOGGED_ON,
        _E.GAP: _S.RECOVERING,
        _E.RESET: _S.RESETTING,
        _E.LOGOUT: _S.LOGOUT_SENT,
        _E.ANSWER: _S.LOGOUT_ANSWERED,
        _E.CLOSE: _S.CLOSING,
        _E.LOST: _S.DISCONNECTED,
    },
    _S.RECOVERING: {
        _E.LOGON: _S.LOGGED_ON,
        _E.FILLED: _S.LOGGED_ON,
        _E.LOGOUT: _S.LOGOUT_SENT,
        _E.ANSWER: _S.LOGOUT_ANSWERED,
        _E.CLOSE: _S.CLOSING,
        _E.LOST: _S.DISCONNECTED,
    },
    _S.RESETTING: {
        _E.LOGON: _S.LOGGED_ON,
        _E.LOGOUT: _S.LOGOUT_SENT,
        _E.ANSWER: _S.LOGOUT_ANSWERED,
        _E.CLOSE: _S.CLOSING,
        _E.LOST: _S.DISCONNECTED,
    },
    _S.LOGOUT_SENT: {
        _E.GAP: _S.LOGOUT_SENT,
        _E.FILLED: _S.LOGOUT_SENT,
        _E.CLOSE: _S.CLOSING,
        _E.LOST: _S.DISCONNECTED,
    },
    _S.LOGOUT_ANSWERED: {_E.CLOSE: _S.CLOSING, _E.LOST: _S.DISCONNECTED},
    _S.CLOSING: {_E.LOST: _S.DISCONNECTED},
}

# Tuples, because a member of an Enum is hashed in Python and these are asked for every message.
LOGGED_ON_STATES = (_S.LOGGED_ON, _S.RECOVERING)
BEFORE_LOGON_STATES = (_S.AWAITING_LOGON, _S.LOGON_SENT)
DEAF_STATES = (_S.DISCONNECTED, _S.CLOSING)


class SequencePolicy(Enum):
    """What a session does with its numbers between connections and with a ResendRequest(2)."""

    RESET = "numbers start at 1 at each logon, nothing is resent"
    RESEND = "numbers persist, what the host gives is resent"
    GAP_FILL_ONLY = "numbers persist, every ResendRequest(2) is answered with one gap fill"


class DisconnectReason(Enum):
    """Why the host is asked to close; the value is the sentence shown to people."""

    LOGON_TIMEOUT = "no valid Logon(A) came in time"
    LOGON_REFUSED = "the peer refused our Logon(A)"
    LOGON_INVALID = "the peer's Logon(A) is not acceptable"
    FIRST_MESSAGE_NOT_LOGON = "the first message was not a Logon(A)"
    UNKNOWN_IDENTITY = "SenderCompID(49), TargetCompID(56) or BeginString(8) name another session"
    SEQUENCE_TOO_LOW = "MsgSeqNum(34) is lower than expected: a human has to look"
    SEQUENCE_GAP = "messages are missing and this venue cannot resend"
    RESEND_LOOP = "the same messages were asked for again and again without progress"
    PROTOCOL_ERROR = "the peer broke the protocol"
    HEARTBEAT_TIMEOUT = "nothing was received, not even an answer to TestRequest(1)"
    LOGOUT_COMPLETE = "both sides sent Logout(5)"
    LOGOUT_TIMEOUT = "Logout(5) was not followed by an answer or a close in time"
    LOCAL = "closed by us before logon"


class NumbersReason(Enum):
    """Why a number jumped."""

    RESET_ON_LOGON = "both start at 1 at each logon"
    RESET_SEQ_NUM_FLAG = "ResetSeqNumFlag(141)=Y"
    GAP_FILL = "SequenceReset(4) with GapFillFlag(123)=Y"
    SEQUENCE_RESET = "SequenceReset(4) in reset mode"
    BY_HAND = "set by hand"


class Outbound(NamedTuple):
    """Bytes for the transport. `resent=False` took a number: store it before it may be written. The order of these
    effects is the order on the wire."""

    msg_seq_num: int
    msg_type: str
    raw: bytes
    resent: bool


class Inbound(NamedTuple):
    """A message that consumed its number, in order, once. `rejected`: it was answered with Reject(3) and must not be
    acted on. `application`: not a session-level message. `poss_dup`: PossDupFlag(43)=Y. `fields`: as `wire.split` gives
    them, so that nobody has to cut the message again. `wrong`: why it is not believed, "" where it is; `fields` are
    then those that could be told, the first value of each tag."""

    msg_seq_num: int
    msg_type: str
    raw: bytes
    application: bool
    poss_dup: bool
    rejected: bool
    fields: dict[bytes, bytes] | None = None
    wrong: str = ""


class Unnumbered(NamedTuple):
    """A verified message that takes no number, so that it may come again and again: its MsgSeqNum(34) cannot be read,
    and the session ends with it, or it is a gap fill that says no good NewSeqNo(36). `fields` as for `Inbound`."""

    msg_type: str
    raw: bytes
    fields: dict[bytes, bytes]
    wrong: str


class ResendWanted(NamedTuple):
    """The peer asks for the numbers `begin` to `end`, both included; answer with `Session.resend`."""

    begin: int
    end: int


class NumbersSet(NamedTuple):
    """The numbers jumped, both as they are now; to be stored like a message. `reason` says why."""

    next_outbound: int
    next_inbound: int
    reason: NumbersReason


class LoggedOn(NamedTuple):
    """Both Logon(A) are exchanged. `peer_reset`: ResetSeqNumFlag(141)=Y. `recovering`: messages are missing.
    `raw_data` is the RawData(96) of the peer's, for what a Logon(A) has no field of its own."""

    peer_reset: bool
    recovering: bool
    heart_bt_int_s: int
    raw_data: str = ""


class LoggedOut(NamedTuple):
    """The session is over: Logout(5) was received or answered; `text` is the peer's Text(58)."""

    text: str
    by_peer: bool


class Disconnect(NamedTuple):
    """Close the connection once everything before this effect is written."""

    reason: DisconnectReason
    text: str


class Level(Enum):
    """How loud a notice is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


ASKS_BEYOND_SENT = "asks_beyond_sent"
"""The code of the notice that the peer misses a number that was never sent: it has heard more than our log knows."""


LOGON_NOT_IN_STEP = "logon_not_in_step"
"""The code of the notice that the peer's Logon(A) has a number which is no good; its text is the peer's Text(58)."""


class Notice(NamedTuple):
    """For the log. `code` is a fixed word to count by."""

    level: Level
    code: str
    text: str


OtherEffect = Inbound | Unnumbered | ResendWanted | NumbersSet | LoggedOn | LoggedOut | Disconnect | Notice
"""What is no message for the transport."""

Effect = Outbound | OtherEffect


class Problem(NamedTuple):
    """What is wrong with a message: SessionRejectReason(373), RefTagID(371) where one tag is to blame, Text(58)."""

    reason: int
    ref_tag: int | None
    text: str


APPL_VER_IDS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
"""ApplVerID(1128) and DefaultApplVerID(1137): FIX 2.7, 3.0, 4.0 to 4.4, 5.0, 5.0 SP1, 5.0 SP2 and FIX Latest."""

MAX_HEART_BT_INT_S = 3600
"""A longer HeartBtInt(108) is refused: a dead connection would be taken for a living one as long."""


HEADER_ORDER = (34, 49, 52, 56)
"""What follows MsgType(35) in each message, where a session's settings do not say otherwise."""


class MessageCheck(Protocol):
    """What a session asks a validator: the first problem of a message whose fields are given in order, or None."""

    def check(self, msg_type: bytes, fields: list[tuple[bytes, bytes]]) -> Problem | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionSettings:
    """Everything that a session is told once. Times in seconds; 0 switches a check off where it says so.

    `logon_fields` gives extra body fields of Logon(A), such as a signature, for (MsgSeqNum(34), SendingTime(52));
    each field ends with SOH. `header_fields` are constant extra header fields such as SenderSubID(50), behind those of
    `header_order`, and `application_fields` those of each application message, such as Account(1), in front of its own
    fields. `header_order` says how MsgSeqNum(34), SenderCompID(49), SendingTime(52) and TargetCompID(56) follow
    MsgType(35). Raises SettingsError.
    """

    sender_comp_id: str
    target_comp_id: str
    initiator: bool
    begin_string: str = "FIX.4.4"
    default_appl_ver_id: str | None = None  # DefaultApplVerID(1137), demanded by FIXT.1.1
    heart_bt_int_s: int = 30  # an acceptor takes the initiator's
    reset_on_logon: bool = False  # both numbers start at 1; an initiator says so with ResetSeqNumFlag(141)=Y
    says_no_reset: bool = False  # an initiator's Logon(A) that resets nothing says 141=N
    expects_reset_echo: bool = True  # the answer to our 141=Y repeats it (not every venue's does)
    sequence_policy: SequencePolicy = SequencePolicy.RESEND
    next_expected_msg_seq_num: bool = False  # NextExpectedMsgSeqNum(789) in Logon(A) instead of ResendRequest(2)
    allow_resend_request: bool = True  # False at venues without ResendRequest(2): a gap ends the session
    resend_chunk: int = 0  # ask for at most so many at once; 0: all, EndSeqNo(16)=0
    resend_timeout_s: float = 10.0  # a gap without progress is asked for again
    max_resend_attempts: int = 3  # asked so often without progress: a loop
    max_resend_requests: int = 10  # the peer asked so often for nothing beyond what it had asked for: a loop
    max_pending_messages: int = 1024  # kept behind a gap; what does not fit is asked for again
    max_resend_range: int = 0  # a ResendRequest(2) for more numbers at once is rejected; 0: no bound
    resend_answer_chunk: int = 0  # answer a ResendRequest(2) in parts of so many numbers; 0: at once
    resend_answer_interval_s: float = 0.0  # pause between the parts
    max_answers: int = 0  # so many Heartbeat(0) and Reject(3) that the peer asks for in any window; 0: no bound
    answers_window_s: float = 1.0
    timestamp_digits: int = 3
    logon_timeout_s: float = 10.0
    logout_timeout_s: float = 2.0
    sending_time_tolerance_s: float = 120.0  # 0: off, and OrigSendingTime(122) may be later than SendingTime(52)
    requires_orig_sending_time: bool = True  # PossDupFlag(43)=Y without OrigSendingTime(122) is rejected (case 2.g)
    test_request_multiplier: float = 1.2
    disconnect_multiplier: float = 2.4
    test_session: bool | None = None  # TestMessageIndicator(464) must say the same; None: not looked at
    validate: MessageCheck | None = None
    logon_fields: Callable[[int, bytes], bytes] | None = None
    header_fields: bytes = b""
    application_fields: bytes = b""
    header_order: tuple[int, ...] = HEADER_ORDER
    ascending_logon: bool = False  # the body of Logon(A) ascends by tag, as some venues show theirs
    max_message_bytes: int = 1 << 20
    max_buffer_bytes: int = (1 << 20) + 4096
    max_fields: int = 1 << 16

    def __post_init__(self) -> None:
        if self.timestamp_digits not in (0, 3, 6, 9):
            raise SettingsError(f"timestamp_digits is 0, 3, 6 or 9, not {self.timestamp_digits}")
        if self.begin_string.startswith("FIXT") and not self.default_appl_ver_id:
            raise SettingsError("FIXT.1.1 needs default_appl_ver_id, the value of DefaultApplVerID(1137)")
        if self.default_appl_ver_id and self.default_appl_ver_id not in APPL_VER_IDS:
            known = ", ".join(APPL_VER_IDS)
            raise SettingsError(f"default_appl_ver_id is one of {known}, not {self.default_appl_ver_id!r}")
        if not 1.0 <= self.test_request_multiplier < self.disconnect_multiplier:
            raise SettingsError(
                "1 <= test_request_multiplier < disconnect_multiplier: TestRequest(1) needs time to be answered"
            )
        if self.heart_bt_int_s > MAX_HEART_BT_INT_S:
            raise SettingsError(f"heart_bt_int_s is at most {MAX_HEART_BT_INT_S}, not {self.heart_bt_int_s}")
        if self.heart_bt_int_s < 0 or self.max_pending_messages < 0 or self.resend_chunk < 0:
            raise SettingsError("heart_bt_int_s, max_pending_messages and resend_chunk are not negative")
        for name in ("header_fields", "application_fields"):
            if getattr(self, name) and not getattr(self, name).endswith(b"\x01"):
                raise SettingsError(f"{name} must end with SOH")
        if sorted(self.header_order) != sorted(HEADER_ORDER):
            raise SettingsError(f"header_order has each of {HEADER_ORDER} once, not {self.header_order}")
