"""`python -P -m services.supervisor KIND`: one line of the Procfile."""

import signal
import sys

from common.actor.process import AlreadyRunning
from common.config import ConfigError, Kind, load
from common.exit_status import ExitStatus
from services.supervisor.processes import Runner, RunnerGone
from services.supervisor.shell import Supervisor


def main(arguments: list[str]) -> int:
    """Run the supervisor of one kind until SIGTERM; returns the exit status."""
    runner = Runner()
    kinds = [kind.value for kind in Kind]
    if len(arguments) != 1 or arguments[0] not in kinds:
        print(f"usage: python -P -m services.supervisor {{{','.join(kinds)}}}", file=sys.stderr)
        return ExitStatus.USAGE
    # A Ctrl-C while it loads ends it, without a traceback; from its first turn on it stops in order.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        supervisor = Supervisor(load(), Kind(arguments[0]), runner)
    except (ConfigError, OSError) as error:
        print(error, flush=True)
        return ExitStatus.CONFIGURATION
    except (AlreadyRunning, RunnerGone) as error:
        print(error, flush=True)
        return ExitStatus.REFUSED
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
