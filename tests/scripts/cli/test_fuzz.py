"""`fixring fuzz`: what it prints, its exit status, and the command that repeats a finding."""

import json

import pytest

from scripts.cli import main


def test_a_target_prints_its_rate_and_the_share_that_decodes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["fuzz", "--target", "client", "--seed", "0", "--rounds", "2", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("client          2 rounds       800 inputs") and "% decoded" in out and "inputs/s" in out


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["fuzz", "--target", "client", "--rounds", "1", "--jobs", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["targets"]["client"]["share"] > 0.5 and document["findings"] == []


def test_a_finding_ends_with_status_1_and_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fuzz", "--target", "folds", "--rounds", "1", "--planted", "undecodable-ends-orders", "--no-shrink"]
    assert main.run([*arguments, "--jobs", "1"]) == 1
    captured = capsys.readouterr()
    assert "something does not hold in 1 rounds" in captured.err
    assert "repeat it with: fixring fuzz --target folds --seed 0 --rounds 1 --planted undecodable" in captured.out


def test_what_there_is_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["fuzz", "--list"]) == 0
    out = capsys.readouterr().out
    assert "doors" in out and "undecodable-ends-orders" in out


@pytest.mark.parametrize("arguments", [["--planted", "nonsense"], ["--only", "x"], ["--target", "nonsense"]])
def test_wrong_words_are_usage_errors(arguments: list[str]) -> None:
    assert main.run(["fuzz", *arguments]) == 2
