"""A log that was salvaged is shorter than what the session lived through: the venue tells again what it lacks."""

from pathlib import Path

import pytest

from common.fix.wire import split
from common.journal.files import OsFiles
from common.messages import Inbound, Kind, SessionChanged
from tests.services.session.harness import World, generic_config

NEW = "37=91|11=7-1|17=n1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|"
FILL = "37=91|11=7-1|17=t1|150=F|39=1|55=BTCUSDT|54=1|32=0.1|31=9|14=0.1|151=0.4|6=9|"
LATER = "37=91|11=7-1|17=t2|150=F|39=1|55=BTCUSDT|54=1|32=0.1|31=9|14=0.2|151=0.3|6=9|"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An order is open; of its two fills the log of later has neither, and the emergency file the second."""
    world = World(OsFiles(), generic_config(str(tmp_path / "emergency")))
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", NEW)
    kept_lsn = len(world.journal.records)
    world.venue_says("8", FILL)
    world.journal.dead = True
    world.control("kill")
    world.advance(1_000)
    assert world.core.status(world.now)["emergency"]
    world.venue_says("8", LATER)
    world.journal.become_a_copy(kept_lsn)
    return world


def fills(world: World) -> list[bytes]:
    """ExecID(17) of each fill that the log holds, once."""
    told = [split(p.raw) for p in world.journal.payloads(Kind.INBOUND) if isinstance(p, Inbound)]
    return sorted({fields[b"17"] for fields in told if fields.get(b"150") == b"F"})


def test_a_life_that_remembers_a_longer_log_ends(world: World) -> None:
    world.journal.dead = False
    world.advance(1_000)
    assert world.exit is not None
    assert world.exit.status == 1
    assert "another journal" in world.exit.text


def test_the_next_life_asks_for_the_numbers_that_neither_log_nor_file_has(world: World) -> None:
    world.journal.dead = False
    world.crash()
    world.advance(5_000)
    assert fills(world) == [b"t1", b"t2"]
    assert world.core.history.next_inbound == world.venue.next_outbound
    assert world.core.history.next_outbound == world.venue.next_inbound
    assert [note.fields for note in world.notes if note.event == "inbound_lost"] == [{"first": 4, "last": 4}]


@pytest.mark.parametrize("survives", range(1, 8))
def test_a_life_that_dies_in_the_hand_over_leaves_that_to_the_next(world: World, survives: int) -> None:
    """So many records of the life, its epoch the first, became durable; the file goes when all of it is."""
    world.journal.dead = world.reachable = False
    before = len(world.journal.records)
    files = {path: path.read_bytes() for path in Path(world.config.emergency_folder).glob("*.emergency")}
    world.crash()
    world.journal.cut(before + survives)
    for path, content in files.items():
        path.write_bytes(content)
    world.reachable = True
    world.crash()
    world.advance(5_000)
    assert fills(world) == [b"t1", b"t2"]
    fresh = world.new_core()
    for record in world.journal.records:
        fresh.folded.apply(record)
    assert fresh.history.next_inbound == world.core.history.next_inbound == world.venue.next_outbound


def test_where_nothing_is_lost_nothing_is_asked_for(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path / "emergency")))
    world.ready()
    world.command(world.new_order(1))
    world.venue_says("8", NEW)
    world.journal.dead = True
    world.control("kill")
    world.advance(1_000)
    world.venue_says("8", FILL)
    world.journal.dead = False
    world.crash()
    world.advance(5_000)
    assert not [note for note in world.notes if note.event == "inbound_lost"]
    assert not [fields for fields in world.venue.wire if fields[b"35"] == b"2"]
    assert "not in the log" not in "".join(
        p.text for p in world.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)
    )
