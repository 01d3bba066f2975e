"""Loaded by every process of a tortured stack before anything else: its wall clock is off by what a file says, and its
name server answers as another file says.

Python's own clock only, which is the one that fixring reads; the boot clock runs on as it does through any change of
the wall clock. A look-up of a name is Python's too: without an answer it blocks as the C library's does, which asks
twice. The simulated exchanges are other hosts, and keep the right time and their names.
"""

import mmap
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

FILE = os.environ.get("TORTURE_CLOCK", "")
OFFSET = struct.Struct("<q")
NAMES = os.environ.get("TORTURE_NAMES", "")
HOST = "localhost"
SILENT, REFUSING = 1, 2
UNANSWERED_S = 2.0
TRIES = 2
EXCHANGE = "services.exchange"


def _shifted(true_ns: Callable[[], int], offset: mmap.mmap) -> Callable[[], int]:
    return lambda: true_ns() + int(OFFSET.unpack_from(offset)[0])


def _resolved(true: Callable[..., Any], state: mmap.mmap) -> Callable[..., Any]:
    def getaddrinfo(host: object, *arguments: object, **named: object) -> Any:
        if host != HOST:
            return true(host, *arguments, **named)
        for _ in range(TRIES):
            if state[0] == REFUSING:
                break
            if state[0] != SILENT:
                return true("127.0.0.1", *arguments, **named)
            time.sleep(UNANSWERED_S)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    return getaddrinfo


if NAMES and EXCHANGE not in sys.orig_argv:
    with open(NAMES, "rb") as file:
        state = mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)
    socket.getaddrinfo = _resolved(socket.getaddrinfo, state)

if FILE and EXCHANGE not in sys.orig_argv:
    with open(FILE, "rb") as file:
        shared = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    time.time_ns = _shifted(time.time_ns, shared)
    time.time = lambda: time.time_ns() / 1e9
