"""Invariant: a process of the stack looks for garbage seldom, and never at what it has loaded at its start."""

import subprocess
import sys

from common.config import CHECKOUT

PROGRAM = """
import gc
gc.disable()
from common.actor.process import begin_collecting
begin_collecting()
before = sum(each["collections"] for each in gc.get_stats())
kept = [[number] for number in range(50_000)]
made = sum(each["collections"] for each in gc.get_stats()) - before
print(gc.isenabled(), gc.get_freeze_count() > 0, made)
kept += [[number] for number in range(100_000)]
print(sum(each["collections"] for each in gc.get_stats()) - before)
"""


def test_fifty_thousand_new_lists_are_not_looked_at_and_more_are() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True", "0", "1"]
