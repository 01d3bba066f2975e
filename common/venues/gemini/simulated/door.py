"""Who may log on at Gemini's simulated side.

Source: docs.gemini.com/fix, Logon(A): the address, SenderCompID(49) and TargetCompID(56) are what is looked at, and
whoever is not known is dropped without a word. HeartBtInt(108) has one value.
"""

from common.exchange.fix_gateway import Client, FixGateway
from common.fix.wire import split
from common.instant import Instant


class GeminiDoor(FixGateway):
    """What the venue's listeners have in common."""

    def _admit(self, raw: bytes) -> Client | str:
        interval = str(self._venue.settings.heart_bt_int_s)
        if split(raw).get(b"108") != interval.encode():
            return f"HeartBtInt(108) must be {interval}"
        return super()._admit(raw)

    def announce(self, headline: str, now: Instant) -> None:
        """The venue has no News(B): that a connection ends is told by its Logout(5) alone."""
