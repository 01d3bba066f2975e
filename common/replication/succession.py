"""Who has taken a journal over: the first message of a later term in its stream says it."""

from bisect import bisect_left

from common.journal.errors import BadFrame
from common.journal.frames import parse
from common.journal.terms import TermBegan, term_begun_by
from common.replication.port import ReplicatedLog


def successor(log: ReplicatedLog, term: int, sequence: int) -> TermBegan | None:
    """How the term after `term` began, where message `sequence` is of a later one; None where that cannot be told.

    Terms never fall along the stream, but for a fenced host's late messages, which only make this ask for a few more.
    Raises Away, StreamBroken.
    """

    def is_later(at: int) -> bool:
        found = log.message_at(at)
        return found is not None and found.batch.term > term

    first = log.message_at(bisect_left(range(1, sequence), True, key=is_later) + 1)
    if first is None:
        return None
    try:
        return term_begun_by(parse(first.batch.block))
    except BadFrame:
        return None
