"""A stack that trades through a bridge: the journal and the bridge's log on one host, which loses power.

The real cores in simulated time, as in `world`, with the bridge between the session and the venue's REST and WebSocket.
Each of the two logs has its own syncs: after a power cut the journal may have what the bridge's log has lost, or the
other way round. What was said of either before was synced there, so that no order is lost, doubled or ended without
evidence; `come_to_rest` holds orders, risk and the strategies against the venue's own log.
"""

from collections import Counter
from collections.abc import Iterator
from random import Random

from common.actor.core import Connect, Core
from common.config import VenueConfig
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S
from common.latch import Latch
from common.venues.registry import find_backend
from common.venues.rest import RestSettings
from scripts.simulation import actors, adversary, quiet, setting
from scripts.simulation.invariants import Violation
from scripts.simulation.keys import credentials_of
from scripts.simulation.plan import APART_VERSION, Plan
from scripts.simulation.process import Process
from scripts.simulation.world import World
from services.bridge.__main__ import bridge_settings
from services.bridge.archive import MemoryArchive
from services.bridge.book import Book
from services.bridge.core import BridgeCore
from services.bridge.store import Store

SNAPSHOT_RECORDS = 200
"""So few that every run has orders in the archive, and starts of the bridge from a snapshot."""

OPEN_NS = 5 * NS_PER_S
VICTIMS = {"bridge": "bridge@", "session": "session@", "venue": "exchange@"}
"""Whom a strike kills, where it is not the journal: of the venue."""

VENUES = ("bitget", "gateio", "gateiofutures", "kucoin", "kucoinfutures", "okx")
"""Those behind a bridge that `configs` has."""

STEPS_A_STRIKE = 160
STORMS = ("power", "power", "power", "bridge", "both", "session", "inside", "cut", "venue", "journal")


class BridgedWorld(World):
    """See the module. `strikes` counts what was done to it, by its kind; "power" also where it went within a call to
    the disk."""

    def __init__(self, seed: int, venue: str, *, traced: bool = False) -> None:
        """Nothing runs yet. `venue` is one of `VENUES`."""
        self.archive = MemoryArchive()
        self.strikes: Counter[str] = Counter()
        self.venue = venue
        plan = Plan(seed, 0, (), 2, 30 * NS_PER_MS, APART_VERSION, False, frozenset(), (venue,))
        super().__init__(plan, traced=traced)

    @property
    def bridge(self) -> str:
        """The process that speaks FIX for the venue."""
        return f"bridge@{self.venue}"

    # ---- construction

    def cast(self) -> Iterator[actors.Actor]:
        """The stack and who trades on it, with the bridge before the session."""
        yield actors.Actor(self.bridge, (), self._build)
        yield from actors.all_actors(self)

    def _build(self, process: Process) -> Core:
        venue: VenueConfig = self.config.venues[self.venue]
        assert venue.rest is not None and venue.bridge is not None
        credentials = credentials_of(venue.dialect)
        assert credentials is not None
        rest = RestSettings(self.venue, venue.rest.url, credentials, 1000, symbols=tuple(venue.instruments))
        backend = find_backend(venue.dialect)(rest)
        files, folder = self.files_for(process), str(self.config.paths.bridge(self.venue))
        store = Store(process.name, folder, files, self.archive, venue.bridge.segment_bytes, SNAPSHOT_RECORDS)
        latch = Latch(setting.EMERGENCY_FOLDER, f"{process.name}.latch", files)
        return BridgeCore(bridge_settings(venue, venue.rest, venue.bridge, backend), store, backend, latch)

    def fix_side(self, venue: str) -> str:
        """See `World`."""
        return f"bridge@{venue}"

    def name_told(self, venue: str, cl_ord_id: str) -> str:
        """See `World`: the venue keeps the first name of an order, whatever amends it."""
        book = self._book()
        return cl_ord_id if book is None else book.names_at_venue().get(cl_ord_id, cl_ord_id)

    def connect(self, process: Process, effect: Connect) -> None:
        """See `Surroundings`: the bridge to the venue, all others to the bridge."""
        is_ours = process.name == self.bridge
        server = f"exchange@{self.venue}" if is_ours else self.bridge
        listener = effect.target if is_ours else setting.listener_of(process.name)
        self.join(process, effect.connection, server, listener)

    def reading(self, process: Process, connection: int, data: bytes) -> None:
        """See `Surroundings`: what reaches the venue is not FIX, so that the bridge's reading of its clients counts."""
        if not process.name.startswith("exchange@"):
            super().reading(process, connection, data)

    def died(self, process: Process, status: int, text: str) -> None:
        """See `Surroundings`."""
        if process.name == self.bridge and status == ExitStatus.INTEGRITY:
            raise Violation("bridge-remembers", text)
        super().died(process, status, text)

    # ---- trouble

    def storm(self, rounds: int) -> None:
        """So many faults, some time apart."""
        random = Random(f"storm {self.plan.seed}")
        for _ in range(rounds):
            self.run_for(random.randrange(50 * NS_PER_MS, 2 * NS_PER_S))
            self.check_log()
            self._strike(random.choice(STORMS), random)

    def check_log(self) -> None:
        """Whatever has reached the venue stands in the log of a bridge that has read it. Raises Violation."""
        book = self._book()
        if book is None:
            return
        names = {order.cl_ord_ids[0] for order in self.truths[self.venue].orders.values() if order.is_ours}
        lost = sorted(name for name in names if not book.has(name))
        if lost:
            raise Violation("bridge-remembers", f"{len(lost)} orders at {self.venue}, such as {lost[0]}, are not there")

    def _book(self) -> Book | None:
        """What the bridge knows; None while it is down, or reads its log."""
        process = self.processes[self.bridge]
        core = process.core
        if not isinstance(core, BridgeCore) or core.status(process.clock.read())["state"] == "starting":
            return None
        return core.book

    def _strike(self, kind: str, random: Random) -> None:
        self.trace("adversary", "strikes", kind)
        self.strikes[kind] += 1
        if kind == "power":
            # Of each log is left what was synced, and perhaps more.
            self.crash_host(random)
        elif kind == "inside":
            # Within one of the next calls to the disk, and the power goes with it.
            victim = self.processes[random.choice((self.bridge, "journal"))]
            victim.file_calls_left = random.randrange(8)
            victim.at_death = lambda: self._strike("power", random)
        elif kind == "cut":
            for stream in list(self.processes[self.bridge].streams.values()):
                if random.random() < 0.5:
                    stream.break_off(self.processes[self.bridge], "reset")
        elif kind == "both":
            self.kill(self.bridge)
            self.kill("journal")
        else:
            self.kill(f"{VICTIMS[kind]}{self.venue}" if kind in VICTIMS else kind)


def run_through(world: BridgedWorld, steps: int) -> None:
    """From the start to the verdict, a strike in so many steps. Raises Violation, CoreRaised."""
    world.start()
    world.run_for(OPEN_NS)
    world.storm(max(1, steps // STEPS_A_STRIKE))
    world.check_log()
    adversary.make_well(world)
    adversary.let_find_out(world)
    quiet.come_to_rest(world)
