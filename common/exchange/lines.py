"""The accepted connections of an exchange: bytes wait in them until the changes of the turn are in the log."""

from collections import deque

from common.actor.core import Close, Effect, Note, Write
from common.exchange.faults import Faults, Kind
from common.instant import NS_PER_MS, Instant

# What may wait for a peer that does not read before it is cut off.
MAX_WAITING_BYTES = 32 << 20


class Line:
    """One accepted connection: its number, and the listener that accepted it, one of `Side.gateways`. `ends`: its end
    is announced.
    """

    __slots__ = ("blocked", "closing", "ends", "number", "open", "scope", "waiting", "waiting_bytes")

    def __init__(self, number: int, scope: str) -> None:
        self.number = number
        self.scope = scope
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.waiting_bytes = 0
        self.closing = False
        self.ends = False
        self.blocked = False
        self.open = True


class Lines:
    """All open connections, with the faults that strike on the way out. What may leave becomes one of `effects`."""

    def __init__(self, faults: Faults, effects: list[Effect]) -> None:
        self._faults = faults
        self._effects = effects
        self._lines: dict[int, Line] = {}

    def opened(self, line: Line) -> None:
        """A connection was accepted."""
        self._lines[line.number] = line

    def lost(self, line: Line) -> None:
        """The peer is gone, whatever waited for it too."""
        line.open = False
        self._lines.pop(line.number, None)

    def line(self, number: int) -> Line | None:
        """The open connection of that number."""
        return self._lines.get(number)

    @property
    def all(self) -> list[Line]:
        """The open connections."""
        return list(self._lines.values())

    def of(self, scope: str) -> list[Line]:
        """The open connections of one listener, or of "all"."""
        return [line for line in self._lines.values() if scope in (line.scope, "all")]

    # ---- sending

    def write(self, line: Line, data: bytes, now: Instant) -> None:
        """Send once the turn is logged, later where a fault slows the line down."""
        if not line.open or line.closing:
            return
        due_ns = 0
        slow = self._faults.find(Kind.SLOW, line.scope)
        if slow is not None:
            due_ns = now.boot_ns + slow.ms * NS_PER_MS
            slow.struck += 1
        line.waiting.append((due_ns, data))
        line.waiting_bytes += len(data)
        if line.waiting_bytes > MAX_WAITING_BYTES:
            fields: dict[str, object] = {"connection": line.number, "waiting_bytes": line.waiting_bytes}
            self._effects.append(Note("warning", "slow_consumer", fields))
            self.cut(line)

    def write_application(self, line: Line, raw: bytes, now: Instant) -> None:
        """Send an application message, which the faults may lose, double or garble."""
        if self._faults.active:
            if self._faults.strikes(Kind.GAP, line.scope):
                return
            if self._faults.strikes(Kind.GARBLE, line.scope):
                raw = garbled(raw)
            if self._faults.strikes(Kind.DUPLICATE, line.scope):
                self.write(line, raw, now)
        self.write(line, raw, now)

    def halve(self, line: Line) -> None:
        """Of what was written last to the line only the first half is sent."""
        due_ns, data = line.waiting.pop()
        line.waiting.append((due_ns, data[: len(data) // 2]))
        line.waiting_bytes -= len(data) - len(data) // 2

    def close(self, line: Line) -> None:
        """Close once everything before is sent."""
        line.closing = True

    def cut(self, line: Line) -> None:
        """Close at once; what waits is dropped."""
        line.waiting.clear()
        line.waiting_bytes = 0
        line.closing = True

    def flush(self, now: Instant) -> list[Line]:
        """The turn is logged: hand the shell what may leave now, a write a connection. Returns the lines that ended."""
        ended = []
        for line in self.all:
            if line.waiting or line.closing:
                self._flush(line, now)
                if not line.open:
                    ended.append(line)
        return ended

    def _flush(self, line: Line, now: Instant) -> None:
        if line.waiting and (line.blocked or self.stalled(line)):
            return
        ready: list[bytes] = []
        while line.waiting and line.waiting[0][0] <= now.boot_ns:
            ready.append(line.waiting.popleft()[1])
        if ready:
            data = b"".join(ready)
            line.waiting_bytes -= len(data)
            self._effects.append(Write(line.number, data))
        if line.closing and not line.waiting:
            self._effects.append(Close(line.number))
            self.lost(line)

    def stalled(self, line: Line) -> bool:
        """Whether a fault keeps the line from being read and written."""
        return bool(self._faults.active) and self._faults.find(Kind.STALL, line.scope) is not None

    def next_deadline_ns(self) -> int | None:
        """When something that waits is due, in boot terms. What a fault holds up is due when the fault ends."""
        lines = [line for line in self._lines.values() if line.waiting and not line.blocked and not self.stalled(line)]
        return min((due_ns for line in lines if (due_ns := line.waiting[0][0])), default=None)


def garbled(raw: bytes) -> bytes:
    """The message with one byte of its body changed, so that CheckSum(10) does not fit any more."""
    middle = raw.rindex(b"\x0110=") - 1
    return raw[:middle] + bytes([raw[middle] ^ 1 or 1]) + raw[middle + 1 :]
