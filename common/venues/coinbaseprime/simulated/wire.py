"""Coinbase Prime's FIX as its server writes it: identifiers and numbers.

Source: docs.cdp.coinbase.com/prime/fix-api. OrderID(37) and ExecID(17) are UUIDs.
"""

import re

_UUID = re.compile(r"00000000-0000-4000-8000-[0-9a-f]{12}")
_ORDER = "00000000-0000-4000-8000-"
_EXECUTION = "00000000-0000-4000-9000-"
_DIGITS = 12


def order_uuid(order_id: int) -> str:
    """OrderID(37) of the engine's order."""
    return f"{_ORDER}{order_id:0{_DIGITS}x}"


def order_number(uuid: str) -> str:
    """The engine's id of the order that OrderID(37) names, "" where it names none of ours."""
    return str(int(uuid[-_DIGITS:], 16)) if _UUID.fullmatch(uuid) else ""


def exec_uuid(exec_id: str) -> str:
    """ExecID(17) of an execution by its number, or of a report that is none by what is unique to it."""
    epoch, dash, number = exec_id.partition("-")
    if not dash:
        return f"{_EXECUTION}{int(exec_id):0{_DIGITS}x}"
    return f"{int(epoch) & 0xFFFFFFFF:08x}-0000-4000-a000-{int(number):0{_DIGITS}x}"
