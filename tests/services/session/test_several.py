"""A message of the venue that says several things: all of it is journaled and acted on, or none of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from common.fix.wire import pairs
from common.journal.files import OsFiles
from common.messages import (
    MAX_RECORD_BYTES,
    ExecutionReport,
    Inbound,
    Kind,
    Several,
    Unreadable,
    VenueEvent,
    encode,
)
from common.venues.dialect import BadReport
from common.venues.generic.dialect import Generic
from tests.services.session.harness import World, generic_config


class Grouping(Generic):
    """A venue that tells of further orders in one message, each by a field 5000 that holds its ClOrdID(11)."""

    def decode(self, msg_type: str, raw: bytes, fields: Mapping[bytes, bytes] | None = None) -> VenueEvent | None:
        """The report itself, and the same of each further order."""
        event = super().decode(msg_type, raw, fields)
        further = [value.decode() for tag, value in pairs(raw) if tag == b"5000"]
        if not further or not isinstance(event, ExecutionReport):
            return event
        if "?" in further:
            raise BadReport("one of the orders cannot be read")
        named = [_of(event, name, number) for number, name in enumerate(further)]
        return Several((event, *named))


def _of(event: ExecutionReport, name: str, number: int) -> ExecutionReport:
    changes: dict[str, Any] = {"cl_ord_id": name, "order_id": f"8{number}", "exec_id": f"m{number}"}
    return ExecutionReport(**{f: changes.get(f, getattr(event, f)) for f in event.__struct_fields__})


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(OsFiles(), generic_config(str(tmp_path)), Grouping())
    world.ready()
    for counter in (1, 2):
        world.command(world.new_order(counter))
    return world


def told(world: World) -> VenueEvent | None:
    """The meaning of the last message in the log."""
    inbound = world.journal.payloads(Kind.INBOUND)[-1]
    assert isinstance(inbound, Inbound)
    return inbound.event


ENDED = "37=91|11=7-1|17=n1|150=4|39=4|55=BTCUSDT|54=1|38=0.5|14=0|151=0|6=0|"


def test_each_order_of_the_message_is_closed(world: World) -> None:
    assert len(world.core.history.orders) == 2
    world.venue_says("8", f"{ENDED}5000=7-2|")
    event = told(world)
    assert isinstance(event, Several) and len(event.events) == 2
    assert len(world.core.history.orders) == 0
    world.crash()
    assert len(world.core.history.orders) == 0


def test_the_kill_switch_hears_all_of_it(world: World) -> None:
    world.control("kill")
    world.venue_says("8", f"{ENDED}5000=7-2|")
    for fields in world.venue.heard:
        if fields[b"35"] == b"q":
            name, symbol = fields[b"11"].decode(), fields[b"55"].decode()
            world.venue_says("r", f"37=1|11={name}|530=1|531=1|533=0|55={symbol}|")
    world.advance(400)
    assert world.core.status(world.now)["kill"] == "clear"


def test_a_part_that_cannot_be_read_makes_the_whole_unreadable(world: World) -> None:
    world.venue_says("8", f"{ENDED}5000=7-2|5000=?|")
    assert isinstance(told(world), Unreadable)
    assert len(world.core.history.orders) == 2


def test_more_than_a_record_has_room_for_is_unreadable_and_the_session_lives(world: World) -> None:
    many = "5000=7-2|" * 20_000
    world.venue_says("8", f"{ENDED}{many}")
    event = told(world)
    assert isinstance(event, Unreadable) and "room" in event.why
    inbound = world.journal.payloads(Kind.INBOUND)[-1]
    assert len(encode(inbound)) < MAX_RECORD_BYTES
    assert world.exit is None and len(world.core.history.orders) == 2
