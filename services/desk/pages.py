"""What keeps the pages going: the log is read on and who looks is told, and the actors are asked, each in its own time.

The log is read right before somebody is told what is in it, twice a second and a few records at a time: whoever reads
oftener tells nothing newer, and each time takes a processor, and what is in its cache, from what trades. With nobody
looking the log is read all the same, and risk is asked once a minute for the day's chart; nothing else happens.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import orjson

from common.actor.control import NoAnswer, NotRunning, Refused
from common.actor.process import read_clocks
from common.config import Config
from common.instant import NS_PER_MS
from services.desk import documents
from services.desk.documents import Seen
from services.desk.hub import Hub
from services.desk.market import Market
from services.desk.stack import Stack
from services.desk.tail import Tail
from services.desk.work import Workers, WorkFailed

LOOK_S: Final = 0.5
"""From one look at the log to the next; the blotter is told with each."""

TELL_S: Final = 1.0
"""And all other pages."""

ASK_S: Final = 1.0
SAMPLE_S: Final = 60.0
MOST_SAMPLES: Final = 1_440
RECALL_S: Final = 60


class Pages:
    """See the module."""

    def __init__(self, config: Config) -> None:
        """Nothing is read or asked until `run`."""
        self.hub = Hub()
        self.tail = Tail(config, self._begun_anew)
        self.stack = Stack(config)
        self.market = Market(config)
        self._ask_now = asyncio.Event()
        self._config = config
        self._samples: deque[tuple[int, dict[str, str]]] = deque(maxlen=MOST_SAMPLES)
        self.workers = Workers(config.paths.checkout)
        self._before: list[dict[str, Any]] = []
        self._before_text = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work in (self._look, self._ask, self._sample, self._listen, self._recall):
                tasks.create_task(work())

    def ask_soon(self) -> None:
        """Somebody has done something: what the actors say of it is to be seen at once."""
        self._ask_now.set()

    def document(self, page: str) -> dict[str, Any]:
        """The whole page as of now."""
        seen = self._seen()
        return {"page": page, "head": documents.head(seen), **PAGES[page](self, seen)}

    def _seen(self) -> Seen:
        return Seen(self._config, self.tail, self.stack, read_clocks(), time.monotonic())

    def _begun_anew(self) -> None:
        """The blotter of before has orders that the new view may not have."""
        self.hub.refresh("orders")

    # ---- each in its own time ----

    async def _look(self) -> None:
        """Who has just come is not to wait for his page, and who is told is told in time, however much is still to be
        read."""
        others_s, joined = 0.0, 0
        while True:
            began_s = time.monotonic()
            while self.tail.read_on() and time.monotonic() < began_s + LOOK_S:
                # What there is to read is read in short turns: the pages are served between two of them.
                await asyncio.sleep(0)
            self._tell_blotter()
            if self.hub.joined > joined or began_s >= others_s:
                others_s, joined = began_s + TELL_S - LOOK_S / 2, self.hub.joined
                self._tell_others()
            await self.hub.next_look(max(0.0, began_s + LOOK_S - time.monotonic()))

    async def _ask(self) -> None:
        while True:
            if self.hub.count:
                self._ask_now.clear()
                await asyncio.to_thread(self.stack.ask)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ask_now.wait(), ASK_S)
            else:
                self.hub.woken.clear()
                await self.hub.woken.wait()

    def _tell_others(self) -> None:
        for page in self.hub.watched():
            if page != "orders":
                self.hub.tell(page, lambda page=page: self.document(page))  # type: ignore[misc]

    def _tell_blotter(self) -> None:
        view = self.tail.view
        if "orders" in self.hub.watched():
            rows = [] if view is None else documents.changed_orders(view)
            head = documents.head(self._seen())
            change = None if rows is None else {"page": "orders", "head": head, "changed": rows}
            self.hub.tell("orders", lambda: self.document("orders"), change)
        elif view is not None:
            view.take_changed()

    async def _sample(self) -> None:
        while True:
            if not self.hub.count:
                await asyncio.to_thread(self._ask_risk)
            seen = self._seen()
            if seen.tail.view is not None and not documents.head(seen)["log_stale"]:
                self._samples.append((seen.now.wall_ns // NS_PER_MS, documents.profit_sample(seen)))
            await asyncio.sleep(SAMPLE_S)

    async def _recall(self) -> None:
        """The chart of before this desk began, from the log: once, when somebody looks at it first."""
        while "positions" not in self.hub.watched() or self.tail.view is None:
            await self.hub.next_look(TELL_S)
        day = self.tail.view.books.day
        begin = str(max(1, day.lsn)) if day.began_ns else "-24h"
        try:
            told = await self.workers.run(["profit-history", f"--from={begin}", f"--every={RECALL_S}", "--json"])
            self._before = orjson.loads(told)["samples"][-MOST_SAMPLES:]
        except WorkFailed as error:
            self._before_text = str(error)

    def _ask_risk(self) -> None:
        try:
            self.stack.ask_one("risk")
        except (NotRunning, NoAnswer, Refused):
            return

    async def _listen(self) -> None:
        while True:
            if "market" in self.hub.watched():
                await self.market.listen(lambda: "market" in self.hub.watched())
            await self.hub.next_look(TELL_S)

    # ---- pages ----

    def overview(self, seen: Seen) -> dict[str, Any]:
        """What is live, what is wrong, what it brings."""
        return documents.overview(seen)

    def orders(self, seen: Seen) -> dict[str, Any]:
        """The blotter."""
        return documents.orders(seen)

    def positions(self, seen: Seen) -> dict[str, Any]:
        """Positions with their profit, and the chart of the day."""
        samples = [{"time_ms": time_ms, **values} for time_ms, values in self._samples]
        began_ms = samples[0]["time_ms"] if samples else seen.now.wall_ns // NS_PER_MS
        before = [sample for sample in self._before if sample["time_ms"] < began_ms]
        return {
            "profit": documents.profit(seen, parts=True), "samples": [*before, *samples], "began_ms": began_ms,
            "before": len(before), "before_text": self._before_text,
        }  # fmt: skip

    def risk(self, seen: Seen) -> dict[str, Any]:
        """Limits and halts."""
        return documents.risk(seen)

    def sessions(self, seen: Seen) -> dict[str, Any]:
        """Each session with its numbers."""
        return documents.sessions(seen)

    def market_page(self, _seen: Seen) -> dict[str, Any]:
        """The best prices and the last trades."""
        return self.market.document(read_clocks())

    def small(self, _seen: Seen) -> dict[str, Any]:
        """A page that fetches what it shows, and is told only what stands on every page."""
        return {}


PAGES: Final[dict[str, Callable[[Pages, Seen], dict[str, Any]]]] = {
    "overview": Pages.overview,
    "orders": Pages.orders,
    "positions": Pages.positions,
    "risk": Pages.risk,
    "sessions": Pages.sessions,
    "market": Pages.market_page,
    "journal": Pages.small,
    "logs": Pages.small,
}
"""What each page is made by."""
