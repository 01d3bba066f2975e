"""The emergency file on a disk that fails: what cannot be made durable does not leave."""

import errno

from common.fix.session_types import SequencePolicy
from scripts.simulation.disk import Disk, Fault
from tests.services.session.harness import World, generic_config


class Failing:
    """A disk whose writes fail from the moment `now` is set."""

    def __init__(self) -> None:
        self.now = False

    def called(self, name: str, path: str) -> Fault | None:
        return Fault(errno.EIO) if self.now and name in ("write_at", "sync") else None


def test_a_file_that_fails_ends_the_connection_and_nothing_more_leaves() -> None:
    failing = Failing()
    world = World(Disk().files(failing.called), generic_config("/emergency"))
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", "37=91|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    world.journal.dead = True
    world.control("kill")
    world.advance(1_000)
    assert world.core.status(world.now)["emergency"]
    failing.now = True
    world.advance(5_000)
    status = world.core.status(world.now)
    assert status["emergency_failure"] and status["state"] == "waiting"
    wire = len(world.venue.wire)
    world.advance(30_000)
    assert len(world.venue.wire) == wire


def test_a_file_that_could_not_be_made_is_made_when_the_disk_allows() -> None:
    failing = Failing()
    failing.now = True
    world = World(Disk().files(failing.called), generic_config("/emergency"))
    world.ready()
    world.advance(5_000)
    assert world.core.status(world.now)["emergency_failure"]
    failing.now = False
    world.advance(3_000)
    assert not world.core.status(world.now)["emergency_failure"]
    world.journal.dead = True
    world.control("kill")
    world.advance(1_000)
    assert world.core.status(world.now)["emergency"]


def test_where_the_file_cannot_be_made_nothing_leaves() -> None:
    failing = Failing()
    failing.now = True
    world = World(Disk().files(failing.called), generic_config("/emergency"))
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", "37=91|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    world.journal.dead = True
    wire = len(world.venue.wire)
    world.control("kill")
    world.advance(5_000)
    assert len(world.venue.wire) == wire
    assert world.core.status(world.now)["kill"] == "cancelling"


def test_an_order_nobody_heard_of_is_settled_by_the_mass_cancel_of_the_next_connection() -> None:
    config = generic_config("/emergency", sequence_policy=SequencePolicy.RESET)
    world = World(Disk().files(), config)
    world.ready()
    world.swallow = True
    world.command(world.new_order(1))
    world.swallow = False
    world.cut()
    world.advance(20_000)
    assert len(world.core.history.orders) == 1
    world.control("kill")
    for _ in range(20):
        world.advance(200)
        heard, world.venue.heard = world.venue.heard, []
        for fields in heard:
            if fields[b"35"] == b"q":
                name, symbol = fields[b"11"].decode(), fields[b"55"].decode()
                world.venue_says("r", f"37=1|11={name}|530=1|531=1|533=0|55={symbol}|")
    assert len(world.core.history.orders) == 0
    assert world.core.status(world.now)["kill"] == "clear"
