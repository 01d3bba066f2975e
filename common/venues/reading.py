"""Reading fields of the venues' messages: text, Decimal, time and repeating groups out of what `wire.split` and
`pairs` give.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from common.fix.dictionary import Dictionary
from common.fix.wire import pairs, parse_utc_timestamp
from common.messages import Unreadable
from common.orders.numbers import is_plausible
from common.venues.dialect import BadReport

Fields = Mapping[bytes, bytes]
ZERO = Decimal(0)
MAX_FIELD_BYTES = 512
"""Of a field's value an event has so much: all texts of one, four bytes for each, are below what a record has left."""

# FIX's float and int have no exponent. What is longer than any price or quantity is none, and would overflow a product
# of two or the record that the report is written to.
_FLOAT = re.compile(rb"-?(?:0*[0-9]{1,18}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})")
_INT = re.compile(rb"-?[0-9]{1,18}")
_LATEST_NS = 1 << 63

MAX_NAME = 64
MAX_WHY = 200
_NONE = frozenset((b"", b"NONE", b"N/A", b"[N/A]", b"UNKNOWN"))
"""What venues write where there is no name to write, such as OrderID(37) of an order that they have not taken yet."""
_TRAILER = frozenset((b"10", b"89", b"93"))
_MAX_COUNT_DIGITS = 6


class VenueTag(bytes):
    """A tag that FIX 4.4 does not have, with the name that the venue gives it."""

    name: str

    def __new__(cls, tag: int, name: str) -> "VenueTag":
        made = super().__new__(cls, b"%d" % tag)
        made.name = name
        return made

    def __str__(self) -> str:
        return f"{self.name}({self.decode()})"


def readable(value: bytes) -> str:
    """A value as text that can be written anywhere: a byte that is not UTF-8 becomes `\\xNN`, and what is beyond
    MAX_FIELD_BYTES is cut. The record keeps the bytes.
    """
    return value[:MAX_FIELD_BYTES].decode("utf-8", "backslashreplace")


def text(fields: Fields, tag: bytes) -> str:
    """The field as text, "" where it is absent."""
    value = fields.get(tag)
    return "" if value is None else readable(value)


def name(fields: Fields, tag: bytes) -> str:
    """The field as the name of something, "" where it is absent, or says that there is none."""
    value = fields.get(tag)
    return "" if value is None or value in _NONE else readable(value)


def require(fields: Fields, tag: bytes) -> str:
    """The field as text. Raises BadReport where it is absent, or says that there is none."""
    value = fields.get(tag)
    if value is None or value in _NONE:
        raise _absent(fields, tag)
    return readable(value)


def require_character(fields: Fields, tag: bytes) -> str:
    """The field, a char. Raises BadReport where it is absent, or longer than that."""
    value = require(fields, tag)
    if len(value) != 1:
        raise BadReport(f"{_named(tag)} is no single character: {value[:MAX_NAME]!r}")
    return value


def _absent(fields: Fields, tag: bytes) -> BadReport:
    return BadReport(f"MsgType(35)={text(fields, b'35')} without {_named(tag)}, which it must have")


def required_number(fields: Fields, tag: bytes) -> Decimal:
    """The field as Decimal. Raises BadReport where it is absent or no number."""
    value = fields.get(tag)
    if value is None:
        raise _absent(fields, tag)
    return number(value, tag)


def number(value: bytes, tag: bytes) -> Decimal:
    """`value` of field `tag` as Decimal. Raises BadReport where it is none of FIX's floats, or has more than
    18 digits before the point or 40 behind it.
    """
    if _FLOAT.fullmatch(value) is None:
        raise BadReport(f"{_named(tag)} is no number of at most 18 digits before and 40 behind the point: {value!r}")
    return Decimal(value.decode("ascii"))


def integer(fields: Fields, tag: bytes) -> int:
    """The field as int, 0 where it is absent. Raises BadReport where it is none, or has more than 18 digits."""
    value = fields.get(tag)
    if value is None:
        return 0
    if _INT.fullmatch(value) is None:
        raise BadReport(f"{_named(tag)} is no whole number of at most 18 digits: {value!r}")
    return int(value)


class Notes(list[str]):
    """The names of the fields of one report that could not be read, where what is read does not depend on them.

    Each method gives a field's value, or what stands for "not told" where it is absent, or cannot be read and is noted.
    """

    def decimal(self, fields: Fields, tag: bytes) -> Decimal | None:
        """The field as Decimal."""
        value = fields.get(tag)
        if value is None:
            return None
        if _FLOAT.fullmatch(value) is None:
            self.note(tag)
            return None
        return Decimal(value.decode("ascii"))

    def integer(self, fields: Fields, tag: bytes) -> int:
        """The field as int, 0 where it is not told."""
        value = fields.get(tag)
        if value is None:
            return 0
        if _INT.fullmatch(value) is None:
            self.note(tag)
            return 0
        return int(value)

    def time_ns(self, fields: Fields, tag: bytes) -> int:
        """The field, a UTCTimestamp, in Unix nanoseconds, 0 where it is not told."""
        value = fields.get(tag)
        if value is None:
            return 0
        try:
            result = parse_utc_timestamp(value)
        except ValueError:
            result = _LATEST_NS
        if abs(result) >= _LATEST_NS:
            self.note(tag)
            return 0
        return result

    def note(self, tag: bytes) -> None:
        """Remember a field that could not be read."""
        self.append(_named(tag))


def unreadable(fields: Fields, why: str) -> Unreadable | None:
    """The orders that a message names which cannot be read, and why it cannot; None where it names none."""
    cl_ord_id, orig_cl_ord_id, order_id = [_name(fields, tag) for tag in (b"11", b"41", b"37")]
    if not (cl_ord_id or orig_cl_ord_id or order_id):
        return None
    return Unreadable(cl_ord_id, orig_cl_ord_id, order_id, instrument(fields)[:MAX_NAME], why[:MAX_WHY])


def _name(fields: Fields, tag: bytes) -> str:
    """An order's name, "" where it is none: what is longer than any would be another one if it were cut."""
    told = name(fields, tag)
    return "" if len(told) > MAX_NAME else told


def instrument(fields: Fields) -> str:
    """The instrument's name: Symbol(55), or SecurityID(48) where that is absent or "[N/A]" (FIX 4.4 volume 1,
    Instrument); "" where there is neither."""
    symbol = text(fields, b"55")
    return text(fields, b"48") if symbol in ("", "[N/A]") else symbol


def group(raw: bytes, count_tag: bytes) -> list[dict[bytes, bytes]]:
    """The entries of a repeating group, whatever their members: each begins with the tag that follows the count, and
    the last one reaches to the trailer. Of a tag that repeats within an entry the first value counts. Empty where the
    group is absent. Raises BadReport where there are not as many entries as the count says.
    """
    entries: list[dict[bytes, bytes]] = []
    count, first = b"", b""
    for tag, value in pairs(raw):
        if not count:
            count = value if tag == count_tag else b""
        elif tag in _TRAILER or count.strip(b"0") == b"":
            break
        elif tag == (first or tag):
            first = tag
            entries.append({tag: value})
        else:
            entries[-1].setdefault(tag, value)
    if count and (not count.isdigit() or len(count) > _MAX_COUNT_DIGITS or int(count) != len(entries)):
        raise BadReport(f"{_named(count_tag)}={readable(count[:20])}, and {len(entries)} entries")
    return entries


def fees(fields: Fields, raw: bytes, last_qty: Decimal, last_px: Decimal, notes: Notes) -> tuple[Decimal, str]:
    """What the fill cost and in which asset, positive when paid: Commission(12) and the group NoMiscFees(136), by their
    CommType(13) and MiscFeeBasis(891). What cannot be read, and fees in another asset than the first, are noted.
    """
    count = fields.get(b"136", b"0")
    if count == b"1" and fields.get(b"138", b"") not in _NO_ASSET and b"891" not in fields and b"12" not in fields:
        # As nearly every fill has it.
        amount = notes.decimal(fields, b"137")
        return (amount, text(fields, b"138")) if amount else (ZERO, "")
    charges: list[tuple[Decimal, str]] = []
    if count != b"0":
        for entry in [fields] if count == b"1" else _fee_entries(raw, notes):
            charges += _charge(fields, entry, _MISC_FEE, last_qty, last_px, notes)
    if b"12" in fields:
        charges += _charge(fields, fields, _COMMISSION, last_qty, last_px, notes)
    if not charges:
        return ZERO, ""
    if len(charges) == 1:
        return charges[0]
    asset = charges[0][1]
    if any(other != asset for _, other in charges):
        notes.append("a second fee in another currency")
    return sum((amount for amount, other in charges if other == asset), ZERO), asset


class _Charge(NamedTuple):
    """The tags of one kind of fee, and how the values of its basis are meant."""

    amount: bytes
    basis: bytes
    currency: bytes
    per_unit: bytes
    percentage: bytes
    absolute: bytes


_MISC_FEE = _Charge(b"137", b"891", b"138", b"1", b"2", b"0")
_COMMISSION = _Charge(b"12", b"13", b"479", b"1", b"2", b"3")


def _fee_entries(raw: bytes, notes: Notes) -> list[dict[bytes, bytes]]:
    try:
        return group(raw, b"136")
    except BadReport:
        notes.note(b"136")
        return []


def _charge(
    fields: Fields, entry: Fields, tags: _Charge, last_qty: Decimal, last_px: Decimal, notes: Notes
) -> list[tuple[Decimal, str]]:
    """One fee with its asset; empty where there is none, or where it is noted. Without a currency of its own a fee is
    in Currency(15), the deal's."""
    amount, basis = notes.decimal(entry, tags.amount), entry.get(tags.basis, tags.absolute)
    if not amount:
        return []
    if basis == tags.per_unit:
        amount *= last_qty
    elif basis == tags.percentage and last_px:
        amount *= last_qty * last_px / 100
    elif basis != tags.absolute:
        notes.note(tags.basis)
        return []
    if not is_plausible(amount):
        # A product of what can be read may be none that a ledger counts with: the fill counts without it.
        notes.note(tags.amount)
        return []
    asset = _asset(entry, tags.currency) or _asset(fields, b"15")
    if not asset:
        notes.note(tags.currency)
        return []
    return [(amount, asset)]


_NO_ASSET = frozenset({b"", b"N/A", b"[N/A]"})
"""Currencies that name none."""


def _asset(fields: Fields, tag: bytes) -> str:
    return "" if fields.get(tag, b"") in _NO_ASSET else text(fields, tag)


def _named(tag: bytes) -> str:
    """The field for a person, as `Name(tag)`."""
    if isinstance(tag, VenueTag):
        return str(tag)
    return f"{Dictionary.load('FIX44').field_name(int(tag)) or 'field'}({tag.decode()})"
