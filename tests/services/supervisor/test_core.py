"""A supervisor restarts what dies, gives up what cannot live, and stops everything in order and in time."""

import signal

import pytest

from common.config import Actor, Kind
from common.exit_status import ExitStatus
from common.instant import NS_PER_MS, NS_PER_S, Instant
from services.supervisor.core import (
    CRASHES,
    INTEGRITY_WINDOW_S,
    QUICK_MS,
    SLOWEST_MS,
    STAGES,
    STEADY_S,
    Fenced,
    Finish,
    JournalRefused,
    NobodyManages,
    Phase,
    Say,
    Signal,
    Spawn,
    SupervisorCore,
)


class Bench:
    """A core with a clock of its own, and processes that exist by saying so."""

    def __init__(self, kind: Kind = Kind.SESSIONS, *names: str, cancels: bool = False) -> None:
        self.now = Instant(0, 1_000 * NS_PER_S)
        actors = [Actor(name, kind, "some.module", cancels_on_stop=cancels) for name in names or ("session@generic",)]
        self.core = SupervisorCore(kind, actors, self.now)
        self.next_pid = 100
        self.said: list[str] = []
        self.signals: list[tuple[str, int]] = []
        self.refusals = 0
        self.fences = 0
        self.unmanaged: list[str] = []
        self.finished = False
        self.settle()

    def settle(self) -> None:
        self.core.timer(self.now)
        while self.core.effects:
            effects, self.core.effects = self.core.effects, []
            for effect in effects:
                match effect:
                    case Spawn(name):
                        self.next_pid += 1
                        self.core.spawned(name, self.next_pid, self.now)
                    case Signal(name, number):
                        self.signals.append((name, number))
                    case Say(text):
                        self.said.append(text)
                    case JournalRefused():
                        self.refusals += 1
                    case Fenced():
                        self.fences += 1
                    case NobodyManages(why):
                        self.unmanaged.append(why)
                    case Finish():
                        self.finished = True

    def wait(self, ms: int) -> None:
        self.now = Instant(0, self.now.boot_ns + ms * NS_PER_MS)
        self.settle()

    def serve(self, name: str = "session@generic") -> None:
        self.core.answered(name, self.now)
        self.settle()

    def die(self, status: int, name: str = "session@generic") -> None:
        self.core.exited(name, status, self.now)
        self.settle()

    def phase(self, name: str = "session@generic") -> Phase:
        return self.core.children[name].phase


def test_a_child_that_served_and_was_killed_is_back_at_once_however_often() -> None:
    bench = Bench()
    for restarts in range(1, 3 * CRASHES):
        bench.serve()
        bench.die(-signal.SIGKILL)
        bench.wait(QUICK_MS)
        assert bench.phase() is Phase.STARTING
        assert bench.core.children["session@generic"].restarts == restarts


def test_a_child_that_never_serves_is_started_ever_later_and_then_halted_alone() -> None:
    bench = Bench(Kind.SESSIONS, "session@generic", "session@binance")
    bench.serve("session@binance")
    delays = []
    for _ in range(CRASHES - 1):
        bench.die(1)
        deadline = bench.core.next_deadline_ns()
        assert deadline is not None
        delays.append((deadline - bench.now.boot_ns) // NS_PER_MS)
        bench.wait(delays[-1])
    bench.die(1)
    assert delays == sorted(delays)
    assert delays[0] < 100
    assert delays[-1] == SLOWEST_MS
    assert bench.phase() is Phase.HALTED
    assert bench.phase("session@binance") is Phase.SERVING
    assert any("HALTED" in line and "session@generic" in line for line in bench.said)
    assert bench.core.next_deadline_ns() is None


def test_a_steady_life_forgives_earlier_crashes() -> None:
    bench = Bench()
    for _ in range(3 * CRASHES):
        bench.serve()
        bench.wait(STEADY_S * 1000)
        bench.die(1)
        bench.wait(QUICK_MS)
        assert bench.phase() is Phase.STARTING


def test_a_child_that_serves_and_crashes_again_and_again_is_halted_too() -> None:
    bench = Bench()
    for _ in range(CRASHES):
        bench.serve()
        bench.die(1)
        bench.wait(SLOWEST_MS)
    assert bench.phase() is Phase.HALTED


@pytest.mark.parametrize("status", [ExitStatus.USAGE, ExitStatus.CONFIGURATION])
def test_what_cannot_mend_itself_is_halted_at_once(status: ExitStatus) -> None:
    bench = Bench()
    bench.die(status)
    assert bench.phase() is Phase.HALTED


def test_a_halted_child_is_started_by_hand_with_a_clean_slate() -> None:
    bench = Bench()
    bench.die(ExitStatus.CONFIGURATION)
    assert bench.core.start("session@kraken", bench.now) == "no session@kraken here; there are session@generic"
    assert bench.core.start("session@generic", bench.now) == ""
    bench.settle()
    assert bench.phase() is Phase.STARTING
    assert "only a halted" in bench.core.start("session@generic", bench.now)


def test_a_journal_that_refuses_to_start_is_not_started_again() -> None:
    bench = Bench(Kind.JOURNAL, "journal")
    bench.die(ExitStatus.INTEGRITY, "journal")
    assert bench.phase("journal") is Phase.REFUSED
    assert bench.refusals == 1
    assert any("fixring journal verify" in line for line in bench.said)


def test_a_journal_that_served_is_started_once_more_after_an_integrity_failure() -> None:
    bench = Bench(Kind.JOURNAL, "journal")
    bench.serve("journal")
    bench.die(ExitStatus.INTEGRITY, "journal")
    bench.wait(QUICK_MS)
    assert bench.phase("journal") is Phase.STARTING
    bench.serve("journal")
    bench.die(ExitStatus.INTEGRITY, "journal")
    assert bench.phase("journal") is Phase.REFUSED
    assert bench.refusals == 1


def test_an_integrity_failure_long_ago_does_not_count() -> None:
    bench = Bench(Kind.JOURNAL, "journal")
    for _ in range(3):
        bench.serve("journal")
        bench.wait((INTEGRITY_WINDOW_S + 1) * 1000)
        bench.die(ExitStatus.INTEGRITY, "journal")
        bench.wait(QUICK_MS)
        assert bench.phase("journal") is Phase.STARTING


def test_another_actor_that_disagrees_with_the_journal_latches_nothing() -> None:
    bench = Bench(Kind.ORDERS, "orders")
    bench.die(ExitStatus.INTEGRITY, "orders")
    assert bench.phase("orders") is Phase.REFUSED
    assert bench.refusals == 0


def test_without_a_journal_the_children_stop_and_come_back_with_it() -> None:
    bench = Bench(Kind.RISK, "risk")
    bench.serve("risk")
    bench.core.pause(bench.now)
    bench.core.pause(bench.now)
    bench.settle()
    assert bench.signals == [("risk", signal.SIGTERM)]
    bench.die(0, "risk")
    bench.wait(10_000)
    assert bench.phase("risk") is Phase.STOPPED
    bench.core.unpause(bench.now)
    bench.settle()
    assert bench.phase("risk") is Phase.STARTING


def test_a_child_still_ending_when_the_journal_is_back_is_started_when_it_has_ended() -> None:
    bench = Bench(Kind.RISK, "risk")
    bench.serve("risk")
    bench.core.pause(bench.now)
    bench.core.unpause(bench.now)
    bench.die(0, "risk")
    assert bench.phase("risk") is Phase.STARTING


def test_a_fenced_host_kills_all_that_speaks_latches_nothing_and_starts_nothing_again() -> None:
    bench = Bench(Kind.JOURNAL, "journal", "replicator")
    bench.serve("journal")
    bench.die(ExitStatus.FENCED, "replicator")
    assert (bench.fences, bench.refusals, bench.unmanaged, bench.signals) == (1, 0, [], [])
    bench.core.fence("alice took it over")
    bench.core.fence("alice took it over")
    bench.settle()
    assert bench.signals == [("journal", signal.SIGKILL)]
    bench.die(-signal.SIGKILL, "journal")
    bench.wait(60_000)
    assert bench.phase("journal") is bench.phase("replicator") is Phase.REFUSED
    assert bench.core.children["journal"].last_exit == "fenced: alice took it over"
    assert "alice" in bench.core.start("journal", bench.now)
    assert any("alice" in line for line in bench.said)


def test_a_fence_ends_sessions_and_bridges_and_leaves_the_venues_and_who_only_looks_on() -> None:
    for kind, name, fenced in (
        (Kind.SESSIONS, "session@generic", True), (Kind.ACCOUNTS, "account@generic", True),
        (Kind.EXCHANGES, "bridge@okx", True), (Kind.EXCHANGES, "exchange@generic", False),
        (Kind.DESK, "desk", False), (Kind.ALERTS, "alerts", False), (Kind.RELAYS, "relay@a", False),
    ):  # fmt: skip
        bench = Bench(kind, name)
        bench.serve(name)
        bench.core.fence("alice took it over")
        bench.settle()
        assert bench.signals == ([(name, signal.SIGKILL)] if fenced else []), name
        bench.die(-signal.SIGKILL, name)
        bench.wait(QUICK_MS)
        assert bench.phase(name) is (Phase.REFUSED if fenced else Phase.STARTING)


def test_a_fenced_host_still_ends_in_order() -> None:
    bench = Bench()
    bench.serve()
    bench.core.fence("alice took it over")
    bench.settle()
    bench.die(-signal.SIGKILL)
    bench.core.stop(bench.now)
    bench.core.turn_came(bench.now)
    bench.settle()
    assert bench.finished


def test_children_are_stopped_when_their_turn_has_come() -> None:
    bench = Bench()
    bench.core.stop(bench.now)
    bench.wait(STAGES[Kind.SESSIONS].term_by_ms - 1)
    assert bench.signals == []
    bench.core.turn_came(bench.now)
    bench.settle()
    assert bench.signals == [("session@generic", signal.SIGTERM)]
    assert not bench.finished
    bench.die(0)
    assert bench.finished


def test_a_turn_that_does_not_come_is_not_awaited_for_ever() -> None:
    bench = Bench()
    bench.core.stop(bench.now)
    bench.wait(STAGES[Kind.SESSIONS].term_by_ms)
    assert bench.signals == [("session@generic", signal.SIGTERM)]
    bench.wait(STAGES[Kind.SESSIONS].kill_by_ms)
    assert bench.signals[-1] == ("session@generic", signal.SIGKILL)
    bench.die(-signal.SIGKILL)
    assert bench.finished
    assert bench.core.next_deadline_ns() is None


def test_nothing_is_started_while_stopping() -> None:
    bench = Bench()
    bench.die(1)
    bench.core.stop(bench.now)
    bench.wait(1000)
    assert bench.phase() is Phase.STOPPED
    bench.core.turn_came(bench.now)
    bench.settle()
    assert bench.finished


def test_a_session_that_is_dead_at_a_stop_is_started_to_cancel_what_rests() -> None:
    bench = Bench(cancels=True)
    bench.serve()
    bench.die(-signal.SIGKILL)
    bench.core.stop(bench.now)
    bench.settle()
    assert bench.phase() is Phase.STARTING
    bench.core.turn_came(bench.now)
    bench.settle()
    assert bench.signals == [] and not bench.finished, "the signal would end it before its loop runs"
    bench.serve()
    assert bench.signals == [("session@generic", signal.SIGTERM)]
    bench.die(0)
    assert bench.finished


@pytest.mark.parametrize("status", [-signal.SIGKILL, ExitStatus.FAILURE])
def test_a_session_that_dies_during_a_stop_is_started_until_it_has_ended_by_itself(status: int) -> None:
    bench = Bench(cancels=True)
    bench.serve()
    bench.core.stop(bench.now)
    bench.die(status)
    assert bench.phase() is Phase.WAITING
    bench.wait(QUICK_MS)
    bench.serve()
    bench.core.turn_came(bench.now)
    bench.settle()
    bench.die(status)
    assert bench.phase() is Phase.WAITING and not bench.finished, "it died after the signal, before it had cancelled"
    bench.wait(QUICK_MS)
    bench.serve()
    assert bench.signals == [("session@generic", signal.SIGTERM)] * 2
    bench.die(0)
    assert bench.phase() is Phase.STOPPED and bench.finished


def test_one_that_cannot_be_started_at_a_stop_does_not_hold_it_up() -> None:
    bench = Bench(cancels=True)
    bench.serve()
    bench.core.stop(bench.now)
    bench.die(1)
    bench.wait(STAGES[Kind.SESSIONS].term_by_ms)
    bench.die(1)
    bench.core.timer(bench.now)
    bench.core.effects.clear()
    bench.wait(STAGES[Kind.SESSIONS].kill_by_ms)
    assert bench.finished
    assert bench.core.next_deadline_ns() is None


def test_a_first_start_waits_as_long_as_its_actor_says() -> None:
    now = Instant(0, 1_000 * NS_PER_S)
    actors = [Actor("snapshots", Kind.JOURNAL, "m", (), 400), Actor("journal", Kind.JOURNAL, "m")]
    core = SupervisorCore(Kind.JOURNAL, actors, now)
    core.timer(now)
    assert core.effects == [Spawn("journal")]
    core.effects.clear()
    due = now.boot_ns + 400 * NS_PER_MS
    assert core.next_deadline_ns() == due
    core.timer(Instant(0, due - 1))
    assert core.effects == []
    core.timer(Instant(0, due))
    assert core.effects == [Spawn("snapshots")]


def test_a_supervisor_without_children_ends_at_once_when_its_turn_comes() -> None:
    core = SupervisorCore(Kind.ACCOUNTS, [], Instant(0, 0))
    core.stop(Instant(0, 0))
    core.turn_came(Instant(0, 0))
    assert core.effects == [Finish()]


def test_the_shutdown_is_in_order_and_over_in_four_seconds() -> None:
    order = [Kind.STRATEGIES, Kind.ORDERS, Kind.RISK, Kind.SESSIONS, Kind.JOURNAL, Kind.EXCHANGES]
    for earlier, later in zip(order, order[1:], strict=False):
        assert earlier in STAGES[later].after
        assert STAGES[earlier].kill_by_ms < STAGES[later].term_by_ms
    assert set(STAGES) == set(Kind)
    assert max(stage.kill_by_ms for stage in STAGES.values()) < 4000


def test_status_tells_process_phase_restarts_and_last_exit() -> None:
    bench = Bench()
    bench.serve()
    bench.die(-signal.SIGKILL)
    bench.wait(QUICK_MS)
    assert bench.core.status() == {
        "session@generic": {
            "pid": 102, "phase": Phase.STARTING, "restarts": 1, "last_exit": "killed by SIGKILL", "stopped": "",
        }
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "unmanaged"),
    [
        (Kind.ORDERS, "orders", ["orders was given up"]),
        (Kind.RISK, "risk", ["risk was given up"]),
        (Kind.JOURNAL, "journal", ["journal was given up"]),
        (Kind.JOURNAL, "snapshots", []),
        (Kind.SESSIONS, "session@generic", []),
    ],
)
@pytest.mark.parametrize("status", [1, ExitStatus.CONFIGURATION])
def test_whoever_manages_orders_leaves_them_to_the_kill_switch(
    kind: Kind, name: str, unmanaged: list[str], status: int
) -> None:
    bench = Bench(kind, name)
    for _ in range(CRASHES):
        assert bench.unmanaged == []
        bench.core.exited(name, status, bench.now)
        bench.settle()
        bench.wait(SLOWEST_MS)
        if bench.core.children[name].phase is Phase.HALTED:
            break
    assert bench.core.children[name].phase is Phase.HALTED
    assert bench.unmanaged == unmanaged
