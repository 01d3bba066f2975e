"""Taking away what a stack stands on, while the stack still works on it."""

import os
import shutil
from pathlib import Path

import pytest

from common.actor.process import take_lock
from common.config import load
from scripts.torture import taken
from services.supervisor.processes import lock_name


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


def test_the_run_folder_is_anew_when_the_supervisors_of_this_host_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, config = tmp_path / "run", load()
    folder.mkdir()
    locks: list[int] = []
    emptied = shutil.rmtree

    def come_back(path: Path) -> None:
        emptied(path)
        locks.extend(take_lock(folder, lock_name(kind)) for kind in config.kinds_here)

    monkeypatch.setattr(shutil, "rmtree", come_back)
    taken.take_run_folder(folder, config)
    assert len(locks) == len(config.kinds_here)
    for lock in locks:
        os.close(lock)
