"""Adding to the stream, and when that is done: an answer is a yes, or it is unclear and nothing follows from it.

A yes is an acknowledgement of this very stream, with the sequence number behind the expected one, and not called a
duplicate. All else (a timeout, "wrong last sequence", no responders, a lost connection) is unclear: the message may be
in the stream, or may still come to be. Then nothing more is published until the leader was asked what stands behind the
last yes. Our very bytes were accepted after all, or a former life of this process had them cut otherwise and they came
late: that is a yes. A message of a lower term is a fenced host's: no reader counts it, and ours goes behind it. Other
bytes are another host's. Where nothing stands, the same message is published again, with the same expectation.
"""

from collections.abc import Callable

from common.replication.errors import Away, Fenced
from common.replication.message import Batch
from common.replication.port import Answer, ReplicatedLog


def is_yes(log: ReplicatedLog, answer: Answer, expected: int) -> bool:
    """Whether the answer says that what was published stands in the stream behind message `expected`."""
    return answer.stream == log.name and answer.sequence == expected + 1 and not answer.duplicate


class Publisher:
    """The end of the stream as this process knows it: `sequence` is that of the last yes. `was_answered`: it was given
    in an answer, so that nobody else had written the stream by then; else it was read there, of a leader that may be
    none any more.
    """

    def __init__(self, log: ReplicatedLog, sequence: int, is_ours: Callable[[Batch], bool]) -> None:
        """`sequence` was read from the stream, and what stands up to it compared with the log. `is_ours` says whether
        the log holds the frames of a batch as they are.
        """
        self.sequence = sequence
        self.unclear = 0
        self.was_answered = False
        self._log = log
        self._is_ours = is_ours
        self._open: Batch | None = None

    @property
    def open_batch(self) -> Batch | None:
        """What was published and has not been answered clearly; it comes before anything else."""
        return self._open

    def publish(self, batch: Batch) -> Batch:
        """Publish what follows, or find out about what is open, which `batch` must then be.

        Returns what the stream now has behind the last yes: the batch, or a part of the log that begins like it.
        Raises Away where nothing is known to stand there yet: call again with the same batch; Fenced.
        """
        found = None
        if self._open is not None:
            assert batch == self._open, "what is unclear is settled before anything else is published"
            found = self._find(batch)
        if found is None:
            self._open = batch
            why = self._try(batch)
            if why:
                self.unclear += 1
                found = self._find(batch)
                if found is None:
                    raise Away(f"{why}; nothing stands behind message {self.sequence} yet")
        self._open = None
        self.was_answered = found is None
        self.sequence += 1
        return found or batch

    def _try(self, batch: Batch) -> str:
        """Publish once; "" for a yes, else what makes it unclear."""
        try:
            answer = self._log.publish(batch, self.sequence)
        except Away as error:
            return str(error)
        return "" if is_yes(self._log, answer, self.sequence) else f"answered with {answer}"

    def _find(self, batch: Batch) -> Batch | None:
        """What of the log the leader has behind the last yes; None for nothing. Raises Away, Fenced."""
        while True:
            stored = self._log.message_at(self.sequence + 1)
            if stored is None:
                return None
            found = stored.batch
            if found.term >= batch.term:
                break
            self.sequence += 1
        if found == batch:
            return found
        if (found.term, found.first_lsn) == (batch.term, batch.first_lsn) and self._is_ours(found):
            return found
        raise Fenced(stored.sequence, found.term, f"records {found.first_lsn} to {found.last_lsn} are another host's")
