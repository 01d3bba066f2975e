"""FIX for people: messages as `Name(tag)=value (Meaning)`, and finding messages in text.

Secrets never come out: RawData(96), Password(554), NewPassword(925) and their encrypted forms, Text(58) of a Logon(A)
(some venues take the signature there) are replaced by asterisks, Username(553) (often an API key) keeps its first
four characters.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from common.fix.data_fields import DATA_FIELDS
from common.fix.dictionary import Dictionary
from common.fix.errors import GarbledError
from common.fix.secret_fields import SECRET_TAGS
from common.fix.wire import SOH, FieldSet, Framer, GroupSpec, Message, cut, pairs

USERNAME = 553
MASK = "***"
FRAME_TAGS = frozenset({8, 9, 10, 35})
HEARTBEAT_TYPES = frozenset({"0", "1"})

_DATA_TAGS = frozenset(DATA_FIELDS.values())
_DICTIONARIES = {
    "FIX.4.0": "FIX42",
    "FIX.4.1": "FIX42",
    "FIX.4.2": "FIX42",
    "FIX.5.0": "FIX50SP2",
    "FIX.5.0SP1": "FIX50SP2",
    "FIX.5.0SP2": "FIX50SP2",
    "FIXT.1.1": "FIX50SP2",
}


def dictionary_for(begin_string: str) -> Dictionary:
    """The dictionary for BeginString(8); for a version that has none of its own the nearest, FIX 4.4's where none is
    nearer. Raises nothing."""
    return Dictionary.load(_DICTIONARIES.get(begin_string, "FIX44"))


def version_of(begin_string: str) -> str:
    """The version that BeginString(8) stands for, as `Dictionary.version` names it: FIX.5.0SP2 under FIXT.1.1."""
    return "FIX.5.0SP2" if begin_string == "FIXT.1.1" else begin_string


def mask(tag: int, value: str, msg_type: str) -> str:
    """The value as it may be shown."""
    if tag in SECRET_TAGS or (tag == 58 and msg_type == "A"):
        return MASK
    if tag == USERNAME:
        return value[:4] + MASK
    return value


def masked(raw: bytes) -> bytes:
    """A message with `|` for SOH and its secrets masked, for a log. Bytes that are no message are given by their
    count."""
    try:
        fields = pairs(raw)
    except GarbledError:
        return b"%d bytes, garbled" % len(raw)
    msg_type = next((value.decode("latin-1") for tag, value in fields if tag == b"35"), "")
    shown = [(tag, mask(int(tag), value.decode("latin-1"), msg_type).encode("latin-1")) for tag, value in fields]
    return b"".join([b"%b=%b|" % pair for pair in shown])


class ShownField(NamedTuple):
    """A field in words. `depth` counts the groups around it; `opens` is 1 for the first field of a group's entry."""

    tag: int
    name: str
    value: str
    meaning: str
    depth: int
    opens: bool

    def __str__(self) -> str:
        label = f"{self.name}({self.tag})" if self.name else f"({self.tag})"
        return f"{label}={self.value}" + (f" ({self.meaning})" if self.meaning else "")


def meaning_in_words(name: str) -> str:
    """GOOD_TILL_CANCEL as Good Till Cancel."""
    return name.replace("_", " ").title()


def shown_fields(message: Message, dictionary: Dictionary) -> list[ShownField]:
    """Every field of a message in words, in order, groups nested."""
    return list(_walk(message, message.msg_type, dictionary))


def _walk(message: FieldSet, msg_type: str, dictionary: Dictionary) -> Iterator[ShownField]:
    stack: list[tuple[GroupSpec, int]] = []
    for tag, value in message.fields:
        while stack and tag not in stack[-1][0].inside:
            stack.pop()
        opens = bool(stack) and tag == stack[-1][0].first
        yield _shown(tag, value, msg_type, dictionary, len(stack), opens)
        group = stack[-1][0].nested.get(tag) if stack else dictionary.group(msg_type, tag)
        if group is not None:
            stack.append((group, tag))


def _shown(tag: int, value: bytes, msg_type: str, dictionary: Dictionary, depth: int, opens: bool) -> ShownField:
    text = value.decode("utf-8", "backslashreplace").replace("\x01", "|").replace("\n", "\\n")
    spec = dictionary.field(tag)
    meaning = ""
    if spec is not None and spec.values:
        words = text.split(" ") if spec.type.startswith("MULTIPLE") else [text]
        meaning = ", ".join(meaning_in_words(spec.values[word]) for word in words if word in spec.values)
    return ShownField(tag, spec.name if spec else "", mask(tag, text, msg_type), meaning, depth, opens)


def title(msg_type: str, dictionary: Dictionary) -> str:
    """NewOrderSingle(D)."""
    return f"{dictionary.message_name(msg_type) or 'Unknown'}({msg_type})"


def pretty(raw: bytes, dictionary: Dictionary | None = None) -> str:
    """A message on one line: its type, then `Name(tag)=value (Meaning)` for every field but BeginString(8),
    BodyLength(9), MsgType(35) and CheckSum(10). Bytes that are no message are said to be garbled, with their count."""
    try:
        message = Message(raw)
    except GarbledError as error:
        return f"garbled, {len(raw)} bytes: {error}"
    dictionary = dictionary or dictionary_for(message.get(8) or "")
    words = [title(message.msg_type, dictionary)]
    words += [str(field) for field in shown_fields(message, dictionary) if field.tag not in FRAME_TAGS]
    return " ".join(words)


def pretty_lines(raw: bytes, dictionary: Dictionary | None = None) -> list[str]:
    """A message on several lines: its type, then one field a line, aligned, groups indented."""
    try:
        message = Message(raw)
    except GarbledError as error:
        return [f"garbled, {len(raw)} bytes: {error}"]
    dictionary = dictionary or dictionary_for(message.get(8) or "")
    fields = shown_fields(message, dictionary)
    labels = ["  " * (field.depth + 1) + ("- " if field.opens else "  " * bool(field.depth)) for field in fields]
    labels = [f"{label}{field.name}({field.tag})" for label, field in zip(labels, fields, strict=True)]
    width = max((len(label) for label in labels), default=0)
    lines = [title(message.msg_type, dictionary)]
    for label, field in zip(labels, fields, strict=True):
        value = field.value + (f" ({field.meaning})" if field.meaning else "")
        lines.append(f"{label.ljust(width)}  {value}".rstrip())
    return lines


# -- whether a message is whole

_BODY = re.compile(rb"8=[^\x01]*\x019=(\d{1,9})\x01(.*\x01)10=\d{1,3}\x01", re.DOTALL)


def is_framed(raw: bytes) -> bool:
    """Whether BodyLength(9) and CheckSum(10) hold."""
    framer = Framer()
    return framer.feed(raw) == [raw] and framer.garbled == 0


def cut_text(raw: bytes) -> str:
    """How a message was cut, in words; "" for one that has a CheckSum(10) and all bytes that BodyLength(9) counts."""
    body = _BODY.fullmatch(raw)
    if body is None:
        return "cut: no CheckSum(10) at its end"
    missing = int(body[1]) - len(body[2])
    return f"cut: {missing} bytes fewer than BodyLength(9)={int(body[1])}" if missing > 0 else ""


def whole_fields(raw: bytes) -> bytes:
    """A message without the part of a tag that it was cut in, if it was."""
    before, _, rest = raw.removesuffix(SOH).rpartition(SOH)
    return before + SOH if before and b"=" not in rest and cut_text(raw) else raw


# -- finding messages in text

# Whatever stands between BeginString(8) and BodyLength(9), and again behind BodyLength(9), is the separator.
_START = re.compile(rb"8=FIXT?\.\d\.\d(?:SP\d)?(?P<separator>[^\r\n=]{1,8}?)9=(?P<length>\d{1,9})(?=(?P=separator))")
_UNREAD = re.compile(rb"\b8 *= *FIX[^\n]{0,60}?(?:\b|\n)9 *= *\d")
_BEHIND = rb"(?=[\s\"',;<>)\]}\\])"
_TRAILER_BYTES = 6  # 10=ddd
_LONGEST_BYTES = 1 << 21
_LONGEST_BODY_BYTES = 1 << 20  # as the session's framer takes: a BodyLength(9) above is not waited for
_PREFIX_BYTES = 4096
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """A message found in text: what stood before it on its line, and the bytes with SOH restored."""

    prefix: str
    raw: bytes


class Finder:
    """Finds messages in text that arrives in pieces, whatever stands for SOH in it: `|`, `^A`, `<SOH>`, `\\u0001`.

    BodyLength(9) says where a message ends, as on the wire, so a line break or another message in a value is a part
    of it. Where nothing ends there (an edited or cut message, or one in another encoding) its CheckSum(10) does, or
    its line. `unread` counts the places that begin like a message and have another form.
    """

    def __init__(self) -> None:
        self.unread = 0
        self._rest = b""

    def feed(self, data: bytes) -> list[Found]:
        """The messages that `data` completes."""
        self._rest += data
        return self._take(False)

    def close(self) -> list[Found]:
        """The last message, if the text ended without a line end behind it."""
        found = self._take(True)
        self._pass_over(self._rest, len(self._rest))
        self._rest = b""
        return found

    def _take(self, last: bool) -> list[Found]:
        found: list[Found] = []
        text, at = self._rest, 0
        while (start := _START.search(text, at)) is not None:
            end = _end(text, start, last)
            if end < 0:
                break
            before = text[at : start.start()]
            self._pass_over(before, len(before))
            prefix = before.rpartition(b"\n")[2].strip().removeprefix(_BYTE_ORDER_MARK)
            raw = _restore(text[start.start() : end], start["separator"])
            found.append(Found(prefix.decode("utf-8", "replace"), raw))
            at = end
        # Keep the line that is not finished and the one before it, or what of them can still matter.
        unfinished = start.start() if start is not None else len(text)
        line = text.rfind(b"\n", at, unfinished)
        before_it = text.rfind(b"\n", at, max(line, at)) + 1
        kept = max(at, before_it, unfinished - _PREFIX_BYTES)
        self._pass_over(text[at:unfinished], kept - at)
        self._rest = text[kept:]
        if len(self._rest) > _LONGEST_BYTES:
            self._pass_over(self._rest, len(self._rest))
            self._rest = b""
        return found

    def _pass_over(self, text: bytes, size: int) -> None:
        """Count what begins like a message in the first `size` bytes."""
        self.unread += sum(begun.start() < size for begun in _UNREAD.finditer(text))


def _end(text: bytes, start: re.Match[bytes], last: bool) -> int:
    """Where the message that begins with `start` ends; -1 if more has to come first."""
    separator, at = start["separator"], start.end()
    framed = _framed_end(text, start, last)
    if framed is not None:
        return framed
    trailer = _trailer(separator).search(text, at)
    following = _START.search(text, at)
    ends = [following.start()] if following is not None else []
    line = text.find(b"\n", at)
    if line >= 0 and separator != SOH:
        ends.append(line)
    if trailer is not None and all(trailer.start() < end for end in ends):
        return _behind(trailer, separator, last)
    if line >= 0 and ends:
        return min(line, *ends)
    if ends:
        return min(ends)
    return len(text) if last else -1


def _framed_end(text: bytes, start: re.Match[bytes], last: bool) -> int | None:
    """Where BodyLength(9) ends the message, each separator counted as one byte; None if no CheckSum(10) stands there,
    -1 if that cannot be seen yet."""
    separator, missing = start["separator"], int(start["length"])
    if missing > _LONGEST_BODY_BYTES:
        return None
    wide = len(separator)
    at = start.end() + wide
    while missing:
        place = text.find(separator, at, at + missing - 1 + wide) if wide > 1 else -1
        step = missing if place < 0 else place - at + 1
        at += step if place < 0 else step - 1 + wide
        missing -= step
    trailer = _trailer(separator).match(text, at - wide)
    if trailer is not None:
        return _behind(trailer, separator, last)
    if last and re.fullmatch(rb"10=\d{1,3}", text[at:]):
        return len(text)
    seen = len(text) >= at + _TRAILER_BYTES + wide
    return None if seen or last else -1


def _behind(trailer: re.Match[bytes], separator: bytes, last: bool) -> int:
    """Where a CheckSum(10) ends; -1 if what follows may still become its separator."""
    end, wide = trailer.end(), len(separator)
    behind = trailer.string[end : end + wide]
    may_come = len(behind) < wide and separator.startswith(behind) and not trailer[0].endswith(separator)
    return -1 if may_come and not last else end


@lru_cache(maxsize=64)
def _trailer(separator: bytes) -> re.Pattern[bytes]:
    """CheckSum(10) with the separator before it and what ends it."""
    mark = re.escape(separator)
    return re.compile(mark + rb"10=\d{1,3}(?:" + mark + rb"|" + _BEHIND + rb")")


def _restore(text: bytes, separator: bytes) -> bytes:
    """SOH for the separator: wherever it stands before a tag and at the end; but where CheckSum(10) says otherwise,
    everywhere (a data field holds SOH), or nowhere in a data field (it holds the separator itself)."""
    if separator == SOH:
        return _ended(text)
    by_tags = _ended(re.sub(re.escape(separator) + rb"(?=\d+=|\d*\Z)", SOH, text.rstrip(b"\r")))
    if is_framed(by_tags):
        return by_tags
    others = (_ended(text.replace(separator, SOH)), _with_data_of(text, by_tags))
    return next(filter(is_framed, others), by_tags)


def _ended(raw: bytes) -> bytes:
    return raw if raw.endswith(SOH) else raw + SOH


def _with_data_of(text: bytes, raw: bytes) -> bytes:
    """The message with its data fields as they stand in the text that it was restored from, byte for byte."""
    fields, wrong = cut(raw)
    if wrong is not None:
        return raw
    kept, at = bytearray(raw), 0
    for tag, value in fields:
        at += len(tag) + 1
        if tag in _DATA_TAGS:
            kept[at : at + len(value)] = text[at : at + len(value)]
        at += len(value) + 1
    return bytes(kept)
