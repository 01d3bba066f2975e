"""`fixring`: the root of the command line. Commands load when they are called; every error becomes an exit status.

Exit statuses are those of `common.exit_status`. Errors go to standard error, one line: what, where, what to do.
"""

import importlib
import os
import sys
from typing import NoReturn

import click

from common.config import ConfigError
from common.exit_status import ExitStatus
from scripts.cli.colour import no_color
from scripts.cli.completion import complete_names
from scripts.cli.errors import CommandError

COMMANDS = {
    "accounts": "scripts.cli.orders:accounts",
    "alerts": "scripts.cli.alerts:alerts",
    "bench": "scripts.cli.bench:bench",
    "book": "scripts.cli.money:book",
    "bridge": "scripts.cli.bridge:bridge",
    "completion": "scripts.cli.completion:completion",
    "config": "scripts.cli.config:config",
    "desk": "scripts.cli.desk:desk",
    "docs": "scripts.cli.docs:docs",
    "doctor": "scripts.cli.doctor:doctor",
    "exchange": "scripts.cli.exchange:exchange",
    "fix": "scripts.cli.fix:fix",
    "flatten": "scripts.cli.flatten:flatten",
    "journal": "scripts.cli.journal:journal",
    "keys": "scripts.cli.keys:keys",
    "kill": "scripts.cli.kill:kill",
    "orders": "scripts.cli.orders:orders",
    "pnl": "scripts.cli.money:pnl",
    "profit-history": "scripts.cli.profit_history:profit_history",
    "positions": "scripts.cli.orders:positions",
    "reconcile": "scripts.cli.reconcile:reconcile",
    "replication": "scripts.cli.replication:replication",
    "resume": "scripts.cli.kill:resume",
    "risk": "scripts.cli.risk:risk",
    "session": "scripts.cli.session:session",
    "signals": "scripts.cli.signals:signals",
    "fuzz": "scripts.cli.fuzz:fuzz",
    "simulate": "scripts.cli.simulate:simulate",
    "standby": "scripts.cli.takeover:standby",
    "start": "scripts.cli.start:start",
    "status": "scripts.cli.status:status",
    "strategy": "scripts.cli.strategy:strategy",
    "top": "scripts.cli.top:top",
    "takeover": "scripts.cli.takeover:takeover",
    "torture": "scripts.cli.torture:torture",
    "trades": "scripts.cli.trades:trades",
    "trial": "scripts.cli.trial:trial",
    "venues": "scripts.cli.venues:venues",
}
"""Command to "module:attribute" of the click object behind it."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports the module behind one when it is needed: `status` loads no simulator."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`, or None where there is none."""
        module, _, attribute = COMMANDS.get(cmd_name, "").partition(":")
        if not module:
            return None
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return complete_names(command)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="fixring")
def root() -> None:
    """Run and ask a fixring stack.

    Exit status: 0 ok, 1 failure, 2 usage, 3 configuration, 4 not running, 5 timeout, 6 refused, 7 integrity,
    8 not answered, 9 fenced, 10 running but restricted.
    """


def main() -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; the one place where an exception becomes a message and a status."""
    try:
        colour = False if no_color() else None
        result = root.main(args=arguments, prog_name="fixring", standalone_mode=False, color=colour)
        return result if isinstance(result, int) else ExitStatus.OK
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _complain("interrupted", ExitStatus.FAILURE)
    except CommandError as error:
        return _complain(str(error), error.status)
    except ConfigError as error:
        return _complain(str(error), ExitStatus.CONFIGURATION)
    except BrokenPipeError:
        # `fixring journal tail | head`: the reader has what it wanted; do not complain when the interpreter flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.OK


def _complain(text: str, status: ExitStatus) -> int:
    click.echo(f"fixring: {text}", err=True)
    return status


if __name__ == "__main__":
    main()
