"""Whoever starts a stack takes it with him, however early and however he ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.config import CHECKOUT

STARTER = """
import sys, time
from pathlib import Path
from scripts.stack import PrivateStack
stack = PrivateStack(Path(sys.argv[1]))
stack.start()
print(stack._honcho.pid, flush=True)
time.sleep(600)
"""
GONE_WITHIN_S = 20.0


def processes_of(folder: Path) -> list[int]:
    """Every process that was given this var folder."""
    wanted = f"FIXRING_VAR={folder / 'var'}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.parametrize(
    ("whom", "number", "after_s"),
    [
        ("starter", signal.SIGTERM, 0.1),
        ("starter", signal.SIGTERM, 3.0),
        ("starter", signal.SIGKILL, 1.0),
        ("honcho", signal.SIGKILL, 0.3),
        ("honcho", signal.SIGKILL, 1.5),
        *(("honcho", number, after_s) for number in (signal.SIGTERM, signal.SIGINT) for after_s in (0.1, 0.2, 0.4)),
    ],
)
def test_nothing_is_left_of_a_stack_whose_start_was_cut_short(
    short_folder: Path, whom: str, number: signal.Signals, after_s: float
) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(short_folder)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        # A shell has its jobs in the background ignore it, and these tests perhaps with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert starter.stdout is not None
        honcho = int(starter.stdout.readline())
        time.sleep(after_s)
        os.kill(starter.pid if whom == "starter" else honcho, number)
        deadline_s = time.monotonic() + GONE_WITHIN_S
        while left := [pid for pid in processes_of(short_folder) if pid != starter.pid]:
            assert time.monotonic() < deadline_s, (left, (short_folder / "output.log").read_text()[-3000:])
            time.sleep(0.05)
    finally:
        starter.kill()
        starter.communicate()
        for pid in processes_of(short_folder):
            os.kill(pid, signal.SIGKILL)
