"""Work that is spread over several processes."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 30
PROGRAM = """
import time
from scripts.simulation.many import spread
if __name__ == "__main__":
    list(spread(time.sleep, [60, 60], 2))
"""


def _children(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return set()


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"Z" not in Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[:1]
    return False


def test_its_processes_end_with_the_one_that_is_killed(tmp_path: Path) -> None:
    """They went on with what nobody waits for, and kept both cores busy."""
    program = tmp_path / "spreads.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, str(program)], env={**os.environ, "PYTHONPATH": os.getcwd()})
    until_s = time.monotonic() + PATIENCE_S
    # Two that work, and one that counts what they share.
    while len(workers := _children(process.pid)) < 3:
        assert time.monotonic() < until_s and process.poll() is None
    process.kill()
    process.wait()
    while any(_lives(worker) for worker in workers):
        assert time.monotonic() < until_s, f"{workers} outlive it"
