"""Invariant: against a real stack a command says how it ended, in its text and in its exit status."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from common.exit_status import ExitStatus
from scripts.cli.main import run
from scripts.stack import PrivateStack


@pytest.fixture(scope="module")
def stack() -> Iterator[PrivateStack]:
    """The default stack, with no strategy beside the simulated exchanges' own traders."""
    with tempfile.TemporaryDirectory(prefix="fxr") as folder:
        quiet = {f"FIXRING__STRATEGIES__{name}__ENABLED": "false" for name in ("MAKER", "SIGNALS")}
        with PrivateStack(Path(folder), quiet) as stack:
            yield stack


@pytest.fixture(autouse=True)
def _environment(stack: PrivateStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FIXRING")]:
        monkeypatch.delenv(name)
    for name, value in stack.environ.items():
        if name.startswith("FIXRING"):
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("tif", ["ioc", "fok"])
def test_an_immediate_order_is_reported_by_its_end_and_nothing_filled_is_no_success(
    tif: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["orders", "new", "generic", "BTCUSDT", "buy", "0.01", "--price", "63000", "--tif", tif, "--json"]
    assert run(words) == ExitStatus.FAILURE
    out, err = capsys.readouterr()
    order = orjson.loads(out)["order"]
    assert order["status"] in ("CANCELED", "EXPIRED") and order["cum_qty"] == "0" and "nothing was filled" in err


def test_a_market_order_is_reported_filled(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["orders", "new", "generic", "BTCUSDT", "buy", "0.01", "--json"]) == ExitStatus.OK
    order = orjson.loads(capsys.readouterr().out)["order"]
    assert (order["status"], Decimal(order["cum_qty"])) == ("FILLED", Decimal("0.01"))
    assert run(["positions", "--json"]) == ExitStatus.OK
    (position,) = orjson.loads(capsys.readouterr().out)["positions"]
    for name in ("average_price", "realised_profit"):
        assert len(position[name].replace(".", "").lstrip("-0")) <= 15, position


def test_an_order_that_rests_is_reported_when_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["orders", "new", "generic", "BTCUSDT", "buy", "0.01", "--price", "63000", "--name", "resting"]
    assert run(words) == ExitStatus.OK
    assert "resting/1 NEW" in capsys.readouterr().out
    assert run(["orders", "list", "--strategy", "resting"]) == ExitStatus.OK
    assert run(["orders", "cancel-all", "--strategy", "resting", "--yes"]) == ExitStatus.OK
    assert capsys.readouterr().out.endswith("1 orders cancelled\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("orders list --venue nosuch", "nosuch: no such venue; there is binance, generic"),
        ("orders list --strategy nosuch", "nosuch: no such strategy; there is none"),
        ("positions --venue nosuch", "no such venue"),
        ("orders cancel-all --venue genric --yes", "genric: no such venue"),
        ("orders cancel-all --symbol BTCUSD --yes", "BTCUSD: no such symbol; there is BTCUSDT, ETHUSDT"),
        ("orders cancel-all --strategy makr --yes", "makr: no such strategy"),
    ],
)
def test_a_name_that_there_is_not_is_wrong_usage(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == ExitStatus.USAGE
    assert told in capsys.readouterr().err


def test_reconcile_names_the_side_that_is_down(stack: PrivateStack, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reconcile"]) == ExitStatus.OK
    assert capsys.readouterr().out.startswith("environment simulated\n")
    stack.ask("session@generic", "logout", {})
    while stack.ask("session@generic", "status")["state"] != "logged_out":
        time.sleep(0.01)
    assert run(["reconcile", "--venue", "generic", "--timeout", "0.5"]) == ExitStatus.NOT_ANSWERED
    told = capsys.readouterr().out
    assert "exchange@generic is up, and our session is not logged on there" in told
    stack.kill("exchange@generic", signal.SIGSTOP)
    try:
        assert run(["reconcile", "--venue", "generic", "--timeout", "0.1"]) == ExitStatus.NOT_ANSWERED
    finally:
        stack.kill("exchange@generic", signal.SIGCONT)
    told = capsys.readouterr().out
    assert "exchange@generic does not answer" in told and "session" not in told
