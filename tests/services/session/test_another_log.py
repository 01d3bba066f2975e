"""A venue that counts by another log than before: what its numbers would prove is void, so both begin anew."""

from pathlib import Path

import pytest

from common.fix.wire import encode
from common.journal.files import OsFiles
from common.messages import GapFilled, Kind, OperatorAct
from common.venues.registry import find_dialect
from services.session.recovery import load_folded
from tests.services.session.harness import World, generic_config

ONE, OTHER = "aa11", "bb22"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(OsFiles(), generic_config(str(tmp_path)), find_dialect("okx"))
    world.venue.log = ONE
    world.ready()
    return world


def resets(world: World) -> list[str]:
    return [act.text for act in world.journal.payloads(Kind.OPERATOR) if isinstance(act, OperatorAct)]


def gap_filled(world: World) -> list[int]:
    filled = [each for each in world.journal.payloads(Kind.GAP_FILLED) if isinstance(each, GapFilled)]
    return [attempt.counter for each in filled for attempt in each.attempts]


def test_the_log_that_a_venue_tells_is_in_the_journal_and_outlives_a_crash_and_a_snapshot(world: World) -> None:
    assert world.core.history.venue_log == ONE
    world.crash()
    assert world.core.history.venue_log == ONE and resets(world) == []
    dumped = world.core.folded.dump()
    loaded = load_folded(dumped, world.core.name, world.config.session, world.dialect)
    assert loaded.history.venue_log == ONE


def test_a_gap_that_another_log_finds_proves_nothing_of_what_was_sent(world: World) -> None:
    """It had the order, and has lost that it had it."""
    before = world.venue.next_inbound
    world.command(world.new_order(1))
    world.venue.log, world.venue.next_inbound = OTHER, before
    world.cut()
    world.advance(5000)
    assert world.venue.logged_on and world.core.history.generation == 2
    assert gap_filled(world) == [] and world.core.history.orders.all()
    assert resets(world) == [f"the venue counts by another log, {OTHER}"] and world.core.history.venue_log == OTHER


def test_the_same_log_may_find_a_gap_and_that_proves_that_the_order_never_arrived(world: World) -> None:
    before = world.venue.next_inbound
    world.command(world.new_order(1))
    world.venue.next_inbound = before
    world.cut()
    world.advance(5000)
    assert gap_filled(world) == [1] and world.core.history.generation == 1 and not world.core.history.orders.all()


def test_another_log_that_has_told_less_than_was_heard_is_begun_anew_with(world: World) -> None:
    world.venue.log, world.venue.next_outbound = OTHER, 1
    world.cut()
    world.advance(5000)
    assert world.venue.logged_on and world.core.history.generation == 2 and not world.core.history.halted


def test_a_log_without_our_numbers_refuses_the_logon_and_the_next_begins_anew(world: World) -> None:
    world.swallow = True
    world.cut()
    world.advance(3000)
    text = f"58=log {OTHER} has no numbers of yours\x01".encode()
    head = b"35=5\x0134=1\x0149=GENERIC\x0152=20270115-08:00:00\x0156=FIXRING\x01"
    world.to_session(encode(b"FIX.4.4", head + text))
    world.settle()
    world.swallow = False
    world.venue.log, world.venue.next_outbound, world.venue.next_inbound = OTHER, 1, 1
    world.advance(5000)
    assert world.venue.logged_on and world.core.history.generation == 2 and world.core.history.venue_log == OTHER
