"""`fixring status`: what an operator must not miss stands in words, and the exit status says whether all is well."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from common.actor.control import Answers, NoAnswer, NotRunning
from common.config import load
from common.exit_status import ExitStatus
from common.venues.venue import Confidence
from scripts.cli import status as status_module
from scripts.cli.main import run
from tests.common.venues.little_known import little_known

SESSION = {"pid": 1, "state": "ready", "next_outbound": 3, "next_inbound": 4, "last_heard_ms": 20}
FINE: dict[str, dict[str, Any]] = {
    name: {"pid": 1, "state": "live"} if not name.startswith("session@") else dict(SESSION)
    for name in (actor.name for actor in load().actors())
}
FINE["orders"] |= {"outside": []}
FINE["risk"] |= {"outside": [], "in_flight": 0, "counts": {}, "exposures": [], "halts": []}


@pytest.fixture(autouse=True)
def own_var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No state of anybody's."""
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path))


def asked(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, errors: dict[str, Exception] | None = None, **changes: Any
) -> int:
    """Run the command with these answers; `changes` by actor ("session_generic" for session@generic)."""
    details = {name: dict(detail) for name, detail in FINE.items()}
    for name, change in changes.items():
        details.setdefault(name.replace("_", "@"), {}).update(change)
    for name in errors or {}:
        details.pop(name, None)
    answers = Answers()
    answers.details.update(details)
    answers.errors.update(errors or {})
    monkeypatch.setattr(status_module, "ask_all", lambda *_: answers)
    return run(["status", *arguments])


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(name + " "))


def test_all_is_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(monkeypatch) == ExitStatus.OK
    assert row(capsys.readouterr().out, "orders").rstrip().endswith("-")


STALE = {
    "venue": "generic", "account": "generic", "symbol": "BTCUSDT",
    "position": "0", "worst_long": "0", "worst_short": "0", "limit": "1",
    "reference": "100", "reference_age_ms": 6000, "reference_max_age_ms": 5000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("actor", "change", "reason", "words"),
    [
        ("orders", {"hash_mismatches": 1}, "state_differs", "STATE DIFFERS"),
        ("orders", {"unknown_orders": 2}, "unknown_orders", "2 orders UNKNOWN"),
        ("account@binance", {"kill": "watching"}, "killed", "KILL LATCHED (watching)"),
        ("account@binance", {"failing": "no route"}, "rest_failing", "REST FAILING: no route"),
        ("risk", {"left_out": "record 3 of the log has no effect"}, "left_out", "HALTED: record 3 of the log"),
        ("risk", {"halts": ["firm"]}, "halted", "HALTED firm"),
        ("risk", {"killed": True}, "killed", "KILLED"),
        ("risk", {"exposures": [STALE]}, "reference_stale", "NO FRESH PRICE of BTCUSDT at generic"),
        ("journal", {"low_disk": 1}, "low_disk", "LOW DISK"),
        (
            "journal", {"copy": {"behind": True, "lag_ms": 2100.5, "lag_records": 30}}, "copy_behind",
            "COPY BEHIND by 30 records, 2100.5 ms: what adds risk is refused",
        ),
        (
            "journal", {"copy": {"behind": True, "lag_ms": None, "lag_records": 30}}, "copy_behind",
            "COPY BEHIND by all of the log, as far as is known: what adds risk is refused",
        ),
        ("journal", {"state": "full"}, "disk_full", "DISK FULL"),
        ("orders", {"index_failure": "no such table"}, "index_failed", "INDEX OF FORMER ORDERS FAILED: no such table"),
        ("strategy@maker", {"raising": {"on_timer": "KeyError: 'x'"}}, "raising", "on_timer RAISES KeyError"),
        (
            "strategy@maker",
            {"refused_in_a_row": 1, "last_refusal": "price_collar, too far", "counts": {"refused": 1}},
            "refused",
            "1 commands REFUSED in a row, the last: price_collar",
        ),
    ],
)
def test_what_must_not_be_missed_is_in_words_in_json_and_in_the_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    actor: str,
    change: dict[str, Any],
    reason: str,
    words: str,
) -> None:
    assert asked(monkeypatch, **{actor: change}) == ExitStatus.RESTRICTED
    out = capsys.readouterr().out
    assert words in row(out, actor) and f"RESTRICTED {actor}: " in out
    assert asked(monkeypatch, "--json", **{actor: change}) == ExitStatus.RESTRICTED
    (found,) = orjson.loads(capsys.readouterr().out)["restricted"]
    assert (found["actor"], found["reason"]) == (actor, reason) and words in found["text"]


@pytest.mark.parametrize(
    ("actor", "change"),
    [
        ("strategy@maker", {"refused_in_a_row": 2, "last_refusal": "x", "counts": {"sent": 9}}),
        ("risk", {"exposures": [STALE | {"reference_age_ms": 10}]}),
        ("risk", {"counts": {"unknown_order": 2, "passed": 4}}),
    ],
)
def test_what_happens_in_ordinary_life_restricts_nothing(
    monkeypatch: pytest.MonkeyPatch, actor: str, change: dict[str, Any]
) -> None:
    assert asked(monkeypatch, **{actor: change}) == ExitStatus.OK


def test_a_count_of_refusals_is_called_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked(monkeypatch, risk={"counts": {"unknown_order": 2, "passed": 4}})
    assert "passed 4  refused since its start: unknown_order 2" in row(capsys.readouterr().out, "risk live")


def test_garbage_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(monkeypatch, journal={"garbage": {"appends": 7}}) == ExitStatus.OK
    assert "garbage from appends: 7" in row(capsys.readouterr().out, "journal")


def test_a_child_given_up_says_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    child = {"phase": "refused", "last_exit": "exit status 7 (integrity)", "pid": 0, "restarts": 1}
    supervisor = {"actors": {"journal": child}}
    gone: dict[str, Exception] = {"journal": NotRunning("journal is not running")}
    details = {"supervisor-journal": supervisor}
    assert asked(monkeypatch, errors=gone, **details) == ExitStatus.FAILURE
    line = row(capsys.readouterr().out, "journal")
    assert "not running" in line and "REFUSED: exit status 7 (integrity)" in line


def test_silence_is_shown_as_silence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(monkeypatch, errors={"risk": NoAnswer("risk does not answer")}) == ExitStatus.FAILURE
    out = capsys.readouterr().out
    assert "not answering" in row(out, "risk") and "risk does not answer" in out


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (
            {"latched": True, "kill": "cancelling", "state": "killed"},
            ExitStatus.RESTRICTED,
            "KILL LATCHED (cancelling)",
        ),
        ({"halted": "too low", "state": "halted"}, ExitStatus.FAILURE, "HALTED: too low"),
        ({"schedule": "outside its schedule", "state": "off_schedule"}, ExitStatus.OK, "outside its schedule"),
        (
            {"state": "waiting", "failed_logons": 3, "failed_logon": "logon_refused: EAPI:Invalid key"},
            ExitStatus.FAILURE,
            "no logon in 3 connections, the last: logon_refused: EAPI:Invalid key",
        ),
        ({"unread": 2}, ExitStatus.OK, "2 reports with a field that could not be read"),
        ({"emergency_failure": "no space"}, ExitStatus.RESTRICTED, "NO EMERGENCY FILE: no space"),
        ({"unreadable": 2}, ExitStatus.RESTRICTED, "2 REPORTS UNREADABLE"),
        ({"clock_warning": True}, ExitStatus.OK, "CLOCK OFF"),
        ({"journal_away": True}, ExitStatus.RESTRICTED, "JOURNAL AWAY"),
        ({"emergency": "generic-7.emergency"}, ExitStatus.RESTRICTED, "EMERGENCY FILE generic-7.emergency"),
    ],
)
def test_a_session_s_state_in_words(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    status: ExitStatus,
    words: str,
) -> None:
    assert asked(monkeypatch, session_generic=change) == status
    assert words in [line for line in capsys.readouterr().out.splitlines() if line.startswith("session@generic")][1]


HELD = {"venue": "kraken", "account": "kraken", "symbol": "BTCUSDT", "open_orders": 2, "position": "1.61"}


@pytest.mark.parametrize("errors", [None, {"orders": NoAnswer("orders does not answer")}])
def test_what_is_held_outside_the_configuration_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], errors: dict[str, Exception] | None
) -> None:
    held: dict[str, Any] = {"orders": {"outside": [HELD]}, "risk": {"outside": [HELD]}}
    changes = {name: its for name, its in held.items() if name not in (errors or {})}
    assert asked(monkeypatch, errors=errors, **changes) == ExitStatus.FAILURE
    assert "NOT CONFIGURED: kraken BTCUSDT: 2 orders open, position 1.61" in capsys.readouterr().out


def test_before_anybody_has_read_the_log_nothing_is_said_to_be_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading = {"state": "stopping", "outside": None}
    assert asked(monkeypatch, orders=reading, risk=reading) == ExitStatus.FAILURE
    assert "is not known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"unreadable": 2}, ExitStatus.RESTRICTED, "2 MESSAGES UNREADABLE"),
        ({"failing": "no route", "state": "failing"}, ExitStatus.FAILURE, "REST FAILING: no route"),
    ],
)
def test_prices_that_cannot_be_had_stand_in_their_session_s_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: dict[str, Any], status: int, words: str
) -> None:
    assert asked(monkeypatch, marketdata_generic=change) == status
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("marketdata@generic")]
    assert words in lines[1]


def test_a_venue_of_which_little_is_known_is_called_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch) == ExitStatus.OK
    assert "ASSUMED" not in capsys.readouterr().out
    little_known(monkeypatch, status_module, "generic", Confidence.ASSUMED)
    assert asked(monkeypatch) == ExitStatus.OK
    assert "ASSUMED: generic: its README says what" in capsys.readouterr().out


def test_alerts_that_fire_and_metrics_that_are_not_served_stand_in_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"firing": [{}, {}], "metrics_failure": "127.0.0.1:9464: Address already in use"}
    assert asked(monkeypatch, alerts=told) == ExitStatus.OK, "it restricts nothing"
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("alerts "))
    assert "2 ALERTS FIRE: fixring alerts list; NO METRICS: 127.0.0.1:9464: Address already in use" in line
