"""Invariant: every metric is moved by something that happens to a real core."""

from decimal import Decimal
from pathlib import Path

import msgspec

from common.alerts import WatchKind
from common.config import Kind as ActorKind
from common.exit_status import ExitStatus
from common.instant import NS_PER_S, Instant
from common.journal.files import OsFiles
from common.messages import (
    CancelRequest,
    CommandOutcome,
    ControlRequest,
    DayBegan,
    Discrepancy,
    Kind,
    Reason,
    SessionState,
)
from common.orders.money import held_by
from scripts.simulation.disk import Disk
from services.alerts.deliveries import MAX_WAITING
from services.alerts.metrics import METRICS
from tests.common.exchange.harness import Client
from tests.common.exchange.harness import World as ExchangeWorld
from tests.common.replication.fake import Odd
from tests.common.strategy.test_strategy import at, core_of, recorder
from tests.services.account.test_core import Bench as AccountBench
from tests.services.alerts.rig import Rig, rule
from tests.services.alerts.test_causes import of, ring_of, risk_of, supervisor_of
from tests.services.alerts.test_metrics import rig, samples
from tests.services.bridge.rig import FixClient
from tests.services.bridge.rig import Rig as BridgeRig
from tests.services.journal.test_core import FOLDER, Life, append
from tests.services.orders.harness import accepted, live_ring
from tests.services.replicator.rig import Rig as ReplicatorRig
from tests.services.risk.rig import Rig as RiskRig
from tests.services.risk.rig import report
from tests.services.session.harness import World, generic_config
from tests.services.snapshots.test_core import Stack
from tests.services.supervisor.test_core import Bench


def orders_in_trouble(_: Path) -> Rig:
    """One order is under way, one is to be cancelled, one is UNKNOWN, part of what was bought is sold, a fee is in an
    asset without a rate, and the venue's word differs.
    """
    ring, risk = live_ring(), RiskRig()
    ring.record("risk", Kind.DAY_BEGAN, DayBegan("2023-11-14", "UTC", 1))
    first = ring.new(1, qty="5")
    ring.sent(first)
    ring.pass_time(200)
    ring.report(first, "0", "0")
    ring.report(first, "F", "1", qty="2", px="100", key="k1")
    second = accepted(ring, 2, qty="5")
    ring.report(second, "F", "2", qty="5", px="90", key="k2", fee_qty=Decimal(2), fee_asset="USDT")
    third = accepted(ring, 3, qty="1", side="2")
    ring.report(third, "F", "2", qty="1", px="95", key="k3", fee_qty=Decimal(3), fee_asset="BNB")
    ring.request(CancelRequest(0, 4, 1))
    ring.new(5)
    ring.sent(ring.new(6))
    ring.record("orders", Kind.DISCREPANCY, Discrepancy("generic", "BTCUSDT", "1", "0", 1, "asked again"))
    ring.session("generic", SessionState.DISCONNECTED)
    ring.pass_time(5_000)
    processes = {"orders": ring_of(ring), "risk": risk_of(risk)}
    return Rig(processes, money=lambda: msgspec.json.encode(held_by(ring.core.books)))


def order_under_way(_: Path) -> Rig:
    """A command has not come back from risk."""
    ring = live_ring()
    ring.new(1)
    return Rig({"orders": ring_of(ring)})


def answers_of_another_form(_: Path) -> Rig:
    """A process answers what cannot be read."""
    return Rig({"risk": lambda: {"state": "live"}})


def account_in_trouble(folder: Path) -> Rig:
    """One question has failed, one is under way, one waits, and the kill switch is pulled."""
    bench = AccountBench(folder)
    bench.ask(1, "balances")
    bench.finish(failed=True, text="no route")
    for number in (2, 3, 4):
        bench.ask(number, "order", cl_ord_id=f"c{number}")
    bench.control("kill")
    return Rig({"account@binance": of(lambda: bench.core, lambda: bench.now)})


def strategy_in_trouble(_: Path) -> Rig:
    """A command was refused, a hook raises, and a command has no outcome yet."""
    core = core_of()
    recorder(core).raises = "timer"
    core.timer(at(100))
    core.received("entry", b"", CommandOutcome(21, 0, "alpha", 1, "refused", Reason.PRICE_COLLAR), at(101))
    core.strategy.buy("generic", "BTCUSDT", Decimal("0.01"), Decimal(60_000))
    return Rig({"strategy@alpha": of(lambda: core, lambda: Instant(0, 0))})


def risk_in_trouble(_: Path) -> Rig:
    """A command to sell rests, one has not come back, and the kill switch is pulled."""
    risk = RiskRig()
    filled = risk.send(risk.orders.new(qty="5"))
    risk.inbound(report(filled, "F", "2", last="5", key="k1"))
    risk.send(risk.orders.new(qty="9", side="2"))
    risk.command(risk.orders.new(qty="5"))
    risk.core.received("control", b"p", ControlRequest("kill", b'{"text": "x"}', "me"), risk.now)
    risk.settle()
    return Rig({"risk": risk_of(risk)})


def session_in_trouble(folder: Path) -> Rig:
    """The clocks differ, the kill switch is pulled, the venue writes what is no FIX, and then it is gone."""
    world = World(OsFiles(), generic_config(str(folder)))
    world.ready()
    world.wall_ahead_ns = 5 * NS_PER_S
    assert world.venue.fix is not None
    past = Instant(world.now.wall_ns - 5 * NS_PER_S, world.boot_ns)
    world.venue.fix.send("B", b"148=late\x01", past)
    world.to_session(b"8=FIX.4.4\x019=5\x01garbage" + world.venue.drain(past))
    world.core.received("control", b"p", ControlRequest("kill", b'{"text": "x"}', "me"), world.now)
    world.settle()
    return Rig({"session@generic": of(lambda: world.core, lambda: world.now)})


def session_without_its_journal(folder: Path) -> Rig:
    """An order waits for a journal that does not answer, after a report of the venue that says nothing."""
    world = World(OsFiles(), generic_config(str(folder)))
    world.ready()
    world.venue_says("8", "37=x|")
    world.journal.dead = True
    world.command(world.new_order(1))
    world.advance(500)
    return Rig({"session@generic": of(lambda: world.core, lambda: world.now)})


def venue_out_of_reach(folder: Path) -> Rig:
    """The venue refuses each connection."""
    world = World(OsFiles(), generic_config(str(folder)))
    world.ready()
    world.reachable = False
    world.cut()
    world.advance(5_000)
    return Rig({"session@generic": of(lambda: world.core, lambda: world.now)})


def journal_ahead(_: Path) -> Rig:
    """The disk is nearly full, and orders has read nothing yet."""
    life, ring = Life(Disk(), low_disk_bytes=1 << 62), live_ring()
    for _second in range(40):
        life.wait(1000)
    behind = {"orders": lambda: {**ring_of(ring)(), "lsn": 0}}
    return Rig({"journal": of(lambda: life.core, lambda: life.now), **behind})


def journal_full(_: Path) -> Rig:
    """Others have filled the disk."""
    life = Life(Disk(capacity_bytes=80_000), segment_bytes=1 << 14)
    granted, others, number = life.grant(), life.disk.files(), 1
    others.write_at(others.create(f"{FOLDER}/hog"), bytes(80_000), 0)
    while life.answers(append(granted, number, bytes(1000))):
        number += 1
    return Rig({"journal": of(lambda: life.core, lambda: life.now)})


def stream_in_trouble(_: Path) -> Rig:
    """NATS answers what is no clear yes, and then nothing."""
    replicator = ReplicatorRig()
    replicator.wait(10)
    replicator.stream.odd = [Odd.DUPLICATE]
    replicator.append(b"one")
    replicator.wait(1_000)
    replicator.stream.away = True
    replicator.append(b"two")
    replicator.wait(1_000)
    return Rig({"replicator": of(lambda: replicator.core, lambda: replicator.now)})


def snapshots_made(_: Path) -> Rig:
    """A round of snapshots has ended."""
    stack = Stack()
    stack.second(10)
    stack.surveyed(**{"orders": 9, "session@a": 8})
    return Rig({"snapshots": of(lambda: stack.core, lambda: stack.now)})


def bridge_unanswered(folder: Path) -> Rig:
    """The venue's answers to a bridge are lost."""
    bridge = BridgeRig(folder).live()
    client = FixClient(bridge)
    bridge.deaf = bridge.hush = True
    client.order("a1")
    return Rig({"bridge@okx": of(lambda: bridge.core, lambda: bridge.now)})


def exchange_with_an_order(folder: Path) -> Rig:
    """An order rests."""
    exchange = ExchangeWorld(folder)
    Client(exchange).order("a1", "1", "1", "900")
    return Rig({"exchange@generic": of(lambda: exchange.core, lambda: exchange.now)})


def processes_that_end(_: Path) -> Rig:
    """One is started again, and one is given up."""
    bench = Bench(ActorKind.SESSIONS, "session@a", "session@b")
    bench.core.answered("session@a", bench.now)
    bench.core.exited("session@a", -9, bench.now)
    bench.core.exited("session@b", ExitStatus.CONFIGURATION, bench.now)
    bench.now = Instant(0, bench.now.boot_ns + NS_PER_S)
    bench.settle()
    return Rig({"supervisor-sessions": supervisor_of(bench)})


def sink_in_trouble(_: Path) -> Rig:
    """A sink takes nothing, and somebody is silent."""
    rig = Rig({"orders": dict}, rules=(rule(WatchKind.ACTOR_SILENT),))
    rig.silent.add("orders")
    rig.errors["pager"] = "pager.acme.com: it answers 500"
    rig.wait(30)
    return rig


def sink_that_stands(_: Path) -> Rig:
    """A sink takes nothing while what fires and ends again and again is more than waits for it."""
    rig = Rig({"orders": dict}, rules=(rule(WatchKind.ACTOR_SILENT, limit=1),))
    rig.errors["pager"] = "pager.acme.com: it answers 500"
    for _time in range(MAX_WAITING // 2 + 1):
        rig.silent.add("orders")
        rig.wait(16)
        rig.silent.clear()
        rig.wait(16)
    return rig


__all__ = ["rig"]
"""The fixture is used by its name."""

TROUBLES = (
    orders_in_trouble, order_under_way, answers_of_another_form, risk_in_trouble, session_in_trouble,
    session_without_its_journal, venue_out_of_reach, account_in_trouble, strategy_in_trouble, journal_ahead,
    journal_full, stream_in_trouble, snapshots_made, bridge_unanswered, exchange_with_an_order, processes_that_end,
    sink_in_trouble, sink_that_stands,
)  # fmt: skip


def moved(rig: Rig) -> set[str]:
    """The metrics of which some sample is not 0."""
    return {name for name, its in samples(rig.core.metrics_text(rig.now)).items() if any(its.values())}


def test_every_metric_is_moved_by_its_cause(rig: Rig, tmp_path: Path) -> None:
    found = moved(rig)
    for cause in TROUBLES:
        folder = tmp_path / cause.__name__
        folder.mkdir()
        troubled = cause(folder)
        troubled.wait(12)
        news = moved(troubled) - found
        assert news, f"{cause.__name__} moves nothing that was not moved before"
        found |= news
    assert not {metric.name for metric in METRICS} - found
