"""Connections of a core of ours to an exchange in memory, several at a time, each of which may be held up."""

from collections.abc import Callable

from common.actor.core import Close, Connect, Core, Effect, Write
from common.fix.wire import split
from common.instant import Instant
from tests.common.exchange.harness import World


class Wire:
    """One connection; while `held` the core hears nothing of it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.wire = b""
        self.held = False


class Wires:
    """The connections by the core's numbers. With `keep_dialling` the transport of a new one does not come up, without
    `reachable` it is refused. `said` is what the core has sent: connection and MsgType(35).
    """

    def __init__(self, exchange: World, listener: str, core: Callable[[], Core]) -> None:
        self.exchange = exchange
        self.listener = listener
        self.core = core
        self.lines: dict[int, Wire] = {}
        self.said: list[tuple[int, str]] = []
        self.keep_dialling = False
        self.reachable = True

    def perform(self, effect: Effect, now: Instant) -> bool:
        """Carry out an effect that is of a connection; whether it is one."""
        self.exchange.now = now
        if isinstance(effect, Connect):
            if not self.reachable:
                self.core().closed(effect.connection, "connection refused", now)
            elif not self.keep_dialling:
                self.come_up(effect.connection, now)
        elif isinstance(effect, Write):
            self.said.append((effect.connection, split(effect.data)[b"35"].decode()))
            line = self.lines.get(effect.connection)
            if line is not None:
                self.exchange.core.data(line.number, effect.data, now)
            self.carry(now)
        elif isinstance(effect, Close):
            line = self.lines.pop(effect.connection, None)
            if line is not None:
                self.exchange.core.closed(line.number, "closed", now)
                self.carry(now)
        else:
            return False
        return True

    def come_up(self, connection: int, now: Instant) -> None:
        """The transport of a connection is there."""
        self.exchange.connections += 1
        line = self.lines[connection] = Wire(self.exchange.connections)
        self.exchange.raw_clients[line.number] = line
        self.exchange.core.accepted(line.number, self.listener, now)
        self.core().connected(connection, now)

    def carry(self, now: Instant) -> None:
        """What the exchange has to say arrives, and that it has closed."""
        self.exchange.pump()
        for connection, line in list(self.lines.items()):
            if line.held:
                continue
            data, line.wire = line.wire, b""
            if data:
                self.core().data(connection, data, now)
            if self.exchange.core.venue.lines.line(line.number) is None and connection in self.lines:
                del self.lines[connection]
                self.core().closed(connection, "closed by the venue", now)

    def tick(self, now: Instant) -> None:
        """The exchange's timers."""
        self.exchange.now = now
        deadline_ns = self.exchange.core.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now.boot_ns:
            self.exchange.core.timer(now)
        self.carry(now)

    def news(self, ms: int, now: Instant) -> None:
        """The exchange announces the end of the connections that there are."""
        self.exchange.now = now
        self.exchange.ask("fault", kind="maintenance", scope=self.listener, ms=ms)

    def names(self) -> list[str]:
        """Who is logged on at the exchange."""
        return list(self.exchange.core.gateways[self.listener].sessions())
