"""The Procfile, the scripts and the locks say the same thing as the code."""

import os
import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

from common.config import CHECKOUT, Kind

SCRIPTS = ("scripts/start", "scripts/test", "scripts/fixring", "scripts/lock", ".ci/run")


def test_the_procfile_has_one_line_a_kind_that_honcho_keeps() -> None:
    processes = parse_procfile((CHECKOUT / "Procfile").read_text()).processes
    assert set(processes) == {kind.value for kind in Kind}
    for name, command in processes.items():
        assert command == f"exec python -P -m services.supervisor {name}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_run_and_parse_in_a_plain_shell(script: str) -> None:
    path = CHECKOUT / script
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", path], check=True)
    subprocess.run(["sh", "-n", CHECKOUT / "scripts/set_up.sh"], check=True)


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        ({"python3.11": "plain", "python3.12": "optimised"}, "python3.12"),
        ({"python3.11": "optimised", "python3.12": "optimised"}, "python3.11"),
        ({"python3.11": "bare", "python3.12": "plain", "python3.13": "optimised"}, "python3.13"),
    ],
)
def test_set_up_prefers_an_interpreter_that_was_built_to_be_fast(
    tmp_path: Path, kinds: dict[str, str], chosen: str
) -> None:
    for name, kind in kinds.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {kind}\n")
        (tmp_path / name).chmod(0o700)
    script = f"root={CHECKOUT}; . {CHECKOUT}/scripts/set_up.sh; find_python"
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == chosen


@pytest.mark.parametrize("status", [0, 3])
def test_set_up_is_never_silent_for_long_and_keeps_the_status(status: int) -> None:
    script = (
        f"root={CHECKOUT}; . {CHECKOUT}/scripts/set_up.sh; SAY_EVERY_S=1; "
        f"step() {{ sleep 1.5; return {status}; }}; slowly installing step"
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "  still installing, 1 s ...\n")


def test_ci_runs_what_the_readme_tells_a_developer_to_run() -> None:
    assert "scripts/test\n" in (CHECKOUT / ".ci/run").read_text()


def test_the_command_line_runs_from_any_folder_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "fixring"
    link.symlink_to(CHECKOUT / "scripts/fixring")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    (tmp_path / "common").mkdir()
    (tmp_path / "common/__init__.py").write_text("raise SystemExit('the wrong package')")
    done = subprocess.run([link, "--version"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:16]) == (0, "fixring, version"), done.stderr


def test_every_dependency_says_why_and_is_locked() -> None:
    text = (CHECKOUT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    run_time, tests = project["dependencies"], project["optional-dependencies"]["test"]
    for requirement in [*run_time, *tests, *project["optional-dependencies"]["bench"]]:
        assert re.search(rf'^ *"{re.escape(requirement)}", +# \S', text, re.MULTILINE), (
            f"no reason beside {requirement}"
        )
    for lock, wanted in (("requirements.lock", run_time), ("requirements-test.lock", run_time + tests)):
        locked = {line.partition("==")[0] for line in (CHECKOUT / lock).read_text().splitlines() if "==" in line}
        assert {re.split(r"[><=~ ]", requirement)[0] for requirement in wanted} <= locked
        assert "hatchling" in locked
