"""One and two of three NATS servers fail in each way under load: one costs a moment, two stop `quorum` and no more.

Servers are killed, stopped, cut off from the other two, and have their disks filled. While one is away every order is
to be acknowledged; while two are, none is, what is so is shown, and the kill switch empties the venue's books. Then the
stack goes on by itself. The judges are a probe's orders, the exchange's own log, and at the end `reconcile` and
`replication verify`.
"""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

from common.actor.control import NoAnswer, NotRunning, Refused, ask_all
from common.config import CHECKOUT, SERVED_VENUES, ReplicationMode
from common.exit_status import ExitStatus
from common.replication.errors import ReplicationError
from common.replication.nats_stream import NatsStream
from scripts.nats import NatsServers, make_stream
from scripts.stack import PrivateStack
from scripts.torture.audit import Exchange
from scripts.torture.load import Load
from scripts.torture.means import NoDisk, SmallDisk
from scripts.torture.probe import Probe

VENUE: Final = "generic"
KINDS: Final = ("kill", "stop", "cut", "disk")
SERVERS: Final = 3
RATE: Final = 20.0
HELD_S: Final = 6.0
"""So long one server is away; the other two have found a leader by then, several times over."""

LEAST_ORDERS: Final = 10
"""So many are acknowledged one after another while it is away."""

PAUSE_S: Final = 20.0
"""No order may wait longer for one server's failure: that a leader is gone is noticed after 4 to 9 s."""

SILENT_S: Final = 4.0
"""So long two servers are away before anything is asked, and no order is acknowledged meanwhile."""

RESTING: Final = 5
"""So many orders of the load rest before anything is done."""

SHOWN_S: Final = 20.0
EMPTY_S: Final = 15.0
READY_S: Final = 90.0
POLL_S: Final = 0.1
OFF: Final = ("DESK__ENABLED", "STRATEGIES__MAKER__ENABLED", "STRATEGIES__SIGNALS__ENABLED")


class FaultRow(NamedTuple):
    """What one fault came to.

    `worst_s`: the longest that an order waited while one server was away; None with two. `shown`: what the status, the
    metrics and the alerts said of two. `emptied_s`: until the kill switch had emptied the books. `recovered_s`: until
    an order was acknowledged once the servers were back, and the kill switch taken off. `wrong`: sentences.
    """

    fault: str
    servers: int
    orders: int
    worst_s: float | None
    shown: tuple[str, ...]
    emptied_s: float | None
    recovered_s: float | None
    wrong: tuple[str, ...]
    left_out: str = ""

    def told(self) -> str:
        """In a line of the table, and one for each sentence that is wrong."""
        if self.left_out:
            return f"{self.fault:5} {self.servers}  LEFT OUT: {self.left_out}"
        seconds = [_seconds(each) for each in (self.worst_s, self.emptied_s, self.recovered_s)]
        line = f"{self.fault:5} {self.servers}  {self.orders:6} {seconds[0]:>8} {seconds[1]:>8} {seconds[2]:>9}  "
        return "\n".join((line + "; ".join(self.shown), *(f"     WRONG: {each}" for each in self.wrong)))


HEAD: Final = f"{'fault':5} of {'orders':>7} {'worst s':>7} {'empty s':>8} {'again s':>9}  what is shown of two"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


class ServerFaults:
    """A stack in `quorum` with three servers of its own, a load, and what is done to the servers."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Everything is under `folder`. Nothing is started yet."""
        self._ends = ExitStack()
        self._disks: list[SmallDisk] = []
        self.no_disk = ""
        try:
            for index in range(SERVERS):
                place = folder / f"disk-{index}"
                place.mkdir(parents=True)
                self._disks.append(SmallDisk(place, folder / "nats" / str(index)))
        except NoDisk as error:
            self.no_disk = str(error)
        self.servers = NatsServers(folder / "nats", SERVERS, relayed=True)
        off = {f"FIXRING__{key}": "false" for key in OFF}
        overrides = {SERVED_VENUES: VENUE, **off, **self.servers.overrides(ReplicationMode.QUORUM)}
        self.stack = PrivateStack(folder, overrides)
        self._seed = seed

    def __enter__(self) -> "ServerFaults":
        """Start the servers, the stack and the load. Raises StackFailed, NoServer."""
        try:
            self._ends.callback(self._unmount)
            self._ends.enter_context(self.servers)
            self._ends.callback(self._end_stack)
            self.stack.start()
            make_stream(self.stack, READY_S)
            self.stack.wait_ready(READY_S)
            self._probe = Probe(self.stack.config)
            self._ends.callback(self._probe.close)
            self._load = Load(self.stack.config, RATE, self._seed)
            self._load.start()
            self._ends.callback(self._load.end)
            self._exchange = Exchange(VENUE, self.stack.config.paths.exchange(VENUE))
            identity = str(self.stack.ask("journal", "status")["journal_id"])
            self._stream = NatsStream(self.servers.address(), identity)
            self._ends.callback(self._stream.close)
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all of it."""
        self._ends.close()

    def _end_stack(self) -> None:
        if self.stack.runs:
            self.stack.kill_all()

    def _unmount(self) -> None:
        for disk in self._disks:
            with suppress(NoDisk):
                disk.unmount()

    # ---- the faults ----

    def _strike(self, kind: str, index: int) -> None:
        match kind:
            case "kill":
                self.servers.send(index, signal.SIGKILL)
            case "stop":
                self.servers.send(index, signal.SIGSTOP)
            case "cut":
                self.servers.cut_off(index)
            case "disk":
                self._disks[index].fill()

    def _heal(self, kind: str, index: int) -> None:
        """As whoever runs the servers would. One whose disk was full has turned its streams off, until it is started
        anew."""
        match kind:
            case "kill":
                self.servers.start(index)
            case "stop":
                self.servers.send(index, signal.SIGCONT)
            case "cut":
                self.servers.join(index)
            case "disk":
                self._disks[index].free()
                self.servers.send(index, signal.SIGKILL)
                self.servers.start(index)

    def _victims(self, count: int) -> list[int]:
        """The stream's leader first: the others lose least."""
        cluster = self._stream.info().cluster
        leader = int(str(cluster.leader if cluster else "n0").removeprefix("n"))
        return [(leader + step) % SERVERS for step in range(count)]

    # ---- a round ----

    def round(self, kind: str, count: int) -> FaultRow:
        """One fault of `count` servers, from a stack that trades to one that trades again."""
        if kind == "disk" and self.no_disk:
            return FaultRow(kind, count, 0, None, (), None, None, (), self.no_disk)
        wrong: list[str] = []
        if self._trip(READY_S) is None:
            wrong.append("it did not trade before anything was done")
        if self._until(lambda: [] if len(self._open_orders()) >= RESTING else ["few"], READY_S):
            wrong.append(f"fewer than {RESTING} orders rested before anything was done")
        victims = self._in_time(lambda: self._victims(count))
        for index in victims:
            self._strike(kind, index)
        try:
            orders, worst_s, shown, emptied_s = 0, None, list[str](), None
            if count == 1:
                orders, worst_s = self._held(wrong)
            else:
                shown, emptied_s = self._silent(wrong)
        finally:
            for index in victims:
                self._heal(kind, index)
        healed_s = time.monotonic()
        if count > 1:
            self._resume(wrong)
        recovered_s = self._trip(READY_S, healed_s)
        if recovered_s is None:
            wrong.append(f"no order was acknowledged within {READY_S:g} s of the servers' return")
        return FaultRow(kind, count, orders, worst_s, tuple(shown), emptied_s, recovered_s, tuple(wrong))

    def _in_time(self, ask: Callable[[], list[int]]) -> list[int]:
        until_s = time.monotonic() + READY_S
        while True:
            try:
                return ask()
            except ReplicationError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(POLL_S)

    def _trip(self, within_s: float, began_s: float | None = None) -> float | None:
        """Seconds since `began_s`, else from now on, until an order was acknowledged; None where none was in time."""
        return self._probe.wait(time.monotonic() if began_s is None else began_s, within_s)[VENUE]

    def _held(self, wrong: list[str]) -> tuple[int, float | None]:
        """One order after another for a while: how many, and the longest that one took."""
        until_s, trips = time.monotonic() + HELD_S, list[float]()
        while time.monotonic() < until_s or len(trips) < LEAST_ORDERS:
            trip_s = self._trip(PAUSE_S)
            if trip_s is None:
                wrong.append(f"with one server away no order was acknowledged for {PAUSE_S:g} s")
                break
            trips.append(trip_s)
        return len(trips), max(trips, default=None)

    def _silent(self, wrong: list[str]) -> tuple[list[str], float | None]:
        """Two are away: what is shown, and how long the kill switch takes."""
        time.sleep(1.0)
        if (trip_s := self._trip(SILENT_S)) is not None:
            wrong.append(f"an order was acknowledged after {trip_s:.1f} s with two servers away")
        missing = self._until(lambda: [name for name, holds in self._signs().items() if not holds], SHOWN_S)
        wrong += [f"not shown: {name}" for name in missing]
        shown = [name for name in self._signs() if name not in missing]
        if not (resting := self._open_orders()):
            wrong.append("nothing rested that the kill switch could cancel")
        began_s = time.monotonic()
        answers = ask_all(self.stack.run_folder, [(name, "kill", {}) for name in self._latched()], 5.0)
        wrong += [f"kill: {name}: {error}" for name, error in answers.errors.items()]
        left = self._until(self._open_orders, EMPTY_S)
        if left:
            wrong.append(f"{EMPTY_S:g} s after the kill switch {len(left)} orders are open")
        return [f"{len(resting)} orders cancelled", *shown], None if left else time.monotonic() - began_s

    def _signs(self) -> dict[str, bool]:
        """What there is to see of a copy that takes nothing."""
        return {
            "fixring status exits with 10": self._fixring("status")[0] == ExitStatus.RESTRICTED,
            "replicator away": bool(self._status("replicator").get("failing")),
            "journal waits for the copy": bool(self._status("journal").get("waits_for_copy")),
            "fixring_replicator_away 1": "fixring_replicator_away 1" in self._metrics(),
            "alert copy_lag": any(each["rule"] == "copy_lag" for each in self._status("alerts").get("firing", [])),
        }

    def _latched(self) -> list[str]:
        names = [actor.name for actor in self.stack.config.actors()]
        return [*(name for name in names if name.startswith(("session@", "account@"))), "risk"]

    def _resume(self, wrong: list[str]) -> None:
        left = self._latched()

        def refused() -> list[str]:
            nonlocal left
            left = sorted(ask_all(self.stack.run_folder, [(n, "resume", {"confirm": True}) for n in left], 2.0).errors)
            return left

        wrong += [f"{name} could not be resumed" for name in self._until(refused, READY_S)]

    def _open_orders(self) -> list[str]:
        self._exchange.read()
        return [str(name) for name in self._exchange.truth.open_orders()]

    def _status(self, actor: str) -> dict[str, Any]:
        try:
            return self.stack.ask(actor, "status")
        except (NotRunning, NoAnswer, Refused):
            return {}

    def _metrics(self) -> str:
        url = str(self._status("alerts").get("metrics", ""))
        if not url:
            return ""
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return str(answer.read().decode())
        return ""

    def _fixring(self, *arguments: str) -> tuple[int, str]:
        """A command's exit status, and the end of what it said."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "scripts.cli.main", *arguments], env=self.stack.environ, cwd=CHECKOUT,
            capture_output=True, text=True, timeout=READY_S, check=False,
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).strip()[-300:]

    def _until(self, left: Callable[[], list[str]], within_s: float) -> list[str]:
        until_s = time.monotonic() + within_s
        while found := left():
            if time.monotonic() > until_s:
                return found
            time.sleep(POLL_S)
        return []

    # ---- at the end ----

    def compare(self) -> list[str]:
        """What differs once all is done: the books against the venue's, the stream against the journal."""
        self._load.end()
        self._probe.clear(READY_S)
        compared = [("reconcile", "--timeout", "30"), ("replication", "verify")]
        return [why for command in compared if (why := self._why_not_equal(command))]

    def _why_not_equal(self, command: tuple[str, ...]) -> str:
        """What a command found, "" for nothing. Servers that were started a moment ago may not answer yet."""
        until_s = time.monotonic() + READY_S
        while True:
            status, said = self._fixring(*command)
            if status == ExitStatus.OK:
                return ""
            if status != ExitStatus.NOT_ANSWERED or time.monotonic() > until_s:
                return f"fixring {' '.join(command)}: exit status {status}: {said}"


def document(rows: list[FaultRow], seed: int, found: list[str]) -> str:
    """As JSON."""
    return json.dumps({"seed": seed, "faults": [row._asdict() for row in rows], "wrong": found})
