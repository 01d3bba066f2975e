"""The kill switch at one session, with and without a journal: the books are emptied, nothing new is let through, and
the log is told everything in the end.
"""

from decimal import Decimal as D
from pathlib import Path

import pytest
from msgspec import structs

from common.actor.core import Effect, ReadLog
from common.journal.emergency import read_emergency
from common.journal.files import OsFiles
from common.latch import Latch
from common.messages import (
    AppendRefused,
    CancelOrder,
    Inbound,
    Kind,
    OperatorAct,
    Outbound,
    Reason,
    Refused,
    SessionChanged,
    Withdrawn,
)
from common.venues.dialect import Body
from common.venues.generic.dialect import Generic
from common.venues.venue import Feature
from tests.journals import decode_payload
from tests.services.session.harness import World, generic_config


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A session at a venue with persistent numbers and a mass cancel."""
    return World(OsFiles(), generic_config(str(tmp_path / "emergency")))


def accept(world: World, counter: int) -> None:
    """The venue acknowledges an order."""
    line = f"37=9{counter}|11=7-{counter}|17=n{counter}|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|"
    world.venue_says("8", line)


def answer_cancels(world: World) -> None:
    """The venue carries out every cancel that it got, once."""
    heard, world.venue.heard = world.venue.heard, []
    for fields in heard:
        name = fields[b"11"].decode()
        if fields[b"35"] == b"q":
            world.venue_says("r", f"37=1|11={name}|530=1|531=1|533=0|55={fields[b'55'].decode()}|")
        elif fields[b"35"] == b"F":
            orig = fields[b"41"].decode()
            open_order = world.core.history.orders.find(orig)
            if open_order is None:
                world.venue_says("9", f"37=NONE|11={name}|41={orig}|39=8|434=1|102=1|")
            else:
                order_id = fields.get(b"37", b"1").decode()
                line = f"37={order_id}|11={name}|41={orig}|17=c{name}|150=4|39=4|55=BTCUSDT|54=1|14=0|151=0|6=0|"
                world.venue_says("8", line)


def run_down(world: World, rounds: int = 10) -> None:
    """Let the session cancel and the venue answer."""
    for _ in range(rounds):
        world.advance(200)
        answer_cancels(world)


def kill_state(world: World) -> object:
    """What status says."""
    return world.core.status(world.now)["kill"]


def test_kill_cancels_refuses_and_is_journaled(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.command(world.new_order(2))
    assert world.control("kill").ok
    world.command(world.new_order(3))
    refused = [p.reason for p in world.journal.payloads(Kind.REFUSED) if isinstance(p, Refused)]
    assert refused == [Reason.KILLED]
    assert kill_state(world) == "cancelling"
    world.advance(0)
    assert [f[b"35"] for f in world.venue.heard] == [b"D", b"D", b"q", b"q"]
    world.advance(200)
    assert [f[b"41"] for f in world.venue.heard if f[b"35"] == b"F"] == [b"7-1", b"7-2"]
    run_down(world)
    assert kill_state(world) == "clear"
    acts = [p.act for p in world.journal.payloads(Kind.OPERATOR) if isinstance(p, OperatorAct)]
    assert acts == ["kill"]


def test_the_latch_outlives_the_process_and_resume_needs_a_confirmation(world: World) -> None:
    world.ready()
    world.control("kill")
    world.crash()
    world.advance(3000)
    world.open_gate()
    world.command(world.new_order(1))
    assert b"D" not in {f[b"35"] for f in world.venue.heard}
    assert not world.control("resume").ok
    assert world.control("resume", confirm=True).ok
    world.command(world.new_order(2, ttl_ms=1000))
    assert world.venue.heard[-1][b"11"] == b"7-2"
    world.crash()
    assert kill_state(world) == "off"


def test_unreleased_orders_are_withdrawn_by_the_kill(world: World) -> None:
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1))
    world.control("kill")
    world.release()
    assert b"D" not in {f[b"35"] for f in world.venue.heard}
    withdrawn = [p for p in world.journal.payloads(Kind.WITHDRAWN) if isinstance(p, Withdrawn)]
    assert [(p.attempt.counter, p.reason) for p in withdrawn if p.attempt] == [(1, Reason.KILLED)]


def test_an_order_the_venue_never_heard_of_does_not_keep_the_kill_from_ending(world: World) -> None:
    world.ready()
    world.swallow = True
    world.command(world.new_order(1))
    world.swallow = False
    world.cut()
    world.control("kill")
    run_down(world, 20)
    assert kill_state(world) == "clear"


BUST = "37=91|11=7-1|17=b1|19=f1|150=H|39=0|55=BTCUSDT|54=1|38=0.5|32=0.5|31=9|14=0|151=0.5|6=0|"
FOREIGN = "37=77|11=gui-1|17=x1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|"


def cleared(world: World) -> None:
    """An order was filled, and the kill switch has found nothing open."""
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.venue_says("8", "37=91|11=7-1|17=f1|150=F|39=2|55=BTCUSDT|54=1|38=0.5|32=0.5|31=9|14=0.5|151=0|6=9|")
    world.control("kill")
    run_down(world)
    assert kill_state(world) == "clear"


@pytest.mark.parametrize(("report", "order_id"), [(BUST, b"91"), (FOREIGN, b"77")], ids=["bust", "foreign"])
def test_an_order_that_turns_up_when_nothing_was_open_is_cancelled_too(
    world: World, report: str, order_id: bytes
) -> None:
    cleared(world)
    world.advance(60_000)
    assert [f for f in world.venue.heard if f[b"35"] in b"qF"] == [], "nothing is open, and nothing is sent"
    world.venue_says("8", report)
    assert kill_state(world) == "cancelling"
    world.advance(0)
    assert [(f[b"35"], f[b"55"]) for f in world.venue.heard] == [(b"q", b"BTCUSDT")]
    world.advance(200)
    assert [f[b"37"] for f in world.venue.heard if f[b"35"] == b"F"] == [order_id]
    run_down(world)
    assert kill_state(world) == "clear" and len(world.core.history.orders) == 0
    told = [p.text for p in world.journal.payloads(Kind.OPERATOR) if isinstance(p, OperatorAct)]
    assert [text.startswith("nothing is open") for text in told] == [True, True]


def test_a_logon_under_the_latch_begins_to_cancel_anew(world: World) -> None:
    cleared(world)
    world.venue.heard.clear()
    world.cut()
    world.advance(200)
    assert kill_state(world) == "cancelling"
    assert sorted(f[b"55"] for f in world.venue.heard if f[b"35"] == b"q") == [b"BTCUSDT", b"ETHUSDT"]
    run_down(world)
    assert kill_state(world) == "clear"


def test_an_order_that_turns_up_after_a_resume_is_left_alone(world: World) -> None:
    cleared(world)
    assert world.control("resume", confirm=True).ok
    world.venue.heard.clear()
    world.venue_says("8", FOREIGN)
    world.cut()
    world.advance(20_000)
    assert kill_state(world) == "off" and world.venue.heard == []


def away_and_killed(world: World) -> None:
    """An order is open, another is numbered, a report is not acknowledged, and the journal is gone when the kill
    comes.
    """
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.journal.dead = True
    world.command(world.new_order(2))
    world.venue_says("8", "37=91|11=7-1|17=t1|150=F|39=1|55=BTCUSDT|54=1|32=0.1|31=9|14=0.1|151=0.4|6=9|")
    world.control("kill")


def test_without_the_journal_the_emergency_file_is_the_journal(world: World) -> None:
    away_and_killed(world)
    run_down(world)
    assert kill_state(world) == "clear"
    numbers = [int(f[b"34"]) for f in world.venue.wire]
    assert numbers == list(range(1, len(numbers) + 1)), "numbering goes on from the first number that never left"
    assert [f[b"11"] for f in world.venue.heard if f[b"35"] == b"D"] == []
    name = str(world.core.status(world.now)["emergency"])
    frames = read_emergency(Path(world.config.emergency_folder) / name, OsFiles())
    payloads = [decode_payload(frame.payload) for frame in frames]
    assert isinstance(payloads[0], SessionChanged)
    assert [p.attempt.counter for p in payloads if isinstance(p, Withdrawn) and p.attempt] == [2]
    reports = [p for p in payloads if isinstance(p, Inbound) and p.event is not None]
    assert b"17=t1" in reports[0].raw, "the report that the journal had not acknowledged stands in the file"


def test_the_file_is_handed_over_when_the_journal_is_back(world: World) -> None:
    away_and_killed(world)
    run_down(world)
    before = len(world.journal.records)
    next_outbound = world.core.history.next_outbound
    world.journal.dead = False
    world.advance(1000)
    handed = [decode_payload(r.payload) for r in world.journal.records[before:] if r.kind >= 16]
    fills = [p for p in handed if isinstance(p, Inbound) and b"17=t1" in p.raw]
    assert len(fills) == 1
    assert fills[0].emergency
    assert any(isinstance(p, OperatorAct) and p.act == "kill" for p in handed)
    outbound = [p.msg_seq_num for p in handed if isinstance(p, Outbound)]
    assert outbound == sorted(set(outbound))
    assert world.core.history.next_outbound >= next_outbound
    names = {path.name for path in Path(world.config.emergency_folder).glob("*.emergency")}
    assert names == {world.core.emergency.name}
    assert world.control("resume", confirm=True).ok
    world.open_gate()
    world.command(world.new_order(9))
    assert world.venue.heard[-1][b"11"] == b"7-9"
    fresh = world.new_core()
    for record in world.journal.records:
        fresh.folded.apply(record)
    assert fresh.history.next_outbound == world.core.history.next_outbound
    assert fresh.history.next_inbound == world.core.history.next_inbound
    assert {o.cl_ord_id for o in fresh.history.orders.all()} == {o.cl_ord_id for o in world.core.history.orders.all()}


@pytest.mark.parametrize("survives", [0, 1, 3, 7])
def test_a_hand_over_broken_off_goes_on_from_there(world: World, survives: int) -> None:
    away_and_killed(world)
    run_down(world)
    before = len(world.journal.records)
    world.journal.dead = False
    world.advance(1000)
    whole = [r.payload for r in world.journal.records[before:] if b"emergency file" not in r.payload and r.kind >= 16]

    second = World(OsFiles(), generic_config(str(Path(world.config.emergency_folder).parent / "second")))
    away_and_killed(second)
    run_down(second)
    kept = Path(second.config.emergency_folder)
    files = {path: path.read_bytes() for path in kept.glob("*.emergency")}
    before = len(second.journal.records)
    second.journal.dead = False
    second.advance(1000)
    # As if the process had died when the journal had taken only a part of the hand-over.
    second.journal.cut(before + 1 + survives)
    for path, content in files.items():
        path.write_bytes(content)
    second.crash()
    again = [r.payload for r in second.journal.records[before:] if b"emergency file" not in r.payload and r.kind >= 16]
    assert again[: len(whole)] == whole


class SlowDisk(World):
    """The log is read one record at a time, and while `held` not at all."""

    held = False

    def perform(self, effect: Effect) -> None:
        if isinstance(effect, ReadLog):
            first = effect.from_lsn - 1
            self.reads = [] if not self.held else [effect]
            if not self.held:
                self.core.log_read(self.journal.records[first : min(first + 1, effect.upto_lsn)], self.now)
            return
        super().perform(effect)

    def read(self) -> None:
        """The disk answers again."""
        self.held = False
        for effect in self.reads:
            self.perform(effect)
        self.settle()


@pytest.mark.parametrize("kind", [World, SlowDisk])
def test_a_journal_that_goes_away_again_during_the_hand_over_gets_each_record_once(
    tmp_path: Path, kind: type[World]
) -> None:
    world = kind(OsFiles(), generic_config(str(tmp_path / "emergency")))
    away_and_killed(world)
    run_down(world)
    before = len(world.journal.records)
    first_file = world.core.emergency.name
    # It grants, takes the hand-over, and dies before it says so.
    world.journal.dead = False
    world.journal.mute = True
    world.advance(150)
    world.journal.dead, world.journal.mute = True, False
    world.control("kill")
    world.advance(600)
    assert world.core.emergency.active
    assert world.core.emergency.name != first_file
    next_outbound = world.core.history.next_outbound
    world.journal.dead = False
    world.advance(1000)
    assert not world.core.emergency.active
    handed = [decode_payload(r.payload) for r in world.journal.records[before:] if r.kind >= 16]
    numbers = [p.msg_seq_num for p in handed if isinstance(p, Outbound)]
    assert numbers == sorted(set(numbers)), "nothing is handed over twice"
    fresh = world.new_core()
    for record in world.journal.records:
        fresh.folded.apply(record)
    assert fresh.history.next_outbound == world.core.history.next_outbound >= next_outbound
    names = {path.name for path in Path(world.config.emergency_folder).glob("*.emergency")}
    assert names == {world.core.emergency.name}


@pytest.mark.parametrize("kind", [World, SlowDisk])
def test_a_hand_over_taken_in_part_goes_on_behind_that_part_whatever_others_wrote(
    tmp_path: Path, kind: type[World]
) -> None:
    world = kind(OsFiles(), generic_config(str(tmp_path / "emergency")))
    away_and_killed(world)
    run_down(world)
    world.journal.dead = False
    world.journal.mute = True
    world.advance(150)
    # Of the hand-over it took what stands before the report, and it dies before it says so.
    log = world.journal.records
    world.journal.cut(next(at for at, record in enumerate(log) if b"17=t1" in record.payload))
    world.journal.write("session@elsewhere", log[-1].kind, log[-1].payload, 1001)
    world.journal.dead, world.journal.mute = True, False
    world.control("kill")
    world.advance(600)
    world.journal.dead = False
    world.advance(1000)
    assert not world.core.emergency.active
    reports = [p for p in world.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound) and b"17=t1" in p.raw]
    assert len(reports) == 1


def test_a_file_that_was_handed_over_and_not_removed_is_not_handed_over_again(world: World) -> None:
    away_and_killed(world)
    run_down(world)
    folder = Path(world.config.emergency_folder)
    files = {path: path.read_bytes() for path in folder.glob("*.emergency")}
    world.journal.dead = False
    world.advance(1000)
    world.control("resume", confirm=True)
    world.open_gate()
    world.command(world.new_order(9))
    # As if the process had died before it could remove the file.
    for path, content in files.items():
        path.write_bytes(content)
    numbers = world.core.history.next_outbound, world.core.history.next_inbound
    world.crash()
    assert (world.core.history.next_outbound, world.core.history.next_inbound) == numbers
    world.advance(1000)
    reports = [p for p in world.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound) and b"17=t1" in p.raw]
    assert len(reports) == 1
    assert {path.name for path in folder.glob("*.emergency")} == {world.core.emergency.name}


def slow_and_killed(tmp_path: Path, *, dead: bool) -> SlowDisk:
    """A new process under the latch, whose disk does not answer; the journal does, unless it is `dead`."""
    world = SlowDisk(OsFiles(), generic_config(str(tmp_path / "emergency")))
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.control("kill")
    world.held = True
    world.journal.dead = dead
    world.crash()
    world.advance(300)
    assert world.core.status(world.now)["state"] == "starting"
    return world


def test_under_the_latch_a_journal_that_answers_is_waited_for_however_slow_the_disk(tmp_path: Path) -> None:
    world = slow_and_killed(tmp_path, dead=False)
    assert not world.core.taking_up.reading_alone
    world.read()
    run_down(world, 15)
    assert kill_state(world) == "clear" and not world.core.status(world.now)["emergency"]


def test_a_journal_that_is_back_while_the_log_is_read_without_it_is_the_journal(tmp_path: Path) -> None:
    world = slow_and_killed(tmp_path, dead=True)
    assert world.core.taking_up.reading_alone
    world.journal.dead = False
    world.advance(300)
    world.read()
    run_down(world, 15)
    assert kill_state(world) == "clear" and not world.core.status(world.now)["emergency"]
    acts = [p.act for p in world.journal.payloads(Kind.OPERATOR) if isinstance(p, OperatorAct)]
    assert acts == ["kill"]


def test_a_journal_that_answers_and_takes_nothing_is_away_and_the_book_is_emptied(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    world.journal.stuck = True
    world.control("kill")
    run_down(world)
    assert any(note.event == "emergency" for note in world.notes)
    assert kill_state(world) == "clear"
    world.journal.stuck = False
    run_down(world)
    assert not world.core.status(world.now)["emergency"]
    assert any(isinstance(p, OperatorAct) and p.act == "kill" for p in world.journal.payloads())


def test_a_session_whose_record_is_refused_for_good_ends_and_says_why(world: World) -> None:
    world.ready()
    writer = world.core.name
    epoch = world.journal.epochs[writer]
    world.deliver([AppendRefused(writer, epoch, 1, 1, "append 9, kind 17, has 2000000 bytes")])
    world.settle()
    assert world.exit is not None
    assert world.exit.status == 1
    assert "append 9, kind 17, has 2000000 bytes" in world.exit.text


def test_a_kill_while_the_journal_is_waited_for_is_no_reason_to_wait_longer(world: World) -> None:
    world.ready()
    world.control("kill")
    world.journal.dead = True
    world.crash()
    world.advance(200)
    assert world.control("kill").ok
    world.advance(50)
    assert world.core.status(world.now)["emergency"]


def test_a_session_started_without_the_journal_under_the_latch_goes_on_from_log_and_files(world: World) -> None:
    away_and_killed(world)
    world.advance(600)
    next_outbound = world.core.history.next_outbound
    world.crash()
    world.advance(2000)
    run_down(world)
    assert kill_state(world) == "clear"
    assert world.core.history.next_outbound > next_outbound
    numbers = [int(f[b"34"]) for f in world.venue.wire if f.get(b"43") != b"Y"]
    assert numbers == sorted(set(numbers)), "no number repeats on the wire without PossDupFlag(43)"
    world.journal.dead = False
    world.advance(2000)
    assert not world.core.emergency.active
    acts = [p.act for p in world.journal.payloads(Kind.OPERATOR) if isinstance(p, OperatorAct)]
    assert acts == ["kill"]


def test_the_latch_file_reads_anything_but_open_as_latched(tmp_path: Path) -> None:
    files = OsFiles()
    latch = Latch(str(tmp_path), "x.latch", files)
    latch.load()
    assert not latch.set
    latch.latch()
    again = Latch(str(tmp_path), "x.latch", files)
    again.load()
    assert again.set
    assert again.release()
    again.load()
    assert not again.set
    (tmp_path / "x.latch").write_bytes(b"\0" * 512)
    again.load()
    assert again.set


def test_a_latch_that_the_disk_does_not_take_holds_in_memory(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    latch = Latch(str(blocked / "below"), "x.latch", OsFiles())
    latch.load()
    assert latch.failure
    latch.latch()
    assert latch.set
    assert not latch.release()
    assert latch.set


def resting(folder: Path, **changes: object) -> World:
    """One order rests."""
    world = World(OsFiles(), generic_config(str(folder), **{"cancel_on_stop": True, **changes}))
    world.ready()
    world.command(world.new_order(1))
    accept(world, 1)
    return world


@pytest.mark.parametrize("dead", [False, True])
def test_what_rests_at_an_orderly_stop_is_cancelled_by_the_session_whoever_else_is_dead(
    tmp_path: Path, dead: bool
) -> None:
    world = resting(tmp_path)
    world.journal.dead = dead
    world.core.stop(world.now)
    world.settle()
    for _ in range(9):
        world.advance(50)
        answer_cancels(world)
    assert not len(world.core.history.orders) and not world.core.kill.latched
    world.advance(1_000)
    assert world.exit is not None and world.exit.status == 0


def test_a_venue_that_does_not_answer_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    world = resting(tmp_path)
    world.core.stop(world.now)
    world.settle()
    world.advance(500)
    assert world.core.outbox.fix is None or not world.core.kill.latched
    world.advance(1_000)
    assert world.exit is not None
    assert [n.fields["orders"] for n in world.notes if n.event == "left_open"] == [["7-1"]]


def test_a_session_that_is_killed_while_it_stops_leaves_no_latch_that_nobody_has_pulled(tmp_path: Path) -> None:
    world = resting(tmp_path)
    world.core.stop(world.now)
    world.settle()
    assert world.core.kill.latched
    world.crash()
    world.advance(1_000)
    assert not world.core.kill.latched and not world.core.history.latched
    world.open_gate()
    assert world.core.status(world.now)["state"] == "ready"


def test_nothing_is_cancelled_at_a_stop_where_orders_are_to_stay(tmp_path: Path) -> None:
    world = resting(tmp_path, cancel_on_stop=False)
    world.core.stop(world.now)
    world.settle()
    assert not heard_cancels(world)


@pytest.mark.parametrize("lives_again", [False, True])
def test_a_session_that_is_away_at_a_stop_logs_on_for_what_rests(tmp_path: Path, lives_again: bool) -> None:
    world = resting(tmp_path)
    world.reachable = False
    world.cut()
    world.reachable = True
    if lives_again:
        world.core = world.new_core()
        world.core.started(world.now)
    world.core.stop(world.now)
    world.settle()
    for _ in range(6):
        world.advance(50)
        answer_cancels(world)
    assert not len(world.core.history.orders) and not world.core.kill.latched
    world.advance(1_000)
    assert world.exit is not None and world.exit.status == 0


def test_a_venue_that_is_not_there_is_not_waited_for_long(tmp_path: Path) -> None:
    world = resting(tmp_path)
    world.reachable = False
    world.cut()
    world.core.stop(world.now)
    world.settle()
    world.advance(400)
    assert world.exit is None
    world.advance(100)
    assert world.exit is not None and world.exit.text == "stopped"


def test_an_operator_s_kill_outlives_the_stop_that_finished_it(tmp_path: Path) -> None:
    world = resting(tmp_path)
    world.control("kill")
    world.core.stop(world.now)
    world.settle()
    for _ in range(8):
        world.advance(50)
        answer_cancels(world)
    world.advance(1_000)
    assert world.exit is not None
    assert not len(world.core.history.orders) and world.core.kill.latched


def heard_cancels(world: World) -> list[bytes]:
    return [fields[b"35"] for fields in world.venue.heard if fields[b"35"] in (b"q", b"F")]


class Apart(Generic):
    """FIX 4.4 at a venue that finds an order that sleeps only where a cancel says so, in Text(58)."""

    profile = structs.replace(Generic.profile, finds_sleeping_apart=True, lacks=frozenset({Feature.MASS_CANCEL}))

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        return None

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        body = super().encode_cancel(command, wall_ns)
        return Body(body.msg_type, body.fields + b"58=%b\x01" % (b"asleep" if command.sleeps else b"awake"))


UNKNOWN = "37=NONE|11={name}|41=7-1|39=8|434=1|102=1|"


@pytest.fixture
def apart(tmp_path: Path) -> World:
    """A session with a stop order at such a venue."""
    world = World(OsFiles(), generic_config(str(tmp_path / "emergency")), Apart())
    world.ready()
    world.command(world.new_order(1, ord_type="4", stop_px=D("65000.00")))
    accept(world, 1)
    return world


def kinds_asked(world: World) -> list[str]:
    """As what the orders were cancelled, and the names of the cancels with it."""
    return [fields[b"58"].decode() for fields in world.venue.heard if fields[b"35"] == b"F"]


def last_cancel(world: World) -> str:
    return [fields[b"11"].decode() for fields in world.venue.heard if fields[b"35"] == b"F"][-1]


def test_a_stop_order_that_is_not_found_asleep_is_cancelled_as_awake_before_it_counts_as_gone(apart: World) -> None:
    apart.control("kill")
    apart.advance(300)
    assert kinds_asked(apart) == ["asleep"]
    apart.venue_says("9", UNKNOWN.format(name=last_cancel(apart)))
    assert kill_state(apart) == "cancelling" and apart.core.history.orders.find("7-1") is not None
    apart.advance(300)
    assert kinds_asked(apart) == ["asleep", "awake"]
    apart.venue_says("9", UNKNOWN.format(name=last_cancel(apart)))
    apart.advance(300)
    assert kill_state(apart) == "clear" and kinds_asked(apart) == ["asleep", "awake"]


def test_the_same_question_answered_twice_is_no_answer_to_the_other(apart: World) -> None:
    apart.control("kill")
    apart.advance(1500)
    assert kinds_asked(apart) == ["asleep", "asleep"], "no answer came in time"
    names = [fields[b"11"].decode() for fields in apart.venue.heard if fields[b"35"] == b"F"]
    for name in names:
        apart.venue_says("9", UNKNOWN.format(name=name))
    assert kill_state(apart) == "cancelling" and apart.core.history.orders.find("7-1") is not None
    apart.advance(300)
    assert kinds_asked(apart)[2:] == ["awake"]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("woken", [False, True])
def test_what_a_stop_order_is_is_known_after_a_restart_too(apart: World, restarted: bool, woken: bool) -> None:
    if woken:
        apart.venue_says("8", "37=91|11=7-1|17=t1|150=L|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    if restarted:
        apart.crash()
        apart.advance(3000)
    apart.control("kill")
    apart.advance(300)
    assert kinds_asked(apart)[:1] == ["awake" if woken else "asleep"]


@pytest.mark.parametrize(("word", "kind"), [("9", "asleep"), ("0", "awake")])
def test_somebody_else_s_order_is_what_the_venue_says(apart: World, word: str, kind: str) -> None:
    apart.venue_says("8", f"37=77|11=gui-1|17=x1|150={word}|39={word}|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    apart.control("kill")
    apart.advance(300)
    asked = {fields[b"41"]: fields[b"58"].decode() for fields in apart.venue.heard if fields[b"35"] == b"F"}
    assert asked[b"gui-1"] == kind
