"""The simulated world: hosts with clocks and disks, the processes on them, what joins these, and fate."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

import msgspec

from common.actor.core import Call, Connect, Note, Publish, ReadLog, Send, Write
from common.actor.kill_switch import actors_to_kill
from common.config import Config
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S
from common.journal import JournalError, NotThere, Reader
from common.journal.frames import Record
from common.messages import ControlAnswer, ControlRequest, OrderEvent, WelcomeComplete
from common.nonce_file import RequestNonceFolder
from common.strategy.entry import Entry
from common.venues.ways import Way, both_ways
from scripts.simulation import actors, setting
from scripts.simulation.checkers import Checkers
from scripts.simulation.disk import Disk, Fault
from scripts.simulation.invariants import Violation
from scripts.simulation.keys import credentials_of
from scripts.simulation.network import Pipe, TcpEnd, TcpStream, Weather
from scripts.simulation.plan import TWIN, Plan
from scripts.simulation.process import Binding, Process, Wire
from scripts.simulation.rest import RestClient, Worker
from scripts.simulation.scheduler import HostClock, Scheduler
from scripts.simulation.truth import TrueOrder, Truth
from scripts.simulation.watch_view import WatchView
from scripts.simulation.witness import EmergencyWitness, WatchedFiles, Witness
from services.account.core import CANCELS
from services.exchange.configured import ACCOUNT

BINDING_ROLES = frozenset({"router", "pull", "pub"})
HIGH_WATER = {"push": 1_000, "dealer": 10_000, "sub": 10_000}
KEPT_LINES = 40_000
RESTART_NS = 60 * NS_PER_MS
LONGEST_RESTART_NS = 2 * NS_PER_S
STEADY_NS = 10 * NS_PER_S
STOP_BOUND_NS = 4 * NS_PER_S

CONFIGURED_ACTORS = frozenset({"orders", "risk", "session", "marketdata", "account"})


def _actors_of(venue: str) -> tuple[str, ...]:
    return (f"session@{venue}", f"marketdata@{venue}", f"account@{venue}")


Line = tuple[int, str, str, tuple[object, ...]]


class Host:
    """A machine: its clock and its disk."""

    def __init__(self, name: str, scheduler: Scheduler, random: Random) -> None:
        """Up and running."""
        self.name = name
        self.clock = HostClock(scheduler, random)
        self.disk = Disk(page_bytes=random.choice((512, 4096)))
        self.disk_fault: Callable[[str, str], Fault | None] | None = None
        self.faulty = ""
        """Whose calls to the disk the fault strikes."""


class World:
    """Everything of one seed. `turns` counts the steps; `faults_done` those of the adversary."""

    def __init__(self, plan: Plan, *, traced: bool = False, checkers: Checkers | None = None) -> None:
        """Nothing runs yet; `start` does that. With `traced` the timeline is kept. `checkers` may be others than those
        that find everything.
        """
        self.plan = plan
        self.config = self.config_of(plan)
        self.random = Random(f"world {plan.seed}")
        self.scheduler = Scheduler()
        self.weather = Weather(Random(f"weather {plan.seed}"))
        self.far_weather = Weather(Random(f"far weather {plan.seed}"))
        self.checkers = checkers or Checkers(self.config)
        self.turns = 0
        self.deaths = 0
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self.traced = traced
        self.calm = False
        self.last_commands_ns = 0
        """Until when commands of strategies that are dead may reach orders."""
        self.answers: dict[int, ControlAnswer] = {}
        self.latched: set[str] = set()
        self.holds_down: set[str] = set()
        self.slow_readers: dict[str, int] = {}
        """How long each read of the log takes a process, in ns; others read it at once."""
        self.told_twice: dict[str, int] = {}
        self.halted: list[dict[str, object]] = []
        self._acts: dict[int, str] = {}
        self.logged_out: set[str] = set()
        self.left_out: tuple[str, str] | None = None
        self.hosts = {name: Host(name, self.scheduler, self.random) for name in self.host_names(plan)}
        self.witness = Witness(setting.JOURNAL_FOLDER, self.checkers.learned)
        self.checkers.witness = self.witness
        self.checkers.watch = WatchView(plan.vigils)
        self.emergency = EmergencyWitness(setting.EMERGENCY_FOLDER, self.checkers.learned_emergency)
        self.truths = {venue: self.truth_of(venue) for venue in plan.venues}
        self.exchange_logs = {
            f"exchange@{venue}": Witness(setting.exchange_log_folder(venue), truth.learned, on_write=True)
            for venue, truth in self.truths.items()
        }
        self.processes: dict[str, Process] = {}
        self._back_off_ns: dict[str, int] = {}
        self._rest: dict[Process, tuple[int, dict[str, Way], dict[str, RestClient]]] = {}
        self._token = 0
        self._insisted_ns = 0
        for actor in self.cast():
            host = self.host_of(actor.name)
            random = Random(f"{actor.name} {plan.seed}")
            make = self.process_type(actor.name)
            self.processes[actor.name] = make(self, actor.name, host.clock, random, actor.build, actor.bindings)
        self.lay_wires(self.processes)

    # ---- construction

    def config_of(self, plan: Plan) -> Config:
        """The configuration of the stack."""
        return setting.config_of(plan.venues)

    def host_names(self, plan: Plan) -> tuple[str, ...]:
        """The machines that there are."""
        return ("stack", *plan.roles.exchanges)

    def cast(self) -> Iterator[actors.Actor]:
        """Every process, in the order in which they are started."""
        return actors.all_actors(self)

    def truth_of(self, venue: str) -> Truth:
        """What is held to be true of that exchange."""
        return Truth(venue, ACCOUNT, self.checkers)

    def process_type(self, name: str) -> type[Process]:
        """What runs the process of that name."""
        return Process

    def host_of(self, name: str) -> Host:
        """The machine that a process runs on."""
        return self.hosts.get(name, self.hosts["stack"])

    def disk_of(self, process: Process) -> Disk:
        """The disk that has the journal which the process reads."""
        return self.hosts["stack"].disk

    def files_for(self, process: Process) -> WatchedFiles:
        """A new life's port to its disk. Its calls can be its last, and a faulty disk fails one process."""
        host = self.host_of(process.name)
        witnesses = (self.witness, self.emergency) if host.name == "stack" else (self.exchange_logs[host.name],)

        def called(name: str, path: str) -> Fault | None:
            process.file_called()
            if host.disk_fault is not None and process.name == host.faulty and process.alive:
                return host.disk_fault(name, path)
            return None

        files = WatchedFiles(host.disk, called, witnesses)
        process.files = files
        return files

    def lay_wires(self, processes: Mapping[str, Process]) -> None:
        """Join each socket that connects with the one of these processes that is bound there."""
        bound: dict[str, tuple[Process, Binding]] = {}
        for process in processes.values():
            for binding in process.bindings:
                if binding.role in BINDING_ROLES:
                    bound[binding.endpoint] = (process, binding)
        for process in processes.values():
            for binding in process.bindings:
                if binding.role in BINDING_ROLES or binding.endpoint not in bound:
                    continue
                binder, its = bound[binding.endpoint]
                wire = Wire(process, binding, binder, its)
                process.wires.append(wire)
                process.by_link.setdefault(binding.link, []).append(wire)
                binder.wires.append(wire)
                binder.by_link.setdefault(its.link, []).append(wire)
                binder.by_peer[its.link, process.name.encode()] = wire

    # ---- wires

    def connect_wires(self, process: Process) -> None:
        """See `Surroundings`."""
        for wire in process.wires:
            other = wire.binder if wire.connector is process else wire.connector
            if other.alive:
                longest_ns = 2 * NS_PER_MS if wire.connector is process else 200 * NS_PER_MS
                delay_ns = self.random.randrange(50_000, longest_ns)
                self.scheduler.after(delay_ns, self._wire_up, wire, wire.connector.life, wire.binder.life)

    def _wire_up(self, wire: Wire, connector_life: int, binder_life: int) -> None:
        connector, binder = wire.connector, wire.binder
        if not connector.alive or not binder.alive or (connector.life, binder.life) != (connector_life, binder_life):
            return
        role, peer = wire.own.role, connector.name.encode()
        if role in ("push", "dealer"):
            wire.outward = self._pipe(binder, wire.its, peer if role == "dealer" else b"", role)
            while wire.backlog:
                wire.outward.send(wire.backlog.popleft())
        if role in ("dealer", "sub"):
            wire.inward = self._pipe(connector, wire.own, b"", role)

    def _pipe(self, receiver: Process, binding: Binding, peer: bytes, role: str) -> Pipe:
        return Pipe(
            self.scheduler, self.weather, receiver, lambda data, now: receiver.take(binding, peer, data, now),
            HIGH_WATER[role], lossy=role == "sub",
        )  # fmt: skip

    def cut_wires(self, process: Process) -> None:
        """See `Surroundings`. What a dead process had sent may still arrive in part; what it was sent is gone."""
        for wire in process.wires:
            out_of_it, into_it = wire.outward, wire.inward
            if wire.binder is process:
                out_of_it, into_it = wire.inward, wire.outward
            else:
                wire.backlog.clear()
            if out_of_it is not None:
                until_ns = out_of_it.end(self.random.choice((0, 0, 100_000, NS_PER_S)))
                if wire.its.link == "entry":
                    self.last_commands_ns = max(self.last_commands_ns, until_ns)
            if into_it is not None:
                into_it.end(0)
            wire.outward = wire.inward = None

    # ---- TCP, workers, the log

    def connect(self, process: Process, effect: Connect) -> None:
        """See `Surroundings`."""
        venue = process.name.partition("@")[2]
        self.join(process, effect.connection, self.fix_side(venue), setting.listener_of(process.name))

    def fix_side(self, venue: str) -> str:
        """The process that speaks FIX for a venue."""
        return f"exchange@{venue}"

    def open_there(self) -> dict[tuple[str, str], TrueOrder]:
        """Every open order of ours at the venues, by the venue and by how its FIX side names it to us."""
        return {
            (venue, self.name_told(venue, name)): order
            for venue, truth in self.truths.items()
            for name, order in truth.open_orders().items()
        }

    def name_told(self, venue: str, cl_ord_id: str) -> str:
        """How the venue's FIX side names to us the order that the exchange knows by that name."""
        return cl_ord_id

    def join(self, process: Process, connection: int, server: str, listener: str) -> None:
        """Connect a process to a listener of another, which may refuse."""
        stream = self._open(server, listener, process, connection)
        if stream is None:
            process.refuse(connection, "connection refused")
        else:
            process.streams[connection] = stream

    def _open(self, name: str, listener: str, client: TcpEnd, number: int) -> TcpStream | None:
        server = self.processes[name]
        if not server.alive:
            return None
        its_number = server.new_connection(listener)
        stream = TcpStream(self.scheduler, self.far_weather, client, number, server, its_number)
        stream.tells_both = self.plan.version == 1
        server.streams[its_number] = stream
        stream.open()
        return stream

    def call(self, process: Process, effect: Call) -> None:
        """See `Surroundings`: a call of an account, or of who asks for prices, over HTTP to the exchange."""
        life = process.life
        Worker(
            self._rest_client(process, effect.worker),
            effect.argument,
            lambda client: self.open_rest(process, client),
            self.scheduler.after,
            lambda answer: process.finish_call(life, effect.number, answer),
        ).go_on()

    def open_rest(self, process: Process, client: TcpEnd) -> TcpStream | None:
        """A connection of the process's worker to its venue's REST side; None where it is refused."""
        return self._open(f"exchange@{process.name.partition('@')[2]}", "rest", client, 1)

    def _rest_client(self, process: Process, worker: str) -> RestClient:
        """That of a worker of the process's life: another life begins with nothing that the one before it had asked for
        or waited."""
        life, ways, clients = self._rest.get(process, (0, {}, {}))
        if life != process.life:
            is_account, clients = process.name.startswith("account@"), {}
            ways = dict(zip(("", CANCELS), both_ways(), strict=True)) if is_account else {}
            self._rest[process] = process.life, ways, clients
        if worker not in clients:
            config = self.config.venues[process.name.partition("@")[2]]
            credentials = credentials_of(config.dialect)
            assert credentials is not None
            files, version = self.disk_of(process).files(), self.plan.version
            clients[worker] = RestClient(
                config, credentials, process.clock.read, is_paced=version > 6,
                nonces=RequestNonceFolder(setting.EMERGENCY_FOLDER, files) if version > 8 else None,
                way=ways.get(worker),
            )  # fmt: skip
        return clients[worker]

    def reading_takes_ns(self, process: Process) -> int:
        """See `Surroundings`."""
        return self.slow_readers.get(process.name, 0)

    def read_log(self, process: Process, effect: ReadLog) -> Sequence[Record]:
        """See `Surroundings`. As the shell's reader does: nothing where nothing can be read yet."""
        files = self.disk_of(process).files()
        try:
            reader = Reader(setting.JOURNAL_FOLDER, files)
            most_bytes = 2_000 if process.name in self.slow_readers else self.random.choice((2_000, 20_000, 1 << 20))
            return reader.read(effect.from_lsn, effect.upto_lsn, most_bytes)
        except NotThere:
            return ()
        finally:
            files.die()

    # ---- life and death

    def start(self) -> None:
        """Everything at once, as the supervisors would."""
        for process in self.processes.values():
            if process.name != TWIN:
                delay = self.random.randrange(20 * NS_PER_MS)
                self.scheduler.after(delay, self._start_unless_held, process, process.life)

    def died(self, process: Process, status: int, text: str) -> None:
        """See `Surroundings`: the supervisor starts it again."""
        self.deaths += 1
        if process.files is not None:
            process.files.die()
        if process.name == "journal" and status == ExitStatus.INTEGRITY and "damage" in text:
            raise Violation("undamaged", text)
        lived_ns = self.scheduler.now_ns - process.started_ns
        former_ns = 0 if lived_ns > STEADY_NS else self._back_off_ns.get(process.name, 0)
        back_off = min(max(2 * former_ns, RESTART_NS), LONGEST_RESTART_NS)
        self._back_off_ns[process.name] = back_off
        if not self.comes_again(process, status):
            return
        delay = 0 if self.calm else self.random.randrange(back_off // 2, back_off)
        self.scheduler.after(delay, self._start_unless_held, process, process.life)

    def comes_again(self, process: Process, status: int) -> bool:
        """Whether a process that died with that status is started again."""
        return process.name != TWIN

    def may_start(self, process: Process) -> bool:
        """Whether nobody holds the process down."""
        return process.name not in self.holds_down

    def _start_unless_held(self, process: Process, life: int) -> None:
        if not process.alive and process.life == life and self.may_start(process):
            process.start()

    def kill(self, name: str, text: str = "killed") -> None:
        """SIGKILL to one process."""
        self.processes[name].kill(text)

    def kill_if_there(self, name: str) -> None:
        """The same, where there is such a process and it runs."""
        if name in self.processes:
            self.kill(name)

    def stop(self, name: str) -> None:
        """SIGTERM to one process, and SIGKILL when it takes too long."""
        process = self.processes[name]
        if name == "orders":
            self.checkers.watch.orders_stopped(self.scheduler.now_ns)
        process.stop()
        self.scheduler.after(STOP_BOUND_NS, self._kill_stopping, process, process.life)

    def _kill_stopping(self, process: Process, life: int) -> None:
        if process.alive and process.life == life:
            process.kill("took too long to stop")

    def crash_host(self, random: Random) -> None:
        """The stack's host loses power. Nobody tells the exchanges: they keep the old logon until their own time-out,
        or, once all is calm, until the rebooted host answers for the old connection.
        """
        host = self.hosts["stack"]
        if self.plan.version > 1 and not self.calm:
            self.swallow_all()
        for process in self.processes.values():
            if self.host_of(process.name) is host:
                process.kill("the host lost power")
        host.disk.crash(random)
        self.witness.crashed()
        self.emergency.crashed()
        host.clock.reboot()

    def swallow_all(self) -> None:
        """Every connection between the stack and an exchange goes silent."""
        for process in self.processes.values():
            if process.name not in self.exchange_logs:
                for stream in process.streams.values():
                    stream.swallow()

    # ---- the configuration

    def leave_out(self, venue: str, symbol: str) -> None:
        """The stack starts again without the venue, or without one of its instruments."""
        self.left_out = self.checkers.left_out = (venue, symbol)
        if not symbol:
            self.holds_down.update(name for name in self.processes if name in _actors_of(venue))
        self._restart_stack(f"exchange@{venue}" if symbol else "")

    def put_back(self) -> None:
        """The stack starts again with everything."""
        if self.left_out is not None:
            venue, symbol = self.left_out
            self.holds_down.difference_update(_actors_of(venue))
            self.left_out = self.checkers.left_out = None
            self._restart_stack(f"exchange@{venue}" if symbol else "")
            for name in sorted(self.processes):
                if name != TWIN and name not in self.holds_down:
                    self.processes[name].start()

    def _restart_stack(self, exchange: str) -> None:
        for name, process in self.processes.items():
            if name == exchange or name.partition("@")[0] in CONFIGURED_ACTORS:
                process.kill("started again with another configuration")

    # ---- people

    def ask(self, name: str, act: str, arguments: dict[str, object] | None = None) -> int:
        """Ask over the control link; returns the token under which `answers` will hold the answer."""
        self._token += 1
        request = ControlRequest(act, msgspec.json.encode(arguments or {}), "operator", self._token)
        self.trace("operator", act, name, arguments or "")
        self._acts[self._token] = act
        if act == "resume" and name.startswith("session@"):
            self.checkers.latched.discard(name.partition("@")[2])
        self.processes[name].control(b"operator", request)
        return self._token

    def pull_kill_switch(self, *, risk_too: bool) -> None:
        """As `fixring kill`: straight to every session, account and bridge, and to risk if it answers."""
        told = actors_to_kill(self.config.accounts.values(), with_risk=risk_too)
        for name, process in self.processes.items():
            if name in told and process.alive:
                self.ask(name, "kill")
                self.latched.add(name)

    def resume(self, name: str) -> None:
        """The confirmed end of the latch at one process."""
        if self.processes[name].alive:
            self.latched.discard(name)
            self.ask(name, "resume", {"confirm": True})
        elif not self.calm:
            self.scheduler.after(NS_PER_S, self._resume_later, name)

    def _resume_later(self, name: str) -> None:
        """Once all is calm the kill switch is pulled for a check of its own."""
        if not self.calm:
            self.resume(name)

    def log_out(self, name: str) -> None:
        """An operator logs a session out."""
        self.ask(name, "logout")
        self.logged_out.add(name)

    def log_on(self, name: str) -> None:
        """An operator logs a session on again."""
        self.logged_out.discard(name)
        self.ask(name, "logon")

    def _note_latch(self, name: str, act: str, ok: bool) -> None:
        if not ok or not name.startswith("session@"):
            return
        core = self.processes[name].core
        if act == "kill" and core is not None and core.status(self.processes[name].clock.read())["latch_failure"]:
            # It says itself that the latch is in its memory only: it need not outlive the process.
            return
        if act == "kill":
            self.checkers.latched.add(name.partition("@")[2])
        elif act == "resume":
            self.checkers.latched.discard(name.partition("@")[2])

    def skip_left_out(self, name: str, status: Mapping[str, object]) -> None:
        """An operator accepts that the records have no effect which an actor says it has left out; a session, which
        does not follow the log, is told too.
        """
        lsns = status.get("left_out_lsns", ())
        assert isinstance(lsns, Sequence)
        for lsn in lsns:
            self.ask("journal", "skip", {"lsn": lsn})
            if name.startswith("session@"):
                self.ask(name, "skip", {"lsn": lsn})

    def insist(self) -> None:
        """Now and then, once all is calm: what a person logged out or latched is ended, whatever became of the word."""
        if self.scheduler.now_ns - self._insisted_ns < NS_PER_S:
            return
        self._insisted_ns = self.scheduler.now_ns
        for name, process in self.processes.items():
            if process.core is None or not name.startswith(("session@", "account@", "bridge@", "risk", "orders")):
                continue
            status = process.core.status(process.clock.read())
            self.skip_left_out(name, status)
            if status.get("latched") or status.get("killed"):
                self.ask(name, "resume", {"confirm": True})
            elif status.get("halts"):
                for where in self.halted:
                    self.ask(name, "unhalt", where)
            elif status["state"] == "logged_out":
                self.ask(name, "logon")

    def control_answered(self, process: Process, effect: Send) -> None:
        """See `Surroundings`."""
        message = effect.message
        if isinstance(message, ControlAnswer):
            self.answers[message.token] = message
            act = self._acts.pop(message.token, "")
            self._note_latch(process.name, act, message.ok)
            if message.ok:
                self.checkers.check_confirmed(process.name, act)
            self.trace(process.name, "answers", message.ok, message.text)

    # ---- watching

    def check_told(self, name: str, entry: Entry, complete: WelcomeComplete) -> None:
        """See `desk.Watch`."""
        self.checkers.check_told(name, entry, complete)

    def check_news(self, name: str, began_lsn: int, fill: OrderEvent) -> None:
        """See `desk.Watch`."""
        self.checkers.check_news(name, began_lsn, fill)

    def noted(self, process: Process, effect: Note) -> None:
        """See `Surroundings`."""
        if self.traced:
            self.trace(process.name, f"note {effect.level}", effect.event, effect.fields)

    def published(self, process: Process, effect: Publish) -> None:
        """See `Surroundings`."""
        self.checkers.published(process, effect)

    def sending(self, process: Process, effect: Send) -> None:
        """See `Surroundings`."""
        self.checkers.sending(process, effect)

    def writing(self, process: Process, effect: Write) -> None:
        """See `Surroundings`."""
        if self.traced:
            shown = effect.data.replace(b"\x01", b"|").decode("latin-1")
            self.trace(process.name, f"writes to {effect.connection}", shown)
        self.checkers.writing(process, effect)

    def reading(self, process: Process, connection: int, data: bytes) -> None:
        """See `Surroundings`."""
        self.checkers.reading(process, connection, data)

    def received(self, process: Process, link: str, message: msgspec.Struct) -> None:
        """See `Surroundings`."""
        if self.traced:
            self.trace(process.name, f"gets from {link}", message)

    def turn_begins(self, process: Process) -> None:
        """See `Surroundings`."""
        self.turns += 1
        self.checkers.turn_begins(process)

    def turn_ended(self, process: Process) -> None:
        """See `Surroundings`."""

    def trace(self, who: str, what: str, *detail: object) -> None:
        """See `Surroundings`."""
        if self.traced:
            self.lines.append((self.scheduler.now_ns, who, what, detail))

    # ---- running

    def run_one(self) -> None:
        """The next thing that happens."""
        try:
            self.scheduler.run_one()
        except JournalError as error:
            raise Violation("undamaged", f"{type(error).__name__}: {error}") from error

    def run_for(self, duration_ns: int) -> None:
        """Let time pass."""
        end_ns = self.scheduler.now_ns + duration_ns
        reached: list[bool] = []
        self.scheduler.at(end_ns, reached.append, True)
        while not reached:
            self.run_one()

