"""ClOrdID(11) as Kraken takes it: a number or a UUID that begins with the time, and each above the one before.

Source: docs.kraken.com, Unified FIX, New Order Single; Logon for ForceResetClOrdID(5030).
"""

import re

from common.exchange.requests import BAD_FORMAT, BadField
from common.instant import Instant

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TICK_NS = 10_000
"""A UUID's first 48 bits count ten microseconds each."""

FAR_NS = 120 * 1_000_000_000
NOT_GROWING = "EOrder:ClOrdID is not above the last one"
OUT_OF_DATE = "EOrder:timestamp is out of date"


class LastNames:
    """The highest name that each session has used, of either form."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._times: dict[str, int] = {}

    def forget(self, session: str) -> None:
        """Any name is above the last one again."""
        self._numbers.pop(session, None)
        self._times.pop(session, None)

    def why_not(self, session: str, name: str, now: Instant) -> str:
        """Why a request may not be called so, "" where it may; the name is used up then. Raises BadField."""
        if _NUMBER.fullmatch(name):
            used, value = self._numbers, int(name)
        elif _UUID.fullmatch(name):
            used, value = self._times, int(name[:8] + name[9:13], 16)
            if abs(value * TICK_NS - now.wall_ns) > FAR_NS:
                return OUT_OF_DATE
        else:
            raise BadField(BAD_FORMAT, 11, "Incorrect data format for value")
        if value <= used.get(session, 0):
            return NOT_GROWING
        used[session] = value
        return ""
