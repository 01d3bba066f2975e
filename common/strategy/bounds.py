"""What the order manager's link takes of a client, held against a request before it is sent.

The link would refuse the rest as `out_of_bounds`, or drop it; here it is told at the call that made it.
"""

from typing import get_args

import msgspec

from common.messages import MAX_ENTRY_BYTES, UNDECODABLE, BoundedEntryRequest, Door, EntryRequest, encode, flat_fields

_DOOR = Door(BoundedEntryRequest, MAX_ENTRY_BYTES)
_BOUNDED = {cls.__base__: cls for cls in get_args(BoundedEntryRequest)}


class OutOfBounds(ValueError):
    """A request is beyond what the order manager's link takes, and was not sent. The text names field and bound."""


def check_bounds(request: EntryRequest) -> None:
    """Raises OutOfBounds where the link does not take the request."""
    try:
        _DOOR.decode(encode(request))
    except UnicodeEncodeError as error:
        raise _out_of_bounds(request, f"character {error.start + 1} is none: {error.reason}", error.object) from error
    except (*UNDECODABLE, OverflowError) as error:
        raise _named(request, str(error)) from error


def _named(request: EntryRequest, why: str) -> OutOfBounds:
    """The error for the field that is beyond its bound, else for the one that makes the whole too large."""
    try:
        msgspec.convert(request, _BOUNDED[type(request)], from_attributes=True)
    except msgspec.ValidationError as error:
        what, _, field = str(error).rpartition(" - at `$.")
        return OutOfBounds(f"{field.rstrip('`').rpartition('.')[2]}: {what}")
    return _out_of_bounds(request, why, max(flat_fields(request).values(), key=lambda value: len(encode(value))))


def _out_of_bounds(request: EntryRequest, why: str, value: object) -> OutOfBounds:
    field = next(name for name, its in flat_fields(request).items() if its == value)
    return OutOfBounds(f"{field}: {why}")
