"""Files that are their owner's alone: written whole, so that a kill leaves the old one or the new one."""

import os
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
SECRET_MODE: Final = 0o600
OTHERS: Final = 0o077
"""The bits of a mode that let others than the owner in."""


def write_secret(path: Path, data: bytes) -> None:
    """Write a file and sync it, readable by its owner alone, making its folder (mode 0700). Raises OSError."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
