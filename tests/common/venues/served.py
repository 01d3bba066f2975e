"""A simulated exchange of a test's own, at sockets of the loopback: for clients that share no line with the project."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType

from common.instant import Instant
from tests.common.exchange.harness import World


class _Wire:
    """What the exchange has written to one connection and is not sent yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.wire = b""


class Served:
    """The listeners of a world, each at a free port. The world's clock is the machine's from now on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.set_clock()

    def __enter__(self) -> "Served":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._sockets:
            each.close()

    def set_clock(self) -> None:
        """Let the world have the machine's time."""
        self._world.now = Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def port(self, listener: str) -> int:
        """A new port behind which that listener answers."""
        server = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(server)
        threading.Thread(target=self._accept, args=(server, listener), daemon=True).start()
        port: int = server.getsockname()[1]
        return port

    def ask(self, act: str, **arguments: object) -> dict[str, object]:
        """As `World.ask`, with what comes of it sent."""
        with self._lock:
            detail = self._world.ask(act, **arguments)
            self._send()
            return detail

    def _accept(self, server: socket.socket, listener: str) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            self._sockets.append(connection)
            threading.Thread(target=self._serve, args=(connection, listener), daemon=True).start()

    def _serve(self, connection: socket.socket, listener: str) -> None:
        world = self._world
        with self._lock:
            world.connections += 1
            number = world.connections
            world.raw_clients[number] = _Wire(connection)
            world.core.accepted(number, listener, world.now)
        while data := _received(connection):
            with self._lock:
                self.set_clock()
                world.core.data(number, data, world.now)
                world.pump()
                self._send()
                if world.core.venue.lines.line(number) is None:
                    connection.close()
        with self._lock:
            world.core.closed(number, "gone", world.now)
            world.pump()

    def _send(self) -> None:
        for wire in self._world.raw_clients.values():
            data, wire.wire = wire.wire, b""
            if data:
                # A test that is over has closed it while another connection's request is answered.
                with suppress(OSError):
                    wire.connection.sendall(data)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""
