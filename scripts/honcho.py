"""`python -P -m scripts.honcho`: honcho with the Procfile, which ends in order however early it is told to.

honcho by itself tells each line's process to end, and fails on a line whose process it has not heard of yet: told so
in the first moments of a start it ended with an error, and hung with the stack running.
"""

import os
import signal
import sys

from honcho.environ import expand_processes, parse, parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

from common.config import CHECKOUT, Kind, begin_serving, load

AGAIN_S = 0.02
KINDS = frozenset(kind.value for kind in Kind)


class PatientManager(Manager):  # type: ignore[misc]  # honcho has no types
    """honcho's manager, which ends its lines once it has heard of all of them."""

    def __init__(self) -> None:
        """Prints to stdout."""
        super().__init__(Printer(sys.stdout))
        self._pid = os.getpid()

    def terminate(self) -> None:
        """End every line, now or as soon as all have started. Safe in a signal handler."""
        if os.getpid() != self._pid:
            # A process between honcho and a line, which still has its parent's handler: the parent ends the line.
            return
        if self._all_started():
            super().terminate()
            return
        signal.signal(signal.SIGALRM, lambda _number, _frame: self.terminate())
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)


def main() -> int:
    """Run the Procfile until a line ends or SIGINT or SIGTERM comes; returns honcho's status."""
    begin_serving()
    manager = PatientManager()
    lines = parse_procfile((CHECKOUT / "Procfile").read_text("utf-8")).processes
    dotenv = CHECKOUT / ".env"
    environ = parse(dotenv.read_text("utf-8")) if dotenv.is_file() else {}
    here = {kind.value for kind in load().kinds_here}
    for line in expand_processes(lines, env=environ):
        kind = line.name.partition(".")[0]
        if kind in KINDS and kind not in here:
            # It runs on another host, or on none.
            continue
        manager.add_process(line.name, line.cmd, quiet=line.quiet, env={**os.environ, **line.env}, cwd=str(CHECKOUT))
    manager.loop()
    return int(manager.returncode)


if __name__ == "__main__":
    sys.exit(main())
