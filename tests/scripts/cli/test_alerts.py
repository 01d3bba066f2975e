"""`fixring alerts`: what fires stands in words with what to do, and a test says how it went by its exit status."""

import time
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from common.alerts import Acknowledgement, AlertsStanding, FiringAlert, Severity, Silence, SinkStanding, WatchKind
from common.exit_status import ExitStatus
from common.instant import NS_PER_S
from scripts.cli import alerts as alerts_module
from scripts.cli.alerts import lasting
from scripts.cli.main import run

ALERT = FiringAlert(
    rule="session_down", watch=WatchKind.SESSION_DOWN, severity=Severity.CRITICAL, subject="session@generic",
    text="session@generic is waiting", mend="fixring session show SESSION", since_ns=0, seen_ns=0, told=2,
)  # fmt: skip
FAILING = SinkStanding(name="pager", kind="webhook", sent=3, failed=2, waiting=1, error="pager: it answers 500")


@pytest.fixture(autouse=True)
def own_var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No state of anybody's."""
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path))


def standing(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"state": "live", "polled_ns": time.time_ns(), "firing": [], "sinks": [], "silent": []}
    told: dict[str, Any] = msgspec.to_builtins(AlertsStanding(**{**plain, **changes}))
    return told


def answers(monkeypatch: pytest.MonkeyPatch, detail: dict[str, Any]) -> list[tuple[object, ...]]:
    asked: list[tuple[object, ...]] = []

    def answer(*question: object) -> dict[str, Any]:
        asked.append(question)
        return detail

    monkeypatch.setattr(alerts_module, "asked", answer)
    return asked


def test_what_fires_is_listed_with_what_to_do_and_how_the_sinks_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alert = msgspec.structs.replace(ALERT, since_ns=time.time_ns() - 200 * NS_PER_S)
    answers(monkeypatch, standing(firing=[alert], sinks=[FAILING], silent=["risk"], metrics="http://here/metrics"))
    assert run(["alerts", "list"]) == ExitStatus.OK
    told = capsys.readouterr().out
    for text in (
        "environment simulated", "metrics: http://here/metrics", "does not answer: risk", " 3 min 2",
        "session@generic is waiting", "session_down: fixring session show SESSION", "pager: it answers 500",
    ):  # fmt: skip
        assert text in told


def test_nothing_fires(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answers(monkeypatch, standing(metrics_failure="127.0.0.1:9464: Address already in use"))
    assert run(["alerts", "list"]) == ExitStatus.OK
    told = capsys.readouterr().out
    assert "nothing fires" in told and "Address already in use" in told
    assert run(["alerts", "list", "--json"]) == ExitStatus.OK
    document = orjson.loads(capsys.readouterr().out)
    assert (document["environment"], document["firing"]) == ("simulated", [])


def test_a_test_tells_each_sink_s_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = answers(monkeypatch, {"sent": {"log": "", "pager": "pager: it answers 500"}})
    assert run(["alerts", "test"]) == ExitStatus.FAILURE
    assert capsys.readouterr().out == "log: sent\npager: pager: it answers 500\n"
    answers(monkeypatch, {"sent": {"log": ""}})
    assert run(["alerts", "test", "log"]) == ExitStatus.OK
    assert asked[0][2:4] == ("test", {"sink": ""})


def test_what_is_acknowledged_and_silenced_is_shown_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silence = Silence(
        rule="session_down", subject="", by="ben", why="mended", since_ns=0, until_ns=86_400 * NS_PER_S
    )  # fmt: skip
    word = Acknowledgement(by="ann", why="I am on it", at_ns=0)
    alert = msgspec.structs.replace(ALERT, since_ns=time.time_ns(), acknowledged=word, silenced=silence)
    answers(monkeypatch, standing(firing=[alert], silences=[silence]))
    assert run(["alerts", "list"]) == ExitStatus.OK
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "critical session_down session@generic 0 s 2 by ann; silenced session@generic is waiting" in lines
    assert "session_down every one 1970-01-02 00:00:00 UTC ben mended" in lines


@pytest.mark.parametrize(
    ("words", "asked_for"),
    [
        ("ack session_down --why seen", ("ack", {"rule": "session_down", "subject": "", "why": "seen"})),
        ("ack --all --why seen", ("ack", {"rule": "", "subject": "", "why": "seen"})),
        (
            "silence risk_use generic BTCUSDT --for 90m --why x",
            ("silence", {"rule": "risk_use", "subject": "generic BTCUSDT", "why": "x", "for_s": 5400}),
        ),
        ("silence loss --for 7d --why x", ("silence", {"rule": "loss", "subject": "", "why": "x", "for_s": 604_800})),
        ("unsilence loss maker", ("unsilence", {"rule": "loss", "subject": "maker"})),
    ],
)
def test_what_a_person_says_is_asked_for_and_the_answer_shown(
    words: str, asked_for: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING__ALERTS__RULES__LOSS__LIMIT", "100")
    asked = answers(monkeypatch, {"text": "done so"})
    assert run(["alerts", *words.split()]) == ExitStatus.OK
    assert asked[0][2:4] == asked_for and capsys.readouterr().out == "done so\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("ack --why x", "name a rule, or say --all"),
        ("ack loss --all --why x", "name a rule, or say --all"),
        ("ack session_down", "--why"),
        ("ack no_such --why x", "no_such: no such rule; there is"),
        ("silence session_down --why x", "--for"),
        ("silence session_down --for 8d --why x", "8d: say for how long as 30m, 2h or 1d, and 7d at most"),
        ("silence session_down --for 0m --why x", "0m: say for how long"),
        ("silence session_down --for soon --why x", "soon: say for how long"),
    ],
)
def test_what_is_not_said_well_is_wrong_usage(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts", *words.split()]) == ExitStatus.USAGE
    assert told in capsys.readouterr().err


def test_a_sink_that_there_is_not_and_an_actor_that_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts", "test", "nobody"]) == ExitStatus.USAGE
    assert "nobody: no such sink; there is log" in capsys.readouterr().err
    assert run(["alerts", "list"]) == run(["alerts", "test"]) == ExitStatus.NOT_RUNNING


def test_times_are_told_as_people_say_them() -> None:
    assert [lasting(each) for each in (9, 61, 7322)] == ["9 s", "1 min 1 s", "2 h 2 min"]
