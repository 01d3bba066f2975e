"""A process of the simulation that is stopped finds out by itself that it stood still, as its shell would."""

from random import Random

from common.actor.core import STOOD_STILL_NS, Connect, Core, Send, Write
from common.instant import NS_PER_MS, NS_PER_S, Instant
from scripts.simulation.plan import plan
from scripts.simulation.process import Process
from scripts.simulation.site_process import SiteProcess
from scripts.simulation.world import World


class Writer(Core):
    """Writes twice a second, two messages at once."""

    def __init__(self) -> None:
        super().__init__("session@generic")
        self.due_ns: int | None = None
        self.lost: list[str] = []
        self.late: list[bytes] = []
        self.stood_still_at: list[Instant] = []
        self.by_boot_ns = 0

    def started(self, now: Instant) -> None:
        self.effects.append(Connect(1, "fix"))

    def connected(self, connection: int, now: Instant) -> None:
        self.due_ns = now.boot_ns

    def timer(self, now: Instant) -> None:
        self.due_ns = now.boot_ns + NS_PER_S // 2
        self.effects += [Write(1, b"one", self.by_boot_ns), Write(1, b"two", self.by_boot_ns)]

    def next_deadline_ns(self) -> int | None:
        return self.due_ns

    def unwritten(self, connection: int, writes: object, now: Instant) -> None:
        assert isinstance(writes, list)
        self.late += [each.data for each in writes]

    def closed(self, connection: int, text: str, now: Instant) -> None:
        self.lost.append(text)

    def stood_still(self, now: Instant) -> None:
        self.stood_still_at.append(now)


class Small(World):
    """One session, a peer that hears everything and says nothing, and what was written."""

    def __init__(self) -> None:
        super().__init__(plan(0, 0, only=frozenset(), version=1))
        self.core = Writer()
        self.written: list[tuple[int, bytes]] = []
        host = self.hosts["stack"]
        self.session = SiteProcess(self, "session@generic", host.clock, Random(0), lambda process: self.core, ())
        name = "exchange@generic"
        listener = Process(self, name, host.clock, Random(0), lambda process: Core(name), ())
        self.processes = {"session@generic": self.session, name: listener}
        listener.start()
        self.session.start()
        self.run_for(NS_PER_S)

    def writing(self, process: Process, effect: Write) -> None:
        self.written.append((self.scheduler.now_ns, effect.data))

    def reading(self, process: Process, connection: int, data: bytes) -> None:
        pass

    def sending(self, process: Process, effect: Send) -> None:
        pass

    def stop_for(self, ns: int) -> int:
        """In the middle of a turn; how many messages were written until the process went on."""
        self.session.stops_before = 1
        self.run_for(NS_PER_S)
        assert self.session.is_stopped and self.written[-1][1] == b"one"
        self.run_for(ns)
        before = len(self.written)
        self.session.wake()
        return before


def test_a_session_that_was_stopped_for_long_ends_its_connection_before_it_writes() -> None:
    world = Small()
    assert [data for _, data in world.written[:2]] == [b"one", b"two"]
    world.session.pause(STOOD_STILL_NS + 2 * NS_PER_S)
    before = len(world.written)
    world.run_for(STOOD_STILL_NS + 3 * NS_PER_S)
    assert len(world.written) == before and len(world.core.stood_still_at) == 1 and len(world.core.lost) == 1


def test_a_session_that_was_stopped_for_a_moment_goes_on() -> None:
    world = Small()
    world.session.pause(STOOD_STILL_NS - 100 * NS_PER_MS)
    before = len(world.written)
    world.run_for(STOOD_STILL_NS + NS_PER_S)
    assert len(world.written) > before and not world.core.lost


def test_a_session_that_was_stopped_between_two_writes_does_not_make_the_second_one() -> None:
    world = Small()
    before = world.stop_for(STOOD_STILL_NS)
    world.run_for(NS_PER_S)
    assert len(world.written) == before and len(world.core.lost) == 1 and len(world.core.stood_still_at) == 1


def test_between_two_writes_a_moment_costs_what_is_too_late_and_what_is_behind_it() -> None:
    world = Small()
    before = world.stop_for(NS_PER_S)
    world.run_for(NS_PER_MS)
    assert world.written[before][1] == b"two" and not world.core.late
    world.core.by_boot_ns = 1
    before = len(world.written)
    world.run_for(NS_PER_S)
    assert len(world.written) == before and world.core.late[:2] == [b"one", b"two"]
