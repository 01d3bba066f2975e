"""The one error that a command raises for the user; `scripts.cli.main` turns it into a line and an exit status."""

from common.exit_status import ExitStatus
from common.printable import printable


class CommandError(Exception):
    """A command failed for a reason that the user can act on: the text says what, where and what to do."""

    def __init__(self, text: str, status: ExitStatus = ExitStatus.FAILURE) -> None:
        """`status` is the process's exit status."""
        super().__init__(printable(text))
        self.status = status
