"""The exit status of every fixring process and command: one meaning each, the same everywhere."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a process says by ending. 2 is also the shell's and click's word for wrong usage.

    NOT_ANSWERED: a venue that was asked said nothing. FENCED: another host goes on with the journal. RESTRICTED:
    everything runs, and not all that is configured may be done.
    """

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIGURATION = 3
    NOT_RUNNING = 4
    TIMEOUT = 5
    REFUSED = 6
    INTEGRITY = 7
    NOT_ANSWERED = 8
    FENCED = 9
    RESTRICTED = 10
