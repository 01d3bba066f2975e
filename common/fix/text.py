"""FIX for people: messages as `Name(tag)=value (Meaning)`, and finding messages in text.

Secrets never come out: RawData(96), Password(554), NewPassword(925) and their encrypted forms, Text(58) of a Logon(A)
(some venues take the signature there) are replaced by asterisks, Username(553) (often an API key) keeps its first
four characters.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from common.fix.dictionary import Dictionary
from common.fix.errors import GarbledError
from common.fix.secret_fields import SECRET_TAGS
from common.fix.wire import SOH, FieldSet, GroupSpec, Message, pairs

USERNAME = 553
MASK = "***"
FRAME_TAGS = frozenset({8, 9, 10, 35})
HEARTBEAT_TYPES = frozenset({"0", "1"})

_DICTIONARIES = {"FIX.4.2": "FIX42", "FIX.4.4": "FIX44", "FIXT.1.1": "FIX50SP2"}


def dictionary_for(begin_string: str) -> Dictionary:
    """The dictionary for BeginString(8); FIX 4.4's for a version that has none. Raises nothing."""
    return Dictionary.load(_DICTIONARIES.get(begin_string, "FIX44"))


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


# -- finding messages in text

_SEPARATORS = (SOH, b"|", b"^A", b"<SOH>")
_ANY_SEPARATOR = b"|".join(re.escape(separator) for separator in _SEPARATORS)
_START = re.compile(rb"8=FIXT?\.\d\.\d(" + _ANY_SEPARATOR + rb")9=(\d{1,9})(?=\1)")
_TRAILERS = {
    separator: re.compile(re.escape(separator) + rb"10=\d{1,3}(?:" + re.escape(separator) + rb"|(?=[\s\"',;<>)\]}]))")
    for separator in _SEPARATORS
}
_LONGEST_BYTES = 1 << 21
_PREFIX_BYTES = 4096


class Found(NamedTuple):
    """A message found in text: what stood before it on its line, the bytes with SOH restored, whether they frame."""

    prefix: str
    raw: bytes


class Finder:
    """Finds messages in text that arrives in pieces. The separators SOH, `|`, `^A` and `<SOH>` are understood."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Found]:
        """The messages that `data` completes."""
        self._rest += data
        return self._take(False)

    def close(self) -> list[Found]:
        """The last message, if the text ended without a line end behind it."""
        return self._take(True)

    def _take(self, last: bool) -> list[Found]:
        found: list[Found] = []
        text, at = self._rest, 0
        while (start := _START.search(text, at)) is not None:
            end = _end(text, start, last)
            if end < 0:
                break
            prefix = text[at : start.start()].rpartition(b"\n")[2].strip()
            found.append(Found(prefix.decode("utf-8", "replace"), _restore(text[start.start() : end], start[1])))
            at = end
        # Keep the line that is not finished, or what of it can still matter.
        unfinished = start.start() if start is not None else len(text)
        line = text.rfind(b"\n", at, unfinished) + 1
        self._rest = text[max(at, line, unfinished - _PREFIX_BYTES) :]
        if len(self._rest) > _LONGEST_BYTES:
            self._rest = b""
        return found


def _end(text: bytes, start: re.Match[bytes], last: bool) -> int:
    """Where the message that begins with `start` ends; -1 if more has to come first."""
    separator, at = start[1], start.end()
    if separator == SOH:
        framed = at + 1 + int(start[2])
        if text[framed : framed + 3] == b"10=" and (stop := text.find(SOH, framed)) >= 0:
            return stop + 1
    trailer = _TRAILERS[separator].search(text, at)
    following = _START.search(text, at)
    ends = [following.start()] if following is not None else []
    if separator != SOH and (line := text.find(b"\n", at)) >= 0:
        ends.append(line)
    if trailer is not None and all(trailer.start() < end for end in ends):
        return trailer.end()
    if ends:
        return min(ends)
    return len(text) if last else -1


def _restore(text: bytes, separator: bytes) -> bytes:
    """SOH for the separator wherever it stands before a tag, and at the end."""
    if separator != SOH:
        text = re.sub(re.escape(separator) + rb"(?=\d+=|$)", SOH, text)
    return text if text.endswith(SOH) else text + SOH
