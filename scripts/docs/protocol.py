"""The tables of docs/protocol.md: each message of the order entry link, as `common.messages` has it."""

import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args

import msgspec

from common.messages import EntryAnswer, EntryRequest, OrderStatus, Reason, Terms
from scripts.docs.structs import described, is_struct, table

WORDS = {str: "string", int: "integer", bool: "boolean", Decimal: "decimal", bytes: "binary"}


def parts() -> Mapping[str, Callable[[], str]]:
    """Each part of the page by its name."""
    messages = [*get_args(EntryRequest), *get_args(EntryAnswer)]
    tables = {str(each.__struct_config__.tag): lambda of=each: fields_of(of) for each in messages}
    return {**tables, "terms": lambda: fields_of(Terms), "reasons": reasons, "states": states}


def fields_of(message: type[msgspec.Struct]) -> str:
    """The fields of one message in their order, with their types on the wire and their defaults."""
    told = described(message).fields
    rows = [
        (field.name, _wire(field.type) + _default(field), told.get(field.name, ""))
        for field in msgspec.structs.fields(message)
    ]
    return table(("field", "type", "meaning"), rows)


def reasons() -> str:
    """Every reason with its sentence."""
    return table(("reason", "meaning"), [(reason.value, reason.sentence) for reason in Reason])


def states() -> str:
    """Every state of an order with its sentence."""
    return table(("state", "meaning"), [(status.value, status.sentence) for status in OrderStatus])


def _wire(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return " or ".join("nil" if each is types.NoneType else _wire(each) for each in inner)
    if origin is tuple and inner[-1] is Ellipsis:
        return f"array of {_wire(inner[0])}"
    if origin is tuple:
        return f"[{', '.join(map(_wire, inner))}]"
    if is_struct(kind):
        return f"`{kind.__struct_config__.tag or kind.__name__.lower()}`"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "string"
    return WORDS.get(kind, "string")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    value = field.default
    if value is None:
        return ", nil"
    if isinstance(value, bytes):
        value = value.decode()
    return f", {msgspec.json.encode(value).decode()}"
