"""Whether a record's payload can be counted with: its types let in numbers that no arithmetic of ours is made for.

MessagePack has a NaN and an exponent of a million as well as it has a price; a number of 64 bits has no successor. No
actor of ours writes such a one, but what stands in a log is read at every start: a payload that holds one takes no
effect at all, in any fold, rather than half of one in some.
"""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
from msgspec import inspect

from common.messages import HIGHEST_NUMBER, MAX_MESSAGE_BYTES, PAYLOADS, AmendOrder, Door, NewOrder, Payload, Refused
from common.orders.numbers import MAX_MAGNITUDE

NOT_COUNTED = frozenset({
    "number", "target_number", "error_code", "transact_ns", "affected", "cancelled", "venue_ns", "ref_msg_seq_num",
})  # fmt: skip
"""Integers that are compared and shown, and that nothing is added to: they may be any of 64 bits."""

NOT_READ = frozenset({(Refused, "request"), (Refused, "command"), (NewOrder, "decision"), (AmendOrder, "decision")})
"""What was refused is only compared with its repeat, whatever it asked for; a decision is only shown."""


class Unsound(msgspec.DecodeError):
    """A payload decodes and holds a number that cannot be counted with."""


def is_sound(payload: msgspec.Struct) -> bool:
    """Whether every number in the payload, however deep, is one that can be counted with."""
    return _CHECKS[type(payload)](payload)


def decoder(kind: Any) -> Callable[[bytes], Any]:
    """What decodes a payload of that type (a Struct, or a union of some). Raises one of UNDECODABLE: Unsound is one."""
    decode = msgspec.msgpack.Decoder(kind).decode
    only = _CHECKS.get(kind)
    if only is not None:
        return _sound_alone(decode, only)

    def sound(data: bytes) -> Any:
        payload = decode(data)
        if not _CHECKS[type(payload)](payload):
            raise _unsound(payload)
        return payload

    return sound


def _sound_alone(decode: Callable[[bytes], Any], is_its_sound: Callable[[Any], bool]) -> Callable[[bytes], Any]:
    """The same of one Struct, whose check is known before it is read: nearly every record's."""

    def sound(data: bytes) -> Any:
        payload = decode(data)
        if not is_its_sound(payload):
            raise _unsound(payload)
        return payload

    return sound


class SoundDoor(Door):
    """A door that takes only what can be counted with: a price is reckoned with by all who hear it, and a command or a
    question gets into records as it is. For links on which only a process of ours speaks, and nobody is answered.
    """

    def __init__(self, accepts: object, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        """See `Door`."""
        super().__init__(accepts, max_bytes)
        for kind in get_args(accepts) or (accepts,):
            _add(kind)

    def decode(self, data: bytes) -> Any:
        """The message. Raises one of UNDECODABLE: Unsound is one."""
        message = super().decode(data)
        if not is_sound(message):
            raise _unsound(message)
        return message


def _unsound(message: msgspec.Struct) -> Unsound:
    return Unsound(f"{type(message).__name__} holds a number that cannot be counted with")


def _expression(kind: inspect.Type, name: str, value: str) -> str:
    """What must be true of `value`, as Python; "" where there is nothing to look at."""
    match kind:
        case inspect.DecimalType():
            return f"{value}.is_finite() and -{MAX_MAGNITUDE} <= {value}.adjusted() <= {MAX_MAGNITUDE}"
        case inspect.IntType() if name not in NOT_COUNTED:
            return f"0 <= {value} <= {HIGHEST_NUMBER}"
        case inspect.StructType():
            _add(kind.cls)
            return f"checks[type({value})]({value})"
        case inspect.ListType() | inspect.VarTupleType():
            inner = _expression(kind.item_type, name, "each")
            return f"all({inner} for each in {value})" if inner else ""
        case inspect.TupleType():
            places = [_expression(item, name, f"{value}[{at}]") for at, item in enumerate(kind.item_types)]
            return " and ".join(filter(None, places))
        case inspect.UnionType():
            wanted = max([_expression(item, name, value) for item in kind.types], key=len)
            return f"({value} is None or ({wanted}))" if wanted else ""
    return ""


def _add(cls: type[Any]) -> None:
    """Have the check of a Struct, and of those within it."""
    if cls in _CHECKS:
        return
    _CHECKS[cls] = lambda payload: True
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    fields = [(f.name, _expression(f.type, f.name, "it")) for f in info.fields if (cls, f.name) not in NOT_READ]
    checks = [f"((it := payload.{name}) is it) and {check}" for name, check in fields if check]
    # One expression a Struct, made once: a loop over its fields took longer than the decoding.
    _CHECKS[cls] = eval(f"lambda payload: {' and '.join(checks) or True}", {"checks": _CHECKS})  # noqa: S307


_CHECKS: dict[type[Any], Callable[[Any], bool]] = {}
for _payload in get_args(Payload):
    _add(_payload)

DECODERS: dict[int, Callable[[bytes], Any]] = {kind: decoder(payload) for kind, payload in PAYLOADS.items()}
"""What reads a record's payload, by its kind: another kind's payload is none of it."""
