"""The kill switch, pulled under load: both books empty in time, orders refused, nothing placed, and trading again.

With the journal stopped the sessions' emergency files are their journal; they are handed over when it goes on.
"""

import os
import signal
import time
from collections.abc import Callable

from common.actor.control import ask_all
from common.messages import Reason
from scripts.torture.scene import Scene, Wrong

EMPTY_S = 1.0
"""What the README promises: every book empty within a second."""

MARGIN_S = 2.0
"""For a machine that does other work as well, and for the time that an exchange's log takes to be read."""

REFUSED_S = 8.0
"""After a stop of the journal what was waiting for it comes first."""

HANDED_OVER_S = 8.0
KILLED_S = 1.0
AWAY_S = 0.5
RESUME_S = 5.0
LOOK_S = 0.02


def pull(scene: Scene) -> None:
    """Under load, with everything running."""
    refused = _refusals(scene)
    try:
        _kill(scene)
        _await_refusals(scene, refused)
        _nothing_is_placed(scene)
    finally:
        _resume(scene)


def pull_without_journal(scene: Scene) -> None:
    """With the journal stopped: no record can be had, and the books must be empty all the same."""
    refused = _refusals(scene)
    journal = scene.stack.pid("journal")
    os.kill(journal, signal.SIGSTOP)
    try:
        time.sleep(AWAY_S)
        _kill(scene)
        used = [name for name in _sessions(scene) if scene.stack.ask(name, "status").get("emergency")]
        _nothing_is_placed(scene)
    finally:
        os.kill(journal, signal.SIGCONT)
    try:
        if used != _sessions(scene):
            raise Wrong(f"the journal was stopped, and only {used} used the emergency file")
        _await_hand_over(scene, used)
        _await_refusals(scene, refused)
    finally:
        _resume(scene)


def _sessions(scene: Scene) -> list[str]:
    return [f"session@{venue}" for venue in scene.exchanges]


def _latched(scene: Scene) -> list[str]:
    """Whoever `fixring kill` asks."""
    return [name for name in scene.actors() if name.startswith(("session@", "account@"))] + ["risk"]


def _kill(scene: Scene) -> None:
    """Raises Wrong where a book is not empty in time, by the exchange's own log."""
    began_s = time.monotonic()
    answers = ask_all(scene.stack.run_folder, [(name, "kill", {}) for name in _latched(scene)], EMPTY_S + MARGIN_S)
    if answers.errors:
        raise Wrong("; ".join(f"kill: {name}: {error}" for name, error in answers.errors.items()))
    open_orders = _wait(began_s + EMPTY_S + MARGIN_S, lambda: _open_orders(scene))
    if open_orders:
        raise Wrong(f"{EMPTY_S + MARGIN_S} s after the kill switch was pulled {open_orders} are open")


def _open_orders(scene: Scene) -> list[str]:
    for exchange in scene.exchanges.values():
        exchange.read()
    return [f"{venue}: {name}" for venue, exchange in scene.exchanges.items() for name in exchange.truth.open_orders()]


def _wait(until_s: float, left: Callable[[], list[str]]) -> list[str]:
    """What is left at the end; returns as soon as nothing is."""
    while found := left():
        if time.monotonic() > until_s:
            return found
        time.sleep(LOOK_S)
    return []


def _nothing_is_placed(scene: Scene) -> None:
    """For a while, by the exchanges' own logs."""
    placed = {venue: exchange.placed.total() for venue, exchange in scene.exchanges.items()}
    time.sleep(KILLED_S)
    opened = _open_orders(scene)
    now = {venue: exchange.placed.total() for venue, exchange in scene.exchanges.items()}
    if opened or now != placed:
        raise Wrong(f"under the kill switch orders were placed: {placed} before, {now} now; open: {opened}")


def _refusals(scene: Scene) -> int:
    return scene.load.book.reasons.get(Reason.KILLED, 0)


def _await_refusals(scene: Scene, before: int) -> None:
    if _wait(time.monotonic() + REFUSED_S, lambda: [] if _refusals(scene) > before else ["none"]):
        raise Wrong(f"no order was refused for {Reason.KILLED} in {REFUSED_S} s under the kill switch")


def _await_hand_over(scene: Scene, sessions: list[str]) -> None:
    """The journal has records of each emergency file, and no session goes on with one."""

    def missing() -> list[str]:
        scene.journal.read()
        venues = [name.partition("@")[2] for name in sessions]
        found = [f"{venue}: nothing handed over" for venue in venues if not scene.journal.emergency[venue]]
        statuses = ask_all(scene.stack.run_folder, [(name, "status", {}) for name in sessions], 1.0)
        found += [f"{name}: {error}" for name, error in statuses.errors.items()]
        return found + [f"{name}: still alone" for name, told in statuses.details.items() if told.get("emergency")]

    scene.journal.emergency.clear()
    found = _wait(time.monotonic() + HANDED_OVER_S, missing)
    if found:
        raise Wrong(f"{HANDED_OVER_S} s after the journal went on: {'; '.join(found)}")


def _resume(scene: Scene) -> None:
    """At everyone; one that is not there yet is asked again."""
    left = _latched(scene)
    until_s = time.monotonic() + RESUME_S
    while left:
        answers = ask_all(scene.stack.run_folder, [(name, "resume", {"confirm": True}) for name in left], 1.0)
        left = sorted(answers.errors)
        if left and time.monotonic() > until_s:
            raise Wrong("; ".join(f"resume: {name}: {answers.errors[name]}" for name in left))
