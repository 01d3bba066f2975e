"""FIX on the wire: encode, frame, verify, split.

Theory: BodyLength(9) is the only thing that frames a message, CheckSum(10) is what makes it believable, and nothing
is looked at before both agree. What does not frame is *garbled*: it is counted, skipped and never takes a number (FIX
session layer test cases 2.d, 2.m, 2.t, 3.a to 3.e). After a garbled message the search for the next one starts at the
end that the garbled one claimed for itself, or at its head where the claim itself is unusable: bytes inside a message
are never taken for a message of their own, so text that a stranger put into a data field is never believed.

A message that frames and verifies may still hold fields that cannot be told apart. It is not garbled: it takes its
number, since it would come again as it is.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol
from zlib import adler32

from common.fix.data_fields import DATA_FIELDS
from common.fix.errors import FormatError, GarbledError, MissingFieldError, SettingsError, UncutError

SOH = b"\x01"
NS_PER_S = 1_000_000_000

_LENGTH_TAGS = frozenset(DATA_FIELDS)

# SessionRejectReason(373).
_INVALID_TAG = 0
_INCORRECT_FORMAT = 6

# Adler-32 keeps 1 + the sum of the bytes modulo 65521 in its low half: exact for 256 bytes of any value and for 512
# bytes of ASCII, and about eight times faster than sum().
_EXACT_ANY = 256
_EXACT_ASCII = 512


def checksum(data: bytes) -> int:
    """CheckSum(10) of `data`: the sum of its bytes modulo 256."""
    exact = _EXACT_ASCII if data.isascii() else _EXACT_ANY
    if len(data) <= exact:
        return (adler32(data) - 1) & 255
    return sum(adler32(data[i : i + exact]) - 1 for i in range(0, len(data), exact)) & 255


_TRAILERS = tuple(b"10=%03d\x01" % value for value in range(256))


def encode(begin_string: bytes, body: bytes) -> bytes:
    """One whole message. `body` starts with MsgType(35) and ends with SOH; BeginString(8), BodyLength(9) and
    CheckSum(10) are added."""
    head = b"8=%b\x019=%d\x01%b" % (begin_string, len(body), body)
    return head + _TRAILERS[checksum(head)]


_NEITHER_MARK = bytes(byte for byte in range(256) if byte not in b"=\x01")


def split(raw: bytes) -> dict[bytes, bytes]:
    """The hot reader: tag -> value, the last value where a tag repeats, no groups. Raises UncutError."""
    marks = raw.translate(None, _NEITHER_MARK)
    if marks != b"=\x01" * (len(marks) >> 1):
        # A value holds `=`, or a data field SOH.
        return dict(pairs(raw))
    words = raw.replace(SOH, b"=").split(b"=")
    fields = dict(zip(words[::2], words[1::2], strict=False))
    if _LENGTH_TAGS.isdisjoint(fields):
        return fields
    return dict(pairs(raw))


def pairs(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Every field in order, data fields cut by their length field. Raises UncutError for a field without `=`, a tag
    that is no number of at most ten digits, or a length that points elsewhere than to the data field's end."""
    fields, wrong = cut(raw)
    if wrong is not None:
        raise wrong
    return fields


def cut(raw: bytes) -> tuple[list[tuple[bytes, bytes]], UncutError | None]:
    """The fields as `pairs` gives them and the first thing that is wrong with them, None where nothing is. What is no
    field is left out, and a data field whose length is wrong ends at the next SOH."""
    fields: list[tuple[bytes, bytes]] = []
    wrong: UncutError | None = None
    at, end = 0, len(raw)
    data_tag, data_size = b"", 0
    while at < end:
        equals = raw.find(b"=", at)
        tag = raw[at:equals]
        if equals < 0 or len(tag) > 10 or not (tag.isdigit() or (tag[:1] == b"-" and tag[1:].isdigit())):
            wrong = wrong or UncutError(f"no tag at byte {at}: {raw[at : at + 20]!r}", _INVALID_TAG)
            at = raw.find(SOH, at) + 1 or end
            continue
        stop = equals + 1 + data_size if tag == data_tag else raw.find(SOH, equals)
        if tag == data_tag and raw[stop : stop + 1] != SOH:
            text = f"field {tag.decode()} does not end where its length field says, byte {stop}"
            wrong = wrong or UncutError(text, _INCORRECT_FORMAT, int(tag))
            stop = raw.find(SOH, equals)
        if stop < 0:
            wrong = wrong or UncutError(f"field {tag.decode()} has no end", _INCORRECT_FORMAT, int(tag))
            break
        value = raw[equals + 1 : stop]
        fields.append((tag, value))
        data_tag = DATA_FIELDS.get(tag, b"")
        if data_tag:
            if not value.isdigit() or len(value) > 9:
                data_tag = b""
            else:
                data_size = int(value)
        at = stop + 1
    return fields, wrong


_HEAD = re.compile(rb"8=FIX[^\x01=]{0,12}\x019=([0-9]{1,9})\x01")
_HEAD_BEGUN = re.compile(rb"8(?:=(?:F(?:I(?:X[^\x01=]{0,12}(?:\x01(?:9(?:=[0-9]{0,9})?)?)?)?)?)?)?\Z")
_START = b"8=FIX"
_TRAILER_BYTES = 7  # 10=ddd and SOH


class Framer:
    """Cuts a byte stream into whole verified messages.

    Limits: a message may have at most `max_message_bytes` (its BodyLength(9) counted) and `max_fields` SOH bytes; the
    bytes kept between two calls never exceed `max_buffer_bytes`. A message over a limit counts as garbled.
    """

    def __init__(
        self, max_message_bytes: int = 1 << 20, max_buffer_bytes: int = (1 << 20) + 4096, max_fields: int = 1 << 16
    ) -> None:
        if max_buffer_bytes < max_message_bytes + 64:
            raise SettingsError(
                "max_buffer_bytes must be at least max_message_bytes + 64, or no message could complete"
            )
        self.garbled = 0
        self._max_message_bytes = max_message_bytes
        self._max_buffer_bytes = max_buffer_bytes
        self._max_fields = max_fields
        self._surely_few_bytes = max_fields * 3  # the shortest field, `1=` and SOH, has three
        self._rest = bytearray()
        self._need = 0  # bytes that must be there before another look is worth it
        self._in_garbage = False

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by `data`, each one whole and verified. Never raises for what is in `data`."""
        if not self._rest and len(data) <= self._max_buffer_bytes:
            return self._scan(data)
        found: list[bytes] = []
        at = 0
        while at < len(data):
            step = self._max_buffer_bytes - len(self._rest)
            self._rest += data[at : at + step]
            at += step
            if len(self._rest) >= self._need:
                whole = bytes(self._rest)
                self._rest.clear()
                found += self._scan(whole)
        return found

    def _scan(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        at, size = 0, len(data)
        self._need = 0
        while at < size:
            head = _HEAD.match(data, at)
            if head is None:
                if size - at < 32 and _HEAD_BEGUN.match(data, at):
                    break
                at = self._skip_from(data, at, at + 1)
                continue
            self._in_garbage = False
            body = head.end()
            end = body + int(head[1])
            verdict = self._look(data, at, body, end)
            if verdict > 0:
                found.append(data[at:verdict] if at or verdict != size else data)
                at = verdict
            elif verdict == 0:
                self._need = end + _TRAILER_BYTES - at
                break
            else:
                at = self._skip_from(data, at, -verdict)
        if at < size:
            self._rest += data[at:]
        return found

    def _look(self, data: bytes, at: int, body: int, end: int) -> int:
        """The end of the message that starts at `at`; 0 while it is incomplete; minus the place to go on from if
        garbled."""
        if end - body > self._max_message_bytes or not b"35=".startswith(data[body : body + 3]):
            return -body
        stop = end + _TRAILER_BYTES
        trailer = data[end:stop]
        if len(data) < stop:
            if _trailer_begun(trailer) and (len(data) < end or data[end - 1] == 1):
                return 0
            return -end
        if (
            data[end - 1] == 1
            and trailer == _TRAILERS[checksum(data[at:end])]
            and (stop - at <= self._surely_few_bytes or data.count(SOH, at, stop) <= self._max_fields)
        ):
            return stop
        return -end

    def _skip_from(self, data: bytes, at: int, resume: int) -> int:
        """Where the next message may begin, at or behind `resume`. One run of garbage counts once."""
        if not self._in_garbage:
            self.garbled += 1
        self._in_garbage = True
        start = data.find(_START, resume)
        if start >= 0:
            return start
        # A start may have arrived in part: keep as much of the end as could still become one.
        for keep in range(min(len(_START) - 1, len(data) - resume), 0, -1):
            if data.endswith(_START[:keep]):
                return len(data) - keep
        return len(data)


def _trailer_begun(trailer: bytes) -> bool:
    """Whether an incomplete trailer can still become `10=ddd` and SOH."""
    return b"10=".startswith(trailer[:3]) and (len(trailer) <= 3 or trailer[3:].isdigit())


class GroupSpec:
    """The layout of a repeating group: its first tag, its members in order, and the groups nested in it."""

    __slots__ = ("count_tag", "first", "inside", "members", "nested", "order", "required")

    def __init__(
        self, count_tag: int, members: tuple[int, ...], required: frozenset[int], nested: dict[int, "GroupSpec"]
    ) -> None:
        self.count_tag = count_tag
        self.first = members[0]
        self.members = frozenset(members)
        self.order = {tag: place for place, tag in enumerate(members)}
        self.required = required
        self.nested = nested
        inside = set(self.members)
        for group in nested.values():
            inside |= group.inside
        self.inside: frozenset[int] = frozenset(inside)


class Layouts(Protocol):
    """What a `Message` asks a dictionary for."""

    def group(self, msg_type: str, count_tag: int) -> GroupSpec | None: ...


Field = tuple[int, bytes]


class FieldSet:
    """An immutable run of fields with access by tag: a message, or one entry of a repeating group.

    Values are given as text: UTF-8, with bytes that are not kept as surrogates, so nothing is lost.
    """

    __slots__ = ("_first", "_msg_type", "_spec", "fields")

    fields: tuple[Field, ...]

    def __init__(self, fields: tuple[Field, ...], msg_type: str, spec: dict[int, GroupSpec] | None) -> None:
        self.fields = fields
        self._msg_type = msg_type
        self._spec = spec
        first: dict[int, bytes] = {}
        for tag, value in fields:
            first.setdefault(tag, value)
        self._first = first

    def get(self, tag: int) -> str | None:
        """The first value of `tag`, or None."""
        value = self._first.get(tag)
        return None if value is None else value.decode("utf-8", "surrogateescape")

    def require(self, tag: int) -> str:
        """The first value of `tag`. Raises MissingFieldError."""
        value = self._first.get(tag)
        if value is None:
            raise MissingFieldError(tag, self._msg_type)
        return value.decode("utf-8", "surrogateescape")

    def __contains__(self, tag: int) -> bool:
        return tag in self._first

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def _group_spec(self, tag: int) -> GroupSpec | None:
        return self._spec.get(tag) if self._spec else None

    def groups(self, tag: int) -> tuple["FieldSet", ...]:
        """The entries of the repeating group counted by `tag`, in order; empty if it is absent.

        With a dictionary the entries end where the group's members end. Without one every entry begins with the tag
        behind the count and the last one reaches to the trailer.
        """
        spec = self._group_spec(tag)
        start = next((i + 1 for i, (t, _) in enumerate(self.fields) if t == tag), len(self.fields))
        if start >= len(self.fields):
            return ()
        first = spec.first if spec else self.fields[start][0]
        cuts: list[int] = []
        at = start
        inside = spec.inside if spec else None
        while at < len(self.fields):
            member = self.fields[at][0]
            if member in _TRAILER_TAGS if inside is None else member not in inside:
                break
            if member == first:
                cuts.append(at)
            at += 1
        nested = spec.nested if spec else None
        bounds = zip(cuts, [*cuts[1:], at], strict=False)
        return tuple(FieldSet(self.fields[a:b], self._msg_type, nested) for a, b in bounds)


_TRAILER_TAGS = frozenset({10, 89, 93})


class Message(FieldSet):
    """One whole message, typed and immutable. `layouts` (a Dictionary) makes `groups` exact. Raises GarbledError."""

    __slots__ = ("_layouts", "raw")

    def __init__(self, raw: bytes, layouts: Layouts | None = None) -> None:
        fields = tuple([(int(tag), value) for tag, value in pairs(raw)])
        if len(fields) < 4 or fields[2][0] != 35:
            raise GarbledError("BeginString(8), BodyLength(9) and MsgType(35) are not the first three fields")
        super().__init__(fields, fields[2][1].decode("latin-1"), None)
        self.raw = raw
        self._layouts = layouts

    @property
    def msg_type(self) -> str:
        """MsgType(35)."""
        return self._msg_type

    @property
    def msg_seq_num(self) -> int:
        """MsgSeqNum(34). Raises MissingFieldError, FormatError."""
        text = self.require(34)
        if not text.isdecimal():
            raise FormatError(f"MsgSeqNum(34)={text!r} is no number")
        return int(text)

    def _group_spec(self, tag: int) -> GroupSpec | None:
        return self._layouts.group(self._msg_type, tag) if self._layouts else None

    def __repr__(self) -> str:
        return f"Message({self.raw.replace(SOH, b'|')!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)


@lru_cache(maxsize=64)
def _second_text(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%d-%H:%M:%S").encode()


@lru_cache(maxsize=64)
def _day_ns(day: bytes) -> int:
    try:
        when = datetime(int(day[:4]), int(day[4:6]), int(day[6:8]), tzinfo=UTC)
    except ValueError as error:
        raise FormatError(f"no date: {day!r}") from error
    return int(when.timestamp()) * NS_PER_S


def utc_timestamp(wall_ns: int, digits: int = 3) -> bytes:
    """UTCTimestamp of Unix time in nanoseconds, with 0, 3, 6 or 9 `digits` of the second (cut, not rounded)."""
    second, ns = divmod(wall_ns, NS_PER_S)
    if digits == 3:
        return b"%b.%03d" % (_second_text(second), ns // 1_000_000)
    if digits == 6:
        return b"%b.%06d" % (_second_text(second), ns // 1_000)
    if digits == 9:
        return b"%b.%09d" % (_second_text(second), ns)
    if digits == 0:
        return _second_text(second)
    raise SettingsError(f"a timestamp has 0, 3, 6 or 9 digits of the second, not {digits}")


_TIMESTAMP = re.compile(rb"([0-9]{8})-([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]{1,12}))?")


def parse_utc_timestamp(text: bytes) -> int:
    """Unix time in nanoseconds of a UTCTimestamp; a leap second counts as the second behind it. Raises FormatError."""
    second, fraction, unit_ns = text[15:17], text[18:], _UNITS_NS.get(len(text))
    if unit_ns and text[17:18] == b"." and second < b"60" and second.isdigit() and fraction.isdigit():
        # As nearly everybody sends it, and the minute was read before.
        return _minute_ns(text[:15]) + int(second) * NS_PER_S + int(fraction) * unit_ns
    return _parse_utc_timestamp(text)


_UNITS_NS = {21: 1_000_000, 24: 1_000}
"""By the length of a UTCTimestamp with milliseconds or microseconds, the unit of its fraction."""


@lru_cache(maxsize=64)
def _minute_ns(text: bytes) -> int:
    return _parse_utc_timestamp(text + b"00")


def _parse_utc_timestamp(text: bytes) -> int:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise FormatError(f"no UTCTimestamp: {text!r}")
    day, hour, minute, second, fraction = found.groups()
    ns = int(fraction[:9].ljust(9, b"0")) if fraction else 0
    return _day_ns(day) + (int(hour) * 3600 + int(minute) * 60 + int(second)) * NS_PER_S + ns
