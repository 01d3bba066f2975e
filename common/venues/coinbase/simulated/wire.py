"""Coinbase Exchange's FIX as its server speaks it: identifiers, and how numbers are written.

Source: the order entry and market data pages of docs.cdp.coinbase.com. Written from those alone, independently of the
client's dialect.
"""

import re

from common.exchange.requests import OUT_OF_RANGE, BadField, Request

BEGIN_STRING = "FIXT.1.1"
APPL_VER_ID = "9"

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""Version 4, variant 1, small letters: anything else is rejected."""

_ORDER = "00000000-0000-4000-8000-"
_EXECUTION = "00000000-0000-4000-9000-"
_UNIQUE = "-0000-4000-a000-"
_DIGITS = 12


def order_uuid(order_id: int) -> str:
    """OrderID(37) of the engine's order."""
    return f"{_ORDER}{order_id:0{_DIGITS}x}"


def order_number(uuid: str) -> str:
    """The engine's id of the order that OrderID(37) names, "" where it names none of ours."""
    return str(int(uuid[-_DIGITS:], 16)) if UUID4.fullmatch(uuid) and uuid.startswith(_ORDER) else ""


def exec_uuid(exec_id: str) -> str:
    """ExecID(17) of an execution by its number, or of a report that is none by what is unique to it."""
    epoch, dash, number = exec_id.partition("-")
    if not dash:
        return f"{_EXECUTION}{int(exec_id):0{_DIGITS}x}"
    return f"{int(epoch) & 0xFFFFFFFF:08x}{_UNIQUE}{int(number):0{_DIGITS}x}"


def client_uuid(request: Request, tag: int) -> str:
    """An identifier that a client has to give as UUID. Raises BadField."""
    value = request.text(tag)
    if not UUID4.fullmatch(value):
        raise BadField(OUT_OF_RANGE, tag, "Value is not a lower-case UUIDv4")
    return value
