"""Invariant: the kill switch latches a real session with nothing else running, and no command claims what is not so."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec
import orjson
import pytest

from common.actor.control import Answers, ask, is_running
from common.config import CHECKOUT, load
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from common.journal import Log, OsFiles
from common.journal.emergency import EmergencyFile
from common.journal.frames import Entry
from common.messages import Attempt, Kind, NewOrder, OperatorAct, Outbound, Terms, encode
from common.reconcile.journal_books import JournalBooks
from scripts.cli.kill import Standing, _standing
from scripts.cli.main import run
from scripts.cli.reconcile import _outside


@pytest.fixture
def own_var(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack of one venue, of which nothing runs; its port is nobody's."""
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    monkeypatch.setenv("FIXRING__BINANCE__ENABLED", "false")
    monkeypatch.setenv("FIXRING__STRATEGIES__MAKER__ENABLED", "false")
    monkeypatch.setenv("FIXRING__STRATEGIES__SIGNALS__ENABLED", "false")
    monkeypatch.setenv("FIXRING__GENERIC__FIX__PORT", "9")
    return short_folder


@pytest.fixture
def process(own_var: Path) -> Iterator[None]:
    """The real session process, without a journal and without a venue."""
    arguments = [sys.executable, "-P", "-m", "services.session", "--session", "generic"]
    child = subprocess.Popen(arguments, cwd=CHECKOUT, env=dict(os.environ))
    try:
        run_folder = load().paths.run
        while child.poll() is None and not is_running(run_folder, "session@generic"):
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.02)
        ask(run_folder, "session@generic", "status", {}, 30)
        yield
    finally:
        child.terminate()
        child.wait()


def test_kill_latches_without_journal_and_says_that_it_cannot_vouch(
    process: None, own_var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["session", "logout", "generic", "--yes"]) == ExitStatus.REFUSED
    assert "journal does not answer" in capsys.readouterr().err
    assert run(["kill", "--wait", "0.2", "--json"]) == ExitStatus.TIMEOUT
    accounts = orjson.loads(capsys.readouterr().out)["accounts"]
    assert (accounts["generic"]["latched"], accounts["generic"]["clear"]) == (True, False)
    assert b"latched" in (own_var / "emergency" / "simulated" / "session@generic.latch").read_bytes()
    assert run(["resume", "--yes"]) != ExitStatus.OK


def test_what_a_session_says(process: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["session", "list"]) == ExitStatus.OK
    out = capsys.readouterr().out
    assert "session@generic" in out and "starting" in out
    assert "marketdata@generic" in out and "not running" in out
    assert run(["session", "show", "generic", "--json"]) == ExitStatus.OK
    assert orjson.loads(capsys.readouterr().out)["state"] == "starting"


def test_nothing_runs(own_var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["session", "list"]) == ExitStatus.NOT_RUNNING
    assert run(["session", "show", "generic"]) == ExitStatus.NOT_RUNNING
    assert run(["kill"]) == ExitStatus.NOT_RUNNING
    assert run(["resume", "--yes"]) == ExitStatus.NOT_RUNNING
    assert run(["session", "show", "kraken"]) == ExitStatus.USAGE
    assert run(["session", "set-seq", "generic", "--yes"]) == ExitStatus.USAGE
    assert run(["session", "logout", "marketdata@generic", "--yes"]) == ExitStatus.USAGE
    assert "there is no session 'kraken'" in capsys.readouterr().err


def standing_by(account: dict[str, object]) -> Standing:
    """How a venue stands whose session does not answer."""
    answers = Answers()
    answers.details["account@binance"] = {"latched": True, **account}
    return _standing(load(environ={}).accounts["binance"], answers)


@pytest.mark.parametrize(
    ("account", "text", "until_ns"),
    [
        ({"verified": True, "watching_until_ns": 0}, "nothing is open, confirmed over REST", 0),
        (
            {"verified": False, "watching_until_ns": 1_767_236_645 * NS_PER_S},
            "nothing is open over REST; watching for what may still be under way until 03:04:05 UTC",
            1_767_236_645 * NS_PER_S,
        ),
    ],
)
def test_where_an_account_alone_vouches_it_says_until_when_it_watches(
    account: dict[str, object], text: str, until_ns: int
) -> None:
    assert standing_by({"nothing_open": True, **account}) == Standing("binance", True, "account", text, until_ns)


def test_an_account_that_has_found_an_order_does_not_vouch() -> None:
    assert standing_by({"nothing_open": False, "verified": False}).by == ""


def log_of(folder: Path, *payloads: tuple[str, Kind, msgspec.Struct]) -> None:
    """A journal that holds these records."""
    folder.mkdir(parents=True)
    log = Log.open(str(folder), OsFiles(), wall_ns=NS_PER_S, segment_bytes=1 << 20)
    log.append([Entry(kind, writer, 1, n, encode(its)) for n, (writer, kind, its) in enumerate(payloads, 1)], NS_PER_S)
    log.close()


def test_an_order_at_a_venue_that_is_gone_from_the_configuration_is_never_called_nothing(
    process: None, own_var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = b"8=FIX.4.4\x0135=D\x0152=20260101-00:00:00\x01"
    order = NewOrder(
        Attempt(1, 1), "maker", 1, "binance", "BTCUSDT", Terms("1", "2", Decimal(1), Decimal(100)), "1-1",
        2 * NS_PER_S,
    )  # fmt: skip
    sent = Outbound("binance", 1, 1, 1, "D", raw, order)
    log_of(load().journal_folder, ("session@binance", Kind.OUTBOUND, sent))
    assert run(["kill", "--wait", "0.2"]) == ExitStatus.FAILURE
    assert "NOT CONFIGURED: binance BTCUSDT: 1 orders open" in capsys.readouterr().err


def test_what_a_session_wrote_that_is_gone_from_the_configuration_is_on_every_screen(
    process: None, own_var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load()
    for session, epoch in (("binance", 7), ("binance", 8), ("generic", 8)):
        file = EmergencyFile.create(
            f"{config.emergency_folder}/{session}-{epoch}.emergency", OsFiles(), epoch=epoch, size_bytes=1 << 16
        )
        if epoch == 7:
            file.append([Entry(Kind.OPERATOR, f"session@{session}", 7, 1, b"")], NS_PER_S)
        file.close()
    log_of(config.journal_folder, ("risk", Kind.OPERATOR, OperatorAct("risk", "halt", "me")))
    assert run(["kill", "--wait", "0.2"]) == ExitStatus.FAILURE
    told = capsys.readouterr().err
    assert run(["status"]) == ExitStatus.FAILURE
    for screen in (told, capsys.readouterr().out):
        assert screen.count("NOT CONFIGURED: session@binance: ") == 1
        assert "binance-7.emergency holds 1 records that the journal may lack" in screen
    assert [place for place, _ in _outside(config, JournalBooks(config), "")] == ["binance"]


def test_a_log_that_cannot_be_read_is_not_called_empty(
    process: None, own_var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = load().journal_folder
    log_of(folder, ("risk", Kind.OPERATOR, OperatorAct("risk", "kill", "me")))
    (folder / "mark").write_bytes(b"nothing")
    assert run(["kill", "--wait", "0.2"]) == ExitStatus.FAILURE
    assert "is not known" in capsys.readouterr().err
