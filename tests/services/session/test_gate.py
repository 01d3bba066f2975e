"""The gate: proven in step first, opened for this very connection only."""

from common.instant import Instant
from common.messages import Reason, SessionState
from tests.services.session.harness import World, heard, refusals, states


def test_the_gate_refuses_orders_and_passes_cancels(world: World) -> None:
    world.start()
    world.advance(0)
    world.command(world.new_order(1))
    world.command(world.cancel_order(2, "7-0"))
    assert refusals(world) == [Reason.GATE_CLOSED]
    assert heard(world, 35) == ["F"]


def test_an_open_for_an_older_connection_opens_nothing(world: World) -> None:
    world.ready()
    world.cut()
    world.advance(5000)
    old = world.core.history.connection
    world.core.history.connection = old - 1
    world.open_gate()
    world.core.history.connection = old
    world.command(world.new_order(1))
    assert refusals(world) == [] or refusals(world) == [Reason.GATE_CLOSED]


def test_the_proof_of_being_in_step_is_asked_for_again(world: World) -> None:
    world.ready()
    world.cut()
    lose_first = iter([True])
    take = world.venue.take

    def losing_the_first_test(data: bytes, now: Instant) -> bytes:
        return b"" if b"\x0135=1\x01" in data and next(lose_first, False) else take(data, now)

    world.venue.take = losing_the_first_test  # type: ignore[method-assign]
    world.advance(4000)
    assert states(world)[-1] is SessionState.LOGGED_ON
    # The second one shows the venue its gap and goes down with it in the gap fill; the third is answered.
    world.advance(10_000)
    assert states(world)[-1] is SessionState.CAUGHT_UP
