"""What the replicator's core has its worker do, and what the worker answers."""

import msgspec

from common.exit_status import ExitStatus


class Place(msgspec.Struct, frozen=True):
    """Find out where the stream of the journal `journal_id` ends, and that the log, durable up to record `durable_lsn`
    and in the term `term`, holds the same up to there."""

    journal_id: str
    durable_lsn: int
    term: int


class CopyOn(msgspec.Struct, frozen=True):
    """Copy the next message's worth of records, `upto_lsn` at most: that is durable."""

    upto_lsn: int


class CheckOn(msgspec.Struct, frozen=True):
    """Read some more of the stream again, and hold it against the log; `anew`: from its beginning."""

    anew: bool


class Copied(msgspec.Struct, frozen=True):
    """The stream ends with message `sequence` and record `lsn`, stamped `stamp_ns`. `was_answered`: to a publication
    of this piece of work, so that nobody had taken the journal over when it was begun."""

    sequence: int
    lsn: int
    stamp_ns: int
    unclear: int = 0
    was_answered: bool = False


class Checked(msgspec.Struct, frozen=True):
    """The stream is right up to message `sequence`, and `whole` says whether that was all of it."""

    sequence: int
    whole: bool


class NotNow(msgspec.Struct, frozen=True):
    """It came to nothing, for the reason `text`, and is to be tried again. `no_stream`: the servers say that there is
    none."""

    text: str
    unclear: int = 0
    no_stream: bool = False


class CannotGoOn(msgspec.Struct, frozen=True):
    """This process must end, with the status and the reason."""

    status: ExitStatus
    text: str


Work = Place | CopyOn | CheckOn
Result = Copied | Checked | NotNow | CannotGoOn
