"""Invariant: every metric has a sample of a real core's answer, a page is what Prometheus' own parser reads, and of a
process that is silent nothing but its silence is told.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.actor.core import Close
from common.alerts import WatchKind
from common.config import CHECKOUT
from common.config import Kind as ActorKind
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.journal.files import OsFiles
from common.messages import ControlRequest, DayBegan, Kind
from common.orders.money import held_by
from scripts.simulation.disk import Disk
from services.alerts.metrics import METRICS
from services.alerts.page import IDLE_NS, MAX_CONNECTIONS
from services.journal.copy import CopyBounds
from services.replicator.core import ReplicatorCore
from services.snapshots.core import SnapshotsCore, SnapshotsSettings
from tests.common.exchange.harness import World as ExchangeWorld
from tests.common.strategy.test_strategy import core_of
from tests.services.account.test_core import Bench as AccountBench
from tests.services.alerts.rig import Rig, as_shell
from tests.services.bridge.rig import Rig as BridgeRig
from tests.services.journal.test_core import Life
from tests.services.marketdata.rig import Rig as FeedRig
from tests.services.orders.harness import accepted, live_ring
from tests.services.risk.rig import Rig as RiskRig
from tests.services.session.harness import World, generic_config
from tests.services.supervisor.test_core import Bench

Samples = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]


def samples(page: str) -> Samples:
    """What Prometheus' parser reads, by name and sorted labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            its = found.setdefault(sample.name, {})
            key = tuple(sorted(sample.labels.items()))
            assert key not in its, f"{sample.name} has {key} twice"
            its[key] = sample.value
    return found


def of(core: Any, now: Any) -> Callable[[], dict[str, Any]]:
    return lambda: as_shell(core.status(now() if callable(now) else now))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Each kind of process with a real core, to which something has happened."""
    for name in ("session", "account", "exchange", "bridge", "feed"):
        (tmp_path / name).mkdir()
    world = World(OsFiles(), generic_config(str(tmp_path / "session")))
    world.ready()
    ring, risk = live_ring(), RiskRig()
    ring.record("risk", Kind.DAY_BEGAN, DayBegan("2023-11-14", "UTC", 1))
    ring.report(accepted(ring, 1, qty="5"), "F", "2", qty="5", key="k1")
    risk.send(risk.orders.new(qty="5"))
    risk.command(risk.orders.new(qty="11"))
    risk.core.received("control", b"p", ControlRequest("halt", b'{"scope": "firm", "name": ""}', "me"), risk.now)
    risk.settle()
    life = Life(Disk(), copy_bounds=CopyBounds(10, NS_PER_S))
    replicator = ReplicatorCore("async")
    supervisor, strategy = Bench(ActorKind.SESSIONS, "session@generic"), core_of()
    supervisor.core.exited("session@generic", ExitStatus.CONFIGURATION, supervisor.now)
    account, feed = AccountBench(tmp_path / "account"), FeedRig(tmp_path / "feed")
    exchange, bridge = ExchangeWorld(tmp_path / "exchange"), BridgeRig(tmp_path / "bridge")
    bridge.pass_time(2)
    processes: dict[str, Callable[[], Mapping[str, Any]]] = {
        "journal": of(life.core, life.now), "orders": of(ring.core, lambda: ring.now),
        "risk": of(risk.core, lambda: risk.now), "session@generic": of(world.core, lambda: world.now),
        "replicator": of(replicator, life.now),
        "snapshots": of(SnapshotsCore(SnapshotsSettings((), 1, 0)), life.now),
        "account@binance": of(account.core, account.now), "marketdata@binance": of(feed.core, feed.now),
        "exchange@generic": of(exchange.core, exchange.now), "bridge@okx": of(bridge.core, bridge.now),
        "strategy@alpha": lambda: as_shell({**strategy.status(life.now), "counts": {"fills": 2}}),
        "supervisor-sessions": lambda: {"pid": 1, "kind": "sessions", "actors": supervisor.core.status()},
    }  # fmt: skip
    rig = Rig(processes, money=lambda: msgspec.json.encode(held_by(ring.core.books)))
    rig.wait(20)
    rig.control("ack", rule="actor_halted", why="seen")
    rig.control("silence", rule="disk", why="moved tonight", for_s=60)
    return rig


def test_every_metric_has_a_sample_and_the_parser_reads_each(rig: Rig) -> None:
    page = rig.core.metrics_text(rig.now)
    found = samples(page)
    assert found["fixring_metrics_unread"] == {(): 0}
    told = {name: its for name, its in found.items() if its}
    assert told.keys() == {metric.name for metric in METRICS}
    for metric in METRICS:
        assert all({name for name, _ in key} == set(metric.labels) for key in told[metric.name]), metric.name
    kinds = {family.name: family.type for family in text_string_to_metric_families(page)}
    for metric in METRICS:
        # The parser takes `_total` off the name of a counter's family.
        assert kinds[metric.name.removesuffix("_total")] == metric.kind


def test_values_are_those_of_the_answers(rig: Rig) -> None:
    found = samples(rig.core.metrics_text(rig.now))
    place = (("account", "generic"), ("symbol", "BTCUSDT"))
    assert found["fixring_position_worst_long"][place] == 5 and found["fixring_risk_use_ratio"][place] == 0.25
    assert found["fixring_risk_halts"] == {(): 1}
    assert found["fixring_restrictions"][("actor", "risk"), ("reason", "halted")] == 1
    assert found["fixring_actor_given_up"] == {(("actor", "session@generic"),): 1}
    assert found["fixring_profit_net"][("currency", "USDT"), ("strategy", "all")] == 0
    assert found["fixring_alert_firing"][
        ("rule", "actor_halted"), ("severity", "critical"), ("subject", "session@generic")
    ] == 1
    halted = (("rule", "actor_halted"), ("subject", "session@generic"))
    assert found["fixring_alert_acknowledged"] == {halted: 1}
    assert found["fixring_silence_left_seconds"] == {(("rule", "disk"), ("subject", "")): 60}


def test_of_a_silent_process_no_old_value_is_told(rig: Rig) -> None:
    rig.silent = {"risk", "session@generic"}
    rig.wait(10)
    found = samples(rig.core.metrics_text(rig.now))
    up = found["fixring_actor_up"]
    assert (up[(("actor", "risk"),)], up[(("actor", "orders"),)]) == (0, 1)
    assert found["fixring_actor_answer_age_seconds"][(("actor", "risk"),)] >= 9
    assert (("session", "session@generic"),) not in found["fixring_session_up"]
    gone = {"fixring_position", "fixring_session_killed", "fixring_risk_killed", "fixring_profit_net"}
    assert not gone & {name for name, its in found.items() if its}


def test_no_name_breaks_the_page() -> None:
    odd = 'a"b\\c\nd'
    rig = Rig({odd: lambda: as_shell({"state": "live", "lsn": 1})})
    rig.wait(3)
    found = samples(rig.core.metrics_text(rig.now))
    assert found["fixring_actor_lsn"] == {(("actor", odd),): 1}


def test_names_have_their_unit_and_sentences_end() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"fixring_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") is (metric.kind == "counter"), metric.name
        assert metric.sentence.endswith(".") and metric.mend and not metric.mend.endswith("."), metric.name


# ---- the port ----


def asks(rig: Rig, request: bytes, connection: int = 1) -> bytes:
    rig.pages.clear()
    rig.core.accepted(connection, "metrics", rig.now)
    rig.core.data(connection, request, rig.now)
    closes = [effect for effect in rig.core.effects if isinstance(effect, Close)]
    rig.settle()
    return b"".join(rig.pages) + (b"<closed>" if closes else b"")


@pytest.mark.parametrize(
    ("request_line", "host", "status"),
    [
        ("GET /metrics", "127.0.0.1:9464", 200),
        ("GET /metrics?x=1", "localhost:9464", 200),
        ("HEAD /metrics", "[::1]:9464", 200),
        ("GET /", "127.0.0.1", 404),
        ("POST /metrics", "127.0.0.1", 405),
        ("GET /metrics", "rebound.example:9464", 421),
        ("GET /metrics", "127.0.0.1.evil.example", 421),
    ],
)
def test_one_path_one_method_and_the_loopbacks_names(request_line: str, host: str, status: int) -> None:
    rig = Rig({})
    answer = asks(rig, f"{request_line} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 %d" % status)
    assert (b"fixring_environment{" in answer) is (status == 200 and not request_line.startswith("HEAD"))


@pytest.mark.parametrize("request_bytes", [b"\x16\x03\x01\x02\x00", b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 9000])
def test_what_is_no_request_is_refused_and_closed(request_bytes: bytes) -> None:
    answer = asks(Rig({}), request_bytes)
    assert re.match(rb"HTTP/1.1 4\d\d", answer) and answer.endswith(b"<closed>")


def test_a_body_is_refused() -> None:
    answer = asks(Rig({}), b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")
    assert answer.endswith(b"<closed>")


def test_readers_are_bounded_and_the_idle_go() -> None:
    rig = Rig({})
    for number in range(MAX_CONNECTIONS):
        rig.core.accepted(number, "metrics", rig.now)
    assert not [effect for effect in rig.core.effects if isinstance(effect, Close)]
    rig.core.accepted(99, "metrics", rig.now)
    assert rig.core.effects == [Close(99)]
    rig.settle()
    rig.wait(IDLE_NS // NS_PER_S + 3)
    assert asks(rig, b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n", 100).startswith(b"HTTP/1.1 200")


# ---- what is made of the metrics ----

NAME: Final = re.compile(r"\bfixring_[a-z_]+")
DEPLOY: Final = CHECKOUT / "deploy"


def test_every_expression_names_metrics_and_labels_that_there_are() -> None:
    known = {metric.name: set(metric.labels) for metric in METRICS}
    dashboard = orjson.loads((DEPLOY / "grafana/fixring.json").read_bytes())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    rules = re.findall(r"^ +expr: (.+)$", (DEPLOY / "prometheus/fixring.rules.yml").read_text("utf-8"), re.M)
    assert len(shown) > 20 and len(rules) > 10
    for expression in (*shown, *rules):
        named = set(NAME.findall(expression))
        assert named and named <= known.keys(), expression
        labels = set.union(*(known[name] for name in named))
        used = re.findall(r"\bby \((.*?)\)|\{([a-z_]+)[=!]", expression)
        assert {each for pair in used for each in pair if each} <= labels, expression


def test_every_legend_and_summary_names_labels_that_there_are() -> None:
    known = {label for metric in METRICS for label in metric.labels}
    dashboard = (DEPLOY / "grafana/fixring.json").read_text("utf-8")
    rules = (DEPLOY / "prometheus/fixring.rules.yml").read_text("utf-8")
    assert set(re.findall(r"\{\{([a-z_]+)\}\}", dashboard)) <= known
    assert set(re.findall(r"\$labels\.([a-z_]+)", rules)) <= known


def test_the_rules_file_is_whole() -> None:
    text = (DEPLOY / "prometheus/fixring.rules.yml").read_text("utf-8")
    rules = re.split(r"^ {6}- alert: ", text, flags=re.M)[1:]
    names = [rule.partition("\n")[0] for rule in rules]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"Fixring[A-Za-z]+", name) for name in names)
    parts = (r" {8}expr: \S", r" {8}labels: \{severity: (critical|warning)\}", r" {10}summary: ", r" {10}description: ")
    for rule in rules:
        for part in parts:
            assert len(re.findall(f"^{part}", rule, re.M)) == 1, rule
    assert len(names) >= len(WatchKind), "each watch has a rule there too"
