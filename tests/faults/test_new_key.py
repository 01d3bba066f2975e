"""A venue's key is rotated as docs/venues.md says: nothing of the stack starts again for it but the simulated venue."""

import datetime
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.actor.control import NoAnswer, NotRunning
from common.config import CHECKOUT, SERVED_VENUES, load
from common.config import keys_of as configured_keys
from common.first_start import prepare
from common.key_files import read_credentials
from common.venues.key_in_use import fingerprint
from scripts.stack import PrivateStack

VENUES = {"binance": "62500", "coinbase": "64000", "coinbaseprime": "62500"}
"""Where each a signature by a key pair and a secret are checked, and one where prices have a key of their own; with the
price of an order that rests."""

QUIET = {
    SERVED_VENUES: ",".join(VENUES),
    "FIXRING__STRATEGIES__MAKER__ENABLED": "false",
    "FIXRING__STRATEGIES__SIGNALS__ENABLED": "false",
}
PATIENCE_S = 60.0
Contents = dict[Path, bytes]


@pytest.mark.torture
def test_a_key_is_rotated_without_a_restart_of_the_stack(short_folder: Path) -> None:
    """A key pair and a secret at once: to a new key, and back to the old one, which the venue refuses by now."""
    with PrivateStack(short_folder, QUIET) as stack:
        ours = [actor.name for actor in stack.config.actors() if not actor.name.startswith("exchange@")]
        before = {name: stack.pid(name) for name in ours}
        old, new = keys_of(stack), new_keys(stack, short_folder / "another")
        old_prints = in_use(stack)
        put(new)
        new_prints = in_files(stack)
        assert in_use(stack) == old_prints, "no logon has taken it up"
        for venue in VENUES:
            stack.kill(f"exchange@{venue}")
        until(lambda: in_use(stack) == new_prints and not stack.missing())
        until(lambda: in_use(stack, "marketdata") == in_files(stack, "market_data"))
        assert in_files(stack, "market_data")["coinbaseprime"] != new_prints["coinbaseprime"]
        put(old)
        for venue in VENUES:
            log_on_again(stack, venue)
        until(lambda: all(is_refused(stack, venue) for venue in VENUES))
        assert in_use(stack) == old_prints
        put(new)
        until(lambda: not stack.missing())
        assert in_use(stack) == new_prints
        for venue in VENUES:
            assert fixring(stack, "orders", "cancel", rest_an_order(stack, venue)).returncode == 0
        assert fixring(stack, "reconcile").returncode == 0
        assert {name: stack.pid(name) for name in ours} == before


def rest_an_order(stack: PrivateStack, venue: str) -> str:
    """Its name."""
    symbol = next(iter(stack.config.venues[venue].instruments))
    told = fixring(stack, "orders", "new", venue, symbol, "buy", "0.001", "--price", VENUES[venue])
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout.split()[0]


def keys_of(stack: PrivateStack) -> Contents:
    """What the files of all venues hold."""
    keys = [key for venue in VENUES for key in configured_keys(stack.config.venues[venue])]
    told = [file for key in keys for file in key.told.files.values()]
    return {file: file.read_bytes() for file in map(stack.config.paths.resolve, told)}


def new_keys(stack: PrivateStack, folder: Path) -> Contents:
    """What another stack's first start makes, for the files of this one."""
    other = load(environ={**stack.environ, "FIXRING_VAR": str(folder)})
    prepare(other, datetime.datetime.now(datetime.UTC))
    return {file: (folder / file.relative_to(stack.config.paths.var)).read_bytes() for file in keys_of(stack)}


def put(contents: Contents) -> None:
    for file, content in contents.items():
        file.write_bytes(content)


def log_on_again(stack: PrivateStack, venue: str) -> None:
    """As the page says."""
    for act in ("logout", "logon"):
        told = fixring(stack, "session", act, venue, "--yes")
        assert told.returncode == 0, told.stdout + told.stderr


def is_refused(stack: PrivateStack, venue: str) -> bool:
    status = status_of(stack, f"session@{venue}")
    return status.get("state") != "ready" and int(status.get("failed_logons", 0)) > 0


def in_use(stack: PrivateStack, kind: str = "session") -> dict[str, object]:
    """The fingerprints of the keys that they have logged on with, or tried to, at last."""
    told = {venue: status_of(stack, f"{kind}@{venue}") for venue in VENUES}
    return {venue: status["key"] for venue, status in told.items() if status and not status["key_failure"]}


def in_files(stack: PrivateStack, connection: str = "fix") -> dict[str, object]:
    """The fingerprints of what the files hold for these connections."""
    config = stack.config
    told = {venue: config.venues[venue].credentials_of(connection) for venue in VENUES}
    return {venue: fingerprint(read_credentials(its, config)) for venue, its in told.items()}


def status_of(stack: PrivateStack, actor: str) -> dict[str, Any]:
    try:
        return stack.ask(actor, "status")
    except (NoAnswer, NotRunning):
        return {}


def until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def fixring(stack: PrivateStack, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "scripts.cli.main", *words]
    return subprocess.run(command, cwd=CHECKOUT, env=stack.environ, capture_output=True, text=True, check=False)
