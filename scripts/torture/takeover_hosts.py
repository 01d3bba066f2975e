"""Two hosts for one desk, a venue that is neither's, and NATS servers: what a takeover is tried with.

Each host has the same configuration and keys and a var folder of its own; the venue outlives both. The first host's
order entry goes by way of a tap, which counts what it writes and keeps its connections open whatever the venue does.
"""

import json
import selectors
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from common.actor.control import NoAnswer, NotRunning, Refused, ask, is_running
from common.config import CHECKOUT, SERVED_VENUES, STACK_FILE, Kind, ReplicationMode
from common.link_keys import make_link_keys, roles_of
from scripts.hosts import KEYS, LOOPBACK, HostStack
from scripts.nats import NatsServers, make_stream
from scripts.ports import free_ports
from scripts.stack import READY_S, own_ports

VENUE: Final = "generic"
VENUES: Final = "venues"
DESK: Final = "desk"
RUNS: Final = ("journal", "orders", "risk", "sessions", "accounts", "strategies", "desk", "alerts")
OFF: Final = ("DESK__ENABLED", "STRATEGIES__MAKER__ENABLED", "STRATEGIES__SIGNALS__ENABLED")
"""What would only take processors from what is tried."""

HEART_BT_INT_S: Final = 2
"""HeartBtInt(108), so that a venue soon gives up the connection of a host that stands still."""

COMMAND_S: Final = 120.0


class Tap(threading.Thread):
    """Carries one port to another, and counts the bytes that come in at the front."""

    def __init__(self, to_port: int) -> None:
        """It listens at `port` from now on, on the loopback."""
        super().__init__(name="tap", daemon=True)
        self.written = 0
        self._to_port = to_port
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = int(self._server.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ, None)
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._open: list[socket.socket] = [self._server, self._wake, self._waker]

    def run(self) -> None:
        """Until `end`."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    return
                if key.fileobj is self._server:
                    self._accept()
                else:
                    self._carry(key.fileobj, *key.data)  # type: ignore[arg-type]

    def _accept(self) -> None:
        front, _ = self._server.accept()
        self._open.append(front)
        try:
            back = socket.create_connection((LOOPBACK, self._to_port), 5)
        except OSError:
            front.close()
            return
        self._open.append(back)
        self._selector.register(front, selectors.EVENT_READ, (back, True))
        self._selector.register(back, selectors.EVENT_READ, (front, False))

    def _carry(self, source: socket.socket, target: socket.socket, is_front: bool) -> None:
        try:
            data = source.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            # The other side stays open: what is still written to it is to be seen.
            self._selector.unregister(source)
            return
        self.written += len(data) * is_front
        try:
            target.sendall(data)
        except OSError:
            return

    def end(self) -> None:
        """Close everything."""
        self._waker.send(b"e")
        self.join()
        for each in self._open:
            each.close()


def status_of(host: HostStack, actor: str) -> dict[str, Any]:
    """What one of the host's actors answers now; nothing where it does not."""
    try:
        return ask(host.config.paths.run, actor, "status", timeout_s=1.0)
    except (NotRunning, NoAnswer, Refused):
        return {}


def processes_of(host: HostStack) -> list[int]:
    """Every process of the host: who starts others first."""
    names = [f"supervisor-{kind}" for kind in Kind] + [actor.name for actor in host.config.actors_here()]
    return [host.honcho, *(host.pid(name) for name in names if is_running(host.run_folder, name))]


class Scene:
    """The venue's host, the desk's two, and the servers. The first host is up and copied when it begins."""

    def __init__(self, folder: Path, mode: str, *, ready_s: float = READY_S) -> None:
        """Everything is under `folder`; `mode` is that of the copy. The first host is up within `ready_s`."""
        self.folder = folder
        self._ready_s = ready_s
        self.servers = NatsServers(folder / "nats", 3 if mode == "quorum" else 1)
        ports, relays = own_ports(), free_ports(3)
        self.tap = Tap(int(ports[f"FIXRING__{VENUE.upper()}__FIX__PORT"]))
        shared = {
            **ports, SERVED_VENUES: VENUE, **self.servers.overrides(ReplicationMode(mode)),
            f"FIXRING__{VENUE.upper()}__FIX__HEART_BT_INT_S": str(HEART_BT_INT_S),
        }  # fmt: skip
        shared |= {f"FIXRING__{key}": "false" for key in OFF}
        tapped = {f"FIXRING__{VENUE.upper()}__FIX__PORT": str(self.tap.port)}
        self.venues, self.first, self.second = (
            self._host(name, of, relay, relays[0], {**shared, **more})
            for name, of, relay, more in (
                ("v", VENUES, relays[1], {}), ("a", DESK, relays[1], tapped), ("b", DESK, relays[2], {}),
            )
        )  # fmt: skip
        keys = self.venues.config.paths.resolve(KEYS)
        make_link_keys(keys, roles_of(self.venues.config))
        for host in (self.first, self.second):
            shutil.copytree(keys, host.config.paths.resolve(KEYS))

    def _host(self, name: str, of: str, relay: int, venues_relay: int, environ: dict[str, str]) -> HostStack:
        config = Path(shutil.copytree(CHECKOUT / "configs", self.folder / f"config-{name}"))
        with (config / STACK_FILE).open("a", encoding="utf-8") as file:
            file.write(
                f'\n[hosts.{VENUES}]\nruns = ["exchanges"]\nrelay = "tcp://{LOOPBACK}:{venues_relay}"\n'
                f'[hosts.{DESK}]\nruns = {json.dumps(RUNS)}\nrelay = "tcp://{LOOPBACK}:{relay}"\n'
                f'[endpoints]\ncurve_folder = "{KEYS}"\n'
            )
        return HostStack(self.folder / name, {**environ, "FIXRING_CONFIG": str(config), "FIXRING__STACK__HOST": of})

    def __enter__(self) -> "Scene":
        """Start the servers, the venue and the first host, whose stream is made as soon as its journal is there."""
        try:
            self.servers.__enter__()
            self.tap.start()
            self.venues.start()
            self.first.start()
            make_stream(self.first, self._ready_s)
            self.first.wait_ready(self._ready_s)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all that still runs, at once: what they hold is not looked at any more, and each must go whatever another
        one does."""
        with ExitStack() as ends:
            ends.callback(self.servers.__exit__, kind, error, traceback)
            ends.callback(self.tap.end)
            for host in (self.venues, self.first, self.second):
                if host.runs:
                    ends.callback(host.kill_all)

    def fixring(self, host: HostStack, *arguments: str) -> tuple[int, str, str]:
        """A command on one of the hosts: exit status, what it printed, what it complained of."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "scripts.cli.main", *arguments], env=host.environ, cwd=CHECKOUT,
            capture_output=True, text=True, timeout=COMMAND_S, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr
