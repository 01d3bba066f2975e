"""A stack that trades through a bridge: the journal and the bridge's log on one host, which loses power.

The real cores in simulated time, as in `world`, with the bridge between the session and the venue's REST and WebSocket.
Each of the two logs has its own syncs: after a power cut the journal may have what the bridge's log has lost, or the
other way round. What was said of either before was synced there, so that no order is lost, doubled or ended without
evidence; `come_to_rest` holds orders, risk and the strategies against the venue's own log.
"""

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
from scripts.simulation.keys import credentials_of
from scripts.simulation.plan import VERSION, Plan
from scripts.simulation.process import Process
from scripts.simulation.world import World
from services.bridge.__main__ import bridge_settings
from services.bridge.archive import MemoryArchive
from services.bridge.core import BridgeCore
from services.bridge.store import Store

VENUE = "okx"
SNAPSHOT_RECORDS = 200
"""So few that every run has orders in the archive, and starts of the bridge from a snapshot."""

OPEN_NS = 5 * NS_PER_S
VICTIMS = {
    "bridge": f"bridge@{VENUE}", "session": f"session@{VENUE}", "venue": f"exchange@{VENUE}", "journal": "journal",
}  # fmt: skip
STORMS = ("power", "power", "power", "bridge", "both", "session", "inside", "cut", "venue", "journal")


class Forgotten(Exception):
    """The bridge's log has lost what was synced, or the venue has an order that it has not: it left before its sync."""


class BridgedWorld(World):
    """See the module. `cuts` counts the power cuts."""

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        """Nothing runs yet."""
        self.archive = MemoryArchive()
        self.cuts = 0
        super().__init__(Plan(seed, 0, (), 2, 30 * NS_PER_MS, VERSION, False, frozenset(), (VENUE,)), traced=traced)

    @property
    def bridge(self) -> str:
        """The process that speaks FIX for the venue."""
        return f"bridge@{VENUE}"

    # ---- construction

    def cast(self) -> Iterator[actors.Actor]:
        """The stack and who trades on it, with the bridge before the session."""
        yield actors.Actor(self.bridge, (), self._build)
        yield from actors.all_actors(self)

    def _build(self, process: Process) -> Core:
        venue: VenueConfig = self.config.venues[VENUE]
        assert venue.rest is not None and venue.bridge is not None
        credentials = credentials_of(venue.dialect)
        assert credentials is not None
        rest = RestSettings(VENUE, venue.rest.url, credentials, 1000, symbols=tuple(venue.instruments))
        backend = find_backend(venue.dialect)(rest)
        files, folder = self.files_for(process), str(self.config.paths.bridge(VENUE))
        store = Store(process.name, folder, files, self.archive, venue.bridge.segment_bytes, SNAPSHOT_RECORDS)
        latch = Latch(setting.EMERGENCY_FOLDER, f"{process.name}.latch", files)
        return BridgeCore(bridge_settings(venue, venue.rest, venue.bridge, backend), store, backend, latch)

    def fix_side(self, venue: str) -> str:
        """See `World`."""
        return f"bridge@{venue}"

    def connect(self, process: Process, effect: Connect) -> None:
        """See `Surroundings`: the bridge to the venue, all others to the bridge."""
        is_ours = process.name == self.bridge
        server = f"exchange@{VENUE}" if is_ours else self.bridge
        listener = effect.target if is_ours else setting.listener_of(process.name)
        self.join(process, effect.connection, server, listener)

    def reading(self, process: Process, connection: int, data: bytes) -> None:
        """See `Surroundings`: what reaches the venue is not FIX, so that the bridge's reading of its clients counts."""
        if not process.name.startswith("exchange@"):
            super().reading(process, connection, data)

    def died(self, process: Process, status: int, text: str) -> None:
        """See `Surroundings`."""
        if process.name == self.bridge and status == ExitStatus.INTEGRITY:
            raise Forgotten(text)
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
        """Whatever has reached the venue stands in the log of a bridge that has read it. Raises Forgotten."""
        process = self.processes[self.bridge]
        core = process.core
        if not isinstance(core, BridgeCore) or core.status(process.clock.read())["state"] == "starting":
            return
        names = {order.cl_ord_ids[0] for order in self.truths[VENUE].orders.values() if order.is_ours}
        lost = sorted(name for name in names if not core.book.has(name))
        if lost:
            raise Forgotten(f"{len(lost)} orders at {VENUE}, such as {lost[0]}, are not in the bridge's log")

    def _strike(self, kind: str, random: Random) -> None:
        self.trace("adversary", "strikes", kind)
        if kind == "power":
            self.cut_power(random)
        elif kind == "inside":
            # Within one of the next calls to the disk, and the power goes with it.
            victim = self.processes[random.choice((self.bridge, "journal"))]
            victim.file_calls_left = random.randrange(8)
            victim.at_death = lambda: self.cut_power(random)
        elif kind == "cut":
            for stream in list(self.processes[self.bridge].streams.values()):
                if random.random() < 0.5:
                    stream.break_off(self.processes[self.bridge], "reset")
        elif kind == "both":
            self.kill(VICTIMS["bridge"])
            self.kill("journal")
        else:
            self.kill(VICTIMS[kind])

    def cut_power(self, random: Random) -> None:
        """The host of both logs loses power: of each is left what was synced, and perhaps more."""
        self.cuts += 1
        self.crash_host(random)


def run(seed: int, rounds: int = 12, *, traced: bool = False) -> BridgedWorld:
    """A seed to its verdict. Raises Forgotten, Violation, CoreRaised."""
    world = BridgedWorld(seed, traced=traced)
    world.start()
    world.run_for(OPEN_NS)
    world.storm(rounds)
    world.check_log()
    adversary.make_well(world)
    adversary.let_find_out(world)
    quiet.come_to_rest(world)
    return world
