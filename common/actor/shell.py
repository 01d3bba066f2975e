"""The one shell of all actors: sockets, poller, clocks, disk reads and the log file around a pure core.

A turn is a plain sum of bounded steps: poll; read the clocks once; drain every ready socket up to `DRAIN_MESSAGES`;
run the timer if it is due; `turn_ended`; carry out the effects in the core's order. Nothing here decides anything: a
message that does not decode is counted, kept for inspection and dropped; a send that finds no room comes back to the
core as `undelivered`.

Exit status: what the core's `Exit` says; 1 when another process holds the actor's lock, the core raised or the disk did
not let the log be read; 7 when what the log holds cannot be gone on from.
"""

import os
import queue
import signal
import socket
import ssl
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec
import orjson
import zmq
import zmq.backend

from common.actor.core import (
    LONG_TURN_NS,
    STOOD_STILL_NS,
    Call,
    Close,
    Connect,
    Core,
    Effect,
    Exit,
    HostWorked,
    Note,
    Publish,
    ReadLog,
    Send,
    Write,
)
from common.actor.curve import Curve, bind, join
from common.actor.dialling import Dialler, Way
from common.actor.logs import ActorLog
from common.actor.process import begin_collecting, read_clocks, take_lock
from common.actor.sends import Sends
from common.actor.tcp import Connection, ConnectionLost, Endpoint, Listener, Phase, listen, prepare
from common.actor.unread import status_of_unread
from common.instant import NS_PER_MS, Instant
from common.journal.errors import BadFrame, JournalError, NotThere
from common.journal.frames import Record
from common.journal.reader import READ_BYTES
from common.link_roles import OPERATOR
from common.messages import (
    MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES,
    UNDECODABLE,
    ControlAnswer,
    ControlRequest,
    Door,
    cut,
    encode,
)
from common.soundness import SoundDoor

DRAIN_MESSAGES = 512
"""Messages taken from one socket in one turn: enough to batch well, few enough that a flood leaves the other sockets
their turn.
"""

QUEUE_MESSAGES = 10_000
"""High-water mark of DEALER, ROUTER and SUB pipes. PUSH has its own, small one, so that back-pressure is seen."""

PUSH_QUEUE_MESSAGES = 1_000
LONGEST_POLL_MS = 1_000

KEPT_GARBAGE = 8
GARBAGE_BYTES = 256
RUN_MESSAGES = 64
"""So many messages go out as one at most."""

STOOD_STILL = "this process stood still: another host may have taken over meanwhile"

_RCVMORE, _EVENTS = int(zmq.RCVMORE), int(zmq.EVENTS)
_POLLIN, _POLLOUT = int(zmq.POLLIN), int(zmq.POLLOUT)
_LAST, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
"""As plain numbers: the enumeration's members cost a look-up each time."""

_send_part = zmq.backend.Socket.send
"""One part of a message, without the sugar around it, which costs five times as much as the call itself."""

CONTROL = "control"
ROLE_END = b"\n"
"""Between a peer's role and its routing id."""

LogReader = Callable[[int, int, int], Sequence[Record]]
"""(from_lsn, upto_lsn, max_bytes) -> records; the journal's files are its business."""


def runs(effects: Iterable[Effect]) -> Iterator[list[Effect]]:
    """The effects in order, those together that go the same way one after the other: one call, one wake-up each."""
    run: list[Effect] = []
    for effect in effects:
        if run and (len(run) == RUN_MESSAGES or not _same_way(run[0], effect)):
            yield run
            run = []
        run.append(effect)
    if run:
        yield run


def _same_way(first: Effect, second: Effect) -> bool:
    if isinstance(first, Write):
        return isinstance(second, Write) and first.connection == second.connection
    return (
        isinstance(first, Send) and isinstance(second, Send) and first.link == second.link and first.peer == second.peer
    )


class WorkerEnded(Exception):
    """The worker thread has ended by an error, and with it the process."""


class _Link:
    """One ZeroMQ socket with the decoder of what may come in over it."""

    def __init__(
        self, name: str, sock: "zmq.Socket[bytes]", accepts: object | None, *, routed: bool, max_bytes: int
    ) -> None:
        self.name = name
        self.socket = sock
        self.routed = routed
        self.with_roles = False
        self.raw = accepts is None
        door: type[Door] = SoundDoor if sock.type in (zmq.SUB, zmq.PULL) else Door
        self.decoder = None if accepts is None else door(accepts, max_bytes)
        self.garbage = 0


class Shell:
    """Runs one core until it exits. Declare the links, then `run`."""

    def __init__(self, core: Core, run_folder: Path, log: ActorLog, curve: Curve | None = None) -> None:
        """Takes the actor's lock (raises AlreadyRunning) and binds its control link; `curve` is for tcp endpoints."""
        self.core = core
        self._lock = take_lock(run_folder, core.name)
        self._run_folder = run_folder
        self.log = log
        self._curve = curve
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAX_SOCKETS, 256)
        self._poller = zmq.Poller()
        self._links: dict[str, _Link] = {}
        self._incoming: dict[zmq.Socket[bytes], _Link] = {}
        self._descriptors: dict[int, Callable[[Instant, int], None]] = {}
        self._connections: dict[int, Connection] = {}
        self._targets: dict[str, Endpoint] = {}
        self._host_index: dict[str, int] = {}
        self._accepted = 0
        self._read_log: LogReader | None = None
        self._reads: deque[ReadLog] = deque()
        self._workers: dict[str, queue.SimpleQueue[Call | None]] = {}
        self._done: deque[tuple[int, msgspec.Struct]] = deque()
        self._worker_failure: Exception | None = None
        self._ends_what_stood_still = False
        self._dialler = Dialler(lambda: self._waker.send(b"d"))
        self._looked_for: set[int] = set()
        self._exit: Exit | None = None
        self._started_ns = time.time_ns()
        self._garbage: deque[tuple[str, str, str]] = deque(maxlen=KEPT_GARBAGE)
        self._perform: dict[type, Callable[[Effect], None]] = {
            Publish: self._publish,
            ReadLog: self._queue_read,
            Connect: self._connect,
            HostWorked: self._host_worked,
            Close: self._close,
            Call: self._call,
            Exit: self._end,
            Note: self._note,
        }
        self._now = read_clocks()
        self._held: set[int] = set()
        self._sends = Sends(core, self._send)
        self._wake, self._waker = socket.socketpair()
        self._stop_asked = False
        self._on_demand: Callable[[str], None] | None = None
        if curve is not None:
            curve.on_notes(lambda: self._waker.send(b"l"))
        self.bind_router(CONTROL, f"ipc://{run_folder}/control.{core.name}", ControlRequest, MAX_REQUEST_BYTES)

    # ---- links ----
    def _open(
        self,
        name: str,
        kind: int,
        accepts: object | None,
        *,
        routed: bool = False,
        max_bytes: int = 32 * MAX_MESSAGE_BYTES,
    ) -> "zmq.Socket[bytes]":
        sock = self._context.socket(kind)
        sock.setsockopt(zmq.LINGER, 0)
        # What is larger than its link takes is answered or counted; beyond this the peer's connection ends.
        sock.setsockopt(zmq.MAXMSGSIZE, max(max_bytes, MAX_MESSAGE_BYTES))
        sock.setsockopt(zmq.SNDHWM, QUEUE_MESSAGES)
        sock.setsockopt(zmq.RCVHWM, QUEUE_MESSAGES)
        link = _Link(name, sock, accepts, routed=routed, max_bytes=max_bytes)
        self._links[name] = link
        if kind not in (zmq.PUSH, zmq.PUB):
            self._incoming[sock] = link
            self._poller.register(sock, zmq.POLLIN)
        return sock

    def bind_router(
        self, name: str, endpoint: str, accepts: object, max_bytes: int = MAX_MESSAGE_BYTES, *, with_roles: bool = False
    ) -> None:
        """A ROUTER for many peers; a restarted peer takes over its routing id. No larger message is taken.

        `with_roles`: the core's peers bear the role that their key has proved; see `role_of`.
        """
        sock = self._open(name, zmq.ROUTER, accepts, routed=True, max_bytes=max_bytes)
        sock.setsockopt(zmq.ROUTER_MANDATORY, 1)
        sock.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._links[name].with_roles = with_roles
        self._bind(sock, endpoint)

    def connect_dealer(
        self, name: str, endpoint: str, accepts: object, identity: str = "", *, only_to_living: bool = False
    ) -> None:
        """A DEALER to one ROUTER, under the actor's name unless `identity` says another. `only_to_living`: nothing is
        queued for one that is not there, and the core is told so.
        """
        sock = self._open(name, zmq.DEALER, accepts)
        sock.setsockopt(zmq.IMMEDIATE, int(only_to_living))
        sock.setsockopt(zmq.ROUTING_ID, (identity or self.core.name).encode())
        sock.setsockopt(zmq.RECONNECT_IVL, 20)
        sock.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        self._join(sock, endpoint)

    def connects_on_demand(self, connect: Callable[[str], None]) -> None:
        """A link that the core sends over and nobody has declared is declared then: `connect` is given its name."""
        self._on_demand = connect

    def connect_push(self, name: str, endpoint: str) -> None:
        """A command path: at most once, small queue, nothing queued for a peer that is not there."""
        sock = self._open(name, zmq.PUSH, None)
        sock.setsockopt(zmq.IMMEDIATE, 1)
        sock.setsockopt(zmq.SNDHWM, PUSH_QUEUE_MESSAGES)
        sock.setsockopt(zmq.RECONNECT_IVL, 20)
        sock.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        self._join(sock, endpoint)

    def bind_pull(self, name: str, endpoint: str, accepts: object) -> None:
        """The receiving end of command paths."""
        self._bind(self._open(name, zmq.PULL, accepts, max_bytes=MAX_REQUEST_BYTES), endpoint)

    def bind_publisher(self, name: str, endpoint: str) -> None:
        """A PUB socket; it drops for a subscriber that does not keep up."""
        self._bind(self._open(name, zmq.PUB, None), endpoint)

    def subscribe_stream(self, endpoint: str, name: str = "stream") -> None:
        """The journal's stream of frames: blocks go to `core.followed`."""
        self._subscribe(name, [endpoint], None)

    def subscribe(self, name: str, endpoints: Sequence[str], accepts: object) -> None:
        """A feed of decoded messages from any number of publishers."""
        self._subscribe(name, endpoints, accepts)

    def bind_subscriber(self, name: str, endpoint: str, accepts: object | None) -> None:
        """A SUB that publishers connect to. With `accepts` None its messages are raw bytes, for `core.followed`."""
        sock = self._open(name, zmq.SUB, accepts)
        sock.setsockopt(zmq.SUBSCRIBE, b"")
        self._bind(sock, endpoint)

    def _subscribe(self, name: str, endpoints: Sequence[str], accepts: object | None) -> None:
        sock = self._open(name, zmq.SUB, accepts)
        sock.setsockopt(zmq.RECONNECT_IVL, 20)
        sock.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        sock.setsockopt(zmq.SUBSCRIBE, b"")
        for endpoint in endpoints:
            self._join(sock, endpoint)

    def _bind(self, sock: "zmq.Socket[bytes]", endpoint: str) -> None:
        bind(sock, endpoint, self._curve)

    def _join(self, sock: "zmq.Socket[bytes]", endpoint: str) -> None:
        join(sock, endpoint, self._curve)

    def target(self, name: str, endpoint: Endpoint) -> None:
        """What `Connect(target=name)` means. Hosts are tried in turn; `HostWorked` keeps the one that answers."""
        self._targets[name] = endpoint
        self._host_index[name] = 0

    def listen(self, name: str, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Accept connections for the core's `listener` of that name."""
        listener = listen(name, host, port, tls)
        self._poller.register(listener.socket, zmq.POLLIN)
        self._descriptors[listener.socket.fileno()] = lambda now, _: self._accept(listener, now)

    def log_reader(self, read: LogReader) -> None:
        """How `ReadLog` reads the journal."""
        self._read_log = read

    def end_what_stood_still(self) -> None:
        """Another host may take over: a process that stood still ends its connections before it writes anything."""
        self._ends_what_stood_still = True

    def worker(self, function: Callable[[msgspec.Struct], msgspec.Struct], name: str = "") -> None:
        """The blocking function that a `Call` to the worker of that name runs, in a thread of its own."""
        work: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._workers[name] = work
        threading.Thread(target=self._labour, args=(function, work), name=name or "worker", daemon=True).start()

    # ---- turns ----
    def run(self) -> int:
        """Run until the core exits; returns the exit status."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._poller.register(self._wake, zmq.POLLIN)
        self._descriptors[self._wake.fileno()] = lambda now, _: self._woken(now)
        try:
            self._now = read_clocks()
            self.core.started(self._now)
            self._settle()
            begin_collecting()
            while self._exit is None:
                self._turn()
        except Exception:
            self._now = read_clocks()
            self.log.write("error", "crashed", {"traceback": traceback.format_exc()}, self._now)
            traceback.print_exc()
            return 1
        finally:
            self._close_all()
        return self._exit.status

    def _turn(self) -> None:
        """Poll, drain, time, settle."""
        deadline = self.core.next_deadline_ns()
        wait_ms = self._poll_ms(deadline)
        awake_ns = self._now.boot_ns + wait_ms * NS_PER_MS
        ready = self._poller.poll(wait_ms)
        now = self._now = read_clocks()
        if now.boot_ns - awake_ns >= STOOD_STILL_NS:
            self._stood_still(now)
        for sock, event in ready:
            if isinstance(sock, int):
                self._descriptors[sock](now, event)
            else:
                self._drain(self._incoming[sock], now)
        if self._reads:
            self._read_once(now)
        if deadline is not None and deadline <= now.boot_ns:
            self.core.timer(now)
        self._settle()

    def _stood_still(self, now: Instant) -> None:
        """What was to be written before is too late, where another host may have gone on: the connections end."""
        self.log.write("warning", "stood_still", {}, now)
        if self._ends_what_stood_still:
            for connection in list(self._connections.values()):
                self._lost(connection, STOOD_STILL, now)
        self.core.stood_still(now)

    def _poll_ms(self, deadline: int | None) -> int:
        if self._reads:
            return 0
        if deadline is None:
            return LONGEST_POLL_MS
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if boot_ns - self._now.boot_ns > LONG_TURN_NS:
            self.core.turn_was_long(boot_ns - self._now.boot_ns, self._now)
        left = deadline - boot_ns
        return max(0, min(LONGEST_POLL_MS, -(-left // NS_PER_MS)))

    def _drain(self, link: _Link, now: Instant) -> None:
        """What is at hand, bounded. Each part of a ZeroMQ message is one of ours; a ROUTER's first is the peer."""
        sock, receive, routed = link.socket, link.socket.recv, link.routed
        peer = b""
        for taken in range(DRAIN_MESSAGES):
            try:
                if routed:
                    peer = _peer_with_role(sock) if link.with_roles else receive(zmq.NOBLOCK)
                self._deliver(link, peer, receive(zmq.NOBLOCK), now)
                while routed and sock.get(_RCVMORE):
                    self._deliver(link, peer, receive(zmq.NOBLOCK), now)
            except zmq.Again:
                return
            # Mostly there is one message: to ask is cheaper then than to be refused.
            if not taken and not cast(int, sock.get(_EVENTS)) & _POLLIN:
                return

    def _deliver(self, link: _Link, peer: bytes, data: bytes, now: Instant) -> None:
        if link.decoder is None:
            try:
                self.core.followed(data, now)
            except BadFrame as error:
                self._count_garbage(link, data, str(error))
            return
        try:
            message = link.decoder.decode(data)
        except UNDECODABLE as error:
            self._count_garbage(link, data, str(error))
            if link.name == CONTROL:
                text = f"the request is not read: {cut(str(error))}"
                self._send([Send(CONTROL, ControlAnswer(0, False, text), peer)])
            else:
                self.core.not_read(link.name, peer, data, str(error), now)
            return
        if link.name == CONTROL and self._answer_control(peer, message, now):
            return
        self.core.received(link.name, peer, message, now)

    def _count_garbage(self, link: _Link, data: bytes, why: str) -> None:
        link.garbage += 1
        self._garbage.append((link.name, why, data[:GARBAGE_BYTES].hex()))
        if link.garbage & (link.garbage - 1) == 0:
            self.log.write("warning", "garbage", {"link": link.name, "why": why, "count": link.garbage}, self._now)

    def _settle(self) -> None:
        """End the turn and carry out effects until none is left; carrying out may bring the core more to say."""
        now, core = self._now, self.core
        core.turn_ended(now)
        while core.effects:
            effects, core.effects = core.effects, []
            self._held.clear()
            self._sends.begin_pass()
            for run in runs(effects):
                first = run[0]
                if isinstance(first, Send):
                    self._sends.send(cast(list[Send], run), self._now)
                elif isinstance(first, Write):
                    self._write_in_time(cast(list[Write], run))
                else:
                    self._perform[type(first)](first)
            core.turn_ended(now)

    # ---- effects ----
    def _send(self, run: Sequence[Send]) -> bool:
        """Sends over one link to one peer, as parts of one ZeroMQ message: one wake-up, taken as a whole or not."""
        if run[0].link not in self._links and self._on_demand is not None:
            self._on_demand(run[0].link)
        link = self._links[run[0].link]
        *parts, last = [encode(send.message) for send in run]
        # A socket that took the first part takes the rest: there is room, or no such peer, for the whole or for none.
        try:
            if link.routed:
                peer = run[0].peer.partition(ROLE_END)[2] if link.with_roles else run[0].peer
                _send_part(link.socket, peer, _MORE)
            for part in parts:
                _send_part(link.socket, part, _MORE)
            _send_part(link.socket, last, _LAST)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            return False
        return True

    def _publish(self, effect: Effect) -> None:
        assert isinstance(effect, Publish)
        _send_part(self._links[effect.link].socket, effect.data, _LAST)

    def _queue_read(self, effect: Effect) -> None:
        assert isinstance(effect, ReadLog)
        self._reads.append(effect)

    def _read_once(self, now: Instant) -> None:
        """One bounded chunk a turn, so that a long replay never keeps the sockets waiting."""
        if self._read_log is None:
            raise RuntimeError(f"{self.core.name}: reads the log but was given no reader")
        read = self._reads.popleft()
        try:
            records: Sequence[Record] = self._read_log(read.from_lsn, read.upto_lsn, READ_BYTES)
        except NotThere:
            records = []
        except JournalError as error:
            # Damage, or what this actor needs was dropped and it found no snapshot, or the disk says no for now.
            self._end(Exit(status_of_unread(error), f"{self.core.name}: reading the log: {error}"))
            return
        self.core.log_read(records, now)

    def _end(self, effect: Effect) -> None:
        assert isinstance(effect, Exit)
        self.log.write(
            "info" if effect.status == 0 else "error", "exit", {"status": effect.status, "why": effect.text}, self._now
        )
        if effect.status:
            print(f"{self.core.name}: {effect.text}", file=sys.stderr, flush=True)
        if self._exit is None:
            self._exit = effect

    def _note(self, effect: Effect) -> None:
        assert isinstance(effect, Note)
        self.log.write(effect.level, effect.event, effect.fields, self._now)

    def _call(self, effect: Effect) -> None:
        assert isinstance(effect, Call)
        if effect.worker not in self._workers:
            raise RuntimeError(f"{self.core.name}: calls a worker {effect.worker!r} but was given none")
        self._workers[effect.worker].put(effect)

    def _labour(
        self, function: Callable[[msgspec.Struct], msgspec.Struct], work: "queue.SimpleQueue[Call | None]"
    ) -> None:
        """A worker's thread: one call at a time, its result handed to the loop; how it ends goes there too."""
        try:
            while (call := work.get()) is not None:
                self._done.append((call.number, function(call.argument)))
                self._waker.send(b"w")
        except Exception as error:
            self._worker_failure = error
            self._waker.send(b"w")

    # ---- TCP ----

    def _connect(self, effect: Effect) -> None:
        assert isinstance(effect, Connect)
        endpoint = self._targets[effect.target]
        index = self._host_index[effect.target]
        self._host_index[effect.target] = index + 1
        address = endpoint.hosts[index % len(endpoint.hosts)]
        way = self._dialler.find(effect.connection, endpoint, address)
        if way is None:
            self._looked_for.add(effect.connection)
        else:
            self._go(way)

    def _go(self, way: Way) -> None:
        """Begin the connection, or say why it cannot."""
        try:
            if way.why_not:
                raise ConnectionLost(way.why_not)
            connection = Connection.to(way.connection, way.address, way.endpoint)
        except ConnectionLost as error:
            self.core.closed(way.connection, str(error), self._now)
            return
        self._adopt(connection)

    def _host_worked(self, effect: Effect) -> None:
        assert isinstance(effect, HostWorked)
        self._host_index[effect.target] = max(0, self._host_index[effect.target] - 1)

    def _adopt(self, connection: Connection) -> None:
        self._connections[connection.number] = connection
        self._descriptors[connection.fileno()] = lambda now, event: self._stream_ready(connection, event, now)
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        self._poller.register(connection.fileno(), zmq.POLLIN | (zmq.POLLOUT if connection.wants_write else 0))

    def _accept(self, listener: Listener, now: Instant) -> None:
        for _ in range(DRAIN_MESSAGES):
            try:
                stream, _ = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self.log.write("warning", "accept", {"listener": listener.name, "error": str(error)}, now)
                return
            self._welcome(listener, stream, now)

    def _welcome(self, listener: Listener, stream: socket.socket, now: Instant) -> None:
        prepare(stream)
        self._accepted += 1
        connection = Connection(self._accepted, stream, Phase.OPEN, listener.name)
        try:
            if listener.tls is not None:
                connection.start_tls(listener.tls, server_side=True)
        except (OSError, ssl.SSLError) as error:
            self.log.write("warning", "accept", {"listener": listener.name, "error": str(error)}, now)
            connection.close()
            return
        self._adopt(connection)
        if connection.phase is Phase.OPEN:
            self.core.accepted(connection.number, listener.name, now)

    def _stream_ready(self, connection: Connection, event: int, now: Instant) -> None:
        try:
            if connection.phase in (Phase.CONNECTING, Phase.SHAKING_HANDS):
                if connection.progress():
                    self._opened(connection, now)
                self._watch(connection)
                return
            if event & _POLLOUT and connection.wants_write:
                self._flushed(connection, now)
            if event & ~_POLLOUT and connection.phase is Phase.OPEN:
                data = connection.receive()
                if data:
                    self.core.data(connection.number, data, now)
                if connection.ended:
                    self._lost(connection, connection.ended, now)
        except ConnectionLost as error:
            self._lost(connection, str(error), now)

    def _opened(self, connection: Connection, now: Instant) -> None:
        if connection.listener:
            self.core.accepted(connection.number, connection.listener, now)
        else:
            self.core.connected(connection.number, now)

    def _flushed(self, connection: Connection, now: Instant) -> None:
        connection.flush()
        if connection.wants_write:
            return
        if connection.phase is Phase.CLOSING:
            self._drop(connection)
            return
        self._watch(connection)
        self.core.writable(connection.number, now)

    def _write_in_time(self, run: Sequence[Write]) -> None:
        """Write what is not too late: this process may have stood still since the turn began. Behind the first that
        is, nothing of the connection leaves in this turn.
        """
        number, in_time = run[0].connection, 0 if run[0].connection in self._held else len(run)
        if self._ends_what_stood_still or any(write.by_boot_ns for write in run):
            began, self._now = self._now, read_clocks()
            if self._ends_what_stood_still and self._now.boot_ns - began.boot_ns >= STOOD_STILL_NS:
                self._stood_still(self._now)
                return
            late = (i for i, write in enumerate(run) if 0 < write.by_boot_ns < self._now.boot_ns)
            in_time = min(in_time, next(late, in_time))
        if in_time:
            self._write(number, b"".join([write.data for write in run[:in_time]]))
        if in_time < len(run):
            self._held.add(number)
            self.core.unwritten(number, run[in_time:], self._now)

    def _write(self, number: int, data: bytes) -> None:
        connection = self._connections.get(number)
        if connection is None:
            return
        was_blocked = connection.wants_write
        try:
            connection.write(data)
        except ConnectionLost as error:
            self._lost(connection, str(error), self._now)
            return
        if connection.wants_write and not was_blocked:
            self._watch(connection)
            self.core.blocked(connection.number, self._now)

    def _close(self, effect: Effect) -> None:
        assert isinstance(effect, Close)
        self._looked_for.discard(effect.connection)
        connection = self._connections.get(effect.connection)
        if connection is None:
            return
        if connection.unsent:
            connection.phase = Phase.CLOSING
            return
        self._drop(connection)

    def _lost(self, connection: Connection, text: str, now: Instant) -> None:
        was_closing = connection.phase is Phase.CLOSING
        was_known = connection.phase is Phase.OPEN or not connection.listener
        self._drop(connection)
        if was_known and not was_closing:
            self.core.closed(connection.number, text, now)

    def _drop(self, connection: Connection) -> None:
        if self._connections.pop(connection.number, None) is None:
            return
        self._poller.unregister(connection.fileno())
        del self._descriptors[connection.fileno()]
        connection.close()

    # ---- control, signals ----
    def _answer_control(self, peer: bytes, request: ControlRequest, now: Instant) -> bool:
        """Answer what is every actor's own; True when that was all. No core sees arguments that are not a table."""
        arguments = _table(request.arguments)
        if arguments is None:
            answer = ControlAnswer(request.token, False, f"{request.act}: the arguments are not a JSON object")
            self._count_garbage(self._links[CONTROL], request.arguments, answer.text)
        elif request.act == "status":
            answer = ControlAnswer(request.token, True, detail=orjson.dumps(self._status(now), default=str))
        elif request.act == "log_level":
            level = str(arguments.get("level", ""))
            try:
                self.log.set_level(level)
            except KeyError:
                answer = ControlAnswer(
                    request.token, False, f"{level!r} is no log level; say debug, info, warning or error"
                )
            else:
                answer = ControlAnswer(request.token, True, f"log level {level}")
        else:
            return False
        self._send([Send(CONTROL, answer, peer)])
        return True

    def _status(self, now: Instant) -> dict[str, object]:
        return {
            "actor": self.core.name,
            "pid": os.getpid(),
            "uptime_s": round((now.wall_ns - self._started_ns) / 1e9, 1),
            "memory_bytes": _resident_bytes(),
            "log_level": self.log.level,
            "garbage": {link.name: link.garbage for link in self._links.values() if link.garbage},
            "garbage_kept": [list(kept) for kept in self._garbage],
            **({} if self._curve is None else links_told(self._curve)),
            **self.core.status(now),
        }

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stop_asked = True
        self._waker.send(b"s")

    def _woken(self, now: Instant) -> None:
        self._wake.recv(4096)
        if self._worker_failure is not None:
            # A loop without its worker would look alive and answer nobody.
            raise WorkerEnded(f"{self.core.name}: the worker has ended") from self._worker_failure
        if self._curve is not None:
            for note in self._curve.take_notes():
                self.log.write("warning", note.event, {"link": note.link, "text": note.text}, now)
        for way in self._dialler.take():
            # One that was closed meanwhile is nobody's any more.
            if way.connection in self._looked_for:
                self._looked_for.discard(way.connection)
                self._go(way)
        while self._done:
            number, result = self._done.popleft()
            self.core.call_finished(number, result, now)
        if self._stop_asked:
            self._stop_asked = False
            self.core.stop(now)

    def _close_all(self) -> None:
        """Leave: what was given to sockets may still go out for a short while, nothing is awaited."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        for link in self._links.values():
            link.socket.close(linger=200)
        if self._curve is not None:
            self._curve.close()
        self._context.term()
        for work in self._workers.values():
            work.put(None)
        self.log.close()
        os.close(self._lock)


def _peer_with_role(sock: "zmq.Socket[bytes]") -> bytes:
    """The next message's peer, behind the role that its key has proved. Raises zmq.Again."""
    frame = sock.recv(zmq.NOBLOCK, copy=False)
    try:
        role = frame.get("User-Id")
    except zmq.ZMQError:
        # A link without keys, which no other host reaches.
        role = OPERATOR
    return str(role).encode() + ROLE_END + frame.bytes


def role_of(peer: bytes) -> str:
    """The role of a peer of a link that was bound `with_roles`."""
    return peer.partition(ROLE_END)[0].decode()


def links_told(curve: Curve) -> dict[str, object]:
    """What an actor with links to other hosts says of them, where there is something to say."""
    told: dict[str, Mapping[str, object]] = {"turned_away": curve.turned_away, "cut_off": curve.cut_off}
    return {key: value for key, value in told.items() if value}


def _table(document: bytes) -> dict[str, object] | None:
    try:
        table = orjson.loads(document)
    except orjson.JSONDecodeError:
        return None
    return table if isinstance(table, dict) else None


def _resident_bytes() -> int:
    """The process's resident memory, from the kernel's own account."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
