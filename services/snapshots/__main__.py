"""`python -P -m services.snapshots`: has snapshots made, and old segments dropped."""

import sys

from common.actor.run_program import run_program
from common.actor.shell import Shell
from common.actor.start import run_actor, shell_for
from common.config import Config
from common.messages import ControlAnswer
from services.snapshots.core import JOURNAL, SnapshotsCore
from services.snapshots.settings import snapshots_settings


def build(config: Config) -> Shell:
    """The core with its links."""
    shell = shell_for(SnapshotsCore(snapshots_settings(config)), config)
    shell.connect_dealer(JOURNAL, f"ipc://{config.paths.run}/control.journal", ControlAnswer)
    shell.worker(run_program)
    return shell


if __name__ == "__main__":
    sys.exit(run_actor(build))
