"""A host dies, or stands still, under load; another one takes over; then everybody's own account is compared.

The judges are the venue's own books, by `reconcile`; the load's book, of what the first host had told; the copied
journal, of what the second knows; and a tap, of what the first host writes when it wakes. What the first host's own
journal has beyond the copy is brought in: every order that was lost has to be one of the second's books then, as the
venue tells it.
"""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from common.actor.control import is_running
from common.exit_status import ExitStatus
from common.journal import OsFiles, iterate
from common.messages import Kind, NewOrder, Outbound
from scripts.stack import StackFailed
from scripts.torture.load import Load
from scripts.torture.takeover_hosts import VENUE, Scene, processes_of, status_of

RATE: Final = 100.0
LOAD_S: Final = 3.0
AT_ONCE: Final = 200
"""So many commands are sent at once, just before the end."""

UNDER_WAY: Final = 50
"""So many of them have no outcome then, at least: else the round shows too little."""

WAIT_S: Final = 90.0
NOT_FOR_US: Final = "is open there, not for us"
SESSION: Final = f"session@{VENUE}"
POLL_S: Final = 0.05
SOON_S: Final = 0.001
BEHIND_S: Final = 0.5
"""So long before the end nothing more is copied, where the copy is to be behind: less than `max_lag_ms`."""

_outbound = msgspec.msgpack.Decoder(Outbound).decode


class Round(NamedTuple):
    """What one takeover came to.

    `is_behind`: nothing more was copied for a while before the end. `under_way`: commands without an outcome then.
    `told`: orders that the first host had told as sent; `lost`: of those, what the second does not know. `found`:
    orders that rest at the venue and that it does not know: `reconcile` has named each, and the kill switch has
    cancelled it. `takeover_s` and `logon_s`: from the command on, until it ended and until the venue had accepted
    Logon(A). `written`: bytes that the first host wrote after it woke. `evidence`: what of its journal the second one's
    books did not bear out, and now has as discrepancies. `again`: why the takeover had to be said again. `wrong`:
    sentences.
    """

    fault: str
    is_behind: bool
    under_way: int
    told: int
    lost: int
    found: int
    takeover_s: float
    logon_s: float
    written: int
    evidence: int
    again: tuple[str, ...]
    wrong: tuple[str, ...]

    def told_as(self, number: int) -> str:
        """In a line, and one for each sentence that is wrong."""
        behind = ", the copy behind" if self.is_behind else ""
        line = (
            f"{number:4} {self.fault}{behind}: {self.under_way} commands under way, {self.told} orders told, "
            f"{self.lost} lost, "
            f"{self.found} found at the venue; "
            f"takeover {self.takeover_s:.1f} s, Logon(A) {self.logon_s:.1f} s; {self.written} bytes after it woke; "
            f"{self.evidence} differences brought in"
        )
        again = (f"     said again: {each}" for each in self.again)
        return "\n".join((line, *again, *(f"     WRONG: {each}" for each in self.wrong)))


class Takeovers:
    """Rounds, each with hosts, venue and servers of its own."""

    def __init__(self, folder: Path, mode: str, seed: int) -> None:
        """`mode` is that of the copy: async or quorum."""
        self._folder = folder
        self._mode = mode
        self._seed = seed

    def round(self, number: int) -> Round:
        """One; the fault is drawn. Raises StackFailed where something does not come up."""
        place = self._folder / f"{number}"
        rng = random.Random(f"{self._seed}/{number}")
        fault = rng.choice(("kill", "stop"))
        # By itself the copy is some milliseconds behind, and a host that dies then seldom had more to tell.
        is_behind = self._mode == "async" and rng.choice((True, False))
        try:
            with Scene(place, self._mode) as scene:
                return _Round(scene, fault, self._mode, self._seed + number, is_behind=is_behind).run()
        finally:
            shutil.rmtree(place, ignore_errors=True)


class _Round:
    def __init__(self, scene: Scene, fault: str, mode: str, seed: int, *, is_behind: bool) -> None:
        self._scene = scene
        self._is_behind = is_behind
        self._fault = fault
        self._mode = mode
        self._load = Load(scene.first.config, RATE, seed)
        self._again: list[str] = []
        self._wrong: list[str] = []
        self._found = 0

    def run(self) -> Round:
        scene, book = self._scene, self._load.book
        self._load.start()
        time.sleep(LOAD_S)
        if self._is_behind:
            scene.servers.send(0, signal.SIGSTOP)
            time.sleep(BEHIND_S)
        before = book.given_count
        self._load.flood(AT_ONCE)
        _until(lambda: book.given_count >= before + AT_ONCE, SOON_S)
        stopped = processes_of(scene.first)
        for process in stopped:
            os.kill(process, signal.SIGKILL if self._fault == "kill" else signal.SIGSTOP)
        time.sleep(0.3)
        if self._is_behind:
            scene.servers.send(0, signal.SIGCONT)
        written = scene.tap.written
        self._load.end()
        told = {name for name, its in book.commands.items() if its.kind == "new" and its.outcome == "sent"}
        under_way = sum(1 for its in book.commands.values() if not its.outcome)
        if under_way < UNDER_WAY:
            self._wrong.append(f"{under_way} commands were under way, which is too few")
        began_s = time.monotonic()
        takeover_s = self._take_over() - began_s
        logon_s = self._start() - began_s
        if self._fault == "stop":
            self._wake(stopped)
        self._compare()
        lost = told - self._known()
        evidence = self._bring_in(lost)
        if len(lost) > scene.first.config.stack.replication.max_lag_records:
            self._wrong.append(f"{len(lost)} orders are lost, more than the copy may be behind")
        if lost and self._mode == "quorum":
            self._wrong.append(f"told as sent, and not in the copy: {sorted(lost)[:5]}")
        written = scene.tap.written - written
        if written and self._fault == "stop":
            self._wrong.append(f"the first host woke and wrote {written} bytes")
        return Round(
            self._fault, self._is_behind, under_way, len(told), len(lost), self._found, takeover_s, logon_s, written,
            evidence, tuple(self._again), tuple(self._wrong),
        )  # fmt: skip

    def _take_over(self) -> float:
        """Where no yes is to be had of the servers it is said again, as it asks for: the term may be a later one then.
        Raises StackFailed."""
        identity = json.loads(self._said("replication", "list", "--json"))[0]["journal_id"]
        command, until_s = ("takeover", "--yes", "--json", "--stream", identity), time.monotonic() + WAIT_S
        while True:
            status, out, err = self._scene.fixring(self._scene.second, *command)
            if status == ExitStatus.OK:
                break
            if status != ExitStatus.NOT_ANSWERED or time.monotonic() > until_s:
                raise StackFailed(_failed(command, status, err))
            self._again.append(err.strip().splitlines()[-1])
        term = json.loads(out)["term"]
        if not 2 <= term <= 2 + len(self._again):
            self._wrong.append(f"after {len(self._again)} that came to nothing the takeover's term is {term}")
        return time.monotonic()

    def _said(self, *arguments: str) -> str:
        status, out, err = self._scene.fixring(self._scene.second, *arguments)
        if status != ExitStatus.OK:
            self._wrong.append(_failed(arguments, status, err))
        return out

    def _start(self) -> float:
        """Start the second host; when the venue has accepted its Logon(A)."""
        second = self._scene.second
        second.start()
        _until(lambda: status_of(second, SESSION).get("state") in ("logged_on", "reconciling", "ready"))
        logged_on_s = time.monotonic()
        _until(lambda: not second.missing())
        halts = status_of(second, "risk").get("halts")
        if halts != ["firm"]:
            self._wrong.append(f"it began with {halts} halted, not with what adds risk")
        return logged_on_s

    def _wake(self, stopped: list[int]) -> None:
        """The first host goes on where it stood."""
        first = self._scene.first
        for process in reversed(stopped):
            os.kill(process, signal.SIGCONT)
        for actor in ("journal", "orders", "risk", SESSION):
            if not _until(lambda actor=actor: not is_running(first.run_folder, actor)):  # type: ignore[misc]
                self._wrong.append(f"{actor} of the first host runs still")

    def _compare(self) -> None:
        """Until all books are equal. With "async" an order may rest that only the lost tail held: it is named, and goes
        as the documentation says."""
        until_s = time.monotonic() + WAIT_S
        while True:
            status, out, err = self._scene.fixring(self._scene.second, "reconcile", "--timeout", "10")
            if status == ExitStatus.OK:
                return
            differences = [line for line in out.splitlines() if "DIFFERS" in line]
            if self._mode == "async" and not self._found and all(NOT_FOR_US in line for line in differences):
                self._found = len(differences)
                self._said("kill", "--wait", "20")
                continue
            if time.monotonic() > until_s:
                self._wrong.append(f"reconcile: exit status {status}: {out[-600:]}{err[-300:]}")
                return

    def _bring_in(self, lost: set[tuple[str, int]]) -> int:
        """What the first host had beyond the copy goes into the second one's journal: every lost order is one of its
        books then, of which the venue tells, and a second time nothing is new. How many differences there were."""
        kept = str(self._scene.first.config.journal_folder)
        said = [self._said("replication", "evidence", kept, "--host", "a", "--json") for _ in range(2)]
        if not all(said):
            return 0
        first, again = map(json.loads, said)
        orders = {row["subject"] for row in first["new"] if row["order"] is not None}
        unnamed = {f"{strategy}/{number}" for strategy, number in lost} - orders
        if unnamed:
            self._wrong.append(f"no evidence of what was lost: {sorted(unnamed)[:5]}")
        second = self._scene.second
        if orders and not _until(lambda: status_of(second, "orders").get("unknown_orders") == 0):
            doubts = status_of(second, "orders").get("in_doubt")
            self._wrong.append(f"UNKNOWN stays what was brought in: {doubts}"[:400])
        if orders:
            self._compare()
        if again["new"]:
            self._wrong.append(f"said again, {len(again['new'])} differences were brought in a second time")
        if self._mode == "quorum" and first["new"]:
            self._wrong.append(f"differences, though all was in the copy: {first['new'][:2]}")
        return len(first["new"])

    def _known(self) -> set[tuple[str, int]]:
        """The orders that the second host's journal has as numbered by a session."""
        records = iterate(self._scene.second.config.journal_folder, OsFiles())
        commands = (_outbound(record.payload).command for record in records if record.kind == Kind.OUTBOUND)
        return {(command.strategy, command.number) for command in commands if isinstance(command, NewOrder)}


def _failed(arguments: Iterable[str], status: int, err: str) -> str:
    return f"fixring {' '.join(arguments)}: exit status {status}: {err.strip()[-300:]}"


def _until(holds: Callable[[], bool], poll_s: float = POLL_S) -> bool:
    until_s = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > until_s:
            return False
        time.sleep(poll_s)
    return True
