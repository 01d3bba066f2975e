"""What a Struct says of its fields, as the rows of a table.

The docstring of a Struct is its first lines, and then a line for each field that has something to say, which may go on
over further lines up to the next field or an empty line:

    `window_ms`: The length of that time.
"""

import inspect
import re
import types
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from common.config import ClockTime, CompId, Port, Symbol

FIELD = re.compile(r"((?:`\w+`, )*`\w+`): (.*)")
WORDS: Sequence[tuple[Any, str]] = (
    (Symbol, "symbol"),
    (ClockTime, "time of day"),
    (CompId, "1 to 32 printable characters"),
    (Port, "port number"),
)
UNITS: Mapping[str, str] = {
    "_per_s": " per second",
    "_ns": " of nanoseconds",
    "_ms": " of milliseconds",
    "_s": " of seconds",
    "_bytes": " of bytes",
}
SHARES = ("_ratio", "_rate")


class Described(NamedTuple):
    """A docstring: what it says of the whole, and of each field."""

    text: str
    fields: dict[str, str]


def described(of: type) -> Described:
    """The docstring of `of`, taken apart."""
    text: list[str] = []
    fields: dict[str, str] = {}
    named: list[str] = []
    for line in inspect.cleandoc(of.__doc__ or "").splitlines():
        match = FIELD.fullmatch(line)
        if match:
            named = re.findall(r"\w+", match[1])
            fields |= dict.fromkeys(named, match[2])
        elif named and line:
            fields |= {name: f"{fields[name]} {line}" for name in named}
        else:
            named = []
            text.append(line)
    return Described(paragraphs("\n".join(text)), fields)


def paragraphs(text: str) -> str:
    """Each paragraph of a docstring on one line."""
    return "\n\n".join(" ".join(each.split()) for each in text.strip().split("\n\n") if each.strip())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def plain(kind: Any) -> Any:
    """The type inside `Annotated[X, ...]` and `X | None`."""
    if typing.get_origin(kind) is typing.Annotated:
        return plain(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return plain(next(each for each in typing.get_args(kind) if each is not types.NoneType))
    return kind


def is_struct(kind: Any) -> bool:
    """Whether it is a table of its own."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def type_words(name: str, kind: Any) -> str:
    """The type of the field `name` in words: unit and bounds too."""
    words = next((words for known, words in WORDS if kind in (known, known | None)), None)
    if words is not None:
        return words
    inner = plain(kind)
    if isinstance(inner, type) and issubclass(inner, StrEnum):
        return ", ".join(f'`"{each.value}"`' for each in inner)
    if typing.get_origin(inner) is list:
        return f"list of {type_words('', typing.get_args(inner)[0])}"
    if typing.get_origin(inner) is dict:
        key, value = typing.get_args(inner)
        return "table" if is_struct(plain(value)) else f"table of {type_words('', key)} to {type_words('', value)}"
    if inner is int:
        return f"whole number{_unit(name)}{_bounds(kind)}"
    if inner is Decimal:
        return "share (`0.05` is 5 %)" if name.endswith(SHARES) else "number"
    return {str: "text", bool: "`true` or `false`", Any: "any value"}.get(inner, "table")


def _unit(name: str) -> str:
    return next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")


def _bounds(kind: Any) -> str:
    metas = [each for each in typing.get_args(kind)[1:] if isinstance(each, msgspec.Meta)]
    least = next((each.ge for each in metas if each.ge is not None), None)
    most = next((each.le for each in metas if each.le is not None), None)
    if least is None:
        return ""
    return f", at least {least:,}" if most is None else f", {least:,} to {most:,}"
