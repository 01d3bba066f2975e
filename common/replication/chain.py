"""Whether the messages of a stream follow from one another: the check that all who read it share.

A message of a lower term than the highest one before it was written by a host that may not any more: it is dropped. One
of a higher term must begin that term, with a TERM record that stands on the very end of what was checked.
"""

from common.journal.errors import BadFrame
from common.journal.frames import Link, Record, Stop, walk
from common.journal.terms import FIRST_TERM, TermBegan, term_begun_by
from common.replication.errors import StreamBroken
from common.replication.message import Stored


class Chain:
    """The end of what was checked: the last sequence number, the record and checksum there, its stamp, the term."""

    def __init__(self) -> None:
        """Before the first message, which begins with record 1."""
        self.sequence = 0
        self.end = Link(0, 0)
        self.stamp_ns = 0
        self.term = FIRST_TERM
        self.dropped = 0
        self.began: TermBegan | None = None
        """How the term began; None in the first one."""

    @classmethod
    def at(cls, found: Stored, end: Link, stamp_ns: int) -> "Chain":
        """Behind the message `found`, which ends with the record `end` and was checked before."""
        chain = cls()
        chain.sequence, chain.end, chain.stamp_ns, chain.term = found.sequence, end, stamp_ns, found.batch.term
        return chain

    def take(self, found: Stored, records: list[Record] | None = None) -> bool:
        """Check that the message follows, every byte of it; `records` gets what it holds. Raises StreamBroken.

        False for one of a lower term, which is dropped.
        """
        sequence, batch = found
        if sequence != self.sequence + 1:
            raise StreamBroken(self.sequence + 1, f"it is missing; the next one is {sequence}")
        if batch.term < self.term:
            self.sequence, self.dropped = sequence, self.dropped + 1
            return False
        if batch.first_lsn != self.end.lsn + 1:
            why = f"it begins with record {batch.first_lsn}, and {self.end.lsn + 1} was to follow"
            raise StreamBroken(sequence, why)
        held: list[Record] = []
        walked = walk(batch.block, self.end, records=held, stamp_ns=self.stamp_ns)
        if walked.stop is not Stop.MORE or walked.position != len(batch.block):
            raise StreamBroken(sequence, f"record {walked.end.lsn + 1}: {walked.why or 'cut short'}")
        if walked.end.lsn != batch.last_lsn:
            raise StreamBroken(sequence, f"it ends with record {walked.end.lsn}, and says {batch.last_lsn}")
        self._check_term(found, held)
        if records is not None:
            records += held
        self.sequence, self.end, self.stamp_ns = sequence, walked.end, walked.stamp_ns
        return True

    def _check_term(self, found: Stored, held: list[Record]) -> None:
        """A term is begun by the first message of it and by no other."""
        sequence, term = found.sequence, found.batch.term
        try:
            began = term_begun_by(held)
        except BadFrame as error:
            raise StreamBroken(sequence, str(error)) from error
        if began is None and term == self.term:
            return
        if began is None:
            raise StreamBroken(sequence, f"it is of term {term}, which no TERM record begins")
        if began.term != term or term == self.term or began.after != self.end:
            why = f"its TERM record begins term {began.term} behind record {began.lsn}"
            raise StreamBroken(sequence, f"{why}; it is of term {term}, behind record {self.end.lsn} of {self.term}")
        self.term, self.began = term, began
