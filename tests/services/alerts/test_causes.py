"""Invariant: each watch fires when what it watches for happens to a real core, and ends with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.alerts import WatchKind
from common.config import Actor
from common.config import Kind as ActorKind
from common.instant import NS_PER_S, Instant
from common.journal.files import OsFiles
from common.messages import ControlAnswer, ControlRequest, CopyReport, DayBegan, Discrepancy, Kind, SessionState
from common.orders.money import Held, held_by
from scripts.simulation.disk import Disk
from services.journal.copy import CopyBounds
from tests.services.alerts.rig import Rig, as_shell, rule
from tests.services.journal.test_core import Life
from tests.services.orders.harness import Ring, accepted, live_ring
from tests.services.risk.rig import Rig as RiskRig
from tests.services.session.harness import World, generic_config
from tests.services.supervisor.test_core import Bench

FIRES = Path(__file__).read_text("utf-8")


def of(core: Any, now: Callable[[], Instant]) -> Callable[[], dict[str, Any]]:
    """The status of a core, as its process answers it."""
    return lambda: as_shell(core().status(now()))


def ring_of(ring: Ring) -> Callable[[], dict[str, Any]]:
    return of(lambda: ring.core, lambda: ring.now)


def risk_of(risk: RiskRig) -> Callable[[], dict[str, Any]]:
    return of(lambda: risk.core, lambda: risk.now)


def supervisor_of(bench: Bench) -> Callable[[], dict[str, Any]]:
    return lambda: {"pid": 1, "kind": "sessions", "actors": bench.core.status()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(OsFiles(), generic_config(str(tmp_path)))
    world.ready()
    return world


def watched(processes: dict[str, Callable[[], Any]], **changes: Any) -> Rig:
    """Nothing fires at first."""
    rig = Rig(processes, **changes)
    rig.wait(4)
    assert not rig.firing
    return rig


def test_an_actor_that_does_not_answer() -> None:
    rig = watched({"orders": ring_of(live_ring())})
    rig.silent.add("orders")
    rig.wait(12)
    assert not rig.firing, "it may be starting again"
    rig.wait(10)
    assert rig.fires(WatchKind.ACTOR_SILENT) == ["orders"]
    rig.silent.clear()
    rig.wait(20)
    assert rig.told() == [(["actor_silent orders"], []), ([], ["actor_silent orders"])]


def test_an_actor_that_somebody_has_stopped_is_silent_by_intent() -> None:
    bench = Bench(ActorKind.SESSIONS, "session@generic")
    bench.core.answered("session@generic", bench.now)
    processes = {"session@generic": lambda: {"state": "ready"}, "supervisor-sessions": supervisor_of(bench)}
    rig = watched(processes, rules=silent_only())
    rig.silent.add("session@generic")
    bench.core.pause(bench.now)
    bench.core.exited("session@generic", 0, bench.now)
    assert bench.core.children["session@generic"].phase == "stopped"
    rig.wait(40)
    assert not rig.firing


def test_a_strategy_that_nobody_has_started_is_not_missed() -> None:
    bench = Bench(ActorKind.STRATEGIES, "strategy@a")
    bench.core.answered("strategy@a", bench.now)
    processes = {name: lambda: {"state": "live"} for name in ("strategy@a", "strategy@added_later")}
    rig = watched({**processes, "supervisor-strategies": supervisor_of(bench)}, rules=silent_only())
    rig.silent = {"strategy@a", "strategy@added_later"}
    rig.wait(25)
    assert rig.fires(WatchKind.ACTOR_SILENT) == ["strategy@a"]


def strategies(bench: Bench, *names: str) -> Rig:
    """A stack that was configured with these strategies, and asks their supervisor."""
    asked = {name: lambda: {"state": "live"} for name in names}
    return Rig(
        {**asked, "supervisor-strategies": supervisor_of(bench)}, rules=silent_only(),
        owners=dict.fromkeys(names, "supervisor-strategies"),
    )  # fmt: skip


def test_a_strategy_that_is_added_while_the_stack_runs_is_asked_at_once_and_missed_when_it_is_silent() -> None:
    bench = Bench(ActorKind.STRATEGIES, "strategy@a")
    rig = strategies(bench, "strategy@a")
    rig.wait(3)
    bench.core.add(Actor("strategy@b", ActorKind.STRATEGIES, "services.strategies"), bench.now)
    rig.processes["strategy@b"] = lambda: {"state": "live", "lsn": 7}
    rig.wait(5)
    page = rig.core.metrics_text(rig.now)
    assert 'fixring_actor_up{actor="strategy@b"} 1' in page and 'fixring_actor_lsn{actor="strategy@b"} 7' in page
    rig.wait(60)
    assert not rig.firing
    rig.silent.add("strategy@b")
    rig.wait(20)
    assert rig.fires(WatchKind.ACTOR_SILENT) == ["strategy@b"]


def test_one_that_comes_and_never_answers_is_given_the_time_that_everybody_has() -> None:
    bench = Bench(ActorKind.STRATEGIES, "strategy@a")
    rig = strategies(bench, "strategy@a")
    rig.wait(100)
    bench.core.add(Actor("strategy@b", ActorKind.STRATEGIES, "services.strategies"), bench.now)
    rig.wait(14)
    assert not rig.firing
    rig.wait(10)
    assert rig.fires(WatchKind.ACTOR_SILENT) == ["strategy@b"]


def test_one_that_its_supervisor_does_not_have_any_more_is_not_asked_and_its_alert_is_over() -> None:
    bench = Bench(ActorKind.STRATEGIES, "strategy@a", "strategy@b")
    rig = strategies(bench, "strategy@a", "strategy@b")
    rig.silent = {"strategy@b"}
    rig.wait(25)
    assert rig.fires(WatchKind.ACTOR_SILENT) == ["strategy@b"]
    rig.silent.add("supervisor-strategies")
    del bench.core.children["strategy@b"]
    rig.wait(10)
    assert "strategy@b" in rig.fires(WatchKind.ACTOR_SILENT), "a supervisor's silence says nothing"
    rig.silent.remove("supervisor-strategies")
    rig.wait(20)
    assert not rig.firing and 'actor="strategy@b"' not in rig.core.metrics_text(rig.now)
    assert [resolved for _, resolved in rig.told()][-1] == ["actor_silent strategy@b"]


def silent_only() -> tuple[Any, ...]:
    return (rule(WatchKind.ACTOR_SILENT),)


def test_an_actor_that_is_given_up_and_one_that_dies_again_and_again() -> None:
    bench = Bench(ActorKind.SESSIONS, "session@a", "session@b")
    rig = watched({"supervisor-sessions": supervisor_of(bench)})
    bench.core.exited("session@a", 3, bench.now)
    for _ in range(3):
        bench.core.answered("session@b", bench.now)
        bench.core.exited("session@b", -9, bench.now)
        bench.now = Instant(0, bench.now.boot_ns + NS_PER_S)
        bench.settle()
    rig.wait(3)
    assert rig.fires(WatchKind.ACTOR_HALTED) == ["session@a"]
    assert rig.fires(WatchKind.ACTOR_RESTARTS) == ["session@b"]
    rig.wait(620)
    assert not rig.fires(WatchKind.ACTOR_RESTARTS), "ten minutes later it lives"


def test_a_session_that_is_down(world: World) -> None:
    rig = watched({"session@generic": of(lambda: world.core, lambda: world.now)})
    world.reachable = False
    world.cut()
    rig.wait(9)
    assert not rig.firing
    rig.wait(6)
    (alert,) = rig.firing
    assert (alert.watch, alert.subject) == (WatchKind.SESSION_DOWN, "session@generic")
    rig.silent.add("session@generic")
    rig.wait(10)
    assert rig.fires(WatchKind.SESSION_DOWN), "silence is no verdict"


def test_clocks_that_differ(world: World) -> None:
    rig = watched({"session@generic": of(lambda: world.core, lambda: world.now)})
    world.wall_ahead_ns = 5 * NS_PER_S
    assert world.venue.fix is not None
    past = Instant(world.now.wall_ns - 5 * NS_PER_S, world.boot_ns)
    world.venue.fix.send("B", b"148=late\x01", past)
    world.to_session(world.venue.drain(past))
    world.settle()
    rig.wait(14)
    assert rig.fires(WatchKind.CLOCK) == ["session@generic"]


def test_the_kill_switch(world: World) -> None:
    rig = watched({"session@generic": of(lambda: world.core, lambda: world.now)})
    world.core.received("control", b"p", ControlRequest("kill", b'{"text": "x"}', "me"), world.now)
    world.settle()
    rig.wait(3)
    assert rig.fires(WatchKind.KILLED) == ["session@generic"] and not rig.fires(WatchKind.RESTRICTED)


def test_an_unknown_order_that_is_old() -> None:
    ring = live_ring()
    rig = watched({"orders": ring_of(ring)})
    ring.sent(ring.new(1))
    ring.session("generic", SessionState.DISCONNECTED)
    assert ring.core.status(ring.now)["unknown_orders"] == 1
    rig.wait(4)
    assert not rig.firing, "for half a minute it may be asked about"
    ring.pass_time(31_000)
    rig.wait(3)
    (alert,) = rig.firing
    assert (alert.watch, alert.unit) == (WatchKind.UNKNOWN_ORDER, "s") and int(alert.value) >= 31


def test_a_discrepancy_even_one_of_while_nobody_watched() -> None:
    ring = live_ring()
    rig = watched({"orders": ring_of(ring)})
    before = ring.core.books.discrepancies
    ring.record("orders", Kind.DISCREPANCY, Discrepancy("generic", "BTCUSDT", "1", "0", 1, "asked again"))
    assert ring.core.books.discrepancies == before + 1
    later = rig.restarted()
    later.wait(3)
    assert later.fires(WatchKind.DISCREPANCY) == ["orders"]
    later.wait(320)
    assert not later.firing


def test_commands_that_are_refused() -> None:
    risk = RiskRig()
    rig = watched({"risk": risk_of(risk)})
    for _ in range(70):
        risk.command(risk.orders.new(qty="11"))
    rig.wait(3)
    assert rig.fires(WatchKind.REFUSALS) == ["risk"]
    rig.wait(75)
    assert not rig.firing


def test_a_limit_that_is_nearly_used() -> None:
    risk = RiskRig()
    rig = watched({"risk": risk_of(risk)})
    for _ in range(2):
        risk.send(risk.orders.new(qty="9.5"))
    rig.wait(9)
    assert rig.fires(WatchKind.RISK_USE) == ["generic BTCUSDT"]


def test_what_else_restricts() -> None:
    risk = RiskRig()
    rig = watched({"risk": risk_of(risk)})
    risk.core.received("control", b"p", ControlRequest("halt", b'{"scope": "firm", "name": ""}', "me"), risk.now)
    risk.settle()
    rig.wait(20)
    assert rig.fires(WatchKind.RESTRICTED) == ["risk halted"]


def test_the_loss_of_the_day() -> None:
    ring, risk = live_ring(), RiskRig()
    ring.record("risk", Kind.DAY_BEGAN, DayBegan("2023-11-14", "UTC", 1))
    order = accepted(ring, 1, qty="5")
    ring.report(order, "F", "2", qty="5", px="100", key="k1")

    def told() -> bytes:
        ring.core.received("control", b"p", ControlRequest("money", b"{}", "alerts", 1), ring.now)
        (send,) = [effect for effect in ring.core.effects if getattr(effect, "link", "") == "control"]
        ring.core.effects.clear()
        assert isinstance(send.message, ControlAnswer)  # type: ignore[union-attr]
        return send.message.detail  # type: ignore[union-attr]

    assert msgspec.json.decode(told(), type=Held) == held_by(ring.core.books)
    rig = watched({"orders": ring_of(ring), "risk": risk_of(risk)}, money=told)
    risk.top(bid="69.99", ask="70.01")
    rig.wait(14)
    assert sorted(rig.fires(WatchKind.LOSS)) == ["all", "s"]
    alert, every = rig.firing
    assert {alert.subject, every.subject} == {"s", "all"} and alert.value == "150"


def test_a_journal_with_little_room_and_readers_behind_it() -> None:
    life, ring = Life(Disk(), low_disk_bytes=10), Ring()
    for _ in range(30):
        life.wait(1000)
    free = life.core.status(life.now)["free_bytes"]
    rig = watched(
        {"journal": of(lambda: life.core, lambda: life.now), "orders": ring_of(ring)},
        rules=(rule(WatchKind.DISK, limit=0), rule(WatchKind.JOURNAL_LAG, limit=100_000)),
    )
    assert isinstance(free, int)
    later = Rig(rig.processes, rules=(rule(WatchKind.DISK, limit=free + 1), rule(WatchKind.JOURNAL_LAG, limit=20)))
    later.wait(9)
    assert later.fires(WatchKind.DISK) == ["journal"] and later.fires(WatchKind.JOURNAL_LAG) == ["orders"]


def test_a_copy_off_the_machine_that_falls_behind_and_one_that_nothing_is_known_of() -> None:
    life = Life(Disk(), copy_bounds=CopyBounds(1_000_000, 60 * NS_PER_S))
    rig = watched({"journal": of(lambda: life.core, lambda: life.now)}, rules=(rule(WatchKind.COPY_LAG),))
    life.wait(2_000)
    rig.wait(14)
    assert rig.fires(WatchKind.COPY_LAG) == ["journal"]
    status = life.core.status(life.now)
    life.turn(CopyReport(int(str(status["durable_lsn"])), int(str(status["stamp_ns"]))), peer=b"replicator")
    rig.wait(14)
    assert rig.fires(WatchKind.COPY_LAG) == []
    life.wait(2_000)
    rig.wait(14)
    assert rig.fires(WatchKind.COPY_LAG) == ["journal"]


def test_a_sink_that_fails_is_told_at_the_others() -> None:
    rig = Rig({"orders": dict}, rules=(*silent_only(), rule(WatchKind.SINK_FAILING)), sinks=("pager", "chat"))
    rig.silent.add("orders")
    rig.errors["pager"] = "pager.acme.com: it answers 500"
    rig.wait(60)
    assert rig.fires(WatchKind.SINK_FAILING) == ["pager"]
    assert [rules for rules, _ in rig.told()] == [["actor_silent orders"], ["sink_failing pager"]]
    assert {sink for sink, _ in rig.delivered} == {"chat"}
    rig.errors.clear()
    rig.wait(400)
    assert [sink for sink, notice in rig.delivered if notice.firing[:1]][2:3] == ["pager"], "it was kept for it"
    assert not rig.fires(WatchKind.SINK_FAILING)


@pytest.mark.parametrize("watch", WatchKind)
def test_every_watch_has_a_cause_here(watch: WatchKind) -> None:
    assert f"(WatchKind.{watch.name})" in FIRES or f"(WatchKind.{watch.name}, \"" in FIRES
