"""Whichever process dies, the stack ends in order, and nothing rests at a venue that answers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.actor.process import read_clocks
from common.config import CHECKOUT, Kind
from common.exchange.history import MemoryHistory
from common.exchange.store import Store
from common.journal import OsFiles
from scripts.stack import PrivateStack
from services.exchange.__main__ import exchange_settings

QUIET = {
    "FIXRING__STRATEGIES__MAKER__ENABLED": "false",
    "FIXRING__STRATEGIES__SIGNALS__ENABLED": "false",
}


def rest_an_order(stack: PrivateStack, venue: str) -> None:
    """An order below the market is acknowledged."""
    words = ["orders", "new", venue, "BTCUSDT", "buy", "0.001", "--price", "62500"]
    command = [sys.executable, "-P", "-m", "scripts.cli.main", *words]
    done = subprocess.run(command, cwd=CHECKOUT, env=stack.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def resting(stack: PrivateStack, venue: str) -> int:
    """How many orders of ours the exchange's own log has open."""
    settings = exchange_settings(venue, stack.config)
    store = Store.open(
        settings, str(stack.config.paths.exchange(venue)), OsFiles(), MemoryHistory(), read_clocks(), 64 << 20
    )
    try:
        return sum(bool(order.account) for order in store.state.orders.values())
    finally:
        store.abandon()


@pytest.mark.parametrize("orders_too", [False, True])
def test_nothing_rests_whose_session_was_killed_just_before_the_stop(short_folder: Path, orders_too: bool) -> None:
    with PrivateStack(short_folder, QUIET) as stack:
        for venue in stack.config.venues:
            rest_an_order(stack, venue)
        for name in ("orders", *(f"session@{venue}" for venue in stack.config.venues))[not orders_too :]:
            stack.kill(name)
        stack.stop()
    assert {venue: resting(stack, venue) for venue in stack.config.venues} == dict.fromkeys(stack.config.venues, 0)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (Kind.SESSIONS, signal.SIGKILL),
        (Kind.ORDERS, signal.SIGKILL),
        (Kind.JOURNAL, signal.SIGKILL),
        (Kind.RISK, signal.SIGHUP),
    ],
)
def test_nothing_rests_whichever_supervisor_ends(short_folder: Path, kind: Kind, number: signal.Signals) -> None:
    with PrivateStack(short_folder, QUIET) as stack:
        for venue in stack.config.venues:
            rest_an_order(stack, venue)
        os.kill(stack.pid(f"supervisor-{kind}"), number)
        stack.wait_ended(10.0)
    assert {venue: resting(stack, venue) for venue in stack.config.venues} == dict.fromkeys(stack.config.venues, 0)
