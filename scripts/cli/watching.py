"""`--watch`: the same command again and again, on a screen that is cleared before."""

import functools
import time
from collections.abc import Callable
from typing import ParamSpec

import click

from scripts.cli.errors import CommandError

P = ParamSpec("P")
LEAST_S = 0.2


def watchable(command: Callable[P, None]) -> Callable[P, None]:
    """Give the command `--watch SECONDS`: it is run so often until it is interrupted, and says what it could not do."""

    @click.option(
        "--watch", "watch_s", type=click.FloatRange(min=LEAST_S), metavar="SECONDS",
        help="Again every so many seconds, until it is interrupted.",
    )  # fmt: skip
    @functools.wraps(command)
    def watched(*arguments: P.args, watch_s: float | None, **named: P.kwargs) -> None:  # type: ignore[valid-type]
        if watch_s is None:
            command(*arguments, **named)
            return
        while True:
            click.clear()
            try:
                command(*arguments, **named)
            except CommandError as error:
                click.echo(f"fixring: {error}", err=True)
            except click.exceptions.Exit:
                # `status` says by its exit status what its text says as well.
                pass
            time.sleep(watch_s)

    return watched  # type: ignore[return-value]
