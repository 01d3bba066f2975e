"""The children that a person has stopped: a file each, which outlives this process, the stack and the host."""

import contextlib
import os
from pathlib import Path


class Held:
    """The files in `folder`. That one is there is what counts; what it says is who stopped it, and when."""

    def __init__(self, folder: Path) -> None:
        """It is made with the first file."""
        self._folder = folder

    def all(self) -> dict[str, str]:
        """Who has stopped each, by the actor's name. Raises OSError where nobody can look."""
        with contextlib.suppress(FileNotFoundError):
            files = [file for file in self._folder.iterdir() if not file.name.startswith(".")]
            return {file.name: file.read_text("utf-8", errors="replace").strip() or "somebody" for file in files}
        return {}

    def keep(self, name: str, who: str) -> None:
        """The actor is stopped, on the disk too when this returns. Raises OSError: then it is not."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{name}"
        with draft.open("w", encoding="utf-8") as file:
            file.write(f"{who}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / name)
        self._sync_folder()

    def forget(self, name: str) -> None:
        """The actor may be started. Raises OSError."""
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            return
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
