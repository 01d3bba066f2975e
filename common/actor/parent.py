"""A process that ends with the one that started it, however that ends."""

import ctypes
import os
import signal
from typing import Final

PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None)


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """In a process just started: get the signal when the parent's thread that started it ends, however that ends.

    `parent` is the process that started it; where it is gone already, this one ends at once.
    """
    _libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)
