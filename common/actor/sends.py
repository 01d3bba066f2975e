"""Sends of one pass, in order: behind one that was not taken nothing more goes the same way.

A peer goes on from the last message that it has, so it cannot see that one before that is missing. What is behind a
hole therefore comes back to the core like the hole itself, even if room was made meanwhile. A pass is what a core gave
at once; what it says once it has heard of the hole belongs to the next.
"""

from collections.abc import Callable, Sequence

from common.actor.core import Core, Send
from common.instant import Instant


class Sends:
    """See the module."""

    def __init__(self, core: Core, take: Callable[[Sequence[Send]], bool]) -> None:
        """`take` gives sends over one link to one peer to that link, and says whether it took them: all or none."""
        self._core = core
        self._take = take
        self._missed: set[tuple[str, bytes]] = set()

    def begin_pass(self) -> None:
        """What the core says from here on it says knowing what was not taken before."""
        self._missed.clear()

    def send(self, run: Sequence[Send], now: Instant) -> None:
        """Send what goes the same way, or give it back to the core as `undelivered`."""
        way = (run[0].link, run[0].peer)
        if way not in self._missed and self._take(run):
            return
        self._missed.add(way)
        for send in run:
            self._core.undelivered(send, now)
