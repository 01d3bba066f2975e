"""What a session reads from a message, and the checks that come before its number."""

from typing import NamedTuple

from common.fix.errors import FormatError, UncutError
from common.fix.outgoing import ADMIN_TYPES
from common.fix.session_types import MAX_HEART_BT_INT_S, Problem, SessionSettings
from common.fix.wire import NS_PER_S, cut, parse_utc_timestamp, split

MAX_SEQ_NUM_DIGITS = 18
NO_NUMBER = -1
_SENDING_TIME_PROBLEM = 10  # SessionRejectReason(373)
_ORIG_SENDING_TIME = 122


class Received(NamedTuple):
    """A message as the session handles it; `seq` is NO_NUMBER where MsgSeqNum(34) is missing or no number.

    `uncut`: why its fields cannot all be told apart. `fields` are those that can then, the first value of each tag.
    """

    raw: bytes
    msg_type: bytes
    seq: int
    fields: dict[bytes, bytes]
    poss_dup: bool
    uncut: Problem | None = None


class Fault(NamedTuple):
    """Why a message is rejected. `fatal`: the session ends with it. `of_repeat`: only what tells of its first sending
    is wrong, so that it is handed on all the same if its number is missing here."""

    problem: Problem
    fatal: bool
    of_repeat: bool = False


class Judge:
    """The checks that need no state but the settings. `offset_ns`: our wall clock minus the last SendingTime(52)."""

    def __init__(self, settings: SessionSettings) -> None:
        self.offset_ns = 0
        self._settings = settings
        self._validate = settings.validate
        self._our_id = settings.sender_comp_id.encode()
        self._their_id = settings.target_comp_id.encode()
        self._tolerance_ns = int(settings.sending_time_tolerance_s * NS_PER_S)

    def read(self, raw: bytes) -> tuple[Received, list[tuple[bytes, bytes]]]:
        """The message, and its fields in order where a validator looks at them."""
        ordered: list[tuple[bytes, bytes]] = []
        uncut: UncutError | None = None
        if self._validate is None:
            try:
                fields = split(raw)
            except UncutError as error:
                uncut, fields = error, _first_values(cut(raw)[0])
        else:
            ordered, uncut = cut(raw)
            fields = dict(ordered) if uncut is None else _first_values(ordered)
        number = fields.get(b"34", b"")
        seq = int(number) if number.isdigit() and len(number) <= MAX_SEQ_NUM_DIGITS else NO_NUMBER
        problem = None if uncut is None else Problem(uncut.reason, uncut.ref_tag, str(uncut))
        return Received(raw, fields[b"35"], seq, fields, fields.get(b"43") == b"Y", problem), ordered

    def fault(self, m: Received, ordered: list[tuple[bytes, bytes]], wall_ns: int) -> Fault | None:
        """The first thing wrong in the dictionary, the times and the CompIDs, in this order."""
        if self._validate is not None and m.uncut is None:
            problem = self._validate.check(m.msg_type, ordered)
            if problem is not None:
                return Fault(problem, False)
        late = self.sending_time(m, wall_ns)
        if late is not None:
            return Fault(late, late.reason == _SENDING_TIME_PROBLEM, late.ref_tag == _ORIG_SENDING_TIME)
        return None if self.is_ours(m) else _wrong_comp_id(m)

    def is_ours(self, m: Received) -> bool:
        """Whether SenderCompID(49) and TargetCompID(56) are those of this session."""
        return m.fields.get(b"49") == self._their_id and m.fields.get(b"56") == self._our_id

    def sending_time(self, m: Received, wall_ns: int) -> Problem | None:
        """Cases 2.o, 2.f and 2.g: SendingTime(52) near our clock, OrigSendingTime(122) there and not later."""
        stamp = m.fields.get(b"52")
        if stamp is None:
            return Problem(1, 52, "Required tag missing")
        try:
            sent_ns = parse_utc_timestamp(stamp)
        except FormatError:
            return Problem(6, 52, "Incorrect data format for value")
        self.offset_ns = offset = wall_ns - sent_ns
        if self._tolerance_ns and not -self._tolerance_ns <= offset <= self._tolerance_ns:
            return Problem(_SENDING_TIME_PROBLEM, None, "SendingTime accuracy problem")
        if not m.poss_dup or m.msg_type == b"4":
            return None
        return self._orig_sending_time(m.fields.get(b"122"), sent_ns)

    def _orig_sending_time(self, original: bytes | None, sent_ns: int) -> Problem | None:
        if original is None:
            return Problem(1, 122, "Required tag missing") if self._settings.requires_orig_sending_time else None
        try:
            late = parse_utc_timestamp(original) > sent_ns and self._tolerance_ns > 0
        except FormatError:
            return Problem(6, 122, "Incorrect data format for value")
        return Problem(_SENDING_TIME_PROBLEM, None, "SendingTime accuracy problem") if late else None

    def logon(self, m: Received, ordered: list[tuple[bytes, bytes]], wall_ns: int) -> str | None:
        """Cases 1S.d and 1B.d: why this Logon(A) is not acceptable, as Text(58)."""
        settings, fields = self._settings, m.fields
        checked = self._validate is not None and m.uncut is None
        problem = self._validate.check(m.msg_type, ordered) if checked and self._validate is not None else None
        problem = problem or self.sending_time(m, wall_ns)
        if problem is not None:
            return problem.text if problem.ref_tag is None else f"{problem.text}, tag {problem.ref_tag}"
        interval = fields.get(b"108", b"")
        seconds = number_of(interval)
        if seconds is None:
            return f"HeartBtInt(108)={text_of(interval)} is not a number of seconds"
        if seconds > MAX_HEART_BT_INT_S:
            return f"HeartBtInt(108)={seconds} is more than {MAX_HEART_BT_INT_S} seconds"
        if fields.get(b"98", b"0") != b"0":
            return "EncryptMethod(98) other than 0 is not supported"
        if settings.default_appl_ver_id:
            version = fields.get(b"1137")
            if version is None:
                return "Required tag missing, DefaultApplVerID(1137)"
            if version != settings.default_appl_ver_id.encode():
                return f"DefaultApplVerID(1137)={text_of(version)} is not {settings.default_appl_ver_id}"
        if settings.test_session is not None and (fields.get(b"464") == b"Y") != settings.test_session:
            return "TestMessageIndicator(464) differs: a test system and a production system"
        if fields.get(b"141") == b"Y" and m.seq != 1:
            return "ResetSeqNumFlag(141)=Y needs MsgSeqNum(34)=1"
        return None


def _wrong_comp_id(m: Received) -> Fault:
    """Case 2.k."""
    for tag in (b"49", b"56"):
        if tag not in m.fields:
            return Fault(Problem(1, int(tag), "Required tag missing"), False)
    return Fault(Problem(9, None, "CompID problem"), True)


def rejected_for(m: Received) -> Problem | None:
    """What an application message whose fields cannot all be told apart is rejected for; the session's own messages are
    acted on as far as they can be read."""
    return None if m.msg_type in ADMIN_TYPES else m.uncut


def _first_values(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Of a message that cannot be cut: what stands in front, as the header does, was cut before anything was wrong."""
    return dict(reversed(fields))


def text_of(value: bytes) -> str:
    """A value for a log line or an answer."""
    return value.decode("latin-1")


def number_of(value: bytes | None) -> int | None:
    """A SeqNum value, or None if it is missing or no number."""
    if value is None or not value.isdigit() or len(value) > MAX_SEQ_NUM_DIGITS:
        return None
    return int(value)
