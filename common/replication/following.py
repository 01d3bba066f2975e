"""Following a stream in a folder of one's own, and taking the journal over by it.

Whoever takes over first takes all that the stream holds. Then a message that begins the next term is published with the
number that the stream must end with for that: if anything was added meanwhile it is refused, read on and tried again.
Once it stands in the stream, whoever wrote it before is fenced; only then is it written here.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Final

from common.journal.followed import FollowedLog
from common.journal.frames import Link, end_of
from common.journal.terms import TermBegan, epoch_floor, term_block
from common.replication.chain import Chain
from common.replication.errors import Away, Fenced, Forked
from common.replication.message import Batch, Stored, batch_of
from common.replication.port import ReplicatedLog
from common.replication.publisher import is_yes

TRIES: Final = 10
"""So often a message whose answer is unclear is published again before the stream counts as away."""

LOST_RACES: Final = 100
"""So often the stream may have grown in between before it is given up: a host that lives adds ten messages a second."""

Progress = Callable[[int, int], None]
"""(messages read, messages in all)"""


class Following:
    """A stream, and the log that follows it."""

    def __init__(self, stream: ReplicatedLog, log: FollowedLog) -> None:
        """Where the log ends in the stream is looked up. Raises Away, Forked, StreamBroken."""
        self._stream = stream
        self._log = log
        self.chain = self._placed(log.end)

    def _placed(self, end: Link) -> Chain:
        last = self._stream.last_sequence()
        if not end.lsn:
            return Chain()

        def has_end(at: int) -> bool:
            return self._message(at).batch.last_lsn >= end.lsn

        found = self._message(bisect_left(range(1, last), True, key=has_end) + 1) if last else None
        if found is None or end_of(found.batch.block) != end:
            raise Forked(f"no message of {self._stream.name} ends with record {end.lsn} as the folder has it")
        return Chain.at(found, end, self._log.last_stamp_ns)

    def _message(self, sequence: int) -> Stored:
        found = self._stream.message_at(sequence)
        if found is None:
            raise Away(f"{self._stream.name}: the leader does not know message {sequence}")
        return found

    def catch_up(self, progress: Progress | None = None) -> int:
        """Take all that the stream holds by now; how many messages that were.

        Raises Away, StreamBroken, JournalError.
        """
        chain, last = self.chain, self._stream.last_sequence()
        before = chain.sequence
        for found in self._stream.messages(before + 1, last - before) if last > before else ():
            if chain.take(found):
                self._log.take(found.batch.block)
            if progress is not None:
                progress(chain.sequence, last)
        if chain.sequence < last:
            raise Away(f"{self._stream.name}: message {chain.sequence + 1} of {last} was not sent")
        return chain.sequence - before

    def take_over(self, by: str, host: str, wall_ns: int) -> TermBegan:
        """Begin the next term, for the person `by` on `host`; everything of the stream stands in the log then.

        Raises Away where no yes is to be had (it may have taken effect: then the next try begins a later term), Fenced
        where somebody else begins a term at the same time, StreamBroken, JournalError.
        """
        self.catch_up()
        term = self.chain.term
        for _ in range(LOST_RACES):
            began = self._next_term(by, host, wall_ns)
            block = term_block(began, max(wall_ns, self.chain.stamp_ns))
            message = Stored(self.chain.sequence + 1, batch_of(began.term, block))
            if self._stands(message):
                self.chain.take(message)
                self._log.take(message.batch.block)
                return began
            self.catch_up()
            if self.chain.term != term:
                other = self.chain.began
                raise Fenced(self.chain.sequence, self.chain.term, f"{other.by if other else 'somebody'} was quicker")
        raise Away(f"{self._stream.name} grew {LOST_RACES} times between reading and writing")

    def _next_term(self, by: str, host: str, wall_ns: int) -> TermBegan:
        highest = max(self._log.epoch, *(state.epoch for state in self._log.writers.values()))
        floor = epoch_floor(highest, wall_ns, self.chain.stamp_ns)
        return TermBegan(self.chain.term + 1, by, host, self.chain.end.lsn, self.chain.end.crc, floor, wall_ns)

    def _stands(self, message: Stored) -> bool:
        """Publish it; whether it stands behind what was read, and not something else. Raises Away, StreamBroken."""
        expected, why = message.sequence - 1, ""
        for _ in range(TRIES):
            why = self._try(message.batch, expected)
            found = message if not why else self._stream.message_at(message.sequence)
            if found is not None:
                return found == message
        raise Away(f"{why}; nothing stands behind message {expected} yet: it may still come")

    def _try(self, batch: Batch, expected: int) -> str:
        try:
            answer = self._stream.publish(batch, expected)
        except Away as error:
            return str(error)
        return "" if is_yes(self._stream, answer, expected) else f"answered with {answer}"
