"""Invariant: what the real process says is shown, a halt names one thing or the firm, and every no has its
exit status.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from common.actor.control import ask, is_running
from common.config import CHECKOUT, load
from common.exit_status import ExitStatus
from scripts.cli.main import run


@pytest.fixture
def own_var(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    return short_folder


@pytest.fixture
def process(own_var: Path) -> Iterator[None]:
    """The real risk, without a journal: it has read nothing, and can be asked."""
    environ = {**os.environ, "FIXRING_VAR": str(own_var)}
    child = subprocess.Popen([sys.executable, "-P", "-m", "services.risk"], cwd=CHECKOUT, env=environ)
    try:
        run_folder = load().paths.run
        while child.poll() is None and not is_running(run_folder, "risk"):
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.02)
        ask(run_folder, "risk", "status", {}, 30)
        yield
    finally:
        child.terminate()
        child.wait()


def test_what_risk_says_and_does(process: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["risk", "show"]) == ExitStatus.OK
    shown = capsys.readouterr().out
    assert shown.startswith("environment simulated\n")
    assert "risk is waiting for the journal as of LSN 0; halted: nothing" in shown and "BTCUSDT" in shown
    # Without a journal it holds, and is not confirmed.
    assert run(["risk", "halt", "--venue", "generic"]) == ExitStatus.REFUSED
    assert run(["risk", "halt"]) == ExitStatus.REFUSED
    assert capsys.readouterr().err.count("the journal has not confirmed its record. It may hold already") == 2
    assert run(["risk", "show", "--json"]) == ExitStatus.OK
    assert orjson.loads(capsys.readouterr().out)["halts"] == ["firm", "venue generic"]
    assert run(["risk", "unhalt", "--yes"]) == ExitStatus.REFUSED, "it cannot be written down without a journal"
    assert run(["risk", "halt", "--venue", "generic", "--symbol", "BTCUSDT"]) == ExitStatus.USAGE


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("risk halt --venue kraken", "kraken: no such venue; there is binance, generic"),
        ("risk halt --symbol BTCUSD", "BTCUSD: no such symbol; there is BTCUSDT, ETHUSDT"),
        ("risk halt --strategy makr", "there is maker, signals"),
        ("risk unhalt --venue generic --yes", "venue generic: no such halt; there is none"),
    ],
)
def test_a_halt_of_what_there_is_not_is_wrong_usage(
    process: None, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    assert run(words.split()) == ExitStatus.USAGE
    assert told in capsys.readouterr().err
    assert run(["risk", "show", "--json"]) == ExitStatus.OK
    assert orjson.loads(capsys.readouterr().out)["halts"] == []


def test_a_strategy_that_is_still_to_come_is_halted_by_a_confirmation(
    process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["risk", "halt", "--strategy", "newcomer", "--yes"])
    capsys.readouterr()
    assert run(["risk", "show", "--json"]) == ExitStatus.OK
    assert orjson.loads(capsys.readouterr().out)["halts"] == ["strategy newcomer"]


def test_without_risk_running_it_says_so(own_var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["risk", "show"]) == ExitStatus.NOT_RUNNING
    assert "risk is not running" in capsys.readouterr().err
