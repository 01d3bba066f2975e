"""Connections: how one ends, when the next is made, and what a schedule has to say to that."""

import tempfile
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.actor.core import Close, Connect
from common.fix.schedule import Schedule
from common.fix.wire import encode, parse_utc_timestamp, split
from common.instant import NS_PER_MS, NS_PER_S, Instant
from common.journal.files import OsFiles
from common.messages import Kind, OperatorAct, Reason, Refused, SessionChanged, SessionState, Withdrawn
from tests.services.session.harness import World, generic_config, heard, states


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


def test_a_connection_that_closes_as_the_journal_goes_ends_for_its_first_reason(world: World) -> None:
    world.ready()
    world.control("kill")
    world.journal.dead = True
    world.control("logout")
    assert world.venue.fix is not None
    world.venue.fix.logout("bye", world.now)
    world.to_session(world.venue.drain(world.now))
    world.settle()
    assert world.core.status(world.now)["state"] == "closing"
    world.advance(300)
    assert world.core.status(world.now)["emergency"]
    assert world.core.status(world.now)["state"] == "logged_out"
    assert [n.fields["text"] for n in world.notes if n.event == "disconnected"] == ["logout_complete: bye"]


def test_a_transport_that_was_given_up_and_comes_all_the_same_is_not_logged_on(world: World) -> None:
    world.ready()
    given_up = world.connects[-1]
    world.cut()
    before = list(world.venue.wire)
    world.core.connected(given_up, world.now)
    world.settle()
    assert world.venue.wire == before and states(world)[-1] is SessionState.DISCONNECTED
    world.advance(5000)
    assert world.connects[-1] != given_up and states(world)[-1] is SessionState.CAUGHT_UP


def test_connections_that_come_to_no_logon_are_counted_until_one_does(world: World) -> None:
    world.ready()
    world.swallow = True
    world.cut()
    told = []
    for _ in range(3):
        world.advance(3000)
        logout = b"35=5\x0134=9\x0149=GENERIC\x0152=20270115-08:00:00\x0156=FIXRING\x0158=not now\x01"
        world.to_session(encode(b"FIX.4.4", logout))
        world.settle()
        status = world.core.status(world.now)
        told.append((status["failed_logons"], status["failed_logon"]))
    assert told == [(count, "logon_refused: not now") for count in (1, 2, 3)]
    world.swallow = False
    world.advance(5000)
    status = world.core.status(world.now)
    assert (status["failed_logons"], status["failed_logon"]) == (0, "")
    world.cut()
    assert world.core.status(world.now)["failed_logons"] == 0


def test_back_off_stays_within_the_venues_connect_limit(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path), connects=5, connects_window_ms=30_000))
    world.reachable = False
    world.start()
    world.advance(30_000)
    assert len(world.connects) <= 5


def test_a_venue_that_resets_the_numbers_within_a_connection_gets_a_new_one_that_resets_them(world: World) -> None:
    world.ready()
    generation = world.core.history.generation
    world.swallow = True
    world.command(world.new_order(1))
    world.swallow = False
    world.journal.held = True
    world.command(world.new_order(2))
    assert world.venue.fix is not None
    world.venue.fix.request_reset(world.now)
    world.to_session(world.venue.drain(world.now))
    world.settle()
    world.release()
    assert states(world)[-1] is SessionState.DISCONNECTED
    withdrawn = [p for p in world.journal.payloads(Kind.WITHDRAWN) if isinstance(p, Withdrawn)]
    assert [p.attempt.counter for p in withdrawn if p.attempt] == [2]
    world.advance(5000)
    assert in_step(world) and resets(world) == [False, True]
    assert world.core.history.generation == generation + 1
    assert [order.cl_ord_id for order in world.core.history.orders.all()] == ["7-1"], "only the venue can tell of it"
    world.open_gate()
    world.command(world.new_order(3))
    assert heard(world, 11) == ["7-3"]


def test_a_venue_that_lost_its_numbers_starts_a_generation_with_its_logon(world: World) -> None:
    world.ready()
    world.cut()
    generation = world.core.history.generation
    world.venue.next_outbound = world.venue.next_inbound = 1
    take = world.venue.take

    def counting_it_as_the_first(data: bytes, now: Instant) -> bytes:
        fields = split(data)
        if fields[b"35"] != b"A":
            return take(data, now)
        first = {**fields, b"34": b"1", b"141": b"Y"}
        body = b"".join(b"%b=%b\x01" % field for field in first.items() if field[0] not in (b"8", b"9", b"10"))
        return take(encode(b"FIX.4.4", body), now)

    world.venue.take = counting_it_as_the_first  # type: ignore[method-assign]
    world.advance(5000)
    assert in_step(world) and world.core.history.generation == generation + 1
    told = [p for p in world.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)]
    assert [p.text for p in told if p.state is SessionState.NUMBERS_SET] == ["reset_seq_num_flag"]
    world.open_gate()
    world.command(world.new_order(1))
    assert heard(world, 11) == ["7-1"]


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


def test_a_venue_that_has_heard_more_than_the_log_knows_is_stopped_for_a_person(world: World) -> None:
    world.ready()
    connects = len(world.connects)
    world.venue_says("2", "7=40|16=0|")
    world.advance(30_000)
    told = [p for p in world.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)]
    assert told[-1].state is SessionState.HALTED and "BeginSeqNo(7)=40" in told[-1].text
    assert len(world.connects) == connects


def test_a_resend_that_is_asked_for_without_an_end_is_answered(world: World) -> None:
    world.ready()
    world.venue_says("2", "7=1|16=999999|")
    world.advance(1000)
    assert states(world)[-1] is SessionState.OPENED


# ---- hours: the world begins on Friday 2027-01-15 at 08:00:50 UTC ----

GAP = Schedule(start=time(8, 1, 5), end=time(8, 1), zone=ZoneInfo("UTC"))
MIDNIGHT = Schedule(start=time(8, 1), end=time(8, 1), zone=ZoneInfo("UTC"))
UNTIL = "outside its schedule until 2027-01-15 08:01:05 UTC"


def scheduled(folder: Path | str, schedule: Schedule = GAP, *, reset_numbers: bool = True) -> World:
    """A session at a venue that keeps hours."""
    return World(OsFiles(), generic_config(str(folder), schedule=schedule, reset_numbers=reset_numbers))


def logons(world: World) -> list[dict[bytes, bytes]]:
    """Our Logon(A) messages that the venue got."""
    return [fields for fields in world.venue.wire if fields[b"35"] == b"A"]


def resets(world: World) -> list[bool]:
    """Of each of them, whether it had ResetSeqNumFlag(141)=Y."""
    return [fields.get(b"141") == b"Y" for fields in logons(world)]


def in_step(world: World) -> bool:
    """Both sides are logged on, with the same next numbers."""
    history, venue = world.core.history, world.venue
    numbers = (history.next_outbound, history.next_inbound) == (venue.next_inbound, venue.next_outbound)
    return venue.logged_on and numbers and history.state is SessionState.CAUGHT_UP


@pytest.mark.parametrize("reset_numbers", [False, True])
def test_outside_its_schedule_a_session_is_out_and_says_so(tmp_path: Path, reset_numbers: bool) -> None:
    world = scheduled(tmp_path, reset_numbers=reset_numbers)
    world.ready()
    world.command(world.new_order(1))
    generation, numbers = world.core.history.generation, world.core.history.next_outbound
    world.advance(10_000)
    assert not world.venue.logged_on and world.venue.wire[-1][b"35"] == b"5"
    assert heard(world, 35) == ["D"], "nothing is cancelled"
    note = next(note for note in world.notes if note.event == "schedule_closed")
    assert (note.level, note.fields) == ("warning", {"text": UNTIL, "may_be_open": 1, "orders": ["7-1"]})
    world.command(world.new_order(2))
    refused = world.journal.payloads(Kind.REFUSED)[-1]
    assert isinstance(refused, Refused) and (refused.reason, refused.value) == (Reason.NOT_CONNECTED, UNTIL)
    status = world.core.status(world.now)
    assert (status["state"], status["schedule"]) == ("off_schedule", UNTIL)
    world.advance(4_900)
    assert len(world.connects) == 1
    world.advance(1_000)
    assert in_step(world) and world.core.status(world.now)["schedule"] == ""
    assert world.core.history.generation == generation + reset_numbers
    assert (world.core.history.next_outbound > numbers) is not reset_numbers
    assert resets(world) == [False, reset_numbers]


def test_the_reset_of_a_period_is_recorded_before_its_logon(tmp_path: Path) -> None:
    world = scheduled(tmp_path)
    world.ready()
    world.advance(16_000)
    told = [
        (p.act, p.by) if isinstance(p, OperatorAct) else p.state
        for p in world.journal.payloads()
        if isinstance(p, OperatorAct) or (isinstance(p, SessionChanged) and p.state is SessionState.CONNECTING)
    ]
    assert told == [SessionState.CONNECTING, ("reset", "schedule"), SessionState.CONNECTING]


def test_a_first_start_outside_the_schedule_waits_for_it(tmp_path: Path) -> None:
    world = scheduled(tmp_path)
    world.boot_ns += 12 * NS_PER_S
    world.start()
    world.advance(2_900)
    assert world.connects == []
    assert [note.level for note in world.notes if note.event == "schedule_closed"] == ["info"]
    world.advance(1_000)
    assert in_step(world) and resets(world) == [False], "numbers that were never used need no reset"


@pytest.mark.parametrize("down_ms", [11_000, 16_000, 7 * 86_400_000 - 20_000])
def test_a_session_that_was_down_over_the_boundary_resets_once(tmp_path: Path, down_ms: int) -> None:
    world = scheduled(tmp_path)
    world.ready()
    world.boot_ns += down_ms * NS_PER_MS
    for _ in range(3):
        world.crash()
        world.advance(5_000)
        assert in_step(world)
    assert resets(world) == [False, True, False, False]


def test_a_process_that_dies_before_the_venue_has_answered_resets_again(tmp_path: Path) -> None:
    world = scheduled(tmp_path)
    world.ready()
    world.advance(14_900)
    world.swallow = True
    world.advance(1_000)
    assert b"\x01141=Y\x01" in world.wire_raw[-1]
    world.swallow = False
    world.crash()
    world.advance(2_000)
    assert in_step(world) and resets(world) == [False, True]


def test_a_venue_that_is_away_as_the_period_begins_is_told_of_the_reset_when_it_is_back(tmp_path: Path) -> None:
    world = scheduled(tmp_path)
    world.ready()
    world.advance(11_000)
    world.reachable = False
    world.advance(10_000)
    assert len(world.connects) > 2
    world.reachable = True
    world.advance(6_000)
    assert in_step(world) and resets(world) == [False, True]
    acts = [p.act for p in world.journal.payloads(Kind.OPERATOR) if isinstance(p, OperatorAct)]
    assert acts == ["reset"], "the wish stands until a logon, and is recorded once"


def test_periods_without_a_gap(tmp_path: Path) -> None:
    for reset_numbers, expected in ((True, [False, True]), (False, [False])):
        world = scheduled(tmp_path, MIDNIGHT, reset_numbers=reset_numbers)
        world.ready()
        world.advance(12_000)
        assert in_step(world) or not reset_numbers
        assert world.venue.logged_on and resets(world) == expected


def test_a_clock_that_is_set(tmp_path: Path) -> None:
    world = scheduled(tmp_path, MIDNIGHT)
    world.ready()
    world.advance(12_000)
    world.wall_ahead_ns = -5 * NS_PER_S
    world.advance(8_000)
    assert len(world.connects) == 2, "back over the boundary, and over it again: nothing is new"
    world.wall_ahead_ns = 86_400 * NS_PER_S
    world.advance(3_000)
    assert in_step(world) and resets(world) == [False, True, True]
    world.wall_ahead_ns = 0
    world.advance(3_000)
    assert len(world.connects) == 3, "both sides go on with the numbers they have"
    world.cut()
    world.advance(3_000)
    assert in_step(world) and resets(world)[3:] == [False], "a reset a period, whatever the clock does"


def test_a_transport_that_comes_after_the_period_is_not_logged_on(tmp_path: Path) -> None:
    world = scheduled(tmp_path)
    world.start()
    world.core.timer(world.now)
    world.core.turn_ended(world.now)
    effects, world.core.effects = world.core.effects, []
    assert Connect(1, "fix") in effects
    world.boot_ns += 11 * NS_PER_S
    world.connects.append(1)
    world.core.connected(1, world.now)
    assert Close(1) in world.core.effects
    world.settle()
    assert world.wire_raw == []


def test_acts_by_hand_outside_the_schedule_say_when_they_take_effect(tmp_path: Path) -> None:
    world = scheduled(tmp_path)
    world.ready()
    world.control("logout")
    world.advance(11_000)
    assert world.core.status(world.now)["state"] == "logged_out"
    assert world.control("logon").text == f"{UNTIL}, and connects then"
    assert world.control("kill").text == f"latched; {UNTIL}, and cancels then"
    assert len(world.connects) == 1
    world.advance(6_000)
    assert world.venue.logged_on and "q" in heard(world, 35)


def test_a_clock_that_is_set_back_over_a_boundary_resets_the_numbers_once(tmp_path: Path) -> None:
    world = scheduled(tmp_path, MIDNIGHT)
    world.ready()
    world.advance(12_000)
    assert resets(world) == [False, True]
    world.wall_ahead_ns = -5 * NS_PER_S
    world.cut()
    world.advance(1_000)
    assert in_step(world) and len(logons(world)) == 3
    world.advance(8_000)
    world.cut()
    world.advance(1_000)
    assert in_step(world) and resets(world).count(True) == 1 and resets(world)[1]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(("wait", "wait", "wait", "crash", "down", "cut", "hold", "release")), max_size=40))
def test_whatever_dies_the_first_logon_of_each_period_resets_and_none_is_outside(acts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = scheduled(folder)
        world.ready()
        for act in acts:
            match act:
                case "wait":
                    world.advance(2_300)
                case "crash":
                    world.journal.held = False
                    world.crash()
                case "down":
                    world.journal.held = False
                    world.boot_ns += 86_390 * NS_PER_S
                    world.crash()
                case "cut" if world.core.outbox.fix is not None:
                    world.cut()
                case "hold":
                    world.journal.held = True
                case "release":
                    world.release()
        world.release()
        world.advance(30_000)
        if not GAP.is_open(world.now.wall_ns):
            world.advance(8_000)
        assert in_step(world)
        times = [parse_utc_timestamp(fields[b"52"]) for fields in logons(world)]
        assert all(GAP.is_open(at) for at in times)
        for before, at, is_reset in zip(times, times[1:], resets(world)[1:], strict=False):
            assert is_reset == GAP.began_since(before, at)


def test_what_is_known_of_the_venue_goes_into_the_log_once_and_anew_where_it_has_changed(tmp_path: Path) -> None:
    assets = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}
    world = World(OsFiles(), generic_config(str(tmp_path), assets=assets))
    world.start()
    world.advance(1000)
    world.cut()
    world.advance(5000)

    def told() -> list[dict[str, tuple[str, str]]]:
        records = [p for p in world.journal.payloads(Kind.SESSION) if isinstance(p, SessionChanged)]
        return [p.assets for p in records if p.state is SessionState.CONNECTING]

    assert told() == [assets, {}]
    world.config = generic_config(str(tmp_path), assets={"BTCUSDT": ("XBT", "USDT")})
    world.crash()
    world.advance(5000)
    assert told() == [assets, {}, {"BTCUSDT": ("XBT", "USDT")}]


@pytest.mark.parametrize("gives_way", [True, False])
def test_where_another_host_may_go_on_a_session_without_a_journal_gives_its_connection_up(
    tmp_path: Path, gives_way: bool
) -> None:
    config = msgspec.structs.replace(generic_config(str(tmp_path)), gives_way=gives_way, heart_bt_int_s=10)
    world = World(OsFiles(), config)
    world.ready()
    world.journal.dead = True
    world.command(world.new_order(1))
    world.advance(9_500)
    assert world.core.status(world.now)["state"] == "ready"
    wire = len(world.venue.wire)
    world.advance(1_000)
    assert (world.core.status(world.now)["state"] == "ready") is not gives_way
    world.advance(1_000)
    assert len(world.venue.wire) == wire, "nothing leaves that the journal has not"
    connects = len(world.connects)
    world.journal.dead = False
    world.advance(6_000)
    assert len(world.connects) - connects == int(gives_way)


@pytest.mark.parametrize("taken_over", [True, False])
def test_the_numbers_that_only_the_lost_host_knew_are_the_venue_s_to_tell(world: World, taken_over: bool) -> None:
    world.venue.next_inbound = 40
    world.journal.first_in_term = taken_over
    world.start()
    world.advance(20_000)
    told = [each for each in world.journal.payloads(Kind.SESSION) if isinstance(each, SessionChanged)]
    jumps = [each for each in told if "content unknown" in each.text]
    if not taken_over:
        assert told[-1].state is SessionState.HALTED and not jumps
        return
    (jump,) = jumps
    assert jump.next_outbound == 40 and jump.text == "2 to 39 sent by the lost host, content unknown"
    assert world.core.status(world.now)["state"] == "reconciling"
    world.venue.next_inbound += 30
    world.cut()
    world.advance(60_000)
    told = [each for each in world.journal.payloads(Kind.SESSION) if isinstance(each, SessionChanged)]
    assert told[-1].state is SessionState.HALTED, "once in step it is a fault again"
