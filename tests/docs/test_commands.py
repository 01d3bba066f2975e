"""Invariant: every command line of the README and the docs is one: its command, options and words are taken."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from common.config import CHECKOUT
from scripts.cli.main import root

PAGES = ("README.md", *sorted(path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "docs").glob("*.md")))
LINE = re.compile(r"^ {4}(?:scripts/)?fixring (.+)$", re.M)
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
