"""Invariants: what is told was read right before, who comes is told at once, and who is told is told in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
import pytest

from common.config import Config
from scripts.bench.long_journal import PacedJournal, write_long_journal
from services.desk import pages as module
from services.desk.pages import Pages
from services.desk.stack import Stack

ConfigWith = Callable[..., Config]
STAMP_NS = 1_790_000_000_000_000_000
NEVER_S = 3_600.0
T = TypeVar("T")


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "ask", lambda _stack: None)
    monkeypatch.setattr(Stack, "ask_one", lambda _stack, _name: None)


def run(pages: Pages, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work while the pages are kept going."""

    async def main() -> T:
        going = asyncio.create_task(pages.run())
        try:
            async with asyncio.timeout(10):
                return await work()
        finally:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)

    return asyncio.run(main())


async def told(pages: Pages, page: str) -> dict[str, Any]:
    line: dict[str, Any] = orjson.loads(await pages.hub.join(page).queue.get())
    return line


def test_who_comes_is_told_at_once_what_the_log_has_by_then(
    config_with: ConfigWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", NEVER_S)
    monkeypatch.setattr(module, "TELL_S", NEVER_S)
    config = config_with()
    journal = PacedJournal(config.journal_folder, STAMP_NS)
    pages = Pages(config)

    async def work() -> list[tuple[str, int, int]]:
        seen = []
        for nth, page in enumerate(("orders", "risk", "orders", "risk"), 1):
            stamp_ns = STAMP_NS + nth * 1_000_000_000
            journal.write_up_to(nth * 500, stamp_ns)
            line = await told(pages, page)
            seen.append((line["page"], line["head"]["lsn"], journal.lsn))
        return seen

    seen = run(pages, work)
    journal.close()
    assert [page for page, *_ in seen] == ["orders", "risk", "orders", "risk"]
    assert [lsn for _, lsn, _ in seen] == [lsn for *_, lsn in seen] and seen[-1][1] >= 2_000


def test_who_looks_is_told_in_time_however_much_is_still_to_be_read(
    config_with: ConfigWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "TELL_S", 0.02)
    config = config_with()
    write_long_journal(config.journal_folder, 100, STAMP_NS)
    pages = Pages(config)
    # As if the log grew as fast as it is read.
    monkeypatch.setattr(pages.tail, "read_on", lambda: True)

    async def work() -> list[str]:
        lookers = [pages.hub.join(page) for page in ("orders", "overview")]
        return [orjson.loads(await looker.queue.get())["page"] for looker in lookers for _ in range(3)]

    assert run(pages, work) == ["orders"] * 3 + ["overview"] * 3
