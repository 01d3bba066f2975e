"""A relay carries both ways, holds everything while it is cut, and loses nothing of it once it is joined."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from scripts.torture.relays import LOOPBACK, Relay, Relays

LONGEST_S = 20.0
HELD_S = 0.2


class Wire:
    """A relay with somebody at either end."""

    def __init__(self, ends: ExitStack) -> None:
        self.server = ends.enter_context(socket.create_server((LOOPBACK, 0)))
        self.server.settimeout(LONGEST_S)
        self.relay = Relay(int(self.server.getsockname()[1]))
        self.relays = Relays([self.relay])
        self.relays.start()
        ends.callback(self.relays.end)
        self._ends = ends

    def connected(self) -> tuple[socket.socket, socket.socket]:
        front = self._ends.enter_context(socket.create_connection((LOOPBACK, self.relay.port), LONGEST_S))
        back = self._ends.enter_context(self.server.accept()[0])
        back.settimeout(LONGEST_S)
        return front, back


@pytest.fixture
def wire() -> Iterator[Wire]:
    with ExitStack() as ends:
        yield Wire(ends)


def test_what_either_end_writes_reaches_the_other_and_so_does_its_end(wire: Wire) -> None:
    front, back = wire.connected()
    front.sendall(b"there")
    assert back.recv(5) == b"there"
    back.sendall(b"and back")
    assert front.recv(8) == b"and back"
    front.close()
    assert back.recv(1) == b""


def test_while_it_is_cut_nothing_passes_and_nobody_is_told_and_then_all_of_it_does(wire: Wire) -> None:
    front, back = wire.connected()
    wire.relays.set_cut([wire.relay], is_cut=True)
    front.sendall(b"held")
    back.settimeout(HELD_S)
    with pytest.raises(TimeoutError):
        back.recv(4)
    late = socket.create_connection((LOOPBACK, wire.relay.port), LONGEST_S)
    wire.server.settimeout(HELD_S)
    with pytest.raises(TimeoutError):
        wire.server.accept()
    wire.relays.set_cut([wire.relay], is_cut=False)
    back.settimeout(LONGEST_S)
    wire.server.settimeout(LONGEST_S)
    assert back.recv(4) == b"held"
    with late, wire.server.accept()[0] as other:
        late.sendall(b"late")
        assert other.recv(4) == b"late"


def test_where_nobody_listens_the_connection_is_closed(wire: Wire) -> None:
    wire.server.close()
    with socket.create_connection((LOOPBACK, wire.relay.port), LONGEST_S) as front:
        assert front.recv(1) == b""
