"""Taking away what a stack stands on, while the stack still works on it."""

import shutil
from pathlib import Path

import pytest

from scripts.torture import taken


def test_nobody_can_make_a_file_in_a_folder_that_is_being_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "lock").touch()
    emptied = shutil.rmtree

    def empty_beside_a_writer(path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            (folder / "late").touch()
        emptied(path)

    monkeypatch.setattr(shutil, "rmtree", empty_beside_a_writer)
    taken.take_away(folder)
    assert not list(tmp_path.iterdir())
