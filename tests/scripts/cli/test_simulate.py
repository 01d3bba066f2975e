"""`fixring simulate`: its summary, its exit status, and the command that repeats a violation."""

import json

import pytest

from scripts.cli import main, simulate
from scripts.simulation.coverage import Rest


def test_a_run_without_a_violation_prints_its_rates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["simulate", "--seed", "1", "--seeds", "2", "--steps", "200", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 seeds") and "violations: 0" in out and "faults/s" in out


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["simulate", "--steps", "150", "--jobs", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["seeds"] == 1 and document["violations"] == []


def test_a_violation_ends_with_status_1_a_timeline_and_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", "--seed", "0", "--steps", "300", "--planted", "send-before-journal", "--no-shrink"]
    assert main.run([*arguments, "--jobs", "1", "--lines", "5"]) == 1
    captured = capsys.readouterr()
    assert "journal-first" in captured.err and "violate an invariant" in captured.err
    assert "repeat it with: fixring simulate --seed 0 --steps 300 --planted send-before-journal" in captured.out


def test_what_is_checked_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["simulate", "--list"]) == 0
    out = capsys.readouterr().out
    assert "journal-first" in out and "crash-host" in out and "forget-latch" in out


def test_an_unknown_planted_bug_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["simulate", "--planted", "nonsense"]) == 2
    assert "simulate --list" in capsys.readouterr().err


def test_faults_are_kept_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["simulate", "--steps", "150", "--only", "none", "--jobs", "1"]) == 0
    assert ", 0 faults" in capsys.readouterr().out
    assert main.run(["simulate", "--only", "x"]) == 2


def test_the_branches_that_are_reached_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["simulate", "--seed", "1", "--steps", "60", "--only", "none", "--coverage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("services/orders/core.py") for line in lines)
    assert lines[-1].startswith("all") and lines[-1].endswith("%")


def test_what_the_tests_reach_of_the_rest_is_printed_beside_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [Rest("a.py", 6, 3, [(1, 2), (3, -1)], [(4, 5)]), Rest("b.py", 4, 4, [], [])]
    monkeypatch.setattr(simulate, "measure_rest", lambda seed, seeds, steps: files)
    assert main.run(["simulate", "--tests"]) == 0
    first, second, total = capsys.readouterr().out.splitlines()
    assert first.endswith("3 of    6  tests: 1->2, 3->exit; neither: 4->5")
    assert second.endswith("4 of    4  tests: -; neither: -")
    assert total.endswith("7 of   10  70.0 %; of the rest 2 by tests, 1 by neither")
