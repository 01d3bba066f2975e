"""Messages as some venues write them: whole and verified, and not what the standard says of their fields."""

import re

from common.exchange.faults import Faults, Kind
from common.fix.wire import encode

_EXEC_TYPE = re.compile(rb"\x0135=8\x01.*\x01150=([^\x01]*)\x01", re.DOTALL)
_CANCEL_REJECT = b"\x0135=9\x01"
_TIME = re.compile(rb"\x0160=([^\x01]+)")
_PRICE = re.compile(rb"\x01270=([^\x01]+)")
_ODD_TIME = b"\x0160=\\1Z"
_ODD_PRICE = b"\x01270=\\1E0"
# EncodedTextLen(354) counts characters: EncodedText(355) has one byte more.
_MISCOUNTED = "354=4\x01355=\u00fcber\x01".encode()


def spoiled(raw: bytes, faults: Faults, scope: str) -> bytes:
    """The message as the faults under way have it. What is stored for a resend has to be this, too: it comes again as
    it is."""
    if not faults.active:
        return raw
    unreadable = faults.find(Kind.UNREADABLE, scope)
    if unreadable is not None and _is_report(raw, unreadable.text):
        faults.count(unreadable)
        return _encoded(raw, _body(raw) + _MISCOUNTED)
    odd = faults.find(Kind.ODD_FIELDS, scope)
    if odd is not None and (_TIME.search(raw) or _PRICE.search(raw)):
        faults.count(odd)
        return _encoded(raw, _PRICE.sub(_ODD_PRICE, _TIME.sub(_ODD_TIME, _body(raw)), count=1))
    return raw


def _is_report(raw: bytes, spared: str) -> bool:
    """An ExecutionReport(8) whose ExecType(150) is not among those `spared`, or an OrderCancelReject(9)."""
    found = _EXEC_TYPE.search(raw)
    return _CANCEL_REJECT in raw if found is None else found[1].decode("latin-1") not in spared


def _body(raw: bytes) -> bytes:
    return raw[raw.index(b"\x0135=") + 1 : raw.rindex(b"\x0110=") + 1]


def _encoded(raw: bytes, body: bytes) -> bytes:
    return encode(raw[2 : raw.index(b"\x01")], body)
