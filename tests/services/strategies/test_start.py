"""Invariant: a strategy whose program cannot run says so in one line, with its place, and in its own log."""

from pathlib import Path

import orjson
import pytest

from common.config import Config, ConfigError, load
from services.strategies.__main__ import build_or_note

CLASS = "from common.strategy.strategy import Strategy\n\nclass Mine(Strategy):\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for programs; state has a folder of its own."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def configured(folder: Path, module: str, code: str) -> Config:
    (folder / f"{module}.py").write_text(code)
    environ = {"FIXRING_VAR": str(folder / "var"), "FIXRING__STRATEGIES__MAKER__PROGRAM": f"{module}:Mine"}
    return load(environ=environ)


@pytest.mark.parametrize(
    ("module", "code", "told"),
    [
        ("mine_syntax", "def on_start(:\n", "mine_syntax.py:1: invalid syntax"),
        ("mine_import", "\n\n1 / 0\n", "mine_import.py:3: ZeroDivisionError: division by zero"),
        ("mine_gone", "import no_such_module_at_all\n", "no_such_module_at_all"),
        ("mine_other", "Mine = 3\n", "no class derived from Strategy"),
        (
            "mine_made",
            f"{CLASS}    def __init__(self, setting, core):\n        raise KeyError('x')\n",
            "mine_made.py:5: KeyError: 'x'",
        ),
    ],
)
def test_what_does_not_load_is_one_line_with_its_place_and_stands_in_its_own_log(
    folder: Path, module: str, code: str, told: str
) -> None:
    config = configured(folder, module, code)
    with pytest.raises(ConfigError) as error:
        build_or_note("maker", config)
    assert told in str(error.value) and "\n" not in str(error.value)
    (line,) = (config.paths.log / "strategy@maker.jsonl").read_text().splitlines()
    noted = orjson.loads(line)
    assert (noted["level"], noted["event"], noted["why"]) == ("error", "not_started", str(error.value))
