"""However a session lived, its log tells the same state again, and nothing was on the wire that the log does not bear
out.
"""

import tempfile
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.actor.snapshots import StateDiffers
from common.fix.session_types import SequencePolicy
from common.fix.wire import split
from common.journal.files import OsFiles
from common.messages import (
    Inbound,
    Kind,
    NewOrder,
    Outbound,
    Payload,
    SessionChanged,
    SessionState,
    Withdrawn,
    encode,
)
from common.venues.registry import find_dialect
from services.session.emergency import HandOvers, hand_over_begins, hand_over_complete
from services.session.make_snapshot import Checked
from services.session.recovery import Folded, load_folded
from tests.journals import decode_payload
from tests.services.session.harness import World, generic_config

ACTS = (
    "new",
    "new",
    "new",
    "cancel",
    "accept",
    "fill",
    "cut",
    "crash",
    "hold",
    "release",
    "lose",
    "wait",
    "open",
    "kill",
)


class Life:
    """A world with the acts of a random life."""

    def __init__(self, folder: str) -> None:
        self.world = World(OsFiles(), generic_config(folder))
        self.world.ready()
        self.counter = 0
        self.accepted: set[str] = set()

    def act(self, word: str) -> None:
        """One act."""
        world = self.world
        match word:
            case "new":
                self.counter += 1
                world.command(world.new_order(self.counter, ttl_ms=40 + 37 * (self.counter % 9)))
            case "cancel":
                self.counter += 1
                world.command(world.cancel_order(self.counter, f"7-{max(1, self.counter - 3)}"))
            case "accept" | "fill":
                self.report(word)
            case "cut" if world.core.outbox.fix is not None:
                world.cut()
            case "crash":
                world.journal.held = False
                world.crash()
            case "hold":
                world.journal.held = True
            case "release":
                world.release()
            case "lose":
                world.swallow = not world.swallow
            case "wait":
                world.advance(170)
            case "open":
                world.advance(300)
                world.open_gate()
            case "kill":
                world.control("kill")
                world.advance(300)
                world.control("resume", confirm=True)

    def report(self, word: str) -> None:
        """The venue reports on the first order it got."""
        world = self.world
        names = [f[b"11"].decode() for f in world.venue.heard if f[b"35"] == b"D"]
        open_names = [n for n in names if n not in self.accepted] if word == "accept" else sorted(self.accepted)
        if not open_names or world.venue.fix is None or not world.venue.fix.logged_on or world.swallow:
            return
        name = open_names[0]
        head = f"37=o{name}|11={name}|17={word}{name}|55=BTCUSDT|54=1|38=0.5|6=0|"
        if word == "accept":
            self.accepted.add(name)
            world.venue_says("8", head + "150=0|39=0|14=0|151=0.5|")
        else:
            self.accepted.discard(name)
            world.venue_says("8", head + "150=F|39=2|14=0.5|151=0|32=0.5|31=9|")

    def rest(self) -> None:
        """Everything works again and comes to rest."""
        self.world.swallow = False
        self.world.release()
        self.world.advance(6000)


def refold(world: World) -> Folded:
    """The log, folded anew; what the session wrote of its numbers on the way is what the fold has there."""
    folded = Folded(world.core.name, world.config.venue, world.dialect)
    checked = Checked(folded)
    for record in world.journal.records:
        checked.apply(record)
    return folded


def facts(folded: Folded) -> dict[str, object]:
    """What must be the same however it came about."""
    h = folded.history
    return {
        "numbers": (h.generation, h.connection, h.next_outbound, h.next_inbound),
        "logon": h.logon_ns,
        "state": (h.state, h.halted, h.logged_out_by_hand, h.latched),
        "sent": {number: sent for number, sent in h.sent.items() if sent.raw or sent.attempt},
        "orders": sorted((o.cl_ord_id, o.order_id, o.heard, o.order_qty) for o in h.orders.all()),
    }


@settings(max_examples=40)
@given(st.lists(st.sampled_from(ACTS), max_size=40))
def test_the_log_tells_the_living_state_and_bears_out_the_wire(acts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Life(folder)
        for word in acts:
            life.act(word)
        life.rest()
        world = life.world
        assert facts(refold(world)) == facts(world.core.folded)
        check_wire(world)


def check_wire(world: World) -> None:
    """Each order on the wire is in the log in time and was not withdrawn; no number took the wire twice."""
    outbound: dict[bytes, tuple[Outbound, int]] = {}
    withdrawn: set[object] = set()
    for record in world.journal.records:
        payload: Payload | None = decode_payload(record.payload) if record.kind >= 16 else None
        if isinstance(payload, Outbound):
            outbound[payload.raw] = (payload, record.stamp_ns)
        elif isinstance(payload, Withdrawn):
            withdrawn.add(payload.attempt)
    numbers = [int(split(raw)[b"34"]) for raw in world.wire_raw if b"\x0143=Y\x01" not in raw]
    assert len(numbers) == len(set(numbers))
    for raw in world.wire_raw:
        if b"\x0143=Y\x01" in raw:
            assert b"\x0135=D\x01" not in raw
            continue
        logged, stamp_ns = outbound[raw]
        if isinstance(logged.command, NewOrder):
            assert stamp_ns <= logged.command.deadline_ns
            assert logged.command.attempt not in withdrawn


def test_no_snapshot_is_made_of_numbers_that_the_session_did_not_have(tmp_path: Path) -> None:
    life = Life(str(tmp_path))
    for word in ("new", "accept", "cut", "wait"):
        life.act(word)
    life.rest()
    records = list(life.world.journal.records)
    checked = Checked(Folded(life.world.core.name, life.world.config.venue, life.world.dialect))
    with pytest.raises(StateDiffers, match="says generation 1 next out 4 in 4, and the fold has .* next out 3 in 4"):
        for record in records:
            if record.kind != Kind.OUTBOUND or b"\x0135=D\x01" not in record.payload:
                checked.apply(record)


def test_a_connection_that_resets_the_numbers_begins_a_generation_with_both_at_1(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), sequence_policy=SequencePolicy.RESET))
    world.ready()
    world.command(world.new_order(1))
    world.cut()
    world.advance(5000)
    assert world.core.history.generation == 2
    assert facts(refold(world)) == facts(world.core.folded)
    checked = Checked(Folded(world.core.name, world.config.venue, world.dialect))
    with pytest.raises(StateDiffers, match="says generation 2 next out 2 in 1, and the fold has .* next out 1 in 1"):
        for record in world.journal.records:
            told = decode_payload(record.payload) if record.kind == Kind.SESSION else None
            if isinstance(told, SessionChanged) and (told.generation, told.state) == (2, SessionState.CONNECTING):
                altered = encode(msgspec.structs.replace(told, next_outbound=2))
                record = msgspec.structs.replace(record, payload=altered)
            checked.apply(record)


def test_a_snapshot_goes_on_where_it_stands(tmp_path: Path) -> None:
    life = Life(str(tmp_path))
    story = "new new accept new cancel cut open new crash open new accept hold new release kill"
    for word in story.split():
        life.act(word)
    life.rest()
    world = life.world
    records = world.journal.records
    for cut in range(0, len(records) + 1, 7):
        folded = Folded(world.core.name, world.config.venue, world.dialect)
        for record in records[:cut]:
            folded.apply(record)
        loaded = load_folded(folded.dump(), world.core.name, world.config.venue, find_dialect("generic"))
        assert loaded.digest() == folded.digest()
        assert loaded.lsn == folded.lsn
        for record in records[cut:]:
            loaded.apply(record)
        assert facts(loaded) == facts(refold(world))


def test_a_core_started_from_a_snapshot_reads_only_what_follows(tmp_path: Path) -> None:
    life = Life(str(tmp_path))
    for word in ("new", "accept", "new"):
        life.act(word)
    life.rest()
    world = life.world
    folded = refold(world)
    before = len(world.journal.records)
    assert world.venue.fix is not None
    world.venue.fix.disconnected(world.now)
    world.venue.fix = None
    world.core = type(world.core)(world.config, world.dialect, world.files, folded)
    world.start()
    world.advance(1000)
    assert world.core.history.connection == 2
    assert {o.cl_ord_id for o in world.core.history.orders.all()} == {"7-1", "7-2"}
    late = [p for r in world.journal.records[before:] if r.kind == Kind.INBOUND and (p := decode_payload(r.payload))]
    assert all(isinstance(p, Inbound) for p in late)


@pytest.mark.parametrize("quantity", ["0.00000001", "1E+3", "123456789.123456789"])
def test_quantities_keep_their_digits_through_a_snapshot(tmp_path: Path, quantity: str) -> None:
    life = Life(str(tmp_path))
    life.world.command(life.world.new_order(1, order_qty=Decimal(quantity)))
    folded = refold(life.world)
    loaded = load_folded(folded.dump(), life.world.core.name, "generic", find_dialect("generic"))
    assert [o.order_qty for o in loaded.history.orders.all()] == [Decimal(quantity)]


@pytest.mark.parametrize(
    "text",
    [
        "emergency file foo",
        "emergency file a from record x",
        "emergency file a from record 0",
        "emergency file a from record 3 or so",
        "emergency file a b complete",
        "an emergency file a complete",
        "emergency file a from record " + "9" * 40,
    ],
)
def test_a_text_that_only_looks_like_a_hand_over_is_a_text(text: str) -> None:
    found = HandOvers()
    told = SessionChanged("s", 1, 1, SessionState.HALTED, 1, 1, "", text)
    assert not found.see_record(told)
    assert found.dump() == ([], [], "")


def test_a_hand_over_s_own_words_are_read_as_such() -> None:
    found = HandOvers()
    for text in (hand_over_begins("a-7.emergency", 2), "what was in it", hand_over_complete("a-7.emergency")):
        found.see_record(SessionChanged("s", 1, 1, SessionState.LATCHED, 1, 1, "", text))
    assert found.dump() == ([("a-7.emergency", 3)], ["a-7.emergency"], "")
