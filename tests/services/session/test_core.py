"""The session actor by what reaches the venue and the log, with a real FIX acceptor on the other side."""

from pathlib import Path

import pytest

from common.instant import Instant
from common.journal.files import OsFiles
from common.messages import GapFilled, Kind, Outbound, Reason, Refused, SessionChanged, SessionState, Withdrawn
from tests.services.session.harness import World, generic_config


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A session at a venue with persistent numbers."""
    return World(OsFiles(), generic_config(str(tmp_path)))


def heard(world: World, tag: int) -> list[str]:
    """One field of each application message that the venue got."""
    return [fields.get(b"%d" % tag, b"").decode() for fields in world.venue.heard]


def states(world: World) -> list[SessionState]:
    """The session's steps in the log."""
    return [p.state for p in world.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)]


def refusals(world: World) -> list[Reason]:
    """The reasons of the refusals in the log."""
    return [p.reason for p in world.journal.payloads(Kind.REFUSED) if isinstance(p, Refused)]


def test_logs_on_catches_up_and_opens(world: World) -> None:
    world.ready()
    assert states(world) == [
        SessionState.CONNECTING,
        SessionState.LOGGED_ON,
        SessionState.CAUGHT_UP,
        SessionState.OPENED,
    ]
    assert world.core.status(world.now)["state"] == "ready"


def test_an_order_reaches_the_venue_and_its_report_the_log(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    assert heard(world, 11) == ["7-1"]
    assert heard(world, 44) == ["65000.10"]
    world.venue_says("8", "37=900|11=7-1|17=x1|150=0|39=0|55=BTCUSDT|54=1|38=0.5|14=0|151=0.5|6=0|")
    assert world.core.history.orders.find("7-1") is not None
    world.venue_says("8", "37=900|11=7-1|17=x2|150=F|39=2|55=BTCUSDT|54=1|32=0.5|31=65000|14=0.5|151=0|6=0|")
    assert len(world.core.history.orders) == 0
    inbound = world.journal.payloads(Kind.INBOUND)
    assert [getattr(p, "event", None) is not None for p in inbound][-2:] == [True, True]


def test_nothing_leaves_before_the_journal_has_it(world: World) -> None:
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1))
    assert heard(world, 11) == []
    world.release()
    assert heard(world, 11) == ["7-1"]


def test_a_late_stamp_voids_the_order_and_a_filler_keeps_the_numbers_whole(world: World) -> None:
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1, ttl_ms=50))
    world.command(world.new_order(2, ttl_ms=900))
    world.boot_ns += 100_000_000
    world.release()
    assert heard(world, 11) == ["7-2"]
    numbers = [int(fields[b"34"]) for fields in world.venue.wire]
    assert numbers == list(range(1, len(numbers) + 1))
    fillers = [p for p in world.journal.payloads(Kind.OUTBOUND) if isinstance(p, Outbound) and p.filler]
    assert [p.msg_type for p in fillers] == ["0"]
    assert world.core.history.orders.find("7-1") is None


def test_what_has_not_left_long_after_its_deadline_is_withdrawn_and_never_released(world: World) -> None:
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1, ttl_ms=50))
    world.command(world.cancel_order(2, "7-1"))
    world.advance(301)
    world.release()
    assert heard(world, 35) == ["F"]
    withdrawn = [p for p in world.journal.payloads(Kind.WITHDRAWN) if isinstance(p, Withdrawn)]
    assert [(p.attempt, p.reason) for p in withdrawn] == [(world.new_order(1).attempt, Reason.LATE)]
    numbers = [int(fields[b"34"]) for fields in world.venue.wire]
    assert numbers == list(range(1, len(numbers) + 1))


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


def test_an_order_lost_on_the_wire_is_named_by_a_gap_fill_and_never_sent_again(world: World) -> None:
    world.ready()
    world.swallow = True
    world.command(world.new_order(1))
    world.command(world.cancel_order(2, "7-0"))
    world.swallow = False
    world.cut()
    world.advance(5000)
    assert heard(world, 35) == ["F"], "the cancel is sent again, the order is not"
    filled = [p for p in world.journal.payloads(Kind.GAP_FILLED) if isinstance(p, GapFilled)]
    assert [[a.counter for a in p.attempts] for p in filled] == [[1]]
    assert states(world)[-1] is SessionState.CAUGHT_UP
    assert len(world.core.history.orders) == 0


def test_a_gap_fill_waits_for_its_record(world: World) -> None:
    world.ready()
    world.swallow = True
    world.command(world.new_order(1))
    world.swallow = False
    world.cut()
    world.journal.held = True
    world.advance(5000)
    assert not world.venue.logged_on, "the Logon(A) waits for the journal"
    world.release()
    world.advance(100)
    assert world.venue.gap_filled


@pytest.mark.parametrize("crash_first", [False, True])
def test_after_a_crash_numbers_go_on_and_the_order_is_settled_by_the_venues_numbers(
    world: World, crash_first: bool
) -> None:
    world.ready()
    world.swallow = True
    world.command(world.new_order(1))
    world.swallow = False
    before = world.core.history.next_outbound
    world.crash()
    assert states(world).count(SessionState.DISCONNECTED) == 1
    world.advance(5000)
    assert world.core.history.next_outbound > before
    assert [p.attempts for p in world.journal.payloads(Kind.GAP_FILLED) if isinstance(p, GapFilled)]
    assert heard(world, 11) == []
    assert world.core.history.orders.find("7-1") is None


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
    assert heard(world, 35).count("F") == 5
    world.advance(1001)
    world.command(world.new_order(20))
    assert heard(world, 11)[-1] == "7-20"


def test_back_off_stays_within_the_venues_connect_limit(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), connects=5, connects_window_ms=30_000))
    world.reachable = False
    world.start()
    world.advance(30_000)
    assert len(world.connects) <= 5


def test_a_stop_logs_out_and_withdraws_what_did_not_leave(world: World) -> None:
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1))
    world.core.stop(world.now)
    world.settle()
    world.release()
    assert world.exit is not None
    assert world.exit.status == 0
    assert states(world)[-1] is SessionState.DISCONNECTED
    assert heard(world, 11) == []
    withdrawn = [p for p in world.journal.payloads(Kind.WITHDRAWN) if isinstance(p, Withdrawn)]
    assert [p.reason for p in withdrawn] == [Reason.SHUTDOWN]


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


def test_a_second_epoch_of_the_name_ends_this_process(world: World) -> None:
    world.ready()
    world.journal.epochs[world.core.name] += 1
    world.command(world.new_order(1))
    world.settle()
    assert world.exit is not None
    assert world.exit.status == 1
    assert heard(world, 11) == []


def test_a_gap_inside_the_connection_proves_nothing_and_a_new_connection_settles_it(world: World) -> None:
    world.ready()
    world.swallow = True
    world.command(world.cancel_order(1, "7-0"))
    world.swallow = False
    # The venue misses the cancel, keeps the order behind the gap, and asks for both.
    world.command(world.new_order(2))
    assert [p for p in world.journal.payloads(Kind.GAP_FILLED) if isinstance(p, GapFilled)] == []
    assert states(world)[-1] is SessionState.DISCONNECTED
    world.advance(5000)
    filled = [p for p in world.journal.payloads(Kind.GAP_FILLED) if isinstance(p, GapFilled)]
    assert [[a.counter for a in p.attempts] for p in filled] == [[2]]
    assert heard(world, 35) == ["F"], "the order that is recorded as never received was never acted on"


def test_a_command_that_comes_before_the_session_is_live_is_answered_when_it_is(world: World) -> None:
    world.core.received("commands", b"", world.new_order(1), world.now)
    world.start()
    assert refusals(world) == [Reason.NOT_CONNECTED]


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
