"""Reports that leave to the order what is the order's: no Symbol(55), no Side(54), no LastPx(31)."""

import re

_LEFT_OUT = re.compile(rb"(?<=\x01)(?:54|31)=[^\x01]*\x01")
_SYMBOL = re.compile(rb"(?<=\x01)55=([^\x01]*)\x01")


def bare(body: bytes) -> bytes:
    """The body of a report with its instrument in SecurityID(48) alone, "8" in SecurityIDSource(22) for the exchange's
    own symbols, and neither side nor price."""
    return _SYMBOL.sub(b"55=[N/A]\x0148=\\1\x0122=8\x01", _LEFT_OUT.sub(b"", body))
