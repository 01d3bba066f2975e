"""Commands: what may not be sent takes no number, and the log names the reason."""

from pathlib import Path

import pytest

from common.actor import links
from common.journal.files import OsFiles
from common.messages import Reason
from tests.services.session.harness import World, generic_config, heard, refusals


def test_not_connected_away_and_expired_are_refused(world: World) -> None:
    world.reachable = False
    world.start()
    world.advance(0)
    world.command(world.new_order(1))
    assert refusals(world) == [Reason.NOT_CONNECTED]


def test_an_expired_command_takes_no_number(world: World) -> None:
    world.ready()
    world.command(world.new_order(1, ttl_ms=-5))
    assert refusals(world) == [Reason.EXPIRED]
    assert heard(world, 11) == []


def test_the_journal_away_refuses_before_numbering(world: World) -> None:
    world.ready()
    world.journal.dead = True
    world.command(world.new_order(1))
    world.advance(260)
    before = world.core.history.next_outbound
    world.command(world.cancel_order(2, "7-0"))
    assert world.core.history.next_outbound == before
    world.journal.dead = False
    world.advance(200)
    assert Reason.JOURNAL_AWAY in refusals(world)


def test_refusals_are_not_piled_up_while_the_journal_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_UNACKNOWLEDGED", 5)
    world.ready()
    world.journal.dead = True
    world.command(world.cancel_order(1, "7-0"))
    world.advance(260)
    for counter in range(2, 22):
        world.command(world.cancel_order(counter, "7-0"))
    assert world.core.status(world.now)["refused"] == 20
    world.journal.dead = False
    world.advance(200)
    assert refusals(world) == [Reason.JOURNAL_AWAY] * 4


def test_the_rate_leaves_a_share_for_cancels(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), messages=10, cancel_reserve_ratio=0.5))
    world.ready()
    world.advance(1000)
    for counter in range(1, 8):
        world.command(world.new_order(counter))
    assert len(heard(world, 11)) == 5
    assert set(refusals(world)) == {Reason.SESSION_RATE}
    for counter in range(8, 16):
        world.command(world.cancel_order(counter, "7-1"))
    assert heard(world, 35).count("F") == 3, "one of ten is the kill switch's, and one is for answers"
    world.advance(1001)
    world.command(world.new_order(20))
    assert heard(world, 11)[-1] == "7-20"


def test_a_command_that_comes_before_the_session_is_live_is_answered_when_it_is(world: World) -> None:
    world.core.received("commands", b"", world.new_order(1), world.now)
    world.start()
    assert refusals(world) == [Reason.NOT_CONNECTED]
