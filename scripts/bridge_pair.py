"""A venue's bridge and its simulated exchange, as the processes that they are, without the rest of a stack.

What the benchmark and the kills of the bridge run, with a FIX client of their own that speaks over a socket.
"""

import datetime
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from common import first_start
from common.actor.parent import die_with
from common.config import CHECKOUT, ENV_PREFIX, SERVED_VENUES
from common.fix.session import Disconnect, Inbound, Outbound, ResendWanted, Session, SessionSettings
from common.fix.wire import split
from common.instant import Instant
from scripts.stack import NoAnswer, NotRunning, PrivateStack, StackFailed

GUEST = "GUEST"
LIVE_S = 180.0
"""Generous: a machine under load takes long to start a process."""

POLL_S = 0.02
RECEIVE_BYTES = 1 << 16


def now() -> Instant:
    """Both clocks."""
    return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


class BridgePair:
    """See the module. `stack` is the configuration that both run with; of its processes only these two are started."""

    def __init__(self, folder: Path, venue: str) -> None:
        """Raises StackFailed where the venue has no simulated exchange behind a bridge."""
        clients = f"{ENV_PREFIX}{venue}__BRIDGE__CLIENTS".upper()
        self.stack = PrivateStack(folder, {SERVED_VENUES: venue, clients: f'["{GUEST}"]'})
        self.venue = venue
        self.config = self.stack.config.venues[venue]
        if self.config.bridge is None or self.config.simulated is None:
            raise StackFailed(f"{venue} has no bridge in front of a simulated exchange")
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "BridgePair":
        """Start both; the bridge is live."""
        first_start.prepare(self.stack.config, datetime.datetime.now(datetime.UTC))
        self.start("exchange")
        self.start("bridge")
        try:
            self.wait_live()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        for name in ("bridge", "exchange"):
            process = self._processes.get(name)
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def start(self, service: str) -> None:
        """Start "bridge" or "exchange"; returns at once."""
        command = [sys.executable, "-P", "-m", f"services.{service}", "--venue", self.venue]
        parent = os.getpid()
        with (self._folder / f"{service}.log").open("ab") as output:
            self._processes[service] = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.stack.environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=lambda: die_with(parent),
            )  # fmt: skip

    def kill(self, service: str) -> None:
        """kill -9, and wait until it is gone."""
        process = self._processes[service]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def ask(self, service: str, act: str, arguments: Mapping[str, object] = {}) -> dict[str, object]:  # noqa: B006
        """Ask one of the two; see `common.actor.control.ask`."""
        return self.stack.ask(f"{service}@{self.venue}", act, dict(arguments))

    def wait_live(self, *, undecided: bool = True) -> dict[str, object]:
        """Wait until the bridge has read its venue, and without `undecided` until it has no request without an outcome.
        Its status then. Raises StackFailed."""
        deadline_s, status = time.monotonic() + LIVE_S, {}
        while time.monotonic() < deadline_s:
            if self._processes["bridge"].poll() is not None:
                raise StackFailed(f"the bridge has ended; see {self._folder / 'bridge.log'}")
            try:
                status = self.ask("bridge", "status")
            except (NotRunning, NoAnswer):
                status = {}
            if status.get("state") == "live" and (undecided or not status["awaited"]):
                return status
            time.sleep(POLL_S)
        raise StackFailed(f"bridge@{self.venue} is not live after {LIVE_S:.0f} s: {status}; see {self._folder}")


class Guest:
    """A FIX client of the bridge, over a blocking socket. `told` is all that it took, by tag, in order."""

    def __init__(self, pair: BridgePair) -> None:
        self.told: list[dict[int, str]] = []
        self._pair = pair
        self._session = Session(
            SessionSettings(sender_comp_id=GUEST, target_comp_id=pair.config.fix.target_comp_id, initiator=True)
        )
        self._socket: socket.socket | None = None

    def log_on(self) -> None:
        """Connect, and log on as the session that it was. Raises StackFailed."""
        fix = self._pair.config.fix
        self._socket = socket.create_connection((fix.host, fix.port), timeout=LIVE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._session.connected(now())
        self._flush()
        deadline_s = time.monotonic() + LIVE_S
        while not self._session.logged_on:
            if time.monotonic() > deadline_s or not self.hear(1.0):
                raise StackFailed("the bridge does not let its guest in")

    def lose(self) -> None:
        """The connection is gone."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._session.disconnected(now())
            self._session.take_effects()

    def send(self, msg_type: str, text: str) -> None:
        """Send fields written with pipes."""
        self._session.send(msg_type, text.replace("|", "\x01").encode(), now())
        self._flush()

    def hear(self, timeout_s: float) -> bool:
        """Take what has come within that time; False where the connection is gone."""
        assert self._socket is not None
        self._socket.settimeout(timeout_s)
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except TimeoutError:
            self._session.timer(now())
            self._flush()
            return True
        except ConnectionError:
            return False
        self._session.received(data, now())
        self._flush()
        return bool(data)

    def _flush(self) -> None:
        for effect in self._session.take_effects():
            if isinstance(effect, Outbound):
                assert self._socket is not None
                self._socket.sendall(effect.raw)
            elif isinstance(effect, Inbound):
                self.told.append({int(tag): value.decode() for tag, value in split(effect.raw).items()})
            elif isinstance(effect, ResendWanted):
                self._session.resend(effect.begin, effect.end, (), now())
                self._flush()
            elif isinstance(effect, Disconnect):
                raise StackFailed(f"the guest's session ended: {effect.reason.name} {effect.text}")
