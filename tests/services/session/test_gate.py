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


def test_nothing_is_asked_behind_a_logout(world: World) -> None:
    take = world.venue.take

    def answering_the_logon_alone(data: bytes, now: Instant) -> bytes:
        return take(data, now) if b"\x0135=A\x01" in data else b""

    world.venue.take = answering_the_logon_alone  # type: ignore[method-assign]
    world.start()
    world.advance(4_000)
    world.control("logout")
    # The question is due again while the Logout(5) is not answered yet.
    world.advance(1_500)
    assert [b"\x0135=1\x01" in raw for raw in world.wire_raw] == [False, True, False]
    assert b"\x0135=5\x01" in world.wire_raw[-1]


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
