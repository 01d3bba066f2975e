"""The two ways on which one account asks its venue's REST side at once, so that a cancel waits for no slow answer.

What both share is what the venue counts: the user's limit, and numbers that have to grow from request to request. Of
the limit a part is left by the questions, so that a cancel finds room in it whatever was asked before. Numbers have to
grow as they arrive, and two requests that are under way may arrive in either order. So a cancel takes its number at
once, above all that were given, and no question takes one until it is answered: what a cancel overtakes may be refused,
which is asked again, and no cancel is overtaken by us.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from common.venues.pace import Pace


class Shared:
    """What both ways have in common."""

    def __init__(self, lock: AbstractContextManager[object] | None = None) -> None:
        """`lock` keeps threads from counting at the same time; None where there is one alone."""
        self.lock: AbstractContextManager[object] = lock or nullcontext()
        self.last_ms = 0
        """The last number that a request was given."""

        self.cancel_is_numbered = False
        """Whether a cancel has a number, and no answer yet."""

        self._paces: dict[str, Pace] = {}

    def pace(self, path: str, made: Pace) -> Pace:
        """The pace of what is asked at `path`, "" for all that has none of its own: `made`, or what the other way has
        made for it before."""
        return self._paces.setdefault(path, made)


class Way(NamedTuple):
    """One of them. `is_first`: that of the cancels."""

    shared: Shared
    is_first: bool = False

    def delay_s(self, pace: Pace, cost: float, now_s: float) -> float:
        """See `Pace`: a question leaves the reserve."""
        with self.shared.lock:
            return pace.delay_s(cost, now_s, 0.0 if self.is_first else pace.reserve)


def both_ways(lock: AbstractContextManager[object] | None = None) -> tuple[Way, Way]:
    """That of the questions, and that of the cancels."""
    shared = Shared(lock)
    return Way(shared), Way(shared, is_first=True)
