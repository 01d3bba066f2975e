"""Programs that are run beside a process, at the least priority: for an actor its worker, for others one to look after.
"""

import os
import subprocess
import sys
import time
from functools import partial
from tempfile import TemporaryFile

import msgspec

from common.actor.parent import die_with
from common.actor.programs import ProgramEnded, RunProgram
from common.actor.slices import ask_for_slice

LONGEST_S = 1800.0
"""A program that takes longer hangs: at the least priority beside a busy machine one may take many minutes."""

LEAST_PRIORITY = 19
MOST_OUTPUT_CHARS = 64_000
_TOO_LONG = f"it did not end within {LONGEST_S:g} s"


def run_program(call: msgspec.Struct) -> ProgramEnded:
    """The worker's function: run the program of a `RunProgram` at the least priority, and wait for it."""
    assert isinstance(call, RunProgram)
    try:
        program = ProgramBeside(call)
    except (OSError, subprocess.SubprocessError) as error:
        return ProgramEnded(False, str(error))
    return program.ended(LONGEST_S) or program.end(_TOO_LONG)


class ProgramBeside:
    """A program that runs beside this thread, and ends with it at the latest."""

    def __init__(self, call: RunProgram) -> None:
        """Start it. Raises OSError, subprocess.SubprocessError."""
        self._began_s = time.monotonic()
        # Files take all that it says, whether or not anybody looks.
        self._out, self._err = TemporaryFile(), TemporaryFile()  # noqa: SIM115 (until it has ended)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", call.module, *call.arguments],
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err,
            preexec_fn=partial(_stand_back, os.getpid()),
        )  # fmt: skip
        self.pid = self._process.pid

    def ended(self, wait_s: float = 0.0) -> ProgramEnded | None:
        """How it ended, within `wait_s` from now; None while it runs. One that takes longer than `LONGEST_S` is killed.
        """
        try:
            ok = self._process.wait(wait_s) == 0
        except subprocess.TimeoutExpired:
            return self.end(_TOO_LONG) if time.monotonic() - self._began_s > LONGEST_S else None
        with self._out, self._err:
            said = self._out if ok else self._err
            said.seek(0)
            return ProgramEnded(ok, said.read().decode(errors="replace").strip()[-MOST_OUTPUT_CHARS:])

    def end(self, why: str) -> ProgramEnded:
        """Kill it, and wait until it is gone; `why` is what is told of it."""
        with self._out, self._err:
            self._process.kill()
            self._process.wait()
        return ProgramEnded(False, why)


def _stand_back(parent: int) -> None:
    """Least priority, the system's own slice, and no longer life than the process that asked."""
    die_with(parent)
    os.nice(LEAST_PRIORITY)
    ask_for_slice(0)
