"""Invariant: an actor has the slice that the configuration says, in each of its threads, and what it starts beside it
has the system's own.
"""

import ctypes
import os
import platform
import struct
from concurrent.futures import ThreadPoolExecutor

from common.actor.slices import ask_for_slice

GETATTR = {"x86_64": 315, "aarch64": 275}
HAS_SLICES = tuple(int(part) for part in platform.release().split(".")[:2]) >= (6, 12)
"""An older Linux takes the question and tells 0."""


def slice_ns() -> int:
    """Of the calling thread, as the system tells it."""
    told = ctypes.create_string_buffer(48)
    assert not ctypes.CDLL(None).syscall(GETATTR[platform.machine()], 0, told, 48, 0)
    return int(struct.unpack("=IIQiIQQQ", told.raw)[5])


def test_a_thread_and_what_it_starts_has_the_slice_that_it_has_asked_for() -> None:
    """In a thread of its own, so that the test's keeps the system's."""

    def look() -> tuple[bool, int, int, int, int]:
        before, nice = slice_ns(), os.getpriority(os.PRIO_PROCESS, 0)
        taken = ask_for_slice(300)
        with ThreadPoolExecutor(1) as started:
            inherited = started.submit(slice_ns).result()
        own = slice_ns()
        assert ask_for_slice(0) and slice_ns() == before
        return taken, own, inherited, nice, os.getpriority(os.PRIO_PROCESS, 0)

    with ThreadPoolExecutor(1) as thread:
        taken, own, inherited, nice_before, nice_after = thread.submit(look).result()
    assert (taken, own, inherited) == (True, *([300_000 if HAS_SLICES else 0] * 2))
    assert nice_before == nice_after


def test_the_test_s_own_thread_was_left_alone() -> None:
    assert slice_ns() != 300_000
