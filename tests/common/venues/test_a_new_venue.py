"""A venue made from the template by the steps of docs/venues.md is whole: one folder in common/venues, one in
tests/common/venues, one file in configs. So is a desk's own, in a package outside the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.config import CHECKOUT

PARTS = ("common", "services", "scripts", "tests", "configs", "pyproject.toml")
OF_THE_RUN = shutil.ignore_patterns("__pycache__", ".*_cache", "upgrade", "dictionaries.xml")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project, to be added to."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for part in PARTS:
        if (CHECKOUT / part).is_dir():
            shutil.copytree(CHECKOUT / part, tree / part, ignore=OF_THE_RUN)
        else:
            shutil.copy(CHECKOUT / part, tree / part)
    (tree / ".venv").symlink_to(Path(sys.executable).parent.parent)
    return tree


def files_of(folder: Path) -> set[str]:
    """Every file that a person would commit."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not {"__pycache__", ".pytest_cache", ".venv"} & set(path.parts)
    }


def run(command: list[str], folder: Path, path: Path) -> str:
    """Run it with `path` before all else that Python looks through; what it said."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("FIXRING", "PYTEST"))}
    done = subprocess.run(
        command, cwd=folder, env={**environ, "PYTHONPATH": str(path)}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_steps_of_the_page_make_a_venue_that_passes_the_suite(tree: Path) -> None:
    page = (CHECKOUT / "docs/venues.md").read_text("utf-8")
    (steps,) = re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    before = files_of(tree)
    told = run(["sh", "-eu", "-c", steps], tree, tree)
    assert re.search(r"^\d+ passed", told, flags=re.MULTILINE), told
    added = files_of(tree) - before
    places = {re.sub(r"/acme/.*", "/acme/", name) for name in added}
    assert places == {"common/venues/acme/", "tests/common/venues/acme/", "configs/acme.toml"}
    program = (
        "from common.config import load; print(*load(environ={}).venues);"
        "c = load(environ={'FIXRING__STACK__VENUES': 'acme'}); print(c.paths.checkout, *c.venues)"
    )
    assert run([sys.executable, "-P", "-c", program], tree, tree).split() == ["binance", "generic", str(tree), "acme"]


def test_a_desk_s_own_venue_outside_the_tree_passes_the_suite(tmp_path: Path) -> None:
    package = Path(
        shutil.copytree(CHECKOUT / "common/venues/_template", tmp_path / "some_desk/acme", ignore=OF_THE_RUN)
    )
    for file in package.rglob("*.py"):
        file.write_text(file.read_text().replace("common.venues._template", "some_desk.acme"))
    suite = str(CHECKOUT / "tests/common/venues/test_every_venue.py")
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", suite, "--venue", "some_desk.acme"]
    told = run(command, CHECKOUT, tmp_path)
    assert re.search(r"^\d+ passed", told, flags=re.MULTILINE), told
