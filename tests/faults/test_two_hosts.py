"""A stack on two hosts: orders go through, each host sees and stops the whole, and a host that is gone is said so."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Kind
from common.exit_status import ExitStatus
from common.link_keys import LinkKeys, make_link_keys
from scripts.cli.main import run
from scripts.hosts import HostStack, TwoHosts
from scripts.stack import PrivateStack

WAIT_S = 30.0
FAR = ("--price", "63500", "--tif", "gtc")


@pytest.fixture(scope="module")
def two() -> Iterator[TwoHosts]:
    """Both hosts, up."""
    with tempfile.TemporaryDirectory(prefix="fxr") as folder, TwoHosts(Path(folder)) as two:
        yield two


@pytest.fixture
def fixring(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line on one of the hosts: its exit status, and what it printed."""

    def call(host: PrivateStack, *arguments: str) -> tuple[int, str, str]:
        for name in [name for name in os.environ if name.startswith("FIXRING")]:
            monkeypatch.delenv(name)
        for name, value in host.environ.items():
            if name.startswith("FIXRING"):
                monkeypatch.setenv(name, value)
        capsys.readouterr()
        status = run(list(arguments))
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


Fixring = Callable[..., tuple[int, str, str]]


def until(what: Callable[[], object]) -> None:
    """Wait for what the processes do."""
    deadline_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.05)


def standing(fixring: Fixring, host: PrivateStack) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(fixring(host, "status", "--json")[1])
    return told


def test_each_host_runs_its_own_lines_and_shows_the_actors_of_both(two: TwoHosts, fixring: Fixring) -> None:
    for host in two.hosts.values():
        actors = standing(fixring, host)["actors"]
        assert {"journal", "orders", "strategy@maker", "alerts", "relay@trading", "relay@strategies"} <= set(actors)
        assert not [name for name, actor in actors.items() if actor["state"] in ("not running", "not answering")]
        assert actors["orders"]["pid"] == two.trading.pid("orders")
        assert actors["strategy@maker"]["pid"] == two.strategies.pid("strategy@maker")
    here = {file.stem for file in two.strategies.run_folder.glob("*.lock")}
    assert here == {
        "alerts", "relay@strategies", "strategy@maker", "strategy@signals", "first_start", "supervisor-alerts",
        "supervisor-relays", "supervisor-strategies",
    }  # fmt: skip


def test_an_order_goes_through_from_each_host(two: TwoHosts, fixring: Fixring) -> None:
    for host in two.hosts.values():
        status, out, err = fixring(host, "orders", "new", "generic", "BTCUSDT", "buy", "0.01", *FAR)
        assert (status, err) == (ExitStatus.OK, ""), out
        assert fixring(host, "orders", "cancel-all", "--strategy", "*", "--yes")[0] in (0, 2)


def test_a_signal_reaches_its_strategy_on_the_other_host(two: TwoHosts, fixring: Fixring) -> None:
    status, out, err = fixring(two.trading, "signals", "send", "generic", "BTCUSDT", "buy", "--strength", "0.1")
    assert status == ExitStatus.OK, out + err


def test_a_strategy_is_stopped_and_started_from_the_other_host_and_that_is_journaled(
    two: TwoHosts, fixring: Fixring
) -> None:
    for act in (("stop",), ("start", "--yes")):
        status, out, err = fixring(two.trading, "strategy", *act, "signals")
        assert status == ExitStatus.OK, out + err

    def is_journaled() -> bool:
        _, out, _ = fixring(two.trading, "journal", "tail", "--lines", "400")
        return "strategy@signals" in out

    until(is_journaled)
    until(lambda: standing(fixring, two.trading)["actors"]["strategy@signals"]["state"] == "live")


def test_the_kill_switch_works_from_each_host(two: TwoHosts, fixring: Fixring) -> None:
    for kills, resumes in ((two.strategies, two.trading), (two.trading, two.strategies)):
        status, out, err = fixring(kills, "kill", "--wait", "20", "--json")
        assert status == ExitStatus.OK, out + err
        accounts = orjson.loads(out)["accounts"]
        assert {name for name, account in accounts.items() if account["latched"] and account["clear"]} == set(accounts)
        status, out, err = fixring(resumes, "resume", "--yes")
        assert status == ExitStatus.OK, out + err
        until(lambda: not two.trading.missing())


def test_a_key_of_strategies_does_not_resume_or_settle(two: TwoHosts) -> None:
    reach = two.strategies.config.reach
    with pytest.raises(Refused, match="the key of strategies may ask for"):
        ask(reach, "session@binance", "resume", {"confirm": True}, role=Kind.STRATEGIES)
    assert ask(reach, "session@binance", "status", role=Kind.STRATEGIES)["state"] == "ready"


def test_a_set_of_keys_that_does_not_fit_is_told_and_counted_on_both_sides(two: TwoHosts, tmp_path: Path) -> None:
    theirs = two.strategies.config.reach
    assert theirs.curve_folder is not None
    make_link_keys(tmp_path, LinkKeys(theirs.curve_folder).public)
    with pytest.raises(NoAnswer, match="it is not relay@trading with the key that is known of it here"):
        ask(theirs._replace(curve_folder=tmp_path), "orders", "status", timeout_s=5.0)
    # With the right key of the relay and one of its own that nobody knows.
    (tmp_path / "relay@trading.public").write_bytes((theirs.curve_folder / "relay@trading.public").read_bytes())
    with pytest.raises(NoAnswer, match="does not let the key of operator in"):
        ask(theirs._replace(curve_folder=tmp_path), "orders", "status", timeout_s=5.0)
    told = two.trading.ask("relay@trading", "status")["turned_away"]
    assert isinstance(told, dict)
    assert told["relay.trading: a key that is not known here"] >= 1
    assert told["relay.trading: a peer with a wrong public key of this link"] >= 1


def test_an_actor_that_does_not_run_is_no_silence(two: TwoHosts) -> None:
    with pytest.raises(NotRunning, match="strategy@nobody is not running on strategies"):
        ask(
            two.trading.config.reach._replace(elsewhere={"strategy@nobody": "strategies"}), "strategy@nobody", "status"
        )


def test_a_host_that_dies_is_shown_and_its_strategies_count_as_silent(two: TwoHosts, fixring: Fixring) -> None:
    lost: HostStack = two.strategies
    lost.kill_all()
    told = standing(fixring, two.trading)["actors"]
    assert told["strategy@maker"]["state"] == "not answering"
    assert told["orders"]["state"] == "live"

    def is_silent() -> bool:
        restricted = standing(fixring, two.trading)["restricted"]
        return any(found["reason"] == "strategy_silent" for found in restricted)

    until(is_silent)
    # What is left of the stack trades on, and is stopped as before.
    assert fixring(two.trading, "orders", "new", "generic", "BTCUSDT", "buy", "0.01", *FAR)[0] == ExitStatus.OK
    assert fixring(two.trading, "kill", "--wait", "20")[0] == ExitStatus.OK
    assert fixring(two.trading, "resume", "--yes")[0] == ExitStatus.OK
    lost.start()
    until(lambda: not two.trading.missing() and not lost.missing())
