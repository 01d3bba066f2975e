"""`fixring start` becomes the script that starts the stack, told which venues to serve, or says why it cannot."""

import os
from pathlib import Path

import pytest

from common.config import CHECKOUT
from common.exit_status import ExitStatus
from scripts.cli.main import run


class Became(Exception):
    """The process is another program."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, list[str], str | None]]:
    """What the process became: the program, its arguments and the venues that it is told."""
    told: list[tuple[str, list[str], str | None]] = []

    def execve(program: str, arguments: list[str], environ: dict[str, str]) -> None:
        told.append((program, arguments, environ.get("FIXRING__STACK__VENUES")))
        raise Became

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path / "var"))
    return told


@pytest.mark.parametrize(("arguments", "venues"), [([], None), (["--venues", "generic"], "generic")])
def test_the_stack_is_started_with_the_venues_that_are_named(
    became: list[tuple[str, list[str], str | None]], arguments: list[str], venues: str | None
) -> None:
    with pytest.raises(Became):
        run(["start", *arguments])
    script = str(CHECKOUT / "scripts/start")
    assert became == [(script, [script], venues)]


def test_a_venue_that_is_not_there_is_named_before_anything_starts(
    became: list[tuple[str, list[str], str | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["start", "--venues", "nowhere"]) == ExitStatus.CONFIGURATION
    assert "nowhere is not known; there is binance" in capsys.readouterr().err
    assert run(["start", "orders", "--venues", "generic"]) == ExitStatus.USAGE
    assert became == []


def test_a_host_that_the_configuration_has_not_is_refused(
    became: list[tuple[str, list[str], str | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["start", "--host", "nowhere"]) == ExitStatus.CONFIGURATION
    assert "there is no [hosts.nowhere]" in capsys.readouterr().err
    assert run(["start", "orders", "--host", "nowhere"]) == ExitStatus.USAGE
    assert became == []
