"""A stack on two hosts, of which one trades and the other follows, until it takes over; and then the other way round.

The real cores in simulated time, as in `world`, on two hosts with clocks and disks of their own, with the real
replicator and a journal that is copied to three servers, in the mode that the seed draws. The host that trades loses
power, is killed, stopped (in the middle of a turn, too), cut off from the servers, or from them and the venues; or
nothing is wrong with it. The other one follows and takes over by the code of the commands, and goes on against the same
exchanges. The former host may go on, come back to life or start again, before that or after it; then it follows.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from common.actor.core import Call, Connect, Core, Publish, Send, Write
from common.config import Config, ReplicationConfig, ReplicationMode
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.messages import ControlRequest, Door, DurableEnd, Hello, OrderEvent, ReadChunk, ReadRequest
from common.replication.message import Stored, stream_name
from scripts.simulation import actors, setting
from scripts.simulation.copy_view import CopyView
from scripts.simulation.disk import Disk, Fault
from scripts.simulation.invariants import Violation
from scripts.simulation.network import TcpEnd, TcpStream
from scripts.simulation.plan import APART_VERSION, DESK, PROBE, TWIN, Plan
from scripts.simulation.process import Binding, Process, Wire
from scripts.simulation.servers import HostStream, Servers
from scripts.simulation.site import Site
from scripts.simulation.site_process import SiteProcess
from scripts.simulation.takeover_checkers import Shared, TakeoverCheckers
from scripts.simulation.truth import TrueOrder, Truth
from scripts.simulation.witness import WatchedFiles
from scripts.simulation.world import Host, World
from services.exchange.configured import ACCOUNT
from services.replicator.core import JOURNAL, ReplicatorCore

SECOND, CLIENTS = "second", "clients"
REMOTE: Final = (PROBE, DESK, TWIN)
"""Strategies on a host of their own: they go on over a takeover, with the host that trades then."""

VENUES: Final = (("generic",), ("binance",), ("generic", "binance"))
WITHOUT_WINDOW: Final = ("deribit",)
"""REST says what FIX cannot, and a request that waits in a connection is carried out however late it is read."""

WITHOUT_WINDOW_SHARE: Final = 0.25
READ_NS: Final = 200 * NS_PER_MS
ENTRY: Final = "entry"
"""The link of orders that strategies come in by."""

CUT_NS: Final = 10_000
"""Sooner than anything arrives."""

LAG_RECORDS: Final = 150
LAG_MS: Final = 800
HEARD_NS: Final = 300 * NS_PER_MS
"""After its journal has ended a fenced host says no more but what was acknowledged before."""


_durable_end = Door(DurableEnd)


class FarReader(Core):
    """Reads the log over the journal's link, as a reader on another host does, from where it ends at first."""

    def __init__(self) -> None:
        """Nothing was read."""
        super().__init__("reader")
        self._next_lsn = 1
        self._upto_lsn = 1
        self._ask_ns = 0

    def received(self, link: str, peer: bytes, message: msgspec.Struct, now: Instant) -> None:
        if isinstance(message, ReadChunk):
            self._next_lsn, self._upto_lsn = message.last_lsn + 1, 1 << 60

    def timer(self, now: Instant) -> None:
        self._ask_ns = now.boot_ns + READ_NS
        self.effects.append(Send(JOURNAL, ReadRequest(self._next_lsn, self._upto_lsn)))

    def next_deadline_ns(self) -> int | None:
        return self._ask_ns


class TakenOverTruth(Truth):
    """One exchange's truth, where orders of ours may be nobody's any more: only the lost end of a log knew them."""

    def find_again(self, order: TrueOrder) -> None:
        """Its host has come back, and it is ours again."""
        if not order.is_ours:
            order.is_ours = True
            self._count(order, order.leaves_qty)

    def lose(self, order: TrueOrder) -> None:
        """From now on it is somebody else's."""
        if order.is_ours:
            self._count(order, -order.leaves_qty)
            order.is_ours = False


class TakeoverWorld(World):
    """See the module. `strikes` counts what was done to it, by its kind."""

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        """Nothing runs yet."""
        self.dice = Random(f"takeover {seed}")
        self.mode = self.dice.choice((ReplicationMode.QUORUM, ReplicationMode.QUORUM, ReplicationMode.ASYNC))
        self.strikes: Counter[str] = Counter()
        venues = self.dice.choice(VENUES)
        if Random(f"without a window {seed}").random() < WITHOUT_WINDOW_SHARE:
            venues = WITHOUT_WINDOW
        pause_ns = self.dice.choice((20, 60)) * NS_PER_MS
        plan = Plan(seed, 0, (), 2, pause_ns, APART_VERSION, False, frozenset(), venues)
        self.copy = CopyView()
        self.shared = Shared(self.copy, waits=self.mode is ReplicationMode.QUORUM)
        self.journal_id = ""
        self.takeovers = 0
        self.lost: dict[tuple[str, str], TrueOrder] = {}
        self._sites: dict[Process, Site] = {}
        self._clients_at: Site | None = None
        self._cuts_desk = False
        super().__init__(plan, traced=traced, checkers=TakeoverCheckers(self.config_of(plan), self.shared))
        self.servers = Servers(self.scheduler, Random(f"servers {seed}"), self._added)
        first = Site(self, self.hosts["stack"], self._its_checkers())
        second = Site(self, self.hosts[SECOND], TakeoverCheckers(self.config, self.shared))
        self.sites = (first, second)
        for name, process in self.processes.items():
            if not _is_remote(name):
                assert isinstance(process, SiteProcess)
                first.processes[name] = process
        self._build_second(second)
        for site in self.sites:
            self._sites.update(dict.fromkeys(site.processes.values(), site))
        self.active = first
        self._show(first)
        self.point_clients(first)

    def _its_checkers(self) -> TakeoverCheckers:
        checkers = self.checkers
        assert isinstance(checkers, TakeoverCheckers)
        return checkers

    # ---- construction

    def config_of(self, plan: Plan) -> Config:
        """See `World`: a copy is made."""
        config, server = setting.config_of(plan.venues), "127.0.0.1"
        replication = ReplicationConfig(
            mode=self.mode, servers=[f"nats://{server}:4222"], monitors=[f"http://{server}:822{n}" for n in range(3)],
            max_lag_ms=LAG_MS, max_lag_records=LAG_RECORDS,
        )  # fmt: skip
        stack = msgspec.structs.replace(config.stack, replication=replication)
        return replace(config, stack=stack)

    def host_names(self, plan: Plan) -> tuple[str, ...]:
        """See `World`."""
        return (*super().host_names(plan), SECOND, CLIENTS)

    def host_of(self, name: str) -> Host:
        """See `World`."""
        return self.hosts[CLIENTS] if name in REMOTE else super().host_of(name)

    def cast(self) -> Iterator[actors.Actor]:
        """The stack of one host, with its replicator, and who trades on it."""
        for actor in actors.all_actors(self):
            yield actor
            if actor.name == "journal":
                binding = Binding(JOURNAL, "dealer", JOURNAL, _durable_end)
                yield actors.Actor("replicator", (binding,), self._replicator)
                yield actors.Actor("reader", (actors.JOURNAL_LINK,), lambda process: FarReader())

    def _replicator(self, process: Process) -> Core:
        self._sites[process].copier(process)
        return ReplicatorCore(self.mode.value)

    def _build_second(self, site: Site) -> None:
        seed = self.plan.seed
        for actor in self.cast():
            if _is_remote(actor.name):
                continue
            random = Random(f"{SECOND} {actor.name} {seed}")
            process = SiteProcess(self, actor.name, site.host.clock, random, actor.build, actor.bindings)
            # Lives are named, of strategies to orders and of connections to checkers: never the same on two hosts.
            process.life = 1000
            site.processes[actor.name] = process
        clients = {name: process for name, process in self.processes.items() if name in REMOTE}
        self.lay_wires({**site.processes, **clients})

    def process_type(self, name: str) -> type[Process]:
        """See `World`."""
        return Process if _is_remote(name) else SiteProcess

    def truth_of(self, venue: str) -> Truth:
        """See `World`."""
        return TakenOverTruth(venue, ACCOUNT, self)

    def files_for(self, process: Process) -> WatchedFiles:
        """See `World`."""
        site = self._sites.get(process)
        if site is None:
            return super().files_for(process)

        def called(name: str, path: str) -> Fault | None:
            process.file_called()
            return None

        process.files = WatchedFiles(site.host.disk, called, (site.witness, site.emergency))
        return process.files

    def disk_of(self, process: Process) -> Disk:
        """See `World`."""
        site = self._sites.get(process)
        return super().disk_of(process) if site is None else site.host.disk

    # ---- who trades

    @property
    def standby(self) -> Site:
        """The host that does not trade."""
        return self.sites[1] if self.active is self.sites[0] else self.sites[0]

    def go_on_at(self, site: Site) -> None:
        """From now on this host trades; what only the lost end of the former log knew is somebody else's."""
        self.takeovers += 1
        self.latched.clear()
        self._show(site)
        for venue, truth in self.truths.items():
            for order in list(truth.orders.values()):
                if order.is_ours:
                    self._look_for_lost(venue, order)

    def is_back(self, venue: str, cl_ord_id: str) -> None:
        """What was lost by that name is in the log."""
        order, truth = self.lost.pop((venue, cl_ord_id), None), self.truths[venue]
        assert isinstance(truth, TakenOverTruth)
        if order is not None:
            truth.find_again(order)

    def lost_open(self) -> list[tuple[str, str]]:
        """What rests at a venue and only the lost end of a former log knew."""
        return [leg for leg, order in self.lost.items() if order.open]

    def new_checkers(self) -> TakeoverCheckers:
        """Those of a host whose folder is empty."""
        return TakeoverCheckers(self.config, self.shared)

    def _show(self, site: Site) -> None:
        """From now on this host's processes are those that have the names."""
        self.active = site
        self.processes.update(site.processes)
        self.checkers, self.witness, self.emergency = site.checkers, site.witness, site.emergency

    def point_clients(self, site: Site) -> None:
        """Strategies elsewhere go to this host's orders, once; what was under way to the other one is lost."""
        if self._clients_at is site:
            return
        self._clients_at = site
        for name in REMOTE:
            self._lead(self.processes[name], site)

    def cut_desk(self) -> None:
        """The connection of the strategy on the SDK ends with the next event in it, and another comes, while both ends
        live."""
        self._cuts_desk = True

    def _cut_behind(self, process: Process, effect: Send) -> None:
        is_there = self._clients_at is not None and process is self._clients_at.processes["orders"]
        if is_there and isinstance(effect.message, OrderEvent) and effect.peer == DESK.encode():
            self._cuts_desk = False
            self.scheduler.after(CUT_NS, self._lead, self.processes[DESK], self._clients_at)

    def _lead(self, client: Process, site: Site) -> None:
        orders = site.processes["orders"]
        for wire in client.wires:
            if wire.its.link != ENTRY:
                continue
            for pipe in (wire.outward, wire.inward):
                if pipe is not None:
                    pipe.end(0)
            wire.outward = wire.inward = None
            wire.backlog.clear()
            if wire.binder is orders:
                client.by_link[wire.own.link] = [wire]
        self.connect_wires(client)

    def _wire_up(self, wire: Wire, connector_life: int, binder_life: int) -> None:
        is_elsewhere = wire.connector.name in REMOTE and wire not in wire.connector.by_link[wire.own.link]
        if not is_elsewhere:
            super()._wire_up(wire, connector_life, binder_life)

    def stream_of(self, site: Site) -> Callable[[str], HostStream]:
        """How that host opens a journal's stream."""
        return lambda journal_id: HostStream(self.servers, site.name, stream_name(journal_id))

    def _added(self, message: Stored) -> None:
        self.trace("servers", "added", message.sequence, message.batch[:3])
        before = self.copy.term.number
        self.copy.added(message, self.scheduler.now_ns)
        if self.copy.term.number > before:
            for site in self.sites:
                site.slept_through_term = site.stopped_ns is not None

    # ---- what happens at an exchange

    def accepted(self, venue: str, order: TrueOrder) -> None:
        """See `truth.Watcher`."""
        self.checkers.accepted(venue, order)
        if self.takeovers:
            self._look_for_lost(venue, order)

    def renamed(self, venue: str, order: TrueOrder) -> None:
        """See `truth.Watcher`."""
        self.checkers.renamed(venue, order)
        if self.takeovers:
            self._look_for_lost(venue, order)

    def met_stranger(self, venue: str, symbol: str, qty: Decimal) -> None:
        """See `truth.Watcher`."""
        self.checkers.met_stranger(venue, symbol, qty)

    def exposed(self, venue: str, symbol: str, longest: Decimal, shortest: Decimal) -> None:
        """See `truth.Watcher`."""
        self.checkers.exposed(venue, symbol, longest, shortest)

    def _look_for_lost(self, venue: str, order: TrueOrder) -> None:
        """What only the lost end of a former log knew nobody counted with: an order, or what amends it."""
        names = [name for name in order.cl_ord_ids if not self.checkers.is_logged(venue, name)]
        if not names or self.mode is ReplicationMode.QUORUM:
            return
        self.checkers.met_stranger(venue, order.symbol, order.order_qty)
        truth = self.truths[venue]
        assert isinstance(truth, TakenOverTruth)
        if len(names) == len(order.cl_ord_ids):
            truth.lose(order)
        self.lost[venue, names[-1]] = order

    # ---- Surroundings

    def may_start(self, process: Process) -> bool:
        """See `World`."""
        site = self._sites.get(process)
        return super().may_start(process) and (site is None or site.is_up)

    def comes_again(self, process: Process, status: int) -> bool:
        """See `World`."""
        site = self._sites.get(process)
        return super().comes_again(process, status) if site is None else site.ended(process, status)

    def connect(self, process: Process, effect: Connect) -> None:
        """See `Surroundings`."""
        site = self._sites.get(process)
        if site is not None and site.cut_off_venues:
            process.refuse(effect.connection, "no route to the host")
        else:
            super().connect(process, effect)

    def open_rest(self, process: Process, client: TcpEnd) -> TcpStream | None:
        """See `World`."""
        site = self._sites.get(process)
        return None if site is not None and site.cut_off_venues else super().open_rest(process, client)

    def call(self, process: Process, effect: Call) -> None:
        """See `Surroundings`."""
        if process.name == "replicator":
            self._sites[process].call(process, effect)
        else:
            super().call(process, effect)

    def _checkers_of(self, process: Process) -> TakeoverCheckers:
        site = self._sites.get(process)
        return (self.active if site is None else site).checkers

    def published(self, process: Process, effect: Publish) -> None:
        """See `Surroundings`."""
        self._checkers_of(process).published(process, effect)

    def sending(self, process: Process, effect: Send) -> None:
        """See `Surroundings`."""
        if self._cuts_desk:
            self._cut_behind(process, effect)
        self._checkers_of(process).sending(process, effect)

    def writing(self, process: Process, effect: Write) -> None:
        """See `Surroundings`."""
        if self.traced:
            shown = effect.data.replace(b"\x01", b"|").decode("latin-1")
            self.trace(process.name, f"writes to {effect.connection}", shown)
        self._checkers_of(process).writing(process, effect)

    def reading(self, process: Process, connection: int, data: bytes) -> None:
        """See `Surroundings`."""
        self._checkers_of(process).reading(process, connection, data)

    def received(self, process: Process, link: str, message: msgspec.Struct) -> None:
        """See `Surroundings`."""
        super().received(process, link, message)
        if isinstance(message, Hello) and process.name == "orders":
            self._checkers_of(process).hello(message)

    def turn_begins(self, process: Process) -> None:
        """See `Surroundings`."""
        self.turns += 1
        self._checkers_of(process).turn_begins(process)

    # ---- life and death of a host

    def start(self) -> None:
        """See `World`: the first host trades."""
        self.active.is_up = True
        super().start()

    def crash_host(self, random: Random) -> None:
        """See `World`: the host that trades loses power, and comes again."""
        self.active.lose_power(random, is_silent=not self.calm)

    def swallow_all(self) -> None:
        """See `World`."""
        self.active.swallow()

    def pull_kill_switch(self, *, risk_too: bool) -> None:
        """See `World`."""
        self.active.kill_was_pulled = True
        super().pull_kill_switch(risk_too=risk_too)

    def fenced(self, site: Site) -> None:
        """The supervisors of that host have heard it. Raises Violation."""
        if site.term >= self.copy.term.number:
            raise Violation("fenced-by-a-term", f"{site.name} is of term {site.term}, the last there is")
        site.be_silent("has heard that it is fenced", HEARD_NS)
        self.scheduler.after(self.random.randrange(100 * NS_PER_MS), site.kill, "fenced")

    def latch_all(self, site: Site) -> None:
        """The journal was refused: the kill switch goes to every session and account of that host."""
        for name, process in site.processes.items():
            if name.startswith(("session@", "account@")) and process.core is not None:
                process.control(b"supervisor", ControlRequest("kill", b"{}", "supervisor", 0))
        self.scheduler.after(NS_PER_S, site.look_for_latches)


def _is_remote(name: str) -> bool:
    return name in REMOTE or name.startswith("exchange@")
