"""A whole stack of its own: its state in a folder of its own, on ports of its own, started as a user starts it.

What the benchmarks, the torture and the tests of the real processes run. Nothing of the checkout's own var/ is touched.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from common.actor.control import Answers, NoAnswer, NotRunning, ask, ask_all, is_running
from common.actor.parent import die_with
from common.config import CHECKOUT, SERVED_VENUES, Config, Kind, load
from scripts.ports import free_ports

READY_S = 60.0
STOP_S = 6.0
POLL_S = 0.05


class StackFailed(Exception):
    """The stack did not come up, did not come back, or did not stop; the text says which part and where its log is."""


def own_ports() -> dict[str, str]:
    """Overrides that put every venue of the checkout's configuration on free ports, whichever are served."""
    venues = load(CHECKOUT / "configs", {SERVED_VENUES: ""}, before_start=True).venues
    ports = iter(free_ports(4 * len(venues) + 2))
    overrides = {name: str(next(ports)) for name in ("FIXRING__DESK__PORT", "FIXRING__ALERTS__METRICS__PORT")}
    for name, venue in venues.items():
        prefix = f"FIXRING__{name}__".upper()
        overrides |= {f"{prefix}{connection}__PORT".upper(): str(next(ports)) for connection in venue.connections}
        if venue.rest is not None:
            path = urlsplit(venue.rest.url).path
            overrides[f"{prefix}REST__URL"] = f"http://127.0.0.1:{next(ports)}{path}"
        if venue.bridge is not None:
            path = urlsplit(venue.bridge.websocket).path
            overrides[f"{prefix}BRIDGE__WEBSOCKET"] = f"ws://127.0.0.1:{next(ports)}{path}"
    return overrides


class PrivateStack:
    """honcho with the Procfile, in a session of its own so that all of it can be killed at once."""

    command: ClassVar[Sequence[str]] = (sys.executable, "-P", "-m", "scripts.honcho")
    """What becomes honcho."""

    def __init__(self, folder: Path, overrides: Mapping[str, str] = {}) -> None:  # noqa: B006 (read only)
        """State goes under `folder`; `overrides` are FIXRING__... variables on top of the checkout's configuration."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("FIXRING", "PYTHONPATH"))
        }
        self.environ = {**inherited, "PATH": path, "FIXRING_VAR": str(folder / "var"), **own_ports(), **overrides}
        self.config: Config = load(environ=self.environ)
        self.output = folder / "output.log"
        self._honcho: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether honcho was started and has not ended."""
        return self._honcho is not None and self._honcho.poll() is None

    @property
    def honcho(self) -> int:
        """The process of honcho, once it was started."""
        assert self._honcho is not None
        return self._honcho.pid

    @property
    def run_folder(self) -> Path:
        """Where the actors' locks and sockets are."""
        return self.config.paths.run

    def start(self) -> None:
        """Start honcho; returns at once. It is killed when this process ends, however that ends; then the
        supervisors end their actors in order.
        """
        parent = os.getpid()
        with self.output.open("ab") as output:
            self._honcho = subprocess.Popen(
                self.command,
                cwd=CHECKOUT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with(parent),
            )

    def wait_ready(self, timeout_s: float = READY_S) -> float:
        """Wait until every session's gate is open and every actor answers; returns the seconds that it took."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < timeout_s:
            missing = self.missing()
            if not missing:
                return time.monotonic() - began_s
            if self._honcho is not None and self._honcho.poll() is not None:
                raise StackFailed(f"honcho ended with status {self._honcho.returncode}; see {self.output}")
            time.sleep(POLL_S)
        raise StackFailed(f"not ready after {timeout_s:.0f} s: {', '.join(missing)}; see {self.output}")

    def missing(self) -> list[str]:
        """What keeps the stack from being ready, one word an actor."""
        answers = self.ask_all("status")
        missing = [f"{name} ({error})" for name, error in answers.errors.items()]
        wanted = {"session": "ready", "marketdata": "live", "orders": "live", "risk": "live"}
        for name, detail in answers.details.items():
            want = wanted.get(name.partition("@")[0])
            if want is not None and detail.get("state") != want:
                missing.append(f"{name} is {detail.get('state')}")
        return missing

    def ask_all(self, act: str, timeout_s: float = 1.0) -> Answers:
        """Ask every actor the same."""
        names = [actor.name for actor in self.config.actors()]
        return ask_all(self.config.reach, [(name, act, {}) for name in names], timeout_s)

    def ask(self, actor: str, act: str, arguments: dict[str, object] | None = None) -> dict[str, object]:
        """Ask one actor; see `common.actor.control.ask`."""
        return ask(self.config.reach, actor, act, arguments)

    def pid(self, actor: str) -> int:
        """The process that holds the actor's lock. Raises StackFailed when nobody does, or it has not said yet who."""
        if not is_running(self.run_folder, actor):
            raise StackFailed(f"{actor} is not running")
        told = (self.run_folder / f"{actor}.lock").read_text().strip()
        if not told:
            raise StackFailed(f"{actor} is starting: its lock does not name its process yet")
        return int(told)

    def kill(self, actor: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one actor's process."""
        os.kill(self.pid(actor), number)

    def kill_all(self) -> None:
        """The whole stack at once, supervisors and honcho first: what a power cut leaves of processes."""
        assert self._honcho is not None
        supervisors = [self.pid(f"supervisor-{kind}") for kind in Kind if self._supervised(kind)]
        names = [actor.name for actor in self.config.actors_here()]
        actors = [self.pid(name) for name in names if is_running(self.run_folder, name)]
        for process in (self._honcho.pid, *supervisors, *actors):
            _kill(process, signal.SIGKILL)
        self._honcho.wait()
        self._await_gone(STOP_S)

    def kill_honcho(self) -> None:
        """honcho alone; the supervisors see it and end their actors in order."""
        assert self._honcho is not None
        _kill(self._honcho.pid, signal.SIGKILL)

    def wait_ended(self, timeout_s: float = STOP_S) -> None:
        """Wait until honcho and every supervisor and actor are gone. Raises StackFailed when they are not."""
        assert self._honcho is not None
        try:
            self._honcho.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise StackFailed(f"honcho did not end within {timeout_s} s; see {self.output}") from None
        self._await_gone(timeout_s)

    def _supervised(self, kind: Kind) -> bool:
        return is_running(self.run_folder, f"supervisor-{kind}")

    def stop(self) -> float:
        """What Ctrl-C does; returns the seconds until nothing is left. Raises StackFailed when something is."""
        assert self._honcho is not None
        began_s = time.monotonic()
        _kill(self._honcho.pid, signal.SIGINT)
        try:
            self._honcho.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise StackFailed(f"honcho did not end within {STOP_S} s; see {self.output}") from None
        self._await_gone(STOP_S)
        return time.monotonic() - began_s

    def _await_gone(self, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            names = [actor.name for actor in self.config.actors_here()] + [f"supervisor-{kind}" for kind in Kind]
            left = [name for name in names if is_running(self.run_folder, name)]
            if not left:
                return
            time.sleep(POLL_S)
        raise StackFailed(f"still running: {', '.join(left)}")

    def __enter__(self) -> "PrivateStack":
        """Start and wait until ready."""
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, however it ended."""
        if self.runs:
            self.stop()


def _kill(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


__all__ = ["NoAnswer", "NotRunning", "PrivateStack", "StackFailed", "own_ports"]
