"""The messages that a session writes: header, Logon(A), Reject(3), gap fills, and stored messages sent again."""

from common.fix.session_types import Problem, SessionSettings
from common.fix.wire import SOH, cut, encode, pairs, utc_timestamp

# Session-level message types (FIX 4.4 volume 2): resent only as gap fills, except Reject(3).
ADMIN_TYPES = frozenset({b"0", b"1", b"2", b"3", b"4", b"5", b"A"})

_REVERSE_ROUTES = (
    (b"115", b"128"),
    (b"116", b"129"),
    (b"144", b"145"),
    (b"128", b"115"),
    (b"129", b"116"),
    (b"145", b"144"),
)
_FEW_REJECT_REASONS = frozenset({b"FIX.4.0", b"FIX.4.1", b"FIX.4.2"})
_LAST_OF_FEW = 11


class Encoder:
    """Writes the messages of one session. Times are Unix nanoseconds."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._begin = settings.begin_string.encode()
        self._application_fields = settings.application_fields
        order = settings.header_order
        fields = {34: b"34=%d\x01", 49: _constant(49, settings.sender_comp_id), 52: b"52=%b\x01"}
        fields[56] = _constant(56, settings.target_comp_id)
        header = b"".join([fields[tag] for tag in order]) + settings.header_fields.replace(b"%", b"%%")
        self._template = b"35=%b\x01" + header + b"%b%b"
        late = header.replace(b"34=%d\x01", b"34=%d\x0143=Y\x01")
        self._gap_template = b"35=4\x01" + late + b"122=%b\x0136=%d\x01123=Y\x01"
        self._time_first = order.index(52) < order.index(34)
        self._last_of_header = b"%d" % order[-1]

    def message(self, msg_type: bytes, seq: int, wall_ns: int, header: bytes, body: bytes) -> bytes:
        """Any message; `header` is extra header fields."""
        stamp = utc_timestamp(wall_ns, self._settings.timestamp_digits)
        if self._application_fields and msg_type not in ADMIN_TYPES:
            body = self._application_fields + body
        if self._time_first:
            return encode(self._begin, self._template % (msg_type, stamp, seq, header, body))
        return encode(self._begin, self._template % (msg_type, seq, stamp, header, body))

    def logon_body(self, seq: int, wall_ns: int, heart_bt_int_s: int, reset: bool, next_expected: int | None) -> bytes:
        """The fields of Logon(A) behind the header; the venue's own ones see its number and SendingTime(52)."""
        settings = self._settings
        body = b"98=0\x01108=%d\x01" % heart_bt_int_s
        if reset or settings.says_no_reset:
            body += b"141=%b\x01" % (b"Y" if reset else b"N")
        if next_expected is not None:
            body += b"789=%d\x01" % next_expected
        if settings.test_session is not None:
            body += b"464=%b\x01" % (b"Y" if settings.test_session else b"N")
        if settings.default_appl_ver_id:
            body += b"1137=%b\x01" % settings.default_appl_ver_id.encode()
        if settings.logon_fields is not None:
            body += settings.logon_fields(seq, utc_timestamp(wall_ns, settings.timestamp_digits))
        if settings.ascending_logon:
            body = b"".join([b"%b=%b\x01" % field for field in sorted(pairs(body), key=lambda field: int(field[0]))])
        return body

    def reject_body(self, seq: int, msg_type: bytes, problem: Problem) -> bytes:
        """The fields of Reject(3). FIX 4.2 defines SessionRejectReason(373) only up to 11."""
        body = b"45=%d\x01%b" % (seq, text_field(problem.text))
        if problem.ref_tag is not None:
            body += b"371=%d\x01" % problem.ref_tag
        body += b"372=%b\x01" % msg_type
        if problem.reason <= _LAST_OF_FEW or self._begin not in _FEW_REJECT_REASONS:
            body += b"373=%d\x01" % problem.reason
        return body

    def gap_fill(self, begin: int, next_seq: int, wall_ns: int) -> bytes:
        """SequenceReset(4) with GapFillFlag(123)=Y over the numbers from `begin` up to before `next_seq`."""
        stamp = utc_timestamp(wall_ns, self._settings.timestamp_digits)
        if self._time_first:
            return encode(self._begin, self._gap_template % (stamp, begin, stamp, next_seq))
        return encode(self._begin, self._gap_template % (begin, stamp, stamp, next_seq))

    def again(self, stored: bytes, wall_ns: int) -> tuple[bytes, bytes] | None:
        """(MsgType(35), raw) of a stored message with PossDupFlag(43)=Y, OrigSendingTime(122) and a fresh
        SendingTime(52); nothing else changes. None for a session-level message, Reject(3) excepted (case 8.b)."""
        fields, _ = cut(stored)
        msg_type = fields[2][1]
        if msg_type in ADMIN_TYPES and msg_type != b"3":
            return None
        original = next(value for tag, value in fields if tag == b"52")
        out: list[bytes] = []
        behind = self._last_of_header  # OrigSendingTime(122) follows the last of the fields that are always there
        for tag, value in fields[2:-1]:
            if tag == b"52":
                value = utc_timestamp(wall_ns, self._settings.timestamp_digits)
            if tag not in (b"43", b"122"):
                out.append(b"%b=%b\x01" % (tag, value))
            if tag == b"34":
                out.append(b"43=Y\x01")
            if tag == behind:
                out.append(b"122=%b\x01" % original)
                behind = b""
        return msg_type, encode(self._begin, b"".join(out))


def _constant(tag: int, value: str) -> bytes:
    """A field as part of a template."""
    return b"%d=%b\x01" % (tag, value.encode().replace(b"%", b"%%"))


def reverse_route(fields: dict[bytes, bytes]) -> bytes:
    """Header fields that send an answer back the way the message came: OnBehalfOfCompID(115) and DeliverToCompID(128),
    their SubIDs (116, 129) and LocationIDs (144, 145) change places; empty ones are left out."""
    return b"".join([b"%b=%b\x01" % (to, fields[by]) for by, to in _REVERSE_ROUTES if fields.get(by)])


def text_field(text: str) -> bytes:
    """Text(58) on one line of Latin-1, or nothing for an empty text."""
    return b"58=%b\x01" % text.encode("latin-1", "replace").replace(SOH, b" ") if text else b""
