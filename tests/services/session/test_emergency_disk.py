"""The emergency file on a disk that fails: what cannot be made durable does not leave."""

import errno

from common.fix.session_types import SequencePolicy
from common.instant import Instant
from common.messages import ControlRequest, Inbound, Kind, OperatorAct, Outbound
from scripts.simulation.disk import Disk, Fault
from services.session.emergency import Emergency
from tests.services.session.harness import MS, World, generic_config


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


def without_journal(failing: Failing) -> World:
    """An order is open, the kill switch cancels it, and the emergency file stands in for the journal."""
    world = World(Disk().files(failing.called), generic_config("/emergency"))
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", "37=91|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    world.journal.dead = True
    world.control("kill")
    world.advance(1_000)
    assert world.core.status(world.now)["emergency"]
    return world


def test_what_a_failed_file_did_not_take_is_told_to_the_journal_when_it_is_back() -> None:
    failing = Failing()
    world = without_journal(failing)
    wire = len(world.wire_raw)
    failing.now = True
    fill = "37=91|11=7-1|17=t1|150=F|39=1|55=BTCUSDT|54=1|32=0.1|31=9|14=0.1|151=0.4|6=9|"
    world.to_session(world.venue.send("8", fill, world.now))
    # The cancels are due again, and numbered in the turn in which the file fails.
    world.boot_ns += 1_000 * MS
    next_outbound = world.core.history.next_outbound
    world.core.timer(world.now)
    assert world.core.history.next_outbound > next_outbound
    world.settle()
    assert world.core.status(world.now)["emergency_failure"] and len(world.wire_raw) == wire
    failing.now = False
    world.journal.dead = False
    world.advance(3_000)
    assert not world.core.status(world.now)["emergency"]
    log = world.journal.payloads()
    assert len([p for p in log if isinstance(p, Inbound) and b"17=t1" in p.raw]) == 1
    assert {p.raw for p in log if isinstance(p, Outbound)} <= set(world.wire_raw)
    fresh = world.new_core()
    for record in world.journal.records:
        fresh.folded.apply(record)
    assert fresh.history.next_outbound == world.core.history.next_outbound == world.venue.next_inbound
    assert fresh.history.next_inbound == world.core.history.next_inbound == world.venue.next_outbound


def test_what_is_done_by_hand_is_confirmed_when_the_file_has_it_and_refused_once_that_has_failed() -> None:
    failing = Failing()
    world = without_journal(failing)
    assert world.control("logout").ok and world.control("logon").ok
    failing.now, told = True, len(world.answers)
    world.core.received("control", b"me", ControlRequest("logout", b"{}", "tester", 7), world.now)
    world.settle()
    assert world.core.status(world.now)["emergency_failure"] and len(world.answers) == told
    world.advance(1_500)
    (unrecorded,) = world.answers[told:]
    assert (unrecorded.token, unrecorded.ok) == (7, False) and "has not confirmed its record" in unrecorded.text
    refused = world.control("logout")
    assert not refused.ok and "nothing is done that it has not recorded" in refused.text


def test_a_file_that_fails_at_its_first_record_ends_the_connection_and_no_more() -> None:
    failing = Failing()
    world = World(Disk().files(failing.called), generic_config("/emergency"))
    world.ready()
    world.control("kill")
    failing.now = world.journal.dead = True
    wire = len(world.wire_raw)
    world.advance(30_000)
    status = world.core.status(world.now)
    assert status["emergency_failure"] and status["state"] == "waiting"
    assert len(world.wire_raw) == wire and len(world.connects) == 1


def test_where_the_file_fails_between_connections_none_is_made() -> None:
    failing = Failing()
    world = without_journal(failing)
    connects = len(world.connects)
    failing.now = True
    world.cut()
    world.advance(30_000)
    assert len(world.connects) == connects
    assert [note.fields["mend"] for note in world.notes if note.event == "emergency_failed"]
    assert world.core.status(world.now)["state"] == "waiting"


def test_a_session_that_starts_alone_without_a_file_says_so_and_sends_nothing() -> None:
    failing = Failing()
    world = without_journal(failing)
    wire = len(world.wire_raw)
    failing.now = True
    world.notes.clear()
    world.crash()
    world.advance(5_000)
    assert [note.level for note in world.notes if note.event == "emergency"] == ["error"]
    status = world.core.status(world.now)
    assert status["emergency_failure"] and status["kill"] == "cancelling"
    assert len(world.wire_raw) == wire


def emergency() -> Emergency:
    """The file of one life of a session."""
    made = Emergency("/emergency", "generic", "session@generic", Disk().files(), 1 << 16)
    made.prepare(5)
    return made


def test_the_file_of_this_life_is_kept_while_it_is_empty() -> None:
    it = emergency()
    assert it.waiting() == []
    act = OperatorAct("session@generic", "kill", "me")
    it.add_record(Kind.OPERATOR, act)
    assert it.flush(Instant(1, 1)) == 1
    assert [(file.name, file.payloads) for file in it.waiting()] == [(it.name, [act])]


def test_a_file_that_the_journal_has_takes_nothing_more() -> None:
    it = emergency()
    for number in (1, 2):
        assert it.add_record(Kind.OPERATOR, OperatorAct("session@generic", "kill", "me")) == number
        assert it.flush(Instant(1, 1)) == 1
        it.discard(it.name)


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
