"""What a client asks in FIX, field by field, and the two messages that refuse what cannot be read or is not served."""

from collections.abc import Iterable
from decimal import Decimal

from common.exchange.numbers import read_number
from common.fix.session import Inbound
from common.fix.wire import pairs, parse_utc_timestamp, split

MAX_NAME_CHARACTERS = 64
# A number's digits reach from 10 to the power of one to that of the other, so that arithmetic on it stays exact.
LEAST_DIGIT = -12
GREATEST_DIGIT = 15

MISSING = 1
OUT_OF_RANGE = 5
BAD_FORMAT = 6


class BadField(Exception):
    """A request lacks a field or holds one that cannot be read: what the Reject(3) says."""

    def __init__(self, reason: int, tag: int, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.tag = tag


class Request:
    """One application message of a client. Of a field that repeats, all but `every` see the last."""

    __slots__ = ("_fields", "_raw", "msg_seq_num", "msg_type")

    def __init__(self, inbound: Inbound) -> None:
        self.msg_type = inbound.msg_type
        self.msg_seq_num = inbound.msg_seq_num
        self._raw = inbound.raw
        self._fields = inbound.fields or split(inbound.raw)

    @property
    def tags(self) -> Iterable[bytes]:
        """Each tag that is there."""
        return self._fields.keys()

    def has(self, tag: int) -> bool:
        """Whether the field is there."""
        return b"%d" % tag in self._fields

    def text(self, tag: int) -> str:
        """A field that must be there. Raises BadField."""
        value = self._fields.get(b"%d" % tag)
        if value is None:
            raise BadField(MISSING, tag, "Required tag missing")
        if not value or len(value) > MAX_NAME_CHARACTERS or not value.isascii():
            raise BadField(BAD_FORMAT, tag, "Incorrect data format for value")
        return value.decode("ascii")

    def optional(self, tag: int) -> str:
        """A field that may be missing, "" then."""
        return self._fields.get(b"%d" % tag, b"").decode("ascii", "replace")

    def decimal(self, tag: int) -> Decimal:
        """A number that must be there. Raises BadField."""
        try:
            value = read_number(self.text(tag))
        except ValueError:
            raise BadField(BAD_FORMAT, tag, "Incorrect data format for value") from None
        if not LEAST_DIGIT <= int(value.as_tuple().exponent) <= value.adjusted() <= GREATEST_DIGIT:
            raise BadField(OUT_OF_RANGE, tag, "Value is incorrect (out of range) for this tag")
        return value

    def time_ns(self, tag: int) -> int:
        """A UTCTimestamp that must be there, Unix nanoseconds. Raises BadField."""
        try:
            return parse_utc_timestamp(self.text(tag).encode())
        except ValueError:
            raise BadField(BAD_FORMAT, tag, "Incorrect data format for value") from None

    def every(self, tag: int) -> list[str]:
        """Each value of a field that may repeat, in order."""
        wanted = b"%d" % tag
        return [value.decode("ascii", "replace") for each, value in pairs(self._raw) if each == wanted]

    def rejected(self, bad: BadField) -> bytes:
        """The body of a Reject(3) with SessionRejectReason(373)."""
        head = f"45={self.msg_seq_num}\x01371={bad.tag}\x01372={self.msg_type}\x01"
        return f"{head}373={bad.reason}\x0158={bad}\x01".encode()

    def not_served(self, reason: int, text: str, ref_id: str = "") -> bytes:
        """The body of a BusinessMessageReject(j) with BusinessRejectReason(380)."""
        name = f"379={ref_id}\x01" if ref_id else ""
        return f"45={self.msg_seq_num}\x01372={self.msg_type}\x01{name}380={reason}\x0158={text}\x01".encode()
