"""A process of the stack, before anything of it is loaded: its lock, clocks, name and garbage collector."""

import contextlib
import fcntl
import gc
import os
import time
from pathlib import Path

from common.instant import Instant

GC_THRESHOLDS = (100_000, 20, 50)
"""Messages are Structs outside the collector's reach, and cores and folds hold few cycles: the default of 700 only adds
pauses."""

LOCK_TRIES = 5
LOCK_RETRY_S = 0.01


class AlreadyRunning(Exception):
    """Another process holds this actor's lock. The text names the file and the process."""


def read_clocks() -> Instant:
    """Both clocks, now."""
    return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


def take_lock(run_folder: Path, actor: str) -> int:
    """Take the actor's exclusive lock before anything is bound, and keep it for life (the descriptor is returned).

    A second `bind` on an ipc path steals the endpoint with no error, so this lock is what makes an actor single.
    Raises AlreadyRunning.
    """
    run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = run_folder / f"{actor}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _flock(descriptor):
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise AlreadyRunning(f"{actor} is running already (process {holder}, lock {path}); stop that one first")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def show_name(actor: str) -> None:
    """What `ps -e` and `top` call this process: all of a supervisor's children have its command line at first."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(actor)


def begin_collecting() -> None:
    """Collect garbage from here on, seldom: what is there by now stays, and is never looked at again.

    Until then a process of the stack collects nothing (`services/__init__.py`).
    """
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()
    gc.enable()


def _flock(descriptor: int) -> bool:
    """Lock it for this process alone. Somebody who merely looks whether it is held holds it for an instant himself."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_RETRY_S)
        else:
            return True
    return False
