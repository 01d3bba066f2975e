"""Relays of TCP between processes of one machine: what a network between them is made of that can be cut, and joined.

A relay that is cut carries nothing in either direction and closes nothing, as a network does that loses every packet;
who connects then waits. Once it is joined what was written meanwhile arrives.
"""

import selectors
import socket
import threading
from typing import Final

LOOPBACK: Final = "127.0.0.1"
CHUNK_BYTES: Final = 1 << 16
CONNECT_S: Final = 1.0


class Relay:
    """One way in to one port. `port` is where it listens."""

    def __init__(self, to_port: int) -> None:
        """It listens from now on; nothing is carried before a `Relays` does it."""
        self.to_port = to_port
        self.server = socket.create_server((LOOPBACK, 0))
        self.server.setblocking(False)
        self.port = int(self.server.getsockname()[1])
        self.is_cut = False
        self.pairs: dict[socket.socket, socket.socket] = {}


class Relays(threading.Thread):
    """The thread that carries all of some relays."""

    def __init__(self, relays: list[Relay]) -> None:
        """Begins with `start`."""
        super().__init__(name="relays", daemon=True)
        self._relays = relays
        self._wake, self._waker = socket.socketpair()
        self._lock = threading.Lock()
        self._ends = False

    def set_cut(self, relays: list[Relay], *, is_cut: bool) -> None:
        """Cut these, or join them again; when this returns it is so."""
        with self._lock:
            for relay in relays:
                relay.is_cut = is_cut
        self._waker.send(b"c")

    def end(self) -> None:
        """Close everything."""
        self._ends = True
        self._waker.send(b"e")
        self.join()
        for relay in self._relays:
            for each in (relay.server, *relay.pairs):
                each.close()
        self._wake.close()
        self._waker.close()

    def run(self) -> None:
        """Until `end`."""
        while not self._ends:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake, selectors.EVENT_READ, None)
                with self._lock:
                    open_relays = [relay for relay in self._relays if not relay.is_cut]
                for relay in open_relays:
                    for each in (relay.server, *relay.pairs):
                        selector.register(each, selectors.EVENT_READ, relay)
                for key, _ in selector.select():
                    if key.data is None:
                        self._wake.recv(CHUNK_BYTES)
                        continue
                    # What was cut since it was waited for carries nothing more.
                    with self._lock:
                        if not key.data.is_cut:
                            _carry(key.data, key.fileobj)  # type: ignore[arg-type]


def _accept(relay: Relay) -> None:
    try:
        front, _ = relay.server.accept()
    except OSError:
        return
    try:
        back = socket.create_connection((LOOPBACK, relay.to_port), CONNECT_S)
    except OSError:
        front.close()
        return
    relay.pairs[front], relay.pairs[back] = back, front


def _carry(relay: Relay, source: socket.socket) -> None:
    if source is relay.server:
        _accept(relay)
        return
    if source not in relay.pairs:
        return
    target = relay.pairs[source]
    try:
        data = source.recv(CHUNK_BYTES)
        if data:
            target.settimeout(CONNECT_S)
            target.sendall(data)
            return
    except OSError:
        pass
    for each in (source, target):
        relay.pairs.pop(each, None)
        each.close()
