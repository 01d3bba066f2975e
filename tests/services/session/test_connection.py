"""Connections: how one ends, and when the next is made."""

from pathlib import Path

from common.journal.files import OsFiles
from common.messages import Kind, Reason, SessionState, Withdrawn
from tests.services.session.harness import World, generic_config, heard, states


def test_a_lost_connection_withdraws_what_it_did_not_release_and_the_next_one_gap_fills_it(world: World) -> None:
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1))
    world.command(world.new_order(2))
    world.cut()
    world.release()
    withdrawn = [p for p in world.journal.payloads(Kind.WITHDRAWN) if isinstance(p, Withdrawn)]
    assert [p.attempt.counter for p in withdrawn if p.attempt] == [1, 2]
    assert all(p.reason is Reason.CONNECTION_LOST for p in withdrawn)
    world.advance(5000)
    world.open_gate()
    world.command(world.new_order(3))
    assert heard(world, 11) == ["7-3"]


def test_back_off_stays_within_the_venues_connect_limit(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), connects=5, connects_window_ms=30_000))
    world.reachable = False
    world.start()
    world.advance(30_000)
    assert len(world.connects) <= 5


def test_numbers_too_low_at_the_venue_halt_the_session_for_a_person(world: World) -> None:
    world.venue.next_inbound = 50
    world.start()
    world.advance(30_000)
    assert states(world)[-1] is SessionState.HALTED
    assert len(world.connects) == 3
    assert world.control("set_seq", next_outbound=50).ok
    assert world.control("logon").ok
    world.advance(1000)
    assert states(world)[-1] is SessionState.CAUGHT_UP
