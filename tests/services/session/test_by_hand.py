"""What a person does to a session, and that it outlives the process."""

from common.messages import ControlRequest
from tests.services.session.harness import World


def test_log_out_by_hand_stays_out_until_log_on(world: World) -> None:
    world.ready()
    assert world.control("logout").ok
    world.advance(20_000)
    assert not world.venue.logged_on
    world.crash()
    world.advance(20_000)
    assert not world.venue.logged_on, "it is a journaled wish, so it outlives the process"
    assert world.control("logon").ok
    world.advance(1000)
    assert world.venue.logged_on


def test_a_reset_by_hand_starts_a_generation_at_both_sides(world: World) -> None:
    world.ready()
    generation = world.core.history.generation
    assert not world.control("reset").ok
    world.control("logout")
    assert world.control("reset").ok
    world.control("logon")
    world.advance(1000)
    assert world.core.history.generation == generation + 1
    assert world.core.history.next_outbound == 3
    assert world.venue.next_inbound == 3


def test_what_is_done_by_hand_is_confirmed_when_the_log_has_it_and_the_kill_at_once(world: World) -> None:
    world.ready()
    told = len(world.answers)
    world.journal.held = True
    world.core.received("control", b"me", ControlRequest("logout", b"{}", "tester", 1), world.now)
    world.core.received("control", b"me", ControlRequest("kill", b"{}", "tester", 2), world.now)
    world.settle()
    assert [answer.token for answer in world.answers[told:]] == [2]
    world.release()
    assert [(answer.token, answer.ok) for answer in world.answers[told:]] == [(2, True), (1, True)]
