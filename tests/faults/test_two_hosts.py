"""A stack on two hosts: orders go through, each host sees and stops the whole, and a host that is gone is said so."""

import os
import re
import shlex
import shutil
import socket
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import CHECKOUT, STACK_FILE, Kind
from common.exit_status import ExitStatus
from common.link_keys import LinkKeys, make_link_keys
from scripts.cli.main import run
from scripts.hosts import HostStack, TwoHosts
from scripts.stack import PrivateStack
from tests.docs.test_typed import typed

WAIT_S = 30.0
FAR = ("--price", "63500", "--tif", "gtc")


PAGE = "docs/scaling.md"


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


def test_alerts_reads_the_metrics_of_the_other_hosts_actors(two: TwoHosts) -> None:
    address = str(two.strategies.ask("alerts", "status")["metrics"])

    def page() -> str:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())

    up = [f'fixring_actor_up{{actor="{name}"}} 1' for name in ("orders", "session@binance", "strategy@maker")]
    until(lambda: all(line in page() for line in up))


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


def test_the_page_is_followed(two: TwoHosts, fixring: Fixring, tmp_path: Path) -> None:
    """Each of its lines, in the page's order, on the host where it is typed."""
    made = PrivateStack(tmp_path, {"FIXRING_CONFIG": str(of_the_page(tmp_path)), "FIXRING__STACK__HOST": "trading"})
    there = PrivateStack(tmp_path / "there", made.environ | {
        "FIXRING_VAR": str(tmp_path / "there/var"), "FIXRING__STACK__HOST": "research",
    })  # fmt: skip
    hosts = {
        "keys make": (made,), "keys hand-out": (made,), "keys take-in": (there,), "keys check /": (made,),
        "keys check": (there,), "keys show": (made, there), "doctor": tuple(two.hosts.values()),
        "status": tuple(two.hosts.values()), "kill": (two.strategies,), "resume": (two.strategies,),
    }  # fmt: skip
    followed = set()
    for line in typed(PAGE):
        text = line.text.replace("/tmp/", f"{tmp_path}/")
        if text.startswith("scripts/start --host "):
            # By which `two` is started, with names of its own.
            continue
        words = text.removeprefix("scripts/fixring ")
        begins = next(begin for begin in hosts if words.startswith(begin.replace("check /", f"check {tmp_path}")))
        followed.add(begins)
        for host in hosts[begins]:
            status, out, err = fixring(host, *shlex.split(words))
            # On a busy machine the disk is slow to `doctor`, and a session may just be logging on to `status`.
            assert status in ((0, 1, 10) if begins in ("doctor", "status") else (0,)), f"{text}: {out}{err}"
    assert followed == hosts.keys()
    until(lambda: not two.trading.missing())


def of_the_page(folder: Path) -> Path:
    """The checkout's configuration with what the page adds to it."""
    config = Path(shutil.copytree(CHECKOUT / "configs", folder / "config"))
    (added,) = re.findall(r"```toml\n(.*?)```", (CHECKOUT / PAGE).read_text("utf-8"), re.S)
    with (config / STACK_FILE).open("a", encoding="utf-8") as file:
        file.write(f"\n{added}")
    return config


GREETING = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00"
"""The beginning of ZMTP 3.0 (RFC 23): signature and version."""

MECHANISMS = (b"NULL", b"PLAIN", b"CURVE", b"\xff" * 20, b"")


def strange_bytes(random: Random) -> bytes:
    """What no peer of ours sends: noise, or a greeting of ZMTP with anything behind it."""
    noise = random.randbytes(random.choice((0, 1, 11, 64, 500, 5_000)))
    if random.random() < 0.3:
        return noise
    greeting = GREETING + random.choice(MECHANISMS).ljust(20, b"\0") + bytes([random.getrandbits(1)]) + bytes(31)
    # Frames: flags, a length of one byte or eight, which may be far more than follows.
    size = random.choice((0, 1, 200, 255, 1 << 40, (1 << 63) - 1))
    frame = bytes([random.getrandbits(3)]) + (size.to_bytes(8, "big") if size > 255 else bytes([size]))
    hello = b"\x04\xc8\x05HELLO\x01\x00" + random.randbytes(192)
    said = greeting + random.choice((b"", frame, hello, hello[:50], frame + noise)) + noise
    return said[: random.randint(1, 6_000)]


def test_nothing_that_a_stranger_sends_ends_or_blocks_an_actor(two: TwoHosts, fixring: Fixring) -> None:
    random = Random(1)
    before = {name: actor["pid"] for name, actor in standing(fixring, two.trading)["actors"].items()}
    stack = two.trading.config.stack
    places = [*stack.endpoints.addresses.values(), *(its.relay for its in stack.hosts.values())]
    silent = []
    for place in places:
        at, _, port = place.removeprefix("tcp://").rpartition(":")
        for _ in range(30):
            with socket.create_connection((at, int(port)), 5) as stranger, suppress(ConnectionError):
                stranger.sendall(strange_bytes(random))
        for said in (b"", GREETING, GREETING + b"CURVE".ljust(20, b"\0") + bytes(32)):
            # They say no more, and stay.
            silent.append(socket.create_connection((at, int(port)), 5))
            silent[-1].sendall(said)
    try:
        for host in two.hosts.values():
            status, out, err = fixring(host, "orders", "new", "generic", "BTCUSDT", "buy", "0.01", *FAR)
            assert status == ExitStatus.OK, out + err
        now = standing(fixring, two.strategies)["actors"]
        assert {name: actor["pid"] for name, actor in now.items()} == before
        assert not [name for name, actor in now.items() if actor["state"] == "not answering"]
    finally:
        for stranger in silent:
            stranger.close()
    # What was half a handshake is counted where it was heard.
    assert two.trading.ask("orders", "status")["turned_away"]


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
