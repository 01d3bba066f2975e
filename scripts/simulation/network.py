"""The fake network: ZeroMQ pipes that lose what a dead peer held, and TCP streams that split, stall, break and lie.

Within one pipe or stream everything arrives in the order in which it was sent; between two of them nothing is promised
but the bounds of `Weather`. A message in a dead peer's pipe is gone, a PUB socket drops when full, a full PUSH refuses.
"""

import enum
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

from common.instant import Instant
from scripts.simulation.scheduler import Scheduler

SEND_BUFFER_BYTES = 65_536
USER_TIMEOUT_NS = 10_000_000_000
"""TCP_USER_TIMEOUT: a stream whose bytes are not acknowledged for so long is given up by the sender's host."""


class Weather:
    """How the network behaves for a while: delays in nanoseconds, and how often something is late or lost."""

    def __init__(self, random: Random) -> None:
        """Fair weather: 20 to 200 µs."""
        self.random = random
        self.least_ns = 20_000
        self.spread_ns = 180_000
        self.late_share = 0.0
        self.late_ns = 50_000_000
        self.lost_share = 0.0
        self.split_share = 0.0

    def delay_ns(self) -> int:
        """How long the next message is under way."""
        random = self.random.random
        delay = self.least_ns + int(random() * self.spread_ns)
        if self.late_share and random() < self.late_share:
            delay += int(random() * self.late_ns)
        return delay

    def loses(self) -> bool:
        """Whether a PUB socket drops the next message."""
        return self.lost_share > 0.0 and self.random.random() < self.lost_share

    def clear_up(self) -> None:
        """Fair weather again."""
        self.least_ns, self.spread_ns = 20_000, 180_000
        self.late_share = self.lost_share = self.split_share = 0.0


class Receiver(Protocol):
    """Whoever reads a channel: told when something is there."""

    def ready(self, channel: "Channel") -> None:
        """Something waits in `channel`."""


class Channel(Protocol):
    """What a process's poller watches."""

    def deliver(self, now: Instant) -> bool:
        """Hand the next waiting item to the core. False when nothing waits."""


class Pipe:
    """One direction between two sockets, for as long as both processes live and are connected."""

    __slots__ = (
        "_scheduler", "_weather", "_receiver", "_take", "_waiting", "_queued", "_high_water", "_last_ns", "_until_ns",
        "is_open", "lossy", "refuses",
    )  # fmt: skip

    def __init__(
        self,
        scheduler: Scheduler,
        weather: Weather,
        receiver: Receiver,
        take: Callable[[bytes, Instant], None],
        high_water: int,
        *,
        lossy: bool = False,
    ) -> None:
        """`take` gets each message in the receiver's turn. `lossy` is a PUB socket: a full or unlucky one drops.

        The next `refuses` messages find no room.
        """
        self._scheduler = scheduler
        self._weather = weather
        self._receiver = receiver
        self._take = take
        self._waiting: deque[bytes] = deque()
        self._queued = 0
        self._high_water = high_water
        self._last_ns = 0
        self._until_ns: int | None = None
        self.is_open = True
        self.lossy = lossy
        self.refuses = 0

    def send(self, data: bytes) -> bool:
        """Queue one message. False when the pipe is closed or full: NOBLOCK would have failed."""
        if not self.is_open:
            return False
        if self.lossy and self._weather.loses():
            return True
        if self._queued >= self._high_water:
            return self.lossy
        if self.refuses:
            self.refuses -= 1
            return False
        self._queued += 1
        arrival = self._scheduler.now_ns + self._weather.delay_ns()
        self._last_ns = arrival = max(arrival, self._last_ns)
        self._scheduler.at(arrival, self._arrive, data)
        return True

    def _arrive(self, data: bytes) -> None:
        if self._until_ns is not None and self._scheduler.now_ns >= self._until_ns:
            return
        self._waiting.append(data)
        self._receiver.ready(self)

    def deliver(self, now: Instant) -> bool:
        """See `Channel`."""
        if not self._waiting:
            return False
        self._queued -= 1
        self._take(self._waiting.popleft(), now)
        return True

    def end(self, linger_ns: int) -> int:
        """One side is gone: what arrives within `linger_ns` had left already, the rest is lost. Returns until when
        something may arrive."""
        self.is_open = False
        self._until_ns = self._scheduler.now_ns + linger_ns
        return min(self._last_ns, self._until_ns)


class TcpEnd(Protocol):
    """A process's end of a TCP stream."""

    def ready(self, channel: Channel) -> None:
        """Something waits in `channel`."""

    def tcp_opened(self, connection: int, now: Instant) -> None:
        """The stream is there."""

    def tcp_data(self, connection: int, data: bytes, now: Instant) -> None:
        """Bytes came in."""

    def tcp_closed(self, connection: int, text: str, now: Instant) -> None:
        """The stream is over."""

    def tcp_writable(self, connection: int, now: Instant) -> None:
        """Room again in the send buffer."""


class Sign(enum.Enum):
    """What else than bytes and a closing text a socket tells its reader."""

    OPENED = enum.auto()
    WRITABLE = enum.auto()


class Flow:
    """One direction of a TCP stream and the reading end of it."""

    def __init__(self, stream: "TcpStream", reader: TcpEnd, number: int) -> None:
        """`number` is what the reading process calls the stream."""
        self.stream = stream
        self.reader = reader
        self.number = number
        self.under_way_bytes = 0
        self.unsent = b""
        self.reads = True
        self.under_way: deque[tuple[int, bytes | str]] = deque()
        self._waiting: deque[bytes | str | Sign] = deque()

    def put(self, item: bytes | str | Sign) -> None:
        """Data, a closing text or a sign has come to the reader's socket."""
        self._waiting.append(item)
        self.reader.ready(self)

    def deliver(self, now: Instant) -> bool:
        """See `Channel`."""
        if not self._waiting or not self.reads:
            return False
        item = self._waiting.popleft()
        if item is Sign.WRITABLE:
            self.reader.tcp_writable(self.number, now)
        elif item is Sign.OPENED:
            self.reader.tcp_opened(self.number, now)
        elif isinstance(item, bytes):
            self.reader.tcp_data(self.number, item, now)
        else:
            self.reads = False
            self.reader.tcp_closed(self.number, str(item), now)
        return True


class TcpStream:
    """A connection between two processes. `forward` is read by the server, `backward` by the client."""

    def __init__(
        self, scheduler: Scheduler, weather: Weather, client: TcpEnd, client_number: int, server: TcpEnd,
        server_number: int,
    ) -> None:  # fmt: skip
        """Both ends are open and are yet to be told."""
        self._scheduler = scheduler
        self._weather = weather
        self.forward = Flow(self, server, server_number)
        self.backward = Flow(self, client, client_number)
        self.alive = True
        self.swallows = False
        self.tells_both = False
        """Whether what one end finds out is told to the other too, as it was in plans of the first version."""

        self.stalled_until_ns = 0

    def open(self) -> None:
        """Tell the server, then the client."""
        self._scheduler.after(self._weather.delay_ns(), self._accept)

    def _accept(self) -> None:
        self.forward.put(Sign.OPENED)
        self._scheduler.after(self._weather.delay_ns(), self.backward.put, Sign.OPENED)

    def outgoing(self, end: TcpEnd) -> Flow:
        """The flow that `end` writes to."""
        return self.forward if self.backward.reader is end else self.backward

    def incoming(self, end: TcpEnd) -> Flow:
        """The flow that `end` reads."""
        return self.backward if self.backward.reader is end else self.forward

    def write(self, end: TcpEnd, data: bytes) -> bool:
        """Give bytes to the socket; False when it did not take all (the rest stays with the writing process)."""
        flow = self.outgoing(end)
        flow.unsent += data
        return self._push(flow)

    def _push(self, flow: Flow) -> bool:
        if not self.alive:
            flow.unsent = b""
            return True
        room = SEND_BUFFER_BYTES - flow.under_way_bytes
        chunk, flow.unsent = flow.unsent[:room], flow.unsent[room:]
        if chunk:
            flow.under_way_bytes += len(chunk)
            for piece in self._pieces(chunk):
                self._dispatch(flow, piece)
            if self.swallows:
                self._scheduler.after(USER_TIMEOUT_NS, self._give_up, flow)
        return not flow.unsent

    def _dispatch(self, flow: Flow, item: bytes | str) -> None:
        due_ns = self._scheduler.now_ns + self._weather.delay_ns()
        if flow.under_way:
            due_ns = max(due_ns, flow.under_way[-1][0])
        flow.under_way.append((due_ns, item))
        self._scheduler.at(due_ns, self._pump, flow)

    def _pieces(self, chunk: bytes) -> list[bytes]:
        weather = self._weather
        if not weather.split_share or len(chunk) < 2 or weather.random.random() >= weather.split_share:
            return [chunk]
        cut = weather.random.randrange(1, len(chunk))
        return [chunk[:cut], chunk[cut:]]

    def _pump(self, flow: Flow) -> None:
        """Whatever is due arrives, in the order in which it was sent."""
        now_ns = self._scheduler.now_ns
        if now_ns < self.stalled_until_ns:
            self._scheduler.at(self.stalled_until_ns, self._pump, flow)
            return
        while flow.under_way and flow.under_way[0][0] <= now_ns and self.alive and not self.swallows:
            _, item = flow.under_way.popleft()
            if isinstance(item, str):
                self.alive = False
                flow.put(item)
                return
            flow.under_way_bytes -= len(item)
            flow.put(item)
        if flow.unsent and self.alive:
            back = self.backward if flow is self.forward else self.forward
            if self._push(flow):
                back.put(Sign.WRITABLE)

    def _give_up(self, flow: Flow) -> None:
        """The host of the writer of `flow` has waited long enough for the other's word; only the writer is told."""
        back = self.backward if flow is self.forward else self.forward
        if not self.alive or not self.swallows:
            return
        if self.tells_both:
            self.cut("TCP_USER_TIMEOUT")
        elif back.reads:
            back.put("TCP_USER_TIMEOUT")

    def stall(self, for_ns: int) -> None:
        """Nothing arrives for a while, in either direction; then everything does."""
        self.stalled_until_ns = max(self.stalled_until_ns, self._scheduler.now_ns + for_ns)

    def swallow(self) -> None:
        """Half-open: from now on nothing arrives, and an end is told nothing until its own bytes have waited too long
        for an answer. What is under way waits already.
        """
        self.swallows = True
        if self.tells_both:
            self._scheduler.after(3 * USER_TIMEOUT_NS, self._give_up, self.forward)
            return
        for flow in (self.forward, self.backward):
            if flow.under_way:
                self._scheduler.after(USER_TIMEOUT_NS, self._give_up, flow)

    def cut(self, text: str) -> None:
        """Reset: what is under way is lost and both ends hear of it, each in its time."""
        if not self.alive:
            return
        self.alive = False
        for flow in (self.forward, self.backward):
            self._scheduler.after(self._weather.delay_ns(), flow.put, text)

    def close(self, end: TcpEnd, text: str = "closed by the peer") -> None:
        """`end` closes, or its process died: the other reads what the socket had taken, then the end of the stream."""
        self.incoming(end).reads = False
        if not self.alive or self.swallows:
            return
        flow = self.outgoing(end)
        flow.unsent = b""
        self._dispatch(flow, text)

    def break_off(self, end: TcpEnd, text: str) -> None:
        """`end` is gone at once, with what was under way: the other hears of it if anything arrives at all."""
        self.incoming(end).reads = False
        if self.tells_both or not self.swallows:
            self.cut(text)

    def resume(self, *, is_mended: bool = True) -> None:
        """The path is well again: no stall any more; what a stream swallowed stays lost, and where it `is_mended`, both
        ends hear at once that the stream is gone.
        """
        self.stalled_until_ns = 0
        if self.swallows and is_mended:
            self.cut("the peer knows nothing of this stream")
        for flow in (self.forward, self.backward):
            self._pump(flow)
