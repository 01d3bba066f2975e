"""`fixring desk`: the web page's address, and who may sign in to it by name."""

import os

import click

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.config import Config, load
from common.exit_status import ExitStatus
from scripts.cli.errors import CommandError
from services.desk.access import address_of
from services.desk.users import (
    LEAST_CHARACTERS,
    MOST_CHARACTERS,
    ROLES,
    SALT_BYTES,
    BadUsers,
    User,
    hashed,
    is_user_name,
    read_users,
    write_users,
)

ANSWER_S = 2.0


@click.group()
def desk() -> None:
    """The web page: where it is, and who may sign in by name."""


@desk.command()
def address() -> None:
    """Where to open the page; without named users with the one-time token that lets in whoever opens it first."""
    config = load()
    host = config.reach.host_of("desk")
    if host is not None:
        raise CommandError(
            f"the desk runs on {host}, where the journal is: run this there. A desk that listens on the loopback is "
            f"seen from here through a tunnel, such as ssh -L {config.stack.desk.port}:127.0.0.1:"
            f"{config.stack.desk.port} {host}", ExitStatus.USAGE,
        )
    try:
        status = ask(config.reach, "desk", "status", {}, ANSWER_S)
    except NotRunning as error:
        raise CommandError(str(error), ExitStatus.NOT_RUNNING) from None
    except (NoAnswer, Refused) as error:
        raise CommandError(str(error), ExitStatus.TIMEOUT) from None
    if status["state"] != "live":
        raise CommandError(f"the desk cannot be reached: {status['state']} {status['why']}".rstrip())
    click.echo(address_of(config.stack.desk, config.paths.run))


@desk.command()
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES)), help="What the user may do; needed for a new one.")
@click.option("--remove", is_flag=True, help="Take the user out; his sign-ins end within 30 s.")
def user(name: str, role: str | None, remove: bool) -> None:
    """Let NAME sign in with a password that is asked for, or give another password or role.

    The file is `users` of [desk], which every sign-in and stream looks at anew.
    """
    config = load()
    path = config.paths.resolve(_users_file(config))
    try:
        users = read_users(path)
    except BadUsers as error:
        raise CommandError(str(error), ExitStatus.CONFIGURATION) from None
    if remove:
        if users.pop(name, None) is None:
            raise CommandError(f"{name}: no such user; there is {', '.join(users) or 'none'}", ExitStatus.USAGE)
    else:
        users[name] = _asked_user(name, role or (users[name].role if name in users else None))
    write_users(path, users)
    click.echo(f"{path}: {', '.join(f'{each} ({its.role})' for each, its in users.items()) or 'nobody'}")


def _users_file(config: Config) -> str:
    told = config.stack.desk.users
    if not told:
        raise CommandError("`users` of [desk] names no file: set it first, such as to keys/desk-users.json")
    return told


def _asked_user(name: str, role: str | None) -> User:
    if not is_user_name(name):
        raise CommandError(f"{name}: a name is 1 to 15 of a-z, 0-9, _ and -, a letter first", ExitStatus.USAGE)
    if role is None:
        raise CommandError(f"{name}: say --role, one of {', '.join(ROLES)}", ExitStatus.USAGE)
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise CommandError(f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters", ExitStatus.USAGE)
    return User(role, hashed(password, os.urandom(SALT_BYTES)))
