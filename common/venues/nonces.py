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
from common.venues.ways import Shared, Way


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


class NonceNotKept(OSError):
    """The number of a REST request could not be kept: the next life, or another process, might use it again."""


class CancelUnderWay(OSError):
    """A question has no number: it might arrive before a cancel that has a lower one, which would be refused then."""


class GrowingNonce:
    """The numbers of REST requests, where each has to be above the one before: the time, whatever the clock does.

    With somewhere to keep them each is above all that its key has ever had. `must_be_kept`: a number that cannot be
    kept is none; else it is given all the same, and the venue may refuse it.

    On one of two `Way`s the numbers are above those of both, and that of a question waits for the answer to a cancel.
    """

    def __init__(
        self, read_ms: Callable[[], int], kept: "KeptNonces | None", sleep: Callable[[float], None],
        way: Way | None = None,
    ) -> None:  # fmt: skip
        """`read_ms` reads the clock, in Unix milliseconds; without `kept` they are those of this life alone."""
        self._read_ms = read_ms
        self._kept = kept
        self._sleep = sleep
        self._shared = Shared() if way is None else way.shared
        self._is_first = way is not None and way.is_first
        self.must_be_kept = True

    def __call__(self) -> int:
        """The next one, in milliseconds. Raises NonceNotKept, and CancelUnderWay."""
        if self._is_first:
            # Before it has its number: a question that takes a higher one sees it.
            self._shared.cancel_is_numbered = True
            return self._next()
        for _ in range(TRIES):
            if not self._shared.cancel_is_numbered:
                number_ms = self._next()
                if not self._shared.cancel_is_numbered:
                    return number_ms
            self._sleep(TRY_AGAIN_S)
        raise CancelUnderWay("a cancel has had no answer for 2 s, and numbers have to arrive in order: ask again")

    def answered(self) -> None:
        """The request that had the last number is over."""
        if self._is_first:
            self._shared.cancel_is_numbered = False

    def _next(self) -> int:
        least_ms = max(self._read_ms(), self._shared.last_ms + 1)
        try:
            number_ms = least_ms if self._kept is None else self._following(self._kept, least_ms)
        except OSError as error:
            if self.must_be_kept:
                raise NonceNotKept(f"the number of a REST request cannot be kept: {error}; {_MEND}") from error
            number_ms = least_ms
        self._shared.last_ms = max(self._shared.last_ms, number_ms)
        return number_ms

    def _following(self, kept: "KeptNonces", least_ms: int) -> int:
        for _ in range(TRIES):
            try:
                return kept.following(least_ms)
            except BlockingIOError:
                self._sleep(TRY_AGAIN_S)
        raise BlockingIOError("another process has had the file for 2 s")


TRY_AGAIN_S, TRIES = 0.002, 1000
"""Between two looks at a file that another process has in its hands, and how many of them: 2 s."""

_MEND = "see to the folder journal.emergency_folder: it needs room, and its files have to be this user's"


class KeptNonces(Protocol):
    """The numbers that one key's requests have had, of whichever process and life."""

    def following(self, least_ms: int) -> int:
        """The next one: `least_ms`, or one above the last where that is not below it. Raises OSError; BlockingIOError
        where another process takes one in this moment."""


class NonceFolder(Protocol):
    """Where the numbers of REST requests are kept."""

    def of_key(self, api_key: str) -> KeptNonces:
        """Those of one key."""


class NonceKeeper(Protocol):
    """Where they outlive the process, for a session that journals nothing."""

    def load(self) -> Nonces:
        """What was kept last; none where nothing was, or nothing that can be read."""

    def keep(self, nonces: Nonces) -> None:
        """The next life begins with these. Raises OSError."""
