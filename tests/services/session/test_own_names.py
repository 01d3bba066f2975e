"""What a session asks by itself has names in the venue's form, behind all that it has sent, in every life of it."""

from pathlib import Path

import msgspec
import pytest

from common.journal.files import OsFiles
from common.messages import Attempt, Kind, Outbound
from common.orders.names import FIRST_EPOCH, OF_ORDERS, PERIOD, ClOrdIdForm, attempt_of, cl_ord_id_of
from common.venues.generic.dialect import Generic
from tests.services.session.harness import World, generic_config, heard

EPOCH = 1_790_000_000
OWN = OF_ORDERS
"""Where the counters of an account's first session begin in a period."""


def world_of(folder: Path, form: ClOrdIdForm) -> World:
    """A session that is ready at a venue that takes such names, with one order sent."""
    dialect = Generic()
    dialect.profile = msgspec.structs.replace(Generic.profile, names=form)
    world = World(OsFiles(), generic_config(str(folder)), dialect)
    world.ready()
    order(world, 1, form)
    return world


def order(world: World, counter: int, form: ClOrdIdForm) -> None:
    attempt = Attempt(EPOCH, counter)
    world.command(world.new_order(counter, attempt=attempt, cl_ord_id=cl_ord_id_of(attempt, form)))


def counters(world: World, form: ClOrdIdForm) -> list[int]:
    """Of everything that the venue has got, in order."""
    named = [attempt_of(name, form) for name in heard(world, 11)]
    assert all(attempt is not None and attempt.epoch == EPOCH for attempt in named), heard(world, 11)
    return [attempt.counter for attempt in named if attempt is not None]


@pytest.mark.parametrize("form", [ClOrdIdForm.DIGITS, ClOrdIdForm.UUID4])
def test_a_kill_names_its_requests_behind_all_that_was_sent_and_no_life_repeats_one(
    tmp_path: Path, form: ClOrdIdForm
) -> None:
    world = world_of(tmp_path, form)
    world.control("kill")
    assert counters(world, form) == [1, OWN, OWN + 1]
    world.crash()
    world.advance(0)
    assert counters(world, form)[3:5] == [OWN + 2, OWN + 3]
    named = counters(world, form)
    assert named == sorted(set(named))
    own = [sent.own for sent in world.journal.payloads(Kind.OUTBOUND) if isinstance(sent, Outbound) and sent.own]
    assert [attempt.counter for attempt in own] == named[1:]


@pytest.mark.parametrize("form", list(ClOrdIdForm))
@pytest.mark.parametrize("named", [None, Attempt(FIRST_EPOCH + 1, 0)])
def test_a_session_that_has_sent_no_order_has_names_for_the_kill_switch(
    tmp_path: Path, form: ClOrdIdForm, named: Attempt | None
) -> None:
    """Of a strange order, say; an older snapshot may hold a name that numbers do not hold any more."""
    dialect = Generic()
    dialect.profile = msgspec.structs.replace(Generic.profile, names=form)
    world = World(OsFiles(), generic_config(str(tmp_path)), dialect)
    world.ready()
    world.core.history.named = named or world.core.history.named
    world.control("kill")
    assert heard(world, 11), "the mass cancels have left"


def test_behind_orders_of_a_later_period_a_session_goes_on_in_that(tmp_path: Path) -> None:
    form = ClOrdIdForm.DIGITS
    world = world_of(tmp_path, form)
    world.control("kill")
    world.control("resume", confirm=True)
    world.cut()
    world.advance(5000)
    world.open_gate()
    order(world, PERIOD, form)
    world.control("kill")
    named = counters(world, form)
    at = named.index(PERIOD)
    assert named[at : at + 2] == [PERIOD, PERIOD + OWN]
    assert named == sorted(set(named))


def test_as_text_the_names_are_the_connection_s(tmp_path: Path) -> None:
    world = world_of(tmp_path, ClOrdIdForm.TEXT)
    world.control("kill")
    assert heard(world, 11)[1:] == ["K1-1", "K1-2"]
    assert not any(sent.own for sent in world.journal.payloads(Kind.OUTBOUND) if isinstance(sent, Outbound))
