"""Invariant: against a real stack a command says how it ended, in its text and in its exit status."""

import contextlib
import os
import re
import signal
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from common.config import load
from common.exit_status import ExitStatus
from scripts.cli.main import run
from scripts.stack import NoAnswer, NotRunning, PrivateStack, StackFailed

TELLS_ITS_MODULES = """
import os, signal, sys

def tell(*_):
    with open(os.path.join(os.path.dirname(__file__), f"{os.getpid()}.new"), "w") as file:
        file.write("\\n".join(sys.modules))
    os.replace(file.name, file.name.removesuffix(".new"))

signal.signal(signal.SIGUSR1, tell)
"""
"""Loaded by every process of the stack before anything else."""


@pytest.fixture(scope="module")
def stack() -> Iterator[PrivateStack]:
    """The default stack, with no strategy that trades by itself beside the simulated exchanges' own traders."""
    with tempfile.TemporaryDirectory(prefix="fxr") as folder:
        quiet = {"FIXRING__STRATEGIES__MAKER__ENABLED": "false", "PYTHONPATH": folder}
        (Path(folder) / "sitecustomize.py").write_text(TELLS_ITS_MODULES)
        with PrivateStack(Path(folder), quiet) as stack:
            yield stack


@pytest.fixture(autouse=True)
def _environment(stack: PrivateStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FIXRING")]:
        monkeypatch.delenv(name)
    for name, value in stack.environ.items():
        if name.startswith("FIXRING"):
            monkeypatch.setenv(name, value)


def modules_of(stack: PrivateStack, actor: str) -> set[str]:
    """What the actor's process has loaded."""
    told = Path(stack.environ["PYTHONPATH"]) / str(stack.pid(actor))
    stack.kill(actor, signal.SIGUSR1)
    give_up_s = time.monotonic() + 10
    while not told.exists():
        assert time.monotonic() < give_up_s, f"{actor} does not tell its modules"
        time.sleep(0.01)
    return set(told.read_text().split("\n"))


VENUE_PART = re.compile(r"common\.venues\.(\w+)\.(dialect|rest|simulated|fields)\b.*")


@pytest.mark.parametrize(
    ("actor", "parts"),
    [
        ("session@generic", {("generic", "dialect")}),
        ("marketdata@generic", {("generic", "dialect")}),
        ("session@binance", {("binance", "dialect"), ("binance", "fields")}),
        ("orders", set()),
        ("risk", {("generic", "dialect"), ("binance", "dialect"), ("binance", "fields")}),
        ("journal", set()),
        ("account@binance", {("binance", "rest")}),
        ("exchange@generic", {("generic", "simulated")}),
        ("exchange@binance", {("binance", "simulated")}),
    ],
)
def test_a_process_has_loaded_what_it_needs_of_its_own_venue_and_of_no_other(
    stack: PrivateStack, actor: str, parts: set[tuple[str, str]]
) -> None:
    loaded = modules_of(stack, actor)
    assert {(found[1], found[2]) for name in loaded if (found := VENUE_PART.fullmatch(name))} == parts
    assert ("ccxt" in loaded) is (actor == "account@binance"), "its 40 MB are the account's alone"
    assert ("h11" in loaded) <= actor.startswith("exchange@")


@pytest.mark.parametrize("tif", ["ioc", "fok"])
def test_an_immediate_order_is_reported_by_its_end_and_nothing_filled_is_no_success(
    tif: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["orders", "new", "generic", "BTCUSDT", "buy", "0.01", "--price", "63000", "--tif", tif, "--json"]
    assert run(words) == ExitStatus.FAILURE
    out, err = capsys.readouterr()
    order = orjson.loads(out)["order"]
    assert order["status"] in ("CANCELED", "EXPIRED") and order["cum_qty"] == "0" and "nothing was filled" in err


def test_a_market_order_is_reported_filled(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["orders", "new", "generic", "BTCUSDT", "buy", "0.01", "--json"]) == ExitStatus.OK
    order = orjson.loads(capsys.readouterr().out)["order"]
    assert (order["status"], Decimal(order["cum_qty"])) == ("FILLED", Decimal("0.01"))
    assert run(["positions", "--json"]) == ExitStatus.OK
    (position,) = orjson.loads(capsys.readouterr().out)["positions"]
    for name in ("average_price", "realised_profit"):
        assert len(position[name].replace(".", "").lstrip("-0")) <= 15, position


def test_profit_is_told_by_strategy_and_what_is_booked_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["orders", "new", "generic", "BTCUSDT", "buy", "0.02", "--name", "earner"]) == ExitStatus.OK
    booking = ["book", "generic", "BTCUSDT", "0.5", "60000", "--from", "nobody", "--strategy", "earner"]
    assert run([*booking, "--text", "ours", "--yes"]) == ExitStatus.OK
    capsys.readouterr()
    give_up_s = time.monotonic() + 10
    while True:
        assert run(["pnl", "--strategy", "earner", "--by", "strategy", "--json"]) == ExitStatus.OK
        told = orjson.loads(capsys.readouterr().out)
        (part,) = told["parts"]
        if Decimal(part["quantity"]) > Decimal("0.5"):
            break
        assert time.monotonic() < give_up_s, told
        time.sleep(0.05)
    assert (part["strategy"], part["symbol"], part["currency"]) == ("earner", "BTCUSDT", "USDT")
    assert told["total"] == told["groups"]["earner"] and told["day"] and not told["total"]["lacks"]
    assert run(["pnl"]) == ExitStatus.OK
    text = capsys.readouterr().out
    assert "profit in USDT" in text and "earner" in text and "(nobody)" in text
    assert run(["pnl", "--strategy", "nowhere"]) == ExitStatus.USAGE


def test_the_blotter_tells_what_was_traded_and_closed_orders_how_they_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["orders", "new", "generic", "ETHUSDT", "buy", "0.5", "--name", "blotted"]) == ExitStatus.OK
    capsys.readouterr()
    assert run(["trades", "--strategy", "blotted", "--json"]) == ExitStatus.OK
    lines = orjson.loads(capsys.readouterr().out)["lines"]
    assert sum(Decimal(line["quantity"]) for line in lines) == Decimal("0.5")
    assert {(line["symbol"], line["order"], line["kind"]) for line in lines} == {("ETHUSDT", "blotted/1", "fill")}
    assert run(["trades", "--strategy", "blotted", "--csv"]) == ExitStatus.OK
    assert capsys.readouterr().out.count("\n") == len(lines) + 1
    assert run(["trades", "--strategy", "blotted", "--day", "2020-01-01"]) == ExitStatus.OK
    assert ": 0 lines" in capsys.readouterr().out
    assert run(["orders", "list", "--closed", "--strategy", "blotted"]) == ExitStatus.OK
    assert "FILLED" in capsys.readouterr().out
    assert run(["orders", "unknown"]) == ExitStatus.OK
    assert ": 0 orders are asked about" in capsys.readouterr().out


def test_flatten_closes_what_is_held_and_nothing_beyond(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["orders", "new", "binance", "ETHUSDT", "buy", "0.5"]) == ExitStatus.OK
    place = ["--account", "binance", "--symbol", "ETHUSDT"]
    assert run(["flatten", *place, "--yes"]) == ExitStatus.OK
    assert "is closed" in capsys.readouterr().out
    assert run(["positions", "--venue", "binance", "--json"]) == ExitStatus.OK
    held = {p["symbol"]: Decimal(p["quantity"]) for p in orjson.loads(capsys.readouterr().out)["positions"]}
    assert 0 <= held["ETHUSDT"] < Decimal("0.01"), "less than an order can be of"


def test_a_strategy_is_stopped_started_and_restarted_while_all_else_goes_on(
    stack: PrivateStack, capsys: pytest.CaptureFixture[str]
) -> None:
    others = {name: stack.pid(name) for name in ("orders", "risk", "session@generic")}
    assert run(["strategy", "stop", "signals"]) == ExitStatus.OK
    assert run(["strategy", "list", "--json"]) == ExitStatus.OK
    row = orjson.loads(capsys.readouterr().out.splitlines()[-1])["strategies"]["signals"]
    assert (row["state"], row["pid"]) == ("stopped", 0)
    assert run(["orders", "list", "--json"]) == ExitStatus.OK
    assert orjson.loads(capsys.readouterr().out)["gone"] == {"signals": "ended"}
    assert run(["status", "--json"]) == ExitStatus.RESTRICTED
    told = orjson.loads(capsys.readouterr().out)["restricted"]
    assert [(each["actor"], each["reason"]) for each in told] == [("strategy@signals", "stopped")]
    assert run(["flatten", "--strategy", "signals", "--yes"]) == ExitStatus.OK
    assert run(["strategy", "start", "signals", "--yes"]) == ExitStatus.OK
    before = stack.pid("strategy@signals")
    assert run(["flatten", "--strategy", "signals", "--yes"]) == ExitStatus.REFUSED
    assert run(["strategy", "restart", "signals"]) == ExitStatus.OK
    assert stack.pid("strategy@signals") != before
    assert run(["strategy", "show", "signals"]) == ExitStatus.OK
    assert "services.strategies.signal_trader" in capsys.readouterr().out
    assert run(["journal", "tail", "-n", "2000"]) == ExitStatus.OK
    assert "strategy@signals stop by " in capsys.readouterr().out
    assert others == {name: stack.pid(name) for name in others}


def test_an_order_that_rests_is_reported_when_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["orders", "new", "generic", "BTCUSDT", "buy", "0.01", "--price", "63000", "--name", "resting"]
    assert run(words) == ExitStatus.OK
    assert "resting/1 NEW" in capsys.readouterr().out
    assert run(["orders", "list", "--strategy", "resting"]) == ExitStatus.OK
    assert run(["orders", "cancel-all", "--strategy", "resting", "--yes"]) == ExitStatus.OK
    assert capsys.readouterr().out.endswith("1 orders cancelled\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("orders list --venue nosuch", "nosuch: no such venue; there is binance, generic"),
        ("orders list --strategy nosuch", "nosuch: no such strategy; there is signals"),
        ("positions --venue nosuch", "no such venue"),
        ("orders cancel-all --venue genric --yes", "genric: no such venue"),
        ("orders cancel-all --symbol BTCUSD --yes", "BTCUSD: no such symbol; there is BTCUSDT, ETHUSDT"),
        ("orders cancel-all --strategy makr --yes", "makr: no such strategy"),
    ],
)
def test_a_name_that_there_is_not_is_wrong_usage(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == ExitStatus.USAGE
    assert told in capsys.readouterr().err


def metrics_of(stack: PrivateStack) -> str:
    """The page, from its port."""
    with urllib.request.urlopen(str(stack.ask("alerts", "status")["metrics"]), timeout=10) as answer:
        return str(answer.read().decode())


def test_metrics_are_served_and_alerts_comes_back_when_it_is_killed(
    stack: PrivateStack, capsys: pytest.CaptureFixture[str]
) -> None:
    pid = stack.pid("alerts")
    samples = (
        'fixring_environment{environment="simulated"} 1', 'fixring_actor_up{actor="session@generic"} 1',
        'fixring_actor_up{actor="supervisor-orders"} 1', 'fixring_session_up{session="session@binance"} 1',
        "fixring_metrics_unread 0", 'fixring_profit_today_net{strategy="all",currency="USDT"}',
    )  # fmt: skip
    # The day's profit is there once alerts has asked an order manager whose day has begun and that holds something.
    assert run(["orders", "new", "generic", "BTCUSDT", "buy", "0.01"]) == ExitStatus.OK
    give_up_s, page = time.monotonic() + 60, metrics_of(stack)
    while missing := [sample for sample in samples if sample not in page]:
        assert time.monotonic() < give_up_s, missing
        page = metrics_of(stack)
    assert run(["alerts", "test"]) == ExitStatus.OK
    stack.kill("alerts")
    give_up_s = time.monotonic() + 60
    while True:
        assert time.monotonic() < give_up_s, "alerts does not come back"
        with contextlib.suppress(NotRunning, NoAnswer, StackFailed):
            if stack.pid("alerts") != pid and not stack.ask("alerts", "status")["silent"]:
                break
        time.sleep(0.05)
    assert run(["orders", "new", "generic", "BTCUSDT", "buy", "0.01"]) == ExitStatus.OK
    assert 'fixring_actor_restarts_total{actor="alerts"} 1' in metrics_of(stack)


def test_reconcile_names_the_side_that_is_down(stack: PrivateStack, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reconcile"]) == ExitStatus.OK
    assert capsys.readouterr().out.startswith("environment simulated\n")
    stack.ask("session@generic", "logout", {})
    while stack.ask("session@generic", "status")["state"] != "logged_out":
        time.sleep(0.01)
    assert run(["reconcile", "--venue", "generic", "--timeout", "0.5"]) == ExitStatus.NOT_ANSWERED
    told = capsys.readouterr().out
    assert "its exchange is up, and our session@generic is not logged on there" in told
    stack.kill("exchange@generic", signal.SIGSTOP)
    try:
        assert run(["reconcile", "--venue", "generic", "--timeout", "0.1"]) == ExitStatus.NOT_ANSWERED
    finally:
        stack.kill("exchange@generic", signal.SIGCONT)
    told = capsys.readouterr().out
    assert "exchange@generic does not answer" in told and "session" not in told


def test_frames_of_its_journal_become_samples_of_a_venue_without_anybody_s_name(
    stack: PrivateStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["orders", "new", "binance", "BTCUSDT", "buy", "0.01", "--price", "63000.00", "--json"]
    assert run(words) == ExitStatus.OK
    order = orjson.loads(capsys.readouterr().out)["order"]
    assert run(["orders", "cancel", order["name"]]) == ExitStatus.OK
    file = tmp_path / "order_entry.toml"
    assert run(["venues", "record", "binance", "--file", str(file)]) == ExitStatus.OK
    assert "look them through" in capsys.readouterr().out
    frames = tomllib.loads(file.read_text())["frame"]
    kinds = {frame["what"] for frame in frames}
    assert any("MsgType(35)=D" in kind for kind in kinds) and any("ExecType(150)=4" in kind for kind in kinds)
    config = load()
    credentials = config.venues["binance"].credentials
    assert credentials is not None
    api_key = config.paths.resolve(credentials.api_key_file).read_text().strip()
    whole = file.read_text()
    assert api_key not in whole and order["cl_ord_id"] not in whole and "|95=" in whole
    assert run(["venues", "record", "binance", "--file", str(file)]) == ExitStatus.USAGE
    assert "is there already" in capsys.readouterr().err and file.read_text() == whole
    assert run(["venues", "record", "kraken"]) in (ExitStatus.FAILURE, ExitStatus.CONFIGURATION)
    assert "kraken" in capsys.readouterr().err
