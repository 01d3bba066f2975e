"""The worker of an actor that has programs run beside it."""

import os
import subprocess
import sys
from functools import partial

import msgspec

from common.actor.parent import die_with
from common.actor.programs import ProgramEnded, RunProgram

LONGEST_S = 300.0
LEAST_PRIORITY = 19
MOST_OUTPUT_CHARS = 64_000


def run_program(call: msgspec.Struct) -> ProgramEnded:
    """The worker's function: run the program of a `RunProgram` at the least priority, and wait for it."""
    assert isinstance(call, RunProgram)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", call.module, *call.arguments],
            capture_output=True, text=True, timeout=LONGEST_S, check=False,
            preexec_fn=partial(_stand_back, os.getpid()),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return ProgramEnded(False, str(error))
    said = done.stdout if done.returncode == 0 else done.stderr
    return ProgramEnded(done.returncode == 0, said.strip()[-MOST_OUTPUT_CHARS:])


def _stand_back(parent: int) -> None:
    """Least priority, and no longer life than the process that asked."""
    die_with(parent)
    os.nice(LEAST_PRIORITY)
