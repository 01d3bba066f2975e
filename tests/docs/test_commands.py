"""Invariant: every command line of the README and the docs is one: its command, options and words are taken."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from common.config import CHECKOUT
from scripts.cli.main import root

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "docs").glob("*.md")),
)
LINE = re.compile(r"^ {4}(?:scripts/)?fixring (.+)$", re.M)
SPAN = re.compile(r"`(?:scripts/)?fixring ([^`]+)`")
REMARK = re.compile(r" {3,}.*")
"""What stands beside a command in a column of its own."""


def lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for line in LINE.findall((CHECKOUT / page).read_text("utf-8")):
            yield page, line


@pytest.mark.parametrize(("page", "line"), list(lines()), ids=str)
def test_a_command_line_is_taken(page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "FILE").touch()
    monkeypatch.chdir(tmp_path)
    words = shlex.split(REMARK.sub("", line).replace("FILE...", "FILE"), comments=True)
    context = click.Context(root, info_name="fixring")
    command: click.Command = root
    while isinstance(command, click.Group):
        name = words.pop(0)
        if name == "--help":
            return
        found = command.get_command(context, name)
        assert found is not None, f"{page}: no command {name}"
        command = found
    command.make_context(command.name, words, parent=context)


def spans() -> list[tuple[str, str]]:
    return sorted({(page, span) for page in PAGES for span in SPAN.findall((CHECKOUT / page).read_text("utf-8"))})


@pytest.mark.parametrize(("page", "span"), spans(), ids=str)
def test_a_command_within_a_sentence_is_one_with_its_options(page: str, span: str) -> None:
    words = re.sub(r"[\[\]]", "", span.replace("\\|", "|")).split()
    context, command = click.Context(root, info_name="fixring"), root
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"{page}: no command {words[0]}"
        command, words = found, words[1:]  # type: ignore[assignment]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= known | {"--help"}, page
