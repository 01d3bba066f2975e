"""What the commands on a journal share: the folder that they take, how they fail, and how they say how far they are."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from common.config import Config, load
from common.exit_status import ExitStatus
from common.journal import Damage, FormatTooNew, JournalError, ReadFailed
from scripts.cli.errors import CommandError

FOLDER = click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, one document or one a line, instead of text.")


def checked(command: Callable[..., Any]) -> Callable[..., Any]:
    """Journal errors become a line and an exit status: damage and what cannot be read are 7, everything else 1."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except JournalError as error:
            raise CommandError(str(error), status_of(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            where = error.filename or "the journal"
            text = f"{where} cannot be read: {error.strerror or error}. Check the disk and the permissions"
            raise CommandError(text, ExitStatus.INTEGRITY) from error

    return run


def status_of(error: JournalError) -> ExitStatus:
    """7 for what an integrity check refuses or the disk does not give, else 1."""
    return ExitStatus.INTEGRITY if isinstance(error, Damage | FormatTooNew | ReadFailed) else ExitStatus.FAILURE


def folder_or_configured(folder: Path | None) -> Path:
    """The folder given, else the configured stack's journal. Raises CommandError."""
    return folder if folder is not None else own_journal(load())


def own_journal(config: Config) -> Path:
    """The configured stack's journal. Raises CommandError on a host that has none of it."""
    host = config.reach.host_of("journal")
    if host is not None:
        raise CommandError(
            f"the journal is on {host}, and {config.host} has none of its files: run this on {host}", ExitStatus.USAGE
        )
    return config.journal_folder


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A line on standard error that is renewed, where that is a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _whole, _unit: None
        return

    def told(done: int, whole: int, unit: str) -> None:
        click.echo(f"\r{what}: {done:,} of {whole:,} {unit}\x1b[K", err=True, nl=False)

    try:
        yield told
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
