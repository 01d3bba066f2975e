"""Values of any type: usual ones, ones at its bounds and beyond; and messages that were real but for some of them."""

import sys
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from msgspec import inspect

from common.messages import ControlRequest

KEPT_VALUES = 64
"""Of each field so many values that were met are remembered."""

ANY_MESSAGE = ""
"""Under which the values of a field's name are remembered, whatever message had it: some nobody sends by himself."""

KEPT_MESSAGES = 32
ODD_SHARE = 0.12
"""Of the fields of a made message so many hold what nobody would send."""

WRONG_SHARE = 0.01
"""And so many a value of another type."""

LONGEST_LIST = 3
LONG_TEXT = 400_000
"""A text that alone is more than a third of what a link accepts."""

INTEGERS = (
    0, 1, -1, 2, 255, 65_536, 2**31 - 1, 2**31, 2**53, 2**63 - 2, 2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63),
)  # fmt: skip
DECIMALS = tuple(
    Decimal(text)
    for text in (
        "0", "-0", "1", "-1", "0.1", "1E-11", "1E-30", "1E+30", "NaN", "sNaN", "Infinity", "-Infinity", "1E+999999",
        "1E-999999", "0.1234567890123456789", "123456789012345678901234567890.5", "9" * 60, "64900", "0.001",
    )
)  # fmt: skip
TEXTS = (
    "", "0", "1", "-1", "x", "*", "[N/A]", "N/A", "NONE", "maker 2", "../../etc/passwd", "a/1", "é", "Ω" * 40,
    "x" * 255, "9" * 40, "\x1b[2J", "\x00", "\x01", "a\x0110=000\x01", "|", "=", "\n", "\u202e", "true", "null", "1e5",
    "1_0", "+1", " ", "20260101-00:00:00", "18446744073709551616",
)  # fmt: skip
ARGUMENTS = (
    "scope", "name", "confirm", "symbol", "kind", "count", "ms", "side", "qty", "price", "account", "text", "next_out",
    "next_in", "strategy", "number", "cum_qty", "ord_status", "lsn",
)  # fmt: skip
"""Of requests over control links, as some actor takes them."""

OTHERS: tuple[object, ...] = (None, True, 0, 1.5, "x", b"x", [], [[]], {}, {"a": 1})


class Maker:
    """Makes values by their type, with dice of its own. What it was shown of real messages comes again in made ones."""

    def __init__(self, random: Random) -> None:
        """Nothing was shown yet."""
        self.random = random
        self._met: defaultdict[tuple[str, str], list[object]] = defaultdict(list)
        self._messages: defaultdict[str, list[msgspec.Struct]] = defaultdict(list)
        self._makers: dict[type[inspect.Type], Callable[[Any, str, str], object]] = {
            inspect.IntType: self._integer,
            inspect.StrType: self._text,
            inspect.BytesType: self._bytes,
            inspect.DecimalType: lambda kind, owner, field: self.random.choice(DECIMALS),
            inspect.BoolType: lambda kind, owner, field: self.random.random() < 0.5,
            inspect.FloatType: lambda kind, owner, field: self.random.choice((0.0, -1.0, 1e308, 1e-308)),
            inspect.NoneType: lambda kind, owner, field: None,
            inspect.EnumType: lambda kind, owner, field: self.random.choice(list(kind.cls)),
            inspect.LiteralType: lambda kind, owner, field: self.random.choice(kind.values),
            inspect.UnionType: lambda kind, owner, field: self.value(self.random.choice(kind.types), owner, field),
            inspect.ListType: self._list,
            inspect.VarTupleType: lambda kind, owner, field: tuple(self._list(kind, owner, field)),
            inspect.TupleType: lambda kind, owner, field: tuple(
                self.value(item, owner, field) for item in kind.item_types
            ),
            inspect.DictType: lambda kind, owner, field: {
                self.value(kind.key_type, owner, field): self.value(kind.value_type, owner, field)
                for _ in range(self.random.randrange(LONGEST_LIST))
            },
            inspect.StructType: lambda kind, owner, field: self._struct(kind.cls),
        }

    # ---- what it is shown

    def show(self, message: msgspec.Struct) -> None:
        """A real message: it may come again, altered, and its values in others."""
        name = type(message).__name__
        _keep(self._messages[name], message, KEPT_MESSAGES, self.random)
        for field in message.__struct_fields__:
            value = getattr(message, field)
            if isinstance(value, msgspec.Struct):
                self.show(value)
            for owner in (name, ANY_MESSAGE):
                _keep(self._met[owner, field], value, KEPT_VALUES, self.random)

    def shown(self, kind: type[msgspec.Struct]) -> msgspec.Struct | None:
        """A real message of that type, where there was one."""
        met = self._messages.get(kind.__name__)
        return self.random.choice(met) if met else None

    # ---- what it makes

    def message(self, kinds: tuple[type[msgspec.Struct], ...]) -> msgspec.Struct:
        """A message of one of these types: a real one with some fields altered, or one that is made."""
        kind = self.random.choice(kinds)
        real = self.shown(kind)
        if real is None or self.random.random() < 0.4:
            return self._struct(kind)
        return self.altered(real)

    def altered(self, message: msgspec.Struct) -> msgspec.Struct:
        """The message with one to three of its fields, or of those within them, changed."""
        for _ in range(self.random.choice((1, 1, 2, 3))):
            message = self._altered_once(message)
        return message

    def control(self, acts: tuple[str, ...]) -> ControlRequest:
        """A request over a control link: a word that some actor knows, with arguments of any value."""
        values = (*OTHERS, *INTEGERS, *TEXTS, "firm", "venue", "BTCUSDT", "alpha")
        names = self.random.sample(ARGUMENTS, self.random.randrange(len(ARGUMENTS)))
        arguments = msgspec.json.encode({name: self.random.choice(values) for name in names})
        by = self.random.choice(TEXTS)
        return ControlRequest(self.random.choice(acts), arguments, by, self.random.randrange(2**31))

    def _altered_once(self, message: msgspec.Struct) -> msgspec.Struct:
        fields = _fields(type(message))
        if not fields:
            return message
        name = self.random.choice(sorted(fields))
        value = getattr(message, name)
        if isinstance(value, msgspec.Struct) and self.random.random() < 0.7:
            return msgspec.structs.replace(message, **{name: self._altered_once(value)})
        return msgspec.structs.replace(message, **{name: self._any(fields[name], type(message).__name__, name)})

    def _struct(self, kind: type[msgspec.Struct]) -> msgspec.Struct:
        return kind(**{name: self._field(its, kind.__name__, name) for name, its in _fields(kind).items()})

    def _field(self, kind: inspect.Type, owner: str, field: str) -> object:
        met = self._met.get((owner, field)) or self._met.get((ANY_MESSAGE, field))
        if met and self.random.random() > ODD_SHARE:
            return self.random.choice(met)
        return self._any(kind, owner, field)

    def _any(self, kind: inspect.Type, owner: str, field: str) -> object:
        if self.random.random() < WRONG_SHARE:
            return self.random.choice(OTHERS)
        return self.value(kind, owner, field)

    def value(self, kind: inspect.Type, owner: str = "", field: str = "") -> object:
        """A value of that type, at its bounds or beyond them as likely as not."""
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        return self._makers[type(kind)](kind, owner, field)

    def _integer(self, kind: inspect.IntType, owner: str, field: str) -> object:
        bounds = [bound + by for bound in (kind.ge, kind.le) if bound is not None for by in (-1, 0, 1)]
        near = self._met.get((owner, field))
        if bounds and self.random.random() < 0.5:
            return self.random.choice([bound for bound in bounds if -(2**63) <= bound < 2**64])
        if near and self.random.random() < 0.5:
            value = self.random.choice(near)
            return value + self.random.choice((-1, 1)) if isinstance(value, int) and 0 < value < 2**62 else value
        return self.random.choice(INTEGERS)

    def _text(self, kind: inspect.StrType, owner: str, field: str) -> object:
        draw = self.random.random()
        if kind.max_length is not None and draw < 0.3:
            return self.random.choice("xé9") * (kind.max_length + self.random.choice((-1, 0, 1)))
        if draw > 0.99:
            return "L" * self.random.choice((10_000, LONG_TEXT))
        return self.random.choice(TEXTS)

    def _bytes(self, kind: inspect.BytesType, owner: str, field: str) -> object:
        met = self._met.get((owner, field)) or self._met.get((ANY_MESSAGE, field))
        if met and self.random.random() < 0.6:
            data = self.random.choice(met)
            return cut_about(data, self.random) if isinstance(data, bytes) else data
        return self.random.choice((b"", b"{}", b"[]", b'{"confirm": true}', b"\xff" * 9, b"8=FIX.4.4\x01", bytes(300)))

    def _list(self, kind: Any, owner: str, field: str) -> list[object]:
        return [self.value(kind.item_type, owner, field) for _ in range(self.random.randrange(LONGEST_LIST))]


def cut_about(data: bytes, random: Random) -> bytes:
    """The bytes with one of them changed, some of them gone, or some of them twice."""
    if not data:
        return data
    at = random.randrange(len(data))
    draw = random.random()
    if draw < 0.5:
        return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
    if draw < 0.75:
        return data[:at]
    return data[:at] + data[max(0, at - 9) : at] + data[at:]


def _keep(kept: list[Any], value: object, most: int, random: Random) -> None:
    if len(kept) < most:
        kept.append(value)
    else:
        kept[random.randrange(most)] = value


def _fields(kind: type[msgspec.Struct]) -> dict[str, inspect.Type]:
    found = _FIELDS.get(kind)
    if found is None:
        told = inspect.type_info(kind)
        assert isinstance(told, inspect.StructType)
        # A name is asked for once: interned, it costs nothing to look up.
        found = _FIELDS[kind] = {sys.intern(field.name): field.type for field in told.fields}
    return found


_FIELDS: dict[type[msgspec.Struct], dict[str, inspect.Type]] = {}
