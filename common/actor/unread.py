"""What could not be read: whether it may pass, or a person must look."""

from common.exit_status import ExitStatus
from common.journal.errors import ReadFailed


def status_of_unread(error: Exception) -> ExitStatus:
    """How a process ends that could not read what it needs.

    What the system refused may pass: the next life looks again. What was read and is wrong needs a person.
    """
    return ExitStatus.FAILURE if isinstance(error, OSError | ReadFailed) else ExitStatus.INTEGRITY
