"""REST requests at the venues that want their numbers to grow: what was refused by them before their numbers were kept.

The clock of the second life is an hour behind that of the first.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.journal import OsFiles
from common.key_files import request_nonces
from common.messages import Ask
from common.nonce_file import RequestNonceFolder
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from tests.common.venues.both_sides import BothSides
from tests.common.venues.served import Served

HOUR_MS = 3_600_000


class Lives:
    """One after the other, or at once, with the same key."""

    def __init__(self, dialect: str, folder: Path) -> None:
        self.sides = BothSides(dialect, folder)
        self._served = Served(self.sides.world)
        self._opened: list[Any] = []

    def __enter__(self) -> "Lives":
        self._served.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for rest in self._opened:
            rest.api.close()
        self._served.__exit__(*error)  # type: ignore[arg-type]

    def open(self, now_ms: int, nonces: RequestNonceFolder | None = None) -> Any:
        url, ours = f"http://127.0.0.1:{self._served.port('rest')}", self.sides.credentials
        assert ours is not None
        kept = nonces or request_nonces(self.sides.config)
        rest: Any = find_rest(self.sides.venue.dialect)(RestSettings("x", url, ours, 5000, nonces=kept))
        rest.api.throttle = lambda cost=None: None
        rest.api.milliseconds = lambda: now_ms
        self._opened.append(rest)
        return rest


@pytest.fixture(params=["kraken", "gemini"])
def lives(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lives]:
    with Lives(request.param, tmp_path) as lives:
        yield lives


def why_not(rest: Any, what: str = "balances", symbol: str = "") -> str:
    """Why the question failed, "" where it did not."""
    return str(rest.ask(Ask("x", 1, what, symbol)).text)


def test_a_life_after_the_clock_was_set_back_is_answered_and_so_is_the_kill_switch(lives: Lives) -> None:
    now_ms = lives.sides.world.now.wall_ns // 1_000_000
    assert why_not(lives.open(now_ms)) == ""
    later = lives.open(now_ms - HOUR_MS)
    assert [why_not(later, what, lives.sides.symbol) for what in ("cancel_all", "open_orders", "balances")] == [""] * 3


def test_two_processes_with_one_key_are_both_answered(lives: Lives) -> None:
    now_ms = lives.sides.world.now.wall_ns // 1_000_000
    both = [lives.open(now_ms), lives.open(now_ms - HOUR_MS)]
    assert [why_not(rest) for _ in range(3) for rest in both] == [""] * 6


def test_a_folder_that_cannot_be_written_fails_a_question_and_not_the_kill_switch(lives: Lives, tmp_path: Path) -> None:
    now_ms = lives.sides.world.now.wall_ns // 1_000_000
    (tmp_path / "file").write_bytes(b"")
    rest = lives.open(now_ms, RequestNonceFolder(str(tmp_path / "file"), OsFiles()))
    told = why_not(rest)
    assert "NonceNotKept" in told and str(tmp_path) in told and "journal.emergency_folder" in told
    assert [why_not(rest, what, lives.sides.symbol) for what in ("cancel_all", "open_orders")] == [""] * 2
