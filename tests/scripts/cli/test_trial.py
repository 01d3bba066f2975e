"""Invariant: a strategy is tried without the stack, the same seed says the same, and its errors are its own."""

from pathlib import Path

import pytest

from common.exit_status import ExitStatus
from scripts.cli.main import run

EXAMPLES = "services.strategies.examples"
RAISES = """
from common.strategy.strategy import Strategy

class Mine(Strategy):
    def on_start(self):
        self.note("begins", what="it")
        raise ValueError("no idea")
"""


def test_what_it_did_is_told_and_the_same_seed_tells_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "trial",
        f"{EXAMPLES}.01_one_order:OneOrder",
        "--venue",
        "generic",
        "--symbol",
        "BTCUSDT",
        "--seconds",
        "5",
    ]
    assert run([*words, "--parameter", "rests_ms=1000"]) == ExitStatus.OK
    told = capsys.readouterr().out
    assert "sends 1: buy 0.01 BTCUSDT at " in told and "sends 2: cancel 1" in told
    assert "order 1 canceled: CANCELED, 0 of 0.01 filled" in told
    assert told.endswith("open orders: 0; positions: none\n")
    assert run([*words, "--parameter", "rests_ms=1000"]) == ExitStatus.OK
    assert capsys.readouterr().out == told


def test_signals_reach_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trial", f"{EXAMPLES}.02_follow_a_signal:FollowASignal", "--signal", "sell", "--seconds", "1"]) == 0
    told = capsys.readouterr().out
    assert "fate=order 1: sell" in told and "FILLED" in told
    assert run(["trial", f"{EXAMPLES}.02_follow_a_signal:FollowASignal", "--seconds", "1", "--json"]) == 0
    assert capsys.readouterr().out.startswith('{"at_ns":')


def test_its_own_errors_are_told_with_their_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine_raises.py").write_text(RAISES)
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["trial", "mine_raises:Mine", "--seconds", "1"]) == ExitStatus.FAILURE
    out, err = capsys.readouterr()
    assert "notes begins what=it" in out and err == "raised: on_start: ValueError: no idea\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([f"{EXAMPLES}.03_lader:Ladder"], "No module named"),
        ([f"{EXAMPLES}.03_ladder:Ladder", "--parameter", "runks=2"], "unknown field `runks`"),
        ([f"{EXAMPLES}.03_ladder:Ladder", "--parameter", "rungs=many"], "rungs"),
    ],
)
def test_what_does_not_load_is_a_matter_of_the_configuration(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["trial", *words]) == ExitStatus.CONFIGURATION
    assert told in capsys.readouterr().err
