"""Reading fields of the venues' messages: text, Decimal, time and repeating groups out of what `wire.split` and
`pairs` give.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from common.fix.wire import pairs, parse_utc_timestamp
from common.venues.binance_fields import field_name
from common.venues.dialect import BadReport

Fields = Mapping[bytes, bytes]
ZERO = Decimal(0)
MAX_FIELD_BYTES = 512
"""Of a field's value an event has so much: all texts of one, four bytes for each, are below what a record has left."""

MISC_FEE_NAMES = (b"137", b"138", b"139", b"891")

# FIX's float and int have no exponent. What is longer than any price or quantity is none, and would overflow a product
# of two or the record that the report is written to.
_FLOAT = re.compile(rb"-?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_INT = re.compile(rb"-?[0-9]{1,18}")
_LATEST_NS = 1 << 63


def readable(value: bytes) -> str:
    """A value as text that can be written anywhere: a byte that is not UTF-8 becomes `\\xNN`, and what is beyond
    MAX_FIELD_BYTES is cut. The record keeps the bytes.
    """
    return value[:MAX_FIELD_BYTES].decode("utf-8", "backslashreplace")


def text(fields: Fields, tag: bytes) -> str:
    """The field as text, "" where it is absent."""
    value = fields.get(tag)
    return "" if value is None else readable(value)


def require(fields: Fields, tag: bytes) -> str:
    """The field as text. Raises BadReport where it is absent."""
    value = fields.get(tag)
    if value is None:
        raise BadReport(f"MsgType(35)={text(fields, b'35')} without {_named(tag)}, which it must have")
    return readable(value)


def decimal(fields: Fields, tag: bytes) -> Decimal | None:
    """The field as Decimal, None where it is absent. Raises BadReport where it is no finite number."""
    value = fields.get(tag)
    return None if value is None else number(value, tag)


def quantity(fields: Fields, tag: bytes) -> Decimal:
    """The field as Decimal, 0 where it is absent. Raises BadReport."""
    value = fields.get(tag)
    return ZERO if value is None else number(value, tag)


def number(value: bytes, tag: bytes) -> Decimal:
    """`value` of field `tag` as Decimal. Raises BadReport where it is none of FIX's floats, or has more than 18 digits
    before or after the point.
    """
    if _FLOAT.fullmatch(value) is None:
        raise BadReport(f"{_named(tag)} is no number of at most 18 digits before and after the point: {value!r}")
    return Decimal(value.decode("ascii"))


def integer(fields: Fields, tag: bytes) -> int:
    """The field as int, 0 where it is absent. Raises BadReport where it is none, or has more than 18 digits."""
    value = fields.get(tag)
    if value is None:
        return 0
    if _INT.fullmatch(value) is None:
        raise BadReport(f"{_named(tag)} is no whole number of at most 18 digits: {value!r}")
    return int(value)


def time_ns(fields: Fields, tag: bytes) -> int:
    """The field, a UTCTimestamp, in Unix nanoseconds, 0 where it is absent. Raises BadReport."""
    value = fields.get(tag)
    if value is None:
        return 0
    try:
        result = parse_utc_timestamp(value)
    except ValueError as error:
        raise BadReport(f"{_named(tag)} is no time: {error}") from None
    if abs(result) >= _LATEST_NS:
        raise BadReport(f"{_named(tag)} is no time of these centuries: {value!r}")
    return result


def group(raw: bytes, count_tag: bytes, members: Sequence[bytes]) -> list[dict[bytes, bytes]]:
    """The entries of a flat repeating group, whatever the order of its fields: an entry begins where a tag repeats,
    and the group ends at the first field that is no member. Empty where the group is absent."""
    entries: list[dict[bytes, bytes]] = []
    current: dict[bytes, bytes] | None = None
    inside = False
    for tag, value in pairs(raw):
        if tag == count_tag:
            inside = True
        elif inside and tag in members:
            if current is None or tag in current:
                current = {}
                entries.append(current)
            current[tag] = value
        elif inside:
            break
    return entries


def fee(fields: Fields, raw: bytes) -> tuple[Decimal, str]:
    """What the fill cost and in which asset, from the group NoMiscFees(136); positive when paid.

    Entries in the first entry's currency are summed; no venue of ours charges one fill in two.
    """
    count = fields.get(b"136")
    if count is None or count == b"0":
        return ZERO, ""
    if count == b"1":
        return quantity(fields, b"137"), text(fields, b"138")
    entries = group(raw, b"136", MISC_FEE_NAMES)
    asset = entries[0].get(b"138", b"") if entries else b""
    total = sum((quantity(e, b"137") for e in entries if e.get(b"138", b"") == asset), ZERO)
    return total, readable(asset)


def _named(tag: bytes) -> str:
    """The field for a person, as `Name(tag)` where its name is known."""
    return f"{field_name(int(tag))}({tag.decode()})"
