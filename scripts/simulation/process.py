"""A simulated process: one real core, the sockets of its shell, and death at any instant.

A turn is the shell's own: read the clocks once, drain the sockets in some order up to a bound, the timer if it is due,
the end of the turn, then the effects in their order. A process dies between two turns, before any of its effects, or
inside any of its calls to the disk; what it had not sent then is gone, and its peers hear of it as from a real one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import NamedTuple, Protocol

import msgspec

from common.actor.core import (
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
from common.actor.sends import Sends
from common.instant import Instant
from common.journal.errors import BadFrame
from common.journal.frames import Record
from common.messages import MAX_MESSAGE_BYTES, UNDECODABLE, Door, encode
from scripts.simulation.disk import DiskFiles
from scripts.simulation.invariants import Violation
from scripts.simulation.network import Channel, Pipe, Receiver, TcpStream
from scripts.simulation.scheduler import HostClock, Scheduler

MAX_DRAIN = 512
NO_PROGRESS_TURNS = 2000
"""So many turns within 10 ms of time that only the timer asked for are a core that spins."""

BACKLOG_MESSAGES = 10_000
"""A DEALER's high-water mark: what it queues for a ROUTER that is not there."""


class Killed(BaseException):
    """The process dies here, inside a call that its core made."""


class CoreRaised(Exception):
    """A core raised, or asked for what no shell can do."""


class Binding(NamedTuple):
    """A socket of a process. `role` is router, pull, pub (they bind), dealer, push or sub (they connect).

    Without a `decoder` what comes in is blocks of the journal's stream.
    """

    link: str
    role: str
    endpoint: str
    decoder: Door | None = None


class Wire:
    """What joins one connecting socket with the bound one; its pipes exist while both processes live."""

    def __init__(self, connector: "Process", own: Binding, binder: "Process", its: Binding) -> None:
        """Down at first."""
        self.connector = connector
        self.own = own
        self.binder = binder
        self.its = its
        self.outward: Pipe | None = None
        self.inward: Pipe | None = None
        self.backlog: deque[bytes] = deque()

    def send(self, data: bytes) -> bool:
        """From the connecting side. A DEALER queues for a peer that is away, a PUSH (IMMEDIATE) does not."""
        if self.outward is not None:
            return self.outward.send(data)
        if self.own.role != "dealer" or len(self.backlog) >= BACKLOG_MESSAGES:
            return False
        self.backlog.append(data)
        return True


class Agenda:
    """Calls to the core that the shell makes by itself: log reads, a worker's results, refused connections, control."""

    def __init__(self, receiver: Receiver) -> None:
        """For one life of `receiver`."""
        self._receiver = receiver
        self._waiting: deque[Callable[[Instant], None]] = deque()

    def put(self, call: Callable[[Instant], None]) -> None:
        """Make the call in a turn to come."""
        self._waiting.append(call)
        self._receiver.ready(self)

    def deliver(self, now: Instant) -> bool:
        """See `Channel`."""
        if not self._waiting:
            return False
        self._waiting.popleft()(now)
        return True


class Surroundings(Protocol):
    """What a process needs of the world around it."""

    scheduler: Scheduler

    def connect_wires(self, process: "Process") -> None:
        """A process has started: its sockets bind and connect."""

    def cut_wires(self, process: "Process") -> None:
        """A process has died: its pipes are gone."""

    def died(self, process: "Process", status: int, text: str) -> None:
        """To whom it may concern (the supervisor)."""

    def connect(self, process: "Process", effect: Connect) -> None:
        """A process opens a TCP connection."""

    def call(self, process: "Process", effect: Call) -> None:
        """A process gives its worker something to do."""

    def reading_takes_ns(self, process: "Process") -> int:
        """How long a read of the journal takes the process."""

    def read_log(self, process: "Process", effect: ReadLog) -> Sequence[Record]:
        """What the shell's log reader finds."""

    def control_answered(self, process: "Process", effect: Send) -> None:
        """An answer over the control link."""

    def noted(self, process: "Process", effect: Note) -> None:
        """A line of the actor's log."""

    def published(self, process: "Process", effect: Publish) -> None:
        """Data about to be published."""

    def sending(self, process: "Process", effect: Send) -> None:
        """A message about to be sent."""

    def writing(self, process: "Process", effect: Write) -> None:
        """Bytes about to be given to a TCP connection."""

    def reading(self, process: "Process", connection: int, data: bytes) -> None:
        """Bytes about to be handed to a core."""

    def received(self, process: "Process", link: str, message: msgspec.Struct) -> None:
        """A message about to be handed to a core."""

    def turn_begins(self, process: "Process") -> None:
        """One more step."""

    def turn_ended(self, process: "Process") -> None:
        """All effects of a turn are carried out."""

    def trace(self, who: str, what: str, *detail: object) -> None:
        """A line of the timeline."""


class Process:
    """One actor's process over its lives. `core` is None while it is dead."""

    def __init__(
        self,
        world: Surroundings,
        name: str,
        clock: HostClock,
        random: Random,
        build: Callable[["Process"], Core],
        bindings: Iterable[Binding],
    ) -> None:
        """`build` makes the core of a new life."""
        self.world = world
        self.name = name
        self.clock = clock
        self.random = random
        self.bindings = tuple(bindings)
        self.core: Core | None = None
        self.life = 0
        self.started_ns = 0
        self.deaths = 0
        self.garbage = 0
        self.wires: list[Wire] = []
        self.by_link: dict[str, list[Wire]] = {}
        self.by_peer: dict[tuple[str, bytes], Wire] = {}
        self.streams: dict[int, TcpStream] = {}
        self.files: DiskFiles | None = None
        self.paused_until_ns = 0
        self.effects_left: int | None = None
        self.file_calls_left: int | None = None
        self.at_death: Callable[[], None] | None = None
        self.stopping = False
        self.agenda = Agenda(self)
        self._build = build
        self._listeners: dict[int, str] = {}
        self._calls = Agenda(self)
        self._reads = Agenda(self)
        self._ready: dict[Channel, None] = {}
        self._turn_ns: int | None = None
        self._turn_number = 0
        self._still_turns = 0
        self._still_since_ns = -1
        self._accepted = 1_000_000
        self._exit: Exit | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs (paused counts)."""
        return self.core is not None

    # ---- life and death

    def start(self) -> None:
        """Begin a new life."""
        if self.alive:
            return
        self.life += 1
        self.stopping = False
        self._ready, self.streams, self._listeners = {}, {}, {}
        self.agenda, self._calls, self._reads = Agenda(self), Agenda(self), Agenda(self)
        self.effects_left = self.file_calls_left = self._exit = self._turn_ns = None
        self.paused_until_ns = 0
        self.started_ns = self.world.scheduler.now_ns
        self.world.trace(self.name, "start", self.life)
        self._run(self._begin)

    def _begin(self, now: Instant) -> None:
        self.core = self._build(self)
        self.world.connect_wires(self)
        self.core.started(now)

    def kill(self, text: str) -> None:
        """SIGKILL, between two turns."""
        if self.alive:
            self._end(-9, text)

    def stop(self) -> None:
        """SIGTERM."""
        core = self.core
        if core is not None:
            self.stopping = True
            self.agenda.put(core.stop)

    def pause(self, for_ns: int) -> None:
        """SIGSTOP for a while."""
        self.paused_until_ns = self.world.scheduler.now_ns + for_ns

    def wake(self) -> None:
        """SIGCONT."""
        self.paused_until_ns = 0
        if self.core is not None:
            self._turn_ns = None
            self._plan_next(self.core)

    def file_called(self) -> None:
        """The core is about to make a call to the disk: it may be its last."""
        if self.file_calls_left is not None:
            self.file_calls_left -= 1
            if self.file_calls_left < 0:
                raise Killed("inside a call to the disk")

    def _end(self, status: int, text: str) -> None:
        self.world.trace(self.name, "died", status, text)
        self.core = None
        self.deaths += 1
        self._ready = {}
        self._turn_ns = None
        self.world.cut_wires(self)
        for stream in self.streams.values():
            if status >= 0 or self.random.random() < 0.5:
                stream.close(self)
            else:
                stream.break_off(self, "reset by the peer")
        self.streams = {}
        self.world.died(self, status, text)
        at_death, self.at_death = self.at_death, None
        if at_death is not None:
            at_death()

    # ---- turns

    def ready(self, channel: Channel) -> None:
        """See `Receiver`."""
        if self.core is not None:
            self._ready[channel] = None
            self._plan(self.world.scheduler.now_ns + int(self.random.random() * 20_000))

    def _plan(self, at_ns: int) -> None:
        at_ns = max(at_ns, self.paused_until_ns)
        if self._turn_ns is None or at_ns < self._turn_ns:
            self._turn_ns = at_ns
            self._turn_number += 1
            self.world.scheduler.at(at_ns, self._turn, self._turn_number)

    def _plan_next(self, core: Core) -> None:
        now_ns = self.world.scheduler.now_ns
        if self._ready:
            self._plan(now_ns + 1000)
        deadline_ns = core.next_deadline_ns()
        if deadline_ns is not None:
            late_ns = int(self.random.random() * 200_000)
            self._plan(max(self.clock.scheduler_ns(deadline_ns) + late_ns, now_ns + 1000))

    def _turn(self, number: int) -> None:
        if number != self._turn_number or self._turn_ns is None or self.core is None:
            return
        self._turn_ns = None
        if self.world.scheduler.now_ns < self.paused_until_ns:
            self._plan(self.paused_until_ns)
            return
        self.world.turn_begins(self)
        self._run(self._step)

    def _run(self, step: Callable[[Instant], None]) -> None:
        """A turn: the step, then its effects; it may be the last."""
        now = self.clock.read()
        try:
            step(now)
            self._settle(now)
        except Killed as killed:
            self._end(-9, f"killed {killed}")
            return
        except (CoreRaised, Violation):
            raise
        except Exception as error:
            raise CoreRaised(f"{self.name} raised {type(error).__name__}: {error}") from error
        self.world.turn_ended(self)
        if self._exit is not None:
            self._end(self._exit.status, self._exit.text)
        elif self.core is not None:
            self._plan_next(self.core)

    def _step(self, now: Instant) -> None:
        core = self.core
        if core is None:
            return
        self._drain(now)
        deadline_ns = core.next_deadline_ns()
        if deadline_ns is not None and deadline_ns <= now.boot_ns:
            core.timer(now)

    def _drain(self, now: Instant) -> None:
        channels = list(self._ready)
        if not channels:
            self._count_still()
            return
        if len(channels) > 1 and self.random.random() < 0.5:
            self.random.shuffle(channels)
        bound = MAX_DRAIN if self.random.random() < 0.8 else 1
        for channel in channels:
            for _ in range(bound):
                if not channel.deliver(now):
                    self._ready.pop(channel, None)
                    break

    def _count_still(self) -> None:
        now_ns = self.world.scheduler.now_ns
        if now_ns - self._still_since_ns > 10_000_000:
            self._still_since_ns, self._still_turns = now_ns, 0
        self._still_turns += 1
        if self._still_turns > NO_PROGRESS_TURNS:
            raise CoreRaised(f"{self.name} spins: {NO_PROGRESS_TURNS} turns of its timer within 10 ms")

    # ---- effects

    def _settle(self, now: Instant) -> None:
        core = self.core
        if core is None:
            return
        sends = Sends(core, self._send)
        core.turn_ended(now)
        while core.effects:
            effects, core.effects = core.effects, []
            sends.begin_pass()
            for effect in effects:
                if self.effects_left is not None:
                    self.effects_left -= 1
                    if self.effects_left < 0:
                        raise Killed("between two effects")
                self._carry_out(core, effect, sends, now)
            core.turn_ended(now)

    def _carry_out(self, core: Core, effect: Effect, sends: Sends, now: Instant) -> None:
        match effect:
            case Send():
                sends.send((effect,), now)
            case Write():
                self._write(core, effect, now)
            case Publish():
                self.world.published(self, effect)
                for wire in self.by_link.get(effect.link, ()):
                    if wire.inward is not None:
                        wire.inward.send(effect.data)
            case ReadLog():
                takes_ns = self.world.reading_takes_ns(self)
                if takes_ns:
                    self.world.scheduler.after(takes_ns, self._read, self._reads, core, effect)
                else:
                    self._read(self._reads, core, effect)
            case Connect():
                self.world.connect(self, effect)
            case Close():
                stream = self.streams.pop(effect.connection, None)
                if stream is not None:
                    stream.close(self)
            case Call():
                self.world.call(self, effect)
            case Note():
                self.world.noted(self, effect)
            case HostWorked():
                pass
            case Exit():
                self._exit = self._exit or effect

    def _read(self, reads: Agenda, core: Core, effect: ReadLog) -> None:
        if self.core is core:
            reads.put(lambda then: core.log_read(self.world.read_log(self, effect), then))

    def _send(self, run: Sequence[Send]) -> bool:
        (effect,) = run
        data = encode(effect.message)
        if len(data) > MAX_MESSAGE_BYTES:
            raise CoreRaised(f"{self.name} sends {len(data)} bytes over {effect.link}")
        self.world.sending(self, effect)
        if effect.peer:
            if effect.link == "control":
                self.world.control_answered(self, effect)
                return True
            wire = self.by_peer.get((effect.link, effect.peer))
            return wire is not None and wire.inward is not None and wire.inward.send(data)
        wires = self.by_link.get(effect.link)
        if not wires:
            raise CoreRaised(f"{self.name} has no link called {effect.link}")
        return wires[0].send(data)

    def _write(self, core: Core, effect: Write, now: Instant) -> None:
        self.world.writing(self, effect)
        stream = self.streams.get(effect.connection)
        if stream is not None:
            was_blocked = bool(stream.outgoing(self).unsent)
            if not stream.write(self, effect.data) and not was_blocked:
                core.blocked(effect.connection, now)

    # ---- inputs, in this process's own turn

    def take(self, binding: Binding, peer: bytes, data: bytes, now: Instant) -> None:
        """A message over a socket: decoded by its type, or counted and dropped."""
        core = self.core
        if core is None:
            return
        if binding.decoder is None:
            try:
                core.followed(data, now)
            except BadFrame:
                self.garbage += 1
            return
        try:
            message = binding.decoder.decode(data)
        except UNDECODABLE as error:
            self.garbage += 1
            core.not_read(binding.link, peer, data, str(error), now)
            return
        self.world.received(self, binding.link, message)
        core.received(binding.link, peer, message, now)

    def finish_call(self, life: int, number: int, result: msgspec.Struct) -> None:
        """The worker that was started in `life` has its result."""
        core = self.core
        if self.life == life and core is not None:
            self._calls.put(lambda now: core.call_finished(number, result, now))

    def flush(self) -> None:
        """Carry out what was asked of the core from outside, in a turn of its own."""
        self.agenda.put(lambda now: None)

    def control(self, peer: bytes, message: msgspec.Struct) -> None:
        """A person's request over the control link."""
        core = self.core
        if core is not None:
            self.agenda.put(lambda now: core.received("control", peer, message, now))

    # ---- TCP

    def new_connection(self, listener: str) -> int:
        """The number of a connection that is about to be accepted."""
        self._accepted += 1
        self._listeners[self._accepted] = listener
        return self._accepted

    def refuse(self, connection: int, text: str) -> None:
        """A `Connect` of this process failed."""
        core = self.core
        if core is not None:
            self.agenda.put(lambda now: core.closed(connection, text, now))

    def tcp_opened(self, connection: int, now: Instant) -> None:
        """See `TcpEnd`."""
        if self.core is None or connection not in self.streams:
            return
        listener = self._listeners.pop(connection, None)
        if listener is None:
            self.core.connected(connection, now)
        else:
            self.core.accepted(connection, listener, now)

    def tcp_data(self, connection: int, data: bytes, now: Instant) -> None:
        """See `TcpEnd`."""
        if self.core is not None and connection in self.streams:
            self.world.reading(self, connection, data)
            self.core.data(connection, data, now)

    def tcp_closed(self, connection: int, text: str, now: Instant) -> None:
        """See `TcpEnd`."""
        if self.streams.pop(connection, None) is not None and self.core is not None:
            self.core.closed(connection, text, now)

    def tcp_writable(self, connection: int, now: Instant) -> None:
        """See `TcpEnd`."""
        if self.core is not None and connection in self.streams:
            self.core.writable(connection, now)
