"""What an idle venue costs: the memory and CPU of its processes while nothing trades, with every venue beside it.

The real stack with all its venues starts twice. First without strategies and without the simulated exchanges' own
traders: what its processes use then is a venue's rest. Then as it is configured: the market maker has to have orders at
each venue, and the books have to be equal to the venue's.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from common.config import CHECKOUT
from scripts.bench.figures import cpu_s
from scripts.stack import PrivateStack, StackFailed

READY_S = 600.0
QUOTES_S = 300.0
RECONCILE_S = 600.0
POLL_S = 2.0
MAKER = "maker"
EQUAL = "equal"


class IdleVenue(NamedTuple):
    """Of one venue: how many processes are ours, their memory, and their CPU in per cent of a core; the same of its
    simulated exchange; how many orders the market maker had there, and EQUAL or what `reconcile` found.
    """

    processes: int
    memory_mb: float
    cpu_percent: float
    exchange_memory_mb: float
    exchange_cpu_percent: float
    quotes: int
    books: str


class VenueFigures(NamedTuple):
    """`load` is the machine's run queue over the last minute, with `cores` to share."""

    ready_s: float
    seconds: float
    venues: Mapping[str, IdleVenue]
    rest_memory_mb: float
    rest_cpu_percent: float
    load: float
    cores: int


class _Use(NamedTuple):
    memory_bytes: int
    cpu_s: float


def measure_venues(names: Sequence[str], seconds: float) -> VenueFigures:
    """The figures of a stack of these venues, over so many seconds. Raises StackFailed."""
    with tempfile.TemporaryDirectory(prefix="fixring-venues-") as name:
        folder = Path(name)
        served = {"FIXRING__STACK__VENUES": orjson.dumps(list(names)).decode()}
        quiet = {"FIXRING__STRATEGIES__MAKER__ENABLED": "false"}
        quiet |= {f"FIXRING__{name}__SIMULATED__TRADERS".upper(): "0" for name in names}
        (folder / "idle").mkdir()
        ready_s, took_s, used = _idle(PrivateStack(folder / "idle", served | quiet), seconds)
        (folder / "trading").mkdir()
        quotes, books = _trading(PrivateStack(folder / "trading", served), names)
        return _figures(names, (ready_s, took_s), used, quotes, books)


def _idle(stack: PrivateStack, seconds: float) -> tuple[float, float, dict[str, _Use]]:
    """Seconds to READY, seconds that were measured, and what each process used in them."""
    stack.start()
    try:
        ready_s = stack.wait_ready(READY_S)
        before, began_s = _used(stack), time.monotonic()
        time.sleep(seconds)
        after, took_s = _used(stack), time.monotonic() - began_s
        stack.kill_all()
    finally:
        stack.__exit__()
    spent = {name: _Use(use.memory_bytes, use.cpu_s - before[name].cpu_s) for name, use in after.items()}
    return ready_s, took_s, spent


def _used(stack: PrivateStack) -> dict[str, _Use]:
    """Of every process, by its actor's name."""
    pages = os.sysconf("SC_PAGE_SIZE")
    used = {}
    for actor in stack.config.actors():
        process = stack.pid(actor.name)
        resident = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        used[actor.name] = _Use(resident * pages, cpu_s(process))
    return used


def _trading(stack: PrivateStack, names: Sequence[str]) -> tuple[dict[str, int], dict[str, str]]:
    """The maker's open orders at each venue, and how our books compare with it."""
    stack.start()
    try:
        stack.wait_ready(READY_S)
        give_up_s = time.monotonic() + QUOTES_S
        quotes = _quotes(stack, names)
        while not all(quotes.values()) and time.monotonic() < give_up_s:
            time.sleep(POLL_S)
            # Between an order's end and the next one a maker has none: the most that was seen counts.
            quotes = {name: max(count, quotes[name]) for name, count in _quotes(stack, names).items()}
        books = _books(stack, names)
        stack.kill_all()
        return quotes, books
    finally:
        stack.__exit__()


def _quotes(stack: PrivateStack, names: Sequence[str]) -> dict[str, int]:
    venue_of = {name: account.venue.name for name, account in stack.config.accounts.items()}
    orders = _asked(stack, "orders", "list", "--strategy", MAKER)["orders"]
    at = [venue_of.get(order["account"], "") for order in orders]
    return {name: at.count(name) for name in names}


def _books(stack: PrivateStack, names: Sequence[str]) -> dict[str, str]:
    accounts = _asked(stack, "reconcile")["accounts"]
    venue_of = {name: account.venue.name for name, account in stack.config.accounts.items()}
    books = dict.fromkeys(names, EQUAL)
    for name, told in accounts.items():
        if told["differences"]:
            books[venue_of[name]] = f"{len(told['differences'])} differences, the first: {told['differences'][0]}"
        elif not told["compared"]:
            books[venue_of[name]] = "not compared: the venue did not answer"
    return books


def _asked(stack: PrivateStack, *words: str) -> Any:
    """What a command says as JSON. Raises StackFailed where it says nothing."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.cli.main", *words, "--json"],
        cwd=CHECKOUT, env=stack.environ, capture_output=True, text=True, timeout=RECONCILE_S, check=False,
    )  # fmt: skip
    if not done.stdout.strip():
        raise StackFailed(f"fixring {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return orjson.loads(done.stdout)


def _figures(
    names: Sequence[str],
    took_s: tuple[float, float],
    used: Mapping[str, _Use],
    quotes: Mapping[str, int],
    books: Mapping[str, str],
) -> VenueFigures:
    ready_s, seconds = took_s

    def sums(actors: Sequence[str]) -> tuple[float, float]:
        memory = sum(used[actor].memory_bytes for actor in actors) / 1e6
        return round(memory, 1), round(100 * sum(used[actor].cpu_s for actor in actors) / seconds, 2)

    rows = {}
    for name in names:
        ours = [actor for actor in used if actor.partition("@")[2] == name and not actor.startswith("exchange@")]
        rows[name] = IdleVenue(len(ours), *sums(ours), *sums([f"exchange@{name}"]), quotes[name], books[name])
    rest = sums([actor for actor in used if actor.partition("@")[2] not in names])
    load = round(os.getloadavg()[0], 1)
    return VenueFigures(round(ready_s, 1), round(seconds, 1), rows, *rest, load, os.cpu_count() or 1)
