"""`fixring start`: start an actor again that its supervisor gave up."""

import click

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import load
from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError


@click.command()
@click.argument("actor")
def start(actor: str) -> None:
    """Start ACTOR (a name from `fixring status`) again after its supervisor halted or refused it.

    The stack itself is started by scripts/start.
    """
    config = load()
    kind = next((a.kind for a in config.actors() if a.name == actor), None)
    if kind is None:
        known = ", ".join(a.name for a in config.actors())
        raise CommandError(f"there is no actor {actor}; there are {known}", ExitStatus.USAGE)
    try:
        ask(config.paths.run, f"supervisor-{kind}", "start", {"name": actor})
    except NotRunning:
        raise CommandError("the stack is not running: scripts/start", ExitStatus.NOT_RUNNING) from None
    except NoAnswer as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    except Refused as error:
        raise CommandError(str(error), ExitStatus.REFUSED) from None
    click.echo(f"{actor} is being started; fixring status shows it")
