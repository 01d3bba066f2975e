"""A real supervisor over small real actors, for the tests: `stand_in.py KIND NAME...` with FIXRING_VAR set. A NAME may
be `NAME=MS`: its first start waits so long.

The actor is this file again, `stand_in.py --actor NAME`: a bare core under the real shell. Exit statuses to die with
are taken, one a life, from the file `statuses.NAME` in the var folder, where there is one; what a life was given stands
in the file `given.NAME`.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from common import config as configuration
from common.actor.core import Core
from common.actor.logs import ActorLog
from common.actor.shell import Shell
from services.supervisor.processes import Runner, RunnerGone
from services.supervisor.shell import Supervisor

MODULE = "tests.services.supervisor.stand_in"


class StandInConfig(configuration.Config):
    """The project's configuration with other actors."""

    def _actors(self) -> Iterator[configuration.Actor]:
        kind = configuration.Kind(sys.argv[1])
        for argument in sys.argv[2:]:
            name, _, first_start_ms = argument.partition("=")
            yield configuration.Actor(name, kind, MODULE, ("--actor", name), int(first_start_ms or 0))


def act(name: str) -> int:
    """Be the actor until SIGTERM, or die with the next status given."""
    config = configuration.load()
    given = {"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}
    (config.paths.var / f"given.{name}").write_text(json.dumps(given, sort_keys=True))
    statuses = config.paths.var / f"statuses.{name}"
    if statuses.exists() and (lines := statuses.read_text().split()):
        statuses.write_text("\n".join(lines[1:]))
        return int(lines[0])
    return Shell(Core(name), config.paths.run, ActorLog(config.paths.log, name)).run()


def supervise(kind: str) -> int:
    """Supervise the actors named on the command line."""
    config = configuration.load()
    stand_in = StandInConfig(stack=config.stack, venues=config.venues, paths=config.paths)
    try:
        return Supervisor(stand_in, configuration.Kind(kind), Runner()).run()
    except RunnerGone as error:
        print(error)
        return 6


if __name__ == "__main__":
    assert Path(os.environ["FIXRING_VAR"]).is_absolute()
    sys.exit(act(sys.argv[2]) if sys.argv[1] == "--actor" else supervise(sys.argv[1]))
