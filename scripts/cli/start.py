"""`fixring start`: start the stack, or an actor again that its supervisor gave up."""

import os
from collections.abc import Mapping
from typing import NoReturn

import click

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import CHECKOUT, SERVED_VENUES, THIS_HOST, load
from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError

ANSWER_S = 10.0
"""The strategies' supervisor reads the whole configuration before it answers."""


@click.command()
@click.argument("actor", required=False)
@click.option("--venues", metavar="NAME,NAME...", help="Serve these venues of the configuration's folder.")
@click.option("--host", metavar="NAME", help="Run what [hosts.NAME] says, of a stack that has several hosts.")
def start(actor: str | None, venues: str | None, host: str | None) -> None:
    """Start the whole stack, as scripts/start does, or ACTOR (a name from `fixring status`) again after its supervisor
    halted or refused it.

    Which venues the stack serves is said by `venues` of [stack] in fixring.toml, and for one start by --venues.
    """
    if actor is None:
        _start_stack({SERVED_VENUES: venues, THIS_HOST: host})
    if venues is not None or host is not None:
        raise CommandError("--venues and --host are of the whole stack: leave ACTOR out", ExitStatus.USAGE)
    config = load()
    kind = next((a.kind for a in config.actors() if a.name == actor), None)
    if kind is None:
        known = ", ".join(a.name for a in config.actors())
        raise CommandError(f"there is no actor {actor}; there are {known}", ExitStatus.USAGE)
    try:
        ask(config.reach, f"supervisor-{kind}", "start", {"name": actor}, ANSWER_S)
    except NotRunning:
        raise CommandError("the stack is not running: scripts/start", ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    except Refused as error:
        raise CommandError(str(error), ExitStatus.REFUSED) from None
    click.echo(f"{actor} is being started; fixring status shows it")


def _start_stack(told: Mapping[str, str | None]) -> NoReturn:
    """Become scripts/start, once the configuration is one to start with. Raises ConfigError."""
    environ = {**os.environ, **{variable: value for variable, value in told.items() if value is not None}}
    load(environ=environ, before_start=True)
    script = str(CHECKOUT / "scripts/start")
    os.execve(script, [script], environ)
