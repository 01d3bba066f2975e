"""What takes long ends with whoever waits for it: a replay that nobody wants any more leaves no process."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from common.config import CHECKOUT, Config
from scripts.bench.long_journal import write_long_journal
from services.desk import work
from services.desk.work import Workers, WorkFailed

FOLLOW = ["journal", "tail", "--follow"]
"""A command that never ends by itself."""


@pytest.fixture(autouse=True)
def journal(config_with: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_with()
    monkeypatch.setenv("FIXRING_VAR", str(config.paths.run.parent))
    write_long_journal(config.journal_folder, 100, 1_790_000_000_000_000_000)


def children() -> set[str]:
    """The processes that this one has started and that have not ended."""
    found = set[str]()
    for task in Path("/proc/self/task").iterdir():
        # A thread may end between the two.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update((task / "children").read_text().split())
    return found


def test_a_command_that_is_cancelled_is_ended_and_leaves_its_place_to_the_next() -> None:
    async def run() -> None:
        workers, before = Workers(CHECKOUT), children()
        waiting = [asyncio.create_task(workers.run(FOLLOW)) for _ in range(work.MOST_AT_ONCE)]
        while len(children() - before) < work.MOST_AT_ONCE:
            await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert all(task.cancelled() for task in waiting) and children() == before
        assert b"connecting" in await workers.run(["journal", "state", "--at=2", "--json"])

    asyncio.run(run())


def test_a_command_that_takes_too_long_is_ended_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "WORK_S", 0.01)
    before = children()
    with pytest.raises(WorkFailed, match="ask for less"):
        asyncio.run(Workers(CHECKOUT).run(FOLLOW))
    assert children() == before
