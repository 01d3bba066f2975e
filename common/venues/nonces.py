"""The numbers that a session's Logons(A) bore, where the venue wants each to be above those before it.

What the venue has let in counts there, and what it has refused mostly does not: a Logon(A) of a clock that was far
ahead must not keep the session out until the time has come to there. So after a refusal the next number follows the
highest that was let in. That one may be refused too, where the answer to a higher one was lost: then the next follows
the highest that was sent, and so in turn until one is let in. Where the clock is behind what was let in, the time alone
is tried too.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from common.venues.dialect import nonce_ms


class Nonces(NamedTuple):
    """`latest_ms` is what the next number has to be above; the others are the highest that was sent, and let in."""

    latest_ms: int = 0
    highest_ms: int = 0
    accepted_ms: int = 0

    def sent(self, sending_ns: int) -> "Nonces":
        """A Logon(A) of that SendingTime(52), Unix nanoseconds, was numbered."""
        latest_ms = nonce_ms(self.latest_ms, sending_ns)
        return Nonces(latest_ms, max(self.highest_ms, latest_ms), self.accepted_ms)

    def accepted(self) -> "Nonces":
        """The venue has let the latest in."""
        return self._replace(accepted_ms=max(self.accepted_ms, self.latest_ms))

    def refused(self) -> "Nonces":
        """The venue has refused the latest."""
        if self.latest_ms == self.accepted_ms + 1:
            # Whoever let that in may have had a clock that was wrong too, and is right now: the time alone may do.
            return self._replace(latest_ms=0)
        follows_highest = self.accepted_ms < self.latest_ms >= self.highest_ms
        return self._replace(latest_ms=self.accepted_ms if follows_highest else self.highest_ms)


class GrowingNonce:
    """The numbers of REST requests, where each has to be above the one before: the time, whatever the clock does."""

    def __init__(self, read_ns: Callable[[], int]) -> None:
        """`read_ns` reads the clock, in Unix nanoseconds."""
        self._read_ns = read_ns
        self._last_ms = 0

    def __call__(self) -> int:
        """The next one, in milliseconds."""
        self._last_ms = nonce_ms(self._last_ms, self._read_ns())
        return self._last_ms


class NonceKeeper(Protocol):
    """Where they outlive the process, for a session that journals nothing."""

    def load(self) -> Nonces:
        """What was kept last; none where nothing was, or nothing that can be read."""

    def keep(self, nonces: Nonces) -> None:
        """The next life begins with these. Raises OSError."""
