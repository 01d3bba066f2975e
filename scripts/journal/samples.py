"""Frames of a journal as samples of a venue's wire: one of each kind, without the names of whose they are.

What identifies anybody (accounts, CompIDs, keys, ids of orders and trades) is replaced by another text of the same
length and kind of characters, the same one wherever it stands, so that the frames still belong together and their
lengths fit. Prices, quantities, symbols and times stay: they are what a sample is for. A frame that would still show a
secret, or a name that was replaced, is not given.
"""

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from common.fix.dictionary import Dictionary
from common.fix.secret_fields import BLANK, SECRET_TAGS
from common.fix.wire import encode, pairs
from common.messages import ExecutionReport, Inbound, Outbound, Several, Unreadable
from common.venues.dialect import BadReport, Dialect

PLAIN_TEXT = frozenset({8, 35, 55, 58, 65, 107, 167, 207, 336, 371, 372, 460, 461, 762, 1128, 1137, 1682})
"""Fields that are text and name nobody: versions, types, instruments, and Text(58), which is looked through."""

IDENTIFYING = frozenset({49, 56, 50, 57, 115, 116, 128, 129, 142, 143, 1, 448, 553})
"""Fields that identify somebody whatever a dictionary calls their type."""

TEXTS = frozenset({"STRING", "DATA", "XMLDATA", "MULTIPLESTRINGVALUE", "LANGUAGE"})
"""Types of fields that may hold a name."""

FREE_TEXT = frozenset({b"58", b"148"})
LEAST_NAME = 4
"""A name so short or shorter may stand in any text by chance."""

NAME_IN_TEXT = re.compile(rb"[0-9A-Za-z-]*[0-9][0-9A-Za-z-]{5,}")
"""A word of a free text that may be an id: with a digit in it, and long."""

_TOLD = (
    "cl_ord_id", "orig_cl_ord_id", "order_id", "exec_type", "ord_status", "order_qty", "price", "last_qty", "last_px",
    "cum_qty", "trade_key", "fee_qty", "fee_asset", "maker", "unknown_order", "accepted", "affected", "ref_msg_seq_num",
    "error_code", "headline",
)  # fmt: skip
"""What of an event a sample says, where it is told at all."""

_SECRET = {b"%d" % tag for tag in SECRET_TAGS}
Field = tuple[bytes, bytes]


class NotAnonymous(Exception):
    """A frame would still show a secret or a name. The text says which field, and not what it holds."""


class Sample(NamedTuple):
    """One frame: its kind in words, who sent it, its text with `|` for SOH, and what our dialect makes of it."""

    what: str
    from_us: bool
    text: str
    event: dict[str, object] | None


class Anonymiser:
    """Replaces names, each by the same one wherever it stands. `keep` are names that stay, such as the venue's own;
    `secrets` are values that no frame may show."""

    def __init__(
        self, dictionary: Dictionary, keep: Iterable[str], secrets: Iterable[bytes], key_tags: Iterable[int]
    ) -> None:
        self._dictionary = dictionary
        self._keep = frozenset(name.encode() for name in keep)
        self._secrets = tuple(secret for secret in secrets if len(secret) > LEAST_NAME)
        self._key_tags = _SECRET | {b"%d" % tag for tag in key_tags}
        self._others: dict[bytes, bytes] = {}

    def frame(self, raw: bytes) -> bytes:
        """The frame with other names, of the same length. Raises NotAnonymous."""
        fields = pairs(raw)
        is_logon = (b"35", b"A") in fields
        renamed = [self._renamed(field, is_logon) for field in fields]
        looked_through = [(tag, self._scrubbed(value) if tag in FREE_TEXT else value) for tag, value in renamed]
        body = b"".join(b"%b=%b\x01" % field for field in looked_through[2:-1])
        whole = encode(fields[0][1], body)
        self._see_nothing_left(looked_through, whole)
        return whole

    def _renamed(self, field: Field, is_logon: bool) -> Field:
        tag, value = field
        if tag in _SECRET or (is_logon and tag in self._key_tags):
            if value.strip(BLANK) and tag not in FREE_TEXT:
                raise NotAnonymous(f"field {tag.decode()} holds a secret that the journal should have blanked")
            return tag, BLANK * len(value)
        return (tag, self._other(value)) if self._names(tag) and value not in self._keep else field

    def _names(self, tag: bytes) -> bool:
        """Whether the field may name somebody or something of somebody's: it is text, or nobody knows what it is."""
        number = int(tag)
        if number in IDENTIFYING:
            return True
        spec = self._dictionary.field(number)
        return number not in PLAIN_TEXT and (spec is None or (spec.type in TEXTS and not spec.values))

    def _other(self, value: bytes) -> bytes:
        if value in (b"", b"NONE", b"0"):
            return value
        if value not in self._others:
            self._others[value] = other_name(value, len(self._others) + 1)
        return self._others[value]

    def _scrubbed(self, value: bytes) -> bytes:
        """A free text without the names that were replaced, and without what looks like one."""
        for name in sorted(self._others, key=len, reverse=True):
            if len(name) > LEAST_NAME:
                value = value.replace(name, self._others[name])
        kept = frozenset(self._others.values())
        return NAME_IN_TEXT.sub(lambda found: found[0] if found[0] in kept else self._other(found[0]), value)

    def _see_nothing_left(self, fields: list[Field], whole: bytes) -> None:
        if any(secret in whole for secret in self._secrets):
            raise NotAnonymous("it shows a value of the credentials")
        replaced = {name for name in self._others if len(name) > LEAST_NAME} - frozenset(self._others.values())
        for tag, value in fields:
            if self._names(tag) and value in replaced:
                raise NotAnonymous(f"field {tag.decode()} still holds a name")
            if tag in FREE_TEXT and any(name in value for name in replaced):
                raise NotAnonymous(f"field {tag.decode()} still holds a name in its text")


def other_name(name: bytes, number: int) -> bytes:
    """The name in whose place `number` stands: of the same length and form, digits 0 and letters a but for the number's
    own digits at its end. The version and the variant of a UUID stay."""
    plain = bytearray(re.sub(rb"[0-9]", b"0", re.sub(rb"[A-Z]", b"A", re.sub(rb"[a-z]", b"a", name))))
    if re.fullmatch(rb"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", name):
        plain[:] = b"00000000-0000-%c000-%c000-000000000000" % (name[14], name[19])
    elif plain[:1] == b"0":
        plain[:1] = b"1"
    digits = b"%d" % number
    places = [place for place, each in enumerate(plain) if chr(each).isalnum()][-len(digits) :]
    for place, digit in zip(reversed(places), reversed(digits), strict=False):
        plain[place] = digit
    return bytes(plain)


def recorded(
    messages: Iterable[Inbound | Outbound], dialect: Dialect, anonymiser: Anonymiser, most: int
) -> Iterator[Sample | str]:
    """Up to `most` samples of each kind of message, in order; or in words, why one that would be one is left out."""
    counts: dict[str, int] = {}
    for message in messages:
        kind = kind_of(message)
        if counts.get(kind, 0) >= most:
            continue
        try:
            raw = anonymiser.frame(message.raw)
            event = None if isinstance(message, Outbound) else event_of(dialect, message.msg_type, raw)
        except (NotAnonymous, BadReport) as error:
            yield f"{kind}: {error}"
            continue
        counts[kind] = counts.get(kind, 0) + 1
        text = raw.decode("latin-1").replace("\x01", "|")
        yield Sample(kind, isinstance(message, Outbound), text, event)


def kind_of(message: Inbound | Outbound) -> str:
    """What makes a frame another kind than those before: who sent it, MsgType(35), and the words of a report."""
    fields = dict(pairs(message.raw))
    words = [f"{name}({tag})={fields[key].decode('latin-1')}" for name, tag in _KINDS if (key := b"%d" % tag) in fields]
    who = "ours" if isinstance(message, Outbound) else "the venue's"
    return " ".join([who, *words])


_KINDS = (
    ("MsgType", 35), ("ExecType", 150), ("OrdStatus", 39), ("OrdType", 40), ("ExecTransType", 20),
    ("CxlRejReason", 102), ("OrdRejReason", 103), ("SessionRejectReason", 373), ("BusinessRejectReason", 380),
    ("MassCancelResponse", 531),
)  # fmt: skip


def event_of(dialect: Dialect, msg_type: str, raw: bytes) -> dict[str, object] | None:
    """What our dialect makes of a message of the venue, as a sample says it. Raises BadReport."""
    event = dialect.decode(msg_type, raw)
    if event is None:
        return None
    if isinstance(event, Several | Unreadable):
        raise BadReport("it says several things, or none that can be read: write this sample by hand")
    told: dict[str, object] = {"type": str(event.__struct_config__.tag)}
    empty = ("", None, False, 0) if not isinstance(event, ExecutionReport) else ("", None, False)
    for name in _TOLD:
        value = getattr(event, name, None)
        if value not in empty:
            told[name] = str(value) if isinstance(value, Decimal) else value
    return told


def document(samples: Iterable[Sample], title: str, when: datetime.date) -> str:
    """The samples as a file of a venue's folder."""
    head = f"# Frames of {title} out of a desk's journal, `|` for SOH. Names are replaced; prices and times are not.\n"
    parts = [f'{head}source = "recorded by a desk, {when.isoformat()}; names replaced"\n']
    for sample in samples:
        lines = ["[[frame]]", f"what = {_quoted(sample.what)}", f'from = "{"us" if sample.from_us else "venue"}"']
        lines.append(f"text = {_quoted(sample.text)}")
        if sample.event is not None:
            lines.append(f"event = {_table(sample.event)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _table(event: Mapping[str, object]) -> str:
    return "{ " + ", ".join(f"{name} = {_value(value)}" for name, value in event.items()) + " }"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _quoted(str(value))


def _quoted(text: str) -> str:
    """As a basic string of TOML, which is written as JSON's."""
    return msgspec.json.encode(text).decode()
