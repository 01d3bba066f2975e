"""The root of the command line: commands load on demand, and every failure is one line and a status with a meaning."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from common.config import CHECKOUT, ConfigError
from common.exit_status import ExitStatus
from scripts.cli import main as root
from scripts.cli.errors import CommandError


@pytest.mark.parametrize("name", sorted(root.COMMANDS))
def test_every_command_loads_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run([name, "--help"]) == ExitStatus.OK
    assert "Usage: fixring " in capsys.readouterr().out


def test_help_and_version_and_a_wrong_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert root.run(["--help"]) == ExitStatus.OK
    assert root.run(["--version"]) == ExitStatus.OK
    assert root.run(["no-such-thing"]) == ExitStatus.USAGE
    assert "No such command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CommandError("no"), ExitStatus.FAILURE),
        (CommandError("no", ExitStatus.REFUSED), ExitStatus.REFUSED),
        (ConfigError("no"), ExitStatus.CONFIGURATION),
        (KeyboardInterrupt(), ExitStatus.FAILURE),
        (click.UsageError("no"), ExitStatus.USAGE),
    ],
)
def test_errors_become_a_line_on_standard_error_and_a_status(
    error: BaseException, status: ExitStatus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def fails() -> None:
        raise error

    monkeypatch.setattr(root.LazyGroup, "get_command", lambda *_: fails)
    assert root.run(["fails"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


def test_a_status_that_a_command_returns_is_the_process_s(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def integrity() -> int:
        return ExitStatus.INTEGRITY

    monkeypatch.setattr(root.LazyGroup, "get_command", lambda *_: integrity)
    assert root.run(["integrity"]) == ExitStatus.INTEGRITY


def test_help_of_the_root_loads_no_command(tmp_path: Path) -> None:
    code = "import sys; from scripts.cli.main import run; run(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "scripts.cli.main" in done.stdout
    assert "scripts.cli.start" not in done.stdout


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    script = f"'{CHECKOUT}/.venv/bin/python' -P -m scripts.cli.main doctor | head -n 1"
    if not (CHECKOUT / ".venv/bin/python").exists():
        script = f"'{sys.executable}' -P -m scripts.cli.main doctor | head -n 1"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""
