"""Live pages: each is made once for all who look at it, and not at all while nobody does."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

import orjson

QUEUED: Final = 8
"""Who is so far behind gets the whole page anew instead."""


class Looker:
    """One browser's stream of one page."""

    def __init__(self, page: str) -> None:
        """Has nothing yet."""
        self.page = page
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUED)
        self.is_fresh = True
        """It needs the whole page before it can be told what changes."""

    def tell(self, data: bytes) -> None:
        """Give it a line; where it does not read, what waits is dropped for the whole page."""
        try:
            self.queue.put_nowait(data)
        except asyncio.QueueFull:
            while not self.queue.empty():
                self.queue.get_nowait()
            self.is_fresh = True


class Hub:
    """Who looks at which page."""

    def __init__(self) -> None:
        """Nobody yet."""
        self._lookers: defaultdict[str, set[Looker]] = defaultdict(set)
        self._came = asyncio.Event()
        self.joined = 0
        """How many have come so far."""
        self.woken = asyncio.Event()
        """Somebody has come: what is shown is to be had soon."""

    @property
    def count(self) -> int:
        """How many look."""
        return sum(len(lookers) for lookers in self._lookers.values())

    def join(self, page: str) -> Looker:
        """A new stream of the page."""
        looker = Looker(page)
        self._lookers[page].add(looker)
        self.woken.set()
        self.joined += 1
        came, self._came = self._came, asyncio.Event()
        came.set()
        return looker

    async def next_look(self, period_s: float) -> None:
        """Wait for `period_s`, or until somebody comes, who is not to wait."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), period_s)

    def refresh(self, page: str) -> None:
        """All who look at the page need the whole of it."""
        for looker in self._lookers[page]:
            looker.is_fresh = True

    def leave(self, looker: Looker) -> None:
        """It is over."""
        self._lookers[looker.page].discard(looker)

    def watched(self) -> list[str]:
        """The pages that somebody looks at."""
        return [page for page, lookers in self._lookers.items() if lookers]

    def tell(self, page: str, whole: Callable[[], dict[str, Any]], change: dict[str, Any] | None = None) -> None:
        """Tell all who look at the page: the whole of it, or where they have that already what has changed."""
        lookers = self._lookers[page]
        changed = None if change is None else _line(change)
        made: bytes | None = None
        for looker in lookers:
            if changed is None or looker.is_fresh:
                made = made or _line(whole())
                looker.is_fresh = False
                looker.tell(made)
            else:
                looker.tell(changed)


def _line(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document) + b"\n"
