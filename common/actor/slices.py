"""How long a process may stay on a processor while another one waits for it.

Linux gives each process a slice of some three milliseconds, and whoever wakes meanwhile waits for its end. From 6.12 on
a process may ask for a shorter slice of its own, and then takes the processor at once from one whose slice is longer:
a report is passed on when it comes, whatever else the machine has to do. It gets no more of the processor than before.
"""

import ctypes
import os
import platform
import struct
from typing import Final

from common.instant import NS_PER_MS

_NUMBERS: Final = {"x86_64": 314, "aarch64": 274}
"""Of the system call, which Python does not have."""

_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
_SCHED_OTHER: Final = 0
_libc = ctypes.CDLL(None)


def ask_for_slice(slice_us: int) -> bool:
    """Ask for a slice of `slice_us` microseconds for the calling thread and all that it starts from then on.

    0 asks for the system's own again. Returns whether the system has taken it; one older than Linux 6.12 takes it and
    does nothing with it. Source: sched_setattr(2), and "EEVDF Scheduler" of the kernel's documentation.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None or platform.system() != "Linux":
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, _SCHED_OTHER, 0, nice, 0, slice_us * NS_PER_MS // 1000, 0, 0)
    refused: int = _libc.syscall(number, 0, ctypes.create_string_buffer(attributes, len(attributes)), 0)
    return not refused
