"""Invariant: a child that a person has stopped stays stopped until a person starts it, whatever begins or ends."""

import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from common.actor.control import Answers
from common.config import Actor, Config, ConfigError, Kind, load
from common.instant import Instant
from common.messages import ControlRequest
from services.supervisor import by_hand
from services.supervisor.by_hand import ByHand
from services.supervisor.core import CHILD_STOP_MS, Phase, SupervisorCore
from services.supervisor.held import Held
from tests.services.supervisor.test_core import Bench

MAKER = "strategy@maker"


@pytest.fixture
def bench() -> Bench:
    bench = Bench(Kind.STRATEGIES, MAKER, "strategy@signals")
    bench.serve(MAKER)
    return bench


def test_one_that_is_stopped_by_hand_is_not_started_again_until_a_person_starts_it(bench: Bench) -> None:
    assert bench.core.stop_child(MAKER, "ann", bench.now) == ""
    bench.settle()
    assert bench.signals == [(MAKER, signal.SIGTERM)]
    bench.die(0, MAKER)
    bench.wait(60_000)
    bench.core.pause(bench.now)
    bench.core.unpause(bench.now)
    bench.wait(60_000)
    assert (bench.phase(MAKER), bench.core.status()[MAKER]["stopped"]) == (Phase.STOPPED, "ann")
    assert bench.core.start(MAKER, bench.now) == ""
    bench.settle()
    assert (bench.phase(MAKER), bench.core.status()[MAKER]["stopped"]) == (Phase.STARTING, "")


def test_one_that_hangs_is_killed_when_its_time_is_over(bench: Bench) -> None:
    bench.core.stop_child(MAKER, "ann", bench.now)
    bench.wait(CHILD_STOP_MS - 1)
    assert bench.signals == [(MAKER, signal.SIGTERM)]
    bench.wait(1)
    assert bench.signals[1:] == [(MAKER, signal.SIGKILL)]
    bench.die(-9, MAKER)
    assert bench.phase(MAKER) is Phase.STOPPED


def test_the_next_life_of_the_supervisor_does_not_start_it() -> None:
    core = SupervisorCore(Kind.STRATEGIES, [Actor(MAKER, Kind.STRATEGIES, "m")], Instant(0, 0), {MAKER: "ann"})
    core.timer(Instant(0, 10**12))
    assert core.effects == []
    assert core.children[MAKER].phase is Phase.STOPPED


def test_a_restart_ends_the_process_and_starts_another_at_once(bench: Bench) -> None:
    before = bench.core.children[MAKER].pid
    assert bench.core.restart_child(MAKER, bench.now) == ""
    bench.settle()
    assert bench.signals == [(MAKER, signal.SIGTERM)]
    bench.die(0, MAKER)
    assert bench.phase(MAKER) is Phase.STARTING
    assert bench.core.children[MAKER].pid != before


def test_a_stopped_one_is_started_by_its_start_alone(bench: Bench) -> None:
    bench.core.stop_child(MAKER, "ann", bench.now)
    assert "is stopped (ann): start it" in bench.core.restart_child(MAKER, bench.now)
    bench.die(0, MAKER)
    assert "is stopped (ann): start it" in bench.core.restart_child(MAKER, bench.now)
    bench.settle()
    assert bench.phase(MAKER) is Phase.STOPPED


def test_a_restart_does_not_wait_for_the_back_off_of_one_that_keeps_dying(bench: Bench) -> None:
    for _ in range(4):
        bench.die(1, MAKER)
        bench.wait(400)
    bench.die(1, MAKER)
    assert bench.phase(MAKER) is Phase.WAITING
    bench.core.restart_child(MAKER, bench.now)
    bench.settle()
    assert bench.phase(MAKER) is Phase.STARTING


def test_one_that_is_added_is_started_and_the_others_do_not_notice(bench: Bench) -> None:
    new = Actor("strategy@new", Kind.STRATEGIES, "m")
    assert bench.core.add(new, bench.now) == ""
    bench.settle()
    assert bench.phase("strategy@new") is Phase.STARTING
    assert bench.signals == []
    assert "there already" in bench.core.add(new, bench.now)


# ---- by hand, over the configuration and the disk ----

STRATEGY = """
[strategies.new]
program = "services.strategies.examples.01_one_order:OneOrder"
symbols = ["BTCUSDT"]
"""


class Desk:
    """A supervisor's acts by hand over a configuration folder that a person edits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "configs"
        self.folder.mkdir()
        shipped = load(environ={}).paths.config
        for file in shipped.glob("*.toml"):
            (self.folder / file.name).write_text(file.read_text())
        self.environ = {"FIXRING_VAR": str(folder / "var")}
        self.held = Held(folder / "var" / "stopped")
        self.running = self.reread()
        self.core = SupervisorCore(Kind.STRATEGIES, self.running.actors(Kind.STRATEGIES), Instant(0, 0))
        self.by_hand = ByHand(self.core, self.running, self.held, self.reread)

    def reread(self) -> Config:
        return load(self.folder, self.environ)

    def write(self, change: Callable[[str], str]) -> None:
        file = self.folder / "fixring.toml"
        file.write_text(change(file.read_text()))

    def act(self, act: str, name: str) -> str:
        arguments = msgspec.json.encode({"name": f"strategy@{name}"})
        return self.by_hand.act(ControlRequest(act, arguments, "ann/1"), Instant(10**18, 0)).text


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_that_a_strategy_is_stopped_is_on_the_disk_until_it_is_started(desk: Desk) -> None:
    assert desk.act("stop", "maker") == ""
    assert desk.held.all() == {MAKER: "ann/1 at 20010909-01:46:40.000"}
    assert "stopped already (ann/1" in desk.act("stop", "maker")
    assert desk.act("start", "maker") == ""
    assert desk.held.all() == {}


def told_orders(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, int]]:
    """What the order manager is told, and how much the supervisor had done before."""
    told: list[tuple[object, int]] = []

    def hear(_: object, questions: list[tuple[str, str, object]], *_rest: object) -> Answers:
        told.extend((question, len(desk.core.effects)) for question in questions)
        return Answers()

    monkeypatch.setattr(by_hand, "ask_all", hear)
    return told


def test_the_order_manager_is_told_of_a_restart_before_the_process_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, now = told_orders(desk, monkeypatch), Instant(0, 0)
    desk.core.timer(now)
    desk.core.spawned(MAKER, 7, now)
    desk.core.answered(MAKER, now)
    before = len(desk.core.effects)
    assert desk.act("restart", "maker") == ""
    assert told == [(("orders", "restarting", {"strategy": "maker"}), before)]
    assert len(desk.core.effects) > before


def test_of_a_restart_that_ends_nobody_nothing_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told = told_orders(desk, monkeypatch)
    assert desk.act("stop", "maker") == ""
    assert "start it" in desk.act("restart", "maker")
    assert told == []


def test_one_that_dies_starts_again_but_one_that_is_stopped_or_given_up_does_not(bench: Bench) -> None:
    bench.die(-9, MAKER)
    assert bench.phase(MAKER) is Phase.STARTING or bench.core.starts_again(MAKER)
    bench.core.exited("strategy@signals", 3, bench.now)
    assert bench.phase("strategy@signals") is Phase.HALTED and not bench.core.starts_again("strategy@signals")


def test_a_file_that_nobody_can_read_as_text_stops_its_strategy_all_the_same(tmp_path: Path) -> None:
    (tmp_path / MAKER).write_bytes(b"\xff")
    assert list(Held(tmp_path).all()) == [MAKER]


def test_an_unknown_strategy_is_refused_and_leaves_no_file(desk: Desk) -> None:
    assert "no strategy@nobody here" in desk.act("stop", "nobody")
    assert desk.held.all() == {}


def test_a_strategy_that_was_written_since_the_start_is_added(desk: Desk) -> None:
    assert "fixring.toml: strategies: new is none that is enabled; there is maker, signals" in desk.act("add", "new")
    desk.write(lambda text: text + STRATEGY)
    assert desk.act("add", "new") == ""
    assert "strategy@new" in desk.core.children


@pytest.mark.parametrize("act", ["add", "restart"])
def test_a_configuration_that_is_not_sound_is_refused_with_its_file_and_changes_nothing(desk: Desk, act: str) -> None:
    before = dict(desk.core.children)
    desk.write(lambda text: text + STRATEGY.replace("symbols", "simbols"))
    with pytest.raises(ConfigError):
        desk.reread()
    told = desk.act(act, "new" if act == "add" else "maker")
    assert f"{desk.folder}/fixring.toml: strategies.new" in told
    assert desk.core.children == before
    assert desk.core.effects == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: f"{text}{STRATEGY}[risk.strategies.new]\nmax_open_orders = 3\n", "other limits"),
        (
            lambda text: (
                text
                + STRATEGY.replace("BTCUSDT", "ETHBTC")
                + '[risk.symbols.ETHBTC]\nmax_order_qty = "1"\nmax_order_notional = "1"\nposition_limit = "1"\n'
                'price_collar_ratio = "0.05"\nreference_max_age_ms = 5000\n'
            ),
            "ETHBTC",
        ),
    ],
)
def test_one_that_the_running_stack_could_not_serve_as_it_is_written_is_refused(
    desk: Desk, change: Callable[[str], str], why: str
) -> None:
    desk.write(change)
    assert why in desk.act("add", "new")
    assert "strategy@new" not in desk.core.children


def test_no_other_supervisor_stops_its_children_by_hand(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    core = SupervisorCore(Kind.RISK, desk.running.actors(Kind.RISK), Instant(0, 0))
    by_hand = ByHand(core, desk.running, desk.held, desk.reread)
    told = by_hand.act(ControlRequest("stop", b'{"name":"risk"}', "ann"), Instant(0, 0))
    assert not told.ok and "supervisor@risk has no act 'stop'; it has start, status" in told.text
    odd = by_hand.act(ControlRequest("start", b'{"name":"risk","force":true}', "ann"), Instant(0, 0))
    assert not odd.ok and "force" in odd.text
