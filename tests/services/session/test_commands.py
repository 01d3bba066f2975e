"""Commands: what may not be sent takes no number, and the log names the reason."""

from pathlib import Path

import pytest
from msgspec import structs

from common.actor import links
from common.journal.files import OsFiles
from common.messages import AmendOrder, Attempt, NewOrder, Reason
from common.venues.generic.dialect import Generic
from tests.common.venues import samples
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


def test_no_more_amendments_are_sent_than_the_venue_allows(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), messages=100, amends=3))
    world.ready()
    world.command(world.new_order(1))

    def amend(counter: int) -> None:
        base = {"venue": "generic", "orig_cl_ord_id": "7-1", "deadline_ns": world.stamp_ns + 10**9}
        world.command(samples.amend(**base, attempt=Attempt(7, counter), cl_ord_id=f"7-{counter}"))

    world.journal.held = True
    for counter in (2, 3, 4, 5):
        amend(counter)
    assert heard(world, 35).count("G") == 0, "what waits for the journal counts already"
    world.release()
    assert heard(world, 35).count("G") == 3 and refusals(world) == [Reason.SESSION_RATE]
    world.command(world.new_order(6))
    assert heard(world, 35).count("D") == 2, "there is room for all else"
    world.advance(999)
    amend(7)
    assert heard(world, 35).count("G") == 3
    world.advance(1)
    amend(8)
    assert heard(world, 35).count("G") == 4, "one window after they left"
    assert refusals(world) == [Reason.SESSION_RATE] * 2


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
    assert heard(world, 35).count("F") == 2, "of ten one is the kill switch's, one for answers, one for a Logout(5)"
    world.advance(1001)
    world.command(world.new_order(20))
    assert heard(world, 11)[-1] == "7-20"


def test_a_command_that_comes_before_the_session_is_live_is_answered_when_it_is(world: World) -> None:
    world.core.received("commands", b"", world.new_order(1), world.now)
    world.start()
    assert refusals(world) == [Reason.NOT_CONNECTED]


class Placing(Generic):
    """A venue that amends an order through the connection that placed it alone."""

    profile = structs.replace(Generic.profile, amends_where_placed=True)


def test_an_order_of_an_earlier_connection_is_not_amended_where_the_venue_refuses_that(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)), Placing())
    world.ready()
    order = world.new_order(1)
    world.command(order)
    world.command(amended(world, order, 2))
    assert refusals(world) == [] and len(heard(world, 11)) == 2
    world.cut()
    world.advance(2000)
    world.open_gate()
    before = len(heard(world, 11))
    world.command(amended(world, order, 3))
    assert refusals(world) == [Reason.NOT_AMENDABLE]
    assert len(heard(world, 11)) == before


def amended(world: World, order: NewOrder, counter: int) -> AmendOrder:
    attempt = Attempt(order.attempt.epoch, counter)
    return samples.amend(
        venue=order.venue, symbol=order.symbol, side=order.side, orig_cl_ord_id=order.cl_ord_id, attempt=attempt,
        cl_ord_id=f"{order.cl_ord_id}-{counter}", order_qty=order.order_qty * 2, price=order.price,
        former_order_qty=order.order_qty, former_price=order.price, cum_qty=order.order_qty * 0, order_id="",
        deadline_ns=world.stamp_ns + 1_000_000_000, session=order.session, account=order.account,
    )  # fmt: skip
