"""The session actor by what reaches the venue and the log, with a real FIX acceptor on the other side."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from common.actor.core import Effect, Write
from common.fix.session_types import SessionSettings
from common.fix.wire import split
from common.journal.files import OsFiles
from common.messages import GapFilled, Kind, Outbound, Reason, SessionChanged, SessionState, Withdrawn
from common.venues.credentials import Credentials
from common.venues.dialect import Identity
from common.venues.generic.dialect import Generic
from services.session import history
from tests.services.session.harness import MS, World, generic_config, heard, states
from tests.services.session.test_kill import away_and_killed


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


def withdrawn(world: World) -> list[tuple[int, Reason]]:
    """The attempts that were withdrawn, and why."""
    records = [p for p in world.journal.payloads(Kind.WITHDRAWN) if isinstance(p, Withdrawn)]
    return [(p.attempt.counter, p.reason) for p in records if p.attempt]


def test_a_session_that_stood_still_does_not_write_what_was_acknowledged_long_ago(world: World) -> None:
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1, ttl_ms=500))
    world.command(world.cancel_order(2, "7-9"))
    answers = world.journal.release()
    world.boot_ns += 751 * MS
    world.deliver(answers)
    world.settle()
    assert heard(world, 35) == ["F"] and withdrawn(world) == [(1, Reason.LATE)]
    assert [fields[b"35"] for fields in world.venue.wire][-2:] == [b"0", b"F"]


class StoodStill(World):
    """The process stands still for 2 s between a turn and its writes, once."""

    still = False

    def perform(self, effect: Effect) -> None:
        if self.still and isinstance(effect, Write):
            if effect.by_boot_ns:
                self.boot_ns += 2_000 * MS
                assert effect.by_boot_ns < self.boot_ns
            self.unwritten.append(effect)
            return
        super().perform(effect)

    def settle(self) -> None:
        self.unwritten: list[Write] = []
        super().settle()
        if self.unwritten:
            self.still = False
            self.core.unwritten(self.connects[-1], self.unwritten, self.now)
            super().settle()


def test_a_process_that_stood_still_before_its_very_write_withdraws_and_sends_the_rest(tmp_path: Path) -> None:
    world = StoodStill(OsFiles(), generic_config(str(tmp_path)))
    world.ready()
    world.journal.held = True
    world.command(world.new_order(1))
    world.command(world.cancel_order(2, "7-9"))
    world.still = True
    world.release()
    assert heard(world, 35) == ["F"] and withdrawn(world) == [(1, Reason.LATE)]
    numbers = [int(fields[b"34"]) for fields in world.venue.wire]
    assert numbers == list(range(1, len(numbers) + 1))


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


def not_received(world: World) -> list[int]:
    """The orders that gap fills name, by their counters."""
    return [a.counter for p in world.journal.payloads() if isinstance(p, GapFilled) for a in p.attempts]


def test_a_gap_fill_names_its_orders_when_the_venue_has_said_all_that_it_had_to_say_of_them(world: World) -> None:
    world.ready()
    world.swallow = True
    world.command(world.new_order(1))
    world.swallow = False
    world.cut()
    world.advance(5000)
    steps = [p for p in world.journal.payloads() if isinstance(p, GapFilled | SessionChanged)][-4:]
    assert [p.attempts for p in steps if isinstance(p, GapFilled)] == [(), (world.new_order(1).attempt,)]
    assert isinstance(steps[-2], GapFilled) and steps[-2].attempts, "just before it is in step"
    assert isinstance(steps[-1], SessionChanged) and steps[-1].state is SessionState.CAUGHT_UP


def test_an_order_lost_on_the_wire_is_named_by_a_gap_fill_and_never_sent_again(world: World) -> None:
    world.ready()
    world.swallow = True
    world.command(world.new_order(1))
    world.command(world.cancel_order(2, "7-0"))
    world.swallow = False
    world.cut()
    world.advance(5000)
    assert heard(world, 35) == ["F"], "the cancel is sent again, the order is not"
    assert not_received(world) == [1]
    assert states(world)[-1] is SessionState.CAUGHT_UP
    assert len(world.core.history.orders) == 0


def test_of_what_was_lost_on_the_wire_only_the_newest_is_at_hand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT_SENT", 5)
    world.ready()
    world.swallow = True
    for counter in range(1, 8):
        world.command(world.cancel_order(counter, "7-0"))
    world.swallow = False
    world.cut()
    world.advance(5000)
    names = heard(world, 11)
    assert 0 < len(names) < 5 and names == [f"7-{counter}" for counter in range(1, 8)][-len(names) :]
    assert states(world)[-1] is SessionState.CAUGHT_UP, "the rest is gap-filled"


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
    assert not_received(world) == [1]
    assert heard(world, 11) == []
    assert world.core.history.orders.find("7-1") is None


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


def test_a_stop_before_the_journal_has_answered_ends_at_once_and_leaves_no_trace(world: World) -> None:
    world.journal.dead = True
    world.start()
    world.core.stop(world.now)
    world.settle()
    assert world.exit is not None and (world.exit.status, world.exit.text) == (0, "stopped before it was live")
    assert world.connects == [] and world.journal.records == []


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
    assert not_received(world) == [2]
    assert heard(world, 35) == ["F"], "the order that is recorded as never received was never acted on"


def test_a_venue_in_step_that_asks_again_for_an_order_has_received_it(world: World) -> None:
    world.ready()
    world.command(world.new_order(1))
    number = int(world.venue.wire[-1][b"34"])
    world.cut()
    world.advance(5000)
    assert heard(world, 11) == ["7-1"] and states(world)[-1] is SessionState.CAUGHT_UP
    world.venue_says("2", f"7={number}|16=0|")
    assert world.venue.wire[-1][b"35"] == b"4", "it is answered all the same"
    assert [p for p in world.journal.payloads(Kind.GAP_FILLED) if isinstance(p, GapFilled)] == []
    assert world.core.history.orders.find("7-1") is not None


class Keyed(Generic):
    """A venue that wants a key, a password, a new one and a signature."""

    profile = structs.replace(Generic.profile, key_tags=frozenset({553}))

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        settings = super().session_settings(identity, credentials)
        fields = b"95=4\x0196=s\x01gn\x01553=api-key\x01554=hunter2\x01925=hunter3\x01"
        return replace(settings, logon_fields=lambda number, stamp: fields)


def test_no_secret_of_a_logon_enters_the_log(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)), Keyed())
    world.ready()
    sent = world.wire_raw[0]
    assert b"554=hunter2\x01" in sent, "the venue gets all of it"
    logged = next(p.raw for p in world.journal.payloads(Kind.OUTBOUND) if isinstance(p, Outbound))
    assert b"\x0195=4\x0196=xxxx\x01553=xxxxxxx\x01554=xxxxxxx\x01925=xxxxxxx\x01" in logged
    assert len(logged) == len(sent) and split(logged)[b"34"] == b"1"
    assert not any(b"hunter" in record.payload or b"api-key" in record.payload for record in world.journal.records)
    world.venue_says("2", "7=1|16=0|")
    assert not any(fields[b"35"] == b"A" and fields.get(b"43") == b"Y" for fields in world.venue.wire)


def test_no_secret_of_a_logon_enters_the_emergency_file(tmp_path: Path) -> None:
    world = World(OsFiles(), generic_config(str(tmp_path)), Keyed())
    away_and_killed(world)
    world.advance(600)
    world.cut()
    world.advance(2_000)
    kept = (tmp_path / world.core.emergency.name).read_bytes()
    assert b"35=A" in kept and b"hunter" not in kept
