"""The limits that a venue tells of are kept on our side, before the venue has to."""

from pathlib import Path

import pytest
from msgspec import structs

from common.actor.core import Note
from common.fix.wire import split
from common.journal.files import OsFiles
from common.messages import Attempt, Kind, ListedOrder, NewOrder, Reason, Refused
from common.venues.dialect import Body, VenueLimit
from common.venues.generic.dialect import Generic
from common.venues.venue import Feature
from tests.common.venues import samples
from tests.services.session.harness import World, generic_config, refusals


class Strict(Generic):
    """A venue that tells its limits in a message of its own: ten messages a second."""

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        return [VenueLimit("messages", 0, 10, 1)] if msg_type == "AE" else []


def test_limits_of_the_venue_below_ours_are_noted_and_kept(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)), Strict())
    world.ready()
    world.to_session(world.venue.send("AE", "571=1|", world.now))
    notes = [effect for effect in world.core.effects if isinstance(effect, Note)]
    assert [(note.event, note.fields["ours"], note.fields["kept"]) for note in notes] == [("limit", 1000, 10)]
    status = world.core.status(world.now)
    assert status["rate_limit"] == 10
    assert status["venue_limits"] == [{"kind": "messages", "used": status["rate_used"], "maximum": 10, "interval_s": 1}]
    world.advance(1_000)
    for number in range(1, 15):
        world.command(world.new_order(number))
    sent = [f for f in world.venue.heard if f[b"35"] == b"D"]
    assert 0 < len(sent) <= 8 and refusals(world)[-1] is Reason.SESSION_RATE


class Counting(Generic):
    """A venue that tells in 571 how many of its five orders in ten seconds are used, when it is asked."""

    profile = structs.replace(
        Generic.profile, lacks=Generic.profile.lacks - {Feature.LIMIT_QUERY, Feature.ORDER_LIST},
        further=Generic.profile.further | {Feature.ORDER_LIST},
    )  # fmt: skip

    def encode_list(self, command: NewOrder, wall_ns: int) -> Body:
        return Body("D", self.encode_new(command, wall_ns).fields)

    def encode_limit_query(self, req_id: str) -> Body | None:
        return Body("AD", b"568=%b\x01569=0\x01" % req_id.encode())

    def decode_limits(self, msg_type: str, raw: bytes) -> list[VenueLimit]:
        used = int(split(raw).get(b"571", b"0"))
        return [VenueLimit("orders", used, 5, 10)] if msg_type == "AE" else []


@pytest.fixture
def counted(tmp_path: Path) -> World:
    """A session at such a venue, in step; nothing is answered yet."""
    world = World(OsFiles(), generic_config(str(tmp_path)), Counting())
    world.ready()
    assert questions(world) == 1
    return world


def questions(world: World) -> int:
    return len([f for f in world.venue.heard if f[b"35"] == b"AD"])


def told(world: World, used: int) -> None:
    """The venue answers."""
    world.to_session(world.venue.send("AE", f"571={used}|", world.now))


def orders(world: World, first: int, count: int) -> int:
    """New orders under numbers from `first` on; how many the venue has by then."""
    for number in range(first, first + count):
        world.command(world.new_order(number))
    return len([f for f in world.venue.heard if f[b"35"] == b"D"])


def test_no_more_orders_are_sent_than_the_venue_takes(counted: World) -> None:
    told(counted, 2)
    assert orders(counted, 1, 4) == 3
    (refused,) = [p for p in counted.journal.payloads(Kind.REFUSED) if isinstance(p, Refused)]
    assert (refused.reason, refused.value, refused.limit) == (Reason.SESSION_RATE, "5", "5 orders in 10 s")
    assert counted.core.status(counted.now)["venue_limits"][0]["used"] == 5  # type: ignore[index]
    counted.command(counted.cancel_order(9, "7-1"))
    assert [f for f in counted.venue.heard if f[b"35"] == b"F"], "a cancel opens no order"


def test_a_list_counts_as_many_as_it_has(counted: World) -> None:
    told(counted, 2)
    terms = samples.new().terms
    for first in (1, 3):
        further = ListedOrder(terms, Attempt(7, first + 1), f"7-{first + 1}")
        counted.command(structs.replace(counted.new_order(first), contingency="1", further=(further,)))
    assert refusals(counted) == [Reason.SESSION_RATE]
    assert orders(counted, 5, 2) == 2, "one has room yet"


def test_what_the_venue_gives_back_is_learnt_by_asking_again(counted: World) -> None:
    told(counted, 2)
    orders(counted, 1, 4)
    assert questions(counted) == 1, "not oftener than once a second"
    counted.advance(1_100)
    assert orders(counted, 5, 1) == 3 and questions(counted) == 2
    told(counted, 1)
    assert orders(counted, 6, 3) == 6


def test_what_was_used_is_free_again_after_the_interval(counted: World) -> None:
    told(counted, 5)
    assert orders(counted, 1, 1) == 0
    counted.advance(10_100)
    assert orders(counted, 2, 1) == 1


def test_orders_between_question_and_answer_count_beside_what_is_told(counted: World) -> None:
    told(counted, 0)
    counted.advance(1_100)
    assert orders(counted, 1, 4) == 4 and questions(counted) == 2
    orders(counted, 5, 1)
    told(counted, 4)
    assert orders(counted, 6, 1) == 5, "the one behind the question is not in the answer"
