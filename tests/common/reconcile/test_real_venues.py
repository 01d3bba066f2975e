"""Invariant: at a venue that is not simulated `fixring reconcile` compares with its answers, or says that none came."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from common.config import CHECKOUT, Environment, Kind, load
from common.exit_status import ExitStatus
from scripts.cli.main import run
from scripts.stack import PrivateStack

VENUES = ("GENERIC", "BINANCE")


@pytest.fixture
def stack(short_folder: Path) -> Iterator[PrivateStack]:
    """A stack of the testnet environment whose venues are simulated exchanges that are not its own."""
    theirs = short_folder / "theirs"
    keys = theirs / "keys"
    stack = PrivateStack(
        short_folder,
        {
            "FIXRING__GENERIC__ENVIRONMENT": Environment.TESTNET,
            "FIXRING__BINANCE__ENVIRONMENT": Environment.TESTNET,
            **{f"FIXRING__{venue}__{fix}__HOST": "127.0.0.1" for venue in VENUES for fix in ("FIX", "MARKET_DATA")},
            "FIXRING__BINANCE__FIX__TLS__SERVER_NAME": "fix-oe.binance.simulated",
            "FIXRING__BINANCE__MARKET_DATA__TLS__SERVER_NAME": "fix-md.binance.simulated",
            "FIXRING__BINANCE__FIX__TLS__CA": str(keys / "ca.pem"),
            "FIXRING__BINANCE__MARKET_DATA__TLS__CA": str(keys / "ca.pem"),
            "FIXRING__BINANCE__CREDENTIALS__API_KEY_FILE": str(keys / "binance" / "api_key"),
            "FIXRING__BINANCE__CREDENTIALS__PRIVATE_KEY_FILE": str(keys / "binance" / "private_key.pem"),
        },
    )
    exchanges = subprocess.Popen(
        [sys.executable, "-P", "-m", "services.supervisor", Kind.EXCHANGES],
        cwd=CHECKOUT,
        env={
            **stack.environ, "FIXRING_VAR": str(theirs), "FIXRING__GENERIC__ENVIRONMENT": Environment.SIMULATED,
            "FIXRING__BINANCE__ENVIRONMENT": Environment.SIMULATED,
        },
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (keys / "binance" / "private_key.pem").exists():
            with pytest.raises(subprocess.TimeoutExpired):
                exchanges.wait(0.05)
        with stack:
            yield stack
    finally:
        exchanges.send_signal(signal.SIGTERM)
        exchanges.wait(10)


def test_each_part_is_compared_or_named_and_silence_is_not_equal(
    stack: PrivateStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("FIXRING")]:
        monkeypatch.delenv(name)
    for name, value in stack.environ.items():
        if name.startswith("FIXRING"):
            monkeypatch.setenv(name, value)
    assert load().environment is Environment.TESTNET
    assert run(["reconcile", "--json"]) == ExitStatus.OK
    told = orjson.loads(capsys.readouterr().out)
    parts = {
        account: {part: its["verdict"] for part, its in found["parts"].items()}
        for account, found in told["accounts"].items()
    }
    equal = dict.fromkeys(("positions", "balances", "open orders", "fills", "numbers"), "equal")
    assert parts["binance"] == equal
    assert parts["generic"] == equal | dict.fromkeys(("positions", "balances", "fills"), "not comparable")
    stack.ask("session@generic", "logout", {})
    assert run(["reconcile", "--venue", "generic"]) == ExitStatus.NOT_ANSWERED
    out = capsys.readouterr().out
    assert out.startswith("environment testnet\n") and "nobody is logged on" in out and "equal as of" not in out
