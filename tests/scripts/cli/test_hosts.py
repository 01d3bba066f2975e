"""Invariant: a command that needs the log's files says on which host they are, where this one has none."""

import shutil
from pathlib import Path

import pytest

from common.config import CHECKOUT
from common.exit_status import ExitStatus
from scripts.cli.main import run
from tests.common.test_config import HOSTS


@pytest.fixture
def research(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of a stack whose journal is on another."""
    folder = Path(shutil.copytree(CHECKOUT / "configs", tmp_path / "configs"))
    with (folder / "fixring.toml").open("a") as file:
        file.write(HOSTS)
    for name, value in (("FIXRING_CONFIG", folder), ("FIXRING_VAR", tmp_path), ("FIXRING__STACK__HOST", "research")):
        monkeypatch.setenv(name, str(value))


@pytest.mark.usefixtures("research")
@pytest.mark.parametrize(
    "command", [["trades"], ["journal", "tail"], ["journal", "state"], ["profit-history"], ["fix", "cat", "--journal"],
                ["journal", "backup", "there"]],
)  # fmt: skip
def test_what_reads_the_journal_says_on_which_host_it_is(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == ExitStatus.USAGE
    assert "the journal is on trading, and research has none of its files: run this on trading" in (
        capsys.readouterr().err
    )


@pytest.mark.usefixtures("research")
def test_the_desk_is_on_the_journal_s_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["desk", "address"]) == ExitStatus.USAGE
    told = capsys.readouterr().err
    assert "the desk runs on trading, where the journal is" in told and "ssh -L 8780:127.0.0.1:8780 trading" in told
