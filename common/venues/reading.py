"""Reading fields of the venues' messages: text, Decimal, time and repeating groups out of what `wire.split` and
`pairs` give.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from common.fix.wire import pairs, parse_utc_timestamp
from common.venues.dialect import BadReport

Fields = Mapping[bytes, bytes]
ZERO = Decimal(0)
MISC_FEE_NAMES = (b"137", b"138", b"139", b"891")


def text(fields: Fields, tag: bytes) -> str:
    """The field as text, "" where it is absent."""
    value = fields.get(tag)
    return "" if value is None else value.decode("utf-8", "surrogateescape")


def require(fields: Fields, tag: bytes) -> str:
    """The field as text. Raises BadReport where it is absent."""
    value = fields.get(tag)
    if value is None:
        raise BadReport(f"{text(fields, b'35')} without the field {tag.decode()}, which it must have")
    return value.decode("utf-8", "surrogateescape")


def decimal(fields: Fields, tag: bytes) -> Decimal | None:
    """The field as Decimal, None where it is absent. Raises BadReport where it is no finite number."""
    value = fields.get(tag)
    return None if value is None else number(value, tag)


def quantity(fields: Fields, tag: bytes) -> Decimal:
    """The field as Decimal, 0 where it is absent. Raises BadReport."""
    value = fields.get(tag)
    return ZERO if value is None else number(value, tag)


def number(value: bytes, tag: bytes) -> Decimal:
    """`value` of field `tag` as Decimal. Raises BadReport where it is no finite number."""
    try:
        result = Decimal(value.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError):
        raise BadReport(f"field {tag.decode()} is no number: {value!r}") from None
    if not result.is_finite():
        raise BadReport(f"field {tag.decode()} is no finite number: {value!r}")
    return result


def integer(fields: Fields, tag: bytes) -> int:
    """The field as int, 0 where it is absent. Raises BadReport."""
    value = fields.get(tag)
    if value is None:
        return 0
    try:
        return int(value)
    except ValueError:
        raise BadReport(f"field {tag.decode()} is no whole number: {value!r}") from None


def time_ns(fields: Fields, tag: bytes) -> int:
    """The field, a UTCTimestamp, in Unix nanoseconds, 0 where it is absent. Raises BadReport."""
    value = fields.get(tag)
    if value is None:
        return 0
    try:
        return parse_utc_timestamp(value)
    except ValueError as error:
        raise BadReport(f"field {tag.decode()} is no time: {error}") from None


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
    return total, asset.decode("utf-8", "surrogateescape")
